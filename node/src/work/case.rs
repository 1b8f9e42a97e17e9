//! One collection at a node: its machine, its durable facts, and the steps that the machine says are due.
//!
//! Invariants (KEEP-1): counts are taken once and stored with the declaration; a report is stored, with the ledger
//! lines it makes, before it is sent, and only the stored one is ever sent.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use daemon::facts::FactLog;
use daemon::gate::Gate;
use daemon::store::Store;
use daemon::tls::Credentials;
use jiff::Timestamp;
use round::chain::Signed;
use round::document::{CollectionRef, PatternDocument};
use round::node::{Duty, Event, Fact, Node, Shown, Submitted};
use round::refusal::Refusal;
use round::shares;
use sharing::helper_key::HelperPublicKey;
use sharing::params::VectorParameters;
use sharing::signing::SigningContext;
use sharing::tag::TagSecret;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::system::{Counts, System};

use super::book::LedgerBook;
use super::chain::GateChain;
use super::correction::First;
use super::report::Making;
use crate::config::{Approval, Config};
use crate::intake;
use crate::link::cleared::{Cleared, StoredReport};
use crate::link::egress::{Egress, EgressError};

/// What every collection of a node shares.
pub struct Shared {
    /// Configuration.
    pub config: Config,
    /// Store.
    pub store: Arc<dyn Store>,
    /// Ledger.
    pub ledger: LedgerBook,
    /// Secret of the ledger tags.
    pub secret: TagSecret,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// Own identity.
    pub credentials: Arc<Credentials>,
    /// The door out.
    pub egress: Egress,
}

/// A collection as the region announced it, verified.
pub struct Case {
    shared: Arc<Shared>,
    codebook: Codebook,
    reference: CollectionRef,
    system: Arc<System>,
    collection: Arc<Collection>,
    parameters: VectorParameters,
    helper: HelperPublicKey,
    log: FactLog<Fact>,
    node: Mutex<Node>,
    seen: Mutex<Option<[u8; 32]>>,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was done; look again at once.
    Done,
    /// Nothing to do until time passes.
    Wait,
    /// The round is over.
    Over,
}

/// Beside a case's facts: the counts.
pub const COUNTS: &str = "counts";

/// Beside a case's facts: what its cells are ([`Collection::cells`]), for a second version.
pub const CELLS: &str = "cells";

/// Where the facts of a collection stand in the store.
pub(super) fn case_prefix(collection: &[u8; 32]) -> String {
    format!("node/case/{}", hex::encode(collection))
}

fn report_key(round: u32) -> String {
    format!("report/{round}")
}

fn signature_key(round: u32) -> String {
    format!("signature/{round}")
}

impl Case {
    /// Opens a collection that the region signed, with the helper's key that the national body signed.
    ///
    /// # Errors
    /// When a signature does not verify or the document cannot be used.
    pub fn open(shared: Arc<Shared>, signed: &Signed, helper_key: &Signed) -> anyhow::Result<Self> {
        let chain = GateChain::new(shared.gate.clone(), Timestamp::now());
        let county = shared.config.unit.county().to_string();
        let bytes = signed.open(&chain, SigningContext::Collection, "region", &county)?;
        let text = std::str::from_utf8(bytes).context("the collection is not UTF-8")?;
        let codebook = Collection::codebook_of(text)?;
        let collection = Arc::new(Collection::from_toml(text, &codebook)?);
        let key = helper_key.open(&chain, SigningContext::HelperKey, "national", "00")?;
        let key: [u8; 32] = key.try_into().context("the helper's key")?;
        let helper = HelperPublicKey::from_bytes(&key)?;
        let system = Arc::new(System::new(&collection, &codebook)?);
        let parameters = shares::parameters(&system)?;
        let (log, facts) = FactLog::open(shared.store.clone(), case_prefix(&collection.hash))?;
        let unit = shared.config.unit.clone();

        let node = Node::restore(collection.clone(), system.clone(), unit, facts);
        let reference = CollectionRef::of(&collection);
        Ok(Self {
            shared,
            codebook,
            reference,
            system,
            collection,
            parameters,
            helper,
            log,
            node: Mutex::new(node),
            seen: Mutex::new(None),
        })
    }

    /// The collection.
    pub fn reference(&self) -> &CollectionRef {
        &self.reference
    }

    fn look<T>(&self, look: impl FnOnce(&Node) -> T) -> T {
        look(&self.node.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, event: Event, beside: Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = self.shared.ledger.look(|ledger| node.handle(event, ledger))?;
        if facts.is_empty() {
            return Ok(());
        }
        self.log.append(&facts, beside)?;
        for fact in facts {
            if let Fact::Refused { round, fault } = &fact {
                tracing::error!(round, %fault, "the region's pattern is refused; nothing is submitted under it");
            }
            node.apply(fact);
        }
        Ok(())
    }

    /// Does the next thing that is due.
    ///
    /// # Errors
    /// What went wrong; trying again is right.
    pub async fn step(&self) -> anyhow::Result<Step> {
        let duty = self.look(Node::duty);
        let refused = |error: &anyhow::Error| error.downcast_ref().is_some_and(EgressError::is_final);
        match (self.perform(duty).await, duty.when_refused()) {
            (Err(error), Some(instead)) if refused(&error) => {
                tracing::warn!("{error:#}; looking whether the round has gone on");
                self.perform(instead).await
            }
            (done, _) => done,
        }
    }

    async fn perform(&self, duty: Duty) -> anyhow::Result<Step> {
        match duty {
            Duty::AwaitApproval => self.approve(),
            Duty::Count => self.count(),
            Duty::Declare => self.declare().await,
            Duty::AskPattern => self.ask().await,
            Duty::Answer => self.answer().await,
            Duty::MakeReport => self.make_report(),
            Duty::SendReport => self.send_report().await,
        }
    }

    fn approve(&self) -> anyhow::Result<Step> {
        let given = approvals(&self.shared.config).join(hex::encode(self.collection.hash)).exists();
        if self.shared.config.approval != Approval::Alla && !given {
            return Ok(Step::Wait);
        }
        self.take(Event::Approve(self.collection.hash), Vec::new())?;
        Ok(Step::Done)
    }

    fn count(&self) -> anyhow::Result<Step> {
        self.shared.ledger.cover(&self.collection, &self.system)?;
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let asked = intake::Asked::configured(&self.shared.config, &self.codebook)?;
        // a database may take minutes; other rounds go on meanwhile
        let count = || intake::count(&asked, &self.system, &self.codebook, today);
        let (counts, mut parts) = tokio::task::block_in_place(count)?;
        // Counts of the kommun's own rows are for its operator's eyes, not for a service log (STAY-2).
        let place = |name: &str| self.shared.config.place(name);
        intake::write_summary(&place("lasning.txt"), &parts, &self.codebook).context("lasning.txt")?;
        let labels = intake::labels(&mut parts);
        intake::write_review(&place("granska.toml"), &labels).context("granska.toml")?;
        tracing::info!("the extract was read; lasning.txt and granska.toml in the data directory say how");
        let own = self.shared.config.min_count.max(self.collection.min_count);
        let choose = || county_stage::alone::choice(&self.system, &counts, own);
        let statuses = match self.system.alone {
            true => tokio::task::block_in_place(choose),
            false => shares::statuses(&self.system, &counts, own),
        };
        let stored = postcard::to_allocvec(counts.to_stored())?;
        self.take(
            Event::Counted(statuses),
            vec![(COUNTS.into(), stored), (CELLS.into(), self.collection.cells(&self.system).to_vec())],
        )?;
        Ok(Step::Done)
    }

    fn counts(&self) -> anyhow::Result<Counts> {
        let stored: Vec<u32> = postcard::from_bytes(&self.log.read(COUNTS)?).context("stored counts")?;
        Counts::from_stored(&self.system, stored).context("the stored counts are of another collection")
    }

    async fn declare(&self) -> anyhow::Result<Step> {
        let declaration = self.look(|node| node.declaration().cloned()).context("no declaration")?;
        let beside = self.beside(&self.counts()?)?;
        let changed = beside.as_ref().map(|submitted| &submitted.changed);
        self.shared.egress.declare(Cleared::declaration(&declaration, changed)).await?;
        self.take(Event::DeclarationTaken, Vec::new())?;
        Ok(Step::Done)
    }

    /// What this node submitted to the version that is corrected.
    fn beside(&self, counts: &Counts) -> anyhow::Result<Option<Submitted>> {
        let (shared, unit) = (&self.shared, &self.shared.config.unit);
        let first = First::of(&shared.store, (&self.collection, &self.codebook), &self.system, unit)?;
        Ok(first.map(|first| first.beside(&self.system, counts)))
    }

    async fn ask(&self) -> anyhow::Result<Step> {
        // What was seen, also when it was refused: else the region would show it again at once.
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.or_else(|| self.look(|node| node.pattern().map(PatternDocument::hash)));
        let reply = self.shared.egress.pattern(Cleared::pattern(&self.reference, known)).await?;
        if let Some(pattern) = reply.pattern {
            let signed = wire::signed("pattern", Some(pattern))?;
            let chain = GateChain::new(self.shared.gate.clone(), Timestamp::now());
            let county = self.shared.config.unit.county().to_string();
            let bytes = signed.open(&chain, SigningContext::Pattern, "region", &county)?;
            let document = PatternDocument::decode(bytes).context("the pattern cannot be read")?;
            if Some(document.hash()) != known {
                let (hash, proof) = (document.hash(), wire::proof(reply.proof)?);
                let first = PatternDocument::decode(&reply.first);
                let step = self.see(document, reply.witnesses, proof, first)?;
                // Only once it is stored: one that met a full disk must be shown again (KEEP-1).
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
                return Ok(step);
            }
        }
        let progress = self.shared.egress.progress(Cleared::progress(&self.reference)).await?;
        match progress.phase.as_str() {
            "published" => Ok(Step::Over),
            "failed" => bail!("the round failed: {}", progress.failure),
            _ => Ok(Step::Wait),
        }
    }

    fn see(
        &self,
        document: PatternDocument,
        witnesses: Vec<u8>,
        proof: round::merkle::Proof,
        first: Option<PatternDocument>,
    ) -> anyhow::Result<Step> {
        let counts = self.counts()?;
        let own = document.place(&self.shared.config.unit).and_then(|place| document.withheld.get(place));
        let thin = own.map_or_else(Vec::new, |withheld| {
            let values = self.system.unit_values(&counts);
            suppress::request::lines(&self.system, self.collection.min_count, withheld, &values)
        });
        let certificate = self.shared.credentials.about().key_id();
        let earlier = self.beside(&counts)?.map(Box::new);
        if let Some(lines) = first.as_ref().and_then(|first| self.look(|node| node.lines_of_first(first))) {
            self.shared.ledger.replace(lines)?;
        }
        let first = first.map(Box::new);
        let shown = Shown { document, witnesses, proof, certificate, thin, earlier, first };
        match self.take(Event::Pattern(Box::new(shown)), Vec::new()) {
            Ok(()) => Ok(Step::Done),
            Err(error) if matches!(error.downcast_ref(), Some(Refusal::Pattern(_))) => Ok(Step::Wait),
            Err(error) => Err(error),
        }
    }

    async fn answer(&self) -> anyhow::Result<Step> {
        let (round, lines, pattern) = self
            .look(|node| {
                let (round, lines) = node.answer()?;
                Some((round, lines.to_vec(), node.pattern()?.hash()))
            })
            .context("no answer")?;
        self.shared.egress.answer(Cleared::answer(&self.reference, pattern, &lines)).await?;
        self.take(Event::AnswerTaken(round), Vec::new())?;
        Ok(Step::Done)
    }

    fn make_report(&self) -> anyhow::Result<Step> {
        let (document, statuses) = self
            .look(|node| Some((node.pattern()?.clone(), node.declaration()?.statuses.clone())))
            .context("no pattern")?;
        if document.helper_key_id != self.helper.id() {
            bail!("the pattern names another helper key than the national body signed");
        }
        let place = document.place(&self.shared.config.unit).context("not in the roster")?;
        let making = Making {
            system: &self.system,
            parameters: &self.parameters,
            threshold: self.collection.min_count,
            document: &document,
            place,
            counts: &self.counts()?,
            statuses: &statuses,
            helper: &self.helper,
            secret: &self.shared.secret,
        };
        self.shared.ledger.delivers_nothing_else(&self.collection)?;
        let made = making.make(self.shared.credentials.key())?;
        let lines = self.look(|node| node.lines(&document, Some(&made.tags)));
        // The ledger first: a line without a report is harmless, a report without its line is not.
        self.shared.ledger.enter(lines, self.collection.corrects.map(|corrects| corrects.collection))?;
        let round = document.round;
        let beside = vec![(report_key(round), made.bytes), (signature_key(round), made.signature)];
        self.take(Event::Reported { round, content: made.content }, beside)?;
        Ok(Step::Done)
    }

    async fn send_report(&self) -> anyhow::Result<Step> {
        let document = self.look(|node| node.pattern().cloned()).context("no pattern")?;
        let round = document.round;
        let report = StoredReport {
            collection: self.reference.clone(),
            round,
            pattern: document.hash(),
            signature: self.log.read(&signature_key(round))?,
            bytes: self.log.read(&report_key(round))?,
        };
        self.shared.egress.submit(Cleared::report(report)).await?;
        self.take(Event::ReportTaken(round), Vec::new())?;
        tracing::info!(round, "submitted");
        Ok(Step::Done)
    }
}

/// Where the operator's approvals lie, one empty file a collection hash.
pub fn approvals(config: &Config) -> std::path::PathBuf {
    config.place("godkanda")
}
