//! Everything of a daemon that is not the protocol: who a peer is, how it gets and loses its certificate,
//! the TLS door, the durable store, configuration, telemetry and shutdown.
//!
//! What it does not do: it knows no message of `proto/samman/v1`, no round and no table.
//!
//! Invariants:
//! - A certificate carries exactly one identity URI and was issued under the pinned national root (DOOR-1).
//! - The revocation list is asked at every handshake *and* at every request (DOOR-1).
//! - A commit that returned `Ok` is on disk (KEEP-1).
//! - No key, token, message body or stored value appears in an error, a log line or a `Debug` text.

pub mod config;
pub mod door;
pub mod enrolment;
pub mod facts;
pub mod gate;
pub mod identity;
pub mod invite;
pub mod pki;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod wallet;

#[cfg(test)]
mod testing;
