//! One collection at a region: its machine and its durable facts.
//!
//! Invariants (KEEP-1): a fact is stored, with everything that belongs beside it in the same batch, before it is
//! applied and before anyone hears of it. Whoever waits is woken after that.

use std::sync::{Arc, Mutex, PoisonError};

use daemon::facts::{FactError, FactLog};
use round::refusal::Refusal;
use round::region::{Duty, Event, Fact, Phase, Region};
use sharing::params::VectorParameters;
use tables::unit::Unit;
use tokio::sync::watch;

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The machine refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] FactError),
}

/// A collection's desk.
pub struct Desk {
    region: Mutex<Region>,
    log: FactLog<Fact>,
    parameters: VectorParameters,
    changed: watch::Sender<u64>,
}

impl Desk {
    /// The desk of a region restored from its log.
    pub fn new(
        mut region: Region,
        log: FactLog<Fact>,
        facts: Vec<Fact>,
        parameters: VectorParameters,
    ) -> Arc<Self> {
        facts.into_iter().for_each(|fact| region.apply(fact));
        let (changed, _) = watch::channel(0);
        Arc::new(Self { region: Mutex::new(region), log, parameters, changed })
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Region) -> T) -> T {
        look(&self.region.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes an event; `beside` is stored in the same batch as its facts.
    ///
    /// # Errors
    /// [`DeskError`]; nothing is stored or applied then.
    pub fn take(&self, event: Event, now: i64, beside: Vec<(String, Vec<u8>)>) -> Result<(), DeskError> {
        let mut region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = region.handle(event, now)?;
        if facts.is_empty() {
            return Ok(());
        }
        self.log.append(&facts, beside)?;
        facts.into_iter().for_each(|fact| region.apply(fact));
        drop(region);
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// What is due.
    pub fn duties(&self, now: i64) -> Vec<Duty> {
        self.look(|region| region.duties(now))
    }

    /// Where the round stands.
    pub fn phase(&self) -> Phase {
        self.look(Region::phase)
    }

    /// Wakes up after every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads what was stored beside facts.
    ///
    /// # Errors
    /// [`FactError`], also when it is not there.
    pub fn read(&self, key: &str) -> Result<Vec<u8>, FactError> {
        self.log.read(key)
    }

    /// The parameters of the collection's reports.
    pub fn parameters(&self) -> &VectorParameters {
        &self.parameters
    }
}

/// Where a report lies beside its fact.
pub fn report_key(round: u32, unit: &Unit) -> String {
    format!("report/{round}/{unit}")
}

/// Where the node's signature of a report lies.
pub fn signature_key(round: u32, unit: &Unit) -> String {
    format!("signature/{round}/{unit}")
}

/// Where the region's share of a verified report lies.
pub fn share_key(round: u32, unit: &Unit) -> String {
    format!("share/{round}/{unit}")
}

/// Where the region's aggregate share of a closed round lies, kept for the national round.
pub fn aggregate_key(round: u32, group: &str) -> String {
    format!("aggregate/{round}/{group}")
}
