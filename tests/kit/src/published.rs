//! Strict tables found by what a row names, from their text: what a reader with the files has.
//!
//! Built by writing the files and reading them back, so that nothing but their bytes is looked at. Judges nothing.

use std::collections::BTreeMap;

use tables::collection::Collection;
use tables::strict::{Status, StrictTable};

/// The measure of counts.
pub const COUNT: &str = "aktualiseringar";

/// What a row names: table, omrade, codes by variable (filter variables too), tid and matt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `T01` …
    pub table: String,
    /// Kommunkod or länskod.
    pub omrade: String,
    /// Variable and code or `TOT`.
    pub codes: BTreeMap<String, String>,
    /// Period.
    pub tid: String,
    /// Measure.
    pub matt: String,
}

impl Key {
    /// A key from texts.
    pub fn new(table: &str, omrade: &str, codes: &[(&str, &str)], tid: &str, matt: &str) -> Self {
        let codes = codes.iter().map(|(variable, code)| ((*variable).into(), (*code).into())).collect();
        Self { table: table.into(), omrade: omrade.into(), codes, tid: tid.into(), matt: matt.into() }
    }

    /// The same row with another code of a variable.
    pub fn with(&self, variable: &str, code: &str) -> Self {
        let mut key = self.clone();
        key.codes.insert(variable.into(), code.into());
        key
    }

    /// The same row with another measure.
    pub fn measured(&self, matt: &str) -> Self {
        Self { matt: matt.into(), ..self.clone() }
    }

    /// The same row for another area.
    pub fn of(&self, omrade: &str) -> Self {
        Self { omrade: omrade.into(), ..self.clone() }
    }

    /// The same row in another period.
    pub fn at(&self, tid: &str) -> Self {
        Self { tid: tid.into(), ..self.clone() }
    }
}

/// What stands in a row: the figure, or the mark in its place.
pub type Entry = Result<i64, &'static str>;

/// All rows of a publication.
pub struct Published {
    /// The files' text by table id.
    pub files: BTreeMap<String, String>,
    /// Rows.
    pub rows: BTreeMap<Key, Entry>,
}

impl Published {
    /// Writes and reads the tables of a collection.
    ///
    /// # Panics
    /// When a table cannot be written or read back: then no test on it means anything.
    pub fn new(collection: &Collection, tables: &[StrictTable]) -> Self {
        let mut found = Self { files: BTreeMap::new(), rows: BTreeMap::new() };
        for (spec, table) in collection.tables.iter().zip(tables) {
            let text = table.to_csv(&spec.id).unwrap_or_else(|error| panic!("{error}"));
            let read =
                StrictTable::from_csv(&spec.id, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            for row in &read.rows {
                let codes = read.dimensions.iter().cloned().zip(row.codes.iter().cloned()).collect();
                let (omrade, tid) = (row.omrade.to_string(), row.tid.to_string());
                let key = Key { table: spec.id.clone(), omrade, codes, tid, matt: row.matt.clone() };
                let entry = match (row.varde, row.status) {
                    (Some(value), Status::Value) => Ok(value),
                    (_, status) => Err(status.mark()),
                };
                found.rows.insert(key, entry);
            }
            found.files.insert(spec.id.clone(), text);
        }
        found
    }

    /// The row, which must be there. A `TOT` of a variable that is no column of the table is left out: a table that only
    /// requires a variable to be known may or may not have a column for it.
    ///
    /// # Panics
    /// When there is no such row: a missing row is an error of the strict form.
    pub fn get(&self, key: &Key) -> Entry {
        self.find(key).unwrap_or_else(|| panic!("no row {key:?}"))
    }

    /// The row, if there is one; see [`Self::get`].
    pub fn find(&self, key: &Key) -> Option<Entry> {
        let mut short = key.clone();
        short.codes.retain(|_, code| code != tables::codebook::TOT);
        self.rows.get(key).or_else(|| self.rows.get(&short)).copied()
    }

    /// Rows of counts of one table.
    pub fn counts<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a Key, Entry)> + 'a {
        let own = self.rows.iter().filter(move |(key, _)| key.table == table && key.matt == COUNT);
        own.map(|(key, entry)| (key, *entry))
    }
}
