//! A report as it travels and is stored, and the part of it that the helper gets.
//!
//! It holds nothing readable: the region's shares are random without the helper's, everything else is sealed
//! (STAY-2). It does not carry the node's signature; that is over [`Report::content_hash`] and travels beside
//! it. The helper gets a [`HelperPart`], from which the same content hash follows, so it checks the node's
//! signature itself without the region's shares. Invariants: a decoded value has exactly the lengths its
//! parameters say; encoding is canonical (decode, then encode, gives the same bytes); every byte is covered
//! by the content hash and by the helper's seal.

use crate::binding::BindingHash;
use crate::bytes::{DecodeError, Reader, hash, put_prefixed};
use crate::helper_key::{SEAL_OVERHEAD_BYTES, Sealed};
use crate::params::{HEADER_BYTES, VectorParameters};
use crate::readable;
pub use crate::readable::ReadableKey;
use zeroize::Zeroizing;

/// Most bytes of readable cells in one report.
pub const MAX_READABLE_BYTES: usize = 8 << 20;
/// Most bytes of ledger tags in one report.
pub const MAX_TAGS_BYTES: usize = 4 << 20;

const REPORT_MAGIC: &[u8; 8] = b"SAMMANr1";
const PART_MAGIC: &[u8; 8] = b"SAMMANh1";
const DOMAIN_PUBLIC: &str = "samman/v1 public shares";
const DOMAIN_REGION: &str = "samman/v1 region shares";
const DOMAIN_READABLE: &str = "samman/v1 sealed readable cells";
const DOMAIN_CONTENT: &str = "samman/v1 report content";

/// The hash over all of a report: what the node signs and what the region remembers it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

/// Hashes of all parts of a report but the helper's seal, which is made over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Commitments {
    pub(crate) binding: BindingHash,
    pub(crate) nonce: [u8; 16],
    pub(crate) public: [u8; 32],
    pub(crate) region: [u8; 32],
    pub(crate) readable: [u8; 32],
}

impl Commitments {
    /// The associated data of the helper's seal. Every part has a fixed length, so plain concatenation is
    /// unambiguous.
    pub(crate) fn aad(&self) -> Vec<u8> {
        [self.binding.0.as_slice(), &self.nonce, &self.public, &self.region, &self.readable].concat()
    }

    fn content_hash(&self, sealed: &Sealed) -> ContentHash {
        ContentHash(hash(DOMAIN_CONTENT, &[&self.aad(), &sealed.encapsulated, &sealed.ciphertext]))
    }
}

pub(crate) fn public_hash(public_shares: &[u8]) -> [u8; 32] {
    hash(DOMAIN_PUBLIC, &[public_shares])
}

pub(crate) fn region_hash(region_shares: &[u8]) -> [u8; 32] {
    hash(DOMAIN_REGION, &[region_shares])
}

pub(crate) fn readable_hash(sealed_readable: &[u8]) -> [u8; 32] {
    hash(DOMAIN_READABLE, &[sealed_readable])
}

/// One unit's report.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    pub(crate) binding: BindingHash,
    pub(crate) nonce: [u8; 16],
    /// Public shares of all blocks, one after the other.
    pub(crate) public_shares: Vec<u8>,
    /// Region (leader) input shares of all blocks, one after the other.
    pub(crate) region_shares: Vec<u8>,
    pub(crate) sealed_readable: Vec<u8>,
    pub(crate) sealed_helper: Sealed,
}

impl Report {
    /// What the report was made for.
    pub fn binding_hash(&self) -> BindingHash {
        self.binding
    }

    /// The report's nonce.
    pub fn nonce(&self) -> &[u8; 16] {
        &self.nonce
    }

    pub(crate) fn commitments(&self) -> Commitments {
        Commitments {
            binding: self.binding,
            nonce: self.nonce,
            public: public_hash(&self.public_shares),
            region: region_hash(&self.region_shares),
            readable: readable_hash(&self.sealed_readable),
        }
    }

    /// The hash over everything in the report.
    pub fn content_hash(&self) -> ContentHash {
        self.commitments().content_hash(&self.sealed_helper)
    }

    /// What the region passes on to the helper.
    pub fn helper_part(&self) -> HelperPart {
        HelperPart {
            binding: self.binding,
            nonce: self.nonce,
            public_shares: self.public_shares.clone(),
            region_hash: region_hash(&self.region_shares),
            readable_hash: readable_hash(&self.sealed_readable),
            sealed: self.sealed_helper.clone(),
        }
    }

    /// Opens the readable cells with the key the helper released.
    ///
    /// # Errors
    /// [`ReadableRefused`] when the key is not this report's.
    pub fn open_readable(&self, key: &ReadableKey) -> Result<Zeroizing<Vec<u8>>, ReadableRefused> {
        readable::open(key, self.binding, &self.nonce, &self.sealed_readable).map_err(|_| ReadableRefused)
    }

    /// The report in bytes.
    pub fn encode(&self, parameters: &VectorParameters) -> Vec<u8> {
        let length = self.public_shares.len()
            + self.region_shares.len()
            + self.sealed_readable.len()
            + self.sealed_helper.ciphertext.len();
        let mut out = Vec::with_capacity(length + FIXED_BYTES);
        parameters.put_header(REPORT_MAGIC, &mut out);
        for part in [self.binding.0.as_slice(), &self.nonce, &self.public_shares, &self.region_shares] {
            out.extend_from_slice(part);
        }
        put_prefixed(&mut out, &self.sealed_readable);
        put_sealed(&mut out, &self.sealed_helper);
        out
    }

    /// Reads a report of these parameters.
    ///
    /// # Errors
    /// [`DecodeError`]; never panics, and allocates no more than the bytes given.
    pub fn decode(parameters: &VectorParameters, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        parameters.read_header(REPORT_MAGIC, &mut reader)?;
        let report = Self {
            binding: BindingHash(reader.array()?),
            nonce: reader.array()?,
            public_shares: reader.take(parameters.public_shares_bytes())?.to_vec(),
            region_shares: reader.take(parameters.region_shares_bytes())?.to_vec(),
            sealed_readable: reader.prefixed(MAX_READABLE_BYTES + readable::OVERHEAD_BYTES)?.to_vec(),
            sealed_helper: read_sealed(parameters, &mut reader)?,
        };
        reader.finish()?;
        Ok(report)
    }

    /// Most bytes a report of these parameters can have: the limit for a receiver.
    pub fn max_bytes(parameters: &VectorParameters) -> usize {
        FIXED_BYTES
            + parameters.public_shares_bytes()
            + parameters.region_shares_bytes()
            + MAX_READABLE_BYTES
            + readable::OVERHEAD_BYTES
            + max_ciphertext(parameters)
    }
}

/// Header, binding, nonce, two lengths and the encapsulated key.
const FIXED_BYTES: usize = HEADER_BYTES + 32 + 16 + 8 + 8 + 32;

/// The key does not open the report's readable cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the released key does not open the report's readable cells")]
pub struct ReadableRefused;

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// The part of a report that goes to the helper: its seal and the hashes of what it does not get.
#[derive(Clone, PartialEq, Eq)]
pub struct HelperPart {
    pub(crate) binding: BindingHash,
    pub(crate) nonce: [u8; 16],
    pub(crate) public_shares: Vec<u8>,
    pub(crate) region_hash: [u8; 32],
    pub(crate) readable_hash: [u8; 32],
    pub(crate) sealed: Sealed,
}

impl HelperPart {
    /// What the report was made for.
    pub fn binding_hash(&self) -> BindingHash {
        self.binding
    }

    pub(crate) fn commitments(&self) -> Commitments {
        Commitments {
            binding: self.binding,
            nonce: self.nonce,
            public: public_hash(&self.public_shares),
            region: self.region_hash,
            readable: self.readable_hash,
        }
    }

    /// The content hash of the whole report, for the node's signature.
    pub fn content_hash(&self) -> ContentHash {
        self.commitments().content_hash(&self.sealed)
    }

    /// The part in bytes.
    pub fn encode(&self, parameters: &VectorParameters) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.public_shares.len() + self.sealed.ciphertext.len());
        parameters.put_header(PART_MAGIC, &mut out);
        for part in [self.binding.0.as_slice(), &self.nonce, &self.public_shares] {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&self.region_hash);
        out.extend_from_slice(&self.readable_hash);
        put_sealed(&mut out, &self.sealed);
        out
    }

    /// Reads a helper's part of these parameters.
    ///
    /// # Errors
    /// [`DecodeError`]; never panics.
    pub fn decode(parameters: &VectorParameters, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        parameters.read_header(PART_MAGIC, &mut reader)?;
        let part = Self {
            binding: BindingHash(reader.array()?),
            nonce: reader.array()?,
            public_shares: reader.take(parameters.public_shares_bytes())?.to_vec(),
            region_hash: reader.array()?,
            readable_hash: reader.array()?,
            sealed: read_sealed(parameters, &mut reader)?,
        };
        reader.finish()?;
        Ok(part)
    }
}

impl std::fmt::Debug for HelperPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelperPart").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// What lies inside the helper's seal.
pub(crate) struct HelperSecret {
    /// Helper input shares (seeds) of all blocks, one after the other.
    pub(crate) shares: Zeroizing<Vec<u8>>,
    pub(crate) readable_key: ReadableKey,
    pub(crate) tags: Vec<u8>,
}

impl HelperSecret {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length = self.shares.len() + readable::KEY_BYTES + 8 + self.tags.len();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.extend_from_slice(&self.shares);
        out.extend_from_slice(self.readable_key.as_bytes());
        put_prefixed(&mut out, &self.tags);
        out
    }

    pub(crate) fn decode(parameters: &VectorParameters, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let secret = Self {
            shares: Zeroizing::new(reader.take(parameters.helper_shares_bytes())?.to_vec()),
            readable_key: ReadableKey::from_bytes(reader.array()?),
            tags: reader.prefixed(MAX_TAGS_BYTES)?.to_vec(),
        };
        reader.finish()?;
        Ok(secret)
    }
}

fn max_ciphertext(parameters: &VectorParameters) -> usize {
    parameters.helper_shares_bytes() + readable::KEY_BYTES + 8 + MAX_TAGS_BYTES + SEAL_OVERHEAD_BYTES
}

fn put_sealed(out: &mut Vec<u8>, sealed: &Sealed) {
    out.extend_from_slice(&sealed.encapsulated);
    put_prefixed(out, &sealed.ciphertext);
}

fn read_sealed(parameters: &VectorParameters, reader: &mut Reader<'_>) -> Result<Sealed, DecodeError> {
    Ok(Sealed {
        encapsulated: reader.array()?,
        ciphertext: reader.prefixed(max_ciphertext(parameters))?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Party, parameters};
    use proptest::prelude::*;

    #[test]
    fn a_report_survives_encoding_and_both_parties_name_it_alike() {
        let party = Party::new(&[2, 3]);
        let report = party.report(&[vec![1, 2], vec![3, 4, 5]]);
        let bytes = report.encode(&party.parameters);
        assert!(bytes.len() <= Report::max_bytes(&party.parameters));
        let again = Report::decode(&party.parameters, &bytes).unwrap();
        assert!(again == report);
        let part = report.helper_part();
        let part = HelperPart::decode(&party.parameters, &part.encode(&party.parameters)).unwrap();
        assert_eq!(part.content_hash(), again.content_hash());
    }

    #[test]
    fn every_part_is_in_the_seals_context_and_in_the_content_hash() {
        let report = Party::new(&[1]).report(&[vec![1]]);
        let commitments = report.commitments();
        let changes: [fn(&mut Commitments); 5] = [
            |c| c.binding.0[0] ^= 1,
            |c| c.nonce[0] ^= 1,
            |c| c.public[0] ^= 1,
            |c| c.region[0] ^= 1,
            |c| c.readable[0] ^= 1,
        ];
        for change in changes {
            let mut other = commitments;
            change(&mut other);
            assert_ne!(other.aad(), commitments.aad());
            assert_ne!(other.content_hash(&report.sealed_helper), report.content_hash());
        }
        let mut other = report.sealed_helper.clone();
        other.ciphertext[0] ^= 1;
        assert_ne!(commitments.content_hash(&other), report.content_hash());
        let mut other = report.sealed_helper.clone();
        other.encapsulated[0] ^= 1;
        assert_ne!(commitments.content_hash(&other), report.content_hash());
    }

    #[test]
    fn readable_cells_open_with_the_released_key_only() {
        let party = Party::new(&[1]);
        let report = party.report(&[vec![1]]);
        let key = party.accept(&report).unwrap().2.readable_key;
        assert_eq!(report.open_readable(&key).unwrap().as_slice(), crate::fixture::READABLE);
        assert_eq!(report.open_readable(&ReadableKey::from_bytes([0; 32])), Err(ReadableRefused));
    }

    #[test]
    fn debug_shows_no_content() {
        let report = Party::new(&[1]).report(&[vec![1]]);
        assert!(format!("{report:?}{:?}", report.helper_part()).len() < 500);
    }

    #[test]
    fn another_number_of_blocks_is_unsupported_and_another_length_does_not_fit() {
        let party = Party::new(&[2, 2]);
        let bytes = party.report(&[vec![1, 2], vec![3, 4]]).encode(&party.parameters);
        assert_eq!(Report::decode(&parameters(&[4]), &bytes), Err(DecodeError::UnsupportedParameters));
        assert!(Report::decode(&parameters(&[2, 3]), &bytes).is_err());
        assert!(Report::decode(&parameters(&[1, 1]), &bytes).is_err());
    }

    proptest! {
        #[test]
        fn decoders_never_panic_on_arbitrary_bytes(
            bytes in prop::collection::vec(any::<u8>(), 0..4096), header in any::<bool>(),
        ) {
            let parameters = parameters(&[1, 1]);
            let mut with_header = Vec::new();
            if header {
                parameters.put_header(REPORT_MAGIC, &mut with_header);
            }
            with_header.extend_from_slice(&bytes);
            // Whatever is accepted is canonical.
            if let Ok(report) = Report::decode(&parameters, &with_header) {
                prop_assert_eq!(report.encode(&parameters), with_header);
            }
            let mut with_header = Vec::new();
            parameters.put_header(PART_MAGIC, &mut with_header);
            with_header.extend_from_slice(&bytes);
            if let Ok(part) = HelperPart::decode(&parameters, &with_header) {
                prop_assert_eq!(part.encode(&parameters), with_header);
            }
            let _ = HelperSecret::decode(&parameters, &bytes).is_ok();
        }

        #[test]
        fn a_truncated_or_extended_report_is_refused(
            cut in any::<prop::sample::Index>(), extra in 1..40usize,
        ) {
            let party = Party::new(&[1]);
            let report = party.report(&[vec![1]]);
            let mut bytes = report.encode(&party.parameters);
            let cut = cut.index(bytes.len());
            prop_assert!(Report::decode(&party.parameters, &bytes[..cut]).is_err());
            bytes.extend(std::iter::repeat_n(0, extra));
            let refused = Report::decode(&party.parameters, &bytes);
            prop_assert_eq!(refused, Err(DecodeError::TrailingBytes { count: extra }));
        }
    }
}
