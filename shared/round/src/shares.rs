//! From a kommun's counts to what it sends, and from what a region holds to totals.
//!
//! The vectors are those of [`System::blocks`]; block 0 (tables of scope `kommun`) is shared as `value − least value
//! of the declared status`, so that the range proof rejects a false *plain*. Everything here is exact integer
//! arithmetic (TRUE-1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sharing::opening::Combination;
use sharing::params::{ParameterError, VectorParameters};
use tables::count::{FineStatus, MinCount};
use tables::system::{Build, CellIndex, Counts, System};
use tables::unit::Unit;

use crate::document::{PatternDocument, encode};

/// The published cells of one unit, in ascending cell order, withheld ones left out: the only counts of a kommun that
/// ever become readable (STAY-2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readable(Vec<u64>);

impl std::fmt::Debug for Readable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Readable({} cells)", self.0.len())
    }
}

/// A count that does not fit a shared entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Over 32 bits.
    #[error("a count does not fit 32 bits")]
    TooLarge,
    /// A count under the least value of its own status: the statuses are not those of the counts.
    #[error("the declared statuses are not those of the counts")]
    Status,
}

/// The parameters of a collection's reports.
///
/// # Errors
/// When a block is longer than `sharing` supports.
pub fn parameters(system: &System) -> Result<VectorParameters, ParameterError> {
    let lengths: Vec<u32> = system.blocks.iter().map(|block| block.length as u32).collect();
    VectorParameters::from_lengths(&lengths)
}

/// A unit's statuses under its own threshold, which is the collection's or higher. Not those of a kommun that stands alone,
/// which chooses them (`county_stage::alone`).
pub fn statuses(system: &System, counts: &Counts, own: MinCount) -> Vec<FineStatus> {
    system.unit_values(counts).into_iter().map(|value| own.status(value)).collect()
}

/// The entries of all blocks as they are shared.
///
/// # Errors
/// [`ShareError`].
pub fn measurements(
    system: &System,
    counts: &Counts,
    statuses: &[FineStatus],
    threshold: MinCount,
) -> Result<Vec<Vec<u32>>, ShareError> {
    let entry = |value: u64| u32::try_from(value).map_err(|_| ShareError::TooLarge);
    let block = |block: usize| -> Result<Vec<u32>, ShareError> {
        let values = system.entries(counts, block);
        if system.blocks[block].table.is_some() {
            return values.into_iter().map(entry).collect();
        }
        let lowered = |(value, status): (u64, &FineStatus)| {
            value.checked_sub(u64::from(status.least(threshold))).ok_or(ShareError::Status).and_then(entry)
        };
        values.into_iter().zip(statuses).map(lowered).collect()
    };
    (0..system.blocks.len()).map(block).collect()
}

/// The readable cells of a unit under a pattern.
pub fn readable(system: &System, counts: &Counts, document: &PatternDocument, place: usize) -> Readable {
    Readable(shown(system, document, place).map(|cell| system.value(counts, cell)).collect())
}

fn shown<'a>(
    system: &'a System,
    document: &'a PatternDocument,
    place: usize,
) -> impl Iterator<Item = CellIndex> + 'a {
    let withheld = document.withheld.get(place);
    system.readable().filter(move |cell| withheld.is_some_and(|withheld| !withheld.contains(cell)))
}

impl Readable {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads the cells of a unit: exactly one value for each cell the pattern leaves readable.
    pub fn decode(
        bytes: &[u8],
        system: &System,
        document: &PatternDocument,
        place: usize,
    ) -> Option<BTreeMap<CellIndex, u64>> {
        let Self(values) = postcard::from_bytes(bytes).ok()?;
        let cells: Vec<CellIndex> = shown(system, document, place).collect();
        (cells.len() == values.len()).then(|| cells.into_iter().zip(values).collect())
    }
}

/// The combinations that a pattern lets open, in its order; `None` when it names a cell that is no shared sum.
pub fn combinations(system: &System, document: &PatternDocument) -> Option<Vec<Combination>> {
    combinations_of(system, &document.open)
}

/// The combinations of a list of cells, in its order; `None` when one is no shared sum.
pub fn combinations_of<'a>(
    system: &System,
    cells: impl IntoIterator<Item = &'a CellIndex>,
) -> Option<Vec<Combination>> {
    let one = |cell: &CellIndex| match &system.cells.get(*cell)?.build {
        Build::UnitAtoms(atoms) => Combination::new(0, atoms.clone()).ok(),
        Build::Entry { block, index } => Combination::new(*block, vec![*index]).ok(),
        Build::Sum(_) => None,
    };
    cells.into_iter().map(one).collect()
}

/// What the statuses of a roster took off each entry of block 0.
pub fn offsets(
    system: &System,
    statuses: &BTreeMap<Unit, Vec<FineStatus>>,
    roster: &[Unit],
    threshold: MinCount,
) -> Vec<u64> {
    let mut offsets = vec![0; system.unit_atoms];
    for own in roster.iter().filter_map(|unit| statuses.get(unit)) {
        for (offset, status) in offsets.iter_mut().zip(own) {
            *offset += u64::from(status.least(threshold));
        }
    }
    offsets
}

/// What the statuses took off an opened sum: to be added again.
pub fn offset(
    system: &System,
    cell: CellIndex,
    statuses: &BTreeMap<Unit, Vec<FineStatus>>,
    roster: &[Unit],
    threshold: MinCount,
) -> u64 {
    let Build::UnitAtoms(atoms) = &system.cells[cell].build else {
        return 0;
    };
    let of_unit = |unit: &Unit| -> u64 {
        let Some(own) = statuses.get(unit) else { return 0 };
        atoms.iter().filter_map(|atom| own.get(*atom as usize)).map(|s| u64::from(s.least(threshold))).sum()
    };
    roster.iter().map(of_unit).sum()
}

/// The totals over the roster that follow from opened sums and readable cells; closed ones are absent.
pub fn totals(
    system: &System,
    document: &PatternDocument,
    opened: &BTreeMap<CellIndex, u64>,
    readable: &[BTreeMap<CellIndex, u64>],
) -> BTreeMap<CellIndex, u64> {
    if system.alone {
        return readable.first().cloned().unwrap_or_default();
    }
    let added_up = |cell: CellIndex| -> Option<u64> {
        let parts = suppress::totals::readable_sum(system, &document.withheld, cell)?;
        let of_unit =
            |unit: &BTreeMap<CellIndex, u64>| parts.iter().map(|part| unit.get(part)).sum::<Option<u64>>();
        readable.iter().map(of_unit).sum()
    };
    let mut totals = BTreeMap::new();
    for cell in (0..system.cells.len()).filter(|cell| !document.closed.contains(cell)) {
        if let Some(value) = opened.get(&cell).copied().or_else(|| added_up(cell)) {
            totals.insert(cell, value);
        }
    }
    for cell in (0..system.cells.len()).filter(|cell| !document.closed.contains(cell)) {
        if let (None, Build::Sum(parts)) = (totals.get(&cell), &system.cells[cell].build) {
            let sum = parts.iter().map(|part| totals.get(part).copied()).sum::<Option<u64>>();
            if let Some(sum) = sum.filter(|_| !parts.is_empty()) {
                totals.insert(cell, sum);
            }
        }
    }
    totals
}
