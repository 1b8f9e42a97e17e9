//! Any published tables as an attacker reads them: cells, marks, relations, and what can be computed.
//!
//! [`read`] takes tables with marks and a list of relations, [`strict`] takes strict table files; both give a
//! [`Publication`], which [`attack`] answers for: the exact integer interval of every withheld cell, the relations
//! that contradict what the marks are said to mean, and [`explain`] the equations that give a cell away. [`report`]
//! writes it down.
//!
//! Knows no disk, no clock and nothing of how the tables were made: it sees what a reader sees. It does not make a
//! [`crate::Release`]. Invariants: what is not settled within the budget is *not certified*, never *safe*; cells
//! of a block that contradicts itself are given no interval. `Debug` and errors show no figure (STAY-1).

pub mod adversary;
pub mod attack;
mod derive;
pub mod explain;
pub mod protection;
pub mod read;
pub mod report;
pub mod rerun;
pub mod strict;
pub mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Largest count that is read. No count of a publication, shown or withheld, is taken to be over 2³⁰: the
/// arithmetic of [`crate::interval`] stays exact below that.
pub const MAX_VALUE: u64 = 1 << 28;
/// Longest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most files of one publication.
pub const MAX_FILES: usize = 1_000;
/// Most cells of one publication.
pub const MAX_CELLS: usize = 500_000;
/// Most terms of all relations together.
pub const MAX_TERMS: usize = 2_000_000;

/// Index of a cell of a publication.
pub type CellIndex = usize;
/// Index of a relation of a publication.
pub type RelationIndex = usize;

/// A publication that cannot be read. Names file, row and column; never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// Not UTF-8, or quotes that do not close.
    #[error("{file}, row {row}: expected UTF-8 text with closed quotes")]
    Encoding {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
    },
    /// Another header.
    #[error("{file}, row 1: expected the columns {expected}")]
    Header {
        /// File.
        file: String,
        /// What should be.
        expected: &'static str,
    },
    /// A row with more or fewer fields than the header.
    #[error("{file}, row {row}: {found} fields; expected {expected}")]
    Fields {
        /// File.
        file: String,
        /// Row.
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
        /// Row.
        row: usize,
        /// Name of the column.
        column: &'static str,
        /// What should be.
        expected: &'static str,
    },
    /// Two rows about the same thing.
    #[error("{file}, row {row}: says the same as {first_file}, row {first}; expected each once")]
    Duplicate {
        /// File of the later row.
        file: String,
        /// The later row.
        row: usize,
        /// File of the earlier row.
        first_file: String,
        /// The earlier row.
        first: usize,
    },
    /// A relation that names a cell that no table has.
    #[error("{file}, row {row}, column {column}: names a cell that no table file has")]
    NoCell {
        /// File.
        file: String,
        /// Row.
        row: usize,
        /// First of the columns that name the cell.
        column: &'static str,
    },
    /// A cell that a relation adds up, but with no count nor a mark that has a meaning.
    #[error(
        "{file}, row {row}, column {column}: {by}, row {by_row}, adds it up; expected a count, or a mark with a \
         meaning (--mark 'MARK=LOW..HIGH')"
    )]
    NoMeaning {
        /// File of the cell.
        file: String,
        /// Row of the cell.
        row: usize,
        /// `value` or `mark`.
        column: &'static str,
        /// File of the relation.
        by: String,
        /// Row of the relation.
        by_row: usize,
    },
    /// More than is read.
    #[error("{file}: more than {most} {what}")]
    Limit {
        /// File.
        file: String,
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        most: usize,
    },
    /// No table.
    #[error("no table file to audit; expected {expected}")]
    NoTable {
        /// What should be.
        expected: &'static str,
    },
    /// A strict file that breaks its form.
    #[error(transparent)]
    Strict(#[from] tables::strict::StrictError),
}

/// What a mark says of the count it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Least count.
    pub lower: u64,
    /// Largest count, if the mark says one.
    pub upper: Option<u64>,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.upper {
            Some(upper) if upper == self.lower => write!(f, "{upper}"),
            Some(upper) => write!(f, "{}–{upper}", self.lower),
            None => write!(f, "minst {}", self.lower),
        }
    }
}

/// A text that gives no mark a meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected MARK=LOW..HIGH or MARK=LOW.. with counts of at most {MAX_VALUE}, LOW not over HIGH")]
pub struct MeaningError;

/// One mark and its meaning, written `*=1..3` (both ends included) or `**=4..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkMeaning {
    /// The mark as it stands in the table.
    pub mark: String,
    /// What it means.
    pub meaning: Meaning,
}

impl FromStr for MarkMeaning {
    type Err = MeaningError;

    fn from_str(text: &str) -> Result<Self, MeaningError> {
        let (mark, range) = text.rsplit_once('=').ok_or(MeaningError)?;
        let (lower, upper) = range.split_once("..").ok_or(MeaningError)?;
        let lower = count(lower).ok_or(MeaningError)?;
        let upper = match upper {
            "" => None,
            upper => Some(count(upper).ok_or(MeaningError)?),
        };
        if mark.trim().is_empty() || upper.is_some_and(|upper| upper < lower) {
            return Err(MeaningError);
        }
        let mark = mark.trim().to_owned();
        Ok(Self { mark, meaning: Meaning { lower, upper } })
    }
}

/// A count written in digits, at most [`MAX_VALUE`].
fn count(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse::<u64>().ok()).flatten();
    value.filter(|value| *value <= MAX_VALUE)
}

/// The meanings of all marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(BTreeMap<String, Meaning>);

impl Default for Marks {
    /// `*` is 1 to 3, `**` is 4 or more, as in Stockholm's *Socialtjänstrapport*.
    fn default() -> Self {
        let one = Meaning { lower: 1, upper: Some(3) };
        let two = Meaning { lower: 4, upper: None };
        Self(BTreeMap::from([("*".to_owned(), one), ("**".to_owned(), two)]))
    }
}

impl Marks {
    /// The default meanings, with those given added or put in their place.
    pub fn with(given: &[MarkMeaning]) -> Self {
        let mut marks = Self::default();
        for one in given {
            marks.0.insert(one.mark.clone(), one.meaning);
        }
        marks
    }

    /// What the mark means.
    pub fn meaning(&self, mark: &str) -> Option<Meaning> {
        self.0.get(mark).copied()
    }

    /// All marks and meanings, by mark.
    pub fn all(&self) -> impl Iterator<Item = (&str, Meaning)> {
        self.0.iter().map(|(mark, meaning)| (mark.as_str(), *meaning))
    }
}

/// What stands in a cell.
#[derive(Clone, PartialEq, Eq)]
pub enum Figure {
    /// A count, or a mark that leaves one value only.
    Shown(u64),
    /// A mark that leaves more than one count.
    Withheld {
        /// The mark.
        mark: String,
        /// What it means.
        meaning: Meaning,
    },
    /// No count: a mean, a mark without a meaning, *not delivered*.
    NoCount,
}

/// One printed cell.
#[derive(Clone)]
pub struct Cell {
    /// The table it stands in.
    pub table: String,
    /// Its row heading.
    pub row: String,
    /// Its column heading: `column`, or `column / subcolumn`.
    pub column: String,
    /// What stands in it.
    pub figure: Figure,
    /// Number of the table, of the column and of the row, in the order they first occur: the order of reports.
    pub order: (u32, u32, u32),
}

impl fmt::Debug for Cell {
    /// The place only (STAY-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({}, {}, {})", self.table, self.column, self.row)
    }
}

impl Cell {
    /// The count, if it is shown.
    pub fn shown(&self) -> Option<u64> {
        match self.figure {
            Figure::Shown(count) => Some(count),
            _ => None,
        }
    }

    /// The mark's meaning, if the cell is withheld.
    pub fn withheld(&self) -> Option<(&str, Meaning)> {
        match &self.figure {
            Figure::Withheld { mark, meaning } => Some((mark, *meaning)),
            _ => None,
        }
    }
}

/// What a relation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The total is the sum of its terms.
    Sum,
    /// The total lies between the largest term and their sum (distinct persons over units).
    NotASum,
    /// The total is at least the sum of its terms (records whose category is not known are in no term).
    AtLeast,
    /// Total and only term are the same count, printed twice.
    Same,
    /// The total is at most its only term (persons and events).
    NoMoreThan,
    /// The total is this whole percentage of its only term, halves away from zero.
    Percent(u32),
}

/// A relation between printed cells.
#[derive(Clone)]
pub struct Relation {
    /// How people are told which it is, in Swedish.
    pub name: String,
    /// What it says.
    pub kind: Kind,
    /// The total.
    pub total: CellIndex,
    /// Its terms.
    pub terms: Vec<CellIndex>,
}

impl fmt::Debug for Relation {
    /// The name only (STAY-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relation({})", self.name)
    }
}

/// Tables as published.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// All cells.
    pub cells: Vec<Cell>,
    /// All relations; each names cells of the list, none of which is [`Figure::NoCount`].
    pub relations: Vec<Relation>,
    /// Counts that nobody prints and of which only values under the threshold are a secret (what a county has in a kommungrupp).
    pub crossed: BTreeSet<CellIndex>,
    /// Whether withheld cells that stand in no relation are reported too, with what their mark says.
    pub lists_unrelated: bool,
    /// What the reader of the files could not use, in Swedish; each may hide a disclosure.
    pub unused: Vec<String>,
    /// What the reader of the files took for granted, in Swedish.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, u64, Option<u64>)> {
        let one: MarkMeaning = text.parse().ok()?;
        Some((one.mark, one.meaning.lower, one.meaning.upper))
    }

    #[test]
    fn the_meaning_of_a_mark_is_read() {
        assert_eq!(parsed("*=1..3"), Some(("*".into(), 1, Some(3))));
        assert_eq!(parsed("**=4.."), Some(("**".into(), 4, None)));
        assert_eq!(parsed("<= 5=0..5"), Some(("<= 5".into(), 0, Some(5))));
        assert_eq!(parsed(".=0..0"), Some((".".into(), 0, Some(0))));
    }

    #[test]
    fn what_gives_no_meaning_is_refused() {
        for text in
            ["*", "*=", "=1..3", "*=1", "*=3..1", "*=a..b", "*=-1..3", "*=+1..3", "*=..3", "*=1..999999999"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn a_given_meaning_takes_the_place_of_the_default() {
        let marks = Marks::with(&["*=1..4".parse().unwrap(), "x=1..".parse().unwrap()]);
        assert_eq!(marks.meaning("*").unwrap().upper, Some(4));
        assert_eq!(marks.meaning("**").unwrap().lower, 4);
        assert_eq!(marks.meaning("x").unwrap().upper, None);
        assert_eq!(marks.all().count(), 3);
    }

    #[test]
    fn debug_prints_no_figure() {
        let cell = Cell {
            table: "1".into(),
            row: "r".into(),
            column: "c".into(),
            figure: Figure::Shown(7717),
            order: (0, 0, 0),
        };
        assert!(!format!("{cell:?}").contains("7717")); // STAY-1
    }
}
