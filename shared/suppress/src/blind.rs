//! The common pattern over units, chosen from zero/small/plain of unit atoms alone.
//!
//! For every small unit atom two witnesses through different other kommuner (SAFE-2), all of whose corners
//! are plain: a plain corner can move by `min_count − 2` either way and stay at least 1, so the small cell
//! keeps its full range (SAFE-1) whatever the values are. Printed cells that a witness changes are withheld.
//! The ladder where corners are missing: other kommuner, other categories, margins, longer cycles, all-small
//! lines over five kommuner, closed totals (`20-disclosure`).
//!
//! Never withholds a zero: a witness moves small and plain atoms only, so every cell it changes holds one.
//! Knows no value. Deterministic given the key, and independent of the order of the units.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tables::count::FineStatus;
use tables::figures::Pattern;
use tables::system::{CellIndex, System};
use tables::unit::Unit;

use crate::grid::{Grid, Vector, drift};
use crate::key::PatternKey;
use crate::moves::{Move, moves_of};
use crate::path::{Rung, Search, is_all_small_line};

mod finish;

/// Rounds of local improvement.
const IMPROVEMENTS: usize = 3;
/// Ways of one small cell tried together with each way of another.
const JOINT_OPTIONS: usize = 12;
/// Most pairs of small cells improved jointly.
const JOINT_PAIRS: usize = 2_000;

/// A line of a unit in which the withheld sum is too small (phase 3b).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Index in the roster as given.
    pub unit: u32,
    /// The unit atoms withheld in the line.
    pub atoms: Vec<u32>,
}

/// Inputs no pattern can be chosen from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlindError {
    /// Not one list of statuses a unit, or not one status a unit atom.
    #[error(
        "{units} units with {unit_atoms} unit atoms each are declared by {lists} lists, not all of that length"
    )]
    Shape {
        /// Units of the roster.
        units: usize,
        /// Unit atoms of the collection.
        unit_atoms: usize,
        /// Lists of statuses.
        lists: usize,
    },
    /// A unit stands twice in the roster.
    #[error("{0} stands twice in the roster")]
    Twice(Unit),
    /// A request names a unit or unit atom that does not exist.
    #[error("a request names unit {unit}, or an atom of it, that does not exist")]
    NoSuchLine {
        /// The index it names.
        unit: u32,
    },
    /// No witness: cannot happen while every line can be closed.
    #[error("unit {unit}, atom {atom}: no witness even with closed totals (a fault of this program)")]
    NoWitness {
        /// Index in the ascending roster.
        unit: u32,
        /// Unit atom.
        atom: u32,
    },
}

/// Chooses the pattern. `statuses[unit][unit atom]`, in the order of `units`; indices of the pattern are in
/// that order too. `extra` extends the choice made without it, never opens any of it. The threshold enters
/// through the statuses only.
///
/// Post: [`crate::check::check`] finds no problem.
///
/// # Errors
/// [`BlindError`] when the inputs do not fit together.
pub fn choose(
    system: &System,
    units: &[Unit],
    statuses: &[Vec<FineStatus>],
    key: &PatternKey,
    extra: &[Request],
) -> Result<Pattern, BlindError> {
    let order = ascending(system, units, statuses)?;
    let mut place = vec![0; units.len()];
    order.iter().zip(0u32..).for_each(|(given, sorted)| place[*given] = sorted);
    let sorted: Vec<&Unit> = order.iter().map(|at| &units[*at]).collect();
    let status = order.iter().map(|at| statuses[*at].as_slice()).collect();
    let grid = Grid::new(system, &sorted, status, key);
    let mut chooser = Chooser::new(&grid);
    chooser.protect()?;
    let mut requests = Vec::new();
    for request in extra {
        let unit = *place.get(request.unit as usize).ok_or(BlindError::NoSuchLine { unit: request.unit })?;
        if request.atoms.iter().any(|atom| *atom as usize >= system.unit_atoms) {
            return Err(BlindError::NoSuchLine { unit: request.unit });
        }
        requests.push((unit, request.atoms.iter().copied().collect::<BTreeSet<u32>>()));
    }
    requests.sort();
    requests.iter().for_each(|(unit, atoms)| chooser.widen(*unit, atoms));
    let totals = chooser.totals();
    Ok(chooser.pattern(totals, &order))
}

fn ascending(
    system: &System,
    units: &[Unit],
    statuses: &[Vec<FineStatus>],
) -> Result<Vec<usize>, BlindError> {
    let fits = |list: &Vec<FineStatus>| list.len() == system.unit_atoms;
    if statuses.len() != units.len() || !statuses.iter().all(fits) {
        return Err(BlindError::Shape {
            units: units.len(),
            unit_atoms: system.unit_atoms,
            lists: statuses.len(),
        });
    }
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|at| &units[*at]);
    match order.windows(2).find(|pair| units[pair[0]] == units[pair[1]]) {
        Some(pair) => Err(BlindError::Twice(units[pair[0]].clone())),
        None => Ok(order),
    }
}

/// Price and tie-breaker.
type Key = (u64, u64);

/// The state of the choice: witnesses per small atom and how often each printed cell is used.
struct Chooser<'s, 'g> {
    grid: &'s Grid<'g>,
    margins: Vec<BTreeSet<CellIndex>>,
    used: HashMap<(u32, CellIndex), u32>,
    closed: HashMap<CellIndex, u32>,
    chosen: BTreeMap<(u32, u32), Vec<Vector>>,
    moves: HashMap<u32, Vec<Move>>,
}

impl<'s, 'g> Chooser<'s, 'g> {
    fn new(grid: &'s Grid<'g>) -> Self {
        let margins = grid.units().map(|unit| grid.small_margins(unit)).collect();
        let mut moves = HashMap::new();
        for (_, atom) in grid.smalls() {
            moves.entry(atom).or_insert_with(|| moves_of(grid, atom));
        }
        Self { grid, margins, used: HashMap::new(), closed: HashMap::new(), chosen: BTreeMap::new(), moves }
    }

    fn protect(&mut self) -> Result<(), BlindError> {
        let smalls = self.grid.smalls();
        for small in &smalls {
            let witnesses = self.select(*small)?;
            self.put(*small, witnesses);
        }
        for _ in 0..IMPROVEMENTS {
            let mut better = false;
            for small in &smalls {
                better |= self.improve(*small)?;
            }
            for (first, second) in self.neighbours(&smalls) {
                better |= self.improve_jointly(first, second)?;
            }
            if !better {
                break;
            }
        }
        Ok(())
    }

    /// Ordered pairs of small cells that could share corners: some printed cell holds both their atoms.
    fn neighbours(&self, smalls: &[(u32, u32)]) -> Vec<((u32, u32), (u32, u32))> {
        let cells = |atom: u32| &self.grid.cells_of[atom as usize];
        let near = |one: u32, two: u32| cells(one).iter().any(|cell| cells(two).binary_search(cell).is_ok());
        let pairs = smalls.iter().flat_map(|first| smalls.iter().map(move |second| (*first, *second)));
        pairs.filter(|(first, second)| first != second && near(first.1, second.1)).take(JOINT_PAIRS).collect()
    }

    /// Tries the cheapest ways of one small cell with the best answer of another to each.
    fn improve_jointly(&mut self, first: (u32, u32), second: (u32, u32)) -> Result<bool, BlindError> {
        let (old_first, old_second) = (self.take(first), self.take(second));
        let mut least = self.cost(&[old_first.as_slice(), &old_second].concat());
        let mut best = None;
        for (_, option) in self.options(first, &BTreeSet::new(), &BTreeSet::new(), 2) {
            let price = self.cost(&option);
            self.put(first, option.clone());
            let answer = self.select(second)?;
            let total = price + self.cost(&answer);
            self.take(first);
            if total < least {
                least = total;
                best = Some((option, answer));
            }
        }
        let better = best.is_some();
        let (new_first, new_second) = best.unwrap_or((old_first, old_second));
        self.put(first, new_first);
        self.put(second, new_second);
        Ok(better)
    }

    fn improve(&mut self, small: (u32, u32)) -> Result<bool, BlindError> {
        let old = self.take(small);
        let new = self.select(small)?;
        let better = self.cost(&new) < self.cost(&old);
        self.put(small, if better { new } else { old });
        Ok(better)
    }

    fn select(&self, small: (u32, u32)) -> Result<Vec<Vector>, BlindError> {
        match self.best_pair(small, &BTreeSet::new(), &BTreeSet::new(), 2) {
            Some(pair) => Ok(pair),
            None if is_all_small_line(self.grid, small.1) => Ok(self.all_small(small)),
            None => self.ladder(small),
        }
    }

    /// Witnesses in a line that has small cells only: rectangles to every other kommun of it over one and the
    /// same partner category, or over the margins. The line then has one degree of freedom a unit, so that
    /// the sum of it, once known, decides alone whether it may be shown (`known`). Prices are those of an
    /// empty pattern: every cell of the line must choose alike.
    fn all_small(&self, (unit, atom): (u32, u32)) -> Vec<Vector> {
        let line: Vec<u32> =
            self.grid.units().filter(|other| self.grid.at(*other, atom) == FineStatus::Small).collect();
        let fits = |step: &&Move| {
            step.terms.len() <= 2
                && step.terms[1..]
                    .iter()
                    .all(|(other, _)| line.iter().all(|unit| self.grid.plain(*unit, *other)))
        };
        let key = |step: &&Move| {
            let price = step.touches.iter().map(|cell| self.grid.price(*cell)).sum::<u64>();
            let tie = step
                .terms
                .iter()
                .fold(0u64, |tie, (atom, _)| tie.wrapping_add(self.grid.tie(line[0], *atom)));
            (price, tie)
        };
        // The move over margins alone always fits, so there is one.
        let Some(step) = self.moves.get(&atom).into_iter().flatten().filter(fits).min_by_key(key) else {
            return Vec::new();
        };
        let home = self.grid.kommun[unit as usize];
        let others = line.iter().filter(|other| self.grid.kommun[**other as usize] != home);
        others.map(|other| rectangle(unit, *other, step)).collect()
    }

    fn price(&self, unit: u32, cell: CellIndex) -> u64 {
        let paid = self.used.contains_key(&(unit, cell)) || self.margins[unit as usize].contains(&cell);
        if paid { 0 } else { self.grid.price(cell) }
    }

    fn total_price(&self, cell: CellIndex) -> u64 {
        if self.closed.contains_key(&cell) { 0 } else { self.grid.total_price(cell) }
    }

    fn cost(&self, witnesses: &[Vector]) -> u64 {
        let cells: BTreeSet<_> = witnesses.iter().flat_map(|vector| self.grid.touched(vector)).collect();
        let totals: BTreeSet<_> =
            witnesses.iter().flat_map(|vector| self.grid.totals_changed(&drift(vector))).collect();
        let cells = cells.into_iter().map(|(unit, cell)| self.price(unit, cell)).sum::<u64>();
        cells + totals.into_iter().map(|cell| self.total_price(cell)).sum::<u64>()
    }

    fn put(&mut self, small: (u32, u32), witnesses: Vec<Vector>) {
        for vector in &witnesses {
            self.grid.touched(vector).into_iter().for_each(|place| *self.used.entry(place).or_default() += 1);
            let totals = self.grid.totals_changed(&drift(vector));
            totals.into_iter().for_each(|cell| *self.closed.entry(cell).or_default() += 1);
        }
        self.chosen.entry(small).or_default().extend(witnesses);
    }

    fn take(&mut self, small: (u32, u32)) -> Vec<Vector> {
        let witnesses = self.chosen.remove(&small).unwrap_or_default();
        for vector in &witnesses {
            self.grid.touched(vector).into_iter().for_each(|place| release(&mut self.used, place));
            let totals = self.grid.totals_changed(&drift(vector));
            totals.into_iter().for_each(|cell| release(&mut self.closed, cell));
        }
        witnesses
    }

    /// The cheapest rectangles over one and the same move through `count` different other kommuner. `outside`
    /// are atoms the move must not use besides the small one, `past` kommuner it must not go through.
    fn best_pair(
        &self,
        small: (u32, u32),
        outside: &BTreeSet<u32>,
        past: &BTreeSet<u32>,
        count: usize,
    ) -> Option<Vec<Vector>> {
        self.options(small, outside, past, count).into_iter().next().map(|(_, vectors)| vectors)
    }

    /// [`Self::best_pair`] and the next best over other moves, cheapest first.
    fn options(
        &self,
        (unit, atom): (u32, u32),
        outside: &BTreeSet<u32>,
        past: &BTreeSet<u32>,
        count: usize,
    ) -> Vec<(Key, Vec<Vector>)> {
        let mut options = Vec::new();
        for step in self.moves.get(&atom).into_iter().flatten() {
            let mut others = step.terms[1..].iter();
            if !others.all(|(other, _)| self.grid.plain(unit, *other) && !outside.contains(other)) {
                continue;
            }
            let partners = self.partners(unit, step, past);
            if partners.len() < count {
                continue;
            }
            let own = step.touches.iter().map(|cell| self.price(unit, *cell)).sum::<u64>();
            let price = own + partners[..count].iter().map(|partner| partner.0).sum::<u64>();
            let vectors: Vec<Vector> =
                partners[..count].iter().map(|partner| rectangle(unit, partner.2, step)).collect();
            let tie = vectors.iter().fold(0u64, |tie, vector| tie.wrapping_add(self.grid.tie_of(vector)));
            options.push(((price, tie), vectors));
        }
        options.sort_by_key(|(key, _)| *key);
        options.truncate(JOINT_OPTIONS);
        options
    }

    /// The best unit of every other kommun that can repeat a move: price, tie, unit, cheapest first.
    fn partners(&self, unit: u32, step: &Move, past: &BTreeSet<u32>) -> Vec<(u64, u64, u32)> {
        let home = self.grid.kommun[unit as usize];
        let mut best = BTreeMap::<u32, (u64, u64, u32)>::new();
        for other in self.grid.units() {
            let kommun = self.grid.kommun[other as usize];
            let plain = || step.terms.iter().all(|(atom, _)| self.grid.plain(other, *atom));
            if kommun == home || past.contains(&kommun) || !plain() {
                continue;
            }
            let price = step.touches.iter().map(|cell| self.price(other, *cell)).sum();
            let tie =
                step.terms.iter().fold(0u64, |tie, (atom, _)| tie.wrapping_add(self.grid.tie(other, *atom)));
            let key = (price, tie, other);
            best.entry(kommun).and_modify(|known| *known = key.min(*known)).or_insert(key);
        }
        let mut partners: Vec<_> = best.into_values().collect();
        partners.sort_unstable();
        partners
    }

    /// Rungs below the rectangle pair: witnesses until no other kommun takes part in all of them.
    fn ladder(&self, small: (u32, u32)) -> Result<Vec<Vector>, BlindError> {
        let mut found = Vec::<Vector>::new();
        for rung in [Rung::Plain, Rung::ClosedTotals] {
            while let Some(next) = self.around(small, rung, &found) {
                found.push(next);
                if found.len() > 1 && self.in_all(small, &found).is_some_and(|common| common.is_empty()) {
                    return Ok(found);
                }
                if found.len() == 1 && self.in_all(small, &found).is_some_and(|common| common.is_empty()) {
                    // A witness within the unit itself holds against every insider; it counts for both.
                    found.push(found[0].clone());
                    return Ok(found);
                }
            }
        }
        Err(BlindError::NoWitness { unit: small.0, atom: small.1 })
    }

    /// A cycle that avoids the kommuner common to all witnesses found, or else one of them.
    fn around(&self, small: (u32, u32), rung: Rung, found: &[Vector]) -> Option<Vector> {
        let price = |unit, cell| self.price(unit, cell);
        let total_price = |cell| self.total_price(cell);
        let cycle = |avoid: &BTreeSet<u32>| {
            let search = Search { grid: self.grid, price: &price, total_price: &total_price, avoid, rung };
            search.cycle(small.0, small.1)
        };
        let common = self.in_all(small, found).unwrap_or_default();
        cycle(&common).or_else(|| {
            let mut single = common.iter().map(|kommun| BTreeSet::from([*kommun]));
            single.find_map(|avoid| cycle(&avoid))
        })
    }

    /// Other kommuner that take part in every witness; `None` when there is no witness.
    fn in_all(&self, small: (u32, u32), witnesses: &[Vector]) -> Option<BTreeSet<u32>> {
        let home = self.grid.kommun[small.0 as usize];
        let others = |vector: &Vector| -> BTreeSet<u32> {
            let kommuner = vector.keys().map(|(unit, _)| self.grid.kommun[*unit as usize]);
            kommuner.filter(|kommun| *kommun != home).collect()
        };
        witnesses.iter().map(others).reduce(|common, next| common.intersection(&next).copied().collect())
    }

    /// Gives the small cells of a line further rectangles through atoms outside it (phase 3b).
    fn widen(&mut self, unit: u32, atoms: &BTreeSet<u32>) {
        for atom in atoms.iter().copied().filter(|atom| self.grid.at(unit, *atom) == FineStatus::Small) {
            if let Some(pair) = self.best_pair((unit, atom), atoms, &BTreeSet::new(), 2) {
                self.put((unit, atom), pair);
            }
        }
    }
}

fn rectangle(unit: u32, other: u32, step: &Move) -> Vector {
    let here = step.terms.iter().map(|(atom, change)| ((unit, *atom), *change));
    here.chain(step.terms.iter().map(|(atom, change)| ((other, *atom), -change))).collect()
}

fn release<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests;
