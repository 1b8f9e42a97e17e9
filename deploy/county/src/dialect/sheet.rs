//! A kommun's rows as the cells of one sheet.
//!
//! What it does not do: it knows no file format. Invariants: every line has as many cells as there are
//! headers; kön and ålder stand in every row without a valid personnummer and in every third of the others,
//! and always agree with the personnummer.

use jiff::civil::Date;

use super::labels::label;
use super::specs::{DateStyle, Dialect, Field, NumberStyle};
use crate::canary::Marks;
use crate::codes::Variable;
use crate::county::{Event, KommunRows};
use crate::persons::{PersonRef, TestNumber};

/// One cell.
#[derive(Clone, PartialEq)]
pub(crate) enum Cell {
    Empty,
    Text(String),
    Number(f64),
    Date(Date),
}

/// Headers and lines.
pub(crate) struct Sheet {
    pub(crate) headers: Vec<&'static str>,
    pub(crate) lines: Vec<Vec<Cell>>,
}

/// Day 0 of spreadsheet dates.
const SERIAL_ZERO: Date = Date::constant(1899, 12, 30);

/// The sheet of a kommun in its dialect.
pub(crate) fn sheet_of(rows: &KommunRows, dialect: &Dialect) -> Sheet {
    let marks = Marks::of(rows);
    let lines = rows.events.iter().enumerate().map(|(at, event)| {
        let row = Row { at, event, marks: &marks, dialect };
        dialect.columns.iter().map(|(_, fields)| row.cell(fields)).collect()
    });
    Sheet { headers: dialect.columns.iter().map(|(header, _)| *header).collect(), lines: lines.collect() }
}

struct Row<'a> {
    at: usize,
    event: &'a Event,
    marks: &'a Marks,
    dialect: &'a Dialect,
}

impl Row<'_> {
    /// The first of a column's fields that has anything to show.
    fn cell(&self, fields: &[Field]) -> Cell {
        fields.iter().map(|field| self.field(*field)).find(|cell| *cell != Cell::Empty).unwrap_or(Cell::Empty)
    }

    fn field(&self, field: Field) -> Cell {
        match field {
            Field::Personnummer => self.number(),
            Field::Nr => Cell::Text(self.event.nr.clone()),
            Field::Datum => self.date(),
            Field::Alder if self.shows_person() => self.alder(),
            Field::Coded(Variable::Kon) if !self.shows_person() => Cell::Empty,
            Field::Alder => Cell::Empty,
            Field::Coded(variable) => self.coded(variable),
            Field::Anteckning => self.note(),
        }
    }

    fn shows_person(&self) -> bool {
        !matches!(self.event.person, PersonRef::Test(_)) || self.at.is_multiple_of(3)
    }

    fn alder(&self) -> Cell {
        Cell::Number(f64::from(self.event.alder))
    }

    fn number(&self) -> Cell {
        match &self.event.person {
            PersonRef::Test(number) => self.test_number(number),
            PersonRef::Reserve(number) => Cell::Text(number.clone()),
            PersonRef::None => Cell::Empty,
        }
    }

    fn test_number(&self, number: &TestNumber) -> Cell {
        match self.dialect.number {
            NumberStyle::TwelveDashed => Cell::Text(number.twelve_dashed()),
            NumberStyle::Twelve => Cell::Text(number.twelve()),
            NumberStyle::TenDashed => Cell::Text(number.ten_dashed()),
            NumberStyle::Ten => Cell::Text(number.ten()),
            // Ten digits are exact in a double.
            NumberStyle::TenNumeric => number.ten().parse().map_or(Cell::Empty, Cell::Number),
        }
    }

    fn date(&self) -> Cell {
        let date = self.event.date;
        match self.dialect.date {
            DateStyle::Iso => Cell::Text(date.to_string()),
            DateStyle::Compact => Cell::Text(date.strftime("%Y%m%d").to_string()),
            DateStyle::Midnight => Cell::Text(format!("{date} 00:00:00")),
            DateStyle::Serial => {
                let days = date.duration_since(SERIAL_ZERO).as_hours() / 24;
                i32::try_from(days).map_or(Cell::Empty, |d| Cell::Number(f64::from(d)))
            }
            DateStyle::Cell => Cell::Date(date),
        }
    }

    fn coded(&self, variable: Variable) -> Cell {
        if let Some(code) = self.event.value(variable) {
            return Cell::Text(label(self.dialect, variable, code, self.at));
        }
        self.marks.labels.get(&(self.at, variable)).map_or(Cell::Empty, |mark| Cell::Text(mark.clone()))
    }

    /// Free text with what free text has: separators, quotes, a line break.
    fn note(&self) -> Cell {
        match self.marks.free_text.get(&self.at) {
            Some(mark) if self.at.is_multiple_of(2) => Cell::Text(format!("Ringde; \"återkommer\", {mark}")),
            Some(mark) => Cell::Text(format!("Se journal {mark}\ntid bokad")),
            None if self.at.is_multiple_of(5) => Cell::Text("Återkopplat till anmälare".to_owned()),
            None => Cell::Empty,
        }
    }
}
