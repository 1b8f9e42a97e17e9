//! Finds joint movements: those of version 1 where they still hold, rectangles through other kommuner, moves in one row.
//!
//! Chooses nothing of what is shown; asks the pattern as it stands. Invariant: a movement that is returned changes no
//! figure that either version shows, and no equality between them.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::FineStatus;
use tables::figures::Witness;
use tables::system::CellIndex;
use tables::unit::KommunKod;

use super::{Chooser, Joint, Need, Step};
use crate::check::changes;
use crate::moves::Move;

impl Chooser<'_> {
    /// Evidence for a need under the pattern as it stands.
    pub(super) fn meet(&self, need: Need) -> Option<Vec<Joint>> {
        match need {
            Need::Old(unit, atom) => self.through_others(unit, atom),
            Need::New(unit, atom) => self.in_own_row(unit, atom).map(|joint| vec![joint]),
        }
    }

    /// Whether a movement changes a unit's cell in version 2.
    pub(super) fn touches(&self, joint: &Joint, unit: u32, cell: CellIndex) -> bool {
        self.sum(&joint.after, unit, cell) != 0
    }

    fn sum(&self, steps: &[Step], unit: u32, cell: CellIndex) -> i32 {
        let atoms = self.system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
        steps.iter().filter(|step| step.0 == unit && atoms.contains(&step.1)).map(|step| step.2).sum()
    }

    /// Movements until no other kommun takes part in all of them.
    fn through_others(&self, old: u32, atom: u32) -> Option<Vec<Joint>> {
        let mine = self.before.pattern.witnesses.iter().filter(|w| (w.unit, w.atom) == (old, atom));
        let kept = mine.map(|witness| witness.steps.clone());
        let steps = self.moves.get(&atom).into_iter().flatten();
        let fresh = steps.filter(|step| self.own_corners_are_plain(old, step)).flat_map(|step| {
            let partners = 0..self.before.units.len() as u32;
            partners.filter_map(move |partner| self.rectangle(old, partner, step))
        });
        let (mut found, mut common) = (Vec::<Joint>::new(), None::<BTreeSet<KommunKod>>);
        for before in kept.chain(fresh) {
            let others = self.others(old, &before);
            let news = common.as_ref().is_none_or(|common| !common.is_subset(&others));
            let Some(joint) = Some(before).filter(|_| news).and_then(|before| self.joined(old, atom, before))
            else {
                continue;
            };
            found.push(joint);
            let left = match common {
                None => others,
                Some(common) => common.intersection(&others).copied().collect(),
            };
            // One in its own row alone has no other kommun in it: nobody can stop it.
            if left.is_empty() {
                return Some(found);
            }
            common = Some(left);
        }
        None
    }

    fn others(&self, old: u32, steps: &[Step]) -> BTreeSet<KommunKod> {
        let kommun = |unit: u32| self.before.units[unit as usize].kommun();
        steps.iter().map(|step| kommun(step.0)).filter(|other| *other != kommun(old)).collect()
    }

    fn own_corners_are_plain(&self, old: u32, step: &Move) -> bool {
        let plain = |atom: u32| self.before.statuses[old as usize][atom as usize] == FineStatus::Plain;
        step.terms[1..].iter().all(|(atom, _)| plain(*atom))
    }

    fn rectangle(&self, old: u32, partner: u32, step: &Move) -> Option<Vec<Step>> {
        let kommun = |unit: u32| self.before.units[unit as usize].kommun();
        let plain = |(atom, _): &(u32, i32)| {
            self.before.statuses[partner as usize][*atom as usize] == FineStatus::Plain
        };
        let hidden = |unit: u32| {
            step.touches.iter().all(|cell| self.before.pattern.withheld[unit as usize].contains(cell))
        };
        if kommun(old) == kommun(partner) || !step.terms.iter().all(plain) || !hidden(old) || !hidden(partner)
        {
            return None;
        }
        let both = [(old, 1), (partner, -1)];
        let mut steps: Vec<Step> = both
            .iter()
            .flat_map(|(unit, sign)| {
                step.terms.iter().map(move |(atom, change)| (*unit, *atom, sign * change))
            })
            .collect();
        steps.sort_unstable();
        Some(steps)
    }

    /// A movement of version 1 with what must happen in version 2: the same, or in the own row the same without what is
    /// empty there now.
    fn joined(&self, old: u32, atom: u32, before: Vec<Step>) -> Option<Joint> {
        let new = |step: &Step| Some((self.new_of[step.0 as usize]?, step.1, step.2));
        let after: Vec<Step> = before.iter().filter_map(new).collect();
        let itself = self.new_of[old as usize];
        let nonzero = |step: &Step| {
            Some(step.0) != itself
                || self.after.statuses[step.0 as usize][step.1 as usize] != FineStatus::Zero
        };
        let reduced: Vec<Step> = after.iter().copied().filter(nonzero).collect();
        let options = if reduced == after { vec![after] } else { vec![after, reduced] };
        let mut joints = options.into_iter().map(|after| Joint { atom, before: before.clone(), after });
        joints.find(|joint| self.holds(joint, itself))
    }

    fn holds(&self, joint: &Joint, itself: Option<u32>) -> bool {
        let plain = |step: &Step| {
            let status = self.after.statuses[step.0 as usize][step.1 as usize];
            let small = Some(step.0) == itself && step.1 == joint.atom;
            let weak = self.is_weak_corner(step);
            if small { status != FineStatus::Zero } else { status == FineStatus::Plain || weak }
        };
        let old: BTreeMap<u32, BTreeMap<u32, i32>> = per_unit(&joint.before);
        let linked = |(unit, own): (u32, BTreeMap<u32, i32>)| {
            let before = self.old_of[unit as usize].and_then(|old_unit| old.get(&old_unit));
            before == Some(&own) || Some(unit) == itself && self.keeps_what_is_equal(unit, joint)
        };
        let units = joint.after.iter().map(|step| step.0).collect::<BTreeSet<u32>>();
        let touched = per_unit(&joint.after);
        let gone =
            itself.is_some_and(|unit| !units.contains(&unit) && !self.keeps_what_is_equal(unit, joint));
        joint.after.iter().all(plain)
            && !gone
            && touched.into_iter().all(linked)
            && self.shows_no_change(joint)
    }

    /// A small corner of an all-small line, which version 1 allowed: it must be as it was.
    fn is_weak_corner(&self, step: &Step) -> bool {
        let (unit, atom) = (step.0 as usize, step.1 as usize);
        let before = self.old_of[unit].map(|old| self.before.statuses[old as usize][atom]);
        before == Some(FineStatus::Small) && self.after.statuses[unit][atom] == FineStatus::Small
    }

    /// Whether a unit's cells that are equal in both versions stay so.
    fn keeps_what_is_equal(&self, unit: u32, joint: &Joint) -> bool {
        let Some(old) = self.old_of[unit as usize] else {
            return true;
        };
        let whole = |cell: &CellIndex| self.system.cells[*cell].unit_atoms.is_some();
        let equal =
            (0..self.system.cells.len()).filter(whole).filter(|cell| !self.changed(unit as usize, *cell));
        let mut equal = equal;
        equal.all(|cell| self.sum(&joint.before, old, cell) == self.sum(&joint.after, unit, cell))
    }

    fn shows_no_change(&self, joint: &Joint) -> bool {
        let witness = |steps: &[Step]| Witness { unit: 0, atom: joint.atom, steps: steps.to_vec() };
        [(self.before.pattern, &joint.before), (&self.pattern, &joint.after)].into_iter().all(
            |(pattern, steps)| {
                let (shown, totals) = changes(self.system, pattern, &witness(steps));
                shown.is_empty() && totals.is_empty()
            },
        )
    }

    /// A movement of version 2's records in one row, over cells that are withheld and changed.
    fn in_own_row(&self, unit: u32, atom: u32) -> Option<Joint> {
        let at = unit as usize;
        let free = |cell: &CellIndex| self.pattern.withheld[at].contains(cell) && self.changed(at, *cell);
        let plain = |(other, _): &(u32, i32)| self.after.statuses[at][*other as usize] == FineStatus::Plain;
        let fits = |step: &&Move| step.touches.iter().all(free) && step.terms[1..].iter().all(plain);
        let joint = |step: &Move| {
            let mut after: Vec<Step> =
                step.terms.iter().map(|(atom, change)| (unit, *atom, *change)).collect();
            after.sort_unstable();
            Joint { atom, before: Vec::new(), after }
        };
        let mut joints = self.moves.get(&atom).into_iter().flatten().filter(fits).map(joint);
        joints.find(|joint| self.keeps_what_is_equal(unit, joint) && self.shows_no_change(joint))
    }
}

fn per_unit(steps: &[Step]) -> BTreeMap<u32, BTreeMap<u32, i32>> {
    let mut sums = BTreeMap::<u32, BTreeMap<u32, i32>>::new();
    for (unit, atom, change) in steps {
        *sums.entry(*unit).or_default().entry(*atom).or_default() += change;
    }
    sums
}
