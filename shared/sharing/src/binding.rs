//! What a report is a report *of*: collection, round, tier, unit, certificate, helper key, roster and
//! pattern.
//!
//! The hash of a [`Binding`] together with the parameters is the Prio3 context, the HPKE info and part of the
//! signed content, so a report made for one place in the protocol is refused at every other (DOOR-1). It does
//! not check that the values name anything real. Invariant: two different bindings never have the same
//! canonical bytes.

use crate::bytes::{hash, put_prefixed};
use crate::params::VectorParameters;

const DOMAIN: &str = "samman/v1 binding";
const DOMAIN_HASH: &str = "samman/v1 binding hash";
const DOMAIN_NONCE: &str = "samman/v1 block nonce";

/// The tier of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Kommuner to a region.
    Region,
    /// Counties to the national body.
    National,
}

impl Tier {
    fn code(self) -> u8 {
        match self {
            Self::Region => 1,
            Self::National => 2,
        }
    }
}

/// Everything a report is bound to besides the vector parameters. Public values only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Id of the collection.
    pub collection_id: String,
    /// Its version.
    pub collection_version: u32,
    /// Hash of the signed collection, as the node's operator approved it.
    pub collection_hash: [u8; 32],
    /// Number of the round; a round computed again after an absence has a new one.
    pub round: u32,
    /// The tier of the round.
    pub tier: Tier,
    /// The reporting unit, as in its certificate.
    pub unit: String,
    /// SHA-256 fingerprint of the unit's certificate.
    pub certificate: [u8; 32],
    /// Id of the helper's HPKE key ([`crate::helper_key::HelperPublicKey::id`]).
    pub helper_key_id: [u8; 32],
    /// Hash of the roster.
    pub roster_hash: [u8; 32],
    /// Hash of the pattern: withheld cells and combinations that may be opened.
    pub pattern_hash: [u8; 32],
}

/// The hash of a binding and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BindingHash(pub [u8; 32]);

impl Binding {
    /// An unambiguous encoding: a domain, then every field in order of declaration; strings carry their
    /// length, integers are big-endian.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_prefixed(&mut out, DOMAIN.as_bytes());
        put_prefixed(&mut out, self.collection_id.as_bytes());
        out.extend_from_slice(&self.collection_version.to_be_bytes());
        out.extend_from_slice(&self.collection_hash);
        out.extend_from_slice(&self.round.to_be_bytes());
        out.push(self.tier.code());
        put_prefixed(&mut out, self.unit.as_bytes());
        for fixed in [&self.certificate, &self.helper_key_id, &self.roster_hash, &self.pattern_hash] {
            out.extend_from_slice(fixed);
        }
        out
    }

    /// The hash under which a report of these parameters is made and checked.
    pub fn hash(&self, parameters: &VectorParameters) -> BindingHash {
        BindingHash(hash(DOMAIN_HASH, &[&parameters.canonical(), &self.canonical()]))
    }
}

/// The Prio3 nonce of one block. Two blocks of a report, also of equal length, never share one, so their
/// shares cannot be exchanged. 16 of 32 bytes of a SHA-256 over the report's nonce and the block's number.
pub(crate) fn block_nonce(report_nonce: &[u8; 16], block: usize) -> [u8; 16] {
    let digest = hash(DOMAIN_NONCE, &[report_nonce, &(block as u64).to_be_bytes()]);
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&digest[..16]);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{binding, every_other_binding};

    #[test]
    fn canonical_bytes_are_as_written_down() {
        let binding = Binding {
            collection_id: "orosanmalan".into(),
            collection_version: 2,
            collection_hash: [0x11; 32],
            round: 3,
            tier: Tier::Region,
            unit: "2180".into(),
            certificate: [0x22; 32],
            helper_key_id: [0x33; 32],
            roster_hash: [0x44; 32],
            pattern_hash: [0x55; 32],
        };
        let expected = [
            "0000000000000011",
            "73616d6d616e2f76312062696e64696e67", // "samman/v1 binding"
            "000000000000000b",
            "6f726f73616e6d616c616e",
            "00000002", // collection, version
            &"11".repeat(32),
            "00000003",
            "01", // hash, round, tier
            "0000000000000004",
            "32313830", // unit
            &"22".repeat(32),
            &"33".repeat(32),
            &"44".repeat(32),
            &"55".repeat(32),
        ]
        .concat();
        assert_eq!(hex::encode(binding.canonical()), expected);
        // Computed from the bytes above and [1]'s canonical parameters with Python's hashlib.
        let parameters = VectorParameters::from_lengths(&[1]).unwrap();
        assert_eq!(hex::encode(binding.hash(&parameters).0), BINDING_HASH);
    }

    const BINDING_HASH: &str = "b09a800cd8b9da0b3936796ecb57fbd972f522b8813488721601bcc618f8e154";

    #[test]
    fn every_field_and_the_parameters_change_the_hash() {
        let parameters = VectorParameters::from_lengths(&[3]).unwrap();
        let original = binding().hash(&parameters);
        for (field, other) in every_other_binding() {
            assert_ne!(other.hash(&parameters), original, "{field}");
        }
        assert_ne!(binding().hash(&VectorParameters::from_lengths(&[4]).unwrap()), original);
    }

    #[test]
    fn bytes_moved_between_neighbouring_strings_change_the_encoding() {
        let mut one = binding();
        let mut two = binding();
        (one.collection_id, two.collection_id) = ("a\u{0}".into(), "a".into());
        (one.unit, two.unit) = ("b".into(), "\u{0}b".into());
        assert_ne!(one.canonical(), two.canonical());
    }

    #[test]
    fn blocks_of_one_report_have_different_nonces() {
        let nonces: std::collections::BTreeSet<_> =
            (0..256).map(|block| block_nonce(&[9; 16], block)).collect();
        assert_eq!(nonces.len(), 256);
        assert_ne!(block_nonce(&[9; 16], 0), block_nonce(&[8; 16], 0));
    }
}
