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

    /// The bytes, for the enrolment message and nothing else.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the issuer keeps.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
