//! The search for one witness by linear programming: any integer movement, not only products.
//!
//! One unknown up and one down per cell; one row per margin; the price of a movement is the price of the published
//! cells it changes. In a large table only the cells of a *window* may move: the cell's unit, a few others, and the
//! total. The solver proposes; what it says is believed only when whole numbers keep to the bounds. Written as
//! steps, each finest cell with all of its margins, a movement cannot break a relation. A failure only ever means
//! that more is withheld.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use super::Mark;
use super::board::{Board, UNIT};
use super::search::{Query, mix};
use super::shape::MAX_DIMENSIONS;
use super::witness::{Step, Witness};

/// Most cells of a window.
const MOST_CELLS: u32 = 640;
/// Price of a cell that is withheld anyway, in cells: of two witnesses the shorter one.
const WITHHELD: f64 = 0.01;
/// Work that a model's term stands for, in corner checks.
const TERM: u64 = 40;

/// The unknowns of a cell: up, and down where it can.
type Unknowns = (Option<Variable>, Option<Variable>);

/// The cells that may move.
struct Window {
    /// Units, the total last.
    units: Vec<u32>,
    /// Cells per unit.
    block: u32,
}

impl Window {
    fn cells(&self) -> impl Iterator<Item = u32> + '_ {
        self.units.iter().flat_map(|unit| unit * self.block..(unit + 1) * self.block)
    }

    fn place(&self, cell: u32) -> Option<usize> {
        let unit = self.units.binary_search(&(cell / self.block)).ok()?;
        Some(unit * self.block as usize + (cell % self.block) as usize)
    }
}

impl Board {
    /// Whether a window of three units and the total is small enough for a model.
    pub fn linear_fits(&self) -> bool {
        self.shape.stride(0) * 4 <= MOST_CELLS
    }

    /// A witness of a query by linear programming; `free`: within what is withheld. Never the grand total. `round`
    /// varies the window.
    pub fn linear(&mut self, query: &Query, free: bool, round: u64) -> Option<Vec<Step>> {
        let window = self.window(query, round);
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let unknowns: Vec<Unknowns> = window
            .cells()
            .map(|cell| self.unknowns(query, cell, free, &mut problem))
            .collect();
        let size = self.rows(query, &window, &unknowns, &mut problem)?;
        self.work += TERM * size as u64;
        let outcome = problem.solve().ok()?;
        let solution = outcome.solution()?;
        let change: Vec<i64> = window
            .cells()
            .zip(&unknowns)
            .map(|(cell, (up, down))| {
                let value = |unknown: &Option<Variable>| unknown.map_or(0.0, |at| solution.var_value(at));
                let own = if cell == query.cell { i64::from(query.sign) } else { 0 };
                (value(up) - value(down)).round() as i64 + own
            })
            .collect();
        let steps = self.as_steps(&window, query.amount, &change)?;
        self.keeps(query, &steps, free).then_some(steps)
    }

    fn window(&self, query: &Query, round: u64) -> Window {
        let (block, total) = (self.shape.stride(0), self.shape.total_code(0));
        let own = self.shape.code(query.cell, 0);
        let room = (MOST_CELLS / block).saturating_sub(2).max(2) as usize;
        let mut others: Vec<u32> = (0..total)
            .filter(|unit| *unit != own && !query.avoid.contains(&(*unit as u16)))
            .collect();
        if others.len() > room {
            let draw = |unit: u32| mix(round ^ u64::from(query.cell) << 20 ^ u64::from(unit));
            others.sort_by_key(|unit| (draw(*unit), *unit));
            others.truncate(room);
        }
        others.extend([own, total]);
        others.sort_unstable();
        others.dedup();
        Window { units: others, block }
    }

    fn unknowns(&self, query: &Query, cell: u32, free: bool, problem: &mut Problem) -> Unknowns {
        let at = cell as usize;
        let price = match self.marks[at] {
            _ if cell == query.cell || cell + 1 == self.shape.len() => return (None, None),
            Mark::Primary | Mark::Secondary => WITHHELD,
            Mark::Published if !free => self.noisy_price(cell) as f64 / UNIT as f64,
            Mark::Published | Mark::Zero => return (None, None),
        };
        let most = (self.y[at] - 1) / query.amount;
        let up = problem.add_var(price, (0.0, f64::INFINITY));
        let down = (most > 0).then(|| problem.add_var(price, (0.0, f64::from(most))));
        (Some(up), down)
    }

    /// One row per margin, through its first total; gives the number of terms. `None` when the cell cannot move.
    fn rows(&self, query: &Query, window: &Window, unknowns: &[Unknowns], problem: &mut Problem) -> Option<usize> {
        let (mut size, shape) = (0, &self.shape);
        for cell in window.cells() {
            let Some(dimension) = (0..shape.dimensions()).find(|at| shape.is_total(cell, *at)) else { continue };
            let (mut terms, mut given, mut count) = (LinearExpr::empty(), 0.0, 0);
            for back in 0..=shape.total_code(dimension) {
                let sign = if back == 0 { -1.0 } else { 1.0 };
                let part = cell - back * shape.stride(dimension);
                if part == query.cell {
                    given -= sign * f64::from(query.sign);
                }
                let Some(place) = window.place(part) else { continue };
                let (up, down) = unknowns[place];
                for (unknown, factor) in [(up, sign), (down, -sign)] {
                    if let Some(unknown) = unknown {
                        terms.add(unknown, factor);
                        count += 1;
                    }
                }
            }
            if count == 0 && given != 0.0 {
                return None;
            }
            if count > 0 {
                problem.add_constraint(terms, ComparisonOp::Eq, given);
                size += count;
            }
        }
        Some(size)
    }

    /// Every finest cell that changes, with all of its margins.
    fn as_steps(&self, window: &Window, amount: i32, change: &[i64]) -> Option<Vec<Step>> {
        let mut other = [0u16; MAX_DIMENSIONS];
        for (at, other) in other.iter_mut().enumerate().take(self.shape.dimensions()) {
            *other = self.shape.total_code(at) as u16;
        }
        let mut steps = Vec::new();
        for (cell, by) in window.cells().zip(change) {
            if *by != 0 && self.shape.totals(cell) == 0 {
                let amount = i32::try_from(*by).ok()?.checked_mul(amount)?;
                steps.push(Step { cell, amount, other });
            }
        }
        Some(steps)
    }

    /// Whether steps move the cell as asked, keep every cell ≥ 1 and keep to what may move.
    fn keeps(&self, query: &Query, steps: &[Step], free: bool) -> bool {
        let witness = Witness {
            cell: query.cell,
            steps: steps.to_vec(),
        };
        let mut moved = false;
        let fits = witness.changes(&self.shape).into_iter().all(|(cell, by)| {
            let at = cell as usize;
            moved |= cell == query.cell && by == query.amount * i32::from(query.sign);
            let may = self.marks[at].withheld() || (!free && self.marks[at] == Mark::Published);
            may && self.y[at] + by >= 1 && cell + 1 != self.shape.len()
        });
        let avoided = steps.iter().all(|step| {
            let unit = self.shape.code(step.cell, 0) as u16;
            !query.avoid.contains(&unit)
        });
        fits && moved && avoided
    }
}
