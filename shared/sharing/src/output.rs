//! What one side keeps of an accepted report: one field element per entry.
//!
//! An output share alone is uniformly random (STAY-2); added to the other side's it is the report. It does
//! not say which unit it came from, only the report's content hash. Invariant: side and shape are part of the
//! value, so a region's share is never added to a helper's by mistake.

use crate::bytes::{DecodeError, Reader, put_elements};
use crate::params::VectorParameters;
use crate::report::ContentHash;
use prio::field::Field128;

const MAGIC: &[u8; 8] = b"SAMMANo1";

/// Which of the two aggregators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The region, or the third coordinator that holds the regions' shares in a national round (Prio3's
    /// leader).
    Region,
    /// The helper.
    Helper,
}

impl Side {
    /// Prio3's number of the aggregator.
    pub(crate) fn aggregator(self) -> usize {
        match self {
            Self::Region => 0,
            Self::Helper => 1,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Region => 1,
            Self::Helper => 2,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => Ok(Self::Region),
            2 => Ok(Self::Helper),
            _ => Err(DecodeError::BadValue),
        }
    }
}

/// One side's share of one accepted report.
#[derive(Clone, PartialEq, Eq)]
pub struct OutputShare {
    side: Side,
    report: ContentHash,
    blocks: Vec<Vec<Field128>>,
}

impl OutputShare {
    pub(crate) fn new(side: Side, report: ContentHash, blocks: Vec<Vec<Field128>>) -> Self {
        Self { side, report, blocks }
    }

    /// The side that holds it.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The report it came from.
    pub fn report(&self) -> ContentHash {
        self.report
    }

    pub(crate) fn blocks(&self) -> &[Vec<Field128>] {
        &self.blocks
    }

    /// The share in bytes, for durable storage by its side.
    pub fn encode(&self, parameters: &VectorParameters) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + parameters.entries() * crate::bytes::ELEMENT_BYTES);
        parameters.put_header(MAGIC, &mut out);
        out.push(self.side.code());
        out.extend_from_slice(&self.report.0);
        self.blocks.iter().for_each(|block| put_elements(&mut out, block));
        out
    }

    /// Reads a stored share of these parameters.
    ///
    /// # Errors
    /// [`DecodeError`]; never panics.
    pub fn decode(parameters: &VectorParameters, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        parameters.read_header(MAGIC, &mut reader)?;
        let side = Side::read(&mut reader)?;
        let report = ContentHash(reader.array()?);
        let blocks = read_blocks(parameters, &mut reader)?;
        reader.finish()?;
        Ok(Self { side, report, blocks })
    }
}

/// One vector per block, of the agreed lengths.
pub(crate) fn read_blocks(
    parameters: &VectorParameters,
    reader: &mut Reader<'_>,
) -> Result<Vec<Vec<Field128>>, DecodeError> {
    parameters.blocks().iter().map(|block| reader.elements(block.entries())).collect()
}

impl std::fmt::Debug for OutputShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutputShare").field("side", &self.side).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Party, parameters};
    use proptest::prelude::*;

    #[test]
    fn a_share_survives_storage_and_shows_nothing() {
        let party = Party::new(&[2, 1]);
        let (region, helper, _) = party.accept(&party.report(&[vec![1, 2], vec![3]])).unwrap();
        for share in [&region, &helper] {
            let bytes = share.encode(&party.parameters);
            assert!(&OutputShare::decode(&party.parameters, &bytes).unwrap() == share);
            assert!(OutputShare::decode(&party.parameters, &bytes[..bytes.len() - 1]).is_err());
            assert!(OutputShare::decode(&parameters(&[2, 2]), &bytes).is_err());
        }
        assert_eq!(format!("{region:?}"), "OutputShare { side: Region, .. }");
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let parameters = parameters(&[1, 2]);
            let mut all = Vec::new();
            parameters.put_header(MAGIC, &mut all);
            all.extend_from_slice(&bytes);
            if let Ok(share) = OutputShare::decode(&parameters, &all) {
                prop_assert_eq!(share.encode(&parameters), all);
            }
            prop_assert!(OutputShare::decode(&parameters, &bytes).is_err());
        }
    }
}
