//! Plays many random schedules and prints the seeds of those that fail.
//!
//! `cargo run -p simulation --release --bin soak -- --schedules 10000 --seed 1` plays seeds 1 to 10000;
//! `--schedules 1 --seed N --trace` shows what happened in one. With `--country` schedules of the upper tier: six regions, a
//! national body and a third coordinator.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use simulation::country::{self, Country, CountryPlan, Ending};
use simulation::judge::judge;
use simulation::world::World;
use simulation::{Federation, Outcome, Plan, Twice};

#[derive(Parser)]
struct Options {
    /// How many schedules.
    #[arg(long, default_value_t = 1000)]
    schedules: u64,
    /// Seed of the first; the next ones follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seed of the federation: its records and keys.
    #[arg(long, default_value_t = 1)]
    federation: u64,
    /// Print every event.
    #[arg(long)]
    trace: bool,
    /// Play national rounds.
    #[arg(long)]
    country: bool,
    /// Play second versions after the first.
    #[arg(long)]
    second: bool,
    /// Play extensions after the first.
    #[arg(long)]
    extension: bool,
}

/// National rounds; whether none failed.
fn country(options: &Options) -> anyhow::Result<bool> {
    let country = Country::new(options.federation)?;
    let began = Instant::now();
    let mut endings = BTreeMap::<Ending, u64>::new();
    let mut failed = 0_u64;
    for seed in options.seed..options.seed + options.schedules {
        let mut world = country::World::new(country.clone(), CountryPlan::random(&country, seed));
        world.run();
        let judged = country::judge(&mut world);
        if options.trace {
            println!("{:#?}", world.plan);
            world.trace.iter().for_each(|line| println!("{line}"));
        }
        match judged {
            Ok(ending) => *endings.entry(ending).or_default() += 1,
            Err(failures) => {
                failed += 1;
                println!("seed {seed}: {}", failures.join("; "));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} schedules in {seconds:.1} s, {failed} failed; {endings:?}", options.schedules);
    Ok(failed == 0)
}

/// Second versions or extensions; whether none failed.
fn second(options: &Options) -> anyhow::Result<bool> {
    let federation = Federation::new(options.federation)?;
    let began = Instant::now();
    let mut endings = BTreeMap::<String, u64>::new();
    let mut failed = 0_u64;
    for seed in options.seed..options.seed + options.schedules {
        let twice = Twice::random(&federation, seed);
        let twice = if options.extension { twice.extending() } else { twice };
        match twice.play(&federation, seed) {
            Ok((first, second)) => {
                let of = |one: &Outcome| match &one.failure {
                    Some(failure) => format!("{:?} ({failure})", one.phase),
                    None => format!("{:?}, {} units", one.phase, one.roster.len()),
                };
                let second = second.map_or_else(|| "none".to_owned(), |second| of(&second));
                *endings.entry(format!("{} → {second}", of(&first))).or_default() += 1;
            }
            Err(failures) => {
                failed += 1;
                println!("seed {seed}: {}", failures.join("; "));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} schedules in {seconds:.1} s, {failed} failed; {endings:#?}", options.schedules);
    Ok(failed == 0)
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.country {
        return Ok(if country(&options)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if options.second || options.extension {
        return Ok(if second(&options)? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let federation = Federation::new(options.federation)?;
    let began = Instant::now();
    let mut by_roster = BTreeMap::new();
    let mut endings = BTreeMap::<String, u64>::new();
    let mut failed = 0_u64;
    for seed in options.seed..options.seed + options.schedules {
        let plan = Plan::random(&federation, seed);
        let mut world = World::new(federation.clone(), plan);
        world.run();
        let mut judged = judge(&world);
        if let Ok(outcome) = &judged
            && outcome.released().is_some()
        {
            let first: &mut Outcome =
                by_roster.entry(outcome.roster.clone()).or_insert_with(|| outcome.clone());
            if first.released() != outcome.released() {
                judged = Err(vec![
                    "not the same: another schedule with this roster certified other figures".into(),
                ]);
            }
        }
        if options.trace {
            println!("{:#?}", world.plan);
            world.record.trace.iter().for_each(|line| println!("{line}"));
        }
        match judged {
            Ok(outcome) => {
                let audit = if outcome.findings.is_some() { " at the audit" } else { "" };
                let ending = format!("{:?}{audit}, {} units", outcome.phase, outcome.roster.len());
                *endings.entry(ending).or_default() += 1;
            }
            Err(failures) => {
                failed += 1;
                println!("seed {seed}: {}", failures.join("; "));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} schedules in {seconds:.1} s, {failed} failed; {endings:?}", options.schedules);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
