//! The version of what a store holds, and the way up from an older one; the same for every store.
//!
//! What it does not do: how a store keeps its keys (journal, tables) has a version of its own there. It never goes down.
//!
//! Invariants: the version stands in the store, and changes in the very batch that changes the content; a store of a later
//! release is refused before anything else is read. One without a version is empty, or of the release before versions: 1.

use std::path::Path;

use super::archive::{self, IMPORTING};
use super::{Batch, Store, StoreError};

/// Where the version stands.
const KEY: &str = "lager/version";
/// The version this release writes.
pub const VERSION: u32 = 2;

/// What leads from one version to the next: changes to be committed together with the new version.
type Step = fn(&dyn Store) -> Result<Batch, StoreError>;

/// The first leads from 1 to 2: the version itself is written, and nothing else changed.
const STEPS: [Step; VERSION as usize - 1] = [|_| Ok(Batch::new())];

/// Brings what the store holds up to [`VERSION`]; `place` is for the errors.
///
/// # Errors
/// [`StoreError::Version`] where a later release wrote it; [`StoreError::Corrupt`] where an import broke off, or the version
/// is no number; any other of the store's.
pub fn bring_up(store: &dyn Store, place: &Path) -> Result<(), StoreError> {
    if store.get(IMPORTING)?.is_some() {
        let what = archive::BROKEN_OFF;
        return Err(StoreError::Database { path: place.to_owned(), what: what.to_owned() });
    }
    steps(store, place, &STEPS)
}

fn steps(store: &dyn Store, place: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let known = steps.len() as u32 + 1;
    let found = match store.get(KEY)? {
        Some(text) => read(&text).ok_or_else(|| {
            let what = "its version is not a number";
            StoreError::Corrupt { path: place.to_owned(), what }
        })?,
        None if store.keys("")?.is_empty() => {
            return store.commit(Batch::new().put(KEY, known.to_string()));
        }
        None => 1,
    };
    if found > known || found == 0 {
        return Err(StoreError::Version { path: place.to_owned(), found, known });
    }
    for (from, step) in (1..known).zip(steps).skip_while(|(from, _)| *from < found) {
        store.commit(step(store)?.put(KEY, (from + 1).to_string()))?;
        tracing::info!(from, to = from + 1, store = %place.display(), "the store was brought up");
    }
    Ok(())
}

fn read(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FailPoints, MemoryDisk, MemoryStore};

    const RENAME: Step = |store| {
        let old = store.get("old")?.unwrap_or_default();
        Ok(Batch::new().delete("old").put("new", old))
    };
    const APPEND: Step = |store| {
        let mut new = store.get("new")?.unwrap_or_default();
        new.push(b'!');
        Ok(Batch::new().put("new", new))
    };

    fn version(store: &dyn Store) -> Option<Vec<u8>> {
        store.get(KEY).unwrap()
    }

    #[test]
    fn an_empty_store_is_new_and_one_without_a_version_is_the_oldest() {
        let store = MemoryStore::new();
        bring_up(&store, Path::new("x")).unwrap();
        assert_eq!(version(&store), Some(b"2".to_vec()));
        let store = MemoryStore::new();
        store.commit(Batch::new().put("old", "a")).unwrap();
        steps(&store, Path::new("x"), &[RENAME, APPEND]).unwrap();
        assert_eq!((version(&store), store.get("new").unwrap()), (Some(b"3".to_vec()), Some(b"a!".to_vec())));
        // And once more changes nothing.
        steps(&store, Path::new("x"), &[RENAME, APPEND]).unwrap();
        assert_eq!((store.get("old").unwrap(), store.get("new").unwrap()), (None, Some(b"a!".to_vec())));
    }

    /// KEEP-1: wherever the way up breaks off, going on gives the same.
    #[test]
    fn a_crash_on_the_way_up_loses_and_repeats_nothing() {
        for commit in 2..=3 {
            for after in [false, true] {
                let disk = MemoryDisk::new();
                disk.open().commit(Batch::new().put("old", "a")).unwrap();
                let at = Some(commit);
                let points = if after {
                    FailPoints { after_commit: at, ..FailPoints::default() }
                } else {
                    FailPoints { before_commit: at, ..FailPoints::default() }
                };
                disk.fail(points);
                assert!(steps(&disk.open(), Path::new("x"), &[RENAME, APPEND]).is_err());
                let store = disk.open();
                steps(&store, Path::new("x"), &[RENAME, APPEND]).unwrap();
                assert_eq!(store.get("new").unwrap(), Some(b"a!".to_vec()), "commit {commit}, after {after}");
            }
        }
    }

    #[test]
    fn a_later_release_s_store_is_refused_with_words() {
        let store = MemoryStore::new();
        store.commit(Batch::new().put(KEY, "3")).unwrap();
        let error = bring_up(&store, Path::new("/srv/lager")).unwrap_err();
        assert!(matches!(error, StoreError::Version { found: 3, known: 2, .. }), "{error}");
        assert!(error.to_string().starts_with("/srv/lager: the store has version 3"), "{error}");
        store.commit(Batch::new().put(KEY, "två")).unwrap();
        assert!(matches!(bring_up(&store, Path::new("x")), Err(StoreError::Corrupt { .. })));
    }
}
