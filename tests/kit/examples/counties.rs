//! Releases random counties and says which end without a publication, and what the others lose.
//!
//! `cargo run -p kit --release --example counties -- 1 200` takes seeds 1 to 200.

use std::time::Instant;

use kit::{random_county, released};
use suppress::key::PatternKey;
use tables::figures::Mark;

fn main() -> anyhow::Result<()> {
    let mut bounds = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (first, last) = (bounds.next().transpose()?.unwrap_or(1), bounds.next().transpose()?.unwrap_or(50));
    let mut failed = 0;
    for seed in first..=last {
        let made = random_county(seed)?;
        let began = Instant::now();
        let outcome = released(&made, &PatternKey::new(&[7; 32]));
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(released) => {
                let figures = released.release.figures();
                let hidden = |mark: &&Mark| **mark == Mark::Withheld;
                let units: usize =
                    figures.per_unit.iter().map(|marks| marks.values().filter(hidden).count()).sum();
                let all: usize = figures.per_unit.iter().map(|marks| marks.len()).sum();
                let totals = figures.totals.values().filter(hidden).count();
                println!(
                    "{seed}: {} units, withheld {units} of {all} unit cells, {totals} of {} totals, {seconds:.1} s",
                    figures.units.len(),
                    figures.totals.len()
                );
            }
            Err(error) => {
                failed += 1;
                let text = error.to_string();
                println!(
                    "{seed}: {} units, {seconds:.1} s, NONE: {}",
                    made.counts.len(),
                    &text[..text.len().min(600)]
                );
            }
        }
    }
    println!("{failed} of {} without a publication", last + 1 - first);
    Ok(())
}
