//! Aktualiseringsnummer that stand twice, in one file or in two of one reading.
//!
//! Knows hashes only, under a key of this run. Numbers are put into parts by some of their bits and looked up part by part, many
//! together, since each look-up alone in a table of millions waits for memory. All of one number are in one part and stay in their
//! order there, so what is counted is what looking up one after the other would count, however they come in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use super::report::Repeated;

const PARTS: usize = 256;
/// Numbers of a part that wait for being looked up: enough to make use of what is fetched of its table.
const WAITING: usize = 512;

/// The aktualiseringsnummer of all files of one reading, as hashes under a key of this run.
pub struct Seen {
    pub(crate) run: foldhash::quality::RandomState,
    parts: Box<[Part]>,
}

/// STAY-1: no `Debug`.
#[derive(Default)]
struct Part {
    /// Hash of a number → that of the row's content.
    known: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
    waiting: Vec<(u64, u64)>,
}

/// The numbers are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte); // only ever asked for a u64
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self { run: Default::default(), parts: (0..PARTS).map(|_| Part::default()).collect() }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({})", self.parts.iter().map(|part| part.known.len()).sum::<usize>())
    }
}

impl Seen {
    /// Begins a table; what waits of one that was not read to its end is counted for none.
    pub(crate) fn begin(&mut self) {
        self.end(&mut Repeated::default());
    }

    /// Makes room for about so many more numbers, so that tables are not moved while they grow.
    pub(crate) fn expect(&mut self, numbers: u64) {
        // hashes spread evenly; what is short of it only grows
        let each = usize::try_from(numbers / PARTS as u64).unwrap_or(0);
        self.parts.iter_mut().for_each(|part| part.known.reserve(each + each / 16));
    }

    /// Takes hashes of numbers and of their rows' contents, in the order of the rows.
    pub(crate) fn take(&mut self, numbers: &[(u64, u64)], repeated: &mut Repeated) {
        for &(number, content) in numbers {
            // tables use the lowest and the highest bits
            let part = &mut self.parts[(number >> 40) as usize % PARTS];
            part.waiting.push((number, content));
            if part.waiting.len() == WAITING {
                part.look_up(repeated);
            }
        }
    }

    /// Ends a table: everything is counted.
    pub(crate) fn end(&mut self, repeated: &mut Repeated) {
        self.parts.iter_mut().for_each(|part| part.look_up(repeated));
    }
}

impl Part {
    fn look_up(&mut self, repeated: &mut Repeated) {
        for (number, content) in self.waiting.drain(..) {
            match self.known.entry(number) {
                Entry::Vacant(new) => {
                    new.insert(content);
                }
                Entry::Occupied(earlier) if *earlier.get() == content => repeated.identical += 1,
                Entry::Occupied(_) => repeated.different += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In batches and tables of any length, one of which is given up.
        #[test]
        fn parts_count_what_one_look_up_after_the_other_counts(
            tables in prop::collection::vec((prop::collection::vec((0u64..3_000, 0u64..3), 0..3_000), any::<bool>()), 1..4),
        ) {
            let (mut seen, mut known) = (Seen::default(), BTreeMap::new());
            for (numbers, is_whole) in tables {
                // numbers of one part, and of all
                let numbers: Vec<(u64, u64)> = numbers.into_iter().map(|(number, content)| (number << 37, content)).collect();
                let (mut found, mut straight) = (Repeated::default(), Repeated::default());
                seen.begin();
                numbers.chunks(700).for_each(|batch| seen.take(batch, &mut found));
                if is_whole {
                    seen.end(&mut found);
                }
                for (number, content) in numbers {
                    match *known.entry(number).or_insert((content, false)) {
                        (_, false) => {
                            known.insert(number, (content, true));
                        }
                        (first, true) if first == content => straight.identical += 1,
                        (_, true) => straight.different += 1,
                    }
                }
                if is_whole {
                    prop_assert_eq!((found.identical, found.different), (straight.identical, straight.different));
                }
            }
        }
    }
}
