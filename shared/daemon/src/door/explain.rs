//! From an opaque error to a sentence: why did the other side, or we, refuse?
//!
//! What it does not do: it does not know more than was said. In TLS 1.3 a server judges our certificate after
//! the client's handshake is over, so the refusal surfaces as a broken first call; where the alert was lost,
//! our own certificate's dates are the next best witness.
//!
//! Invariants: no message text of a peer is repeated but a gRPC status of an authenticated server.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use rustls::{CertificateError, Error as TlsFault};
use thiserror::Error;

use super::ConnectError;
use crate::pki::{DoorError, PeerCertificate};

/// Why a call did not get through. `Display` is for logs; [`PeerRefused::swedish`] for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerRefused {
    /// Our certificate is past its life.
    #[error("the server refuses our certificate: it has expired")]
    Expired,
    /// Our certificate was withdrawn.
    #[error("the server refuses our certificate: it was revoked")]
    Revoked,
    /// Our certificate is of another root than the server's.
    #[error("the server refuses our certificate: it does not know the issuer")]
    UnknownAuthority,
    /// We showed none.
    #[error("the server requires a certificate and got none")]
    NoCertificate,
    /// The server knows us and says no.
    #[error("the server refuses: {0}")]
    NotAllowed(String),
    /// It is we who do not trust the server.
    #[error("we refuse the server: {0}")]
    ServerNotTrusted(String),
    /// No connection at this call, or the server cannot answer safely just now.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Nobody answered.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// A proxy stood in the way.
    #[error("the proxy does not let us through")]
    Proxy,
    /// The connection was cut in the first call: most often a refused certificate.
    #[error("the server closed the connection without saying why; most often it refuses our certificate")]
    Closed,
    /// Nothing of the kind: an ordinary answer or an unknown fault.
    #[error("{0}")]
    Other(String),
}

impl PeerRefused {
    /// The sentence for an operator, with what to do.
    pub fn swedish(&self) -> String {
        match self {
            PeerRefused::Expired => "Vårt certifikat har gått ut. Begär en ny inbjudan och anslut på nytt.".into(),
            PeerRefused::Revoked => {
                "Vårt certifikat har återkallats. Kontakta den som samordnar innan ni ansluter på nytt.".into()
            }
            PeerRefused::UnknownAuthority => {
                "Servern känner inte igen utfärdaren av vårt certifikat. Är det rätt server och rätt inbjudan?"
                    .into()
            }
            PeerRefused::NoCertificate => "Servern kräver ett certifikat. Anslut först med er inbjudan.".into(),
            PeerRefused::NotAllowed(why) => format!("Servern säger nej: {why}"),
            PeerRefused::ServerNotTrusted(why) => {
                format!("Vi litar inte på servern och har inte skickat något: {why}")
            }
            PeerRefused::Unavailable(why) => {
                format!("Servern kan inte svara just nu: {why}. Vi försöker igen senare.")
            }
            PeerRefused::Unreachable(why) => {
                format!("Ingen förbindelse: {why}. Kontrollera adress, brandvägg och proxy.")
            }
            PeerRefused::Proxy => "Proxyn släpper inte igenom oss. Kontrollera proxyns adress och regler.".into(),
            PeerRefused::Closed => {
                "Servern bröt förbindelsen utan förklaring; oftast godtar den inte vårt certifikat.".into()
            }
            PeerRefused::Other(why) => format!("Anropet misslyckades: {why}"),
        }
    }
}

/// Finds the most telling cause in an error of a call or a connection: a `tonic::Status`, a
/// `tonic::transport::Error` or a [`ConnectError`]. `own` is our certificate, where we have one.
pub fn explain(error: &(dyn Error + 'static), own: Option<&PeerCertificate>, now: Timestamp) -> PeerRefused {
    let mut cut = false;
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = told_by(cause) {
            return found;
        }
        cut |= is_cut(cause);
        next = inner_of(cause);
    }
    match own {
        Some(own) if cut && now > own.not_after => PeerRefused::Expired,
        _ if cut => PeerRefused::Closed,
        _ => match error.downcast_ref::<tonic::Status>() {
            Some(status) => PeerRefused::Other(format!("{}: {}", status.code(), status.message())),
            None => PeerRefused::Other(error.to_string()),
        },
    }
}

/// The next inner error. `io::Error` hides what it wraps from `source`.
fn inner_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn told_by(error: &(dyn Error + 'static)) -> Option<PeerRefused> {
    if let Some(fault) = error.downcast_ref::<TlsFault>() {
        return told_by_tls(fault);
    }
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        return told_by_status(status);
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // h2 hands one error to many streams and keeps only its text; rustls writes it so.
        let text = io.to_string();
        return text.strip_prefix("received fatal alert: ").map(told_by_alert);
    }
    match error.downcast_ref::<ConnectError>()? {
        ConnectError::Proxy { .. } => Some(PeerRefused::Proxy),
        ConnectError::Tcp { .. } | ConnectError::Slow { .. } => {
            Some(PeerRefused::Unreachable(error.to_string()))
        }
        ConnectError::Tls(_) | ConnectError::Handshake { .. } => None,
    }
}

fn told_by_status(status: &tonic::Status) -> Option<PeerRefused> {
    let message = status.message().to_owned();
    match status.code() {
        tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
            Some(PeerRefused::NotAllowed(message))
        }
        tonic::Code::Unavailable if status.source().is_none() => Some(PeerRefused::Unavailable(message)),
        _ => None,
    }
}

/// `alert` is the name RFC 8446, 6.2 gives it, in rustls's spelling.
fn told_by_alert(alert: &str) -> PeerRefused {
    match alert {
        "CertificateExpired" => PeerRefused::Expired,
        "CertificateRevoked" => PeerRefused::Revoked,
        "UnknownCA" | "DecryptError" => PeerRefused::UnknownAuthority,
        "CertificateRequired" => PeerRefused::NoCertificate,
        other => PeerRefused::NotAllowed(format!("TLS alert {other}")),
    }
}

fn told_by_tls(fault: &TlsFault) -> Option<PeerRefused> {
    match fault {
        TlsFault::AlertReceived(alert) => Some(told_by_alert(&format!("{alert:?}"))),
        TlsFault::InvalidCertificate(CertificateError::Other(other)) => {
            Some(PeerRefused::ServerNotTrusted(match other.0.downcast_ref::<DoorError>() {
                Some(ours) => ours.to_string(),
                None => "certificate".to_owned(),
            }))
        }
        TlsFault::InvalidCertificate(reason) => Some(PeerRefused::ServerNotTrusted(reason.to_string())),
        TlsFault::NoCertificatesPresented => Some(PeerRefused::ServerNotTrusted("no certificate".into())),
        _ => None,
    }
}

fn is_cut(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind as K;
    error.downcast_ref::<io::Error>().is_some_and(|io| {
        matches!(io.kind(), K::BrokenPipe | K::ConnectionReset | K::ConnectionAborted | K::UnexpectedEof)
    })
}
