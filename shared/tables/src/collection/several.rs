//! A table's rules for fields that list several codes: reading them, and the categories they give.
//!
//! `forsta` and `kombination` put a record into exactly one category, so that cells stay sets of records and a table's total
//! is the sum of its parts (TRUE-2, ADR 18). `varje` counts it under each of its codes. What such a table tells is known
//! exactly for a table by itself (ADR 20), so it is refused wherever something else counts the same codes another way, and
//! where a control follows records that knows of no such table (SAFE-1): [`check_each`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::document::Filter;
use super::{CollectionError, Scope, Several, Table, rule};
use crate::codebook::{Allowed, Category, Codebook, Resolved, SEVERAL, Variable, VariableIndex};

/// A rule as the document has it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Forsta,
    Kombination,
    Varje,
}

/// The rules of a table's dimensions; those that count the combination get their further category.
pub(super) fn resolve(
    table: &str,
    raw: &BTreeMap<String, Word>,
    filter: &Filter,
    dimensions: &mut [Resolved],
    codebook: &Codebook,
) -> Result<BTreeMap<VariableIndex, Several>, CollectionError> {
    let mut rules = BTreeMap::new();
    for (id, word) in raw {
        let place = || format!("{table} flera {id}");
        let dimension = codebook.variable_index(id);
        let dimension =
            dimension.and_then(|variable| dimensions.iter_mut().find(|one| one.variable == variable));
        let Some(dimension) = dimension else {
            return rule(
                place(),
                "a variable is expected that is a dimension of the table, itself or by a level",
            );
        };
        let variable = &codebook.variables[dimension.variable];
        if !variable.several {
            return rule(
                place(),
                "the codebook says flera = false: its fields hold one code; remove the rule",
            );
        }
        let counted = match word {
            Word::Forsta => Several::First,
            Word::Kombination => Several::Combination,
            Word::Varje => Several::Each,
        };
        if counted != Several::First && filter.contains_key(&dimension.variable) {
            let problem = "a variable counted by its combination, or by each code, cannot be filtered: remove its filter";
            return rule(place(), problem);
        }
        match counted {
            Several::First => {}
            Several::Combination => by_combination(place, dimension, variable)?,
            Several::Each => by_each(place, dimension, variable)?,
        }
        rules.insert(dimension.variable, counted);
    }
    Ok(rules)
}

/// Leaves records with one code in their categories and puts all others into one of their own.
fn by_combination(
    place: impl Fn() -> String,
    dimension: &mut Resolved,
    variable: &Variable,
) -> Result<(), CollectionError> {
    if dimension.categories.iter().any(|category| category.code == SEVERAL) {
        return rule(
            place(),
            format!("{} has a category {SEVERAL} of its own; use \"forsta\"", dimension.id),
        );
    }
    let mut known = BTreeSet::new();
    for category in &mut dimension.categories {
        known.append(&mut category.allowed.first);
    }
    if known.len() != variable.codes.len() {
        // else a record with two codes would be in the table or not by which of them comes first
        return rule(place(), format!("the level {} leaves codes out; use \"forsta\"", dimension.id));
    }
    let allowed = Allowed { alone: BTreeSet::new(), first: known };
    dimension.categories.push(Category { code: SEVERAL.into(), text: "Flera".into(), allowed });
    Ok(())
}

/// Every code has its category: a record counts in the total exactly if it has one at least.
fn by_each(
    place: impl Fn() -> String,
    dimension: &Resolved,
    variable: &Variable,
) -> Result<(), CollectionError> {
    let known: usize = dimension.categories.iter().map(|category| category.allowed.alone.len()).sum();
    if known != variable.codes.len() {
        return rule(place(), format!("the level {} leaves codes out; use \"forsta\"", dimension.id));
    }
    Ok(())
}

/// Refuses what nobody could control beside a table that counts each code.
pub(super) fn check_each(
    tables: &[Table],
    codebook: &Codebook,
    is_national: bool,
) -> Result<(), CollectionError> {
    for (at, table) in tables.iter().enumerate() {
        let each: Vec<VariableIndex> = by_rule(table, Several::Each).collect();
        let Some(variable) = each.first() else { continue };
        let id = &codebook.variables[*variable].id;
        let place = format!("{} flera {id}", table.id);
        if each.len() > 1 {
            return rule(place, "at most one variable of a table can be counted by \"varje\"");
        }
        let bit = table.each().map_or(0, |at| 1u32 << at);
        if !table.margins.iter().all(|margin| table.margins.contains(&(margin | bit))) {
            let problem = "\"varje\" expects the total of the variable beside everything the table shows: its parts do not \
                           add up to it; add the margins, or leave marginaler out";
            return rule(place, problem);
        }
        if is_national {
            let problem =
                "\"varje\" cannot be part of a national round: expected \"forsta\" or \"kombination\"";
            return rule(place, problem);
        }
        if let Some(other) = tables.iter().find(|table| table.scope == Scope::Kommun) {
            let problem = format!(
                "\"varje\" expects omfattning = \"total\" of every table of the collection; {} is not",
                other.id
            );
            return rule(place, problem);
        }
        let uses = |other: &Table| {
            other.filter.contains_key(variable)
                || other.dimensions.iter().any(|dimension| dimension.variable == *variable)
        };
        if let Some((_, other)) = tables.iter().enumerate().find(|(own, table)| *own != at && uses(table)) {
            let problem = format!(
                "{} has {id} too; a variable counted by \"varje\" is a dimension or filter of one table only, since two \
                 rules give what neither table shows by subtraction",
                other.id
            );
            return rule(place, problem);
        }
    }
    Ok(())
}

fn by_rule(table: &Table, wanted: Several) -> impl Iterator<Item = VariableIndex> + '_ {
    table.several.iter().filter(move |(_, rule)| **rule == wanted).map(|(variable, _)| *variable)
}

/// What a reader must know to read the figures right.
pub(super) fn note(variable: &Variable, rule: Several) -> String {
    let how = match rule {
        Several::First => "räknas under den första",
        Several::Combination => "räknas under ”Flera” och inte under någon av dem",
        Several::Each => {
            "räknas under var och en av dem, så delarna summerar till mer än totalen, som är antalet aktualiseringar"
        }
    };
    format!("{}: en aktualisering med flera koder {how}.", variable.text)
}
