//! Length-prefixed writing, checked reading and domain-separated hashing, shared by every encoding of the
//! crate.
//!
//! Integers are big-endian. It does not know any message; it only makes it hard to read past an end, to
//! allocate on a stranger's word, or to hash two different things to one value.

use prio::field::{Field128, FieldElement};
use ring::digest;

/// Why bytes from a peer or a store were not what they should be. Holds no content, only limits and lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the message ends before it is complete")]
    Truncated,
    /// Bytes are left over.
    #[error("{count} bytes follow the end of the message")]
    TrailingBytes {
        /// Number of bytes left.
        count: usize,
    },
    /// The bytes do not start as this kind of message does.
    #[error("this is not the expected kind of message")]
    WrongKind,
    /// Another protocol, draft or bit width, or another number of blocks.
    #[error("the message uses parameters that are not supported here")]
    UnsupportedParameters,
    /// A variable part is longer than its limit.
    #[error("a part of the message is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A number is not the canonical encoding of a field element, or a byte not one of its enumeration.
    #[error("a value in the message is out of its range")]
    BadValue,
}

/// Encoded size of one element of Field128, in bytes.
pub(crate) const ELEMENT_BYTES: usize = Field128::ENCODED_SIZE;

/// SHA-256 over `domain` and `parts`, each preceded by its length: different lists never share an input.
pub(crate) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    sha256_array(&context.finish())
}

/// Plain SHA-256, for ids that others compute too (key ids, certificate fingerprints).
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_array(&digest::digest(&digest::SHA256, bytes))
}

fn sha256_array(digest: &digest::Digest) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref()); // infallible: SHA-256 gives 32 bytes
    out
}

/// Appends `part` with its length as a u64.
pub(crate) fn put_prefixed(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u64).to_be_bytes());
    out.extend_from_slice(part);
}

/// Appends field elements, 16 bytes each, in prio's (little-endian) encoding.
pub(crate) fn put_elements(out: &mut Vec<u8>, elements: &[Field128]) {
    for element in elements {
        out.extend_from_slice(&<[u8; ELEMENT_BYTES]>::from(*element));
    }
}

/// Reads from the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A part written by [`put_prefixed`], refused above `limit` bytes before anything is read.
    pub(crate) fn prefixed(&mut self, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u64()?).map_err(|_| DecodeError::TooLong { limit })?;
        if length > limit {
            return Err(DecodeError::TooLong { limit });
        }
        self.take(length)
    }

    /// Exactly `expected` at this place.
    pub(crate) fn magic(&mut self, expected: &[u8]) -> Result<(), DecodeError> {
        if self.take(expected.len())? == expected { Ok(()) } else { Err(DecodeError::WrongKind) }
    }

    /// One canonical field element.
    pub(crate) fn element(&mut self) -> Result<Field128, DecodeError> {
        let bytes = self.array::<ELEMENT_BYTES>()?;
        Field128::try_from(bytes.as_slice()).map_err(|_| DecodeError::BadValue)
    }

    /// `count` canonical field elements.
    pub(crate) fn elements(&mut self, count: usize) -> Result<Vec<Field128>, DecodeError> {
        let bytes = count.checked_mul(ELEMENT_BYTES).ok_or(DecodeError::Truncated)?;
        let mut reader = Reader::new(self.take(bytes)?);
        (0..count).map(|_| reader.element()).collect()
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cut_differently_hash_differently() {
        assert_ne!(hash("d", &[b"ab", b"c"]), hash("d", &[b"a", b"bc"]));
        assert_ne!(hash("d", &[b"abc"]), hash("d", &[b"abc", b""]));
        assert_ne!(hash("da", &[b"b"]), hash("d", &[b"ab"]));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_reading() {
        let mut bytes = u64::MAX.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 10]);
        assert_eq!(Reader::new(&bytes).prefixed(9), Err(DecodeError::TooLong { limit: 9 }));
    }

    #[test]
    fn a_field_element_has_one_encoding_only() {
        // The modulus itself (2^128 - 7*2^66 + 1) would be a second encoding of zero.
        let modulus: u128 = (u128::MAX - 7 * (1 << 66)) + 2;
        assert_eq!(Reader::new(&modulus.to_le_bytes()).element(), Err(DecodeError::BadValue));
        assert!(Reader::new(&(modulus - 1).to_le_bytes()).element().is_ok());
    }
}
