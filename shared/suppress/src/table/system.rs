//! What is to be protected: cells of one or several linked tables in one grid, and what is decided about them beforehand.
//!
//! The grid has every dimension that any table has. A table prints some codes of each dimension: all of them, a filter's
//! one, or only the total where it lacks the dimension. A cell that no table prints is *absent*, unless it follows from
//! printed ones by one subtraction (all minus the rest): then it is *unprinted*, and protected like any other. Where several
//! codes are missing together, their sum gets a group of its own, so that this too is a cell.
//!
//! Does not choose anything. Invariants: every relation whose cells are all present adds up; `Debug` shows no count.

use std::collections::BTreeMap;
use std::fmt;

use super::dimension::Dimension;
use super::shape::{Shape, ShapeError};

/// Most linked tables.
pub const MAX_TABLES: usize = 8;

/// Whether a reader sees a cell's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// In no table, and not to be had by one subtraction.
    Absent,
    /// In no table, but a difference of printed cells.
    Unprinted,
    /// In a table.
    Printed,
}

/// What was decided about a cell beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Is published, whatever that costs others; it may be published already.
    Show,
    /// Is withheld, and nobody may compute it.
    Hide,
    /// Is withheld, because it was before; plain cells among them need not be safe themselves.
    Keep,
}

/// One table of a system.
#[derive(Clone)]
pub struct Table {
    /// Codes printed per dimension: of a dimension that it lacks the total alone, of a filter the code alone.
    pub codes: Vec<Vec<u16>>,
    /// Its finest cells by their codes, each once, and their counts.
    pub counts: Vec<(Vec<u16>, u32)>,
}

/// Tables that make no system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemError {
    /// The grid cannot be made.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Too many or no tables.
    #[error("{found} tables; expected 1 to {MAX_TABLES}")]
    Tables {
        /// Tables given.
        found: usize,
    },
    /// Two tables that do not count the same records.
    #[error("table {table} gives another count than a table before it")]
    Conflict {
        /// The later table, from 0.
        table: usize,
        /// The codes of the cell that both give, per dimension.
        codes: Vec<u16>,
    },
}

/// Cells, counts, and rules.
#[derive(Clone)]
pub struct System {
    /// The grid.
    pub shape: Shape,
    /// Counts by cell; 0 where absent.
    pub values: Vec<i32>,
    /// What is printed.
    pub presence: Vec<Presence>,
    /// Cells decided beforehand.
    pub rules: BTreeMap<u32, Rule>,
    /// What withholding a cell costs in ordinary cells, where it is not 1. From 1 to 1,000.
    pub weights: BTreeMap<u32, u32>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({} cells)", self.values.len())
    }
}

impl System {
    /// One table that prints every code of every dimension; `finest` are its finest counts, last dimension fastest.
    ///
    /// # Errors
    /// [`SystemError`] when the counts do not fit the shape or add up to too much.
    pub fn complete(shape: Shape, finest: &[u32]) -> Result<Self, SystemError> {
        if finest.len() != shape.finest() {
            let (found, expected) = (finest.len(), shape.finest());
            return Err(ShapeError::Counts { found, expected }.into());
        }
        let mut at = vec![0u16; shape.dimensions()];
        let mut counts = Vec::with_capacity(finest.len());
        for count in finest {
            counts.push((at.clone(), *count));
            for dimension in (0..at.len()).rev() {
                at[dimension] += 1;
                if at[dimension] < shape.dimension(dimension).leaves() {
                    break;
                }
                at[dimension] = 0;
            }
        }
        let codes = (0..shape.dimensions()).map(|at| (0..=shape.dimension(at).total()).collect()).collect();
        let mut made = Self::empty(shape);
        made.print(0, &Table { codes, counts })?;
        Ok(made)
    }

    /// Several tables over the same records, in one grid. `units`: the unit of every finest code of the area.
    ///
    /// # Errors
    /// [`SystemError`]; two tables that give a cell different counts are not over the same records.
    pub fn link(
        mut dimensions: Vec<Dimension>,
        units: &[u16],
        tables: &[Table],
    ) -> Result<Self, SystemError> {
        if tables.is_empty() || tables.len() > MAX_TABLES {
            return Err(SystemError::Tables { found: tables.len() });
        }
        let mut tables = tables.to_vec();
        for (at, dimension) in dimensions.iter_mut().enumerate() {
            relate(at, dimension, &mut tables)?;
        }
        let mut made = Self::empty(Shape::of(dimensions)?.with_units(units));
        for (number, table) in tables.iter().enumerate() {
            made.print(number, table)?;
        }
        made.close();
        Ok(made)
    }

    /// Whether every finest area has a cell.
    pub fn has_units(&self) -> bool {
        let mut there = vec![false; usize::from(self.shape.dimension(0).leaves())];
        for (cell, presence) in self.presence.iter().enumerate() {
            let area = self.shape.code(cell as u32, 0) as usize;
            if *presence != Presence::Absent && area < there.len() {
                there[area] = true;
            }
        }
        !there.contains(&false)
    }

    fn empty(shape: Shape) -> Self {
        let cells = shape.len() as usize;
        Self {
            shape,
            values: vec![0; cells],
            presence: vec![Presence::Absent; cells],
            rules: BTreeMap::new(),
            weights: BTreeMap::new(),
        }
    }

    /// Adds up a table and prints its cells.
    fn print(&mut self, number: usize, table: &Table) -> Result<(), SystemError> {
        let shape = &self.shape;
        let dimensions = shape.dimensions();
        // Per dimension and code of a count, the offsets of the printed codes that hold it.
        let holding: Vec<BTreeMap<u16, Vec<u32>>> = (0..dimensions)
            .map(|at| {
                let mut known = BTreeMap::new();
                for (codes, _) in &table.counts {
                    known.entry(codes[at]).or_insert_with(|| holders(shape, at, &table.codes[at], codes[at]));
                }
                known
            })
            .collect();
        let mut sums: BTreeMap<u32, i64> = BTreeMap::new();
        let mut dense = vec![0i64; if table.counts.len() > 1_000 { self.values.len() } else { 0 }];
        for (codes, count) in &table.counts {
            let mut cells = vec![0u32];
            for (at, code) in codes.iter().enumerate() {
                let offsets = holding[at].get(code).map_or(&[][..], Vec::as_slice);
                cells =
                    cells.iter().flat_map(|cell| offsets.iter().map(move |offset| cell + offset)).collect();
            }
            for cell in cells {
                match dense.get_mut(cell as usize) {
                    Some(sum) => *sum += i64::from(*count),
                    None => *sums.entry(cell).or_default() += i64::from(*count),
                }
            }
        }
        let mut printed = vec![0u32];
        for (at, codes) in table.codes.iter().enumerate() {
            let offsets = || codes.iter().map(|code| u32::from(*code) * shape.stride(at));
            printed = printed.iter().flat_map(|cell| offsets().map(move |offset| cell + offset)).collect();
        }
        for cell in printed {
            let at = cell as usize;
            let sum = dense.get(at).copied().unwrap_or_else(|| sums.get(&cell).copied().unwrap_or(0));
            let sum = i32::try_from(sum).map_err(|_| ShapeError::Sum)?;
            if self.presence[at] == Presence::Printed && self.values[at] != sum {
                let codes = (0..dimensions).map(|at| self.shape.code(cell, at) as u16).collect();
                return Err(SystemError::Conflict { table: number, codes });
            }
            (self.values[at], self.presence[at]) = (sum, Presence::Printed);
        }
        Ok(())
    }

    /// Finds the cells that follow by one subtraction, until there are no more.
    fn close(&mut self) {
        while self.presence.contains(&Presence::Absent) {
            let mut found = Vec::new();
            for cell in 0..self.shape.len() {
                for parts in self.shape.relations_under(cell) {
                    found.extend(self.missing(cell, parts));
                }
            }
            if found.is_empty() {
                return;
            }
            for (cell, value) in found {
                (self.values[cell as usize], self.presence[cell as usize]) = (value, Presence::Unprinted);
            }
        }
    }

    /// The one absent cell of a relation and its count.
    fn missing(&self, total: u32, parts: impl Iterator<Item = u32>) -> Option<(u32, i32)> {
        let absent = |cell: u32| self.presence[cell as usize] == Presence::Absent;
        let mut missing = absent(total).then_some((total, 1));
        let mut rest = self.values[total as usize];
        for part in parts {
            if absent(part) {
                if missing.is_some() {
                    return None;
                }
                missing = Some((part, -1));
            }
            rest -= self.values[part as usize];
        }
        missing.map(|(cell, sign)| (cell, -sign * rest))
    }
}

/// The offsets of those codes that hold a code.
fn holders(shape: &Shape, at: usize, printed: &[u16], code: u16) -> Vec<u32> {
    let dimension = shape.dimension(at);
    let leaves = dimension.leaves_of(code);
    let holds = |other: &&u16| {
        let held = dimension.leaves_of(**other);
        leaves.iter().all(|leaf| held.binary_search(leaf).is_ok())
    };
    printed.iter().filter(holds).map(|other| u32::from(*other) * shape.stride(at)).collect()
}

/// Adds to a dimension what the codes of some tables together say of each other: a code is the sum of the codes below it, and of
/// what is left; what is left gets a code of its own.
fn relate(at: usize, dimension: &mut Dimension, tables: &mut [Table]) -> Result<(), ShapeError> {
    let total = dimension.total();
    // A code's finest codes, and those of codes below it.
    let mut known: Vec<(Vec<u16>, Vec<Vec<u16>>)> = Vec::new();
    for some in 1..1u32 << tables.len() {
        let mut codes: Vec<u16> = (0..tables.len())
            .filter(|table| some >> table & 1 == 1)
            .flat_map(|table| tables[table].codes[at].iter().copied())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let held: Vec<Vec<u16>> = codes.iter().map(|code| dimension.leaves_of(*code)).collect();
        for whole in &held {
            let below: Vec<&Vec<u16>> = held.iter().filter(|one| inside(one, whole)).collect();
            let finest = below.iter().filter(|one| !below.iter().any(|other| inside(other, one)));
            let coarsest = below.iter().filter(|one| !below.iter().any(|other| inside(one, other)));
            for parts in [disjoint(finest.copied()), disjoint(coarsest.copied())] {
                if !parts.is_empty() && !known.iter().any(|(a, b)| a == whole && *b == parts) {
                    known.push((whole.clone(), parts));
                }
            }
        }
    }
    for (whole, parts) in &mut known {
        let rest: Vec<u16> =
            whole.iter().filter(|leaf| !parts.iter().any(|part| part.contains(leaf))).copied().collect();
        if rest.is_empty() {
            continue;
        }
        if dimension.code_of(&rest).is_none() {
            dimension.add_group(at, &rest)?;
        }
        parts.push(rest);
    }
    let moved = dimension.total();
    for table in tables.iter_mut() {
        // The total's code has moved; no other has.
        table.codes[at].iter_mut().filter(|code| **code == total).for_each(|code| *code = moved);
        table
            .counts
            .iter_mut()
            .filter(|(codes, _)| codes[at] == total)
            .for_each(|(codes, _)| codes[at] = moved);
    }
    for (whole, parts) in &known {
        let codes: Option<Vec<u16>> = parts.iter().map(|part| dimension.code_of(part)).collect();
        // infallible: every one of them was a code, or was made one
        if let (Some(whole), Some(codes)) = (dimension.code_of(whole), codes) {
            dimension.add_relation(whole, &codes);
        }
    }
    // Two codes for the same records are the same cell twice, also where no table has what they are made of.
    for code in 0..=moved {
        if let Some(twin) = dimension.code_of(&dimension.leaves_of(code)).filter(|twin| *twin < code) {
            dimension.add_relation(code, &[twin]);
        }
    }
    Ok(())
}

/// Whether some finest codes are some of others, but not all.
fn inside(some: &[u16], others: &[u16]) -> bool {
    some.len() < others.len() && some.iter().all(|leaf| others.binary_search(leaf).is_ok())
}

/// Codes that share no finest code, the first of those that do.
fn disjoint<'a>(codes: impl Iterator<Item = &'a Vec<u16>>) -> Vec<Vec<u16>> {
    let mut taken: Vec<Vec<u16>> = Vec::new();
    for code in codes {
        if !taken.iter().flatten().any(|leaf| code.binary_search(leaf).is_ok()) {
            taken.push(code.clone());
        }
    }
    taken
}
