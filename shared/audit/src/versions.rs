//! A second version beside the first: what a reader of both computes.
//!
//! Unknowns are the unit atoms of everybody in version 1 and, of units that were corrected or came late, again in version
//! 2. The reader is assumed to know *which* figures are the same in both; a unit without changes is one unknown, not two. Every
//! figure that either version shows is an equation, and the difference of two sums follows.
//!
//! Sums finer than unit atoms are left out: version 2 shows none that version 1 does not show with the same value
//! (looked at before the rest). Shares nothing with `suppress`.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::{FineStatus, MinCount};
use tables::figures::{Figures, Mark};
use tables::system::{CellIndex, System};

use crate::budget::Budget;
use crate::explain::MOST_SOURCES;
use crate::findings::Candidate;
use crate::interval::{Engine, Reach};
use crate::sensitive::{self, Place};
use crate::view::{Terms, View};

/// The published first version, and what the second changes of it.
#[derive(Clone, Copy)]
pub struct FirstVersion<'a> {
    /// What it shows.
    pub figures: &'a Figures,
    /// Statuses of its roster.
    pub statuses: &'a [Vec<FineStatus>],
    /// Per unit of the *second* roster the cells whose figure is another; not read of a unit that was not in the first.
    pub changed: &'a [BTreeSet<CellIndex>],
}

/// A place of one of the versions that both together give away, or that was not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Whether it lies in the second version; its unit is an index of that version's roster.
    pub second: bool,
    /// Where.
    pub place: Place,
    /// Whether it was settled.
    pub settled: bool,
    /// Shown figures of the second version that took part and are not 0.
    pub withhold: Vec<Candidate>,
}

/// The second version as the audit has it.
#[derive(Clone, Copy)]
pub(crate) struct SecondVersion<'a> {
    pub(crate) system: &'a System,
    pub(crate) min_count: MinCount,
    pub(crate) figures: &'a Figures,
    pub(crate) statuses: &'a [Vec<FineStatus>],
    pub(crate) budget: Budget,
    pub(crate) abort: &'a dyn Fn() -> bool,
}

impl FirstVersion<'_> {
    /// What sums of the second version are at least, by what the first shows: its sum, less what each kommun that changed the cell
    /// or left had of the smallest shown figure around it. Sums of which nothing follows are not named.
    pub fn least(&self, system: &System, second: &Figures) -> BTreeMap<CellIndex, u64> {
        let places = second.units.iter().zip(self.changed);
        let kept: BTreeMap<_, _> = places.collect();
        let bound = |cell: CellIndex| {
            let mut least = self.figures.totals.get(&cell)?.shown()?;
            for (unit, shown) in self.figures.units.iter().zip(&self.figures.per_unit) {
                if kept.get(unit).is_none_or(|changed| changed.contains(&cell)) {
                    least = least.saturating_sub(around(system, shown, cell)?);
                }
            }
            (least > 0).then_some((cell, least))
        };
        (0..system.cells.len()).filter_map(bound).collect()
    }

    /// Whether the second version shows no sum below unit atoms that the first does not show alike.
    pub(crate) fn shows_no_finer_sum_anew(&self, second: SecondVersion<'_>) -> bool {
        second.figures.totals.iter().all(|(cell, mark)| {
            let finer = second.system.cells[*cell].unit_atoms.is_none();
            !finer || mark.shown().is_none() || self.figures.totals.get(cell) == Some(mark)
        })
    }
}

/// Where each unit's atoms stand among the variables.
struct Rows {
    first: Vec<usize>,
    second: Vec<usize>,
}

/// Everything small of which the two versions together exclude a value that it may have, or that is not settled.
///
/// `None` when the figures contradict each other.
pub(crate) fn told(first: FirstVersion<'_>, second: SecondVersion<'_>) -> Option<Vec<Told>> {
    let system = second.system;
    let Knowledge { mut view, rows, sources } = knowledge(first, second);
    let corrected = |place: &Place| match place {
        Place::Unit { unit, .. } => !rows.first.contains(&rows.second[*unit]),
        Place::Total { .. } => false,
    };
    let old = sensitive::of_units(system, first.statuses, second.min_count);
    let new = sensitive::of_units(system, second.statuses, second.min_count);
    let all = old.into_iter().map(|place| (false, place));
    let all: Vec<_> =
        all.chain(new.into_iter().filter(|new| corrected(&new.place)).map(|place| (true, place))).collect();
    let targets: Vec<_> = all
        .iter()
        .map(|(is_second, sensitive)| {
            let terms = match &sensitive.place {
                Place::Unit { unit, atoms } => {
                    terms(if *is_second { rows.second[*unit] } else { rows.first[*unit] }, atoms)
                }
                Place::Total { .. } => Terms::new(),
            };
            view.target(terms)
        })
        .collect();
    let mut engine = Engine::new(&view, second.budget, second.abort).ok()?;
    let mut told = Vec::new();
    for ((is_second, sensitive), target) in all.into_iter().zip(targets) {
        let values = sensitive.floor..u64::from(second.min_count.get());
        let reach: Vec<Reach> = values.map(|value| engine.attainable(target, i128::from(value)).0).collect();
        if reach.iter().any(|reach| *reach != Reach::Yes) {
            let settled = reach.contains(&Reach::No);
            let near = engine.sources(target, MOST_SOURCES).into_iter();
            let mut withhold: Vec<Candidate> =
                near.filter_map(|source| sources.get(&source).copied()).collect();
            withhold.sort_unstable();
            withhold.dedup();
            told.push(Told { second: is_second, place: sensitive.place, settled, withhold });
        }
    }
    Some(told)
}

/// The least figure that a unit shows of a set around a cell.
fn around(system: &System, shown: &BTreeMap<CellIndex, Mark>, cell: CellIndex) -> Option<u64> {
    let atoms = &system.cells[cell].atoms;
    let holds =
        |other: &CellIndex| atoms.iter().all(|atom| system.cells[*other].atoms.binary_search(atom).is_ok());
    let figures = shown.iter().filter_map(|(other, mark)| Some((other, mark.shown()?)));
    figures.filter(|(other, _)| holds(other)).map(|(_, figure)| figure).min()
}

/// What a reader of both has.
struct Knowledge {
    view: View,
    rows: Rows,
    /// The second version's shown figures that are not 0, by the relation they make.
    sources: BTreeMap<usize, Candidate>,
}

fn knowledge(first: FirstVersion<'_>, second: SecondVersion<'_>) -> Knowledge {
    let (system, mut view) = (second.system, View::default());
    let row = |view: &mut View| {
        let start = view.variables.len();
        (0..system.unit_atoms).for_each(|_| _ = view.variable(0));
        start
    };
    let old: Vec<usize> = first.figures.units.iter().map(|_| row(&mut view)).collect();
    let mut new = Vec::with_capacity(second.figures.units.len());
    for (unit, changed) in second.figures.units.iter().zip(first.changed) {
        let before = first.figures.units.binary_search(unit).ok();
        match before {
            Some(before) if changed.is_empty() => new.push(old[before]),
            _ => {
                let start = row(&mut view);
                if let Some(before) = before {
                    equal_cells(&mut view, system, (old[before], start), changed);
                }
                new.push(start);
            }
        }
    }
    marks(&mut view, system, first.figures, &old);
    let sources = marks(&mut view, system, second.figures, &new);
    Knowledge { view, rows: Rows { first: old, second: new }, sources }
}

fn equal_cells(view: &mut View, system: &System, (old, new): (usize, usize), changed: &BTreeSet<CellIndex>) {
    for (cell, about) in system.cells.iter().enumerate() {
        let Some(atoms) = &about.unit_atoms else { continue };
        if !changed.contains(&cell) {
            let mut both = terms(old, atoms);
            both.extend(atoms.iter().map(|atom| (new + *atom as usize, -1)));
            let source = view.equations.len() + view.bounds.len();
            view.equation(both, 0, source);
        }
    }
}

/// Makes relations of figures; the shown ones that are not 0 by their number.
fn marks(view: &mut View, system: &System, figures: &Figures, rows: &[usize]) -> BTreeMap<usize, Candidate> {
    let mut made = BTreeMap::new();
    for (unit, (own, start)) in figures.per_unit.iter().zip(rows).enumerate() {
        for (cell, mark) in own {
            let Some(atoms) = &system.cells[*cell].unit_atoms else { continue };
            let source = view.equations.len() + view.bounds.len();
            match mark {
                Mark::Shown(value) => view.equation(terms(*start, atoms), signed(*value), source),
                // zeros are published
                Mark::Withheld => view.at_least(terms(*start, atoms), 1, source),
            }
            if mark.shown().is_some_and(|value| value > 0) {
                made.insert(source, Candidate { unit: Some(unit), cell: *cell });
            }
        }
    }
    for (cell, mark) in &figures.totals {
        let (Some(atoms), Some(value)) = (&system.cells[*cell].unit_atoms, mark.shown()) else { continue };
        let source = view.equations.len() + view.bounds.len();
        let all = rows.iter().flat_map(|start| terms(*start, atoms)).collect();
        view.equation(all, signed(value), source);
        if value > 0 {
            made.insert(source, Candidate { unit: None, cell: *cell });
        }
    }
    made
}

fn terms(start: usize, atoms: &[u32]) -> Terms {
    atoms.iter().map(|atom| (start + *atom as usize, 1)).collect()
}

/// Counts are far under `i64::MAX`; more saturates and then contradicts.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
