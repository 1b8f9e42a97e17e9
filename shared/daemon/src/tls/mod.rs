//! TLS 1.3 with certificates on both sides, under one pinned root; and the enrolment variant, where the client
//! has none yet.
//!
//! What it does not do: it accepts no connection (`door`) and never uses the machine's trust store.
//!
//! Invariants:
//! - The provider (ring) is passed explicitly: no process-wide default decides anything.
//! - TLS 1.3 only, ALPN `h2` only. Sessions are never resumed: every connection is judged anew (DOOR-1).
//! - A client verifies *whom* it talks to (identity URI), not where.

mod client;
mod server;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::VerifierBuilderError;
use rustls_pki_types::CertificateDer;
use thiserror::Error;

pub use client::ClientTls;
pub use server::ServerTls;

use crate::identity::Identity;
use crate::pki::{DoorError, Key, PeerCertificate, verify_chain};

/// The one application protocol: HTTP/2, under gRPC.
const ALPN_H2: &[u8] = b"h2";

/// Why a TLS configuration could not be made (our configuration's fault, never the peer's).
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate is not for this key.
    #[error("the certificate of {identity} is not for the key beside it")]
    NotOurKey {
        /// Whom the certificate names.
        identity: Identity,
    },
    /// The certificate does not hang under the root beside it.
    #[error("own certificate: {0}")]
    Own(#[from] DoorError),
    /// rustls refuses key, root or list.
    #[error("TLS configuration: {0}")]
    Rustls(#[from] rustls::Error),
    /// rustls cannot build a verifier.
    #[error("TLS verifier: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// A node listens for nobody.
    #[error("a {0} certificate cannot serve")]
    CannotServe(Identity),
}

/// What a party shows: its certificate, the root above it, and the key it can use.
pub struct Credentials {
    certificate: Vec<u8>,
    root: Vec<u8>,
    key: Key,
    about: PeerCertificate,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, serial {})", self.about.identity, self.about.serial)
    }
}

impl Credentials {
    /// Checks that certificate, root and key belong together. The life is not checked here: an expired party
    /// must still be able to say so.
    ///
    /// # Errors
    /// [`TlsError::NotOurKey`], [`TlsError::Own`].
    pub fn new(certificate: Vec<u8>, root: Vec<u8>, key: Key) -> Result<Self, TlsError> {
        let claimed = PeerCertificate::parse(&certificate).map_err(DoorError::from)?;
        let about = verify_chain(&certificate, &root, None, claimed.not_before)?;
        if about.public_key != key.public_key() {
            return Err(TlsError::NotOurKey { identity: about.identity });
        }
        Ok(Credentials { certificate, root, key, about })
    }

    /// What the certificate says about us.
    pub fn about(&self) -> &PeerCertificate {
        &self.about
    }

    /// The certificate in DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The root in DER.
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// The key, for signing reports and manifests.
    pub fn key(&self) -> &Key {
        &self.key
    }

    fn chain(&self, with_root: bool) -> Vec<CertificateDer<'static>> {
        let mut chain = vec![CertificateDer::from(self.certificate.clone())];
        if with_root {
            chain.push(CertificateDer::from(self.root.clone()));
        }
        chain
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(root_der: &[u8]) -> Result<Arc<rustls::RootCertStore>, rustls::Error> {
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from(root_der))?;
    Ok(Arc::new(store))
}
