//! SAME-1: the same inputs and key give the same bytes, in whatever order kommuner deliver.

use std::collections::BTreeMap;

use kit::made::made_in_order;
use kit::{made_county, released};
use suppress::blind::choose;
use suppress::key::PatternKey;

use crate::common::{case, key};

#[test]
fn same_1_the_same_seed_and_key_give_byte_identical_files() {
    let again = released(&made_county(7).unwrap(), &key()).unwrap();
    assert_eq!(again.published.files.len(), 14);
    assert!(again.published.files == case(7).released.published.files);
    // Other rows, the same figures: a seed deals rows to the report's counts, so the publication is the same as well.
    assert!(again.published.files == case(1).released.published.files);
}

#[test]
fn same_1_the_order_in_which_kommuner_s_files_are_read_changes_nothing() {
    let backwards: Vec<usize> = (0..10).rev().collect();
    for order in [backwards.as_slice(), &[3, 7, 0, 9, 1, 5, 2, 8, 6, 4]] {
        let other = released(&made_in_order(7, order).unwrap(), &key()).unwrap();
        assert!(other.published.files == case(7).released.published.files);
    }
}

#[test]
fn same_1_the_order_of_the_roster_changes_no_unit_s_pattern() {
    let made = &case(7).made;
    let (units, statuses) = (made.units(), made.statuses());
    let straight = choose(&made.system, &units, &statuses, &key(), &[]).unwrap();
    let order = [3, 7, 0, 9, 1, 5, 2, 8, 6, 4];
    let units_there: Vec<_> = order.iter().map(|at: &usize| units[*at].clone()).collect();
    let statuses_there: Vec<_> = order.iter().map(|at| statuses[*at].clone()).collect();
    let there = choose(&made.system, &units_there, &statuses_there, &key(), &[]).unwrap();
    let by_unit = |units: &[tables::unit::Unit],
                   withheld: &[std::collections::BTreeSet<usize>]|
     -> BTreeMap<_, _> { units.iter().cloned().zip(withheld.iter().cloned()).collect() };
    assert_eq!(by_unit(&units, &straight.withheld), by_unit(&units_there, &there.withheld));
    assert_eq!((straight.open, straight.closed), (there.open, there.closed));
}

#[test]
fn any_other_key_certifies_too_and_withholds_as_many_cells() {
    let made = &case(7).made;
    let withheld = |files: &BTreeMap<String, String>| -> usize {
        let rows = files.values().flat_map(|text| text.lines());
        rows.filter(|row| row.contains(",aktualiseringar,") && row.ends_with(",x")).count()
    };
    let own = withheld(&case(7).released.published.files);
    let mut differs = false;
    for byte in [1, 2, 3] {
        let other = released(made, &PatternKey::new(&[byte; 32])).unwrap();
        assert_eq!(withheld(&other.published.files), own);
        differs |= other.published.files != case(7).released.published.files;
    }
    assert!(differs, "a reader cannot rerun the choice without the key");
}
