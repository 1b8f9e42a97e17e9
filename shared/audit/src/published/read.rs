//! Reads tables with marks and the list of their relations.
//!
//! Semicolon, UTF-8 (with or without byte order mark), a header row. A table file has
//! `table;row;column;subcolumn;value;mark`, one row a cell: either a value or a mark. The relations file has
//! `table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn`, one row a term;
//! rows with one table and relation are one sum. A table may be spread over files.
//!
//! A value that is no count (a mean, a share) and a mark without a meaning are read where no relation adds them
//! up, and are not audited; where one does, they are refused. Nothing is guessed: a cell that a relation names must
//! be there, once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use csv::StringRecord;

use super::{
    Cell, CellIndex, Figure, Kind, MAX_BYTES, MAX_CELLS, MAX_FILES, MAX_TERMS, Marks, Publication,
    PublishedError, Relation, count,
};

const TABLE: &str = "table;row;column;subcolumn;value;mark";
const RELATIONS: &str =
    "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn";

/// A file's name, for errors, and its bytes.
pub type File<'a> = (&'a str, &'a [u8]);

/// Table, row, column, subcolumn.
type Key = (String, String, String, String);

/// Where a cell or the first term of a relation stands.
#[derive(Clone, Copy)]
struct Place {
    file: usize,
    row: usize,
}

/// Reads a publication. Tables keep the order in which they are given.
///
/// # Errors
/// [`PublishedError`] names file, row and column.
pub fn read(tables: &[File], relations: File, marks: &Marks) -> Result<Publication, PublishedError> {
    if tables.is_empty() {
        return Err(PublishedError::NoTable { expected: "files named tabell-*.csv" });
    }
    if tables.len() > MAX_FILES {
        return Err(limit(relations.0, "table files", MAX_FILES));
    }
    let mut reader = Reader {
        files: tables,
        marks,
        index: HashMap::new(),
        places: Vec::new(),
        order: Order::default(),
        publication: Publication::default(),
    };
    for file in 0..tables.len() {
        reader.table(file)?;
    }
    reader.relations(relations)?;
    Ok(reader.publication)
}

fn limit(file: &str, what: &'static str, most: usize) -> PublishedError {
    PublishedError::Limit { file: file.into(), what, most }
}

/// The order of reports: tables, columns and rows as they first occur.
#[derive(Default)]
pub(super) struct Order {
    tables: HashMap<String, u32>,
    columns: HashMap<(u32, String), u32>,
    rows: HashMap<(u32, String), u32>,
}

impl Order {
    pub(super) fn of(&mut self, table: &str, column: &str, row: &str) -> (u32, u32, u32) {
        let fresh = self.tables.len() as u32; // at most MAX_CELLS
        let at = *self.tables.entry(table.to_owned()).or_insert(fresh);
        let fresh = self.columns.len() as u32;
        let column = *self.columns.entry((at, column.to_owned())).or_insert(fresh);
        let fresh = self.rows.len() as u32;
        (at, column, *self.rows.entry((at, row.to_owned())).or_insert(fresh))
    }
}

struct Reader<'a> {
    files: &'a [File<'a>],
    marks: &'a Marks,
    index: HashMap<Key, CellIndex>,
    places: Vec<Place>,
    order: Order,
    publication: Publication,
}

impl Reader<'_> {
    fn table(&mut self, file: usize) -> Result<(), PublishedError> {
        let (name, _) = self.files[file];
        for (row, record) in records(self.files[file], TABLE)? {
            if self.publication.cells.len() >= MAX_CELLS {
                return Err(limit(name, "cells", MAX_CELLS));
            }
            let key: Key = (text(&record, 0), text(&record, 1), text(&record, 2), text(&record, 3));
            let figure = self.figure(name, row, &text(&record, 4), &text(&record, 5))?;
            for (at, column) in [(&key.0, "table"), (&key.1, "row"), (&key.2, "column")] {
                if at.is_empty() {
                    return Err(field(name, row, column, "a name"));
                }
            }
            let column = heading(&key.2, &key.3);
            let order = self.order.of(&key.0, &column, &key.1);
            let cell = Cell { table: key.0.clone(), row: key.1.clone(), column, figure, order };
            match self.index.entry(key) {
                Entry::Occupied(known) => {
                    let first = self.places[*known.get()];
                    return Err(self.twice(name, row, first));
                }
                Entry::Vacant(fresh) => fresh.insert(self.publication.cells.len()),
            };
            self.publication.cells.push(cell);
            self.places.push(Place { file, row });
        }
        Ok(())
    }

    fn twice(&self, name: &str, row: usize, first: Place) -> PublishedError {
        PublishedError::Duplicate {
            file: name.into(),
            row,
            first_file: self.files[first.file].0.into(),
            first: first.row,
        }
    }

    fn figure(&self, name: &str, row: usize, value: &str, mark: &str) -> Result<Figure, PublishedError> {
        match (value.is_empty(), mark.is_empty()) {
            (true, true) => Err(field(name, row, "value", "a value, or a mark that says why there is none")),
            (false, false) => Err(field(name, row, "mark", "no mark, since there is a value")),
            (false, true) => Ok(count(value).map_or(Figure::NoCount, Figure::Shown)),
            (true, false) => Ok(match self.marks.meaning(mark) {
                None => Figure::NoCount,
                Some(meaning) if meaning.upper == Some(meaning.lower) => Figure::Shown(meaning.lower),
                Some(meaning) => Figure::Withheld { mark: mark.into(), meaning },
            }),
        }
    }

    fn relations(&mut self, file: File) -> Result<(), PublishedError> {
        let mut known: HashMap<(String, String), (usize, usize)> = HashMap::new();
        let mut terms: HashMap<(usize, CellIndex), usize> = HashMap::new();
        for (row, record) in records(file, RELATIONS)? {
            if terms.len() >= MAX_TERMS {
                return Err(limit(file.0, "terms of relations", MAX_TERMS));
            }
            let total = self.cell(file.0, row, &record, 2)?;
            let term = self.cell(file.0, row, &record, 5)?;
            if total == term {
                return Err(field(file.0, row, "term_row", "a term other than the total"));
            }
            let id = (text(&record, 0), text(&record, 1));
            let (at, first) = match known.entry(id) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(fresh) => {
                    let at = self.publication.relations.len();
                    let relation = self.relation(fresh.key(), total);
                    self.publication.relations.push(relation);
                    *fresh.insert((at, row))
                }
            };
            let relation = &mut self.publication.relations[at];
            if relation.total != total {
                let expected = "the total that the relation's first row names";
                return Err(field(file.0, row, "total_row", expected));
            }
            if let Some(first) = terms.insert((at, term), row) {
                return Err(PublishedError::Duplicate {
                    file: file.0.into(),
                    row,
                    first_file: file.0.into(),
                    first,
                });
            }
            relation.terms.push(term);
            let cells = if first == row { vec![total, term] } else { vec![term] };
            for cell in cells {
                self.is_count(cell, file.0, row)?;
            }
        }
        Ok(())
    }

    fn relation(&self, (table, id): &(String, String), total: CellIndex) -> Relation {
        let cell = &self.publication.cells[total];
        Relation {
            name: format!("tabell {table}, samband {id} ({}, {})", cell.row, cell.column),
            kind: Kind::Sum,
            total,
            terms: Vec::new(),
        }
    }

    /// The cell that three fields from `at` on name.
    fn cell(
        &self,
        name: &str,
        row: usize,
        record: &StringRecord,
        at: usize,
    ) -> Result<CellIndex, PublishedError> {
        let key: Key = (text(record, 0), text(record, at), text(record, at + 1), text(record, at + 2));
        let column = if at == 2 { "total_row" } else { "term_row" };
        self.index.get(&key).copied().ok_or_else(|| PublishedError::NoCell { file: name.into(), row, column })
    }

    fn is_count(&self, cell: CellIndex, by: &str, by_row: usize) -> Result<(), PublishedError> {
        if self.publication.cells[cell].figure != Figure::NoCount {
            return Ok(());
        }
        let place = self.places[cell];
        Err(PublishedError::NoMeaning {
            file: self.files[place.file].0.into(),
            row: place.row,
            column: "value or mark",
            by: by.into(),
            by_row,
        })
    }
}

/// `column`, or `column / subcolumn`.
fn heading(column: &str, subcolumn: &str) -> String {
    if subcolumn.is_empty() { column.to_owned() } else { format!("{column} / {subcolumn}") }
}

fn text(record: &StringRecord, at: usize) -> String {
    record.get(at).unwrap_or_default().trim().to_owned()
}

fn field(file: &str, row: usize, column: &'static str, expected: &'static str) -> PublishedError {
    PublishedError::Field { file: file.into(), row, column, expected }
}

/// The rows after the header, with their numbers; the header is row 1.
fn records((name, bytes): File, header: &'static str) -> Result<Vec<(usize, StringRecord)>, PublishedError> {
    if bytes.len() > MAX_BYTES {
        return Err(limit(name, "bytes", MAX_BYTES));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(b';').from_reader(bytes);
    let expected: Vec<&str> = header.split(';').collect();
    let mut rows = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let line =
            |position: Option<&csv::Position>| position.map_or(at + 1, |position| line_of(bytes, position));
        let record = record
            .map_err(|error| PublishedError::Encoding { file: name.into(), row: line(error.position()) })?;
        let row = line(record.position());
        if at == 0 {
            if record.iter().map(str::trim).ne(expected.iter().copied()) {
                break;
            }
        } else if record.len() != expected.len() {
            return Err(PublishedError::Fields {
                file: name.into(),
                row,
                found: record.len(),
                expected: expected.len(),
            });
        }
        rows.push((row, record));
    }
    if rows.is_empty() {
        return Err(PublishedError::Header { file: name.into(), expected: header });
    }
    rows.remove(0);
    Ok(rows)
}

/// The line a record stands on: the reader's position is before the blank lines that it skips.
fn line_of(bytes: &[u8], position: &csv::Position) -> usize {
    let start = usize::try_from(position.byte()).unwrap_or(bytes.len()).min(bytes.len());
    let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let lines = blank.filter(|byte| **byte == b'\n').count();
    usize::try_from(position.line()).unwrap_or(usize::MAX).saturating_add(lines)
}
