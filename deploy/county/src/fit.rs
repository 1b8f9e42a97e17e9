//! Exact integer fitting: tables of counts with given margins, close to given weights.
//!
//! [`two_way`] is iterative proportional fitting (Deming and Stephan 1940) followed by controlled rounding
//! (Cox and Ernst 1982): every fractional cell goes to its floor or its ceiling, chosen by augmenting paths
//! so that both margins hold exactly. [`apportion`] is the method of largest remainders, [`apportion_within`]
//! the same between bounds.
//!
//! What it does not do: it knows nothing of kommuner or codes, and draws nothing; chance enters through the
//! weights. Invariant: what is returned has the margins asked for, exactly, or an error is returned.

use crate::figures::FigureError;

/// Why rows with the wanted margins could not be made. No variant carries a label or a person.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The printed figures could not be read.
    #[error(transparent)]
    Figures(#[from] FigureError),
    /// Row and column margins have different sums.
    #[error("row margins sum to {rows}, column margins to {columns}")]
    MarginsDiffer {
        /// Sum of the row margins.
        rows: u64,
        /// Sum of the column margins.
        columns: u64,
    },
    /// Weights are not of the shape of the margins, or are negative, or not numbers.
    #[error("weights are not {rows} × {columns} finite numbers ≥ 0")]
    Weights {
        /// Expected rows.
        rows: usize,
        /// Expected columns.
        columns: usize,
    },
    /// Cells with weight 0 stop the margins from being reached.
    #[error("no table with these margins avoids the cells of weight 0: {short} units have no place")]
    Unreachable {
        /// Units that could not be placed.
        short: u64,
    },
    /// The total lies outside the sums of the bounds.
    #[error("total {total} is outside the bounds {low}..={high}")]
    Bounds {
        /// Wanted total.
        total: u64,
        /// Sum of the lower bounds.
        low: u64,
        /// Sum of the upper bounds.
        high: u64,
    },
    /// A part is larger than the whole it is taken from.
    #[error("figures of {year}: a part is larger than its whole")]
    PartExceedsWhole {
        /// Year of the figures.
        year: u16,
    },
    /// All births of the test series that fit a row are taken.
    #[error("no unused test personnummer left for a row of {year}")]
    NoBirthLeft {
        /// Year of the row.
        year: u16,
    },
}

/// Fitting stops when no row margin is further off than this.
const CONVERGED: f64 = 1e-7;
/// Cells this close below an integer are that integer.
const NEARLY: f64 = 1e-6;
/// Rounds of fitting. Positive weights converge geometrically; zeros may need more.
const ROUNDS: usize = 2_000;

fn sum(counts: &[u32]) -> u64 {
    counts.iter().map(|&n| u64::from(n)).sum()
}

/// `total` split in proportion to `weights`, by largest remainders (ties: the earlier part).
///
/// # Errors
/// [`FitError::Weights`] when a weight is negative or not finite, or all are 0 and `total` is not.
pub fn apportion(total: u32, weights: &[f64]) -> Result<Vec<u32>, FitError> {
    let open: Vec<(u32, u32)> = weights.iter().map(|&w| (0, if w > 0.0 { total } else { 0 })).collect();
    apportion_within(total, weights, &open)
}

/// `total` split in proportion to `weights` with every part inside its inclusive `(low, high)`.
///
/// # Errors
/// [`FitError::Bounds`] when the bounds do not allow `total`; [`FitError::Weights`] as in [`apportion`].
pub fn apportion_within(total: u32, weights: &[f64], bounds: &[(u32, u32)]) -> Result<Vec<u32>, FitError> {
    if weights.len() != bounds.len() || weights.iter().any(|w| !w.is_finite() || *w < 0.0) {
        return Err(FitError::Weights { rows: 1, columns: bounds.len() });
    }
    let low: u64 = bounds.iter().map(|b| u64::from(b.0)).sum();
    let high: u64 = bounds.iter().map(|b| u64::from(b.1)).sum();
    let want = u64::from(total);
    if want < low || want > high || bounds.iter().any(|b| b.0 > b.1) {
        return Err(FitError::Bounds { total: want, low, high });
    }
    let scale = scale_within(f64::from(total), weights, bounds);
    let ideal: Vec<f64> =
        weights.iter().zip(bounds).map(|(w, b)| (w * scale).clamp(f64::from(b.0), f64::from(b.1))).collect();
    let parts = ideal.iter().map(|x| (x + NEARLY).floor() as u32).collect();
    Ok(settle(total, parts, &ideal, bounds))
}

/// The factor by which clamped, scaled weights sum to `total`, by bisection; the sum is monotone in it.
fn scale_within(total: f64, weights: &[f64], bounds: &[(u32, u32)]) -> f64 {
    let at = |scale: f64| -> f64 {
        weights.iter().zip(bounds).map(|(w, b)| (w * scale).clamp(f64::from(b.0), f64::from(b.1))).sum()
    };
    let smallest = weights.iter().copied().filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
    if !smallest.is_finite() {
        return 0.0;
    }
    let (mut below, mut above) = (0.0_f64, (total + 1.0) / smallest);
    for _ in 0..200 {
        let middle = f64::midpoint(below, above);
        if at(middle) < total { below = middle } else { above = middle }
    }
    above
}

/// Moves single units until the parts sum to `total`: to the part furthest below its ideal, from the one
/// furthest above. Ends because the caller has checked that the bounds allow `total`.
fn settle(total: u32, mut parts: Vec<u32>, ideal: &[f64], bounds: &[(u32, u32)]) -> Vec<u32> {
    let lack = |parts: &[u32], i: usize| ideal[i] - f64::from(parts[i]);
    while sum(&parts) != u64::from(total) {
        let grow = sum(&parts) < u64::from(total);
        let open =
            (0..parts.len()).filter(|&i| if grow { parts[i] < bounds[i].1 } else { parts[i] > bounds[i].0 });
        let best = open.reduce(|a, b| {
            let better =
                if grow { lack(&parts, b) > lack(&parts, a) } else { lack(&parts, b) < lack(&parts, a) };
            if better { b } else { a }
        });
        match best {
            Some(i) if grow => parts[i] += 1,
            Some(i) => parts[i] -= 1,
            None => break,
        }
    }
    parts
}

/// A table of counts with exactly these margins, in proportion to `weights` as nearly as the margins allow.
///
/// # Errors
/// [`FitError::MarginsDiffer`], [`FitError::Weights`], and [`FitError::Unreachable`] when zeros among the
/// weights leave no solution (with positive weights there always is one).
pub fn two_way(rows: &[u32], columns: &[u32], weights: &[Vec<f64>]) -> Result<Vec<Vec<u32>>, FitError> {
    if sum(rows) != sum(columns) {
        return Err(FitError::MarginsDiffer { rows: sum(rows), columns: sum(columns) });
    }
    let shaped = weights.len() == rows.len() && weights.iter().all(|line| line.len() == columns.len());
    if !shaped || weights.iter().flatten().any(|w| !w.is_finite() || *w < 0.0) {
        return Err(FitError::Weights { rows: rows.len(), columns: columns.len() });
    }
    let ideal = proportional(rows, columns, weights);
    round_to_margins(rows, columns, &ideal, weights)
}

/// Iterative proportional fitting; ends with the columns exact and the rows within [`CONVERGED`].
fn proportional(rows: &[u32], columns: &[u32], weights: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut table: Vec<Vec<f64>> = weights.to_vec();
    for _ in 0..ROUNDS {
        let mut furthest = 0.0_f64;
        for (line, &margin) in table.iter_mut().zip(rows) {
            let now: f64 = line.iter().sum();
            furthest = furthest.max((now - f64::from(margin)).abs());
            let factor = if now > 0.0 { f64::from(margin) / now } else { 0.0 };
            line.iter_mut().for_each(|cell| *cell *= factor);
        }
        if furthest < CONVERGED {
            break;
        }
        for (c, &margin) in columns.iter().enumerate() {
            let now: f64 = table.iter().map(|line| line[c]).sum();
            let factor = if now > 0.0 { f64::from(margin) / now } else { 0.0 };
            table.iter_mut().for_each(|line| line[c] *= factor);
        }
    }
    table
}

/// The residual network of a table under construction: how much each line still lacks and each cell may still
/// take.
struct Residual {
    cells: Vec<Vec<u32>>,
    room: Vec<Vec<u32>>,
    floor: Vec<Vec<u32>>,
    row_lack: Vec<u32>,
    column_lack: Vec<u32>,
}

fn round_to_margins(
    rows: &[u32],
    columns: &[u32],
    ideal: &[Vec<f64>],
    weights: &[Vec<f64>],
) -> Result<Vec<Vec<u32>>, FitError> {
    let mut net = Residual::floors(rows, columns, ideal);
    net.fill(ideal);
    net.augment_all();
    if net.lack() > 0 {
        // Fitting had not converged (zeros among the weights): any cell of positive weight may take more, or
        // give back.
        net.open(weights);
        net.augment_all();
    }
    if net.lack() > 0 {
        return Err(FitError::Unreachable { short: net.lack() });
    }
    Ok(net.cells)
}

impl Residual {
    /// Every cell at its floor (lowered where a margin would be passed), with room for one more where it has
    /// a fraction.
    fn floors(rows: &[u32], columns: &[u32], ideal: &[Vec<f64>]) -> Self {
        let (mut row_lack, mut column_lack) = (rows.to_vec(), columns.to_vec());
        let mut cells = vec![vec![0; columns.len()]; rows.len()];
        let mut room = cells.clone();
        for (r, line) in ideal.iter().enumerate() {
            for (c, &x) in line.iter().enumerate() {
                let whole = (x + NEARLY).floor();
                cells[r][c] = (whole as u32).min(row_lack[r]).min(column_lack[c]);
                row_lack[r] -= cells[r][c];
                column_lack[c] -= cells[r][c];
                room[r][c] = u32::from(x - whole > NEARLY);
            }
        }
        let floor = cells.clone();
        Self { cells, room, floor, row_lack, column_lack }
    }

    fn lack(&self) -> u64 {
        sum(&self.row_lack)
    }

    /// Rounds the largest fractions up first, while both margins allow.
    fn fill(&mut self, ideal: &[Vec<f64>]) {
        let mut order: Vec<(f64, usize, usize)> = Vec::new();
        for (r, line) in self.room.iter().enumerate() {
            for (c, _) in line.iter().enumerate().filter(|(_, room)| **room > 0) {
                order.push((ideal[r][c].fract(), r, c));
            }
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for (_, r, c) in order {
            if self.row_lack[r] > 0 && self.column_lack[c] > 0 {
                self.cells[r][c] += 1;
                self.room[r][c] -= 1;
                self.row_lack[r] -= 1;
                self.column_lack[c] -= 1;
            }
        }
    }

    /// Lifts the floor-or-ceiling rule where the weight is positive.
    fn open(&mut self, weights: &[Vec<f64>]) {
        for (r, line) in weights.iter().enumerate() {
            for (c, _) in line.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                self.room[r][c] = u32::MAX / 2;
                self.floor[r][c] = 0;
            }
        }
    }

    fn augment_all(&mut self) {
        while let Some(start) = (0..self.row_lack.len()).find(|&r| self.row_lack[r] > 0 && self.augment(r)) {
            self.row_lack[start] -= 1;
        }
    }

    /// One unit from row `start` along a shortest alternating path (row → column with room, column → row that
    /// can give) to a column that lacks one; `false` when there is none.
    fn augment(&mut self, start: usize) -> bool {
        let mut column_from: Vec<Option<usize>> = vec![None; self.column_lack.len()];
        let mut row_from: Vec<Option<usize>> = vec![None; self.row_lack.len()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(r) = queue.pop_front() {
            for c in 0..column_from.len() {
                if column_from[c].is_some() || self.room[r][c] == 0 {
                    continue;
                }
                column_from[c] = Some(r);
                if self.column_lack[c] > 0 {
                    self.push(start, c, &column_from, &row_from);
                    return true;
                }
                for (giver, from) in row_from.iter_mut().enumerate() {
                    if giver != start && from.is_none() && self.cells[giver][c] > self.floor[giver][c] {
                        *from = Some(c);
                        queue.push_back(giver);
                    }
                }
            }
        }
        false
    }

    /// Carries the unit back along the path that ends in column `end`.
    fn push(&mut self, start: usize, end: usize, column_from: &[Option<usize>], row_from: &[Option<usize>]) {
        self.column_lack[end] -= 1;
        let mut column = end;
        while let Some(row) = column_from[column] {
            self.cells[row][column] += 1;
            self.room[row][column] -= 1;
            if row == start {
                return;
            }
            let Some(previous) = row_from[row] else { return };
            self.cells[row][previous] -= 1;
            self.room[row][previous] += 1;
            column = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn margins_of(table: &[Vec<u32>], columns: usize) -> (Vec<u32>, Vec<u32>) {
        let rows = table.iter().map(|line| line.iter().sum()).collect();
        let cols = (0..columns).map(|c| table.iter().map(|line| line[c]).sum()).collect();
        (rows, cols)
    }

    #[test]
    fn largest_remainders_give_the_textbook_answer() {
        // Hamilton's method on 47, 16, 15.8, 12, 6.1, 3.1 with 10 seats.
        let parts = apportion(10, &[47.0, 16.0, 15.8, 12.0, 6.1, 3.1]).unwrap();
        assert_eq!(parts, [5, 2, 1, 1, 1, 0]);
    }

    #[test]
    fn a_part_never_leaves_its_bounds_and_the_others_take_up_the_rest() {
        let parts = apportion_within(100, &[50.0, 30.0, 20.0], &[(0, 10), (0, 100), (35, 40)]).unwrap();
        assert_eq!(parts.iter().sum::<u32>(), 100);
        assert_eq!(parts, [10, 54, 36]);
    }

    #[test]
    fn bounds_that_cannot_hold_the_total_are_refused() {
        let refused = apportion_within(100, &[1.0, 1.0], &[(0, 10), (0, 10)]);
        assert!(matches!(refused, Err(FitError::Bounds { total: 100, low: 0, high: 20 })));
        assert!(matches!(apportion(3, &[0.0, 0.0]), Err(FitError::Bounds { .. })));
    }

    #[test]
    fn margins_with_different_sums_are_refused() {
        let refused = two_way(&[1, 2], &[4], &[vec![1.0], vec![1.0]]);
        assert!(matches!(refused, Err(FitError::MarginsDiffer { rows: 3, columns: 4 })));
    }

    #[test]
    fn zero_weights_that_leave_no_solution_are_refused_not_overridden() {
        let refused = two_way(&[2, 2], &[3, 1], &[vec![0.0, 1.0], vec![1.0, 1.0]]);
        assert!(matches!(refused, Err(FitError::Unreachable { .. })));
    }

    #[test]
    fn a_zero_weight_stays_zero_where_a_solution_exists() {
        let table = two_way(&[5, 7], &[6, 6], &[vec![0.0, 1.0], vec![1.0, 1.0]]).unwrap();
        assert_eq!(table, vec![vec![0, 5], vec![6, 1]]);
    }

    #[test]
    fn independent_weights_give_the_product_of_the_margins() {
        let table = two_way(&[30, 70], &[40, 60], &[vec![1.0, 1.0], vec![1.0, 1.0]]).unwrap();
        assert_eq!(table, vec![vec![12, 18], vec![28, 42]]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_table_with_positive_weights_is_refitted_within_one_of_its_ideal(
            cells in proptest::collection::vec(proptest::collection::vec(0u32..40, 4), 1..9),
            weights in proptest::collection::vec(0.01f64..9.0, 36),
        ) {
            let (rows, columns) = margins_of(&cells, 4);
            let weights: Vec<Vec<f64>> = weights.chunks(4).take(rows.len()).map(<[f64]>::to_vec).collect();
            let table = two_way(&rows, &columns, &weights).unwrap();
            prop_assert_eq!(margins_of(&table, 4), (rows.clone(), columns.clone()));
            let ideal = proportional(&rows, &columns, &weights);
            for (r, line) in table.iter().enumerate() {
                for (c, &n) in line.iter().enumerate() {
                    prop_assert!((f64::from(n) - ideal[r][c]).abs() < 1.0 + 1e-3);
                }
            }
        }

        #[test]
        fn a_pattern_of_zeros_that_some_table_has_is_always_reachable(
            cells in proptest::collection::vec(proptest::collection::vec(0u32..4, 4), 1..7),
        ) {
            let (rows, columns) = margins_of(&cells, 4);
            let weights: Vec<Vec<f64>> =
                cells.iter().map(|l| l.iter().map(|&n| if n > 0 { 1.0 } else { 0.0 }).collect()).collect();
            let table = two_way(&rows, &columns, &weights).unwrap();
            prop_assert_eq!(margins_of(&table, 4), (rows, columns));
            for (line, weight) in table.iter().zip(&weights) {
                prop_assert!(line.iter().zip(weight).all(|(&n, &w)| n == 0 || w > 0.0));
            }
        }
    }
}
