//! Marks for leak tests (STAY-1): free text, unmapped labels and personnummer that must never leave a node.
//!
//! What it does not do: it looks for nothing itself. Invariants: a mark stands in its kommun's file exactly
//! once, and only where a value is missing (labels) or in the free-text column; so no table changes by it.

use std::collections::{BTreeSet, HashMap};

use crate::codes::{Aktualiseringstyp, Variable};
use crate::county::{Event, KommunRows};
use crate::persons::PersonRef;

/// Every so many rows have a marked free text.
const FREE_TEXT_EVERY: usize = 7;
/// A file has at least so many marked labels.
const FEWEST_LABELS: usize = 3;

/// Where the marks of one kommun stand, by row.
pub(crate) struct Marks {
    pub(crate) free_text: HashMap<usize, String>,
    pub(crate) labels: HashMap<(usize, Variable), String>,
}

/// Variables a row ought to have, by its type; one that is `None` is missing, the others do not apply.
fn applicable(typ: Option<Aktualiseringstyp>) -> &'static [Variable] {
    match typ {
        None => &[Variable::Aktualiseringstyp],
        Some(Aktualiseringstyp::Ansokan) => &[Variable::Sokande, Variable::OrsakAnsokan],
        Some(Aktualiseringstyp::Anmalan) => &[Variable::Anmalare, Variable::OrsakAnmalan, Variable::Beslut],
        Some(_) => &[],
    }
}

impl Marks {
    /// The marks of a kommun: a function of its rows alone. Every second missing value is an unmapped label,
    /// the others are empty cells.
    pub(crate) fn of(rows: &KommunRows) -> Self {
        let kod = rows.kommunkod;
        let mut places = Vec::new();
        for (at, event) in rows.events.iter().enumerate() {
            let missing = applicable(event.typ).iter().filter(|v| event.value(**v).is_none());
            places.extend(missing.map(|v| (at, *v)));
        }
        let mut chosen: Vec<(usize, Variable)> = places.into_iter().step_by(2).collect();
        let lack = FEWEST_LABELS.saturating_sub(chosen.len());
        let spare = |e: &Event| e.beslut.is_none() && e.typ.is_some_and(|t| t != Aktualiseringstyp::Anmalan);
        let extra = rows.events.iter().enumerate().filter(|(_, e)| spare(e)).take(lack);
        chosen.extend(extra.map(|(at, _)| (at, Variable::Beslut)));
        let labels = chosen.into_iter().enumerate();
        let texts = (0..rows.events.len()).skip(3).step_by(FREE_TEXT_EVERY).enumerate();
        Self {
            free_text: texts.map(|(n, at)| (at, format!("KANARIE-FRITEXT-{kod}-{}", n + 1))).collect(),
            labels: labels.map(|(n, place)| (place, format!("KANARIE-ETIKETT-{kod}-{}", n + 1))).collect(),
        }
    }
}

/// Every marked text in a kommun's file, sorted.
#[must_use]
pub fn canaries(rows: &KommunRows) -> Vec<String> {
    let marks = Marks::of(rows);
    let mut all: Vec<String> = marks.free_text.into_values().chain(marks.labels.into_values()).collect();
    all.sort();
    all
}

/// Every personnummer and reservnummer of a kommun in every spelling a file may have (12 and 10 digits, with
/// and without a dash, and with leading zeros lost), sorted. Spellings under eight digits are left out: too
/// common to search for.
#[must_use]
pub fn personnummer(rows: &KommunRows) -> Vec<String> {
    let mut all = BTreeSet::new();
    for event in &rows.events {
        match &event.person {
            PersonRef::Test(number) => {
                let bare = number.ten().trim_start_matches('0').to_owned();
                all.extend([number.twelve(), number.twelve_dashed(), number.ten(), number.ten_dashed()]);
                all.extend((bare.len() >= 8).then_some(bare));
            }
            PersonRef::Reserve(number) => {
                all.insert(number.clone());
            }
            PersonRef::None => {}
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::county::County;

    #[test]
    fn every_kommun_has_both_kinds_of_marks_and_labels_only_where_a_value_is_missing() {
        for kommun in County::generate(11).unwrap().kommuner() {
            let marks = Marks::of(kommun);
            assert!(marks.labels.len() >= FEWEST_LABELS, "{}", kommun.kommunkod);
            assert!(!marks.free_text.is_empty());
            for (at, variable) in marks.labels.keys() {
                assert_eq!(kommun.events[*at].value(*variable), None);
            }
            let distinct: BTreeSet<_> = canaries(kommun).into_iter().collect();
            assert_eq!(distinct.len(), marks.labels.len() + marks.free_text.len());
        }
    }
}
