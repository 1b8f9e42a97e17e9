//! The national round: the national body's desk and service, the third coordinator, and the region's side of both.
//!
//! `desk` holds the rounds, `engine` does what is due, `service` answers regions, `release` audits and writes; `third` is the
//! other coordinator, `sides` what both add up and open, `client` what each asks of the other. No county's total is opened here, only sums over counties
//! (`30-protocol`, Tiers).

pub mod client;
pub mod desk;
pub mod engine;
pub mod group_rows;
pub mod release;
pub mod service;
pub mod sides;
pub mod third;
