//! The form of a table: mixed-radix indices of cells, margins included.
//!
//! Each dimension has its finest codes, then groups, then the total; the last dimension changes fastest. Holds no count.

use super::dimension::Dimension;

/// Most dimensions: a product witness of flat dimensions has two cells per dimension, so 256 corners.
pub const MAX_DIMENSIONS: usize = 8;
/// Most cells, margins included: a bound on memory.
pub const MAX_CELLS: usize = 1 << 25;

/// Counts that do not make a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No dimension, or more than the engine takes.
    #[error("{found} dimensions; expected 1 to {MAX_DIMENSIONS}")]
    Dimensions {
        /// Dimensions given.
        found: usize,
    },
    /// A dimension without codes.
    #[error("dimension {dimension} has no code")]
    Empty {
        /// Dimension, from 0.
        dimension: usize,
    },
    /// A table that is too large, or more codes in a dimension than an index holds.
    #[error("more than {MAX_CELLS} cells, margins included")]
    TooLarge,
    /// A group whose parts are unknown, none or overlap.
    #[error("dimension {dimension}, group {group}: expected known codes, none of them twice")]
    Group {
        /// Dimension, from 0.
        dimension: usize,
        /// Group, from 0.
        group: usize,
    },
    /// A code in too many groups.
    #[error(
        "dimension {dimension}: a code in more than {} groups, those of unprinted differences included",
        super::dimension::MAX_DEPTH
    )]
    Depth {
        /// Dimension, from 0.
        dimension: usize,
    },
    /// Too many or too few counts.
    #[error("{found} counts; expected {expected}")]
    Counts {
        /// Counts given.
        found: usize,
        /// Finest cells of the shape.
        expected: usize,
    },
    /// A total that no `i32` holds.
    #[error("the counts add up to more than 2147483647")]
    Sum,
}

/// The codes of each dimension, and where the cells are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    dimensions: Vec<Dimension>,
    strides: Vec<u32>,
    len: u32,
    /// The unit of every code of the first dimension but its total; groups of several units have none.
    units: Vec<Option<u16>>,
}

impl Shape {
    /// The shape with so many finest codes per dimension and no groups; the first dimension is the area, each code a unit.
    ///
    /// # Errors
    /// [`ShapeError`] when there are too many or too few dimensions, codes or cells.
    pub fn new(sizes: &[usize]) -> Result<Self, ShapeError> {
        let dimensions: Result<Vec<_>, _> =
            sizes.iter().enumerate().map(|(at, size)| Dimension::flat(at, *size)).collect();
        Self::of(dimensions?)
    }

    /// The shape with these dimensions; the first is the area, each of its finest codes a unit.
    ///
    /// # Errors
    /// As [`Shape::new`].
    pub fn of(dimensions: Vec<Dimension>) -> Result<Self, ShapeError> {
        if dimensions.is_empty() || dimensions.len() > MAX_DIMENSIONS {
            return Err(ShapeError::Dimensions { found: dimensions.len() });
        }
        let mut strides = vec![0; dimensions.len()];
        let mut len = 1usize;
        for (at, dimension) in dimensions.iter().enumerate().rev() {
            strides[at] = len as u32;
            len = len
                .checked_mul(usize::from(dimension.total()) + 1)
                .filter(|len| *len <= MAX_CELLS)
                .ok_or(ShapeError::TooLarge)?;
        }
        let units: Vec<u16> = (0..dimensions[0].leaves()).collect();
        Ok(Self { dimensions, strides, len: len as u32, units: Vec::new() }.with_units(&units))
    }

    /// The same with other units: one per finest code of the first dimension, so that the sub-units of a kommun are one.
    #[must_use]
    pub fn with_units(mut self, of_leaf: &[u16]) -> Self {
        let area = &self.dimensions[0];
        self.units = (0..area.total())
            .map(|code| {
                let mut units = area.leaves_of(code).into_iter().map(|leaf| of_leaf[usize::from(leaf)]);
                let first = units.next()?;
                units.all(|unit| unit == first).then_some(first)
            })
            .collect();
        self
    }

    /// Dimensions.
    pub fn dimensions(&self) -> usize {
        self.dimensions.len()
    }

    /// A dimension.
    pub fn dimension(&self, at: usize) -> &Dimension {
        &self.dimensions[at]
    }

    /// Codes of a dimension, groups included; also the code of its total.
    pub fn total_code(&self, dimension: usize) -> u32 {
        u32::from(self.dimensions[dimension].total())
    }

    /// Steps between neighbours in a dimension.
    pub fn stride(&self, dimension: usize) -> u32 {
        self.strides[dimension]
    }

    /// Cells, margins included.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Never: a shape has at least a finest cell and its total.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The code of a cell in a dimension; [`Shape::total_code`] for a total.
    pub fn code(&self, cell: u32, dimension: usize) -> u32 {
        cell / self.strides[dimension] % (self.total_code(dimension) + 1)
    }

    /// Whether a cell is a total in a dimension.
    pub fn is_total(&self, cell: u32, dimension: usize) -> bool {
        self.code(cell, dimension) == self.total_code(dimension)
    }

    /// In how many dimensions a cell is a group or a total.
    pub fn totals(&self, cell: u32) -> usize {
        let margin = |at: &usize| self.code(cell, *at) >= u32::from(self.dimensions[*at].leaves());
        (0..self.dimensions()).filter(margin).count()
    }

    /// The unit of a code of the first dimension; none for a total over units.
    pub fn unit(&self, code: u32) -> Option<u16> {
        self.units.get(code as usize).copied().flatten()
    }

    /// The unit of a cell.
    pub fn unit_of(&self, cell: u32) -> Option<u16> {
        self.unit(self.code(cell, 0))
    }

    /// Finest cells.
    pub fn finest(&self) -> usize {
        self.dimensions.iter().map(|dimension| usize::from(dimension.leaves())).product()
    }

    /// What is added, wrapping, to a cell's index to get from one code of a dimension to another.
    pub fn dimension_offset(&self, from: u16, to: u16, dimension: usize) -> u32 {
        u32::from(to).wrapping_sub(u32::from(from)).wrapping_mul(self.strides[dimension])
    }

    /// The cell with another code in a dimension.
    pub fn with_code(&self, cell: u32, dimension: usize, code: u16) -> u32 {
        let own = self.code(cell, dimension) as u16;
        cell.wrapping_add(self.dimension_offset(own, code, dimension))
    }

    /// The relations that have a cell as their total: per dimension and relation the parts' cells.
    pub fn relations_under(&self, cell: u32) -> impl Iterator<Item = impl Iterator<Item = u32> + '_> + '_ {
        (0..self.dimensions()).flat_map(move |at| {
            let code = self.code(cell, at);
            let under =
                self.dimensions[at].relations().iter().filter(move |known| u32::from(known.total) == code);
            under.map(move |known| known.parts.iter().map(move |part| self.with_code(cell, at, *part)))
        })
    }
}
