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

/// A transfer of one record: from a unit atom's total or from nowhere, to one or to nowhere.
pub(crate) type Transfer = (Option<u32>, Option<u32>);

/// The finer totals as a reader sees them.
pub(crate) struct Finer {
    /// Unit atoms that some such total splits.
    refined: Vec<bool>,
    /// Per unit atom its full atoms; last those in none.
    members: Vec<Vec<u32>>,
    /// Per full atom the shown finer totals that hold it, as one number for each distinct list; `0` is none.
    shown: Vec<u32>,
    /// Per full atom the withheld ones.
    hidden: Vec<Vec<CellIndex>>,
    /// Full atoms that a shown zero empties.
    empty: Vec<bool>,
    /// Per withheld finer total how many records it is known to hold beyond the one it must keep.
    slack: BTreeMap<CellIndex, i64>,
}

impl Finer {
    /// `totals`: the marks a reader has of each total; `known`: values the coordinator was opened.
    pub(crate) fn new(
        system: &System,
        totals: &BTreeMap<CellIndex, Mark>,
        known: &BTreeMap<CellIndex, u64>,
    ) -> Self {
        let mut members = vec![Vec::new(); system.unit_atoms + 1];
        for (atom, unit_atom) in system.unit_atom_of.iter().enumerate() {
            members[unit_atom.map_or(system.unit_atoms, |at| at as usize)].push(atom as u32);
        }
        let mut lists = vec![Vec::new(); system.atoms];
        let mut finer = Self {
            refined: vec![false; system.unit_atoms],
            members,
            shown: vec![0; system.atoms],
            hidden: vec![Vec::new(); system.atoms],
            empty: vec![false; system.atoms],
            slack: BTreeMap::new(),
        };
        for (cell, mark) in totals {
            if *mark == Mark::Shown(0) {
                system.cells[*cell].atoms.iter().for_each(|atom| finer.empty[*atom as usize] = true);
            }
            if system.cells[*cell].unit_atoms.is_some() {
                continue;
            }
            for atom in system.cells[*cell].atoms.iter().map(|atom| *atom as usize) {
                if let Some(unit_atom) = system.unit_atom_of[atom] {
                    finer.refined[unit_atom as usize] = true;
                }
                match mark {
                    Mark::Shown(_) => lists[atom].push(*cell),
                    Mark::Withheld => finer.hidden[atom].push(*cell),
                }
            }
            if *mark == Mark::Withheld {
                let held = known.get(cell).map_or(1, |value| i64::try_from(*value).unwrap_or(i64::MAX));
                finer.slack.insert(*cell, (held - 1).max(0));
            }
        }
        let mut numbers = HashMap::from([(Vec::new(), 0)]);
        for (atom, list) in lists.into_iter().enumerate() {
            let fresh = numbers.len() as u32;
            finer.shown[atom] = *numbers.entry(list).or_insert(fresh);
        }
        finer
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
            let to = to?;
            let free = |atom: &&u32| self.shown[**atom as usize] == 0 && !self.empty[**atom as usize];
            return self.members[to as usize].iter().find(free).map(|_| BTreeSet::new());
        };
        // A record that leaves the tables of units may still be counted by others.
        let receiver = &self.members[to.map_or(self.members.len() - 1, |to| to as usize)];
        let mut losers = BTreeSet::new();
        for atom in self.members[from as usize].iter().filter(|atom| !self.empty[**atom as usize]) {
            let (shown, hidden) = (self.shown[*atom as usize], &self.hidden[*atom as usize]);
            let left = |other: &u32| -> Vec<CellIndex> {
                let kept = &self.hidden[*other as usize];
                hidden.iter().filter(|cell| kept.binary_search(cell).is_err()).copied().collect()
            };
            let fits =
                |other: &&u32| self.shown[**other as usize] == shown && !self.empty[**other as usize];
            let gone = (to.is_none() && shown == 0).then(|| hidden.clone());
            let best = receiver.iter().filter(fits).map(left).chain(gone).min_by_key(Vec::len)?;
            losers.extend(best);
        }
        Some(losers)
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
    fn pair(
        &self,
        gives: &[u32],
        takes: &[u32],
        reach: i64,
        spent: &mut BTreeMap<CellIndex, i64>,
    ) -> bool {
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

/// Most split totals that one witness may change: more are not paired.
const MOST_CHANGES: usize = 6;
