//! The daemon beside a kommun's verksamhetssystem: reads, counts, declares, submits. Nothing about a person leaves it.
//!
//! `intake` reads and counts, `work` does what the round asks, `link` is the one door out; `page` shows on this machine
//! what would leave, and answers nobody else.
//!
//! **Architecture invariants**: no module but `link::egress` can put bytes on a connection, and it takes only
//! [`link::cleared::Cleared`] values (STAY-1, STAY-2); nothing here depends on `coordinator`.

pub mod app;
pub mod config;
pub mod intake;
pub mod link;
pub mod page;
pub mod work;
