//! National tables from a closed round: absent counties, hidden totals, and the audit that withholds more.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use coordinator::counties::desk::built;
use coordinator::counties::release::certified;
use round::chain::Signed;
use round::document::CollectionRef;
use round::national::document::{Document, NationalRef, Offer, Rows};
use round::national::{National, Sums};
use suppress::key::PatternKey;
use tables::figures::CountyMark;
use tables::strict::{Status, StrictTable};
use tables::system::{CellIndex, System};

const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];
const TEXT: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "03"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["0301", "0302", "0303", "0304", "0305"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[nationell]
lan = ["03", "07", "08", "10", "21"]
minst_lan = 3
inom_timmar = 2
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
"#;

/// A county's counts by kön and åldersgrupp.
type Square = [[u64; 2]; 2];

/// The values of all cells; bortfall is 0.
fn values(system: &System, square: &Square) -> BTreeMap<CellIndex, u64> {
    let mut values: BTreeMap<CellIndex, u64> = (0..system.cells.len()).map(|cell| (cell, 0)).collect();
    for row in &system.tables[0].rows {
        let range = |code: Option<usize>| code.map_or(0..2, |at| at..at + 1);
        let sum =
            range(row.codes[0]).flat_map(|kon| range(row.codes[1]).map(move |age| square[kon][age])).sum();
        values.insert(row.cell, sum);
    }
    values
}

fn marks(system: &System, square: &Square) -> Vec<CountyMark> {
    let hides = square.iter().flatten().any(|value| (1..4).contains(value));
    let inner = |cell: CellIndex| {
        system.tables[0].rows.iter().any(|row| row.cell == cell && row.codes.iter().all(Option::is_some))
    };
    let mark = |(cell, value): (CellIndex, u64)| match value {
        0 => CountyMark::Zero,
        1..4 => CountyMark::Small,
        _ if hides && inner(cell) => CountyMark::Withheld,
        _ => CountyMark::Shown,
    };
    values(system, square).into_iter().map(mark).collect()
}

/// A round whose last county does not deliver if `absent`.
fn round(squares: &[Square; 5], absent: bool) -> National {
    let (collection, system) = built(TEXT).unwrap();
    let reference = NationalRef::of(&collection, &system).unwrap();
    let mut machine = National::new(collection.clone(), system.clone(), PatternKey::new(&[3; 32])).unwrap();
    for (county, square) in COUNTIES.iter().zip(squares) {
        let offer = Offer {
            national: reference.clone(),
            county: county.parse().unwrap(),
            collection: CollectionRef::of(&collection),
            round: 1,
            pattern: [0; 32],
            marks: marks(&system, square),
            groups: BTreeSet::new(),
        };
        machine.offer(offer, (5, 6), 0).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    }
    machine.choose(0).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    let pattern = machine.pattern().unwrap().clone();
    let here = if absent { 4 } else { 5 };
    for (county, square) in COUNTIES.iter().zip(squares).take(here) {
        let county = county.parse().unwrap();
        let all = values(&system, square);
        let shown = pattern.shown(&system, pattern.place(county).unwrap()).map(|cell| all[&cell]).collect();
        let rows = Rows { pattern: pattern.hash(), county, values: shown };
        let share = Signed { bytes: Vec::new(), signature: Vec::new(), certificate: Vec::new() };
        machine.deliver(rows, share).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    }
    machine.close(2 * 3600).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    let open = machine.closed().unwrap().open.clone();
    let sum = |cell: CellIndex| squares.iter().take(here).map(|square| values(&system, square)[&cell]).sum();
    let realm = open.into_iter().map(|cell| (cell, sum(cell))).collect();
    machine
        .opened(Sums { realm, ..Sums::default() }, 0)
        .unwrap()
        .into_iter()
        .for_each(|fact| machine.apply(fact));
    machine
}

fn table(machine: &National) -> StrictTable {
    let release = certified(machine).unwrap();
    let (name, bytes) = &release.files()[0];
    StrictTable::from_csv(name, bytes).unwrap()
}

fn figures(table: &StrictTable, area: &str) -> Vec<(Option<i64>, Status)> {
    let own = table.rows.iter().filter(|row| row.omrade.to_string() == area && row.matt == "aktualiseringar");
    own.map(|row| (row.varde, row.status)).collect()
}

const LARGE: Square = [[40, 50], [60, 70]];

#[test]
fn what_one_county_withholds_is_in_the_national_totals_and_two_others_hide_it() {
    let machine = round(&[[[2, 30], [20, 40]], LARGE, LARGE, LARGE, LARGE], false);
    let table = table(&machine);
    let realm = figures(&table, "00");
    assert!(realm.iter().all(|(_, status)| *status == Status::Value));
    assert_eq!(realm[0].0, Some(162));
    let hiding = |area: &&str| figures(&table, area).iter().any(|(_, status)| *status == Status::Withheld);
    assert_eq!(COUNTIES.iter().filter(|area| hiding(area)).count(), 3);
}

/// TRUE-3: who is absent has its row, and says nothing about it.
#[test]
fn an_absent_county_is_not_delivered_and_no_total_counts_it() {
    let machine = round(&[LARGE; 5], true);
    let table = table(&machine);
    assert!(figures(&table, "21").iter().all(|(_, status)| *status == Status::NotDelivered));
    assert_eq!(figures(&table, "00")[0].0, Some(160));
    assert_eq!(machine.missing(), ["21".parse().unwrap()]);
}

#[test]
fn without_counters_the_sums_that_would_give_a_county_away_stay_withheld() {
    let zeros: Square = [[0, 50], [60, 0]];
    let machine = round(&[[[2, 30], [20, 40]], zeros, zeros, zeros, zeros], false);
    let table = table(&machine);
    let realm = figures(&table, "00");
    assert!(realm.iter().filter(|(_, status)| *status == Status::Withheld).count() >= 4);
    // the grand total is the sum of what all counties show
    assert_eq!(realm.last().unwrap().0, Some(92 + 4 * 110));
}

/// SAFE-1: three counties with one case each add up to 3, which says that each has one.
#[test]
fn a_small_national_sum_is_withheld_although_many_counties_hide_in_it() {
    let small: Square = [[1, 60], [50, 70]];
    let machine =
        round(&[small, small, [[0, 60], [50, 70]], [[0, 50], [60, 70]], [[0, 50], [60, 70]]], false);
    let table = table(&machine);
    assert_eq!(figures(&table, "00")[0].1, Status::Withheld);
}
