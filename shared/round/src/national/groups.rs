//! Sums over groups of kommuner in a national round: which may be named, and which are opened (ADR 23).
//!
//! Only innermost cells of the one table that has rows of groups. A group's sum is opened when it, and every combination of it with
//! other sums of groups and of the realm, hides enough counties ([`Hiding::narrow_groups`]). What is then shown of them is
//! settled with the values, when the tables are made (`suppress::counties::groups`).

use std::collections::{BTreeMap, BTreeSet};

use suppress::counties::hiding::Hiding;
use tables::collection::{Collection, National as Terms, NationalGroups};
use tables::figures::CountyMark;
use tables::system::{Build, CellIndex, System};
use tables::unit::{GroupCode, LansKod, Unit};

use super::document::{GroupSums, NationalPattern};
use crate::refusal::{PatternFault, Refusal};

/// The groups that the kommuner of a roster lie in, where the collection's national round has a list.
pub fn of_roster(collection: &Collection, roster: &[Unit]) -> BTreeSet<GroupCode> {
    let has_list = collection.national.as_ref().is_some_and(|national| national.groups.is_some());
    let kommuner = roster.iter().filter(|_| has_list).map(Unit::kommun);
    kommuner.filter_map(|kommun| collection.group_of(kommun).cloned()).collect()
}

/// Whether a county may say that its roster lies in these groups.
pub(super) fn may_have(terms: &Terms, county: LansKod, groups: &BTreeSet<GroupCode>) -> bool {
    match &terms.groups {
        Some(list) => !groups.is_empty() && groups.is_subset(&list.grouping.in_county(county)),
        None => groups.is_empty(),
    }
}

/// The innermost cells of the table that has rows of groups.
pub fn innermost(system: &System, groups: &NationalGroups) -> BTreeSet<CellIndex> {
    let rows = system.tables.get(groups.table).into_iter().flat_map(|table| &table.rows);
    rows.filter(|row| row.codes.iter().all(Option::is_some)).map(|row| row.cell).collect()
}

fn numbers(list: &NationalGroups) -> BTreeMap<GroupCode, usize> {
    list.grouping.codes().into_iter().zip(0..).collect()
}

fn present(list: &NationalGroups, pattern: &NationalPattern) -> Vec<BTreeSet<usize>> {
    let numbers = numbers(list);
    let county =
        |groups: &BTreeSet<GroupCode>| groups.iter().filter_map(|g| numbers.get(g).copied()).collect();
    pattern.groups.iter().map(county).collect()
}

/// The sums over groups that are opened beside the national sums `open`, for those who know the marks and for those who do not.
pub(super) fn opened(
    (system, terms): (&System, &Terms),
    pattern: &NationalPattern,
    marks: &[Vec<CountyMark>],
    places: &BTreeSet<usize>,
    open: &BTreeSet<CellIndex>,
) -> GroupSums {
    let Some(list) = &terms.groups else { return GroupSums::new() };
    let codes = list.grouping.codes();
    let present = present(list, pattern);
    let is_shared = |cell: &CellIndex| !matches!(system.cells[*cell].build, Build::Sum(_));
    let cells: Vec<CellIndex> = innermost(system, list).into_iter().filter(is_shared).collect();
    let pairs = (0..codes.len()).flat_map(|group| cells.iter().map(move |cell| (group, *cell)));
    let mut groups: BTreeSet<(usize, CellIndex)> = pairs.collect();
    for marks in [&[], marks] {
        Hiding::new(system, &pattern.withheld, marks).narrow_groups(&present, places, open, &mut groups);
    }
    groups.into_iter().map(|(group, cell)| (codes[group].clone(), cell)).collect()
}

/// That a pattern says of each county only groups it has, and that the sums over groups are of cells that may be named and hide
/// enough counties, together with each other and the national ones.
pub(super) fn check(
    hiding: &Hiding,
    (system, terms): (&System, &Terms),
    pattern: &NationalPattern,
    places: &BTreeSet<usize>,
    (open, sums): (&BTreeSet<CellIndex>, &GroupSums),
) -> Result<(), Refusal> {
    let has = |((county, _), groups): (&(LansKod, [u8; 32]), &BTreeSet<GroupCode>)| {
        may_have(terms, *county, groups)
    };
    let is_whole = pattern.groups.len() == pattern.counties.len();
    if !is_whole || !pattern.counties.iter().zip(&pattern.groups).all(has) {
        return Err(Refusal::Pattern(PatternFault::Shape));
    }
    let Some(list) = &terms.groups else {
        let is_empty = sums.is_empty() && pattern.open_groups.is_empty();
        return if is_empty { Ok(()) } else { Err(Refusal::Pattern(PatternFault::Shape)) };
    };
    let (cells, numbers) = (innermost(system, list), numbers(list));
    let number = |(group, cell): &(GroupCode, CellIndex)| {
        let is_shared = !matches!(system.cells.get(*cell)?.build, Build::Sum(_));
        let group = numbers.get(group).filter(|_| is_shared && cells.contains(cell))?;
        Some((*group, *cell))
    };
    let named: Option<BTreeSet<(usize, CellIndex)>> = sums.iter().map(number).collect();
    let mut named = named.ok_or(Refusal::Pattern(PatternFault::Shape))?;
    if hiding.narrow_groups(&present(list, pattern), places, open, &mut named).is_empty() {
        Ok(())
    } else {
        Err(Refusal::Pattern(PatternFault::Opens))
    }
}
