//! The store of the daemons: a journal, and a tree that can be rebuilt from it (KEEP-1).
//!
//! What it does not do: it repairs nothing it cannot prove. Where neither journal nor tree is whole, opening is an
//! error that says *restore*.
//!
//! A commit is first appended to the journal and fsynced, then applied to the tree, flushed and fsynced, then
//! acknowledged. So the tree never shows what is not durable, both hold every acknowledged batch, and either can
//! be made again from the other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::digest::{ContentDigest, EntryHash, entry_hash};
use super::journal::{self, AppendError, End, Journal, PlaceError};
use super::lock::DirectoryLock;
use super::tree::Tree;
use super::{Batch, Store, StoreError, Visit, check_key, files};

/// How a store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// The journal is rewritten as a snapshot once it is longer than this, bytes, and twice its last snapshot.
    pub compact_above: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { compact_above: 256 * 1024 * 1024 }
    }
}

/// A durable store in a directory of its own.
pub struct SledStore {
    directory: PathBuf,
    options: StoreOptions,
    fence: u64,
    lock: DirectoryLock,
    inner: RwLock<Inner>,
}

struct Inner {
    journal: Journal,
    tree: Tree,
    /// Length of the journal when it was last a mere snapshot.
    snapshot_bytes: u64,
    halted: bool,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SledStore({}, fence {})", self.directory.display(), self.fence)
    }
}

impl SledStore {
    /// Opens or makes the store in `directory`, recovering what a crash left.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Corrupt`] (restore from a backup), [`StoreError::Io`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_with(directory, StoreOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_with(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        fs::create_dir_all(directory).map_err(|e| StoreError::io(directory, e))?;
        let lock = DirectoryLock::take(directory)?;
        let before = lock.fence()?;
        let fence = before.unwrap_or(0) + 1;
        let (journal, tree) = Recovery { directory, fence, was_open: before.is_some() }.run()?;
        // Last, so that a fence on disk says: a journal and a tree were here.
        lock.set_fence(fence)?;
        let inner = Inner { snapshot_bytes: journal.bytes(), journal, tree, halted: false };
        Ok(SledStore { directory: directory.to_owned(), options, fence, lock, inner: RwLock::new(inner) })
    }

    fn reading<T>(&self, work: impl FnOnce(&Tree) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if inner.halted {
            return Err(StoreError::Halted { path: self.directory.clone() });
        }
        work(&inner.tree)
    }

    fn check_own_fence(&self) -> Result<(), StoreError> {
        let current = self.lock.fence()?.unwrap_or(0);
        if current != self.fence {
            return Err(StoreError::Fenced { expected: self.fence, current });
        }
        Ok(())
    }
}

impl Store for SledStore {
    fn fence(&self) -> u64 {
        self.fence
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        self.reading(|tree| tree.get(key))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.reading(|tree| tree.prefixed(prefix).collect())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.reading(|tree| tree.prefixed(prefix).map(|entry| entry.map(|(key, _)| key)).collect())
    }

    /// Commits wait until the last entry was shown; readers do not.
    fn each(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.reading(|tree| {
            for entry in tree.entries() {
                let (key, value) = entry?;
                visit(&key, &value)?;
            }
            Ok(())
        })
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.halted {
            return Err(StoreError::Halted { path: self.directory.clone() });
        }
        self.check_own_fence()?;
        batch.check_fence(self.fence)?;
        if batch.is_empty() {
            return Ok(());
        }
        inner.commit(batch)?;
        inner.compact_if_long(self.options.compact_above);
        Ok(())
    }
}

impl Inner {
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let changes = batch.changes.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        match self.journal.append(changes) {
            Ok(()) => {}
            Err(AppendError::Undone(error)) => return Err(StoreError::io(self.journal.path(), error)),
            Err(AppendError::Unknown(source)) => {
                self.halted = true;
                return Err(StoreError::Io { path: self.journal.path().to_owned(), source });
            }
        }
        let sequence = self.tree.digest().sequence + 1;
        let applied = self.tree.apply(sequence, batch.changes.into_iter().collect());
        // KEEP-1: both are on disk before the caller may acknowledge anything.
        let durable = applied.and_then(|()| self.tree.sync());
        self.halted = durable.is_err();
        durable.map_err(|error| match error {
            // The batch is in the journal: "nothing was changed" would be wrong.
            StoreError::Full { path } => StoreError::Tree { path, what: "the disk is full".to_owned() },
            other => other,
        })
    }

    /// The batch is safe already, so a failure here is a warning and the old journal goes on, until it is twice
    /// as long. Only where it is unknown which of the two a restart would find, nothing more may be written.
    fn compact_if_long(&mut self, above: u64) {
        if self.journal.bytes() <= above.max(2 * self.snapshot_bytes) {
            return;
        }
        let before = self.journal.bytes();
        self.snapshot_bytes = before;
        let path = self.journal.path().to_owned();
        let written = Journal::write_aside(&path, self.tree.digest().sequence, self.tree.entries());
        let placed = written.map(|journal| (journal.take_place(), journal));
        match placed {
            Ok((Ok(()), journal)) => {
                tracing::info!(before, after = journal.bytes(), "journal compacted");
                self.snapshot_bytes = journal.bytes();
                self.journal = journal;
            }
            Ok((Err(PlaceError::Unknown(error)), _)) => {
                self.halted = true;
                tracing::error!(%error, "the compacted journal may not last; the store must be opened again");
            }
            Ok((Err(PlaceError::AsBefore(error)), _)) => {
                tracing::warn!(%error, "the journal was not compacted")
            }
            Err(error) => tracing::warn!(%error, "the journal was not compacted"),
        }
    }
}

/// What a journal says at opening.
struct Journaled {
    end: End,
    digest: ContentDigest,
}

/// Making journal and tree agree. The newest of the two that proves itself whole wins; at the same number the
/// journal does.
struct Recovery<'a> {
    directory: &'a Path,
    fence: u64,
    was_open: bool,
}

impl Recovery<'_> {
    fn run(&self) -> Result<(Journal, Tree), StoreError> {
        let (journal_path, tree_path) = (self.directory.join("journal"), self.directory.join("tree"));
        let (has_journal, has_tree) = (journal_path.exists(), tree_path.exists());
        if !has_journal && !has_tree {
            return self.fresh(&journal_path, &tree_path);
        }
        let journaled = has_journal.then(|| read_journal(&journal_path));
        let tree = has_tree.then(|| Tree::open(&tree_path));
        match (journaled, tree) {
            // An input or output error is not corruption: nothing is moved, the operator may try again.
            (Some(Err(Unread { error, .. })), _) if !matches!(error, StoreError::Corrupt { .. }) => {
                Err(error)
            }
            (Some(Ok(journaled)), Some(Ok(tree))) if tree.digest().sequence <= journaled.digest.sequence => {
                self.catch_up(&journal_path, journaled, tree)
            }
            (Some(Ok(journaled)), Some(Err(error))) => {
                tracing::warn!(%error, "the tree is rebuilt from the journal");
                self.rebuild_tree(&journal_path, journaled)
            }
            (Some(Ok(journaled)), None) => self.rebuild_tree(&journal_path, journaled),
            (Some(Ok(_)), Some(Ok(tree))) => self.rebuild_journal(&journal_path, tree),
            (Some(Err(Unread { reached, .. })), Some(Ok(tree))) if tree.digest().sequence >= reached => {
                self.rebuild_journal(&journal_path, tree)
            }
            (None, Some(Ok(tree))) if self.was_open => self.rebuild_journal(&journal_path, tree),
            _ => Err(StoreError::Corrupt {
                path: self.directory.to_owned(),
                what: "neither the journal nor the tree is whole",
            }),
        }
    }

    fn fresh(&self, journal_path: &Path, tree_path: &Path) -> Result<(Journal, Tree), StoreError> {
        if self.was_open {
            let what = "journal and tree are gone";
            return Err(StoreError::Corrupt { path: self.directory.to_owned(), what });
        }
        let journal = Journal::snapshot(journal_path, 0, std::iter::empty())?;
        let tree = Tree::open(tree_path)?;
        files::sync_directory(self.directory).map_err(|e| StoreError::io(self.directory, e))?;
        Ok((journal, tree))
    }

    /// The ordinary case: the tree is as new as the journal, or a crash came between the two.
    fn catch_up(
        &self,
        journal_path: &Path,
        journaled: Journaled,
        mut tree: Tree,
    ) -> Result<(Journal, Tree), StoreError> {
        let applied = replay(journal_path, &mut tree);
        if applied.is_ok() && tree.digest() == journaled.digest {
            return Ok((Journal::open(journal_path, journaled.end)?, tree));
        }
        tracing::warn!("the tree disagrees with the journal and is rebuilt from it");
        drop(tree);
        self.rebuild_tree(journal_path, journaled)
    }

    /// Builds aside and renames, so that a half-built tree is never taken for a whole one.
    fn rebuild_tree(&self, journal_path: &Path, journaled: Journaled) -> Result<(Journal, Tree), StoreError> {
        let (tree_path, aside) = (self.directory.join("tree"), self.directory.join("tree.rebuilding"));
        let io = |e| StoreError::io(&aside, e);
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io)?;
        }
        let mut tree = Tree::open(&aside)?;
        replay(journal_path, &mut tree)?;
        if tree.digest() != journaled.digest {
            let what = "the tree cannot be rebuilt from the journal";
            return Err(StoreError::Corrupt { path: self.directory.to_owned(), what });
        }
        drop(tree);
        self.set_aside(&tree_path)?;
        fs::rename(&aside, &tree_path).and_then(|()| files::sync_parent(&tree_path)).map_err(io)?;
        Ok((Journal::open(journal_path, journaled.end)?, Tree::open(&tree_path)?))
    }

    /// The journal is damaged, gone or behind; the tree matches its digest.
    fn rebuild_journal(&self, journal_path: &Path, tree: Tree) -> Result<(Journal, Tree), StoreError> {
        tracing::warn!("the journal is written anew from the tree");
        self.set_aside(journal_path)?;
        let journal = Journal::snapshot(journal_path, tree.digest().sequence, tree.entries())?;
        Ok((journal, tree))
    }

    /// Nothing damaged is deleted: somebody may want to look at it.
    fn set_aside(&self, path: &Path) -> Result<(), StoreError> {
        if !path.exists() {
            return Ok(());
        }
        let aside = path.with_extension(format!("broken-{}", self.fence));
        fs::rename(path, &aside).and_then(|()| files::sync_parent(path)).map_err(|e| StoreError::io(path, e))
    }
}

/// A journal that could not be read to its end, and the number of the last batch before the fault.
struct Unread {
    error: StoreError,
    reached: u64,
}

/// Reads the whole journal and works out the content's digest, holding hashes and not values.
fn read_journal(path: &Path) -> Result<Journaled, Unread> {
    let mut reached = 0;
    let mut digest = ContentDigest::default();
    let mut hashes: BTreeMap<String, EntryHash> = BTreeMap::new();
    let read = journal::read(path, |sequence, changes| {
        reached = sequence;
        for (key, value) in changes {
            let new = value.map(|value| entry_hash(&key, &value));
            let old = match new {
                Some(hash) => hashes.insert(key, hash),
                None => hashes.remove(&key),
            };
            old.iter().for_each(|hash| digest.remove(hash));
            new.iter().for_each(|hash| digest.add(hash));
        }
    });
    match read {
        Ok(end) => Ok(Journaled { end, digest: digest.at(end.sequence) }),
        Err(error) => Err(Unread { error, reached }),
    }
}

/// Applies the journal's records that the tree lacks, and makes them durable.
fn replay(journal_path: &Path, tree: &mut Tree) -> Result<(), StoreError> {
    let from = tree.digest().sequence;
    let empty = tree.digest() == ContentDigest::default();
    let mut failed = None;
    let end = journal::read(journal_path, |sequence, changes| {
        // Snapshot records all bear the base number: a tree made anew needs them too.
        if failed.is_none() && (sequence > from || empty) {
            failed = tree.apply(sequence, changes).err();
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if tree.digest().sequence < end.sequence {
        // A snapshot of nothing: the number alone.
        tree.apply(end.sequence, Vec::new())?;
    }
    tree.sync()
}
