//! Tables that count each of several codes (`varje`), against an enumerator of every multiset of records with their sets of
//! codes that agrees with what is printed (SAFE-1, ADR 20). It shares no code with the audit, and none with the cells: it knows
//! no mentions, only records. The attacks are those for which ADR 18 refused such tables.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

mod common;

use std::collections::BTreeSet;

use audit::adversary::Adversary;
use audit::interval::{Engine, Reach};
use audit::{Broken, Budget, Verdict};
use common::{Case, document, labels, table};
use proptest::prelude::*;
use tables::codebook::{CodeIndex, Given};
use tables::figures::{Figures, Mark};
use tables::system::Row;

const UNITS: [&str; 5] = ["2101", "2104", "2121", "2132", "2161"];
/// The codes that records list in these tests; the others of the variable are published zeros.
const CODES: usize = 3;
/// Sets of codes that a record can list: a bit a code, not empty.
const SETS: u8 = 1 << CODES;
const EACH: &str = "flera = { aktualiseringstyp = 'varje' }";

/// Records by sex and the set of codes they list.
type World = Vec<Vec<u64>>;

fn case(dimensions: &[&str], more: &str, world: &World) -> Case {
    let tables = table("T1", "total", dimensions, &format!("{EACH}\n{more}"));
    let mut case = Case::new(&document(&UNITS, &["2024"], &tables));
    let at = |id: &str| case.book.variable_index(id).unwrap();
    let (sex, kind) = (at("kon"), at("aktualiseringstyp"));
    for (kon, of_sex) in world.iter().enumerate() {
        for (set, times) in (1..SETS).zip(of_sex) {
            let mut codes: Vec<Option<Given>> = vec![None; case.book.variables.len()];
            codes[sex] = Some(Given::from(kon as CodeIndex));
            codes[kind] = Given::listed((0..CODES as CodeIndex).filter(|code| set >> code & 1 == 1));
            for _ in 0..*times {
                case.system.count(&mut case.counts[0], "2024-06-01".parse().unwrap(), &codes);
            }
        }
    }
    case
}

/// Records of a world in a row, counted without cells.
fn straight(world: &World, row: &Row) -> u64 {
    let lists = |set: u8| match row.codes[0] {
        None => true,
        Some(code) => code < CODES && set >> code & 1 == 1,
    };
    let kon = |at: usize| row.codes.get(1).copied().flatten().is_none_or(|kon| kon == at);
    let of_sex = |of_sex: &Vec<u64>| -> u64 {
        (1..SETS).zip(of_sex).filter(|(set, _)| lists(*set)).map(|(_, times)| times).sum()
    };
    world.iter().enumerate().filter(|(at, _)| kon(*at)).map(|(_, of)| of_sex(of)).sum()
}

/// Every world of `records` records over `kinds` kinds.
fn every(kinds: usize, records: u64, each: &mut dyn FnMut(&[u64])) {
    fn fill(point: &mut Vec<u64>, kinds: usize, left: u64, each: &mut dyn FnMut(&[u64])) {
        if point.len() + 1 == kinds {
            point.push(left);
            each(point);
            point.pop();
            return;
        }
        for value in 0..=left {
            point.push(value);
            fill(point, kinds, left - value, each);
            point.pop();
        }
    }
    fill(&mut Vec::new(), kinds, records, each);
}

/// The worlds that agree with every mark, of at most `most` records.
fn agreeing(case: &Case, figures: &Figures, sexes: usize, most: u64) -> Vec<World> {
    let rows = &case.system.tables[0].rows;
    let total = rows.iter().find(|row| row.codes.iter().all(Option::is_none));
    let shown = total.and_then(|row| figures.totals[&row.cell].shown());
    let sizes = shown.map_or(0..=most, |shown| shown..=shown);
    let kinds = usize::from(SETS) - 1;
    let alone = |at: usize| -> World {
        let mut world = vec![vec![0; kinds]; sexes];
        world[at / kinds][at % kinds] = 1;
        world
    };
    // which kinds of records a row counts, found by counting one of each
    let held =
        |row: &Row| (0..sexes * kinds).filter(|at| straight(&alone(*at), row) == 1).collect::<Vec<_>>();
    let marks: Vec<(Vec<usize>, Mark)> =
        rows.iter().map(|row| (held(row), figures.totals[&row.cell])).collect();
    let mut found = Vec::new();
    for size in sizes {
        every(sexes * kinds, size, &mut |point| {
            let sum = |held: &[usize]| held.iter().map(|at| point[*at]).sum::<u64>();
            let agrees = marks.iter().all(|(held, mark)| match mark {
                Mark::Shown(value) => sum(held) == *value,
                Mark::Withheld => sum(held) >= 1,
            });
            if agrees {
                found.push(point.chunks(kinds).map(<[u64]>::to_vec).collect());
            }
        });
    }
    found
}

/// A question about a set.
struct Question<'a> {
    atoms: Vec<u32>,
    /// Its value in a world.
    value: Box<dyn Fn(&World) -> u64 + 'a>,
    /// The printed row that it is, if it is one.
    row: Option<&'a Row>,
    name: String,
}

/// Printed cells, and of every combination of the other dimensions the records without each code and the further mentions.
fn questions(case: &Case) -> Vec<Question<'_>> {
    let rows = &case.system.tables[0].rows;
    let mut all: Vec<Question<'_>> = Vec::new();
    for row in rows {
        let atoms = case.system.cells[row.cell].atoms.clone();
        let value = Box::new(move |world: &World| straight(world, row));
        all.push(Question { atoms, value, row: Some(row), name: format!("{:?}", row.codes) });
    }
    for set in case.system.implied_total.iter() {
        let made = case.system.signed(set).unwrap();
        let rows_of = |sides: &[Vec<u32>]| -> Vec<&Row> {
            let of = |side: &Vec<u32>| rows.iter().find(|row| case.system.cells[row.cell].atoms == *side);
            sides.iter().map(|side| of(side).unwrap()).collect()
        };
        let (plus, minus) = (rows_of(&made.plus), rows_of(&made.minus));
        let name = format!("{} less {}", plus.len(), minus.len());
        let sum = |rows: &[&Row], world: &World| rows.iter().map(|row| straight(world, row)).sum::<u64>();
        let value = Box::new(move |world: &World| sum(&plus, world) - sum(&minus, world));
        all.push(Question { atoms: set.clone(), value, row: None, name });
    }
    all
}

fn small(value: u64) -> bool {
    (1..4).contains(&value)
}

/// Nonzero printed parts of a printed margin: below that no value is promised (SAFE-1).
fn floor(asked: &Question<'_>, truth: &World) -> u64 {
    let Some(row) = asked.row.filter(|row| row.codes.len() == 2 && row.codes[1].is_none()) else { return 1 };
    let part = |kon: usize| straight(truth, &Row { codes: vec![row.codes[0], Some(kon)], ..row.clone() });
    (0..truth.len()).filter(|kon| part(*kon) > 0).count() as u64
}

/// What certify says against what the worlds that agree say; `worlds` of all sizes that matter.
fn check(case: &Case, truth: &World, worlds: &[World]) -> Result<bool, TestCaseError> {
    let values = |asked: &Question<'_>| worlds.iter().map(|world| (asked.value)(world)).collect();
    let ranges: Vec<(Question<'_>, BTreeSet<u64>)> = questions(case)
        .into_iter()
        .map(|asked| {
            let values = values(&asked);
            (asked, values)
        })
        .collect();
    match case.certify() {
        Ok(_) => {
            for (asked, values) in &ranges {
                let full = (floor(asked, truth)..4).all(|one| values.contains(&one));
                let value = (asked.value)(truth);
                prop_assert!(!small(value) || full, "released, but {} can only be {values:?}", asked.name);
            }
            no_small_set_is_computed(truth, worlds)?;
            Ok(true)
        }
        Err(findings) => {
            for finding in findings.list() {
                prop_assert_ne!(finding.verdict, Verdict::NotCertified, "small cases are settled");
                prop_assert_eq!(finding.broken, Broken::Safe1, "true figures do not contradict themselves");
                let Some(audit::sensitive::Place::Total { atoms }) = &finding.place else { continue };
                let (_, values) = ranges.iter().find(|(asked, _)| asked.atoms == *atoms).unwrap();
                let full = (1..4).all(|value| values.contains(&value));
                prop_assert!(!full, "{} is a false alarm: {values:?}", finding.label);
            }
            Ok(false)
        }
    }
}

/// No set of records whatever, by the codes they list and their sex, that holds 1 to 3 is computed by a reader.
fn no_small_set_is_computed(truth: &World, worlds: &[World]) -> Result<(), TestCaseError> {
    for kon in (0..truth.len()).map(Some).chain([None]) {
        for set in 1u32..1 << (SETS - 1) {
            let count = |world: &World| -> u64 {
                let of_sex = world.iter().enumerate().filter(|(at, _)| kon.is_none_or(|kon| kon == *at));
                let of = |(_, of_sex): (usize, &Vec<u64>)| -> u64 {
                    let inside = of_sex.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                    inside.map(|(_, times)| *times).sum()
                };
                of_sex.map(of).sum()
            };
            if small(count(truth)) {
                let is_open = worlds.iter().any(|world| count(world) != count(truth));
                prop_assert!(is_open, "released, but set {set:b} of {kon:?} is computed");
            }
        }
    }
    Ok(())
}

fn hide(case: &mut Case, flags: &[bool], keeps_grand: bool) {
    case.hide_small();
    let rows: Vec<Row> = case.system.tables[0].rows.clone();
    for (row, flag) in rows.iter().zip(flags.iter().cycle()) {
        let grand = row.codes.iter().all(Option::is_none);
        if *flag && case.total(row.cell) > 0 {
            case.hidden_totals.insert(row.cell);
        }
        if grand && keeps_grand {
            case.hidden_totals.remove(&row.cell);
        }
    }
}

/// Every value of every set, as the reader's view has it, against the worlds.
fn same_ranges(case: &Case, worlds: &[World], most: u64) -> Result<(), TestCaseError> {
    let figures = case.figures();
    let questions = questions(case);
    let totals: Vec<Vec<u32>> = questions.iter().map(|asked| asked.atoms.clone()).collect();
    let reader = Adversary::reader(&case.system, &figures, &[]);
    let mut sight =
        reader.sight(&totals, Budget::default()).map_err(|_| TestCaseError::fail("contradiction"))?;
    let targets: Vec<_> = totals.iter().map(|set| sight.total_terms(&case.system, set)).collect();
    let targets: Vec<_> = targets.into_iter().map(|terms| sight.view.target(terms)).collect();
    let mut engine = Engine::new(&sight.view, Budget::default(), &|| false).unwrap();
    for (target, question) in targets.into_iter().zip(&questions) {
        let values: BTreeSet<u64> = worlds.iter().map(|world| (question.value)(world)).collect();
        for asked in 0..most {
            let reach = engine.attainable(target, i128::from(asked)).0;
            let expected = if values.contains(&asked) { Reach::Yes } else { Reach::No };
            prop_assert_eq!(reach, expected, "{} value {}", question.name, asked);
        }
    }
    Ok(())
}

fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0u64), 3 => 1u64..4, 1 => 4u64..6]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_readers_ranges_are_exactly_those_of_all_multisets_of_records(
        world in prop::collection::vec(prop::collection::vec(0u64..3, 7), 1..2),
        flags in prop::collection::vec(any::<bool>(), 1..7),
    ) {
        let mut case = case(&["aktualiseringstyp"], "", &world);
        hide(&mut case, &flags, true);
        let worlds = agreeing(&case, &case.figures(), 1, 0);
        same_ranges(&case, &worlds, 9)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_they_are_where_the_total_itself_is_withheld(
        world in prop::collection::vec(prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => 1u64..3], 7), 1..2),
        flags in prop::collection::vec(prop::bool::weighted(0.3), 1..6),
    ) {
        let mut case = case(&["aktualiseringstyp"], "", &world);
        hide(&mut case, &flags, false);
        case.hide_total("T1 aktualiseringstyp=TOT 2024");
        let worlds = agreeing(&case, &case.figures(), 1, 13);
        if !worlds.is_empty() {
            same_ranges(&case, &worlds, 4)?;
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_they_are_by_sex(
        world in prop::collection::vec(prop::collection::vec(prop_oneof![5 => Just(0u64), 1 => 1u64..3], 7), 2..3),
        flags in prop::collection::vec(prop::bool::weighted(0.4), 1..19),
    ) {
        prop_assume!(world.iter().flatten().sum::<u64>() <= 6);
        let mut case = case(&["aktualiseringstyp", "kon"], "", &world);
        hide(&mut case, &flags, true);
        let worlds = agreeing(&case, &case.figures(), 2, 0);
        same_ranges(&case, &worlds, 7)?;
    }

    #[test]
    fn nothing_narrowed_is_released_and_no_alarm_is_false(
        world in prop::collection::vec(prop::collection::vec(counts(), 7), 1..2),
        flags in prop::collection::vec(any::<bool>(), 1..7),
    ) {
        prop_assume!((4..=14).contains(&world.iter().flatten().sum::<u64>()));
        let mut case = case(&["aktualiseringstyp"], "", &world);
        hide(&mut case, &flags, true);
        let worlds = agreeing(&case, &case.figures(), 1, 0);
        check(&case, &world, &worlds)?;
    }

    #[test]
    fn nor_by_sex(
        world in prop::collection::vec(prop::collection::vec(prop_oneof![4 => Just(0u64), 1 => 1u64..4], 7), 2..3),
        flags in prop::collection::vec(prop::bool::weighted(0.6), 1..19),
    ) {
        prop_assume!((4..=7).contains(&world.iter().flatten().sum::<u64>()));
        let mut case = case(&["aktualiseringstyp", "kon"], "", &world);
        hide(&mut case, &flags, true);
        let worlds = agreeing(&case, &case.figures(), 2, 0);
        check(&case, &world, &worlds)?;
    }
}

/// Records that list one code, another, and both.
fn two(first: u64, second: u64, both: u64) -> World {
    vec![vec![first, second, both, 0, 0, 0, 0]]
}

#[test]
fn adr_18_of_two_reasons_a_plus_b_less_the_total_is_seen_to_be_small() {
    let case = case(&["aktualiseringstyp"], "", &two(9, 9, 2));
    let findings = case.certify().unwrap_err();
    let finding = &findings.list()[0];
    assert_eq!(finding.verdict, Verdict::Computable, "11 + 11 − 20 = 2 have both");
    assert!(finding.label.contains("minus T1 aktualiseringstyp=TOT 2024"), "{:?}", labels(&findings));
}

#[test]
fn adr_18_a_total_over_a_shown_part_bounds_a_withheld_one_from_below() {
    // all of 8 list A or B, 5 list A, so at least 3 list B, who are withheld
    let mut case = case(&["aktualiseringstyp"], "", &two(5, 3, 0));
    case.hide_small();
    let findings = case.certify().unwrap_err();
    let narrowed = findings.list().iter().find(|one| one.label.starts_with("T1 aktualiseringstyp=anmalan"));
    assert_eq!(narrowed.unwrap().verdict, Verdict::Narrowed, "{:?}", labels(&findings));
}

#[test]
fn records_without_a_reason_are_seen_to_be_small() {
    let case = case(&["aktualiseringstyp"], "", &two(6, 2, 10));
    let findings = case.certify().unwrap_err();
    assert!(
        findings.list().iter().any(|one| one.label.contains("TOT 2024 minus T1 aktualiseringstyp=ansokan")),
        "{:?}",
        labels(&findings)
    );
}

#[test]
fn plain_figures_of_overlapping_reasons_are_released() {
    assert!(case(&["aktualiseringstyp"], "", &two(9, 9, 6)).certify().is_ok());
    assert!(case(&["aktualiseringstyp"], "", &vec![vec![8, 7, 6, 5, 4, 4, 4]]).certify().is_ok());
    assert!(
        case(&["aktualiseringstyp", "kon"], "", &[two(9, 9, 6), two(8, 7, 5)].concat()).certify().is_ok()
    );
}

#[test]
fn a_total_that_such_parts_cannot_have_is_a_contradiction() {
    let case = case(&["aktualiseringstyp"], "", &two(9, 9, 6));
    for wrong in [14, 31] {
        let mut figures = case.figures();
        figures.totals.insert(case.cell("T1 aktualiseringstyp=TOT 2024"), Mark::Shown(wrong));
        let findings = case.certify_figures(&figures, Budget::default()).unwrap_err();
        assert!(findings.list().iter().any(|one| one.broken == Broken::True2), "{wrong}");
    }
}

/// The generator must reach both answers, or the properties say nothing.
#[test]
fn generous_withholding_is_released_and_holds() {
    let world = two(6, 4, 2);
    let mut case = case(&["aktualiseringstyp"], "", &world);
    case.hide_total("T1 aktualiseringstyp=ansokan 2024");
    case.hide_total("T1 aktualiseringstyp=anmalan 2024");
    let worlds = agreeing(&case, &case.figures(), 1, 0);
    assert!(check(&case, &world, &worlds).unwrap());
}
