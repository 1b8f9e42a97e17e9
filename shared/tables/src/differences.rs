//! Unprinted cells: what remains when printed cells are subtracted from one another.
//!
//! A reader who sees all aktualiseringar, the ansökningar and the anmälningar of a kommun sees the rest, though no
//! table prints it. This module lists such sets: the closure of the printed cells under `A minus everything one
//! table prints inside A`. Subtracting fewer cells gives a larger set, namely such a rest together with printed
//! cells; it is small only if the rest is, so the rests suffice. Sets that are themselves printed, or unions of
//! printed cells, are left out: they are no new cells.
//!
//! Does not decide what is small. The closure is cut at [`MAX_DIFFERENCES`] with an error, never silently.

use std::collections::BTreeSet;

use crate::system::{Cell, CellIndex, SystemError, TableRows};

/// Most unprinted differences of one collection.
pub const MAX_DIFFERENCES: usize = 20_000;

/// A printed set and the cell it is.
struct Shown {
    set: Vec<u32>,
    cell: CellIndex,
}

/// Unprinted differences of one unit's printed cells, as ascending lists of unit atoms.
///
/// # Errors
/// [`SystemError::TooManyDifferences`].
pub fn per_unit(cells: &[Cell], tables: &[TableRows]) -> Result<Vec<Vec<u32>>, SystemError> {
    let set = |cell: CellIndex| cells[cell].per_unit.then(|| cells[cell].unit_atoms.clone()).flatten();
    closure(&shown(tables, set), &[], |_, _| false)
}

/// Unprinted differences of printed totals, as ascending lists of atoms; `exempt(a, parts)` says that `a` without
/// its `parts` holds only incomplete registrations.
///
/// # Errors
/// [`SystemError::TooManyDifferences`].
pub fn of_totals(
    cells: &[Cell],
    tables: &[TableRows],
    exempt: impl Fn(CellIndex, &[CellIndex]) -> bool,
) -> Result<Vec<Vec<u32>>, SystemError> {
    let set = |cell: CellIndex| cells[cell].is_count.then(|| cells[cell].atoms.clone());
    let tables_shown = shown(tables, set);
    // Bortfall is shown too, and can be subtracted with its table's cells.
    let with_bortfall = |(table, shown): (&TableRows, &Vec<Shown>)| -> Option<Vec<Shown>> {
        let of = |cell: CellIndex| Shown { set: cells[cell].atoms.clone(), cell };
        let bortfall: Vec<Shown> =
            table.bortfall.iter().copied().map(of).filter(|one| !one.set.is_empty()).collect();
        let rows = shown.iter().map(|one| of(one.cell));
        (!bortfall.is_empty()).then(|| rows.chain(bortfall).collect())
    };
    let more: Vec<Vec<Shown>> = tables.iter().zip(&tables_shown).filter_map(with_bortfall).collect();
    closure(&tables_shown, &more, exempt)
}

/// Sets that printed cells give by other ways than taking parts away (records without a category of a table that counts each
/// code, and further mentions), with what subtracting them from one another gives. A list holds sets of one kind. `found` says
/// how many differences there are already.
///
/// # Errors
/// [`SystemError::TooManyDifferences`].
pub fn of_unprinted(lists: Vec<Vec<Vec<u32>>>, found: usize) -> Result<Vec<Vec<u32>>, SystemError> {
    let mut all = Vec::new();
    for list in lists {
        let shown: Vec<Shown> = list.iter().map(|set| Shown { set: set.clone(), cell: 0 }).collect();
        all.extend(closure(&[shown], &[], |_, _| false)?);
        all.extend(list);
        if found + all.len() > MAX_DIFFERENCES {
            return Err(SystemError::TooManyDifferences(MAX_DIFFERENCES));
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn shown(tables: &[TableRows], set: impl Fn(CellIndex) -> Option<Vec<u32>>) -> Vec<Vec<Shown>> {
    let of_table = |table: &TableRows| {
        let cells: BTreeSet<CellIndex> = table.rows.iter().map(|row| row.cell).collect();
        cells.into_iter().filter_map(|cell| set(cell).map(|set| Shown { set, cell })).collect()
    };
    tables.iter().map(of_table).collect()
}

fn is_inside(small: &[u32], large: &[u32]) -> bool {
    small.len() <= large.len() && small.iter().all(|atom| large.binary_search(atom).is_ok())
}

fn closure(
    tables: &[Vec<Shown>],
    more: &[Vec<Shown>],
    exempt: impl Fn(CellIndex, &[CellIndex]) -> bool,
) -> Result<Vec<Vec<u32>>, SystemError> {
    let printed: Vec<&Shown> = tables.iter().flatten().collect();
    let mut known: BTreeSet<Vec<u32>> = printed.iter().map(|shown| shown.set.clone()).collect();
    let mut found = Vec::<Vec<u32>>::new();
    let incomplete = incomplete(tables, &printed, exempt);
    let mut frontier: Vec<Vec<u32>> = printed.iter().map(|shown| shown.set.clone()).collect();
    while let Some(large) = frontier.pop() {
        for table in tables.iter().chain(more) {
            let (_, rest) = without(&large, table);
            let nothing = rest.is_empty() || rest.len() == large.len() || known.contains(&rest);
            if nothing || rest.iter().all(|atom| incomplete.contains(atom)) {
                continue;
            }
            if is_union_of_printed(&rest, &printed) {
                continue;
            }
            known.insert(rest.clone());
            found.push(rest.clone());
            frontier.push(rest);
            if found.len() > MAX_DIFFERENCES {
                return Err(SystemError::TooManyDifferences(MAX_DIFFERENCES));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The cells of a table inside a set, and what they leave of it.
fn without(large: &[u32], table: &[Shown]) -> (Vec<CellIndex>, Vec<u32>) {
    let parts: Vec<&Shown> = table.iter().filter(|part| is_inside(&part.set, large)).collect();
    let covered: BTreeSet<u32> = parts.iter().flat_map(|part| part.set.iter().copied()).collect();
    let rest = large.iter().filter(|atom| !covered.contains(atom)).copied().collect();
    (parts.iter().map(|part| part.cell).collect(), rest)
}

/// The incomplete registrations that single subtractions give; whatever consists of them alone is bortfall, however
/// it is reached.
fn incomplete(
    tables: &[Vec<Shown>],
    printed: &[&Shown],
    exempt: impl Fn(CellIndex, &[CellIndex]) -> bool,
) -> BTreeSet<u32> {
    let mut atoms = BTreeSet::new();
    for large in printed {
        for table in tables {
            let (cells, rest) = without(&large.set, table);
            if !cells.is_empty() && !rest.is_empty() && exempt(large.cell, &cells) {
                atoms.extend(rest);
            }
        }
    }
    atoms
}

/// Whether the set is covered exactly by disjoint printed cells, chosen greedily from the largest.
fn is_union_of_printed(set: &[u32], printed: &[&Shown]) -> bool {
    let mut inside: Vec<&Vec<u32>> = printed
        .iter()
        .map(|shown| &shown.set)
        .filter(|part| !part.is_empty() && is_inside(part, set))
        .collect();
    inside.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let mut left: BTreeSet<u32> = set.iter().copied().collect();
    for part in inside {
        if part.iter().all(|atom| left.contains(atom)) {
            part.iter().for_each(|atom| {
                left.remove(atom);
            });
        }
    }
    left.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(sets: &[&[&[u32]]]) -> Vec<Vec<Shown>> {
        let shown = |set: &&[u32]| Shown { set: set.to_vec(), cell: 0 };
        sets.iter().map(|table| table.iter().map(shown).collect()).collect()
    }

    #[test]
    fn the_rest_of_all_minus_ansokan_minus_anmalan_is_a_cell() {
        let found = closure(&tables(&[&[&[0, 1, 2]], &[&[0]], &[&[1]]]), &[], |_, _| false).unwrap();
        assert_eq!(found, [vec![0, 2], vec![1, 2], vec![2]]);
    }

    /// Bortfall is published: whoever subtracts it with its table's cells is left with what neither holds.
    #[test]
    fn what_remains_of_a_total_without_a_tables_cells_and_its_bortfall_is_a_cell() {
        let more = tables(&[&[&[0], &[1]]]);
        let found = closure(&tables(&[&[&[0, 1, 2]], &[&[0]]]), &more, |_, _| false).unwrap();
        assert_eq!(found, [vec![1, 2], vec![2]]);
    }

    #[test]
    fn sets_that_other_printed_cells_make_up_are_no_new_cells() {
        let found = closure(&tables(&[&[&[0, 1, 2]], &[&[0], &[1], &[2]]]), &[], |_, _| false).unwrap();
        assert!(found.is_empty());
    }
}
