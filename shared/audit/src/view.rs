//! What one adversary knows, as integers and linear relations.
//!
//! A [`View`] is plain: non-negative integer variables, equations, inequalities, and the expressions somebody should
//! not be able to read off. It knows nothing of kommuner or tables; [`crate::adversary`] builds one from figures, and
//! any other publication (the `sdc` command) can build its own with the relation kinds below.
//!
//! Invariants: coefficients and values are `i64`, all arithmetic on them is done in `i128`; every relation names a
//! source, so that an answer can be explained. `Debug` prints sizes only: values may be small cells.

use std::fmt;

/// Index of a variable of a view.
pub type VariableIndex = usize;
/// Index of a target of a view.
pub type TargetIndex = usize;
/// Index of the origin of a relation, the builder's own numbering.
pub type SourceIndex = usize;
/// A sparse linear expression: variables with their coefficients.
pub type Terms = Vec<(VariableIndex, i64)>;

/// An unknown integer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Least value.
    pub lower: u64,
    /// Largest value, if one is known.
    pub upper: Option<u64>,
}

/// `Σ terms = value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Equation {
    /// Left side.
    pub terms: Terms,
    /// Right side.
    pub value: i64,
    /// Who says so.
    pub source: SourceIndex,
}

/// Which side of its value an inequality's expression lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `Σ terms ≥ value`.
    AtLeast,
    /// `Σ terms ≤ value`.
    AtMost,
}

/// `Σ terms ≥ value` or `Σ terms ≤ value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Bound {
    /// Left side.
    pub terms: Terms,
    /// Direction.
    pub side: Side,
    /// Right side.
    pub value: i64,
    /// Who says so.
    pub source: SourceIndex,
}

/// One adversary's knowledge.
#[derive(Clone, Default)]
pub struct View {
    /// The unknowns.
    pub variables: Vec<Variable>,
    /// Sums that are known.
    pub equations: Vec<Equation>,
    /// Totals that are no sums, rounded figures, withheld cells.
    pub bounds: Vec<Bound>,
    /// Expressions whose range is asked for.
    pub targets: Vec<Terms>,
}

impl fmt::Debug for View {
    /// Sizes only (STAY-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "View({} variables, {} equations, {} bounds, {} targets)",
            self.variables.len(),
            self.equations.len(),
            self.bounds.len(),
            self.targets.len()
        )
    }
}

impl View {
    /// Adds an unknown of at least `lower`.
    pub fn variable(&mut self, lower: u64) -> VariableIndex {
        self.variables.push(Variable { lower, upper: None });
        self.variables.len() - 1
    }

    /// Adds an expression whose range is asked for.
    pub fn target(&mut self, terms: Terms) -> TargetIndex {
        self.targets.push(terms);
        self.targets.len() - 1
    }

    /// `Σ terms = value`.
    pub fn equation(&mut self, terms: Terms, value: i64, source: SourceIndex) {
        self.equations.push(Equation { terms, value, source });
    }

    /// `Σ terms ≥ value`.
    pub fn at_least(&mut self, terms: Terms, value: i64, source: SourceIndex) {
        self.bounds.push(Bound { terms, side: Side::AtLeast, value, source });
    }

    /// `Σ terms ≤ value`.
    pub fn at_most(&mut self, terms: Terms, value: i64, source: SourceIndex) {
        self.bounds.push(Bound { terms, side: Side::AtMost, value, source });
    }

    /// The kind *Sum*: the total is the sum of its parts.
    pub fn sum(&mut self, parts: &[VariableIndex], total: VariableIndex, source: SourceIndex) {
        let mut terms: Terms = parts.iter().map(|part| (*part, 1)).collect();
        terms.push((total, -1));
        self.equation(terms, 0, source);
    }

    /// The kind *TotalOfNonAdditive*: `max(parts) ≤ total ≤ Σ parts` (distinct persons over units, several reasons
    /// of one event).
    pub fn total_of_non_additive(
        &mut self,
        parts: &[VariableIndex],
        total: VariableIndex,
        source: SourceIndex,
    ) {
        for part in parts {
            self.at_least(vec![(total, 1), (*part, -1)], 0, source);
        }
        let mut terms: Terms = parts.iter().map(|part| (*part, 1)).collect();
        terms.push((total, -1));
        self.at_least(terms, 0, source);
    }

    /// Persons are no more than events.
    pub fn no_more_than(&mut self, less: VariableIndex, more: VariableIndex, source: SourceIndex) {
        self.at_least(vec![(more, 1), (less, -1)], 0, source);
    }

    /// The kind *RoundedPercent*: `percent` is `100 · part / whole` rounded to an integer, halves away from zero, of a
    /// whole that is not 0. For non-negative counts: `percent − ½ ≤ 100 part / whole < percent + ½`, so
    /// `200 part ≥ (2 percent − 1) whole` and `200 part ≤ (2 percent + 1) whole − 1`.
    pub fn rounded_percent(
        &mut self,
        part: VariableIndex,
        whole: VariableIndex,
        percent: u32,
        source: SourceIndex,
    ) {
        let percent = i64::from(percent);
        self.at_least(vec![(part, 200), (whole, -(2 * percent - 1))], 0, source);
        self.at_most(vec![(part, 200), (whole, -(2 * percent + 1))], -1, source);
        self.at_least(vec![(whole, 1)], 1, source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(view: &View, point: &[i64]) -> bool {
        let value = |terms: &Terms| terms.iter().map(|(at, factor)| factor * point[*at]).sum::<i64>();
        view.equations.iter().all(|equation| value(&equation.terms) == equation.value)
            && view.bounds.iter().all(|bound| match bound.side {
                Side::AtLeast => value(&bound.terms) >= bound.value,
                Side::AtMost => value(&bound.terms) <= bound.value,
            })
    }

    #[test]
    fn a_rounded_percentage_admits_exactly_the_counts_that_round_to_it() {
        for percent in [0u32, 1, 33, 50, 99, 100, 150] {
            let mut view = View::default();
            let (part, whole) = (view.variable(0), view.variable(0));
            view.rounded_percent(part, whole, percent, 0);
            for whole in 1..60i64 {
                for part in 0..=2 * whole {
                    let rounded = (200 * part + whole) / (2 * whole); // halves upward: counts are not negative
                    assert_eq!(holds(&view, &[part, whole]), rounded == i64::from(percent), "{part}/{whole}");
                }
            }
        }
    }

    #[test]
    fn a_total_that_is_no_sum_lies_between_its_largest_part_and_the_sum() {
        let mut view = View::default();
        let (a, b, total) = (view.variable(0), view.variable(0), view.variable(0));
        view.total_of_non_additive(&[a, b], total, 0);
        let inside: Vec<i64> = (0..10).filter(|total| holds(&view, &[2, 3, *total])).collect();
        assert_eq!(inside, [3, 4, 5]);
    }

    #[test]
    fn debug_prints_no_value() {
        let mut view = View::default();
        let a = view.variable(0);
        view.equation(vec![(a, 1)], 7717, 0);
        assert!(!format!("{view:?}").contains("7717"));
    }
}
