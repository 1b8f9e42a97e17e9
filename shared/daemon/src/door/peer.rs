//! Who is at the other end, as a handler sees it.
//!
//! What it does not do: the handshake; see `tls`. It reads nothing a client could write into a header.
//!
//! Invariants: the certificate in [`PeerInfo`] comes from the finished handshake of this very connection (DOOR-1).

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tonic::{Request, Status};

use crate::gate::Gate;
use crate::identity::{Identity, Role};
use crate::pki::{DoorError, PeerCertificate};

/// What the door knows about a connection; an extension of every request on it.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Where the connection comes from: for logs, never for decisions.
    pub address: SocketAddr,
    /// The certificate of the handshake; `None` on the enrolment port.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// Judges the caller of a request: certificate present, in force at `now`, not revoked in the list the gate holds
/// *now*, and of one of `roles`. Long streams call it again on each message (DOOR-1).
///
/// # Errors
/// `unauthenticated`, `permission_denied` for another role, `unavailable` while our own list is stale.
pub fn authenticate<T>(
    request: &Request<T>,
    gate: &Gate,
    roles: &[Role],
    now: Timestamp,
) -> Result<Arc<PeerCertificate>, Status> {
    let info = request.extensions().get::<PeerInfo>();
    let peer = info.and_then(|info| info.certificate.clone()).ok_or(DoorError::NoCertificate);
    peer.and_then(|peer| gate.admit(&peer, roles, now).map(|()| peer)).map_err(|refusal| {
        tracing::warn!(address = ?info.map(|i| i.address), %refusal, "request refused");
        status_of(&refusal)
    })
}

/// A node acts only as its own unit (DOOR-1): the identity a message claims must be the certificate's.
///
/// # Errors
/// `permission_denied`.
pub fn require_own_unit(peer: &PeerCertificate, claimed: &Identity) -> Result<(), Status> {
    if peer.identity == *claimed {
        return Ok(());
    }
    let refusal = DoorError::WrongIdentity { expected: peer.identity.clone(), found: claimed.clone() };
    tracing::warn!(%refusal, "a party claimed to be another");
    Err(Status::permission_denied("a party acts only as the unit its certificate names"))
}

fn status_of(refusal: &DoorError) -> Status {
    let text = refusal.to_string();
    match refusal {
        DoorError::StaleRevocationList { .. } => Status::unavailable(text),
        DoorError::WrongRole { .. } | DoorError::WrongIdentity { .. } => Status::permission_denied(text),
        _ => Status::unauthenticated(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::RevocationBook;
    use crate::testing::{at, days, identity, issue_for, root};

    #[test]
    fn a_request_without_a_certificate_is_unauthenticated_whatever_it_claims() {
        let root = root();
        let gate =
            Gate::new(root.certificate_der(), RevocationBook::default().sign(&root, at(), days(7)).unwrap());
        let mut request = Request::new(());
        request.metadata_mut().insert("x-client-identity", "urn:samman:node:2180".parse().unwrap());
        let refused = authenticate(&request, &gate, &[Role::Node], at()).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        let address = "127.0.0.1:1".parse().unwrap();
        request.extensions_mut().insert(PeerInfo { address, certificate: None });
        assert!(authenticate(&request, &gate, &[Role::Node], at()).is_err());
    }

    #[test]
    fn each_refusal_has_its_code() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let gate =
            Gate::new(root.certificate_der(), RevocationBook::default().sign(&root, at(), days(7)).unwrap());
        let certificate = Some(Arc::new(PeerCertificate::parse(&der).unwrap()));
        let mut request = Request::new(());
        request.extensions_mut().insert(PeerInfo { address: "127.0.0.1:1".parse().unwrap(), certificate });
        let code = |roles: &[Role], now| authenticate(&request, &gate, roles, now).map_err(|s| s.code());
        assert_eq!(code(&[Role::Region], at()).unwrap_err(), tonic::Code::PermissionDenied);
        assert_eq!(code(&[Role::Node], at() + days(8)).unwrap_err(), tonic::Code::Unavailable);
        let peer = code(&[Role::Node], at()).unwrap();
        assert!(require_own_unit(&peer, &identity("urn:samman:node:2180")).is_ok());
        assert!(require_own_unit(&peer, &identity("urn:samman:node:2180-01")).is_err());
    }
}
