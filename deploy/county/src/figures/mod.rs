//! The report's fourteen tables: as printed ([`printed`]), and under the one consistent reading
//! ([`expected_cells`]).
//!
//! Source: FoU Välfärd Region Gävleborg, aktualiseringar vuxna 2024; `figures/tabell-NN.csv` are the
//! uncorrected print, `figures/ERRATA.md` lists where it contradicts itself, `figures/READING.md` what is
//! read instead.
//!
//! What it does not do: it corrects nothing silently. Every departure from the print is an entry of the list
//! `OVERRIDES`, with the printed value beside it, or is T13 for 2024, which the print copies from T06.
//! Invariant: cells are in table order, then file order; no cell occurs twice.

mod definitions;
mod printed;
mod reading;

pub use definitions::{TABLES, TableDef};
pub use printed::{Measure, PrintedCell, printed};
pub use reading::{ExpectedCell, Reading, WaivedCell, expected_cells, expected_ratios, waived};

/// The code of a total.
pub const TOT: &str = "TOT";
/// The county's code.
pub const COUNTY: &str = "21";

/// Why the printed figures could not be read; always a fault of the embedded files. No variant carries a
/// label.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// A file is not well-formed CSV.
    #[error("{table}: not readable as CSV")]
    Malformed {
        /// Table id.
        table: &'static str,
    },
    /// A column has a header no table definition names.
    #[error("{table}: column {column} has an unknown header")]
    UnknownHeader {
        /// Table id.
        table: &'static str,
        /// Column, from 0.
        column: usize,
    },
    /// A label stands for no code.
    #[error("{table}, row {row}: a label stands for no code")]
    UnknownLabel {
        /// Table id.
        table: &'static str,
        /// Data row, from 1.
        row: usize,
    },
    /// A figure is not an integer in range.
    #[error("{table}, row {row}: a figure is not an integer")]
    BadNumber {
        /// Table id.
        table: &'static str,
        /// Data row, from 1.
        row: usize,
    },
    /// A cell that must be there is not.
    #[error("{table} has no cell for {year} with these codes")]
    Absent {
        /// Table id.
        table: &'static str,
        /// Year asked for.
        year: u16,
    },
    /// The reading's own arithmetic has no solution.
    #[error("{table}: the reading has no integers that fit")]
    NoIntegers {
        /// Table id.
        table: &'static str,
    },
}
