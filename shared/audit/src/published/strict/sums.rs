//! Counts of one file that are sums over cells of another, which does not print the sum.
//!
//! A table by kind and sex without its totals over sex still adds up to the table by kind; a table of kommuner without
//! their county to the county's table. The file's own `TOT` rows and area rows are [`super::margins`]' and
//! [`super::areas`]'. Where every such sum that is all shown agrees, the two count the same records and the sum holds;
//! where one is smaller (bortfall of the dimension), or none is all shown, the parts are no more than the whole, and the
//! latter is said in [`Publication::unused`]. Persons and overlapping categories are each no more than the whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tables::codebook::TOT;
use tables::unit::Omrade;

use super::links::{Common, common};
use super::{BORTFALL, CellIndex, Key, PERSONS, Publication, Sheet, StrictOptions, limit, relate};
use crate::published::{Kind, MAX_TERMS, PublishedError};

/// Adds the relations between a whole in one file and its parts in another.
pub(super) fn relations(
    sheets: &[Sheet],
    options: &StrictOptions,
    publication: &mut Publication,
) -> Result<(), PublishedError> {
    let all: Vec<BTreeMap<Common, CellIndex>> = sheets.iter().map(common).collect();
    let mut terms = 0;
    for (at, part) in sheets.iter().enumerate() {
        for (whole_at, whole) in sheets.iter().enumerate().filter(|(whole_at, _)| *whole_at != at) {
            let over: Vec<usize> = (0..part.table.dimensions.len())
                .filter(|dimension| is_split(part, *dimension))
                .filter(|dimension| !whole.table.dimensions.contains(&part.table.dimensions[*dimension]))
                .collect();
            for areas in [false, true] {
                if over.is_empty() && !areas {
                    continue;
                }
                let sums = sums(part, &over, areas, &all[whole_at]);
                terms += sums.iter().map(|sum| sum.parts.len()).sum::<usize>();
                if terms > MAX_TERMS {
                    return Err(limit(&part.name, "terms of relations", MAX_TERMS));
                }
                relate_all((whole, part), sums, &over, options, publication);
            }
        }
    }
    Ok(())
}

/// Whether a file breaks a dimension down and shows no total of it.
fn is_split(sheet: &Sheet, dimension: usize) -> bool {
    sheet.codes[dimension].len() > 1 && !sheet.index.keys().any(|(_, codes, _, _)| codes[dimension] == TOT)
}

/// A count of one file, and the cells of another it could be the sum of.
struct Sum {
    whole: CellIndex,
    parts: Vec<CellIndex>,
    is_persons: bool,
}

/// The sums over some dimensions and, where `areas`, over the units of a county or the counties of the realm, of which
/// every part is in the file.
fn sums(part: &Sheet, over: &[usize], areas: bool, whole: &BTreeMap<Common, CellIndex>) -> Vec<Sum> {
    let own: BTreeSet<&Omrade> = part.index.keys().map(|(area, ..)| area).collect();
    let above = |area: &Omrade| match area {
        Omrade::Unit(unit) if *area == Omrade::Unit(tables::unit::Unit::whole(unit.kommun())) => {
            Some(Omrade::County(unit.county()))
        }
        Omrade::County(_) => Some(Omrade::Riket),
        _ => None,
    };
    let finest: Vec<HashSet<&String>> = part.finest.iter().map(|codes| codes.iter().collect()).collect();
    let mut found: BTreeMap<CellIndex, Sum> = BTreeMap::new();
    for (key, cell) in part.index.iter().filter(|(key, _)| key.3 != BORTFALL) {
        let (area, codes, period, measure): &Key = key;
        let area = match areas {
            false => Some(area.clone()),
            true => above(area).filter(|above| !own.contains(above)),
        };
        let Some(area) = area.filter(|_| over.iter().all(|at| finest[*at].contains(&codes[*at]))) else {
            continue;
        };
        let named = part.table.dimensions.iter().zip(codes).enumerate();
        let kept = named
            .filter(|(at, (_, code))| !over.contains(at) && (*code != TOT || part.codes[*at].is_empty()));
        let mut rest: Vec<(String, String)> =
            kept.map(|(_, (name, code))| (name.clone(), code.clone())).collect();
        rest.sort();
        if let Some(total) = whole.get(&(area, *period, *measure, rest)) {
            let empty = || Sum { whole: *total, parts: Vec::new(), is_persons: *measure == PERSONS };
            found.entry(*total).or_insert_with(empty).parts.push(*cell);
        }
    }
    let codes: usize = over.iter().map(|at| finest[*at].len()).product();
    let is_whole = |sum: &Sum| areas || sum.parts.len() == codes;
    let mut sums: Vec<Sum> = found.into_values().filter(is_whole).collect();
    sums.iter_mut().for_each(|sum| sum.parts.sort_unstable()); // the index is hashed (SAME-1)
    sums
}

fn relate_all(
    (whole, part): (&Sheet, &Sheet),
    sums: Vec<Sum>,
    over: &[usize],
    options: &StrictOptions,
    publication: &mut Publication,
) {
    let overlaps = |at: &usize| options.not_sums.contains(&part.table.dimensions[*at]);
    let overlap = over.iter().any(overlaps);
    let shown = |cell: &CellIndex| publication.cells[*cell].shown();
    let all_shown: Vec<(u64, u64)> = sums
        .iter()
        .filter(|sum| !sum.is_persons && !overlap)
        .filter_map(|sum| {
            let parts = sum.parts.iter().map(shown).sum::<Option<u64>>();
            shown(&sum.whole).zip(parts)
        })
        .collect();
    if all_shown.iter().any(|(whole, parts)| parts > whole) {
        return; // other records, or overlapping categories nobody told of
    }
    let agrees = all_shown.iter().all(|(whole, parts)| whole == parts);
    let is_same = agrees && all_shown.iter().any(|(whole, _)| *whole > 0);
    let mut unsure = 0;
    for sum in sums {
        let hidden = |cell: &CellIndex| publication.cells[*cell].withheld().is_some();
        if !sum.parts.iter().chain([&sum.whole]).any(hidden) {
            continue;
        }
        let own = &publication.cells[sum.whole];
        let name = format!("{} {} i {}, med delarna i {}", own.row, own.column, whole.name, part.name);
        if sum.is_persons || overlap {
            for cell in sum.parts {
                relate(publication, name.clone(), Kind::NoMoreThan, cell, vec![sum.whole]);
            }
        } else if is_same {
            relate(publication, name, Kind::Sum, sum.whole, sum.parts);
        } else {
            unsure += usize::from(agrees);
            relate(publication, name, Kind::AtLeast, sum.whole, sum.parts);
        }
    }
    if unsure > 0 {
        publication.unused.push(format!(
            "{} och {}: {unsure} antal kan vara summor av den andra filens celler, men inga visade antal säger det",
            whole.name, part.name
        ));
    }
}
