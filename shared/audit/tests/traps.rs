//! The typical traps of disclosure control, each by hand: the audit names the cell and what gives it away.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

mod common;

use std::collections::BTreeMap;

use audit::{Broken, Budget, EarlierCell, EarlierIssue, Finding, Findings, InputError, Verdict};
use common::{Case, document, labels, report, table};
use tables::figures::{Mark, Witness};

const UNITS: [&str; 5] = ["2101", "2104", "2121", "2132", "2161"];
const KINDS: [&str; 3] = ["ansokan", "anmalan", "yttrande"];
const FILTER: &str = "filter = { aktualiseringstyp = [\"ansokan\", \"anmalan\", \"yttrande\"] }";

fn kind(code: &str) -> String {
    format!("T01 aktualiseringstyp={code} 2024")
}

/// Five kommuner with T01 by type per kommun, plain everywhere but as given for 2101.
fn county(first: [u64; 3], more: &str) -> Case {
    let tables = table("T01", "kommun", &["aktualiseringstyp"], FILTER) + more;
    let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
    for unit in UNITS {
        let counts = if unit == "2101" { first } else { [20, 30, 40] };
        for (code, count) in KINDS.iter().zip(counts) {
            case.add(unit, 2024, &[("aktualiseringstyp", code), ("kon", "man")], count);
        }
    }
    case
}

fn finding<'a>(findings: &'a Findings, label: &str) -> &'a Finding {
    let found = findings.list().iter().find(|finding| finding.label == label);
    found.unwrap_or_else(|| panic!("{label} not in {:?}", labels(findings)))
}

fn witness(case: &Case, small: (&str, &str), other: (&str, &str)) -> Witness {
    let atom = |label: &str| case.system.cells[case.cell(label)].unit_atoms.as_ref().unwrap()[0];
    let (unit, across) = (case.unit(small.0) as u32, case.unit(other.0) as u32);
    let (p, q) = (atom(small.1), atom(other.1));
    let mut steps = vec![(unit, p, 1), (unit, q, -1), (across, p, -1), (across, q, 1)];
    steps.sort_unstable();
    Witness { unit, atom: p, steps }
}

/// 2101 has 2 anmälningar, protected by rectangles with ansökningar through the given kommuner.
fn protected(others: &[&str]) -> Case {
    let mut case = county([10, 2, 10], "");
    for unit in ["2101"].iter().chain(others) {
        case.hide(unit, &kind("ansokan"));
        case.hide(unit, &kind("anmalan"));
    }
    for other in others {
        let made = witness(&case, ("2101", &kind("anmalan")), (other, &kind("ansokan")));
        case.witnesses.push(made);
    }
    case
}

#[test]
fn one_and_one_alone_in_a_line_are_computed() {
    let mut case = county([10, 1, 1], "");
    case.hide_small();
    let findings = case.certify().unwrap_err();
    for code in ["anmalan", "yttrande"] {
        assert_eq!(finding(&findings, &format!("{} 2101", kind(code))).broken, Broken::Safe1);
    }
}

#[test]
fn a_single_withheld_cell_in_a_line_follows_from_the_line() {
    let mut case = county([10, 2, 10], "");
    case.hide_small();
    case.hide_total(&kind("anmalan"));
    case.hide_total(&kind("ansokan"));
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, &format!("{} 2101", kind("anmalan")));
    assert_eq!(found.verdict, Verdict::Computable);
    let why = "följer av T01 aktualiseringstyp=TOT 2024 2101 − T01 aktualiseringstyp=ansokan 2024 2101 − \
               T01 aktualiseringstyp=yttrande 2024 2101";
    assert_eq!(found.explanation, why);
    assert_eq!(found.withhold.len(), 3, "each of the three shown cells could be withheld");
}

#[test]
fn a_partner_fixed_by_another_table_is_no_partner() {
    let other = "filter = { aktualiseringstyp = [\"ansokan\", \"yttrande\"] }";
    let mut case = county([10, 2, 10], &table("T02", "kommun", &[], other));
    for unit in ["2101", "2104"] {
        case.hide(unit, &kind("anmalan"));
        case.hide(unit, &kind("yttrande"));
    }
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, &format!("{} 2101", kind("anmalan")));
    assert!(found.explanation.contains("T02 2024 2101"), "{}", found.explanation);
}

#[test]
fn the_grand_total_gives_back_a_cell_its_unit_total_and_its_county_total() {
    let mut case = county([10, 2, 10], "");
    case.hide("2101", &kind("anmalan"));
    case.hide("2101", &kind("TOT"));
    case.hide_total(&kind("anmalan"));
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, &format!("{} 2101", kind("anmalan")));
    assert!(found.explanation.contains("T01 aktualiseringstyp=TOT 2024 totalt"), "{}", found.explanation);
}

#[test]
fn one_margin_more_withheld_by_a_node_is_given_back_by_the_grand_total() {
    let mut case = county([10, 2, 10], "");
    case.hide("2101", &kind("anmalan"));
    case.hide("2101", &kind("TOT"));
    assert_eq!(case.certify().unwrap_err().list()[0].verdict, Verdict::Computable);
}

#[test]
fn a_difference_no_table_prints_is_a_cell() {
    let known = "filter = { aktualiseringstyp = [\"*\"] }";
    let tables = table("T01", "kommun", &[], known)
        + &table("T09", "kommun", &[], "filter = { aktualiseringstyp = [\"ansokan\"] }")
        + &table("T12", "kommun", &[], "filter = { aktualiseringstyp = [\"anmalan\"] }");
    let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
    for unit in UNITS {
        case.add(unit, 2024, &[("aktualiseringstyp", "ansokan")], 30);
        case.add(unit, 2024, &[("aktualiseringstyp", "anmalan")], 40);
        let rest = if unit == "2132" { 1 } else { 12 };
        case.add(unit, 2024, &[("aktualiseringstyp", "yttrande")], rest);
    }
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, "T01 2024 utom T09 2024, T12 2024 2132");
    assert_eq!(found.explanation, "följer av T01 2024 2132 − T09 2024 2132 − T12 2024 2132");
    assert_eq!(found.verdict, Verdict::Computable);
}

#[test]
fn a_difference_of_two_free_parts_is_a_cell_of_its_own() {
    let of = |codes: &str| format!("filter = {{ aktualiseringstyp = [{codes}] }}");
    let tables = table("T01", "kommun", &[], &of("\"*\""))
        + &table("T09", "kommun", &[], &of("\"ansokan\""))
        + &table("T10", "kommun", &[], &of("\"ansokan\", \"anmalan\""));
    let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
    for unit in UNITS {
        let (anmalan, yttrande) = if unit == "2101" { (1, 2) } else { (30, 40) };
        for (code, count) in KINDS.iter().zip([20, anmalan, yttrande]) {
            case.add(unit, 2024, &[("aktualiseringstyp", code)], count);
        }
        case.hide(unit, "T10 2024");
    }
    // each part alone can be 1, 2 or 3; together they are 3
    let findings = case.certify().unwrap_err();
    assert_eq!(labels(&findings), ["T01 2024 utom T09 2024 2101"]);
    assert_eq!(findings.list()[0].explanation, "följer av T01 2024 2101 − T09 2024 2101");
}

#[test]
fn a_witness_that_would_empty_a_withheld_margin_is_not_believed() {
    let mut case = protected(&["2104", "2121"]);
    for witness in &mut case.witnesses {
        let (unit, atom) = (witness.unit, witness.atom);
        let other = witness.steps.iter().find(|step| step.0 == unit && step.1 != atom).unwrap().1;
        witness.steps.retain(|step| step.1 != other);
    }
    let result = case.certify();
    assert_eq!(
        report(&result).certified_by_witness,
        0,
        "the line totals are shown: half a rectangle moves them"
    );
}

#[test]
fn a_witness_that_would_take_from_an_unprinted_zero_is_not_believed() {
    let tables = table("T01", "kommun", &[], "filter = { aktualiseringstyp = [\"*\"] }")
        + &table("T09", "kommun", &[], "filter = { aktualiseringstyp = [\"ansokan\"] }");
    for (rest, believed) in [(0, 0), (3, 0), (4, 1)] {
        let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
        for unit in UNITS {
            let other = if unit == "2101" {
                2
            } else if unit == "2104" {
                rest
            } else {
                40
            };
            case.add(unit, 2024, &[("aktualiseringstyp", "ansokan")], 20);
            case.add(unit, 2024, &[("aktualiseringstyp", "yttrande")], other);
            case.hide(unit, "T09 2024");
        }
        let ansokan = case.system.cells[case.cell("T09 2024")].unit_atoms.clone().unwrap()[0];
        let all = case.system.cells[case.cell("T01 2024")].unit_atoms.clone().unwrap();
        let atom = *all.iter().find(|atom| **atom != ansokan).unwrap();
        let (unit, across) = (case.unit("2101") as u32, case.unit("2104") as u32);
        let mut steps = vec![(unit, atom, 1), (unit, ansokan, -1), (across, atom, -1), (across, ansokan, 1)];
        steps.sort_unstable();
        case.witnesses = vec![Witness { unit, atom, steps }];
        assert_eq!(report(&case.certify()).certified_by_witness, believed, "a rest of {rest}");
    }
}

#[test]
fn a_total_scope_table_gives_away_the_only_kommun_with_anything_in_it() {
    let split = "filter = { aktualiseringstyp = [\"yttrande\"] }";
    let mut case = county([10, 10, 3], &table("T02", "total", &["kon"], split));
    for unit in &UNITS[1..] {
        let at = case.unit(unit);
        case.counts[at] = case.system.empty_counts();
        case.add(unit, 2024, &[("aktualiseringstyp", "ansokan"), ("kon", "man")], 20);
        case.add(unit, 2024, &[("aktualiseringstyp", "anmalan"), ("kon", "man")], 20);
    }
    for code in ["yttrande", "anmalan"] {
        case.hide("2101", &kind(code));
        case.hide_total(&kind(code));
    }
    for unit in &UNITS[1..3] {
        case.hide(unit, &kind("anmalan"));
        case.hide(unit, &kind("TOT"));
    }
    case.hide("2101", &kind("TOT"));
    case.hide_total(&kind("TOT"));
    // T02 still prints the men: all three of them
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, &format!("{} 2101", kind("yttrande")));
    assert!(found.explanation.contains("T02 kon=man 2024 totalt"), "{}", found.explanation);
}

#[test]
fn a_year_given_per_half_year_elsewhere_gives_the_withheld_half() {
    let halves = "tider = [\"2024H1\", \"2024H2\"]\nfilter = { aktualiseringstyp = [\"ansokan\"] }";
    let year = "filter = { aktualiseringstyp = [\"ansokan\"] }";
    let tables = table("T01", "total", &[], year) + &table("T02", "total", &[], halves);
    let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
    for (month, unit, times) in [("03", "2101", 7), ("04", "2104", 9), ("10", "2101", 2)] {
        let at = case.unit(unit);
        let mut row = vec![None; case.book.variables.len()];
        let variable = case.book.variable_index("aktualiseringstyp").unwrap();
        row[variable] = case.book.variables[variable].code_index("ansokan");
        let date = format!("2024-{month}-01").parse().unwrap();
        (0..times).for_each(|_| case.system.count(&mut case.counts[at], date, &row));
    }
    case.hide_small();
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, "T02 2024H2 totalt");
    assert_eq!(found.verdict, Verdict::Computable);
    assert_eq!(found.explanation, "följer av T01 2024 totalt − T02 2024H1 totalt");
}

#[test]
fn a_row_in_which_everything_falls_in_one_small_group_is_seen_in_its_total() {
    let mut case = county([0, 2, 0], "");
    case.hide("2101", &kind("anmalan"));
    case.hide_total(&kind("anmalan"));
    let findings = case.certify().unwrap_err();
    assert_eq!(finding(&findings, &format!("{} 2101", kind("TOT"))).verdict, Verdict::Computable);
}

#[test]
fn rectangles_through_two_kommuner_are_certified() {
    let release = protected(&["2104", "2121"]).certify().unwrap();
    assert_eq!(release.report().certified_by_witness, 1);
    assert_eq!(release.report().insider_pairs, 4);
}

#[test]
fn through_one_kommun_only_that_kommun_computes_the_cell() {
    let findings = protected(&["2104"]).certify().unwrap_err();
    let broken: Vec<Broken> = findings.list().iter().map(|finding| finding.broken).collect();
    assert_eq!(broken, [Broken::Safe2("2104".parse().unwrap())]);
}

#[test]
fn stadsdelar_of_one_kommun_are_one_insider() {
    let units = ["2101", "2180-01", "2180-02", "2121", "2161"];
    let tables = table("T01", "kommun", &["aktualiseringstyp"], FILTER);
    let mut case = Case::new(&document(&units, &["2024"], &tables));
    for unit in units {
        let anmalan = if unit == "2101" { 2 } else { 30 };
        for (code, count) in KINDS.iter().zip([20, anmalan, 40]) {
            case.add(unit, 2024, &[("aktualiseringstyp", code)], count);
        }
    }
    for unit in &units[..3] {
        case.hide(unit, &kind("ansokan"));
        case.hide(unit, &kind("anmalan"));
    }
    let findings = case.certify().unwrap_err();
    assert_eq!(findings.list()[0].broken, Broken::Safe2("2180".parse().unwrap()));
    assert_eq!(findings.list().len(), 1, "{:?}", labels(&findings));
    for code in ["ansokan", "anmalan"] {
        case.hide("2121", &kind(code));
    }
    assert!(case.certify().is_ok());
}

/// Witnesses that prove nothing must not be counted.
#[test]
fn false_witnesses_are_not_believed() {
    let case = protected(&["2104", "2121"]);
    let good = case.witnesses[0].clone();
    let change = |edit: &dyn Fn(&mut Witness)| {
        let mut bad = good.clone();
        edit(&mut bad);
        bad
    };
    let forged = [
        change(&|w| w.steps.truncate(3)),
        change(&|w| w.steps[0].2 = 2),
        change(&|w| w.steps[0].0 = 99),
        change(&|w| w.steps[0].1 = 99),
        change(&|w| w.steps.push(w.steps[0])),
        change(&|w| w.atom = (w.atom + 1) % 3),
        change(&|w| w.steps.iter_mut().for_each(|step| step.2 *= 2)),
        change(&|w| w.steps.clear()),
    ];
    for bad in forged {
        let mut case = protected(&["2104", "2121"]);
        case.witnesses = vec![bad];
        let result = case.certify();
        assert_eq!(report(&result).certified_by_witness, 0);
        assert!(result.is_ok(), "the search still finds it safe");
    }
}

#[test]
fn a_witness_with_a_small_corner_is_not_believed() {
    let mut case = county([10, 2, 10], "");
    for unit in ["2101", "2104"] {
        case.hide(unit, &kind("ansokan"));
        case.hide(unit, &kind("anmalan"));
    }
    let at = case.unit("2104");
    case.counts[at] = case.system.empty_counts();
    for (code, count) in KINDS.iter().zip([20, 1, 40]) {
        case.add("2104", 2024, &[("aktualiseringstyp", code)], count);
    }
    let made = witness(&case, ("2101", &kind("anmalan")), ("2104", &kind("ansokan")));
    case.witnesses.push(made);
    let result = case.certify();
    assert_eq!(report(&result).certified_by_witness, 0);
    assert!(result.is_err(), "2 and 1 add up to the shown column: neither can be 3");
}

#[test]
fn the_coordinator_is_counted_and_never_fails_the_audit() {
    let mut case = county([4, 1, 10], "");
    for unit in ["2101", "2104", "2121"] {
        case.hide(unit, &kind("ansokan"));
        case.hide(unit, &kind("anmalan"));
    }
    let release = case.certify().unwrap();
    assert_eq!(release.report().coordinator_computed, 1, "at least 4 of 5 leaves 1");
    let wide = protected(&["2104", "2121"]).certify().unwrap();
    assert_eq!(wide.report().coordinator_computed + wide.report().coordinator_narrowed, 0);
}

#[test]
fn a_margin_that_is_not_the_sum_of_its_parts_is_refused() {
    let case = county([10, 20, 10], "");
    let mut figures = case.figures();
    figures.per_unit[0].insert(case.cell(&kind("TOT")), Mark::Shown(41));
    let findings = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert_eq!(findings.list()[0].broken, Broken::True2);
    let mut figures = case.figures();
    figures.totals.insert(case.cell(&kind("anmalan")), Mark::Shown(141));
    let findings = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert!(findings.list().iter().any(|finding| finding.explanation.contains("enheternas")));
}

#[test]
fn a_figure_that_contradicts_a_declared_status_is_refused() {
    let case = county([10, 20, 10], "");
    let mut figures = case.figures();
    for (code, value) in [("anmalan", 3), ("ansokan", 27)] {
        figures.per_unit[0].insert(case.cell(&kind(code)), Mark::Shown(value));
    }
    figures.totals.insert(case.cell(&kind("anmalan")), Mark::Shown(123));
    figures.totals.insert(case.cell(&kind("ansokan")), Mark::Shown(107));
    let findings = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert_eq!(findings.list()[0].verdict, Verdict::Contradiction);
    assert!(!findings.list()[0].label.is_empty());
}

fn earlier(case: &Case, unit: Option<&str>, label: &str, value: u64) -> EarlierIssue {
    let units = &case.collection.units;
    let definition = case.system.cells[case.cell(label)].definition;
    let unit = unit.map(|unit| units[case.unit(unit)].clone());
    let shown = vec![EarlierCell { unit, definition, value }];
    EarlierIssue { name: "utgåva 1".into(), roster: units.clone(), shown }
}

#[test]
fn what_an_earlier_issue_showed_is_known() {
    let mut case = protected(&["2104", "2121"]);
    case.earlier = vec![earlier(&case, Some("2101"), &kind("ansokan"), 10)];
    let findings = case.certify().unwrap_err();
    let found = finding(&findings, &format!("{} 2101", kind("anmalan")));
    assert!(found.explanation.contains("i utgåva 1"), "{}", found.explanation);
    let mut case = protected(&["2104", "2121"]);
    case.earlier = vec![earlier(&case, Some("2161"), &kind("ansokan"), 20)];
    assert!(case.certify().is_ok(), "the same figure again says nothing new");
}

#[test]
fn an_earlier_issue_that_disagrees_is_flagged() {
    for unit in [Some("2161"), None] {
        let mut case = protected(&["2104", "2121"]);
        case.earlier = vec![earlier(&case, unit, &kind("ansokan"), 21)];
        let findings = case.certify().unwrap_err();
        assert_eq!(findings.list()[0].broken, Broken::True2, "{:?}", labels(&findings));
    }
}

#[test]
fn totals_over_another_roster_are_not_the_same_cell() {
    let mut case = protected(&["2104", "2121"]);
    let mut issue = earlier(&case, None, &kind("ansokan"), 21);
    issue.roster.pop();
    case.earlier = vec![issue];
    assert!(case.certify().is_ok());
}

#[test]
fn out_of_work_is_not_certified_and_never_a_release() {
    let mut case = protected(&["2104", "2121"]);
    case.witnesses.clear();
    let findings = case.certify_within(Budget { questions: 0, ..Budget::default() }).unwrap_err();
    assert!(matches!(findings, Findings::NotCertified(_)));
    assert!(findings.list().iter().all(|finding| finding.verdict == Verdict::NotCertified));
}

#[test]
fn input_that_does_not_fit_together_is_refused() {
    let case = protected(&["2104", "2121"]);
    let mut figures = case.figures();
    figures.per_unit.pop();
    let error = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert!(matches!(error, Findings::Input(InputError::Units { .. })));
    let mut figures = case.figures();
    figures.per_unit[2] = BTreeMap::new();
    let error = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert!(matches!(error, Findings::Input(InputError::Incomplete { unit: 2, .. })));
    let mut figures = case.figures();
    figures.totals.insert(9_999, Mark::Withheld);
    let error = case.certify_figures(&figures, Budget::default()).unwrap_err();
    assert!(matches!(error, Findings::Input(InputError::NoCell(9_999))));
}

#[test]
fn a_closed_total_nobody_opened_is_protected_unless_it_is_surely_plain() {
    let mut case = county([10, 2, 10], "");
    case.known = false;
    for unit in &UNITS[1..] {
        let at = case.unit(unit);
        case.counts[at] = case.system.empty_counts();
        for code in ["ansokan", "yttrande"] {
            case.add(unit, 2024, &[("aktualiseringstyp", code)], 20);
        }
    }
    case.hide_small();
    case.hide("2101", &kind("ansokan"));
    case.hide_total(&kind("ansokan"));
    // the unit's anmälningar and the county's; its ansökningar are plain by its units' statuses, though closed
    let release = case.certify().unwrap();
    assert_eq!(release.report().cells_sensitive, 2);
    let other = case.unit("2104");
    case.add(UNITS[1], 2024, &[("aktualiseringstyp", "anmalan")], 1);
    assert_eq!(case.value(other, case.cell(&kind("anmalan"))), 1);
    let findings = case.certify().unwrap_err();
    assert!(labels(&findings).contains(&format!("{} 2104", kind("anmalan")).as_str()), "shown though small");
}

#[test]
fn findings_hold_no_withheld_value() {
    let mut case = county([10, 3, 10], "");
    case.hide_small();
    let findings = case.certify().unwrap_err();
    for finding in findings.list() {
        let text = format!("{} {}", finding.label, finding.explanation);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(words.into_iter().all(|word| word != "3"), "{text}");
    }
}
