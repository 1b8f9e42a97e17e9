//! Witnesses over units: movements that change nothing published and carry a small unit atom through its range.
//!
//! Checked here in exact integers, whoever supplied them, against the figures themselves: orthogonal to every shown
//! figure, every cell they touch large enough (by what the coordinator knows for certain) to follow the target through
//! `1..min_count` without becoming negative, every withheld cell staying at least 1. A valid witness proves SAFE-1 for
//! its target whatever the true values are, and SAFE-2 against every kommun it does not touch.
//!
//! [`Verifier::search`] looks for the weaker thing SAFE-2 needs, one step upward past a given kommun, by an integer
//! program whose answer goes through the same exact checks.

use std::collections::{BTreeMap, BTreeSet};

use tables::figures::Witness;
use tables::system::{CellIndex, System};
use tables::unit::{KommunKod, Unit};

use crate::program::{Claim, Program};
use crate::rows::{Domain, Row};
use crate::transfer::{Finer, Transfer};

/// What is certain of the table, for checking movements.
pub(crate) struct Verifier<'a> {
    pub(crate) system: &'a System,
    pub(crate) units: &'a [Unit],
    /// Per unit the printed cells with whether a reader sees their figure.
    pub(crate) printed: Vec<BTreeMap<CellIndex, bool>>,
    /// Totals that are unions of unit atoms, with whether a reader sees their figure.
    pub(crate) totals: BTreeMap<CellIndex, bool>,
    /// Totals that split unit atoms.
    pub(crate) finer: Finer,
    /// Ways of records that a search considers, with the withheld finer totals that may lose one.
    pub(crate) transfers: Vec<(Transfer, BTreeSet<CellIndex>)>,
    /// Per unit and atom a value the truth is not under.
    pub(crate) lower: Vec<Vec<i64>>,
    /// The collection's threshold.
    pub(crate) threshold: i64,
}

type Steps = BTreeMap<(usize, u32), i64>;

impl Verifier<'_> {
    /// The kommuner a valid witness touches; `None` when it is not valid for its target.
    pub(crate) fn check(&self, witness: &Witness) -> Option<BTreeSet<KommunKod>> {
        let mut steps = Steps::new();
        for (unit, atom, change) in &witness.steps {
            let (unit, inside) = (*unit as usize, (*atom as usize) < self.system.unit_atoms);
            if unit >= self.units.len()
                || !inside
                || steps.insert((unit, *atom), i64::from(*change)).is_some()
            {
                return None;
            }
        }
        let target = (witness.unit as usize, witness.atom);
        if steps.get(&target) != Some(&1) || !self.holds(&steps, target, self.threshold - 2) {
            return None;
        }
        Some(steps.keys().map(|(unit, _)| self.units[*unit].kommun()).collect())
    }

    /// Whether the movement can be made up to `reach` times in both directions without anybody noticing; the target
    /// itself stays in `1..`.
    fn holds(&self, steps: &Steps, target: (usize, u32), reach: i64) -> bool {
        steps
            .iter()
            .all(|(at, change)| *at == target || self.lower[at.0][at.1 as usize] >= change.abs() * reach)
            && self.orthogonal(steps, reach)
            && self.withheld_stay(
                steps,
                |net, rest, holds_target| {
                    let excess = if holds_target { net - 1 } else { net };
                    let least = if holds_target { 0 } else { i64::from(net != 0) };
                    rest - excess.abs() * reach >= least
                },
                target,
            )
    }

    fn orthogonal(&self, steps: &Steps, reach: i64) -> bool {
        let touched: BTreeSet<usize> = steps.keys().map(|(unit, _)| *unit).collect();
        let shown_still = touched.iter().all(|unit| {
            let shown = self.printed[*unit].iter().filter(|(_, shown)| **shown);
            shown.into_iter().all(|(cell, _)| self.net(steps, Some(*unit), *cell) == 0)
        });
        let totals_still = self
            .totals
            .iter()
            .filter(|(_, shown)| **shown)
            .all(|(cell, _)| self.net(steps, None, *cell) == 0);
        let mut moved: BTreeMap<u32, i64> = BTreeMap::new();
        steps.iter().for_each(|((_, atom), change)| *moved.entry(*atom).or_default() += change);
        shown_still && totals_still && self.finer.carries(&moved, reach)
    }

    /// `test(net change, lower bound of the rest, whether the target is in it)` for every withheld cell that moves.
    fn withheld_stay(
        &self,
        steps: &Steps,
        test: impl Fn(i64, i64, bool) -> bool,
        target: (usize, u32),
    ) -> bool {
        let touched: BTreeSet<usize> = steps.keys().map(|(unit, _)| *unit).collect();
        let in_units = touched.iter().all(|unit| {
            let hidden = self.printed[*unit].iter().filter(|(_, shown)| !**shown);
            hidden.into_iter().all(|(cell, _)| {
                let atoms = self.atoms(*cell);
                let with = target.0 == *unit && atoms.contains(&target.1);
                let of = |atom: &u32| {
                    if (*unit, *atom) == target { 0 } else { self.lower[*unit][*atom as usize] }
                };
                let net = self.net(steps, Some(*unit), *cell);
                net == 0 || test(net, atoms.iter().map(of).sum(), with)
            })
        });
        in_units
            && self.totals.iter().filter(|(_, shown)| !**shown).all(|(cell, _)| {
                let atoms = self.atoms(*cell);
                let net = self.net(steps, None, *cell);
                let of = |unit: usize, atom: u32| {
                    if (unit, atom) == target { 0 } else { self.lower[unit][atom as usize] }
                };
                let rest = (0..self.units.len()).flat_map(|unit| atoms.iter().map(move |atom| (unit, *atom)));
                net == 0
                    || test(net, rest.map(|(unit, atom)| of(unit, atom)).sum(), atoms.contains(&target.1))
            })
    }

    fn atoms(&self, cell: CellIndex) -> &[u32] {
        self.system.cells[cell].unit_atoms.as_deref().unwrap_or(&[])
    }

    fn net(&self, steps: &Steps, unit: Option<usize>, cell: CellIndex) -> i64 {
        let atoms = self.atoms(cell);
        steps
            .iter()
            .filter(|((at, atom), _)| {
                unit.is_none_or(|unit| unit == *at) && atoms.binary_search(atom).is_ok()
            })
            .map(|(_, change)| change)
            .sum()
    }

    /// Whether of a set of a unit's atoms the witness moves only its own target, by one. Then witnesses of several
    /// small atoms of one set add up, and carry the set through its range together.
    pub(crate) fn moves_alone(witness: &Witness, unit: usize, atoms: &[u32]) -> bool {
        let inside =
            |step: &&(u32, u32, i32)| step.0 as usize == unit && atoms.binary_search(&step.1).is_ok();
        let mut steps = witness.steps.iter().filter(inside);
        steps.next().is_some_and(|step| (step.1, step.2) == (witness.atom, 1)) && steps.next().is_none()
    }

    /// Whether a set of one unit can be one more without the units of `without` moving, whatever the truth: at least
    /// two values remain (SAFE-2). `Some(Some(_))` are the kommuner of a verified movement; `Some(None)`: there is no
    /// movement that is possible for certain; `None`: not settled.
    pub(crate) fn search(
        &self,
        unit: usize,
        atoms: &[u32],
        without: KommunKod,
        nodes: u64,
    ) -> Option<Option<BTreeSet<KommunKod>>> {
        let width = self.system.unit_atoms;
        let count = self.units.len() * width;
        let mut domain = Domain { lower: vec![0; count], upper: vec![Some(0); count] };
        for at in (0..self.units.len()).filter(|at| self.units[*at].kommun() != without) {
            let still =
                self.printed[at].iter().filter(|(cell, shown)| **shown && self.atoms(**cell).len() == 1);
            let still: BTreeSet<u32> = still.map(|(cell, _)| self.atoms(*cell)[0]).collect();
            for atom in (0..width).filter(|atom| !still.contains(&(*atom as u32))) {
                domain.lower[at * width + atom] = -i128::from(self.lower[at][atom]);
                domain.upper[at * width + atom] = Some(i128::from(self.threshold) * 64);
            }
        }
        for _ in &self.transfers {
            domain.lower.push(0);
            domain.upper.push(Some(i128::from(self.threshold)));
        }
        let rows = self.rows(unit, atoms);
        let variables: Vec<u32> =
            (0..domain.lower.len() as u32).filter(|at| domain.fixed(*at as usize).is_none()).collect();
        let references: Vec<&Row> = rows.iter().collect();
        let program =
            Program { variables: &variables, rows: &references, domain: &domain, loose: None, spread: false };
        match program.solve(nodes) {
            Claim::Point(values) => {
                let mut point = vec![0; domain.lower.len()];
                variables.iter().zip(values).for_each(|(at, value)| point[*at as usize] = value);
                let bounded = variables.iter().all(|at| point[*at as usize] >= domain.lower[*at as usize]);
                if !bounded || !rows.iter().all(|row| satisfied(row, &point)) {
                    return None;
                }
                let moved = (0..count).filter(|at| point[*at] != 0).map(|at| self.units[at / width].kommun());
                Some(Some(moved.collect()))
            }
            Claim::Nothing => Some(None),
            Claim::Unknown => None,
        }
    }

    /// Movements nobody notices, with the target moving by one.
    fn rows(&self, unit: usize, target: &[u32]) -> Vec<Row> {
        let width = self.system.unit_atoms as u32;
        let at = |unit: usize, atom: u32| unit as u32 * width + atom;
        let row = |terms: Vec<(u32, i64)>, lo: i64, hi: Option<i64>| Row {
            terms,
            lo: Some(i128::from(lo)),
            hi: hi.map(i128::from),
            source: None,
        };
        let of_unit =
            |unit: usize, atoms: &[u32]| atoms.iter().map(|atom| (at(unit, *atom), 1)).collect::<Vec<_>>();
        let of_all =
            |atoms: &[u32]| (0..self.units.len()).flat_map(|unit| of_unit(unit, atoms)).collect::<Vec<_>>();
        let least = |units: &[usize], atoms: &[u32]| -> i64 {
            units.iter().flat_map(|unit| atoms.iter().map(|atom| self.lower[*unit][*atom as usize])).sum()
        };
        let everyone: Vec<usize> = (0..self.units.len()).collect();
        let mut rows = vec![row(of_unit(unit, target), 1, Some(1))];
        for (unit, cells) in self.printed.iter().enumerate() {
            for (cell, shown) in cells {
                let terms = of_unit(unit, self.atoms(*cell));
                let limit = 1 - least(&[unit], self.atoms(*cell)).max(1);
                rows.push(if *shown { row(terms, 0, Some(0)) } else { row(terms, limit, None) });
            }
        }
        for (cell, shown) in &self.totals {
            let terms = of_all(self.atoms(*cell));
            let limit = 1 - least(&everyone, self.atoms(*cell)).max(1);
            rows.push(if *shown { row(terms, 0, Some(0)) } else { row(terms, limit, None) });
        }
        let first = self.units.len() as u32 * width;
        let numbered = || self.transfers.iter().zip(first..);
        for atom in (0..width).filter(|atom| self.finer.splits(*atom)) {
            // What the units gain, transfers bring.
            let mut terms = of_all(&[atom]);
            for (((from, to), _), at) in numbered() {
                let gain = i64::from(*to == Some(atom)) - i64::from(*from == Some(atom));
                if gain != 0 {
                    terms.push((at, -gain));
                }
            }
            rows.push(row(terms, 0, Some(0)));
            // Only records that are there for certain leave.
            let leaving =
                numbered().filter(|(((from, _), _), _)| *from == Some(atom)).map(|(_, at)| (at, -1));
            rows.push(row(leaving.collect(), -least(&everyone, &[atom]), None));
        }
        let losing: BTreeSet<CellIndex> =
            self.transfers.iter().flat_map(|(_, losers)| losers.iter().copied()).collect();
        for cell in losing {
            let terms = numbered().filter(|((_, losers), _)| losers.contains(&cell)).map(|(_, at)| (at, -1));
            rows.push(row(terms.collect(), -self.finer.slack(cell), None));
        }
        rows
    }
}

fn satisfied(row: &Row, point: &[i128]) -> bool {
    let sum: i128 = row.terms.iter().map(|(at, factor)| point[*at as usize] * i128::from(*factor)).sum();
    row.lo.is_none_or(|lo| lo <= sum) && row.hi.is_none_or(|hi| sum <= hi)
}
