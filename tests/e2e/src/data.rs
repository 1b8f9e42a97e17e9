//! What is collected: the demo county whole, or six of its kommuner over five of its tables, for speed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use county::County;
use tables::codebook::Codebook;
use tables::collection::Collection;

/// Seed of the demo's data.
pub const SEED: u64 = 2024;
/// The built-in collection.
const WHOLE: &str = include_str!("../../../shared/tables/collections/aktualiseringar-vuxna-2024.toml");
/// Six kommuner: one more than the least roster.
pub const SIX: [&str; 6] = ["2101", "2121", "2161", "2181", "2183", "2184"];
/// Tables of both scopes, with cells in common and small cells among them.
const FIVE: [&str; 5] = ["T01", "T03", "T05", "T09", "T12"];

/// A kommun's files.
#[derive(Clone)]
pub struct Extract {
    /// The extract.
    pub file: PathBuf,
    /// The code map, where it needs one.
    pub codes: Option<PathBuf>,
}

/// A collection and the kommuner's files for it.
pub struct Material {
    /// TOML.
    pub text: String,
    /// Parsed.
    pub collection: Collection,
    /// By unit.
    pub extracts: BTreeMap<String, Extract>,
}

impl Material {
    /// Ten kommuner, fourteen tables: what the demo runs. Files are written to `folder`.
    ///
    /// # Errors
    /// When data or files cannot be made.
    pub fn whole(folder: &Path) -> anyhow::Result<Self> {
        Self::new(WHOLE.into(), folder)
    }

    /// Six kommuner, five tables. Files are written to `folder`.
    ///
    /// # Errors
    /// When data or files cannot be made.
    pub fn small(folder: &Path) -> anyhow::Result<Self> {
        let mut document: toml::Table = WHOLE.parse()?;
        document.insert("deltagare".into(), SIX.map(|unit| toml::Value::String(unit.into())).to_vec().into());
        let tables = document.get_mut("tabell").and_then(toml::Value::as_array_mut).context("tables")?;
        tables.retain(|table| table["id"].as_str().is_some_and(|id| FIVE.contains(&id)));
        Self::new(toml::to_string(&document)?, folder)
    }

    fn new(text: String, folder: &Path) -> anyhow::Result<Self> {
        let collection = Collection::from_toml(&text, &Codebook::vuxna()?)?;
        std::fs::create_dir_all(folder)?;
        county::write_files(&County::generate(SEED)?, folder)?;
        let find = |unit: &str, endings: &[&str]| {
            endings.iter().map(|e| folder.join(format!("{unit}.{e}"))).find(|path| path.exists())
        };
        let extract = |unit: &tables::unit::Unit| {
            let unit = unit.to_string();
            let file = find(&unit, &["csv", "xlsx"]).context("an extract")?;
            let codes = find(&unit, &["codes.toml"]);
            Ok((unit, Extract { file, codes }))
        };
        let extracts = collection.units.iter().map(extract).collect::<anyhow::Result<_>>()?;
        Ok(Self { text, collection, extracts })
    }
}
