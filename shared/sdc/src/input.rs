//! Reads the finest cells of a table.
//!
//! The strict file's columns `omrade,<dimensions>,tid,matt,varde[,status]`, one period, one measure, every
//! combination of the codes once, rows in any order. Rows of totals are ignored: they are computed anew. Codes and
//! measures need not be of a codebook. Invariant: codes are sorted, so the order of rows changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use suppress::table::{Shape, ShapeError};

/// The code of a total.
pub const TOT: &str = "TOT";
/// The code of the total over areas.
pub const ALL_AREAS: &str = "00";
/// Longest file, in bytes.
const MAX_BYTES: usize = 256 << 20;
/// Largest count.
const MOST: u64 = i32::MAX as u64;
const FIRST_ROW: usize = 2;

/// A file that is no such table. Names file, row and column, never what stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not UTF-8, a byte order mark, carriage returns, broken quotes, or too long.
    #[error("{file}, row {row}: expected {expected}")]
    Encoding {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// What should be.
        expected: &'static str,
    },
    /// A header that is not the form's.
    #[error("{file}, row 1, column {column}: expected {expected}")]
    Header {
        /// File.
        file: String,
        /// Column, from 1.
        column: usize,
        /// What should be.
        expected: &'static str,
    },
    /// A row with more or fewer fields than the header.
    #[error("{file}, row {row}: {found} fields; expected {expected} as in the header")]
    Fields {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A field that is not of the form.
    #[error("{file}, row {row}, column {column}: expected {expected}")]
    Field {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// Name of the column.
        column: String,
        /// What should be.
        expected: &'static str,
    },
    /// Two rows about the same cell.
    #[error("{file}, row {row}: the same omrade and codes as row {first}; expected each once")]
    Duplicate {
        /// File.
        file: String,
        /// The later row.
        row: usize,
        /// The earlier row.
        first: usize,
    },
    /// A combination without a row.
    #[error("{file}: no row for {key}; expected every combination, zeros included")]
    Missing {
        /// File.
        file: String,
        /// Codes.
        key: String,
    },
    /// A table that the engine does not take.
    #[error("{file}: {reason}")]
    Shape {
        /// File.
        file: String,
        /// Why.
        reason: ShapeError,
    },
}

/// A table's codes and finest counts.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    /// `omrade` and the other dimensions, in the order of the file.
    pub dimensions: Vec<String>,
    /// Codes per dimension, sorted, without totals.
    pub codes: Vec<Vec<String>>,
    /// The period.
    pub tid: String,
    /// The measure.
    pub matt: String,
    /// Counts, last dimension fastest.
    pub finest: Vec<u32>,
    /// The engine's form of it.
    pub shape: Shape,
}

impl Table {
    /// Codes and count of every finest cell.
    pub fn cells(&self) -> impl Iterator<Item = (Vec<String>, u64)> {
        self.finest.iter().enumerate().map(|(at, count)| {
            let mut rest = at;
            let mut codes: Vec<String> = Vec::with_capacity(self.codes.len());
            for own in self.codes.iter().rev() {
                codes.push(own[rest % own.len()].clone());
                rest /= own.len();
            }
            codes.reverse();
            (codes, u64::from(*count))
        })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({:?}, {} finest cells)", self.dimensions, self.finest.len())
    }
}

/// The rows of finest cells as they stand.
struct Rows {
    dimensions: Vec<String>,
    /// Codes as numbers in order of appearance, count, row.
    rows: Vec<(Vec<u32>, u32, usize)>,
    names: Vec<Vec<String>>,
    tid: String,
    matt: String,
}

/// Reads a file's bytes; `file` names it in errors.
///
/// # Errors
/// [`InputError`] names file, row and column, and what was expected.
pub fn read(file: &str, bytes: &[u8]) -> Result<Table, InputError> {
    let rows = parse(file, check_encoding(file, bytes)?)?;
    let shape_error = |reason| InputError::Shape { file: file.into(), reason };
    let sizes: Vec<usize> = rows.names.iter().map(Vec::len).collect();
    let shape = Shape::new(&sizes).map_err(shape_error)?;
    let (codes, finest) = arrange(file, &rows, shape.finest())?;
    Ok(Table { dimensions: rows.dimensions, codes, tid: rows.tid, matt: rows.matt, finest, shape })
}

fn encoding(file: &str, row: usize, expected: &'static str) -> InputError {
    InputError::Encoding { file: file.into(), row, expected }
}

pub(crate) fn check_encoding<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, InputError> {
    let row_of = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    if bytes.len() > MAX_BYTES {
        return Err(encoding(file, 1, "a file of at most 256 MiB"));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(encoding(file, 1, "UTF-8 without a byte order mark"));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == b'\r') {
        return Err(encoding(file, row_of(at), "line ends LF"));
    }
    std::str::from_utf8(bytes).map_err(|error| encoding(file, row_of(error.valid_up_to()), "UTF-8"))
}

/// The dimensions of a header, `omrade` first.
fn dimensions(file: &str, header: &[String]) -> Result<(Vec<String>, bool), InputError> {
    let wrong = |column: usize, expected| InputError::Header { file: file.into(), column, expected };
    let with_status = header.last().is_some_and(|name| name == "status");
    let width = header.len() - usize::from(with_status);
    if header.first().is_none_or(|name| name != "omrade") {
        return Err(wrong(1, "omrade"));
    }
    for (back, expected) in [(1, "varde"), (2, "matt"), (3, "tid")] {
        if width < back + 1 || header[width - back] != expected {
            return Err(wrong((width + 1).saturating_sub(back).max(1), expected));
        }
    }
    let names = &header[..width - 3];
    let mut seen = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() || !seen.insert(name) {
            return Err(wrong(at + 1, "a dimension's name, each once"));
        }
    }
    Ok((names.to_vec(), with_status))
}

fn parse(file: &str, text: &str) -> Result<Rows, InputError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let broken = |row| encoding(file, row, "fields with closed quotes");
    let header: Vec<String> = match records.next() {
        Some(record) => record.map_err(|_| broken(1))?.iter().map(str::to_string).collect(),
        None => Vec::new(),
    };
    let (dimensions, with_status) = dimensions(file, &header)?;
    let mut names: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); dimensions.len()];
    let (mut rows, mut constant) = (Vec::new(), None::<(String, String)>);
    for (at, record) in records.enumerate() {
        let row = at + FIRST_ROW;
        let record = record.map_err(|_| broken(row))?;
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err(InputError::Fields { file: file.into(), row, found, expected });
        }
        let wrong = |column: usize, expected| InputError::Field {
            file: file.into(),
            row,
            column: header[column].clone(),
            expected,
        };
        let width = dimensions.len();
        let pair = (record[width].to_string(), record[width + 1].to_string());
        let (tid, matt) = constant.get_or_insert_with(|| pair.clone());
        if pair.0 != *tid || !is_code(tid) {
            return Err(wrong(width, "one period, the same in every row"));
        }
        if pair.1 != *matt || !is_code(matt) {
            return Err(wrong(width + 1, "one measure, the same in every row"));
        }
        if let Some(column) = (0..width).find(|at| !is_code(&record[*at])) {
            return Err(wrong(column, "a code (letters, digits, _, - and :) or TOT"));
        }
        if record.iter().take(width).any(|code| code == TOT) || &record[0] == ALL_AREAS {
            continue;
        }
        if with_status && !record[width + 3].is_empty() {
            return Err(wrong(width + 3, "no status: every finest cell known"));
        }
        let count: Option<u64> = record[width + 2].parse().ok().filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| wrong(width + 2, "a count from 0 to 2147483647"))?;
        let codes = (0..width).map(|at| number(&mut names[at], &record[at])).collect();
        rows.push((codes, count as u32, row));
    }
    let Some((tid, matt)) = constant else {
        return Err(encoding(file, FIRST_ROW, "a row"));
    };
    Ok(Rows { dimensions, rows, names: names.into_iter().map(in_order_of_numbers).collect(), tid, matt })
}

fn number(names: &mut BTreeMap<String, u32>, code: &str) -> u32 {
    if let Some(number) = names.get(code) {
        return *number;
    }
    let number = names.len() as u32;
    names.insert(code.to_string(), number);
    number
}

fn in_order_of_numbers(names: BTreeMap<String, u32>) -> Vec<String> {
    let mut pairs: Vec<(u32, String)> = names.into_iter().map(|(name, number)| (number, name)).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, name)| name).collect()
}

pub(crate) fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':' | b'.'))
}

/// Sorts the codes and puts every count in its place.
fn arrange(file: &str, rows: &Rows, finest: usize) -> Result<(Vec<Vec<String>>, Vec<u32>), InputError> {
    let mut codes = rows.names.clone();
    codes.iter_mut().for_each(|codes| codes.sort_unstable());
    let rank: Vec<Vec<usize>> = rows
        .names
        .iter()
        .zip(&codes)
        .map(|(names, codes)| {
            // infallible: `codes` is `names` sorted
            names.iter().map(|name| codes.binary_search(name).unwrap_or_default()).collect()
        })
        .collect();
    let (mut counts, mut first) = (vec![0u32; finest], vec![0usize; finest]);
    for (numbers, count, row) in &rows.rows {
        let at = numbers
            .iter()
            .zip(&rank)
            .zip(&codes)
            .fold(0, |at, ((number, rank), codes)| at * codes.len() + rank[*number as usize]);
        if first[at] != 0 {
            return Err(InputError::Duplicate { file: file.into(), row: *row, first: first[at] });
        }
        (counts[at], first[at]) = (*count, *row);
    }
    match first.iter().position(|row| *row == 0) {
        None => Ok((codes, counts)),
        Some(at) => Err(InputError::Missing { file: file.into(), key: key(&codes, at) }),
    }
}

fn key(codes: &[Vec<String>], mut at: usize) -> String {
    let mut parts = Vec::new();
    for codes in codes.iter().rev() {
        parts.push(codes[at % codes.len()].as_str());
        at /= codes.len();
    }
    parts.reverse();
    parts.join(",")
}
