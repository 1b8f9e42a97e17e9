//! What becomes of labels whose writers had seen neither the codebook's texts nor the program.
//!
//! Parts a, b, c, d, f and g were looked at, one after the other, when words were added to the lexicon and the codebook; part e
//! is only ever measured: what it misses is not printed. An empty code: nobody could honestly give the label one.
#![allow(clippy::unwrap_used)] // helpers of tests may panic

use std::collections::HashMap;

use harmonise::label::Matcher;
use tables::codebook::Codebook;

struct Measured {
    labels: usize,
    /// With a code, and given it without asking.
    mapped: usize,
    coded: usize,
    /// Given another code, or any where there is none.
    wrong: Vec<String>,
    missed: Vec<String>,
}

fn measured(file: &str) -> Measured {
    let book = Codebook::barn().unwrap();
    let path = format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    let mut matchers: HashMap<String, Matcher<'_>> = HashMap::new();
    let mut found = Measured { labels: 0, mapped: 0, coded: 0, wrong: Vec::new(), missed: Vec::new() };
    for row in reader.records() {
        let row = row.unwrap();
        let variable = book.variables.iter().find(|variable| variable.id == row[0]).unwrap();
        let matcher = matchers.entry(row[0].to_owned()).or_insert_with(|| Matcher::new(variable, &[]));
        let mapping = matcher.map(&row[1]);
        let codes: Vec<&str> =
            mapping.codes.iter().map(|code| variable.codes[usize::from(*code)].code.as_str()).collect();
        let (given, expected) = (codes.join(","), row[2].to_owned());
        found.labels += 1;
        found.coded += usize::from(!expected.is_empty());
        let line =
            format!("{} | {} | {expected} | {given} {} {}", &row[0], &row[1], mapping.score, mapping.reason);
        match (mapping.is_certain(), given == expected) {
            (true, true) => found.mapped += 1,
            (true, false) => found.wrong.push(line),
            (false, _) if !expected.is_empty() => found.missed.push(line),
            (false, _) => {}
        }
    }
    found
}

fn tell(name: &str, found: &Measured) {
    println!(
        "{name}: {} etiketter, {} med kod, {} mappade automatiskt ({:.1} %), {} fel",
        found.labels,
        found.coded,
        found.mapped,
        100.0 * found.mapped as f64 / found.coded as f64,
        found.wrong.len()
    );
    for (head, lines) in [("FEL", &found.wrong), ("MISS", &found.missed)] {
        lines.iter().for_each(|line| println!("{head} {line}"));
    }
}

/// The least share mapped without asking, in thousandths of the labels that have a code: what was measured, rounded down.
fn shares(found: &Measured) -> usize {
    1_000 * found.mapped / found.coded
}

/// Left without a code by the writer of part g alone; those of the five other parts looked at gave it *bevittnat våld*, seven times.
const DISPUTED: [&str; 1] = ["Våld i nära relation"];

#[test]
fn labels_that_were_looked_at_are_mapped_and_none_wrongly() {
    for part in ["a", "b", "c", "d", "f", "g"] {
        let found = measured(&format!("etiketter-barn-{part}.csv"));
        tell(part, &found);
        let is_disputed =
            |line: &&String| DISPUTED.iter().any(|label| line.contains(&format!("| {label} |")));
        let (disputed, wrong): (Vec<_>, Vec<_>) = found.wrong.iter().partition(is_disputed);
        assert!(wrong.is_empty() && disputed.len() <= 1, "nothing is mapped wrongly");
        assert!(shares(&found) >= 880);
    }
}

#[test]
fn a_list_that_leaves_open_whose_its_bare_part_is_has_no_code() {
    let book = Codebook::barn().unwrap();
    let variable = &book.variables[book.variable_index("orsak").unwrap()];
    let matcher = Matcher::new(variable, &[]);
    for label in ["Vh missbruk + brott", "Förälders brott; missbruk", "mammas missbruk, psykisk ohälsa"] {
        let found = matcher.map(label);
        assert!(!found.is_certain(), "{label}: {:?}", found.codes);
    }
}

#[test]
fn labels_that_were_never_looked_at_are_no_worse_than_the_readme_says() {
    // (part, least share in thousandths, most mapped wrongly); whoever mends a part lowers its last number
    let parts = [("e", 940, 0)];
    for (part, least, most_wrong) in parts {
        let found = measured(&format!("etiketter-barn-{part}.csv"));
        // their labels are not printed, or somebody would look
        let (labels, coded, share, wrong) = (found.labels, found.coded, shares(&found), found.wrong.len());
        println!("{part}: {labels} etiketter, {coded} med kod, {share} promille automatiskt, {wrong} fel");
        assert!(wrong <= most_wrong, "{part}: {wrong} mapped wrongly");
        assert!(share >= least, "{part}: {share} of 1000");
    }
}

/// What a system does to a label: case, accents, numbers, names of units, ages, characters of word processors.
fn ways(label: &str) -> Vec<String> {
    let units = ["B/U", "BoU -", "Barn/ungdom:"].map(|unit| format!("{unit} {label}"));
    let ages = ["0-12 år", "13-17"].map(|age| format!("{label} {age}"));
    let soft = label.replace(' ', "\u{a0}");
    let bare = label.to_lowercase().replace(['å', 'ä'], "a").replace('ö', "o");
    let others = [label.to_uppercase(), format!("07 {label}"), format!("{soft} "), bare];
    units.into_iter().chain(ages).chain(others).collect()
}

#[test]
fn no_way_of_writing_a_label_gives_it_another_code() {
    let book = Codebook::barn().unwrap();
    let mut wrong = Vec::new();
    for part in ["a", "b", "c", "d", "f", "g"] {
        let path = format!("{}/testdata/etiketter-barn-{part}.csv", env!("CARGO_MANIFEST_DIR"));
        let mut matchers: HashMap<String, Matcher<'_>> = HashMap::new();
        for row in csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap().records() {
            let row = row.unwrap();
            // what is written after an age or a name, or in another case, may be no age any more
            if !["aktualiseringstyp", "orsak", "atgard"].contains(&&row[0]) || row[2].contains(',') {
                continue;
            }
            let variable = book.variables.iter().find(|variable| variable.id == row[0]).unwrap();
            let matcher = matchers.entry(row[0].to_owned()).or_insert_with(|| Matcher::new(variable, &[]));
            for label in ways(&row[1]) {
                let found = matcher.map(&label);
                let codes: Vec<&str> =
                    found.codes.iter().map(|code| variable.codes[usize::from(*code)].code.as_str()).collect();
                let disputed = DISPUTED.contains(&&row[1]);
                if found.is_certain() && codes.join(",") != row[2] && !disputed {
                    wrong.push(format!("{label} | {} | {}", &row[2], codes.join(",")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_list_is_not_one_reason_because_its_words_together_would_be() {
    let book = Codebook::barn().unwrap();
    let variable = &book.variables[book.variable_index("orsak").unwrap()];
    let matcher = Matcher::new(variable, &[]);
    for (label, expected) in [
        ("99 annat, Missbruk barnet", "annat,missbruk_barn"),
        ("ANNAT SKÄL/Ungdomens missbruk", "annat,missbruk_barn"),
        ("Barn som bevittnar våld mot mamma, Den unges våld mot föräldrar", "bevittnat_vald,vald_av_barn"),
        ("Kriminalitet + Barn som brottsoffer", "brott_barn,utsatt_for_brott"),
        ("kriminalitet, utsatt för brott", "brott_barn,utsatt_for_brott"),
        ("Förälders kriminalitet, kriminalitet", "brott_foralder,brott_barn"),
        ("Förälders sjukdom; förälder psykiskt sjuk", "sjukdom_foralder,psykisk_ohalsa_foralder"),
        ("Vårdnad, boende och umgänge", "vardnadskonflikt"),
        ("Konflikt om vårdnad, boende och umgänge", "vardnadskonflikt"),
    ] {
        let found = matcher.map(label);
        let codes: Vec<&str> =
            found.codes.iter().map(|code| variable.codes[usize::from(*code)].code.as_str()).collect();
        assert_eq!((codes.join(",").as_str(), found.is_certain()), (expected, true), "{label}");
    }
}

/// Labels with which an adversary's reading had fooled an earlier version: none has that code without asking.
#[test]
fn labels_that_once_fooled_it_do_not_any_more() {
    let book = Codebook::barn().unwrap();
    let path = format!("{}/testdata/etiketter-barn-fallor.csv", env!("CARGO_MANIFEST_DIR"));
    let mut fooled = Vec::new();
    for row in csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap().records() {
        let row = row.unwrap();
        let variable = book.variables.iter().find(|variable| variable.id == row[0]).unwrap();
        let found = Matcher::new(variable, &[]).map(&row[1]);
        let is_given = |code: &u16| variable.codes[usize::from(*code)].code == row[2];
        if found.is_certain() && found.codes.iter().any(is_given) {
            fooled.push(row[1].to_owned());
        }
    }
    assert!(fooled.is_empty(), "{fooled:?}");
}

/// An adversary's labels: every text of every code, denied; with a name after it; with somebody's number in it.
#[test]
fn what_is_denied_or_holds_a_name_or_a_number_never_has_the_code() {
    let book = Codebook::barn().unwrap();
    for variable in book.variables.iter().filter(|variable| !variable.is_age()) {
        let matcher = Matcher::new(variable, &[]);
        let certain = |label: &str| {
            Some(matcher.map(label)).filter(|found| found.is_certain()).map(|found| found.codes)
        };
        let mut found_wrong = Vec::new();
        for (index, code) in (0u16..).zip(&variable.codes) {
            // the patterns written out say little new after the first
            for text in code.spellings().iter().filter(|text| text.chars().count() > 3).take(25) {
                for denied in [format!("ej {text}"), format!("{text} ej"), format!("inte {text}")] {
                    if certain(&denied) == Some(vec![index]) {
                        found_wrong.push(denied);
                    }
                }
                for other in [
                    format!("{text} Zlatanovic"),
                    format!("{text} 20120315-2384"),
                    format!("{text} 120315 2384"),
                ] {
                    assert_eq!(certain(&other), None, "{}: {other}", variable.id);
                }
            }
        }
        assert!(found_wrong.is_empty(), "{}: {found_wrong:?}", variable.id);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

    #[test]
    fn no_text_panics_and_none_is_more_certain_than_whole(label in "\\PC{0,60}", words in "(ej |missbruk |barn |förälder |, |/|\\(|\\)|utredning |inleds |2012|0-12 ){0,9}") {
        let book = Codebook::barn().unwrap();
        for id in ["orsak", "atgard"] {
            let matcher = Matcher::new(&book.variables[book.variable_index(id).unwrap()], &[]);
            for text in [&label, &words] {
                let found = matcher.map(text);
                proptest::prop_assert!(found.score <= 1_000);
                proptest::prop_assert!(!found.is_certain() || !found.codes.is_empty());
            }
        }
    }
}
