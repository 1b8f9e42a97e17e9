//! The one-time invite: a file that lets one party fetch one certificate.
//!
//! What it does not do: it issues nothing (`enrolment`), and it does not know which kommunkoder exist.
//!
//! Invariants:
//! - The issuer keeps only the token's SHA-256; 256 random bits need no salt.
//! - One invite gives one certificate. Asked again for the same key the answer is the same bytes, since the first
//!   answer may have been lost (KEEP-1); for another key it is a refusal (DOOR-1).

mod book;
mod file;

use std::fmt;

use ring::hmac;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

pub use book::{InviteBook, InviteError, Redemption};
pub use file::InviteFile;

/// Why a token text is none, or why none could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not 64 hexadecimal digits.
    #[error("a token is 64 hexadecimal digits")]
    Malformed,
    /// No randomness.
    #[error("the operating system gave no randomness for a token")]
    NoRandomness,
}

/// The secret of an invite: 32 random bytes. Wiped on drop, never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// A new one from the operating system's randomness.
    ///
    /// # Errors
    /// [`TokenError::NoRandomness`].
    pub fn generate() -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| TokenError::NoRandomness)?;
        Ok(Token(bytes))
    }

    /// From 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn from_hex(text: &str) -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut *bytes).map_err(|_| TokenError::Malformed)?;
        Ok(Token(bytes))
    }

    /// From 32 bytes, as in a message.
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| TokenError::Malformed)?;
        Ok(Token(Zeroizing::new(bytes)))
    }

    /// The bytes, for the invite file and nothing else: a message carries a [`Claim`].
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is shown of it with a request: whoever passes the request on can neither use the token for a request of
    /// its own nor change this one (DOOR-1: a region must not steal a kommun's invite).
    pub fn claim(&self, csr_der: &[u8]) -> Claim {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key());
        let mut proof = [0; 32];
        proof.copy_from_slice(hmac::sign(&key, csr_der).as_ref());
        Claim { id: self.id(), proof }
    }

    fn derived(&self, purpose: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(purpose).chain_update(self.0.as_slice()).finalize().into()
    }

    /// Names the invite at the issuer.
    pub(crate) fn id(&self) -> [u8; 32] {
        self.derived(b"samman/v1 invite id\0")
    }

    /// What the issuer keeps to check claims.
    pub(crate) fn key(&self) -> [u8; 32] {
        self.derived(b"samman/v1 invite key\0")
    }
}

/// A use of a token for one certificate request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    id: [u8; 32],
    proof: [u8; 32],
}

impl Claim {
    /// Name of the invite, then HMAC-SHA256 over the request under a key derived from the token.
    pub fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.id);
        bytes[32..].copy_from_slice(&self.proof);
        bytes
    }

    /// From 64 bytes, as in a message.
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let (id, proof) = bytes.split_at_checked(32).ok_or(TokenError::Malformed)?;
        let array = |part: &[u8]| part.try_into().map_err(|_| TokenError::Malformed);
        Ok(Claim { id: array(id)?, proof: array(proof)? })
    }

    /// The invite's name.
    pub(crate) fn id(&self) -> [u8; 32] {
        self.id
    }

    /// Whether it was made with the token of `key` for exactly this request.
    pub(crate) fn holds(&self, key: &[u8; 32], csr_der: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), csr_der, &self.proof).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
