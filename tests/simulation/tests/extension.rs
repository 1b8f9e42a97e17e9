//! Extensions under random schedules, over the disks that a first version left: whatever goes wrong in either, the first is shown and
//! hidden as it was, over the same kommuner with the same figures, or the round ends by a name that the schedule gives (SAFE-1, SAFE-3,
//! KEEP-1, TRUE-1, SAME-1).

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::collections::BTreeMap;

use round::region::{Failure, Phase};
use simulation::{Federation, Outcome, Plan, Twice};

/// Federations, and seeds of each. For more see `soak --extension`.
const FEDERATIONS: [u64; 2] = [3, 12];
const SCHEDULES: u64 = 60;

fn quiet() -> Twice {
    Twice { first: Plan::quiet(1), second: Plan::quiet(2), extends: true }
}

#[test]
fn a_quiet_extension_is_published_and_shows_more() {
    let federation = Federation::new(3).unwrap();
    let (first, second) = quiet().play(&federation, 5).unwrap();
    let second = second.unwrap();
    assert_eq!(second.phase, Phase::Published);
    let shown = |outcome: &Outcome| {
        let totals = outcome.figures.clone().unwrap().totals;
        totals.values().filter(|mark| mark.shown().is_some()).count()
    };
    assert!(shown(&second) > shown(&first) + 5, "new totals are shown");
}

#[test]
fn safe_3_an_extension_ends_by_the_name_of_a_kommun_that_has_corrected_its_records() {
    let federation = Federation::new(3).unwrap();
    let (_, second) = quiet().play(&federation, 3).unwrap();
    let second = second.unwrap();
    let Some(Failure::Extension { missing, changed }) = second.failure else { panic!("it was published") };
    assert_eq!((missing.len(), changed.len()), (0, 1));
}

#[test]
fn every_random_extension_keeps_every_promise_and_equal_rosters_give_equal_figures() {
    let mut failed = Vec::new();
    let (mut whole, mut smaller, mut ended) = (0, 0, 0);
    for federation in FEDERATIONS {
        let federation = Federation::new(federation).unwrap();
        let mut released = BTreeMap::<_, Outcome>::new();
        for seed in 1..=SCHEDULES {
            let second = match Twice::random(&federation, seed).extending().play(&federation, seed) {
                Ok((_, Some(second))) => second,
                Ok((_, None)) => continue,
                Err(failures) => {
                    failed.push((federation.seed, seed, failures));
                    continue;
                }
            };
            if second.released().is_none() {
                ended += 1;
                continue;
            }
            match second.roster == federation.collection.units {
                true => whole += 1,
                false => smaller += 1,
            }
            let known = released.entry(second.roster.clone()).or_insert_with(|| second.clone());
            if known.released() != second.released() {
                failed.push((federation.seed, seed, vec!["not the same".into()]));
            }
        }
    }
    assert!(failed.is_empty(), "federation, seed, failures: {failed:#?}");
    let all = format!("{whole} whole, {smaller} smaller, {ended} ended without");
    println!("{all}");
    assert!(whole > 10 && ended > 10, "the schedules are too kind or too cruel: {all}");
}
