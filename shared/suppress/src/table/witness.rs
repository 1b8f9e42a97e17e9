//! Witnesses: movements of records that change nothing published.
//!
//! A *step* is a product over all dimensions of `(e_c − e_c')` or `(e_c + e_TOT)`, times an amount; each factor
//! adds nothing to its dimension's relations, so neither does the product. Where no product serves it is a list of cells
//! and their changes. A witness is a sum of steps. Products are stored by codes, so that a table of 300,000 cells keeps all
//! of its witnesses in a few tens of megabytes.

use super::Mark;
use super::shape::{MAX_DIMENSIONS, Shape};

/// A product: a finest cell, the other finest code or the total per dimension, and how much the cell changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// The finest cell from which it starts.
    pub cell: u32,
    /// Added to it; its corners change by this or the opposite.
    pub amount: i32,
    /// The other code per dimension (the total's included).
    pub other: [u16; MAX_DIMENSIONS],
}

/// One part of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A product.
    Product(Product),
    /// Cells that change, in order, each once.
    Cells(Box<[(u32, i32)]>),
}

/// A sum of steps that changes the count of one sensitive cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// The sensitive cell.
    pub cell: u32,
    /// Steps, in an order in which each leaves a possible table, or all multiples of one amount.
    pub steps: Vec<Step>,
}

impl Product {
    /// Calls `visit` with every corner and its change, the finest cell first; also those in no table.
    pub fn corners(&self, shape: &Shape, mut visit: impl FnMut(u32, i32)) {
        let mut corners = [(self.cell, self.amount); 256];
        if (0..shape.dimensions()).all(|at| shape.dimension(at).is_flat()) {
            let mut count = 1;
            for at in 0..shape.dimensions() {
                let (code, other) = (shape.code(self.cell, at), u32::from(self.other[at]));
                let offset = other.wrapping_sub(code).wrapping_mul(shape.stride(at));
                let sign = if other == shape.total_code(at) { 1 } else { -1 };
                for number in 0..count {
                    let (cell, amount) = corners[number];
                    corners[count + number] = (cell.wrapping_add(offset), sign * amount);
                }
                count *= 2;
            }
            corners[..count].iter().for_each(|(cell, amount)| visit(*cell, *amount));
            return;
        }
        let mut corners = vec![(self.cell, self.amount)];
        for at in 0..shape.dimensions() {
            let code = shape.code(self.cell, at) as u16;
            let factor = shape.dimension(at).factor(code, self.other[at]);
            let before = corners.len();
            for (other, sign) in &factor.entries()[1..] {
                let offset = u32::from(*other).wrapping_sub(u32::from(code)).wrapping_mul(shape.stride(at));
                for number in 0..before {
                    let (cell, amount) = corners[number];
                    corners.push((cell.wrapping_add(offset), i32::from(*sign) * amount));
                }
            }
        }
        corners.into_iter().for_each(|(cell, amount)| visit(cell, amount));
    }
}

impl Step {
    /// Calls `visit` with every cell and its change; cells may come more than once, and absent ones too.
    pub fn visit(&self, shape: &Shape, mut visit: impl FnMut(u32, i32)) {
        match self {
            Self::Product(product) => product.corners(shape, visit),
            Self::Cells(cells) => cells.iter().for_each(|(cell, by)| visit(*cell, *by)),
        }
    }

    /// The step so many times.
    pub fn times(&mut self, by: i32) {
        match self {
            Self::Product(product) => product.amount *= by,
            Self::Cells(cells) => cells.iter_mut().for_each(|(_, amount)| *amount *= by),
        }
    }
}

impl Witness {
    /// The change per cell, in order of cells; cells that do not change and absent ones left out.
    pub fn changes(&self, shape: &Shape, marks: &[Mark]) -> Vec<(u32, i32)> {
        let mut all = Vec::with_capacity(self.steps.len() << shape.dimensions());
        self.changes_into(shape, marks, &mut all);
        all
    }

    /// The same into a list that is kept.
    pub fn changes_into(&self, shape: &Shape, marks: &[Mark], all: &mut Vec<(u32, i32)>) {
        all.clear();
        for step in &self.steps {
            step.visit(shape, |cell, amount| {
                if marks[cell as usize] != Mark::Absent {
                    all.push((cell, amount));
                }
            });
        }
        all.sort_unstable_by_key(|(cell, _)| *cell);
        all.dedup_by(|next, last| {
            let same = next.0 == last.0;
            last.1 += if same { next.1 } else { 0 };
            same
        });
        all.retain(|(_, amount)| *amount != 0);
    }
}
