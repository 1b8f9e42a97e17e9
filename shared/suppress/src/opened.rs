//! What opened sums tell together (SAFE-3): sums and differences of them that speak of fewer than three kommuner.
//!
//! Each opened sum hides three kommuner; their difference may hide one. A combination of opened sums is a function of
//! the units' counts; of a kommun it tells nothing new exactly when it follows there from the kommun's readable cells. So
//! the question is linear: is there a combination that is new for one or two kommuner only? It is answered exactly, over
//! the rationals modulo the prime 2^61 − 1.
//!
//! Knows no value. Zeros are as readable as other figures; who cannot see them passes none, and then a kommun counts as
//! hidden although its zero tells.

use std::collections::{BTreeMap, BTreeSet};

use tables::system::{CellIndex, System};
use tables::unit::{KommunKod, Unit};

use crate::span::{P, Span, Sparse, mul};
use crate::totals::LEAST_HIDDEN;

/// The opened cells of a combination that hides one or two kommuner; `None` when there is none. `zeros[unit]` are unit
/// atoms that a published zero empties (none, or one set a unit).
pub fn thin_combination(
    system: &System,
    units: &[Unit],
    withheld: &[BTreeSet<CellIndex>],
    zeros: &[BTreeSet<u32>],
    open: &BTreeSet<CellIndex>,
) -> Option<BTreeSet<CellIndex>> {
    let combinations = over_units(system, open);
    let mut spaces = BTreeMap::<KommunKod, BTreeSet<Vec<(u32, u64)>>>::new();
    let none = BTreeSet::new();
    for (at, unit) in units.iter().enumerate() {
        let news = news(system, &withheld[at], zeros.get(at).unwrap_or(&none), &combinations);
        spaces.entry(unit.kommun()).or_default().extend(news);
    }
    let width = combinations.len() as u32;
    let thin = told_by_few(spaces.into_values().collect(), width)?;
    let mut cells = BTreeMap::<u32, u64>::new();
    for (at, factor) in thin {
        for (cell, share) in &combinations[at as usize].cells {
            let entry = cells.entry(*cell).or_default();
            *entry = (*entry + mul(factor, *share)) % P;
        }
    }
    Some(cells.into_iter().filter(|(_, factor)| *factor != 0).map(|(cell, _)| cell as CellIndex).collect())
}

/// A combination of opened cells that is a combination of whole unit atoms.
struct Combination {
    cells: Sparse,
    unit_atoms: Sparse,
}

/// A basis of what opened cells say of unit atoms.
fn over_units(system: &System, open: &BTreeSet<CellIndex>) -> Vec<Combination> {
    // Full atoms of one unit atom in the same opened cells are one kind.
    let mut lists = vec![Vec::new(); system.atoms];
    for cell in open {
        system.cells[*cell].atoms.iter().for_each(|atom| lists[*atom as usize].push(*cell as u32));
    }
    let outside = system.unit_atoms as u32;
    let mut kinds = BTreeMap::<(u32, Vec<u32>), u32>::new();
    for (list, unit_atom) in lists.into_iter().zip(&system.unit_atom_of) {
        let fresh = kinds.len() as u32;
        kinds.entry((unit_atom.unwrap_or(outside), list)).or_insert(fresh);
    }
    // The first kind of a unit atom stands for it: subtracting it leaves what is finer than unit atoms.
    let mut first = BTreeMap::<u32, &Vec<u32>>::new();
    for (unit_atom, list) in kinds.keys().filter(|(unit_atom, _)| *unit_atom != outside) {
        first.entry(*unit_atom).or_insert(list);
    }
    let holds = |list: &Vec<u32>, cell: u32| u64::from(list.binary_search(&cell).is_ok());
    let (mut finer, mut whole, mut found) = (Span::default(), Span::default(), Vec::new());
    for cell in open.iter().map(|cell| *cell as u32) {
        let mut vector = Sparse::new();
        for ((unit_atom, list), kind) in &kinds {
            let base = first.get(unit_atom).map_or(0, |first| holds(first, cell));
            let value = (holds(list, cell) + P - base) % P;
            if value != 0 {
                vector.insert(*kind, value);
            }
        }
        let Some(mut cells) = finer.express_vector(vector.clone()) else {
            finer.insert_vector(cell, vector);
            continue;
        };
        cells.values_mut().for_each(|factor| *factor = (P - *factor) % P);
        cells.insert(cell, 1);
        let mut unit_atoms = Sparse::new();
        for (unit_atom, list) in &first {
            let sum =
                cells.iter().fold(0, |sum, (cell, factor)| (sum + mul(*factor, holds(list, *cell))) % P);
            if sum != 0 {
                unit_atoms.insert(*unit_atom, sum);
            }
        }
        if whole.express_vector(unit_atoms.clone()).is_none() {
            whole.insert_vector(found.len() as u32, unit_atoms.clone());
            found.push(Combination { cells, unit_atoms });
        }
    }
    found
}

/// What the combinations tell of a unit beyond its readable cells: functionals on combinations, one a row.
fn news(
    system: &System,
    withheld: &BTreeSet<CellIndex>,
    zero: &BTreeSet<u32>,
    combinations: &[Combination],
) -> Vec<Vec<(u32, u64)>> {
    let mut readable = Span::default();
    for cell in system.per_unit().filter(|cell| !withheld.contains(cell)) {
        let atoms = system.cells[cell].unit_atoms.iter().flatten().copied();
        readable.insert(cell as u32, atoms.filter(|atom| !zero.contains(atom)));
    }
    let mut rows = BTreeMap::<u32, Vec<(u32, u64)>>::new();
    for (at, combination) in combinations.iter().enumerate() {
        let mut vector = combination.unit_atoms.clone();
        vector.retain(|atom, _| !zero.contains(atom));
        for (atom, value) in readable.rest(vector) {
            rows.entry(atom).or_default().push((at as u32, value));
        }
    }
    rows.into_values().collect()
}

/// A combination on which all rows of all but one or two kommuner vanish, and some row of those does not.
pub(crate) fn told_by_few(kommuner: Vec<BTreeSet<Vec<(u32, u64)>>>, width: u32) -> Option<Sparse> {
    // A row that three kommuner have survives the loss of two.
    let mut times = BTreeMap::<&Vec<(u32, u64)>, usize>::new();
    kommuner.iter().flatten().for_each(|row| *times.entry(row).or_default() += 1);
    let mut often = Span::default();
    for (row, _) in times.iter().filter(|(_, times)| **times >= LEAST_HIDDEN) {
        often.insert_vector(0, row.iter().copied().collect());
    }
    let rests: Vec<Vec<Sparse>> = kommuner
        .iter()
        .map(|rows| {
            let rest = |row: &Vec<(u32, u64)>| often.rest(row.iter().copied().collect());
            rows.iter().map(rest).filter(|rest| !rest.is_empty()).collect()
        })
        .collect();
    let some: Vec<usize> = (0..rests.len()).filter(|at| !rests[*at].is_empty()).collect();
    let pairs = some.iter().enumerate().flat_map(|(at, one)| some[at..].iter().map(move |two| (*one, *two)));
    for (one, two) in pairs {
        let mut others = often.clone();
        for rest in some.iter().filter(|at| **at != one && **at != two).flat_map(|at| &rests[*at]) {
            if others.rank() == width as usize {
                break;
            }
            others.insert_vector(0, rest.clone());
        }
        if others.rank() == width as usize {
            continue;
        }
        let mine = rests[one].iter().chain(&rests[two]);
        if let Some(thin) = mine.filter_map(|row| others.orthogonal(row, width)).next() {
            return Some(thin);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, one_way};

    const UNITS: [&str; 6] = ["2101", "2104", "2121", "2132", "2161", "2181"];

    fn fixture() -> Fixture {
        Fixture::new(&UNITS, "\"2024\"", &one_way(&["ansokan", "anmalan", "yttrande"]))
    }

    fn ask(fixture: &Fixture, marks: &[&[&str]], open: &[&str]) -> Option<usize> {
        let cell = |code: &&str| fixture.cell("T1", &[code], "2024");
        let withheld: Vec<BTreeSet<CellIndex>> =
            marks.iter().map(|codes| codes.iter().map(cell).collect()).collect();
        let open = open.iter().map(cell).collect();
        thin_combination(&fixture.system, &fixture.collection.units, &withheld, &[], &open)
            .map(|cells| cells.len())
    }

    #[test]
    fn safe_3_two_opened_sums_whose_difference_is_one_kommuns_is_found() {
        let fixture = fixture();
        // TOT hides four kommuner, two columns hide the same and one more: the rest is that one's alone.
        let three: &[&str] = &["TOT", "ansokan"];
        let marks: [&[&str]; 6] = [three, three, three, &["ansokan", "anmalan"], &[], &[]];
        assert_eq!(ask(&fixture, &marks, &["TOT", "ansokan"]), Some(2));
        assert_eq!(ask(&fixture, &marks, &["ansokan"]), None, "alone it hides four");
        assert_eq!(ask(&fixture, &marks, &["TOT"]), None, "alone it hides three");
    }

    #[test]
    fn safe_3_a_sum_that_hides_two_is_found_and_one_that_hides_three_or_nobody_is_not() {
        let fixture = fixture();
        let both: &[&str] = &["ansokan", "anmalan"];
        assert_eq!(ask(&fixture, &[both, both, &[], &[], &[], &[]], &["ansokan"]), Some(1));
        assert_eq!(ask(&fixture, &[both, both, both, &[], &[], &[]], &["ansokan"]), None);
        assert_eq!(ask(&fixture, &[&[], &[], &[], &[], &[], &[]], &["ansokan", "TOT"]), None);
    }

    #[test]
    fn safe_3_sums_over_kommuner_that_differ_in_what_they_hide_are_judged_together() {
        let fixture = fixture();
        let marks: [&[&str]; 6] = [
            &["ansokan", "anmalan"],
            &["ansokan", "anmalan"],
            &["ansokan", "anmalan"],
            &["anmalan", "yttrande"],
            &["anmalan", "yttrande"],
            &[],
        ];
        assert_eq!(ask(&fixture, &marks, &["ansokan", "anmalan"]), Some(2), "their sum is two kommuner's");
    }
}
