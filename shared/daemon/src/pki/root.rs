//! The national root: makes itself once, issues end certificates and signs revocation lists.
//!
//! What it does not do: it does not decide *who* gets a certificate. The invite decides; the request brings a
//! public key and the proof that its sender holds the private half, nothing else.
//!
//! Invariants: a certificate never outlives the root; serial numbers are 128 random bits; only the root may be a
//! CA (path length 0).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificate::instant;
use super::key::pem_text;
use super::{Key, KeyError, MAX_CERTIFICATE_BYTES, fingerprint, unix_seconds};
use crate::identity::Identity;

/// A new certificate is valid from this long before its issue: clocks in kommuner differ by minutes.
pub const BACKDATING: SignedDuration = SignedDuration::from_mins(5);
/// Longest life of an end certificate, in days. Renewal is automatic at two thirds.
pub const MAX_DAYS: u16 = 398;
/// Common name of the root.
const ROOT_NAME: &str = "Samman root";

/// Why a root could not be used or a certificate not be issued.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The request is not a PKCS#10 request in DER with a valid signature of its own key (peer's fault).
    #[error("not a certificate request signed by its own key")]
    BadRequest,
    /// The request's key is not Ed25519 (peer's fault).
    #[error("the request's key is not Ed25519")]
    NotEd25519,
    /// The certificate would outlive the root or the allowed life.
    #[error("{days} days is not a possible life: at most {MAX_DAYS}, and not longer than the root's")]
    Life {
        /// What was asked for.
        days: u16,
    },
    /// The root's certificate and key do not belong together, or the certificate is no root.
    #[error("the root certificate cannot be used: {0}")]
    BadRoot(&'static str),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Encoding failed: a fault of ours.
    #[error("the certificate could not be made: {0}")]
    Encoding(#[from] rcgen::Error),
}

/// The root of trust with its private key. Only the national body has one.
pub struct Root {
    der: Vec<u8>,
    key: Key,
    pub(super) issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.fingerprint_hex())
    }
}

impl Root {
    /// Makes a new root valid from `now` for `validity`.
    ///
    /// # Errors
    /// [`IssueError::Key`] without randomness, [`IssueError::Encoding`].
    pub fn create(now: Timestamp, validity: SignedDuration) -> Result<Self, IssueError> {
        let key = Key::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(ROOT_NAME.to_owned());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = offset(now.saturating_sub(BACKDATING).unwrap_or(now));
        params.not_after = offset(now.saturating_add(validity).unwrap_or(Timestamp::MAX));
        params.serial_number = Some(random_serial()?);
        let der = params.self_signed(&key.rcgen()?)?.der().to_vec();
        Root::from_parts(der, key)
    }

    /// Puts a root together again from its certificate and key.
    ///
    /// # Errors
    /// [`IssueError::BadRoot`] where they do not belong together.
    pub fn from_parts(der: Vec<u8>, key: Key) -> Result<Self, IssueError> {
        let not_after = check_root(&der, &key)?;
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(der.as_slice()), key.rcgen()?)?;
        Ok(Root { der, key, issuer, not_after })
    }

    /// Reads `root.pem` and `root.key` in `directory`.
    ///
    /// # Errors
    /// [`IssueError`], naming the file.
    pub fn load(directory: &Path) -> Result<Self, IssueError> {
        let path = directory.join("root.pem");
        let pem = fs::read(&path).map_err(|source| IssueError::Io { path, source })?;
        let der =
            CertificateDer::from_pem_slice(&pem).map_err(|_| IssueError::BadRoot("root.pem is not PEM"))?;
        Root::from_parts(der.to_vec(), Key::load(&directory.join("root.key"))?)
    }

    /// Writes `root.pem` and `root.key` (mode 0600) in `directory`. A key that is there is not overwritten.
    ///
    /// # Errors
    /// [`IssueError::Key`] or [`IssueError::Io`], naming the file.
    pub fn store(&self, directory: &Path) -> Result<(), IssueError> {
        self.key.store(&directory.join("root.key"))?;
        let path = directory.join("root.pem");
        fs::write(&path, self.certificate_pem()).map_err(|source| IssueError::Io { path, source })
    }

    /// The root certificate in DER: public, given to everyone.
    pub fn certificate_der(&self) -> &[u8] {
        &self.der
    }

    /// The same in PEM.
    pub fn certificate_pem(&self) -> String {
        pem_text("CERTIFICATE", &self.der)
    }

    /// SHA-256 of the root certificate: what invites pin.
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.der)
    }

    /// The same in hex, as in an invite.
    pub fn fingerprint_hex(&self) -> String {
        hex::encode(self.fingerprint())
    }

    /// Issues a certificate for `identity` over the request's public key, valid for `days`. DOOR-1: whatever
    /// names or usages the request asks for are not looked at.
    ///
    /// # Errors
    /// [`IssueError::BadRequest`], [`IssueError::NotEd25519`], [`IssueError::Life`].
    pub fn issue(
        &self,
        csr_der: &[u8],
        identity: &Identity,
        now: Timestamp,
        days: u16,
    ) -> Result<Vec<u8>, IssueError> {
        let csr = Csr::parse(csr_der)?;
        let life = SignedDuration::from_hours(24 * i64::from(days));
        let not_after = now.checked_add(life).map_err(|_| IssueError::Life { days })?;
        if days == 0 || days > MAX_DAYS || not_after > self.not_after {
            return Err(IssueError::Life { days });
        }
        let mut params = end_params(identity)?;
        params.not_before = offset(now.saturating_sub(BACKDATING).unwrap_or(now));
        params.not_after = offset(not_after);
        params.serial_number = Some(random_serial()?);
        Ok(params.signed_by(&csr.key, &self.issuer)?.der().to_vec())
    }
}

/// A certificate request: a public key and the proof of its private half.
pub struct Csr {
    key: rcgen::PublicKey,
    public_key: [u8; 32],
}

impl Csr {
    /// Makes a request for `key`. It names nobody: the issuer decides.
    ///
    /// # Errors
    /// [`IssueError::Encoding`].
    pub fn create(key: &Key) -> Result<Vec<u8>, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("Samman request".to_owned());
        Ok(params.serialize_request(&key.rcgen()?)?.der().to_vec())
    }

    /// Reads a request and checks its signature.
    ///
    /// # Errors
    /// [`IssueError::BadRequest`], [`IssueError::NotEd25519`].
    pub fn parse(der: &[u8]) -> Result<Self, IssueError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(IssueError::BadRequest);
        }
        let parsed = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
            .map_err(|_| IssueError::BadRequest)?;
        let key = parsed.public_key;
        if key.algorithm() != &rcgen::PKCS_ED25519 {
            return Err(IssueError::NotEd25519);
        }
        let raw = rcgen::PublicKeyData::der_bytes(&key);
        let public_key = raw.try_into().map_err(|_| IssueError::NotEd25519)?;
        Ok(Csr { key, public_key })
    }

    /// The public key it asks a certificate for.
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }
}

fn end_params(identity: &Identity) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(format!("Samman {identity}"));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![SanType::URI(identity.uri().try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if identity.role().serves() {
        params.subject_alt_names.push(SanType::DnsName(identity.dns_name().try_into()?));
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok(params)
}

fn check_root(der: &[u8], key: &Key) -> Result<Timestamp, IssueError> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|_| IssueError::BadRoot("not a certificate"))?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key() {
        return Err(IssueError::BadRoot("the key is not the certificate's"));
    }
    if !parsed.is_ca() {
        return Err(IssueError::BadRoot("it may not sign certificates"));
    }
    instant(parsed.validity().not_after.timestamp()).map_err(|_| IssueError::BadRoot("its dates"))
}

fn common_name(name: String) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// 128 bits, positive, without a leading zero byte, so that every encoder writes the same bytes.
fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    bytes[0] = 0x40 | (bytes[0] & 0x3f);
    Ok(SerialNumber::from(bytes.to_vec()))
}

/// rcgen's instant, without a dependency on its time crate: 1970 and the seconds since.
pub(super) fn offset(at: Timestamp) -> OffsetDateTime {
    rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_seconds(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::PeerCertificate;
    use crate::testing::{at, days, identity, root};

    #[test]
    fn the_identity_comes_from_the_issuer_and_never_from_the_request() {
        let (root, key) = (root(), Key::generate().unwrap());
        let mut greedy = CertificateParams::default();
        greedy.subject_alt_names = vec![SanType::URI("urn:samman:national:00".try_into().unwrap())];
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let csr = greedy.serialize_request(&key.rcgen().unwrap()).unwrap();
        let der = root.issue(csr.der(), &identity("urn:samman:node:2180"), at(), 90).unwrap();
        let read = PeerCertificate::parse(&der).unwrap();
        assert_eq!(read.identity, identity("urn:samman:node:2180"));
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        assert!(!parsed.is_ca());
    }

    #[test]
    fn a_request_whose_signature_is_broken_is_refused() {
        let mut csr = Csr::create(&Key::generate().unwrap()).unwrap();
        let last = csr.len() - 1;
        csr[last] ^= 1;
        assert!(matches!(Csr::parse(&csr), Err(IssueError::BadRequest)));
        assert!(matches!(Csr::parse(b"hello"), Err(IssueError::BadRequest)));
    }

    #[test]
    fn a_request_with_another_kind_of_key_is_refused() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap();
        assert!(matches!(Csr::parse(csr.der()), Err(IssueError::NotEd25519)));
    }

    #[test]
    fn a_certificate_never_outlives_the_root_or_the_limit() {
        let (now, key) = (at(), Key::generate().unwrap());
        let root = Root::create(now, days(100)).unwrap();
        let csr = Csr::create(&key).unwrap();
        let node = identity("urn:samman:node:2180");
        assert!(matches!(root.issue(&csr, &node, now, 101), Err(IssueError::Life { days: 101 })));
        assert!(matches!(root.issue(&csr, &node, now, 0), Err(IssueError::Life { .. })));
        assert!(root.issue(&csr, &node, now, 99).is_ok());
    }

    #[test]
    fn a_stored_root_is_the_same_root_and_issues_on() {
        let dir = tempfile::tempdir().unwrap();
        let made = root();
        made.store(dir.path()).unwrap();
        let read = Root::load(dir.path()).unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());
        assert!(made.store(dir.path()).is_err(), "a root key is never overwritten");
        let stranger = Root::from_parts(made.certificate_der().to_vec(), Key::generate().unwrap());
        assert!(matches!(stranger, Err(IssueError::BadRoot(_))));
    }
}
