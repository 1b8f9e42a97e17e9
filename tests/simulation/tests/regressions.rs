//! Failures that the simulator found, by name, and directed schedules for what random ones seldom meet.

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::sync::Arc;

use coordinator::helper::desk::Desk;
use daemon::store::MemoryDisk;
use round::document::CollectionRef;
use round::refusal::Refusal;
use simulation::federation::{COLLECTION, COUNTY};
use simulation::message::PartyId;
use simulation::plan::{Fault, HOUR};
use simulation::world::World;
use simulation::{Federation, Plan, play};
use tables::collection::Collection;

/// Found by `any_one_reply_may_be_lost`. The region had taken the last answer and chosen the final pattern; its
/// acknowledgement was lost, and the node sent its answer, refused from then on, until the round went on without it.
#[test]
fn a_node_whose_answer_was_taken_unheard_goes_on_with_the_round() {
    let federation = Federation::new(3).unwrap();
    for unit in &federation.collection.units {
        let lost = Fault::LostReply { to: PartyId::Node(unit.clone()), request: "Answer" };
        let outcome = play(&federation, &Plan::only(1, vec![lost])).unwrap();
        assert_eq!(outcome.roster, federation.collection.units);
    }
}

/// The same for a report: another kommun never delivers, the region goes on to round 2, and a node that never heard
/// that its report of round 1 was taken must still take part in round 2.
#[test]
fn a_node_whose_report_was_taken_unheard_takes_part_in_the_next_round() {
    let federation = Federation::new(3).unwrap();
    let units = &federation.collection.units;
    let changed = Fault::Tampered { unit: units[0].clone(), place: 500, by_node: true };
    for unit in &units[1..] {
        let lost = Fault::LostReply { to: PartyId::Node(unit.clone()), request: "Submit" };
        let outcome = play(&federation, &Plan::only(1, vec![changed.clone(), lost])).unwrap();
        assert_eq!(outcome.roster, units[1..]);
    }
}

#[test]
fn a_changed_report_does_not_count_and_the_round_goes_on_without_its_kommun() {
    let federation = Federation::new(3).unwrap();
    let units = &federation.collection.units;
    for by_node in [false, true] {
        let changed = Fault::Tampered { unit: units[2].clone(), place: 300, by_node };
        let outcome = play(&federation, &Plan::only(1, vec![changed])).unwrap();
        assert_eq!(outcome.roster.len(), units.len() - 1);
        assert!(!outcome.roster.contains(&units[2]) && outcome.figures.is_some());
    }
}

#[test]
fn two_kommuner_away_leave_five_and_three_end_the_round() {
    let federation = Federation::new(3).unwrap();
    let units = &federation.collection.units;
    let away = |unit: &tables::unit::Unit| Fault::Away { unit: unit.clone(), from: 0, until: 30 * HOUR };
    let five = play(&federation, &Plan::only(1, units[..2].iter().map(away).collect())).unwrap();
    assert_eq!(five.roster, units[2..]);
    assert!(five.figures.is_some());
    let four = play(&federation, &Plan::only(1, units[..3].iter().map(away).collect())).unwrap();
    assert!(four.figures.is_none());
}

#[test]
fn nobody_is_lost_when_the_helper_is_away_for_longer_than_the_deadline() {
    let federation = Federation::new(3).unwrap();
    let full = Fault::Full { party: PartyId::Helper, from: 0, until: 20 * HOUR };
    let outcome = play(&federation, &Plan::only(1, vec![full])).unwrap();
    assert_eq!(outcome.roster, federation.collection.units);
}

/// The helper's disk was full when the region put the collection for the second time: it was told "done", and after a crash
/// the helper knew no collection.
#[test]
fn a_collection_the_helper_could_not_store_is_not_known_when_it_is_put_again() {
    let federation = Federation::new(1).unwrap();
    let outcome = play(&federation, &Plan::random(&federation, 2056)).unwrap();
    assert!(outcome.figures.is_some());
}

/// ADR 10: an adversary's reading of the running system: the same records under another collection, with a variable more
/// and a kommun less, gave small cells back by subtraction. The helper opens a county's records of a day once, also after a
/// restart and whatever the collection is called.
#[test]
fn a_second_collection_over_the_days_of_an_opened_one_is_not_opened() {
    let federation = Federation::new(3).unwrap();
    let mut world = World::new(federation.clone(), Plan::only(1, Vec::new()));
    world.run();
    let disk = MemoryDisk::from_image(world.helper.disk().image());
    let keys = federation.helper_keys.clone();
    let desk = Desk::open(Arc::new(disk.open()), keys).unwrap();
    let ask = |text: &str| {
        desk.put_collection(text, COUNTY).unwrap();
        let collection = Collection::from_toml(text, &federation.codebook).unwrap();
        let (reference, units) = (CollectionRef::of(&collection), collection.units.clone());
        desk.close(&reference, COUNTY, 1, &[0; 32], &units).map(|_| ()).unwrap_err().to_string()
    };
    let ledger = Refusal::Ledger.to_string();
    assert_eq!(ask(&COLLECTION.replace("simulering-2024", "annan-2024")), ledger);
    assert_eq!(ask(&COLLECTION.replace("version = 1", "version = 2")), ledger);
    let other_years = COLLECTION
        .replace("simulering-2024", "aldre-2021")
        .replace("2023", "2021")
        .replace("2024\"", "2022\"");
    assert_ne!(ask(&other_years), ledger, "other days: refused for want of a pattern only");
}
