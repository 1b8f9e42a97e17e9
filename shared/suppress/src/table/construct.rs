//! The first protection: one witness after the other, sharing what is withheld already; then pruning.

use super::Mark;
use super::board::{Board, UNIT};
use super::search::{Limits, Query};
use super::target::{INSIDER, SLOTS};
use super::witness::{Step, Witness};

/// Corner checks of one search, once something has been found.
const WORK: u64 = 20_000;

/// Any price, products only.
pub const ANY: Limits = Limits { price: u64::MAX, chain: 0, work: WORK };

/// A witness for every target; afterwards the table is safe.
pub fn construct(board: &mut Board) {
    let mut order: Vec<usize> = (0..board.targets.len()).collect();
    // Margins last: what the finest cells withhold serves most of them.
    order.sort_by_key(|at| (board.shape.totals(board.targets[*at].cell), *at));
    let slots: Vec<u32> =
        (0..SLOTS).flat_map(|kind| order.iter().map(move |target| (target * SLOTS + kind) as u32)).collect();
    // Once withheld the grand total would serve everyone: it is out of reach until all else has failed.
    let grand = board.shape.len() as usize - 1;
    let mark = board.marks[grand];
    if mark == Mark::Published {
        board.marks[grand] = Mark::Zero;
    }
    let without = |chain, work| Limits { price: u64::MAX - 1, chain, work };
    for slot in &slots {
        let _ = board.fill(*slot, without(0, WORK)) || board.fill(*slot, without(2, 20 * WORK));
        board.journal.clear();
    }
    board.marks[grand] = mark;
    for slot in &slots {
        board.fill(*slot, ANY);
        board.journal.clear();
    }
    prune(board, 0);
}

/// Tries to do without each secondary cell, the one that costs most first, then the one with fewest users.
pub fn prune(board: &mut Board, chain: usize) {
    let mut cells = board.secondary.clone();
    cells.sort_by_key(|cell| {
        let at = *cell as usize;
        (board.users[at].len(), u64::MAX - board.cost[at], *cell)
    });
    for cell in cells {
        if board.marks[cell as usize] == Mark::Secondary {
            board.do_without(cell, chain);
        }
    }
}

impl Board {
    /// Links of chains: none where linear models find more.
    pub fn chain(&self) -> usize {
        usize::from(!self.linear_fits())
    }

    /// Fills an open slot; `false` when nothing was found within the limits. With [`ANY`] it always is.
    pub fn fill(&mut self, slot: u32, limits: Limits) -> bool {
        if !self.open(slot) {
            return true;
        }
        self.clear(slot);
        let mut best = self.search(slot, limits);
        if best.is_none() && limits.price >= u64::MAX - 1 {
            best = self.in_single_steps(slot, limits);
        }
        let Some(steps) = best else { return false };
        let cell = self.targets[slot as usize / SLOTS].cell;
        self.assign(slot, Witness { cell, steps });
        true
    }

    /// The cheapest steps for an open slot within the limits.
    fn search(&mut self, slot: u32, limits: Limits) -> Option<Vec<Step>> {
        let mut best: Option<(u64, Vec<Step>)> = None;
        for query in self.queries(slot) {
            let price = best.as_ref().map_or(limits.price, |(price, _)| *price);
            best = self.find(&query, Limits { price, ..limits }).or(best);
        }
        let found = best.as_ref().map_or(u64::MAX, |(price, _)| *price);
        if found >= UNIT && self.linear_fits() {
            for query in self.queries(slot) {
                let Some(steps) = self.linear(&query, limits.price <= UNIT, self.round) else {
                    continue;
                };
                let price = self.price_of(query.cell, &steps);
                if price < limits.price && best.as_ref().is_none_or(|(found, _)| price < *found) {
                    best = Some((price, steps));
                }
            }
        }
        best.map(|(_, steps)| steps)
    }

    /// What steps withhold anew, at the prices of the search.
    fn price_of(&self, cell: u32, steps: &[Step]) -> u64 {
        let witness = Witness { cell, steps: steps.to_vec() };
        let published = |cell: &u32| self.marks[*cell as usize] == Mark::Published;
        let changed = witness.changes(&self.shape).into_iter().map(|(cell, _)| cell);
        changed.filter(published).map(|cell| self.noisy_price(cell)).sum()
    }

    /// Where no movement in equal shares is found: one step at a time, each a possible table, none with a cell that
    /// the whole does not change.
    fn in_single_steps(&mut self, slot: u32, limits: Limits) -> Option<Vec<Step>> {
        let query = self.queries(slot).into_iter().next()?;
        let single = Query { amount: 1, ..query.clone() };
        let (mut steps, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..query.amount {
            let Some((_, found)) = self.find(&single, limits) else {
                break;
            };
            found.iter().for_each(|step| self.apply(step, 1));
            steps.extend(found);
            ends.push(steps.len());
        }
        steps.iter().for_each(|step| self.apply(step, -1));
        let whole = ends.len() == query.amount as usize;
        (whole && ends.iter().all(|end| self.within(&steps[..*end], &steps))).then_some(steps)
    }

    /// Publishes a secondary cell if every witness that changes it can be replaced within what is withheld;
    /// otherwise leaves everything as it was.
    pub fn do_without(&mut self, cell: u32, chain: usize) -> bool {
        let (at, before) = (cell as usize, self.journal.len());
        // Zero is what no witness may touch.
        self.marks[at] = Mark::Zero;
        let limits = Limits { price: 1, chain, work: WORK };
        let replaced = self.users[at]
            .clone()
            .into_iter()
            .all(|slot| !self.users[at].contains(&slot) || self.replace(slot, limits));
        self.marks[at] = if self.users[at].is_empty() { Mark::Published } else { Mark::Secondary };
        if !replaced {
            self.undo(before);
        }
        replaced
    }

    /// Gives a slot another witness within the limits, and sees to the insider's one beside it. On `false` the
    /// journal is to be undone.
    fn replace(&mut self, slot: u32, limits: Limits) -> bool {
        // What this witness withholds stays withheld while the search runs.
        let Some(old) = self.slots[slot as usize].take() else {
            return true;
        };
        let (cell, open) = (old.cell, self.open(slot));
        let best = if open { self.search(slot, limits) } else { None };
        self.slots[slot as usize] = Some(old);
        if open && best.is_none() {
            return false;
        }
        self.clear(slot);
        if let Some(steps) = best {
            self.assign(slot, Witness { cell, steps });
        }
        let insider = slot - slot % SLOTS as u32 + INSIDER as u32;
        if self.idle(insider) {
            self.clear(insider);
        }
        self.fill(insider, limits)
    }
}
