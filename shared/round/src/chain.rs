//! Whether a certificate hangs under the national root, and whose it is.
//!
//! The machines need only this answer; X.509 stays in `daemon`. Implementations must check validity in time and the
//! revocation list (DOOR-1).

use sharing::signing::{Signature, SigningContext, VerifyingKey};

use crate::refusal::Refusal;

/// The party a certificate was issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// `node`, `region`, `national` or `third`.
    pub role: &'static str,
    /// `2180`, `21`, `00`.
    pub unit: String,
    /// Names the certificate's key; a renewal keeps it.
    pub fingerprint: [u8; 32],
    /// Its Ed25519 key.
    pub key: VerifyingKey,
}

/// Checks certificates against the root.
pub trait Chain {
    /// The party of a DER certificate, if it is valid now, hangs under the root and is not revoked.
    fn certified(&self, certificate: &[u8]) -> Option<Certified>;
}

/// Bytes that a certified party signed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signed {
    /// What is signed.
    pub bytes: Vec<u8>,
    /// Ed25519 over the context and the bytes.
    pub signature: Vec<u8>,
    /// The signer's certificate, DER.
    pub certificate: Vec<u8>,
}

impl Signed {
    /// The bytes, if `role`'s `unit` signed them in `context`.
    ///
    /// # Errors
    /// [`Refusal::Signature`] naming what was checked.
    pub fn open(
        &self,
        chain: &dyn Chain,
        context: SigningContext,
        role: &str,
        unit: &str,
    ) -> Result<&[u8], Refusal> {
        let signer =
            chain.certified(&self.certificate).ok_or(Refusal::Signature("the signer's certificate"))?;
        if signer.role != role || signer.unit != unit {
            return Err(Refusal::Signature("the signer's role"));
        }
        let signature: [u8; 64] =
            self.signature.as_slice().try_into().map_err(|_| Refusal::Malformed("signature"))?;
        signer
            .key
            .verify(context, &self.bytes, &Signature(signature))
            .map_err(|_| Refusal::Signature(context.text()))?;
        Ok(&self.bytes)
    }
}
