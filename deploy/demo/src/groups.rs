//! A made list of kommungrupper for a demo: nine groups with SKR's codes and nobody's kommuner in their real ones.

use std::collections::{BTreeMap, BTreeSet};

use tables::grouping::Grouping;
use tables::unit::{GroupCode, KommunKod, LansKod};

const CODES: [&str; 9] = ["A1", "A2", "B3", "B4", "B5", "C6", "C7", "C8", "C9"];

/// Neighbours in the list of kommuner two by two in a group, another one first in each county.
///
/// # Errors
/// Never for the list of Sweden's kommuner.
pub fn made() -> anyhow::Result<Grouping> {
    let mut counties = BTreeMap::<LansKod, Vec<KommunKod>>::new();
    for kommun in publish::names::kommuner().into_keys() {
        counties.entry(kommun.county()).or_default().push(kommun);
    }
    let mut groups = BTreeMap::<GroupCode, BTreeSet<KommunKod>>::new();
    for (county, kommuner) in counties.values().enumerate() {
        for (place, kommun) in kommuner.iter().enumerate() {
            let code = CODES[(county + place / 2) % CODES.len()];
            groups.entry(code.parse()?).or_default().insert(*kommun);
        }
    }
    Ok(Grouping::new("den påhittade listan", groups)?)
}
