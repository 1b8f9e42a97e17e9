//! Integer models solved by a floating-point solver and verified exactly.
//!
//! The solver proposes; nothing it says is believed until whole numbers satisfy every row in integer
//! arithmetic. An answer of *infeasible* is only ever used to withhold more. Work is bounded by a node limit,
//! not by a clock.

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOptions};

/// Most branch-and-bound nodes of one model.
const MAX_NODES: u64 = 200;

/// How a row is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Equal to the number.
    Exactly(i64),
    /// At least the number.
    AtLeast(i64),
}

/// A linear model over whole numbers ≥ 0, cheapest point wanted.
#[derive(Debug, Clone, Default)]
pub struct Model {
    cost: Vec<f64>,
    upper: Vec<Option<i64>>,
    rows: Vec<(Vec<(usize, i64)>, Bound)>,
}

/// What became of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A point that satisfies every row exactly.
    Point(Vec<i64>),
    /// No point was found: none exists, or the budget was used up.
    None,
}

impl Model {
    /// Adds an unknown with its cost per unit and its largest value.
    pub fn unknown(&mut self, cost: f64, upper: Option<i64>) -> usize {
        self.cost.push(cost);
        self.upper.push(upper);
        self.cost.len() - 1
    }

    /// Adds a row.
    pub fn row(&mut self, terms: Vec<(usize, i64)>, bound: Bound) {
        self.rows.push((terms, bound));
    }

    /// A cheapest point; of the continuous model if its vertex is whole, else by branch and bound.
    pub fn solve(&self) -> Answer {
        match self.attempt(false) {
            Ok(Some(point)) => Answer::Point(point),
            Err(Error::Infeasible) => Answer::None,
            Ok(None) | Err(_) => match self.attempt(true) {
                Ok(Some(point)) => Answer::Point(point),
                Ok(None) | Err(_) => Answer::None,
            },
        }
    }

    fn attempt(&self, whole: bool) -> Result<Option<Vec<i64>>, Error> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let variables: Vec<_> = self
            .cost
            .iter()
            .zip(&self.upper)
            .map(|(cost, upper)| match (whole, upper) {
                (true, upper) => {
                    let most = upper.and_then(|upper| i32::try_from(upper).ok()).unwrap_or(i32::MAX);
                    problem.add_integer_var(*cost, (0, most))
                }
                (false, upper) => {
                    problem.add_var(*cost, (0.0, upper.map_or(f64::INFINITY, |upper| upper as f64)))
                }
            })
            .collect();
        for (terms, bound) in &self.rows {
            let terms: Vec<_> = terms.iter().map(|(at, factor)| (variables[*at], *factor as f64)).collect();
            match bound {
                Bound::Exactly(value) => problem.add_constraint(&terms[..], ComparisonOp::Eq, *value as f64),
                Bound::AtLeast(value) => problem.add_constraint(&terms[..], ComparisonOp::Ge, *value as f64),
            }
        }
        let outcome = if whole {
            let mut options = SolveOptions::default();
            options.node_limit = Some(MAX_NODES);
            problem.solve_with(options)?
        } else {
            problem.solve()?
        };
        let Some(solution) = outcome.solution() else {
            return Ok(None);
        };
        let point: Vec<i64> =
            variables.iter().map(|variable| solution.var_value(*variable).round() as i64).collect();
        Ok(self.holds(&point).then_some(point))
    }

    /// Whether whole numbers satisfy every row and bound, in integer arithmetic.
    fn holds(&self, point: &[i64]) -> bool {
        let inside = point
            .iter()
            .zip(&self.upper)
            .all(|(value, upper)| *value >= 0 && upper.is_none_or(|upper| *value <= upper));
        inside
            && self.rows.iter().all(|(terms, bound)| {
                let sum = terms.iter().try_fold(0i64, |sum, (at, factor)| {
                    point[*at].checked_mul(*factor).and_then(|term| sum.checked_add(term))
                });
                match bound {
                    Bound::Exactly(value) => sum == Some(*value),
                    Bound::AtLeast(value) => sum.is_some_and(|sum| sum >= *value),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fractional_vertex_is_not_believed() {
        // Three pairs that each sum to 3: only 1.5 each, no whole point.
        let mut model = Model::default();
        let unknowns: Vec<_> = (0..3).map(|_| model.unknown(1.0, None)).collect();
        for (one, two) in [(0, 1), (1, 2), (0, 2)] {
            model.row(vec![(unknowns[one], 1), (unknowns[two], 1)], Bound::Exactly(3));
        }
        assert_eq!(model.solve(), Answer::None);
    }

    #[test]
    fn the_cheapest_whole_point_is_found() {
        let mut model = Model::default();
        let (dear, cheap) = (model.unknown(3.0, None), model.unknown(1.0, Some(2)));
        model.row(vec![(dear, 1), (cheap, 1)], Bound::AtLeast(5));
        assert_eq!(model.solve(), Answer::Point(vec![3, 2]));
    }

    #[test]
    fn a_point_outside_a_row_does_not_hold() {
        let mut model = Model::default();
        let one = model.unknown(0.0, Some(4));
        model.row(vec![(one, 1)], Bound::AtLeast(2));
        assert!(model.holds(&[3]) && !model.holds(&[1]) && !model.holds(&[5]) && !model.holds(&[-1]));
    }
}
