//! Thresholds, and the three statuses a finest cell may be declared with.
//!
//! Statuses carry no value: a status is all that leaves a node before the pattern is chosen (STAY-2).

use serde::{Deserialize, Serialize};

/// Publish when `count >= min_count`; `1..min_count` is small; zero is published (SAFE-1, STAY-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct MinCount(u32);

/// A threshold outside the supported range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("min_count {0} is outside {least}..={most}", least = MinCount::LEAST, most = MinCount::MOST)]
pub struct MinCountError(u32);

impl MinCount {
    /// The smallest threshold: below it, "small" would say almost the value itself.
    pub const LEAST: u32 = 4;
    /// The largest threshold: more is a mistake in a configuration.
    pub const MOST: u32 = 100;

    /// A threshold.
    ///
    /// # Errors
    /// When outside [`Self::LEAST`]`..=`[`Self::MOST`].
    pub fn new(value: u32) -> Result<Self, MinCountError> {
        if (Self::LEAST..=Self::MOST).contains(&value) { Ok(Self(value)) } else { Err(MinCountError(value)) }
    }

    /// The threshold as a number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The status of a count under this threshold.
    pub fn status(self, count: u64) -> FineStatus {
        match count {
            0 => FineStatus::Zero,
            small if small < u64::from(self.0) => FineStatus::Small,
            _ => FineStatus::Plain,
        }
    }
}

impl Default for MinCount {
    fn default() -> Self {
        Self(Self::LEAST)
    }
}

impl TryFrom<u32> for MinCount {
    type Error = MinCountError;

    fn try_from(value: u32) -> Result<Self, MinCountError> {
        Self::new(value)
    }
}

impl From<MinCount> for u32 {
    fn from(value: MinCount) -> Self {
        value.0
    }
}

/// What a kommun says of a finest cell: never finer than this (`20-disclosure`, the coordinator as adversary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FineStatus {
    /// The count is 0.
    Zero,
    /// The count lies in `1..min_count`.
    Small,
    /// The count is at least `min_count`.
    Plain,
}

impl FineStatus {
    /// The least count that has this status under the collection's threshold: what a node subtracts before sharing,
    /// so that the range proof rejects a false *plain*.
    pub fn least(self, threshold: MinCount) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Small => 1,
            Self::Plain => threshold.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_range_is_half_open() {
        let four = MinCount::default();
        let statuses: Vec<_> = (0..6).map(|count| four.status(count)).collect();
        use FineStatus::{Plain, Small, Zero};
        assert_eq!(statuses, [Zero, Small, Small, Small, Plain, Plain]);
    }

    #[test]
    fn a_threshold_under_four_cannot_be_made() {
        assert!(MinCount::new(3).is_err() && MinCount::new(101).is_err() && MinCount::new(4).is_ok());
    }
}
