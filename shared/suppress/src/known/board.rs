//! The integer model of totals: unknowns, relations, prices.
//!
//! Full atoms that lie in the same cells, and on the same sides of relations between records and mentions, are one *kind*. Only the block of kinds that cells connect with a
//! target is modelled. Knows what a reader knows: shown figures, and that withheld ones are at least 1.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tables::figures::{Figures, Mark};
use tables::system::{CellIndex, Relation, System};

use super::{Target, Weights, readable_sum, withheld_of};
use crate::lp::{Answer, Bound, Model};

/// Kinds, prices and figures.
pub struct Board<'a> {
    system: &'a System,
    figures: &'a Figures,
    /// Per full atom its kind; `None` outside every printed cell and where a shown zero leaves no record.
    kind_of: Vec<Option<u32>>,
    /// Per kind the cells that hold it.
    cells_of: Vec<Vec<CellIndex>>,
    /// Per kind its unit atom.
    unit_atom: Vec<Option<u32>>,
    /// Per cell its kinds.
    kinds: Vec<Vec<u32>>,
    /// Per cell what giving way costs; `None` where it cannot be withheld.
    prices: Vec<Option<f64>>,
    /// What else ties kinds: sums with signs that are 0, of tables that count each code.
    ties: Vec<Vec<(u32, i64)>>,
    /// Connected blocks of kinds.
    block_of: Vec<u32>,
}

impl<'a> Board<'a> {
    /// Reads figures; the caller checked their shape. Of `fixed` totals none gives way.
    pub fn new(
        system: &'a System,
        figures: &'a Figures,
        weights: Weights,
        fixed: &BTreeSet<CellIndex>,
    ) -> Self {
        let mut holding = vec![Vec::new(); system.atoms];
        let zero = |cell: &CellIndex| figures.totals.get(cell) == Some(&Mark::Shown(0));
        for (at, cell) in system.cells.iter().enumerate() {
            cell.atoms.iter().for_each(|atom| holding[*atom as usize].push(at));
        }
        let tied = Tied::new(system);
        let mut index = HashMap::<(&[CellIndex], &[u32]), u32>::new();
        let (mut kind_of, mut cells_of, mut unit_atom) = (Vec::new(), Vec::new(), Vec::new());
        for (atom, cells) in holding.iter().enumerate() {
            let sides = tied.sides[atom].as_slice();
            let void = cells.is_empty() && sides.is_empty() || cells.iter().any(zero);
            kind_of.push((!void).then(|| {
                *index.entry((cells, sides)).or_insert_with(|| {
                    cells_of.push(cells.clone());
                    unit_atom.push(system.unit_atom_of[atom]);
                    cells_of.len() as u32 - 1
                })
            }));
        }
        let mut kinds = vec![Vec::new(); system.cells.len()];
        for (kind, cells) in cells_of.iter().enumerate() {
            cells.iter().for_each(|cell| kinds[*cell].push(kind as u32));
        }
        let mut prices = prices(system, figures, weights);
        fixed.iter().for_each(|cell| prices[*cell] = None);
        let ties = tied.of_kinds(&kind_of);
        let block_of = blocks(&cells_of, &kinds, &ties);
        Self { system, figures, kind_of, cells_of, unit_atom, kinds, prices, ties, block_of }
    }

    /// What it costs to withhold a total; `None` where that is impossible or pointless.
    pub fn price(&self, cell: CellIndex) -> Option<f64> {
        self.prices[cell]
    }

    /// The kinds of a set of full atoms.
    pub fn kinds_of(&self, atoms: &[u32]) -> BTreeSet<u32> {
        atoms.iter().filter_map(|atom| self.kind_of[*atom as usize]).collect()
    }

    /// Whether whole numbers agree with everything shown around a target.
    pub fn is_consistent(&self, target: &Target, withheld: &BTreeSet<CellIndex>) -> bool {
        let (model, _) = self.model(target, None, withheld, false);
        model.solve() != Answer::None
    }

    /// The cheapest way for a target to have another value: how totals would differ. `None` if there is none.
    pub fn witness(
        &self,
        target: &Target,
        value: u64,
        withheld: &BTreeSet<CellIndex>,
    ) -> Option<Vec<(CellIndex, i64)>> {
        let (model, kinds) = self.model(target, Some(value), withheld, true);
        let Answer::Point(point) = model.solve() else {
            return None;
        };
        let changes = self.cells_in(&kinds).into_iter().filter_map(|cell| {
            let truth = self.figures.totals.get(&cell)?.shown()?;
            let sum: i64 =
                self.kinds[cell].iter().filter_map(|kind| kinds.get(kind)).map(|at| point[*at]).sum();
            let change = sum - i64::try_from(truth).ok()?;
            (change != 0).then_some((cell, change))
        });
        Some(changes.collect())
    }

    /// Sums over kinds that are 0 whatever the counts.
    pub fn ties(&self) -> &[Vec<(u32, i64)>] {
        &self.ties
    }

    fn cells_in(&self, kinds: &BTreeMap<u32, usize>) -> BTreeSet<CellIndex> {
        kinds.keys().flat_map(|kind| self.cells_of[*kind as usize].iter().copied()).collect()
    }

    /// The model of a target's block; with `elastic`, shown totals may give way at their price.
    fn model(
        &self,
        target: &Target,
        value: Option<u64>,
        withheld: &BTreeSet<CellIndex>,
        elastic: bool,
    ) -> (Model, BTreeMap<u32, usize>) {
        let mut model = Model::default();
        let wanted = self.kinds_of(&target.atoms);
        let blocks: BTreeSet<u32> = wanted.iter().map(|kind| self.block_of[*kind as usize]).collect();
        let inside = |kind: &u32| blocks.contains(&self.block_of[*kind as usize]);
        let kinds: BTreeMap<u32, usize> = (0..self.cells_of.len() as u32)
            .filter(inside)
            .map(|kind| (kind, model.unknown(0.0, None)))
            .collect();
        for cell in self.cells_in(&kinds) {
            let terms: Vec<(usize, i64)> = self.kinds[cell].iter().map(|kind| (kinds[kind], 1)).collect();
            self.total_row(&mut model, cell, terms, withheld, elastic);
        }
        for tie in self.ties.iter().filter(|tie| tie.first().is_some_and(|(kind, _)| inside(kind))) {
            model.row(tie.iter().map(|(kind, sign)| (kinds[kind], *sign)).collect(), Bound::Exactly(0));
        }
        if let Some(value) = value {
            let terms = wanted.iter().map(|kind| (kinds[kind], 1)).collect();
            model.row(terms, Bound::Exactly(i64::try_from(value).unwrap_or(i64::MAX)));
        }
        self.unit_rows(&mut model, &kinds);
        (model, kinds)
    }

    fn total_row(
        &self,
        model: &mut Model,
        cell: CellIndex,
        mut terms: Vec<(usize, i64)>,
        withheld: &BTreeSet<CellIndex>,
        elastic: bool,
    ) {
        let Some(mark) = self.figures.totals.get(&cell) else {
            return;
        };
        let truth = mark.shown().and_then(|value| i64::try_from(value).ok());
        let Some(truth) = truth.filter(|_| !withheld.contains(&cell) || !elastic) else {
            model.row(terms, Bound::AtLeast(1));
            return;
        };
        if let Some(price) = self.prices[cell].filter(|_| elastic) {
            terms.push((model.unknown(price, None), -1));
            terms.push((model.unknown(price, Some(truth - 1)), 1));
        }
        model.row(terms, Bound::Exactly(truth));
    }

    /// What is readable of units, and that units add up to the roster.
    fn unit_rows(&self, model: &mut Model, kinds: &BTreeMap<u32, usize>) {
        let mut link = BTreeMap::<u32, Vec<(usize, i64)>>::new();
        for (kind, at) in kinds {
            if let Some(atom) = self.unit_atom[*kind as usize] {
                link.entry(atom).or_default().push((*at, -1));
            }
        }
        let mut fixed = BTreeMap::<u32, i64>::new();
        for marks in &self.figures.per_unit {
            let mut unit = UnitRows::new(self.system, marks, link.keys().copied().collect());
            unit.propagate();
            for (atom, value) in &unit.known {
                *fixed.entry(*atom).or_default() += value;
            }
            let unknown: BTreeMap<u32, usize> =
                unit.open.iter().map(|atom| (*atom, model.unknown(0.0, None))).collect();
            for (atom, at) in &unknown {
                link.entry(*atom).or_default().push((*at, 1));
            }
            for (atoms, bound) in unit.rows {
                model.row(atoms.iter().map(|atom| (unknown[atom], 1)).collect(), bound);
            }
        }
        for (atom, terms) in link {
            model.row(terms, Bound::Exactly(-fixed.get(&atom).copied().unwrap_or(0)));
        }
    }
}

/// The relations between records and mentions of tables that count each code.
struct Tied {
    /// Per full atom the sides of relations that it is on: twice the relation, and one more on the right.
    sides: Vec<Vec<u32>>,
    relations: Vec<Relation>,
}

impl Tied {
    fn new(system: &System) -> Self {
        let relations: Vec<Relation> = system.relations().collect();
        let mut sides = vec![Vec::new(); system.atoms];
        for (at, relation) in relations.iter().enumerate() {
            relation.left.iter().for_each(|atom| sides[*atom as usize].push(2 * at as u32));
            relation.right.iter().for_each(|atom| sides[*atom as usize].push(2 * at as u32 + 1));
        }
        Self { sides, relations }
    }

    /// The relations over kinds: atoms of a kind are on the same sides.
    fn of_kinds(&self, kind_of: &[Option<u32>]) -> Vec<Vec<(u32, i64)>> {
        let side = |atoms: &[u32], sign: i64| {
            let kinds: BTreeSet<u32> = atoms.iter().filter_map(|atom| kind_of[*atom as usize]).collect();
            kinds.into_iter().map(move |kind| (kind, sign)).collect::<Vec<_>>()
        };
        self.relations.iter().map(|one| [side(&one.left, 1), side(&one.right, -1)].concat()).collect()
    }
}

/// What a reader knows of one unit's atoms.
struct UnitRows {
    known: BTreeMap<u32, i64>,
    open: BTreeSet<u32>,
    rows: Vec<(BTreeSet<u32>, Bound)>,
}

impl UnitRows {
    fn new(system: &System, marks: &BTreeMap<CellIndex, Mark>, atoms: BTreeSet<u32>) -> Self {
        let mut rows = Vec::new();
        for (cell, mark) in marks {
            let inside: BTreeSet<u32> = system.cells[*cell]
                .unit_atoms
                .iter()
                .flatten()
                .copied()
                .filter(|atom| atoms.contains(atom))
                .collect();
            if inside.is_empty() {
                continue;
            }
            let bound = match mark {
                Mark::Shown(value) => Bound::Exactly(i64::try_from(*value).unwrap_or(i64::MAX)),
                Mark::Withheld => Bound::AtLeast(1),
            };
            rows.push((inside, bound));
        }
        Self { known: BTreeMap::new(), open: atoms, rows }
    }

    /// Settles atoms that one shown figure determines, until none is left.
    fn propagate(&mut self) {
        loop {
            let settled = self.rows.iter().find_map(|(atoms, bound)| match bound {
                Bound::Exactly(0) if !atoms.is_empty() => Some(atoms.iter().map(|atom| (*atom, 0)).collect()),
                Bound::Exactly(value) if atoms.len() == 1 => {
                    Some(atoms.iter().map(|atom| (*atom, *value)).collect::<Vec<_>>())
                }
                _ => None,
            });
            let Some(settled) = settled else { break };
            for (atom, value) in settled {
                self.open.remove(&atom);
                self.known.insert(atom, value);
                for (atoms, bound) in &mut self.rows {
                    if atoms.remove(&atom) {
                        *bound = match *bound {
                            Bound::Exactly(sum) => Bound::Exactly(sum - value),
                            Bound::AtLeast(sum) => Bound::AtLeast(sum - value),
                        };
                    }
                }
            }
        }
        // A row without unknowns that does not hold is kept: it makes the model infeasible, as it should.
        self.rows.retain(|(atoms, bound)| {
            let holds =
                matches!(bound, Bound::Exactly(0)) || matches!(bound, Bound::AtLeast(least) if *least <= 0);
            !(atoms.is_empty() && holds)
        });
    }
}

fn prices(system: &System, figures: &Figures, weights: Weights) -> Vec<Option<f64>> {
    let withheld = withheld_of(figures);
    let mut rank = vec![weights.cell; system.cells.len()];
    for row in system.tables.iter().flat_map(|table| &table.rows) {
        let margins = row.codes.iter().filter(|code| code.is_none()).count();
        let weight = match margins {
            all if all == row.codes.len() => weights.grand,
            0 => weights.cell,
            _ => weights.margin,
        };
        rank[row.cell] = rank[row.cell].max(weight);
    }
    let price = |(cell, weight): (CellIndex, f64)| {
        let value = figures.totals.get(&cell)?.shown()?;
        let free =
            system.cells[cell].is_count && value > 0 && readable_sum(system, &withheld, cell).is_none();
        free.then(|| weight + weights.size * ((value as f64) + 1.0).log2())
    };
    rank.into_iter().enumerate().map(price).collect()
}

/// Connected blocks of kinds under "in a common cell" and "in a common relation".
fn blocks(cells_of: &[Vec<CellIndex>], kinds: &[Vec<u32>], ties: &[Vec<(u32, i64)>]) -> Vec<u32> {
    let mut ties_of = vec![Vec::new(); cells_of.len()];
    for (at, tie) in ties.iter().enumerate() {
        tie.iter().for_each(|(kind, _)| ties_of[*kind as usize].push(at));
    }
    let mut is_followed = vec![false; ties.len()];
    let mut block = vec![u32::MAX; cells_of.len()];
    let mut seen = vec![false; kinds.len()];
    for start in 0..cells_of.len() {
        let mut stack = vec![start];
        while let Some(kind) = stack.pop() {
            if block[kind] != u32::MAX {
                continue;
            }
            block[kind] = start as u32;
            for tie in &ties_of[kind] {
                if !std::mem::replace(&mut is_followed[*tie], true) {
                    stack.extend(ties[*tie].iter().map(|(kind, _)| *kind as usize));
                }
            }
            for cell in &cells_of[kind] {
                if !std::mem::replace(&mut seen[*cell], true) {
                    stack.extend(kinds[*cell].iter().map(|kind| *kind as usize));
                }
            }
        }
    }
    block
}
