//! The durable store: keys and values, committed in atomic batches (KEEP-1).
//!
//! What it does not do: it knows no fact it holds, does not encrypt (the disk's encryption is the operator's), and
//! blocks while it writes: asynchronous callers use `spawn_blocking`.
//!
//! Invariants:
//! - A batch is applied whole or not at all, and `commit` returns `Ok` only after it is on disk.
//! - A `commit` that returned an error other than a refusal ([`StoreError::is_refusal`]) may or may not be found
//!   after the next opening; the store refuses all further work until then. Callers' messages are idempotent.
//! - One process has a store open; who was superseded cannot write any more (fence).
//! - No value, and no part of one, appears in an error, a log line or a `Debug` text.

pub mod archive;
mod digest;
mod files;
mod journal;
mod lock;
mod memory;
mod sled_store;
mod tree;
pub mod version;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use memory::{FailPoints, Image, MemoryDisk, MemoryStore};
pub use sled_store::{SledStore, StoreOptions};

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;

/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Longest value, bytes: a leader share of 50,000 cells is 13 MB.
pub const MAX_VALUE_BYTES: usize = 64 * 1024 * 1024;
/// Longest batch, bytes of keys and values together.
pub const MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;

/// Why a store could not be opened, read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{path}: another process has this store open; stop it first")]
    Locked {
        /// The store's directory or database.
        path: PathBuf,
    },
    /// Written by a later release.
    #[error(
        "{path}: the store has version {found}, this program knows {known}: use the release that wrote it, or a later one"
    )]
    Version {
        /// The store's directory or database.
        path: PathBuf,
        /// What the store says.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// A database does not do what was asked; what it says in its own words is never shown.
    #[error("{path}: {what}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What is wrong and what to do, without any content.
        what: String,
    },
    /// Neither the tree nor the journal is whole.
    #[error("{path}: {what}; restore this directory from a backup, do not delete it")]
    Corrupt {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong, without any content.
        what: &'static str,
    },
    /// No room; nothing was changed.
    #[error("{path}: the disk is full; nothing was changed. Make room and try again")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The disk said something else.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A later opening has taken over, or the batch was meant for another one.
    #[error("fence {expected} was expected, {current} is in force: another process has taken over")]
    Fenced {
        /// Fence of the batch or handle.
        expected: u64,
        /// Fence in force.
        current: u64,
    },
    /// The tree failed under us; the journal has everything.
    #[error("{path}: the tree failed ({what}); it is rebuilt from the journal at the next start")]
    Tree {
        /// The tree's directory.
        path: PathBuf,
        /// sled's words, which hold no content.
        what: String,
    },
    /// An earlier commit failed halfway: open the store again.
    #[error("{path}: an earlier commit failed; the store must be opened again")]
    Halted {
        /// The store's directory.
        path: PathBuf,
    },
    /// A key is empty or too long.
    #[error("a key of {bytes} bytes: 1 to {MAX_KEY_BYTES} are allowed")]
    Key {
        /// Its length.
        bytes: usize,
    },
    /// A value is too long.
    #[error("{key}: a value of {bytes} bytes: at most {MAX_VALUE_BYTES} are allowed")]
    Value {
        /// Where it was to go.
        key: String,
        /// Its length.
        bytes: usize,
    },
    /// A batch is too long.
    #[error("a batch of {bytes} bytes: at most {MAX_BATCH_BYTES} are allowed")]
    Batch {
        /// Its length.
        bytes: usize,
    },
}

impl StoreError {
    /// Whether nothing was changed for certain and the store works on.
    pub fn is_refusal(&self) -> bool {
        use StoreError as E;
        matches!(
            self,
            E::Full { .. }
                | E::Fenced { .. }
                | E::Key { .. }
                | E::Value { .. }
                | E::Batch { .. }
                | E::Locked { .. }
        )
    }

    fn io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as K;
        match source.kind() {
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => StoreError::Full { path: path.to_owned() },
            _ => StoreError::Io { path: path.to_owned(), source },
        }
    }
}

/// Changes that belong together. A later change of the same key replaces an earlier one.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<String, Option<Vec<u8>>>,
    expect_fence: Option<u64>,
}

impl Batch {
    /// No change yet.
    pub fn new() -> Self {
        Batch::default()
    }

    /// Writes `value` under `key`.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.changes.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes `key`, if it is there.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.changes.insert(key.into(), None);
        self
    }

    /// Only to be applied while this fence is in force.
    #[must_use]
    pub fn expect_fence(mut self, fence: u64) -> Self {
        self.expect_fence = Some(fence);
        self
    }

    /// Adds another batch's changes after these; its fence, where it has one, replaces this one's.
    #[must_use]
    pub fn and(mut self, other: Batch) -> Self {
        self.changes.extend(other.changes);
        self.expect_fence = other.expect_fence.or(self.expect_fence);
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes, ascending by key; `None` deletes.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.changes.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// Whether it stays within the limits. A store asks before it writes.
    ///
    /// # Errors
    /// [`StoreError::Key`], [`StoreError::Value`], [`StoreError::Batch`].
    pub fn check(&self) -> Result<(), StoreError> {
        let mut total = 0;
        for (key, value) in &self.changes {
            check_key(key)?;
            let bytes = value.as_ref().map_or(0, Vec::len);
            if bytes > MAX_VALUE_BYTES {
                return Err(StoreError::Value { key: key.clone(), bytes });
            }
            total += key.len() + bytes;
        }
        if total > MAX_BATCH_BYTES {
            return Err(StoreError::Batch { bytes: total });
        }
        Ok(())
    }

    /// Whether it may be applied under this fence. A store asks before it writes.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub fn check_fence(&self, current: u64) -> Result<(), StoreError> {
        match self.expect_fence {
            Some(expected) if expected != current => Err(StoreError::Fenced { expected, current }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.changes.iter().map(|(key, value)| (key, value.as_ref().map(Vec::len)));
        f.debug_map().entries(changes).finish()
    }
}

/// Whether a key has a length that is allowed.
///
/// # Errors
/// [`StoreError::Key`].
pub fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(StoreError::Key { bytes: key.len() });
    }
    Ok(())
}

/// How often a daemon asks whether its store still takes work.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Returns when the store has halted after a failed write (a full disk, say), or when another process has taken over. It is opened again, and its journal read
/// back, only at a start: so a daemon ends with this, and whoever keeps it running starts it again.
pub async fn halted(store: std::sync::Arc<dyn Store>) -> StoreError {
    loop {
        if let Err(error @ (StoreError::Halted { .. } | StoreError::Fenced { .. })) = store.get("halted") {
            return error;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What [`Store::each`] shows entries to.
pub type Visit<'a> = dyn FnMut(&str, &[u8]) -> Result<(), StoreError> + 'a;

/// A durable map from keys (text, parts divided by `/`) to bytes.
pub trait Store: Send + Sync {
    /// The fence of this opening; greater at every opening.
    fn fence(&self) -> u64;

    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError::Halted`] after a failed commit, [`StoreError::Tree`].
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All keys that begin with `prefix`, ascending, with their values.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// The same without values.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Shows every entry, ascending by key, as of one instant: a backup. Whether commits wait meanwhile is the store's.
    ///
    /// # Errors
    /// As [`Store::get`], and what `visit` returns: that ends it.
    fn each(&self, visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// Applies a batch, whole; on disk when this returns `Ok` (KEEP-1).
    ///
    /// # Errors
    /// [`StoreError`]; see [`StoreError::is_refusal`].
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}
