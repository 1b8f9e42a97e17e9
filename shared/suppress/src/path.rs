//! Witnesses where no rectangle fits: cycles through several units and categories, found as shortest paths.
//!
//! A witness with one `+1` and one `−1` in each unit and each unit atom is a cycle in the bipartite graph of
//! units and atoms (Castro's network view of suppression). One more atom, *outside*, stands for leaving a
//! unit's margins changed; one more unit, the *roster*, for totals that change and so stay closed. Dijkstra
//! over atoms; a unit is an edge between two of them, priced by the printed cells that it newly withholds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use tables::count::FineStatus;
use tables::system::CellIndex;

use crate::grid::{Grid, Vector};

/// How far down the ladder a cycle may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Plain corners only; every total stays.
    Plain,
    /// Also totals that stay closed.
    ClosedTotals,
}

/// Fewest kommuner that must be nonzero in an all-small line that is opened (`20-disclosure`, the ladder).
pub const ALL_SMALL_KOMMUNER: usize = 5;

/// What a cycle may use and what is paid for already.
pub struct Search<'s, 'g> {
    /// The board.
    pub grid: &'s Grid<'g>,
    /// The price of withholding a unit's cell now.
    pub price: &'s dyn Fn(u32, CellIndex) -> u64,
    /// The price of closing a total now.
    pub total_price: &'s dyn Fn(CellIndex) -> u64,
    /// Kommuner that must not take part.
    pub avoid: &'s BTreeSet<u32>,
    /// The rung.
    pub rung: Rung,
}

type Key = (u64, u64);
const ROSTER: u32 = u32::MAX;

impl Search<'_, '_> {
    /// The cheapest cycle through the small atom `atom` of `unit`.
    pub fn cycle(&self, unit: u32, atom: u32) -> Option<Vector> {
        let outside = self.grid.system.unit_atoms as u32;
        let (cost, came) = self.spread(unit, atom);
        let closing = |last: u32| -> Option<(Key, u32)> {
            if last == atom || (last != outside && !self.grid.plain(unit, last)) {
                return None;
            }
            let (price, tie) = cost[last as usize]?;
            Some(((price + self.unit_price(unit, last, atom), tie.wrapping_add(self.tie(unit, last))), last))
        };
        let (_, last) = (0..=outside).filter_map(closing).min()?;
        let vector = self.trace(unit, atom, last, &came);
        let fits = vector.get(&(unit, atom)) == Some(&1) && vector.values().all(|change| change.abs() == 1);
        fits.then_some(vector)
    }

    /// Cheapest ways from the small atom's column to every other, through other kommuner's units.
    fn spread(&self, unit: u32, atom: u32) -> (Vec<Option<Key>>, Vec<(u32, u32)>) {
        let columns = self.grid.system.unit_atoms + 1;
        let mut cost = vec![None::<Key>; columns];
        let mut came = vec![(ROSTER, ROSTER); columns];
        let mut done = vec![false; columns];
        let mut heap = BinaryHeap::from([Reverse(((0u64, 0u64), atom))]);
        cost[atom as usize] = Some((0, 0));
        let rows: Vec<u32> = self.rows(unit);
        while let Some(Reverse(((so_far, tie), from))) = heap.pop() {
            if std::mem::replace(&mut done[from as usize], true) {
                continue;
            }
            for row in rows.iter().copied().filter(|row| self.enters(*row, from)) {
                for to in (0..columns as u32).filter(|to| !done[*to as usize] && self.enters(row, *to)) {
                    let key = (so_far + self.row_price(row, from, to), tie.wrapping_add(self.tie(row, to)));
                    if cost[to as usize].is_none_or(|known| key < known) {
                        cost[to as usize] = Some(key);
                        came[to as usize] = (from, row);
                        heap.push(Reverse((key, to)));
                    }
                }
            }
        }
        (cost, came)
    }

    fn rows(&self, unit: u32) -> Vec<u32> {
        let home = self.grid.kommun[unit as usize];
        let other = |row: &u32| {
            let kommun = self.grid.kommun[*row as usize];
            kommun != home && !self.avoid.contains(&kommun)
        };
        let roster = (self.rung >= Rung::ClosedTotals).then_some(ROSTER);
        self.grid.units().filter(other).chain(roster).collect()
    }

    fn enters(&self, row: u32, column: u32) -> bool {
        row == ROSTER || column as usize == self.grid.system.unit_atoms || self.grid.plain(row, column)
    }

    fn row_price(&self, row: u32, from: u32, to: u32) -> u64 {
        if row != ROSTER {
            return self.unit_price(row, from, to);
        }
        let outside = self.grid.system.unit_atoms as u32;
        let drift = [(from, -1), (to, 1)].into_iter().filter(|(atom, _)| *atom != outside).collect();
        self.grid.totals_changed(&drift).into_iter().map(self.total_price).sum()
    }

    fn unit_price(&self, unit: u32, one: u32, two: u32) -> u64 {
        let cells = |atom: u32| self.grid.cells_of.get(atom as usize).map(Vec::as_slice).unwrap_or_default();
        let (one, two) = (cells(one), cells(two));
        let only = |cell: &&CellIndex, other: &[CellIndex]| other.binary_search(cell).is_err();
        let first = one.iter().filter(|cell| only(cell, two));
        first.chain(two.iter().filter(|cell| only(cell, one))).map(|cell| (self.price)(unit, *cell)).sum()
    }

    fn tie(&self, row: u32, column: u32) -> u64 {
        let real = row != ROSTER && (column as usize) < self.grid.system.unit_atoms;
        if real { self.grid.tie(row, column) >> 8 } else { 0 }
    }

    fn trace(&self, unit: u32, atom: u32, last: u32, came: &[(u32, u32)]) -> Vector {
        let outside = self.grid.system.unit_atoms as u32;
        let mut vector = Vector::new();
        let mut add = |row: u32, column: u32, change: i32| {
            if row != ROSTER && column != outside {
                *vector.entry((row, column)).or_default() += change;
            }
        };
        add(unit, atom, 1);
        add(unit, last, -1);
        let mut at = last;
        while at != atom {
            let (from, row) = came[at as usize];
            add(row, from, -1);
            add(row, at, 1);
            at = from;
        }
        vector.retain(|_, change| *change != 0);
        vector
    }
}

/// Whether the nonzero cells of a unit atom are all small and lie in at least [`ALL_SMALL_KOMMUNER`]
/// kommuner.
pub fn is_all_small_line(grid: &Grid<'_>, atom: u32) -> bool {
    let mut kommuner = BTreeMap::new();
    for unit in grid.units() {
        match grid.at(unit, atom) {
            FineStatus::Plain => return false,
            FineStatus::Small => _ = kommuner.insert(grid.kommun[unit as usize], ()),
            FineStatus::Zero => {}
        }
    }
    kommuner.len() >= ALL_SMALL_KOMMUNER
}
