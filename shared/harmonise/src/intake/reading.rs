//! One variable while rows are read: what a row's cells say, what the personnummer says, and the counts of both.
//!
//! Decides between sources (the personnummer wins, years win over age groups) and hides no disagreement. Knows nothing
//! of other variables. Invariant: each row read is in exactly one of the report's mapped, missing, unmapped and
//! outside validity.

use std::collections::HashMap;

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Codebook, Given, VariableIndex};

use super::cell::{Cell, decoded, years_of};
use super::header::Columns;
use super::report::{RecognisedLabel, VariableReport};
use super::rows::cell_at;
use crate::codes::{Field, KommunCodes, Target};
use crate::label::{Matcher, Meaning, Parts};

/// How many different labels of a variable are remembered with their codes.
const REMEMBERED: usize = 4_096;

/// A label and how often it stood.
struct Remembered {
    parts: Option<Parts>,
    rows: u64,
}

/// One variable while rows are read.
pub(crate) struct Reading<'a> {
    pub(crate) matcher: Matcher<'a>,
    /// Column of labels.
    pub(crate) column: Option<usize>,
    /// Column of ages in years.
    years: Option<usize>,
    remembered: HashMap<String, Remembered, foldhash::fast::RandomState>,
    /// The same by bytes of Windows-1252.
    raw: HashMap<Box<[u8]>, Remembered, foldhash::fast::RandomState>,
    /// For a variable of ages: the code of each age in years.
    pub(crate) code_of_age: Option<Box<[Option<CodeIndex>; 256]>>,
    pub(crate) report: VariableReport,
}

impl<'a> Reading<'a> {
    /// `takes_years`: whether the column of ages belongs to this variable.
    pub(crate) fn new(
        index: VariableIndex,
        codebook: &'a Codebook,
        codes: &KommunCodes,
        columns: &Columns,
        takes_years: bool,
    ) -> Option<Self> {
        let variable = codebook.variables.get(index)?;
        let column = columns.of(Target::Variable(index));
        let years = columns.field(Field::Alder).filter(|_| takes_years);
        let headers = [years, column].into_iter().flatten().map(|(_, header)| header.to_string());
        let report =
            VariableReport { id: variable.id.clone(), columns: headers.collect(), ..Default::default() };
        let (column, years) = (column.map(|(at, _)| at), years.map(|(at, _)| at));
        let matcher = codes.matcher(index, variable);
        let code_of_age = variable.is_age().then(|| {
            let mut codes = Box::new([None; 256]);
            (0..=u8::MAX).zip(codes.iter_mut()).for_each(|(age, code)| *code = variable.code_of_age(age));
            codes
        });
        Some(Self {
            matcher,
            column,
            years,
            remembered: HashMap::default(),
            raw: HashMap::default(),
            code_of_age,
            report,
        })
    }

    /// What the row's own cells say: years first, then the label.
    pub(crate) fn written(&mut self, cells: &[Cell<'_>], date: Date) -> Meaning {
        let label = self.column.map_or(Meaning::Empty, |at| self.label(cell_at(cells, at), date));
        let years = self.years.map_or(Meaning::Empty, |at| self.age(cell_at(cells, at), date));
        match (years, label) {
            (Meaning::Empty, label) => label,
            (Meaning::Unmapped, label @ Meaning::Code { .. }) => label,
            (Meaning::Code { code: age, .. }, Meaning::Code { code: group, .. }) if age != group => {
                self.report.disagreements += 1;
                years
            }
            (years, _) => years,
        }
    }

    fn age(&mut self, cell: &Cell<'_>, date: Date) -> Meaning {
        match years_of(cell).and_then(|years| self.matcher.variable().code_of_age(years)) {
            Some(code) => Meaning::Code { code, several: false },
            None => self.label(cell, date),
        }
    }

    fn label(&mut self, cell: &Cell<'_>, date: Date) -> Meaning {
        if let Cell::Raw(bytes) = cell {
            if let Some(known) = self.raw.get_mut(*bytes) {
                known.rows += 1;
                return self.matcher.decide(&known.parts, date);
            }
            let parts = self.matcher.read(&cell.text());
            let meaning = self.matcher.decide(&parts, date);
            if self.raw.len() < REMEMBERED {
                self.raw.insert((*bytes).into(), Remembered { parts, rows: 1 });
            }
            return meaning;
        }
        let text = cell.text();
        if let Some(known) = self.remembered.get_mut(text.as_ref()) {
            known.rows += 1;
            return self.matcher.decide(&known.parts, date);
        }
        let parts = self.matcher.read(&text);
        let meaning = self.matcher.decide(&parts, date);
        if self.remembered.len() < REMEMBERED {
            self.remembered.insert(text.into_owned(), Remembered { parts, rows: 1 });
        }
        meaning
    }

    /// The labels whose words alone gave them a code, with the first code and the rows (STAY-1: for the operator).
    pub(crate) fn recognised(&self, date: Date) -> Vec<RecognisedLabel> {
        let one = |(label, known): (String, &Remembered)| {
            known.parts.as_ref().filter(|parts| parts.is_recognised)?;
            let Meaning::Code { code, .. } = self.matcher.decide(&known.parts, date) else { return None };
            let variable = self.matcher.variable();
            let code = variable.codes.get(usize::from(code))?.code.clone();
            Some(RecognisedLabel { variable: variable.id.clone(), label, code, count: known.rows })
        };
        let mut all: Vec<RecognisedLabel> = {
            let plain = self.remembered.iter().map(|(label, known)| (label.clone(), known));
            let raw = self.raw.iter().map(|(label, known)| (decoded(label).into_owned(), known));
            plain.chain(raw).filter_map(one).collect()
        };
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
        all
    }

    /// The cell whose label an operator is asked about.
    pub(crate) fn label_column(&self, cells: &[Cell<'_>]) -> Option<usize> {
        let years = self.years.filter(|at| !cell_at(cells, *at).is_blank());
        years.or(self.column)
    }

    /// Counts what is written against what the personnummer says, which wins.
    pub(crate) fn settle(&mut self, written: Meaning, derived: Option<CodeIndex>) -> Option<Given> {
        let report = &mut self.report;
        match (derived, written) {
            (Some(derived), written) => {
                report.mapped += 1;
                report.derived += 1;
                let differs = matches!(written, Meaning::Code { code, .. } if code != derived);
                report.disagreements += u64::from(differs);
                Some(derived.into())
            }
            (None, Meaning::Code { code, several }) => {
                report.mapped += 1;
                report.several += u64::from(several);
                Some(Given { code, several })
            }
            (None, Meaning::Empty) => {
                report.missing += 1;
                None
            }
            (None, Meaning::Unmapped) => {
                report.unmapped += 1;
                None
            }
            (None, Meaning::OutsideValidity) => {
                report.outside_validity += 1;
                None
            }
        }
    }
}
