//! The exact interval of every withheld cell of a publication, and the relations that contradict themselves.
//!
//! Block by block: is there any table at all; if not, which few relations rule it out; if there is, the least and
//! largest value of each cell and the holes between them, by [`Engine`]. Work is counted over the whole
//! publication; what it does not reach is [`Outcome::NotCertified`], never safe.
//!
//! Invariant: an end of an [`Outcome::Interval`] is shown by a verified table; a cell of a contradictory block has
//! no interval.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::derive::{self, Block, Linear};
use super::truth::Truth;
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

/// More than any count is taken to be ([`super::MAX_VALUE`]): whoever can be this has no end.
const MOST_COUNT: i128 = 1 << 30;

/// Asked between steps, from more than one thread; `true` stops.
pub type Abort<'a> = &'a (dyn Fn() -> bool + Sync);

/// Parts of a large block that are answered beside each other, each for itself: as many on every machine (SAME-1).
pub(super) const LARGE_PARTS: usize = 2;

/// What an attacker gets of one cell.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The exact interval.
    Interval {
        /// Least value.
        lower: u64,
        /// Largest value; `None` when there is no end.
        upper: Option<u64>,
        /// Values between that cannot be. Looked for under the threshold and among the first `MOST_HOLES` values.
        holes: Vec<u64>,
    },
    /// Where the ends were not found, as in blocks that are too large for them: which values under the threshold can be is settled,
    /// and that there is more than one value.
    Shown {
        /// No less than this; the least value when under the threshold.
        lower: u64,
        /// No more than this, if bounds say anything.
        upper: Option<u64>,
        /// Values from `lower` to under the threshold that cannot be.
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
            Self::Shown { .. } => "Shown(..)",
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

/// What is asked of a publication.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Work limits.
    pub budget: Budget,
    /// Counts under it are small: of large blocks these are settled, not every end.
    pub min_count: u64,
    /// The withheld counts, where the one who asks has them: what can be is then shown beside them. Changes no
    /// answer, only the time.
    pub truth: Option<&'a Truth>,
    /// Whether the ends of cells of large blocks are looked for too: some seconds each where it is hard.
    pub ends: bool,
    /// Of every cell only what can be under the threshold, as of cells of large blocks: no ends are looked for.
    pub only_small: bool,
    /// Counted up by one for every cell that is done.
    pub done: Option<&'a AtomicUsize>,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            min_count: 4,
            truth: None,
            ends: false,
            only_small: false,
            done: None,
        }
    }
}

/// Attacks a publication. `abort` may stop the work early; what is left is then not certified.
pub fn attack(publication: &Publication, asked: Asked<'_>, abort: Abort<'_>) -> Attack {
    let rows: Vec<Vec<Linear>> =
        publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
    let mut work = Work { publication, rows: &rows, asked, abort };
    let mut findings = Vec::new();
    let mut contradictions: Vec<Contradiction> = work.self_contradictions();
    let mut related = vec![false; publication.cells.len()];
    for block in derive::blocks(publication, &rows) {
        block.cells.iter().for_each(|cell| related[*cell] = true);
        match work.block(&block) {
            Ok(outcomes) => findings.extend(outcomes),
            Err(contradiction) => {
                findings.extend(
                    block.cells.iter().map(|cell| Finding { cell: *cell, outcome: Outcome::Contradiction }),
                );
                contradictions.push(contradiction);
            }
        }
    }
    let alone = |cell: &CellIndex| publication.cells[*cell].withheld().is_some() && !related[*cell];
    let mut unrelated: Vec<CellIndex> = (0..publication.cells.len()).filter(alone).collect();
    if publication.lists_unrelated {
        findings.extend(unrelated.drain(..).map(|cell| by_its_mark(publication, cell)));
    }
    findings.retain(|finding| !is_nobodys_secret(publication, finding, asked.min_count));
    findings.sort_by_key(|finding| publication.cells[finding.cell].order);
    contradictions.sort_by_key(|contradiction| contradiction.relations.first().copied());
    Attack { findings, contradictions, unrelated, has_unused: !publication.unused.is_empty() }
}

/// A count that nobody prints and that is known to be 0, or to be no small one.
fn is_nobodys_secret(publication: &Publication, finding: &Finding, min_count: u64) -> bool {
    publication.crossed.contains(&finding.cell)
        && match finding.outcome.recovered() {
            Some(value) => !(1..min_count).contains(&value),
            None => {
                matches!(finding.outcome, Outcome::Interval { lower, .. } | Outcome::Shown { lower, .. } if lower >= min_count)
            }
        }
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
    }
}

struct Work<'a> {
    publication: &'a Publication,
    rows: &'a [Vec<Linear>],
    /// With what is left of the budget.
    asked: Asked<'a>,
    abort: Abort<'a>,
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
            questions: self.asked.budget.questions.min(MOST_WORK / size / 16),
            coefficients: if large { 0 } else { self.asked.budget.coefficients },
            ..self.asked.budget
        }
    }

    fn block(&mut self, block: &Block) -> Result<Vec<Finding>, Contradiction> {
        let share = self.share(block);
        let view = derive::view(self.publication, self.rows, &block.cells, &block.relations);
        let parts = if block.cells.len() > share.large { LARGE_PARTS } else { 1 };
        let part = Budget {
            questions: share.questions / parts as u64,
            programs: share.programs / parts as u64,
            ..share
        };
        let answers = std::thread::scope(|scope| {
            let answer = |at: usize| self.part(block, &view, part, (at, parts));
            let others: Vec<_> = (1..parts).map(|at| scope.spawn(move || answer(at))).collect();
            let first = answer(0);
            let others = others.into_iter().map(|other| match other.join() {
                Ok(answer) => answer,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            std::iter::once(first).chain(others).collect::<Vec<_>>()
        });
        let mut findings = Vec::new();
        for answer in answers {
            match answer {
                Err(relations) => return Err(self.contradiction(block, relations, share)),
                Ok((found, questions, programs)) => {
                    let budget = &mut self.asked.budget;
                    budget.questions = budget.questions.saturating_sub(questions);
                    budget.programs = budget.programs.saturating_sub(programs);
                    findings.extend(found);
                }
            }
        }
        Ok(findings)
    }

    /// The answers for every `parts`-th cell from `part` on, with the questions and programs they took; or relations
    /// that contradict each other.
    fn part(
        &self,
        block: &Block,
        view: &View,
        budget: Budget,
        (part, parts): (usize, usize),
    ) -> Result<(Vec<Finding>, u64, u64), Vec<RelationIndex>> {
        let mut engine = Engine::new(view, budget, self.abort)
            .map_err(|found| found.sources.iter().map(|at| block.relations[*at]).collect::<Vec<_>>())?;
        if let Some(truth) = self.asked.truth {
            let values: Vec<u64> = block.cells.iter().map(|cell| truth.of_cell(*cell)).collect();
            // a truth that breaks a relation was refused when it was read: it only saves time here
            let _ = engine.knows(&values);
        }
        if engine.within(block.cells.len(), None, None).0 == Reach::No {
            return Err(block.relations.clone());
        }
        let own = || block.cells.iter().enumerate().skip(part).step_by(parts);
        let (mut findings, mut ask) = (Vec::new(), Vec::new());
        for (target, cell) in own() {
            let (outcome, has_holes) = self.outcome(&mut engine, target, *cell);
            if let Some(done) = self.asked.done {
                done.fetch_add(1, Ordering::Relaxed);
            }
            ask.push(has_holes);
            findings.push(Finding { cell: *cell, outcome });
        }
        // the ends of all cells come before the holes of any: they say what is safe
        for (((target, _), finding), ask) in own().zip(&mut findings).zip(ask) {
            if ask {
                find_holes(&mut engine, target, &mut finding.outcome, self.asked.min_count);
            }
        }
        if self.asked.ends {
            for ((target, _), finding) in own().zip(&mut findings) {
                find_ends(&mut engine, target, &mut finding.outcome);
            }
        }
        Ok((findings, engine.questions(), engine.programs()))
    }

    /// What can be said of a cell, and whether holes are still to be asked for.
    fn outcome(&self, engine: &mut Engine, target: usize, cell: CellIndex) -> (Outcome, bool) {
        // of what nobody prints only small values matter
        if (self.asked.only_small || self.publication.crossed.contains(&cell))
            && let Some(found) = settled(engine, target, self.asked.min_count)
        {
            return (found, false);
        }
        if engine.is_large(target) {
            let least = match self.asked.truth {
                // not small: only whether it can be computed is asked
                Some(truth) if truth.of_cell(cell) >= self.asked.min_count => 0,
                _ => self.asked.min_count,
            };
            return (
                settled(engine, target, least).unwrap_or_else(|| self.open(engine, target, cell)),
                false,
            );
        }
        let whole = |value: i128| u64::try_from(value).ok();
        let interval = |lower, upper| (Outcome::Interval { lower, upper, holes: Vec::new() }, true);
        let found = engine.interval(target);
        match (found.lower.and_then(whole), found.upper.map(|upper| upper.map(whole))) {
            (Some(lower), Some(Some(Some(upper)))) => interval(lower, Some(upper)),
            (Some(lower), Some(None)) => interval(lower, None),
            // of strict files what matters is settled more easily than the ends
            _ if self.publication.lists_unrelated => {
                let found = settled(engine, target, self.asked.min_count);
                (found.unwrap_or_else(|| self.open(engine, target, cell)), false)
            }
            _ => (self.open(engine, target, cell), false),
        }
    }

    /// Not settled: what bounds alone say.
    fn open(&self, engine: &Engine, target: usize, cell: CellIndex) -> Outcome {
        let whole = |value: i128| u64::try_from(value).ok();
        let (low, high) = engine.outer(target);
        let meaning = self.publication.cells[cell].withheld().map(|(_, meaning)| meaning);
        Outcome::NotCertified {
            lower: low.and_then(whole).or(meaning.map(|meaning| meaning.lower)).unwrap_or(0),
            upper: high.and_then(whole),
        }
    }

    /// Makes the set of contradicting relations small: one after the other is left out if the rest still contradict.
    fn contradiction(&mut self, block: &Block, first: Vec<RelationIndex>, share: Budget) -> Contradiction {
        let rules_out = |relations: &[RelationIndex]| {
            let view = derive::view(self.publication, self.rows, &block.cells, relations);
            is_empty(&view, block.cells.len(), share, self.abort)
        };
        let kept = if rules_out(&first) { first } else { block.relations.clone() };
        let (kept, is_minimal) = derive::fewest(kept, MOST_TESTS, &rules_out);
        Contradiction { is_minimal, relations: kept, cells: block.cells.clone() }
    }
}

/// Which values under the threshold can be, and whether there is more than one at all; `None` when not settled.
fn settled(engine: &mut Engine, target: usize, min_count: u64) -> Option<Outcome> {
    let (low, high) = engine.outer(target);
    let (low, least) = (low.unwrap_or(0).max(0), i128::from(min_count));
    let mut values: Vec<i128> = (low..high.map_or(least, |high| least.min(high + 1))).collect();
    if let Some(known) = engine.known(target) {
        values.sort_by_key(|value| (value - known).abs()); // a step shown is often shown again, twice as long
    }
    let mut possible = Vec::new();
    if values.iter().any(|value| !engine.has_seen(target, *value)) {
        engine.survey(target, least);
    }
    for value in &values {
        match engine.attainable(target, *value).0 {
            Reach::Yes => possible.push(*value),
            Reach::No => {}
            Reach::Unknown => return None,
        }
    }
    let above = match values.is_empty() || high.is_none_or(|high| high >= least) {
        true => engine.within(target, Some(least.max(low)), None).0,
        false => Reach::No,
    };
    if above == Reach::Unknown {
        return None;
    }
    possible.sort_unstable();
    if possible.is_empty() {
        let value = engine.known(target)?;
        let up = engine.within(target, Some(value + 1), None).0;
        let down = if up == Reach::Yes { Reach::No } else { engine.within(target, None, Some(value - 1)).0 };
        match (up, down) {
            (Reach::Yes, _) | (_, Reach::Yes) => {}
            (Reach::No, Reach::No) => return exact(&[value]),
            _ => return None,
        }
    } else if above == Reach::No {
        return exact(&possible);
    }
    let whole = |value: i128| u64::try_from(value).ok();
    let lower = possible.first().copied().unwrap_or(low);
    let holes = (lower..least).filter(|value| !possible.contains(value)).filter_map(whole).collect();
    Some(Outcome::Shown { lower: whole(lower)?, upper: high.and_then(whole), holes })
}

/// The interval of all values that can be.
fn exact(possible: &[i128]) -> Option<Outcome> {
    let whole = |value: i128| u64::try_from(value).ok();
    let (lower, upper) = (*possible.first()?, *possible.last()?);
    let holes = (lower..upper).filter(|value| !possible.contains(value)).filter_map(whole).collect();
    Some(Outcome::Interval { lower: whole(lower)?, upper: Some(whole(upper)?), holes })
}

/// The values between the ends that cannot be: all under the threshold, and a few more. A value under the threshold that
/// is not settled leaves the cell not certified; one over it counts as possible.
fn find_holes(engine: &mut Engine, target: usize, outcome: &mut Outcome, min_count: u64) {
    let Outcome::Interval { lower, upper, holes } = outcome else { return };
    let last = lower.saturating_add(MOST_HOLES).max(min_count);
    let end = upper.map_or(last, |upper| upper.min(last));
    for value in lower.saturating_add(1)..end {
        match engine.attainable(target, i128::from(value)).0 {
            Reach::Yes => {}
            Reach::No => holes.push(value),
            Reach::Unknown if value < min_count => {
                *outcome = Outcome::NotCertified { lower: *lower, upper: *upper };
                return;
            }
            Reach::Unknown => {}
        }
    }
}

/// The least and the largest value of a cell that is settled under the threshold only; what is not found leaves the
/// outcome as it is.
fn find_ends(engine: &mut Engine, target: usize, outcome: &mut Outcome) {
    let Outcome::Shown { lower, upper, holes } = outcome else { return };
    let Some(known) = engine.known(target) else { return };
    let most = match upper {
        Some(upper) => i128::from(*upper),
        None if engine.within(target, Some(MOST_COUNT), None).0 == Reach::Yes => MOST_COUNT,
        None => MOST_COUNT - 1,
    };
    let largest = last(known, most, &mut |value| engine.within(target, Some(value), None).0);
    let least = last(-known, -i128::from(*lower), &mut |value| engine.within(target, None, Some(-value)).0);
    if let (Some(largest), Some(least)) = (largest, least.and_then(|least| u64::try_from(-least).ok())) {
        let upper = u64::try_from(largest).ok().filter(|_| largest < MOST_COUNT);
        let holes =
            holes.iter().copied().filter(|hole| least < *hole && upper.is_none_or(|upper| *hole < upper));
        *outcome = Outcome::Interval { lower: least, upper, holes: holes.collect() };
    }
}

/// The last value from `from`, which can be, to `to` for which the answer is yes; `None` when that is not settled.
fn last(from: i128, to: i128, ask: &mut dyn FnMut(i128) -> Reach) -> Option<i128> {
    let (mut can, mut end, mut next) = (from, to, to);
    while can < end {
        match ask(next) {
            Reach::Yes => can = next,
            Reach::No => end = next - 1,
            Reach::Unknown => return None,
        }
        next = can + (end - can + 1) / 2;
    }
    Some(can)
}

/// Whether no table satisfies the view; `sum` is the target of all cells.
fn is_empty(view: &View, sum: usize, budget: Budget, abort: Abort<'_>) -> bool {
    match Engine::new(view, budget, abort) {
        Err(_) => true,
        Ok(mut engine) => engine.within(sum, None, None).0 == Reach::No,
    }
}
