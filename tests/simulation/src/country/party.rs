//! The parties of a simulated national round, each over a disk that survives crashes.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::counties::client::GRACE;
use coordinator::counties::desk::Desk;
use coordinator::counties::release::{NationalReleaseError, certified};
use coordinator::counties::sides::{NoSums, added};
use coordinator::counties::third::{self, Answer, OpenAsked, SHARE_AAD};
use daemon::facts::FactLog;
use daemon::store::{MemoryDisk, Store};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::chain::Signed;
use round::document::CollectionRef;
use round::national::document::{Document, NationalPattern, Offer, Rows, SealedShare, share_binding};
use round::national::groups::of_roster;
use round::national::{Duty, Fact, National, Phase, check_pattern};
use round::refusal::Refusal;
use serde::{Deserialize, Serialize};
use sharing::helper_key::SealPurpose;
use sharing::signing::SigningContext;
use tables::system::CellIndex;
use tables::unit::LansKod;

use super::federation::Country;
use crate::trouble::Trouble;

/// A question.
#[derive(Clone)]
pub enum Ask {
    /// Region to national.
    Offer(Offer),
    /// Region to national.
    Pattern,
    /// Region to national.
    Deliver(Rows, Signed),
    /// National to third.
    Open(Arc<OpenAsked>),
}

/// An answer.
#[derive(Clone)]
pub enum Told {
    /// Taken, durably.
    Done,
    /// The pattern, if there is one.
    Pattern(Option<Box<NationalPattern>>),
    /// What the third coordinator says.
    Opened(Arc<Answer>),
    /// No, for good.
    Refused(String),
    /// Not now.
    Unavailable,
}

fn told(answer: Result<Told, Trouble>) -> Result<Told, Trouble> {
    match answer {
        Err(Trouble::Refused(refusal)) => Ok(Told::Refused(refusal.to_string())),
        Err(Trouble::Full) => Ok(Told::Unavailable),
        other => other,
    }
}

/// The national body.
pub struct NationalParty {
    country: Arc<Country>,
    /// Its disk.
    pub disk: MemoryDisk,
    desk: Option<Arc<Desk>>,
}

impl NationalParty {
    /// A national body that does not run.
    pub fn new(country: Arc<Country>) -> Self {
        Self { country, disk: MemoryDisk::new(), desk: None }
    }

    /// Starts from what the disk holds.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn start(&mut self) -> Result<(), Trouble> {
        let store: Arc<dyn Store> = Arc::new(self.disk.open());
        let key = self.country.pattern_key.clone();
        self.desk = Some(Desk::open(store, self.country.clone(), key)?);
        Ok(())
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.desk = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.desk.is_some()
    }

    /// The round, once a county offered.
    pub fn machine(&self) -> Option<National> {
        Some(self.desk.as_ref()?.look(&self.country.reference)?.0)
    }

    /// What it shows of itself: the same before and after a restart.
    pub fn state(&self) -> String {
        self.machine().map_or_else(String::new, |machine| {
            let counties: Vec<LansKod> = machine.deliveries().map(|(county, ..)| county).collect();
            let sums = machine.sums().map(|(at, sums)| (at, sums.realm.clone(), sums.groups.clone()));
            format!(
                "{:?} {counties:?} {:?} {:?} {sums:?} {:?}",
                machine.phase(),
                machine.pattern(),
                machine.closed(),
                machine.offers()
            )
        })
    }

    /// Answers a region.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn serve(&mut self, ask: Ask, now: i64) -> Result<Told, Trouble> {
        let desk = self.desk.clone().ok_or(Trouble::Crash)?;
        told(match ask {
            Ask::Offer(offer) => desk.offer(offer, now).map(|()| Told::Done).map_err(Trouble::from),
            Ask::Deliver(rows, share) => {
                desk.deliver(&self.country.reference, rows, share).map(|()| Told::Done).map_err(Trouble::from)
            }
            Ask::Pattern => match self.machine() {
                Some(machine) if machine.phase() == Phase::Failed => {
                    Ok(Told::Refused("the national round ended without a publication".into()))
                }
                machine => {
                    let pattern = machine.and_then(|machine| machine.pattern().cloned());
                    Ok(Told::Pattern(pattern.map(Box::new)))
                }
            },
            Ask::Open(_) => Err(Trouble::Broken("a message that no national body is sent".into())),
        })
    }

    /// Does what is due until the third coordinator must be asked.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn work(&mut self, now: i64) -> Result<Option<Ask>, Trouble> {
        let desk = self.desk.clone().ok_or(Trouble::Crash)?;
        while let Some((reference, duty)) = desk.duties(now).into_iter().next() {
            match duty {
                Duty::Choose => desk.event(&reference, |machine| machine.choose(now))?,
                Duty::Close => desk.event(&reference, |machine| machine.close(now))?,
                Duty::GiveUp => desk.event(&reference, |machine| machine.give_up(now))?,
                Duty::Certify => self.certify(&desk)?,
                Duty::Open => return self.to_open(&desk).map(Some),
            }
        }
        Ok(None)
    }

    fn certify(&self, desk: &Desk) -> Result<(), Trouble> {
        let machine = self.machine().ok_or(Trouble::Crash)?;
        let fact = match certified(&machine) {
            Ok(_) => Fact::Published([1; 32]),
            Err(NationalReleaseError::Findings(_)) => Fact::Failed("the audit did not certify".into()),
            Err(error) => return Err(Trouble::Broken(error.to_string())),
        };
        Ok(desk.event(&self.country.reference, |_| Ok(vec![fact]))?)
    }

    fn to_open(&self, desk: &Desk) -> Result<Ask, Trouble> {
        let (machine, text) = desk.look(&self.country.reference).ok_or(Trouble::Crash)?;
        let missing = || Trouble::Broken("sums to open without a pattern or a close".into());
        let (pattern, close) =
            (machine.pattern().ok_or_else(missing)?, machine.closed().ok_or_else(missing)?);
        let sign = |context, bytes| self.country.sign("national 00", context, bytes);
        let counted = machine.deliveries().filter(|(county, ..)| close.roster.contains(county));
        Ok(Ask::Open(Arc::new(OpenAsked {
            text,
            pattern: sign(SigningContext::NationalPattern, pattern.bytes()),
            close: sign(SigningContext::NationalClose, close.bytes()),
            shares: counted.map(|(_, _, share)| share.clone()).collect(),
        })))
    }

    /// Takes the third coordinator's answer.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn hear(&mut self, asked: &OpenAsked, answer: &Told, now: i64) -> Result<(), Trouble> {
        let desk = self.desk.clone().ok_or(Trouble::Crash)?;
        let machine = self.machine().ok_or(Trouble::Crash)?;
        // An answer to a close that is not in force any more is not heard.
        let Some(close) = machine.closed().filter(|close| close.bytes() == asked.close.bytes) else {
            return Ok(());
        };
        let reference = &self.country.reference;
        match answer {
            Told::Opened(answer) => match &**answer {
                Answer::Unusable(counties) => {
                    Ok(desk.event(reference, |machine| machine.unusable(counties))?)
                }
                Answer::Opened { shares, .. } => {
                    let own = desk.own_side(&machine)?.opened(&machine.system, close)?;
                    let fact = match added(close, &own, shares) {
                        Ok(sums) => machine.opened(sums, now)?,
                        Err(NoSums::NoCount) => vec![Fact::Failed(NoSums::NoCount.to_string())],
                        Err(error) => return Err(Trouble::Broken(error.to_string())),
                    };
                    Ok(desk.event(reference, |_| Ok(fact))?)
                }
            },
            Told::Refused(reason) => {
                Err(Trouble::Broken(format!("the third refuses an honest national body: {reason}")))
            }
            _ => Ok(()),
        }
    }
}

/// The third coordinator.
pub struct ThirdParty {
    country: Arc<Country>,
    /// Its disk.
    pub disk: MemoryDisk,
    desk: Option<third::Desk>,
}

impl ThirdParty {
    /// A third coordinator that does not run.
    pub fn new(country: Arc<Country>) -> Self {
        Self { country, disk: MemoryDisk::new(), desk: None }
    }

    /// Starts from what the disk holds.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn start(&mut self) -> Result<(), Trouble> {
        let store: Arc<dyn Store> = Arc::new(self.disk.open());
        self.desk = Some(third::Desk::open(store, self.country.third.clone())?);
        Ok(())
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.desk = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.desk.is_some()
    }

    /// Answers the national body.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn serve(&mut self, ask: &Ask) -> Result<Told, Trouble> {
        let desk = self.desk.as_ref().ok_or(Trouble::Crash)?;
        let Ask::Open(asked) = ask else {
            return Err(Trouble::Broken("a message that no third coordinator is sent".into()));
        };
        let answer = desk.open_counties(asked, self.country.as_ref()).map_err(Trouble::from);
        told(answer.map(|answer| Told::Opened(Arc::new(answer))))
    }
}

/// What a region keeps of its part.
#[derive(Clone, Serialize, Deserialize)]
pub enum RegionFact {
    /// Its own round is closed (Unix time).
    Closed(i64),
    /// The pattern it agreed to, in bytes.
    Agreed(Vec<u8>),
    /// Published: the totals it withholds.
    Published(BTreeSet<CellIndex>),
}

/// How a region's share is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It cannot be unsealed.
    Seal,
    /// It is not of what the kommuner sent.
    Sum,
}

/// A region after its county's round.
pub struct RegionParty {
    country: Arc<Country>,
    /// Its county.
    pub county: LansKod,
    /// Its disk.
    pub disk: MemoryDisk,
    /// What is wrong with its share.
    pub broken: Option<Broken>,
    log: Option<FactLog<RegionFact>>,
    closed: Option<i64>,
    agreed: Option<NationalPattern>,
    published: Option<BTreeSet<CellIndex>>,
    /// When its offer was taken.
    offered: Option<i64>,
    delivered: bool,
}

impl RegionParty {
    /// A region that does not run.
    pub fn new(country: Arc<Country>, county: LansKod) -> Self {
        Self {
            country,
            county,
            disk: MemoryDisk::new(),
            broken: None,
            log: None,
            closed: None,
            agreed: None,
            published: None,
            offered: None,
            delivered: false,
        }
    }

    /// Starts from what the disk holds; the first time the county's round closes now.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn start(&mut self, now: i64) -> Result<(), Trouble> {
        let (log, facts) = FactLog::open(Arc::new(self.disk.open()), "region")?;
        (self.closed, self.agreed, self.published) = (None, None, None);
        (self.offered, self.delivered) = (None, false);
        self.log = Some(log);
        for fact in facts {
            self.apply(fact)?;
        }
        if self.closed.is_none() {
            self.record(RegionFact::Closed(now))?;
        }
        Ok(())
    }

    fn apply(&mut self, fact: RegionFact) -> Result<(), Trouble> {
        match fact {
            RegionFact::Closed(at) => self.closed = Some(at),
            RegionFact::Agreed(bytes) => {
                let pattern = NationalPattern::read(&bytes);
                self.agreed = Some(pattern.ok_or_else(|| Trouble::Broken("an unreadable pattern".into()))?);
            }
            RegionFact::Published(withheld) => self.published = Some(withheld),
        }
        Ok(())
    }

    fn record(&mut self, fact: RegionFact) -> Result<(), Trouble> {
        let log = self.log.as_ref().ok_or(Trouble::Crash)?;
        log.append(std::slice::from_ref(&fact), Vec::new())?;
        self.apply(fact)
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.log = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.log.is_some()
    }

    /// The pattern it agreed to.
    pub fn agreed(&self) -> Option<&NationalPattern> {
        self.agreed.as_ref()
    }

    /// What it withholds in its publication, once there is one.
    pub fn published(&self) -> Option<&BTreeSet<CellIndex>> {
        self.published.as_ref()
    }

    fn offer(&self) -> Offer {
        let county = &self.country.counties[&self.county];
        Offer {
            national: self.country.reference.clone(),
            county: self.county,
            collection: CollectionRef::of(&county.collection),
            round: 1,
            pattern: county.document.hash(),
            marks: (0..county.values.len()).map(|cell| self.country.mark(self.county, cell)).collect(),
            groups: of_roster(&county.collection, &county.document.units()),
        }
    }

    /// The next question, or publishing.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn work(&mut self, now: i64) -> Result<Option<Ask>, Trouble> {
        if self.published.is_some() {
            return Ok(None);
        }
        let terms = self.country.counties[&self.county].collection.national.as_ref();
        let patience = terms.map_or(0, |terms| i64::from(terms.hours) * 3600);
        let began = self.closed.unwrap_or(now).max(self.offered.unwrap_or_default());
        let until = began + patience + GRACE;
        match &self.agreed {
            None if now >= until => self.publish().map(|()| None),
            None if self.offered.is_none() => Ok(Some(Ask::Offer(self.offer()))),
            None => Ok(Some(Ask::Pattern)),
            Some(pattern) if !self.delivered && now < until.max(pattern.deliver_until + GRACE) => {
                Ok(Some(self.delivery(pattern)))
            }
            Some(_) => self.publish().map(|()| None),
        }
    }

    fn publish(&mut self) -> Result<(), Trouble> {
        let own = &self.country.counties[&self.county].withheld;
        let withheld = match &self.agreed {
            Some(pattern) => pattern.place(self.county).map(|place| pattern.withheld[place].clone()),
            None => Some(own.clone()),
        };
        self.record(RegionFact::Published(withheld.unwrap_or_else(|| own.clone())))
    }

    fn delivery(&self, pattern: &NationalPattern) -> Ask {
        let county = &self.country.counties[&self.county];
        let place = pattern.place(self.county).unwrap_or_default();
        let values = pattern.shown(&self.country.system, place).map(|cell| county.values[cell]).collect();
        let hash = pattern.hash();
        let rows = Rows { pattern: hash, county: self.county, values };
        let mut share = county.shares.0.clone();
        if self.broken == Some(Broken::Sum) {
            for (at, block) in self.country.system.blocks.iter().enumerate() {
                _ = share.raise(at, &vec![1 << 60; block.length]);
            }
        }
        let shape = coordinator::counties::desk::parameters(&self.country.system);
        let plain = shape.map(|shape| share.encode(&shape)).unwrap_or_default();
        // what differs between two sealings of one share is compared nowhere
        let mut rng = ChaCha20Rng::seed_from_u64(self.country.seed);
        let binding = share_binding(&hash, self.county);
        let key = self.country.third.public();
        let sealed = key.seal(SealPurpose::AggregateShare, binding, SHARE_AAD, &plain, &mut rng);
        let mut share = SealedShare {
            pattern: hash,
            county: self.county,
            encapsulated: sealed.as_ref().map(|sealed| sealed.encapsulated).unwrap_or_default(),
            ciphertext: sealed.map(|sealed| sealed.ciphertext).unwrap_or_default(),
        };
        if self.broken == Some(Broken::Seal) {
            share.ciphertext.reverse();
        }
        let name = format!("region {}", self.county);
        Ask::Deliver(rows, self.country.sign(&name, SigningContext::CountyShare, share.bytes()))
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn hear(&mut self, asked: &Ask, answer: Told, now: i64) -> Result<(), Trouble> {
        if self.published.is_some() {
            return Ok(());
        }
        match (asked, answer) {
            (Ask::Offer(_), Told::Done) => self.offered = Some(now),
            (Ask::Deliver(..), Told::Done) => self.delivered = true,
            (Ask::Pattern, Told::Pattern(Some(pattern))) if self.agreed.is_none() => {
                let county = &self.country.counties[&self.county];
                let terms = county.collection.national.as_ref();
                let terms = terms.ok_or_else(|| Trouble::Broken("no national round".into()))?;
                match check_pattern(&self.country.system, terms, &self.offer(), &pattern) {
                    Ok(_) => self.record(RegionFact::Agreed(pattern.bytes()))?,
                    // It offered too late, or not at all, and publishes alone.
                    Err(Refusal::NotInRoster) => self.publish()?,
                    Err(refusal) => {
                        // Without a pattern it can agree to it publishes alone.
                        self.publish()?;
                        return Err(Trouble::Broken(format!("it refuses the national pattern: {refusal}")));
                    }
                }
            }
            // The round goes on, or ended, without the county. What was agreed to stays withheld.
            (_, Told::Refused(_)) => self.publish()?,
            _ => {}
        }
        Ok(())
    }
}
