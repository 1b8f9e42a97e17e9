//! What is the same for all parties: the collection and its cells, keys, certificates, made counts.
//!
//! Holds true counts, which no party has together.

use super::*;

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
pub(super) fn secret(unit: &Unit) -> TagSecret {
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
