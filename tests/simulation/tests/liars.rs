//! One party of a county's round lies, and everything else may go wrong as well: whoever reads the lie notices, nothing is opened that
//! a kommun did not accept, and nothing small is readable (SAFE-3, STAY-2, KEEP-1). See `simulation::liar` and `country::liar`.

#![allow(clippy::unwrap_used)] // a test that fails here should

use simulation::country::{self, Country, CountryPlan, Ending, NationalLie};
use simulation::judge::judge_lie;
use simulation::world::World;
use simulation::{Federation, Lie, Plan};

/// Schedules a lie, one quiet and the others random.
const SCHEDULES: u64 = 6;

#[test]
fn every_lie_that_is_read_is_noticed_and_opens_nothing() {
    let federation = Federation::new(3).unwrap();
    let units = federation.collection.units.clone();
    let mut failed = Vec::new();
    for (one, other) in Lie::all(&units[0]).into_iter().zip(Lie::all(&units[5])) {
        let (mut told, before) = (0, failed.len());
        for (lie, seed) in
            [&one, &other].into_iter().flat_map(|lie| (0..SCHEDULES).map(move |seed| (lie, seed)))
        {
            let plan = if seed == 0 { Plan::quiet(1) } else { Plan::random(&federation, seed) };
            let mut world = World::new(federation.clone(), plan.with(lie.clone()));
            world.run();
            match judge_lie(&world) {
                Ok(times) => told += times,
                Err(failures) => failed.push((lie.clone(), seed, failures)),
            }
        }
        // A kommun that withholds nothing cannot be shown that it does.
        assert!(told > 0 || failed.len() > before, "{one:?} was never read: the schedules test nothing");
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Two countries: in the second more counties withhold.
const COUNTRIES: [u64; 2] = [1, 2];

#[test]
fn every_lie_of_a_national_body_that_is_read_is_noticed_and_opens_nothing_thin() {
    let mut failed = Vec::new();
    for seed in COUNTRIES {
        let country = Country::new(seed).unwrap();
        // one that withholds something itself: it can be asked to show it
        let (county, _) = country.counties.iter().find(|(_, county)| !county.withheld.is_empty()).unwrap();
        for lie in NationalLie::all(*county) {
            let mut told = 0;
            for schedule in 0..SCHEDULES {
                let plan = match schedule {
                    0 => CountryPlan::only(1, Vec::new()),
                    _ => CountryPlan::random(&country, schedule),
                };
                let mut world = country::World::new(country.clone(), plan.with(lie));
                world.run();
                let judged = country::judge(&mut world);
                told += world.lied;
                failed.extend(judged.err().map(|failures| (seed, lie, schedule, failures)));
            }
            assert!(told > 0, "{lie:?} was never read: the schedules test nothing");
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_region_that_was_shown_another_pattern_is_not_counted_and_the_rest_is() {
    let country = Country::new(2).unwrap();
    let county = "07".parse().unwrap();
    let plan = CountryPlan::only(1, Vec::new()).with(NationalLie::AnotherPattern(county));
    let mut world = country::World::new(country.clone(), plan);
    world.run();
    assert!(world.noticed, "the third coordinator unseals nothing that was sealed for another pattern");
    assert_eq!(country::judge(&mut world).unwrap(), Ending::Published(5));
}
