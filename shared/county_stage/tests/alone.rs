//! What a kommun that is its whole county shows, attacked by counting: every table that agrees with what is shown is tried.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use county_stage::alone::choice;
use jiff::civil::date;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::{FineStatus, MinCount};
use tables::system::{CellIndex, Counts, System};

const TEXT: &str = r#"
id = "ensam"
version = 1
titel = "Prov"
lan = "09"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["0980"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[nationell]
lan = ["03", "07", "09"]
inom_timmar = 1
ensam_kommun = true
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
"#;
/// Ages by age group: under 25, and 25 and over.
const AGES: [&str; 2] = ["u24", "o25"];

struct Case {
    system: System,
    counts: Counts,
}

/// Counts of women and men by age group; records of an unknown sex besides.
fn case(inner: [[usize; 2]; 2], unknown: usize) -> Case {
    let codebook = Codebook::vuxna().unwrap();
    let collection = Collection::from_toml(TEXT, &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    let table = &collection.tables[0];
    let mut counts = system.empty_counts();
    let (sex, age) = (&table.dimensions[0], &table.dimensions[1]);
    let group = |id: &str| age.categories.iter().find(|category| category.code == id).unwrap();
    let mut record = |row: Option<usize>, column: usize, times: usize| {
        let mut codes = vec![None; codebook.variables.len()];
        codes[sex.variable] = row.map(|at| *sex.categories[at].allowed.alone.first().unwrap());
        codes[age.variable] = Some(*group(AGES[column]).allowed.alone.first().unwrap());
        (0..times).for_each(|_| system.count(&mut counts, date(2024, 5, 4), &codes));
    };
    for (row, columns) in inner.iter().enumerate() {
        columns.iter().enumerate().for_each(|(column, times)| record(Some(row), column, *times));
    }
    record(None, 0, unknown);
    Case { system, counts }
}

fn shown(case: &Case, own: u32) -> BTreeSet<CellIndex> {
    let statuses = choice(&case.system, &case.counts, MinCount::new(own).unwrap());
    (0..statuses.len()).filter(|cell| statuses[*cell] != FineStatus::Small).collect()
}

/// The cell of a row and a column of the table, `None` for its margin.
fn cell(case: &Case, row: Option<usize>, column: Option<usize>) -> CellIndex {
    case.system.tables[0].rows.iter().find(|known| known.codes == [row, column]).unwrap().cell
}

/// Every value that an inner cell can have in a table of withheld figures of at least 1 that shows the same (SAFE-1).
fn possible(case: &Case, shown: &BTreeSet<CellIndex>, of: [usize; 2], most: u64) -> BTreeSet<u64> {
    let mut values = BTreeSet::new();
    let sums = |inner: &[u64; 4], row: Option<usize>, column: Option<usize>| -> u64 {
        let fits = |at: &usize| row.is_none_or(|row| at / 2 == row) && column.is_none_or(|c| at % 2 == c);
        (0..4).filter(fits).map(|at| inner[at]).sum()
    };
    for at in 0..(most + 1).pow(4) {
        let inner = [0, 1, 2, 3].map(|place| at / (most + 1).pow(place) % (most + 1));
        let agrees = |row: Option<usize>, column: Option<usize>| {
            let cell = cell(case, row, column);
            let there = sums(&inner, row, column);
            if shown.contains(&cell) { there == case.system.value(&case.counts, cell) } else { there >= 1 }
        };
        let margins = [None, Some(0), Some(1)];
        if margins.iter().all(|row| margins.iter().all(|column| agrees(*row, *column))) {
            values.insert(inner[of[0] * 2 + of[1]]);
        }
    }
    values
}

#[test]
fn every_small_figure_keeps_its_whole_range_whatever_the_rest_is() {
    for inner in
        [[[1, 9], [8, 12]], [[3, 12], [12, 12]], [[2, 0], [9, 11]], [[1, 2], [10, 3]], [[1, 0], [0, 12]]]
    {
        let case = case(inner, 0);
        let shown = shown(&case, 4);
        for (row, columns) in inner.iter().enumerate() {
            for (column, value) in columns.iter().enumerate().filter(|(_, value)| (1..4).contains(*value)) {
                assert!(
                    !shown.contains(&cell(&case, Some(row), Some(column))),
                    "{inner:?}: {value} is shown"
                );
                let possible = possible(&case, &shown, [row, column], 16);
                assert!(
                    (1..4).all(|value| possible.contains(&value)),
                    "{inner:?} {row} {column}: {possible:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_small_under_the_kommuns_own_threshold_is_shown_and_zeros_are() {
    let case = case([[0, 7], [30, 40]], 0);
    assert!(shown(&case, 4).contains(&cell(&case, Some(0), Some(1))));
    let shown = shown(&case, 8);
    assert!(!shown.contains(&cell(&case, Some(0), Some(1))));
    assert!(shown.contains(&cell(&case, Some(0), Some(0))), "a zero is shown");
    assert!(shown.iter().all(|cell| !(1..8).contains(&case.system.value(&case.counts, *cell))));
}

#[test]
fn a_small_bortfall_stays_in_the_kommun_and_a_large_one_is_shown() {
    for (unknown, is_shown) in [(0, true), (1, false), (3, false), (4, true)] {
        let case = case([[20, 30], [25, 35]], unknown);
        let bortfall = case.system.tables[0].bortfall[0];
        assert_eq!(case.system.value(&case.counts, bortfall), unknown as u64);
        assert_eq!(shown(&case, 4).contains(&bortfall), is_shown, "{unknown}");
    }
}

#[test]
fn what_was_chosen_is_chosen_again() {
    let case = case([[1, 9], [8, 12]], 2);
    assert_eq!(shown(&case, 4), shown(&case, 4));
}
