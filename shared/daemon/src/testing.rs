//! What this crate's tests share: a root, certificates under it, and a fixed instant.

use jiff::{SignedDuration, Timestamp};

use crate::identity::Identity;
use crate::pki::{Csr, Key, Root};

/// A fixed instant.
pub fn at() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

pub fn identity(uri: &str) -> Identity {
    uri.parse().unwrap()
}

/// A fresh root valid for ten years around [`at`] and the real clock.
pub fn root() -> Root {
    Root::create("2020-01-01T00:00:00Z".parse().unwrap(), days(3650 * 3)).unwrap()
}

/// A key and its certificate.
pub fn issue_for(root: &Root, uri: &str, now: Timestamp, life_days: u16) -> (Key, Vec<u8>) {
    let key = Key::generate().unwrap();
    let csr = Csr::create(&key).unwrap();
    let der = root.issue(&csr, &identity(uri), now, life_days).unwrap();
    (key, der)
}
