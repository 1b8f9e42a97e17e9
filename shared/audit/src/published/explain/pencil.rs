//! The steps a person would take with a pencil: each relation bounds its cells by what the others can at least and
//! at most be. Kept as facts with the facts they rest on; only those the answer needs are told.

use std::collections::{BTreeSet, HashMap};

use super::super::derive::Linear;
use super::super::{CellIndex, Publication, RelationIndex};
use super::words::{list, relation, short};
use super::{Claim, Teller};

/// Most facts that are kept for one cell.
const MOST_FACTS: usize = 4_000;

/// Least or largest value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum End {
    Least,
    Most,
}

/// `cell` is at least or at most `value`, by one row and earlier facts.
struct Fact {
    cell: CellIndex,
    end: End,
    value: i128,
    relation: RelationIndex,
    /// The other cells of the row: which end of them, its value, and the fact it rests on (else the mark).
    others: Vec<(CellIndex, End, i128, Option<usize>)>,
}

/// What is known of each cell.
struct Known<'a> {
    publication: &'a Publication,
    bounds: HashMap<(CellIndex, End), (i128, Option<usize>)>,
    facts: Vec<Fact>,
}

impl Known<'_> {
    fn end(&self, cell: CellIndex, end: End) -> Option<(i128, Option<usize>)> {
        if let Some(bound) = self.bounds.get(&(cell, end)) {
            return Some(*bound);
        }
        let (_, meaning) = self.publication.cells[cell].withheld()?;
        match end {
            End::Least => Some((i128::from(meaning.lower), None)),
            End::Most => meaning.upper.map(|upper| (i128::from(upper), None)),
        }
    }

    /// Bounds each cell of a row by the others; `true` if anything was learnt.
    fn learn(&mut self, relation: RelationIndex, row: &Linear) -> bool {
        let mut learnt = false;
        for (cell, factor) in &row.terms {
            for (side, up) in [(row.hi, true), (row.lo, false)] {
                let Some(side) = side else { continue };
                // Σ terms ≤ hi bounds by the least of the others, Σ terms ≥ lo by the most
                learnt |= self.bound(relation, row, (*cell, *factor), (i128::from(side), up)).is_some();
            }
        }
        learnt
    }

    fn bound(
        &mut self,
        relation: RelationIndex,
        row: &Linear,
        (cell, factor): (CellIndex, i64),
        (side, up): (i128, bool),
    ) -> Option<()> {
        let mut rest = side;
        let mut others = Vec::with_capacity(row.terms.len().saturating_sub(1));
        for (other, by) in row.terms.iter().filter(|(other, _)| *other != cell) {
            let end = if (*by > 0) == up { End::Least } else { End::Most };
            let (value, fact) = self.end(*other, end)?;
            rest -= value * i128::from(*by);
            others.push((*other, end, value, fact));
        }
        let factor = i128::from(factor);
        let end = if (factor > 0) == up { End::Most } else { End::Least };
        let floor = rest.div_euclid(factor); // rounds so that factor · floor ≤ rest
        let exact = floor * factor == rest;
        let value = match (end, factor > 0) {
            (End::Most, true) => floor,
            (End::Most, false) if exact => floor,
            (End::Most, false) => floor - 1,
            (End::Least, true) if exact => floor,
            (End::Least, true) => floor + 1,
            (End::Least, false) => floor,
        };
        let better = self.end(cell, end).is_none_or(|(known, _)| match end {
            End::Least => value > known,
            End::Most => value < known,
        });
        if !better || self.facts.len() >= MOST_FACTS {
            return None;
        }
        self.bounds.insert((cell, end), (value, Some(self.facts.len())));
        self.facts.push(Fact { cell, end, value, relation, others });
        Some(())
    }

    /// The facts that the ends of a cell rest on, in order.
    fn needed(&self, cell: CellIndex, ends: &[End]) -> BTreeSet<usize> {
        let mut open: Vec<usize> = ends.iter().filter_map(|end| self.end(cell, *end)?.1).collect();
        let mut needed = BTreeSet::new();
        while let Some(at) = open.pop() {
            if needed.insert(at) {
                open.extend(self.facts[at].others.iter().filter_map(|(_, _, _, fact)| *fact));
            }
        }
        needed
    }
}

/// The steps that show a claim, if the relations show it that way; `rows` in the order they are looked at.
pub(super) fn told(
    teller: &Teller<'_>,
    claim: &Claim,
    rows: &[(RelationIndex, &[Linear])],
) -> Option<String> {
    let mut ends = Vec::new();
    for gap in &claim.cannot {
        match gap {
            (None, Some(_)) => ends.push(End::Least),
            (Some(_), None) => ends.push(End::Most),
            _ => return None, // a hole: bounds say nothing of it
        }
    }
    ends.sort();
    let mut known = Known { publication: teller.publication, bounds: HashMap::new(), facts: Vec::new() };
    let is_shown = |known: &Known<'_>| {
        claim.cannot.iter().all(|gap| match gap {
            (None, Some(high)) => known.end(claim.cell, End::Least).is_some_and(|(least, _)| least > *high),
            (Some(low), None) => known.end(claim.cell, End::Most).is_some_and(|(most, _)| most < *low),
            _ => false,
        })
    };
    let mut learnt = true;
    while learnt && !is_shown(&known) {
        learnt = false;
        for (relation, row) in rows.iter().flat_map(|(at, rows)| rows.iter().map(move |row| (*at, row))) {
            learnt |= known.learn(relation, row);
            if is_shown(&known) {
                break;
            }
        }
    }
    is_shown(&known).then(|| steps(teller, &known, claim.cell, &ends))
}

/// The needed facts as sentences.
fn steps(teller: &Teller<'_>, known: &Known<'_>, cell: CellIndex, ends: &[End]) -> String {
    let publication = known.publication;
    let needed: Vec<&Fact> = known.needed(cell, ends).into_iter().map(|at| &known.facts[at]).collect();
    let mut text = Vec::new();
    let mut told = BTreeSet::new();
    for (at, fact) in needed.iter().enumerate() {
        if told.insert(fact.relation) {
            text.push(relation(teller, fact.relation));
        }
        let twin = |other: &&Fact| {
            (other.cell, other.relation, other.value) == (fact.cell, fact.relation, fact.value)
                && other.others.iter().map(|other| other.0).eq(fact.others.iter().map(|other| other.0))
        };
        if needed[..at].iter().any(twin) {
            continue; // told as `är`
        }
        let is_both = needed[at + 1..].iter().any(twin);
        text.push(sentence(publication, fact, is_both));
    }
    for end in ends.iter().copied() {
        let (name, (mark, _)) = match (known.end(cell, end), publication.cells[cell].withheld()) {
            (Some((value, None)), Some(meaning)) => (format!("{} {value}", word(end)), meaning),
            _ => continue,
        };
        text.push(format!("{} är {name} ({mark}).", publication.cells[cell].row));
    }
    text.join(" ")
}

fn word(end: End) -> &'static str {
    match end {
        End::Least => "minst",
        End::Most => "högst",
    }
}

fn sentence(publication: &Publication, fact: &Fact, is_both: bool) -> String {
    let name = |cell| short(publication, fact.relation, cell);
    let what = if is_both { String::new() } else { format!("{} ", word(fact.end)) };
    let so = format!("är {} {what}{}.", name(fact.cell), fact.value);
    let sum: i128 = fact.others.iter().map(|(_, _, value, _)| value).sum();
    match fact.others.as_slice() {
        [] => format!("Alltså {so}"),
        others if others.len() <= 3 => {
            let parts = others.iter().map(|(cell, end, value, _)| {
                let exact = if is_both { String::new() } else { format!("{} ", word(*end)) };
                format!("{} är {exact}{value}", name(*cell))
            });
            format!("{}, alltså {so}", list(parts.collect()))
        }
        others if others.iter().all(|(_, end, _, _)| *end == others[0].1) => {
            let exact = if is_both { "" } else { word(others[0].1) };
            format!("De {} andra är tillsammans {exact} {sum}, alltså {so}", others.len()).replace("  ", " ")
        }
        others => format!(
            "Av gränserna för de {} andra följer att {} är {what}{}.",
            others.len(),
            name(fact.cell),
            fact.value
        ),
    }
}
