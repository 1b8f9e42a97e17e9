//! The list of kommungrupper of a demo's national round: an operator's file, or a made one. That has SKR's nine codes in about SKR's proportions, and nobody's kommuner in their real
//! ones except by chance. Who has the real list gives it to `coordinator grupper`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use tables::grouping::Grouping;
use tables::unit::{GroupCode, KommunKod, LansKod};

/// The three large cities.
const LARGE: [&str; 3] = ["0180", "1280", "1480"];
/// Counties with kommuner from which people travel to a large city, and how many.
const AROUND: [(&str, usize); 6] = [("01", 21), ("03", 2), ("04", 1), ("12", 9), ("13", 1), ("14", 10)];
/// The rest, in turn: as many of each as SKR has, about.
const TURN: [&str; 14] = ["B4", "C7", "C8", "B5", "B4", "C7", "C6", "C8", "B4", "C7", "B5", "C6", "C9", "C8"];

/// The list of a file; the made one where there is none and the data are made too.
///
/// # Errors
/// When the file cannot be read; the text says where and what was expected.
pub fn list(file: Option<&Path>, is_made: bool) -> anyhow::Result<Option<Grouping>> {
    let Some(path) = file else { return is_made.then(made).transpose() };
    let name = path.display().to_string();
    let bytes = std::fs::read(path).context(name.clone())?;
    let kommuner = publish::names::kommuner().into_keys().collect();
    Ok(Some(Grouping::read(&name, &bytes, &kommuner)?))
}

/// Large cities, those around them, each county's first town, and the others in turn through the counties.
///
/// # Errors
/// Never for the list of Sweden's kommuner.
fn made() -> anyhow::Result<Grouping> {
    let mut counties = BTreeMap::<LansKod, Vec<KommunKod>>::new();
    for kommun in publish::names::kommuner().into_keys() {
        counties.entry(kommun.county()).or_default().push(kommun);
    }
    let mut groups = BTreeMap::<GroupCode, BTreeSet<KommunKod>>::new();
    let mut turn = TURN.iter().cycle();
    for (county, kommuner) in counties {
        let county = county.to_string();
        let mut around = AROUND.iter().find(|(code, _)| *code == county).map_or(0, |(_, count)| *count);
        for kommun in kommuner {
            let code = kommun.to_string();
            let group = if LARGE.contains(&code.as_str()) {
                "A1"
            } else if code.ends_with("80") {
                "B3"
            } else if around > 0 {
                around -= 1;
                "A2"
            } else {
                turn.next().copied().unwrap_or("C8")
            };
            groups.entry(group.parse()?).or_default().insert(kommun);
        }
    }
    Ok(Grouping::new("den påhittade listan", groups)?)
}
