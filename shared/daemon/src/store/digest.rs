//! One small number that stands for the whole content, so that tree and journal can be compared.
//!
//! What it does not do: it is against accidents (lost pages, cut files), not against somebody who writes to the
//! disk on purpose: sums of hashes can be forged.
//!
//! Invariants: equal contents at equal sequence numbers have equal digests, in whatever order they came about.

use sha2::{Digest as _, Sha256};

/// Length of an encoded [`ContentDigest`], bytes.
pub(super) const ENCODED: usize = 8 + 8 + 32;

/// Hash of one entry.
pub(super) type EntryHash = [u8; 32];

pub(super) fn entry_hash(key: &str, value: &[u8]) -> EntryHash {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_le_bytes());
    hash.update(key.as_bytes());
    hash.update(value);
    hash.finalize().into()
}

/// Sequence number of the last batch, number of entries, and the exclusive-or of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ContentDigest {
    pub(super) sequence: u64,
    pub(super) entries: u64,
    xor: EntryHash,
}

impl ContentDigest {
    /// The same content after batch number `sequence`.
    pub(super) fn at(self, sequence: u64) -> Self {
        ContentDigest { sequence, ..self }
    }

    pub(super) fn add(&mut self, entry: &EntryHash) {
        self.entries = self.entries.wrapping_add(1);
        self.mix(entry);
    }

    pub(super) fn remove(&mut self, entry: &EntryHash) {
        self.entries = self.entries.wrapping_sub(1);
        self.mix(entry);
    }

    fn mix(&mut self, entry: &EntryHash) {
        for (mine, theirs) in self.xor.iter_mut().zip(entry) {
            *mine ^= theirs;
        }
    }

    pub(super) fn encode(&self) -> [u8; ENCODED] {
        let mut out = [0; ENCODED];
        out[..8].copy_from_slice(&self.sequence.to_le_bytes());
        out[8..16].copy_from_slice(&self.entries.to_le_bytes());
        out[16..].copy_from_slice(&self.xor);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ENCODED] = bytes.try_into().ok()?;
        Some(ContentDigest {
            sequence: u64::from_le_bytes(bytes[..8].try_into().ok()?),
            entries: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
            xor: bytes[16..].try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_does_not_matter_and_every_difference_does() {
        let (a, b, c) = (entry_hash("a", b"1"), entry_hash("b", b"2"), entry_hash("a", b"2"));
        let mut one = ContentDigest::default();
        one.add(&a);
        one.add(&b);
        let mut other = ContentDigest::default();
        other.add(&c);
        other.add(&b);
        assert_ne!(one, other);
        other.remove(&c);
        other.add(&a);
        assert_eq!(one, other);
        assert_ne!(entry_hash("ab", b"c"), entry_hash("a", b"bc"));
        assert_eq!(ContentDigest::decode(&one.encode()), Some(one));
    }
}
