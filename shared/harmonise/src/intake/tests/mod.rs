//! Readings of whole files, made here byte by byte.

mod canaries;
mod dialects;
mod errors;
mod query;
mod threads;
mod zip;

use std::num::NonZeroUsize;

use jiff::civil::{Date, date};
use tables::codebook::Codebook;

use super::*;

const TODAY: Date = date(2024, 6, 30);

fn book() -> Codebook {
    Codebook::vuxna().unwrap()
}

fn codes(body: &str) -> KommunCodes {
    KommunCodes::from_toml(&format!("version = 1\nkommun = \"2180\"\n{body}"), &book()).unwrap()
}

fn read_with(bytes: &[u8], body: &str) -> Result<Harmonised, IntakeError> {
    read(Source::of_bytes(bytes), &book(), &codes(body), TODAY)
}

fn read_plain(bytes: &[u8]) -> Harmonised {
    read_with(bytes, "").unwrap()
}

/// The codes of a row as `date kon aldersgrupp …`, `-` for a missing value.
fn shown(row: &Coded) -> String {
    let book = book();
    let code = |(variable, code): (usize, &Option<tables::codebook::Given>)| match code {
        Some(code) => book.variables[variable].codes[usize::from(code.code)].code.clone(),
        None => "-".into(),
    };
    let codes: Vec<String> = row.codes.iter().enumerate().map(code).collect();
    format!("{} {}", row.date, codes.join(" "))
}

fn all_shown(read: &Harmonised) -> Vec<String> {
    read.rows.iter().map(shown).collect()
}

fn variable<'r>(report: &'r IntakeReport, id: &str) -> &'r VariableReport {
    report.variables.iter().find(|variable| variable.id == id).unwrap()
}

/// Every row is accounted for, and every variable of every row read.
fn assert_nothing_dropped(read: &Harmonised) {
    let report = &read.report;
    assert_eq!(report.read, read.rows.len() as u64);
    for (index, variable) in report.variables.iter().enumerate() {
        let sum = variable.mapped + variable.missing + variable.unmapped + variable.outside_validity;
        assert_eq!(sum, report.read, "{}", variable.id);
        let known = read.rows.iter().filter(|row| row.codes[index].is_some()).count();
        assert_eq!(known as u64, variable.mapped, "{}", variable.id);
    }
}
