//! The exact check of a protection, from values and marks alone, with none of the code that made it.
//!
//! Checks every witness as integers: it leaves every published cell and every relation alone, every withheld cell
//! stays ≥ 1, and together the witnesses of a small cell reach every attainable value (SAFE-1) and, for every other
//! unit, a second value without any cell of that unit (SAFE-2). Recomputes margins and ranges itself. Proves what
//! it is shown; it does not search, so it cannot say that a table without witnesses is unsafe.

use std::collections::BTreeSet;

use super::shape::Shape;
use super::witness::Witness;
use super::{Mark, Options, Protected};

/// What is wrong with a protection. Names cells by index, no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// A total is not the sum of its parts.
    #[error("cell {0} is not the sum of its parts")]
    Sum(u32),
    /// A mark does not agree with the count: a small cell published, or a zero withheld.
    #[error("the mark of cell {0} does not agree with its count")]
    MarkOf(u32),
    /// A witness changes something published, breaks a relation, or makes a withheld cell less than 1.
    #[error("the witness of cell {0} does not hold")]
    Witness(u32),
    /// An attainable value that no witness reaches.
    #[error("SAFE-1: a value of cell {0} is not shown to be possible")]
    Range(u32),
    /// A unit for which no witness shows a second value.
    #[error("SAFE-2: cell {0} may be known to an insider")]
    Insider(u32),
}

/// Checks a protection.
///
/// # Errors
/// The first thing found wrong.
pub fn check(protected: &Protected, options: &Options) -> Result<(), Unproven> {
    let min_count = options.min_count.get() as i32;
    let (shape, values) = (&protected.shape, &protected.values);
    let support = Support::new(shape, values)?;
    marks(protected, min_count)?;
    let mut witnesses = protected.witnesses.iter().peekable();
    for cell in 0..shape.len() {
        if protected.marks[cell as usize] != Mark::Primary {
            continue;
        }
        let mut reached = Reached::default();
        while let Some(witness) = witnesses.next_if(|witness| witness.cell == cell) {
            reached.add(protected, witness)?;
        }
        let least = support.least(shape, values, cell);
        let all = (least..min_count).all(|v| v == values[cell as usize] || reached.values.contains(&v));
        if !all {
            return Err(Unproven::Range(cell));
        }
        let sole = shape.is_total(cell, 0) && support.parts(shape, values, cell, 0) < 2;
        if options.insider && !sole && reached.common().is_none_or(|units| !units.is_empty()) {
            return Err(Unproven::Insider(cell));
        }
    }
    match witnesses.next() {
        Some(witness) => Err(Unproven::Witness(witness.cell)),
        None => Ok(()),
    }
}

fn marks(protected: &Protected, min_count: i32) -> Result<(), Unproven> {
    for (at, (value, mark)) in protected.values.iter().zip(&protected.marks).enumerate() {
        let fits = match mark {
            Mark::Zero => *value == 0,
            Mark::Primary => (1..min_count).contains(value),
            Mark::Published | Mark::Secondary => *value >= min_count,
        };
        if !fits {
            return Err(Unproven::MarkOf(at as u32));
        }
    }
    Ok(())
}

/// How many finest cells under each cell are not zero.
struct Support(Vec<u32>);

impl Support {
    /// Counts, and checks on the way that every total is the sum of its parts in every dimension.
    fn new(shape: &Shape, values: &[i32]) -> Result<Self, Unproven> {
        let mut support: Vec<u32> = values.iter().map(|value| u32::from(*value > 0)).collect();
        for dimension in 0..shape.dimensions() {
            for cell in (0..shape.len()).filter(|cell| shape.is_total(*cell, dimension)) {
                let parts = || (1..=shape.total_code(dimension)).map(|n| cell - n * shape.stride(dimension));
                let sum: i64 = parts().map(|part| i64::from(values[part as usize])).sum();
                if sum != i64::from(values[cell as usize]) {
                    return Err(Unproven::Sum(cell));
                }
                support[cell as usize] = parts().map(|part| support[part as usize]).sum();
            }
        }
        Ok(Self(support))
    }

    fn parts(&self, shape: &Shape, values: &[i32], cell: u32, dimension: usize) -> i32 {
        let parts = (1..=shape.total_code(dimension)).map(|n| cell - n * shape.stride(dimension));
        parts.filter(|part| values[*part as usize] != 0).count() as i32
    }

    fn least(&self, shape: &Shape, values: &[i32], cell: u32) -> i32 {
        (0..shape.dimensions())
            .filter(|at| shape.is_total(cell, *at))
            .map(|at| self.parts(shape, values, cell, at))
            .fold(self.0[cell as usize] as i32, i32::max)
    }
}

/// What the witnesses of one cell show.
#[derive(Default)]
struct Reached {
    values: BTreeSet<i32>,
    units: Vec<BTreeSet<u32>>,
}

impl Reached {
    fn add(&mut self, protected: &Protected, witness: &Witness) -> Result<(), Unproven> {
        let (shape, cell) = (&protected.shape, witness.cell);
        let value = protected.values[cell as usize];
        let own = shape.code(cell, 0);
        for count in 1..=witness.steps.len() {
            let part = Witness { cell, steps: witness.steps[..count].to_vec() };
            let change = part.changes(shape);
            let Some(total) = change.iter().find(|(at, _)| *at == cell).map(|(_, by)| *by) else {
                continue;
            };
            if holds(protected, &change).is_none() {
                if count == witness.steps.len() {
                    return Err(Unproven::Witness(cell));
                }
                continue;
            }
            self.values.insert(value + total);
            // A movement in equal shares: every share less is between two possible tables, so possible.
            if change.iter().all(|(_, by)| by % total == 0) {
                let between = (1..total.abs()).map(|by| value + by * total.signum());
                self.values.extend(between);
            }
            let units = change.iter().map(|(at, _)| shape.code(*at, 0));
            self.units.push(units.filter(|unit| *unit != own && *unit != shape.total_code(0)).collect());
        }
        Ok(())
    }

    /// Units that take part in every witness; `None` without a witness.
    fn common(&self) -> Option<BTreeSet<u32>> {
        let mut sets = self.units.iter();
        let first = sets.next()?.clone();
        Some(sets.fold(first, |common, set| common.intersection(set).copied().collect()))
    }
}

/// Whether a change keeps to withheld cells, keeps them ≥ 1 and adds nothing to any relation.
fn holds(protected: &Protected, change: &[(u32, i32)]) -> Option<()> {
    let shape = &protected.shape;
    let fits = change.iter().all(|(cell, by)| {
        let at = *cell as usize;
        protected.marks[at].withheld() && protected.values[at] + by >= 1
    });
    let even = (0..shape.dimensions()).all(|dimension| {
        let mut lines: Vec<(u32, i32)> = change
            .iter()
            .map(|(cell, by)| {
                let code = shape.code(*cell, dimension);
                let sign = if code == shape.total_code(dimension) { -1 } else { 1 };
                (cell - code * shape.stride(dimension), sign * by)
            })
            .collect();
        lines.sort_unstable_by_key(|(line, _)| *line);
        lines.chunk_by(|a, b| a.0 == b.0).all(|line| line.iter().map(|(_, by)| by).sum::<i32>() == 0)
    });
    (fits && even).then_some(())
}
