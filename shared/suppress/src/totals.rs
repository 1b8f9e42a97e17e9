//! Which totals over the roster may be opened.
//!
//! A total whose parts are all readable is added up, not opened. An opened one hides at least three kommuner
//! (SAFE-3), three stadsdelar of one kommun being one. What may not be opened is *closed*, and so is enough
//! else that nothing shown gives it back.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::system::{Build, CellIndex, System};
use tables::unit::Unit;

use crate::grid::Grid;
use crate::opened::thin_combination;
use crate::span::Span;

/// Fewest kommuner that an opened sum of kommun scope hides.
pub const LEAST_HIDDEN: usize = 3;

/// The decision on totals.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// To be opened.
    pub open: BTreeSet<CellIndex>,
    /// Not to be known.
    pub closed: BTreeSet<CellIndex>,
    /// Neither: added up from readable figures of units.
    pub readable: BTreeSet<CellIndex>,
    /// Closed only because too few kommuner hide in them.
    pub thin: Vec<(CellIndex, BTreeSet<u32>)>,
}

/// The printed cells whose values, readable for every unit, add up to a total: it is neither opened nor
/// closed.
pub fn readable_sum(
    system: &System,
    withheld: &[BTreeSet<CellIndex>],
    cell: CellIndex,
) -> Option<Vec<CellIndex>> {
    let atoms = system.cells[cell].unit_atoms.as_ref()?;
    let shown = |part: &CellIndex| withheld.iter().all(|withheld| !withheld.contains(part));
    if system.cells[cell].per_unit && shown(&cell) {
        return Some(vec![cell]);
    }
    let of = |part: CellIndex| system.cells[part].unit_atoms.as_deref().unwrap_or_default();
    let mut left: BTreeSet<u32> = atoms.iter().copied().collect();
    let inside = |part: &CellIndex| !of(*part).is_empty() && of(*part).iter().all(|atom| left.contains(atom));
    let mut parts: Vec<CellIndex> = system.per_unit().filter(inside).filter(shown).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(of(*part).len()));
    parts.retain(|part| {
        let fits = of(*part).iter().all(|atom| left.contains(atom));
        if fits {
            of(*part).iter().for_each(|atom| _ = left.remove(atom));
        }
        fits
    });
    left.is_empty().then_some(parts)
}

/// The kommuner for which a union of unit atoms does not follow from what is readable of their units; what a
/// helper counts in an opened sum.
pub fn hidden_kommuner(
    system: &System,
    units: &[Unit],
    withheld: &[BTreeSet<CellIndex>],
    cell: CellIndex,
) -> BTreeSet<tables::unit::KommunKod> {
    let atoms = system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
    let hides = |unit: &usize| !readable(system, &withheld[*unit], &BTreeSet::new(), cell, atoms);
    (0..units.len()).filter(hides).map(|unit| units[unit].kommun()).collect()
}

fn readable(
    system: &System,
    withheld: &BTreeSet<CellIndex>,
    zero: &BTreeSet<u32>,
    cell: CellIndex,
    atoms: &[u32],
) -> bool {
    if system.cells[cell].per_unit && !withheld.contains(&cell) {
        return true;
    }
    if withheld.is_empty() && readable_sum(system, &[], cell).is_some() {
        return true;
    }
    span_of(system, withheld, zero)
        .express(atoms.iter().copied().filter(|atom| !zero.contains(atom)))
        .is_some()
}

fn span_of(system: &System, withheld: &BTreeSet<CellIndex>, zero: &BTreeSet<u32>) -> Span {
    let mut span = Span::default();
    for cell in system.per_unit().filter(|cell| !withheld.contains(cell)) {
        let atoms = system.cells[cell].unit_atoms.iter().flatten().copied();
        span.insert(cell as u32, atoms.filter(|atom| !zero.contains(atom)));
    }
    span
}

/// Decides all totals; `changed` are those that a witness changes.
pub(crate) fn decide(
    grid: &Grid<'_>,
    withheld: &[BTreeSet<CellIndex>],
    changed: &BTreeSet<CellIndex>,
) -> Totals {
    let spans: Vec<(BTreeSet<u32>, Span)> =
        grid.units().map(|unit| span_with_zeros(grid, withheld, unit)).collect();
    let mut totals = Totals { closed: changed.clone(), ..Totals::default() };
    for (at, cell) in grid.system.cells.iter().enumerate() {
        if changed.contains(&at) {
            continue;
        }
        let Some(atoms) = &cell.unit_atoms else { continue };
        if readable_sum(grid.system, withheld, at).is_some() {
            totals.readable.insert(at);
            continue;
        }
        let hides = |unit: &u32| {
            let (zero, span) = &spans[*unit as usize];
            span.express(atoms.iter().copied().filter(|atom| !zero.contains(atom))).is_none()
        };
        let hidden: BTreeSet<u32> =
            grid.units().filter(hides).map(|unit| grid.kommun[unit as usize]).collect();
        if hidden.len() >= LEAST_HIDDEN {
            totals.open.insert(at);
        } else if hidden.is_empty() {
            // Zeros tell every unit's part, but a helper does not see zeros: for it too few kommuner hide.
            let known = hidden_kommuner(grid.system, &grid.units, withheld, at).len() >= LEAST_HIDDEN;
            let side = if known { &mut totals.open } else { &mut totals.closed };
            side.insert(at);
        } else {
            totals.closed.insert(at);
            totals.thin.push((at, hidden));
        }
    }
    open_total_scope(grid.system, &mut totals);
    totals
}

/// Entries of total scope are opened. A sum of entries is no shared cell: it is added up, or unknown where a part of it
/// stays closed.
fn open_total_scope(system: &System, totals: &mut Totals) {
    for (at, cell) in system.cells.iter().enumerate() {
        if matches!(cell.build, Build::Entry { .. }) && !totals.closed.contains(&at) {
            totals.open.insert(at);
        }
    }
}

/// Sums with a closed part are closed.
pub(crate) fn close_sums(system: &System, totals: &mut Totals) {
    for (at, cell) in system.cells.iter().enumerate() {
        if matches!(&cell.build, Build::Sum(parts) if parts.iter().any(|part| totals.closed.contains(part))) {
            totals.closed.insert(at);
        }
    }
}

fn span_with_zeros(grid: &Grid<'_>, withheld: &[BTreeSet<CellIndex>], unit: u32) -> (BTreeSet<u32>, Span) {
    let zero = zeros_of(grid, unit);
    let span = span_of(grid.system, &withheld[unit as usize], &zero);
    (zero, span)
}

/// Unit atoms without records: the coordinator knows them from the statuses, published or not.
fn zeros_of(grid: &Grid<'_>, unit: u32) -> BTreeSet<u32> {
    (0..grid.system.unit_atoms as u32).filter(|atom| grid.at(unit, *atom) == FineStatus::Zero).collect()
}

/// Closes, for every thin total that the shown totals would give back, one opened total of the sum that does.
pub(crate) fn close_what_gives_back(system: &System, totals: &mut Totals) {
    for (thin, _) in std::mem::take(&mut totals.thin) {
        while let Some(one) = gives_back(system, totals, thin) {
            totals.open.remove(&one);
            totals.closed.insert(one);
        }
    }
    close_sums(system, totals);
}

/// Closes opened totals until no combination of those left speaks of one or two kommuner only (SAFE-3), for a helper
/// that sees no zeros and for a coordinator that does.
pub(crate) fn close_thin_combinations(
    grid: &Grid<'_>,
    withheld: &[BTreeSet<CellIndex>],
    totals: &mut Totals,
) {
    let zeros: Vec<BTreeSet<u32>> = grid.units().map(|unit| zeros_of(grid, unit)).collect();
    for zeros in [&[], zeros.as_slice()] {
        while let Some(thin) = thin_combination(grid.system, &grid.units, withheld, zeros, &totals.open) {
            let Some(least) =
                thin.into_iter().min_by_key(|cell| (grid.system.cells[*cell].atoms.len(), *cell))
            else {
                break;
            };
            totals.open.remove(&least);
            totals.closed.insert(least);
        }
    }
    close_sums(grid.system, totals);
}

fn gives_back(system: &System, totals: &Totals, thin: CellIndex) -> Option<CellIndex> {
    let mut span = Span::default();
    // Readable ones first: what follows from them alone needs no opened sum.
    for cell in totals.readable.iter().chain(&totals.open).copied() {
        span.insert(cell as u32, system.cells[cell].atoms.iter().copied());
    }
    let used: BTreeMap<u32, u64> = span.express(system.cells[thin].atoms.iter().copied())?;
    let used = used.into_keys().map(|cell| cell as usize).filter(|cell| totals.open.contains(cell));
    used.min_by_key(|cell| (system.cells[*cell].atoms.len(), *cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, one_way};

    const UNITS: [&str; 6] = ["2101", "2104", "2121", "2180-01", "2180-02", "2180-03"];

    fn fixture() -> Fixture {
        Fixture::new(&UNITS, "\"2024\"", &one_way(&["ansokan", "anmalan", "yttrande"]))
    }

    fn withheld(fixture: &Fixture, marks: &[&[&str]]) -> Vec<BTreeSet<CellIndex>> {
        marks
            .iter()
            .map(|codes| codes.iter().map(|code| fixture.cell("T1", &[code], "2024")).collect())
            .collect()
    }

    #[test]
    fn a_total_of_readable_parts_is_added_up_not_opened() {
        let fixture = fixture();
        let total = fixture.cell("T1", &["TOT"], "2024");
        let none = vec![BTreeSet::new(); 6];
        assert_eq!(readable_sum(&fixture.system, &none, total), Some(vec![total]));
        let totals = withheld(&fixture, &[&["TOT"], &["TOT"], &[], &[], &[], &[]]);
        let parts = readable_sum(&fixture.system, &totals, total);
        assert_eq!(parts.map(|parts| parts.len()), Some(3), "the three columns are readable");
        let one = withheld(&fixture, &[&["TOT", "ansokan"], &[], &[], &[], &[], &[]]);
        assert_eq!(readable_sum(&fixture.system, &one, total), None);
    }

    #[test]
    fn a_withheld_cell_that_its_row_gives_back_hides_nobody() {
        let fixture = fixture();
        let cell = fixture.cell("T1", &["ansokan"], "2024");
        let alone = withheld(&fixture, &[&["ansokan"], &["ansokan"], &["ansokan"], &[], &[], &[]]);
        assert!(hidden_kommuner(&fixture.system, &fixture.collection.units, &alone, cell).is_empty());
    }

    #[test]
    fn three_sub_units_hide_one_kommun() {
        let fixture = fixture();
        let cell = fixture.cell("T1", &["ansokan"], "2024");
        let both: &[&str] = &["ansokan", "anmalan"];
        let marks = withheld(&fixture, &[&[], &[], both, both, both, both]);
        assert_eq!(hidden_kommuner(&fixture.system, &fixture.collection.units, &marks, cell).len(), 2);
    }

    #[test]
    fn what_would_give_a_thin_total_back_is_closed_too() {
        let fixture = fixture();
        let cell = |code: &str| fixture.cell("T1", &[code], "2024");
        let mut totals = Totals {
            open: BTreeSet::from([cell("anmalan"), cell("yttrande")]),
            closed: BTreeSet::from([cell("ansokan")]),
            readable: BTreeSet::from([cell("TOT")]),
            thin: vec![(cell("ansokan"), BTreeSet::new())],
        };
        close_what_gives_back(&fixture.system, &mut totals);
        assert_eq!(totals.open.len(), 1, "the readable grand total less two columns is the third");
        assert_eq!(totals.closed.len(), 2);
    }

    #[test]
    fn a_thin_total_that_readable_figures_give_anyway_closes_nothing_more() {
        let fixture = fixture();
        let cell = |code: &str| fixture.cell("T1", &[code], "2024");
        let mut totals = Totals {
            open: BTreeSet::new(),
            closed: BTreeSet::from([cell("ansokan")]),
            readable: BTreeSet::from([cell("TOT"), cell("anmalan"), cell("yttrande")]),
            thin: vec![(cell("ansokan"), BTreeSet::new())],
        };
        close_what_gives_back(&fixture.system, &mut totals);
        assert_eq!(totals.closed.len(), 1);
    }
}
