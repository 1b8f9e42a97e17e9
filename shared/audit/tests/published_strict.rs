//! Strict table files as their readers attack them.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use audit::Budget;
use audit::published::attack::{Asked, Attack, Verdict, attack};
use audit::published::protection::{InsidersAsked, protection};
use audit::published::report::Narrowed;
use audit::published::strict::{StrictOptions, read};
use audit::published::truth::Truth;
use audit::published::{Publication, report};

fn audited(files: &[(&str, &str)], not_sums: &[&str]) -> (Publication, Attack) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let not_sums = not_sums.iter().map(|text| text.to_string()).collect();
    let options = StrictOptions { not_sums, ..StrictOptions::default() };
    let publication = read(&files, &options).unwrap();
    let found = attack(&publication, Asked::default(), &|| false);
    (publication, found)
}

fn audited_below(files: &[(&str, &str)], min_count: u64) -> (Publication, Attack) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let publication = read(&files, &StrictOptions { min_count, ..StrictOptions::default() }).unwrap();
    let found = attack(&publication, Asked::default(), &|| false);
    (publication, found)
}

fn lines((publication, found): &(Publication, Attack)) -> Vec<String> {
    report::list(publication, found).unwrap().lines().skip(1).map(str::to_owned).collect()
}

/// A file of one dimension `typ`: rows `omrade code content`, content a count or a status.
fn one(rows: &[(&str, &str, &str)]) -> String {
    file(
        "omrade,typ",
        rows.iter().map(|(area, code, content)| (format!("{area},{code},2024,aktualiseringar"), *content)),
    )
}

fn file<'a>(head: &str, rows: impl Iterator<Item = (String, &'a str)>) -> String {
    let mut text = format!("{head},tid,matt,varde,status\n");
    for (key, content) in rows {
        let is_value = content.parse::<i64>().is_ok();
        let (value, status) = if is_value { (content, "") } else { ("", content) };
        text.push_str(&format!("{key},{value},{status}\n"));
    }
    text
}

#[test]
fn one_and_one_alone_in_a_line_are_computed_from_the_margin() {
    let text = one(&[("2180", "a", "x"), ("2180", "b", "x"), ("2180", "c", "0"), ("2180", "TOT", "2")]);
    let found = audited(&[("T.csv", &text)], &[]);
    assert_eq!(lines(&found), ["T.csv;typ=a 2024;2180;x;1;1;true", "T.csv;typ=b 2024;2180;x;1;1;true"]);
    let text = report::summary(&found.0, &found.1, Narrowed::Below(4), &|| false);
    assert!(text.contains("T.csv 2180 TOT 2024 över typ"), "{text}");
}

#[test]
fn a_rectangle_hides_its_corners() {
    let text = one(&[
        ("2180", "a", "x"),
        ("2180", "b", "x"),
        ("2180", "TOT", "12"),
        ("2181", "a", "x"),
        ("2181", "b", "x"),
        ("2181", "TOT", "20"),
        ("21", "a", "16"),
        ("21", "b", "16"),
        ("21", "TOT", "32"),
    ]);
    let found = audited(&[("T.csv", &text)], &[]);
    assert_eq!(found.1.verdict(), Verdict::Nothing);
    assert_eq!(lines(&found)[0], "T.csv;typ=a 2024;2180;x;1;11;false");
}

#[test]
fn a_county_is_the_sum_of_the_units_that_delivered_and_a_kommun_of_its_sub_units() {
    let text = one(&[
        ("2180-01", "a", "3"),
        ("2180-02", "a", "4"),
        ("2180", "a", "x"),
        ("2181", "a", ".."),
        ("2182", "a", "x"),
        ("21", "a", "9"),
        ("00", "a", "x"),
    ]);
    let found = audited(&[("T.csv", &text)], &[]);
    let expected = [
        "T.csv;typ=a 2024;2180;x;7;7;true",
        "T.csv;typ=a 2024;2182;x;2;2;true",
        "T.csv;typ=a 2024;00;x;9;9;true",
    ];
    assert_eq!(lines(&found), expected);
}

#[test]
fn sub_units_without_their_kommun_add_up_to_the_county() {
    let text = one(&[("2180-01", "a", "3"), ("2180-02", "a", "x"), ("2181", "a", "4"), ("21", "a", "9")]);
    assert_eq!(lines(&audited(&[("T.csv", &text)], &[])), ["T.csv;typ=a 2024;2180-02;x;2;2;true"]);
}

#[test]
fn another_table_gives_a_withheld_partner_away() {
    let one_text = one(&[("2180", "a", "x"), ("2180", "b", "x"), ("2180", "c", "5"), ("2180", "TOT", "14")]);
    let other = file(
        "omrade,typ,kon",
        [("a,m", "3"), ("a,k", "3"), ("a,TOT", "6"), ("c,m", "1"), ("c,k", "4"), ("c,TOT", "5")]
            .into_iter()
            .map(|(codes, content)| (format!("2180,{codes},2024,aktualiseringar"), content)),
    );
    let alone = audited(&[("T1.csv", &one_text)], &[]);
    assert_eq!(alone.1.verdict(), Verdict::Nothing);
    let both = audited(&[("T1.csv", &one_text), ("T2.csv", &other)], &[]);
    assert_eq!(lines(&both), ["T1.csv;typ=a 2024;2180;x;6;6;true", "T1.csv;typ=b 2024;2180;x;3;3;true"]);
}

#[test]
fn tables_that_differ_anywhere_are_not_linked_and_that_is_said() {
    let one_text = one(&[("2180", "a", "x"), ("2180", "b", "x"), ("2180", "c", "5"), ("2180", "TOT", "14")]);
    let other = file(
        "omrade,typ,kon",
        [("a,m", "3"), ("a,k", "3"), ("a,TOT", "6"), ("c,m", "1"), ("c,k", "3"), ("c,TOT", "4")]
            .into_iter()
            .map(|(codes, content)| (format!("2180,{codes},2024,aktualiseringar"), content)),
    );
    let both = audited(&[("T1.csv", &one_text), ("T2.csv", &other)], &[]);
    assert_eq!(both.1.verdict(), Verdict::Nothing);
    assert!(
        report::summary(&both.0, &both.1, Narrowed::Below(4), &|| false).contains("där kopplas de inte ihop")
    );
}

#[test]
fn a_filter_column_of_several_codes_is_no_dimension_left_out() {
    // T2 counts a and b of typ only (constant TOT): its rows are not those of T1
    let one_text = one(&[("2180", "a", "9"), ("2180", "b", "x"), ("2180", "c", "x"), ("2180", "TOT", "14")]);
    let of = |head: &str, codes: &str| {
        file(
            head,
            [("m", "2"), ("k", "10"), ("TOT", "12")]
                .into_iter()
                .map(|(code, content)| (format!("2180,{}{code},2024,aktualiseringar", codes), content)),
        )
    };
    let filtered = of("omrade,typ,kon", "TOT,");
    let both = audited(&[("T1.csv", &one_text), ("T2.csv", &filtered)], &[]);
    assert_eq!(both.1.contradictions, []);
    assert!(!report::summary(&both.0, &both.1, Narrowed::Below(4), &|| false).contains("kopplas inte ihop"));
    let unfiltered = of("omrade,kon", "");
    let both = audited(&[("T1.csv", &one_text), ("T2.csv", &unfiltered)], &[]);
    assert!(both.0.notes.is_empty() && both.1.contradictions.is_empty()); // nothing of T2 is withheld or tells of T1
}

#[test]
fn periods_are_independent() {
    let text = file(
        "omrade,typ",
        [
            ("a,2023", "x"),
            ("b,2023", "x"),
            ("TOT,2023", "9"),
            ("a,2024", "x"),
            ("b,2024", "x"),
            ("TOT,2024", "2"),
        ]
        .into_iter()
        .map(|(key, content)| (format!("2180,{key},aktualiseringar"), content)),
    );
    let found = audited(&[("T.csv", &text)], &[]);
    let expected = [
        "T.csv;typ=a 2023;2180;x;1;8;false",
        "T.csv;typ=b 2023;2180;x;1;8;false",
        "T.csv;typ=a 2024;2180;x;1;1;true",
        "T.csv;typ=b 2024;2180;x;1;1;true",
    ];
    assert_eq!(lines(&found), expected);
}

#[test]
fn persons_and_overlapping_categories_give_inequalities_only() {
    let rows = |matt: &'static str, x: &'static str| {
        [("a", x), ("b", "4"), ("TOT", "6")]
            .into_iter()
            .map(move |(code, content)| (format!("2180,{code},2024,{matt}"), content))
    };
    let persons = file("omrade,typ", rows("personer", "x"));
    assert_eq!(lines(&audited(&[("T.csv", &persons)], &[])), ["T.csv;typ=a 2024 personer;2180;x;2;6;false"]);
    let events = file("omrade,typ", rows("aktualiseringar", "x"));
    assert_eq!(lines(&audited(&[("T.csv", &events)], &[])), ["T.csv;typ=a 2024;2180;x;2;2;true"]);
    assert_eq!(lines(&audited(&[("T.csv", &events)], &["typ"])), ["T.csv;typ=a 2024;2180;x;2;6;false"]);
}

#[test]
fn persons_are_no_more_than_events() {
    let rows = [("personer", "x"), ("aktualiseringar", "1")].into_iter();
    let text = file("omrade,typ", rows.map(|(matt, content)| (format!("2180,a,2024,{matt}"), content)));
    assert_eq!(lines(&audited(&[("T.csv", &text)], &[])), ["T.csv;typ=a 2024 personer;2180;x;1;1;true"]);
}

#[test]
fn what_a_kommun_computes_and_what_is_narrowed_is_explained() {
    let counts = [("2101", [1, 9]), ("2104", [2, 5])];
    let mut rows: Vec<(String, &str)> = Vec::new();
    let mut placed = Vec::new();
    for (area, counts) in counts {
        for (code, count) in ["a", "b"].into_iter().zip(counts) {
            rows.push((format!("{area},{code},2024,aktualiseringar"), "x"));
            let column = format!("typ={code} 2024");
            placed.push((("T.csv".to_owned(), area.to_owned(), column), count));
        }
    }
    for (code, content) in [("a", "3"), ("b", "14")] {
        rows.push((format!("21,{code},2024,aktualiseringar"), content));
    }
    let (publication, found) = audited(&[("T.csv", &file("omrade,typ", rows.into_iter()))], &[]);
    let truth = Truth::of(&publication, placed.into_iter()).unwrap();
    let asked = InsidersAsked { budget: Budget::default(), done: None, abort: &|| false };
    let protected = protection((&publication, &publication), &found, &truth, 4, Some(asked));
    let text = report::protection(&publication, (&found, &protected), &truth, 4, &|| false);
    let narrowed = "tabell T.csv, typ=a 2024, 2101\n    I T.csv 21 typ=a 2024 över områden ska 3 delas av 2101 \
                    (x: minst 1) och 2104 (x: minst 1). 2104 är minst 1, alltså är 2101 högst 2.";
    assert!(text.contains(narrowed), "{text}");
    let insider = "tabell T.csv, typ=a 2024, 2104, av 2101\n    I T.csv 21 typ=a 2024 över områden är totalen 3 och de \
                   visade och egna delarna tillsammans 1; resten, 3 − 1 = 2, är 2104 (x: minst 1). Alltså är 2104 2.";
    assert!(text.contains(insider), "{text}");
}

/// Kind by sex without totals over sex, beside kind alone.
fn beside_its_parts(whole_of_b: &str) -> (Publication, Attack) {
    let own = |code: &str| format!("2180,{code},2024,aktualiseringar");
    let whole = [("a", "10"), ("b", whole_of_b), ("TOT", "40")];
    let parts = [("a,k", "8"), ("a,m", "x"), ("b,k", "9"), ("b,m", "11")];
    let whole = file("omrade,typ", whole.into_iter().map(|(code, content)| (own(code), content)));
    let parts = file("omrade,typ,kon", parts.into_iter().map(|(code, content)| (own(code), content)));
    audited(&[("W.csv", &whole), ("N.csv", &parts)], &[])
}

#[test]
fn a_file_without_totals_is_set_against_the_file_that_has_them() {
    let found = beside_its_parts("20");
    assert_eq!(lines(&found), ["N.csv;typ=a kon=m 2024;2180;x;2;2;true"]);
    let text = report::summary(&found.0, &found.1, Narrowed::Below(4), &|| false);
    assert!(text.contains("med delarna i N.csv är totalen 10 och de visade delarna tillsammans 8"), "{text}");
    // one record of b has no sex: those of a may have none either
    assert_eq!(lines(&beside_its_parts("21")), ["N.csv;typ=a kon=m 2024;2180;x;1;2;false"]);
}

#[test]
fn kommuner_in_one_file_add_up_to_the_county_in_another() {
    let rows = |of: &[(&'static str, &'static str)]| {
        file(
            "omrade,typ",
            of.iter().copied().map(|(key, content)| (format!("{key},2024,aktualiseringar"), content)),
        )
    };
    let county = rows(&[("21,a", "10"), ("21,b", "20")]);
    let kommuner = rows(&[("2101,a", "7"), ("2104,a", "x"), ("2101,b", "12"), ("2104,b", "8")]);
    let found = audited(&[("C.csv", &county), ("K.csv", &kommuner)], &[]);
    assert_eq!(lines(&found), ["K.csv;typ=a 2024;2104;x;3;3;true"]);
}

#[test]
fn persons_of_a_file_without_totals_are_each_no_more_than_the_whole() {
    let rows = |name: &str, of: &[(&'static str, &'static str)]| {
        file(name, of.iter().copied().map(|(key, content)| (format!("2180,{key},2024,personer"), content)))
    };
    let whole = rows("omrade,typ", &[("a", "2")]);
    let parts = rows("omrade,typ,kon", &[("a,k", "x"), ("a,m", "x")]);
    let found = audited(&[("W.csv", &whole), ("N.csv", &parts)], &[]);
    let expected = [
        "N.csv;typ=a kon=k 2024 personer;2180;x;1;2;false",
        "N.csv;typ=a kon=m 2024 personer;2180;x;1;2;false",
    ];
    assert_eq!(lines(&found), expected);
}

fn percentages(shares: [&str; 3]) -> String {
    let counts = ["x", "x", "20"];
    let clear = ["5", "15", "20"];
    let clear_shares = ["25", "75", "100"];
    let mut rows = Vec::new();
    for (area, counts, shares) in [("2180", counts, shares), ("2181", clear, clear_shares)] {
        for (at, code) in ["a", "b", "TOT"].into_iter().enumerate() {
            rows.push((format!("{area},{code},2024,aktualiseringar"), counts[at]));
            rows.push((format!("{area},{code},2024,procent_rad"), shares[at]));
        }
    }
    file("omrade,typ", rows.into_iter())
}

#[test]
fn a_shown_percentage_pins_its_numerator() {
    let found = audited(&[("T.csv", &percentages(["10", "x", "100"]))], &[]);
    assert_eq!(lines(&found)[0], "T.csv;typ=a 2024;2180;x;2;2;true");
    let text = report::summary(&found.0, &found.1, Narrowed::Below(4), &|| false);
    assert!(text.contains("är typ=a 2024 10 procent, avrundat, av TOT 2024"), "{text}");
    let safe = audited(&[("T.csv", &percentages(["x", "x", "100"]))], &[]);
    assert_eq!(safe.1.verdict(), Verdict::Nothing);
}

#[test]
fn a_percentage_whose_base_is_unknown_is_not_passed_over() {
    // both dimensions could be the base, and nothing shown tells which
    let rows = [("a,m", "x"), ("a,TOT", "x"), ("TOT,m", "x"), ("TOT,TOT", "x")];
    let mut all: Vec<(String, &str)> =
        rows.map(|(codes, content)| (format!("2180,{codes},2024,aktualiseringar"), content)).into();
    all.push(("2180,a,m,2024,procent_rad".into(), "10"));
    let found = audited(&[("T.csv", &file("omrade,typ,kon", all.into_iter()))], &[]);
    assert_eq!(found.0.unused.len(), 1);
    assert_ne!(found.1.verdict(), Verdict::Nothing);
}

#[test]
fn shown_changes_and_groups_that_could_tell_are_not_passed_over() {
    let mut rows: Vec<(String, &str)> = vec![
        ("2180,a,2023,aktualiseringar".into(), "10"),
        ("2180,a,2024,aktualiseringar".into(), "x"),
        ("2180,a,2024,forandring_2023".into(), "-70"),
    ];
    let found = audited(&[("T.csv", &file("omrade,typ", rows.clone().into_iter()))], &[]);
    assert_eq!(found.0.unused, ["T.csv: 1 visade förändringar av undertryckta antal"]);
    assert_eq!(found.1.verdict(), Verdict::NotCertified);
    rows.pop();
    rows.push(("G:A1,a,2023,aktualiseringar".into(), "10"));
    rows.push(("G:A1,a,2024,aktualiseringar".into(), "12"));
    let found = audited(&[("T.csv", &file("omrade,typ", rows.into_iter()))], &[]);
    assert_eq!((found.0.unused.len(), found.1.verdict()), (1, Verdict::NotCertified));
}

#[test]
fn values_under_min_count_that_can_be_excluded_are_listed() {
    // 4 in two cells: each 1 to 3, all of 1..4; 3 in two cells: 3 is excluded
    let text = one(&[("2180", "a", "x"), ("2180", "b", "x"), ("2180", "TOT", "4")]);
    let found = audited(&[("T.csv", &text)], &[]);
    assert!(!report::summary(&found.0, &found.1, Narrowed::Below(4), &|| false).contains("går att utesluta"));
    let text = one(&[("2180", "a", "x"), ("2180", "b", "x"), ("2180", "TOT", "3")]);
    let found = audited(&[("T.csv", &text)], &[]);
    let text = report::summary(&found.0, &found.1, Narrowed::Below(4), &|| false);
    assert!(text.contains("Värden under 4 som går att utesluta") && text.contains("(x): 1–2"), "{text}");
    assert_eq!(found.1.verdict(), Verdict::Nothing);
}

#[test]
fn a_broken_strict_file_is_refused() {
    let files = [("T.csv", &b"omrade,typ,tid,matt,varde,status\n2180,a,2024,aktualiseringar,,\n"[..])];
    let error = read(&files, &StrictOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("T.csv, row 2, column varde"), "{error}");
    assert!(read(&[], &StrictOptions::default()).is_err());
}

#[test]
fn two_issues_that_differ_by_one_late_kommun_give_it_away() {
    let issue = |late: [&str; 2], total: [&str; 2]| {
        let row = |area: &str, code: &str, content: &str| {
            (format!("{area},{code},2024,aktualiseringar"), content.to_owned())
        };
        let mut rows = Vec::new();
        for (area, [a, b]) in [("2101", ["x", "9"]), ("2104", ["x", "8"]), ("2121", late), ("21", total)] {
            rows.push(row(area, "a", a));
            rows.push(row(area, "b", b));
        }
        file("omrade,typ", rows.iter().map(|(key, content)| (key.clone(), content.as_str())))
    };
    let first = issue(["..", ".."], ["11", "17"]);
    let second = issue(["x", "7"], ["14", "24"]);
    for alone in [&first, &second] {
        assert_eq!(audited(&[("T.csv", alone)], &[]).1.verdict(), Verdict::Nothing);
    }
    let both = audited(&[("v1.csv", &first), ("v2.csv", &second)], &[]);
    assert!(lines(&both).contains(&"v2.csv;typ=a 2024;2121;x;3;3;true".to_owned()));
    assert!(
        report::summary(&both.0, &both.1, Narrowed::Below(4), &|| false)
            .contains("två utgåvor av samma tabell")
    );
    // a corrected kommun is another unknown: nothing follows of it
    let corrected = issue(["x", "7"], ["14", "25"])
        .replace("2104,b,2024,aktualiseringar,8", "2104,b,2024,aktualiseringar,9");
    let both = audited(&[("v1.csv", &first), ("v2.csv", &corrected)], &[]);
    assert_eq!(
        both.1.verdict(),
        Verdict::Nothing,
        "{}",
        report::summary(&both.0, &both.1, Narrowed::Below(4), &|| false)
    );
}

#[test]
fn a_half_year_and_the_year_that_contains_it_give_the_other_half_away() {
    let period = |tid: &str, a: &str, b: &str, total: &str| {
        let rows = [("a", a), ("b", b), ("TOT", total)]
            .map(|(code, content)| (format!("2180,{code},{tid},aktualiseringar"), content.to_owned()));
        file("omrade,typ", rows.iter().map(|(key, content)| (key.clone(), content.as_str())))
    };
    // the halves hide a against b, and so does the year; the three together do not
    let year = period("2024", "12", "14", "26");
    let first = period("2024H1", "10", "5", "15");
    let second = period("2024H2", "x", "x", "11");
    let both = audited(&[("halvar2.csv", &second)], &[]);
    assert_eq!(both.1.verdict(), Verdict::Nothing);
    let three = audited(&[("ar.csv", &year), ("halvar1.csv", &first), ("halvar2.csv", &second)], &[]);
    assert!(
        lines(&three).contains(&"halvar2.csv;typ=a 2024H2;2180;x;2;2;true".to_owned()),
        "{:?}",
        lines(&three)
    );
    // a half that was never published is a small rest
    let two = audited_below(&[("ar.csv", &year), ("halvar1.csv", &first)], 4);
    assert!(
        lines(&two).iter().any(|line| line.contains("utom 1 kortare perioder") && line.ends_with("2;2;true")),
        "{:?}",
        lines(&two)
    );
    // other records: said, and not joined
    let other = period("2024H1", "13", "5", "18");
    let not = audited(&[("ar.csv", &year), ("halvar1.csv", &other), ("halvar2.csv", &second)], &[]);
    assert_eq!(not.1.verdict(), Verdict::Nothing);
    assert!(not.0.notes.iter().any(|note| note.contains("kortare perioder ger inte")));
}

/// Rows `period content` of one kommun, no dimension.
fn over_periods(rows: &[(&str, &str)]) -> String {
    file("omrade", rows.iter().map(|(tid, content)| (format!("2180,{tid},aktualiseringar"), *content)))
}

fn has(found: &(Publication, Attack), end: &str) -> bool {
    lines(found).iter().any(|line| line.ends_with(end))
}

#[test]
fn quarters_and_halves_are_put_together_as_far_as_they_are_there() {
    let mixed = over_periods(&[("2024", "20"), ("2024H1", "9"), ("2024K3", "8"), ("2024K4", "x")]);
    assert!(has(&audited(&[("p.csv", &mixed)], &[]), "2024K4;2180;x;3;3;true"));
    let missing = over_periods(&[("2024", "10"), ("2024K1", "9"), ("2024K2", "x")]);
    assert!(has(&audited(&[("p.csv", &missing)], &[]), "2024K2;2180;x;1;1;true"));
    let not_delivered =
        over_periods(&[("2024", "20"), ("2024K1", "9"), ("2024K2", ".."), ("2024K3", "8"), ("2024K4", "x")]);
    assert!(has(&audited(&[("q.csv", &not_delivered)], &[]), "2024K4;2180;x;1;3;false"));
}

#[test]
fn another_issue_of_a_half_year_takes_no_finding_away() {
    let row = |a: &str, b: &str, tid: &str| {
        let rows = [("a", a), ("b", b)]
            .map(|(code, content)| (format!("2180,{code},{tid},aktualiseringar"), content.to_owned()));
        file("omrade,typ", rows.iter().map(|(key, content)| (key.clone(), content.as_str())))
    };
    let (year, second, first) = (row("20", "20", "2024"), row("11", "18", "2024H2"), row("9", "x", "2024H1"));
    let two = audited(&[("h1.csv", &first), ("h2.csv", &second), ("y.csv", &year)], &[]);
    assert!(has(&two, "typ=b 2024H1;2180;x;2;2;true"));
    let earlier = row("8", "x", "2024H1");
    let three =
        audited(&[("h0.csv", &earlier), ("h1.csv", &first), ("h2.csv", &second), ("y.csv", &year)], &[]);
    assert_ne!(three.1.verdict(), Verdict::Nothing, "{:?}", lines(&three));
}

#[test]
fn a_late_kommun_is_given_away_by_kommuner_that_show_nothing() {
    let issue = |late: [&str; 2], total: [&str; 2]| {
        let areas = [("2101", ["x", "x"]), ("2180", ["x", "x"]), ("2121", late), ("21", total)];
        let rows: Vec<(String, String)> = areas
            .iter()
            .flat_map(|(area, [a, b])| {
                [
                    (format!("{area},a,2024,aktualiseringar"), (*a).to_owned()),
                    (format!("{area},b,2024,aktualiseringar"), (*b).to_owned()),
                ]
            })
            .collect();
        file("omrade,typ", rows.iter().map(|(key, content)| (key.clone(), content.as_str())))
    };
    let both = audited(
        &[("w1.csv", &issue(["..", ".."], ["20", "30"])), ("w2.csv", &issue(["x", "x"], ["22", "42"]))],
        &[],
    );
    assert!(has(&both, "typ=a 2024;2121;x;2;2;true"), "{:?}", lines(&both));
}

#[test]
fn a_county_without_a_row_of_its_own_still_counts_in_the_realm() {
    let rows = [("00", "20"), ("21", "x"), ("2101", "x"), ("2180", "x"), ("0980", "8")];
    let text =
        file("omrade", rows.iter().map(|(area, content)| (format!("{area},2024,aktualiseringar"), *content)));
    assert!(has(&audited(&[("g.csv", &text)], &[]), ";21;x;12;12;true"));
}

#[test]
fn a_kommun_with_bortfall_does_not_hide_what_two_tables_say_of_another() {
    let row = |codes: &str, content: &str| (format!("{codes},2024,aktualiseringar"), content.to_owned());
    let table = |head: &str, rows: Vec<(String, String)>| {
        file(head, rows.iter().map(|(key, content)| (key.clone(), content.as_str())))
    };
    let typ = table(
        "omrade,typ",
        vec![
            row("2101,a", "x"),
            row("2101,b", "9"),
            row("2101,TOT", "x"),
            row("2121,a", "5"),
            row("2121,b", "7"),
            row("2121,TOT", "12"),
        ],
    );
    let kon = table(
        "omrade,kon",
        vec![
            row("2101,k", "5"),
            row("2101,m", "6"),
            row("2101,TOT", "11"),
            row("2121,k", "5"),
            row("2121,m", "5"),
            row("2121,TOT", "10"),
        ],
    );
    // 2101 shares nothing shown: nobody knows that its tables count the same records
    let unsure = audited(&[("typ.csv", &typ), ("kon.csv", &kon)], &[]);
    assert_eq!((unsure.1.verdict(), unsure.0.unused.len()), (Verdict::NotCertified, 1));
    let wider = |kon: &str, extra: &[(&str, &str)]| {
        let mut text = kon.to_owned();
        for (key, content) in extra {
            text.push_str(&format!("{key},2025,aktualiseringar,{content},\n"));
        }
        text
    };
    let extra = [("2101,TOT", "30"), ("2121,TOT", "31")];
    let typ = wider(
        &typ,
        &[&extra[..], &[("2101,a", "10"), ("2101,b", "20"), ("2121,a", "11"), ("2121,b", "20")]].concat(),
    );
    let kon = wider(
        &kon,
        &[&extra[..], &[("2101,k", "10"), ("2101,m", "20"), ("2121,k", "11"), ("2121,m", "20")]].concat(),
    );
    let both = audited(&[("typ.csv", &typ), ("kon.csv", &kon)], &[]);
    assert!(has(&both, "typ=a 2024;2101;x;2;2;true"), "{:?}", lines(&both));
}
