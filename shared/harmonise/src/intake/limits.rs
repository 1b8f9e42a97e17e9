//! The limits of an extract, each with its number. A file beyond one is refused whole.

/// Largest file, 1 GiB.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
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
    #[error("filen är på {bytes} byte; högst {MAX_FILE_BYTES} läses")]
    File {
        /// Size.
        bytes: u64,
    },
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
