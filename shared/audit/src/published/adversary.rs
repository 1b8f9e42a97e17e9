//! Adversaries who know more than a reader, as publications that show more.
//!
//! For whoever has the counts and asks what others could compute: a reader who can tell the marks of small cells from the
//! others', and the coordinator of a federation, who knows of each unit's finest cells whether they are small, and the
//! totals over units it opened. What a kommun knows beside them is [`super::protection`]'s. What they can compute is
//! counted and told (SAFE-3); it is not what the publication promises.

use std::collections::BTreeSet;

use tables::unit::Omrade;

use super::truth::Truth;
use super::{CellIndex, Figure, Kind, Meaning, Publication};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adversary {
    /// Sees what is printed.
    #[default]
    Reader,
    /// Also knows which withheld cells are small.
    Marks,
    /// Also knows which finest cells of units are small, and every total over units.
    Coordinator,
}

/// The publication as the adversary sees it.
pub fn seen_by(
    adversary: Adversary,
    publication: &Publication,
    truth: &Truth,
    min_count: u64,
) -> Publication {
    let mut seen = publication.clone();
    let sums = publication.relations.iter().filter(|relation| relation.kind == Kind::Sum);
    let totals: BTreeSet<CellIndex> = sums.map(|relation| relation.total).collect();
    for (at, cell) in seen.cells.iter_mut().enumerate() {
        let Figure::Withheld { meaning, .. } = &mut cell.figure else { continue };
        let is_unit = matches!(cell.row.parse::<Omrade>(), Ok(Omrade::Unit(_)));
        let count = truth.of_cell(at);
        match adversary {
            Adversary::Reader => {}
            Adversary::Coordinator if !is_unit => cell.figure = Figure::Shown(count),
            Adversary::Coordinator if totals.contains(&at) => {}
            Adversary::Marks | Adversary::Coordinator => {
                *meaning = match count < min_count {
                    true => Meaning { lower: meaning.lower, upper: Some(min_count - 1) },
                    false => Meaning { lower: min_count, upper: None },
                };
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::attack::{Asked, attack};
    use crate::published::strict::{StrictOptions, heading, read};

    /// The rows `1, 6` and `3, 5` withheld under shown sums (`20-disclosure.md`: *the coordinator as adversary*).
    fn two_rows() -> (Publication, Truth) {
        let text = "omrade,typ,tid,matt,varde,status\n\
            2101,a,2024,aktualiseringar,,x\n2101,b,2024,aktualiseringar,,x\n2101,TOT,2024,aktualiseringar,7,\n\
            2104,a,2024,aktualiseringar,,x\n2104,b,2024,aktualiseringar,,x\n2104,TOT,2024,aktualiseringar,8,\n\
            21,a,2024,aktualiseringar,,x\n21,b,2024,aktualiseringar,,x\n21,TOT,2024,aktualiseringar,15,\n";
        let publication = read(&[("T.csv", text.as_bytes())], &StrictOptions::default()).unwrap();
        let counts = [("2101", "a", 1), ("2101", "b", 6), ("2104", "a", 3), ("2104", "b", 5)];
        let placed = counts.map(|(area, code, count)| {
            let column = heading(&["typ".to_owned()], &[code.to_owned()], "2024", "aktualiseringar");
            (("T.csv".to_owned(), area.to_owned(), column), count)
        });
        let truth = Truth::of(&publication, placed.into_iter()).unwrap();
        (publication, truth)
    }

    fn widths(adversary: Adversary) -> Vec<u64> {
        let (publication, truth) = two_rows();
        let seen = seen_by(adversary, &publication, &truth, 4);
        let found = attack(&seen, Asked::default(), &|| false);
        let width = |outcome: &crate::published::attack::Outcome| match outcome {
            crate::published::attack::Outcome::Interval { lower, upper: Some(upper), .. } => upper - lower,
            _ => u64::MAX,
        };
        found.findings.iter().map(|finding| width(&finding.outcome)).collect()
    }

    #[test]
    fn whoever_knows_more_is_left_with_less() {
        let (reader, marks, coordinator) =
            (widths(Adversary::Reader), widths(Adversary::Marks), widths(Adversary::Coordinator));
        assert_eq!(reader.iter().copied().min(), Some(5), "a reader: 1 to 6");
        assert_eq!(marks.iter().copied().min(), Some(2), "who tells marks apart: 1 to 3");
        // the county's totals are open: one more equation, and the unit cells follow each other
        assert_eq!(coordinator.len(), 4, "what is opened is no longer unknown");
        assert!(coordinator.iter().all(|width| *width <= 2));
    }
}
