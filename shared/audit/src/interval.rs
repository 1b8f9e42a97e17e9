//! The exact integer interval of a target, and the holes in it.
//!
//! In order of cost: bound propagation; points already found (a point that satisfies every row shows the value of
//! every target at once); a branching search over the connected block, exact both ways; an integer program whose
//! point is verified here in exact integers. What none of them settles within the [`Budget`] is [`Reach::Unknown`]:
//! *not certified*, never *safe*.
//!
//! Invariant: `Reach::Yes` is only returned after a full integer point of the block has been checked row by row;
//! `Reach::No` only from exact propagation, an exhausted search, or a program that is infeasible by a margin.

mod large;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::budget::Budget;
use crate::program::{Claim, Program};
use crate::propagate::{Empty, Propagator, Reasons, range};
use crate::rows::{Domain, Row, Rows};
use crate::view::{SourceIndex, TargetIndex, View};

/// Over this no counts exist: a target that can reach it has no upper end.
const ENDLESS: i128 = 1 << 28;

/// Propagations that one search may cost in all.
const SEARCH_SHARE: u64 = 4;

/// Relations that no integer table satisfies: a wrong figure, or a mark that does not mean what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the relations contradict each other")]
pub struct Contradiction {
    /// Sources that took part.
    pub sources: Vec<SourceIndex>,
}

/// Whether a value can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A verified table has it.
    Yes,
    /// None has.
    No,
    /// Not settled within the budget.
    Unknown,
}

/// How it was settled, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Bounds alone, or a point found before.
    Propagation,
    /// The branching search.
    Search,
    /// An integer program, verified.
    Program,
}

/// The range of a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Least value; `None` when not settled.
    pub lower: Option<i128>,
    /// Largest value; `None` when not settled, `Some(None)` when there is no end.
    pub upper: Option<Option<i128>>,
}

impl std::fmt::Debug for Interval {
    /// Prints no bound (STAY-1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interval(..)")
    }
}

/// A connected block of rows over undetermined variables.
#[derive(Default)]
struct Block {
    variables: Vec<u32>,
    rows: Vec<u32>,
    /// Whether [`Known`] holds a table of it, once one was looked for.
    known: Option<Reach>,
}

/// A verified table of the blocks that have one.
struct Known {
    point: Vec<i128>,
    /// What each row comes to.
    sums: Vec<i128>,
}

/// Figures that do not agree with the relations: not what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the figures do not satisfy the relations")]
pub struct NotThis {
    /// A relation that they break; none when it is a variable's own bound.
    pub relation: Option<SourceIndex>,
}

/// Answers range questions about one view.
pub struct Engine<'a> {
    rows: Rows,
    root: Domain,
    reasons: Reasons,
    blocks: Vec<Block>,
    block_of: Vec<Option<u32>>,
    /// Values of targets seen in verified points.
    seen: Vec<BTreeMap<i128, ()>>,
    known: Known,
    cores: HashMap<u32, Rc<large::Core>>,
    /// Whom each variable belongs to, where [`Engine::owners`] said so.
    owner_of: Vec<Option<u32>>,
    /// Per target those who take part in every movement of it.
    common: Vec<Option<BTreeSet<u32>>>,
    /// The targets each variable is in.
    targets_of: Vec<Vec<u32>>,
    budget: Budget,
    questions: u64,
    programs: u64,
    /// Surveys in a row that moved few targets.
    idle: u32,
    abort: &'a dyn Fn() -> bool,
}

impl<'a> Engine<'a> {
    /// Lumps, propagates and splits a view. `abort` is asked between steps and may stop the work early.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn new(view: &View, budget: Budget, abort: &'a dyn Fn() -> bool) -> Result<Self, Contradiction> {
        let rows = Rows::new(view);
        let mut root = rows.start.clone();
        let mut reasons = Reasons { of: vec![Vec::new(); root.lower.len()] };
        let mut work =
            Propagator { rows: &rows.rows, rows_of: &rows.rows_of, extra: None, steps: budget.propagation };
        if let Err(Empty(last)) = work.run(&mut root, 0..rows.rows.len() as u32, Some(&mut reasons)) {
            let last = &rows.rows[last as usize];
            let near = last.terms.iter().flat_map(|(at, _)| &reasons.of[*at as usize]);
            let mut sources: Vec<SourceIndex> =
                near.filter_map(|row| rows.rows[*row as usize].source).chain(last.source).collect();
            sources.sort_unstable();
            sources.dedup();
            return Err(Contradiction { sources });
        }
        let (blocks, block_of) = split(&rows, &root);
        let seen = vec![BTreeMap::new(); rows.targets.len()];
        let mut targets_of = vec![Vec::new(); root.lower.len()];
        for (target, terms) in rows.targets.iter().enumerate() {
            terms.iter().for_each(|(at, _)| targets_of[*at as usize].push(target as u32));
        }
        let known = Known { point: root.lower.clone(), sums: vec![0; rows.rows.len()] };
        let (questions, programs) = (0, 0);
        let common = vec![None; rows.targets.len()];
        Ok(Self {
            rows,
            root,
            reasons,
            blocks,
            block_of,
            seen,
            known,
            cores: HashMap::new(),
            owner_of: Vec::new(),
            common,
            targets_of,
            budget,
            questions,
            programs,
            idle: 0,
            abort,
        })
    }

    /// Range questions asked so far.
    pub fn questions(&self) -> u64 {
        self.questions
    }

    /// The value of a target that bounds alone pin.
    pub fn pinned(&self, target: TargetIndex) -> Option<i128> {
        let (low, high) = range(&self.root, &self.rows.targets[target]);
        low.filter(|low| high == Some(*low))
    }

    /// The least and largest value that bounds alone allow: a superset of the exact interval.
    pub fn outer(&self, target: TargetIndex) -> (Option<i128>, Option<i128>) {
        range(&self.root, &self.rows.targets[target])
    }

    /// Whether the target can be `value`.
    pub fn attainable(&mut self, target: TargetIndex, value: i128) -> (Reach, Means) {
        self.within(target, Some(value), Some(value))
    }

    /// The exact interval of a target.
    pub fn interval(&mut self, target: TargetIndex) -> Interval {
        let (outer_low, outer_high) = self.outer(target);
        let upper = match outer_high {
            Some(high) => self.end(target, high, outer_low, false).map(Some),
            None => match self.within(target, Some(ENDLESS), None).0 {
                Reach::Yes => Some(None),
                Reach::No => self.end(target, ENDLESS, outer_low, false).map(Some),
                Reach::Unknown => None,
            },
        };
        let lower = match outer_low {
            Some(low) => self.end(target, low, outer_high, true),
            None => self.end(target, -ENDLESS, outer_high, true),
        };
        Interval { lower, upper }
    }

    /// The outermost attainable value from `outer` inward. Asks for half-lines, which are monotone, so bisection is
    /// exact in spite of holes.
    fn end(&mut self, target: TargetIndex, outer: i128, inner: Option<i128>, lower: bool) -> Option<i128> {
        let ask = |engine: &mut Self, value: i128| {
            if lower {
                engine.within(target, None, Some(value)).0
            } else {
                engine.within(target, Some(value), None).0
            }
        };
        let sign = if lower { 1 } else { -1 };
        let (mut no, mut step) = (outer - sign, 1i128);
        let mut yes = loop {
            let at = match inner {
                Some(inner) if sign * (no + sign * step - inner) > 0 => inner,
                _ => no + sign * step,
            };
            match ask(self, at) {
                Reach::Yes => break at,
                Reach::No if inner == Some(at) => return None,
                Reach::No => no = at,
                Reach::Unknown => return None,
            }
            step *= 2;
        };
        while (yes - no).abs() > 1 {
            let middle = no + (yes - no) / 2;
            match ask(self, middle) {
                Reach::Yes => yes = middle,
                Reach::No => no = middle,
                Reach::Unknown => return None,
            }
        }
        Some(yes)
    }

    /// Whether the target can lie in `lo..=hi`.
    pub fn within(&mut self, target: TargetIndex, lo: Option<i128>, hi: Option<i128>) -> (Reach, Means) {
        if !self.seen[target].is_empty() {
            let mut known = self.seen[target].keys();
            if known.any(|value| lo.is_none_or(|lo| lo <= *value) && hi.is_none_or(|hi| *value <= hi)) {
                return (Reach::Yes, Means::Propagation);
            }
        }
        let (low, high) = self.outer(target);
        if lo.zip(high).is_some_and(|(lo, high)| lo > high) || hi.zip(low).is_some_and(|(hi, low)| hi < low) {
            return (Reach::No, Means::Propagation);
        }
        if self.questions >= self.budget.questions || (self.abort)() {
            return (Reach::Unknown, Means::Search);
        }
        self.questions += 1;
        let question = Row { terms: self.rows.targets[target].clone(), lo, hi, source: None };
        let touched = self.touched(&question);
        if touched.iter().any(|at| self.blocks[*at as usize].variables.len() > self.budget.large) {
            return self.answer_large(&touched, &question);
        }
        let block = self.joined(touched);
        self.answer(&block, &question)
    }

    /// The blocks a question touches.
    fn touched(&self, question: &Row) -> Vec<u32> {
        let mut touched: Vec<u32> =
            question.terms.iter().filter_map(|(variable, _)| self.block_of[*variable as usize]).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Blocks as one.
    fn joined(&self, touched: Vec<u32>) -> Block {
        let mut joined = Block::default();
        for at in touched {
            joined.variables.extend(&self.blocks[at as usize].variables);
            joined.rows.extend(&self.blocks[at as usize].rows);
        }
        joined.variables.sort_unstable();
        joined
    }

    fn answer(&mut self, block: &Block, question: &Row) -> (Reach, Means) {
        let mut domain = self.root.clone();
        let fresh = self.rows.rows.len() as u32;
        if self.propagator(question).run(&mut domain, [fresh], None).is_err() {
            return (Reach::No, Means::Propagation);
        }
        if block.variables.iter().all(|at| domain.fixed(*at as usize).is_some()) {
            return self.settle(block, question, &domain, Means::Propagation);
        }
        match self.search(block, question, domain.clone(), self.budget.branches) {
            (Reach::Unknown, _) => match self.program(block, question, &domain) {
                (Reach::Unknown, _) => self.search(block, question, domain, self.budget.last_branches),
                settled => settled,
            },
            settled => settled,
        }
    }

    fn propagator<'r>(&'r self, question: &'r Row) -> Propagator<'r> {
        let steps = self.budget.propagation;
        Propagator { rows: &self.rows.rows, rows_of: &self.rows.rows_of, extra: Some(question), steps }
    }

    /// Depth first, smallest domain first, halving.
    fn search(&mut self, block: &Block, question: &Row, start: Domain, branches: u64) -> (Reach, Means) {
        let mut left = branches;
        let mut stack = vec![start];
        // Bounds that creep without end would cost a whole propagation in every branch.
        let mut steps = self.budget.propagation.saturating_mul(SEARCH_SHARE);
        while let Some(domain) = stack.pop() {
            let width = |at: u32| domain.width(at as usize).unwrap_or(i128::MAX);
            let open = block
                .variables
                .iter()
                .copied()
                .filter(|at| width(*at) > 0)
                .min_by_key(|at| (width(*at), *at));
            let Some(pick) = open else {
                match self.settle(block, question, &domain, Means::Search) {
                    (Reach::Yes, means) => return (Reach::Yes, means),
                    _ => continue,
                }
            };
            if left < 2 || steps == 0 || (self.abort)() {
                return (Reach::Unknown, Means::Search);
            }
            for half in halves(&domain, pick as usize) {
                left -= 1;
                let mut half = half;
                let mut seeds = self.rows.rows_of[pick as usize].clone();
                seeds.push(self.rows.rows.len() as u32);
                let mut work = self.propagator(question);
                work.steps = work.steps.min(steps);
                let before = work.steps;
                if work.run(&mut half, seeds, None).is_ok() {
                    stack.push(half);
                }
                steps -= before - work.steps;
            }
        }
        (Reach::No, Means::Search)
    }

    fn program(&mut self, block: &Block, question: &Row, domain: &Domain) -> (Reach, Means) {
        match self.point(block, question, domain, false) {
            Ok(point) => match self.settle(block, question, &point, Means::Program) {
                (Reach::Yes, means) => (Reach::Yes, means),
                _ => (Reach::Unknown, Means::Program),
            },
            Err(reach) => (reach, Means::Program),
        }
    }

    /// A point of the block that the program claims, to be verified; or that there is none, or no answer.
    fn point(&self, block: &Block, question: &Row, domain: &Domain, spread: bool) -> Result<Domain, Reach> {
        let variables: Vec<u32> =
            block.variables.iter().copied().filter(|at| domain.fixed(*at as usize).is_none()).collect();
        let mut rows: Vec<&Row> = block.rows.iter().map(|row| &self.rows.rows[*row as usize]).collect();
        rows.push(question);
        let loose = (variables.len() > self.budget.large).then_some(&self.rows.start);
        let program = Program { variables: &variables, rows: &rows, domain, loose, spread };
        if program.coefficients() > self.budget.coefficients {
            return Err(Reach::Unknown);
        }
        match program.solve(self.budget.nodes) {
            Claim::Point(values) => {
                let mut point = domain.clone();
                for (variable, value) in variables.iter().zip(values) {
                    point.lower[*variable as usize] = value;
                    point.upper[*variable as usize] = Some(value);
                }
                Ok(point)
            }
            Claim::Nothing => Err(Reach::No),
            Claim::Unknown => Err(Reach::Unknown),
        }
    }

    /// Checks a full point of the block exactly and remembers the targets it shows.
    fn settle(&mut self, block: &Block, question: &Row, point: &Domain, means: Means) -> (Reach, Means) {
        let value = |terms: &[(u32, i64)]| {
            terms.iter().map(|(at, factor)| point.lower[*at as usize] * i128::from(*factor)).sum::<i128>()
        };
        let inside = block.variables.iter().all(|at| {
            let (at, chosen) = (*at as usize, point.lower[*at as usize]);
            self.root.lower[at] <= chosen && self.root.upper[at].is_none_or(|upper| chosen <= upper)
        });
        let holds = |row: &Row| {
            let sum = value(&row.terms);
            row.lo.is_none_or(|lo| lo <= sum) && row.hi.is_none_or(|hi| sum <= hi)
        };
        if !inside || !holds(question) || !block.rows.iter().all(|row| holds(&self.rows.rows[*row as usize]))
        {
            return (Reach::No, means);
        }
        for (target, terms) in self.rows.targets.iter().enumerate() {
            let known = |at: u32| {
                self.root.fixed(at as usize).is_some() || block.variables.binary_search(&at).is_ok()
            };
            if terms.iter().all(|(at, _)| known(*at)) {
                self.seen[target].insert(value(terms), ());
            }
        }
        (Reach::Yes, means)
    }

    /// The sources that bound a target, nearest first, at most `limit`.
    pub fn sources(&self, target: TargetIndex, limit: usize) -> Vec<SourceIndex> {
        let mut rows_seen = vec![false; self.rows.rows.len()];
        let mut seen = vec![false; self.root.lower.len()];
        let mut queue: std::collections::VecDeque<u32> =
            self.rows.targets[target].iter().map(|(at, _)| *at).collect();
        let mut found = Vec::new();
        while let Some(variable) = queue.pop_front() {
            if std::mem::replace(&mut seen[variable as usize], true) {
                continue;
            }
            for row in &self.reasons.of[variable as usize] {
                if std::mem::replace(&mut rows_seen[*row as usize], true) {
                    continue;
                }
                if let Some(source) = self.rows.rows[*row as usize].source {
                    found.push(source);
                }
                if found.len() >= limit {
                    return found;
                }
                queue.extend(self.rows.rows[*row as usize].terms.iter().map(|(at, _)| *at));
            }
        }
        found
    }
}

/// The two halves of a variable's values, the one to try first last.
fn halves(domain: &Domain, at: usize) -> [Domain; 2] {
    let low = domain.lower[at];
    let middle = match domain.upper[at] {
        Some(upper) if upper - low > 8 => low + (upper - low) / 2,
        _ => low,
    };
    let (mut less, mut more) = (domain.clone(), domain.clone());
    less.upper[at] = Some(middle);
    more.lower[at] = middle + 1;
    [more, less]
}

/// Connected components of undetermined variables over rows that hold at least one.
fn split(rows: &Rows, root: &Domain) -> (Vec<Block>, Vec<Option<u32>>) {
    let open = |at: u32| root.fixed(at as usize).is_none();
    let mut leader: Vec<u32> = (0..root.lower.len() as u32).collect();
    for row in &rows.rows {
        let mut held = row.terms.iter().map(|(at, _)| *at).filter(|at| open(*at));
        if let Some(first) = held.next() {
            for other in held {
                let (a, b) = (find(&mut leader, first), find(&mut leader, other));
                leader[a.max(b) as usize] = a.min(b);
            }
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of: Vec<Option<u32>> = vec![None; leader.len()];
    for at in (0..leader.len() as u32).filter(|at| open(*at)) {
        let top = find(&mut leader, at) as usize; // leaders are the smallest members, so seen first
        let block = *block_of[top].get_or_insert_with(|| {
            blocks.push(Block::default());
            blocks.len() as u32 - 1
        });
        block_of[at as usize] = Some(block);
        blocks[block as usize].variables.push(at);
    }
    for (at, row) in rows.rows.iter().enumerate() {
        if let Some(block) = row.terms.iter().find_map(|(variable, _)| block_of[*variable as usize]) {
            blocks[block as usize].rows.push(at as u32);
        }
    }
    (blocks, block_of)
}

fn find(leader: &mut [u32], at: u32) -> u32 {
    let mut top = at;
    while leader[top as usize] != top {
        top = leader[top as usize];
    }
    let mut walk = at;
    while leader[walk as usize] != top {
        walk = std::mem::replace(&mut leader[walk as usize], top);
    }
    top
}
