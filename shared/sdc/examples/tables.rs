//! Writes the seeded synthetic test tables: `cargo run -p sdc --example tables -- FOLDER [NAME ...]`.
//!
//! Harsh on purpose: about a third of the finest cells are 1..3. The generator and the draws are those of Python's
//! `random` (Mersenne Twister MT19937, Matsumoto & Nishimura 1998), so that the seeds give the tables on which other
//! tools were measured. No record and no person stands behind any count.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

const STATE: usize = 624;
const SHIFT: usize = 397;

/// MT19937 seeded with one word, and the draws made from it.
struct Random {
    state: [u32; STATE],
    at: usize,
    next_gauss: Option<f64>,
}

impl Random {
    fn new(seed: u32) -> Self {
        let mut state = [0u32; STATE];
        state[0] = 19_650_218;
        for at in 1..STATE {
            let last = state[at - 1];
            state[at] = 1_812_433_253u32.wrapping_mul(last ^ last >> 30).wrapping_add(at as u32);
        }
        let mut at = 1;
        for _ in 0..STATE {
            let last = state[at - 1];
            state[at] = (state[at] ^ (last ^ last >> 30).wrapping_mul(1_664_525)).wrapping_add(seed);
            at = Self::next_place(&mut state, at);
        }
        for _ in 0..STATE - 1 {
            let last = state[at - 1];
            state[at] = (state[at] ^ (last ^ last >> 30).wrapping_mul(1_566_083_941)).wrapping_sub(at as u32);
            at = Self::next_place(&mut state, at);
        }
        state[0] = 0x8000_0000;
        Self { state, at: STATE, next_gauss: None }
    }

    fn next_place(state: &mut [u32; STATE], at: usize) -> usize {
        if at + 1 < STATE {
            return at + 1;
        }
        state[0] = state[STATE - 1];
        1
    }

    fn word(&mut self) -> u32 {
        if self.at == STATE {
            for at in 0..STATE {
                let joined = self.state[at] & 0x8000_0000 | self.state[(at + 1) % STATE] & 0x7fff_ffff;
                let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + SHIFT) % STATE] ^ joined >> 1 ^ odd;
            }
            self.at = 0;
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Kinderman and Monahan's ratio of uniforms.
    fn lognormal(&mut self, mean: f64, deviation: f64) -> f64 {
        let magic = 4.0 * (-0.5f64).exp() / 2.0f64.sqrt();
        loop {
            let (u1, u2) = (self.uniform(), 1.0 - self.uniform());
            let z = magic * (u1 - 0.5) / u2;
            if z * z / 4.0 <= -u2.ln() {
                return (mean + z * deviation).exp();
            }
        }
    }

    fn gauss(&mut self, mean: f64, deviation: f64) -> f64 {
        let z = self.next_gauss.take().unwrap_or_else(|| {
            let angle = self.uniform() * std::f64::consts::TAU;
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            self.next_gauss = Some(angle.sin() * radius);
            angle.cos() * radius
        });
        mean + z * deviation
    }

    fn poisson(&mut self, rate: f64) -> u32 {
        if rate > 50.0 {
            return self.gauss(rate, rate.sqrt()).round_ties_even().max(0.0) as u32;
        }
        let (limit, mut count, mut product) = ((-rate).exp(), 0, 1.0);
        loop {
            product *= self.uniform();
            if product <= limit {
                return count;
            }
            count += 1;
        }
    }
}

/// Name, dimensions with their sizes, records, seed.
type Plan = (&'static str, &'static [(&'static str, usize)], f64, u32);

const PLANS: [Plan; 9] = [
    ("tiny", &[("omrade", 10), ("age", 4), ("reason", 6)], 1500.0, 8),
    ("tiny2d", &[("omrade", 21), ("reason", 12)], 2500.0, 9),
    ("small", &[("omrade", 10), ("sex", 2), ("age", 4), ("reason", 6)], 3000.0, 1),
    ("lan21", &[("omrade", 21), ("sex", 2), ("age", 5), ("reason", 7)], 12000.0, 2),
    ("lan21x22", &[("omrade", 21), ("sex", 2), ("age", 5), ("month", 22)], 30000.0, 3),
    ("kom97x3", &[("omrade", 97), ("sex", 2), ("age", 5), ("reason", 7)], 60000.0, 6),
    ("audit20k", &[("omrade", 97), ("sex", 2), ("age", 5), ("reason", 10)], 90000.0, 8),
    ("kom97x4", &[("omrade", 97), ("sex", 2), ("age", 5), ("group", 22)], 120000.0, 5),
    ("kom97", &[("omrade", 97), ("sex", 2), ("age", 5), ("group", 22), ("reason", 7)], 400000.0, 4),
];

fn weights(random: &mut Random, dimension: usize, size: usize) -> Vec<f64> {
    if size == 2 {
        return vec![0.51, 0.49];
    }
    let deviation = if dimension == 0 { 1.0 } else { 0.9 };
    let raw: Vec<f64> = (0..size).map(|_| random.lognormal(0.0, deviation)).collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| weight / sum).collect()
}

fn table(&(_, dimensions, total, seed): &Plan) -> String {
    let mut random = Random::new(seed);
    let weights: Vec<Vec<f64>> =
        dimensions.iter().enumerate().map(|(at, (_, size))| weights(&mut random, at, *size)).collect();
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let mut text = format!("{},tid,matt,varde\n", names.join(","));
    let cells: usize = dimensions.iter().map(|(_, size)| size).product();
    for cell in 0..cells {
        let (mut at, mut codes) = (cell, vec![0; dimensions.len()]);
        for (code, (_, size)) in codes.iter_mut().zip(dimensions).rev() {
            (*code, at) = (at % size, at / size);
        }
        let rate = codes.iter().zip(&weights).fold(total, |rate, (code, weights)| rate * weights[*code]);
        let rate = rate * random.lognormal(-0.125, 0.5);
        for (at, code) in codes.iter().enumerate() {
            // infallible: writing to a String
            let _ = match at {
                0 => write!(text, "{},", 1001 + code),
                _ => write!(text, "{}{:02},", &names[at][..1], code + 1),
            };
        }
        let _ = writeln!(text, "2024,antal,{}", random.poisson(rate));
    }
    text
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("tables FOLDER [NAME ...]");
        return ExitCode::from(2);
    };
    let names: Vec<String> = arguments.collect();
    if let Some(unknown) = names.iter().find(|name| PLANS.iter().all(|plan| plan.0 != *name)) {
        eprintln!("tables: no table {unknown}");
        return ExitCode::from(2);
    }
    for plan in PLANS.iter().filter(|plan| names.is_empty() || names.iter().any(|name| name == plan.0)) {
        let path = Path::new(&folder).join(format!("{}.csv", plan.0));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, table(plan)));
        if let Err(error) = written {
            eprintln!("tables: {}: {error}", path.display());
            return ExitCode::from(5);
        }
    }
    ExitCode::SUCCESS
}
