//! The rows of a text file: lines, quotation marks and separators (RFC 4180, read leniently but never silently).
//!
//! A quotation mark inside a field is a character; at its start it opens a quotation, which may hold separators and
//! line breaks. If a quotation that runs over a line break does not end before a separator or the end of a line, the
//! mark was no quotation: its first line alone becomes a broken row, which is refused, and reading goes on with the
//! next line. So a stray mark in free text costs one row, and never swallows others unseen (TRUE-3).

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::cell::{Cell, Epoch};
use super::error::IntakeError;
use super::limits::{Limit, MAX_CELL_CHARS, MAX_COLUMNS, MAX_ROW_BYTES};
use super::marks::Marks;
use super::text::Characters;
use super::{Flow, Row, Table, Take, check_row};

/// Tried in this order.
pub(crate) const SEPARATORS: [char; 3] = [';', ',', '\t'];

/// A text file under one separator.
pub(crate) struct TextTable<'s, R> {
    pub(crate) source: &'s mut R,
    pub(crate) encoding: &'static Encoding,
    pub(crate) separator: char,
}

/// Where a line begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    /// Bytes before it.
    pub(crate) at: u64,
    /// Lines before it.
    pub(crate) number: u64,
}

impl<R: Read + Seek> Table for TextTable<'_, R> {
    fn epoch(&self) -> Epoch {
        Epoch::From1900
    }

    fn each_row(&mut self, take: &mut Take<'_>) -> Result<(), IntakeError> {
        self.rows_from(Place::default(), take)
    }
}

/// Cells of a row that need no allocation.
pub(crate) const CELLS: usize = 16;
/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// The mark of UTF-8 at the beginning of a file.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: Read + Seek> TextTable<'_, R> {
    /// The rows from a line on.
    ///
    /// # Errors
    /// As [`Table::each_row`].
    pub(crate) fn rows_from(&mut self, from: Place, take: &mut Take<'_>) -> Result<(), IntakeError> {
        let Some(Place { at, number }) = self.plain_rows(from, take)? else { return Ok(()) };
        let characters = Characters::from(&mut *self.source, self.encoding, at)?;
        let mut lines = Lines { characters, text: String::new(), at: 0, number, returned: VecDeque::new() };
        let mut fields = Fields { separator: self.separator, ..Fields::default() };
        while let Some((number, broken)) = next_row(&mut lines, &mut fields)? {
            let mut cells = Cells::default();
            fields.iter().for_each(|field| cells.push(cell(field)));
            cells.check(number)?;
            if take(&Row { number, cells: &cells.kept, broken })? == Flow::Stop {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How its lines may be read as bytes; not in encodings in which a byte of ASCII is not always that character.
    pub(crate) fn form(&self) -> Option<Form> {
        let is_utf8 = self.encoding == UTF_8;
        let separator = u8::try_from(self.separator).ok()?;
        (is_utf8 || self.encoding == WINDOWS_1252).then_some(Form { separator, is_utf8 })
    }

    /// About how many rows it has, from the line feeds at its beginning.
    pub(crate) fn rows_about(&mut self) -> io::Result<u64> {
        let bytes = self.source.seek(SeekFrom::End(0))?;
        self.source.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        (&mut *self.source).take(PIECE as u64).read_to_end(&mut head)?;
        let feeds = memchr::memchr_iter(b'\n', &head).count() as u64;
        Ok(bytes.saturating_mul(feeds) / (head.len() as u64).max(1))
    }

    /// Where its text begins: after the mark of UTF-8.
    pub(crate) fn text_begins(&mut self) -> io::Result<u64> {
        let mut head = Vec::new();
        self.source.seek(SeekFrom::Start(0))?;
        (&mut *self.source).take(MARK.len() as u64).read_to_end(&mut head)?;
        Ok(if self.encoding == UTF_8 && head == MARK { MARK.len() as u64 } else { 0 })
    }

    /// Reads lines as they lie in the file, to the first that needs more than its bytes; where that is.
    fn plain_rows(&mut self, from: Place, take: &mut Take<'_>) -> Result<Option<Place>, IntakeError> {
        let Some(form) = self.form() else { return Ok(Some(from)) };
        // `begun` bytes of the file lie before `bytes`
        let (mut bytes, mut begun, mut number) = (Vec::new(), from.at.max(self.text_begins()?), from.number);
        self.source.seek(SeekFrom::Start(begun))?;
        loop {
            let before = bytes.len();
            let count = (&mut *self.source).take(PIECE as u64).read_to_end(&mut bytes)?;
            let ended = count == 0;
            // a line that grows is looked at once, when it ends
            let grows = memchr::memchr2(b'\n', b'\r', &bytes[before..]).is_none()
                && bytes.get(before.wrapping_sub(1)) != Some(&b'\r');
            if grows && !ended && bytes.len() <= MAX_ROW_BYTES {
                continue;
            }
            let (length, end) = form.lines(&bytes, ended, &mut number, take)?;
            begun += length as u64;
            bytes.drain(..length);
            match end {
                End::Stopped => return Ok(None),
                End::Bytes if ended => return Ok(None),
                End::Bytes if bytes.len() <= MAX_ROW_BYTES => {}
                _ => return Ok(Some(Place { at: begun, number })),
            }
        }
    }
}

/// How bytes are read as lines.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    separator: u8,
    is_utf8: bool,
}

/// Why reading lines ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// There are no more whole lines.
    Bytes,
    /// The next line needs more than its bytes.
    Line,
    /// No more rows are wanted.
    Stopped,
}

impl Form {
    /// Takes whole lines without quotation marks; how many bytes they have, and why it ended there. `ended`: no bytes follow.
    /// `number` is that of the last line read.
    ///
    /// # Errors
    /// A limit of one row, or what `take` says.
    pub(crate) fn lines(
        self,
        bytes: &[u8],
        ended: bool,
        number: &mut u64,
        take: &mut Take<'_>,
    ) -> Result<(usize, End), IntakeError> {
        // no line before the first quotation mark has one, and no line before a byte that is no character either
        let quoted = memchr::memchr(b'"', bytes).unwrap_or(bytes.len());
        let text = self.is_utf8.then(|| bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
        let plain = text.map_or(quoted, |text| text.len().min(quoted));
        let mut cells = Cells::default();
        let mut marks = Marks::of(bytes, [self.separator, b'\n', b'\r']);
        // the line and the field being read
        let (mut at, mut from) = (0, 0);
        loop {
            let (to, end) = match marks.next() {
                Some(mark) if bytes[mark] == self.separator => {
                    cells.push(self.cell(bytes, text, from..mark));
                    from = mark + 1;
                    continue;
                }
                Some(mark) if mark < at => continue, // the LF of a CR
                Some(mark) if bytes[mark] == b'\n' => (mark, 1),
                Some(mark) if bytes.get(mark + 1) == Some(&b'\n') => (mark, 2),
                // the LF of a CR may lie in the next piece
                Some(mark) if ended || mark + 1 < bytes.len() => (mark, 1),
                None if ended && at < bytes.len() => (bytes.len(), 0),
                _ => return Ok((at, End::Bytes)),
            };
            if plain < to || to - at > MAX_ROW_BYTES {
                return Ok((at, End::Line));
            }
            cells.push(self.cell(bytes, text, from..to));
            *number += 1;
            // shorter lines keep the limits of a row
            if to - at > MAX_CELL_CHARS || cells.kept.len() > MAX_COLUMNS {
                cells.check(*number)?;
            }
            let flow = take(&Row { number: *number, cells: &cells.kept, broken: None })?;
            cells.clear();
            at = to + end;
            from = at;
            if flow == Flow::Stop {
                return Ok((at, End::Stopped));
            }
        }
    }

    /// A cell; `text` is what of the bytes is UTF-8.
    fn cell<'l>(self, bytes: &'l [u8], text: Option<&'l str>, place: Range<usize>) -> Cell<'l> {
        match text {
            _ if place.is_empty() => Cell::Empty,
            None => Cell::Raw(&bytes[place]),
            // a line that is not all text is never taken
            Some(text) => text.get(place).map_or(Cell::Empty, Cell::Text),
        }
    }
}

/// The cells of a line. Of those beyond the limit of columns none is kept: a line may be separators only, millions of them.
#[derive(Default)]
struct Cells<'l> {
    kept: Vec<Cell<'l>>,
    count: usize,
    /// The last one beyond the limit that holds something, from 1.
    beyond: usize,
}

impl<'l> Cells<'l> {
    #[inline]
    fn push(&mut self, cell: Cell<'l>) {
        self.count += 1;
        if self.kept.len() <= MAX_COLUMNS {
            self.kept.push(cell);
        } else if !cell.is_blank() {
            self.beyond = self.count;
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        (self.count, self.beyond) = (0, 0);
    }

    /// The limits of one row.
    fn check(&self, row: u64) -> Result<(), IntakeError> {
        if self.beyond > 0 {
            return Err(Limit::Columns { row, columns: self.beyond }.into());
        }
        check_row(row, &self.kept)
    }
}

fn cell(text: &str) -> Cell<'_> {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text) }
}

/// Reads the next row into `fields`: its line, and the field of a quotation that never ends.
fn next_row<R: Read + Seek>(
    lines: &mut Lines<R>,
    fields: &mut Fields,
) -> Result<Option<(u64, Option<usize>)>, IntakeError> {
    let Some((number, first)) = lines.next()? else {
        return Ok(None);
    };
    fields.clear();
    let mut progress = fields.feed(&first);
    let mut further = Vec::new();
    while progress == Progress::Open {
        progress = match lines.next()? {
            Some((at, line)) => {
                let progress = fields.feed(&line);
                further.push((at, line));
                // no cell is that long, at four bytes a character
                if fields.open_length() > 4 * MAX_CELL_CHARS { Progress::Broken } else { progress }
            }
            None => Progress::Broken,
        };
    }
    if progress == Progress::Complete {
        return Ok(Some((number, None)));
    }
    let broken = fields.count();
    further.into_iter().rev().for_each(|line| lines.returned.push_front(line));
    fields.clear();
    fields.feed(&first);
    fields.end_field();
    Ok(Some((number, Some(broken))))
}

/// Physical lines, numbered from 1. A line ends with LF, CR LF or CR.
struct Lines<R> {
    characters: Characters<R>,
    text: String,
    at: usize,
    number: u64,
    /// Lines given back, to be read again.
    returned: VecDeque<(u64, String)>,
}

impl<R: Read + Seek> Lines<R> {
    fn next(&mut self) -> Result<Option<(u64, String)>, IntakeError> {
        if let Some(line) = self.returned.pop_front() {
            return Ok(Some(line));
        }
        let mut searched = 0;
        let (length, end) = loop {
            let rest = &self.text[self.at..];
            let ends = memchr::memchr2(b'\n', b'\r', &rest.as_bytes()[searched..]);
            let found = ends.map(|found| searched + found);
            match found {
                Some(found) if rest[found..].starts_with("\r\n") => break (found, 2),
                // the LF of a CR may lie in the next piece
                Some(found) if found + 1 < rest.len() || rest.ends_with('\n') => break (found, 1),
                Some(found) => searched = found,
                None => searched = rest.len(),
            }
            if rest.len() > MAX_ROW_BYTES {
                return Err(Limit::Row { row: self.number + 1 }.into());
            }
            self.text.drain(..self.at);
            self.at = 0;
            if !self.characters.append_to(&mut self.text)? {
                match self.text.len() {
                    0 => return Ok(None),
                    length => {
                        break (
                            length - usize::from(self.text.ends_with('\r')),
                            usize::from(self.text.ends_with('\r')),
                        );
                    }
                }
            }
        };
        let line = self.text[self.at..self.at + length].to_string();
        self.at += length + end;
        self.number += 1;
        Ok(Some((self.number, line)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The row ends with this line.
    Complete,
    /// A quotation goes on.
    Open,
    /// A quotation over a line break is followed by something else than a separator.
    Broken,
}

/// The fields of one row, in one text.
#[derive(Default)]
struct Fields {
    separator: char,
    text: String,
    /// In bytes, of which a row has less than 4 GiB.
    ends: Vec<u32>,
    quoted: bool,
    /// Whether the current quotation has gone over a line break.
    spanned: bool,
}

impl Fields {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.quoted = false;
        self.spanned = false;
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start as usize..*end as usize])
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    fn open_length(&self) -> usize {
        self.text.len() - self.ends.last().map_or(0, |end| *end as usize)
    }

    fn end_field(&mut self) {
        self.ends.push(self.text.len() as u32);
    }

    fn feed(&mut self, line: &str) -> Progress {
        let mut rest = line;
        loop {
            if !self.quoted {
                match rest.strip_prefix('"') {
                    Some(inside) => (self.quoted, self.spanned, rest) = (true, false, inside),
                    None => match self.plain(rest) {
                        Some(next) => {
                            rest = next;
                            continue;
                        }
                        None => return Progress::Complete,
                    },
                }
            }
            let Some((inside, after)) = rest.split_once('"') else {
                self.text.push_str(rest);
                self.text.push('\n');
                self.spanned = true;
                return Progress::Open;
            };
            self.text.push_str(inside);
            if let Some(after) = after.strip_prefix('"') {
                self.text.push('"');
                rest = after;
                continue;
            }
            if self.spanned && !after.is_empty() && !after.starts_with(self.separator) {
                return Progress::Broken;
            }
            self.quoted = false;
            match self.plain(after) {
                Some(next) => rest = next,
                None => return Progress::Complete,
            }
        }
    }

    /// Takes text up to the separator; what follows it, if there is one.
    fn plain<'l>(&mut self, rest: &'l str) -> Option<&'l str> {
        let (field, next) = match rest.split_once(self.separator) {
            Some((field, next)) => (field, Some(next)),
            None => (rest, None),
        };
        self.text.push_str(field);
        self.end_field();
        next
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::UTF_8;
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<(u64, Option<usize>, Vec<String>)> {
        let mut source = Cursor::new(text.as_bytes());
        let mut table = TextTable { source: &mut source, encoding: UTF_8, separator: ';' };
        let mut rows = Vec::new();
        let mut take = |row: &Row<'_, '_>| {
            let cells = row.cells.iter().map(|cell| cell.text().into_owned()).collect();
            rows.push((row.number, row.broken, cells));
            Ok(Flow::Go)
        };
        table.each_row(&mut take).unwrap();
        rows
    }

    fn row(number: u64, cells: &[&str]) -> (u64, Option<usize>, Vec<String>) {
        (number, None, cells.iter().map(|cell| cell.to_string()).collect())
    }

    #[test]
    fn quotations_and_line_ends_of_every_kind_are_read() {
        assert_eq!(
            rows("a;b\r\nc;d\re;f\ng"),
            [row(1, &["a", "b"]), row(2, &["c", "d"]), row(3, &["e", "f"]), row(4, &["g"])]
        );
        assert_eq!(rows("\"a;b\";\"c\"\"d\"\n"), [row(1, &["a;b", "c\"d"])]);
        assert_eq!(rows("\"a\r\n\nb\";c\nd"), [row(1, &["a\n\nb", "c"]), row(4, &["d"])]);
        assert_eq!(rows("a;\"ja\" sa hon;5\" rör\n"), [row(1, &["a", "ja sa hon", "5\" rör"])]);
        assert_eq!(rows("a;\"\";\n"), [row(1, &["a", "", ""])]);
        assert_eq!(rows(""), []);
        assert_eq!(rows("\n\r\n"), [row(1, &[""]), row(2, &[""])]);
    }

    #[test]
    fn a_stray_quotation_mark_costs_its_own_row_and_no_other() {
        let broken = |number, at, cells: &[&str]| (number, Some(at), row(number, cells).2);
        let first = broken(1, 1, &["a", "hon sa\n"]);
        assert_eq!(rows("a;\"hon sa\nb;c\n"), [first.clone(), row(2, &["b", "c"])]);
        assert_eq!(rows("a;\"hon sa\nb;\"c\"\nd"), [first, row(2, &["b", "c"]), row(3, &["d"])]);
        let long = format!("a;\"b\n{}", "c;d\n".repeat(MAX_CELL_CHARS * 2));
        assert_eq!(rows(&long).len(), 1 + MAX_CELL_CHARS * 2);
    }

    #[test]
    fn a_line_end_on_the_border_of_a_piece_is_one_line_end() {
        for length in (64 << 10) - 3..(64 << 10) + 3 {
            let half = "a".repeat(32_000);
            let last = "a".repeat(length - 64_002);
            let read = rows(&format!("{half};{half};{last}\r\nb\r\n"));
            assert_eq!(read, [row(1, &[&half, &half, &last]), row(2, &["b"])]);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_with_quotations_is_read_back(
            table in proptest::collection::vec(proptest::collection::vec("[a-zåäö;\"\n ]{0,8}", 1..5), 1..8),
        ) {
            let field = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let line = |row: &Vec<String>| row.iter().map(field).collect::<Vec<_>>().join(";");
            let text = table.iter().map(line).collect::<Vec<_>>().join("\r\n");
            let read: Vec<Vec<String>> = rows(&text).into_iter().map(|(_, _, cells)| cells).collect();
            prop_assert_eq!(read, table);
        }

        #[test]
        fn every_line_belongs_to_exactly_one_row(text in "[ab;\"\n\r]{0,60}") {
            let numbers: Vec<u64> = rows(&text).into_iter().map(|(number, ..)| number).collect();
            prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(numbers.first().copied().unwrap_or(1), 1);
        }
    }
}
