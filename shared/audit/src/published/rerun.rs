//! The reader who reruns the choice: by enumeration, on small tables.
//!
//! A method that chooses secondary cells by the counts themselves tells by its choice: of all tables that agree with a
//! publication, only some would have been published so. [`every_table`] lists them all, [`rerun`] keeps those for which a
//! given method withholds exactly the same cells, and says what is left of each small cell. Knows no method: it is
//! handed over as a function, so the engine is never part of the audit.
//!
//! Exact for what it is asked; says nothing of larger tables.

use std::collections::BTreeSet;

use super::truth::Truth;
use super::{CellIndex, Publication, derive};
use crate::propagate::Propagator;
use crate::rows::{Domain, Rows};

/// Propagation steps of one branch.
const STEPS: u64 = 1_000_000;

/// What is left of the small cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rerun {
    /// Tables that agree with the publication.
    pub consistent: usize,
    /// Of them, those for which the method withholds the same cells.
    pub same: usize,
    /// Small cells.
    pub small: usize,
    /// Of them, those that have one value in all tables that are left.
    pub computable: usize,
    /// Of them, those that had a value under the threshold before, and have lost one.
    pub narrowed: usize,
}

/// Every table that agrees with a publication: a count for each cell, shown ones too. `None` if there are more than
/// `most`, or endlessly many.
pub fn every_table(publication: &Publication, most: usize) -> Option<Vec<Vec<u64>>> {
    let linear: Vec<_> =
        publication.relations.iter().map(|relation| derive::rows(publication, relation)).collect();
    let all: Vec<CellIndex> = (0..publication.cells.len()).collect();
    let relations: Vec<usize> = (0..publication.relations.len()).collect();
    let withheld: Vec<CellIndex> =
        all.iter().copied().filter(|cell| publication.cells[*cell].withheld().is_some()).collect();
    let view = derive::view(publication, &linear, &withheld, &relations);
    let rows = Rows::new(&view);
    let mut found = Vec::new();
    let mut stack = vec![rows.start.clone()];
    let mut seeds: Vec<u32> = (0..rows.rows.len() as u32).collect();
    while let Some(mut domain) = stack.pop() {
        let mut work = Propagator { rows: &rows.rows, rows_of: &rows.rows_of, extra: None, steps: STEPS };
        if work.run(&mut domain, seeds.iter().copied(), None).is_err() {
            continue;
        }
        seeds = (0..rows.rows.len() as u32).collect();
        let open = (0..domain.lower.len()).filter(|at| domain.fixed(*at).is_none());
        let Some(pick) = open.min_by_key(|at| domain.width(*at).unwrap_or(i128::MAX)) else {
            if found.len() >= most {
                return None;
            }
            found.push(counts(publication, &withheld, &rows.lump_of, &domain)?);
            continue;
        };
        for value in domain.lower[pick]..=domain.upper[pick]? {
            let mut next = domain.clone();
            (next.lower[pick], next.upper[pick]) = (value, Some(value));
            stack.push(next);
        }
        if stack.len() > most {
            return None;
        }
    }
    Some(found)
}

fn counts(
    publication: &Publication,
    withheld: &[CellIndex],
    lump_of: &[u32],
    domain: &Domain,
) -> Option<Vec<u64>> {
    let mut counts: Vec<u64> = publication.cells.iter().map(|cell| cell.shown().unwrap_or(0)).collect();
    for (cell, lump) in withheld.iter().zip(lump_of) {
        counts[*cell] = u64::try_from(domain.lower[*lump as usize]).ok()?;
    }
    Some(counts)
}

/// Runs the method on every table that agrees: `choose` is given a count for each cell and returns the withheld ones.
/// `None` as in [`every_table`].
pub fn rerun(
    publication: &Publication,
    truth: &Truth,
    min_count: u64,
    most: usize,
    mut choose: impl FnMut(&[u64]) -> BTreeSet<CellIndex>,
) -> Option<Rerun> {
    let published: BTreeSet<CellIndex> =
        (0..publication.cells.len()).filter(|cell| publication.cells[*cell].withheld().is_some()).collect();
    let consistent = every_table(publication, most)?;
    let same: Vec<&Vec<u64>> = consistent.iter().filter(|table| choose(table) == published).collect();
    let mut found = Rerun { consistent: consistent.len(), same: same.len(), ..Rerun::default() };
    for cell in published.into_iter().filter(|cell| (1..min_count).contains(&truth.of_cell(*cell))) {
        found.small += 1;
        let before: BTreeSet<u64> = consistent.iter().map(|table| table[cell]).collect();
        let after: BTreeSet<u64> = same.iter().map(|table| table[cell]).collect();
        let small = |values: &BTreeSet<u64>| values.iter().filter(|value| **value < min_count).count();
        found.computable += usize::from(after.len() == 1);
        found.narrowed += usize::from(small(&after) < small(&before));
    }
    Some(found)
}
