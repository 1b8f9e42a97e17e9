//! A report in pieces of at most 256 KiB, and back.
//!
//! A report of 10,000 entries is over 5 MB, more than a message may be; pieces keep both ends' memory
//! bounded. It does not check what the bytes mean ([`crate::report::Report::decode`] does). Invariants: there
//! is one way to cut given bytes; a reassembler never holds more than has arrived, nor more than its limit;
//! after an error it is of no more use.

/// Bytes of every piece but the last.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// One piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Number of the piece, from 0.
    pub index: u32,
    /// Number of pieces.
    pub count: u32,
    /// The bytes: [`CHUNK_BYTES`] of them, in the last piece 1 to that many.
    pub bytes: &'a [u8],
}

impl std::fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk")
            .field("index", &self.index)
            .field("count", &self.count)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Why pieces do not make a whole. To be blamed on the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A piece came that was there already.
    #[error("piece {index} came twice")]
    Duplicate {
        /// Its number.
        index: u32,
    },
    /// A piece came before its turn.
    #[error("piece {got} came where {expected} was due")]
    OutOfOrder {
        /// The piece that was due.
        expected: u32,
        /// The piece that came.
        got: u32,
    },
    /// The whole would be larger than allowed.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A piece of a size that its place does not have, or a number beyond its own count.
    #[error("piece {index} has a size that its place does not have")]
    WrongSize {
        /// Its number.
        index: u32,
    },
    /// The announced number of pieces changed on the way, or is zero.
    #[error("the announced number of pieces is zero or has changed")]
    WrongCount,
    /// The stream ended early.
    #[error("{missing} pieces are missing")]
    Missing {
        /// How many; at least one when nothing came at all.
        missing: u32,
    },
}

/// Cuts `bytes` into pieces. Nothing, for no bytes.
///
/// # Errors
/// [`ChunkError::TooLarge`] above `u32::MAX` pieces.
pub fn chunks(bytes: &[u8]) -> Result<impl ExactSizeIterator<Item = Chunk<'_>>, ChunkError> {
    let pieces = bytes.chunks(CHUNK_BYTES);
    let count = u32::try_from(pieces.len()).map_err(|_| ChunkError::TooLarge { limit: usize::MAX })?;
    Ok(pieces.enumerate().map(move |(index, bytes)| {
        // infallible: index < count, which is a u32
        Chunk { index: index as u32, count, bytes }
    }))
}

/// Puts pieces together again, in order.
pub struct Reassembler {
    limit: usize,
    count: Option<u32>,
    next: u32,
    bytes: Vec<u8>,
}

impl Reassembler {
    /// Accepts at most `limit` bytes: [`crate::report::Report::max_bytes`] for a report.
    pub fn new(limit: usize) -> Self {
        Self { limit, count: None, next: 0, bytes: Vec::new() }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`ChunkError`]; the message is then to be refused.
    pub fn accept(&mut self, chunk: Chunk<'_>) -> Result<(), ChunkError> {
        self.check(chunk)?;
        self.count = Some(chunk.count);
        self.next += 1; // infallible: index < count, so index + 1 <= u32::MAX
        self.bytes.extend_from_slice(chunk.bytes);
        Ok(())
    }

    fn check(&self, chunk: Chunk<'_>) -> Result<(), ChunkError> {
        let Chunk { index, count, bytes } = chunk;
        if count == 0 || self.count.is_some_and(|announced| announced != count) {
            return Err(ChunkError::WrongCount);
        }
        if index < self.next {
            return Err(ChunkError::Duplicate { index });
        }
        if index >= count {
            return Err(ChunkError::WrongSize { index });
        }
        if index > self.next {
            return Err(ChunkError::OutOfOrder { expected: self.next, got: index });
        }
        let last = index == count - 1;
        if bytes.is_empty() || bytes.len() > CHUNK_BYTES || (!last && bytes.len() != CHUNK_BYTES) {
            return Err(ChunkError::WrongSize { index });
        }
        // Refused at the first piece already when the announced number cannot fit.
        let least = (u64::from(count) - 1) * CHUNK_BYTES as u64 + 1;
        if least > self.limit as u64 || self.bytes.len() + bytes.len() > self.limit {
            return Err(ChunkError::TooLarge { limit: self.limit });
        }
        Ok(())
    }

    /// The whole, when every piece has come.
    ///
    /// # Errors
    /// [`ChunkError::Missing`].
    pub fn finish(self) -> Result<Vec<u8>, ChunkError> {
        let missing = self.count.map_or(1, |count| count - self.next);
        if missing == 0 { Ok(self.bytes) } else { Err(ChunkError::Missing { missing }) }
    }
}

impl std::fmt::Debug for Reassembler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reassembler")
            .field("count", &self.count)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 5 * CHUNK_BYTES;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n % 251) as u8).collect()
    }

    fn reassemble<'a>(pieces: impl IntoIterator<Item = Chunk<'a>>) -> Result<Vec<u8>, ChunkError> {
        let mut reassembler = Reassembler::new(LIMIT);
        pieces.into_iter().try_for_each(|piece| reassembler.accept(piece))?;
        reassembler.finish()
    }

    #[test]
    fn pieces_out_of_turn_are_named() {
        let whole = bytes(3 * CHUNK_BYTES);
        let pieces: Vec<_> = chunks(&whole).unwrap().collect();
        let twice = [pieces[0], pieces[1], pieces[0]];
        assert_eq!(reassemble(twice), Err(ChunkError::Duplicate { index: 0 }));
        assert_eq!(reassemble([pieces[0], pieces[2]]), Err(ChunkError::OutOfOrder { expected: 1, got: 2 }));
        assert_eq!(reassemble([pieces[0], pieces[1]]), Err(ChunkError::Missing { missing: 1 }));
        assert_eq!(reassemble([]), Err(ChunkError::Missing { missing: 1 }));
        let after_the_end = pieces.iter().copied().chain([Chunk { index: 3, count: 3, bytes: &[1] }]);
        assert_eq!(reassemble(after_the_end), Err(ChunkError::WrongSize { index: 3 }));
    }

    #[test]
    fn sizes_and_counts_that_do_not_fit_are_named() {
        let piece = |index, count, bytes| Chunk { index, count, bytes };
        let long = bytes(CHUNK_BYTES + 1);
        assert_eq!(reassemble([piece(0, 1, &long)]), Err(ChunkError::WrongSize { index: 0 }));
        assert_eq!(reassemble([piece(0, 2, &long[..5])]), Err(ChunkError::WrongSize { index: 0 }));
        assert_eq!(reassemble([piece(0, 1, &[])]), Err(ChunkError::WrongSize { index: 0 }));
        assert_eq!(reassemble([piece(0, 0, &[1])]), Err(ChunkError::WrongCount));
        let full = &long[..CHUNK_BYTES];
        assert_eq!(reassemble([piece(0, 3, full), piece(1, 2, full)]), Err(ChunkError::WrongCount));
        assert_eq!(reassemble([piece(0, u32::MAX, full)]), Err(ChunkError::TooLarge { limit: LIMIT }));
        let mut small = Reassembler::new(3);
        assert_eq!(small.accept(piece(0, 1, &[1; 4])), Err(ChunkError::TooLarge { limit: 3 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_was_cut_comes_together_again(length in 1..LIMIT) {
            let whole = bytes(length);
            let pieces: Vec<_> = chunks(&whole).unwrap().collect();
            prop_assert!(pieces.iter().all(|piece| piece.bytes.len() <= CHUNK_BYTES));
            prop_assert_eq!(reassemble(pieces).unwrap(), whole);
        }

        #[test]
        fn only_the_pieces_in_order_make_a_whole(order in prop::collection::vec(0..4usize, 0..6)) {
            let whole = bytes(3 * CHUNK_BYTES + 7);
            let pieces: Vec<_> = chunks(&whole).unwrap().collect();
            let made = reassemble(order.iter().map(|n| pieces[*n]));
            prop_assert_eq!(made.is_ok(), order == [0, 1, 2, 3]);
        }
    }
}
