//! `sdc protect` with several tables, groups, rules and earlier publications, and `sdc audit` of what it wrote.

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::path::Path;
use std::process::{Command, Output};

const AREAS: [&str; 5] = ["2101", "2104", "2121", "2132", "2161"];
const AGES: [&str; 3] = ["a1", "a2", "a3"];
const REASONS: [&str; 4] = ["r1", "r2", "r3", "r4"];

/// How many records: uneven, some kinds rare.
fn records(area: usize, sex: usize, age: usize, reason: usize) -> u64 {
    let state = (area * 31 + sex * 17 + age * 7 + reason * 3 + 11) as u64;
    let draw = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 40;
    if draw.is_multiple_of(3) { draw % 11 } else { draw % 2 }
}

/// A table by sex and age, one by sex and reason, and one by age of reason r1 only.
fn write_tables(folder: &Path) {
    let sum = |parts: &mut dyn Iterator<Item = u64>| parts.sum::<u64>();
    let mut ages = String::from("omrade,kon,alder,tid,matt,varde\n");
    let mut reasons = String::from("omrade,kon,orsak,tid,matt,varde\n");
    let mut filter = String::from("omrade,alder,orsak,tid,matt,varde\n");
    for (a, area) in AREAS.iter().enumerate() {
        for (s, sex) in ["k", "m"].iter().enumerate() {
            for (g, age) in AGES.iter().enumerate() {
                let count = sum(&mut (0..4).map(|r| records(a, s, g, r)));
                ages.push_str(&format!("{area},{sex},{age},2024,aktualiseringar,{count}\n"));
            }
            for (r, reason) in REASONS.iter().enumerate() {
                let count = sum(&mut (0..3).map(|g| records(a, s, g, r)));
                reasons.push_str(&format!("{area},{sex},{reason},2024,aktualiseringar,{count}\n"));
            }
        }
        for (g, age) in AGES.iter().enumerate() {
            let count = sum(&mut (0..2).map(|s| records(a, s, g, 0)));
            filter.push_str(&format!("{area},{age},r1,2024,aktualiseringar,{count}\n"));
        }
    }
    for (name, text) in [("ages.csv", ages), ("reasons.csv", reasons), ("filter.csv", filter)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(
        folder.join("groups.csv"),
        "dimension,grupp,del\nalder,unga,a1\nalder,unga,a2\norsak,halv,r1\norsak,halv,r2\n",
    )
    .unwrap();
    std::fs::create_dir_all(folder.join("out")).unwrap();
}

fn sdc(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sdc"));
    command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_tables(folder.path());
    folder
}

fn rows(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_string).collect()).collect()
}

#[test]
fn linked_filtered_and_grouped_tables_are_protected_together_and_hold_against_the_audit() {
    let folder = made();
    let at = folder.path();
    let protect = sdc(
        at,
        "protect ages.csv reasons.csv filter.csv --hierarchy groups.csv --insider --out out --report r.json",
    );
    assert!(protect.status.success(), "{}", said(&protect));
    let audit = sdc(
        at,
        "audit --hierarchy groups.csv --out list.csv --strict out/ages.csv out/reasons.csv out/filter.csv",
    );
    assert_eq!(audit.status.code(), Some(0), "{}", String::from_utf8_lossy(&audit.stdout));
    // Groups and margins are there, the filter has its code only, and shared cells say the same.
    let (ages, reasons) = (rows(at, "out/ages.csv"), rows(at, "out/reasons.csv"));
    assert_eq!(ages.len(), 6 * 3 * 5);
    assert_eq!(reasons.len(), 6 * 3 * 6);
    assert_eq!(rows(at, "out/filter.csv").len(), 6 * 5);
    let mut shared = 0;
    for row in ages.iter().filter(|row| row[2] == "TOT") {
        let other = reasons.iter().find(|other| other[..2] == row[..2] && other[2] == "TOT").unwrap();
        assert_eq!(other[3..], row[3..]);
        shared += 1;
    }
    assert_eq!(shared, 18);
    let listed = std::fs::read_to_string(at.join("list.csv")).unwrap();
    assert!(listed.lines().count() > 10 && !listed.contains(";true"));
}

#[test]
fn the_order_of_files_rows_and_groups_changes_nothing() {
    let folder = made();
    let at = folder.path();
    assert!(sdc(at, "protect ages.csv reasons.csv --hierarchy groups.csv --out out").status.success());
    let first = [rows(at, "out/ages.csv"), rows(at, "out/reasons.csv")];
    for name in ["ages.csv", "groups.csv"] {
        let text = std::fs::read_to_string(at.join(name)).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        std::fs::write(at.join(name), lines.join("\n") + "\n").unwrap();
    }
    assert!(sdc(at, "protect reasons.csv ages.csv --hierarchy groups.csv --out out").status.success());
    assert_eq!(first, [rows(at, "out/ages.csv"), rows(at, "out/reasons.csv")]);
}

#[test]
fn a_table_that_was_published_before_stays_as_it_was_when_another_is_linked_to_it() {
    let folder = made();
    let at = folder.path();
    assert!(sdc(at, "protect ages.csv --insider --out before.csv").status.success());
    let protect = sdc(at, "protect ages.csv reasons.csv --insider --published before.csv --out out");
    assert!(protect.status.success(), "{}", said(&protect));
    assert_eq!(rows(at, "before.csv"), rows(at, "out/ages.csv"));
    let audit = sdc(at, "audit --strict out/ages.csv out/reasons.csv");
    assert_eq!(audit.status.code(), Some(0), "{}", said(&audit));
}

#[test]
fn rules_are_kept_and_those_that_cannot_be_end_with_one() {
    let folder = made();
    let at = folder.path();
    assert!(sdc(at, "protect reasons.csv --out plain.csv").status.success());
    let plain = rows(at, "plain.csv");
    let secondary = plain.iter().find(|row| {
        row[4] == "aktualiseringar" && row[6] == "x" && {
            let truth = rows(at, "reasons.csv");
            truth.iter().any(|own| own[..3] == row[..3] && own[5].parse::<u64>().unwrap() >= 4)
        }
    });
    let secondary = secondary.expect("some plain cell is withheld");
    std::fs::write(
        at.join("rules.csv"),
        format!(
            "omrade,kon,orsak,regel,vikt\n{},visa,\n*,TOT,*,,20\n2101,TOT,r2,dolj,\n",
            secondary[..3].join(",")
        ),
    )
    .unwrap();
    let protect = sdc(at, "protect reasons.csv --rules rules.csv --out ruled.csv");
    assert!(protect.status.success(), "{}", said(&protect));
    let ruled = rows(at, "ruled.csv");
    let of = |codes: &[String]| ruled.iter().find(|row| row[..3] == *codes).unwrap()[6].clone();
    assert_eq!(of(&secondary[..3]), "");
    assert_eq!(of(&["2101".to_string(), "TOT".to_string(), "r2".to_string()]), "x");
    // Everything but the small cells shown: nobody can be protected.
    std::fs::write(at.join("rules.csv"), "omrade,kon,orsak,regel,vikt\n*,*,*,visa,\n").unwrap();
    let refused = sdc(at, "protect reasons.csv --rules rules.csv --out none.csv");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("a rule cannot be kept"), "{}", said(&refused));
    assert!(!at.join("none.csv").exists());
}

#[test]
fn what_does_not_go_together_is_refused_by_file_and_row() {
    let folder = made();
    let at = folder.path();
    let cases = [
        ("g.csv", "dimension,grupp\nalder,u\n", "--hierarchy g.csv", "g.csv, row 1, column 3: expected del"),
        (
            "g.csv",
            "dimension,grupp,del\nstad,u,a1\n",
            "--hierarchy g.csv",
            "g.csv, row 2: no table has a dimension stad",
        ),
        (
            "g.csv",
            "dimension,grupp,del\nalder,u,a9\n",
            "--hierarchy g.csv",
            "g.csv, row 2: no table has the code",
        ),
        (
            "g.csv",
            "dimension,grupp,del\nalder,u,v\nalder,v,u\n",
            "--hierarchy g.csv",
            "g.csv, row 2: a group that is, through its parts, part of itself",
        ),
        (
            "g.csv",
            "dimension,grupp,del\nalder,u,a1\nalder,v,u\nalder,v,a1\n",
            "--hierarchy g.csv",
            "g.csv, row 3: parts of a group of alder that overlap",
        ),
        (
            "r.csv",
            "alder,regel,vikt\na1,goem,\n",
            "--rules r.csv",
            "r.csv, row 2, column regel: expected visa, dolj",
        ),
        (
            "r.csv",
            "alder,regel,vikt\na1,,0\n",
            "--rules r.csv",
            "r.csv, row 2, column vikt: expected a whole number",
        ),
        (
            "r.csv",
            "alder,regel,vikt\na7,visa,\n",
            "--rules r.csv",
            "r.csv, row 2: no table has that code in alder",
        ),
        (
            "p.csv",
            "omrade,kon,alder,tid,matt,varde,status\n00,TOT,TOT,2024,aktualiseringar,1,\n",
            "--published p.csv",
            "p.csv, row 2: another count than the tables have",
        ),
    ];
    for (name, text, option, expected) in cases {
        std::fs::write(at.join(name), text).unwrap();
        let refused = sdc(at, &format!("protect ages.csv {option} --out o.csv"));
        assert_eq!(refused.status.code(), Some(4), "{expected}");
        assert!(said(&refused).contains(expected), "{} / {expected}", said(&refused));
        assert!(!at.join("o.csv").exists());
    }
    let text = std::fs::read_to_string(at.join("reasons.csv")).unwrap();
    std::fs::write(at.join("less.csv"), text.replace(",m,", ",q,")).unwrap();
    let refused = sdc(at, "protect ages.csv less.csv --out out");
    assert!(said(&refused).contains("dimension kon lacks"), "{}", said(&refused));
    let one = text.lines().nth(1).unwrap();
    let more = format!("{}9", one);
    std::fs::write(at.join("more.csv"), text.replacen(one, &more, 1)).unwrap();
    let refused = sdc(at, "protect ages.csv more.csv --out out");
    assert_eq!(refused.status.code(), Some(4));
    assert!(said(&refused).contains("adds up to another count"), "{}", said(&refused));
    let refused = sdc(at, "protect ages.csv reasons.csv --out file.csv");
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert_eq!(sdc(at, "protect ages.csv --group stad --out o.csv").status.code(), Some(2));
    assert_eq!(sdc(at, "protect ages.csv --range 5..2 --out o.csv").status.code(), Some(2));
}

#[test]
fn every_promise_that_can_be_asked_for_is_proved_and_written() {
    let folder = made();
    for option in [
        "--range exact",
        "--range 1..6",
        "--zeros",
        "--singleton",
        "--group orsak",
        "--min-count 5 --insider",
    ] {
        let protect =
            sdc(folder.path(), &format!("protect reasons.csv {option} --out o.csv --report r.json"));
        assert!(protect.status.success(), "{option}: {}", said(&protect));
        let report = std::fs::read_to_string(folder.path().join("r.json")).unwrap();
        assert_eq!(report.contains("\"safe_1\": true"), !option.contains("range"), "{option}");
    }
}

#[test]
fn the_audit_finds_a_small_rest_between_a_table_and_its_filter() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let head = "omrade,alder,tid,matt,varde,status\n";
    let all = "2101,a1,2024,aktualiseringar,9,\n2101,TOT,2024,aktualiseringar,9,\n";
    std::fs::write(at.join("all.csv"), format!("{head}{all}")).unwrap();
    let filter = "omrade,alder,orsak,tid,matt,varde,status\n2101,a1,r1,2024,aktualiseringar,7,\n2101,TOT,r1,2024,aktualiseringar,7,\n";
    std::fs::write(at.join("filter.csv"), filter).unwrap();
    let audit = sdc(at, "audit --strict all.csv filter.csv");
    assert_eq!(audit.status.code(), Some(1), "{}", said(&audit));
    assert!(said(&audit).contains("utom"), "{}", said(&audit));
}

#[test]
fn an_audit_with_the_counts_asks_for_every_small_cell_and_every_kommun() {
    let folder = made();
    let at = folder.path();
    let files = "--strict out/ages.csv out/reasons.csv --truth ages.csv reasons.csv --insider --out list.csv";
    assert!(sdc(at, "protect ages.csv reasons.csv --insider --out out").status.success());
    let audit = sdc(at, &format!("audit {files}"));
    let summary = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert_eq!(audit.status.code(), Some(0), "{summary}{}", said(&audit));
    assert!(summary.contains("SAFE-1 och SAFE-2 håller."), "{summary}");
    // SAFE-3: what others could compute who know more is told, and asked for by name.
    for (adversary, code) in [("lasare", 0), ("marken", 1), ("samordnare", 0)] {
        let told = sdc(at, &format!("audit {files} --adversary {adversary}"));
        assert_eq!(told.status.code(), Some(code), "{adversary}: {}", said(&told));
    }
    // SAFE-1, SAFE-2: an oversight of whoever edits the file by hand is found.
    let text = std::fs::read_to_string(at.join("out/ages.csv")).unwrap();
    let truth: Vec<Vec<String>> = rows(at, "ages.csv");
    let mut opened = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let own = truth.iter().find(|own| own[..3] == fields[..3]);
            match own.filter(|own| fields[6] == "x" && own[5].parse::<u64>().unwrap() >= 4) {
                Some(own) => {
                    opened += 1;
                    format!("{},{},", fields[..5].join(","), own[5])
                }
                None => line.to_owned(),
            }
        })
        .collect();
    assert!(opened > 0);
    std::fs::write(at.join("out/ages.csv"), lines.join("\n") + "\n").unwrap();
    let audit = sdc(at, &format!("audit {files}"));
    let summary = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert_eq!(audit.status.code(), Some(1), "{summary}");
    assert!(summary.contains("HÅLLER INTE"), "{summary}");
}

#[test]
fn an_audit_refuses_counts_that_do_not_belong_to_the_tables() {
    let folder = made();
    let at = folder.path();
    assert!(sdc(at, "protect ages.csv reasons.csv --out out").status.success());
    let refused = sdc(at, "audit --strict out/ages.csv out/reasons.csv --truth ages.csv");
    assert_eq!(refused.status.code(), Some(4));
    assert!(said(&refused).contains("1 files; expected 2"), "{}", said(&refused));
    let refused = sdc(at, "audit --strict out/ages.csv --truth reasons.csv");
    assert_eq!(refused.status.code(), Some(4));
    assert!(said(&refused).contains("no count for this withheld cell"), "{}", said(&refused));
    assert_eq!(sdc(at, "audit --strict out/ages.csv --insider").status.code(), Some(2));
}
