//! A kommun's rows as the cells of its system's table.
//!
//! What it does not do: it knows no file format. Invariant: every line has as many cells as there are headers.

use crate::lexicon::Field;
use crate::profile::{Days, Holds, Numbers, Profile};
use crate::rows::{Fault, Person, Row};

/// One cell.
#[derive(Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
}

/// Day 0 of spreadsheet dates.
const SERIAL_ZERO: jiff::civil::Date = jiff::civil::date(1899, 12, 30);
/// Every so many rows have a free text.
pub(crate) const NOTE_EVERY: usize = 11;

/// Headers.
pub(crate) fn headers(profile: &Profile) -> Vec<&'static str> {
    let age = |holds: Holds| holds == Holds::Age && profile.groups_of_age;
    let columns = columns(profile);
    columns.map(|(header, holds)| if age(*holds) { "Åldersgrupp" } else { *header }).collect()
}

fn columns(profile: &Profile) -> impl Iterator<Item = &'static (&'static str, Holds)> {
    let reasons = profile.gives_reasons;
    profile.system.columns.iter().filter(move |(_, holds)| reasons || *holds != Holds::Reason)
}

/// The cells of one row.
pub(crate) fn cells(profile: &Profile, at: usize, row: &Row) -> Vec<Cell> {
    columns(profile).map(|(_, holds)| cell(profile, at, row, *holds)).collect()
}

fn cell(profile: &Profile, at: usize, row: &Row, holds: Holds) -> Cell {
    let system = profile.system;
    let label = |field: Field| Cell::Text(row.labels[field as usize].clone());
    match holds {
        Holds::Number => Cell::Text(number(system.numbers, &row.person)),
        Holds::Nr => Cell::Text(row.nr.clone()),
        Holds::Date => day(system.days, row),
        Holds::Sex => Cell::Text(row.sex.map_or("Okänt", |sex| system.sexes[sex]).to_owned()),
        Holds::Age if profile.groups_of_age => Cell::Text(group(row.age).to_owned()),
        Holds::Age if system.years.is_empty() => Cell::Number(f64::from(row.age)),
        Holds::Age => Cell::Text(format!("{}{}", row.age, system.years)),
        Holds::Typ => label(Field::Typ),
        Holds::Reason => label(Field::Orsak),
        Holds::Decision => label(Field::Atgard),
        Holds::Note if at.is_multiple_of(NOTE_EVERY) => {
            Cell::Text(format!("Ringde; \"återkommer\", {}", note(&profile.unit, at)))
        }
        Holds::Note => Cell::Text(String::new()),
    }
}

/// A free text that must never leave the kommun.
pub(crate) fn note(unit: &str, at: usize) -> String {
    format!("KANARIE-FRITEXT-{unit}-{at}")
}

fn group(age: u8) -> &'static str {
    match age {
        0..=6 => "0-6 år",
        7..=12 => "7-12 år",
        _ => "13-17 år",
    }
}

fn number(numbers: Numbers, person: &Person) -> String {
    match (person, numbers) {
        (Person::None, _) => String::new(),
        (Person::Reserve(number), _) => number.clone(),
        (Person::Test(number), Numbers::Twelve) => number.twelve(),
        (Person::Test(number), Numbers::TwelveDashed) => number.twelve_dashed(),
        (Person::Test(number), Numbers::Ten) => number.ten(),
        (Person::Test(number), Numbers::TenDashed) => number.ten_dashed(),
    }
}

fn day(days: Days, row: &Row) -> Cell {
    let day = row.day;
    match row.fault {
        Some(Fault::NoDate) => return Cell::Text(String::new()),
        Some(Fault::DateForm) => return Cell::Text(day.strftime("%d/%m-%y").to_string()),
        Some(Fault::Future) => return Cell::Text(day.strftime("2203-%m-%d").to_string()),
        None => {}
    }
    match days {
        Days::Iso => Cell::Text(day.to_string()),
        Days::Compact => Cell::Text(day.strftime("%Y%m%d").to_string()),
        Days::Midnight => Cell::Text(format!("{day} 00:00:00")),
        Days::Serial => {
            let days = day.duration_since(SERIAL_ZERO).as_hours() / 24;
            i32::try_from(days).map_or(Cell::Text(String::new()), |days| Cell::Number(f64::from(days)))
        }
    }
}
