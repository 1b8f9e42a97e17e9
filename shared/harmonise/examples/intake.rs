//! Benchmark of reading: makes a large extract, and reads, checks, harmonises and counts one over five dimensions.
//!
//! `intake make FILE ROWS` writes a Windows-1252 file (or, as FILE.xlsx, a workbook) of nine columns in the form a verksamhetssystem exports;
//! `intake read FILE [THREADS]` prints seconds and the largest memory. `benchmarks/duckdb_group.py` groups the same file without
//! harmonising it.
#![allow(clippy::unwrap_used)] // a tool for developers

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::time::Instant;

use harmonise::{KommunCodes, Reading, Seen, Sheets, Source};
use jiff::civil::date;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tables::codebook::{Codebook, Given};

const TYPES: [&str; 8] = [
    "Anmälan",
    "Orosanmälan",
    "Anmälan barn 0-12 år",
    "B/U Ansökan",
    "Ansökan",
    "Egen iakttagelse",
    "Yttrande",
    "anmalan",
];
const REPORTERS: [&str; 8] =
    ["Skola", "Polisen", "BUP", "Förälder", "Sjukvården", "Anonym", "Socialtjänsten", "Förskolan"];
const REASONS: [&str; 12] = [
    "Skolfrånvaro",
    "Missbruk förälder",
    "Missbruk barn/ungdom",
    "Våld i nära relation",
    "Vårdnadstvist",
    "Brister i omsorgen",
    "Kriminalitet",
    "Psykisk ohälsa ungdom",
    "Missbruk",
    "Våld mot barn, Missbruk förälder",
    "Ekonomisk utsatthet",
    "Övrigt",
];
const DECISIONS: [&str; 6] = [
    "Utredning inleds",
    "Utr inleds ej",
    "Påförs utredning",
    "Råd och stöd",
    "Utredning inleds inte",
    "Överlämnas",
];

fn pick<'t>(random: &mut ChaCha20Rng, of: &[&'t str]) -> &'t str {
    of[random.next_u32() as usize % of.len()]
}

/// Ten digits with a right check digit and the serial numbers of test persons.
fn number(random: &mut ChaCha20Rng) -> String {
    let mut below = |limit: u32| random.next_u32() % limit;
    let (year, month, day, serial) = (6 + below(8), 1 + below(12), 1 + below(28), 238 + below(2));
    let digits = format!("{year:02}{month:02}{day:02}{serial}");
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    format!("{}-{}{}", &digits[..6], &digits[6..], (10 - sum % 10) % 10)
}

const HEAD: &str = "Personnummer;Aktnr;Inkom datum;Typ;Anmälare;Orsak;Beslut;Enhet;Status";

fn lines(rows: u64) -> impl Iterator<Item = String> {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    let made = (0..rows).map(move |row| {
        let number = number(&mut random);
        let day = random.next_u32() % 336;
        let (month, day) = (1 + day / 28, 1 + day % 28);
        let (kind, reporter) = (pick(&mut random, &TYPES), pick(&mut random, &REPORTERS));
        let (reason, decision) = (pick(&mut random, &REASONS), pick(&mut random, &DECISIONS));
        format!("{number};{row};2023-{month:02}-{day:02};{kind};{reporter};{reason};{decision};M;A")
    });
    std::iter::once(HEAD.to_owned()).chain(made)
}

fn make(path: &str, rows: u64) {
    if path.ends_with(".xlsx") {
        return make_workbook(path, rows);
    }
    let mut out = BufWriter::new(File::create(path).unwrap());
    for line in lines(rows) {
        out.write_all(&encoding_rs::WINDOWS_1252.encode(&line).0).unwrap();
        out.write_all(b"\r\n").unwrap();
    }
}

fn make_workbook(path: &str, rows: u64) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, line) in (0..).zip(lines(rows)) {
        for (column, field) in (0..).zip(line.split(';')) {
            sheet.write_string(row, column, field).unwrap();
        }
    }
    book.save(path).unwrap();
}

fn read(path: &str, threads: NonZeroUsize) {
    let started = Instant::now();
    let book = Codebook::barn().unwrap();
    let codes = KommunCodes::none("2180".parse().unwrap(), &book);
    let reading = Reading {
        codebook: &book,
        codes: &codes,
        extracted_on: date(2024, 6, 1),
        sheets: Sheets::One,
        threads,
    };
    let dimensions = ["kon", "alder", "aktualiseringstyp", "orsak", "atgard"];
    let of: Vec<usize> = dimensions.iter().map(|id| book.variable_index(id).unwrap()).collect();
    let sizes: Vec<usize> = of.iter().map(|at| book.variables[*at].codes.len() + 1).collect();
    let mut counts = vec![0u32; sizes.iter().product()];
    let mut take = |_, codes: &[Option<Given>]| {
        let place = of.iter().zip(&sizes).fold(0, |place, (at, size)| {
            place * size + codes[*at].map_or(size - 1, |given| usize::from(given.code))
        });
        counts[place] += 1;
    };
    let extension = path.rsplit('.').next().map(str::to_owned);
    let source = Source { reader: BufReader::new(File::open(path).unwrap()), extension };
    let parts = reading.read(source, &mut Seen::default(), &mut take).unwrap();
    let report = &parts[0].report;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    let cells = counts.iter().filter(|count| **count > 0).count();
    let unmapped: u64 = report.variables.iter().map(|variable| variable.unmapped).sum();
    println!(
        "{} rows, {} refused, {unmapped} labels without a code, {cells} cells; {:.2} s, {most}",
        report.read,
        report.refused.total,
        started.elapsed().as_secs_f64()
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", path, rows] => make(path, rows.parse().unwrap()),
        ["read", path] => read(path, NonZeroUsize::MIN),
        ["read", path, threads] => read(path, threads.parse().unwrap()),
        _ => eprintln!("intake make FILE ROWS | intake read FILE [THREADS]"),
    }
}
