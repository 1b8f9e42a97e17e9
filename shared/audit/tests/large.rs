//! Large blocks are answered otherwise than small ones, and must be answered the same.
//!
//! Random tables of three dimensions with all margins, some of their cells withheld without much thought: the answers
//! of the exact search are compared with those that start from a table, with and without the truth.

#![allow(clippy::unwrap_used)] // helpers of tests may panic

use audit::Budget;
use audit::published::attack::{Asked, Attack, Outcome, attack};
use audit::published::protection::{InsidersAsked, Protection, protection};
use audit::published::strict::{StrictOptions, heading, read};
use audit::published::truth::{Truth, TruthError};
use audit::published::{Publication, PublishedError};
use proptest::prelude::*;

const AREAS: [&str; 4] = ["2101", "2104", "2180-01", "2180-02"];
const SEXES: [&str; 2] = ["k", "m"];
const AGES: [&str; 3] = ["a1", "a2", "a3"];

/// A table: finest counts, and which cells are withheld.
#[derive(Clone, Debug)]
struct Case {
    counts: Vec<u64>,
    hidden: Vec<bool>,
}

/// All combinations with totals, in a fixed order: area, sex, age; `usize::MAX` is the total.
fn cells() -> Vec<[usize; 3]> {
    let with = |size: usize| (0..size).chain([usize::MAX]);
    let mut all = Vec::new();
    for area in with(AREAS.len()) {
        for sex in with(SEXES.len()) {
            all.extend(with(AGES.len()).map(|age| [area, sex, age]));
        }
    }
    all
}

impl Case {
    fn count(&self, cell: [usize; 3]) -> u64 {
        let finest = (0..AREAS.len()).flat_map(|area| {
            (0..SEXES.len()).flat_map(move |sex| (0..AGES.len()).map(move |age| [area, sex, age]))
        });
        let inside =
            |own: &[usize; 3]| cell.iter().zip(own).all(|(cell, own)| *cell == usize::MAX || cell == own);
        finest.zip(&self.counts).filter(|(own, _)| inside(own)).map(|(_, count)| count).sum()
    }

    /// Small cells are withheld, zeros shown, the others as drawn.
    fn is_hidden(&self, at: usize, count: u64) -> bool {
        count > 0 && (count < 4 || self.hidden[at])
    }

    fn csv(&self) -> String {
        let mut text = String::from("omrade,kon,alder,tid,matt,varde,status\n");
        for (at, cell) in cells().into_iter().enumerate() {
            let code = |codes: &[&str], at: usize, total: &str| {
                codes.get(at).map_or(total.to_owned(), |c| (*c).to_owned())
            };
            let count = self.count(cell);
            let figure = if self.is_hidden(at, count) { ",x".to_owned() } else { format!("{count},") };
            let codes =
                [code(&AREAS, cell[0], "00"), code(&SEXES, cell[1], "TOT"), code(&AGES, cell[2], "TOT")];
            text.push_str(&format!("{},2024,aktualiseringar,{figure}\n", codes.join(",")));
        }
        text
    }

    fn publication(&self) -> Result<Publication, PublishedError> {
        read(&[("T.csv", self.csv().as_bytes())], &StrictOptions { min_count: 4, ..StrictOptions::default() })
    }

    fn truth(&self, publication: &Publication) -> Result<Truth, TruthError> {
        let finest = cells().into_iter().filter(|cell| !cell.contains(&usize::MAX));
        let dimensions = ["kon".to_owned(), "alder".to_owned()];
        let placed = finest.map(|cell| {
            let codes = [SEXES[cell[1]].to_owned(), AGES[cell[2]].to_owned()];
            let column = heading(&dimensions, &codes, "2024", "aktualiseringar");
            (("T.csv".to_owned(), AREAS[cell[0]].to_owned(), column), self.count(cell))
        });
        Truth::of(publication, placed)
    }
}

fn case() -> impl Strategy<Value = Case> {
    let count = prop_oneof![2 => Just(0u64), 4 => 1u64..4, 4 => 4u64..9];
    let finest = AREAS.len() * SEXES.len() * AGES.len();
    let hidden = prop_oneof![Just(0.2), Just(0.5), Just(0.8)];
    hidden.prop_flat_map(move |share| {
        let hidden = proptest::collection::vec(proptest::bool::weighted(share), cells().len());
        (proptest::collection::vec(count.clone(), finest), hidden)
            .prop_map(|(counts, hidden)| Case { counts, hidden })
    })
}

fn found(publication: &Publication, large: usize, truth: Option<&Truth>) -> Attack {
    let budget = Budget { large, branches: 20_000, propagation: 200_000, ..Budget::default() };
    attack(publication, Asked { budget, truth, ..Asked::default() }, &|| false)
}

/// Which of 1, 2 and 3 the outcome leaves, and the value if it leaves one; `None` when it was not settled.
fn left(outcome: &Outcome) -> Option<(Vec<u64>, Option<u64>)> {
    let (lower, upper, holes) = match outcome {
        Outcome::Interval { lower, upper, holes } => (*lower, *upper, holes),
        Outcome::Shown { lower, holes, .. } => (*lower, None, holes),
        _ => return None,
    };
    let can =
        |value: &u64| lower <= *value && upper.is_none_or(|upper| *value <= upper) && !holes.contains(value);
    Some(((1..4).filter(can).collect(), outcome.recovered()))
}

fn judged(case: &Case, publication: &Publication, large: usize) -> Protection {
    let truth = case.truth(publication).unwrap();
    let budget = Budget { large, branches: 20_000, propagation: 200_000, ..Budget::default() };
    let insiders = Some(InsidersAsked { budget, done: None, abort: &|| false });
    protection((publication, publication), &found(publication, large, Some(&truth)), &truth, 4, insiders)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_large_block_is_answered_as_a_small_one(case in case()) {
        let publication = case.publication().unwrap();
        let truth = case.truth(&publication).unwrap();
        let exact = found(&publication, 1_000, None);
        let blind = found(&publication, 0, None);
        let seeing = found(&publication, 0, Some(&truth));
        // where counts may grow without end, bounds creep and the search gives up: nothing to compare then
        let settled = |found: &Attack| found.findings.iter().all(|finding| left(&finding.outcome).is_some());
        prop_assume!(settled(&exact) && settled(&blind) && settled(&seeing));
        prop_assert_eq!(exact.verdict(), blind.verdict());
        for ((exact, blind), seeing) in exact.findings.iter().zip(&blind.findings).zip(&seeing.findings) {
            let expected = left(&exact.outcome);
            prop_assert_eq!(&expected, &left(&blind.outcome));
            if truth.of_cell(exact.cell) < 4 {
                prop_assert_eq!(&expected, &left(&seeing.outcome));
            }
            // Whatever is said holds of the truth itself.
            if let Outcome::Shown { lower, upper, .. } = seeing.outcome {
                let own = truth.of_cell(exact.cell);
                prop_assert!(lower <= own && upper.is_none_or(|upper| own <= upper));
            }
        }
    }

    #[test]
    fn the_ends_that_are_asked_for_in_large_blocks_are_those_of_small_ones(case in case()) {
        let publication = case.publication().unwrap();
        let truth = case.truth(&publication).unwrap();
        let exact = found(&publication, 1_000, None);
        let budget = Budget { large: 0, branches: 20_000, propagation: 200_000, ..Budget::default() };
        let asked = Asked { budget, truth: Some(&truth), ends: true, ..Asked::default() };
        let ends = attack(&publication, asked, &|| false);
        for (exact, ends) in exact.findings.iter().zip(&ends.findings) {
            if let (Outcome::Interval { lower, upper, .. }, Outcome::Interval { lower: low, upper: high, .. }) =
                (&exact.outcome, &ends.outcome)
            {
                prop_assert_eq!((lower, upper), (low, high));
            }
        }
        let open = |found: &Attack| {
            found.findings.iter().filter(|one| !matches!(one.outcome, Outcome::Interval { .. })).count()
        };
        prop_assume!(open(&exact) == 0);
        // an end that no movement shows and no neighbourhood rules out stays open
        prop_assert!(open(&ends) * 2 <= ends.findings.len());
    }

    #[test]
    fn what_a_kommun_can_compute_is_found_in_large_blocks_as_in_small_ones(case in case()) {
        let publication = case.publication().unwrap();
        let (small, large) = (judged(&case, &publication, 1_000), judged(&case, &publication, 0));
        prop_assume!(small.open.is_empty() && large.open.is_empty());
        prop_assert_eq!(small.by_insiders, large.by_insiders);
        prop_assert_eq!(small.narrowed, large.narrowed);
        prop_assert_eq!(small.computable, large.computable);
    }
}

/// Two kommuner share a line whose total is shown: each computes the other's cell. A third in between hides them both.
fn line(third: u64) -> Case {
    let mut counts = vec![0; AREAS.len() * SEXES.len() * AGES.len()];
    (counts[0], counts[6], counts[12]) = (2, 3, third);
    (counts[1], counts[7], counts[13]) = (9, 9, if third == 0 { 0 } else { 9 });
    let withheld =
        |cell: &[usize; 3]| cell[0] != usize::MAX && (cell[2] == 0 || cell[2] == 1) && cell[1] != 1;
    Case { counts, hidden: cells().iter().map(withheld).collect() }
}

#[test]
fn two_kommuner_alone_in_a_line_compute_each_other_and_a_third_hides_them() {
    let two = line(0);
    let publication = two.publication().unwrap();
    let found = judged(&two, &publication, 1_000);
    assert!(found.computable.is_empty() && found.narrowed.is_empty(), "a reader learns nothing");
    let by: Vec<&str> = found.by_insiders.iter().map(|one| one.kommun.as_str()).collect();
    assert!(by.contains(&"2101") && by.contains(&"2104") && !found.is_unbroken());
    let three = line(5);
    assert!(judged(&three, &three.publication().unwrap(), 1_000).holds());
}

#[test]
fn counts_that_are_not_the_tables_are_refused_by_place() {
    let case = line(5);
    let publication = case.publication().unwrap();
    let mut other = case.clone();
    other.counts[2] = 7; // shown as 0
    let refused = other.truth(&publication).unwrap_err();
    assert!(matches!(&refused, TruthError::Differs { place } if place.contains("2101")), "{refused}");
    let mut moved = case.clone();
    (moved.counts[0], moved.counts[6]) = (3, 3); // withheld, but the sum is shown
    assert!(matches!(moved.truth(&publication).unwrap_err(), TruthError::Relation { .. }));
    let mut zero = case.clone();
    zero.counts[0] = 0; // a withheld cell is at least 1
    assert!(matches!(zero.truth(&publication).unwrap_err(), TruthError::Mark { .. }));
    let none = Truth::of(&publication, std::iter::empty()).unwrap_err();
    assert!(matches!(none, TruthError::Missing { .. }));
    let refused = format!("{none:?} {refused:?}");
    assert!(!refused.contains('7'), "no figure in an error: STAY-1");
}

/// Counties `21` and `22` of one kommun each and the realm; categories `a` and `b`, whose cells are all withheld but the
/// realm's. Whoever is alone in a county is that county.
#[test]
fn a_kommun_that_is_its_county_computes_the_other_one() {
    let counts = [("2101", [2, 20]), ("2281", [8, 15])];
    let mut text = String::from("omrade,typ,tid,matt,varde,status\n");
    let mut row = |area: &str, code: &str, figure: String| {
        text.push_str(&format!("{area},{code},2024,aktualiseringar,{figure}\n"));
    };
    for (unit, own) in counts {
        for area in [unit, &unit[..2]] {
            row(area, "a", ",x".into());
            row(area, "b", ",x".into());
            row(area, "TOT", format!("{},", own[0] + own[1]));
        }
    }
    for (code, count) in [("a", 10), ("b", 35), ("TOT", 45)] {
        row("00", code, format!("{count},"));
    }
    let publication = read(&[("T.csv", text.as_bytes())], &StrictOptions::default()).unwrap();
    let placed = counts.iter().flat_map(|(unit, own)| {
        ["a", "b"].into_iter().zip(own).map(|(code, count)| {
            let column = heading(&["typ".to_owned()], &[code.to_owned()], "2024", "aktualiseringar");
            (("T.csv".to_owned(), (*unit).to_owned(), column), *count)
        })
    });
    let truth = Truth::of(&publication, placed).unwrap();
    for large in [0, 1_000] {
        let budget = Budget { large, ..Budget::default() };
        let attack = found(&publication, large, Some(&truth));
        let insiders = Some(InsidersAsked { budget, done: None, abort: &|| false });
        let judged = protection((&publication, &publication), &attack, &truth, 4, insiders);
        let by: Vec<&str> = judged.by_insiders.iter().map(|one| one.kommun.as_str()).collect();
        assert_eq!(by, ["2281"], "SAFE-2");
    }
}

/// Three groups of two categories each are shown, so that the last category can only be odd: 2 is a hole.
#[test]
fn a_hole_that_the_budget_does_not_reach_is_open_and_never_safe() {
    use audit::published::strict::Group;
    let group = |name: &str, parts: &[&str]| Group {
        dimension: "typ".into(),
        name: name.into(),
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    let groups = vec![group("G1", &["a", "c"]), group("G2", &["b", "c"]), group("G3", &["a", "b", "e"])];
    let counts = [("a", 5), ("b", 5), ("c", 6), ("d", 7), ("e", 1)];
    let mut text = String::from("omrade,typ,tid,matt,varde,status\n");
    for (code, _) in counts {
        text.push_str(&format!("2180,{code},2024,aktualiseringar,,x\n"));
    }
    for (code, count) in [("G1", 11), ("G2", 11), ("G3", 11), ("TOT", 24)] {
        text.push_str(&format!("2180,{code},2024,aktualiseringar,{count},\n"));
    }
    let options = StrictOptions { groups, ..StrictOptions::default() };
    let publication = read(&[("T.csv", text.as_bytes())], &options).unwrap();
    let placed = counts.map(|(code, count)| {
        let column = heading(&["typ".to_owned()], &[code.to_owned()], "2024", "aktualiseringar");
        (("T.csv".to_owned(), "2180".to_owned(), column), count)
    });
    let truth = Truth::of(&publication, placed.into_iter()).unwrap();
    let judged = |questions: u64| {
        let budget = Budget { questions, ..Budget::default() };
        let found =
            attack(&publication, Asked { budget, truth: Some(&truth), ..Asked::default() }, &|| false);
        protection((&publication, &publication), &found, &truth, 4, None)
    };
    assert_eq!(judged(10_000).narrowed.len(), 1, "SAFE-1");
    let open = (0..60).filter(|questions| !judged(*questions).open.is_empty()).count();
    assert!(open > 0 && (0..60).all(|questions| !judged(questions).holds()));
}

/// `2101` has no women; its men are 2 and withheld. The county's parts that are shown rule 1 out.
#[test]
fn what_shown_counts_rule_out_is_narrowed_and_not_excused() {
    let rows = [("2101", ["0", "x", "x"]), ("2104", ["x", "x", "5"]), ("21", ["x", "6", "x"])];
    let mut text = String::from("omrade,kon,tid,matt,varde,status\n");
    for (area, figures) in rows {
        for (code, figure) in ["k", "m", "TOT"].into_iter().zip(figures) {
            let figure = if figure == "x" { ",x".to_owned() } else { format!("{figure},") };
            text.push_str(&format!("{area},{code},2024,aktualiseringar,{figure}\n"));
        }
    }
    let publication = read(&[("T.csv", text.as_bytes())], &StrictOptions::default()).unwrap();
    let placed = [("2101", "k", 0), ("2101", "m", 2), ("2104", "k", 1), ("2104", "m", 4)];
    let placed = placed.map(|(area, code, count)| {
        let column = heading(&["kon".to_owned()], &[code.to_owned()], "2024", "aktualiseringar");
        (("T.csv".to_owned(), area.to_owned(), column), count)
    });
    let truth = Truth::of(&publication, placed.into_iter()).unwrap();
    let attack = found(&publication, 1_000, Some(&truth));
    let judged = protection((&publication, &publication), &attack, &truth, 4, None);
    let areas: Vec<&str> = judged.narrowed.iter().map(|cell| publication.cells[*cell].row.as_str()).collect();
    assert_eq!(areas, ["2101", "2101"], "SAFE-1: men, and the kommun's total");
}
