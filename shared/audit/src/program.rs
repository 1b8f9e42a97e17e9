//! Integer programs by microlp, whose answers are never taken at their word.
//!
//! A claimed point is rounded and checked in exact integers by the caller. A claimed *infeasible* counts only when an
//! elastic program (rows may be broken at a price) proves that the least total breach is over [`MARGIN`]: integer
//! rows over integer points are broken by at least one, so a margin this far from both 0 and 1 is no rounding error.
//! Anything else is *unknown*, which no caller may read as safe.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolutionStatus, SolveOptions, Variable};

use crate::presolve::{Ends, Range, Smaller};
use crate::rows::{Domain, Row};

/// Least breach that is believed.
const MARGIN: f64 = 0.5;
/// Room under a variable that a spread point should have.
const ROOM: i128 = 3;
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
    /// Bounds that the rows do not imply, to make a large program smaller by; `None` for a small one. The rows are
    /// then all that bound the variables.
    pub(crate) loose: Option<&'a Domain>,
    /// Whether a point is wanted that has some room under most variables: others are then found beside it.
    pub(crate) spread: bool,
}

impl Program<'_> {
    /// Number of coefficients the solver would see.
    pub(crate) fn coefficients(&self) -> usize {
        self.rows.iter().map(|row| row.terms.len()).sum()
    }

    /// Asks the solver, with a limit on branch-and-bound nodes.
    pub(crate) fn solve(&self, nodes: u64) -> Claim {
        let ranges: Vec<Range> =
            self.rows.iter().map(|row| Range::of(row, self.variables, self.domain)).collect();
        let smaller = match self.loose {
            Some(loose) => Smaller::of(&ranges, &self.ends(loose)),
            None => Smaller::none(ranges, self.variables.len()),
        };
        if smaller.rows.iter().any(Range::is_false) {
            return Claim::Nothing;
        }
        match self.attempt(&smaller, nodes, false) {
            Ok(Some((point, _, _))) => Claim::Point(smaller.extend(&point, self.variables.len())),
            Ok(None) => Claim::Unknown,
            Err(microlp::Error::Infeasible) => match self.attempt(&smaller, nodes, true) {
                Ok(Some((_, breach, true))) if breach > MARGIN => Claim::Nothing,
                _ => Claim::Unknown,
            },
            Err(_) => Claim::Unknown,
        }
    }

    fn ends(&self, domain: &Domain) -> Vec<Ends> {
        let ends = |at: &u32| Ends { lower: domain.lower[*at as usize], upper: domain.upper[*at as usize] };
        self.variables.iter().map(ends).collect()
    }

    fn attempt(
        &self,
        smaller: &Smaller,
        nodes: u64,
        elastic: bool,
    ) -> Result<Option<(Vec<i128>, f64, bool)>, microlp::Error> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let bounds = self.ends(self.domain);
        let mut variables: Vec<Option<Variable>> = vec![None; bounds.len()];
        let mut above: Vec<Option<Variable>> = vec![None; bounds.len()];
        for at in &smaller.kept {
            let ends = bounds[*at as usize];
            let lower = ends.lower.clamp(-FAR, FAR);
            let upper = ends.upper.unwrap_or(FAR).clamp(-FAR, FAR);
            let at = *at as usize;
            if self.spread && !elastic {
                let middle = upper.min(lower + ROOM);
                variables[at] = Some(problem.add_integer_var(-1.0, (lower as i32, middle as i32))); // 30 bits
                above[at] = Some(problem.add_integer_var(0.0, (0, (upper - middle) as i32)));
            } else {
                variables[at] = Some(problem.add_integer_var(0.0, (lower as i32, upper as i32)));
            }
        }
        for row in smaller.rows.iter().filter(|row| !row.terms.is_empty()) {
            let base: Vec<(Variable, f64)> = row
                .terms
                .iter()
                .flat_map(|(at, factor)| {
                    let both = [variables[*at as usize], above[*at as usize]];
                    both.into_iter().flatten().map(|variable| (variable, *factor as f64)) // small integers
                })
                .collect();
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
        let value = |variable: &Option<Variable>| {
            variable.map_or(0, |variable| solution.var_value(variable).round() as i128) // at most 30 bits
        };
        let kept = smaller.kept.iter().map(|at| *at as usize);
        let point = kept.map(|at| value(&variables[at]) + value(&above[at])).collect();
        Ok(Some((point, solution.objective(), solution.status() == SolutionStatus::Optimal)))
    }
}
