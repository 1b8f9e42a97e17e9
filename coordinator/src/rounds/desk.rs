//! One collection at a region: its machine and its durable facts.
//!
//! Invariants (KEEP-1): a fact is stored, with everything that belongs beside it in the same batch, before it is
//! applied and before anyone hears of it. Whoever waits is woken after that.
//!
//! Choosing a pattern takes seconds or minutes. Meanwhile everybody may look, at the state before; only other events wait their
//! turn, and they wait beside the runtime's threads, so that nodes that ask are answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

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
    /// Held only to take a copy of the pointer or to put another in its place.
    region: Mutex<Arc<Region>>,
    /// Whose event is being handled.
    turn: Mutex<()>,
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
        Arc::new(Self {
            region: Mutex::new(Arc::new(region)),
            turn: Mutex::new(()),
            log,
            parameters,
            changed,
        })
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Region) -> T) -> T {
        look(&self.now())
    }

    fn now(&self) -> Arc<Region> {
        self.region.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the turn; on a thread of the runtime others take over its tasks meanwhile.
    fn turn(&self) -> MutexGuard<'_, ()> {
        let wait = || self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let runtime = tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor());
                match runtime {
                    Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
                    _ => wait(),
                }
            }
        }
    }

    /// Takes an event; `beside` is stored in the same batch as its facts.
    ///
    /// # Errors
    /// [`DeskError`]; nothing is stored or applied then.
    pub fn take(&self, event: Event, now: i64, beside: Vec<(String, Vec<u8>)>) -> Result<(), DeskError> {
        let turn = self.turn();
        let facts = self.now().handle(event, now)?;
        if facts.is_empty() {
            return Ok(());
        }
        self.log.append(&facts, beside)?;
        let mut region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        // copied only if somebody is looking
        let changed = Arc::make_mut(&mut region);
        facts.into_iter().for_each(|fact| changed.apply(fact));
        drop(region);
        drop(turn);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use daemon::store::MemoryDisk;
    use suppress::key::PatternKey;
    use tables::collection::Collection;
    use tables::system::System;

    use super::*;

    const TEXT: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "21"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["2101", "2104", "2121", "2132", "2161"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["kon"]
"#;

    /// A handler of a node's request must not wait for a pattern that is being chosen: it froze a region of eight
    /// kommuner, all threads of its runtime waiting for one.
    #[test]
    fn who_looks_does_not_wait_for_whoever_has_the_turn() {
        let codebook = Collection::codebook_of(TEXT).unwrap();
        let collection = Arc::new(Collection::from_toml(TEXT, &codebook).unwrap());
        let system = Arc::new(System::new(&collection, &codebook).unwrap());
        let parameters = round::shares::parameters(&system).unwrap();
        let (log, facts) = FactLog::open(Arc::new(MemoryDisk::new().open()), "case").unwrap();
        let region = Region::new(collection, system, PatternKey::new(&[7; 32]));
        let desk = Desk::new(region, log, facts, parameters);
        let turn = desk.turn();
        let (tell, told) = std::sync::mpsc::channel();
        let other = desk.clone();
        std::thread::spawn(move || tell.send(other.phase()));
        assert!(told.recv_timeout(Duration::from_secs(60)).is_ok(), "it waited for the turn");
        drop(turn);
    }
}
