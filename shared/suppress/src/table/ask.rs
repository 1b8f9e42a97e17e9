//! Questions to a [`Kernel`] about a small table: is there a movement of a cell within these cells, without those who know some?
//!
//! Exact up to rounding, of any movement and not only of products. An answer is in whole numbers, in parts that each leave a
//! possible table; a movement that is not whole is taken for none. No answer names the cells that hold the target back: at least
//! one of them must be let go (a Benders cut; Fischetti & Salazar 2001).

use super::board::Board;
use super::kernel::Kernel;
use super::search::Query;
use super::witness::Step;

/// The kernel of a board, and what bounds its cells.
#[derive(Clone)]
pub struct Asker {
    kernel: Kernel,
    /// Per number how far down it may go, and who knows it.
    room: Vec<i32>,
    unit: Vec<Option<u32>>,
    person: Vec<Option<u32>>,
    /// Numbers of the cells that held the last question back that had no answer.
    held: Vec<u32>,
}

/// A movement in whole numbers, by number.
type Whole = Vec<(u32, i32)>;

impl Asker {
    /// For a board whose tableau has at most so many entries and whose grid is complete.
    pub fn new(board: &Board, most: usize) -> Option<Self> {
        let kernel = Kernel::new(board, most)?;
        Some(Self {
            room: kernel.cells.iter().map(|cell| board.room(*cell as usize)).collect(),
            unit: kernel.cells.iter().map(|cell| board.shape.unit_of(*cell).map(u32::from)).collect(),
            person: kernel.cells.iter().map(|cell| board.knowers.person(*cell)).collect(),
            held: Vec::new(),
            kernel,
        })
    }

    /// Entries of the tableau.
    pub fn entries(&self) -> u64 {
        self.kernel.entries() as u64
    }

    /// Pivots done, and questions counted as one pivot each.
    pub fn work(&self) -> u64 {
        self.kernel.work
    }

    /// Cells that held the last question back that had no answer: at least one of them must be let go.
    pub fn held(&self) -> Vec<u32> {
        self.held.iter().map(|at| self.kernel.cells[*at as usize]).collect()
    }

    fn bound(&mut self, query: &Query, moves: &dyn Fn(u32) -> bool, shares: i32) {
        for (at, cell) in self.kernel.cells.iter().enumerate() {
            let among = |one: Option<u32>| one.is_some_and(|one| query.avoid.contains(&one));
            let known = !query.avoid.is_empty() && (among(self.unit[at]) || among(self.person[at]));
            (self.kernel.low[at], self.kernel.high[at]) = match !known && moves(*cell) {
                true => (-f64::from(self.room[at] / shares), f64::INFINITY),
                false => (0.0, 0.0),
            };
        }
    }

    /// A movement for a query of cells that may move.
    pub fn ask(&mut self, query: &Query, moves: &dyn Fn(u32) -> bool) -> Option<Vec<Step>> {
        self.kernel.work += 1;
        let own = self.kernel.cells.binary_search(&query.cell).ok()? as u32;
        let sign = f64::from(query.sign);
        self.bound(query, moves, query.amount);
        if self.kernel.reach(own, sign, 1.0)
            && let Some(share) = self.kernel.whole()
        {
            return Some(vec![self.step(&share, query.amount)]);
        }
        self.held = self.kernel.holding(own);
        if query.amount < 2 {
            return None;
        }
        self.bound(query, moves, 1);
        if !self.kernel.reach(own, sign, f64::from(query.amount)) {
            self.held = self.kernel.holding(own);
            return None;
        }
        let whole = self.kernel.whole()?;
        self.cut(own, query, whole)
    }

    /// Cuts a movement into movements of one, each within the rest.
    fn cut(&mut self, own: u32, query: &Query, mut rest: Whole) -> Option<Vec<Step>> {
        let mut parts = Vec::new();
        for _ in 1..query.amount {
            self.kernel.low.fill(0.0);
            self.kernel.high.fill(0.0);
            for (at, by) in &rest {
                self.kernel.low[*at as usize] = f64::from((*by).min(0));
                self.kernel.high[*at as usize] = f64::from((*by).max(0));
            }
            if !self.kernel.reach(own, f64::from(query.sign), 1.0) {
                return None;
            }
            let one = self.kernel.whole()?;
            for (at, by) in &one {
                if let Ok(place) = rest.binary_search_by_key(at, |(at, _)| *at) {
                    rest[place].1 -= by;
                }
            }
            rest.retain(|(_, by)| *by != 0);
            parts.push(self.step(&one, 1));
        }
        parts.push(self.step(&rest, 1));
        Some(parts)
    }

    fn step(&self, whole: &Whole, times: i32) -> Step {
        Step::Cells(whole.iter().map(|(at, by)| (self.kernel.cells[*at as usize], by * times)).collect())
    }
}
