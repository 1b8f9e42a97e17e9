//! Rows of kommungrupper: what a county has in a group, which nobody prints, is attacked from the files.
#![allow(clippy::unwrap_used)]

use audit::Budget;
use audit::counties::{Asked, CountyRelease, File, GroupRows, Refused, certify};
use audit::published::attack::{self, attack};
use audit::published::strict::{Members, StrictOptions, read};

const REALM: &str = "00";

/// One dimension of two codes and their sum.
fn csv(rows: &[(&str, [&str; 3])]) -> String {
    let mut text = String::from("omrade,kon,tid,matt,varde,status\n");
    for (area, values) in rows {
        let group = if area.starts_with(char::is_alphabetic) { "G:" } else { "" };
        for (code, value) in ["kvinna", "man", "TOT"].iter().zip(values) {
            let (value, status) = if *value == "x" { ("", "x") } else { (*value, "") };
            text.push_str(&format!("{group}{area},{code},2024,aktualiseringar,{value},{status}\n"));
        }
    }
    text
}

fn files(rows: &[(&str, [&str; 3])]) -> Vec<File> {
    vec![("csv/T1.csv".into(), csv(rows).into_bytes())]
}

fn members(groups: &[(&str, &[&str])]) -> Members {
    let counties = |counties: &[&str]| counties.iter().map(|county| county.parse().unwrap()).collect();
    groups.iter().map(|(group, of)| (group.parse().unwrap(), counties(of))).collect()
}

fn is_group(row: &&(&str, [&str; 3])) -> bool {
    row.0.starts_with(char::is_alphabetic)
}

/// What becomes of rows of groups beside rows that are certified.
fn verdict(rows: &[(&str, [&str; 3])], members: &Members) -> Result<CountyRelease, Refused> {
    let certified: Vec<_> = rows.iter().filter(|row| !is_group(row)).copied().collect();
    let counties: Vec<_> = certified.iter().filter(|row| row.0 != REALM).copied().collect();
    let asked = Asked {
        tables: &files(&certified),
        counties: &files(&counties),
        realm: REALM,
        min_count: 4,
        budget: Budget::default(),
    };
    let rows = GroupRows { files: files(rows), members, min_count: 4, budget: Budget::default() };
    certify(&asked).unwrap().with_groups(rows)
}

const ALL: [&str; 3] = ["01", "03", "04"];

fn places(refused: Refused) -> Vec<String> {
    let Refused::Exposed(exposed) = refused else { panic!("{refused}") };
    exposed.iter().map(|exposed| format!("{} {}", exposed.area, exposed.column)).collect()
}

#[test]
fn groups_that_say_nothing_small_of_any_county_are_released() {
    let rows = [
        ("01", ["20", "30", "50"]),
        ("03", ["25", "10", "35"]),
        ("04", ["15", "20", "35"]),
        ("A1", ["30", "25", "55"]),
        ("B2", ["30", "35", "65"]),
        ("00", ["60", "60", "120"]),
    ];
    verdict(&rows, &members(&[("A1", &ALL), ("B2", &ALL)])).unwrap();
}

/// A group takes all but one of what the counties have: what each has in the other is 0 or 1.
#[test]
fn safe_1_what_a_county_has_in_a_group_is_found_where_the_groups_figures_make_it_small() {
    let rows = [
        ("01", ["20", "30", "50"]),
        ("03", ["25", "10", "35"]),
        ("04", ["0", "20", "20"]),
        ("A1", ["44", "25", "69"]),
        ("B2", ["x", "35", "x"]),
        ("00", ["45", "60", "105"]),
    ];
    let found = places(verdict(&rows, &members(&[("A1", &ALL), ("B2", &ALL)])).unwrap_err());
    assert!(found.contains(&"01 i B2 kon=kvinna 2024".to_owned()), "{found:?}");
    assert!(found.contains(&"G:B2 kon=kvinna 2024".to_owned()), "the group's own small figure: {found:?}");
    assert!(!found.iter().any(|place| place.contains("kon=man")), "{found:?}");
}

/// 04 lies in one group alone; the other group's two counties are then known beside it.
#[test]
fn safe_1_a_withheld_county_is_found_where_a_group_of_its_own_gives_it_away() {
    let rows = [
        ("01", ["x", "x", "50"]),
        ("03", ["x", "x", "35"]),
        ("04", ["x", "x", "35"]),
        ("A1", ["57", "28", "85"]),
        ("B2", ["3", "32", "x"]),
        ("00", ["60", "60", "120"]),
    ];
    // a small group's figure is refused at once
    let alone = members(&[("A1", &["01", "03"]), ("B2", &["04"])]);
    assert!(matches!(verdict(&rows, &alone), Err(Refused::Groups(_))));
    let mut hidden = rows;
    hidden[4].1 = ["x", "32", "x"];
    let found = places(verdict(&hidden, &alone).unwrap_err());
    assert!(found.contains(&"04 kon=kvinna 2024".to_owned()), "{found:?}");
}

#[test]
fn groups_that_no_county_could_have_so_are_a_contradiction() {
    let rows = [
        ("01", ["20", "30", "50"]),
        ("03", ["25", "10", "35"]),
        ("04", ["15", "20", "35"]),
        ("A1", ["50", "20", "70"]),
        ("B2", ["10", "40", "50"]),
        ("00", ["60", "60", "120"]),
    ];
    let possible = members(&[("A1", &["01", "03"]), ("B2", &ALL)]);
    assert!(matches!(verdict(&rows, &possible), Err(Refused::Contradiction(_))));
}

#[test]
fn a_file_read_without_its_groups_members_says_what_it_could_not_use() {
    let rows = [
        ("01", ["20", "30", "50"]),
        ("03", ["25", "x", "x"]),
        ("A1", ["45", "x", "x"]),
        ("00", ["45", "x", "x"]),
    ];
    let text = csv(&rows);
    let unused = |members: Members| {
        let options = StrictOptions { members, ..StrictOptions::default() };
        read(&[("T1.csv", text.as_bytes())], &options).unwrap().unused
    };
    assert!(unused(Members::new()).iter().any(|line| line.contains("kommungrupper")));
    assert!(unused(members(&[("B2", &["01", "03"])])).iter().any(|line| line.contains("kommungrupper")));
    assert!(unused(members(&[("A1", &["01", "03"])])).is_empty());
}

/// A county in one group has there what it has; one that shows 0 has 0 in each: neither is anybody's secret.
#[test]
fn what_is_known_of_a_county_in_a_group_and_is_not_small_is_no_finding() {
    let rows = [
        ("01", ["0", "30", "30"]),
        ("03", ["25", "10", "35"]),
        ("04", ["15", "20", "35"]),
        ("A1", ["15", "25", "40"]),
        ("B2", ["25", "35", "60"]),
        ("00", ["40", "60", "100"]),
    ];
    let members = members(&[("A1", &["01", "04"]), ("B2", &["01", "03", "04"])]);
    let text = csv(&rows);
    let options = StrictOptions { members, ..StrictOptions::default() };
    let publication = read(&[("T1.csv", text.as_bytes())], &options).unwrap();
    let found = attack(&publication, attack::Asked::default(), &|| false);
    let known = found.findings.iter().filter(|finding| finding.outcome.recovered().is_some());
    assert_eq!((known.count(), publication.crossed.len()), (0, 10));
}
