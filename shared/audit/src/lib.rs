//! The adversary's arithmetic; the only maker of a [`Release`] and of a [`counties::CountyRelease`].
//!
//! A separate piece of code that shares nothing with the suppressor but the cell types of `tables`: it sees what an
//! adversary sees and says what could be computed from it ([`certify()`]). [`view`] and [`interval`] stand alone and
//! know nothing of kommuner: any table with marks can be put in them.
//!
//! Reads no clock and no randomness; work limits are counted in steps ([`Budget`]). Never depends on `suppress`.

pub mod adversary;
mod budget;
mod certify;
mod consistency;
pub mod counties;
mod explain;
mod findings;
pub mod interval;
mod near;
mod presolve;
mod program;
mod propagate;
pub mod published;
mod release;
mod rows;
pub mod sensitive;
mod transfer;
pub mod versions;
pub mod view;
mod witness;

pub use adversary::{EarlierCell, EarlierIssue};
pub use budget::Budget;
pub use certify::{CertifyInput, certify};
pub use findings::{Broken, Candidate, Detail, Finding, Findings, InputError, Verdict};
pub use release::{AuditReport, Release};
