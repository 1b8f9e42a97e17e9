//! The helper: one coordinator's service to another body's region, and the region's client of it.
//!
//! `desk` keeps what the helper knows, `service` answers regions, `client` is the region's side. The helper never sees
//! a value (`30-protocol`, Phases).

pub mod client;
pub mod desk;
pub mod service;
