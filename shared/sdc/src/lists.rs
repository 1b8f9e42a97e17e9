//! The small files beside a table: which codes make groups, which cells are decided beforehand and what they cost.
//!
//! `--hierarchy`: `dimension,grupp,del`, one row per part of a group; a part is a code of the table or another group.
//! `--rules`: any of the table's dimensions (a missing one is `*`), then `regel` (`visa`, `dolj`, `behall` or nothing) and
//! `vikt` (1 to 1000 or nothing); `*` is every code. `--published`: a strict file as it was published. Knows no table: it gives rows with their numbers. Errors name file, row
//! and column, never what stands in a cell.

use std::collections::BTreeMap;

use crate::input::{ALL_AREAS, InputError, TOT, check_encoding, is_code};

/// Most rows of such a file.
const MAX_ROWS: usize = 100_000;
/// Largest weight.
const MAX_WEIGHT: u32 = 1_000;
/// Every code.
const ANY: &str = "*";

/// Groups by dimension and name: their parts, each with its row.
pub type Groups = BTreeMap<(String, String), Vec<(String, usize)>>;

/// What a row of rules says of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Publish.
    Show,
    /// Withhold, and protect.
    Hide,
    /// Withhold.
    Keep,
}

/// A row of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Its number, the header being 1.
    pub row: usize,
    /// Code per dimension that it names; dimensions it does not name, or names `*`, are left out.
    pub codes: Vec<(String, String)>,
    /// What is wished.
    pub wish: Option<Wish>,
    /// The price.
    pub weight: Option<u32>,
}

type Rows = Vec<(usize, Vec<String>)>;

/// The header and the rows of a file.
fn rows(file: &str, bytes: &[u8]) -> Result<(Vec<String>, Rows), InputError> {
    let text = check_encoding(file, bytes)?;
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut all = Vec::new();
    for (at, record) in reader.into_records().enumerate() {
        let broken = |_| InputError::Encoding {
            file: file.into(),
            row: at + 1,
            expected: "fields with closed quotes",
        };
        let record: Vec<String> = record.map_err(broken)?.iter().map(str::to_string).collect();
        if at > MAX_ROWS {
            return Err(InputError::Encoding {
                file: file.into(),
                row: at + 1,
                expected: "at most 100000 rows",
            });
        }
        all.push((at + 1, record));
    }
    if all.is_empty() {
        all.push((1, Vec::new()));
    }
    let (_, header) = all.remove(0);
    for (row, record) in &all {
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err(InputError::Fields { file: file.into(), row: *row, found, expected });
        }
    }
    Ok((header, all))
}

fn field(file: &str, row: usize, column: &str, expected: &'static str) -> InputError {
    InputError::Field { file: file.into(), row, column: column.into(), expected }
}

/// Reads the groups of a hierarchy file.
///
/// # Errors
/// [`InputError`] names file, row and column.
pub fn groups(file: &str, bytes: &[u8]) -> Result<Groups, InputError> {
    let (header, rows) = rows(file, bytes)?;
    let wrong = |at: usize, expected| InputError::Header { file: file.into(), column: at + 1, expected };
    for (at, expected) in ["dimension", "grupp", "del"].into_iter().enumerate() {
        if header.get(at).is_none_or(|name| name != expected) {
            return Err(wrong(at, expected));
        }
    }
    if header.len() > 3 {
        return Err(wrong(3, "no further column"));
    }
    let mut groups = Groups::new();
    for (row, record) in rows {
        let [dimension, group, part] = [0, 1, 2].map(|at| record[at].clone());
        for (name, text) in [("dimension", &dimension), ("grupp", &group), ("del", &part)] {
            if !is_code(text) || *text == TOT || *text == ALL_AREAS {
                return Err(field(
                    file,
                    row,
                    name,
                    "a code (letters, digits, _, -, . and :), neither TOT nor 00",
                ));
            }
        }
        let parts = groups.entry((dimension, group)).or_default();
        if parts.iter().any(|(known, _)| *known == part) {
            return Err(field(file, row, "del", "each part of a group once"));
        }
        parts.push((part, row));
    }
    Ok(groups)
}

/// Reads a rules file.
///
/// # Errors
/// [`InputError`] names file, row and column.
pub fn rules(file: &str, bytes: &[u8]) -> Result<Vec<RuleRow>, InputError> {
    let (header, rows) = rows(file, bytes)?;
    let width = header.len().saturating_sub(2);
    for (at, expected) in [(width, "regel"), (width + 1, "vikt")] {
        if header.get(at).is_none_or(|name| name != expected) {
            return Err(InputError::Header { file: file.into(), column: at + 1, expected });
        }
    }
    let mut made = Vec::new();
    for (row, record) in rows {
        let mut codes = Vec::new();
        for (name, code) in header.iter().zip(&record).take(width) {
            if code != ANY {
                if !is_code(code) {
                    return Err(field(file, row, name, "a code, TOT or *"));
                }
                codes.push((name.clone(), code.clone()));
            }
        }
        let wish = match record[width].as_str() {
            "" => None,
            "visa" => Some(Wish::Show),
            "dolj" => Some(Wish::Hide),
            "behall" => Some(Wish::Keep),
            _ => return Err(field(file, row, "regel", "visa, dolj, behall or nothing")),
        };
        let weight = match record[width + 1].as_str() {
            "" => None,
            text => Some(
                text.parse()
                    .ok()
                    .filter(|weight| (1..=MAX_WEIGHT).contains(weight))
                    .ok_or_else(|| field(file, row, "vikt", "a whole number from 1 to 1000, or nothing"))?,
            ),
        };
        made.push(RuleRow { row, codes, wish, weight });
    }
    Ok(made)
}

/// A row of a published file.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishedRow {
    /// Its number, the header being 1.
    pub row: usize,
    /// Code per column.
    pub codes: Vec<String>,
    /// Its period.
    pub tid: String,
    /// Its measure.
    pub matt: String,
    /// What readers saw; nothing where it was withheld.
    pub value: Option<i32>,
}

/// A published file: its dimensions and rows.
#[derive(Clone, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub file: String,
    /// Its dimensions.
    pub dimensions: Vec<String>,
    /// Its rows.
    pub rows: Vec<PublishedRow>,
}

/// Reads a published file: `omrade,<dimensions>,tid,matt,varde,status`.
///
/// # Errors
/// [`InputError`] names file, row and column.
pub fn published(file: &str, bytes: &[u8]) -> Result<Published, InputError> {
    let (header, rows) = rows(file, bytes)?;
    let width = header.len().saturating_sub(4);
    for (at, expected) in ["tid", "matt", "varde", "status"].into_iter().enumerate() {
        if header.get(width + at).is_none_or(|name| name != expected) {
            return Err(InputError::Header { file: file.into(), column: width + at + 1, expected });
        }
    }
    let mut made = Vec::new();
    for (row, record) in rows {
        if let Some(at) = (0..width).find(|at| !is_code(&record[*at])) {
            return Err(field(file, row, &header[at], "a code or TOT"));
        }
        let value = match (record[width + 2].as_str(), record[width + 3].as_str()) {
            ("", "x") => None,
            (text, "") => Some(
                text.parse::<i32>()
                    .ok()
                    .filter(|count| *count >= 0)
                    .ok_or_else(|| field(file, row, "varde", "a count from 0 to 2147483647"))?,
            ),
            _ => return Err(field(file, row, "status", "a count without status, or x without a count")),
        };
        let (tid, matt) = (record[width].clone(), record[width + 1].clone());
        made.push(PublishedRow { row, codes: record[..width].to_vec(), tid, matt, value });
    }
    Ok(Published { file: file.into(), dimensions: header[..width].to_vec(), rows: made })
}
