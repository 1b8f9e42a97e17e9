//! A second version of a publication: what may be shown beside the first, so that no difference reveals anything.
//!
//! A kommun found an error, or comes late. Readers keep the first version and subtract. So version 2 opens no sum whose
//! difference speaks of somebody's hidden figures: it repeats a sum in which nobody's hidden figure changed, and keeps
//! every other closed (`30-protocol`, The ledger: *none, or readable there*; that three may differ is not used here).
//! What it adds is the corrected kommuner's own rows. They are chosen from statuses and from *which* cells changed,
//! never from values, and each is protected in its own row: a cell that did not change is taken as known from version 1.
//!
//! Evidence is a [`Joint`] movement: records of version 1 and of version 2 move together so that neither publication
//! changes, nor the equality of anything that is equal in both. [`own::check_own`] verifies it at a node and shares no code
//! with [`choose`].
//!
//! Knows no value. Deterministic given the key. A kommun whose correction nothing can hide is named, not published.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use tables::count::FineStatus;
use tables::figures::{Pattern, Witness};
use tables::system::{Build, CellIndex, System};
use tables::unit::Unit;

use crate::grid::Grid;
use crate::key::PatternKey;
use crate::moves::{Move, moves_of};
use crate::totals::{
    Totals, close_sums, close_thin_combinations, close_what_gives_back, hidden_kommuner, readable_sum,
};

pub mod own;
mod walk;

#[cfg(test)]
mod tests;

/// A step of a movement: index of the unit in its roster, unit atom, `1` or `-1`.
pub type Step = (u32, u32, i32);

/// A movement in both versions at once. `before` has indices of the first version's roster, `after` of the second's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joint {
    /// The unit atom it carries, `+1` in `before`, `after` or both.
    pub atom: u32,
    /// Steps of the first version's records.
    pub before: Vec<Step>,
    /// Steps of the second version's records.
    pub after: Vec<Step>,
}

impl std::fmt::Debug for Joint {
    /// Statuses can be read off the steps (STAY-2).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joint({} and {} steps)", self.before.len(), self.after.len())
    }
}

/// The published first version.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Its roster, ascending.
    pub units: &'a [Unit],
    /// Statuses in that order.
    pub statuses: &'a [Vec<FineStatus>],
    /// Its pattern with all witnesses.
    pub pattern: &'a Pattern,
}

/// Who declared for the second version.
#[derive(Debug, Clone, Copy)]
pub struct After<'a> {
    /// Units, ascending.
    pub units: &'a [Unit],
    /// Statuses in that order.
    pub statuses: &'a [Vec<FineStatus>],
    /// In that order the cells whose figure is another than in version 1; not read of a unit that was not in it.
    pub changed: &'a [BTreeSet<CellIndex>],
    /// In that order unit atoms whose lines the unit asks to keep withheld (phase 3b).
    pub keep: &'a [BTreeSet<u32>],
}

/// A chosen second version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// The pattern over its roster.
    pub pattern: Pattern,
    /// Per unit of the roster its evidence, for that unit's eyes.
    pub joints: Vec<Vec<Joint>>,
}

/// Why none was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// Lists of other lengths, or units not ascending.
    #[error("the second version's units, statuses and changes do not fit the collection")]
    Shape,
    /// These units' corrections would give small cells away, of their own or of others.
    #[error("nothing hides the corrections of {}", units.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Unprotected {
        /// Who takes no part, then.
        units: BTreeSet<Unit>,
    },
}

/// What must be able to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// A small atom of version 1 (index in its roster), through two other kommuner.
    Old(u32, u32),
    /// A small atom of a corrected or new unit (index in the second roster) in its own row alone.
    New(u32, u32),
}

struct Chooser<'a> {
    system: &'a System,
    before: Before<'a>,
    after: After<'a>,
    grid: &'a Grid<'a>,
    /// Per unit of the second roster its index in the first.
    old_of: Vec<Option<u32>>,
    /// Per unit of the first roster its index in the second.
    new_of: Vec<Option<u32>>,
    /// What the second version shows.
    pattern: Pattern,
    moves: HashMap<u32, Vec<Move>>,
    found: BTreeMap<Need, Vec<Joint>>,
}

/// Chooses the second version. Zeros are shown, small cells withheld, whatever did not change stays as it was.
///
/// Post: [`own::check_own`] accepts it for every unit.
///
/// # Errors
/// [`CorrectionError`]; with [`CorrectionError::Unprotected`] the caller asks again without those units.
pub fn choose(
    system: &System,
    before: Before<'_>,
    after: After<'_>,
    key: &PatternKey,
) -> Result<Corrected, CorrectionError> {
    fits(system, before, after)?;
    let sorted: Vec<&Unit> = after.units.iter().collect();
    let grid = Grid::new(system, &sorted, after.statuses.iter().map(Vec::as_slice).collect(), key);
    let mut chooser = Chooser::new(system, before, after, &grid);
    chooser.withhold_what_changed();
    chooser.totals_at_a_glance();
    chooser.protect()?;
    chooser.reveal();
    chooser.decide_totals();
    chooser.verified()
}

fn fits(system: &System, before: Before<'_>, after: After<'_>) -> Result<(), CorrectionError> {
    let list = |units: &[Unit], statuses: &[Vec<FineStatus>]| {
        units.windows(2).all(|pair| pair[0] < pair[1])
            && statuses.len() == units.len()
            && statuses.iter().all(|list| list.len() == system.unit_atoms)
    };
    let (count, cells) = (after.units.len(), system.cells.len());
    let fits = list(before.units, before.statuses)
        && list(after.units, after.statuses)
        && before.pattern.withheld.len() == before.units.len()
        && after.changed.len() == count
        && after.keep.len() == count
        && after.changed.iter().flatten().all(|cell| *cell < cells);
    if fits { Ok(()) } else { Err(CorrectionError::Shape) }
}

impl<'a> Chooser<'a> {
    fn new(system: &'a System, before: Before<'a>, after: After<'a>, grid: &'a Grid<'a>) -> Self {
        let place = |list: &[Unit], unit: &Unit| list.binary_search(unit).ok().map(|at| at as u32);
        let old_of = after.units.iter().map(|unit| place(before.units, unit)).collect();
        let new_of = before.units.iter().map(|unit| place(after.units, unit)).collect();
        let (moves, found) = (HashMap::new(), BTreeMap::new());
        Self { system, before, after, grid, old_of, new_of, pattern: Pattern::default(), moves, found }
    }

    /// Whether a unit's figure of a cell is another than in version 1, or new.
    fn changed(&self, unit: usize, cell: CellIndex) -> bool {
        self.old_of[unit].is_none() || self.after.changed[unit].contains(&cell)
    }

    fn is_corrected(&self, unit: usize) -> bool {
        self.old_of[unit].is_none() || !self.after.changed[unit].is_empty()
    }

    fn withheld_before(&self, unit: usize, cell: CellIndex) -> bool {
        let old = self.old_of[unit].map(|old| &self.before.pattern.withheld[old as usize]);
        old.is_some_and(|withheld| withheld.contains(&cell))
    }

    /// The largest status in a printed cell of a unit.
    fn largest(&self, unit: usize, cell: CellIndex) -> FineStatus {
        let atoms = self.system.cells[cell].unit_atoms.iter().flatten();
        let statuses = atoms.map(|atom| self.after.statuses[unit][*atom as usize]);
        statuses.max().unwrap_or(FineStatus::Zero)
    }

    /// Everything that changed and is not zero; [`Self::reveal`] shows again what needs no hiding.
    fn withhold_what_changed(&mut self) {
        let withheld = |unit: usize, cell: &CellIndex| match self.changed(unit, *cell) {
            true => self.largest(unit, *cell) != FineStatus::Zero,
            false => self.withheld_before(unit, *cell),
        };
        let of = |unit| self.system.per_unit().filter(|cell| withheld(unit, cell)).collect();
        self.pattern.withheld = (0..self.after.units.len()).map(of).collect();
    }

    /// Whether version 2 may open a sum: version 1 did, and nobody's hidden figure in it is another.
    fn may_open(&self, cell: CellIndex) -> bool {
        let printed = self.system.cells[cell].per_unit;
        let left_shown = |old: usize| {
            self.new_of[old].is_some() || printed && !self.before.pattern.withheld[old].contains(&cell)
        };
        self.before.pattern.open.contains(&cell)
            && (0..self.before.units.len()).all(left_shown)
            && (0..self.after.units.len()).all(|unit| self.tells_nothing(unit, cell))
    }

    /// Whether a unit's part of the difference of a sum is zero or known: shown in both versions, or hidden and the same.
    fn tells_nothing(&self, unit: usize, cell: CellIndex) -> bool {
        let printed = self.system.cells[cell].per_unit;
        let shown = printed && !self.pattern.withheld[unit].contains(&cell);
        let shown_before = printed && !self.withheld_before(unit, cell);
        match self.old_of[unit] {
            None => shown,
            Some(_) if shown && shown_before => true,
            Some(_) => !self.changed(unit, cell),
        }
    }

    /// Sums that are neither reopened nor shown by every unit are closed; [`Self::decide_totals`] looks closer.
    fn totals_at_a_glance(&mut self) {
        let (open, closed) = (0..self.system.cells.len()).fold(
            (BTreeSet::new(), BTreeSet::new()),
            |(mut open, mut closed), cell| {
                match (self.may_open(cell), self.everyone_shows(cell)) {
                    (true, _) => _ = open.insert(cell),
                    (false, true) => {}
                    (false, false) => _ = closed.insert(cell),
                }
                (open, closed)
            },
        );
        (self.pattern.open, self.pattern.closed) = (open, closed);
        self.settle_sums();
    }

    /// A sum of other cells is closed exactly while a part of it is.
    fn settle_sums(&mut self) {
        for (cell, about) in self.system.cells.iter().enumerate() {
            if let Build::Sum(parts) = &about.build {
                match parts.iter().any(|part| self.pattern.closed.contains(part)) {
                    true => self.pattern.closed.insert(cell),
                    false => self.pattern.closed.remove(&cell),
                };
            }
        }
    }

    fn everyone_shows(&self, cell: CellIndex) -> bool {
        let shown = |withheld: &BTreeSet<CellIndex>| !withheld.contains(&cell);
        self.system.cells[cell].per_unit && self.pattern.withheld.iter().all(shown)
    }

    fn needs(&self) -> Vec<Need> {
        let small = |statuses: &'a [FineStatus]| {
            let small = |(_, status): &(usize, &FineStatus)| **status == FineStatus::Small;
            statuses.iter().enumerate().filter(small).map(|(atom, _)| atom as u32)
        };
        let old = self.before.statuses.iter().zip(0u32..);
        let old = old.flat_map(|(own, unit)| small(own).map(move |atom| Need::Old(unit, atom)));
        let corrected = (0..self.after.units.len()).filter(|unit| self.is_corrected(*unit));
        let new = corrected.flat_map(|unit| {
            let free = small(&self.after.statuses[unit]).filter(move |atom| !self.is_fixed(unit, *atom));
            free.map(move |atom| Need::New(unit as u32, atom))
        });
        old.chain(new).collect()
    }

    /// Whether an atom is a printed cell of its own that did not change: then it moves with version 1.
    fn is_fixed(&self, unit: usize, atom: u32) -> bool {
        let itself = |cell: &&CellIndex| {
            self.system.cells[**cell].unit_atoms.as_deref().is_some_and(|atoms| atoms == [atom])
        };
        let printed = self.grid.cells_of[atom as usize].iter().find(itself);
        printed.is_some_and(|cell| !self.changed(unit, *cell))
    }

    fn protect(&mut self) -> Result<(), CorrectionError> {
        let mut blamed = BTreeSet::new();
        for need in self.needs() {
            let (Need::Old(_, atom) | Need::New(_, atom)) = need;
            if !self.moves.contains_key(&atom) {
                self.moves.insert(atom, moves_of(self.grid, atom));
            }
            match self.meet(need) {
                Some(joints) => _ = self.found.insert(need, joints),
                None => blamed.extend(self.to_blame(need)),
            }
        }
        if blamed.is_empty() { Ok(()) } else { Err(CorrectionError::Unprotected { units: blamed }) }
    }

    /// The corrected units that stand in the way: the unit itself, those its evidence went through, or all.
    fn to_blame(&self, need: Need) -> BTreeSet<Unit> {
        let corrected = |unit: u32| self.is_corrected(unit as usize);
        let (old, atom) = match need {
            Need::New(unit, _) => return BTreeSet::from([self.after.units[unit as usize].clone()]),
            Need::Old(old, atom) => (old, atom),
        };
        let own = self.new_of[old as usize].filter(|unit| corrected(*unit));
        let mine = self.before.pattern.witnesses.iter().filter(|w| (w.unit, w.atom) == (old, atom));
        let through = mine.flat_map(|witness| &witness.steps).filter_map(|step| self.new_of[step.0 as usize]);
        let mut units: BTreeSet<u32> = match own {
            Some(unit) => BTreeSet::from([unit]),
            None => through.filter(|unit| corrected(*unit)).collect(),
        };
        if units.is_empty() {
            units.extend((0..self.after.units.len() as u32).filter(|unit| corrected(*unit)));
        }
        units.into_iter().map(|unit| self.after.units[unit as usize].clone()).collect()
    }

    /// Shows corrected cells again, the widest first, as long as everything can still move.
    fn reveal(&mut self) {
        let mut candidates = Vec::new();
        for unit in (0..self.after.units.len()).filter(|unit| self.is_corrected(*unit)) {
            for cell in self.pattern.withheld[unit].iter().copied() {
                let atoms = self.system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
                let asked = atoms.iter().any(|atom| self.after.keep[unit].contains(atom));
                if self.changed(unit, cell) && self.largest(unit, cell) == FineStatus::Plain && !asked {
                    let tie = atoms.first().map_or(0, |atom| self.grid.tie(unit as u32, *atom));
                    candidates.push((std::cmp::Reverse(atoms.len()), tie, unit, cell));
                }
            }
        }
        candidates.sort_unstable();
        candidates.into_iter().for_each(|(_, _, unit, cell)| self.try_to_reveal(unit, cell));
    }

    fn try_to_reveal(&mut self, unit: usize, cell: CellIndex) {
        let (open, closed) = (self.pattern.open.contains(&cell), self.pattern.closed.contains(&cell));
        self.pattern.withheld[unit].remove(&cell);
        if closed && self.may_open(cell) {
            self.pattern.closed.remove(&cell);
            self.pattern.open.insert(cell);
        } else if closed && self.everyone_shows(cell) {
            self.pattern.closed.remove(&cell);
        }
        self.settle_sums();
        let broken: Vec<Need> = self
            .found
            .iter()
            .filter(|(_, joints)| joints.iter().any(|joint| self.touches(joint, unit as u32, cell)))
            .map(|(need, _)| *need)
            .collect();
        let again: Option<Vec<(Need, Vec<Joint>)>> =
            broken.into_iter().map(|need| Some((need, self.meet(need)?))).collect();
        match again {
            Some(again) => self.found.extend(again),
            None => {
                self.pattern.withheld[unit].insert(cell);
                let back = |set: &mut BTreeSet<CellIndex>, had: bool| match had {
                    true => set.insert(cell),
                    false => set.remove(&cell),
                };
                back(&mut self.pattern.open, open);
                back(&mut self.pattern.closed, closed);
                self.settle_sums();
            }
        }
    }

    /// The last word on sums: opened ones hide three kommuner, also in combination; sums with a closed part are closed.
    fn decide_totals(&mut self) {
        let (system, units) = (self.system, self.after.units);
        let mut totals = Totals::default();
        for (cell, about) in system.cells.iter().enumerate() {
            if matches!(about.build, Build::Sum(_)) {
                continue;
            }
            let withheld = &self.pattern.withheld;
            if readable_sum(system, withheld, cell).is_some() {
                totals.readable.insert(cell);
                continue;
            }
            let enough = about.unit_atoms.is_none()
                || hidden_kommuner(system, units, withheld, cell).len() >= crate::totals::LEAST_HIDDEN;
            if self.may_open(cell) && enough {
                totals.open.insert(cell);
                continue;
            }
            totals.closed.insert(cell);
            // A sum that version 1 has and this one must not: nor may the others give it back.
            if self.before.pattern.open.contains(&cell) {
                totals.thin.push((cell, BTreeSet::new()));
            }
        }
        close_what_gives_back(system, &mut totals);
        close_thin_combinations(self.grid, &self.pattern.withheld, &mut totals);
        close_sums(system, &mut totals);
        (self.pattern.open, self.pattern.closed) = (totals.open, totals.closed);
    }

    /// Verified once more by what nodes use, and put together.
    fn verified(mut self) -> Result<Corrected, CorrectionError> {
        let mut joints = vec![Vec::new(); self.after.units.len()];
        for (need, found) in &self.found {
            let place = match need {
                Need::New(unit, _) => Some(*unit),
                Need::Old(old, _) => self.new_of[*old as usize],
            };
            if let Some(place) = place {
                joints[place as usize].extend(found.iter().cloned());
            }
        }
        let mut refused = BTreeSet::new();
        for (unit, own) in joints.iter().enumerate() {
            let old = self.old_of[unit].map(|old| old as usize);
            let earlier = old.map(|place| own::Earlier {
                units: self.before.units,
                pattern: self.before.pattern,
                place,
                statuses: &self.before.statuses[place],
            });
            let asked = own::Asked {
                units: self.after.units,
                pattern: &self.pattern,
                place: unit,
                statuses: &self.after.statuses[unit],
                changed: &self.after.changed[unit],
                joints: own,
            };
            if own::check_own(self.system, earlier, asked).is_err() {
                refused.insert(self.after.units[unit].clone());
            }
        }
        if !refused.is_empty() {
            return Err(CorrectionError::Unprotected { units: refused });
        }
        let small = |unit: u32, atom: u32| self.after.statuses[unit as usize][atom as usize];
        for (unit, own) in joints.iter().enumerate() {
            let moves = |joint: &&Joint| joint.after.contains(&(unit as u32, joint.atom, 1));
            let evidence =
                own.iter().filter(moves).filter(|joint| small(unit as u32, joint.atom) == FineStatus::Small);
            let witness =
                |joint: &Joint| Witness { unit: unit as u32, atom: joint.atom, steps: joint.after.clone() };
            self.pattern.witnesses.extend(evidence.map(witness));
        }
        Ok(Corrected { pattern: self.pattern, joints })
    }
}
