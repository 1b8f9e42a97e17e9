//! Changes of bytes by chance: the same seed, the same bytes.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// What formats are made of, so that chance meets it sooner.
const WORDS: [&[u8]; 40] = [
    b";",
    b",",
    b"\t",
    b"\"",
    b"\"\"",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\xe5",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\xd0\xcf\x11\xe0",
    b"\xff\xff\xff\xff",
    b"\xfe\xff\xff\xff",
    b"\x85\x00",
    b"<",
    b"</",
    b"/>",
    b"<!--",
    b"]]>",
    b"=",
    b"'",
    b"[",
    b"]",
    b"#",
    b"--",
    b"/*",
    b"2024-01-31",
    b"20240131",
    b"45322",
    b"99999999999999999999",
    b"-1",
    b"NaN",
    b"Totalt",
    b"ej",
];
/// Longest input.
const LONGEST: usize = 1 << 20;

/// A source of changes.
pub struct Mutator(ChaCha20Rng);

impl Mutator {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// One of the seeds with some changes, seldom with none.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(8) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.below(256).to_le_bytes()[0],
                2 => bytes.truncate(at),
                3 => {
                    let word = WORDS[self.below(WORDS.len())];
                    bytes.splice(at..at, word.iter().copied());
                }
                4 => {
                    let to = (at + self.below(64)).min(bytes.len());
                    bytes.drain(at..to);
                }
                5 => {
                    let to = (at + self.below(256)).min(bytes.len());
                    let (piece, times) = (bytes[at..to].to_vec(), 1 + self.below(40));
                    bytes.splice(at..at, piece.repeat(times));
                }
                6 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ if at + 4 <= bytes.len() => {
                    let number = [0, 1, u32::MAX, 0x8000_0000, self.0.next_u32()][self.below(5)];
                    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                }
                _ => {}
            }
        }
        bytes.truncate(LONGEST);
        bytes
    }
}
