//! The demo county: `aktualiseringar-vuxna-2024` over rows that agree with the printed tables of FoU Välfärd
//! Gävleborg (read as one consistent whole; what is printed only as a percentage or not at all is drawn by a
//! fixed generator).

#![allow(clippy::unwrap_used)] // a test

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use suppress::blind::choose;
use suppress::check::check;
use suppress::key::PatternKey;
use suppress::known::{Protected, Settled, Weights, protect_totals};
use suppress::request::lines;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::{FineStatus, MinCount};
use tables::figures::{Figures, Mark, Pattern};
use tables::system::{Counts, System};

const UNITS: [&str; 10] = ["2101", "2104", "2121", "2132", "2161", "2180", "2181", "2182", "2183", "2184"];
/// Ansökan, anmälan and all, 2020 to 2023, in the order of `UNITS`.
const EARLIER: [[[u64; 3]; 4]; 10] = [
    [[93, 47, 172], [77, 45, 163], [43, 62, 146], [56, 72, 180]],
    [[101, 104, 212], [116, 126, 246], [157, 128, 352], [111, 126, 304]],
    [[91, 194, 299], [73, 184, 301], [80, 143, 259], [79, 232, 346]],
    [[32, 142, 184], [59, 144, 210], [36, 161, 198], [43, 121, 167]],
    [[123, 231, 434], [109, 153, 328], [129, 198, 411], [117, 200, 396]],
    [[688, 1450, 2263], [667, 1477, 2250], [761, 1310, 2184], [814, 1181, 2127]],
    [[186, 266, 567], [171, 307, 589], [259, 301, 655], [245, 207, 507]],
    [[244, 545, 820], [266, 468, 755], [285, 653, 953], [255, 414, 680]],
    [[169, 324, 561], [172, 269, 527], [184, 263, 526], [246, 319, 652]],
    [[247, 602, 911], [244, 438, 720], [230, 615, 874], [199, 557, 786]],
];
/// 2024: ansökan, anmälan, yttrande, överflyttning, förfrågan.
const YEAR_2024: [[u64; 5]; 10] = [
    [37, 81, 2, 0, 44],
    [58, 71, 39, 0, 59],
    [87, 121, 22, 0, 10],
    [44, 234, 8, 0, 18],
    [151, 116, 4, 0, 82],
    [903, 1376, 75, 0, 91],
    [201, 192, 31, 0, 1],
    [346, 351, 22, 0, 0],
    [215, 335, 47, 0, 30],
    [243, 556, 21, 0, 6],
];
const TYPES: [&str; 5] = ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan"];

/// A fixed shuffle (xorshift).
fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for at in (1..list.len()).rev() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        list.swap(at, (seed % (at as u64 + 1)) as usize);
    }
}

/// `count` times each value, cut or filled with missing values to `length`, shuffled.
fn dealt<T: Clone>(counts: &[(T, u64)], length: usize, seed: u64) -> Vec<Option<T>> {
    let mut list: Vec<Option<T>> =
        counts.iter().flat_map(|(value, count)| (0..*count).map(|_| Some(value.clone()))).collect();
    list.resize(length, None);
    shuffle(&mut list, seed);
    list
}

type Row = BTreeMap<&'static str, &'static str>;

struct Demo {
    collection: Collection,
    system: System,
    counts: Vec<Counts>,
}

impl Demo {
    fn new() -> Self {
        let book = Codebook::vuxna().unwrap();
        let text = include_str!("../../tables/collections/aktualiseringar-vuxna-2024.toml");
        let collection = Collection::from_toml(text, &book).unwrap();
        let system = System::new(&collection, &book).unwrap();
        let mut counts = vec![system.empty_counts(); UNITS.len()];
        for (unit, year, row) in rows() {
            let mut codes = vec![None; book.variables.len()];
            for (variable, code) in row {
                let at = book.variable_index(variable).unwrap();
                codes[at] = Some(book.variables[at].code_index(code).unwrap());
            }
            system.count(&mut counts[unit], jiff::civil::date(year, 6, 1), &codes);
        }
        Self { collection, system, counts }
    }

    fn statuses(&self) -> Vec<Vec<FineStatus>> {
        let four = MinCount::default();
        self.values().iter().map(|own| own.iter().map(|value| four.status(*value)).collect()).collect()
    }

    fn values(&self) -> Vec<Vec<u64>> {
        self.counts.iter().map(|counts| self.system.unit_values(counts)).collect()
    }

    fn total(&self, cell: usize) -> u64 {
        self.counts.iter().map(|counts| self.system.value(counts, cell)).sum()
    }

    fn pattern(&self) -> Pattern {
        let key = PatternKey::new(&[3; 32]);
        choose(&self.system, &self.collection.units, &self.statuses(), &key, &[]).unwrap()
    }

    fn figures(&self, pattern: &Pattern) -> Figures {
        let own = |(counts, withheld): (&Counts, &BTreeSet<usize>)| {
            let mark = |cell| {
                let value = Mark::Shown(self.system.value(counts, cell));
                (cell, if withheld.contains(&cell) { Mark::Withheld } else { value })
            };
            self.system.per_unit().map(mark).collect()
        };
        let total = |cell| {
            let value = Mark::Shown(self.total(cell));
            (cell, if pattern.closed.contains(&cell) { Mark::Withheld } else { value })
        };
        Figures {
            units: self.collection.units.clone(),
            per_unit: self.counts.iter().zip(&pattern.withheld).map(own).collect(),
            totals: (0..self.system.cells.len()).map(total).collect(),
        }
    }

    fn withheld_by_table(&self, pattern: &Pattern) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for cell in pattern.withheld.iter().flatten() {
            *found.entry(self.system.cells[*cell].label.clone()).or_default() += 1;
        }
        found
    }
}

fn rows() -> Vec<(usize, i16, Row)> {
    let mut all = Vec::new();
    for (at, year) in (2020i16..2024).enumerate() {
        let printed: [[u64; 2]; 4] = [[0, 206], [2, 245], [0, 186], [0, 324]];
        let per = |column: usize| -> Vec<(usize, u64)> {
            EARLIER.iter().enumerate().map(|(unit, years)| (unit, years[at][column])).collect()
        };
        let left = |unit: usize| EARLIER[unit][at][2] - EARLIER[unit][at][0] - EARLIER[unit][at][1];
        let lefts: Vec<(usize, u64)> = (0..10).map(|unit| (unit, left(unit))).collect();
        // T12's kommuner add up to 39 more than its printed total of 2021: yttrande takes what is left.
        let mut types = vec!["yttrande"; lefts.iter().map(|(_, count)| *count as usize).sum()];
        types[..printed[at][0] as usize].fill("overflyttning");
        let end = types.len() - printed[at][1] as usize;
        types[end..].fill("forfragan");
        shuffle(&mut types, 77 + at as u64);
        all.extend(typed(&per(0), year, ansokan(year)));
        all.extend(typed(&per(1), year, anmalan(year)));
        let others = types.into_iter().map(|code| Row::from([("aktualiseringstyp", code)])).collect();
        all.extend(typed(&lefts, year, others));
    }
    for (kind, code) in TYPES.iter().enumerate() {
        let per: Vec<(usize, u64)> =
            YEAR_2024.iter().enumerate().map(|(unit, row)| (unit, row[kind])).collect();
        let count: u64 = per.iter().map(|(_, count)| count).sum();
        let rows = match *code {
            "ansokan" => ansokan(2024),
            "anmalan" => anmalan(2024),
            _ => (0..count).map(|_| Row::from([("aktualiseringstyp", *code)])).collect(),
        };
        all.extend(typed(&per, 2024, rows));
    }
    // Rows of other types that carry the reason övrigt: 65 in T14.
    let mut extra = 0;
    let yttrande = |row: &Row| row["aktualiseringstyp"] == "yttrande";
    for (_, _, row) in all.iter_mut().filter(|(_, year, row)| *year == 2024 && yttrande(row)) {
        if extra < 65 {
            row.insert("orsak_anmalan", "ovrigt");
            row.insert("beslut", if extra < 20 { "inleda" } else { "ej_inleda" });
            extra += 1;
        }
    }
    all
}

fn typed(per_unit: &[(usize, u64)], year: i16, rows: Vec<Row>) -> Vec<(usize, i16, Row)> {
    let units = dealt(per_unit, rows.len(), 5 + year as u64);
    units.into_iter().zip(rows).filter_map(|(unit, row)| Some((unit?, year, row))).collect()
}

fn ansokan(year: i16) -> Vec<Row> {
    let total = [1974, 1954, 2164, 2165, 2285][(year - 2020) as usize];
    let reasons = match year {
        2024 => vec![
            (("missbruk", "man"), 1123),
            (("missbruk", "kvinna"), 506),
            (("vald_nara", "man"), 34),
            (("vald_nara", "kvinna"), 303),
            (("valdsutovare", "man"), 12),
            (("valdsutovare", "kvinna"), 1),
            (("heder", "man"), 4),
            (("heder", "kvinna"), 14),
            (("stod_ovriga", "man"), 159),
            (("stod_ovriga", "kvinna"), 118),
            (("", "man"), 8),
            (("", "kvinna"), 3),
        ],
        2023 => vec![
            (("missbruk", "man"), 975),
            (("missbruk", "kvinna"), 477),
            (("vald_nara", "man"), 30),
            (("vald_nara", "kvinna"), 333),
            (("valdsutovare", "man"), 13),
            (("valdsutovare", "kvinna"), 2),
            (("heder", "man"), 4),
            (("heder", "kvinna"), 13),
            (("stod_ovriga", "man"), 173),
            (("stod_ovriga", "kvinna"), 107),
            (("", "man"), 25),
            (("", "kvinna"), 13),
        ],
        _ => vec![],
    };
    let ages = dealt(&[("u24", 263), ("o25", 2022)], total, 11);
    let applicants = dealt(&[("enskild", if year == 2024 { 2263 } else { 2160 })], total, 12);
    let reasons = dealt(&reasons, total, 13);
    (0..total)
        .map(|at| {
            let mut row = Row::from([("aktualiseringstyp", "ansokan")]);
            if year >= 2023 {
                put(&mut row, "aldersgrupp", ages[at].filter(|_| year == 2024));
                put(&mut row, "sokande", applicants[at]);
                put(&mut row, "orsak_ansokan", reasons[at].map(|pair| pair.0));
                put(&mut row, "kon", reasons[at].map(|pair| pair.1));
            }
            row
        })
        .collect()
}

fn put(row: &mut Row, variable: &'static str, code: Option<&'static str>) {
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        row.insert(variable, code);
    }
}

fn anmalan(year: i16) -> Vec<Row> {
    let total = [3905, 3611, 3834, 3429, 3433][(year - 2020) as usize];
    let reasons = match year {
        2024 => vec![
            (("lob", "man"), 237),
            (("lob", "kvinna"), 85),
            (("missbruk", "man"), 1461),
            (("missbruk", "kvinna"), 884),
            (("nedbrytande", "man"), 65),
            (("nedbrytande", "kvinna"), 84),
            (("vald_nara", "man"), 51),
            (("vald_nara", "kvinna"), 263),
            (("heder", "man"), 1),
            (("heder", "kvinna"), 5),
            (("ovrigt", "man"), 134),
            (("ovrigt", "kvinna"), 155),
            (("", "man"), 6),
            (("", "kvinna"), 2),
        ],
        2023 => vec![
            (("lob", "man"), 259),
            (("lob", "kvinna"), 70),
            (("missbruk", "man"), 1572),
            (("missbruk", "kvinna"), 907),
            (("nedbrytande", "man"), 52),
            (("nedbrytande", "kvinna"), 54),
            (("vald_nara", "man"), 52),
            (("vald_nara", "kvinna"), 238),
            (("heder", "man"), 1),
            (("heder", "kvinna"), 8),
            (("ovrigt", "man"), 117),
            (("ovrigt", "kvinna"), 97),
            (("", "man"), 2),
        ],
        _ => vec![],
    };
    let reporters = [
        ("anhorig", 863),
        ("privatperson", 848),
        ("skola", 14),
        ("vuxenpsykiatrin", 141),
        ("ovrig_halso_sjukvard", 336),
        ("ex_officio", 345),
        ("polisen", 487),
        ("kriminalvarden", 17),
        ("socialpsykiatrin", 27),
        ("aldreomsorg", 21),
        ("bostadsforetag", 51),
        ("ideell_organisation", 6),
        ("annan_kommun", 56),
        ("ovrigt", 211),
    ];
    let ages = dealt(&[("u24", 309), ("o25", 3124)], total, 21);
    let reporters = dealt(&reporters, total, 22);
    let mut reasons = dealt(&reasons, total, 23);
    // Decisions are dealt within each reason: inleda, ej inleda, missing.
    let mut left: BTreeMap<&str, [u64; 2]> = BTreeMap::from([
        ("lob", [60, 250]),
        ("missbruk", [913, 1409]),
        ("nedbrytande", [35, 112]),
        ("vald_nara", [79, 232]),
        ("heder", [5, 1]),
        ("ovrigt", [70, 219]),
    ]);
    if year < 2023 {
        reasons.fill(None);
    }
    (0..total)
        .map(|at| {
            let mut row = Row::from([("aktualiseringstyp", "anmalan")]);
            if year >= 2023 {
                put(&mut row, "aldersgrupp", ages[at].filter(|_| year == 2024));
                put(&mut row, "anmalare", reporters[at]);
                let (reason, sex) = reasons[at].unwrap_or_default();
                put(&mut row, "orsak_anmalan", Some(reason));
                put(&mut row, "kon", Some(sex));
                if let Some(left) = left.get_mut(reason).filter(|_| year == 2024) {
                    let which = usize::from(left[0] == 0);
                    if left[which] > 0 {
                        left[which] -= 1;
                        row.insert("beslut", ["inleda", "ej_inleda"][which]);
                    }
                }
            }
            row
        })
        .collect()
}

#[test]
fn the_rows_agree_with_the_printed_tables() {
    let demo = Demo::new();
    let total = |label: &str| {
        let cell = demo
            .system
            .cells
            .iter()
            .position(|cell| cell.label == label)
            .unwrap_or_else(|| panic!("{label}"));
        demo.total(cell)
    };
    for (label, printed) in [
        ("T01 2021", 6089),
        ("T01 2024", 6330),
        ("T02 aktualiseringstyp=overflyttning 2021", 2),
        ("T08 orsak_ansokan=valdsutovare kon=kvinna 2024", 1),
        ("T08 orsak_ansokan=valdsutovare kon=kvinna 2023", 2),
        ("T11 orsak_anmalan=heder kon=man 2024", 1),
        ("T14 orsak_anmalan=heder beslut=ej_inleda 2024", 1),
        ("T14 orsak_anmalan=TOT beslut=TOT 2024", 3450),
        ("T06 anmalare=TOT 2024", 3423),
    ] {
        assert_eq!(total(label), printed, "{label}");
    }
}

#[test]
fn units_of_the_demo_lose_few_cells_and_every_county_total_is_opened() {
    let demo = Demo::new();
    let started = Instant::now();
    let pattern = demo.pattern();
    println!("choose {:?}", started.elapsed());
    assert_eq!(check(&demo.system, &demo.collection.units, &demo.statuses(), &pattern), []);
    let found = demo.withheld_by_table(&pattern);
    println!("withheld {found:?}; {} witnesses", pattern.witnesses.len());
    assert!(pattern.closed.is_empty());
    let of = |prefix: &str| {
        found.iter().filter(|(label, _)| label.ends_with(prefix)).map(|(_, n)| n).sum::<usize>()
    };
    assert_eq!(of("2024"), 2 + 6, "two small cells, six secondary");
    assert_eq!((of("2020"), of("2021"), of("2022"), of("2023")), (0, 0, 3, 3), "{found:?}");
    assert!(found.keys().all(|label| !label.starts_with("T01")), "no kommun's total is withheld");
}

#[test]
fn no_kommun_of_the_demo_needs_to_ask_for_more() {
    let demo = Demo::new();
    let pattern = demo.pattern();
    for (unit, own) in demo.values().iter().enumerate() {
        let asked = lines(&demo.system, MinCount::default(), &pattern.withheld[unit], own);
        assert!(asked.is_empty(), "{} asks in {asked:?}", demo.collection.units[unit]);
    }
}

fn protect(demo: &Demo) -> Protected {
    let figures = demo.figures(&demo.pattern());
    let weights = Weights::default();
    let (statuses, none) = (demo.statuses(), Settled::default());
    protect_totals(&demo.system, &figures, &statuses, MinCount::default(), weights, &BTreeSet::new(), &none)
        .unwrap()
}

#[test]
fn county_totals_of_the_demo_keep_their_range() {
    let demo = Demo::new();
    let started = Instant::now();
    let protected = protect(&demo);
    println!("protect_totals {:?}", started.elapsed());
    assert_eq!(protected.unprotected, []);
    let secondary = |table: &str, year: &str| -> Vec<String> {
        let labels = protected.secondary.iter().map(|cell| demo.system.cells[*cell].label.clone());
        labels.filter(|label| label.starts_with(table) && label.ends_with(year)).collect()
    };
    assert_eq!(secondary("T02", "2021").len(), 1, "one partner for överflyttning");
    assert_eq!(secondary("T14", "2024").len(), 3, "a rectangle");
    for (table, most) in [("T08", 1), ("T11", 3)] {
        for year in ["2023", "2024"] {
            let found = secondary(table, year);
            assert!((1..=most).contains(&found.len()), "{found:?}");
        }
    }
    for table in ["T01", "T03", "T04", "T05", "T06", "T07", "T09", "T10", "T12"] {
        assert_eq!(secondary(table, "").len(), 0, "{table}");
    }
    assert!(
        protected.secondary.iter().all(|cell| !demo.system.cells[*cell].label.contains("TOT")),
        "no margin"
    );
}

#[test]
fn county_protection_touches_no_unit_and_shows_no_small_total() {
    let demo = Demo::new();
    let before = demo.figures(&demo.pattern());
    let after = protect(&demo).figures;
    assert_eq!(before.per_unit, after.per_unit);
    for (cell, mark) in &after.totals {
        assert!(
            *mark == Mark::Withheld || *mark == before.totals[cell],
            "a total may be withheld, nothing else"
        );
        let is_count = demo.system.cells[*cell].is_count;
        assert!(!is_count || !mark.shown().is_some_and(|value| (1..4).contains(&value)));
        assert!(demo.total(*cell) > 0 || *mark == Mark::Shown(0), "zeros are published");
    }
}

#[test]
fn the_demo_gives_the_same_pattern_and_totals_again() {
    let (one, two) = (Demo::new(), Demo::new());
    assert_eq!(one.pattern(), two.pattern());
    assert_eq!(protect(&one).figures, protect(&two).figures);
}
