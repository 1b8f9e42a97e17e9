//! Groups of codes that a file prints beside the codes they are made of.
//!
//! A file does not say what its groups are made of; whoever audits it says so. A group is the sum of its parts where the file
//! has them all, else of the parts of those parts. A code that is a group of codes in the file is no part of its `TOT`.

use std::collections::BTreeSet;

use tables::codebook::TOT;
use tables::unit::Omrade;

use super::{BORTFALL, CellIndex, Key, Kind, PERSONS, Publication, Sheet, relate, sorted};

/// The column of areas.
const AREA: &str = "omrade";

/// A group and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The dimension; `omrade` for areas.
    pub dimension: String,
    /// The group's code.
    pub name: String,
    /// Codes, or other groups.
    pub parts: Vec<String>,
}

/// Most groups inside groups.
const MOST_DEPTH: usize = 16;

/// The codes in a file that make up a code; `None` when some are missing.
fn made_of(
    groups: &[Group],
    dimension: &str,
    code: &str,
    there: &dyn Fn(&str) -> bool,
) -> Option<Vec<String>> {
    let group = groups.iter().find(|group| group.dimension == dimension && group.name == code)?;
    let mut made = Vec::new();
    let mut open: Vec<(&str, usize)> = group.parts.iter().map(|part| (part.as_str(), 0)).collect();
    while let Some((part, depth)) = open.pop() {
        if there(part) {
            made.push(part.to_owned());
            continue;
        }
        let inner = groups.iter().find(|group| group.dimension == dimension && group.name == part)?;
        if depth >= MOST_DEPTH {
            return None;
        }
        open.extend(inner.parts.iter().map(|part| (part.as_str(), depth + 1)));
    }
    made.sort_unstable();
    Some(made)
}

/// The codes of a dimension that are no groups of others in the file.
pub(super) fn finest(groups: &[Group], dimension: &str, codes: &BTreeSet<String>) -> BTreeSet<String> {
    let there = |code: &str| codes.contains(code);
    codes.iter().filter(|code| made_of(groups, dimension, code, &there).is_none()).cloned().collect()
}

/// Adds, for every cell of a group, that it is the sum of its parts' cells.
pub(super) fn relations(sheet: &Sheet, groups: &[Group], publication: &mut Publication) {
    for (key, total) in sorted(&sheet.index).into_iter().filter(|(key, _)| key.3 != BORTFALL) {
        let kind = if key.3 == PERSONS { Kind::NotASum } else { Kind::Sum };
        let own = &publication.cells[*total];
        let name = format!("{} {} {} över gruppens delar", own.table, own.row, own.column);
        for (at, code) in key.1.iter().enumerate().filter(|(_, code)| *code != TOT) {
            let there = |code: &str| sheet.codes[at].contains(code);
            let with = |code: &str| {
                let mut codes = key.1.clone();
                codes[at] = code.to_owned();
                (key.0.clone(), codes, key.2, key.3)
            };
            add(
                sheet,
                (groups, &sheet.table.dimensions[at], code),
                &there,
                &with,
                (&name, kind, *total),
                publication,
            );
        }
        let area = key.0.to_string();
        let there = |code: &str| {
            let area = code.parse::<Omrade>();
            area.is_ok_and(|area| sheet.index.contains_key(&(area, key.1.clone(), key.2, key.3)))
        };
        let with = |code: &str| {
            let area = code.parse().unwrap_or_else(|_| key.0.clone());
            (area, key.1.clone(), key.2, key.3)
        };
        add(sheet, (groups, AREA, &area), &there, &with, (&name, kind, *total), publication);
    }
}

fn add(
    sheet: &Sheet,
    (groups, dimension, code): (&[Group], &str, &str),
    there: &dyn Fn(&str) -> bool,
    with: &dyn Fn(&str) -> Key,
    (name, kind, total): (&str, Kind, CellIndex),
    publication: &mut Publication,
) {
    let Some(parts) = made_of(groups, dimension, code, there) else { return };
    let cells: Option<Vec<CellIndex>> =
        parts.iter().map(|part| sheet.index.get(&with(part)).copied()).collect();
    if let Some(cells) = cells {
        relate(publication, name.to_owned(), kind, total, cells);
    }
}
