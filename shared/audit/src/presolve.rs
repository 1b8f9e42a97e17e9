//! Makes a large program smaller before a solver sees it.
//!
//! A variable that one equality gives as a sum of others with positive factors, and whose own bounds that sum keeps
//! by itself, is put in place everywhere and left out (*implied free column substitution*; Andersen & Andersen,
//! "Presolving in linear programming", 1995, section 3). Margins of tables are such variables, and what is left are
//! the finest cells and the sums that are shown. Rows that become equal are kept once.
//!
//! Invariant: the smaller program has an integer point exactly if the larger one has, and [`Smaller::extend`] makes
//! the one of the other. Whoever uses a point checks it against all rows all the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::rows::{Domain, Row};

/// Terms that one substitution may add to all rows together.
const MOST_FILL: usize = 20_000;

/// `lo ≤ Σ terms ≤ hi` over numbered variables.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) terms: Vec<(u32, i128)>,
    pub(crate) lo: Option<i128>,
    pub(crate) hi: Option<i128>,
}

impl Range {
    /// A row over positions of `open` variables, its fixed variables moved to the sides.
    pub(crate) fn of(row: &Row, open: &[u32], domain: &Domain) -> Self {
        let mut constant = 0i128;
        let mut terms = Vec::new();
        for (variable, factor) in &row.terms {
            match open.binary_search(variable) {
                Ok(at) => terms.push((at as u32, i128::from(*factor))),
                Err(_) => constant += domain.lower[*variable as usize] * i128::from(*factor),
            }
        }
        Self { terms, lo: row.lo.map(|lo| lo - constant), hi: row.hi.map(|hi| hi - constant) }
    }

    /// Whether it has no variables and does not hold.
    pub(crate) fn is_false(&self) -> bool {
        self.terms.is_empty() && (self.lo.is_some_and(|lo| lo > 0) || self.hi.is_some_and(|hi| hi < 0))
    }

    /// Whether it has no variables and holds.
    fn is_true(&self) -> bool {
        self.terms.is_empty() && !self.is_false()
    }
}

/// Bounds of a variable.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) lower: i128,
    pub(crate) upper: Option<i128>,
}

/// `variable = constant + Σ terms`.
struct Definition {
    variable: u32,
    constant: i128,
    terms: Vec<(u32, i128)>,
}

/// A variable that was left out: its constant, and kept variables with factors.
pub(crate) type Made = (u32, i128, Vec<(u32, i128)>);

/// The smaller program.
pub(crate) struct Smaller {
    /// Variables that are left, ascending.
    pub(crate) kept: Vec<u32>,
    /// Rows over them, in the numbers of the larger program.
    pub(crate) rows: Vec<Range>,
    definitions: Vec<Definition>,
}

impl Smaller {
    /// Leaves out what it can. `loose` are the bounds that only the variable itself gives: those that rows imply may
    /// be wider there.
    pub(crate) fn of(rows: &[Range], loose: &[Ends]) -> Self {
        let mut work = Work::new(rows, loose.len());
        let mut candidates: Vec<(usize, u32)> = (0..loose.len() as u32)
            .filter_map(|at| {
                let sums = work.rows_of[at as usize].iter().filter(|row| work.defines(**row, at, loose));
                sums.map(|row| work.rows[*row].len()).min().map(|length| (length, at))
            })
            .collect();
        candidates.sort_unstable();
        let definitions: Vec<Definition> =
            candidates.into_iter().filter_map(|(_, at)| work.substitute(at, loose)).collect();
        let gone: BTreeSet<u32> = definitions.iter().map(|definition| definition.variable).collect();
        let kept = (0..loose.len() as u32).filter(|at| !gone.contains(at)).collect();
        Self { kept, rows: work.left(), definitions }
    }

    /// Leaves nothing out.
    pub(crate) fn none(rows: Vec<Range>, size: usize) -> Self {
        Self { kept: (0..size as u32).collect(), rows, definitions: Vec::new() }
    }

    /// What each variable that was left out is made of: variable, constant, kept variables with factors.
    pub(crate) fn made_of(&self) -> Vec<Made> {
        let mut made: HashMap<u32, (i128, BTreeMap<u32, i128>)> = HashMap::new();
        for definition in self.definitions.iter().rev() {
            let (mut constant, mut sum) = (definition.constant, BTreeMap::<u32, i128>::new());
            for (at, factor) in &definition.terms {
                match made.get(at) {
                    Some((own, terms)) => {
                        constant += factor * own;
                        terms.iter().for_each(|(at, by)| *sum.entry(*at).or_default() += factor * by);
                    }
                    None => *sum.entry(*at).or_default() += factor,
                }
            }
            made.insert(definition.variable, (constant, sum));
        }
        let all = made.into_iter().map(|(at, (constant, terms))| (at, constant, terms.into_iter().collect()));
        let mut all: Vec<Made> = all.collect();
        all.sort_unstable_by_key(|(at, ..)| *at);
        all
    }

    /// The values of all variables, from those of the kept ones, in their order.
    pub(crate) fn extend(&self, values: &[i128], size: usize) -> Vec<i128> {
        let mut all = vec![0; size];
        self.kept.iter().zip(values).for_each(|(at, value)| all[*at as usize] = *value);
        for definition in self.definitions.iter().rev() {
            let sum: i128 = definition.terms.iter().map(|(at, factor)| all[*at as usize] * factor).sum();
            all[definition.variable as usize] = definition.constant + sum;
        }
        all
    }
}

struct Work {
    rows: Vec<BTreeMap<u32, i128>>,
    ends: Vec<(Option<i128>, Option<i128>)>,
    rows_of: Vec<BTreeSet<usize>>,
}

impl Work {
    fn new(rows: &[Range], size: usize) -> Self {
        let mut work = Self {
            rows: rows.iter().map(|row| row.terms.iter().copied().collect()).collect(),
            ends: rows.iter().map(|row| (row.lo, row.hi)).collect(),
            rows_of: vec![BTreeSet::new(); size],
        };
        for (at, row) in work.rows.iter().enumerate() {
            row.keys().for_each(|variable| {
                work.rows_of[*variable as usize].insert(at);
            });
        }
        work
    }

    /// Whether an equality gives a variable as a sum that keeps its bounds.
    fn defines(&self, row: usize, variable: u32, loose: &[Ends]) -> bool {
        let (Some(lo), Some(hi)) = self.ends[row] else { return false };
        let Some(own) = self.rows[row].get(&variable).copied() else { return false };
        if lo != hi || own.abs() != 1 {
            return false;
        }
        let (mut least, mut most) = (lo * own, Some(lo * own));
        for (at, factor) in self.rows[row].iter().filter(|(at, _)| **at != variable) {
            let factor = -factor * own;
            if factor < 0 {
                return false;
            }
            let ends = loose[*at as usize];
            least += factor * ends.lower;
            most = most.zip(ends.upper).map(|(most, upper)| most + factor * upper);
        }
        let bounds = loose[variable as usize];
        least >= bounds.lower && bounds.upper.is_none_or(|upper| most.is_some_and(|most| most <= upper))
    }

    fn substitute(&mut self, variable: u32, loose: &[Ends]) -> Option<Definition> {
        let of: Vec<usize> = self.rows_of[variable as usize].iter().copied().collect();
        let sums = of.iter().copied().filter(|row| self.defines(*row, variable, loose));
        let by = sums.min_by_key(|row| (self.rows[*row].len(), *row))?;
        if (self.rows[by].len() - 1) * (of.len() - 1) > MOST_FILL {
            return None;
        }
        let own = self.rows[by].get(&variable).copied()?;
        let constant = self.ends[by].0? * own;
        let gone = std::mem::take(&mut self.rows[by]);
        self.ends[by] = (None, None); // the definition says it now
        gone.keys().for_each(|at| {
            self.rows_of[*at as usize].remove(&by);
        });
        let terms: Vec<(u32, i128)> =
            gone.iter().filter(|(at, _)| **at != variable).map(|(at, factor)| (*at, -factor * own)).collect();
        for row in of.into_iter().filter(|row| *row != by) {
            let Some(factor) = self.rows[row].remove(&variable) else { continue };
            for (at, by) in &terms {
                let sum = self.rows[row].entry(*at).or_default();
                *sum += factor * by;
                if *sum == 0 {
                    self.rows[row].remove(at);
                    self.rows_of[*at as usize].remove(&row);
                } else {
                    self.rows_of[*at as usize].insert(row);
                }
            }
            let (lo, hi) = self.ends[row];
            self.ends[row] = (lo.map(|lo| lo - factor * constant), hi.map(|hi| hi - factor * constant));
        }
        self.rows_of[variable as usize].clear();
        Some(Definition { variable, constant, terms })
    }

    /// What is left, each row once. A row without variables that does not hold stays: it makes the program empty.
    fn left(self) -> Vec<Range> {
        let mut seen = HashSet::new();
        let mut left = Vec::new();
        for (row, (lo, hi)) in self.rows.into_iter().zip(self.ends) {
            let turned = row.values().next().is_some_and(|first| *first < 0);
            let sign = if turned { -1 } else { 1 };
            let (lo, hi) = if turned { (hi.map(|hi| -hi), lo.map(|lo| -lo)) } else { (lo, hi) };
            let terms = row.into_iter().map(|(at, factor)| (at, factor * sign)).collect();
            let range = Range { terms, lo, hi };
            if !range.is_true() && seen.insert(range.clone()) {
                left.push(range);
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[(u32, i128)], value: i128) -> Range {
        Range { terms: terms.to_vec(), lo: Some(value), hi: Some(value) }
    }

    fn at_least_one(count: usize) -> Vec<Ends> {
        vec![Ends { lower: 1, upper: None }; count]
    }

    #[test]
    fn a_margin_of_withheld_parts_vanishes_and_comes_back_with_its_sum() {
        // 2 = 0 + 1 and 2 + 3 = 9
        let rows = [sum(&[(0, 1), (1, 1), (2, -1)], 0), sum(&[(2, 1), (3, 1)], 9)];
        let smaller = Smaller::of(&rows, &at_least_one(4));
        assert_eq!(smaller.kept, [0, 1, 3]);
        assert_eq!(smaller.extend(&[2, 3, 4], 4), [2, 3, 5, 4]);
    }

    #[test]
    fn a_variable_whose_bounds_its_sum_does_not_keep_stays() {
        let mut ends = at_least_one(3);
        ends[2] = Ends { lower: 5, upper: None };
        let rows = [sum(&[(0, 1), (1, 1), (2, -1)], 0)];
        assert_eq!(Smaller::of(&rows, &ends).kept, [0, 1, 2]);
    }

    #[test]
    fn rows_that_say_the_same_are_kept_once_and_a_false_row_is_kept() {
        let rows = [sum(&[(0, 1), (1, 2)], 7), sum(&[(0, -1), (1, -2)], -7), sum(&[], 1)];
        assert_eq!(Smaller::of(&rows, &at_least_one(2)).rows.len(), 2);
    }
}
