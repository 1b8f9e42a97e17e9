//! The helper's side: hold the pattern, verify every report on arrival, open once.
//!
//! The helper learns roster, pattern and signatures, and shares that look random; never a value. It does not believe
//! the region: the roster's certificates hang under the root, the pattern is the one the reports were sealed for, and
//! a closed roster is exactly the pattern's. Its ledger outlives collections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sharing::helper_key::HelperKeyPair;
use sharing::params::VectorParameters;
use sharing::report::HelperPart;
use sharing::signing::{Signature, SigningContext};
use sharing::verify::{HelperAccepted, HelperVerifier, VerifyKey};
use tables::collection::Collection;
use tables::extension::Extension;
use tables::system::System;
use tables::unit::Unit;

use crate::chain::Chain;
use crate::document::{CollectionRef, PatternDocument, Stage, Tier};
use crate::ledger::{Ledger, Line};
use crate::node::{opens_enough, readable_units, repeats};
use crate::refusal::{PatternFault, Refusal};

/// What a helper knows for good of one collection.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// A final pattern of a round.
    Holds {
        /// The pattern.
        document: Box<PatternDocument>,
        /// The round's VDAF verify key, shared with the region.
        verify_key: [u8; 32],
        /// Per unit its certificate's signing key.
        keys: BTreeMap<Unit, [u8; 32]>,
        /// The certificates, DER, in roster order: judged again at every report.
        certificates: Vec<Vec<u8>>,
    },
    /// A report was verified; its share is stored beside this fact.
    Accepted {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// The report.
        content: [u8; 32],
        /// The key of its readable cells, released at close.
        readable_key: [u8; 32],
        /// The node's tags, one per opened cell.
        tags: Vec<[u8; 16]>,
        /// The answer to the region, so that a repeated question gets the same.
        answer: Vec<u8>,
    },
    /// A report's proof did not hold. It is judged once: whoever could have it judged again and again, with other messages,
    /// would learn from the answers (STAY-2; VDAF draft, one preparation a report).
    Rejected {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// The report.
        content: [u8; 32],
    },
    /// The round was closed and opened: no other round of this collection version will be.
    Closed {
        /// The round.
        round: u32,
    },
}

impl std::fmt::Debug for Fact {
    /// Keys are not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Holds { document, .. } => write!(f, "Holds(round {})", document.round),
            Self::Accepted { round, unit, .. } => write!(f, "Accepted(round {round}, {unit})"),
            Self::Rejected { round, unit, .. } => write!(f, "Rejected(round {round}, {unit})"),
            Self::Closed { round } => write!(f, "Closed(round {round})"),
        }
    }
}

/// A pattern as a region hands it over, its signature verified.
#[derive(Clone)]
pub struct HandedPattern {
    /// The document.
    pub document: PatternDocument,
    /// The round's verify key.
    pub verify_key: [u8; 32],
    /// Certificates of the roster's nodes, DER, in roster order.
    pub certificates: Vec<Vec<u8>>,
}

impl std::fmt::Debug for HandedPattern {
    /// The verify key is not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HandedPattern(round {}, {} units)", self.document.round, self.document.roster.len())
    }
}

/// A report as a region passes it on.
pub struct HandedReport {
    /// The round.
    pub round: u32,
    /// The unit.
    pub unit: Unit,
    /// The helper's part.
    pub part: HelperPart,
    /// The region's verification message.
    pub message: Vec<u8>,
    /// The node's signature over the content hash.
    pub signature: [u8; 64],
}

/// What a verified report adds: a fact to store, a share to store beside it, an answer to send then.
pub struct Verified {
    /// The facts; empty when the report was verified before.
    pub facts: Vec<Fact>,
    /// The share, to be stored with the fact.
    pub share: Option<HelperAccepted>,
    /// The answer.
    pub answer: Vec<u8>,
}

/// What closing a round adds; empty when it was closed before.
#[derive(Debug, Default)]
pub struct Closing {
    /// The fact to store.
    pub facts: Vec<Fact>,
    /// Ledger lines by cell definition, to be stored before it.
    pub lines: Vec<([u8; 32], Line)>,
}

struct Held {
    document: PatternDocument,
    verify_key: [u8; 32],
    keys: BTreeMap<Unit, [u8; 32]>,
    certificates: Vec<Vec<u8>>,
    accepted: BTreeMap<Unit, AcceptedReport>,
    rejected: BTreeMap<Unit, [u8; 32]>,
}

/// What is kept of a report beside its share.
#[derive(Clone)]
pub struct AcceptedReport {
    /// The report.
    pub content: [u8; 32],
    /// The key of its readable cells.
    pub readable_key: [u8; 32],
    tags: Vec<[u8; 16]>,
    answer: Vec<u8>,
}

/// The helper's machine for one collection of one region.
pub struct Helper {
    collection: Arc<Collection>,
    system: Arc<System>,
    parameters: VectorParameters,
    keys: HelperKeyPair,
    rounds: BTreeMap<u32, Held>,
    closed: Option<u32>,
}

impl Helper {
    /// A helper that has heard of a collection.
    pub fn new(
        collection: Arc<Collection>,
        system: Arc<System>,
        parameters: VectorParameters,
        keys: HelperKeyPair,
    ) -> Self {
        Self { collection, system, parameters, keys, rounds: BTreeMap::new(), closed: None }
    }

    /// Takes a stored fact into the state.
    pub fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Holds { document, verify_key, keys, certificates } => {
                let (accepted, rejected) = (BTreeMap::new(), BTreeMap::new());
                let held = Held { document: *document, verify_key, keys, certificates, accepted, rejected };
                self.rounds.insert(held.document.round, held);
            }
            Fact::Accepted { round, unit, content, readable_key, tags, answer } => {
                if let Some(held) = self.rounds.get_mut(&round) {
                    held.accepted.insert(unit, AcceptedReport { content, readable_key, tags, answer });
                }
            }
            Fact::Rejected { round, unit, content } => {
                if let Some(held) = self.rounds.get_mut(&round) {
                    held.rejected.insert(unit, content);
                }
            }
            Fact::Closed { round } => self.closed = Some(round),
        }
    }

    /// Whether a round was closed and opened.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// The pattern of the round that was opened.
    pub fn closed(&self) -> Option<&PatternDocument> {
        self.closed.and_then(|round| self.document(round))
    }

    /// The pattern of a round.
    pub fn document(&self, round: u32) -> Option<&PatternDocument> {
        self.rounds.get(&round).map(|held| &held.document)
    }

    /// The vector parameters of the collection.
    pub fn parameters(&self) -> &VectorParameters {
        &self.parameters
    }

    /// The cells of the collection.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// The same, to be kept.
    pub fn shared_system(&self) -> Arc<System> {
        self.system.clone()
    }

    /// The reports of a round that were accepted.
    pub fn accepted(&self, round: u32) -> impl Iterator<Item = (&Unit, &AcceptedReport)> {
        self.rounds.get(&round).into_iter().flat_map(|held| held.accepted.iter())
    }

    /// Whether a pattern may follow the one that was opened of the version it corrects or extends: it opens no sum of that besides
    /// (SAFE-3), and where it extends it, shows and hides of it what that did, of the same kommuner. Whose figures differ, the ledger's
    /// tags say at close.
    ///
    /// # Errors
    /// [`Refusal`], also when the collection names another one than `earlier`'s.
    pub fn follows(
        &self,
        document: &PatternDocument,
        earlier: Option<&PatternDocument>,
        extension: Option<&Extension>,
    ) -> Result<(), Refusal> {
        match (self.collection.corrects, earlier) {
            (None, _) => Ok(()),
            (Some(corrects), Some(earlier))
                if (earlier.hash(), earlier.collection.hash) == (corrects.pattern, corrects.collection) =>
            {
                let repeats = match (corrects.extends, extension) {
                    (false, _) => document.open.is_subset(&earlier.open),
                    (true, Some(extension)) => repeats(extension, earlier, document),
                    (true, None) => false,
                };
                if repeats { Ok(()) } else { Err(Refusal::Pattern(PatternFault::Opens)) }
            }
            _ => Err(Refusal::OtherBinding("the version it corrects, which is not closed here")),
        }
    }

    /// Takes a pattern: the helper's verification list before any report.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn hold(&self, handed: HandedPattern, chain: &dyn Chain) -> Result<Vec<Fact>, Refusal> {
        let document = &handed.document;
        if document.collection != CollectionRef::of(&self.collection) || document.tier != Tier::Region {
            return Err(Refusal::OtherBinding("collection"));
        }
        if document.stage != Stage::Final {
            return Err(Refusal::Phase("still asking for requests"));
        }
        if document.helper_key_id != self.keys.public().id() {
            return Err(Refusal::OtherBinding("helper key"));
        }
        if let Some(held) = self.rounds.get(&document.round) {
            let same = held.document == *document && held.verify_key == handed.verify_key;
            return if same { Ok(Vec::new()) } else { Err(Refusal::Second) };
        }
        if self.closed.is_some() {
            return Err(Refusal::Phase("closed: one roster is opened, once"));
        }
        if self.rounds.keys().any(|round| *round > document.round) {
            return Err(Refusal::Phase("further on"));
        }
        let keys = self.check_roster(&handed, chain)?;
        self.check_sums(document)?;
        let HandedPattern { document, verify_key, certificates } = handed;
        Ok(vec![Fact::Holds { document: Box::new(document), verify_key, keys, certificates }])
    }

    fn check_roster(
        &self,
        handed: &HandedPattern,
        chain: &dyn Chain,
    ) -> Result<BTreeMap<Unit, [u8; 32]>, Refusal> {
        let document = &handed.document;
        let units = document.units();
        let ascending = units.windows(2).all(|pair| pair[0] < pair[1]);
        let invited = units.iter().all(|unit| self.collection.units.binary_search(unit).is_ok());
        let county = units.iter().all(|unit| unit.county() == self.collection.county);
        if !ascending || !invited || !county || handed.certificates.len() != units.len() {
            return Err(Refusal::Pattern(PatternFault::RosterUnits));
        }
        if document.kommuner().len() < self.collection.minimum_roster() {
            return Err(Refusal::Pattern(PatternFault::RosterTooSmall));
        }
        let mut keys = BTreeMap::new();
        for (entry, certificate) in document.roster.iter().zip(&handed.certificates) {
            let holder = chain.certified(certificate).ok_or(Refusal::Signature("a node's certificate"))?;
            let is_it = holder.role == "node"
                && holder.unit == entry.unit.to_string()
                && holder.fingerprint == entry.certificate;
            if !is_it {
                return Err(Refusal::Signature("a node's certificate"));
            }
            keys.insert(entry.unit.clone(), holder.key.0);
        }
        let distinct: BTreeSet<_> = keys.values().collect();
        if distinct.len() == keys.len() { Ok(keys) } else { Err(Refusal::Signature("one key for two units")) }
    }

    fn check_sums(&self, document: &PatternDocument) -> Result<(), Refusal> {
        // The shape first: what is hidden is looked up by the unit's place.
        if document.withheld.len() != document.roster.len() {
            return Err(Refusal::Pattern(PatternFault::Shape));
        }
        if opens_enough(&self.system, document) { Ok(()) } else { Err(Refusal::Pattern(PatternFault::Opens)) }
    }

    /// Whether a unit's certificate still stands: it may have been revoked since the pattern was held (DOOR-1).
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn stands(&self, round: u32, unit: &Unit, chain: &dyn Chain) -> Result<(), Refusal> {
        let held = self.rounds.get(&round).ok_or(Refusal::Phase("without this pattern"))?;
        let place = held.document.place(unit).ok_or(Refusal::NotInRoster)?;
        let holder = held.certificates.get(place).and_then(|certificate| chain.certified(certificate));
        let is_it =
            holder.is_some_and(|holder| holder.fingerprint == held.document.roster[place].certificate);
        if is_it { Ok(()) } else { Err(Refusal::Signature("a node's certificate")) }
    }

    /// What to store when [`Self::verify`] refused a signed report with [`Refusal::Report`], before anybody is told.
    pub fn rejection(&self, handed: &HandedReport) -> Vec<Fact> {
        let (round, unit) = (handed.round, handed.unit.clone());
        let known = self.rounds.get(&round).is_none_or(|held| held.rejected.contains_key(&unit));
        if known {
            Vec::new()
        } else {
            vec![Fact::Rejected { round, unit, content: handed.part.content_hash().0 }]
        }
    }

    /// Verifies a report.
    ///
    /// # Errors
    /// [`Refusal::Report`] when it does not count, [`Refusal::Signature`] when the node did not sign it.
    pub fn verify(&self, handed: &HandedReport) -> Result<Verified, Refusal> {
        let held = self.rounds.get(&handed.round).ok_or(Refusal::Phase("without this pattern"))?;
        let content = handed.part.content_hash();
        let key = held.keys.get(&handed.unit).ok_or(Refusal::NotInRoster)?;
        sharing::signing::VerifyingKey(*key)
            .verify(SigningContext::Report, &content.0, &Signature(handed.signature))
            .map_err(|_| Refusal::Signature("the report's signature"))?;
        if let Some(known) = held.accepted.get(&handed.unit) {
            let same = known.content == content.0;
            let repeated = || Verified { facts: Vec::new(), share: None, answer: known.answer.clone() };
            return if same { Ok(repeated()) } else { Err(Refusal::Second) };
        }
        match held.rejected.get(&handed.unit) {
            Some(known) if *known == content.0 => return Err(Refusal::Report),
            Some(_) => return Err(Refusal::Second),
            None => {}
        }
        if self.closed.is_some() {
            return Err(Refusal::Phase("closed"));
        }
        let place = held.document.place(&handed.unit).ok_or(Refusal::NotInRoster)?;
        let binding = binding(&held.document, place);
        let verify_key = VerifyKey::from_bytes(held.verify_key);
        let verifier = HelperVerifier::new(self.parameters.clone(), &binding, verify_key, self.keys.clone());
        let (share, answer) = verifier.respond(&handed.part, &handed.message).map_err(|_| Refusal::Report)?;
        let tags = split_tags(&share.tags, held.document.open.len()).ok_or(Refusal::Report)?;
        let fact = Fact::Accepted {
            round: handed.round,
            unit: handed.unit.clone(),
            content: content.0,
            readable_key: *share.readable_key.as_bytes(),
            tags,
            answer: answer.clone(),
        };
        Ok(Verified { facts: vec![fact], share: Some(share), answer })
    }

    /// Closes a round: the roster must be the pattern's, every report verified, the ledger content. Returns the fact
    /// to store and the ledger lines to enter in the same batch.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn close(
        &self,
        round: u32,
        pattern: &[u8; 32],
        roster: &[Unit],
        ledger: &Ledger,
    ) -> Result<Closing, Refusal> {
        let held = self.rounds.get(&round).ok_or(Refusal::Phase("without this pattern"))?;
        if held.document.hash() != *pattern {
            return Err(Refusal::OtherBinding("pattern"));
        }
        if held.document.units() != roster {
            return Err(Refusal::OtherBinding("roster: it must be the pattern's, whole"));
        }
        match self.closed {
            Some(closed) if closed == round => return Ok(Closing::default()),
            Some(_) => return Err(Refusal::Phase("closed: one roster is opened, once")),
            None => {}
        }
        if self.rounds.last_key_value().is_some_and(|(newest, _)| *newest != round) {
            return Err(Refusal::Phase("further on"));
        }
        if !roster.iter().all(|unit| held.accepted.contains_key(unit)) {
            return Err(Refusal::Phase("not complete: reports are missing"));
        }
        let lines = self.lines(held);
        let corrects = self.collection.corrects.map(|corrects| corrects.collection);
        if !lines.iter().all(|(definition, line)| ledger.allows(definition, line, corrects)) {
            return Err(Refusal::Ledger);
        }
        Ok(Closing { facts: vec![Fact::Closed { round }], lines })
    }

    fn lines(&self, held: &Held) -> Vec<([u8; 32], Line)> {
        let case = held.document.collection.hash;
        let line = |(at, cell): (usize, &usize)| {
            let tag = |(unit, report): (&Unit, &AcceptedReport)| (unit.clone(), report.tags.get(at).copied());
            let line = Line {
                case,
                tags: held.accepted.iter().map(tag).collect(),
                readable: readable_units(&self.system, &held.document, *cell),
            };
            (self.system.cells[*cell].definition, line)
        };
        held.document.open.iter().enumerate().map(line).collect()
    }
}

/// The binding of the report of a place in the roster.
pub fn binding(document: &PatternDocument, place: usize) -> sharing::binding::Binding {
    let entry = &document.roster[place];
    sharing::binding::Binding {
        collection_id: document.collection.id.clone(),
        collection_version: document.collection.version,
        collection_hash: document.collection.hash,
        round: document.round,
        tier: document.tier.into(),
        unit: entry.unit.to_string(),
        certificate: entry.certificate,
        helper_key_id: document.helper_key_id,
        roster_hash: document.roster_hash(),
        pattern_hash: document.hash(),
    }
}

/// What the helper countersigns at close: pattern, roster and its opened shares.
pub fn opening_digest(document: &PatternDocument, shares: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(b"samman/v1 opened\0").chain_update(document.hash());
    for share in shares {
        hash = hash.chain_update((share.len() as u64).to_be_bytes()).chain_update(share);
    }
    hash.finalize().into()
}

fn split_tags(bytes: &[u8], count: usize) -> Option<Vec<[u8; 16]>> {
    let (tags, rest) = bytes.as_chunks::<16>();
    (rest.is_empty() && tags.len() == count).then(|| tags.to_vec())
}
