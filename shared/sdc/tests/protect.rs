//! `sdc protect` from file to file: what is withheld, what adds up, what is refused.

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sdc::{Fault, InputError, ProtectArguments, protect, read, single, write};
use suppress::table::{Options, Protected, Range, proof};

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn options(insider: bool) -> Options {
    Options { insider, ..Options::default() }
}

fn run(text: &str, insider: bool) -> (Protected, String) {
    let linked = single(("t.csv".into(), read("t.csv", text.as_bytes()).unwrap())).unwrap();
    let protected = suppress::table::protect(linked.system, &options(insider)).unwrap();
    assert_eq!(proof::check(&protected, &options(insider)), Ok(()));
    let text = write(&linked.plan, 0, &protected);
    (protected, text)
}

/// The secondary cells may become fewer; more is a step back. The bounds are those measured when this was written.
#[test]
fn the_reference_tables_withhold_no_more_than_measured() {
    for (name, reader, insider) in [("tiny2d.csv", BOUND_2D.0, BOUND_2D.1), ("tiny.csv", BOUND.0, BOUND.1)] {
        assert!(run(&data(name), false).0.summary.secondary <= reader, "{name}");
        assert!(run(&data(name), true).0.summary.secondary <= insider, "{name} insider");
    }
}

const BOUND: (usize, usize) = (39, 44);
const BOUND_2D: (usize, usize) = (3, 5);

#[test]
fn nothing_small_and_no_more_than_the_truth_is_published_and_margins_add_up() {
    let (_, text) = run(&data("tiny.csv"), true);
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(text.lines().next(), Some("omrade,age,reason,tid,matt,varde,status"));
    assert_eq!(rows.len(), 11 * 5 * 7);
    for row in &rows {
        assert_eq!(row[5].is_empty(), row[6] == "x");
        assert!(row[5].is_empty() || !(1..4).contains(&row[5].parse::<i64>().unwrap()));
    }
    let shown = |row: &Vec<&str>| row[5].parse::<i64>().ok();
    let mut lines = 0;
    for total in rows.iter().filter(|row| row[2] == "TOT") {
        let parts = rows.iter().filter(|row| row[0] == total[0] && row[1] == total[1] && row[2] != "TOT");
        if let (Some(total), Some(sum)) = (shown(total), parts.map(shown).sum::<Option<i64>>()) {
            assert_eq!(total, sum);
            lines += 1;
        }
    }
    assert!(lines > 0);
    assert!(rows.iter().any(|row| row[..3] == ["00", "TOT", "TOT"] && row[6].is_empty()));
}

#[test]
fn the_order_of_rows_and_rows_of_totals_change_nothing() {
    let text = data("tiny.csv");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    lines.swap(1, 100);
    lines.push("00,TOT,TOT,2024,antal,1500");
    lines.push("1001,TOT,r01,2024,antal,");
    assert_eq!(run(&text, false).1, run(&(lines.join("\n") + "\n"), false).1);
}

fn refusal(text: &str) -> String {
    read("in.csv", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_bad_file_is_refused_with_file_row_and_column_and_without_content() {
    let head = "omrade,age,tid,matt,varde\n";
    let cases = [
        ("", "in.csv, row 1, column 1: expected omrade"),
        ("kommun,age,tid,matt,varde\n", "in.csv, row 1, column 1: expected omrade"),
        ("omrade,age,tid,matt,antal\n", "in.csv, row 1, column 5: expected varde"),
        ("\u{feff}omrade,tid,matt,varde\n", "in.csv, row 1: expected UTF-8 without a byte order mark"),
        ("omrade,tid,matt,varde\r\n", "in.csv, row 1: expected line ends LF"),
        (head, "in.csv, row 2: expected a row"),
        (&format!("{head}1001,a,2024,antal\n"), "in.csv, row 2: 4 fields; expected 5 as in the header"),
        (&format!("{head}1001,a,2024,antal,-7\n"), "in.csv, row 2, column varde: expected a count"),
        (&format!("{head}1001,a b,2024,antal,7\n"), "in.csv, row 2, column age: expected a code"),
        (&format!("{head}1001,a,2024,antal,7\n1001,a,2024,antal,7\n"), "in.csv, row 3: the same omrade"),
        (&format!("{head}1001,a,2024,antal,7\n1001,b,2023,antal,7\n"), "in.csv, row 3, column tid"),
        (&format!("{head}1001,a,2024,antal,7\n1002,b,2024,antal,7\n"), "in.csv: no row for 1001,b"),
    ];
    for (text, expected) in cases {
        assert!(refusal(text).starts_with(expected), "{:?} / {expected}", refusal(text));
    }
    assert!(!refusal(&format!("{head}1001,a,2024,antal,hemligt\n")).contains("hemligt"));
}

#[test]
fn a_withheld_finest_cell_is_refused_since_all_must_be_known() {
    let text = "omrade,age,tid,matt,varde,status\n1001,a,2024,antal,,x\n";
    assert!(refusal(text).starts_with("in.csv, row 2, column status"));
}

fn arguments(folder: &Path, input: &str) -> ProtectArguments {
    ProtectArguments {
        inputs: vec![folder.join(input)],
        min_count: 4,
        out: folder.join("out.csv"),
        insider: true,
        effort: sdc::EffortArgument::Fast,
        report: Some(folder.join("report.json")),
        time_limit: None,
        hierarchy: None,
        rules: None,
        published: Vec::new(),
        range: Range::Full,
        zeros: false,
        singleton: false,
        groups: Vec::new(),
        key: None,
    }
}

#[test]
fn a_key_file_is_made_kept_and_decides_between_equal_choices() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.csv"), data("tiny2d.csv")).unwrap();
    let key = folder.path().join("nyckel");
    let mut with = arguments(folder.path(), "in.csv");
    with.key = Some(key.clone());
    let written = |arguments: &ProtectArguments| {
        sdc::protect(arguments).unwrap();
        std::fs::read_to_string(folder.path().join("out.csv")).unwrap()
    };
    let first = written(&with);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first, written(&with), "the same counts and key");
    let mut others = std::collections::BTreeSet::from([first]);
    for digit in ["1", "2", "3"] {
        std::fs::write(&key, digit.repeat(64)).unwrap();
        others.insert(written(&with));
    }
    assert!(others.len() > 1, "another key, another of the patterns of as many cells");
    std::fs::write(&key, "hemligt").unwrap();
    let refused = sdc::protect(&with).unwrap_err();
    assert!(
        refused.to_string().contains("64 hexadecimal digits") && !refused.to_string().contains("hemligt")
    );
    assert_eq!(refused.code(), 4);
}

#[test]
fn the_command_writes_table_and_report() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.csv"), data("tiny2d.csv")).unwrap();
    let line = protect(&arguments(folder.path(), "in.csv")).unwrap();
    assert!(line.starts_with("cells 286 small 72 secondary "));
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert!(report.contains("\"safe_2\": true"));
    let out = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(out.lines().count(), 287);
}

#[test]
fn exit_codes_tell_bad_input_from_bad_options_and_from_faults() {
    let folder = tempfile::tempdir().unwrap();
    let code = |arguments: &ProtectArguments| protect(arguments).map_err(|fault: Fault| fault.code());
    assert_eq!(code(&arguments(folder.path(), "none.csv")), Err(4));
    std::fs::write(folder.path().join("in.csv"), data("tiny2d.csv")).unwrap();
    let mut wrong = arguments(folder.path(), "in.csv");
    wrong.min_count = 2;
    assert_eq!(code(&wrong), Err(2));
    let mut wrong = arguments(folder.path(), "in.csv");
    wrong.out = PathBuf::from(folder.path());
    assert_eq!(code(&wrong), Err(2));
    wrong.out = folder.path().join("none").join("out.csv");
    assert_eq!(code(&wrong), Err(5));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read("t", &bytes);
        let headed = [b"omrade,a,tid,matt,varde\n".as_slice(), &bytes, b"\n"].concat();
        let _: Result<_, InputError> = read("t", &headed);
    }
}
