//! Reads an extract: bytes to coded rows and a report.
//!
//! Does not open paths, keep files or know what is done with the rows. The kind of file is told by its bytes, the
//! header is found under title rows, and every row below it is read, refused, skipped or blank, and counted.
//!
//! STAY-1: what leaves here is codes, counts, row numbers and column headers. The labels that fit no code leave only
//! inside [`UnmappedLabels`], which prints nothing. Cells of columns that are not asked for do not outlive their row.

mod cell;
mod compound;
mod crew;
mod error;
mod gather;
mod header;
mod limits;
mod lines;
mod marks;
mod query;
mod reading;
mod report;
mod rows;
mod seen;
#[cfg(test)]
mod tests;
mod text;
mod threads;
mod unpack;
mod workbook;

use std::fmt;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::civil::Date;
use tables::codebook::{Codebook, Given};

pub use error::{IntakeError, TextProblem, WorkbookProblem};
pub use limits::{
    HEADER_SEARCH_ROWS, Limit, MAX_CELL_CHARS, MAX_COLUMNS, MAX_FILE_BYTES, MAX_HELD_BYTES, MAX_HELD_CELLS,
    MAX_LISTED, MAX_PARTS, MAX_ROW_BYTES, MAX_ROWS, MAX_SHEETS, MAX_STRINGS, MAX_UNMAPPED_LABELS,
    MAX_UNPACKED_BYTES, MAX_WORKBOOK_BYTES, MAX_XML_DEPTH, MAX_XML_PIECE, WorkbookLimit,
};
pub use query::{Mapping, NOT_READ, QueryColumns, Reason, Suggestion, Value};
pub use report::{
    Dialect, IntakeReport, Listed, RecognisedLabel, Refusal, RefusalReason, Repeated, SkipReason, Skipped,
    UnmappedLabel, UnmappedLabels, VariableReport,
};
pub use rows::{Coded, Sink};
pub use seen::Seen;
pub use threads::MAX_THREADS;

use crate::codes::{Field, KommunCodes};
use crate::label::Matcher;
use cell::{Cell, Epoch};
use gather::Rows;
use header::{Columns, Names, Near};
use lines::{SEPARATORS, TextTable};
use rows::{Manner, RowReader};
use text::encoding_of;
use threads::Plan;
use workbook::{Format, Workbook};

/// What is read.
pub struct Source<R> {
    /// The content.
    pub reader: R,
    /// The end of the file's name without the dot, if there is one: only to refuse kinds that are never read.
    pub extension: Option<String>,
}

impl<'b> Source<Cursor<&'b [u8]>> {
    /// A file that is in memory.
    pub fn of_bytes(bytes: &'b [u8]) -> Self {
        Self { reader: Cursor::new(bytes), extension: None }
    }
}

/// What an extract became.
pub struct Harmonised {
    /// The rows read, in the file's order.
    pub rows: Vec<Coded>,
    /// What was found, without content.
    pub report: IntakeReport,
    /// Labels that fit no code, for the operator alone.
    pub unmapped: UnmappedLabels,
}

impl fmt::Debug for Harmonised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harmonised").field("report", &self.report).finish_non_exhaustive()
    }
}

/// Which sheets of a workbook are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sheets {
    /// The one that has a header; two are refused, since nobody can tell which is meant.
    #[default]
    One,
    /// Every visible one that has a header.
    All,
}

/// How files are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The codebook.
    pub codebook: &'a Codebook,
    /// The kommun's own names and labels.
    pub codes: &'a KommunCodes,
    /// The day the extract was made: it settles the century of ten-digit personnummer, and no aktualisering is later.
    pub extracted_on: Date,
    /// Which sheets.
    pub sheets: Sheets,
    /// How many threads read a large text file, at most [`MAX_THREADS`]; the result is the same.
    pub threads: NonZeroUsize,
}

/// Reads an extract of one table.
///
/// # Errors
/// [`IntakeError`] if the file as a whole cannot be read; bad rows are in the report.
pub fn read<R: Read + Seek>(
    source: Source<R>,
    codebook: &Codebook,
    codes: &KommunCodes,
    extracted_on: Date,
) -> Result<Harmonised, IntakeError> {
    let (sheets, threads) = (Sheets::One, NonZeroUsize::MIN);
    let reading = Reading { codebook, codes, extracted_on, sheets, threads };
    let mut rows = Vec::new();
    let mut take = |date: Date, codes: &[Option<Given>]| rows.push(Coded { date, codes: codes.into() });
    let part = reading.read(source, &mut Seen::default(), &mut take)?.pop();
    let Part { report, unmapped } = part.ok_or(IntakeError::Empty)?; // one sheet, or an error
    Ok(Harmonised { rows, report, unmapped })
}

/// What one table became, beside its rows.
pub struct Part {
    /// What was found, without content.
    pub report: IntakeReport,
    /// Labels that fit no code, for the operator alone.
    pub unmapped: UnmappedLabels,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("report", &self.report).finish_non_exhaustive()
    }
}

impl Reading<'_> {
    /// Reads an extract, passing each row to `sink`: one part for each of its tables. `seen` is shared by all files of one reading, so that an
    /// aktualiseringsnummer that stands in two of them is found.
    ///
    /// # Errors
    /// [`IntakeError`] if the file as a whole cannot be read; bad rows are in the reports.
    pub fn read<R: Read + Seek>(
        self,
        source: Source<R>,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<Vec<Part>, IntakeError> {
        let Source { mut reader, extension } = source;
        let names = self.names()?;
        match kind_of(&mut reader, extension.as_deref())? {
            Kind::Text => {
                let plan = Plan::of(self.threads, reader.seek(SeekFrom::End(0))?);
                Ok(vec![self.read_text(&mut reader, &names, plan, seen, sink)?])
            }
            Kind::Workbook(format) => {
                let mut book = Workbook::open(reader, format)?;
                let found = find_in_workbook(&mut book, &names, self.sheets)?;
                let sheets = found.into_iter().map(|(index, columns)| {
                    let dialect = Dialect::Workbook { sheet: index + 1 };
                    self.read_below(&mut book.sheet(index), columns, dialect, seen, sink)
                });
                sheets.collect()
            }
        }
    }

    /// The headers to look for.
    fn names(&self) -> Result<Names, IntakeError> {
        let Self { codebook, codes, .. } = self;
        if codes.codebook() != codebook.name() {
            let codes = codes.codebook().into();
            return Err(IntakeError::OtherCodebook { codes, codebook: codebook.name() });
        }
        Ok(Names::new(codebook, codes))
    }

    /// What reads the labels of each variable.
    fn matchers(&self) -> Vec<Arc<Matcher<'_>>> {
        let matcher = |(index, variable)| Arc::new(self.codes.matcher(index, variable));
        self.codebook.variables.iter().enumerate().map(matcher).collect()
    }

    fn read_text<R: Read + Seek>(
        self,
        source: &mut R,
        names: &Names,
        plan: Plan,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<Part, IntakeError> {
        let (mut table, columns) = find_in_text(source, names, plan.threads)?;
        let (encoding, separator) = (table.encoding.name(), table.separator);
        if columns.field(Field::Aktualiseringsnummer).is_some() {
            seen.expect(table.rows_about()?.min(MAX_ROWS));
        }
        if plan.threads < 2 {
            return self.read_below(&mut table, columns, Dialect::Text { encoding, separator }, seen, sink);
        }
        let dialect = Dialect::Text { encoding, separator };
        let manner = Manner { dialect, epoch: table.epoch(), extracted_on: self.extracted_on };
        let (run, matchers) = (seen.run, self.matchers());
        let make = || RowReader::new(self.codebook, &matchers, columns.clone(), manner, run);
        let mut rows = Rows::new(make(), seen, sink);
        if let Some(rest) = threads::read(&mut table, plan, &mut rows, &make)? {
            rows.read(|take| table.rows_from(rest, take))?;
        }
        rows.finish()
    }

    fn read_below(
        self,
        table: &mut dyn Table,
        columns: Columns,
        dialect: Dialect,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<Part, IntakeError> {
        let (epoch, extracted_on) = (table.epoch(), self.extracted_on);
        let manner = Manner { dialect, epoch, extracted_on };
        let reader = RowReader::new(self.codebook, &self.matchers(), columns, manner, seen.run);
        let mut rows = Rows::new(reader, seen, sink);
        rows.read(|take| table.each_row(take))?;
        rows.finish()
    }
}

/// Whether more rows are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Go,
    Stop,
}

/// One row of a file.
pub(crate) struct Row<'r, 'c> {
    /// Row of the sheet, or line of the text file, from 1.
    number: u64,
    cells: &'r [Cell<'c>],
    /// The field of a quotation that does not end; the row cannot be read.
    broken: Option<usize>,
}

/// Takes the rows of a table in order.
pub(crate) type Take<'t> = dyn FnMut(&Row<'_, '_>) -> Result<Flow, IntakeError> + 't;

/// Rows of cells, readable more than once.
pub(crate) trait Table {
    fn epoch(&self) -> Epoch;
    fn each_row(&mut self, take: &mut Take<'_>) -> Result<(), IntakeError>;
}

/// The limits of one row.
pub(crate) fn check_row(row: u64, cells: &[Cell<'_>]) -> Result<(), IntakeError> {
    let columns = cells.iter().rposition(|cell| !cell.is_blank()).map_or(0, |last| last + 1);
    if columns > MAX_COLUMNS {
        return Err(Limit::Columns { row, columns }.into());
    }
    let too_long = |cell: &Cell<'_>| match cell {
        // a character has one to four bytes
        Cell::Raw(bytes) => bytes.len() > MAX_CELL_CHARS,
        Cell::Text(text) => text.len() > MAX_CELL_CHARS && text.chars().count() > MAX_CELL_CHARS,
        _ => false,
    };
    match cells.iter().position(too_long) {
        Some(at) => Err(Limit::Cell { row, column: limits::column_name(at) }.into()),
        None => Ok(()),
    }
}

enum Kind {
    Text,
    Workbook(Format),
}

/// Extensions of what is read; a file without one is judged by its bytes alone.
const EXTENSIONS: [&str; 7] = ["csv", "tsv", "txt", "xlsx", "xlsm", "xls", "ods"];

fn kind_of(reader: &mut (impl Read + Seek), extension: Option<&str>) -> Result<Kind, IntakeError> {
    let known = |given: &str| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(given));
    if !extension.is_none_or(known) {
        return Err(IntakeError::UnknownKind { hint: "" });
    }
    let bytes = reader.seek(SeekFrom::End(0))?;
    match bytes {
        0 => return Err(IntakeError::Empty),
        1..=MAX_FILE_BYTES => {}
        _ => return Err(Limit::File { bytes, most: MAX_FILE_BYTES }.into()),
    }
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    reader.take(128).read_to_end(&mut head)?;
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Ok(Kind::Workbook(Format::Xls));
    }
    if head.starts_with(b"PK\x03\x04") {
        // OpenDocument 1.2, part 3, 3.3: the first entry is `mimetype`, stored
        let ods = head.get(30..38) == Some(b"mimetype");
        return Ok(Kind::Workbook(if ods { Format::Ods } else { Format::Xlsx }));
    }
    if head.starts_with(b"%PDF") {
        return Err(IntakeError::UnknownKind { hint: " (den ser ut som pdf)" });
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    if text.starts_with(b"<") {
        return Err(IntakeError::UnknownKind { hint: " (den ser ut som html eller xml)" });
    }
    Ok(Kind::Text)
}

/// The columns of a table, or how near its best row comes.
fn find_header(table: &mut dyn Table, names: &Names) -> Result<Result<Columns, Near>, IntakeError> {
    let mut near = Near::default();
    let mut found = None;
    let mut searched = 0;
    table.each_row(&mut |row| {
        searched += 1;
        match names.recognise(row.number, row.cells)? {
            Ok(columns) => found = Some(columns),
            Err(this) => near.keep_better(this),
        }
        Ok(if found.is_some() || searched >= HEADER_SEARCH_ROWS { Flow::Stop } else { Flow::Go })
    })?;
    Ok(found.ok_or(near))
}

/// The separator under which most of the header is known.
fn find_in_text<'s, R: Read + Seek>(
    source: &'s mut R,
    names: &Names,
    threads: usize,
) -> Result<(TextTable<'s, R>, Columns), IntakeError> {
    let encoding = encoding_of(source, threads)?;
    let mut best: Option<(char, Columns)> = None;
    let mut near = Near::default();
    // under a wrong separator a row can seem to break a limit
    let mut fault = None;
    for separator in SEPARATORS {
        let found = match find_header(&mut TextTable { source, encoding, separator }, names) {
            Ok(found) => found,
            Err(error) => {
                // of one cell under a wrong separator and many under the right one, the many say more
                let says_more = matches!(error, IntakeError::Limit(Limit::Columns { .. }));
                if fault.is_none() || says_more {
                    fault = Some(error);
                }
                continue;
            }
        };
        match found {
            Ok(columns) => {
                if best.as_ref().is_none_or(|(_, known)| columns.found.len() > known.found.len()) {
                    best = Some((separator, columns));
                }
            }
            Err(this) if this.known() > 0 => near.keep_better(this),
            Err(_) => {}
        }
    }
    match (best, fault) {
        (Some((separator, columns)), _) => Ok((TextTable { source, encoding, separator }, columns)),
        (None, Some(fault)) => Err(fault),
        (None, None) => Err(near.into_error(names)),
    }
}

/// The visible sheets that have a header.
fn find_in_workbook<R: Read + Seek>(
    book: &mut Workbook<R>,
    names: &Names,
    sheets: Sheets,
) -> Result<Vec<(usize, Columns)>, IntakeError> {
    let mut found: Vec<(usize, Columns)> = Vec::new();
    let mut near = Near::default();
    for index in 0..book.sheets() {
        match (find_header(&mut book.sheet(index), names)?, found.first()) {
            (Ok(_), Some((first, _))) if sheets == Sheets::One => {
                return Err(WorkbookProblem::SeveralSheets { first: first + 1, second: index + 1 }.into());
            }
            (Ok(columns), _) => found.push((index, columns)),
            (Err(this), _) => near.keep_better(this),
        }
    }
    if found.is_empty() { Err(near.into_error(names)) } else { Ok(found) }
}
