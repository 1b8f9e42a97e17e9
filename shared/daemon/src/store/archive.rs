//! A store as one file: a backup, and the way from one kind of store to another.
//!
//! What it does not do: it does not encrypt. The file holds what the store holds, keys and shares included, and is its owner's
//! alone; it must lie where the store could lie, and never beside another party's.
//!
//! Form: `SAMMANL1` · when it was made, Unix seconds i64 · per entry: key length u16 (never 0), key, value length u32, value ·
//! u16 0 · number of entries u64 · SHA-256 of everything before it. All numbers little endian.
//!
//! Invariants:
//! - A file is whole or it is not there: written aside, fsynced, renamed. It is never written over.
//! - Nothing is imported before the digest over the whole file was found right, and only into an empty store.
//! - An import that broke off leaves a mark, under which no daemon opens the store; it may be made again.
//! - What was imported may be old: the store says so ([`restored`]) until a person has answered for it ([`confirm`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Batch, MAX_KEY_BYTES, MAX_VALUE_BYTES, Store, StoreError, files};

const MAGIC: &[u8; 8] = b"SAMMANL1";
/// Stands in a store while entries are brought into it.
pub(super) const IMPORTING: &str = "lager/import";
/// What opening such a store says.
pub(super) const BROKEN_OFF: &str =
    "an import into this store broke off; run `coordinator lager import` with the same file again";
/// Stands in a store that was made from a file, until [`confirm`]: when the file was made.
const RESTORED: &str = "lager/restored";
/// Entries are imported in batches of about so many bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Length of the digest at the end.
const DIGEST_BYTES: u64 = 32;

/// Why there is no file, or why it was not imported.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file's.
    #[error("{file}: {source}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is not one of these, was cut, or was changed; nothing was imported.
    #[error("{file}: {what}; nothing was imported", file = file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What is wrong, without any content.
        what: &'static str,
    },
    /// There is something in the store already.
    #[error("the store holds {entries} entries; a file is imported only into an empty one")]
    NotEmpty {
        /// How many.
        entries: usize,
    },
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// When it was made, Unix seconds.
    pub made: i64,
    /// Entries.
    pub entries: u64,
    /// Length of the file.
    pub bytes: u64,
}

/// Writes everything a store holds, as of one instant, to a new file.
///
/// # Errors
/// [`ArchiveError`]; then there is no such file.
pub fn export(store: &dyn Store, file: &Path, now: i64) -> Result<Summary, ArchiveError> {
    let error = |source| ArchiveError::File { file: file.to_owned(), source };
    if file.exists() {
        return Err(error(io::ErrorKind::AlreadyExists.into()));
    }
    let mut aside = file.as_os_str().to_owned();
    aside.push(".partial");
    let aside = PathBuf::from(aside);
    let written = write(store, &aside, now);
    let placed = written.and_then(|summary| {
        let placed = fs::rename(&aside, file).and_then(|()| std::path::absolute(file));
        placed.and_then(|file| files::sync_parent(&file)).map_err(error)?;
        Ok(summary)
    });
    if placed.is_err() {
        // best effort: what is left of it has another name and no digest
        let _ = fs::remove_file(&aside);
    }
    placed
}

/// Everything that is written is hashed.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: io::Write> Hashing<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn entry(&mut self, key: &str, value: &[u8]) -> io::Result<()> {
        // infallible: keys and values were checked against their limits, which fit u16 and u32.
        self.put(&(key.len() as u16).to_le_bytes())?;
        self.put(key.as_bytes())?;
        self.put(&(value.len() as u32).to_le_bytes())?;
        self.put(value)
    }
}

fn write(store: &dyn Store, aside: &Path, now: i64) -> Result<Summary, ArchiveError> {
    let error = |source| ArchiveError::File { file: aside.to_owned(), source };
    let to = BufWriter::with_capacity(1 << 20, create(aside).map_err(error)?);
    let mut out = Hashing { to, hash: Sha256::new(), bytes: 0 };
    out.put(MAGIC).and_then(|()| out.put(&now.to_le_bytes())).map_err(error)?;
    let mut entries = 0u64;
    store.each(&mut |key, value| {
        entries += 1;
        out.entry(key, value).map_err(|source| StoreError::io(aside, source))
    })?;
    out.put(&0u16.to_le_bytes()).and_then(|()| out.put(&entries.to_le_bytes())).map_err(error)?;
    let digest = out.hash.finalize();
    out.to.write_all(&digest).map_err(error)?;
    let file = out.to.into_inner().map_err(|e| error(e.into_error()))?;
    file.sync_all().map_err(error)?;
    Ok(Summary { made: now, entries, bytes: out.bytes + DIGEST_BYTES })
}

/// A new file for its owner's eyes only: what lies there, left over or put there for us to write into, may be open to others.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Brings everything of a file into an empty store.
///
/// # Errors
/// [`ArchiveError`]; after [`ArchiveError::Store`] the import may be made again with the same file.
pub fn import(store: &dyn Store, file: &Path) -> Result<Summary, ArchiveError> {
    let summary = verify(file)?;
    clear_for_import(store)?;
    let mut source = Reading::open(file)?;
    let mut batch = Batch::new();
    let mut bytes = 0;
    while let Some((key, value)) = source.entry()? {
        bytes += key.len() + value.len();
        batch = batch.put(key, value);
        if bytes >= BATCH_BYTES {
            store.commit(std::mem::take(&mut batch).put(IMPORTING, "1"))?;
            bytes = 0;
        }
    }
    // The last batch takes the mark away and says what the store is now: whole, and perhaps old.
    store.commit(batch.delete(IMPORTING).put(RESTORED, summary.made.to_string()))?;
    Ok(summary)
}

/// An import that broke off is undone; anything else in the store is a reason not to begin.
fn clear_for_import(store: &dyn Store) -> Result<(), ArchiveError> {
    let keys = store.keys("")?;
    if keys.is_empty() {
        return Ok(store.commit(Batch::new().put(IMPORTING, "1"))?);
    }
    if store.get(IMPORTING)?.is_none() {
        return Err(ArchiveError::NotEmpty { entries: keys.len() });
    }
    let rest = keys.into_iter().filter(|key| key != IMPORTING);
    Ok(store.commit(rest.fold(Batch::new(), Batch::delete))?)
}

/// Reads a whole file and compares its digest.
///
/// # Errors
/// [`ArchiveError::Damaged`], [`ArchiveError::File`].
pub fn verify(file: &Path) -> Result<Summary, ArchiveError> {
    let mut source = Reading::open(file)?;
    while source.entry()?.is_some() {}
    let error = |source| ArchiveError::File { file: file.to_owned(), source };
    let mut open = File::open(file).map_err(error)?;
    let mut hash = Sha256::new();
    io::copy(&mut (&mut open).take(source.length - DIGEST_BYTES), &mut hash).map_err(error)?;
    let mut digest = [0; DIGEST_BYTES as usize];
    open.seek(SeekFrom::Start(source.length - DIGEST_BYTES)).map_err(error)?;
    open.read_exact(&mut digest).map_err(error)?;
    if digest != <[u8; 32]>::from(hash.finalize()) {
        return Err(source.damaged("its digest is not that of its content"));
    }
    Ok(Summary { made: source.made, entries: source.entries, bytes: source.length })
}

/// A file being read, within the store's limits.
struct Reading {
    file: PathBuf,
    from: BufReader<File>,
    length: u64,
    left: u64,
    made: i64,
    entries: u64,
}

impl Reading {
    fn open(file: &Path) -> Result<Self, ArchiveError> {
        let error = |source| ArchiveError::File { file: file.to_owned(), source };
        let open = File::open(file).map_err(error)?;
        let length = open.metadata().map_err(error)?.len();
        let from = BufReader::with_capacity(1 << 20, open);
        let mut reading = Reading {
            file: file.to_owned(),
            from,
            length,
            left: length.saturating_sub(DIGEST_BYTES),
            made: 0,
            entries: 0,
        };
        if reading.array::<8>()? != *MAGIC {
            return Err(reading.damaged("this is not a store's file of this version"));
        }
        reading.made = i64::from_le_bytes(reading.array()?);
        Ok(reading)
    }

    fn damaged(&self, what: &'static str) -> ArchiveError {
        ArchiveError::Damaged { file: self.file.clone(), what }
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, ArchiveError> {
        // before any room is made for it: the length is the file's word only
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| self.damaged("it was cut"))?;
        let mut bytes = vec![0; count];
        let read = self.from.read_exact(&mut bytes);
        read.map_err(|source| ArchiveError::File { file: self.file.clone(), source })?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| self.damaged("it was cut"))
    }

    fn entry(&mut self) -> Result<Option<(String, Vec<u8>)>, ArchiveError> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length == 0 {
            let counted = u64::from_le_bytes(self.array()?) == self.entries;
            let whole = counted && self.left == 0;
            return if whole { Ok(None) } else { Err(self.damaged("it ends early, or more follows")) };
        }
        if length > MAX_KEY_BYTES {
            return Err(self.damaged("a key is too long"));
        }
        let key = String::from_utf8(self.bytes(length)?).map_err(|_| self.damaged("a key is not text"))?;
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length > MAX_VALUE_BYTES {
            return Err(self.damaged("a value is too long"));
        }
        self.entries += 1;
        Ok(Some((key, self.bytes(length)?)))
    }
}

/// Whether the store was made from a file nobody has answered for yet: when that was made, Unix seconds.
///
/// # Errors
/// The store's.
pub fn restored(store: &dyn Store) -> Result<Option<i64>, StoreError> {
    let made = store.get(RESTORED)?;
    // whatever stands there, something does
    Ok(made.map(|text| std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)))
}

/// Says that the store is an old one, put back by other means than [`import`].
///
/// # Errors
/// The store's.
pub fn mark_restored(store: &dyn Store, made: i64) -> Result<(), StoreError> {
    store.commit(Batch::new().put(RESTORED, made.to_string()))
}

/// A person answers for it that nothing was opened after the file was made.
///
/// # Errors
/// The store's.
pub fn confirm(store: &dyn Store) -> Result<(), StoreError> {
    store.commit(Batch::new().delete(RESTORED))
}
