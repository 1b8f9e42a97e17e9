//! Extends the made county, or random ones, by tables of other cuts and says how much of them is shown.
//!
//! `cargo run -p kit --release --example extensions -- 1 10` takes random counties 1 to 10 after the made one.

use std::time::Instant;

use kit::extended::{Extended, extended};
use kit::made::made_county_of;
use kit::random::random_county_of;
use suppress::key::PatternKey;

/// What is added: cuts that no first table has.
const NEW: &str = r#"
[[tabell]]
id = "N1"
titel = "Aktualiseringar efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true

[[tabell]]
id = "N2"
titel = "Anmälningar efter anmälare och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["anmalare", "aldersgrupp"]
filter = { aktualiseringstyp = ["anmalan"] }
tider = ["2023", "2024"]
ny = true
"#;

fn main() -> anyhow::Result<()> {
    let number = |at: usize| std::env::args().nth(at).and_then(|text| text.parse::<u64>().ok());
    let key = PatternKey::new(&[7; 32]);
    tell("the made county", &|| extended(&|text| made_county_of(2024, text), NEW, &key));
    for seed in number(1).unwrap_or(1)..=number(2).unwrap_or(0) {
        tell(&format!("seed {seed}"), &|| extended(&|text| random_county_of(seed, text), NEW, &key));
    }
    Ok(())
}

fn tell(whom: &str, make: &dyn Fn() -> anyhow::Result<Extended>) {
    let began = Instant::now();
    match make() {
        Ok(made) => {
            let (known, cells) = (made.extension.cells(), &made.after.system.cells);
            let new: Vec<_> = made
                .second
                .figures()
                .totals
                .iter()
                .filter(|(cell, _)| !known.contains(cell) && cells[**cell].is_count)
                .collect();
            let shown = new.iter().filter(|(_, mark)| mark.shown().is_some()).count();
            let closed = new.iter().filter(|(cell, _)| made.pattern.closed.contains(cell)).count();
            let seconds = began.elapsed().as_secs_f64();
            println!(
                "{whom}: {shown} of {} new totals shown, {closed} never opened; {seconds:.1} s",
                new.len()
            );
        }
        Err(error) => println!("{whom}: NONE: {error:#}"),
    }
}
