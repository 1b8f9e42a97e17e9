//! The region: the production desk over a disk that survives crashes.
//!
//! It answers as `coordinator::rounds::service`, performs duties as `coordinator::rounds::engine`, and closes and
//! certifies with the production functions; the network to the helper is virtual.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::release::{self, ReleaseError};
use coordinator::rounds::close::{Opening, take_opening};
use coordinator::rounds::desk::{Desk, report_key, share_key, signature_key};
use coordinator::rounds::service::own_pattern;
use daemon::facts::FactLog;
use daemon::store::{Batch, MemoryDisk, Store};
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use round::document::PatternDocument;
use round::helper::{HandedPattern, opening_digest};
use round::region::{Duty, Event, Fact, Failure, Phase, Region};
use sharing::report::Report;
use sharing::verify::{RegionState, RegionVerifier, VerifyKey};
use tables::figures::Figures;
use tables::unit::Unit;

use crate::federation::Federation;
use crate::message::{Opened, PartyId, Reply, Request, ShownPattern};
use crate::trouble::Trouble;

fn collection_key(federation: &Federation) -> String {
    format!("region/collection/{}", federation.collection.version)
}

/// Where the facts of the region lie in its store.
pub fn prefix(federation: &Federation) -> String {
    format!("region/case/{}", hex::encode(federation.collection.hash))
}

/// What the region asked its helper, and needs to understand the answer.
enum Asked {
    Collection,
    Pattern(u32),
    Report { round: u32, unit: Unit, verifier: Box<RegionVerifier>, state: Box<RegionState> },
    Close(Box<PatternDocument>),
}

struct Process {
    store: Arc<dyn Store>,
    desk: Option<Arc<Desk>>,
    /// The published version that is corrected.
    first: Option<Arc<Desk>>,
    /// Whether this process has handed the collection to the helper.
    collection_handed: bool,
    asked: Option<Asked>,
}

/// The region.
pub struct RegionParty {
    federation: Arc<Federation>,
    disk: MemoryDisk,
    process: Option<Process>,
    rng: ChaCha20Rng,
    figures: Option<Figures>,
    findings: Option<String>,
}

impl RegionParty {
    /// A region that is not running. `rng` gives verify keys.
    pub fn new(federation: Arc<Federation>, disk: MemoryDisk, rng: ChaCha20Rng) -> Self {
        Self { federation, disk, process: None, rng, figures: None, findings: None }
    }

    /// Its disk.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// The figures that were certified last.
    pub fn figures(&self) -> Option<&Figures> {
        self.figures.as_ref()
    }

    /// What the audit found when it did not certify: places and equations, no figures.
    pub fn findings(&self) -> Option<&str> {
        self.findings.as_deref()
    }

    /// Starts from what the disk holds.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn start(&mut self, now: i64) -> Result<(), Trouble> {
        let store: Arc<dyn Store> = Arc::new(self.disk.open());
        let announced = store.get(&collection_key(&self.federation))?.is_some();
        self.process =
            Some(Process { store, desk: None, first: None, collection_handed: false, asked: None });
        if announced { self.open(now) } else { Ok(()) }
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// The machine's state, to compare before and after a restart; empty before the collection.
    pub fn state(&self) -> String {
        self.desk().map_or_else(String::new, |desk| desk.look(describe))
    }

    /// Where the round stands.
    pub fn phase(&self) -> Phase {
        self.desk().map_or(Phase::Waiting, |desk| desk.phase())
    }

    /// The desk, once the collection is open.
    pub fn desk(&self) -> Option<&Arc<Desk>> {
        self.process.as_ref().and_then(|process| process.desk.as_ref())
    }

    /// The desk of the version that is corrected.
    pub fn first(&self) -> Option<&Desk> {
        self.process.as_ref().and_then(|process| process.first.as_deref())
    }

    fn process(&mut self) -> Result<&mut Process, Trouble> {
        self.process.as_mut().ok_or(Trouble::Crash)
    }

    fn open(&mut self, now: i64) -> Result<(), Trouble> {
        let federation = self.federation.clone();
        let process = self.process()?;
        let first = match &federation.first {
            Some(first) => Some(desk_of(&process.store, first, None)?),
            None => None,
        };
        let desk = desk_of(&process.store, &federation, first.as_deref())?;
        desk.take(Event::Announce, now, Vec::new())?;
        (process.desk, process.first) = (Some(desk), first);
        Ok(())
    }

    /// Answers the operator or a node.
    ///
    /// # Errors
    /// [`Trouble::Crash`] and [`Trouble::Broken`]; refusals and full disks are replies.
    pub fn serve(&mut self, from: &PartyId, request: Request, now: i64) -> Result<Reply, Trouble> {
        let answer = match from {
            PartyId::Operator => self.announce(now),
            PartyId::Node(unit) => self.answer(unit, request, now),
            _ => Err(Trouble::Broken("a message that no region is sent".into())),
        };
        match answer {
            Err(Trouble::Refused(refusal)) => Ok(Reply::Refused(refusal.to_string())),
            Err(Trouble::Full) => Ok(Reply::Unavailable),
            other => other,
        }
    }

    fn announce(&mut self, now: i64) -> Result<Reply, Trouble> {
        if self.desk().is_none() {
            let key = collection_key(&self.federation);
            let batch = Batch::new().put(key, self.federation.document.as_bytes());
            self.process()?.store.commit(batch)?;
            self.open(now)?;
        }
        Ok(Reply::Done)
    }

    fn answer(&mut self, unit: &Unit, request: Request, now: i64) -> Result<Reply, Trouble> {
        let Some(desk) = self.desk().cloned() else {
            let listed = matches!(request, Request::Collections);
            return Ok(if listed {
                Reply::Collections(false)
            } else {
                Reply::Refused("no such collection".into())
            });
        };
        let der = self.federation.kommun(unit).certificate.clone();
        let (unit, certificate) = (unit.clone(), Federation::fingerprint(&der));
        match request {
            Request::Collections => return Ok(Reply::Collections(true)),
            Request::Pattern { known } => return Ok(pattern_for(&desk, self.first(), &unit, known)),
            Request::Declare(declaration, changed) => {
                if let Some(changed) = changed {
                    desk.take(Event::Change { unit: unit.clone(), changed }, now, Vec::new())?;
                }
                desk.take(Event::Declare { unit, certificate, der, declaration }, now, Vec::new())?;
            }
            Request::Answer { pattern, lines, .. } => {
                desk.take(Event::Answer { unit, pattern, lines }, now, Vec::new())?;
            }
            Request::Submit { round, bytes, signature } => {
                let Ok(report) = Report::decode(desk.parameters(), &bytes) else {
                    return Ok(Reply::Refused("no report".into()));
                };
                let content = report.content_hash().0;
                let beside =
                    vec![(report_key(round, &unit), bytes), (signature_key(round, &unit), signature)];
                desk.take(Event::Submit { unit, certificate, round, content }, now, beside)?;
            }
            _ => return Err(Trouble::Broken("a message that no node sends".into())),
        }
        Ok(Reply::Done)
    }

    /// Does what is due until the helper must be asked.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn work(&mut self, now: i64) -> Result<Option<Request>, Trouble> {
        let Some(desk) = self.desk().cloned() else {
            return Ok(None);
        };
        loop {
            let Some(duty) = desk.duties(now).into_iter().next() else {
                return Ok(None);
            };
            match duty {
                Duty::Choose => {
                    let mut verify_key = [0; 32];
                    self.rng.fill_bytes(&mut verify_key);
                    let helper_key_id = self.federation.helper_keys.public().id();
                    desk.take(Event::Choose { verify_key, helper_key_id }, now, Vec::new())?;
                }
                Duty::Finalise => desk.take(Event::Finalise, now, Vec::new())?,
                Duty::DropMissing => desk.take(Event::DropMissing, now, Vec::new())?,
                Duty::HandPattern => return self.hand_pattern(&desk).map(Some),
                Duty::Check(unit) => {
                    if let Some(request) = self.check(&desk, unit, now)? {
                        return Ok(Some(request));
                    }
                }
                Duty::Close => {
                    let document = document(&desk)?;
                    let (round, pattern, roster) = (document.round, document.hash(), document.units());
                    self.process()?.asked = Some(Asked::Close(Box::new(document)));
                    return Ok(Some(Request::Close { round, pattern, roster }));
                }
                Duty::Certify => self.certify(&desk, now)?,
            }
        }
    }

    fn hand_pattern(&mut self, desk: &Desk) -> Result<Request, Trouble> {
        let process = self.process()?;
        if !process.collection_handed {
            process.asked = Some(Asked::Collection);
            return Ok(Request::PutCollection);
        }
        let document = document(desk)?;
        let (verify_key, certificates) = desk.look(|region| (region.verify_key(), region.certificates()));
        let verify_key = verify_key.ok_or_else(|| Trouble::Broken("no verify key".into()))?;
        process.asked = Some(Asked::Pattern(document.round));
        Ok(Request::PutPattern(Box::new(HandedPattern { document, verify_key, certificates })))
    }

    /// Begins the verification of a report; one that cannot even begin is rejected at once.
    fn check(&mut self, desk: &Desk, unit: Unit, now: i64) -> Result<Option<Request>, Trouble> {
        let document = document(desk)?;
        let round = document.round;
        let missing = || Trouble::Broken("a report to check without its round".into());
        let key = VerifyKey::from_bytes(desk.look(Region::verify_key).ok_or_else(missing)?);
        let place = document.place(&unit).ok_or_else(missing)?;
        let (bytes, signature) =
            (desk.read(&report_key(round, &unit))?, desk.read(&signature_key(round, &unit))?);
        let binding = round::helper::binding(&document, place);
        let verifier = RegionVerifier::new(desk.parameters().clone(), &binding, key);
        let begun = Report::decode(desk.parameters(), &bytes)
            .ok()
            .and_then(|report| Some((verifier.begin(&report).ok()?, report.helper_part())));
        let Some(((state, message), part)) = begun else {
            desk.take(Event::Checked { round, unit, accepted: false }, now, Vec::new())?;
            return Ok(None);
        };
        let part = part.encode(desk.parameters());
        let asked =
            Asked::Report { round, unit: unit.clone(), verifier: Box::new(verifier), state: Box::new(state) };
        self.process()?.asked = Some(asked);
        Ok(Some(Request::Verify { round, unit, part, message, signature }))
    }

    fn certify(&mut self, desk: &Desk, now: i64) -> Result<(), Trouble> {
        let extension = self.federation.extension.as_deref();
        let first = self.first().map(|desk| release::Before { desk, extension });
        let (event, beside) = match release::certified(desk, first, &BTreeSet::new()) {
            Ok(certified) => {
                self.figures = Some(certified.release.figures().clone());
                (Event::Published([1; 32]), vec![certified.marks()])
            }
            Err(ReleaseError::Findings(findings)) => {
                self.findings = Some(findings);
                (Event::Fail(Failure::Audit), Vec::new())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(desk.take(event, now, beside)?)
    }

    /// Takes the helper's reply to what was asked last.
    ///
    /// # Errors
    /// [`Trouble`]; a helper that refuses an honest region is [`Trouble::Broken`].
    pub fn take_reply(&mut self, reply: Reply, now: i64) -> Result<(), Trouble> {
        let Some(desk) = self.desk().cloned() else {
            return Ok(());
        };
        let process = self.process()?;
        match (process.asked.take(), reply) {
            (_, Reply::Refused(reason)) => Err(Trouble::Broken(format!("the helper refuses: {reason}"))),
            (Some(Asked::Collection), Reply::Done) => {
                process.collection_handed = true;
                Ok(())
            }
            (Some(Asked::Pattern(round)), Reply::Done) => {
                Ok(desk.take(Event::HelperHolds(round), now, Vec::new())?)
            }
            (Some(Asked::Report { round, unit, verifier, state }), Reply::Verified(answer)) => {
                let share = answer.and_then(|answer| verifier.finish(*state, &answer).ok());
                let beside = share.map(|share| (share_key(round, &unit), share.encode(desk.parameters())));
                let accepted = beside.is_some();
                let event = Event::Checked { round, unit, accepted };
                Ok(desk.take(event, now, beside.into_iter().collect())?)
            }
            (Some(Asked::Close(document)), Reply::Opened(opened)) => close(&desk, &document, &opened, now),
            _ => Ok(()),
        }
    }
}

fn close(desk: &Desk, document: &PatternDocument, opened: &Opened, now: i64) -> Result<(), Trouble> {
    if opening_digest(document, &opened.shares) != opened.digest {
        return Err(Trouble::Broken("the helper countersigned another opening".into()));
    }
    let opening = Opening { shares: &opened.shares, readable_keys: &opened.readable_keys };
    Ok(take_opening(desk, document, &opening, now)?)
}

fn document(desk: &Desk) -> Result<PatternDocument, Trouble> {
    desk.look(|region| region.document().cloned()).ok_or_else(|| Trouble::Broken("no pattern".into()))
}

/// The desk of a collection from what the store holds of it.
fn desk_of(
    store: &Arc<dyn Store>,
    federation: &Federation,
    first: Option<&Desk>,
) -> Result<Arc<Desk>, Trouble> {
    let (log, facts) = FactLog::<Fact>::open(store.clone(), prefix(federation))?;
    let key = federation.pattern_key.clone();
    let mut region = Region::new(federation.collection.clone(), federation.system.clone(), key);
    if let Some(first) = first {
        let published = first.look(Region::published);
        let published = published.ok_or_else(|| Trouble::Broken("no first version".into()))?;
        region = match &federation.extension {
            None => region.correcting(published),
            Some(extension) => {
                let extended = region.extending(&published, extension.clone());
                extended.map_err(|_| Trouble::Broken("another first version".into()))?
            }
        };
    }
    Ok(Desk::new(region, log, facts, federation.parameters.clone()))
}

fn pattern_for(desk: &Desk, first: Option<&Desk>, unit: &Unit, known: Option<[u8; 32]>) -> Reply {
    let first = first.and_then(|first| first.look(|region| region.document().cloned()));
    desk.look(|region| {
        let news = region.document().filter(|document| Some(document.hash()) != known);
        let shown = news.and_then(|document| {
            let (_, witnesses, proof) = own_pattern(region, unit)?;
            Some(Box::new(ShownPattern {
                document: document.clone(),
                witnesses,
                proof,
                first: first.clone(),
            }))
        });
        Reply::Pattern(shown, region.phase())
    })
}

/// Everything a region's machine shows of itself.
fn describe(region: &Region) -> String {
    let known = region.known().map(|known| (known.at, known.sums.clone(), known.readable.clone()));
    let round = (region.document(), region.pattern(), region.verify_key(), region.certificates());
    let verified = region.verified();
    let (phase, failure, duties) = (region.phase(), region.failure(), region.duties(i64::MAX));
    format!("{phase:?} {failure:?} {duties:?} {:?} {verified:?} {round:?} {known:?}", region.statuses())
}
