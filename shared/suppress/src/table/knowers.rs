//! Who knows cells of their own: units (SAFE-2), and, where asked for, whoever is alone in a cell of one.
//!
//! Each is a number: units as the shape numbers them, persons after them. Holds no name and no count.

use super::shape::Shape;
use super::system::{Presence, System};
use super::witness::{Step, Witness};
use super::{Mark, Options};

/// The cells of those who know some.
#[derive(Clone)]
pub struct Knowers {
    /// Per cell whoever is alone in it; empty when nobody asked for that.
    persons: Vec<u32>,
}

/// No person.
const NONE: u32 = u32::MAX;
/// Persons' numbers begin after those of all units.
const PERSONS: u32 = 1 << 16;

impl Knowers {
    /// Those of a system.
    pub fn new(system: &System, options: &Options) -> Self {
        let persons = if options.singleton { persons(system) } else { Vec::new() };
        Self { persons }
    }

    /// Whoever is alone in a cell.
    pub fn person(&self, cell: u32) -> Option<u32> {
        self.persons.get(cell as usize).copied().filter(|person| *person != NONE)
    }

    /// All of them, sorted.
    pub fn all(&self, shape: &Shape) -> Vec<u32> {
        let units = (0..shape.total_code(0)).filter_map(|code| shape.unit(code)).map(u32::from);
        let mut all: Vec<u32> =
            units.chain(self.persons.iter().copied().filter(|person| *person != NONE)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether a cell is known to one of some; units are told by [`Self::unit_in`].
    pub fn known_to(&self, cell: u32, some: &[u32]) -> bool {
        !self.persons.is_empty()
            && !some.is_empty()
            && self.person(cell).is_some_and(|person| some.contains(&person))
    }

    /// Whether a code of the first dimension belongs to one of some units.
    pub fn unit_in(shape: &Shape, code: u32, some: &[u32]) -> bool {
        !some.is_empty() && shape.unit(code).is_some_and(|unit| some.contains(&u32::from(unit)))
    }

    /// Whoever knows a cell that a witness changes, and does not know the witness's own, sorted.
    pub fn of(&self, shape: &Shape, marks: &[Mark], witness: &Witness, insider: bool) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let own = shape.unit_of(witness.cell);
        let products = witness.steps.iter().all(|step| matches!(step, Step::Product(_)));
        if insider && products {
            for step in &witness.steps {
                if let Step::Product(product) = step {
                    let ends = [shape.code(product.cell, 0), u32::from(product.other[0])];
                    let units = ends.into_iter().filter_map(|code| shape.unit(code));
                    found.extend(units.filter(|unit| Some(*unit) != own).map(u32::from));
                }
            }
        }
        if (insider && !products) || !self.persons.is_empty() {
            let own_person = self.person(witness.cell);
            for (cell, _) in witness.changes(shape, marks) {
                if insider && !products {
                    let unit = shape.unit_of(cell);
                    found.extend(unit.filter(|_| unit != own).map(u32::from));
                }
                found.extend(self.person(cell).filter(|person| Some(*person) != own_person));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Per cell of one the person in it: the same for a total of one and its part of one.
fn persons(system: &System) -> Vec<u32> {
    let shape = &system.shape;
    let one =
        |cell: u32| system.presence[cell as usize] != Presence::Absent && system.values[cell as usize] == 1;
    let mut same: Vec<u32> = (0..shape.len()).collect();
    for cell in (0..shape.len()).filter(|cell| one(*cell)) {
        for parts in shape.relations_under(cell) {
            for part in parts.filter(|part| one(*part)) {
                let (a, b) = (root(&mut same, cell), root(&mut same, part));
                same[a.max(b) as usize] = a.min(b);
            }
        }
    }
    (0..shape.len()).map(|cell| if one(cell) { PERSONS + root(&mut same, cell) } else { NONE }).collect()
}

fn root(same: &mut [u32], mut cell: u32) -> u32 {
    while same[cell as usize] != cell {
        same[cell as usize] = same[same[cell as usize] as usize];
        cell = same[cell as usize];
    }
    cell
}
