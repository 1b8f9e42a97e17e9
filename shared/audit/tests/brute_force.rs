//! Random small publications against an enumerator that shares no code with the audit: SAFE-1 and SAFE-2 as attacked,
//! not as argued.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

mod common;

use std::collections::{BTreeMap, BTreeSet};

use audit::adversary::Adversary;
use audit::interval::{Engine, Reach};
use audit::sensitive::Place;
use audit::{Broken, Budget, Verdict};
use common::{Case, document, table};
use proptest::prelude::*;

const UNITS: [&str; 3] = ["2101", "2104", "2121"];
const STEPS: u64 = 600_000;

/// T01 by type and T03 all typed per kommun, T02 by sex of the applications in total.
fn collection(shape: u8) -> String {
    let typed = "filter = { aktualiseringstyp = [\"ansokan\", \"anmalan\"] }";
    let ansokan = "filter = { aktualiseringstyp = [\"ansokan\"] }";
    let any = "filter = { aktualiseringstyp = [\"*\"] }";
    let tables = match shape {
        0 => table("T01", "kommun", &["aktualiseringstyp"], typed),
        1 => {
            table("T01", "kommun", &["aktualiseringstyp"], typed) + &table("T02", "total", &["kon"], ansokan)
        }
        2 => table("T01", "kommun", &[], any) + &table("T09", "kommun", &[], ansokan),
        _ => {
            table("T01", "total", &["aktualiseringstyp", "kon"], typed)
                + &table("T09", "kommun", &[], ansokan)
        }
    };
    document(&UNITS, &["2024"], &tables)
}

fn case(shape: u8, values: &[u64], hide: &[bool], hide_totals: &[bool]) -> Case {
    let mut case = Case::new(&collection(shape));
    let mut value = values.iter().copied().cycle();
    for unit in UNITS {
        for kind in ["ansokan", "anmalan"] {
            for kon in ["man", "kvinna"] {
                let times = value.next().unwrap();
                case.add(unit, 2024, &[("aktualiseringstyp", kind), ("kon", kon)], times);
            }
        }
    }
    case.hide_small();
    let printed: Vec<usize> = case.system.per_unit().collect();
    let mut flags = hide.iter().copied().cycle();
    for unit in 0..UNITS.len() {
        for cell in &printed {
            if flags.next().unwrap() && case.value(unit, *cell) > 0 {
                case.hidden[unit].insert(*cell);
            }
        }
    }
    let mut flags = hide_totals.iter().copied().cycle();
    for cell in 0..case.system.cells.len() {
        if case.system.cells[cell].is_count && flags.next().unwrap() && case.total(cell) > 0 {
            case.hidden_totals.insert(cell);
        }
    }
    // the largest total stays shown, so that the enumerator ends
    let largest =
        (0..case.system.cells.len()).max_by_key(|cell| case.system.cells[*cell].atoms.len()).unwrap();
    case.hidden_totals.remove(&largest);
    case
}

/// The same with totals that were never opened, zeros among them; the largest stays shown.
fn untold_of(mut case: Case, flags: &[bool]) -> Case {
    let largest = (0..case.system.cells.len()).max_by_key(|cell| case.system.cells[*cell].atoms.len());
    for (cell, flag) in (0..case.system.cells.len()).zip(flags.iter().cycle()) {
        if *flag && case.system.cells[cell].is_count && Some(cell) != largest {
            case.hidden_totals.insert(cell);
            case.untold.insert(cell);
        }
    }
    case
}

/// Values of sets seen in all tables that agree with the publication: units' sets of unit atoms, sets of totals.
struct Seen {
    units: BTreeMap<(usize, Vec<u32>), BTreeSet<u64>>,
    totals: BTreeMap<Vec<u32>, BTreeSet<u64>>,
}

fn unit_sets(case: &Case) -> BTreeSet<Vec<u32>> {
    let printed = case.system.per_unit().filter_map(|cell| case.system.cells[cell].unit_atoms.clone());
    let single = (0..case.system.unit_atoms as u32).map(|atom| vec![atom]);
    printed.chain(single).chain(case.system.implied_unit.iter().cloned()).collect()
}

fn total_sets(case: &Case) -> BTreeSet<Vec<u32>> {
    let printed = case.system.cells.iter().filter(|cell| cell.is_count).map(|cell| cell.atoms.clone());
    printed.chain(case.system.implied_total.iter().cloned()).collect()
}

fn unit_value(case: &Case, point: &[u64], unit: usize, set: &[u32]) -> u64 {
    let inside = |atom: &usize| case.system.unit_atom_of[*atom].is_some_and(|of| set.contains(&of));
    (0..case.system.atoms).filter(inside).map(|atom| point[unit * case.system.atoms + atom]).sum()
}

fn enumerate(case: &Case, own: &[usize], doubting: bool) -> Option<Seen> {
    let (of_units, of_totals) = (unit_sets(case), total_sets(case));
    let mut seen = Seen { units: BTreeMap::new(), totals: BTreeMap::new() };
    case.enumerate(STEPS, own, doubting, |point| {
        for unit in 0..case.counts.len() {
            for set in &of_units {
                let value = unit_value(case, point, unit, set);
                seen.units.entry((unit, set.clone())).or_default().insert(value);
            }
        }
        for set in &of_totals {
            let atoms = case.system.atoms;
            let value = (0..case.counts.len())
                .flat_map(|unit| set.iter().map(move |atom| point[unit * atoms + *atom as usize]))
                .sum();
            seen.totals.entry(set.clone()).or_default().insert(value);
        }
    })?;
    Some(seen)
}

/// Truth of a set of a unit's atoms, and how many of its atoms are not zero.
fn truth(case: &Case, unit: usize, set: &[u32]) -> (u64, u64) {
    let values = case.system.unit_values(&case.counts[unit]);
    let of = |atom: &u32| values[*atom as usize];
    (set.iter().map(of).sum(), set.iter().filter(|atom| of(atom) > 0).count() as u64)
}

fn full(values: &BTreeSet<u64>, floor: u64) -> bool {
    (floor..4).all(|value| values.contains(&value))
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let (Some(seen), Some(doubted)) = (enumerate(case, &[], false), enumerate(case, &[], true)) else {
        return Ok(());
    };
    // Who takes a total for at least 1 that is 0 has other tables in mind: only the doubting reading holds the true one.
    let misled = case.untold.iter().any(|cell| case.total(*cell) == 0);
    match case.certify() {
        Ok(_) if misled => check_release(case, &doubted),
        Ok(_) => check_release(case, &seen).and_then(|()| check_release(case, &doubted)),
        Err(findings) => {
            for finding in findings.list().iter().filter(|finding| finding.broken == Broken::Safe1) {
                prop_assert_ne!(finding.verdict, Verdict::NotCertified, "small cases are settled");
                let values = |seen: &Seen| match &finding.place {
                    Some(Place::Unit { unit, atoms }) => seen.units.get(&(*unit, atoms.clone())).cloned(),
                    Some(Place::Total { atoms }) => seen.totals.get(atoms).cloned(),
                    None => None,
                };
                let read: Vec<BTreeSet<u64>> = [&seen, &doubted].into_iter().filter_map(values).collect();
                let narrowed = read.is_empty() || read.iter().any(|values| !full(values, 1));
                prop_assert!(narrowed, "{} is a false alarm: {read:?}", finding.label);
                if finding.verdict == Verdict::Computable {
                    let one = read.iter().any(|values| values.len() == 1);
                    prop_assert!(one, "{} is not computable: {read:?}", &finding.label);
                }
            }
            let contradicts = findings.list().iter().any(|finding| finding.broken == Broken::True2);
            prop_assert!(!contradicts, "true figures never contradict themselves");
            Ok(())
        }
    }
}

fn check_release(case: &Case, seen: &Seen) -> Result<(), TestCaseError> {
    for ((unit, set), values) in &seen.units {
        let (value, floor) = truth(case, *unit, set);
        if (1..4).contains(&value) {
            prop_assert!(full(values, floor), "released, but {set:?} of {unit} can only be {values:?}");
        }
    }
    for (set, values) in &seen.totals {
        let value: u64 = (0..case.counts.len()).map(|unit| total_of(case, unit, set)).sum();
        if (1..4).contains(&value) {
            // fewer values than nonzero kommun parts can never be promised
            let floor = (0..case.counts.len()).filter(|unit| total_of(case, *unit, set) > 0).count() as u64;
            prop_assert!(
                full(values, floor.max(parts(case, set))),
                "released, but {set:?} can only be {values:?}"
            );
        }
    }
    for unit in 0..case.counts.len() {
        let Some(inside) = enumerate(case, &[unit], true) else {
            continue;
        };
        for ((other, set), values) in inside.units.iter().filter(|((other, _), _)| *other != unit) {
            let (value, _) = truth(case, *other, set);
            prop_assert!(!(1..4).contains(&value) || values.len() > 1, "{unit} computes {set:?} of {other}");
        }
    }
    Ok(())
}

fn total_of(case: &Case, unit: usize, set: &[u32]) -> u64 {
    let single = |atom: u32| {
        let cell = case.system.cells.iter().position(|cell| cell.atoms == [atom]);
        cell.map_or(0, |cell| case.value(unit, cell))
    };
    match case.system.cells.iter().position(|cell| cell.atoms == set) {
        Some(cell) => case.value(unit, cell),
        None => set.iter().map(|atom| single(*atom)).sum(),
    }
}

/// Nonzero full atoms of a set, which no promise can go under.
fn parts(case: &Case, set: &[u32]) -> u64 {
    let any = |atom: &&u32| (0..case.counts.len()).any(|unit| total_of(case, unit, &[**atom]) > 0);
    set.iter().filter(any).count() as u64
}

/// Every value of every place, as an adversary's view has it, against the enumerator.
fn same_ranges(case: &Case, own: &[usize]) -> Result<(), TestCaseError> {
    let Some(seen) = enumerate(case, own, false) else {
        return Ok(());
    };
    let figures = case.figures();
    let values: Vec<Vec<u64>> = case.counts.iter().map(|counts| case.system.unit_values(counts)).collect();
    let adversary = Adversary::reader(&case.system, &figures, &[])
        .with_own(own.iter().map(|unit| (*unit, values[*unit].as_slice())).collect());
    let totals: Vec<Vec<u32>> = seen.totals.keys().cloned().collect();
    let mut sight =
        adversary.sight(&totals, Budget::default()).map_err(|_| TestCaseError::fail("contradiction"))?;
    let units = seen.units.iter().map(|((unit, set), values)| (sight.unit_terms(*unit, set), values));
    let over = seen.totals.iter().map(|(set, values)| (sight.total_terms(&case.system, set), values));
    let questions: Vec<_> = units.chain(over).collect();
    let targets: Vec<_> =
        questions.into_iter().map(|(terms, values)| (sight.view.target(terms), values)).collect();
    let mut engine = Engine::new(&sight.view, Budget::default(), &|| false).unwrap();
    for (target, values) in targets {
        for value in 0..8 {
            let reach = engine.attainable(target, i128::from(value)).0;
            let expected = if values.contains(&value) { Reach::Yes } else { Reach::No };
            prop_assert_eq!(reach, expected, "target {} value {}", target, value);
        }
        let interval = engine.interval(target);
        prop_assert_eq!(interval.lower, values.first().map(|value| i128::from(*value)));
        prop_assert_eq!(interval.upper, Some(values.last().map(|value| i128::from(*value))));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_narrowed_is_released_and_no_alarm_is_false(
        shape in 0u8..4,
        values in proptest::collection::vec(prop_oneof![3 => Just(0u64), 2 => 1u64..4, 2 => 4u64..6], 12),
        hide in proptest::collection::vec(proptest::bool::weighted(0.4), 11),
        hide_totals in proptest::collection::vec(proptest::bool::weighted(0.25), 9),
    ) {
        check(&case(shape, &values, &hide, &hide_totals))?;
    }

    #[test]
    fn the_views_of_reader_and_insider_have_exactly_the_ranges_that_exist(
        shape in 0u8..4,
        values in proptest::collection::vec(prop_oneof![3 => Just(0u64), 3 => 1u64..5], 12),
        hide in proptest::collection::vec(proptest::bool::weighted(0.4), 11),
        hide_totals in proptest::collection::vec(proptest::bool::weighted(0.25), 9),
        own in proptest::collection::vec(0usize..3, 0..2),
    ) {
        same_ranges(&case(shape, &values, &hide, &hide_totals), &own)?;
    }

    #[test]
    fn safe_1_a_total_nobody_opened_may_be_zero_and_then_too_nothing_is_narrowed(
        shape in 0u8..4,
        values in proptest::collection::vec(prop_oneof![3 => Just(0u64), 2 => 1u64..4, 2 => 4u64..6], 12),
        hide in proptest::collection::vec(proptest::bool::weighted(0.6), 11),
        hide_totals in proptest::collection::vec(proptest::bool::weighted(0.15), 9),
        untold in proptest::collection::vec(proptest::bool::weighted(0.5), 7),
    ) {
        check(&untold_of(case(shape, &values, &hide, &hide_totals), &untold))?;
    }

    #[test]
    fn what_is_withheld_generously_is_mostly_released_and_holds(
        shape in 0u8..3,
        small in 0usize..12,
        values in proptest::collection::vec(4u64..6, 12),
    ) {
        let mut values = values;
        values[small] = 0;
        values[(small + 1) % 12] = 2;
        check(&case(shape, &values, &[true], &[false]))?;
    }
}

#[test]
fn the_generator_reaches_both_answers() {
    let alone = case(0, &[4, 4, 2, 0, 5, 5, 5, 5, 5, 5, 5, 5], &[false], &[false]);
    assert!(alone.certify().is_err());
    let generous = case(0, &[4, 4, 2, 0, 5, 5, 5, 5, 5, 5, 5, 5], &[true], &[false]);
    assert!(generous.certify().is_ok());
    assert!(enumerate(&alone, &[], false).is_some());
}
