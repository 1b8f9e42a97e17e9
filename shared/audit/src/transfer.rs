//! Where a record of one unit atom's total may go in another's without a finer total that is shown changing.
//!
//! Totals of scope `total` split the totals of unit atoms. When a movement over units changes the roster's sum of two
//! unit atoms by −1 and +1, some record leaves one full atom and enters another; which one it leaves nobody outside its
//! kommun knows. So a transfer counts as possible only if *every* full atom of the giver has one of the receiver that
//! lies in the same shown totals. Withheld totals may lose a record as long as they are known to keep one.
//!
//! Sound for every truth, not complete: a transfer it denies may exist for the true table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tables::figures::Mark;
use tables::system::{CellIndex, System};

use crate::adversary::Marks;

/// A transfer of one record: from a unit atom's total or from nowhere, to one or to nowhere.
pub(crate) type Transfer = (Option<u32>, Option<u32>);

/// Full atoms that nobody can tell apart: the shown finer totals that hold them, as one number for each distinct list
/// with `0` for none, and the withheld ones.
type Kind = (u32, Vec<CellIndex>);

/// The finer totals as a reader sees them.
pub(crate) struct Finer {
    /// Unit atoms that some such total splits.
    refined: Vec<bool>,
    /// Per unit atom its kinds, those that a shown zero empties left out; last those of full atoms in none.
    kinds: Vec<BTreeSet<Kind>>,
    /// Per withheld finer total how many records it is known to hold beyond the one it must keep.
    slack: BTreeMap<CellIndex, i64>,
}

impl Finer {
    /// `totals`: the marks a reader has of each total; `known`: values the coordinator was opened. A total that nobody was told
    /// loses nothing in a reading that takes it for at least 1, and anything where it may become 0.
    pub(crate) fn new(
        system: &System,
        totals: &BTreeMap<CellIndex, Mark>,
        known: &BTreeMap<CellIndex, u64>,
        marks: Marks,
    ) -> Self {
        let untold = if marks == Marks::AtLeastOne { 1 } else { NO_LIMIT };
        let mut refined = vec![false; system.unit_atoms];
        let mut lists = vec![(Vec::new(), Vec::new()); system.atoms];
        let mut empty = vec![false; system.atoms];
        let mut slack = BTreeMap::new();
        for (cell, mark) in totals {
            let atoms = system.cells[*cell].atoms.iter().map(|atom| *atom as usize);
            if *mark == Mark::Shown(0) {
                atoms.clone().for_each(|atom| empty[atom] = true);
            }
            if system.cells[*cell].unit_atoms.is_some() {
                continue;
            }
            for atom in atoms {
                if let Some(unit_atom) = system.unit_atom_of[atom] {
                    refined[unit_atom as usize] = true;
                }
                let (shown, hidden) = &mut lists[atom];
                if *mark == Mark::Withheld { hidden.push(*cell) } else { shown.push(*cell) }
            }
            if *mark == Mark::Withheld {
                let held = known.get(cell).map_or(untold, |value| i64::try_from(*value).unwrap_or(i64::MAX));
                slack.insert(*cell, (held - 1).max(0));
            }
        }
        let mut numbers = HashMap::from([(Vec::new(), 0)]);
        let mut kinds = vec![BTreeSet::new(); system.unit_atoms + 1];
        for (atom, (shown, hidden)) in lists.into_iter().enumerate().filter(|(atom, _)| !empty[*atom]) {
            let fresh = numbers.len() as u32;
            let number = *numbers.entry(shown).or_insert(fresh);
            let unit_atom = system.unit_atom_of[atom].map_or(system.unit_atoms, |at| at as usize);
            kinds[unit_atom].insert((number, hidden));
        }
        Self { refined, kinds, slack }
    }

    /// Whether some finer total splits a unit atom.
    pub(crate) fn splits(&self, atom: u32) -> bool {
        self.refined[atom as usize]
    }

    /// Records a withheld finer total can lose.
    pub(crate) fn slack(&self, cell: CellIndex) -> i64 {
        self.slack.get(&cell).copied().unwrap_or(0)
    }

    /// The withheld finer totals that may lose a record by a transfer; `None` when a shown one might change, whichever
    /// record it is.
    pub(crate) fn losers(&self, transfer: Transfer) -> Option<BTreeSet<CellIndex>> {
        let (from, to) = transfer;
        let Some(from) = from else {
            // A new record: any full atom of the receiver will do, as long as it is in nothing that is shown.
            return self.with_shown(to?, 0).next().map(|_| BTreeSet::new());
        };
        // A record that leaves the tables of units may still be counted by others.
        let receiver = to.unwrap_or(self.refined.len() as u32);
        let mut losers = BTreeSet::new();
        for (shown, hidden) in &self.kinds[from as usize] {
            let left = |kept: &Vec<CellIndex>| -> Vec<CellIndex> {
                hidden.iter().filter(|cell| kept.binary_search(cell).is_err()).copied().collect()
            };
            let gone = (to.is_none() && *shown == 0).then(|| hidden.clone());
            let best = self.with_shown(receiver, *shown).map(left).chain(gone).min_by_key(Vec::len)?;
            losers.extend(best);
        }
        Some(losers)
    }

    /// The withheld totals of each kind of a unit atom that lies in the shown ones of that number.
    fn with_shown(&self, atom: u32, shown: u32) -> impl Iterator<Item = &Vec<CellIndex>> {
        let kinds = self.kinds[atom as usize].range((shown, Vec::new())..);
        kinds.take_while(move |(number, _)| *number == shown).map(|(_, hidden)| hidden)
    }

    /// Transfers between split unit atoms whose own totals are not among `still`, with what they take from.
    pub(crate) fn transfers(&self, still: &BTreeSet<u32>) -> Vec<(Transfer, BTreeSet<CellIndex>)> {
        let moving = |atom: &u32| self.splits(*atom) && !still.contains(atom);
        let ends: Vec<Option<u32>> =
            (0..self.refined.len() as u32).filter(moving).map(Some).chain([None]).collect();
        let pairs = ends.iter().flat_map(|from| ends.iter().map(|to| (*from, *to)));
        pairs
            .filter(|(from, to)| from != to)
            .filter_map(|pair| Some((pair, self.losers(pair)?)))
            .take(MOST_TRANSFERS)
            .collect()
    }

    /// Transfers that carry out changes of unit atoms' totals, each `reach` times in both directions; `false` if none
    /// are found. Changes of unit atoms that nothing splits are free.
    pub(crate) fn carries(&self, moved: &BTreeMap<u32, i64>, reach: i64) -> bool {
        let split: Vec<(u32, i64)> = moved
            .iter()
            .filter(|(atom, net)| **net != 0 && self.splits(**atom))
            .map(|(atom, net)| (*atom, *net))
            .collect();
        if split.iter().any(|(_, net)| net.abs() > 1) || split.len() > MOST_CHANGES {
            return false;
        }
        let gives: Vec<u32> = split.iter().filter(|(_, net)| *net < 0).map(|(atom, _)| *atom).collect();
        let takes: Vec<u32> = split.iter().filter(|(_, net)| *net > 0).map(|(atom, _)| *atom).collect();
        let mut spent = BTreeMap::new();
        self.pair(&gives, &takes, reach, &mut spent)
    }

    /// Pairs givers with receivers, or with nobody, one after the other.
    fn pair(&self, gives: &[u32], takes: &[u32], reach: i64, spent: &mut BTreeMap<CellIndex, i64>) -> bool {
        let Some((give, rest)) = gives.split_first() else {
            return takes.iter().all(|take| self.spend((None, Some(*take)), reach, spent));
        };
        let partners = takes.iter().copied().map(Some).chain([None]);
        for partner in partners {
            let mut after = spent.clone();
            let left: Vec<u32> = takes.iter().copied().filter(|take| Some(*take) != partner).collect();
            if self.spend((Some(*give), partner), reach, &mut after)
                && self.pair(rest, &left, reach, &mut after)
            {
                return true;
            }
        }
        false
    }

    fn spend(&self, (from, to): Transfer, reach: i64, spent: &mut BTreeMap<CellIndex, i64>) -> bool {
        let (Some(forth), Some(back)) = (self.losers((from, to)), self.losers((to, from))) else {
            return false;
        };
        // Forth and back do not happen together, so each only needs its own slack.
        forth.union(&back).all(|cell| {
            let spent = spent.entry(*cell).or_default();
            *spent += reach;
            *spent <= self.slack(*cell)
        })
    }
}

/// More records than there are; small enough for a program's floating point.
const NO_LIMIT: i64 = 1 << 28;
/// Most transfers that a search considers; the others do not take place.
const MOST_TRANSFERS: usize = 600;
/// Most split totals that one witness may change: more are not paired.
const MOST_CHANGES: usize = 6;
