//! Movements of a small table by the simplex method, from one tableau that is kept (Dantzig 1951; bounded variables).
//!
//! Every movement is a sum of columns (finest cells, at first); every other cell is a row that follows from them. Nothing moved
//! is a possible start for every question, so a question is a few pivots from wherever the last one ended: how far can a cell
//! be moved while the others keep to their bounds? When not far enough, the cells whose bounds stopped it are told: at least
//! one of those must be let go. Floating point: whoever asks checks in whole numbers what comes out.

use super::board::Board;
use super::{Mark, Shape};

/// Below this a number is zero.
const EPSILON: f64 = 1e-6;
/// Entries are sums and quotients of ones: nearly all are whole numbers of this part.
const PART: f64 = 60.0;
/// How far from a whole number rounding can have carried one.
const NOISE: f64 = 1e-5;
/// Pivots after which entries are settled.
const SETTLED: usize = 24;
/// Added and taken away again it leaves a whole number (1.5 · 2⁵²).
const WHOLE: f64 = 6_755_399_441_055_744.0;
/// Pivots of one question.
const MOST_PIVOTS: usize = 400;
/// Pivots after which the tableau is made anew, so that errors do not add up.
const FRESH: usize = 2_000;

/// An entry without what rounding has added to it.
fn settled(entry: f64) -> f64 {
    let scaled = entry * PART;
    let whole = (scaled + WHOLE) - WHOLE;
    if (scaled - whole).abs() < NOISE { whole / PART } else { entry }
}

/// Where a cell stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Row(u32),
    Column(u32),
}

/// The tableau. Cells that can move are numbered anew, from 0.
#[derive(Clone)]
pub struct Kernel {
    /// The cell of each number.
    pub cells: Vec<u32>,
    /// Bounds of each movement. Equal bounds: it does not move.
    pub low: Vec<f64>,
    /// See `low`.
    pub high: Vec<f64>,
    /// The movements of the last question.
    pub value: Vec<f64>,
    place: Vec<Place>,
    rows: Vec<u32>,
    columns: Vec<u32>,
    entries: Vec<f64>,
    first: Box<First>,
    pivots: usize,
    /// Pivots done, ever.
    pub work: u64,
}

/// The tableau as it was made.
#[derive(Clone)]
struct First {
    place: Vec<Place>,
    rows: Vec<u32>,
    columns: Vec<u32>,
    entries: Vec<f64>,
}

impl Kernel {
    /// The tableau of a table in which every cell of the grid is there; `None` if one is not, or if it would be too large.
    pub fn new(board: &Board, most: usize) -> Option<Self> {
        let shape: &Shape = &board.shape;
        let moves =
            |cell: &u32| !matches!(board.marks[*cell as usize], Mark::Zero | Mark::Fixed | Mark::Absent);
        let cells: Vec<u32> = (0..shape.len()).filter(moves).collect();
        let number = |cell: u32| cells.binary_search(&cell).ok();
        let columns: Vec<u32> =
            (0..cells.len() as u32).filter(|at| shape.totals(cells[*at as usize]) == 0).collect();
        let rows: Vec<u32> =
            (0..cells.len() as u32).filter(|at| shape.totals(cells[*at as usize]) > 0).collect();
        if !board.complete || rows.len() * columns.len() > most {
            return None;
        }
        let (width, mut place) = (columns.len(), vec![Place::Row(0); cells.len()]);
        columns.iter().enumerate().for_each(|(at, cell)| place[*cell as usize] = Place::Column(at as u32));
        rows.iter().enumerate().for_each(|(at, cell)| place[*cell as usize] = Place::Row(at as u32));
        let mut entries = vec![0.0; rows.len() * width];
        for (row, cell) in rows.iter().enumerate() {
            // Parts come before their totals, so their rows are there.
            let parts: Vec<usize> =
                shape.relations_under(cells[*cell as usize]).next()?.filter_map(number).collect();
            for part in parts {
                match place[part] {
                    Place::Column(at) => entries[row * width + at as usize] += 1.0,
                    Place::Row(at) => {
                        let (before, own) = entries.split_at_mut(row * width);
                        let other = &before[at as usize * width..][..width];
                        own[..width].iter_mut().zip(other).for_each(|(own, other)| *own += other);
                    }
                }
            }
        }
        let first = First { place, rows, columns, entries };
        Some(Self {
            low: vec![0.0; cells.len()],
            high: vec![0.0; cells.len()],
            value: vec![0.0; cells.len()],
            cells,
            place: first.place.clone(),
            rows: first.rows.clone(),
            columns: first.columns.clone(),
            entries: first.entries.clone(),
            first: Box::new(first),
            pivots: 0,
            work: 0,
        })
    }

    /// Entries of the tableau.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Moves a cell by an amount, other cells within their bounds. `false` when it cannot be moved so far; then the
    /// movement is the farthest.
    pub fn reach(&mut self, cell: u32, sign: f64, amount: f64) -> bool {
        if self.pivots > FRESH {
            self.place.clone_from(&self.first.place);
            self.rows.clone_from(&self.first.rows);
            self.columns.clone_from(&self.first.columns);
            self.entries.clone_from(&self.first.entries);
            self.pivots = 0;
        }
        self.value.fill(0.0);
        self.go_on(cell, sign, amount)
    }

    /// The same from where the last question ended, after bounds were widened.
    pub fn go_on(&mut self, cell: u32, sign: f64, amount: f64) -> bool {
        for _ in 0..MOST_PIVOTS {
            let left = amount - sign * self.value[cell as usize];
            if left < EPSILON {
                return true;
            }
            let Some((column, direction, rate)) = self.entering(cell, sign) else { return false };
            self.advance(column, direction, left / rate);
        }
        false
    }

    /// The column that moves the cell most, the direction, and by how much.
    fn entering(&self, cell: u32, sign: f64) -> Option<(usize, f64, f64)> {
        let allowed = |at: u32, rate: f64| {
            let at = at as usize;
            (rate > EPSILON && self.value[at] < self.high[at] - EPSILON)
                || (rate < -EPSILON && self.value[at] > self.low[at] + EPSILON)
        };
        match self.place[cell as usize] {
            Place::Column(column) => allowed(cell, sign).then_some((column as usize, sign, 1.0)),
            Place::Row(row) => {
                let row = &self.entries[row as usize * self.columns.len()..][..self.columns.len()];
                let mut best: Option<(usize, f64)> = None;
                for (at, entry) in row.iter().enumerate() {
                    let rate = sign * entry;
                    if best.is_none_or(|(_, known)| rate.abs() > known.abs() + EPSILON)
                        && allowed(self.columns[at], rate)
                    {
                        best = Some((at, rate));
                    }
                }
                best.map(|(at, rate)| (at, rate.signum(), rate.abs()))
            }
        }
    }

    /// Moves a column until the goal, its own bound or that of a row; then the row takes its place.
    fn advance(&mut self, column: usize, direction: f64, goal: f64) {
        let own = self.columns[column] as usize;
        let bound =
            if direction > 0.0 { self.high[own] - self.value[own] } else { self.value[own] - self.low[own] };
        let (mut step, mut blocked) = (goal.min(bound), None::<(usize, bool, f64)>);
        let width = self.columns.len();
        for (row, cell) in self.rows.iter().enumerate() {
            let rate = self.entries[row * width + column] * direction;
            if rate.abs() < EPSILON {
                continue;
            }
            let at = *cell as usize;
            let room =
                if rate > 0.0 { self.high[at] - self.value[at] } else { self.value[at] - self.low[at] };
            let most = room.max(0.0) / rate.abs();
            let still = self.high[at] - self.low[at] < EPSILON;
            let better = match blocked {
                None => most < step - EPSILON || (most <= step && still),
                Some((_, known, size)) => {
                    most < step - EPSILON || (most <= step + EPSILON && (still, rate.abs()) > (known, size))
                }
            };
            if better {
                (step, blocked) = (most.min(step), Some((row, still, rate.abs())));
            }
        }
        self.value[own] += direction * step;
        for (row, cell) in self.rows.iter().enumerate() {
            self.value[*cell as usize] += self.entries[row * width + column] * direction * step;
        }
        if let Some((row, ..)) = blocked {
            self.pivot(row, column);
        }
    }

    fn pivot(&mut self, row: usize, column: usize) {
        let width = self.columns.len();
        let by = 1.0 / self.entries[row * width + column];
        let mut own: Vec<f64> =
            self.entries[row * width..][..width].iter().map(|entry| settled(-entry * by)).collect();
        own[column] = settled(by);
        for (at, line) in self.entries.chunks_exact_mut(width).enumerate() {
            let factor = line[column];
            if at == row || factor.abs() < EPSILON {
                continue;
            }
            line[column] = 0.0;
            line.iter_mut().zip(&own).for_each(|(entry, own)| *entry += factor * own);
        }
        self.entries[row * width..][..width].copy_from_slice(&own);
        std::mem::swap(&mut self.rows[row], &mut self.columns[column]);
        self.place[self.rows[row] as usize] = Place::Row(row as u32);
        self.place[self.columns[column] as usize] = Place::Column(column as u32);
        (self.pivots, self.work) = (self.pivots + 1, self.work + 1);
        if self.pivots.is_multiple_of(SETTLED) {
            self.entries.iter_mut().for_each(|entry| *entry = settled(*entry));
        }
    }

    /// After a cell could not be moved far enough: the cells that do not move and hold it back.
    pub fn holding(&self, cell: u32) -> Vec<u32> {
        let still = |at: u32| self.high[at as usize] - self.low[at as usize] < EPSILON;
        match self.place[cell as usize] {
            Place::Column(_) => vec![cell],
            Place::Row(row) => {
                let row = &self.entries[row as usize * self.columns.len()..][..self.columns.len()];
                let held =
                    row.iter().zip(&self.columns).filter(|(entry, at)| entry.abs() > EPSILON && still(**at));
                held.map(|(_, at)| *at).collect()
            }
        }
    }

    /// The last movement in whole numbers, if it is one: cells that move, by number.
    pub fn whole(&self) -> Option<Vec<(u32, i32)>> {
        let mut moved = Vec::new();
        for (at, value) in self.value.iter().enumerate() {
            let whole = value.round();
            if (value - whole).abs() > 1e-6 {
                return None;
            }
            if whole != 0.0 {
                moved.push((at as u32, whole as i32));
            }
        }
        Some(moved)
    }
}
