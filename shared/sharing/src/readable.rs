//! The readable cells of a report, sealed under a key of their own (ChaCha20Poly1305, RFC 8439).
//!
//! The key lies inside the helper's seal, so the region can read the cells only after the helper has accepted
//! the report, checked the final roster and released the key (STAY-2, SAFE-3). What the bytes mean is not
//! known here. Invariant: a key seals exactly one message ever, which is why a fixed nonce is right.

use crate::binding::BindingHash;
use crate::bytes::hash;
use rand_core::CryptoRng;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::error::Unspecified;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const DOMAIN: &str = "samman/v1 readable cells";
/// Bytes the sealed cells are longer than the cells.
pub(crate) const OVERHEAD_BYTES: usize = 16;
pub(crate) const KEY_BYTES: usize = 32;

/// The key of one report's readable cells.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ReadableKey([u8; KEY_BYTES]);

impl ReadableKey {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; KEY_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// From released or stored bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the helper's store and, after close, for the region.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn cipher(&self) -> Result<LessSafeKey, Unspecified> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.0).map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for ReadableKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadableKey(..)")
    }
}

fn aad(binding: BindingHash, nonce: &[u8; 16]) -> Aad<[u8; 32]> {
    Aad::from(hash(DOMAIN, &[&binding.0, nonce]))
}

fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

pub(crate) fn seal(
    key: &ReadableKey,
    binding: BindingHash,
    nonce: &[u8; 16],
    cells: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    // Exact capacity: a growing vector would leave a copy of the plaintext behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(cells.len() + OVERHEAD_BYTES));
    buffer.extend_from_slice(cells);
    key.cipher()?.seal_in_place_append_tag(only_nonce(), aad(binding, nonce), &mut *buffer)?;
    Ok(std::mem::take(&mut *buffer))
}

pub(crate) fn open(
    key: &ReadableKey,
    binding: BindingHash,
    nonce: &[u8; 16],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let length = key.cipher()?.open_in_place(only_nonce(), aad(binding, nonce), &mut buffer)?.len();
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rng;

    #[test]
    fn cells_open_with_their_own_key_binding_and_nonce_only() {
        let (key, other) = (ReadableKey::generate(&mut rng(1)), ReadableKey::generate(&mut rng(2)));
        let (here, there) = (BindingHash([1; 32]), BindingHash([2; 32]));
        let sealed = seal(&key, here, &[3; 16], b"cells").unwrap();
        assert_eq!(open(&key, here, &[3; 16], &sealed).unwrap().as_slice(), b"cells");
        assert!(open(&other, here, &[3; 16], &sealed).is_err());
        assert!(open(&key, there, &[3; 16], &sealed).is_err());
        assert!(open(&key, here, &[4; 16], &sealed).is_err());
        assert!(open(&key, here, &[3; 16], &sealed[..4]).is_err());
    }
}
