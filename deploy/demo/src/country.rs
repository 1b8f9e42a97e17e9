//! Watches many counties and the national round, and says at the end where everything lies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use coordinator::admin::{self, CollectionStatus, Question, Reply};
use node::link::journal;
use tables::collection::Collection;
use tables::strict::{Status, StrictTable};

use crate::parties::Party;
use crate::watch::word;

/// How often coordinators are asked.
const LOOK: Duration = Duration::from_millis(250);
/// Longest time without any progress before the demo gives up.
const STUCK: Duration = Duration::from_secs(1_200);

/// One round that is watched.
pub struct Watched {
    /// The county, or `00`.
    pub area: String,
    data: PathBuf,
    phase: String,
    progress: (usize, usize),
    /// Why there is no publication.
    pub failure: Option<String>,
}

impl Watched {
    /// The round of the coordinator whose data lie there.
    pub fn new(area: String, data: PathBuf) -> Self {
        Self { area, data, phase: String::new(), progress: (0, 0), failure: None }
    }

    fn is_over(&self) -> bool {
        self.phase == "published" || self.phase == "failed"
    }
}

/// Watches until every round is over; with `restart`, parties that end are started again.
///
/// # Errors
/// When a party ended or nothing happens any more.
pub async fn watch(
    watched: &mut [Watched],
    parties: &mut [Party],
    began: Instant,
    restart: bool,
) -> anyhow::Result<()> {
    let mut moved = Instant::now();
    while !watched.iter().all(Watched::is_over) {
        parties.iter_mut().try_for_each(if restart { Party::revive } else { Party::check })?;
        for round in watched.iter_mut().filter(|round| !round.is_over()) {
            // A national round begins with the first county that is ready.
            let status = match status(&round.data).await {
                Ok(Some(status)) => status,
                Ok(None) => continue,
                Err(_) if restart => continue,
                Err(error) => return Err(error),
            };
            let progress = (status.declared.len(), status.verified.len());
            if status.phase != round.phase || progress != round.progress {
                moved = Instant::now();
            }
            if status.phase != round.phase {
                let name = match round.area.as_str() {
                    "00" => "riket".to_owned(),
                    area => area.parse().map(publish::names::county).unwrap_or_default(),
                };
                println!(
                    "{:6.1} s  {} {name:<18} {}",
                    began.elapsed().as_secs_f64(),
                    round.area,
                    word(&status.phase)
                );
                round.phase.clone_from(&status.phase);
            }
            (round.progress, round.failure) = (progress, status.failure);
        }
        if moved.elapsed() > STUCK {
            bail!("inget har hänt på {} s; se katalogen log", STUCK.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn status(data: &Path) -> anyhow::Result<Option<CollectionStatus>> {
    match admin::ask(data, &Question::Status).await? {
        Reply::Status(list) => Ok(list.into_iter().next()),
        _ => bail!("samordnaren svarade något annat"),
    }
}

/// Prints the programme's last page; whether everything was published.
///
/// # Errors
/// When a journal or a publication cannot be read.
pub fn print(
    out: &Path,
    collection: &Collection,
    watched: &[Watched],
    nodes: &BTreeMap<String, PathBuf>,
    took: Duration,
) -> anyhow::Result<bool> {
    let mut sent = Vec::new();
    for config in nodes.values() {
        let reading = journal::read(&config.parent().unwrap_or(out).join("journal"))?;
        sent.push(reading.entries.iter().map(|entry| entry.body.len()).sum::<usize>());
    }
    let (least, most) = (sent.iter().min().unwrap_or(&0), sent.iter().max().unwrap_or(&0));
    println!("\n{} noder, {least}–{most} byte från var och en; {:.0} s", nodes.len(), took.as_secs_f64());
    let mut whole = true;
    for round in watched {
        if let Some(failure) = &round.failure {
            println!("Ingen publicering för {}: {failure}", round.area);
            whole = false;
        }
    }
    let version = format!("v{}", collection.version);
    println!("\nPublikationer:");
    for round in watched.iter().filter(|round| round.failure.is_none()) {
        let folder = match round.area.as_str() {
            "00" => out.join("national").join(&collection.id).join(&version),
            area => out.join("region").join(area).join(&collection.id).join(&version),
        };
        let (withheld, all) = marks(&folder, collection, |area| area == round.area)?;
        println!("  {}  {}  ({withheld} av {all} antal undanhållna)", round.area, folder.display());
        let (withheld, all) = marks(&folder, collection, |area| area.starts_with("G:"))?;
        if all > 0 {
            println!("      kommungrupper: {withheld} av {all} antal undanhållna");
        }
    }
    Ok(whole)
}

/// Withheld counts of some areas' own rows, and all of them, from the published files.
fn marks(
    folder: &Path,
    collection: &Collection,
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<(usize, usize)> {
    let (mut withheld, mut all) = (0, 0);
    for table in &collection.tables {
        let name = format!("{}.csv", table.id);
        let path = folder.join("csv").join(&name);
        let bytes = std::fs::read(&path).context(format!("{}", path.display()))?;
        let strict = StrictTable::from_csv(&name, &bytes)?;
        let word = publish::table::count_word(table.measure);
        for row in strict.rows.iter().filter(|row| row.matt == word && is_asked(&row.omrade.to_string())) {
            all += 1;
            withheld += usize::from(row.status == Status::Withheld);
        }
    }
    Ok((withheld, all))
}
