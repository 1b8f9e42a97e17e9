//! The pattern over counties: which further county totals are withheld so that national sums can be opened.
//!
//! Nobody here knows a value. Each county says of every total whether it is zero, shown or withheld; it withholds for
//! reasons of its own. A national sum minus the shown totals is a sum over the counties that withhold, so it may be opened
//! where none does or at least [`LEAST_HIDDEN`] do, and stays closed between.
//!
//! What a county withholds falls into *parts*: withheld totals that stand in common sums. A county's own control gives
//! every small total a movement among the totals of its part that no shown figure notices. Where two other counties
//! withhold the whole part too, the opposite movement there keeps every national sum as it was: the national tables
//! then say nothing new. So every part is given two such counters, one of which is left when the other is the
//! adversary (SAFE-2 of counties). None of it is small or zero there, so that it can move; of such counties those that need
//! the fewest further totals withheld. The sums of a part without two stay closed. Parts made so need no counters of their
//! own: nothing small is hidden by them.
//!
//! What this does not do: it knows that a counter's totals are at least the threshold, not how a part's movement is made. The
//! audit of the finished national tables plays the reader, and closes sums where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use tables::figures::CountyMark;
use tables::system::{Build, CellIndex, System, TableRows};

use crate::key::PatternKey;

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
    let sums = sums(system);
    let mut chosen = own.clone();
    // Long parts first: their counters cover many short ones.
    let mut parts: Vec<(usize, BTreeSet<CellIndex>)> = Vec::new();
    for (county, own) in own.iter().enumerate() {
        parts.extend(components(own, &sums).into_iter().map(|part| (county, part)));
    }
    parts.sort_by(|one, other| (other.1.len(), &one.1, one.0).cmp(&(one.1.len(), &other.1, other.0)));
    let mut uncovered = BTreeSet::new();
    for (county, part) in &parts {
        if !counter(marks, names, key, *county, part, &mut chosen) {
            uncovered.extend(part.iter().copied());
        }
    }
    let (mut open, mut closed) = opened(system, &chosen, &(0..chosen.len()).collect());
    open.retain(|cell| !uncovered.contains(cell));
    closed.extend(uncovered);
    CountyPattern { withheld: chosen, open, closed }
}

fn withheld(marks: &[CountyMark]) -> BTreeSet<CellIndex> {
    let is_withheld = |(cell, mark): (usize, &CountyMark)| mark.is_withheld().then_some(cell);
    marks.iter().enumerate().filter_map(is_withheld).collect()
}

/// Withholds a part in two other counties where none of it is small or zero, those where least is added; whether there were
/// two.
fn counter(
    marks: &[Vec<CountyMark>],
    names: &[String],
    key: &PatternKey,
    county: usize,
    part: &BTreeSet<CellIndex>,
    chosen: &mut [BTreeSet<CellIndex>],
) -> bool {
    let can_move = |other: &usize| {
        let moves =
            |cell: &CellIndex| matches!(marks[*other][*cell], CountyMark::Shown | CountyMark::Withheld);
        *other != county && part.iter().all(moves)
    };
    let first = part.first().copied().unwrap_or_default().to_be_bytes();
    let candidate = |other: usize| {
        let added = part.difference(&chosen[other]).count();
        (added, key.tag(&[b"county", names[other].as_bytes(), &first]), other)
    };
    let mut candidates: Vec<(usize, u64, usize)> = (0..marks.len()).filter(can_move).map(candidate).collect();
    if candidates.len() < LEAST_HIDDEN - 1 {
        return false;
    }
    candidates.sort_unstable();
    for (_, _, other) in candidates.into_iter().take(LEAST_HIDDEN - 1) {
        chosen[other].extend(part);
    }
    true
}

/// Which national sums are opened and which stay closed when the counties `roster` take part.
pub fn opened(
    system: &System,
    withheld: &[BTreeSet<CellIndex>],
    roster: &BTreeSet<usize>,
) -> (BTreeSet<CellIndex>, BTreeSet<CellIndex>) {
    let (mut open, mut closed) = (BTreeSet::new(), BTreeSet::new());
    for cell in 0..system.cells.len() {
        let hidden = hidden(withheld, roster, cell);
        if hidden == 0 {
            continue;
        }
        let is_shared = !matches!(system.cells[cell].build, Build::Sum(_));
        if hidden >= LEAST_HIDDEN && is_shared {
            open.insert(cell)
        } else {
            closed.insert(cell)
        };
    }
    (open, closed)
}

/// How many counties of a roster withhold a total.
pub fn hidden(withheld: &[BTreeSet<CellIndex>], roster: &BTreeSet<usize>, cell: CellIndex) -> usize {
    roster.iter().filter(|county| withheld.get(**county).is_some_and(|own| own.contains(&cell))).count()
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

/// Withheld totals by the sums they stand in together.
fn components(own: &BTreeSet<CellIndex>, sums: &[Vec<CellIndex>]) -> Vec<BTreeSet<CellIndex>> {
    let mut part_of: BTreeMap<CellIndex, CellIndex> = own.iter().map(|cell| (*cell, *cell)).collect();
    fn root(part_of: &BTreeMap<CellIndex, CellIndex>, mut cell: CellIndex) -> CellIndex {
        while let Some(up) = part_of.get(&cell).filter(|up| **up != cell) {
            cell = *up;
        }
        cell
    }
    for sum in sums {
        let mut inside = sum.iter().filter(|cell| own.contains(cell));
        let Some(first) = inside.next() else { continue };
        for cell in inside {
            let (one, other) = (root(&part_of, *first), root(&part_of, *cell));
            part_of.insert(one.max(other), one.min(other));
        }
    }
    let mut parts = BTreeMap::<CellIndex, BTreeSet<CellIndex>>::new();
    for cell in own {
        parts.entry(root(&part_of, *cell)).or_default().insert(*cell);
    }
    parts.into_values().collect()
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
            assert_eq!(hidden(&pattern.withheld, &(0..5).collect(), *cell), 3);
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

    #[test]
    fn a_county_that_does_not_deliver_closes_the_sums_it_helped_to_hide() {
        let system = system();
        let cell = square(&system)[0];
        let withheld = vec![BTreeSet::from([cell]); 3];
        let (open, _) = opened(&system, &withheld, &(0..3).collect());
        let (fewer, closed) = opened(&system, &withheld, &BTreeSet::from([0, 2]));
        assert!(open.contains(&cell) && !fewer.contains(&cell) && closed.contains(&cell));
    }
}
