//! The key file of `sdc protect --key`: 64 hexadecimal digits, made at the first use, for its owner's eyes only.
//!
//! Whoever has it and guesses the counts can rerun the choice of secondary cells. Errors name the file, never the key.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use suppress::key::{PatternKey, TieSecret};

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{}: expected 64 hexadecimal digits, as `sdc protect --key` makes them for a file that is not there", .path.display())]
    Form {
        /// Which.
        path: PathBuf,
    },
    /// The machine gives no random numbers.
    #[error("no randomness from the operating system")]
    Randomness,
}

/// The secret of a key file; the file is made when it is not there.
///
/// # Errors
/// [`KeyError`].
pub fn read(path: &Path) -> Result<TieSecret, KeyError> {
    let fault = |source| KeyError::File { path: path.to_owned(), source };
    if !path.try_exists().map_err(fault)? {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| KeyError::Randomness)?;
        // beside its place, then renamed: a key is there whole or not at all
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial).map_err(fault)?;
        file.write_all(hex::encode(bytes).as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
        std::fs::rename(&partial, path).map_err(fault)?;
    }
    let text = std::fs::read_to_string(path).map_err(fault)?;
    let bytes: Option<[u8; 32]> = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| KeyError::Form { path: path.to_owned() })?;
    Ok(PatternKey::new(&bytes).tie_secret())
}
