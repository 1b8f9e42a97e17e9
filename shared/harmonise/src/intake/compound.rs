//! Checks an xls before the spreadsheet reader sees it.
//!
//! The reader reserves memory for whatever row, column or chain a damaged file names, and a failed reservation ends
//! the process, which no caller can catch. So the container (\[MS-CFB\]) is walked here with bounds, and every record
//! (\[MS-XLS\] 2.1.4) that names a cell must lie inside the 65,536 rows and 256 columns of the format. Reads no
//! content of a cell. Tells an encrypted xlsx, which has the same container, from an xls.
//!
//! Invariant: every loop is bounded by the length of the file.

use super::error::{IntakeError, WorkbookProblem};
use super::limits::{MAX_HELD_CELLS, MAX_SHEETS, WorkbookLimit};

const END_OF_CHAIN: u32 = 0xffff_fffe;
/// Ids from here on are marks, not sectors.
const RESERVED: u32 = 0xffff_fffa;
const COLUMNS: u16 = 256;
const ROWS: u32 = 65_536;
/// Streams shorter than this lie in the mini stream.
const MINI_BELOW: usize = 4_096;
const MINI_SECTOR: usize = 64;

/// Nothing, if the spreadsheet reader may have the file.
pub(crate) fn check_xls(file: &[u8]) -> Result<(), IntakeError> {
    let damaged = WorkbookProblem::Damaged;
    let container = Container::open(file).ok_or(damaged)?;
    let entries = container.entries().ok_or(damaged)?;
    let find = |name: &str| entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
    if find("EncryptedPackage").is_some() {
        return Err(WorkbookProblem::Password.into());
    }
    let root = entries.first().ok_or(damaged)?;
    let book = find("Workbook").or_else(|| find("Book")).ok_or(damaged)?;
    let stream = container.stream(book, root).ok_or(damaged)?;
    check_sheets(&stream)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn ids(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).filter_map(|chunk| u32_at(chunk, 0))
}

struct Entry {
    name: String,
    start: u32,
    length: usize,
}

/// A compound file: sectors and the chains they form.
struct Container<'f> {
    file: &'f [u8],
    sector: usize,
    next: Vec<u32>,
}

impl<'f> Container<'f> {
    fn open(file: &'f [u8]) -> Option<Self> {
        let sector = match u16_at(file, 30)? {
            9 => 512,
            12 => 4_096,
            _ => return None,
        };
        let mut open = Self { file, sector, next: Vec::new() };
        let mut tables: Vec<u32> = ids(file.get(76..512)?).collect();
        let mut more = u32_at(file, 68)?;
        let mut steps = 0;
        while more < RESERVED {
            steps += 1;
            if steps > open.most() {
                return None;
            }
            tables.extend(ids(open.sector(more)?));
            more = tables.pop()?;
        }
        let tables = tables.into_iter().filter(|id| *id < RESERVED);
        // each sector of the file has one entry; a table named twice would only repeat them
        for id in tables.take(open.most()) {
            let table = open.sector(id)?;
            open.next.extend(ids(table));
        }
        Some(open)
    }

    /// More sectors than the file can have.
    fn most(&self) -> usize {
        self.file.len() / self.sector + 1
    }

    /// A sector; the last one may be cut short.
    fn sector(&self, id: u32) -> Option<&'f [u8]> {
        let start = (id as usize).checked_add(1)?.checked_mul(self.sector)?;
        let end = start.checked_add(self.sector)?.min(self.file.len());
        self.file.get(start..end)
    }

    /// The bytes of a chain up to `length`; nothing if it runs in a circle or out of the file.
    fn chain(&self, start: u32, length: usize) -> Option<Vec<u8>> {
        let (mut id, mut bytes, mut steps) = (start, Vec::new(), 0);
        while id != END_OF_CHAIN && bytes.len() < length {
            steps += 1;
            if steps > self.most() {
                return None;
            }
            bytes.extend_from_slice(self.sector(id)?);
            id = *self.next.get(id as usize)?;
        }
        bytes.truncate(length);
        Some(bytes)
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        let directory = self.chain(u32_at(self.file, 48)?, usize::MAX)?;
        let entry = |chunk: &[u8]| {
            let units = chunk.get(..64)?.chunks_exact(2).filter_map(|unit| u16_at(unit, 0));
            let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
            let length = usize::try_from(u32_at(chunk, 120)?).ok()?;
            // files of 512-byte sectors leave the upper half undefined; longer streams than 4 GiB are no extract
            let upper = if self.sector == 512 { 0 } else { u32_at(chunk, 124)? };
            let start = u32_at(chunk, 116)?;
            (upper == 0).then(|| Entry { name: String::from_utf16_lossy(&name), start, length })
        };
        directory.chunks_exact(128).map(entry).collect()
    }

    fn stream(&self, entry: &Entry, root: &Entry) -> Option<Vec<u8>> {
        if entry.length >= MINI_BELOW {
            return self.chain(entry.start, entry.length);
        }
        let tables = usize::try_from(u32_at(self.file, 64)?).ok()?;
        let next = self.chain(u32_at(self.file, 60)?, tables.checked_mul(self.sector)?)?;
        let next: Vec<u32> = ids(&next).collect();
        let mini = self.chain(root.start, root.length)?;
        let (mut id, mut bytes, mut steps) = (entry.start, Vec::new(), 0);
        while id != END_OF_CHAIN && bytes.len() < entry.length {
            steps += 1;
            if steps > mini.len() / MINI_SECTOR + 1 {
                return None;
            }
            let start = (id as usize).checked_mul(MINI_SECTOR)?;
            bytes.extend_from_slice(mini.get(start..(start + MINI_SECTOR).min(mini.len()))?);
            id = *next.get(id as usize)?;
        }
        bytes.truncate(entry.length);
        Some(bytes)
    }
}

/// Records of a stream: type and content, until the stream ends or breaks.
fn records(mut stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, length) = (u16_at(stream, 0)?, usize::from(u16_at(stream, 2)?));
        let content = stream.get(4..4 + length)?;
        stream = &stream[4 + length..];
        Some((kind, content))
    })
}

const BOUND_SHEET: u16 = 0x0085;
const BEGIN: u16 = 0x0809;
const END: u16 = 0x000a;

fn check_sheets(stream: &[u8]) -> Result<(), IntakeError> {
    let mut starts: Vec<usize> = records(stream)
        .filter(|(kind, _)| *kind == BOUND_SHEET)
        .filter_map(|(_, content)| Some(u32_at(content, 0)? as usize))
        .collect();
    // sheets do not share records; the same start twice would be walked twice
    starts.sort_unstable();
    starts.dedup();
    if starts.len() > MAX_SHEETS {
        return Err(WorkbookLimit::Sheets.into());
    }
    let mut cells = 0;
    for start in starts {
        let held = stream.get(start..).and_then(held_cells).ok_or(WorkbookProblem::Damaged)?;
        cells += held;
        if cells > MAX_HELD_CELLS {
            return Err(WorkbookLimit::Cells.into());
        }
    }
    Ok(())
}

/// How many cells the reader will hold of a sheet: two in its corners make it hold all between. Nothing if a record
/// names a place outside the format.
fn held_cells(sheet: &[u8]) -> Option<u64> {
    let mut depth = 0_u32;
    // first and last row, first and last column
    let mut corners: Option<[u16; 4]> = None;
    for (kind, content) in records(sheet) {
        match kind {
            BEGIN => depth += 1,
            END if depth <= 1 => break,
            END => depth -= 1,
            _ => {}
        }
        if record_is_sound(kind, content) == Some(false) {
            return None;
        }
        if let Some([row, first, last]) = place(kind, content) {
            let [top, bottom, left, right] = corners.unwrap_or([row, row, first, last]);
            corners = Some([top.min(row), bottom.max(row), left.min(first), right.max(last)]);
        }
    }
    let span = |from: u16, to: u16| u64::from(to.saturating_sub(from)) + 1;
    Some(corners.map_or(0, |[top, bottom, left, right]| span(top, bottom) * span(left, right)))
}

/// Row, first and last column of a record that names a cell.
fn place(kind: u16, content: &[u8]) -> Option<[u16; 3]> {
    let (row, first) = (u16_at(content, 0)?, u16_at(content, 2)?);
    match kind {
        0x0203 | 0x0204 | 0x00d6 | 0x0205 | 0x027e | 0x00fd | 0x0006 => Some([row, first, first]),
        0x00bd => Some([row, first, u16_at(content, content.len().checked_sub(2)?)?]),
        _ => None,
    }
}

/// Nothing for a record too short to judge, which the reader refuses without reserving anything.
fn record_is_sound(kind: u16, content: &[u8]) -> Option<bool> {
    match kind {
        // Dimensions
        0x0200 => {
            let (first, after, columns) = if content.len() == 10 {
                (u16_at(content, 0)?.into(), u16_at(content, 2)?.into(), u16_at(content, 6)?)
            } else {
                (u32_at(content, 0)?, u32_at(content, 4)?, u16_at(content, 10)?)
            };
            Some(columns <= COLUMNS && after <= ROWS && (after == 0 || columns == 0 || first < after))
        }
        // Number, Label, RString, BoolErr, Rk, LabelSst, Formula
        0x0203 | 0x0204 | 0x00d6 | 0x0205 | 0x027e | 0x00fd | 0x0006 => Some(u16_at(content, 2)? < COLUMNS),
        // MulRk: first and last column
        0x00bd => {
            let last = u16_at(content, content.len().checked_sub(2)?)?;
            Some(u16_at(content, 2)? <= last && last < COLUMNS)
        }
        _ => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTRACT: &[u8] = include_bytes!("../../testdata/extract.xls");

    fn changed(at: usize, value: &[u8]) -> Result<(), IntakeError> {
        let mut file = EXTRACT.to_vec();
        file[at..at + value.len()].copy_from_slice(value);
        check_xls(&file)
    }

    #[test]
    fn a_sound_xls_passes() {
        assert_eq!(check_xls(EXTRACT), Ok(()));
    }

    #[test]
    fn places_that_made_the_reader_reserve_hundreds_of_gigabytes_are_refused() {
        // found by changing every byte of the file in turn
        assert_eq!(changed(1753, &[63]), Err(WorkbookProblem::Damaged.into()));
        assert_eq!(changed(2066, &[0]), Err(WorkbookProblem::Damaged.into()));
    }

    #[test]
    fn a_chain_that_runs_in_a_circle_ends() {
        let directory = u32_at(EXTRACT, 48).unwrap();
        let table = u32_at(EXTRACT, 76).unwrap() as usize;
        let at = (table + 1) * 512 + directory as usize * 4;
        assert_eq!(changed(at, &directory.to_le_bytes()), Err(WorkbookProblem::Damaged.into()));
    }

    #[test]
    fn an_encrypted_workbook_is_told_from_a_damaged_one() {
        let units = |name: &str| name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let name = units("Workbook");
        let at = EXTRACT.windows(name.len()).position(|window| window == name).unwrap();
        let outcome = changed(at, &units("EncryptedPackage"));
        assert_eq!(outcome, Err(WorkbookProblem::Password.into()));
    }

    #[test]
    fn two_cells_in_the_corners_count_as_all_between() {
        let record = |kind: u16, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_le_bytes();
            [&kind.to_le_bytes()[..], &length, content].concat()
        };
        let cell = |row: u16, column: u16| {
            record(0x0203, &[&row.to_le_bytes()[..], &column.to_le_bytes(), &[0; 10]].concat())
        };
        let sheet = [record(BEGIN, &[]), cell(0, 0), cell(65_535, 255), record(END, &[])].concat();
        assert_eq!(held_cells(&sheet), Some(65_536 * 256));
        assert_eq!(held_cells(&[record(BEGIN, &[]), cell(7, 3)].concat()), Some(1));
        assert_eq!(held_cells(&[]), Some(0));
        let heads = 2 * (4 + 4);
        let starts = [heads, heads + sheet.len()].map(|at| u32::try_from(at).unwrap().to_le_bytes());
        let stream =
            [record(BOUND_SHEET, &starts[0]), record(BOUND_SHEET, &starts[1]), sheet.repeat(2)].concat();
        assert_eq!(check_sheets(&stream), Err(WorkbookLimit::Cells.into()));
    }

    #[test]
    fn cells_outside_the_format_are_refused() {
        assert_eq!(record_is_sound(0x0203, &[0, 0, 0xff, 0, 0]), Some(true));
        assert_eq!(record_is_sound(0x0203, &[0, 0, 0, 1, 0]), Some(false));
        assert_eq!(record_is_sound(0x00bd, &[0, 0, 5, 0, 4, 0]), Some(false));
        assert_eq!(record_is_sound(0x0203, &[0]), None);
    }
}
