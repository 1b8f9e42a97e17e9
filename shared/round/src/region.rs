//! The region's side: announce, take declarations, choose the pattern, take reports, close, certify, publish.
//!
//! Statuses arrive before values; the pattern depends on statuses only. A kommun that does not deliver in time delays
//! nobody: the round is computed again over the rest under a new number, and what was sealed under the old one is
//! never opened. The roster never shrinks under the collection's minimum; then the round fails and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use suppress::blind::{self, Request};
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::figures::Pattern;
use tables::system::{CellIndex, System};
use tables::unit::{KommunKod, Unit};

use crate::alone;
use crate::document::{CollectionRef, Declaration, PatternDocument, RosterEntry, Stage, Tier, witness_root};
use crate::refusal::Refusal;

mod correction;
mod current;
mod extension;
mod quiet;
mod words;

use correction::Frame;
use current::{Round, Stored};

pub use correction::Published;
pub use words::{Duty, Event, Fact, Failure, Phase};

/// Most lines one unit may ask for: one for each of its printed cells is the most that can be meant.
pub const MAX_LINES: usize = 100_000;

#[derive(Debug, Clone)]
struct Declared {
    certificate: [u8; 32],
    der: Vec<u8>,
    statuses: Vec<FineStatus>,
}

/// Opened sums and readable cells of a closed round: what the coordinator knows beside statuses.
#[derive(Clone)]
pub struct Known {
    /// When, Unix time.
    pub at: i64,
    /// Opened sums.
    pub sums: BTreeMap<CellIndex, u64>,
    /// Readable cells per unit in roster order.
    pub readable: Vec<BTreeMap<CellIndex, u64>>,
}

/// The region's machine for one collection.
#[derive(Clone)]
pub struct Region {
    collection: Arc<Collection>,
    system: Arc<System>,
    key: PatternKey,
    earlier: Option<Arc<Published>>,
    extension: Option<Arc<Extension>>,
    changes: BTreeMap<Unit, BTreeSet<CellIndex>>,
    announced: Option<i64>,
    declared: BTreeMap<Unit, Declared>,
    round: Option<Round>,
    known: Option<Known>,
    agreed: Option<(Vec<u8>, [u8; 32])>,
    published: Option<[u8; 32]>,
    failed: Option<Failure>,
}

impl Region {
    /// A region that has not announced the collection.
    pub fn new(collection: Arc<Collection>, system: Arc<System>, key: PatternKey) -> Self {
        Self {
            collection,
            system,
            key,
            earlier: None,
            extension: None,
            changes: BTreeMap::new(),
            announced: None,
            declared: BTreeMap::new(),
            round: None,
            known: None,
            agreed: None,
            published: None,
            failed: None,
        }
    }

    /// Takes a stored fact into the state.
    pub fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Announced { at } => self.announced = Some(at),
            Fact::Declared { unit, certificate, der, statuses } => {
                self.declared.insert(unit, Declared { certificate, der, statuses });
            }
            Fact::Chosen { document, pattern, verify_key } => {
                self.round = Some(Round::new(*document, *pattern, None, verify_key));
            }
            Fact::ChosenAgain { document, pattern, joints, verify_key } => {
                self.round = Some(Round::new(*document, *pattern, Some(joints), verify_key));
            }
            Fact::Changed { unit, changed } => _ = self.changes.insert(unit, changed),
            Fact::Opened { at, sums, readable, .. } => self.known = Some(Known { at, sums, readable }),
            Fact::Agreed { pattern, third } => self.agreed = Some((pattern, third)),
            Fact::Published { manifest } => self.published = Some(manifest),
            Fact::Failed(failure) => self.failed = Some(failure),
            other => self.apply_to_round(other),
        }
    }

    fn apply_to_round(&mut self, fact: Fact) {
        let Some(current) = &mut self.round else { return };
        let number = current.document.round;
        match fact {
            Fact::Answered { round, unit, lines } if round == number => {
                current.answers.insert(unit, lines);
            }
            Fact::HelperHolds { round } if round == number => current.helper_holds = true,
            Fact::Stored { round, unit, content } if round == number => {
                current.reports.insert(unit, Stored { content, verdict: None });
            }
            Fact::Verified { round, unit } if round == number => current.judge(&unit, true),
            Fact::Rejected { round, unit } if round == number => current.judge(&unit, false),
            _ => {}
        }
    }

    /// What an event adds to what the region knows. `now` is Unix time in seconds.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn handle(&self, event: Event, now: i64) -> Result<Vec<Fact>, Refusal> {
        match event {
            Event::Announce => Ok(self.announced.map_or(vec![Fact::Announced { at: now }], |_| Vec::new())),
            Event::Declare { unit, certificate, der, declaration } => {
                self.declare(unit, certificate, der, declaration, now)
            }
            Event::Change { unit, changed } => self.change(unit, changed, now),
            Event::Choose { verify_key, helper_key_id } => self.choose(verify_key, helper_key_id, now),
            Event::Answer { unit, pattern, lines } => self.answer(unit, &pattern, lines),
            Event::Finalise => self.finalise(now),
            Event::HelperHolds(round) => {
                Ok(vec![Fact::HelperHolds { round: self.current(round)?.document.round }])
            }
            Event::Submit { unit, certificate, round, content } => {
                self.submit(unit, certificate, round, content, now)
            }
            Event::Checked { round, unit, accepted } => self.checked(round, unit, accepted),
            Event::DropMissing => self.drop_missing(now),
            Event::Opened { round, sums, readable } => self.opened(round, Known { at: now, sums, readable }),
            Event::Agreed { pattern, third } => match &self.agreed {
                Some((known, _)) if *known == pattern => Ok(Vec::new()),
                Some(_) => Err(Refusal::Second),
                None if self.phase() != Phase::Certify => Err(Refusal::Phase("not certified")),
                None => Ok(vec![Fact::Agreed { pattern, third }]),
            },
            Event::Published(manifest) if self.published == Some(manifest) => Ok(Vec::new()),
            Event::Published(_) if self.phase() != Phase::Certify => Err(Refusal::Phase("not certified")),
            Event::Published(manifest) => Ok(vec![Fact::Published { manifest }]),
            Event::Fail(failure) if self.failed.as_ref() == Some(&failure) => Ok(Vec::new()),
            Event::Fail(_) if self.phase().is_over() => Err(Refusal::Phase("over")),
            Event::Fail(failure) => Ok(vec![Fact::Failed(failure)]),
        }
    }

    /// Where the round stands.
    pub fn phase(&self) -> Phase {
        match (&self.announced, &self.round) {
            _ if self.failed.is_some() => Phase::Failed,
            _ if self.published.is_some() => Phase::Published,
            _ if self.known.is_some() => Phase::Certify,
            (None, _) => Phase::Waiting,
            (_, None) => Phase::Declare,
            (_, Some(round)) if round.document.stage == Stage::Preliminary => Phase::Pattern,
            (_, Some(round)) if round.is_complete() => Phase::Close,
            _ => Phase::Submit,
        }
    }

    /// What to do next.
    pub fn duties(&self, now: i64) -> Vec<Duty> {
        match self.phase() {
            Phase::Declare if self.declaring_is_over(now) => vec![Duty::Choose],
            Phase::Pattern => self.round.iter().flat_map(|round| round.pattern_duties(now)).collect(),
            Phase::Submit => self.round.iter().flat_map(|round| round.submit_duties(now)).collect(),
            Phase::Close => vec![Duty::Close],
            Phase::Certify => vec![Duty::Certify],
            _ => Vec::new(),
        }
    }

    fn takes_declarations(&self, now: i64) -> bool {
        self.phase() == Phase::Declare && self.declare_until().is_some_and(|until| now < until)
    }

    fn declaring_is_over(&self, now: i64) -> bool {
        let everyone = self.declared.len() == self.collection.units.len();
        everyone || self.declare_until().is_some_and(|until| now >= until)
    }

    /// When declarations are no longer taken.
    pub fn declare_until(&self) -> Option<i64> {
        self.announced.map(|at| at + i64::from(self.collection.declare_hours) * 3600)
    }

    /// The collection.
    pub fn collection(&self) -> &Arc<Collection> {
        &self.collection
    }

    /// Its cells.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// Units that declared.
    pub fn declared(&self) -> impl Iterator<Item = &Unit> {
        self.declared.keys()
    }

    /// The statuses of every unit that declared.
    pub fn statuses(&self) -> BTreeMap<Unit, Vec<FineStatus>> {
        self.declared.iter().map(|(unit, declared)| (unit.clone(), declared.statuses.clone())).collect()
    }

    /// The pattern of the current round.
    pub fn document(&self) -> Option<&PatternDocument> {
        self.round.as_ref().map(|round| &round.document)
    }

    /// The pattern with all witnesses: for proofs to nodes and for the audit.
    pub fn pattern(&self) -> Option<&Pattern> {
        self.round.as_ref().map(|round| &round.pattern)
    }

    /// What each unit of the current roster is shown as evidence: the leaves of the pattern's tree.
    pub fn leaves(&self) -> Vec<Vec<u8>> {
        self.round.as_ref().map(Round::leaves).unwrap_or_default()
    }

    /// The current round's verify key.
    pub fn verify_key(&self) -> Option<[u8; 32]> {
        self.round.as_ref().map(|round| round.verify_key)
    }

    /// Certificates of the current roster in order.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        let Some(round) = &self.round else {
            return Vec::new();
        };
        let der =
            |entry: &RosterEntry| self.declared.get(&entry.unit).map(|d| d.der.clone()).unwrap_or_default();
        round.document.roster.iter().map(der).collect()
    }

    /// Units whose report of the current round is verified.
    pub fn verified(&self) -> Vec<&Unit> {
        let Some(round) = &self.round else {
            return Vec::new();
        };
        round
            .reports
            .iter()
            .filter(|(_, stored)| stored.verdict == Some(true))
            .map(|(unit, _)| unit)
            .collect()
    }

    /// What was opened.
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// The national pattern the county agreed to, and the third coordinator's key.
    pub fn agreed(&self) -> Option<&(Vec<u8>, [u8; 32])> {
        self.agreed.as_ref()
    }

    /// Why there is no publication.
    pub fn failure(&self) -> Option<&Failure> {
        self.failed.as_ref()
    }

    fn current(&self, number: u32) -> Result<&Round, Refusal> {
        match &self.round {
            Some(round) if round.document.round == number => Ok(round),
            Some(_) => Err(Refusal::OtherBinding("round")),
            None => Err(Refusal::Phase("without a pattern")),
        }
    }

    fn declare(
        &self,
        unit: Unit,
        certificate: [u8; 32],
        der: Vec<u8>,
        declaration: Declaration,
        now: i64,
    ) -> Result<Vec<Fact>, Refusal> {
        if declaration.collection != CollectionRef::of(&self.collection) || declaration.tier != Tier::Region {
            return Err(Refusal::OtherBinding("collection"));
        }
        if self.collection.units.binary_search(&unit).is_err() {
            return Err(Refusal::NotInRoster);
        }
        if declaration.statuses.len() != self.system.declared() {
            return Err(Refusal::Malformed("number of statuses"));
        }
        if let Some(known) = self.declared.get(&unit) {
            let same = known.statuses == declaration.statuses && known.certificate == certificate;
            return if same { Ok(Vec::new()) } else { Err(Refusal::Second) };
        }
        if !self.takes_declarations(now) {
            return Err(Refusal::Phase("not taking declarations"));
        }
        Ok(vec![Fact::Declared { unit, certificate, der, statuses: declaration.statuses }])
    }

    fn choose(&self, verify_key: [u8; 32], helper_key_id: [u8; 32], now: i64) -> Result<Vec<Fact>, Refusal> {
        if !self.duties(now).contains(&Duty::Choose) {
            return Err(Refusal::Phase("not choosing a pattern"));
        }
        let roster: Vec<Unit> = self.declared.keys().cloned().collect();
        Ok(vec![self.chosen(1, Stage::Preliminary, &roster, &[], verify_key, helper_key_id, now)])
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the seven parts of a document, used by the three functions above"
    )]
    fn chosen(
        &self,
        round: u32,
        stage: Stage,
        roster: &[Unit],
        requests: &[Request],
        verify_key: [u8; 32],
        helper_key_id: [u8; 32],
        now: i64,
    ) -> Fact {
        let frame = Frame { round, stage, verify_key, helper_key_id, now };
        match (self.earlier.clone(), self.extension.clone()) {
            (Some(earlier), Some(extension)) => {
                return self.chosen_beside(&earlier, &extension, roster, frame);
            }
            (Some(earlier), None) => return self.chosen_again(&earlier, roster, requests, frame),
            (None, _) => {}
        }
        let kommuner = roster.iter().map(Unit::kommun).collect::<BTreeSet<KommunKod>>().len();
        let least = self.collection.minimum_roster();
        if kommuner < least {
            return Fact::Failed(Failure::RosterTooSmall { kommuner, least });
        }
        let statuses: Vec<Vec<FineStatus>> =
            roster.iter().filter_map(|unit| self.declared.get(unit)).map(|d| d.statuses.clone()).collect();
        let pattern = match self.pattern_over(roster, &statuses, requests) {
            Ok(pattern) => pattern,
            Err(failure) => return Fact::Failed(failure),
        };
        let document = self.framed(roster, &pattern, witness_root(&pattern, roster.len()), frame);
        Fact::Chosen { document: Box::new(document), pattern: Box::new(pattern), verify_key }
    }

    /// The document of a pattern over some units that declared.
    fn framed(
        &self,
        units: &[Unit],
        pattern: &Pattern,
        witness_root: [u8; 32],
        frame: Frame,
    ) -> PatternDocument {
        let entry = |unit: &Unit| {
            self.declared.get(unit).map(|d| RosterEntry { unit: unit.clone(), certificate: d.certificate })
        };
        PatternDocument {
            collection: CollectionRef::of(&self.collection),
            round: frame.round,
            tier: Tier::Region,
            stage: frame.stage,
            roster: units.iter().filter_map(entry).collect(),
            withheld: pattern.withheld.clone(),
            open: pattern.open.clone(),
            closed: pattern.closed.clone(),
            witness_root,
            helper_key_id: frame.helper_key_id,
            submit_until: frame.now + i64::from(self.collection.submit_hours) * 3600,
        }
    }

    fn pattern_over(
        &self,
        roster: &[Unit],
        statuses: &[Vec<FineStatus>],
        requests: &[Request],
    ) -> Result<Pattern, Failure> {
        match statuses {
            [own] if self.system.alone => Ok(alone::pattern(&self.system, own)),
            _ => blind::choose(&self.system, roster, statuses, &self.key, requests)
                .map_err(|error| Failure::Pattern(error.to_string())),
        }
    }

    fn answer(&self, unit: Unit, pattern: &[u8; 32], lines: Vec<Vec<u32>>) -> Result<Vec<Fact>, Refusal> {
        let Some(round) = &self.round else {
            return Err(Refusal::Phase("without a pattern"));
        };
        if let Some(known) = round.answers.get(&unit) {
            return if *known == lines { Ok(Vec::new()) } else { Err(Refusal::Second) };
        }
        if round.document.hash() != *pattern {
            return Err(Refusal::OtherBinding("pattern"));
        }
        if round.document.stage != Stage::Preliminary {
            return Err(Refusal::Phase("past requests"));
        }
        if round.document.place(&unit).is_none() {
            return Err(Refusal::NotInRoster);
        }
        let known = |atom: &u32| (*atom as usize) < self.system.unit_atoms;
        if lines.len() > MAX_LINES || !lines.iter().flatten().all(known) {
            return Err(Refusal::Malformed("lines"));
        }
        Ok(vec![Fact::Answered { round: round.document.round, unit, lines }])
    }

    fn finalise(&self, now: i64) -> Result<Vec<Fact>, Refusal> {
        let Some(round) = &self.round else {
            return Err(Refusal::Phase("without a pattern"));
        };
        if !self.duties(now).contains(&Duty::Finalise) {
            return Err(Refusal::Phase("not past requests"));
        }
        let document = &round.document;
        let mut requests = Vec::new();
        for (unit, lines) in &round.answers {
            let Some(place) = document.place(unit).and_then(|place| u32::try_from(place).ok()) else {
                continue;
            };
            requests.extend(lines.iter().map(|atoms| Request { unit: place, atoms: atoms.clone() }));
        }
        let roster = document.units();
        let (key, helper) = (round.verify_key, document.helper_key_id);
        Ok(vec![self.chosen(document.round, Stage::Final, &roster, &requests, key, helper, now)])
    }

    fn submit(
        &self,
        unit: Unit,
        certificate: [u8; 32],
        number: u32,
        content: [u8; 32],
        now: i64,
    ) -> Result<Vec<Fact>, Refusal> {
        let round = self.current(number)?;
        let place = round.document.place(&unit).ok_or(Refusal::NotInRoster)?;
        if round.document.roster[place].certificate != certificate {
            return Err(Refusal::NotInRoster);
        }
        match round.reports.get(&unit) {
            Some(known) if known.content == content => return Ok(Vec::new()),
            Some(_) => return Err(Refusal::Second),
            None => {}
        }
        if self.phase() != Phase::Submit || now >= round.document.submit_until {
            return Err(Refusal::Phase("not taking reports"));
        }
        Ok(vec![Fact::Stored { round: number, unit, content }])
    }

    fn checked(&self, number: u32, unit: Unit, accepted: bool) -> Result<Vec<Fact>, Refusal> {
        let round = self.current(number)?;
        match round.reports.get(&unit) {
            None => Err(Refusal::Phase("without this report")),
            Some(Stored { verdict: Some(_), .. }) => Ok(Vec::new()),
            Some(_) if accepted => Ok(vec![Fact::Verified { round: number, unit }]),
            Some(_) => Ok(vec![Fact::Rejected { round: number, unit }]),
        }
    }

    /// What the helper opened, once everyone is verified and once only: the first time stands (SAME-1).
    fn opened(&self, number: u32, new: Known) -> Result<Vec<Fact>, Refusal> {
        self.current(number)?;
        match (&self.known, self.phase()) {
            (Some(known), _) if (&known.sums, &known.readable) == (&new.sums, &new.readable) => {
                Ok(Vec::new())
            }
            (Some(_), _) => Err(Refusal::Second),
            (None, Phase::Close) => {
                Ok(vec![Fact::Opened { round: number, at: new.at, sums: new.sums, readable: new.readable }])
            }
            (None, _) => Err(Refusal::Phase("not complete")),
        }
    }

    /// The round again over those who delivered, or who answered where reports were not yet asked for.
    fn drop_missing(&self, now: i64) -> Result<Vec<Fact>, Refusal> {
        let Some(round) = &self.round else {
            return Err(Refusal::Phase("without a pattern"));
        };
        if !self.duties(now).contains(&Duty::DropMissing) {
            return Err(Refusal::Phase("not past a deadline"));
        }
        let roster: Vec<Unit> = match round.document.stage {
            Stage::Preliminary => round.answers.keys().cloned().collect(),
            Stage::Final => self.verified().into_iter().cloned().collect(),
        };
        let next = round.document.round + 1;
        let (key, helper) = (next_verify_key(&round.verify_key, next), round.document.helper_key_id);
        Ok(vec![self.chosen(next, Stage::Preliminary, &roster, &[], key, helper, now)])
    }
}

/// The verify key of a round that starts again: another one, and as secret as the one it follows from.
fn next_verify_key(key: &[u8; 32], round: u32) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"samman/v1 next verify key\0").chain_update(key);
    hash.chain_update(round.to_be_bytes()).finalize().into()
}
