//! Reading configuration: text → `Raw` (exactly what the file says) → `Config` (checked), with errors that name
//! the file, the key and what was expected.
//!
//! What it does not do: it knows no key; each daemon has its own `RawConfig` with `#[serde(deny_unknown_fields)]`.
//!
//! Invariants: a daemon reads its configuration before it binds a port or opens a store. No secret stands in a
//! configuration file; keys are in files of their own, so an error may say what was found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Longest configuration file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A key whose value cannot be used: what a `TryFrom<RawConfig>` returns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: expected {expected}")]
pub struct FieldError {
    /// The key with its tables, for example `door.listen`.
    pub key: String,
    /// What would do.
    pub expected: String,
}

impl FieldError {
    /// A field error.
    pub fn new(key: impl Into<String>, expected: impl Into<String>) -> Self {
        FieldError { key: key.into(), expected: expected.into() }
    }
}

/// Why a configuration cannot be used (the operator's to mend).
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: {source}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Not TOML, an unknown key, a missing key, or a value of another type.
    #[error("{file}:{line}:{column}: {message}", file = file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// The key and what was expected.
        message: String,
    },
    /// A value outside what makes sense.
    #[error("{file}: {field}", file = file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// The key and what was expected.
        field: FieldError,
    },
}

/// Reads a file into a checked configuration.
///
/// # Errors
/// [`ConfigError`].
pub fn read<Raw, Config>(file: &Path) -> Result<Config, ConfigError>
where
    Raw: DeserializeOwned,
    Config: TryFrom<Raw, Error = FieldError>,
{
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    if fs::metadata(file).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB")));
    }
    parse::<Raw, Config>(file, &fs::read_to_string(file).map_err(unreadable)?)
}

/// The same for text already read; `file` is for the errors only.
///
/// # Errors
/// [`ConfigError::Syntax`], [`ConfigError::Field`].
pub fn parse<Raw, Config>(file: &Path, text: &str) -> Result<Config, ConfigError>
where
    Raw: DeserializeOwned,
    Config: TryFrom<Raw, Error = FieldError>,
{
    let raw: Raw = toml::from_str(text).map_err(|error| syntax(file, text, &error))?;
    Config::try_from(raw).map_err(|field| ConfigError::Field { file: file.to_owned(), field })
}

fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..offset).unwrap_or_default();
    ConfigError::Syntax {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        message: error.message().to_owned(),
    }
}

/// Makes the data directory if it is not there, and closes it to everyone but its owner: stores, keys and journals lie
/// in it (STAY-2, on the kommun's own machine too).
///
/// # Errors
/// The directory's.
#[cfg(unix)]
pub fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// The file's.
#[cfg(unix)]
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        listen: String,
        days: u16,
    }

    #[derive(Debug)]
    struct Config {
        days: u16,
    }

    impl TryFrom<Raw> for Config {
        type Error = FieldError;
        fn try_from(raw: Raw) -> Result<Self, FieldError> {
            raw.listen
                .parse::<std::net::SocketAddr>()
                .map_err(|_| FieldError::new("listen", "an address and port, as 127.0.0.1:8443"))?;
            Ok(Config { days: raw.days })
        }
    }

    fn error_of(text: &str) -> String {
        parse::<Raw, Config>(Path::new("region.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_file_the_place_the_key_and_what_was_expected() {
        let unknown = error_of("listen = \"127.0.0.1:1\"\ndays = 90\nport = 1\n");
        assert!(unknown.starts_with("region.toml:3:1: ") && unknown.contains("`port`"), "{unknown}");
        let missing = error_of("days = 90\n");
        assert!(missing.contains("missing field `listen`"), "{missing}");
        let kind = error_of("listen = \"x\"\ndays = \"många\"\n");
        assert!(kind.starts_with("region.toml:2:8: ") && kind.contains("u16"), "{kind}");
        let field = error_of("listen = \"här\"\ndays = 90\n");
        assert_eq!(field, "region.toml: listen: expected an address and port, as 127.0.0.1:8443");
    }

    #[test]
    fn a_good_file_reads_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("region.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\ndays = 90\n").unwrap();
        assert_eq!(read::<Raw, Config>(&file).unwrap().days, 90);
        let missing = read::<Raw, Config>(&dir.path().join("none.toml")).unwrap_err();
        assert!(missing.to_string().contains("none.toml"));
    }
}
