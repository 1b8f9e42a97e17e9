//! `fuzz TARGET SECONDS [SEED]` changes the target's seeds at random until the time is up; `fuzz TARGET FILE` runs one
//! input again. An input that breaks a promise is written to `fuzz-TARGET.bin` before it is run.
#![allow(clippy::unwrap_used)] // a tool for developers

use std::time::{Duration, Instant};

use fuzz::{Mutator, TARGETS, seeds};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let target = words.first().and_then(|name| TARGETS.iter().find(|(own, _)| own == name));
    let (Some((name, run)), Some(what)) = (target, words.get(1)) else {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("fuzz {} SECONDS [SEED] | FILE", names.join("|"));
        std::process::exit(2);
    };
    let Ok(seconds) = what.parse::<u64>() else {
        run(&std::fs::read(what).unwrap());
        return;
    };
    let seed = words.get(2).map_or(0, |seed| seed.parse().unwrap());
    let (mut mutator, seeds, started) = (Mutator::new(seed), seeds(name), Instant::now());
    let place = format!("fuzz-{name}.bin");
    let (mut inputs, mut longest) = (0u64, Duration::ZERO);
    while started.elapsed().as_secs() < seconds {
        let input = mutator.input(&seeds);
        std::fs::write(&place, &input).unwrap();
        let begun = Instant::now();
        run(&input);
        longest = longest.max(begun.elapsed());
        inputs += 1;
    }
    std::fs::remove_file(&place).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{name}: {inputs} inputs, the longest {} ms, {most}", longest.as_millis());
}
