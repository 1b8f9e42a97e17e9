//! A county with one kommun (Gotland): it takes part in the national round only (ADR 21).
//!
//! Its county's sum is the kommun's own figure, so no coordinator may open it: the pattern opens nothing, and the aggregate share
//! goes on to the national round alone. What is shown of the county the kommun chooses itself, before anybody hears of it, and
//! sends readable as a kommun of an ordinary round does: zeros, and figures of at least its threshold that give no small one away
//! (`county_stage::alone`). Coordinators are told of each cell whether it is shown, not why it is not.
//!
//! Does not trust the region: a pattern that withholds anything else, or opens anything, is refused ([`check`]).
//! Protects no bortfall against subtraction: it is no small cell (ADR 5), but a small one leaves no kommun (STAY-2).

use std::collections::{BTreeMap, BTreeSet};

use tables::count::{FineStatus, MinCount};
use tables::figures::Pattern;
use tables::system::{CellIndex, System};

use crate::document::PatternDocument;
use crate::refusal::PatternFault;

fn withheld(statuses: &[FineStatus]) -> BTreeSet<CellIndex> {
    let is_withheld = |(cell, status): (usize, &FineStatus)| (*status == FineStatus::Small).then_some(cell);
    statuses.iter().enumerate().filter_map(is_withheld).collect()
}

/// The pattern of a kommun that stands alone: its own choice; nothing is opened.
pub fn pattern(system: &System, statuses: &[FineStatus]) -> Pattern {
    let withheld = withheld(statuses);
    let closed = (0..system.cells.len()).filter(|cell| withheld.contains(cell)).collect();
    Pattern { withheld: vec![withheld], open: BTreeSet::new(), closed, witnesses: Vec::new() }
}

/// What the kommun demands of a pattern: that it withholds what the kommun chose and opens nothing.
///
/// # Errors
/// [`PatternFault`].
pub fn check(
    system: &System,
    document: &PatternDocument,
    statuses: &[FineStatus],
) -> Result<(), PatternFault> {
    if !document.open.is_empty() {
        return Err(PatternFault::Opens);
    }
    let own = withheld(statuses);
    match document.withheld.as_slice() {
        [_] if statuses.len() != system.cells.len() => Err(PatternFault::Shape),
        [there] if !own.is_subset(there) => Err(PatternFault::SmallShown),
        [there] if *there != own => Err(PatternFault::ZeroWithheld),
        [_] => Ok(()),
        _ => Err(PatternFault::Shape),
    }
}

/// Whether readable cells are those that were declared: zero where zero, at least the threshold where plain.
pub fn agrees(cells: &BTreeMap<CellIndex, u64>, statuses: &[FineStatus], threshold: MinCount) -> bool {
    cells.iter().all(|(cell, value)| {
        *value <= u64::from(u32::MAX)
            && statuses.get(*cell).is_some_and(|status| threshold.status(*value) == *status)
    })
}
