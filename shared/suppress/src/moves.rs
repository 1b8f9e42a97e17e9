//! Movements inside one unit that a rectangle repeats, with the opposite sign, in another unit.
//!
//! Three shapes, cheapest first: `e_j − e_j'` (another category), `e_j` alone (the `e_c + e_TOT` factor,
//! which withholds margins), and `e_j − e_j' − e_j'' + e_j'''` whose margins all cancel (a product over two
//! dimensions). Independent of units and statuses.

use std::collections::{BTreeMap, HashMap};

use tables::system::CellIndex;

use crate::grid::Grid;

/// Most moves tried for one small cell; the cheapest are kept, and always the one over margins.
pub const MAX_MOVES: usize = 600;
/// Most pairs tried when looking for products.
const MAX_PAIRS: usize = 20_000;

/// One movement: `terms[0]` is `+1` of the small atom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Unit atoms and their change, `1` or `-1`.
    pub terms: Vec<(u32, i32)>,
    /// The printed cells of the unit that change.
    pub touches: Vec<CellIndex>,
}

/// The moves of an atom, those that touch least first.
pub fn moves_of(grid: &Grid<'_>, atom: u32) -> Vec<Move> {
    let atoms = grid.system.unit_atoms as u32;
    let alone = build(grid, vec![(atom, 1)]);
    let mut moves = Vec::new();
    for other in (0..atoms).filter(|other| *other != atom) {
        moves.push(build(grid, vec![(atom, 1), (other, -1)]));
    }
    products(grid, atom, &mut moves);
    let price = |step: &Move| step.touches.iter().map(|cell| grid.price(*cell)).sum::<u64>();
    moves.sort_by_cached_key(|step| (price(step), step.terms.clone()));
    moves.truncate(MAX_MOVES - 1);
    let at = moves.partition_point(|step| price(step) <= price(&alone));
    moves.insert(at, alone);
    moves
}

fn build(grid: &Grid<'_>, terms: Vec<(u32, i32)>) -> Move {
    let mut sums = BTreeMap::<CellIndex, i32>::new();
    for (atom, change) in &terms {
        grid.cells_of[*atom as usize].iter().for_each(|cell| *sums.entry(*cell).or_default() += change);
    }
    let touches = sums.into_iter().filter_map(|(cell, sum)| (sum != 0).then_some(cell)).collect();
    Move { terms, touches }
}

fn products(grid: &Grid<'_>, atom: u32, moves: &mut Vec<Move>) {
    let wide =
        |cell: &CellIndex| grid.system.cells[*cell].unit_atoms.as_ref().is_some_and(|atoms| atoms.len() > 1);
    let margins: Vec<Vec<CellIndex>> =
        grid.cells_of.iter().map(|cells| cells.iter().copied().filter(wide).collect()).collect();
    let mut by_margins = HashMap::<&[CellIndex], Vec<u32>>::new();
    for (at, margins) in margins.iter().enumerate() {
        by_margins.entry(margins).or_default().push(at as u32);
    }
    let mine = &margins[atom as usize];
    let near: Vec<u32> = (0..margins.len() as u32)
        .filter(|other| {
            let theirs = &margins[*other as usize];
            theirs != mine && theirs.iter().any(|cell| mine.binary_search(cell).is_ok())
        })
        .collect();
    let pairs = near
        .iter()
        .enumerate()
        .flat_map(|(at, first)| near[at + 1..].iter().map(move |second| (*first, *second)));
    for (first, second) in pairs.take(MAX_PAIRS) {
        let Some(last) = rest(&margins[first as usize], &margins[second as usize], mine) else {
            continue;
        };
        for fourth in by_margins.get(last.as_slice()).into_iter().flatten() {
            if ![atom, first, second].contains(fourth) {
                moves.push(build(grid, vec![(atom, 1), (first, -1), (second, -1), (*fourth, 1)]));
            }
        }
    }
}

/// `a + b − c` as a set, when every multiplicity is 0 or 1.
fn rest(a: &[CellIndex], b: &[CellIndex], c: &[CellIndex]) -> Option<Vec<CellIndex>> {
    let mut sums = BTreeMap::<CellIndex, i32>::new();
    a.iter().chain(b).for_each(|cell| *sums.entry(*cell).or_default() += 1);
    c.iter().for_each(|cell| *sums.entry(*cell).or_default() -= 1);
    sums.values()
        .all(|sum| (0..=1).contains(sum))
        .then(|| sums.into_iter().filter_map(|(cell, sum)| (sum == 1).then_some(cell)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_corner_of_a_product_has_the_margins_that_are_left() {
        assert_eq!(rest(&[1, 9], &[2, 9], &[1, 9]), Some(vec![2, 9]));
        assert_eq!(rest(&[1, 4], &[2, 3], &[1, 3]), Some(vec![2, 4]));
        assert_eq!(
            rest(&[1, 4], &[1, 3], &[2, 3]),
            None,
            "margin 1 would be needed twice, margin 2 taken away"
        );
    }
}
