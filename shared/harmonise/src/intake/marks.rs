//! Places of single bytes, found 64 bytes at a time: separators and line ends of a text, bytes over 127.
//!
//! Knows nothing of texts. Invariant: every place is found once, in order, whatever lies where blocks meet.

use wide::u8x16;

/// Bytes looked at together: a bit each.
pub(crate) const BLOCK: usize = 64;
/// Bytes of one vector.
const PART: usize = 16;

/// A bit for each byte of a block for which `is` gives one with its highest bit set.
#[inline]
fn bits(block: &[u8; BLOCK], is: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks::<PART>();
    let part =
        |(at, part): (usize, &[u8; PART])| u64::from(is(u8x16::from(*part)).to_bitmask()) << (PART * at);
    parts.iter().enumerate().map(part).fold(0, |bits, part| bits | part)
}

/// The bytes over 127 of a block.
#[inline]
pub(crate) fn high(block: &[u8; BLOCK]) -> u64 {
    bits(block, |part| part)
}

/// The bytes of a block that equal `byte`.
#[inline]
pub(crate) fn equal(block: &[u8; BLOCK], byte: u8) -> u64 {
    let wanted = u8x16::splat(byte);
    bits(block, |part| part.simd_eq(wanted))
}

/// The first bytes as a block; where there are fewer, zeros follow.
#[inline]
pub(crate) fn block_of(bytes: &[u8]) -> [u8; BLOCK] {
    match bytes.first_chunk() {
        Some(whole) => *whole,
        None => {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            block
        }
    }
}

/// The places of some bytes, none of which is 0.
pub(crate) struct Marks<'b, const N: usize> {
    bytes: &'b [u8],
    wanted: [u8x16; N],
    /// Where the block begins whose places are left.
    begins: usize,
    left: u64,
    /// Where the next block begins.
    next: usize,
}

impl<'b, const N: usize> Marks<'b, N> {
    /// Those of `wanted` in `bytes`.
    pub(crate) fn of(bytes: &'b [u8], wanted: [u8; N]) -> Self {
        debug_assert!(wanted.iter().all(|byte| *byte != 0), "blocks are filled with zeros");
        Self { bytes, wanted: wanted.map(u8x16::splat), begins: 0, left: 0, next: 0 }
    }
}

impl<const N: usize> Iterator for Marks<'_, N> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.left == 0 {
            let rest = self.bytes.get(self.next..).filter(|rest| !rest.is_empty())?;
            let wanted = &self.wanted;
            let any = |part: u8x16| wanted.iter().fold(u8x16::splat(0), |any, one| any | part.simd_eq(*one));
            self.left = bits(&block_of(rest), any);
            self.begins = self.next;
            self.next += BLOCK;
        }
        let place = self.begins + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_those_that_a_look_at_each_byte_finds(
            bytes in prop::collection::vec(prop::sample::select(vec![b'a', b';', b'\n', 0, 0x7f, 0x80, 0xbb, 0xff]), 0..300),
        ) {
            let straight = |is: &dyn Fn(u8) -> bool| -> Vec<usize> { (0..bytes.len()).filter(|at| is(bytes[*at])).collect() };
            let found: Vec<usize> = Marks::of(&bytes, [b';', b'\n']).collect();
            prop_assert_eq!(found, straight(&|byte| byte == b';' || byte == b'\n'));
            let by_blocks = |mask: &dyn Fn(&[u8; BLOCK]) -> u64| -> Vec<usize> {
                let blocks = bytes.chunks(BLOCK).enumerate();
                let places = |(at, block): (usize, &[u8])| {
                    let bits = mask(&block_of(block));
                    (0..BLOCK).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| at * BLOCK + bit).collect::<Vec<_>>()
                };
                blocks.flat_map(places).collect()
            };
            prop_assert_eq!(by_blocks(&high), straight(&|byte| byte > 127));
            prop_assert_eq!(by_blocks(&|block| equal(block, b';')), straight(&|byte| byte == b';'));
        }
    }
}
