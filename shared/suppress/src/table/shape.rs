//! The form of a table: mixed-radix indices of cells, margins included.
//!
//! Each dimension has its codes `0..n` and the total `n`; the last dimension changes fastest. Holds no count.

/// Most dimensions: a product witness has two cells per dimension, so 256 corners.
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

/// How many codes each dimension has, and where the cells are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    sizes: Vec<u32>,
    strides: Vec<u32>,
    len: u32,
}

impl Shape {
    /// The shape with so many codes per dimension (totals not counted); the first dimension is the area.
    ///
    /// # Errors
    /// [`ShapeError`] when there are too many or too few dimensions, codes or cells.
    pub fn new(sizes: &[usize]) -> Result<Self, ShapeError> {
        if sizes.is_empty() || sizes.len() > MAX_DIMENSIONS {
            return Err(ShapeError::Dimensions { found: sizes.len() });
        }
        if let Some(dimension) = sizes.iter().position(|size| *size == 0) {
            return Err(ShapeError::Empty { dimension });
        }
        let mut strides = vec![0; sizes.len()];
        let mut len = 1usize;
        for (at, size) in sizes.iter().enumerate().rev() {
            strides[at] = len as u32;
            len = size
                .checked_add(1)
                .and_then(|codes| len.checked_mul(codes))
                .filter(|len| *len <= MAX_CELLS && *size < usize::from(u16::MAX))
                .ok_or(ShapeError::TooLarge)?;
        }
        Ok(Self { sizes: sizes.iter().map(|size| *size as u32).collect(), strides, len: len as u32 })
    }

    /// Dimensions.
    pub fn dimensions(&self) -> usize {
        self.sizes.len()
    }

    /// Codes of a dimension; also the code of its total.
    pub fn total_code(&self, dimension: usize) -> u32 {
        self.sizes[dimension]
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
        cell / self.strides[dimension] % (self.sizes[dimension] + 1)
    }

    /// Whether a cell is a total in a dimension.
    pub fn is_total(&self, cell: u32, dimension: usize) -> bool {
        self.code(cell, dimension) == self.sizes[dimension]
    }

    /// In how many dimensions a cell is a total.
    pub fn totals(&self, cell: u32) -> usize {
        (0..self.dimensions()).filter(|at| self.is_total(cell, *at)).count()
    }

    /// Finest cells.
    pub fn finest(&self) -> usize {
        self.sizes.iter().map(|size| *size as usize).product()
    }

    /// The counts of all cells from those of the finest ones.
    ///
    /// # Errors
    /// [`ShapeError`] when there are too many or too few counts, or they add up to too much.
    pub fn with_margins(&self, finest: &[u32]) -> Result<Vec<i32>, ShapeError> {
        if finest.len() != self.finest() {
            let (found, expected) = (finest.len(), self.finest());
            return Err(ShapeError::Counts { found, expected });
        }
        let sum: u64 = finest.iter().map(|count| u64::from(*count)).sum();
        if sum > i32::MAX as u64 {
            return Err(ShapeError::Sum);
        }
        let mut values = vec![0i32; self.len as usize];
        let mut counts = finest.iter();
        for cell in (0..self.len).filter(|cell| self.totals(*cell) == 0) {
            if let Some(count) = counts.next() {
                values[cell as usize] = *count as i32;
            }
        }
        for dimension in 0..self.dimensions() {
            self.add_totals(&mut values, dimension);
        }
        Ok(values)
    }

    fn add_totals(&self, values: &mut [i32], dimension: usize) {
        let stride = self.strides[dimension];
        for cell in (0..self.len).filter(|cell| self.is_total(*cell, dimension)) {
            values[cell as usize] =
                (1..=self.sizes[dimension]).map(|back| values[(cell - back * stride) as usize]).sum();
        }
    }
}
