//! The coordinator's store: which one, opened when it is ours, brought up, written to a file while it is in use.
//!
//! What it does not do: it knows no fact that is stored.
//!
//! Invariant (KEEP-1): nothing is bound or answered before the store is open; so of two replicas on one database one answers, and
//! the other waits here until it may take over.

mod config;
mod replica;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use daemon::shutdown::Shutdown;
use daemon::store::{SledStore, Store, StoreError, archive, version};
use jiff::Timestamp;
use postgresql_store::PostgresStore;
use tokio::net::TcpListener;

use crate::admin::{self, Question, Reply};
use crate::config::Config;

pub use config::{Kind, RawStore};
pub use replica::{leave_papers, same_on_every_replica, take_papers};

/// How often a standby asks whether it may take over.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How often a door is tried that another process still holds.
const BIND_TRIES: u32 = 15;

/// What errors call the store.
fn label(config: &Config) -> PathBuf {
    match &config.store {
        Kind::Sled => config.data.join("lager"),
        Kind::Postgresql(place) => place.label(),
    }
}

fn try_open(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &config.store {
        Kind::Sled => Arc::new(SledStore::open(&config.data.join("lager"))?),
        Kind::Postgresql(place) => Arc::new(PostgresStore::try_open(place)?),
    })
}

/// Opens the store and brings it up. On a database that another process holds: waits until that ends, `None` when `stop` came
/// first. A directory that another process holds is an error: it cannot be told from a mistake.
///
/// # Errors
/// The store's; the text says what to do.
pub async fn open(config: &Config, stop: &Shutdown) -> anyhow::Result<Option<Arc<dyn Store>>> {
    let mut stop = stop.clone();
    let mut waits = false;
    loop {
        let asked = config.clone();
        let opened =
            tokio::task::spawn_blocking(move || try_open(&asked)).await.context("opening the store")?;
        match opened {
            Ok(store) => {
                version::bring_up(store.as_ref(), &label(config))?;
                tracing::info!(store = %label(config).display(), fence = store.fence(), "the store is this process's");
                return Ok(Some(store));
            }
            Err(StoreError::Locked { path }) if config.store != Kind::Sled => {
                if !waits {
                    tracing::info!(store = %path.display(), "another coordinator is active; this one waits to take over");
                }
                waits = true;
            }
            // whoever waits outlives the database's own restarts
            Err(error) if waits => tracing::warn!(%error, "the database cannot be asked"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = stop.wait() => return Ok(None),
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

/// Binds a door, now that the store is ours. A replica on the same machine may not yet have heard that it was superseded: its
/// door is waited for.
///
/// # Errors
/// The address cannot be bound; `key` is its key in the configuration.
pub async fn bind(config: &Config, key: &'static str, address: &str) -> anyhow::Result<TcpListener> {
    let mut tries = if config.store == Kind::Sled { 0 } else { BIND_TRIES };
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tries > 0 => tries -= 1,
            bound => return bound.context(key),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What was brought back from a file or a backup opens nothing until somebody has answered for it: it does not know what was
/// opened after that was made (SAFE-1).
///
/// # Errors
/// The store's.
pub fn may_open(store: &dyn Store) -> Result<bool, StoreError> {
    let Some(made) = archive::restored(store)? else { return Ok(true) };
    let made = Timestamp::from_second(made).map(|made| made.to_string()).unwrap_or_default();
    tracing::warn!(
        made,
        "lagret är återställt: ingenting öppnas förrän `coordinator lager confirm` har körts; läs handboken först"
    );
    Ok(false)
}

/// An operator's questions, with those about the store answered here.
pub async fn answer<F: Future<Output = Reply>>(
    store: Arc<dyn Store>,
    question: Question,
    others: impl FnOnce(Question) -> F,
) -> Reply {
    let Question::Export { file } = question else { return others(question).await };
    let now = Timestamp::now().as_second();
    let written = tokio::task::spawn_blocking(move || archive::export(store.as_ref(), &file, now)).await;
    match written {
        Ok(Ok(summary)) => Reply::Exported { entries: summary.entries, bytes: summary.bytes },
        Ok(Err(error)) => Reply::Refused(error.to_string()),
        Err(_) => Reply::Refused("the work ended early".into()),
    }
}

/// Writes the store to a file: by the coordinator that runs, if one does.
///
/// # Errors
/// Of the store, the file, or the coordinator.
pub async fn export(config: &Config, file: &Path) -> anyhow::Result<()> {
    let file = std::path::absolute(file)?;
    match admin::ask(&config.data, &Question::Export { file: file.clone() }).await {
        Ok(Reply::Exported { entries, bytes }) => told(&file, entries, bytes),
        Ok(Reply::Refused(reason)) => bail!("{reason}"),
        Ok(_) => bail!("the coordinator answered something else"),
        Err(admin::AdminError::Away { .. }) => {
            let store = try_open(config)?;
            let summary = archive::export(store.as_ref(), &file, Timestamp::now().as_second())?;
            told(&file, summary.entries, summary.bytes)
        }
        Err(error) => Err(error.into()),
    }
}

fn told(file: &Path, entries: u64, bytes: u64) -> anyhow::Result<()> {
    println!(
        "{}: {entries} poster, {bytes} byte. Filen innehåller nycklar: förvara den som lagret.",
        file.display()
    );
    Ok(())
}

/// Brings a file into the empty store of a coordinator that does not run.
///
/// # Errors
/// Of the store or the file.
pub fn import(config: &Config, file: &Path) -> anyhow::Result<()> {
    let store = try_open(config)?;
    let summary = archive::import(store.as_ref(), file)?;
    let made = Timestamp::from_second(summary.made)?;
    println!("{} poster från {made}. Lagret räknas som återställt:", summary.entries);
    println!("ingenting öppnas förrän `coordinator lager confirm` har körts. Läs handboken först.");
    Ok(())
}

/// Marks a store that was brought back by other means as old, or takes the mark away.
///
/// # Errors
/// The store's.
pub fn set_restored(config: &Config, is_restored: bool) -> anyhow::Result<()> {
    let store = try_open(config)?;
    if is_restored {
        archive::mark_restored(store.as_ref(), Timestamp::now().as_second())?;
        println!(
            "Lagret räknas nu som återställt: ingenting öppnas förrän `coordinator lager confirm` har körts."
        );
    } else {
        archive::confirm(store.as_ref())?;
        println!("Lagret räknas inte längre som återställt.");
    }
    Ok(())
}
