//! What a publication shows, and the common pattern that decides it.
//!
//! Plain data shared by `suppress` (makes it), `audit` (attacks it), `round` (carries it) and `publish` (prints it). A
//! [`Figures`] is not yet a release: only `audit` makes one.
//!
//! Invariants: `Debug` prints no figure; a cell has one [`Mark`] for all tables that show it (TRUE-2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::system::CellIndex;
use crate::unit::Unit;

/// What a reader sees in the place of a figure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The figure.
    Shown(u64),
    /// Withheld, `x`: readers never learn whether primary or secondary.
    Withheld,
}

impl Mark {
    /// The figure if it is shown.
    pub fn shown(self) -> Option<u64> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Withheld => None,
        }
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shown(_) => "Shown(..)",
            Self::Withheld => "Withheld",
        })
    }
}

/// A shown total of at least so many times the threshold has room to hide others' small ones.
pub const AMPLE: u64 = 4;

/// What a county says of one of its totals before anything is published: no value. Of those it withholds itself only
/// whether they are small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountyMark {
    /// Shown, and 0.
    Zero,
    /// Shown, and more.
    Shown,
    /// Shown, and at least [`AMPLE`] times the threshold.
    Ample,
    /// Withheld though it is not small.
    Withheld,
    /// Withheld and small, or not known to the county itself.
    Small,
}

impl CountyMark {
    /// The mark of a shown total.
    pub fn of_shown(value: u64, min_count: u64) -> Self {
        match value {
            0 => Self::Zero,
            ample if ample >= AMPLE * min_count => Self::Ample,
            _ => Self::Shown,
        }
    }

    /// Whether the total is withheld.
    pub fn is_withheld(self) -> bool {
        matches!(self, Self::Withheld | Self::Small)
    }
}

/// All counts a publication shows: per unit of the roster and for the roster as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The units of the roster, ascending.
    pub units: Vec<Unit>,
    /// Per unit a mark for every cell of [`crate::system::System::per_unit`].
    pub per_unit: Vec<BTreeMap<CellIndex, Mark>>,
    /// A mark for the total over the roster of every cell, bortfall included.
    pub totals: BTreeMap<CellIndex, Mark>,
}

/// A movement of units' records between unit atoms that changes nothing published: evidence that a small cell could
/// as well have another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Index in the roster of the unit whose small cell it protects.
    pub unit: u32,
    /// The small unit atom.
    pub atom: u32,
    /// Sparse vector `(unit, unit atom, change)`; the protected cell's change is `1`. Sorted, no zero changes.
    pub steps: Vec<(u32, u32, i32)>,
}

/// The common pattern over units: which printed cells of whom are withheld, which totals may be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// Per unit of the roster: printed cells that are withheld.
    pub withheld: Vec<BTreeSet<CellIndex>>,
    /// Totals over the roster that region and helper open together.
    pub open: BTreeSet<CellIndex>,
    /// Totals that stay closed at this tier: neither opened nor the sum of readable parts.
    pub closed: BTreeSet<CellIndex>,
    /// At least two for each small unit atom, through different other kommuner.
    pub witnesses: Vec<Witness>,
}
