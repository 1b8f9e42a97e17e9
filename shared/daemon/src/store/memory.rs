//! A store in memory for simulations: crashes, full disks, lost answers and old backups on demand.
//!
//! What it does not do: it is not durable; the "disk" is what outlives a handle.
//!
//! Invariants: it refuses and halts as `SledStore` does, so that a simulation meets the same errors.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, Store, StoreError, Visit, check_key};

/// When commits fail. Commits are counted from 1 over the life of the disk; each point fires once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailPoints {
    /// This commit fails and leaves nothing behind; the handle halts.
    pub before_commit: Option<u64>,
    /// This commit is durable, and yet its caller gets an error; the handle halts.
    pub after_commit: Option<u64>,
    /// From this commit on the disk is full, until the point is taken away.
    pub full_from: Option<u64>,
}

/// A copy of everything a disk held at one time: a backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    entries: BTreeMap<String, Vec<u8>>,
    fence: u64,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} entries, fence {})", self.entries.len(), self.fence)
    }
}

struct Shared {
    image: Image,
    commits: u64,
    fail: FailPoints,
}

/// What outlives a crash. Clones are the same disk.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<Shared>>);

impl Default for MemoryDisk {
    fn default() -> Self {
        MemoryDisk::new()
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        MemoryDisk::from_image(Image { entries: BTreeMap::new(), fence: 0 })
    }

    /// A disk restored from a backup, which may be old.
    pub fn from_image(image: Image) -> Self {
        MemoryDisk(Arc::new(Mutex::new(Shared { image, commits: 0, fail: FailPoints::default() })))
    }

    /// A backup of what is durable now.
    pub fn image(&self) -> Image {
        self.shared().image.clone()
    }

    /// Sets the points of failure.
    pub fn fail(&self, points: FailPoints) {
        self.shared().fail = points;
    }

    /// Commits so far, failed ones included.
    pub fn commits(&self) -> u64 {
        self.shared().commits
    }

    /// A process starts: handles opened before are fenced off.
    pub fn open(&self) -> MemoryStore {
        let mut shared = self.shared();
        shared.image.fence += 1;
        MemoryStore { disk: self.clone(), fence: shared.image.fence, halted: Mutex::new(false) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One opening of a [`MemoryDisk`].
pub struct MemoryStore {
    disk: MemoryDisk,
    fence: u64,
    halted: Mutex<bool>,
}

impl MemoryStore {
    /// A store on a disk of its own.
    pub fn new() -> Self {
        MemoryDisk::new().open()
    }

    /// The disk below.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    fn check_halted(&self) -> Result<(), StoreError> {
        match *self.halted.lock().unwrap_or_else(PoisonError::into_inner) {
            true => Err(StoreError::Halted { path: path() }),
            false => Ok(()),
        }
    }

    fn halt(&self) -> StoreError {
        *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        StoreError::Io { path: path(), source: io::Error::other("injected fault") }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

fn path() -> PathBuf {
    PathBuf::from("memory")
}

impl Store for MemoryStore {
    fn fence(&self) -> u64 {
        self.fence
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        self.check_halted()?;
        Ok(self.disk.shared().image.entries.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.check_halted()?;
        let shared = self.disk.shared();
        let from = shared.image.entries.range(prefix.to_owned()..);
        let matching = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(matching.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.scan(prefix)?.into_iter().map(|(key, _)| key).collect())
    }

    fn each(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.check_halted()?;
        let image = self.disk.image();
        image.entries.iter().try_for_each(|(key, value)| visit(key, value))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        self.check_halted()?;
        let mut shared = self.disk.shared();
        let current = shared.image.fence;
        if current != self.fence {
            return Err(StoreError::Fenced { expected: self.fence, current });
        }
        batch.check_fence(current)?;
        if batch.is_empty() {
            return Ok(());
        }
        shared.commits += 1;
        let number = shared.commits;
        if shared.fail.full_from.is_some_and(|from| number >= from) {
            return Err(StoreError::Full { path: path() });
        }
        if shared.fail.before_commit == Some(number) {
            return Err(self.halt());
        }
        for (key, value) in batch.changes {
            match value {
                Some(value) => shared.image.entries.insert(key, value),
                None => shared.image.entries.remove(&key),
            };
        }
        if shared.fail.after_commit == Some(number) {
            return Err(self.halt());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_fails_before_leaves_nothing_and_one_that_fails_after_is_there() {
        let disk = MemoryDisk::new();
        disk.fail(FailPoints { before_commit: Some(1), after_commit: Some(2), full_from: None });
        let store = disk.open();
        assert!(store.commit(Batch::new().put("a", "1")).is_err());
        assert!(matches!(store.get("a"), Err(StoreError::Halted { .. })));
        let store = disk.open();
        assert_eq!(store.get("a").unwrap(), None);
        assert!(store.commit(Batch::new().put("a", "2")).is_err());
        let store = disk.open();
        assert_eq!(store.get("a").unwrap(), Some(b"2".to_vec()));
    }

    #[test]
    fn a_full_disk_refuses_changes_nothing_and_works_again_when_there_is_room() {
        let store = MemoryStore::new();
        store.disk().fail(FailPoints { full_from: Some(1), ..FailPoints::default() });
        let refused = store.commit(Batch::new().put("a", "1")).unwrap_err();
        assert!(matches!(refused, StoreError::Full { .. }) && refused.is_refusal());
        assert_eq!(store.get("a").unwrap(), None);
        store.disk().fail(FailPoints::default());
        store.commit(Batch::new().put("a", "1")).unwrap();
    }

    #[test]
    fn a_restored_backup_is_the_past_and_the_superseded_handle_cannot_write() {
        let store = MemoryStore::new();
        store.commit(Batch::new().put("a", "1")).unwrap();
        let backup = store.disk().image();
        store.commit(Batch::new().put("a", "2")).unwrap();
        let restored = MemoryDisk::from_image(backup).open();
        assert_eq!(restored.get("a").unwrap(), Some(b"1".to_vec()));
        let _newer = store.disk().open();
        let refused = store.commit(Batch::new().put("a", "3"));
        assert!(matches!(refused, Err(StoreError::Fenced { expected: 1, current: 2 })));
    }
}
