//! Reads the fourteen embedded CSV files, uncorrected, into cells keyed by codes.
//!
//! What it does not do: it does not judge. Invariant: a cell's `codes` are the table's constants, then its
//! dimensions in column order, so that two cells of one table compare by position.

use super::{COUNTY, FigureError, TABLES, TOT, TableDef};
use crate::county::KOMMUNER;

/// What a printed figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// A count of aktualiseringar.
    Count,
    /// An integer percentage, halves away from zero, of the cell with `TOT` in the table's `percent_over`.
    Percent,
    /// An integer percentage of change since the year given.
    ChangeSince(u16),
}

/// One printed figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedCell {
    /// `T01` … `T14`.
    pub table: &'static str,
    /// Kommunkod or `21`.
    pub omrade: &'static str,
    /// Variable id and code (or `TOT`).
    pub codes: Vec<(&'static str, &'static str)>,
    /// Year.
    pub tid: u16,
    /// What the value is.
    pub measure: Measure,
    /// The figure.
    pub value: i64,
}

/// What a column of a file holds.
#[derive(Clone, Copy)]
enum Column {
    Kommun,
    Year,
    Dimension(usize),
    /// A figure; the year when the header names it.
    Figure(Measure, Option<u16>),
}

/// Labels of a total row or column in print.
const TOTALS: &[&str] = &["Totalt", "Länet"];

/// Every printed figure of all fourteen tables.
///
/// # Errors
/// [`FigureError`] when an embedded file is not what the definitions say (a fault of this crate).
pub fn printed() -> Result<Vec<PrintedCell>, FigureError> {
    let mut cells = Vec::new();
    for table in TABLES {
        read_table(table, &mut cells)?;
    }
    Ok(cells)
}

fn read_table(def: &'static TableDef, cells: &mut Vec<PrintedCell>) -> Result<(), FigureError> {
    let table = def.id;
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(def.csv.as_bytes());
    let headers = reader.headers().map_err(|_| FigureError::Malformed { table })?.clone();
    let columns = headers
        .iter()
        .enumerate()
        .map(|(column, header)| role(def, header).ok_or(FigureError::UnknownHeader { table, column }))
        .collect::<Result<Vec<_>, _>>()?;
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|_| FigureError::Malformed { table })?;
        read_row(def, &columns, (at + 1, &record), cells)?;
    }
    Ok(())
}

fn role(def: &TableDef, header: &str) -> Option<Column> {
    if let Some(dim) = def.dims.iter().position(|(name, _)| *name == header) {
        return Some(Column::Dimension(dim));
    }
    Some(match header {
        "kommun" => Column::Kommun,
        "år" => Column::Year,
        "antal" => Column::Figure(Measure::Count, None),
        "procent" => Column::Figure(Measure::Percent, None),
        "antal_2024" => Column::Figure(Measure::Count, Some(2024)),
        "procent_2024" => Column::Figure(Measure::Percent, Some(2024)),
        "procent_2023" => Column::Figure(Measure::Percent, Some(2023)),
        "procent_2023_2024" => Column::Figure(Measure::ChangeSince(2023), None),
        "procent_2020_2024" => Column::Figure(Measure::ChangeSince(2020), None),
        _ => return None,
    })
}

fn read_row(
    def: &'static TableDef,
    columns: &[Column],
    (row, record): (usize, &csv::StringRecord),
    cells: &mut Vec<PrintedCell>,
) -> Result<(), FigureError> {
    let table = def.id;
    let mut omrade = COUNTY;
    let mut year = 0;
    let mut codes: Vec<_> = def.constants.iter().map(|(v, code)| (v.id(), *code)).collect();
    for (column, text) in columns.iter().zip(record) {
        match column {
            Column::Kommun => omrade = omrade_of(text).ok_or(FigureError::UnknownLabel { table, row })?,
            Column::Year => year = text.parse().map_err(|_| FigureError::BadNumber { table, row })?,
            Column::Dimension(dim) => {
                let variable = def.dims[*dim].1;
                let total = TOTALS.contains(&text).then_some(TOT);
                let code = total.or_else(|| variable.code_of_printed(text));
                codes.push((variable.id(), code.ok_or(FigureError::UnknownLabel { table, row })?));
            }
            Column::Figure(_, _) => {}
        }
    }
    for (column, text) in columns.iter().zip(record) {
        let Column::Figure(measure, named) = *column else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let value = text.parse().map_err(|_| FigureError::BadNumber { table, row })?;
        let tid = named.unwrap_or(year);
        cells.push(PrintedCell { table, omrade, codes: codes.clone(), tid, measure, value });
    }
    Ok(())
}

fn omrade_of(label: &str) -> Option<&'static str> {
    if TOTALS.contains(&label) {
        return Some(COUNTY);
    }
    KOMMUNER.iter().find(|k| k.namn == label).map(|k| k.kod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read_with_the_number_of_figures_it_prints() {
        let cells = printed().unwrap();
        let counts: Vec<usize> = TABLES
            .iter()
            .map(|t| cells.iter().filter(|c| c.table == t.id && c.measure == Measure::Count).count())
            .collect();
        assert_eq!(counts, [55, 30, 66, 9, 9, 15, 2, 24, 55, 7, 28, 55, 15, 21]);
    }

    #[test]
    fn no_cell_occurs_twice() {
        let cells = printed().unwrap();
        let keys: std::collections::HashSet<String> = cells
            .iter()
            .map(|c| format!("{}{}{:?}{}{:?}", c.table, c.omrade, c.codes, c.tid, c.measure))
            .collect();
        assert_eq!(keys.len(), cells.len());
    }
}
