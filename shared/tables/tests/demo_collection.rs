//! The collection of the demo: its cells are the ones a person would expect.

#![allow(clippy::unwrap_used)] // a test that fails here should

use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::system::System;

fn system() -> (Collection, System) {
    let book = Codebook::vuxna().unwrap();
    let text = include_str!("../collections/aktualiseringar-vuxna-2024.toml");
    let collection = Collection::from_toml(text, &book).unwrap();
    let system = System::new(&collection, &book).unwrap();
    (collection, system)
}

#[test]
fn a_unit_has_five_atoms_in_2024_and_three_in_each_earlier_year() {
    let (_, system) = system();
    assert_eq!(system.unit_atoms, 5 + 4 * 3);
    assert_eq!(system.per_unit().count(), 5 * 3 + 3);
}

#[test]
fn equal_margins_of_different_tables_are_one_cell() {
    let (collection, system) = system();
    let cell = |table: &str, codes: &[Option<usize>], period: &str| {
        let at = collection.tables.iter().position(|t| t.id == table).unwrap();
        let period = collection.tables[at].periods.iter().position(|p| p.to_string() == period).unwrap();
        let rows = &system.tables[at].rows;
        rows.iter().find(|row| row.codes == codes && row.period == period).unwrap().cell
    };
    assert_eq!(cell("T03", &[Some(0)], "2024"), cell("T09", &[], "2024"));
    assert_eq!(cell("T03", &[Some(1)], "2024"), cell("T02", &[Some(1)], "2024"));
    assert_eq!(cell("T01", &[], "2022"), cell("T02", &[None], "2022"));
    assert_ne!(cell("T10", &[Some(0)], "2024"), cell("T11", &[None, Some(0)], "2024"));
}

#[test]
fn the_rest_of_a_kommun_in_an_earlier_year_is_an_implied_cell() {
    let (_, system) = system();
    let single: Vec<_> = system.implied_unit.iter().filter(|set| set.len() == 1).collect();
    assert_eq!(single.len(), 4, "one rest a year, 2020 to 2023: {:?}", system.implied_unit);
    println!(
        "atoms {} cells {} implied_total {}",
        system.atoms,
        system.cells.len(),
        system.implied_total.len()
    );
}

#[test]
fn a_collection_that_asks_for_too_much_is_refused_before_it_is_built() {
    let book = Codebook::vuxna().unwrap();
    let head =
        include_str!("../collections/aktualiseringar-vuxna-2024.toml").split("[[tabell]]").next().unwrap();
    let table = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
        dimensioner = [\"kon\", \"aldersgrupp\", \"aktualiseringstyp\", \"anmalare\", \"orsak_anmalan\", \"beslut\"]\n";
    let collection = Collection::from_toml(&format!("{head}{table}"), &book).unwrap();
    assert!(System::new(&collection, &book).is_err());
}
