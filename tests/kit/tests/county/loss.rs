//! What the county loses against its printed report, cell by cell: run with `--nocapture`.

use county::figures::expected_ratios;
use county::{ExpectedCell, Measure, expected_cells};
use kit::Key;

use crate::common::{SEEDS, SMALL, case, key_of};

fn lost(seed: u64) -> Vec<(ExpectedCell, bool)> {
    let gone = |cell: &ExpectedCell| case(seed).released.published.get(&key_of(cell)) == Err("x");
    expected_cells()
        .into_iter()
        .filter(gone)
        .map(|cell| (cell.clone(), SMALL.contains(&cell.value.into())))
        .collect()
}

#[test]
fn the_county_loses_few_of_its_printed_counts() {
    for seed in SEEDS {
        let lost = lost(seed);
        let small = lost.iter().filter(|(_, small)| *small).count();
        if seed == SEEDS[0] {
            println!("tabell omrade koder tid varför");
            for (cell, small) in &lost {
                let codes: Vec<_> =
                    cell.codes.iter().map(|(variable, code)| format!("{variable}={code}")).collect();
                let why = if *small { "small" } else { "secondary" };
                println!("{} {} {} {} {why}", cell.table, cell.omrade, codes.join(" "), cell.tid);
            }
        }
        let all = expected_cells().len();
        println!(
            "seed {seed}: {} of {all} printed counts: {small} small, {} secondary",
            lost.len(),
            lost.len() - small
        );
        assert!(small >= 8 && lost.len() <= 40, "{small} small of {}", lost.len());
        let is_margin = |(cell, _): &&(ExpectedCell, bool)| cell.codes.iter().any(|(_, code)| *code == "TOT");
        assert_eq!(lost.iter().find(is_margin), None, "a margin is lost");
    }
}

#[test]
fn the_printed_percentages_and_changes_that_are_lost_are_listed() {
    let Some(seed) = SEEDS.first() else { return };
    let (published, collection) = (&case(*seed).released.published, &case(*seed).made.collection);
    let mut lost = 0;
    for cell in expected_ratios().unwrap() {
        let spec = collection.tables.iter().find(|table| table.id == cell.table).unwrap();
        let matt = match cell.measure {
            Measure::ChangeSince(year) => format!("forandring_{year}"),
            _ => spec.percent.as_ref().unwrap().measure.word().to_owned(),
        };
        let key = Key::new(cell.table, cell.omrade, &cell.codes, &cell.tid.to_string(), &matt);
        if published.get(&key) == Err("x") {
            println!("{} {} {:?} {} {matt}", cell.table, cell.omrade, cell.codes, cell.tid);
            lost += 1;
        }
    }
    assert!(lost < 40, "{lost}");
}
