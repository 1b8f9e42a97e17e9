//! Enrolment and renewal as functions over bytes: what the newcomer does, and what the issuer does.
//!
//! What it does not do: no sockets, no files, no messages; daemons put these between their doors and stores.
//! Enrolment runs through the region, which passes bytes on and can change none without being noticed: the
//! certificate is checked against the invite's root, identity and our own key.
//!
//! Invariants (DOOR-1): the newcomer accepts nothing that is not for its own key, its invited identity and the
//! pinned root; the issuer signs nothing before an invite or a certificate in force names the identity, and the
//! caller stores the book before the certificate leaves (KEEP-1).

use jiff::Timestamp;
use thiserror::Error;

use crate::identity::Identity;
use crate::invite::{Claim, InviteBook, InviteError, InviteFile, Redemption};
use crate::pki::{
    Csr, DoorError, IssueError, Key, PeerCertificate, Root, fingerprint, verify_chain, verify_root,
};
use crate::tls::{Credentials, TlsError};

/// Life of an end certificate, in days, where an issuer says nothing else. Renewed at two thirds.
pub const CERTIFICATE_DAYS: u16 = 90;

/// Why enrolment or renewal failed, on either side.
#[derive(Debug, Error)]
pub enum EnrolmentError {
    /// The invite is not honoured.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// The request or the issuing.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// What came back does not hang under the pinned root, or names another.
    #[error("the answer is refused: {0}")]
    Answer(#[from] DoorError),
    /// What came back is for another key.
    #[error("the answer is refused: {0}")]
    Credentials(#[from] TlsError),
    /// A renewal for another key than the certificate's.
    #[error("the renewal of {0} is for another key")]
    OtherKey(Identity),
    /// The issuer's kommun list does not know the unit.
    #[error("{0} is not a unit this issuer certifies")]
    UnknownUnit(Identity),
}

/// What the newcomer sends: the request for its own new key.
///
/// # Errors
/// [`EnrolmentError::Issue`].
pub fn request(key: &Key) -> Result<Vec<u8>, EnrolmentError> {
    Ok(Csr::create(key)?)
}

/// The newcomer's judgement of the answer: root by the invite's fingerprint, certificate under it and in force,
/// naming the invited identity, for our key.
///
/// # Errors
/// [`EnrolmentError::Answer`], [`EnrolmentError::Credentials`]. Nothing is kept then; the invite can be tried
/// again with the same key.
pub fn accept(
    invite: &InviteFile,
    key: Key,
    certificate_der: &[u8],
    root_der: &[u8],
    now: Timestamp,
) -> Result<Credentials, EnrolmentError> {
    verify_root(root_der, &invite.root_sha256)?;
    accept_for(&invite.identity, key, certificate_der, root_der, now)
}

/// The same for a renewal: the root and the identity are those already held.
///
/// # Errors
/// As [`accept`].
pub fn accept_renewal(
    held: &Credentials,
    key: Key,
    certificate_der: &[u8],
    now: Timestamp,
) -> Result<Credentials, EnrolmentError> {
    accept_for(&held.about().identity, key, certificate_der, held.root_der(), now)
}

fn accept_for(
    expected: &Identity,
    key: Key,
    certificate_der: &[u8],
    root_der: &[u8],
    now: Timestamp,
) -> Result<Credentials, EnrolmentError> {
    let about = verify_chain(certificate_der, root_der, None, now)?;
    if about.identity != *expected {
        return Err(DoorError::WrongIdentity { expected: expected.clone(), found: about.identity }.into());
    }
    Ok(Credentials::new(certificate_der.to_vec(), root_der.to_vec(), key)?)
}

/// An issuer: the root, the length of a life, and which units exist.
pub struct Issuer<'a> {
    /// The national root.
    pub root: &'a Root,
    /// Life of what is issued, days.
    pub days: u16,
    /// Whether a unit may be certified (the list of kommunkoder and of länskoder).
    pub known: &'a dyn Fn(&Identity) -> bool,
}

impl Issuer<'_> {
    /// Redeems an invite: a certificate for its identity over the request's key. `book` is changed; store it
    /// before the certificate is sent. A repeated request gives the same certificate.
    ///
    /// # Errors
    /// [`EnrolmentError`]; `book` is unchanged then.
    pub fn enrol(
        &self,
        book: &mut InviteBook,
        claim: &Claim,
        csr_der: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, EnrolmentError> {
        let csr = Csr::parse(csr_der)?;
        let identity = match book.redeem(claim, csr_der, &csr.public_key(), now)? {
            Redemption::Repeat(certificate) => return Ok(certificate),
            Redemption::Issue(identity) => identity,
        };
        let certificate = self.sign(csr_der, &identity, now)?;
        book.record(claim, csr.public_key(), certificate.clone())?;
        Ok(certificate)
    }

    /// Renews for a peer that the gate has admitted on this very request: same identity, same key. A request for
    /// another key is refused: a region passes on its nodes' renewals and holds their certificates, and must not be
    /// able to mint one for a key of its own (DOOR-1).
    ///
    /// # Errors
    /// [`EnrolmentError::Issue`], [`EnrolmentError::UnknownUnit`].
    pub fn renew(
        &self,
        admitted: &PeerCertificate,
        csr_der: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, EnrolmentError> {
        if Csr::parse(csr_der)?.public_key() != admitted.public_key {
            return Err(EnrolmentError::OtherKey(admitted.identity.clone()));
        }
        self.sign(csr_der, &admitted.identity, now)
    }

    fn sign(&self, csr_der: &[u8], identity: &Identity, now: Timestamp) -> Result<Vec<u8>, EnrolmentError> {
        if !(self.known)(identity) {
            return Err(EnrolmentError::UnknownUnit(identity.clone()));
        }
        let certificate = self.root.issue(csr_der, identity, now, self.days)?;
        tracing::info!(%identity, fingerprint = %hex::encode(fingerprint(&certificate)), "certificate issued");
        Ok(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invite::Token;
    use crate::testing::{at, days, identity, root};

    fn invite(root: &Root) -> (InviteFile, InviteBook) {
        let file = InviteFile {
            identity: identity("urn:samman:node:2180"),
            server: identity("urn:samman:region:21"),
            address: "localhost:1".into(),
            enrolment_address: "localhost:2".into(),
            root_sha256: root.fingerprint(),
            token: Token::generate().unwrap(),
            expires: at() + days(14),
        };
        let mut book = InviteBook::default();
        book.issue(file.identity.clone(), &file.token, file.expires);
        (file, book)
    }

    fn claim(file: &InviteFile, key: &Key) -> Claim {
        file.token.claim(&request(key).unwrap())
    }

    fn issuer(root: &Root) -> Issuer<'_> {
        Issuer { root, days: CERTIFICATE_DAYS, known: &|who| who.kommun() != Some("2199") }
    }

    #[test]
    fn an_invited_node_gets_credentials_for_its_own_key_and_unit() {
        let root = root();
        let (file, mut book) = invite(&root);
        let key = Key::generate().unwrap();
        let public = key.public_key();
        let der = issuer(&root).enrol(&mut book, &claim(&file, &key), &request(&key).unwrap(), at()).unwrap();
        let own = accept(&file, key, &der, root.certificate_der(), at()).unwrap();
        assert_eq!(own.about().identity, file.identity);
        assert_eq!(own.key().public_key(), public);
    }

    #[test]
    fn a_lost_answer_is_given_again_and_another_key_is_refused() {
        let root = root();
        let (file, mut book) = invite(&root);
        let key = Key::generate().unwrap();
        let first =
            issuer(&root).enrol(&mut book, &claim(&file, &key), &request(&key).unwrap(), at()).unwrap();
        let again =
            issuer(&root).enrol(&mut book, &claim(&file, &key), &request(&key).unwrap(), at()).unwrap();
        assert_eq!(first, again);
        let thief = request(&Key::generate().unwrap()).unwrap();
        let refused = issuer(&root).enrol(&mut book, &file.token.claim(&thief), &thief, at());
        assert!(matches!(refused, Err(EnrolmentError::Invite(InviteError::Used))));
    }

    #[test]
    fn a_region_that_answers_with_another_root_unit_or_key_is_noticed() {
        let (root, forged) = (root(), root());
        let (file, mut book) = invite(&root);
        let key = || Key::from_pkcs8(&PKCS8.with(Clone::clone)).unwrap();
        let csr = request(&key()).unwrap();
        let fake = forged.issue(&csr, &file.identity, at(), 90).unwrap();
        let wrong_root = accept(&file, key(), &fake, forged.certificate_der(), at());
        assert!(matches!(wrong_root, Err(EnrolmentError::Answer(DoorError::WrongRoot))));
        let not_under = accept(&file, key(), &fake, root.certificate_der(), at());
        assert!(matches!(not_under, Err(EnrolmentError::Answer(DoorError::UnknownAuthority))));
        let other = root.issue(&csr, &identity("urn:samman:node:2181"), at(), 90).unwrap();
        let wrong_unit = accept(&file, key(), &other, root.certificate_der(), at());
        assert!(matches!(wrong_unit, Err(EnrolmentError::Answer(DoorError::WrongIdentity { .. }))));
        let good = issuer(&root).enrol(&mut book, &file.token.claim(&csr), &csr, at()).unwrap();
        let wrong_key = accept(&file, Key::generate().unwrap(), &good, root.certificate_der(), at());
        assert!(matches!(wrong_key, Err(EnrolmentError::Credentials(TlsError::NotOurKey { .. }))));
        assert!(accept(&file, key(), &good, root.certificate_der(), at()).is_ok());
    }

    thread_local! {
        /// One key for a whole test: `accept` consumes its key.
        static PKCS8: Vec<u8> = {
            let document = ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new());
            document.unwrap().as_ref().to_vec()
        };
    }

    #[test]
    fn a_unit_that_does_not_exist_gets_nothing_and_the_invite_stays_open() {
        let root = root();
        let (file, mut book) = (invite(&root).0, InviteBook::default());
        book.issue(identity("urn:samman:node:2199"), &file.token, file.expires);
        let before = book.clone();
        let csr = request(&Key::generate().unwrap()).unwrap();
        let refused = issuer(&root).enrol(&mut book, &file.token.claim(&csr), &csr, at());
        assert!(matches!(refused, Err(EnrolmentError::UnknownUnit(_))));
        assert_eq!(book, before);
    }

    #[test]
    fn a_renewal_is_for_the_same_key_and_a_region_cannot_renew_a_node_into_its_own() {
        let root = root();
        let (file, mut book) = invite(&root);
        let key = Key::generate().unwrap();
        let der = issuer(&root).enrol(&mut book, &claim(&file, &key), &request(&key).unwrap(), at()).unwrap();
        let held = accept(&file, key, &der, root.certificate_der(), at()).unwrap();
        let later = at() + days(60);
        assert!(held.about().renewal_due(later));
        let renewed = issuer(&root).renew(held.about(), &request(held.key()).unwrap(), later).unwrap();
        let renewed = PeerCertificate::parse(&renewed).unwrap();
        assert_eq!(renewed.identity, held.about().identity);
        assert_ne!(renewed.serial, held.about().serial);
        let theirs = Key::generate().unwrap();
        let refused = issuer(&root).renew(held.about(), &request(&theirs).unwrap(), later);
        assert!(matches!(refused, Err(EnrolmentError::OtherKey(_))));
    }
}
