//! How much work an audit may do before it answers *not certified*.
//!
//! Budgets are counts of steps, never time, so that the same publication gets the same answer on every machine
//! (SAME-1). A caller that must stop at a wall-clock limit passes a callback; it can only abort.

/// Limits of one audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Terms visited by one bound propagation.
    pub propagation: u64,
    /// Branches of one exact search.
    pub branches: u64,
    /// Branches of the search that follows when no program settles a question either; 0 for none.
    pub last_branches: u64,
    /// Branch-and-bound nodes of one integer program.
    pub nodes: u64,
    /// Non-zero coefficients of the largest program that is handed to the solver.
    pub coefficients: usize,
    /// Range questions of the whole audit.
    pub questions: u64,
    /// Programs of a whole large block, beside the first.
    pub programs: u64,
    /// Blocks of more variables are large: they are answered from a table that is known, for a blind search would only
    /// burn its budget, and of their cells only the values that matter are settled.
    pub large: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            propagation: 20_000_000,
            branches: 400,
            last_branches: 0,
            nodes: 2_000,
            coefficients: 400_000,
            questions: 50_000,
            programs: 20,
            large: 1_000,
        }
    }
}

impl Budget {
    /// For what the usual limits leave unsettled: large blocks are asked as often as it takes, and programs may branch further.
    /// Seconds more where the usual ones were nearly enough; minutes where nothing is.
    pub fn thorough() -> Self {
        Self { nodes: 10_000, programs: 400, ..Self::default() }
    }
}
