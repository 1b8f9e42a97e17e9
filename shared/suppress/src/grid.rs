//! The board on which witnesses are laid: units by unit atoms, with what each printed cell holds.
//!
//! Knows statuses and no values. Units are in ascending order here whatever order the caller had them in, so
//! the choice cannot depend on it.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::system::{CellIndex, System};
use tables::unit::Unit;

use crate::key::PatternKey;
use crate::reach::Reaches;

/// A sparse change of `(unit, unit atom)`, without zeros.
pub type Vector = BTreeMap<(u32, u32), i32>;

/// What it costs to withhold one more printed cell; a unit's margin costs half as much again ("rarely a
/// unit's total"), and among equal numbers the smaller cell is preferred.
const CELL: u64 = 1_000_000;
/// What it costs to close a total: more than any number of unit cells a witness could touch instead.
const TOTAL: u64 = 1 << 40;

/// Statuses, printed cells and prices.
pub struct Grid<'a> {
    /// The cells.
    pub system: &'a System,
    /// The units, ascending.
    pub units: Vec<Unit>,
    /// Per unit a number of its kommun.
    pub kommun: Vec<u32>,
    /// Per unit and unit atom.
    pub status: Vec<&'a [FineStatus]>,
    /// Per unit atom the cells printed per unit that hold it, ascending.
    pub cells_of: Vec<Vec<CellIndex>>,
    price: Vec<u64>,
    reach: Reaches,
    unit_tag: Vec<u64>,
    atom_tag: Vec<u64>,
}

impl<'a> Grid<'a> {
    /// `units` ascending; one status per unit atom and unit (checked by the caller).
    pub fn new(system: &'a System, units: &[&Unit], status: Vec<&'a [FineStatus]>, key: &PatternKey) -> Self {
        let mut cells_of = vec![Vec::new(); system.unit_atoms];
        for cell in system.per_unit() {
            for atom in system.cells[cell].unit_atoms.iter().flatten() {
                cells_of[*atom as usize].push(cell);
            }
        }
        let kommuner: BTreeSet<_> = units.iter().map(|unit| unit.kommun()).collect();
        let number: BTreeMap<_, _> = kommuner.into_iter().zip(0..).collect();
        let tag_of = |cells: &Vec<CellIndex>| {
            let mut names: Vec<&[u8]> =
                cells.iter().map(|cell| &system.cells[*cell].definition[..]).collect();
            names.sort_unstable();
            names.insert(0, b"atom");
            key.tag(&names)
        };
        Self {
            system,
            units: units.iter().map(|unit| (*unit).clone()).collect(),
            kommun: units.iter().map(|unit| number[&unit.kommun()]).collect(),
            status,
            price: prices(system),
            reach: Reaches::new(system),
            unit_tag: units.iter().map(|unit| key.tag(&[b"unit", unit.to_string().as_bytes()])).collect(),
            atom_tag: cells_of.iter().map(tag_of).collect(),
            cells_of,
        }
    }

    /// The status of a unit's atom.
    pub fn at(&self, unit: u32, atom: u32) -> FineStatus {
        self.status[unit as usize][atom as usize]
    }

    /// Whether the count is at least the threshold.
    pub fn plain(&self, unit: u32, atom: u32) -> bool {
        self.at(unit, atom) == FineStatus::Plain
    }

    /// Indices of the units.
    pub fn units(&self) -> std::ops::Range<u32> {
        0..self.status.len() as u32
    }

    /// All small unit atoms, by unit, then atom.
    pub fn smalls(&self) -> Vec<(u32, u32)> {
        let of = |unit| (0..self.system.unit_atoms as u32).map(move |atom| (unit, atom));
        self.units().flat_map(of).filter(|(unit, atom)| self.at(*unit, *atom) == FineStatus::Small).collect()
    }

    /// The price of withholding a unit's printed cell.
    pub fn price(&self, cell: CellIndex) -> u64 {
        self.price[cell]
    }

    /// The price of closing a total.
    pub fn total_price(&self, cell: CellIndex) -> u64 {
        TOTAL + self.system.cells[cell].atoms.len() as u64
    }

    /// A number that orders equally dear choices; unknown without the key.
    pub fn tie(&self, unit: u32, atom: u32) -> u64 {
        let (unit, atom) = (self.unit_tag[unit as usize], self.atom_tag[atom as usize]);
        (unit ^ atom.rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// The tie-breaker of a whole vector.
    pub fn tie_of(&self, vector: &Vector) -> u64 {
        vector.keys().fold(0, |sum, (unit, atom)| sum.wrapping_add(self.tie(*unit, *atom)))
    }

    /// The printed cells of units that the vector changes.
    pub fn touched(&self, vector: &Vector) -> BTreeSet<(u32, CellIndex)> {
        let mut sums = BTreeMap::new();
        for ((unit, atom), change) in vector {
            for cell in &self.cells_of[*atom as usize] {
                *sums.entry((*unit, *cell)).or_insert(0) += change;
            }
        }
        sums.into_iter().filter_map(|(place, sum)| (sum != 0).then_some(place)).collect()
    }

    /// The totals over the roster that a change of the roster's unit atoms may change: unions of unit atoms
    /// whose sum changes, and every cell that holds only a part of a changed one (where its records lie is
    /// not known).
    pub fn totals_changed(&self, drift: &BTreeMap<u32, i32>) -> BTreeSet<CellIndex> {
        self.reach.changed(drift)
    }

    /// Printed cells that must be withheld whatever the witnesses: those whose nonzero atoms are all small.
    pub fn small_margins(&self, unit: u32) -> BTreeSet<CellIndex> {
        let small = |cell: &CellIndex| {
            let atoms = self.system.cells[*cell].unit_atoms.iter().flatten();
            let mut any = false;
            for atom in atoms {
                match self.at(unit, *atom) {
                    FineStatus::Plain => return false,
                    FineStatus::Small => any = true,
                    FineStatus::Zero => {}
                }
            }
            any
        };
        self.system.per_unit().filter(small).collect()
    }
}

/// How much of each unit atom the roster's total changes by.
pub fn drift(vector: &Vector) -> BTreeMap<u32, i32> {
    let mut drift = BTreeMap::new();
    for ((_, atom), change) in vector {
        *drift.entry(*atom).or_insert(0) += change;
    }
    drift.retain(|_, change| *change != 0);
    drift
}

fn prices(system: &System) -> Vec<u64> {
    let printed: Vec<CellIndex> = system.per_unit().collect();
    let atoms = |cell: CellIndex| system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
    let mut largest = vec![0; system.unit_atoms]; // the least printed cell that holds the atom
    for cell in &printed {
        for atom in atoms(*cell) {
            let least: &mut usize = &mut largest[*atom as usize];
            *least = if *least == 0 { atoms(*cell).len() } else { (*least).min(atoms(*cell).len()) };
        }
    }
    let is_margin =
        |cell: CellIndex| atoms(cell).iter().any(|atom| largest[*atom as usize] < atoms(cell).len());
    let price = |cell: CellIndex| {
        let base = if is_margin(cell) { CELL + CELL / 2 } else { CELL };
        base + atoms(cell).len() as u64
    };
    (0..system.cells.len()).map(price).collect()
}
