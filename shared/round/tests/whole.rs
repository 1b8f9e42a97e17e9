//! One whole round in one process: what comes out is exactly what went in (TRUE-1), and nothing small was readable.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use party::{Federation, START, World};
use proptest::prelude::*;
use round::node;
use round::region::{Duty, Event, Phase};
use round::shares;
use tables::system::{CellIndex, Counts};

fn sum_of_all(world: &World, cell: CellIndex) -> u64 {
    world.counts.values().map(|counts| world.system.value(counts, cell)).sum()
}

/// TRUE-1, KEEP-1.
#[test]
fn a_whole_round_opens_exactly_the_sums_of_the_counts() {
    let mut round = Federation::new(World::new()).until_submitted();
    assert_eq!(round.region.phase(), Phase::Close);
    assert_eq!(round.region.duties(START), vec![Duty::Close]);
    round.close().unwrap();
    let (sums, readable) = round.open();
    assert!(!sums.is_empty(), "the pattern opens something");
    for (cell, sum) in &sums {
        assert_eq!(*sum, sum_of_all(&round.world, *cell), "cell {cell}");
    }
    let document = round.document();
    let totals = shares::totals(&round.world.system, &document, &sums, &readable);
    for (cell, total) in &totals {
        assert_eq!(*total, sum_of_all(&round.world, *cell), "total of cell {cell}");
    }
    round.at_region(Event::Opened { round: 1, sums, readable }).unwrap();
    assert_eq!(round.region.duties(START), vec![Duty::Certify]);
    round.at_region(Event::Published([3; 32])).unwrap();
    assert!(round.region.phase().is_over() && round.region.duties(START).is_empty());
}

/// STAY-2, SAFE-3: the readable cells hold no count under four but zeros.
#[test]
fn no_readable_cell_of_any_unit_is_small() {
    let mut round = Federation::new(World::new()).until_submitted();
    round.close().unwrap();
    let (_, readable) = round.open();
    let small =
        readable.iter().flat_map(|cells| cells.values()).filter(|value| (1..4).contains(*value)).count();
    assert_eq!(small, 0);
    let small_cells = round.world.counts.values().map(|counts| {
        let values = round.world.system.unit_values(counts);
        values.into_iter().filter(|value| (1..4).contains(value)).count()
    });
    assert!(small_cells.sum::<usize>() >= 6, "the fixture must hold small cells for this to mean anything");
}

/// STAY-1, STAY-2: what is logged with `{:?}` holds neither a count nor a key.
#[test]
fn no_fact_or_event_prints_a_figure_or_a_key() {
    let sums = [(7, 987_654_321)].into();
    let readable = vec![[(8, 123_454_321)].into()];
    let opened = Event::Opened { round: 1, sums, readable };
    let mut round = Federation::new(World::new()).until_submitted();
    let facts = round.region.handle(opened.clone(), START).unwrap();
    assert_eq!(facts.len(), 1);
    let choose = Event::Choose { verify_key: [201; 32], helper_key_id: [0; 32] };
    let handed = round.world.handed(&round.document());
    round.close().unwrap();
    let text = format!(
        "{opened:?} {facts:?} {choose:?} {handed:?} {:?} {:?}",
        round.region_facts, round.helper_facts
    );
    for mark in ["987654321", "123454321", "201, 201, 201", "9, 9, 9, 9"] {
        assert!(!text.contains(mark), "{mark} is printed");
    }
}

/// KEEP-1: when all is said, a node waits and does nothing twice.
#[test]
fn a_node_whose_report_is_taken_has_nothing_left_to_send() {
    let round = Federation::new(World::new()).until_submitted();
    for member in round.members.values() {
        assert!(member.node.is_submitted());
        assert_eq!(member.node.duty(), node::Duty::AskPattern);
    }
}

/// Random counts: mostly zeros and small cells, or mostly plain ones.
fn any_counts() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let cell = prop_oneof![2 => Just(0u32), 2 => 1..4u32, 4 => 4..30u32];
    prop::collection::vec(prop::collection::vec(cell, 64), party::UNITS.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// SAFE-1, TRUE-1: what an honest region chooses, no honest node and no helper refuses, and the sums are exact.
    #[test]
    fn any_counts_give_a_pattern_that_everyone_takes(made in any_counts()) {
        let mut world = World::new();
        for (counts, made) in world.counts.values_mut().zip(made) {
            let cells = made.into_iter().cycle().take(world.system.atoms).collect();
            *counts = Counts::from_stored(&world.system, cells).unwrap();
        }
        let mut round = Federation::new(world).until_submitted();
        round.close().unwrap();
        for (cell, sum) in round.open().0 {
            prop_assert_eq!(sum, sum_of_all(&round.world, cell));
        }
    }
}
