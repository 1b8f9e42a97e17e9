//! A text file read on several threads.
//!
//! The thread that calls cuts the file into pieces at line feeds and hands them out in turn; each hand reads its pieces into
//! batches with a reader of its own; the batches are gathered in the order of the file. So the result is that of one thread,
//! whatever the number ([`super::gather`]). A piece may hold a line that needs more than its bytes: a quotation, a character
//! that is none. Then everything from that line on is read by one thread, and what the hands have of it is thrown away.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::Flow;
use super::error::IntakeError;
use super::gather::{Batch, Gather, Rows};
use super::limits::MAX_ROW_BYTES;
use super::lines::{End, Form, Place, TextTable};
use super::rows::RowReader;

/// Most threads of one reading: more would wait for the one that gathers.
pub const MAX_THREADS: usize = 8;
/// Smaller files are read before threads and their tables of words are made.
const LEAST_BYTES: u64 = 4 << 20;
/// Bytes of a piece.
const PIECE: usize = 512 << 10;
/// Pieces that each hand may have.
const AHEAD: usize = 6;

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
    /// Lines before it.
    number: u64,
    spare: Batch,
}

struct Done {
    batch: Batch,
    bytes: Vec<u8>,
    end: Result<(usize, End), IntakeError>,
    /// Lines of the file read up to its end.
    number: u64,
}

struct Hand {
    jobs: Sender<Job>,
    done: Receiver<Done>,
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
        // the first hand has the reader that is there, the others make theirs
        let mut given = Some(reader);
        let hands = (0..plan.threads).map(|_| {
            let ((jobs, todo), (give, done)) = (channel::<Job>(), channel::<Done>());
            let given = given.take();
            scope.spawn(move || match given {
                Some(reader) => serve(reader, &todo, &give, form, header),
                None => serve(&mut make(), &todo, &give, form, header),
            });
            Hand { jobs, done }
        });
        let hands: Vec<Hand> = hands.collect();
        lead(pieces, &hands, gather)
    })
}

/// Reads pieces until there are no more, or nobody wants them.
fn serve(reader: &mut RowReader<'_>, todo: &Receiver<Job>, give: &Sender<Done>, form: Form, header: u64) {
    for job in todo {
        if give.send(work(job, reader, form, header)).is_err() {
            return; // the leader has ended
        }
    }
}

/// One piece.
fn work(job: Job, reader: &mut RowReader<'_>, form: Form, header: u64) -> Done {
    let Job { bytes, ended, mut number, spare } = job;
    let end = form.lines(&bytes, ended, &mut number, &mut |row| {
        if row.number > header {
            reader.take(row);
        }
        Ok(Flow::Go)
    });
    Done { batch: reader.end_batch(spare), bytes, end, number }
}

/// Hands pieces out and gathers what they become, in order.
fn lead<R: Read + Seek>(
    mut pieces: Pieces<'_, R>,
    hands: &[Hand],
    gather: &mut Gather<'_>,
) -> Result<Option<Place>, IntakeError> {
    let mut waiting = VecDeque::new();
    let mut spare: Vec<(Vec<u8>, Batch)> = Vec::new();
    let mut turn = hands.iter().cycle();
    loop {
        if waiting.len() < hands.len() * AHEAD
            && let Some((job, at)) = pieces.next(spare.pop().unwrap_or_default())
            && let Some(hand) = turn.next()
        {
            hand.jobs.send(job).map_err(|_| gone())?;
            waiting.push_back((hand, at));
            continue;
        }
        let Some((hand, at)) = waiting.pop_front() else { return pieces.rest() };
        let Done { mut batch, bytes, end, number } = hand.done.recv().map_err(|_| gone())?;
        gather.take(&mut batch)?;
        let (length, end) = end?;
        if end != End::Bytes {
            return Ok(Some(Place { at: at + length as u64, number }));
        }
        spare.push((bytes, batch));
    }
}

/// A hand that is gone has panicked, which the scope passes on.
fn gone() -> io::Error {
    io::Error::other("a thread that reads has ended")
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

    /// The next piece and where it begins; nothing at the end, or where one thread must go on ([`Pieces::rest`]).
    fn next(&mut self, spare: (Vec<u8>, Batch)) -> Option<(Job, u64)> {
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
        let Place { at, number } = self.place;
        self.place = Place { at: at + cut as u64, number: number + line_ends(&bytes) };
        Some((Job { bytes, ended: self.ended, number, spare }, at))
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
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let alone = memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n'));
    (feeds + alone.count()) as u64
}
