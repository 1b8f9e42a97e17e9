//! What two replicas must have alike, beside the store they share: keys that lie in files, and the papers that grow old.
//!
//! What it does not do: it copies no key. A fingerprint is stored, of keys with 256 random bits, from which nothing follows.
//! Certificates and revocation lists are not secret; the active replica leaves its own in the store, since only it is renewed.

use anyhow::bail;
use daemon::pki::Crl;
use daemon::store::{Batch, Store};
use daemon::tls::Credentials;
use daemon::wallet::Wallet;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Where the active replica's certificate stands.
const CERTIFICATE: &str = "lager/papers/certificate";
/// Where its revocation list stands.
const REVOCATIONS: &str = "lager/papers/revocations";

/// Takes over what the last active replica had, where that is newer and of the same key: a standby's own papers grew old while
/// it waited. Then leaves the newest there.
///
/// # Errors
/// The store's and the wallet's. What is stored and cannot be used here is passed over.
pub fn take_papers(store: &dyn Store, wallet: &Wallet, now: Timestamp) -> anyhow::Result<()> {
    let (own, list) = wallet.load()?;
    let certificate = store.get(CERTIFICATE)?;
    let stored = certificate.and_then(|certificate| {
        Some(Credentials::new(certificate, own.root_der().to_vec(), wallet.key().ok()?))
    });
    let newer = stored.and_then(Result::ok).filter(|s| s.about().days_left(now) > own.about().days_left(now));
    let lists = store.get(REVOCATIONS)?.and_then(|list| Crl::parse(&list, own.root_der()).ok());
    let list = lists.filter(|stored| stored.number() > list.number()).unwrap_or(list);
    let credentials = newer.unwrap_or(own);
    wallet.store(credentials.certificate_der(), credentials.root_der(), list.der())?;
    leave_papers(store, wallet)
}

/// Leaves the wallet's papers in the store, if they are others than those there.
///
/// # Errors
/// The store's and the wallet's.
pub fn leave_papers(store: &dyn Store, wallet: &Wallet) -> anyhow::Result<()> {
    let (credentials, list) = wallet.load()?;
    let mut batch = Batch::new();
    for (key, paper) in [(CERTIFICATE, credentials.certificate_der()), (REVOCATIONS, list.der())] {
        if store.get(key)?.as_deref() != Some(paper) {
            batch = batch.put(key, paper);
        }
    }
    Ok(store.commit(batch)?)
}

/// Refuses when the store was begun with another key of this name; the first one to come is remembered.
///
/// # Errors
/// Another key, with what to do; the store's.
pub fn same_on_every_replica(store: &dyn Store, name: &str, key: &[u8]) -> anyhow::Result<()> {
    let fingerprint =
        Sha256::new().chain_update(b"samman/v1 replica\0").chain_update(key).finalize().to_vec();
    let at = format!("lager/same/{name}");
    match store.get(&at)? {
        None => Ok(store.commit(Batch::new().put(at, fingerprint))?),
        Some(known) if known == fingerprint => Ok(()),
        Some(_) => bail!(
            "{name} in the data directory is not the one this store was begun with; copy {name} from the other replica, or from a backup"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::identity::Identity;
    use daemon::pki::{Csr, Key, RevocationBook, Root};
    use daemon::store::MemoryStore;
    use jiff::SignedDuration;

    #[test]
    fn a_standby_takes_over_newer_papers_of_its_own_key_and_no_others() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let days = |count: i64| SignedDuration::from_hours(24 * count);
        let root = Root::create(now, days(3650)).unwrap();
        let identity: Identity = "urn:samman:region:21".parse().unwrap();
        let key = Key::generate().unwrap();
        let issue = |key: &Key, life| root.issue(&Csr::create(key).unwrap(), &identity, now, life).unwrap();
        let mut book = RevocationBook::default();
        let (first, second) =
            (book.sign(&root, now, days(7)).unwrap(), book.sign(&root, now, days(8)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let wallet = |name: &str, key: &Key, certificate: &[u8], list: &Crl| {
            let wallet = Wallet::new(folder.path().join(name));
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
            key.store(&folder.path().join(name).join("key.pem")).unwrap();
            wallet.store(certificate, root.certificate_der(), list.der()).unwrap();
            wallet
        };
        let (old, new) = (issue(&key, 10), issue(&key, 60));
        let (active, standby) =
            (wallet("active", &key, &new, &second), wallet("standby", &key, &old, &first));
        let store = MemoryStore::new();
        leave_papers(&store, &active).unwrap();
        take_papers(&store, &standby, now).unwrap();
        let (credentials, list) = standby.load().unwrap();
        assert_eq!((credentials.certificate_der(), list.number()), (&new[..], second.number()));
        // Enrolled anew, with another key: its own certificate stands, and is what the store has from now on.
        let other = Key::generate().unwrap();
        let fresh = issue(&other, 30);
        let enrolled = wallet("enrolled", &other, &fresh, &first);
        take_papers(&store, &enrolled, now).unwrap();
        let (credentials, list) = enrolled.load().unwrap();
        assert_eq!((credentials.certificate_der(), list.number()), (&fresh[..], second.number()));
        assert_eq!(store.get(CERTIFICATE).unwrap(), Some(fresh));
    }

    #[test]
    fn a_replica_with_another_key_is_refused_and_told_which() {
        let store = MemoryStore::new();
        same_on_every_replica(&store, "monsternyckel", &[1; 32]).unwrap();
        same_on_every_replica(&store, "monsternyckel", &[1; 32]).unwrap();
        same_on_every_replica(&store, "rot", &[2; 32]).unwrap();
        let error = same_on_every_replica(&store, "monsternyckel", &[3; 32]).unwrap_err().to_string();
        assert!(error.contains("copy monsternyckel from the other replica"), "{error}");
    }
}
