//! The demo collection with figures like Gävleborg's 2024 (T01, T03, T09, T12 as printed, one consistent reading).
#![allow(clippy::unwrap_used)] // helpers of tests may panic

mod common;

use std::time::Instant;

use audit::{Findings, Verdict};
use common::{Case, labels, report};
use tables::figures::Witness;

const UNITS: [&str; 10] = ["2181", "2180", "2182", "2183", "2101", "2161", "2184", "2104", "2121", "2132"];
/// 2024: ansokan, anmalan, yttrande, forfragan, in the order of `UNITS`.
const TYPES: [[u64; 4]; 10] = [
    [201, 192, 31, 1],
    [903, 1376, 75, 91],
    [346, 351, 22, 0],
    [215, 335, 47, 30],
    [87, 121, 22, 10],
    [151, 116, 4, 82],
    [243, 556, 21, 6],
    [58, 71, 39, 59],
    [37, 81, 2, 44],
    [44, 234, 8, 18],
];
/// T01, T09, T12 of 2020 to 2023, in the order of `UNITS`.
const YEARS: [[[u64; 3]; 4]; 10] = [
    [[567, 186, 266], [589, 171, 307], [655, 259, 301], [507, 245, 207]],
    [[2263, 688, 1450], [2250, 667, 1477], [2184, 761, 1310], [2127, 814, 1181]],
    [[820, 244, 545], [755, 266, 468], [953, 285, 653], [680, 255, 414]],
    [[561, 169, 324], [527, 172, 269], [526, 184, 263], [652, 246, 319]],
    [[299, 91, 194], [301, 73, 184], [259, 80, 143], [346, 79, 232]],
    [[434, 123, 231], [328, 109, 153], [411, 129, 198], [396, 117, 200]],
    [[911, 247, 602], [720, 244, 438], [874, 230, 615], [786, 199, 557]],
    [[212, 101, 104], [246, 116, 87], [352, 157, 128], [304, 111, 126]],
    [[172, 93, 47], [163, 77, 45], [146, 43, 62], [180, 56, 72]],
    [[184, 32, 142], [210, 59, 144], [198, 36, 161], [167, 43, 121]],
];
const KINDS: [&str; 4] = ["ansokan", "anmalan", "yttrande", "forfragan"];

/// The `n`th code of a variable, many for the first codes and few for the last.
fn pick<'a>(codes: &[(&'a str, u64)], n: u64) -> &'a str {
    let all: u64 = codes.iter().map(|(_, weight)| weight).sum();
    let mut left = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % all;
    for (code, weight) in codes {
        if left < *weight {
            return code;
        }
        left -= weight;
    }
    unreachable!()
}

fn county() -> Case {
    let mut case = Case::new(include_str!("../../tables/collections/aktualiseringar-vuxna-2024.toml"));
    let mut n = 7u64;
    for (unit, types) in UNITS.iter().zip(TYPES) {
        for (kind, count) in KINDS.iter().zip(types) {
            add(&mut case, unit, 2024, kind, count, &mut n);
        }
    }
    for (unit, years) in UNITS.iter().zip(YEARS) {
        for (year, [all, ansokan, anmalan]) in (2020..).zip(years) {
            add(&mut case, unit, year, "ansokan", ansokan, &mut n);
            add(&mut case, unit, year, "anmalan", anmalan, &mut n);
            let rest = all - ansokan - anmalan;
            add(&mut case, unit, year, "yttrande", rest / 2, &mut n);
            add(&mut case, unit, year, "forfragan", rest - rest / 2, &mut n);
        }
    }
    case
}

/// Detail of a record, spread so that every county cell is plain or zero.
fn add(case: &mut Case, unit: &str, year: i16, kind: &str, count: u64, n: &mut u64) {
    for _ in 0..count {
        *n += 1;
        let kon = pick(&[("man", 11), ("kvinna", 9)], *n);
        let alder = pick(&[("o25", 8), ("u24", 2)], *n / 3);
        let mut codes = vec![("aktualiseringstyp", kind), ("kon", kon), ("aldersgrupp", alder)];
        match kind {
            "ansokan" => {
                codes.push(("sokande", "enskild"));
                codes.push((
                    "orsak_ansokan",
                    pick(&[("missbruk", 6), ("vald_nara", 2), ("stod_ovriga", 5)], *n / 7),
                ));
            }
            "anmalan" => {
                let reasons =
                    [("lob", 3), ("missbruk", 9), ("nedbrytande", 2), ("vald_nara", 4), ("ovrigt", 3)];
                codes.push(("orsak_anmalan", pick(&reasons, *n / 5)));
                let reporters = [("polisen", 9), ("anhorig", 5), ("ovrig_halso_sjukvard", 6), ("ovrigt", 3)];
                codes.push(("anmalare", pick(&reporters, *n / 11)));
                codes.push(("beslut", pick(&[("inleda", 1), ("ej_inleda", 2)], *n / 13)));
            }
            _ => {}
        }
        case.add(unit, year, &codes, 1);
    }
}

const FORFRAGAN: &str = "T03 aktualiseringstyp=forfragan 2024";
const YTTRANDE: &str = "T03 aktualiseringstyp=yttrande 2024";

/// T01 − T09 − T12 of Nordanstig: printed by no table.
fn rest(year: i16) -> String {
    format!("T01 {year} utom T09 {year}, T12 {year} 2132")
}

#[test]
fn the_small_cells_of_the_county_withheld_alone_are_named_with_what_gives_them_away() {
    let mut case = county();
    case.hide_small();
    let start = Instant::now();
    let result = case.certify();
    println!("alone: {:?}, {:?}", start.elapsed(), report(&result));
    let findings = result.unwrap_err();
    for finding in findings.list() {
        println!("{:?} {} {}", finding.verdict, finding.label, finding.explanation);
    }
    let all = labels(&findings);
    for expected in [format!("{FORFRAGAN} 2181"), format!("{YTTRANDE} 2121"), rest(2022), rest(2023)] {
        assert!(all.contains(&expected.as_str()), "{expected} in {all:#?}");
    }
    let rest = findings.list().iter().find(|f| f.label.contains("2132") && f.label.contains("2022")).unwrap();
    assert_eq!(rest.verdict, Verdict::Computable);
    assert!(rest.explanation.contains("T01 2022 2132 − "), "{}", rest.explanation);
    assert!(rest.withhold.iter().all(|candidate| candidate.unit == Some(case.unit("2132"))));
    assert!(!rest.withhold.is_empty());
    assert!(matches!(findings, Findings::Unsafe(_)));
}

/// Withholds a rectangle and returns its witness.
fn rectangle(case: &mut Case, small: (&str, &str), other: (&str, &str)) -> Witness {
    for unit in [small.0, other.0] {
        for label in [small.1, other.1] {
            case.hide(unit, label);
        }
    }
    let atom = |label: &str| case.system.cells[case.cell(label)].unit_atoms.as_ref().unwrap()[0];
    let (unit, across) = (case.unit(small.0) as u32, case.unit(other.0) as u32);
    let (p, q) = (atom(small.1), atom(other.1));
    let mut steps = vec![(unit, p, 1), (unit, q, -1), (across, p, -1), (across, q, 1)];
    steps.sort_unstable();
    Witness { unit, atom: p, steps }
}

/// The rest T01 − T09 − T12 of a year against ansökningar, with another kommun.
fn rest_rectangle(case: &mut Case, year: i16, other: &str) -> Witness {
    let (whole, part) = (format!("T01 {year}"), format!("T09 {year}"));
    let anmalan = format!("T12 {year}");
    let set = |label: &str| case.system.cells[case.cell(label)].unit_atoms.clone().unwrap();
    let used: Vec<u32> = [set(&part), set(&anmalan)].concat();
    let rest = *set(&whole).iter().find(|atom| !used.contains(atom)).unwrap();
    let p = set(&part)[0];
    let (unit, across) = (case.unit("2132") as u32, case.unit(other) as u32);
    for whom in ["2132", other] {
        case.hide(whom, &part);
    }
    let mut steps = vec![(unit, rest, 1), (unit, p, -1), (across, rest, -1), (across, p, 1)];
    steps.sort_unstable();
    Witness { unit, atom: rest, steps }
}

fn protected() -> Case {
    let mut case = county();
    case.hide_small();
    for (small, first) in [(("2181", FORFRAGAN), YTTRANDE), (("2121", YTTRANDE), FORFRAGAN)] {
        for other in ["2180", "2183"] {
            let witness = rectangle(&mut case, small, (other, first));
            case.witnesses.push(witness);
        }
    }
    for year in [2022, 2023] {
        for other in ["2180", "2183"] {
            let witness = rest_rectangle(&mut case, year, other);
            case.witnesses.push(witness);
        }
    }
    case
}

#[test]
fn proper_rectangles_certify_the_county() {
    let case = protected();
    let start = Instant::now();
    let result = case.certify();
    println!("rectangles: {:?}", start.elapsed());
    let release = result.unwrap_or_else(|findings| panic!("{findings:#?}"));
    println!("{:?}", release.report());
    assert!(release.report().certified_by_witness >= 4);
    assert_eq!(release.report().not_certified, 0);
    assert_eq!(release.figures(), &case.figures());
}

#[test]
fn the_same_county_is_certified_by_search_without_witnesses() {
    let mut case = protected();
    case.witnesses.clear();
    let start = Instant::now();
    let result = case.certify();
    println!("search: {:?}", start.elapsed());
    println!("{:?}", result.unwrap_or_else(|findings| panic!("{findings:#?}")).report());
}

const HEDER_MAN: &str = "T11 orsak_anmalan=heder kon=man 2024";

/// One man and twenty women reported for honour-related violence in the whole county, as printed in T11.
fn with_a_small_total(mut case: Case) -> Case {
    for n in 0..21 {
        let kon = if n == 0 { "man" } else { "kvinna" };
        let beslut = if n % 3 == 0 { "inleda" } else { "ej_inleda" };
        let reporter = if n % 2 == 0 { "polisen" } else { "anhorig" };
        let codes = [
            ("aktualiseringstyp", "anmalan"),
            ("kon", kon),
            ("aldersgrupp", if n < 10 { "o25" } else { "u24" }),
            ("orsak_anmalan", "heder"),
            ("anmalare", reporter),
            ("beslut", beslut),
        ];
        case.add("2180", 2024, &codes, 1);
    }
    case.hide_small();
    case
}

#[test]
fn a_small_county_total_alone_is_named() {
    let case = with_a_small_total(protected());
    assert_eq!(case.total(case.cell(HEDER_MAN)), 1);
    let start = Instant::now();
    let findings = case.certify().unwrap_err();
    println!("small total alone: {:?}", start.elapsed());
    for finding in findings.list() {
        println!("{:?} {} {}", finding.verdict, finding.label, finding.explanation);
    }
    assert_eq!(labels(&findings), [format!("{HEDER_MAN} totalt")]);
}

#[test]
fn a_small_county_total_in_a_rectangle_is_certified() {
    let mut case = with_a_small_total(protected());
    for orsak in ["heder", "vald_nara"] {
        for kon in ["man", "kvinna"] {
            case.hide_total(&format!("T11 orsak_anmalan={orsak} kon={kon} 2024"));
        }
    }
    let start = Instant::now();
    let result = case.certify();
    println!("small total protected: {:?}", start.elapsed());
    println!("{:?}", result.unwrap_or_else(|findings| panic!("{findings:#?}")).report());
}
