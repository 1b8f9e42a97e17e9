//! Fields that list several codes, counted by each rule against a straight count of records (TRUE-2), and the rules that are
//! refused.
#![allow(clippy::unwrap_used)] // a test

use jiff::civil::date;
use proptest::prelude::*;
use tables::codebook::{Codebook, Given, SEVERAL};
use tables::collection::Collection;
use tables::system::{Build, Counts, System};

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
        _ if by_combination && given.several() => SEVERAL,
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
        let given = |(code, several)| Given::listed([code, if several { (code + 1) % 22 } else { code }]).unwrap();
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
        ("flera = { orsak = 'varje' }\nfilter = { orsak = ['*'] }", "flera orsak: a variable counted by its"),
        (
            "flera = { orsak = 'varje' }\nmarginaler = [['kon'], ['orsak']]",
            "expects the total of the variable",
        ),
        ("flera = { orsak = 'varje' }\nmarginaler = 'inga'", "expects the total of the variable"),
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

const EACH: &str = "flera = { orsak = 'varje' }";

/// Records of two days with their sex and reasons.
type Listed = Vec<(bool, u16, Vec<u16>)>;

fn count_listed(case: &Case, records: &Listed) -> Counts {
    let mut counts = case.system.empty_counts();
    let (sex, reason) = (case.at("kon"), case.at("orsak"));
    for (is_late, kon, orsak) in records {
        let mut codes = vec![None; case.book.variables.len()];
        (codes[sex], codes[reason]) = (Some(Given::from(*kon)), Given::listed(orsak.iter().copied()));
        let day = if *is_late { date(2024, 9, 1) } else { date(2024, 2, 1) };
        case.system.count(&mut counts, day, &codes);
    }
    counts
}

proptest! {
    #[test]
    fn each_code_is_counted_once_under_each_of_its_categories_and_the_total_is_the_records(
        records in prop::collection::vec((any::<bool>(), 0u16..2, prop::collection::vec(0u16..22, 0..5)), 0..40),
        (level, margins) in (
            prop::sample::select(vec!["orsak", "huvudorsak"]),
            prop::sample::select(vec!["'alla'", "[['LEVEL']]", "[['kon'], ['LEVEL'], ['kon', 'LEVEL']]"]),
        ),
    ) {
        let margins = margins.replace("LEVEL", level);
        let rest = format!("{EACH}\nmarginaler = {margins}\ntider = ['2024', '2024H1']");
        let case = Case::new(&[
            table("T1", "['kon']", "kanda = ['orsak']"),
            table("T2", &format!("['{level}', 'kon']"), &rest),
        ].concat());
        let counts = count_listed(&case, &records);
        let dimensions = &case.collection.tables[1].dimensions;
        for row in &case.system.tables[1].rows {
            let lists = |orsak: &[u16]| match row.codes[0] {
                None => !orsak.is_empty(),
                Some(at) => {
                    orsak.iter().any(|code| dimensions[0].categories[at].allowed.alone.contains(code))
                }
            };
            let straight = records.iter().filter(|(is_late, kon, orsak)| {
                (row.period == 0 || !is_late) && row.codes[1].is_none_or(|at| at == usize::from(*kon)) && lists(orsak)
            });
            prop_assert_eq!(case.system.value(&counts, row.cell), straight.count() as u64, "{:?}", row);
        }
        prop_assert_eq!(case.system.value(&counts, case.system.tables[1].bortfall[0]),
            records.iter().filter(|(.., orsak)| orsak.is_empty()).count() as u64);
        relations_hold(&case, &counts)?;
        totals_are_made_right(&case, &counts)?;
    }
}

/// What the audit takes to hold holds.
fn relations_hold(case: &Case, counts: &Counts) -> Result<(), TestCaseError> {
    let sum = |atoms: &[u32]| -> u64 {
        atoms.iter().map(|atom| u64::from(counts.to_stored()[*atom as usize])).sum()
    };
    for relation in case.system.relations() {
        prop_assert_eq!(sum(&relation.left), sum(&relation.right));
    }
    for set in case.system.implied_total.iter() {
        if let Some(made) = case.system.signed(set) {
            let of = |sides: &[Vec<u32>]| sides.iter().map(|side| sum(side)).sum::<u64>();
            prop_assert_eq!(sum(set), of(&made.plus) - of(&made.minus));
        }
    }
    Ok(())
}

/// Each cell's total is a shared entry, or the sum of such.
fn totals_are_made_right(case: &Case, counts: &Counts) -> Result<(), TestCaseError> {
    for cell in 0..case.system.cells.len() {
        let value = match &case.system.cells[cell].build {
            Build::Entry { block, index } => case.system.entries(counts, *block)[*index as usize],
            Build::Sum(parts) => parts.iter().map(|part| case.system.value(counts, *part)).sum(),
            Build::UnitAtoms(_) => continue, // the sets without records
        };
        prop_assert_eq!(value, case.system.value(counts, cell), "{}", case.system.cells[cell].label);
    }
    Ok(())
}

#[test]
fn a_table_that_counts_each_code_says_that_its_parts_are_more_than_its_total() {
    let case = Case::new(&table("T1", "['orsak']", EACH));
    let notes = &case.collection.tables[0].footnotes;
    assert!(notes.len() == 1 && notes[0].contains("delarna summerar till mer än totalen"), "{notes:?}");
    let first = Case::new(&table("T1", "['orsak']", "flera = { orsak = 'forsta' }"));
    let definition = |case: &Case| case.system.cells[case.system.tables[0].rows[0].cell].definition;
    assert_ne!(definition(&case), definition(&first), "mentions are never taken for records");
}

/// Whatever else counts the same codes gives more by subtraction than is looked for (SAFE-1).
#[test]
fn safe_1_what_cannot_be_controlled_beside_each_code_is_refused_by_table_and_variable() {
    let each = table("T1", "['orsak', 'kon']", EACH);
    let per_kommun = table("T2", "['kon']", "").replace("'total'", "'kommun'");
    for (tables, hint) in [
        (each.clone() + &table("T2", "['huvudorsak']", ""), "T1 flera orsak: T2 has orsak too"),
        (table("T0", "['orsak']", "flera = { orsak = 'kombination' }") + &each, "T0 has orsak too"),
        (each.clone() + &table("T2", "['kon']", "filter = { orsak = ['*'] }"), "T2 has orsak too"),
        (each.clone() + &table("T2", "['huvudorsak']", EACH), "T2 has orsak too"),
        (each.clone() + &per_kommun, "omfattning = \"total\" of every table of the collection; T2 is not"),
    ] {
        let book = Codebook::barn().unwrap();
        let error = Collection::from_toml(&document(&tables), &book).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    let beside = each + &table("T2", "['kon', 'aldersgrupp']", "kanda = ['orsak']");
    assert!(Collection::from_toml(&document(&beside), &Codebook::barn().unwrap()).is_ok());
}

#[test]
fn safe_1_each_code_is_refused_in_a_national_round() {
    let national = format!(
        "[nationell]\nlan = ['21', '01', '03']\ninom_timmar = 24\ntredje_nyckel = '{}'\n",
        "0".repeat(64)
    );
    let text = document(&(national + &table("T1", "['orsak']", EACH)));
    let error = Collection::from_toml(&text, &Codebook::barn().unwrap()).unwrap_err().to_string();
    assert!(error.contains("\"varje\" cannot be part of a national round"), "{error}");
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
