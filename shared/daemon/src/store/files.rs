//! Files that survive a power cut: write aside, fsync, rename, fsync the directory.
//!
//! What it does not do: it assumes a file system that honours fsync; network shares often do not.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes the directory's entries durable. Elsewhere than on Unix renames are durable by themselves.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Replaces `path` by `content`, whole or not at all.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_parent(path)
}

/// Makes a rename or creation of `path` durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}
