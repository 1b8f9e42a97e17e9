//! Says in Swedish how a cell is computed, and why relations contradict each other.
//!
//! First the steps a person would take with a pencil: each relation bounds its cells by what the others can at least
//! and at most be, kept as facts with the facts they rest on, and only those the answer needs are told. Where that
//! does not do, the fewest relations that pin the cell, with the sum in which all other withheld cells cancel, if
//! there is one.
//!
//! Tells what anybody can compute from what is printed; it looks at nothing else.

use std::collections::{BTreeSet, HashMap};

use super::attack::{Contradiction, Finding};
use super::derive::{self, Linear};
use super::{CellIndex, Kind, Publication, RelationIndex};
use crate::budget::Budget;
use crate::explain::combination;
use crate::interval::{Engine, Reach};

/// Most facts that are kept for one cell.
const MOST_FACTS: usize = 4_000;
/// Most names of one list.
const MOST_NAMES: usize = 6;
/// Most tests that make a set of relations smaller.
const MOST_TESTS: usize = 200;

/// Least or largest value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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

    fn is_pinned(&self, cell: CellIndex) -> bool {
        let value = |end| self.end(cell, end).map(|(value, _)| value);
        value(End::Least).is_some() && value(End::Least) == value(End::Most)
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

    /// The facts that the two ends of a cell rest on, in order.
    fn needed(&self, cell: CellIndex) -> BTreeSet<usize> {
        let ends = [End::Least, End::Most].into_iter();
        let mut open: Vec<usize> = ends.filter_map(|end| self.end(cell, end)?.1).collect();
        let mut needed = BTreeSet::new();
        while let Some(at) = open.pop() {
            if needed.insert(at) {
                open.extend(self.facts[at].others.iter().filter_map(|(_, _, _, fact)| *fact));
            }
        }
        needed
    }
}

/// How a computable cell is computed.
pub fn computable(publication: &Publication, finding: &Finding) -> String {
    let Some(value) = finding.outcome.recovered() else {
        return String::new();
    };
    let relations = &finding.relations;
    let rows: Vec<(RelationIndex, Vec<Linear>)> =
        relations.iter().map(|at| (*at, derive::rows(publication, &publication.relations[*at]))).collect();
    let mut known = Known { publication, bounds: HashMap::new(), facts: Vec::new() };
    let mut learnt = true;
    while learnt && !known.is_pinned(finding.cell) {
        learnt = false;
        for (relation, row) in rows.iter().flat_map(|(at, rows)| rows.iter().map(move |row| (*at, row))) {
            learnt |= known.learn(relation, row);
            if known.is_pinned(finding.cell) {
                break;
            }
        }
    }
    if known.is_pinned(finding.cell) {
        steps(&known, finding.cell)
    } else {
        together(publication, finding, value)
    }
}

/// The needed facts as sentences.
fn steps(known: &Known, cell: CellIndex) -> String {
    let publication = known.publication;
    let needed: Vec<&Fact> = known.needed(cell).into_iter().map(|at| &known.facts[at]).collect();
    let mut text = Vec::new();
    let mut told = BTreeSet::new();
    for (at, fact) in needed.iter().enumerate() {
        if told.insert(fact.relation) {
            text.push(relation(publication, fact.relation));
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
    for end in [End::Least, End::Most] {
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

/// A relation with its figures.
fn relation(publication: &Publication, at: RelationIndex) -> String {
    let relation = &publication.relations[at];
    let name = |cell: &CellIndex| short(publication, at, *cell);
    let (shown, hidden): (Vec<CellIndex>, Vec<CellIndex>) =
        relation.terms.iter().partition(|cell| publication.cells[**cell].shown().is_some());
    let sum: u64 = shown.iter().filter_map(|cell| publication.cells[*cell].shown()).sum();
    let total = publication.cells[relation.total].shown();
    let names = list(hidden.iter().map(|cell| with_mark(publication, at, *cell)).collect());
    let head = format!("I {}", relation.name);
    let term = relation.terms.first().map(name).unwrap_or_default();
    match (relation.kind, total) {
        (Kind::Sum, Some(total)) if hidden.is_empty() => {
            format!("{head} är delarna tillsammans {sum}, men totalen {total}.")
        }
        (Kind::Sum, Some(total)) if shown.is_empty() => format!("{head} ska {total} delas av {names}."),
        (Kind::Sum, Some(total)) => format!(
            "{head} är totalen {total} och de visade delarna tillsammans {sum}; resten, {total} − {sum} = {}, är {names}.",
            i128::from(total) - i128::from(sum)
        ),
        (Kind::Sum, None) if hidden.is_empty() => {
            format!("{head} är totalen undertryckt, men alla delar visas: tillsammans {sum}.")
        }
        (Kind::Sum, None) => {
            format!("{head} är totalen undertryckt; den är {sum} (de visade delarna) plus {names}.")
        }
        (Kind::NotASum, _) => format!("{head} är totalen minst den största delen och högst delarnas summa."),
        (Kind::Same, _) => format!("{head} är det samma uppgift på två ställen."),
        (Kind::NoMoreThan, _) => format!("{head} är {} högst {term}.", name(&relation.total)),
        (Kind::Percent(percent), _) => {
            format!("{head} är {} {percent} procent, avrundat, av {term}.", name(&relation.total))
        }
    }
}

fn list(mut names: Vec<String>) -> String {
    if names.len() > MOST_NAMES {
        let more = names.len() - (MOST_NAMES - 1);
        names.truncate(MOST_NAMES - 1);
        return format!("{} och {more} till", names.join(", "));
    }
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} och {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// A cell by what tells it from the others of the relation.
fn short(publication: &Publication, relation: RelationIndex, cell: CellIndex) -> String {
    let relation = &publication.relations[relation];
    let cells = || relation.terms.iter().chain([&relation.total]).map(|at| &publication.cells[*at]);
    let own = &publication.cells[cell];
    let table = if cells().all(|other| other.table == own.table) {
        String::new()
    } else {
        format!(" i {}", own.table)
    };
    if cells().all(|other| other.column == own.column) {
        format!("{}{table}", own.row)
    } else if cells().all(|other| other.row == own.row) {
        format!("{}{table}", own.column)
    } else {
        format!("{}, {}{table}", own.row, own.column)
    }
}

fn with_mark(publication: &Publication, relation: RelationIndex, cell: CellIndex) -> String {
    let name = short(publication, relation, cell);
    match publication.cells[cell].withheld() {
        Some((mark, meaning)) => format!("{name} ({mark}: {meaning})"),
        None => name,
    }
}

/// The fewest relations that pin a cell together.
fn together(publication: &Publication, finding: &Finding, value: u64) -> String {
    let rows: Vec<Vec<Linear>> =
        publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
    let mut cells: Vec<CellIndex> = finding
        .relations
        .iter()
        .flat_map(|at| &rows[*at])
        .flat_map(|row| &row.terms)
        .map(|(cell, _)| *cell)
        .collect();
    cells.sort_unstable();
    cells.dedup();
    let Ok(target) = cells.binary_search(&finding.cell) else {
        return String::new();
    };
    let pins = |relations: &[RelationIndex]| {
        let view = derive::view(publication, &rows, &cells, relations);
        let Ok(mut engine) = Engine::new(&view, Budget::default(), &|| false) else {
            return false;
        };
        let value = i128::from(value);
        engine.within(target, Some(value + 1), None).0 == Reach::No
            && engine.within(target, None, Some(value - 1)).0 == Reach::No
    };
    let mut kept = finding.relations.clone();
    let (mut at, mut tests) = (0, 0);
    while at < kept.len() && tests < MOST_TESTS {
        tests += 1;
        let mut fewer = kept.clone();
        fewer.remove(at);
        if pins(&fewer) {
            kept = fewer;
        } else {
            at += 1;
        }
    }
    let view = derive::view(publication, &rows, &cells, &kept);
    let sources: Vec<usize> = (0..kept.len()).collect();
    let told = kept.iter().map(|at| relation(publication, *at)).collect::<Vec<_>>().join(" ");
    match combination(&view, &vec![(target, 1)], &sources) {
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
    }
}

/// Why relations contradict each other or the marks.
pub fn contradiction(publication: &Publication, found: &Contradiction) -> String {
    let told: Vec<String> = found.relations.iter().map(|at| relation(publication, *at)).collect();
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

/// What the marks of a single sum allow, against what is left.
fn range(publication: &Publication, at: RelationIndex) -> Option<String> {
    let relation = &publication.relations[at];
    publication.cells[relation.total].shown().filter(|_| relation.kind == Kind::Sum)?;
    let hidden = || relation.terms.iter().filter_map(|cell| publication.cells[*cell].withheld());
    let least: u64 = hidden().map(|(_, meaning)| meaning.lower).sum();
    let most: Option<u64> = hidden().map(|(_, meaning)| meaning.upper).sum();
    Some(match most {
        Some(most) => format!("Enligt märkena ska de vara tillsammans {least}–{most}."),
        None => format!("Enligt märkena ska de vara tillsammans minst {least}."),
    })
}
