//! TRUE-2: a publication agrees with itself.
//!
//! Every shown margin equals the sum of its shown parts, every total the sum of its units, every figure an earlier
//! publication shows for the same cell is the same. Equal cells of two tables have one mark by construction of
//! [`Figures`]. Where each code is counted, the total lies between its largest part and their sum. Looks at shown figures only, so it needs no arithmetic of adversaries.

use std::collections::{BTreeMap, HashMap};

use tables::figures::{Figures, Mark};
use tables::system::{CellIndex, Row, System, TableRows};

/// A cell whose figure contradicts others; `unit` is an index in the roster, `None` the total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    pub(crate) unit: Option<usize>,
    pub(crate) cell: CellIndex,
    pub(crate) parts: Vec<CellIndex>,
}

/// All disagreements of margins and of totals with units.
pub(crate) fn disagreements(system: &System, figures: &Figures) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for table in &system.tables {
        let index: HashMap<(&[Option<usize>], usize), CellIndex> =
            table.rows.iter().map(|row| ((row.codes.as_slice(), row.period), row.cell)).collect();
        let sizes = sizes(table);
        for row in &table.rows {
            for parts in partitions(&sizes, row, table.each, &index) {
                for (unit, marks) in figures.per_unit.iter().enumerate() {
                    check(marks, row.cell, &parts, Some(unit), &mut found);
                }
                check(&figures.totals, row.cell, &parts, None, &mut found);
            }
        }
    }
    between(system, figures, &mut found);
    for (cell, total) in &figures.totals {
        let units: Option<Vec<u64>> =
            figures.per_unit.iter().map(|marks| marks.get(cell).and_then(|mark| mark.shown())).collect();
        let differs =
            total.shown().zip(units).is_some_and(|(total, units)| total != units.iter().sum::<u64>());
        if differs && !figures.per_unit.is_empty() {
            found.push(Disagreement { unit: None, cell: *cell, parts: Vec::new() });
        }
    }
    found.dedup();
    found
}

/// Totals of overlapping categories that are less than one of them or more than their sum.
fn between(system: &System, figures: &Figures, found: &mut Vec<Disagreement>) {
    let shown = |cell: &CellIndex| figures.totals.get(cell).and_then(|mark| mark.shown());
    for table in &system.tables {
        let Some(each) = table.each else { continue };
        let mut parts = HashMap::<(Vec<Option<usize>>, usize), Vec<CellIndex>>::new();
        for row in table.rows.iter().filter(|row| row.codes[each].is_some()) {
            let mut whole = row.codes.clone();
            whole[each] = None;
            parts.entry((whole, row.period)).or_default().push(row.cell);
        }
        for row in table.rows.iter().filter(|row| row.codes[each].is_none()) {
            let Some(parts) = parts.get(&(row.codes.clone(), row.period)) else { continue };
            let Some(whole) = shown(&row.cell) else { continue };
            let is_under = parts.iter().filter_map(shown).any(|part| part > whole);
            let is_over = parts.iter().map(shown).sum::<Option<u64>>().is_some_and(|sum| sum < whole);
            if is_under || is_over {
                found.push(Disagreement { unit: None, cell: row.cell, parts: parts.clone() });
            }
        }
    }
}

/// Number of categories of each dimension.
fn sizes(table: &TableRows) -> Vec<usize> {
    let dimensions = table.rows.first().map_or(0, |row| row.codes.len());
    let most = |at: usize| table.rows.iter().filter_map(|row| row.codes[at]).max();
    (0..dimensions).map(|at| most(at).map_or(0, |last| last + 1)).collect()
}

/// For each totalled dimension of a row, the rows it totals, if the table shows them all; the total of a dimension whose every
/// code is counted is no sum.
fn partitions(
    sizes: &[usize],
    row: &Row,
    each: Option<usize>,
    index: &HashMap<(&[Option<usize>], usize), CellIndex>,
) -> Vec<Vec<CellIndex>> {
    let is_sum = |at: &usize| row.codes[*at].is_none() && each != Some(*at);
    let totalled = (0..row.codes.len()).filter(is_sum);
    totalled
        .filter_map(|dimension| {
            let part = |code: usize| {
                let mut codes = row.codes.clone();
                codes[dimension] = Some(code);
                index.get(&(codes.as_slice(), row.period)).copied()
            };
            (0..sizes[dimension]).map(part).collect()
        })
        .collect()
}

fn check(
    marks: &BTreeMap<CellIndex, Mark>,
    cell: CellIndex,
    parts: &[CellIndex],
    unit: Option<usize>,
    found: &mut Vec<Disagreement>,
) {
    let shown = |cell: &CellIndex| marks.get(cell).and_then(|mark| mark.shown());
    let sum: Option<u64> = parts.iter().map(shown).sum();
    if shown(&cell).zip(sum).is_some_and(|(whole, sum)| whole != sum) {
        found.push(Disagreement { unit, cell, parts: parts.to_vec() });
    }
}
