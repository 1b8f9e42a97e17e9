//! Verifies a pattern again, sharing no code with the choice of it.
//!
//! [`check`] sees all statuses (the coordinator, tests); [`check_own`] is what one node can verify from its
//! own statuses and its own witnesses before it submits. Neither sees a value. A node cannot see that the
//! corners in other kommuner are plain; the audit, which knows the sums, is the last word.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::figures::{Pattern, Witness};
use tables::system::{Cell, CellIndex, System};
use tables::unit::{KommunKod, Unit};

/// What is wrong with a pattern. Indices are those of the roster and of [`System`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Lists of other lengths than the roster.
    Shape,
    /// A printed cell whose nonzero atoms are all small is shown.
    SmallShown(usize, CellIndex),
    /// A printed cell without records is withheld.
    ZeroWithheld(usize, CellIndex),
    /// A small atom without two witnesses, or with a kommun that takes part in all of them (SAFE-2).
    NotProtected(usize, u32),
    /// A witness (by index) that is not `+1` at its small cell, steps by more than 1, or uses a corner that
    /// is not plain and not part of an all-small line of five kommuner.
    BadWitness(usize),
    /// A witness that changes a cell which its unit shows.
    ChangesShown(usize, CellIndex),
    /// A witness that changes a total which is not closed.
    ChangesTotal(usize, CellIndex),
    /// An opened total of kommun scope in which fewer than three kommuner hide (SAFE-3).
    FewHidden(CellIndex),
    /// A total both opened and closed, or neither although parts of it are withheld.
    Undecided(CellIndex),
}

/// Why a node does not submit under a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Lists of other lengths than the roster, or an own index outside it.
    #[error("the pattern does not fit the roster")]
    Shape,
    /// An own small cell or small margin would be shown.
    #[error("the pattern shows an own small cell (cell {0})")]
    SmallShown(CellIndex),
    /// An own zero would be withheld.
    #[error("the pattern withholds an own zero (cell {0})")]
    ZeroWithheld(CellIndex),
    /// An own small atom without witnesses through two other kommuner.
    #[error("unit atom {0} has no two witnesses through different other kommuner")]
    NotProtected(u32),
    /// A witness that protects nothing, or moves an own cell that is not plain.
    #[error("a witness of unit atom {0} is no movement that protects it")]
    BadWitness(u32),
    /// A witness that changes something shown.
    #[error("a witness of unit atom {0} changes a figure that is shown")]
    ChangesShown(u32),
    /// An opened total of kommun scope in which fewer than three kommuner hide.
    #[error("the pattern opens a total in which fewer than three kommuner hide (cell {0})")]
    FewHidden(CellIndex),
    /// A second version that shows an own figure otherwise than the first, or opens a sum whose difference tells of one.
    #[error("the second version tells more of an own figure together with the first (cell {0})")]
    Reopened(CellIndex),
}

/// Fewest kommuner in an all-small line that is opened.
const ALL_SMALL: usize = 5;
/// Fewest kommuner that an opened sum hides.
const HIDDEN: usize = 3;

/// All problems of a pattern, ascending; none when it is sound.
pub fn check(
    system: &System,
    units: &[Unit],
    statuses: &[Vec<FineStatus>],
    pattern: &Pattern,
) -> Vec<Problem> {
    let fits = statuses.len() == units.len()
        && pattern.withheld.len() == units.len()
        && statuses.iter().all(|list| list.len() == system.unit_atoms)
        && pattern.witnesses.iter().all(|witness| is_in_range(system, units, witness));
    if !fits {
        return vec![Problem::Shape];
    }
    let mut problems = Vec::new();
    for (unit, own) in statuses.iter().enumerate() {
        marks(system, own, &pattern.withheld[unit], |cell, zero| {
            let problem =
                if zero { Problem::ZeroWithheld(unit, cell) } else { Problem::SmallShown(unit, cell) };
            problems.push(problem);
        });
        for (atom, _) in own.iter().enumerate().filter(|(_, status)| **status == FineStatus::Small) {
            let atom = atom as u32;
            let mine: Vec<&Witness> = pattern
                .witnesses
                .iter()
                .filter(|witness| (witness.unit, witness.atom) == (unit as u32, atom))
                .collect();
            if !through_different_kommuner(units, unit, &mine) {
                problems.push(Problem::NotProtected(unit, atom));
            }
        }
    }
    for (index, witness) in pattern.witnesses.iter().enumerate() {
        if !has_plain_corners(units, statuses, witness) {
            problems.push(Problem::BadWitness(index));
        }
        let (shown, totals) = changes(system, pattern, witness);
        problems.extend(shown.into_iter().map(|cell| Problem::ChangesShown(index, cell)));
        problems.extend(totals.into_iter().map(|cell| Problem::ChangesTotal(index, cell)));
    }
    check_totals(system, units, pattern, &mut problems);
    problems.sort();
    problems
}

/// What a node verifies of a pattern: its own marks, and its own witnesses against every shown figure of
/// every unit and every total that is not closed. `witnesses` are the node's own, as sent to it.
///
/// # Errors
/// The first [`Refusal`].
pub fn check_own(
    system: &System,
    units: &[Unit],
    pattern: &Pattern,
    unit: usize,
    statuses: &[FineStatus],
    witnesses: &[Witness],
) -> Result<(), Refusal> {
    let fits = pattern.withheld.len() == units.len()
        && unit < units.len()
        && statuses.len() == system.unit_atoms
        && witnesses
            .iter()
            .all(|witness| is_in_range(system, units, witness) && witness.unit as usize == unit);
    if !fits {
        return Err(Refusal::Shape);
    }
    let mut wrong = None;
    marks(system, statuses, &pattern.withheld[unit], |cell, zero| {
        wrong = Some(if zero { Refusal::ZeroWithheld(cell) } else { Refusal::SmallShown(cell) });
    });
    if let Some(refusal) = wrong {
        return Err(refusal);
    }
    for witness in witnesses {
        let own_corners =
            witness.steps.iter().filter(|step| step.0 as usize == unit && step.1 != witness.atom);
        let plain = own_corners.clone().all(|step| statuses[step.1 as usize] == FineStatus::Plain);
        if !plain || !is_unit_step(witness) {
            return Err(Refusal::BadWitness(witness.atom));
        }
        let (shown, totals) = changes(system, pattern, witness);
        if !shown.is_empty() || !totals.is_empty() {
            return Err(Refusal::ChangesShown(witness.atom));
        }
    }
    for (atom, _) in statuses.iter().enumerate().filter(|(_, status)| **status == FineStatus::Small) {
        let mine: Vec<&Witness> = witnesses.iter().filter(|witness| witness.atom as usize == atom).collect();
        if !through_different_kommuner(units, unit, &mine) {
            return Err(Refusal::NotProtected(atom as u32));
        }
    }
    match few_hidden(system, units, pattern).next() {
        Some(cell) => Err(Refusal::FewHidden(cell)),
        None => Ok(()),
    }
}

fn is_in_range(system: &System, units: &[Unit], witness: &Witness) -> bool {
    let inside =
        |(unit, atom): (u32, u32)| (unit as usize) < units.len() && (atom as usize) < system.unit_atoms;
    inside((witness.unit, witness.atom)) && witness.steps.iter().all(|step| inside((step.0, step.1)))
}

/// Calls `wrong(cell, is_zero)` for every own mark that breaks a rule.
pub(crate) fn marks(
    system: &System,
    own: &[FineStatus],
    withheld: &BTreeSet<CellIndex>,
    mut wrong: impl FnMut(CellIndex, bool),
) {
    for (index, cell) in system.cells.iter().enumerate().filter(|(_, cell)| cell.per_unit) {
        let atoms = cell.unit_atoms.iter().flatten().map(|atom| own[*atom as usize]);
        let largest = atoms.max().unwrap_or(FineStatus::Zero);
        match (largest, withheld.contains(&index)) {
            (FineStatus::Zero, true) => wrong(index, true),
            (FineStatus::Small, false) => wrong(index, false),
            _ => {}
        }
    }
}

/// At least two witnesses, and no other kommun in all of them: each insider leaves one untouched.
fn through_different_kommuner(units: &[Unit], unit: usize, witnesses: &[&Witness]) -> bool {
    let home = units[unit].kommun();
    let others = |witness: &&Witness| -> BTreeSet<KommunKod> {
        let kommuner = witness.steps.iter().map(|step| units[step.0 as usize].kommun());
        kommuner.filter(|kommun| *kommun != home).collect()
    };
    let common =
        witnesses.iter().map(others).reduce(|common, next| common.intersection(&next).copied().collect());
    witnesses.len() >= 2 && common.is_some_and(|common| common.is_empty())
}

/// Ascending distinct places, changes of 1, `+1` at the protected cell.
fn is_unit_step(witness: &Witness) -> bool {
    let places: BTreeSet<_> = witness.steps.iter().map(|step| (step.0, step.1)).collect();
    places.len() == witness.steps.len()
        && witness.steps.iter().all(|step| step.2 == 1 || step.2 == -1)
        && witness.steps.contains(&(witness.unit, witness.atom, 1))
}

fn has_plain_corners(units: &[Unit], statuses: &[Vec<FineStatus>], witness: &Witness) -> bool {
    let home = units[witness.unit as usize].kommun();
    let line = statuses.iter().map(|own| own[witness.atom as usize]);
    let all_small = line.clone().all(|status| status != FineStatus::Plain) && {
        let nonzero = line.zip(units).filter(|(status, _)| *status == FineStatus::Small);
        nonzero.map(|(_, unit)| unit.kommun()).collect::<BTreeSet<_>>().len() >= ALL_SMALL
    };
    let fits = |step: &(u32, u32, i32)| {
        let status = statuses[step.0 as usize][step.1 as usize];
        let itself = (step.0, step.1) == (witness.unit, witness.atom);
        let own_sub_unit = step.0 != witness.unit && units[step.0 as usize].kommun() == home;
        let weak = step.1 == witness.atom && status == FineStatus::Small && all_small;
        let fits = if itself { status == FineStatus::Small } else { status == FineStatus::Plain || weak };
        fits && !own_sub_unit
    };
    is_unit_step(witness) && witness.steps.iter().all(fits)
}

/// Shown cells of units and unclosed totals that a witness changes.
pub(crate) fn changes(
    system: &System,
    pattern: &Pattern,
    witness: &Witness,
) -> (Vec<CellIndex>, Vec<CellIndex>) {
    let mut per_unit = BTreeMap::<u32, BTreeMap<u32, i32>>::new();
    let mut roster = BTreeMap::<u32, i32>::new();
    for (unit, atom, change) in &witness.steps {
        *per_unit.entry(*unit).or_default().entry(*atom).or_default() += change;
        *roster.entry(*atom).or_default() += change;
    }
    roster.retain(|_, change| *change != 0);
    let (mut shown, mut totals) = (Vec::new(), Vec::new());
    for (index, cell) in system.cells.iter().enumerate() {
        if cell.per_unit {
            let atoms = cell.unit_atoms.as_deref().unwrap_or_default();
            let sum = |own: &BTreeMap<u32, i32>| atoms.iter().filter_map(|atom| own.get(atom)).sum::<i32>();
            let mut units =
                per_unit.iter().filter(|(unit, _)| !pattern.withheld[**unit as usize].contains(&index));
            if units.any(|(_, own)| sum(own) != 0) {
                shown.push(index);
            }
        }
        if !pattern.closed.contains(&index) && total_changes(cell, &roster) {
            totals.push(index);
        }
    }
    let finer = |cell: &CellIndex| system.cells[*cell].unit_atoms.is_none();
    let unclosed = |cell: &CellIndex| !pattern.closed.contains(cell) && finer(cell);
    if !roster.is_empty() && !records_can_follow(system, &roster, &unclosed) {
        totals.extend((0..system.cells.len()).filter(unclosed));
    }
    (shown, totals)
}

/// Whether a total that is a union of unit atoms changes.
fn total_changes(cell: &Cell, roster: &BTreeMap<u32, i32>) -> bool {
    let atoms = cell.unit_atoms.as_deref().unwrap_or_default();
    roster.iter().filter(|(atom, _)| atoms.contains(atom)).map(|(_, change)| change).sum::<i32>() != 0
}

/// Whether the records behind a change of unit atoms' sums can move without any unclosed finer total noticing, whichever
/// records they are: every full atom of a giver has one of its receiver, or none of either, in the same unclosed totals.
fn records_can_follow(
    system: &System,
    roster: &BTreeMap<u32, i32>,
    unclosed: &dyn Fn(&CellIndex) -> bool,
) -> bool {
    let mut kinds: BTreeMap<Option<u32>, BTreeSet<Vec<CellIndex>>> = BTreeMap::new();
    for (atom, unit_atom) in system.unit_atom_of.iter().enumerate() {
        if unit_atom.is_some_and(|unit_atom| !roster.contains_key(&unit_atom)) {
            continue;
        }
        let holds = |cell: &CellIndex| system.cells[*cell].atoms.binary_search(&(atom as u32)).is_ok();
        let list = (0..system.cells.len()).filter(unclosed).filter(holds).collect();
        kinds.entry(*unit_atom).or_default().insert(list);
    }
    let nothing = BTreeSet::from([Vec::new()]);
    let of = |atom: Option<u32>| kinds.get(&atom).unwrap_or(&nothing);
    let swaps = |one: u32, other: Option<u32>| match other {
        Some(_) => of(Some(one)) == of(other),
        // It leaves for records that only finer totals count, or for nothing; back comes a new one.
        None => {
            let kinds = of(Some(one));
            kinds.contains(&Vec::new()) && kinds.iter().all(|kind| kind.is_empty() || of(None).contains(kind))
        }
    };
    let mut takes: Vec<u32> = Vec::new();
    let mut gives: Vec<u32> = Vec::new();
    for (atom, change) in roster {
        let list = if *change > 0 { &mut takes } else { &mut gives };
        list.extend(std::iter::repeat_n(*atom, change.unsigned_abs() as usize));
    }
    // Kinds are equal or not, so any order of pairing finds the pairs there are.
    takes.retain(|take| match gives.iter().position(|give| swaps(*give, Some(*take))) {
        Some(at) => {
            gives.swap_remove(at);
            false
        }
        None => true,
    });
    takes.iter().chain(&gives).all(|atom| swaps(*atom, None))
}

fn few_hidden<'a>(
    system: &'a System,
    units: &'a [Unit],
    pattern: &'a Pattern,
) -> impl Iterator<Item = CellIndex> + 'a {
    pattern.open.iter().copied().filter(move |cell| {
        let hides = |unit: &usize| pattern.withheld[*unit].contains(cell);
        let kommuner: BTreeSet<_> = (0..units.len()).filter(hides).map(|unit| units[unit].kommun()).collect();
        system.cells.get(*cell).is_none_or(|cell| cell.per_unit) && kommuner.len() < HIDDEN
    })
}

fn check_totals(system: &System, units: &[Unit], pattern: &Pattern, problems: &mut Vec<Problem>) {
    problems.extend(few_hidden(system, units, pattern).map(Problem::FewHidden));
    for (index, cell) in system.cells.iter().enumerate() {
        let (open, closed) = (pattern.open.contains(&index), pattern.closed.contains(&index));
        let hidden = cell.per_unit && pattern.withheld.iter().any(|withheld| withheld.contains(&index));
        if open && closed || hidden && !open && !closed && !is_sum_of_shown(system, pattern, index) {
            problems.push(Problem::Undecided(index));
        }
    }
}

/// Whether printed cells that every unit shows make up the cell, taken greedily from the largest.
fn is_sum_of_shown(system: &System, pattern: &Pattern, cell: CellIndex) -> bool {
    let mut left: BTreeSet<u32> = system.cells[cell].atoms.iter().copied().collect();
    let shown =
        |at: &usize| system.cells[*at].per_unit && pattern.withheld.iter().all(|cells| !cells.contains(at));
    let mut parts: Vec<usize> = (0..system.cells.len()).filter(shown).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(system.cells[*part].unit_atoms.as_ref().map_or(0, Vec::len)));
    for part in parts {
        if system.cells[part].atoms.iter().all(|atom| left.contains(atom)) {
            system.cells[part].atoms.iter().for_each(|atom| _ = left.remove(atom));
        }
    }
    left.is_empty()
}
