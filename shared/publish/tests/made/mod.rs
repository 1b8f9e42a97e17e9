//! Made figures for the demo's collection: no kommun has these.

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::collections::BTreeMap;

use jiff::civil::date;
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::figures::{Figures, Mark};
use tables::system::{CellIndex, System};
use tables::unit::Unit;

pub struct Made {
    pub codebook: Codebook,
    pub collection: Collection,
    pub system: System,
    pub figures: Figures,
}

impl Made {
    pub fn source(&self) -> publish::table::Source<'_> {
        publish::table::Source {
            collection: &self.collection,
            codebook: &self.codebook,
            system: &self.system,
            figures: &self.figures,
        }
    }
}

/// A generator of its own, so that the figures are the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, weights: &[u64]) -> Option<CodeIndex> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut left = (self.0 >> 33) % weights.iter().sum::<u64>();
        for (at, weight) in weights.iter().enumerate() {
            if left < *weight {
                return CodeIndex::try_from(at).ok();
            }
            left -= weight;
        }
        None
    }
}

const WEIGHTS: [(&str, &[u64]); 8] = [
    ("kon", &[57, 43]),
    ("aldersgrupp", &[10, 90]),
    ("aktualiseringstyp", &[350, 530, 45, 1, 74]),
    ("anmalare", &[25, 24, 1, 4, 12, 3, 14, 4, 2, 1, 5, 1, 2, 2]),
    ("sokande", &[1]),
    ("orsak_ansokan", &[70, 20, 2, 1, 7]),
    ("orsak_anmalan", &[9, 68, 4, 9, 1, 9]),
    ("beslut", &[60, 40]),
];

fn code(book: &Codebook, dice: &mut Dice, id: &str) -> Option<CodeIndex> {
    let weights =
        WEIGHTS.iter().find(|(known, _)| *known == id).map_or(&[1u64] as &[u64], |(_, weights)| weights);
    assert_eq!(weights.len(), book.variables[book.variable_index(id).unwrap()].codes.len());
    // one in two hundred is missing
    if dice.roll(&[199, 1]) == Some(1) { None } else { dice.roll(weights) }
}

fn record(book: &Codebook, dice: &mut Dice) -> Vec<Option<CodeIndex>> {
    let typ = code(book, dice, "aktualiseringstyp");
    let of = |id: &str, dice: &mut Dice| match (id, typ) {
        ("aktualiseringstyp", _) => typ,
        ("sokande" | "orsak_ansokan", Some(0)) | ("anmalare" | "orsak_anmalan", Some(1)) => {
            code(book, dice, id)
        }
        ("sokande" | "orsak_ansokan" | "anmalare" | "orsak_anmalan", _) => None,
        _ => code(book, dice, id),
    };
    book.variables.iter().map(|variable| of(&variable.id, dice)).collect()
}

/// Figures of the demo's collection without the units `absent`; what `withheld` says of a count is an `x`.
pub fn made(absent: &[&str], withheld: impl Fn(u64) -> bool) -> Made {
    let text = include_str!("../../../tables/collections/aktualiseringar-vuxna-2024.toml");
    from_toml(text, absent, withheld)
}

/// As [`made`], for a collection of one's own.
pub fn from_toml(text: &str, absent: &[&str], withheld: impl Fn(u64) -> bool) -> Made {
    let codebook = Codebook::vuxna().unwrap();
    let collection = Collection::from_toml(text, &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    let here = |unit: &&Unit| !absent.contains(&unit.to_string().as_str());
    let units: Vec<Unit> = collection.units.iter().filter(here).cloned().collect();
    let mut all = system.empty_counts();
    let mut per_unit = Vec::new();
    let mark = |value: u64| {
        if withheld(value) { Mark::Withheld } else { Mark::Shown(value) }
    };
    for unit in &units {
        let digits = unit.to_string().bytes().fold(7u64, |sum, byte| sum * 31 + u64::from(byte));
        let mut dice = Dice(digits);
        let mut counts = system.empty_counts();
        for year in 2020..=2024i16 {
            let records = 150 + digits % 400 + u64::from(unit.to_string() == "2180") * 1500;
            for _ in 0..records + (digits >> (year - 2018)) % 70 {
                system.count(&mut counts, date(year, 5, 17), &record(&codebook, &mut dice));
            }
        }
        all.add(&counts);
        per_unit.push(system.per_unit().map(|cell| (cell, mark(system.value(&counts, cell)))).collect());
    }
    let totals: BTreeMap<CellIndex, Mark> = (0..system.cells.len())
        .map(|cell| {
            let value = system.value(&all, cell);
            (cell, if system.cells[cell].is_count { mark(value) } else { Mark::Shown(value) })
        })
        .collect();
    Made { codebook, collection, system, figures: Figures { units, per_unit, totals } }
}

/// Withholds more cells of the table `T03` until no kommun and no category has only one `x` beside a shown
/// total: what a person would do by eye. Not what `suppress` does, and no protection: it is for pictures.
#[allow(dead_code)] // each test file compiles this module for itself
pub fn pair_up(made: &mut Made) {
    let at = made.collection.tables.iter().position(|table| table.id == "T03").unwrap();
    let rows = &made.system.tables[at].rows;
    let columns: Vec<CellIndex> =
        rows.iter().filter(|row| row.codes[0].is_some()).map(|row| row.cell).collect();
    let units = made.figures.units.len();
    let lines: Vec<Vec<(usize, CellIndex)>> = (0..units)
        .map(|unit| columns.iter().map(|cell| (unit, *cell)).collect())
        .chain(columns.iter().map(|cell| (0..units).map(|unit| (unit, *cell)).collect()))
        .collect();
    let shown = |made: &Made, (unit, cell): (usize, CellIndex)| made.figures.per_unit[unit][&cell].shown();
    while let Some(line) =
        lines.iter().find(|line| line.iter().filter(|at| shown(made, **at).is_none()).count() == 1)
    {
        let others = line.iter().filter(|at| shown(made, **at).is_some_and(|value| value > 0));
        let (unit, cell) = *others.min_by_key(|at| shown(made, **at)).unwrap();
        made.figures.per_unit[unit].insert(cell, Mark::Withheld);
    }
}
