//! Runs of real processes: real mutual TLS on loopback, real sled stores, real files, the demo's own executable.
//!
//! [`federation`] sets a stage of its own (one process a party, each killed, frozen and started again by name), [`data`]
//! says what is collected, [`caller`] knocks at doors as anybody one likes, [`search`] looks for what must not be there.
//!
//! What it does not do: nothing here is part of the product, and nothing waits for a number of seconds to mean
//! something: every wait is for a condition, under a generous limit whose only meaning is *stuck*.

pub mod caller;
pub mod data;
pub mod database;
pub mod federation;
pub mod party;
pub mod search;
pub mod wait;
