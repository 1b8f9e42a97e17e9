//! The kommun's own record of every message that left: appended and flushed before the message is sent.
//!
//! One file of records; each holds the hash of the one before, so that a record cannot be changed or taken out
//! unnoticed, and a small file beside it names the newest, so that records cannot be cut off its end. It is the kommun's
//! own and protects it against mistakes and doubt, not against its own administrator.
//!
//! Record: length (4 bytes, big endian), postcard of [`Entry`], SHA-256 of those bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest record in bytes: a report and its heading.
const MAX_RECORD: usize = 128 << 20;

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A record that is not what was written.
    #[error("{path}: record {record} is not what was written")]
    Changed {
        /// Which file.
        path: PathBuf,
        /// Which record, from 1.
        record: u64,
    },
    /// Records are missing at the end.
    #[error("{path}: {found} records; {expected} were written")]
    Cut {
        /// Which file.
        path: PathBuf,
        /// How many there are.
        found: u64,
        /// How many there were.
        expected: u64,
    },
    /// Longer than a record can be.
    #[error("a message of {0} bytes is longer than the journal takes")]
    TooLong(usize),
}

/// One message that left.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1.
    pub number: u64,
    /// Unix time in seconds.
    pub at: i64,
    /// To whom: an identity.
    pub to: String,
    /// Which method.
    pub method: String,
    /// The message's bytes.
    pub body: Vec<u8>,
    /// Hash of the record before, zeros for the first.
    pub previous: [u8; 32],
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({} {}, {} bytes)", self.number, self.method, self.body.len())
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    number: u64,
    hash: [u8; 32],
}

/// The journal of a node.
pub struct Journal {
    path: PathBuf,
    state: Mutex<(File, Head)>,
}

/// What a reading of the whole journal found.
pub struct Reading {
    /// Every entry.
    pub entries: Vec<Entry>,
    head: Head,
    /// Bytes of a torn record at the end: a crash in mid-write, never sent.
    torn: u64,
    length: u64,
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> JournalError + '_ {
    |source| JournalError::File { path: path.to_path_buf(), source }
}

impl Journal {
    /// Opens the journal in a directory, checks it whole, and cuts off a torn record at its end.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        fs::create_dir_all(directory).map_err(file_error(directory))?;
        let path = directory.join("journal.log");
        let reading = read(directory)?;
        let options = OpenOptions::new().create(true).append(true).read(true).open(&path);
        let file = options.map_err(file_error(&path))?;
        if reading.torn > 0 {
            tracing::warn!("a torn record at the journal's end was never sent; it is cut off");
            file.set_len(reading.length - reading.torn).map_err(file_error(&path))?;
            file.sync_all().map_err(file_error(&path))?;
        }
        Ok(Self { path, state: Mutex::new((file, reading.head)) })
    }

    /// Writes a message down, durably; the message may be sent when this returned.
    ///
    /// # Errors
    /// [`JournalError`]; the message must not be sent then.
    pub fn append(&self, at: i64, to: &str, method: &str, body: Vec<u8>) -> Result<(), JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, head) = &mut *state;
        let (to, method) = (to.to_owned(), method.to_owned());
        let entry = Entry { number: head.number + 1, at, to, method, body, previous: head.hash };
        let bytes = postcard::to_allocvec(&entry).map_err(|_| JournalError::TooLong(entry.body.len()))?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= MAX_RECORD);
        let length = length.ok_or(JournalError::TooLong(bytes.len()))?;
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let record = [&length.to_be_bytes()[..], &bytes, &hash].concat();
        let before = file.metadata().map_err(file_error(&self.path))?.len();
        let written = file.write_all(&record).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // A full disk leaves a part of the record; the next record must not come after it.
            file.set_len(before).and_then(|()| file.sync_data()).map_err(file_error(&self.path))?;
            return Err(file_error(&self.path)(error));
        }
        *head = Head { number: entry.number, hash };
        write_head(&self.path, *head)
    }
}

fn head_path(journal: &Path) -> PathBuf {
    journal.with_extension("head")
}

fn write_head(journal: &Path, head: Head) -> Result<(), JournalError> {
    let path = head_path(journal);
    let partial = journal.with_extension("partial");
    let bytes = postcard::to_allocvec(&head).unwrap_or_default(); // infallible: two plain fields
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&partial, &path)).map_err(file_error(&path))
}

/// Reads and verifies the whole journal of a directory.
///
/// # Errors
/// [`JournalError::Changed`] or [`JournalError::Cut`] when it is not what was written.
pub fn read(directory: &Path) -> Result<Reading, JournalError> {
    let path = directory.join("journal.log");
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(mut file) => _ = file.read_to_end(&mut bytes).map_err(file_error(&path))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(&path)(error)),
    }
    let written = match fs::read(head_path(&path)) {
        Ok(bytes) => postcard::from_bytes(&bytes)
            .map_err(|_| JournalError::Changed { path: head_path(&path), record: 0 })?,
        Err(_) => Head::default(),
    };
    let mut reading =
        Reading { entries: Vec::new(), head: Head::default(), torn: 0, length: bytes.len() as u64 };
    let mut rest = bytes.as_slice();
    let mut held = written == Head::default();
    while !rest.is_empty() {
        let record = reading.head.number + 1;
        let changed = || JournalError::Changed { path: path.clone(), record };
        let Some((entry, hash, after)) = take(rest) else {
            // Only a record that was never acknowledged to the sender may be torn.
            if held {
                reading.torn = rest.len() as u64;
                break;
            }
            return Err(changed());
        };
        let entry: Entry = postcard::from_bytes(entry)
            .ok()
            .filter(|_| Sha256::digest(entry).as_slice() == hash)
            .ok_or_else(changed)?;
        if entry.number != record || entry.previous != reading.head.hash {
            return Err(changed());
        }
        let hash: [u8; 32] = hash.try_into().map_err(|_| changed())?;
        reading.head = Head { number: record, hash };
        held |= reading.head == written;
        reading.entries.push(entry);
        rest = after;
    }
    if !held {
        return Err(JournalError::Cut { path, found: reading.head.number, expected: written.number });
    }
    Ok(reading)
}

/// One record's entry bytes, its hash, and what follows.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_RECORD {
        return None;
    }
    let (entry, rest) = rest.split_at_checked(length)?;
    let (hash, rest) = rest.split_at_checked(32)?;
    Some((entry, hash, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(messages: u8) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        for message in 0..messages {
            journal.append(1, "urn:samman:region:21", "Declare", vec![message; 40]).unwrap();
        }
        directory
    }

    #[test]
    fn what_was_written_is_read_again_and_verifies_after_reopening() {
        let directory = journal(3);
        Journal::open(directory.path()).unwrap().append(2, "x", "Submit", vec![9]).unwrap();
        let reading = read(directory.path()).unwrap();
        assert_eq!(reading.entries.len(), 4);
        assert_eq!(reading.entries[3].body, [9]);
    }

    #[test]
    fn no_byte_can_be_changed_unnoticed() {
        let directory = journal(2);
        let path = directory.path().join("journal.log");
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(read(directory.path()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn records_cut_off_the_end_are_missed() {
        let directory = journal(3);
        let path = directory.path().join("journal.log");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 3 * 2]).unwrap();
        assert!(read(directory.path()).is_err());
        fs::write(&path, b"").unwrap();
        assert!(matches!(read(directory.path()), Err(JournalError::Cut { expected: 3, .. })));
    }

    #[test]
    fn a_record_torn_by_a_crash_is_cut_off_and_writing_goes_on() {
        let directory = journal(2);
        let path = directory.path().join("journal.log");
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0, 0, 0, 90, 1, 2, 3]);
        fs::write(&path, &bytes).unwrap();
        Journal::open(directory.path()).unwrap().append(3, "x", "y", vec![1]).unwrap();
        assert_eq!(read(directory.path()).unwrap().entries.len(), 3);
    }
}
