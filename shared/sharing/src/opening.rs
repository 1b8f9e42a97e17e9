//! Opening: a 0/1 combination of a block's entries, one field element of each side, and their sum.
//!
//! Only these elements leave the helper, never an aggregate share. Between combining and sending stands
//! [`BeforeOpening`], where each side can add noise. Whether a combination is listed, hides three kommuner
//! and is opened once only is decided elsewhere. Invariants: coefficients are 0 or 1 by construction; two
//! shares are added only if they are of the two sides, of one combination and of the same reports.

use crate::aggregate::Batch;
use crate::bytes::{DecodeError, Reader, hash, put_elements};
use crate::output::Side;
use crate::params::{MAX_BLOCK_LENGTH, MAX_BLOCKS};
use prio::field::Field128;

const MAGIC: &[u8; 8] = b"SAMMANe1";
const DOMAIN: &str = "samman/v1 combination";
/// An opened sum is below this. More is no count of anything: the two sides disagree.
pub const SUM_LIMIT: u64 = 1 << 40;

/// Why a list of entries is no combination. To be blamed on the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CombinationError {
    /// No entry.
    #[error("a combination needs at least one entry")]
    Empty,
    /// Entries out of order or twice: coefficients are 0 or 1, and one combination has one writing.
    #[error("the entries of a combination must be strictly increasing (at position {position})")]
    NotIncreasing {
        /// Position in the list.
        position: usize,
    },
    /// A block or entry beyond every possible report.
    #[error("the combination lies outside every report")]
    OutsideLimits,
}

/// Entries of one block whose sum may be opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Combination {
    block: usize,
    indices: Vec<u32>,
}

/// A combination's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CombinationId(pub [u8; 32]);

impl Combination {
    /// The sum of the entries `indices` (strictly increasing) of block `block`.
    ///
    /// # Errors
    /// [`CombinationError`].
    pub fn new(block: usize, indices: Vec<u32>) -> Result<Self, CombinationError> {
        let last = *indices.last().ok_or(CombinationError::Empty)?;
        if let Some(position) = indices.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(CombinationError::NotIncreasing { position: position + 1 });
        }
        if block >= MAX_BLOCKS || last >= MAX_BLOCK_LENGTH {
            return Err(CombinationError::OutsideLimits);
        }
        Ok(Self { block, indices })
    }

    /// The block, from 0.
    pub fn block(&self) -> usize {
        self.block
    }

    /// The entries, strictly increasing.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The hash both sides know it by.
    pub fn id(&self) -> CombinationId {
        let indices: Vec<u8> = self.indices.iter().flat_map(|index| index.to_be_bytes()).collect();
        CombinationId(hash(DOMAIN, &[&(self.block as u64).to_be_bytes(), &indices]))
    }
}

/// One side's share of one combination's sum.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedShare {
    side: Side,
    batch: Batch,
    combination: CombinationId,
    element: Field128,
}

impl OpenedShare {
    pub(crate) fn new(side: Side, batch: Batch, combination: CombinationId, element: Field128) -> Self {
        Self { side, batch, combination, element }
    }

    /// The side it comes from.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The reports in it.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// The combination it is of.
    pub fn combination(&self) -> CombinationId {
        self.combination
    }

    /// Adds `amount`, which may be negative, to the sum that will be opened: for noise.
    pub fn add(&mut self, amount: i64) {
        let magnitude = Field128::from(u128::from(amount.unsigned_abs()));
        if amount < 0 {
            self.element -= magnitude;
        } else {
            self.element += magnitude;
        }
    }

    /// The share in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(112);
        out.extend_from_slice(MAGIC);
        out.push(self.side.code());
        self.batch.put(&mut out);
        out.extend_from_slice(&self.combination.0);
        put_elements(&mut out, &[self.element]);
        out
    }

    /// Reads a share.
    ///
    /// # Errors
    /// [`DecodeError`]; never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.magic(MAGIC)?;
        let share = Self {
            side: Side::read(&mut reader)?,
            batch: Batch::read(&mut reader)?,
            combination: CombinationId(reader.array()?),
            element: reader.element()?,
        };
        reader.finish()?;
        Ok(share)
    }
}

impl std::fmt::Debug for OpenedShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedShare").field("side", &self.side).finish_non_exhaustive()
    }
}

/// The step between combining and sending, at each side, once per combination.
pub trait BeforeOpening {
    /// May add to `share`, of combination number `combination` of the list, or refuse to have it opened.
    ///
    /// # Errors
    /// [`OpeningRefused`]: none of the list is opened.
    fn adjust(&mut self, combination: usize, share: &mut OpenedShare) -> Result<(), OpeningRefused>;
}

/// The step before opening refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the opening was refused")]
pub struct OpeningRefused;

/// Opens exact sums.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNoise;

impl BeforeOpening for NoNoise {
    fn adjust(&mut self, _combination: usize, _share: &mut OpenedShare) -> Result<(), OpeningRefused> {
        Ok(())
    }
}

/// Why two shares give no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not one share of each side, in this order.
    #[error("a sum needs one share of the region and one of the helper")]
    Sides,
    /// The shares are of different combinations.
    #[error("the two sides combined different entries")]
    DifferentCombinations,
    /// The sides added up different reports.
    #[error("the two sides added up different reports")]
    DifferentReports,
    /// The sum is not below [`SUM_LIMIT`]: the two sides disagree.
    #[error("the two sides' shares do not give a sum")]
    NoSum,
}

/// Adds the two sides' shares of one sum (TRUE-1).
///
/// # Errors
/// [`OpenError`].
pub fn open(region: &OpenedShare, helper: &OpenedShare) -> Result<u64, OpenError> {
    if (region.side, helper.side) != (Side::Region, Side::Helper) {
        return Err(OpenError::Sides);
    }
    if region.combination != helper.combination {
        return Err(OpenError::DifferentCombinations);
    }
    if region.batch != helper.batch {
        return Err(OpenError::DifferentReports);
    }
    let sum = u128::from(region.element + helper.element);
    u64::try_from(sum).ok().filter(|sum| *sum < SUM_LIMIT).ok_or(OpenError::NoSum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BATCH: Batch = Batch { reports: 3, checksum: [1; 32] };

    fn share(side: Side, element: Field128) -> OpenedShare {
        OpenedShare::new(side, BATCH, Combination::new(0, vec![1, 2]).unwrap().id(), element)
    }

    fn pair(sum: u128, mask: u128) -> (OpenedShare, OpenedShare) {
        let mask = Field128::from(mask);
        (share(Side::Region, Field128::from(sum) - mask), share(Side::Helper, mask))
    }

    #[test]
    fn a_sum_of_2_to_the_40_or_more_is_a_disagreement() {
        let (region, helper) = pair(u128::from(SUM_LIMIT) - 1, 77);
        assert_eq!(open(&region, &helper), Ok(SUM_LIMIT - 1));
        let (region, helper) = pair(u128::from(SUM_LIMIT), 77);
        assert_eq!(open(&region, &helper), Err(OpenError::NoSum));
        let (mut region, helper) = pair(0, 77);
        region.add(-1);
        assert_eq!(open(&region, &helper), Err(OpenError::NoSum));
    }

    #[test]
    fn only_one_share_of_each_side_of_one_sum_opens() {
        let (region, helper) = pair(5, 9);
        assert_eq!(open(&region, &region), Err(OpenError::Sides));
        assert_eq!(open(&helper, &region), Err(OpenError::Sides));
        let mut other = helper.clone();
        other.combination = Combination::new(0, vec![1, 3]).unwrap().id();
        assert_eq!(open(&region, &other), Err(OpenError::DifferentCombinations));
        let mut other = helper.clone();
        other.batch.checksum[0] ^= 1;
        assert_eq!(open(&region, &other), Err(OpenError::DifferentReports));
        let mut other = helper;
        other.batch.reports += 1;
        assert_eq!(open(&region, &other), Err(OpenError::DifferentReports));
    }

    #[test]
    fn coefficients_are_zero_or_one() {
        assert_eq!(Combination::new(0, vec![]), Err(CombinationError::Empty));
        assert_eq!(Combination::new(0, vec![1, 1]), Err(CombinationError::NotIncreasing { position: 1 }));
        assert_eq!(Combination::new(0, vec![0, 2, 1]), Err(CombinationError::NotIncreasing { position: 2 }));
        assert_eq!(Combination::new(256, vec![0]), Err(CombinationError::OutsideLimits));
        assert_eq!(Combination::new(0, vec![65_536]), Err(CombinationError::OutsideLimits));
    }

    #[test]
    fn different_combinations_have_different_ids() {
        let id = |block, indices: &[u32]| Combination::new(block, indices.to_vec()).unwrap().id();
        assert_ne!(id(0, &[1]), id(1, &[1]));
        assert_ne!(id(0, &[1]), id(0, &[1, 2]));
        assert_ne!(id(0, &[0, 1]), id(0, &[1]));
    }

    #[test]
    fn the_step_before_opening_can_add_and_can_refuse() {
        use crate::aggregate::{AggregateError, AggregateShare};
        use crate::fixture::Party;
        struct Plus(i64);
        impl BeforeOpening for Plus {
            fn adjust(&mut self, combination: usize, share: &mut OpenedShare) -> Result<(), OpeningRefused> {
                share.add(self.0 * (combination as i64 + 1));
                if self.0 == 0 { Err(OpeningRefused) } else { Ok(()) }
            }
        }
        let party = Party::new(&[2]);
        let (ours, theirs, _) = party.accept(&party.report(&[vec![100, 200]])).unwrap();
        let mut region = AggregateShare::new(&party.parameters, Side::Region);
        let mut helper = AggregateShare::new(&party.parameters, Side::Helper);
        region.add(&ours).unwrap();
        helper.add(&theirs).unwrap();
        let list = [0, 1].map(|index| Combination::new(0, vec![index]).unwrap());
        let ours = region.combine_all(&list, &mut Plus(-5)).unwrap();
        let theirs = helper.combine_all(&list, &mut Plus(3)).unwrap();
        let sums: Vec<_> = ours.iter().zip(&theirs).map(|(a, b)| open(a, b).unwrap()).collect();
        assert_eq!(sums, [98, 196]);
        assert_eq!(region.combine_all(&list, &mut Plus(0)), Err(AggregateError::Refused { combination: 0 }));
    }

    proptest! {
        #[test]
        fn any_two_shares_of_a_sum_open_to_it(sum in 0..SUM_LIMIT, mask in any::<u128>()) {
            let (region, helper) = pair(u128::from(sum), mask);
            prop_assert_eq!(open(&region, &helper), Ok(sum));
        }

        #[test]
        fn encoding_is_canonical_and_decoding_never_panics(
            mask in any::<u128>(), junk in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let (share, _) = pair(1, mask);
            let bytes = share.encode();
            prop_assert!(OpenedShare::decode(&bytes).unwrap() == share);
            prop_assert!(OpenedShare::decode(&bytes[..bytes.len() - 1]).is_err());
            let forged = [MAGIC.as_slice(), &junk].concat();
            if let Ok(share) = OpenedShare::decode(&forged) {
                prop_assert_eq!(share.encode(), forged);
            }
        }
    }
}
