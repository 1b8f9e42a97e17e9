//! Corrects the made county at random and says what the second versions show.
//!
//! `cargo run -p kit --release --example corrections -- 1 20` takes seeds 1 to 20; each with one kommun and one record, one and ten, three and ten, and a
//! late one.

use std::time::Instant;

use kit::corrected::{Wanted, corrected, shows};
use kit::made_county;
use suppress::key::PatternKey;

fn main() -> anyhow::Result<()> {
    let mut bounds = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (first, last) = (bounds.next().transpose()?.unwrap_or(1), bounds.next().transpose()?.unwrap_or(5));
    let made = made_county(2024)?;
    let mut failed = 0;
    for seed in first..=last {
        for (kommuner, records, late) in [(1, 1, false), (1, 10, false), (3, 10, false), (0, 0, true)] {
            let wanted = Wanted { seed, kommuner, records, late };
            let began = Instant::now();
            let outcome = corrected(made.clone(), &PatternKey::new(&[7; 32]), wanted);
            let seconds = began.elapsed().as_secs_f64();
            let whom =
                format!("{seed}: {kommuner} kommuner, {records} records{}", if late { ", late" } else { "" });
            match outcome {
                Ok(versions) => {
                    let (before, after) = (shows(&versions.first.release), shows(&versions.second));
                    println!(
                        "{whom}: absent {}, withheld unit cells {} → {}, shown totals {} → {}, {seconds:.1} s",
                        versions.absent.len(),
                        before.0,
                        after.0,
                        before.1,
                        after.1
                    );
                }
                Err(error) => {
                    failed += 1;
                    println!("{whom}: NONE: {}", error.to_string().chars().take(400).collect::<String>());
                }
            }
        }
    }
    println!("{failed} without a second version");
    Ok(())
}
