//! The cells of a collection: sets of records over its atoms.
//!
//! Two tables that name the same set of records name the same cell, so a margin of one table and a cell of another
//! are protected, opened and published once (TRUE-2). Differences of printed cells that no table prints are cells
//! too: anyone can subtract ([`System::implied_unit`], [`System::implied_total`]).
//!
//! Two levels: *unit atoms* are cut by the tables of scope `kommun` only, since only those are shown per unit; the
//! full *atoms* are cut by all tables and refine them. A cell shown per unit is a union of unit atoms.
//!
//! A table that counts each code of a field has cells of mentions, with atoms of their own beside those of records ([`each`]).
//!
//! Holds no counts. Deterministic: equal collections give equal indices at every party, which is what lets a pattern
//! name cells by number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::automaton::{Automaton, Bits, Condition, TooManyAtoms};
use crate::codebook::{Codebook, Given};
use crate::collection::{Collection, Scope};
use crate::differences;

mod assemble;
mod conditions;
pub mod each;

use assemble::Cells;
use conditions::{
    ConditionList, bortfall_label, filter_of, known_closures, known_of, label, only_missing, rows_of,
};
use each::{Gathered, Mentions};
pub use each::{Overlap, Relation, Signed};

/// Most rows of one table a period, margins included.
pub const MAX_ROWS: usize = 20_000;
/// Most distinct cells of a collection: what is compared pairwise stays within seconds.
pub const MAX_CELLS: usize = 4_000;

/// A collection whose cells cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemError {
    /// See [`TooManyAtoms`].
    #[error("collection: {0}")]
    TooManyAtoms(#[from] TooManyAtoms),
    /// A table with more rows than [`MAX_ROWS`].
    #[error("{table}: {rows} rows a period; at most {MAX_ROWS}")]
    TooManyRows {
        /// The table.
        table: String,
        /// Its rows a period.
        rows: usize,
    },
    /// More distinct cells than [`MAX_CELLS`].
    #[error(
        "the tables have more than {MAX_CELLS} distinct cells; ask for fewer or smaller tables, or fewer periods"
    )]
    TooManyCells,
    /// More unprinted differences than are searched.
    #[error(
        "the tables imply more than {0} unprinted differences; ask for fewer tables over the same records"
    )]
    TooManyDifferences(usize),
}

/// Index of a distinct cell in [`System::cells`].
pub type CellIndex = usize;

/// How the total of a cell over the roster is made from what is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// A sum of unit atoms, the entries of block 0.
    UnitAtoms(Vec<u32>),
    /// An entry of its own.
    Entry {
        /// Block.
        block: usize,
        /// Index in the block.
        index: u32,
    },
    /// The sum of other, disjoint cells.
    Sum(Vec<CellIndex>),
}

/// One set of records.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Full atoms, ascending.
    pub atoms: Vec<u32>,
    /// Unit atoms it is the union of, when it is one.
    pub unit_atoms: Option<Vec<u32>>,
    /// Printed for every unit (a table of scope `kommun` holds it).
    pub per_unit: bool,
    /// Counts people's matters (and not only records whose registration is incomplete).
    pub is_count: bool,
    /// How its total is made.
    pub build: Build,
    /// Names the set across collections: SHA-256 of its canonical condition.
    pub definition: [u8; 32],
    /// For people: the first table and codes that name it.
    pub label: String,
}

/// A row of a table: one combination of codes and margins in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Per dimension the category's index, `None` for `TOT`.
    pub codes: Vec<Option<usize>>,
    /// Index into the table's periods.
    pub period: usize,
    /// The cell it shows.
    pub cell: CellIndex,
}

/// The rows of one table in the order of the strict file: codes, then period.
#[derive(Debug, Clone, Default)]
pub struct TableRows {
    /// Rows of counts.
    pub rows: Vec<Row>,
    /// Per period the records of the filter whose dimensions are not all known; `None` when there are none by
    /// construction (a table without dimensions).
    pub bortfall: Vec<CellIndex>,
    /// The place of the dimension whose categories overlap, if there is one: its total is no sum of them ([`each`]).
    pub each: Option<usize>,
}

/// One shared vector: what its entries count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `None` for block 0, the unit atoms of all tables of scope `kommun`; else the table's index.
    pub table: Option<usize>,
    /// Entries of a table's block; empty for block 0, whose entries are the unit atoms in order.
    pub cells: Vec<CellIndex>,
    /// Number of entries.
    pub length: usize,
}

/// Cells, rows and shared vectors of a collection.
#[derive(Debug, Clone)]
pub struct System {
    automaton: Automaton,
    mentions: Vec<Mentions>,
    /// Number of full atoms, those of mentions and of what no table prints of them included.
    pub atoms: usize,
    /// Number of unit atoms.
    pub unit_atoms: usize,
    /// The unit atom each full atom lies in.
    pub unit_atom_of: Vec<Option<u32>>,
    /// The distinct printed cells.
    pub cells: Vec<Cell>,
    /// Rows per table.
    pub tables: Vec<TableRows>,
    /// Shared vectors; never empty vectors.
    pub blocks: Vec<Block>,
    /// Sets of unit atoms that no table prints and that printed cells of one unit give by subtraction.
    pub implied_unit: Vec<Vec<u32>>,
    /// The same of full atoms for totals, sets of incomplete registrations left out.
    pub implied_total: Vec<Vec<u32>>,
    /// The collection's county has one kommun ([`Collection::is_alone`]).
    pub alone: bool,
}

/// What one unit counts: records per full atom.
#[derive(Clone, PartialEq, Eq)]
pub struct Counts(Vec<u32>);

impl std::fmt::Debug for Counts {
    /// Prints no count (STAY-2).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counts({} atoms)", self.0.len())
    }
}

impl System {
    /// Builds the cells of a collection.
    ///
    /// # Errors
    /// [`SystemError`] when a limit is passed.
    pub fn new(collection: &Collection, codebook: &Codebook) -> Result<Self, SystemError> {
        Builder::new(collection, codebook)?.finish(collection)
    }

    /// Names the cells, their places, and the tables they stand in: SHA-256. Equal in two versions of a collection.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(b"samman/v1 cells\0");
        let mut number = |value: usize| hash.update((value as u64).to_be_bytes());
        let list = |number: &mut dyn FnMut(usize), list: &[u32]| {
            number(list.len());
            list.iter().for_each(|value| number(*value as usize));
        };
        [self.atoms, self.unit_atoms, self.cells.len(), self.tables.len()].into_iter().for_each(&mut number);
        for at in &self.unit_atom_of {
            number(at.map_or(0, |at| at as usize + 1));
        }
        for cell in &self.cells {
            cell.definition.chunks(8).for_each(|bytes| {
                number(bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)));
            });
            list(&mut number, &cell.atoms);
            list(&mut number, cell.unit_atoms.as_deref().unwrap_or_default());
            number(usize::from(cell.per_unit) + 2 * usize::from(cell.unit_atoms.is_some()));
            match &cell.build {
                Build::UnitAtoms(atoms) => list(&mut number, atoms),
                Build::Entry { block, index } => {
                    [1, *block, *index as usize].into_iter().for_each(&mut number)
                }
                Build::Sum(parts) => [2, parts.len()].iter().chain(parts).for_each(|value| number(*value)),
            }
        }
        for table in &self.tables {
            number(table.rows.len());
            for row in &table.rows {
                row.codes.iter().for_each(|code| number(code.map_or(0, |code| code + 1)));
                [row.period, row.cell].into_iter().for_each(&mut number);
            }
            table.bortfall.iter().for_each(|cell| number(*cell));
        }
        hash.finalize().into()
    }

    /// The cells of which a unit's figures are not the same in two counts.
    pub fn differing(&self, one: &Counts, two: &Counts) -> BTreeSet<CellIndex> {
        (0..self.cells.len()).filter(|cell| self.value(one, *cell) != self.value(two, *cell)).collect()
    }

    /// The indices of cells printed for every unit, ascending.
    pub fn per_unit(&self) -> impl Iterator<Item = CellIndex> + '_ {
        (0..self.cells.len()).filter(|cell| self.cells[*cell].per_unit)
    }

    /// The cells that a unit may send readable where its pattern does not withhold them: those printed per unit, and all of a
    /// kommun that stands alone.
    pub fn readable(&self) -> impl Iterator<Item = CellIndex> + '_ {
        (0..self.cells.len()).filter(|cell| self.alone || self.cells[*cell].per_unit)
    }

    /// How many statuses a unit declares: one a unit atom, or one a cell of a kommun that stands alone.
    pub fn declared(&self) -> usize {
        if self.alone { self.cells.len() } else { self.unit_atoms }
    }

    /// An empty count of a unit.
    pub fn empty_counts(&self) -> Counts {
        Counts(vec![0; self.atoms])
    }

    /// Counts one record. Records in no table are ignored. Saturates at `u32::MAX`, far over [`u32`] row limits.
    pub fn count<G: Into<Given> + Copy>(&self, counts: &mut Counts, date: Date, codes: &[Option<G>]) {
        if let Some(atom) = self.automaton.classify(date, codes) {
            let entry = &mut counts.0[atom as usize];
            *entry = entry.saturating_add(1);
            self.mentions.iter().for_each(|mentions| mentions.count(counts, atom, date, codes));
        }
    }

    /// The finest combinations of tables that count each code, with what holds there between records and mentions.
    pub fn overlaps(&self) -> impl Iterator<Item = &Overlap> {
        self.mentions.iter().flat_map(|mentions| &mentions.overlaps)
    }

    /// What holds between atoms besides that each holds 0 records or more.
    pub fn relations(&self) -> impl Iterator<Item = Relation> + '_ {
        self.overlaps().flat_map(Overlap::relations)
    }

    /// What a set of records without a category, or of further mentions, is made of; `None` for any other set.
    pub fn signed(&self, set: &[u32]) -> Option<Signed> {
        self.mentions.iter().find_map(|mentions| mentions.signed(set))
    }

    /// A unit's value of a cell.
    pub fn value(&self, counts: &Counts, cell: CellIndex) -> u64 {
        self.cells[cell].atoms.iter().map(|atom| u64::from(counts.0[*atom as usize])).sum()
    }

    /// A unit's values of the unit atoms.
    pub fn unit_values(&self, counts: &Counts) -> Vec<u64> {
        let mut values = vec![0; self.unit_atoms];
        for (atom, unit_atom) in self.unit_atom_of.iter().enumerate() {
            if let Some(unit_atom) = unit_atom {
                values[*unit_atom as usize] += u64::from(counts.0[atom]);
            }
        }
        values
    }

    /// A unit's values of the entries of a block.
    pub fn entries(&self, counts: &Counts, block: usize) -> Vec<u64> {
        match self.blocks[block].table {
            None => self.unit_values(counts),
            Some(_) => self.blocks[block].cells.iter().map(|cell| self.value(counts, *cell)).collect(),
        }
    }
}

impl Counts {
    /// The counts as they are stored beside a node's facts, in the kommun and nowhere else.
    pub fn to_stored(&self) -> &[u32] {
        &self.0
    }

    /// Counts as they were stored; `None` when they are not of this system.
    pub fn from_stored(system: &System, stored: Vec<u32>) -> Option<Self> {
        (stored.len() == system.atoms).then_some(Self(stored))
    }

    /// Adds another unit's counts: a straight count over several units, for tests and previews.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}

/// What a printed cell holds.
#[derive(Clone, Copy)]
enum Held {
    /// Records that meet a condition.
    Records(usize),
    /// Mentions that meet a condition of their table: which of the tables that count each code, and which of its conditions.
    Mentions(usize, usize),
}

/// Stands in the definition of a cell of mentions, so that it is never taken for one of records.
const MENTIONS: &str = "\0each";

struct Printed {
    table: usize,
    row: Row,
    held: Held,
}

struct Builder {
    automaton: Automaton,
    mentions: Vec<Mentions>,
    conditions: Vec<Condition>,
    conditions_per_unit: BTreeSet<usize>,
    printed: Vec<Printed>,
    filters: Vec<Vec<(usize, usize)>>,
    known: BTreeMap<(usize, usize), usize>,
    codebook_name: String,
    labels: Vec<String>,
}

impl Builder {
    fn new(collection: &Collection, codebook: &Codebook) -> Result<Self, SystemError> {
        let mut list = ConditionList::default();
        let mut printed = Vec::new();
        let mut filters = Vec::new();
        let mut gathered = Vec::<Gathered>::new();
        for (table, spec) in collection.tables.iter().enumerate() {
            let per_period = rows_of(spec)?;
            let mut bases = Vec::new();
            if spec.each().is_some() {
                gathered.push(Gathered::new(table));
            }
            for period in 0..spec.periods.len() {
                for codes in &per_period {
                    let row = Row { codes: codes.clone(), period, cell: 0 };
                    let held = match (gathered.len().checked_sub(1), spec.each()) {
                        (Some(last), Some(at)) if codes[at].is_some() => {
                            let condition = gathered[last].add(&mut list, spec, codebook, &row);
                            Held::Mentions(last, condition)
                        }
                        _ => Held::Records(list.add_row(spec, codebook, &row)),
                    };
                    printed.push(Printed { table, row, held });
                }
                let mentioned: usize = gathered.iter().map(Gathered::len).sum();
                if list.conditions.len() + mentioned > MAX_CELLS {
                    return Err(SystemError::TooManyCells);
                }
                let filter = list.add(filter_of(spec, period), || format!("{} filter", spec.id));
                let known = list.add(known_of(spec, codebook, period), || format!("{} alla kända", spec.id));
                bases.push((filter, known));
            }
            filters.push(bases);
        }
        let known = known_closures(&mut list, &printed, codebook);
        let automaton = Automaton::new(&list.conditions, codebook)?;
        let mut end = automaton.signatures().len() as u32;
        let mut mentions = Vec::new();
        for gathered in gathered {
            let spec = &collection.tables[gathered.table()];
            let built = gathered.build(spec, codebook, automaton.signatures(), end)?;
            end = built.end();
            mentions.push(built);
        }
        let (conditions, conditions_per_unit, labels) = (list.conditions, list.per_unit, list.labels);
        let codebook_name = codebook.name();
        Ok(Self {
            automaton,
            mentions,
            conditions,
            conditions_per_unit,
            printed,
            filters,
            known,
            codebook_name,
            labels,
        })
    }

    fn finish(self, collection: &Collection) -> Result<System, SystemError> {
        let atoms_of = self.atoms_of_conditions();
        let (unit_atom_of, unit_atoms) = self.unit_atoms();
        let mut cells = Cells::new(&unit_atom_of, unit_atoms);
        let mut tables = vec![TableRows::default(); collection.tables.len()];
        let mut cell_of_condition = HashMap::new();
        let mentioned: Vec<Vec<Vec<u32>>> = self.mentions.iter().map(Mentions::atoms_of_conditions).collect();
        for printed in &self.printed {
            let spec = &collection.tables[printed.table];
            let per_unit = spec.scope == Scope::Kommun;
            let cell = match printed.held {
                Held::Records(condition) => {
                    let cell = cells.add(&atoms_of[condition], self.name(condition), per_unit, true);
                    cell_of_condition.insert(condition, cell);
                    cell
                }
                Held::Mentions(at, condition) => {
                    let held = &self.mentions[at].conditions()[condition];
                    let name = (self.definition([held], MENTIONS), label(spec, &printed.row));
                    cells.add(&mentioned[at][condition], name, false, true)
                }
            };
            tables[printed.table].rows.push(Row { cell, ..printed.row.clone() });
            tables[printed.table].each = spec.each();
        }
        for (table, bases) in self.filters.iter().enumerate() {
            for (period, (filter, known)) in bases.iter().enumerate() {
                let rest = minus(&atoms_of[*filter], &atoms_of[*known]);
                let both = [*filter, *known].map(|condition| &self.conditions[condition]);
                let name = (self.definition(both, ""), bortfall_label(collection, table, period));
                tables[table].bortfall.push(cells.add(&rest, name, false, false));
            }
        }
        let blocks = cells.assign_blocks(&tables, collection);
        let implied_unit = differences::per_unit(&cells.list, &tables)?;
        let closures = self.closures(&cell_of_condition, &atoms_of);
        let list = &cells.list;
        let exempt = |large: CellIndex, parts: &[CellIndex]| only_missing(list, &closures, large, parts);
        let mut implied_total = differences::of_totals(list, &tables, exempt)?;
        let unprinted = self.mentions.iter().flat_map(Mentions::unprinted).collect();
        implied_total.extend(differences::of_unprinted(unprinted, implied_total.len())?);
        let atoms = unit_atom_of.len();
        let cells = cells.list;
        let mut automaton = self.automaton;
        automaton.forget_signatures();
        Ok(System {
            automaton,
            mentions: self.mentions,
            atoms,
            unit_atoms,
            unit_atom_of,
            cells,
            tables,
            blocks,
            implied_unit,
            implied_total,
            alone: collection.is_alone(),
        })
    }

    fn name(&self, condition: usize) -> ([u8; 32], String) {
        (self.definition([&self.conditions[condition]], ""), self.labels[condition].clone())
    }

    fn atoms_of_conditions(&self) -> Vec<Vec<u32>> {
        let mut atoms = vec![Vec::new(); self.conditions.len()];
        for (atom, signature) in self.automaton.signatures().iter().enumerate() {
            signature.iter().for_each(|condition| atoms[condition].push(atom as u32));
        }
        atoms
    }

    fn unit_atoms(&self) -> (Vec<Option<u32>>, usize) {
        let mut index = HashMap::new();
        let mut restrict = |signature: &Arc<Bits>| {
            let kept: Vec<_> = signature.iter().filter(|c| self.conditions_per_unit.contains(c)).collect();
            if kept.is_empty() {
                return None;
            }
            let fresh = index.len() as u32;
            Some(*index.entry(kept).or_insert(fresh))
        };
        let mut of: Vec<Option<u32>> = self.automaton.signatures().iter().map(&mut restrict).collect();
        // Mentions are of no table of units.
        of.resize(self.mentions.last().map_or(of.len(), |last| last.end() as usize), None);
        (of, index.len())
    }

    /// Per pair of printed cells: the larger one's records on which every variable of the smaller is known. Borrowed: there are many
    /// more pairs than cells.
    fn closures<'a>(
        &self,
        cell_of: &HashMap<usize, CellIndex>,
        atoms_of: &'a [Vec<u32>],
    ) -> HashMap<(CellIndex, CellIndex), &'a [u32]> {
        let pair = |((outer, inner), known): (&(usize, usize), &usize)| {
            Some(((*cell_of.get(outer)?, *cell_of.get(inner)?), atoms_of[*known].as_slice()))
        };
        self.known.iter().filter_map(pair).collect()
    }

    /// SHA-256 over codebook, days, variables and codes, and what is counted if not records; of a difference over both
    /// conditions.
    fn definition<'c>(&self, conditions: impl IntoIterator<Item = &'c Condition>, counted: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"samman/v1 cell\0");
        hash.update(self.codebook_name.as_bytes());
        hash.update(counted);
        for condition in conditions {
            hash.update(format!("\0{}..{}", condition.days.0, condition.days.1));
            for (variable, allowed) in &condition.codes {
                hash.update(format!(";{variable}={:?}", allowed.alone));
                if allowed.first != allowed.alone {
                    hash.update(format!("/{:?}", allowed.first));
                }
            }
        }
        hash.finalize().into()
    }
}

fn minus(large: &[u32], small: &[u32]) -> Vec<u32> {
    large.iter().filter(|atom| small.binary_search(atom).is_err()).copied().collect()
}
