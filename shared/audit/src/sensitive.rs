//! What must be protected.
//!
//! Per unit: small unit atoms, printed cells and unprinted differences that may be small. The truth of unit cells is
//! not known here, only statuses: a set with no plain atom and at least one small one may be small. Totals are known
//! when they were opened or are shown; a total that is not known counts as small unless its nonzero parts alone
//! reach the threshold. Of a kommun that stands alone nobody but itself knows what is withheld: it has had its true figures
//! audited before it sent any (ADR 21), and what is not known is not judged again.
//!
//! The *floor* of a place is the number of nonzero parts it is known to have, and the published bortfall in it: values
//! below it nobody can protect (SAFE-1). Whether a withheld total that was never opened is such a part is a matter of reading
//! ([`Marks`]): each reading has its own floors. Does not say whether a place is safe.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::{FineStatus, MinCount};
use tables::figures::Figures;
use tables::system::{CellIndex, Signed, System};

use crate::adversary::Marks;

/// A set of records whose count must not be narrowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Unit atoms of one unit.
    Unit {
        /// Index in the roster.
        unit: usize,
        /// Ascending.
        atoms: Vec<u32>,
    },
    /// Full atoms, over the roster.
    Total {
        /// Ascending.
        atoms: Vec<u32>,
    },
}

/// A place with what is promised of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensitive {
    /// Where.
    pub place: Place,
    /// Least value that can be promised.
    pub floor: u64,
    /// The small unit atoms in it (places of units).
    pub small: Vec<u32>,
    /// Whether nobody knows that it is small: a total that was never opened.
    pub may_be_plain: bool,
}

/// All sensitive places of units.
pub fn of_units(system: &System, statuses: &[Vec<FineStatus>], min_count: MinCount) -> Vec<Sensitive> {
    let mut sets: BTreeSet<&[u32]> = system.implied_unit.iter().map(Vec::as_slice).collect();
    let printed = system.per_unit().filter_map(|cell| system.cells[cell].unit_atoms.as_deref());
    sets.extend(printed);
    let single: Vec<[u32; 1]> = (0..system.unit_atoms as u32).map(|atom| [atom]).collect();
    sets.extend(single.iter().map(|atom| atom.as_slice()));
    // Atoms whose own figure is printed: a reader sees that they are not zero.
    let printed_alone = |atom: &&u32| {
        system
            .per_unit()
            .any(|cell| system.cells[cell].unit_atoms.as_deref() == Some(std::slice::from_ref(*atom)))
    };
    let mut found = Vec::new();
    for (unit, statuses) in statuses.iter().enumerate() {
        for set in &sets {
            let plain = set.iter().any(|atom| statuses[*atom as usize] == FineStatus::Plain);
            let is_small = |atom: &&u32| statuses[**atom as usize] == FineStatus::Small;
            let small: Vec<u32> = set.iter().filter(is_small).copied().collect();
            if plain || small.is_empty() || small.len() as u64 >= u64::from(min_count.get()) {
                continue;
            }
            let place = Place::Unit { unit, atoms: set.to_vec() };
            let seen = small.iter().filter(printed_alone).count() as u64;
            found.push(Sensitive { place, floor: seen.max(1), small, may_be_plain: false });
        }
    }
    found
}

/// What is known of a total.
#[derive(Clone)]
struct Total {
    set: Bits,
    value: Option<u64>,
    /// Nonzero parts it is known to have: one for each unit that is not zero, or one.
    parts: u64,
    /// Known to be at least this, by value or by the statuses of units.
    least: u64,
}

/// A set of full atoms.
#[derive(Clone, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(size: usize, atoms: &[u32]) -> Self {
        let mut words = vec![0u64; size.div_ceil(64)];
        atoms.iter().for_each(|atom| words[*atom as usize / 64] |= 1 << (atom % 64));
        Self(words)
    }

    fn is_inside(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine & !theirs == 0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(mine, theirs)| mine & theirs != 0)
    }

    fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(mine, theirs)| mine & !theirs).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// All sensitive totals in a reading of the marks: printed ones and unprinted differences. `known` holds opened totals; shown ones are read
/// from the figures, `least` are bounds that follow from elsewhere ([`crate::versions::FirstVersion::least`]).
pub fn of_totals(
    system: &System,
    figures: &Figures,
    known: &BTreeMap<CellIndex, u64>,
    least: &BTreeMap<CellIndex, u64>,
    (statuses, min_count): (&[Vec<FineStatus>], MinCount),
    marks: Marks,
) -> Vec<Sensitive> {
    let threshold = u64::from(min_count.get());
    let mut totals = printed_totals(system, figures, known, (statuses, min_count), marks);
    for (total, cell) in totals.iter_mut().zip(counted(system)).filter(|(total, _)| total.value.is_none()) {
        total.least = total.least.max(least.get(&cell).copied().unwrap_or(0));
    }
    // Bortfall is published and no small cell (ADR 5): what it holds, a set around it holds for all to see.
    let shown_bortfall = |cell: CellIndex| {
        let value = figures.totals.get(&cell)?.shown()?;
        let set = Bits::new(system.atoms, &system.cells[cell].atoms);
        Some(Total { set, value: Some(value), parts: value, least: value })
    };
    let bortfall = (0..system.cells.len()).filter(|cell| !system.cells[*cell].is_count);
    let pieces: Vec<Total> = totals.iter().cloned().chain(bortfall.filter_map(shown_bortfall)).collect();
    let mut found = Vec::new();
    let mut consider = |atoms: &[u32], set: &Bits, value: Option<u64>| {
        if value.is_some_and(|value| value == 0 || value >= threshold) || (system.alone && value.is_none()) {
            return;
        }
        let surely_plain = value.is_none() && packed(set, &pieces, |total| total.least) >= threshold;
        let floor = packed(set, &pieces, |total| total.parts).max(1);
        if !surely_plain && floor < threshold && !set.is_empty() {
            let place = Place::Total { atoms: atoms.to_vec() };
            found.push(Sensitive { place, floor, small: vec![], may_be_plain: value.is_none() });
        }
    };
    for (total, cell) in totals.iter().zip(counted(system)) {
        consider(&system.cells[cell].atoms, &total.set, total.value);
    }
    let mut evaluated = Evaluated::new(system, figures, &totals);
    for (atoms, set, value) in evaluated.all(system) {
        consider(atoms, &set, value);
    }
    found
}

fn counted(system: &System) -> impl Iterator<Item = CellIndex> + '_ {
    (0..system.cells.len()).filter(|cell| system.cells[*cell].is_count)
}

fn printed_totals(
    system: &System,
    figures: &Figures,
    known: &BTreeMap<CellIndex, u64>,
    (statuses, min_count): (&[Vec<FineStatus>], MinCount),
    marks: Marks,
) -> Vec<Total> {
    // What a reader takes a total for that nobody was told.
    let untold = u64::from(marks == Marks::AtLeastOne);
    let least_of = |unit: &Vec<FineStatus>, atoms: &[u32]| {
        atoms.iter().map(|atom| u64::from(unit[*atom as usize].least(min_count))).sum::<u64>()
    };
    let total = |cell: CellIndex| {
        let of = &system.cells[cell];
        let shown = figures.totals.get(&cell).and_then(|mark| mark.shown());
        let units: Option<Vec<u64>> =
            of.unit_atoms.as_deref().map(|atoms| statuses.iter().map(|unit| least_of(unit, atoms)).collect());
        let nonzero = units.as_ref().map(|units| units.iter().filter(|least| **least > 0).count() as u64);
        let zero = (nonzero == Some(0)).then_some(0);
        let value = shown.or_else(|| known.get(&cell).copied()).or(zero);
        // Only where units are printed does a reader see which of them are not zero.
        let seen = nonzero.filter(|_| of.per_unit).unwrap_or(0);
        let parts = seen.max(value.unwrap_or(untold).min(1));
        let least = value.unwrap_or_else(|| units.map_or(0, |units| units.iter().sum()));
        Total { set: Bits::new(system.atoms, &of.atoms), value, parts, least }
    };
    counted(system).map(total).collect()
}

/// What the printed cells inside the set that do not overlap add up to, smallest first: never more than the truth.
fn packed(set: &Bits, totals: &[Total], worth: impl Fn(&Total) -> u64) -> u64 {
    let mut inside: Vec<&Total> =
        totals.iter().filter(|total| worth(total) > 0 && total.set.is_inside(set)).collect();
    inside.sort_by_key(|total| total.set.len());
    let mut left = set.clone();
    let mut sum = 0;
    for total in &inside {
        if total.set.is_inside(&left) {
            left = left.minus(&total.set);
            sum += worth(total);
        }
    }
    // one relation may have more parts than the pieces packed: the units of the set itself
    inside.iter().filter(|total| total.set == *set).map(|total| worth(total)).fold(sum, u64::max)
}

/// Values of unprinted differences, by subtraction.
struct Evaluated {
    known: Vec<(Bits, u64)>,
    tables: Vec<Vec<(Bits, u64)>>,
}

impl Evaluated {
    fn new(system: &System, figures: &Figures, totals: &[Total]) -> Self {
        let index: BTreeMap<CellIndex, usize> =
            counted(system).enumerate().map(|(at, cell)| (cell, at)).collect();
        let of_table = |table: &tables::system::TableRows| {
            let cells: BTreeSet<CellIndex> = table.rows.iter().map(|row| row.cell).collect();
            let mut parts: Vec<(Bits, u64)> = cells
                .iter()
                .filter_map(|cell| totals.get(*index.get(cell)?))
                .filter_map(|total| Some((total.set.clone(), total.value?)))
                .collect();
            let bortfall = table.bortfall.iter().filter_map(|cell| {
                let value = figures.totals.get(cell)?.shown()?;
                Some((Bits::new(system.atoms, &system.cells[*cell].atoms), value))
            });
            parts.extend(bortfall);
            parts.sort_by_key(|(set, _)| std::cmp::Reverse(set.len()));
            parts
        };
        let known = totals.iter().filter_map(|total| Some((total.set.clone(), total.value?))).collect();
        Self { known, tables: system.tables.iter().map(of_table).collect() }
    }

    /// Every unprinted difference with its value, if it follows; repeated until nothing new follows, because a
    /// difference of differences needs the first one.
    fn all<'s>(&mut self, system: &'s System) -> Vec<(&'s [u32], Bits, Option<u64>)> {
        let mut sets: Vec<(&[u32], Bits, Option<u64>)> = system
            .implied_total
            .iter()
            .map(|atoms| (atoms.as_slice(), Bits::new(system.atoms, atoms), None))
            .collect();
        loop {
            let mut progress = false;
            for (atoms, set, value) in sets.iter_mut().filter(|(_, _, value)| value.is_none()) {
                *value = match system.signed(atoms) {
                    Some(made) => self.signed(system, &made),
                    None => self.value(set),
                };
                progress |= value.is_some();
            }
            if !progress {
                return sets;
            }
        }
    }

    /// The value of records without a category, or of further mentions.
    fn signed(&mut self, system: &System, made: &Signed) -> Option<u64> {
        let mut one = |side: &Vec<u32>| {
            let set = Bits::new(system.atoms, side);
            let known = self.known.iter().find(|(known, _)| *known == set).map(|(_, value)| *value);
            known.or_else(|| self.value(&set))
        };
        let mut sum = |sides: &[Vec<u32>]| sides.iter().map(&mut one).sum::<Option<u64>>();
        sum(&made.plus)?.checked_sub(sum(&made.minus)?)
    }

    /// The value of `set` if it is a known set minus disjoint known cells of one table.
    fn value(&mut self, set: &Bits) -> Option<u64> {
        let found = self.known.iter().find_map(|(large, value)| {
            if !set.is_inside(large) {
                return None;
            }
            let rest = large.minus(set);
            self.tables.iter().find_map(|parts| {
                let mut left = rest.clone();
                let mut sum = 0u64;
                for (part, value) in parts {
                    if part.meets(&left) && part.is_inside(&left) {
                        left = left.minus(part);
                        sum += value;
                    }
                }
                left.is_empty().then(|| value.checked_sub(sum)).flatten()
            })
        });
        if let Some(value) = found {
            self.known.push((set.clone(), value));
        }
        found
    }
}
