//! Random linked, filtered and grouped tables against an attacker who tries everything (SAFE-1, SAFE-2).
//!
//! The attacker knows relations, published counts, and that a withheld count is at least 1; it searches whole-number tables
//! by narrowing intervals and branching, and shares nothing with the engine. What it cannot exclude when every nonzero cell is
//! withheld is attainable; all of that must remain possible in the protected tables.

#![allow(clippy::unwrap_used)] // a test that fails here should

use proptest::prelude::*;
use suppress::table::{
    Dimension, Mark, Options, Presence, ProtectError, Protected, Range, Rule, System, Table, proof, protect,
};

/// Systems tried: 48, or as many as `SAMMAN_CASES` says (a soak).
fn cases() -> u32 {
    std::env::var("SAMMAN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

/// Values over the true one that the attacker tries.
const ABOVE: i64 = 9;

/// Whole numbers within bounds that add up.
#[derive(Clone)]
struct Puzzle {
    low: Vec<i64>,
    high: Vec<i64>,
    /// Total, then parts.
    lines: Vec<Vec<usize>>,
}

impl Puzzle {
    /// What someone sees of a system; `hidden` says which cells are withheld.
    fn new(system: &System, least: i64, hidden: &dyn Fn(usize) -> bool, insider: Option<u16>) -> Self {
        let shape = &system.shape;
        let mut puzzle = Self { low: Vec::new(), high: Vec::new(), lines: Vec::new() };
        for at in 0..system.values.len() {
            let value = i64::from(system.values[at]);
            let known = insider.is_some_and(|unit| shape.unit_of(at as u32) == Some(unit));
            let unprinted = system.presence[at] == Presence::Unprinted;
            let (low, high) = match system.presence[at] {
                Presence::Absent => (0, 0),
                _ if known || !(hidden(at) || unprinted) => (value, value),
                _ => (if unprinted { 0 } else { least }, value + ABOVE),
            };
            puzzle.low.push(low);
            puzzle.high.push(high);
        }
        for cell in 0..shape.len() {
            for parts in shape.relations_under(cell) {
                let line: Vec<usize> = std::iter::once(cell).chain(parts).map(|cell| cell as usize).collect();
                if line.iter().all(|at| system.presence[*at] != Presence::Absent) {
                    puzzle.lines.push(line);
                }
            }
        }
        puzzle
    }

    fn possible(&self, cell: usize, value: i64) -> bool {
        let mut puzzle = self.clone();
        if value < puzzle.low[cell] || value > puzzle.high[cell] {
            return false;
        }
        (puzzle.low[cell], puzzle.high[cell]) = (value, value);
        puzzle.solve()
    }

    fn solve(mut self) -> bool {
        if !self.narrow() {
            return false;
        }
        let open = (0..self.low.len()).filter(|at| self.low[*at] < self.high[*at]);
        let Some(cell) = open.min_by_key(|at| self.high[*at] - self.low[*at]) else { return true };
        (self.low[cell]..=self.high[cell]).any(|value| {
            let mut next = self.clone();
            (next.low[cell], next.high[cell]) = (value, value);
            next.solve()
        })
    }

    fn narrow(&mut self) -> bool {
        loop {
            let mut changed = false;
            for line in &self.lines {
                let low: i64 = line[1..].iter().map(|at| self.low[*at]).sum();
                let high: i64 = line[1..].iter().map(|at| self.high[*at]).sum();
                let total = line[0];
                let (total_low, total_high) = (self.low[total].max(low), self.high[total].min(high));
                changed |= (total_low, total_high) != (self.low[total], self.high[total]);
                (self.low[total], self.high[total]) = (total_low, total_high);
                for part in &line[1..] {
                    let (own_low, own_high) = (self.low[*part], self.high[*part]);
                    let part_low = own_low.max(total_low - (high - own_high));
                    let part_high = own_high.min(total_high - (low - own_low));
                    // Sums of the other parts are of bounds before this line was narrowed: wider, so still right.
                    changed |= (part_low, part_high) != (own_low, own_high);
                    (self.low[*part], self.high[*part]) = (part_low, part_high);
                }
                if line.iter().any(|at| self.low[*at] > self.high[*at]) {
                    return false;
                }
            }
            if !changed {
                return true;
            }
        }
    }
}

/// Attainable values that the attacker excludes, and insiders that are left with one value where two are attainable.
fn falls(seen: &Protected, options: &Options) -> usize {
    let (system, least) = (&seen.system, i64::from(options.least_shown()));
    let all = Puzzle::new(system, least, &|at| system.values[at] > 0 || options.zeros, None);
    let reader = Puzzle::new(system, least, &|at| seen.marks[at].withheld(), None);
    let small = |at: &usize| system.presence[*at] != Presence::Absent && options.is_small(system.values[*at]);
    let units: Vec<u16> = {
        let mut units: Vec<u16> =
            (0..system.shape.total_code(0)).filter_map(|code| system.shape.unit(code)).collect();
        units.dedup();
        units
    };
    let mut falls = 0;
    for at in (0..system.values.len()).filter(small) {
        let low = i64::from(!options.zeros);
        for value in low..i64::from(options.min_count.get()) {
            falls += usize::from(all.possible(at, value) && !reader.possible(at, value));
        }
        // A total that one unit makes up alone is that unit's own.
        let alone = system.shape.unit_of(at as u32).is_none() && {
            let part = |code: u32| system.shape.with_code(at as u32, 0, code as u16) as usize;
            let codes = 0..u32::from(system.shape.dimension(0).leaves());
            let mut some: Vec<Option<u16>> = codes
                .filter(|code| system.values[part(*code)] > 0)
                .map(|code| system.shape.unit(code))
                .collect();
            some.dedup();
            some.len() < 2
        };
        for unit in units
            .iter()
            .filter(|unit| !alone && options.insider && system.shape.unit_of(at as u32) != Some(**unit))
        {
            let known = |hidden: &dyn Fn(usize) -> bool| {
                let puzzle = Puzzle::new(system, least, hidden, Some(*unit));
                (0..8).filter(|value| puzzle.possible(at, *value)).take(2).count()
            };
            let could = known(&|at| system.values[at] > 0 || options.zeros);
            falls += usize::from(could == 2 && known(&|at| seen.marks[at].withheld()) < 2);
        }
    }
    falls
}

/// Records: unit, kon, alder, orsak, each from 0.
type Record = [u16; 4];
const SIZES: [u16; 4] = [3, 2, 3, 2];

/// The counts of records by some dimensions, others standing at their total.
fn counts(
    records: &[Record],
    dimensions: &[Dimension],
    by: &[usize],
    filter: Option<(usize, u16)>,
) -> Vec<(Vec<u16>, u32)> {
    let mut all: Vec<(Vec<u16>, u32)> = vec![(dimensions.iter().map(Dimension::total).collect(), 0)];
    for at in by {
        let codes = match filter {
            Some((dimension, code)) if dimension == *at => code..code + 1,
            _ => 0..SIZES[*at],
        };
        all = all
            .into_iter()
            .flat_map(|(key, _)| {
                codes.clone().map(move |code| {
                    let mut key = key.clone();
                    key[*at] = code;
                    (key, 0)
                })
            })
            .collect();
    }
    for (key, count) in &mut all {
        let fits = |record: &&Record| {
            by.iter().all(|at| record[*at] == key[*at])
                && filter.is_none_or(|(dimension, code)| record[dimension] == code)
        };
        *count = records.iter().filter(fits).count() as u32;
    }
    all
}

fn table(records: &[Record], dimensions: &[Dimension], by: &[usize], filter: Option<(usize, u16)>) -> Table {
    let codes = (0..dimensions.len())
        .map(|at| match filter {
            Some((dimension, code)) if dimension == at => vec![code],
            _ if by.contains(&at) => (0..=dimensions[at].total()).collect(),
            _ => vec![dimensions[at].total()],
        })
        .collect();
    Table { codes, counts: counts(records, dimensions, by, filter) }
}

/// A table: its dimensions, and of one of them the only code.
type Kind = (Vec<usize>, Option<(usize, u16)>);

/// Four kinds of systems: two linked tables, one of them filtered, one with a group of codes.
fn system(kind: usize, records: &[Record], units: &[u16]) -> System {
    let flat = |at: usize| Dimension::flat(at, SIZES[at].into()).unwrap();
    let grouped = Dimension::grouped(2, 3, &[vec![0, 1]]).unwrap();
    let (dimensions, tables): (Vec<Dimension>, Vec<Kind>) = match kind {
        0 => (vec![flat(0), flat(1), flat(2), flat(3)], vec![(vec![0, 1], None), (vec![0, 3], None)]),
        1 => (
            vec![flat(0), flat(1), flat(2), flat(3)],
            vec![(vec![0, 2], None), (vec![0, 2, 3], Some((3, 1)))],
        ),
        2 => (vec![flat(0), flat(1), grouped, flat(3)], vec![(vec![0, 2], None), (vec![0, 3], None)]),
        _ => (
            vec![flat(0), flat(1), grouped, flat(3)],
            vec![(vec![0, 2], None), (vec![0, 1], None), (vec![0, 2, 1], Some((1, 0)))],
        ),
    };
    let tables: Vec<Table> =
        tables.iter().map(|(by, filter)| table(records, &dimensions, by, *filter)).collect();
    System::link(dimensions, units, &tables).unwrap()
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record = (0..3u16, 0..2u16, 0..3u16, 0..2u16).prop_map(|(a, b, c, d)| [a, b, c, d]);
    // Uneven: many of some kinds, few of others.
    prop::collection::vec((record, 1..6usize), 1..14).prop_map(|kinds| {
        kinds.into_iter().flat_map(|(record, times)| std::iter::repeat_n(record, times)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn no_reader_and_no_insider_narrows_linked_filtered_and_grouped_tables(
        records in records(),
        kind in 0..4usize,
        insider: bool,
        together: bool,
    ) {
        // Two of the three areas may be sub-units of one kommun.
        let units = if together { [0, 0, 1] } else { [0, 1, 2] };
        let options = Options { insider, ..Options::default() };
        let seen = protect(system(kind, &records, &units), &options).unwrap();
        prop_assert_eq!(proof::check(&seen, &options), Ok(()));
        prop_assert_eq!(falls(&seen, &options), 0);
        for (at, mark) in seen.marks.iter().enumerate() {
            prop_assert!(*mark != Mark::Published || seen.system.values[at] >= 4);
        }
    }

    #[test]
    fn protected_zeros_have_a_range_too(records in records(), kind in 0..3usize) {
        let options = Options { zeros: true, ..Options::default() };
        match protect(system(kind, &records, &[0, 1, 2]), &options) {
            Ok(seen) => {
                prop_assert_eq!(proof::check(&seen, &options), Ok(()));
                prop_assert_eq!(falls(&seen, &options), 0);
                prop_assert!(!seen.marks.contains(&Mark::Zero));
            }
            Err(error) => {
                let expected = matches!(error, ProtectError::Unprotectable { .. });
                prop_assert!(expected);
            }
        }
    }

    #[test]
    fn another_unit_or_another_order_of_tables_never_breaks_safety(records in records(), more in records()) {
        let options = Options { insider: true, ..Options::default() };
        let some: Vec<Record> = records.iter().filter(|record| record[0] < 2).copied().collect();
        for records in [some.clone(), [some, more].concat()] {
            let seen = protect(system(0, &records, &[0, 1, 2]), &options).unwrap();
            prop_assert_eq!(falls(&seen, &options), 0);
        }
    }
}

/// Small counts beside large ones, in one table of three units and three codes.
fn plain() -> System {
    let shape = suppress::table::Shape::new(&[3, 3]).unwrap();
    System::complete(shape, &[2, 8, 9, 7, 9, 8, 6, 5, 9]).unwrap()
}

fn cell(unit: u32, code: u32) -> u32 {
    unit * 4 + code
}

#[test]
fn what_is_to_be_shown_is_shown_and_what_is_to_be_withheld_is_and_cannot_be_computed() {
    let mut system = plain();
    // The corner that the engine would take else, and one far from the small cell.
    system.rules.insert(cell(2, 1), Rule::Show);
    system.rules.insert(cell(1, 2), Rule::Hide);
    let options = Options::default();
    let seen = protect(system, &options).unwrap();
    assert_eq!(proof::check(&seen, &options), Ok(()));
    assert_eq!(seen.marks[cell(2, 1) as usize], Mark::Published);
    assert_eq!(seen.marks[cell(1, 2) as usize], Mark::Primary);
    let reader = Puzzle::new(&seen.system, 1, &|at| seen.marks[at].withheld(), None);
    let values = (0..20).filter(|value| reader.possible(cell(1, 2) as usize, *value)).count();
    assert!(values > 1);
}

#[test]
fn what_was_withheld_before_stays_withheld_without_being_protected_itself() {
    let mut system = plain();
    system.rules.insert(cell(2, 2), Rule::Keep);
    let seen = protect(system, &Options::default()).unwrap();
    assert_eq!(seen.marks[cell(2, 2) as usize], Mark::Primary);
    assert_eq!(proof::check(&seen, &Options::default()), Ok(()));
}

#[test]
fn rules_that_leave_no_protection_are_refused_and_name_the_cell() {
    let mut system = plain();
    system.rules.insert(cell(0, 0), Rule::Show);
    assert_eq!(protect(system, &Options::default()).unwrap_err(), ProtectError::Rule { cell: cell(0, 0) });
    let mut system = plain();
    for at in 0..16 {
        if at != cell(0, 0) {
            system.rules.insert(at, Rule::Show);
        }
    }
    let refused = protect(system, &Options::default()).unwrap_err();
    assert_eq!(refused, ProtectError::Unprotectable { cells: 1, first: cell(0, 0) });
}

#[test]
fn a_weight_sends_the_protection_elsewhere() {
    let protected = |weighed: &[u32]| {
        let mut system = plain();
        system.weights.extend(weighed.iter().map(|cell| (*cell, 50)));
        let seen = protect(system, &Options::default()).unwrap();
        (0..16).filter(|at| seen.marks[*at as usize] == Mark::Secondary).collect::<Vec<u32>>()
    };
    let first = protected(&[]);
    assert_eq!(first.len(), 3);
    assert!(protected(&first).iter().all(|cell| !first.contains(cell)));
}

#[test]
fn exact_only_and_given_intervals_ask_for_less_and_for_more() {
    let count = |range| {
        let options = Options { range, ..Options::default() };
        let seen = protect(plain(), &options).unwrap();
        assert_eq!(proof::check(&seen, &options), Ok(()));
        let reader = Puzzle::new(&seen.system, 1, &|at| seen.marks[at].withheld(), None);
        (0..12).filter(|value| reader.possible(0, *value)).count()
    };
    assert!(count(Range::Exact) >= 2);
    assert!(count(Range::Values { low: 1, high: 6 }) >= 6);
    // Nothing can be 60 more without another cell that is 60 less, or every total of it open: even the grand total.
    let options = Options { range: Range::Values { low: 1, high: 60 }, ..Options::default() };
    let seen = protect(plain(), &options).unwrap();
    assert!(seen.summary.grand_total);
    assert_eq!(proof::check(&seen, &options), Ok(()));
}

#[test]
fn who_is_alone_in_a_cell_does_not_learn_the_other_small_cell_of_the_line() {
    // 1 + 2 alone in a line of four: whoever is the 1 would know the 2.
    let shape = suppress::table::Shape::new(&[3, 4]).unwrap();
    let system = System::complete(shape, &[1, 2, 40, 50, 40, 50, 60, 70, 80, 40, 50, 60]).unwrap();
    let options = Options { singleton: true, ..Options::default() };
    let seen = protect(system, &options).unwrap();
    assert_eq!(proof::check(&seen, &options), Ok(()));
    let mut puzzle = Puzzle::new(&seen.system, 1, &|at| seen.marks[at].withheld(), None);
    (puzzle.low[0], puzzle.high[0]) = (1, 1);
    assert!((0..8).filter(|value| puzzle.possible(1, *value)).count() > 1);
}

#[test]
fn a_line_that_falls_in_one_category_does_not_show_it_where_that_is_asked_for() {
    let shape = suppress::table::Shape::new(&[3, 3]).unwrap();
    let system = System::complete(shape, &[12, 0, 0, 7, 9, 8, 6, 5, 9]).unwrap();
    let options = Options { groups: vec![1], ..Options::default() };
    let seen = protect(system, &options).unwrap();
    assert_eq!(proof::check(&seen, &options), Ok(()));
    assert_eq!(seen.summary.alone, 1);
    let reader = Puzzle::new(&seen.system, 0, &|at| seen.marks[at].withheld(), None);
    assert!(reader.possible(0, 11), "someone may be in another category");
}

#[test]
fn linked_tables_that_do_not_count_the_same_records_are_refused() {
    let dimensions =
        vec![Dimension::flat(0, 2).unwrap(), Dimension::flat(1, 2).unwrap(), Dimension::flat(2, 2).unwrap()];
    let one = Table {
        codes: vec![vec![0, 1, 2], vec![0, 1, 2], vec![2]],
        counts: vec![(vec![0, 0, 2], 5), (vec![0, 1, 2], 5), (vec![1, 0, 2], 5), (vec![1, 1, 2], 5)],
    };
    let other = Table {
        codes: vec![vec![0, 1, 2], vec![2], vec![0, 1, 2]],
        counts: vec![(vec![0, 2, 0], 5), (vec![0, 2, 1], 6), (vec![1, 2, 0], 5), (vec![1, 2, 1], 5)],
    };
    let error = System::link(dimensions, &[0, 1], &[one, other]).unwrap_err();
    assert!(error.to_string().starts_with("table 1 gives another count"));
}

#[test]
fn an_unprinted_small_difference_between_a_table_and_its_filter_gets_a_range() {
    // Unit 0, code 0: all 9, of them 7 let through; the rest is 2.
    let records: Vec<Record> = [
        ([0, 0, 0, 1], 7),
        ([0, 0, 0, 0], 2),
        ([0, 0, 1, 1], 9),
        ([0, 0, 1, 0], 8),
        ([0, 0, 2, 0], 9),
        ([0, 0, 2, 1], 6),
        ([1, 0, 0, 1], 9),
        ([1, 0, 0, 0], 8),
        ([1, 0, 1, 1], 7),
        ([1, 0, 1, 0], 9),
        ([1, 0, 2, 0], 5),
        ([1, 0, 2, 1], 6),
        ([2, 0, 0, 1], 8),
        ([2, 0, 0, 0], 7),
        ([2, 0, 1, 1], 6),
        ([2, 0, 1, 0], 9),
        ([2, 0, 2, 0], 7),
        ([2, 0, 2, 1], 8),
    ]
    .into_iter()
    .flat_map(|(record, times)| std::iter::repeat_n(record, times))
    .collect();
    let options = Options { insider: true, ..Options::default() };
    let seen = protect(system(1, &records, &[0, 1, 2]), &options).unwrap();
    assert!(seen.summary.differences > 0 && seen.summary.small > 0 && seen.summary.secondary > 0);
    assert_eq!(falls(&seen, &options), 0);
}

#[test]
fn a_total_that_two_units_move_only_together_keeps_each_of_them_out() {
    // Found by chance: down by two takes both units, so each of them needs a witness of its own.
    let records: Vec<Record> = vec![[0, 0, 2, 0], [1, 1, 2, 0], [1, 1, 2, 0], [0, 1, 2, 0], [0, 0, 0, 0]];
    let options = Options { insider: true, ..Options::default() };
    let seen = protect(system(3, &records, &[0, 1, 2]), &options).unwrap();
    assert_eq!(proof::check(&seen, &options), Ok(()));
    assert_eq!(falls(&seen, &options), 0);
}

#[test]
fn a_unit_that_takes_part_in_every_witness_is_kept_out_by_another_choice() {
    let records: Vec<Record> = vec![[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]];
    let options = Options { insider: true, ..Options::default() };
    let seen = protect(system(1, &records, &[0, 1, 2]), &options).unwrap();
    assert_eq!(falls(&seen, &options), 0);
}

#[test]
fn what_is_left_beside_a_filter_on_a_group_is_a_cell() {
    let reasons = Dimension::grouped(2, 3, &[vec![0, 1]]).unwrap();
    let dimensions = vec![Dimension::flat(0, 2).unwrap(), Dimension::flat(1, 2).unwrap(), reasons];
    let table = |code: u16, counts: [u32; 4]| Table {
        codes: vec![vec![0, 1, 2], vec![0, 1, 2], vec![code]],
        counts: (0..4).map(|at| (vec![at / 2, at % 2, code], counts[usize::from(at)])).collect(),
    };
    // All, and those of a group of reasons: in one cell two are left.
    let tables = [table(4, [50, 60, 70, 80]), table(3, [48, 30, 40, 50])];
    let system = System::link(dimensions, &[0, 1], &tables).unwrap();
    let seen = protect(system, &Options::default()).unwrap();
    let shape = &seen.system.shape;
    let cell = |reason: u16| {
        let place = [0, 0, reason].into_iter().enumerate();
        place.fold(0, |cell, (at, code)| shape.with_code(cell, at, code)) as usize
    };
    let total = shape.dimension(2).total();
    assert!(seen.marks[cell(3)].withheld() || seen.marks[cell(total)].withheld());
}

#[test]
fn a_group_of_groups_is_their_sum_although_no_table_has_the_finest_codes() {
    let groups = [vec![0, 1], vec![2, 3], vec![4, 5], vec![0, 1, 2, 3]];
    let dimensions = vec![Dimension::flat(0, 2).unwrap(), Dimension::grouped(1, 6, &groups).unwrap()];
    let counts = [2, 50, 9, 9, 50, 9].into_iter().enumerate();
    let counts = counts.map(|(at, count)| (vec![at as u16 / 3, 6 + at as u16 % 3], count)).collect();
    let table = Table { codes: vec![vec![0, 1, 2], vec![6, 7, 8, 9, 10]], counts };
    let system = System::link(dimensions, &[0, 1], &[table]).unwrap();
    let known = system.shape.dimension(1).relations();
    assert!(known.iter().any(|relation| relation.total == 9 && relation.parts == [6, 7]));
    let options = Options { insider: true, ..Options::default() };
    let seen = protect(system, &Options::default()).unwrap();
    assert_eq!(falls(&seen, &Options::default()), 0);
    assert_eq!(falls(&protect(seen.system, &options).unwrap(), &options), 0);
}

#[test]
fn other_withheld_cells_are_at_least_one_although_a_zero_may_be_withheld_for_its_line() {
    let shape = suppress::table::Shape::new(&[2, 4]).unwrap();
    let system = System::complete(shape, &[10, 8, 1, 2, 9, 9, 7, 8]).unwrap();
    let options = Options { groups: vec![1], ..Options::default() };
    let seen = protect(system, &options).unwrap();
    assert_eq!(proof::check(&seen, &options), Ok(()));
    assert_eq!(falls(&seen, &options), 0);
}

#[test]
fn nobody_promises_safety_against_units_that_no_table_has() {
    let areas = Dimension::grouped(0, 4, &[vec![0, 1], vec![2, 3]]).unwrap();
    let dimensions = vec![areas, Dimension::flat(1, 2).unwrap()];
    let counts = [1, 5, 7, 9].into_iter().enumerate();
    let counts = counts.map(|(at, count)| (vec![4 + at as u16 / 2, at as u16 % 2], count)).collect();
    let table = Table { codes: vec![vec![4, 5, 6], vec![0, 1, 2]], counts };
    let system = System::link(dimensions, &[0, 1, 2, 3], &[table]).unwrap();
    let options = Options { insider: true, ..Options::default() };
    assert_eq!(protect(system.clone(), &options).unwrap_err(), ProtectError::Areas);
    assert!(protect(system, &Options::default()).is_ok());
}

#[test]
fn with_zeros_withheld_no_total_is_known_to_be_one_units_alone() {
    let shape = suppress::table::Shape::new(&[3, 3]).unwrap();
    let system = System::complete(shape, &[1, 9, 9, 0, 8, 9, 0, 9, 9]).unwrap();
    let options = Options { zeros: true, insider: true, ..Options::default() };
    let seen = protect(system, &options).unwrap();
    assert_eq!(seen.summary.sole, 0);
    assert_eq!(proof::check(&seen, &options), Ok(()));
    // The total of the first code, with the third unit's own cells known.
    let puzzle = Puzzle::new(&seen.system, 0, &|at| seen.marks[at].withheld(), Some(2));
    assert!((0..8).filter(|value| puzzle.possible(12, *value)).count() > 1);
}

#[test]
fn a_group_of_everything_is_the_total_although_no_table_has_the_finest_codes() {
    let groups = [vec![0, 1], vec![2, 3], vec![0, 1, 2, 3]];
    let dimensions = vec![Dimension::flat(0, 2).unwrap(), Dimension::grouped(1, 4, &groups).unwrap()];
    let counts = [2, 50, 9, 40].into_iter().enumerate();
    let counts = counts.map(|(at, count)| (vec![at as u16 / 2, 4 + at as u16 % 2], count)).collect();
    let table = Table { codes: vec![vec![0, 1, 2], vec![4, 5, 6, 7]], counts };
    let system = System::link(dimensions, &[0, 1], &[table]).unwrap();
    let known = system.shape.dimension(1).relations();
    assert!(known.iter().any(|relation| relation.total == 7 && relation.parts == [6]));
    let seen = protect(system, &Options::default()).unwrap();
    assert_eq!(proof::check(&seen, &Options::default()), Ok(()));
    for unit in 0..3 {
        let mark = |code: u16| seen.marks[seen.system.shape.with_code(unit * 8, 1, code) as usize];
        assert_eq!(mark(6).withheld(), mark(7).withheld(), "one count under two names");
        // The two parts and their sum, under either name.
        let hidden = [4, 5].into_iter().filter(|code| mark(*code).withheld()).count();
        assert!(hidden != 1 || mark(7).withheld());
    }
}
