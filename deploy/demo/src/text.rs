//! The collection of a demo: the built-in one, or a given one, with the units that there are files for.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use tables::unit::Unit;

/// The built-in collection.
const BUILT_IN: &str = include_str!("../../../shared/tables/collections/aktualiseringar-vuxna-2024.toml");

/// Reads the collection, and puts in the units that take part if they are not the built-in ones.
///
/// # Errors
/// When the file cannot be read, or the units lie in several counties.
pub fn collection(file: Option<&Path>, units: &BTreeSet<Unit>, own_data: bool) -> anyhow::Result<String> {
    if let Some(file) = file {
        return std::fs::read_to_string(file).context(format!("{}", file.display()));
    }
    if !own_data {
        return Ok(BUILT_IN.into());
    }
    let counties: BTreeSet<_> = units.iter().map(Unit::county).collect();
    let [county] = counties.iter().collect::<Vec<_>>()[..] else {
        bail!("filerna gäller {} län; demot kör ett", counties.len());
    };
    let mut document: toml::Table = BUILT_IN.parse()?;
    let list = units.iter().map(|unit| toml::Value::String(unit.to_string())).collect();
    document.insert("deltagare".into(), toml::Value::Array(list));
    document.insert("lan".into(), toml::Value::String(county.to_string()));
    Ok(toml::to_string(&document)?)
}
