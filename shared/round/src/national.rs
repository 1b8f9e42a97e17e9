//! The national body's side of a national round: offers, the pattern over counties, deliveries, the close.
//!
//! Pure, as the other machines. The figures of a county are counted once: its offer and its delivery are the first it
//! made, whatever it sends later. A county that does not offer in time is not in the pattern; one that does not deliver in time
//! is not in the totals, and sums that it helped to hide stay closed. Nothing was opened before the close, and one
//! close is opened ever ([`check_close`], which the third coordinator asks before it opens anything).

mod check;
pub mod document;
pub mod groups;
mod tailed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use suppress::counties;
use suppress::counties::hiding;
use suppress::key::PatternKey;
use tables::collection::{Collection, National as Terms};
use tables::figures::{AMPLE, CountyMark};
use tables::system::{Build, CellIndex, System};
use tables::unit::LansKod;

use crate::chain::Signed;
use crate::refusal::Refusal;
pub use check::{check_close, check_pattern};
use document::{Document, GroupSum, NationalClose, NationalPattern, NationalRef, Offer, Rows};

/// Largest figure of a county: what the audit of the tables reads.
pub const MAX_VALUE: u64 = 1 << 28;

/// Opened sums.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Of the realm, by cell.
    pub realm: BTreeMap<CellIndex, u64>,
    /// Of groups of kommuner.
    pub groups: BTreeMap<GroupSum, u64>,
}

impl std::fmt::Debug for Sums {
    /// Prints no figure.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sums({} of the realm, {} of groups)", self.realm.len(), self.groups.len())
    }
}

/// What is stored.
#[derive(Clone, Serialize, Deserialize)]
pub enum Fact {
    /// A county offered.
    Offered {
        /// Unix time.
        at: i64,
        /// What.
        offer: Box<Offer>,
        /// Kommuner of its roster and invited ones, as the helper knows them.
        kommuner: (u32, u32),
    },
    /// The pattern was chosen.
    Chosen(Box<NationalPattern>),
    /// A county delivered.
    Delivered {
        /// Its figures.
        rows: Rows,
        /// Its sealed share.
        share: Signed,
    },
    /// Nobody more is waited for.
    Closed {
        /// Unix time.
        at: i64,
        /// Who is counted and what is opened.
        close: NationalClose,
    },
    /// The third coordinator could not use the shares of these; nothing was opened.
    Unusable(BTreeSet<LansKod>),
    /// The sums were opened.
    Opened {
        /// Unix time.
        at: i64,
        /// By cell.
        sums: BTreeMap<CellIndex, u64>,
    },
    /// The publication stands.
    Published([u8; 32]),
    /// There will be none.
    Failed(String),
    /// The sums were opened, some of groups of kommuner among them.
    OpenedOfGroups {
        /// Unix time.
        at: i64,
        /// What was opened.
        sums: Sums,
    },
}

impl std::fmt::Debug for Fact {
    /// The kind only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Offered { .. } => "Offered",
            Self::Chosen(_) => "Chosen",
            Self::Delivered { .. } => "Delivered",
            Self::Closed { .. } => "Closed",
            Self::Unusable(_) => "Unusable",
            Self::Opened { .. } => "Opened",
            Self::OpenedOfGroups { .. } => "OpenedOfGroups",
            Self::Published(_) => "Published",
            Self::Failed(_) => "Failed",
        })
    }
}

/// Where the round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Counties offer.
    Offer,
    /// Counties deliver.
    Deliver,
    /// The sums are being opened.
    Open,
    /// The tables are being audited.
    Certify,
    /// Done.
    Published,
    /// Ended without a publication.
    Failed,
}

impl Phase {
    /// The word of the protocol.
    pub fn word(self) -> &'static str {
        match self {
            Self::Offer => "declare",
            Self::Deliver => "submit",
            Self::Open => "close",
            Self::Certify => "certify",
            Self::Published => "published",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more happens.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Published | Self::Failed)
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Choose the pattern over the counties that offered.
    Choose,
    /// Fix who is counted.
    Close,
    /// Open with the third coordinator.
    Open,
    /// The third coordinator has been away for too long: there will be no publication.
    GiveUp,
    /// Audit and publish.
    Certify,
}

/// A county that offered.
#[derive(Debug, Clone)]
pub struct Offered {
    /// What.
    pub offer: Offer,
    /// Kommuner of its roster, and invited.
    pub kommuner: (u32, u32),
}

/// The machine of one national round.
#[derive(Clone)]
pub struct National {
    /// One of the counties' collections: the tables are the same in all.
    pub collection: Arc<Collection>,
    /// Its cells.
    pub system: Arc<System>,
    terms: Terms,
    reference: NationalRef,
    key: PatternKey,
    first: Option<i64>,
    offers: BTreeMap<LansKod, Offered>,
    pattern: Option<NationalPattern>,
    /// Shares are large and never change: copies of the machine have them in common.
    delivered: BTreeMap<LansKod, Arc<(Rows, Signed)>>,
    unusable: BTreeSet<LansKod>,
    /// When it was closed first.
    closed_at: Option<i64>,
    close: Option<NationalClose>,
    opened: Option<(i64, Sums)>,
    published: Option<[u8; 32]>,
    failed: Option<String>,
}

impl National {
    /// The machine of the round that a county's collection belongs to; `None` when it belongs to none.
    pub fn new(collection: Arc<Collection>, system: Arc<System>, key: PatternKey) -> Option<Self> {
        let reference = NationalRef::of(&collection, &system)?;
        let terms = collection.national.clone()?;
        Some(Self {
            collection,
            system,
            terms,
            reference,
            key,
            first: None,
            offers: BTreeMap::new(),
            pattern: None,
            delivered: BTreeMap::new(),
            unusable: BTreeSet::new(),
            closed_at: None,
            close: None,
            opened: None,
            published: None,
            failed: None,
        })
    }

    /// Takes a stored fact into the state.
    pub fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Offered { at, offer, kommuner } => {
                self.first.get_or_insert(at);
                self.offers.insert(offer.county, Offered { offer: *offer, kommuner });
            }
            Fact::Chosen(pattern) => self.pattern = Some(*pattern),
            Fact::Delivered { rows, share } => {
                self.delivered.insert(rows.county, Arc::new((rows, share)));
            }
            Fact::Closed { at, close } => {
                self.closed_at.get_or_insert(at);
                self.close = Some(close);
            }
            Fact::Unusable(counties) => {
                self.unusable.extend(counties);
                self.close = None;
            }
            Fact::Opened { at, sums } => {
                self.opened = Some((at, Sums { realm: sums, groups: BTreeMap::new() }));
            }
            Fact::OpenedOfGroups { at, sums } => self.opened = Some((at, sums)),
            Fact::Published(manifest) => self.published = Some(manifest),
            Fact::Failed(reason) => self.failed = Some(reason),
        }
    }

    /// The round's name.
    pub fn reference(&self) -> &NationalRef {
        &self.reference
    }

    /// Where the round stands.
    pub fn phase(&self) -> Phase {
        match () {
            () if self.failed.is_some() => Phase::Failed,
            () if self.published.is_some() => Phase::Published,
            () if self.opened.is_some() => Phase::Certify,
            () if self.close.is_some() => Phase::Open,
            () if self.pattern.is_some() => Phase::Deliver,
            () => Phase::Offer,
        }
    }

    /// What to do next.
    pub fn duties(&self, now: i64) -> Option<Duty> {
        match self.phase() {
            Phase::Offer => {
                let until = self.first.map(|at| at + i64::from(self.terms.hours) * 3600);
                let over =
                    self.offers.len() == self.terms.counties.len() || until.is_some_and(|until| now >= until);
                over.then_some(Duty::Choose)
            }
            Phase::Deliver => {
                let pattern = self.pattern.as_ref()?;
                let all = self.delivered.len() == pattern.counties.len();
                // After a close that could not be opened nobody new is waited for.
                let over = all || !self.unusable.is_empty() || now >= pattern.deliver_until;
                over.then_some(Duty::Close)
            }
            Phase::Open => {
                let until = self.closed_at.map(|at| at + i64::from(self.terms.hours) * 3600);
                Some(if until.is_some_and(|until| now >= until) { Duty::GiveUp } else { Duty::Open })
            }
            Phase::Certify => Some(Duty::Certify),
            Phase::Published | Phase::Failed => None,
        }
    }

    /// A county's offer, its signature and what it says of the helper's round verified.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn offer(&self, offer: Offer, kommuner: (u32, u32), now: i64) -> Result<Vec<Fact>, Refusal> {
        if offer.national != self.reference {
            return Err(Refusal::OtherBinding("national round"));
        }
        if !self.terms.counties.contains(&offer.county) {
            return Err(Refusal::NotInRoster);
        }
        if offer.marks.len() != self.system.cells.len() {
            return Err(Refusal::Malformed("number of marks"));
        }
        if !groups::may_have(&self.terms, offer.county, &offer.groups) {
            return Err(Refusal::Malformed("groups of kommuner"));
        }
        // Only a kommun that is the whole county may keep its bortfall (ADR 21): then the realm's stays closed.
        let is_alone = kommuner.1 == 1;
        let is_count = |(cell, mark): (usize, &CountyMark)| {
            is_alone || self.system.cells[cell].is_count || !mark.is_withheld()
        };
        if !offer.marks.iter().enumerate().all(is_count) {
            return Err(Refusal::Malformed("bortfall withheld"));
        }
        if let Some(known) = self.offers.get(&offer.county) {
            return if known.offer == offer { Ok(Vec::new()) } else { Err(Refusal::Second) };
        }
        if self.phase() != Phase::Offer {
            return Err(Refusal::Phase("not taking offers"));
        }
        Ok(vec![Fact::Offered { at: now, offer: Box::new(offer), kommuner }])
    }

    /// Chooses the pattern over the counties that offered.
    ///
    /// # Errors
    /// [`Refusal::Phase`].
    pub fn choose(&self, now: i64) -> Result<Vec<Fact>, Refusal> {
        if self.duties(now) != Some(Duty::Choose) {
            return Err(Refusal::Phase("not choosing a pattern"));
        }
        if self.offers.len() < self.terms.least_counties {
            return Ok(vec![self.too_few(self.offers.len())]);
        }
        let marks: Vec<_> = self.offers.values().map(|offered| offered.offer.marks.clone()).collect();
        let names: Vec<String> = self.offers.keys().map(ToString::to_string).collect();
        let chosen = counties::choose(&self.system, &marks, &names, &self.key);
        let mut pattern = NationalPattern {
            national: self.reference.clone(),
            counties: self.offers.values().map(|o| (o.offer.county, o.offer.hash())).collect(),
            withheld: chosen.withheld,
            open: chosen.open,
            groups: self.offers.values().map(|o| o.offer.groups.clone()).collect(),
            open_groups: BTreeSet::new(),
            third_key_id: self.terms.third_key,
            deliver_until: now + i64::from(self.terms.hours) * 3600,
        };
        let all = (0..pattern.counties.len()).collect();
        pattern.open_groups =
            groups::opened((&self.system, &self.terms), &pattern, &marks, &all, &pattern.open);
        Ok(vec![Fact::Chosen(Box::new(pattern))])
    }

    fn too_few(&self, counties: usize) -> Fact {
        Fact::Failed(format!("{counties} counties; at least {} are needed", self.terms.least_counties))
    }

    /// What counties say of their totals, in the pattern's order.
    fn marks(&self, pattern: &NationalPattern) -> Vec<Vec<CountyMark>> {
        let marks = |county: &LansKod| self.offers.get(county).map(|offered| offered.offer.marks.clone());
        pattern.counties.iter().map(|(county, _)| marks(county).unwrap_or_default()).collect()
    }

    /// A county's delivery, both signatures verified. Its figures agree with its marks and with each other, or they are
    /// refused: one county's mistake must not end the round of all.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn deliver(&self, rows: Rows, share: Signed) -> Result<Vec<Fact>, Refusal> {
        let pattern = self.pattern.as_ref().ok_or(Refusal::Phase("without a pattern"))?;
        if rows.pattern != pattern.hash() {
            return Err(Refusal::OtherBinding("pattern"));
        }
        let place = pattern.place(rows.county).ok_or(Refusal::NotInRoster)?;
        if rows.values.len() != pattern.shown(&self.system, place).count() {
            return Err(Refusal::Malformed("number of figures"));
        }
        if rows.values.iter().any(|value| *value > MAX_VALUE) {
            return Err(Refusal::Malformed("a figure over 2^28"));
        }
        self.check_figures(pattern, place, &rows)?;
        if let Some(known) = self.delivered.get(&rows.county) {
            return if known.0 == rows { Ok(Vec::new()) } else { Err(Refusal::Second) };
        }
        if self.phase() != Phase::Deliver || !self.unusable.is_empty() {
            return Err(Refusal::Phase("not taking deliveries"));
        }
        Ok(vec![Fact::Delivered { rows, share }])
    }

    fn check_figures(&self, pattern: &NationalPattern, place: usize, rows: &Rows) -> Result<(), Refusal> {
        let shown = pattern.shown(&self.system, place).zip(rows.values.iter().copied());
        let figures: BTreeMap<CellIndex, u64> = shown.collect();
        let marks = self.offers.get(&rows.county).map(|offered| &offered.offer.marks);
        let least = u64::from(self.collection.min_count.get());
        let as_marked = |(cell, value): (&CellIndex, &u64)| match marks.and_then(|marks| marks.get(*cell)) {
            Some(CountyMark::Zero) => *value == 0,
            Some(CountyMark::Ample) => *value >= AMPLE * least,
            _ => *value >= least || !self.system.cells[*cell].is_count,
        };
        if !figures.iter().all(as_marked) {
            return Err(Refusal::Malformed("a figure that is not what the county offered"));
        }
        if !hiding::agree(&self.system, &figures) || !counties::fit(&self.system, &figures) {
            return Err(Refusal::Malformed("figures that do not add up"));
        }
        Ok(())
    }

    /// Fixes who is counted: those that delivered, without those whose share the third coordinator could not use. It may
    /// be said again until the sums were opened; nothing was opened for the roster before.
    ///
    /// # Errors
    /// [`Refusal::Phase`].
    pub fn close(&self, now: i64) -> Result<Vec<Fact>, Refusal> {
        let pattern = self.pattern.as_ref().filter(|_| self.duties(now) == Some(Duty::Close));
        let pattern = pattern.ok_or(Refusal::Phase("not closing"))?;
        let usable = |county: &LansKod| !self.unusable.contains(county);
        let roster: Vec<LansKod> = self.delivered.keys().copied().filter(usable).collect();
        if roster.len() < self.terms.least_counties {
            return Ok(vec![self.too_few(roster.len())]);
        }
        let places = roster.iter().filter_map(|county| pattern.place(*county)).collect();
        let marks = self.marks(pattern);
        let (open, _) = counties::opened(&self.system, &pattern.withheld, &marks, &places);
        let open = open.intersection(&pattern.open).copied().collect();
        let open_groups = groups::opened((&self.system, &self.terms), pattern, &marks, &places, &open);
        let open_groups = open_groups.intersection(&pattern.open_groups).cloned().collect();
        let close = NationalClose { pattern: pattern.hash(), roster, open, open_groups };
        Ok(vec![Fact::Closed { at: now, close }])
    }

    /// The third coordinator cannot use the shares of these counties and opened nothing: the rest is closed again.
    ///
    /// # Errors
    /// [`Refusal`]: not opening, or a county that is not counted.
    pub fn unusable(&self, counties: &BTreeSet<LansKod>) -> Result<Vec<Fact>, Refusal> {
        let close = self.close.as_ref().filter(|_| self.phase() == Phase::Open);
        let close = close.ok_or(Refusal::Phase("not opening"))?;
        if counties.is_empty() || !counties.iter().all(|county| close.roster.contains(county)) {
            return Err(Refusal::NotInRoster);
        }
        Ok(vec![Fact::Unusable(counties.clone())])
    }

    /// Ends a round whose sums could not be opened in time.
    ///
    /// # Errors
    /// [`Refusal::Phase`].
    pub fn give_up(&self, now: i64) -> Result<Vec<Fact>, Refusal> {
        if self.duties(now) != Some(Duty::GiveUp) {
            return Err(Refusal::Phase("not overdue"));
        }
        Ok(vec![Fact::Failed("the third coordinator did not open the sums in time".into())])
    }

    /// The sums were opened.
    ///
    /// # Errors
    /// [`Refusal::Phase`].
    pub fn opened(&self, sums: Sums, now: i64) -> Result<Vec<Fact>, Refusal> {
        if self.phase() != Phase::Open {
            return Err(Refusal::Phase("not opening"));
        }
        // without groups as it always was: older releases' stores hold such facts
        Ok(vec![if sums.groups.is_empty() {
            Fact::Opened { at: now, sums: sums.realm }
        } else {
            Fact::OpenedOfGroups { at: now, sums }
        }])
    }

    /// The pattern.
    pub fn pattern(&self) -> Option<&NationalPattern> {
        self.pattern.as_ref()
    }

    /// Who is counted.
    pub fn closed(&self) -> Option<&NationalClose> {
        self.close.as_ref()
    }

    /// Counties that offered.
    pub fn offers(&self) -> &BTreeMap<LansKod, Offered> {
        &self.offers
    }

    /// Counties that delivered, with their sealed shares.
    pub fn deliveries(&self) -> impl Iterator<Item = (LansKod, &Rows, &Signed)> {
        self.delivered.iter().map(|(county, both)| (*county, &both.0, &both.1))
    }

    /// Counties invited that are not counted.
    pub fn missing(&self) -> Vec<LansKod> {
        let counted: BTreeSet<LansKod> = self.close.iter().flat_map(|close| close.roster.clone()).collect();
        self.terms.counties.difference(&counted).copied().collect()
    }

    /// When the sums were opened, and they.
    pub fn sums(&self) -> Option<(i64, &Sums)> {
        self.opened.as_ref().map(|(at, sums)| (*at, sums))
    }

    /// Why there is no publication.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// National totals that are known: every county shows its total, the sum was opened, or it is a sum of such.
    pub fn totals(&self) -> BTreeMap<CellIndex, u64> {
        let (Some(pattern), Some(close), Some((_, sums))) = (&self.pattern, &self.close, &self.opened) else {
            return BTreeMap::new();
        };
        let rows: Vec<BTreeMap<CellIndex, u64>> =
            close.roster.iter().filter_map(|county| self.figures(pattern, *county)).collect();
        let mut totals = BTreeMap::new();
        for cell in 0..self.system.cells.len() {
            let added = || rows.iter().map(|rows| rows.get(&cell).copied()).sum::<Option<u64>>();
            if let Some(value) = sums.realm.get(&cell).copied().or_else(added) {
                totals.insert(cell, value);
            }
        }
        for cell in 0..self.system.cells.len() {
            if let (None, Build::Sum(parts)) = (totals.get(&cell), &self.system.cells[cell].build) {
                let sum = parts.iter().map(|part| totals.get(part).copied()).sum::<Option<u64>>();
                if let Some(sum) = sum.filter(|_| !parts.is_empty()) {
                    totals.insert(cell, sum);
                }
            }
        }
        totals
    }

    /// The totals that a county shows.
    pub fn figures(&self, pattern: &NationalPattern, county: LansKod) -> Option<BTreeMap<CellIndex, u64>> {
        let rows = &self.delivered.get(&county)?.0;
        let place = pattern.place(county)?;
        Some(pattern.shown(&self.system, place).zip(rows.values.iter().copied()).collect())
    }
}
