//! Small tables: every product of every small cell listed once, and a search over sets of withheld cells.
//!
//! In a small table a small cell has a few hundred products. Listed with the cells they change, and with how many of
//! those are not withheld yet, it takes a microsecond to say whether a small cell is served by a set of withheld cells,
//! and which one further cell would serve it. So a great many sets can be tried: leave a cell out, put another in its
//! place, add one. Movements that linear models found join the list.
//!
//! Finds sets; what it found becomes witnesses of the board, which prunes further. Deterministic: work is counted, random
//! numbers come from a counter (Kirkpatrick, Gelatt & Vecchi 1983).

use std::collections::BTreeSet;

use super::Mark;
use super::board::{Board, UNIT};
use super::improve::Dice;
use super::search::{Query, mix};
use super::shape::MAX_DIMENSIONS;
use super::target::{DOWN, INSIDER, SLOTS, Target, UP};
use super::witness::{Product, Step, Witness};

/// Most cells of a table with a pool.
const MOST_CELLS: u32 = 2_048;
/// Most products listed.
const MOST_CANDIDATES: usize = 600_000;
/// Of so many disturbances that cost no more, one may cost a cell more.
const RAISE: usize = 24;
/// Cells over the best set at which the search goes back to it.
const STRAY: u64 = 3;

/// A movement of a small cell.
struct Candidate {
    target: u32,
    /// Its steps for a change of `+1`; of a found witness the steps themselves.
    steps: Vec<Step>,
    /// How far it may go up and down; a found witness goes one way by its own amount.
    most: [i32; 2],
    /// Whether steps are multiplied by the amount.
    scales: bool,
    /// Those who know cells that it changes.
    units: Vec<u32>,
    /// Cells that it changes and that are not small.
    cells: Vec<u32>,
    /// How many of them are not withheld.
    missing: u32,
}

impl Candidate {
    fn goes(&self, way: usize, amount: i32) -> bool {
        if self.scales { self.most[way] >= amount } else { self.most[way] == amount }
    }

    /// Whether it serves a slot of a target.
    fn serves(&self, wanted: &Target, slot: usize) -> bool {
        match slot {
            INSIDER => self.goes(UP, 1) || wanted.room > 0 && self.goes(DOWN, 1),
            UP if wanted.either => self.goes(UP, 1) || wanted.room > 0 && self.goes(DOWN, 1),
            UP => wanted.up > 0 && self.goes(UP, i32::from(wanted.up)),
            _ => wanted.down > 0 && self.goes(DOWN, i32::from(wanted.down)),
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

/// Candidates and the set of withheld cells.
pub struct Pool {
    list: Vec<Candidate>,
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
        let mut pool = Self {
            list: Vec::new(),
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
        let units = board.knowers_of(&witness, target);
        let changed = witness.changes(&board.shape, &board.marks).into_iter().map(|(cell, _)| cell);
        let cells: Vec<u32> = changed.filter(|cell| !self.free[*cell as usize]).collect();
        let at = self.list.len() as u32;
        let missing = cells.iter().filter(|cell| !self.withheld[**cell as usize]).count() as u32;
        cells.iter().for_each(|cell| self.of_cell[*cell as usize].push(at));
        self.of_target[target].push(at);
        let steps = witness.steps;
        self.list.push(Candidate { target: target as u32, steps, most, scales, units, cells, missing });
    }

    fn withhold(&mut self, cell: u32) {
        let at = cell as usize;
        self.withheld[at] = true;
        self.place[at] = self.members.len() as u32;
        self.members.push(cell);
        self.price += self.cost[at];
        for candidate in &self.of_cell[at] {
            self.list[*candidate as usize].missing -= 1;
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
            self.list[*candidate as usize].missing += 1;
        }
    }

    /// Candidates of a target that change withheld cells only, one more cell allowed.
    fn ready(&self, target: usize, more: Option<u32>) -> impl Iterator<Item = (u32, &Candidate)> {
        let listed = self.of_target[target].iter().map(|at| (*at, &self.list[*at as usize]));
        listed.filter(move |(_, known)| {
            known.missing == 0 || known.missing == 1 && more.is_some_and(|more| known.cells.contains(&more))
        })
    }

    fn serves(&self, target: usize, more: Option<u32>) -> bool {
        self.choice(target, more).is_some()
    }

    /// Candidates for the slots of a target within what is withheld.
    fn choice(&self, target: usize, more: Option<u32>) -> Option<[Option<u32>; SLOTS]> {
        let wanted = self.targets[target];
        let amounts = [i32::from(wanted.up), i32::from(wanted.down)];
        if !wanted.insider {
            let mut found = [None; SLOTS];
            for (at, known) in self.ready(target, more) {
                for way in [UP, DOWN].into_iter().filter(|way| amounts[*way] > 0) {
                    if found[way].is_none() && known.serves(&wanted, way) {
                        found[way] = Some(at);
                    }
                }
            }
            let served = [UP, DOWN].into_iter().all(|way| amounts[way] == 0 || found[way].is_some());
            return served.then_some(found);
        }
        // Per way one candidate for each distinct list of units.
        let mut ways: [Vec<(&[u32], u32)>; SLOTS] = Default::default();
        for (at, known) in self.ready(target, more) {
            for (way, list) in ways.iter_mut().enumerate() {
                if known.serves(&wanted, way)
                    && list.iter().all(|(units, _)| *units != known.units.as_slice())
                {
                    list.push((&known.units, at));
                }
            }
        }
        let none = [(&[][..], u32::MAX)];
        let [ups, downs, thirds] = &ways;
        let ups = if amounts[UP] > 0 { ups.as_slice() } else { &none };
        let downs = if amounts[DOWN] > 0 { downs.as_slice() } else { &none };
        let real = |at: u32| (at != u32::MAX).then_some(at);
        for (up, first) in ups {
            for (down, second) in downs {
                let common = |unit: &&u32| {
                    (*first == u32::MAX || up.contains(unit)) && (*second == u32::MAX || down.contains(unit))
                };
                let all = if *first == u32::MAX { down } else { up };
                let common: Vec<u32> = all.iter().filter(common).copied().collect();
                let third = thirds.iter().find(|(units, _)| !units.iter().any(|unit| common.contains(unit)));
                if common.is_empty() {
                    return Some([real(*first), real(*second), None]);
                }
                if let Some((_, third)) = third {
                    return Some([real(*first), real(*second), Some(*third)]);
                }
            }
        }
        None
    }

    /// Cells any one of which would serve a target that is not served.
    fn cures(&self, target: usize) -> BTreeSet<u32> {
        let single = self.of_target[target].iter().map(|at| &self.list[*at as usize]);
        let missing =
            |known: &Candidate| known.cells.iter().copied().find(|cell| !self.withheld[*cell as usize]);
        let cells: BTreeSet<u32> = single.filter(|known| known.missing == 1).filter_map(missing).collect();
        cells.into_iter().filter(|cell| self.serves(target, Some(*cell))).collect()
    }

    /// Targets that need a cell which has just been published.
    fn unserved(&self, cell: u32) -> Vec<usize> {
        let touched = self.of_cell[cell as usize].iter().map(|at| &self.list[*at as usize]);
        let mut targets: Vec<usize> =
            touched.filter(|known| known.missing == 1).map(|known| known.target as usize).collect();
        targets.dedup();
        targets.retain(|target| !self.serves(*target, None));
        targets
    }

    /// First against readers alone, then everything that insiders need is added: a set against readers is nearly one
    /// against insiders too.
    pub fn search_in_two(&mut self, board: &mut Board, share: Share, dice: &mut Dice) {
        let before = (self.price, self.members.clone());
        let all = self.targets.clone();
        self.targets.iter_mut().for_each(|target| target.insider = false);
        self.search(board, share, dice);
        self.targets = all;
        let mut order: Vec<usize> = (0..self.targets.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        let whole = order.into_iter().all(|target| self.serve(board, target, &[], true, dice));
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
            let whole = self.disturb(board, due, dice);
            if whole {
                self.prune(board, due && self.models < most, dice);
            }
            if whole && self.price < current.0 + UNIT / 2 + u64::from(dice.below(RAISE) == 0) * UNIT {
                current = (self.price, self.members.clone());
                if current.0 < best.0 {
                    best = current.clone();
                }
            } else {
                self.set(&current.1);
            }
            if current.0 >= best.0 + STRAY * UNIT {
                current = best.clone();
                self.set(&best.1);
            }
        }
        self.set(&best.1);
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

    /// Publishes a few cells for good and serves whom that leaves unserved in another way; whether all are served.
    fn disturb(&mut self, board: &mut Board, model: bool, dice: &mut Dice) -> bool {
        let mut barred = Vec::new();
        let mut unserved = BTreeSet::new();
        for _ in 0..1 + dice.below(3) {
            if self.members.is_empty() {
                break;
            }
            let cell = self.members[dice.below(self.members.len())];
            self.publish(cell);
            barred.push(cell);
            unserved.extend(self.unserved(cell));
        }
        let mut order: Vec<usize> = unserved.into_iter().collect();
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        order.into_iter().all(|target| self.serve(board, target, &barred, model, dice))
    }

    /// Withholds what serves a target at the least price found, without some cells.
    fn serve(
        &mut self,
        board: &mut Board,
        target: usize,
        barred: &[u32],
        model: bool,
        dice: &mut Dice,
    ) -> bool {
        // A target may lack up to three witnesses; each turn adds one.
        for _ in 0..=SLOTS {
            if self.serves(target, None) {
                return true;
            }
            let cures: Vec<u32> =
                self.cures(target).into_iter().filter(|cell| !barred.contains(cell)).collect();
            if !cures.is_empty() {
                // Among equals the one that more candidates of others wait for.
                let cell = cures[dice.below(cures.len())];
                self.withhold(cell);
                return true;
            }
            let found = self.lacking(target);
            let Some((way, amount, avoid)) = found else { return false };
            let mut best: Option<(u64, u32)> = None;
            let seed = dice.roll();
            let fits = |pool: &Self, at: u32| {
                let known = &pool.list[at as usize];
                known.serves(&pool.targets[target], way)
                    && !known.units.iter().any(|unit| avoid.contains(unit))
                    && !known.cells.iter().any(|cell| barred.contains(cell))
            };
            if model {
                self.models += 1;
                self.mirror(board, barred, seed);
                let sign = if way == DOWN { -1 } else { 1 };
                let query = Query { cell: self.targets[target].cell, sign, amount, avoid: avoid.clone() };
                if let Some(steps) = board.linear(&query, false, seed) {
                    self.add(board, target, &steps);
                }
            }
            for at in self.of_target[target].clone() {
                if fits(self, at) {
                    let price = self.fresh(at, seed);
                    if best.is_none_or(|(known, _)| price < known) {
                        best = Some((price, at));
                    }
                }
            }
            let Some((_, at)) = best else { return false };
            for cell in self.list[at as usize].cells.clone() {
                if !self.withheld[cell as usize] {
                    self.withhold(cell);
                }
            }
        }
        self.serves(target, None)
    }

    /// What a candidate would withhold anew, at disturbed prices.
    fn fresh(&self, candidate: u32, seed: u64) -> u64 {
        let cells = self.list[candidate as usize].cells.iter().filter(|cell| !self.withheld[**cell as usize]);
        cells.map(|cell| self.cost[*cell as usize] + mix(seed ^ u64::from(*cell)) % (UNIT / 3)).sum()
    }

    /// The first slot that a target has no candidate for: way, amount, units to avoid.
    fn lacking(&self, target: usize) -> Option<(usize, i32, Vec<u32>)> {
        let wanted = self.targets[target];
        let amounts = [i32::from(wanted.up), i32::from(wanted.down)];
        let mut common: Option<Vec<u32>> = None;
        for way in [UP, DOWN].into_iter().filter(|way| amounts[*way] > 0) {
            let known = self.ready(target, None).find(|(_, known)| known.serves(&wanted, way));
            let Some((_, known)) = known else {
                let avoid = if wanted.insider { common.unwrap_or_default() } else { Vec::new() };
                return Some((way, amounts[way], avoid));
            };
            match &mut common {
                None => common = Some(known.units.clone()),
                Some(common) => common.retain(|unit| known.units.contains(unit)),
            }
        }
        let common = common.unwrap_or_default();
        (wanted.insider && !common.is_empty()).then_some((INSIDER, 1, common))
    }

    /// The board's marks as the set has them.
    fn mirror(&self, board: &mut Board, barred: &[u32], seed: u64) {
        board.noise = Some(seed);
        for (at, mark) in board.marks.iter_mut().enumerate() {
            *mark = match (self.marks[at], self.withheld[at]) {
                (Mark::Published | Mark::Secondary, true) => Mark::Secondary,
                (Mark::Published | Mark::Secondary, false) => Mark::Published,
                (decided, _) => decided,
            };
        }
        barred.iter().for_each(|cell| board.marks[*cell as usize] = Mark::Zero);
    }

    /// Tries to do without each withheld cell.
    fn prune(&mut self, board: &mut Board, model: bool, dice: &mut Dice) {
        let mut cells = self.members.clone();
        for at in (1..cells.len()).rev() {
            cells.swap(at, dice.below(at + 1));
        }
        for cell in cells {
            self.publish(cell);
            let mut unserved = self.unserved(cell);
            if model && unserved.len() == 1 {
                unserved.retain(|target| !self.model(board, *target, cell, dice));
            }
            if !unserved.is_empty() {
                self.withhold(cell);
            }
        }
    }

    /// Asks a linear model for what a target lacks within what is withheld; whether it is served now.
    fn model(&mut self, board: &mut Board, target: usize, without: u32, dice: &mut Dice) -> bool {
        let Some((way, amount, avoid)) = self.lacking(target) else { return self.serves(target, None) };
        self.models += 1;
        let seed = dice.roll();
        self.mirror(board, &[without], seed);
        let sign = if way == DOWN { -1 } else { 1 };
        let query = Query { cell: self.targets[target].cell, sign, amount, avoid };
        if let Some(steps) = board.linear(&query, true, seed) {
            self.add(board, target, &steps);
        }
        self.serves(target, None)
    }

    /// Linear models solved so far.
    pub fn models(&self) -> u64 {
        self.models
    }

    /// The set as witnesses of the board, in place of what it has; `marks` as they were before the search.
    pub fn write(&self, board: &mut Board, marks: &[Mark]) {
        board.noise = None;
        board.marks.copy_from_slice(marks);
        let choices: Option<Vec<_>> =
            (0..self.targets.len()).map(|target| self.choice(target, None)).collect();
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
                    _ if known.goes(UP, 1) => 1,
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
