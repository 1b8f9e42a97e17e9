//! The county's fourteen tables are right and safe: everything a reader holds, checked in one process.

#![allow(clippy::unwrap_used, missing_docs)] // a test crate: a panic is a failure

mod probe;
