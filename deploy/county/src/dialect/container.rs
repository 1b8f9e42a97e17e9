//! The two containers: text files with a delimiter, and workbooks.
//!
//! What it does not do: it does not look into cells. Invariant: bytes are a function of the sheet and the
//! layout; a workbook's creation time is fixed.

use encoding_rs::WINDOWS_1252;
use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::WriteError;
use super::sheet::{Cell, Sheet};

/// Character set of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Utf8Bom,
    Windows1252,
}

/// How a text file is laid out.
pub(crate) struct CsvLayout {
    pub(crate) delimiter: u8,
    pub(crate) charset: Charset,
    pub(crate) crlf: bool,
    pub(crate) quoted: bool,
}

/// How a workbook is laid out.
#[derive(Clone, Copy)]
pub(crate) struct XlsxLayout {
    /// Two title rows above the header.
    pub(crate) titled: bool,
    /// A total row and a source row at the end.
    pub(crate) totalled: bool,
}

/// What a file is.
pub(crate) enum Container {
    Csv(CsvLayout),
    Xlsx(XlsxLayout),
}

/// A sheet as a text file.
pub(crate) fn text_file(
    kommunkod: &'static str,
    sheet: &Sheet,
    layout: &CsvLayout,
) -> Result<Vec<u8>, WriteError> {
    let fault = || WriteError::Csv { kommunkod };
    let style = if layout.quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let end = if layout.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(layout.delimiter)
        .quote_style(style)
        .terminator(end)
        .from_writer(Vec::new());
    writer.write_record(&sheet.headers).map_err(|_| fault())?;
    for line in &sheet.lines {
        writer.write_record(line.iter().map(text_of)).map_err(|_| fault())?;
    }
    let utf8 = String::from_utf8(writer.into_inner().map_err(|_| fault())?).map_err(|_| fault())?;
    encode(kommunkod, utf8, layout.charset)
}

fn text_of(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Date(date) => date.to_string(),
    }
}

fn encode(kommunkod: &'static str, text: String, charset: Charset) -> Result<Vec<u8>, WriteError> {
    match charset {
        Charset::Utf8 => Ok(text.into_bytes()),
        Charset::Utf8Bom => Ok(["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        Charset::Windows1252 => match WINDOWS_1252.encode(&text) {
            (bytes, _, false) => Ok(bytes.into_owned()),
            _ => Err(WriteError::Unencodable { kommunkod }),
        },
    }
}

/// A sheet as a workbook.
pub(crate) fn workbook(
    kommunkod: &'static str,
    sheet: &Sheet,
    layout: XlsxLayout,
) -> Result<Vec<u8>, WriteError> {
    book(sheet, layout).map_err(|_| WriteError::Workbook { kommunkod })
}

fn book(sheet: &Sheet, layout: XlsxLayout) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // Without a fixed time the same seed would give other bytes (SAME-1 is about publications; this keeps
    // tests simple).
    let created = ExcelDateTime::from_ymd(2025, 2, 3)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let page = book.add_worksheet();
    page.set_name("Uttag")?;
    let mut row = 0;
    if layout.titled {
        page.write_string(0, 0, "Aktualiseringar vuxna 2020–2024")?;
        page.write_string(1, 0, "Uttag ur verksamhetssystemet 2025-02-03")?;
        row = 2;
    }
    for (column, header) in (0u16..).zip(&sheet.headers) {
        page.write_string(row, column, *header)?;
    }
    let dates = Format::new().set_num_format("yyyy-mm-dd");
    for line in &sheet.lines {
        row += 1;
        for (column, cell) in (0u16..).zip(line) {
            write_cell(page, (row, column), cell, &dates)?;
        }
    }
    if layout.totalled {
        page.write_string(row + 1, 0, "Totalt")?;
        page.write_number(row + 1, 1, f64::from(u32::try_from(sheet.lines.len()).unwrap_or(u32::MAX)))?;
        page.write_string(row + 2, 0, "Källa: verksamhetssystemet, individ- och familjeomsorg")?;
    }
    book.save_to_buffer()
}

fn write_cell(page: &mut Worksheet, at: (u32, u16), cell: &Cell, dates: &Format) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            page.write_string(at.0, at.1, text)?;
        }
        Cell::Number(number) => {
            page.write_number(at.0, at.1, *number)?;
        }
        Cell::Date(date) => {
            page.write_datetime_with_format(at.0, at.1, excel_date(*date)?, dates)?;
        }
    }
    Ok(())
}

fn excel_date(date: Date) -> Result<ExcelDateTime, XlsxError> {
    // Months and days of a valid date are positive.
    ExcelDateTime::from_ymd(
        date.year().unsigned_abs(),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}
