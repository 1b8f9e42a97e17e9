//! The exact check of a protection, from values and marks alone, with none of the code that searched for it.
//!
//! Checks every witness as integers: it leaves every published cell and every relation alone, every withheld cell
//! stays ≥ 1, and together the witnesses of a small cell reach every attainable value (SAFE-1) and, for every other
//! unit, a second value without any cell of that unit (SAFE-2). Recomputes margins and ranges itself. Proves what
//! it is shown; it does not search, so it cannot say that a table without witnesses is unsafe.

use std::collections::{BTreeMap, BTreeSet};

use super::system::{Presence, Rule, System};
use super::witness::Witness;
use super::{Mark, Options, Protected, Range};

/// What is wrong with a protection. Names cells by index, no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// A total is not the sum of its parts.
    #[error("cell {0} is not the sum of its parts")]
    Sum(u32),
    /// A mark does not agree with the count: a small cell published, or a zero withheld.
    #[error("the mark of cell {0} does not agree with its count")]
    MarkOf(u32),
    /// A witness changes something published, breaks a relation, or makes a withheld cell less than 1.
    #[error("the witness of cell {0} does not hold")]
    Witness(u32),
    /// An attainable value that no witness reaches.
    #[error("SAFE-1: a value of cell {0} is not shown to be possible")]
    Range(u32),
    /// A unit for which no witness shows a second value.
    #[error("SAFE-2: cell {0} may be known to an insider")]
    Insider(u32),
}

/// Checks a protection.
///
/// # Errors
/// The first thing found wrong.
pub fn check(protected: &Protected, options: &Options) -> Result<(), Unproven> {
    let (system, shape) = (&protected.system, &protected.system.shape);
    sums(system)?;
    let alone: BTreeSet<u32> = options.groups.iter().flat_map(|at| zeros_to_hide(system, *at)).collect();
    marks(protected, options, &alone)?;
    let least = least(system, options, &alone);
    let persons = if options.singleton { persons(system) } else { BTreeMap::new() };
    let mut witnesses = protected.witnesses.iter().peekable();
    let mut reached = Reached { persons: &persons, alone: &alone, ..Reached::new(protected, options) };
    for cell in 0..shape.len() {
        let at = cell as usize;
        (reached.values, reached.common) = (BTreeSet::new(), None);
        while let Some(witness) = witnesses.next_if(|witness| witness.cell == cell) {
            reached.add(witness)?;
        }
        let value = system.values[at];
        let (here, small) = (system.presence[at] != Presence::Absent, options.is_small(value));
        let sensitive = small || alone.contains(&cell) || system.rules.get(&cell) == Some(&Rule::Hide);
        if !here || !sensitive {
            continue;
        }
        let (low, high) = match options.range {
            Range::Full => (least[at].max(i32::from(!options.zeros)), options.min_count.get() as i32 - 1),
            Range::Values { low, high } => (least[at].max(i32::from(low)), i32::from(high)),
            Range::Exact => (0, -1),
        };
        let second = !small || options.range == Range::Exact;
        let all = (low..=high).all(|v| v == value || reached.values.contains(&v));
        if second && reached.values.iter().all(|reached| *reached == value) || !second && !all {
            return Err(Unproven::Range(cell));
        }
        let insider = options.insider && !sole(system, options, cell);
        if (insider || options.singleton) && reached.common(insider).is_none_or(|known| !known.is_empty()) {
            return Err(Unproven::Insider(cell));
        }
    }
    match witnesses.next() {
        Some(witness) => Err(Unproven::Witness(witness.cell)),
        None => Ok(()),
    }
}

fn marks(protected: &Protected, options: &Options, alone: &BTreeSet<u32>) -> Result<(), Unproven> {
    let system = &protected.system;
    for (at, (value, mark)) in system.values.iter().zip(&protected.marks).enumerate() {
        let (cell, small) = (at as u32, options.is_small(*value));
        let rule = system.rules.get(&cell);
        let must = small || alone.contains(&cell) || matches!(rule, Some(Rule::Hide | Rule::Keep));
        let fits = match (system.presence[at], mark) {
            (Presence::Absent, Mark::Absent) | (Presence::Unprinted, Mark::Unprinted) => true,
            (Presence::Printed, Mark::Zero) => *value == 0 && !must,
            (Presence::Printed, Mark::Primary) => {
                must && (*value >= options.least_shown() || alone.contains(&cell))
            }
            (Presence::Printed, Mark::Published) => *value > 0 && !must,
            (Presence::Printed, Mark::Secondary) => *value > 0 && !must && rule != Some(&Rule::Show),
            _ => false,
        };
        if !fits {
            return Err(Unproven::MarkOf(cell));
        }
    }
    Ok(())
}

/// Every relation of which all cells are there: its total and its parts.
fn lines(system: &System, mut visit: impl FnMut(u32, &[u32])) {
    let shape = &system.shape;
    let absent = |cell: u32| system.presence[cell as usize] == Presence::Absent;
    let mut parts = Vec::new();
    for dimension in 0..shape.dimensions() {
        let (stride, codes) = (shape.stride(dimension), shape.total_code(dimension) + 1);
        for relation in shape.dimension(dimension).relations() {
            for block in (0..shape.len()).step_by((stride * codes) as usize) {
                for first in block..block + stride {
                    let place = |code: u16| first + u32::from(code) * stride;
                    parts.clear();
                    parts.extend(relation.parts.iter().map(|code| place(*code)));
                    let total = place(relation.total);
                    if !absent(total) && !parts.iter().any(|part| absent(*part)) {
                        visit(total, &parts);
                    }
                }
            }
        }
    }
}

fn sums(system: &System) -> Result<(), Unproven> {
    let mut wrong = None;
    lines(system, |total, parts| {
        let sum: i64 = parts.iter().map(|part| i64::from(system.values[*part as usize])).sum();
        if sum != i64::from(system.values[total as usize]) {
            wrong = wrong.or(Some(total));
        }
    });
    wrong.map_or(Ok(()), |cell| Err(Unproven::Sum(cell)))
}

/// How little each cell can be, by what everyone sees to be nonzero.
fn least(system: &System, options: &Options, alone: &BTreeSet<u32>) -> Vec<i32> {
    let seen = |at: usize| {
        system.presence[at] == Presence::Printed && system.values[at] > 0 && options.least_shown() > 0
    };
    let mut least: Vec<i32> = (0..system.values.len()).map(|at| i32::from(seen(at))).collect();
    let zeros = zeros(system, options, alone);
    loop {
        let mut raised = false;
        lines(system, |total, parts| {
            let sum: i64 = parts.iter().map(|part| i64::from(least[*part as usize])).sum();
            let sum = i32::try_from(sum).unwrap_or(i32::MAX);
            if sum > least[total as usize] {
                (least[total as usize], raised) = (sum, true);
            }
            // A total whose other parts are published zeros is its only part.
            let mut open = parts.iter().filter(|part| !zeros[**part as usize]);
            if let (Some(only), None) = (open.next(), open.next())
                && least[total as usize] > least[*only as usize]
            {
                (least[*only as usize], raised) = (least[total as usize], true);
            }
        });
        if !raised {
            return least;
        }
    }
}

/// Cells known to be zero: published zeros and what they are the totals of.
fn zeros(system: &System, options: &Options, alone: &BTreeSet<u32>) -> Vec<bool> {
    let published = |at: usize| {
        let shown = options.least_shown() > 0 && !alone.contains(&(at as u32));
        system.presence[at] == Presence::Printed && system.values[at] == 0 && shown
    };
    let mut zeros: Vec<bool> = (0..system.values.len()).map(published).collect();
    loop {
        let mut more = false;
        lines(system, |total, parts| {
            for part in parts.iter().filter(|_| zeros[total as usize]).copied().collect::<Vec<u32>>() {
                more |= !std::mem::replace(&mut zeros[part as usize], true);
            }
        });
        if !more {
            return zeros;
        }
    }
}

/// Whether a total over units is one unit's alone.
fn sole(system: &System, options: &Options, cell: u32) -> bool {
    let (shape, mut units) = (&system.shape, BTreeSet::new());
    if shape.unit_of(cell).is_some() {
        return false;
    }
    for leaf in shape.dimension(0).leaves_of(shape.code(cell, 0) as u16) {
        let part = shape.with_code(cell, 0, leaf) as usize;
        if system.presence[part] == Presence::Absent {
            return false;
        }
        if system.values[part] > 0 || options.zeros {
            units.insert(shape.unit(u32::from(leaf)));
        }
    }
    units.len() < 2
}

/// The zeros that the rule for lines with one category asks to withhold. The one thing not computed again here: which zero of
/// such a line it is makes no difference to whether it is safe.
fn zeros_to_hide(system: &System, dimension: usize) -> Vec<u32> {
    super::target::alone(system, dimension)
}

/// Cells of one, and by which number the person in them goes: a total of one and its part of one are the same.
fn persons(system: &System) -> BTreeMap<u32, u32> {
    let one = |cell: &u32| {
        system.presence[*cell as usize] != Presence::Absent && system.values[*cell as usize] == 1
    };
    let mut persons: BTreeMap<u32, u32> =
        (0..system.shape.len()).filter(one).map(|cell| (cell, cell)).collect();
    loop {
        let mut joined = false;
        lines(system, |total, parts| {
            let Some(part) = parts.iter().find(|part| one(part)).filter(|_| one(&total)) else { return };
            let least = persons[part].min(persons[&total]);
            for cell in [*part, total] {
                joined |= persons.insert(cell, least) != Some(least);
            }
        });
        if !joined {
            return persons;
        }
    }
}

/// Who knows cells that a witness changes: units, and persons alone in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Knower {
    Unit(u16),
    Person(u32),
}

/// Lists that are used again and again.
#[derive(Default)]
struct Scratch {
    changes: Vec<(u32, i32)>,
    lines: Vec<(u64, i32)>,
}

/// What the witnesses of one cell show.
struct Reached<'a> {
    protected: &'a Protected,
    options: &'a Options,
    persons: &'a BTreeMap<u32, u32>,
    /// Zeros that are withheld all the same.
    alone: &'a BTreeSet<u32>,
    values: BTreeSet<i32>,
    /// Who takes part in every witness so far, sorted.
    common: Option<Vec<Knower>>,
    scratch: Scratch,
}

/// Nobody.
static NO_PERSONS: BTreeMap<u32, u32> = BTreeMap::new();
static NO_ZEROS: BTreeSet<u32> = BTreeSet::new();

impl<'a> Reached<'a> {
    fn new(protected: &'a Protected, options: &'a Options) -> Self {
        Self {
            protected,
            options,
            persons: &NO_PERSONS,
            alone: &NO_ZEROS,
            values: BTreeSet::new(),
            common: None,
            scratch: Scratch::default(),
        }
    }

    fn add(&mut self, witness: &Witness) -> Result<(), Unproven> {
        let (protected, cell) = (self.protected, witness.cell);
        let shape = &protected.system.shape;
        for count in 1..=witness.steps.len() {
            let mut change = std::mem::take(&mut self.scratch.changes);
            if count == witness.steps.len() {
                witness.changes_into(shape, &protected.marks, &mut change);
            } else {
                let part = Witness { cell, steps: witness.steps[..count].to_vec() };
                part.changes_into(shape, &protected.marks, &mut change);
            }
            let shown = self.judge(cell, &change, count == witness.steps.len());
            self.scratch.changes = change;
            shown?;
        }
        Ok(())
    }

    /// What one change shows; one that does not hold is an error if it is the whole witness.
    fn judge(&mut self, cell: u32, change: &[(u32, i32)], whole: bool) -> Result<(), Unproven> {
        let shape = &self.protected.system.shape;
        let value = self.protected.system.values[cell as usize];
        let Ok(at) = change.binary_search_by_key(&cell, |(at, _)| *at) else { return Ok(()) };
        let total = change[at].1;
        if !self.holds(change) {
            return if whole { Err(Unproven::Witness(cell)) } else { Ok(()) };
        }
        self.values.insert(value + total);
        // A movement in equal shares: every share less is between two possible tables, so possible.
        if change.iter().all(|(_, by)| by % total == 0) {
            let between = (1..total.abs()).map(|by| value + by * total.signum());
            self.values.extend(between);
        }
        if !self.options.insider && !self.options.singleton {
            return Ok(());
        }
        let own = (shape.unit_of(cell), self.persons.get(&cell));
        let units = change.iter().filter_map(|(at, _)| shape.unit_of(*at));
        let persons = change.iter().filter_map(|(at, _)| self.persons.get(at));
        let units = units.filter(|unit| Some(*unit) != own.0).map(Knower::Unit);
        let persons = persons.filter(|person| Some(*person) != own.1).map(|person| Knower::Person(*person));
        match &mut self.common {
            None => {
                let mut all: Vec<Knower> = units.chain(persons).collect();
                all.sort_unstable();
                all.dedup();
                self.common = Some(all);
            }
            Some(common) if common.is_empty() => {}
            Some(common) => {
                let all: Vec<Knower> = units.chain(persons).collect();
                common.retain(|one| all.contains(one));
            }
        }
        Ok(())
    }

    /// Who takes part in every witness; `None` without a witness. `units`: whether units count.
    fn common(&self, units: bool) -> Option<Vec<Knower>> {
        let known = self.common.as_ref()?.iter();
        Some(known.filter(|one| units || matches!(one, Knower::Person(_))).copied().collect())
    }

    /// Whether a change keeps to cells that readers do not see, keeps them what they are known to be at least, and adds
    /// nothing to any relation of which all cells are there.
    fn holds(&mut self, change: &[(u32, i32)]) -> bool {
        let (protected, options) = (self.protected, self.options);
        let (system, shape) = (&protected.system, &protected.system.shape);
        let fits = change.iter().all(|(cell, by)| {
            let at = *cell as usize;
            let zero = protected.marks[at] == Mark::Unprinted || self.alone.contains(cell);
            let least = if zero { 0 } else { options.least_shown() };
            protected.marks[at].moves() && i64::from(system.values[at]) + i64::from(*by) >= i64::from(least)
        });
        let here = |cell: u32| system.presence[cell as usize] != Presence::Absent;
        let lines = &mut self.scratch.lines;
        let even = (0..shape.dimensions()).all(|dimension| {
            lines.clear();
            let relations = shape.dimension(dimension).relations();
            for (cell, by) in change {
                let code = shape.code(*cell, dimension) as u16;
                let line = cell - u32::from(code) * shape.stride(dimension);
                for (number, relation) in relations.iter().enumerate() {
                    let sign = if relation.total == code { -1 } else { 1 };
                    if sign < 0 || relation.parts.binary_search(&code).is_ok() {
                        lines.push(((number as u64) << 32 | u64::from(line), sign * by));
                    }
                }
            }
            lines.sort_unstable_by_key(|(line, _)| *line);
            lines.chunk_by(|a, b| a.0 == b.0).all(|line| {
                let relation = &relations[(line[0].0 >> 32) as usize];
                let mut codes = relation.parts.iter().chain([&relation.total]);
                line.iter().map(|(_, by)| i64::from(*by)).sum::<i64>() == 0
                    || !codes.all(|code| here(shape.with_code(line[0].0 as u32, dimension, *code)))
            })
        });
        fits && even
    }
}
