//! The journal: every batch, in order, checksummed and chained, from which the tree can be rebuilt (KEEP-1).
//!
//! What it does not do: it does not interpret keys or values, and it keeps no index.
//!
//! Form: 16 bytes of head (`SAMMANJ1`, base sequence number), then records:
//! length of the body u32 · sequence u64 · head check 8 bytes · body check 32 bytes · body. All numbers little
//! endian. The head check is SHA-256 (first 8) of chain, length and sequence; the body check SHA-256 of chain,
//! sequence and body, and is the chain for the next record. Records with the base number hold a snapshot.
//!
//! Invariants: what `read` yields was appended in that order by us. A record that ends past the end of the file,
//! or the last one with a wrong body, or zeros, is a *torn tail*: a write that was never acknowledged. Anything
//! else that does not check is corruption, not a tail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{MAX_BATCH_BYTES, StoreError, files};

const MAGIC: &[u8; 8] = b"SAMMANJ1";
const FILE_HEAD: usize = 16;
const RECORD_HEAD: usize = 4 + 8 + 8 + 32;
/// Longest body: a full batch and its framing.
const MAX_BODY: usize = MAX_BATCH_BYTES + 64 * 1024 * 1024;

/// One change: a key and its value, or `None` where it is deleted.
pub(super) type Change = (String, Option<Vec<u8>>);

type Chain = [u8; 32];

/// Where a journal ends, after reading or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    chain: Chain,
    pub(super) sequence: u64,
    pub(super) bytes: u64,
    /// Whether an unacknowledged tail follows.
    pub(super) torn: bool,
}

/// An open journal, positioned at its end.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    end: End,
}

/// Reads a journal, handing each record's changes to `each`.
pub(super) fn read(path: &Path, mut each: impl FnMut(u64, Vec<Change>)) -> Result<End, StoreError> {
    let io = |e| StoreError::io(path, e);
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let corrupt = |what| StoreError::Corrupt { path: path.to_owned(), what };
    let mut head = [0; FILE_HEAD];
    if size < FILE_HEAD as u64 {
        return Err(corrupt("the journal is cut inside its head"));
    }
    reader.read_exact(&mut head).map_err(io)?;
    if &head[..8] != MAGIC {
        return Err(corrupt("this is not a journal of this version"));
    }
    let base = u64::from_le_bytes(head[8..].try_into().map_err(|_| corrupt("journal head"))?);
    let mut end =
        End { chain: Sha256::digest(head).into(), sequence: base, bytes: FILE_HEAD as u64, torn: false };
    while end.bytes < size {
        match next(&mut reader, &end, size - end.bytes).map_err(io)? {
            Next::Record { sequence, chain, body } => {
                let in_order = sequence == end.sequence + 1 || (sequence == base && end.sequence == base);
                let changes = decode(&body).filter(|_| in_order);
                each(sequence, changes.ok_or(corrupt("a journal record is out of order or unreadable"))?);
                end = End {
                    chain,
                    sequence,
                    bytes: end.bytes + (RECORD_HEAD + body.len()) as u64,
                    torn: false,
                };
            }
            Next::Torn => return Ok(End { torn: true, ..end }),
            Next::Corrupt => return Err(corrupt("a journal record does not match its checksum")),
        }
    }
    Ok(end)
}

enum Next {
    Record { sequence: u64, chain: Chain, body: Vec<u8> },
    Torn,
    Corrupt,
}

fn next(reader: &mut impl io::Read, end: &End, left: u64) -> io::Result<Next> {
    if left < RECORD_HEAD as u64 {
        return Ok(Next::Torn);
    }
    let mut head = [0; RECORD_HEAD];
    reader.read_exact(&mut head)?;
    if head.iter().all(|&b| b == 0) {
        // The file was lengthened before the power went, and its blocks never written.
        return Ok(Next::Torn);
    }
    let (Some(length), Some(sequence)) = (u32_at(&head, 0), u64_at(&head, 4)) else {
        return Ok(Next::Corrupt);
    };
    if head[12..20] != head_check(&end.chain, length, sequence) || length as usize > MAX_BODY {
        return Ok(Next::Corrupt);
    }
    let body_left = left - RECORD_HEAD as u64;
    if u64::from(length) > body_left {
        return Ok(Next::Torn);
    }
    let mut body = vec![0; length as usize];
    reader.read_exact(&mut body)?;
    let chain = body_check(&end.chain, sequence, &body);
    Ok(match head[20..] == chain {
        true => Next::Record { sequence, chain, body },
        false if u64::from(length) == body_left => Next::Torn,
        false => Next::Corrupt,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn head_check(chain: &Chain, length: u32, sequence: u64) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update(length.to_le_bytes());
    hash.update(sequence.to_le_bytes());
    let full: [u8; 32] = hash.finalize().into();
    let mut out = [0; 8];
    out.copy_from_slice(&full[..8]);
    out
}

fn body_check(chain: &Chain, sequence: u64, body: &[u8]) -> Chain {
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update(sequence.to_le_bytes());
    hash.update(body);
    hash.finalize().into()
}

/// Key length u16 · key · 0, or 1 and value length u32 · value; again and again.
fn encode<'a>(changes: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in changes {
        // infallible: keys and values were checked against their limits, which fit u16 and u32.
        body.extend_from_slice(&(key.len() as u16).to_le_bytes());
        body.extend_from_slice(key.as_bytes());
        match value {
            None => body.push(0),
            Some(value) => {
                body.push(1);
                body.extend_from_slice(&(value.len() as u32).to_le_bytes());
                body.extend_from_slice(value);
            }
        }
    }
    body
}

fn decode(mut body: &[u8]) -> Option<Vec<Change>> {
    let mut take = |count: usize| {
        let (head, rest) = body.split_at_checked(count)?;
        body = rest;
        Some((head, rest.is_empty()))
    };
    let mut changes = Vec::new();
    let mut done = false;
    while !done {
        let length = u16::from_le_bytes(take(2)?.0.try_into().ok()?);
        let key = std::str::from_utf8(take(length.into())?.0).ok()?.to_owned();
        let (kind, empty) = take(1)?;
        if kind == [0] {
            changes.push((key, None));
            done = empty;
        } else {
            let length = u32::from_le_bytes(take(4)?.0.try_into().ok()?);
            let (value, empty) = take(length as usize)?;
            changes.push((key, Some(value.to_vec())));
            done = empty;
        }
    }
    Some(changes)
}

/// Appends one record and returns the new end.
fn write_record(out: &mut impl io::Write, end: &End, sequence: u64, body: &[u8]) -> io::Result<End> {
    let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let chain = body_check(&end.chain, sequence, body);
    let mut head = [0; RECORD_HEAD];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..12].copy_from_slice(&sequence.to_le_bytes());
    head[12..20].copy_from_slice(&head_check(&end.chain, length, sequence));
    head[20..].copy_from_slice(&chain);
    out.write_all(&head)?;
    out.write_all(body)?;
    Ok(End { chain, sequence, bytes: end.bytes + (RECORD_HEAD + body.len()) as u64, torn: false })
}

/// Why a new journal did not take the old one's place.
pub(super) enum PlaceError {
    /// The old one is still there.
    AsBefore(io::Error),
    /// Renamed, but perhaps not for good: after a power cut either may be found.
    Unknown(io::Error),
}

/// Why an append failed, and what is known about the file.
pub(super) enum AppendError {
    /// The file is as it was.
    Undone(io::Error),
    /// It is not known what a later reading will find.
    Unknown(io::Error),
}

impl Journal {
    /// Opens an existing journal to write on at `end`; a torn tail is cut off.
    pub(super) fn open(path: &Path, end: End) -> Result<Self, StoreError> {
        let io = |e| StoreError::io(path, e);
        let mut file = OpenOptions::new().write(true).open(path).map_err(io)?;
        if end.torn {
            file.set_len(end.bytes).and_then(|()| file.sync_all()).map_err(io)?;
        }
        file.seek(SeekFrom::Start(end.bytes)).map_err(io)?;
        Ok(Journal { path: path.to_owned(), file, end: End { torn: false, ..end } })
    }

    /// Writes a new journal that begins with `entries` as of `sequence` and puts it in the place of `path`.
    pub(super) fn snapshot(
        path: &Path,
        sequence: u64,
        entries: impl Iterator<Item = Result<(String, Vec<u8>), StoreError>>,
    ) -> Result<Self, StoreError> {
        let journal = Journal::write_aside(path, sequence, entries)?;
        journal.take_place().map_err(|error| match error {
            PlaceError::AsBefore(error) | PlaceError::Unknown(error) => StoreError::io(path, error),
        })?;
        Ok(journal)
    }

    /// The first half of [`Journal::snapshot`]: complete and durable, but not yet the journal.
    pub(super) fn write_aside(
        path: &Path,
        sequence: u64,
        entries: impl Iterator<Item = Result<(String, Vec<u8>), StoreError>>,
    ) -> Result<Self, StoreError> {
        let aside = path.with_extension("new");
        let io = |e| StoreError::io(&aside, e);
        let mut head = [0; FILE_HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..].copy_from_slice(&sequence.to_le_bytes());
        let mut out = BufWriter::new(File::create(&aside).map_err(io)?);
        out.write_all(&head).map_err(io)?;
        let mut end =
            End { chain: Sha256::digest(head).into(), sequence, bytes: FILE_HEAD as u64, torn: false };
        for entry in entries {
            let (key, value) = entry?;
            let body = encode([(key.as_str(), Some(value.as_slice()))].into_iter());
            end = write_record(&mut out, &end, sequence, &body).map_err(io)?;
        }
        let file = out.into_inner().map_err(|e| io(e.into_error()))?;
        file.sync_all().map_err(io)?;
        Ok(Journal { path: path.to_owned(), file, end })
    }

    /// The second half: renames the file over the journal.
    pub(super) fn take_place(&self) -> Result<(), PlaceError> {
        fs::rename(self.path.with_extension("new"), &self.path).map_err(PlaceError::AsBefore)?;
        files::sync_parent(&self.path).map_err(PlaceError::Unknown)
    }

    /// Appends a batch; on disk when this returns.
    pub(super) fn append<'a>(
        &mut self,
        changes: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<(), AppendError> {
        let body = encode(changes);
        let mut record = Vec::with_capacity(RECORD_HEAD + body.len());
        let end = write_record(&mut record, &self.end, self.end.sequence + 1, &body)
            .map_err(AppendError::Undone)?;
        if let Err(error) = self.file.write_all(&record) {
            return Err(match self.cut_back() {
                Ok(()) => AppendError::Undone(error),
                Err(_) => AppendError::Unknown(error),
            });
        }
        // After a failed fsync nothing is known of the pages (they may be dropped and marked clean).
        self.file.sync_all().map_err(AppendError::Unknown)?;
        self.end = end;
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.end.bytes)?;
        self.file.seek(SeekFrom::Start(self.end.bytes))?;
        self.file.sync_all()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.end.bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(dir: &Path, batches: &[Vec<Change>]) -> PathBuf {
        let path = dir.join("journal");
        let mut journal = Journal::snapshot(&path, 0, std::iter::empty()).unwrap();
        for batch in batches {
            let changes = batch.iter().map(|(k, v)| (k.as_str(), v.as_deref()));
            assert!(journal.append(changes).is_ok());
        }
        path
    }

    fn read_all(path: &Path) -> Result<(Vec<Vec<Change>>, End), StoreError> {
        let mut seen = Vec::new();
        let end = read(path, |_, changes| seen.push(changes))?;
        Ok((seen, end))
    }

    fn three() -> Vec<Vec<Change>> {
        vec![
            vec![("a".into(), Some(b"1".to_vec())), ("b".into(), None)],
            vec![("c".into(), Some(vec![9; 300]))],
            vec![("d".into(), Some(vec![]))],
        ]
    }

    #[test]
    fn a_journal_cut_anywhere_yields_exactly_the_batches_that_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), &three());
        let whole = fs::read(&path).unwrap();
        let ends: Vec<usize> = {
            let size = |b: &Vec<Change>| encode(b.iter().map(|(k, v)| (k.as_str(), v.as_deref()))).len();
            let sizes: Vec<usize> = three().iter().map(size).collect();
            (0..=3).map(|n| FILE_HEAD + sizes[..n].iter().map(|s| s + RECORD_HEAD).sum::<usize>()).collect()
        };
        assert_eq!(ends[3], whole.len());
        for cut in FILE_HEAD..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (seen, end) = read_all(&path).unwrap();
            let expected = ends.iter().filter(|&&e| e <= cut).count() - 1;
            assert_eq!(seen, three()[..expected], "cut at {cut}");
            assert_eq!(end.torn, !ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn a_tail_of_zeros_is_torn_and_writing_goes_on_after_the_last_whole_batch() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), &three()[..2]);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0; 4096]);
        fs::write(&path, bytes).unwrap();
        let (_, end) = read_all(&path).unwrap();
        assert!(end.torn);
        let mut journal = Journal::open(&path, end).unwrap();
        assert!(journal.append([("d", Some(&b""[..]))].into_iter()).is_ok());
        let (seen, end) = read_all(&path).unwrap();
        assert_eq!((seen, end.torn, end.sequence), (three(), false, 3));
    }

    #[test]
    fn a_flipped_bit_before_the_last_record_is_corruption_and_never_a_tail() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), &three());
        let whole = fs::read(&path).unwrap();
        let last = whole.len() - encode([("d", Some(&b""[..]))].into_iter()).len() - RECORD_HEAD;
        for place in 0..last {
            let mut bent = whole.clone();
            bent[place] ^= 0x10;
            fs::write(&path, bent).unwrap();
            assert!(matches!(read_all(&path), Err(StoreError::Corrupt { .. })), "byte {place}");
        }
    }

    #[test]
    fn a_snapshot_replaces_the_history_and_keeps_the_numbering() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), &three());
        let rows = [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])];
        let mut journal = Journal::snapshot(&path, 3, rows.into_iter().map(Ok)).unwrap();
        assert!(journal.append([("z", None)].into_iter()).is_ok());
        let mut numbers = Vec::new();
        let end = read(&path, |number, _| numbers.push(number)).unwrap();
        assert_eq!((numbers, end.sequence), (vec![3, 3, 4], 4));
        assert_eq!(end.bytes, fs::metadata(&path).unwrap().len());
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(changes) = decode(&body) {
                let again = encode(changes.iter().map(|(k, v)| (k.as_str(), v.as_deref())));
                // Any nonzero kind byte reads as a value; apart from that the form is unique.
                prop_assert_eq!(again.len(), body.len());
            }
        }
    }
}
