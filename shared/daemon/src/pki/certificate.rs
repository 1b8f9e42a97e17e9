//! What a certificate says: who, which key, how long, which serial number.
//!
//! What it does not do: reading is not believing. Nothing here checks a signature; `chain` does.
//!
//! Invariants: exactly one URI among the subject alternative names, and it is an identity of ours; every other
//! name is the DNS name derived from it; the key is Ed25519; nothing follows the certificate.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::MAX_CERTIFICATE_BYTES;
use crate::identity::{Identity, IdentityError};

/// SHA-256 of a certificate's DER bytes.
pub fn fingerprint(certificate_der: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate_der).into()
}

/// Why a certificate is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Not a certificate in DER, or more than one, or far too large.
    #[error("not one certificate in DER")]
    Malformed,
    /// Not exactly one URI, or a name beside it that it does not imply.
    #[error("a certificate carries exactly one identity and no other name; this one carries {uris} URIs")]
    Names {
        /// How many URIs were found.
        uris: usize,
    },
    /// The URI is not an identity.
    #[error("the certificate's URI: {0}")]
    Identity(#[from] IdentityError),
    /// Another kind of key.
    #[error("the certificate's key is not Ed25519")]
    NotEd25519,
    /// The dates cannot be represented.
    #[error("the certificate's dates cannot be read")]
    Dates,
}

/// A serial number, as the bytes in the certificate (big endian, no leading zero).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// From bytes; leading zeros are dropped, so that a number has one spelling.
    pub fn new(bytes: &[u8]) -> Self {
        let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
        Serial(bytes[start..].to_vec())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// A certificate as read. `gate` and `chain` return one only after checking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Who it was issued to.
    pub identity: Identity,
    /// Its serial number under the root.
    pub serial: Serial,
    /// SHA-256 of its DER bytes.
    pub fingerprint: [u8; 32],
    /// First instant it is valid.
    pub not_before: Timestamp,
    /// Last instant it is valid.
    pub not_after: Timestamp,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// The certificate itself.
    pub der: Vec<u8>,
}

impl PeerCertificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`CertificateError`] where it is not one of ours in form.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::Malformed);
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        Ok(PeerCertificate {
            identity: identity_of(&parsed)?,
            serial: Serial::new(parsed.raw_serial()),
            fingerprint: fingerprint(der),
            not_before: instant(parsed.validity().not_before.timestamp())?,
            not_after: instant(parsed.validity().not_after.timestamp())?,
            public_key: public_key_of(&parsed)?,
            der: der.to_vec(),
        })
    }

    /// Names the key the certificate is for: SHA-256 with a domain. A renewal keeps it, so a round that outlives a
    /// certificate goes on.
    pub fn key_id(&self) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        Sha256::new().chain_update(b"samman/v1 key\0").chain_update(self.public_key).finalize().into()
    }

    /// Whether `now` lies in the validity, both ends included (RFC 5280, 4.1.2.5).
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether two thirds of the life are over: time to renew.
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.as_second() - self.not_before.as_second();
        now.as_second() >= self.not_before.as_second() + life / 3 * 2
    }

    /// Whole days left at `now`; negative when over.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.as_second() - now.as_second()).div_euclid(86_400)
    }
}

fn identity_of(parsed: &X509Certificate<'_>) -> Result<Identity, CertificateError> {
    let extension = parsed.subject_alternative_name().map_err(|_| CertificateError::Malformed)?;
    let names = extension.map(|e| e.value.general_names.as_slice()).unwrap_or_default();
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else {
        return Err(CertificateError::Names { uris: uris.len() });
    };
    let identity: Identity = uri.parse()?;
    let implied = |name: &GeneralName<'_>| match name {
        GeneralName::URI(_) => true,
        GeneralName::DNSName(dns) => identity.role().serves() && *dns == identity.dns_name(),
        _ => false,
    };
    if !names.iter().all(implied) {
        return Err(CertificateError::Names { uris: 1 });
    }
    Ok(identity)
}

fn public_key_of(parsed: &X509Certificate<'_>) -> Result<[u8; 32], CertificateError> {
    let info = parsed.public_key();
    if info.algorithm.algorithm != OID_SIG_ED25519 {
        return Err(CertificateError::NotEd25519);
    }
    info.subject_public_key.data.as_ref().try_into().map_err(|_| CertificateError::NotEd25519)
}

pub(super) fn instant(unix: i64) -> Result<Timestamp, CertificateError> {
    Timestamp::from_second(unix).map_err(|_| CertificateError::Dates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Key;
    use crate::testing::{at, days, identity, issue_for, root};

    #[test]
    fn an_issued_certificate_reads_back_as_what_was_decided() {
        let (root, now) = (root(), at());
        let (key, der) = issue_for(&root, "urn:samman:region:21", now, 90);
        let read = PeerCertificate::parse(&der).unwrap();
        assert_eq!(read.identity, identity("urn:samman:region:21"));
        assert_eq!(read.public_key, key.public_key());
        assert_eq!(read.not_after, now + days(90));
        assert!(read.is_valid_at(now) && !read.is_valid_at(now + days(91)));
        assert!(!read.renewal_due(now + days(59)) && read.renewal_due(now + days(60)));
        assert_eq!(read.days_left(now + days(89)), 1);
    }

    #[test]
    fn two_identities_in_one_certificate_are_refused() {
        let key = Key::generate().unwrap().rcgen().unwrap();
        let uri = |text: &str| rcgen::SanType::URI(text.try_into().unwrap());
        let refused = |names: Vec<rcgen::SanType>| {
            let mut params = rcgen::CertificateParams::default();
            params.subject_alt_names = names;
            PeerCertificate::parse(params.self_signed(&key).unwrap().der()).unwrap_err()
        };
        let two = refused(vec![uri("urn:samman:node:2180"), uri("urn:samman:node:2181")]);
        assert_eq!(two, CertificateError::Names { uris: 2 });
        let foreign = refused(vec![uri("urn:samman:node:2180"), uri("https://example.org")]);
        assert_eq!(foreign, CertificateError::Names { uris: 2 });
        let dns = rcgen::SanType::DnsName("region-21.samman.internal".try_into().unwrap());
        let borrowed = refused(vec![uri("urn:samman:region:22"), dns]);
        assert_eq!(borrowed, CertificateError::Names { uris: 1 });
        assert_eq!(refused(vec![]), CertificateError::Names { uris: 0 });
    }

    #[test]
    fn trailing_bytes_and_cut_certificates_are_refused() {
        let (_, mut der) = issue_for(&root(), "urn:samman:node:2180", at(), 90);
        for cut in [0, 1, 20, der.len() - 1] {
            assert_eq!(PeerCertificate::parse(&der[..cut]), Err(CertificateError::Malformed));
        }
        der.push(0);
        assert_eq!(PeerCertificate::parse(&der), Err(CertificateError::Malformed));
    }
}
