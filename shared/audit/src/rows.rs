//! A view in the form the arithmetic works on: range rows over lumped variables.
//!
//! Variables with identical columns (the same coefficient in every row and every target) are lumped into their sum:
//! nobody can tell them apart, and any value of the sum can be split again. Most full atoms of a collection vanish so.
//!
//! Invariant: a row is `lo ≤ Σ terms ≤ hi`; a solution of the lumped rows exists with given target values exactly if
//! one of the view exists.

use std::collections::HashMap;

use crate::view::{Side, SourceIndex, Terms, View};

/// `lo ≤ Σ terms ≤ hi`.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) terms: Vec<(u32, i64)>,
    pub(crate) lo: Option<i128>,
    pub(crate) hi: Option<i128>,
    /// The view's source; `None` for a question asked on top.
    pub(crate) source: Option<SourceIndex>,
}

/// Bounds of the variables.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) lower: Vec<i128>,
    pub(crate) upper: Vec<Option<i128>>,
}

impl Domain {
    /// The value, if only one is left.
    pub(crate) fn fixed(&self, at: usize) -> Option<i128> {
        (self.upper[at] == Some(self.lower[at])).then_some(self.lower[at])
    }

    /// Number of values minus one; `None` for no end.
    pub(crate) fn width(&self, at: usize) -> Option<i128> {
        self.upper[at].map(|upper| upper - self.lower[at])
    }
}

/// Rows, domains and targets over lumped variables.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) start: Domain,
    pub(crate) targets: Vec<Vec<(u32, i64)>>,
    pub(crate) rows_of: Vec<Vec<u32>>,
    /// The lump of each of the view's variables.
    pub(crate) lump_of: Vec<u32>,
}

impl Rows {
    pub(crate) fn new(view: &View) -> Self {
        let lump_of = lumps(view);
        let size = lump_of.iter().map(|lump| *lump as usize + 1).max().unwrap_or(0);
        let mut start = Domain { lower: vec![0; size], upper: vec![Some(0); size] };
        for (variable, lump) in view.variables.iter().zip(&lump_of) {
            let at = *lump as usize;
            start.lower[at] += i128::from(variable.lower);
            start.upper[at] = start.upper[at].zip(variable.upper).map(|(sum, upper)| sum + i128::from(upper));
        }
        let fold = |terms: &Terms| folded(terms, &lump_of);
        let equations = view.equations.iter().map(|equation| {
            let value = Some(i128::from(equation.value));
            Row { terms: fold(&equation.terms), lo: value, hi: value, source: Some(equation.source) }
        });
        let bounds = view.bounds.iter().map(|bound| {
            let value = i128::from(bound.value);
            let (lo, hi) = match bound.side {
                Side::AtLeast => (Some(value), None),
                Side::AtMost => (None, Some(value)),
            };
            Row { terms: fold(&bound.terms), lo, hi, source: Some(bound.source) }
        });
        let rows: Vec<Row> = equations.chain(bounds).collect();
        let mut rows_of = vec![Vec::new(); size];
        for (at, row) in rows.iter().enumerate() {
            row.terms.iter().for_each(|(variable, _)| rows_of[*variable as usize].push(at as u32));
        }
        let targets = view.targets.iter().map(fold).collect();
        Self { rows, start, targets, rows_of, lump_of }
    }
}

/// One term a lump: its members' coefficients are equal, so the first stands for all.
fn folded(terms: &Terms, lump_of: &[u32]) -> Vec<(u32, i64)> {
    let mut merged: HashMap<usize, i64> = HashMap::new();
    for (variable, factor) in terms {
        *merged.entry(*variable).or_default() += factor;
    }
    let mut out: Vec<(u32, i64)> = merged
        .into_iter()
        .filter(|(_, factor)| *factor != 0)
        .map(|(variable, factor)| (lump_of[variable], factor))
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn lumps(view: &View) -> Vec<u32> {
    let mut columns: Vec<Vec<(u32, i64)>> = vec![Vec::new(); view.variables.len()];
    let expressions = view
        .equations
        .iter()
        .map(|equation| &equation.terms)
        .chain(view.bounds.iter().map(|bound| &bound.terms))
        .chain(&view.targets);
    for (row, terms) in expressions.enumerate() {
        let mut merged: HashMap<usize, i64> = HashMap::new();
        terms.iter().for_each(|(variable, factor)| *merged.entry(*variable).or_default() += factor);
        for (variable, factor) in merged.into_iter().filter(|(_, factor)| *factor != 0) {
            columns[variable].push((row as u32, factor));
        }
    }
    let mut index: HashMap<Vec<(u32, i64)>, u32> = HashMap::new();
    columns
        .into_iter()
        .map(|column| {
            let fresh = index.len() as u32;
            *index.entry(column).or_insert(fresh)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_nobody_can_tell_apart_become_their_sum() {
        let mut view = View::default();
        let (a, b, c) = (view.variable(1), view.variable(1), view.variable(0));
        view.equation(vec![(a, 1), (b, 1), (c, 2)], 9, 0);
        let rows = Rows::new(&view);
        assert_eq!(rows.start.lower, [2, 0]);
        assert_eq!(rows.rows[0].terms, [(0, 1), (1, 2)]);
    }

    #[test]
    fn a_target_keeps_its_variable_apart() {
        let mut view = View::default();
        let (a, b) = (view.variable(0), view.variable(0));
        view.equation(vec![(a, 1), (b, 1)], 9, 0);
        view.target(vec![(a, 1)]);
        assert_eq!(Rows::new(&view).rows[0].terms.len(), 2);
    }
}
