//! Counties made at random: few or many kommuner, tiny or large, with stadsdelar, skewed or even.
//!
//! They stand for what a kommun may bring with its own data, and are harsher than the made county: whole lines over the
//! kommuner are small. Hold true counts, which no party has together. Deterministic given the seed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::system::{Counts, System};
use tables::unit::Unit;

use crate::made::{COLLECTION, Made};

/// The kommuner a county is drawn from; the stadsdelar are one kommun.
const POOL: [&str; 12] =
    ["2101", "2104", "2121", "2132", "2161", "2180-01", "2180-02", "2180-03", "2181", "2182", "2183", "2184"];

/// Most records of a kommun over five years: the least to the largest county.
const SIZES: [u64; 5] = [250, 500, 1_000, 3_000, 8_000];

/// The county of a seed.
///
/// # Errors
/// When the demo's collection cannot be used.
pub fn random_county(seed: u64) -> anyhow::Result<Made> {
    random_county_of(seed, &|text| text)
}

/// The county of a seed, its records counted for another document: what `document` makes of the first.
///
/// # Errors
/// When the document cannot be used.
pub fn random_county_of(seed: u64, document: &dyn Fn(String) -> String) -> anyhow::Result<Made> {
    let codebook = Codebook::vuxna()?;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let size = SIZES[below(&mut rng, SIZES.len() as u64) as usize];
    let skew = 1 + below(&mut rng, 3);
    let leave = below(&mut rng, 6);
    let text = document(invite(&POOL[leave as usize..]));
    let collection = Collection::from_toml(&text, &codebook)?;
    let system = System::new(&collection, &codebook)?;
    let mut counts = BTreeMap::new();
    for unit in POOL.iter().skip(leave as usize) {
        let rows = (size / 2 + below(&mut rng, size / 2)) / (1 + below(&mut rng, 4));
        let unit: Unit = unit.parse()?;
        counts.insert(unit, records(&system, &codebook, rows, skew, &mut rng)?);
    }
    Ok(Made { codebook, collection, system, counts })
}

/// The demo's collection with other participants.
fn invite(units: &[&str]) -> String {
    let line = |line: &str| {
        if line.starts_with("deltagare") { format!("deltagare = {units:?}\n") } else { format!("{line}\n") }
    };
    COLLECTION.lines().map(line).collect()
}

fn below(rng: &mut ChaCha20Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

/// Records with independent codes; the higher the skew, the rarer the last codes.
fn records(
    system: &System,
    codebook: &Codebook,
    rows: u64,
    skew: u64,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<Counts> {
    let mut counts = system.empty_counts();
    for _ in 0..rows {
        let year = 2020 + below(rng, 5) as i16;
        let date = Date::new(year, 1 + below(rng, 12) as i8, 1 + below(rng, 28) as i8)?;
        let mut codes: Vec<Option<CodeIndex>> = Vec::with_capacity(codebook.variables.len());
        for variable in &codebook.variables {
            let many = variable.codes.len() as u64;
            let code = (0..skew).map(|_| below(rng, many)).min().unwrap_or(0);
            let known = below(rng, 25) != 0;
            codes.push(CodeIndex::try_from(code).ok().filter(|_| known));
        }
        system.count(&mut counts, date, &codes);
    }
    Ok(counts)
}
