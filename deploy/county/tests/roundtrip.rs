//! Reads the ten files back with a small reader of its own (default headers, folded texts, the code map) and
//! compares every row with the county. What cannot be told from the files here, no node could tell either.

#![allow(clippy::unwrap_used)] // a test crate: a panic is a failure

use std::collections::HashMap;
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use county::dialect::{RenderedFile, render};
use county::{County, Event, KommunRows, PersonRef, Variable, canaries, personnummer, verify, write_files};

const CODED: [Variable; 7] = [
    Variable::Kon,
    Variable::Aktualiseringstyp,
    Variable::Anmalare,
    Variable::Sokande,
    Variable::OrsakAnsokan,
    Variable::OrsakAnmalan,
    Variable::Beslut,
];

fn default_header(id: &str) -> &str {
    match id {
        "personnummer" => "Personnummer",
        "aktualiseringsnummer" => "Aktualiseringsnummer",
        "datum" => "Datum",
        "kon" => "Kön",
        "alder" => "Ålder",
        "aktualiseringstyp" => "Aktualiseringstyp",
        "anmalare" => "Anmälare",
        "sokande" => "Sökande",
        "orsak_ansokan" => "Orsak ansökan",
        "orsak_anmalan" => "Orsak anmälan",
        "beslut" => "Beslut",
        other => panic!("no field {other}"),
    }
}

fn fold(label: &str) -> String {
    label.replace('\u{ad}', "").replace('\u{a0}', " ").trim().to_lowercase()
}

fn cells(file: &RenderedFile) -> Vec<Vec<String>> {
    if file.name.ends_with(".xlsx") {
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(&file.bytes)).unwrap();
        let range = book.worksheet_range_at(0).unwrap().unwrap();
        let text = |cell: &Data| match cell {
            Data::Empty => String::new(),
            Data::DateTime(at) => at.as_f64().to_string(),
            other => other.to_string(),
        };
        return range.rows().map(|row| row.iter().map(text).collect()).collect();
    }
    let text = match std::str::from_utf8(&file.bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode(&file.bytes).0.into_owned(),
    };
    let first = text.lines().next().unwrap();
    let delimiter = [b';', b'\t', b','].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count());
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter.unwrap())
        .from_reader(text.as_bytes());
    reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// One kommun's file as a reader with its code map sees it.
struct File {
    header: Vec<String>,
    lines: Vec<Vec<String>>,
    map: toml::Table,
}

impl File {
    fn of(kommun: &KommunRows) -> Self {
        let files = render(kommun).unwrap();
        let map = files.get(1).map(|f| std::str::from_utf8(&f.bytes).unwrap().parse().unwrap());
        let mut lines = cells(&files[0]);
        let at = lines.iter().position(|l| l.iter().any(|c| c == "Anteckning")).unwrap();
        let header = lines.drain(..=at).next_back().unwrap();
        lines.truncate(kommun.events.len());
        Self { header, lines, map: map.unwrap_or_default() }
    }

    fn cell(&self, row: usize, field: &str) -> &str {
        let own = self.map.get("kolumner").and_then(|k| k.get(field)).and_then(|h| h.as_str());
        let header = own.unwrap_or(default_header(field));
        &self.lines[row][self.header.iter().position(|h| h == header).unwrap()]
    }

    fn code(&self, row: usize, variable: Variable) -> Option<String> {
        let id = variable.id();
        let mut label = self.cell(row, id);
        if let Some(list) = self.map.get("prefix").and_then(|p| p.get(id)).and_then(|l| l.as_array()) {
            let prefix = list.iter().filter_map(|p| p.as_str()).find(|p| label.starts_with(p));
            label = label.strip_prefix(prefix.unwrap_or("")).unwrap();
        }
        let own = self.map.get("koder").and_then(|k| k.get(id)).and_then(|m| m.get(label));
        let text =
            || variable.codes().into_iter().find(|(_, text)| fold(text) == fold(label)).map(|(c, _)| c);
        own.and_then(|c| c.as_str()).or_else(text).map(str::to_owned)
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn same_day(event: &Event, cell: &str) -> bool {
    let serial = event.date.duration_since(jiff::civil::date(1899, 12, 30)).as_hours() / 24;
    let compact = event.date.strftime("%Y%m%d").to_string();
    cell == serial.to_string() || digits(cell) == compact || digits(cell) == format!("{compact}000000")
}

fn same_number(person: &PersonRef, cell: &str) -> bool {
    match person {
        PersonRef::None => cell.is_empty(),
        PersonRef::Reserve(number) => cell == number,
        PersonRef::Test(number) => format!("{:0>10}", digits(cell)).ends_with(&number.ten()),
    }
}

#[test]
fn every_row_of_every_file_can_be_read_back_with_the_code_map() {
    for kommun in County::generate(21).unwrap().kommuner() {
        let file = File::of(kommun);
        assert_eq!(file.lines.len(), kommun.events.len(), "{}", kommun.kommunkod);
        for (row, event) in kommun.events.iter().enumerate() {
            let place = format!("{} row {row}", kommun.kommunkod);
            assert_eq!(file.cell(row, "aktualiseringsnummer"), event.nr, "{place}");
            assert!(same_day(event, file.cell(row, "datum")), "{place}: date");
            assert!(same_number(&event.person, file.cell(row, "personnummer")), "{place}: number");
            let alder = file.cell(row, "alder");
            assert!(alder.is_empty() || alder == event.alder.to_string(), "{place}: age");
            for variable in CODED {
                compare(&file, (row, event), variable, &place);
            }
        }
    }
}

fn compare(file: &File, (row, event): (usize, &Event), variable: Variable, place: &str) {
    let found = file.code(row, variable);
    let has_number = matches!(event.person, PersonRef::Test(_));
    match (event.value(variable), found) {
        (Some(code), Some(found)) => assert_eq!(found, code, "{place}: {}", variable.id()),
        // Kön is derived from the personnummer.
        (Some(_), None) => assert!(variable == Variable::Kon && has_number, "{place}: {}", variable.id()),
        (None, Some(_)) => panic!("{place}: {} where there is none", variable.id()),
        (None, None) => {}
    }
}

#[test]
fn rows_without_a_valid_number_carry_kon_and_alder_in_their_columns() {
    for kommun in County::generate(22).unwrap().kommuner() {
        let file = File::of(kommun);
        let mut both = 0;
        for (row, event) in kommun.events.iter().enumerate() {
            let shown = !file.cell(row, "alder").is_empty() && !file.cell(row, "kon").is_empty();
            let valid = matches!(event.person, PersonRef::Test(_));
            assert!(shown || valid);
            both += usize::from(shown && valid);
        }
        assert!(both > 0, "{}", kommun.kommunkod);
    }
}

#[test]
fn the_same_seed_writes_byte_identical_files_and_another_seed_does_not() {
    let written = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let paths = write_files(&County::generate(seed).unwrap(), dir.path()).unwrap();
        let files = paths.iter().map(|p| (p.file_name().unwrap().to_owned(), std::fs::read(p).unwrap()));
        files.collect::<HashMap<_, _>>()
    };
    let (first, again, other) = (written(31), written(31), written(32));
    assert!(first == again);
    assert_eq!(first.keys().filter(|n| !n.to_string_lossy().ends_with(".codes.toml")).count(), 10);
    assert!(
        other.iter().all(|(name, bytes)| name.to_string_lossy().ends_with(".toml") || first[name] != *bytes)
    );
}

#[test]
fn every_canary_stands_in_its_own_file_exactly_once() {
    for kommun in County::generate(41).unwrap().kommuner() {
        let files = render(kommun).unwrap();
        let mut found: Vec<String> = Vec::new();
        for cell in cells(&files[0]).concat() {
            let words = cell.split_whitespace().filter(|w| w.starts_with("KANARIE-"));
            found.extend(words.map(str::to_owned));
        }
        found.sort();
        assert_eq!(found, canaries(kommun), "{}", kommun.kommunkod);
        for kind in ["FRITEXT", "ETIKETT"] {
            let mark = format!("KANARIE-{kind}-{}-1", kommun.kommunkod);
            assert!(found.contains(&mark), "{mark}");
        }
        assert!(files.get(1).is_none_or(|map| !String::from_utf8_lossy(&map.bytes).contains("KANARIE")));
        assert!(!personnummer(kommun).is_empty());
    }
}

#[test]
fn every_dialect_has_the_trait_it_is_there_for() {
    let county = County::generate(51).unwrap();
    let of = |kod: &str| {
        let kommun = county.kommuner().iter().find(|k| k.kommunkod == kod).unwrap();
        render(kommun).unwrap().remove(0)
    };
    let text = |kod: &str| String::from_utf8(of(kod).bytes).unwrap();
    let hudiksvall = cells(&of("2184"));
    assert!(hudiksvall[0][0].starts_with("Aktualiseringar") && hudiksvall[2].contains(&"Datum".to_owned()));
    assert_eq!(hudiksvall[hudiksvall.len() - 2][0], "Totalt");
    assert!(hudiksvall[hudiksvall.len() - 1][0].starts_with("Källa"));
    let latin = of("2182");
    assert!(std::str::from_utf8(&latin.bytes).is_err() && latin.bytes.windows(2).any(|w| w == b"\r\n"));
    assert!(of("2180").bytes.starts_with(&[0xef, 0xbb, 0xbf]));
    assert!(cells(&of("2183")).iter().any(|l| l[0].len() < 10 && !l[0].is_empty() && digits(&l[0]) == l[0]));
    assert!(text("2181").contains("Ärendetyp") && text("2161").contains("flicka"));
    let noisy = text("2121");
    assert!(noisy.contains('\u{a0}') && noisy.contains('\u{ad}') && noisy.contains("IFO: "));
    assert!(text("2104").lines().next().unwrap().contains('\t'));
    let serial: f64 = cells(&of("2101"))[1][2].parse().unwrap();
    assert!((43_831.0..45_658.0).contains(&serial));
    assert!(text("2132").starts_with("\"Personnummer\",") && text("2132").contains(" 00:00:00\""));
}

#[test]
fn writing_leaves_the_county_as_it_was() {
    let county = County::generate(61).unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_files(&county, dir.path()).unwrap();
    assert_eq!(verify(&county), []);
    assert!(matches!(write_files(&county, &dir.path().join("absent")), Err(county::WriteError::Io { .. })));
}
