//! What a reading found, without the content of any cell (TRUE-3: nothing is dropped silently; STAY-1).
//!
//! [`IntakeReport`] holds counts, row numbers and column headers. The labels that fit nothing are kept apart in
//! [`UnmappedLabels`], for the operator's eye alone.
//!
//! Invariants: for every variable `mapped + missing + unmapped + outside_validity` is `read`; every row below the
//! header is in `read`, `refused`, `skipped` or `blank`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::limits::MAX_LISTED;
use crate::personnummer::UtanGiltigtNummer;

/// Rows of one fate: all counted, the first [`MAX_LISTED`] listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    pub(crate) fn push(&mut self, item: T) {
        self.total += 1;
        if self.first.len() < MAX_LISTED {
            self.first.push(item);
        }
    }
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// An aktualisering without a date.
    DateMissing,
    /// The date has none of the forms that are read.
    DateForm,
    /// The date is after the day of the extract.
    DateInFuture,
    /// The row of a text file does not have the header's fields.
    FieldCount,
    /// A quotation mark opens what no other closes.
    Quotation,
}

impl RefusalReason {
    /// In Swedish, for an operator.
    pub fn text(self) -> &'static str {
        match self {
            Self::DateMissing => "datum saknas",
            Self::DateForm => "datumet har ingen form som läses (2024-01-31)",
            Self::DateInFuture => "datumet ligger efter uttagets dag",
            Self::FieldCount => "raden har inte lika många fält som rubrikraden",
            Self::Quotation => "ett citattecken inleder fältet men avslutas inte",
        }
    }
}

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Row of the sheet, or line of the text file, from 1.
    pub row: u64,
    /// Header of the column.
    pub column: Arc<str>,
    /// Why.
    pub reason: RefusalReason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rad {}, kolumn {}: {}", self.row, self.column, self.reason.text())
    }
}

/// Why a row below the header is taken for no aktualisering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// It has neither a date nor an aktualiseringsnummer nor a valid personnummer.
    NeitherDateNorNumber,
    /// It has no date and begins with *Totalt*, *Summa* or *Antal*.
    Total,
}

impl SkipReason {
    /// In Swedish, for an operator.
    pub fn text(self) -> &'static str {
        match self {
            Self::NeitherDateNorNumber => "varken datum eller aktualiseringsnummer",
            Self::Total => "summarad",
        }
    }
}

/// A row that is no aktualisering: a total, a source note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Row of the sheet, or line of the text file, from 1.
    pub row: u64,
    /// Why.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rad {}: {}", self.row, self.reason.text())
    }
}

/// What became of one variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VariableReport {
    /// Variable of the codebook.
    pub id: String,
    /// Headers of its columns; empty if the file has none.
    pub columns: Vec<String>,
    /// Rows with a code.
    pub mapped: u64,
    /// Of these, rows whose code comes from the personnummer.
    pub derived: u64,
    /// Of these, rows whose field lists several codes.
    pub several: u64,
    /// Of these, rows whose label only its words gave a code: to be looked through.
    pub recognised: u64,
    /// Rows with an empty cell or no column.
    pub missing: u64,
    /// Rows whose label fits no code, or more than one.
    pub unmapped: u64,
    /// Rows whose label fits only codes that may not be used on the row's date.
    pub outside_validity: u64,
    /// Rows where two sources differ: personnummer and column (the personnummer is taken), or age and age group
    /// (the age is taken).
    pub disagreements: u64,
}

impl VariableReport {
    /// Adds the rows of another reading of the same variable.
    pub(crate) fn add(&mut self, more: &Self) {
        self.mapped += more.mapped;
        self.derived += more.derived;
        self.several += more.several;
        self.recognised += more.recognised;
        self.missing += more.missing;
        self.unmapped += more.unmapped;
        self.outside_validity += more.outside_validity;
        self.disagreements += more.disagreements;
    }
}

/// Rows whose aktualiseringsnummer stood on an earlier row. They are read all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeated {
    /// With the same date and codes.
    pub identical: u64,
    /// With another date or other codes.
    pub different: u64,
}

/// What kind of file was read, or what else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A text file.
    Text {
        /// Name of the encoding.
        encoding: &'static str,
        /// Between fields.
        separator: char,
    },
    /// A workbook.
    Workbook {
        /// The sheet read, from 1.
        sheet: usize,
    },
    /// The rows of a query.
    Query {
        /// How many columns it gives.
        columns: usize,
    },
}

/// The report of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeReport {
    /// What kind of file it was.
    pub dialect: Dialect,
    /// Row of the header, from 1; 0 for a query, which has none.
    pub header_row: u64,
    /// Headers of columns that are not read, and the field or variable without a column that each resembles.
    pub unused: Vec<(String, Option<String>)>,
    /// Rows read.
    pub read: u64,
    /// Rows refused.
    pub refused: Listed<Refusal>,
    /// Rows that are no aktualiseringar.
    pub skipped: Listed<Skipped>,
    /// Rows without content.
    pub blank: u64,
    /// One per variable of the codebook, in its order.
    pub variables: Vec<VariableReport>,
    /// Whether there is a column of personnummer.
    pub has_personnummer: bool,
    /// Rows read *utan giltigt nummer*, per reason; empty without a column.
    pub without_number: BTreeMap<UtanGiltigtNummer, u64>,
    /// Rows read whose number has been seen.
    pub repeated: Repeated,
}

/// A label of the kommun that fits no code.
pub struct UnmappedLabel {
    /// The variables whose column it stands in.
    pub variables: Vec<String>,
    /// The label as written (STAY-1: only for the operator).
    pub label: String,
    /// Rows.
    pub count: u64,
    /// Up to three codes of the first variable that look alike.
    pub suggestions: Vec<String>,
}

/// A label of the kommun whose words gave it a code.
pub struct RecognisedLabel {
    /// Variable.
    pub variable: String,
    /// The label as written (STAY-1: only for the operator).
    pub label: String,
    /// The code, or the first of several.
    pub code: String,
    /// Whether it lists further codes: then one code in the kommun's map would take these away.
    pub several: bool,
    /// Rows.
    pub count: u64,
}

impl fmt::Debug for RecognisedLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecognisedLabel(..)")
    }
}

/// The labels that fit no code, most frequent first, and those that only their words gave one. STAY-1: its `Debug` shows nothing, and it is not `Serialize`;
/// what shows them is called by that name.
#[derive(Default)]
pub struct UnmappedLabels {
    pub(crate) labels: Vec<UnmappedLabel>,
    pub(crate) unlisted: u64,
    pub(crate) recognised: Vec<RecognisedLabel>,
}

impl fmt::Debug for UnmappedLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnmappedLabel(..)")
    }
}

impl fmt::Debug for UnmappedLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnmappedLabels(..)")
    }
}

impl UnmappedLabels {
    /// How many different labels are listed.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether every label was mapped.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows whose label is not listed, because the column has too many different ones.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Labels that their words gave a code, for the operator's own screen and nothing else.
    pub fn recognised_for_operator(&self) -> &[RecognisedLabel] {
        &self.recognised
    }

    /// Takes over another reading's labels; the same label is one.
    pub fn add(&mut self, other: Self) {
        for label in other.labels {
            let same =
                |own: &&mut UnmappedLabel| own.label == label.label && own.variables == label.variables;
            match self.labels.iter_mut().find(same) {
                Some(known) => known.count += label.count,
                None => self.labels.push(label),
            }
        }
        for label in other.recognised {
            let same =
                |own: &&mut RecognisedLabel| own.label == label.label && own.variable == label.variable;
            match self.recognised.iter_mut().find(same) {
                Some(known) => known.count += label.count,
                None => self.recognised.push(label),
            }
        }
        self.unlisted += other.unlisted;
    }

    /// The labels, for the operator's own screen and nothing else.
    pub fn for_operator(&self) -> &[UnmappedLabel] {
        &self.labels
    }

    /// Writes the review file: a codes file of commented lines to complete and copy. It must stay in the kommun.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_review(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "# Etiketter som inte motsvarar någon kod. Innehåller kommunens egna uppgifter: lämna inte ut."
        )?;
        writeln!(out, "# Ta bort # framför en rad, skriv koden och flytta raden till kommunens kodfil.")?;
        let mut by_variable: BTreeMap<&[String], Vec<&UnmappedLabel>> = BTreeMap::new();
        for label in &self.labels {
            by_variable.entry(&label.variables).or_default().push(label);
        }
        for (variables, labels) in by_variable {
            let Some((first, others)) = variables.split_first() else {
                continue;
            };
            writeln!(out, "\n[koder.{first}]")?;
            if !others.is_empty() {
                writeln!(out, "# samma kolumn: {}", others.join(", "))?;
            }
            for label in labels {
                let key = toml::Value::String(one_line(&label.label));
                writeln!(out, "# {key} = \"{}\"  # rader: {}", label.suggestions.join(" | "), label.count)?;
            }
        }
        if !self.recognised.is_empty() {
            writeln!(
                out,
                "\n# Tolkade av sina ord. Är något fel: ta bort #, ändra koden och flytta raden till kodfilen."
            )?;
        }
        let mut variable = "";
        for label in &self.recognised {
            if label.variable != variable {
                writeln!(out, "\n# [koder.{}]", label.variable)?;
                variable = &label.variable;
            }
            let key = toml::Value::String(one_line(&label.label));
            let several = if label.several { "; flera koder, den här är den första" } else { "" };
            writeln!(out, "# {key} = \"{}\"  # rader: {}{several}", label.code, label.count)?;
        }
        if self.unlisted > 0 {
            writeln!(out, "\n# Dessutom {} rader med fler olika etiketter än som listas.", self.unlisted)?;
        }
        Ok(())
    }
}

/// A label on one line, as the matcher sees it: a line break must not end the comment.
fn one_line(label: &str) -> String {
    crate::label::clean(label)
}
