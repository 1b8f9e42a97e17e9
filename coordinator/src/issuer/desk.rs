//! The issuer's books: invites, and what was revoked. Durable before anything leaves (KEEP-1).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use daemon::enrolment::{CERTIFICATE_DAYS, EnrolmentError, Issuer};
use daemon::gate::Gate;
use daemon::identity::{Identity, Role};
use daemon::invite::{Claim, InviteBook, InviteFile, Token, TokenError};
use daemon::pki::{Crl, DoorError, IssueError, RevocationBook, Root, Serial};
use daemon::store::{Batch, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tables::unit::KommunKod;

/// How long a revocation list stands; a new one is signed at every start and every revocation.
const LIST_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long an invite may be redeemed.
pub const INVITE_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Why the issuer did not do it.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Enrolment or renewal.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The door's judgement of a certificate.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Signing.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness for a token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nothing was issued to that identity.
    #[error("{0} has no certificate")]
    NotIssued(Identity),
    /// No such unit in the lists of kommuner and län.
    #[error("{0} is not a unit this issuer certifies")]
    Unknown(Identity),
    /// The books in the store cannot be read.
    #[error("the issuer's books cannot be read; restore the store from a backup")]
    Books,
}

#[derive(Default, Serialize, Deserialize)]
struct Books {
    invites: InviteBook,
    revocations: RevocationBook,
    /// Serials issued, by identity, newest last.
    issued: BTreeMap<String, Vec<Serial>>,
}

/// The issuer.
pub struct IssuerDesk {
    root: Root,
    store: Arc<dyn Store>,
    books: Mutex<Books>,
    known: BTreeMap<String, ()>,
    gate: Mutex<Option<Arc<Gate>>>,
}

const KEY: &str = "issuer/books";

impl IssuerDesk {
    /// Opens the books. Certificates are for SCB's kommuner and `more`, and for regions of these.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn open(root: Root, store: Arc<dyn Store>, more: &BTreeSet<KommunKod>) -> Result<Self, IssuerError> {
        let books = match store.get(KEY)? {
            None => Books::default(),
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|_| IssuerError::Books)?,
        };
        let names = publish::names::kommuner();
        let known = names.keys().chain(more).map(|kommun| (kommun.to_string(), ())).collect();
        Ok(Self { root, store, books: Mutex::new(books), known, gate: Mutex::new(None) })
    }

    /// The root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// From now on new revocation lists are put in force at this gate.
    pub fn attach(&self, gate: Arc<Gate>) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    /// Writes an invite for an identity; the token stands in the file and nowhere else.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn invite(
        &self,
        identity: Identity,
        server: Identity,
        addresses: (String, String),
        now: Timestamp,
    ) -> Result<InviteFile, IssuerError> {
        if !self.is_known(&identity) {
            return Err(IssuerError::Unknown(identity));
        }
        let token = Token::generate()?;
        let expires = now + INVITE_LIFE;
        self.change(|books| {
            books.invites.issue(identity.clone(), &token, expires);
            Ok(())
        })?;
        let (address, enrolment_address) = addresses;
        let root_sha256 = self.root.fingerprint();
        Ok(InviteFile { identity, server, address, enrolment_address, root_sha256, token, expires })
    }

    /// Redeems an invite: the certificate, stored before it is returned. What the identity held before is withdrawn:
    /// one unit has one certificate.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn enrol(&self, claim: &Claim, csr: &[u8], now: Timestamp) -> Result<Vec<u8>, IssuerError> {
        let known = |identity: &Identity| self.is_known(identity);
        let issuer = Issuer { root: &self.root, days: CERTIFICATE_DAYS, known: &known };
        let (certificate, withdrawn) = self.change(|books| {
            let certificate = issuer.enrol(&mut books.invites, claim, csr, now)?;
            let withdrawn = books.supersede(&certificate, now)?;
            books.note(&certificate)?;
            Ok((certificate, withdrawn))
        })?;
        if withdrawn {
            self.list(now)?;
        }
        Ok(certificate)
    }

    /// Issues without an invite: the national body's own certificate, on its own machine.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn issue_own(&self, identity: &Identity, csr: &[u8], now: Timestamp) -> Result<Vec<u8>, IssuerError> {
        self.change(|books| {
            let certificate = self.root.issue(csr, identity, now, CERTIFICATE_DAYS)?;
            books.note(&certificate)?;
            Ok(certificate)
        })
    }

    /// Renews a certificate that is in force.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn renew(
        &self,
        gate: &Gate,
        certificate: &[u8],
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, IssuerError> {
        let roles = [Role::Node, Role::Region, Role::National, Role::Third];
        let admitted = gate.admit_der(certificate, &roles, now)?;
        let known = |identity: &Identity| self.is_known(identity) || identity.role() == Role::National;
        let issuer = Issuer { root: &self.root, days: CERTIFICATE_DAYS, known: &known };
        self.change(|books| {
            let renewed = issuer.renew(&admitted, csr, now)?;
            books.note(&renewed)?;
            Ok(renewed)
        })
    }

    /// Withdraws every certificate of an identity, and its open invite. In force at once at the attached gate.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn revoke(&self, identity: &Identity, now: Timestamp) -> Result<(), IssuerError> {
        self.change(|books| {
            let serials = books.issued.get(&identity.uri()).cloned().unwrap_or_default();
            let invited = books.invites.withdraw(identity);
            if serials.is_empty() && !invited {
                return Err(IssuerError::NotIssued(identity.clone()));
            }
            serials.into_iter().for_each(|serial| books.revocations.revoke(serial, now));
            Ok(())
        })?;
        self.list(now).map(drop)
    }

    /// Signs a new revocation list and puts it in force.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn list(&self, now: Timestamp) -> Result<Crl, IssuerError> {
        let crl = self.change(|books| Ok(books.revocations.sign(&self.root, now, LIST_LIFE)?))?;
        if let Some(gate) = self.gate.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            gate.install(crl.clone())?;
        }
        Ok(crl)
    }

    fn is_known(&self, identity: &Identity) -> bool {
        let exists = |kommun: &str| self.known.contains_key(kommun);
        match identity.role() {
            Role::Node => identity.kommun().is_some_and(exists),
            Role::Region | Role::Third => self.known.keys().any(|kommun| kommun.starts_with(identity.unit())),
            Role::National => false,
        }
    }

    /// Changes the books; they are as before if the change or the store fails.
    fn change<T>(&self, change: impl FnOnce(&mut Books) -> Result<T, IssuerError>) -> Result<T, IssuerError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let before = postcard::to_allocvec(&*books).map_err(|_| IssuerError::Books)?;
        let changed = change(&mut books).and_then(|value| {
            let bytes = postcard::to_allocvec(&*books).map_err(|_| IssuerError::Books)?;
            self.store.commit(Batch::new().put(KEY, bytes))?;
            Ok(value)
        });
        if changed.is_err() {
            *books = postcard::from_bytes(&before).map_err(|_| IssuerError::Books)?;
        }
        changed
    }
}

impl Books {
    /// Revokes the other certificates of the identity of `fresh`; whether there were any.
    fn supersede(&mut self, fresh: &[u8], now: Timestamp) -> Result<bool, IssuerError> {
        let peer = daemon::pki::PeerCertificate::parse(fresh).map_err(DoorError::from)?;
        let held = self.issued.get(&peer.identity.uri()).cloned().unwrap_or_default();
        let older: Vec<Serial> = held
            .into_iter()
            .filter(|serial| *serial != peer.serial && !self.revocations.is_revoked(serial))
            .collect();
        let any = !older.is_empty();
        older.into_iter().for_each(|serial| self.revocations.revoke(serial, now));
        Ok(any)
    }

    fn note(&mut self, certificate: &[u8]) -> Result<(), IssuerError> {
        let peer = daemon::pki::PeerCertificate::parse(certificate).map_err(DoorError::from)?;
        let serials = self.issued.entry(peer.identity.uri()).or_default();
        if !serials.contains(&peer.serial) {
            serials.push(peer.serial);
        }
        Ok(())
    }
}

/// Where the root lies under a data directory.
pub fn root_directory(data: &std::path::Path) -> PathBuf {
    data.join("rot")
}

#[cfg(test)]
mod tests {
    use daemon::store::MemoryStore;

    use super::*;

    #[test]
    fn a_kommun_that_no_list_has_is_invited_where_the_operator_has_named_it_and_nowhere_else() {
        let now = Timestamp::now();
        let desk = |more: &[&str]| {
            let root = Root::create(now, SignedDuration::from_hours(24)).unwrap();
            let more = more.iter().map(|code| code.parse().unwrap()).collect();
            IssuerDesk::open(root, Arc::new(MemoryStore::new()), &more).unwrap()
        };
        let is_invited = |desk: &IssuerDesk, role: Role, unit: &str| {
            let identity = |role, unit: &str| Identity::new(role, unit).unwrap();
            let addresses = ("h:1".to_owned(), "h:2".to_owned());
            desk.invite(identity(role, unit), identity(Role::National, "00"), addresses, now).is_ok()
        };
        let (usual, told) = (desk(&[]), desk(&["9901"]));
        for (role, unit) in [(Role::Node, "9901"), (Role::Region, "99")] {
            assert!(!is_invited(&usual, role, unit) && is_invited(&told, role, unit), "{unit}");
        }
        assert!(is_invited(&told, Role::Node, "2180") && !is_invited(&told, Role::Node, "9902"));
    }
}
