//! Gathers distinct cells and decides how each total is made from what is shared.
//!
//! Finest cells that are unions of unit atoms live in block 0; every other finest cell and bortfall gets one entry in
//! the block of the first table that has it; margins are sums. Of a table that counts each code the records of the finest
//! combinations of the other dimensions are entries too: they are no sum of its categories. No cell has two ways (TRUE-2).

use std::collections::{BTreeMap, HashMap};

use super::{Block, Build, Cell, CellIndex, Row, TableRows};
use crate::collection::Collection;

/// The distinct cells as they are gathered.
pub(super) struct Cells<'a> {
    pub(super) list: Vec<Cell>,
    index: HashMap<Vec<u32>, CellIndex>,
    unit_atom_of: &'a [Option<u32>],
    sizes: Vec<usize>,
}

impl<'a> Cells<'a> {
    /// None yet.
    pub(super) fn new(unit_atom_of: &'a [Option<u32>], unit_atoms: usize) -> Self {
        let mut sizes = vec![0; unit_atoms];
        unit_atom_of.iter().flatten().for_each(|unit_atom| sizes[*unit_atom as usize] += 1);
        Self { list: Vec::new(), index: HashMap::new(), unit_atom_of, sizes }
    }

    /// The cell of a set of atoms, taken up if it is new.
    pub(super) fn add(
        &mut self,
        atoms: &[u32],
        name: ([u8; 32], String),
        per_unit: bool,
        is_count: bool,
    ) -> CellIndex {
        let at = *self.index.entry(atoms.to_vec()).or_insert(self.list.len());
        if at == self.list.len() {
            let unit_atoms = self.as_unit_atoms(atoms);
            let (definition, label) = name;
            let build = Build::Sum(Vec::new());
            let atoms = atoms.to_vec();
            self.list.push(Cell { atoms, unit_atoms, per_unit, is_count, build, definition, label });
        } else {
            let cell = &mut self.list[at];
            cell.definition = cell.definition.min(name.0);
            // A person looks for a kommun's cell in a table that shows kommuner.
            if per_unit && !cell.per_unit {
                cell.label = name.1;
            }
        }
        let cell = &mut self.list[at];
        cell.per_unit |= per_unit;
        cell.is_count |= is_count;
        at
    }

    fn as_unit_atoms(&self, atoms: &[u32]) -> Option<Vec<u32>> {
        let mut held = BTreeMap::<u32, usize>::new();
        for atom in atoms {
            *held.entry(self.unit_atom_of[*atom as usize]?).or_default() += 1;
        }
        let whole = held.iter().all(|(unit_atom, count)| self.sizes[*unit_atom as usize] == *count);
        whole.then(|| held.into_keys().collect())
    }

    /// Decides how every cell's total is made, and returns the shared vectors.
    pub(super) fn assign_blocks(&mut self, tables: &[TableRows], collection: &Collection) -> Vec<Block> {
        let mut blocks = Vec::new();
        if !self.sizes.is_empty() {
            blocks.push(Block { table: None, cells: Vec::new(), length: self.sizes.len() });
        }
        let mut done = vec![false; self.list.len()];
        for (table, rows) in tables.iter().enumerate() {
            let mut entries = Vec::new();
            let each = collection.tables[table].each();
            let finest = rows.rows.iter().filter(|row| is_shared(row, each)).map(|row| row.cell);
            for cell in finest.chain(rows.bortfall.iter().copied()) {
                if !std::mem::replace(&mut done[cell], true) {
                    self.list[cell].build = match &self.list[cell].unit_atoms {
                        Some(unit_atoms) => Build::UnitAtoms(unit_atoms.clone()),
                        None => {
                            entries.push(cell);
                            Build::Entry { block: blocks.len(), index: entries.len() as u32 - 1 }
                        }
                    };
                }
            }
            if !entries.is_empty() {
                let length = entries.len();
                blocks.push(Block { table: Some(table), cells: entries, length });
            }
        }
        self.build_margins(tables, collection, &mut done);
        blocks
    }

    /// Margins are sums of unit atoms where they can be, else of the finest cells of their table inside them.
    fn build_margins(&mut self, tables: &[TableRows], collection: &Collection, done: &mut [bool]) {
        for (table, rows) in tables.iter().enumerate() {
            for row in rows.rows.iter().filter(|row| row.codes.iter().any(Option::is_none)) {
                if std::mem::replace(&mut done[row.cell], true) {
                    continue;
                }
                let each = collection.tables[table].each();
                let inside = |part: &&Row| {
                    let fits = |at: usize| match (part.codes[at], row.codes[at]) {
                        (part, whole) if each == Some(at) => part == whole,
                        (part, whole) => part.is_some() && whole.is_none_or(|whole| part == Some(whole)),
                    };
                    part.period == row.period && (0..row.codes.len()).all(fits)
                };
                let parts = rows.rows.iter().filter(inside).map(|part| part.cell).collect();
                self.list[row.cell].build = match &self.list[row.cell].unit_atoms {
                    Some(unit_atoms) => Build::UnitAtoms(unit_atoms.clone()),
                    None => Build::Sum(parts),
                };
            }
        }
    }
}

/// Whether a row's cell is shared as an entry of its own: the finest ones, and where each code is counted the records of the
/// finest combinations of the others.
fn is_shared(row: &Row, each: Option<usize>) -> bool {
    row.codes.iter().enumerate().all(|(at, code)| code.is_some() || each == Some(at))
}
