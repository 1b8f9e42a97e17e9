//! One row after another: from cells to codes, with every loss counted (TRUE-3).
//!
//! Columns that are not in [`Columns`] are never looked at. STAY-1: of a personnummer only codes and a reason
//! outlive the row; of an aktualiseringsnummer only a hash under a key of this run, and that not the reading.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Codebook, Given, VariableIndex};

use super::Row;
use super::cell::{Cell, Epoch, date_of};
use super::gather::{Batch, Gather, Labelled};
use super::header::Columns;
use super::limits::column_name;
use super::reading::Reading;
use super::report::{
    Dialect, IntakeReport, RecognisedLabel, Refusal, RefusalReason, SkipReason, Skipped, UnmappedLabel,
    UnmappedLabels,
};
use crate::codes::Field;
use crate::label::{Matcher, Meaning, clean, fold_case};
use crate::personnummer::{Kon, Personnummer, UtanGiltigtNummer};

/// One aktualisering in codes. STAY-1: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Coded {
    /// Day of the aktualisering.
    pub date: Date,
    /// Per variable of the codebook its code, or those its field lists; nothing if it is missing.
    pub codes: Box<[Option<Given>]>,
}

impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Coded(..)")
    }
}

/// How the rows of a file are to be understood.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) dialect: Dialect,
    pub(crate) epoch: Epoch,
    /// The day of the extract.
    pub(crate) extracted_on: Date,
}

/// Takes rows as they are read: the day, and per variable of the codebook its code, or those its field lists.
pub type Sink<'s> = dyn FnMut(Date, &[Option<Given>]) + 's;

/// Reads rows into batches; knows nothing of rows outside its own.
pub(crate) struct RowReader<'a> {
    manner: Manner,
    columns: Columns,
    /// Columns that are looked at in every row.
    person_at: Option<usize>,
    date_at: usize,
    number_at: Option<usize>,
    readings: Vec<Reading<'a>>,
    kon: Option<VariableIndex>,
    /// Its codes of women and of men.
    kon_codes: [Option<CodeIndex>; 2],
    /// Whether two variables have one column.
    shares: bool,
    batch: Batch,
    /// Per variable: label → its place in the batch.
    labels: Vec<HashMap<String, usize, foldhash::fast::RandomState>>,
    /// Under which numbers and contents are hashed.
    run: foldhash::quality::RandomState,
    /// Rows without a valid number, by [`UtanGiltigtNummer::ALL`].
    without_number: [u64; UtanGiltigtNummer::ALL.len()],
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(
        codebook: &'a Codebook,
        matchers: &[Arc<Matcher<'a>>],
        columns: Columns,
        manner: Manner,
        run: foldhash::quality::RandomState,
    ) -> Self {
        let age = codebook.variables.iter().position(tables::codebook::Variable::is_age);
        let day = manner.extracted_on;
        let mut readings: Vec<Reading<'a>> = matchers
            .iter()
            .enumerate()
            .filter_map(|(index, matcher)| {
                Reading::new(index, codebook, matcher.clone(), &columns, age == Some(index), day)
            })
            .collect();
        let mut used: Vec<usize> = readings.iter().filter_map(|reading| reading.column).collect();
        used.sort_unstable();
        let shares = used.windows(2).any(|pair| pair[0] == pair[1]);
        let kon = codebook.variable_index("kon");
        readings
            .iter_mut()
            .enumerate()
            .for_each(|(index, reading)| reading.is_told_by_number = kon == Some(index));
        let kon_code =
            |kon: Kon| codebook.variables.get(codebook.variable_index("kon")?)?.code_index(kon.code());
        let column = |field| columns.field(field).map(|(at, _)| at);
        Self {
            manner,
            person_at: column(Field::Personnummer),
            date_at: column(Field::Datum).unwrap_or(usize::MAX), // a header has a column of dates
            number_at: column(Field::Aktualiseringsnummer),
            columns,
            kon,
            kon_codes: [kon_code(Kon::Kvinna), kon_code(Kon::Man)],
            shares,
            batch: Batch::default(),
            labels: (0..readings.len()).map(|_| HashMap::default()).collect(),
            run,
            without_number: Default::default(),
            readings,
        }
    }

    /// The report of no rows.
    pub(crate) fn empty_report(&self) -> IntakeReport {
        let of = |reading: &Reading<'_>| reading.named_report();
        IntakeReport {
            dialect: self.manner.dialect,
            header_row: self.columns.row,
            unused: self.columns.unused.clone(),
            read: 0,
            refused: Default::default(),
            skipped: Default::default(),
            blank: 0,
            variables: self.readings.iter().map(of).collect(),
            has_personnummer: self.columns.field(Field::Personnummer).is_some(),
            without_number: BTreeMap::new(),
            repeated: Default::default(),
        }
    }

    /// Rows since the last batch.
    pub(crate) fn waiting(&self) -> u64 {
        self.batch.rows
    }

    /// What the rows since the last batch became; `spare` is used for the next.
    pub(crate) fn end_batch(&mut self, spare: Batch) -> Batch {
        let mut batch = std::mem::replace(&mut self.batch, spare);
        for (variable, reading) in self.readings.iter_mut().enumerate() {
            let rows = batch.dates.len() as u64;
            batch.variables.push(reading.end_batch(variable, rows, &mut batch.recognised));
        }
        for (reason, rows) in UtanGiltigtNummer::ALL.into_iter().zip(&mut self.without_number) {
            if *rows > 0 {
                batch.without_number.push((reason, std::mem::take(rows)));
            }
        }
        self.labels.iter_mut().for_each(HashMap::clear);
        batch
    }

    /// Takes one row below the header; a bad one is counted.
    pub(crate) fn take(&mut self, row: &Row<'_, '_>) {
        let Row { number: row, cells, broken } = *row;
        self.batch.rows += 1;
        if let Some(at) = broken {
            self.refuse(row, Arc::from(column_name(at)), RefusalReason::Quotation);
            return;
        }
        if cells.iter().all(Cell::is_blank) {
            self.batch.blank += 1;
            return;
        }
        if let Some(column) = self.field_count_fault(cells) {
            self.refuse(row, column, RefusalReason::FieldCount);
            return;
        }
        let person = self.person(cells);
        let cell = cell_at(cells, self.date_at);
        let date = date_of(cell, self.manner.epoch);
        if let Some(date) = date.filter(|date| *date <= self.manner.extracted_on) {
            self.read(date, person, cells);
            return;
        }
        let Some(header) = self.columns.field(Field::Datum).map(|(_, header)| Arc::clone(header)) else {
            return; // unreachable: a header has a column of dates
        };
        match date {
            Some(_) => self.refuse(row, header, RefusalReason::DateInFuture),
            None => match self.skip_reason(cell, &person, cells) {
                Some(reason) => self.batch.skipped.push(Skipped { row, reason }),
                None if cell.is_blank() => self.refuse(row, header, RefusalReason::DateMissing),
                None => self.refuse(row, header, RefusalReason::DateForm),
            },
        }
    }

    /// Why a row without a readable date is no aktualisering, if it is none.
    fn skip_reason(&self, date: &Cell<'_>, person: &Person, cells: &[Cell<'_>]) -> Option<SkipReason> {
        let dateless = !date.text().contains(|c: char| c.is_ascii_digit());
        if !dateless || matches!(person, Some(Ok(_))) {
            return None;
        }
        if cells.iter().find(|cell| !cell.is_blank()).is_some_and(is_total) {
            return Some(SkipReason::Total);
        }
        let numberless = self.number_at.is_none_or(|at| cell_at(cells, at).is_blank());
        numberless.then_some(SkipReason::NeitherDateNorNumber)
    }

    /// The column at which a row of a text file has other fields than the header: surplus content, or fewer fields
    /// after a quotation that ran over a line break.
    fn field_count_fault(&self, cells: &[Cell<'_>]) -> Option<Arc<str>> {
        if !matches!(self.manner.dialect, Dialect::Text { .. }) {
            return None;
        }
        let surplus = cells.iter().enumerate().skip(self.columns.width).find(|(_, cell)| !cell.is_blank());
        let swallowed = cells.len() < self.columns.width
            && matches!(cells.last(), Some(Cell::Text(text)) if text.contains('\n'));
        let at = surplus.map(|(at, _)| at).or_else(|| swallowed.then(|| cells.len() - 1))?;
        Some(Arc::from(column_name(at)))
    }

    fn refuse(&mut self, row: u64, column: Arc<str>, reason: RefusalReason) {
        self.batch.refused.push(Refusal { row, column, reason });
    }

    fn person(&self, cells: &[Cell<'_>]) -> Person {
        let at = self.person_at?;
        let today = self.manner.extracted_on;
        Some(match cell_at(cells, at) {
            Cell::Empty => Err(UtanGiltigtNummer::Missing),
            Cell::Text(text) => Personnummer::parse(text, today),
            Cell::Raw(bytes) => match Personnummer::usual(bytes, today) {
                Some(person) => person,
                None => Personnummer::parse(&cell_at(cells, at).text(), today),
            },
            Cell::Number(number) => Personnummer::from_number(*number, today),
            Cell::Day(_) => Err(UtanGiltigtNummer::Form),
        })
    }

    fn read(&mut self, date: Date, person: Person, cells: &[Cell<'_>]) {
        if let Some(Err(reason)) = &person {
            let at = UtanGiltigtNummer::ALL.iter().position(|one| one == reason);
            at.into_iter().for_each(|at| self.without_number[at] += 1);
        }
        let person = person.and_then(Result::ok);
        let age = person.as_ref().and_then(|person| person.age_at(date));
        let kon = person.as_ref().map(Personnummer::kon);
        let shared = self.shares.then(|| self.written_in_shared_columns(cells, date));
        let begun = self.batch.codes.len();
        for index in 0..self.readings.len() {
            let reading = &mut self.readings[index];
            if reading.is_silent() {
                self.batch.codes.push(None);
                continue;
            }
            let written = match &shared {
                Some(shared) => shared[index],
                None => reading.written(cells, date),
            };
            let derived = match &reading.code_of_age {
                _ if self.kon == Some(index) => {
                    kon.and_then(|kon| self.kon_codes[usize::from(kon == Kon::Man)])
                }
                Some(codes) => age.and_then(|age| codes[usize::from(age)]),
                None => None,
            };
            self.batch.codes.push(reading.settle(written, derived));
            if matches!(written, Meaning::Unmapped) && derived.is_none() {
                self.note_label(index, cells);
            }
        }
        self.batch.dates.push(date);
        self.note_number(cells, date, begun);
    }

    /// What the cells say where two variables share a column: the one that knows the label has it and the other is missing.
    fn written_in_shared_columns(&mut self, cells: &[Cell<'_>], date: Date) -> Vec<Meaning> {
        let mut written: Vec<Meaning> =
            self.readings.iter_mut().map(|reading| reading.written(cells, date)).collect();
        let column = |index: usize| self.readings[index].column;
        let known = |meaning: Meaning| matches!(meaning, Meaning::Code(_) | Meaning::OutsideValidity);
        for index in (0..written.len()).filter(|index| column(*index).is_some()) {
            let mut others = (0..written.len()).filter(|at| *at != index && column(*at) == column(index));
            if written[index] == Meaning::Unmapped && others.any(|other| known(written[other])) {
                written[index] = Meaning::Empty;
            }
        }
        written
    }

    fn note_label(&mut self, index: VariableIndex, cells: &[Cell<'_>]) {
        let Some(column) = self.readings[index].label_column(cells) else {
            return;
        };
        let first = self.readings.iter().position(|other| other.label_column(cells) == Some(column));
        if first != Some(index) {
            return;
        }
        let text = cell_at(cells, column).text();
        // only cleaned labels are in the batch, so one that is found is clean
        let at = match self.labels[index].get(text.as_ref()) {
            Some(at) => *at,
            None => self.place_of(index, clean(&text)),
        };
        self.batch.unmapped[at].rows += 1;
    }

    fn place_of(&mut self, variable: VariableIndex, label: String) -> usize {
        let next = self.batch.unmapped.len();
        let at = *self.labels[variable].entry(label.clone()).or_insert(next);
        if at == next {
            self.batch.unmapped.push(Labelled { variable, label, rows: 0 });
        }
        at
    }

    /// `begun`: where the row's codes begin in the batch.
    fn note_number(&mut self, cells: &[Cell<'_>], date: Date, begun: usize) {
        let Some(at) = self.number_at else { return };
        let cell = cell_at(cells, at);
        if cell.is_blank() {
            return;
        }
        let content = content_hash(&self.run, date, &self.batch.codes[begun..]);
        let number = match cell {
            Cell::Raw(bytes) if is_printed(bytes) => self.run.hash_one(*bytes),
            Cell::Text(text) if is_printed(text.as_bytes()) => self.run.hash_one(text.as_bytes()),
            cell => self.run.hash_one(clean(&cell.text()).as_bytes()),
        };
        self.batch.numbers.push((number, content));
    }

    /// The report and the labels, when everything is gathered.
    pub(crate) fn finish(&self, gathered: Gather<'_>) -> (IntakeReport, UnmappedLabels) {
        let Gather { report, unmapped, recognised, unlisted, .. } = gathered;
        let mut labels = Vec::new();
        for (index, counts) in unmapped.into_iter().enumerate() {
            let reading = &self.readings[index];
            let sharing = |(at, other): (usize, &Reading<'_>)| {
                (at == index || (reading.column.is_some() && other.column == reading.column))
                    .then(|| report.variables[at].id.clone())
            };
            let variables: Vec<String> = self.readings.iter().enumerate().filter_map(sharing).collect();
            labels.extend(counts.into_iter().map(|(label, count)| {
                let codes = &reading.matcher.variable().codes;
                let found = reading.matcher.suggestions(&label).into_iter();
                let suggestions =
                    found.filter_map(|one| Some(codes.get(usize::from(one.code))?.code.clone())).collect();
                UnmappedLabel { variables: variables.clone(), label, count, suggestions }
            }));
        }
        labels.sort_by(|a, b| (&a.variables, b.count, &a.label).cmp(&(&b.variables, a.count, &b.label)));
        let mut all = Vec::new();
        for (index, counts) in recognised.into_iter().enumerate() {
            let (reading, variable) = (&self.readings[index], &report.variables[index].id);
            let mut own: Vec<RecognisedLabel> = counts
                .into_iter()
                .filter_map(|(label, count)| {
                    let (code, several) = reading.code_of(&label)?;
                    Some(RecognisedLabel { variable: variable.clone(), label, code, several, count })
                })
                .collect();
            own.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
            all.append(&mut own);
        }
        (report, UnmappedLabels { labels, unlisted, recognised: all })
    }
}

/// A hash of a day and codes.
fn content_hash(run: &foldhash::quality::RandomState, date: Date, codes: &[Option<Given>]) -> u64 {
    let mut hash = run.build_hasher();
    hash.write_u64(
        u64::from(date.year().unsigned_abs()) << 16 | u64::from(date.day_of_year().unsigned_abs()),
    );
    for four in codes.chunks(4) {
        let place = |given: &Option<Given>| {
            given.map_or(0, |given| (u64::from(given.code) << 1 | u64::from(given.several())) + 1)
        };
        hash.write_u64(four.iter().fold(0, |sum, given| sum << 16 | place(given)));
        for given in four.iter().flatten().filter(|given| given.several()) {
            hash.write_u64(given.further());
        }
    }
    hash.finish()
}

/// Whether the bytes are characters of ASCII that print, and so clean.
fn is_printed(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// Nothing without a column of personnummer.
type Person = Option<Result<Personnummer, UtanGiltigtNummer>>;

/// The words that begin a total row.
const TOTALS: [&str; 5] = ["total", "totalt", "summa", "antal", "summa totalt"];

fn is_total(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Text(_) | Cell::Raw(_)) && TOTALS.contains(&fold_case(&cell.text()).as_str())
}

pub(crate) fn cell_at<'c, 't>(cells: &'c [Cell<'t>], at: usize) -> &'c Cell<'t> {
    cells.get(at).unwrap_or(&Cell::Empty)
}
