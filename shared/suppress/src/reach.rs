//! Which totals over the roster may change when the sums of unit atoms do.
//!
//! A total that is a union of unit atoms changes by their sum. One that holds only a part of a unit atom may change or
//! not, depending on where the records lie, and that nobody outside a kommun knows. So a record that leaves one unit
//! atom and enters another is followed kind by kind: whichever kind it leaves, there is a kind of the other that shares
//! most totals with it, and only the totals they do not share may change. The same the other way round, since a
//! witness moves both ways.
//!
//! Knows no value. Finds a cheap set, not always the cheapest.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use tables::system::{CellIndex, System};

/// Most unit atoms that change at once and are still followed kind by kind.
const MOST_FOLLOWED: usize = 6;
/// What a total of incomplete registrations counts when kinds are compared: it can hardly be withheld.
const BORTFALL: u32 = 1_000;
/// What a total counts that must not change: more than all others of a collection together.
const KEPT: u32 = 100_000;

/// A record's way: from a unit atom or nowhere, to one or nowhere.
type Way = (Option<u32>, Option<u32>);

/// A set of finer totals, a bit each by their place in [`Reaches::finer`].
type Set = Vec<u64>;

/// Which totals hold which unit atoms, wholly or in part.
pub struct Reaches {
    /// Per unit atom the cells that hold all of it.
    whole: Vec<Vec<CellIndex>>,
    /// Cells that hold parts of unit atoms, ascending.
    finer: Vec<CellIndex>,
    /// Per unit atom, and last for the full atoms in none, the distinct sets of finer totals that hold its full atoms.
    kinds: Vec<Vec<Set>>,
    /// Which of the finer totals are of incomplete registrations.
    bortfall: Set,
    /// Which of them are to stay as they are if records can go otherwise at all.
    kept: Set,
    ways: RefCell<HashMap<Way, Rc<Set>>>,
}

impl Reaches {
    /// Of all cells of a system.
    pub fn new(system: &System) -> Self {
        Self::keeping(system, &BTreeSet::new())
    }

    /// The same, where ways that leave some totals as they are come first.
    pub fn keeping(system: &System, kept: &BTreeSet<CellIndex>) -> Self {
        let outside = system.unit_atoms;
        let (mut whole, mut lists) = (vec![Vec::new(); outside], vec![Vec::new(); system.atoms]);
        for (at, cell) in system.cells.iter().enumerate() {
            match &cell.unit_atoms {
                Some(atoms) => atoms.iter().for_each(|atom| whole[*atom as usize].push(at)),
                None => cell.atoms.iter().for_each(|atom| lists[*atom as usize].push(at)),
            }
        }
        let mut kinds = vec![BTreeSet::new(); outside + 1];
        for (list, unit_atom) in lists.into_iter().zip(&system.unit_atom_of) {
            kinds[unit_atom.map_or(outside, |at| at as usize)].insert(list);
        }
        let all: BTreeSet<CellIndex> = kinds.iter().flatten().flatten().copied().collect();
        let finer: Vec<CellIndex> = all.into_iter().collect();
        let set = |cells: &mut dyn Iterator<Item = CellIndex>| -> Set {
            let mut set = vec![0; finer.len().div_ceil(64)];
            for place in cells.filter_map(|cell| finer.binary_search(&cell).ok()) {
                set[place / 64] |= 1 << (place % 64);
            }
            set
        };
        let sets = |lists: BTreeSet<Vec<CellIndex>>| {
            lists.iter().map(|list| set(&mut list.iter().copied())).collect()
        };
        let kinds = kinds.into_iter().map(sets).collect();
        let bortfall = set(&mut (0..system.cells.len()).filter(|cell| !system.cells[*cell].is_count));
        let kept = set(&mut kept.iter().copied());
        Self { whole, finer, kinds, bortfall, kept, ways: RefCell::default() }
    }

    /// Totals that a change of the roster's unit atoms may change.
    pub fn changed(&self, drift: &BTreeMap<u32, i32>) -> BTreeSet<CellIndex> {
        let mut sums = BTreeMap::<CellIndex, i32>::new();
        for (atom, change) in drift {
            self.whole[*atom as usize].iter().for_each(|cell| *sums.entry(*cell).or_default() += change);
        }
        let finer = self.finer_changed(drift);
        let is_in = |place: &usize| finer[place / 64] >> (place % 64) & 1 == 1;
        let mut found: BTreeSet<CellIndex> =
            (0..self.finer.len()).filter(is_in).map(|place| self.finer[place]).collect();
        found.extend(sums.into_iter().filter_map(|(cell, sum)| (sum != 0).then_some(cell)));
        found
    }

    fn none(&self) -> Set {
        vec![0; self.finer.len().div_ceil(64)]
    }

    fn finer_changed(&self, drift: &BTreeMap<u32, i32>) -> Set {
        let moved: Vec<(u32, i32)> =
            drift.iter().filter(|(_, change)| **change != 0).map(|(atom, change)| (*atom, *change)).collect();
        if moved.len() > MOST_FOLLOWED || moved.iter().any(|(_, change)| change.abs() > 1) {
            let kinds = moved.iter().flat_map(|(atom, _)| &self.kinds[*atom as usize]);
            return kinds.fold(self.none(), |mut all, kind| {
                join(&mut all, kind);
                all
            });
        }
        let of = |sign: i32| moved.iter().filter(move |(_, change)| *change == sign).map(|(atom, _)| *atom);
        let (gives, takes): (Vec<u32>, Vec<u32>) = (of(-1).collect(), of(1).collect());
        self.paired(&gives, &takes)
    }

    /// The smallest set over all pairings of givers with receivers, or with nobody.
    fn paired(&self, gives: &[u32], takes: &[u32]) -> Set {
        let Some((give, rest)) = gives.split_first() else {
            return takes.iter().fold(self.none(), |mut all, take| {
                join(&mut all, &self.way((None, Some(*take))));
                all
            });
        };
        let option = |partner: Option<u32>| {
            let left: Vec<u32> = takes.iter().copied().filter(|take| Some(*take) != partner).collect();
            let mut found = self.paired(rest, &left);
            join(&mut found, &self.way((Some(*give), partner)));
            found
        };
        let options = takes.iter().copied().map(Some).chain([None]).map(option);
        options.min_by_key(|set| self.weight(set)).unwrap_or_else(|| self.none())
    }

    fn weight(&self, set: &Set) -> u32 {
        let of = |((set, bortfall), kept): ((&u64, &u64), &u64)| {
            set.count_ones()
                + (BORTFALL - 1) * (set & bortfall).count_ones()
                + KEPT * (set & kept).count_ones()
        };
        let sum = set.iter().zip(&self.bortfall).zip(&self.kept).map(of);
        sum.fold(0, u32::saturating_add)
    }

    /// The finer totals that one record's way, there or back, may change.
    fn way(&self, (from, to): Way) -> Rc<Set> {
        let way = if from <= to { (from, to) } else { (to, from) };
        if let Some(known) = self.ways.borrow().get(&way) {
            return known.clone();
        }
        let mut set = self.one_way(way.0, way.1);
        join(&mut set, &self.one_way(way.1, way.0));
        let set = Rc::new(set);
        self.ways.borrow_mut().insert(way, set.clone());
        set
    }

    fn one_way(&self, from: Option<u32>, to: Option<u32>) -> Set {
        let nothing = self.none();
        let of = |end: Option<u32>| &self.kinds[end.map_or(self.kinds.len() - 1, |atom| atom as usize)];
        let receivers: Vec<&Set> = of(to).iter().chain(to.is_none().then_some(&nothing)).collect();
        // From nowhere comes a new record; none is taken from other tables, where there may be none.
        let givers: Vec<&Set> = if from.is_none() { vec![&nothing] } else { of(from).iter().collect() };
        let mut set = self.none();
        for giver in givers {
            // what only one of the two kinds is in
            let differ =
                |receiver: &&Set| -> Set { giver.iter().zip(*receiver).map(|(a, b)| a ^ b).collect() };
            if let Some(best) = receivers.iter().map(differ).min_by_key(|set| self.weight(set)) {
                join(&mut set, &best);
            }
        }
        set
    }
}

fn join(all: &mut Set, more: &Set) {
    all.iter_mut().zip(more).for_each(|(all, more)| *all |= more);
}
