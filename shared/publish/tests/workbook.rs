//! The workbook as a stranger's reader sees it, and the folder as the disk keeps it.

#![allow(clippy::unwrap_used)] // a test that fails here should

mod made;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use calamine::{Data, Reader, Xlsx};
use jiff::civil::date;
use made::{Made, from_toml, made};
use publish::folder::{complete, put};
use publish::layout::{Rank, grid};
use publish::{Publication, Signature, WriteError};
use sha2::{Digest, Sha256};

type Sheets = Xlsx<Cursor<Vec<u8>>>;

fn open(made: &Made) -> Sheets {
    let names = publish::names::kommuner();
    let publication = Publication::new(made.source(), &names, date(2025, 3, 14)).unwrap();
    let file = publication.files().unwrap().into_iter().find(|(name, _)| name.ends_with(".xlsx")).unwrap();
    assert_eq!(file.0, format!("{}.xlsx", made.collection.id));
    Xlsx::new(Cursor::new(file.1)).unwrap()
}

fn lines(sheets: &mut Sheets, name: &str) -> Vec<Vec<Data>> {
    sheets.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
}

fn first_column(lines: &[Vec<Data>]) -> Vec<String> {
    lines.iter().map(|line| line[0].to_string()).collect()
}

#[test]
fn the_workbook_has_contents_about_and_one_sheet_a_table_that_contents_names() {
    let mut sheets = open(&made(&["2101"], |_| false));
    let names = sheets.sheet_names();
    assert_eq!(names[..3], ["Innehåll", "Om statistiken", "Tabell 1"]);
    assert_eq!((names.len(), names[15].as_str()), (16, "Tabell 14"));
    let contents = lines(&mut sheets, "Innehåll");
    let first = first_column(&contents);
    assert!(names[1..].iter().all(|name| first.contains(name)), "{first:?}");
    let all = contents.iter().flatten().map(Data::to_string).collect::<Vec<_>>().join("\n");
    for expected in
        ["2025-03-14", "Gävleborgs län", "2020–2024", "Omfattar 9 av 10 kommuner. Deltar inte: Ockelbo."]
    {
        assert!(all.contains(expected), "{expected}");
    }
}

#[test]
fn about_names_who_takes_part_who_does_not_and_what_the_marks_mean() {
    let mut sheets = open(&made(&["2101", "2161"], |_| false));
    let about = first_column(&lines(&mut sheets, "Om statistiken")).join("\n");
    for expected in [
        "Omfattar 8 av 10 kommuner. Deltar inte: Ockelbo och Ljusdal.",
        "inte officiell statistik",
        "x = uppgiften visas inte (röjandekontroll)",
        ".. = uppgiften har inte lämnats",
        "antal från 1 till 3 visas inte",
        "ingår i alla summor och totaler",
        "Aktualiseringstyp (aktualiseringstyp): Ansökan (ansokan)",
    ] {
        assert!(about.contains(expected), "{expected}");
    }
}

#[test]
fn a_kommun_table_shows_counts_beside_percentages_marks_and_totals() {
    let made = made(&["2101"], |count| (1..4).contains(&count));
    let tables = publish::table::strict_tables(made.source()).unwrap();
    let mut sheets = open(&made);
    let lines = lines(&mut sheets, "Tabell 3");
    let first = first_column(&lines);
    assert_eq!(first[0], "Tabell 3. Aktualiseringar efter kommun och aktualiseringstyp");
    assert_eq!(
        first[1],
        "Antal aktualiseringar och procent av radens summa, kommuner i Gävleborgs län, 2024."
    );
    let at = |label: &str| first.iter().position(|text| text == label).unwrap();
    let header: Vec<_> = lines[at("Kommun")].iter().map(Data::to_string).collect();
    assert_eq!(header[..5], ["Kommun", "Antal", "Procent", "Antal", "Procent"]);
    let groups: Vec<_> =
        lines[at("Kommun") - 1].iter().map(Data::to_string).filter(|text| !text.is_empty()).collect();
    assert_eq!(groups, ["Ansökan", "Anmälan", "Yttrande", "Överflyttning", "Förfrågan/Begäran", "Totalt"]);
    assert!(lines[at("Ockelbo")][1..].iter().all(|cell| *cell == Data::String("..".into())));
    assert!(at("Ockelbo") < at("Gävle") && at("Gävle") < at("Hudiksvall") && at("Hudiksvall") < at("Totalt"));
    // every cell is what the strict file says, row by row
    for (label, omrade) in [("Gävle", "2180"), ("Hofors", "2104"), ("Totalt", "21")] {
        let rows =
            tables[2].rows.iter().filter(|row| row.omrade.to_string() == omrade && row.matt != "bortfall");
        for (row, cell) in rows.zip(&lines[at(label)][1..]) {
            match row.varde {
                Some(value) => assert!(*cell == Data::Float(value as f64), "{label} {row:?}"),
                None => assert!(*cell == Data::String(row.status.mark().into()), "{label} {row:?}"),
            }
        }
    }
    assert!(lines.iter().flatten().any(|cell| *cell == Data::String("x".into())));
    let under = first[at("Totalt") + 1..].join("\n");
    for expected in
        ["2024: n = ", ", bortfall 31.", "Omfattar 9 av 10 kommuner.", "x = ", ".. = ", "Källa: Kommunernas"]
    {
        assert!(under.contains(expected), "{expected}: {under}");
    }
}

#[test]
fn years_stand_beside_one_another_with_changes_last() {
    let mut sheets = open(&made(&[], |_| false));
    let lines = lines(&mut sheets, "Tabell 12");
    let header = lines.iter().find(|line| line[0] == Data::String("Kommun".into())).unwrap();
    let header: Vec<_> = header.iter().map(Data::to_string).collect();
    assert_eq!(header[1..6], ["2020", "2021", "2022", "2023", "2024"]);
    assert_eq!(header[6..], ["Förändring 2023–2024", "Förändring 2020–2024"]);
    assert_eq!(
        lines[1][0].to_string(),
        "Antal aktualiseringar, kommuner i Gävleborgs län, 2020–2024. Aktualiseringstyp: Anmälan."
    );
}

#[test]
fn no_sheet_has_merged_cells() {
    let mut sheets = open(&made(&[], |_| false));
    for name in sheets.sheet_names() {
        assert!(sheets.merge_cells_by_sheet_name(&name).unwrap().is_empty(), "{name}");
    }
}

const WIDE: &str = r#"
id = "bred"
version = 1
titel = "Bred & lång"
lan = "21"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["2101", "2104"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "Någon"
kalla = "Någonstans"

[[tabell]]
id = "T1"
titel = "Bred"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["orsak_anmalan", "anmalare"]
procent = { matt = "procent_rad", over = ["anmalare"] }

[[tabell]]
id = "T01"
titel = "Utan dimensioner"
matt = "aktualiseringar"
omfattning = "total"
"#;

#[test]
fn a_table_too_wide_to_print_turns_its_columns_into_rows() {
    let made = from_toml(WIDE, &[], |_| false);
    let names = publish::names::kommuner();
    let publication = Publication::new(made.source(), &names, date(2025, 3, 14)).unwrap();
    let wide = grid(&publication, 0);
    assert_eq!(wide.stubs, ["Orsak till anmälan", "Vem anmäler"]);
    assert_eq!((wide.columns.len(), wide.rows.len()), (2, 7 * 15));
    let ranks = |rank: Rank| wide.rows.iter().filter(|row| row.rank == rank).count();
    assert_eq!((ranks(Rank::Total), ranks(Rank::Subtotal)), (1, 6));
    let one = grid(&publication, 1);
    assert_eq!((one.stubs.len(), one.rows.len(), one.columns.len()), (1, 1, 1));
    assert_eq!(one.columns[0].labels, ["Antal"]);
    // T1 and T01 would both be Tabell 1
    assert_eq!(open(&made).sheet_names()[2..], ["Tabell T1", "Tabell T01"]);
}

const SIGNATURE: Signature = Signature { signature: Vec::new(), certificate: Vec::new() };

fn publish_to(folder: &Path, made: &Made) -> Result<Vec<std::path::PathBuf>, WriteError> {
    let names = publish::names::kommuner();
    let publication = Publication::new(made.source(), &names, date(2025, 3, 14)).unwrap();
    put(folder, &complete(&publication, &|_| SIGNATURE).unwrap())
}

#[test]
fn equal_figures_give_a_byte_identical_folder() {
    // SAME-1
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    let first = publish_to(&one, &made(&["2101"], |count| count == 2)).unwrap();
    let second = publish_to(&two, &made(&["2101"], |count| count == 2)).unwrap();
    assert_eq!((first.len(), second.len()), (18, 18));
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first.strip_prefix(&one).unwrap(), second.strip_prefix(&two).unwrap());
        assert!(fs::read(first).unwrap() == fs::read(second).unwrap(), "{} differs", first.display());
    }
    let other = publish_to(&root.path().join("three"), &made(&["2104"], |count| count == 2)).unwrap();
    assert!(
        fs::read(&first[14]).unwrap() != fs::read(&other[14]).unwrap(),
        "the test can tell workbooks apart"
    );
}

#[test]
fn the_manifest_names_every_other_file_with_its_size_and_hash() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("v1");
    let paths = publish_to(&folder, &made(&[], |_| false)).unwrap();
    let (manifest, others) = paths.split_last().unwrap();
    let (signature, others) = others.split_last().unwrap();
    assert!(signature.ends_with("manifest.sig.json"));
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let entries = manifest["files"].as_array().unwrap();
    assert_eq!(entries.len(), others.len());
    for (entry, path) in entries.iter().zip(others) {
        let bytes = fs::read(path).unwrap();
        assert_eq!(folder.join(entry["name"].as_str().unwrap()), *path);
        assert_eq!(entry["size"].as_u64().unwrap(), bytes.len() as u64);
        assert_eq!(entry["sha256"].as_str().unwrap(), hex::encode(Sha256::digest(&bytes)));
    }
}

#[test]
fn the_report_says_what_totals_cover_and_who_is_absent() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("v1");
    publish_to(&folder, &made(&["2101"], |count| (1..4).contains(&count))).unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("rapport.json")).unwrap()).unwrap();
    assert_eq!(report["absent"][0]["name"], "Ockelbo");
    assert_eq!(report["tables"][2]["totals_cover_kommuner"]["covered"], 9);
    assert_eq!(report["tables"][2]["totals_cover_kommuner"]["invited"], 10);
    assert_eq!(report["tables"][2]["not_delivered"], 12);
    assert!(report["tables"][2]["withheld"].as_u64().unwrap() > 0);
    assert_eq!(report["tables"][0]["bortfall"].as_array().unwrap().len(), 5);
}

#[test]
fn a_published_version_is_never_overwritten_and_what_was_left_half_written_is_cleared() {
    // KEEP-1
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("v1");
    fs::create_dir_all(root.path().join(".v1.partial/csv")).unwrap();
    fs::write(root.path().join(".v1.partial/csv/T99.csv"), "left by a crash").unwrap();
    let made = made(&[], |_| false);
    publish_to(&folder, &made).unwrap();
    assert!(!folder.join("csv/T99.csv").exists());
    let before = fs::read(folder.join("manifest.json")).unwrap();
    assert!(matches!(publish_to(&folder, &made), Err(WriteError::Exists(path)) if path == folder));
    assert!(fs::read(folder.join("manifest.json")).unwrap() == before);
    let names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["v1"]);
    fs::create_dir(root.path().join("empty")).unwrap();
    assert!(matches!(publish_to(&root.path().join("empty"), &made), Err(WriteError::Exists(_))));
}

#[test]
fn when_the_disk_refuses_nothing_stays_behind() {
    let root = tempfile::tempdir().unwrap();
    let made = made(&[], |_| false);
    // the folder's own name fits the file system, that of its unfinished sibling does not
    let long = root.path().join("v".repeat(250));
    assert!(matches!(publish_to(&long, &made), Err(WriteError::Disk { .. })));
    assert!(matches!(publish_to(&root.path().join("nowhere/v1"), &made), Err(WriteError::Disk { .. })));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    assert!(matches!(publish_to(Path::new("/"), &made), Err(WriteError::Name(_))));
}
