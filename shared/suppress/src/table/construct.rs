//! The first protection: one witness after the other, sharing what is withheld already; then pruning.

use super::Mark;
use super::ProtectError;
use super::board::{Board, UNIT};
use super::search::{Limits, Query};
use super::target::{DOWN, INSIDER, SLOTS, UP};
use super::witness::{Step, Witness};

/// Corner checks of one search, once something has been found.
const WORK: u64 = 20_000;

/// Any price, products only.
pub const ANY: Limits = Limits { price: u64::MAX, chain: 0, work: WORK };

/// A witness for every target; afterwards the table is safe.
///
/// # Errors
/// [`ProtectError::Unprotectable`] when what must be published leaves a target without one.
pub fn construct(board: &mut Board) -> Result<(), ProtectError> {
    let mut order: Vec<usize> = (0..board.targets.len()).collect();
    // Margins last: what the finest cells withhold serves most of them.
    order.sort_by_key(|at| (board.shape.totals(board.targets[*at].cell), *at));
    let slots: Vec<u32> = (0..=INSIDER)
        .flat_map(|kind| order.iter().map(move |target| (target * SLOTS + kind) as u32))
        .collect();
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
    // What was found since may serve those that found nothing; then the last resorts, still without the grand total.
    for limits in [without(2, 20 * WORK), ANY] {
        for slot in &slots {
            let _ = board.fill(*slot, limits);
            board.journal.clear();
        }
    }
    board.marks[grand] = mark;
    let mut left = Vec::new();
    for slot in &slots {
        if !board.fill(*slot, ANY) && !board.fill_apart(*slot) && !board.fill_one_by_one(*slot) {
            left.push(board.targets[*slot as usize / SLOTS].cell);
        }
        board.journal.clear();
    }
    left.sort_unstable();
    left.dedup();
    if let Some(first) = left.first() {
        return Err(ProtectError::Unprotectable { cells: left.len(), first: *first });
    }
    prune(board, 0);
    Ok(())
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

    /// Fills an open slot; `false` when nothing was found within the limits. With [`ANY`] and no rules it always is.
    pub fn fill(&mut self, slot: u32, limits: Limits) -> bool {
        if !self.open(slot) {
            return true;
        }
        self.clear(slot);
        let mut best = self.search(slot, limits);
        if best.is_none() && limits.price >= u64::MAX - 1 {
            let queries = self.queries(slot);
            best = queries.iter().find_map(|query| self.hard(query, limits));
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
        let changed = witness.changes(&self.shape, &self.marks).into_iter().map(|(cell, _)| cell);
        changed.filter(published).map(|cell| self.noisy_price(cell)).sum()
    }

    /// Where no movement in equal shares is found: single steps; at any price also over more cells at once.
    fn hard(&mut self, query: &Query, limits: Limits) -> Option<Vec<Step>> {
        let found = self.in_single_steps(query, limits);
        if found.is_some() || limits.price < u64::MAX { found } else { self.linear_last(query) }
    }

    /// When whoever takes part in both witnesses of a target leaves nobody for a third: the first two again, each without one
    /// of them. Whether that helped.
    fn fill_apart(&mut self, slot: u32) -> bool {
        let target = slot as usize / SLOTS;
        if slot as usize % SLOTS != INSIDER {
            return false;
        }
        for way in [UP, DOWN].map(|way| (target * SLOTS + way) as u32) {
            if self.slots[way as usize].is_none() {
                continue;
            }
            for one in self.common(target, INSIDER) {
                let before = self.journal.len();
                for mut query in self.queries(way) {
                    query.avoid = vec![one];
                    let found = self.find(&query, ANY).map(|(_, steps)| steps);
                    let Some(steps) = found.or_else(|| self.hard(&query, ANY)) else { continue };
                    self.clear(way);
                    self.assign(way, Witness { cell: query.cell, steps });
                    if self.fill(slot, ANY) {
                        return true;
                    }
                    self.undo(before);
                }
            }
        }
        false
    }

    /// When nothing else helps: for each one who takes part in all witnesses of a target another that keeps to the others.
    /// Whether there was one for each; then the target's witnesses stay.
    fn fill_one_by_one(&mut self, slot: u32) -> bool {
        let target = slot as usize / SLOTS;
        if slot as usize % SLOTS != INSIDER {
            return false;
        }
        let common = self.common(target, INSIDER);
        for one in &common {
            let mut queries = self.queries(slot);
            queries.iter_mut().for_each(|query| query.avoid = vec![*one]);
            let mut found = None;
            for query in &queries {
                let steps = self.find(query, ANY).map(|(_, steps)| steps);
                found =
                    steps.or_else(|| self.hard(query, ANY)).map(|steps| Witness { cell: query.cell, steps });
                if found.is_some() {
                    break;
                }
            }
            let Some(witness) = found else { return false };
            self.pin(target, witness);
        }
        !common.is_empty()
    }

    /// One step at a time, each a possible table, none with a cell that the whole does not change.
    fn in_single_steps(&mut self, query: &Query, limits: Limits) -> Option<Vec<Step>> {
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
        if self.is_pinned(cell) {
            return false;
        }
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
        if self.pinned[slot as usize / SLOTS] {
            return false;
        }
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
        let first = slot - slot % SLOTS as u32;
        for guard in (first..first + SLOTS as u32).skip(INSIDER) {
            if self.idle(guard) {
                self.clear(guard);
            }
        }
        self.fill(first + INSIDER as u32, limits)
    }
}
