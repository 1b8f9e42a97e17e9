//! The made county as its ten nodes count it: dialect files on disk, harmonised, over the demo collection's atoms.
//!
//! Holds true counts, which no party of the system has together. Deterministic given the seed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use county::County;
use harmonise::{KommunCodes, Source};
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::system::{CellIndex, Counts, System};
use tables::unit::Unit;

/// The collection behind the report's fourteen tables.
pub(crate) const COLLECTION: &str =
    include_str!("../../../shared/tables/collections/aktualiseringar-vuxna-2024.toml");

/// The county's true counts over the collection's cells.
#[derive(Clone)]
pub struct Made {
    /// What codes mean.
    pub codebook: Codebook,
    /// What is asked.
    pub collection: Collection,
    /// Its cells.
    pub system: System,
    /// Each unit's counts.
    pub counts: BTreeMap<Unit, Counts>,
}

/// Makes the county of a seed, writes the ten files to a temporary folder and reads them as nodes do.
///
/// # Errors
/// Whatever refuses: generator, file system, code map or intake.
pub fn made_county(seed: u64) -> anyhow::Result<Made> {
    let order: Vec<usize> = (0..county::KOMMUNER.len()).collect();
    made_of(seed, &order, COLLECTION)
}

/// As [`made_county`], with the kommuner's files read in this order (indices of [`county::KOMMUNER`]).
///
/// # Errors
/// As [`made_county`].
pub fn made_in_order(seed: u64, order: &[usize]) -> anyhow::Result<Made> {
    made_of(seed, order, COLLECTION)
}

/// As [`made_county`], its records counted for another document.
///
/// # Errors
/// As [`made_county`], and when the document cannot be used.
pub fn made_county_of(seed: u64, document: &dyn Fn(String) -> String) -> anyhow::Result<Made> {
    let order: Vec<usize> = (0..county::KOMMUNER.len()).collect();
    made_of(seed, &order, &document(COLLECTION.to_owned()))
}

fn made_of(seed: u64, order: &[usize], text: &str) -> anyhow::Result<Made> {
    let folder = tempfile::tempdir()?;
    county::write_files(&County::generate(seed)?, folder.path())?;
    let codebook = Codebook::vuxna()?;
    let collection = Collection::from_toml(text, &codebook)?;
    let system = System::new(&collection, &codebook)?;
    let mut counts = BTreeMap::new();
    for at in order {
        let unit: Unit = county::KOMMUNER[*at].kod.parse()?;
        let own = read_unit(folder.path(), &unit, &codebook, &system).with_context(|| unit.to_string())?;
        counts.insert(unit, own);
    }
    Ok(Made { codebook, collection, system, counts })
}

/// The extract `<kommunkod>.<ending>` with its code map `<kommunkod>.codes.toml`, if it has one.
fn read_unit(folder: &Path, unit: &Unit, codebook: &Codebook, system: &System) -> anyhow::Result<Counts> {
    let map = folder.join(format!("{unit}.codes.toml"));
    let codes = if map.exists() {
        KommunCodes::from_toml(&std::fs::read_to_string(map)?, codebook)?
    } else {
        KommunCodes::none(unit.clone(), codebook)
    };
    let extension =
        ["xlsx", "csv"].into_iter().find(|ending| folder.join(format!("{unit}.{ending}")).exists());
    let extension = extension.context("no extract")?.to_owned();
    let file = File::open(folder.join(format!("{unit}.{extension}")))?;
    let source = Source { reader: BufReader::new(file), extension: Some(extension) };
    let harmonised = harmonise::read(source, codebook, &codes, jiff::civil::date(2025, 2, 1))?;
    anyhow::ensure!(harmonised.report.refused.total == 0, "rows refused");
    let mut counts = system.empty_counts();
    harmonised.rows.iter().for_each(|row| system.count(&mut counts, row.date, &row.codes));
    Ok(counts)
}

impl Made {
    /// The units, ascending: the roster when everyone takes part.
    pub fn units(&self) -> Vec<Unit> {
        self.counts.keys().cloned().collect()
    }

    /// A cell's true total over the county.
    pub fn total(&self, cell: CellIndex) -> u64 {
        self.counts.values().map(|counts| self.system.value(counts, cell)).sum()
    }

    /// What each unit declares, ascending.
    pub fn statuses(&self) -> Vec<Vec<FineStatus>> {
        let least = self.collection.min_count;
        self.counts.values().map(|counts| round::shares::statuses(&self.system, counts, least)).collect()
    }

    /// Each unit's true counts of unit atoms, ascending.
    pub fn unit_values(&self) -> Vec<Vec<u64>> {
        self.counts.values().map(|counts| self.system.unit_values(counts)).collect()
    }
}
