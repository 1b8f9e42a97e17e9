//! Text files: encoding, separator, rows.
//!
//! The encoding is settled by reading the whole file once: UTF-16 by its mark, UTF-8 if every byte fits, else
//! Windows-1252, unless the file is plainly UTF-8 with faults. Nothing is replaced silently. The separator is the
//! one under which a header is found.

use std::borrow::Cow;
use std::cell::Cell as Shared;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::cell::{Cell, Epoch};
use super::error::{IntakeError, TextProblem};
use super::limits::{Limit, MAX_ROW_BYTES};
use super::{Flow, Table, check_row};

/// Tried in this order.
pub(crate) const SEPARATORS: [char; 3] = [';', ',', '\t'];

const CHUNK: usize = 64 << 10;

/// Reads the whole file once and settles its encoding.
pub(crate) fn encoding_of(source: &mut (impl Read + Seek)) -> Result<&'static Encoding, IntakeError> {
    source.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; CHUNK];
    let mut first = true;
    let mut scan = Scan::default();
    loop {
        let count = read_some(source, &mut chunk)?;
        let bytes = &chunk[..count];
        if first && (bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")) {
            return Ok(if bytes[0] == 0xff { UTF_16LE } else { UTF_16BE });
        }
        first = false;
        if count == 0 {
            return scan.finish();
        }
        bytes.iter().for_each(|byte| scan.take(*byte));
        if let Some(byte) = scan.zero {
            return Err(IntakeError::NotText { byte, problem: TextProblem::Binary });
        }
    }
}

fn read_some(source: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Counts whole and broken characters of UTF-8 (lengths only; overlong forms are left to the decoder).
#[derive(Default)]
struct Scan {
    at: u64,
    /// Continuation bytes still to come.
    pending: u8,
    whole: u64,
    broken: u64,
    first_broken: u64,
    zero: Option<u64>,
}

impl Scan {
    fn take(&mut self, byte: u8) {
        if byte == 0 && self.zero.is_none() {
            self.zero = Some(self.at);
        }
        if self.pending > 0 {
            if byte & 0xc0 == 0x80 {
                self.pending -= 1;
                self.whole += u64::from(self.pending == 0);
                self.at += 1;
                return;
            }
            self.broken();
            self.pending = 0;
        }
        match byte {
            0..=0x7f => {}
            0xc2..=0xdf => self.pending = 1,
            0xe0..=0xef => self.pending = 2,
            0xf0..=0xf4 => self.pending = 3,
            _ => self.broken(),
        }
        self.at += 1;
    }

    fn broken(&mut self) {
        if self.broken == 0 {
            self.first_broken = self.at;
        }
        self.broken += 1;
    }

    fn finish(mut self) -> Result<&'static Encoding, IntakeError> {
        if self.pending > 0 {
            self.broken();
        }
        match (self.broken, self.whole) {
            (0, _) => Ok(UTF_8),
            // Windows-1252 seldom forms a whole character of UTF-8 by chance
            (broken, whole) if whole > broken => {
                Err(IntakeError::NotText { byte: self.first_broken, problem: TextProblem::MixedEncodings })
            }
            _ => Ok(WINDOWS_1252),
        }
    }
}

/// Decodes as it is read, and fails at the first character that is none.
struct Transcoder<R> {
    source: R,
    decoder: Decoder,
    utf16: bool,
    raw: Vec<u8>,
    raw_at: usize,
    read: u64,
    ended: bool,
    /// The decoder may not be asked after its end.
    finished: bool,
    guard: Rc<Guard>,
}

/// What went wrong below the CSV parser, and how far the current row has come.
#[derive(Default)]
struct Guard {
    row_bytes: Shared<usize>,
    broken: Shared<Option<u64>>,
}

impl<R: Read> Transcoder<R> {
    fn new(source: R, encoding: &'static Encoding, guard: Rc<Guard>) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        let utf16 = encoding != UTF_8 && encoding != WINDOWS_1252;
        Self { source, decoder, utf16, raw: Vec::new(), raw_at: 0, read: 0, ended: false, finished: false, guard }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.raw_at == self.raw.len() && !self.ended {
            self.raw.resize(CHUNK, 0);
            let count = read_some(&mut self.source, &mut self.raw)?;
            self.raw.truncate(count);
            self.raw_at = 0;
            self.read += count as u64;
            self.ended = count == 0;
        }
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.len() < 8 {
            return Err(io::ErrorKind::InvalidInput.into()); // the CSV parser's buffer is larger
        }
        while !self.finished {
            self.fill()?;
            let (result, taken, written, faults) =
                self.decoder.decode_to_utf8(&self.raw[self.raw_at..], out, self.ended);
            self.raw_at += taken;
            // a zero character in UTF-16 is no text either
            if faults || (self.utf16 && out[..written].contains(&0)) {
                self.guard.broken.set(Some(self.read - (self.raw.len() - self.raw_at) as u64));
                return Err(io::ErrorKind::InvalidData.into());
            }
            let row = self.guard.row_bytes.get() + written;
            self.guard.row_bytes.set(row);
            if row > MAX_ROW_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.finished = self.ended && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// A text file under one separator.
pub(crate) struct TextTable<'s, R> {
    pub(crate) source: &'s mut R,
    pub(crate) encoding: &'static Encoding,
    pub(crate) separator: char,
}

impl<R: Read + Seek> Table for TextTable<'_, R> {
    fn epoch(&self) -> Epoch {
        Epoch::From1900
    }

    fn each_row(&mut self, take: &mut super::Take<'_>) -> Result<(), IntakeError> {
        self.source.seek(SeekFrom::Start(0))?;
        let guard = Rc::new(Guard::default());
        let text = Transcoder::new(&mut *self.source, self.encoding, Rc::clone(&guard));
        // infallible: the separators are ASCII
        let separator = u8::try_from(self.separator).unwrap_or(b';');
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text);
        let mut record = csv::StringRecord::new();
        loop {
            let line = rows.position().line();
            match rows.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => return Err(fault(&error, &guard, line, self.encoding)),
            }
            guard.row_bytes.set(0);
            let row = record.position().map_or(line, csv::Position::line);
            let cells: Vec<Cell<'_>> = record.iter().map(cell).collect();
            check_row(row, &cells)?;
            if take(row, &cells)? == Flow::Stop {
                return Ok(());
            }
        }
    }
}

fn cell(text: &str) -> Cell<'_> {
    if text.is_empty() { Cell::Empty } else { Cell::Text(Cow::Borrowed(text)) }
}

fn fault(error: &csv::Error, guard: &Guard, row: u64, encoding: &'static Encoding) -> IntakeError {
    if let Some(byte) = guard.broken.get() {
        let utf8 = encoding == UTF_8;
        let problem = if utf8 { TextProblem::MixedEncodings } else { TextProblem::BrokenUtf16 };
        return IntakeError::NotText { byte, problem };
    }
    if guard.row_bytes.get() > MAX_ROW_BYTES {
        return Limit::Row { row }.into();
    }
    match error.kind() {
        csv::ErrorKind::Io(error) => IntakeError::Read(error.kind()),
        _ => IntakeError::Read(io::ErrorKind::InvalidData),
    }
}
