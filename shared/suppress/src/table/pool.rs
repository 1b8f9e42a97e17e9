//! Small tables: every product of every small cell listed once, and a search over sets of withheld cells.
//!
//! In a small table a small cell has a few hundred products. Listed with the cells they change, and with how many of
//! those are not withheld yet, it takes a microsecond to say whether a small cell is served by a set of withheld cells,
//! and which one further cell would serve it. So a great many sets can be tried: leave a cell out, put another in its
//! place, add one. Movements that linear models found join the list.
//!
//! Finds sets; what it found becomes witnesses of the board, which prunes further. Deterministic: work is counted, random
//! numbers come from a counter (Kirkpatrick, Gelatt & Vecchi 1983).

mod repair;

use std::collections::BTreeSet;

use super::Mark;
use super::ask::Asker;
use super::board::{Board, UNIT};
use super::improve::Dice;
use super::shape::MAX_DIMENSIONS;
use super::target::{DOWN, INSIDER, SLOTS, Target, UP};
use super::witness::{Product, Step, Witness};

/// Most cells of a table with a pool.
const MOST_CELLS: u32 = 2_048;
/// Pivots that a set stands for.
const SET: u64 = 15;
/// Most entries of a tableau that questions are asked of.
const MOST_TABLEAU: usize = 150_000;
/// Most units, and persons alone in a cell.
const MOST_KNOWERS: usize = 128;
/// Most products listed.
const MOST_CANDIDATES: usize = 600_000;
/// Of so many disturbances that cost no more, one may cost a cell more.
const RAISE: usize = 24;
/// Cells over the best set at which the search goes back to it.
const STRAY: u64 = 3;

/// A movement of a small cell.
#[derive(Clone)]
struct Candidate {
    target: u32,
    /// Its steps for a change of `+1`; of a found witness the steps themselves.
    steps: Vec<Step>,
    /// How far it may go up and down; a found witness goes one way by its own amount.
    most: [i32; 2],
    /// Whether steps are multiplied by the amount.
    scales: bool,
    /// Those who know cells that it changes, a bit each.
    units: u128,
    /// Cells that it changes and that are not small.
    cells: Vec<u32>,
}

impl Candidate {
    fn goes(&self, way: usize, amount: i32) -> bool {
        if self.scales { self.most[way] >= amount } else { self.most[way] == amount }
    }

    fn least_down(&self) -> i32 {
        if self.scales { 1 } else { self.most[DOWN] }
    }

    /// Whether it serves a slot of a target.
    fn serves(&self, wanted: &Target, slot: usize) -> bool {
        match slot {
            UP if !wanted.either => wanted.up > 0 && self.goes(UP, i32::from(wanted.up)),
            DOWN => wanted.down > 0 && self.goes(DOWN, i32::from(wanted.down)),
            // Any second value: found witnesses go by their own amount.
            _ => self.most[UP] > 0 || self.most[DOWN] > 0 && i32::from(wanted.room) >= self.least_down(),
        }
    }
}

/// Budget of one search.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Disturbances.
    pub sets: u64,
    /// Linear models.
    pub models: u64,
}

/// A price and the withheld cells that cost it.
type Set = (u64, Vec<u32>);

/// Candidates and the set of withheld cells.
#[derive(Clone)]
pub struct Pool {
    list: Vec<Candidate>,
    /// Per candidate how many of its cells are not withheld.
    missing: Vec<u16>,
    /// All who know some cells, sorted: at most as many as there are bits.
    knowers: Vec<u32>,
    of_target: Vec<Vec<u32>>,
    of_cell: Vec<Vec<u32>>,
    withheld: Vec<bool>,
    members: Vec<u32>,
    place: Vec<u32>,
    price: u64,
    targets: Vec<Target>,
    /// Whether a cell may move at no price.
    free: Vec<bool>,
    marks: Vec<Mark>,
    cost: Vec<u64>,
    models: u64,
    /// Per cell the target that could not do without it last time.
    needed_by: Vec<u16>,
    /// Answers whether a movement there is, where the table is small enough.
    asker: Option<Asker>,
}

impl Pool {
    /// The pool of a board that has a witness for every target; `None` when the table is too large.
    pub fn new(board: &Board) -> Option<Self> {
        let cells = board.shape.len() as usize;
        if board.shape.len() > MOST_CELLS || board.pinned.contains(&true) {
            return None;
        }
        let products: usize = board
            .targets
            .iter()
            .map(|target| movements(board, target.cell).iter().map(Vec::len).product::<usize>())
            .sum();
        if products > MOST_CANDIDATES {
            return None;
        }
        let knowers = board.knowers.all(&board.shape);
        if knowers.len() > MOST_KNOWERS {
            return None;
        }
        let mut pool = Self {
            list: Vec::new(),
            missing: Vec::new(),
            knowers,
            of_target: vec![Vec::new(); board.targets.len()],
            of_cell: vec![Vec::new(); cells],
            withheld: vec![false; cells],
            members: Vec::new(),
            place: vec![0; cells],
            price: 0,
            targets: guarded(board),
            free: board.marks.iter().map(|mark| matches!(mark, Mark::Primary | Mark::Unprinted)).collect(),
            marks: board.marks.clone(),
            cost: board.cost.clone(),
            models: 0,
            needed_by: vec![u16::MAX; cells],
            asker: Asker::new(board, MOST_TABLEAU),
        };
        (0..board.targets.len()).for_each(|target| pool.list_products(board, target));
        pool.read(board);
        Some(pool)
    }

    fn list_products(&mut self, board: &Board, target: usize) {
        let (shape, cell) = (&board.shape, board.targets[target].cell);
        let movements = movements(board, cell);
        let mut seen: BTreeSet<Vec<(u32, i32)>> = BTreeSet::new();
        for number in 0..movements.iter().map(Vec::len).product() {
            let (mut rest, mut other, mut start) = (number, [0u16; MAX_DIMENSIONS], cell);
            for (at, list) in movements.iter().enumerate() {
                let (leaf, code) = list[rest % list.len()];
                rest /= list.len();
                other[at] = code;
                start = shape.with_code(start, at, leaf);
            }
            let product = Product { cell: start, amount: 1, other };
            let (mut most, mut possible) = ([i32::MAX; 2], true);
            product.corners(shape, |corner, sign| {
                let at = corner as usize;
                if board.marks[at] == Mark::Absent {
                    return;
                }
                possible &= !matches!(board.marks[at], Mark::Zero | Mark::Fixed)
                    && (corner == cell || corner + 1 != shape.len());
                let way = usize::from(sign > 0);
                most[way] = most[way].min(board.room(at));
            });
            if possible && (most[UP] > 0 || most[DOWN] > 0) {
                let step = Step::Product(product);
                // Where cells are in no table, several products are the same movement.
                let steps = vec![step];
                let fresh = board.complete
                    || seen.insert(Witness { cell, steps: steps.clone() }.changes(shape, &board.marks));
                if fresh {
                    self.push(board, target, steps, most, true);
                }
            }
        }
    }

    /// Lists a movement of a target that is there or was found.
    fn add(&mut self, board: &Board, target: usize, steps: &[Step]) {
        let cell = board.targets[target].cell;
        let witness = Witness { cell, steps: steps.to_vec() };
        let moved = witness
            .changes(&board.shape, &board.marks)
            .iter()
            .find(|(at, _)| *at == cell)
            .map_or(0, |(_, by)| *by);
        let most = if moved > 0 { [moved, 0] } else { [0, -moved] };
        let same = |at: &u32| {
            let known = &self.list[*at as usize];
            !known.scales && known.most == most && known.steps == steps
        };
        if !self.of_target[target].iter().any(same) {
            self.push(board, target, steps.to_vec(), most, false);
        }
    }

    fn push(&mut self, board: &Board, target: usize, steps: Vec<Step>, most: [i32; 2], scales: bool) {
        let witness = Witness { cell: board.targets[target].cell, steps };
        let units = self.bits(&board.knowers_of(&witness, target));
        let changed = witness.changes(&board.shape, &board.marks).into_iter().map(|(cell, _)| cell);
        let cells: Vec<u32> = changed.filter(|cell| !self.free[*cell as usize]).collect();
        let at = self.list.len() as u32;
        let missing = cells.iter().filter(|cell| !self.withheld[**cell as usize]).count();
        cells.iter().for_each(|cell| self.of_cell[*cell as usize].push(at));
        self.of_target[target].push(at);
        let steps = witness.steps;
        self.missing.push(missing as u16);
        self.list.push(Candidate { target: target as u32, steps, most, scales, units, cells });
    }

    fn withhold(&mut self, cell: u32) {
        let at = cell as usize;
        self.withheld[at] = true;
        self.place[at] = self.members.len() as u32;
        self.members.push(cell);
        self.price += self.cost[at];
        for candidate in &self.of_cell[at] {
            self.missing[*candidate as usize] -= 1;
        }
    }

    fn publish(&mut self, cell: u32) {
        let at = cell as usize;
        self.withheld[at] = false;
        let place = self.place[at] as usize;
        self.members.swap_remove(place);
        if let Some(moved) = self.members.get(place) {
            self.place[*moved as usize] = place as u32;
        }
        self.price -= self.cost[at];
        for candidate in &self.of_cell[at] {
            self.missing[*candidate as usize] += 1;
        }
    }

    /// Candidates of a target that change withheld cells only, one more cell allowed.
    fn ready(&self, target: usize, more: Option<u32>) -> impl Iterator<Item = (u32, &Candidate)> {
        let near = self.of_target[target].iter().filter(|at| self.missing[**at as usize] < 2);
        let listed = near.map(|at| (*at, &self.list[*at as usize]));
        listed.filter(move |(at, known)| {
            self.missing[*at as usize] == 0 || more.is_some_and(|more| known.cells.contains(&more))
        })
    }

    /// Whether candidates within what is withheld, and one cell more, are enough for a target.
    fn serves(&self, target: usize, more: Option<u32>) -> bool {
        let wanted = self.targets[target];
        let (mut up, mut down) = (wanted.up == 0, wanted.down == 0);
        let mut common = if wanted.insider { u128::MAX } else { 0 };
        for (_, known) in self.ready(target, more) {
            up = up || known.serves(&wanted, UP);
            down = down || known.serves(&wanted, DOWN);
            if common & known.units != common && known.serves(&wanted, INSIDER) {
                common &= known.units;
            }
            if up && down && common == 0 {
                return true;
            }
        }
        up && down && common == 0
    }

    /// Candidates for the slots of a target within what is withheld: those in which few take part.
    fn choice(&self, target: usize) -> Option<[Option<u32>; SLOTS]> {
        let wanted = self.targets[target];
        let (mut found, mut common) = ([None; SLOTS], u128::MAX);
        for (slot, found) in found.iter_mut().enumerate() {
            let asked = match slot {
                UP => wanted.up > 0,
                DOWN => wanted.down > 0,
                _ => wanted.insider && common != 0,
            };
            if !asked {
                continue;
            }
            let ready = self.ready(target, None).filter(|(_, known)| known.serves(&wanted, slot));
            let (at, known) = ready.min_by_key(|(at, known)| ((common & known.units).count_ones(), *at))?;
            common &= known.units;
            *found = Some(at);
        }
        (!wanted.insider || common == 0).then_some(found)
    }

    /// First against readers alone, then everything that insiders need is added: a set against readers is nearly one
    /// against insiders too.
    pub fn search_in_two(
        &mut self,
        board: &mut Board,
        dice: &mut Dice,
        search: &dyn Fn(&mut Self, &mut Board, &mut Dice),
    ) {
        let before = (self.price, self.members.clone());
        let all = self.targets.clone();
        self.targets.iter_mut().for_each(|target| target.insider = false);
        search(self, board, dice);
        self.targets = all;
        let mut order: Vec<usize> = (0..self.targets.len()).collect();
        dice.shuffle(&mut order);
        let whole = order.into_iter().all(|target| self.serve(board, target, &[], (true, true), dice));
        if whole {
            self.prune(board, true, dice);
        }
        if !whole || self.price > before.0 {
            self.set(&before.1);
        }
    }

    /// Disturbs and repairs; leaves the best set found.
    pub fn search(&mut self, board: &mut Board, share: Share, dice: &mut Dice) {
        let most = self.models + share.models;
        let mut best = (self.price, self.members.clone());
        let mut current = best.clone();
        for number in 0..share.sets {
            if self.members.is_empty() {
                break;
            }
            // Models are spread over the disturbances.
            let due = self.models < most
                && (most - self.models) * share.sets >= share.models * (share.sets - number);
            let whole = self.disturb(board, (due, false), dice);
            if whole {
                self.prune(board, due && self.models < most, dice);
            }
            self.go_on(whole, &mut current, &mut best, dice);
        }
        self.set(&best.1);
    }

    /// The same where questions can be asked: until so many pivots are done.
    pub fn search_asking(&mut self, board: &mut Board, pivots: u64, dice: &mut Dice) {
        let work = |pool: &Self| pool.asker.as_ref().map_or(u64::MAX, Asker::work);
        let end = work(self).saturating_add(pivots);
        let mut best = (self.price, self.members.clone());
        let mut current = best.clone();
        for sets in 0.. {
            if work(self) + sets * SET >= end || self.members.is_empty() {
                break;
            }
            let whole = self.disturb(board, (false, true), dice);
            if whole {
                self.prune(board, false, dice);
            }
            // What is nearly as good may become better by movements that are not listed.
            if whole && self.price < current.0 + UNIT + UNIT / 2 {
                self.prune(board, true, dice);
            }
            self.go_on(whole, &mut current, &mut best, dice);
        }
        self.set(&best.1);
    }

    /// Goes on from the set as it is now if it costs no more (or, rarely, a cell more), else from the one before; from the best one
    /// when the search has strayed.
    fn go_on(&mut self, whole: bool, current: &mut Set, best: &mut Set, dice: &mut Dice) {
        if whole && self.price < current.0 + UNIT / 2 + u64::from(dice.below(RAISE) == 0) * UNIT {
            *current = (self.price, self.members.clone());
            if current.0 < best.0 {
                best.clone_from(current);
            }
        } else {
            self.set(&current.1);
        }
        if current.0 >= best.0 + STRAY * UNIT {
            current.clone_from(best);
            self.set(&best.1);
        }
    }

    /// Entries of the tableau that questions are asked of.
    pub fn entries(&self) -> u64 {
        self.asker.as_ref().map_or(0, Asker::entries)
    }

    /// The price of what is withheld.
    pub fn price(&self) -> u64 {
        self.price
    }

    /// Whether questions can be asked.
    pub fn asks(&self) -> bool {
        self.asker.is_some()
    }

    fn set(&mut self, members: &[u32]) {
        let wanted: BTreeSet<u32> = members.iter().copied().collect();
        for cell in self.members.clone() {
            if !wanted.contains(&cell) {
                self.publish(cell);
            }
        }
        for cell in members {
            if !self.withheld[*cell as usize] {
                self.withhold(*cell);
            }
        }
    }

    /// Knowers as bits.
    fn bits(&self, knowers: &[u32]) -> u128 {
        let bit = |one: &u32| self.knowers.binary_search(one).map_or(0, |at| 1 << at);
        knowers.iter().map(bit).fold(0, |all: u128, bit| all | bit)
    }

    /// Bits as knowers.
    fn among(&self, bits: u128) -> Vec<u32> {
        (0..self.knowers.len()).filter(|at| bits >> at & 1 == 1).map(|at| self.knowers[at]).collect()
    }

    /// Linear models solved so far.
    pub fn models(&self) -> u64 {
        self.models
    }

    /// The set as witnesses of the board, in place of what it has; `marks` as they were before the search.
    pub fn write(&self, board: &mut Board, marks: &[Mark]) {
        board.noise = None;
        board.marks.copy_from_slice(marks);
        let choices: Option<Vec<_>> = (0..self.targets.len()).map(|target| self.choice(target)).collect();
        // What served a target is never left out, so there is a choice for each.
        let Some(choices) = choices else { return };
        (0..board.slots.len() as u32).for_each(|slot| board.clear(slot));
        for (target, choice) in choices.into_iter().enumerate() {
            let wanted = board.targets[target];
            for (slot, candidate) in choice.into_iter().enumerate() {
                let Some(known) = candidate.map(|at| &self.list[at as usize]) else { continue };
                let amount = match slot {
                    UP if !wanted.either => i32::from(wanted.up),
                    DOWN => -i32::from(wanted.down),
                    _ if known.most[UP] > 0 => 1,
                    _ => -1,
                };
                let mut steps = known.steps.clone();
                if known.scales {
                    steps.iter_mut().for_each(|step| step.times(amount));
                }
                board.assign((target * SLOTS + slot) as u32, Witness { cell: wanted.cell, steps });
            }
        }
    }

    /// Takes over what the board withholds, and its witnesses.
    pub fn read(&mut self, board: &Board) {
        for slot in 0..board.slots.len() {
            if let Some(witness) = &board.slots[slot] {
                self.add(board, slot / SLOTS, &witness.steps);
            }
        }
        for cell in self.members.clone() {
            self.publish(cell);
        }
        board.secondary.iter().for_each(|cell| self.withhold(*cell));
    }
}

/// The targets, each with whether anyone who knows cells is to be kept out.
fn guarded(board: &Board) -> Vec<Target> {
    let one = |(at, target): (usize, &Target)| Target { insider: board.guarded(at), ..*target };
    board.targets.iter().enumerate().map(one).collect()
}

/// Per dimension the movements that add one to a cell's code.
fn movements(board: &Board, cell: u32) -> Vec<Vec<(u16, u16)>> {
    let one = |at: usize| {
        board.shape.dimension(at).movements(board.shape.code(cell, at) as u16).collect::<Vec<_>>()
    };
    (0..board.shape.dimensions()).map(one).collect()
}
