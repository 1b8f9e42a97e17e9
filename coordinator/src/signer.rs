//! The coordinator's signature: the key of its certificate, with a context for every kind of document.
//!
//! Never signs bytes without a context ([`sharing::signing::SigningContext`]), so a signature of a pattern can never
//! be shown as one of a manifest.

use std::sync::Arc;

use daemon::tls::Credentials;
use round::chain::Signed;
use sharing::signing::SigningContext;

/// Signs as this coordinator.
pub struct Signer(Arc<Credentials>);

impl Signer {
    /// Signs with the key of these credentials.
    pub fn new(credentials: Arc<Credentials>) -> Self {
        Self(credentials)
    }

    /// The bytes with signature and certificate.
    pub fn sign(&self, context: SigningContext, bytes: Vec<u8>) -> Signed {
        let signature = self.0.key().sign(&context.frame(&bytes)).to_vec();
        Signed { bytes, signature, certificate: self.0.certificate_der().to_vec() }
    }
}
