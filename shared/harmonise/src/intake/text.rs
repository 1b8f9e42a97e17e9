//! The encoding of a text file, and its characters.
//!
//! The encoding is settled by reading the whole file once: UTF-16 by its mark, UTF-8 if every byte fits, else
//! Windows-1252, unless the file is plainly UTF-8 with faults. Nothing is replaced silently.

use std::io::{self, Read, Seek, SeekFrom};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::error::{IntakeError, TextProblem};

const CHUNK: usize = 64 << 10;
/// Bytes looked at together.
const WORD: usize = 8;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

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
        if let Some(zero) = memchr::memchr(0, bytes) {
            return Err(IntakeError::NotText { byte: scan.at + zero as u64, problem: TextProblem::Binary });
        }
        scan.take(bytes);
    }
}

pub(crate) fn read_some(source: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
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
    /// Bytes taken.
    at: u64,
    /// Continuation bytes still to come.
    pending: u8,
    /// Where the next of them must lie.
    next: u64,
    whole: u64,
    broken: u64,
    first_broken: u64,
}

impl Scan {
    /// Takes the next bytes; only those over 127 are looked at one by one.
    fn take(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<WORD>();
        let mut last = [0; WORD];
        last[..rest.len()].copy_from_slice(rest); // bytes of 0 beyond it say nothing
        for word in words.iter().chain([&last]) {
            let mut high = u64::from_le_bytes(*word) & HIGH_BITS;
            while high != 0 {
                let place = high.trailing_zeros() / u8::BITS;
                self.high(self.at + u64::from(place), word[place as usize]);
                high &= high - 1;
            }
            self.at += WORD as u64;
        }
        self.at -= (WORD - rest.len()) as u64;
    }

    /// A byte over 127.
    fn high(&mut self, at: u64, byte: u8) {
        if self.pending > 0 {
            if at == self.next && byte & 0xc0 == 0x80 {
                self.pending -= 1;
                self.next += 1;
                self.whole += u64::from(self.pending == 0);
                return;
            }
            self.break_off();
        }
        self.next = at + 1;
        match byte {
            0xc2..=0xdf => self.pending = 1,
            0xe0..=0xef => self.pending = 2,
            0xf0..=0xf4 => self.pending = 3,
            _ => self.broken(at),
        }
    }

    /// A character ends before all its bytes are there.
    fn break_off(&mut self) {
        self.pending = 0;
        self.broken(self.next);
    }

    fn broken(&mut self, at: u64) {
        if self.broken == 0 {
            self.first_broken = at;
        }
        self.broken += 1;
    }

    fn finish(mut self) -> Result<&'static Encoding, IntakeError> {
        if self.pending > 0 {
            self.break_off();
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

/// The characters of a file, decoded piece by piece; fails at the first that is none.
pub(crate) struct Characters<R> {
    source: R,
    encoding: &'static Encoding,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: usize,
    read: u64,
    ended: bool,
    /// The decoder may not be asked after its end.
    finished: bool,
}

impl<R: Read + Seek> Characters<R> {
    /// From a byte where a character begins.
    pub(crate) fn from(mut source: R, encoding: &'static Encoding, at: u64) -> io::Result<Self> {
        source.seek(SeekFrom::Start(at))?;
        let decoder = match at {
            0 => encoding.new_decoder_with_bom_removal(),
            _ => encoding.new_decoder_without_bom_handling(),
        };
        let (raw, raw_at) = (Vec::new(), 0);
        Ok(Self { source, encoding, decoder, raw, raw_at, read: at, ended: false, finished: false })
    }

    /// Appends some characters; false at the end of the file.
    pub(crate) fn append_to(&mut self, text: &mut String) -> Result<bool, IntakeError> {
        while !self.finished {
            if self.raw_at == self.raw.len() && !self.ended {
                self.raw.resize(CHUNK, 0);
                let count = read_some(&mut self.source, &mut self.raw)?;
                self.raw.truncate(count);
                self.raw_at = 0;
                self.read += count as u64;
                self.ended = count == 0;
            }
            let before = text.len();
            text.reserve(CHUNK);
            let (result, taken, faults) =
                self.decoder.decode_to_string(&self.raw[self.raw_at..], text, self.ended);
            self.raw_at += taken;
            // a zero character in UTF-16 is no text either
            if faults || text[before..].contains('\0') {
                return Err(self.fault());
            }
            self.finished = self.ended && result == CoderResult::InputEmpty;
            if text.len() > before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fault(&self) -> IntakeError {
        let utf8 = self.encoding == UTF_8;
        let problem = if utf8 { TextProblem::MixedEncodings } else { TextProblem::BrokenUtf16 };
        IntakeError::NotText { byte: self.read - (self.raw.len() - self.raw_at) as u64, problem }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whole and broken characters and the first broken one, told byte by byte.
    fn straight(bytes: &[u8]) -> (u64, u64, u64) {
        let (mut at, mut whole, mut broken, mut first) = (0, 0, 0, 0);
        let mut fault = |at: usize| {
            if broken == 0 {
                first = at as u64;
            }
            broken += 1;
        };
        while at < bytes.len() {
            let length = match bytes[at] {
                0..=0x7f => 1,
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 0,
            };
            let follows = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
            let whole_to = (at + 1..at + length).take_while(follows).last().unwrap_or(at) + 1;
            match length {
                1 => {}
                0 => fault(at),
                length if whole_to - at == length => whole += 1,
                _ => fault(whole_to),
            }
            at = whole_to;
        }
        (whole, broken, first)
    }

    proptest! {
        #[test]
        fn characters_are_counted_as_byte_by_byte(
            pieces in prop::collection::vec(prop::collection::vec(
                prop::sample::select(vec![b'a', b'\n', 0x80, 0xbf, 0xc1, 0xc3, 0xa4, 0xe4, 0xf0, 0xf5, 0xff]), 0..30), 0..5),
        ) {
            let mut scan = Scan::default();
            pieces.iter().for_each(|piece| scan.take(piece));
            if scan.pending > 0 {
                scan.break_off();
            }
            prop_assert_eq!((scan.whole, scan.broken, scan.first_broken), straight(&pieces.concat()));
            prop_assert_eq!(scan.at, pieces.concat().len() as u64);
        }
    }
}
