//! One side's sum of output shares.
//!
//! Alone it is uniformly random as long as one honest report is in it (STAY-2). It is never sent in clear:
//! what leaves the helper are [`OpenedShare`]s of listed combinations. It keeps how many reports are in it
//! and a checksum of which (the XOR of a hash per report, as in DAP, draft-ietf-ppm-dap), so that two sides
//! that added up different reports find out before they open a wrong total (TRUE-1, KEEP-1). The checksum
//! finds accidents; against a lying aggregator the signatures stand. It does not remember the reports: adding
//! one twice is the caller's to prevent. Invariants: side and shape never mix; counts never overflow
//! silently.

use crate::bytes::{DecodeError, Reader, hash, put_elements};
use crate::opening::{BeforeOpening, Combination, OpenedShare};
use crate::output::{OutputShare, Side, read_blocks};
use crate::params::VectorParameters;
use crate::report::ContentHash;
use prio::field::{Field128, FieldElement};

const MAGIC: &[u8; 8] = b"SAMMANs1";
const DOMAIN_CHECKSUM: &str = "samman/v1 batch checksum";

/// Why shares could not be added or combined. Holds positions, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// A region's share met a helper's.
    #[error("a share of the other side cannot be added")]
    OtherSide,
    /// Shares of other parameters.
    #[error("a share of another shape cannot be added")]
    OtherShape,
    /// More reports than can be counted.
    #[error("too many reports")]
    TooManyReports,
    /// Nothing was added yet: there is no total, not a total of zero.
    #[error("no report has been added")]
    NoReports,
    /// The combination names a block or entry that does not exist.
    #[error("the combination names block {block}, entry {index}, which does not exist")]
    OutsideShape {
        /// The block.
        block: usize,
        /// The entry; 0 when the block itself does not exist.
        index: u32,
    },
    /// The step before opening refused, say for want of a privacy budget.
    #[error("combination {combination} may not be opened")]
    Refused {
        /// Number of the combination in the list.
        combination: usize,
    },
}

/// Which reports are in a sum: their number and the XOR of a hash of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Number of reports.
    pub reports: u64,
    /// XOR over the reports of a hash of their content hash.
    pub checksum: [u8; 32],
}

impl Batch {
    const EMPTY: Self = Self { reports: 0, checksum: [0; 32] };

    fn of(report: ContentHash) -> Self {
        Self { reports: 1, checksum: hash(DOMAIN_CHECKSUM, &[&report.0]) }
    }

    fn joined(self, other: Self) -> Result<Self, AggregateError> {
        let mut checksum = self.checksum;
        checksum.iter_mut().zip(other.checksum).for_each(|(ours, theirs)| *ours ^= theirs);
        let reports = self.reports.checked_add(other.reports).ok_or(AggregateError::TooManyReports)?;
        Ok(Self { reports, checksum })
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.reports.to_be_bytes());
        out.extend_from_slice(&self.checksum);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { reports: reader.u64()?, checksum: reader.array()? })
    }
}

/// One side's sum over reports.
#[derive(Clone, PartialEq, Eq)]
pub struct AggregateShare {
    side: Side,
    batch: Batch,
    blocks: Vec<Vec<Field128>>,
}

impl AggregateShare {
    /// The sum of no reports.
    pub fn new(parameters: &VectorParameters, side: Side) -> Self {
        let zeros = parameters.blocks().iter().map(|block| vec![Field128::zero(); block.entries()]).collect();
        Self { side, batch: Batch::EMPTY, blocks: zeros }
    }

    /// The side that holds it.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Which reports are in it.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// Adds one report's share.
    ///
    /// # Errors
    /// [`AggregateError`]; then nothing was added.
    pub fn add(&mut self, share: &OutputShare) -> Result<(), AggregateError> {
        self.join(share.side(), Batch::of(share.report()), share.blocks())
    }

    /// Adds another sum, say of another county.
    ///
    /// # Errors
    /// [`AggregateError`]; then nothing was added.
    pub fn merge(&mut self, other: &Self) -> Result<(), AggregateError> {
        self.join(other.side, other.batch, &other.blocks)
    }

    fn join(&mut self, side: Side, batch: Batch, blocks: &[Vec<Field128>]) -> Result<(), AggregateError> {
        if side != self.side {
            return Err(AggregateError::OtherSide);
        }
        let lengths = |blocks: &[Vec<Field128>]| blocks.iter().map(Vec::len).collect::<Vec<_>>();
        if lengths(&self.blocks) != lengths(blocks) {
            return Err(AggregateError::OtherShape);
        }
        self.batch = self.batch.joined(batch)?;
        for (ours, theirs) in self.blocks.iter_mut().flatten().zip(blocks.iter().flatten()) {
            *ours += *theirs;
        }
        Ok(())
    }

    /// Adds known amounts to the entries of a block: what a county's declared statuses took off its kommuner's entries goes
    /// back into its share before it travels, so that nobody further on needs the statuses.
    ///
    /// # Errors
    /// [`AggregateError::OtherShape`] when the block has another length; then nothing was added.
    pub fn raise(&mut self, block: usize, amounts: &[u64]) -> Result<(), AggregateError> {
        let entries = self.blocks.get_mut(block).filter(|entries| entries.len() == amounts.len());
        let entries = entries.ok_or(AggregateError::OtherShape)?;
        for (entry, amount) in entries.iter_mut().zip(amounts) {
            *entry += Field128::from(u128::from(*amount));
        }
        Ok(())
    }

    /// Combines and passes `before` for every combination of the list, in order.
    ///
    /// # Errors
    /// [`AggregateError`]; then nothing is opened.
    pub fn combine_all(
        &self,
        combinations: &[Combination],
        before: &mut impl BeforeOpening,
    ) -> Result<Vec<OpenedShare>, AggregateError> {
        // Everything is checked before the step is asked, so that no budget is spent on a list that fails.
        let mut opened = combinations.iter().map(|c| self.combine(c)).collect::<Result<Vec<_>, _>>()?;
        for (combination, share) in opened.iter_mut().enumerate() {
            before.adjust(combination, share).map_err(|_| AggregateError::Refused { combination })?;
        }
        Ok(opened)
    }

    /// The sum of the combination's entries: not for sending, which only [`Self::combine_all`] prepares.
    fn combine(&self, combination: &Combination) -> Result<OpenedShare, AggregateError> {
        if self.batch.reports == 0 {
            return Err(AggregateError::NoReports);
        }
        let block = combination.block();
        let entries = self.blocks.get(block).ok_or(AggregateError::OutsideShape { block, index: 0 })?;
        let mut element = Field128::zero();
        for &index in combination.indices() {
            element += *entries.get(index as usize).ok_or(AggregateError::OutsideShape { block, index })?;
        }
        Ok(OpenedShare::new(self.side, self.batch, combination.id(), element))
    }

    /// The sum in bytes, for durable storage and, sealed, for a national round.
    pub fn encode(&self, parameters: &VectorParameters) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + parameters.entries() * crate::bytes::ELEMENT_BYTES);
        parameters.put_header(MAGIC, &mut out);
        out.push(self.side.code());
        self.batch.put(&mut out);
        self.blocks.iter().for_each(|block| put_elements(&mut out, block));
        out
    }

    /// Reads a sum of these parameters.
    ///
    /// # Errors
    /// [`DecodeError`]; never panics.
    pub fn decode(parameters: &VectorParameters, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        parameters.read_header(MAGIC, &mut reader)?;
        let side = Side::read(&mut reader)?;
        let batch = Batch::read(&mut reader)?;
        let blocks = read_blocks(parameters, &mut reader)?;
        reader.finish()?;
        Ok(Self { side, batch, blocks })
    }
}

impl std::fmt::Debug for AggregateShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AggregateShare")
            .field("side", &self.side)
            .field("reports", &self.batch.reports)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Party, parameters};
    use crate::opening::{NoNoise, open};
    use proptest::prelude::*;

    /// Both sides' sums over honest reports of `reports`.
    fn aggregated(party: &Party, reports: &[Vec<Vec<u32>>]) -> (AggregateShare, AggregateShare) {
        let mut region = AggregateShare::new(&party.parameters, Side::Region);
        let mut helper = AggregateShare::new(&party.parameters, Side::Helper);
        for entries in reports {
            let (ours, theirs, _) = party.accept(&party.report(entries)).unwrap();
            region.add(&ours).unwrap();
            helper.add(&theirs).unwrap();
        }
        (region, helper)
    }

    fn single(share: &AggregateShare, block: usize, indices: &[u32]) -> Result<OpenedShare, AggregateError> {
        let combination = Combination::new(block, indices.to_vec()).unwrap();
        share.combine_all(&[combination], &mut NoNoise).map(|mut shares| shares.remove(0))
    }

    #[test]
    fn shares_of_the_other_side_or_shape_are_refused_and_change_nothing() {
        let party = Party::new(&[2]);
        let (mut region, helper) = aggregated(&party, &[vec![vec![1, 2]]]);
        let before = region.clone();
        assert_eq!(region.merge(&helper), Err(AggregateError::OtherSide));
        let other_shape = AggregateShare::new(&parameters(&[1, 1]), Side::Region);
        assert_eq!(region.merge(&other_shape), Err(AggregateError::OtherShape));
        let mut full = AggregateShare::new(&party.parameters, Side::Region);
        full.batch.reports = u64::MAX;
        assert_eq!(region.merge(&full), Err(AggregateError::TooManyReports));
        assert!(region == before);
    }

    #[test]
    fn a_combination_outside_the_shape_or_of_no_reports_is_refused() {
        let party = Party::new(&[2]);
        let (region, _) = aggregated(&party, &[vec![vec![1, 2]]]);
        let empty = AggregateShare::new(&party.parameters, Side::Region);
        assert_eq!(single(&empty, 0, &[0]), Err(AggregateError::NoReports));
        assert_eq!(single(&region, 1, &[0]), Err(AggregateError::OutsideShape { block: 1, index: 0 }));
        assert_eq!(single(&region, 0, &[0, 2]), Err(AggregateError::OutsideShape { block: 0, index: 2 }));
    }

    #[test]
    fn a_merged_sum_of_counties_opens_to_the_sum_over_all() {
        let party = Party::new(&[2]);
        let (mut region, mut helper) = aggregated(&party, &[vec![vec![1, 2]], vec![vec![3, 4]]]);
        let (other_region, other_helper) = aggregated(&party, &[vec![vec![10, 20]]]);
        region.merge(&other_region).unwrap();
        helper.merge(&other_helper).unwrap();
        assert_eq!(region.batch().reports, 3);
        let opened = open(&single(&region, 0, &[0, 1]).unwrap(), &single(&helper, 0, &[0, 1]).unwrap());
        assert_eq!(opened, Ok(40));
    }

    #[test]
    fn the_order_of_reports_does_not_matter() {
        let party = Party::new(&[1]);
        let shares: Vec<_> = (0..3).map(|n| party.accept(&party.report(&[vec![n]])).unwrap().0).collect();
        let sum = |order: [usize; 3]| {
            let mut sum = AggregateShare::new(&party.parameters, Side::Region);
            order.iter().for_each(|n| sum.add(&shares[*n]).unwrap());
            sum
        };
        assert!(sum([0, 1, 2]) == sum([2, 0, 1]));
    }

    #[test]
    fn a_sum_survives_storage_and_shows_nothing() {
        let party = Party::new(&[1, 2]);
        let (region, _) = aggregated(&party, &[vec![vec![1], vec![2, 3]]]);
        let bytes = region.encode(&party.parameters);
        assert!(AggregateShare::decode(&party.parameters, &bytes).unwrap() == region);
        assert!(AggregateShare::decode(&party.parameters, &bytes[1..]).is_err());
        assert_eq!(format!("{region:?}"), "AggregateShare { side: Region, reports: 1, .. }");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// TRUE-1.
        #[test]
        fn sums_of_several_reports_open_to_the_true_sums(
            reports in prop::collection::vec((prop::collection::vec(any::<u32>(), 3), any::<u32>()), 1..6),
            chosen in 1..8u8,
        ) {
            let party = Party::new(&[3, 1]);
            let entries: Vec<_> = reports.iter()
                .map(|(first, second)| vec![first.clone(), vec![*second]])
                .collect();
            let (region, helper) = aggregated(&party, &entries);
            let indices: Vec<u32> = (0..3).filter(|bit| chosen >> bit & 1 == 1).collect();
            let expected: u64 = entries.iter()
                .flat_map(|report| indices.iter().map(move |i| u64::from(report[0][*i as usize]))).sum();
            let opened = open(&single(&region, 0, &indices).unwrap(), &single(&helper, 0, &indices).unwrap());
            prop_assert_eq!(opened, Ok(expected));
            let expected: u64 = entries.iter().map(|report| u64::from(report[1][0])).sum();
            let opened = open(&single(&region, 1, &[0]).unwrap(), &single(&helper, 1, &[0]).unwrap());
            prop_assert_eq!(opened, Ok(expected));
        }

        #[test]
        fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let parameters = parameters(&[1, 2]);
            let mut all = Vec::new();
            parameters.put_header(MAGIC, &mut all);
            all.extend_from_slice(&bytes);
            if let Ok(share) = AggregateShare::decode(&parameters, &all) {
                prop_assert_eq!(share.encode(&parameters), all);
            }
            prop_assert!(AggregateShare::decode(&parameters, &bytes).is_err());
        }
    }
}
