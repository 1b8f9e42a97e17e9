//! Periods within periods: a year is the sum of its halves, quarters and months, in one file or over several.
//!
//! Events of a period are those of its parts; persons are counted in each, so only bounds follow. A file whose years are not
//! the sums of the halves, where all are shown, counts other records, and that is said. Where parts are missing
//! the rest is a count that no table prints: a small one is a finding.

use std::collections::BTreeMap;

use super::links::{self, Common};
use super::{CellIndex, Order, PERSONS, Publication, Sheet, relate};
use crate::published::{Kind, Relation};

/// A period's cell, the cells of its parts, and whether those are all.
struct Cut {
    total: CellIndex,
    parts: Vec<CellIndex>,
    is_whole: bool,
    is_distinct: bool,
}

/// Adds the relations between periods. Rests in `1..min_count` become cells.
pub(super) fn relations(sheets: &[Sheet], order: &mut Order, min_count: u64, publication: &mut Publication) {
    let mut parts: BTreeMap<Common, CellIndex> = BTreeMap::new();
    for sheet in sheets {
        links::common(sheet).into_iter().for_each(|(key, cell)| {
            parts.entry(key).or_insert(cell); // the same cell of another file is linked to it
        });
    }
    for sheet in sheets {
        add((sheet, &links::common(sheet)), &parts, (order, min_count), publication);
    }
}

fn cuts(
    totals: &BTreeMap<Common, CellIndex>,
    parts: &BTreeMap<Common, CellIndex>,
    publication: &Publication,
) -> Vec<Cut> {
    let counts = |cell: &CellIndex| publication.cells[*cell].figure != super::Figure::NoCount;
    let mut found = Vec::new();
    for ((area, period, measure, codes), total) in totals.iter().filter(|(_, cell)| counts(cell)) {
        for cut in period.parts() {
            let cells: Vec<CellIndex> = cut
                .iter()
                .filter_map(|part| parts.get(&(area.clone(), *part, *measure, codes.clone())).copied())
                .collect();
            if cells.is_empty() || !cells.iter().all(counts) {
                continue;
            }
            let is_whole = cells.len() == cut.len();
            found.push(Cut { total: *total, parts: cells, is_whole, is_distinct: *measure == PERSONS });
            if is_whole {
                break; // shorter parts are parts of these
            }
        }
    }
    found
}

fn add(
    (whole, totals): (&Sheet, &BTreeMap<Common, CellIndex>),
    parts: &BTreeMap<Common, CellIndex>,
    (order, min_count): (&mut Order, u64),
    publication: &mut Publication,
) {
    let cuts = cuts(totals, parts, publication);
    let shown = |cell: &CellIndex| publication.cells[*cell].shown();
    let broken = |cut: &Cut| {
        let sum = cut.parts.iter().map(shown).sum::<Option<u64>>();
        let differs = |(total, sum): (u64, u64)| if cut.is_whole { total != sum } else { total < sum };
        !cut.is_distinct && shown(&cut.total).zip(sum).is_some_and(differs)
    };
    if cuts.iter().any(broken) {
        publication.notes.push(format!(
            "kortare perioder ger inte samma antal som de längre i {}; de kopplas inte ihop",
            whole.name
        ));
        return;
    }
    for Cut { total, parts, is_whole, is_distinct } in cuts {
        let own = &publication.cells[total];
        let name = format!("{} {} {} över perioder", own.table, own.row, own.column);
        let shown = |cell: &CellIndex| publication.cells[*cell].shown();
        let values = shown(&total).zip(parts.iter().map(shown).sum::<Option<u64>>());
        match values {
            _ if is_whole && is_distinct => relate(publication, name, Kind::NotASum, total, parts),
            Some((total_count, sum)) if !is_whole && !is_distinct => {
                if (1..min_count).contains(&(total_count - sum)) {
                    let column = format!("{} utom {} kortare perioder", own.column, parts.len());
                    let rest = links::unprinted(publication, order, total, column);
                    let terms = parts.into_iter().chain([rest]).collect();
                    publication.relations.push(Relation { name, kind: Kind::Sum, total, terms });
                }
            }
            Some(_) => {}
            None if is_whole => relate(publication, name, Kind::Sum, total, parts),
            None => {
                for cell in parts {
                    relate(publication, name.clone(), Kind::NoMoreThan, cell, vec![total]);
                }
            }
        }
    }
}
