//! What was found in a run of rows, and how runs are put together.
//!
//! A [`Batch`] is made by one reader without looking at anything outside its rows; a [`Gather`] takes batches in the order of
//! their rows and does everything that depends on earlier rows: numbers that stand twice, which labels and refusals are listed,
//! the limit of rows, and passing rows on. So the result does not depend on where batches end, nor on who made them.
//!
//! STAY-1: a batch holds labels and hashes of numbers for as long as it takes to gather it; it has no `Debug`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::civil::Date;
use tables::codebook::{Given, VariableIndex};

use super::error::IntakeError;
use super::limits::{Limit, MAX_ROWS, MAX_UNMAPPED_LABELS};
use super::report::{IntakeReport, Refusal, Skipped, VariableReport};
use super::rows::{RowReader, Sink};
use super::seen::Seen;
use super::{Flow, Part, Row, Take};
use crate::personnummer::UtanGiltigtNummer;

/// A label of a variable and how many rows of a batch have it.
pub(crate) struct Labelled {
    pub(crate) variable: VariableIndex,
    pub(crate) label: String,
    pub(crate) rows: u64,
}

/// What some rows became.
#[derive(Default)]
pub(crate) struct Batch {
    /// Rows of every fate.
    pub(crate) rows: u64,
    pub(crate) blank: u64,
    /// Days of the rows read.
    pub(crate) dates: Vec<Date>,
    /// Their codes, one row after the other.
    pub(crate) codes: Vec<Option<Given>>,
    /// Hashes of numbers and of contents.
    pub(crate) numbers: Vec<(u64, u64)>,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) skipped: Vec<Skipped>,
    /// Per variable what is to be added.
    pub(crate) variables: Vec<VariableReport>,
    pub(crate) without_number: Vec<(UtanGiltigtNummer, u64)>,
    /// In the order in which they first stood.
    pub(crate) unmapped: Vec<Labelled>,
    /// The same of labels whose words alone gave them a code.
    pub(crate) recognised: Vec<Labelled>,
}

impl Batch {
    /// Empties it, keeping its memory.
    pub(crate) fn clear(&mut self) {
        (self.rows, self.blank) = (0, 0);
        self.dates.clear();
        self.codes.clear();
        self.numbers.clear();
        self.refused.clear();
        self.skipped.clear();
        self.variables.clear();
        self.without_number.clear();
        self.unmapped.clear();
        self.recognised.clear();
    }
}

/// Labels with their rows.
pub(crate) type Labels = HashMap<String, u64>;

/// Puts batches together.
pub(crate) struct Gather<'a> {
    sink: &'a mut Sink<'a>,
    seen: &'a mut Seen,
    /// Variables of the codebook.
    width: usize,
    pub(crate) report: IntakeReport,
    pub(crate) unmapped: Vec<Labels>,
    pub(crate) recognised: Vec<Labels>,
    pub(crate) unlisted: u64,
    total: u64,
}

impl<'a> Gather<'a> {
    /// Nothing yet; the report holds the variables.
    pub(crate) fn new(report: IntakeReport, seen: &'a mut Seen, sink: &'a mut Sink<'a>) -> Self {
        let width = report.variables.len();
        seen.begin();
        let labels = || (0..width).map(|_| Labels::new()).collect();
        let (unmapped, recognised) = (labels(), labels());
        Self { sink, seen, width, report, unmapped, recognised, unlisted: 0, total: 0 }
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// [`Limit::Rows`].
    pub(crate) fn take(&mut self, batch: &mut Batch) -> Result<(), IntakeError> {
        self.total += batch.rows;
        if self.total > MAX_ROWS {
            return Err(Limit::Rows.into());
        }
        let report = &mut self.report;
        report.read += batch.dates.len() as u64;
        report.blank += batch.blank;
        batch.refused.drain(..).for_each(|refusal| report.refused.push(refusal));
        batch.skipped.drain(..).for_each(|skipped| report.skipped.push(skipped));
        for (reason, rows) in &batch.without_number {
            *report.without_number.entry(*reason).or_default() += rows;
        }
        for (own, more) in report.variables.iter_mut().zip(&batch.variables) {
            own.add(more);
        }
        self.list(batch);
        self.seen.take(&batch.numbers, &mut self.report.repeated);
        for (row, date) in batch.dates.iter().enumerate() {
            (self.sink)(*date, &batch.codes[row * self.width..][..self.width]);
        }
        batch.clear();
        Ok(())
    }

    /// Ends the rows of a table.
    fn end(&mut self) {
        self.seen.end(&mut self.report.repeated);
    }

    fn list(&mut self, batch: &mut Batch) {
        for Labelled { variable, label, rows } in batch.unmapped.drain(..) {
            if !note(&mut self.unmapped[variable], label, rows) {
                self.unlisted += rows;
            }
        }
        for Labelled { variable, label, rows } in batch.recognised.drain(..) {
            self.report.variables[variable].recognised += rows;
            note(&mut self.recognised[variable], label, rows); // counted above even if it is not listed
        }
    }
}

/// Rows taken on one thread, from first to last.
pub(crate) struct Rows<'a> {
    pub(crate) reader: RowReader<'a>,
    pub(crate) gather: Gather<'a>,
    spare: Batch,
}

/// Rows of a batch: enough to look numbers up together, few enough to stay near.
const BATCH: u64 = 1_024;

impl<'a> Rows<'a> {
    /// No rows yet.
    pub(crate) fn new(reader: RowReader<'a>, seen: &'a mut Seen, sink: &'a mut Sink<'a>) -> Self {
        let gather = Gather::new(reader.empty_report(), seen, sink);
        Self { reader, gather, spare: Batch::default() }
    }

    /// The row of the header.
    pub(crate) fn header(&self) -> u64 {
        self.gather.report.header_row
    }

    /// Takes one row; those up to the header are none.
    ///
    /// # Errors
    /// [`Limit::Rows`].
    pub(crate) fn take(&mut self, row: &Row<'_, '_>) -> Result<(), IntakeError> {
        if row.number <= self.header() {
            return Ok(());
        }
        self.reader.take(row);
        if self.reader.waiting() >= BATCH { self.end_batch() } else { Ok(()) }
    }

    fn end_batch(&mut self) -> Result<(), IntakeError> {
        let mut batch = self.reader.end_batch(std::mem::take(&mut self.spare));
        let outcome = self.gather.take(&mut batch);
        self.spare = batch;
        outcome
    }

    /// Takes the rows that `read` passes on. Too many rows are told before a fault behind them.
    ///
    /// # Errors
    /// [`Limit::Rows`], or the fault of `read`.
    pub(crate) fn read(
        &mut self,
        read: impl FnOnce(&mut Take<'_>) -> Result<(), IntakeError>,
    ) -> Result<(), IntakeError> {
        let outcome = read(&mut |row| self.take(row).map(|()| Flow::Go));
        self.end_batch()?;
        outcome
    }

    /// What was found.
    ///
    /// # Errors
    /// [`Limit::Rows`].
    pub(crate) fn finish(mut self) -> Result<Part, IntakeError> {
        self.end_batch()?;
        self.gather.end();
        let (report, unmapped) = self.reader.finish(self.gather);
        Ok(Part { report, unmapped })
    }
}

/// Counts a label; false if it is new and the list is full.
fn note(labels: &mut Labels, label: String, rows: u64) -> bool {
    let full = labels.len() >= MAX_UNMAPPED_LABELS;
    match labels.entry(label) {
        Entry::Occupied(mut known) => *known.get_mut() += rows,
        Entry::Vacant(_) if full => return false,
        Entry::Vacant(new) => {
            new.insert(rows);
        }
    }
    true
}
