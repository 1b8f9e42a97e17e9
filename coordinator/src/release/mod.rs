//! Phases 6 and 7: from what was opened to a publication, through the audit and no other way.
//!
//! Readable cells and opened sums become figures; the county stage withholds totals; the audit certifies; only its
//! `Release` is written. Findings that name totals lead to withholding more and another audit, at most
//! `ATTEMPTS` times; then nothing is written (`20-disclosure`, Two stages).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use audit::sensitive::Place;
use audit::{Budget, CertifyInput, Findings, Release};
use daemon::facts::FactError;
use publish::{Publication, WriteError};
use round::document::PatternDocument;
use round::region::{Known, Region};
use round::shares;
use sha2::{Digest, Sha256};
use suppress::known::{KnownError, Weights, protect_totals};
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::figures::{Figures, Mark, Pattern};
use tables::system::{CellIndex, System};

use crate::rounds::desk::Desk;

/// How often totals are withheld after a failed audit before the round fails.
const ATTEMPTS: usize = 8;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The audit found something that withholding totals does not mend. Places and equations, no figures.
    #[error("the audit did not certify: {0}")]
    Findings(String),
    /// The county stage.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// Writing.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// The round is not there yet: a fault of this program.
    #[error("the round lacks {0}")]
    State(&'static str),
    /// The folder of publications cannot be made.
    #[error("{path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that this program did not write stands where the publication belongs.
    #[error("{0} exists and is not this publication; move it away")]
    Foreign(PathBuf),
}

/// Where and as what a region publishes.
pub struct Releaser {
    /// Publications go to `<folder>/region/<county>/<collection>/v<version>`.
    pub folder: PathBuf,
    /// What codes mean.
    pub codebook: Codebook,
    /// Signs the manifest.
    pub signer: std::sync::Arc<crate::signer::Signer>,
}

/// What a release is made from.
struct Material {
    document: PatternDocument,
    pattern: Pattern,
    statuses: Vec<Vec<FineStatus>>,
    known: Known,
}

/// Figures that the audit certified, and the second of their opening.
pub struct Certified {
    /// What may be published.
    pub release: Release,
    /// Unix time, from the stored facts: the same whenever this is done again (SAME-1).
    pub opened_at: i64,
}

/// From what was opened to figures that may be published. Writes nothing.
///
/// # Errors
/// [`ReleaseError`].
pub fn certified(desk: &Desk) -> Result<Certified, ReleaseError> {
    let material = desk.look(material)?;
    let (system, collection) = desk.look(|region| (region.system().clone(), region.collection().clone()));
    let totals = shares::totals(&system, &material.document, &material.known.sums, &material.known.readable);
    let figures = figures(&system, &material, &totals);
    let release = certify(&system, &collection, &material, &figures, &totals)?;
    Ok(Certified { release, opened_at: material.known.at })
}

/// Audits and writes; the SHA-256 of the manifest.
///
/// # Errors
/// [`ReleaseError`]; the publication's folder does not exist then.
pub fn release(desk: &Desk, releaser: &Releaser) -> Result<[u8; 32], ReleaseError> {
    let Certified { release, opened_at } = certified(desk)?;
    let (system, collection) = desk.look(|region| (region.system().clone(), region.collection().clone()));
    let report = release.report();
    tracing::info!(
        sensitive = report.cells_sensitive,
        coordinator_narrowed = report.coordinator_narrowed,
        coordinator_computed = report.coordinator_computed,
        "certified (SAFE-3: what the coordinator itself could narrow or compute is counted here)"
    );
    let names = publish::names::kommuner();
    let opened = jiff::Timestamp::from_second(opened_at).map_err(|_| ReleaseError::State("a date"))?;
    let date = opened.to_zoned(jiff::tz::TimeZone::UTC).date();
    let source = publish::table::Source {
        collection: &collection,
        codebook: &releaser.codebook,
        system: &system,
        figures: release.figures(),
    };
    let publication = Publication::new(source, &names, date).map_err(WriteError::from)?.audited(&release);
    let folder = releaser
        .folder
        .join("region")
        .join(collection.county.to_string())
        .join(&collection.id)
        .join(format!("v{}", collection.version));
    if let Some(manifest) = written_before(&folder, &collection.hash)? {
        return Ok(manifest);
    }
    let sign = |manifest: &[u8]| {
        let signed = releaser.signer.sign(sharing::signing::SigningContext::Manifest, manifest.to_vec());
        publish::Signature { signature: signed.signature, certificate: signed.certificate }
    };
    let parent = folder.parent().unwrap_or(&releaser.folder);
    std::fs::create_dir_all(parent)
        .map_err(|source| ReleaseError::Folder { path: parent.to_path_buf(), source })?;
    publish::write(&folder, &publication, &release, &sign)?;
    written_before(&folder, &collection.hash)?.ok_or(ReleaseError::Foreign(folder))
}

fn material(region: &Region) -> Result<Material, ReleaseError> {
    let document = region.document().ok_or(ReleaseError::State("a pattern"))?.clone();
    let by_unit = region.statuses();
    let statuses =
        document.roster.iter().map(|entry| by_unit.get(&entry.unit).cloned()).collect::<Option<_>>();
    Ok(Material {
        document,
        pattern: region.pattern().ok_or(ReleaseError::State("witnesses"))?.clone(),
        statuses: statuses.ok_or(ReleaseError::State("statuses"))?,
        known: region.known().ok_or(ReleaseError::State("opened sums"))?.clone(),
    })
}

/// Marks before the county stage: readable cells and known totals shown, everything else withheld.
fn figures(system: &System, material: &Material, totals: &BTreeMap<CellIndex, u64>) -> Figures {
    let of_unit = |readable: &BTreeMap<CellIndex, u64>| -> BTreeMap<CellIndex, Mark> {
        let mark = |cell| (cell, readable.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)));
        system.per_unit().map(mark).collect()
    };
    let total = |cell| (cell, totals.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)));
    Figures {
        units: material.document.units(),
        per_unit: material.known.readable.iter().map(of_unit).collect(),
        totals: (0..system.cells.len()).map(total).collect(),
    }
}

/// The county stage and the audit, again with more withheld while findings say what.
fn certify(
    system: &System,
    collection: &Collection,
    material: &Material,
    figures: &Figures,
    totals: &BTreeMap<CellIndex, u64>,
) -> Result<Release, ReleaseError> {
    let (mut low, mut more) = (BTreeSet::new(), BTreeSet::new());
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let statuses = &material.statuses;
        let weights = Weights::default();
        let mut marked =
            protect_totals(system, figures, statuses, collection.min_count, weights, &low)?.figures;
        for cell in &more {
            marked.totals.insert(*cell, Mark::Withheld);
        }
        let input = CertifyInput {
            system,
            min_count: collection.min_count,
            figures: &marked,
            statuses,
            pattern: &material.pattern,
            known_totals: totals,
            earlier: &[],
            budget: Budget::default(),
            abort: &|| false,
        };
        let findings = match audit::certify(&input) {
            Ok(release) => return Ok(release),
            Err(findings) => findings,
        };
        let (lines, cells) = (lines_to_withhold(&findings), totals_to_withhold(system, &marked, &findings));
        last = sentence(&findings);
        tracing::warn!(%findings, lines = lines.len(), totals = cells.len(), "the audit asks for more withheld");
        let before = low.len() + more.len();
        low.extend(lines);
        more.extend(cells);
        if low.len() + more.len() == before {
            break;
        }
    }
    Err(ReleaseError::Findings(last))
}

/// Unit atoms of findings about units: their lines' totals are withheld next.
fn lines_to_withhold(findings: &Findings) -> BTreeSet<u32> {
    let atoms = |finding: &audit::Finding| match &finding.place {
        Some(Place::Unit { atoms, .. }) => atoms.clone(),
        _ => Vec::new(),
    };
    findings.list().iter().flat_map(atoms).collect()
}

/// For each finding the shown total that takes part and holds least.
fn totals_to_withhold(system: &System, figures: &Figures, findings: &Findings) -> BTreeSet<CellIndex> {
    let shown = |cell: &CellIndex| {
        let value = figures.totals.get(cell).and_then(|mark| mark.shown()).filter(|value| *value > 0)?;
        system.cells[*cell].is_count.then_some((value, *cell))
    };
    let least = |finding: &audit::Finding| {
        let totals = finding.withhold.iter().filter(|candidate| candidate.unit.is_none());
        totals.filter_map(|candidate| shown(&candidate.cell)).min().map(|(_, cell)| cell)
    };
    findings.list().iter().filter_map(least).collect()
}

fn sentence(findings: &Findings) -> String {
    let one = |finding: &audit::Finding| format!("{}: {}", finding.label, finding.explanation);
    match findings.list() {
        [] => findings.to_string(),
        list => list.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

/// The manifest's hash if this publication stands there already: a crash came between its name and our fact.
fn written_before(folder: &std::path::Path, collection: &[u8; 32]) -> Result<Option<[u8; 32]>, ReleaseError> {
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
        return if folder.exists() { Err(ReleaseError::Foreign(folder.into())) } else { Ok(None) };
    };
    let ours = serde_json::from_slice::<serde_json::Value>(&manifest)
        .is_ok_and(|value| value["collection_sha256"] == hex::encode(collection).as_str());
    if ours { Ok(Some(Sha256::digest(&manifest).into())) } else { Err(ReleaseError::Foreign(folder.into())) }
}
