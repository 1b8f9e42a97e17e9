use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::blind;
use crate::fixture::{Fixture, one_way, statuses, sum};

const SIX: [&str; 6] = ["2101", "2104", "2121", "2132", "2161", "2180"];
const THREE: [&str; 3] = ["ansokan", "anmalan", "yttrande"];

fn key() -> PatternKey {
    PatternKey::new(&[9; 32])
}

fn three() -> Fixture {
    Fixture::new(&SIX, "\"2024\"", &one_way(&THREE))
}

/// Two versions of everybody's counts. Values are by unit atom; `None` where the unit is not in the version.
struct World<'a> {
    fixture: &'a Fixture,
    before: Vec<Option<Vec<u64>>>,
    after: Vec<Option<Vec<u64>>>,
}

struct Published {
    old: (Vec<Unit>, Pattern),
    new: (Vec<Unit>, Corrected),
}

impl World<'_> {
    fn roster(&self, version: &[Option<Vec<u64>>]) -> (Vec<Unit>, Vec<Vec<u64>>) {
        let both = self.fixture.collection.units.iter().zip(version);
        both.filter_map(|(unit, own)| Some((unit.clone(), own.clone()?))).unzip()
    }

    fn changed(&self, unit: &Unit) -> BTreeSet<CellIndex> {
        let at = self.fixture.collection.units.iter().position(|known| known == unit).unwrap();
        let (Some(before), Some(after)) = (&self.before[at], &self.after[at]) else {
            return BTreeSet::new();
        };
        let cells = self.fixture.system.cells.iter().enumerate();
        let differs = |(_, cell): &(usize, &tables::system::Cell)| {
            let atoms = cell.unit_atoms.as_deref().unwrap_or_default();
            sum(before, atoms) != sum(after, atoms)
        };
        cells.filter(differs).map(|(cell, _)| cell).collect()
    }

    /// Both versions; units whose correction cannot be protected stay away from the second.
    fn publish(&mut self) -> Option<Published> {
        let system = &self.fixture.system;
        let (units, values) = self.roster(&self.before);
        let old_statuses = statuses(&values);
        let pattern = blind::choose(system, &units, &old_statuses, &key(), &[]).unwrap();
        for _ in 0..=SIX.len() {
            let (new_units, new_values) = self.roster(&self.after);
            let new_statuses = statuses(&new_values);
            let changed: Vec<_> = new_units.iter().map(|unit| self.changed(unit)).collect();
            let keep = vec![BTreeSet::new(); new_units.len()];
            let before = Before { units: &units, statuses: &old_statuses, pattern: &pattern };
            let after = After { units: &new_units, statuses: &new_statuses, changed: &changed, keep: &keep };
            match choose(system, before, after, &key()) {
                Ok(corrected) => {
                    return Some(Published { old: (units, pattern), new: (new_units, corrected) });
                }
                Err(CorrectionError::Unprotected { units }) => {
                    for (at, unit) in self.fixture.collection.units.iter().enumerate() {
                        if units.contains(unit) {
                            self.after[at] = None;
                        }
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        None
    }

    /// A reader of both versions who knows which cells are the same in both, and tries every table. Where something small
    /// cannot have every small value, its unit and version are named. `None` where there were too many tables.
    fn attack(&self, published: &Published) -> Option<Vec<(Unit, u8)>> {
        let system = &self.fixture.system;
        let cap = self.before.iter().chain(&self.after).flatten().flatten().max().unwrap() + 3;
        let places: Vec<(usize, &Unit)> = self.fixture.collection.units.iter().enumerate().collect();
        let mut rows = Vec::new();
        for (at, unit) in &places {
            rows.push(self.rows(*at, unit, published, cap)?);
        }
        let sums = |pattern: &Pattern| -> Vec<Vec<u32>> {
            let known = system.cells.iter().enumerate().filter(|(at, _)| !pattern.closed.contains(at));
            known.filter_map(|(_, cell)| cell.unit_atoms.clone()).filter(|atoms| !atoms.is_empty()).collect()
        };
        let (old, new) = (sums(&published.old.1), sums(&published.new.1.pattern));
        let part = |row: &(Vec<u64>, Vec<u64>)| -> Vec<u64> {
            let old = old.iter().map(|atoms| sum(&row.0, atoms));
            old.chain(new.iter().map(|atoms| sum(&row.1, atoms))).collect()
        };
        let none = vec![0; system.unit_atoms];
        let truth = |at: usize| {
            let own = |version: &[Option<Vec<u64>>]| version[at].clone().unwrap_or_else(|| none.clone());
            (own(&self.before), own(&self.after))
        };
        let add =
            |one: &[u64], two: &[u64]| -> Vec<u64> { one.iter().zip(two).map(|(a, b)| a + b).collect() };
        let goal = (0..places.len())
            .fold(vec![0; old.len() + new.len()], |so_far, at| add(&so_far, &part(&truth(at))));
        let mut wrong = Vec::new();
        for (at, unit) in &places {
            let (mine_old, mine_new) = truth(*at);
            let sets = |own: &[u64]| -> Vec<Vec<u32>> {
                let printed = system.per_unit().filter_map(|cell| system.cells[cell].unit_atoms.clone());
                printed
                    .chain(system.implied_unit.clone())
                    .filter(|set| (1..4).contains(&sum(own, set)))
                    .collect()
            };
            let (small_old, small_new) = (sets(&mine_old), sets(&mine_new));
            if small_old.is_empty() && small_new.is_empty() {
                continue;
            }
            let mut states = HashSet::from([vec![0; goal.len()]]);
            for other in (0..places.len()).filter(|other| other != at) {
                let mut next = HashSet::new();
                for state in &states {
                    for row in &rows[other] {
                        let state = add(state, &part(row));
                        if state.iter().zip(&goal).all(|(sum, goal)| sum <= goal) {
                            next.insert(state);
                        }
                        if next.len() > 40_000 {
                            return None;
                        }
                    }
                }
                states = next;
            }
            let possible: Vec<&(Vec<u64>, Vec<u64>)> = rows[*at]
                .iter()
                .filter(|row| {
                    let part = part(row);
                    let rest: Option<Vec<u64>> =
                        goal.iter().zip(&part).map(|(goal, part)| goal.checked_sub(*part)).collect();
                    rest.is_some_and(|rest| states.contains(&rest))
                })
                .collect();
            let floor =
                |own: &[u64], set: &[u32]| set.iter().filter(|atom| own[**atom as usize] > 0).count() as u64;
            let lacks = |values: HashSet<u64>, floor: u64| (floor..4).any(|value| !values.contains(&value));
            for set in &small_old {
                if lacks(possible.iter().map(|row| sum(&row.0, set)).collect(), floor(&mine_old, set)) {
                    wrong.push(((*unit).clone(), 1));
                }
            }
            for set in &small_new {
                if lacks(possible.iter().map(|row| sum(&row.1, set)).collect(), floor(&mine_new, set)) {
                    wrong.push(((*unit).clone(), 2));
                }
            }
        }
        Some(wrong)
    }

    /// Every pair of rows of a unit that fits what is shown of it in both versions.
    fn rows(
        &self,
        at: usize,
        unit: &Unit,
        published: &Published,
        cap: u64,
    ) -> Option<Vec<(Vec<u64>, Vec<u64>)>> {
        let system = &self.fixture.system;
        let none = vec![0; system.unit_atoms];
        let fits = |units: &[Unit], withheld: &[BTreeSet<CellIndex>], own: &Option<Vec<u64>>| {
            let Some(own) = own else { return Some(vec![none.clone()]) };
            let place = units.iter().position(|known| known == unit)?;
            let shown = |row: &Vec<u64>| {
                system.per_unit().all(|cell| {
                    let atoms = system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
                    let withheld = withheld[place].contains(&cell);
                    if withheld { sum(row, atoms) > 0 } else { sum(row, atoms) == sum(own, atoms) }
                })
            };
            let mut rows = vec![Vec::new()];
            for _ in 0..system.unit_atoms {
                let longer = |row: Vec<u64>| (0..=cap).map(move |value| [row.clone(), vec![value]].concat());
                rows = rows.into_iter().flat_map(longer).collect();
            }
            rows.retain(shown);
            Some(rows)
        };
        let old = fits(&published.old.0, &published.old.1.withheld, &self.before[at])?;
        if self.before[at] == self.after[at] {
            return Some(old.into_iter().map(|row| (row.clone(), row)).collect());
        }
        let new = fits(&published.new.0, &published.new.1.pattern.withheld, &self.after[at])?;
        let changed = self.changed(unit);
        let both = self.before[at].is_some() && self.after[at].is_some();
        let equal = |one: &[u64], two: &[u64]| {
            (0..system.cells.len()).filter(|cell| !changed.contains(cell)).all(|cell| {
                let atoms = system.cells[cell].unit_atoms.as_deref().unwrap_or_default();
                sum(one, atoms) == sum(two, atoms)
            })
        };
        let mut pairs = Vec::new();
        for one in &old {
            for two in new.iter().filter(|two| !both || equal(one, two)) {
                pairs.push((one.clone(), two.clone()));
            }
        }
        (pairs.len() < 4_000).then_some(pairs)
    }
}

fn rows(fixture: &Fixture, rows: &[[u64; 3]]) -> Vec<Option<Vec<u64>>> {
    let atoms: Vec<u32> = THREE.iter().map(|code| fixture.atom("T1", &[code], "2024")).collect();
    let own = |row: &[u64; 3]| {
        let mut own = vec![0; fixture.system.unit_atoms];
        atoms.iter().zip(row).for_each(|(atom, value)| own[*atom as usize] = *value);
        Some(own)
    };
    rows.iter().map(own).collect()
}

const USUAL: [[u64; 3]; 6] = [[9, 8, 1], [9, 9, 9], [7, 8, 9], [6, 7, 8], [9, 5, 6], [8, 8, 8]];

fn world<'a>(fixture: &'a Fixture, corrections: &[(usize, [u64; 3])]) -> World<'a> {
    let mut after = USUAL;
    corrections.iter().for_each(|(unit, row)| after[*unit] = *row);
    World { fixture, before: rows(fixture, &USUAL), after: rows(fixture, &after) }
}

fn shown(published: &Published, unit: usize) -> Vec<bool> {
    let withheld = &published.new.1.pattern.withheld[unit];
    (0..4).map(|cell| !withheld.contains(&cell)).collect()
}

#[test]
fn a_correction_of_shown_figures_is_shown_and_every_sum_is_repeated() {
    let fixture = three();
    let mut world = world(&fixture, &[(5, [10, 8, 8])]);
    let published = world.publish().unwrap();
    assert_eq!(published.new.0.len(), 6);
    let (old, new) = (&published.old.1, &published.new.1.pattern);
    let withheld = |pattern: &Pattern| pattern.withheld.iter().map(BTreeSet::len).sum::<usize>();
    if old.withheld[5].is_empty() {
        assert_eq!(withheld(old), withheld(new));
        assert_eq!((&old.open, &old.closed), (&new.open, &new.closed));
    }
    assert_eq!(world.attack(&published), Some(Vec::new()));
}

#[test]
fn safe_3_a_sum_whose_difference_is_one_kommuns_hidden_change_stays_closed() {
    let fixture = three();
    let mut world = world(&fixture, &[(0, [9, 8, 3])]);
    let published = world.publish().unwrap();
    let column = fixture.cell("T1", &["yttrande"], "2024");
    assert!(published.old.1.open.contains(&column));
    assert!(published.new.1.pattern.closed.contains(&column));
    assert_eq!(world.attack(&published), Some(Vec::new()), "SAFE-1 over both versions");
}

#[test]
fn safe_1_a_small_cell_that_becomes_zero_is_not_the_difference_of_two_shown_margins() {
    let fixture = three();
    let mut world = world(&fixture, &[(0, [9, 8, 0])]);
    let published = world.publish().unwrap();
    assert_eq!(world.attack(&published), Some(Vec::new()));
}

#[test]
fn safe_1_a_cell_that_becomes_small_is_not_what_an_unchanged_row_leaves() {
    let fixture = three();
    // Only one cell and the margin change: shown, the margin less the old neighbours gives it.
    let mut world = world(&fixture, &[(5, [8, 8, 2])]);
    let published = world.publish().unwrap();
    if let Some(place) = published.new.0.iter().position(|unit| unit.to_string() == "2180") {
        assert!(!shown(&published, place)[fixture.cell("T1", &["TOT"], "2024")]);
    }
    assert_eq!(world.attack(&published), Some(Vec::new()));
}

#[test]
fn a_late_kommun_shows_its_row_and_its_hidden_cells_keep_their_sums_closed() {
    let fixture = three();
    let mut world = world(&fixture, &[(4, [9, 2, 7])]);
    world.before[4] = None;
    let published = world.publish().unwrap();
    assert_eq!(published.old.0.len(), 5);
    assert_eq!(published.new.0.len(), 6);
    let hidden = &published.new.1.pattern.withheld[4];
    assert!(!hidden.is_empty() && hidden.len() < 4, "it shows what it can");
    assert!(hidden.iter().all(|cell| published.new.1.pattern.closed.contains(cell)));
    assert_eq!(world.attack(&published), Some(Vec::new()));
}

#[test]
fn a_kommun_that_is_missing_from_the_second_version_is_not_given_by_the_difference() {
    let fixture = three();
    let mut world = world(&fixture, &[]);
    world.after[0] = None;
    let published = world.publish().unwrap();
    for cell in &published.old.1.withheld[0] {
        assert!(published.new.1.pattern.closed.contains(cell));
    }
    assert_eq!(world.attack(&published), Some(Vec::new()));
}

/// A table of scope total: its sums are the only figures there are, and one kommun's change is in one of them.
#[test]
fn safe_3_no_shown_sums_give_back_one_that_holds_a_change() {
    let more = "[[tabell]]\nid = \"T2\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
        dimensioner = [\"aktualiseringstyp\", \"kon\"]\nfilter = { aktualiseringstyp = [\"ansokan\", \"anmalan\", \"yttrande\"] }\n";
    let fixture = Fixture::new(&SIX, "\"2024\"", &(one_way(&THREE) + more));
    let system = &fixture.system;
    let mut values = vec![vec![0; system.unit_atoms]; 6];
    for (own, row) in values.iter_mut().zip(USUAL) {
        for (code, value) in THREE.iter().zip(row) {
            own[fixture.atom("T1", &[code], "2024") as usize] = value + 8;
        }
    }
    let statuses = statuses(&values);
    let units = &fixture.collection.units;
    let pattern = blind::choose(system, units, &statuses, &key(), &[]).unwrap();
    let entry = fixture.cell("T2", &["ansokan", "man"], "2024");
    assert!(pattern.open.contains(&entry), "else there is nothing to give back");
    // One record was registered by mistake: every cell that holds it changed, at one kommun that shows its own.
    let record = system.cells[entry].atoms[0];
    let mut changed = vec![BTreeSet::new(); 6];
    changed[5].extend((0..system.cells.len()).filter(|cell| system.cells[*cell].atoms.contains(&record)));
    let keep = vec![BTreeSet::new(); 6];
    let before = Before { units, statuses: &statuses, pattern: &pattern };
    let after = After { units, statuses: &statuses, changed: &changed, keep: &keep };
    let second = choose(system, before, after, &key()).unwrap().pattern;
    assert!(second.closed.contains(&entry));
    let mut span = crate::span::Span::default();
    for (at, cell) in system.cells.iter().enumerate().filter(|(at, _)| !second.closed.contains(at)) {
        span.insert(at as u32, cell.atoms.iter().copied());
    }
    assert!(span.express(system.cells[entry].atoms.iter().copied()).is_none(), "the other sex gives it back");
    assert!(!second.open.is_empty() || second.closed.len() < system.cells.len());
}

#[test]
fn what_a_kommun_asks_to_keep_is_not_shown_again() {
    let fixture = three();
    let mut world = world(&fixture, &[(5, [10, 9, 8])]);
    let published = world.publish().unwrap();
    let (units, values) = world.roster(&world.after);
    let statuses = statuses(&values);
    let changed: Vec<_> = units.iter().map(|unit| world.changed(unit)).collect();
    let mut keep = vec![BTreeSet::new(); 6];
    keep[5].insert(fixture.atom("T1", &["ansokan"], "2024"));
    let (old_units, old_values) = world.roster(&world.before);
    let old_statuses = crate::fixture::statuses(&old_values);
    let before = Before { units: &old_units, statuses: &old_statuses, pattern: &published.old.1 };
    let after = After { units: &units, statuses: &statuses, changed: &changed, keep: &keep };
    let kept = choose(&fixture.system, before, after, &key()).unwrap();
    assert!(kept.pattern.withheld[5].contains(&fixture.cell("T1", &["ansokan"], "2024")));
}

#[test]
fn a_node_refuses_a_second_version_that_tells_more_of_it() {
    let fixture = three();
    let mut world = world(&fixture, &[(0, [9, 8, 3])]);
    let published = world.publish().unwrap();
    let (_, old_values) = world.roster(&world.before);
    let (_, new_values) = world.roster(&world.after);
    let (old_statuses, new_statuses) = (statuses(&old_values), statuses(&new_values));
    let changed = world.changed(&published.new.0[0]);
    let ask = |pattern: &Pattern, joints: &[Joint], changed: &BTreeSet<CellIndex>| {
        let earlier = own::Earlier {
            units: &published.old.0,
            pattern: &published.old.1,
            place: 0,
            statuses: &old_statuses[0],
        };
        let asked = own::Asked {
            units: &published.new.0,
            pattern,
            place: 0,
            statuses: &new_statuses[0],
            changed,
            joints,
        };
        own::check_own(&fixture.system, Some(earlier), asked)
    };
    let (good, joints) = (&published.new.1.pattern, &published.new.1.joints[0]);
    assert_eq!(ask(good, joints, &changed), Ok(()));
    let column = fixture.cell("T1", &["yttrande"], "2024");
    let mut opened = good.clone();
    opened.closed.remove(&column);
    opened.open.insert(column);
    assert!(ask(&opened, joints, &changed).is_err(), "its difference is this kommun's");
    let without: Vec<Joint> = joints[1..].to_vec();
    assert!(ask(good, &without, &changed).is_err(), "a movement is missing");
    let mut shown = good.clone();
    let hidden = *good.withheld[0].iter().find(|cell| **cell != column).unwrap();
    shown.withheld[0].remove(&hidden);
    assert!(ask(&shown, joints, &changed).is_err(), "a hidden figure is shown");
    let mut twice = joints.clone();
    let first = twice[0].before[0];
    twice[0].before.push(first);
    assert_eq!(ask(good, &twice, &changed), Err(Refusal::Shape));
}

use crate::check::Refusal;

/// Every case tries every table of seven kommuner: two seconds. `PROPTEST_CASES=200` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

fn figure() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0u64), 3 => 1..4u64, 6 => 4..9u64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn safe_1_no_reader_of_two_versions_narrows_a_small_cell(
        before in prop::array::uniform6(prop::array::uniform3(figure())),
        corrections in prop::collection::vec((0..6usize, prop::array::uniform3(prop::option::of(figure()))), 1..4),
        late in prop::option::of(0..6usize),
        gone in prop::option::of(0..6usize),
    ) {
        let fixture = three();
        let mut after = before;
        for (unit, row) in &corrections {
            for (at, value) in row.iter().enumerate() {
                after[*unit][at] = value.unwrap_or(after[*unit][at]);
            }
        }
        let mut world = World { fixture: &fixture, before: rows(&fixture, &before), after: rows(&fixture, &after) };
        if let Some(unit) = late {
            world.before[unit] = None;
        }
        if let Some(unit) = gone {
            world.after[unit] = None;
        }
        let first = world.publish();
        if let Some(published) = first {
            let alone = World { fixture: &fixture, before: world.before.clone(), after: vec![None; 6] };
            let only = Published {
                old: published.old.clone(),
                new: (Vec::new(), Corrected { pattern: Pattern { closed: (0..fixture.system.cells.len()).collect(), ..Pattern::default() }, joints: Vec::new() }),
            };
            // What version 1 alone leaves narrow (known limits of tiny worlds) is not this version's doing.
            if alone.attack(&only) == Some(Vec::new()) && let Some(wrong) = world.attack(&published) {
                prop_assert!(wrong.is_empty(), "{wrong:?}");
            }
        }
    }
}
