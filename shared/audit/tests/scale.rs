//! A county with many more small cells than the demo: the work stays bounded and every place is settled.

#![allow(clippy::unwrap_used)] // helpers of tests may panic

mod common;

use std::time::Instant;

use audit::Findings;
use common::{Case, document, report, table};

#[test]
fn twelve_kommuner_with_a_fifth_of_their_cells_small_are_settled() {
    let units: Vec<String> = (0..12).map(|n| format!("21{n:02}")).collect();
    let names: Vec<&str> = units.iter().map(String::as_str).collect();
    let dimensions = ["aktualiseringstyp", "kon", "aldersgrupp"];
    let tables = table("T01", "kommun", &dimensions, "");
    let mut case = Case::new(&document(&names, &["2024"], &tables));
    let mut state = 11u64;
    for unit in &units {
        for typ in ["ansokan", "anmalan", "yttrande", "forfragan"] {
            for kon in ["man", "kvinna"] {
                for alder in ["u24", "o25"] {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let draw = state >> 33;
                    let times = if draw.is_multiple_of(5) { 1 + draw / 5 % 3 } else { 4 + draw / 5 % 60 };
                    let codes = [("aktualiseringstyp", typ), ("kon", kon), ("aldersgrupp", alder)];
                    case.add(unit, 2024, &codes, times);
                }
            }
        }
    }
    case.hide_small();
    let start = Instant::now();
    let alone = case.certify();
    println!("alone: {:?} {:?}", start.elapsed(), report(&alone));
    assert!(matches!(alone, Err(Findings::Unsafe(_))));
    // every finest cell of every kommun withheld, margins shown: what a clumsy suppressor would do
    let finest: Vec<usize> =
        case.system.per_unit().filter(|cell| case.system.cells[*cell].atoms.len() == 1).collect();
    for unit in 0..units.len() {
        let some: Vec<usize> = finest.iter().copied().filter(|cell| case.value(unit, *cell) > 0).collect();
        case.hidden[unit].extend(some);
    }
    let start = Instant::now();
    let clumsy = case.certify();
    println!("clumsy: {:?} {:?}", start.elapsed(), report(&clumsy));
    assert_eq!(report(&clumsy).not_certified, 0);
}
