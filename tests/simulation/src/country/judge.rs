//! What a schedule left behind: compared with the straight count and with what everybody agreed to.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::counties::release::certified;
use round::national::Phase;
use suppress::counties::hiding::Hiding;
use tables::strict::{Status, StrictTable};
use tables::system::CellIndex;
use tables::unit::{LansKod, Omrade};

use super::liar::NationalLie;
use super::world::World;

/// How a schedule ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// No county reached the national body in time.
    NoRound,
    /// A publication of so many counties.
    Published(usize),
    /// None, and why.
    Failed(String),
}

/// Judges a world in which nothing more happens.
///
/// # Errors
/// Every failure, in words.
pub fn judge(world: &mut World) -> Result<Ending, Vec<String>> {
    let mut failures = std::mem::take(&mut world.failures);
    if !failures.is_empty() {
        return Err(failures);
    }
    // What the disk holds is what counts (KEEP-1).
    let before = world.national.state();
    world.national.stop();
    world.national.disk.fail(daemon::store::FailPoints::default());
    if let Err(trouble) = world.national.start() {
        return Err(vec![format!("the national body does not start again: {trouble}")]);
    }
    if before != world.national.state() {
        failures.push("changed by a restart: the national round is another".into());
    }
    failures.extend(regions(world));
    // A region that is shown another pattern cannot know: the third coordinator does, if it is ever asked.
    let was_asked = world.acknowledged.iter().any(|(county, what)| {
        *what == "delivery"
            && matches!(world.plan.lie, Some(NationalLie::AnotherPattern(victim)) if victim == *county)
    });
    let is_due = !matches!(world.plan.lie, Some(NationalLie::AnotherPattern(_)))
        || was_asked && world.national.machine().is_some_and(|machine| machine.sums().is_some());
    if world.lied > 0 && !world.noticed && is_due {
        failures.push(format!("not noticed: {:?}", world.plan.lie));
    }
    // A round whose first offer was cut off by a crash, and never made again, is none.
    let machine = world.national.machine().filter(|machine| !machine.offers().is_empty());
    let Some(machine) = machine else {
        failures.extend(world.acknowledged.iter().map(|(county, what)| format!("lost: {county}'s {what}")));
        return if failures.is_empty() { Ok(Ending::NoRound) } else { Err(failures) };
    };
    for (county, what) in &world.acknowledged {
        let kept = match *what {
            "offer" => machine.offers().contains_key(county),
            _ => machine.deliveries().any(|(known, ..)| known == *county),
        };
        if !kept {
            failures.push(format!("lost: {county}'s {what}"));
        }
    }
    let ending = match (machine.phase(), machine.failure()) {
        (Phase::Published, _) => Ending::Published(machine.closed().map_or(0, |close| close.roster.len())),
        (_, Some(reason)) => Ending::Failed(reason.into()),
        (phase, None) => {
            failures.push(format!("neither published nor failed: {phase:?}"));
            Ending::NoRound
        }
    };
    if let (Some(close), Some((_, sums))) = (machine.closed(), machine.sums()) {
        failures.extend(opened(world, &close.roster, &sums.realm));
        let sum_is_broken = |fault: &super::world::CountryFault| {
            matches!(fault, super::world::CountryFault::Share { how: super::party::Broken::Sum, .. })
        };
        if machine.phase() == Phase::Published && !world.plan.faults.iter().any(sum_is_broken) {
            failures.extend(published(world, &machine, &close.roster));
        }
    }
    if let (Ending::Published(_), Some(close)) = (&ending, machine.closed()) {
        let left_out = world
            .country
            .counties
            .keys()
            .filter(|county| !close.roster.contains(county) && !world.plan.touches(**county));
        failures.extend(left_out.map(|county| format!("{county} is left out although nothing kept it away")));
    }
    if failures.is_empty() { Ok(ending) } else { Err(failures) }
}

/// Every region publishes; who agreed to a pattern, under that one.
fn regions(world: &World) -> Vec<String> {
    let mut failures = Vec::new();
    for (county, region) in &world.regions {
        let own = &world.country.counties[county].withheld;
        let agreed = region.agreed();
        let wanted =
            agreed.and_then(|pattern| pattern.place(*county).map(|place| pattern.withheld[place].clone()));
        match region.published() {
            None => failures.push(format!("stuck: {county} does not publish")),
            Some(withheld) if *withheld != wanted.clone().unwrap_or_else(|| own.clone()) => {
                failures.push(format!("{county} publishes something else than it agreed to"));
            }
            Some(withheld) if !own.is_subset(withheld) => {
                failures.push(format!("STAY-2: {county} shows what it withholds"));
            }
            Some(_) => {}
        }
    }
    failures
}

/// SAFE-3: what was opened hides three counties of those counted, as they published; TRUE-1: it is the straight sum.
fn opened(world: &World, roster: &[LansKod], sums: &BTreeMap<CellIndex, u64>) -> Vec<String> {
    let mut failures = Vec::new();
    let withheld: Vec<BTreeSet<CellIndex>> =
        roster.iter().map(|county| world.regions[county].published().cloned().unwrap_or_default()).collect();
    let mut open: BTreeSet<CellIndex> = sums.keys().copied().collect();
    let all = (0..roster.len()).collect();
    let thin = Hiding::new(&world.country.system, &withheld, &[]).narrow(&all, &mut open);
    if !thin.is_empty() {
        failures.push(format!("SAFE-3: {} opened sums hide fewer than three counties", thin.len()));
    }
    let broken = world.regions.values().any(|region| region.broken == Some(super::party::Broken::Sum));
    for (cell, sum) in sums {
        let straight: u64 = roster.iter().map(|county| world.country.counties[county].values[*cell]).sum();
        if straight != *sum && !broken {
            failures.push("TRUE-1: an opened sum is not the straight one".into());
        }
    }
    failures
}

/// Every figure of the publication is the straight count, and every county's row is what it published.
fn published(world: &World, machine: &round::national::National, roster: &[LansKod]) -> Vec<String> {
    let mut failures = Vec::new();
    let release = match certified(machine) {
        Ok(release) => release,
        Err(error) => return vec![format!("not the same: certified once and not again: {error}")],
    };
    for (spec, (name, bytes)) in release.files().iter().enumerate() {
        let table = match StrictTable::from_csv(name, bytes) {
            Ok(table) => table,
            Err(error) => return vec![error.to_string()],
        };
        let rows = &world.country.system.tables[spec].rows;
        for area in roster.iter().map(|county| Omrade::County(*county)).chain([Omrade::Riket]) {
            let own = table.rows.iter().filter(|row| row.omrade == area && row.matt == "aktualiseringar");
            for (row, place) in own.zip(rows) {
                let of = |county: &LansKod| world.country.counties[county].values[place.cell];
                let (straight, is_withheld): (u64, _) = match area {
                    Omrade::County(county) => {
                        let region = world.regions[&county].published();
                        (of(&county), region.map(|own| own.contains(&place.cell)))
                    }
                    _ => (roster.iter().map(of).sum(), None),
                };
                if row.status == Status::Value && row.varde != i64::try_from(straight).ok() {
                    failures.push(format!("TRUE-1: a figure of {area} is not the straight count"));
                }
                if is_withheld.is_some_and(|withheld| withheld != (row.status == Status::Withheld)) {
                    failures.push(format!("{area}: the national row is not what the county published"));
                }
            }
        }
    }
    failures
}
