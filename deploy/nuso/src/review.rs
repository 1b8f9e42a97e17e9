//! What a kommun's operator does before the round: reads the extract with the program, and answers for the labels it asks about.
//!
//! What it does not do: it answers no label that nobody can read, and changes nothing the program has read by itself; if that is
//! wrong, the round's figures are. Invariant: the codes file holds the columns of the system and the answers, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use harmonise::{IntakeReport, KommunCodes, Source};
use tables::codebook::Codebook;
use toml::{Table, Value};

use crate::files::WriteError;
use crate::lexicon::Field;
use crate::profile::Profile;

/// Per variable: the code of each label.
pub type Answers = BTreeMap<&'static str, BTreeMap<String, String>>;

/// The day the study's extracts are read: no event is later.
const EXTRACTED: jiff::civil::Date = jiff::civil::date(2024, 3, 1);

/// Of one variable, what the reader made of the labels before anybody answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Rows with a label.
    pub written: u64,
    /// Of these, rows whose label was read without asking.
    pub mapped: u64,
    /// Labels asked about.
    pub asked: u64,
    /// Of these, labels that the operator could answer for.
    pub answered: u64,
    /// Rows with these.
    pub answered_rows: u64,
}

/// What one kommun's reading found.
#[derive(Debug, Clone, Default)]
pub struct Review {
    /// By variable.
    pub shares: BTreeMap<&'static str, Share>,
    /// Rows read.
    pub read: u64,
    /// Rows refused, by reason in Swedish.
    pub refused: BTreeMap<&'static str, u64>,
    /// Rows that are no events: totals and source lines.
    pub skipped: u64,
    /// Rows whose number stood on an earlier row.
    pub repeated: u64,
}

impl Review {
    /// Adds another kommun's.
    pub fn add(&mut self, other: &Self) {
        for (variable, share) in &other.shares {
            let own = self.shares.entry(variable).or_default();
            own.written += share.written;
            own.mapped += share.mapped;
            own.asked += share.asked;
            own.answered += share.answered;
            own.answered_rows += share.answered_rows;
        }
        self.read += other.read;
        other.refused.iter().for_each(|(reason, rows)| *self.refused.entry(reason).or_default() += rows);
        self.skipped += other.skipped;
        self.repeated += other.repeated;
    }
}

/// Reads an extract and answers; also the text of the codes file.
pub(crate) fn review(
    profile: &Profile,
    extract: &Path,
    answers: &Answers,
) -> Result<(Review, String), WriteError> {
    let fault = |problem: String| WriteError::Review { unit: profile.unit.clone(), problem };
    let book = Codebook::barn().map_err(|error| fault(error.to_string()))?;
    let mut file = head(profile);
    let codes = KommunCodes::from_toml(&file.to_string(), &book).map_err(|error| fault(error.to_string()))?;
    let reader =
        File::open(extract).map_err(|source| WriteError::Io { file: profile.unit.clone(), source })?;
    let extension = extract.extension().and_then(|end| end.to_str()).map(str::to_owned);
    let harmonised = harmonise::read(Source { reader, extension }, &book, &codes, EXTRACTED);
    let harmonised = harmonised.map_err(|error| fault(error.to_string()))?;
    if harmonised.unmapped.unlisted() > 0 {
        return Err(fault("more labels are asked about than are listed".into()));
    }
    let mut found = of_report(&harmonised.report);
    let mut said: BTreeMap<&str, Table> = BTreeMap::new();
    for asked in harmonised.unmapped.for_operator() {
        let Some(field) =
            Field::ALL.into_iter().find(|field| asked.variables.iter().any(|id| id == field.id()))
        else {
            continue;
        };
        let share = found.shares.entry(field.id()).or_default();
        share.asked += 1;
        if let Some(code) = answers.get(field.id()).and_then(|of| of.get(&asked.label)) {
            share.answered += 1;
            share.answered_rows += asked.count;
            said.entry(field.id()).or_default().insert(asked.label.clone(), Value::String(code.clone()));
        }
    }
    let said: Table = said.into_iter().map(|(id, table)| (id.to_owned(), Value::Table(table))).collect();
    if !said.is_empty() {
        file.insert("koder".into(), Value::Table(said));
    }
    let text = file.to_string();
    // what is wrong with it is found here and not by a node
    KommunCodes::from_toml(&text, &book).map_err(|error| fault(error.to_string()))?;
    Ok((found, text))
}

/// The codes file before anything is answered.
fn head(profile: &Profile) -> Table {
    let mut file = Table::new();
    file.insert("version".into(), Value::Integer(1));
    file.insert("kommun".into(), Value::String(profile.unit.clone()));
    let absent: BTreeSet<&str> = [("orsak", !profile.gives_reasons), ("alder", profile.groups_of_age)]
        .into_iter()
        .filter_map(|(id, is)| is.then_some(id))
        .collect();
    let own = profile.system.own_headers.iter().filter(|(field, _)| !absent.contains(field));
    let columns: Table =
        own.map(|(field, header)| ((*field).to_owned(), Value::String((*header).into()))).collect();
    if !columns.is_empty() {
        file.insert("kolumner".into(), Value::Table(columns));
    }
    file
}

fn of_report(report: &IntakeReport) -> Review {
    let mut found = Review { read: report.read, skipped: report.skipped.total, ..Default::default() };
    found.repeated = report.repeated.identical + report.repeated.different;
    // the first of a great many refused rows stand for all; a kommun here has some tens
    for refusal in &report.refused.first {
        *found.refused.entry(refusal.reason.text()).or_default() += 1;
    }
    for variable in &report.variables {
        if let Some(field) = Field::ALL.into_iter().find(|field| field.id() == variable.id) {
            let share = found.shares.entry(field.id()).or_default();
            share.mapped = variable.mapped;
            share.written = variable.mapped + variable.unmapped + variable.outside_validity;
        }
    }
    found
}
