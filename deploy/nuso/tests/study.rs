//! What the program makes of the study's labels and files, beside what they mean.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use harmonise::label::Matcher;
use harmonise::{KommunCodes, Source};
use jiff::civil::date;
use nuso::lexicon::{Field, words};
use nuso::style::Style;
use nuso::{MOST_UNITS, Study};
use tables::codebook::Codebook;
use tables::collection::Collection;

fn codes(matcher: &Matcher<'_>, label: &str) -> Option<Vec<String>> {
    let found = matcher.map(label);
    let code = |code: &u16| matcher.variable().codes[usize::from(*code)].code.clone();
    found.is_certain().then(|| found.codes.iter().map(code).collect())
}

#[test]
fn every_spelling_in_every_style_is_read_as_it_was_meant_or_asked_about() {
    let book = Codebook::barn().unwrap();
    let (mut wrong, mut all, mut asked) = (Vec::new(), 0, 0);
    for field in Field::ALL {
        let words = words(field);
        let matcher = Matcher::new(&book.variables[book.variable_index(field.id()).unwrap()], &[]);
        for (label, code) in &words.labels {
            for style in Style::ALL {
                let written = style.write(label, code.unwrap_or(40) + 1);
                let given = codes(&matcher, &written);
                let meant = code.map(|code| vec![words.codes[code].clone()]);
                all += 1;
                asked += usize::from(given.is_none());
                if given.is_some() && given != meant {
                    wrong.push(format!("{written} | {meant:?} | {given:?}"));
                }
            }
        }
    }
    println!("{all} spellings, {asked} asked about, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_list_of_reasons_is_read_in_its_order_or_asked_about() {
    let book = Codebook::barn().unwrap();
    let matcher = Matcher::new(&book.variables[book.variable_index("orsak").unwrap()], &[]);
    let (mut wrong, mut all, mut asked) = (Vec::new(), 0, 0);
    for seed in 1..=3 {
        let study = Study::generate(MOST_UNITS, seed);
        for (_, list, meant) in study.lists() {
            let given = codes(&matcher, list);
            all += 1;
            asked += usize::from(given.is_none());
            if given.as_ref().is_some_and(|given| *given != meant) {
                wrong.push(format!("{list} | {meant:?} | {given:?}"));
            }
        }
    }
    println!("{all} lists, {asked} asked about, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all > 3_000);
}

/// Day, sex, age, type, first reason, decision.
type Known = (String, Vec<Option<String>>);

fn read(folder: &Path, unit: &str) -> BTreeMap<Known, usize> {
    let book = Codebook::barn().unwrap();
    let text = std::fs::read_to_string(folder.join(format!("{unit}.codes.toml"))).unwrap();
    let codes = KommunCodes::from_toml(&text, &book).unwrap();
    let extension = ["csv", "xlsx"].into_iter().find(|end| folder.join(format!("{unit}.{end}")).exists());
    let reader = File::open(folder.join(format!("{unit}.{}", extension.unwrap()))).unwrap();
    let source = Source { reader, extension: extension.map(str::to_owned) };
    let rows = harmonise::read(source, &book, &codes, date(2024, 3, 1)).unwrap().rows;
    let mut found = BTreeMap::new();
    for row in rows {
        let code = |id: &str| {
            let at = book.variable_index(id).unwrap();
            row.codes[at].map(|given| book.variables[at].codes[usize::from(given.code)].code.clone())
        };
        let codes = ["kon", "alder", "aktualiseringstyp", "orsak", "atgard"].map(code).to_vec();
        *found.entry((row.date.to_string(), codes)).or_default() += 1;
    }
    found
}

fn differing(study: &Study, folder: &Path) -> Vec<String> {
    let words = Field::ALL.map(words);
    let mut differing = Vec::new();
    for kommun in study.kommuner() {
        let mut meant: BTreeMap<Known, usize> = BTreeMap::new();
        for row in kommun.meant() {
            let of = |at: usize| row.codes[at].map(|code| words[at].codes[code].clone());
            let codes = vec![
                row.sex.map(str::to_owned),
                row.age.map(|age| format!("a{age:02}")),
                of(0),
                of(1),
                of(2),
            ];
            *meant.entry((row.day.to_string(), codes)).or_default() += 1;
        }
        let found = read(folder, kommun.unit());
        if found != meant {
            let only = meant.iter().find(|(known, rows)| found.get(known) != Some(rows));
            differing.push(format!("{}: {only:?} of {} kinds", kommun.unit(), meant.len()));
        }
    }
    differing
}

/// TRUE-3: nothing is dropped, and nothing becomes what was not meant.
#[test]
fn every_row_of_a_whole_study_is_read_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::generate(MOST_UNITS, 2023);
    let reviews = study.write(folder.path()).unwrap();
    let mut all = nuso::review::Review::default();
    reviews.iter().for_each(|one| all.add(one));
    println!("{:#?}\n{all:#?}", study.variety());
    assert!(all.refused.len() >= 3 && all.repeated > 0 && all.skipped > 0);
    let differing = differing(&study, folder.path());
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_does_not() {
    let written = |seed| {
        let folder = tempfile::tempdir().unwrap();
        Study::generate(3, seed).write(folder.path()).unwrap();
        let mut files: Vec<_> =
            folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
    };
    let one = written(7);
    assert_eq!(one.len(), 6);
    assert!(one == written(7) && one != written(8));
}

#[test]
fn the_collection_is_one_for_any_number_of_kommuner() {
    for units in [5, MOST_UNITS] {
        let text = Study::generate(units, 1).collection();
        let collection = Collection::from_toml(&text, &Collection::codebook_of(&text).unwrap()).unwrap();
        assert_eq!((collection.units.len(), collection.id.as_str()), (units, nuso::COLLECTION_ID));
    }
}
