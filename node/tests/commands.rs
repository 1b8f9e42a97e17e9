//! The node's commands over files, as a systemförvaltare uses them.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Someone's number in a field of labels.
const NUMBER: &str = "20120315-2384";

fn node(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_node"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Twelve reports and three applications of one kommun in 2024, one label with somebody's number in it.
fn extract() -> String {
    let mut text = String::from("Uttag ur systemet;;;\nInkom datum;Typ;Orsak;Beslut\n");
    for day in 1..=12 {
        text.push_str(&format!("2024-02-{day:02};Orosanmälan;Skolfrånvaro;Utr. inleds\n"));
    }
    for day in 1..=3 {
        text.push_str(&format!("2024-03-{day:02};B/U Ansökan;Vårdnadstvist;Utr. inleds ej\n"));
    }
    text.push_str(&format!("2024-04-01;Anmälan {NUMBER};Missbruk;Utr. inleds\nTotalt;;;\n"));
    text
}

#[test]
fn check_tells_how_a_file_is_read_and_what_no_code_fits() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = encoding(&extract());
    std::fs::write(folder.path().join("u.csv"), bytes).unwrap();
    let output = node(folder.path(), &["check", "u.csv", "--codebook", "barn"], "");
    let text = said(&output);
    for expected in [
        "windows-1252 (tecknen är inte UTF-8",
        "rubrikrad 2 (rad 1 står över tabellen)",
        "Lästa rader: 16",
        "Överhoppade rader (summor, källor): 1",
        "Aktualiseringstyp: 15 med kod, 0 tomma, 1 med okänd etikett",
        "  Anmälan: 12, 0",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains(NUMBER), "STAY-1: no label on the screen of check");
}

/// The letters of the tests in Windows-1252.
fn encoding(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[test]
fn check_without_a_file_and_of_a_file_that_is_none_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let none = node(folder.path(), &["check"], "");
    assert!(said(&none).contains("ange en fil att läsa, eller --config FIL"));
    assert_eq!(none.status.code(), Some(2));
    let missing = node(folder.path(), &["check", "borta.csv"], "");
    assert_eq!(missing.status.code(), Some(4));
    assert!(said(&missing).contains("borta.csv"));
    std::fs::create_dir(folder.path().join("mapp.csv")).unwrap();
    assert_eq!(node(folder.path(), &["check", "mapp.csv"], "").status.code(), Some(4));
    assert_eq!(node(folder.path(), &["run"], "").status.code(), Some(2), "--config is asked for");
}

#[test]
fn a_list_of_labels_is_mapped_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("l.csv"), "variabel;etikett\natgard;Utr. inleds ej\norsak;Missbruk\n")
        .unwrap();
    let output = node(folder.path(), &["map", "l.csv", "--codebook", "barn", "--out", "m.csv"], "");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mapped = std::fs::read_to_string(folder.path().join("m.csv")).unwrap();
    assert!(mapped.contains("atgard;Utr. inleds ej;inleds_ej;Utredning inleds inte;1.000;true;samma ord"));
    std::fs::write(folder.path().join("l.csv"), "variabel;etikett\nokand;x\n").unwrap();
    let refused = node(folder.path(), &["map", "l.csv", "--codebook", "barn", "--out", "n.csv"], "");
    assert_eq!(refused.status.code(), Some(4));
    assert!(said(&refused).contains("l.csv, rad 2, variabel"));
    assert!(!folder.path().join("n.csv").exists() && !folder.path().join("n.csv.partial").exists());
    let unknown = node(folder.path(), &["map", "l.csv", "--codebook", "borta.toml", "--out", "n.csv"], "");
    assert_eq!((unknown.status.code(), said(&unknown).contains("borta.toml")), (Some(4), true));
}

const COLLECTION: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "21"
kodbok = "barn/1"
perioder = ["2024"]
deltagare = ["2101", "2104", "2121", "2132", "2161"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "prov"
kalla = "prov"

[[tabell]]
id = "T01"
titel = "Typ"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp"]
"#;

#[test]
fn preview_shows_what_would_leave_and_no_small_count() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("u.csv"), extract()).unwrap();
    std::fs::write(folder.path().join("c.toml"), COLLECTION).unwrap();
    let output = node(folder.path(), &["preview", "c.toml", "u.csv", "--unit", "2101", "--out", "ut"], "");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("  Anmälan, 2024: 12\n  Ansökan, 2024: x\n"), "{text}");
    let table = std::fs::read_to_string(folder.path().join("ut/T01.csv")).unwrap();
    assert!(
        table.contains("2101,anmalan,2024,aktualiseringar,12,\n2101,ansokan,2024,aktualiseringar,,x\n"),
        "{table}"
    );
    assert!(text.contains("Visa inte det här för andra"), "the total gives a lone x away: {text}");
    let again = node(folder.path(), &["preview", "c.toml", "u.csv", "--unit", "2101", "--out", "ut"], "");
    assert!(!again.status.success() && !folder.path().join("ut.partial").exists());
    let other = node(folder.path(), &["preview", "c.toml", "u.csv", "--unit", "2180"], "");
    assert_eq!((other.status.code(), said(&other).contains("bjuder inte in 2180")), (Some(4), true));
}

#[test]
fn check_says_that_the_codes_file_is_missing_and_goes_on_without_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("u.csv"), extract()).unwrap();
    let config = "enhet = \"2101\"\nkatalog = \"data\"\nregion = \"localhost:1\"\n\
                  [uttag]\nfiler = [\"u.csv\"]\nkoder = \"2101.codes.toml\"\nkodbok = \"barn\"\n";
    std::fs::write(folder.path().join("node.toml"), config).unwrap();
    let output = node(folder.path(), &["--config", "node.toml", "check"], "");
    let text = said(&output);
    for expected in ["2101.codes.toml finns inte", "node review", "Lästa rader: 16"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!folder.path().join("2101.codes.toml").exists(), "check writes no codes file");
}

#[test]
fn review_asks_for_each_label_and_keeps_the_answers_with_who_and_when() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("u.csv"), extract()).unwrap();
    let config = "enhet = \"2101\"\nkatalog = \"data\"\nregion = \"localhost:1\"\n\
                  [uttag]\nfiler = [\"u.csv\"]\nkoder = \"2101.codes.toml\"\nkodbok = \"barn\"\n";
    std::fs::write(folder.path().join("node.toml"), config).unwrap();
    let arguments = ["--config", "node.toml", "review", "--by", "Eva Ek"];
    let output = node(folder.path(), &arguments, "anmalan\nmissbruk_barn\n");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let codes = std::fs::read_to_string(folder.path().join("2101.codes.toml")).unwrap();
    assert!(
        codes.contains("\"Missbruk\" = \"missbruk_barn\"  # 20") && codes.contains(", Eva Ek"),
        "{codes}"
    );
    let checked = node(folder.path(), &["--config", "node.toml", "check"], "");
    assert!(said(&checked).contains("Aktualiseringsorsak: 16 med kod"), "{}", said(&checked));
    // STAY-1: labels lie where nobody else reads, also those that only their words gave a code
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    assert!(said(&node(folder.path(), &["--config", "node.toml", "check"], "")).contains("granska.toml"));
    let permissions = folder.path().join("data").metadata().unwrap().permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&permissions);
    assert_eq!(mode & 0o077, 0, "the directory is the node's own");
    let listed = std::fs::read_to_string(folder.path().join("data/granska.toml")).unwrap();
    assert!(listed.contains("Tolkade av sina ord") && listed.contains("Utr. inleds"), "{listed}");
    let none = node(folder.path(), &["--config", "node.toml", "review", "--by", " "], "");
    assert_ne!(none.status.code(), Some(0));
}
