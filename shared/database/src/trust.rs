//! The password and whom to believe: the machine's trust anchors and the source's own.
//!
//! A certificate is always checked, name and chain; there is no way to switch that off but to encrypt nothing at all.
//! The password is wiped on drop and has no `Debug`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, Error, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::error::QueryError;
use crate::source::Source;

/// Longest password, in bytes.
const MAX_PASSWORD: u64 = 1_024;
/// Longest file of trust anchors, in bytes.
const MAX_PEM: u64 = 1 << 20;

/// A password.
pub(crate) struct Password(pub(crate) Zeroizing<String>);

impl Password {
    /// The first line of the source's file, which nobody but its owner may read.
    pub(crate) fn of(source: &Source) -> Result<Option<Self>, QueryError> {
        let Some(file) = &source.password else { return Ok(None) };
        let fault = |problem: String| QueryError::Password { file: file.clone(), problem };
        let mut open = File::open(file).map_err(|error| fault(told(&error)))?;
        let metadata = open.metadata().map_err(|error| fault(told(&error)))?;
        if !metadata.is_file() || metadata.len() > MAX_PASSWORD {
            return Err(fault(format!("väntade en fil på högst {MAX_PASSWORD} byte")));
        }
        if is_open_to_others(&metadata) {
            return Err(fault("filen kan läsas av andra än sin ägare; ändra det (chmod 600)".into()));
        }
        let mut text = Zeroizing::new(String::new());
        let read = (&mut open).take(MAX_PASSWORD).read_to_string(&mut text);
        read.map_err(|error| fault(told(&error)))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.chars().any(char::is_control) {
            return Err(fault("väntade en enda rad som inte är tom".into()));
        }
        Ok(Some(Self(Zeroizing::new(line.to_owned()))))
    }
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

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "filen finns inte".into(),
        io::ErrorKind::PermissionDenied => "filen får inte läsas".into(),
        io::ErrorKind::InvalidData => "filen är ingen text".into(),
        kind => kind.to_string(),
    }
}

/// A TLS configuration that believes the machine's anchors and the source's own.
pub(crate) fn client_config(
    source: &Source,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, QueryError> {
    let mut roots = RootCertStore::empty();
    // a machine's list has odd entries; those that cannot be used are no anchors
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &source.root {
        own(file, &mut roots)?;
    }
    if roots.is_empty() {
        return Err(QueryError::Root { problem: "datorn har inga betrodda rotcertifikat; ange ett".into() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let builder = builder.map_err(|error| QueryError::Tls { problem: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn own(file: &Path, roots: &mut RootCertStore) -> Result<(), QueryError> {
    let fault = |problem: &str| QueryError::Root { problem: format!("{}: {problem}", file.display()) };
    let length = file.metadata().map_err(|error| fault(&told(&error)))?.len();
    let pem =
        if length > MAX_PEM { Vec::new() } else { std::fs::read(file).map_err(|e| fault(&told(&e)))? };
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| fault("filen är inte PEM"))?;
        roots.add(certificate).map_err(|_| fault("ett certifikat i filen kan inte läsas"))?;
        count += 1;
    }
    if count == 0 { Err(fault("väntade ett eller flera certifikat i PEM")) } else { Ok(()) }
}

/// What was wrong with a handshake, for an operator. Certificates are no content, but names in them are left out too.
pub(crate) fn handshake(error: &io::Error) -> QueryError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let problem = match inner {
        Some(Error::InvalidCertificate(fault)) => match fault {
            CertificateError::UnknownIssuer => {
                "servern visar ett certifikat från en utfärdare som inte är betrodd; ange kommunens rotcertifikat som rot"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "serverns certifikat gäller ett annat namn än vard"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "serverns certifikat har gått ut"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "serverns certifikat gäller inte än; går datorns klocka rätt?"
            }
            CertificateError::Revoked => "serverns certifikat är återkallat",
            _ => {
                "serverns certifikat godtas inte (till exempel utan namn i subjectAltName, eller en rot som servercertifikat)"
            }
        },
        Some(Error::AlertReceived(_)) => "servern avbröt handskakningen",
        Some(_) => {
            "servern och noden har ingen version eller inget chiffer gemensamt, eller så talar servern inte TLS"
        }
        None => "förbindelsen bröts under handskakningen",
    };
    QueryError::Tls { problem: problem.into() }
}
