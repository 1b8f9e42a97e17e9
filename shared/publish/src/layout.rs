//! The printed layout of a table: which figures stand beside and below one another.
//!
//! Rows are kommuner, or the first dimension; columns are periods × the other dimensions × count and percent,
//! then changes. A table that would be wider than [`MAX_COLUMNS`] turns dimensions into further stub columns
//! instead. Pure data, made from a strict table; knows no spreadsheet and changes no figure.

use std::collections::HashMap;

use tables::codebook::TOT;
use tables::collection::{Scope, Table};
use tables::period::Period;
use tables::strict::StrictRow;
use tables::unit::{GroupCode, LansKod, Omrade, Unit};

use crate::derived::Figure;
use crate::names;
use crate::publication::{Publication, Realm};
use crate::table::{change_word, count_word};

/// Most columns of figures beside one another.
pub const MAX_COLUMNS: usize = 24;

/// What the figures of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Counts.
    Count,
    /// Whole percent.
    Percent,
    /// Whole percent of change.
    Change,
}

/// How a row is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// A category.
    Plain,
    /// The total of the last stub column.
    Subtotal,
    /// The total of all.
    Total,
}

/// A column of figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// One label for every header row.
    pub labels: Vec<String>,
    /// What stands in it.
    pub kind: Kind,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridRow {
    /// One label for every stub column.
    pub labels: Vec<String>,
    /// How it is set.
    pub rank: Rank,
    /// One figure for every column; `None` where the table has no such row.
    pub cells: Vec<Option<Figure>>,
    /// For every column whether the figure was another in the version that is corrected.
    pub revised: Vec<bool>,
}

/// A table as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Headings of the stub columns.
    pub stubs: Vec<String>,
    /// Columns of figures.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<GridRow>,
}

impl Grid {
    /// How many header rows there are.
    pub fn levels(&self) -> usize {
        self.columns.iter().map(|column| column.labels.len()).max().unwrap_or(1)
    }
}

#[derive(Clone)]
struct Member {
    label: String,
    value: Value,
    total: bool,
}

#[derive(Clone)]
enum Value {
    Area(Omrade),
    Code(usize, String),
}

struct Axis {
    head: String,
    members: Vec<Member>,
}

struct Wanted {
    column: Column,
    members: Vec<Member>,
    period: Period,
    matt: String,
}

type Cells<'a> = HashMap<(&'a Omrade, &'a [String], Period, &'a str), &'a StrictRow>;

/// The layout of a table of the publication; `at` is its index in the collection.
pub fn grid(publication: &Publication, at: usize) -> Grid {
    let table = &publication.collection.tables[at];
    let width = table.dimensions.len();
    let rows = publication.tables[at].rows.iter();
    let cells: Cells =
        rows.map(|row| ((&row.omrade, &row.codes[..width], row.tid, row.matt.as_str()), row)).collect();
    let (stubs, across) = split(table, axes(publication, table));
    let wanted = columns(table, &across);
    let county = publication.whole();
    let row = |members: Vec<Member>| GridRow {
        cells: wanted.iter().map(|column| look_up(&cells, width, &county, &members, column)).collect(),
        revised: wanted
            .iter()
            .map(|column| {
                find(&cells, width, &county, &members, column)
                    .is_some_and(|row| publication.is_revised(at, row))
            })
            .collect(),
        rank: rank(&members),
        labels: members.into_iter().map(|member| member.label).collect(),
    };
    let members: Vec<_> = stubs.iter().map(|axis| axis.members.clone()).collect();
    let rows: Vec<GridRow> = product(&members).into_iter().map(row).collect();
    without_empty(Grid {
        stubs: stubs.into_iter().map(|axis| axis.head).collect(),
        columns: wanted.into_iter().map(|wanted| wanted.column).collect(),
        rows,
    })
}

fn axes(publication: &Publication, table: &Table) -> Vec<Axis> {
    let mut axes = Vec::new();
    if let Some(realm) = &publication.realm {
        axes.push(counties(realm, publication.groups_of(table)));
    } else if table.scope == Scope::Kommun || table.dimensions.is_empty() {
        axes.push(areas(publication, table.scope));
    }
    for (at, dimension) in table.dimensions.iter().enumerate() {
        let member = |category: &tables::codebook::Category| Member {
            label: category.text.clone(),
            value: Value::Code(at, category.code.clone()),
            total: false,
        };
        let mut members: Vec<Member> = dimension.categories.iter().map(member).collect();
        if table.margins.iter().any(|margin| margin >> at & 1 == 1) {
            members.push(Member { label: "Totalt".into(), value: Value::Code(at, TOT.into()), total: true });
        }
        axes.push(Axis { head: dimension.text.clone(), members });
    }
    axes
}

fn counties(realm: &Realm, groups: Vec<GroupCode>) -> Axis {
    let member = |(county, _): &(LansKod, _)| Member {
        label: names::county(*county),
        value: Value::Area(Omrade::County(*county)),
        total: false,
    };
    let mut members: Vec<Member> = realm.counties.iter().map(member).collect();
    members.extend(groups.into_iter().map(|group| Member {
        label: format!("Kommungrupp {group}"),
        value: Value::Area(Omrade::Group(group)),
        total: false,
    }));
    members.push(Member { label: "Riket".into(), value: Value::Area(Omrade::Riket), total: true });
    Axis { head: "Län".into(), members }
}

fn areas(publication: &Publication, scope: Scope) -> Axis {
    let units: &[Unit] = match scope {
        Scope::Kommun => &publication.collection.units,
        Scope::Total => &[],
    };
    let member = |unit: &Unit| Member {
        label: publication.name(unit),
        value: Value::Area(Omrade::Unit(unit.clone())),
        total: false,
    };
    let mut members: Vec<Member> = units.iter().map(member).collect();
    let county = Value::Area(publication.whole());
    members.push(Member { label: "Totalt".into(), value: county, total: true });
    let whole = units.iter().all(|unit| *unit == Unit::whole(unit.kommun()));
    Axis { head: if whole { "Kommun".into() } else { "Kommun eller stadsdel".into() }, members }
}

/// The stub axes, and those across. The first axis is always a stub.
fn split(table: &Table, mut axes: Vec<Axis>) -> (Vec<Axis>, Vec<Axis>) {
    let mut stubs = 1.min(axes.len());
    let each = table.periods.len() * if table.percent.is_some() { 2 } else { 1 }
        + table.change.as_ref().map_or(0, |change| change.from.len());
    let columns = |across: &[Axis]| each * across.iter().map(|axis| axis.members.len()).product::<usize>();
    while stubs < axes.len() && columns(&axes[stubs..]) > MAX_COLUMNS {
        stubs += 1;
    }
    let across = axes.split_off(stubs);
    (axes, across)
}

fn columns(table: &Table, across: &[Axis]) -> Vec<Wanted> {
    let name_period = table.periods.len() > 1 || table.change.is_some();
    let members: Vec<_> = across.iter().map(|axis| axis.members.clone()).collect();
    let combinations = product(&members);
    let column = |head: Option<String>, members: &[Member], word: Option<&str>, kind| {
        let names = members.iter().map(|member| member.label.clone());
        let mut labels: Vec<String> = head.into_iter().chain(names).chain(word.map(str::to_string)).collect();
        if labels.is_empty() {
            labels.push("Antal".into());
        }
        Column { labels, kind }
    };
    let mut wanted = Vec::new();
    for period in &table.periods {
        for members in &combinations {
            let head = name_period.then(|| period.to_string());
            let mut add = |word, kind, matt: &str| {
                let column = column(head.clone(), members, word, kind);
                wanted.push(Wanted { column, members: members.clone(), period: *period, matt: matt.into() });
            };
            add(table.percent.is_some().then_some("Antal"), Kind::Count, count_word(table.measure));
            if let Some(percent) = &table.percent {
                add(Some("Procent"), Kind::Percent, percent.measure.word());
            }
        }
    }
    if let Some(change) = &table.change {
        for (from, members) in change.from.iter().flat_map(|from| combinations.iter().map(move |c| (from, c)))
        {
            let head = Some(format!("Förändring {from}–{}", change.to));
            let column = column(head, members, table.percent.is_some().then_some("Procent"), Kind::Change);
            wanted.push(Wanted {
                column,
                members: members.clone(),
                period: change.to,
                matt: change_word(*from),
            });
        }
    }
    wanted
}

fn look_up(cells: &Cells, width: usize, county: &Omrade, stub: &[Member], column: &Wanted) -> Option<Figure> {
    find(cells, width, county, stub, column).map(Figure::of_row)
}

fn find<'a>(
    cells: &Cells<'a>,
    width: usize,
    county: &Omrade,
    stub: &[Member],
    column: &Wanted,
) -> Option<&'a StrictRow> {
    let mut area = county;
    let mut codes = vec![String::new(); width];
    for member in stub.iter().chain(&column.members) {
        match &member.value {
            Value::Area(omrade) => area = omrade,
            Value::Code(at, code) => codes[*at] = code.clone(),
        }
    }
    cells.get(&(area, codes.as_slice(), column.period, column.matt.as_str())).copied()
}

fn rank(members: &[Member]) -> Rank {
    match members.last() {
        _ if members.iter().all(|member| member.total) => Rank::Total,
        Some(last) if last.total => Rank::Subtotal,
        _ => Rank::Plain,
    }
}

/// Leaves out rows and columns that the table's margins do not have.
fn without_empty(mut grid: Grid) -> Grid {
    grid.rows.retain(|row| row.cells.iter().any(Option::is_some));
    let used: Vec<bool> =
        (0..grid.columns.len()).map(|at| grid.rows.iter().any(|row| row.cells[at].is_some())).collect();
    keep(&mut grid.columns, &used);
    grid.rows.iter_mut().for_each(|row| {
        keep(&mut row.cells, &used);
        keep(&mut row.revised, &used);
    });
    grid
}

fn keep<T>(list: &mut Vec<T>, used: &[bool]) {
    let mut used = used.iter();
    list.retain(|_| used.next().copied().unwrap_or(true));
}

/// Every combination of one of each, the last list fastest.
fn product<T: Clone>(lists: &[Vec<T>]) -> Vec<Vec<T>> {
    lists.iter().fold(vec![Vec::new()], |heads, list| {
        let extend = |head: &Vec<T>| {
            let longer = |item: &T| head.iter().cloned().chain([item.clone()]).collect();
            list.iter().map(longer).collect::<Vec<Vec<T>>>()
        };
        heads.iter().flat_map(extend).collect()
    })
}
