//! Accepting: TCP → handshake in time → tonic.
//!
//! What it does not do: it does not stop when one connection misbehaves, and it logs an address and a reason,
//! never a byte that was received.
//!
//! Invariants: at most `handshakes` strangers are being listened to at once, each for `handshake_time` at most;
//! on the mutual port no byte reaches tonic before a certificate of ours was shown (DOOR-1).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::server::Connected;

use super::limits::{Limits, PeerSlot, PeerSlots};
use super::peer::PeerInfo;
use crate::pki::{DoorError, PeerCertificate};
use crate::shutdown::Shutdown;
use crate::tls::ServerTls;

/// After the operating system refuses an accept (out of descriptors), so long a pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A silent peer is asked after this long, and dropped when it does not answer as long again.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Longest header list of a request, bytes; ours have a few hundred.
const MAX_HEADERS: u32 = 16 * 1024;

/// Why a door stopped otherwise than asked.
#[derive(Debug, Error)]
pub enum ServeError {
    /// tonic gave up.
    #[error("the door failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves `routes` on `listener` until `shutdown`, then lets open calls finish for `limits.grace`.
///
/// # Errors
/// [`ServeError`]; single connections never end it.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    routes: Routes,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let (sender, incoming) = mpsc::channel(16);
    let door = Arc::new(Door {
        tls,
        limits,
        handshakes: Arc::new(Semaphore::new(limits.handshakes)),
        connections: Arc::new(Semaphore::new(limits.connections)),
        peers: PeerSlots::new(limits.per_peer),
    });
    let accepting = tokio::spawn(accept(listener, door, sender, shutdown.clone()));
    let mut stop = shutdown.clone();
    let server = builder(&limits)
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move { stop.wait().await });
    let served = until_grace_is_over(server, shutdown, limits.grace).await;
    accepting.abort();
    Ok(served?)
}

async fn until_grace_is_over<E>(
    server: impl Future<Output = Result<(), E>>,
    mut shutdown: Shutdown,
    grace: Duration,
) -> Result<(), E> {
    let over = async {
        shutdown.wait().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        done = server => done,
        () = over => {
            tracing::warn!("calls still open after the grace period were cut");
            Ok(())
        }
    }
}

fn builder(limits: &Limits) -> tonic::transport::Server {
    let builder = tonic::transport::Server::builder()
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_concurrent_streams(limits.streams)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE));
    match limits.connection_age {
        Some(age) => builder.max_connection_age(age).max_connection_age_grace(limits.grace),
        None => builder,
    }
}

/// Peers are counted by certificate, or by address where they have none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PeerKey {
    Certificate([u8; 32]),
    Address(IpAddr),
}

struct Door {
    tls: Arc<ServerTls>,
    limits: Limits,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    peers: PeerSlots<PeerKey>,
}

/// Why a connection got no further. Logged, never answered beyond TLS's own alert.
#[derive(Debug, Error)]
enum Turned {
    #[error("no handshake within {0:?}")]
    Slow(Duration),
    #[error("handshake: {0}")]
    Handshake(io::Error),
    #[error("{0}")]
    Certificate(#[from] DoorError),
    #[error("too many connections")]
    Full,
    #[error("too many connections of this peer")]
    PeerFull,
    #[error("own TLS configuration: {0}")]
    Own(#[from] crate::tls::TlsError),
}

type Sender = mpsc::Sender<io::Result<DoorStream>>;

async fn accept(listener: TcpListener, door: Arc<Door>, sender: Sender, mut shutdown: Shutdown) {
    loop {
        let Ok(permit) = door.handshakes.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.wait() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tokio::spawn(welcome(door.clone(), stream, address, sender.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn welcome(
    door: Arc<Door>,
    stream: TcpStream,
    address: SocketAddr,
    sender: Sender,
    handshake: OwnedSemaphorePermit,
) {
    let welcomed = door.handshake(stream, address).await;
    drop(handshake);
    match welcomed {
        // The receiver is gone only when the server stops; the connection is then dropped with it.
        Ok(stream) => drop(sender.send(Ok(stream)).await),
        Err(reason) => tracing::info!(%address, %reason, "connection turned away"),
    }
}

impl Door {
    async fn handshake(&self, stream: TcpStream, address: SocketAddr) -> Result<DoorStream, Turned> {
        stream.set_nodelay(true).map_err(Turned::Handshake)?;
        let acceptor = TlsAcceptor::from(self.tls.config()?);
        let limit = self.limits.handshake_time;
        let inner = tokio::time::timeout(limit, acceptor.accept(stream))
            .await
            .map_err(|_| Turned::Slow(limit))?
            .map_err(Turned::Handshake)?;
        let certificate = self.certificate_of(&inner)?;
        let key = match &certificate {
            Some(certificate) => PeerKey::Certificate(certificate.fingerprint),
            None => PeerKey::Address(address.ip()),
        };
        let peer_slot = self.peers.take(key).ok_or(Turned::PeerFull)?;
        let slot = self.connections.clone().try_acquire_owned().map_err(|_| Turned::Full)?;
        let info = PeerInfo { address, certificate: certificate.map(Arc::new) };
        Ok(DoorStream { inner, info, _slots: (slot, peer_slot) })
    }

    fn certificate_of(&self, stream: &TlsStream<TcpStream>) -> Result<Option<PeerCertificate>, DoorError> {
        if !self.tls.is_mutual() {
            return Ok(None);
        }
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let end = chain.first().ok_or(DoorError::NoCertificate)?;
        Ok(Some(PeerCertificate::parse(end)?))
    }
}

/// A connection past its handshake, with its counted slots.
struct DoorStream {
    inner: TlsStream<TcpStream>,
    info: PeerInfo,
    _slots: (OwnedSemaphorePermit, PeerSlot<PeerKey>),
}

impl Connected for DoorStream {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.info.clone()
    }
}

impl AsyncRead for DoorStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for DoorStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
