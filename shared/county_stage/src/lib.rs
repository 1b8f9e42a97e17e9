//! The county stage: marks for what was opened, withholding over totals, and the audit, as often as it takes.
//!
//! Pure: no store, no clock, no file. Findings that name totals lead to withholding more and another audit, at most
//! `ATTEMPTS` times; then there is no release (`20-disclosure`, Two stages).
//!
//! A crate of its own because a kommun that is its whole county does for itself what a region does for others: see [`alone`]. Nobody
//! else at a node uses it.

use std::collections::{BTreeMap, BTreeSet};

use audit::sensitive::Place;
use audit::versions::FirstVersion;
use audit::{Budget, CertifyInput, Findings, Release};
use suppress::known::{KnownError, Settled, Weights, protect_totals};
use suppress::totals::readable_sum;
use tables::count::{FineStatus, MinCount};
use tables::figures::{Figures, Mark, Pattern};
use tables::system::{CellIndex, System};
use tables::unit::Unit;

pub mod alone;

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The audit found something that withholding totals does not mend. Places and equations, no figures.
    #[error("the audit did not certify: {0}")]
    Findings(String),
    /// The figures do not fit.
    #[error(transparent)]
    Known(#[from] KnownError),
}

/// How often totals are withheld after a failed audit before the round fails.
const ATTEMPTS: usize = 8;
/// After so many, not one total a finding but every one that takes part in it.
const ONE_BY_ONE: usize = 3;

/// What a release is made from.
pub struct Material {
    /// The roster.
    pub units: Vec<Unit>,
    /// The final pattern.
    pub pattern: Pattern,
    /// Per unit of the roster the status of every unit atom.
    pub statuses: Vec<Vec<FineStatus>>,
    /// Per unit of the roster its readable cells.
    pub readable: Vec<BTreeMap<CellIndex, u64>>,
    /// Totals that were opened or follow from readable cells.
    pub totals: BTreeMap<CellIndex, u64>,
    /// The version that this one corrects.
    pub first: Option<First>,
    /// What the version shows that this one extends: stays shown and withheld as it is.
    pub beside: Option<Figures>,
}

/// A published first version.
#[derive(Clone)]
pub struct First {
    /// What it shows.
    pub figures: Figures,
    /// Statuses of its roster.
    pub statuses: Vec<Vec<FineStatus>>,
    /// Per unit of the second roster the cells whose figure is another.
    pub changed: Vec<BTreeSet<CellIndex>>,
}

impl First {
    fn asked(&self) -> FirstVersion<'_> {
        FirstVersion { figures: &self.figures, statuses: &self.statuses, changed: &self.changed }
    }

    /// Totals it withholds: the second version withholds them too, or one of the two would be a pattern less.
    fn withheld(&self) -> BTreeSet<CellIndex> {
        withheld_totals(&self.figures)
    }
}

/// The totals that figures withhold.
pub fn withheld_totals(figures: &Figures) -> BTreeSet<CellIndex> {
    let withheld = figures.totals.iter().filter(|(_, mark)| mark.shown().is_none());
    withheld.map(|(cell, _)| *cell).collect()
}

/// What was published of a material when these totals were withheld: nothing is chosen or judged again.
pub fn published(system: &System, material: &Material, withheld: &BTreeSet<CellIndex>) -> Figures {
    let mut figures = figures(system, material);
    for cell in withheld {
        figures.totals.insert(*cell, Mark::Withheld);
    }
    figures
}

/// Marks before the county stage: readable cells and known totals shown, everything else withheld.
fn figures(system: &System, material: &Material) -> Figures {
    let of_unit = |readable: &BTreeMap<CellIndex, u64>| -> BTreeMap<CellIndex, Mark> {
        let mark = |cell| (cell, readable.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)));
        system.per_unit().map(mark).collect()
    };
    let total = |cell| (cell, material.totals.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)));
    Figures {
        units: material.units.clone(),
        per_unit: material.readable.iter().map(of_unit).collect(),
        totals: (0..system.cells.len()).map(total).collect(),
    }
}

/// The county stage and the audit, again with more withheld while findings say what. `extra` are totals that a national round
/// has withheld besides.
///
/// # Errors
/// [`StageError::Findings`] when the audit still finds something, [`StageError::Known`] when the figures do not
/// fit.
pub fn certify(
    system: &System,
    min_count: MinCount,
    material: &Material,
    extra: &BTreeSet<CellIndex>,
) -> Result<Release, StageError> {
    let figures = figures(system, material);
    let (mut low, mut more) = (BTreeSet::new(), extra.clone());
    more.extend(material.first.iter().flat_map(First::withheld));
    let settled = material.beside.as_ref().map(settled).unwrap_or_default();
    more.extend(&settled.withheld);
    let (mut last, mut budget) = (String::new(), Budget::default());
    for attempt in 0..ATTEMPTS {
        let statuses = &material.statuses;
        let weights = Weights::default();
        let protected = protect_totals(system, &figures, statuses, min_count, weights, &low, &settled)?;
        let mut marked = protected.figures;
        for cell in &more {
            marked.totals.insert(*cell, Mark::Withheld);
        }
        let input = CertifyInput {
            system,
            min_count,
            figures: &marked,
            statuses,
            pattern: &material.pattern,
            known_totals: &material.totals,
            earlier: &[],
            first: material.first.as_ref().map(First::asked),
            budget,
            abort: &|| false,
        };
        let findings = match audit::certify(&input) {
            Ok(release) => return Ok(release),
            Err(findings) => findings,
        };
        // What was not settled needs more work first, not more withheld.
        if matches!(findings, Findings::NotCertified(_)) && budget != Budget::thorough() {
            budget = Budget::thorough();
            continue;
        }
        let (lines, cells) = (
            lines_to_withhold(&findings),
            totals_to_withhold(system, &marked, &findings, &settled.shown, attempt >= ONE_BY_ONE),
        );
        last = sentence(&findings);
        tracing::warn!(%findings, lines = lines.len(), totals = cells.len(), "the audit asks for more withheld");
        let before = low.len() + more.len();
        low.extend(lines);
        more.extend(cells);
        if low.len() + more.len() == before || attempt + 2 == ATTEMPTS {
            // An extension can always show what was shown, and nothing besides.
            let before = more.len();
            more.extend(new_totals(system, &marked, material.beside.as_ref()));
            if more.len() == before {
                break;
            }
        }
    }
    Err(StageError::Findings(last))
}

fn withheld_of_units(figures: &Figures) -> Vec<BTreeSet<CellIndex>> {
    let of = |marks: &BTreeMap<CellIndex, Mark>| {
        marks.iter().filter(|(_, mark)| **mark == Mark::Withheld).map(|(cell, _)| *cell).collect()
    };
    figures.per_unit.iter().map(of).collect()
}

fn settled(first: &Figures) -> Settled {
    let shown = first.totals.iter().filter(|(_, mark)| mark.shown().is_some());
    Settled { shown: shown.map(|(cell, _)| *cell).collect(), withheld: withheld_totals(first) }
}

/// Shown totals that hold somebody and are not of the version that is extended; none where none is.
fn new_totals(system: &System, marked: &Figures, first: Option<&Figures>) -> BTreeSet<CellIndex> {
    let Some(first) = first else { return BTreeSet::new() };
    let holds = |mark: &Mark| mark.shown().is_some_and(|value| value > 0);
    let withheld = withheld_of_units(marked);
    let new = marked.totals.iter().filter(|(cell, mark)| !first.totals.contains_key(cell) && holds(mark));
    let is_free =
        |cell: &CellIndex| system.cells[*cell].is_count && readable_sum(system, &withheld, *cell).is_none();
    new.map(|(cell, _)| *cell).filter(is_free).collect()
}

/// Unit atoms of findings about units: their lines' totals are withheld next.
fn lines_to_withhold(findings: &Findings) -> BTreeSet<u32> {
    let atoms = |finding: &audit::Finding| match &finding.place {
        Some(Place::Unit { atoms, .. }) => atoms.clone(),
        _ => Vec::new(),
    };
    findings.list().iter().flat_map(atoms).collect()
}

/// For each finding the shown total that takes part and holds least, or all that take part. Sums of readable figures are
/// none: anyone can add them up.
fn totals_to_withhold(
    system: &System,
    figures: &Figures,
    findings: &Findings,
    settled: &BTreeSet<CellIndex>,
    all: bool,
) -> BTreeSet<CellIndex> {
    let withheld = withheld_of_units(figures);
    let shown = |cell: &CellIndex| {
        let value = figures.totals.get(cell).and_then(|mark| mark.shown()).filter(|value| *value > 0)?;
        let free = system.cells[*cell].is_count && readable_sum(system, &withheld, *cell).is_none();
        (free && !settled.contains(cell)).then_some((value, *cell))
    };
    let of = |finding: &audit::Finding| -> Vec<CellIndex> {
        let totals = finding.withhold.iter().filter(|candidate| candidate.unit.is_none());
        let mut totals: Vec<_> = totals.filter_map(|candidate| shown(&candidate.cell)).collect();
        totals.sort_unstable();
        totals.truncate(if all { totals.len() } else { 1 });
        totals.into_iter().map(|(_, cell)| cell).collect()
    };
    findings.list().iter().flat_map(of).collect()
}

fn sentence(findings: &Findings) -> String {
    let one = |finding: &audit::Finding| format!("{}: {}", finding.label, finding.explanation);
    match findings.list() {
        [] => findings.to_string(),
        list => list.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}
