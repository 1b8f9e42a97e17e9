//! Protects tables and prints what it cost, as rows of a Markdown table.
//!
//! `cargo run --release -p sdc --example tables -- DIR` makes the tables; then
//! `cargo run --release -p sdc --example benchmark -- [--high] DIR/tiny.csv …`. Every row's protection was checked by its
//! proof; the seconds of that check stand beside those of the search.

#![allow(clippy::unwrap_used)] // a tool for developers: what fails should be seen

use std::time::Instant;

use suppress::table::{Effort, Options, proof, protect};

fn main() {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let effort = if flags.iter().any(|flag| flag == "--high") { Effort::High } else { Effort::Fast };
    println!(
        "| table | cells | small | promise | secondary | of them margins | counts hidden, finest | s | proof, s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for file in files {
        let table = sdc::read(&file, &std::fs::read(&file).unwrap()).unwrap();
        for insider in [false, true] {
            let system = sdc::single((file.clone(), table.clone())).unwrap().system;
            let options = Options { insider, effort, ..Options::default() };
            let start = Instant::now();
            let protected = protect(system, &options).unwrap();
            let (searched, start) = (start.elapsed().as_secs_f64(), Instant::now());
            proof::check(&protected, &options).unwrap();
            let proved = start.elapsed().as_secs_f64();
            let summary = protected.summary;
            let name = file.rsplit('/').next().unwrap_or(&file).trim_end_matches(".csv");
            println!(
                "| {name} | {} | {} | {} | {} | {} | {:.1} % | {searched:.2} | {proved:.2} |",
                summary.cells,
                summary.small,
                if insider { "SAFE-1, SAFE-2" } else { "SAFE-1" },
                summary.secondary,
                summary.secondary - summary.secondary_finest,
                100.0 * sdc::loss(&protected)[0].2,
            );
        }
    }
}
