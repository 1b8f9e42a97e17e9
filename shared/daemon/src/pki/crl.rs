//! The list of withdrawn certificates: signed by the root, numbered upward, polled by everyone.
//!
//! What it does not do: it does not fetch itself, and it holds no reason for a withdrawal.
//!
//! Invariants: a [`Crl`] in hand was signed by the root it was parsed against; numbers only grow in a
//! [`RevocationBook`]; a revoked serial number stays revoked (DOOR-1).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::certificate::instant;
use super::root::offset;
use super::{IssueError, MAX_CRL_BYTES, Root, Serial};

/// Why bytes are not a revocation list of our root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CrlError {
    /// Not a list in DER, or longer than allowed.
    #[error("not a certificate revocation list in DER")]
    Malformed,
    /// Without a number or a date of the next list.
    #[error("the revocation list has no {0}")]
    Missing(&'static str),
    /// Not signed by the root.
    #[error("the revocation list was not signed by this root")]
    NotByRoot,
}

/// A revocation list whose signature was checked.
#[derive(Debug, Clone)]
pub struct Crl {
    der: Arc<[u8]>,
    list: Arc<CertRevocationList<'static>>,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl Crl {
    /// Reads a list and checks the root's signature over it.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn parse(der: &[u8], root_der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL_BYTES {
            return Err(CrlError::Malformed);
        }
        let (rest, parsed) = CertificateRevocationList::from_der(der).map_err(|_| CrlError::Malformed)?;
        let (_, root) = X509Certificate::from_der(root_der).map_err(|_| CrlError::NotByRoot)?;
        if !rest.is_empty() {
            return Err(CrlError::Malformed);
        }
        if parsed.issuer() != root.subject() || parsed.verify_signature(root.public_key()).is_err() {
            return Err(CrlError::NotByRoot);
        }
        let number = parsed.crl_number().ok_or(CrlError::Missing("number"))?;
        let number = u64::try_from(number).map_err(|_| CrlError::Malformed)?;
        let next = parsed.next_update().ok_or(CrlError::Missing("date of the next list"))?;
        let date = |unix| instant(unix).map_err(|_| CrlError::Malformed);
        let owned = OwnedCertRevocationList::from_der(der).map_err(|_| CrlError::Malformed)?;
        Ok(Crl {
            der: der.into(),
            list: Arc::new(owned.into()),
            number,
            this_update: date(parsed.last_update().timestamp())?,
            next_update: date(next.timestamp())?,
        })
    }

    /// The signed bytes, to pass on.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list's number; a newer list has a greater one (RFC 5280, 5.2.3).
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was signed.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When a newer one is due at the latest.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// Whether the list names this serial number.
    pub fn revokes(&self, serial: &Serial) -> bool {
        // An entry that cannot be read counts as a hit: refuse rather than guess.
        !matches!(self.list.find_serial(serial.as_bytes()), Ok(None))
    }

    pub(super) fn list(&self) -> &CertRevocationList<'static> {
        &self.list
    }
}

/// What the issuer keeps: revoked serial numbers and the number of the last list. Stored as a fact by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationBook {
    last_number: u64,
    /// Serial → second of the revocation since 1970.
    revoked: BTreeMap<Serial, i64>,
}

impl RevocationBook {
    /// Withdraws a certificate; the first date stands. Takes effect with the next signed list.
    pub fn revoke(&mut self, serial: Serial, now: Timestamp) {
        self.revoked.entry(serial).or_insert(now.as_second());
    }

    /// Whether a serial number is withdrawn here, signed or not yet.
    pub fn is_revoked(&self, serial: &Serial) -> bool {
        self.revoked.contains_key(serial)
    }

    /// Number of the last list signed; 0 before the first.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Signs the next list. The caller stores the book before it hands the list out, so that a number is
    /// never used twice.
    ///
    /// # Errors
    /// [`IssueError::Encoding`].
    pub fn sign(&mut self, root: &Root, now: Timestamp, life: SignedDuration) -> Result<Crl, IssueError> {
        let number = self.last_number + 1;
        let params = CertificateRevocationListParams {
            this_update: offset(now),
            next_update: offset(now.saturating_add(life).unwrap_or(Timestamp::MAX)),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: self.revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = params.signed_by(&root.issuer)?;
        let crl = Crl::parse(signed.der(), root.certificate_der())
            .map_err(|_| IssueError::BadRoot("a list it signed cannot be read back"))?;
        self.last_number = number;
        Ok(crl)
    }
}

fn entry((serial, at): (&Serial, &i64)) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(serial.as_bytes().to_vec()),
        revocation_time: offset(Timestamp::from_second(*at).unwrap_or(Timestamp::UNIX_EPOCH)),
        reason_code: None,
        invalidity_date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::PeerCertificate;
    use crate::testing::{at, days, issue_for, root};

    #[test]
    fn numbers_grow_and_a_revoked_serial_stays() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let serial = PeerCertificate::parse(&der).unwrap().serial;
        let mut book = RevocationBook::default();
        let first = book.sign(&root, at(), days(7)).unwrap();
        assert!(!first.revokes(&serial));
        book.revoke(serial.clone(), at());
        let second = book.sign(&root, at() + days(1), days(7)).unwrap();
        let third = book.sign(&root, at() + days(2), days(7)).unwrap();
        assert_eq!((first.number(), second.number(), third.number()), (1, 2, 3));
        assert!(second.revokes(&serial) && third.revokes(&serial));
        assert_eq!(third.next_update(), at() + days(9));
        assert_eq!(third.this_update(), at() + days(2));
    }

    #[test]
    fn a_list_of_another_root_or_with_a_flipped_bit_is_refused() {
        let (ours, theirs) = (root(), root());
        let crl = RevocationBook::default().sign(&theirs, at(), days(7)).unwrap();
        assert_eq!(Crl::parse(crl.der(), ours.certificate_der()).unwrap_err(), CrlError::NotByRoot);
        for place in 0..crl.der().len() {
            let mut bent = crl.der().to_vec();
            bent[place] ^= 1;
            assert!(Crl::parse(&bent, theirs.certificate_der()).is_err(), "byte {place}");
        }
    }

    #[test]
    fn the_book_survives_being_stored() {
        let mut book = RevocationBook::default();
        book.revoke(Serial::new(&[7, 8]), at());
        book.sign(&root(), at(), days(7)).unwrap();
        let bytes = postcard::to_stdvec(&book).unwrap();
        assert_eq!(postcard::from_bytes::<RevocationBook>(&bytes).unwrap(), book);
    }
}
