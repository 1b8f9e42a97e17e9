//! The client's side: certainty about the server before a byte of ours is sent.
//!
//! What it does not do: it opens no socket; `door` dials.
//!
//! Invariants: the root is pinned (by its bytes, or at enrolment by its fingerprint); the server's identity URI
//! must be the expected one; there is no way to switch either off.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::version::TLS13;
use rustls::{CertificateError as TlsCertificateError, ClientConfig, DigitallySignedStruct, OtherError};
use rustls::{PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};

use super::{ALPN_H2, Credentials, TlsError, provider, roots};
use crate::gate::Gate;
use crate::identity::Identity;
use crate::pki::{DoorError, PeerCertificate, verify_root};

enum Mode {
    /// With own certificate; servers are checked against the gate's list where there is one.
    Mutual { credentials: RwLock<Arc<Credentials>>, gate: Option<Arc<Gate>> },
    /// Without one, trusting only the root with this fingerprint.
    Enrolment { root_fingerprint: [u8; 32] },
}

/// Client configurations, one for each expected server.
pub struct ClientTls {
    mode: Mode,
}

impl ClientTls {
    /// For ordinary work: shows `credentials`, pins their root, refuses servers the gate's list names.
    pub fn mutual(credentials: Arc<Credentials>, gate: Option<Arc<Gate>>) -> Self {
        ClientTls { mode: Mode::Mutual { credentials: RwLock::new(credentials), gate } }
    }

    /// For enrolment: shows nothing, trusts the root whose SHA-256 the invite holds.
    pub fn enrolment(root_fingerprint: [u8; 32]) -> Self {
        ClientTls { mode: Mode::Enrolment { root_fingerprint } }
    }

    /// Own renewed certificate, used from the next connection. Without effect at enrolment.
    pub fn replace_credentials(&self, renewed: Arc<Credentials>) {
        if let Mode::Mutual { credentials, .. } = &self.mode {
            *credentials.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
    }

    /// What our certificate says, where we have one.
    pub fn own(&self) -> Option<PeerCertificate> {
        match &self.mode {
            Mode::Mutual { credentials, .. } => {
                Some(credentials.read().unwrap_or_else(PoisonError::into_inner).about().clone())
            }
            Mode::Enrolment { .. } => None,
        }
    }

    /// The configuration and the name for a connection to `expected`, wherever it runs.
    ///
    /// # Errors
    /// [`TlsError`] where our own credentials, root or list cannot be used.
    pub fn config(&self, expected: &Identity) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = ServerName::try_from(expected.dns_name())
            .map_err(|_| rustls::Error::General("identity is no DNS name".into()))?;
        let mut config = match &self.mode {
            Mode::Mutual { credentials, gate } => {
                let own = credentials.read().unwrap_or_else(PoisonError::into_inner).clone();
                let inner = pinned(own.root_der(), gate.as_deref())?;
                let verifier = ExpectServer { expected: expected.clone(), trust: Trust::Pinned(inner) };
                start(verifier)?.with_client_auth_cert(own.chain(false), own.key().tls_key())?
            }
            Mode::Enrolment { root_fingerprint } => {
                let trust = Trust::Fingerprint(*root_fingerprint);
                start(ExpectServer { expected: expected.clone(), trust })?.with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok((Arc::new(config), name))
    }
}

type WantsOwn = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn start(verifier: ExpectServer) -> Result<WantsOwn, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        // Named dangerous by rustls because a verifier can be lax; this one only adds to the ordinary one.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
}

fn pinned(root: &[u8], gate: Option<&Gate>) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut builder = WebPkiServerVerifier::builder_with_provider(roots(root)?, provider());
    if let Some(gate) = gate {
        builder = builder.with_crls([CertificateRevocationListDer::from(gate.crl().der().to_vec())]);
    }
    Ok(builder.build()?)
}

#[derive(Debug)]
enum Trust {
    Pinned(Arc<WebPkiServerVerifier>),
    Fingerprint([u8; 32]),
}

/// Ordinary verification, and then: is it the party we mean?
#[derive(Debug)]
struct ExpectServer {
    expected: Identity,
    trust: Trust,
}

impl ExpectServer {
    fn check_identity(&self, end_entity: &CertificateDer<'_>) -> Result<(), DoorError> {
        let found = PeerCertificate::parse(end_entity)?.identity;
        if found != self.expected {
            return Err(DoorError::WrongIdentity { expected: self.expected.clone(), found });
        }
        Ok(())
    }
}

impl ServerCertVerifier for ExpectServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let inner = match &self.trust {
            Trust::Pinned(inner) => inner.clone(),
            Trust::Fingerprint(expected) => {
                let root = intermediates.iter().find(|cert| verify_root(cert, expected).is_ok());
                let root = root.ok_or_else(|| refused(DoorError::WrongRoot))?;
                WebPkiServerVerifier::builder_with_provider(roots(root)?, provider())
                    .build()
                    .map_err(|_| refused(DoorError::WrongRoot))?
            }
        };
        // The identity first: "this is region:22" says more than "the name does not match".
        self.check_identity(end_entity).map_err(refused)?;
        inner.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Never reached: only TLS 1.3 is offered.
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn refused(error: DoorError) -> rustls::Error {
    TlsCertificateError::Other(OtherError(Arc::new(error))).into()
}
