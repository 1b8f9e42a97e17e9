//! A county in one process: seven kommuner (one of them in three stadsdelar), a region and a helper, with real keys,
//! real proofs and made counts. No clock, no network, no disk: every test moves the parties itself.
//!
//! Not a simulation: nothing is delayed or lost here but what a test delays or loses.
#![allow(dead_code, clippy::unwrap_used, reason = "every test file uses its own part; a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::date;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use round::chain::{Certified, Chain};
use round::document::{
    CollectionRef, Declaration, PatternDocument, RosterEntry, Stage, Tier, witness_leaves, witness_root,
};
use round::helper::{self, HandedPattern, HandedReport, Helper};
use round::ledger::Ledger;
use round::merkle;
use round::node::{self, Node, Shown, Submitted};
use round::refusal::{PatternFault, Refusal};
use round::region::{self, Region};
use round::shares;
use sha2::{Digest, Sha256};
use sharing::helper_key::HelperKeyPair;
use sharing::output::OutputShare;
use sharing::params::VectorParameters;
use sharing::report::Report;
use sharing::shard::{Contents, shard};
use sharing::signing::{SigningContext, SigningKey};
use sharing::tag::{TagSecret, tag};
use sharing::verify::{RegionVerifier, VerifyKey};
use suppress::key::PatternKey;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::figures::Pattern;
use tables::system::{CellIndex, Counts, System};
use tables::unit::Unit;

/// Invited: seven kommuner, 2180 by stadsdel.
pub const UNITS: [&str; 9] =
    ["2101", "2104", "2121", "2132", "2161", "2180-01", "2180-02", "2180-03", "2181"];
/// A kommun with small cells.
pub const SMALL: &str = "2101";
/// A kommun whose year 2023 holds two records: a small margin.
pub const THIN: &str = "2104";
/// A kommun with a zero and nothing small.
pub const ZERO: &str = "2161";
/// A kommun with neither.
pub const PLAIN: &str = "2181";
/// The region's clock when it announces.
pub const START: i64 = 1_760_000_000;

const TYPES: [&str; 5] = ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan"];
const TABLES: &str = r#"
[[tabell]]
id = "T01"
titel = "Efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["*"] }

[[tabell]]
id = "T03"
titel = "Efter kommun och typ"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp"]
tider = ["2024"]

[[tabell]]
id = "T05"
titel = "Ansökningar och anmälningar efter kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon"]
filter = { aktualiseringstyp = ["ansokan", "anmalan"] }
tider = ["2024"]

[[tabell]]
id = "T09"
titel = "Ansökningar efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["ansokan"] }

[[tabell]]
id = "T12"
titel = "Anmälningar efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["anmalan"] }
"#;

const ALONE: &str = r#"
id = "ensam"
version = 1
titel = "Prov"
lan = "21"
min_count = 4
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["2101"]
deklarera_inom_timmar = 336
lamna_inom_timmar = 168
kontakt = "Prov"
kalla = "Prov"
[nationell]
lan = ["03", "07", "21"]
inom_timmar = 2
ensam_kommun = true
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[[tabell]]
id = "T05"
titel = "Efter typ och kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon"]
"#;

pub fn unit(code: &str) -> Unit {
    code.parse().unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// What an extension adds: sex and who told, which no table of the first version has.
const NEW_TABLES: &str = r#"
[[tabell]]
id = "N1"
titel = "Efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true

[[tabell]]
id = "N2"
titel = "Efter kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon"]
ny = true
"#;

fn collection_text(version: u32, names: Option<(&str, &PatternDocument)>, more: &str) -> String {
    let names = names.map(|(key, first)| {
        let (collection, pattern) = (hex::encode(first.collection.hash), hex::encode(first.hash()));
        format!("{key} = \"{collection}\"\n{key}_monster = \"{pattern}\"\n")
    });
    let names = names.unwrap_or_default();
    format!(
        "id = \"prov\"\nversion = {version}\n{names}titel = \"Prov\"\nlan = \"21\"\nmin_count = 4\nkodbok = \"vuxna/1\"\n\
         perioder = [\"2023\", \"2024\"]\ndeltagare = {UNITS:?}\nminst_kommuner = 5\nminst_procent = 60\n\
         deklarera_inom_timmar = 336\nlamna_inom_timmar = 168\nkontakt = \"Prov\"\nkalla = \"Prov\"\n\n[grupper]\n\
         A1 = [\"2101\", \"2104\", \"2121\"]\nB2 = [\"2132\", \"2161\", \"2180\", \"2181\"]\n{TABLES}{more}"
    )
}

/// Another count: kommun, year, type, by sex.
pub type Change = (&'static str, i16, &'static str, [usize; 2]);

/// Certificates by their bytes, as if they hung under one root.
#[derive(Clone, Default)]
pub struct Roots(pub BTreeMap<Vec<u8>, Certified>);

impl Chain for Roots {
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        self.0.get(certificate).cloned()
    }
}

pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

pub fn der(unit: &Unit) -> Vec<u8> {
    format!("certificate of {unit}").into_bytes()
}

/// What is the same for all parties, and each kommun's secrets and counts.
pub struct World {
    pub collection: Arc<Collection>,
    pub system: Arc<System>,
    pub parameters: VectorParameters,
    pub keys: BTreeMap<Unit, SigningKey>,
    pub roots: Roots,
    pub counts: BTreeMap<Unit, Counts>,
    pub helper_keys: HelperKeyPair,
}

impl World {
    pub fn new() -> Self {
        Self::version(1)
    }

    /// The same county and counts under another version of the document.
    pub fn version(version: u32) -> Self {
        Self::of(&collection_text(version, None, ""), &[])
    }

    /// A county with one kommun.
    pub fn alone() -> Self {
        Self::of(ALONE, &[])
    }

    /// The second version, in which these counts are others.
    pub fn correcting(first: &PatternDocument, changes: &[Change]) -> Self {
        Self::of(&collection_text(2, Some(("rattar", first)), ""), changes)
    }

    /// The extension, in which these counts are others.
    pub fn extending(first: &PatternDocument, changes: &[Change]) -> Self {
        Self::of(&collection_text(2, Some(("kompletterar", first)), NEW_TABLES), changes)
    }

    fn of(text: &str, changes: &[Change]) -> Self {
        let codebook = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(text, &codebook).unwrap();
        let system = System::new(&collection, &codebook).unwrap();
        let mut keys = BTreeMap::new();
        let mut roots = Roots::default();
        for (at, unit) in collection.units.iter().enumerate() {
            let key = SigningKey::from_pkcs8(&SigningKey::generate(&mut rng(at as u64))).unwrap();
            let der = der(unit);
            let fingerprint = fingerprint(&der);
            let unit_text = unit.to_string();
            roots.0.insert(
                der,
                Certified { role: "node", unit: unit_text, fingerprint, key: key.verifying_key() },
            );
            keys.insert(unit.clone(), key);
        }
        let counts = collection
            .units
            .iter()
            .enumerate()
            .map(|(at, u)| (u.clone(), counts(&system, &codebook, at, u, changes)))
            .collect();
        Self {
            parameters: shares::parameters(&system).unwrap(),
            collection: Arc::new(collection),
            system: Arc::new(system),
            keys,
            roots,
            counts,
            helper_keys: HelperKeyPair::derive(&[42; 32]).unwrap(),
        }
    }

    pub fn statuses(&self, unit: &Unit) -> Vec<FineStatus> {
        if self.system.alone {
            let (counts, own) = (&self.counts[unit], self.collection.min_count);
            return county_stage::alone::choice(&self.system, counts, own);
        }
        shares::statuses(&self.system, &self.counts[unit], self.collection.min_count)
    }

    pub fn declaration(&self, unit: &Unit) -> Declaration {
        let collection = CollectionRef::of(&self.collection);
        Declaration { collection, tier: Tier::Region, statuses: self.statuses(unit) }
    }

    /// The cell of a row: table, codes (`TOT` for a margin), year.
    pub fn cell(&self, table: &str, codes: &[&str], year: &str) -> CellIndex {
        let at = self.collection.tables.iter().position(|t| t.id == table).unwrap();
        let spec = &self.collection.tables[at];
        let period = spec.periods.iter().position(|period| period.to_string() == year).unwrap();
        let codes: Vec<Option<usize>> = spec
            .dimensions
            .iter()
            .zip(codes)
            .map(|(dimension, code)| dimension.categories.iter().position(|category| category.code == *code))
            .collect();
        let rows = &self.system.tables[at].rows;
        rows.iter().find(|row| row.codes == codes && row.period == period).unwrap().cell
    }

    pub fn roster(&self, units: &[&str]) -> Vec<RosterEntry> {
        let entry = |code: &&str| {
            let unit = unit(code);
            let certificate = fingerprint(&der(&unit));
            RosterEntry { unit, certificate }
        };
        units.iter().map(entry).collect()
    }

    /// A final pattern over these units that withholds and opens nothing: right for units without small cells.
    pub fn bare(&self, units: &[&str]) -> PatternDocument {
        let pattern = Pattern { withheld: vec![Default::default(); units.len()], ..Pattern::default() };
        PatternDocument {
            collection: CollectionRef::of(&self.collection),
            round: 1,
            tier: Tier::Region,
            stage: Stage::Final,
            roster: self.roster(units),
            withheld: pattern.withheld.clone(),
            open: Default::default(),
            closed: Default::default(),
            witness_root: witness_root(&pattern, units.len()),
            helper_key_id: self.helper_keys.public().id(),
            submit_until: START + 1_000_000,
        }
    }

    /// [`Self::bare`] with a total that hides exactly `hiding`: two columns of their year 2024 are withheld.
    pub fn hiding(&self, units: &[&str], hiding: &[&str]) -> (PatternDocument, CellIndex) {
        let (one, other) = (self.cell("T03", &["ansokan"], "2024"), self.cell("T03", &["anmalan"], "2024"));
        let mut document = self.bare(units);
        for (code, withheld) in units.iter().zip(&mut document.withheld) {
            if hiding.contains(code) {
                withheld.extend([one, other]);
            }
        }
        document.open.insert(one);
        (document, one)
    }

    /// Two opened sums that hide three and four kommuner, and whose sum speaks of one alone.
    pub fn adding_up_to_one(&self) -> PatternDocument {
        let (mut document, _) = self.hiding(&UNITS, &["2101", "2104", "2121"]);
        let cell = |code| self.cell("T03", &[code], "2024");
        document.withheld[3].extend([cell("anmalan"), cell("yttrande")]);
        document.open.insert(cell("anmalan"));
        document
    }

    /// A node that approved, counted and declared.
    pub fn declared_node(&self, code: &str) -> (Node, Vec<node::Fact>) {
        let unit = unit(code);
        let mut node = Node::new(self.collection.clone(), self.system.clone(), unit.clone());
        let mut all = Vec::new();
        let events = [
            node::Event::Approve(self.collection.hash),
            node::Event::Counted(self.statuses(&unit)),
            node::Event::DeclarationTaken,
        ];
        for event in events {
            for fact in node.handle(event, &Ledger::default()).unwrap() {
                node.apply(fact.clone());
                all.push(fact);
            }
        }
        (node, all)
    }

    pub fn region(&self) -> Region {
        Region::new(self.collection.clone(), self.system.clone(), PatternKey::new(&[8; 32]))
    }

    pub fn helper(&self, facts: &[helper::Fact]) -> Helper {
        let (collection, system) = (self.collection.clone(), self.system.clone());
        let mut helper = Helper::new(collection, system, self.parameters.clone(), self.helper_keys.clone());
        facts.iter().for_each(|fact| helper.apply(fact.clone()));
        helper
    }

    /// A pattern as an honest region hands it over.
    pub fn handed(&self, document: &PatternDocument) -> HandedPattern {
        let certificates = document.roster.iter().map(|entry| der(&entry.unit)).collect();
        HandedPattern { document: document.clone(), verify_key: [9; 32], certificates }
    }

    /// The report of a unit under a pattern; another seed, another report.
    pub fn report(&self, document: &PatternDocument, unit: &Unit, seed: u64) -> Report {
        let place = document.place(unit).unwrap();
        let counts = &self.counts[unit];
        let secret = secret(unit);
        let tag_of = |cell: &CellIndex| {
            tag(&secret, &self.system.cells[*cell].definition, self.system.value(counts, *cell)).0
        };
        let tags: Vec<[u8; 16]> = document.open.iter().map(tag_of).collect();
        let statuses = self.statuses(unit);
        let measurements =
            shares::measurements(&self.system, counts, &statuses, self.collection.min_count).unwrap();
        let readable = shares::readable(&self.system, counts, document, place).encode();
        let contents = Contents { measurements: &measurements, readable: &readable, tags: &tags.concat() };
        let nonce = [seed as u8; 16];
        let key = self.helper_keys.public();
        let binding = helper::binding(document, place);
        shard(&self.parameters, &binding, nonce, contents, key, &mut rng(seed)).unwrap()
    }

    /// A report as an honest region passes it on, and what the region keeps.
    pub fn handed_report(
        &self,
        document: &PatternDocument,
        unit: &Unit,
        seed: u64,
        key: [u8; 32],
    ) -> HandedReport {
        let report = self.report(document, unit, seed);
        self.pass_on(document, unit, &report, key)
    }

    pub fn pass_on(
        &self,
        document: &PatternDocument,
        unit: &Unit,
        report: &Report,
        key: [u8; 32],
    ) -> HandedReport {
        let (_, message) = self.verifier(document, unit, key).begin(report).unwrap();
        let signature = self.keys[unit].sign(SigningContext::Report, &report.content_hash().0).0;
        HandedReport {
            round: document.round,
            unit: unit.clone(),
            part: report.helper_part(),
            message,
            signature,
        }
    }

    pub fn verifier(&self, document: &PatternDocument, unit: &Unit, key: [u8; 32]) -> RegionVerifier {
        let binding = helper::binding(document, document.place(unit).unwrap());
        RegionVerifier::new(self.parameters.clone(), &binding, VerifyKey::from_bytes(key))
    }
}

/// A node's tag secret outlives collections.
fn secret(unit: &Unit) -> TagSecret {
    TagSecret::from_bytes(fingerprint(format!("tags of {unit}").as_bytes()))
}

/// Made counts: ten to twenty of everything, but for the small cells, the zero and the thin year named above.
fn counts(system: &System, codebook: &Codebook, at: usize, unit: &Unit, changes: &[Change]) -> Counts {
    let variable = |id: &str| codebook.variables.iter().position(|v| v.id == id).unwrap();
    let (by_type, by_sex) = (variable("aktualiseringstyp"), variable("kon"));
    let mut counts = system.empty_counts();
    for year in [2023, 2024] {
        for (t, code) in TYPES.iter().enumerate() {
            for sex in 0..2u16 {
                let made = 10 + (at * 7 + t * 5 + usize::from(year == 2024) * 3 + usize::from(sex) * 2) % 11;
                let change = changes.iter().find(|c| (c.0, c.1, c.2) == (&*unit.to_string(), year, code));
                let change = change.map(|change| change.3[usize::from(sex)]);
                let how_many = change.or(special(&unit.to_string(), year, code, sex)).unwrap_or(made);
                let mut codes = vec![None; codebook.variables.len()];
                codes[by_type] = codebook.variables[by_type].code_index(code);
                codes[by_sex] = Some(sex);
                (0..how_many).for_each(|_| system.count(&mut counts, date(year, 5, 4), &codes));
            }
        }
    }
    counts
}

/// Counts that are not made by the rule: `(kommun, year, type)` by sex.
fn special(unit: &str, year: i16, code: &str, sex: u16) -> Option<usize> {
    let pair: [usize; 2] = match (unit, year, code) {
        ("2101", 2024, "yttrande") => [1, 1],
        ("2101", 2023, "anmalan") => [2, 1],
        ("2104", 2023, "ansokan") => [1, 1],
        ("2104", 2023, _) => [0, 0],
        ("2121", 2024, "overflyttning") => [0, 1],
        ("2132", 2024, "forfragan") => [3, 0],
        ("2161", 2024, "yttrande") => [0, 0],
        ("2180-02", 2024, "overflyttning") => [2, 0],
        _ => return None,
    };
    Some(pair[usize::from(sex)])
}

/// What an honest region shows a unit.
pub fn shown(document: &PatternDocument, pattern: &Pattern, unit: &Unit) -> Shown {
    let leaves = witness_leaves(pattern, document.roster.len());
    let place = document.place(unit).unwrap_or(0);
    Shown {
        document: document.clone(),
        witnesses: leaves[place].clone(),
        proof: merkle::prove(&leaves, place).unwrap(),
        certificate: fingerprint(&der(unit)),
        thin: Vec::new(),
        earlier: None,
        first: None,
    }
}

/// What is shown of a pattern without witnesses.
pub fn shown_bare(document: &PatternDocument, unit: &Unit) -> Shown {
    let pattern = Pattern { withheld: document.withheld.clone(), ..Pattern::default() };
    shown(document, &pattern, unit)
}

/// Phase 3b of a document's round as if it had passed: a node takes no final pattern before it was asked for requests.
pub fn asked(node: &mut Node, document: &PatternDocument) {
    if document.stage == Stage::Preliminary {
        return;
    }
    let round = document.round;
    let mut before = document.clone();
    before.stage = Stage::Preliminary;
    let lines = Vec::new();
    node.apply(node::Fact::Accepted(Box::new(before)));
    node.apply(node::Fact::Answered { round, lines });
    node.apply(node::Fact::AnswerTaken { round });
}

/// Shows a node something; the fault it finds, with everything a refusal must mean.
pub fn fault(node: &mut Node, shown: Shown, ledger: &Ledger) -> PatternFault {
    let round = shown.document.round;
    asked(node, &shown.document);
    let facts = node.handle(node::Event::Pattern(Box::new(shown.clone())), ledger).unwrap();
    let [node::Fact::Refused { round: refused, fault }] = facts[..] else { panic!("not refused: {facts:?}") };
    assert_eq!(refused, round);
    facts.into_iter().for_each(|fact| node.apply(fact));
    assert_submits_nothing(node, round);
    let again = node.handle(node::Event::Pattern(Box::new(shown)), ledger);
    assert_eq!(again, Err(Refusal::Pattern(fault)), "a refusal is for good");
    fault
}

/// A node that refused a round neither makes nor sends a report in it (30-protocol: a refusal is *not submitted*).
pub fn assert_submits_nothing(node: &Node, round: u32) {
    let duty = node.duty();
    assert!(!matches!(duty, node::Duty::MakeReport | node::Duty::SendReport), "{duty:?} after a refusal");
    let report = node.handle(node::Event::Reported { round, content: [1; 32] }, &Ledger::default());
    assert!(report.is_err(), "a report is taken in a refused round");
}

/// One kommun's node with what it stores.
pub struct Member {
    pub node: Node,
    pub facts: Vec<node::Fact>,
    pub ledger: Ledger,
    pub reports: BTreeMap<u32, Report>,
}

/// All parties of one collection.
pub struct Federation {
    pub world: World,
    /// The round of the version that is corrected or extended.
    pub first: Option<Box<Federation>>,
    pub extension: Option<Arc<Extension>>,
    pub now: i64,
    pub region: Region,
    pub region_facts: Vec<region::Fact>,
    pub members: BTreeMap<Unit, Member>,
    pub helper: Helper,
    pub helper_facts: Vec<helper::Fact>,
    pub helper_ledger: Ledger,
    pub region_shares: BTreeMap<(u32, Unit), OutputShare>,
    pub helper_shares: BTreeMap<(u32, Unit), OutputShare>,
}

impl Federation {
    pub fn new(world: World) -> Self {
        let member = |unit: &Unit| Member {
            node: Node::new(world.collection.clone(), world.system.clone(), unit.clone()),
            facts: Vec::new(),
            ledger: Ledger::default(),
            reports: BTreeMap::new(),
        };
        let members = world.collection.units.iter().map(|unit| (unit.clone(), member(unit))).collect();
        Self {
            now: START,
            region: world.region(),
            region_facts: Vec::new(),
            members,
            helper: world.helper(&[]),
            helper_facts: Vec::new(),
            helper_ledger: Ledger::default(),
            region_shares: BTreeMap::new(),
            helper_shares: BTreeMap::new(),
            first: None,
            extension: None,
            world,
        }
    }

    /// The second version of a round that was published: the same parties, with their ledgers.
    pub fn second(first: Self, changes: &[Change]) -> Self {
        let mut this = Self::new(World::correcting(&first.document(), changes));
        let (one, two) = (&first.world, &this.world);
        two.collection.continues(&two.system, &one.collection, &one.system).unwrap();
        this.region = this.world.region().correcting(first.region.published().unwrap());
        this.after(first)
    }

    /// The extension of a round that was published: the same parties, with their ledgers.
    pub fn extended(first: Self, changes: &[Change]) -> Self {
        let mut this = Self::new(World::extending(&first.document(), changes));
        let (one, two) = (&first.world, &this.world);
        let part = System::new(&two.collection.first_part(), &Codebook::vuxna().unwrap()).unwrap();
        two.collection.continues(&part, &one.collection, &one.system).unwrap();
        let extension = Arc::new(Extension::new(&one.system, &two.system).unwrap());
        let published = first.region.published().unwrap();
        this.region = this.world.region().extending(&published, extension.clone()).ok().unwrap();
        this.extension = Some(extension);
        this.after(first)
    }

    fn after(mut self, first: Self) -> Self {
        let this = &mut self;
        for (unit, member) in &mut this.members {
            member.ledger = first.members[unit].ledger.clone();
        }
        this.helper_ledger = first.helper_ledger.clone();
        this.first = Some(Box::new(first));
        self
    }

    /// What a node has of the first version, against its counts now.
    pub fn earlier(&self, unit: &Unit) -> Option<Box<Submitted>> {
        let first = self.first.as_ref()?;
        let node = &first.members[unit].node;
        let (then, now) = (&first.world.counts[unit], &self.world.counts[unit]);
        let extension = self.extension.clone();
        let changed = match &extension {
            None => self.world.system.differing(then, now),
            Some(extension) => extension.differing((&first.world.system, then), (&self.world.system, now)),
        };
        let (document, statuses) =
            (node.submitted(&first.document().hash())?.clone(), node.declaration()?.statuses.clone());
        Some(Box::new(Submitted { document, statuses, changed, extension }))
    }

    /// From the helper's closing to a publication.
    pub fn publish(&mut self) {
        self.close().unwrap();
        let (sums, readable) = self.open();
        let round = self.document().round;
        self.at_region(region::Event::Opened { round, sums, readable }).unwrap();
        self.at_region(region::Event::Published([3; 32])).unwrap();
    }

    pub fn units(&self) -> Vec<Unit> {
        self.world.collection.units.clone()
    }

    pub fn document(&self) -> PatternDocument {
        self.region.document().unwrap().clone()
    }

    pub fn at_region(&mut self, event: region::Event) -> Result<(), Refusal> {
        for fact in self.region.handle(event, self.now)? {
            self.region.apply(fact.clone());
            self.region_facts.push(fact);
        }
        Ok(())
    }

    pub fn at_node(&mut self, unit: &Unit, event: node::Event) -> Result<(), Refusal> {
        let member = self.members.get_mut(unit).unwrap();
        for fact in member.node.handle(event, &member.ledger)? {
            member.node.apply(fact.clone());
            member.facts.push(fact);
        }
        Ok(())
    }

    fn at_helper(&mut self, facts: Vec<helper::Fact>) {
        for fact in facts {
            self.helper.apply(fact.clone());
            self.helper_facts.push(fact);
        }
    }

    pub fn declare_event(&self, unit: &Unit) -> region::Event {
        let der = der(unit);
        let declaration = self.world.declaration(unit);
        region::Event::Declare { unit: unit.clone(), certificate: fingerprint(&der), der, declaration }
    }

    pub fn declare(&mut self, unit: &Unit) {
        let hash = self.world.collection.hash;
        self.at_node(unit, node::Event::Approve(hash)).unwrap();
        self.at_node(unit, node::Event::Counted(self.world.statuses(unit))).unwrap();
        if let Some(earlier) = self.earlier(unit) {
            let event = region::Event::Change { unit: unit.clone(), changed: earlier.changed };
            self.at_region(event).unwrap();
        }
        self.at_region(self.declare_event(unit)).unwrap();
        self.at_node(unit, node::Event::DeclarationTaken).unwrap();
    }

    pub fn choose(&mut self) {
        let helper_key_id = self.world.helper_keys.public().id();
        self.at_region(region::Event::Choose { verify_key: [9; 32], helper_key_id }).unwrap();
    }

    /// What the region shows the unit now, with the node's own thin lines.
    pub fn shown(&self, unit: &Unit) -> Shown {
        let document = self.document();
        let values = self.world.system.unit_values(&self.world.counts[unit]);
        let own = &document.withheld[document.place(unit).unwrap()];
        let thin =
            suppress::request::lines(&self.world.system, self.world.collection.min_count, own, &values);
        let (leaves, place) = (self.region.leaves(), document.place(unit).unwrap());
        Shown {
            witnesses: leaves[place].clone(),
            proof: merkle::prove(&leaves, place).unwrap(),
            certificate: fingerprint(&der(unit)),
            thin,
            earlier: self.earlier(unit),
            first: self.first.as_ref().map(|first| Box::new(first.document())),

            document,
        }
    }

    pub fn show(&mut self, unit: &Unit) {
        let shown = self.shown(unit);
        self.at_node(unit, node::Event::Pattern(Box::new(shown))).unwrap();
        let fault = self.members[unit].node.fault();
        assert_eq!(fault, None, "{unit} refuses an honest pattern");
    }

    pub fn answer(&mut self, unit: &Unit) {
        self.show(unit);
        let (round, lines) = self.members[unit].node.answer().unwrap();
        let lines = lines.to_vec();
        let pattern = self.document().hash();
        self.at_region(region::Event::Answer { unit: unit.clone(), pattern, lines }).unwrap();
        self.at_node(unit, node::Event::AnswerTaken(round)).unwrap();
    }

    pub fn hold(&mut self) {
        let document = self.document();
        let handed = HandedPattern {
            verify_key: self.region.verify_key().unwrap(),
            certificates: self.region.certificates(),
            document,
        };
        let earlier = self.first.as_ref().and_then(|first| first.helper.closed());
        self.helper.follows(&handed.document, earlier, self.extension.as_deref()).unwrap();
        let facts = self.helper.hold(handed, &self.world.roots).unwrap();
        self.at_helper(facts);
        let round = self.document().round;
        self.at_region(region::Event::HelperHolds(round)).unwrap();
    }

    /// The node makes its report and the region stores it.
    pub fn submit(&mut self, unit: &Unit) {
        self.show(unit);
        let document = self.document();
        assert_eq!(self.members[unit].node.duty(), node::Duty::MakeReport);
        let report = self.world.report(&document, unit, u64::from(document.round) + 40);
        let content = report.content_hash().0;
        let round = document.round;
        let tags = document.open.iter().map(|cell| {
            let value = self.world.system.value(&self.world.counts[unit], *cell);
            (*cell, tag(&secret(unit), &self.world.system.cells[*cell].definition, value).0)
        });
        let tags = tags.collect();
        let member = self.members.get_mut(unit).unwrap();
        let lines = member.node.lines(&document, Some(&tags));
        lines.into_iter().for_each(|(definition, line)| member.ledger.enter(definition, line));
        member.reports.insert(round, report);
        self.at_node(unit, node::Event::Reported { round, content }).unwrap();
        self.at_region(self.submit_event(unit, round, content)).unwrap();
        self.at_node(unit, node::Event::ReportTaken(round)).unwrap();
    }

    pub fn submit_event(&self, unit: &Unit, round: u32, content: [u8; 32]) -> region::Event {
        region::Event::Submit { unit: unit.clone(), certificate: fingerprint(&der(unit)), round, content }
    }

    /// Region and helper verify a stored report together.
    pub fn check(&mut self, unit: &Unit) {
        let document = self.document();
        let (round, key) = (document.round, self.region.verify_key().unwrap());
        let report = self.members[unit].reports[&round].clone();
        let (state, _) = self.world.verifier(&document, unit, key).begin(&report).unwrap();
        let handed = self.world.pass_on(&document, unit, &report, key);
        let verified = self.helper.verify(&handed).unwrap();
        let share = self.world.verifier(&document, unit, key).finish(state, &verified.answer).unwrap();
        self.region_shares.insert((round, unit.clone()), share);
        if let Some(share) = verified.share {
            self.helper_shares.insert((round, unit.clone()), share.output_share);
        }
        self.at_helper(verified.facts);
        let unit = unit.clone();
        self.at_region(region::Event::Checked { round, unit, accepted: true }).unwrap();
    }

    /// Closes at the helper.
    pub fn close(&mut self) -> Result<(), Refusal> {
        let document = self.document();
        let round::helper::Closing { facts, lines } =
            self.helper.close(document.round, &document.hash(), &document.units(), &self.helper_ledger)?;
        lines.into_iter().for_each(|(definition, line)| self.helper_ledger.enter(definition, line));
        self.at_helper(facts);
        Ok(())
    }

    pub fn until_declared(mut self) -> Self {
        self.at_region(region::Event::Announce).unwrap();
        self.units().iter().for_each(|unit| self.declare(unit));
        self
    }

    pub fn until_chosen(self) -> Self {
        let mut this = self.until_declared();
        this.choose();
        this
    }

    pub fn until_final(self) -> Self {
        let mut this = self.until_chosen();
        this.finalise();
        this
    }

    /// Everyone in the roster answers; the final pattern is chosen and held.
    pub fn finalise(&mut self) {
        self.document().units().iter().for_each(|unit| self.answer(unit));
        self.at_region(region::Event::Finalise).unwrap();
        self.hold();
    }

    pub fn until_submitted(self) -> Self {
        let mut this = self.until_final();
        this.submit_all();
        this
    }

    /// The same with nodes that look at nothing, up to their verified reports.
    pub fn finalise_unseen(&mut self) {
        for unit in self.document().units() {
            let pattern = self.document().hash();
            self.at_region(region::Event::Answer { unit, pattern, lines: Vec::new() }).unwrap();
        }
        self.at_region(region::Event::Finalise).unwrap();
        self.hold();
        let document = self.document();
        for unit in document.units() {
            let report = self.world.report(&document, &unit, 40);
            let content = report.content_hash().0;
            self.members.get_mut(&unit).unwrap().reports.insert(document.round, report);
            self.at_region(self.submit_event(&unit, document.round, content)).unwrap();
            self.check(&unit);
        }
    }

    pub fn submit_all(&mut self) {
        for unit in self.document().units() {
            self.submit(&unit);
            self.check(&unit);
        }
    }

    /// Both sides' sums of the pattern's list, offsets added, and what is readable of each unit.
    pub fn open(&self) -> (BTreeMap<CellIndex, u64>, Vec<BTreeMap<CellIndex, u64>>) {
        use sharing::aggregate::AggregateShare;
        use sharing::opening::{NoNoise, open};
        use sharing::output::Side;
        let (document, world) = (self.document(), &self.world);
        let combinations = shares::combinations(&world.system, &document).unwrap();
        let sum = |side, shares: &BTreeMap<(u32, Unit), OutputShare>| {
            let mut sum = AggregateShare::new(&world.parameters, side);
            let mine = shares.iter().filter(|((round, _), _)| *round == document.round);
            mine.for_each(|(_, share)| sum.add(share).unwrap());
            sum.combine_all(&combinations, &mut NoNoise).unwrap()
        };
        let (ours, theirs) = (sum(Side::Region, &self.region_shares), sum(Side::Helper, &self.helper_shares));
        let (roster, statuses) = (document.units(), self.region.statuses());
        let opened = document.open.iter().zip(ours.iter().zip(&theirs)).map(|(cell, (ours, theirs))| {
            let offset = shares::offset(&world.system, *cell, &statuses, &roster, world.collection.min_count);
            (*cell, open(ours, theirs).unwrap() + offset)
        });
        let opened = opened.collect();
        let keys: BTreeMap<Unit, [u8; 32]> = self
            .helper
            .accepted(document.round)
            .map(|(unit, report)| (unit.clone(), report.readable_key))
            .collect();
        let unseal = |(place, unit): (usize, &Unit)| {
            let key = sharing::report::ReadableKey::from_bytes(keys[unit]);
            let bytes = self.members[unit].reports[&document.round].open_readable(&key).unwrap();
            shares::Readable::decode(&bytes, &world.system, &document, place).unwrap()
        };
        (opened, roster.iter().enumerate().map(unseal).collect())
    }
}
