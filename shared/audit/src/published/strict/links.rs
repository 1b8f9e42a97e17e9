//! The same cell in two files.
//!
//! Two files name the same cell where area, period, measure and all codes but `TOT` are the same. A table counts
//! only records whose dimensions are all known, so such cells can still differ; they are one cell for this audit if
//! the two files agree on every count that both show, or, where they do not, in the areas in which they do. Two files of the same
//! dimensions are issues of one table (a version with a kommun more, or with a correction). A filter that lets several codes through is written as a column
//! of `TOT` only; it is kept apart from a dimension that is not there at all.
//!
//! A file that has one code only of a dimension that the other file lacks counts some of the other's records: its cells are
//! no more than the other's, and where both show a count the rest is a count that anyone can compute. A small rest is a
//! finding, though no table prints it.

use std::collections::{BTreeMap, BTreeSet};

use tables::codebook::TOT;
use tables::period::Period;
use tables::unit::Omrade;

use super::{BORTFALL, CellIndex, Key, Order, Publication, Sheet, relate};
use crate::published::{Cell, Figure, Kind, Meaning, Relation};

/// Area, period, measure, dimensions with their codes.
pub(super) type Common = (Omrade, Period, super::Measure, Vec<(String, String)>);

/// Adds the relations between files. Rests in `1..min_count` become cells.
pub(super) fn relations(sheets: &[Sheet], order: &mut Order, min_count: u64, publication: &mut Publication) {
    let all: Vec<BTreeMap<Common, CellIndex>> = sheets.iter().map(common).collect();
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate().skip(at + 1) {
            let shared: Vec<(CellIndex, CellIndex)> =
                one.iter().filter_map(|(key, cell)| Some((*cell, *other.get(key)?))).collect();
            link((&sheets[at], &sheets[other_at]), &shared, publication);
            rests((&sheets[at], one), (&sheets[other_at], other), (order, min_count), publication);
            rests((&sheets[other_at], other), (&sheets[at], one), (order, min_count), publication);
        }
    }
}

/// What is left of one file's counts beside those of another that lets one code more through.
fn rests(
    (whole, all): (&Sheet, &BTreeMap<Common, CellIndex>),
    (part, some): (&Sheet, &BTreeMap<Common, CellIndex>),
    (order, min_count): (&mut Order, u64),
    publication: &mut Publication,
) {
    let dimensions = part.table.dimensions.iter().zip(&part.codes);
    let filters: Vec<&String> = dimensions
        .filter(|(name, codes)| codes.len() == 1 && !whole.table.dimensions.contains(name))
        .map(|(name, _)| name)
        .collect();
    let pairs: Vec<(CellIndex, CellIndex)> = some
        .iter()
        .filter_map(|((area, period, measure, codes), cell)| {
            let rest: Vec<(String, String)> =
                codes.iter().filter(|(name, _)| !filters.contains(&name)).cloned().collect();
            let narrower = rest.len() < codes.len();
            let key = (area.clone(), *period, *measure, rest);
            Some((*all.get(&key).filter(|_| narrower)?, *cell))
        })
        .collect();
    let shown = |cell: CellIndex| publication.cells[cell].shown();
    let counts = |(a, b): &(CellIndex, CellIndex)| shown(*a).zip(shown(*b));
    // Bortfall may leave more on the narrower side: then the two do not count the same records.
    if pairs.iter().filter_map(counts).any(|(whole, part)| part > whole) {
        return;
    }
    for (total, cell) in pairs {
        let (own, inside) = (&publication.cells[total], &publication.cells[cell]);
        let name = format!("{} {} i {} och {}", own.row, own.column, own.table, inside.table);
        match own.shown().zip(inside.shown()) {
            None => relate(publication, name, Kind::NoMoreThan, cell, vec![total]),
            Some((whole, part)) if (1..min_count).contains(&(whole - part)) => {
                let column = format!("{} utom {}", own.column, inside.column);
                let rest = unprinted(publication, order, total, column);
                let terms = vec![cell, rest];
                publication.relations.push(Relation { name, kind: Kind::Sum, total, terms });
            }
            Some(_) => {}
        }
    }
}

/// A cell for a count that no table prints, in the table and row of another.
pub(super) fn unprinted(
    publication: &mut Publication,
    order: &mut Order,
    beside: CellIndex,
    column: String,
) -> CellIndex {
    let own = &publication.cells[beside];
    let rest = Cell {
        order: order.of(&own.table, &column, &own.row),
        table: own.table.clone(),
        row: own.row.clone(),
        column,
        figure: Figure::Withheld { mark: UNPRINTED.into(), meaning: Meaning { lower: 0, upper: None } },
    };
    publication.cells.push(rest);
    publication.cells.len() - 1
}

/// The mark of a count that no table prints.
const UNPRINTED: &str = "-";

fn link((one, other): (&Sheet, &Sheet), shared: &[(CellIndex, CellIndex)], publication: &mut Publication) {
    let dimensions = |sheet: &Sheet| sheet.table.dimensions.iter().cloned().collect::<BTreeSet<String>>();
    let names = (one.name.as_str(), other.name.as_str());
    let is_issue = dimensions(one) == dimensions(other);
    match verdict(shared, publication) {
        Agreement::Silent => {}
        Agreement::Full => same(names, shared, publication),
        Agreement::Zeros if is_issue => same(names, shared, publication),
        Agreement::Zeros => {
            publication.unused.push(format!("{} och {} {NOTHING_SHARED}", names.0, names.1));
        }
        Agreement::No => by_area(names, is_issue, shared, publication),
    }
}

/// Two issues of one table of which some areas changed (a correction, a kommun that came late), or two tables of which
/// some areas lack records (bortfall): the areas in which they agree are the same.
fn by_area(
    names: (&str, &str),
    is_issue: bool,
    shared: &[(CellIndex, CellIndex)],
    publication: &mut Publication,
) {
    let mut by_area: BTreeMap<String, Vec<(CellIndex, CellIndex)>> = BTreeMap::new();
    for pair in shared {
        by_area.entry(publication.cells[pair.0].row.clone()).or_default().push(*pair);
    }
    let (areas, mut changed, mut silent) = (by_area.len(), 0, 0);
    for pairs in by_area.values() {
        let differs = |(a, b): &(CellIndex, CellIndex)| {
            let shown = |cell: CellIndex| publication.cells[cell].shown();
            shown(*a).zip(shown(*b)).is_some_and(|(a, b)| a != b)
        };
        changed += usize::from(pairs.iter().any(differs));
        match verdict(pairs, publication) {
            Agreement::Full => same(names, pairs, publication),
            // what is withheld in both issues is taken to be the same too, as an attacker would
            Agreement::Zeros if is_issue => same(names, pairs, publication),
            Agreement::Zeros => silent += 1,
            Agreement::No | Agreement::Silent => {}
        }
    }
    let (one, other) = names;
    if silent > 0 {
        publication.unused.push(format!("{one} och {other} {NOTHING_SHARED} ({silent} områden)"));
    }
    publication.notes.push(match is_issue {
        true => format!(
            "{one} och {other} läses som två utgåvor av samma tabell: {changed} av {areas} områden har ändrats, de andra räknas som samma tal"
        ),
        false => format!(
            "{one} och {other} har celler med samma koder men olika antal (bortfall) i {changed} av {areas} områden; där kopplas de inte ihop"
        ),
    });
}

const NOTHING_SHARED: &str =
    "har celler med samma koder, men inga gemensamma visade antal som visar att de är samma";

/// What counts under the same codes in two files say of each other.
enum Agreement {
    /// None of them is withheld.
    Silent,
    /// All that both show are the same, and some are not 0.
    Full,
    /// All that both show are 0.
    Zeros,
    /// Some differ.
    No,
}

fn verdict(shared: &[(CellIndex, CellIndex)], publication: &Publication) -> Agreement {
    let hidden = |cell: CellIndex| publication.cells[cell].withheld().is_some();
    if !shared.iter().any(|(a, b)| hidden(*a) || hidden(*b)) {
        return Agreement::Silent;
    }
    let shown = |cell: CellIndex| publication.cells[cell].shown();
    let both: Vec<(u64, u64)> = shared.iter().filter_map(|(a, b)| shown(*a).zip(shown(*b))).collect();
    if both.iter().any(|(a, b)| a != b) {
        Agreement::No
    } else if both.iter().all(|(a, _)| *a == 0) {
        Agreement::Zeros
    } else {
        Agreement::Full
    }
}

/// Cells that are one, where either is withheld.
fn same(names: (&str, &str), shared: &[(CellIndex, CellIndex)], publication: &mut Publication) {
    for (a, b) in shared {
        let hidden = |cell: CellIndex| publication.cells[cell].withheld().is_some();
        if hidden(*a) || hidden(*b) {
            let cell = &publication.cells[*a];
            let name = format!("{} {} i {} och {}", cell.row, cell.column, names.0, names.1);
            relate(publication, name, Kind::Same, *a, vec![*b]);
        }
    }
}

pub(super) fn common(sheet: &Sheet) -> BTreeMap<Common, CellIndex> {
    let key = |(area, codes, period, measure): &Key| -> Common {
        let named = sheet.table.dimensions.iter().zip(codes).enumerate();
        let mut own: Vec<(String, String)> = named
            .filter(|(at, (_, code))| *code != TOT || sheet.codes[*at].is_empty())
            .map(|(_, (dimension, code))| (dimension.clone(), code.clone()))
            .collect();
        own.sort();
        (area.clone(), *period, *measure, own)
    };
    let counts = sheet.index.iter().filter(|(own, _)| own.3 != BORTFALL);
    counts.map(|(own, cell)| (key(own), *cell)).collect()
}
