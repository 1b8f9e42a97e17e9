//! Witnesses: movements of records that change nothing published.
//!
//! A *step* is a product over all dimensions of `(e_c − e_c')` or `(e_c + e_TOT)`, times an amount; each factor
//! adds nothing to its dimension's relation, so neither does the product. A witness is a sum of steps. Stored by
//! codes, so that a table of 300,000 cells keeps all of its witnesses in a few tens of megabytes.

use super::shape::{MAX_DIMENSIONS, Shape};

/// One product: a cell, the other code per dimension, and how much the cell changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The cell at whose corner the product starts.
    pub cell: u32,
    /// Added to the cell; its corners change by this or the opposite.
    pub amount: i32,
    /// The other code per dimension (that of the total included).
    pub other: [u16; MAX_DIMENSIONS],
}

/// A sum of steps that changes the count of one small cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// The small cell.
    pub cell: u32,
    /// Steps, in an order in which each leaves a possible table, or all multiples of one amount.
    pub steps: Vec<Step>,
}

impl Step {
    /// Calls `visit` with every corner and its change, the cell itself first.
    pub fn corners(&self, shape: &Shape, mut visit: impl FnMut(u32, i32)) {
        let dimensions = shape.dimensions();
        let (mut offset, mut flips) = ([0u32; MAX_DIMENSIONS], [false; MAX_DIMENSIONS]);
        for at in 0..dimensions {
            let (code, other) = (shape.code(self.cell, at), u32::from(self.other[at]));
            let total = shape.total_code(at);
            offset[at] = other.wrapping_sub(code).wrapping_mul(shape.stride(at));
            flips[at] = (code == total) == (other == total);
        }
        for mask in 0..1u32 << dimensions {
            let (mut cell, mut amount) = (self.cell, self.amount);
            for at in (0..dimensions).filter(|at| mask >> at & 1 == 1) {
                cell = cell.wrapping_add(offset[at]);
                amount = if flips[at] { -amount } else { amount };
            }
            visit(cell, amount);
        }
    }
}

impl Witness {
    /// The change per cell, in order of cells, cells that do not change left out.
    pub fn changes(&self, shape: &Shape) -> Vec<(u32, i32)> {
        let mut all = Vec::with_capacity(self.steps.len() << shape.dimensions());
        self.steps.iter().for_each(|step| step.corners(shape, |cell, amount| all.push((cell, amount))));
        all.sort_unstable_by_key(|(cell, _)| *cell);
        let mut merged: Vec<(u32, i32)> = Vec::with_capacity(all.len());
        for (cell, amount) in all {
            match merged.last_mut() {
                Some(last) if last.0 == cell => last.1 += amount,
                _ => merged.push((cell, amount)),
            }
        }
        merged.retain(|(_, amount)| *amount != 0);
        merged
    }

    /// Units other than the cell's own whose cells may change, sorted.
    pub fn units(&self, shape: &Shape) -> Vec<u16> {
        let (total, own) = (shape.total_code(0), shape.code(self.cell, 0));
        let mut units: Vec<u16> = self
            .steps
            .iter()
            .flat_map(|step| [shape.code(step.cell, 0) as u16, step.other[0]])
            .filter(|unit| u32::from(*unit) != total && u32::from(*unit) != own)
            .collect();
        units.sort_unstable();
        units.dedup();
        units
    }
}
