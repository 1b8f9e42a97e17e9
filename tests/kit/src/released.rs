//! From the made county to its publication, as a region makes it.
//!
//! What it leaves out: the network, certificates, shares and the helper. What the region would open is added up here from
//! true counts, and only for cells on the pattern's list; everything else goes through `round::shares::totals`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use audit::Release;
use coordinator::release::stage::{Material, certify};
use publish::table::{Source, strict_tables};
use round::document::{CollectionRef, PatternDocument, RosterEntry, Stage, Tier, witness_root};
use round::shares;
use suppress::blind::{Request, choose};
use suppress::key::PatternKey;
use tables::count::FineStatus;
use tables::figures::{Mark, Pattern};
use tables::strict::StrictTable;
use tables::system::CellIndex;

use crate::made::Made;
use crate::published::Published;

/// A certified publication with what it was made from.
pub struct Released {
    /// The final pattern.
    pub pattern: Pattern,
    /// Totals as the region knows them: opened or added up from readable cells.
    pub known_totals: BTreeMap<CellIndex, u64>,
    /// Plain totals that the county stage withholds.
    pub secondary: BTreeSet<CellIndex>,
    /// The audited figures.
    pub release: Release,
    /// The strict tables, in the collection's order.
    pub tables: Vec<StrictTable>,
    /// The same, found by what they name.
    pub published: Published,
}

/// Chooses the pattern, lets the nodes ask for more, opens, protects, audits and makes the strict tables.
///
/// # Errors
/// Whatever refuses.
pub fn released(made: &Made, key: &PatternKey) -> anyhow::Result<Released> {
    let statuses = made.statuses();
    let pattern = pattern_of(made, &statuses, key)?;
    let document = document_of(made, &pattern);
    anyhow::ensure!(round::node::opens_enough(&made.system, &document), "the helper would refuse the sums");
    let problems = suppress::check::check(&made.system, &made.units(), &statuses, &pattern);
    anyhow::ensure!(problems.is_empty(), "the nodes would refuse: {:?}", problems.first());
    let readable: Vec<_> =
        (0..made.counts.len()).map(|at| readable_of(made, &document, at)).collect::<Result<_, _>>()?;
    let opened = document.open.iter().map(|cell| (*cell, made.total(*cell))).collect();
    let totals = shares::totals(&made.system, &document, &opened, &readable);
    let material =
        Material { units: made.units(), pattern, statuses, readable, totals, first: None, beside: None };
    let release = certify(&made.system, made.collection.min_count, &material, &BTreeSet::new())?;
    let Material { pattern, totals: known_totals, .. } = material;
    let plain = |cell: &CellIndex| {
        let hidden = release.figures().totals.get(cell) == Some(&Mark::Withheld);
        hidden
            && known_totals
                .get(cell)
                .is_some_and(|total| *total >= u64::from(made.collection.min_count.get()))
    };
    let secondary = (0..made.system.cells.len()).filter(plain).collect();
    let source = Source {
        collection: &made.collection,
        codebook: &made.codebook,
        system: &made.system,
        figures: release.figures(),
    };
    let tables = strict_tables(source)?;
    let published = Published::new(&made.collection, &tables);
    Ok(Released { pattern, known_totals, secondary, release, tables, published })
}

/// Phases 3 and 3b.
fn pattern_of(made: &Made, statuses: &[Vec<FineStatus>], key: &PatternKey) -> anyhow::Result<Pattern> {
    let (units, min_count) = (made.units(), made.collection.min_count);
    let first = choose(&made.system, &units, statuses, key, &[])?;
    let mut requests = Vec::new();
    for ((unit, values), withheld) in (0u32..).zip(made.unit_values()).zip(&first.withheld) {
        let lines = suppress::request::lines(&made.system, min_count, withheld, &values);
        requests.extend(lines.into_iter().map(|atoms| Request { unit, atoms }));
    }
    Ok(choose(&made.system, &units, statuses, key, &requests)?)
}

pub(crate) fn document_of(made: &Made, pattern: &Pattern) -> PatternDocument {
    let roster = made.units().into_iter().map(|unit| RosterEntry { unit, certificate: [0; 32] });
    PatternDocument {
        collection: CollectionRef::of(&made.collection),
        round: 1,
        tier: Tier::Region,
        stage: Stage::Final,
        roster: roster.collect(),
        withheld: pattern.withheld.clone(),
        open: pattern.open.clone(),
        closed: pattern.closed.clone(),
        witness_root: witness_root(pattern, made.counts.len()),
        helper_key_id: [0; 32],
        submit_until: 0,
    }
}

/// A unit's readable cells as the region gets them: through their encoding.
pub(crate) fn readable_of(
    made: &Made,
    document: &PatternDocument,
    place: usize,
) -> anyhow::Result<BTreeMap<CellIndex, u64>> {
    let counts = made.counts.values().nth(place).context("a unit of the roster")?;
    let sent = shares::readable(&made.system, counts, document, place).encode();
    shares::Readable::decode(&sent, &made.system, document, place).context("readable cells")
}
