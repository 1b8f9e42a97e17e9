//! Cuts the records of a collection into atoms.
//!
//! A [`Condition`] says which records a cell holds: a span of days and, for some variables, which codes they may have, alone or
//! as the first of several (a missing value is in no set). The *signature* of a record is the set of conditions it meets; records of equal
//! signature form an *atom*. The product of all codes is never enumerated: the automaton reads one variable after
//! the other and merges every state that leaves the same conditions alive, so its size follows the number of atoms.
//!
//! Invariants: atoms are disjoint and cover exactly the records that meet at least one condition; classification of
//! a record is one table look-up a variable. Deterministic.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::civil::Date;

use crate::codebook::{Allowed, CodeIndex, Codebook, Given, VariableIndex};

/// Most states of one automaton: bounds memory to some hundred MiB.
pub const MAX_STATES: usize = 1 << 20;

/// Which records a cell holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// First and last day.
    pub days: (Date, Date),
    /// Variables that must be known and hold one of these codes.
    pub codes: BTreeMap<VariableIndex, Allowed>,
}

/// A set of small numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The empty set over `0..size`.
    pub fn empty(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    /// Adds a member; `at` must be under the size given at creation.
    pub fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Whether the set holds `at`.
    pub fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|at| self.contains(*at))
    }

    fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }
}

/// More states than [`MAX_STATES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tables cut the records into more than {MAX_STATES} kinds; ask for fewer or smaller tables")]
pub struct TooManyAtoms;

const DEAD: u32 = u32::MAX;

#[derive(Debug, Clone)]
struct Step {
    variable: VariableIndex,
    /// Class of each code alone and as the first of several, by turns; the last entry is the class of a missing value.
    class_of: Vec<u32>,
    classes: usize,
    /// `next[state * classes + class]`, [`DEAD`] when nothing is left.
    next: Vec<u32>,
}

/// Takes records to atoms.
#[derive(Debug, Clone)]
pub struct Automaton {
    starts: Vec<Date>,
    start_state: Vec<u32>,
    steps: Vec<Step>,
    signatures: Vec<Arc<Bits>>,
}

impl Automaton {
    /// Builds the automaton of a list of conditions.
    ///
    /// # Errors
    /// [`TooManyAtoms`].
    pub fn new(conditions: &[Condition], codebook: &Codebook) -> Result<Self, TooManyAtoms> {
        let starts = cuts(conditions);
        let mut frontier = Frontier::default();
        let mut start_state = Vec::with_capacity(starts.len());
        for first in &starts {
            let mut alive = Bits::empty(conditions.len());
            for (at, condition) in conditions.iter().enumerate() {
                if condition.days.0 <= *first && *first <= condition.days.1 {
                    alive.insert(at);
                }
            }
            start_state.push(frontier.state(alive)?);
        }
        let used: BTreeSet<_> = conditions.iter().flat_map(|c| c.codes.keys().copied()).collect();
        let mut steps = Vec::with_capacity(used.len());
        for variable in used {
            let (step, next) = advance(variable, conditions, codebook, &frontier)?;
            steps.push(step);
            frontier = next;
        }
        Ok(Self { starts, start_state, steps, signatures: frontier.states })
    }

    /// The conditions that hold for the records of each atom; none any more after [`Self::forget_signatures`].
    pub fn signatures(&self) -> &[Arc<Bits>] {
        &self.signatures
    }

    /// Gives back what only building needs: of thousands of cells it is most of the memory.
    pub fn forget_signatures(&mut self) {
        self.signatures = Vec::new();
    }

    /// The atom of a record: its date and, for each variable of the codebook, its code if known.
    pub fn classify<G: Into<Given> + Copy>(&self, date: Date, codes: &[Option<G>]) -> Option<u32> {
        self.walk(date, |variable| codes.get(variable).copied().flatten().map(Into::into))
    }

    /// The atom of a record of which `given` says what it has of each variable.
    pub(crate) fn walk(&self, date: Date, given: impl Fn(VariableIndex) -> Option<Given>) -> Option<u32> {
        let segment = self.starts.partition_point(|first| *first <= date).checked_sub(1)?;
        let mut state = self.start_state[segment];
        for step in &self.steps {
            if state == DEAD {
                return None;
            }
            let missing = step.class_of.len() - 1;
            let value = given(step.variable).map_or(missing, value_of);
            let class = step.class_of[value.min(missing)] as usize;
            state = step.next[state as usize * step.classes + class];
        }
        (state != DEAD).then_some(state)
    }
}

/// The place of a value in [`Step::class_of`].
fn value_of(given: Given) -> usize {
    2 * usize::from(given.code) + usize::from(given.several())
}

/// The first days of the elementary spans that all conditions' spans are unions of.
fn cuts(conditions: &[Condition]) -> Vec<Date> {
    let mut cuts = BTreeSet::new();
    for condition in conditions {
        cuts.insert(condition.days.0);
        if let Ok(after) = condition.days.1.tomorrow() {
            cuts.insert(after);
        }
    }
    cuts.into_iter().collect()
}

#[derive(Default)]
struct Frontier {
    states: Vec<Arc<Bits>>,
    index: HashMap<Arc<Bits>, u32>,
}

impl Frontier {
    fn state(&mut self, alive: Bits) -> Result<u32, TooManyAtoms> {
        if alive.is_empty() {
            return Ok(DEAD);
        }
        if let Some(known) = self.index.get(&alive) {
            return Ok(*known);
        }
        if self.states.len() >= MAX_STATES {
            return Err(TooManyAtoms);
        }
        let (fresh, alive) = (self.states.len() as u32, Arc::new(alive));
        self.states.push(alive.clone());
        self.index.insert(alive, fresh);
        Ok(fresh)
    }
}

fn advance(
    variable: VariableIndex,
    conditions: &[Condition],
    codebook: &Codebook,
    from: &Frontier,
) -> Result<(Step, Frontier), TooManyAtoms> {
    let codes = (0..).take(codebook.variables[variable].codes.len());
    let values = codes.flat_map(|code: CodeIndex| [(code, false), (code, true)]);
    let mut classes = Vec::<Bits>::new();
    let mut class_of = Vec::new();
    for value in values.map(Some).chain([None]) {
        let meets = meeting(variable, value, conditions);
        let class = classes.iter().position(|known| *known == meets).unwrap_or_else(|| {
            classes.push(meets);
            classes.len() - 1
        });
        class_of.push(class as u32);
    }
    let mut to = Frontier::default();
    let mut next = Vec::with_capacity(from.states.len() * classes.len());
    for state in &from.states {
        for class in &classes {
            next.push(to.state(state.and(class))?);
        }
    }
    Ok((Step { variable, class_of, classes: classes.len(), next }, to))
}

/// The conditions that a code, alone or as the first of several, or a missing value meets.
fn meeting(variable: VariableIndex, value: Option<(CodeIndex, bool)>, conditions: &[Condition]) -> Bits {
    let mut meets = Bits::empty(conditions.len());
    for (at, condition) in conditions.iter().enumerate() {
        let holds = match condition.codes.get(&variable) {
            None => true,
            Some(allowed) => value.is_some_and(|(code, several)| {
                if several { allowed.first.contains(&code) } else { allowed.alone.contains(&code) }
            }),
        };
        if holds {
            meets.insert(at);
        }
    }
    meets
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn condition(year: i16, codes: &[(usize, &[u16])]) -> Condition {
        let allowed = |codes: &[u16]| Allowed::code_or_first(codes.iter().copied().collect());
        let codes = codes.iter().map(|(v, c)| (*v, allowed(c))).collect();
        Condition { days: (date(year, 1, 1), date(year, 12, 31)), codes }
    }

    #[test]
    fn records_that_no_table_counts_have_no_atom() {
        let book = Codebook::vuxna().unwrap();
        let automaton = Automaton::new(&[condition(2024, &[(0, &[0])])], &book).unwrap();
        let mut codes: Vec<Option<u16>> = vec![None; book.variables.len()];
        assert_eq!(automaton.classify(date(2024, 5, 1), &codes), None);
        codes[0] = Some(0);
        assert_eq!(automaton.classify(date(2024, 5, 1), &codes), Some(0));
        assert_eq!(automaton.classify(date(2025, 1, 1), &codes), None);
        assert_eq!(automaton.classify(date(2023, 12, 31), &codes), None);
    }

    proptest! {
        #[test]
        fn the_atom_of_a_record_has_exactly_the_conditions_the_record_meets(
            conditions in prop::collection::vec((2020i16..2023, prop::collection::btree_map(0usize..4,
                (prop::collection::btree_set(0u16..2, 0..3), prop::collection::btree_set(0u16..2, 0..3)), 0..3)), 1..8),
            record in (2020i16..2023, prop::collection::vec(prop::option::of((0u16..2, any::<bool>())), 8)),
        ) {
            let book = Codebook::vuxna().unwrap();
            let conditions: Vec<_> = conditions.into_iter()
                .map(|(year, codes)| {
                    let allowed = |(v, (alone, first))| (v, Allowed { alone, first });
                    let codes = codes.into_iter().map(allowed).collect();
                    Condition { days: (date(year, 1, 1), date(year, 12, 31)), codes }
                }).collect();
            let automaton = Automaton::new(&conditions, &book).unwrap();
            let day = date(record.0, 6, 1);
            let codes: Vec<_> = record.1.into_iter()
                .map(|given| given.and_then(|(code, several)| Given::listed([code, if several { 9 } else { code }])))
                .collect();
            let meets: Vec<_> = conditions.iter().enumerate().filter(|(_, condition)| {
                condition.days.0 <= day && day <= condition.days.1
                    && condition.codes.iter().all(|(v, allowed)| codes[*v].is_some_and(|given| allowed.holds(given)))
            }).map(|(at, _)| at).collect();
            let found: Vec<_> = automaton.classify(day, &codes)
                .map(|atom| automaton.signatures()[atom as usize].iter().collect()).unwrap_or_default();
            prop_assert_eq!(found, meets);
        }
    }
}
