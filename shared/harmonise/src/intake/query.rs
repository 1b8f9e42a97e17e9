//! Rows of a database query: typed values instead of a file's cells, read by the same rules.
//!
//! Knows no database: whoever asks one gives the names of its columns, then its rows. A source's mapping is the whole
//! truth about its columns; without one they are known by the codes file and by usual names, as a file's headers are.
//! Rows are numbered from 1, columns are named as the query names them. STAY-1: a [`Value`] has no `Debug`, and of
//! columns that are not read no value needs to be given at all ([`QueryColumns::wanted`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::cell::{Cell, Epoch};
use super::error::IntakeError;
use super::gather::Rows;
use super::header::{Columns, Names, OTHER, shown};
use super::limits::{Limit, MAX_CELL_CHARS, MAX_COLUMNS};
use super::rows::{Manner, RowReader};
use super::{Dialect, Part, Reading, Row, Seen, Sink};
use crate::codes::{Field, Target};
use crate::label::clean;

/// A source's own words: name of a column → fields and variables, or [`NOT_READ`].
pub type Mapping = BTreeMap<String, Vec<String>>;

/// What a mapping says of a column that is left alone.
pub const NOT_READ: &str = "-";

/// One value of a row. STAY-1: no `Debug`, no `Display`.
pub enum Value {
    /// NULL, or a column that is not read.
    Null,
    /// Characters.
    Text(String),
    /// A number that a floating point number holds exactly, or near enough for what numbers are used for here.
    Number(f64),
    /// A calendar day.
    Day(Date),
}

/// Whole numbers below this are floating point numbers without loss.
const EXACT: u64 = 1 << 53;

impl Value {
    /// A whole number; what a floating point number cannot hold stays digits.
    pub fn integer(number: i64) -> Self {
        if number.unsigned_abs() < EXACT {
            Self::Number(number as f64)
        } else {
            Self::Text(number.to_string())
        }
    }

    /// A truth value, as Swedish Excel shows it: a file of the same rows would say the same.
    pub fn truth(truth: bool) -> Self {
        Self::Text(if truth { "SANT" } else { "FALSKT" }.into())
    }

    /// A decimal number from its digits: a number where it is whole (`34.00` too), else the digits.
    pub fn decimal(digits: &str) -> Self {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        match whole.parse::<i64>() {
            Ok(number) if fraction.bytes().all(|b| b == b'0') => Self::integer(number),
            _ => Self::Text(digits.into()),
        }
    }

    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Empty,
            Self::Text(text) if text.is_empty() => Cell::Empty,
            Self::Text(text) => Cell::Text(text),
            Self::Number(number) => Cell::Number(*number),
            Self::Day(day) => Cell::Day(*day),
        }
    }

    fn is_too_long(&self) -> bool {
        // a character has one to four bytes
        matches!(self, Self::Text(text) if text.len() > MAX_CELL_CHARS && text.chars().count() > MAX_CELL_CHARS)
    }
}

/// Which of a query's columns are read, and as what.
pub struct QueryColumns {
    columns: Columns,
    names: Vec<Arc<str>>,
}

impl QueryColumns {
    /// For each column of the query whether its values are looked at.
    pub fn wanted(&self) -> Vec<bool> {
        let read: BTreeSet<usize> = self.columns.found.iter().map(|(_, at, _)| *at).collect();
        (0..self.names.len()).map(|at| read.contains(&at)).collect()
    }
}

/// Why a column is thought to be a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The mapping says so.
    Mapped,
    /// Its name is a usual one, or the codes file's.
    Named,
    /// Its name resembles a usual one: to be asked about.
    Alike,
}

/// What a column of a query may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Name of the column.
    pub column: String,
    /// Fields and variables, or [`NOT_READ`]; empty where nothing is like it.
    pub variables: Vec<String>,
    /// Why; nothing where there is no suggestion.
    pub reason: Option<Reason>,
}

impl Reading<'_> {
    /// Which of a query's columns are what.
    ///
    /// # Errors
    /// [`IntakeError`] if a column that is needed or mapped is not there, or two are one field.
    pub fn columns_of(
        &self,
        names: &[String],
        mapping: Option<&Mapping>,
    ) -> Result<QueryColumns, IntakeError> {
        if names.len() > MAX_COLUMNS {
            return Err(Limit::Columns { row: 0, columns: names.len() }.into());
        }
        let wanted = self.names()?;
        let columns = match mapping {
            Some(mapping) => mapped(&wanted, names, mapping)?,
            None => self.recognised(&wanted, names)?,
        };
        Ok(QueryColumns { columns, names: names.iter().map(|name| Arc::from(name.as_str())).collect() })
    }

    fn recognised(&self, wanted: &Names, names: &[String]) -> Result<Columns, IntakeError> {
        let header = |name: &String| {
            let own = clean(name);
            if self.codes.columns.values().any(|header| *header == own) { own } else { spoken(name) }
        };
        let headers: Vec<String> = names.iter().map(header).collect();
        let own = |header: &String| {
            headers
                .iter()
                .position(|one| one == header)
                .map_or_else(|| header.clone(), |at| names[at].clone())
        };
        let found = wanted.of_headers(0, headers.clone()).map_err(|error| match error {
            IntakeError::AmbiguousColumn { target, columns } => {
                IntakeError::AmbiguousColumn { target, columns: columns.iter().map(own).collect() }
            }
            other => other,
        })?;
        let mut columns =
            found.map_err(|near| IntakeError::NoColumns { missing: near.missing(), seen: shown(names) })?;
        for (_, at, header) in &mut columns.found {
            *header = Arc::from(names[*at].as_str());
        }
        columns.unused.iter_mut().for_each(|(header, _)| *header = own(header));
        Ok(columns)
    }

    /// What each column of a query may be, and why: for whoever writes the mapping.
    ///
    /// # Errors
    /// [`IntakeError::OtherCodebook`].
    pub fn suggestions(
        &self,
        names: &[String],
        mapping: Option<&Mapping>,
    ) -> Result<Vec<Suggestion>, IntakeError> {
        let wanted = self.names()?;
        let configured = |name: &str| {
            let of = self.codes.columns.iter().filter(|(_, header)| **header == clean(name));
            of.map(|(target, _)| target.id(self.codebook).to_owned()).collect::<Vec<_>>()
        };
        let certain: Vec<(Vec<String>, Option<Reason>)> = names
            .iter()
            .map(|name| match mapping.and_then(|mapping| mapping.get(name)) {
                Some(variables) => (variables.clone(), Some(Reason::Mapped)),
                None => {
                    let own = configured(name);
                    let variables = if own.is_empty() { wanted.usual(&spoken(name)) } else { own };
                    let reason = (!variables.is_empty()).then_some(Reason::Named);
                    (variables, reason)
                }
            })
            .collect();
        let taken: BTreeSet<&String> = certain.iter().flat_map(|(variables, _)| variables).collect();
        let of = |(name, (variables, reason)): (&String, &(Vec<String>, Option<Reason>))| {
            let like =
                reason.is_none().then(|| wanted.like(&spoken(name), |wanted| !taken.contains(&wanted.id)));
            match like.flatten() {
                Some(id) => {
                    Suggestion { column: name.clone(), variables: vec![id], reason: Some(Reason::Alike) }
                }
                None => Suggestion { column: name.clone(), variables: variables.clone(), reason: *reason },
            }
        };
        Ok(names.iter().zip(&certain).map(of).collect())
    }

    /// Reads the rows of a query as [`Reading::read`] reads those of a file; no row is kept.
    ///
    /// # Errors
    /// What the rows' own source fails with, or [`IntakeError`] if a limit is broken; bad rows are in the report.
    pub fn read_rows<E: From<IntakeError>>(
        self,
        columns: QueryColumns,
        rows: impl IntoIterator<Item = Result<Vec<Value>, E>>,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<Part, E> {
        let QueryColumns { columns, names } = columns;
        let dialect = Dialect::Query { columns: names.len() };
        let manner = Manner { dialect, epoch: Epoch::From1900, extracted_on: self.extracted_on };
        let reader = RowReader::new(self.codebook, &self.matchers(), columns, manner, seen.run);
        let mut reader = Rows::new(reader, seen, sink);
        for (number, values) in (1..).zip(rows) {
            let values = values?;
            if let Some(at) = values.iter().position(Value::is_too_long) {
                let column = names.get(at).map_or(String::new(), |name| name.to_string());
                return Err(IntakeError::from(Limit::Cell { row: number, column }).into());
            }
            let cells: Vec<Cell<'_>> = values.iter().map(Value::cell).collect();
            reader.take(&Row { number, cells: &cells, broken: None })?;
        }
        Ok(reader.finish()?)
    }
}

/// A column's name as a header: where a header has a space, databases have `_`.
fn spoken(name: &str) -> String {
    clean(&name.replace('_', " "))
}

/// The columns a mapping names, and no others.
fn mapped(wanted: &Names, names: &[String], mapping: &Mapping) -> Result<Columns, IntakeError> {
    let mut found: Vec<(Target, usize, Arc<str>)> = Vec::new();
    let mut missing = Vec::new();
    for (column, variables) in mapping {
        let at: Vec<usize> = (0..names.len()).filter(|at| names[*at] == *column).collect();
        for id in variables.iter().filter(|id| *id != NOT_READ) {
            let unknown = |expected| IntakeError::UnknownVariable { column: column.clone(), expected };
            let target = wanted.target(id).map_err(unknown)?;
            let other = found.iter().find(|(of, ..)| *of == target).map(|(_, at, _)| names[*at].clone());
            match (at.as_slice(), other) {
                ([], _) => missing.push(format!("kolumnen {column} ({id})")),
                ([at], None) => found.push((target, *at, Arc::from(column.as_str()))),
                (_, other) => {
                    let columns = vec![other.unwrap_or_else(|| column.clone()), column.clone()];
                    return Err(IntakeError::AmbiguousColumn { target: id.clone(), columns });
                }
            }
        }
    }
    let has_date = found.iter().any(|(target, ..)| *target == Target::Field(Field::Datum));
    if missing.is_empty() && !has_date {
        missing.push(Field::Datum.id().into());
    }
    if missing.is_empty() && found.len() < 2 {
        missing.push(OTHER.into());
    }
    if !missing.is_empty() {
        return Err(IntakeError::NoColumns { missing, seen: shown(names) });
    }
    let is_mapped = |id: &str| mapping.values().flatten().any(|of| of == id);
    let unused = names.iter().filter(|name| !mapping.contains_key(*name)).map(|name| {
        let usual = wanted.usual(&spoken(name)).into_iter().find(|id| !is_mapped(id));
        (name.clone(), usual.or_else(|| wanted.like(&spoken(name), |wanted| !is_mapped(&wanted.id))))
    });
    let unused = unused.collect();
    found.sort_by_key(|(target, ..)| *target);
    Ok(Columns { row: 0, width: names.len(), found, unused })
}
