//! Relations as linear rows over withheld cells.
//!
//! Shown counts are moved to the right side, so only withheld cells are unknowns. A block is a set of withheld cells
//! that relations connect; blocks know nothing of each other.

use super::{CellIndex, Kind, Publication, Relation, RelationIndex};
use crate::view::{SourceIndex, Terms, View};

/// `lo ≤ Σ terms ≤ hi` over withheld cells.
#[derive(Clone)]
pub(super) struct Linear {
    pub(super) terms: Vec<(CellIndex, i64)>,
    pub(super) lo: Option<i64>,
    pub(super) hi: Option<i64>,
}

impl Linear {
    /// Whether a row without unknowns holds.
    fn holds(&self) -> bool {
        self.lo.is_none_or(|lo| lo <= 0) && self.hi.is_none_or(|hi| 0 <= hi)
    }
}

/// What a relation says, shown counts moved to the sides.
pub(super) fn rows(publication: &Publication, relation: &Relation) -> Vec<Linear> {
    let total = relation.total;
    let row = |terms: Vec<(CellIndex, i64)>, lo: Option<i64>, hi: Option<i64>| {
        let mut shown = 0i64;
        let mut left = Vec::new();
        for (cell, factor) in terms {
            match publication.cells[cell].shown() {
                Some(count) => shown += factor * count as i64, // counts are at most 2²⁸, factors at most 2³⁴
                None => left.push((cell, factor)),
            }
        }
        Linear { terms: left, lo: lo.map(|lo| lo - shown), hi: hi.map(|hi| hi - shown) }
    };
    let rest = || {
        let terms = relation.terms.iter().map(|term| (*term, -1));
        std::iter::once((total, 1)).chain(terms).collect::<Vec<_>>()
    };
    match relation.kind {
        Kind::Sum | Kind::Same => vec![row(rest(), Some(0), Some(0))],
        Kind::AtLeast => vec![row(rest(), Some(0), None)],
        Kind::NoMoreThan => vec![row(rest(), None, Some(0))],
        Kind::NotASum => {
            let parts = relation.terms.iter();
            let least = parts.map(|term| row(vec![(total, 1), (*term, -1)], Some(0), None));
            std::iter::once(row(rest(), None, Some(0))).chain(least).collect()
        }
        // as View::rounded_percent: percent − ½ ≤ 100 part / whole < percent + ½, of a whole that is not 0
        Kind::Percent(percent) => {
            let percent = i64::from(percent);
            let whole = relation.terms.iter();
            let ends = whole.flat_map(|whole| {
                [
                    row(vec![(total, 200), (*whole, -(2 * percent - 1))], Some(0), None),
                    row(vec![(total, 200), (*whole, -(2 * percent + 1))], None, Some(-1)),
                    row(vec![(*whole, 1)], Some(1), None),
                ]
            });
            ends.collect()
        }
    }
}

/// Whether a relation of shown counts only agrees with itself; rows with unknowns count as agreeing.
pub(super) fn agrees(rows: &[Linear]) -> bool {
    rows.iter().all(|row| !row.terms.is_empty() || row.holds())
}

/// Withheld cells that relations connect.
#[derive(Clone, Default)]
pub(super) struct Block {
    /// Cells, ascending.
    pub(super) cells: Vec<CellIndex>,
    /// Relations that hold at least one of them, ascending.
    pub(super) relations: Vec<RelationIndex>,
}

/// The blocks of a publication; `rows[r]` are those of relation `r`.
pub(super) fn blocks(publication: &Publication, rows: &[Vec<Linear>]) -> Vec<Block> {
    let mut leader: Vec<CellIndex> = (0..publication.cells.len()).collect();
    let unknowns = |relation: &Vec<Linear>| {
        let mut cells: Vec<CellIndex> =
            relation.iter().flat_map(|row| &row.terms).map(|(cell, _)| *cell).collect();
        cells.sort_unstable();
        cells.dedup();
        cells
    };
    let of: Vec<Vec<CellIndex>> = rows.iter().map(unknowns).collect();
    for cells in &of {
        for cell in cells.iter().skip(1) {
            let (a, b) = (find(&mut leader, cells[0]), find(&mut leader, *cell));
            leader[a.max(b)] = a.min(b);
        }
    }
    let mut at_of: Vec<Option<usize>> = vec![None; leader.len()];
    let mut blocks: Vec<Block> = Vec::new();
    let mut related = vec![false; leader.len()];
    of.iter().flatten().for_each(|cell| related[*cell] = true);
    for cell in (0..leader.len()).filter(|cell| related[*cell]) {
        let top = find(&mut leader, cell);
        let at = *at_of[top].get_or_insert_with(|| {
            blocks.push(Block::default());
            blocks.len() - 1
        });
        blocks[at].cells.push(cell);
    }
    for (relation, cells) in of.iter().enumerate() {
        if let Some(at) = cells.first().and_then(|cell| at_of[find(&mut leader, *cell)]) {
            blocks[at].relations.push(relation);
        }
    }
    blocks
}

fn find(leader: &mut [CellIndex], at: CellIndex) -> CellIndex {
    let mut top = at;
    while leader[top] != top {
        top = leader[top];
    }
    let mut walk = at;
    while leader[walk] != top {
        walk = std::mem::replace(&mut leader[walk], top);
    }
    top
}

/// The view of a block's cells under some of its relations: variable and target `i` are cell `i` of the list, the
/// target after them is their sum. Sources are positions in `relations`.
pub(super) fn view(
    publication: &Publication,
    rows: &[Vec<Linear>],
    cells: &[CellIndex],
    relations: &[RelationIndex],
) -> View {
    let mut view = View::default();
    for cell in cells {
        let meaning = publication.cells[*cell].withheld().map(|(_, meaning)| meaning);
        let at = view.variable(meaning.map_or(0, |meaning| meaning.lower));
        view.variables[at].upper = meaning.and_then(|meaning| meaning.upper);
    }
    for (source, relation) in relations.iter().enumerate() {
        for row in &rows[*relation] {
            add(&mut view, row, cells, source);
        }
    }
    for at in 0..cells.len() {
        view.target(vec![(at, 1)]);
    }
    view.target((0..cells.len()).map(|at| (at, 1)).collect());
    view
}

fn add(view: &mut View, row: &Linear, cells: &[CellIndex], source: SourceIndex) {
    let place = |(cell, factor): &(CellIndex, i64)| cells.binary_search(cell).ok().map(|at| (at, *factor));
    let terms: Terms = row.terms.iter().filter_map(place).collect();
    match (row.lo, row.hi) {
        (Some(lo), Some(hi)) if lo == hi => view.equation(terms, lo, source),
        (lo, hi) => {
            if let Some(lo) = lo {
                view.at_least(terms.clone(), lo, source);
            }
            if let Some(hi) = hi {
                view.at_most(terms, hi, source);
            }
        }
    }
}

/// Sum of the shown counts and other constants that a block's rows hold: how large its numbers get.
pub(super) fn magnitude(rows: &[Vec<Linear>], relations: &[RelationIndex]) -> i128 {
    let side = |side: Option<i64>| i128::from(side.unwrap_or(0).unsigned_abs());
    let own = relations.iter().flat_map(|relation| &rows[*relation]);
    own.map(|row| side(row.lo).max(side(row.hi))).sum()
}

/// Leaves out one relation after the other as long as the rest still rule out what they are to rule out; `false` when
/// that was not tried for all, after `most` tests.
pub(super) fn fewest(
    mut kept: Vec<RelationIndex>,
    most: usize,
    rules_out: &dyn Fn(&[RelationIndex]) -> bool,
) -> (Vec<RelationIndex>, bool) {
    let (mut at, mut tests) = (0, 0);
    while at < kept.len() && tests < most {
        tests += 1;
        let mut fewer = kept.clone();
        fewer.remove(at);
        if rules_out(&fewer) {
            kept = fewer;
        } else {
            at += 1;
        }
    }
    let all = at >= kept.len();
    (kept, all)
}
