//! What each adversary of a publication sees, as a [`View`].
//!
//! Unknowns are the unit atoms `x[u,a]` of every unit, their totals `y[a]` over the roster, and the full atoms `z[b]` of
//! the totals, with `Σ_u x[u,a] = y[a] = Σ_{b in a} z[b]`. Every shown figure is an equation; a withheld count is at
//! least 1, since zeros are published; of a total that nobody opened that is only what the mark seems to say ([`Marks`]). Where a table counts each code, records and mentions are tied by equations that hold
//! exactly what such numbers can be (`tables::system::each`). Full atoms are only built for the connected parts that a target lies in or
//! that could tell more of an undetermined `y`.
//!
//! | adversary | knows besides the publication |
//! |---|---|
//! | reader | earlier publications |
//! | insider | all unit atoms of its own kommun, sub-units included (SAFE-2) |
//! | coordinator | statuses of unit atoms and the sums opened to it (SAFE-3) |
//! | coordinator with a kommun | both |
//!
//! Percentages and changes are printed only when both their counts are shown, and then follow from them: they add
//! nothing to a view.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::{FineStatus, MinCount};
use tables::figures::Figures;
use tables::system::{CellIndex, System};
use tables::unit::Unit;

use crate::budget::Budget;
use crate::interval::{Contradiction, Engine};
use crate::view::{Terms, VariableIndex, View};

/// One figure of an earlier publication.
#[derive(Clone, PartialEq, Eq)]
pub struct EarlierCell {
    /// The unit, or `None` for the total over the roster.
    pub unit: Option<Unit>,
    /// The cell's definition hash.
    pub definition: [u8; 32],
    /// What was shown.
    pub value: u64,
}

/// What an earlier publication showed.
#[derive(Clone, PartialEq, Eq)]
pub struct EarlierIssue {
    /// Its name, for explanations.
    pub name: String,
    /// Its roster: totals are only comparable over the same one.
    pub roster: Vec<Unit>,
    /// Its shown figures.
    pub shown: Vec<EarlierCell>,
}

/// Where a relation of a view comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The mark of a unit's printed cell.
    Unit {
        /// Index in the roster.
        unit: usize,
        /// The cell.
        cell: CellIndex,
    },
    /// The mark of a total.
    Total {
        /// The cell.
        cell: CellIndex,
    },
    /// The units sum to the total.
    Roster,
    /// Finer totals sum to coarser ones.
    Refinement,
    /// Records and mentions of a table that counts each code.
    Each,
    /// A kommun's own records.
    Own,
    /// A sum opened to the coordinator and not published.
    Opened {
        /// The cell.
        cell: CellIndex,
    },
    /// A figure of an earlier publication.
    Earlier {
        /// Index of the issue.
        issue: usize,
        /// Index in the roster, or `None` for the total.
        unit: Option<usize>,
        /// The cell.
        cell: CellIndex,
    },
}

/// Who looks, and at what.
#[derive(Clone)]
pub struct Adversary<'a> {
    system: &'a System,
    figures: &'a Figures,
    earlier: &'a [EarlierIssue],
    own: BTreeMap<usize, &'a [u64]>,
    statuses: Option<(&'a [Vec<FineStatus>], MinCount, Small)>,
    opened: Option<&'a BTreeMap<CellIndex, u64>>,
    /// The totals that were opened, for one that knows that others may be 0.
    doubting: Option<&'a BTreeMap<CellIndex, u64>>,
}

/// What a declared *small* is taken to mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Small {
    /// Under the collection's threshold: true of every kommun that has not raised its own.
    UnderCollections,
    /// Under a threshold that the kommun may have raised: no upper bound. True of all.
    UnderOwn,
}

/// What a withheld total that was never opened is taken for. The true one is among both readings' tables, and nobody, the
/// region included, knows which reading holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// At least 1, as every other mark.
    AtLeastOne,
    /// Anything: the region withholds what it was not told, and that may be 0.
    MayBeZero,
}

/// An adversary's view with the way back from variables to cells.
pub struct Sight {
    /// The relations.
    pub view: View,
    /// Per source index where it comes from.
    pub origins: Vec<Origin>,
    units: usize,
    unit_atoms: usize,
    full: BTreeMap<u32, VariableIndex>,
}

impl Sight {
    /// The variable of a unit's atom.
    pub fn of_unit(&self, unit: usize, atom: u32) -> VariableIndex {
        unit * self.unit_atoms + atom as usize
    }

    /// The variable of a unit atom's total over the roster.
    pub fn of_roster(&self, atom: u32) -> VariableIndex {
        self.units * self.unit_atoms + atom as usize
    }

    /// The expression of a set of a unit's atoms.
    pub fn unit_terms(&self, unit: usize, atoms: &[u32]) -> Terms {
        atoms.iter().map(|atom| (self.of_unit(unit, *atom), 1)).collect()
    }

    /// The expression of a set of full atoms over the roster; atoms known to be empty are left out.
    pub fn total_terms(&self, system: &System, atoms: &[u32]) -> Terms {
        match whole_unit_atoms(system, atoms) {
            Some(unit_atoms) => unit_atoms.iter().map(|atom| (self.of_roster(*atom), 1)).collect(),
            None => {
                atoms.iter().filter_map(|atom| self.full.get(atom)).map(|variable| (*variable, 1)).collect()
            }
        }
    }
}

/// The unit atoms a set of full atoms is the union of, if it is one.
pub(crate) fn whole_unit_atoms(system: &System, atoms: &[u32]) -> Option<Vec<u32>> {
    let mut held: BTreeMap<u32, usize> = BTreeMap::new();
    for atom in atoms {
        *held.entry(system.unit_atom_of[*atom as usize]?).or_default() += 1;
    }
    let mut sizes = vec![0usize; system.unit_atoms];
    for unit_atom in system.unit_atom_of.iter().flatten() {
        sizes[*unit_atom as usize] += 1;
    }
    held.iter()
        .all(|(unit_atom, count)| sizes[*unit_atom as usize] == *count)
        .then(|| held.into_keys().collect())
}

impl<'a> Adversary<'a> {
    /// Anyone: every published figure, and earlier publications.
    pub fn reader(system: &'a System, figures: &'a Figures, earlier: &'a [EarlierIssue]) -> Self {
        Self { system, figures, earlier, own: BTreeMap::new(), statuses: None, opened: None, doubting: None }
    }

    /// One that takes withheld totals other than the `opened` ones for numbers that may be 0 ([`Marks::MayBeZero`]).
    #[must_use]
    pub fn doubting(mut self, opened: &'a BTreeMap<CellIndex, u64>) -> Self {
        self.doubting = Some(opened);
        self
    }

    /// A kommun that also knows its own unit atoms: index in the roster to values, for all its sub-units.
    #[must_use]
    pub fn with_own(mut self, own: BTreeMap<usize, &'a [u64]>) -> Self {
        self.own.extend(own);
        self
    }

    /// A coordinator: statuses of unit atoms, what it takes *small* to mean, and totals opened to it.
    #[must_use]
    pub fn coordinator(
        mut self,
        statuses: &'a [Vec<FineStatus>],
        min_count: MinCount,
        small: Small,
        opened: &'a BTreeMap<CellIndex, u64>,
    ) -> Self {
        self.statuses = Some((statuses, min_count, small));
        self.opened = Some(opened);
        self
    }

    /// Builds the view; `totals` are sets of full atoms that targets will be asked about.
    ///
    /// # Errors
    /// [`Contradiction`] when the unit figures alone contradict each other, with the origins its sources index.
    pub fn sight(&self, totals: &[Vec<u32>], budget: Budget) -> Result<Sight, (Contradiction, Vec<Origin>)> {
        let mut sight = self.unit_level();
        let mut probe = sight.view.clone();
        let targets: Vec<_> = (0..self.system.unit_atoms as u32)
            .map(|atom| probe.target(vec![(sight.of_roster(atom), 1)]))
            .collect();
        let engine = match Engine::new(&probe, budget, &|| false) {
            Ok(engine) => engine,
            Err(contradiction) => return Err((contradiction, sight.origins)),
        };
        let pinned: Vec<Option<i128>> = targets.into_iter().map(|target| engine.pinned(target)).collect();
        self.total_level(&mut sight, &pinned, totals);
        Ok(sight)
    }

    fn unit_level(&self) -> Sight {
        let (units, unit_atoms) = (self.figures.units.len(), self.system.unit_atoms);
        let mut sight =
            Sight { view: View::default(), origins: Vec::new(), units, unit_atoms, full: BTreeMap::new() };
        for unit in 0..units {
            for atom in 0..unit_atoms {
                let variable = sight.view.variable(0);
                if let Some((statuses, min_count, small)) = self.statuses {
                    let status = statuses[unit][atom];
                    sight.view.variables[variable].lower = u64::from(status.least(min_count));
                    sight.view.variables[variable].upper = most(status, min_count, small);
                }
            }
        }
        (0..unit_atoms).for_each(|_| {
            sight.view.variable(0);
        });
        for atom in 0..unit_atoms as u32 {
            let mut terms: Terms = (0..units).map(|unit| (sight.of_unit(unit, atom), 1)).collect();
            terms.push((sight.of_roster(atom), -1));
            let source = sight.source(Origin::Roster);
            sight.view.equation(terms, 0, source);
        }
        self.unit_marks(&mut sight);
        self.total_marks(&mut sight);
        sight
    }

    fn unit_marks(&self, sight: &mut Sight) {
        for (unit, marks) in self.figures.per_unit.iter().enumerate() {
            for (cell, mark) in marks {
                let Some(atoms) = &self.system.cells[*cell].unit_atoms else {
                    continue;
                };
                let terms = sight.unit_terms(unit, atoms);
                let source = sight.source(Origin::Unit { unit, cell: *cell });
                match mark.shown() {
                    Some(value) => sight.view.equation(terms, signed(value), source),
                    None => sight.view.at_least(terms, 1, source),
                }
            }
            for (issue, cell, value) in self.earlier_of(Some(unit)) {
                let Some(atoms) = &self.system.cells[cell].unit_atoms else {
                    continue;
                };
                let terms = sight.unit_terms(unit, atoms);
                let source = sight.source(Origin::Earlier { issue, unit: Some(unit), cell });
                sight.view.equation(terms, signed(value), source);
            }
        }
        for (unit, values) in &self.own {
            for (atom, value) in values.iter().enumerate() {
                let terms = vec![(sight.of_unit(*unit, atom as u32), 1)];
                let source = sight.source(Origin::Own);
                sight.view.equation(terms, signed(*value), source);
            }
        }
    }

    /// Marks of totals that are unions of unit atoms.
    fn total_marks(&self, sight: &mut Sight) {
        for (cell, value, origin) in self.known_totals() {
            if let Some(atoms) = &self.system.cells[cell].unit_atoms {
                let terms = atoms.iter().map(|atom| (sight.of_roster(*atom), 1)).collect();
                let source = sight.source(origin);
                match value {
                    Some(value) => sight.view.equation(terms, signed(value), source),
                    None => sight.view.at_least(terms, 1, source),
                }
            }
        }
    }

    /// Every total somebody says something of: a value, or only that it is not 0.
    fn known_totals(&self) -> Vec<(CellIndex, Option<u64>, Origin)> {
        let mut all = Vec::new();
        for (cell, mark) in &self.figures.totals {
            let origin = Origin::Total { cell: *cell };
            match mark.shown() {
                Some(value) => all.push((*cell, Some(value), origin)),
                // A reader takes the mark for "at least 1"; who made it knows that a total nobody opened may be 0.
                None if self.system.cells[*cell].is_count && self.statuses.is_none() => {
                    let is_told = self.doubting.is_none_or(|opened| opened.contains_key(cell));
                    all.extend(is_told.then_some((*cell, None, origin)));
                }
                None => {}
            }
        }
        for (cell, value) in self.opened.into_iter().flatten() {
            if self.figures.totals.get(cell).is_none_or(|mark| mark.shown().is_none()) {
                all.push((*cell, Some(*value), Origin::Opened { cell: *cell }));
            }
        }
        let earlier = self.earlier_of(None).into_iter();
        all.extend(
            earlier
                .map(|(issue, cell, value)| (cell, Some(value), Origin::Earlier { issue, unit: None, cell })),
        );
        all
    }

    /// Earlier figures of the same cells.
    pub(crate) fn earlier_of(&self, unit: Option<usize>) -> Vec<(usize, CellIndex, u64)> {
        let mut found = Vec::new();
        for (issue, earlier) in self.earlier.iter().enumerate() {
            if unit.is_none() && earlier.roster != self.figures.units {
                continue;
            }
            for shown in &earlier.shown {
                if shown.unit.as_ref() != unit.map(|unit| &self.figures.units[unit]) {
                    continue;
                }
                let same = |cell: &CellIndex| self.system.cells[*cell].definition == shown.definition;
                found
                    .extend((0..self.system.cells.len()).filter(same).map(|cell| (issue, cell, shown.value)));
            }
        }
        found
    }

    /// Full atoms of the components that matter.
    fn total_level(&self, sight: &mut Sight, pinned: &[Option<i128>], totals: &[Vec<u32>]) {
        let known = self.known_totals();
        let mut empty = vec![false; self.system.atoms];
        for (cell, value, _) in &known {
            if *value == Some(0) {
                self.system.cells[*cell].atoms.iter().for_each(|atom| empty[*atom as usize] = true);
            }
        }
        for (atom, unit_atom) in self.system.unit_atom_of.iter().enumerate() {
            if unit_atom.is_some_and(|at| pinned[at as usize] == Some(0)) {
                empty[atom] = true;
            }
        }
        let component = self.components(&known, &empty);
        let mut wanted: BTreeSet<u32> = BTreeSet::new();
        for set in totals.iter().filter(|set| whole_unit_atoms(self.system, set).is_none()) {
            wanted.extend(set.iter().map(|atom| component[*atom as usize]));
        }
        for (atom, unit_atom) in self.system.unit_atom_of.iter().enumerate() {
            if unit_atom.is_some_and(|at| pinned[at as usize].is_none()) && !empty[atom] {
                wanted.insert(component[atom]);
            }
        }
        for atom in (0..self.system.atoms).filter(|atom| !empty[*atom] && wanted.contains(&component[*atom]))
        {
            let variable = sight.view.variable(0);
            sight.full.insert(atom as u32, variable);
        }
        self.full_rows(sight, &known, &component, &wanted);
        self.each_rows(sight);
    }

    /// What holds between records and mentions where a table counts each code: exact for such a table (ADR 20).
    fn each_rows(&self, sight: &mut Sight) {
        for relation in self.system.relations() {
            let side = |atoms: &[u32], sign: i64| -> Terms {
                atoms.iter().filter_map(|atom| sight.full.get(atom)).map(|at| (*at, sign)).collect()
            };
            let mut terms = side(&relation.left, 1);
            terms.extend(side(&relation.right, -1));
            if !terms.is_empty() {
                let source = sight.source(Origin::Each);
                sight.view.equation(terms, 0, source);
            }
        }
    }

    fn full_rows(
        &self,
        sight: &mut Sight,
        known: &[(CellIndex, Option<u64>, Origin)],
        component: &[u32],
        wanted: &BTreeSet<u32>,
    ) {
        let mut inside: Vec<Terms> = vec![Vec::new(); self.system.unit_atoms];
        let mut touched = vec![false; self.system.unit_atoms];
        for (atom, unit_atom) in self.system.unit_atom_of.iter().enumerate() {
            let Some(unit_atom) = unit_atom else { continue };
            touched[*unit_atom as usize] |= wanted.contains(&component[atom]);
            if let Some(variable) = sight.full.get(&(atom as u32)) {
                inside[*unit_atom as usize].push((*variable, 1));
            }
        }
        for (unit_atom, mut terms) in inside.into_iter().enumerate() {
            if touched[unit_atom] && !terms.is_empty() {
                terms.push((sight.of_roster(unit_atom as u32), -1));
                let source = sight.source(Origin::Refinement);
                sight.view.equation(terms, 0, source);
            }
        }
        for (cell, value, origin) in known {
            let cell = &self.system.cells[*cell];
            if cell.unit_atoms.is_some() || !cell.atoms.iter().any(|atom| sight.full.contains_key(atom)) {
                continue;
            }
            let terms =
                cell.atoms.iter().filter_map(|atom| sight.full.get(atom)).map(|at| (*at, 1)).collect();
            let source = sight.source(*origin);
            match value {
                Some(value) => sight.view.equation(terms, signed(*value), source),
                None => sight.view.at_least(terms, 1, source),
            }
        }
    }

    /// Full atoms connected by a total or by a unit atom, empty ones left out.
    fn components(&self, known: &[(CellIndex, Option<u64>, Origin)], empty: &[bool]) -> Vec<u32> {
        let mut leader: Vec<u32> = (0..self.system.atoms as u32).collect();
        let mut join = |atoms: &mut dyn Iterator<Item = u32>| {
            let mut held = atoms.filter(|atom| !empty[*atom as usize]);
            if let Some(first) = held.next() {
                for other in held {
                    let (a, b) = (top(&mut leader, first), top(&mut leader, other));
                    leader[a.max(b) as usize] = a.min(b);
                }
            }
        };
        for (cell, _, _) in known {
            join(&mut self.system.cells[*cell].atoms.iter().copied());
        }
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); self.system.unit_atoms];
        for (atom, unit_atom) in self.system.unit_atom_of.iter().enumerate() {
            if let Some(unit_atom) = unit_atom {
                members[*unit_atom as usize].push(atom as u32);
            }
        }
        members.iter().for_each(|atoms| join(&mut atoms.iter().copied()));
        for relation in self.system.relations() {
            join(&mut relation.left.iter().chain(&relation.right).copied());
        }
        (0..self.system.atoms as u32).map(|atom| top(&mut leader, atom)).collect()
    }
}

impl Sight {
    fn source(&mut self, origin: Origin) -> usize {
        self.origins.push(origin);
        self.origins.len() - 1
    }
}

fn top(leader: &mut [u32], at: u32) -> u32 {
    let mut top = at;
    while leader[top as usize] != top {
        let up = leader[leader[top as usize] as usize];
        leader[top as usize] = up;
        top = up;
    }
    top
}

fn most(status: FineStatus, min_count: MinCount, small: Small) -> Option<u64> {
    match (status, small) {
        (FineStatus::Zero, _) => Some(0),
        (FineStatus::Small, Small::UnderCollections) => Some(u64::from(min_count.get()) - 1),
        (FineStatus::Small, Small::UnderOwn) | (FineStatus::Plain, _) => None,
    }
}

/// Counts are far under `i64::MAX`; more saturates and then contradicts.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
