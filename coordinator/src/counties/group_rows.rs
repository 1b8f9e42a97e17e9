//! Rows of kommungrupper in the one table that has them (ADR 23): from opened sums to marks.
//!
//! Decided after the rows of counties and of the realm stand: what groups show tells nothing of a county that those do not tell, and
//! nothing small of what a county has in a group (`suppress::counties::groups`). Nothing is withheld elsewhere for their sake. A
//! withheld figure of a group may be 0.

use std::collections::{BTreeMap, BTreeSet};

use round::national::National;
use suppress::counties::groups::{County, Parts, Table, shown};
use tables::collection::NationalGroups;
use tables::figures::Mark;
use tables::system::{CellIndex, TableRows};
use tables::unit::{GroupCode, LansKod};

/// Marks of a group's figures; `None` for a group that no counted kommun lies in.
pub type GroupRow = (GroupCode, Option<BTreeMap<CellIndex, Mark>>);

/// The rows of all groups, when the round has a list of them. `realm` are the national figures that are shown.
pub fn rows(machine: &National, realm: &BTreeMap<CellIndex, u64>) -> Vec<GroupRow> {
    let terms = machine.collection.national.as_ref();
    let Some(list) = terms.and_then(|terms| terms.groups.as_ref()) else { return Vec::new() };
    let codes = list.grouping.codes();
    let counties = counties(machine);
    let printed = &machine.system.tables[list.table];
    let table = table(machine, list, &counties, realm);
    let there: BTreeSet<&GroupCode> = counties.values().flat_map(|(groups, _)| groups).collect();
    let least = u64::from(machine.collection.min_count.get());
    let marks = |(group, figures): (GroupCode, BTreeMap<usize, u64>)| {
        let mut marks: BTreeMap<CellIndex, Mark> =
            (0..machine.system.cells.len()).map(|cell| (cell, Mark::Withheld)).collect();
        marks.extend(figures.into_iter().map(|(row, value)| (printed.rows[row].cell, Mark::Shown(value))));
        let is_there = there.contains(&group);
        (group, is_there.then_some(marks))
    };
    codes.into_iter().zip(shown(&table, least)).map(marks).collect()
}

/// The counted counties that each group has kommuner of rosters in.
pub fn members(machine: &National) -> BTreeMap<GroupCode, BTreeSet<LansKod>> {
    let mut members = BTreeMap::<GroupCode, BTreeSet<LansKod>>::new();
    for (county, (groups, _)) in counties(machine) {
        for group in groups {
            members.entry(group).or_default().insert(county);
        }
    }
    members
}

type Counties = BTreeMap<LansKod, (BTreeSet<GroupCode>, BTreeMap<CellIndex, u64>)>;

/// The counted counties with the groups of their rosters and the figures they show.
fn counties(machine: &National) -> Counties {
    let (Some(pattern), Some(close)) = (machine.pattern(), machine.closed()) else { return Counties::new() };
    let county = |county: &LansKod| {
        let groups = pattern.groups.get(pattern.place(*county)?)?.clone();
        Some((*county, (groups, machine.figures(pattern, *county)?)))
    };
    close.roster.iter().filter_map(county).collect()
}

fn table(
    machine: &National,
    list: &NationalGroups,
    counties: &Counties,
    realm: &BTreeMap<CellIndex, u64>,
) -> Table {
    let printed = &machine.system.tables[list.table];
    let innermost: Vec<usize> =
        (0..printed.rows.len()).filter(|row| printed.rows[*row].codes.iter().all(Option::is_some)).collect();
    let codes = list.grouping.codes();
    let number = |group: &GroupCode| codes.iter().position(|code| code == group);
    let county = |(groups, figures): &(BTreeSet<GroupCode>, BTreeMap<CellIndex, u64>)| County {
        groups: groups.iter().filter_map(number).collect(),
        figures: printed.rows.iter().map(|row| figures.get(&row.cell).copied()).collect(),
    };
    let sums = machine.sums().map(|(_, sums)| &sums.groups);
    let group = |group: &GroupCode| {
        let sum = |(part, row): (usize, &usize)| {
            let opened = sums.and_then(|sums| sums.get(&(group.clone(), printed.rows[*row].cell)));
            // What each of its counties shows as 0 is 0 in the group and is not opened.
            let has_none = |(groups, figures): &(BTreeSet<GroupCode>, BTreeMap<CellIndex, u64>)| {
                !groups.contains(group) || figures.get(&printed.rows[*row].cell) == Some(&0)
            };
            let value = if counties.values().all(has_none) { Some(0) } else { opened.copied() };
            value.map(|value| (part, value))
        };
        innermost.iter().enumerate().filter_map(sum).collect()
    };
    Table {
        rows: (0..printed.rows.len()).map(|row| parts(printed, &innermost, row)).collect(),
        realm: printed.rows.iter().map(|row| realm.get(&row.cell).copied()).collect(),
        counties: counties.values().map(county).collect(),
        groups: codes.iter().map(group).collect(),
    }
}

/// The places of the innermost cells that a printed row is the sum of.
fn parts(printed: &TableRows, innermost: &[usize], row: usize) -> Parts {
    let row = &printed.rows[row];
    let lies_in = |inner: usize| {
        let inner = &printed.rows[inner];
        let mut codes = row.codes.iter().zip(&inner.codes);
        inner.period == row.period && codes.all(|(code, own)| code.is_none() || code == own)
    };
    innermost.iter().enumerate().filter(|(_, inner)| lies_in(**inner)).map(|(part, _)| part).collect()
}
