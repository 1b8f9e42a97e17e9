//! A collection of a county with one kommun says so, and only such a collection may (ADR 21).
#![allow(clippy::unwrap_used)]

use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::system::System;

const TEXT: &str = include_str!("../collections/aktualiseringar-nationell-2024.toml");
const UNITS: &str = r#"["2101", "2104", "2121", "2132", "2161", "2180", "2181", "2182", "2183", "2184"]"#;

/// The built-in template for these units, with or without the word.
fn read(units: &str, alone: bool) -> Result<(Collection, System), String> {
    let key = format!(
        "{}tredje_nyckel = \"{}\"",
        if alone { "ensam_kommun = true\n" } else { "" },
        "07".repeat(32)
    );
    let text = TEXT.replace(UNITS, units).replace("tredje_nyckel = \"\"", &key);
    let codebook = Codebook::vuxna().unwrap();
    let collection = Collection::from_toml(&text, &codebook).map_err(|error| error.to_string())?;
    let system = System::new(&collection, &codebook).unwrap();
    Ok((collection, system))
}

#[test]
fn a_county_with_one_kommun_has_a_roster_of_one_and_every_cell_is_the_kommuns_to_show() {
    let (collection, system) = read(r#"["2101"]"#, true).unwrap();
    assert!(collection.is_alone() && system.alone);
    assert_eq!(collection.minimum_roster(), 1);
    assert_eq!(system.declared(), system.cells.len());
    assert_eq!(system.readable().count(), system.cells.len());
}

#[test]
fn the_same_kommun_without_the_word_has_no_round() {
    let (collection, system) = read(r#"["2101"]"#, false).unwrap();
    assert!(!collection.is_alone() && !system.alone);
    assert_eq!(collection.minimum_roster(), 5);
    assert_eq!((system.declared(), system.readable().count()), (0, 0));
}

#[test]
fn two_kommuner_or_a_stadsdel_do_not_stand_alone() {
    for units in [r#"["2101", "2104"]"#, r#"["2180-01"]"#, UNITS] {
        let refused = read(units, true).unwrap_err();
        assert!(refused.contains("ensam_kommun") && refused.contains("deltagare"), "{refused}");
    }
}
