//! The cryptography of one report: secret shares, seals, signatures and the opening of sums.
//!
//! **What it is.** A node turns vectors of counts into a [`report::Report`] with [`shard::shard`]. Region and
//! helper check it together in one round trip ([`verify`]), each keeps an [`output::OutputShare`], adds them
//! up ([`aggregate::AggregateShare`]) and opens listed 0/1 combinations ([`opening`]). Beside that stand
//! Ed25519 signatures with contexts ([`signing`]) and the ledger's tags ([`tag`]).
//!
//! **What it does not do.** It knows nothing of tables, kommuner, rosters, minima or ledgers: a report is a
//! list of [`params::Block`]s of `u32`. It opens no socket and no file and reads no clock. It does not refuse
//! a second report of a unit, nor a second opening: whoever keeps state does (see [`verify`] on why that
//! matters).
//!
//! **Invariants.**
//! - One share alone, of a report or of a sum, is uniformly random (STAY-2). Shares, keys, tags and entries
//!   appear in no error and in no `Debug`.
//! - Every hash, seal and signature is over a length-prefixed encoding that starts with a domain of its own;
//!   nothing made for one purpose is accepted for another.
//! - Decoding checks lengths against the agreed parameters before it allocates, and never panics.
//! - Architecture Invariant: this crate does not depend on any other crate of the workspace.
//!
//! Randomness is an argument, with one exception: the public `shard` of the `prio` crate draws its own from
//! the operating system. Two calls with equal arguments therefore give different reports, and a node stores a
//! report before it sends it and sends only the stored one (KEEP-1).

pub mod aggregate;
pub mod binding;
mod bytes;
pub mod chunk;
pub mod helper_key;
pub mod opening;
pub mod output;
pub mod params;
mod readable;
pub mod report;
pub mod shard;
pub mod signing;
pub mod tag;
pub mod verify;

pub use bytes::DecodeError;

#[cfg(test)]
mod adversary;
#[cfg(test)]
mod fixture;
