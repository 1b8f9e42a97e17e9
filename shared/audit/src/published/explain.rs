//! Says in Swedish how a cell is given away, and why relations contradict each other.
//!
//! A [`Claim`] names a cell and the values it cannot have: all but one, for whoever can compute it; some, where it is
//! narrowed. First the steps a person would take with a pencil (`pencil`), over relations nearer the cell before
//! those further off. Where that does not do, the fewest relations that rule the values out, with the sum in which all
//! other withheld cells cancel, if there is one.
//!
//! Tells what the one it speaks of can compute from what it sees (a reader what is printed, a kommun its own counts
//! too); it looks at nothing else. What nearby relations do not show is said to be so, never guessed.

mod pencil;
mod words;

use super::attack::{Abort, Contradiction, Outcome};
use super::derive::{self, Linear};
use super::{CellIndex, Figure, Publication, RelationIndex};
use crate::budget::Budget;
use crate::explain::combination;
use crate::interval::{Engine, Reach};
use words::{range, relation};

/// Most tests that make a set of relations smaller.
const MOST_TESTS: usize = 200;
/// Most withheld cells of relations that are tried together.
const MOST_CELLS: usize = 400;
/// What one such test may cost: an explanation is a courtesy, the finding stands without it.
const BUDGET: Budget = Budget {
    propagation: 1_000_000,
    branches: 200,
    last_branches: 0,
    nodes: 500,
    coefficients: 100_000,
    questions: 1_000,
    programs: 0,
    large: usize::MAX,
};

/// Values of a cell that cannot be.
pub struct Claim {
    /// The cell.
    pub(super) cell: CellIndex,
    /// From and to, both included; an end that is not there has no end. Never empty.
    cannot: Vec<(Option<i128>, Option<i128>)>,
    /// The only value that is left.
    value: Option<u64>,
}

impl Claim {
    /// The cell has one value.
    pub(super) fn computed(cell: CellIndex, value: u64) -> Self {
        let own = i128::from(value);
        Self { cell, cannot: vec![(None, Some(own - 1)), (Some(own + 1), None)], value: Some(value) }
    }

    /// What an outcome leaves out of the values from `least` to `most`; `None` when nothing.
    pub(super) fn narrowed(
        cell: CellIndex,
        outcome: &Outcome,
        least: u64,
        most: Option<u64>,
    ) -> Option<Self> {
        let (lower, upper, holes) = match outcome {
            Outcome::Interval { lower, upper, holes } => (*lower, *upper, holes.as_slice()),
            Outcome::Shown { lower, holes, .. } => (*lower, None, holes.as_slice()),
            Outcome::NotCertified { .. } | Outcome::Contradiction => return None,
        };
        let mut cannot = Vec::new();
        if lower > least {
            cannot.push((None, Some(i128::from(lower) - 1)));
        }
        let holes =
            holes.iter().copied().filter(|hole| least <= *hole && most.is_none_or(|most| *hole <= most));
        cannot.extend(holes.map(|hole| (Some(i128::from(hole)), Some(i128::from(hole)))));
        if let Some(upper) = upper.filter(|upper| most.is_none_or(|most| *upper < most)) {
            cannot.push((Some(i128::from(upper) + 1), None));
        }
        (!cannot.is_empty()).then_some(Self { cell, cannot, value: None })
    }
}

/// Whose view is told, and how what it knows is called.
struct Teller<'a> {
    publication: &'a Publication,
    known: &'static str,
}

/// Explains findings about one publication, as one adversary sees it.
pub struct Explainer<'a> {
    teller: Teller<'a>,
    rows: Vec<Vec<Linear>>,
    /// Relations of each withheld cell.
    relations_of: Vec<Vec<RelationIndex>>,
    abort: Abort<'a>,
}

impl<'a> Explainer<'a> {
    /// For a reader of the publication. `abort` may end the search for words; it changes no finding.
    pub fn reader(publication: &'a Publication, abort: Abort<'a>) -> Self {
        Self::new(publication, "de visade", abort)
    }

    /// For whoever sees `publication` because some of what it shows is its own.
    pub fn insider(publication: &'a Publication, abort: Abort<'a>) -> Self {
        Self::new(publication, "de visade och egna", abort)
    }

    fn new(publication: &'a Publication, known: &'static str, abort: Abort<'a>) -> Self {
        let rows: Vec<Vec<Linear>> =
            publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
        let mut relations_of = vec![Vec::new(); publication.cells.len()];
        for (at, rows) in rows.iter().enumerate() {
            for (cell, _) in rows.iter().flat_map(|row| &row.terms) {
                let of: &mut Vec<RelationIndex> = &mut relations_of[*cell];
                if of.last() != Some(&at) {
                    of.push(at);
                }
            }
        }
        Self { teller: Teller { publication, known }, rows, relations_of, abort }
    }

    /// How the values are ruled out.
    pub fn claim(&self, claim: &Claim) -> String {
        let rings = self.rings(claim.cell);
        for relations in &rings {
            let rows: Vec<(RelationIndex, &[Linear])> =
                relations.iter().map(|at| (*at, self.rows[*at].as_slice())).collect();
            if let Some(told) = pencil::told(&self.teller, claim, &rows) {
                return told;
            }
        }
        let found = rings.iter().find_map(|relations| self.together(claim, relations));
        found.unwrap_or_else(|| {
            let all = rings.last().map_or(0, Vec::len);
            format!("Det följer av fler samband än som går att återge ({all} hänger ihop med cellen).")
        })
    }

    /// Relations nearer and nearer the whole of what hangs together with a cell: each list holds the one before.
    fn rings(&self, cell: CellIndex) -> Vec<Vec<RelationIndex>> {
        let mut rings: Vec<Vec<RelationIndex>> = Vec::new();
        let (mut seen, mut has) = (vec![false; self.relations_of.len()], vec![false; self.rows.len()]);
        seen[cell] = true;
        let (mut edge, mut all) = (vec![cell], Vec::new());
        while !edge.is_empty() {
            let mut next = Vec::new();
            for relation in edge.iter().flat_map(|cell| &self.relations_of[*cell]) {
                if std::mem::replace(&mut has[*relation], true) {
                    continue;
                }
                all.push(*relation);
                for (cell, _) in self.rows[*relation].iter().flat_map(|row| &row.terms) {
                    if !std::mem::replace(&mut seen[*cell], true) {
                        next.push(*cell);
                    }
                }
            }
            if rings.last().is_none_or(|last| last.len() < all.len()) {
                let mut sorted = all.clone();
                sorted.sort_unstable();
                rings.push(sorted);
            }
            edge = next;
        }
        rings
    }

    /// The fewest of the relations that rule the values out together; `None` when they do not.
    fn together(&self, claim: &Claim, relations: &[RelationIndex]) -> Option<String> {
        let publication = self.teller.publication;
        let mut cells: Vec<CellIndex> = relations
            .iter()
            .flat_map(|at| &self.rows[*at])
            .flat_map(|row| &row.terms)
            .map(|(cell, _)| *cell)
            .collect();
        cells.sort_unstable();
        cells.dedup();
        let target = cells.binary_search(&claim.cell).ok()?;
        if cells.len() > MOST_CELLS {
            return None;
        }
        let rules_out = |relations: &[RelationIndex]| {
            let view = derive::view(publication, &self.rows, &cells, relations);
            let Ok(mut engine) = Engine::new(&view, BUDGET, self.abort) else {
                return false;
            };
            !(self.abort)()
                && claim.cannot.iter().all(|(low, high)| engine.within(target, *low, *high).0 == Reach::No)
        };
        if !rules_out(relations) {
            return None;
        }
        let (kept, _) = derive::fewest(relations.to_vec(), MOST_TESTS, &rules_out);
        let told = kept.iter().map(|at| relation(&self.teller, *at)).collect::<Vec<_>>().join(" ");
        let Some(value) = claim.value else {
            return Some(format!(
                "{told} Tillsammans tillåter de inte att cellen är {}.",
                values(&claim.cannot)
            ));
        };
        let view = derive::view(publication, &self.rows, &cells, &kept);
        let sources: Vec<usize> = (0..kept.len()).collect();
        Some(match combination(&view, &vec![(target, 1)], &sources) {
            Some(parts) => {
                let signed = parts.iter().map(|(source, factor)| {
                    let name = &publication.relations[kept[*source]].name;
                    let factor = match (factor.over, factor.under) {
                        (1, 1) => "+".to_owned(),
                        (-1, 1) => "−".to_owned(),
                        (over, 1) => format!("{over:+} gånger"),
                        (over, under) => format!("{over:+}/{under} gånger"),
                    };
                    format!("{factor} ({name})")
                });
                let sum: Vec<String> = signed.collect();
                format!(
                    "{told} Läggs de ihop som {} tar alla andra undertryckta celler ut varandra, och kvar blir {value}.",
                    sum.join(" ")
                )
            }
            None => format!("{told} Tillsammans tillåter de inget annat heltal än {value}."),
        })
    }
}

/// Values that cannot be.
fn values(cannot: &[(Option<i128>, Option<i128>)]) -> String {
    let parts = cannot.iter().map(|gap| match gap {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low} till {high}"),
        (None, Some(high)) => format!("högst {high}"),
        (Some(low), None) => format!("minst {low}"),
        (None, None) => String::new(),
    });
    parts.collect::<Vec<_>>().join(" eller ")
}

/// The publication as a kommun sees it that knows some of its cells.
pub(super) fn with_own(
    publication: &Publication,
    own: impl Iterator<Item = (CellIndex, u64)>,
) -> Publication {
    let mut seen = publication.clone();
    for (cell, count) in own {
        seen.cells[cell].figure = Figure::Shown(count);
    }
    seen
}

/// Why relations contradict each other or the marks.
pub fn contradiction(publication: &Publication, found: &Contradiction) -> String {
    let teller = Teller { publication, known: "de visade" };
    let told: Vec<String> = found.relations.iter().map(|at| relation(&teller, *at)).collect();
    let single = match found.relations.as_slice() {
        [one] => range(publication, *one),
        _ => None,
    };
    let end = match (found.cells.is_empty(), single) {
        (true, _) => "De visade siffrorna säger emot varandra.".to_owned(),
        (false, Some(text)) => text,
        (false, None) => {
            "Inga heltal passar alla dessa samband och märkenas betydelse på en gång.".to_owned()
        }
    };
    let more = if found.is_minimal { "" } else { " (färre av sambanden kan räcka)" };
    format!("{} {end}{more}", told.join(" "))
}
