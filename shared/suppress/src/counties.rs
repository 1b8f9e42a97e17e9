//! The pattern over counties: which further county totals are withheld so that national sums can be opened.
//!
//! Nobody here knows a value. Each county says of every total whether it is zero, shown or withheld; it withholds for
//! reasons of its own. A national sum minus the shown totals is a sum over the counties that withhold, so it may be opened
//! where none does or at least [`LEAST_HIDDEN`] do, and stays closed between.
//!
//! What a county withholds falls into *parts*: withheld totals that move together ([`hiding::Hiding::parts`]). A county's own control gives
//! every small total a movement among the totals of its part that no shown figure notices. Where two other counties
//! withhold the whole part too, the opposite movement there keeps every national sum as it was: the national tables
//! then say nothing new. So every part is given two such counters, one of which is left when the other is the
//! adversary (SAFE-2 of counties). None of it is small or zero there, so that it can move; of such counties first those where all
//! of it is ample, so that every small value stays possible, then those that need the fewest further totals withheld. The sums of a part without two stay closed, and so do those of a part that holds
//! bortfall: only a kommun that is its whole county withholds that (ADR 21), and nobody does so for its sake. Parts made so need no counters of their
//! own: nothing small is hidden by them.
//!
//! What this does not do: it knows that a counter's totals are at least the threshold, not how a part's movement is made. The
//! audit of the finished national tables plays the reader, and closes sums where that is not enough.

pub mod groups;
pub mod hiding;

use std::collections::{BTreeMap, BTreeSet};

use tables::figures::CountyMark;
use tables::system::{Build, CellIndex, System, TableRows};

use crate::key::PatternKey;
use hiding::Hiding;

/// Fewest counties that an opened sum hides.
pub const LEAST_HIDDEN: usize = 3;

/// What is withheld of every county, and which national sums are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountyPattern {
    /// Per county: totals withheld, those of its own choice included.
    pub withheld: Vec<BTreeSet<CellIndex>>,
    /// National sums that are opened.
    pub open: BTreeSet<CellIndex>,
    /// National sums that are neither opened nor the sum of shown totals.
    pub closed: BTreeSet<CellIndex>,
}

/// Chooses the pattern. `marks[county][cell]`; `names` break ties under the key.
pub fn choose(
    system: &System,
    marks: &[Vec<CountyMark>],
    names: &[String],
    key: &PatternKey,
) -> CountyPattern {
    let own: Vec<BTreeSet<CellIndex>> = marks.iter().map(|marks| withheld(marks)).collect();
    let alone = Hiding::new(system, &own, marks);
    let mut chosen = own.clone();
    // Long parts first: their counters cover many short ones.
    let mut parts: Vec<(usize, BTreeSet<CellIndex>)> = Vec::new();
    for (county, own) in own.iter().enumerate() {
        parts.extend(alone.parts(county, own).into_iter().map(|part| (county, part)));
    }
    parts.sort_by(|one, other| (other.1.len(), &one.1, one.0).cmp(&(one.1.len(), &other.1, other.0)));
    for (county, part) in &parts {
        if part.iter().all(|cell| system.cells[*cell].is_count) {
            counter(marks, names, key, *county, part, &mut chosen);
        }
    }
    let (open, closed) = opened(system, &chosen, marks, &(0..chosen.len()).collect());
    CountyPattern { withheld: chosen, open, closed }
}

fn withheld(marks: &[CountyMark]) -> BTreeSet<CellIndex> {
    let is_withheld = |(cell, mark): (usize, &CountyMark)| mark.is_withheld().then_some(cell);
    marks.iter().enumerate().filter_map(is_withheld).collect()
}

/// Withholds a part in two other counties where none of it is small or zero, ample ones first, then those where least is
/// added. Nobody where there are not two.
fn counter(
    marks: &[Vec<CountyMark>],
    names: &[String],
    key: &PatternKey,
    county: usize,
    part: &BTreeSet<CellIndex>,
    chosen: &mut [BTreeSet<CellIndex>],
) {
    let can_move = |other: &usize| *other != county && moves(&marks[*other], part);
    let first = part.first().copied().unwrap_or_default().to_be_bytes();
    let candidate = |other: usize| {
        let added = part.difference(&chosen[other]).count();
        let is_cramped = part.iter().any(|cell| marks[other][*cell] != CountyMark::Ample);
        (is_cramped, added, key.tag(&[b"county", names[other].as_bytes(), &first]), other)
    };
    let mut candidates: Vec<(bool, usize, u64, usize)> =
        (0..marks.len()).filter(can_move).map(candidate).collect();
    if candidates.len() < LEAST_HIDDEN - 1 {
        return;
    }
    candidates.sort_unstable();
    for (.., other) in candidates.into_iter().take(LEAST_HIDDEN - 1) {
        chosen[other].extend(part);
    }
}

/// Whether a county's totals of a part are neither small nor zero, so that they can move.
fn moves(marks: &[CountyMark], part: &BTreeSet<CellIndex>) -> bool {
    let moves = |cell: &CellIndex| {
        marks.get(*cell).is_some_and(|mark| !matches!(mark, CountyMark::Zero | CountyMark::Small))
    };
    part.iter().all(moves)
}

/// Totals of parts that fewer than two other counties of the roster withhold whole and can move: the counters may not have
/// been found, or are away, and small totals of three counties hide in each other only as far as their sum lets them.
fn uncovered(
    system: &System,
    withheld: &[BTreeSet<CellIndex>],
    marks: &[Vec<CountyMark>],
    roster: &BTreeSet<usize>,
) -> BTreeSet<CellIndex> {
    let own: Vec<BTreeSet<CellIndex>> = marks.iter().map(|marks| self::withheld(marks)).collect();
    let alone = Hiding::new(system, &own, marks);
    let mut uncovered = BTreeSet::new();
    for county in roster.iter().filter(|county| **county < own.len()) {
        for part in alone.parts(*county, &own[*county]) {
            let covers = |other: &&usize| {
                *other != county
                    && part.is_subset(&withheld[**other])
                    && marks.get(**other).is_some_and(|marks| moves(marks, &part))
            };
            if roster.iter().filter(covers).count() < LEAST_HIDDEN - 1 {
                uncovered.extend(part);
            }
        }
    }
    uncovered
}

/// Which national sums are opened and which stay closed when the counties `roster` take part: each, and each combination
/// of them, hides enough counties, for those who know the marks and for those who do not (SAFE-3), and each part of what a
/// county withholds has its two counters in the roster.
pub fn opened(
    system: &System,
    withheld: &[BTreeSet<CellIndex>],
    marks: &[Vec<CountyMark>],
    roster: &BTreeSet<usize>,
) -> (BTreeSet<CellIndex>, BTreeSet<CellIndex>) {
    let hides = |cell: &CellIndex| roster.iter().any(|at| withheld[*at].contains(cell));
    let is_shared = |cell: &CellIndex| !matches!(system.cells[*cell].build, Build::Sum(_));
    let (mut open, mut closed): (BTreeSet<CellIndex>, BTreeSet<CellIndex>) =
        (0..system.cells.len()).filter(hides).partition(is_shared);
    for marks in [&[], marks] {
        closed.extend(Hiding::new(system, withheld, marks).narrow(roster, &mut open));
    }
    let uncovered = uncovered(system, withheld, marks, roster);
    open.retain(|cell| !uncovered.contains(cell));
    closed.extend(uncovered);
    (open, closed)
}

/// Whether a county's shown figures leave room for what it withholds: a withheld total is 1 at least.
pub fn fit(system: &System, figures: &BTreeMap<CellIndex, u64>) -> bool {
    let size = |cell: &&CellIndex| system.cells[**cell].atoms.len();
    sums(system).iter().all(|sum| {
        let Some(total) = sum.iter().max_by_key(size) else { return true };
        let parts = sum.iter().filter(|cell| *cell != total);
        // A table may print no margin along a dimension.
        let whole = &system.cells[*total].atoms;
        let lies_in =
            |cell: &CellIndex| system.cells[*cell].atoms.iter().all(|atom| whole.binary_search(atom).is_ok());
        if !parts.clone().all(lies_in) {
            return true;
        }
        let least: u64 = parts.map(|part| figures.get(part).copied().unwrap_or(1)).sum();
        figures.get(total).is_none_or(|total| *total >= least)
    })
}

/// The printed sums: a margin with its parts, table by table.
pub fn sums(system: &System) -> Vec<Vec<CellIndex>> {
    system.tables.iter().flat_map(sums_of).collect()
}

fn sums_of(table: &TableRows) -> Vec<Vec<CellIndex>> {
    let dimensions = table.rows.first().map_or(0, |row| row.codes.len());
    let mut sums = Vec::new();
    for dimension in 0..dimensions {
        let mut lines = BTreeMap::<(Vec<Option<usize>>, usize), Vec<CellIndex>>::new();
        for row in &table.rows {
            let mut line = row.codes.clone();
            line[dimension] = None;
            lines.entry((line, row.period)).or_default().push(row.cell);
        }
        sums.extend(lines.into_values().filter(|cells| cells.len() > 1));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    use tables::collection::Collection;

    const TEXT: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "21"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["2101", "2104", "2121", "2132", "2161"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
"#;

    fn system() -> System {
        let codebook = Collection::codebook_of(TEXT).unwrap();
        System::new(&Collection::from_toml(TEXT, &codebook).unwrap(), &codebook).unwrap()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{at:02}")).collect()
    }

    /// The four inner cells of the table.
    fn square(system: &System) -> Vec<CellIndex> {
        let inner = system.tables[0].rows.iter().filter(|row| row.codes.iter().all(Option::is_some));
        inner.map(|row| row.cell).collect()
    }

    #[test]
    fn a_part_that_one_county_withholds_is_withheld_whole_by_two_more_and_its_sums_are_opened() {
        let system = system();
        let square = square(&system);
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; 5];
        square.iter().for_each(|cell| marks[1][*cell] = CountyMark::Small);
        let pattern = choose(&system, &marks, &names(5), &PatternKey::new(&[1; 32]));
        for cell in &square {
            assert_eq!(pattern.withheld.iter().filter(|own| own.contains(cell)).count(), 3);
            assert!(pattern.open.contains(cell));
        }
        assert!(pattern.closed.is_empty());
        let whole =
            pattern.withheld.iter().filter(|own| square.iter().all(|cell| own.contains(cell))).count();
        assert_eq!(whole, 3);
    }

    #[test]
    fn a_county_that_is_zero_there_is_no_counter_and_without_two_the_sum_stays_closed() {
        let system = system();
        let square = square(&system);
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; 3];
        square.iter().for_each(|cell| marks[0][*cell] = CountyMark::Withheld);
        marks[1][square[0]] = CountyMark::Zero;
        let pattern = choose(&system, &marks, &names(3), &PatternKey::new(&[1; 32]));
        assert!(pattern.withheld[1].is_empty(), "a zero is never withheld");
        assert!(square.iter().all(|cell| pattern.closed.contains(cell)));
        assert!(pattern.open.is_empty());
    }

    #[test]
    fn counties_where_the_part_is_not_small_are_taken_before_those_where_it_is() {
        let system = system();
        let square = square(&system);
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; 6];
        for county in [0, 2, 4] {
            square.iter().for_each(|cell| marks[county][*cell] = CountyMark::Small);
        }
        let pattern = choose(&system, &marks, &names(6), &PatternKey::new(&[9; 32]));
        let whole = |county: &&usize| square.iter().all(|cell| pattern.withheld[**county].contains(cell));
        assert_eq!([1, 3, 5].iter().filter(whole).count(), 2, "the same two for all three");
    }

    /// One table of men and women, one of men and women by age: what is counted differs by bortfall alone.
    #[test]
    fn margins_of_two_tables_that_differ_by_shown_bortfall_are_one_part() {
        let second = TEXT.split_once("[[tabell]]").unwrap().1.replace("T1", "T2").replace("\"kon\", ", "");
        let text = format!("{TEXT}[[tabell]]{second}");
        let codebook = Collection::codebook_of(&text).unwrap();
        let system = System::new(&Collection::from_toml(&text, &codebook).unwrap(), &codebook).unwrap();
        let total =
            |table: usize| system.tables[table].rows.iter().find(|row| row.codes.iter().all(Option::is_none));
        let (one, two) = (total(0).unwrap().cell, total(1).unwrap().cell);
        assert_ne!(one, two);
        // everything of both tables is withheld
        let withheld: BTreeSet<CellIndex> =
            (0..system.cells.len()).filter(|cell| system.cells[*cell].is_count).collect();
        let hiding = Hiding::new(&system, std::slice::from_ref(&withheld), &[]);
        let parts = hiding.parts(0, &withheld);
        let of = |cell| parts.iter().position(|part| part.contains(&cell));
        assert_eq!(of(one), of(two));
        assert!(of(one).is_some());
        // an age and its complement in one table only are a part of their own
        let ages: BTreeSet<CellIndex> =
            system.tables[1].rows.iter().map(|row| row.cell).filter(|cell| *cell != two).collect();
        let square: BTreeSet<CellIndex> = square(&system).into_iter().collect();
        let apart: BTreeSet<CellIndex> = ages.union(&square).copied().collect();
        let hiding = Hiding::new(&system, std::slice::from_ref(&apart), &[]);
        assert_eq!(hiding.parts(0, &apart), [square, ages]);
    }

    #[test]
    fn a_total_that_the_rest_of_its_line_takes_back_hides_nobody() {
        let system = system();
        let square = square(&system);
        let withheld = vec![BTreeSet::from([square[0]]), square.iter().copied().collect(), BTreeSet::new()];
        let hiding = Hiding::new(&system, &withheld, &[]);
        let roster = (0..3).collect();
        assert_eq!(hiding.hidden(&roster, square[0]), 1);
        // who knows that one cell of the square is empty can compute the others
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; 3];
        marks[1][square[3]] = CountyMark::Zero;
        assert_eq!(Hiding::new(&system, &withheld, &marks).hidden(&roster, square[0]), 0);
    }

    #[test]
    fn figures_that_leave_less_than_one_for_a_withheld_total_do_not_fit() {
        let system = system();
        let line: Vec<CellIndex> = sums(&system).into_iter().next().unwrap();
        let total = *line.iter().max_by_key(|cell| system.cells[**cell].atoms.len()).unwrap();
        let shown = *line.iter().find(|cell| **cell != total).unwrap();
        let figures = |part, whole| BTreeMap::from([(shown, part), (total, whole)]);
        assert!(fit(&system, &figures(60, 61)));
        assert!(!fit(&system, &figures(60, 60)), "a withheld total is one at least");
        assert!(!fit(&system, &figures(60, 40)));
        assert!(fit(&system, &BTreeMap::from([(total, 2)])));
        assert!(!fit(&system, &BTreeMap::from([(total, 1)])));
    }

    #[test]
    fn ample_totals_hide_others_before_those_that_leave_little_room() {
        let system = system();
        let square = square(&system);
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; 6];
        marks[0] = vec![CountyMark::Small; system.cells.len()];
        for county in [2, 5] {
            square.iter().for_each(|cell| marks[county][*cell] = CountyMark::Ample);
        }
        square.iter().for_each(|cell| marks[1][*cell] = CountyMark::Withheld);
        (0..system.cells.len())
            .filter(|cell| !square.contains(cell))
            .for_each(|cell| marks[0][cell] = CountyMark::Shown);
        for key in 0..8 {
            let pattern = choose(&system, &marks, &names(6), &PatternKey::new(&[key; 32]));
            assert!(
                square
                    .iter()
                    .all(|cell| pattern.withheld[2].contains(cell) && pattern.withheld[5].contains(cell))
            );
        }
    }

    #[test]
    fn a_county_that_does_not_deliver_closes_the_sums_it_helped_to_hide() {
        let system = system();
        let cell = square(&system)[0];
        let withheld = vec![square(&system).into_iter().collect(); 3];
        let (open, _) = opened(&system, &withheld, &[], &(0..3).collect());
        let (fewer, closed) = opened(&system, &withheld, &[], &BTreeSet::from([0, 2]));
        assert!(open.contains(&cell) && !fewer.contains(&cell) && closed.contains(&cell));
    }
}
