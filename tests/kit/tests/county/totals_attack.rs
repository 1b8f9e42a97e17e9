//! SAFE-1 on the county totals: T02, T08, T11 (with T10), T13 (within T06) and T14, by exact search over integer tables.

use std::collections::BTreeMap;

use county::{ExpectedCell, expected_cells};
use kit::{COUNT, Entry, Key};

use crate::common::{COUNTY, SEEDS, SMALL, case, key_of};
use crate::enumerate::Problem;

/// A county table of one year as unknowns, margins too.
struct Block {
    problem: Problem,
    cells: BTreeMap<Key, usize>,
}

impl Block {
    fn new(seed: u64, table: &str, year: &str, naive: bool) -> Self {
        let published = &case(seed).released.published;
        let mut block = Self { problem: Problem::default(), cells: BTreeMap::new() };
        let truth: BTreeMap<Key, i64> =
            expected_cells().iter().map(|cell| (key_of(cell), cell.value.into())).collect();
        for (key, entry) in published.counts(table).filter(|(key, _)| key.tid == year && key.omrade == COUNTY)
        {
            let open = |value: &i64| {
                if naive && !SMALL.contains(value) { Ok(*value) } else { entry }
            };
            let entry = truth.get(key).map_or(entry, open);
            let at = block.unknown(entry);
            block.cells.insert(key.clone(), at);
        }
        for (whole, at) in block.cells.clone() {
            for variable in
                whole.codes.iter().filter(|(_, code)| *code == "TOT").map(|(variable, _)| variable)
            {
                let is_part = |key: &&Key| key.codes[variable] != "TOT" && key.with(variable, "TOT") == whole;
                let parts: Vec<(usize, i64)> =
                    block.cells.keys().filter(is_part).map(|key| (block.cells[key], 1)).collect();
                if !parts.is_empty() {
                    block.problem.equation(parts.into_iter().chain([(at, -1)]).collect(), 0);
                }
            }
        }
        if table == "T11" {
            block.rows_of_t10(seed, year);
        }
        block
    }

    fn unknown(&mut self, entry: Entry) -> usize {
        match entry {
            Ok(value) => self.problem.variable(value, value),
            Err(_) => self.problem.variable(1, 10_000),
        }
    }

    /// T10 has the same bortfall as T11: kön is known for all, and T10's figures are the sums of T11's rows.
    fn rows_of_t10(&mut self, seed: u64, year: &str) {
        for (key, entry) in case(seed).released.published.counts("T10").filter(|(key, _)| key.tid == year) {
            let whole = self.unknown(entry);
            let same = |own: &&Key| own.codes["orsak_anmalan"] == key.codes["orsak_anmalan"];
            let parts = self.cells.keys().filter(same).map(|own| (self.cells[own], 1));
            let terms = parts.chain([(whole, -1)]).collect();
            self.problem.equation(terms, 0);
        }
    }
}

fn small(table: &str) -> Vec<ExpectedCell> {
    let is = |cell: &ExpectedCell| {
        cell.table == table && cell.omrade == COUNTY && SMALL.contains(&cell.value.into())
    };
    expected_cells().into_iter().filter(is).collect()
}

fn excluded(seed: u64, naive: bool) -> (usize, Vec<String>) {
    let (mut attacked, mut found) = (0, Vec::new());
    for table in ["T02", "T08", "T11", "T13", "T14"] {
        for cell in small(table) {
            let key = key_of(&cell);
            let block = Block::new(seed, table, &key.tid, naive);
            assert!(block.problem.is_possible(), "{key:?}: the table contradicts itself");
            attacked += 1;
            let at = block.cells[&key];
            let gone = SMALL.filter(|value| !block.problem.can_be(at, *value));
            found.extend(gone.map(|value| format!("{value} for {table} {:?} {}", key.codes, key.tid)));
        }
    }
    (attacked, found)
}

#[test]
fn safe_1_no_reader_narrows_a_small_county_total() {
    for seed in SEEDS {
        let (attacked, found) = excluded(seed, false);
        assert_eq!(found, Vec::<String>::new(), "seed {seed}");
        assert!(attacked >= 6, "{attacked}");
    }
}

#[test]
fn with_only_the_small_totals_withheld_they_are_computed() {
    let (attacked, found) = excluded(SEEDS[0], true);
    assert!(found.len() > attacked, "{attacked} attacked: {found:?}");
}

/// T13 of 2024 within T06: per anmälare what T06 holds beyond T13 (another orsak, or none), which no table prints.
fn rests_of_t13(seed: u64, naive: bool) -> (Problem, BTreeMap<String, (usize, i64)>) {
    let published = &case(seed).released.published;
    let truth: BTreeMap<Key, i64> =
        expected_cells().iter().map(|cell| (key_of(cell), cell.value.into())).collect();
    let (mut problem, mut rests, mut column) = (Problem::default(), BTreeMap::new(), Vec::new());
    for (key, entry) in published.counts("T13").filter(|(key, _)| key.tid == "2024") {
        let code = &key.codes["anmalare"];
        let codes = [("aktualiseringstyp", "anmalan"), ("anmalare", code.as_str())];
        let all = published.get(&Key::new("T06", COUNTY, &codes, "2024", COUNT)).expect("T06 is shown whole");
        let own = if naive { Ok(truth[key]) } else { entry };
        let (least, most) = own.map_or((1, all), |value| (value, value));
        let part = problem.variable(least, most);
        let rest = problem.variable(0, all);
        problem.equation(vec![(part, 1), (rest, 1)], all);
        column.push((part, if code == "TOT" { -1 } else { 1 }));
        rests.insert(code.clone(), (rest, all - truth[key]));
    }
    problem.equation(column, 0);
    (problem, rests)
}

#[test]
fn safe_1_no_reader_narrows_the_small_rest_of_t06_beyond_t13() {
    let excluded = |seed, naive| {
        let (problem, rests) = rests_of_t13(seed, naive);
        let small: Vec<usize> =
            rests.values().filter(|(_, rest)| SMALL.contains(rest)).map(|(at, _)| *at).collect();
        assert_eq!(small.len(), 1, "vuxenpsykiatrin");
        SMALL.filter(|value| !problem.can_be(small[0], *value)).count()
    };
    for seed in SEEDS {
        assert_eq!(excluded(seed, false), 0, "seed {seed}");
    }
    assert_eq!(excluded(SEEDS[0], true), 2, "with T13 shown whole it is computed");
}

#[test]
fn no_small_count_of_the_county_is_shown_in_any_table() {
    for seed in SEEDS {
        for (key, entry) in case(seed).released.published.rows.iter().filter(|(key, _)| key.matt == COUNT) {
            assert!(!entry.is_ok_and(|value| SMALL.contains(&value)), "seed {seed}: {key:?}");
        }
    }
}
