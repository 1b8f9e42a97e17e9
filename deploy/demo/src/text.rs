//! The collections of a demo: the built-in ones, or a given one, with the units that there are files for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use tables::grouping::Grouping;
use tables::unit::{LansKod, Unit};

/// The built-in collection of one county.
const COUNTY: &str = include_str!("../../../shared/tables/collections/aktualiseringar-vuxna-2024.toml");
/// The built-in collection of many.
const NATIONAL: &str = include_str!("../../../shared/tables/collections/aktualiseringar-nationell-2024.toml");
/// Fewest kommuner of a county that can run a round.
pub const LEAST_KOMMUNER: usize = 5;
/// Fewest counties of a national round.
pub const LEAST_COUNTIES: usize = 3;

/// Stands for the third coordinator's key until there is one.
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Puts the third coordinator's key into a collection.
pub fn with_key(text: &str, key: &str) -> String {
    text.replace(NO_KEY, key)
}

/// Which kommuner take part, and with what.
pub struct Plan {
    /// Collections by county.
    pub texts: BTreeMap<LansKod, String>,
    /// Whether their sums go to a national round.
    pub national: bool,
    /// Counties with too few kommuner for a round of their own.
    pub left_out: BTreeMap<LansKod, usize>,
}

impl Plan {
    /// One county with a collection of its own.
    pub fn alone(county: LansKod, text: String) -> Self {
        Self { texts: [(county, text)].into(), national: false, left_out: BTreeMap::new() }
    }
}

/// Reads the collection, and puts in the units that take part if they are not the built-in ones, and a list of kommungrupper
/// in a national round if there is one.
///
/// # Errors
/// When the file cannot be read or is no TOML.
pub fn plan(
    file: Option<&Path>,
    units: &BTreeSet<Unit>,
    own_data: bool,
    groups: Option<&Grouping>,
) -> anyhow::Result<Plan> {
    let mut counties = BTreeMap::<LansKod, Vec<Unit>>::new();
    for unit in units {
        counties.entry(unit.county()).or_default().push(unit.clone());
    }
    let given = file.map(|file| std::fs::read_to_string(file).context(format!("{}", file.display())));
    let given = given.transpose()?;
    if let [(county, units)] = counties.iter().collect::<Vec<_>>()[..] {
        let text = match given {
            Some(text) => text,
            None if own_data => fitted(COUNTY, *county, units, &[])?,
            None => COUNTY.into(),
        };
        return Ok(Plan::alone(*county, text));
    }
    let kommuner = |units: &[Unit]| units.iter().map(Unit::kommun).collect::<BTreeSet<_>>().len();
    let large = |units: &[Unit]| kommuner(units) >= LEAST_KOMMUNER;
    let national = counties.values().filter(|units| large(units)).count() >= LEAST_COUNTIES;
    let alone = |units: &[Unit]| matches!(units, [unit] if *unit == Unit::whole(unit.kommun()));
    let (large, small): (BTreeMap<_, _>, BTreeMap<_, _>) =
        counties.into_iter().partition(|(_, units)| large(units) || national && alone(units));
    let template = given.as_deref().unwrap_or(NATIONAL);
    let all: Vec<LansKod> = if national { large.keys().copied().collect() } else { Vec::new() };
    let text = |(county, units): (&LansKod, &Vec<Unit>)| {
        let text = fitted(template, *county, units, &all)?;
        let text = match groups {
            Some(list) if national => with_groups(&text, list)?,
            _ => text,
        };
        Ok((*county, text))
    };
    let texts = large.iter().map(text).collect::<anyhow::Result<_>>()?;
    let left_out = small.iter().map(|(county, units)| (*county, kommuner(units))).collect();
    Ok(Plan { texts, national, left_out })
}

/// A collection for the units of a county, in a national round with `counties` if there are any.
fn fitted(template: &str, county: LansKod, units: &[Unit], counties: &[LansKod]) -> anyhow::Result<String> {
    let mut document: toml::Table = template.parse().context("insamlingen")?;
    let list = |items: Vec<String>| toml::Value::Array(items.into_iter().map(toml::Value::String).collect());
    document.insert("deltagare".into(), list(units.iter().map(ToString::to_string).collect()));
    document.insert("lan".into(), toml::Value::String(county.to_string()));
    document.remove("grupper");
    let terms = document.remove("nationell");
    if !counties.is_empty() {
        let mut terms = match terms {
            Some(toml::Value::Table(terms)) => terms,
            _ => toml::toml! { inom_timmar = 336 },
        };
        terms.insert("tredje_nyckel".into(), toml::Value::String(NO_KEY.into()));
        if units.len() == 1 {
            terms.insert("ensam_kommun".into(), toml::Value::Boolean(true));
        }
        terms.insert("lan".into(), list(counties.iter().map(ToString::to_string).collect()));
        document.insert("nationell".into(), toml::Value::Table(terms));
    }
    Ok(toml::to_string(&document)?)
}

/// A collection whose first table of fewest dimensions has rows of the groups of a list, unless it names its own: the finer the
/// table, the fewer figures of groups say nothing of a county (ADR 23).
fn with_groups(text: &str, list: &Grouping) -> anyhow::Result<String> {
    let mut document: toml::Table = text.parse().context("insamlingen")?;
    let section: toml::Table = list.to_toml().parse().context("listan")?;
    let of_its_own = |terms: &toml::Value| terms.get("grupper").is_some();
    if document.get("nationell").is_some_and(of_its_own) {
        return Ok(text.to_owned());
    }
    let tables = document.get("tabell").and_then(toml::Value::as_array);
    let size = |table: &&toml::Value| table.get("dimensioner").and_then(toml::Value::as_array).map(Vec::len);
    let first = tables.and_then(|tables| tables.iter().min_by_key(size)?.get("id"));
    let first = first.cloned().context("insamlingen har ingen tabell")?;
    let groups = section.get("nationell").and_then(|section| section.get("grupper")).cloned();
    if let (Some(toml::Value::Table(terms)), Some(groups)) = (document.get_mut("nationell"), groups) {
        terms.insert("grupptabell".into(), first);
        terms.insert("grupper".into(), groups);
    }
    Ok(toml::to_string(&document)?)
}
