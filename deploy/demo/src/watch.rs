//! Watches a round from the region's side and prints each kommun's steps and each phase as they come.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use coordinator::admin::{self, CollectionStatus, Question, Reply};
use tables::collection::Collection;

use crate::parties::Party;

/// How often the region is asked.
const LOOK: Duration = Duration::from_millis(100);
/// Longest time without any progress before the demo gives up.
const STUCK: Duration = Duration::from_secs(600);

/// What was seen.
pub struct Watched {
    /// Phases in order with the seconds each took.
    pub phases: Vec<(String, f64)>,
    /// Withheld cells by label.
    pub withheld: Vec<String>,
    /// Why there is no publication.
    pub failure: Option<String>,
}

/// Watches until the round is over.
///
/// # Errors
/// When a party ended or nothing happens any more.
pub async fn watch(
    region: &Path,
    collection: &Collection,
    parties: &mut [Party],
    began: Instant,
) -> anyhow::Result<Watched> {
    let names = publish::names::kommuner();
    let mut phases = vec![("inskrivning".to_owned(), began.elapsed().as_secs_f64())];
    let (mut declared, mut verified) = (BTreeSet::new(), BTreeSet::new());
    let (mut phase, mut since, mut moved) = (String::new(), Instant::now(), Instant::now());
    loop {
        parties.iter_mut().try_for_each(Party::check)?;
        let status = status(region, collection).await?;
        for (what, list, known) in [
            ("har deklarerat", &status.declared, &mut declared),
            ("har lämnat, kontrollerat av båda sidor", &status.verified, &mut verified),
        ] {
            for unit in list.iter().filter(|unit| known.insert((*unit).clone())).collect::<Vec<_>>() {
                let name = unit.parse().map(|unit| publish::names::unit(&names, &unit)).unwrap_or_default();
                println!("{:6.1} s  {unit} {name:<12} {what}", began.elapsed().as_secs_f64());
                moved = Instant::now();
            }
        }
        if status.phase != phase {
            if !phase.is_empty() {
                phases.push((word(&phase).into(), since.elapsed().as_secs_f64()));
            }
            println!(
                "{:6.1} s  fas: {} (omgång {})",
                began.elapsed().as_secs_f64(),
                word(&status.phase),
                status.round.max(1)
            );
            phase.clone_from(&status.phase);
            (since, moved) = (Instant::now(), Instant::now());
        }
        if phase == "published" || phase == "failed" {
            return Ok(Watched { phases, withheld: status.withheld, failure: status.failure });
        }
        if moved.elapsed() > STUCK {
            bail!("inget har hänt på {} s; se katalogen log", STUCK.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn status(region: &Path, collection: &Collection) -> anyhow::Result<CollectionStatus> {
    let name = format!("{}/{}", collection.id, collection.version);
    match admin::ask(region, &Question::Status).await? {
        Reply::Status(list) => {
            list.into_iter().find(|status| status.collection == name).context("insamlingen är borta")
        }
        _ => bail!("regionen svarade något annat"),
    }
}

/// The Swedish word of a phase.
pub fn word(phase: &str) -> &str {
    match phase {
        "waiting" => "väntar",
        "declare" => "deklarera",
        "pattern" => "mönster",
        "submit" => "lämna",
        "close" => "stänga och öppna summor",
        "certify" => "granska",
        "published" => "publicerad",
        "failed" => "avbruten",
        other => other,
    }
}
