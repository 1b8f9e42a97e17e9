//! Who takes part in a simulated country, and what is counted in its counties.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::counties::desk::{built, parameters};
use coordinator::helper::desk::{ClosedRound, ClosedRounds, DeskError};
use daemon::pki::Key;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::chain::{Certified, Chain, Signed};
use round::document::{CollectionRef, PatternDocument, RosterEntry, Stage, Tier};
use round::national::document::NationalRef;
use round::refusal::Refusal;
use sharing::aggregate::AggregateShare;
use sharing::helper_key::HelperKeyPair;
use sharing::output::Side;
use sharing::signing::{SigningContext, VerifyingKey};
use suppress::key::PatternKey;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::figures::CountyMark;
use tables::system::{CellIndex, System};
use tables::unit::LansKod;

use crate::federation::{below, derived, records};

/// The collection, with places for what differs.
const TEXT: &str = include_str!("collection.toml");
/// The counties.
pub const COUNTIES: [&str; 6] = ["03", "05", "06", "07", "08", "10"];
/// Kommuner of each.
const KOMMUNER: usize = 5;

/// One county.
pub struct County {
    /// Its collection.
    pub collection: Arc<Collection>,
    /// Its document.
    pub text: String,
    /// The straight count of every cell.
    pub values: Vec<u64>,
    /// Cells it withholds itself.
    pub withheld: BTreeSet<CellIndex>,
    /// The pattern of its own round.
    pub document: PatternDocument,
    /// The two sides of its sums.
    pub shares: (AggregateShare, AggregateShare),
}

/// A country.
pub struct Country {
    /// Its seed.
    pub seed: u64,
    /// The cells, the same in every county.
    pub system: Arc<System>,
    /// The national round.
    pub reference: NationalRef,
    /// The third coordinator's key.
    pub third: HelperKeyPair,
    /// Key of the pattern over counties.
    pub pattern_key: PatternKey,
    /// The counties.
    pub counties: BTreeMap<LansKod, County>,
    keys: BTreeMap<String, Key>,
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Country({})", self.seed)
    }
}

impl Country {
    /// The country of a seed.
    ///
    /// # Errors
    /// When the collection cannot be used or the operating system gives no key.
    pub fn new(seed: u64) -> anyhow::Result<Arc<Self>> {
        let third = HelperKeyPair::derive(&derived(seed, "third"))?;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let codebook = Codebook::vuxna()?;
        let (mut counties, mut keys, mut shape) = (BTreeMap::new(), BTreeMap::new(), None);
        for (place, code) in COUNTIES.iter().enumerate() {
            let units: Vec<String> = (1..=KOMMUNER).map(|at| format!("\"{code}{at:02}\"")).collect();
            let text = TEXT.replace("@COUNTY@", code).replace("@UNITS@", &units.join(", "));
            let text = text.replace("@KEY@", &hex::encode(third.public().id()));
            let (collection, system) = built(&text)?;
            let counts = records(&system, &codebook, 2 + 3 * place, &mut rng)?;
            let values = (0..system.cells.len()).map(|cell| system.value(&counts, cell)).collect::<Vec<_>>();
            let mut shares = (share(&system, Side::Region)?, share(&system, Side::Helper)?);
            for block in 0..system.blocks.len() {
                let entries = system.entries(&counts, block);
                let helper: Vec<u64> = entries.iter().map(|entry| below(&mut rng, entry + 1)).collect();
                let region: Vec<u64> = entries.iter().zip(&helper).map(|(all, half)| all - half).collect();
                shares.0.raise(block, &region)?;
                shares.1.raise(block, &helper)?;
            }
            let withheld = own_choice(&system, &values);
            let document = document(&collection);
            let reference =
                NationalRef::of(&collection, &system).ok_or_else(|| anyhow::anyhow!("no round"))?;
            shape = Some((system, reference));
            let county = County { collection, text, values, withheld, document, shares };
            counties.insert(code.parse()?, county);
            keys.insert(format!("region {code}"), Key::generate()?);
        }
        keys.insert("national 00".into(), Key::generate()?);
        let (system, reference) = shape.ok_or_else(|| anyhow::anyhow!("no county"))?;
        let pattern_key = PatternKey::new(&derived(seed, "counties"));
        Ok(Arc::new(Self { seed, system, reference, third, pattern_key, counties, keys }))
    }

    /// A document signed by `role unit`.
    pub fn sign(&self, who: &str, context: SigningContext, bytes: Vec<u8>) -> Signed {
        let key = &self.keys[who];
        let signature = key.sign(&context.frame(&bytes)).to_vec();
        Signed { bytes, signature, certificate: who.as_bytes().to_vec() }
    }

    /// The mark that a county offers for a cell.
    pub fn mark(&self, county: LansKod, cell: CellIndex) -> CountyMark {
        let county = &self.counties[&county];
        let least = u64::from(county.collection.min_count.get());
        match (county.withheld.contains(&cell), county.values[cell]) {
            (false, value) => CountyMark::of_shown(value, least),
            (true, value) if value >= least => CountyMark::Withheld,
            (true, _) => CountyMark::Small,
        }
    }
}

impl Chain for Country {
    /// The simulated root: a certificate is a role and a unit. What a real root checks is `daemon`'s.
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        let name = std::str::from_utf8(certificate).ok()?;
        let key = self.keys.get(name)?;
        let (role, unit) = name.split_once(' ')?;
        let role = if role == "region" { "region" } else { "national" };
        let key = VerifyingKey(key.public_key());
        Some(Certified { role, unit: unit.into(), fingerprint: [0; 32], key })
    }
}

impl ClosedRounds for Country {
    fn closed_round(&self, reference: &CollectionRef, county: &str) -> Result<ClosedRound, DeskError> {
        let known = county.parse().ok().and_then(|code: LansKod| self.counties.get(&code));
        let known = known.filter(|known| CollectionRef::of(&known.collection) == *reference);
        let known = known.ok_or(Refusal::OtherBinding("collection"))?;
        Ok(ClosedRound {
            collection: known.collection.clone(),
            system: self.system.clone(),
            text: known.text.clone(),
            document: known.document.clone(),
            aggregate: known.shares.1.clone(),
            groups: BTreeMap::new(),
        })
    }
}

/// One side's sum over one report of nothing.
fn share(system: &System, side: Side) -> anyhow::Result<AggregateShare> {
    let shape = parameters(system)?;
    let mut bytes = AggregateShare::new(&shape, side).encode(&shape);
    let entries: usize = system.blocks.iter().map(|block| block.length).sum();
    // the number of reports stands before their digest and the entries
    let reports = bytes.len() - entries * 16 - 40;
    bytes[reports + 7] = KOMMUNER as u8;
    Ok(AggregateShare::decode(&shape, &bytes)?)
}

/// What a county withholds for itself: small cells, and of every printed sum with one hole the least other part.
fn own_choice(system: &System, values: &[u64]) -> BTreeSet<CellIndex> {
    let is_count = |cell: &CellIndex| system.cells[*cell].is_count;
    let mut withheld: BTreeSet<CellIndex> =
        (0..values.len()).filter(is_count).filter(|cell| (1..4).contains(&values[*cell])).collect();
    let sums = suppress::counties::sums(system);
    loop {
        let before = withheld.len();
        for sum in &sums {
            if sum.iter().filter(|cell| withheld.contains(cell)).count() == 1 {
                let free = sum.iter().filter(|cell| !withheld.contains(cell) && values[**cell] > 0);
                withheld.extend(free.min_by_key(|cell| (values[**cell], **cell)).copied());
            }
        }
        if withheld.len() == before {
            return withheld;
        }
    }
}

fn document(collection: &Collection) -> PatternDocument {
    let entry = |unit: &tables::unit::Unit| RosterEntry { unit: unit.clone(), certificate: [0; 32] };
    PatternDocument {
        collection: CollectionRef::of(collection),
        round: 1,
        tier: Tier::Region,
        stage: Stage::Final,
        roster: collection.units.iter().map(entry).collect(),
        withheld: vec![BTreeSet::new(); collection.units.len()],
        open: BTreeSet::new(),
        closed: BTreeSet::new(),
        witness_root: [0; 32],
        helper_key_id: [0; 32],
        submit_until: 0,
    }
}
