//! The rows of tables and the conditions their records meet.
//!
//! Each distinct condition is one, whichever tables print it. Does not build atoms.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use super::{Cell, CellIndex, Held, MAX_ROWS, Printed, Row, SystemError};
use crate::automaton::Condition;
use crate::codebook::{Allowed, CodeIndex, Codebook, VariableIndex};
use crate::collection::{Collection, Scope, Table};

/// Whether what `large` holds beyond `parts` is only records on which a variable that the parts need is missing:
/// bortfall, which is published and is no small cell (ADR 5).
pub(super) fn only_missing(
    cells: &[Cell],
    closures: &HashMap<(CellIndex, CellIndex), &[u32]>,
    large: CellIndex,
    parts: &[CellIndex],
) -> bool {
    let covered: BTreeSet<u32> = parts.iter().flat_map(|part| cells[*part].atoms.iter().copied()).collect();
    parts
        .iter()
        .filter_map(|part| closures.get(&(large, *part)))
        .any(|known| known.len() == covered.len() && known.iter().all(|atom| covered.contains(atom)))
}

/// For printed cells over the same days where one has variables the other lacks: the larger one restricted to
/// records on which those variables are known. Lets bortfall be told from matters ([`Builder::only_missing`]).
pub(super) fn known_closures(
    list: &mut ConditionList,
    printed: &[Printed],
    codebook: &Codebook,
) -> BTreeMap<(usize, usize), usize> {
    let records = |printed: &Printed| match printed.held {
        Held::Records(condition) => Some(condition),
        Held::Mentions(..) => None,
    };
    let shown: BTreeSet<usize> = printed.iter().filter_map(records).collect();
    let mut found = BTreeMap::new();
    for outer in &shown {
        for inner in &shown {
            let (large, small) = (&list.conditions[*outer], &list.conditions[*inner]);
            if outer == inner || !holds(large, small) {
                continue;
            }
            let mut closure = large.clone();
            let fresh: Vec<VariableIndex> =
                small.codes.keys().filter(|variable| !large.codes.contains_key(variable)).copied().collect();
            if fresh.is_empty() {
                continue;
            }
            for variable in fresh {
                closure.codes.insert(variable, every_code(codebook, variable));
            }
            let known = list.add(closure, String::new);
            found.insert((*outer, *inner), known);
        }
    }
    found
}

fn holds(large: &Condition, small: &Condition) -> bool {
    large.days.0 <= small.days.0
        && small.days.1 <= large.days.1
        && large.codes.iter().all(|(variable, allowed)| {
            small.codes.get(variable).is_some_and(|inner| inner.is_subset(allowed))
        })
}

/// The distinct conditions of a collection, with a name for each.
#[derive(Default)]
pub(super) struct ConditionList {
    pub(super) conditions: Vec<Condition>,
    pub(super) labels: Vec<String>,
    index: BTreeMap<Condition, usize>,
    pub(super) per_unit: BTreeSet<usize>,
}

impl ConditionList {
    /// The records of a printed row.
    pub(super) fn add_row(&mut self, spec: &Table, codebook: &Codebook, row: &Row) -> usize {
        let condition = condition_of(spec, codebook, &row.codes, row.period);
        let condition = self.add(condition, || label(spec, row));
        if spec.scope == Scope::Kommun && self.per_unit.insert(condition) {
            // A person looks for a kommun's cell in a table that shows kommuner.
            self.labels[condition] = label(spec, row);
        }
        condition
    }

    pub(super) fn add(&mut self, condition: Condition, label: impl FnOnce() -> String) -> usize {
        if let Some(known) = self.index.get(&condition) {
            return *known;
        }
        self.index.insert(condition.clone(), self.conditions.len());
        self.conditions.push(condition);
        self.labels.push(label());
        self.conditions.len() - 1
    }
}

pub(super) fn rows_of(table: &Table) -> Result<Vec<Vec<Option<usize>>>, SystemError> {
    let sizes: Vec<usize> = table.dimensions.iter().map(|dimension| dimension.categories.len() + 1).collect();
    let rows =
        sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).unwrap_or(usize::MAX);
    if rows > MAX_ROWS {
        return Err(SystemError::TooManyRows { table: table.id.clone(), rows });
    }
    let mut all = vec![Vec::new()];
    for size in sizes {
        all = all
            .into_iter()
            .flat_map(|codes: Vec<Option<usize>>| {
                (0..size).map(move |at| {
                    let mut codes = codes.clone();
                    codes.push((at + 1 < size).then_some(at));
                    codes
                })
            })
            .collect();
    }
    let margin = |codes: &Vec<Option<usize>>| {
        codes
            .iter()
            .enumerate()
            .fold(0, |mask, (at, code)| if code.is_none() { mask | 1 << at } else { mask })
    };
    all.retain(|codes| table.margins.contains(&margin(codes)));
    Ok(all)
}

fn days(table: &Table, period: usize) -> (Date, Date) {
    (table.periods[period].first(), table.periods[period].last())
}

pub(super) fn filter_of(table: &Table, period: usize) -> Condition {
    let one = |(variable, codes): (&VariableIndex, &BTreeSet<CodeIndex>)| {
        (*variable, Allowed::code_or_first(codes.clone()))
    };
    Condition { days: days(table, period), codes: table.filter.iter().map(one).collect() }
}

pub(super) fn known_of(table: &Table, codebook: &Codebook, period: usize) -> Condition {
    condition_of(table, codebook, &vec![None; table.dimensions.len()], period)
}

fn every_code(codebook: &Codebook, variable: VariableIndex) -> Allowed {
    let codes = codebook.variables[variable].codes.len() as CodeIndex; // at most MAX_CODES
    Allowed::code_or_first((0..codes).collect())
}

pub(super) fn condition_of(
    table: &Table,
    codebook: &Codebook,
    codes: &[Option<usize>],
    period: usize,
) -> Condition {
    let mut condition = filter_of(table, period);
    for variable in &table.known {
        condition.codes.insert(*variable, every_code(codebook, *variable));
    }
    for (dimension, code) in table.dimensions.iter().zip(codes) {
        let mut inside = Allowed::default();
        let shown = |at: &usize| code.is_none_or(|code| code == *at);
        for at in (0..dimension.categories.len()).filter(shown) {
            inside.join(&dimension.categories[at].allowed);
        }
        condition.codes.insert(dimension.variable, inside);
    }
    condition
}

pub(super) fn label(table: &Table, row: &Row) -> String {
    let mut text = table.id.clone();
    for (dimension, code) in table.dimensions.iter().zip(&row.codes) {
        let code = code.map_or(crate::codebook::TOT, |at| dimension.categories[at].code.as_str());
        text.push_str(&format!(" {}={code}", dimension.id));
    }
    text.push_str(&format!(" {}", table.periods[row.period]));
    text
}

pub(super) fn bortfall_label(collection: &Collection, table: usize, period: usize) -> String {
    let table = &collection.tables[table];
    format!("{} bortfall {}", table.id, table.periods[period])
}
