//! One variable while rows are read: what a row's cells say, what the personnummer says, and the counts of both.
//!
//! Decides between sources (the personnummer wins, years win over age groups) and hides no disagreement. Knows nothing
//! of other variables. Invariant: each row read is in exactly one of the report's mapped, missing, unmapped and
//! outside validity.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Codebook, Given, VariableIndex};

use super::cell::{Cell, years_of};
use super::gather::Labelled;
use super::header::Columns;
use super::report::VariableReport;
use super::rows::cell_at;
use crate::codes::{Field, Target};
use crate::label::{Matcher, Meaning, Parts};

/// How many different labels of a variable are remembered with their codes.
const REMEMBERED: usize = 4_096;

/// How many of them are found by their ends.
const NEAR: usize = 256;

/// A label that was met before.
struct Remembered {
    label: String,
    /// As it stands in the file.
    bytes: Box<[u8]>,
    parts: Option<Parts>,
    /// What it means on every date, where no date changes that.
    always: Option<Meaning>,
    /// Whether its words alone give it a code on the day of the extract: these are listed for the operator.
    is_listed: bool,
    /// Rows of the batch.
    rows: u64,
}

/// What is known of a cell by its length, the eight bytes it begins with and the eight it ends with.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Ends {
    first: u64,
    last: u64,
    length: usize,
    /// Of a text that is decoded: the same bytes say something else than those of a file in Windows-1252.
    is_decoded: bool,
}

impl Ends {
    /// Cells of at most this many bytes have the same ends only if they are the same.
    const WHOLE: usize = 16;

    fn of(bytes: &[u8], is_decoded: bool) -> Self {
        let length = bytes.len();
        let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (bytes.first_chunk(), bytes.last_chunk()) {
                (Some(first), Some(last)) => {
                    (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                }
                _ => {
                    let byte = |at: usize| bytes.get(at).copied().map_or(0, u64::from);
                    (byte(0) | byte(1) << 8, byte(2))
                }
            },
        };
        Self { first, last, length, is_decoded }
    }

    /// A place among those near: any function does, places that many labels share are only slower.
    fn place(self) -> usize {
        let mixed =
            (self.first ^ self.last.rotate_left(29) ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as usize % NEAR
    }
}

/// A label at hand.
#[derive(Clone, Copy, Default)]
struct Near {
    ends: Ends,
    at: usize,
    /// What it means, where no date changes that and it needs no counting.
    always: Option<Meaning>,
}

/// A listed label of the batch.
enum Touched {
    Remembered(usize),
    /// Too many are remembered to remember this one.
    Once(String),
}

/// One variable while rows are read.
pub(crate) struct Reading<'a> {
    /// Of all readers of a file: it remembers nothing but spellings.
    pub(crate) matcher: Arc<Matcher<'a>>,
    /// Column of labels.
    pub(crate) column: Option<usize>,
    /// Column of ages in years.
    years: Option<usize>,
    /// The day of the extract.
    day: Date,
    entries: Vec<Remembered>,
    remembered: HashMap<String, usize, foldhash::fast::RandomState>,
    /// The same by bytes of Windows-1252.
    raw: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    near: Box<[Near; NEAR]>,
    touched: Vec<Touched>,
    /// Whether a personnummer tells its code without an age.
    pub(crate) is_told_by_number: bool,
    /// For a variable of ages: the code of each age in years.
    pub(crate) code_of_age: Option<Box<[Option<CodeIndex>; 256]>>,
    /// Headers of its columns.
    headers: Vec<String>,
    /// What the rows of the batch add.
    report: VariableReport,
}

impl<'a> Reading<'a> {
    /// `takes_years`: whether the column of ages belongs to this variable.
    pub(crate) fn new(
        index: VariableIndex,
        codebook: &'a Codebook,
        matcher: Arc<Matcher<'a>>,
        columns: &Columns,
        takes_years: bool,
        day: Date,
    ) -> Option<Self> {
        let variable = codebook.variables.get(index)?;
        let column = columns.of(Target::Variable(index));
        let years = columns.field(Field::Alder).filter(|_| takes_years);
        let headers = [years, column].into_iter().flatten().map(|(_, header)| header.to_string());
        let headers = headers.collect();
        let (column, years) = (column.map(|(at, _)| at), years.map(|(at, _)| at));
        let code_of_age = variable.is_age().then(|| {
            let mut codes = Box::new([None; 256]);
            (0..=u8::MAX).zip(codes.iter_mut()).for_each(|(age, code)| *code = variable.code_of_age(age));
            codes
        });
        Some(Self {
            matcher,
            column,
            years,
            day,
            entries: Vec::new(),
            remembered: HashMap::default(),
            raw: HashMap::default(),
            near: Box::new([Near::default(); NEAR]),
            touched: Vec::new(),
            is_told_by_number: false,
            code_of_age,
            headers,
            report: VariableReport::default(),
        })
    }

    /// What the row's own cells say: years first, then the label.
    pub(crate) fn written(&mut self, cells: &[Cell<'_>], date: Date) -> Meaning {
        let label = self.column.map_or(Meaning::Empty, |at| self.label(cell_at(cells, at), date));
        let years = self.years.map_or(Meaning::Empty, |at| self.age(cell_at(cells, at), date));
        match (years, label) {
            (Meaning::Empty, label) => label,
            (Meaning::Unmapped, label @ Meaning::Code(_)) => label,
            (Meaning::Code(age), Meaning::Code(group)) if age.code != group.code => {
                self.report.disagreements += 1;
                years
            }
            (years, _) => years,
        }
    }

    fn age(&mut self, cell: &Cell<'_>, date: Date) -> Meaning {
        match years_of(cell).and_then(|years| self.matcher.variable().code_of_age(years)) {
            Some(code) => Meaning::Code(code.into()),
            None => self.label(cell, date),
        }
    }

    fn label(&mut self, cell: &Cell<'_>, date: Date) -> Meaning {
        let ends = match cell {
            Cell::Empty => return Meaning::Empty,
            Cell::Raw(bytes) => Ends::of(bytes, false),
            Cell::Text(text) => Ends::of(text.as_bytes(), true),
            Cell::Number(_) | Cell::Day(_) => return self.far_label(cell, date, None),
        };
        let near = &self.near[ends.place()];
        if near.ends != ends {
            return self.far_label(cell, date, Some(ends));
        }
        if ends.length > Ends::WHOLE
            && self.entries.get(near.at).is_none_or(|known| *known.bytes != *bytes_of(cell))
        {
            return self.far_label(cell, date, Some(ends));
        }
        match near.always {
            Some(meaning) => meaning,
            None => self.met_before(near.at, date),
        }
    }

    /// A label that is not near.
    fn far_label(&mut self, cell: &Cell<'_>, date: Date, ends: Option<Ends>) -> Meaning {
        let known = match cell {
            Cell::Raw(bytes) => self.raw.get(*bytes),
            _ => self.remembered.get(cell.text().as_ref()),
        };
        let Some(&at) = known else { return self.new_label(cell, date) };
        if let (Some(ends), Some(known)) = (ends, self.entries.get(at)) {
            self.near[ends.place()] = Near { ends, at, always: known.always.filter(|_| !known.is_listed) };
        }
        self.met_before(at, date)
    }

    fn met_before(&mut self, at: usize, date: Date) -> Meaning {
        let Some(known) = self.entries.get_mut(at) else { return Meaning::Unmapped }; // unreachable: entries stay
        if known.is_listed {
            if known.rows == 0 {
                self.touched.push(Touched::Remembered(at));
            }
            known.rows += 1;
        }
        known.always.unwrap_or_else(|| self.matcher.decide(&known.parts, date))
    }

    /// Whether it has neither a column nor a code from the personnummer: it is missing in every row.
    pub(crate) fn is_silent(&self) -> bool {
        self.column.is_none() && self.years.is_none() && self.code_of_age.is_none() && !self.is_told_by_number
    }

    fn new_label(&mut self, cell: &Cell<'_>, date: Date) -> Meaning {
        let label = cell.text().into_owned();
        let parts = self.matcher.read(&label);
        let meaning = self.matcher.decide(&parts, date);
        let has_code = || matches!(self.matcher.decide(&parts, self.day), Meaning::Code(_));
        let is_listed = parts.as_ref().is_some_and(|parts| parts.is_recognised) && has_code();
        let at = self.entries.len();
        if at >= REMEMBERED {
            if is_listed {
                self.touched.push(Touched::Once(label));
            }
            return meaning;
        }
        if is_listed {
            self.touched.push(Touched::Remembered(at));
        }
        match cell {
            Cell::Raw(bytes) => self.raw.insert((*bytes).into(), at),
            _ => self.remembered.insert(label.clone(), at),
        };
        let always = self.matcher.is_dateless(&parts).then_some(meaning);
        let bytes = bytes_of(cell).into();
        self.entries.push(Remembered { label, bytes, parts, always, is_listed, rows: 1 });
        meaning
    }

    /// The report of no rows.
    pub(crate) fn named_report(&self) -> VariableReport {
        let (id, columns) = (self.matcher.variable().id.clone(), self.headers.clone());
        VariableReport { id, columns, ..Default::default() }
    }

    /// Ends a batch of so many rows read: what is to be added for the variable, and the labels whose words alone gave them a code, in the order in
    /// which they first stood (STAY-1: for the operator).
    pub(crate) fn end_batch(
        &mut self,
        variable: VariableIndex,
        rows: u64,
        recognised: &mut Vec<Labelled>,
    ) -> VariableReport {
        if self.is_silent() {
            self.report.missing += rows;
        }
        for touched in self.touched.drain(..) {
            let (label, rows) = match touched {
                Touched::Once(label) => (label, 1),
                Touched::Remembered(at) => match self.entries.get_mut(at) {
                    Some(known) => (known.label.clone(), std::mem::take(&mut known.rows)),
                    None => continue, // unreachable: entries stay
                },
            };
            recognised.push(Labelled { variable, label, rows });
        }
        std::mem::take(&mut self.report)
    }

    /// The code of a label on the day of the extract, and whether others follow.
    pub(crate) fn code_of(&self, label: &str) -> Option<(String, bool)> {
        let Meaning::Code(given) = self.matcher.meaning(label, self.day) else { return None };
        Some((self.matcher.variable().codes.get(usize::from(given.code))?.code.clone(), given.several()))
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
                let differs = matches!(written, Meaning::Code(given) if given.code != derived);
                report.disagreements += u64::from(differs);
                Some(derived.into())
            }
            (None, Meaning::Code(given)) => {
                report.mapped += 1;
                report.several += u64::from(given.several());
                Some(given)
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

/// A cell as it stands in the file; nothing of numbers and days.
fn bytes_of<'c>(cell: &Cell<'c>) -> &'c [u8] {
    match cell {
        Cell::Raw(bytes) => bytes,
        Cell::Text(text) => text.as_bytes(),
        Cell::Empty | Cell::Number(_) | Cell::Day(_) => &[],
    }
}
