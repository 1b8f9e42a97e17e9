//! One process at a time, and a number that grows with each.
//!
//! What it does not do: an advisory lock binds those who ask for it; the fence catches who lost it without
//! noticing (a network share, a copied directory mounted twice).
//!
//! Invariants: the fence on disk never goes down; a handle whose fence is not the one on disk writes nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt as _;

use super::{StoreError, files};

/// The held lock; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
    fence_file: PathBuf,
}

impl DirectoryLock {
    pub(super) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|e| StoreError::io(&path, e))?;
        match file.try_lock_exclusive() {
            Ok(true) => Ok(DirectoryLock { _file: file, fence_file: directory.join("fence") }),
            Ok(false) => Err(StoreError::Locked { path: directory.to_owned() }),
            Err(error) => Err(StoreError::io(&path, error)),
        }
    }

    /// The fence on disk; `None` before the first opening has finished.
    pub(super) fn fence(&self) -> Result<Option<u64>, StoreError> {
        let text = match fs::read_to_string(&self.fence_file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(&self.fence_file, error)),
        };
        let number = text.strip_suffix('\n').and_then(|digits| digits.parse().ok());
        let what = "the fence file is not a number";
        number.map(Some).ok_or(StoreError::Corrupt { path: self.fence_file.clone(), what })
    }

    pub(super) fn set_fence(&self, fence: u64) -> Result<(), StoreError> {
        files::replace(&self.fence_file, format!("{fence}\n").as_bytes())
            .map_err(|e| StoreError::io(&self.fence_file, e))
    }
}
