//! What a kommun that is its whole county (Gotland) shows of itself in a national round (ADR 21).
//!
//! Its county's totals are its own figures, and it knows them all: it plays its region for itself, withholds, has its own audit
//! attack the rest as a reader, and says of each cell only whether it is shown. Nothing here leaves the kommun but that.
//!
//! Does not protect bortfall against subtraction, which is no small cell (ADR 5); a small one is not shown all the same
//! (STAY-2).

use std::collections::BTreeSet;

use tables::count::{FineStatus, MinCount};
use tables::figures::Pattern;
use tables::system::{Build, CellIndex, Counts, System};

use crate::{Material, certify};

/// What the kommun declares of each cell: `Zero` and `Plain` are shown, `Small` is withheld, be it small or not.
///
/// Post: no shown figure lies in `1..own` (STAY-2), and the audit certified what is shown for the kommun's own threshold (SAFE-1);
/// where it did not, nothing but zeros is shown.
pub fn choice(system: &System, counts: &Counts, own: MinCount) -> Vec<FineStatus> {
    let shown = shown(system, counts, own);
    let status = |cell: CellIndex| match own.status(system.value(counts, cell)) {
        FineStatus::Plain if !shown.contains(&cell) => FineStatus::Small,
        status => status,
    };
    (0..system.cells.len()).map(status).collect()
}

fn shown(system: &System, counts: &Counts, own: MinCount) -> BTreeSet<CellIndex> {
    let totals = (0..system.cells.len()).map(|cell| (cell, system.value(counts, cell))).collect();
    // No unit is printed beside the county.
    let material = Material {
        units: Vec::new(),
        pattern: Pattern::default(),
        statuses: Vec::new(),
        readable: Vec::new(),
        totals,
        first: None,
        beside: None,
    };
    let is_margin =
        |cell: &CellIndex| matches!(system.cells[*cell].build, Build::Sum(_)) && material.totals[cell] > 0;
    let margins: BTreeSet<CellIndex> = (0..system.cells.len()).filter(is_margin).collect();
    // What the audit cannot certify hangs on margins most often: then once more without those.
    for withheld in [BTreeSet::new(), margins] {
        match certify(system, own, &material, &withheld) {
            Ok(release) => {
                let totals = &release.figures().totals;
                let is_shown =
                    |(cell, mark): (&CellIndex, &tables::figures::Mark)| mark.shown().map(|_| *cell);
                return totals.iter().filter_map(is_shown).collect();
            }
            Err(_) => tracing::warn!("what would be shown of the kommun could not be certified"),
        }
    }
    BTreeSet::new()
}
