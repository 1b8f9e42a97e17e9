//! A table's rules for fields that list several codes: reading them, and the categories they give.
//!
//! Every rule here puts a record into exactly one category, so that cells stay sets of records and a table's total is the sum
//! of its parts (TRUE-2). The rule that counts each code is refused: its parts overlap, and what they give away together
//! (how many records have two codes) is no cell that anything protects (SAFE-1, ADR 18).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::document::Filter;
use super::{CollectionError, Several, rule};
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
            Word::Varje => {
                let problem = "counting every code is not supported: the parts overlap and cannot be protected \
                               together; expected \"forsta\" or \"kombination\"";
                return rule(place(), problem);
            }
        };
        if counted == Several::Combination {
            if filter.contains_key(&dimension.variable) {
                return rule(
                    place(),
                    "a variable counted by its combination cannot be filtered: remove its filter",
                );
            }
            by_combination(place, dimension, variable)?;
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

/// What a reader must know to read the figures right.
pub(super) fn note(variable: &Variable, rule: Several) -> String {
    let how = match rule {
        Several::First => "räknas under den första",
        Several::Combination => "räknas under ”Flera” och inte under någon av dem",
    };
    format!("{}: en aktualisering med flera koder {how}.", variable.text)
}
