//! From witnesses to a pattern: marks, totals, and repairs where an opened sum would hide too few kommuner.
//!
//! Chooses no first witnesses; may add some. Invariant: what it adds only withholds more.

use std::collections::BTreeSet;

use tables::figures::{Pattern, Witness};
use tables::system::CellIndex;

use super::{Chooser, Key, rectangle};
use crate::grid::Vector;
use crate::totals::{self, Totals};

/// Rounds of adding witnesses where an opened sum would hide fewer than three kommuner.
const REPAIRS: usize = 4;

impl Chooser<'_, '_> {
    pub(super) fn withheld(&self) -> Vec<BTreeSet<CellIndex>> {
        let mut withheld = self.margins.clone();
        self.used.keys().for_each(|(unit, cell)| _ = withheld[*unit as usize].insert(*cell));
        withheld
    }

    pub(super) fn totals(&mut self) -> Totals {
        for _ in 0..REPAIRS {
            let totals = self.decide();
            let repaired = totals.thin.iter().filter(|(cell, hidden)| self.repair(*cell, hidden)).count();
            if repaired == 0 {
                break;
            }
        }
        let mut totals = self.decide();
        totals::close_what_gives_back(self.grid.system, &mut totals);
        totals::close_thin_combinations(self.grid, &self.withheld(), &mut totals);
        totals
    }

    fn decide(&self) -> Totals {
        totals::decide(self.grid, &self.withheld(), &self.closed.keys().copied().collect())
    }

    /// Hides a total that too few kommuner hide in by one more rectangle through another kommun.
    fn repair(&mut self, cell: CellIndex, hidden: &BTreeSet<u32>) -> bool {
        let mut best: Option<(Key, (u32, u32), Vector)> = None;
        let holds = |atom: &u32| {
            self.grid.system.cells[cell]
                .unit_atoms
                .as_ref()
                .is_some_and(|atoms| atoms.binary_search(atom).is_ok())
        };
        for (unit, atom) in self.chosen.keys().copied() {
            for step in &self.moves[&atom] {
                let sum: i32 =
                    step.terms.iter().filter(|(atom, _)| holds(atom)).map(|(_, change)| change).sum();
                let plain = step.terms[1..].iter().all(|(other, _)| self.grid.plain(unit, *other));
                let Some(partner) = (sum != 0 && plain).then(|| self.partners(unit, step, hidden)) else {
                    continue;
                };
                let Some((_, _, other)) = partner.first() else {
                    continue;
                };
                let vector = rectangle(unit, *other, step);
                let key = (self.cost(std::slice::from_ref(&vector)), self.grid.tie_of(&vector));
                if best.as_ref().is_none_or(|(known, _, _)| key < *known) {
                    best = Some((key, (unit, atom), vector));
                }
            }
        }
        let Some((_, small, vector)) = best else {
            return false;
        };
        self.put(small, vec![vector]);
        true
    }

    pub(super) fn pattern(self, totals: Totals, order: &[usize]) -> Pattern {
        let given = |unit: u32| order[unit as usize];
        let mut withheld = vec![BTreeSet::new(); order.len()];
        for (unit, cells) in self.withheld().into_iter().enumerate() {
            withheld[order[unit]] = cells;
        }
        let mut witnesses = Vec::new();
        for ((unit, atom), vectors) in &self.chosen {
            for vector in vectors {
                let mut steps: Vec<_> =
                    vector.iter().map(|((at, atom), change)| (given(*at) as u32, *atom, *change)).collect();
                steps.sort_unstable();
                witnesses.push(Witness { unit: given(*unit) as u32, atom: *atom, steps });
            }
        }
        witnesses.sort_by_key(|witness| (witness.unit, witness.atom));
        Pattern { withheld, open: totals.open, closed: totals.closed, witnesses }
    }
}
