//! Periods within periods: a year is the sum of its halves, quarters and months, in one file or over several.
//!
//! Events of a period are those of its parts; persons are counted in each, so only bounds follow. Of the parts that are there
//! the longest are taken; what is missing is a rest that no table prints, and a small one is a finding. Where the
//! shown counts of an area in some files do not add up, they count other records there: those are not joined, and that is said.

use std::collections::{BTreeMap, BTreeSet};

use tables::period::Period;

use super::links::{self, Common};
use super::{CellIndex, Figure, Order, PERSONS, Publication, Sheet, relate};
use crate::published::{Kind, Relation};

/// A period's cell, the cells of its parts, and whether those are all.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    total: CellIndex,
    parts: Vec<CellIndex>,
    is_whole: bool,
    is_distinct: bool,
}

/// Adds the relations between periods. Rests become cells where they can tell something.
pub(super) fn relations(sheets: &[Sheet], order: &mut Order, min_count: u64, publication: &mut Publication) {
    let all: Vec<BTreeMap<Common, CellIndex>> = sheets.iter().map(links::common).collect();
    // A period may stand in several files that were not joined: the first and the last of them are both tried.
    let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
    for (key, cell) in all.iter().flatten() {
        first.entry(key.clone()).or_insert(*cell);
        last.insert(key.clone(), *cell);
    }
    let mut cuts = BTreeSet::new();
    for totals in &all {
        for parts in all.iter().chain([&first, &last]) {
            cuts.extend(found(totals, parts, publication));
        }
    }
    let broken: BTreeSet<Source> =
        cuts.iter().filter(|cut| is_broken(cut, publication)).map(|cut| source(cut, publication)).collect();
    for (area, files) in &broken {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        publication.notes.push(format!(
            "kortare perioder ger inte samma antal som de längre för {area} i {}; de kopplas inte ihop där",
            files.join(", ")
        ));
    }
    for cut in cuts {
        if !broken.contains(&source(&cut, publication)) {
            add(cut, order, min_count, publication);
        }
    }
}

/// An area, and the files that a period and its parts stand in.
type Source = (String, BTreeSet<String>);

fn source(cut: &Cut, publication: &Publication) -> Source {
    let files = cut.parts.iter().chain([&cut.total]).map(|cell| publication.cells[*cell].table.clone());
    (publication.cells[cut.total].row.clone(), files.collect())
}

fn found(
    totals: &BTreeMap<Common, CellIndex>,
    parts: &BTreeMap<Common, CellIndex>,
    publication: &Publication,
) -> Vec<Cut> {
    let counts = |cell: &CellIndex| publication.cells[*cell].figure != Figure::NoCount;
    let mut cuts = Vec::new();
    for ((area, period, measure, codes), total) in totals.iter().filter(|(_, cell)| counts(cell)) {
        let cell = |part: Period| {
            let key = (area.clone(), part, *measure, codes.clone());
            parts.get(&key).copied().filter(counts)
        };
        for way in period.parts() {
            let (mut cells, mut is_whole) = (Vec::new(), true);
            way.into_iter().for_each(|part| is_whole &= cover(part, &cell, &mut cells));
            if !cells.is_empty() {
                cuts.push(Cut { total: *total, parts: cells, is_whole, is_distinct: *measure == PERSONS });
            }
        }
    }
    cuts
}

/// The longest cells that lie in a period, beside each other; whether they fill it.
fn cover(period: Period, cell: &dyn Fn(Period) -> Option<CellIndex>, cells: &mut Vec<CellIndex>) -> bool {
    if let Some(own) = cell(period) {
        cells.push(own);
        return true;
    }
    let mut best: (Vec<CellIndex>, bool) = (Vec::new(), false);
    for way in period.parts() {
        let (mut inner, mut is_whole) = (Vec::new(), true);
        way.into_iter().for_each(|part| is_whole &= cover(part, cell, &mut inner));
        if is_whole || best.0.is_empty() {
            best = (inner, is_whole);
        }
        if is_whole {
            break;
        }
    }
    cells.extend(best.0);
    best.1
}

fn sums(cut: &Cut, publication: &Publication) -> Option<(u64, u64)> {
    let shown = |cell: &CellIndex| publication.cells[*cell].shown();
    shown(&cut.total).zip(cut.parts.iter().map(shown).sum::<Option<u64>>())
}

fn is_broken(cut: &Cut, publication: &Publication) -> bool {
    let differs = |(total, sum): (u64, u64)| if cut.is_whole { total != sum } else { total < sum };
    !cut.is_distinct && sums(cut, publication).is_some_and(differs)
}

fn add(cut: Cut, order: &mut Order, min_count: u64, publication: &mut Publication) {
    let sums = sums(&cut, publication);
    let own = &publication.cells[cut.total];
    let name = format!("{} {} {} över perioder", own.table, own.row, own.column);
    let Cut { total, parts, is_whole, is_distinct } = cut;
    match sums {
        _ if is_distinct && is_whole => relate(publication, name, Kind::NotASum, total, parts),
        _ if is_distinct => {}
        Some(_) if is_whole => {}
        None if is_whole => relate(publication, name, Kind::Sum, total, parts),
        Some((count, sum)) if !(1..min_count).contains(&(count - sum)) => {}
        _ => {
            let column = format!("{} utom {} kortare perioder", own.column, parts.len());
            let rest = links::unprinted(publication, order, total, column);
            let terms = parts.into_iter().chain([rest]).collect();
            publication.relations.push(Relation { name, kind: Kind::Sum, total, terms });
        }
    }
}
