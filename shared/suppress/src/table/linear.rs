//! The search for one witness by linear programming: any integer movement, not only products.
//!
//! One unknown up and one down per cell; one row per margin; the price of a movement is the price of the published
//! cells it changes. In a large table only the cells of a *window* may move: the cell's unit, a few others, and the
//! total. The solver proposes; what it says is believed only when whole numbers keep to the bounds. Written as
//! steps, each finest cell with all of its margins, a movement cannot break a relation. A failure only ever means
//! that more is withheld.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use super::board::{Board, UNIT};
use super::search::{Query, mix};
use super::shape::MAX_DIMENSIONS;
use super::witness::{Step, Witness};
use super::{Effort, Mark};

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

/// How a movement of more than one is sought.
enum Share<'a> {
    /// A movement of one that can be repeated.
    Equal,
    /// A movement of so many, perhaps within another.
    Split(i32, Option<&'a [i64]>),
}

impl Share<'_> {
    fn moved(&self) -> i64 {
        match self {
            Self::Equal => 1,
            Self::Split(amount, _) => i64::from(*amount),
        }
    }

    /// How far up and down a cell may go.
    fn bounds(&self, board: &Board, query: &Query, cell: u32, place: usize) -> (f64, f64) {
        let room = board.y[cell as usize] - 1;
        match self {
            Self::Equal => (f64::INFINITY, f64::from(room / query.amount)),
            Self::Split(_, None) => (f64::INFINITY, f64::from(room)),
            Self::Split(_, Some(within)) => (within[place].max(0) as f64, (-within[place]).max(0) as f64),
        }
    }
}

impl Board {
    /// Whether models are worth their while: of the whole table, or, with high effort, of three units and the
    /// total.
    pub fn linear_fits(&self) -> bool {
        let high = self.effort == Effort::High;
        self.shape.len() <= MOST_CELLS || (high && self.shape.stride(0) * 4 <= MOST_CELLS)
    }

    /// A witness of a query by linear programming; `free`: within what is withheld. Never the grand total. `round`
    /// varies the window. The movement may split between cells; then it is cut into movements of one, each of
    /// which leaves a possible table, and if that fails it is sought again in equal shares.
    pub fn linear(&mut self, query: &Query, free: bool, round: u64) -> Option<Vec<Step>> {
        let window = self.window(query, round);
        if query.amount > 1
            && let Some(whole) = self.solve(query, &window, free, Share::Split(query.amount, None))
            && let Some(steps) = self.cut(query, &window, &whole)
        {
            return Some(steps);
        }
        let share = self.solve(query, &window, free, Share::Equal)?;
        let steps = self.as_steps(&window, query.amount, &share)?;
        self.keeps(query, query.amount, &steps, free).then_some(steps)
    }

    /// Cuts a movement into movements of one that point the same way in every cell.
    fn cut(&mut self, query: &Query, window: &Window, whole: &[i64]) -> Option<Vec<Step>> {
        let (mut rest, mut steps, mut ends) = (whole.to_vec(), Vec::new(), Vec::new());
        for left in (1..query.amount).rev() {
            let one = self.solve(query, window, false, Share::Split(1, Some(&rest)))?;
            rest.iter_mut().zip(&one).for_each(|(rest, one)| *rest -= one);
            steps.extend(self.as_steps(window, 1, &one)?);
            ends.push(steps.len());
            if !self.keeps(query, query.amount - left, &steps, false) {
                return None;
            }
        }
        steps.extend(self.as_steps(window, 1, &rest)?);
        let apart = ends.iter().all(|end| self.within(&steps[..*end], &steps));
        (apart && self.keeps(query, query.amount, &steps, false)).then_some(steps)
    }

    /// Whether some steps change only what all of them together change: only that stays withheld.
    pub fn within(&self, part: &[Step], whole: &[Step]) -> bool {
        let cells = |steps: &[Step]| {
            let steps = steps.to_vec();
            Witness { cell: 0, steps }.changes(&self.shape)
        };
        let whole = cells(whole);
        cells(part).iter().all(|(cell, _)| whole.binary_search_by_key(cell, |(cell, _)| *cell).is_ok())
    }

    /// The movement of every cell of a window.
    fn solve(&mut self, query: &Query, window: &Window, free: bool, share: Share<'_>) -> Option<Vec<i64>> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let unknowns: Vec<Unknowns> = window
            .cells()
            .enumerate()
            .map(|(place, cell)| {
                self.unknowns(query, cell, free, &share.bounds(self, query, cell, place), &mut problem)
            })
            .collect();
        let own = i64::from(query.sign) * share.moved();
        let size = self.rows(query.cell, own, (window, &unknowns), &mut problem)?;
        self.work += TERM * size as u64;
        let outcome = problem.solve().ok()?;
        let solution = outcome.solution()?;
        let value = |unknown: &Option<Variable>| unknown.map_or(0.0, |at| solution.var_value(at));
        let change = window.cells().zip(&unknowns).map(|(cell, (up, down))| {
            let moved = (value(up) - value(down)).round() as i64;
            moved + if cell == query.cell { own } else { 0 }
        });
        Some(change.collect())
    }

    fn window(&self, query: &Query, round: u64) -> Window {
        let (block, total) = (self.shape.stride(0), self.shape.total_code(0));
        let own = self.shape.code(query.cell, 0);
        let room = (MOST_CELLS / block).saturating_sub(2).max(2) as usize;
        let mut others: Vec<u32> =
            (0..total).filter(|unit| *unit != own && !query.avoid.contains(&(*unit as u16))).collect();
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

    fn unknowns(
        &self,
        query: &Query,
        cell: u32,
        free: bool,
        (most_up, most_down): &(f64, f64),
        problem: &mut Problem,
    ) -> Unknowns {
        let at = cell as usize;
        let price = match self.marks[at] {
            _ if cell == query.cell || cell + 1 == self.shape.len() => return (None, None),
            Mark::Primary | Mark::Secondary => WITHHELD,
            Mark::Published if !free => self.noisy_price(cell) as f64 / UNIT as f64,
            Mark::Published | Mark::Zero => return (None, None),
        };
        let mut unknown = |most: f64| (most >= 1.0).then(|| problem.add_var(price, (0.0, most)));
        (unknown(*most_up), unknown(*most_down))
    }

    /// One row per margin, through its first total; gives the number of terms. `None` when the cell cannot move.
    fn rows(
        &self,
        moved: u32,
        own: i64,
        (window, unknowns): (&Window, &[Unknowns]),
        problem: &mut Problem,
    ) -> Option<usize> {
        let (mut size, shape) = (0, &self.shape);
        for cell in window.cells() {
            let Some(dimension) = (0..shape.dimensions()).find(|at| shape.is_total(cell, *at)) else {
                continue;
            };
            let (mut terms, mut given, mut count) = (LinearExpr::empty(), 0.0, 0);
            for back in 0..=shape.total_code(dimension) {
                let sign = if back == 0 { -1.0 } else { 1.0 };
                let part = cell - back * shape.stride(dimension);
                if part == moved {
                    given -= sign * own as f64;
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
    fn keeps(&self, query: &Query, amount: i32, steps: &[Step], free: bool) -> bool {
        let witness = Witness { cell: query.cell, steps: steps.to_vec() };
        let mut moved = false;
        let fits = witness.changes(&self.shape).into_iter().all(|(cell, by)| {
            let at = cell as usize;
            moved |= cell == query.cell && by == amount * i32::from(query.sign);
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
