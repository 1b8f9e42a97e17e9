//! The encoding of a text file, and its characters.
//!
//! The encoding is settled by reading the whole file once: UTF-16 by its mark, UTF-8 if every byte fits, else
//! Windows-1252, unless the file is plainly UTF-8 with faults. Nothing is replaced silently.

use std::io::{self, Read, Seek, SeekFrom};
use std::thread;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::crew::Crew;
use super::error::{IntakeError, TextProblem};
use super::marks::{self, BLOCK};

const CHUNK: usize = 64 << 10;
/// Bytes that one of several threads looks at.
const PIECE: usize = 256 << 10;

/// Reads the whole file once, with as many threads as are given, and settles its encoding.
pub(crate) fn encoding_of(
    source: &mut (impl Read + Seek),
    threads: usize,
) -> Result<&'static Encoding, IntakeError> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&mut *source).take(2).read_to_end(&mut head)?;
    match head.as_slice() {
        b"\xff\xfe" => return Ok(UTF_16LE),
        b"\xfe\xff" => return Ok(UTF_16BE),
        _ => source.seek(SeekFrom::Start(0))?,
    };
    let scan = if threads < 2 { scan_alone(source)? } else { scan_together(source, threads)? };
    scan.finish()
}

fn scan_alone(source: &mut impl Read) -> Result<Scan, IntakeError> {
    let (mut scan, mut chunk) = (Scan::default(), vec![0; CHUNK]);
    loop {
        match read_some(source, &mut chunk)? {
            0 => return Ok(scan),
            count => scan.take(&chunk[..count]),
        }
    }
}

fn scan_together(source: &mut impl Read, threads: usize) -> Result<Scan, IntakeError> {
    thread::scope(|scope| {
        let work = |(bytes, at): (Vec<u8>, u64)| (Scan::of(&bytes, at), bytes);
        let mut hands = Crew::start(scope, (0..threads).map(|_| work));
        let (mut whole, mut at, mut begun) = (Scan::default(), 0, Vec::new());
        let mut ended = false;
        loop {
            let mut bytes = Vec::new();
            if hands.is_full() || ended {
                let Some(done) = hands.take() else { return Ok(whole) };
                let (scan, spare) = done?;
                whole.add(scan);
                if ended {
                    continue;
                }
                bytes = spare;
            }
            bytes.clear();
            bytes.append(&mut begun);
            ended = (&mut *source).take(PIECE as u64).read_to_end(&mut bytes)? == 0;
            let cut = if ended { bytes.len() } else { last_cut(&bytes) };
            begun.extend_from_slice(&bytes[cut..]);
            bytes.truncate(cut);
            let begins = at;
            at += cut as u64;
            hands.give((bytes, begins))?;
        }
    })
}

/// The last place where bytes can be parted without parting a character of UTF-8: before a byte that goes on with none. After
/// more of those than a character has, any place.
fn last_cut(bytes: &[u8]) -> usize {
    let goes_on = |byte: u8| byte & 0xc0 == 0x80;
    let last = bytes.iter().rev().take(4).position(|byte| !goes_on(*byte));
    last.map_or(bytes.len(), |back| bytes.len() - 1 - back)
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
    /// The first byte that is 0, as no text has it.
    zero: Option<u64>,
}

impl Scan {
    /// Of whole characters that begin at a byte.
    fn of(bytes: &[u8], at: u64) -> Self {
        let mut scan = Self { at, ..Self::default() };
        scan.take(bytes);
        if scan.pending > 0 {
            scan.break_off();
        }
        scan
    }

    /// Adds those that follow.
    fn add(&mut self, next: Self) {
        if self.broken == 0 {
            self.first_broken = next.first_broken;
        }
        self.zero = self.zero.or(next.zero);
        self.whole += next.whole;
        self.broken += next.broken;
    }

    /// Takes the next bytes; only those over 127 are looked at, and one by one only those that stand together.
    fn take(&mut self, bytes: &[u8]) {
        if self.zero.is_none() {
            self.zero = memchr::memchr(0, bytes).map(|zero| self.at + zero as u64);
        }
        for block in bytes.chunks(BLOCK) {
            let bits = marks::high(&marks::block_of(block));
            if bits != 0 {
                self.block(block, bits);
            }
            self.at += block.len() as u64;
        }
    }

    /// `bits`: which bytes of the block are over 127.
    fn block(&mut self, block: &[u8], bits: u64) {
        let goes_on = self.pending > 0 && self.next == self.at && bits & 1 != 0;
        let together = bits & bits << 1 != 0;
        // what comes after the last byte is not known yet
        let last = bits >> (block.len() - 1) != 0;
        if !goes_on && !together && !last && self.broken > 0 {
            if self.pending > 0 {
                self.break_off();
            }
            // none of them has another beside it: each is a broken character
            self.broken += u64::from(bits.count_ones());
            return;
        }
        let mut left = bits;
        while left != 0 {
            let place = left.trailing_zeros();
            self.high(self.at + u64::from(place), block[place as usize]);
            left &= left - 1;
        }
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
        if let Some(byte) = self.zero {
            return Err(IntakeError::NotText { byte, problem: TextProblem::Binary });
        }
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
                prop::sample::select(vec![b'a', b'\n', b'b', b'c', 0x80, 0xbf, 0xc1, 0xc3, 0xa4, 0xe4, 0xf0, 0xf5, 0xff]), 0..200), 0..5),
        ) {
            let mut scan = Scan::default();
            pieces.iter().for_each(|piece| scan.take(piece));
            if scan.pending > 0 {
                scan.break_off();
            }
            prop_assert_eq!((scan.whole, scan.broken, scan.first_broken), straight(&pieces.concat()));
            prop_assert_eq!(scan.at, pieces.concat().len() as u64);
        }

        /// Most bytes of a text stand alone among those of ASCII.
        #[test]
        fn single_bytes_over_127_are_counted_as_byte_by_byte(
            bytes in prop::collection::vec((0usize..12, prop::sample::select(vec![0x80, 0xc3, 0xe4, 0xff])), 0..100),
        ) {
            let bytes: Vec<u8> = bytes.iter().flat_map(|(before, byte)| [b'a'].repeat(*before).into_iter().chain([*byte])).collect();
            let scan = Scan::of(&bytes, 0);
            prop_assert_eq!((scan.whole, scan.broken, scan.first_broken), straight(&bytes));
        }

        #[test]
        fn several_threads_count_what_one_counts(
            parts in prop::collection::vec((prop::sample::select(vec!["a", "ä", "漢", "\u{1f600}"]), 1usize..40_000), 1..6),
            fault in prop::option::of((any::<prop::sample::Index>(), prop::sample::select(vec![0u8, 0x80, 0xe4, 0xff]))),
        ) {
            let mut bytes = parts.iter().flat_map(|(text, count)| text.repeat(*count).into_bytes()).collect::<Vec<u8>>().repeat(4);
            if let Some((at, byte)) = fault {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let counted = |scan: Scan| { let end = Scan { pending: 0, ..scan }; (end.whole, end.broken, end.first_broken, end.zero) };
            let together = scan_together(&mut bytes.as_slice(), 2).unwrap();
            prop_assert_eq!(counted(together), counted(Scan::of(&bytes, 0)));
        }
    }
}
