//! TRUE-1, TRUE-2, TRUE-3: the published tables are the report's under its one consistent reading, small cells and their
//! partners withheld, and nothing else.

use std::collections::BTreeMap;

use county::figures::{TABLES, TableDef};
use county::{County, Event, expected_cells};
use kit::{COUNT, Entry, Key};

use crate::common::{COUNTY, SEEDS, SMALL, case, key_of};

/// Withheld expected cells by table and year: small, secondary.
fn withheld(seed: u64) -> BTreeMap<(&'static str, u16), (usize, usize)> {
    let mut found = BTreeMap::<_, (usize, usize)>::new();
    for cell in expected_cells() {
        if case(seed).released.published.get(&key_of(&cell)) == Err("x") {
            let entry = found.entry((cell.table, cell.tid)).or_default();
            if SMALL.contains(&cell.value.into()) { entry.0 += 1 } else { entry.1 += 1 }
        }
    }
    found
}

#[test]
fn the_fourteen_tables_are_the_report_s_under_the_one_reading() {
    for seed in SEEDS {
        let published = &case(seed).released.published;
        for cell in expected_cells() {
            let value = i64::from(cell.value);
            match published.get(&key_of(&cell)) {
                Ok(shown) => {
                    assert_eq!(shown, value, "seed {seed}: {cell:?}");
                    assert!(!SMALL.contains(&value), "seed {seed}: a small cell is shown: {cell:?}");
                }
                Err(mark) => {
                    assert_eq!(mark, "x", "{cell:?}: everybody delivered and every count can occur");
                    assert_ne!(value, 0, "seed {seed}: a zero is withheld: {cell:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_withheld_of_the_report_is_the_small_cells_and_few_partners() {
    for seed in SEEDS {
        let mut found = withheld(seed);
        println!("seed {seed}: {found:?}");
        let mut take = |table, year| found.remove(&(table, year)).unwrap_or_default();
        assert_eq!(take("T02", 2021), (1, 1), "överflyttning and one partner");
        let (small, secondary) = take("T03", 2024);
        assert!(small == 2 && (4..=6).contains(&secondary), "T03: {small} small, {secondary} secondary");
        for year in [2022, 2023] {
            let (t09, t12) = (take("T09", year), take("T12", year));
            assert_eq!((t09.0 + t12.0, t09.1 + t12.1), (0, 3), "{year}: Nordanstig's rest takes three cells");
        }
        for year in [2023, 2024] {
            let (t08, t11) = (take("T08", year), take("T11", year));
            assert_eq!(t08, (1, 1), "T08 {year}: våldsutövare kvinna and a partner in its column");
            assert_eq!(
                t11,
                (1, 3),
                "T11 {year}: hedersrelaterat man and a rectangle, since T10 gives the rows"
            );
        }
        assert_eq!(
            take("T13", 2024),
            (0, 2),
            "vuxenpsykiatrin, whose unprinted rest T06 less T13 is small, and a partner"
        );
        assert_eq!(take("T14", 2024), (1, 3), "hedersrelaterat ej inleda and a rectangle");
        assert_eq!(found, BTreeMap::new(), "nothing else is withheld");
    }
}

#[test]
fn the_cells_withheld_for_nordanstig_s_rest_are_its_own_and_two_other_kommuner_s() {
    for seed in SEEDS {
        let published = &case(seed).released.published;
        for year in ["2022", "2023"] {
            let hidden = |key: &Key| key.tid == year && ["T09", "T12"].contains(&key.table.as_str());
            let rows = published
                .rows
                .iter()
                .filter(|(key, entry)| hidden(key) && key.matt == COUNT && **entry == Err("x"));
            let places: Vec<_> = rows.map(|(key, _)| (key.table.as_str(), key.omrade.as_str())).collect();
            assert!(places.iter().any(|(_, omrade)| *omrade == "2132"), "{places:?}");
            assert!(places.iter().all(|(table, _)| *table == places[0].0), "one column: {places:?}");
        }
    }
}

#[test]
fn the_difference_of_t06_and_t13_that_costs_t13_two_cells_is_small_and_no_other_is_left() {
    let value = |table: &str, code: &str| {
        let is = |cell: &&county::ExpectedCell| {
            (cell.table, cell.tid) == (table, 2024) && cell.codes.last().is_some_and(|(_, own)| *own == code)
        };
        expected_cells().iter().find(is).map(|cell| i64::from(cell.value)).unwrap()
    };
    for seed in SEEDS {
        let published = &case(seed).released.published;
        for (key, entry) in published.counts("T13") {
            let code = key.codes["anmalare"].as_str();
            let codes = [("aktualiseringstyp", "anmalan"), ("anmalare", code)];
            let all = published.get(&Key::new("T06", COUNTY, &codes, &key.tid, COUNT));
            if let (Ok(all), Ok(part)) = (all, entry) {
                assert!(!SMALL.contains(&(all - part)), "seed {seed}: T06 less T13 {code} {}", key.tid);
            }
            if key.tid == "2024" && SMALL.contains(&(value("T06", code) - value("T13", code))) {
                assert_eq!((code, entry), ("vuxenpsykiatrin", Err("x")), "seed {seed}");
            }
        }
    }
}

fn events(county: &County, omrade: &str, year: u16, table: &TableDef) -> Vec<Event> {
    let kommuner = county.kommuner().iter().filter(|own| omrade == COUNTY || own.kommunkod == omrade);
    let inside = |event: &&Event| {
        let fixed = table
            .constants
            .iter()
            .all(|(variable, code)| *code == "TOT" || event.value(*variable) == Some(code));
        let chosen = |(variable, codes): &(county::Variable, &[&str])| {
            event.value(*variable).is_some_and(|code| codes.contains(&code))
        };
        // T14 counts matters with a reason, of any type (`READING.md`).
        let reason = table.id != "T14" || event.orsak_anmalan.is_some();
        event.year == year && fixed && reason && table.filter.iter().all(chosen)
    };
    kommuner.flat_map(|own| &own.events).filter(inside).cloned().collect()
}

fn is_complete(event: &Event, table: &TableDef) -> bool {
    let dims = table.dims.iter().map(|(_, variable)| variable);
    dims.chain(table.constants.iter().map(|(variable, _)| variable))
        .all(|variable| event.value(*variable).is_some())
}

#[test]
fn true_1_no_county_total_of_the_kommun_tables_is_withheld_and_each_is_the_sum_over_all_rows() {
    for seed in SEEDS {
        let county = County::generate(seed).unwrap();
        let mut compared = 0;
        for table in TABLES.iter().filter(|table| ["T01", "T03", "T09", "T12"].contains(&table.id)) {
            for (key, entry) in
                case(seed).released.published.counts(table.id).filter(|(key, _)| key.omrade == COUNTY)
            {
                let year = key.tid.parse().unwrap();
                let rows = events(&county, COUNTY, year, table);
                let of_code = |event: &&Event| {
                    key.codes
                        .iter()
                        .all(|(variable, code)| code == "TOT" || event.code(variable) == Some(code.as_str()))
                };
                let sum = rows.iter().filter(|event| is_complete(event, table)).filter(of_code).count();
                assert_eq!(entry, Ok(sum as i64), "seed {seed}: {key:?}");
                compared += 1;
            }
        }
        assert_eq!(compared, 5 + 6 + 5 + 5);
    }
}

#[test]
fn true_2_every_total_equals_its_parts_or_leaves_room_for_those_withheld() {
    for seed in SEEDS {
        let published = &case(seed).released.published;
        let (mut exact, mut open) = (0, 0);
        for (whole, entry) in published.rows.iter().filter(|(key, _)| key.matt == COUNT) {
            for variable in
                whole.codes.iter().filter(|(_, code)| *code == "TOT").map(|(variable, _)| variable)
            {
                let is_part = |key: &Key| key.codes[variable] != "TOT" && key.with(variable, "TOT") == *whole;
                let rows: Vec<Entry> = published
                    .counts(&whole.table)
                    .filter(|(key, _)| is_part(key))
                    .map(|(_, entry)| entry)
                    .collect();
                if !rows.is_empty() {
                    check_sum(*entry, &rows, (&mut exact, &mut open), &format!("seed {seed}: {whole:?}"));
                }
            }
            let parts: Vec<Entry> =
                county::KOMMUNER.iter().filter_map(|kommun| published.find(&whole.of(kommun.kod))).collect();
            if whole.omrade == COUNTY && !parts.is_empty() {
                assert_eq!(parts.len(), 10);
                check_sum(
                    *entry,
                    &parts,
                    (&mut exact, &mut open),
                    &format!("seed {seed}: {whole:?} over kommuner"),
                );
            }
        }
        assert!(exact > 40 && open > 10, "{exact} sums of shown cells, {open} with withheld ones");
    }
}

fn check_sum(whole: Entry, parts: &[Entry], (exact, open): (&mut usize, &mut usize), place: &str) {
    let shown: i64 = parts.iter().filter_map(|part| part.ok()).sum();
    let hidden = parts.iter().filter(|part| part.is_err()).count();
    assert_ne!((hidden, whole.is_ok()), (1, true), "{place}: a single withheld part is the rest of the line");
    let Ok(whole) = whole else { return };
    if hidden == 0 {
        assert_eq!(whole, shown, "{place}");
        *exact += 1;
    } else {
        assert!(whole >= shown + hidden as i64, "{place}: no room for {hidden} withheld parts of at least 1");
        *open += 1;
    }
}

#[test]
fn true_2_tables_that_show_the_same_thing_show_the_same_entry() {
    let typ = "aktualiseringstyp";
    for seed in SEEDS {
        let published = &case(seed).released.published;
        let get = |table, omrade, codes: &[(&str, &str)], tid| {
            published.get(&Key::new(table, omrade, codes, tid, COUNT))
        };
        for omrade in county::KOMMUNER.iter().map(|kommun| kommun.kod).chain([COUNTY]) {
            for (table, code) in [("T01", "TOT"), ("T09", "ansokan"), ("T12", "anmalan")] {
                let one = get(table, omrade, &[(typ, code)], "2024");
                assert_eq!(one, get("T03", omrade, &[(typ, code)], "2024"), "seed {seed}: {table} {omrade}");
            }
        }
        for tid in ["2020", "2021", "2022", "2023", "2024"] {
            for (table, code) in [("T01", "TOT"), ("T09", "ansokan"), ("T12", "anmalan")] {
                assert_eq!(get(table, COUNTY, &[(typ, code)], tid), get("T02", COUNTY, &[(typ, code)], tid));
            }
        }
        for code in ["ansokan", "anmalan"] {
            let types = get("T02", COUNTY, &[(typ, code)], "2024");
            assert_eq!(get("T04", COUNTY, &[(typ, code), ("aldersgrupp", "TOT")], "2024"), types);
            assert_eq!(get("T05", COUNTY, &[(typ, code), ("kon", "TOT")], "2024"), types);
        }
    }
}

#[test]
fn true_3_bortfall_is_what_the_rows_lack_and_what_the_reading_says() {
    let read = [
        ("T01", 2024, 6),
        ("T02", 2024, 6),
        ("T03", 2024, 6),
        ("T06", 2024, 10),
        ("T07", 2024, 22),
        ("T08", 2024, 11),
        ("T10", 2024, 8),
        ("T11", 2024, 8),
        ("T08", 2023, 38),
        ("T10", 2023, 2),
        ("T11", 2023, 2),
        ("T13", 2024, 7),
        ("T04", 2024, 0),
        ("T05", 2024, 0),
        ("T09", 2022, 0),
        ("T12", 2021, 0),
    ];
    for seed in SEEDS {
        let published = &case(seed).released.published;
        let bortfall = |table: &str, tid: &str| {
            let mut rows = published
                .rows
                .iter()
                .filter(|(key, _)| key.table == table && key.tid == tid && key.matt == "bortfall");
            let (key, entry) = rows.next().unwrap_or_else(|| panic!("{table} {tid}: no bortfall"));
            assert!(
                rows.next().is_none() && key.omrade == COUNTY,
                "one figure a table and period, for the county"
            );
            entry.unwrap_or_else(|mark| panic!("{table} {tid}: bortfall is {mark}"))
        };
        for (table, year, lacking) in read {
            assert_eq!(bortfall(table, &year.to_string()), lacking, "seed {seed}: {table} {year}");
        }
        let county = County::generate(seed).unwrap();
        for table in TABLES {
            let tids: std::collections::BTreeSet<String> =
                published.counts(table.id).map(|(key, _)| key.tid.clone()).collect();
            for tid in tids {
                let rows = events(&county, COUNTY, tid.parse().unwrap(), table);
                let lacking = rows.iter().filter(|event| !is_complete(event, table)).count();
                assert_eq!(bortfall(table.id, &tid), lacking as i64, "seed {seed}: {} {tid}", table.id);
            }
        }
        // T10 against T14 (`ERRATA.md`): beslut is missing in 12 + 23 + 2 + 3 matters of the four reasons T14 prints lower.
        assert!(bortfall("T14", "2024") >= 40);
    }
}
