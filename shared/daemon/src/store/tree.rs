//! The tree: sled 0.34, held at arm's length.
//!
//! What it does not do: it is not trusted. sled's `flush` uses `sync_file_range` only, its large values lie in
//! files of their own that it never syncs, and it may panic on a damaged file; so everything is synced here,
//! every content is checked against its digest at opening, and a panic is an error.
//!
//! Invariants: content and digest are written in one sled batch; values shown were written by us.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;
use super::digest::{ContentDigest, entry_hash};
use super::files::sync_directory;
use super::journal::Change;

/// The digest's key; entries have `ENTRY` before their key.
const DIGEST: &[u8] = &[0];
const ENTRY: u8 = 1;
/// sled's threads let go of its file a moment after it is dropped: so often, so long, we try again.
const OPEN_TRIES: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// sled's page cache, bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

pub(super) struct Tree {
    path: PathBuf,
    db: sled::Db,
    digest: ContentDigest,
    /// sled names a large value's file by its log position, which grows: files up to here are synced.
    synced_blob: i64,
}

impl Tree {
    /// Opens or makes the tree and checks all of its content against its digest.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = guarded(path, || open_sled(path))?;
        let mut tree =
            Tree { path: path.to_owned(), db, digest: ContentDigest::default(), synced_blob: i64::MIN };
        let stored = tree.guarded(|tree| tree.db.get(DIGEST))?;
        if let Some(bytes) = stored {
            tree.digest =
                ContentDigest::decode(&bytes).ok_or_else(|| tree.broken("its digest is unreadable"))?;
        }
        let mut found = ContentDigest::default().at(tree.digest.sequence);
        for entry in tree.entries() {
            let (key, value) = entry?;
            found.add(&entry_hash(&key, &value));
        }
        if found != tree.digest {
            return Err(tree.broken("its content does not match its digest"));
        }
        tree.sync()?;
        Ok(tree)
    }

    pub(super) fn digest(&self) -> ContentDigest {
        self.digest
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.guarded(|tree| tree.db.get(stored_key(key)))?.map(|value| value.to_vec()))
    }

    /// All entries, ascending by key.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<(String, Vec<u8>), StoreError>> + '_ {
        self.prefixed("")
    }

    /// Entries whose key begins with `prefix`, ascending.
    pub(super) fn prefixed(
        &self,
        prefix: &str,
    ) -> impl Iterator<Item = Result<(String, Vec<u8>), StoreError>> + '_ {
        let mut iterator = self.db.scan_prefix(stored_key(prefix));
        std::iter::from_fn(move || {
            // A panic inside sled is an error of the tree like any other.
            let next = catch_unwind(AssertUnwindSafe(|| iterator.next()));
            let entry = match next {
                Ok(None) => return None,
                Ok(Some(Ok(entry))) => entry,
                Ok(Some(Err(error))) => return Some(Err(self.broken(&error.to_string()))),
                Err(_) => return Some(Err(self.broken("it panicked"))),
            };
            let key = String::from_utf8(entry.0[1..].to_vec());
            Some(key.map(|key| (key, entry.1.to_vec())).map_err(|_| self.broken("a key is not text")))
        })
    }

    /// Applies changes as batch number `sequence`. Not durable before [`Tree::sync`].
    pub(super) fn apply(&mut self, sequence: u64, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut digest = self.digest.at(sequence);
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            if let Some(old) = self.get(&key)? {
                digest.remove(&entry_hash(&key, &old));
            }
            match value {
                Some(value) => {
                    digest.add(&entry_hash(&key, &value));
                    batch.insert(stored_key(&key), value);
                }
                None => batch.remove(stored_key(&key)),
            }
        }
        batch.insert(DIGEST, digest.encode().to_vec());
        self.guarded(|tree| tree.db.apply_batch(batch))?;
        self.digest = digest;
        Ok(())
    }

    /// Makes everything applied durable: sled's flush, then fsync of each file it wrote and of the directories.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.guarded(|tree| tree.db.flush())?;
        self.sync_files().map_err(|e| StoreError::io(&self.path, e))
    }

    fn sync_files(&mut self) -> io::Result<()> {
        File::open(self.path.join("db"))?.sync_all()?;
        let blobs = self.path.join("blobs");
        let mut newest = self.synced_blob;
        for entry in fs::read_dir(&blobs)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse::<i64>().ok());
            if let Some(number) = number.filter(|&number| number > self.synced_blob) {
                match File::open(entry.path()) {
                    Ok(file) => file.sync_all()?,
                    // Collected by sled since we listed it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                newest = newest.max(number);
            }
        }
        self.synced_blob = newest;
        sync_directory(&blobs)?;
        sync_directory(&self.path)
    }

    fn guarded<T>(&self, work: impl FnOnce(&Self) -> sled::Result<T>) -> Result<T, StoreError> {
        guarded(&self.path, || work(self))
    }

    fn broken(&self, what: &str) -> StoreError {
        StoreError::Tree { path: self.path.clone(), what: what.to_owned() }
    }
}

fn stored_key(key: &str) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(ENTRY);
    stored.extend_from_slice(key.as_bytes());
    stored
}

fn guarded<T>(path: &Path, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    let broken = |what: String| StoreError::Tree { path: path.to_owned(), what };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        // The journal decides what is full: here the batch is in it already.
        Ok(Err(error)) => Err(broken(error.to_string())),
        Err(_) => Err(broken("it panicked".to_owned())),
    }
}

fn open_sled(path: &Path) -> sled::Result<sled::Db> {
    // No background flushing: every commit flushes, and a thread of sled's could only fail unseen.
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let mut tries = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("lock") && tries < OPEN_TRIES => {
                tries += 1;
                std::thread::sleep(OPEN_PAUSE);
            }
            other => return other,
        }
    }
}
