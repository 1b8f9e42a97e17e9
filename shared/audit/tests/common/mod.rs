//! Small publications for the tests, and a brute-force enumerator that shares no code with the audit.
#![allow(dead_code)] // each test binary uses a part

use std::collections::{BTreeMap, BTreeSet};

use audit::{AuditReport, Budget, CertifyInput, EarlierIssue, Findings, Release, certify};
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::figures::{Figures, Mark, Pattern, Witness};
use tables::system::{CellIndex, Counts, System};

/// A collection with every unit's true counts and the marks it would be published with.
pub struct Case {
    pub book: Codebook,
    pub collection: Collection,
    pub system: System,
    pub counts: Vec<Counts>,
    pub hidden: Vec<BTreeSet<CellIndex>>,
    pub hidden_totals: BTreeSet<CellIndex>,
    /// Withheld totals that nobody opened: each may be 0.
    pub untold: BTreeSet<CellIndex>,
    pub witnesses: Vec<Witness>,
    pub earlier: Vec<EarlierIssue>,
    pub known: bool,
}

/// `[[tabell]]` texts under a common head. `units` are kommunkoder or sub-units.
pub fn document(units: &[&str], periods: &[&str], tables: &str) -> String {
    format!(
        "id = \"prov\"\nversion = 1\ntitel = \"Prov\"\nlan = \"21\"\nmin_count = 4\nkodbok = \"vuxna/1\"\n\
         perioder = {periods:?}\ndeltagare = {units:?}\ndeklarera_inom_timmar = 24\nlamna_inom_timmar = 24\n\
         kontakt = \"k\"\nkalla = \"k\"\n{tables}"
    )
}

pub fn table(id: &str, scope: &str, dimensions: &[&str], rest: &str) -> String {
    format!(
        "\n[[tabell]]\nid = \"{id}\"\ntitel = \"{id}\"\nmatt = \"aktualiseringar\"\nomfattning = \"{scope}\"\n\
         dimensioner = {dimensions:?}\n{rest}\n"
    )
}

impl Case {
    pub fn new(text: &str) -> Self {
        let book = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(text, &book).unwrap();
        let system = System::new(&collection, &book).unwrap();
        let units = collection.units.len();
        let counts = vec![system.empty_counts(); units];
        let hidden = vec![BTreeSet::new(); units];
        Self {
            book,
            collection,
            system,
            counts,
            hidden,
            hidden_totals: BTreeSet::new(),
            untold: BTreeSet::new(),
            witnesses: Vec::new(),
            earlier: Vec::new(),
            known: true,
        }
    }

    pub fn unit(&self, code: &str) -> usize {
        self.collection.units.iter().position(|unit| unit.to_string() == code).unwrap()
    }

    /// `times` records of a unit in a year with the given codes.
    pub fn add(&mut self, unit: &str, year: i16, codes: &[(&str, &str)], times: u64) {
        let at = self.unit(unit);
        let mut row: Vec<Option<CodeIndex>> = vec![None; self.book.variables.len()];
        for (variable, code) in codes {
            let variable = self.book.variable_index(variable).unwrap();
            row[variable] = Some(self.book.variables[variable].code_index(code).unwrap());
        }
        let date = format!("{year}-06-01").parse().unwrap();
        (0..times).for_each(|_| self.system.count(&mut self.counts[at], date, &row));
    }

    /// The cell of a label such as `T03 aktualiseringstyp=yttrande 2024`.
    pub fn cell(&self, label: &str) -> CellIndex {
        self.system.cells.iter().position(|cell| cell.label == label).unwrap_or_else(|| {
            let all: Vec<&str> = self.system.cells.iter().map(|cell| cell.label.as_str()).collect();
            panic!("no {label}; there are {all:#?}")
        })
    }

    pub fn hide(&mut self, unit: &str, label: &str) {
        let (unit, cell) = (self.unit(unit), self.cell(label));
        self.hidden[unit].insert(cell);
    }

    pub fn hide_total(&mut self, label: &str) {
        let cell = self.cell(label);
        self.hidden_totals.insert(cell);
    }

    /// Withholds every small printed cell and every small total: the primary set.
    pub fn hide_small(&mut self) {
        for unit in 0..self.counts.len() {
            let small: Vec<CellIndex> =
                self.system.per_unit().filter(|cell| (1..4).contains(&self.value(unit, *cell))).collect();
            self.hidden[unit].extend(small);
        }
        let totals = (0..self.system.cells.len())
            .filter(|cell| self.system.cells[*cell].is_count && (1..4).contains(&self.total(*cell)));
        self.hidden_totals.extend(totals.collect::<Vec<_>>());
    }

    pub fn value(&self, unit: usize, cell: CellIndex) -> u64 {
        self.system.value(&self.counts[unit], cell)
    }

    pub fn total(&self, cell: CellIndex) -> u64 {
        (0..self.counts.len()).map(|unit| self.value(unit, cell)).sum()
    }

    pub fn figures(&self) -> Figures {
        let mark = |value: u64, hidden: bool| {
            if hidden { Mark::Withheld } else { Mark::Shown(value) }
        };
        let of_unit = |unit: usize| {
            let cells = self.system.per_unit();
            cells
                .map(|cell| (cell, mark(self.value(unit, cell), self.hidden[unit].contains(&cell))))
                .collect()
        };
        let cells = 0..self.system.cells.len();
        Figures {
            units: self.collection.units.clone(),
            per_unit: (0..self.counts.len()).map(of_unit).collect(),
            totals: cells.map(|c| (c, mark(self.total(c), self.hidden_totals.contains(&c)))).collect(),
        }
    }

    pub fn statuses(&self) -> Vec<Vec<FineStatus>> {
        let of = |counts: &Counts| {
            let values = self.system.unit_values(counts);
            values.into_iter().map(|value| self.collection.min_count.status(value)).collect()
        };
        self.counts.iter().map(of).collect()
    }

    pub fn opened(&self) -> BTreeMap<CellIndex, u64> {
        let cells = if self.known { 0..self.system.cells.len() } else { 0..0 };
        cells.filter(|cell| !self.untold.contains(cell)).map(|cell| (cell, self.total(cell))).collect()
    }

    pub fn certify(&self) -> Result<Release, Findings> {
        self.certify_within(Budget::default())
    }

    pub fn certify_within(&self, budget: Budget) -> Result<Release, Findings> {
        self.certify_figures(&self.figures(), budget)
    }

    pub fn certify_figures(&self, figures: &Figures, budget: Budget) -> Result<Release, Findings> {
        let pattern = Pattern {
            withheld: self.hidden.clone(),
            open: BTreeSet::new(),
            closed: BTreeSet::new(),
            witnesses: self.witnesses.clone(),
        };
        certify(&CertifyInput {
            system: &self.system,
            min_count: self.collection.min_count,
            figures,
            statuses: &self.statuses(),
            pattern: &pattern,
            known_totals: &self.opened(),
            earlier: &self.earlier,
            first: None,
            budget,
            abort: &|| false,
        })
    }

    /// Every table of counts per unit and full atom that agrees with all marks, as seen by the enumerator, or `None`
    /// when there are more than `most` steps. Withheld counts are at least 1, in the `doubting` reading save totals nobody opened. `own` units are fixed at the truth of
    /// their printed cells and unit atoms.
    pub fn enumerate(
        &self,
        most: u64,
        own: &[usize],
        doubting: bool,
        mut each: impl FnMut(&[u64]),
    ) -> Option<()> {
        let atoms = self.system.atoms;
        let figures = self.figures();
        let mut rows: Vec<Sum> = Vec::new();
        for (unit, marks) in figures.per_unit.iter().enumerate() {
            for (cell, mark) in marks {
                let members = self.system.cells[*cell].atoms.iter().map(|atom| unit * atoms + *atom as usize);
                rows.push(Sum::of(members.collect(), *mark));
            }
        }
        for (cell, mark) in &figures.totals {
            let held = &self.system.cells[*cell].atoms;
            let members = (0..self.counts.len())
                .flat_map(|unit| held.iter().map(move |atom| unit * atoms + *atom as usize));
            let told = self.system.cells[*cell].is_count && !(doubting && self.untold.contains(cell));
            if told || mark.shown().is_some() {
                rows.push(Sum::of(members.collect(), *mark));
            }
        }
        for unit in own {
            for (at, value) in self.system.unit_values(&self.counts[*unit]).into_iter().enumerate() {
                let of = &self.system.unit_atom_of;
                let members =
                    (0..atoms).filter(|atom| of[*atom] == Some(at as u32)).map(|atom| unit * atoms + atom);
                rows.push(Sum::of(members.collect(), Mark::Shown(value)));
            }
        }
        let mut search = Search::new(rows, self.counts.len() * atoms, most);
        search.from(0, &mut each).then_some(())
    }
}

struct Sum {
    members: Vec<usize>,
    lo: u64,
    hi: Option<u64>,
}

impl Sum {
    fn of(members: Vec<usize>, mark: Mark) -> Self {
        match mark.shown() {
            Some(value) => Self { members, lo: value, hi: Some(value) },
            None => Self { members, lo: 1, hi: None },
        }
    }
}

struct Search {
    rows: Vec<Sum>,
    of: Vec<Vec<usize>>,
    sums: Vec<u64>,
    left: Vec<usize>,
    point: Vec<u64>,
    steps: u64,
}

impl Search {
    fn new(rows: Vec<Sum>, size: usize, steps: u64) -> Self {
        let mut of = vec![Vec::new(); size];
        for (at, row) in rows.iter().enumerate() {
            row.members.iter().for_each(|member| of[*member].push(at));
        }
        let left = rows.iter().map(|row| row.members.len()).collect();
        Self { sums: vec![0; rows.len()], left, of, rows, point: vec![0; size], steps }
    }

    fn from(&mut self, at: usize, each: &mut impl FnMut(&[u64])) -> bool {
        if at == self.point.len() {
            each(&self.point);
            return true;
        }
        if self.of[at].is_empty() {
            return self.from(at + 1, each); // in no row: nobody sees it
        }
        let rows = self.of[at].clone();
        let most = rows.iter().filter_map(|row| Some(self.rows[*row].hi? - self.sums[*row])).min();
        let Some(most) = most else { panic!("the enumerator needs a shown sum over every atom") };
        for value in 0..=most {
            if self.steps == 0 {
                return false;
            }
            self.steps -= 1;
            self.point[at] = value;
            rows.iter().for_each(|row| {
                self.sums[*row] += value;
                self.left[*row] -= 1;
            });
            let possible =
                rows.iter().all(|row| self.left[*row] > 0 || self.sums[*row] >= self.rows[*row].lo);
            let done = !possible || self.from(at + 1, each);
            rows.iter().for_each(|row| {
                self.sums[*row] -= value;
                self.left[*row] += 1;
            });
            if !done {
                return false;
            }
        }
        self.point[at] = 0;
        true
    }
}

pub fn labels(findings: &Findings) -> Vec<&str> {
    findings.list().iter().map(|finding| finding.label.as_str()).collect()
}

pub fn report(result: &Result<Release, Findings>) -> AuditReport {
    match result {
        Ok(release) => release.report().clone(),
        Err(Findings::Unsafe(detail) | Findings::NotCertified(detail)) => detail.report.clone(),
        Err(Findings::Input(error)) => panic!("{error}"),
    }
}
