//! The pattern of an extension: the first version's, as it is, and which sums of the new tables may be opened beside it.
//!
//! New tables have scope `total`, so nothing of any kommun is shown besides and nothing withheld: marks and witnesses are those of the
//! first version, where every kommun's figures are the same. A new sum is opened unless a witness of the first changes it, it hides
//! too few kommuner, or it would with others tell what stays closed or what fewer than three kommuner have (SAFE-3). What the first opened
//! stays; of new sums the least goes first.
//!
//! Knows no value. What small *totals* need hides is withheld after the opening, when the coordinator knows them (`county_stage`).

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::extension::Extension;
use tables::figures::Pattern;
use tables::system::{Build, CellIndex, System};
use tables::unit::Unit;

use crate::opened::thin_combination;
use crate::reach::Reaches;
use crate::span::Span;
use crate::totals::{LEAST_HIDDEN, Totals, close_sums, hidden_kommuner, readable_sum};

/// Chooses the sums. `first` is the first version's pattern numbered as `system` ([`Extension::pattern`]); `statuses` are those that
/// the same units declared, in its order.
///
/// Post: [`repeats`] holds between the two.
pub fn choose(
    system: &System,
    units: &[Unit],
    statuses: &[Vec<FineStatus>],
    first: &Pattern,
    extension: &Extension,
) -> Pattern {
    let chooser = Chooser { system, first, known: extension.cells() };
    let mut totals = chooser.at_a_glance(units, extension);
    chooser.close_what_moves(&mut totals);
    chooser.close_thin(units, statuses, &mut totals);
    chooser.close_what_gives_back(&mut totals);
    close_sums(system, &mut totals);
    Pattern { open: totals.open, closed: totals.closed, ..first.clone() }
}

/// Whether a pattern shows of the first version's cells what that showed, of the same units: `first` numbered as there. What the first
/// added up from other sums may be opened now, unless one of them was closed.
pub fn repeats(
    extension: &Extension,
    (first_units, first): (&[Unit], &Pattern),
    (units, pattern): (&[Unit], &Pattern),
) -> bool {
    let known = extension.cells();
    let of_first = |cells: &BTreeSet<CellIndex>| -> BTreeSet<CellIndex> {
        cells.intersection(&known).copied().collect()
    };
    let (open, closed) = (of_first(&pattern.open), of_first(&pattern.closed));
    let anew = |cell: &CellIndex| extension.sums().contains(cell) && !first.closed.contains(cell);
    first_units == units
        && first.withheld == pattern.withheld
        && first.closed == closed
        && first.open.is_subset(&open)
        && open.difference(&first.open).all(anew)
}

struct Chooser<'a> {
    system: &'a System,
    first: &'a Pattern,
    known: BTreeSet<CellIndex>,
}

impl Chooser<'_> {
    fn at_a_glance(&self, units: &[Unit], extension: &Extension) -> Totals {
        let withheld = &self.first.withheld;
        let (open, closed) = (self.first.open.clone(), self.first.closed.clone());
        let mut totals = Totals { open, closed, ..Totals::default() };
        for (at, cell) in self.system.cells.iter().enumerate() {
            if readable_sum(self.system, withheld, at).is_some() {
                totals.readable.insert(at);
                continue;
            }
            let is_settled = self.known.contains(&at) && !extension.sums().contains(&at);
            if is_settled || totals.closed.contains(&at) {
                continue;
            }
            let may_open = match &cell.build {
                Build::Sum(_) => continue,
                Build::Entry { .. } => true,
                Build::UnitAtoms(_) => {
                    hidden_kommuner(self.system, units, withheld, at).len() >= LEAST_HIDDEN
                }
            };
            let side = if may_open { &mut totals.open } else { &mut totals.closed };
            side.insert(at);
        }
        totals
    }

    /// Closes the new sums that a witness of the first version changes, or may change where it leaves open whose records move: what
    /// the first keeps, they keep.
    fn close_what_moves(&self, totals: &mut Totals) {
        let kept: BTreeSet<CellIndex> = self.known.difference(&self.first.closed).copied().collect();
        let reaches = Reaches::keeping(self.system, &kept);
        let mut seen = BTreeSet::new();
        for witness in &self.first.witnesses {
            let mut drift = BTreeMap::<u32, i32>::new();
            witness.steps.iter().for_each(|step| *drift.entry(step.1).or_default() += step.2);
            drift.retain(|_, change| *change != 0);
            if drift.is_empty() || !seen.insert(drift.clone()) {
                continue;
            }
            for cell in reaches.changed(&drift).into_iter().filter(|cell| !kept.contains(cell)) {
                totals.open.remove(&cell);
                totals.closed.insert(cell);
            }
        }
    }

    /// Closes new sums until no combination of those open speaks of one or two kommuner only, for those who see zeros and
    /// for those who do not.
    fn close_thin(&self, units: &[Unit], statuses: &[Vec<FineStatus>], totals: &mut Totals) {
        let zeros: Vec<BTreeSet<u32>> = statuses
            .iter()
            .map(|own| (0u32..).zip(own).filter(|(_, s)| **s == FineStatus::Zero).map(|(at, _)| at).collect())
            .collect();
        for zeros in [&[], zeros.as_slice()] {
            while let Some(thin) =
                thin_combination(self.system, units, &self.first.withheld, zeros, &totals.open)
            {
                let Some(least) = self.least(thin) else { break };
                totals.open.remove(&least);
                totals.closed.insert(least);
            }
        }
    }

    /// Closes new sums until no closed one follows from open and readable ones.
    fn close_what_gives_back(&self, totals: &mut Totals) {
        let is_shared = |cell: &&CellIndex| !matches!(self.system.cells[**cell].build, Build::Sum(_));
        let mut asked: Vec<CellIndex> = totals.closed.iter().filter(is_shared).copied().collect();
        while let Some(closed) = asked.pop() {
            while let Some(least) = self.gives_back(totals, closed).and_then(|used| self.least(used)) {
                totals.open.remove(&least);
                totals.closed.insert(least);
                asked.push(least);
            }
        }
    }

    fn gives_back(&self, totals: &Totals, closed: CellIndex) -> Option<BTreeSet<CellIndex>> {
        let mut span = Span::default();
        // What follows without new sums needs none of them closed.
        let (known, new): (Vec<CellIndex>, Vec<CellIndex>) =
            totals.open.iter().copied().partition(|cell| self.known.contains(cell));
        for cell in totals.readable.iter().copied().chain(known).chain(new) {
            span.insert(cell as u32, self.system.cells[cell].atoms.iter().copied());
        }
        let used: BTreeMap<u32, u64> = span.express(self.system.cells[closed].atoms.iter().copied())?;
        let used = used.into_iter().filter(|(_, factor)| *factor != 0).map(|(cell, _)| cell as CellIndex);
        Some(used.filter(|cell| totals.open.contains(cell)).collect())
    }

    /// Of some opened sums the new one that holds least.
    fn least(&self, cells: BTreeSet<CellIndex>) -> Option<CellIndex> {
        let new = cells.into_iter().filter(|cell| !self.first.open.contains(cell));
        new.min_by_key(|cell| (self.system.cells[*cell].atoms.len(), *cell))
    }
}

#[cfg(test)]
mod tests;
