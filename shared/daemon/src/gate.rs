//! The gate: the root and the revocation list a server holds, and the judgement of each request by them (DOOR-1).
//!
//! What it does not do: it does not fetch lists and knows no socket. `tls` asks it at handshakes, `door` at
//! requests; both see the same list because there is only this one.
//!
//! Invariants: the list's number never goes down; a stale list admits nobody.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use crate::identity::Role;
use crate::pki::{Crl, DoorError, PeerCertificate, verify_chain};

/// Root and current revocation list of a server. Shared by reference counting.
#[derive(Debug)]
pub struct Gate {
    root: Vec<u8>,
    crl: RwLock<Arc<Crl>>,
}

impl Gate {
    /// A gate under the given root certificate (DER) with its first list.
    pub fn new(root_der: &[u8], crl: Crl) -> Self {
        Gate { root: root_der.to_vec(), crl: RwLock::new(Arc::new(crl)) }
    }

    /// The root certificate in DER.
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// The list in force.
    pub fn crl(&self) -> Arc<Crl> {
        // The lock guards one pointer: a panic elsewhere cannot leave it half written.
        self.crl.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a newer list in force; requests and handshakes that begin afterwards see it. The same number again
    /// is accepted and changes nothing (polling).
    ///
    /// # Errors
    /// [`DoorError::OlderRevocationList`]: an attacker who replays an old list must not revive a certificate.
    pub fn install(&self, crl: Crl) -> Result<(), DoorError> {
        let mut held = self.crl.write().unwrap_or_else(PoisonError::into_inner);
        if crl.number() < held.number() {
            return Err(DoorError::OlderRevocationList { held: held.number(), offered: crl.number() });
        }
        if crl.number() > held.number() {
            *held = Arc::new(crl);
        }
        Ok(())
    }

    /// Judges a certificate that a finished handshake has tied to the connection: role, life and revocation at
    /// `now`. Called at every request, and again by whoever keeps a stream open.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn admit(&self, peer: &PeerCertificate, roles: &[Role], now: Timestamp) -> Result<(), DoorError> {
        let crl = self.crl();
        if now > crl.next_update() {
            return Err(DoorError::StaleRevocationList { next_update: crl.next_update() });
        }
        if crl.revokes(&peer.serial) {
            return Err(DoorError::Revoked);
        }
        if now > peer.not_after {
            return Err(DoorError::Expired { at: peer.not_after });
        }
        if now < peer.not_before {
            return Err(DoorError::NotYetValid { from: peer.not_before });
        }
        let found = peer.identity.role();
        if !roles.contains(&found) {
            return Err(DoorError::WrongRole { found });
        }
        Ok(())
    }

    /// Judges a certificate that came inside a message: everything [`Gate::admit`] does, and the chain.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn admit_der(
        &self,
        cert_der: &[u8],
        roles: &[Role],
        now: Timestamp,
    ) -> Result<PeerCertificate, DoorError> {
        let peer = verify_chain(cert_der, &self.root, Some(&self.crl()), now)?;
        self.admit(&peer, roles, now)?;
        Ok(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::RevocationBook;
    use crate::testing::{at, days, issue_for, root};

    #[test]
    fn an_older_list_is_not_accepted() {
        let root = root();
        let mut book = RevocationBook::default();
        let first = book.sign(&root, at(), days(7)).unwrap();
        let second = book.sign(&root, at(), days(7)).unwrap();
        let gate = Gate::new(root.certificate_der(), second.clone());
        assert_eq!(gate.install(first), Err(DoorError::OlderRevocationList { held: 2, offered: 1 }));
        assert_eq!(gate.crl().number(), 2);
        assert_eq!(gate.install(second), Ok(()));
    }

    #[test]
    fn a_certificate_stops_at_the_next_request_after_its_revocation() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let peer = PeerCertificate::parse(&der).unwrap();
        let mut book = RevocationBook::default();
        let gate = Gate::new(root.certificate_der(), book.sign(&root, at(), days(7)).unwrap());
        assert_eq!(gate.admit(&peer, &[Role::Node], at()), Ok(()));
        book.revoke(peer.serial.clone(), at());
        gate.install(book.sign(&root, at(), days(7)).unwrap()).unwrap();
        assert_eq!(gate.admit(&peer, &[Role::Node], at()), Err(DoorError::Revoked));
        assert_eq!(gate.admit_der(&der, &[Role::Node], at()), Err(DoorError::Revoked));
    }

    #[test]
    fn a_stale_list_admits_nobody() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let peer = PeerCertificate::parse(&der).unwrap();
        let crl = RevocationBook::default().sign(&root, at(), days(7)).unwrap();
        let gate = Gate::new(root.certificate_der(), crl);
        let late = gate.admit(&peer, &[Role::Node], at() + days(8));
        assert_eq!(late, Err(DoorError::StaleRevocationList { next_update: at() + days(7) }));
    }

    #[test]
    fn a_node_where_a_region_is_expected_is_refused() {
        let root = root();
        let (_, der) = issue_for(&root, "urn:samman:node:2180", at(), 90);
        let crl = RevocationBook::default().sign(&root, at(), days(7)).unwrap();
        let gate = Gate::new(root.certificate_der(), crl);
        let refused = gate.admit_der(&der, &[Role::Region, Role::National], at());
        assert_eq!(refused, Err(DoorError::WrongRole { found: Role::Node }));
        assert!(gate.admit_der(&der, &[Role::Node], at()).is_ok());
    }
}
