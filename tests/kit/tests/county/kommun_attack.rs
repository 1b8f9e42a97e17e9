//! SAFE-1 and SAFE-2 on the kommun tables (T01, T03, T09, T12 with T02's county totals), by exact search over integer tables
//! that agree with everything published; and that the same attack succeeds on weaker patterns.

use std::collections::BTreeMap;

use kit::{COUNT, Entry, Key};

use crate::common::{COUNTY, SEEDS, SMALL, case, truth};
use crate::enumerate::Problem;

const TYPES: [&str; 5] = ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan"];
const YEARS: [u16; 5] = [2020, 2021, 2022, 2023, 2024];
const TYP: &str = "aktualiseringstyp";

/// The printed entries of one year: by omrade and type, `TOT` for all.
type View = BTreeMap<(String, String), Entry>;

/// What is printed of a year, whichever table prints it.
fn view(seed: u64, year: u16) -> View {
    let published = &case(seed).released.published;
    let mut view = View::new();
    let tables = ["T01", "T03", "T09", "T12", "T02"];
    for (key, entry) in
        tables.iter().flat_map(|table| published.counts(table)).filter(|(key, _)| key.tid == year.to_string())
    {
        let code = key.codes.get(TYP).cloned().unwrap_or_else(|| "TOT".into());
        let known = view.entry((key.omrade.clone(), code)).or_insert(entry);
        assert_eq!(*known, entry, "two tables differ on {key:?}");
    }
    view
}

/// The types of which a kommun's figures are printed in a year; the others are its unprinted rest.
fn printed(year: u16) -> &'static [&'static str] {
    if year == 2024 { &TYPES } else { &TYPES[..2] }
}

/// A year's finest cells of kommuner as unknowns: printed ones, and in earlier years the rest.
struct Block {
    problem: Problem,
    cells: BTreeMap<(&'static str, &'static str), usize>,
}

const REST: &str = "rest";

impl Block {
    fn new(view: &View, year: u16) -> Self {
        let mut problem = Problem::default();
        let entry = |omrade: &str, code: &str| view[&(omrade.to_owned(), code.to_owned())];
        let most = entry(COUNTY, "TOT").expect("the county's total is shown");
        let unknown = |problem: &mut Problem, entry: Entry| match entry {
            Ok(value) => problem.variable(value, value),
            Err(_) => problem.variable(1, most), // zeros are published
        };
        let mut cells = BTreeMap::new();
        let mut columns = BTreeMap::<&str, Vec<(usize, i64)>>::new();
        for kommun in county::KOMMUNER.map(|kommun| kommun.kod) {
            let mut row = Vec::new();
            for code in printed(year) {
                row.push((*code, unknown(&mut problem, entry(kommun, code))));
            }
            if year != 2024 {
                row.push((REST, problem.variable(0, most)));
            }
            let whole = unknown(&mut problem, entry(kommun, "TOT"));
            let sum = row.iter().map(|(_, at)| (*at, 1)).chain([(whole, -1)]).collect();
            problem.equation(sum, 0);
            columns.entry("TOT").or_default().push((whole, 1));
            for (code, at) in row {
                columns.entry(code).or_default().push((at, 1));
                cells.insert((kommun, code), at);
            }
        }
        for (code, mut column) in columns {
            if code != REST {
                column.push((unknown(&mut problem, entry(COUNTY, code)), -1));
                problem.equation(column, 0);
            }
        }
        Self { problem, cells }
    }

    /// The same for a kommun that knows its own true cells.
    fn known_to(&self, insider: &str, year: u16) -> Problem {
        let mut problem = self.problem.clone();
        for ((kommun, code), at) in &self.cells {
            if *kommun == insider {
                problem.fix(*at, true_cell(kommun, code, year));
            }
        }
        problem
    }
}

fn true_cell(kommun: &str, code: &str, year: u16) -> i64 {
    match (code, year) {
        (REST, _) => {
            truth("T01", kommun, "TOT", year)
                - truth("T09", kommun, "ansokan", year)
                - truth("T12", kommun, "anmalan", year)
        }
        (code, 2024) => truth("T03", kommun, code, year),
        ("ansokan", _) => truth("T09", kommun, code, year),
        (code, _) => truth("T12", kommun, code, year),
    }
}

/// What an attacker of a year's tables excludes: reader and insiders.
fn attack(view: &View, year: u16) -> (usize, Vec<String>) {
    let block = Block::new(view, year);
    assert!(block.problem.is_possible(), "{year}: the publication contradicts itself");
    let (mut small, mut broken) = (0, Vec::new());
    for ((kommun, code), at) in &block.cells {
        if !SMALL.contains(&true_cell(kommun, code, year)) {
            continue;
        }
        small += 1;
        for value in SMALL.filter(|value| !block.problem.can_be(*at, *value)) {
            broken.push(format!("SAFE-1: a reader excludes {value} for {kommun} {code} {year}"));
        }
        for insider in
            county::KOMMUNER.map(|kommun| kommun.kod).into_iter().filter(|insider| insider != kommun)
        {
            let knows = block.known_to(insider, year);
            if (1..8).filter(|value| knows.can_be(*at, *value)).count() < 2 {
                broken.push(format!("SAFE-2: {insider} computes {kommun} {code} {year}"));
            }
        }
    }
    (small, broken)
}

#[test]
fn the_small_kommun_cells_are_the_four_of_the_reading() {
    let mut found = Vec::new();
    for year in YEARS {
        let codes = printed(year).iter().copied().chain((year != 2024).then_some(REST));
        for code in codes {
            let kommuner = county::KOMMUNER.map(|kommun| kommun.kod);
            let small = kommuner.into_iter().filter(|kommun| SMALL.contains(&true_cell(kommun, code, year)));
            found.extend(small.map(|kommun| (kommun, code, year, true_cell(kommun, code, year))));
        }
    }
    let four = [
        ("2132", REST, 2022, 1),
        ("2132", REST, 2023, 3),
        ("2101", "yttrande", 2024, 2),
        ("2181", "forfragan", 2024, 1),
    ];
    assert_eq!(found, four);
}

#[test]
fn safe_1_and_safe_2_no_reader_and_no_kommun_narrows_a_small_kommun_cell() {
    for seed in SEEDS {
        let mut attacked = 0;
        for year in YEARS {
            let (small, broken) = attack(&view(seed, year), year);
            assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
            attacked += small;
        }
        assert_eq!(attacked, 4);
    }
}

/// The year's view with only the named cells withheld.
fn with_only(year: u16, hidden: &[(&str, &str)]) -> View {
    let mut view = view(SEEDS[0], year);
    for ((omrade, code), entry) in &mut view {
        let whole = code == "TOT" && omrade != COUNTY;
        if hidden.contains(&(omrade.as_str(), code.as_str())) {
            *entry = Err("x");
        } else if entry.is_err() && omrade != COUNTY {
            assert!(!whole);
            *entry = Ok(true_cell(omrade, code, year));
        }
    }
    view
}

#[test]
fn only_the_small_cells_withheld_gives_every_one_of_them_away() {
    let (small, broken) = attack(&with_only(2024, &[("2181", "forfragan"), ("2101", "yttrande")]), 2024);
    let narrowed = broken.iter().filter(|text| text.starts_with("SAFE-1")).count();
    assert_eq!((small, narrowed), (2, 4), "each is computed: two of three values excluded: {broken:?}");
    assert!(broken.len() > narrowed, "and every insider computes them too");
    for year in [2022, 2023] {
        let (small, broken) = attack(&with_only(year, &[]), year);
        assert_eq!(
            (small, broken.iter().filter(|text| text.starts_with("SAFE-1")).count()),
            (1, 2),
            "the unprinted rest"
        );
    }
}

#[test]
fn a_partner_in_the_row_alone_or_in_one_other_kommun_alone_is_not_enough() {
    let rows = [("2181", "forfragan"), ("2181", "yttrande"), ("2101", "yttrande"), ("2101", "forfragan")];
    let (_, broken) = attack(&with_only(2024, &rows), 2024);
    // The two rows are each other's partners: a reader is kept out as far as the sums allow, the two kommuner are not.
    assert!(broken.iter().any(|text| text.starts_with("SAFE-2: 2181")), "{broken:?}");
    assert!(broken.iter().any(|text| text.starts_with("SAFE-2: 2101")), "{broken:?}");
    let (_, broken) = attack(&with_only(2022, &[("2132", "ansokan"), ("2180", "ansokan")]), 2022);
    assert!(
        broken.iter().any(|text| text.starts_with("SAFE-2: 2180")),
        "a single partner computes it: {broken:?}"
    );
    assert!(!broken.iter().any(|text| text.starts_with("SAFE-1")), "{broken:?}");
}

#[test]
fn an_attacker_who_subtracts_finds_no_small_rest() {
    for seed in SEEDS {
        let published = &case(seed).released.published;
        let mut computed = 0;
        for kommun in county::KOMMUNER.map(|kommun| kommun.kod) {
            for year in YEARS {
                let get = |table, code| {
                    published.get(&Key::new(table, kommun, &[(TYP, code)], &year.to_string(), COUNT))
                };
                let (all, one, two) = (get("T01", "TOT"), get("T09", "ansokan"), get("T12", "anmalan"));
                if let (Ok(all), Ok(one), Ok(two)) = (all, one, two) {
                    assert!(!SMALL.contains(&(all - one - two)), "seed {seed}: {kommun} {year}");
                    computed += 1;
                }
            }
        }
        assert_eq!(computed, 50 - 6, "three kommuner in 2022 and three in 2023 cannot be subtracted");
    }
}
