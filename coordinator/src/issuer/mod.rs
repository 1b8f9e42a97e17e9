//! Who gets a certificate: the national issuer, its service for regions, and the enrolment port of every coordinator.
//!
//! Only the national body holds the root and only it makes invites: a region that could mint nodes could surround one
//! real kommun with invented ones (ADR 4). A region passes enrolments on and can change none unnoticed.

pub mod desk;
pub mod service;
pub mod upstream;
