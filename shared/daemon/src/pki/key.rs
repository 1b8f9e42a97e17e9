//! A party's Ed25519 key: made on the spot, kept in a file only its owner may read.
//!
//! What it does not do: it does not encrypt the file; the operating system's permissions guard it.
//!
//! Invariants: the secret is wiped on drop, never printed, and never written over an existing file.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a key could not be made, read or stored.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a new key")]
    NoRandomness,
    /// Not an Ed25519 key in PKCS#8 form.
    #[error("not an Ed25519 private key in PKCS#8 PEM")]
    Malformed,
    /// The key file is readable for others than its owner.
    #[error(
        "{path}: others than the owner may read this key (mode {mode:o}); chmod 600 it, or make a new key"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file exists already: a key is never overwritten.
    #[error("{path}: a key is there already and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// An Ed25519 key pair. `Debug` shows the public half only.
pub struct Key {
    pkcs8: Zeroizing<Vec<u8>>,
    pair: Ed25519KeyPair,
}

impl Key {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate() -> Result<Self, KeyError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        Key::from_pkcs8(document.as_ref())
    }

    /// Reads PKCS#8 DER (RFC 8410, RFC 5958 version 2, which carries the public key and so is checked).
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyError::Malformed)?;
        Ok(Key { pkcs8: Zeroizing::new(der.to_vec()), pair })
    }

    /// Reads PEM (`PRIVATE KEY`).
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::Malformed)?;
        Key::from_pkcs8(der.secret_pkcs8_der())
    }

    /// Reads a key file, refusing one that others may read.
    ///
    /// # Errors
    /// [`KeyError`], each naming the file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        check_private(path)?;
        let pem = Zeroizing::new(fs::read(path).map_err(io)?);
        Key::from_pem(&pem)
    }

    /// Writes a new key file with mode 0600, durable when this returns.
    ///
    /// # Errors
    /// [`KeyError::Exists`] where a file is already, [`KeyError::Io`].
    pub fn store(&self, path: &Path) -> Result<(), KeyError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
            _ => KeyError::Io { path: path.to_owned(), source },
        };
        let mut file = create_private(path).map_err(io)?;
        file.write_all(self.to_pem().as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent).and_then(|dir| dir.sync_all()).map_err(io),
            None => Ok(()),
        }
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        let mut out = [0; 32];
        // infallible: an Ed25519 public key is 32 bytes (RFC 8032, 5.1.5).
        out.copy_from_slice(self.pair.public_key().as_ref());
        out
    }

    /// Signs. The caller puts a domain prefix into `message`, so that no signature means two things; TLS 1.3
    /// signs 64 spaces and a context first (RFC 8446, 4.4.3), which no prefix of ours begins with.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        // infallible: an Ed25519 signature is 64 bytes (RFC 8032, 5.1.6).
        out.copy_from_slice(self.pair.sign(message).as_ref());
        out
    }

    pub(crate) fn tls_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()))
    }

    pub(crate) fn rcgen(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        let der = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519)
    }

    fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem_text("PRIVATE KEY", &self.pkcs8))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(public {})", hex::encode(&self.public_key()[..8]))
    }
}

/// Whether `signature` over `message` is by the holder of `public_key`.
pub fn verify_signature(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}

/// PEM (RFC 7468): 64 characters a line.
pub(crate) fn pem_text(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let word = group.iter().fold(0u32, |w, &b| (w << 8) | u32::from(b)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = ALPHABET[(word >> (18 - 6 * place)) as usize & 63];
                out.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    // Elsewhere the directory's access list guards the file; the installer sets it.
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::TooOpen { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_path: &Path) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_read_from_its_file_is_the_key_that_was_stored() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let key = Key::generate().unwrap();
        key.store(&path).unwrap();
        let read = Key::load(&path).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        let signature = read.sign(b"samman test");
        assert!(verify_signature(&key.public_key(), b"samman test", &signature));
        assert!(!verify_signature(&key.public_key(), b"samman tesu", &signature));
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        Key::generate().unwrap().store(&path).unwrap();
        assert!(matches!(Key::generate().unwrap().store(&path), Err(KeyError::Exists { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_private_and_one_that_is_not_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        Key::generate().unwrap().store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::load(&path), Err(KeyError::TooOpen { mode: 0o640, .. })));
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let key = Key::generate().unwrap();
        let text = format!("{key:?}");
        assert!(text.len() < 40, "{text}");
        assert!(text.contains(&hex::encode(&key.public_key()[..8])));
    }
}
