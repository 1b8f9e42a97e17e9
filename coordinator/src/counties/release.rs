//! National tables: what counties show, the sums that were opened, the audit of both together, the folder.
//!
//! Counties' rows are those they published and are not changed here. Of the realm's rows those are withheld that are
//! small, that nobody opened, and those that the audit finds to tell something about a county (SAFE-1); the audit is
//! asked again until it finds nothing. Only its [`CountyRelease`] is written, whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use audit::Budget;
use audit::counties::{Asked, CountyRelease, Exposed, File, GroupRows, Refused, certify};
use publish::WriteError;
use publish::publication::{Publication, Realm};
use publish::table::{Area, BORTFALL, TableError, count_word, tables_of_areas};
use round::national::National;
use sha2::{Digest, Sha256};
use sharing::signing::SigningContext;
use tables::codebook::{Codebook, TOT};
use tables::figures::Mark;
use tables::strict::{StrictError, StrictTable};
use tables::system::CellIndex;
use tables::unit::{LansKod, Omrade};

use super::group_rows::{self, GroupRow};
use crate::signer::Signer;

/// How often sums are withheld after an audit before there is no publication.
const ATTEMPTS: usize = 64;

/// How often figures of kommungrupper are withheld after an audit; the last time all of them.
const GROUP_ATTEMPTS: usize = 4;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NationalReleaseError {
    /// The audit still found so many figures exposed.
    #[error("the audit did not certify: {0} withheld figures could be computed or narrowed")]
    Findings(usize),
    /// What counties show contradicts itself.
    #[error("the counties' tables contradict themselves or cannot be read: {0}")]
    Tables(String),
    /// The tables cannot be made.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The tables break the strict form.
    #[error(transparent)]
    Strict(#[from] StrictError),
    /// Writing.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The round is not there yet: a fault of this program.
    #[error("the national round lacks {0}")]
    State(&'static str),
    /// The folder of publications cannot be made.
    #[error("{path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another publication stands there.
    #[error("{0} exists and is not this publication; move it away")]
    Foreign(PathBuf),
}

/// Everything national tables are made from.
struct Material<'a> {
    machine: &'a National,
    codebook: Codebook,
    counties: Vec<(LansKod, Option<BTreeMap<CellIndex, Mark>>)>,
    totals: BTreeMap<CellIndex, u64>,
    /// Cells that at least one county withholds: of the others everyone can add up the sum.
    hidden: BTreeSet<CellIndex>,
}

impl<'a> Material<'a> {
    fn new(machine: &'a National) -> Result<Self, NationalReleaseError> {
        let codebook = Codebook::built_in(&machine.collection.codebook).ok().flatten();
        let codebook = codebook.ok_or(NationalReleaseError::State("a codebook"))?;
        let pattern = machine.pattern().ok_or(NationalReleaseError::State("a pattern"))?;
        let terms = machine.collection.national.as_ref().ok_or(NationalReleaseError::State("terms"))?;
        let (mut counties, mut hidden) = (Vec::new(), BTreeSet::new());
        let counted = machine.closed().map(|close| close.roster.clone()).unwrap_or_default();
        for county in &terms.counties {
            let figures = machine.figures(pattern, *county).filter(|_| counted.contains(county));
            let marks = figures.map(|figures| {
                let mark = |cell: CellIndex| {
                    let mark = figures.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value));
                    if mark == Mark::Withheld {
                        hidden.insert(cell);
                    }
                    (cell, mark)
                };
                (0..machine.system.cells.len()).map(mark).collect()
            });
            counties.push((*county, marks));
        }
        Ok(Self { machine, codebook, counties, totals: machine.totals(), hidden })
    }

    /// The national figures that are shown.
    fn realm(&self, withheld: &BTreeSet<CellIndex>) -> BTreeMap<CellIndex, u64> {
        let shown = self.totals.iter().filter(|(cell, _)| !withheld.contains(cell));
        shown.map(|(cell, value)| (*cell, *value)).collect()
    }

    fn tables(
        &self,
        realm: &BTreeMap<CellIndex, u64>,
        groups: &[GroupRow],
    ) -> Result<Vec<StrictTable>, NationalReleaseError> {
        let mark =
            |cell: CellIndex| (cell, realm.get(&cell).map_or(Mark::Withheld, |value| Mark::Shown(*value)));
        let realm: BTreeMap<CellIndex, Mark> = (0..self.machine.system.cells.len()).map(mark).collect();
        let mut areas: Vec<Area<'_>> =
            self.counties.iter().map(|(county, marks)| (Omrade::County(*county), marks.as_ref())).collect();
        areas.extend(groups.iter().map(|(group, marks)| (Omrade::Group(group.clone()), marks.as_ref())));
        areas.push((Omrade::Riket, Some(&realm)));
        let collection = &self.machine.collection;
        let mut tables = tables_of_areas(collection, &self.codebook, &self.machine.system, &areas)?;
        let list = collection.national.as_ref().and_then(|national| national.groups.as_ref());
        for (at, table) in tables.iter_mut().enumerate() {
            // One table has rows of groups, and nobody adds up their bortfall.
            let has_groups = list.is_some_and(|list| list.table == at);
            let is_group = |area: &Omrade| matches!(area, Omrade::Group(_));
            table.rows.retain(|row| !is_group(&row.omrade) || has_groups && row.matt != BORTFALL);
        }
        Ok(tables)
    }

    /// What the audit certified, with the rows of groups. Columns in which the audit of those finds something are withheld for every
    /// group; all of them are where that is not enough.
    fn with_groups(
        &self,
        release: CountyRelease,
        withheld: &BTreeSet<CellIndex>,
    ) -> Result<CountyRelease, NationalReleaseError> {
        let realm = self.realm(withheld);
        let mut groups = group_rows::rows(self.machine, &realm);
        if groups.is_empty() {
            return Ok(release);
        }
        let (places, members) = (self.places(), group_rows::members(self.machine));
        let mut found = 0;
        for attempt in 0..GROUP_ATTEMPTS {
            let rows = GroupRows {
                files: self.written(self.tables(&realm, &groups)?)?,
                members: &members,
                min_count: u64::from(self.machine.collection.min_count.get()),
                budget: Budget::default(),
            };
            let exposed = match release.with_groups(rows) {
                Ok(release) => return Ok(release),
                Err(Refused::Exposed(exposed)) => exposed,
                Err(other) => return Err(NationalReleaseError::Tables(other.to_string())),
            };
            found = exposed.len();
            let cell = |place: &Exposed| places.get(&(place.file.clone(), place.column.clone())).copied();
            let cells: BTreeSet<CellIndex> = exposed.iter().filter_map(cell).collect();
            let all = !hide(&mut groups, |cell| cells.contains(&cell)) || attempt + 2 >= GROUP_ATTEMPTS;
            if all {
                hide(&mut groups, |_| true);
            }
            tracing::info!(found, all, "the audit asks for figures of kommungrupper to be withheld");
        }
        Err(NationalReleaseError::Findings(found))
    }

    fn written(&self, tables: Vec<StrictTable>) -> Result<Vec<File>, NationalReleaseError> {
        let file = |(spec, table): (&tables::collection::Table, StrictTable)| {
            let path = publish::publication::csv_path(&spec.id);
            let bytes = table.to_csv(&path)?.into_bytes();
            Ok((path, bytes))
        };
        self.machine.collection.tables.iter().zip(tables).map(file).collect()
    }

    /// The strict files, and the same without the realm's rows.
    fn files(&self, withheld: &BTreeSet<CellIndex>) -> Result<(Vec<File>, Vec<File>), NationalReleaseError> {
        let tables = self.tables(&self.realm(withheld), &[])?;
        let mut counties = tables.clone();
        counties.iter_mut().for_each(|table| table.rows.retain(|row| row.omrade != Omrade::Riket));
        Ok((self.written(tables)?, self.written(counties)?))
    }

    /// The cell of a count by file and heading, as the audit names places.
    fn places(&self) -> HashMap<(String, String), CellIndex> {
        let mut places = HashMap::new();
        for (spec, rows) in self.machine.collection.tables.iter().zip(&self.machine.system.tables) {
            let constants = spec.constant_columns(&self.codebook);
            let own = spec.dimensions.iter().map(|dimension| dimension.id.clone());
            let names: Vec<String> = own.chain(constants.iter().map(|(id, _)| id.clone())).collect();
            for row in &rows.rows {
                let code = |(dimension, code): (&tables::codebook::Resolved, &Option<usize>)| {
                    code.map_or(TOT.to_owned(), |at| dimension.categories[at].code.clone())
                };
                let codes = spec.dimensions.iter().zip(&row.codes).map(code);
                let codes: Vec<String> =
                    codes.chain(constants.iter().map(|(_, code)| code.clone())).collect();
                let tid = spec.periods[row.period].to_string();
                let heading =
                    audit::published::strict::heading(&names, &codes, &tid, count_word(spec.measure));
                places.insert((publish::publication::csv_path(&spec.id), heading), row.cell);
            }
        }
        places
    }
}

/// Withholds figures of every group; whether any was shown.
fn hide(groups: &mut [GroupRow], is_hidden: impl Fn(CellIndex) -> bool) -> bool {
    let mut hidden = false;
    for mark in groups.iter_mut().filter_map(|(_, marks)| marks.as_mut()).flatten() {
        if is_hidden(*mark.0) && matches!(mark.1, Mark::Shown(_)) {
            (*mark.1, hidden) = (Mark::Withheld, true);
        }
    }
    hidden
}

/// Certified national tables.
///
/// # Errors
/// [`NationalReleaseError`].
pub fn certified(machine: &National) -> Result<CountyRelease, NationalReleaseError> {
    let material = Material::new(machine)?;
    let min_count = u64::from(machine.collection.min_count.get());
    let places = material.places();
    let sums = suppress::counties::sums(&machine.system);
    let small = |(cell, value): (&CellIndex, &u64)| {
        let is_small = machine.system.cells[*cell].is_count && (1..min_count).contains(value);
        is_small.then_some(*cell)
    };
    let mut withheld: BTreeSet<CellIndex> = material.totals.iter().filter_map(small).collect();
    let mut found = 0;
    for _ in 0..ATTEMPTS {
        let (tables, counties) = material.files(&withheld)?;
        let realm = Omrade::Riket.to_string();
        let asked = Asked {
            tables: &tables,
            counties: &counties,
            realm: &realm,
            min_count,
            budget: Budget::default(),
        };
        let exposed = match certify(&asked) {
            Ok(release) => return material.with_groups(release, &withheld),
            Err(Refused::Exposed(exposed)) => exposed,
            Err(other) => return Err(NationalReleaseError::Tables(other.to_string())),
        };
        found = exposed.len();
        let before = withheld.len();
        withhold_more(&material, &exposed, &places, &sums, &mut withheld);
        tracing::info!(found, withheld = withheld.len(), "the audit asks for more national sums withheld");
        if withheld.len() == before {
            // Nothing near is left: then everything that any county withholds, and the realm shows only what anyone can add up.
            withheld.extend(material.totals.keys().filter(|cell| material.hidden.contains(cell)));
        }
        if withheld.len() == before {
            break;
        }
    }
    Err(NationalReleaseError::Findings(found))
}

/// For every exposed figure the realm's own figure of the cell; where that is withheld already, in each printed sum that
/// gives it away the least other one.
fn withhold_more(
    material: &Material<'_>,
    exposed: &[Exposed],
    places: &HashMap<(String, String), CellIndex>,
    sums: &[Vec<CellIndex>],
    withheld: &mut BTreeSet<CellIndex>,
) {
    let shows = |cell: &CellIndex, withheld: &BTreeSet<CellIndex>| {
        material.totals.contains_key(cell) && !withheld.contains(cell)
    };
    let mut later = Vec::new();
    for exposed in exposed {
        let Some(cell) = places.get(&(exposed.file.clone(), exposed.column.clone())) else { continue };
        if shows(cell, withheld) {
            withheld.insert(*cell);
        } else {
            later.push(*cell)
        };
    }
    for cell in later {
        for sum in sums.iter().filter(|sum| sum.contains(&cell)) {
            let hidden = sum.iter().filter(|other| !shows(other, withheld)).count();
            if hidden > 1 {
                continue;
            }
            let free = |other: &&CellIndex| shows(other, withheld) && material.hidden.contains(other);
            let least = sum.iter().filter(free).min_by_key(|other| (material.totals.get(*other), **other));
            if let Some(least) = least.copied() {
                withheld.insert(least);
            }
        }
    }
    // Wider relations than printed sums: the figures of the same sums go one by one, least first.
    let cells: BTreeSet<CellIndex> =
        exposed.iter().filter_map(|e| places.get(&(e.file.clone(), e.column.clone()))).copied().collect();
    let near = sums.iter().filter(|sum| sum.iter().any(|cell| cells.contains(cell))).flatten();
    let free = |other: &&CellIndex| shows(other, withheld) && material.hidden.contains(other);
    let next = near.filter(free).min_by_key(|other| (material.totals.get(*other), **other)).copied();
    if let Some(next) = next.filter(|_| !cells.iter().any(|cell| shows(cell, withheld))) {
        withheld.insert(next);
    }
}

/// Audits and writes; the SHA-256 of the manifest.
///
/// # Errors
/// [`NationalReleaseError`]; the publication's folder does not exist then.
pub fn release(machine: &National, folder: &Path, signer: &Signer) -> Result<[u8; 32], NationalReleaseError> {
    let collection = &machine.collection;
    let folder = folder.join("national").join(&collection.id).join(format!("v{}", collection.version));
    if let Some(manifest) = written_before(&folder, machine)? {
        return Ok(manifest);
    }
    let release = certified(machine)?;
    tracing::info!(withheld = release.withheld(), "the national tables are certified");
    let (opened, _) = machine.sums().ok_or(NationalReleaseError::State("sums"))?;
    let opened = jiff::Timestamp::from_second(opened).map_err(|_| NationalReleaseError::State("a date"))?;
    let date = opened.to_zoned(jiff::tz::TimeZone::UTC).date();
    let codebook = Codebook::built_in(&collection.codebook).ok().flatten();
    let codebook = codebook.ok_or(NationalReleaseError::State("a codebook"))?;
    let names = publish::names::kommuner();
    let publication = Publication::of_realm((collection, &codebook), &names, date, &release, realm(machine));
    let mut files = publication.and_then(|publication| publication.files()).map_err(WriteError::from)?;
    let manifest = manifest(machine, &date.to_string(), &files)?;
    let signed = signer.sign(SigningContext::Manifest, manifest.clone());
    let seal = serde_json::json!({
        "signature": hex::encode(&signed.signature),
        "certificate": hex::encode(&signed.certificate),
    });
    files.push(("manifest.sig.json".into(), format!("{seal}\n").into_bytes()));
    files.push(("manifest.json".into(), manifest));
    let parent = folder.parent().unwrap_or(&folder);
    std::fs::create_dir_all(parent)
        .map_err(|source| NationalReleaseError::Folder { path: parent.to_path_buf(), source })?;
    publish::folder::put(&folder, &files)?;
    written_before(&folder, machine)?.ok_or(NationalReleaseError::Foreign(folder))
}

fn manifest(machine: &National, date: &str, files: &[File]) -> Result<Vec<u8>, NationalReleaseError> {
    let file = |(name, bytes): &File| serde_json::json!({ "name": name, "size": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)) });
    let counted: Vec<String> =
        machine.closed().iter().flat_map(|close| &close.roster).map(ToString::to_string).collect();
    let missing: Vec<String> = machine.missing().iter().map(ToString::to_string).collect();
    let manifest = serde_json::json!({
        "collection": machine.collection.id,
        "version": machine.collection.version,
        "national_sha256": hex::encode(machine.reference().shape),
        "date": date,
        "counties": counted,
        "missing": missing,
        "files": files.iter().map(file).collect::<Vec<_>>(),
    });
    let mut bytes =
        serde_json::to_vec_pretty(&manifest).map_err(|_| NationalReleaseError::State("a manifest"))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Who is counted, and who is missing (TRUE-3).
fn realm(machine: &National) -> Realm {
    let terms = machine.collection.national.iter();
    let (mut counties, mut contact) = (Vec::new(), String::new());
    let counted = machine.closed().map(|close| close.roster.clone()).unwrap_or_default();
    for terms in terms {
        let kommuner = |county: &LansKod| machine.offers().get(county).map(|offered| offered.kommuner);
        let county = |county: &LansKod| (*county, kommuner(county).filter(|_| counted.contains(county)));
        counties = terms.counties.iter().map(county).collect();
        contact.clone_from(&terms.contact);
    }
    Realm { counties, contact }
}

/// The manifest's hash if this publication stands there already.
fn written_before(folder: &Path, machine: &National) -> Result<Option<[u8; 32]>, NationalReleaseError> {
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
        return if folder.exists() { Err(NationalReleaseError::Foreign(folder.into())) } else { Ok(None) };
    };
    let shape = hex::encode(machine.reference().shape);
    let ours = serde_json::from_slice::<serde_json::Value>(&manifest)
        .is_ok_and(|value| value["national_sha256"] == shape.as_str());
    if ours {
        Ok(Some(Sha256::digest(&manifest).into()))
    } else {
        Err(NationalReleaseError::Foreign(folder.into()))
    }
}
