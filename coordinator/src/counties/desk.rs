//! The national rounds of the national body: a machine with its durable facts for each.
//!
//! A round begins with the first county's offer. What a county offers is checked against what the helper itself holds of its
//! closed round, so that no region can offer a roster or a round that never was. Facts are stored before they are
//! applied (KEEP-1); figures a county publishes lie in facts, sums of shares beside none: they are added up when
//! asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use daemon::facts::{FactError, FactLog};
use daemon::store::{Batch, Store};
use round::chain::Signed;
use round::national::document::{NationalRef, Offer, Rows};
use round::national::groups::of_roster;
use round::national::{Duty, Fact, National};
use round::refusal::Refusal;
use sharing::output::Side;
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::system::{CellIndex, System};
use tokio::sync::watch;

use super::sides::Sides;
use crate::helper::desk::{ClosedRounds, DeskError};

/// One round.
struct Case {
    machine: National,
    log: FactLog<Fact>,
    text: String,
}

impl Case {
    fn record(&mut self, facts: Vec<Fact>) -> Result<(), DeskError> {
        if facts.is_empty() {
            return Ok(());
        }
        self.log.append(&facts, Vec::new())?;
        facts.into_iter().for_each(|fact| self.machine.apply(fact));
        Ok(())
    }
}

/// The desk of all national rounds.
pub struct Desk {
    store: Arc<dyn Store>,
    helper: Arc<dyn ClosedRounds>,
    key: PatternKey,
    cases: Mutex<BTreeMap<NationalRef, Case>>,
    changed: watch::Sender<u64>,
}

/// Where a round's document lies.
fn text_key(reference: &NationalRef) -> String {
    format!("national/collection/{}", hex::encode(reference.shape))
}

impl Desk {
    /// Opens the desk on a store, with every round begun before.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn open(
        store: Arc<dyn Store>,
        helper: Arc<dyn ClosedRounds>,
        key: PatternKey,
    ) -> Result<Arc<Self>, DeskError> {
        let (changed, _) = watch::channel(0);
        let desk = Self { store: store.clone(), helper, key, cases: Mutex::default(), changed };
        for (_, bytes) in store.scan("national/collection/").map_err(FactError::from)? {
            let text = String::from_utf8(bytes).map_err(|_| DeskError::Collection("not UTF-8".into()))?;
            let case = desk.case_of(text)?;
            desk.cases().insert(case.machine.reference().clone(), case);
        }
        Ok(Arc::new(desk))
    }

    fn cases(&self) -> std::sync::MutexGuard<'_, BTreeMap<NationalRef, Case>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn case_of(&self, text: String) -> Result<Case, DeskError> {
        let (collection, system) = built(&text)?;
        let machine = National::new(collection, system, self.key.clone());
        let mut machine = machine.ok_or_else(|| DeskError::Collection("no national round".into()))?;
        let prefix = format!("national/case/{}", hex::encode(machine.reference().shape));
        let (log, facts) = FactLog::open(self.store.clone(), prefix)?;
        facts.into_iter().for_each(|fact| machine.apply(fact));
        Ok(Case { machine, log, text })
    }

    /// Takes a county's offer whose signature by its region was verified.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn offer(&self, offer: Offer, now: i64) -> Result<(), DeskError> {
        let closed = self.helper.closed_round(&offer.collection, &offer.county.to_string())?;
        if closed.document.round != offer.round || closed.document.hash() != offer.pattern {
            return Err(Refusal::OtherBinding("the county's round").into());
        }
        if NationalRef::of(&closed.collection, &closed.system).as_ref() != Some(&offer.national) {
            return Err(Refusal::OtherBinding("national round").into());
        }
        if of_roster(&closed.collection, &closed.document.units()) != offer.groups {
            return Err(Refusal::OtherBinding("the groups of the county's roster").into());
        }
        let kommuner = (closed.document.kommuner().len() as u32, closed.collection.kommuner() as u32);
        let mut cases = self.cases();
        if !cases.contains_key(&offer.national) {
            let case = self.case_of(closed.text.clone())?;
            let batch = Batch::new().put(text_key(&offer.national), closed.text.into_bytes());
            self.store.commit(batch).map_err(FactError::from)?;
            cases.insert(offer.national.clone(), case);
        }
        let reference = offer.national.clone();
        let done = with(&mut cases, &reference, |case| {
            let facts = case.machine.offer(offer, kommuner, now)?;
            case.record(facts)
        });
        drop(cases);
        self.wake();
        done
    }

    /// Takes a county's delivery, both signatures verified.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn deliver(&self, reference: &NationalRef, rows: Rows, share: Signed) -> Result<(), DeskError> {
        self.event(reference, |machine| machine.deliver(rows, share))
    }

    /// Has the machine decide something and stores what it adds.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn event(
        &self,
        reference: &NationalRef,
        decide: impl FnOnce(&National) -> Result<Vec<Fact>, Refusal>,
    ) -> Result<(), DeskError> {
        let mut cases = self.cases();
        let done = with(&mut cases, reference, |case| {
            let facts = decide(&case.machine)?;
            case.record(facts)
        });
        drop(cases);
        self.wake();
        done
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Wakes up after every event.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Rounds with something to do.
    pub fn duties(&self, now: i64) -> Vec<(NationalRef, Duty)> {
        let cases = self.cases();
        let due =
            cases.iter().filter_map(|(name, case)| case.machine.duties(now).map(|duty| (name.clone(), duty)));
        due.collect()
    }

    /// A copy of a round's machine, with the document it was built from.
    pub fn look(&self, reference: &NationalRef) -> Option<(National, String)> {
        self.cases().get(reference).map(|case| (case.machine.clone(), case.text.clone()))
    }

    /// Whether no round has begun.
    pub fn is_empty(&self) -> bool {
        self.cases().is_empty()
    }

    /// All rounds.
    pub fn all(&self) -> Vec<National> {
        self.cases().values().map(|case| case.machine.clone()).collect()
    }

    /// The helper's sums over the counties of a close: the own side of what is opened.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn own_side(&self, machine: &National) -> Result<Sides, DeskError> {
        let close = machine.closed().ok_or(Refusal::Phase("not closed"))?;
        let parameters = parameters(&machine.system)?;
        let mut sum = Sides::new(&parameters, Side::Helper);
        for county in &close.roster {
            let offered = machine.offers().get(county).ok_or(Refusal::NotInRoster)?;
            let closed = self.helper.closed_round(&offered.offer.collection, &county.to_string())?;
            if closed.document.hash() != offered.offer.pattern {
                return Err(Refusal::OtherBinding("the county's round").into());
            }
            let of_groups = Sides::of_groups(&parameters, Side::Helper, closed.groups)?;
            if !of_groups.groups.is_empty() && of_groups.whole != closed.aggregate {
                return Err(DeskError::Share("sums over groups that do not make the county's"));
            }
            sum.add(Sides { whole: closed.aggregate, groups: of_groups.groups })?;
        }
        Ok(sum)
    }
}

fn with<T>(
    cases: &mut BTreeMap<NationalRef, Case>,
    reference: &NationalRef,
    work: impl FnOnce(&mut Case) -> Result<T, DeskError>,
) -> Result<T, DeskError> {
    work(cases.get_mut(reference).ok_or(Refusal::OtherBinding("national round"))?)
}

/// A collection document with its cells.
///
/// # Errors
/// [`DeskError::Collection`].
pub fn built(text: &str) -> Result<(Arc<Collection>, Arc<System>), DeskError> {
    let unusable = |error: &dyn std::fmt::Display| DeskError::Collection(error.to_string());
    let codebook = Collection::codebook_of(text).map_err(|error| unusable(&error))?;
    let collection = Collection::from_toml(text, &codebook).map_err(|error| unusable(&error))?;
    let system = System::new(&collection, &codebook).map_err(|error| unusable(&error))?;
    Ok((Arc::new(collection), Arc::new(system)))
}

/// The vector parameters of a collection's cells.
///
/// # Errors
/// [`DeskError::Collection`].
pub fn parameters(system: &System) -> Result<sharing::params::VectorParameters, DeskError> {
    round::shares::parameters(system).map_err(|error| DeskError::Collection(error.to_string()))
}

/// The shared sums of a list of cells; `None` when one is no shared sum.
pub fn combinations<'a>(
    system: &System,
    cells: impl IntoIterator<Item = &'a CellIndex>,
) -> Option<Vec<sharing::opening::Combination>> {
    round::shares::combinations_of(system, cells)
}
