//! The state of a protection: marks, the witness of every target, and which secondary cell serves whom.
//!
//! Invariant: a cell is [`Mark::Secondary`] exactly when some witness changes it, so a cell that no witness needs
//! any more is published again by itself.

use super::knowers::Knowers;
use super::search::{Avoid, Query};
use super::shape::Shape;
use super::system::{Presence, Rule, System};
use super::target::{DOWN, INSIDER, SLOTS, Target, UP, targets};
use super::witness::Witness;
use super::{Effort, Mark, Options, ProtectError, Protected, Summary};
use crate::key::TieSecret;

/// Price of one cell; sizes are added below it.
pub const UNIT: u64 = 1 << 24;
/// Largest price for size of one cell: 256 corners of it stay below [`UNIT`].
const MOST_SIZE: u64 = (1 << 16) - 1;
/// Price of the grand total, in cells.
pub const GRAND: u64 = 1 << 24;

/// In place of a slot: a witness that stays.
const PIN: u32 = u32::MAX;

/// Marks and witnesses.
#[derive(Clone)]
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
    /// Who knows cells of their own.
    pub knowers: Knowers,
    /// What a reader knows a withheld cell to be at least.
    least_shown: i32,
    /// Zeros that are withheld all the same.
    alone: Vec<u32>,
    singleton: bool,
    /// Whether every cell of the grid is there.
    pub complete: bool,
    /// How many are.
    pub present: u32,
    system: System,
    /// The secondary cells, in no order that means anything, but always the same.
    pub secondary: Vec<u32>,
    /// Where a secondary cell stands among them.
    place: Vec<u32>,
    /// What slots held before each change since the last decision.
    pub journal: Vec<(u32, Option<Witness>)>,
    pub effort: Effort,
    pub secret: Option<TieSecret>,
    /// Varies the windows of linear models.
    pub round: u64,
    /// Targets with more witnesses than slots: none of them is replaced any more.
    pub pinned: Vec<bool>,
    /// Their further witnesses.
    extra: Vec<Witness>,
    summary: Summary,
}

impl Board {
    /// Nothing secondary, no witness yet.
    ///
    /// # Errors
    /// [`ProtectError::Rule`] when a small cell is to be shown or a zero that readers see is to be withheld.
    pub fn new(mut system: System, options: &Options) -> Result<Self, ProtectError> {
        let found = targets(&system, options);
        let marks = marks(&system, options, &found.alone)?;
        let shape = system.shape.clone();
        let cost = (0..shape.len()).map(|cell| price(&system, cell, options.secret)).collect();
        let count = |presence| system.presence.iter().filter(|known| **known == presence).count();
        let summary = Summary {
            cells: count(Presence::Printed),
            differences: count(Presence::Unprinted),
            small: found.small,
            unattainable: found.unattainable,
            sole: found.sole,
            alone: found.alone.len(),
            ..Summary::default()
        };
        let present = marks.iter().filter(|mark| **mark != Mark::Absent).count() as u32;
        let (cells, complete) = (marks.len(), present == shape.len());
        let pinned = vec![false; found.list.len()];
        Ok(Self {
            slots: vec![None; found.list.len() * SLOTS],
            users: vec![Vec::new(); cells],
            shape,
            knowers: Knowers::new(&system, options),
            y: std::mem::take(&mut system.values),
            system,
            marks,
            cost,
            targets: found.list,
            objective: 0,
            work: 0,
            noise: None,
            frozen: Vec::new(),
            least_shown: options.least_shown(),
            singleton: options.singleton,
            alone: found.alone,
            complete,
            present,
            secondary: Vec::new(),
            place: vec![0; cells],
            journal: Vec::new(),
            effort: options.effort,
            secret: options.secret,
            round: 0,
            pinned,
            extra: Vec::new(),
            summary,
        })
    }

    /// How far down a cell can go and still be what everyone knows it to be.
    pub fn room(&self, at: usize) -> i32 {
        let zero = self.marks[at] == Mark::Unprinted || self.alone.binary_search(&(at as u32)).is_ok();
        self.y[at] - if zero { 0 } else { self.least_shown }
    }

    /// Whether a target needs more than its range: someone knows cells of their own.
    pub fn guarded(&self, target: usize) -> bool {
        self.targets[target].insider || self.singleton
    }

    /// Whoever knows a cell that a target's witness changes, sorted.
    pub fn knowers_of(&self, witness: &Witness, target: usize) -> Vec<u32> {
        self.knowers.of(&self.shape, &self.marks, witness, self.targets[target].insider)
    }

    /// Puts a witness into an empty slot and withholds what it changes.
    pub fn assign(&mut self, slot: u32, witness: Witness) {
        self.journal.push((slot, None));
        self.put(slot, witness);
    }

    /// Keeps a witness for good, beside those in slots; its target's other witnesses stay as they are too.
    pub fn pin(&mut self, target: usize, witness: Witness) {
        self.pinned[target] = true;
        self.withhold(PIN, &witness);
        self.extra.push(witness);
    }

    /// Whether a cell is needed by a witness that stays.
    pub fn is_pinned(&self, cell: u32) -> bool {
        self.users[cell as usize].iter().any(|slot| self.is_pinned_slot(*slot))
    }

    /// Whether what is in a slot stays.
    pub fn is_pinned_slot(&self, slot: u32) -> bool {
        slot == PIN || self.pinned[slot as usize / SLOTS]
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
        self.withhold(slot, &witness);
        self.slots[slot as usize] = Some(witness);
    }

    /// Withholds what a witness changes.
    fn withhold(&mut self, slot: u32, witness: &Witness) {
        for (cell, _) in witness.changes(&self.shape, &self.marks) {
            let at = cell as usize;
            if matches!(self.marks[at], Mark::Primary | Mark::Unprinted) {
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
    }

    fn take(&mut self, slot: u32) -> Option<Witness> {
        let witness = self.slots[slot as usize].take()?;
        for (cell, _) in witness.changes(&self.shape, &self.marks) {
            let at = cell as usize;
            if matches!(self.marks[at], Mark::Primary | Mark::Unprinted) {
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

    /// Whoever takes part in every witness of a target but that of one slot: they know the cell.
    pub fn common(&self, target: usize, but: usize) -> Vec<u32> {
        let mut sets = (0..SLOTS)
            .filter(|kind| *kind != but)
            .filter_map(|kind| self.slots[target * SLOTS + kind].as_ref())
            .map(|witness| self.knowers_of(witness, target));
        let Some(mut common) = sets.next() else {
            return Vec::new();
        };
        sets.for_each(|set| common.retain(|one| set.contains(one)));
        common
    }

    /// Whether a slot needs a witness that it does not have, or has one that does not serve.
    pub fn open(&self, slot: u32) -> bool {
        let (target, kind) = (slot as usize / SLOTS, slot as usize % SLOTS);
        let (wanted, has) = (&self.targets[target], self.slots[slot as usize].as_ref());
        match kind {
            UP => wanted.up > 0 && has.is_none(),
            DOWN => wanted.down > 0 && has.is_none(),
            _ if !self.guarded(target) || self.pinned[target] => false,
            _ => {
                let common = self.common(target, kind);
                let serves = |witness: &Witness| {
                    !self.knowers_of(witness, target).iter().any(|one| common.contains(one))
                };
                !common.is_empty() && !has.is_some_and(serves)
            }
        }
    }

    /// Whether a slot's witness is there for nothing: the others keep insiders out already.
    pub fn idle(&self, slot: u32) -> bool {
        let (target, kind) = (slot as usize / SLOTS, slot as usize % SLOTS);
        kind >= INSIDER && self.slots[slot as usize].is_some() && self.common(target, kind).is_empty()
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
        let down = |avoid: Avoid| (wanted.room > 0).then(|| query(-1, 1, avoid));
        match kind {
            UP if wanted.either => std::iter::once(query(1, 1, Vec::new())).chain(down(Vec::new())).collect(),
            UP => vec![query(1, wanted.up, Vec::new())],
            DOWN => vec![query(-1, wanted.down, Vec::new())],
            _ => {
                let common = self.common(target, kind);
                let down = down(common.clone());
                std::iter::once(query(1, 1, common)).chain(down).collect()
            }
        }
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
        let mut witnesses: Vec<Witness> = self.slots.into_iter().flatten().chain(self.extra).collect();
        witnesses.sort_by_key(|witness| witness.cell);
        // What was decided beforehand is published like any other.
        let marks =
            self.marks.into_iter().map(|mark| if mark == Mark::Fixed { Mark::Published } else { mark });
        Protected {
            system: System { values: self.y, ..self.system },
            marks: marks.collect(),
            witnesses,
            summary,
        }
    }
}

/// What is known of every cell before anything is chosen.
fn marks(system: &System, options: &Options, alone: &[u32]) -> Result<Vec<Mark>, ProtectError> {
    let mark = |cell: u32| {
        let (value, rule) = (system.values[cell as usize], system.rules.get(&cell));
        let small = options.is_small(value);
        let hidden = alone.binary_search(&cell).is_ok();
        Ok(match (system.presence[cell as usize], rule) {
            (Presence::Absent, _) => Mark::Absent,
            (Presence::Unprinted, _) => Mark::Unprinted,
            (_, Some(Rule::Show)) if small || hidden => return Err(ProtectError::Rule { cell }),
            (_, Some(Rule::Hide | Rule::Keep)) if value < options.least_shown() => {
                return Err(ProtectError::Rule { cell });
            }
            (_, Some(Rule::Hide | Rule::Keep)) => Mark::Primary,
            _ if small || hidden => Mark::Primary,
            _ if value == 0 => Mark::Zero,
            (_, Some(Rule::Show)) => Mark::Fixed,
            _ => Mark::Published,
        })
    };
    (0..system.shape.len()).map(mark).collect()
}

/// Number first, each cell by its weight, then size; never the grand total.
fn price(system: &System, cell: u32, secret: Option<TieSecret>) -> u64 {
    let (shape, value) = (&system.shape, system.values[cell as usize]);
    let weight = match system.weights.get(&cell) {
        _ if cell + 1 == shape.len() => GRAND,
        Some(weight) => u64::from(*weight),
        None => 1,
    };
    let size = match secret {
        Some(secret) => secret.of(u64::from(cell)) & MOST_SIZE,
        None => u64::from(value.unsigned_abs()).min(MOST_SIZE),
    };
    weight * UNIT + size
}
