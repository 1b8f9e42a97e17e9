//! SAFE-1 and SAFE-2 on counties made at random, whose lines are often small from end to end: each kommun attacks with its
//! own true counts and everything published, totals of scope `total` included.
//!
//! The audit certified these releases by movements that are possible whatever the counts; here the exact intervals of the
//! adversary's own view are computed with the true counts, which is another way to the same question.

use std::collections::{BTreeMap, BTreeSet};

use audit::Budget;
use audit::adversary::Adversary;
use audit::interval::{Engine, Reach};
use kit::{Made, Released, random_county, released};
use tables::count::FineStatus;

use crate::common::key;

/// A county with an all-small line whose total is closed, so that its cells are protected by transfers alone.
const SEEDS: [u64; 1] = [4];

/// Small finest cells: unit and unit atom.
fn smalls(made: &Made) -> Vec<(usize, u32)> {
    let of = |(unit, statuses): (usize, Vec<FineStatus>)| {
        let small = (0u32..).zip(statuses).filter(|(_, status)| *status == FineStatus::Small);
        small.map(|(atom, _)| (unit, atom)).collect::<Vec<_>>()
    };
    made.statuses().into_iter().enumerate().flat_map(of).collect()
}

/// How many of the values each target may have for an adversary who knows the counts of some units.
fn values_left(
    made: &Made,
    released: &Released,
    knows: &[usize],
    targets: &[(usize, u32)],
    range: std::ops::RangeInclusive<i128>,
) -> Vec<usize> {
    let counts = made.unit_values();
    let own: BTreeMap<usize, &[u64]> = knows.iter().map(|unit| (*unit, counts[*unit].as_slice())).collect();
    let adversary = Adversary::reader(&made.system, released.release.figures(), &[]).with_own(own);
    let Ok(mut sight) = adversary.sight(&[], Budget::default()) else {
        panic!("the publication contradicts the unit's own counts");
    };
    let terms: Vec<_> = targets.iter().map(|(unit, atom)| sight.unit_terms(*unit, &[*atom])).collect();
    let asked: Vec<_> = terms.into_iter().map(|terms| sight.view.target(terms)).collect();
    let Ok(mut engine) = Engine::new(&sight.view, Budget::default(), &|| false) else {
        panic!("the publication contradicts itself");
    };
    let mut left =
        |target| range.clone().filter(|value| engine.attainable(target, *value).0 == Reach::Yes).count();
    asked.into_iter().map(&mut left).collect()
}

#[test]
fn safe_1_and_safe_2_nobody_narrows_a_small_cell_of_a_random_county() {
    for seed in SEEDS {
        let made = random_county(seed).unwrap();
        let released = released(&made, &key()).unwrap();
        let targets = smalls(&made);
        assert!(targets.len() > 3, "seed {seed}");
        let reader = values_left(&made, &released, &[], &targets, 1..=3);
        assert!(reader.iter().all(|left| *left == 3), "SAFE-1, seed {seed}: {reader:?}");
        let units = made.units();
        let kommuner: BTreeSet<_> = units.iter().map(|unit| unit.kommun()).collect();
        for kommun in kommuner {
            let of = |unit: &usize| units[*unit].kommun() == kommun;
            let knows: Vec<usize> = (0..units.len()).filter(of).collect();
            let others: Vec<_> = targets.iter().filter(|(unit, _)| !of(unit)).copied().collect();
            let left = values_left(&made, &released, &knows, &others, 1..=8);
            assert!(left.iter().all(|left| *left >= 2), "SAFE-2, seed {seed}, {kommun}: {left:?}");
        }
    }
}

/// Counties whose audit once ended without a publication: lines that are small from end to end (2), tables' bortfall that adds
/// up (5), bortfall inside a small total (29), and an ordinary one (9).
#[test]
fn counties_with_lines_of_small_cells_end_with_a_publication() {
    for seed in [2, 5, 9, 29] {
        let made = random_county(seed).unwrap();
        let released = released(&made, &key()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let totals = released.release.figures().totals.values();
        let shown = totals.filter(|mark| mark.shown().is_some()).count();
        assert!(shown * 2 > made.system.cells.len(), "seed {seed}: {shown} totals shown");
    }
}
