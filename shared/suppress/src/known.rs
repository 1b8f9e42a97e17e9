//! Totals over the roster, whose values the coordinator knows: which further ones must be withheld.
//!
//! For every small total, every small difference of totals that no table prints, and every all-small line
//! over units, each attainable value of the range is carried by a *witness*: whole numbers of records per
//! kind (full atoms, and unit atoms of units) that agree with everything shown, with every withheld figure at
//! least 1. A witness is sought where each shown total may give way at a price; the totals that give way are
//! withheld. Since the withheld set only grows, earlier witnesses stay valid, so one pass suffices. Every
//! witness is verified in integers.
//!
//! Never opens anything, never changes a mark of a unit (they are frozen), never withholds bortfall, a zero,
//! or a total that is the sum of readable figures. Holes in the range are searched value by value; what
//! cannot be protected is returned as such, never dropped. Linked tables are one system, of any shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tables::count::{FineStatus, MinCount};
use tables::figures::{Figures, Mark};
use tables::system::{CellIndex, System};

use crate::reach::Reaches;
use crate::span::{P, Span, value_of};
use crate::totals::readable_sum;

mod board;

use board::Board;

/// What withholding a total costs per record it moves; relative to 1 for the count of cells.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// A finest cell.
    pub cell: f64,
    /// A margin that is not the grand total of its table.
    pub margin: f64,
    /// The grand total of a table.
    pub grand: f64,
    /// Added per doubling of the figure: few first, then small.
    pub size: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { cell: 10.0, margin: 25.0, grand: 1_000.0, size: 0.2 }
    }
}

/// What is settled of totals beforehand: an extension shows and withholds what was published as it was.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Shown, whatever it costs.
    pub shown: BTreeSet<CellIndex>,
    /// Withheld already.
    pub withheld: BTreeSet<CellIndex>,
}

/// Totals that cannot be protected from what is at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KnownError {
    /// Figures or statuses do not fit the system.
    #[error("figures of {units} units with {totals} totals do not fit the collection")]
    Shape {
        /// Units.
        units: usize,
        /// Totals.
        totals: usize,
    },
    /// No whole numbers agree with the figures.
    #[error("the totals contradict each other or the units' figures (near {0})")]
    Contradiction(String),
}

/// One set of records whose count must stay uncertain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Full atoms.
    pub atoms: Vec<u32>,
    /// The printed cell that it is, if any.
    pub cell: Option<CellIndex>,
}

/// Evidence that a target could have another value: how withheld totals would differ.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownWitness {
    /// What it protects.
    pub target: Target,
    /// Totals that differ and by how much; all are withheld.
    pub changes: Vec<(CellIndex, i64)>,
}

impl fmt::Debug for KnownWitness {
    /// Prints no change: changes of small cells speak of their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownWitness({:?}, {} totals)", self.target.cell, self.changes.len())
    }
}

/// Protected totals and the evidence.
#[derive(Debug, Clone)]
pub struct Protected {
    /// The figures with more totals withheld.
    pub figures: Figures,
    /// Totals withheld here that are not small themselves.
    pub secondary: BTreeSet<CellIndex>,
    /// One for each target and value of its range other than its own.
    pub witnesses: Vec<KnownWitness>,
    /// Targets some attainable value of which no witness carries: the audit will not certify them.
    pub unprotected: Vec<Target>,
}

/// Withholds further totals until every small one keeps its range. `statuses[unit][unit atom]` in roster
/// order. `low` names unit atoms whose all-small lines an audit found too low: they are treated as such whatever
/// their sum. What is `settled` stays: small totals that it shows are nobody's secret any more.
///
/// Post: no mark of a unit changed, no total opened; each target has its witnesses or stands in
/// `unprotected`.
///
/// # Errors
/// [`KnownError`].
pub fn protect_totals(
    system: &System,
    figures: &Figures,
    statuses: &[Vec<FineStatus>],
    threshold: MinCount,
    weights: Weights,
    low: &BTreeSet<u32>,
    settled: &Settled,
) -> Result<Protected, KnownError> {
    let fits = figures.per_unit.len() == statuses.len()
        && figures.units.len() == statuses.len()
        && statuses.iter().all(|own| own.len() == system.unit_atoms)
        && figures.totals.keys().all(|cell| *cell < system.cells.len());
    if !fits {
        let (units, totals) = (figures.units.len(), figures.totals.len());
        return Err(KnownError::Shape { units, totals });
    }
    let board = Board::new(system, figures, weights, &settled.shown);
    let withheld = settled.withheld.clone();
    let mut work = Work { system, figures, threshold, board, withheld, unprotected: Vec::new() };
    let mut witnesses = Vec::new();
    for (target, values) in work.printed_targets() {
        work.protect(target, &values, &mut witnesses)?;
    }
    for (atom, units) in work.low_lines(statuses, low) {
        work.protect_line(atom, &units, statuses);
    }
    for (target, values) in work.implied_targets() {
        work.protect(target, &values, &mut witnesses)?;
    }
    Ok(work.finish(witnesses))
}

struct Work<'a> {
    system: &'a System,
    figures: &'a Figures,
    threshold: MinCount,
    board: Board<'a>,
    withheld: BTreeSet<CellIndex>,
    unprotected: Vec<Target>,
}

type Wanted = (Target, Vec<u64>);

impl Work<'_> {
    fn small(&self, value: u64) -> bool {
        (1..u64::from(self.threshold.get())).contains(&value)
    }

    fn shown(&self, cell: CellIndex) -> Option<u64> {
        if self.withheld.contains(&cell) { None } else { self.figures.totals.get(&cell)?.shown() }
    }

    /// Values of a small set from its floor up, farthest from the true one first, the true one left out.
    fn range(&self, atoms: &[u32], value: u64) -> Vec<u64> {
        let mut values: Vec<u64> =
            (self.floor(atoms)..u64::from(self.threshold.get())).filter(|other| *other != value).collect();
        values.sort_by_key(|other| (std::cmp::Reverse(other.abs_diff(value)), *other));
        values
    }

    /// The number of nonzero parts that a set has in any one table, with the bortfall of that table, which is published:
    /// below it no value is attainable.
    fn floor(&self, atoms: &[u32]) -> u64 {
        let inside = |cell: CellIndex| {
            let part = &self.system.cells[cell].atoms;
            !part.is_empty() && part.iter().all(|atom| atoms.binary_search(atom).is_ok())
        };
        let nonzero =
            |cell: CellIndex| self.figures.totals.get(&cell).is_some_and(|mark| *mark != Mark::Shown(0));
        let parts = |rows: &tables::system::TableRows| {
            let is_finest = |row: &&tables::system::Row| {
                let known = |at: usize| row.codes[at].is_some() || rows.each == Some(at);
                (0..row.codes.len()).all(known)
            };
            let parts: BTreeSet<CellIndex> = rows.rows.iter().filter(is_finest).map(|row| row.cell).collect();
            let parts: Vec<CellIndex> =
                parts.into_iter().filter(|cell| inside(*cell) && nonzero(*cell)).collect();
            // Periods of one table may overlap; then only those of equal size are counted as parts.
            let mut seen = BTreeSet::new();
            let mut disjoint =
                |cell: &&CellIndex| self.system.cells[**cell].atoms.iter().all(|atom| seen.insert(*atom));
            let nonzero = parts.iter().filter(&mut disjoint).count() as u64;
            let bortfall = rows.bortfall.iter().filter(|cell| inside(**cell)).filter(&mut disjoint);
            nonzero + bortfall.filter_map(|cell| self.figures.totals.get(cell)?.shown()).sum::<u64>()
        };
        self.system.tables.iter().map(parts).max().unwrap_or(0).max(1)
    }

    fn printed_targets(&self) -> Vec<Wanted> {
        let small = |(cell, mark): (&CellIndex, &Mark)| {
            let value = mark.shown().filter(|value| self.small(*value))?;
            let atoms = self.system.cells[*cell].atoms.clone();
            let values = self.range(&atoms, value);
            self.system.cells[*cell].is_count.then_some((Target { atoms, cell: Some(*cell) }, values))
        };
        self.figures.totals.iter().filter_map(small).collect()
    }

    /// Small differences whose value follows from the totals that are still shown. `System::implied_total` has left out
    /// incomplete registrations (ADR 5); leaving out more here than the audit does would only make it refuse.
    fn implied_targets(&self) -> Vec<Wanted> {
        let span = self.shown_span();
        let known = self.span_of(|cell| self.figures.totals[&cell].shown().is_some());
        let small = |atoms: &Vec<u32>| {
            let value = if self.system.signed(atoms).is_some() {
                // It need not follow to be bounded: the total and its parts tie it from both sides (ADR 20).
                let sum = known.express(self.board.kinds_of(atoms))?;
                value_of(&sum, |cell| self.known(cell as usize))
            } else {
                self.value(&span.express(self.board.kinds_of(atoms))?)
            };
            let target = Target { atoms: atoms.clone(), cell: None };
            self.small(value).then(|| (target, self.range(atoms, value)))
        };
        self.system.implied_total.iter().filter_map(small).collect()
    }

    /// What follows from the totals that are still shown, and from what is 0 whatever the counts.
    fn shown_span(&self) -> Span {
        self.span_of(|cell| self.shown(cell).is_some())
    }

    fn span_of(&self, is_known: impl Fn(CellIndex) -> bool) -> Span {
        let mut span = Span::default();
        for cell in self.figures.totals.keys().filter(|cell| is_known(**cell)) {
            span.insert(*cell as u32, self.board.kinds_of(&self.system.cells[*cell].atoms));
        }
        for (at, tie) in self.board.ties().iter().enumerate() {
            let vector = tie.iter().map(|(kind, sign)| (*kind, if *sign > 0 { 1 } else { P - 1 }));
            span.insert_vector((self.system.cells.len() + at) as u32, vector.collect());
        }
        span
    }

    /// What the coordinator knows of a total; 0 for what is no total.
    fn known(&self, cell: CellIndex) -> u64 {
        self.figures.totals.get(&cell).and_then(|mark| mark.shown()).unwrap_or(0)
    }

    /// The value of a combination of shown totals.
    fn value(&self, combination: &BTreeMap<u32, u64>) -> u64 {
        value_of(combination, |cell| self.shown(cell as usize).unwrap_or(0))
    }

    /// Unit atoms whose cells are all small and whose known sum is so low that it bounds them: each must be
    /// thought able to be `t − 1`, and to have two values by a kommun that takes its own, at most `t − 1` a
    /// unit, away. With the units that have them.
    fn low_lines(&self, statuses: &[Vec<FineStatus>], low: &BTreeSet<u32>) -> Vec<(u32, Vec<usize>)> {
        let span = self.shown_span();
        let line = |atom: u32| {
            let status = |unit: &usize| statuses[*unit][atom as usize];
            let units: Vec<usize> =
                (0..statuses.len()).filter(|unit| status(unit) != FineStatus::Zero).collect();
            if units.is_empty() || units.iter().any(|unit| status(unit) == FineStatus::Plain) {
                return None;
            }
            if low.contains(&atom) {
                return Some((atom, units));
            }
            let sum = span.express(self.board.kinds_of(&self.full_atoms(atom)))?;
            let sum = self.value(&sum);
            let mut per_kommun = BTreeMap::<_, u64>::new();
            for unit in &units {
                *per_kommun.entry(self.figures.units[*unit].kommun()).or_default() += 1;
            }
            let most = per_kommun.into_values().max().unwrap_or(0);
            let enough = units.len() as u64 + 1 + most * (u64::from(self.threshold.get()) - 2);
            (sum < enough).then_some((atom, units))
        };
        (0..self.system.unit_atoms as u32).filter_map(line).collect()
    }

    fn full_atoms(&self, unit_atom: u32) -> Vec<u32> {
        let inside = |atom: &u32| self.system.unit_atom_of[*atom as usize] == Some(unit_atom);
        (0..self.system.atoms as u32).filter(inside).collect()
    }

    /// Protects the small cells of a low line by movements inside each unit: the totals that change are
    /// withheld. Such a movement holds against every insider, since it touches no other kommun.
    fn protect_line(&mut self, atom: u32, units: &[usize], statuses: &[Vec<FineStatus>]) {
        let reaches = Reaches::new(self.system);
        for unit in units {
            match self.inner_movement(&reaches, *unit, atom, &statuses[*unit]) {
                Some(totals) => self.withheld.extend(totals),
                None => self.unprotected.push(Target { atoms: self.full_atoms(atom), cell: None }),
            }
        }
    }

    /// The cheapest set of totals to withhold so that a unit's small atom can swap records with a plain one,
    /// or grow, without changing what the unit shows.
    fn inner_movement(
        &self,
        reaches: &Reaches,
        unit: usize,
        atom: u32,
        own: &[FineStatus],
    ) -> Option<BTreeSet<CellIndex>> {
        let plain = (0..own.len() as u32).filter(|other| own[*other as usize] == FineStatus::Plain);
        let option = |other: Option<u32>| {
            let drift: BTreeMap<u32, i32> =
                other.map(|other| (other, -1)).into_iter().chain([(atom, 1)]).collect();
            let hidden = self.figures.per_unit[unit].iter().all(|(cell, mark)| {
                let atoms = self.system.cells[*cell].unit_atoms.as_deref().unwrap_or_default();
                *mark == Mark::Withheld || atoms.iter().filter_map(|atom| drift.get(atom)).sum::<i32>() == 0
            });
            let changed = reaches.changed(&drift).into_iter();
            let fresh: BTreeSet<CellIndex> = changed.filter(|cell| self.shown(*cell).is_some()).collect();
            let price = fresh.iter().map(|cell| self.board.price(*cell)).sum::<Option<f64>>()?;
            hidden.then_some((price, fresh))
        };
        let options = plain.map(Some).chain([None]).filter_map(option);
        options.min_by(|one, two| one.0.total_cmp(&two.0)).map(|(_, totals)| totals)
    }

    fn protect(
        &mut self,
        target: Target,
        values: &[u64],
        witnesses: &mut Vec<KnownWitness>,
    ) -> Result<(), KnownError> {
        let own = target.cell.filter(|cell| self.is_free(*cell));
        self.withheld.extend(own);
        if !self.board.is_consistent(&target, &self.withheld) {
            return Err(KnownError::Contradiction(self.name(&target)));
        }
        for value in values {
            match self.board.witness(&target, *value, &self.withheld) {
                Some(changes) => {
                    self.withheld.extend(
                        changes
                            .iter()
                            .map(|(cell, _)| *cell)
                            .filter(|cell| self.figures.totals[cell] != Mark::Withheld),
                    );
                    witnesses.push(KnownWitness { target: target.clone(), changes });
                }
                None if self.unprotected.contains(&target) => {}
                None => self.unprotected.push(target.clone()),
            }
        }
        Ok(())
    }

    /// Whether a total may be withheld at all: it is no bortfall and no sum of readable figures.
    fn is_free(&self, cell: CellIndex) -> bool {
        self.board.price(cell).is_some()
    }

    fn name(&self, target: &Target) -> String {
        target
            .cell
            .map_or_else(|| "an unprinted difference".into(), |cell| self.system.cells[cell].label.clone())
    }

    fn finish(self, witnesses: Vec<KnownWitness>) -> Protected {
        let mut figures = self.figures.clone();
        for cell in &self.withheld {
            figures.totals.insert(*cell, Mark::Withheld);
        }
        let secondary = self.withheld.iter().copied();
        let plain =
            |cell: &CellIndex| self.figures.totals[cell].shown().is_some_and(|value| !self.small(value));
        let secondary = secondary.filter(plain).collect();
        Protected { figures, secondary, witnesses, unprotected: self.unprotected }
    }
}

/// Per cell the marks of all units, as sets of withheld cells.
fn withheld_of(figures: &Figures) -> Vec<BTreeSet<CellIndex>> {
    let of = |marks: &BTreeMap<CellIndex, Mark>| {
        marks.iter().filter(|(_, mark)| **mark == Mark::Withheld).map(|(cell, _)| *cell).collect()
    };
    figures.per_unit.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
