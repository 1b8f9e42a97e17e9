//! The region's rounds: the service nodes talk to, the desk that keeps facts, the engine that does what is due.
//!
//! `service` answers nodes, `desk` is the only place where a fact is stored and applied, `engine` performs duties,
//! `close` turns opened shares into totals. The rules are in the `round` crate.

pub mod close;
pub mod desk;
pub mod engine;
pub mod service;
