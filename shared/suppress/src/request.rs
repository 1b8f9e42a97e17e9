//! Phase 3b, at the node: lines whose withheld sum is so small that a coordinator that knows plain from small
//! could narrow a small cell.
//!
//! The rule is *simulatable*: it uses the withheld sum, which the coordinator can compute from what is
//! published, and the statuses it has, so that asking tells it nothing (SAFE-3). Asks once; decides nothing.

use std::collections::BTreeSet;

use tables::count::{FineStatus, MinCount};
use tables::system::{CellIndex, System};

/// The withheld sum of a line from which none of its small cells is narrowed: `t·plain + small + t − 2`. With
/// every plain cell at least `t` and the other small ones at least 1, a small cell may still be `t − 1`.
pub fn needs_more(threshold: MinCount, plain: usize, small: usize) -> u64 {
    let t = u64::from(threshold.get());
    t * plain as u64 + small as u64 + t - 2
}

/// The lines of a unit to ask more for: per shown printed cell the unit atoms that are left when shown
/// printed cells inside it are subtracted. `values` are the unit's counts per unit atom. Ascending, without
/// repetition.
pub fn lines(
    system: &System,
    threshold: MinCount,
    withheld: &BTreeSet<CellIndex>,
    values: &[u64],
) -> Vec<Vec<u32>> {
    let shown: Vec<CellIndex> = system.per_unit().filter(|cell| !withheld.contains(cell)).collect();
    let mut found = BTreeSet::new();
    for whole in &shown {
        let left = remainder(system, &shown, *whole);
        let nonzero: Vec<u32> = left.into_iter().filter(|atom| values[*atom as usize] > 0).collect();
        let of = |status| {
            nonzero.iter().filter(|atom| threshold.status(values[**atom as usize]) == status).count()
        };
        let (plain, small) = (of(FineStatus::Plain), of(FineStatus::Small));
        let sum: u64 = nonzero.iter().map(|atom| values[*atom as usize]).sum();
        if small > 0 && sum < needs_more(threshold, plain, small) {
            found.insert(nonzero);
        }
    }
    found.into_iter().collect()
}

fn remainder(system: &System, shown: &[CellIndex], whole: CellIndex) -> BTreeSet<u32> {
    let atoms = |cell: CellIndex| system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
    let mut left: BTreeSet<u32> = atoms(whole).iter().copied().collect();
    let mut parts: Vec<CellIndex> = shown.iter().copied().filter(|part| *part != whole).collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(atoms(*part).len()), *part));
    for part in parts {
        if atoms(part).iter().all(|atom| left.contains(atom)) {
            atoms(part).iter().for_each(|atom| _ = left.remove(atom));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, one_way};

    const THREE: [&str; 3] = ["ansokan", "anmalan", "yttrande"];

    fn asked(row: [u64; 3], withheld: &[&str]) -> Vec<Vec<u32>> {
        let fixture = Fixture::new(&["2101", "2104", "2121", "2132", "2161"], "\"2024\"", &one_way(&THREE));
        let mut values = vec![0; 3];
        for (code, value) in THREE.iter().zip(row) {
            values[fixture.atom("T1", &[code], "2024") as usize] = value;
        }
        let withheld = withheld.iter().map(|code| fixture.cell("T1", &[code], "2024")).collect();
        lines(&fixture.system, MinCount::default(), &withheld, &values)
    }

    #[test]
    fn one_and_six_with_seven_published_is_enough_and_one_and_five_is_not() {
        assert_eq!(needs_more(MinCount::default(), 1, 1), 7);
        assert!(asked([6, 9, 1], &["ansokan", "yttrande"]).is_empty());
        let asked = asked([5, 9, 1], &["ansokan", "yttrande"]);
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].len(), 2, "the two withheld cells of the row");
    }

    #[test]
    fn a_line_whose_total_is_withheld_too_asks_nothing() {
        assert!(asked([4, 9, 1], &["ansokan", "yttrande", "TOT"]).is_empty());
    }

    #[test]
    fn zeros_and_lines_without_small_cells_count_for_nothing() {
        assert!(asked([4, 4, 0], &["ansokan", "anmalan"]).is_empty(), "nothing small in the line");
        assert_eq!(asked([4, 9, 1], &["ansokan", "yttrande"]).len(), 1);
        assert!(asked([4, 4, 4], &[]).is_empty(), "nothing is withheld");
    }

    #[test]
    fn the_bound_is_reached_exactly_when_a_small_cell_may_still_be_the_largest_small_number() {
        // Brute force over the statuses: p = t − 1 fits a sum S iff S − (t − 1) is enough for the others.
        for t in 4..9u32 {
            let threshold = MinCount::new(t).unwrap();
            for (plain, small) in [(1, 1), (1, 2), (2, 1), (0, 3), (3, 3)] {
                let others = u64::from(t) * plain as u64 + (small as u64 - 1);
                let bound = needs_more(threshold, plain, small);
                assert_eq!(bound - others, u64::from(t) - 1);
            }
        }
    }
}
