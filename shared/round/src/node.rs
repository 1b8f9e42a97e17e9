//! The node's side: approve, declare, look at the pattern, answer, submit once.
//!
//! A node sends nothing it has not first stored, and never two different reports in one round: the report that is
//! stored is the only one ever sent (`30-protocol`, Crash). It trusts neither the region's roster nor its pattern;
//! everything a node can check is checked in [`Node::handle`], and a pattern that fails is refused for good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use suppress::correction::{Joint, own};
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::figures::Witness;
use tables::system::{Build, CellIndex, System};
use tables::unit::Unit;

use crate::alone;
use crate::document::{CollectionRef, Declaration, PatternDocument, Stage, Tier};
use crate::ledger::{LEAST_HIDDEN, Ledger, Line};
use crate::merkle::{self, Proof};
use crate::refusal::{PatternFault, Refusal};

/// What a node knows for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The operator, or the operator's standing policy, approved the collection.
    Approved,
    /// These statuses are, or are about to be, declared.
    Declared(Declaration),
    /// The region has the declaration.
    DeclarationTaken,
    /// A pattern was examined and found right.
    Accepted(Box<PatternDocument>),
    /// The lines that are too thin under a preliminary pattern, as they are sent.
    Answered {
        /// The round.
        round: u32,
        /// Lists of unit atoms.
        lines: Vec<Vec<u32>>,
    },
    /// The region has the answer.
    AnswerTaken {
        /// The round.
        round: u32,
    },
    /// A report was made and stored under this content hash.
    Reported {
        /// The round.
        round: u32,
        /// Content hash of the stored report.
        content: [u8; 32],
    },
    /// The region has the report.
    ReportTaken {
        /// The round.
        round: u32,
    },
    /// A pattern was refused; the node takes no further part in the round.
    Refused {
        /// The round.
        round: u32,
        /// For the node's own log.
        fault: PatternFault,
    },
}

/// What reaches a node.
#[derive(Debug, Clone)]
pub enum Event {
    /// The operator approves the collection with this hash.
    Approve([u8; 32]),
    /// The records were counted.
    Counted(Vec<FineStatus>),
    /// The region acknowledged the declaration.
    DeclarationTaken,
    /// A pattern arrived, its signature verified; with the node's own witnesses.
    Pattern(Box<Shown>),
    /// The region acknowledged the answer.
    AnswerTaken(u32),
    /// A report was made for the accepted final pattern.
    Reported {
        /// The round.
        round: u32,
        /// Its content hash.
        content: [u8; 32],
    },
    /// The region acknowledged the report.
    ReportTaken(u32),
}

/// A pattern as a node is shown it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The signed document.
    pub document: PatternDocument,
    /// The node's own witnesses in canonical bytes.
    pub witnesses: Vec<u8>,
    /// Their place in the tree.
    pub proof: Proof,
    /// Fingerprint of the node's certificate.
    pub certificate: [u8; 32],
    /// Lines that are too thin, computed from the node's own counts.
    pub thin: Vec<Vec<u32>>,
    /// For a second version: the pattern that the first was published under, as the region shows it.
    pub first: Option<Box<PatternDocument>>,
    /// For a second version: what the node submitted under that pattern, or `None` if nothing.
    pub earlier: Option<Box<Submitted>>,
}

/// What a node submitted to the version that is corrected, from its own store.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The final pattern under which it made its report.
    pub document: PatternDocument,
    /// What it declared.
    pub statuses: Vec<FineStatus>,
    /// The cells whose figure is another now, numbered as now.
    pub changed: BTreeSet<CellIndex>,
    /// Of an extension how the cells of that version are numbered now.
    pub extension: Option<Arc<Extension>>,
}

/// What a node should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Wait for the operator.
    AwaitApproval,
    /// Count the records.
    Count,
    /// Send the declaration.
    Declare,
    /// Ask for the pattern.
    AskPattern,
    /// Send the answer to the preliminary pattern.
    Answer,
    /// Make and store the report.
    MakeReport,
    /// Send the stored report.
    SendReport,
}

impl Duty {
    /// What to do when the region refuses for good what this duty sends. It may have taken it long ago and gone on,
    /// its acknowledgement lost: then a newer pattern waits, and the same message would be refused for ever.
    pub fn when_refused(self) -> Option<Self> {
        matches!(self, Self::Declare | Self::Answer | Self::SendReport).then_some(Self::AskPattern)
    }
}

/// The node's machine for one collection.
#[derive(Debug, Clone)]
pub struct Node {
    collection: Arc<Collection>,
    system: Arc<System>,
    unit: Unit,
    approved: bool,
    declaration: Option<(Declaration, bool)>,
    accepted: BTreeMap<(u32, bool), PatternDocument>,
    answers: BTreeMap<u32, (Vec<Vec<u32>>, bool)>,
    reports: BTreeMap<u32, ([u8; 32], bool)>,
    refused: BTreeMap<u32, PatternFault>,
}

impl Node {
    /// A node that has heard of a collection and nothing more.
    pub fn new(collection: Arc<Collection>, system: Arc<System>, unit: Unit) -> Self {
        Self {
            collection,
            system,
            unit,
            approved: false,
            declaration: None,
            accepted: BTreeMap::new(),
            answers: BTreeMap::new(),
            reports: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// A node as it was when these facts were stored.
    pub fn restore(
        collection: Arc<Collection>,
        system: Arc<System>,
        unit: Unit,
        facts: impl IntoIterator<Item = Fact>,
    ) -> Self {
        let mut node = Self::new(collection, system, unit);
        facts.into_iter().for_each(|fact| node.apply(fact));
        node
    }

    /// Takes a stored fact into the state.
    pub fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Approved => self.approved = true,
            Fact::Declared(declaration) => self.declaration = Some((declaration, false)),
            Fact::DeclarationTaken => {
                if let Some((_, taken)) = &mut self.declaration {
                    *taken = true;
                }
            }
            Fact::Accepted(document) => {
                let key = (document.round, document.stage == Stage::Final);
                self.accepted.insert(key, *document);
            }
            Fact::Answered { round, lines } => {
                self.answers.insert(round, (lines, false));
            }
            Fact::AnswerTaken { round } => {
                if let Some((_, taken)) = self.answers.get_mut(&round) {
                    *taken = true;
                }
            }
            Fact::Reported { round, content } => {
                self.reports.insert(round, (content, false));
            }
            Fact::ReportTaken { round } => {
                if let Some((_, taken)) = self.reports.get_mut(&round) {
                    *taken = true;
                }
            }
            Fact::Refused { round, fault } => {
                self.refused.insert(round, fault);
            }
        }
    }

    /// What an event adds to what the node knows.
    ///
    /// # Errors
    /// [`Refusal`]. A refused pattern is itself a fact to store: it is returned as [`Fact::Refused`], not as an error.
    pub fn handle(&self, event: Event, ledger: &Ledger) -> Result<Vec<Fact>, Refusal> {
        match event {
            Event::Approve(hash) if hash == self.collection.hash => Ok(vec![Fact::Approved]),
            Event::Approve(_) => Err(Refusal::OtherBinding("collection hash")),
            Event::Counted(statuses) => self.declare(statuses),
            Event::DeclarationTaken => Ok(vec![Fact::DeclarationTaken]),
            Event::Pattern(shown) => self.look(*shown, ledger),
            Event::AnswerTaken(round) => Ok(vec![Fact::AnswerTaken { round }]),
            Event::Reported { round, content } => self.report(round, content),
            Event::ReportTaken(round) => Ok(vec![Fact::ReportTaken { round }]),
        }
    }

    /// What to do next.
    pub fn duty(&self) -> Duty {
        if !self.approved {
            return Duty::AwaitApproval;
        }
        match &self.declaration {
            None => return Duty::Count,
            Some((_, false)) => return Duty::Declare,
            Some((_, true)) => {}
        }
        let Some(((round, is_final), _)) = self.accepted.last_key_value() else {
            return Duty::AskPattern;
        };
        // A refusal is *not submitted*: it ends its round, and a region that is further on takes no older report.
        if self.refused.keys().any(|refused| refused >= round) {
            return Duty::AskPattern;
        }
        match (is_final, self.answers.get(round), self.reports.get(round)) {
            (false, Some((_, false)), _) => Duty::Answer,
            (true, _, None) => Duty::MakeReport,
            (true, _, Some((_, false))) => Duty::SendReport,
            _ => Duty::AskPattern,
        }
    }

    /// The declaration, once made.
    pub fn declaration(&self) -> Option<&Declaration> {
        self.declaration.as_ref().map(|(declaration, _)| declaration)
    }

    /// The newest accepted pattern.
    pub fn pattern(&self) -> Option<&PatternDocument> {
        self.accepted.last_key_value().map(|(_, document)| document)
    }

    /// The answer to the newest preliminary pattern.
    pub fn answer(&self) -> Option<(u32, &[Vec<u32>])> {
        self.answers.last_key_value().map(|(round, (lines, _))| (*round, lines.as_slice()))
    }

    /// The final pattern of this hash, if a report was made under it.
    pub fn submitted(&self, pattern: &[u8; 32]) -> Option<&PatternDocument> {
        let under = |round: &u32| self.accepted.get(&(*round, true));
        self.reports.keys().filter_map(under).find(|document| document.hash() == *pattern)
    }

    /// The unit.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Whether the newest round's report is with the region.
    pub fn is_submitted(&self) -> bool {
        self.reports.last_key_value().is_some_and(|(_, (_, taken))| *taken)
    }

    /// Why the newest refused round was refused.
    pub fn fault(&self) -> Option<PatternFault> {
        self.refused.last_key_value().map(|(_, fault)| *fault)
    }

    /// The ledger lines of an accepted pattern, with the node's own tags where it has them.
    pub fn lines(
        &self,
        document: &PatternDocument,
        own: Option<&BTreeMap<usize, [u8; 16]>>,
    ) -> Vec<([u8; 32], Line)> {
        let line = |cell: &usize| {
            let tag = |entry: &crate::document::RosterEntry| {
                let own = own.filter(|_| entry.unit == self.unit).and_then(|own| own.get(cell)).copied();
                (entry.unit.clone(), own)
            };
            let line = Line {
                case: document.collection.hash,
                tags: document.roster.iter().map(tag).collect(),
                readable: readable_units(&self.system, document, *cell),
            };
            (self.system.cells[*cell].definition, line)
        };
        document.open.iter().map(line).collect()
    }

    /// For a second version: the ledger lines of the published first, if this node does not stand in it. Its own ledger may hold others
    /// of that case, of a round that it reported to and that was given up without it; nothing was opened under those.
    ///
    /// `None` when the document is not the one that the collection names, or when the node's own lines are those that count.
    pub fn lines_of_first(&self, first: &PatternDocument) -> Option<Vec<([u8; 32], Line)>> {
        // Of an extension nobody takes part who does not stand in the first version.
        let corrects = self.collection.corrects.filter(|corrects| !corrects.extends)?;
        let named = (first.hash(), first.collection.hash) == (corrects.pattern, corrects.collection);
        (named && first.place(&self.unit).is_none()).then(|| self.lines(first, None))
    }

    fn declare(&self, statuses: Vec<FineStatus>) -> Result<Vec<Fact>, Refusal> {
        if !self.approved {
            return Err(Refusal::Phase("not approved"));
        }
        if self.declaration.is_some() {
            return Err(Refusal::Second);
        }
        let collection = CollectionRef::of(&self.collection);
        Ok(vec![Fact::Declared(Declaration { collection, tier: Tier::Region, statuses })])
    }

    fn report(&self, round: u32, content: [u8; 32]) -> Result<Vec<Fact>, Refusal> {
        if let Some(fault) = self.refused.get(&round) {
            return Err(Refusal::Pattern(*fault));
        }
        match (self.accepted.get(&(round, true)), self.reports.get(&round)) {
            (None, _) => Err(Refusal::Phase("without an accepted pattern")),
            (Some(_), None) => Ok(vec![Fact::Reported { round, content }]),
            // Not stored again: that would forget that the region has it (KEEP-1).
            (Some(_), Some((stored, _))) if *stored == content => Ok(Vec::new()),
            (Some(_), Some(_)) => Err(Refusal::Second),
        }
    }

    fn look(&self, shown: Shown, ledger: &Ledger) -> Result<Vec<Fact>, Refusal> {
        let document = &shown.document;
        if document.collection != CollectionRef::of(&self.collection) || document.tier != Tier::Region {
            return Err(Refusal::OtherBinding("collection"));
        }
        let round = document.round;
        if let Some(fault) = self.refused.get(&round) {
            return Err(Refusal::Pattern(*fault));
        }
        if self.refused.keys().any(|refused| *refused > round) {
            return Err(Refusal::Phase("further on"));
        }
        let key = (round, document.stage == Stage::Final);
        match self.accepted.get(&key) {
            Some(known) if known == document => return Ok(Vec::new()),
            Some(_) => {
                return Ok(vec![Fact::Refused { round, fault: PatternFault::Another }]);
            }
            None if self.accepted.keys().any(|known| *known > key) => {
                return Err(Refusal::Phase("further on"));
            }
            None => {}
        }
        if key.1 && !self.accepted.contains_key(&(round, false)) {
            return Err(Refusal::Phase("not asked for requests yet"));
        }
        if let Err(fault) = self.examine(&shown, ledger) {
            return Ok(vec![Fact::Refused { round, fault }]);
        }
        let mut facts = vec![Fact::Accepted(Box::new(shown.document.clone()))];
        if shown.document.stage == Stage::Preliminary {
            facts.push(Fact::Answered { round, lines: shown.thin });
        }
        Ok(facts)
    }

    /// The node's verification list (`30-protocol`, *A node verifies before it submits*).
    fn examine(&self, shown: &Shown, ledger: &Ledger) -> Result<(), PatternFault> {
        let document = &shown.document;
        let place = self.examine_roster(document, &shown.certificate)?;
        if self.system.alone {
            let statuses = &self.declaration.as_ref().ok_or(PatternFault::Shape)?.0.statuses;
            return alone::check(&self.system, document, statuses);
        }
        self.examine_sums(document)?;
        let leaves = document.roster.len();
        if !merkle::holds(&document.witness_root, leaves, place, &shown.witnesses, &shown.proof) {
            return Err(PatternFault::Proof);
        }
        let statuses = &self.declaration.as_ref().ok_or(PatternFault::Shape)?.0.statuses;
        match self.collection.corrects {
            None => self.examine_witnesses(shown, place, statuses)?,
            Some(corrects) if corrects.extends => {
                self.examine_extension(shown, statuses)?;
                self.examine_witnesses(shown, place, statuses)?;
            }
            Some(_) => self.examine_second(shown, place, statuses)?,
        }
        let lines = self.lines(document, None);
        let corrects = self.collection.corrects.map(|corrects| corrects.collection);
        match lines.iter().all(|(definition, line)| ledger.allows(definition, line, corrects)) {
            true => Ok(()),
            false => Err(PatternFault::Ledger),
        }
    }

    fn examine_witnesses(
        &self,
        shown: &Shown,
        place: usize,
        statuses: &[FineStatus],
    ) -> Result<(), PatternFault> {
        let document = &shown.document;
        let witnesses: Vec<Witness> =
            postcard::from_bytes(&shown.witnesses).map_err(|_| PatternFault::Proof)?;
        // A step moves one record; the least integer has no absolute value to compare with.
        if witnesses.iter().flat_map(|witness| &witness.steps).any(|step| !matches!(step.2, -1 | 1)) {
            return Err(PatternFault::Witness);
        }
        let pattern = document.pattern(witnesses.clone());
        suppress::check::check_own(&self.system, &document.units(), &pattern, place, statuses, &witnesses)
            .map_err(fault_of)
    }

    /// A second version: judged together with what this node submitted to the first (SAFE-1, SAFE-3).
    fn examine_second(
        &self,
        shown: &Shown,
        place: usize,
        statuses: &[FineStatus],
    ) -> Result<(), PatternFault> {
        let document = &shown.document;
        let joints: Vec<Joint> = postcard::from_bytes(&shown.witnesses).map_err(|_| PatternFault::Proof)?;
        let submitted = self.submitted_to_first(shown)?;
        let earlier = submitted
            .map(|submitted| (submitted, submitted.document.units(), submitted.document.pattern(Vec::new())));
        let earlier = match &earlier {
            None => None,
            Some((submitted, units, pattern)) => {
                let place = submitted.document.place(&self.unit).ok_or(PatternFault::Shape)?;
                Some(own::Earlier { units, pattern, place, statuses: &submitted.statuses })
            }
        };
        let (none, units) = (BTreeSet::new(), document.units());
        let asked = own::Asked {
            units: &units,
            pattern: &document.pattern(Vec::new()),
            place,
            statuses,
            changed: submitted.map_or(&none, |submitted| &submitted.changed),
            joints: &joints,
        };
        own::check_own(&self.system, earlier, asked).map_err(fault_of)
    }

    /// What this node submitted to the version that the collection names, under the pattern it names; `None` when it was not in it.
    fn submitted_to_first<'s>(&self, shown: &'s Shown) -> Result<Option<&'s Submitted>, PatternFault> {
        // What was published is named in what this kommun approved; nobody else's word is taken for it, nor this node's memory
        // for having been there.
        let (first, corrects) = (shown.first.as_deref(), self.collection.corrects);
        let named = first.zip(corrects).filter(|(first, corrects)| {
            (first.hash(), first.collection.hash) == (corrects.pattern, corrects.collection)
        });
        let (first, _) = named.ok_or(PatternFault::Shape)?;
        match (first.place(&self.unit), shown.earlier.as_deref()) {
            (None, _) => Ok(None),
            (Some(_), Some(submitted)) if submitted.document == *first => Ok(Some(submitted)),
            (Some(_), _) => Err(PatternFault::Ledger),
        }
    }

    /// An extension: the first version as it was, of the same kommuner, and this one's figures in it the same (SAFE-1, SAFE-3). The
    /// evidence is looked at as that of a first version: there is one set of records.
    fn examine_extension(&self, shown: &Shown, statuses: &[FineStatus]) -> Result<(), PatternFault> {
        let submitted = self.submitted_to_first(shown)?.ok_or(PatternFault::RosterUnits)?;
        let extension = submitted.extension.as_deref().ok_or(PatternFault::Shape)?;
        let declared = extension.statuses(&submitted.statuses);
        if !submitted.changed.is_empty() || declared.as_deref() != Some(statuses) {
            return Err(PatternFault::Ledger);
        }
        let (first, document) = (&submitted.document, &shown.document);
        match repeats(extension, first, document) {
            true => Ok(()),
            false => Err(PatternFault::Ledger),
        }
    }

    fn examine_roster(&self, document: &PatternDocument, own: &[u8; 32]) -> Result<usize, PatternFault> {
        let units = document.units();
        let invited = units.iter().all(|unit| self.collection.units.binary_search(unit).is_ok());
        let ascending = units.windows(2).all(|pair| pair[0] < pair[1]);
        let place = document.place(&self.unit).ok_or(PatternFault::RosterUnits)?;
        if !invited || !ascending || document.roster[place].certificate != *own {
            return Err(PatternFault::RosterUnits);
        }
        if document.kommuner().len() < self.collection.minimum_roster() {
            return Err(PatternFault::RosterTooSmall);
        }
        Ok(place)
    }

    fn examine_sums(&self, document: &PatternDocument) -> Result<(), PatternFault> {
        let per_unit: BTreeSet<_> = self.system.per_unit().collect();
        let shaped = document.withheld.len() == document.roster.len()
            && document.withheld.iter().all(|withheld| withheld.is_subset(&per_unit));
        if !shaped {
            return Err(PatternFault::Shape);
        }
        if opens_enough(&self.system, document) { Ok(()) } else { Err(PatternFault::Opens) }
    }
}

/// Whether the document of an extension shows of the first version's cells what that showed, of the same units.
pub(crate) fn repeats(extension: &Extension, first: &PatternDocument, document: &PatternDocument) -> bool {
    let earlier = extension.pattern(&first.pattern(Vec::new()));
    let (then, now) = (first.units(), document.units());
    suppress::extension::repeats(extension, (&then, &earlier), (&now, &document.pattern(Vec::new())))
}

/// Whether every listed sum may be opened, and no combination of them speaks of one or two kommuner only (SAFE-3).
pub fn opens_enough(system: &System, document: &PatternDocument) -> bool {
    let (units, withheld) = (document.units(), &document.withheld);
    document.open.iter().all(|cell| opens_one(system, document, *cell))
        && suppress::opened::thin_combination(system, &units, withheld, &[], &document.open).is_none()
}

/// Whether a listed sum is one of the collection's shared cells and hides at least three kommuner (SAFE-3): of kommun
/// scope by withheld cells, of total scope by covering the roster.
fn opens_one(system: &System, document: &PatternDocument, cell: usize) -> bool {
    let Some(known) = system.cells.get(cell) else {
        return false;
    };
    if document.closed.contains(&cell) {
        return false;
    }
    match &known.build {
        Build::Sum(_) => false,
        Build::Entry { .. } => document.kommuner().len() >= LEAST_HIDDEN,
        Build::UnitAtoms(_) => {
            let hidden =
                suppress::totals::hidden_kommuner(system, &document.units(), &document.withheld, cell);
            hidden.len() >= LEAST_HIDDEN
        }
    }
}

/// The units of which the cell is published anyway.
pub(crate) fn readable_units(system: &System, document: &PatternDocument, cell: usize) -> BTreeSet<Unit> {
    if !system.cells[cell].per_unit {
        return BTreeSet::new();
    }
    let shown = |(entry, withheld): (&crate::document::RosterEntry, &BTreeSet<usize>)| {
        (!withheld.contains(&cell)).then(|| entry.unit.clone())
    };
    document.roster.iter().zip(&document.withheld).filter_map(shown).collect()
}

fn fault_of(refusal: suppress::check::Refusal) -> PatternFault {
    use suppress::check::Refusal;
    match refusal {
        Refusal::Shape => PatternFault::Shape,
        Refusal::SmallShown(_) => PatternFault::SmallShown,
        Refusal::ZeroWithheld(_) => PatternFault::ZeroWithheld,
        Refusal::FewHidden(_) => PatternFault::Opens,
        Refusal::Reopened(_) => PatternFault::Ledger,
        Refusal::NotProtected(_) | Refusal::BadWitness(_) | Refusal::ChangesShown(_) => PatternFault::Witness,
    }
}
