//! Extensions: further tables of a released county, beside what was published.
//!
//! The way of the figures is the product's own, as in `released`. Both versions count the same records. Holds true counts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use audit::Release;
use coordinator::release::stage::{Material, certify};
use round::shares;
use suppress::key::PatternKey;
use tables::extension::Extension;
use tables::figures::Pattern;
use tables::system::{CellIndex, System};

use crate::made::Made;
use crate::released::{Released, document_of, readable_of, released};

/// Two versions.
pub struct Extended {
    /// The county as the first counts it.
    pub before: Made,
    /// The first.
    pub first: Released,
    /// The county as the extension counts it.
    pub after: Made,
    /// What belongs together.
    pub extension: Extension,
    /// The extension's pattern.
    pub pattern: Pattern,
    /// What the extension shows.
    pub second: Release,
}

/// Makes the county of what it makes of the first document: always the same records.
pub type Making<'a> = &'a dyn Fn(&dyn Fn(String) -> String) -> anyhow::Result<Made>;

/// A first version's document as its extension by some tables, each with `ny = true`.
pub fn extending(text: &str, tables: &str) -> String {
    // What is named is looked at by region, helper and node; here nothing is announced.
    let named = "ab".repeat(32);
    let head = format!("version = 2\nkompletterar = \"{named}\"\nkompletterar_monster = \"{named}\"");
    text.replacen("version = 1", &head, 1) + tables
}

/// Releases a county and extends it.
///
/// # Errors
/// Whatever refuses.
pub fn extended(made: Making<'_>, tables: &str, key: &PatternKey) -> anyhow::Result<Extended> {
    let before = made(&|text| text)?;
    let after = made(&|text| extending(&text, tables))?;
    let first = released(&before, key)?;
    let part = System::new(&after.collection.first_part(), &after.codebook)?;
    ensure!(part.fingerprint() == before.system.fingerprint(), "the first part is the first version");
    let extension = Extension::new(&before.system, &after.system)?;
    for (unit, now) in &after.counts {
        let then = before.counts.get(unit).context("the same units")?;
        ensure!(
            extension.differing((&before.system, then), (&after.system, now)).is_empty(),
            "{unit}: the same records"
        );
    }
    let (pattern, second) = release(&first, &after, &extension)?;
    Ok(Extended { before, first, after, extension, pattern, second })
}

fn release(first: &Released, after: &Made, extension: &Extension) -> anyhow::Result<(Pattern, Release)> {
    let (units, statuses) = (after.units(), after.statuses());
    let shown = extension.pattern(&first.pattern);
    let pattern = suppress::extension::choose(&after.system, &units, &statuses, &shown, extension);
    let document = document_of(after, &pattern);
    ensure!(round::node::opens_enough(&after.system, &document), "the helper would refuse the sums");
    ensure!(
        suppress::extension::repeats(extension, (&units, &shown), (&units, &pattern)),
        "nodes and helper would refuse the pattern"
    );
    let problems = suppress::check::check(&after.system, &units, &statuses, &pattern);
    ensure!(problems.is_empty(), "the nodes would refuse: {:?}", problems.first());
    let readable: Vec<BTreeMap<CellIndex, u64>> =
        (0..after.counts.len()).map(|at| readable_of(after, &document, at)).collect::<Result<_, _>>()?;
    let opened = document.open.iter().map(|cell| (*cell, after.total(*cell))).collect();
    let material = Material {
        units,
        totals: shares::totals(&after.system, &document, &opened, &readable),
        pattern,
        statuses,
        readable,
        first: None,
        beside: Some(extension.figures(first.release.figures())),
    };
    let release = certify(&after.system, after.collection.min_count, &material, &BTreeSet::new())?;
    Ok((material.pattern, release))
}
