//! Strict tables of made figures: what a reader may rely on.

#![allow(clippy::unwrap_used)] // a test that fails here should

mod made;

use std::collections::BTreeMap;

use jiff::civil::date;
use made::{Made, from_toml, made};
use publish::Publication;
use publish::table::{TableError, strict_tables};
use tables::figures::Mark;
use tables::strict::{Status, StrictRow, StrictTable};
use tables::unit::Omrade;

fn tables(made: &Made) -> BTreeMap<String, StrictTable> {
    let ids = made.collection.tables.iter().map(|table| table.id.clone());
    ids.zip(strict_tables(made.source()).unwrap()).collect()
}

fn find<'a>(table: &'a StrictTable, omrade: &str, codes: &[&str], tid: &str, matt: &str) -> &'a StrictRow {
    let wanted = |row: &&StrictRow| {
        row.omrade.to_string() == omrade
            && row.codes == codes
            && row.tid.to_string() == tid
            && row.matt == matt
    };
    let mut rows = table.rows.iter().filter(wanted);
    let row = rows.next().unwrap_or_else(|| panic!("no row {omrade} {codes:?} {tid} {matt}"));
    assert!(rows.next().is_none());
    row
}

const TINY: &str = r#"
id = "liten"
version = 1
titel = "Liten"
lan = "21"
kodbok = "vuxna/1"
perioder = ["2023", "2024"]
deltagare = ["2101", "2104"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "Någon"
kalla = "Någonstans"

[[tabell]]
id = "T01"
titel = "Efter kön"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["kon"]
filter = { aktualiseringstyp = ["ansokan"], beslut = ["*"] }
tider = ["2024", "2023"]
procent = { matt = "procent_rad", over = ["kon"] }
forandring = { till = "2024", fran = ["2023"] }
"#;

#[test]
fn the_strict_file_of_a_tiny_collection_is_known_to_the_byte() {
    let mut made = from_toml(TINY, &["2104"], |_| false);
    let rows = made.system.tables[0].rows.clone();
    let figures = &mut made.figures;
    // periods stand as in the collection: 0 is 2024, 1 is 2023
    let counts =
        [(Some(0), 0, 5), (Some(0), 1, 8), (Some(1), 0, 3), (Some(1), 1, 0), (None, 0, 8), (None, 1, 8)];
    for (code, period, count) in counts {
        let cell = rows.iter().find(|row| row.codes == [code] && row.period == period).unwrap().cell;
        let hidden = if count == 3 { Mark::Withheld } else { Mark::Shown(count) };
        figures.per_unit[0].insert(cell, hidden);
        figures.totals.insert(cell, Mark::Shown(count));
    }
    for (period, cell) in made.system.tables[0].bortfall.iter().enumerate() {
        made.figures.totals.insert(*cell, Mark::Shown(period as u64));
    }
    let text = strict_tables(made.source()).unwrap()[0].to_csv("T01.csv").unwrap();
    let expected = "\
omrade,kon,aktualiseringstyp,beslut,tid,matt,varde,status
2101,man,ansokan,TOT,2023,aktualiseringar,8,
2101,man,ansokan,TOT,2023,procent_rad,100,
2101,man,ansokan,TOT,2024,aktualiseringar,5,
2101,man,ansokan,TOT,2024,procent_rad,63,
2101,man,ansokan,TOT,2024,forandring_2023,-38,
2101,kvinna,ansokan,TOT,2023,aktualiseringar,0,
2101,kvinna,ansokan,TOT,2023,procent_rad,0,
2101,kvinna,ansokan,TOT,2024,aktualiseringar,,x
2101,kvinna,ansokan,TOT,2024,procent_rad,,x
2101,kvinna,ansokan,TOT,2024,forandring_2023,,x
2101,TOT,ansokan,TOT,2023,aktualiseringar,8,
2101,TOT,ansokan,TOT,2023,procent_rad,100,
2101,TOT,ansokan,TOT,2024,aktualiseringar,8,
2101,TOT,ansokan,TOT,2024,procent_rad,100,
2101,TOT,ansokan,TOT,2024,forandring_2023,0,
";
    assert!(text.starts_with(expected), "{text}");
    let absent = text.lines().filter(|line| line.starts_with("2104,")).collect::<Vec<_>>();
    assert_eq!(absent.len(), 15);
    assert!(absent.iter().all(|line| line.ends_with(",,..")), "{absent:?}");
    let county = "\
21,kvinna,ansokan,TOT,2023,aktualiseringar,0,
21,kvinna,ansokan,TOT,2023,procent_rad,0,
21,kvinna,ansokan,TOT,2024,aktualiseringar,3,
21,kvinna,ansokan,TOT,2024,procent_rad,38,
21,kvinna,ansokan,TOT,2024,forandring_2023,,.
21,TOT,ansokan,TOT,2023,aktualiseringar,8,
21,TOT,ansokan,TOT,2023,procent_rad,100,
21,TOT,ansokan,TOT,2023,bortfall,1,
21,TOT,ansokan,TOT,2024,aktualiseringar,8,
21,TOT,ansokan,TOT,2024,procent_rad,100,
21,TOT,ansokan,TOT,2024,forandring_2023,0,
21,TOT,ansokan,TOT,2024,bortfall,0,
";
    assert!(text.ends_with(county), "{text}");
}

#[test]
fn every_file_of_the_demo_is_read_back_as_the_table_it_was() {
    let made = made(&["2161"], |count| (1..4).contains(&count));
    let names = publish::names::kommuner();
    let publication = Publication::new(made.source(), &names, date(2025, 3, 14)).unwrap();
    let files: BTreeMap<_, _> = publication.files().unwrap().into_iter().collect();
    for (id, table) in tables(&made) {
        let file = format!("csv/{id}.csv");
        assert_eq!(StrictTable::from_csv(&file, &files[&file]).unwrap(), table, "{id}");
    }
    assert_eq!(files.len(), 14 + 2);
}

#[test]
fn totals_equal_the_sums_of_their_parts_and_of_their_units() {
    let made = made(&[], |_| false);
    for (id, table) in tables(&made) {
        let counts = table.rows.iter().filter(|row| row.matt == "aktualiseringar");
        let mut units = BTreeMap::<_, i64>::new();
        let mut parts = BTreeMap::<_, i64>::new();
        let spec = made.collection.tables.iter().find(|table| table.id == id).unwrap();
        for row in counts.clone() {
            if matches!(row.omrade, Omrade::Unit(_)) {
                *units.entry((&row.codes, row.tid)).or_default() += row.varde.unwrap();
            }
            let own = &row.codes[..spec.dimensions.len()];
            for at in (0..own.len()).filter(|at| own[*at] != "TOT") {
                let mut whole = row.codes.clone();
                whole[at] = "TOT".into();
                *parts.entry((&row.omrade, whole, row.tid, at)).or_default() += row.varde.unwrap();
            }
        }
        let mut checked = 0;
        for row in counts {
            if let (Omrade::County(_), Some(sum)) = (&row.omrade, units.get(&(&row.codes, row.tid))) {
                assert!(row.varde == Some(*sum), "{id}: {row:?} is not the sum of the units");
                checked += 1;
            }
            for at in 0..spec.dimensions.len() {
                if let Some(sum) = parts.get(&(&row.omrade, row.codes.clone(), row.tid, at)) {
                    assert!(row.varde == Some(*sum), "{id}: {row:?} is not the sum of its parts");
                    checked += 1;
                }
            }
        }
        assert!(checked > 0 || id == "T07", "{id} has no totals");
    }
}

#[test]
fn bortfall_is_one_row_a_table_and_period_for_the_county_also_when_it_is_zero() {
    let made = made(&[], |_| false);
    let mut zero = 0;
    for (id, table) in tables(&made) {
        let spec = made.collection.tables.iter().find(|table| table.id == id).unwrap();
        let rows: Vec<_> = table.rows.iter().filter(|row| row.matt == "bortfall").collect();
        assert_eq!(rows.len(), spec.periods.len(), "{id}");
        for row in rows {
            assert!(row.omrade.to_string() == "21" && row.varde.is_some());
            assert!(row.codes[..spec.dimensions.len()].iter().all(|code| code == "TOT"), "{id}");
            zero += usize::from(row.varde == Some(0));
        }
    }
    assert!(zero >= 5, "T01 has no dimension, so no bortfall");
}

#[test]
fn a_withheld_count_withholds_its_percentage_and_its_changes_and_a_withheld_base_all_of_its_row() {
    let mut made = made(&[], |_| false);
    let of = |made: &Made, table: usize, codes: &[Option<usize>], period: &str| {
        let at = made.collection.tables[table].periods.iter().position(|p| p.to_string() == period).unwrap();
        let rows = &made.system.tables[table].rows;
        rows.iter().find(|row| row.codes == codes && row.period == at).unwrap().cell
    };
    let gavle = made.figures.units.iter().position(|unit| unit.to_string() == "2180").unwrap();
    let hofors = made.figures.units.iter().position(|unit| unit.to_string() == "2104").unwrap();
    let (part, base) = (of(&made, 2, &[Some(0)], "2024"), of(&made, 2, &[None], "2024"));
    let earlier = of(&made, 11, &[], "2020");
    made.figures.per_unit[gavle].insert(part, Mark::Withheld);
    made.figures.per_unit[gavle].insert(earlier, Mark::Withheld);
    made.figures.per_unit[hofors].insert(base, Mark::Withheld);
    let tables = tables(&made);
    let withheld = |table: &str, omrade: &str, codes: &[&str], matt: &str| {
        find(&tables[table], omrade, codes, "2024", matt).status == Status::Withheld
    };
    assert!(withheld("T03", "2180", &["ansokan"], "procent_rad"));
    assert!(!withheld("T03", "2180", &["anmalan"], "procent_rad"));
    for code in ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan", "TOT"] {
        assert!(withheld("T03", "2104", &[code], "procent_rad"), "{code}");
    }
    // T09 counts the same applications in 2024 and T12 the reports of 2020: one cell, one mark (TRUE-2)
    assert!(withheld("T09", "2180", &["ansokan"], "aktualiseringar"));
    assert!(withheld("T09", "2180", &["ansokan"], "forandring_2023"));
    assert!(withheld("T09", "2180", &["ansokan"], "forandring_2020"));
    assert!(withheld("T12", "2180", &["anmalan"], "forandring_2020"));
    assert!(!withheld("T12", "2180", &["anmalan"], "forandring_2023"));
    assert!(!withheld("T12", "21", &["anmalan"], "forandring_2020"));
}

#[test]
fn figures_that_are_not_the_collections_are_refused() {
    let refuse = |change: fn(&mut Made)| {
        let mut made = made(&["2104"], |_| false);
        change(&mut made);
        strict_tables(made.source()).unwrap_err()
    };
    let cell = |made: &Made| made.system.tables[0].rows[0].cell;
    assert!(cell(&made(&[], |_| false)) == 0, "the closures below rely on it");
    let error = refuse(|made| _ = made.figures.totals.remove(&0));
    assert_eq!(error.to_string(), "T01: no mark for 21 2020");
    let error = refuse(|made| _ = made.figures.per_unit[0].remove(&0));
    assert_eq!(error.to_string(), "T01: no mark for 2101 2020");
    assert_eq!(refuse(|made| drop(made.figures.per_unit.pop())), TableError::Roster);
    assert_eq!(refuse(|made| made.figures.units[0] = "0114".parse().unwrap()), TableError::Roster);
    assert_eq!(refuse(|made| made.figures.units.swap(0, 1)), TableError::Roster);
    assert!(matches!(
        refuse(|made| drop(made.system.tables.pop())),
        TableError::Tables { found: 13, expected: 14 }
    ));
    let error = refuse(|made| _ = made.figures.totals.insert(0, Mark::Shown(u64::MAX)));
    assert!(matches!(error, TableError::TooLarge { .. }) && !error.to_string().contains("1844674"));
}
