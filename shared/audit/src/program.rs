//! Integer programs by microlp, whose answers are never taken at their word.
//!
//! A claimed point is rounded and checked in exact integers by the caller. A claimed *infeasible* counts only when an
//! elastic program (rows may be broken at a price) proves that the least total breach is over [`MARGIN`]: integer
//! rows over integer points are broken by at least one, so a margin this far from both 0 and 1 is no rounding error.
//! Anything else is *unknown*, which no caller may read as safe.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolutionStatus, SolveOptions, Variable};

use crate::rows::{Domain, Row};

/// Least breach that is believed.
const MARGIN: f64 = 0.5;
/// Bounds of integer variables handed to the solver.
const FAR: i128 = 1 << 30;

/// What the solver claims.
pub(crate) enum Claim {
    /// A point, rounded; one value for each of the variables asked for. To be verified.
    Point(Vec<i128>),
    /// No point, by a margin.
    Nothing,
    /// No answer within the budget.
    Unknown,
}

/// A program over some variables of a domain.
pub(crate) struct Program<'a> {
    /// The variables, ascending.
    pub(crate) variables: &'a [u32],
    /// Rows over those variables and fixed ones.
    pub(crate) rows: &'a [&'a Row],
    /// Bounds; all other variables of the rows are fixed in it.
    pub(crate) domain: &'a Domain,
}

/// A row with its fixed variables moved to the sides.
struct Reduced {
    terms: Vec<(usize, f64)>,
    lo: Option<i128>,
    hi: Option<i128>,
}

impl Program<'_> {
    /// Number of coefficients the solver would see.
    pub(crate) fn size(&self) -> usize {
        self.rows.iter().map(|row| row.terms.len()).sum()
    }

    /// Asks the solver, with a limit on branch-and-bound nodes.
    pub(crate) fn solve(&self, nodes: u64) -> Claim {
        let reduced: Vec<Reduced> = self.rows.iter().map(|row| self.reduce(row)).collect();
        match self.attempt(&reduced, nodes, false) {
            Ok(Some((point, _, _))) => Claim::Point(point),
            Ok(None) => Claim::Unknown,
            Err(microlp::Error::Infeasible) => match self.attempt(&reduced, nodes, true) {
                Ok(Some((_, breach, true))) if breach > MARGIN => Claim::Nothing,
                _ => Claim::Unknown,
            },
            Err(_) => Claim::Unknown,
        }
    }

    fn reduce(&self, row: &Row) -> Reduced {
        let mut constant = 0i128;
        let mut terms = Vec::new();
        for (variable, factor) in &row.terms {
            match self.variables.binary_search(variable) {
                Ok(at) => terms.push((at, *factor as f64)), // factors are small integers
                Err(_) => constant += self.domain.lower[*variable as usize] * i128::from(*factor),
            }
        }
        Reduced { terms, lo: row.lo.map(|lo| lo - constant), hi: row.hi.map(|hi| hi - constant) }
    }

    fn attempt(
        &self,
        rows: &[Reduced],
        nodes: u64,
        elastic: bool,
    ) -> Result<Option<(Vec<i128>, f64, bool)>, microlp::Error> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables: Vec<Variable> = self
            .variables
            .iter()
            .map(|variable| {
                let lower = self.domain.lower[*variable as usize].clamp(-FAR, FAR);
                let upper = self.domain.upper[*variable as usize].unwrap_or(FAR).clamp(-FAR, FAR);
                problem.add_integer_var(0.0, (lower as i32, upper as i32)) // clamped to 30 bits
            })
            .collect();
        for row in rows.iter().filter(|row| !row.terms.is_empty()) {
            let base: Vec<(Variable, f64)> =
                row.terms.iter().map(|(at, factor)| (variables[*at], *factor)).collect();
            let sides = match (row.lo, row.hi) {
                (Some(lo), Some(hi)) if lo == hi => vec![(ComparisonOp::Eq, lo)],
                (lo, hi) => {
                    let lo = lo.map(|lo| (ComparisonOp::Ge, lo));
                    lo.into_iter().chain(hi.map(|hi| (ComparisonOp::Le, hi))).collect()
                }
            };
            for (comparison, value) in sides {
                let mut terms = base.clone();
                if elastic {
                    terms.push((problem.add_var(1.0, (0.0, f64::INFINITY)), 1.0));
                    terms.push((problem.add_var(1.0, (0.0, f64::INFINITY)), -1.0));
                }
                problem.add_constraint(terms.as_slice(), comparison, value as f64);
            }
        }
        let mut options = SolveOptions::default();
        options.node_limit = Some(nodes);
        let outcome = problem.solve_with(options)?;
        let Some(solution) = outcome.solution() else {
            return Ok(None);
        };
        let point = variables.iter().map(|variable| solution.var_value(*variable).round() as i128).collect();
        Ok(Some((point, solution.objective(), solution.status() == SolutionStatus::Optimal)))
    }
}
