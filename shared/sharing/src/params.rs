//! What both sides must agree on before a share means anything: the protocol, the VDAF, the blocks and their
//! lengths.
//!
//! Uses Prio3SumVec of draft-irtf-cfrg-vdaf-18, section 7.4.3, over Field128 with two aggregators, 32 bits an
//! entry and one proof. It does not say what an entry counts. Invariant: a [`VectorParameters`] always gives
//! working Prio3 instances, and its [canonical bytes](VectorParameters::canonical) differ whenever a proof
//! would not carry over.

use crate::bytes::{DecodeError, ELEMENT_BYTES, Reader};
use prio::field::Field128;
use prio::flp::Flp;
use prio::flp::gadgets::{Mul, ParallelSum};
use prio::flp::types::SumVec;
use prio::vdaf::prio3::{Prio3SumVec, optimal_chunk_length};

/// The protocol's name, first in every hash and signature.
pub const PROTOCOL: &str = "samman/v1";
/// The VDAF draft the `prio` crate implements. A report of another draft is refused, not misread.
pub const VDAF_DRAFT: u8 = 18;
/// Bits of one entry: every `u32` is a valid entry, everything else is provably not.
pub const BITS: u8 = 32;
/// Most blocks in a report.
pub const MAX_BLOCKS: usize = 256;
/// Most entries in one block.
pub const MAX_BLOCK_LENGTH: u32 = 65_536;
/// Most entries in one report: keeps a report under 80 MiB and its verification under some seconds.
pub const MAX_ENTRIES: u64 = 131_072;

/// The largest measurement of an entry.
const MAX_MEASUREMENT: u128 = u32::MAX as u128;
/// Algorithm id of Prio3SumVec (draft-irtf-cfrg-vdaf-18, section 10).
const PRIO3_SUM_VEC: u32 = 3;
const AGGREGATORS: u8 = 2;
/// Bytes of a seed of XofTurboShake128, as Prio3 uses it.
pub(crate) const SEED_BYTES: usize = 32;
/// A public share: one joint randomness part of each aggregator.
pub(crate) const PUBLIC_SHARE_BYTES: usize = 2 * SEED_BYTES;
/// The helper's input share: the seed of its shares and its blind.
pub(crate) const HELPER_SHARE_BYTES: usize = 2 * SEED_BYTES;

/// Why parameters are not usable. To be blamed on the collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is no block.
    #[error("a report needs at least one block")]
    NoBlocks,
    /// A block has no entry.
    #[error("a block needs at least one entry")]
    EmptyBlock,
    /// More than [`MAX_BLOCKS`].
    #[error("{blocks} blocks; the limit is {limit}")]
    TooManyBlocks {
        /// Number of blocks asked for.
        blocks: usize,
        /// The limit.
        limit: usize,
    },
    /// More than [`MAX_BLOCK_LENGTH`].
    #[error("a block of {length} entries; the limit is {limit}")]
    BlockTooLong {
        /// Entries asked for.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// More than [`MAX_ENTRIES`].
    #[error("{entries} entries in all blocks; the limit is {limit}")]
    TooManyEntries {
        /// Entries asked for.
        entries: u64,
        /// The limit.
        limit: u64,
    },
    /// The `prio` crate refuses the parameters: a bug, since the limits above are narrower than its own.
    #[error("the proof system refuses a block of {length} entries")]
    Refused {
        /// Entries of the block.
        length: u32,
    },
}

/// One vector of entries of a fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    length: u32,
}

impl Block {
    /// A block of `length` entries, `1..=MAX_BLOCK_LENGTH`.
    ///
    /// # Errors
    /// [`ParameterError::EmptyBlock`], [`ParameterError::BlockTooLong`].
    pub fn new(length: u32) -> Result<Self, ParameterError> {
        match length {
            0 => Err(ParameterError::EmptyBlock),
            1..=MAX_BLOCK_LENGTH => Ok(Self { length }),
            _ => Err(ParameterError::BlockTooLong { length, limit: MAX_BLOCK_LENGTH }),
        }
    }

    /// Number of entries.
    pub fn length(self) -> u32 {
        self.length
    }

    pub(crate) fn entries(self) -> usize {
        self.length as usize
    }

    fn chunk_length(self) -> usize {
        optimal_chunk_length(self.entries() * usize::from(BITS))
    }
}

/// A block with its proof system and the sizes that follow from it.
#[derive(Clone)]
pub(crate) struct BlockScheme {
    pub(crate) vdaf: Prio3SumVec,
    pub(crate) region_share_bytes: usize,
    pub(crate) verifier_share_bytes: usize,
}

impl BlockScheme {
    fn new(block: Block) -> Result<Self, ParameterError> {
        let (entries, chunk) = (block.entries(), block.chunk_length());
        let refused = |_| ParameterError::Refused { length: block.length };
        let vdaf = Prio3SumVec::new_sum_vec(AGGREGATORS, MAX_MEASUREMENT, entries, chunk).map_err(refused)?;
        let circuit: SumVec<Field128, ParallelSum<Field128, Mul>> =
            SumVec::new(MAX_MEASUREMENT, entries, chunk)
                .map_err(|_| ParameterError::Refused { length: block.length })?;
        let elements = circuit.input_len() + circuit.proof_len();
        Ok(Self {
            region_share_bytes: elements * ELEMENT_BYTES + SEED_BYTES,
            verifier_share_bytes: vdaf.verifier_len() * ELEMENT_BYTES + SEED_BYTES,
            vdaf,
        })
    }
}

/// The blocks of a report and the proof systems that go with them.
#[derive(Clone)]
pub struct VectorParameters {
    blocks: Vec<Block>,
    schemes: Vec<BlockScheme>,
}

impl VectorParameters {
    /// Parameters of a report of `blocks`, in this order.
    ///
    /// # Errors
    /// [`ParameterError`], naming the limit that is passed.
    pub fn new(blocks: Vec<Block>) -> Result<Self, ParameterError> {
        if blocks.is_empty() {
            return Err(ParameterError::NoBlocks);
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(ParameterError::TooManyBlocks { blocks: blocks.len(), limit: MAX_BLOCKS });
        }
        let entries = blocks.iter().map(|block| u64::from(block.length)).sum();
        if entries > MAX_ENTRIES {
            return Err(ParameterError::TooManyEntries { entries, limit: MAX_ENTRIES });
        }
        let schemes = blocks.iter().map(|block| BlockScheme::new(*block)).collect::<Result<_, _>>()?;
        Ok(Self { blocks, schemes })
    }

    /// The same, from plain lengths.
    ///
    /// # Errors
    /// [`ParameterError`], naming the limit that is passed.
    pub fn from_lengths(lengths: &[u32]) -> Result<Self, ParameterError> {
        Self::new(lengths.iter().map(|length| Block::new(*length)).collect::<Result<_, _>>()?)
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn schemes(&self) -> &[BlockScheme] {
        &self.schemes
    }

    /// An unambiguous encoding of all that a proof depends on. The chunk lengths are in it because they are
    /// computed by `prio`, whose rule may change between releases.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + 8 * self.blocks.len());
        crate::bytes::put_prefixed(&mut out, PROTOCOL.as_bytes());
        out.push(VDAF_DRAFT);
        out.extend_from_slice(&PRIO3_SUM_VEC.to_be_bytes());
        out.push(AGGREGATORS);
        out.push(BITS);
        out.extend_from_slice(&(self.blocks.len() as u64).to_be_bytes());
        for block in &self.blocks {
            out.extend_from_slice(&block.length.to_be_bytes());
            out.extend_from_slice(&(block.chunk_length() as u64).to_be_bytes());
        }
        out
    }

    /// Bytes of all region shares of a report, exactly.
    pub(crate) fn region_shares_bytes(&self) -> usize {
        self.schemes.iter().map(|scheme| scheme.region_share_bytes).sum()
    }

    pub(crate) fn public_shares_bytes(&self) -> usize {
        self.blocks.len() * PUBLIC_SHARE_BYTES
    }

    pub(crate) fn helper_shares_bytes(&self) -> usize {
        self.blocks.len() * HELPER_SHARE_BYTES
    }

    pub(crate) fn entries(&self) -> usize {
        self.blocks.iter().map(|block| block.entries()).sum()
    }

    /// Appends `magic` and the parameters a decoder checks first.
    pub(crate) fn put_header(&self, magic: &[u8; 8], out: &mut Vec<u8>) {
        out.extend_from_slice(magic);
        out.extend_from_slice(&[VDAF_DRAFT, BITS]);
        out.extend_from_slice(&(self.blocks.len() as u64).to_be_bytes());
    }

    /// The reverse of [`Self::put_header`].
    pub(crate) fn read_header(&self, magic: &[u8; 8], reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        reader.magic(magic)?;
        let same = reader.array()? == [VDAF_DRAFT, BITS] && reader.u64()? == self.blocks.len() as u64;
        if same { Ok(()) } else { Err(DecodeError::UnsupportedParameters) }
    }
}

/// Bytes of [`VectorParameters::put_header`].
pub(crate) const HEADER_BYTES: usize = 8 + 2 + 8;

impl PartialEq for VectorParameters {
    fn eq(&self, other: &Self) -> bool {
        self.blocks == other.blocks // the schemes follow from the blocks
    }
}
impl Eq for VectorParameters {}

impl std::fmt::Debug for VectorParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorParameters").field("blocks", &self.blocks).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_named_when_it_is_passed() {
        assert_eq!(VectorParameters::from_lengths(&[]), Err(ParameterError::NoBlocks));
        assert_eq!(VectorParameters::from_lengths(&[1, 0]), Err(ParameterError::EmptyBlock));
        assert_eq!(
            VectorParameters::from_lengths(&[65_537]),
            Err(ParameterError::BlockTooLong { length: 65_537, limit: 65_536 })
        );
        assert_eq!(
            VectorParameters::from_lengths(&[1; 257]),
            Err(ParameterError::TooManyBlocks { blocks: 257, limit: 256 })
        );
        let error = VectorParameters::from_lengths(&[65_536, 65_536, 1]).unwrap_err();
        assert!(error.to_string().contains("131072"), "{error}");
        assert!(VectorParameters::from_lengths(&[65_536, 65_536]).is_ok());
        assert!(VectorParameters::from_lengths(&[1; 256]).is_ok());
    }

    #[test]
    fn canonical_bytes_are_as_written_down() {
        let parameters = VectorParameters::from_lengths(&[1, 10]).unwrap();
        let expected = concat!(
            "0000000000000009",
            "73616d6d616e2f7631",
            "12",
            "00000003",
            "02",
            "20",
            "0000000000000002",
            "00000001",
            "0000000000000005",
            "0000000a",
            "0000000000000016",
        );
        assert_eq!(hex::encode(parameters.canonical()), expected);
    }

    #[test]
    fn canonical_bytes_differ_in_order_and_length() {
        let canonical = |lengths: &[u32]| VectorParameters::from_lengths(lengths).unwrap().canonical();
        assert_ne!(canonical(&[2, 3]), canonical(&[3, 2]));
        assert_ne!(canonical(&[2]), canonical(&[2, 2]));
    }
}
