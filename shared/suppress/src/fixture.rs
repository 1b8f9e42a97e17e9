//! Small collections for tests, and the adversary that tries every table.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::{FineStatus, MinCount};
use tables::figures::Pattern;
use tables::system::{CellIndex, System};
use tables::unit::Unit;

/// A collection over one or more years with the given `[[tabell]]` blocks.
pub struct Fixture {
    pub collection: Collection,
    pub system: System,
}

impl Fixture {
    pub fn new(units: &[&str], years: &str, tables: &str) -> Self {
        let units = units.iter().map(|unit| format!("\"{unit}\"")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "id = \"prov\"\nversion = 1\ntitel = \"Prov\"\nlan = \"21\"\nkodbok = \"vuxna/1\"\nperioder = [{years}]\n\
             deltagare = [{units}]\ndeklarera_inom_timmar = 1\nlamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n\
             {tables}"
        );
        let book = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(&text, &book).unwrap();
        let system = System::new(&collection, &book).unwrap();
        Self { collection, system }
    }

    /// The cell of a row: table id, codes with `TOT`, period.
    pub fn cell(&self, table: &str, codes: &[&str], period: &str) -> CellIndex {
        let at = self.collection.tables.iter().position(|t| t.id == table).unwrap();
        let table = &self.collection.tables[at];
        let period = table.periods.iter().position(|p| p.to_string() == period).unwrap();
        let code = |(dimension, code): (&tables::codebook::Resolved, &&str)| {
            dimension.categories.iter().position(|category| category.code == *code)
        };
        let codes: Vec<_> = table.dimensions.iter().zip(codes).map(code).collect();
        let rows = &self.system.tables[at].rows;
        rows.iter().find(|row| row.codes == codes && row.period == period).unwrap().cell
    }

    /// The unit atom of a cell that is one.
    pub fn atom(&self, table: &str, codes: &[&str], period: &str) -> u32 {
        let atoms = self.system.cells[self.cell(table, codes, period)].unit_atoms.clone().unwrap();
        assert_eq!(atoms.len(), 1, "{table} {codes:?} {period}");
        atoms[0]
    }
}

/// One table of scope kommun over the first categories of aktualiseringstyp.
pub fn one_way(codes: &[&str]) -> String {
    let codes = codes.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
         dimensioner = [\"aktualiseringstyp\"]\nfilter = {{ aktualiseringstyp = [{codes}] }}\n"
    )
}

pub fn statuses(values: &[Vec<u64>]) -> Vec<Vec<FineStatus>> {
    let four = MinCount::default();
    values.iter().map(|own| own.iter().map(|value| four.status(*value)).collect()).collect()
}

pub fn sum(values: &[u64], atoms: &[u32]) -> u64 {
    atoms.iter().map(|atom| values[*atom as usize]).sum()
}

/// A reader or an insider who tries every integer table that fits what is shown.
pub struct Adversary<'a> {
    pub system: &'a System,
    pub units: &'a [Unit],
    pub values: &'a [Vec<u64>],
    pub pattern: &'a Pattern,
    /// Sums of unit atoms over the roster that are known.
    totals: Vec<Vec<u32>>,
    cap: u64,
}

const MOST_STATES: usize = 60_000;

impl<'a> Adversary<'a> {
    pub fn new(system: &'a System, units: &'a [Unit], values: &'a [Vec<u64>], pattern: &'a Pattern) -> Self {
        let known = system.cells.iter().enumerate().filter(|(at, _)| !pattern.closed.contains(at));
        let mut totals: Vec<Vec<u32>> = known.filter_map(|(_, cell)| cell.unit_atoms.clone()).collect();
        totals.retain(|atoms| !atoms.is_empty());
        let cap = values.iter().flatten().max().unwrap() + 4;
        Self { system, units, values, pattern, totals, cap }
    }

    /// Per small printed cell or implied difference of other kommuner than `insider` the values that stay
    /// possible, up to 3; `None` where there were too many tables to try.
    #[allow(clippy::type_complexity)]
    pub fn possible(&self, insider: Option<usize>) -> Option<BTreeMap<(usize, Vec<u32>), BTreeSet<u64>>> {
        let home = insider.map(|unit| self.units[unit].kommun());
        let rows: Option<Vec<Vec<Vec<u64>>>> = (0..self.units.len())
            .map(|unit| {
                let fixed = Some(self.units[unit].kommun()) == home;
                if fixed { Some(vec![self.values[unit].clone()]) } else { self.rows(unit) }
            })
            .collect();
        let rows = rows?;
        let goal: Vec<u64> =
            self.totals.iter().map(|atoms| self.values.iter().map(|own| sum(own, atoms)).sum()).collect();
        let add = |state: &Vec<u64>, row: &Vec<u64>| -> Option<Vec<u64>> {
            let next = state.iter().zip(&self.totals).map(|(so_far, atoms)| so_far + sum(row, atoms));
            let next: Vec<u64> = next.collect();
            next.iter().zip(&goal).all(|(sum, goal)| sum <= goal).then_some(next)
        };
        let mut found = BTreeMap::new();
        for unit in 0..self.units.len() {
            let small = self.small_sets(unit);
            if small.is_empty() || Some(self.units[unit].kommun()) == home {
                continue;
            }
            let mut states = HashSet::from([vec![0; goal.len()]]);
            for other in (0..self.units.len()).filter(|other| *other != unit) {
                let step =
                    states.iter().flat_map(|state| rows[other].iter().filter_map(|row| add(state, row)));
                let mut next = HashSet::new();
                for state in step {
                    next.insert(state);
                    if next.len() > MOST_STATES {
                        return None;
                    }
                }
                states = next;
            }
            for row in &rows[unit] {
                let rest: Option<Vec<u64>> = goal
                    .iter()
                    .zip(&self.totals)
                    .map(|(goal, atoms)| goal.checked_sub(sum(row, atoms)))
                    .collect();
                if rest.is_some_and(|rest| states.contains(&rest)) {
                    for set in &small {
                        let values: &mut BTreeSet<u64> = found.entry((unit, set.clone())).or_default();
                        values.extend(Some(sum(row, set)).filter(|value| *value < 4));
                    }
                }
            }
        }
        Some(found)
    }

    /// Small printed cells and small implied differences of a unit.
    fn small_sets(&self, unit: usize) -> Vec<Vec<u32>> {
        let printed = self.system.per_unit().filter_map(|cell| self.system.cells[cell].unit_atoms.clone());
        let small = |set: &Vec<u32>| (1..4).contains(&sum(&self.values[unit], set));
        printed.chain(self.system.implied_unit.iter().cloned()).filter(small).collect()
    }

    /// Every row of a unit that fits its marks.
    fn rows(&self, unit: usize) -> Option<Vec<Vec<u64>>> {
        let mut rows = vec![Vec::new()];
        let cells: Vec<(Vec<u32>, Option<u64>)> = self
            .system
            .per_unit()
            .map(|cell| {
                let atoms = self.system.cells[cell].unit_atoms.clone().unwrap();
                let shown = !self.pattern.withheld[unit].contains(&cell);
                let value = shown.then(|| sum(&self.values[unit], &atoms));
                (atoms, value)
            })
            .collect();
        for atom in 0..self.system.unit_atoms {
            let mut next = Vec::new();
            for row in &rows {
                for value in 0..=self.cap {
                    let mut row: Vec<u64> = row.clone();
                    row.push(value);
                    let fits = cells.iter().all(|(atoms, shown)| {
                        let done = atoms.last().is_some_and(|last| *last as usize <= atom);
                        let so_far: u64 = atoms.iter().filter_map(|atom| row.get(*atom as usize)).sum();
                        match shown {
                            Some(shown) if done => so_far == *shown,
                            Some(shown) => so_far <= *shown,
                            None => !done || so_far >= 1,
                        }
                    });
                    if fits {
                        next.push(row);
                    }
                }
            }
            rows = next;
            if rows.len() > 5_000 {
                return None;
            }
        }
        Some(rows)
    }
}
