//! Why a whole file is refused. A refused *row* is no error: see the report.
//!
//! STAY-1: no variant holds a cell. Readers' own errors are not passed on, because they quote the file. Texts are
//! Swedish: the person who can mend the file reads them.

use super::limits::{HEADER_SEARCH_ROWS, Limit, WorkbookLimit};

/// A file that cannot be read as an extract.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The operating system could not read it.
    #[error("filen kan inte läsas: {0}")]
    Read(std::io::ErrorKind),
    /// No kind of file this program reads.
    #[error("filen är ingen fil av de slag som läses: csv, tsv, txt, xlsx, xlsm, xls, ods{hint}")]
    UnknownKind {
        /// What it looks like instead.
        hint: &'static str,
    },
    /// Zero bytes.
    #[error("filen är tom")]
    Empty,
    /// Larger than a limit.
    #[error("{0}")]
    Limit(#[from] Limit),
    /// The bytes are no text.
    #[error("byte {byte}: {problem}")]
    NotText {
        /// Position of the first fault, from 0.
        byte: u64,
        /// What is wrong.
        problem: TextProblem,
    },
    /// The workbook cannot be opened or read.
    #[error("arbetsboken: {0}")]
    Workbook(#[from] WorkbookProblem),
    /// No row holds the columns that are needed.
    #[error(
        "ingen rubrikrad bland de första {HEADER_SEARCH_ROWS} raderna; saknas: {}{}",
        missing.join(", "), seen_text(seen)
    )]
    NoHeader {
        /// Fields and variables, with the header asked for.
        missing: Vec<String>,
        /// The headers of the row that came closest, if two or more of them are known.
        seen: Vec<String>,
    },
    /// Two columns of the file could be the same field.
    #[error("{target} kan vara kolumn {}; ange rätt rubrik under [kolumner] eller byt namn på den andra", columns.join(" eller "))]
    AmbiguousColumn {
        /// Field or variable.
        target: String,
        /// Columns as in a spreadsheet.
        columns: Vec<String>,
    },
    /// A query does not give the columns that are needed.
    #[error("frågans kolumner räcker inte; saknas: {}; den ger: {}", missing.join(", "), seen.join(", "))]
    NoColumns {
        /// Fields and variables, or columns that the mapping names.
        missing: Vec<String>,
        /// The names of the query's columns.
        seen: Vec<String>,
    },
    /// A column of a query is mapped to what is neither a field nor a variable.
    #[error(
        "kolumner.{column}: okänd variabel; väntade någon av {expected}, eller - för en kolumn som inte läses"
    )]
    UnknownVariable {
        /// Name of the column.
        column: String,
        /// The fields and variables there are.
        expected: String,
    },
    /// The codes file was checked against another codebook.
    #[error("kodfilen hör till kodboken {codes}, insamlingen till {codebook}")]
    OtherCodebook {
        /// Codebook of the codes file.
        codes: String,
        /// Codebook asked for.
        codebook: String,
    },
}

fn seen_text(seen: &[String]) -> String {
    if seen.is_empty() { String::new() } else { format!("; funna rubriker: {}", seen.join(", ")) }
}

/// Why bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextProblem {
    /// Mostly UTF-8 with faults: neither that nor Windows-1252.
    #[error("texten är till större delen UTF-8 men har felaktiga tecken")]
    MixedEncodings,
    /// A zero byte.
    #[error("filen är ingen textfil")]
    Binary,
    /// UTF-16 that ends inside a character or has half pairs.
    #[error("texten är felaktig UTF-16")]
    BrokenUtf16,
}

/// Why a workbook cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkbookProblem {
    /// Encrypted.
    #[error("den är skyddad med lösenord")]
    Password,
    /// Not a workbook, or a damaged one.
    #[error("den är skadad eller av ett annat slag än xlsx, xls och ods")]
    Damaged,
    /// A sheet whose rows are not in order.
    #[error("blad {sheet}: rad {row} står inte i ordning")]
    RowOrder {
        /// Sheet, from 1.
        sheet: usize,
        /// Row, from 1.
        row: u64,
    },
    /// More than one visible sheet is an extract.
    #[error(
        "bladen {first} och {second} har båda en rubrikrad; lämna ett blad per fil, eller ange blad = \"alla\" under [uttag]"
    )]
    SeveralSheets {
        /// Sheet, from 1.
        first: usize,
        /// Sheet, from 1.
        second: usize,
    },
}

impl From<WorkbookLimit> for IntakeError {
    fn from(limit: WorkbookLimit) -> Self {
        Self::Limit(limit.into())
    }
}

impl From<std::io::Error> for IntakeError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.kind())
    }
}
