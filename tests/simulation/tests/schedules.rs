//! Random schedules: whatever goes wrong, nothing is lost, doubled, wrong, readable or stuck, and equal rosters give
//! equal figures (KEEP-1, TRUE-1, STAY-2, SAFE-3, SAME-1).

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::collections::BTreeMap;

use simulation::{Federation, Outcome, Plan, play};

/// Federations and the seeds each is played with: together some twenty seconds unoptimised. For more see `soak`.
const FEDERATIONS: [u64; 3] = [3, 12, 16];
const SCHEDULES: u64 = 100;

#[test]
fn a_quiet_schedule_publishes_every_kommun() {
    let federation = Federation::new(3).unwrap();
    let outcome = play(&federation, &Plan::quiet(1)).unwrap();
    assert_eq!(outcome.roster, federation.collection.units);
    let figures = outcome.figures.unwrap();
    let withheld =
        figures.per_unit.iter().flat_map(|cells| cells.values()).filter(|mark| mark.shown().is_none());
    assert!(withheld.count() > 0, "a federation without small cells tests nothing");
}

#[test]
fn every_random_schedule_keeps_every_promise_and_equal_rosters_give_equal_figures() {
    let mut failed = Vec::new();
    let (mut whole, mut smaller, mut uncertified) = (0, 0, 0);
    for (place, federation) in FEDERATIONS.into_iter().enumerate() {
        let federation = Federation::new(federation).unwrap();
        let mut released = BTreeMap::<_, Outcome>::new();
        let first = 1 + place as u64 * SCHEDULES;
        for seed in first..first + SCHEDULES {
            let outcome = match play(&federation, &Plan::random(&federation, seed)) {
                Ok(outcome) => outcome,
                Err(failures) => {
                    failed.push((federation.seed, seed, failures));
                    continue;
                }
            };
            if outcome.released().is_none() {
                continue;
            }
            match (&outcome.figures, outcome.roster == federation.collection.units) {
                (None, _) => uncertified += 1,
                (Some(_), true) => whole += 1,
                (Some(_), false) => smaller += 1,
            }
            let known = released.entry(outcome.roster.clone()).or_insert_with(|| outcome.clone());
            if known.released() != outcome.released() {
                failed.push((federation.seed, seed, vec!["not the same".into()]));
            }
        }
    }
    assert!(failed.is_empty(), "federation, seed, failures: {failed:#?}");
    assert!(
        whole > 100 && smaller > 10,
        "the schedules are too kind or too cruel: {whole} whole, {smaller} smaller"
    );
    assert!(uncertified < 10, "{uncertified} rounds ended at the audit");
}

#[test]
fn a_schedule_is_decided_by_its_seed() {
    let federation = Federation::new(3).unwrap();
    let once = play(&federation, &Plan::random(&federation, 77));
    assert_eq!(once, play(&federation, &Plan::random(&federation, 77)));
}
