//! How much a door lets in at once, as numbers, and the counting of it.
//!
//! What it does not do: it does not judge certificates.
//!
//! Invariants: a slot is given back when its connection is dropped, however that happens.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bounds of a door. The defaults fit a region: 290 kommuner at most in a federation, two connections each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once. Memory worst case: this many times `connection_window`.
    pub connections: usize,
    /// Connections open at once from one certificate, or from one address where there is none.
    pub per_peer: usize,
    /// Handshakes under way at once; further connections wait in the operating system's queue.
    pub handshakes: usize,
    /// Longest time from accept to a finished handshake.
    pub handshake_time: Duration,
    /// HTTP/2 flow-control window of one stream, bytes.
    pub stream_window: u32,
    /// HTTP/2 flow-control window of a connection, bytes.
    pub connection_window: u32,
    /// Requests under way at once on one connection.
    pub streams: u32,
    /// A connection is closed after this long, where set.
    pub connection_age: Option<Duration>,
    /// How long open calls may go on after shutdown was asked for.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 640,
            per_peer: 8,
            handshakes: 64,
            handshake_time: Duration::from_secs(10),
            // 100 Mbit/s over 50 ms is 625 kB under way; the HTTP/2 default of 64 KiB would cap it at 10 Mbit/s.
            stream_window: 1024 * 1024,
            connection_window: 2 * 1024 * 1024,
            streams: 64,
            connection_age: None,
            grace: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// For the enrolment port, where strangers knock: small, short, few.
    pub fn enrolment() -> Self {
        Limits {
            connections: 64,
            per_peer: 4,
            handshakes: 16,
            handshake_time: Duration::from_secs(5),
            stream_window: 64 * 1024,
            connection_window: 64 * 1024,
            streams: 4,
            connection_age: Some(Duration::from_secs(60)),
            grace: Duration::from_secs(5),
        }
    }
}

/// Counts open connections per peer.
#[derive(Debug)]
pub(super) struct PeerSlots<K: Eq + Hash> {
    open: Arc<Mutex<HashMap<K, usize>>>,
    most: usize,
}

/// One counted connection.
#[derive(Debug)]
pub(super) struct PeerSlot<K: Eq + Hash> {
    open: Arc<Mutex<HashMap<K, usize>>>,
    peer: K,
}

impl<K: Eq + Hash + Clone> PeerSlots<K> {
    pub(super) fn new(most: usize) -> Self {
        PeerSlots { open: Arc::default(), most }
    }

    /// A slot for `peer`, or `None` where it has as many as it may.
    pub(super) fn take(&self, peer: K) -> Option<PeerSlot<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(peer.clone()).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(PeerSlot { open: self.open.clone(), peer })
    }
}

impl<K: Eq + Hash> Drop for PeerSlot<K> {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_cannot_take_every_connection_and_gets_its_slots_back() {
        let slots = PeerSlots::new(2);
        let first = slots.take("2180").unwrap();
        let _second = slots.take("2180").unwrap();
        assert!(slots.take("2180").is_none());
        assert!(slots.take("2181").is_some());
        drop(first);
        assert!(slots.take("2180").is_some());
        assert_eq!(slots.open.lock().unwrap().len(), 1);
    }
}
