//! The limits of an extract, each with its number. A file beyond one is refused whole.

/// Largest file, 1 GiB.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// Largest workbook, packed or not, 256 MiB.
pub const MAX_WORKBOOK_BYTES: u64 = 256 << 20;
/// Most parts of a packed workbook.
pub const MAX_PARTS: usize = 10_000;
/// Most bytes of all parts of a workbook unpacked, 2 GiB.
pub const MAX_UNPACKED_BYTES: u64 = 2 << 30;
/// Most bytes of a part that is held whole, 256 MiB; the sheets of an xlsx are not.
pub const MAX_HELD_BYTES: u64 = 256 << 20;
/// Longest tag, comment or text of a workbook's XML in bytes, and of all text of one cell, 1 MiB.
pub const MAX_XML_PIECE: usize = 1 << 20;
/// Deepest XML.
pub const MAX_XML_DEPTH: usize = 100;
/// Most texts in the shared list of an xlsx.
pub const MAX_STRINGS: u64 = 5_000_000;
/// Most cells of an xls or ods, which are held whole, empty ones between others counted.
pub const MAX_HELD_CELLS: u64 = 20_000_000;
/// Most sheets.
pub const MAX_SHEETS: usize = 1_000;
/// Most rows below the header, of every kind.
pub const MAX_ROWS: u64 = 5_000_000;
/// Most columns.
pub const MAX_COLUMNS: usize = 512;
/// Longest cell in characters (Excel's own limit is 32,767).
pub const MAX_CELL_CHARS: usize = 32 * 1024;
/// Longest line of a text file in bytes, as UTF-8.
pub const MAX_ROW_BYTES: usize = 32 << 20;
/// How many rows are searched for the header.
pub const HEADER_SEARCH_ROWS: u64 = 100;
/// How many refused and skipped rows are listed one by one; all are counted.
pub const MAX_LISTED: usize = 1_000;
/// How many different unmapped labels a column can list; all rows are counted.
pub const MAX_UNMAPPED_LABELS: usize = 10_000;

/// A limit the file breaks, with the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The file.
    #[error("filen är på {bytes} byte; högst {most} läses")]
    File {
        /// Size.
        bytes: u64,
        /// Largest of its kind.
        most: u64,
    },
    /// What a workbook unfolds to.
    #[error("arbetsboken {0}")]
    Workbook(#[from] WorkbookLimit),
    /// The number of rows.
    #[error("filen har fler än {MAX_ROWS} rader")]
    Rows,
    /// The number of columns of a row; row 0 is a query's.
    #[error("rad {row} har {columns} kolumner; högst {MAX_COLUMNS} läses")]
    Columns {
        /// Row, from 1.
        row: u64,
        /// How many it has.
        columns: usize,
    },
    /// The length of a cell.
    #[error("rad {row}, kolumn {column}: cellen har fler än {MAX_CELL_CHARS} tecken")]
    Cell {
        /// Row, from 1.
        row: u64,
        /// Column as in a spreadsheet, from A, or a query's name for it.
        column: String,
    },
    /// The length of a row.
    #[error("rad {row} är längre än {MAX_ROW_BYTES} byte")]
    Row {
        /// Row, from 1.
        row: u64,
    },
}

/// A limit of a workbook that a small file can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkbookLimit {
    /// Files inside it.
    #[error("har fler än {MAX_PARTS} delar")]
    Parts,
    /// All of them unpacked.
    #[error("är uppackad större än {MAX_UNPACKED_BYTES} byte")]
    Unpacked,
    /// A part that is held whole, with the repetitions it asks for.
    #[error("har en del som uppackad är större än {MAX_HELD_BYTES} byte")]
    Held,
    /// A tag, comment or text.
    #[error("har ett stycke på mer än {MAX_XML_PIECE} byte i ett")]
    Piece,
    /// Tags in tags.
    #[error("har märken i fler än {MAX_XML_DEPTH} nivåer")]
    Depth,
    /// Shared texts.
    #[error("har fler än {MAX_STRINGS} texter")]
    Strings,
    /// Cells, repeated ones and empty ones between others too.
    #[error("har fler än {MAX_HELD_CELLS} celler; spara den som xlsx eller csv")]
    Cells,
    /// Sheets.
    #[error("har fler än {MAX_SHEETS} blad")]
    Sheets,
}

/// A column as spreadsheets name it: 0 is A, 26 is AA.
pub fn column_name(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0); // below 26
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_in_a_spreadsheet() {
        let names: Vec<_> = [0, 25, 26, 51, 52, 701, 702].into_iter().map(column_name).collect();
        assert_eq!(names, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
