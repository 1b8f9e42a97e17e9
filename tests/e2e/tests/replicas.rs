//! KEEP-1 with real processes and a real PostgreSQL: two region coordinators on one database, one active; and stores that are
//! written to a file, put back, and moved.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use e2e::database::store;
use e2e::federation::{Federation, NATIONAL, Office, REGION, Tables, configure, utf8};
use e2e::wait::until;
use postgres::Cluster;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
/// Frozen once it has declared.
const SLOW: &str = "2183";
/// Started last: the pattern waits for its declaration.
const LATE: &str = "2184";
/// Frozen once it has declared: the pattern waits for its answer.
const SILENT: &str = "2181";
/// Where the region's tables are.
const SCHEMA: &str = "region_21";
/// Longest pause before a kill, milliseconds.
const LONGEST_PAUSE: u32 = 400;

/// The tables of an undisturbed run on sled, whose figures other tests count by hand.
fn reference() -> anyhow::Result<&'static Tables> {
    static TABLES: OnceLock<Result<Tables, String>> = OnceLock::new();
    let make = || -> anyhow::Result<Tables> {
        let mut federation = Federation::stage(EXE, true)?;
        federation.announce()?;
        federation.start_nodes(&[])?;
        let tables = federation.published()?;
        federation.stop()?;
        Ok(tables)
    };
    let made = TABLES.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Whether everything ended as if nothing had happened: the same bytes, one round, everyone counted once.
fn judge(federation: &mut Federation) -> anyhow::Result<()> {
    let (tables, reference) = (federation.published()?, reference()?);
    ensure!(tables.keys().eq(reference.keys()), "other tables");
    for (name, bytes) in &tables {
        ensure!(*bytes == reference[name], "{name} is not what an undisturbed run gives (SAME-1)");
    }
    let status = federation.status()?;
    let units: Vec<String> = federation.nodes.keys().cloned().collect();
    ensure!(status.round == 1 && status.declared == units && status.verified == units, "{status:?}");
    Ok(())
}

#[test]
fn a_standby_takes_over_again_and_again_and_the_round_ends_as_if_nothing_had_happened() -> anyhow::Result<()>
{
    let Some(cluster) = Cluster::start_with(&[]) else { return Ok(()) };
    let mut federation = Federation::stage_on(EXE, true, &[(REGION, store(&cluster, SCHEMA))])?;
    federation.start_standby()?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    federation.fail_over().context("in declare")?;
    federation.start(LATE)?;
    let mut dice = ChaCha8Rng::seed_from_u64(5);
    for kill in 0..4 {
        std::thread::sleep(Duration::from_millis(u64::from(dice.next_u32() % LONGEST_PAUSE)));
        federation.fail_over().with_context(|| format!("kill {kill}"))?;
    }
    judge(&mut federation)?;
    federation.fail_over().context("after the publication")?;
    ensure!(federation.status()?.phase == "published");
    federation.stop()
}

/// Who was superseded without dying ends by itself and has written nothing more.
#[test]
fn a_superseded_coordinator_ends_by_itself_and_the_round_goes_on() -> anyhow::Result<()> {
    let Some(cluster) = Cluster::start_with(&[]) else { return Ok(()) };
    let mut federation = Federation::stage_on(EXE, true, &[(REGION, store(&cluster, SCHEMA))])?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    // Its lease is over before it can renew it, as if it had stood still; what it writes next must be refused.
    let past = "lease_until = TIMESTAMP WITH TIME ZONE '2000-01-01 00:00:00+00'";
    cluster.run(&format!("UPDATE {SCHEMA}.opening SET fence = fence + 1, {past}"));
    federation.start_standby()?;
    let status = federation.superseded()?;
    ensure!(!status.success(), "it ends with an error: {status}");
    let log = std::fs::read_to_string(federation.folder().join("log/region.log"))?;
    ensure!(log.contains("another process has taken over"), "{log}");
    federation.start(LATE)?;
    judge(&mut federation)?;
    federation.stop()
}

/// KEEP-1: the database itself dies in the middle of a round; the coordinator ends, and goes on after both were started again.
#[test]
fn a_database_that_dies_in_the_middle_of_a_round_loses_nothing() -> anyhow::Result<()> {
    let Some(mut cluster) = Cluster::start_with(&[]) else { return Ok(()) };
    let stores = [(NATIONAL, store(&cluster, "nationell")), (REGION, store(&cluster, SCHEMA))];
    let mut federation = Federation::stage_on(EXE, true, &stores)?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    for _ in 0..2 {
        cluster.crash();
        for name in [REGION, NATIONAL] {
            let status = federation.ended(name)?;
            ensure!(!status.success(), "a coordinator without its store ends with an error: {status}");
        }
        cluster.start_again();
        federation.start(NATIONAL)?;
        federation.start(REGION)?;
        federation.start_nodes(&[])?;
    }
    judge(&mut federation)?;
    federation.stop()
}

#[test]
fn a_second_coordinator_on_one_directory_is_refused_with_words() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    let refused = federation.coordinator(&federation.region, &["run"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(1), "{said}");
    ensure!(said.contains("another process has this store open; stop it first"), "{said}");
    federation.announce()?;
    federation.stop()
}

fn done(output: &std::process::Output) -> anyhow::Result<()> {
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// `coordinator lager export`, whether the coordinator runs or not.
fn export(federation: &Federation, office: &Office, name: &str) -> anyhow::Result<PathBuf> {
    let file = federation.folder().join(name);
    done(&federation.coordinator(office, &["lager", "export", utf8(&file)?])?)?;
    Ok(file)
}

fn import(federation: &Federation, office: &Office, file: &Path) -> anyhow::Result<()> {
    done(&federation.coordinator(office, &["lager", "import", utf8(file)?])?)
}

/// All but one have submitted; that one is frozen.
fn bring_to_submit(federation: &mut Federation) -> anyhow::Result<()> {
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    federation.party(SILENT)?.freeze()?;
    federation.start(LATE)?;
    until("it answered", || Ok(federation.has_answered(SLOW)?.then_some(())))?;
    federation.party(SLOW)?.freeze()?;
    federation.party(SILENT)?.thaw()?;
    federation.until("all but one submitted", |s| s.phase == "submit" && s.verified.len() == 5)
}

/// A region's store, written to a file while it runs in the middle of a round, goes on in PostgreSQL, and back again.
#[test]
fn a_region_moves_to_postgresql_and_back_in_the_middle_of_a_round() -> anyhow::Result<()> {
    let Some(cluster) = Cluster::start_with(&[]) else { return Ok(()) };
    let mut federation = Federation::stage(EXE, true)?;
    bring_to_submit(&mut federation)?;
    let running = export(&federation, &federation.region, "running.samman")?;
    federation.kill(REGION)?;
    let stopped = export(&federation, &federation.region, "stopped.samman")?;
    ensure!(running.metadata()?.len() == stopped.metadata()?.len(), "the same while it ran and after");
    configure(&federation.region.config, |c| _ = c.insert("lager".into(), store(&cluster, SCHEMA).into()))?;
    import(&federation, &federation.region, &running)?;
    let again = federation.coordinator(&federation.region, &["lager", "import", utf8(&running)?])?;
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(!again.status.success() && said.contains("only into an empty one"), "{said}");
    federation.start(REGION)?;
    federation.status()?;
    let back = export(&federation, &federation.region, "back.samman")?;
    federation.kill(REGION)?;
    configure(&federation.region.config, |c| _ = c.remove("lager"))?;
    std::fs::remove_dir_all(federation.region.data.join("lager"))?;
    import(&federation, &federation.region, &back)?;
    federation.start(REGION)?;
    federation.thaw_all()?;
    judge(&mut federation)?;
    federation.stop()
}

/// A region put back to before it acknowledged a declaration does not get it again. It waits for its deadline, and publishes
/// nothing rather than something wrong.
#[test]
fn a_region_restored_to_before_an_acknowledgement_publishes_nothing() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    let old = export(&federation, &federation.region, "old.samman")?;
    federation.start(LATE)?;
    federation.until("reports came in", |s| !s.verified.is_empty())?;
    federation.kill(REGION)?;
    std::fs::remove_dir_all(federation.region.data.join("lager"))?;
    import(&federation, &federation.region, &old)?;
    federation.start(REGION)?;
    let units: Vec<String> = federation.nodes.keys().cloned().collect();
    let count = |federation: &Federation| -> anyhow::Result<Vec<usize>> {
        units.iter().map(|unit| Ok(federation.sent(unit)?.len())).collect()
    };
    let before = count(&federation)?;
    until("every node asked the restored region", || {
        let all = count(&federation)?.iter().zip(&before).all(|(now, before)| now > before);
        Ok(all.then_some(()))
    })?;
    let status = federation.status()?;
    ensure!(
        status.phase == "declare" && status.declared.len() == 5 && status.verified.is_empty(),
        "{status:?}"
    );
    ensure!(!federation.publication().exists(), "nothing is published");
    federation.stop()
}

/// SAFE-1: a helper put back from a backup does not know what it opened since; it opens nothing until its operator answers for it.
#[test]
fn a_restored_helper_opens_nothing_until_its_operator_has_answered_for_it() -> anyhow::Result<()> {
    let mut federation = Federation::stage(EXE, true)?;
    federation.announce()?;
    federation.start_nodes(&[LATE])?;
    federation.until("all but one declared", |s| s.phase == "declare" && s.declared.len() == 5)?;
    let file = export(&federation, &federation.national, "helper.samman")?;
    federation.kill(NATIONAL)?;
    std::fs::remove_dir_all(federation.national.data.join("lager"))?;
    import(&federation, &federation.national, &file)?;
    federation.start(NATIONAL)?;
    federation.start(LATE)?;
    federation.until("all submitted, nothing opened", |s| s.phase == "close" && s.verified.len() == 6)?;
    let log = federation.folder().join("log/region.log");
    until("the region was told why", || {
        Ok(std::fs::read_to_string(&log)?.contains("the helper's store is a restored one").then_some(()))
    })?;
    ensure!(federation.status()?.phase == "close");
    federation.kill(NATIONAL)?;
    done(&federation.coordinator(&federation.national, &["lager", "confirm"])?)?;
    federation.start(NATIONAL)?;
    judge(&mut federation)?;
    federation.stop()
}
