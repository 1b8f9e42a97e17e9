//! Phases 6 and 7: from what was opened to a publication, through the audit and no other way.
//!
//! Readable cells and opened sums become figures ([`stage`]); only the audit's `Release` is written, whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use audit::Release;
use daemon::facts::FactError;
use publish::{Publication, WriteError};
use round::region::Region;
use round::shares;
use sha2::{Digest, Sha256};
use suppress::known::KnownError;
use tables::codebook::Codebook;
use tables::extension::Extension;
use tables::figures::Figures;
use tables::system::CellIndex;

use crate::rounds::desk::Desk;

pub use county_stage as stage;
use stage::{First, Material, StageError};

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

impl From<StageError> for ReleaseError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Findings(found) => Self::Findings(found),
            StageError::Known(error) => Self::Known(error),
        }
    }
}

/// Where and as what a region publishes.
pub struct Releaser {
    /// Publications go to `<folder>/region/<county>/<collection>/v<version>`.
    pub folder: PathBuf,
    /// Signs the manifest.
    pub signer: std::sync::Arc<crate::signer::Signer>,
}

/// Figures that the audit certified, and the second of their opening.
pub struct Certified {
    /// What may be published.
    pub release: Release,
    /// Unix time, from the stored facts: the same whenever this is done again (SAME-1).
    pub opened_at: i64,
    /// The totals the coordinator knows, shown or not.
    pub totals: BTreeMap<CellIndex, u64>,
    /// What the version showed that they correct or extend, numbered as here.
    pub before: Option<Figures>,
}

/// The round of the version that is corrected or extended.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// Its desk.
    pub desk: &'a Desk,
    /// Of an extension how its cells are numbered here.
    pub extension: Option<&'a Extension>,
}

impl Certified {
    /// Which totals the release withholds, to be stored with the fact that it was published: a later program may choose others, and what
    /// readers have is not to be guessed (ADR 22).
    pub fn marks(&self) -> (String, Vec<u8>) {
        let withheld = stage::withheld_totals(self.release.figures());
        // A set of numbers is always written.
        (MARKS.into(), postcard::to_allocvec(&withheld).unwrap_or_default())
    }
}

/// Beside a published round's facts: the totals it withholds.
const MARKS: &str = "withheld";

/// What a round published: with the marks that were stored then or, where an earlier program stored none, chosen again.
fn published(first: &Desk) -> Result<Figures, ReleaseError> {
    match first.read(MARKS) {
        Ok(bytes) => {
            let unreadable = |_| FactError::Unreadable { key: MARKS.into() };
            let withheld: BTreeSet<CellIndex> = postcard::from_bytes(&bytes).map_err(unreadable)?;
            let (material, _) = first.look(material)?;
            Ok(first.look(|region| stage::published(region.system(), &material, &withheld)))
        }
        Err(FactError::Missing { .. }) => {
            Ok(certified(first, None, &BTreeSet::new())?.release.figures().clone())
        }
        Err(error) => Err(error.into()),
    }
}

/// From what was opened to figures that may be published, `extra` totals withheld besides, and beside what they correct. Writes
/// nothing.
///
/// # Errors
/// [`ReleaseError`].
pub fn certified(
    desk: &Desk,
    first: Option<Before<'_>>,
    extra: &BTreeSet<CellIndex>,
) -> Result<Certified, ReleaseError> {
    let (mut material, opened_at) = desk.look(material)?;
    let before = first.map(|first| published(first.desk)).transpose()?;
    let before = match first.and_then(|first| first.extension) {
        Some(extension) => before.map(|figures| extension.figures(&figures)),
        None => before,
    };
    match (first, before.clone()) {
        (Some(Before { extension: Some(_), .. }), figures) => material.beside = figures,
        (Some(Before { desk: first, extension: None }), Some(figures)) => {
            let published = first.look(Region::published).ok_or(ReleaseError::State("the first version"))?;
            material.first = Some(First {
                figures,
                statuses: published.statuses,
                changed: desk.look(|region| material.units.iter().map(|unit| region.changed(unit)).collect()),
            });
        }
        _ => {}
    }
    let (system, collection) = desk.look(|region| (region.system().clone(), region.collection().clone()));
    let release = stage::certify(&system, collection.min_count, &material, extra)?;
    Ok(Certified { release, opened_at, totals: material.totals, before })
}

/// A publication that stands in its folder.
pub struct Written {
    /// The SHA-256 of its manifest.
    pub manifest: [u8; 32],
    /// What is stored with that ([`Certified::marks`]).
    pub marks: (String, Vec<u8>),
}

/// Audits and writes.
///
/// # Errors
/// [`ReleaseError`]; the publication's folder does not exist then.
pub fn release(
    desk: &Desk,
    first: Option<Before<'_>>,
    releaser: &Releaser,
    extra: &BTreeSet<CellIndex>,
) -> Result<Written, ReleaseError> {
    let certified = certified(desk, first, extra)?;
    let marks = certified.marks();
    let corrected = first.map(|first| first.desk.look(|region| region.collection().clone()));
    let Certified { release, opened_at, before, .. } = certified;
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
    let codebook = Codebook::built_in(&collection.codebook).ok().flatten();
    let codebook = codebook.ok_or(ReleaseError::State("a codebook"))?;
    let source = publish::table::Source {
        collection: &collection,
        codebook: &codebook,
        system: &system,
        figures: release.figures(),
    };
    let mut publication = Publication::new(source, &names, date).map_err(WriteError::from)?.audited(&release);
    if let Some(pattern) = desk.look(|region| region.document().map(round::document::PatternDocument::hash)) {
        publication = publication.under(pattern);
    }
    if let Some((figures, collection)) = before.as_ref().zip(corrected.as_ref()) {
        let before = publish::table::Source { figures, collection, ..source };
        publication = match source.collection.extends() {
            true => publication.extending(collection.version),
            false => publication.correcting(before).map_err(WriteError::from)?,
        };
    }
    let folder = releaser
        .folder
        .join("region")
        .join(collection.county.to_string())
        .join(&collection.id)
        .join(format!("v{}", collection.version));
    if let Some(manifest) = written_before(&folder, &collection.hash)? {
        return Ok(Written { manifest, marks });
    }
    let sign = |manifest: &[u8]| {
        let signed = releaser.signer.sign(sharing::signing::SigningContext::Manifest, manifest.to_vec());
        publish::Signature { signature: signed.signature, certificate: signed.certificate }
    };
    let parent = folder.parent().unwrap_or(&releaser.folder);
    std::fs::create_dir_all(parent)
        .map_err(|source| ReleaseError::Folder { path: parent.to_path_buf(), source })?;
    publish::write(&folder, &publication, &release, &sign)?;
    let manifest = written_before(&folder, &collection.hash)?.ok_or(ReleaseError::Foreign(folder))?;
    Ok(Written { manifest, marks })
}

fn material(region: &Region) -> Result<(Material, i64), ReleaseError> {
    let document = region.document().ok_or(ReleaseError::State("a pattern"))?;
    let known = region.known().ok_or(ReleaseError::State("opened sums"))?;
    let by_unit = region.statuses();
    // A kommun that stands alone declared of cells, not of unit atoms: of those it has none.
    let own = |statuses: &Vec<_>| if region.system().alone { Vec::new() } else { statuses.clone() };
    let statuses =
        document.roster.iter().map(|entry| by_unit.get(&entry.unit).map(own)).collect::<Option<_>>();
    let material = Material {
        units: document.units(),
        pattern: region.pattern().ok_or(ReleaseError::State("witnesses"))?.clone(),
        statuses: statuses.ok_or(ReleaseError::State("statuses"))?,
        readable: known.readable.clone(),
        totals: shares::totals(region.system(), document, &known.sums, &known.readable),
        first: None,
        beside: None,
    };
    Ok((material, known.at))
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
