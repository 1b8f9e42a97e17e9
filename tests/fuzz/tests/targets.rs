//! Some inputs of every target with every test run; `cargo run -p fuzz` goes on longer.

use std::time::{Duration, Instant};

use fuzz::{Mutator, TARGETS, seeds};

/// Time for each target: enough to notice a target that broke, not to find what is rare.
const TIME: Duration = Duration::from_secs(2);
const INPUTS: usize = 3_000;

#[test]
fn packed_seeds_are_sound() {
    for seed in seeds("sheet") {
        assert_eq!(fuzz::rows(&seed), Some(if seed.starts_with(b"<office") { 3 } else { 1 }));
    }
}

#[test]
fn seeds_and_what_chance_makes_of_them_break_no_promise() {
    for (name, run) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        seeds.iter().for_each(|seed| run(seed));
        let (mut mutator, started) = (Mutator::new(1), Instant::now());
        let inputs = std::iter::repeat_with(|| mutator.input(&seeds)).take(INPUTS);
        let count = inputs.take_while(|_| started.elapsed() < TIME).map(|input| run(&input)).count();
        assert!(count > 10, "{name}: {count} inputs");
    }
}
