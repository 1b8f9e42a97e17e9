//! What a reader learns who reruns the choice on every table that agrees: `cargo run -p sdc --release --example rerun`.
//!
//! Seeded tables of three areas and four categories, small enough to list every table; each is protected as `sdc protect`
//! does, and the audit's enumeration runs the same method on all of them, without the key and with it.

use std::collections::BTreeSet;
use std::process::ExitCode;

use audit::published::rerun::{Rerun, rerun};
use audit::published::strict::{StrictOptions, heading, read};
use audit::published::truth::Truth;
use suppress::key::PatternKey;
use suppress::table::{self, Options, Shape, System};

const AREAS: usize = 3;
const CODES: usize = 4;
/// Tables that are listed at most.
const MOST: usize = 250;
/// Keys that a reader without the key considers.
const KEYS: u8 = 8;

fn draws(seed: u64) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    (0..AREAS * CODES)
        .map(|_| match draw() % 10 {
            0 => 0,
            1..4 => 1 + draw() % 3,
            _ => 4 + draw() % 8,
        })
        .collect()
}

fn code(at: usize, count: usize, total: &str, name: impl Fn(usize) -> String) -> String {
    if at == count { total.to_owned() } else { name(at) }
}

/// Marks of all cells, row by row, totals last.
fn choose(finest: &[u32], options: &Options) -> Result<Vec<bool>, Box<dyn std::error::Error>> {
    let system = System::complete(Shape::new(&[AREAS, CODES])?, finest)?;
    let found = table::protect(system, options)?;
    Ok(found.marks.iter().map(|mark| mark.withheld()).collect())
}

fn csv(finest: &[u32], marks: &[bool]) -> String {
    let mut text = String::from("omrade,kod,tid,matt,varde,status\n");
    for area in 0..=AREAS {
        for kod in 0..=CODES {
            let within =
                |at: usize| (area == AREAS || at / CODES == area) && (kod == CODES || at % CODES == kod);
            let count: u32 = (0..finest.len()).filter(|at| within(*at)).map(|at| finest[at]).sum();
            let names = (
                code(area, AREAS, "00", |at| format!("21{:02}", at + 1)),
                code(kod, CODES, "TOT", |at| format!("c{at}")),
            );
            let figure = if marks[area * (CODES + 1) + kod] { ",x".to_owned() } else { format!("{count},") };
            text.push_str(&format!("{},{},2024,aktualiseringar,{figure}\n", names.0, names.1));
        }
    }
    text
}

fn measured(seed: u64, keys: &[Option<PatternKey>]) -> Result<Option<Rerun>, Box<dyn std::error::Error>> {
    let finest = draws(seed);
    let of = |key: &Option<PatternKey>| Options {
        secret: key.as_ref().map(PatternKey::tie_secret),
        ..Options::default()
    };
    let own = of(keys.first().unwrap_or(&None));
    let marks = choose(&finest, &own)?;
    let text = csv(&finest, &marks);
    let publication = read(&[("T.csv", text.as_bytes())], &StrictOptions::default())?;
    let placed = finest.iter().enumerate().map(|(at, count)| {
        let column = heading(&["kod".to_owned()], &[format!("c{}", at % CODES)], "2024", "aktualiseringar");
        (("T.csv".to_owned(), format!("21{:02}", at / CODES + 1), column), u64::from(*count))
    });
    let truth = Truth::of(&publication, placed)?;
    // cells stand in the order of the file: areas with their codes, totals last
    let published: BTreeSet<usize> = (0..marks.len()).filter(|at| marks[*at]).collect();
    Ok(rerun(&publication, &truth, 4, MOST, |counts| {
        let finest: Vec<u32> =
            (0..AREAS * CODES).map(|at| counts[at / CODES * (CODES + 1) + at % CODES] as u32).collect();
        let by = |key: &Option<PatternKey>| {
            choose(&finest, &of(key))
                .map(|marks| (0..marks.len()).filter(|at| marks[*at]).collect())
                .unwrap_or_default()
        };
        keys.iter().map(by).find(|found| *found == published).unwrap_or_default()
    }))
}

fn main() -> ExitCode {
    for (name, keys) in
        [("no key", vec![None]), ("a key", (0..KEYS).map(|key| Some(PatternKey::new(&[key; 32]))).collect())]
    {
        let (mut all, mut tables) = (Rerun::default(), 0);
        for seed in 1..=20 {
            match measured(seed, &keys) {
                Ok(Some(found)) => {
                    tables += 1;
                    all.consistent += found.consistent;
                    all.same += found.same;
                    all.small += found.small;
                    all.computable += found.computable;
                    all.narrowed += found.narrowed;
                }
                Ok(None) => {}
                Err(error) => {
                    eprintln!("seed {seed}: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        println!(
            "{name}: {tables} tables, {} consistent, {} chosen alike, {} small cells, {} computable, {} narrowed",
            all.consistent, all.same, all.small, all.computable, all.narrowed
        );
    }
    ExitCode::SUCCESS
}
