//! Text files and workbooks.
//!
//! What it does not do: it looks into no cell. Invariant: the same rows give the same bytes; a workbook's time of creation is fixed.

use std::path::{Path, PathBuf};

use encoding_rs::WINDOWS_1252;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use crate::profile::{Charset, Container, Profile};
use crate::rows::Row;
use crate::sheet::{Cell, cells, headers};

/// Why an extract could not be written. No variant carries a cell.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write {file}")]
    Io {
        /// File name.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The CSV writer failed, or a text does not fit the file's character set.
    #[error("{unit}: cannot form a text file")]
    Text {
        /// Unit.
        unit: String,
    },
    /// The workbook writer failed.
    #[error("{unit}: cannot form a workbook")]
    Book {
        /// Unit.
        unit: String,
        /// Cause.
        source: XlsxError,
    },
    /// The extract that was written cannot be read, or not with the codes file that was written beside it.
    #[error("{unit}: {problem}")]
    Review {
        /// Unit.
        unit: String,
        /// What the reader says.
        problem: String,
    },
}

/// Writes a kommun's extract into an existing folder.
pub(crate) fn write(profile: &Profile, rows: &[Row], folder: &Path) -> Result<PathBuf, WriteError> {
    let unit = || profile.unit.clone();
    let (ending, bytes) = match profile.system.container {
        Container::Text(separator, charset, quoted) => (
            "csv",
            text(profile, rows, separator, quoted)
                .and_then(|text| encoded(text, charset))
                .ok_or_else(|| WriteError::Text { unit: unit() })?,
        ),
        Container::Book(framed) => {
            let made = book(profile, rows, framed);
            ("xlsx", made.map_err(|source| WriteError::Book { unit: unit(), source })?)
        }
    };
    let file = format!("{}.{ending}", profile.unit);
    let path = folder.join(&file);
    std::fs::write(&path, bytes).map_err(|source| WriteError::Io { file, source })?;
    Ok(path)
}

fn text(profile: &Profile, rows: &[Row], separator: u8, quoted: bool) -> Option<String> {
    let style = if quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let end = if separator == b';' { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .quote_style(style)
        .terminator(end)
        .from_writer(Vec::new());
    writer.write_record(headers(profile)).ok()?;
    for (at, row) in rows.iter().enumerate() {
        let cells = cells(profile, at, row).into_iter().map(|cell| match cell {
            Cell::Text(text) => text,
            Cell::Number(number) => number.to_string(),
        });
        writer.write_record(cells).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

fn encoded(text: String, charset: Charset) -> Option<Vec<u8>> {
    match charset {
        Charset::Utf8 => Some(text.into_bytes()),
        Charset::Utf8Bom => Some(["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        Charset::Windows1252 => match WINDOWS_1252.encode(&text) {
            (bytes, _, false) => Some(bytes.into_owned()),
            _ => None,
        },
    }
}

fn book(profile: &Profile, rows: &[Row], framed: bool) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let created = ExcelDateTime::from_ymd(2024, 3, 1)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let page = book.add_worksheet();
    let mut line = 0;
    if framed {
        page.write_string(0, 0, "Aktualiseringar barn och unga 2023")?;
        line = 2;
    }
    for (column, header) in (0u16..).zip(headers(profile)) {
        page.write_string(line, column, header)?;
    }
    for (at, row) in rows.iter().enumerate() {
        line += 1;
        for (column, cell) in (0u16..).zip(cells(profile, at, row)) {
            match cell {
                Cell::Text(text) if text.is_empty() => continue,
                Cell::Text(text) => page.write_string(line, column, text)?,
                Cell::Number(number) => page.write_number(line, column, number)?,
            };
        }
    }
    if framed {
        page.write_string(line + 1, 0, "Totalt")?;
        page.write_string(line + 2, 0, "Källa: verksamhetssystemet")?;
    }
    book.save_to_buffer()
}
