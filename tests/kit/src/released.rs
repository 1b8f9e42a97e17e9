//! From the made county to its publication, as a region makes it.
//!
//! What it leaves out: the network, certificates, shares and the helper. What the region would open is added up here from
//! true counts, and only for cells on the pattern's list; everything else goes through `round::shares::totals`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow};
use audit::{Budget, CertifyInput, Release};
use publish::table::{Source, strict_tables};
use round::document::{CollectionRef, PatternDocument, RosterEntry, Stage, Tier, witness_root};
use round::shares;
use suppress::blind::{Request, choose};
use suppress::key::PatternKey;
use suppress::known::{Weights, protect_totals};
use tables::count::FineStatus;
use tables::figures::{Figures, Mark, Pattern};
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

/// Chooses the pattern, lets the nodes ask for more, opens, protects, audits once and makes the strict tables.
///
/// # Errors
/// Whatever refuses. The audit must certify at the first attempt: that the coordinator could withhold more and try again
/// is not used here.
pub fn released(made: &Made, key: &PatternKey) -> anyhow::Result<Released> {
    let statuses = made.statuses();
    let pattern = pattern_of(made, &statuses, key)?;
    let document = document_of(made, &pattern);
    let readable: Vec<_> =
        (0..made.counts.len()).map(|at| readable_of(made, &document, at)).collect::<Result<_, _>>()?;
    let opened = document.open.iter().map(|cell| (*cell, made.total(*cell))).collect();
    let known_totals = shares::totals(&made.system, &document, &opened, &readable);
    let figures = figures_of(made, &readable, &known_totals);
    let min_count = made.collection.min_count;
    let protected =
        protect_totals(&made.system, &figures, &statuses, min_count, Weights::default(), &BTreeSet::new())?;
    anyhow::ensure!(protected.unprotected.is_empty(), "{} totals unprotected", protected.unprotected.len());
    let release = certify(made, &statuses, &pattern, (&protected.figures, &known_totals))?;
    let source = Source {
        collection: &made.collection,
        codebook: &made.codebook,
        system: &made.system,
        figures: release.figures(),
    };
    let tables = strict_tables(source)?;
    let published = Published::new(&made.collection, &tables);
    Ok(Released { pattern, known_totals, secondary: protected.secondary, release, tables, published })
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

fn document_of(made: &Made, pattern: &Pattern) -> PatternDocument {
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
fn readable_of(
    made: &Made,
    document: &PatternDocument,
    place: usize,
) -> anyhow::Result<BTreeMap<CellIndex, u64>> {
    let counts = made.counts.values().nth(place).context("a unit of the roster")?;
    let sent = shares::readable(&made.system, counts, document, place).encode();
    shares::Readable::decode(&sent, &made.system, document, place).context("readable cells")
}

fn figures_of(
    made: &Made,
    readable: &[BTreeMap<CellIndex, u64>],
    totals: &BTreeMap<CellIndex, u64>,
) -> Figures {
    let mark = |known: &BTreeMap<CellIndex, u64>, cell| {
        (cell, known.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)))
    };
    Figures {
        units: made.units(),
        per_unit: readable
            .iter()
            .map(|own| made.system.per_unit().map(|cell| mark(own, cell)).collect())
            .collect(),
        totals: (0..made.system.cells.len()).map(|cell| mark(totals, cell)).collect(),
    }
}

fn certify(
    made: &Made,
    statuses: &[Vec<FineStatus>],
    pattern: &Pattern,
    (figures, known_totals): (&Figures, &BTreeMap<CellIndex, u64>),
) -> anyhow::Result<Release> {
    let input = CertifyInput {
        system: &made.system,
        min_count: made.collection.min_count,
        figures,
        statuses,
        pattern,
        known_totals,
        earlier: &[],
        budget: Budget::default(),
        abort: &|| false,
    };
    audit::certify(&input).map_err(|findings| {
        let said =
            findings.list().iter().map(|finding| format!("{}: {}", finding.label, finding.explanation));
        anyhow!("{findings}: {}", said.collect::<Vec<_>>().join("; "))
    })
}
