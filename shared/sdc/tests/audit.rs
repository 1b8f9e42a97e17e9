//! `sdc audit` as a process: what it writes where, and what it ends with.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::path::Path;
use std::process::{Command, Output};

const EXPECTED: &str = include_str!("../../audit/tests/stockholm-2024/audit-expected.csv");

fn sdc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sdc")).arg("audit").args(arguments).output().unwrap()
}

fn stockholm() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../audit/tests/stockholm-2024").display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder of one table with two withheld cells and the total.
fn folder(total: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let table = format!("table;row;column;subcolumn;value;mark\nt;a;c;;;*\nt;b;c;;;*\nt;t;c;;{total};\n");
    let relations = "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n\
                     t;1;t;c;;a;c;\nt;1;t;c;;b;c;\n";
    std::fs::write(folder.path().join("tabell-1.csv"), table).unwrap();
    std::fs::write(folder.path().join("relations.csv"), relations).unwrap();
    folder
}

fn ends_with(arguments: &[&str]) -> i32 {
    sdc(arguments).status.code().unwrap()
}

#[test]
fn the_list_goes_to_standard_output_and_the_summary_to_standard_error() {
    let output = sdc(&[&stockholm()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), EXPECTED);
    assert!(text(&output.stderr).contains("6 går att räkna ut"));
}

#[test]
fn with_out_the_list_goes_to_the_file_and_the_summary_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lista.csv").display().to_string();
    let output = sdc(&[&stockholm(), "--mark", "*=1..3", "--mark", "**=4..", "--out", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), EXPECTED);
    assert!(text(&output.stdout).contains("Slutsats: INTE SÄKER"));
    assert!(output.stderr.is_empty());
}

#[test]
fn every_ending_has_its_code() {
    let at = |folder: &tempfile::TempDir| folder.path().display().to_string();
    let (safe, unsafe_, impossible) = (folder("4"), folder("2"), folder("9"));
    assert_eq!(ends_with(&[&at(&safe)]), 0);
    assert_eq!(ends_with(&[&at(&unsafe_)]), 1);
    assert_eq!(ends_with(&[]), 2);
    assert_eq!(ends_with(&[&at(&safe), "--mark", "*=3..1"]), 2);
    assert_eq!(ends_with(&[&at(&safe), "--strict", "T.csv"]), 2);
    assert_eq!(ends_with(&[&at(&safe), "--questions", "0"]), 3);
    assert_eq!(ends_with(&[&at(&impossible)]), 3);
    assert_eq!(ends_with(&["--strict", "no-such-file.csv"]), 4);
    assert_eq!(ends_with(&[&at(&tempfile::tempdir().unwrap())]), 4);
    let nowhere = safe.path().join("nowhere/list.csv").display().to_string();
    assert_eq!(ends_with(&[&at(&safe), "--out", &nowhere]), 5);
}

#[test]
fn bad_input_is_named_without_what_stands_there() {
    let folder = folder("7717x");
    let output = sdc(&[&folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stderr);
    assert!(said.starts_with("sdc: tabell-1.csv, row 4, column value or mark:"), "{said}");
    assert!(!said.contains("7717"), "{said}"); // STAY-1
}

#[test]
fn strict_files_are_audited_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("omrade,typ,tid,matt,varde,status\n{rows}")).unwrap();
        path.display().to_string()
    };
    let one = file(
        "T1.csv",
        "2180,a,2024,aktualiseringar,,x\n2180,b,2024,aktualiseringar,,x\n2180,TOT,2024,aktualiseringar,9,\n",
    );
    let other = file("T2.csv", "2180,a,2024,aktualiseringar,6,\n2180,TOT,2024,aktualiseringar,9,\n");
    assert_eq!(ends_with(&["--strict", &one, "--min-count", "5"]), 0);
    let both = sdc(&["--strict", &one, &other]);
    assert_eq!(both.status.code(), Some(1));
    assert!(text(&both.stdout).contains("T1.csv;typ=b 2024;2180;x;3;3;true"), "{}", text(&both.stdout));
}
