//! `rapport.json`: what a publication covers and withholds, for machines.
//!
//! Holds no figure but bortfall, which is published. Says per table how many units its totals cover (TRUE-3).
//! Keys stand in a fixed order (SAME-1).

use serde::Serialize;
use tables::strict::{Status, StrictTable};
use tables::unit::LansKod;

use crate::publication::{Publication, csv_path};
use crate::table::BORTFALL;

#[derive(Serialize)]
struct Report {
    collection: String,
    version: u32,
    title: String,
    collection_sha256: String,
    county: LansKod,
    codebook: String,
    date: String,
    min_count: u32,
    kommuner: Covered,
    units: Covered,
    absent: Vec<Absent>,
    /// What the coordinator itself could do with all it received (SAFE-3): never hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinator: Option<Coordinator>,
    tables: Vec<TableReport>,
}

/// Small unit cells as the audit's play of the coordinator left them. How many cells are sensitive is not said: that
/// would tell primary from secondary.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Coordinator {
    narrowed: usize,
    computed: usize,
    unsettled: usize,
}

impl Coordinator {
    /// From the audit's report.
    pub fn of(report: &audit::AuditReport) -> Self {
        Self {
            narrowed: report.coordinator_narrowed,
            computed: report.coordinator_computed,
            unsettled: report.coordinator_unsettled,
        }
    }
}

#[derive(Serialize, Clone, Copy)]
struct Covered {
    covered: usize,
    invited: usize,
}

#[derive(Serialize)]
struct Absent {
    omrade: String,
    name: String,
}

#[derive(Serialize)]
struct TableReport {
    id: String,
    title: String,
    file: String,
    rows: usize,
    withheld: usize,
    not_delivered: usize,
    totals_cover_kommuner: Covered,
    bortfall: Vec<Bortfall>,
}

#[derive(Serialize)]
struct Bortfall {
    tid: String,
    varde: Option<i64>,
    status: &'static str,
}

/// The report's bytes.
///
/// # Errors
/// Never for a report of this form; a serializer may say otherwise.
pub fn bytes(publication: &Publication) -> Result<Vec<u8>, serde_json::Error> {
    let collection = publication.collection;
    let kommuner = Covered { covered: publication.kommuner_covered(), invited: collection.kommuner() };
    let absent = publication.absent().into_iter();
    let tables = collection.tables.iter().zip(&publication.tables);
    let report = Report {
        collection: collection.id.clone(),
        version: collection.version,
        title: collection.title.clone(),
        collection_sha256: hex::encode(collection.hash),
        county: collection.county,
        codebook: publication.codebook.name(),
        date: publication.date.to_string(),
        min_count: collection.min_count.get(),
        kommuner,
        units: Covered { covered: publication.roster.len(), invited: collection.units.len() },
        absent: absent
            .map(|unit| Absent { omrade: unit.to_string(), name: publication.name(unit) })
            .collect(),
        coordinator: publication.coordinator,
        tables: tables.map(|(spec, table)| of_table(&spec.id, &spec.title, table, kommuner)).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&report)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn of_table(id: &str, title: &str, table: &StrictTable, covered: Covered) -> TableReport {
    let with = |status: Status| table.rows.iter().filter(|row| row.status == status).count();
    let bortfall = table.rows.iter().filter(|row| row.matt == BORTFALL).map(|row| Bortfall {
        tid: row.tid.to_string(),
        varde: row.varde,
        status: row.status.mark(),
    });
    TableReport {
        id: id.into(),
        title: title.into(),
        file: csv_path(id),
        rows: table.rows.len(),
        withheld: with(Status::Withheld),
        not_delivered: with(Status::NotDelivered),
        totals_cover_kommuner: covered,
        bortfall: bortfall.collect(),
    }
}
