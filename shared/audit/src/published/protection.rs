//! Whether the small cells of a publication are protected, for whoever has the counts.
//!
//! SAFE-1: a reader can rule out no value from a small cell's least to under `min_count`. SAFE-2: a kommun that knows
//! all its own counts, those of its sub-units too, is left with two values of every small cell of another. What the
//! budget does not settle is *open*, never protected. Says nothing of cells that are not small.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use tables::unit::Omrade;

use super::attack::{Abort, Attack, LARGE_PARTS, Outcome};
use super::derive::{self, Block, Linear};
use super::strict;
use super::truth::Truth;
use super::{CellIndex, Figure, Kind, Publication};
use crate::budget::Budget;
use crate::interval::{Engine, Reach};
use crate::view::View;

/// Levels of totals over totals that are followed.
const MOST_LEVELS: usize = 64;

/// A small cell, and the kommun that can compute it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByInsider {
    /// The cell.
    pub cell: CellIndex,
    /// Code of the kommun.
    pub kommun: String,
}

/// What is not protected.
#[derive(Debug, Clone, Default)]
pub struct Protection {
    /// Withheld small cells.
    pub small: usize,
    /// Small cells that are shown: an oversight, whatever else holds.
    pub shown: Vec<CellIndex>,
    /// Small cells that anybody can compute.
    pub computable: Vec<CellIndex>,
    /// Small cells some of whose small values anybody can rule out.
    pub narrowed: Vec<CellIndex>,
    /// Whether kommuner were asked about.
    pub asks_insiders: bool,
    /// Small cells that a kommun can compute.
    pub by_insiders: Vec<ByInsider>,
    /// Small cells that were not settled.
    pub open: Vec<CellIndex>,
    /// Whether something shown could not be used.
    pub has_unused: bool,
}

impl Protection {
    /// Whether every small cell is shown to be protected.
    pub fn holds(&self) -> bool {
        self.is_unbroken() && self.open.is_empty() && !self.has_unused
    }

    /// Whether no small cell is shown to be unprotected.
    pub fn is_unbroken(&self) -> bool {
        let broken = [&self.shown, &self.computable, &self.narrowed];
        broken.into_iter().all(Vec::is_empty) && self.by_insiders.is_empty()
    }
}

/// The least value that shown zeros and marks leave each cell: every other part of a total is at least what it must be
/// itself. No suppression can make a cell look smaller while zeros are shown.
pub(super) fn least(publication: &Publication) -> Vec<u64> {
    let own = |cell: &super::Cell| match (&cell.figure, cell.withheld()) {
        (Figure::Shown(count), _) => *count,
        (_, Some((_, meaning))) => meaning.lower,
        _ => 0,
    };
    let mut least: Vec<u64> = publication.cells.iter().map(own).collect();
    // parts before totals settles in as many rounds as there are levels; a contradiction grows without end
    for _ in 0..MOST_LEVELS {
        let mut changed = false;
        let mut raise = |cell: CellIndex, value: u64, least: &mut Vec<u64>| {
            changed = changed || least[cell] < value;
            least[cell] = least[cell].max(value);
        };
        for relation in &publication.relations {
            let total = relation.total;
            match relation.kind {
                Kind::Sum => {
                    raise(total, relation.terms.iter().map(|term| least[*term]).sum(), &mut least);
                    // A part beside zeros is its total. Beside other shown counts it is not let off: what those
                    // rule out is for the suppressor to prevent (SAFE-1).
                    let mut nonzero =
                        relation.terms.iter().filter(|term| publication.cells[**term].shown() != Some(0));
                    if let (Some(part), None) = (nonzero.next(), nonzero.next()) {
                        raise(*part, least[total], &mut least);
                    }
                }
                Kind::Same => {
                    for term in &relation.terms {
                        let both = least[*term].max(least[total]);
                        raise(*term, both, &mut least);
                        raise(total, both, &mut least);
                    }
                }
                _ => {}
            }
        }
        if !changed {
            break;
        }
    }
    least
}

/// What is asked about insiders.
#[derive(Clone, Copy)]
pub struct InsidersAsked<'a> {
    /// Work limits.
    pub budget: Budget,
    /// Counted up by one for every small cell that is done.
    pub done: Option<&'a AtomicUsize>,
    /// May stop the work early; what is left is then open.
    pub abort: Abort<'a>,
}

/// Judges the findings for readers, and asks for insiders where that is said. `publication` is what the adversary sees,
/// beside it what was printed.
pub fn protection(
    (publication, as_published): (&Publication, &Publication),
    attack: &Attack,
    truth: &Truth,
    min_count: u64,
    insiders: Option<InsidersAsked<'_>>,
) -> Protection {
    let is_small = |cell: CellIndex| (1..min_count).contains(&truth.of_cell(cell));
    let mut found = Protection {
        asks_insiders: insiders.is_some(),
        has_unused: !publication.unused.is_empty(),
        ..Protection::default()
    };
    for (at, cell) in publication.cells.iter().enumerate() {
        match cell.figure {
            Figure::Shown(count) if (1..min_count).contains(&count) => {
                let opened = as_published.cells.get(at).is_some_and(|cell| cell.shown().is_none());
                if !opened && !strict::is_missing(&cell.column) {
                    found.shown.push(at);
                }
            }
            Figure::Withheld { .. } if is_small(at) => found.small += 1,
            _ => {}
        }
    }
    let least = least(publication);
    for finding in attack.findings.iter().filter(|finding| is_small(finding.cell)) {
        let own = least[finding.cell].max(1);
        match finding.outcome.excluded(own, min_count) {
            None => found.open.push(finding.cell),
            Some(_) if finding.outcome.recovered().is_some() => found.computable.push(finding.cell),
            Some(excluded) if !excluded.is_empty() => found.narrowed.push(finding.cell),
            Some(_) => {}
        }
    }
    if let Some(asked) = insiders {
        let rows: Vec<Vec<Linear>> =
            publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
        let work = Insiders { publication, rows: &rows, truth, min_count, asked };
        for block in derive::blocks(publication, &rows) {
            let (broken, open) = work.block(&block);
            found.by_insiders.extend(broken);
            found.open.extend(open);
        }
        found.by_insiders.sort();
        found.open.sort_unstable();
        found.open.dedup();
    }
    found
}

impl Outcome {
    /// The values from `least` to under `min_count` that cannot be; `None` when not settled. A cell that cannot be
    /// any of them is not small for anybody, so nothing is narrowed.
    pub(super) fn excluded(&self, least: u64, min_count: u64) -> Option<Vec<u64>> {
        let (lower, upper, holes) = match self {
            Self::Interval { lower, upper, holes } => (*lower, *upper, holes),
            Self::Shown { lower, holes, .. } => (*lower, None, holes),
            Self::NotCertified { .. } | Self::Contradiction => return None,
        };
        let can = |value: &u64| {
            lower <= *value && upper.is_none_or(|upper| *value <= upper) && !holes.contains(value)
        };
        let all = least..min_count;
        let some = all.clone().any(|value| can(&value));
        Some(if some { all.filter(|value| !can(value)).collect() } else { Vec::new() })
    }
}

/// Code of the kommun whose cell it is.
pub(super) fn kommun(cell: &super::Cell) -> Option<String> {
    match cell.row.parse::<Omrade>() {
        Ok(Omrade::Unit(unit)) => Some(unit.kommun().to_string()),
        _ => None,
    }
}

struct Insiders<'a> {
    publication: &'a Publication,
    rows: &'a [Vec<Linear>],
    truth: &'a Truth,
    min_count: u64,
    asked: InsidersAsked<'a>,
}

type Found = (Vec<ByInsider>, Vec<CellIndex>);

impl Insiders<'_> {
    fn block(&self, block: &Block) -> Found {
        let owners: Vec<Option<String>> =
            block.cells.iter().map(|cell| kommun(&self.publication.cells[*cell])).collect();
        let names: Vec<String> =
            owners.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |name: &Option<String>| {
            let at = names.binary_search(name.as_ref()?).ok()?;
            Some(at as u32) // at most MAX_CELLS
        };
        let owners: Vec<Option<u32>> = owners.iter().map(number).collect();
        let view = derive::view(self.publication, self.rows, &block.cells, &block.relations);
        let parts = std::thread::scope(|scope| {
            let ask = |part: usize| self.part(block, &view, &owners, part);
            let others: Vec<_> = (1..LARGE_PARTS).map(|part| scope.spawn(move || ask(part))).collect();
            let first = ask(0);
            let others = others.into_iter().map(|other| match other.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            std::iter::once(first).chain(others).collect::<Vec<_>>()
        });
        let (mut broken, mut open) = Found::default();
        for (part, others) in parts {
            open.extend(others);
            broken.extend(
                part.into_iter().map(|(cell, by)| ByInsider { cell, kommun: names[by as usize].clone() }),
            );
        }
        (broken, open)
    }

    /// Every [`LARGE_PARTS`]-th cell.
    fn part(
        &self,
        block: &Block,
        view: &View,
        owners: &[Option<u32>],
        part: usize,
    ) -> (Vec<(CellIndex, u32)>, Vec<CellIndex>) {
        let (mut broken, mut open) = (Vec::new(), Vec::new());
        let is_small = |cell: CellIndex| (1..self.min_count).contains(&self.truth.of_cell(cell));
        let targets = block.cells.iter().copied().enumerate().zip(owners);
        let targets = targets.filter(|((_, cell), owner)| is_small(*cell) && owner.is_some());
        let own: Vec<(usize, CellIndex, Option<u32>)> = targets
            .map(|((target, cell), owner)| (target, cell, *owner))
            .skip(part)
            .step_by(LARGE_PARTS)
            .collect();
        if own.is_empty() {
            return (broken, open);
        }
        let values: Vec<u64> = block.cells.iter().map(|cell| self.truth.of_cell(*cell)).collect();
        let unsettled = || own.iter().map(|(_, cell, _)| *cell).collect();
        let Ok(mut engine) = Engine::new(view, self.asked.budget, self.asked.abort) else {
            return (broken, unsettled());
        };
        if engine.knows(&values).is_err() {
            return (broken, unsettled());
        }
        engine.owners(owners);
        let everyone: BTreeSet<u32> = owners.iter().flatten().copied().collect();
        for (target, cell, owner) in own {
            if let Some(done) = self.asked.done {
                done.fetch_add(1, Ordering::Relaxed);
            }
            if (self.asked.abort)() {
                open.push(cell);
                continue;
            }
            let others = |party: &u32| Some(*party) != owner;
            if engine.takes_part(target).is_none() {
                engine.moves_without(target, &BTreeSet::new());
            }
            let mut left: BTreeSet<u32> =
                engine.takes_part(target).unwrap_or(&everyone).iter().copied().filter(others).collect();
            if left.len() > 1 && engine.takes_part(target).is_some() && engine.moves_without(target, &left) {
                left.clear();
            }
            while let Some(by) = left.pop_first() {
                if !engine.moves_without(target, &BTreeSet::from([by])) {
                    match self.exactly(block, view, owners, &values, (target, by)) {
                        Reach::Yes => {}
                        Reach::No => broken.push((cell, by)),
                        Reach::Unknown => open.push(cell),
                    }
                }
                let common = engine.takes_part(target);
                left.retain(|party| common.is_none_or(|common| common.contains(party)));
            }
        }
        (broken, open)
    }

    /// Whether a kommun that knows its own cells is left with another value of the target.
    fn exactly(
        &self,
        block: &Block,
        view: &View,
        owners: &[Option<u32>],
        values: &[u64],
        (target, by): (usize, u32),
    ) -> Reach {
        let mut view = view.clone();
        for at in (0..block.cells.len()).filter(|at| owners[*at] == Some(by)) {
            (view.variables[at].lower, view.variables[at].upper) = (values[at], Some(values[at]));
        }
        let Ok(mut engine) = Engine::new(&view, self.asked.budget, self.asked.abort) else {
            return Reach::Unknown;
        };
        if engine.knows(values).is_err() {
            return Reach::Unknown;
        }
        let value = i128::from(values[target]);
        match engine.within(target, Some(value + 1), None).0 {
            Reach::Yes => Reach::Yes,
            up => match (up, engine.within(target, None, Some(value - 1)).0) {
                (_, Reach::Yes) => Reach::Yes,
                (Reach::No, Reach::No) => Reach::No,
                _ => Reach::Unknown,
            },
        }
    }
}
