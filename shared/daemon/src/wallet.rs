//! A party's identity on disk: key, certificate, root and the newest revocation list.
//!
//! Files `key.pem` (0600), `certificate.der`, `root.der`, `revocations.der` in one directory. Each is written whole
//! beside its place and renamed, so a crash leaves the old or the new one, never half (KEEP-1).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::pki::{Crl, CrlError, Key, KeyError};
use crate::tls::{Credentials, TlsError};

/// An identity that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Key, certificate and root do not belong together.
    #[error(transparent)]
    Credentials(#[from] TlsError),
    /// The revocation list is not the root's.
    #[error(transparent)]
    Revocations(#[from] CrlError),
}

/// A directory with an identity in it.
#[derive(Debug, Clone)]
pub struct Wallet(PathBuf);

impl Wallet {
    /// The wallet in a directory, which need not exist yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Whether there is an identity.
    pub fn is_empty(&self) -> bool {
        !self.0.join("certificate.der").exists()
    }

    /// The key, made and stored now if there is none: an enrolment that is repeated must use the same one.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn key(&self) -> Result<Key, WalletError> {
        fs::create_dir_all(&self.0).map_err(|source| WalletError::File { path: self.0.clone(), source })?;
        let path = self.0.join("key.pem");
        if !path.exists() {
            Key::generate()?.store(&path)?;
        }
        Ok(Key::load(&path)?)
    }

    /// Stores what enrolment or renewal brought.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn store(&self, certificate: &[u8], root: &[u8], revocations: &[u8]) -> Result<(), WalletError> {
        self.write("root.der", root)?;
        self.store_revocations(revocations)?;
        self.write("certificate.der", certificate)
    }

    /// Stores a newer revocation list.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn store_revocations(&self, revocations: &[u8]) -> Result<(), WalletError> {
        self.write("revocations.der", revocations)
    }

    /// The identity.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn load(&self) -> Result<(Credentials, Crl), WalletError> {
        let (certificate, root) = (self.read("certificate.der")?, self.read("root.der")?);
        let crl = Crl::parse(&self.read("revocations.der")?, &root)?;
        let key = Key::load(&self.0.join("key.pem"))?;
        Ok((Credentials::new(certificate, root, key)?, crl))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, WalletError> {
        let path = self.0.join(name);
        fs::read(&path).map_err(|source| WalletError::File { path, source })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WalletError> {
        let path = self.0.join(name);
        let written = write_whole(&self.0, &path, bytes);
        written.map_err(|source| WalletError::File { path, source })
    }
}

fn write_whole(directory: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let partial = path.with_extension("partial");
    let mut file = fs::File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    fs::File::open(directory)?.sync_all()
}
