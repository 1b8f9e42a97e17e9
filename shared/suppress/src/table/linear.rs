//! The search for one witness by linear programming: any integer movement, not only products.
//!
//! One unknown up and one down per cell; one row per margin; the price of a movement is the price of the published
//! cells it changes. In a large table only the cells of a *window* may move: the cell's unit, a few others, and the
//! total. The solver proposes; what it says is believed only when whole numbers keep to the bounds and to every relation. A
//! failure only ever means that more is withheld.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use super::board::{Board, UNIT};
use super::knowers::Knowers;
use super::search::{Query, mix};
use super::witness::{Step, Witness};
use super::{Effort, Mark};

/// Most cells of a window.
const MOST_CELLS: u32 = 640;
/// The same where nothing else was found.
const LAST_CELLS: u32 = 4_000;
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
        let room = board.room(cell as usize);
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
        (self.present <= MOST_CELLS && !self.complete) || (high && self.block() * 4 <= MOST_CELLS)
    }

    /// Cells of an area, about.
    fn block(&self) -> u32 {
        self.present.div_ceil(self.shape.total_code(0) + 1).max(1)
    }

    /// A witness by linear programming where nothing else was found: over more cells, at any price.
    pub fn linear_last(&mut self, query: &Query) -> Option<Vec<Step>> {
        let window = self.window(query, 0, LAST_CELLS);
        self.linear_in(query, &window, false)
    }

    /// A witness of a query by linear programming; `free`: within what is withheld. Never the grand total. `round`
    /// varies the window. The movement may split between cells; then it is cut into movements of one, each of
    /// which leaves a possible table, and if that fails it is sought again in equal shares.
    pub fn linear(&mut self, query: &Query, free: bool, round: u64) -> Option<Vec<Step>> {
        let window = self.window(query, round, MOST_CELLS);
        self.linear_in(query, &window, free)
    }

    fn linear_in(&mut self, query: &Query, window: &Window, free: bool) -> Option<Vec<Step>> {
        if query.amount > 1
            && let Some(whole) = self.solve(query, window, free, Share::Split(query.amount, None))
            && let Some(steps) = self.cut(query, window, &whole)
        {
            return Some(steps);
        }
        let share = self.solve(query, window, free, Share::Equal)?;
        let steps = self.as_steps(window, query.amount, &share);
        self.keeps(query, query.amount, &steps, free).then_some(steps)
    }

    /// Cuts a movement into movements of one that point the same way in every cell.
    fn cut(&mut self, query: &Query, window: &Window, whole: &[i64]) -> Option<Vec<Step>> {
        let (mut rest, mut steps, mut ends) = (whole.to_vec(), Vec::new(), Vec::new());
        for left in (1..query.amount).rev() {
            let one = self.solve(query, window, false, Share::Split(1, Some(&rest)))?;
            rest.iter_mut().zip(&one).for_each(|(rest, one)| *rest -= one);
            steps.extend(self.as_steps(window, 1, &one));
            ends.push(steps.len());
            if !self.keeps(query, query.amount - left, &steps, false) {
                return None;
            }
        }
        steps.extend(self.as_steps(window, 1, &rest));
        let apart = ends.iter().all(|end| self.within(&steps[..*end], &steps));
        (apart && self.keeps(query, query.amount, &steps, false)).then_some(steps)
    }

    /// Whether some steps change only what all of them together change: only that stays withheld.
    pub fn within(&self, part: &[Step], whole: &[Step]) -> bool {
        let cells = |steps: &[Step]| {
            let steps = steps.to_vec();
            Witness { cell: 0, steps }.changes(&self.shape, &self.marks)
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

    fn window(&self, query: &Query, round: u64, most: u32) -> Window {
        let area = self.shape.dimension(0);
        let total = u32::from(area.total());
        let allowed = |code: &u32| !Knowers::unit_in(&self.shape, *code, &query.avoid);
        let own = self.shape.code(query.cell, 0);
        let mut inside: Vec<u32> = area.leaves_of(own as u16).into_iter().map(u32::from).collect();
        if own == total {
            inside.clear();
        }
        let groups: Vec<u32> = (u32::from(area.leaves())..=total).filter(allowed).collect();
        let taken = (groups.len() + inside.len()).max(2) as u32;
        let room = (most / self.block()).saturating_sub(taken).max(2) as usize;
        let mut others: Vec<u32> =
            (0..u32::from(area.leaves())).filter(|code| !inside.contains(code) && allowed(code)).collect();
        if others.len() > room {
            let draw = |unit: u32| mix(round ^ u64::from(query.cell) << 20 ^ u64::from(unit));
            others.sort_by_key(|unit| (draw(*unit), *unit));
            others.truncate(room);
        }
        others.extend(inside.into_iter().chain(groups));
        others.sort_unstable();
        others.dedup();
        Window { units: others, block: self.shape.stride(0) }
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
            _ if self.knowers.known_to(cell, &query.avoid) => return (None, None),
            Mark::Primary | Mark::Secondary | Mark::Unprinted => WITHHELD,
            Mark::Published if !free => self.noisy_price(cell) as f64 / UNIT as f64,
            Mark::Published | Mark::Zero | Mark::Fixed | Mark::Absent => return (None, None),
        };
        let mut unknown = |most: f64| (most >= 1.0).then(|| problem.add_var(price, (0.0, most)));
        (unknown(*most_up), unknown(*most_down))
    }

    /// One row per margin, through its first relation, which is enough where every cell is there; else one per relation
    /// whose cells are. Gives the number of terms. `None` when the cell cannot move.
    fn rows(
        &self,
        moved: u32,
        own: i64,
        (window, unknowns): (&Window, &[Unknowns]),
        problem: &mut Problem,
    ) -> Option<usize> {
        let mut size = 0;
        for cell in window.cells() {
            let most = if self.complete { 1 } else { usize::MAX };
            for parts in self.shape.relations_under(cell).take(most) {
                let (mut terms, mut given, mut count) = (LinearExpr::empty(), 0.0, 0);
                let mut whole = true;
                for (cell, sign) in std::iter::once((cell, -1.0)).chain(parts.map(|part| (part, 1.0))) {
                    whole &= self.marks[cell as usize] != Mark::Absent;
                    if cell == moved {
                        given -= sign * own as f64;
                    }
                    let Some(place) = window.place(cell) else { continue };
                    let (up, down) = unknowns[place];
                    for (unknown, factor) in [(up, sign), (down, -sign)] {
                        if let Some(unknown) = unknown {
                            terms.add(unknown, factor);
                            count += 1;
                        }
                    }
                }
                if whole && count == 0 && given != 0.0 {
                    return None;
                }
                if whole && count > 0 {
                    problem.add_constraint(terms, ComparisonOp::Eq, given);
                    size += count;
                }
            }
        }
        Some(size)
    }

    /// The cells that change, so many times.
    fn as_steps(&self, window: &Window, amount: i32, change: &[i64]) -> Vec<Step> {
        let changes = window.cells().zip(change).filter(|(_, by)| **by != 0);
        // Movements are bounded by counts, which an i32 holds; one that is not is refused by its bounds.
        let narrow = |by: i64| i32::try_from(by).unwrap_or(i32::MIN).saturating_mul(amount);
        vec![Step::Cells(changes.map(|(cell, by)| (cell, narrow(*by))).collect())]
    }

    /// Whether every relation of the cells of a movement is left alone.
    fn even(&self, changes: &[(u32, i32)]) -> bool {
        let by = |cell: u32| {
            let at = changes.binary_search_by_key(&cell, |(cell, _)| *cell);
            at.map_or(0, |at| i64::from(changes[at].1))
        };
        let shape = &self.shape;
        changes.iter().all(|(cell, _)| {
            (0..shape.dimensions()).all(|at| {
                let code = shape.code(*cell, at) as u16;
                let relations = shape.dimension(at).relations().iter();
                relations.filter(|known| known.total == code || known.parts.contains(&code)).all(|known| {
                    let place = |code: u16| shape.with_code(*cell, at, code);
                    let all = || known.parts.iter().chain([&known.total]).map(|code| place(*code));
                    let whole = all().all(|cell| self.marks[cell as usize] != Mark::Absent);
                    let sum: i64 = known.parts.iter().map(|code| by(place(*code))).sum();
                    !whole || sum == by(place(known.total))
                })
            })
        })
    }

    /// Whether steps move the cell as asked, keep every cell ≥ 1 and keep to what may move.
    pub fn keeps(&self, query: &Query, amount: i32, steps: &[Step], free: bool) -> bool {
        let witness = Witness { cell: query.cell, steps: steps.to_vec() };
        let changes = witness.changes(&self.shape, &self.marks);
        let mut moved = false;
        let fits = changes.iter().all(|(cell, by)| {
            let at = *cell as usize;
            moved |= *cell == query.cell && *by == amount * i32::from(query.sign);
            let may = self.marks[at].moves() || (!free && self.marks[at] == Mark::Published);
            may && self.room(at) + by >= 0 && cell + 1 != self.shape.len()
        });
        let known = self.knowers.of(&self.shape, &self.marks, &witness, true);
        fits && moved && !known.iter().any(|one| query.avoid.contains(one)) && self.even(&changes)
    }
}
