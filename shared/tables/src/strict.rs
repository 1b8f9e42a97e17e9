//! The strict table file: the form in which tables travel between tools and tests.
//!
//! CSV with comma, UTF-8 without byte order mark, LF. Columns `omrade`, the table's dimensions, `tid`,
//! `matt`, `varde`, `status`. Filter variables that are no dimension stand as constant columns after the
//! dimensions, in codebook order: the code when the filter lets exactly one through, else `TOT` (the sum over
//! what it lets through). Codes only; texts are in the codebook.
//!
//! Every combination is present, zeros included. Per measure the rows are areas × periods × codes; the codes
//! may be totalled in some sets of dimensions and not in others (a table's margins), and within one such set
//! every combination of the codes that occur stands. What a collection asks for beyond that, this module does
//! not know: a code, a period or an area that is missing from the file altogether is for the maker of the
//! file to see.
//!
//! Invariants: [`StrictTable::to_csv`] writes nothing that [`StrictTable::from_csv`] refuses, and reading
//! what was written gives the same table. `Debug` and errors show no figure and no status (STAY-1).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::codebook::TOT;
use crate::period::Period;
use crate::unit::Omrade;

/// Longest strict file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most dimension columns, constant ones included.
pub const MAX_COLUMNS: usize = 32;
/// Row number of the first row of data: the header is row 1.
const FIRST_ROW: usize = 2;
const TAIL: [&str; 4] = ["tid", "matt", "varde", "status"];

/// A strict file that cannot be read or a table that cannot be written as one. Names file, row and column;
/// never what stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// Not the encoding or the line ends of the form.
    #[error("{file}, row {row}: {found}; expected {expected}")]
    Encoding {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// What is there.
        found: &'static str,
        /// What should be.
        expected: &'static str,
    },
    /// The header is not that of a strict file.
    #[error("{file}, row 1, column {column}: expected {expected}")]
    Header {
        /// File.
        file: String,
        /// Column, from 1.
        column: usize,
        /// What should be.
        expected: String,
    },
    /// A row with more or fewer fields than the header.
    #[error("{file}, row {row}: {found} fields; expected {expected} as in the header")]
    Fields {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A field that is not of the form.
    #[error("{file}, row {row}, column {column}: expected {expected}")]
    Field {
        /// File.
        file: String,
        /// Row, the header being 1.
        row: usize,
        /// Name of the column.
        column: String,
        /// What should be.
        expected: &'static str,
    },
    /// Two rows about the same thing.
    #[error("{file}, row {row}: the same omrade, codes, tid and matt as row {first}; expected each once")]
    Duplicate {
        /// File.
        file: String,
        /// The later row.
        row: usize,
        /// The earlier row.
        first: usize,
    },
    /// A combination that is not there.
    #[error("{file}: no row for {key}; expected every combination, zeros included")]
    Missing {
        /// File.
        file: String,
        /// Area, codes, period and measure.
        key: String,
    },
}

/// Why a row has no value, or that it has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There is a value; the column is empty.
    Value,
    /// `x`: withheld. Readers never learn whether primary or secondary.
    Withheld,
    /// `..`: not delivered.
    NotDelivered,
    /// `.`: cannot occur, such as a change from 0.
    CannotOccur,
}

impl Status {
    /// What stands in the `status` column.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Value => "",
            Self::Withheld => "x",
            Self::NotDelivered => "..",
            Self::CannotOccur => ".",
        }
    }

    fn from_mark(mark: &str) -> Option<Self> {
        [Self::Value, Self::Withheld, Self::NotDelivered, Self::CannotOccur]
            .into_iter()
            .find(|s| s.mark() == mark)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Status(_)")
    }
}

/// One row.
#[derive(Clone, PartialEq, Eq)]
pub struct StrictRow {
    /// Area.
    pub omrade: Omrade,
    /// A code or [`TOT`] for every dimension column.
    pub codes: Vec<String>,
    /// Period.
    pub tid: Period,
    /// Measure: `aktualiseringar`, `personer`, `bortfall`, `procent_rad`, `procent_kolumn`,
    /// `forandring_<period>`.
    pub matt: String,
    /// Counts, whole percent or whole percent of change. `None` exactly when `status` is not
    /// [`Status::Value`].
    pub varde: Option<i64>,
    /// Status.
    pub status: Status,
}

impl fmt::Debug for StrictRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StrictRow({})", self.key())
    }
}

impl StrictRow {
    fn key(&self) -> String {
        let codes: String = self.codes.iter().map(|code| format!("{code},")).collect();
        format!("{},{codes}{},{}", self.omrade, self.tid, self.matt)
    }

    /// Bit `i` set: dimension `i` is `TOT`.
    fn margin(&self) -> u32 {
        self.codes.iter().enumerate().fold(0, |mask, (at, code)| mask | u32::from(code == TOT) << at)
    }
}

/// Which codes and measures a file may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Those of the product: codes of `a–z`, `0–9` and `_`, and the measures of [`StrictRow::matt`].
    Own,
    /// Also codes with capitals, `-`, `.` and `:`, and measures of any name, which are counts.
    Any,
}

impl Vocabulary {
    fn is_code(self, code: &str) -> bool {
        let others = |b: u8| b.is_ascii_uppercase() || matches!(b, b'-' | b'.' | b':');
        match self {
            Self::Own => is_identifier(code),
            Self::Any => !code.is_empty() && code.bytes().all(|b| is_identifier_byte(b) || others(b)),
        }
    }

    fn codes(self) -> &'static str {
        match self {
            Self::Own => "a code (a–z, 0–9 and _) or TOT",
            Self::Any => "a code (letters a–z, digits, _, -, . and :) or TOT",
        }
    }

    fn least_value(self, matt: &str) -> Option<i64> {
        let count = (self == Self::Any && self.is_code(matt)).then_some(0);
        least_value(matt).or(count)
    }
}

/// A table in the strict form.
#[derive(Clone, PartialEq, Eq)]
pub struct StrictTable {
    /// Names of the columns between `omrade` and `tid`.
    pub dimensions: Vec<String>,
    /// Rows in the order of the file.
    pub rows: Vec<StrictRow>,
}

impl fmt::Debug for StrictTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StrictTable({:?}, {} rows)", self.dimensions, self.rows.len())
    }
}

impl StrictTable {
    /// The file's text. `file` names it in errors.
    ///
    /// # Errors
    /// [`StrictError`] when the table breaks a rule of the form; nothing is written that would not be read.
    pub fn to_csv(&self, file: &str) -> Result<String, StrictError> {
        check_header(file, &self.header())?;
        self.rows
            .iter()
            .enumerate()
            .try_for_each(|(at, row)| self.check_row(file, at + FIRST_ROW, row, Vocabulary::Own))?;
        self.check_complete(file)?;
        let mut text = self.header().join(",");
        text.push('\n');
        for row in &self.rows {
            let value = row.varde.map(|value| value.to_string()).unwrap_or_default();
            text.push_str(&format!("{},{value},{}\n", row.key(), row.status.mark()));
        }
        Ok(text)
    }

    /// Reads and checks a file's bytes; `file` names it in errors. Rows may stand in any order and fields in
    /// quotes.
    ///
    /// # Errors
    /// [`StrictError`] names file, row and column, and what was expected.
    pub fn from_csv(file: &str, bytes: &[u8]) -> Result<Self, StrictError> {
        Self::read(file, bytes, Vocabulary::Own)
    }

    /// As [`StrictTable::from_csv`], of tables that others made.
    ///
    /// # Errors
    /// [`StrictError`] names file, row and column, and what was expected.
    pub fn read(file: &str, bytes: &[u8], vocabulary: Vocabulary) -> Result<Self, StrictError> {
        let text = check_encoding(file, bytes)?;
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut header = Vec::<String>::new();
        let mut table = Self { dimensions: Vec::new(), rows: Vec::new() };
        for (at, record) in reader.records().enumerate() {
            let row = at + 1;
            let record =
                record.map_err(|_| encoding(file, row, "broken quotes", "fields without line ends"))?;
            if at == 0 {
                header = record.iter().map(str::to_string).collect();
                table.dimensions = check_header(file, &header)?;
                continue;
            }
            if record.len() != header.len() {
                let (found, expected) = (record.len(), header.len());
                return Err(StrictError::Fields { file: file.into(), row, found, expected });
            }
            let fields: Vec<&str> = record.iter().collect();
            let parsed = parse_row(&fields).map_err(|(column, expected)| StrictError::Field {
                file: file.into(),
                row,
                column: header[column].clone(),
                expected,
            })?;
            table.check_row(file, row, &parsed, vocabulary)?;
            table.rows.push(parsed);
        }
        check_header(file, &header)?;
        table.check_complete(file)?;
        Ok(table)
    }

    fn header(&self) -> Vec<String> {
        let dimensions = self.dimensions.iter().map(String::as_str);
        std::iter::once("omrade").chain(dimensions).chain(TAIL).map(str::to_string).collect()
    }

    fn check_row(
        &self,
        file: &str,
        row: usize,
        content: &StrictRow,
        vocabulary: Vocabulary,
    ) -> Result<(), StrictError> {
        let (found, expected) = (content.codes.len(), self.dimensions.len());
        if found != expected {
            return Err(StrictError::Fields { file: file.into(), row, found, expected });
        }
        let refuse = |column: &str, expected| {
            Err(StrictError::Field { file: file.into(), row, column: column.into(), expected })
        };
        if let Some(at) = content.codes.iter().position(|code| code != TOT && !vocabulary.is_code(code)) {
            return refuse(&self.dimensions[at], vocabulary.codes());
        }
        let Some(least) = vocabulary.least_value(&content.matt) else {
            return refuse("matt", "a known measure");
        };
        match (content.varde, content.status) {
            (Some(_), Status::Value) if content.varde < Some(least) => {
                refuse("varde", "a value that the measure can take (0 or more; a change -100 or more)")
            }
            (Some(_), Status::Value)
            | (None, Status::Withheld | Status::NotDelivered | Status::CannotOccur) => Ok(()),
            (Some(_), _) => refuse("status", "no status, since there is a value"),
            (None, Status::Value) => refuse("varde", "a value, or a status that says why there is none"),
        }
    }

    fn check_complete(&self, file: &str) -> Result<(), StrictError> {
        let mut first = HashMap::new();
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(first) = first.insert((&row.omrade, &row.codes, row.tid, &row.matt), at) {
                let (row, first) = (at + FIRST_ROW, first + FIRST_ROW);
                return Err(StrictError::Duplicate { file: file.into(), row, first });
            }
        }
        let mut measures = BTreeMap::<&str, Vec<&StrictRow>>::new();
        self.rows.iter().for_each(|row| measures.entry(&row.matt).or_default().push(row));
        match measures.values().find_map(|rows| first_missing(rows)) {
            Some(row) => Err(StrictError::Missing { file: file.into(), key: row.key() }),
            None => Ok(()),
        }
    }
}

/// The first combination that rows of one measure lack. Ends within one step more than there are rows, since
/// every step before the last finds a row of its own.
fn first_missing(rows: &[&StrictRow]) -> Option<StrictRow> {
    let areas: BTreeSet<_> = rows.iter().map(|row| &row.omrade).collect();
    let periods: BTreeSet<_> = rows.iter().map(|row| row.tid).collect();
    let width = rows.first()?.codes.len();
    let mut codes = vec![BTreeSet::new(); width];
    for row in rows {
        row.codes.iter().enumerate().filter(|(_, code)| *code != TOT).for_each(|(at, code)| {
            codes[at].insert(code.as_str());
        });
    }
    let margins: BTreeSet<u32> = rows.iter().map(|row| row.margin()).collect();
    let present: BTreeSet<_> = rows.iter().map(|row| (&row.omrade, row.tid, &row.codes)).collect();
    for margin in margins {
        let columns: Vec<Vec<&str>> = (0..width)
            .map(|at| if margin >> at & 1 == 1 { vec![TOT] } else { codes[at].iter().copied().collect() })
            .collect();
        let mut at = vec![0; width];
        loop {
            let combination: Vec<String> =
                at.iter().zip(&columns).map(|(at, column)| column[*at].into()).collect();
            for (area, period) in
                areas.iter().flat_map(|area| periods.iter().map(move |period| (*area, *period)))
            {
                if !present.contains(&(area, period, &combination)) {
                    let like = rows.first()?;
                    return Some(StrictRow {
                        omrade: area.clone(),
                        codes: combination,
                        tid: period,
                        ..(*like).clone()
                    });
                }
            }
            if !step(&mut at, &columns) {
                break;
            }
        }
    }
    None
}

/// Counts one up, last place first; `false` after the last combination.
fn step(at: &mut [usize], columns: &[Vec<&str>]) -> bool {
    for (place, column) in at.iter_mut().zip(columns).rev() {
        *place += 1;
        if *place < column.len() {
            return true;
        }
        *place = 0;
    }
    false
}

fn encoding(file: &str, row: usize, found: &'static str, expected: &'static str) -> StrictError {
    StrictError::Encoding { file: file.into(), row, found, expected }
}

fn check_encoding<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, StrictError> {
    let row_of = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    if bytes.len() > MAX_BYTES {
        return Err(encoding(file, 1, "a file that is too long", "at most 64 MiB"));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(encoding(file, 1, "a byte order mark", "UTF-8 without one"));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == b'\r') {
        return Err(encoding(file, row_of(at), "a carriage return", "lines that end in LF"));
    }
    if !bytes.ends_with(b"\n") {
        return Err(encoding(file, row_of(bytes.len()), "no line end", "LF after the last line"));
    }
    // the csv reader skips empty lines, and a skipped line would shift every row number after it
    if bytes.starts_with(b"\n") || bytes.windows(2).any(|pair| pair == b"\n\n") {
        let at = bytes.windows(2).position(|pair| pair == b"\n\n").map_or(0, |at| at + 1);
        return Err(encoding(file, row_of(at), "an empty line", "a row"));
    }
    std::str::from_utf8(bytes)
        .map_err(|error| encoding(file, row_of(error.valid_up_to()), "bytes that are not UTF-8", "UTF-8"))
}

/// The dimension columns of a header.
fn check_header(file: &str, header: &[String]) -> Result<Vec<String>, StrictError> {
    let refuse = |column: usize, expected: String| {
        Err(StrictError::Header { file: file.into(), column: column + 1, expected })
    };
    if header.first().is_none_or(|name| name != "omrade") {
        return refuse(0, "omrade".into());
    }
    let Some(end) = header.len().checked_sub(TAIL.len()).filter(|end| *end >= 1) else {
        return refuse(header.len(), TAIL.join(", "));
    };
    if let Some(at) = (0..TAIL.len()).find(|at| header[end + at] != TAIL[*at]) {
        return refuse(end + at, TAIL[at].into());
    }
    if end - 1 > MAX_COLUMNS {
        return refuse(MAX_COLUMNS + 1, format!("at most {MAX_COLUMNS} dimension columns"));
    }
    for at in 1..end {
        let reserved = header[at] == "omrade" || TAIL.contains(&header[at].as_str());
        if reserved || !is_identifier(&header[at]) || header[1..at].contains(&header[at]) {
            return refuse(at, "a dimension (a–z, 0–9 and _), each once".into());
        }
    }
    Ok(header[1..end].to_vec())
}

/// A row of as many fields as the header; errors are column index and what was expected.
fn parse_row(fields: &[&str]) -> Result<StrictRow, (usize, &'static str)> {
    // infallible: the header has omrade and TAIL at least, and the row as many fields
    let tid = fields.len() - TAIL.len();
    let omrade = fields[0].parse().map_err(|_| (0, "a kommun, sub-unit, county, group (G:) or 00"))?;
    let period = fields[tid].parse().map_err(|_| (tid, "a period (2024, 2024H1, 2024K3 or 2024M07)"))?;
    let varde = match fields[tid + 2] {
        "" => None,
        text => Some(whole(text).ok_or((tid + 2, "a whole number, or nothing"))?),
    };
    let status = Status::from_mark(fields[tid + 3]).ok_or((tid + 3, "x, .., . or nothing"))?;
    let codes = fields[1..tid].iter().map(|code| (*code).to_string()).collect();
    Ok(StrictRow { omrade, codes, tid: period, matt: fields[tid + 1].into(), varde, status })
}

/// A whole number in its one spelling: no plus, no leading zeros, no `-0`.
fn whole(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|value| value.to_string() == text)
}

/// The least value of a measure; `None` for no measure of the form.
fn least_value(matt: &str) -> Option<i64> {
    match matt {
        "aktualiseringar" | "personer" | "bortfall" | "procent_rad" | "procent_kolumn" => Some(0),
        _ => matt.strip_prefix("forandring_")?.parse::<Period>().ok().map(|_| -100),
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_identifier_byte)
}

fn is_identifier_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "omrade,kon,tid,matt,varde,status\n\
        2180,man,2024,aktualiseringar,5,\n2180,TOT,2024,aktualiseringar,,x\n\
        21,man,2024,aktualiseringar,7,\n21,TOT,2024,aktualiseringar,,..\n\
        21,TOT,2024,bortfall,0,\n21,TOT,2024,forandring_2023,-7,\n";

    fn read(text: &str) -> Result<StrictTable, StrictError> {
        StrictTable::from_csv("T01.csv", text.as_bytes())
    }

    #[test]
    fn a_file_is_read_and_written_again_byte_for_byte() {
        let table = read(GOOD).unwrap();
        assert_eq!((table.dimensions.len(), table.rows.len()), (1, 6));
        assert_eq!(table.to_csv("T01.csv").unwrap(), GOOD);
    }

    #[test]
    fn quoted_fields_are_read_as_other_tools_write_them() {
        let quoted = GOOD.replace("2180", "\"2180\"").replace("omrade", "\"omrade\"");
        assert_eq!(read(&quoted).unwrap(), read(GOOD).unwrap());
    }

    #[test]
    fn every_error_names_file_row_column_and_what_was_expected() {
        for (from, to, expected) in [
            ("7,\n", "7,?\n", "T01.csv, row 4, column status: expected x, .., . or nothing"),
            ("7,\n", "7,x\n", "T01.csv, row 4, column status: expected no status, since there is a value"),
            (",,x", ",,", "T01.csv, row 3, column varde: expected a value, or a status"),
            (",7,\n", ",07,\n", "T01.csv, row 4, column varde: expected a whole number"),
            (",7,\n", ",7.0,\n", "row 4, column varde: expected a whole number"),
            (",7,\n", ",-7,\n", "row 4, column varde: expected a value that the measure can take"),
            (",-7,\n", ",-101,\n", "row 7, column varde: expected a value that the measure can take"),
            ("21,man", "21x,man", "T01.csv, row 4, column omrade: expected a kommun"),
            ("21,man", "21,Man", "T01.csv, row 4, column kon: expected a code"),
            ("21,man,2024", "21,man,24", "T01.csv, row 4, column tid: expected a period"),
            ("21,man,2024,a", "21,man,2024,b", "T01.csv, row 4, column matt: expected a known measure"),
            ("forandring_2023", "forandring_x", "row 7, column matt: expected a known measure"),
            ("7,\n", "7\n", "T01.csv, row 4: 5 fields; expected 6"),
            ("21,man", "21,TOT", "T01.csv, row 5: the same omrade, codes, tid and matt as row 4"),
            ("21,man,2024,aktualiseringar,7,\n", "", "no row for 21,man,2024,aktualiseringar;"),
            ("omrade", "\u{feff}omrade", "T01.csv, row 1: a byte order mark; expected UTF-8 without one"),
            ("7,\n", "7,\r\n", "T01.csv, row 4: a carriage return; expected lines that end in LF"),
            ("7,\n", "7,\n\n", "T01.csv, row 5: an empty line"),
            ("omrade,kon", "kommun,kon", "T01.csv, row 1, column 1: expected omrade"),
            ("kon,tid", "kon,ar", "T01.csv, row 1, column 3: expected tid"),
            ("kon,tid", "Kön,tid", "T01.csv, row 1, column 2: expected a dimension"),
            ("kon,tid", "tid,tid", "T01.csv, row 1, column 2: expected a dimension"),
            (",status", "", "T01.csv, row 1, column 2: expected tid"),
            (
                "omrade,kon,tid,matt,varde,status",
                "omrade",
                "row 1, column 2: expected tid, matt, varde, status",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = read(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to:?}: {error}");
        }
    }

    #[test]
    fn tables_of_others_may_use_other_words() {
        let text = "omrade,alder,tid,matt,varde,status\n2180,A-1.x,2024,antal,5,\n2180,TOT,2024,antal,,x\n";
        let refused = StrictTable::from_csv("t.csv", text.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("row 2, column alder"), "{refused}");
        let read = |text: &str| StrictTable::read("t.csv", text.as_bytes(), Vocabulary::Any);
        assert_eq!(read(text).unwrap().rows.len(), 2);
        let refused = read(&text.replace("A-1.x", "A 1")).unwrap_err().to_string();
        assert!(refused.contains("digits, _, -, . and :"), "{refused}");
        assert!(read(&text.replace(",5,", ",-5,")).is_err());
    }

    #[test]
    fn a_file_that_is_empty_cut_off_or_not_utf8_is_refused() {
        let message = |bytes: &[u8]| StrictTable::from_csv("T01.csv", bytes).unwrap_err().to_string();
        assert!(message(b"").contains("row 1: no line end"));
        assert!(message(GOOD.trim_end().as_bytes()).contains("row 7: no line end"));
        assert!(message(b"\n").contains("row 1: an empty line"));
        assert!(message(b"omrade,\xe5,tid,matt,varde,status\n").contains("row 1: bytes that are not UTF-8"));
    }

    #[test]
    fn margins_may_be_some_but_not_half() {
        let table = |rows: &[&str]| {
            let line = |codes: &&str| format!("21,{codes},2024,aktualiseringar,4,\n");
            read(&format!("omrade,a,b,tid,matt,varde,status\n{}", rows.iter().map(line).collect::<String>()))
        };
        assert!(table(&["x,u", "x,v", "y,u", "y,v", "TOT,u", "TOT,v"]).is_ok());
        let error = table(&["x,u", "x,v", "y,u", "y,v", "TOT,u"]).unwrap_err().to_string();
        assert!(error.contains("21,TOT,v,2024"), "{error}");
        let error = table(&["x,u", "x,v", "y,v", "TOT,TOT"]).unwrap_err().to_string();
        assert!(error.contains("21,y,u,2024"), "{error}");
    }

    #[test]
    fn a_table_that_breaks_the_form_is_not_written() {
        let good = read(GOOD).unwrap();
        let break_with = |change: fn(&mut StrictTable)| {
            let mut table = good.clone();
            change(&mut table);
            table.to_csv("T01.csv").is_err()
        };
        assert!(break_with(|table| table.rows[0].status = Status::Withheld));
        assert!(break_with(|table| table.rows[0].varde = None));
        assert!(break_with(|table| table.rows[0].codes.clear()));
        assert!(break_with(|table| table.rows[0].codes[0] = "a,b".into()));
        assert!(break_with(|table| table.dimensions[0] = "tid".into()));
        assert!(break_with(|table| drop(table.rows.remove(0))));
    }

    #[test]
    fn debug_shows_no_figure_and_no_status() {
        let mut table = read(GOOD).unwrap();
        table.rows[0].varde = Some(98_765);
        let text = format!("{table:?} {:?} {:?}", table.rows, Status::Withheld);
        assert!(!text.contains("98765") && !text.contains("Withheld"), "{text}");
    }

    fn any_table() -> impl Strategy<Value = StrictTable> {
        let cell = (0..4u8, 0..1_000_000i64).prop_map(|(status, value)| match status {
            0 => (None, Status::Withheld),
            1 => (None, Status::NotDelivered),
            2 => (None, Status::CannotOccur),
            _ => (Some(value), Status::Value),
        });
        let sizes = (1..4usize, 1..3usize, 0..3usize, 1..3usize);
        (sizes, prop::collection::vec(cell, 256)).prop_map(|((areas, periods, dims, codes), cells)| {
            let mut combinations = vec![Vec::new()];
            for _ in 0..dims {
                let extend = |head: Vec<String>| {
                    let names = (0..codes).map(|code| format!("k{code}")).chain(["TOT".into()]);
                    names.map(move |code| [head.clone(), vec![code]].concat()).collect::<Vec<_>>()
                };
                combinations = combinations.into_iter().flat_map(extend).collect();
            }
            let mut rows = Vec::new();
            for area in 0..areas {
                for codes in &combinations {
                    for period in 0..periods {
                        let (varde, status) = cells[rows.len() % cells.len()];
                        rows.push(StrictRow {
                            omrade: format!("21{:02}", area + 1).parse().unwrap(),
                            codes: codes.clone(),
                            tid: format!("{}", 2020 + period).parse().unwrap(),
                            matt: "aktualiseringar".into(),
                            varde,
                            status,
                        });
                    }
                }
            }
            StrictTable { dimensions: (0..dims).map(|at| format!("d{at}")).collect(), rows }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_the_same(table in any_table()) {
            let text = table.to_csv("t").unwrap();
            prop_assert_eq!(StrictTable::from_csv("t", text.as_bytes()).unwrap(), table);
        }

        #[test]
        fn a_row_less_is_noticed_unless_a_whole_area_period_or_code_is_gone(
            table in any_table(),
            at in 0..1000usize,
        ) {
            let mut table = table;
            let gone = table.rows.remove(at % table.rows.len());
            let alone = !table.rows.iter().any(|row| row.omrade == gone.omrade)
                || !table.rows.iter().any(|row| row.tid == gone.tid)
                || !table.rows.iter().any(|row| row.margin() == gone.margin())
                || (0..gone.codes.len()).any(|d| !table.rows.iter().any(|row| row.codes[d] == gone.codes[d]));
            prop_assert!(alone || table.to_csv("t").is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = StrictTable::from_csv("t", &bytes);
            let headed = [b"omrade,a,tid,matt,varde,status\n".as_slice(), &bytes, b"\n"].concat();
            let _ = StrictTable::from_csv("t", &headed);
        }
    }
}
