//! Counties whose publication is extended by tables of other cuts: what both show together gives nothing away.
//!
//! The audit certified the extension as one publication, since it holds the first as it was; here an adversary reads it with the true
//! counts at hand, and each kommun with its own.

use std::collections::{BTreeMap, BTreeSet};

use audit::Budget;
use audit::adversary::Adversary;
use audit::interval::{Engine, Reach};
use jiff::civil::Date;
use kit::Made;
use kit::extended::{Extended, extended};
use kit::made::made_county_of;
use kit::random::random_county_of;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::figures::Mark;
use tables::system::System;

use crate::common::key;

/// Cuts that no table of the first version has.
const NEW: &str = r#"
[[tabell]]
id = "N1"
titel = "Aktualiseringar efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true
"#;

/// TRUE-1, TRUE-2, SAFE-3: what the first shows and withholds stays, new totals are right and none is small.
fn assert_whole(made: &Extended) -> usize {
    let (first, second) = (made.first.release.figures(), made.second.figures());
    let before = made.extension.figures(first);
    assert_eq!(before.per_unit, second.per_unit, "no figure of a kommun is added or taken away");
    for (cell, mark) in &before.totals {
        assert_eq!(second.totals.get(cell), Some(mark), "cell {cell}");
    }
    let mut shown = 0;
    for (cell, mark) in &second.totals {
        let Mark::Shown(value) = mark else { continue };
        assert_eq!(*value, made.after.total(*cell), "cell {cell}");
        let is_new = !before.totals.contains_key(cell) && made.after.system.cells[*cell].is_count;
        assert!(!is_new || !(1..4).contains(value), "cell {cell} is small");
        shown += usize::from(is_new);
    }
    shown
}

/// Of the small totals, how many values under the threshold each may have for a reader of both who also knows some units' counts.
fn values_left(made: &Extended, knows: &[usize]) -> Vec<usize> {
    let counts = made.after.unit_values();
    let own: BTreeMap<usize, &[u64]> = knows.iter().map(|unit| (*unit, counts[*unit].as_slice())).collect();
    let adversary = Adversary::reader(&made.after.system, made.second.figures(), &[]).with_own(own);
    let Ok(mut sight) = adversary.sight(&[], Budget::default()) else { panic!("a contradiction") };
    let smalls: Vec<(usize, u32)> = made
        .after
        .statuses()
        .into_iter()
        .enumerate()
        .flat_map(|(unit, own)| (0u32..).zip(own).map(move |(atom, status)| (unit, atom, status)))
        .filter(|(unit, _, status)| *status == tables::count::FineStatus::Small && !knows.contains(unit))
        .map(|(unit, atom, _)| (unit, atom))
        .collect();
    let terms: Vec<_> = smalls.iter().map(|(unit, atom)| sight.unit_terms(*unit, &[*atom])).collect();
    let asked: Vec<_> = terms.into_iter().map(|terms| sight.view.target(terms)).collect();
    let Ok(mut engine) = Engine::new(&sight.view, Budget::default(), &|| false) else {
        panic!("a contradiction")
    };
    let mut left = |target| (1..=8).filter(|value| engine.attainable(target, *value).0 == Reach::Yes).count();
    asked.into_iter().map(&mut left).collect()
}

#[test]
fn safe_1_the_made_county_is_extended_and_nobody_narrows_a_small_cell() {
    let made = extended(&|document| made_county_of(2024, document), NEW, &key()).unwrap();
    assert!(assert_whole(&made) > 5, "some new totals are shown");
    let reader = values_left(&made, &[]);
    assert!(!reader.is_empty() && reader.iter().all(|left| *left >= 3), "SAFE-1: {reader:?}");
    for unit in [0, 5] {
        let left = values_left(&made, &[unit]);
        assert!(left.iter().all(|left| *left >= 2), "SAFE-2, unit {unit}: {left:?}");
    }
}

#[test]
fn counties_with_lines_of_small_cells_are_extended_or_show_what_they_did() {
    for seed in [2, 4, 9] {
        let made = extended(&|document| random_county_of(seed, document), NEW, &key());
        let made = made.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        assert_whole(&made);
    }
}

const CHILDREN: &str = r#"id = "barn-prov"
version = 1
titel = "Prov"
lan = "21"
min_count = 4
kodbok = "barn/1"
perioder = ["2024"]
deltagare = ["2101", "2104", "2121", "2132", "2161", "2180", "2181"]
minst_kommuner = 5
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "Prov"
kalla = "Prov"

[[tabell]]
id = "B1"
titel = "Efter kommun och typ"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp"]
[[tabell]]
id = "B2"
titel = "Efter åldersgrupp och kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aldersgrupp", "kon"]
"#;

const SHIFTED: &str = r#"
[[tabell]]
id = "B3"
titel = "Efter åldersgrupp enligt skolform och kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aldersgrupp_skola", "kon"]
ny = true
"#;

/// Children of whom many ages have few.
fn children(document: &dyn Fn(String) -> String) -> anyhow::Result<Made> {
    let codebook = Codebook::barn()?;
    let collection = Collection::from_toml(&document(CHILDREN.into()), &codebook)?;
    let system = System::new(&collection, &codebook)?;
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut counts = BTreeMap::new();
    for unit in &collection.units {
        let mut own = system.empty_counts();
        for _ in 0..60 {
            let mut below = |bound: u64| (rng.next_u64() % bound) as u16;
            let mut codes = vec![None; codebook.variables.len()];
            for (variable, spec) in codebook.variables.iter().enumerate() {
                let many = spec.codes.len() as u64;
                codes[variable] = Some(below(many).min(below(many)));
            }
            system.count(&mut own, Date::new(2024, 3, 1)?, &codes);
        }
        counts.insert(unit.clone(), own);
    }
    Ok(Made { codebook, collection, system, counts })
}

/// Shifted age groups: the difference of two sums of ages is an age, with few children in it.
#[test]
fn safe_1_shifted_age_groups_beside_the_first_give_no_small_age_away() {
    let made = extended(&children, SHIFTED, &key()).unwrap();
    let shown = assert_whole(&made);
    assert!(shown > 3, "{shown} new totals are shown");
    // By sex, all ages that a reader can set apart by adding and subtracting what both versions show.
    let (system, figures) = (&made.after.system, made.second.figures());
    let known: Vec<(BTreeSet<u32>, u64)> = figures
        .totals
        .iter()
        .filter_map(|(cell, mark)| Some((system.cells[*cell].atoms.iter().copied().collect(), mark.shown()?)))
        .collect();
    for (one, many) in &known {
        for (two, fewer) in known.iter().filter(|(two, _)| two.is_subset(one) && two != one) {
            assert!(
                !(1..4).contains(&(many - fewer)),
                "a set of ages with few children: {}",
                one.len() - two.len()
            );
        }
        for (two, other) in &known {
            for (three, third) in known.iter().filter(|(three, _)| three.is_disjoint(two)) {
                let union: BTreeSet<u32> = two.union(three).copied().collect();
                if union.is_subset(one) && union != *one {
                    assert!(!(1..4).contains(&(many - other - third)), "what three sums tell");
                }
            }
        }
    }
}
