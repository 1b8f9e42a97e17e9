//! A text file read on several threads.
//!
//! The thread that calls cuts the file into pieces at line feeds and gathers the batches that they become, in the order of the
//! file; the others, and it too while there is nothing to gather, read pieces with readers of their own ([`super::crew`]). So the
//! result is that of one thread, whatever the number ([`super::gather`]). A piece may hold a line that needs more than its bytes: a quotation, a character
//! that is none. Then everything from that line on is read by one thread, and what the hands have of it is thrown away.

use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::thread;

use super::Flow;
use super::crew::Crew;
use super::error::IntakeError;
use super::gather::{Batch, Gather, Rows};
use super::limits::MAX_ROW_BYTES;
use super::lines::{End, Form, Place, TextTable};
use super::marks::{self, BLOCK};
use super::rows::RowReader;

/// Most threads of one reading: more would wait for the one that gathers.
pub const MAX_THREADS: usize = 8;
/// Smaller files are read before threads and their tables of words are made.
const LEAST_BYTES: u64 = 4 << 20;
/// Bytes of a piece.
const PIECE: usize = 512 << 10;

/// How a file is to be divided.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) threads: usize,
    pub(crate) piece: usize,
}

impl Plan {
    /// For a file of so many bytes.
    pub(crate) fn of(threads: NonZeroUsize, bytes: u64) -> Self {
        let threads = if bytes < LEAST_BYTES { 1 } else { threads.get().min(MAX_THREADS) };
        Self { threads, piece: PIECE }
    }
}

struct Job {
    bytes: Vec<u8>,
    ended: bool,
    /// Bytes and lines before it.
    place: Place,
    spare: Batch,
}

struct Done {
    batch: Batch,
    bytes: Vec<u8>,
    /// Bytes before it.
    at: u64,
    end: Result<(usize, End), IntakeError>,
    /// Lines of the file read up to its end.
    number: u64,
}

/// Reads as much of a file as consists of plain lines; what remains begins at the place returned.
///
/// # Errors
/// Those of reading with one thread.
pub(crate) fn read<'a, R: Read + Seek>(
    table: &mut TextTable<'_, R>,
    plan: Plan,
    rows: &mut Rows<'_>,
    make: &(dyn Fn() -> RowReader<'a> + Sync),
) -> Result<Option<Place>, IntakeError> {
    let Some(form) = table.form() else { return Ok(Some(Place::default())) };
    let header = rows.header();
    let pieces = Pieces::new(table, plan.piece)?;
    thread::scope(|scope| {
        let Rows { reader, gather, .. } = rows;
        // this thread has the reader that is there, the others make theirs
        let mut given = Some(reader);
        let hands = (0..plan.threads).map(|_| {
            let (mut given, mut own) = (given.take(), None);
            move |job: Job| match &mut given {
                Some(reader) => work(job, reader, form, header),
                None => work(job, own.get_or_insert_with(make), form, header),
            }
        });
        lead(pieces, Crew::start(scope, hands), gather)
    })
}

/// One piece.
fn work(job: Job, reader: &mut RowReader<'_>, form: Form, header: u64) -> Done {
    let Job { bytes, ended, place: Place { at, mut number }, spare } = job;
    let end = form.lines(&bytes, ended, &mut number, &mut |row| {
        if row.number > header {
            reader.take(row);
        }
        Ok(Flow::Go)
    });
    Done { batch: reader.end_batch(spare), bytes, at, end, number }
}

/// Hands pieces out and gathers what they become, in order.
fn lead<R: Read + Seek>(
    mut pieces: Pieces<'_, R>,
    mut hands: Crew<Job, Done, impl FnMut(Job) -> Done + Send>,
    gather: &mut Gather<'_>,
) -> Result<Option<Place>, IntakeError> {
    let mut spare: Vec<(Vec<u8>, Batch)> = Vec::new();
    loop {
        if !hands.is_full()
            && let Some(job) = pieces.next(spare.pop().unwrap_or_default())
        {
            hands.give(job)?;
            continue;
        }
        let Some(done) = hands.take() else { return pieces.rest() };
        let Done { mut batch, bytes, at, end, number } = done?;
        gather.take(&mut batch)?;
        let (length, end) = end?;
        if end != End::Bytes {
            return Ok(Some(Place { at: at + length as u64, number }));
        }
        spare.push((bytes, batch));
    }
}

/// The pieces of a file, each ending with a line feed.
struct Pieces<'s, R> {
    source: &'s mut R,
    size: usize,
    /// Of the next piece: its first bytes, where they lie and the lines before them.
    begun: Vec<u8>,
    place: Place,
    ended: bool,
    /// What remains is for one thread.
    is_left: bool,
    fault: Option<io::Error>,
}

impl<'s, R: Read + Seek> Pieces<'s, R> {
    fn new(table: &'s mut TextTable<'_, R>, size: usize) -> io::Result<Self> {
        let at = table.text_begins()?;
        let source = &mut *table.source;
        source.seek(SeekFrom::Start(at))?;
        let place = Place { at, number: 0 };
        Ok(Self { source, size, begun: Vec::new(), place, ended: false, is_left: false, fault: None })
    }

    /// The next piece; nothing at the end, or where one thread must go on ([`Pieces::rest`]).
    fn next(&mut self, spare: (Vec<u8>, Batch)) -> Option<Job> {
        if self.ended || self.is_left || self.fault.is_some() {
            return None;
        }
        let (mut bytes, spare) = spare;
        bytes.clear();
        bytes.append(&mut self.begun);
        let cut = loop {
            let before = bytes.len();
            match (&mut *self.source).take(self.size as u64).read_to_end(&mut bytes) {
                Ok(0) => {
                    self.ended = true;
                    break bytes.len();
                }
                Ok(_) => {}
                Err(error) => {
                    self.fault = Some(error);
                    return None;
                }
            }
            if let Some(last) = memchr::memrchr(b'\n', &bytes[before..]) {
                break before + last + 1;
            }
            if bytes.len() > MAX_ROW_BYTES {
                self.is_left = true;
                return None;
            }
        };
        self.begun.extend_from_slice(&bytes[cut..]);
        bytes.truncate(cut);
        let place = self.place;
        self.place = Place { at: place.at + cut as u64, number: place.number + line_ends(&bytes) };
        Some(Job { bytes, ended: self.ended, place, spare })
    }

    /// What is left when there are no more pieces.
    fn rest(self) -> Result<Option<Place>, IntakeError> {
        match self.fault {
            Some(fault) => Err(fault.into()),
            None => Ok(self.is_left.then_some(self.place)),
        }
    }
}

/// How many lines end in whole lines: with LF, CR LF or CR.
fn line_ends(bytes: &[u8]) -> u64 {
    let (mut ends, mut after_return) = (0, 0);
    for block in bytes.chunks(BLOCK) {
        let block = marks::block_of(block);
        let (feeds, returns) = (marks::equal(&block, b'\n'), marks::equal(&block, b'\r'));
        // a line feed after a return is its second half
        let second = feeds & (returns << 1 | after_return);
        ends += u64::from(feeds.count_ones() + returns.count_ones() - second.count_ones());
        after_return = returns >> (BLOCK - 1);
    }
    ends
}
