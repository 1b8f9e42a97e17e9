//! The round: what each party decides, in which order, and what it refuses.
//!
//! Three pure state machines ([`region::Region`], [`node::Node`], [`helper::Helper`]). A machine is a fold over
//! durable [facts](region::Fact): `handle` checks an event against the state and returns the facts it would add; the
//! shell stores them (KEEP-1: before anything is acknowledged) and then `apply`s them. What is to be done next is
//! computed from the state (`duties`), never remembered, so a crash between any two steps loses no duty and repeats
//! only idempotent ones.
//!
//! No clock, no socket, no store, no randomness inside: time and secrets arrive in events. Whether a certificate
//! hangs under the root is asked of a [`chain::Chain`].
//!
//! **Architecture invariant**: no message of this crate holds a count of a kommun but [`readable`](shares::Readable),
//! which is sealed until the roster is final (STAY-2, SAFE-3).

pub mod alone;
pub mod chain;
pub mod document;
pub mod helper;
pub mod ledger;
pub mod merkle;
pub mod national;
pub mod node;
pub mod refusal;
pub mod region;
pub mod shares;
