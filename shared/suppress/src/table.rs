//! Known-values protection of one plain table: every finest cell known, every margin published.
//!
//! A table has dimensions, the first of which is the area (`omrade`), and one total per dimension. Cells
//! `1..min_count` are withheld, at the finest level and in margins; this module withholds more cells until
//!
//! * **SAFE-1**: for every small cell and every attainable value of `1..min_count` there is an integer table that
//!   agrees with everything published, has every withheld cell ≥ 1 and gives the cell that value;
//! * **SAFE-2** (asked for with [`Options::insider`]): the same down to two values, with the cells of any one
//!   other unit fixed at their true values.
//!
//! Every answer carries its proof: a *witness* per small cell, a sum of products over the dimensions of
//! `(e_c − e_c')` or `(e_c + e_TOT)`. [`proof`] checks them again exactly, from the values alone.
//!
//! Does not read or write files, does not certify (that is the audit's), knows no hierarchy and no linked table.
//! Invariants: deterministic (no clock, seeds are constants); always ends with a safe table, at worst by
//! withholding more; a published zero stays published; memory is flat (mixed-radix indices). `Debug` and errors
//! print no count.

mod board;
mod construct;
mod improve;
mod linear;
mod pool;
pub mod proof;
mod search;
mod shape;
mod target;
#[cfg(test)]
mod tests;
mod witness;

use std::fmt;

pub use shape::{Shape, ShapeError};
pub use witness::{Step, Witness};

use board::Board;
use tables::count::MinCount;

/// How much work is put into withholding little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// One construction, pruned, and a short search.
    #[default]
    Fast,
    /// A long search for fewer cells; deterministic, so the same table gives the same answer.
    High,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Counts in `1..min_count` are small.
    pub min_count: MinCount,
    /// Also SAFE-2.
    pub insider: bool,
    /// How long to search.
    pub effort: Effort,
}

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// Published.
    Published,
    /// Zero, and published.
    Zero,
    /// Small, and withheld.
    Primary,
    /// Withheld so that small cells stay safe.
    Secondary,
}

impl Mark {
    /// Whether the reader sees `x`.
    pub fn withheld(self) -> bool {
        matches!(self, Self::Primary | Self::Secondary)
    }
}

/// What a protection amounts to: numbers of cells, no cell's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Cells, margins included.
    pub cells: usize,
    /// Small cells.
    pub small: usize,
    /// Secondary cells.
    pub secondary: usize,
    /// Secondary cells at the finest level.
    pub secondary_finest: usize,
    /// Small cells for which a value at or above the promise's floor cannot occur whatever is withheld.
    pub unattainable: usize,
    /// Small totals over units that one unit makes up alone: SAFE-2 cannot hold for it, and is not about it.
    pub sole: usize,
    /// Whether even the grand total had to be withheld.
    pub grand_total: bool,
    /// Corner checks done: the deterministic measure of work.
    pub work: u64,
}

/// A protected table with its proof.
pub struct Protected {
    /// The table's form.
    pub shape: Shape,
    /// Every cell's true count, margins included, by cell index.
    pub values: Vec<i32>,
    /// Every cell's mark, by cell index.
    pub marks: Vec<Mark>,
    /// The witnesses, in the order of their small cells.
    pub witnesses: Vec<Witness>,
    /// Numbers for a report.
    pub summary: Summary,
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protected({} cells)", self.values.len())
    }
}

/// Protects a table of known values. `finest` are the counts of the finest cells, last dimension fastest;
/// `shape` says how many codes each dimension has.
///
/// # Errors
/// [`ShapeError`] when the counts do not fit the shape or add up to more than an `i32` holds.
pub fn protect(shape: Shape, finest: &[u32], options: &Options) -> Result<Protected, ShapeError> {
    let values = shape.with_margins(finest)?;
    let mut board = Board::new(shape, values, options);
    construct::construct(&mut board);
    improve::improve(&mut board, options.effort);
    Ok(board.finish())
}
