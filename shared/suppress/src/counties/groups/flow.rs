//! The transport of one block: counties supply, groups take, a county reaches its own groups.
//!
//! Of each set of groups: what it takes less what the counties supply that reach nothing else is *free*. What the counties
//! that withhold supply together is known, how they share it is not: *surely free* is what is left when all of it lies
//! with one that reaches nothing else. Bounds of flows follow from both (maximum flow, minimum cut). Sets of groups are bits;
//! there are 12 groups at most.

use std::collections::{BTreeMap, BTreeSet};

use super::Parts;

/// What a county has in a block, or in one cell of it.
pub(super) struct Supply {
    /// Whose.
    pub county: usize,
    /// The groups it reaches.
    pub groups: BTreeSet<usize>,
    /// The cells of the block it is of.
    pub parts: Parts,
    /// How much; `None` where the county withholds it.
    pub value: Option<u64>,
}

/// A supply with its groups as bits.
struct Source {
    county: usize,
    reach: usize,
    parts: Parts,
    value: i64,
}

/// The transport.
pub(super) struct Flow {
    groups: usize,
    /// Shown supplies that are not 0.
    shown: Vec<Source>,
    /// Reach of the counties that withhold, and what they supply together.
    withheld: (Vec<usize>, i64),
    /// By set of groups.
    free: Vec<i64>,
    surely_free: Vec<i64>,
}

fn reaches(reach: usize, group: usize) -> bool {
    reach >> group & 1 == 1
}

fn is_inside(reach: usize, set: usize) -> bool {
    reach & !set == 0
}

impl Flow {
    /// `None` where groups' figures are small, or figures contradict each other. Groups without a figure are one.
    pub(super) fn new(supplies: Vec<Supply>, takes: &[Option<u64>], total: u64, least: u64) -> Option<Self> {
        let (bits, takes) = groups(takes, total)?;
        if takes.iter().any(|take| (1..least as i64).contains(take)) {
            return None;
        }
        let (mut shown, mut withheld, mut rest) = (Vec::new(), Vec::new(), i64::try_from(total).ok()?);
        for supply in supplies {
            let reach =
                supply.groups.iter().filter_map(|group| bits.get(group)).fold(0, |set, bit| set | 1 << bit);
            match supply.value {
                Some(0) => {}
                Some(value) => {
                    let value = i64::try_from(value).ok()?;
                    rest -= value;
                    shown.push(Source { county: supply.county, reach, parts: supply.parts, value });
                }
                None => withheld.push(reach),
            }
        }
        let is_cut_off = shown.iter().any(|source| source.reach == 0) || withheld.contains(&0);
        if rest < 0 || is_cut_off || (rest == 0) != withheld.is_empty() {
            return None;
        }
        let mut flow = Self {
            groups: takes.len(),
            shown,
            withheld: (withheld, rest),
            free: Vec::new(),
            surely_free: Vec::new(),
        };
        flow.fill(&takes);
        Some(flow)
    }

    fn fill(&mut self, takes: &[i64]) {
        for set in 0..1usize << self.groups {
            let taken: i64 = (0..self.groups).filter(|group| reaches(set, *group)).map(|at| takes[at]).sum();
            let supplied: i64 = self.shown.iter().filter(|s| is_inside(s.reach, set)).map(|s| s.value).sum();
            self.free.push(taken - supplied);
            let withheld = if self.has_withheld_inside(set) { self.withheld.1 } else { 0 };
            self.surely_free.push(taken - supplied - withheld);
        }
    }

    fn has_withheld_inside(&self, set: usize) -> bool {
        self.withheld.0.iter().any(|reach| is_inside(*reach, set))
    }

    /// Sets of groups that are neither none nor all.
    fn sets(&self) -> impl Iterator<Item = usize> {
        1..(1usize << self.groups) - 1
    }

    /// Whether the groups' figures fit however the counties that withhold share what is left, and what each county has in each
    /// group, in the whole block and in each of `partial`, is told by its own total or can be anything under the threshold,
    /// 0 only, or nothing under it.
    pub(super) fn tells_nothing(&self, partial: &[&Parts], least: u64) -> bool {
        let least = least as i64;
        let fits = self.sets().all(|set| self.surely_free[set] >= 0);
        let withheld = || self.withheld.0.iter().all(|reach| self.is_free(*reach, None, least));
        let shown = |parts: Option<&Parts>| {
            let mut counties = BTreeMap::<(usize, usize), i64>::new();
            let inside = |source: &&Source| parts.is_none_or(|parts| source.parts.is_subset(parts));
            for source in self.shown.iter().filter(inside) {
                *counties.entry((source.county, source.reach)).or_default() += source.value;
            }
            counties.into_iter().all(|((_, reach), value)| self.is_free(reach, Some(value), least))
        };
        fits && withheld() && shown(None) && partial.iter().all(|parts| shown(Some(*parts)))
    }

    fn is_free(&self, reach: usize, value: Option<i64>, least: i64) -> bool {
        // Of a county in one group its own total says all.
        if reach.count_ones() == 1 {
            return true;
        }
        (0..self.groups).filter(|group| reaches(reach, *group)).all(|group| {
            let around = |set: &usize| reaches(*set, group) && !is_inside(reach, *set);
            let most = |free: &[i64]| self.sets().filter(around).map(|set| free[set]).min();
            let without = reach & !(1 << group);
            let beside = |set: &usize| !reaches(*set, group) && is_inside(without, *set);
            let (sure, possible) = (most(&self.surely_free), most(&self.free));
            let high = sure.is_none_or(|most| most >= least - 1) || possible == Some(0);
            let fewest =
                |value: i64, free: &[i64]| self.sets().filter(beside).map(|set| value - free[set]).max();
            let low = match value {
                Some(value) => {
                    let below = fewest(value, &self.surely_free).is_none_or(|fewest| fewest <= 0);
                    below || fewest(value, &self.free).is_some_and(|fewest| fewest >= least)
                }
                None => fewest(self.withheld.1, &self.free).is_none_or(|fewest| fewest <= 0),
            };
            high && low
        })
    }

    /// Whether what each group has in some cells of the block can be anything under the threshold, 0 only, or nothing under it.
    /// `total` is what all have there.
    pub(super) fn hides(&self, parts: &Parts, total: Option<u64>, least: u64) -> bool {
        let least = least as i64;
        let total = total.and_then(|total| i64::try_from(total).ok()).unwrap_or(i64::MAX);
        (0..self.groups).all(|group| {
            let own = |source: &&Source| reaches(source.reach, group) && !source.parts.is_disjoint(parts);
            let sum = |fits: &dyn Fn(&Source) -> bool| -> i64 {
                self.shown.iter().filter(own).filter(|source| fits(source)).map(|source| source.value).sum()
            };
            let is_sure = |source: &Source| source.parts.is_subset(parts);
            let without = |reach: usize| reach & !(1 << group);
            let all_inside = |set: usize| {
                let lies = |reach: usize| !reaches(reach, group) || is_inside(reach, set);
                self.shown.iter().filter(own).all(|source| lies(source.reach))
                    && self.withheld.0.iter().all(|reach| lies(*reach))
            };
            let high = (1..1usize << self.groups).filter(|set| reaches(*set, group)).all(|set| {
                let inside = |source: &Source| is_inside(source.reach, set);
                let most = self.free[set] + sum(&inside);
                let sure = self.surely_free[set] + sum(&|source| inside(source) && is_sure(source));
                all_inside(set) || sure >= least - 1 || most == 0
            });
            let sets = (0..1usize << self.groups).filter(|set| !reaches(*set, group));
            let (mut fewest, mut sure) = (i64::MIN, i64::MIN);
            for set in sets {
                let beside = |source: &Source| is_inside(without(source.reach), set);
                let own_withheld = |reach: &usize| reaches(*reach, group) && is_inside(without(*reach), set);
                let (inside, own) = (self.has_withheld_inside(set), self.withheld.0.iter().any(own_withheld));
                let rest = |there: bool| if there { self.withheld.1 } else { 0 };
                // What is withheld lies in one place only; and nobody has more there than all have.
                let once = sum(&beside) + rest(inside || own);
                let capped = (sum(&beside) + rest(own)).min(total).saturating_add(rest(inside));
                fewest = fewest.max(once.min(capped) - self.free[set]);
                sure = sure.max(sum(&|source| beside(source) && is_sure(source)) - self.free[set]);
                // Where nobody is confined to the others, what they do not take of the whole is the group's.
                let has_own =
                    |source: &Source| is_inside(source.reach, set) && !source.parts.is_disjoint(parts);
                let is_rest = set | 1 << group == (1 << self.groups) - 1;
                if is_rest && total < i64::MAX && !inside && !self.shown.iter().any(has_own) {
                    sure = sure.max(total - self.free[set]);
                }
            }
            high && (fewest <= 0 || sure >= least)
        })
    }
}

/// Bits of the groups that take something, and how much each takes; those without a figure share one bit.
fn groups(takes: &[Option<u64>], total: u64) -> Option<(BTreeMap<usize, usize>, Vec<i64>)> {
    let known = takes.iter().flatten().try_fold(0u64, |sum, take| sum.checked_add(*take))?;
    let rest = total.checked_sub(known)?;
    let (mut bits, mut amounts) = (BTreeMap::new(), Vec::new());
    for (group, take) in takes.iter().enumerate() {
        // A group that takes nothing is reached by nobody.
        if let Some(take) = take.filter(|take| *take > 0) {
            bits.insert(group, amounts.len());
            amounts.push(i64::try_from(take).ok()?);
        }
    }
    let unknown: Vec<usize> = (0..takes.len()).filter(|group| takes[*group].is_none()).collect();
    if rest > 0 {
        bits.extend(unknown.iter().map(|group| (*group, amounts.len())));
        amounts.push(i64::try_from(rest).ok()?);
        if unknown.is_empty() {
            return None;
        }
    }
    Some((bits, amounts))
}
