//! What two replicas must have alike, beside the store they share: keys that lie in files.
//!
//! What it does not do: it copies no key. A fingerprint is stored, of keys with 256 random bits, from which nothing follows.

use anyhow::bail;
use daemon::store::{Batch, Store};
use sha2::{Digest as _, Sha256};

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
    use daemon::store::MemoryStore;

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
