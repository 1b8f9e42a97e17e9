//! Questions about large blocks, answered from a table that is known.
//!
//! The first question about a block finds one table of it by an integer program (or has it from
//! [`Engine::knows`]); every other looks for a movement beside that table ([`Near`]), first in a small
//! neighbourhood, then in larger ones, and for a neighbourhood whose rows rule the question out. Movements are sought
//! among the variables that are left when margins are replaced by their parts ([`Core`]). What neither
//! settles goes to a program of the whole block, of which there are few ([`crate::Budget::programs`]).
//!
//! Invariants as those of [`super`]: a *yes* is a verified table, a *no* is a propagation or a program that is empty
//! by a margin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::{Block, Engine, Means, NotThis, Reach};
use crate::near::{Movement, Near, change};
use crate::presolve::{Ends, Range, Smaller};
use crate::rows::{Domain, Row};
use crate::view::TargetIndex;

/// A block without its margins: rows over the variables that are left, and what the others are made of.
pub(super) struct Core {
    rows: Vec<Row>,
    rows_of: Vec<Vec<u32>>,
    /// What each row comes to in the known table.
    sums: Vec<i128>,
    /// Constant and terms of each variable that was replaced.
    made_of: HashMap<u32, (i128, Vec<(u32, i128)>)>,
    /// The replaced variables that each variable is part of, with its factor.
    part_of: HashMap<u32, Vec<(u32, i128)>>,
}

impl Core {
    fn of(block: &Block, rows: &[Row], root: &Domain, loose: &Domain, point: &[i128]) -> Self {
        let open: Vec<u32> =
            block.variables.iter().copied().filter(|at| root.fixed(*at as usize).is_none()).collect();
        let place = |row: &Row| Range::of(row, &open, root);
        let ranges: Vec<Range> = block.rows.iter().map(|row| place(&rows[*row as usize])).collect();
        let ends = |at: &u32| Ends { lower: loose.lower[*at as usize], upper: loose.upper[*at as usize] };
        let smaller = Smaller::of(&ranges, &open.iter().map(ends).collect::<Vec<_>>());
        let mut made_of = HashMap::new();
        let mut part_of: HashMap<u32, Vec<(u32, i128)>> = HashMap::new();
        for (variable, constant, terms) in smaller.made_of() {
            let variable = open[variable as usize];
            let terms: Vec<(u32, i128)> = terms.into_iter().map(|(at, by)| (open[at as usize], by)).collect();
            terms.iter().for_each(|(at, by)| part_of.entry(*at).or_default().push((variable, *by)));
            made_of.insert(variable, (constant, terms));
        }
        let narrow = |by: i128| i64::try_from(by).unwrap_or(i64::MAX); // products of small factors
        let mut core = Self {
            rows: Vec::new(),
            rows_of: vec![Vec::new(); point.len()],
            sums: Vec::new(),
            made_of,
            part_of,
        };
        for range in smaller.rows {
            let terms: Vec<(u32, i64)> =
                range.terms.iter().map(|(at, by)| (open[*at as usize], narrow(*by))).collect();
            terms.iter().for_each(|(at, _)| core.rows_of[*at as usize].push(core.rows.len() as u32));
            core.sums.push(value(point, &terms));
            core.rows.push(Row { terms, lo: range.lo, hi: range.hi, source: None });
        }
        core
    }

    /// A question over the variables that are left.
    fn asked(&self, question: &Row, root: &Domain) -> Row {
        let (mut constant, mut sum) = (0i128, BTreeMap::<u32, i128>::new());
        for (at, factor) in &question.terms {
            let factor = i128::from(*factor);
            match (self.made_of.get(at), root.fixed(*at as usize)) {
                (_, Some(fixed)) => constant += factor * fixed,
                (Some((own, terms)), _) => {
                    constant += factor * own;
                    terms.iter().for_each(|(at, by)| *sum.entry(*at).or_default() += factor * by);
                }
                (None, None) => *sum.entry(*at).or_default() += factor,
            }
        }
        let narrow = |(at, by): (u32, i128)| i64::try_from(by).ok().filter(|by| *by != 0).map(|by| (at, by));
        let terms = sum.into_iter().filter_map(narrow).collect();
        let shift = |end: Option<i128>| end.map(|end| end - constant);
        Row { terms, lo: shift(question.lo), hi: shift(question.hi), source: None }
    }

    /// A movement of the variables that are left, with what it does to the others.
    fn whole(&self, movement: &[(u32, i128)]) -> Movement {
        let mut all: BTreeMap<u32, i128> = movement.iter().copied().collect();
        for (at, change) in movement {
            for (margin, by) in self.part_of.get(at).into_iter().flatten() {
                *all.entry(*margin).or_default() += by * change;
            }
        }
        all.into_iter().filter(|(_, change)| *change != 0).collect()
    }
}

/// Variables of the neighbourhoods, in the order they are tried; each with another choice among equals.
const YES: [usize; 2] = [500, 3_000];
/// Terms of targets whose values are kept in mind: the sum of a block is no cell.
const MOST_TERMS: usize = 64;
/// Variables of the neighbourhood in which many targets are moved at once.
const SURVEYED: usize = 1_000;
/// Targets moved at once that are too few to go on with.
const FEW: usize = 4;
/// Attempts in a row that moved few, after which no more are made.
const IDLE: u32 = 12;
/// Variables of the neighbourhoods that may rule a question out.
const NO: [usize; 3] = [100, 400, 1_600];

impl Engine<'_> {
    /// Takes a table, a value for every variable of the view, from which movements start.
    ///
    /// # Errors
    /// [`NotThis`] when the table breaks a relation.
    pub fn knows(&mut self, values: &[u64]) -> Result<(), NotThis> {
        let mut point = vec![0i128; self.root.lower.len()];
        for (value, lump) in values.iter().zip(&self.rows.lump_of) {
            point[*lump as usize] += i128::from(*value);
        }
        let inside = |at: usize| {
            self.root.lower[at] <= point[at] && self.root.upper[at].is_none_or(|upper| point[at] <= upper)
        };
        let sums: Vec<i128> = self.rows.rows.iter().map(|row| value(&point, &row.terms)).collect();
        let broken = |(at, sum): (usize, &i128)| {
            let row = &self.rows.rows[at];
            (row.lo.is_some_and(|lo| *sum < lo) || row.hi.is_some_and(|hi| hi < *sum)).then_some(row.source)
        };
        if let Some(relation) = sums.iter().enumerate().find_map(broken) {
            return Err(NotThis { relation });
        }
        if !(0..point.len()).all(inside) {
            return Err(NotThis { relation: None });
        }
        for (target, terms) in self.rows.targets.iter().enumerate() {
            self.seen[target].insert(value(&point, terms), ());
        }
        (self.known.point, self.known.sums) = (point, sums);
        self.blocks.iter_mut().for_each(|block| block.known = Some(Reach::Yes));
        Ok(())
    }

    /// Whether a target lies in a block that is too large for the exact ends of every cell.
    pub fn is_large(&self, target: TargetIndex) -> bool {
        let terms = self.rows.targets[target].iter();
        let blocks = terms.filter_map(|(at, _)| self.block_of[*at as usize]);
        blocks.into_iter().any(|at| self.blocks[at as usize].variables.len() > self.budget.large)
    }

    /// Programs of whole blocks so far, beside the first of each.
    pub fn programs(&self) -> u64 {
        self.programs
    }

    /// A target's value in the known table, if its blocks have one.
    pub fn known(&self, target: TargetIndex) -> Option<i128> {
        let terms = &self.rows.targets[target];
        let mut blocks = terms.iter().filter_map(|(at, _)| self.block_of[*at as usize]);
        let all = blocks.all(|at| self.blocks[at as usize].known == Some(Reach::Yes));
        all.then(|| value(&self.known.point, terms))
    }

    /// Whether a table was found in which a target has a value.
    pub fn has_seen(&self, target: TargetIndex, value: i128) -> bool {
        self.seen[target].contains_key(&value)
    }

    pub(super) fn answer_large(&mut self, touched: &[u32], question: &Row) -> (Reach, Means) {
        for at in touched {
            match self.has_table(*at) {
                Reach::Yes => {}
                missing => return (missing, Means::Program),
            }
        }
        if question.lo.is_none() && question.hi.is_none() {
            return (Reach::Yes, Means::Program);
        }
        let mut domain = self.root.clone();
        let fresh = self.rows.rows.len() as u32;
        if self.propagator(question).run(&mut domain, [fresh], None).is_err() {
            return (Reach::No, Means::Propagation);
        }
        for (turn, size) in YES.into_iter().enumerate() {
            if self.moved(touched, question, size, turn as u64, &|_| false, &[]) {
                return (Reach::Yes, Means::Search);
            }
            if (self.abort)() {
                return (Reach::Unknown, Means::Search);
            }
        }
        for size in NO {
            if self.ruled_out(touched, question, size, &domain) {
                return (Reach::No, Means::Program);
            }
        }
        if self.programs >= self.budget.programs {
            return (Reach::Unknown, Means::Program);
        }
        self.programs += 1;
        let block = self.joined(touched.to_vec());
        self.program(&block, question, &domain)
    }

    /// Says whom each of the view's variables belongs to (a number), so that it is kept who takes part in movements.
    pub fn owners(&mut self, owners: &[Option<u32>]) {
        self.owner_of = vec![None; self.root.lower.len()];
        for (owner, lump) in owners.iter().zip(&self.rows.lump_of) {
            self.owner_of[*lump as usize] = *owner;
        }
    }

    /// Those who take part in every movement of a target that was found; `None` when none was found yet.
    pub fn takes_part(&self, target: TargetIndex) -> Option<&BTreeSet<u32>> {
        self.common[target].as_ref()
    }

    /// Looks for a table in which the target has another value than in the known one, while the cells of some owners
    /// stand still. `true` is a verified table.
    pub fn moves_without(&mut self, target: TargetIndex, still: &BTreeSet<u32>) -> bool {
        let Some(known) = self.known(target) else { return false };
        let owners = std::mem::take(&mut self.owner_of);
        let stands = |at: u32| owners[at as usize].is_some_and(|owner| still.contains(&owner));
        let ends = [(Some(known + 1), None), (None, Some(known - 1))];
        let mut found = false;
        for (turn, size) in YES.into_iter().enumerate() {
            for (lo, hi) in ends {
                if found || (self.abort)() {
                    break;
                }
                let question = Row { terms: self.rows.targets[target].clone(), lo, hi, source: None };
                let touched = self.touched(&question);
                found = self.moved(&touched, &question, size, turn as u64, &stands, &owners);
            }
        }
        self.owner_of = owners;
        found
    }

    fn near<'n>(&'n self, still: &'n dyn Fn(u32) -> bool) -> Near<'n> {
        Near {
            rows: &self.rows.rows,
            rows_of: &self.rows.rows_of,
            root: &self.root,
            point: &self.known.point,
            sums: &self.known.sums,
            still,
        }
    }

    fn ruled_out(&mut self, touched: &[u32], question: &Row, size: usize, domain: &Domain) -> bool {
        let [block] = touched else { return false };
        let core = self.core(*block);
        let asked = core.asked(question, &self.root);
        let near =
            Near { rows: &core.rows, rows_of: &core.rows_of, sums: &core.sums, ..self.near(&|_| false) };
        let start: Vec<u32> = asked.terms.iter().map(|(at, _)| *at).collect();
        near.ruled_out(&asked, &near.window(&start, size, 0), domain)
    }

    /// Looks for a movement in one neighbourhood, and remembers all that it and its multiples show.
    fn moved(
        &mut self,
        touched: &[u32],
        question: &Row,
        size: usize,
        turn: u64,
        still: &dyn Fn(u32) -> bool,
        owners: &[Option<u32>],
    ) -> bool {
        let [block] = touched else { return false }; // a target is one cell, of one block
        let core = self.core(*block);
        let asked = core.asked(question, &self.root);
        let inner = Near { rows: &core.rows, rows_of: &core.rows_of, sums: &core.sums, ..self.near(still) };
        let start: Vec<u32> = asked.terms.iter().map(|(at, _)| *at).collect();
        let Some(movement) = inner.movement(&asked, &inner.window(&start, size, turn)) else {
            return false;
        };
        let outer = self.near(still);
        let movement = core.whole(&movement);
        // a margin that was replaced by its parts moves with them: it may be one that stands still
        let keeps_still = !movement.iter().any(|(at, _)| still(*at));
        if !keeps_still || !outer.holds(&movement) || !outer.answers(question, &movement) {
            return false;
        }
        let scaled = |times: i128| movement.iter().map(|(at, change)| (*at, change * times)).collect();
        let others: Vec<Movement> = [-3, -2, -1, 2, 3]
            .map(scaled)
            .into_iter()
            .filter(|other: &Movement| outer.holds(other))
            .collect();
        for shown in others.iter().chain([&movement]) {
            self.remember(shown, owners);
        }
        true
    }

    /// Moves as many small targets as it can at once, beside one of them: first up, then down. Answers nothing by itself;
    /// what it shows is remembered.
    pub fn survey(&mut self, target: TargetIndex, least: i128) {
        let question = Row { terms: self.rows.targets[target].clone(), lo: None, hi: None, source: None };
        let touched = self.touched(&question);
        let [block] = touched.as_slice() else { return };
        if self.idle >= IDLE || self.has_table(*block) != Reach::Yes || (self.abort)() {
            return;
        }
        let mut most = 0;
        let core = self.core(*block);
        let start: Vec<u32> = core.asked(&question, &self.root).terms.iter().map(|(at, _)| *at).collect();
        for sign in [1, -1] {
            let near = self.near(&|_| false);
            let inner = Near { rows: &core.rows, rows_of: &core.rows_of, sums: &core.sums, ..near };
            let wanted = |at: u32| {
                let now = self.known.point[at as usize];
                let goal = now + sign;
                let open = |target: &u32| {
                    self.rows.targets[*target as usize].len() == 1
                        && !self.seen[*target as usize].contains_key(&goal)
                };
                let small = now < least && goal >= self.root.lower[at as usize];
                if small && self.targets_of[at as usize].iter().any(open) { sign } else { 0 }
            };
            let Some(movement) = inner.many(&inner.window(&start, SURVEYED, 0), &wanted) else { continue };
            most = most.max(movement.iter().filter(|(at, _)| wanted(*at) != 0).count());
            let movement = core.whole(&movement);
            let outer = self.near(&|_| false);
            let scaled = |times: i128| movement.iter().map(|(at, change)| (*at, change * times)).collect();
            let shown: Vec<Movement> = [1, 2, -1, -2]
                .map(scaled)
                .into_iter()
                .filter(|other: &Movement| outer.holds(other))
                .collect();
            shown.iter().for_each(|movement| self.remember(movement, &[]));
        }
        self.idle = if most < FEW { self.idle + 1 } else { 0 };
    }

    fn core(&mut self, at: u32) -> Rc<Core> {
        if let Some(core) = self.cores.get(&at) {
            return core.clone();
        }
        let block = &self.blocks[at as usize];
        let core = Core::of(block, &self.rows.rows, &self.root, &self.rows.start, &self.known.point);
        let core = Rc::new(core);
        self.cores.insert(at, core.clone());
        core
    }

    /// The targets' values after a verified movement.
    fn remember(&mut self, movement: &[(u32, i128)], owners: &[Option<u32>]) {
        let parties: BTreeSet<u32> =
            movement.iter().filter_map(|(at, _)| owners.get(*at as usize).copied().flatten()).collect();
        let mut targets: Vec<u32> =
            movement.iter().flat_map(|(at, _)| self.targets_of[*at as usize].iter().copied()).collect();
        targets.sort_unstable();
        targets.dedup();
        for target in targets {
            let terms = &self.rows.targets[target as usize];
            if terms.len() > MOST_TERMS {
                continue; // the sum of a block: nobody asks for its values
            }
            let moved = change(terms, movement);
            let now = value(&self.known.point, terms) + moved;
            self.seen[target as usize].insert(now, ());
            if moved != 0 && !owners.is_empty() {
                let common = self.common[target as usize].get_or_insert_with(|| parties.clone());
                common.retain(|party| parties.contains(party));
            }
        }
    }

    /// Whether a table of a block is known; the first time, one is looked for.
    fn has_table(&mut self, at: u32) -> Reach {
        if let Some(known) = self.blocks[at as usize].known {
            return known;
        }
        let block = std::mem::take(&mut self.blocks[at as usize]);
        let anything = Row { terms: Vec::new(), lo: None, hi: None, source: None };
        let root = self.root.clone();
        let known = match self.point(&block, &anything, &root, true) {
            Err(reach) => reach,
            Ok(point) => match self.settle(&block, &anything, &point, Means::Program).0 {
                Reach::Yes => {
                    self.keep(&block, &point);
                    Reach::Yes
                }
                _ => Reach::Unknown,
            },
        };
        self.blocks[at as usize] = Block { known: Some(known), ..block };
        known
    }

    fn keep(&mut self, block: &Block, point: &Domain) {
        for variable in &block.variables {
            self.known.point[*variable as usize] = point.lower[*variable as usize];
        }
        for row in &block.rows {
            self.known.sums[*row as usize] = value(&self.known.point, &self.rows.rows[*row as usize].terms);
        }
    }
}

fn value(point: &[i128], terms: &[(u32, i64)]) -> i128 {
    terms.iter().map(|(at, factor)| point[*at as usize] * i128::from(*factor)).sum()
}
