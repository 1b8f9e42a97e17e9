//! Five counties and the national round as real processes, and its tables against a straight count over all records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, ensure};
use county::Event;
use e2e::data::SEED;
use tables::strict::{Status, StrictRow, StrictTable};

const EXE: &str = env!("CARGO_BIN_EXE_e2e-party");
const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];
const COLLECTION: &str = "aktualiseringar-nationell-2024";

struct Country {
    _root: tempfile::TempDir,
    out: PathBuf,
    said: String,
    code: Option<i32>,
}

fn run() -> anyhow::Result<Country> {
    let root = tempfile::tempdir()?;
    let out = root.path().join("land");
    let seed = SEED.to_string();
    let arguments = ["--national", "--seed", seed.as_str(), "--out"];
    let output = Command::new(EXE).args(arguments).arg(&out).stdin(Stdio::null()).output()?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok(Country { _root: root, out, said, code: output.status.code() })
}

fn country() -> anyhow::Result<&'static Country> {
    static COUNTRY: OnceLock<Result<Country, String>> = OnceLock::new();
    let country = COUNTRY.get_or_init(|| run().map_err(|error| format!("{error:#}")));
    let country = country.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(country.code == Some(0), "{:?}: {}", country.code, country.said);
    Ok(country)
}

fn tables(folder: &Path) -> anyhow::Result<BTreeMap<String, StrictTable>> {
    let mut tables = BTreeMap::new();
    for (name, bytes) in e2e::federation::tables(folder)? {
        tables.insert(name.clone(), StrictTable::from_csv(&name, &bytes)?);
    }
    Ok(tables)
}

fn national() -> anyhow::Result<BTreeMap<String, StrictTable>> {
    tables(&country()?.out.join("national").join(COLLECTION).join("v1"))
}

/// All records of the year by kommun, as the generator made them.
fn records(country: &Country) -> anyhow::Result<BTreeMap<String, Vec<Event>>> {
    let units = country.out.join("noder").read_dir()?;
    let codes: BTreeSet<String> = units
        .map(|unit| Ok(unit?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<_>>()?;
    let codes: Vec<String> = codes.into_iter().collect();
    let mut records = BTreeMap::<String, Vec<Event>>::new();
    for (code, rows) in county::country_rows(&codes, SEED)? {
        let events = rows.events.into_iter().filter(|event| event.year == 2024);
        records.entry(code).or_default().extend(events);
    }
    Ok(records)
}

/// How many records a row of a table is about, counted one by one.
fn straight(table: &StrictTable, row: &StrictRow, events: &[&Event]) -> i64 {
    let codes = |at: usize| -> BTreeSet<&str> {
        table.rows.iter().map(|row| row.codes[at].as_str()).filter(|code| *code != "TOT").collect()
    };
    let known: Vec<BTreeSet<&str>> = (0..table.dimensions.len()).map(codes).collect();
    let is_in = |event: &&&Event| {
        table.dimensions.iter().enumerate().all(|(at, dimension)| {
            let own = event.code(dimension);
            match row.codes[at].as_str() {
                "TOT" => own.is_some_and(|own| known[at].contains(own)),
                code => own == Some(code),
            }
        })
    };
    events.iter().filter(is_in).count() as i64
}

#[test]
fn every_national_and_county_figure_is_the_straight_count_and_hidden_ones_are_in_the_totals()
-> anyhow::Result<()> {
    let country = country()?;
    let records = records(country)?;
    let list = country.out.join("national").join(COLLECTION).join("v1/kommungrupper.csv");
    let list = std::fs::read_to_string(list)?;
    let groups: BTreeMap<&str, &str> = list.lines().skip(1).filter_map(|line| line.split_once(',')).collect();
    let (mut totals, mut through_shares, mut of_groups) = (0, 0, 0);
    for (name, table) in national()? {
        let withheld: BTreeSet<Vec<String>> = table
            .rows
            .iter()
            .filter(|row| row.status == Status::Withheld && !row.omrade.to_string().starts_with("G:"))
            .map(|row| row.codes.clone())
            .collect();
        for row in table.rows.iter().filter(|row| row.matt == "aktualiseringar" && row.varde.is_some()) {
            let area = row.omrade.to_string();
            let is_in = |kommun: &str| match area.strip_prefix("G:") {
                Some(group) => groups.get(kommun) == Some(&group),
                None => area == "00" || kommun.starts_with(&area),
            };
            let own = records.iter().filter(|(kommun, _)| is_in(kommun));
            let events: Vec<&Event> = own.flat_map(|(_, events)| events).collect();
            let counted = straight(&table, row, &events);
            ensure!(row.varde == Some(counted), "{name}: {row:?}");
            of_groups += usize::from(area.starts_with("G:"));
            if area == "00" {
                totals += 1;
                through_shares += usize::from(withheld.contains(&row.codes));
            }
        }
    }
    // If no county withheld anything of what the realm shows, this test would prove nothing about shares.
    ensure!(totals > 100 && through_shares > 0 && of_groups > 0, "{totals} {through_shares} {of_groups}");
    Ok(())
}

#[test]
fn county_rows_are_those_the_regions_published() -> anyhow::Result<()> {
    let country = country()?;
    let national = national()?;
    for county in COUNTIES {
        let own = tables(&country.out.join("region").join(county).join(COLLECTION).join("v1"))?;
        for (name, table) in &own {
            let rows = |table: &StrictTable| -> Vec<StrictRow> {
                table.rows.iter().filter(|row| row.omrade.to_string() == county).cloned().collect()
            };
            let there = national.get(name).context("the table")?;
            assert_eq!(rows(table), rows(there), "{county} {name}");
        }
    }
    Ok(())
}

/// SAFE-3 at the upper tier: what the realm shows beside the counties hides nobody or at least three.
#[test]
fn a_national_figure_is_shown_only_where_no_county_or_at_least_three_withhold_theirs() -> anyhow::Result<()> {
    for (name, table) in national()? {
        let mut hidden = BTreeMap::<&[String], usize>::new();
        let is_county =
            |row: &&StrictRow| row.omrade.to_string().len() == 2 && row.omrade.to_string() != "00";
        for row in table.rows.iter().filter(is_county).filter(|row| row.matt == "aktualiseringar") {
            *hidden.entry(&row.codes).or_default() += usize::from(row.status == Status::Withheld);
        }
        for row in table.rows.iter().filter(|row| row.omrade.to_string() == "00" && row.varde.is_some()) {
            let hidden = hidden.get(row.codes.as_slice()).copied().unwrap_or_default();
            ensure!(hidden == 0 || hidden >= 3, "{name} {row:?}: {hidden}");
        }
    }
    Ok(())
}

#[test]
fn the_national_publication_has_a_workbook_and_a_manifest_that_names_every_county() -> anyhow::Result<()> {
    let folder = country()?.out.join("national").join(COLLECTION).join("v1");
    let workbook = std::fs::read(folder.join(format!("{COLLECTION}.xlsx")))?;
    let text = e2e::search::parts(&workbook)?
        .iter()
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect::<String>();
    ensure!(text.contains("Omfattar 5 av 5 län, 43 av 43 inbjudna kommuner i dem."), "coverage");
    let manifest = std::fs::read_to_string(folder.join("manifest.json"))?;
    for county in COUNTIES {
        ensure!(manifest.contains(&format!("\"{county}\"")), "{county}");
    }
    ensure!(folder.join("manifest.sig.json").exists());
    Ok(())
}

#[test]
fn the_third_coordinator_chooses_no_pattern_and_nothing_went_wrong_with_it() -> anyhow::Result<()> {
    let country = country()?;
    let folder = country.out.join("samordnare/tredje");
    let log = std::fs::read_to_string(country.out.join("log/tredje.log"))?;
    ensure!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    ensure!(folder.join("lager").exists() && !folder.join("monsternyckel").exists());
    Ok(())
}
