//! Bound propagation to a fixpoint, exact in integers.
//!
//! Each row bounds each of its variables by what the others can at most and at least be. Nothing is rounded but
//! inward to integers, so a bound found here holds for every integer solution. For each bound the row that gave it is
//! kept: the explanation of a leak starts there.
//!
//! The work is counted in terms visited; running out leaves valid but perhaps loose bounds.

use std::collections::VecDeque;

use crate::rows::{Domain, Row};

/// No integer point is left; the row that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Empty(pub(crate) u32);

/// Rows that last moved each variable's bounds.
#[derive(Clone, Default)]
pub(crate) struct Reasons {
    pub(crate) of: Vec<Vec<u32>>,
}

/// Sum of the finite ends and how many ends are open.
#[derive(Clone, Copy, Default)]
struct Activity {
    finite: i128,
    open: usize,
}

impl Activity {
    fn add(&mut self, end: Option<i128>) {
        match end {
            Some(value) => self.finite += value,
            None => self.open += 1,
        }
    }

    /// The activity of the row without one term.
    fn without(self, end: Option<i128>) -> Option<i128> {
        match (end, self.open) {
            (Some(value), 0) => Some(self.finite - value),
            (None, 1) => Some(self.finite),
            _ => None,
        }
    }
}

/// Least and largest value of one term.
fn ends(domain: &Domain, at: usize, factor: i64) -> (Option<i128>, Option<i128>) {
    let factor = i128::from(factor);
    let lower = Some(domain.lower[at] * factor);
    let upper = domain.upper[at].map(|upper| upper * factor);
    if factor >= 0 { (lower, upper) } else { (upper, lower) }
}

/// The least and largest value an expression can take in a domain.
pub(crate) fn range(domain: &Domain, terms: &[(u32, i64)]) -> (Option<i128>, Option<i128>) {
    let (mut least, mut most) = (Activity::default(), Activity::default());
    for (at, factor) in terms {
        let (low, high) = ends(domain, *at as usize, *factor);
        least.add(low);
        most.add(high);
    }
    ((least.open == 0).then_some(least.finite), (most.open == 0).then_some(most.finite))
}

/// A propagation over fixed rows.
pub(crate) struct Propagator<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) rows_of: &'a [Vec<u32>],
    /// One row asked on top of the others.
    pub(crate) extra: Option<&'a Row>,
    /// Terms that may still be visited.
    pub(crate) steps: u64,
}

impl Propagator<'_> {
    fn row(&self, at: u32) -> Option<&Row> {
        self.rows.get(at as usize).or(self.extra)
    }

    /// Tightens from the given rows on, or from all.
    pub(crate) fn run(
        &mut self,
        domain: &mut Domain,
        seeds: impl IntoIterator<Item = u32>,
        mut reasons: Option<&mut Reasons>,
    ) -> Result<(), Empty> {
        let mut queued = vec![false; self.rows.len() + 1];
        let mut queue: VecDeque<u32> = VecDeque::new();
        for seed in seeds {
            if !std::mem::replace(&mut queued[seed as usize], true) {
                queue.push_back(seed);
            }
        }
        let mut changed = Vec::new();
        while let Some(at) = queue.pop_front() {
            queued[at as usize] = false;
            let Some(row) = self.row(at) else { continue };
            let cost = row.terms.len() as u64;
            if self.steps < cost {
                return Ok(());
            }
            changed.clear();
            if !tighten(row, domain, &mut changed) {
                return Err(Empty(at));
            }
            self.steps -= cost;
            for variable in &changed {
                if let Some(reasons) = reasons.as_deref_mut() {
                    let list = &mut reasons.of[*variable as usize];
                    if !list.contains(&at) {
                        list.push(at);
                    }
                }
                let extra = self.extra.map(|_| self.rows.len() as u32);
                for next in self.rows_of[*variable as usize].iter().copied().chain(extra) {
                    if next != at && !std::mem::replace(&mut queued[next as usize], true) {
                        queue.push_back(next);
                    }
                }
            }
            if !changed.is_empty() && !std::mem::replace(&mut queued[at as usize], true) {
                queue.push_back(at);
            }
        }
        Ok(())
    }
}

/// Tightens by one row; `false` when no point is left.
fn tighten(row: &Row, domain: &mut Domain, changed: &mut Vec<u32>) -> bool {
    let (mut least, mut most) = (Activity::default(), Activity::default());
    for (at, factor) in &row.terms {
        let (low, high) = ends(domain, *at as usize, *factor);
        least.add(low);
        most.add(high);
    }
    if least.open == 0 && row.hi.is_some_and(|hi| least.finite > hi) {
        return false;
    }
    if most.open == 0 && row.lo.is_some_and(|lo| most.finite < lo) {
        return false;
    }
    for (at, factor) in &row.terms {
        let (variable, wide) = (*at as usize, i128::from(*factor));
        let (low, high) = ends(domain, variable, *factor);
        let at_most = row.hi.zip(least.without(low)).map(|(hi, rest)| hi - rest);
        let at_least = row.lo.zip(most.without(high)).map(|(lo, rest)| lo - rest);
        let (lower, upper) = if wide > 0 {
            (at_least.map(|value| ceiling(value, wide)), at_most.map(|value| value.div_euclid(wide)))
        } else {
            (at_most.map(|value| ceiling(-value, -wide)), at_least.map(|value| (-value).div_euclid(-wide)))
        };
        let mut moved = false;
        if let Some(lower) = lower.filter(|lower| *lower > domain.lower[variable]) {
            domain.lower[variable] = lower;
            moved = true;
        }
        if let Some(upper) = upper.filter(|upper| domain.upper[variable].is_none_or(|known| *upper < known)) {
            domain.upper[variable] = Some(upper);
            moved = true;
        }
        if domain.upper[variable].is_some_and(|upper| upper < domain.lower[variable]) {
            return false;
        }
        if moved {
            changed.push(*at);
            // later terms of this row still use the old activity: looser, never wrong; the row is queued again
        }
    }
    true
}

fn ceiling(value: i128, by: i128) -> i128 {
    -((-value).div_euclid(by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Rows;
    use crate::view::View;

    fn fixpoint(view: &View) -> Result<Domain, Empty> {
        let rows = Rows::new(view);
        let mut domain = rows.start.clone();
        let mut work = Propagator { rows: &rows.rows, rows_of: &rows.rows_of, extra: None, steps: 10_000 };
        work.run(&mut domain, 0..rows.rows.len() as u32, None).map(|()| domain)
    }

    #[test]
    fn one_and_one_alone_in_a_line_are_found() {
        let mut view = View::default();
        let (a, b) = (view.variable(1), view.variable(1));
        view.equation(vec![(a, 1), (b, 1)], 2, 0);
        view.target(vec![(a, 1)]);
        let domain = fixpoint(&view).unwrap();
        assert_eq!((domain.fixed(0), domain.fixed(1)), (Some(1), Some(1)));
    }

    #[test]
    fn a_line_that_cannot_be_is_refused() {
        let mut view = View::default();
        let (a, b) = (view.variable(1), view.variable(2));
        view.equation(vec![(a, 1), (b, 1)], 2, 0);
        assert!(fixpoint(&view).is_err());
    }

    #[test]
    fn coefficients_round_inward() {
        let mut view = View::default();
        let a = view.variable(0);
        view.at_least(vec![(a, 3)], 7, 0);
        view.at_most(vec![(a, -3)], -4, 0);
        view.at_most(vec![(a, 2)], 9, 0);
        let domain = fixpoint(&view).unwrap();
        assert_eq!((domain.lower[0], domain.upper[0]), (3, Some(4)));
    }

    #[test]
    fn running_out_of_steps_leaves_bounds_loose_and_never_wrong() {
        let mut view = View::default();
        let (a, b) = (view.variable(0), view.variable(0));
        view.equation(vec![(a, 1), (b, 1)], 5, 0);
        let rows = Rows::new(&view);
        let mut domain = rows.start.clone();
        let mut work = Propagator { rows: &rows.rows, rows_of: &rows.rows_of, extra: None, steps: 0 };
        assert!(work.run(&mut domain, [0], None).is_ok());
        assert_eq!(domain.upper[0], None);
    }
}
