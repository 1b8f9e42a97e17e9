//! TRUE-2: percentages and changes are the report's, and follow from the counts beside them.

use county::Measure;
use county::figures::expected_ratios;
use kit::{COUNT, Entry, Key};
use tables::collection::PercentMeasure;

use crate::common::{SEEDS, case};

/// Whole percent, halves away from zero, in exact integers written apart from the product's.
fn percent(part: i64, base: i64) -> i64 {
    let (twice, sign) = (200 * part.abs(), part.signum());
    sign * ((twice + base) / (2 * base))
}

fn follows(part: Entry, base: Entry, change: bool) -> Entry {
    match (part, base) {
        (Err("x"), _) | (_, Err("x")) => Err("x"),
        (Ok(_), Ok(0)) => Err("."),
        (Ok(part), Ok(base)) => Ok(percent(if change { part - base } else { part }, base)),
        (part, base) => panic!("{part:?} of {base:?}"),
    }
}

#[test]
fn the_percentages_and_changes_of_the_report_are_published_or_withheld_with_their_counts() {
    for seed in SEEDS {
        let (published, collection) = (&case(seed).released.published, &case(seed).made.collection);
        let (mut same, mut withheld) = (0, 0);
        for cell in expected_ratios().unwrap() {
            let spec = collection.tables.iter().find(|table| table.id == cell.table).unwrap();
            let matt = match cell.measure {
                Measure::Percent => spec.percent.as_ref().unwrap().measure.word().to_owned(),
                Measure::ChangeSince(year) => format!("forandring_{year}"),
                Measure::Count => unreachable!("a ratio"),
            };
            match published.get(&Key::new(cell.table, cell.omrade, &cell.codes, &cell.tid.to_string(), &matt))
            {
                Ok(value) => {
                    assert_eq!(value, cell.value, "seed {seed}: {cell:?}");
                    same += 1;
                }
                Err(mark) => {
                    assert_eq!(mark, "x", "{cell:?}");
                    withheld += 1;
                }
            }
        }
        println!("seed {seed}: {same} printed ratios come out, {withheld} are withheld");
        assert!(same > 150 && withheld < 40, "{same} {withheld}");
    }
}

#[test]
fn every_derived_figure_follows_from_the_counts_beside_it_and_is_withheld_only_with_them() {
    for seed in SEEDS {
        let (published, collection) = (&case(seed).released.published, &case(seed).made.collection);
        let mut checked = 0;
        for (key, entry) in &published.rows {
            let part = || published.get(&key.measured(COUNT));
            if let Some(year) = key.matt.strip_prefix("forandring_") {
                assert_eq!(
                    *entry,
                    follows(part(), published.get(&key.measured(COUNT).at(year)), true),
                    "{key:?}"
                );
            } else if key.matt == PercentMeasure::Row.word() || key.matt == PercentMeasure::Column.word() {
                let spec = collection.tables.iter().find(|table| table.id == key.table).unwrap();
                let over = &spec.percent.as_ref().unwrap().over;
                let base = over.iter().fold(key.measured(COUNT), |key, variable| key.with(variable, "TOT"));
                assert_eq!(*entry, follows(part(), published.get(&base), false), "seed {seed}: {key:?}");
            } else {
                continue;
            }
            checked += 1;
        }
        assert!(checked > 250, "{checked}");
    }
}

#[test]
fn halves_go_away_from_zero() {
    assert_eq!([percent(1, 8), percent(-1, 8), percent(1, 200), percent(1, 201)], [13, -13, 1, 0]);
}
