//! Random schedules of national rounds: whatever goes wrong, nothing is lost, wrong, opened too thin or stuck, and no region
//! publishes anything but what it agreed to (KEEP-1, TRUE-1, TRUE-3, SAFE-3).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use simulation::country::party::Broken;
use simulation::country::world::{CountryFault, CountryPlan, Who};
use simulation::country::{Country, Ending, play};

/// Countries and the schedules each is played with. For more see `soak --country`.
const COUNTRIES: [u64; 3] = [1, 2, 5];
const SCHEDULES: u64 = 100;

#[test]
fn a_quiet_schedule_counts_every_county_and_hides_some() {
    let country = Country::new(1).unwrap();
    assert_eq!(play(&country, &CountryPlan::only(1, Vec::new())).unwrap(), Ending::Published(6));
    assert!(country.counties.values().any(|county| !county.withheld.is_empty()));
}

#[test]
fn every_random_schedule_of_a_national_round_keeps_every_promise() {
    let mut failed = Vec::new();
    let mut endings = BTreeMap::<Ending, usize>::new();
    for (place, seed) in COUNTRIES.into_iter().enumerate() {
        let country = Country::new(seed).unwrap();
        let first = 1 + place as u64 * SCHEDULES;
        for schedule in first..first + SCHEDULES {
            match play(&country, &CountryPlan::random(&country, schedule)) {
                Ok(ending) => *endings.entry(ending).or_default() += 1,
                Err(failures) => failed.push((seed, schedule, failures)),
            }
        }
    }
    assert!(failed.is_empty(), "country, schedule, failures: {failed:#?}");
    let whole = endings.get(&Ending::Published(6)).copied().unwrap_or_default();
    let fewer: usize = (3..6).filter_map(|many| endings.get(&Ending::Published(many))).sum();
    assert!(whole > 100 && fewer > 30, "too kind or too cruel: {endings:?}");
}

/// Late and absent: nobody waits for a region that is away, and it publishes by itself.
#[test]
fn a_region_that_is_away_for_a_day_is_missing_and_the_others_are_counted() {
    let country = Country::new(2).unwrap();
    let county = "07".parse().unwrap();
    let away = CountryFault::Away { who: Who::Region(county), from: 0, until: 36 * 3600 };
    assert_eq!(play(&country, &CountryPlan::only(4, vec![away])).unwrap(), Ending::Published(5));
}

#[test]
fn a_share_that_cannot_be_unsealed_costs_its_county_only_and_one_that_lies_ends_the_round_with_a_reason() {
    let country = Country::new(2).unwrap();
    let county = "08".parse().unwrap();
    let broken = |how| CountryPlan::only(5, vec![CountryFault::Share { county, how }]);
    assert_eq!(play(&country, &broken(Broken::Seal)).unwrap(), Ending::Published(5));
    assert!(
        matches!(play(&country, &broken(Broken::Sum)).unwrap(), Ending::Failed(reason) if reason.contains("no counts"))
    );
}

#[test]
fn a_third_coordinator_that_never_comes_back_in_time_ends_the_round_and_no_county_waits() {
    let country = Country::new(1).unwrap();
    let away = CountryFault::Away { who: Who::Third, from: 0, until: 47 * 3600 };
    let ending = play(&country, &CountryPlan::only(6, vec![away])).unwrap();
    assert!(matches!(ending, Ending::Failed(reason) if reason.contains("third")));
}
