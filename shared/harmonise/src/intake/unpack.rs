//! Checks an xlsx or ods before the spreadsheet reader sees it.
//!
//! A small packed file can unfold to anything: parts that are a thousand times larger unpacked, counts of texts that the
//! reader reserves memory for, cells and rows and blanks that stand once and count a thousand million times, tags that
//! never close, at which the reader never ends. So each part is unpacked here once, with the same tools the reader has,
//! in memory that does not grow, and every number is held against its limit. Nothing of what is read is kept.
//!
//! Invariant: what passes here has closed tags, and unfolds in the reader to no more than the limits say.

use std::cell::Cell;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::error::{IntakeError, WorkbookProblem};
use super::limits::{
    Limit, MAX_CELL_CHARS, MAX_COLUMNS, MAX_HELD_BYTES, MAX_HELD_CELLS, MAX_PARTS, MAX_SHEETS, MAX_STRINGS,
    MAX_UNPACKED_BYTES, MAX_XML_DEPTH, MAX_XML_PIECE, WorkbookLimit,
};
use super::text::read_some;
use super::workbook::Format;

/// Rows of a sheet of either format.
const SHEET_ROWS: u64 = 1_048_576;
const CHUNK: usize = 64 << 10;

/// Nothing, if the spreadsheet reader may have the file.
pub(crate) fn check_zip(source: &mut (impl Read + Seek), format: Format) -> Result<(), IntakeError> {
    // the list of parts is read whole; its entries are counted before
    if entries(source)? > MAX_PARTS {
        return Err(WorkbookLimit::Parts.into());
    }
    source.seek(SeekFrom::Start(0))?;
    let mut archive = ZipArchive::new(&mut *source).map_err(|_| WorkbookProblem::Damaged)?;
    let mut left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        // another kind of packing, or a password: the reader will say so if it wants that part
        if let Ok(part) = archive.by_index(index) {
            left = check_part(part, left, format)?;
        }
    }
    drop(archive);
    source.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// How many entries of a list of parts the file can have at most.
fn entries(source: &mut (impl Read + Seek)) -> io::Result<usize> {
    const MARK: &[u8; 4] = b"PK\x01\x02";
    source.seek(SeekFrom::Start(0))?;
    let (mut chunk, mut kept, mut found) = (vec![0; CHUNK], 0, 0);
    loop {
        let count = read_some(source, &mut chunk[kept..])?;
        if count == 0 {
            return Ok(found);
        }
        let filled = kept + count;
        found += memchr::memmem::find_iter(&chunk[..filled], MARK).count();
        // a mark may lie over the border
        kept = filled.min(MARK.len() - 1);
        chunk.copy_within(filled - kept..filled, 0);
    }
}

/// A part as it is unpacked, counted.
struct Counted<R> {
    inner: R,
    /// Bytes that all parts together may still have.
    left: u64,
    come: u64,
    /// Where the last tag or text that was understood ended.
    understood: Rc<Cell<u64>>,
    /// The limit that ended the reading.
    limit: Option<WorkbookLimit>,
}

impl<R: Read> Counted<R> {
    fn new(inner: R, left: u64) -> Self {
        Self { inner, left, come: 0, understood: Rc::default(), limit: None }
    }

    fn stop(&mut self, limit: WorkbookLimit) -> io::Error {
        self.limit = Some(limit);
        ErrorKind::FileTooLarge.into()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = read_some(&mut self.inner, buffer)?;
        self.come += count as u64;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(self.stop(WorkbookLimit::Unpacked)),
        }
        if self.come.saturating_sub(self.understood.get()) > (MAX_XML_PIECE + CHUNK) as u64 {
            return Err(self.stop(WorkbookLimit::Piece));
        }
        Ok(count)
    }
}

/// Checks a part and says how many bytes are left for the others. Pictures and the like have no tags.
fn check_part(mut part: impl Read, left: u64, format: Format) -> Result<u64, IntakeError> {
    let mut head = Vec::new();
    (&mut part).take(512).read_to_end(&mut head).map_err(|_| WorkbookProblem::Damaged)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let is_xml = text.starts_with(b"<");
    let mut counted = Counted::new(head.as_slice().chain(part), left);
    let outcome = if is_xml { Part::of(format).check(&mut counted) } else { drain(&mut counted) };
    match counted.limit {
        Some(limit) => Err(limit.into()),
        None => outcome.map(|()| counted.left),
    }
}

fn drain<R: Read>(part: &mut Counted<R>) -> Result<(), IntakeError> {
    let mut chunk = vec![0; CHUNK];
    while part.read(&mut chunk).map_err(|_| WorkbookProblem::Damaged)? > 0 {
        part.understood.set(part.come);
    }
    Ok(())
}

impl Part {
    fn of(format: Format) -> Self {
        let (depth, strings, sheets, cells, held, text) = Default::default();
        let (is_streamed, begun, sheet) = (false, false, Sheet::default());
        Self { format, depth, is_streamed, begun, strings, sheets, sheet, cells, held, text }
    }
}

/// One part of XML while it is read.
struct Part {
    format: Format,
    depth: usize,
    /// The sheets of an xlsx are read cell by cell.
    is_streamed: bool,
    begun: bool,
    strings: u64,
    sheets: usize,
    sheet: Sheet,
    /// Cells of the sheets before.
    cells: u64,
    /// Bytes of the texts of cells, as often as they are repeated.
    held: u64,
    /// Bytes of the text of an xlsx's open cell.
    text: u64,
}

/// One sheet of an ods.
#[derive(Default)]
struct Sheet {
    rows: u64,
    /// Rows without content since the last with some.
    empty_rows: u64,
    width: u64,
    row: Option<Line>,
    cell: Option<Text>,
}

/// A row that is open.
struct Line {
    depth: usize,
    repeated: u64,
    width: u64,
    empty: u64,
    text: u64,
}

/// A cell that is open.
struct Text {
    repeated: u64,
    is_empty: bool,
    bytes: u64,
    depth: usize,
}

impl Part {
    fn check<R: Read>(mut self, part: &mut Counted<R>) -> Result<(), IntakeError> {
        let damaged = || IntakeError::from(WorkbookProblem::Damaged);
        let understood = Rc::clone(&part.understood);
        let mut reader = Reader::from_reader(BufReader::with_capacity(CHUNK, part));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = false;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).map_err(|_| damaged())? {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > MAX_XML_DEPTH {
                        return Err(WorkbookLimit::Depth.into());
                    }
                    self.begin(&tag)?;
                }
                Event::End(_) => {
                    self.end()?;
                    self.depth = self.depth.checked_sub(1).ok_or_else(damaged)?;
                }
                Event::Text(text) => self.text(text.len() as u64)?,
                Event::CData(text) => self.text(text.len() as u64)?,
                Event::GeneralRef(_) => self.text(4)?, // one character
                Event::Eof if self.depth == 0 => return Ok(()),
                Event::Eof => return Err(damaged()),
                _ => {}
            }
            understood.set(reader.buffer_position());
            if !self.is_streamed && reader.buffer_position() > MAX_HELD_BYTES {
                return Err(WorkbookLimit::Held.into());
            }
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), IntakeError> {
        let name = tag.local_name();
        let name: &str = name.as_ref();
        if !self.begun {
            self.begun = true;
            self.is_streamed = self.format == Format::Xlsx && name == "worksheet";
        }
        match (self.format, name) {
            (Format::Xlsx, "sst" | "si") if self.is_streamed => Err(WorkbookProblem::Damaged.into()),
            (Format::Xlsx, "sst") => {
                let said = number(tag, "uniqueCount", 0)?;
                if said > MAX_STRINGS { Err(WorkbookLimit::Strings.into()) } else { Ok(()) }
            }
            (Format::Xlsx, "si") => {
                self.strings += 1;
                if self.strings > MAX_STRINGS { Err(WorkbookLimit::Strings.into()) } else { Ok(()) }
            }
            (Format::Xlsx, "c") => {
                self.text = 0;
                Ok(())
            }
            (Format::Ods, _) => self.begin_ods(tag),
            _ => Ok(()),
        }
    }

    fn begin_ods(&mut self, tag: &BytesStart<'_>) -> Result<(), IntakeError> {
        let name = tag.name();
        match name.as_ref() {
            "table:table" => {
                // a table in a cell is no extract
                if self.sheet.row.is_some() {
                    return Err(WorkbookProblem::Damaged.into());
                }
                self.sheets += 1;
                let before = std::mem::take(&mut self.sheet);
                self.cells += before.rows * before.width;
                if self.sheets > MAX_SHEETS { Err(WorkbookLimit::Sheets.into()) } else { Ok(()) }
            }
            "table:table-row" => {
                if self.sheet.row.is_some() {
                    return Err(WorkbookProblem::Damaged.into());
                }
                let repeated = number(tag, "table:number-rows-repeated", 1)?;
                self.sheet.row = Some(Line { depth: self.depth, repeated, width: 0, empty: 0, text: 0 });
                Ok(())
            }
            "table:table-cell" | "table:covered-table-cell" if self.sheet.cell.is_none() => {
                let repeated = number(tag, "table:number-columns-repeated", 1)?;
                let mut is_empty = true;
                for attribute in tag.attributes() {
                    let attribute = attribute.map_err(|_| WorkbookProblem::Damaged)?;
                    let key: &str = attribute.key.as_ref();
                    is_empty &=
                        !key.starts_with("office:") && !key.starts_with("calcext:") && key != "table:formula";
                }
                let bytes = tag.attributes_raw().len() as u64;
                self.sheet.cell = Some(Text { repeated, is_empty, bytes, depth: self.depth });
                Ok(())
            }
            "text:s" => {
                let blanks = number(tag, "text:c", 1)?;
                // a cell is refused beyond it, so the reader need not write them out
                if blanks > MAX_CELL_CHARS as u64 {
                    return Err(WorkbookLimit::Piece.into());
                }
                self.text(blanks)
            }
            _ => Ok(()),
        }
    }

    /// Text of a cell, which the reader puts together however many pieces it has.
    fn text(&mut self, bytes: u64) -> Result<(), IntakeError> {
        if let Some(cell) = &mut self.sheet.cell {
            cell.bytes += bytes;
        }
        self.text += if self.is_streamed { bytes } else { 0 };
        if self.text > MAX_XML_PIECE as u64 { Err(WorkbookLimit::Piece.into()) } else { Ok(()) }
    }

    /// The end of the tag at the depth that is left.
    fn end(&mut self) -> Result<(), IntakeError> {
        let sheet = &mut self.sheet;
        if let Some(cell) = sheet.cell.take_if(|cell| cell.depth == self.depth)
            && let Some(row) = &mut sheet.row
        {
            if cell.is_empty {
                row.empty = row.empty.saturating_add(cell.repeated);
                return Ok(());
            }
            row.width = row.width.saturating_add(row.empty).saturating_add(cell.repeated);
            row.empty = 0;
            if row.width > MAX_COLUMNS as u64 {
                let row_number = sheet.rows + sheet.empty_rows + 1;
                let columns = usize::try_from(row.width).unwrap_or(usize::MAX);
                return Err(Limit::Columns { row: row_number, columns }.into());
            }
            row.text = row.text.saturating_add(cell.bytes.saturating_mul(cell.repeated));
            return Ok(());
        }
        let Some(row) = sheet.row.take_if(|row| row.depth == self.depth) else { return Ok(()) };
        if row.width == 0 {
            sheet.empty_rows = sheet.empty_rows.saturating_add(row.repeated);
            return Ok(());
        }
        sheet.rows = sheet.rows.saturating_add(sheet.empty_rows).saturating_add(row.repeated);
        sheet.empty_rows = 0;
        sheet.width = sheet.width.max(row.width);
        self.held = self.held.saturating_add(row.text.saturating_mul(row.repeated));
        let cells = self.cells.saturating_add(sheet.rows.saturating_mul(sheet.width));
        if cells > MAX_HELD_CELLS {
            return Err(WorkbookLimit::Cells.into());
        }
        if self.held > MAX_HELD_BYTES {
            return Err(WorkbookLimit::Held.into());
        }
        // the reader would leave them out without a word (TRUE-3)
        if sheet.rows > SHEET_ROWS { Err(WorkbookProblem::Damaged.into()) } else { Ok(()) }
    }
}

/// A whole number of an attribute, or what it is when it is not there.
fn number(tag: &BytesStart<'_>, name: &str, usual: u64) -> Result<u64, WorkbookProblem> {
    let found = tag.try_get_attribute(name).map_err(|_| WorkbookProblem::Damaged)?;
    found.map_or(Ok(usual), |found| found.value.trim().parse().map_err(|_| WorkbookProblem::Damaged))
}
