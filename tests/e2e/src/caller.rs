//! Knocks at a coordinator's door as anybody one likes: no certificate, another root's, an expired one, a right one.
//!
//! Unlike the product's own client it lets nothing stop it on its side but a server that is not the federation's, so
//! what refuses is the door (DOOR-1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use daemon::identity::Identity;
use daemon::pki::{Csr, Key, Root};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// The start of HTTP/2 (RFC 9113, 3.4) and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Somebody who calls.
#[derive(Clone)]
pub struct Caller {
    config: Arc<ClientConfig>,
    dials: Arc<AtomicUsize>,
}

/// A certificate and its key.
pub struct Papers {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS#8 PEM.
    pub key: Vec<u8>,
}

impl Papers {
    /// Those of a party's `identitet` folder.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(identity: &std::path::Path) -> anyhow::Result<Self> {
        let certificate = std::fs::read(identity.join("certificate.der"))?;
        Ok(Self { certificate, key: std::fs::read(identity.join("key.pem"))? })
    }

    /// Issued by `root` at `now` for `days`, with a new key.
    ///
    /// # Errors
    /// When the root does not.
    pub fn issued(root: &Root, identity: &str, now: Timestamp, days: u16) -> anyhow::Result<Self> {
        let (key, folder) = (Key::generate()?, tempfile::tempdir()?);
        let certificate = root.issue(&Csr::create(&key)?, &identity.parse()?, now, days)?;
        let path = folder.path().join("key.pem");
        key.store(&path)?;
        Ok(Self { certificate, key: std::fs::read(&path)? })
    }
}

impl Caller {
    /// Trusts servers under `root` (DER) and shows `papers`, if any.
    ///
    /// # Errors
    /// When rustls cannot use them.
    pub fn new(root: &[u8], papers: Option<&Papers>) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(root.to_vec()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots);
        let mut config = match papers {
            None => builder.with_no_client_auth(),
            Some(papers) => {
                let chain = vec![CertificateDer::from(papers.certificate.clone())];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&papers.key)?)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { config: Arc::new(config), dials: Arc::default() })
    }

    /// How many connections were made so far.
    pub fn dials(&self) -> usize {
        self.dials.load(Ordering::SeqCst)
    }

    /// A channel to `server` at `address`, connected with the first call.
    ///
    /// # Errors
    /// When the address is none.
    pub fn channel(&self, address: &str, server: &str) -> anyhow::Result<Channel> {
        let (caller, at) = (self.clone(), address.to_owned());
        let server: Identity = server.parse()?;
        let connector = tower::service_fn(move |_| {
            let (caller, at, server) = (caller.clone(), at.clone(), server.clone());
            async move { caller.dial(&at, &server).await.map(TokioIo::new).map_err(std::io::Error::other) }
        });
        Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_with_connector_lazy(connector))
    }

    async fn dial(&self, address: &str, server: &Identity) -> anyhow::Result<TlsStream<TcpStream>> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from(server.dns_name())?;
        TlsConnector::from(self.config.clone()).connect(name, tcp).await.context("TLS")
    }

    /// Speaks HTTP/2 and listens until the door shuts: how many bytes inside TLS it answered. A door that keeps a
    /// connection open answers at least its settings, and listening ends there.
    ///
    /// # Errors
    /// When there is no connection at all.
    pub async fn answered(&self, address: &str, server: &str) -> anyhow::Result<usize> {
        let mut stream = match self.dial(address, &server.parse()?).await {
            Ok(stream) => stream,
            Err(_) => return Ok(0),
        };
        // The door may have shut before: then nothing is answered either.
        let _ = stream.write_all(PREFACE).await;
        let mut bytes = [0; 64];
        Ok(stream.read(&mut bytes).await.unwrap_or(0))
    }
}
