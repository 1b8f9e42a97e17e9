//! What county totals hide once their county shows the others: what follows from shown totals is not hidden, whatever
//! mark it has.
//!
//! A county's totals are sets of records; those it shows span what anyone can compute (sums and differences, also over
//! tables and through their bortfall, which is always shown). Exact, over the rationals modulo a prime (`crate::span`). Knows no
//! value. Zeros are given by whoever knows them; the third coordinator does not, and then counts a county as hidden although a
//! zero of it may tell.

use std::collections::{BTreeMap, BTreeSet};

use tables::figures::CountyMark;
use tables::system::{CellIndex, System};

mod groups;

pub use groups::Sum;

use super::LEAST_HIDDEN;
use crate::opened::told_by_few;
use crate::span::{Span, Sparse};

/// Cells as sets of kinds: full atoms that lie in the same cells are one kind.
struct Kinds {
    of_cell: Vec<Vec<u32>>,
    count: u32,
}

impl Kinds {
    fn new(system: &System) -> Self {
        let mut lists = vec![Vec::<u32>::new(); system.atoms];
        for (at, cell) in system.cells.iter().enumerate() {
            cell.atoms.iter().for_each(|atom| lists[*atom as usize].push(at as u32));
        }
        let mut kinds = BTreeMap::<Vec<u32>, u32>::new();
        let mut of_cell = vec![Vec::new(); system.cells.len()];
        for list in lists.into_iter().filter(|list| !list.is_empty()) {
            let fresh = kinds.len() as u32;
            if let std::collections::btree_map::Entry::Vacant(entry) = kinds.entry(list) {
                entry.key().iter().for_each(|cell| of_cell[*cell as usize].push(fresh));
                entry.insert(fresh);
            }
        }
        Self { of_cell, count: kinds.len() as u32 }
    }

    /// Cells by size: the small ones first keep an echelon basis sparse.
    fn by_size(&self) -> Vec<CellIndex> {
        let mut cells: Vec<CellIndex> = (0..self.of_cell.len()).collect();
        cells.sort_by_key(|cell| (self.of_cell[*cell].len(), *cell));
        cells
    }
}

/// One county: what it shows, and kinds that its zeros empty.
struct County {
    shown: Span,
    empty: BTreeSet<u32>,
}

impl County {
    fn new(kinds: &Kinds, order: &[CellIndex], withheld: &BTreeSet<CellIndex>, marks: &[CountyMark]) -> Self {
        let is_zero = |cell: &&CellIndex| marks.get(**cell) == Some(&CountyMark::Zero);
        let empty: BTreeSet<u32> =
            order.iter().filter(is_zero).flat_map(|cell| &kinds.of_cell[*cell]).copied().collect();
        let mut county = Self { shown: Span::default(), empty };
        for cell in order.iter().filter(|cell| !withheld.contains(cell)) {
            let vector = county.vector(kinds, *cell);
            county.shown.insert_vector(*cell as u32, vector);
        }
        county
    }

    fn vector(&self, kinds: &Kinds, cell: CellIndex) -> Sparse {
        let kept = kinds.of_cell[cell].iter().filter(|kind| !self.empty.contains(kind));
        kept.map(|kind| (*kind, 1)).collect()
    }

    /// What a total says beyond what the county shows; empty when nothing.
    fn news(&self, kinds: &Kinds, cell: CellIndex) -> Sparse {
        self.shown.rest(self.vector(kinds, cell))
    }
}

/// What counties hide under a pattern.
pub struct Hiding {
    kinds: Kinds,
    order: Vec<CellIndex>,
    counties: Vec<County>,
}

impl Hiding {
    /// `withheld[county]` of all counties; `marks[county][cell]` of whoever knows them, or none.
    pub fn new(system: &System, withheld: &[BTreeSet<CellIndex>], marks: &[Vec<CountyMark>]) -> Self {
        let kinds = Kinds::new(system);
        let order = kinds.by_size();
        let none = Vec::new();
        let county = |(at, own): (usize, &BTreeSet<CellIndex>)| {
            County::new(&kinds, &order, own, marks.get(at).unwrap_or(&none))
        };
        let counties = withheld.iter().enumerate().map(county).collect();
        Self { kinds, order, counties }
    }

    /// How many counties of a roster hide a total.
    pub fn hidden(&self, roster: &BTreeSet<usize>, cell: CellIndex) -> usize {
        let hides = |at: &&usize| {
            self.counties.get(**at).is_some_and(|county| !county.news(&self.kinds, cell).is_empty())
        };
        roster.iter().filter(hides).count()
    }

    /// Opened sums a combination of which speaks of one or two counties of a roster only (SAFE-3); `None` when there is none.
    pub fn thin(&self, roster: &BTreeSet<usize>, open: &BTreeSet<CellIndex>) -> Option<BTreeSet<CellIndex>> {
        // Sums that follow from others say nothing of their own.
        let (mut span, mut basis) = (Span::default(), Vec::new());
        for cell in self.order.iter().filter(|cell| open.contains(cell)) {
            let vector: Sparse = self.kinds.of_cell[*cell].iter().map(|kind| (*kind, 1)).collect();
            if !span.rest(vector.clone()).is_empty() {
                span.insert_vector(*cell as u32, vector);
                basis.push(*cell);
            }
        }
        let news = |county: &County| {
            let mut rows = BTreeMap::<u32, Vec<(u32, u64)>>::new();
            for (at, cell) in basis.iter().enumerate() {
                for (kind, value) in county.news(&self.kinds, *cell) {
                    rows.entry(kind).or_default().push((at as u32, value));
                }
            }
            rows.into_values().collect::<BTreeSet<_>>()
        };
        let spaces = roster.iter().filter_map(|at| self.counties.get(*at)).map(news).collect();
        let thin = told_by_few(spaces, basis.len() as u32)?;
        Some(thin.into_keys().map(|at| basis[at as usize]).collect())
    }

    /// Takes sums out of `open` until each hides enough counties of a roster and no combination of those left hides
    /// fewer; what was taken out.
    pub fn narrow(&self, roster: &BTreeSet<usize>, open: &mut BTreeSet<CellIndex>) -> BTreeSet<CellIndex> {
        let few = |cell: &&CellIndex| self.hidden(roster, **cell) < LEAST_HIDDEN;
        let mut closed: BTreeSet<CellIndex> = open.iter().filter(few).copied().collect();
        open.retain(|cell| !closed.contains(cell));
        while let Some(thin) = self.thin(roster, open) {
            let least = thin.into_iter().min_by_key(|cell| (self.kinds.of_cell[*cell].len(), *cell));
            let Some(least) = least else { break };
            open.remove(&least);
            closed.insert(least);
        }
        closed
    }

    /// A county's withheld totals in parts that move apart: within one, some movement of records changes its totals and no
    /// other withheld or shown one, and no smaller part has that. (The connected components of the matroid of withheld
    /// totals over shown ones: J. Oxley, *Matroid Theory*, 2nd ed., prop. 4.3.2.) Totals that follow from shown ones are in none.
    pub fn parts(&self, county: usize, withheld: &BTreeSet<CellIndex>) -> Vec<BTreeSet<CellIndex>> {
        let county = &self.counties[county];
        let mut basis = Span::default();
        let mut up = BTreeMap::<CellIndex, CellIndex>::new();
        for cell in self.order.iter().copied().filter(|cell| withheld.contains(cell)) {
            let news = county.news(&self.kinds, cell);
            if news.is_empty() {
                continue;
            }
            up.insert(cell, cell);
            match basis.express_vector(news.clone()) {
                None => basis.insert_vector(cell as u32, news),
                Some(others) => {
                    for other in others.into_iter().filter(|(_, factor)| *factor != 0) {
                        let (one, other) = (root(&up, cell), root(&up, other.0 as CellIndex));
                        up.insert(one.max(other), one.min(other));
                    }
                }
            }
        }
        let mut parts = BTreeMap::<CellIndex, BTreeSet<CellIndex>>::new();
        for cell in up.keys() {
            parts.entry(root(&up, *cell)).or_default().insert(*cell);
        }
        parts.into_values().collect()
    }
}

fn root(up: &BTreeMap<CellIndex, CellIndex>, mut cell: CellIndex) -> CellIndex {
    while let Some(next) = up.get(&cell).filter(|next| **next != cell) {
        cell = *next;
    }
    cell
}

/// Whether figures of one county agree wherever one follows from others; figures of all cells not in `figures` are withheld.
pub fn agree(system: &System, figures: &BTreeMap<CellIndex, u64>) -> bool {
    let kinds = Kinds::new(system);
    let mut span = Span::default();
    kinds.by_size().into_iter().filter(|cell| figures.contains_key(cell)).all(|cell| {
        let vector: Sparse = kinds.of_cell[cell].iter().map(|kind| (*kind, 1)).collect();
        match span.express_vector(vector.clone()) {
            None => {
                span.insert_vector(cell as u32, vector);
                true
            }
            Some(others) => {
                let value = |cell: u32| figures.get(&(cell as CellIndex)).copied().unwrap_or_default();
                crate::span::value_of(&others, value) == figures[&cell]
            }
        }
    })
}
