//! Making a report: proofs and shares of every block, the sealed readable cells, the helper's seal.
//!
//! It does not decide what is readable, sign, or store. The `prio` crate's public `shard` draws its own
//! randomness, so two calls with equal arguments give different reports: **store the report before it is
//! sent, and send only the stored one** (KEEP-1), because two sharings of different values under one nonce
//! must never both leave the node. Invariants: an entry is any `u32` and nothing else can be shared; copies
//! of the entries made here are wiped (those inside `prio` are not, which its API does not allow).

use crate::binding::{Binding, BindingHash, block_nonce};
use crate::helper_key::{HelperPublicKey, SealPurpose};
use crate::params::{BlockScheme, VectorParameters};
use crate::readable::{self, ReadableKey};
use crate::report::{
    Commitments, HelperSecret, MAX_READABLE_BYTES, MAX_TAGS_BYTES, Report, public_hash, readable_hash,
    region_hash,
};
use prio::codec::Encode;
use prio::vdaf::Client;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// What a report says.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The entries of each block, in the order and of the lengths of the parameters.
    pub measurements: &'a [Vec<u32>],
    /// The readable cells, opaque; at most [`MAX_READABLE_BYTES`].
    pub readable: &'a [u8],
    /// The ledger tags for the helper, opaque; at most [`MAX_TAGS_BYTES`].
    pub tags: &'a [u8],
}

impl std::fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("blocks", &self.measurements.len()).finish_non_exhaustive()
    }
}

/// Why no report was made. Holds lengths, never entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not as many blocks as agreed.
    #[error("{got} blocks were given; the parameters have {expected}")]
    BlockCount {
        /// Blocks agreed.
        expected: usize,
        /// Blocks given.
        got: usize,
    },
    /// A block of another length than agreed.
    #[error("block {block} has {got} entries; the parameters say {expected}")]
    BlockLength {
        /// Number of the block, from 0.
        block: usize,
        /// Entries agreed.
        expected: usize,
        /// Entries given.
        got: usize,
    },
    /// The readable cells are too long.
    #[error("the readable cells take {got} bytes; the limit is {limit}")]
    ReadableTooLong {
        /// Bytes given.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The tags are too long.
    #[error("the tags take {got} bytes; the limit is {limit}")]
    TagsTooLong {
        /// Bytes given.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// The helper's key is not the one the binding names.
    #[error("the helper key is not the one the collection names")]
    OtherHelperKey,
    /// The helper's key cannot be used.
    #[error("the helper key is not usable")]
    HelperKeyRefused,
    /// The proof system or the cipher failed: a bug, or no randomness from the operating system.
    #[error("the report could not be proved or sealed")]
    Internal,
}

/// Shares of all blocks, encoded, before sealing.
pub(crate) struct Shares {
    pub(crate) public: Vec<u8>,
    pub(crate) region: Vec<u8>,
    pub(crate) helper: Zeroizing<Vec<u8>>,
}

/// Makes the report of `contents` for `binding`. `report_nonce` must be fresh and random for every report.
///
/// # Errors
/// [`ShardError`].
pub fn shard(
    parameters: &VectorParameters,
    binding: &Binding,
    report_nonce: [u8; 16],
    contents: Contents<'_>,
    helper_key: &HelperPublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Report, ShardError> {
    check(parameters, binding, contents, helper_key)?;
    let binding = binding.hash(parameters);
    let shares = split(parameters, binding, &report_nonce, contents.measurements)?;
    assemble(binding, report_nonce, shares, contents, helper_key, rng)
}

fn check(
    parameters: &VectorParameters,
    binding: &Binding,
    contents: Contents<'_>,
    helper_key: &HelperPublicKey,
) -> Result<(), ShardError> {
    let (expected, got) = (parameters.blocks().len(), contents.measurements.len());
    if expected != got {
        return Err(ShardError::BlockCount { expected, got });
    }
    for (block, (agreed, given)) in parameters.blocks().iter().zip(contents.measurements).enumerate() {
        let (expected, got) = (agreed.entries(), given.len());
        if expected != got {
            return Err(ShardError::BlockLength { block, expected, got });
        }
    }
    if contents.readable.len() > MAX_READABLE_BYTES {
        return Err(ShardError::ReadableTooLong { got: contents.readable.len(), limit: MAX_READABLE_BYTES });
    }
    if contents.tags.len() > MAX_TAGS_BYTES {
        return Err(ShardError::TagsTooLong { got: contents.tags.len(), limit: MAX_TAGS_BYTES });
    }
    // Sealing to a key the collection does not name would hand the helper's share to somebody else.
    if helper_key.id() != binding.helper_key_id {
        return Err(ShardError::OtherHelperKey);
    }
    Ok(())
}

fn split(
    parameters: &VectorParameters,
    binding: BindingHash,
    report_nonce: &[u8; 16],
    measurements: &[Vec<u32>],
) -> Result<Shares, ShardError> {
    let mut shares = Shares {
        public: Vec::with_capacity(parameters.public_shares_bytes()),
        region: Vec::with_capacity(parameters.region_shares_bytes()),
        helper: Zeroizing::new(Vec::with_capacity(parameters.helper_shares_bytes())),
    };
    for (block, (scheme, entries)) in parameters.schemes().iter().zip(measurements).enumerate() {
        split_block(scheme, binding, &block_nonce(report_nonce, block), entries, &mut shares)?;
    }
    Ok(shares)
}

fn split_block(
    scheme: &BlockScheme,
    binding: BindingHash,
    nonce: &[u8; 16],
    entries: &[u32],
    out: &mut Shares,
) -> Result<(), ShardError> {
    let entries: Zeroizing<Vec<u128>> =
        Zeroizing::new(entries.iter().map(|entry| u128::from(*entry)).collect());
    let (public, inputs) =
        scheme.vdaf.shard(&binding.0, &entries, nonce).map_err(|_| ShardError::Internal)?;
    let [region, helper] = inputs.as_slice() else {
        return Err(ShardError::Internal);
    };
    public.encode(&mut out.public).map_err(|_| ShardError::Internal)?;
    region.encode(&mut out.region).map_err(|_| ShardError::Internal)?;
    helper.encode(&mut out.helper).map_err(|_| ShardError::Internal)
}

/// Seals finished shares into a report.
pub(crate) fn assemble(
    binding: BindingHash,
    nonce: [u8; 16],
    shares: Shares,
    contents: Contents<'_>,
    helper_key: &HelperPublicKey,
    rng: &mut impl CryptoRng,
) -> Result<Report, ShardError> {
    let readable_key = ReadableKey::generate(rng);
    let sealed_readable = readable::seal(&readable_key, binding, &nonce, contents.readable)
        .map_err(|_| ShardError::Internal)?;
    let commitments = Commitments {
        binding,
        nonce,
        public: public_hash(&shares.public),
        region: region_hash(&shares.region),
        readable: readable_hash(&sealed_readable),
    };
    let secret = HelperSecret { shares: shares.helper, readable_key, tags: contents.tags.to_vec() };
    let sealed_helper = helper_key
        .seal(SealPurpose::HelperPart, binding, &commitments.aad(), &secret.encode(), rng)
        .map_err(|_| ShardError::HelperKeyRefused)?;
    Ok(Report {
        binding,
        nonce,
        public_shares: shares.public,
        region_shares: shares.region,
        sealed_readable,
        sealed_helper,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Party, binding, rng};
    use crate::helper_key::HelperKeyPair;

    fn attempt(measurements: &[Vec<u32>], readable: &[u8], tags: &[u8]) -> Result<Report, ShardError> {
        let party = Party::new(&[1, 2]);
        let contents = Contents { measurements, readable, tags };
        shard(&party.parameters, &party.binding, [1; 16], contents, party.helper.public(), &mut rng(1))
    }

    #[test]
    fn contents_that_do_not_fit_the_parameters_are_refused() {
        let fitting = [vec![1], vec![2, 3]];
        assert!(attempt(&fitting, &[], &[]).is_ok());
        assert_eq!(attempt(&fitting[..1], &[], &[]), Err(ShardError::BlockCount { expected: 2, got: 1 }));
        assert_eq!(
            attempt(&[vec![1], vec![2]], &[], &[]),
            Err(ShardError::BlockLength { block: 1, expected: 2, got: 1 })
        );
        let long = vec![0; MAX_READABLE_BYTES + 1];
        let got = long.len();
        assert_eq!(
            attempt(&fitting, &long, &[]),
            Err(ShardError::ReadableTooLong { got, limit: MAX_READABLE_BYTES })
        );
        let got = MAX_TAGS_BYTES + 1;
        assert_eq!(
            attempt(&fitting, &[], &long[..got]),
            Err(ShardError::TagsTooLong { got, limit: MAX_TAGS_BYTES })
        );
    }

    #[test]
    fn nothing_is_sealed_to_a_key_the_binding_does_not_name() {
        let party = Party::new(&[1]);
        let stranger = HelperKeyPair::generate(&mut rng(99));
        let contents = Contents { measurements: &[vec![1]], readable: &[], tags: &[] };
        let made = shard(&party.parameters, &binding(), [1; 16], contents, stranger.public(), &mut rng(1));
        assert_eq!(made, Err(ShardError::OtherHelperKey));
    }

    #[test]
    fn two_shardings_of_one_value_differ() {
        let party = Party::new(&[4]);
        let (one, two) = (party.report(&[vec![7; 4]]), party.report(&[vec![7; 4]]));
        assert_eq!(one.nonce, two.nonce);
        assert_ne!(one.region_shares, two.region_shares);
        assert_ne!(one.public_shares, two.public_shares);
    }

    #[test]
    fn debug_shows_no_entry() {
        let contents = Contents { measurements: &[vec![4711]], readable: b"4711", tags: b"4711" };
        assert!(!format!("{contents:?}").contains("4711"));
    }
}
