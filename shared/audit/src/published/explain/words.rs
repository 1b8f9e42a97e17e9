//! Cells and relations in words.

use super::super::{CellIndex, Kind, Publication, RelationIndex};
use super::Teller;

/// Most names of one list.
const MOST_NAMES: usize = 6;

/// A relation with its figures.
pub(super) fn relation(teller: &Teller<'_>, at: RelationIndex) -> String {
    let (publication, known) = (teller.publication, teller.known);
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
            "{head} är totalen {total} och {known} delarna tillsammans {sum}; resten, {total} − {sum} = {}, är {names}.",
            i128::from(total) - i128::from(sum)
        ),
        (Kind::Sum, None) if hidden.is_empty() => {
            format!("{head} är totalen undertryckt, men alla delar är kända: tillsammans {sum}.")
        }
        (Kind::Sum, None) => {
            format!("{head} är totalen undertryckt; den är {sum} ({known} delarna) plus {names}.")
        }
        (Kind::NotASum, _) => format!("{head} är totalen minst den största delen och högst delarnas summa."),
        (Kind::AtLeast, total) => {
            let total = total.map_or_else(|| "undertryckt".to_owned(), |total| total.to_string());
            let parts = match (shown.is_empty(), hidden.is_empty()) {
                (_, true) => format!("{sum}"),
                (true, false) => names,
                (false, false) => format!("{sum} ({known} delarna) plus {names}"),
            };
            format!("{head} är totalen {total}, och minst {parts} tillsammans.")
        }
        (Kind::Same, _) => format!("{head} är det samma uppgift på två ställen."),
        (Kind::NoMoreThan, _) => format!("{head} är {} högst {term}.", name(&relation.total)),
        (Kind::Percent(percent), _) => {
            format!("{head} är {} {percent} procent, avrundat, av {term}.", name(&relation.total))
        }
    }
}

pub(super) fn list(mut names: Vec<String>) -> String {
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
pub(super) fn short(publication: &Publication, relation: RelationIndex, cell: CellIndex) -> String {
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

/// What the marks of a single sum allow, against what is left.
pub(super) fn range(publication: &Publication, at: RelationIndex) -> Option<String> {
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
