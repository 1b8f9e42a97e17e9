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
use tables::strict::{StrictError, StrictRow, StrictTable};
use tables::unit::{GroupCode, KommunKod, LansKod, Omrade, Unit};

use crate::names::{self, Names};
use crate::report;
use crate::revision::{self, Revisions};
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

/// What a national publication says of its counties.
pub struct Realm {
    /// Ascending, with the kommuner that took part and those invited; `None` for a county that is not counted.
    pub counties: Vec<(LansKod, Option<(u32, u32)>)>,
    /// Who answers questions.
    pub contact: String,
}

impl Realm {
    /// `Omfattar 4 av 5 län, 38 av 43 inbjudna kommuner i dem. Deltar inte: Blekinge län.`
    pub fn coverage(&self) -> String {
        let counted: Vec<(u32, u32)> = self.counties.iter().filter_map(|(_, kommuner)| *kommuner).collect();
        let (covered, invited) = counted.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let absent: Vec<String> = self
            .counties
            .iter()
            .filter(|(_, kommuner)| kommuner.is_none())
            .map(|(c, _)| names::county(*c))
            .collect();
        let absent = match absent.as_slice() {
            [] => String::new(),
            names => format!(" Deltar inte: {}.", text::list(names)),
        };
        let (counties, all) = (counted.len(), self.counties.len());
        format!("Omfattar {counties} av {all} län, {covered} av {invited} inbjudna kommuner i dem.{absent}")
    }

    /// One line a county that is counted.
    pub fn lines(&self) -> Vec<String> {
        let line = |(county, kommuner): &(LansKod, Option<(u32, u32)>)| {
            kommuner.map(|(covered, invited)| {
                format!("{}: {covered} av {invited} kommuner.", names::county(*county))
            })
        };
        self.counties.iter().filter_map(line).collect()
    }
}

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
    /// The counties of a national publication; `None` for a county's own.
    pub(crate) realm: Option<Realm>,
    /// What a county's tables were made from.
    pub(crate) figures: Option<&'a Figures>,
    /// Hash of the pattern it was published under: what a second version names.
    pub(crate) pattern: Option<[u8; 32]>,
    /// What a second version changes.
    pub(crate) revisions: Option<Revisions>,
    /// The number of the version that this one extends.
    pub(crate) extends: Option<u32>,
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
            realm: None,
            figures: Some(source.figures),
            revisions: None,
            extends: None,
            pattern: None,
            coordinator: None,
        })
    }

    /// A national publication: tables of counties and the realm, as the audit released them.
    ///
    /// # Errors
    /// [`PublishError`] when the files are not the strict tables of the collection.
    pub fn of_realm(
        (collection, codebook): (&'a Collection, &'a Codebook),
        names: &'a Names,
        date: Date,
        release: &audit::counties::CountyRelease,
        realm: Realm,
    ) -> Result<Self, PublishError> {
        let csv = release.files().to_vec();
        let read = |(name, bytes): &File| StrictTable::from_csv(name, bytes);
        let tables: Vec<StrictTable> = csv.iter().map(read).collect::<Result<_, _>>()?;
        let (found, expected) = (tables.len(), collection.tables.len());
        if found != expected {
            return Err(crate::table::TableError::Tables { found, expected }.into());
        }
        let (roster, figures, coordinator) = (&[][..], None, None);
        Ok(Self {
            collection,
            codebook,
            names,
            date,
            roster,
            tables,
            csv,
            realm: Some(realm),
            figures,
            revisions: None,
            extends: None,
            pattern: None,
            coordinator,
        })
    }

    /// The same with what the audit says of the coordinator in its report.
    #[must_use]
    pub fn audited(mut self, release: &audit::Release) -> Self {
        self.coordinator = Some(report::Coordinator::of(release.report()));
        self
    }

    /// The same, published under the pattern of this hash.
    #[must_use]
    pub fn under(mut self, pattern: [u8; 32]) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// The same as the second version of a publication: what it changes is marked.
    ///
    /// # Errors
    /// [`PublishError`] when the first version's figures are not those of the same tables.
    pub fn correcting(mut self, first: Source<'_>) -> Result<Self, PublishError> {
        let version = first.collection.version;
        self.revisions = Some(Revisions::of(version, &strict_tables(first)?, &self.tables));
        Ok(self)
    }

    /// The same as the second version of a publication whose tables are at hand: what it changes is marked.
    #[must_use]
    pub fn after(mut self, version: u32, tables: &[StrictTable]) -> Self {
        self.revisions = Some(Revisions::of(version, tables, &self.tables));
        self
    }

    /// An extension of the version of this number: what that shows is here as it was.
    #[must_use]
    pub fn extending(mut self, version: u32) -> Self {
        self.extends = Some(version);
        self
    }

    /// Whether a row of a table was another in the version that is corrected.
    pub fn is_revised(&self, table: usize, row: &StrictRow) -> bool {
        self.revisions.as_ref().is_some_and(|revisions| revisions.contains(table, row))
    }

    /// All files but the manifest: strict tables, workbook, report. Equal publications give equal bytes
    /// (SAME-1).
    ///
    /// # Errors
    /// [`PublishError`] when the workbook or the report cannot be written.
    pub fn files(&self) -> Result<Vec<File>, PublishError> {
        let mut files = self.csv.clone();
        files.push((format!("{}.xlsx", self.collection.id), workbook::bytes(self)?));
        if let Some(revisions) = &self.revisions {
            files.push((revision::FILE.into(), revisions.csv(self.collection, &self.tables)));
        }
        let national = self.collection.national.as_ref().filter(|_| self.realm.is_some());
        if let Some(groups) = national.and_then(|national| national.groups.as_ref()) {
            files.push(("kommungrupper.csv".into(), groups.grouping.to_csv().into_bytes()));
        }
        if self.realm.is_none() {
            files.push(("rapport.json".into(), report::bytes(self)?));
        }
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

    /// What the whole is called: the county, or the realm.
    pub fn county(&self) -> String {
        if self.realm.is_some() { "Riket".into() } else { names::county(self.collection.county) }
    }

    /// The area of the totals.
    pub fn whole(&self) -> Omrade {
        if self.realm.is_some() { Omrade::Riket } else { Omrade::County(self.collection.county) }
    }

    /// The groups of kommuner that a table has rows of.
    pub fn groups_of(&self, table: &tables::collection::Table) -> Vec<GroupCode> {
        let national = self.collection.national.as_ref().filter(|_| self.realm.is_some());
        let groups = national.and_then(|national| national.groups.as_ref());
        let of = |groups: &&tables::collection::NationalGroups| {
            self.collection.tables.get(groups.table).is_some_and(|own| own.id == table.id)
        };
        groups.filter(of).map(|groups| groups.grouping.codes()).unwrap_or_default()
    }

    /// Who answers questions.
    pub fn contact(&self) -> &str {
        self.realm.as_ref().map_or(&self.collection.contact, |realm| &realm.contact)
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
        if let Some(realm) = &self.realm {
            return realm.coverage();
        }
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
