//! Reads strict table files as their readers do: `x` is a count of at least 1, since zeros are published.
//!
//! Relations: each `TOT` is the sum over its dimension; a kommun is the sum of its sub-units, a county of its
//! units, the realm of its counties, as far as the file lists them and they have delivered (`..` adds nothing); a kommungrupp what it
//! has in counties, where somebody says which ([`Members`]); the same
//! cell in two files is one cell; persons are no more than events; a shown percentage bounds its part and its base.
//! `personer`, and dimensions named as such, do not add up: their totals lie between the largest part and the sum.
//! A year is the sum of the halves, quarters or months that the files have; other periods are independent.
//!
//! A count of one file is the sum of another's cells where that file does not print the sum itself (`sums`).
//! Two files are linked where their codes coincide and every count both of them show is the same; files that differ
//! anywhere count different records (bortfall of a dimension) and are not linked. What cannot be used is said in
//! [`Publication::unused`], never passed over.

mod groups;
mod links;
mod members;
mod percent;
mod periods;
mod sums;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tables::codebook::TOT;
use tables::period::Period;
use tables::strict::{Status, StrictRow, StrictTable, Vocabulary};
use tables::unit::{Omrade, Unit};

pub use groups::Group;
pub use members::Members;

use super::read::{File, Order};
use super::{
    Cell, CellIndex, Figure, Kind, MAX_BYTES, MAX_CELLS, MAX_FILES, MAX_TERMS, MAX_VALUE, Meaning,
    Publication, PublishedError, Relation,
};

/// The mark of a withheld cell.
pub const WITHHELD: &str = "x";
const EVENTS: Measure = Measure::Events;
const PERSONS: Measure = Measure::Persons;
const BORTFALL: Measure = Measure::Missing;
/// The measure that headings leave out.
const PLAIN: &str = "aktualiseringar";

/// A measure that is a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Measure {
    /// `aktualiseringar`
    Events,
    /// `personer`: distinct, so no sums.
    Persons,
    /// `bortfall`
    Missing,
    /// A count of others' making, by its place among them.
    Other(usize),
}

/// What strict files do not say of themselves.
#[derive(Debug, Clone, Default)]
pub struct StrictOptions {
    /// Dimensions whose categories overlap (several reasons of one event): their `TOT` is no sum.
    pub not_sums: Vec<String>,
    /// Codes that are made of other codes.
    pub groups: Vec<Group>,
    /// Which counties kommungrupper have kommuner in, where rows of them are read.
    pub members: Members,
    /// Counts in `1..min_count` that follow from two files are findings; none if 0.
    pub min_count: u64,
}

/// Where a count stands in a file.
type Key = (Omrade, Vec<String>, Period, Measure);

/// A file, with the places of its counts.
struct Sheet {
    name: String,
    table: StrictTable,
    index: HashMap<Key, CellIndex>,
    /// Measures of counts that occur.
    measures: BTreeSet<Measure>,
    /// Codes of each dimension, without `TOT`.
    codes: Vec<BTreeSet<String>>,
    /// Those of them that are no groups of others.
    finest: Vec<BTreeSet<String>>,
}

/// Reads strict files; they keep the order in which they are given.
///
/// # Errors
/// [`PublishedError`] names file, row and column.
pub fn read(files: &[File], options: &StrictOptions) -> Result<Publication, PublishedError> {
    if files.is_empty() {
        return Err(PublishedError::NoTable { expected: "strict table files" });
    }
    let mut publication = Publication { lists_unrelated: true, ..Publication::default() };
    if files.len() > MAX_FILES {
        return Err(limit(files[0].0, "files", MAX_FILES));
    }
    let mut order = Order::default();
    let (mut sheets, mut others) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        if bytes.len() > MAX_BYTES {
            return Err(limit(name, "bytes", MAX_BYTES));
        }
        let table = StrictTable::read(name, bytes, Vocabulary::Any)?;
        let mut made = sheet(name, table, &mut order, &mut others, &mut publication)?;
        let dimensions = made.table.dimensions.iter().zip(&made.codes);
        made.finest = dimensions.map(|(name, codes)| groups::finest(&options.groups, name, codes)).collect();
        sheets.push(made);
    }
    for sheet in &sheets {
        margins(sheet, options, &mut publication)?;
        areas(sheet, &mut publication)?;
        groups::relations(sheet, &options.groups, &mut publication);
        persons(sheet, &mut publication);
        percent::relations(sheet, &mut publication);
        members::relations(sheet, &options.members, &mut order, &mut publication);
        unusable(sheet, options, &mut publication);
    }
    links::relations(&sheets, &mut order, options.min_count, &mut publication);
    sums::relations(&sheets, options, &mut publication)?;
    periods::relations(&sheets, &mut order, options.min_count, &mut publication);
    Ok(publication)
}

fn limit(file: &str, what: &'static str, most: usize) -> PublishedError {
    PublishedError::Limit { file: file.into(), what, most }
}

/// The measure, if it is a count. `others` are those met so far that are not the product's.
fn counted(matt: &str, others: &mut Vec<String>) -> Option<Measure> {
    match matt {
        PLAIN => Some(EVENTS),
        "personer" => Some(PERSONS),
        "bortfall" => Some(BORTFALL),
        "procent_rad" | "procent_kolumn" => None,
        _ if matt.starts_with("forandring_") => None,
        _ => Some(Measure::Other(others.iter().position(|other| other == matt).unwrap_or_else(|| {
            others.push(matt.to_owned());
            others.len() - 1
        }))),
    }
}

/// Whether a measure is a count.
pub(crate) fn is_count(matt: &str) -> bool {
    counted(matt, &mut Vec::new()).is_some()
}

fn sheet(
    name: &str,
    table: StrictTable,
    order: &mut Order,
    others: &mut Vec<String>,
    publication: &mut Publication,
) -> Result<Sheet, PublishedError> {
    let mut sheet = Sheet {
        name: name.to_owned(),
        index: HashMap::new(),
        measures: BTreeSet::new(),
        codes: vec![BTreeSet::new(); table.dimensions.len()],
        finest: Vec::new(),
        table,
    };
    for (at, row) in sheet.table.rows.iter().enumerate() {
        let Some(matt) = counted(&row.matt, others) else { continue };
        if publication.cells.len() >= MAX_CELLS {
            return Err(limit(name, "cells", MAX_CELLS));
        }
        let figure = figure(row).ok_or_else(|| PublishedError::Field {
            file: name.into(),
            row: at + 2, // the header is row 1
            column: "varde",
            expected: "a count of at most 268435456",
        })?;
        let (area, column) = (
            row.omrade.to_string(),
            heading(&sheet.table.dimensions, &row.codes, &row.tid.to_string(), &row.matt),
        );
        let cell =
            Cell { table: name.to_owned(), order: order.of(name, &column, &area), row: area, column, figure };
        let key = (row.omrade.clone(), row.codes.clone(), row.tid, matt);
        sheet.index.insert(key, publication.cells.len());
        sheet.measures.insert(matt);
        for (codes, code) in sheet.codes.iter_mut().zip(&row.codes).filter(|(_, code)| *code != TOT) {
            codes.insert(code.clone());
        }
        publication.cells.push(cell);
    }
    Ok(sheet)
}

fn figure(row: &StrictRow) -> Option<Figure> {
    match (row.varde, row.status) {
        (Some(value), _) => {
            let value = u64::try_from(value).ok().filter(|value| *value <= MAX_VALUE)?;
            Some(Figure::Shown(value))
        }
        (None, Status::Withheld) => {
            // A group of kommuner that shows nothing of a cell may have nothing there (ADR 23).
            let lower = if matches!(row.omrade, Omrade::Group(_)) { 0 } else { 1 };
            Some(Figure::Withheld { mark: WITHHELD.into(), meaning: Meaning { lower, upper: None } })
        }
        (None, _) => Some(Figure::NoCount),
    }
}

/// Whether a column is of records that a dimension is missing of: no count of persons in a category, so never small.
pub(crate) fn is_missing(column: &str) -> bool {
    column.ends_with(" bortfall")
}

/// The column of a cell: `aktualiseringstyp=anmalan 2024`; totals are left out, other measures than events are named.
pub fn heading(dimensions: &[String], codes: &[String], tid: &str, matt: &str) -> String {
    let named = dimensions.iter().zip(codes).filter(|(_, code)| *code != TOT);
    let mut parts: Vec<String> = named.map(|(dimension, code)| format!("{dimension}={code}")).collect();
    if parts.is_empty() {
        parts.push(TOT.into());
    }
    parts.push(tid.to_owned());
    if matt != PLAIN {
        parts.push(matt.to_owned());
    }
    parts.join(" ")
}

/// Adds a relation, unless one of its cells holds no count.
fn relate(publication: &mut Publication, name: String, kind: Kind, total: CellIndex, terms: Vec<CellIndex>) {
    let counts = |cell: &CellIndex| publication.cells[*cell].figure != Figure::NoCount;
    if !terms.is_empty() && terms.iter().chain([&total]).all(counts) {
        publication.relations.push(Relation { name, kind, total, terms });
    }
}

/// Bit `i` set: dimension `i` is `TOT`.
fn margin(codes: &[String]) -> u64 {
    let bits = codes.iter().enumerate().filter(|(_, code)| *code == TOT);
    bits.fold(0, |mask, (at, _)| mask | 1 << at)
}

/// `TOT` over the dimensions that the file breaks it down by.
fn margins(
    sheet: &Sheet,
    options: &StrictOptions,
    publication: &mut Publication,
) -> Result<(), PublishedError> {
    let masks: BTreeSet<u64> = sheet.index.keys().map(|(_, codes, _, _)| margin(codes)).collect();
    let mut terms = 0;
    for (key, total) in sorted(&sheet.index) {
        let own = margin(&key.1);
        let below = |mask: &u64| *mask != own && mask & own == *mask;
        let inside: Vec<u64> = masks.iter().copied().filter(below).collect();
        let nearest = inside
            .iter()
            .filter(|mask| !inside.iter().any(|other| other != *mask && other & **mask == **mask));
        for mask in nearest.filter(|_| key.3 != BORTFALL) {
            let over: Vec<usize> = (0..key.1.len()).filter(|at| (own & !mask) >> at & 1 == 1).collect();
            let Some(parts) = parts(sheet, key, &over) else {
                continue;
            };
            terms += parts.len();
            if terms > MAX_TERMS {
                return Err(limit(&sheet.name, "terms of relations", MAX_TERMS));
            }
            let names: Vec<&str> = over.iter().map(|at| sheet.table.dimensions[*at].as_str()).collect();
            let overlap = names.iter().any(|name| options.not_sums.iter().any(|other| other == name));
            let kind = if key.3 == PERSONS || overlap { Kind::NotASum } else { Kind::Sum };
            let cell = &publication.cells[*total];
            let name = format!("{} {} {} över {}", cell.table, cell.row, cell.column, names.join(" × "));
            relate(publication, name, kind, *total, parts);
        }
    }
    Ok(())
}

/// In an order that does not depend on hashing (SAME-1).
fn sorted(index: &HashMap<Key, CellIndex>) -> Vec<(&Key, &CellIndex)> {
    let mut all: Vec<(&Key, &CellIndex)> = index.iter().collect();
    all.sort_by_key(|(_, cell)| **cell);
    all
}

/// The cells of all codes of the dimensions `over`; `None` if one of them is not in the file.
fn parts(sheet: &Sheet, key: &Key, over: &[usize]) -> Option<Vec<CellIndex>> {
    let mut all = vec![key.1.clone()];
    for at in over {
        let split = |codes: &Vec<String>| {
            let with = |code: &String| {
                let mut codes = codes.clone();
                codes[*at].clone_from(code);
                codes
            };
            sheet.finest[*at].iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(split).collect();
    }
    let cell = |codes: Vec<String>| sheet.index.get(&(key.0.clone(), codes, key.2, key.3)).copied();
    all.into_iter().map(cell).collect()
}

/// Totals over areas: the parts of each area that the file lists.
fn area_parts(sheet: &Sheet) -> BTreeMap<Omrade, Vec<Omrade>> {
    let areas: BTreeSet<&Omrade> = sheet.index.keys().map(|(area, ..)| area).collect();
    let units: Vec<&Unit> = areas
        .iter()
        .filter_map(|area| if let Omrade::Unit(unit) = area { Some(unit) } else { None })
        .collect();
    let whole = |unit: &Unit| Unit::whole(unit.kommun());
    let mut parts: BTreeMap<Omrade, Vec<Omrade>> = BTreeMap::new();
    let has_row = |unit: &Unit| areas.contains(&Omrade::County(unit.county()));
    for unit in units {
        let (part, top) = (Omrade::Unit(unit.clone()), Omrade::Unit(whole(unit)));
        if part != top && areas.contains(&top) {
            parts.entry(top).or_default().push(part);
        } else {
            parts.entry(Omrade::County(unit.county())).or_default().push(part.clone());
            if !has_row(unit) {
                parts.entry(Omrade::Riket).or_default().push(part);
            }
        }
    }
    for county in areas.iter().filter(|area| matches!(area, Omrade::County(_))) {
        parts.entry(Omrade::Riket).or_default().push((*county).clone());
    }
    parts.retain(|area, _| areas.contains(area));
    parts
}

fn areas(sheet: &Sheet, publication: &mut Publication) -> Result<(), PublishedError> {
    let all = area_parts(sheet);
    let mut terms = 0;
    for (key, total) in sorted(&sheet.index).into_iter().filter(|(key, _)| key.3 != BORTFALL) {
        let Some(parts) = all.get(&key.0) else { continue };
        let cell = |area: &Omrade| sheet.index.get(&(area.clone(), key.1.clone(), key.2, key.3)).copied();
        let delivered = |cell: &CellIndex| publication.cells[*cell].figure != Figure::NoCount;
        let Some(cells) = parts.iter().map(cell).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let cells: Vec<CellIndex> = cells.into_iter().filter(delivered).collect();
        terms += cells.len();
        if terms > MAX_TERMS {
            return Err(limit(&sheet.name, "terms of relations", MAX_TERMS));
        }
        let kind = if key.3 == PERSONS { Kind::NotASum } else { Kind::Sum };
        let own = &publication.cells[*total];
        let name = format!("{} {} {} över områden", own.table, own.row, own.column);
        relate(publication, name, kind, *total, cells);
    }
    Ok(())
}

/// Persons are no more than events.
fn persons(sheet: &Sheet, publication: &mut Publication) {
    for (key, persons) in sorted(&sheet.index).into_iter().filter(|(key, _)| key.3 == PERSONS) {
        let events = (key.0.clone(), key.1.clone(), key.2, EVENTS);
        if let Some(events) = sheet.index.get(&events) {
            let cell = &publication.cells[*persons];
            let name = format!("{} {} {}", cell.table, cell.row, cell.column);
            relate(publication, name, Kind::NoMoreThan, *persons, vec![*events]);
        }
    }
}

/// Shown figures that could tell of a withheld cell, and that no relation uses.
fn unusable(sheet: &Sheet, options: &StrictOptions, publication: &mut Publication) {
    let withheld = |cell: &CellIndex| publication.cells[*cell].withheld().is_some();
    let mut changes = 0;
    for row in sheet.table.rows.iter().filter(|row| row.varde.is_some()) {
        let from = row.matt.strip_prefix("forandring_").and_then(|from| from.parse::<Period>().ok());
        let Some(from) = from else { continue };
        let at = |tid| {
            sheet.measures.iter().filter_map(move |matt| {
                sheet.index.get(&(row.omrade.clone(), row.codes.clone(), tid, *matt)).copied()
            })
        };
        changes += usize::from(at(from).chain(at(row.tid)).any(|cell| withheld(&cell)));
    }
    let made_of = |area: &Omrade| options.groups.iter().any(|group| group.name == area.to_string());
    let has_groups = sheet.index.keys().any(|(area, ..)| matches!(area, Omrade::Group(_)) && !made_of(area));
    let has_withheld = sheet.index.values().any(withheld);
    if changes > 0 {
        publication
            .unused
            .push(format!("{}: {changes} visade förändringar av undertryckta antal", sheet.name));
    }
    if has_groups && has_withheld && !members::is_usable(sheet, &options.members) {
        let text = "kommungrupper: filen säger inte vilka kommuner de består av";
        publication.unused.push(format!("{}: {text}", sheet.name));
    }
}
