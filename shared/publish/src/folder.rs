//! A publication on disk: a folder that is there whole or not at all (KEEP-1).
//!
//! Everything is written into a sibling folder `.<name>.partial`, flushed to the disk file by file, and
//! renamed once. A crash leaves at most that sibling, which the next attempt clears away. A version that
//! exists is never touched: corrections are new versions. Assumes one writer per folder, which the caller's
//! lock on its store gives.
//!
//! `manifest.json` names every other file with its size and SHA-256; it is signed elsewhere.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use audit::Release;

use crate::publication::{File as Part, Publication, PublishError};

/// A publication that was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something at the place already.
    #[error("{0} exists; a published version is never overwritten")]
    Exists(PathBuf),
    /// A place without a name or a parent, such as `/`.
    #[error("{0} cannot be the name of a new folder")]
    Name(PathBuf),
    /// The publication cannot be made.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The figures laid out are not the audited ones: a fault of the caller.
    #[error("the publication shows other figures than those the audit released")]
    NotAudited,
    /// The disk refused.
    #[error("{path}: {action}: {source}")]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Serialize)]
struct Manifest<'a> {
    collection: &'a str,
    version: u32,
    collection_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern_sha256: Option<String>,
    date: String,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    size: usize,
    sha256: String,
}

/// The publisher's signature over the manifest, and the certificate it verifies under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Ed25519, with the context the publisher's protocol gives manifests.
    pub signature: Vec<u8>,
    /// DER.
    pub certificate: Vec<u8>,
}

/// Writes a certified publication into the new folder `folder` and returns the paths of its files, the manifest last.
/// Only figures that the audit released are written (SAFE-1).
///
/// # Errors
/// [`WriteError`]; then `folder` does not exist, unless only flushing its parent failed after it got its name.
pub fn write(
    folder: &Path,
    publication: &Publication,
    release: &Release,
    sign: &dyn Fn(&[u8]) -> Signature,
) -> Result<Vec<PathBuf>, WriteError> {
    if publication.figures != Some(release.figures()) {
        return Err(WriteError::NotAudited);
    }
    put(folder, &complete(publication, sign)?)
}

/// All files of a publication: its tables and texts, the signature of the manifest, the manifest last.
///
/// # Errors
/// [`PublishError`].
pub fn complete(
    publication: &Publication,
    sign: &dyn Fn(&[u8]) -> Signature,
) -> Result<Vec<Part>, PublishError> {
    let mut files = publication.files()?;
    let manifest = manifest(publication, &files)?;
    let Signature { signature, certificate } = sign(&manifest);
    let seal = serde_json::json!({
        "signature": hex::encode(signature),
        "certificate": hex::encode(certificate),
    });
    files.push(("manifest.sig.json".into(), format!("{seal}\n").into_bytes()));
    files.push(("manifest.json".into(), manifest));
    Ok(files)
}

/// Puts files into the new folder `folder`, all of them or none; returns their paths.
///
/// # Errors
/// [`WriteError`], as [`write()`].
pub fn put(folder: &Path, files: &[Part]) -> Result<Vec<PathBuf>, WriteError> {
    let (parent, name) = match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => (Path::new("."), name),
        (Some(parent), Some(name)) => (parent, name),
        _ => return Err(WriteError::Name(folder.into())),
    };
    refuse_existing(folder)?;
    let partial = parent.join(format!(".{}.partial", name.to_string_lossy()));
    clear(&partial)?;
    let written = fill(&partial, files).and_then(|()| {
        refuse_existing(folder)?;
        attempt(folder, "give the finished folder its name", fs::rename(&partial, folder))
    });
    if let Err(error) = written {
        // what failed first is what the operator needs; what stays behind is hidden and cleared by the next
        // attempt
        let _ = clear(&partial);
        return Err(error);
    }
    flush_folder(parent)?;
    Ok(files.iter().map(|(name, _)| folder.join(name)).collect())
}

fn manifest(publication: &Publication, files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&Manifest {
        collection: &publication.collection.id,
        version: publication.collection.version,
        collection_sha256: hex::encode(publication.collection.hash),
        pattern_sha256: publication.pattern.map(hex::encode),
        date: publication.date.to_string(),
        files: files.iter().map(|(name, bytes)| file_entry(name, bytes)).collect(),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn file_entry<'a>(name: &'a str, bytes: &[u8]) -> Entry<'a> {
    Entry { name, size: bytes.len(), sha256: hex::encode(Sha256::digest(bytes)) }
}

fn attempt<T>(path: &Path, action: &'static str, result: io::Result<T>) -> Result<T, WriteError> {
    result.map_err(|source| WriteError::Disk { path: path.into(), action, source })
}

/// A dangling link is something too.
fn refuse_existing(folder: &Path) -> Result<(), WriteError> {
    match fs::symlink_metadata(folder) {
        Ok(_) => Err(WriteError::Exists(folder.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => attempt(folder, "look whether it exists", Err(error)),
    }
}

fn clear(partial: &Path) -> Result<(), WriteError> {
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            attempt(partial, "clear away an unfinished attempt", Err(error))
        }
        _ => Ok(()),
    }
}

fn fill(partial: &Path, files: &[(String, Vec<u8>)]) -> Result<(), WriteError> {
    let csv = partial.join("csv");
    // the parent must be there: a misspelt path is an error, not a new tree
    attempt(partial, "make the folder", fs::create_dir(partial))?;
    attempt(&csv, "make the folder", fs::create_dir(&csv))?;
    for (name, bytes) in files {
        let path = partial.join(name);
        let mut file = attempt(&path, "make the file", File::create_new(&path))?;
        attempt(&path, "write", file.write_all(bytes))?;
        attempt(&path, "flush to the disk", file.sync_all())?;
    }
    flush_folder(&csv)?;
    flush_folder(partial)
}

/// Flushes a folder's list of names, without which a file may be on the disk but not found after a crash.
fn flush_folder(folder: &Path) -> Result<(), WriteError> {
    // Windows cannot open a folder as a file and needs no such flush
    if cfg!(windows) {
        return Ok(());
    }
    let open = attempt(folder, "open the folder", File::open(folder))?;
    attempt(folder, "flush the folder to the disk", open.sync_all())
}
