//! What has to be shown of each sensitive cell.
//!
//! A sensitive cell needs a witness that carries it up as far as asked for, one that carries it down (SAFE-1), and, against those
//! who know some cells, more as long as a single one of them takes part in all (SAFE-2). Attainable is a value ≥ the number of nonzero parts in any one relation; values below the number of
//! nonzero finest parts cannot occur either, zeros being published.

use super::system::{Presence, Rule, System};
use super::{Options, Range};

/// Witnesses a sensitive cell may have.
pub const SLOTS: usize = 8;
/// Slot of the witness upwards.
pub const UP: usize = 0;
/// Slot of the witness downwards.
pub const DOWN: usize = 1;
/// First of the slots of witnesses that are there for insiders only; the first choice fills just this one.
pub const INSIDER: usize = 2;

/// A sensitive cell and how far it must be able to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The cell.
    pub cell: u32,
    /// How far up.
    pub up: u16,
    /// How far down.
    pub down: u16,
    /// How far down it could go at most.
    pub room: u16,
    /// Whether the way up may also be one down: only a second value is asked for.
    pub either: bool,
    /// Whether SAFE-2 applies.
    pub insider: bool,
}

/// All targets, and what cannot be promised.
#[derive(Debug, Default)]
pub struct Targets {
    /// In order of cells.
    pub list: Vec<Target>,
    /// Small cells.
    pub small: usize,
    /// Small cells with a value that the promise counts as attainable but that cannot occur.
    pub unattainable: usize,
    /// Small totals over units that one unit makes up alone.
    pub sole: usize,
    /// Zeros that are withheld because all of a line falls in one category.
    pub alone: Vec<u32>,
}

/// How little a cell may be, as far as everyone can tell who sees which cells are zero.
pub struct Floors {
    /// Nonzero parts in any one relation.
    pub promised: Vec<u16>,
    /// Nonzero finest parts.
    pub least: Vec<u16>,
    /// Whether a cell is known to be zero: a zero that is published, or part of one.
    zero: Vec<bool>,
}

impl Floors {
    /// The floors of all cells. `least_shown`: what a withheld printed cell is at least.
    pub fn new(system: &System, least_shown: i32, alone: &[u32]) -> Self {
        let cells = system.values.len();
        let seen = |at: usize| {
            u16::from(system.presence[at] == Presence::Printed && system.values[at] > 0 && least_shown > 0)
        };
        let first: Vec<u16> = (0..cells).map(seen).collect();
        let published = |at: usize| {
            let shown = least_shown > 0 && alone.binary_search(&(at as u32)).is_err();
            system.presence[at] == Presence::Printed && system.values[at] == 0 && shown
        };
        let zero = (0..cells).map(published).collect();
        let mut floors = Self { promised: first.clone(), least: first, zero };
        // A total comes after its parts; what a total says of its only part, and groups added later, need more rounds.
        let flat = (0..system.shape.dimensions()).all(|at| system.shape.dimension(at).is_flat());
        let rounds = if flat && !system.presence.contains(&Presence::Absent) { 1 } else { MOST_ROUNDS };
        for _ in 0..rounds {
            let mut raised = false;
            for cell in 0..system.shape.len() {
                raised |= floors.raise(system, cell, &seen);
            }
            if !raised {
                break;
            }
        }
        floors
    }

    /// Raises the floors of a total and of its only part that is not zero; whether any rose.
    fn raise(&mut self, system: &System, cell: u32, seen: &dyn Fn(usize) -> u16) -> bool {
        let (at, mut raised) = (cell as usize, false);
        for parts in system.shape.relations_under(cell) {
            let (mut whole, mut nonzero, mut sum, mut open) = (true, 0u16, 0u16, Vec::new());
            for part in parts {
                let part = part as usize;
                whole &= system.presence[part] != Presence::Absent;
                nonzero = nonzero.saturating_add(seen(part));
                sum = sum.saturating_add(self.least[part]);
                if !self.zero[part] {
                    open.push(part);
                }
            }
            if !whole || system.presence[at] == Presence::Absent {
                continue;
            }
            if self.zero[at] {
                raised |= !open.is_empty();
                open.drain(..).for_each(|part| self.zero[part] = true);
            }
            raised |= sum > self.least[at] || nonzero > self.promised[at];
            self.promised[at] = self.promised[at].max(nonzero);
            self.least[at] = self.least[at].max(sum);
            if let [only] = open[..] {
                raised |= self.least[at] > self.least[only];
                self.least[only] = self.least[only].max(self.least[at]);
            }
        }
        raised
    }
}

/// Most rounds of raising floors: each goes up or down all levels once.
const MOST_ROUNDS: usize = 32;

/// Units that contribute to a total over units; at least two where that cannot be told, as where zeros are withheld.
pub fn contributors(system: &System, options: &Options, cell: u32) -> usize {
    let shape = &system.shape;
    let area = shape.dimension(0);
    let mut units = Vec::new();
    for leaf in area.leaves_of(shape.code(cell, 0) as u16) {
        let part = shape.with_code(cell, 0, leaf) as usize;
        if system.presence[part] == Presence::Absent {
            return 2;
        }
        if system.values[part] > 0 || options.zeros {
            units.push(shape.unit(u32::from(leaf)));
        }
    }
    units.sort_unstable();
    units.dedup();
    units.len()
}

/// The zero of each line in which everything falls in one category of a dimension: that with the largest total.
pub fn alone(system: &System, dimension: usize) -> Vec<u32> {
    let shape = &system.shape;
    let leaves = shape.dimension(dimension).leaves();
    let all = |code: u16| {
        let mut cell = shape.len() - 1;
        cell = shape.with_code(cell, dimension, code);
        system.values[cell as usize]
    };
    let mut found = Vec::new();
    for total in (0..shape.len()).filter(|cell| shape.is_total(*cell, dimension)) {
        let parts = || (0..leaves).map(|code| (code, shape.with_code(total, dimension, code)));
        let printed = |cell: u32| system.presence[cell as usize] == Presence::Printed;
        let nonzero = parts().filter(|(_, cell)| system.values[*cell as usize] > 0).count();
        if nonzero == 1 && printed(total) && parts().all(|(_, cell)| printed(cell)) {
            let zeros = parts().filter(|(_, cell)| system.values[*cell as usize] == 0);
            found.extend(zeros.max_by_key(|(code, _)| (all(*code), u16::MAX - code)).map(|(_, cell)| cell));
        }
    }
    found
}

/// The targets of a system.
pub fn targets(system: &System, options: &Options) -> Targets {
    let min_count = options.min_count.get() as i32;
    let mut found = Targets::default();
    for dimension in &options.groups {
        found.alone.extend(alone(system, *dimension));
    }
    found.alone.sort_unstable();
    found.alone.dedup();
    let floors = Floors::new(system, options.least_shown(), &found.alone);
    for cell in 0..system.shape.len() {
        let (at, value) = (cell as usize, system.values[cell as usize]);
        if system.presence[at] == Presence::Absent {
            continue;
        }
        let small = options.is_small(value);
        let alone = found.alone.binary_search(&cell).is_ok();
        if !small && !alone && system.rules.get(&cell) != Some(&Rule::Hide) {
            continue;
        }
        let (promised, least) = (i32::from(floors.promised[at]), i32::from(floors.least[at]));
        found.small += usize::from(small);
        found.unattainable += usize::from(small && least > promised);
        let over_units = system.shape.unit_of(cell).is_none();
        let sole = over_units && contributors(system, options, cell) < 2;
        found.sole += usize::from(sole && small);
        let room = (value - least.max(promised)).max(0);
        let (low, high) = match options.range {
            Range::Full => (i32::from(!options.zeros), min_count - 1),
            Range::Values { low, high } => (low as i32, high as i32),
            Range::Exact => (value, value),
        };
        let either = !small || options.range == Range::Exact;
        let (up, down) = match either {
            true => (1, 0),
            false => ((high - value).max(0), (value - low.max(value - room)).max(0)),
        };
        let insider = options.insider && !sole;
        // A cell without a range still needs a second value against insiders; the one above serves.
        let up = if (insider || options.singleton) && up == 0 && down == 0 { 1 } else { up };
        found.list.push(Target {
            cell,
            up: up.min(i32::from(u16::MAX)) as u16,
            down: down.min(i32::from(u16::MAX)) as u16,
            room: room.min(i32::from(u16::MAX)) as u16,
            either,
            insider,
        });
    }
    found
}
