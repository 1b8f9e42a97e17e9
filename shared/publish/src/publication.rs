//! A publication in memory: the strict tables of a collection and everything that is printed around them.
//!
//! Made from marks that are already decided. Invariants: the units are those of the roster, the absent ones
//! are all others that were invited (TRUE-3), and every table has been written in the strict form once, so
//! none can fail to be written later.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rust_xlsxwriter::XlsxError;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::figures::Figures;
use tables::strict::{StrictError, StrictTable};
use tables::unit::{KommunKod, Unit};

use crate::names::{self, Names};
use crate::report;
use crate::table::{Source, TableError, strict_tables};
use crate::text;
use crate::workbook;

/// A publication that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The figures are not those of the collection.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A table that breaks the strict form: the collection asks for the same row twice, or our fault.
    #[error(transparent)]
    Strict(#[from] StrictError),
    /// The workbook cannot be written.
    #[error("workbook: {0}")]
    Workbook(#[from] XlsxError),
    /// The report cannot be written.
    #[error("report: {0}")]
    Report(#[from] serde_json::Error),
}

/// A file of a publication: its path inside the folder, with `/`, and its bytes.
pub type File = (String, Vec<u8>);

/// A publication.
pub struct Publication<'a> {
    /// What was asked.
    pub collection: &'a Collection,
    /// What codes mean.
    pub codebook: &'a Codebook,
    /// What kommuner are called.
    pub names: &'a Names,
    /// Day of publication.
    pub date: Date,
    /// Units that took part, ascending.
    pub roster: &'a [Unit],
    /// Tables in the collection's order.
    pub tables: Vec<StrictTable>,
    csv: Vec<File>,
    /// What the tables were made from.
    pub(crate) figures: &'a Figures,
    /// What the audit says of the coordinator, for the report.
    pub(crate) coordinator: Option<report::Coordinator>,
}

impl<'a> Publication<'a> {
    /// Makes the tables of a publication dated `date`.
    ///
    /// # Errors
    /// [`PublishError`] when the figures are not those of the collection, or the tables break the strict
    /// form.
    pub fn new(source: Source<'a>, names: &'a Names, date: Date) -> Result<Self, PublishError> {
        let tables = strict_tables(source)?;
        let mut csv = Vec::with_capacity(tables.len());
        for (spec, table) in source.collection.tables.iter().zip(&tables) {
            let path = csv_path(&spec.id);
            csv.push((path.clone(), table.to_csv(&path)?.into_bytes()));
        }
        let roster = &source.figures.units;
        Ok(Self {
            collection: source.collection,
            codebook: source.codebook,
            names,
            date,
            roster,
            tables,
            csv,
            figures: source.figures,
            coordinator: None,
        })
    }

    /// The same with what the audit says of the coordinator in its report.
    #[must_use]
    pub fn audited(mut self, release: &audit::Release) -> Self {
        self.coordinator = Some(report::Coordinator::of(release.report()));
        self
    }

    /// All files but the manifest: strict tables, workbook, report. Equal publications give equal bytes
    /// (SAME-1).
    ///
    /// # Errors
    /// [`PublishError`] when the workbook or the report cannot be written.
    pub fn files(&self) -> Result<Vec<File>, PublishError> {
        let mut files = self.csv.clone();
        files.push((format!("{}.xlsx", self.collection.id), workbook::bytes(self)?));
        files.push(("rapport.json".into(), report::bytes(self)?));
        Ok(files)
    }

    /// Invited units that did not take part, ascending.
    pub fn absent(&self) -> Vec<&Unit> {
        self.collection.units.iter().filter(|unit| !self.roster.contains(unit)).collect()
    }

    /// What a unit is called.
    pub fn name(&self, unit: &Unit) -> String {
        names::unit(self.names, unit)
    }

    /// What the county is called.
    pub fn county(&self) -> String {
        names::county(self.collection.county)
    }

    /// How many kommuner every total covers in full. A kommun of which a sub-unit is absent is not covered in
    /// full.
    pub fn kommuner_covered(&self) -> usize {
        let missing: BTreeSet<KommunKod> = self.absent().into_iter().map(Unit::kommun).collect();
        self.roster
            .iter()
            .map(Unit::kommun)
            .filter(|kommun| !missing.contains(kommun))
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// `Omfattar 9 av 10 kommuner. Deltar inte: Ockelbo.`
    pub fn coverage(&self) -> String {
        let (covered, invited) = (self.kommuner_covered(), self.collection.kommuner());
        let units = match self.collection.units.len() {
            all if all == invited => String::new(),
            all => format!(" ({} av {all} enheter)", self.roster.len()),
        };
        let absent: Vec<String> = self.absent().into_iter().map(|unit| self.name(unit)).collect();
        let absent = match absent.as_slice() {
            [] => String::new(),
            names => format!(" Deltar inte: {}.", text::list(names)),
        };
        format!("Omfattar {covered} av {invited} kommuner{units}.{absent}")
    }
}

/// Where a table's strict file stands in the folder.
pub fn csv_path(table: &str) -> String {
    format!("csv/{table}.csv")
}
