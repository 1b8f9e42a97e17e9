//! Intervals and holes against brute force, on small random views.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::collections::BTreeSet;

use audit::Budget;
use audit::interval::{Engine, Reach};
use audit::view::{Side, Terms, View};
use proptest::prelude::*;

const MOST: u64 = 5;

/// All points of a view whose variables are all bounded.
fn points(view: &View) -> Vec<Vec<i64>> {
    let mut all = vec![Vec::new()];
    for variable in &view.variables {
        let values = variable.lower..=variable.upper.unwrap();
        let extended = all.iter().flat_map(|point: &Vec<i64>| {
            values.clone().map(move |value| [point.as_slice(), &[value as i64]].concat())
        });
        all = extended.collect();
    }
    let value =
        |terms: &Terms, point: &[i64]| terms.iter().map(|(at, factor)| factor * point[*at]).sum::<i64>();
    all.retain(|point| {
        view.equations.iter().all(|row| value(&row.terms, point) == row.value)
            && view.bounds.iter().all(|row| match row.side {
                Side::AtLeast => value(&row.terms, point) >= row.value,
                Side::AtMost => value(&row.terms, point) <= row.value,
            })
    });
    all
}

fn terms() -> impl Strategy<Value = Terms> {
    proptest::collection::vec((0usize..5, prop_oneof![4 => Just(1i64), 2 => Just(-1), 1 => 2i64..4]), 1..4)
}

fn view() -> impl Strategy<Value = View> {
    let equations = proptest::collection::vec((terms(), -2i64..8), 0..4);
    let bounds = proptest::collection::vec((terms(), -2i64..8, any::<bool>()), 0..3);
    (proptest::collection::vec(0..2u64, 5), equations, bounds, terms()).prop_map(
        |(lower, equations, bounds, target)| {
            let mut view = View::default();
            for lower in lower {
                let at = view.variable(lower);
                view.variables[at].upper = Some(MOST);
            }
            for (terms, value) in equations {
                view.equation(terms, value, 0);
            }
            for (terms, value, least) in bounds {
                if least { view.at_least(terms, value, 1) } else { view.at_most(terms, value, 1) }
            }
            view.target(target);
            view
        },
    )
}

/// Compares every answer with the enumerated values; returns how many were settled.
fn compare(view: &View, budget: Budget) -> usize {
    let target = &view.targets[0];
    let value = |point: &Vec<i64>| target.iter().map(|(at, factor)| factor * point[*at]).sum::<i64>();
    let truth: BTreeSet<i64> = points(view).iter().map(value).collect();
    let mut settled = 0;
    match Engine::new(view, budget, &|| false) {
        Err(_) => assert!(truth.is_empty(), "a contradiction was claimed where tables exist"),
        Ok(mut engine) => {
            for value in -12..=30i64 {
                match engine.attainable(0, i128::from(value)).0 {
                    // A block is answered for by itself: where another one contradicts itself and the budget is too small to see
                    // it, there is no table at all.
                    Reach::Yes => {
                        assert!(truth.is_empty() || truth.contains(&value), "{value} is not attainable")
                    }
                    Reach::No => assert!(!truth.contains(&value), "{value} is attainable"),
                    Reach::Unknown => continue,
                }
                settled += 1;
            }
            if let (Some(first), Some(last)) = (truth.first(), truth.last()) {
                let interval = engine.interval(0);
                if let Some(lower) = interval.lower {
                    assert_eq!(lower, i128::from(*first));
                }
                if let Some(upper) = interval.upper {
                    assert_eq!(upper, Some(i128::from(*last)));
                }
                settled += usize::from(interval.lower.is_some()) + usize::from(interval.upper.is_some());
            }
        }
    }
    settled
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn intervals_and_holes_equal_brute_force_and_all_are_settled(view in view()) {
        let exists = !points(&view).is_empty();
        let settled = compare(&view, Budget::default());
        prop_assert!(!exists || settled == 45, "{settled}");
    }

    #[test]
    fn the_integer_program_alone_is_never_wrong(view in view()) {
        compare(&view, Budget { branches: 0, ..Budget::default() });
    }

    #[test]
    fn a_tiny_budget_gives_fewer_answers_and_none_that_is_wrong(view in view(), questions in 0u64..4) {
        compare(&view, Budget { propagation: 20, branches: 3, nodes: 1, coefficients: 4, questions, ..Budget::default() });
    }
}

#[test]
fn without_questions_nothing_is_called_safe() {
    let mut view = View::default();
    let (a, b) = (view.variable(1), view.variable(1));
    view.equation(vec![(a, 1), (b, 1)], 9, 0);
    let target = view.target(vec![(a, 1)]);
    let mut engine = Engine::new(&view, Budget { questions: 0, ..Budget::default() }, &|| false).unwrap();
    assert_eq!(engine.attainable(target, 2).0, Reach::Unknown);
    assert_eq!(engine.attainable(target, 9).0, Reach::No, "bounds need no question");
}

#[test]
fn an_abort_is_never_safe() {
    let mut view = View::default();
    let (a, b) = (view.variable(1), view.variable(1));
    view.equation(vec![(a, 1), (b, 1)], 9, 0);
    let target = view.target(vec![(a, 1)]);
    let mut engine = Engine::new(&view, Budget::default(), &|| true).unwrap();
    assert_eq!(engine.attainable(target, 2).0, Reach::Unknown);
}

#[test]
fn parity_makes_holes_that_bounds_do_not_see() {
    let mut view = View::default();
    let (a, b) = (view.variable(0), view.variable(0));
    view.equation(vec![(a, 1), (b, 2)], 6, 0);
    let target = view.target(vec![(a, 1)]);
    let mut engine = Engine::new(&view, Budget::default(), &|| false).unwrap();
    let attainable: Vec<i128> = (0..8).filter(|v| engine.attainable(target, *v).0 == Reach::Yes).collect();
    assert_eq!(attainable, [0, 2, 4, 6]);
    let interval = engine.interval(target);
    assert_eq!((interval.lower, interval.upper), (Some(0), Some(Some(6))));
}

#[test]
fn a_target_nothing_bounds_has_no_upper_end() {
    let mut view = View::default();
    let a = view.variable(1);
    let target = view.target(vec![(a, 1)]);
    let interval = Engine::new(&view, Budget::default(), &|| false).unwrap().interval(target);
    assert_eq!((interval.lower, interval.upper), (Some(1), Some(None)));
}

#[test]
fn a_percentage_whose_rounding_pins_its_numerator_is_found() {
    let mut view = View::default();
    let (part, whole) = (view.variable(1), view.variable(0));
    view.equation(vec![(whole, 1)], 40, 0);
    view.rounded_percent(part, whole, 3, 1);
    let target = view.target(vec![(part, 1)]);
    let mut engine = Engine::new(&view, Budget::default(), &|| false).unwrap();
    assert_eq!(engine.pinned(target), Some(1), "of 1..3 only 1/40 rounds to 3 percent");
    assert_eq!(engine.interval(target).upper, Some(Some(1)));
}

#[test]
fn totals_that_are_no_sums_bound_their_parts() {
    let mut view = View::default();
    let (a, b, persons, events) = (view.variable(1), view.variable(1), view.variable(0), view.variable(0));
    view.total_of_non_additive(&[a, b], persons, 0);
    view.no_more_than(persons, events, 1);
    view.equation(vec![(events, 1)], 3, 2);
    view.equation(vec![(b, 1)], 1, 2);
    let (of_a, of_persons) = (view.target(vec![(a, 1)]), view.target(vec![(persons, 1)]));
    let mut engine = Engine::new(&view, Budget::default(), &|| false).unwrap();
    let part = engine.interval(of_a);
    assert_eq!((part.lower, part.upper), (Some(1), Some(Some(3))));
    let total = engine.interval(of_persons);
    assert_eq!((total.lower, total.upper), (Some(1), Some(Some(3))));
}

#[test]
fn contradicting_relations_name_their_sources() {
    let mut view = View::default();
    let (a, b) = (view.variable(0), view.variable(0));
    view.equation(vec![(a, 1), (b, 1)], 3, 7);
    view.equation(vec![(a, 1)], 4, 8);
    view.at_least(vec![(b, 1)], 1, 9);
    let contradiction = Engine::new(&view, Budget::default(), &|| false).err().unwrap();
    assert!(contradiction.sources.iter().all(|source| (7..=9).contains(source)));
    assert!(!contradiction.sources.is_empty());
}

#[test]
fn debug_of_an_interval_prints_no_bound() {
    let mut view = View::default();
    let a = view.variable(3);
    view.variables[a].upper = Some(3);
    let target = view.target(vec![(a, 1)]);
    let interval = Engine::new(&view, Budget::default(), &|| false).unwrap().interval(target);
    assert!(!format!("{interval:?}").contains('3'));
}
