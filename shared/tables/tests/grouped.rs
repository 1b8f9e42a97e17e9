//! A national collection states the country's list of kommungrupper, and which table has rows for them (ADR 23).
#![allow(clippy::unwrap_used)]

use tables::codebook::Codebook;
use tables::collection::Collection;

const TEXT: &str = include_str!("../collections/aktualiseringar-nationell-2024.toml");
const LIST: &str = "[nationell.grupper]\nA1 = [\"0180\", \"2180\"]\n\
    B3 = [\"2101\", \"2104\", \"2121\", \"2132\", \"2161\", \"2181\", \"2182\", \"2183\", \"2184\"]\n";

/// The built-in template with a table of groups and a list.
fn read(table: &str, list: &str) -> Result<Collection, String> {
    let key = format!("tredje_nyckel = \"{}\"\n{table}{list}", "07".repeat(32));
    let text = TEXT.replace("tredje_nyckel = \"\"\n", &key);
    Collection::from_toml(&text, &Codebook::vuxna().unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_countys_aggregates_are_kept_for_the_groups_of_the_list_that_are_invited() {
    let collection = read("grupptabell = \"N3\"\n", LIST).unwrap();
    let groups = collection.national.as_ref().unwrap().groups.as_ref().unwrap();
    assert_eq!(groups.table, 2);
    assert_eq!(groups.grouping.codes().len(), 2);
    let sizes: Vec<usize> = collection.groups.values().map(|kommuner| kommuner.len()).collect();
    assert_eq!(sizes, [1, 9], "0180 lies in another county");
}

#[test]
fn a_list_without_its_table_twice_named_or_incomplete_is_refused_with_what_was_expected() {
    let table = "grupptabell = \"N3\"\n";
    for (table, list, parts) in [
        ("", LIST.to_owned(), ["nationell.grupptabell", "id of the table"]),
        ("grupptabell = \"N9\"\n", LIST.to_owned(), ["nationell.grupptabell", "no N9"]),
        (table, String::new(), ["nationell.grupper", "0 groups"]),
        (table, LIST.replace("\"2101\", ", ""), ["nationell.grupper", "2101 is invited"]),
        (table, LIST.replace("\"2101\"", "\"2180\", \"2101\""), ["nationell.grupper", "2180 lies in two"]),
        (table, LIST.replace("\"2101\"", "\"2101\", \"2101\""), ["B3", "twice"]),
    ] {
        let refused = read(table, &list).unwrap_err();
        assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
    }
    let own = format!("{LIST}[grupper]\nX = [\"2101\"]\n");
    assert!(read(table, &own).unwrap_err().contains("nothing beside nationell.grupper"));
}
