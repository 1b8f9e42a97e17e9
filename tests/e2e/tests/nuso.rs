//! The made study of children as its user runs it, with eight kommuner: every published figure beside what the rows meant, and a search
//! of everything it left behind for what must stay in the kommuner.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use e2e::data::SEED;
use e2e::search::Search;
use node::link::journal;
use nuso::{COLLECTION_ID, COUNTY, Compared, Study};
use tables::strict::StrictTable;

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
const UNITS: usize = 8;

/// A finished study.
struct Demo {
    _root: tempfile::TempDir,
    out: PathBuf,
    said: String,
    code: Option<i32>,
}

/// One run for all tests of this file.
fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("demo");
        let mut command = Command::new(EXE);
        command.args(["--nuso", "--units", &UNITS.to_string(), "--out"]).arg(&out).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        Demo { _root: root, out, said, code: output.status.code() }
    })
}

fn study() -> Study {
    Study::generate(UNITS, SEED)
}

/// TRUE-1: what is published is what the rows meant, through every label, dialect, message and sum.
#[test]
fn every_published_figure_is_what_the_rows_meant() {
    let demo = demo();
    assert_eq!(demo.code, Some(0), "{}", demo.said);
    let folder = demo.out.join("region").join(COUNTY).join(COLLECTION_ID).join("v1/csv");
    let truth = study().truth();
    let (mut all, mut tables) = (Compared::default(), 0);
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let table = StrictTable::from_csv(&name, &std::fs::read(&path).unwrap()).unwrap();
        all.add(truth.compare(&table).unwrap());
        tables += 1;
    }
    assert_eq!((tables, all.differ), (6, 0), "{all:?}");
    // STAY-2: the kommuner's small counts are there, and hidden
    assert!(all.shown > 200 && all.percentages > 50 && all.withheld > 0, "{all:?}");
    assert_eq!(all.small, 0);
    assert!(demo.said.contains(&format!("0 av {} publicerade siffror", all.shown + all.percentages)));
}

/// STAY-1: numbers and free texts stay in the extracts.
#[test]
fn no_number_and_no_free_text_of_the_study_stands_anywhere_but_in_the_extracts() {
    let demo = demo();
    let marks: BTreeSet<String> = study().kommuner().iter().flat_map(nuso::Kommun::marks).collect();
    let search = Search::new(&marks).unwrap();
    assert!(search.count > 10_000, "{}", search.count);
    // the seal is two fields of hexadecimal digits, in which a certificate's times can spell a test number
    let may = |path: &Path| {
        path.starts_with("uttag") || path.file_name().is_some_and(|name| name == "manifest.sig.json")
    };
    let found = search.files(&demo.out, &may).unwrap();
    assert!(found.read > 100 && found.bytes > 1_000_000, "{} files, {} bytes", found.read, found.bytes);
    assert_eq!(found.places, BTreeSet::new());
    // the search works: every extract is full of them
    let is_codes = |path: &Path| path.extension().is_some_and(|end| end == "toml");
    assert_eq!(search.files(&demo.out.join("uttag"), &is_codes).unwrap().places.len(), UNITS);
    for entry in demo.out.join("noder").read_dir().unwrap() {
        let entries = journal::read(&entry.unwrap().path().join("journal")).unwrap().entries;
        let count = |method: &str| entries.iter().filter(|entry| entry.method == method).count();
        assert_eq!((count("Declare"), count("Submit")), (1, 1));
        assert!(entries.iter().all(|entry| !search.finds(&entry.body)));
    }
}
