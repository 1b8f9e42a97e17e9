//! KEEP-1 and SAME-1 with real processes: any party killed (SIGKILL) in any phase and started again; the publication's
//! tables are byte for byte those of an undisturbed run.
//!
//! No phase is hit by luck. *Declare* lasts as long as one node has not been started; *pattern* as long as one that
//! has declared is frozen (SIGSTOP); *submit* as long as one that has answered is frozen; *certify* as long as a file
//! lies where the folder of publications belongs. *Close* is reached by letting the helper run a millisecond at a time
//! until the region waits for its opening; should a slice have been long enough for the whole opening, the run is
//! made again. The storms beside them kill at moments drawn from a seed.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use e2e::database::store;
use e2e::federation::{Federation, NATIONAL, REGION, Tables};
use e2e::wait::until;
use node::link::journal;
use postgres::Cluster;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
/// Never held.
const QUICK: &str = "2101";
/// Frozen once it has declared: the pattern waits for its answer.
const SILENT: &str = "2181";
/// Frozen once it has answered: closing waits for its report.
const SLOW: &str = "2183";
/// Started last: the pattern waits for its declaration.
const LATE: &str = "2184";
/// How often a run is made again in which closing was over before it could be seen.
const ATTEMPTS: usize = 8;
/// How long the helper runs at a time on the way to *close*.
const SLICE: Duration = Duration::from_millis(1);
/// How long the region then has to come as far as it can.
const SETTLE: Duration = Duration::from_millis(40);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Declare,
    Pattern,
    Submit,
    Close,
    Certify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Node,
    Region,
    Helper,
}

fn undisturbed(small: bool) -> anyhow::Result<Tables> {
    let mut federation = Federation::stage(EXE, small)?;
    federation.announce()?;
    federation.start_nodes(&[])?;
    let tables = federation.published()?;
    federation.stop()?;
    Ok(tables)
}

/// The tables of the small collection when nobody is killed.
fn reference() -> anyhow::Result<&'static Tables> {
    static TABLES: OnceLock<Result<Tables, String>> = OnceLock::new();
    let made = TABLES.get_or_init(|| undisturbed(true).map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Brings a round to a phase and holds it there; `false` if it went past.
fn bring_to(federation: &mut Federation, phase: Phase) -> anyhow::Result<bool> {
    if phase == Phase::Certify {
        let folder = federation.publications();
        std::fs::create_dir_all(folder.parent().context("a folder")?)?;
        std::fs::write(folder, b"in the way")?;
    }
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    if phase == Phase::Declare {
        return Ok(true);
    }
    federation.party(SILENT)?.freeze()?;
    federation.start(LATE)?;
    federation.until("a pattern waits for an answer", |s| s.phase == "pattern")?;
    until("all but one answered", || {
        let others = [QUICK, "2121", "2161", SLOW, LATE].iter();
        let answered =
            others.map(|unit| federation.has_answered(unit)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(answered.into_iter().all(|answered| answered).then_some(()))
    })?;
    if phase == Phase::Pattern {
        return Ok(true);
    }
    federation.party(SLOW)?.freeze()?;
    federation.party(SILENT)?.thaw()?;
    federation.until("all but one submitted", |s| s.phase == "submit" && s.verified.len() == 5)?;
    match phase {
        Phase::Declare | Phase::Pattern | Phase::Submit => Ok(true),
        Phase::Close => close_slowly(federation),
        Phase::Certify => {
            federation.party(SLOW)?.thaw()?;
            federation.until("nothing but the folder is in the way", |s| s.phase == "certify")?;
            Ok(true)
        }
    }
}

fn close_slowly(federation: &mut Federation) -> anyhow::Result<bool> {
    federation.party(NATIONAL)?.freeze()?;
    federation.party(SLOW)?.thaw()?;
    until("the region waits for the opening", || {
        match federation.status()?.phase.as_str() {
            "submit" => {}
            "close" => return Ok(Some(true)),
            "certify" | "published" => return Ok(Some(false)),
            other => bail!("phase {other}"),
        }
        federation.party(NATIONAL)?.thaw()?;
        std::thread::sleep(SLICE);
        federation.party(NATIONAL)?.freeze()?;
        std::thread::sleep(SETTLE);
        Ok(None)
    })
}

fn victim(kind: Kind, phase: Phase) -> &'static str {
    match (kind, phase) {
        (Kind::Region, _) => REGION,
        (Kind::Helper, _) => NATIONAL,
        (Kind::Node, Phase::Pattern) => SILENT,
        (Kind::Node, Phase::Submit) => SLOW,
        (Kind::Node, _) => QUICK,
    }
}

/// Takes away everything that held the round.
fn release(federation: &mut Federation) -> anyhow::Result<()> {
    let folder = federation.publications();
    if folder.is_file() {
        std::fs::remove_file(folder)?;
    }
    federation.thaw_all()?;
    federation.start_nodes(&[])
}

fn kill_and_restart(federation: &mut Federation, name: &str) -> anyhow::Result<()> {
    federation.kill(name)?;
    // A region that starts asks the helper for its key.
    if name == REGION && federation.party(NATIONAL)?.is_frozen() {
        federation.party(NATIONAL)?.thaw()?;
    }
    federation.start(name)
}

/// Whether everything ended as if nobody had been killed.
fn judge(federation: &mut Federation, reference: &Tables) -> anyhow::Result<()> {
    let tables = federation.published()?;
    ensure!(tables.keys().eq(reference.keys()), "other tables");
    for (name, bytes) in &tables {
        ensure!(*bytes == reference[name], "{name} is not what an undisturbed run gives (SAME-1)");
    }
    let status = federation.status()?;
    let units: Vec<String> = federation.nodes.keys().cloned().collect();
    ensure!(status.round == 1 && status.declared == units && status.verified == units, "{status:?}");
    for unit in &units {
        let entries = journal::read(&federation.node_folder(unit)?.join("journal"))?.entries;
        let mut reports = entries.iter().filter(|entry| entry.method == "Submit").map(|entry| &entry.body);
        let first = reports.next().context("a report")?;
        ensure!(reports.all(|other| other == first), "{unit} sent two reports in one round");
    }
    // Published is published: also for a region that is killed afterwards.
    kill_and_restart(federation, REGION)?;
    ensure!(federation.status()?.phase == "published");
    federation.stop()
}

/// With coordinators on sled, or in schemas of their own of a cluster.
fn killed_in(phase: Phase, kind: Kind, cluster: Option<&Cluster>) -> anyhow::Result<()> {
    for attempt in 0..ATTEMPTS {
        let stores = cluster.map(|cluster| {
            [REGION, NATIONAL].map(|name| {
                let schema = format!("{name}_{phase:?}_{kind:?}_{attempt}").to_lowercase();
                (name, store(cluster, &schema))
            })
        });
        let mut federation = Federation::stage_on(EXE, true, stores.as_ref().map_or(&[], |stores| stores))?;
        if !bring_to(&mut federation, phase)? {
            continue;
        }
        kill_and_restart(&mut federation, victim(kind, phase))?;
        release(&mut federation)?;
        if (phase, kind) == (Phase::Certify, Kind::Region) {
            // And again while it audits, writes and renames.
            let mut dice = ChaCha8Rng::seed_from_u64(7);
            for _ in 0..4 {
                std::thread::sleep(Duration::from_millis(u64::from(dice.next_u32() % 120)));
                kill_and_restart(&mut federation, REGION)?;
            }
        }
        return judge(&mut federation, reference()?);
    }
    bail!("closing could not be held in {ATTEMPTS} runs")
}

fn everyone_killed_in(phase: Phase) -> anyhow::Result<()> {
    for kind in [Kind::Node, Kind::Region, Kind::Helper] {
        killed_in(phase, kind, None).with_context(|| format!("{kind:?} killed in {phase:?}"))?;
    }
    Ok(())
}

#[test]
fn a_party_killed_while_nodes_declare_loses_nothing() -> anyhow::Result<()> {
    everyone_killed_in(Phase::Declare)
}

#[test]
fn a_party_killed_while_the_pattern_is_answered_loses_nothing() -> anyhow::Result<()> {
    everyone_killed_in(Phase::Pattern)
}

#[test]
fn a_party_killed_while_reports_come_in_loses_nothing() -> anyhow::Result<()> {
    everyone_killed_in(Phase::Submit)
}

#[test]
fn a_party_killed_while_sums_are_opened_loses_nothing_and_opens_nothing_twice() -> anyhow::Result<()> {
    everyone_killed_in(Phase::Close)
}

#[test]
fn a_party_killed_before_and_while_the_publication_is_written_loses_nothing() -> anyhow::Result<()> {
    everyone_killed_in(Phase::Certify)
}

/// The same with region and helper on PostgreSQL: who is started again waits for the lease of who was killed.
#[test]
fn a_coordinator_on_postgresql_killed_in_any_phase_loses_nothing() -> anyhow::Result<()> {
    use Phase::{Certify, Close, Declare, Pattern, Submit};
    let Some(cluster) = Cluster::start_with(&[]) else { return Ok(()) };
    for phase in [Declare, Pattern, Submit, Close, Certify] {
        for kind in [Kind::Region, Kind::Helper] {
            killed_in(phase, kind, Some(&cluster))
                .with_context(|| format!("{kind:?} killed in {phase:?}"))?;
        }
    }
    Ok(())
}

/// Kills before the last node is started: so many are certain.
const EARLY: usize = 4;
/// Longest pause between two kills, milliseconds.
const LONGEST_PAUSE: u32 = 120;

/// Kills parties drawn from a seed at moments drawn from it, each started again at once.
fn storm(federation: &mut Federation, seed: u64, kills: usize) -> anyhow::Result<()> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut names: Vec<String> = federation.nodes.keys().filter(|unit| *unit != LATE).cloned().collect();
    // As often as all nodes together.
    names.extend(std::iter::repeat_n([REGION, NATIONAL].map(String::from), names.len() / 2).flatten());
    for done in 0..kills {
        std::thread::sleep(Duration::from_millis(u64::from(dice.next_u32() % LONGEST_PAUSE)));
        if done == EARLY {
            federation.start_nodes(&[])?;
        }
        if federation.status()?.phase == "published" {
            return Ok(());
        }
        let name = &names[dice.next_u32() as usize % names.len()];
        kill_and_restart(federation, name).with_context(|| format!("kill {done} of seed {seed}: {name}"))?;
    }
    Ok(())
}

fn stormed(small: bool, seed: u64, kills: usize, reference: &Tables) -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, small)?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    storm(&mut federation, seed, kills)?;
    judge(&mut federation, reference).with_context(|| format!("seed {seed}"))
}

#[test]
fn a_storm_of_kills_changes_no_byte_of_the_tables() -> anyhow::Result<()> {
    for seed in [1, 2, 3] {
        stormed(true, seed, 15, reference()?)?;
    }
    Ok(())
}

#[test]
fn the_whole_demo_county_survives_kills_unchanged() -> anyhow::Result<()> {
    stormed(false, 11, 12, &undisturbed(false)?)
}
