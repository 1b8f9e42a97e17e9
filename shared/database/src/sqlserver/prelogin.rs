//! Encryption under the driver (\[MS-TDS\] 2.2.6.5 and 3.2.1): the driver's own wants another provider of cryptography.
//!
//! The first message of a session is exchanged here, the TLS handshake runs inside packets of that kind, and then the
//! driver is given the encrypted stream. The driver begins with a first message of its own: that one is taken here
//! and answered with the server's answer, in which encryption is marked as not needed, for it lies underneath now.
//!
//! Invariant: no byte of the driver reaches the wire before the handshake has succeeded.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::QueryError;
use crate::trust::handshake;

const HEADER: usize = 8;
/// Type of the client's first message and of both sides' packets during the handshake.
const PRELOGIN: u8 = 0x12;
/// Type of the server's answer.
const ANSWER: u8 = 0x04;
const END_OF_MESSAGE: u8 = 0x01;
/// Longest packet before another length is agreed upon.
const MAX_PACKET: usize = 4_096;

const ENCRYPTION: u8 = 0x01;
const TERMINATOR: u8 = 0xff;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUP: u8 = 0x02;
const ENCRYPT_REQ: u8 = 0x03;

/// VERSION, ENCRYPTION, INSTOPT, THREADID, MARS: kind, offset and length of each, then their values.
const FIRST: [u8; 39] = [
    0x00, 0, 26, 0, 6, ENCRYPTION, 0, 32, 0, 1, 0x02, 0, 33, 0, 1, 0x03, 0, 34, 0, 4, 0x04, 0, 38, 0, 1,
    TERMINATOR, //
    0, 0, 0, 0, 0, 0, ENCRYPT_ON, 0, 0, 0, 0, 0, 0,
];

/// The encrypted stream for the driver.
pub(super) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut stream: S,
    host: &str,
    config: ClientConfig,
) -> Result<Answered<TlsStream<Wrapped<S>>>, QueryError> {
    let tls = |problem: &str| QueryError::Tls { problem: problem.into() };
    let closed = |_| QueryError::Tls { problem: "servern lade på före kryptering".into() };
    stream.write_all(&packet(PRELOGIN, &FIRST)).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await.map_err(closed)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] != ANSWER || header[1] & END_OF_MESSAGE == 0 || !(HEADER..=MAX_PACKET).contains(&length) {
        return Err(tls("den som svarar är ingen SQL Server"));
    }
    let mut answer = vec![0; length - HEADER];
    stream.read_exact(&mut answer).await.map_err(closed)?;
    let at = encryption(&answer).ok_or_else(|| tls("den som svarar är ingen SQL Server"))?;
    if ![ENCRYPT_ON, ENCRYPT_REQ].contains(&answer[at]) {
        return Err(tls("servern krypterar inte"));
    }
    answer[at] = ENCRYPT_NOT_SUP;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| tls("vard är inget namn som ett certifikat kan gälla"))?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut encrypted =
        connector.connect(name, Wrapped::new(stream)).await.map_err(|error| handshake(&error))?;
    encrypted.get_mut().0.in_handshake = false;
    Ok(Answered {
        inner: encrypted,
        first: First::Header(Vec::new()),
        answer: packet(ANSWER, &answer),
        given: 0,
    })
}

fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + content.len()).unwrap_or(u16::MAX).to_be_bytes(); // never above MAX_PACKET
    [&[kind, END_OF_MESSAGE, length[0], length[1], 0, 0, 1, 0], content].concat()
}

/// Where the value of ENCRYPTION lies in an answer.
fn encryption(answer: &[u8]) -> Option<usize> {
    let mut entries = answer.chunks_exact(5).take_while(|entry| entry[0] != TERMINATOR);
    let entry = entries.find(|entry| entry[0] == ENCRYPTION)?;
    let at = usize::from(u16::from_be_bytes([entry[1], entry[2]]));
    (at < answer.len() && entry[4] == 1).then_some(at)
}

/// A stream whose handshake lies in packets.
pub(super) struct Wrapped<S> {
    inner: S,
    in_handshake: bool,
    header: [u8; HEADER],
    /// Bytes of the header that have come.
    come: usize,
    /// Bytes of the packet still to come.
    left: usize,
    /// Written and not flushed, without packets.
    written: Vec<u8>,
    /// Packets on their way, and how much of them has gone.
    going: (Vec<u8>, usize),
}

impl<S> Wrapped<S> {
    fn new(inner: S) -> Self {
        let (written, going) = (Vec::new(), (Vec::new(), 0));
        Self { inner, in_handshake: true, header: [0; HEADER], come: 0, left: 0, written, going }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.in_handshake {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        while this.left == 0 {
            let mut rest = ReadBuf::new(&mut this.header[this.come..]);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut rest))?;
            match rest.filled().len() {
                0 => return Poll::Ready(Ok(())),
                count => this.come += count,
            }
            if this.come == HEADER {
                let length = usize::from(u16::from_be_bytes([this.header[2], this.header[3]]));
                let kind = this.header[0];
                if kind != PRELOGIN || length < HEADER {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                (this.come, this.left) = (0, length - HEADER);
            }
        }
        let mut piece = [0; MAX_PACKET];
        let most = this.left.min(buffer.remaining()).min(MAX_PACKET);
        let mut part = ReadBuf::new(&mut piece[..most]);
        ready!(Pin::new(&mut this.inner).poll_read(context, &mut part))?;
        this.left -= part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.in_handshake {
            return Pin::new(&mut this.inner).poll_write(context, bytes);
        }
        this.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flight = std::mem::take(&mut this.written);
        for piece in flight.chunks(MAX_PACKET - HEADER) {
            this.going.0.extend(packet(PRELOGIN, piece));
        }
        while this.going.1 < this.going.0.len() {
            let rest = &this.going.0[this.going.1..];
            match ready!(Pin::new(&mut this.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => this.going.1 += count,
            }
        }
        this.going = (Vec::new(), 0);
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// How much of the driver's first message has been taken.
enum First {
    Header(Vec<u8>),
    Rest(usize),
    Taken,
}

/// A stream on which the driver's first message has its answer already.
pub(super) struct Answered<S> {
    inner: S,
    first: First,
    answer: Vec<u8>,
    given: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Answered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !matches!(this.first, First::Taken) {
            // the driver asks before it listens; a byte now would be no answer to anything
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let rest = &this.answer[this.given..];
        if rest.is_empty() {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.first {
            First::Taken => Pin::new(&mut this.inner).poll_write(context, bytes),
            First::Header(header) => {
                let count = bytes.len().min(HEADER - header.len());
                header.extend_from_slice(&bytes[..count]);
                if header.len() == HEADER {
                    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
                    if header[0] != PRELOGIN || header[1] & END_OF_MESSAGE == 0 || length <= HEADER {
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                    this.first = First::Rest(length - HEADER);
                }
                Poll::Ready(Ok(count))
            }
            First::Rest(left) => {
                let count = bytes.len().min(*left);
                *left -= count;
                if *left == 0 {
                    this.first = First::Taken;
                }
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_has_its_values_where_it_says() {
        assert_eq!(encryption(&FIRST), Some(32));
        assert_eq!(FIRST[32], ENCRYPT_ON);
        let last = FIRST.chunks_exact(5).nth(4).unwrap();
        assert_eq!(usize::from(last[2]) + usize::from(last[4]), FIRST.len());
    }

    #[test]
    fn an_answer_without_a_sound_place_is_none() {
        assert_eq!(encryption(&[]), None);
        assert_eq!(encryption(&[ENCRYPTION, 0, 9, 0, 1, TERMINATOR]), None);
        assert_eq!(encryption(&[TERMINATOR, 0, 0, 0, 0, ENCRYPTION, 0, 1, 0, 1]), None);
    }
}
