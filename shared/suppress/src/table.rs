//! Known-values protection of tables that stand alone: every finest cell known, margins published.
//!
//! Cells are those of one table or of several linked ones ([`System`]), with groups of codes, filters, and differences that
//! nobody prints. The first dimension is the area (`omrade`). Cells `1..min_count` are withheld, at the finest level and in
//! margins; this module withholds more cells until
//!
//! * **SAFE-1**: for every small cell and every attainable value of `1..min_count` there is an integer table that
//!   agrees with everything published, has every withheld cell ≥ 1 and gives the cell that value;
//! * **SAFE-2** (asked for with [`Options::insider`]): the same down to two values, with the cells of any one
//!   other unit fixed at their true values.
//!
//! Every answer carries its proof: a *witness* per small cell, a sum of movements that change nothing published; most are
//! products over the dimensions of `(e_c − e_c')` or `(e_c + e_TOT)`. [`proof`] checks them again exactly, from the values alone.
//!
//! Does not read or write files, does not certify (that is the audit's). Magnitudes are to come: a rule for them gives other
//! targets (how far a cell must be able to go), nothing else here knows that cells are counts of persons.
//! Invariants: deterministic (no clock, seeds are constants); ends with a safe table, at worst by withholding more, or with
//! [`ProtectError`] when rules forbid that; a published zero stays published; memory is flat (mixed-radix indices). `Debug` and
//! errors print no count.

mod ask;
mod board;
mod construct;
mod dimension;
mod improve;
mod kernel;
mod knowers;
mod linear;
mod pool;
pub mod proof;
mod search;
mod shape;
mod system;
mod target;
#[cfg(test)]
mod tests;
mod witness;

use std::fmt;

pub(crate) use search::mix;

pub use dimension::{Dimension, Relation};
pub use shape::{MAX_DIMENSIONS, Shape, ShapeError};
pub use system::{MAX_TABLES, Presence, Rule, System, SystemError, Table};
pub use witness::{Product, Step, Witness};

use crate::key::TieSecret;
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

/// Which values of a small cell must remain possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// Every attainable value in `1..min_count`: SAFE-1.
    #[default]
    Full,
    /// Any two: nobody computes it.
    Exact,
    /// Every attainable value from `low` to `high`.
    Values {
        /// Least.
        low: u16,
        /// Largest.
        high: u16,
    },
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Counts in `1..min_count` are small.
    pub min_count: MinCount,
    /// Also SAFE-2.
    pub insider: bool,
    /// How long to search.
    pub effort: Effort,
    /// What must remain possible.
    pub range: Range,
    /// Whether zeros are small too, and withheld.
    pub zeros: bool,
    /// Whether whoever is alone in a cell counts as an insider who knows that cell.
    pub singleton: bool,
    /// Dimensions in which a line must not show that everything falls in one category: then a zero of the line is withheld.
    pub groups: Vec<usize>,
    /// A secret that decides between patterns of as many cells, in place of the counts: whoever does not have it
    /// cannot rerun the choice. The same counts and key give the same pattern.
    pub secret: Option<TieSecret>,
}

impl Options {
    /// Whether a count is withheld for its size.
    pub fn is_small(&self, value: i32) -> bool {
        (1..self.min_count.get() as i32).contains(&value) || (self.zeros && value == 0)
    }

    /// What a reader knows a withheld cell to be at least; zeros withheld for [`Options::groups`] may be zero.
    pub fn least_shown(&self) -> i32 {
        i32::from(!self.zeros)
    }
}

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// Published.
    Published,
    /// Zero, and published.
    Zero,
    /// Published, and decided beforehand.
    Fixed,
    /// Sensitive, and withheld.
    Primary,
    /// Withheld so that sensitive cells stay safe.
    Secondary,
    /// In no table, but a difference of cells that are.
    Unprinted,
    /// In no table.
    Absent,
}

impl Mark {
    /// Whether the reader sees `x`.
    pub fn withheld(self) -> bool {
        matches!(self, Self::Primary | Self::Secondary)
    }

    /// Whether a movement may change it.
    pub fn moves(self) -> bool {
        self.withheld() || self == Self::Unprinted
    }
}

/// What a protection amounts to: numbers of cells, no cell's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Printed cells, margins included.
    pub cells: usize,
    /// Cells in no table that follow by a subtraction.
    pub differences: usize,
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
    /// Zeros withheld because all of a line falls in one category.
    pub alone: usize,
    /// Whether even the grand total had to be withheld.
    pub grand_total: bool,
    /// Corner checks done: the deterministic measure of work.
    pub work: u64,
}

/// A protected table with its proof.
pub struct Protected {
    /// The cells, their counts and what is printed.
    pub system: System,
    /// Every cell's mark, by cell index.
    pub marks: Vec<Mark>,
    /// The witnesses, in the order of their small cells.
    pub witnesses: Vec<Witness>,
    /// Numbers for a report.
    pub summary: Summary,
}

impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protected({} cells)", self.marks.len())
    }
}

/// Rules that leave no protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// A small cell that is to be published, or a zero that is to be withheld though zeros are published.
    #[error("a rule cannot be kept: a small cell shown, or a published zero withheld")]
    Rule {
        /// The cell.
        cell: u32,
    },
    /// SAFE-2 of areas that are groups of units whose own cells no table has: nobody knows what each unit knows.
    #[error(
        "no table has the finest areas, so insiders cannot be kept out: expected tables by unit, or no insiders"
    )]
    Areas,
    /// Sensitive cells that cannot be protected with what must be published.
    #[error("{cells} cells cannot be protected: too much must be published")]
    Unprotectable {
        /// How many.
        cells: usize,
        /// The first of them.
        first: u32,
    },
}

/// Protects a system of known values.
///
/// # Errors
/// [`ProtectError`] when rules ask for what cannot be.
pub fn protect(system: System, options: &Options) -> Result<Protected, ProtectError> {
    if options.insider && !system.has_units() {
        return Err(ProtectError::Areas);
    }
    let mut board = Board::new(system, options)?;
    construct::construct(&mut board)?;
    improve::improve(&mut board, options.effort);
    Ok(board.finish())
}
