use proptest::prelude::*;

use super::*;
use crate::blind::choose;
use crate::fixture::{Fixture, one_way, statuses, sum};
use crate::key::PatternKey;

const SIX: [&str; 6] = ["2101", "2104", "2121", "2132", "2161", "2180"];
const TWO_WAY: &str = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
    dimensioner = [\"aktualiseringstyp\", \"kon\"]\n\
    filter = { aktualiseringstyp = [\"ansokan\", \"anmalan\", \"yttrande\"], kon = [\"*\"] }\n";
const TYPES: [&str; 4] = ["ansokan", "anmalan", "yttrande", "TOT"];
const SEXES: [&str; 3] = ["man", "kvinna", "TOT"];

fn two_way() -> Fixture {
    Fixture::new(&SIX, "\"2024\"", TWO_WAY)
}

/// Figures of the two-way table of scope total; nothing else is printed.
fn figures(fixture: &Fixture, table: &[[u64; 2]; 3]) -> Figures {
    let mut totals: BTreeMap<CellIndex, Mark> =
        (0..fixture.system.cells.len()).map(|cell| (cell, Mark::Shown(0))).collect();
    for (at, code) in TYPES.iter().enumerate() {
        for (which, sex) in SEXES.iter().enumerate() {
            let value = |row: &[u64; 2]| if which < 2 { row[which] } else { row[0] + row[1] };
            let sum = if at < 3 { value(&table[at]) } else { table.iter().map(value).sum() };
            totals.insert(fixture.cell("T1", &[code, sex], "2024"), Mark::Shown(sum));
        }
    }
    let units = fixture.collection.units.clone();
    Figures { per_unit: vec![BTreeMap::new(); units.len()], units, totals }
}

fn protect(fixture: &Fixture, figures: &Figures) -> Result<Protected, KnownError> {
    let statuses = vec![Vec::new(); 6];
    protect_totals(
        &fixture.system,
        figures,
        &statuses,
        MinCount::default(),
        Weights::default(),
        &BTreeSet::new(),
        &Settled::default(),
    )
}

/// Every 3 × 2 table that fits what is shown, by trying all; per cell of the table the values that occur.
fn possible(fixture: &Fixture, figures: &Figures, cap: u64) -> BTreeMap<CellIndex, BTreeSet<u64>> {
    let cells: Vec<CellIndex> = TYPES[..3]
        .iter()
        .flat_map(|code| SEXES[..2].iter().map(|sex| fixture.cell("T1", &[code, sex], "2024")))
        .collect();
    let mut found: BTreeMap<CellIndex, BTreeSet<u64>> = BTreeMap::new();
    let choices: Vec<Vec<u64>> = cells
        .iter()
        .map(|cell| figures.totals[cell].shown().map_or_else(|| (1..=cap).collect(), |value| vec![value]))
        .collect();
    let mut tables = vec![Vec::new()];
    for (at, choice) in choices.iter().enumerate() {
        let longer = tables.iter().flat_map(|table: &Vec<u64>| {
            choice.iter().map(move |value| table.iter().copied().chain([*value]).collect::<Vec<_>>())
        });
        // A row is complete after each second cell: prune by its margin.
        let row = fixture.cell("T1", &[TYPES[at / 2], "TOT"], "2024");
        let fits = |table: &Vec<u64>| {
            let sum = table[at / 2 * 2..].iter().sum::<u64>();
            at % 2 == 0 || figures.totals[&row].shown().is_none_or(|shown| shown == sum)
        };
        tables = longer.filter(fits).collect();
    }
    for table in tables {
        let column = |which: usize| table.iter().skip(which).step_by(2).sum::<u64>();
        let margins = [("man", column(0)), ("kvinna", column(1)), ("TOT", table.iter().sum())];
        let fits = margins.iter().all(|(sex, sum)| {
            let cell = fixture.cell("T1", &["TOT", sex], "2024");
            figures.totals[&cell].shown().is_none_or(|shown| shown == *sum)
        });
        if fits {
            cells
                .iter()
                .zip(&table)
                .for_each(|(cell, value)| _ = found.entry(*cell).or_default().insert(*value));
            for (at, row) in table.chunks(2).enumerate() {
                let cell = fixture.cell("T1", &[TYPES[at], "TOT"], "2024");
                found.entry(cell).or_default().insert(row.iter().sum());
            }
        }
    }
    found
}

#[test]
fn one_small_total_in_a_two_way_table_takes_three_more() {
    let fixture = two_way();
    let protected = protect(&fixture, &figures(&fixture, &[[60, 250], [5, 1], [79, 232]])).unwrap();
    assert_eq!(protected.secondary.len(), 3);
    assert!(protected.unprotected.is_empty());
    assert_eq!(protected.witnesses.len(), 2, "one for each other value");
    assert!(protected.witnesses.iter().all(|witness| !witness.changes.is_empty()));
    for code in TYPES {
        assert_ne!(protected.figures.totals[&fixture.cell("T1", &[code, "TOT"], "2024")], Mark::Withheld);
    }
}

#[test]
fn a_small_margin_is_thought_of_no_lower_than_its_parts() {
    let fixture = two_way();
    let protected = protect(&fixture, &figures(&fixture, &[[6, 8], [1, 1], [9, 7]])).unwrap();
    assert!(protected.unprotected.is_empty(), "2 cannot become 1: it has two nonzero parts");
    let cell = fixture.cell("T1", &["anmalan", "TOT"], "2024");
    assert_eq!(possible(&fixture, &protected.figures, 12)[&cell].range(..4).count(), 2);
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    let fixture = two_way();
    let mut figures = figures(&fixture, &[[60, 250], [5, 1], [79, 232]]);
    figures.totals.insert(fixture.cell("T1", &["anmalan", "TOT"], "2024"), Mark::Shown(7));
    assert!(matches!(protect(&fixture, &figures), Err(KnownError::Contradiction(_))));
    let mut short = figures;
    short.per_unit.pop();
    assert!(matches!(protect(&fixture, &short), Err(KnownError::Shape { .. })));
}

#[test]
fn a_lone_small_cell_takes_all_its_margins_with_it() {
    // The only nonzero cell: every margin says the same.
    let fixture = two_way();
    let protected = protect(&fixture, &figures(&fixture, &[[2, 0], [0, 0], [0, 0]])).unwrap();
    let shown = protected.figures.totals.values().filter_map(|mark| mark.shown());
    assert!(
        shown.into_iter().all(|value| value == 0),
        "cell, row, column and grand total are all the same two"
    );
    assert!(protected.unprotected.is_empty(), "with all of them withheld it may be 1, 2 or 3");
}

#[test]
fn a_closed_total_stays_closed_and_bortfall_stays_shown() {
    let fixture = Fixture::new(&SIX, "\"2024\"", &TWO_WAY.replace("], kon = [\"*\"] }", "] }"));
    let mut figures = figures(&fixture, &[[60, 250], [5, 1], [79, 232]]);
    let bortfall = fixture.system.tables[0].bortfall[0];
    figures.totals.insert(bortfall, Mark::Shown(2));
    let closed = fixture.cell("T1", &["yttrande", "man"], "2024");
    figures.totals.insert(closed, Mark::Withheld);
    let protected = protect(&fixture, &figures).unwrap();
    assert_eq!(protected.figures.totals[&closed], Mark::Withheld);
    assert_eq!(protected.figures.totals[&bortfall], Mark::Shown(2), "registration is no person");
    assert!(!protected.secondary.contains(&closed));
}

/// Everything of the value-blind stage, then the county stage, for one kommun table of three types.
fn both_stages(
    values: &[[u64; 3]],
) -> (Fixture, Vec<Vec<u64>>, tables::figures::Pattern, Figures, Protected) {
    let fixture = Fixture::new(&SIX, "\"2024\"", &one_way(&TYPES[..3]));
    let atoms: Vec<u32> = TYPES[..3].iter().map(|code| fixture.atom("T1", &[code], "2024")).collect();
    let own = |row: &[u64; 3]| {
        let mut own = vec![0; fixture.system.unit_atoms];
        atoms.iter().zip(row).for_each(|(atom, value)| own[*atom as usize] = *value);
        own
    };
    let values: Vec<Vec<u64>> = values.iter().map(own).collect();
    let units = fixture.collection.units.clone();
    let pattern =
        choose(&fixture.system, &units, &statuses(&values), &PatternKey::new(&[1; 32]), &[]).unwrap();
    let value = |own: &Vec<u64>, cell: CellIndex| {
        fixture.system.cells[cell].unit_atoms.as_ref().map_or(0, |atoms| sum(own, atoms))
    };
    let marks = |(own, withheld): (&Vec<u64>, &BTreeSet<CellIndex>)| {
        let mark = |cell| {
            (cell, if withheld.contains(&cell) { Mark::Withheld } else { Mark::Shown(value(own, cell)) })
        };
        fixture.system.per_unit().map(mark).collect()
    };
    let total = |cell| {
        let shown = Mark::Shown(values.iter().map(|own| value(own, cell)).sum());
        (cell, if pattern.closed.contains(&cell) { Mark::Withheld } else { shown })
    };
    let figures = Figures {
        per_unit: values.iter().zip(&pattern.withheld).map(marks).collect(),
        units,
        totals: (0..fixture.system.cells.len()).map(total).collect(),
    };
    let four = MinCount::default();
    let protected = protect_totals(
        &fixture.system,
        &figures,
        &statuses(&values),
        four,
        Weights::default(),
        &BTreeSet::new(),
        &Settled::default(),
    )
    .unwrap();
    (fixture, values, pattern, figures, protected)
}

#[test]
fn an_all_small_line_with_too_low_a_sum_is_withheld_and_not_given_back() {
    let low = [[9, 9, 1], [9, 9, 1], [9, 9, 1], [9, 9, 1], [9, 9, 1], [9, 9, 0]];
    let (fixture, values, mut pattern, _, protected) = both_stages(&low);
    let column = fixture.cell("T1", &["yttrande"], "2024");
    assert!(pattern.open.contains(&column));
    assert_eq!(protected.figures.totals[&column], Mark::Withheld);
    assert!(!protected.secondary.is_empty(), "the grand total and the other columns would give it back");
    close_what_was_withheld(&mut pattern, &protected);
    let units = &fixture.collection.units;
    let adversary = crate::fixture::Adversary::new(&fixture.system, units, &values, &pattern);
    for insider in [None, Some(0), Some(3), Some(5)] {
        let Some(possible) = adversary.possible(insider) else {
            continue;
        };
        for (place, values) in possible {
            assert!(values.len() >= 2, "{place:?} {insider:?}: {values:?}");
        }
    }
}

#[test]
fn an_all_small_line_with_a_high_sum_stays_shown() {
    let high = [[9, 9, 3], [9, 9, 3], [9, 9, 3], [9, 9, 3], [9, 9, 3], [9, 9, 0]];
    let (fixture, _, _, _, protected) = both_stages(&high);
    assert!(protected.figures.totals[&fixture.cell("T1", &["yttrande"], "2024")].shown().is_some());
    assert!(protected.secondary.is_empty());
}

#[test]
fn the_county_stage_leaves_units_and_readable_sums_alone() {
    let rows = [[9, 8, 1], [9, 9, 9], [7, 8, 9], [6, 7, 8], [9, 5, 6], [8, 8, 8]];
    let (_, _, _, before, protected) = both_stages(&rows);
    assert_eq!(before, protected.figures, "nothing small among the totals");
}

#[test]
fn debug_of_a_witness_prints_no_change() {
    let fixture = two_way();
    let protected = protect(&fixture, &figures(&fixture, &[[60, 250], [5, 1], [79, 232]])).unwrap();
    let text = format!("{:?}", protected.witnesses[0]);
    assert!(text.ends_with("4 totals)"), "{text}");
}

fn close_what_was_withheld(pattern: &mut tables::figures::Pattern, protected: &Protected) {
    for (cell, mark) in &protected.figures.totals {
        if *mark == Mark::Withheld {
            pattern.open.remove(cell);
            pattern.closed.insert(*cell);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_stages_together_leave_reader_and_insiders_uncertain_of_all_small_lines(
        rows in prop::array::uniform6((4u64..7, 4u64..7, 1u64..4)), empty in prop::option::of(0usize..6),
    ) {
        let mut table = rows.map(|(one, two, three)| [one, two, three]);
        if let Some(at) = empty {
            table[at][2] = 0;
        }
        let (fixture, values, mut pattern, _, protected) = both_stages(&table);
        close_what_was_withheld(&mut pattern, &protected);
        let units = &fixture.collection.units;
        let adversary = crate::fixture::Adversary::new(&fixture.system, units, &values, &pattern);
        for insider in [None, Some(0), Some(1), Some(5)] {
            let Some(possible) = adversary.possible(insider) else { continue };
            for (place, values) in possible {
                prop_assert!(values.len() >= if insider.is_none() { 3 } else { 2 }, "{place:?} {insider:?}: {values:?}");
            }
        }
    }

    #[test]
    fn a_reader_who_tries_every_table_keeps_the_full_range(
        table in prop::array::uniform3(prop::array::uniform2(prop_oneof![1 => Just(0u64), 2 => 1u64..4, 3 => 4u64..9])),
    ) {
        let fixture = two_way();
        let before = figures(&fixture, &table);
        let protected = protect(&fixture, &before).unwrap();
        let possible = possible(&fixture, &protected.figures, 14);
        for (cell, mark) in &before.totals {
            let Some(value) = mark.shown().filter(|value| (1..4).contains(value)) else { continue };
            let unprotected = protected.unprotected.iter().any(|target| target.cell == Some(*cell));
            prop_assert!(!unprotected);
            prop_assert_eq!(protected.figures.totals[cell], Mark::Withheld);
            let column = SEXES.iter().any(|sex| *cell == fixture.cell("T1", &["TOT", sex], "2024"));
            if column {
                continue; // tried through its cells
            }
            let possible = &possible[cell];
            let parts = table.iter().enumerate()
                .find(|(at, _)| *cell == fixture.cell("T1", &[TYPES[*at], "TOT"], "2024"))
                .map_or(1, |(_, row)| row.iter().filter(|value| **value > 0).count() as u64);
            for wanted in parts.max(1)..4 {
                prop_assert!(possible.contains(&wanted), "{} of {} in {:?}", wanted, value, table);
            }
        }
    }
}

/// One way by type, each code counted: events that list ansokan alone, anmalan alone, and both.
fn each(first: u64, second: u64, both: u64) -> (Fixture, Figures) {
    let table = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
        dimensioner = [\"aktualiseringstyp\"]\nflera = { aktualiseringstyp = \"varje\" }\n";
    let fixture = Fixture::new(&SIX, "\"2024\"", table);
    let mut totals: BTreeMap<CellIndex, Mark> =
        (0..fixture.system.cells.len()).map(|cell| (cell, Mark::Shown(0))).collect();
    for (code, value) in
        [("ansokan", first + both), ("anmalan", second + both), ("TOT", first + second + both)]
    {
        totals.insert(fixture.cell("T1", &[code], "2024"), Mark::Shown(value));
    }
    let units = fixture.collection.units.clone();
    let figures = Figures { per_unit: vec![BTreeMap::new(); units.len()], units, totals };
    (fixture, figures)
}

/// The values of the events under each code, of both and in all that some events have, by trying all.
fn overlapping(fixture: &Fixture, figures: &Figures, cap: u64) -> [BTreeSet<u64>; 4] {
    let mark = |code: &str| figures.totals[&fixture.cell("T1", &[code], "2024")];
    let agrees = |mark: Mark, value: u64| mark.shown().map_or(value > 0, |shown| shown == value);
    let mut found: [BTreeSet<u64>; 4] = Default::default();
    for one in 0..=cap {
        for two in 0..=cap {
            for both in 0..=cap {
                let values = [one + both, two + both, both, one + two + both];
                let marks =
                    [(mark("ansokan"), values[0]), (mark("anmalan"), values[1]), (mark("TOT"), values[3])];
                if marks.into_iter().all(|(mark, value)| agrees(mark, value)) {
                    found.iter_mut().zip(values).for_each(|(found, value)| _ = found.insert(value));
                }
            }
        }
    }
    found
}

#[test]
fn safe_1_few_with_both_of_two_codes_are_hidden_and_so_is_a_part_that_the_total_bounds() {
    for (first, second, both, small) in [(9, 9, 2, 2), (5, 3, 0, 1)] {
        let (fixture, figures) = each(first, second, both);
        let protected = protect(&fixture, &figures).unwrap();
        assert!(protected.unprotected.is_empty());
        let before = &overlapping(&fixture, &figures, 24)[small];
        let after = &overlapping(&fixture, &protected.figures, 24)[small];
        let is_open = |values: &BTreeSet<u64>| (1..4).all(|value| values.contains(&value));
        assert!(is_open(after) && (small == 1 || !is_open(before)), "{first} {second} {both}: {after:?}");
    }
}

#[test]
fn overlapping_codes_that_are_all_plain_cost_nothing() {
    let (fixture, figures) = each(9, 9, 6);
    assert_eq!(protect(&fixture, &figures).unwrap().figures, figures);
}
