//! Workbooks: xlsx cell by cell, xls and ods whole (their formats allow nothing else).
//!
//! The reader's errors quote cells and sheet names, so they are replaced by [`WorkbookProblem`] (STAY-1). It also
//! has index faults on damaged files; those become [`WorkbookProblem::Damaged`] and not a panic of the node. What
//! would make it end the process, never end, or exhaust the memory is refused before: see `compound` and `unpack`.
//! An xlsx keeps its texts in one shared list, which the reader holds for all columns while the file is open.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{
    Data, DataRef, DataType, ExcelDateTime, Ods, OdsError, Range, Reader, SheetVisible, Xls, XlsError, Xlsx,
    XlsxError,
};
use jiff::civil::Date;
use smallvec::SmallVec;

use super::cell::{Cell, Epoch};
use super::compound::check_xls;
use super::error::{IntakeError, WorkbookProblem};
use super::limits::{Limit, MAX_COLUMNS, MAX_SHEETS, MAX_WORKBOOK_BYTES, WorkbookLimit};
use super::lines::CELLS;
use super::unpack::check_zip;
use super::{Flow, Row, Table, Take, check_row};

/// The formats, told apart by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Xlsx,
    Xls,
    Ods,
}

/// An open workbook.
pub(crate) enum Workbook<R: Read + Seek> {
    Xlsx(Box<Xlsx<R>>),
    /// Every visible sheet.
    Whole(Vec<Range<Data>>),
}

/// Runs a part of the foreign reader; its panics mean a damaged file.
fn shielded<T>(run: impl FnOnce() -> Result<T, IntakeError>) -> Result<T, IntakeError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(WorkbookProblem::Damaged.into()))
}

fn problem(password: bool) -> IntakeError {
    if password { WorkbookProblem::Password.into() } else { WorkbookProblem::Damaged.into() }
}

impl<R: Read + Seek> Workbook<R> {
    pub(crate) fn open(mut source: R, format: Format) -> Result<Self, IntakeError> {
        let bytes = source.seek(SeekFrom::End(0))?;
        if bytes > MAX_WORKBOOK_BYTES {
            return Err(Limit::File { bytes, most: MAX_WORKBOOK_BYTES }.into());
        }
        source.seek(SeekFrom::Start(0))?;
        shielded(|| match format {
            Format::Xlsx => {
                check_zip(&mut source, format)?;
                let book = Xlsx::new(source).map_err(|e| problem(matches!(e, XlsxError::Password)))?;
                if book.sheets_metadata().len() > MAX_SHEETS {
                    return Err(WorkbookLimit::Sheets.into());
                }
                Ok(Self::Xlsx(Box::new(book)))
            }
            Format::Ods => {
                check_zip(&mut source, format)?;
                let book = Ods::new(source).map_err(|e| problem(matches!(e, OdsError::Password)))?;
                whole(book)
            }
            Format::Xls => {
                let mut file = Vec::new();
                source.read_to_end(&mut file)?;
                check_xls(&file)?;
                let book =
                    Xls::new(Cursor::new(file)).map_err(|e| problem(matches!(e, XlsError::Password)))?;
                whole(book)
            }
        })
    }

    /// How many visible sheets there are.
    pub(crate) fn sheets(&self) -> usize {
        match self {
            Self::Xlsx(book) => visible(book.as_ref()).len(),
            Self::Whole(sheets) => sheets.len(),
        }
    }

    /// A visible sheet, from 0.
    pub(crate) fn sheet(&mut self, index: usize) -> SheetTable<'_, R> {
        SheetTable { book: self, index }
    }
}

fn visible<S: Read + Seek>(book: &impl Reader<S>) -> Vec<String> {
    let shown = book.sheets_metadata().iter().filter(|sheet| sheet.visible == SheetVisible::Visible);
    shown.map(|sheet| sheet.name.clone()).collect()
}

fn whole<R: Read + Seek, S: Read + Seek>(mut book: impl Reader<S>) -> Result<Workbook<R>, IntakeError> {
    let names = visible(&book);
    let sheets = names.iter().map(|name| book.worksheet_range(name).map_err(|_| problem(false)));
    Ok(Workbook::Whole(sheets.collect::<Result<_, _>>()?))
}

/// One visible sheet.
pub(crate) struct SheetTable<'b, R: Read + Seek> {
    book: &'b mut Workbook<R>,
    index: usize,
}

impl<R: Read + Seek> Table for SheetTable<'_, R> {
    fn epoch(&self) -> Epoch {
        match &*self.book {
            Workbook::Xlsx(book) if book.has_1904_epoch() => Epoch::From1904,
            // xls and ods give dates as dates; a bare serial day is taken in the usual epoch
            _ => Epoch::From1900,
        }
    }

    fn each_row(&mut self, take: &mut Take<'_>) -> Result<(), IntakeError> {
        let index = self.index;
        match self.book {
            Workbook::Xlsx(book) => streamed(book, index, take),
            Workbook::Whole(sheets) => sheets.get(index).map_or(Ok(()), |sheet| held(sheet, take)),
        }
    }
}

fn held(sheet: &Range<Data>, take: &mut Take<'_>) -> Result<(), IntakeError> {
    let (top, left) = sheet.start().unwrap_or_default();
    for (row, cells) in (u64::from(top) + 1..).zip(sheet.rows()) {
        let before = (0..left).map(|_| Cell::Empty);
        let cells: Vec<Cell<'_>> = before.chain(cells.iter().map(cell)).collect();
        check_row(row, &cells)?;
        if take(&Row { number: row, cells: &cells, broken: None })? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn streamed<R: Read + Seek>(
    book: &mut Xlsx<R>,
    index: usize,
    take: &mut Take<'_>,
) -> Result<(), IntakeError> {
    let names = visible(book);
    let Some(name) = names.get(index) else {
        return Ok(());
    };
    let opened = shielded(|| match book.worksheet_cells_reader(name) {
        Ok(reader) => Ok(Some(reader)),
        // a chart has no cells
        Err(XlsxError::NotAWorksheet(_)) => Ok(None),
        Err(_) => Err(problem(false)),
    });
    let Some(mut reader) = opened? else { return Ok(()) };
    let mut current: u32 = 0;
    let mut held: Vec<Held<'_>> = Vec::new();
    loop {
        let next = shielded(|| reader.next_cell().map_err(|_| problem(false)))?;
        let position = next.as_ref().map(|next| next.get_position());
        if position.is_none_or(|(row, _)| row != current) && !held.is_empty() {
            if pass_on(current, &held, take)? == Flow::Stop {
                return Ok(());
            }
            held.clear();
        }
        let (Some(next), Some((row, column))) = (next, position) else {
            return Ok(());
        };
        if row < current {
            let row = u64::from(row) + 1;
            return Err(WorkbookProblem::RowOrder { sheet: index + 1, row }.into());
        }
        current = row;
        place(&mut held, row, column, held_cell(next.get_value()))?;
    }
}

fn pass_on(row: u32, held: &[Held<'_>], take: &mut Take<'_>) -> Result<Flow, IntakeError> {
    let number = u64::from(row) + 1;
    let cells: SmallVec<[Cell<'_>; CELLS]> = held.iter().map(Held::cell).collect();
    check_row(number, &cells)?;
    take(&Row { number, cells: &cells, broken: None })
}

/// Puts a cell in its column; empty ones do not widen the row.
fn place<'c>(cells: &mut Vec<Held<'c>>, row: u32, column: u32, cell: Held<'c>) -> Result<(), IntakeError> {
    let at = column as usize;
    if matches!(cell, Held::Cell(Cell::Empty)) {
        return Ok(());
    }
    if at >= MAX_COLUMNS {
        return Err(Limit::Columns { row: u64::from(row) + 1, columns: at + 1 }.into());
    }
    if cells.len() <= at {
        cells.resize_with(at + 1, || Held::Cell(Cell::Empty));
    }
    cells[at] = cell;
    Ok(())
}

fn cell(data: &Data) -> Cell<'_> {
    match data {
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Cell::Text(text),
        Data::DateTime(day) => day_of(day),
        other => plain(other),
    }
}

/// A cell until its row is whole: the reader gives some texts once only.
enum Held<'c> {
    Cell(Cell<'c>),
    Text(String),
}

impl Held<'_> {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Cell(cell) => *cell,
            Self::Text(text) => Cell::Text(text),
        }
    }
}

fn held_cell<'c>(data: &DataRef<'c>) -> Held<'c> {
    Held::Cell(match data {
        DataRef::SharedString(text) => Cell::Text(text),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            return Held::Text(text.clone());
        }
        DataRef::DateTime(day) => day_of(day),
        other => plain(other),
    })
}

/// Numbers, truth values and faults, as Swedish Excel shows them.
fn plain<'c>(data: &impl DataType) -> Cell<'c> {
    if let Some(number) = data.get_float() {
        Cell::Number(number)
    } else if let Some(number) = data.get_int() {
        // integers of a cell are far below 2^53
        Cell::Number(number as f64)
    } else if let Some(truth) = data.get_bool() {
        Cell::Text(if truth { "SANT" } else { "FALSKT" })
    } else if data.is_error() {
        Cell::Text("#FEL")
    } else {
        Cell::Empty
    }
}

/// A date cell; durations and days the calendar does not have are no dates.
fn day_of<'c>(day: &ExcelDateTime) -> Cell<'c> {
    let fits = day.is_datetime() && (1.0..2_958_466.0).contains(&day.as_f64());
    let (year, month, number, ..) = day.to_ymd_hms_milli();
    let date =
        || Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(number).ok()?).ok();
    fits.then(date).flatten().map_or(Cell::Text("#DATUM"), Cell::Day)
}
