//! Keys, certificates and revocation lists under the one national root.
//!
//! What it does not do: it keeps no list of who was issued what (`invite`, the issuer's store) and opens no
//! socket (`tls`, `door`).
//!
//! Invariants:
//! - All keys are Ed25519 (RFC 8410). A node signs its reports with the key of its certificate.
//! - What a certificate says about its holder is the issuer's decision; nothing is taken from the request but
//!   the public key (DOOR-1).
//! - Time is an argument. Randomness (keys, serial numbers) is the operating system's.

mod certificate;
mod chain;
mod crl;
mod key;
mod root;

pub use certificate::{CertificateError, PeerCertificate, Serial, fingerprint};
pub use chain::{DoorError, verify_chain, verify_root};
pub use crl::{Crl, CrlError, RevocationBook};
pub use key::{Key, KeyError, verify_signature};
pub use root::{Csr, IssueError, Root};

use jiff::Timestamp;

/// Longest DER text accepted of a certificate or a request, in bytes. Ours are under 700.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;
/// Longest revocation list accepted, in bytes: room for some 30,000 revoked certificates.
pub const MAX_CRL_BYTES: usize = 2 * 1024 * 1024;

/// Seconds since 1970; instants before are clamped to it (no certificate of ours is that old).
fn unix_seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}
