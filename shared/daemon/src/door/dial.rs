//! The way out: TCP (or an HTTP CONNECT proxy), TLS to the expected party, tonic on top.
//!
//! What it does not do: it does not retry; the caller knows what waiting costs.
//!
//! Invariants: every (re)connection of a channel goes through [`dial`], so identity and list are checked each time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::identity::Identity;
use crate::tls::{ClientTls, TlsError};

/// Longest time for TCP, proxy and handshake together.
pub const CONNECT_TIME: Duration = Duration::from_secs(20);
/// A silent server is asked after this long.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// HTTP/2 window of a stream; see `Limits`.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// HTTP/2 window of the connection.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Longest answer of a proxy to CONNECT, bytes.
const MAX_PROXY_ANSWER: usize = 8 * 1024;

/// Where to call, and whom one expects there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// `host:port` of an HTTP CONNECT proxy, where there is one.
    pub proxy: Option<String>,
    /// Who must answer.
    pub expected: Identity,
}

/// Why no connection came about before any call.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Our own configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody at the address, or no network.
    #[error("{address}: {source}")]
    Tcp {
        /// What was dialled.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The proxy said no, or nonsense.
    #[error("the proxy {proxy} answered {status:?}")]
    Proxy {
        /// Which proxy.
        proxy: String,
        /// Its status code, where it gave one.
        status: Option<u16>,
    },
    /// The handshake failed; `source` holds the TLS reason.
    #[error("TLS with {expected}: {source}")]
    Handshake {
        /// Whom we meant.
        expected: Identity,
        /// The reason.
        source: io::Error,
    },
    /// Everything together took too long.
    #[error("{address}: no connection within {CONNECT_TIME:?}")]
    Slow {
        /// What was dialled.
        address: String,
    },
}

/// Dials and shakes hands. In TLS 1.3 the server's refusal of *our* certificate arrives only with the first answer.
///
/// # Errors
/// [`ConnectError`].
pub async fn dial(target: &Target, tls: &ClientTls) -> Result<TlsStream<TcpStream>, ConnectError> {
    let (config, name) = tls.config(&target.expected)?;
    let work = async {
        let tcp = reach(target).await?;
        let shaken = TlsConnector::from(config).connect(name, tcp).await;
        shaken.map_err(|source| ConnectError::Handshake { expected: target.expected.clone(), source })
    };
    let timed = tokio::time::timeout(CONNECT_TIME, work).await;
    timed.map_err(|_| ConnectError::Slow { address: target.address.clone() })?
}

/// A channel that is connected when this returns, and connects again by itself.
///
/// # Errors
/// tonic's transport error; [`super::explain`] makes a sentence of it.
pub async fn connect(target: Target, tls: Arc<ClientTls>) -> Result<Channel, tonic::transport::Error> {
    endpoint(&target)?.connect_with_connector(connector(target, tls)).await
}

/// The same without waiting: errors come with the first call.
///
/// # Errors
/// Where the expected identity makes no authority; does not happen for a checked [`Identity`].
pub fn connect_lazy(target: Target, tls: Arc<ClientTls>) -> Result<Channel, tonic::transport::Error> {
    Ok(endpoint(&target)?.connect_with_connector_lazy(connector(target, tls)))
}

fn endpoint(target: &Target) -> Result<Endpoint, tonic::transport::Error> {
    // `http` to tonic, which must not add TLS of its own; the connector below always does.
    Ok(Endpoint::from_shared(format!("http://{}", target.expected.dns_name()))?
        .connect_timeout(CONNECT_TIME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE))
}

fn connector(
    target: Target,
    tls: Arc<ClientTls>,
) -> impl tower::Service<http::Uri, Response = TokioIo<TlsStream<TcpStream>>, Error = ConnectError, Future: Send>
+ Send
+ 'static {
    tower::service_fn(move |_authority: http::Uri| {
        let (target, tls) = (target.clone(), tls.clone());
        async move { Ok(TokioIo::new(dial(&target, &tls).await?)) }
    })
}

async fn reach(target: &Target) -> Result<TcpStream, ConnectError> {
    let first = target.proxy.as_ref().unwrap_or(&target.address);
    let tcp = |source| ConnectError::Tcp { address: first.clone(), source };
    let mut stream = TcpStream::connect(first.as_str()).await.map_err(tcp)?;
    stream.set_nodelay(true).map_err(tcp)?;
    if let Some(proxy) = &target.proxy {
        let status = ask_proxy(&mut stream, &target.address).await.map_err(tcp)?;
        if !matches!(status, Some(200..=299)) {
            return Err(ConnectError::Proxy { proxy: proxy.clone(), status });
        }
    }
    Ok(stream)
}

/// CONNECT (RFC 9110, 9.3.6). Reads byte by byte to the empty line: what follows belongs to TLS.
async fn ask_proxy(stream: &mut TcpStream, address: &str) -> io::Result<Option<u16>> {
    let question = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_PROXY_ANSWER {
            return Ok(None);
        }
        answer.push(stream.read_u8().await?);
    }
    let line = answer.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    Ok(words.next().filter(|_| is_http).and_then(|code| code.parse().ok()))
}
