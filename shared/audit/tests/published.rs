//! Published tables with marks: Stockholm's against what is known of them, small cases, and brute force.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use audit::Budget;
use audit::published::attack::{Attack, Outcome, Verdict, attack};
use audit::published::{MarkMeaning, Marks, Publication, PublishedError, read, report};
use proptest::prelude::*;

const TABLES: [(&str, &[u8]); 4] = [
    ("tabell-3-13.csv", include_bytes!("stockholm-2024/tabell-3-13.csv")),
    ("tabell-5-7.csv", include_bytes!("stockholm-2024/tabell-5-7.csv")),
    ("tabell-7-8.csv", include_bytes!("stockholm-2024/tabell-7-8.csv")),
    ("tabell-9-15.csv", include_bytes!("stockholm-2024/tabell-9-15.csv")),
];
const RELATIONS: (&str, &[u8]) = ("relations.csv", include_bytes!("stockholm-2024/relations.csv"));
const EXPECTED: &str = include_str!("stockholm-2024/audit-expected.csv");

fn stockholm(marks: &[&str]) -> (Publication, Attack) {
    let given: Vec<MarkMeaning> = marks.iter().map(|text| text.parse().unwrap()).collect();
    let publication = read::read(&TABLES, RELATIONS, &Marks::with(&given)).unwrap();
    let found = attack(&publication, Budget::default(), &|| false);
    (publication, found)
}

/// A table with header `t;row;c;;value;mark` from `row value-or-mark` lines, and relations `id total term term …`.
fn small(cells: &[(&str, &str)], relations: &[(&str, &[&str])]) -> (String, String) {
    let mut table = "table;row;column;subcolumn;value;mark\n".to_owned();
    for (row, content) in cells {
        let is_value = content.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
        let (value, mark) = if is_value { (*content, "") } else { ("", *content) };
        table.push_str(&format!("t;{row};c;;{value};{mark}\n"));
    }
    let mut text =
        "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n".to_owned();
    for (at, (total, terms)) in relations.iter().enumerate() {
        for term in *terms {
            text.push_str(&format!("t;{at};{total};c;;{term};c;\n"));
        }
    }
    (table, text)
}

fn opened(table: &str, relations: &str) -> Result<Publication, PublishedError> {
    let tables = [("tabell-t.csv", table.as_bytes())];
    read::read(&tables, ("relations.csv", relations.as_bytes()), &Marks::default())
}

fn audited(cells: &[(&str, &str)], relations: &[(&str, &[&str])]) -> (Publication, Attack) {
    let (table, relations) = small(cells, relations);
    let publication = opened(&table, &relations).unwrap();
    let found = attack(&publication, Budget::default(), &|| false);
    (publication, found)
}

fn lines(publication: &Publication, found: &Attack) -> Vec<String> {
    report::list(publication, found).unwrap().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn the_four_stockholm_tables_give_exactly_what_is_expected() {
    let (publication, found) = stockholm(&[]);
    assert_eq!(report::list(&publication, &found).unwrap(), EXPECTED);
    assert_eq!(found.verdict(), Verdict::Computable);
    assert_eq!(found.contradictions, []);
}

#[test]
fn the_summary_says_how_each_stockholm_cell_is_computed() {
    let (publication, found) = stockholm(&[]);
    let text = report::summary(&publication, &found, None);
    println!("{text}");
    for part in [
        "6 går att räkna ut",
        "42 − 36 = 6, är Hässelby-Vällingby (*: 1–3) och Skarpnäck (*: 1–3). Skarpnäck är högst 3, alltså är \
         Hässelby-Vällingby minst 3. Hässelby-Vällingby är högst 3 (*).",
        "59 − 54 = 5, är Kungsholmen (**: minst 4) och Norra Innerstaden (*: 1–3). Norra Innerstaden är minst 1, \
         alltså är Kungsholmen högst 4. Kungsholmen är minst 4 (**).",
        "tabell 9:15, SoL / Antal timmar per månad, Kvinnor (Mv): 10 celler",
        "Slutsats: INTE SÄKER",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
}

#[test]
fn marks_that_cannot_mean_what_is_said_are_named_with_their_block() {
    let (publication, found) = stockholm(&["**=5.."]);
    let rows = lines(&publication, &found);
    assert!(rows.contains(&"5:7;2022, totalt / Placeringar;Kungsholmen;**;;;contradiction".to_owned()), "{rows:?}");
    assert!(rows.contains(&"5:7;2022, totalt / Placeringar;Norra Innerstaden;*;;;contradiction".to_owned()));
    assert_eq!(found.contradictions.len(), 2); // 2022: places and persons; 5 = 5 + 1 cannot be
    assert!(found.contradictions.iter().all(|one| one.relations.len() == 1 && one.is_minimal));
    let text = report::summary(&publication, &found, None);
    assert!(text.contains("Enligt märkena ska de vara tillsammans minst 6."), "{text}");
}
