//! What a helper keeps: per region and collection a machine with its facts and shares, and one ledger for all.
//!
//! Invariants (KEEP-1): facts, shares and ledger lines of one event are one durable batch. The ledger is never per
//! collection: that is what makes a second collection over the same records notice the first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use daemon::facts::{Beside, FactError, FactLog};
use daemon::store::Store;
use round::chain::Chain;
use round::document::{CollectionRef, PatternDocument};
use round::helper::{Closing, Fact, HandedPattern, HandedReport, Helper};
use round::ledger::{Ledger, Line};
use round::national::groups::of_roster;
use round::refusal::Refusal;
use serde::{Deserialize, Serialize};
use sharing::aggregate::AggregateShare;
use sharing::helper_key::HelperKeyPair;
use sharing::opening::NoNoise;
use sharing::output::{OutputShare, Side};
use tables::codebook::Codebook;
use tables::collection::{Collection, CollectionError};
use tables::extension::Extension;
use tables::system::System;
use tables::unit::{GroupCode, Unit};

use crate::storage;

/// Why the helper does not do what a region asks.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// A refusal: final.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store: may go through later.
    #[error(transparent)]
    Store(#[from] FactError),
    /// The collection document cannot be used here.
    #[error("{0}")]
    Collection(String),
    /// The store was put back from a file or a backup, and nobody has answered for it yet.
    #[error("the store is a restored one: nothing is opened until its operator has answered for it")]
    Restored,
    /// Own stored shares cannot be used.
    #[error("a stored share cannot be used: {0}")]
    Share(&'static str),
}

/// One collection of one region.
struct Case {
    helper: Helper,
    collection: Arc<Collection>,
    log: FactLog<Fact>,
}

#[derive(Serialize, Deserialize)]
struct LedgerEntry {
    definition: [u8; 32],
    line: Line,
}

/// What the helper answers at close.
pub struct Opening {
    /// Opened shares in the pattern's order.
    pub shares: Vec<Vec<u8>>,
    /// Keys of the readable cells in roster order.
    pub readable_keys: Vec<[u8; 32]>,
    /// What is countersigned.
    pub digest: [u8; 32],
}

/// The helper's desk.
pub struct Desk {
    store: Arc<dyn Store>,
    keys: HelperKeyPair,
    cases: Mutex<BTreeMap<CollectionRef, Case>>,
    ledger: Mutex<Ledger>,
    ledger_log: FactLog<LedgerEntry>,
    /// A stored collection could not be read: what it opened is not known.
    unreadable: bool,
    /// The store may be an old one: what it opened is not known.
    restored: bool,
}

impl Desk {
    /// Opens the desk on a store, with every collection that was put there before.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn open(store: Arc<dyn Store>, keys: HelperKeyPair) -> Result<Self, DeskError> {
        let (ledger_log, entries) = FactLog::<LedgerEntry>::open(store.clone(), "helper/ledger")?;
        let mut ledger = Ledger::default();
        entries.into_iter().for_each(|entry| ledger.enter(entry.definition, entry.line));
        let mut desk = Self {
            store: store.clone(),
            keys,
            cases: Mutex::default(),
            ledger: Mutex::new(ledger),
            ledger_log,
            unreadable: false,
            restored: !storage::may_open(store.as_ref()).map_err(FactError::from)?,
        };
        for (_, bytes) in store.scan("helper/collection/").map_err(FactError::from)? {
            let text = String::from_utf8(bytes).map_err(|_| DeskError::Collection("not UTF-8".into()))?;
            match desk.case_of(&text) {
                Ok((reference, case)) => desk.take_in(reference, case),
                Err(error) => {
                    tracing::error!(%error, "a stored collection cannot be used; nothing is opened until it can");
                    desk.unreadable = true;
                }
            }
        }
        Ok(desk)
    }

    /// Takes a collection whose signature by `county`'s region was verified.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn put_collection(&self, text: &str, county: &str) -> Result<(), DeskError> {
        let collection = self.parse(text)?;
        if collection.county.to_string() != county {
            return Err(Refusal::OtherBinding("county").into());
        }
        let reference = CollectionRef::of(&collection);
        if self.cases.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&reference) {
            return Ok(());
        }
        let key = format!("helper/collection/{}", hex::encode(collection.hash));
        // Built first: a document that cannot be used must not stand in the store. Taken in last: what is not stored is
        // not known, or a repeated request would be told that it is.
        let (reference, case) = self.case_of(text)?;
        let batch = daemon::store::Batch::new().put(key, text.as_bytes());
        self.store.commit(batch).map_err(FactError::from)?;
        self.take_in(reference, case);
        Ok(())
    }

    fn parse(&self, text: &str) -> Result<Collection, DeskError> {
        let unusable = |error: CollectionError| DeskError::Collection(error.to_string());
        let codebook = Collection::codebook_of(text).map_err(unusable)?;
        Collection::from_toml(text, &codebook).map_err(unusable)
    }

    fn case_of(&self, text: &str) -> Result<(CollectionRef, Case), DeskError> {
        let collection = Arc::new(self.parse(text)?);
        let unusable = |error: &dyn std::fmt::Display| DeskError::Collection(error.to_string());
        let codebook = Collection::codebook_of(text).map_err(|e| unusable(&e))?;
        let system = Arc::new(System::new(&collection, &codebook).map_err(|e| unusable(&e))?);
        let parameters = round::shares::parameters(&system).map_err(|e| unusable(&e))?;
        let reference = CollectionRef::of(&collection);
        let prefix = format!("helper/case/{}", hex::encode(collection.hash));
        let (log, facts) = FactLog::open(self.store.clone(), prefix)?;
        let mut helper = Helper::new(collection.clone(), system, parameters, self.keys.clone());
        facts.into_iter().for_each(|fact| helper.apply(fact));
        Ok((reference, Case { helper, collection, log }))
    }

    fn take_in(&self, reference: CollectionRef, case: Case) {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner).entry(reference).or_insert(case);
    }

    fn with<T>(
        &self,
        reference: &CollectionRef,
        county: &str,
        work: impl FnOnce(&mut Case) -> Result<T, DeskError>,
    ) -> Result<T, DeskError> {
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        with_case(&mut cases, reference, county, work)
    }

    /// Takes a pattern whose signature was verified.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn hold(&self, handed: HandedPattern, county: &str, chain: &dyn Chain) -> Result<(), DeskError> {
        let reference = handed.document.collection.clone();
        let (earlier, extension) = self.corrected_by(&reference)?.unzip();
        self.with(&reference, county, |case| {
            let extension = extension.as_ref().and_then(Option::as_ref);
            case.helper.follows(&handed.document, earlier.as_ref(), extension)?;
            let facts = case.helper.hold(handed, chain)?;
            case.record(facts, Vec::new())
        })
    }

    /// The pattern that was opened of the version that a collection corrects or extends, and how its cells are numbered in an
    /// extension; the two have the same cells and threshold, but for those that an extension adds.
    fn corrected_by(
        &self,
        reference: &CollectionRef,
    ) -> Result<Option<(PatternDocument, Option<Extension>)>, DeskError> {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((second, corrects)) =
            cases.get(reference).and_then(|case| Some((case, case.collection.corrects?)))
        else {
            return Ok(None);
        };
        let Some((_, first)) = cases.iter().find(|(known, _)| known.hash == corrects.collection) else {
            return Ok(None);
        };
        let unfit = |error: &dyn std::fmt::Display| DeskError::Collection(error.to_string());
        let (system, before) = (second.helper.system(), first.helper.system());
        let (same, extension) = match second.collection.extends() {
            false => (second.collection.continues(system, &first.collection, before), None),
            true => {
                let book = Codebook::built_in(&second.collection.codebook).ok().flatten();
                let book = book.ok_or_else(|| unfit(&"its codebook is not at hand"))?;
                let part = System::new(&second.collection.first_part(), &book).map_err(|e| unfit(&e))?;
                let extension = Extension::new(before, system).map_err(|error| unfit(&error))?;
                (second.collection.continues(&part, &first.collection, before), Some(extension))
            }
        };
        same.map_err(|error| unfit(&error))?;
        Ok(first.helper.closed().cloned().map(|document| (document, extension)))
    }

    /// Verifies a report; the answer, also a rejection, is stored before it is returned.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn verify(
        &self,
        reference: &CollectionRef,
        county: &str,
        chain: &dyn Chain,
        read: impl FnOnce(&Helper) -> Result<HandedReport, Refusal>,
    ) -> Result<Vec<u8>, DeskError> {
        self.with(reference, county, |case| {
            let handed = read(&case.helper)?;
            case.helper.stands(handed.round, &handed.unit, chain)?;
            let verified = match case.helper.verify(&handed) {
                Err(Refusal::Report) => {
                    let facts = case.helper.rejection(&handed);
                    case.record(facts, Vec::new())?;
                    return Err(Refusal::Report.into());
                }
                other => other?,
            };
            let beside = verified.share.iter().map(|share| {
                let bytes = share.output_share.encode(case.helper.parameters());
                (share_key(handed.round, &handed.unit), bytes)
            });
            let beside = beside.collect();
            case.record(verified.facts, beside)?;
            Ok(verified.answer)
        })
    }

    /// Closes a round: opens the pattern's list once, and gives the same again when asked again.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn close(
        &self,
        reference: &CollectionRef,
        county: &str,
        round: u32,
        pattern: &[u8; 32],
        roster: &[Unit],
    ) -> Result<Opening, DeskError> {
        if self.restored {
            return Err(DeskError::Restored);
        }
        if self.unreadable {
            return Err(DeskError::Collection(
                "a stored one cannot be read; until it can, nothing is opened".into(),
            ));
        }
        // One lock for both: of two overlapping collections closed at once, the second sees the first.
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        if is_taken(&cases, reference, county) {
            return Err(Refusal::Ledger.into());
        }
        with_case(&mut cases, reference, county, |case| {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let Closing { facts, lines } = case.helper.close(round, pattern, roster, &ledger)?;
            // The ledger first: a line without its opening is harmless, an opening without its line is not.
            let entry = |(definition, line): &([u8; 32], Line)| LedgerEntry {
                definition: *definition,
                line: line.clone(),
            };
            let entries: Vec<LedgerEntry> = lines.iter().map(entry).collect();
            if !entries.is_empty() {
                self.ledger_log.append(&entries, Vec::new())?;
                lines.into_iter().for_each(|(definition, line)| ledger.enter(definition, line));
            }
            drop(ledger);
            let (opening, beside) = case.open(round)?;
            case.record(facts, beside)?;
            Ok(opening)
        })
    }
}

/// A county's closed round, as the helper holds it: what a national round starts from.
pub struct ClosedRound {
    /// The collection.
    pub collection: Arc<Collection>,
    /// Its cells.
    pub system: Arc<System>,
    /// Its document.
    pub text: String,
    /// The round's pattern.
    pub document: PatternDocument,
    /// The helper's sum over the roster.
    pub aggregate: AggregateShare,
    /// The same by group of kommuner, where the collection is of a national round with a list of them.
    pub groups: BTreeMap<GroupCode, AggregateShare>,
}

/// Who holds the helper's side of closed county rounds.
pub trait ClosedRounds: Send + Sync {
    /// The closed round of a county's collection.
    ///
    /// # Errors
    /// [`DeskError`], also when it is not closed.
    fn closed_round(&self, reference: &CollectionRef, county: &str) -> Result<ClosedRound, DeskError>;
}

impl ClosedRounds for Desk {
    fn closed_round(&self, reference: &CollectionRef, county: &str) -> Result<ClosedRound, DeskError> {
        let stored = self.store.get(&format!("helper/collection/{}", hex::encode(reference.hash)));
        let text = stored.map_err(FactError::from)?.and_then(|bytes| String::from_utf8(bytes).ok());
        self.with(reference, county, |case| {
            let open = || DeskError::from(Refusal::Phase("not closed"));
            let document = case.helper.closed().ok_or_else(open)?;
            let sum = |of: &str| {
                let bytes = case.log.read(&format!("aggregate/{}/{of}", document.round))?;
                let sum = AggregateShare::decode(case.helper.parameters(), &bytes);
                sum.map_err(|_| DeskError::Share("its sum"))
            };
            let aggregate = sum("alla")?;
            let groups = of_roster(&case.collection, &document.units()).into_iter();
            let groups = groups.map(|group| Ok((group.clone(), sum(&format!("G:{group}"))?)));
            let groups = groups.collect::<Result<_, DeskError>>()?;
            Ok(ClosedRound {
                collection: case.collection.clone(),
                system: case.helper.shared_system(),
                text: text.ok_or(DeskError::Share("no collection"))?,
                document: document.clone(),
                aggregate,
                groups,
            })
        })
    }
}

type Cases = BTreeMap<CollectionRef, Case>;

fn with_case<T>(
    cases: &mut Cases,
    reference: &CollectionRef,
    county: &str,
    work: impl FnOnce(&mut Case) -> Result<T, DeskError>,
) -> Result<T, DeskError> {
    let case = cases.get_mut(reference).ok_or(Refusal::OtherBinding("collection"))?;
    if case.collection.county.to_string() != county {
        return Err(Refusal::OtherBinding("county").into());
    }
    work(case)
}

/// A county's records of a day are opened under one collection document ever: two publications over the same records can be
/// subtracted in more ways than a ledger of equal cells can see (ADR 10). Its second version is the exception (ADR 22).
fn is_taken(cases: &Cases, reference: &CollectionRef, county: &str) -> bool {
    let Some(asked) = cases.get(reference) else { return false };
    cases.iter().any(|(other, case)| {
        // A second version is judged with the first: it opens nothing besides, and the ledger sees whose figures differ.
        other != reference
            && asked.collection.corrects.map(|corrects| corrects.collection) != Some(other.hash)
            && case.collection.county.to_string() == county
            && case.helper.is_closed()
            && case.collection.overlaps(&asked.collection)
    })
}

impl Case {
    fn record(&mut self, facts: Vec<Fact>, beside: Vec<(String, Vec<u8>)>) -> Result<(), DeskError> {
        if facts.is_empty() {
            return Ok(());
        }
        self.log.append(&facts, beside)?;
        facts.into_iter().for_each(|fact| self.helper.apply(fact));
        Ok(())
    }

    /// The opened shares and keys of a complete round, and the aggregate shares to keep for the national round.
    fn open(&self, round: u32) -> Result<(Opening, Beside), DeskError> {
        let document = self.helper.document(round).ok_or(DeskError::Share("no pattern"))?;
        let parameters = self.helper.parameters();
        let mut whole = AggregateShare::new(parameters, Side::Helper);
        let mut groups = BTreeMap::<String, AggregateShare>::new();
        let mut readable_keys = Vec::with_capacity(document.roster.len());
        for (unit, accepted) in self.helper.accepted(round) {
            let bytes = self.log.read(&share_key(round, unit))?;
            let share = OutputShare::decode(parameters, &bytes).map_err(|_| DeskError::Share("its bytes"))?;
            whole.add(&share).map_err(|_| DeskError::Share("its shape"))?;
            if let Some(group) = self.collection.group_of(unit.kommun()) {
                let empty = || AggregateShare::new(parameters, Side::Helper);
                let sum = groups.entry(group.to_string()).or_insert_with(empty);
                sum.add(&share).map_err(|_| DeskError::Share("its shape"))?;
            }
            readable_keys.push(accepted.readable_key);
        }
        let combinations = round::shares::combinations(self.helper.system(), document)
            .ok_or(DeskError::Share("a sum of no entry"))?;
        let opened = whole
            .combine_all(&combinations, &mut NoNoise)
            .map_err(|_| DeskError::Share("combinations outside the shape"))?;
        let shares: Vec<Vec<u8>> = opened.iter().map(|share| share.encode()).collect();
        let digest = round::helper::opening_digest(document, &shares);
        let mut beside = vec![(format!("aggregate/{round}/alla"), whole.encode(parameters))];
        let group = |(group, sum): (String, AggregateShare)| {
            (format!("aggregate/{round}/G:{group}"), sum.encode(parameters))
        };
        beside.extend(groups.into_iter().map(group));
        Ok((Opening { shares, readable_keys, digest }, beside))
    }
}

fn share_key(round: u32, unit: &Unit) -> String {
    format!("share/{round}/{unit}")
}
