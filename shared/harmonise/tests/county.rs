//! The made county's ten dialects, written by code that shares nothing with this crate, read back row by row.

#![allow(clippy::unwrap_used)] // a test crate: a panic is a failure
#![allow(missing_docs)]

use county::dialect::render;
use county::{County, Event, KommunRows, PersonRef, canaries, personnummer};
use harmonise::{Coded, Harmonised, KommunCodes, Source, read};
use tables::codebook::Codebook;

fn harmonised(kommun: &KommunRows, book: &Codebook) -> Harmonised {
    let files = render(kommun).unwrap();
    let codes = match files.get(1) {
        Some(file) => KommunCodes::from_toml(std::str::from_utf8(&file.bytes).unwrap(), book).unwrap(),
        None => KommunCodes::none(kommun.kommunkod.parse().unwrap(), book),
    };
    read(Source::of_bytes(&files[0].bytes), book, &codes, jiff::civil::date(2025, 2, 1)).unwrap()
}

fn assert_same(book: &Codebook, place: &str, event: &Event, coded: &Coded) {
    assert_eq!(event.date, coded.date, "{place}");
    for (variable, code) in book.variables.iter().zip(&coded.codes) {
        let found = code.map(|code| variable.codes[usize::from(code.code)].code.as_str());
        let from_person = ["kon", "aldersgrupp"].contains(&variable.id.as_str());
        let unknown = from_person && found.is_none() && !matches!(event.person, PersonRef::Test(_));
        assert!(unknown || found == event.code(&variable.id), "{place}: {} is {found:?}", variable.id);
    }
}

#[test]
fn every_row_of_the_ten_dialects_is_read_as_it_was_made() {
    let book = Codebook::vuxna().unwrap();
    for kommun in County::generate(21).unwrap().kommuner() {
        let read = harmonised(kommun, &book);
        let place = kommun.kommunkod;
        assert_eq!(read.report.refused.first, [], "{place}");
        assert_eq!(read.rows.len(), kommun.events.len(), "{place}");
        for (row, (event, coded)) in kommun.events.iter().zip(&read.rows).enumerate() {
            assert_same(&book, &format!("{place} row {row}"), event, coded);
        }
        let without = kommun.events.iter().filter(|event| !matches!(event.person, PersonRef::Test(_)));
        assert_eq!(read.report.without_number.values().sum::<u64>(), without.count() as u64, "{place}");
    }
}

#[test]
fn stay_1_no_mark_of_the_county_is_printed_and_every_marked_label_is_listed_for_the_operator() {
    let book = Codebook::vuxna().unwrap();
    for kommun in County::generate(22).unwrap().kommuner() {
        let read = harmonised(kommun, &book);
        let printed = format!("{read:?} {:?} {:?}", read.rows, read.unmapped.for_operator());
        for mark in canaries(kommun).iter().chain(&personnummer(kommun)) {
            assert!(!printed.contains(mark.as_str()), "{}", kommun.kommunkod);
        }
        let listed = |mark: &String| {
            read.unmapped.for_operator().iter().any(|label| label.label.contains(mark.as_str()))
        };
        let labels = canaries(kommun).into_iter().filter(|mark| mark.contains("ETIKETT"));
        assert!(labels.into_iter().all(|mark| listed(&mark)), "{}", kommun.kommunkod);
        let texts = canaries(kommun).into_iter().filter(|mark| mark.contains("FRITEXT"));
        assert!(!texts.into_iter().any(|mark| listed(&mark)), "{}", kommun.kommunkod);
    }
}
