//! Incomplete registrations of two tables together can be a small difference that no single subtraction gives. What the
//! suppressor leaves out, the audit must leave out too, and the other way round, or nothing is ever published.

use std::collections::BTreeSet;

use kit::{COUNT, Key, Made, made_county, released};
use tables::system::{CellIndex, Counts};

use crate::common::{COUNTY, key};

fn labelled(made: &Made, label: &str) -> CellIndex {
    made.system.cells.iter().position(|cell| cell.label == label).unwrap_or_else(|| panic!("no cell {label}"))
}

/// Leaves one record of all units in a set of atoms.
fn leave_one(made: &mut Made, atoms: &BTreeSet<u32>) {
    let mut left = 1;
    for counts in made.counts.values_mut() {
        let mut stored = counts.to_stored().to_vec();
        for atom in atoms {
            let here = &mut stored[*atom as usize];
            *here = (*here).min(left);
            left -= *here;
        }
        *counts = Counts::from_stored(&made.system, stored).unwrap();
    }
    assert_eq!(left, 0, "the set holds no record at all");
}

#[test]
fn a_small_difference_made_of_two_tables_incomplete_registrations_is_settled_alike_by_both_stages() {
    let mut made = made_county(2024).unwrap();
    let atoms = |made: &Made, label: &str| -> BTreeSet<u32> {
        made.system.cells[labelled(made, label)].atoms.iter().copied().collect()
    };
    let women = atoms(&made, "T05 aktualiseringstyp=TOT kon=kvinna 2024");
    for table in ["T08", "T11"] {
        let lacking: BTreeSet<u32> =
            atoms(&made, &format!("{table} bortfall 2024")).intersection(&women).copied().collect();
        leave_one(&mut made, &lacking);
    }
    // T05 kvinna less T08 kvinna less T11 kvinna: two women's matters without orsak.
    let released = released(&made, &key()).unwrap();
    let get = |table, codes: &[(&str, &str)]| {
        released.published.get(&Key::new(table, COUNTY, codes, "2024", COUNT))
    };
    let all = get("T05", &[("aktualiseringstyp", "TOT"), ("kon", "kvinna")]);
    let one = get("T08", &[("aktualiseringstyp", "ansokan"), ("orsak_ansokan", "TOT"), ("kon", "kvinna")]);
    let two = get("T11", &[("aktualiseringstyp", "anmalan"), ("orsak_anmalan", "TOT"), ("kon", "kvinna")]);
    println!(
        "shown: {} {} {}; {} secondary totals",
        all.is_ok(),
        one.is_ok(),
        two.is_ok(),
        released.secondary.len()
    );
    assert!(all.is_ok(), "a grand total of T05 is not withheld for registrations");
}
