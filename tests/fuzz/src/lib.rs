//! Fuzz targets: each takes bytes, gives them to one reader, and panics where the reader breaks a promise.
//!
//! A promise is: no panic and no endless loop, every row accounted for (TRUE-3), a reading that is the same twice, an error
//! that shows nothing of a cell (STAY-1; the seeds hold marked cells, `mutate` keeps them whole).
//!
//! One set of targets, run in two ways: `src/bin/fuzz.rs` changes seeds at random and needs nothing but the stable
//! compiler, and `guided` hands the same functions to libFuzzer, which is led by coverage. `tests/targets.rs` runs some
//! thousand inputs of each with every `cargo test`.
#![allow(clippy::unwrap_used)] // a broken promise is to panic

mod mutate;
mod seeds;

use std::io::Cursor;

use database::Source as Database;
use harmonise::intake::{NOT_READ, Sheets};
use harmonise::label::Matcher;
use harmonise::{IntakeReport, KommunCodes, Reading, Seen, Source, Value};
use jiff::civil::{Date, date};
use tables::codebook::Codebook;

pub use mutate::Mutator;
pub use seeds::seeds;

/// The day of every extract.
const TODAY: Date = date(2025, 6, 1);
/// Stands in cells of the seeds, and may stand in nothing that is shown.
pub const MARK: &str = "KANARIE";

/// A target: its name, what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("lines", lines),
    ("workbook", workbook),
    ("sheet", sheet),
    ("codes", codes),
    ("source", source),
    ("label", label),
    ("query", query),
];

fn book() -> Codebook {
    Codebook::barn().unwrap()
}

fn none(book: &Codebook) -> KommunCodes {
    KommunCodes::none("2180".parse().unwrap(), book)
}

fn shows_nothing(text: &str) {
    assert!(!text.contains(MARK), "STAY-1: {text}");
}

/// TRUE-3: for every variable the rows read are each in one of four.
fn accounted(report: &IntakeReport, rows: u64) {
    assert_eq!(report.read, rows);
    for variable in &report.variables {
        let sum = variable.mapped + variable.missing + variable.unmapped + variable.outside_validity;
        assert_eq!(sum, report.read, "{}", variable.id);
    }
    let listed = report.refused.first.len() as u64;
    assert!(listed <= report.refused.total);
}

fn read_file(bytes: &[u8], extension: &str) {
    let (book, extension) = (book(), Some(extension.to_owned()));
    let codes = none(&book);
    let reading = Reading {
        codebook: &book,
        codes: &codes,
        extracted_on: TODAY,
        sheets: Sheets::All,
        threads: std::num::NonZeroUsize::MIN,
    };
    let read = || {
        let mut rows = 0;
        let source = Source { reader: Cursor::new(bytes), extension: extension.clone() };
        let parts = reading.read(source, &mut Seen::default(), &mut |_, _| rows += 1);
        (parts, rows)
    };
    let (first, rows) = read();
    match first {
        Ok(parts) => {
            parts.iter().for_each(|part| accounted(&part.report, part.report.read));
            assert_eq!(parts.iter().map(|part| part.report.read).sum::<u64>(), rows);
            let again = read().0.unwrap();
            assert!(parts.iter().zip(&again).all(|(one, other)| one.report == other.report), "read twice");
            // headers are shown, and a fuzzed file may have any words there
            parts.iter().for_each(|part| shows_nothing(&format!("{:?}", part.unmapped)));
        }
        Err(error) => {
            assert_eq!(error.to_string(), read().0.unwrap_err().to_string(), "refused twice");
        }
    }
}

/// Text files: encodings, line ends, quotations, separators.
pub fn lines(bytes: &[u8]) {
    read_file(bytes, "csv");
}

/// Workbooks of every format, told apart by their first bytes.
pub fn workbook(bytes: &[u8]) {
    read_file(bytes, "xlsx");
}

/// The XML of a sheet, of an xlsx or an ods, in a packed file that is otherwise sound: bytes changed inside a packed
/// part would only fail its checksum.
pub fn sheet(bytes: &[u8]) {
    read_file(&seeds::packed(bytes), "xlsx");
}

/// How many rows a packed sheet has, if it is read.
pub fn rows(bytes: &[u8]) -> Option<u64> {
    let book = book();
    let packed = seeds::packed(bytes);
    let read = harmonise::read(Source::of_bytes(&packed), &book, &none(&book), TODAY).ok()?;
    Some(read.report.read)
}

/// A kommun's code map, and a file read by it.
pub fn codes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let book = book();
    match KommunCodes::from_toml(text, &book) {
        Ok(codes) => {
            shows_nothing(&format!("{codes:?}"));
            let file = "Datum;Aktualiseringstyp;Orsak\n2024-01-31;Anmälan;Skolfrånvaro\n";
            let read = harmonise::read(Source::of_bytes(file.as_bytes()), &book, &codes, TODAY);
            if let Ok(read) = read {
                accounted(&read.report, read.rows.len() as u64);
            }
        }
        Err(error) => assert!(error.to_string().starts_with("kodfilen, rad "), "{error}"),
    }
}

/// A source file; what passes is one SELECT.
pub fn source(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Database::from_toml(text) {
        Ok(source) => {
            let mapped = source.mapping().into_iter().flatten();
            mapped.for_each(|(_, ids)| assert!(!ids.is_empty()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Labels of every variable: what is certain has a code of that variable.
pub fn label(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for book in [book(), Codebook::vuxna().unwrap()] {
        for variable in &book.variables {
            let matcher = Matcher::new(variable, &[]);
            let mapping = matcher.map(&text);
            assert!(mapping.codes.iter().all(|code| usize::from(*code) < variable.codes.len()));
            assert!(mapping.score <= 1_000 && (!mapping.is_certain() || !mapping.codes.is_empty()));
            let _ = (matcher.meaning(&text, TODAY), matcher.suggestions(&text));
        }
    }
}

/// Rows of a query: the first line names the columns, what follows are values by their first sign.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let names: Vec<String> =
        lines.next().unwrap_or_default().split(';').map(|name| name.trim().to_owned()).collect();
    let book = book();
    let codes = none(&book);
    let reading = Reading {
        codebook: &book,
        codes: &codes,
        extracted_on: TODAY,
        sheets: Sheets::One,
        threads: std::num::NonZeroUsize::MIN,
    };
    let suggested = reading.suggestions(&names, None).unwrap();
    assert_eq!(suggested.len(), names.len());
    let mapping = suggested.iter().map(|one| match one.variables.as_slice() {
        [] => (one.column.clone(), vec![NOT_READ.to_owned()]),
        ids => (one.column.clone(), ids.to_vec()),
    });
    let mapping = mapping.collect();
    for mapping in [None, Some(&mapping)] {
        let Ok(columns) = reading.columns_of(&names, mapping) else { continue };
        assert_eq!(columns.wanted().len(), names.len());
        let rows = lines.clone().map(|line| Ok(line.split(';').map(value).collect()));
        let mut read = 0;
        let part =
            reading.read_rows::<harmonise::IntakeError>(columns, rows, &mut Seen::default(), &mut |_, _| {
                read += 1
            });
        if let Ok(part) = part {
            accounted(&part.report, read);
        }
    }
}

fn value(text: &str) -> Value {
    match text.split_at_checked(1) {
        Some(("#", number)) => number.parse().map_or_else(|_| Value::decimal(number), Value::integer),
        Some(("~", number)) => number.parse().map_or(Value::Null, Value::Number),
        Some(("@", day)) => day.parse().map_or(Value::Null, Value::Day),
        Some(("!", truth)) => Value::truth(truth.is_empty()),
        None | Some(("-", "")) => Value::Null,
        _ => Value::Text(text.into()),
    }
}
