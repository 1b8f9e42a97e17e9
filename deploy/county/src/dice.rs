//! Seeded draws: the only source of chance in this crate, and in others that make data.
//!
//! What it does not do: nothing here is secret or meant to be. Invariant: the sequence is a function of the
//! seed alone (ChaCha20, RFC 8439), independent of platform and of the width of `usize`.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// A seeded generator with the few draws that made data need.
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// A generator for `seed`; different `stream`s of one seed are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0. Rejection, so no value is favoured.
    pub fn below(&mut self, bound: u32) -> u32 {
        if bound < 2 {
            return 0;
        }
        let limit = u32::MAX - u32::MAX % bound;
        loop {
            let draw = self.0.next_u32();
            if draw < limit {
                return draw % bound;
            }
        }
    }

    /// A position in a list of `len` entries.
    pub fn index(&mut self, len: usize) -> usize {
        // Lists here are rows of one county, far below 2^32.
        self.below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// A positive factor around 1; `width` 0 gives exactly 1, 0.3 stays roughly within 0.7–1.4.
    pub fn factor(&mut self, width: f64) -> f64 {
        let bell = self.unit() + self.unit() + self.unit() - 1.5;
        (width * bell).exp()
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.index(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_stream_draw_the_same_and_another_stream_does_not() {
        let draw = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn a_shuffle_keeps_every_entry() {
        let mut list: Vec<u32> = (0..100).collect();
        Dice::new(1, 0).shuffle(&mut list);
        assert_ne!(list, (0..100).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..100).collect::<Vec<_>>());
    }
}
