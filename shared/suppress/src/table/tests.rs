//! Attacks on protected tables: an enumerator that knows nothing of witnesses, and faults put into proofs.

use proptest::prelude::*;

use super::proof::{Unproven, check};
use super::*;

fn options(insider: bool) -> Options {
    Options { insider, ..Options::default() }
}

fn protected(sizes: &[usize], finest: &[u32], insider: bool) -> Protected {
    protect(System::complete(Shape::new(sizes).unwrap(), finest).unwrap(), &options(insider)).unwrap()
}

/// What anyone sees, and all tables of finest cells that agree with it, by plain enumeration.
struct Attacker<'a> {
    seen: &'a Protected,
    finest: Vec<u32>,
    /// Per finest cell, the cells that contain it.
    containing: Vec<Vec<u32>>,
    /// Per cell, the place in the enumeration after which all its finest parts are set.
    last: Vec<usize>,
    most: i32,
}

impl<'a> Attacker<'a> {
    /// `most`: no finest cell is tried above it, so what is found possible is possible.
    fn new(seen: &'a Protected, most: i32) -> Self {
        let shape = &seen.system.shape;
        let finest: Vec<u32> = (0..shape.len()).filter(|cell| shape.totals(*cell) == 0).collect();
        let contains = |margin: u32, cell: u32| {
            (0..shape.dimensions())
                .all(|at| shape.is_total(margin, at) || shape.code(margin, at) == shape.code(cell, at))
        };
        let containing: Vec<Vec<u32>> = finest
            .iter()
            .map(|cell| (0..shape.len()).filter(|margin| contains(*margin, *cell)).collect())
            .collect();
        let last = (0..shape.len())
            .map(|margin| containing.iter().rposition(|list| list.contains(&margin)).unwrap())
            .collect();
        Self { seen, finest, containing, last, most }
    }

    /// Whether a table exists with a value in a cell, one unit's cells perhaps being known.
    fn possible(&self, cell: u32, value: i32, insider: Option<u32>) -> bool {
        self.go(0, &mut vec![0; self.seen.system.values.len()], (cell, value), insider)
    }

    fn go(&self, at: usize, sums: &mut Vec<i32>, want: (u32, i32), insider: Option<u32>) -> bool {
        if at == self.finest.len() {
            return true;
        }
        let cell = self.finest[at];
        let truth = self.seen.system.values[cell as usize];
        let known = insider == Some(self.seen.system.shape.code(cell, 0));
        let tries =
            if known || !self.seen.marks[cell as usize].withheld() { truth..=truth } else { 1..=self.most };
        for value in tries {
            self.containing[at].iter().for_each(|margin| sums[*margin as usize] += value);
            let fits = self.containing[at].iter().all(|margin| {
                let (sum, index) = (sums[*margin as usize], *margin as usize);
                let done = self.last[index] == at;
                let shown = (!self.seen.marks[index].withheld()).then_some(self.seen.system.values[index]);
                let wanted = (*margin == want.0).then_some(want.1);
                [shown, wanted].into_iter().flatten().all(|exact| sum <= exact && (!done || sum == exact))
            });
            let found = fits && self.go(at + 1, sums, want, insider);
            self.containing[at].iter().for_each(|margin| sums[*margin as usize] -= value);
            if found {
                return true;
            }
        }
        false
    }
}

/// Values of SAFE-1 that the enumerator cannot reach, and insiders that know a cell.
fn falls(seen: &Protected, insider: bool, most: i32) -> usize {
    let (attacker, shape) = (Attacker::new(seen, most), &seen.system.shape);
    let contributors = |cell: u32| {
        let parts = (1..=shape.total_code(0)).map(|back| cell - back * shape.stride(0));
        parts.filter(|part| seen.system.values[*part as usize] > 0).count()
    };
    let mut falls = 0;
    for cell in (0..shape.len()).filter(|cell| (1..4).contains(&seen.system.values[*cell as usize])) {
        let least = attacker.containing.iter().zip(&attacker.finest);
        let least =
            least.filter(|(list, finest)| list.contains(&cell) && seen.system.values[**finest as usize] > 0);
        let least = least.count() as i32;
        falls += (least..4).filter(|value| !attacker.possible(cell, *value, None)).count();
        let total = shape.is_total(cell, 0);
        if !insider || (total && contributors(cell) < 2) {
            continue;
        }
        for unit in (0..shape.total_code(0)).filter(|unit| *unit != shape.code(cell, 0)) {
            let values = (1..8).filter(|value| attacker.possible(cell, *value, Some(unit))).count();
            falls += usize::from(values < 2);
        }
    }
    falls
}

#[test]
fn two_small_cells_one_and_one_alone_in_a_line_get_a_range() {
    let seen = protected(&[3, 3], &[1, 1, 0, 7, 9, 8, 6, 5, 9], false);
    assert_eq!(check(&seen, &options(false)), Ok(()));
    assert_eq!(falls(&seen, false, 14), 0);
}

#[test]
fn a_single_small_cell_is_not_left_alone() {
    let seen = protected(&[3, 3], &[2, 8, 9, 7, 9, 8, 6, 5, 9], false);
    assert_eq!(seen.summary.secondary, 3);
    assert_eq!(falls(&seen, false, 14), 0);
}

#[test]
fn without_protection_the_enumerator_finds_the_cell() {
    let mut seen = protected(&[3, 3], &[2, 8, 9, 7, 9, 8, 6, 5, 9], true);
    for (mark, value) in seen.marks.iter_mut().zip(&seen.system.values) {
        if *value >= 4 {
            *mark = Mark::Published;
        }
    }
    assert!(falls(&seen, true, 14) > 0);
    assert!(matches!(check(&seen, &options(true)), Err(Unproven::Witness(_))));
}

#[test]
fn a_table_of_zeros_and_one_without_small_cells_stay_open() {
    assert_eq!(protected(&[2, 3], &[0; 6], true).summary.secondary, 0);
    assert_eq!(protected(&[2, 3], &[9, 8, 7, 6, 5, 4], true).summary.secondary, 0);
}

#[test]
fn a_table_of_one_small_cell_withholds_what_it_must() {
    let seen = protected(&[1], &[2], false);
    assert_eq!(check(&seen, &options(false)), Ok(()));
}

#[test]
fn a_small_cell_among_zeros_withholds_its_totals() {
    let seen = protected(&[2, 2], &[2, 0, 0, 9], true);
    assert_eq!(check(&seen, &options(true)), Ok(()));
    assert_eq!(falls(&seen, true, 14), 0);
}

#[test]
fn a_margin_that_no_single_part_carries_reaches_its_values() {
    let wide = Options { min_count: MinCount::new(6).unwrap(), insider: true, ..Options::default() };
    let finest = [2, 2, 0, 0, 9, 8, 7, 9, 8, 9, 7, 6];
    let system = System::complete(Shape::new(&[3, 4]).unwrap(), &finest).unwrap();
    let seen = protect(system, &wide).unwrap();
    assert_eq!(check(&seen, &wide), Ok(()));
}

#[test]
fn a_proof_that_is_tampered_with_is_refused() {
    let finest = [2, 8, 9, 7, 9, 8, 6, 5, 9];
    let mut seen = protected(&[3, 3], &finest, false);
    seen.witnesses[0].steps[0].times(1000);
    assert!(check(&seen, &options(false)).is_err());
    let mut seen = protected(&[3, 3], &finest, false);
    seen.witnesses.clear();
    assert_eq!(check(&seen, &options(false)), Err(Unproven::Range(0)));
    let mut seen = protected(&[3, 3], &finest, false);
    seen.system.values[15] += 1;
    assert_eq!(check(&seen, &options(false)), Err(Unproven::Sum(15)));
    let mut seen = protected(&[3, 3], &finest, false);
    seen.marks[0] = Mark::Published;
    assert_eq!(check(&seen, &options(false)), Err(Unproven::MarkOf(0)));
}

#[test]
fn counts_that_make_no_table_are_refused() {
    assert_eq!(Shape::new(&[]), Err(ShapeError::Dimensions { found: 0 }));
    assert_eq!(Shape::new(&[2, 0]), Err(ShapeError::Empty { dimension: 1 }));
    assert_eq!(Shape::new(&[60_000, 60_000]), Err(ShapeError::TooLarge));
    let shape = Shape::new(&[2, 2]).unwrap();
    let refused = |finest: &[u32]| System::complete(shape.clone(), finest).unwrap_err();
    assert_eq!(refused(&[1; 3]), ShapeError::Counts { found: 3, expected: 4 }.into());
    assert_eq!(refused(&[u32::MAX; 4]), ShapeError::Sum.into());
}

#[test]
fn debug_shows_no_count() {
    let text = format!("{:?}", protected(&[3, 3], &[2, 8, 9, 7, 9, 8, 6, 5, 977], false));
    assert!(!text.contains("977"));
}

fn counts(cells: usize) -> impl Strategy<Value = Vec<u32>> {
    let count = prop_oneof![2 => Just(0u32), 3 => 1..4u32, 4 => 4..9u32];
    prop::collection::vec(count, cells)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_reader_and_no_insider_narrows_a_table_of_two_dimensions(finest in counts(9), insider: bool) {
        let seen = protected(&[3, 3], &finest, insider);
        prop_assert_eq!(check(&seen, &options(insider)), Ok(()));
        prop_assert_eq!(falls(&seen, insider, 12), 0);
    }

    #[test]
    fn no_reader_and_no_insider_narrows_a_table_of_three_dimensions(finest in counts(12), insider: bool) {
        let seen = protected(&[3, 2, 2], &finest, insider);
        prop_assert_eq!(check(&seen, &options(insider)), Ok(()));
        prop_assert_eq!(falls(&seen, insider, 11), 0);
    }

    #[test]
    fn larger_tables_are_proved_safe_and_come_out_the_same_again(finest in counts(90), insider: bool) {
        let seen = protected(&[5, 3, 6], &finest, insider);
        prop_assert_eq!(check(&seen, &options(insider)), Ok(()));
        let again = protected(&[5, 3, 6], &finest, insider);
        prop_assert!(seen.marks == again.marks && seen.witnesses == again.witnesses);
    }
}
