//! Tables that count each of several reasons (`varje`, ADR 20): from extracts with several reasons a field to a publication, and
//! counties made at random whose publications are attacked by the arithmetic that anyone can do.

#![allow(clippy::unwrap_used, missing_docs)] // a test crate: a panic is a failure

use std::collections::{BTreeMap, BTreeSet};

use harmonise::{KommunCodes, Source};
use jiff::civil::date;
use kit::{Made, Published, Released, released};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use suppress::key::PatternKey;
use tables::codebook::{CodeIndex, Codebook};
use tables::collection::Collection;
use tables::figures::Mark;
use tables::system::{Row, System};

const UNITS: [&str; 5] = ["2101", "2104", "2121", "2132", "2161"];

/// Sex and reasons of an aktualisering; none where the field is empty.
type Event = (CodeIndex, Vec<CodeIndex>);

fn document(tables: &str) -> String {
    format!(
        "id = 'orsaker'\nversion = 1\ntitel = 'Orsaker'\nlan = '21'\nkodbok = 'barn/1'\nperioder = ['2024']\n\
         deltagare = {UNITS:?}\ndeklarera_inom_timmar = 24\nlamna_inom_timmar = 24\nkontakt = 'k'\nkalla = 'k'\n{tables}"
    )
}

fn table(id: &str, dimensions: &str, rest: &str) -> String {
    format!(
        "[[tabell]]\nid = '{id}'\ntitel = 't'\nmatt = 'aktualiseringar'\nomfattning = 'total'\n\
         dimensioner = {dimensions}\n{rest}\n"
    )
}

/// The table by each reason, and one of the same records that must not tell what it withholds.
fn tables(reasons: &str) -> String {
    let each = table("T1", &format!("['{reasons}', 'kon']"), "flera = { orsak = 'varje' }");
    each + &table("T2", "['kon']", "kanda = ['orsak']") + &table("T3", "['kon']", "")
}

fn below(rng: &mut ChaCha20Rng, bound: u64) -> u64 {
    rng.next_u64() % bound
}

/// Rarer reasons have larger indices; one to four of them, the further ones often the same.
fn events(rng: &mut ChaCha20Rng, number: u64) -> Vec<Event> {
    let one = |rng: &mut ChaCha20Rng| {
        let kon = below(rng, 2) as CodeIndex;
        let several = (0..3).map(|_| below(rng, 4)).min().unwrap_or(0);
        let missing = below(rng, 30) == 0;
        let reason = |rng: &mut ChaCha20Rng| (0..2).map(|_| below(rng, 22)).min().unwrap_or(0) as CodeIndex;
        let reasons = (0..=several).map(|_| reason(rng)).collect();
        (kon, if missing { Vec::new() } else { reasons })
    };
    (0..number).map(|_| one(rng)).collect()
}

/// An extract as a verksamhetssystem gives it, with the texts of the codebook; lists have every separator.
fn extract(book: &Codebook, events: &[Event]) -> String {
    let text = |variable: &str, code: CodeIndex| {
        let variable = &book.variables[book.variable_index(variable).unwrap()];
        variable.codes[usize::from(code)].text.clone()
    };
    let mut lines = String::from("Datum\tKön\tOrsak\n");
    for (at, (kon, reasons)) in events.iter().enumerate() {
        let separator = ["; ", ";", " ; "][at % 3];
        let reasons: Vec<String> = reasons.iter().map(|code| text("orsak", *code)).collect();
        lines.push_str(&format!(
            "2024-03-0{}\t{}\t{}\n",
            1 + at % 9,
            text("kon", *kon),
            reasons.join(separator)
        ));
    }
    lines
}

/// A county whose kommuner read their extracts.
fn county(tables: &str, seed: u64, most: u64) -> (Made, Vec<Event>) {
    let codebook = Codebook::barn().unwrap();
    let collection = Collection::from_toml(&document(tables), &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut counts, mut all) = (BTreeMap::new(), Vec::new());
    for unit in UNITS {
        let number = most / 4 + below(&mut rng, most);
        let own = events(&mut rng, number);
        let columns = format!(
            "version = 1\nkommun = '{unit}'\n[kolumner]\ndatum = 'Datum'\nkon = 'Kön'\norsak = 'Orsak'\n"
        );
        let codes = KommunCodes::from_toml(&columns, &codebook).unwrap();
        let text = extract(&codebook, &own);
        let read =
            harmonise::read(Source::of_bytes(text.as_bytes()), &codebook, &codes, date(2025, 2, 1)).unwrap();
        assert_eq!((read.report.refused.total, read.rows.len()), (0, own.len()));
        let mut of_unit = system.empty_counts();
        read.rows.iter().for_each(|row| system.count(&mut of_unit, row.date, &row.codes));
        counts.insert(unit.parse().unwrap(), of_unit);
        all.extend(as_read(&codebook, &read.rows, &own));
    }
    (Made { codebook, collection, system, counts }, all)
}

/// The events as they were read: nearly all as written. The words of a few lists together are certain of one code.
fn as_read(book: &Codebook, rows: &[harmonise::Coded], written: &[Event]) -> Vec<Event> {
    let at = |id: &str| book.variable_index(id).unwrap();
    let event = |row: &harmonise::Coded| {
        let reasons = row.codes[at("orsak")].map(|given| (0..22).filter(|code| given.lists(*code)).collect());
        (row.codes[at("kon")].unwrap().code, reasons.unwrap_or_default())
    };
    let read: Vec<Event> = rows.iter().map(event).collect();
    let set = |event: &Event| event.1.iter().copied().collect::<BTreeSet<CodeIndex>>();
    let same = read.iter().zip(written).filter(|(one, other)| set(one) == set(other)).count();
    assert!(10 * same >= 9 * written.len(), "{same} of {} fields are read as written", written.len());
    read
}

/// Events in a row of the first table, counted without cells.
fn straight(made: &Made, events: &[Event], row: &Row) -> u64 {
    let category = |at: usize| &made.collection.tables[0].dimensions[0].categories[at].allowed.alone;
    let is_in = |(kon, reasons): &&Event| {
        let lists = match row.codes[0] {
            None => !reasons.is_empty(),
            Some(at) => reasons.iter().any(|code| category(at).contains(code)),
        };
        lists && row.codes[1].is_none_or(|at| at == usize::from(*kon))
    };
    events.iter().filter(is_in).count() as u64
}

#[test]
fn each_reason_of_an_extract_is_counted_protected_audited_and_published_with_its_note() {
    let (made, events) = county(&tables("orsak"), 1, 900);
    for row in &made.system.tables[0].rows {
        assert_eq!(made.total(row.cell), straight(&made, &events, row), "{:?}", row.codes);
    }
    let released = released(&made, &PatternKey::new(&[7; 32])).unwrap();
    let marks = &released.release.figures().totals;
    for row in &made.system.tables[0].rows {
        let true_total = made.total(row.cell);
        match marks[&row.cell] {
            Mark::Shown(value) => assert_eq!(value, true_total, "TRUE-1: what is shown is exact"),
            Mark::Withheld => assert!(true_total > 0, "zeros are published"),
        }
        assert!(!(1..4).contains(&true_total) || marks[&row.cell] == Mark::Withheld);
    }
    let whole = |row: &&Row| row.codes[1].is_none();
    let rows: Vec<&Row> = made.system.tables[0].rows.iter().filter(whole).collect();
    let (total, parts): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.codes[0].is_none());
    let sum: u64 = parts.iter().map(|row| made.total(row.cell)).sum();
    assert!(sum > made.total(total[0].cell), "{sum} mentions of fewer events");
    written(&made, &released);
}

/// The files say that the parts are more than the total.
fn written(made: &Made, released: &Released) {
    let names = publish::names::kommuner();
    let source = publish::table::Source {
        collection: &made.collection,
        codebook: &made.codebook,
        system: &made.system,
        figures: released.release.figures(),
    };
    let publication = publish::Publication::new(source, &names, date(2025, 3, 1)).unwrap();
    let publication = publication.audited(&released.release);
    let folder = tempfile::tempdir().unwrap();
    let sign = |_: &[u8]| publish::Signature { signature: vec![1], certificate: vec![2] };
    let files = publish::write(&folder.path().join("v1"), &publication, &released.release, &sign).unwrap();
    assert!(files.iter().any(|file| file.ends_with("csv/T1.csv")), "{files:?}");
    let notes = publish::about::notes(&publication, 0);
    assert!(notes.iter().any(|note| note.contains("delarna summerar till mer än totalen")), "{notes:?}");
    assert!(Published::new(&made.collection, &released.tables).files.contains_key("T1"));
}

/// Least and largest value of a printed cell that a reader finds by going round the inequalities until nothing changes.
fn bounds(made: &Made, released: &Released) -> BTreeMap<usize, (i64, i64)> {
    const MOST: i64 = 1 << 40;
    let marks = &released.release.figures().totals;
    let mut found: BTreeMap<usize, (i64, i64)> = marks
        .iter()
        .map(|(cell, mark)| match mark {
            Mark::Shown(value) => (*cell, (*value as i64, *value as i64)),
            Mark::Withheld => (*cell, (1, MOST)),
        })
        .collect();
    let rows = &made.system.tables[0].rows;
    let cell = |codes: [Option<usize>; 2]| rows.iter().find(|row| row.codes == codes).unwrap().cell;
    let reasons: BTreeSet<usize> = rows.iter().filter_map(|row| row.codes[0]).collect();
    for _ in 0..200 {
        let before = found.clone();
        for kon in [Some(0), Some(1), None] {
            let whole = cell([None, kon]);
            let parts: Vec<usize> = reasons.iter().map(|at| cell([Some(*at), kon])).collect();
            let (mut low, mut high) = found[&whole];
            let sum: i64 = parts.iter().map(|part| found[part].1).sum();
            low = parts.iter().map(|part| found[part].0).fold(low, i64::max);
            high = high.min(sum);
            found.insert(whole, (low, high));
            for part in &parts {
                let others = sum - found[part].1;
                let (least, most) = found[part];
                found.insert(*part, (least.max(low - others), most.min(high)));
            }
        }
        for reason in reasons.iter().copied().map(Some).chain([None]) {
            let [one, two, both] = [Some(0), Some(1), None].map(|kon| cell([reason, kon]));
            for (of, sign, other) in [(one, -1, two), (two, -1, one)] {
                let (low, high) =
                    (found[&both].0 + sign * found[&other].1, found[&both].1 + sign * found[&other].0);
                found.insert(of, (found[&of].0.max(low), found[&of].1.min(high)));
            }
            let sum = (found[&one].0 + found[&two].0, found[&one].1 + found[&two].1);
            found.insert(both, (found[&both].0.max(sum.0), found[&both].1.min(sum.1)));
        }
        if found == before {
            break;
        }
    }
    found
}

/// SAFE-1: what anyone computes with pencil and paper from overlapping parts leaves small cells their range.
fn attack(made: &Made, released: &Released) {
    let found = bounds(made, released);
    let rows = &made.system.tables[0].rows;
    let small = |value: i64| (1..4).contains(&value);
    for row in rows.iter().filter(|row| small(made.total(row.cell) as i64)) {
        let (low, high) = found[&row.cell];
        let floor = if row.codes[1].is_none() { 2 } else { 1 };
        assert!(low <= floor && high >= 3, "{:?} is known to be in {low}..={high}", row.codes);
    }
    let shown = |row: &Row| released.release.figures().totals[&row.cell].shown().map(|value| value as i64);
    for kon in [Some(0), Some(1), None] {
        let of_kon: Vec<&Row> = rows.iter().filter(|row| row.codes[1] == kon).collect();
        let whole = of_kon.iter().find(|row| row.codes[0].is_none()).and_then(|row| shown(row));
        let Some(whole) = whole else { continue };
        let parts: Vec<Option<i64>> =
            of_kon.iter().filter(|row| row.codes[0].is_some()).map(|row| shown(row)).collect();
        for part in parts.iter().flatten() {
            assert!(!small(whole - part), "few of {kon:?} lack a reason");
        }
        let sum: Option<i64> = parts.into_iter().sum();
        assert!(!sum.is_some_and(|sum| small(sum - whole)), "few of {kon:?} have more than one reason");
    }
}

#[test]
fn safe_1_counties_made_at_random_are_published_and_withstand_arithmetic() {
    let mut published = 0;
    for seed in 1..=8 {
        let reasons = ["huvudorsak", "orsak"][seed as usize % 2];
        let (made, _) = county(&tables(reasons), seed, [12, 40, 150, 600][seed as usize % 4]);
        let began = std::time::Instant::now();
        match released(&made, &PatternKey::new(&[7; 32])) {
            Ok(released) => {
                published += 1;
                let hidden =
                    released.release.figures().totals.values().filter(|mark| **mark == Mark::Withheld);
                println!("{seed} {reasons}: {} withheld, {:?}", hidden.count(), began.elapsed());
                attack(&made, &released);
            }
            Err(error) => println!("{seed} {reasons}: {error:.300}, {:?}", began.elapsed()),
        }
    }
    assert!(published >= 6, "{published} of 8 counties have a publication");
}
