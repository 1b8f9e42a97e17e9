//! The exact interval of every withheld cell of a publication, and the relations that contradict themselves.
//!
//! Block by block: is there any table at all; if not, which few relations rule it out; if there is, the least and
//! largest value of each cell and the holes between them, by [`Engine`]. Work is counted over the whole
//! publication; what it does not reach is [`Outcome::NotCertified`], never safe.
//!
//! Invariant: an end of an [`Outcome::Interval`] is shown by a verified table; a cell of a contradictory block has
//! no interval.

use super::derive::{self, Block, Linear};
use super::{CellIndex, Publication, RelationIndex};
use crate::budget::Budget;
use crate::interval::{Engine, Reach};
use crate::view::View;

/// Most values of an interval that are tried for holes.
const MOST_HOLES: u64 = 16;
/// Most tests that make a set of contradicting relations smaller.
const MOST_TESTS: usize = 400;
/// Cells of a block times questions about it, at most: bounds the time of very large blocks.
const MOST_WORK: u64 = 2_000_000_000;
/// Numbers over this are kept from the solver of integer programs, which clamps at 2³⁰.
const MOST_MAGNITUDE: i128 = 1 << 29;

/// What an attacker gets of one cell.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The exact interval.
    Interval {
        /// Least value.
        lower: u64,
        /// Largest value; `None` when there is no end.
        upper: Option<u64>,
        /// Values between that cannot be. Looked for among the first `MOST_HOLES` values only.
        holes: Vec<u64>,
    },
    /// Not settled within the budget; the ends are the widest it can be.
    NotCertified {
        /// No less than this.
        lower: u64,
        /// No more than this, if anything is known.
        upper: Option<u64>,
    },
    /// The cell's block contradicts itself.
    Contradiction,
}

impl std::fmt::Debug for Outcome {
    /// The kind only (STAY-1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interval { .. } => "Interval(..)",
            Self::NotCertified { .. } => "NotCertified(..)",
            Self::Contradiction => "Contradiction",
        })
    }
}

impl Outcome {
    /// The value, if only one is left.
    pub fn recovered(&self) -> Option<u64> {
        match self {
            Self::Interval { lower, upper, .. } if *upper == Some(*lower) => Some(*lower),
            _ => None,
        }
    }
}

/// One withheld cell.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The cell.
    pub cell: CellIndex,
    /// What an attacker gets.
    pub outcome: Outcome,
    /// For a computable cell: the relations of its block, for [`super::explain`].
    pub(super) relations: Vec<RelationIndex>,
}

/// Relations that no table satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The relations: few, and each needed unless `is_minimal` is `false`.
    pub relations: Vec<RelationIndex>,
    /// Withheld cells of the block: not audited.
    pub cells: Vec<CellIndex>,
    /// Whether every relation of the list is needed for the contradiction.
    pub is_minimal: bool,
}

/// What the command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No withheld cell can be computed.
    Nothing,
    /// At least one can.
    Computable,
    /// None was found, but not everything could be audited.
    NotCertified,
}

/// The answer for a publication.
#[derive(Debug, Clone)]
pub struct Attack {
    /// Every withheld cell that is audited or stands in a contradictory block, in the order of reports.
    pub findings: Vec<Finding>,
    /// Blocks that contradict themselves, by their first relation.
    pub contradictions: Vec<Contradiction>,
    /// Withheld cells that stand in no relation and are not audited.
    pub unrelated: Vec<CellIndex>,
    /// Whether some files held what could not be used.
    has_unused: bool,
}

impl Attack {
    /// What the command ends with.
    pub fn verdict(&self) -> Verdict {
        let computable = |finding: &Finding| finding.outcome.recovered().is_some();
        let open = |finding: &Finding| matches!(finding.outcome, Outcome::NotCertified { .. });
        if self.findings.iter().any(computable) {
            Verdict::Computable
        } else if !self.contradictions.is_empty() || self.has_unused || self.findings.iter().any(open) {
            Verdict::NotCertified
        } else {
            Verdict::Nothing
        }
    }
}

/// Attacks a publication. `abort` may stop the work early; what is left is then not certified.
pub fn attack(publication: &Publication, budget: Budget, abort: &dyn Fn() -> bool) -> Attack {
    let rows: Vec<Vec<Linear>> =
        publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
    let mut work = Work { publication, rows: &rows, budget, abort };
    let mut findings = Vec::new();
    let mut contradictions: Vec<Contradiction> = work.self_contradictions();
    let mut related = vec![false; publication.cells.len()];
    for block in derive::blocks(publication, &rows) {
        block.cells.iter().for_each(|cell| related[*cell] = true);
        match work.block(&block) {
            Ok(outcomes) => findings.extend(outcomes),
            Err(contradiction) => {
                findings.extend(block.cells.iter().map(|cell| Finding {
                    cell: *cell,
                    outcome: Outcome::Contradiction,
                    relations: Vec::new(),
                }));
                contradictions.push(contradiction);
            }
        }
    }
    let alone = |cell: &CellIndex| publication.cells[*cell].withheld().is_some() && !related[*cell];
    let mut unrelated: Vec<CellIndex> = (0..publication.cells.len()).filter(alone).collect();
    if publication.lists_unrelated {
        findings.extend(unrelated.drain(..).map(|cell| by_its_mark(publication, cell)));
    }
    findings.sort_by_key(|finding| publication.cells[finding.cell].order);
    contradictions.sort_by_key(|contradiction| contradiction.relations.first().copied());
    Attack { findings, contradictions, unrelated, has_unused: !publication.unused.is_empty() }
}

/// A cell that nothing but its mark tells of.
fn by_its_mark(publication: &Publication, cell: CellIndex) -> Finding {
    let meaning = publication.cells[cell].withheld().map(|(_, meaning)| meaning);
    Finding {
        cell,
        outcome: Outcome::Interval {
            lower: meaning.map_or(0, |meaning| meaning.lower),
            upper: meaning.and_then(|meaning| meaning.upper),
            holes: Vec::new(),
        },
        relations: Vec::new(),
    }
}

struct Work<'a> {
    publication: &'a Publication,
    rows: &'a [Vec<Linear>],
    /// What is left.
    budget: Budget,
    abort: &'a dyn Fn() -> bool,
}

impl Work<'_> {
    /// Relations of shown counts that do not add up. Relations with unknowns are found with their block.
    fn self_contradictions(&self) -> Vec<Contradiction> {
        let shown = |rows: &Vec<Linear>| rows.iter().all(|row| row.terms.is_empty());
        let all = self.rows.iter().enumerate();
        all.filter(|(_, rows)| shown(rows) && !derive::agrees(rows))
            .map(|(relation, _)| Contradiction {
                relations: vec![relation],
                cells: Vec::new(),
                is_minimal: true,
            })
            .collect()
    }

    /// The budget of one block.
    fn share(&self, block: &Block) -> Budget {
        let size = block.cells.len().max(1) as u64;
        let large = derive::magnitude(self.rows, &block.relations) > MOST_MAGNITUDE;
        Budget {
            questions: self.budget.questions.min(MOST_WORK / size / 16),
            coefficients: if large { 0 } else { self.budget.coefficients },
            ..self.budget
        }
    }

    fn block(&mut self, block: &Block) -> Result<Vec<Finding>, Contradiction> {
        let share = self.share(block);
        let view = derive::view(self.publication, self.rows, &block.cells, &block.relations);
        let mut engine = match Engine::new(&view, share, self.abort) {
            Ok(engine) => engine,
            Err(found) => {
                let relations = found.sources.iter().map(|at| block.relations[*at]).collect();
                return Err(self.contradiction(block, relations, share));
            }
        };
        if engine.within(block.cells.len(), None, None).0 == Reach::No {
            return Err(self.contradiction(block, block.relations.clone(), share));
        }
        let mut findings = Vec::new();
        for (target, cell) in block.cells.iter().enumerate() {
            let outcome = self.outcome(&mut engine, target, *cell);
            let computable = outcome.recovered().is_some();
            findings.push(Finding {
                cell: *cell,
                outcome,
                relations: if computable { block.relations.clone() } else { Vec::new() },
            });
        }
        // the ends of all cells come before the holes of any: they say what is safe
        for (target, finding) in findings.iter_mut().enumerate() {
            find_holes(&mut engine, target, &mut finding.outcome);
        }
        self.budget.questions = self.budget.questions.saturating_sub(engine.questions());
        Ok(findings)
    }

    fn outcome(&self, engine: &mut Engine, target: usize, cell: CellIndex) -> Outcome {
        let whole = |value: i128| u64::try_from(value).ok();
        let interval = |lower, upper| Outcome::Interval { lower, upper, holes: Vec::new() };
        let found = engine.interval(target);
        match (found.lower.and_then(whole), found.upper.map(|upper| upper.map(whole))) {
            (Some(lower), Some(Some(Some(upper)))) => interval(lower, Some(upper)),
            (Some(lower), Some(None)) => interval(lower, None),
            _ => {
                let (low, high) = engine.outer(target);
                let meaning = self.publication.cells[cell].withheld().map(|(_, meaning)| meaning);
                Outcome::NotCertified {
                    lower: low.and_then(whole).or(meaning.map(|meaning| meaning.lower)).unwrap_or(0),
                    upper: high.and_then(whole),
                }
            }
        }
    }

    /// Makes the set of contradicting relations small: one after the other is left out if the rest still contradict.
    fn contradiction(&mut self, block: &Block, first: Vec<RelationIndex>, share: Budget) -> Contradiction {
        let rules_out = |relations: &[RelationIndex]| {
            let view = derive::view(self.publication, self.rows, &block.cells, relations);
            is_empty(&view, block.cells.len(), share, self.abort)
        };
        let mut kept = if rules_out(&first) { first } else { block.relations.clone() };
        let (mut at, mut tests) = (0, 0);
        while at < kept.len() && tests < MOST_TESTS {
            tests += 1;
            let mut fewer = kept.clone();
            fewer.remove(at);
            if rules_out(&fewer) {
                kept = fewer;
            } else {
                at += 1;
            }
        }
        Contradiction { is_minimal: at >= kept.len(), relations: kept, cells: block.cells.clone() }
    }
}

/// The values between the ends that cannot be; what is not settled counts as possible.
fn find_holes(engine: &mut Engine, target: usize, outcome: &mut Outcome) {
    if let Outcome::Interval { lower, upper, holes } = outcome {
        let last = lower.saturating_add(MOST_HOLES);
        let end = upper.map_or(last, |upper| upper.min(last));
        let excluded = |value: &u64| engine.attainable(target, i128::from(*value)).0 == Reach::No;
        *holes = (lower.saturating_add(1)..end).filter(excluded).collect();
    }
}

/// Whether no table satisfies the view; `sum` is the target of all cells.
fn is_empty(view: &View, sum: usize, budget: Budget, abort: &dyn Fn() -> bool) -> bool {
    match Engine::new(view, budget, abort) {
        Err(_) => true,
        Ok(mut engine) => engine.within(sum, None, None).0 == Reach::No,
    }
}
