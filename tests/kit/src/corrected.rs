//! Second versions: kommuner of a released county correct some records, or come late, and the county is released again.
//!
//! The way of the figures is the product's own, as in `released`; corrections are made here, at random, from a seed. Holds true
//! counts of both versions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use audit::Release;
use coordinator::release::stage::{First, Material, certify};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use round::shares;
use suppress::correction::{After, Before, Corrected, CorrectionError, choose};
use suppress::key::PatternKey;
use tables::figures::Mark;
use tables::system::{CellIndex, Counts};
use tables::unit::Unit;

use crate::made::Made;
use crate::released::{Released, document_of, readable_of, released};

/// What is corrected.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Chooses kommuner and records.
    pub seed: u64,
    /// Kommuner that correct.
    pub kommuner: usize,
    /// Records of each that were registered wrongly: half are removed, half get other codes.
    pub records: usize,
    /// Whether one more kommun comes late.
    pub late: bool,
}

/// Two versions.
pub struct Versions {
    /// The county of the first.
    pub before: Made,
    /// The first.
    pub first: Released,
    /// The county of the second; who could not be protected is not in it.
    pub after: Made,
    /// What the second shows, audited beside the first.
    pub second: Release,
    /// Kommuner whose correction nothing hides.
    pub absent: BTreeSet<Unit>,
}

/// Withheld cells of kommuner, and shown totals.
pub fn shows(release: &Release) -> (usize, usize) {
    let hidden = |mark: &&Mark| **mark == Mark::Withheld;
    let figures = release.figures();
    let units = figures.per_unit.iter().map(|marks| marks.values().filter(hidden).count()).sum();
    (units, figures.totals.values().filter(|mark| mark.shown().is_some()).count())
}

/// Releases a county, corrects it, and releases it again.
///
/// # Errors
/// Whatever refuses, the joint audit included.
pub fn corrected(mut before: Made, key: &PatternKey, wanted: Wanted) -> anyhow::Result<Versions> {
    let mut rng = ChaCha20Rng::seed_from_u64(wanted.seed);
    let all: Vec<Unit> = before.units();
    let mut pick = || all[below(&mut rng, all.len())].clone();
    let late = wanted.late.then(&mut pick);
    let mut chosen = BTreeSet::new();
    while chosen.len() < wanted.kommuner.min(all.len() - 1) {
        chosen.extend(Some(pick()).filter(|unit| Some(unit) != late.as_ref()));
    }
    let mut after = before.clone();
    for unit in &chosen {
        let counts = after.counts.get_mut(unit).context("a unit")?;
        let corrected = mistakes(counts.to_stored().to_vec(), wanted.records, &mut rng);
        *counts = Counts::from_stored(&before.system, corrected).context("counts")?;
    }
    late.iter().for_each(|unit| _ = before.counts.remove(unit));
    let first = released(&before, key)?;
    let (chosen, absent) = pattern(&before, &first, &mut after, key)?;
    let second = release(&before, &first, &after, chosen)?;
    Ok(Versions { before, first, after, second, absent })
}

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

fn mistakes(mut counts: Vec<u32>, records: usize, rng: &mut ChaCha20Rng) -> Vec<u32> {
    for record in 0..records {
        let held: Vec<usize> = (0..counts.len()).filter(|atom| counts[*atom] > 0).collect();
        let Some(from) = held.get(below(rng, held.len())) else { return counts };
        counts[*from] -= 1;
        if record % 2 == 1 {
            let to = below(rng, counts.len());
            counts[to] += 1;
        }
    }
    counts
}

fn changed(before: &Made, after: &Made) -> Vec<BTreeSet<CellIndex>> {
    let differing = |(unit, now): (&Unit, &Counts)| match before.counts.get(unit) {
        Some(then) => before.system.differing(then, now),
        None => (0..before.system.cells.len()).collect(),
    };
    after.counts.iter().map(differing).collect()
}

/// As the region chooses: without those that nothing hides, until there is a pattern.
fn pattern(
    before: &Made,
    first: &Released,
    after: &mut Made,
    key: &PatternKey,
) -> anyhow::Result<(Corrected, BTreeSet<Unit>)> {
    let (old_units, old_statuses) = (before.units(), before.statuses());
    let mut absent = BTreeSet::new();
    loop {
        let (units, statuses, changed) = (after.units(), after.statuses(), changed(before, after));
        let keep = vec![BTreeSet::new(); units.len()];
        let one = Before { units: &old_units, statuses: &old_statuses, pattern: &first.pattern };
        let two = After { units: &units, statuses: &statuses, changed: &changed, keep: &keep };
        match choose(&before.system, one, two, key) {
            Ok(chosen) => return Ok((chosen, absent)),
            Err(CorrectionError::Unprotected { units }) => {
                after.counts.retain(|unit, _| !units.contains(unit));
                ensure!(after.counts.len() >= 5, "too few are left");
                absent.extend(units);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn release(before: &Made, first: &Released, after: &Made, chosen: Corrected) -> anyhow::Result<Release> {
    let document = document_of(after, &chosen.pattern);
    ensure!(round::node::opens_enough(&after.system, &document), "the helper would refuse the sums");
    ensure!(chosen.pattern.open.is_subset(&first.pattern.open), "the helper would refuse the pattern");
    let readable: Vec<BTreeMap<CellIndex, u64>> =
        (0..after.counts.len()).map(|at| readable_of(after, &document, at)).collect::<Result<_, _>>()?;
    let opened = document.open.iter().map(|cell| (*cell, after.total(*cell))).collect();
    let material = Material {
        units: after.units(),
        totals: shares::totals(&after.system, &document, &opened, &readable),
        pattern: chosen.pattern,
        statuses: after.statuses(),
        readable,
        first: Some(First {
            figures: first.release.figures().clone(),
            statuses: before.statuses(),
            changed: changed(before, after),
        }),
        beside: None,
    };
    Ok(certify(&after.system, after.collection.min_count, &material, &BTreeSet::new())?)
}
