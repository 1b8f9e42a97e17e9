//! The store failpoint matrix (KEEP-1): a crash before and a crash after every single durable write of region, helper
//! and node in one round, each followed by recovery to the same figures; and the same for every lost reply.

#![allow(clippy::unwrap_used)] // a test that fails here should

use simulation::message::PartyId;
use simulation::plan::Fault;
use simulation::{Federation, Outcome, Plan, play};

const SEED: u64 = 1;

/// Plays a plan with these faults; it must end as the quiet one does.
fn recovers(federation: &std::sync::Arc<Federation>, quiet: &Outcome, faults: Vec<Fault>) {
    let plan = Plan::only(SEED, faults);
    let outcome =
        play(federation, &plan).unwrap_or_else(|failures| panic!("{:?}: {failures:#?}", plan.faults));
    assert_eq!(outcome.roster, quiet.roster, "{:?}", plan.faults);
    assert_eq!(outcome.figures, quiet.figures, "{:?}", plan.faults);
}

/// Crashes at every write of a party, from the first to the last it makes in a quiet round.
fn crash_everywhere(party: impl Fn(&Federation) -> PartyId, at_least: u64) {
    let federation = Federation::new(3).unwrap();
    let quiet = play(&federation, &Plan::quiet(SEED)).unwrap();
    assert!(quiet.figures.is_some());
    let party = party(&federation);
    let writes = quiet.writes[&party];
    assert!(writes >= at_least, "{party} writes only {writes} times in a round");
    for commit in 1..=writes {
        for after in [false, true] {
            recovers(&federation, &quiet, vec![Fault::Crash { party: party.clone(), commit, after }]);
        }
    }
}

fn node(place: usize) -> impl Fn(&Federation) -> PartyId {
    move |federation| PartyId::Node(federation.collection.units[place].clone())
}

#[test]
fn the_region_recovers_from_a_crash_at_every_write() {
    // Announced twice, and per kommun a declaration, an answer, a report and a verdict.
    crash_everywhere(|_| PartyId::Region, 2 + 4 * 7 + 5);
}

#[test]
fn the_helper_recovers_from_a_crash_at_every_write() {
    // Collection, pattern, a report of each kommun, ledger, close.
    crash_everywhere(|_| PartyId::Helper, 2 + 7 + 2);
}

#[test]
fn the_smallest_node_recovers_from_a_crash_at_every_write() {
    crash_everywhere(node(0), 9);
}

#[test]
fn the_largest_node_recovers_from_a_crash_at_every_write() {
    crash_everywhere(node(6), 9);
}

#[test]
fn everybody_crashes_once_and_the_round_ends_the_same() {
    let federation = Federation::new(3).unwrap();
    let quiet = play(&federation, &Plan::quiet(SEED)).unwrap();
    for commit in 1..=9 {
        let parties = [PartyId::Region, PartyId::Helper].into_iter();
        let parties = parties.chain(federation.collection.units.iter().cloned().map(PartyId::Node));
        let crash = |party| Fault::Crash { party, commit, after: commit % 2 == 0 };
        recovers(&federation, &quiet, parties.map(crash).collect());
    }
}

#[test]
fn a_crash_at_every_start_after_a_crash_is_survived() {
    let federation = Federation::new(3).unwrap();
    let quiet = play(&federation, &Plan::quiet(SEED)).unwrap();
    for party in [PartyId::Region, PartyId::Helper, node(3)(&federation)] {
        let crash = |commit| Fault::Crash { party: party.clone(), commit, after: commit % 3 == 0 };
        recovers(&federation, &quiet, (1..=40).map(crash).collect());
    }
}

#[test]
fn any_one_reply_may_be_lost() {
    let federation = Federation::new(3).unwrap();
    let quiet = play(&federation, &Plan::quiet(SEED)).unwrap();
    for request in ["PutCollection", "PutPattern", "Verify", "Close"] {
        recovers(&federation, &quiet, vec![Fault::LostReply { to: PartyId::Region, request }]);
    }
    for unit in &federation.collection.units {
        for request in ["Collections", "Declare", "Pattern", "Answer", "Submit"] {
            let to = PartyId::Node(unit.clone());
            recovers(&federation, &quiet, vec![Fault::LostReply { to, request }]);
        }
    }
}
