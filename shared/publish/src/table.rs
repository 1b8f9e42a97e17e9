//! From marked figures to strict tables.
//!
//! A table of scope `kommun` has rows for every invited unit (`..` for those that did not take part) and for
//! the county; a table of scope `total` for the county only. Percentages stand wherever their base is one of
//! the table's margins. Bortfall is one row a period for the county, also when it is 0 (TRUE-3), with `TOT`
//! in every dimension whether or not the counts have that margin.
//!
//! Order: units ascending, then the county; codes as in the codebook, `TOT` last; periods ascending;
//! measures: count, percent, change, bortfall. Deterministic (SAME-1). Decides no mark.

use tables::codebook::{Codebook, TOT};
use tables::collection::{Collection, Measure, Scope, Table};
use tables::figures::{Figures, Mark};
use tables::period::Period;
use tables::strict::{StrictRow, StrictTable};
use tables::system::{CellIndex, Row, System};
use tables::unit::{Omrade, Unit};

use std::collections::{BTreeMap, HashMap};

use crate::derived::{Figure, TooLarge, change, percent};

/// Figures that do not belong to the collection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A row of a table has no mark.
    #[error("{table}: no mark for {area} {row}")]
    NoMark {
        /// Table.
        table: String,
        /// Area.
        area: Omrade,
        /// Codes and period of the row.
        row: String,
    },
    /// Units that are not invited, twice there, out of order, or without figures.
    #[error("the roster is no ascending list of invited units, each with its figures")]
    Roster,
    /// More or fewer tables than the collection.
    #[error("the system has {found} tables, the collection {expected}")]
    Tables {
        /// In the system.
        found: usize,
        /// In the collection.
        expected: usize,
    },
    /// See [`TooLarge`].
    #[error("{table}: {source}")]
    TooLarge {
        /// Table.
        table: String,
        /// Why.
        source: TooLarge,
    },
}

/// What the tables of a publication are made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What was asked.
    pub collection: &'a Collection,
    /// What codes mean.
    pub codebook: &'a Codebook,
    /// The cells of the collection.
    pub system: &'a System,
    /// What is shown of them, for the units that took part.
    pub figures: &'a Figures,
}

/// An area with a mark for every cell, or without when it did not deliver.
pub type Area<'a> = (Omrade, Option<&'a BTreeMap<CellIndex, Mark>>);

/// The tables of areas above kommuner: counties, groups, the realm. Every table has a row for each of them.
///
/// # Errors
/// [`TableError`] when an area that delivered lacks a mark.
pub fn tables_of_areas(
    collection: &Collection,
    codebook: &Codebook,
    system: &System,
    areas: &[Area],
) -> Result<Vec<StrictTable>, TableError> {
    let (found, expected) = (system.tables.len(), collection.tables.len());
    if found != expected {
        return Err(TableError::Tables { found, expected });
    }
    (0..expected).map(|at| Maker::new(collection, codebook, system, at).of_areas(areas)).collect()
}

/// The word of the `matt` column for counts of a table.
pub fn count_word(measure: Measure) -> &'static str {
    match measure {
        Measure::Aktualiseringar => "aktualiseringar",
    }
}

/// The word of the `matt` column for the change from a period.
pub fn change_word(from: Period) -> String {
    format!("forandring_{from}")
}

/// The word of the `matt` column for records whose dimensions are not all known.
pub const BORTFALL: &str = "bortfall";

/// All tables of a publication, in the collection's order.
///
/// # Errors
/// [`TableError`] when the figures are not those of the collection.
pub fn strict_tables(source: Source) -> Result<Vec<StrictTable>, TableError> {
    let (found, expected) = (source.system.tables.len(), source.collection.tables.len());
    if found != expected {
        return Err(TableError::Tables { found, expected });
    }
    check_roster(source.collection, source.figures)?;
    let Source { collection, codebook, system, figures } = source;
    (0..expected).map(|at| Maker::new(collection, codebook, system, at).make(figures)).collect()
}

fn check_roster(collection: &Collection, figures: &Figures) -> Result<(), TableError> {
    let ascending = figures.units.windows(2).all(|pair| pair[0] < pair[1]);
    let invited = figures.units.iter().all(|unit| collection.units.contains(unit));
    if ascending && invited && figures.units.len() == figures.per_unit.len() {
        Ok(())
    } else {
        Err(TableError::Roster)
    }
}

type Counts<'a> = HashMap<(&'a [Option<usize>], usize), Figure>;

struct Maker<'a> {
    collection: &'a Collection,
    table: &'a Table,
    rows: &'a [Row],
    bortfall: &'a [CellIndex],
    constants: Vec<(String, String)>,
}

impl<'a> Maker<'a> {
    fn new(collection: &'a Collection, codebook: &Codebook, system: &'a System, at: usize) -> Self {
        let table = &collection.tables[at];
        let rows = &system.tables[at];
        let constants = table.constant_columns(codebook);
        Self { collection, table, rows: &rows.rows, bortfall: &rows.bortfall, constants }
    }

    fn make(&self, figures: &Figures) -> Result<StrictTable, TableError> {
        let mut areas: Vec<Area> = Vec::new();
        let units: &[Unit] = match self.table.scope {
            Scope::Kommun => &self.collection.units,
            Scope::Total => &[],
        };
        for unit in units {
            let marks = figures.units.binary_search(unit).ok().map(|at| &figures.per_unit[at]);
            areas.push((Omrade::Unit(unit.clone()), marks));
        }
        areas.push((Omrade::County(self.collection.county), Some(&figures.totals)));
        self.of_areas(&areas)
    }

    /// The table of some areas, in this order; bortfall of those that are no units and delivered.
    fn of_areas(&self, areas: &[Area]) -> Result<StrictTable, TableError> {
        let mut rows = Vec::new();
        for (area, marks) in areas {
            self.area(area, *marks, &mut rows)?;
            if let (Some(marks), false) = (marks, matches!(area, Omrade::Unit(_))) {
                self.bortfall_rows(area, marks, &mut rows)?;
            }
        }
        let order = self.order();
        rows.sort_by_cached_key(|row| order.key(row));
        let own = self.table.dimensions.iter().map(|dimension| dimension.id.clone());
        let dimensions = own.chain(self.constants.iter().map(|(id, _)| id.clone())).collect();
        Ok(StrictTable { dimensions, rows })
    }

    /// The rows of one area; `marks` is `None` for a unit that did not take part.
    fn area(
        &self,
        area: &Omrade,
        marks: Option<&BTreeMap<CellIndex, Mark>>,
        out: &mut Vec<StrictRow>,
    ) -> Result<(), TableError> {
        let mut counts = Counts::new();
        for row in self.rows {
            let figure = match marks {
                None => Figure::NotDelivered,
                Some(marks) => self.figure(marks, row.cell, area, || self.name(&row.codes, row.period))?,
            };
            counts.insert((&row.codes, row.period), figure);
        }
        for row in self.rows {
            let own = counts[&(row.codes.as_slice(), row.period)];
            out.push(self.row(area, &row.codes, row.period, count_word(self.table.measure), own));
            self.percent_row(area, row, &counts, out);
            self.change_rows(area, row, &counts, out);
        }
        Ok(())
    }

    fn percent_row(&self, area: &Omrade, row: &Row, counts: &Counts, out: &mut Vec<StrictRow>) {
        let Some(spec) = &self.table.percent else { return };
        let over = self.table.percent_over;
        let total = |(at, code): (usize, &Option<usize>)| if over >> at & 1 == 1 { None } else { *code };
        let base: Vec<_> = row.codes.iter().enumerate().map(total).collect();
        if let Some(base) = counts.get(&(base.as_slice(), row.period)) {
            let figure = percent(counts[&(row.codes.as_slice(), row.period)], *base);
            out.push(self.row(area, &row.codes, row.period, spec.measure.word(), figure));
        }
    }

    fn change_rows(&self, area: &Omrade, row: &Row, counts: &Counts, out: &mut Vec<StrictRow>) {
        let Some(spec) = self.table.change.as_ref().filter(|spec| self.table.periods[row.period] == spec.to)
        else {
            return;
        };
        for from in &spec.from {
            let earlier = self.table.periods.iter().position(|period| period == from);
            if let Some(earlier) = earlier.and_then(|at| counts.get(&(row.codes.as_slice(), at))) {
                let figure = change(*earlier, counts[&(row.codes.as_slice(), row.period)]);
                out.push(self.row(area, &row.codes, row.period, &change_word(*from), figure));
            }
        }
    }

    fn bortfall_rows(
        &self,
        area: &Omrade,
        marks: &BTreeMap<CellIndex, Mark>,
        out: &mut Vec<StrictRow>,
    ) -> Result<(), TableError> {
        let codes = vec![None; self.table.dimensions.len()];
        for (period, cell) in self.bortfall.iter().enumerate() {
            let name = || format!("{BORTFALL} {}", self.table.periods[period]);
            let figure = self.figure(marks, *cell, area, name)?;
            out.push(self.row(area, &codes, period, BORTFALL, figure));
        }
        Ok(())
    }

    fn figure(
        &self,
        marks: &BTreeMap<CellIndex, Mark>,
        cell: CellIndex,
        area: &Omrade,
        name: impl FnOnce() -> String,
    ) -> Result<Figure, TableError> {
        let table = || self.table.id.clone();
        match marks.get(&cell) {
            Some(mark) => {
                Figure::of_mark(*mark).map_err(|source| TableError::TooLarge { table: table(), source })
            }
            None => Err(TableError::NoMark { table: table(), area: area.clone(), row: name() }),
        }
    }

    fn row(
        &self,
        area: &Omrade,
        codes: &[Option<usize>],
        period: usize,
        matt: &str,
        figure: Figure,
    ) -> StrictRow {
        let (varde, status) = figure.columns();
        let constants = self.constants.iter().map(|(_, code)| code.clone());
        let codes = self.codes(codes).chain(constants).collect();
        StrictRow {
            omrade: area.clone(),
            codes,
            tid: self.table.periods[period],
            matt: matt.into(),
            varde,
            status,
        }
    }

    fn codes<'b>(&'b self, codes: &'b [Option<usize>]) -> impl Iterator<Item = String> + 'b {
        self.table.dimensions.iter().zip(codes).map(|(dimension, code)| match code {
            Some(at) => dimension.categories[*at].code.clone(),
            None => TOT.into(),
        })
    }

    fn name(&self, codes: &[Option<usize>], period: usize) -> String {
        self.codes(codes).chain([self.table.periods[period].to_string()]).collect::<Vec<_>>().join(" ")
    }

    fn order(&self) -> Order {
        let ranks = |dimension: &tables::codebook::Resolved| {
            let codes = dimension.categories.iter().enumerate();
            codes.map(|(at, category)| (category.code.clone(), at)).collect()
        };
        Order { ranks: self.table.dimensions.iter().map(ranks).collect() }
    }
}

/// The order of rows in a strict file.
struct Order {
    ranks: Vec<HashMap<String, usize>>,
}

impl Order {
    fn key(&self, row: &StrictRow) -> (Omrade, Vec<usize>, Period, usize, String) {
        let rank = |(ranks, code): (&HashMap<String, usize>, &String)| {
            ranks.get(code).copied().unwrap_or(usize::MAX)
        };
        let codes = self.ranks.iter().zip(&row.codes).map(rank).collect();
        let measure = match row.matt.as_str() {
            BORTFALL => 3,
            word if word.starts_with("forandring_") => 2,
            word if word.starts_with("procent_") => 1,
            _ => 0,
        };
        // Omrade orders units before counties
        (row.omrade.clone(), codes, row.tid, measure, row.matt.clone())
    }
}
