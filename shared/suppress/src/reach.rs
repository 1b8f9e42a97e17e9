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

use tables::system::{CellIndex, System};

/// Most unit atoms that change at once and are still followed kind by kind.
const MOST_FOLLOWED: usize = 6;
/// What a total of incomplete registrations counts when kinds are compared: it can hardly be withheld.
const BORTFALL: usize = 1_000;

/// A record's way: from a unit atom or nowhere, to one or nowhere.
type Way = (Option<u32>, Option<u32>);

/// Which totals hold which unit atoms, wholly or in part.
pub struct Reaches {
    /// Per unit atom the cells that hold all of it.
    whole: Vec<Vec<CellIndex>>,
    /// Per unit atom, and last for the full atoms in none, the distinct lists of cells that hold its full atoms.
    kinds: Vec<Vec<Vec<CellIndex>>>,
    bortfall: Vec<bool>,
    ways: RefCell<HashMap<Way, BTreeSet<CellIndex>>>,
}

impl Reaches {
    /// Of all cells of a system.
    pub fn new(system: &System) -> Self {
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
        let kinds = kinds.into_iter().map(|set| set.into_iter().collect()).collect();
        let bortfall = system.cells.iter().map(|cell| !cell.is_count).collect();
        Self { whole, kinds, bortfall, ways: RefCell::default() }
    }

    /// Totals that a change of the roster's unit atoms may change.
    pub fn changed(&self, drift: &BTreeMap<u32, i32>) -> BTreeSet<CellIndex> {
        let mut sums = BTreeMap::<CellIndex, i32>::new();
        for (atom, change) in drift {
            self.whole[*atom as usize].iter().for_each(|cell| *sums.entry(*cell).or_default() += change);
        }
        let mut found = self.finer_changed(drift);
        found.extend(sums.into_iter().filter_map(|(cell, sum)| (sum != 0).then_some(cell)));
        found
    }

    fn finer_changed(&self, drift: &BTreeMap<u32, i32>) -> BTreeSet<CellIndex> {
        let moved: Vec<(u32, i32)> =
            drift.iter().filter(|(_, change)| **change != 0).map(|(atom, change)| (*atom, *change)).collect();
        if moved.len() > MOST_FOLLOWED || moved.iter().any(|(_, change)| change.abs() > 1) {
            let kinds = moved.iter().flat_map(|(atom, _)| &self.kinds[*atom as usize]);
            return kinds.flatten().copied().collect();
        }
        let of = |sign: i32| moved.iter().filter(move |(_, change)| *change == sign).map(|(atom, _)| *atom);
        let (gives, takes): (Vec<u32>, Vec<u32>) = (of(-1).collect(), of(1).collect());
        self.paired(&gives, &takes)
    }

    /// The smallest set over all pairings of givers with receivers, or with nobody.
    fn paired(&self, gives: &[u32], takes: &[u32]) -> BTreeSet<CellIndex> {
        let Some((give, rest)) = gives.split_first() else {
            return takes.iter().flat_map(|take| self.way((None, Some(*take)))).collect();
        };
        let option = |partner: Option<u32>| {
            let left: Vec<u32> = takes.iter().copied().filter(|take| Some(*take) != partner).collect();
            let mut found = self.paired(rest, &left);
            found.extend(self.way((Some(*give), partner)));
            found
        };
        let options = takes.iter().copied().map(Some).chain([None]).map(option);
        options.min_by_key(|cells| self.weight(cells)).unwrap_or_default()
    }

    fn weight<'a>(&self, cells: impl IntoIterator<Item = &'a CellIndex>) -> usize {
        cells.into_iter().map(|cell| if self.bortfall[*cell] { BORTFALL } else { 1 }).sum()
    }

    /// The finer totals that one record's way, there or back, may change.
    fn way(&self, (from, to): Way) -> BTreeSet<CellIndex> {
        let way = if from <= to { (from, to) } else { (to, from) };
        if let Some(known) = self.ways.borrow().get(&way) {
            return known.clone();
        }
        let mut cells = self.one_way(way.0, way.1);
        cells.extend(self.one_way(way.1, way.0));
        self.ways.borrow_mut().insert(way, cells.clone());
        cells
    }

    fn one_way(&self, from: Option<u32>, to: Option<u32>) -> BTreeSet<CellIndex> {
        const NOTHING: &[CellIndex] = &[];
        let of = |end: Option<u32>| &self.kinds[end.map_or(self.kinds.len() - 1, |atom| atom as usize)];
        let receivers: Vec<&[CellIndex]> =
            of(to).iter().map(Vec::as_slice).chain(to.is_none().then_some(NOTHING)).collect();
        // From nowhere comes a new record; none is taken from other tables, where there may be none.
        let givers: Vec<&[CellIndex]> =
            if from.is_none() { vec![NOTHING] } else { of(from).iter().map(Vec::as_slice).collect() };
        let mut cells = BTreeSet::new();
        for giver in givers {
            let differ = |receiver: &&[CellIndex]| -> Vec<CellIndex> {
                let only = |one: &[CellIndex], other: &[CellIndex]| -> Vec<CellIndex> {
                    one.iter().filter(|cell| other.binary_search(cell).is_err()).copied().collect()
                };
                let mut cells = only(giver, receiver);
                cells.extend(only(receiver, giver));
                cells
            };
            let best = receivers.iter().map(differ).min_by_key(|cells| self.weight(cells));
            cells.extend(best.unwrap_or_default());
        }
        cells
    }
}
