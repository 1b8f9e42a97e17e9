//! Tables that count a record under each of its codes (`varje`): mentions beside records.
//!
//! A *mention* is a record together with one category that its field lists. Mentions have atoms of their own beside those of
//! records, so a cell under a category is a set of atoms like any other, and the total of such a table is a set of
//! records. What ties the two is known exactly. In each finest combination of the other dimensions (an [`Overlap`]) let *N* be
//! the records and *n* those that list a category: any numbers with `max n ≤ N ≤ Σ n` are those of some records, and no others
//! are (ADR 20). Two kinds of atoms that no table prints make equations of it: records *without* a category, `n + without = N`,
//! and *further* mentions, `Σ n = N + further`. Few of either say something of few records, so sets of them are implied
//! cells like those that subtraction gives (SAFE-1).
//!
//! Holds no counts. Does not say which tables may stand beside one another: `collection::several` does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::conditions::{ConditionList, condition_of, label};
use super::{Counts, Row, SystemError};
use crate::automaton::{Automaton, Bits, Condition};
use crate::codebook::{CodeIndex, Codebook, Given, VariableIndex};
use crate::collection::Table;

/// One finest combination of the other dimensions of a table that counts each code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Atoms of the records, ascending.
    pub records: Vec<u32>,
    /// Per category the atom of the records that list it.
    pub mentions: Vec<u32>,
    /// Per category the atom of the records that do not.
    pub without: Vec<u32>,
    /// The atom of mentions beyond one a record.
    pub further: u32,
}

/// Two lists of atoms that hold equally many, whatever the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// One side.
    pub left: Vec<u32>,
    /// The other.
    pub right: Vec<u32>,
}

impl Overlap {
    /// All that holds between the atoms.
    pub fn relations(&self) -> impl Iterator<Item = Relation> + '_ {
        let listed = self.mentions.iter().zip(&self.without);
        let listed = listed.map(|(mention, without)| Relation {
            left: vec![*mention, *without],
            right: self.records.clone(),
        });
        let right = self.records.iter().copied().chain([self.further]).collect();
        listed.chain([Relation { left: self.mentions.clone(), right }])
    }
}

/// What an unprinted set of records without a category, or of further mentions, is made of: the left side less the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Disjoint sets of atoms that are added.
    pub plus: Vec<Vec<u32>>,
    /// Disjoint sets of atoms that are taken away.
    pub minus: Vec<Vec<u32>>,
}

/// The mentions of one table.
#[derive(Debug, Clone)]
pub(super) struct Mentions {
    variable: VariableIndex,
    /// Per category the codes in it, a bit each.
    categories: Vec<u64>,
    automaton: Automaton,
    conditions: Vec<Condition>,
    /// First atom of its mentions.
    first: u32,
    /// Per atom of records its overlap, as an index into [`Mentions::overlaps`].
    overlap_of: BTreeMap<u32, usize>,
    pub(super) overlaps: Vec<Overlap>,
}

/// The printed rows under a category of a table that counts each code, as they are gathered.
pub(super) struct Gathered {
    table: usize,
    conditions: Vec<Condition>,
    /// Per condition the number of the finest combination of the other dimensions that it is, if it is one, and its category.
    finest: Vec<Option<(usize, usize)>>,
    /// The finest combinations.
    combinations: BTreeMap<Combination, Numbered>,
}

/// A finest combination of the other dimensions: the period and the codes, none for the dimension itself.
type Combination = (usize, Vec<Option<usize>>);
/// Its number and the condition of its records.
type Numbered = (usize, usize);

impl Gathered {
    pub(super) fn new(table: usize) -> Self {
        Self { table, conditions: Vec::new(), finest: Vec::new(), combinations: BTreeMap::new() }
    }

    pub(super) fn table(&self) -> usize {
        self.table
    }

    pub(super) fn len(&self) -> usize {
        self.conditions.len()
    }

    /// Takes up a row under a category; returns its condition. The records of a finest combination become a condition of
    /// the collection, whether they are printed or not.
    pub(super) fn add(
        &mut self,
        list: &mut ConditionList,
        spec: &Table,
        codebook: &Codebook,
        row: &Row,
    ) -> usize {
        let mut others = row.codes.clone();
        let category = spec.each().and_then(|at| others[at].take());
        let is_finest = row.codes.iter().all(Option::is_some);
        self.finest.push(category.filter(|_| is_finest).map(|category| {
            let records = condition_of(spec, codebook, &others, row.period);
            let shown = Row { codes: others.clone(), period: row.period, cell: 0 };
            let records = list.add(records, || label(spec, &shown));
            let fresh = self.combinations.len();
            let (number, _) = *self.combinations.entry((row.period, others)).or_insert((fresh, records));
            (number, category)
        }));
        self.conditions.push(condition_of(spec, codebook, &row.codes, row.period));
        self.conditions.len() - 1
    }

    /// Builds the atoms of mentions and of what no table prints, from atom `first` on. `records` are the signatures of the
    /// atoms of records.
    pub(super) fn build(
        self,
        spec: &Table,
        codebook: &Codebook,
        records: &[Arc<Bits>],
        first: u32,
    ) -> Result<Mentions, SystemError> {
        let automaton = Automaton::new(&self.conditions, codebook)?;
        let dimension = spec.each().map(|at| &spec.dimensions[at]);
        let categories = dimension.iter().flat_map(|dimension| &dimension.categories);
        let bits = |codes: &BTreeSet<CodeIndex>| codes.iter().fold(0, |bits, code| bits | bit(*code));
        let categories = categories.map(|category| bits(&category.allowed.alone)).collect();
        let variable = dimension.map_or(0, |dimension| dimension.variable);
        let overlaps = self.overlaps(automaton.signatures(), records, first);
        let of = |(at, overlap): (usize, &Overlap)| {
            overlap.records.iter().map(|atom| (*atom, at)).collect::<Vec<_>>()
        };
        let overlap_of = overlaps.iter().enumerate().flat_map(of).collect();
        let conditions = self.conditions;
        Ok(Mentions { variable, categories, automaton, conditions, first, overlap_of, overlaps })
    }

    /// Atoms of mentions and of records that lie in the same finest combinations (periods may overlap) belong together.
    fn overlaps(&self, mentions: &[Arc<Bits>], records: &[Arc<Bits>], first: u32) -> Vec<Overlap> {
        let mut listed = BTreeMap::<Vec<usize>, BTreeMap<usize, u32>>::new();
        for (atom, signature) in mentions.iter().enumerate() {
            let finest: Vec<(usize, usize)> = signature.iter().filter_map(|at| self.finest[at]).collect();
            let Some((_, category)) = finest.first().copied() else { continue };
            let mut key: Vec<usize> = finest.into_iter().map(|(combination, _)| combination).collect();
            key.sort_unstable();
            listed.entry(key).or_default().insert(category, first + atom as u32);
        }
        let mut held = BTreeMap::<Vec<usize>, Vec<u32>>::new();
        for (atom, signature) in records.iter().enumerate() {
            let inside = self.combinations.values().filter(|(_, condition)| signature.contains(*condition));
            let mut key: Vec<usize> = inside.map(|(combination, _)| *combination).collect();
            key.sort_unstable();
            held.entry(key).or_default().push(atom as u32);
        }
        let mut next = first + mentions.len() as u32;
        let mut overlap = |(key, by_category): (Vec<usize>, BTreeMap<usize, u32>)| {
            let mentions: Vec<u32> = by_category.into_values().collect();
            let without: Vec<u32> = (next..).take(mentions.len()).collect();
            let further = next + mentions.len() as u32;
            next = further + 1;
            Overlap { records: held.remove(&key).unwrap_or_default(), mentions, without, further }
        };
        listed.into_iter().map(&mut overlap).collect()
    }
}

impl Mentions {
    /// The atom after the last one.
    pub(super) fn end(&self) -> u32 {
        let own = self.first + self.automaton.signatures().len() as u32;
        self.overlaps.last().map_or(own, |last| last.further + 1)
    }

    pub(super) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Per condition its atoms, ascending.
    pub(super) fn atoms_of_conditions(&self) -> Vec<Vec<u32>> {
        let mut atoms = vec![Vec::new(); self.conditions.len()];
        for (atom, signature) in self.automaton.signatures().iter().enumerate() {
            signature.iter().for_each(|condition| atoms[condition].push(self.first + atom as u32));
        }
        atoms
    }

    /// Counts the mentions of a record that lies in the atom `record`, and what it adds to the unprinted ones.
    pub(super) fn count<G: Into<Given> + Copy>(
        &self,
        counts: &mut Counts,
        record: u32,
        date: Date,
        codes: &[Option<G>],
    ) {
        let given: Option<Given> = codes.get(self.variable).copied().flatten().map(Into::into);
        let (Some(given), Some(overlap)) = (given, self.overlap_of.get(&record)) else { return };
        let overlap = &self.overlaps[*overlap];
        let listed = given.further() | bit(given.code);
        let mut mentioned = 0;
        for (category, codes_inside) in self.categories.iter().enumerate() {
            let inside = listed & codes_inside;
            if inside == 0 {
                add(counts, overlap.without[category]);
                continue;
            }
            let alone = Given::from(inside.trailing_zeros() as CodeIndex);
            let atom = self.automaton.walk(date, |variable| {
                if variable == self.variable {
                    return Some(alone);
                }
                codes.get(variable).copied().flatten().map(Into::into)
            });
            if let Some(atom) = atom {
                add(counts, self.first + atom);
            }
            if mentioned > 0 {
                add(counts, overlap.further);
            }
            mentioned += 1;
        }
    }

    /// The unprinted sets that the table gives: per printed row under a category the records without it, and per printed
    /// combination of the other dimensions the further mentions. A list for each category and one for further mentions; in a
    /// list sets may hold one another.
    pub(super) fn unprinted(&self) -> Vec<Vec<Vec<u32>>> {
        let mut lists = vec![BTreeSet::new(); self.categories.len() + 1];
        for held in self.atoms_of_conditions() {
            let inside = |overlap: &&Overlap| held.iter().any(|atom| overlap.mentions.contains(atom));
            let overlaps: Vec<&Overlap> = self.overlaps.iter().filter(inside).collect();
            let of = |atom: &dyn Fn(&Overlap) -> u32| {
                let mut set: Vec<u32> = overlaps.iter().map(|overlap| atom(overlap)).collect();
                set.sort_unstable();
                set
            };
            lists[self.categories.len()].insert(of(&|overlap| overlap.further));
            let category =
                overlaps.first().and_then(|one| one.mentions.iter().position(|atom| held.contains(atom)));
            if let Some(category) = category {
                lists[category].insert(of(&|overlap| overlap.without[category]));
            }
        }
        lists.into_iter().map(|list| list.into_iter().filter(|set| !set.is_empty()).collect()).collect()
    }

    /// What a set of such atoms is made of, if it is one of this table.
    pub(super) fn signed(&self, set: &[u32]) -> Option<Signed> {
        let holds = |atom: &u32| set.binary_search(atom).is_ok();
        let further: Vec<&Overlap> = self.overlaps.iter().filter(|one| holds(&one.further)).collect();
        let gathered = |overlaps: &[&Overlap], atoms: &dyn Fn(&Overlap) -> Vec<u32>| {
            let mut all: Vec<u32> = overlaps.iter().flat_map(|overlap| atoms(overlap)).collect();
            all.sort_unstable();
            all
        };
        let records = |overlaps: &[&Overlap]| gathered(overlaps, &|one| one.records.clone());
        if !further.is_empty() && further.len() == set.len() {
            let of = |category| gathered(&further, &|one| vec![one.mentions[category]]);
            let plus = (0..self.categories.len()).map(of).collect();
            return Some(Signed { plus, minus: vec![records(&further)] });
        }
        let category = self.overlaps.iter().find_map(|one| one.without.iter().position(&holds))?;
        let of: Vec<&Overlap> = self.overlaps.iter().filter(|one| holds(&one.without[category])).collect();
        (of.len() == set.len()).then(|| Signed {
            plus: vec![records(&of)],
            minus: vec![gathered(&of, &|one| vec![one.mentions[category]])],
        })
    }
}

/// The bit of a code; none over [`crate::codebook::MAX_LISTED_CODES`], which no variable has that may list several.
fn bit(code: CodeIndex) -> u64 {
    1u64.checked_shl(u32::from(code)).unwrap_or(0)
}

fn add(counts: &mut Counts, atom: u32) {
    let entry = &mut counts.0[atom as usize];
    *entry = entry.saturating_add(1);
}
