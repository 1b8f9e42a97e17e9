//! The server's side: who may come in at all.
//!
//! What it does not do: roles are not judged here (`gate`, per request); a handshake only asks whether the
//! certificate is ours, alive, meant for clients and not revoked.
//!
//! Invariants: the configuration used for a handshake was built from the list the gate holds *now* (DOOR-1).

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls_pki_types::CertificateRevocationListDer;

use super::{ALPN_H2, Credentials, TlsError, provider, roots};
use crate::gate::Gate;

enum Mode {
    /// Clients show a certificate; the gate's list applies.
    Mutual(Arc<Gate>),
    /// Clients have none yet; the server shows the root, which the invite pins.
    Enrolment,
}

/// Server configurations that follow the gate's list and the server's own renewals.
pub struct ServerTls {
    mode: Mode,
    credentials: RwLock<Arc<Credentials>>,
    built: Mutex<Option<Built>>,
}

/// A configuration and what it was built from.
struct Built {
    crl_number: Option<u64>,
    certificate: [u8; 32],
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Requires client certificates under the gate's root.
    ///
    /// # Errors
    /// [`TlsError`] where the credentials cannot serve.
    pub fn mutual(credentials: Arc<Credentials>, gate: Arc<Gate>) -> Result<Self, TlsError> {
        Self::new(Mode::Mutual(gate), credentials)
    }

    /// Asks clients for no certificate: for the enrolment port, and nothing else.
    ///
    /// # Errors
    /// [`TlsError`] where the credentials cannot serve.
    pub fn enrolment(credentials: Arc<Credentials>) -> Result<Self, TlsError> {
        Self::new(Mode::Enrolment, credentials)
    }

    fn new(mode: Mode, credentials: Arc<Credentials>) -> Result<Self, TlsError> {
        let tls = ServerTls { mode, credentials: RwLock::new(credentials), built: Mutex::new(None) };
        // Built once here, so that a configuration that cannot work ends the start and not a visitor's call.
        tls.config()?;
        Ok(tls)
    }

    /// Whether clients must show a certificate.
    pub fn is_mutual(&self) -> bool {
        matches!(self.mode, Mode::Mutual(_))
    }

    /// Own renewed certificate, used from the next connection.
    pub fn replace_credentials(&self, credentials: Arc<Credentials>) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    /// The configuration for the next handshake.
    ///
    /// # Errors
    /// [`TlsError`] where the present credentials or list cannot be used.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner).clone();
        let crl = match &self.mode {
            Mode::Mutual(gate) => Some((gate, gate.crl())),
            Mode::Enrolment => None,
        };
        let crl_number = crl.as_ref().map(|(_, crl)| crl.number());
        let certificate = credentials.about().fingerprint;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(have) =
            built.as_ref().filter(|b| (b.crl_number, b.certificate) == (crl_number, certificate))
        {
            return Ok(have.config.clone());
        }
        let config = match crl {
            Some((gate, crl)) => mutual_config(&credentials, gate.root_der(), crl.der())?,
            None => enrolment_config(&credentials)?,
        };
        *built = Some(Built { crl_number, certificate, config: config.clone() });
        Ok(config)
    }
}

fn mutual_config(own: &Credentials, root: &[u8], crl: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    // A stale list does not close the handshake: `gate` answers with a sentence instead of an opaque alert.
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(root)?, provider())
        .with_crls([CertificateRevocationListDer::from(crl.to_vec())])
        .build()?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier);
    finish(builder.with_single_cert(chain_of(own, false)?, own.key().tls_key())?)
}

fn enrolment_config(own: &Credentials) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth();
    finish(builder.with_single_cert(chain_of(own, true)?, own.key().tls_key())?)
}

fn chain_of(
    own: &Credentials,
    with_root: bool,
) -> Result<Vec<rustls_pki_types::CertificateDer<'static>>, TlsError> {
    if !own.about().identity.role().serves() {
        return Err(TlsError::CannotServe(own.about().identity.clone()));
    }
    Ok(own.chain(with_root))
}

fn finish(mut config: ServerConfig) -> Result<Arc<ServerConfig>, TlsError> {
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    // No resumption: a resumed session would skip the certificate check (DOOR-1).
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
