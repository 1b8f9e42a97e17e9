//! The daemon of a region, of the national body and of a helper.
//!
//! A region runs rounds (`rounds`), audits and publishes (`release`). The national body holds the root and issues
//! certificates (`issuer`) and is the helper of the regions (`helper`). Which of these a process is, is configuration.
//!
//! **Architecture invariant**: nothing here depends on `node`; a publication is written only from an `audit::Release`.

pub mod admin;
pub mod app;
pub mod chain;
pub mod combine;
pub mod config;
pub mod counties;
pub mod helper;
pub mod issuer;
pub mod national;
pub mod region;
pub mod release;
pub mod rounds;
pub mod signer;
pub mod storage;
pub mod third;
