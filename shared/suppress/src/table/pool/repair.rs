//! Leaving cells out of a set and serving, in another way, whom that leaves without a movement.
//!
//! Listed candidates first; where questions can be asked, any movement, and the cells that hold a target back say what to
//! withhold. Changes the set only by [`Pool::withhold`] and [`Pool::publish`].

use std::collections::{BTreeMap, BTreeSet};

use super::super::Mark;
use super::super::ask::Asker;
use super::super::board::{Board, UNIT};
use super::super::improve::Dice;
use super::super::search::{Query, mix};
use super::super::target::{DOWN, INSIDER, SLOTS, UP};
use super::Pool;

/// Cells tried of those that hold a target back.
const MOST_HELD: usize = 6;
/// Of so many cells that hold a target back with others one is withheld; else a product is sought.
const LONGER: usize = 3;
/// Of so many disturbances one is repaired for all targets together, by at most so many cells and one.
const TOGETHER: usize = 2;
const MOST_TOGETHER: usize = 3;
/// So few cells may all be left out at once.
const FEW: usize = 8;
/// Most cells left out at once.
const MOST_OUT: usize = 3;
/// The same where insiders are kept out.
const MOST_OUT_GUARDED: usize = 1;

/// What holds a target back.
enum Held {
    /// A cell that alone does.
    Cured(u32),
    /// A cell that does with others.
    Back(u32),
    /// None that may be withheld.
    Nothing,
}

impl Pool {
    /// Cells any one of which would serve a target that is not served.
    fn cures(&self, target: usize) -> BTreeSet<u32> {
        let single = self.of_target[target].iter().filter(|at| self.missing[**at as usize] == 1);
        let missing = |at: &u32| {
            let cells = &self.list[*at as usize].cells;
            cells.iter().copied().find(|cell| !self.withheld[*cell as usize])
        };
        let cells: BTreeSet<u32> = single.filter_map(missing).collect();
        cells.into_iter().filter(|cell| self.serves(target, Some(*cell))).collect()
    }

    /// Targets that need a cell which has just been published.
    pub(super) fn unserved(&self, cell: u32) -> Vec<usize> {
        let touched = self.of_cell[cell as usize].iter().filter(|at| self.missing[**at as usize] == 1);
        let mut targets: Vec<usize> = touched.map(|at| self.list[*at as usize].target as usize).collect();
        targets.dedup();
        targets.retain(|target| !self.serves(*target, None));
        targets
    }

    /// Whether nobody needs a cell which has just been published.
    pub(super) fn all_served(&self, cell: u32) -> bool {
        let mut last = u32::MAX;
        self.of_cell[cell as usize].iter().filter(|at| self.missing[**at as usize] == 1).all(|at| {
            let target = self.list[*at as usize].target;
            let known = std::mem::replace(&mut last, target) == target;
            known || self.serves(target as usize, None)
        })
    }

    /// Publishes a few cells for good and serves whom that leaves unserved in another way; whether all are served.
    pub(super) fn disturb(&mut self, board: &mut Board, depth: (bool, bool), dice: &mut Dice) -> bool {
        let mut barred = Vec::new();
        let mut unserved = BTreeSet::new();
        let most = if self.targets.iter().any(|target| target.insider) { MOST_OUT_GUARDED } else { MOST_OUT };
        // Of a few all may go.
        let most = if self.members.len() <= FEW { self.members.len() } else { most };
        for _ in 0..1 + dice.below(most) {
            if self.members.is_empty() {
                break;
            }
            let cell = self.members[dice.below(self.members.len())];
            self.publish(cell);
            barred.push(cell);
            unserved.extend(self.unserved(cell));
        }
        let mut order: Vec<usize> = unserved.into_iter().collect();
        dice.shuffle(&mut order);
        if depth.1 && dice.below(TOGETHER) == 0 {
            self.serve_together(board, &mut order, &barred, dice);
        }
        order.into_iter().all(|target| self.serve(board, target, &barred, depth, dice))
    }

    /// Withholds a few cells, each the one that holds most of some targets back; those served are taken off the list.
    pub(super) fn serve_together(
        &mut self,
        board: &Board,
        targets: &mut Vec<usize>,
        barred: &[u32],
        dice: &mut Dice,
    ) {
        for _ in 0..=MOST_TOGETHER {
            let mut held: BTreeMap<u32, usize> = BTreeMap::new();
            targets.retain(|target| {
                let served = self.answer(board, *target, None);
                if !served {
                    let cells = self.asker.as_ref().map_or(Vec::new(), Asker::held);
                    cells.into_iter().for_each(|cell| *held.entry(cell).or_default() += 1);
                }
                !served
            });
            let open: Vec<(usize, u64, u32)> = held
                .iter()
                .filter(|(cell, _)| self.may_withhold(board, **cell, barred))
                .map(|(cell, count)| (*count, dice.roll(), *cell))
                .collect();
            let Some((_, _, cell)) = open.into_iter().max() else { return };
            self.withhold(cell);
        }
    }

    /// Withholds what serves a target at the least price found, without some cells.
    pub(super) fn serve(
        &mut self,
        board: &mut Board,
        target: usize,
        barred: &[u32],
        (model, deep): (bool, bool),
        dice: &mut Dice,
    ) -> bool {
        // A target may lack as many witnesses as there are slots; each turn adds one.
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
            if self.asker.is_some() && deep {
                if self.answer(board, target, None) {
                    return true;
                }
                match self.held_back(board, target, barred, dice) {
                    Held::Cured(cell) => {
                        self.withhold(cell);
                        return true;
                    }
                    // One that does not serve alone may serve with another: cycles longer than a product's, all there is in two
                    // dimensions.
                    Held::Back(cell) if board.shape.dimensions() < 3 || dice.below(LONGER) == 0 => {
                        self.withhold(cell);
                        continue;
                    }
                    _ => {}
                }
            }
            let found = self.lacking(target, None);
            let Some((way, amount, avoid)) = found else { return false };
            let mut best: Option<(u64, u32)> = None;
            let seed = dice.roll();
            let fits = |pool: &Self, at: u32| {
                let known = &pool.list[at as usize];
                known.serves(&pool.targets[target], way)
                    && known.units & pool.bits(&avoid) == 0
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
    pub(super) fn lacking(&self, target: usize, more: Option<u32>) -> Option<(usize, i32, Vec<u32>)> {
        let wanted = self.targets[target];
        let amounts = [i32::from(wanted.up), i32::from(wanted.down)];
        for way in [UP, DOWN].into_iter().filter(|way| amounts[*way] > 0) {
            if !self.ready(target, more).any(|(_, known)| known.serves(&wanted, way)) {
                return Some((way, amounts[way], Vec::new()));
            }
        }
        let guards = self.ready(target, more).filter(|(_, known)| known.serves(&wanted, INSIDER));
        let common = guards.fold(u128::MAX, |common, (_, known)| common & known.units);
        // One of them at a time: a witness without the first may have the others.
        let first = self.among(common).into_iter().take(1).collect();
        (wanted.insider && common != 0).then_some((INSIDER, 1, first))
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

    /// Tries to do without each withheld cell; `deep`: any movement will do, not only those listed.
    pub(super) fn prune(&mut self, board: &mut Board, deep: bool, dice: &mut Dice) {
        let mut cells = self.members.clone();
        dice.shuffle(&mut cells);
        for cell in cells {
            self.publish(cell);
            let served = if !deep {
                self.all_served(cell)
            } else {
                // Who could not do without it last time is likely not to this time either.
                let first = self.needed_by[cell as usize] as usize;
                let known = first == usize::from(u16::MAX) || self.serves(first, None);
                let refused = self.asker.is_some() && !known && !self.answer(board, first, None);
                let unserved = if refused { vec![first] } else { self.unserved(cell) };
                match self.asker {
                    Some(_) if refused => false,
                    Some(_) => unserved.iter().all(|target| {
                        let served = self.answer(board, *target, None);
                        if !served {
                            self.needed_by[cell as usize] = *target as u16;
                        }
                        served
                    }),
                    None if unserved.len() == 1 => self.model(board, unserved[0], cell, dice),
                    None => unserved.is_empty(),
                }
            };
            if !served {
                self.withhold(cell);
            }
        }
    }

    /// Asks for the movements that a target lacks within what is withheld, and one cell more; whether it is served then.
    pub(super) fn answer(&mut self, board: &Board, target: usize, more: Option<u32>) -> bool {
        for _ in 0..=SLOTS {
            if self.serves(target, more) {
                return true;
            }
            let Some((way, amount, avoid)) = self.lacking(target, more) else { return false };
            let wanted = self.targets[target];
            let either = wanted.room > 0 && (way == INSIDER || way == UP && wanted.either);
            let mut signs = vec![if way == DOWN { -1 } else { 1 }];
            signs.extend(either.then_some(-1));
            let found = signs.into_iter().find_map(|sign| {
                let query = Query { cell: wanted.cell, sign, amount, avoid: avoid.clone() };
                let (free, withheld) = (&self.free, &self.withheld);
                let moves = |cell: u32| free[cell as usize] || withheld[cell as usize] || more == Some(cell);
                let steps = self.asker.as_mut()?.ask(&query, &moves)?;
                // Rounding is not trusted.
                let kept = board.keeps(&query, amount, &steps, false);
                kept.then_some(steps)
            });
            let Some(steps) = found else { return false };
            self.add(board, target, &steps);
        }
        self.serves(target, more)
    }

    /// Whether a cell is published and may be withheld: never the grand total.
    fn may_withhold(&self, board: &Board, cell: u32, barred: &[u32]) -> bool {
        let at = cell as usize;
        !self.free[at] && !self.withheld[at] && cell + 1 != board.shape.len() && !barred.contains(&cell)
    }

    /// A cell that serves a target which has no movement, among those that hold it back; else one of those.
    fn held_back(&mut self, board: &Board, target: usize, barred: &[u32], dice: &mut Dice) -> Held {
        let held = self.asker.as_ref().map_or(Vec::new(), Asker::held);
        let mut cells: Vec<u32> =
            held.into_iter().filter(|cell| self.may_withhold(board, *cell, barred)).collect();
        dice.shuffle(&mut cells);
        let cures = cells.iter().take(MOST_HELD).find(|cell| self.answer(board, target, Some(**cell)));
        match (cures, cells.first()) {
            (Some(cell), _) => Held::Cured(*cell),
            (None, Some(cell)) => Held::Back(*cell),
            (None, None) => Held::Nothing,
        }
    }

    /// Asks a linear model for what a target lacks within what is withheld; whether it is served now.
    fn model(&mut self, board: &mut Board, target: usize, without: u32, dice: &mut Dice) -> bool {
        let Some((way, amount, avoid)) = self.lacking(target, None) else { return self.serves(target, None) };
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
}
