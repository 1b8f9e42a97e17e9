//! Random schedules: whatever goes wrong, nothing is lost, doubled, wrong, readable or stuck, and equal rosters give
//! equal figures (KEEP-1, TRUE-1, STAY-2, SAFE-3, SAME-1).

use std::collections::BTreeMap;

use simulation::{Federation, Plan, play};

/// Federations and the seeds each is played with: together some ten seconds unoptimised. For more see `soak`.
const FEDERATIONS: [u64; 3] = [3, 5, 11];
const SCHEDULES: u64 = 100;

#[test]
fn a_quiet_schedule_publishes_every_kommun() {
    let federation = Federation::new(3).unwrap();
    let outcome = play(&federation, &Plan::quiet(1)).unwrap();
    assert_eq!(outcome.roster, federation.collection.units);
    let figures = outcome.figures.unwrap();
    let withheld = figures.per_unit.iter().flat_map(|cells| cells.values()).filter(|mark| mark.shown().is_none());
    assert!(withheld.count() > 0, "a federation without small cells tests nothing");
}

#[test]
fn every_random_schedule_keeps_every_promise_and_equal_rosters_give_equal_figures() {
    let mut failed = Vec::new();
    let (mut whole, mut smaller) = (0, 0);
    for (place, federation) in FEDERATIONS.into_iter().enumerate() {
        let federation = Federation::new(federation).unwrap();
        let mut certified = BTreeMap::new();
        let first = 1 + place as u64 * SCHEDULES;
        for seed in first..first + SCHEDULES {
            match play(&federation, &Plan::random(&federation, seed)) {
                Err(failures) => failed.push((federation.seed, seed, failures)),
                Ok(outcome) => {
                    let Some(figures) = outcome.figures else { continue };
                    *if outcome.roster == federation.collection.units { &mut whole } else { &mut smaller } += 1;
                    let known = certified.entry(outcome.roster).or_insert_with(|| figures.clone());
                    if *known != figures {
                        failed.push((federation.seed, seed, vec!["SAME-1".into()]));
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "federation, seed, failures: {failed:#?}");
    assert!(whole > 100 && smaller > 10, "the schedules are too kind or too cruel: {whole} whole, {smaller} smaller");
}

#[test]
fn a_schedule_is_decided_by_its_seed() {
    let federation = Federation::new(3).unwrap();
    let once = play(&federation, &Plan::random(&federation, 77));
    assert_eq!(once, play(&federation, &Plan::random(&federation, 77)));
}
