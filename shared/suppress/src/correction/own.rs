//! What one node verifies of a second version before it submits: from its own statuses, its own changes, and the two patterns.
//!
//! Shares with the choice only the arithmetic of what a movement changes. A node trusts nobody else's changes, so a
//! movement through another kommun must be the same there in both versions; what it does in the node's own row the node
//! can judge. It cannot see that corners in other kommuner are plain; the joint audit has the last word.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::figures::{Pattern, Witness};
use tables::system::{CellIndex, System};
use tables::unit::{KommunKod, Unit};

use super::{Joint, Step};
use crate::check::{Refusal, changes, marks};

/// The first version as a node that stood in it knows it.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    /// Its roster.
    pub units: &'a [Unit],
    /// Its pattern; witnesses are not looked at.
    pub pattern: &'a Pattern,
    /// The node's place.
    pub place: usize,
    /// The node's statuses then.
    pub statuses: &'a [FineStatus],
}

/// The second version as it is shown to a node.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its roster.
    pub units: &'a [Unit],
    /// Its pattern; witnesses are not looked at.
    pub pattern: &'a Pattern,
    /// The node's place.
    pub place: usize,
    /// The node's statuses now.
    pub statuses: &'a [FineStatus],
    /// The node's cells whose figure is another now; not read of a node that was not in the first version.
    pub changed: &'a BTreeSet<CellIndex>,
    /// The node's evidence.
    pub joints: &'a [Joint],
}

/// The node's verification of a second version.
///
/// # Errors
/// The first [`Refusal`].
pub fn check_own(system: &System, earlier: Option<Earlier<'_>>, asked: Asked<'_>) -> Result<(), Refusal> {
    let own = Own { system, earlier, asked };
    own.shape()?;
    let mut wrong = None;
    marks(system, asked.statuses, &asked.pattern.withheld[asked.place], |cell, zero| {
        wrong = Some(if zero { Refusal::ZeroWithheld(cell) } else { Refusal::SmallShown(cell) });
    });
    if let Some(refusal) = wrong {
        return Err(refusal);
    }
    own.row_is_kept()?;
    own.sums_tell_nothing()?;
    match asked.joints.iter().find(|joint| !own.holds(joint)) {
        Some(joint) => Err(Refusal::BadWitness(joint.atom)),
        None => own.everything_moves(),
    }
}

struct Own<'a> {
    system: &'a System,
    earlier: Option<Earlier<'a>>,
    asked: Asked<'a>,
}

impl Own<'_> {
    fn shape(&self) -> Result<(), Refusal> {
        let (system, asked) = (self.system, &self.asked);
        let list = |units: &[Unit], pattern: &Pattern, place: usize, statuses: &[FineStatus]| {
            pattern.withheld.len() == units.len()
                && place < units.len()
                && statuses.len() == system.unit_atoms
        };
        let step = |units: &[Unit], step: &Step| {
            (step.0 as usize) < units.len() && (step.1 as usize) < system.unit_atoms && step.2.abs() == 1
        };
        let before = |joint: &Joint| match self.earlier {
            Some(earlier) => joint.before.iter().all(|one| step(earlier.units, one)),
            None => joint.before.is_empty(),
        };
        let joint = |joint: &Joint| {
            before(joint)
                && joint.after.iter().all(|one| step(asked.units, one))
                && (joint.atom as usize) < system.unit_atoms
                && distinct(&joint.before)
                && distinct(&joint.after)
        };
        let earlier = self.earlier.is_none_or(|earlier| {
            list(earlier.units, earlier.pattern, earlier.place, earlier.statuses)
                && earlier.units[earlier.place] == asked.units[asked.place]
        });
        let fits = earlier
            && list(asked.units, asked.pattern, asked.place, asked.statuses)
            && asked.joints.iter().all(joint);
        if fits { Ok(()) } else { Err(Refusal::Shape) }
    }

    fn hidden_before(&self, cell: CellIndex) -> bool {
        let printed = self.system.cells[cell].per_unit;
        self.earlier.is_none_or(|earlier| !printed || earlier.pattern.withheld[earlier.place].contains(&cell))
    }

    fn hidden(&self, cell: CellIndex) -> bool {
        let printed = self.system.cells[cell].per_unit;
        !printed || self.asked.pattern.withheld[self.asked.place].contains(&cell)
    }

    fn changed(&self, cell: CellIndex) -> bool {
        self.earlier.is_none() || self.asked.changed.contains(&cell)
    }

    /// What did not change is shown or withheld as it was: two patterns over one figure would be one pattern less.
    fn row_is_kept(&self) -> Result<(), Refusal> {
        let other =
            |cell: &CellIndex| !self.changed(*cell) && self.hidden(*cell) != self.hidden_before(*cell);
        match self.system.per_unit().find(other) {
            Some(cell) => Err(Refusal::Reopened(cell)),
            None => Ok(()),
        }
    }

    /// SAFE-3: nothing is opened whose difference from version 1 speaks of this node's hidden figures.
    fn sums_tell_nothing(&self) -> Result<(), Refusal> {
        let opened_before =
            |cell: &CellIndex| self.earlier.is_none_or(|earlier| earlier.pattern.open.contains(cell));
        let tells = |cell: &CellIndex| {
            let known = !self.hidden(*cell) && (self.earlier.is_none() || !self.hidden_before(*cell));
            !(opened_before(cell) && (known || !self.changed(*cell)))
        };
        match self.asked.pattern.open.iter().find(|cell| **cell >= self.system.cells.len() || tells(cell)) {
            Some(cell) => Err(Refusal::Reopened(*cell)),
            None => Ok(()),
        }
    }

    fn holds(&self, joint: &Joint) -> bool {
        let asked = &self.asked;
        let corners = |steps: &[Step], place: Option<usize>, statuses: &[FineStatus]| {
            steps.iter().filter(|step| Some(step.0 as usize) == place).all(|step| {
                match (step.1 == joint.atom, statuses[step.1 as usize]) {
                    (true, status) => step.2 == 1 && status != FineStatus::Zero,
                    (false, status) => status == FineStatus::Plain,
                }
            })
        };
        let before = self.earlier.is_none_or(|earlier| {
            corners(&joint.before, Some(earlier.place), earlier.statuses)
                && self.unseen(earlier.pattern, joint.atom, &joint.before)
        });
        before
            && corners(&joint.after, Some(asked.place), asked.statuses)
            && self.unseen(asked.pattern, joint.atom, &joint.after)
            && self.others_move_alike(joint)
            && self.equal_stays_equal(joint)
    }

    fn unseen(&self, pattern: &Pattern, atom: u32, steps: &[Step]) -> bool {
        let (shown, totals) =
            changes(self.system, pattern, &Witness { unit: 0, atom, steps: steps.to_vec() });
        shown.is_empty() && totals.is_empty()
    }

    fn others_move_alike(&self, joint: &Joint) -> bool {
        let own = &self.asked.units[self.asked.place];
        let by_name = |units: &[Unit], steps: &[Step]| -> BTreeSet<(Unit, u32, i32)> {
            let named = steps.iter().map(|step| (units[step.0 as usize].clone(), step.1, step.2));
            named.filter(|step| step.0 != *own).collect()
        };
        let before = self.earlier.map(|earlier| by_name(earlier.units, &joint.before)).unwrap_or_default();
        let stays = |step: &(Unit, u32, i32)| self.asked.units.binary_search(&step.0).is_ok();
        let before: BTreeSet<_> = before.into_iter().filter(stays).collect();
        before == by_name(self.asked.units, &joint.after)
    }

    /// A cell of this node that is the same in both versions moves alike in both.
    fn equal_stays_equal(&self, joint: &Joint) -> bool {
        let Some(earlier) = self.earlier else {
            return true;
        };
        let own = |steps: &[Step], place: usize| -> BTreeMap<u32, i32> {
            let own = steps.iter().filter(|step| step.0 as usize == place);
            own.map(|step| (step.1, step.2)).collect()
        };
        let (before, after) = (own(&joint.before, earlier.place), own(&joint.after, self.asked.place));
        let sum = |own: &BTreeMap<u32, i32>, atoms: &[u32]| -> i32 {
            atoms.iter().filter_map(|atom| own.get(atom)).sum()
        };
        let whole = self.system.cells.iter().enumerate();
        let mut equal = whole.filter(|(cell, _)| !self.changed(*cell));
        equal.all(|(_, cell)| {
            let atoms = cell.unit_atoms.as_deref().unwrap_or_default();
            sum(&before, atoms) == sum(&after, atoms)
        })
    }

    /// SAFE-1 and SAFE-2: each small atom of version 1 moves through different other kommuner, each new one by itself.
    fn everything_moves(&self) -> Result<(), Refusal> {
        if let Some(earlier) = self.earlier {
            for atom in small(earlier.statuses) {
                if !self.through_different_kommuner(earlier, atom) {
                    return Err(Refusal::NotProtected(atom));
                }
            }
        }
        let corrected = self.earlier.is_none() || !self.asked.changed.is_empty();
        let alone = |atom: u32| {
            let itself = |joint: &&Joint| {
                let own = |step: &Step| step.0 as usize == self.asked.place;
                joint.before.is_empty()
                    && joint.after.iter().all(own)
                    && joint.after.contains(&(self.asked.place as u32, atom, 1))
            };
            self.asked.joints.iter().any(|joint| itself(&joint))
        };
        let free = small(self.asked.statuses).filter(|atom| corrected && !self.is_fixed(*atom));
        match free.into_iter().find(|atom| !alone(*atom)) {
            Some(atom) => Err(Refusal::NotProtected(atom)),
            None => Ok(()),
        }
    }

    fn through_different_kommuner(&self, earlier: Earlier<'_>, atom: u32) -> bool {
        let home = earlier.units[earlier.place].kommun();
        let mine = |joint: &&Joint| joint.before.contains(&(earlier.place as u32, atom, 1));
        let others = |joint: &Joint| -> BTreeSet<KommunKod> {
            let kommuner = joint.before.iter().map(|step| earlier.units[step.0 as usize].kommun());
            kommuner.filter(|kommun| *kommun != home).collect()
        };
        // Two through different kommuner, or one in the own row alone: no kommun takes part in all.
        let all = self.asked.joints.iter().filter(mine).map(others);
        let common = all.reduce(|one, two| one.intersection(&two).copied().collect());
        common.is_some_and(|common| common.is_empty())
    }

    fn is_fixed(&self, atom: u32) -> bool {
        self.system.per_unit().any(|cell| {
            !self.changed(cell)
                && self.system.cells[cell].unit_atoms.as_deref().is_some_and(|own| own == [atom])
        })
    }
}

fn small(statuses: &[FineStatus]) -> impl Iterator<Item = u32> + '_ {
    let small = |(_, status): &(usize, &FineStatus)| **status == FineStatus::Small;
    statuses.iter().enumerate().filter(small).map(|(atom, _)| atom as u32)
}

fn distinct(steps: &[Step]) -> bool {
    steps.iter().map(|step| (step.0, step.1)).collect::<BTreeSet<_>>().len() == steps.len()
}
