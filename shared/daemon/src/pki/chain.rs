//! Whether a certificate may be believed, outside TLS: the door asks per request, the helper per message.
//!
//! What it does not do: it does not compare the identity with an expected one; the caller knows whom it expects.
//!
//! Invariants: chain, life, purpose and revocation are judged by the verifier that rustls uses
//! (`rustls-webpki`, RFC 5280), never by code of ours; `now` is an argument (DOOR-1).

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, RevocationOptionsBuilder, anchor_from_trusted_cert};

use super::{CertificateError, Crl, PeerCertificate, fingerprint, unix_seconds};
use crate::identity::{Identity, Role};

/// Why a peer is refused (DOOR-1). Says who is to blame: the peer, or our own state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DoorError {
    /// The connection carries no certificate.
    #[error("no certificate was presented")]
    NoCertificate,
    /// Not one of ours in form.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Not signed by the pinned root.
    #[error("the certificate was not issued under this root")]
    UnknownAuthority,
    /// Its life is over.
    #[error("the certificate expired {at}")]
    Expired {
        /// Last valid instant.
        at: Timestamp,
    },
    /// Its life has not begun: usually a wrong clock.
    #[error("the certificate is valid from {from} only; is the clock right?")]
    NotYetValid {
        /// First valid instant.
        from: Timestamp,
    },
    /// It was withdrawn.
    #[error("the certificate was revoked")]
    Revoked,
    /// It may not be used for this.
    #[error("the certificate does not allow this use")]
    WrongPurpose,
    /// Another role is expected here.
    #[error("the certificate is for the role {found}, which may not do this")]
    WrongRole {
        /// The certificate's role.
        found: Role,
    },
    /// Another party is expected here.
    #[error("expected {expected}, found {found}")]
    WrongIdentity {
        /// Whom we meant.
        expected: Identity,
        /// Who it is.
        found: Identity,
    },
    /// The root shown is not the pinned one.
    #[error("the root certificate is not the one whose fingerprint was given")]
    WrongRoot,
    /// Our revocation list is past its next update: nothing can be answered safely (our fault).
    #[error("the revocation list held here was due for renewal {next_update}")]
    StaleRevocationList {
        /// When a newer one was due.
        next_update: Timestamp,
    },
    /// A revocation list older than the one held was offered.
    #[error("revocation list {offered} is older than {held}, which is held")]
    OlderRevocationList {
        /// Number held.
        held: u64,
        /// Number offered.
        offered: u64,
    },
}

/// The signature algorithms of our certificates: Ed25519 only.
pub(crate) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::ED25519];

/// Checks that the bytes are the root whose SHA-256 is `expected` (hash over the whole DER).
///
/// # Errors
/// [`DoorError::WrongRoot`].
pub fn verify_root(root_der: &[u8], expected: &[u8; 32]) -> Result<(), DoorError> {
    if fingerprint(root_der) == *expected { Ok(()) } else { Err(DoorError::WrongRoot) }
}

/// Checks a certificate against the root, `now` and, where given, the revocation list, and returns what it says.
///
/// A stale list still refuses whom it names; whether staleness itself refuses is the gate's decision.
///
/// # Errors
/// [`DoorError`]; where several reasons apply the form comes first, then the issuer, the life, revocation.
pub fn verify_chain(
    cert_der: &[u8],
    root_der: &[u8],
    crl: Option<&Crl>,
    now: Timestamp,
) -> Result<PeerCertificate, DoorError> {
    let peer = PeerCertificate::parse(cert_der)?;
    let certificate = CertificateDer::from(cert_der);
    let end = EndEntityCert::try_from(&certificate).map_err(|_| CertificateError::Malformed)?;
    let root = CertificateDer::from(root_der);
    let anchor = anchor_from_trusted_cert(&root).map_err(|_| DoorError::WrongRoot)?;
    let lists: Vec<&webpki::CertRevocationList<'static>> = crl.map(Crl::list).into_iter().collect();
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(RevocationOptionsBuilder::build);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds(now)));
    let anchors = [anchor];
    let checked =
        end.verify_for_usage(ALGORITHMS, &anchors, &[], time, KeyUsage::client_auth(), revocation, None);
    checked.map_err(|error| refusal(error, &peer))?;
    Ok(peer)
}

fn refusal(error: webpki::Error, peer: &PeerCertificate) -> DoorError {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } => DoorError::Expired { at: peer.not_after },
        E::CertNotValidYet { .. } => DoorError::NotYetValid { from: peer.not_before },
        E::CertRevoked => DoorError::Revoked,
        E::RequiredEkuNotFoundContext(_) | E::CaUsedAsEndEntity => DoorError::WrongPurpose,
        // Unknown issuer, bad signature, unknown status (a list of another root), and whatever else the
        // verifier refuses: the certificate cannot be traced to our root.
        _ => DoorError::UnknownAuthority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{RevocationBook, Root};
    use crate::testing::{at, days, issue_for, root};

    #[test]
    fn a_good_certificate_is_accepted_and_says_who_it_is() {
        let root = root();
        let (key, der) = issue_for(&root, "urn:samman:node:2180-03", at(), 90);
        let peer = verify_chain(&der, root.certificate_der(), None, at()).unwrap();
        assert_eq!(peer.identity.unit(), "2180-03");
        assert_eq!(peer.public_key, key.public_key());
    }

    #[test]
    fn a_certificate_of_another_root_of_the_same_name_is_refused() {
        let (ours, theirs) = (root(), root());
        let (_, der) = issue_for(&theirs, "urn:samman:node:2180", at(), 90);
        let refused = verify_chain(&der, ours.certificate_der(), None, at());
        assert_eq!(refused, Err(DoorError::UnknownAuthority));
    }

    #[test]
    fn a_certificate_is_refused_before_and_after_its_life() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let ask = |now| verify_chain(&der, root.certificate_der(), None, now);
        assert!(matches!(ask(at() - days(1)), Err(DoorError::NotYetValid { .. })));
        assert!(ask(at() + days(90)).is_ok());
        assert!(matches!(ask(at() + days(91)), Err(DoorError::Expired { .. })));
    }

    #[test]
    fn a_revoked_certificate_is_refused_and_its_neighbour_is_not() {
        let root = root();
        let (_, bad) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let (_, good) = issue_for(&root, "urn:samman:node:2181", at(), 90);
        let mut book = RevocationBook::default();
        book.revoke(PeerCertificate::parse(&bad).unwrap().serial, at());
        let crl = book.sign(&root, at(), days(7)).unwrap();
        let ask = |der: &[u8]| verify_chain(der, root.certificate_der(), Some(&crl), at());
        assert_eq!(ask(&bad), Err(DoorError::Revoked));
        assert!(ask(&good).is_ok());
    }

    #[test]
    fn an_end_certificate_cannot_issue() {
        let root = root();
        let (key, der) = issue_for(&root, "urn:samman:region:21", at(), 90);
        assert!(Root::from_parts(der, key).is_err());
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        for place in 0..der.len() {
            let mut bent = der.clone();
            bent[place] ^= 0x01;
            assert!(verify_chain(&bent, root.certificate_der(), None, at()).is_err(), "byte {place}");
        }
    }

    #[test]
    fn the_root_itself_is_nobody() {
        let root = root();
        assert!(verify_chain(root.certificate_der(), root.certificate_der(), None, at()).is_err());
    }
}
