//! Rows of kommungrupper in national tables: what is shown of them beside counties and the realm (ADR 23).
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use coordinator::counties::desk::built;
use coordinator::counties::group_rows;
use coordinator::counties::release::certified;
use round::chain::Signed;
use round::document::CollectionRef;
use round::national::document::{Document, NationalRef, Offer, Rows};
use round::national::{National, Sums};
use suppress::key::PatternKey;
use tables::figures::{CountyMark, Mark};
use tables::strict::{Status, StrictTable};
use tables::system::{CellIndex, System};
use tables::unit::GroupCode;

const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];
const HEAD: &str = r#"
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
"#;
const LIST: &str = r#"grupptabell = "T1"
[nationell.grupper]
A = ["0301", "0302", "0701", "0702", "0801", "0802", "1001", "1002", "2101", "2102"]
B = ["0303", "0304", "0305", "0703", "0704", "0803", "0804", "1003", "1004", "2103", "2104"]
"#;
const TABLE: &str = r#"[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
[[tabell]]
id = "T2"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon"]
"#;

/// Counts by kön and åldersgrupp.
type Square = [[u64; 2]; 2];
/// What a county has in A and in B.
type Own = [Square; 2];

fn values(system: &System, square: &Square) -> BTreeMap<CellIndex, u64> {
    let mut values: BTreeMap<CellIndex, u64> = (0..system.cells.len()).map(|cell| (cell, 0)).collect();
    for row in system.tables.iter().flat_map(|table| &table.rows) {
        let range = |code: Option<usize>| code.map_or(0..2, |at| at..at + 1);
        let ages = || range(row.codes.get(1).copied().flatten());
        let sum = range(row.codes[0]).flat_map(|kon| ages().map(move |age| square[kon][age])).sum();
        values.insert(row.cell, sum);
    }
    values
}

fn whole(own: &Own) -> Square {
    let cell = |kon: usize, age: usize| own[0][kon][age] + own[1][kon][age];
    [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
}

/// A county that has a small cell withholds the four innermost.
fn marks(system: &System, square: &Square) -> Vec<CountyMark> {
    let hides = square.iter().flatten().any(|value| (1..4).contains(value));
    let inner: BTreeSet<CellIndex> = innermost(system).collect();
    let mark = |(cell, value): (CellIndex, u64)| match value {
        0 => CountyMark::Zero,
        1..4 => CountyMark::Small,
        _ if hides && inner.contains(&cell) => CountyMark::Withheld,
        _ => CountyMark::Shown,
    };
    values(system, square).into_iter().map(mark).collect()
}

fn innermost(system: &System) -> impl Iterator<Item = CellIndex> {
    let inner = system.tables[0].rows.iter().filter(|row| row.codes.iter().all(Option::is_some));
    inner.map(|row| row.cell)
}

fn round(counts: &[Own; 5], list: &str) -> National {
    let (collection, system) = built(&format!("{HEAD}{list}{TABLE}")).unwrap();
    let reference = NationalRef::of(&collection, &system).unwrap();
    let mut machine = National::new(collection.clone(), system.clone(), PatternKey::new(&[3; 32])).unwrap();
    let groups: BTreeSet<GroupCode> = collection.groups.keys().cloned().collect();
    for (county, own) in COUNTIES.iter().zip(counts) {
        let offer = Offer {
            national: reference.clone(),
            county: county.parse().unwrap(),
            collection: CollectionRef::of(&collection),
            round: 1,
            pattern: [0; 32],
            marks: marks(&system, &whole(own)),
            groups: groups.clone(),
        };
        machine.offer(offer, (5, 5), 0).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    }
    machine.choose(0).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    let pattern = machine.pattern().unwrap().clone();
    for (county, own) in COUNTIES.iter().zip(counts) {
        let county = county.parse().unwrap();
        let all = values(&system, &whole(own));
        let shown = pattern.shown(&system, pattern.place(county).unwrap()).map(|cell| all[&cell]).collect();
        let rows = Rows { pattern: pattern.hash(), county, values: shown };
        let share = Signed { bytes: Vec::new(), signature: Vec::new(), certificate: Vec::new() };
        machine.deliver(rows, share).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    }
    machine.close(2 * 3600).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    let close = machine.closed().unwrap().clone();
    let of = |square: &Square, cell: CellIndex| values(&system, square)[&cell];
    let realm = |cell: CellIndex| (cell, counts.iter().map(|own| of(&whole(own), cell)).sum());
    let number = |group: &GroupCode| usize::from(group.to_string() == "B");
    let group = |(group, cell): (GroupCode, CellIndex)| {
        let sum = counts.iter().map(|own| of(&own[number(&group)], cell)).sum();
        ((group, cell), sum)
    };
    let sums = Sums {
        realm: close.open.into_iter().map(realm).collect(),
        groups: close.open_groups.into_iter().map(group).collect(),
    };
    machine.opened(sums, 0).unwrap().into_iter().for_each(|fact| machine.apply(fact));
    machine
}

fn tables(counts: &[Own; 5], list: &str) -> Vec<StrictTable> {
    let release = certified(&round(counts, list)).unwrap();
    let read = |(name, bytes): &(String, Vec<u8>)| StrictTable::from_csv(name, bytes).unwrap();
    release.files().iter().map(read).collect()
}

/// The counts of an area, innermost cells and margins in the file's order.
fn figures(table: &StrictTable, area: &str) -> Vec<Option<i64>> {
    let own = table.rows.iter().filter(|row| row.omrade.to_string() == area && row.matt == "aktualiseringar");
    own.map(|row| row.varde).collect()
}

const EVEN: Own = [[[20, 25], [30, 35]], [[22, 24], [26, 28]]];

#[test]
fn groups_have_their_sums_in_one_table_beside_rows_that_are_as_without_them() {
    let with = tables(&[EVEN; 5], LIST);
    let group = |at: usize| -> Vec<Option<i64>> {
        let [[a, b], [c, d]] = EVEN[at].map(|row| row.map(|value| 5 * value as i64));
        [a, b, a + b, c, d, c + d, a + c, b + d, a + b + c + d].map(Some).to_vec()
    };
    assert_eq!(figures(&with[0], "G:A"), group(0));
    assert_eq!(figures(&with[0], "G:B"), group(1));
    assert!(figures(&with[1], "G:A").is_empty(), "one table has them");
    assert!(
        with[0].rows.iter().all(|row| !row.omrade.to_string().starts_with("G:") || row.matt != "bortfall")
    );
    let mut without = tables(&[EVEN; 5], "");
    for (one, other) in with.into_iter().zip(&mut without) {
        let others = one.rows.into_iter().filter(|row| !row.omrade.to_string().starts_with("G:"));
        assert!(others.eq(std::mem::take(&mut other.rows)));
    }
}

/// SAFE-1: 2 of a group in one cell; with another cell it is large enough.
#[test]
fn a_small_figure_of_a_group_is_shown_only_in_sums_that_hide_it() {
    let mut counts = [EVEN; 5];
    counts.iter_mut().for_each(|own| own[1][0][0] = 0);
    counts[0][1][0][0] = 2;
    let table = &tables(&counts, LIST)[0];
    for group in ["G:A", "G:B"] {
        let shown = figures(table, group);
        assert_eq!(shown[0], None, "{group}");
        assert!(shown.last().unwrap().is_some() && shown.iter().flatten().count() >= 4, "{group}: {shown:?}");
        assert!(shown.iter().flatten().all(|value| !(1..4).contains(value)));
    }
    assert_eq!(figures(table, "00")[0], Some(102), "the realm's is untouched");
}

/// A county withholds; two more hide it. What the groups show must fit however the three share what they have.
#[test]
fn beside_counties_that_withhold_groups_are_shown_where_they_say_nothing_of_those() {
    let mut counts = [EVEN; 5];
    counts[0] = [[[1, 25], [30, 35]], [[1, 24], [26, 28]]];
    let table = &tables(&counts, LIST)[0];
    let withholds = |area: &&&str| figures(table, area).contains(&None);
    assert_eq!(COUNTIES.iter().filter(withholds).count(), 3);
    let absent = table.rows.iter().filter(|row| row.status == Status::NotDelivered).count();
    assert_eq!(absent, 0);
    assert!(figures(table, "G:A").iter().flatten().count() >= 1);
    let (a, b, all) = (figures(table, "G:A"), figures(table, "G:B"), figures(table, "00"));
    let adds_up = |at: usize| a[at].zip(b[at]).is_none_or(|(a, b)| Some(a + b) == all[at]);
    assert!((0..all.len()).all(adds_up));
}

/// Steele, Lea and Flood's SplitMix64: worlds are the same everywhere.
fn below(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % bound
}

/// The audit, which knows the files and the list only, finds nothing in what the rule shows: neither shares code with the other.
#[test]
fn safe_1_the_audit_of_the_files_withholds_nothing_of_what_is_chosen() {
    let (mut shown, mut beside_withheld) = (0, 0);
    for seed in 0..40 {
        let state = &mut (seed * 1_000);
        let mut counts = [EVEN; 5];
        for count in counts.iter_mut().flatten().flatten().flatten() {
            *count = [0, 15, 15, 15][below(state, 4) as usize] + below(state, 60);
        }
        for _ in 0..below(state, 3) {
            let (county, kon, age) = (below(state, 5), below(state, 2), below(state, 2));
            let own = &mut counts[county as usize];
            (own[0][kon as usize][age as usize], own[1][kon as usize][age as usize]) = (1, below(state, 3));
        }
        let machine = round(&counts, LIST);
        let Ok(release) = certified(&machine) else { continue };
        let (name, bytes) = &release.files()[0];
        let table = StrictTable::from_csv(name, bytes).unwrap();
        let printed = &machine.system.tables[0].rows;
        let realm = figures(&table, "00");
        let realm = printed.iter().zip(realm).filter_map(|(row, value)| Some((row.cell, value? as u64)));
        for (group, marks) in group_rows::rows(&machine, &realm.collect()) {
            let marks = marks.unwrap();
            let chosen: Vec<Option<i64>> = printed
                .iter()
                .map(|row| match marks[&row.cell] {
                    Mark::Shown(value) => Some(value as i64),
                    Mark::Withheld => None,
                })
                .collect();
            assert_eq!(figures(&table, &format!("G:{group}")), chosen, "seed {seed}");
            let count = chosen.iter().flatten().count();
            shown += count;
            let withholds = COUNTIES.iter().any(|county| figures(&table, county).contains(&None));
            beside_withheld += if withholds { count } else { 0 };
        }
    }
    println!("{shown} figures of groups, {beside_withheld} beside counties that withhold");
    assert!(shown > 100 && beside_withheld > 40);
}
