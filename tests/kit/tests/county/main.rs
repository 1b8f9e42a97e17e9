//! The county's fourteen tables are right and safe: everything a reader holds, checked in one process.

#![allow(clippy::unwrap_used, missing_docs)] // a test crate: a panic is a failure

mod common;
mod corrections;
mod determinism;
mod enumerate;
mod extensions;
mod fourteen;
mod incomplete;
mod kommun_attack;
mod loss;
mod random_attack;
mod ratios;
mod totals_attack;
