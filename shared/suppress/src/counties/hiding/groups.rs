//! What sums over groups of kommuner tell beside the national sums and what counties show, as far as it is linear (SAFE-3).
//!
//! Nobody publishes what a county has in a group. A county with kommuner in several groups therefore hides a sum of a group also
//! where it shows its total; one whose kommuner all lie in the group hides there what it withholds. Every combination
//! of opened sums, of the realm and of groups, must speak of at least [`LEAST_HIDDEN`] counties: then of three kommuner as
//! well. A county counts once, in however many groups it lies: it is one party.
//!
//! Knows no value. Bounds (counts are never negative) are `counties::groups`.

use std::collections::{BTreeMap, BTreeSet};

use tables::system::CellIndex;

use super::{County, Hiding};
use crate::counties::LEAST_HIDDEN;
use crate::opened::told_by_few;
use crate::span::{P, Span, Sparse};

/// A sum over counties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sum {
    /// Over all kommuner.
    Realm(CellIndex),
    /// Over the kommuner of a group, by its place in the list.
    Group(usize, CellIndex),
}

impl Sum {
    fn cell(self) -> CellIndex {
        match self {
            Self::Realm(cell) | Self::Group(_, cell) => cell,
        }
    }

    fn is_over(self, group: usize) -> bool {
        match self {
            Self::Realm(_) => true,
            Self::Group(own, _) => own == group,
        }
    }
}

impl Hiding {
    /// Takes sums of groups out of `groups` until each of those left hides enough counties of a roster, and no combination of them
    /// with each other and with the national sums `open` hides fewer; what was taken out. `present[county]` are the groups
    /// that kommuner of the county's roster lie in.
    pub fn narrow_groups(
        &self,
        present: &[BTreeSet<usize>],
        roster: &BTreeSet<usize>,
        open: &BTreeSet<CellIndex>,
        groups: &mut BTreeSet<(usize, CellIndex)>,
    ) -> BTreeSet<(usize, CellIndex)> {
        let few = |(group, cell): &&(usize, CellIndex)| {
            self.hidden_in_group(present, roster, *group, *cell) < LEAST_HIDDEN
        };
        let mut closed: BTreeSet<(usize, CellIndex)> = groups.iter().filter(few).copied().collect();
        groups.retain(|sum| !closed.contains(sum));
        while let Some(thin) = self.thin_with_groups(present, roster, open, groups) {
            let own = |sum: Sum| match sum {
                Sum::Group(group, cell) => Some((group, cell)),
                Sum::Realm(_) => None,
            };
            let size = |(group, cell): &(usize, CellIndex)| (self.kinds.of_cell[*cell].len(), *cell, *group);
            let Some(least) = thin.into_iter().filter_map(own).min_by_key(size) else {
                // The national sums alone are thin: whoever opens those has not narrowed them.
                closed.append(groups);
                break;
            };
            groups.remove(&least);
            closed.insert(least);
        }
        closed
    }

    /// How many counties of a roster hide a total of a group.
    pub fn hidden_in_group(
        &self,
        present: &[BTreeSet<usize>],
        roster: &BTreeSet<usize>,
        group: usize,
        cell: CellIndex,
    ) -> usize {
        let hides = |at: &&usize| match (self.counties.get(**at), present.get(**at)) {
            (Some(county), Some(groups)) => !self.news_of(county, groups, Sum::Group(group, cell)).is_empty(),
            _ => false,
        };
        roster.iter().filter(hides).count()
    }

    /// Sums a combination of which speaks of one or two counties of a roster only; `None` when there is none.
    pub fn thin_with_groups(
        &self,
        present: &[BTreeSet<usize>],
        roster: &BTreeSet<usize>,
        open: &BTreeSet<CellIndex>,
        groups: &BTreeSet<(usize, CellIndex)>,
    ) -> Option<BTreeSet<Sum>> {
        let basis = self.basis(present, open, groups);
        let news = |at: &usize| {
            let (county, present) = (self.counties.get(*at)?, present.get(*at)?);
            let mut rows = BTreeMap::<u32, Vec<(u32, u64)>>::new();
            for (at, sum) in basis.iter().enumerate() {
                for (coordinate, value) in self.news_of(county, present, *sum) {
                    rows.entry(coordinate).or_default().push((at as u32, value));
                }
            }
            Some(rows.into_values().collect::<BTreeSet<_>>())
        };
        let spaces = roster.iter().filter_map(news).collect();
        let thin = told_by_few(spaces, basis.len() as u32)?;
        Some(thin.into_keys().map(|at| basis[at as usize]).collect())
    }

    /// Sums that do not follow from others, national ones first: one that follows says nothing of its own.
    fn basis(
        &self,
        present: &[BTreeSet<usize>],
        open: &BTreeSet<CellIndex>,
        groups: &BTreeSet<(usize, CellIndex)>,
    ) -> Vec<Sum> {
        let all: BTreeSet<usize> = present.iter().flatten().copied().collect();
        let mut sums: Vec<Sum> = open.iter().map(|cell| Sum::Realm(*cell)).collect();
        sums.extend(groups.iter().map(|(group, cell)| Sum::Group(*group, *cell)));
        sums.sort_by_key(|sum| (matches!(sum, Sum::Group(..)), self.kinds.of_cell[sum.cell()].len(), *sum));
        let (mut span, mut basis) = (Span::default(), Vec::new());
        for sum in sums {
            let mut vector = Sparse::new();
            for group in all.iter().filter(|group| sum.is_over(**group)) {
                let kinds = &self.kinds.of_cell[sum.cell()];
                vector.extend(kinds.iter().map(|kind| (self.coordinate(*kind, *group), 1)));
            }
            if !span.rest(vector.clone()).is_empty() {
                span.insert_vector(basis.len() as u32, vector);
                basis.push(sum);
            }
        }
        basis
    }

    fn coordinate(&self, kind: u32, group: usize) -> u32 {
        group as u32 * self.kinds.count + kind
    }

    /// What a sum says of a county beyond what it shows. The county shows the same combinations summed over its groups: what is
    /// left of a vector per group is its difference from the first group's, and the first's beyond what is shown.
    fn news_of(&self, county: &County, present: &BTreeSet<usize>, sum: Sum) -> Sparse {
        let Some(first) = present.first().copied() else { return Sparse::new() };
        let mut news = Sparse::new();
        let mut put = |group: usize, rest: Sparse, sign: u64| {
            let entry = |(kind, value): (u32, u64)| {
                (self.coordinate(kind, group), if sign == 1 { value } else { P - value })
            };
            news.extend(rest.into_iter().map(entry));
        };
        match sum {
            Sum::Realm(cell) => put(first, county.news(&self.kinds, cell), 1),
            Sum::Group(group, _) if !present.contains(&group) => {}
            Sum::Group(group, cell) if group == first => {
                put(first, county.news(&self.kinds, cell), 1);
                for other in present.iter().skip(1) {
                    put(*other, county.vector(&self.kinds, cell), P - 1);
                }
            }
            Sum::Group(group, cell) => put(group, county.vector(&self.kinds, cell), 1),
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, one_way};

    fn fixture() -> Fixture {
        Fixture::new(&["2101", "2104", "2121", "2132", "2161"], "\"2024\"", &one_way(&["ansokan", "anmalan"]))
    }

    /// The sums of groups that are left of all, for one cell, when nobody withholds anything.
    fn left(present: &[&[usize]], open: bool) -> BTreeSet<usize> {
        let fixture = fixture();
        let cell = fixture.cell("T1", &["ansokan"], "2024");
        let withheld = vec![BTreeSet::new(); present.len()];
        let present: Vec<BTreeSet<usize>> = present.iter().map(|own| own.iter().copied().collect()).collect();
        let roster = (0..present.len()).collect();
        let mut groups = present.iter().flatten().map(|group| (*group, cell)).collect();
        let open = if open { BTreeSet::from([cell]) } else { BTreeSet::new() };
        Hiding::new(&fixture.system, &withheld, &[]).narrow_groups(&present, &roster, &open, &mut groups);
        groups.into_iter().map(|(group, _)| group).collect()
    }

    #[test]
    fn counties_in_two_groups_hide_a_groups_sum_although_they_show_their_total() {
        assert_eq!(left(&[&[0, 1], &[0, 1], &[0, 1]], false), [0, 1].into());
        assert_eq!(
            left(&[&[0, 1], &[0, 1], &[0, 1]], true),
            [0, 1].into(),
            "the realm's is the sum of what is shown"
        );
        assert!(left(&[&[0, 1], &[0, 1]], false).is_empty(), "two counties");
    }

    #[test]
    fn a_county_whose_kommuner_are_all_in_the_group_hides_nothing_that_it_shows() {
        assert!(left(&[&[0], &[0], &[0], &[0, 1], &[0, 1]], false).is_empty());
        assert_eq!(left(&[&[0], &[0, 1], &[0, 1], &[0, 1]], false), [0, 1].into());
    }

    #[test]
    fn safe_3_groups_whose_sum_is_two_counties_are_not_both_opened() {
        // the third group lies in two counties; the first two together are what those have beside it
        let present: [&[usize]; 5] = [&[0, 1], &[0, 1], &[0, 1], &[1, 2], &[1, 2]];
        assert_eq!(left(&present, false).len(), 1);
        let more: [&[usize]; 6] = [&[0, 1], &[0, 1], &[0, 1], &[1, 2], &[1, 2], &[1, 2]];
        assert_eq!(left(&more, false).len(), 3);
    }

    /// Where a county withholds its total it hides it in its only group too.
    #[test]
    fn a_county_in_one_group_hides_there_what_it_withholds() {
        let fixture = fixture();
        let cell = fixture.cell("T1", &["ansokan"], "2024");
        let other = fixture.cell("T1", &["anmalan"], "2024");
        let withheld = vec![BTreeSet::from([cell, other]); 3];
        let hiding = Hiding::new(&fixture.system, &withheld, &[]);
        let present = vec![BTreeSet::from([0]); 3];
        let roster = (0..3).collect();
        assert_eq!(hiding.hidden_in_group(&present, &roster, 0, cell), 3);
        assert_eq!(hiding.hidden_in_group(&present, &roster, 1, cell), 0);
    }
}
