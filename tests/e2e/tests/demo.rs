//! The demo as its user runs it, and a search of everything it left behind for what must not be there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, ensure};
use county::{County, KommunRows};
use e2e::data::SEED;
use e2e::search::{Search, parts};
use node::link::journal::{self, Entry};
use prost::Message;
use tables::strict::{Status, StrictTable};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");

/// A finished demo.
struct Demo {
    _root: tempfile::TempDir,
    out: PathBuf,
    said: String,
    code: Option<i32>,
}

fn run() -> anyhow::Result<Demo> {
    let root = tempfile::tempdir()?;
    let out = root.path().join("demo");
    let output = Command::new(EXE).arg("--out").arg(&out).stdin(Stdio::null()).output()?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok(Demo { _root: root, out, said, code: output.status.code() })
}

/// One run for all tests of this file that share a process.
fn demo() -> anyhow::Result<&'static Demo> {
    static DEMO: OnceLock<Result<Demo, String>> = OnceLock::new();
    DEMO.get_or_init(|| run().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e}"))
}

impl Demo {
    fn publication(&self) -> PathBuf {
        self.out.join("region/21/aktualiseringar-vuxna-2024/v1")
    }

    fn table(&self, id: &str) -> anyhow::Result<StrictTable> {
        let name = format!("{id}.csv");
        let bytes = std::fs::read(self.publication().join("csv").join(&name))?;
        Ok(StrictTable::from_csv(&name, &bytes)?)
    }

    fn units(&self) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let unit = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry?.path();
            Ok((path.file_name().and_then(|name| name.to_str()).context("a unit")?.to_owned(), path))
        };
        self.out.join("noder").read_dir()?.map(unit).collect()
    }

    fn journal(&self, unit: &Path) -> anyhow::Result<Vec<Entry>> {
        Ok(journal::read(&unit.join("journal"))?.entries)
    }
}

fn ids() -> impl Iterator<Item = String> {
    (1..=14).map(|number| format!("T{number:02}"))
}

#[test]
fn the_demo_publishes_fourteen_tables_and_exits_with_zero() -> anyhow::Result<()> {
    let demo = demo()?;
    ensure!(demo.code == Some(0), "{:?}: {}", demo.code, demo.said);
    let files = e2e::federation::tables(&demo.publication())?;
    let names: Vec<String> = ids().map(|id| format!("{id}.csv")).collect();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), names);
    for id in ids() {
        assert!(!demo.table(&id)?.rows.is_empty(), "{id}");
    }
    let workbook = std::fs::read(demo.publication().join("aktualiseringar-vuxna-2024.xlsx"))?;
    assert!(parts(&workbook)?.len() > 14);
    Ok(())
}

/// TRUE-1: every published figure is the true one, hidden small cells included in every total.
#[test]
fn every_printed_count_is_published_as_it_is_or_as_withheld() -> anyhow::Result<()> {
    let demo = demo()?;
    let (mut shown, mut withheld) = (0, 0);
    for id in ids() {
        let table = demo.table(&id)?;
        let mut rows = BTreeMap::new();
        for row in table.rows.iter().filter(|row| row.matt == "aktualiseringar") {
            let codes = table.dimensions.iter().map(String::as_str).zip(row.codes.iter().map(String::as_str));
            let key = (row.omrade.to_string(), codes.collect::<BTreeMap<_, _>>(), row.tid.to_string());
            ensure!(rows.insert(key, row).is_none(), "{id}: a cell twice");
        }
        for cell in county::expected_cells().iter().filter(|cell| cell.table == id) {
            // A filter on all known codes (`*`) is no column; the truth has its total there.
            let column =
                |(name, _): &&(&'static str, &'static str)| table.dimensions.iter().any(|d| d == name);
            let (codes, rest): (Vec<_>, Vec<_>) = cell.codes.iter().partition(column);
            ensure!(rest.iter().all(|(_, code)| *code == county::figures::TOT), "{id} lacks a column");
            let key = (cell.omrade.to_owned(), codes.into_iter().collect(), cell.tid.to_string());
            let row = rows.get(&key).with_context(|| format!("{id} has no row for {key:?}"))?;
            match row.status {
                Status::Withheld => withheld += 1,
                Status::Value => {
                    shown += 1;
                    assert_eq!(row.varde, Some(i64::from(cell.value)), "{id} {key:?}");
                    // SAFE-1: a kommun's small count is never shown.
                    assert!(
                        key.0.len() == 2 || !(1..4).contains(&cell.value),
                        "{id} {key:?} is small and shown"
                    );
                }
                _ => panic!("{id} {key:?} is neither a value nor withheld"),
            }
        }
    }
    assert_eq!(shown + withheld, county::expected_cells().len());
    assert!(withheld > 0 && withheld < shown / 5, "{shown} shown, {withheld} withheld");
    Ok(())
}

/// TRUE-1: what a kommun must hide is still in the county's figure.
#[test]
fn no_total_of_the_county_is_withheld_in_the_tables_of_kommun_scope() -> anyhow::Result<()> {
    let demo = demo()?;
    for id in ["T01", "T03", "T09", "T12"] {
        let table = demo.table(id)?;
        let county =
            table.rows.iter().filter(|row| row.omrade.to_string() == "21" && row.matt == "aktualiseringar");
        let (count, closed) = county.fold((0, 0), |(all, closed), row| {
            (all + 1, closed + usize::from(row.status == Status::Withheld))
        });
        assert!(count > 0 && closed == 0, "{id}: {closed} of {count} totals are withheld");
    }
    Ok(())
}

fn marks(of: impl Fn(&KommunRows) -> Vec<String>) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let county = County::generate(SEED)?;
    Ok(county
        .kommuner()
        .iter()
        .map(|rows| (rows.kommunkod.to_owned(), of(rows).into_iter().collect()))
        .collect())
}

fn all(marks: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    marks.values().flatten().cloned().collect()
}

fn is_extract(path: &Path) -> bool {
    path.starts_with("uttag")
}

/// STAY-1: numbers stay in the extracts and nowhere else, not even in the kommun's own store, log and review file.
#[test]
fn no_personnummer_stands_anywhere_but_in_the_extracts() -> anyhow::Result<()> {
    let demo = demo()?;
    let search = Search::new(&all(&marks(county::personnummer)?))?;
    assert!(search.count > 10_000, "{} spellings", search.count);
    // A certificate's times are digits in ASCII, and those in hexadecimal are digits again: at some minutes of the year they spell a
    // test number. The seal holds nothing but two such fields.
    let seal = |path: &Path| path.file_name().is_some_and(|name| name == "manifest.sig.json");
    let found = search.files(&demo.out, &|path| is_extract(path) || seal(path))?;
    assert!(found.read > 100 && found.bytes > 2_000_000, "{} files, {} bytes", found.read, found.bytes);
    assert_eq!(found.places, BTreeSet::new());
    let text = std::fs::read_to_string(demo.publication().join("manifest.sig.json"))?;
    let fields: Vec<&str> = text.trim().trim_matches(['{', '}']).split(',').collect();
    for (field, name) in fields.iter().zip(["\"certificate\":", "\"signature\":"]) {
        let value = field.strip_prefix(name).context("a field of the seal")?;
        hex::decode(value.trim_matches('"'))?;
    }
    assert_eq!(fields.len(), 2);
    // The search works: every extract is full of them.
    let extracts =
        search.files(&demo.out.join("uttag"), &|path| path.extension().is_some_and(|e| e == "toml"))?;
    assert_eq!(extracts.places.len(), 10, "{:?}", extracts.places);
    Ok(())
}

/// STAY-1: free text and labels outside the codebook stay where the kommun has them.
#[test]
fn no_canary_leaves_its_kommun() -> anyhow::Result<()> {
    let demo = demo()?;
    let marks = marks(county::canaries)?;
    let search = Search::new(&all(&marks))?;
    let own = |path: &Path| {
        let part = path.components().nth(2).map(|part| part.as_os_str().to_owned());
        let is_private = part.is_some_and(|part| part == "granska.toml" || part == "lager");
        is_extract(path) || (path.starts_with("noder") && is_private)
    };
    let found = search.files(&demo.out, &own)?;
    assert!(found.read > 100 && found.bytes > 2_000_000, "{} files, {} bytes", found.read, found.bytes);
    assert_eq!(found.places, BTreeSet::new());
    let extracts =
        search.files(&demo.out.join("uttag"), &|path| path.extension().is_some_and(|e| e == "toml"))?;
    assert_eq!(extracts.places.len(), 10, "{:?}", extracts.places);
    // A kommun's review file lists its own labels for its operator, and nobody else's.
    for (unit, folder) in demo.units()? {
        assert!(Search::new(&marks[&unit])?.finds(&std::fs::read(folder.join("granska.toml"))?), "{unit}");
        let others =
            marks.iter().filter(|(other, _)| **other != unit).flat_map(|(_, marks)| marks.clone()).collect();
        assert_eq!(Search::new(&others)?.files(&folder, &|_| false)?.places, BTreeSet::new(), "{unit}");
    }
    Ok(())
}

/// STAY-1, STAY-2: every byte that left is in the journal; of those, only declarations say something about single
/// cells, and they say zero, small or plain.
#[test]
fn what_left_a_node_holds_no_mark_and_its_declaration_only_statuses() -> anyhow::Result<()> {
    let demo = demo()?;
    let mut wanted = all(&marks(county::personnummer)?);
    wanted.extend(all(&marks(county::canaries)?));
    let search = Search::new(&wanted)?;
    let units = demo.units()?;
    assert_eq!(units.len(), 10);
    let mut seen = BTreeSet::new();
    for (unit, folder) in units {
        let entries = demo.journal(&folder)?;
        let count = |method: &str| entries.iter().filter(|entry| entry.method == method).count();
        assert_eq!((count("Enrol"), count("Declare"), count("Submit")), (1, 1, 1), "{unit}");
        for entry in &entries {
            assert!(!search.finds(&entry.body), "{unit}: message {} ({})", entry.number, entry.method);
        }
        let declared = entries.iter().find(|entry| entry.method == "Declare").context("a declaration")?;
        let message = proto::v1::DeclareRequest::decode(declared.body.as_slice())?;
        assert_eq!(message.encode_to_vec(), declared.body, "{unit}: something beside the declaration");
        assert!(message.statuses.iter().all(|status| *status <= 2), "{unit}");
        seen.extend(message.statuses);
    }
    assert_eq!(seen, BTreeSet::from([0, 1, 2]));
    Ok(())
}
