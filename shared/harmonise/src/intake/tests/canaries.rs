//! STAY-1: every cell is marked, and the marks are looked for in everything that can be printed.

use rust_xlsxwriter::Workbook;

use super::*;
use crate::label::{Matcher, Meaning};

const HEADERS: [&str; 7] =
    ["Personnummer", "Aktualiseringsnummer", "Datum", "Kön", "Ålder", "Anmälare", "Anteckning"];

/// Rows that are read, refused and skipped, with a mark in every cell that may hold one.
fn marked() -> Vec<[&'static str; 7]> {
    vec![
        ["198001012387", "KANARIE-1", "2024-01-31", "KANARIE-2", "KANARIE-3", "KANARIE-4", "KANARIE-5"],
        ["KANARIE-6", "KANARIE-7", "KANARIE-8", "Man", "777", "Polisen", "KANARIE-9"],
        [
            "19800101-KA12",
            "KANARIE-1",
            "2024-01-31",
            "KANARIE-2",
            "777",
            "Polisen, KANARIE-10",
            "\"KANARIE-11",
        ],
        ["KANARIE-12", "", "KANARIE", "", "", "KANARIE-13", "KANARIE-14"],
        ["198001012388", "777", "2999-07-07", "", "", "", "KANARIE-15"],
        ["", "", "", "", "", "", "KANARIE-16"],
    ]
}

const MARKS: [&str; 8] = ["KANARIE", "Kanarie", "kanarie", "8001012", "198001", "777", "KA12", "2999"];

fn assert_unmarked(printed: &str) {
    for mark in MARKS {
        assert!(!printed.contains(mark), "{mark} in {printed}");
    }
}

fn text_of(rows: &[[&str; 7]], separator: &str) -> Vec<u8> {
    let line = |row: &[&str; 7]| row.join(separator);
    std::iter::once(line(&HEADERS)).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n").into_bytes()
}

fn workbook_of(header: Option<&[&str; 7]>, rows: &[[&str; 7]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (at, row) in (0..).zip(header.into_iter().chain(rows)) {
        sheet.write_row(at, 0, *row).unwrap();
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn stay_1_nothing_that_can_be_printed_holds_a_cell() {
    for bytes in [text_of(&marked(), ";"), text_of(&marked(), "\t"), workbook_of(Some(&HEADERS), &marked())] {
        let read = read_plain(&bytes);
        let report = &read.report;
        assert!(
            report.read >= 1 && report.refused.total >= 2 && report.skipped.total >= 1,
            "the marks took every way"
        );
        assert!(!read.unmapped.is_empty());
        let refusals: Vec<String> = report.refused.first.iter().map(Refusal::to_string).collect();
        let skipped: Vec<String> = report.skipped.first.iter().map(Skipped::to_string).collect();
        assert_unmarked(&format!("{read:?} {:?} {report:#?} {refusals:?} {skipped:?}", read.rows));
        assert_unmarked(&format!("{:?} {:?}", read.unmapped, read.unmapped.for_operator()));
    }
}

#[test]
fn stay_1_the_marks_are_where_the_operator_asks_for_them() {
    let read = read_plain(&text_of(&marked(), ";"));
    let mut review = Vec::new();
    read.unmapped.write_review(&mut review).unwrap();
    let review = String::from_utf8(review).unwrap();
    assert!(review.contains("KANARIE-4"), "{review}");
    // columns that were not asked for, numbers and dates are not even there
    for mark in ["KANARIE-5", "KANARIE-1\"", "KANARIE-8", "KANARIE-9", "198001"] {
        assert!(!review.contains(mark), "{mark}");
    }
}

#[test]
fn stay_1_no_error_holds_a_cell() {
    let rows = marked();
    let first = rows[0];
    let long = "KANARIE".repeat(MAX_CELL_CHARS / 7 + 1);
    let mut too_long = rows.clone();
    too_long[1][6] = &long;
    let mut null = text_of(&rows, ";");
    null.push(0);
    let mut mixed = text_of(&rows, ";");
    mixed.extend("åäöåäö".as_bytes());
    mixed.push(0xe5);
    let mut damaged = workbook_of(Some(&HEADERS), &rows);
    let half = damaged.len() / 2;
    damaged.truncate(half);
    let files = [
        (text_of(&too_long, ";"), ""),
        (null, ""),
        (mixed, ""),
        (damaged, ""),
        // without a header the rows themselves are searched for one
        (text_of(&rows, ";").split_off(HEADERS.join(";").len()), ""),
        (workbook_of(None, &rows), ""),
        (workbook_of(None, &[first, ["Kön", "KANARIE", "", "", "", "", ""]]), ""),
        (text_of(&rows, ";"), "[kolumner]\ndatum = \"Finns inte\"\nkon = \"Kön\""),
    ];
    for (bytes, body) in files {
        let error = read_with(&bytes, body).unwrap_err();
        assert_unmarked(&format!("{error} {error:?}"));
    }
}

#[test]
fn stay_1_meanings_and_codes_hold_no_label() {
    let book = book();
    let matcher = Matcher::new(&book.variables[2], &[]);
    assert_unmarked(&format!("{:?}", matcher.meaning("KANARIE", TODAY)));
    assert_eq!(matcher.meaning("KANARIE", TODAY), Meaning::Unmapped);
    let codes = codes("[kolumner]\ndatum = \"KANARIE\"\n[koder.kon]\n\"KANARIE\" = \"man\"");
    assert_unmarked(&format!("{codes:?}"));
}
