//! Tags of the ledger: one per line of a report, keyed by a secret of the node.
//!
//! Unequal tags tell the helper that the node's figures of a line changed between two reports; equal tags say
//! that they did not. Without the secret a tag says nothing of the value (STAY-2): HMAC-SHA256 (RFC 2104),
//! the first 16 bytes. It does not decide what a line is: the caller gives 32 bytes that name unit, source
//! period and cell definition.

use rand_core::CryptoRng;
use ring::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
const DOMAIN: &[u8] = b"samman/v1 ledger tag\0";

/// The node's tag key. It must outlive the collection: with a new one every line seems changed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TagSecret([u8; 32]);

impl TagSecret {
    /// From stored bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for the node's own store and nowhere else.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for TagSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TagSecret(..)")
    }
}

/// A tag. Safe to store and compare at the helper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub [u8; TAG_BYTES]);

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag(..)")
    }
}

/// The tag of `value` in `line`.
pub fn tag(secret: &TagSecret, line: &[u8; 32], value: u64) -> Tag {
    Tag(truncated_hmac(&secret.0, &[DOMAIN, line, &value.to_be_bytes()]))
}

fn truncated_hmac(key: &[u8], parts: &[&[u8]]) -> [u8; TAG_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; TAG_BYTES];
    out.copy_from_slice(&context.sign().as_ref()[..TAG_BYTES]); // infallible: HMAC-SHA256 gives 32 bytes
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 4231, test case 5 (truncation to 128 bits) and test case 1, cut to 16 bytes.
    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let five = truncated_hmac(&[0x0c; 20], &[b"Test With ", b"Truncation"]);
        assert_eq!(hex::encode(five), "a3b6167473100ee06e0c796c2955552b");
        let one = truncated_hmac(&[0x0b; 20], &[b"Hi There"]);
        assert_eq!(hex::encode(one), "b0344c61d8db38535ca8afceaf0bf12b");
    }

    #[test]
    fn a_tag_is_as_written_down() {
        let tag = tag(&TagSecret::from_bytes([1; 32]), &[2; 32], 3);
        assert_eq!(hex::encode(tag.0), TAG);
    }

    /// Computed with Python's hmac module.
    const TAG: &str = "1f924f0c5f7e3c0b8b3da35f61502c0c";

    #[test]
    fn nothing_is_shown() {
        let secret = TagSecret::from_bytes([77; 32]);
        assert_eq!(format!("{secret:?} {:?}", tag(&secret, &[1; 32], 5)), "TagSecret(..) Tag(..)");
    }

    proptest! {
        #[test]
        fn equal_tags_mean_equal_value_line_and_secret(
            a in any::<([u8; 32], [u8; 32], u64)>(), b in any::<([u8; 32], [u8; 32], u64)>(), mix in 0..8u8,
        ) {
            // Any subset of the three parts is made equal, so that the equal case is met too.
            let b = (
                if mix & 1 != 0 { a.0 } else { b.0 },
                if mix & 2 != 0 { a.1 } else { b.1 },
                if mix & 4 != 0 { a.2 } else { b.2 },
            );
            let of = |(secret, line, value)| tag(&TagSecret::from_bytes(secret), &line, value);
            prop_assert_eq!(of(a) == of(b), a == b);
        }
    }
}
