//! Where the database is, who asks and whom to believe: checked values, and the driver's configuration made of them.
//!
//! What it does not do: it reads no configuration file; the coordinator does and names its keys.
//!
//! Invariants: the password is in a file of its own that only its owner may read, and has no `Debug`; what leaves the
//! machine is encrypted, and the server's certificate and name are checked against a root the operator named.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daemon::store::StoreError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use zeroize::Zeroizing;

/// Longest password, bytes.
const MAX_PASSWORD: u64 = 1_024;
/// Longest file of root certificates, bytes.
const MAX_PEM: u64 = 1 << 20;
/// Longest name of a schema: what PostgreSQL keeps of one.
const MAX_SCHEMA: usize = 63;
/// The shortest and the longest time after which a silent holder may be replaced, seconds.
const TAKEOVER_SECONDS: std::ops::RangeInclusive<u64> = 2..=300;
/// How long reaching the server may take.
const CONNECT: Duration = Duration::from_secs(10);
/// After so long without a sign of life the connection is tested, and given up a few tests later.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A value that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceProblem {
    /// The host: a name, an address, or the folder of a socket.
    Host,
    /// The schema: a small letter or `_`, then small letters, digits and `_`.
    Schema,
    /// The time after which a silent holder is replaced.
    Takeover,
    /// A root certificate is needed: the database is not on this machine.
    Root,
}

impl fmt::Display for PlaceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (TAKEOVER_SECONDS.start(), TAKEOVER_SECONDS.end());
        match self {
            PlaceProblem::Host => f.write_str("host:port, or the folder of a socket such as /run/postgresql"),
            PlaceProblem::Schema => {
                write!(f, "1 to {MAX_SCHEMA} of a-z, 0-9 and _, not beginning with a digit")
            }
            PlaceProblem::Takeover => write!(f, "{least} to {most} seconds"),
            PlaceProblem::Root => {
                f.write_str("a file with the root certificate: the database is on another machine")
            }
        }
    }
}

/// A database and a schema in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    database: String,
    user: String,
    password: Option<PathBuf>,
    root: Option<PathBuf>,
    pub(crate) schema: String,
    pub(crate) takeover: Duration,
}

impl Place {
    /// A database at `address` (`host:port`, or the folder of a socket, with `:port` unless it is 5432).
    ///
    /// # Errors
    /// [`PlaceProblem::Host`].
    pub fn new(address: &str, database: &str, user: &str) -> Result<Self, PlaceProblem> {
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| PlaceProblem::Host)?),
            None if address.starts_with('/') => (address, 5_432),
            None => return Err(PlaceProblem::Host),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.chars().any(|sign| sign.is_control() || sign.is_whitespace()) {
            return Err(PlaceProblem::Host);
        }
        Ok(Self {
            host: host.into(),
            port,
            database: database.into(),
            user: user.into(),
            password: None,
            root: None,
            schema: "samman".into(),
            takeover: Duration::from_secs(10),
        })
    }

    /// With the file of the password.
    #[must_use]
    pub fn password(self, file: Option<PathBuf>) -> Self {
        Self { password: file, ..self }
    }

    /// With the file of the root certificate that the server's must hang under.
    ///
    /// # Errors
    /// [`PlaceProblem::Root`] when there is none and what is sent would leave the machine unencrypted.
    pub fn root(self, file: Option<PathBuf>) -> Result<Self, PlaceProblem> {
        match file {
            None if !self.is_this_machine() => Err(PlaceProblem::Root),
            root => Ok(Self { root, ..self }),
        }
    }

    /// In another schema than `samman`: several coordinators in one database.
    ///
    /// # Errors
    /// [`PlaceProblem::Schema`].
    pub fn schema(self, schema: &str) -> Result<Self, PlaceProblem> {
        let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
        let good = (1..=MAX_SCHEMA).contains(&schema.len())
            && schema.chars().all(sign)
            && !schema.starts_with(|sign: char| sign.is_ascii_digit());
        if good { Ok(Self { schema: schema.into(), ..self }) } else { Err(PlaceProblem::Schema) }
    }

    /// A silent holder is replaced after so many seconds; 10 where nothing is said.
    ///
    /// # Errors
    /// [`PlaceProblem::Takeover`].
    pub fn takeover(self, seconds: u64) -> Result<Self, PlaceProblem> {
        if !TAKEOVER_SECONDS.contains(&seconds) {
            return Err(PlaceProblem::Takeover);
        }
        Ok(Self { takeover: Duration::from_secs(seconds), ..self })
    }

    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// A socket, or an address that never leaves the machine. A name other than `localhost` may.
    fn is_this_machine(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.is_socket() || self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// What errors and logs call it.
    pub fn label(&self) -> PathBuf {
        PathBuf::from(format!("postgresql://{}:{}/{}/{}", self.host, self.port, self.database, self.schema))
    }

    pub(crate) fn broken(&self, what: impl Into<String>) -> StoreError {
        StoreError::Database { path: self.label(), what: what.into() }
    }

    /// The driver's configuration; reads the password.
    pub(crate) fn config(&self) -> Result<Config, StoreError> {
        let mut config = Config::new();
        config.host(&self.host).port(self.port).dbname(&self.database).user(&self.user);
        config.application_name("samman").connect_timeout(CONNECT);
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 2).keepalives_retries(3);
        config.ssl_mode(if self.root.is_some() && !self.is_socket() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        if let Some(file) = &self.password {
            config.password(password(file)?.as_bytes());
        }
        Ok(config)
    }

    /// How the server is believed; the machine's own anchors are not asked.
    pub(crate) fn tls(&self) -> Result<ClientConfig, StoreError> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = &self.root {
            let fault = |what: &str| StoreError::Database { path: file.clone(), what: what.into() };
            let io = |source| StoreError::Io { path: file.clone(), source };
            if file.metadata().map_err(io)?.len() > MAX_PEM {
                return Err(fault("longer than 1 MiB; root certificates in PEM are expected"));
            }
            for certificate in CertificateDer::pem_slice_iter(&std::fs::read(file).map_err(io)?) {
                let certificate = certificate.map_err(|_| fault("this is not PEM"))?;
                roots.add(certificate).map_err(|_| fault("a certificate in it cannot be read"))?;
            }
            if roots.is_empty() {
                return Err(fault("no certificate in it; root certificates in PEM are expected"));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|_| self.broken("no version of TLS can be spoken"))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The only line of a file that nobody but its owner may read.
fn password(file: &Path) -> Result<Zeroizing<String>, StoreError> {
    let io = |source| StoreError::Io { path: file.to_owned(), source };
    let fault = |what: &str| StoreError::Database { path: file.to_owned(), what: what.into() };
    let mut open = File::open(file).map_err(io)?;
    let metadata = open.metadata().map_err(io)?;
    if !metadata.is_file() || metadata.len() > MAX_PASSWORD {
        return Err(fault("a file of one line with the password is expected"));
    }
    if is_open_to_others(&metadata) {
        return Err(fault("the password can be read by others than the file's owner; run chmod 600 on it"));
    }
    let mut text = Zeroizing::new(String::new());
    open.read_to_string(&mut text).map_err(io)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(fault("a file of one line with the password is expected"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

/// Elsewhere the folder's own rights must do.
#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Result<Place, PlaceProblem> {
        Place::new(address, "db", "user")
    }

    #[test]
    fn an_address_is_a_host_with_a_port_or_the_folder_of_a_socket() {
        let parts = |address| place(address).map(|place| (place.host, place.port));
        assert_eq!(parts("db.example:6432"), Ok(("db.example".into(), 6_432)));
        assert_eq!(parts("/run/postgresql"), Ok(("/run/postgresql".into(), 5_432)));
        assert_eq!(parts("/run/postgresql:5433"), Ok(("/run/postgresql".into(), 5_433)));
        assert_eq!(parts("[::1]:5432"), Ok(("::1".into(), 5_432)));
        for wrong in ["db.example", "db.example:x", ":5432", "", "a b:1"] {
            assert_eq!(place(wrong).unwrap_err(), PlaceProblem::Host, "{wrong}");
        }
    }

    #[test]
    fn nothing_leaves_the_machine_unencrypted() {
        for near in ["localhost:1", "127.0.0.1:1", "[::1]:1", "/run/pg"] {
            assert!(place(near).unwrap().root(None).is_ok(), "{near}");
        }
        for far in ["db.example:1", "10.0.0.1:1", "localhost.example:1"] {
            assert_eq!(place(far).unwrap().root(None), Err(PlaceProblem::Root), "{far}");
            let place = place(far).unwrap().root(Some("root.pem".into())).unwrap();
            assert_eq!(place.config().unwrap().get_ssl_mode(), SslMode::Require);
        }
    }

    #[test]
    fn a_schema_that_could_be_read_as_anything_else_is_refused() {
        let with = |schema| place("/run/pg").unwrap().schema(schema);
        assert!(with("region_21").is_ok() && with("_").is_ok());
        for wrong in ["", "Samman", "a-b", "a\"b", "1a", "å", &"a".repeat(64)] {
            assert_eq!(with(wrong), Err(PlaceProblem::Schema), "{wrong}");
        }
        assert_eq!(place("/run/pg").unwrap().takeover(1), Err(PlaceProblem::Takeover));
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_others_can_read_is_refused_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("losenord");
        let refused = |text: &str, mode| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            password(&file).map(|password| password.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(refused("KANARIE\n", 0o600), Ok("KANARIE".into()));
        let open = refused("KANARIE\n", 0o640).unwrap_err();
        assert!(open.contains("chmod 600") && !open.contains("KANARIE"), "{open}");
        assert!(refused("KANARIE\nannat\n", 0o600).is_err() && refused("", 0o600).is_err());
    }
}
