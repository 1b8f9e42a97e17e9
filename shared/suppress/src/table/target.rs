//! What has to be shown of each small cell.
//!
//! A small cell needs up to three witnesses: one that carries it up to `min_count − 1`, one that carries it
//! down to its least attainable value (SAFE-1), and, against insiders, one more whenever a single other unit
//! takes part in all of the others (SAFE-2). Attainable is a value ≥ the number of nonzero parts in any one
//! relation; values below the number of nonzero finest parts cannot occur either, zeros being published.

use super::shape::Shape;

/// Witnesses a small cell may have.
pub const SLOTS: usize = 3;
/// Slot of the witness upwards.
pub const UP: usize = 0;
/// Slot of the witness downwards.
pub const DOWN: usize = 1;
/// Slot of the witness that is there for insiders only.
pub const INSIDER: usize = 2;

/// A small cell and how far it must be able to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The small cell.
    pub cell: u32,
    /// How far up.
    pub up: u16,
    /// How far down.
    pub down: u16,
    /// Whether SAFE-2 applies.
    pub insider: bool,
}

/// All targets, and what cannot be promised.
#[derive(Debug, Default)]
pub struct Targets {
    /// In order of cells.
    pub list: Vec<Target>,
    /// Small cells with a value that the promise counts as attainable but that cannot occur.
    pub unattainable: usize,
    /// Small totals over units that one unit makes up alone.
    pub sole: usize,
}

/// The number of nonzero parts of a cell in any one relation; 1 for a finest cell.
pub fn floor(shape: &Shape, values: &[i32], cell: u32) -> i32 {
    (0..shape.dimensions())
        .filter(|at| shape.is_total(cell, *at))
        .map(|at| nonzero_parts(shape, values, cell, at))
        .fold(1, i32::max)
}

/// The nonzero parts of a total in a dimension.
pub fn nonzero_parts(shape: &Shape, values: &[i32], cell: u32, dimension: usize) -> i32 {
    (1..=shape.total_code(dimension))
        .filter(|back| values[(cell - back * shape.stride(dimension)) as usize] > 0)
        .count() as i32
}

/// The nonzero finest parts of a cell.
fn nonzero_finest(shape: &Shape, values: &[i32], cell: u32) -> i32 {
    match (0..shape.dimensions()).find(|at| shape.is_total(cell, *at)) {
        None => i32::from(values[cell as usize] > 0),
        Some(at) => (1..=shape.total_code(at))
            .map(|back| cell - back * shape.stride(at))
            .filter(|part| values[*part as usize] > 0)
            .map(|part| nonzero_finest(shape, values, part))
            .sum(),
    }
}

/// The targets of a table.
pub fn targets(shape: &Shape, values: &[i32], min_count: i32, insider: bool) -> Targets {
    let mut found = Targets::default();
    for cell in 0..shape.len() {
        let value = values[cell as usize];
        if value == 0 || value >= min_count {
            continue;
        }
        let (promised, least) = (floor(shape, values, cell), nonzero_finest(shape, values, cell));
        found.unattainable += usize::from(least > promised);
        let sole = shape.is_total(cell, 0) && nonzero_parts(shape, values, cell, 0) < 2;
        found.sole += usize::from(sole);
        found.list.push(Target {
            cell,
            up: (min_count - 1 - value) as u16,
            down: (value - least.max(promised)) as u16,
            insider: insider && !sole,
        });
    }
    found
}
