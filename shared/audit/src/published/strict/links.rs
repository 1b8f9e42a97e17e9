//! The same cell in two files.
//!
//! Two files name the same cell where area, period, measure and all codes but `TOT` are the same. A table counts
//! only records whose dimensions are all known, so such cells can still differ; they are one cell for this audit if
//! the two files agree on every count that both show. A filter that lets several codes through is written as a column
//! of `TOT` only; it is kept apart from a dimension that is not there at all.

use std::collections::{BTreeMap, BTreeSet};

use tables::codebook::TOT;
use tables::period::Period;
use tables::unit::Omrade;

use super::{BORTFALL, CellIndex, Key, Publication, Sheet, relate};
use crate::published::Kind;

/// Area, period, measure, dimensions with their codes.
type Common = (Omrade, Period, &'static str, Vec<(String, String)>);

/// Adds the relations between files.
pub(super) fn relations(sheets: &[Sheet], publication: &mut Publication) {
    let all: Vec<BTreeMap<Common, CellIndex>> = sheets.iter().map(common).collect();
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate().skip(at + 1) {
            let shared: Vec<(CellIndex, CellIndex)> =
                one.iter().filter_map(|(key, cell)| Some((*cell, *other.get(key)?))).collect();
            link((&sheets[at], &sheets[other_at]), &shared, publication);
        }
    }
}

fn link((one, other): (&Sheet, &Sheet), shared: &[(CellIndex, CellIndex)], publication: &mut Publication) {
    let hidden = |cell: CellIndex| publication.cells[cell].withheld().is_some();
    let telling: Vec<&(CellIndex, CellIndex)> =
        shared.iter().filter(|(a, b)| hidden(*a) || hidden(*b)).collect();
    if telling.is_empty() {
        return;
    }
    let shown = |cell: CellIndex| publication.cells[cell].shown();
    let both: Vec<(u64, u64)> = shared.iter().filter_map(|(a, b)| shown(*a).zip(shown(*b))).collect();
    let names = (one.name.as_str(), other.name.as_str());
    if both.iter().any(|(a, b)| a != b) {
        publication.notes.push(format!(
            "{} och {} har celler med samma koder men olika antal (bortfall); de kopplas inte ihop",
            names.0, names.1
        ));
        return;
    }
    let dimensions = |sheet: &Sheet| sheet.table.dimensions.iter().cloned().collect::<BTreeSet<String>>();
    if both.iter().all(|(a, _)| *a == 0) && dimensions(one) != dimensions(other) {
        let text = "har celler med samma koder, men inga gemensamma visade antal som visar att de är samma";
        publication.unused.push(format!("{} och {} {text}", names.0, names.1));
        return;
    }
    for (a, b) in telling {
        let cell = &publication.cells[*a];
        let name = format!("{} {} i {} och {}", cell.row, cell.column, names.0, names.1);
        relate(publication, name, Kind::Same, *a, vec![*b]);
    }
}

fn common(sheet: &Sheet) -> BTreeMap<Common, CellIndex> {
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
