//! Who takes part and what is counted: everything of a federation that no schedule changes.
//!
//! A small county 21: seven kommuner, one of them by two stadsdelar and one with a threshold of its own, in two groups;
//! two tables of scope kommun and one of scope total, with small cells and with a difference that nobody prints
//! (applications less those from people of 25 and over). Counts are made from the
//! federation's seed; keys of the helper, of patterns and of tags are derived from it, so that patterns and figures
//! are the same in every schedule (SAME-1). Shares and signing keys are random: nothing that is compared depends on
//! them.
//!
//! [`Federation::correcting`] is the same county later: some kommuner have corrected records, and the collection is a second
//! version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use daemon::pki::Key;
use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use round::chain::{Certified, Chain};
use sha2::{Digest, Sha256};
use sharing::helper_key::HelperKeyPair;
use sharing::params::VectorParameters;
use sharing::signing::VerifyingKey;
use sharing::tag::TagSecret;
use suppress::key::PatternKey;
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::count::MinCount;
use tables::extension::Extension;
use tables::system::{CellIndex, Counts, System};
use tables::unit::Unit;

/// The collection of every simulated federation.
pub const COLLECTION: &str = include_str!("collection.toml");
/// The county's code, as regions show it to the helper.
pub const COUNTY: &str = "21";

/// The place of the kommun that withholds more than the collection asks for, and its own threshold.
const CAUTIOUS: usize = 4;
const CAUTIOUS_MIN_COUNT: u32 = 6;

/// One kommun, or one stadsdel: its records, counted, and its secrets.
pub struct Kommun {
    /// The straight count of its records.
    pub counts: Counts,
    /// Its own threshold: the collection's or higher (STAY-2).
    pub own_min_count: MinCount,
    /// Its signing key.
    pub key: Arc<Key>,
    /// Its certificate. X.509 is not simulated: see [`Federation::certified`].
    pub certificate: Vec<u8>,
    /// Its tag secret; also a canary: no other party's store may hold it (STAY-1).
    pub secret: [u8; 32],
}

/// A federation.
pub struct Federation {
    /// Its seed.
    pub seed: u64,
    /// The collection's document, as it is announced.
    pub document: String,
    /// The same county when the version that is corrected or extended was published.
    pub first: Option<Arc<Federation>>,
    /// Of an extension how that one's cells are numbered here.
    pub extension: Option<Arc<Extension>>,
    /// The codebook.
    pub codebook: Codebook,
    /// The collection.
    pub collection: Arc<Collection>,
    /// Its cells.
    pub system: Arc<System>,
    /// Its report parameters.
    pub parameters: VectorParameters,
    /// Key of the region's patterns.
    pub pattern_key: PatternKey,
    /// The helper's keys.
    pub helper_keys: HelperKeyPair,
    /// The kommuner.
    pub kommuner: BTreeMap<Unit, Kommun>,
}

impl Federation {
    /// The federation of a seed.
    ///
    /// # Errors
    /// When the collection cannot be used or the operating system gives no key.
    pub fn new(seed: u64) -> anyhow::Result<Arc<Self>> {
        let codebook = Codebook::vuxna()?;
        let collection = Arc::new(Collection::from_toml(COLLECTION, &codebook)?);
        let system = Arc::new(System::new(&collection, &codebook)?);
        let parameters = round::shares::parameters(&system)?;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut kommuner = BTreeMap::new();
        for (place, unit) in collection.units.iter().enumerate() {
            let counts = records(&system, &codebook, place, &mut rng)?;
            kommuner.insert(
                unit.clone(),
                Kommun {
                    counts,
                    own_min_count: if place == CAUTIOUS {
                        MinCount::new(CAUTIOUS_MIN_COUNT)?
                    } else {
                        collection.min_count
                    },
                    key: Arc::new(Key::generate()?),
                    certificate: format!("node/{unit}").into_bytes(),
                    secret: derived(seed, &format!("tags of {unit}")),
                },
            );
        }
        Ok(Arc::new(Self {
            seed,
            document: COLLECTION.to_owned(),
            first: None,
            extension: None,
            codebook,
            collection,
            system,
            parameters,
            pattern_key: PatternKey::new(&derived(seed, "patterns")),
            helper_keys: HelperKeyPair::derive(&derived(seed, "helper"))?,
            kommuner,
        }))
    }

    /// The county when one or two of its kommuner, chosen by `seed`, have corrected a few records: some are gone, some got other codes.
    /// `pattern` is what the first version was published under.
    ///
    /// # Errors
    /// When the second document cannot be used.
    pub fn correcting(first: &Arc<Self>, pattern: [u8; 32], seed: u64) -> anyhow::Result<Arc<Self>> {
        let (hash, pattern) = (hex::encode(first.collection.hash), hex::encode(pattern));
        let head = format!("version = 2\nrattar = \"{hash}\"\nrattar_monster = \"{pattern}\"");
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xc0_44ec);
        let units: Vec<&Unit> = first.kommuner.keys().collect();
        let many = 1 + below(&mut rng, 2);
        let corrected: BTreeSet<&Unit> =
            (0..many).map(|_| units[below(&mut rng, units.len() as u64) as usize]).collect();
        Self::later(first, &head, Some(first.clone()), |unit, stored| {
            if corrected.contains(unit) {
                mistakes(stored, &mut rng);
            }
        })
    }

    /// The county when it is asked for further tables of the same records, of which one kommun may have corrected some (`mistaken`).
    ///
    /// # Errors
    /// When the extension's document cannot be used.
    pub fn extending(
        first: &Arc<Self>,
        pattern: [u8; 32],
        mistaken: Option<u64>,
    ) -> anyhow::Result<Arc<Self>> {
        let (hash, pattern) = (hex::encode(first.collection.hash), hex::encode(pattern));
        let head = format!("version = 2\nkompletterar = \"{hash}\"\nkompletterar_monster = \"{pattern}\"");
        let document = first.document.replacen("version = 1", &head, 1) + NEW_TABLE;
        let collection = Arc::new(Collection::from_toml(&document, &first.codebook)?);
        let system = Arc::new(System::new(&collection, &first.codebook)?);
        let extension = Arc::new(Extension::new(&first.system, &system)?);
        let mut rng = ChaCha20Rng::seed_from_u64(first.seed);
        let mut kommuner = BTreeMap::new();
        for (place, (unit, kommun)) in first.kommuner.iter().enumerate() {
            let mut counts = records(&system, &first.codebook, place, &mut rng)?;
            if mistaken.is_some_and(|seed| seed as usize % first.kommuner.len() == place) {
                let mut stored = counts.to_stored().to_vec();
                mistakes(&mut stored, &mut ChaCha20Rng::seed_from_u64(mistaken.unwrap_or_default()));
                counts = Counts::from_stored(&system, stored).context("counts of the same cells")?;
            }
            let (key, secret) = (kommun.key.clone(), kommun.secret);
            let (certificate, own_min_count) = (kommun.certificate.clone(), kommun.own_min_count);
            kommuner.insert(unit.clone(), Kommun { counts, own_min_count, key, certificate, secret });
        }
        Ok(Arc::new(Self {
            seed: first.seed,
            document,
            first: Some(first.clone()),
            extension: Some(extension),
            codebook: first.codebook.clone(),
            parameters: round::shares::parameters(&system)?,
            collection,
            system,
            pattern_key: first.pattern_key.clone(),
            helper_keys: first.helper_keys.clone(),
            kommuner,
        }))
    }

    /// The county when the same is asked for again, after a round that failed.
    ///
    /// # Errors
    /// When the document cannot be used.
    pub fn asked_again(failed: &Arc<Self>) -> anyhow::Result<Arc<Self>> {
        Self::later(failed, "version = 2", None, |_, _| ())
    }

    fn later(
        before: &Arc<Self>,
        head: &str,
        first: Option<Arc<Self>>,
        mut change: impl FnMut(&Unit, &mut Vec<u32>),
    ) -> anyhow::Result<Arc<Self>> {
        let document = before.document.replacen("version = 1", head, 1);
        let collection = Arc::new(Collection::from_toml(&document, &before.codebook)?);
        let system = Arc::new(System::new(&collection, &before.codebook)?);
        let mut kommuner = BTreeMap::new();
        for (unit, kommun) in &before.kommuner {
            let mut stored = kommun.counts.to_stored().to_vec();
            change(unit, &mut stored);
            let counts = Counts::from_stored(&system, stored).context("counts of the same cells")?;
            let (key, secret) = (kommun.key.clone(), kommun.secret);
            let (certificate, own_min_count) = (kommun.certificate.clone(), kommun.own_min_count);
            kommuner.insert(unit.clone(), Kommun { counts, own_min_count, key, certificate, secret });
        }
        Ok(Arc::new(Self {
            seed: before.seed,
            document,
            first,
            extension: None,
            codebook: before.codebook.clone(),
            collection,
            system,
            parameters: before.parameters.clone(),
            pattern_key: before.pattern_key.clone(),
            helper_keys: before.helper_keys.clone(),
            kommuner,
        }))
    }

    /// A kommun of the federation.
    ///
    /// # Panics
    /// When the unit takes no part: a fault of the simulator.
    pub fn kommun(&self, unit: &Unit) -> &Kommun {
        &self.kommuner[unit]
    }

    /// A kommun's tag secret.
    pub fn tag_secret(&self, unit: &Unit) -> TagSecret {
        TagSecret::from_bytes(self.kommun(unit).secret)
    }

    /// The straight sum of a cell over units: what every published total must be (TRUE-1).
    pub fn truth<'a>(&self, cell: CellIndex, units: impl IntoIterator<Item = &'a Unit>) -> u64 {
        units.into_iter().map(|unit| self.system.value(&self.kommun(unit).counts, cell)).sum()
    }

    /// The fingerprint of a certificate.
    pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
        Sha256::digest(certificate).into()
    }
}

impl Chain for Federation {
    /// The simulated root: a certificate is the word `node/` and a unit of the federation. What a real root checks is
    /// `daemon`'s, and tested there.
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        let (unit, kommun) = self.kommuner.iter().find(|(_, kommun)| kommun.certificate == certificate)?;
        Some(Certified {
            role: "node",
            unit: unit.to_string(),
            fingerprint: Self::fingerprint(certificate),
            key: VerifyingKey(kommun.key.public_key()),
        })
    }
}

pub(crate) fn derived(seed: u64, what: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"simulation\0")
        .chain_update(seed.to_be_bytes())
        .chain_update(what)
        .finalize()
        .into()
}

/// A number under `bound`. The bias is far under what a schedule can notice.
pub fn below(rng: &mut ChaCha20Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

/// One to six records that were registered wrongly: every other gets other codes, the rest are gone.
fn mistakes(stored: &mut [u32], rng: &mut ChaCha20Rng) {
    for record in 0..=below(rng, 6) {
        let held: Vec<usize> = (0..stored.len()).filter(|atom| stored[*atom] > 0).collect();
        if held.is_empty() {
            return;
        }
        stored[held[below(rng, held.len() as u64) as usize]] -= 1;
        if record % 2 == 1 {
            stored[below(rng, stored.len() as u64) as usize] += 1;
        }
    }
}

/// What an extension adds.
const NEW_TABLE: &str = r#"
[[tabell]]
id = "N1"
titel = "Efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true
"#;

/// The records of one kommun: the later in the county, the larger. Rare codes are rare enough for small cells.
pub(crate) fn records(
    system: &System,
    codebook: &Codebook,
    place: usize,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<Counts> {
    let mut counts = system.empty_counts();
    let rows = 25 + 35 * place as u64 + below(rng, 20);
    for _ in 0..rows {
        let year = 2023 + below(rng, 2) as i16;
        let date = Date::new(year, 1 + below(rng, 12) as i8, 1 + below(rng, 28) as i8)?;
        let mut codes: Vec<Option<CodeIndex>> = Vec::with_capacity(codebook.variables.len());
        for variable in &codebook.variables {
            let many = variable.codes.len() as u64;
            // The smaller of two draws: first codes are common, last codes are rare.
            let code = below(rng, many).min(below(rng, many));
            let known = below(rng, 25) != 0;
            codes.push(CodeIndex::try_from(code).ok().filter(|_| known));
        }
        system.count(&mut counts, date, &codes);
    }
    Ok(counts)
}
