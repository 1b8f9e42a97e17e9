//! One row after another: from cells to codes, with every loss counted (TRUE-3).
//!
//! Columns that are not in [`Columns`] are never looked at. STAY-1: of a personnummer only codes and a reason
//! outlive the row; of an aktualiseringsnummer only a hash under a key of this run, and that not the reading.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Codebook, Given, VariableIndex};

use super::Row;
use super::cell::{Cell, Epoch, date_of};
use super::error::IntakeError;
use super::header::Columns;
use super::limits::{Limit, MAX_ROWS, MAX_UNMAPPED_LABELS, column_name};
use super::reading::Reading;
use super::report::{
    Dialect, IntakeReport, Refusal, RefusalReason, SkipReason, Skipped, UnmappedLabel, UnmappedLabels,
};
use crate::codes::{Field, KommunCodes};
use crate::label::{Meaning, clean, fold_case, is_clean};

use crate::personnummer::{Kon, Personnummer, UtanGiltigtNummer};

/// One aktualisering in codes. STAY-1: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Coded {
    /// Day of the aktualisering.
    pub date: Date,
    /// Per variable of the codebook its code, or the first of several; nothing if it is missing.
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

/// Takes rows as they are read: the day, and per variable of the codebook its code, or the first of several.
pub type Sink<'s> = dyn FnMut(Date, &[Option<Given>]) + 's;

/// Reads rows and passes them on.
pub(crate) struct RowReader<'a> {
    manner: Manner,
    columns: Columns,
    readings: Vec<Reading<'a>>,
    kon: Option<VariableIndex>,
    /// Its codes of women and of men.
    kon_codes: [Option<CodeIndex>; 2],
    /// Whether two variables have one column.
    shares: bool,
    sink: &'a mut Sink<'a>,
    /// Used again for every row.
    codes: Vec<Option<Given>>,
    written: Vec<Meaning>,
    report: IntakeReport,
    /// First variable of a column → label → rows.
    labels: BTreeMap<VariableIndex, HashMap<String, u64>>,
    unlisted: u64,
    seen: &'a mut Seen,
    /// Hashes of numbers and of contents that are not looked up yet.
    pending: Vec<(u64, u64)>,
    total: u64,
}

/// Numbers that are looked up together.
const PENDING: usize = 1_024;

/// The aktualiseringsnummer of all files of one reading, as hashes under a key of this run.
#[derive(Default)]
pub struct Seen {
    run: foldhash::quality::RandomState,
    numbers: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
}

/// The numbers are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte); // only ever asked for a u64
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({})", self.numbers.len())
    }
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(
        codebook: &'a Codebook,
        codes: &KommunCodes,
        columns: Columns,
        manner: Manner,
        seen: &'a mut Seen,
        sink: &'a mut Sink<'a>,
    ) -> Self {
        let age = codebook.variables.iter().position(tables::codebook::Variable::is_age);
        let readings: Vec<Reading<'a>> = (0..codebook.variables.len())
            .filter_map(|index| Reading::new(index, codebook, codes, &columns, age == Some(index)))
            .collect();
        let mut used: Vec<usize> = readings.iter().filter_map(|reading| reading.column).collect();
        used.sort_unstable();
        let shares = used.windows(2).any(|pair| pair[0] == pair[1]);
        let report = IntakeReport {
            dialect: manner.dialect,
            header_row: columns.row,
            unused: columns.unused.clone(),
            read: 0,
            refused: Default::default(),
            skipped: Default::default(),
            blank: 0,
            variables: Vec::new(),
            has_personnummer: columns.field(Field::Personnummer).is_some(),
            without_number: BTreeMap::new(),
            repeated: Default::default(),
        };
        let (labels, codes, written) = Default::default();
        let kon = codebook.variable_index("kon");
        let kon_code =
            |kon: Kon| codebook.variables.get(codebook.variable_index("kon")?)?.code_index(kon.code());
        let kon_codes = [kon_code(Kon::Kvinna), kon_code(Kon::Man)];
        Self {
            manner,
            columns,
            readings,
            kon,
            kon_codes,
            shares,
            sink,
            codes,
            written,
            report,
            labels,
            unlisted: 0,
            seen,
            pending: Vec::with_capacity(PENDING),
            total: 0,
        }
    }

    /// Takes one row below the header.
    ///
    /// # Errors
    /// Only when there are too many rows; a bad row is counted in the report.
    pub(crate) fn take(&mut self, row: &Row<'_, '_>) -> Result<(), IntakeError> {
        let Row { number: row, cells, broken } = *row;
        self.total += 1;
        if self.total > MAX_ROWS {
            return Err(Limit::Rows.into());
        }
        if let Some(at) = broken {
            self.refuse(row, Arc::from(column_name(at)), RefusalReason::Quotation);
            return Ok(());
        }
        if cells.iter().all(Cell::is_blank) {
            self.report.blank += 1;
            return Ok(());
        }
        if let Some(column) = self.field_count_fault(cells) {
            self.refuse(row, column, RefusalReason::FieldCount);
            return Ok(());
        }
        let person = self.person(cells);
        let Some((date_at, date_header)) = self.columns.field(Field::Datum) else {
            return Ok(()); // unreachable: a header has a date column
        };
        let cell = cell_at(cells, date_at);
        let date = date_of(cell, self.manner.epoch);
        if let Some(date) = date.filter(|date| *date <= self.manner.extracted_on) {
            self.read(date, person, cells);
            return Ok(());
        }
        let header = Arc::clone(date_header);
        match date {
            Some(_) => self.refuse(row, header, RefusalReason::DateInFuture),
            None => match self.skip_reason(cell, &person, cells) {
                Some(reason) => self.report.skipped.push(Skipped { row, reason }),
                None if cell.is_blank() => self.refuse(row, header, RefusalReason::DateMissing),
                None => self.refuse(row, header, RefusalReason::DateForm),
            },
        }
        Ok(())
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
        let number = self.columns.field(Field::Aktualiseringsnummer);
        let numberless = number.is_none_or(|(at, _)| cell_at(cells, at).is_blank());
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
        self.report.refused.push(Refusal { row, column, reason });
    }

    fn person(&self, cells: &[Cell<'_>]) -> Person {
        let (at, _) = self.columns.field(Field::Personnummer)?;
        let today = self.manner.extracted_on;
        Some(match cell_at(cells, at) {
            Cell::Empty => Err(UtanGiltigtNummer::Missing),
            Cell::Text(text) => Personnummer::parse(text, today),
            Cell::Raw(_) => Personnummer::parse(&cell_at(cells, at).text(), today),
            Cell::Number(number) => Personnummer::from_number(*number, today),
            Cell::Day(_) => Err(UtanGiltigtNummer::Form),
        })
    }

    fn read(&mut self, date: Date, person: Person, cells: &[Cell<'_>]) {
        self.report.read += 1;
        if let Some(Err(reason)) = &person {
            *self.report.without_number.entry(*reason).or_default() += 1;
        }
        let person = person.and_then(Result::ok);
        let mut written = std::mem::take(&mut self.written);
        let mut codes = std::mem::take(&mut self.codes);
        written.clear();
        codes.clear();
        written.extend(self.readings.iter_mut().map(|reading| reading.written(cells, date)));
        self.share_columns(&mut written);
        for (index, written) in written.iter().enumerate() {
            let derived = person.as_ref().and_then(|person| self.derived(index, person, date));
            let reading = &mut self.readings[index];
            codes.push(reading.settle(*written, derived));
            if *written == Meaning::Unmapped && derived.is_none() {
                self.note_label(index, cells);
            }
        }
        self.note_number(cells, date, &codes);
        (self.sink)(date, &codes);
        (self.written, self.codes) = (written, codes);
    }

    /// Where two variables share a column, the one that knows the label has it and the other is missing.
    fn share_columns(&self, written: &mut [Meaning]) {
        if !self.shares {
            return;
        }
        let column = |index: usize| self.readings[index].column;
        let known = |meaning: Meaning| matches!(meaning, Meaning::Code { .. } | Meaning::OutsideValidity);
        for index in (0..written.len()).filter(|index| column(*index).is_some()) {
            let mut others = (0..written.len()).filter(|at| *at != index && column(*at) == column(index));
            if written[index] == Meaning::Unmapped && others.any(|other| known(written[other])) {
                written[index] = Meaning::Empty;
            }
        }
    }

    fn derived(&self, index: VariableIndex, person: &Personnummer, date: Date) -> Option<CodeIndex> {
        if self.kon == Some(index) {
            return self.kon_codes[usize::from(person.kon() == Kon::Man)];
        }
        let codes = self.readings[index].code_of_age.as_ref()?;
        codes[usize::from(person.age_at(date)?)]
    }

    fn note_label(&mut self, index: VariableIndex, cells: &[Cell<'_>]) {
        let Some(column) = self.readings[index].label_column(cells) else {
            return;
        };
        let first = self.readings.iter().position(|other| other.label_column(cells) == Some(column));
        if first != Some(index) {
            return;
        }
        let labels = self.labels.entry(index).or_default();
        let text = cell_at(cells, column).text();
        if let Some(known) = labels.get_mut(text.as_ref()) {
            *known += 1; // only cleaned labels are listed, so this one is clean
            return;
        }
        let label = clean(&text);
        let full = labels.len() >= MAX_UNMAPPED_LABELS;
        match labels.entry(label) {
            Entry::Occupied(mut known) => *known.get_mut() += 1,
            Entry::Vacant(_) if full => self.unlisted += 1,
            Entry::Vacant(new) => {
                new.insert(1);
            }
        }
    }

    fn note_number(&mut self, cells: &[Cell<'_>], date: Date, codes: &[Option<Given>]) {
        let Some((at, _)) = self.columns.field(Field::Aktualiseringsnummer) else {
            return;
        };
        let cell = cell_at(cells, at);
        if cell.is_blank() {
            return;
        }
        let content = self.seen.run.hash_one((date, codes));
        let text = cell.text();
        let number = match is_clean(&text) {
            true => self.seen.run.hash_one(text.as_ref()),
            false => self.seen.run.hash_one(clean(&text).as_str()),
        };
        self.pending.push((number, content));
        if self.pending.len() >= PENDING {
            self.look_up();
        }
    }

    /// Looks the numbers up that wait, in the order of their rows: together, since each look-up alone waits for memory.
    fn look_up(&mut self) {
        for (number, content) in self.pending.drain(..) {
            match self.seen.numbers.entry(number) {
                Entry::Vacant(new) => {
                    new.insert(content);
                }
                Entry::Occupied(earlier) if *earlier.get() == content => self.report.repeated.identical += 1,
                Entry::Occupied(_) => self.report.repeated.different += 1,
            }
        }
    }

    pub(crate) fn finish(mut self) -> (IntakeReport, UnmappedLabels) {
        self.look_up();
        let mut labels = Vec::new();
        for (index, counts) in std::mem::take(&mut self.labels) {
            let reading = &self.readings[index];
            let sharing = |(at, other): (usize, &Reading<'_>)| {
                (at == index || (reading.column.is_some() && other.column == reading.column))
                    .then(|| other.report.id.clone())
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
        let day = self.manner.extracted_on;
        let mut recognised = Vec::new();
        for reading in &mut self.readings {
            let own = reading.recognised(day);
            reading.report.recognised = own.iter().map(|label| label.count).sum();
            recognised.extend(own);
        }
        self.report.variables = self.readings.into_iter().map(|reading| reading.report).collect();
        (self.report, UnmappedLabels { labels, unlisted: self.unlisted, recognised })
    }
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
