//! Fields that list several codes, counted by each rule against a straight count of records (TRUE-2), and the rules that are
//! refused.
#![allow(clippy::unwrap_used)] // a test

use jiff::civil::date;
use proptest::prelude::*;
use tables::codebook::{Codebook, Given, SEVERAL};
use tables::collection::Collection;
use tables::system::{Counts, System};

fn document(tables: &str) -> String {
    format!(
        "id = 'prov'\nversion = 1\ntitel = 'Prov'\nlan = '21'\nkodbok = 'barn/1'\nperioder = ['2024']\n\
         deltagare = ['2101', '2104', '2121', '2132', '2161']\ndeklarera_inom_timmar = 24\nlamna_inom_timmar = 24\n\
         kontakt = 'k'\nkalla = 'k'\n{tables}"
    )
}

fn table(id: &str, dimensions: &str, rest: &str) -> String {
    format!(
        "[[tabell]]\nid = '{id}'\ntitel = 't'\nmatt = 'aktualiseringar'\nomfattning = 'total'\ndimensioner = {dimensions}\n{rest}\n"
    )
}

fn refused(rest: &str) -> String {
    let book = Codebook::barn().unwrap();
    let text = document(&table("T1", "['orsak', 'kon']", rest));
    Collection::from_toml(&text, &book).unwrap_err().to_string()
}

/// A system with the straight count's own way of naming rows: table and shown codes.
struct Case {
    book: Codebook,
    collection: Collection,
    system: System,
}

impl Case {
    fn new(tables: &str) -> Self {
        let book = Codebook::barn().unwrap();
        let collection = Collection::from_toml(&document(tables), &book).unwrap();
        let system = System::new(&collection, &book).unwrap();
        Self { book, collection, system }
    }

    fn counts(&self, records: &[(u16, Option<Given>)]) -> Counts {
        let mut counts = self.system.empty_counts();
        let (sex, reason) = (self.at("kon"), self.at("orsak"));
        for (kon, orsak) in records {
            let mut codes = vec![None; self.book.variables.len()];
            (codes[sex], codes[reason]) = (Some(Given::from(*kon)), *orsak);
            self.system.count(&mut counts, date(2024, 5, 1), &codes);
        }
        counts
    }

    fn at(&self, id: &str) -> usize {
        self.book.variable_index(id).unwrap()
    }

    /// Shown codes, `TOT` for a margin, and the value of every row of a table.
    fn rows(&self, table: usize, counts: &Counts) -> Vec<(Vec<String>, u64)> {
        let dimensions = &self.collection.tables[table].dimensions;
        let rows = self.system.tables[table].rows.iter().map(|row| {
            let code = |(at, code): (usize, &Option<usize>)| match code {
                Some(code) => dimensions[at].categories[*code].code.clone(),
                None => "TOT".into(),
            };
            (row.codes.iter().enumerate().map(code).collect(), self.system.value(counts, row.cell))
        });
        rows.collect()
    }
}

/// Whether a record is in a row, said without atoms.
fn is_in(
    book: &Codebook,
    by_combination: bool,
    level: &str,
    codes: &[String],
    record: &(u16, Option<Given>),
) -> bool {
    let Some(given) = record.1 else { return false };
    let orsak = &book.variables[book.variable_index("orsak").unwrap()];
    let code = &orsak.codes[usize::from(given.code)].code;
    let group = orsak.levels.iter().find(|own| own.id == level);
    let shown = match group {
        _ if by_combination && given.several => SEVERAL,
        Some(level) => level.groups.iter().find(|group| group.parts.contains(code)).unwrap().code.as_str(),
        None => code,
    };
    let kon = &book.variables[book.variable_index("kon").unwrap()].codes[usize::from(record.0)].code;
    let fits = |asked: &String, own: &str| asked == "TOT" || asked == own;
    fits(&codes[0], shown) && fits(&codes[1], kon)
}

proptest! {
    #[test]
    fn every_rule_counts_what_a_straight_count_counts(
        records in prop::collection::vec((0u16..2, prop::option::of((0u16..22, any::<bool>()))), 0..60),
    ) {
        let case = Case::new(&[
            table("T1", "['orsak', 'kon']", ""),
            table("T2", "['orsak', 'kon']", "flera = { orsak = 'kombination' }"),
            table("T3", "['huvudorsak', 'kon']", "flera = { orsak = 'kombination' }"),
            table("T4", "['huvudorsak', 'kon']", "flera = { orsak = 'forsta' }"),
        ].concat());
        let given = |(code, several)| Given { code, several };
        let records: Vec<_> = records.into_iter().map(|(kon, orsak)| (kon, orsak.map(given))).collect();
        let counts = case.counts(&records);
        for (table, by_combination, level) in
            [(0, false, ""), (1, true, ""), (2, true, "huvudorsak"), (3, false, "huvudorsak")]
        {
            for (codes, value) in case.rows(table, &counts) {
                let straight =
                    records.iter().filter(|record| is_in(&case.book, by_combination, level, &codes, record));
                prop_assert_eq!(value, straight.count() as u64, "table {} {:?}", table, codes);
            }
            let bortfall = case.system.value(&counts, case.system.tables[table].bortfall[0]);
            prop_assert_eq!(bortfall, records.iter().filter(|(_, orsak)| orsak.is_none()).count() as u64);
        }
    }
}

#[test]
fn a_table_by_combination_has_one_category_more_and_the_same_total_cell() {
    let case = Case::new(
        &[table("T1", "['orsak']", ""), table("T2", "['orsak']", "flera = { orsak = 'kombination' }")]
            .concat(),
    );
    let of = |table: usize| case.system.tables[table].rows.iter().map(|row| row.cell).collect::<Vec<_>>();
    assert_eq!((of(0).len(), of(1).len()), (23, 24));
    assert_eq!(of(0).last(), of(1).last(), "both total the same events");
    assert!(
        of(0)[..22].iter().all(|cell| !of(1).contains(cell)),
        "one reason alone is another cell than the first of several"
    );
    let notes = &case.collection.tables[1].footnotes;
    assert!(notes.len() == 1 && notes[0].contains("Flera"), "{notes:?}");
    assert!(case.collection.tables[0].footnotes.is_empty());
}

/// What one table shows of first reasons and another of single ones gives, by subtraction, those with several.
#[test]
fn the_difference_of_two_rules_is_a_cell_that_must_be_protected() {
    let case = Case::new(
        &[table("T1", "['orsak']", ""), table("T2", "['orsak']", "flera = { orsak = 'kombination' }")]
            .concat(),
    );
    let kriminalitet = case.rows(0, &case.system.empty_counts());
    let at = kriminalitet.iter().position(|(codes, _)| codes[0] != "TOT").unwrap();
    let cells = |table: usize| &case.system.cells[case.system.tables[table].rows[at].cell].atoms;
    let rest: Vec<u32> = cells(0).iter().filter(|atom| !cells(1).contains(atom)).copied().collect();
    assert!(!rest.is_empty() && case.system.implied_total.contains(&rest));
}

#[test]
fn rules_that_cannot_be_kept_are_refused_by_table_and_variable() {
    for (rest, hint) in [
        ("flera = { orsak = 'varje' }", "flera orsak: counting every code is not supported"),
        ("flera = { orsak = 'alla' }", "unknown variant"),
        ("flera = { kon = 'forsta' }", "flera kon: the codebook says flera = false"),
        ("flera = { atgard = 'forsta' }", "a dimension of the table"),
        ("flera = { okand = 'forsta' }", "a dimension of the table"),
        ("flera = { orsak = 'kombination' }\nfilter = { orsak = ['*'] }", "remove its filter"),
    ] {
        let error = refused(rest);
        assert!(error.contains(hint), "{rest}: {error}");
    }
}

#[test]
fn the_cells_of_collections_without_rules_keep_their_names() {
    let case = Case::new(&table("T1", "['kon']", ""));
    let name = &case.system.cells[case.system.tables[0].rows[0].cell].definition;
    // SHA-256 of "samman/v1 cell\0barn/1\02024-01-01..2024-12-31;0={0}", as it was before there were rules
    assert_eq!(hex(&name[..8]), "2c06ec67a55152f1");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
