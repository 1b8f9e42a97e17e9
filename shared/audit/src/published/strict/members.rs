//! Kommungrupper: what a county has in a group, which no table prints, as unknown cells (ADR 23).
//!
//! A county's count is the sum of what it has in its groups, a group's the sum of what it has in counties, and both add up over the
//! dimensions as printed counts do. Who audits says which counties a group has kommuner in; all of those kommuner are
//! taken to be counted. The cells made here are withheld by nature: that one is 0, or at least the threshold, is nobody's
//! secret ([`Publication::crossed`]). Bortfall is of no group.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tables::unit::{GroupCode, LansKod, Omrade};

use super::{BORTFALL, CellIndex, Figure, Key, Kind, Order, PERSONS, Publication, Sheet, links, sorted};
use crate::published::Relation;

/// The counties that each group has counted kommuner in.
pub type Members = BTreeMap<GroupCode, BTreeSet<LansKod>>;

/// What a county has in a group: `None` where it has nothing in any.
type Crossed = HashMap<(Key, GroupCode), Option<CellIndex>>;

/// Adds the cells and relations of a file that has rows of groups, when it has one for each group a county in it lies in.
pub(super) fn relations(sheet: &Sheet, members: &Members, order: &mut Order, publication: &mut Publication) {
    if !is_usable(sheet, members) {
        return;
    }
    let mut crossed = Crossed::new();
    let mut groups_of = BTreeMap::<LansKod, Vec<GroupCode>>::new();
    for (group, counties) in members {
        counties.iter().for_each(|county| groups_of.entry(*county).or_default().push(group.clone()));
    }
    // relations made so far: margins of each area, and of areas
    let margins = publication.relations.clone();
    for (key, total) in sorted(&sheet.index).into_iter().filter(|(key, _)| key.3 != BORTFALL) {
        let Omrade::County(county) = key.0 else { continue };
        let has_row = |group: &&GroupCode| {
            let row = (Omrade::Group((*group).clone()), key.1.clone(), key.2, key.3);
            sheet.index.contains_key(&row)
        };
        let groups = groups_of.get(&county).map_or(&[][..], Vec::as_slice);
        if !groups.is_empty() && groups.iter().filter(has_row).count() == groups.len() {
            split(key, *total, groups, &mut crossed, order, publication);
        }
    }
    over_counties(sheet, members, &crossed, publication);
    over_dimensions(sheet, &groups_of, &crossed, margins, publication);
}

/// Whether the file has rows of the groups that its counties lie in.
pub(super) fn is_usable(sheet: &Sheet, members: &Members) -> bool {
    let areas: BTreeSet<&Omrade> = sheet.index.keys().map(|(area, ..)| area).collect();
    let mut groups = areas.iter().filter_map(|area| match area {
        Omrade::Group(group) => Some(group),
        _ => None,
    });
    let known = groups.clone().next().is_some() && groups.all(|group| members.contains_key(group));
    let in_file = |county: &LansKod| areas.contains(&Omrade::County(*county));
    let has_row = |(group, counties): (&GroupCode, &BTreeSet<LansKod>)| {
        areas.contains(&Omrade::Group(group.clone())) || !counties.iter().any(in_file)
    };
    known && members.iter().all(has_row)
}

/// The cells of a county's count in its groups, which add up to it.
fn split(
    key: &Key,
    total: CellIndex,
    groups: &[GroupCode],
    crossed: &mut Crossed,
    order: &mut Order,
    publication: &mut Publication,
) {
    let put = |group: &GroupCode, cell, crossed: &mut Crossed| {
        crossed.insert((key.clone(), group.clone()), cell);
    };
    match (&publication.cells[total].figure, groups) {
        (Figure::NoCount, _) => {}
        (Figure::Shown(0), _) => groups.iter().for_each(|group| put(group, None, crossed)),
        (_, [only]) => put(only, Some(total), crossed),
        _ => {
            let own = &publication.cells[total];
            let name = format!("{} {} {} över kommungrupper", own.table, own.row, own.column);
            let (row, column) = (own.row.clone(), own.column.clone());
            let mut terms = Vec::new();
            for group in groups {
                let cell = links::unprinted(publication, order, total, column.clone());
                let own = &mut publication.cells[cell];
                own.row = format!("{row} i {group}");
                own.order = order.of(&own.table, &column, &own.row);
                publication.crossed.insert(cell);
                terms.push(cell);
                put(group, Some(cell), crossed);
            }
            let kind = if key.3 == PERSONS { Kind::NotASum } else { Kind::Sum };
            publication.relations.push(Relation { name, kind, total, terms });
        }
    }
}

/// A group's count is the sum of what it has in counties. One with nothing anywhere is 0.
fn over_counties(sheet: &Sheet, members: &Members, crossed: &Crossed, publication: &mut Publication) {
    for (key, total) in sorted(&sheet.index).into_iter().filter(|(key, _)| key.3 != BORTFALL) {
        let Omrade::Group(group) = &key.0 else { continue };
        let Some(counties) = members.get(group) else { continue };
        let of = |county: &LansKod| {
            let key = (Omrade::County(*county), key.1.clone(), key.2, key.3);
            let is_absent =
                sheet.index.get(&key).is_none_or(|cell| publication.cells[*cell].figure == Figure::NoCount);
            (!is_absent).then(|| crossed.get(&(key, group.clone())).copied())
        };
        // A county that is there and was not split: the sum says nothing that is known to be all.
        let Some(terms) = counties.iter().filter_map(of).collect::<Option<Vec<_>>>() else { continue };
        let own = &publication.cells[*total];
        if own.figure == Figure::NoCount {
            continue;
        }
        let name = format!("{} {} {} över län", own.table, own.row, own.column);
        let kind = if key.3 == PERSONS { Kind::NotASum } else { Kind::Sum };
        let terms = terms.into_iter().flatten().collect();
        publication.relations.push(Relation { name, kind, total: *total, terms });
    }
}

/// What a county has in a group adds up over dimensions as the county's own counts do.
fn over_dimensions(
    sheet: &Sheet,
    groups_of: &BTreeMap<LansKod, Vec<GroupCode>>,
    crossed: &Crossed,
    margins: Vec<Relation>,
    publication: &mut Publication,
) {
    let place: HashMap<CellIndex, &Key> = sheet.index.iter().map(|(key, cell)| (*cell, key)).collect();
    for relation in margins {
        let Some(Omrade::County(county)) = place.get(&relation.total).map(|key| &key.0) else { continue };
        let keys: Option<Vec<&Key>> = relation.terms.iter().map(|cell| place.get(cell).copied()).collect();
        let Some(keys) = keys.filter(|keys| keys.iter().all(|key| key.0 == Omrade::County(*county))) else {
            continue;
        };
        let groups = groups_of.get(county).filter(|groups| groups.len() > 1);
        for group in groups.into_iter().flatten() {
            let of = |key: &Key| crossed.get(&(key.clone(), group.clone())).copied();
            let Some(Some(total)) = of(place[&relation.total]) else { continue };
            let Some(terms) = keys.iter().map(|key| of(key)).collect::<Option<Vec<_>>>() else { continue };
            let terms: Vec<CellIndex> = terms.into_iter().flatten().collect();
            if !terms.is_empty() {
                let name = format!("{} i {group}", relation.name);
                publication.relations.push(Relation { name, kind: relation.kind, total, terms });
            }
        }
    }
}
