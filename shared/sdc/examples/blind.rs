//! What the value-blind pattern costs a county: how many small finest cells keep their county total open.
//!
//! `cargo run --release -p sdc --example blind -- DIR/tiny.csv …` reads a table as a county's kommuner by their other
//! dimensions, all margins published, and chooses the pattern from zero/small/plain alone.

#![allow(clippy::unwrap_used)] // a tool for developers: what fails should be seen

use std::fmt::Write;
use std::time::Instant;

use suppress::blind::choose;
use suppress::check::check;
use suppress::key::PatternKey;
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::count::{FineStatus, MinCount};
use tables::system::System;
use tables::unit::Unit;

fn main() {
    println!(
        "| table | units | small finest cells | two others plain | of them with an open total | unit cells withheld, not small | s |"
    );
    println!("|---|---|---|---|---|---|---|");
    for file in std::env::args().skip(1) {
        let table = sdc::read(&file, &std::fs::read(&file).unwrap()).unwrap();
        let (codebook, collection) = documents(&table);
        let codebook = Codebook::from_toml(&codebook).unwrap();
        let collection = Collection::from_toml(&collection, &codebook).unwrap();
        let system = System::new(&collection, &codebook).unwrap();
        let units: Vec<Unit> = table.codes[0].iter().map(|code| code.parse().unwrap()).collect();
        let statuses = statuses(&table, &system, units.len());
        let start = Instant::now();
        let pattern = choose(&system, &units, &statuses, &PatternKey::new(&[3; 32]), &[]).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!(check(&system, &units, &statuses, &pattern).is_empty());
        let finest: Vec<(usize, u32)> = system.cells.iter().enumerate().filter_map(finest).collect();
        let (mut small, mut sure, mut open, mut more) = (0, 0, 0, 0);
        for (unit, own) in statuses.iter().enumerate() {
            for (cell, atom) in &finest {
                if own[*atom as usize] == FineStatus::Small {
                    small += 1;
                    // SAFE-2 whatever the small counts are: somebody else makes up for it, whoever of them looks
                    let plain = |other: &&Vec<FineStatus>| other[*atom as usize] == FineStatus::Plain;
                    sure += usize::from(statuses.iter().filter(plain).count() >= 2);
                    open += usize::from(!pattern.closed.contains(cell));
                }
            }
            let plain = |cell: &&usize| {
                let atoms = system.cells[**cell].unit_atoms.iter().flatten();
                atoms.map(|atom| own[*atom as usize]).max() == Some(FineStatus::Plain)
            };
            more += pattern.withheld[unit].iter().filter(plain).count();
        }
        let name = file.rsplit('/').next().unwrap_or(&file).trim_end_matches(".csv");
        println!("| {name} | {} | {small} | {sure} | {open} | {more} | {seconds:.2} |", units.len());
    }
}

/// A printed cell that is one unit atom.
fn finest((at, cell): (usize, &tables::system::Cell)) -> Option<(usize, u32)> {
    match cell.unit_atoms.as_deref() {
        Some([atom]) if cell.per_unit => Some((at, *atom)),
        _ => None,
    }
}

/// A codebook of the table's codes and a collection of the one table.
fn documents(table: &sdc::Table) -> (String, String) {
    let mut codebook = "id = \"prov\"\nversion = 1\n".to_owned();
    for (name, codes) in table.dimensions.iter().zip(&table.codes).skip(1) {
        write!(codebook, "\n[[variabel]]\nid = \"{name}\"\ntext = \"{name}\"\ntext_en = \"{name}\"\n")
            .unwrap();
        for code in codes {
            write!(
                codebook,
                "\n[[variabel.kod]]\nkod = \"{code}\"\ntext = \"{code}\"\ntext_en = \"{code}\"\n"
            )
            .unwrap();
        }
    }
    let dimensions = &table.dimensions[1..];
    let collection = format!(
        "id = \"prov\"\nversion = 1\ntitel = \"Prov\"\nlan = \"{}\"\nkodbok = \"prov/1\"\nperioder = [\"2024\"]\n\
         deltagare = {:?}\ndeklarera_inom_timmar = 1\nlamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n\
         [[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
         dimensioner = {dimensions:?}\n",
        &table.codes[0][0][..2],
        table.codes[0]
    );
    (codebook, collection)
}

fn statuses(table: &sdc::Table, system: &System, units: usize) -> Vec<Vec<FineStatus>> {
    let date = jiff::civil::date(2024, 6, 1);
    let per_unit = table.finest.len() / units;
    let of = |counts: &[u32]| {
        let mut own = system.empty_counts();
        for (at, count) in counts.iter().enumerate() {
            let (mut rest, mut codes) = (at, Vec::<Option<CodeIndex>>::new());
            for size in table.codes[1..].iter().rev().map(Vec::len) {
                codes.push(CodeIndex::try_from(rest % size).ok());
                rest /= size;
            }
            codes.reverse();
            (0..*count).for_each(|_| system.count(&mut own, date, &codes));
        }
        system.unit_values(&own).into_iter().map(|value| MinCount::default().status(value)).collect()
    };
    table.finest.chunks(per_unit).map(of).collect()
}
