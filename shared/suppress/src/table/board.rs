//! The state of a protection: marks, the witness of every target, and which secondary cell serves whom.
//!
//! Invariant: a cell is [`Mark::Secondary`] exactly when some witness changes it, so a cell that no witness needs
//! any more is published again by itself.

use super::search::{Avoid, Query};
use super::shape::Shape;
use super::target::{DOWN, INSIDER, SLOTS, Target, UP, targets};
use super::witness::Witness;
use super::{Effort, Mark, Options, Protected, Summary};

/// Price of one cell; sizes are added below it.
pub const UNIT: u64 = 1 << 24;
/// Largest price for size of one cell: 256 corners of it stay below [`UNIT`].
const MOST_SIZE: u64 = (1 << 16) - 1;
/// Price of the grand total, in cells.
pub const GRAND: u64 = 1 << 24;
/// Price of a unit's total or of a total over units of one code, in cells.
const UNIT_TOTAL: u64 = 1;

/// Marks and witnesses.
pub struct Board {
    pub shape: Shape,
    /// Counts; the chain search adds to them and takes it back.
    pub y: Vec<i32>,
    pub marks: Vec<Mark>,
    pub cost: Vec<u64>,
    pub targets: Vec<Target>,
    /// `SLOTS` per target.
    pub slots: Vec<Option<Witness>>,
    /// Slots whose witness changes a cell, per cell that is not small.
    pub users: Vec<Vec<u32>>,
    /// Prices of all secondary cells.
    pub objective: u64,
    pub work: u64,
    /// Seed of disturbed prices.
    pub noise: Option<u64>,
    /// Cells that a search must not touch.
    pub frozen: Vec<u32>,
    /// The secondary cells, in no order that means anything, but always the same.
    pub secondary: Vec<u32>,
    /// Where a secondary cell stands among them.
    place: Vec<u32>,
    /// What slots held before each change since the last decision.
    pub journal: Vec<(u32, Option<Witness>)>,
    pub effort: Effort,
    /// Varies the windows of linear models.
    pub round: u64,
    summary: Summary,
}

impl Board {
    /// Nothing secondary, no witness yet.
    pub fn new(shape: Shape, values: Vec<i32>, options: &Options) -> Self {
        let min_count = options.min_count.get() as i32;
        let marks: Vec<Mark> = values
            .iter()
            .map(|value| match *value {
                0 => Mark::Zero,
                small if small < min_count => Mark::Primary,
                _ => Mark::Published,
            })
            .collect();
        let cost = (0..shape.len()).map(|cell| price(&shape, cell, values[cell as usize])).collect();
        let cells = values.len();
        let found = targets(&shape, &values, min_count, options.insider);
        let summary = Summary {
            cells: values.len(),
            small: found.list.len(),
            unattainable: found.unattainable,
            sole: found.sole,
            ..Summary::default()
        };
        let mut list = found.list;
        // A small cell without a range still needs a second value against insiders; the one above serves.
        list.iter_mut()
            .filter(|target| target.insider && target.up == 0 && target.down == 0)
            .for_each(|target| target.up = 1);
        Self {
            slots: vec![None; list.len() * SLOTS],
            users: vec![Vec::new(); values.len()],
            shape,
            y: values,
            marks,
            cost,
            targets: list,
            objective: 0,
            work: 0,
            noise: None,
            frozen: Vec::new(),
            secondary: Vec::new(),
            place: vec![0; cells],
            journal: Vec::new(),
            effort: options.effort,
            round: 0,
            summary,
        }
    }

    /// Puts a witness into an empty slot and withholds what it changes.
    pub fn assign(&mut self, slot: u32, witness: Witness) {
        self.journal.push((slot, None));
        self.put(slot, witness);
    }

    /// Takes a witness out and publishes what nothing else needs.
    pub fn clear(&mut self, slot: u32) {
        if let Some(witness) = self.take(slot) {
            self.journal.push((slot, Some(witness)));
        }
    }

    /// Goes back to when the journal was so long.
    pub fn undo(&mut self, length: usize) {
        while self.journal.len() > length {
            match self.journal.pop() {
                Some((slot, Some(witness))) => self.put(slot, witness),
                Some((slot, None)) => {
                    self.take(slot);
                }
                None => return,
            }
        }
    }

    fn put(&mut self, slot: u32, witness: Witness) {
        for (cell, _) in witness.changes(&self.shape) {
            let at = cell as usize;
            if self.marks[at] == Mark::Primary {
                continue;
            }
            if self.users[at].is_empty() {
                self.marks[at] = Mark::Secondary;
                self.objective += self.cost[at];
                self.place[at] = self.secondary.len() as u32;
                self.secondary.push(cell);
            }
            self.users[at].push(slot);
        }
        self.slots[slot as usize] = Some(witness);
    }

    fn take(&mut self, slot: u32) -> Option<Witness> {
        let witness = self.slots[slot as usize].take()?;
        for (cell, _) in witness.changes(&self.shape) {
            let at = cell as usize;
            if self.marks[at] == Mark::Primary {
                continue;
            }
            if let Some(place) = self.users[at].iter().position(|user| *user == slot) {
                self.users[at].swap_remove(place);
            }
            if self.users[at].is_empty() {
                self.marks[at] = Mark::Published;
                self.objective -= self.cost[at];
                let place = self.place[at] as usize;
                self.secondary.swap_remove(place);
                if let Some(moved) = self.secondary.get(place) {
                    self.place[*moved as usize] = place as u32;
                }
            }
        }
        Some(witness)
    }

    /// The one or more units that take part in every witness of a target but the insider's own: whoever is
    /// among them knows the cell.
    pub fn common_units(&self, target: usize) -> Vec<u16> {
        let mut sets = [UP, DOWN]
            .into_iter()
            .filter_map(|slot| self.slots[target * SLOTS + slot].as_ref())
            .map(|witness| witness.units(&self.shape));
        let Some(mut common) = sets.next() else {
            return Vec::new();
        };
        sets.for_each(|set| common.retain(|unit| set.contains(unit)));
        common
    }

    /// Whether a slot needs a witness that it does not have, or has one that does not serve.
    pub fn open(&self, slot: u32) -> bool {
        let (target, kind) = (slot as usize / SLOTS, slot as usize % SLOTS);
        let (wanted, has) = (&self.targets[target], self.slots[slot as usize].as_ref());
        match kind {
            UP => wanted.up > 0 && has.is_none(),
            DOWN => wanted.down > 0 && has.is_none(),
            _ if !wanted.insider => false,
            _ => {
                let common = self.common_units(target);
                !common.is_empty()
                    && has.is_none_or(|witness| {
                        witness.units(&self.shape).iter().any(|unit| common.contains(unit))
                    })
            }
        }
    }

    /// Whether a slot's witness is there for nothing: the others keep insiders out already.
    pub fn idle(&self, slot: u32) -> bool {
        slot as usize % SLOTS == INSIDER
            && self.slots[slot as usize].is_some()
            && self.common_units(slot as usize / SLOTS).is_empty()
    }

    /// What to search for in a slot, in order of preference of equals.
    pub fn queries(&self, slot: u32) -> Vec<Query> {
        let (target, kind) = (slot as usize / SLOTS, slot as usize % SLOTS);
        let wanted = self.targets[target];
        let query = |sign: i8, amount: u16, avoid: Avoid| Query {
            cell: wanted.cell,
            sign,
            amount: i32::from(amount),
            avoid,
        };
        match kind {
            UP => vec![query(1, wanted.up, Vec::new())],
            DOWN => vec![query(-1, wanted.down, Vec::new())],
            _ => {
                let common = self.common_units(target);
                let down = self.floor_allows(target).then(|| query(-1, 1, common.clone()));
                std::iter::once(query(1, 1, common)).chain(down).collect()
            }
        }
    }

    fn floor_allows(&self, target: usize) -> bool {
        self.targets[target].down > 0
    }

    /// The finished protection.
    pub fn finish(self) -> Protected {
        let secondary = &self.secondary;
        let summary = Summary {
            secondary: secondary.len(),
            secondary_finest: secondary.iter().filter(|cell| self.shape.totals(**cell) == 0).count(),
            grand_total: self.marks.last() == Some(&Mark::Secondary),
            work: self.work,
            ..self.summary
        };
        Protected {
            shape: self.shape,
            values: self.y,
            marks: self.marks,
            witnesses: self.slots.into_iter().flatten().collect(),
            summary,
        }
    }
}

/// Number first, then size; never the grand total; rarely a unit's total or a code's total over units.
fn price(shape: &Shape, cell: u32, value: i32) -> u64 {
    let (totals, dimensions) = (shape.totals(cell), shape.dimensions());
    let weight = match dimensions - totals {
        0 => GRAND,
        1 if dimensions > 1 && !shape.is_total(cell, 0) => UNIT_TOTAL,
        _ => 1,
    };
    weight * UNIT + u64::from(value.unsigned_abs()).min(MOST_SIZE)
}
