//! Published tables with marks: Stockholm's against what is known of them, small cases, and brute force.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use audit::Budget;
use audit::published::attack::{Asked, Attack, Outcome, Verdict, attack};
use audit::published::report::Narrowed;
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
    let found = attack(&publication, Asked::default(), &|| false);
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
        "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n"
            .to_owned();
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
    let found = attack(&publication, Asked::default(), &|| false);
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
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
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
    assert!(
        rows.contains(&"5:7;2022, totalt / Placeringar;Kungsholmen;**;;;contradiction".to_owned()),
        "{rows:?}"
    );
    assert!(rows.contains(&"5:7;2022, totalt / Placeringar;Norra Innerstaden;*;;;contradiction".to_owned()));
    assert_eq!(found.contradictions.len(), 2); // 2022: places and persons; 5 = 5 + 1 cannot be
    assert!(found.contradictions.iter().all(|one| one.relations.len() == 1 && one.is_minimal));
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(text.contains("Enligt märkena ska de vara tillsammans minst 6."), "{text}");
}

#[test]
fn a_single_withheld_part_is_computed_and_so_is_a_withheld_total() {
    let (publication, found) = audited(
        &[("a", "*"), ("b", "5"), ("t", "7"), ("c", "2"), ("u", "**")],
        &[("t", &["a", "b"]), ("u", &["b", "c"])],
    );
    assert_eq!(lines(&publication, &found), ["t;c;a;*;2;2;true", "t;c;u;**;7;7;true"]);
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(text.contains("resten, 7 − 5 = 2, är a (*: 1–3). Alltså är a 2."), "{text}");
    assert!(
        text.contains("totalen undertryckt, men alla delar är kända: tillsammans 7. Alltså är u 7."),
        "{text}"
    );
}

#[test]
fn a_cell_is_followed_through_several_relations() {
    // u = a + b gives the withheld subtotal, t = u + c then gives c
    let (publication, found) = audited(
        &[("a", "4"), ("b", "6"), ("u", "**"), ("c", "*"), ("t", "12")],
        &[("t", &["u", "c"]), ("u", &["a", "b"])],
    );
    assert_eq!(lines(&publication, &found), ["t;c;u;**;10;10;true", "t;c;c;*;2;2;true"]);
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(text.contains("u är 10, alltså är c 2."), "{text}");
}

#[test]
fn a_cell_that_only_a_sum_of_relations_gives_is_explained_by_that_sum() {
    // a + b = 5, b + c = 6, a + c = 5: a = (5 + 5 − 6) / 2; no relation alone says so
    let (publication, found) = audited(
        &[("a", "**"), ("b", "**"), ("c", "**"), ("t", "15"), ("u", "16"), ("v", "15")],
        &[("t", &["a", "b"]), ("u", &["b", "c"]), ("v", &["a", "c"])],
    );
    assert_eq!(lines(&publication, &found), ["t;c;a;**;7;7;true", "t;c;b;**;8;8;true", "t;c;c;**;8;8;true"]);
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(text.contains("tar alla andra undertryckta celler ut varandra, och kvar blir 7."), "{text}");
    assert!(text.contains("/2 gånger"), "{text}");
}

#[test]
fn holes_in_an_interval_are_found() {
    // t = a + b and a = b: t is even
    let (publication, found) =
        audited(&[("a", "*"), ("b", "*"), ("t", "**")], &[("t", &["a", "b"]), ("a", &["b"])]);
    let row = found.findings.iter().find(|finding| publication.cells[finding.cell].row == "t").unwrap();
    let expected = Outcome::Interval { lower: 4, upper: Some(6), holes: vec![5] };
    assert!(row.outcome == expected);
    assert!(
        report::summary(&publication, &found, Narrowed::ByMark, &|| false).contains("t (**): 4–6 utom 5")
    );
    assert_eq!(found.verdict(), Verdict::Nothing);
}

#[test]
fn a_cell_without_an_upper_end_has_none() {
    let (publication, found) = audited(&[("a", "**"), ("b", "5"), ("t", "**")], &[("t", &["a", "b"])]);
    assert_eq!(lines(&publication, &found), ["t;c;a;**;4;;false", "t;c;t;**;9;;false"]);
}

#[test]
fn what_the_budget_does_not_reach_is_not_certified_and_never_safe() {
    let (table, relations) = small(&[("a", "*"), ("b", "*"), ("t", "4")], &[("t", &["a", "b"])]);
    let publication = opened(&table, &relations).unwrap();
    let budget = Budget { questions: 0, ..Budget::default() };
    let found = attack(&publication, Asked { budget, ..Asked::default() }, &|| false);
    assert_eq!(lines(&publication, &found), ["t;c;a;*;1;3;not_certified", "t;c;b;*;1;3;not_certified"]);
    assert_eq!(found.verdict(), Verdict::NotCertified);
    let stopped = attack(&publication, Asked::default(), &|| true);
    assert_eq!(stopped.verdict(), Verdict::NotCertified);
    assert_eq!(attack(&publication, Asked::default(), &|| false).verdict(), Verdict::Nothing);
}

#[test]
fn a_contradiction_names_only_the_relations_it_needs_and_spares_other_blocks() {
    // t = a + b = 9 cannot be of two cells of at most 3; u is in the block, v is not
    let (publication, found) = audited(
        &[("a", "*"), ("b", "*"), ("c", "*"), ("t", "9"), ("u", "3"), ("d", "*"), ("e", "4"), ("v", "5")],
        &[("u", &["a", "c"]), ("t", &["a", "b"]), ("v", &["d", "e"])],
    );
    let expected =
        ["t;c;a;*;;;contradiction", "t;c;b;*;;;contradiction", "t;c;c;*;;;contradiction", "t;c;d;*;1;1;true"];
    assert_eq!(lines(&publication, &found), expected);
    assert_eq!(found.contradictions.len(), 1);
    assert_eq!(found.contradictions[0].relations, [1]);
    assert_eq!(found.contradictions[0].cells.len(), 3);
    assert_eq!(found.verdict(), Verdict::Computable); // d
}

#[test]
fn a_contradiction_of_several_relations_is_named_with_all_of_them() {
    // a + b = 4, b + c = 4, a + c = 5: the sum is odd
    let (publication, found) = audited(
        &[("a", "*"), ("b", "*"), ("c", "*"), ("t", "4"), ("u", "4"), ("v", "5")],
        &[("t", &["a", "b"]), ("u", &["b", "c"]), ("v", &["a", "c"])],
    );
    assert_eq!(found.contradictions[0].relations, [0, 1, 2]);
    assert!(found.contradictions[0].is_minimal);
    assert_eq!(found.verdict(), Verdict::NotCertified);
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(text.contains("Inga heltal passar alla dessa samband"), "{text}");
    assert!(text.contains("Blockets 3 undertryckta celler granskas inte."), "{text}");
}

#[test]
fn shown_figures_that_do_not_add_up_are_a_contradiction_without_cells() {
    let (publication, found) = audited(&[("a", "2"), ("b", "5"), ("t", "8")], &[("t", &["a", "b"])]);
    assert_eq!((found.findings.len(), found.contradictions.len()), (0, 1));
    assert_eq!(found.verdict(), Verdict::NotCertified);
    let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
    assert!(
        text.contains("är delarna tillsammans 7, men totalen 8. De visade siffrorna säger emot"),
        "{text}"
    );
}

#[test]
fn cells_without_relations_are_counted_and_not_listed() {
    let (publication, found) =
        audited(&[("a", "*"), ("b", "."), ("c", "10,5"), ("d", "*"), ("e", "3")], &[("e", &["d"])]);
    assert_eq!(lines(&publication, &found), ["t;c;d;*;3;3;true"]);
    assert_eq!(found.unrelated, [0]);
}

#[test]
fn byte_order_mark_line_ends_quotes_and_several_files_of_one_table_are_read() {
    let one = "\u{feff}table;row;column;subcolumn;value;mark\r\nt;\"a;1\";c;;;*\r\n";
    let two = "table;row;column;subcolumn;value;mark\nt;b;c;s;4;\nt;t;c;;6;\n";
    let relations = "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n\
                     t;1;t;c;;\"a;1\";c;\nt;1;t;c;;b;c;s\n";
    let tables = [("1", one.as_bytes()), ("2", two.as_bytes())];
    let publication = read::read(&tables, ("r", relations.as_bytes()), &Marks::default()).unwrap();
    let found = attack(&publication, Asked::default(), &|| false);
    assert_eq!(lines(&publication, &found), ["t;c;\"a;1\";*;2;2;true"]);
}

#[test]
fn bad_input_is_refused_with_file_row_and_column() {
    let head = "table;row;column;subcolumn;value;mark\n";
    let links = "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n";
    let cells = format!("{head}t;a;c;;2;\nt;b;c;;;*\nt;m;c;;10,5;\nt;q;c;;;?\nt;u;c;;9;\n");
    let said = |table: &str, relations: &str| opened(table, relations).unwrap_err().to_string();
    let expected = [
        (said("", links), "tabell-t.csv, row 1: expected the columns table;row;column;subcolumn;value;mark"),
        (
            said("table,row\n", links),
            "tabell-t.csv, row 1: expected the columns table;row;column;subcolumn;value;mark",
        ),
        (said(&format!("{head}t;a;c\n"), links), "tabell-t.csv, row 2: 3 fields; expected 6"),
        (
            said(&format!("{head}\nt;a;c;;1;*\n"), links),
            "tabell-t.csv, row 3, column mark: expected no mark, since there is a value",
        ),
        (
            said(&format!("{head}t;a;c;;;\n"), links),
            "tabell-t.csv, row 2, column value: expected a value, or a mark that says why there is none",
        ),
        (said(&format!("{head}t;;c;;1;\n"), links), "tabell-t.csv, row 2, column row: expected a name"),
        (
            said(&format!("{head}t;a;c;;1;\nt;a;c;;2;\n"), links),
            "tabell-t.csv, row 3: says the same as tabell-t.csv, row 2; expected each once",
        ),
        (
            said(&cells, "table;relation\n"),
            "relations.csv, row 1: expected the columns table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn",
        ),
        (
            said(&cells, &format!("{links}t;1;x;c;;b;c;\n")),
            "relations.csv, row 2, column total_row: names a cell that no table file has",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;x;c;\n")),
            "relations.csv, row 2, column term_row: names a cell that no table file has",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;a;c;\n")),
            "relations.csv, row 2, column term_row: expected a term other than the total",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;b;c;\nt;1;u;c;;b;c;\n")),
            "relations.csv, row 3, column total_row: expected the total that the relation's first row names",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;b;c;\nt;1;a;c;;b;c;\n")),
            "relations.csv, row 3: says the same as relations.csv, row 2; expected each once",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;m;c;\n")),
            "tabell-t.csv, row 4, column value or mark: relations.csv, row 2, adds it up; expected a count, or a mark with a meaning (--mark 'MARK=LOW..HIGH')",
        ),
        (
            said(&cells, &format!("{links}t;1;a;c;;q;c;\n")),
            "tabell-t.csv, row 5, column value or mark: relations.csv, row 2, adds it up; expected a count, or a mark with a meaning (--mark 'MARK=LOW..HIGH')",
        ),
    ];
    for (found, expected) in expected {
        assert_eq!(found, expected);
    }
    let bytes = [("t", &b"table;row;column;subcolumn;value;mark\nt;\xe5;c;;1;\n"[..])];
    let error = read::read(&bytes, ("r", links.as_bytes()), &Marks::default()).unwrap_err();
    assert_eq!(error.to_string(), "t, row 2: expected UTF-8 text with closed quotes");
    let error = read::read(&[], ("r", links.as_bytes()), &Marks::default()).unwrap_err();
    assert_eq!(error.to_string(), "no table file to audit; expected files named tabell-*.csv");
}

#[test]
fn a_mark_of_one_value_is_that_value_and_a_count_too_large_is_no_count() {
    let (table, relations) = small(&[("a", "."), ("b", "*"), ("t", "2")], &[("t", &["a", "b"])]);
    let tables = [("t", table.as_bytes())];
    let marks = Marks::with(&[".=0..0".parse().unwrap()]);
    let publication = read::read(&tables, ("r", relations.as_bytes()), &marks).unwrap();
    let found = attack(&publication, Asked::default(), &|| false);
    assert_eq!(lines(&publication, &found), ["t;c;b;*;2;2;true"]);
    let (table, relations) = small(&[("a", "*"), ("t", "268435457")], &[("t", &["a"])]);
    assert!(matches!(opened(&table, &relations), Err(PublishedError::NoMeaning { .. })));
}

#[test]
fn more_than_the_limits_is_refused() {
    let links = "table;relation;total_row;total_column;total_subcolumn;term_row;term_column;term_subcolumn\n";
    let large = vec![b'a'; audit::published::MAX_BYTES + 1];
    let said = |tables: &[(&str, &[u8])]| {
        read::read(tables, ("r", links.as_bytes()), &Marks::default()).unwrap_err().to_string()
    };
    assert_eq!(said(&[("t", &large)]), "t: more than 67108864 bytes");
    assert_eq!(said(&[("t", &b""[..]); 1_001]), "r: more than 1000 table files");
    let mut text = "table;row;column;subcolumn;value;mark\n".to_owned();
    (0..=audit::published::MAX_CELLS).for_each(|at| text.push_str(&format!("t;{at};c;;1;\n")));
    assert_eq!(said(&[("t", text.as_bytes())]), "t: more than 500000 cells");
}

#[test]
fn the_same_publication_gets_the_same_answer() {
    // SAME-1
    let texts: Vec<String> = (0..3)
        .map(|_| {
            let (publication, found) = stockholm(&["**=5.."]);
            report::summary(&publication, &found, Narrowed::ByMark, &|| false)
        })
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
}

/// Cells: `None` withheld 1..=3, else shown. Relations: total and terms.
type Case = (Vec<Option<u64>>, Vec<(usize, Vec<usize>)>);

fn case() -> impl Strategy<Value = Case> {
    let cells = proptest::collection::vec(prop_oneof![3 => Just(None), 2 => (0u64..7).prop_map(Some)], 7);
    let relation =
        (0usize..7, proptest::collection::btree_set(0usize..7, 1..4)).prop_map(|(total, terms)| {
            (total, terms.into_iter().filter(|term| *term != total).collect::<Vec<_>>())
        });
    let relations = proptest::collection::vec(relation, 1..5)
        .prop_map(|all| all.into_iter().filter(|(_, terms)| !terms.is_empty()).collect::<Vec<_>>());
    (cells, relations)
}

/// The values each withheld cell takes in tables of its block; `None` where no relation holds it.
fn by_brute_force((cells, relations): &Case) -> Vec<Option<std::collections::BTreeSet<u64>>> {
    let mut group: Vec<usize> = (0..cells.len()).collect();
    for (total, terms) in relations {
        let hidden: Vec<usize> =
            terms.iter().chain([total]).copied().filter(|at| cells[*at].is_none()).collect();
        for pair in hidden.windows(2) {
            let (from, to) = (group[pair[1]], group[pair[0]]);
            group.iter_mut().filter(|one| **one == from).for_each(|one| *one = to);
        }
    }
    let mut out: Vec<Option<std::collections::BTreeSet<u64>>> = vec![None; cells.len()];
    for leader in 0..cells.len() {
        let own: Vec<usize> =
            (0..cells.len()).filter(|at| cells[*at].is_none() && group[*at] == leader).collect();
        let touches = |(total, terms): &&(usize, Vec<usize>)| {
            own.contains(total) || terms.iter().any(|at| own.contains(at))
        };
        let rows: Vec<&(usize, Vec<usize>)> = relations.iter().filter(touches).collect();
        if own.is_empty() || rows.is_empty() {
            continue;
        }
        own.iter().for_each(|at| out[*at] = Some(Default::default()));
        for code in 0..3u64.pow(own.len() as u32) {
            let mut point = cells.clone();
            own.iter()
                .enumerate()
                .for_each(|(place, at)| point[*at] = Some(code / 3u64.pow(place as u32) % 3 + 1));
            let sum = |terms: &Vec<usize>| terms.iter().map(|at| point[*at].unwrap()).sum::<u64>();
            if rows.iter().all(|(total, terms)| point[*total] == Some(sum(terms))) {
                own.iter().for_each(|at| {
                    out[*at].as_mut().unwrap().insert(point[*at].unwrap());
                });
            }
        }
    }
    out
}

fn name(at: &usize) -> &'static str {
    ["a", "b", "c", "d", "e", "f", "g"][*at]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// SAFE-1: every interval, hole and contradiction is that of all tables there are.
    #[test]
    fn every_interval_is_that_of_all_possible_tables(case in case()) {
        let (cells, relations) = &case;
        let contents: Vec<String> = cells.iter().map(|cell| cell.map_or("*".into(), |cell| cell.to_string())).collect();
        let rows: Vec<(&str, &str)> = contents.iter().enumerate().map(|(at, text)| (name(&at), text.as_str())).collect();
        let terms: Vec<(&str, Vec<&str>)> =
            relations.iter().map(|(total, terms)| (name(total), terms.iter().map(name).collect())).collect();
        let links: Vec<(&str, &[&str])> = terms.iter().map(|(total, terms)| (*total, terms.as_slice())).collect();
        let (publication, found) = audited(&rows, &links);
        let values = by_brute_force(&case);
        prop_assert_eq!(found.findings.len(), values.iter().flatten().count());
        for finding in &found.findings {
            let all = values[finding.cell].as_ref().unwrap();
            match (&finding.outcome, all.first().zip(all.last())) {
                (Outcome::Contradiction, None) => {}
                (Outcome::Interval { lower, upper, holes }, Some((first, last))) => {
                    prop_assert_eq!((*lower, *upper), (*first, Some(*last)));
                    let missing: Vec<u64> = (*first..*last).filter(|value| !all.contains(value)).collect();
                    prop_assert_eq!(holes, &missing);
                }
                (outcome, ends) => prop_assert!(false, "{outcome:?} {ends:?}"),
            }
        }
        for one in &found.contradictions {
            // what is named contradicts on its own, and no less does
            prop_assert!(one.is_minimal);
            let kept: Vec<_> = one.relations.iter().map(|at| links[*at]).collect();
            prop_assert!(!audited(&rows, &kept).1.contradictions.is_empty());
            for left_out in 0..kept.len() {
                let mut fewer = kept.clone();
                fewer.remove(left_out);
                prop_assert!(audited(&rows, &fewer).1.contradictions.is_empty());
            }
        }
        let text = report::summary(&publication, &found, Narrowed::ByMark, &|| false);
        let computable = found.findings.iter().filter(|finding| finding.outcome.recovered().is_some()).count();
        let expected = format!("{computable} går att räkna ut");
        prop_assert!(text.contains(&expected), "{}", text);
    }
}
