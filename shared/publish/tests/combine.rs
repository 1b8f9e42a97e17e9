//! A year added from its halves: whole agreement or an error that names the part, and nothing an attacker could not have had before.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use audit::published::attack::{Asked, attack};
use audit::published::strict::{self, StrictOptions};
use publish::Publication;
use publish::combine::{Named, Part, Year, year};
use publish::table::{Source, strict_tables};
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::strict::{Status, StrictTable};
use tables::unit::Unit;

const UNITS: [&str; 5] = ["2101", "2104", "2121", "2132", "2161"];
const TABLE: &str = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
    dimensioner = [\"kon\"]\nprocent = { matt = \"procent_rad\", over = [\"kon\"] }\n";

fn document(id: &str, period: &str, change: &dyn Fn(String) -> String) -> String {
    change(format!(
        "id = \"{id}\"\nversion = 1\ntitel = \"Prov\"\nlan = \"21\"\nkodbok = \"vuxna/1\"\nperioder = [\"{period}\"]\n\
         deltagare = {UNITS:?}\nminst_kommuner = 5\ndeklarera_inom_timmar = 1\nlamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n{TABLE}"
    ))
}

fn book() -> Codebook {
    Codebook::vuxna().unwrap()
}

fn mixed(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51_7cc1;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 27)
}

/// A part whose figures come from a seed: small ones withheld, and in their row and column others at random.
fn part(id: &str, period: &str, seed: u64, change: &dyn Fn(String) -> String) -> Part {
    let collection = Collection::from_toml(&document(id, period, change), &book()).unwrap();
    let mut text = String::from("omrade,kon,tid,matt,varde,status\n");
    let mut sums = [0u64; 2];
    let mut hidden = [false; 2];
    let mut line = |area: &str, code: &str, value: Option<u64>| {
        let (value, status) = value.map_or((String::new(), "x"), |value| (value.to_string(), ""));
        text.push_str(&format!("{area},{code},{period},aktualiseringar,{value},{status}\n"));
    };
    for (at, unit) in (0u64..).zip(UNITS) {
        let value = |code: u64| truth(seed, at, code);
        let values = [value(1), value(2)];
        let small = |value: u64| (1..4).contains(&value);
        // With one of two withheld the other goes too; sometimes the total instead.
        let any = values.iter().any(|value| small(*value));
        let total_goes = any && mixed(seed + at).is_multiple_of(3);
        for (code, name) in ["man", "kvinna"].iter().enumerate() {
            let withheld = if total_goes { small(values[code]) } else { any && values[code] > 0 };
            sums[code] += values[code];
            hidden[code] |= withheld;
            line(unit, name, Some(values[code]).filter(|_| !withheld));
        }
        line(unit, "TOT", Some(values[0] + values[1]).filter(|_| !total_goes));
    }
    for (code, name) in ["man", "kvinna"].iter().enumerate() {
        line("21", name, Some(sums[code]).filter(|sum| !(1..4).contains(sum)));
    }
    line("21", "TOT", Some(sums[0] + sums[1]));
    text.push_str(&format!("21,TOT,{period},bortfall,{},\n", seed % 5));
    let table = StrictTable::from_csv("T1.csv", text.as_bytes()).unwrap();
    let roster = collection.units.clone();
    Part { collection, tables: vec![table], roster }
}

fn named() -> Named {
    Named { id: "ar".into(), version: 1, title: "Året".into(), period: "2024".parse().unwrap() }
}

fn halves(seed: u64) -> [Part; 2] {
    [part("h1", "2024H1", seed, &|text| text), part("h2", "2024H2", seed + 1_000, &|text| text)]
}

fn tables_of(year: &Year) -> Vec<StrictTable> {
    let codebook = book();
    let source = Source {
        collection: &year.collection,
        codebook: &codebook,
        system: &year.system,
        figures: &year.figures,
    };
    strict_tables(source).unwrap()
}

/// Places of withheld figures whose value follows.
fn computed(files: &[(String, Vec<u8>)]) -> BTreeSet<(String, String, String)> {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let publication = strict::read(&files, &StrictOptions::default()).unwrap();
    let found = attack(&publication, Asked::default(), &|| false);
    assert!(found.contradictions.is_empty(), "made figures agree");
    let known = found.findings.iter().filter(|finding| finding.outcome.recovered().is_some());
    known
        .map(|finding| {
            let cell = &publication.cells[finding.cell];
            (cell.table.clone(), cell.row.clone(), cell.column.clone())
        })
        .collect()
}

fn csv(name: &str, table: &StrictTable) -> (String, Vec<u8>) {
    (name.to_owned(), table.to_csv(name).unwrap().into_bytes())
}

/// SAFE-1.
#[test]
fn a_year_beside_its_halves_tells_nothing_that_they_did_not() {
    let mut with_x = 0;
    for seed in 1..=60 {
        let parts = halves(seed);
        let year = year(&parts, &named(), &book()).unwrap();
        let tables = tables_of(&year);
        with_x += tables[0].rows.iter().filter(|row| row.status == Status::Withheld).count();
        let mut files = vec![csv("h1.csv", &parts[0].tables[0]), csv("h2.csv", &parts[1].tables[0])];
        let before = computed(&files);
        files.push(csv("ar.csv", &tables[0]));
        let after: BTreeSet<_> = computed(&files).into_iter().filter(|place| place.0 != "ar.csv").collect();
        assert_eq!(after, before, "seed {seed}");
    }
    assert!(with_x > 100, "{with_x} withheld figures of years");
}

/// The count of a unit's column, by its place, in the half of a seed.
fn truth(seed: u64, unit: u64, code: u64) -> u64 {
    mixed(seed * 100 + unit * 7 + code) % 9
}

/// SAFE-1, the other way: a year that shows what a half withholds is found by the same attack.
#[test]
fn a_year_that_shows_what_a_half_withholds_gives_it_away() {
    let mut told = 0;
    for seed in 1..=20 {
        let parts = halves(seed);
        let tables = tables_of(&year(&parts, &named(), &book()).unwrap());
        let mut files = vec![csv("h1.csv", &parts[0].tables[0]), csv("h2.csv", &parts[1].tables[0])];
        let before = computed(&files).len();
        let mut table = tables[0].clone();
        for (at, unit) in (0u64..).zip(UNITS) {
            let is_it = |row: &&mut tables::strict::StrictRow| {
                row.omrade.to_string() == unit && row.codes == ["man"] && row.matt == "aktualiseringar"
            };
            let row = table.rows.iter_mut().find(is_it).unwrap();
            let halves = [seed, seed + 1_000].map(|seed| truth(seed, at, 1));
            row.varde = Some(halves.iter().sum::<u64>() as i64);
            row.status = Status::Value;
        }
        files.push(csv("ar.csv", &table));
        told += computed(&files).len().saturating_sub(before);
    }
    assert!(told > 20, "{told} figures follow");
}

#[test]
fn counts_and_bortfall_are_sums_and_percentages_are_made_anew() {
    let parts = halves(3);
    let year = year(&parts, &named(), &book()).unwrap();
    let table = &tables_of(&year)[0];
    let value = |part: &StrictTable, row: &tables::strict::StrictRow| {
        let same = |other: &&tables::strict::StrictRow| {
            (&other.omrade, &other.codes, &other.matt) == (&row.omrade, &row.codes, &row.matt)
        };
        part.rows.iter().find(same).unwrap().varde
    };
    for row in &table.rows {
        assert_eq!(row.tid.to_string(), "2024");
        if row.matt == "procent_rad" {
            continue;
        }
        let sum = parts.iter().map(|part| value(&part.tables[0], row)).sum::<Option<i64>>();
        assert_eq!(row.varde, sum);
    }
    assert!(table.rows.iter().any(|row| row.matt == "procent_rad" && row.varde.is_some()));
    let names = publish::names::kommuner();
    let codebook = book();
    let source = Source {
        collection: &year.collection,
        codebook: &codebook,
        system: &year.system,
        figures: &year.figures,
    };
    let publication = Publication::new(source, &names, jiff::civil::date(2025, 2, 1)).unwrap();
    assert!(publication.files().unwrap().iter().any(|(name, _)| name == "ar.xlsx"));
}

#[test]
fn parts_that_do_not_belong_together_are_refused_by_name() {
    let half = |id: &str, period: &str, change: &dyn Fn(String) -> String| part(id, period, 3, change);
    let same: &dyn Fn(String) -> String = &|text| text;
    let refused = |parts: Vec<Part>, named: &Named| {
        year(&parts, named, &book()).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let first = || half("h1", "2024H1", same);
    for (other, wanted) in [
        (half("h2", "2024H1", same), "each day once"),
        (half("h2", "2023H2", same), "each day once"),
        (half("h2", "2024K3", same), "each day once"),
        (half("h2", "2024H2", &|text| text.replacen("kodbok", "min_count = 5\nkodbok", 1)), "min_count"),
        (
            half("h2", "2024H2", &|text| {
                text.replace(
                    "[\"kon\"]\nprocent",
                    "[\"kon\"]\nfilter = { aktualiseringstyp = [\"anmalan\"] }\nprocent",
                )
            }),
            "tabell",
        ),
    ] {
        let error = refused(vec![first(), other], &named());
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    assert!(refused(vec![first()], &named()).contains("two publications"));
    let mut without = half("h2", "2024H2", same);
    let gone: Unit = without.roster.remove(1);
    assert!(refused(vec![first(), without], &named()).contains(&gone.to_string()));
    let mut torn = half("h2", "2024H2", same);
    torn.tables[0].rows.remove(0);
    assert!(refused(vec![first(), torn], &named()).contains("no figure for 2101"));
    let second = || half("h2", "2024H2", same);
    let named_wrongly = Named { id: "År 2024".into(), ..named() };
    assert!(refused(vec![first(), second()], &named_wrongly).contains("id"));
}
