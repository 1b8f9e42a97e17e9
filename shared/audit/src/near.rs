//! Movements near a table that is known: how questions about large blocks are answered.
//!
//! Whoever knows one table that agrees with a publication (the truth, or any other) finds others beside it: a small
//! dense neighbourhood of the question is freed, everything else stands still, and the shortest movement that
//! answers the question is sought by a linear program. The other way round, the rows of a neighbourhood alone, with
//! everything else anywhere within its bounds, may already rule the question out.
//!
//! Finds nothing by itself to be true: a movement is checked in exact integers against every row it touches.
//! Invariant: what [`Near::movement`] returns leads from one table of all rows to another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};

use crate::program::{Claim, Program};
use crate::rows::{Domain, Row};

/// Slack over this is as good as any.
const ENOUGH: i128 = 3;
/// Farthest one movement carries a variable.
const FARTHEST: i128 = 1 << 20;
/// Branch-and-bound nodes of one small program.
const NODES: u64 = 60;

/// What a wanted step is worth in steps of others.
const WANTED: f64 = 12.0;

/// Changes of variables.
pub(crate) type Movement = Vec<(u32, i128)>;

/// A table, and what may be moved around it.
pub(crate) struct Near<'a> {
    pub(crate) rows: &'a [Row],
    pub(crate) rows_of: &'a [Vec<u32>],
    /// Bounds of every variable.
    pub(crate) root: &'a Domain,
    /// The table.
    pub(crate) point: &'a [i128],
    /// What each row comes to in it.
    pub(crate) sums: &'a [i128],
    /// Variables that stand still.
    pub(crate) still: &'a dyn Fn(u32) -> bool,
}

impl Near<'_> {
    fn is_free(&self, at: u32) -> bool {
        self.root.fixed(at as usize).is_none() && !(self.still)(at)
    }

    /// A dense neighbourhood of some variables. A row with one variable inside needs another: the row with the
    /// fewest to choose from comes first, and of its variables the one that disturbs the fewest new rows, with room
    /// to move. When no row needs one, the nearest variables follow. `turn` picks among equals.
    pub(crate) fn window(&self, start: &[u32], size: usize, turn: u64) -> Vec<u32> {
        let free = (0..self.point.len() as u32).map(|at| self.is_free(at)).collect();
        let missing = self.rows_of.iter().map(|rows| rows.len() as u32).collect();
        let mut growing = Growing { free, missing, counts: vec![0; self.rows.len()], turn, near: self };
        let (mut nearest, mut needing) = (BinaryHeap::new(), BinaryHeap::new());
        let mut next: Vec<u32> = start.to_vec();
        let mut inside = Vec::new();
        while inside.len() < size {
            let found =
                next.pop().or_else(|| growing.needed(&mut needing)).or_else(|| growing.nearest(&mut nearest));
            let Some(at) = found else { break };
            if !std::mem::replace(&mut growing.free[at as usize], false) {
                continue;
            }
            inside.push(at);
            for row in &self.rows_of[at as usize] {
                growing.counts[*row as usize] += 1;
                if growing.counts[*row as usize] > 1 {
                    continue;
                }
                let mut free = 0;
                for (other, _) in &self.rows[*row as usize].terms {
                    growing.missing[*other as usize] -= 1;
                    if growing.free[*other as usize] {
                        free += 1;
                        nearest.push(Reverse((growing.missing[*other as usize], growing.rank(*other))));
                    }
                }
                needing.push(Reverse((free, *row)));
            }
        }
        inside.sort_unstable();
        inside
    }

    /// 0 for room both ways.
    fn tightness(&self, at: u32) -> i128 {
        let (at, value) = (at as usize, self.point[at as usize]);
        let down = (value - self.root.lower[at]).min(ENOUGH);
        let up = self.root.upper[at].map_or(ENOUGH, |upper| (upper - value).min(ENOUGH));
        2 * ENOUGH - down - up
    }

    /// Variables that stand in no equality alone, among those of a window: the others cannot move.
    fn movable(&self, window: &[u32]) -> Vec<u32> {
        let mut inside: BTreeSet<u32> = window.iter().copied().collect();
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        let fixed = |row: u32| {
            let row = &self.rows[row as usize];
            row.lo.is_some() && row.lo == row.hi
        };
        for at in window {
            for row in self.rows_of[*at as usize].iter().filter(|row| fixed(**row)) {
                *counts.entry(*row).or_default() += 1;
            }
        }
        let mut alone: Vec<u32> =
            counts.iter().filter(|(_, count)| **count == 1).map(|(row, _)| *row).collect();
        while let Some(row) = alone.pop() {
            let held = self.rows[row as usize].terms.iter().map(|(at, _)| *at);
            let Some(last) = held.into_iter().find(|at| inside.contains(at)) else { continue };
            inside.remove(&last);
            for row in self.rows_of[last as usize].iter().filter(|row| fixed(**row)) {
                if let Some(count) = counts.get_mut(row) {
                    *count -= 1;
                    if *count == 1 {
                        alone.push(*row);
                    }
                }
            }
        }
        inside.into_iter().collect()
    }

    /// The shortest movement of a window's variables after which the question holds.
    pub(crate) fn movement(&self, question: &Row, window: &[u32]) -> Option<Movement> {
        let movable = self.movable(window);
        if !question.terms.iter().any(|(at, _)| movable.binary_search(at).is_ok()) {
            return None;
        }
        let found = [false, true].into_iter().find_map(|whole| {
            match self.shortest(Some(question), &movable, &|at| self.room(at), whole) {
                Some(Shortest::Broken) => None,
                other => Some(other),
            }
        });
        match found.flatten()? {
            Shortest::Whole(found) => (self.holds(&found) && self.answers(question, &found)).then_some(found),
            Shortest::Broken => None,
        }
    }

    /// A movement that carries as many of the wanted variables as it can one step their way (`1` or `-1`), and can be
    /// made twice.
    pub(crate) fn many(&self, window: &[u32], wanted: &dyn Fn(u32) -> i128) -> Option<Movement> {
        let movable = self.movable(window);
        let room = |at: u32| {
            let Room { up, down, .. } = self.room(at);
            let (up, down) = (up / 2, down / 2);
            match wanted(at) {
                0 => Room { up, down, wanted: 0 },
                sign if sign > 0 => Room { up: up.min(1), down: 0, wanted: 1 },
                _ => Room { up: 0, down: down.min(1), wanted: -1 },
            }
        };
        match self.shortest(None, &movable, &room, false)? {
            Shortest::Whole(found) => (!found.is_empty() && self.holds(&found)).then_some(found),
            Shortest::Broken => None,
        }
    }

    fn room(&self, at: u32) -> Room {
        let (at, value) = (at as usize, self.point[at as usize]);
        let up = self.root.upper[at].map_or(FARTHEST, |upper| upper - value);
        Room { up, down: value - self.root.lower[at], wanted: 0 }
    }

    fn shortest(
        &self,
        question: Option<&Row>,
        movable: &[u32],
        room: &dyn Fn(u32) -> Room,
        whole: bool,
    ) -> Option<Shortest> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let mut add = |cost: f64, room: i128| {
            let room = room.clamp(0, FARTHEST) as i32; // at most 2²⁰
            match whole {
                true => problem.add_integer_var(cost, (0, room)),
                false => problem.add_var(cost, (0.0, f64::from(room))),
            }
        };
        let pairs: Vec<(Variable, Variable)> = movable
            .iter()
            .map(|at| {
                let room = room(*at);
                let cost = |sign: i128| if room.wanted == sign { -WANTED } else { 1.0 };
                (add(cost(1), room.up), add(cost(-1), room.down))
            })
            .collect();
        let touched: BTreeSet<u32> =
            movable.iter().flat_map(|at| self.rows_of[*at as usize].iter().copied()).collect();
        let own = question.map(|question| (question, self.value(&question.terms)));
        let rows = touched.iter().map(|row| (&self.rows[*row as usize], self.sums[*row as usize]));
        for (row, sum) in rows.chain(own) {
            let mut terms = Vec::new();
            for (at, factor) in &row.terms {
                if let Ok(at) = movable.binary_search(at) {
                    terms.push((pairs[at].0, *factor as f64)); // small integers
                    terms.push((pairs[at].1, -*factor as f64));
                }
            }
            let side = |end: i128| (end - sum) as f64; // counts, under 2⁵³
            if row.lo.is_some() && row.lo == row.hi {
                problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, side(row.lo?));
                continue;
            }
            if let Some(lo) = row.lo {
                problem.add_constraint(terms.as_slice(), ComparisonOp::Ge, side(lo));
            }
            if let Some(hi) = row.hi {
                problem.add_constraint(terms.as_slice(), ComparisonOp::Le, side(hi));
            }
        }
        let mut options = SolveOptions::default();
        options.node_limit = Some(NODES);
        let outcome = problem.solve_with(options).ok()?;
        let solution = outcome.solution()?;
        let mut movement = Movement::new();
        for (at, (up, down)) in movable.iter().zip(&pairs) {
            let change = solution.var_value(*up) - solution.var_value(*down);
            if (change - change.round()).abs() > 1e-6 {
                return Some(Shortest::Broken);
            }
            if change.round() != 0.0 {
                movement.push((*at, change.round() as i128)); // at most 2²⁰
            }
        }
        Some(Shortest::Whole(movement))
    }

    fn value(&self, terms: &[(u32, i64)]) -> i128 {
        terms.iter().map(|(at, factor)| self.point[*at as usize] * i128::from(*factor)).sum()
    }

    pub(crate) fn answers(&self, question: &Row, movement: &[(u32, i128)]) -> bool {
        let sum = self.value(&question.terms) + change(&question.terms, movement);
        question.lo.is_none_or(|lo| lo <= sum) && question.hi.is_none_or(|hi| sum <= hi)
    }

    /// Whether a movement, ascending by variable, leads to another table.
    pub(crate) fn holds(&self, movement: &[(u32, i128)]) -> bool {
        let inside = movement.iter().all(|(at, change)| {
            let value = self.point[*at as usize] + change;
            let at = *at as usize;
            self.root.lower[at] <= value && self.root.upper[at].is_none_or(|upper| value <= upper)
        });
        if !inside {
            return false;
        }
        let touched: BTreeSet<u32> =
            movement.iter().flat_map(|(at, _)| self.rows_of[*at as usize].iter().copied()).collect();
        touched.into_iter().all(|at| {
            let row = &self.rows[at as usize];
            let sum = self.sums[at as usize] + change(&row.terms, movement);
            row.lo.is_none_or(|lo| lo <= sum) && row.hi.is_none_or(|hi| sum <= hi)
        })
    }

    /// Whether the rows of a window alone rule the question out, whatever the variables outside are within `domain`.
    pub(crate) fn ruled_out(&self, question: &Row, window: &[u32], domain: &Domain) -> bool {
        let touched: BTreeSet<u32> =
            window.iter().flat_map(|at| self.rows_of[*at as usize].iter().copied()).collect();
        let narrowed = |row: &Row| self.narrowed(row, window, domain);
        let rows: Vec<Row> = touched
            .iter()
            .map(|at| &self.rows[*at as usize])
            .chain([question])
            .filter_map(narrowed)
            .collect();
        let open: Vec<u32> =
            window.iter().copied().filter(|at| domain.fixed(*at as usize).is_none()).collect();
        let references: Vec<&Row> = rows.iter().collect();
        let program = Program { variables: &open, rows: &references, domain, loose: None, spread: false };
        program.coefficients() > 0 && matches!(program.solve(NODES), Claim::Nothing)
    }

    /// A row over a window's variables, its other terms anywhere in their bounds.
    fn narrowed(&self, row: &Row, window: &[u32], domain: &Domain) -> Option<Row> {
        let (mut terms, mut least, mut most) = (Vec::new(), Some(0i128), Some(0i128));
        for (at, factor) in &row.terms {
            if window.binary_search(at).is_ok() {
                terms.push((*at, *factor));
                continue;
            }
            let wide = i128::from(*factor);
            let low = Some(domain.lower[*at as usize] * wide);
            let high = domain.upper[*at as usize].map(|upper| upper * wide);
            let (low, high) = if wide >= 0 { (low, high) } else { (high, low) };
            least = least.zip(low).map(|(sum, low)| sum + low);
            most = most.zip(high).map(|(sum, high)| sum + high);
        }
        let lo = row.lo.zip(most).map(|(lo, most)| lo - most);
        let hi = row.hi.zip(least).map(|(hi, least)| hi - least);
        (lo.is_some() || hi.is_some()).then_some(Row { terms, lo, hi, source: None })
    }
}

/// What a movement, ascending by variable, adds to an expression.
pub(crate) fn change(terms: &[(u32, i64)], movement: &[(u32, i128)]) -> i128 {
    let by = |at: &u32| movement.binary_search_by_key(at, |(at, _)| *at).map_or(0, |found| movement[found].1);
    terms.iter().map(|(at, factor)| by(at) * i128::from(*factor)).sum()
}

/// How far a variable may move.
struct Room {
    up: i128,
    down: i128,
    /// The way it should go, if any.
    wanted: i128,
}

enum Shortest {
    Whole(Movement),
    /// Not in whole numbers.
    Broken,
}

/// Little room first, then by turn.
type Rank = (i128, u64, u32);

/// A neighbourhood that grows.
struct Growing<'a> {
    near: &'a Near<'a>,
    /// Variables that may still come in.
    free: Vec<bool>,
    /// Rows of each variable that hold none of the neighbourhood.
    missing: Vec<u32>,
    /// Variables of the neighbourhood in each row.
    counts: Vec<u32>,
    turn: u64,
}

impl Growing<'_> {
    fn rank(&self, at: u32) -> Rank {
        (self.near.tightness(at), shuffled(at, self.turn), at)
    }

    /// The best variable of the row that needs one most.
    fn needed(&self, needing: &mut BinaryHeap<Reverse<(usize, u32)>>) -> Option<u32> {
        while let Some(Reverse((_, row))) = needing.pop() {
            let own = &self.near.rows[row as usize];
            if self.counts[row as usize] != 1 || own.lo.is_none() || own.lo != own.hi {
                continue;
            }
            let free = own.terms.iter().map(|(at, _)| *at).filter(|at| self.free[*at as usize]);
            let best = free.min_by_key(|at| {
                let (room, order, _) = self.rank(*at);
                (room, self.missing[*at as usize], order)
            });
            if best.is_some() {
                return best;
            }
        }
        None
    }

    fn nearest(&self, heap: &mut BinaryHeap<Reverse<(u32, Rank)>>) -> Option<u32> {
        while let Some(Reverse((left, (_, _, at)))) = heap.pop() {
            if self.missing[at as usize] == left && self.free[at as usize] {
                return Some(at);
            }
        }
        None
    }
}

/// An order that differs by turn and is the same on every machine (SAME-1). SplitMix64's finaliser.
fn shuffled(at: u32, turn: u64) -> u64 {
    let mut x = u64::from(at).wrapping_add(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::Rows;
    use crate::view::View;

    const MOST: u64 = 4;

    /// Sums of some of five variables in `0..=4`, true of a drawn point.
    fn drawn() -> impl Strategy<Value = (View, Vec<i128>)> {
        let sums = proptest::collection::vec(proptest::collection::vec(any::<bool>(), 5), 1..5);
        (proptest::collection::vec(0..=MOST, 5), sums).prop_map(|(point, sums)| {
            let mut view = View::default();
            for _ in &point {
                let at = view.variable(0);
                view.variables[at].upper = Some(MOST);
                view.target(vec![(at, 1)]);
            }
            for (source, chosen) in sums.iter().enumerate() {
                let terms: Vec<(usize, i64)> =
                    chosen.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(at, _)| (at, 1)).collect();
                let value: u64 = terms.iter().map(|(at, _)| point[*at]).sum();
                view.equation(terms, value as i64, source);
            }
            (view, point.into_iter().map(i128::from).collect())
        })
    }

    /// Whether some point satisfies all rows and the question.
    fn is_possible(rows: &Rows, question: &Row) -> bool {
        let mut points = vec![Vec::<i128>::new()];
        for _ in 0..5 {
            let longer = points.iter().flat_map(|point| {
                (0..=i128::from(MOST)).map(move |value| [point.as_slice(), &[value]].concat())
            });
            points = longer.collect();
        }
        let holds = |row: &Row, point: &[i128]| {
            let sum: i128 = row.terms.iter().map(|(at, by)| point[*at as usize] * i128::from(*by)).sum();
            row.lo.is_none_or(|lo| lo <= sum) && row.hi.is_none_or(|hi| sum <= hi)
        };
        points.iter().any(|point| rows.rows.iter().chain([question]).all(|row| holds(row, point)))
    }

    proptest! {
        #[test]
        fn a_neighbourhood_that_rules_out_is_right_and_so_is_a_movement(
            (view, point) in drawn(), value in 0..=MOST, size in 1usize..6, turn in 0..3u64,
        ) {
            let rows = Rows::new(&view);
            let sums: Vec<i128> = rows
                .rows
                .iter()
                .map(|row| row.terms.iter().map(|(at, by)| point[*at as usize] * i128::from(*by)).sum())
                .collect();
            let near = Near {
                rows: &rows.rows,
                rows_of: &rows.rows_of,
                root: &rows.start,
                point: &point,
                sums: &sums,
                still: &|_| false,
            };
            let value = i128::from(value);
            let question = Row { terms: vec![(0, 1)], lo: Some(value), hi: Some(value), source: None };
            let window = near.window(&[0], size, turn);
            prop_assert!(window.len() <= size);
            let possible = is_possible(&rows, &question);
            if near.ruled_out(&question, &window, &rows.start) {
                prop_assert!(!possible);
            }
            if near.movement(&question, &window).is_some() {
                prop_assert!(possible);
            }
            if window.len() == 5 && possible && value != point[0] {
                prop_assert!(near.movement(&question, &window).is_some());
            }
        }
    }
}
