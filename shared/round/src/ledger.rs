//! The ledger: what has been opened, so that two openings never differ in one or two kommuner.
//!
//! Kept by every node and by the helper, durably, by the *definition* of a cell and never by a collection's name. Two
//! sums of one cell may be subtracted by anyone; their difference must concern no kommun or at least three
//! (`30-protocol`, The ledger). A kommun differs when it stands in one roster only, or when its figure changed: the
//! node's keyed tags are unequal then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tables::unit::{KommunKod, Unit};

/// The fewest kommuner that a difference of two openings, or an opened sum, must concern.
pub const LEAST_HIDDEN: usize = 3;

/// One opening of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The collection document (its hash) under which it is opened. A helper opens one roster of it ever, so a round of
    /// the same document that starts again over fewer units takes the place of the earlier one.
    pub case: [u8; 32],
    /// Per unit of the roster its tag, if the keeper has it (a node has only its own).
    pub tags: BTreeMap<Unit, Option<[u8; 16]>>,
    /// Units whose figure is published anyway: nothing about them is hidden.
    pub readable: BTreeSet<Unit>,
}

/// Openings by cell definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger(BTreeMap<[u8; 32], Vec<Line>>);

impl Ledger {
    /// Whether the cell may be opened so, given everything opened before. Beside the case that `next` corrects nothing may differ: the
    /// readers of both versions have the rosters too, and who left is asked by nobody (ADR 22).
    pub fn allows(&self, definition: &[u8; 32], next: &Line, corrects: Option<[u8; 32]>) -> bool {
        let Some(lines) = self.0.get(definition) else {
            return true;
        };
        lines.iter().all(|line| {
            line.case == next.case || {
                let differing = differing(line, next);
                differing.is_empty() || differing.len() >= LEAST_HIDDEN && corrects != Some(line.case)
            }
        })
    }

    /// Whether an opening stands here as it is.
    pub fn holds(&self, definition: &[u8; 32], line: &Line) -> bool {
        self.0.get(definition).is_some_and(|lines| lines.contains(line))
    }

    /// Writes an opening down; it takes the place of an earlier one of the same case.
    pub fn enter(&mut self, definition: [u8; 32], line: Line) {
        let lines = self.0.entry(definition).or_default();
        lines.retain(|known| known.case != line.case);
        lines.push(line);
    }
}

fn differing(one: &Line, other: &Line) -> BTreeSet<KommunKod> {
    let units: BTreeSet<&Unit> = one.tags.keys().chain(other.tags.keys()).collect();
    // Where a unit takes part its figure is readable: its part of the difference is known anyway.
    let known = |line: &Line, unit: &Unit| !line.tags.contains_key(unit) || line.readable.contains(unit);
    let differs = |unit: &&Unit| {
        let changed = match (one.tags.get(*unit), other.tags.get(*unit)) {
            (Some(Some(first)), Some(Some(second))) => first != second,
            (Some(_), Some(_)) => false,
            _ => true,
        };
        changed && !(known(one, unit) && known(other, unit))
    };
    units.into_iter().filter(differs).map(Unit::kommun).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(case: u8, tags: &[(&str, u8)]) -> Line {
        let tag = |(unit, tag): &(&str, u8)| (unit.parse().unwrap(), Some([*tag; 16]));
        Line { case: [case; 32], tags: tags.iter().map(tag).collect(), readable: BTreeSet::new() }
    }

    fn after(first: &Line, second: &Line) -> bool {
        let mut ledger = Ledger::default();
        ledger.enter([7; 32], first.clone());
        ledger.allows(&[7; 32], second, None)
    }

    #[test]
    fn a_sum_that_differs_in_one_late_kommun_is_not_opened() {
        let all = line(1, &[("2101", 1), ("2104", 1), ("2121", 1), ("2132", 1)]);
        let without = line(2, &[("2101", 1), ("2104", 1), ("2121", 1)]);
        assert!(!after(&all, &without) && !after(&without, &all));
    }

    #[test]
    fn a_sum_in_which_two_kommuner_changed_is_not_opened_and_three_may() {
        let before = line(1, &[("2101", 1), ("2104", 1), ("2121", 1), ("2132", 1)]);
        assert!(!after(&before, &line(2, &[("2101", 2), ("2104", 2), ("2121", 1), ("2132", 1)])));
        assert!(after(&before, &line(2, &[("2101", 2), ("2104", 2), ("2121", 2), ("2132", 1)])));
        assert!(after(&before, &line(2, &[("2101", 1), ("2104", 1), ("2121", 1), ("2132", 1)])));
    }

    #[test]
    fn safe_3_three_who_leave_a_second_version_are_not_its_difference() {
        let all = line(1, &[("2101", 1), ("2104", 1), ("2121", 1), ("2132", 1)]);
        let left = line(2, &[("2132", 1)]);
        let mut ledger = Ledger::default();
        ledger.enter([7; 32], all);
        assert!(ledger.allows(&[7; 32], &left, None), "two collections may differ in three");
        assert!(!ledger.allows(&[7; 32], &left, Some([1; 32])), "their hidden figures may be one each");
        let again = line(2, &[("2101", 1), ("2104", 1), ("2121", 1), ("2132", 1)]);
        assert!(ledger.allows(&[7; 32], &again, Some([1; 32])));
    }

    #[test]
    fn three_stadsdelar_of_one_kommun_are_one_kommun() {
        let before = line(1, &[("2180-01", 1), ("2180-02", 1), ("2180-03", 1), ("2132", 1)]);
        let after_change = line(2, &[("2180-01", 2), ("2180-02", 2), ("2180-03", 2), ("2132", 1)]);
        assert!(!after(&before, &after_change));
    }

    #[test]
    fn the_same_opening_again_is_no_second_one_and_readable_units_do_not_count() {
        let before = line(1, &[("2101", 1), ("2104", 1)]);
        assert!(after(&before, &line(1, &[("2101", 9), ("2104", 1)])));
        let mut first = before.clone();
        let mut second = line(2, &[("2101", 2), ("2104", 1)]);
        first.readable.insert("2101".parse().unwrap());
        second.readable.insert("2101".parse().unwrap());
        assert!(after(&first, &second));
    }

    #[test]
    fn a_late_kommun_counts_only_where_its_figure_is_hidden() {
        let first = line(1, &[("2101", 1), ("2104", 1)]);
        let mut second = line(2, &[("2101", 1), ("2104", 1), ("2121", 1)]);
        assert!(!after(&first, &second), "its hidden figure is the difference");
        second.readable.insert("2121".parse().unwrap());
        assert!(after(&first, &second) && after(&second, &first), "its figure stands beside the sum");
    }
}
