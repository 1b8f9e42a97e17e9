//! An extension's cells beside those of the version it extends: which is which, and whether a kommun's figures are the same.
//!
//! The extension has the first version's tables as they were and others of scope `total` after them
//! ([`crate::collection::Corrects`]). So each cell and each unit atom of the first has one of the same records here; the two
//! systems number them apart. Knows no figure, and nothing of what may be shown (`suppress::extension`).
//!
//! Invariants: cells are mapped one to one, with equal definitions (the ledger knows cells by those); unit atoms are mapped one
//! to one and onto all, since tables of scope `total` make no finer ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::figures::{Figures, Pattern, Witness};
use crate::system::{Build, CellIndex, Counts, System};

/// Two systems that do not stand in this relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// Other tables, rows or per-unit cells.
    #[error("the first tables are not those of the version that is extended")]
    Tables,
    /// A new table prints a cell of the first in other words, so that the ledger would not know it again.
    #[error(
        "a new table has a cell of the first version under another definition; leave it out, or its filter"
    )]
    Definition,
}

/// How the first version's cells and unit atoms are numbered in its extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    cells: Vec<CellIndex>,
    unit_atoms: Vec<u32>,
    sums: BTreeSet<CellIndex>,
}

impl Extension {
    /// `first` is the system of [`crate::collection::Collection::first_part`], `system` that of the whole document.
    ///
    /// # Errors
    /// [`ExtensionError`].
    pub fn new(first: &System, system: &System) -> Result<Self, ExtensionError> {
        let cells = cells(first, system)?;
        let unit_atoms = unit_atoms(first, system, &cells)?;
        if cells
            .iter()
            .enumerate()
            .any(|(at, cell)| first.cells[at].definition != system.cells[*cell].definition)
        {
            return Err(ExtensionError::Definition);
        }
        let is_sum = |(at, _): &(usize, &CellIndex)| matches!(first.cells[*at].build, Build::Sum(_));
        let sums = cells.iter().enumerate().filter(is_sum).map(|(_, cell)| *cell).collect();
        Ok(Self { cells, unit_atoms, sums })
    }

    /// The first version's cell here.
    pub fn cell(&self, first: CellIndex) -> Option<CellIndex> {
        self.cells.get(first).copied()
    }

    /// All cells of the first version, numbered as here.
    pub fn cells(&self) -> BTreeSet<CellIndex> {
        self.cells.iter().copied().collect()
    }

    /// Of those the ones that were not shared there but added up from others; ascending, numbered as here.
    pub fn sums(&self) -> &BTreeSet<CellIndex> {
        &self.sums
    }

    /// Cells of the first version, numbered as here.
    pub fn mapped(&self, first: &BTreeSet<CellIndex>) -> BTreeSet<CellIndex> {
        first.iter().filter_map(|cell| self.cell(*cell)).collect()
    }

    /// Statuses of the first version's unit atoms, in the order of those here; `None` when their number is another.
    pub fn statuses<S: Copy>(&self, first: &[S]) -> Option<Vec<S>> {
        if first.len() != self.unit_atoms.len() {
            return None;
        }
        let placed: BTreeMap<u32, S> = self.unit_atoms.iter().copied().zip(first.iter().copied()).collect();
        Some(placed.into_values().collect())
    }

    /// A pattern of the first version, numbered as here.
    #[must_use]
    pub fn pattern(&self, first: &Pattern) -> Pattern {
        let atom = |atom: u32| self.unit_atoms.get(atom as usize).copied().unwrap_or(atom);
        let witness = |witness: &Witness| Witness {
            unit: witness.unit,
            atom: atom(witness.atom),
            steps: sorted(witness.steps.iter().map(|step| (step.0, atom(step.1), step.2)).collect()),
        };
        Pattern {
            withheld: first.withheld.iter().map(|cells| self.mapped(cells)).collect(),
            open: self.mapped(&first.open),
            closed: self.mapped(&first.closed),
            witnesses: first.witnesses.iter().map(witness).collect(),
        }
    }

    /// What the first version shows, numbered as here. New cells have no mark.
    #[must_use]
    pub fn figures(&self, first: &Figures) -> Figures {
        let marks = |marks: &BTreeMap<CellIndex, _>| {
            marks.iter().filter_map(|(cell, mark)| Some((self.cell(*cell)?, *mark))).collect()
        };
        Figures {
            units: first.units.clone(),
            per_unit: first.per_unit.iter().map(marks).collect(),
            totals: marks(&first.totals),
        }
    }

    /// Cells of the first version, numbered as here, whose figure is another now.
    pub fn differing(
        &self,
        (first, then): (&System, &Counts),
        (system, now): (&System, &Counts),
    ) -> BTreeSet<CellIndex> {
        let differs = |(at, cell): &(usize, &CellIndex)| first.value(then, *at) != system.value(now, **cell);
        self.cells.iter().enumerate().filter(differs).map(|(_, cell)| *cell).collect()
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list
}

/// The first version's cells by the rows and the bortfall of its tables: every cell stands in one.
fn cells(first: &System, system: &System) -> Result<Vec<CellIndex>, ExtensionError> {
    let mut found = vec![None; first.cells.len()];
    if first.tables.len() > system.tables.len() || first.alone != system.alone {
        return Err(ExtensionError::Tables);
    }
    for (old, new) in first.tables.iter().zip(&system.tables) {
        let same_rows = old.rows.len() == new.rows.len() && old.bortfall.len() == new.bortfall.len();
        let mut rows = old.rows.iter().zip(&new.rows);
        if !same_rows || !rows.all(|(one, two)| (&one.codes, one.period) == (&two.codes, two.period)) {
            return Err(ExtensionError::Tables);
        }
        let rows = old.rows.iter().zip(&new.rows).map(|(one, two)| (one.cell, two.cell));
        for (one, two) in rows.chain(old.bortfall.iter().copied().zip(new.bortfall.iter().copied())) {
            if *found[one].get_or_insert(two) != two {
                return Err(ExtensionError::Tables);
            }
        }
    }
    let cells: Vec<CellIndex> = found.into_iter().collect::<Option<_>>().ok_or(ExtensionError::Tables)?;
    let distinct: BTreeSet<CellIndex> = cells.iter().copied().collect();
    let shown = |at: usize, cell: &CellIndex| {
        let (one, two) = (&first.cells[at], &system.cells[*cell]);
        (one.per_unit, one.is_count) == (two.per_unit, two.is_count)
    };
    let same = cells.iter().enumerate().all(|(at, cell)| shown(at, cell));
    let per_unit_here = system.per_unit().all(|cell| distinct.contains(&cell));
    match distinct.len() == cells.len() && same && per_unit_here {
        true => Ok(cells),
        false => Err(ExtensionError::Tables),
    }
}

/// Unit atoms by the cells of kommun scope that hold them: what tells them apart.
fn unit_atoms(first: &System, system: &System, cells: &[CellIndex]) -> Result<Vec<u32>, ExtensionError> {
    let mut then = vec![BTreeSet::new(); first.unit_atoms];
    for cell in first.per_unit() {
        for atom in first.cells[cell].unit_atoms.iter().flatten() {
            then[*atom as usize].insert(cells[cell]);
        }
    }
    let mut now = vec![BTreeSet::new(); system.unit_atoms];
    for cell in system.per_unit() {
        for atom in system.cells[cell].unit_atoms.iter().flatten() {
            now[*atom as usize].insert(cell);
        }
    }
    let places: BTreeMap<BTreeSet<CellIndex>, u32> = now.into_iter().zip(0u32..).collect();
    let found: Option<Vec<u32>> = then.iter().map(|held| places.get(held).copied()).collect();
    let found = found.ok_or(ExtensionError::Tables)?;
    let distinct: BTreeSet<u32> = found.iter().copied().collect();
    match distinct.len() == found.len() && found.len() == system.unit_atoms && places.len() == found.len() {
        true => Ok(found),
        false => Err(ExtensionError::Tables),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codebook::Codebook;
    use crate::collection::Collection;

    const FIRST: &str = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
        dimensioner = [\"aktualiseringstyp\", \"kon\"]\n[[tabell]]\nid = \"T2\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\n\
        omfattning = \"total\"\ndimensioner = [\"anmalare\"]\n";

    fn table(dimensions: &str, more: &str) -> String {
        format!(
            "[[tabell]]\nid = \"N1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
             dimensioner = {dimensions}\nny = true\n{more}"
        )
    }

    fn systems(tables: &str) -> (System, System, Codebook) {
        let text = format!(
            "id = \"prov\"\nversion = 2\nkompletterar = \"{0}\"\nkompletterar_monster = \"{0}\"\ntitel = \"Prov\"\nlan = \"21\"\n\
             kodbok = \"vuxna/1\"\nperioder = [\"2023\", \"2024\"]\ndeltagare = [\"2101\", \"2104\"]\ndeklarera_inom_timmar = 1\n\
             lamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n{tables}",
            "ab".repeat(32)
        );
        let book = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(&text, &book).unwrap();
        let first = System::new(&collection.first_part(), &book).unwrap();
        (first, System::new(&collection, &book).unwrap(), book)
    }

    /// The same records counted for both; one more of the second.
    fn counted(first: &System, system: &System, book: &Codebook, more: bool) -> (Counts, Counts) {
        let (mut then, mut now) = (first.empty_counts(), system.empty_counts());
        for at in 0..40u16 {
            let date = jiff::civil::date(2023 + i16::from(at % 2 == 0), 3, 1);
            let code = |many: usize| Some(at % u16::try_from(many).unwrap()).filter(|_| at % 7 != 0);
            let codes: Vec<Option<u16>> = book.variables.iter().map(|v| code(v.codes.len())).collect();
            first.count(&mut then, date, &codes);
            system.count(&mut now, date, &codes);
            if more && at == 3 {
                system.count(&mut now, date, &codes);
            }
        }
        (then, now)
    }

    #[test]
    fn every_cell_and_unit_atom_of_the_first_counts_the_same_records_here() {
        let (first, system, book) =
            systems(&(FIRST.to_owned() + &table("[\"aldersgrupp\", \"anmalare\", \"kon\"]", "")));
        let extension = Extension::new(&first, &system).unwrap();
        let (then, now) = counted(&first, &system, &book, false);
        assert!(extension.differing((&first, &then), (&system, &now)).is_empty());
        let old = extension.statuses(&first.unit_values(&then)).unwrap();
        assert_eq!(old, system.unit_values(&now), "also in their order");
        assert!(extension.cells().len() < system.cells.len());
        assert_eq!(extension.statuses(&[0; 1]), None);
    }

    #[test]
    fn a_record_more_is_another_figure_in_every_cell_that_has_it() {
        let (first, system, book) = systems(&(FIRST.to_owned() + &table("[\"aldersgrupp\"]", "")));
        let extension = Extension::new(&first, &system).unwrap();
        let (then, now) = counted(&first, &system, &book, true);
        let differing = extension.differing((&first, &then), (&system, &now));
        let expected: BTreeSet<CellIndex> = (0..first.cells.len())
            .filter(|cell| {
                let here = extension.cell(*cell).unwrap();
                first.value(&then, *cell) != system.value(&now, here)
            })
            .map(|cell| extension.cell(cell).unwrap())
            .collect();
        assert_eq!(differing, expected);
        assert!(differing.len() > 3);
    }

    #[test]
    fn what_was_a_sum_may_be_a_finest_cell_here_and_is_named() {
        let (first, system, _) = systems(&(FIRST.to_owned() + &table("[]", "")));
        let extension = Extension::new(&first, &system).unwrap();
        let total = first.tables[1].rows.iter().find(|row| row.codes == [None] && row.period == 0).unwrap();
        assert!(matches!(first.cells[total.cell].build, Build::Sum(_)));
        assert!(extension.sums().contains(&extension.cell(total.cell).unwrap()));
    }

    #[test]
    fn systems_of_other_tables_are_no_extension() {
        let (first, system, _) = systems(&(FIRST.to_owned() + &table("[\"aldersgrupp\"]", "")));
        assert_eq!(Extension::new(&system, &first), Err(ExtensionError::Tables), "the other way round");
        let other = FIRST.replace("[\"anmalare\"]", "[\"kon\"]");
        let (other, _, _) = systems(&(other + &table("[\"aldersgrupp\"]", "")));
        assert_eq!(Extension::new(&other, &system), Err(ExtensionError::Tables));
    }
}
