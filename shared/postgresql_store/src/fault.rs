//! What an error of the driver's means for the batch: undone for certain, or not known.
//!
//! What it does not do: it never keeps or shows the server's text, detail or hint; they quote rows.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

/// What happened to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another transaction was in the way: undone, and worth trying again.
    Again,
    /// The server has no room: undone.
    Full,
    /// The server refused: undone where it was not COMMIT.
    Said(SqlState),
    /// No answer, or none that can be read: what the server did is not known.
    Lost,
    /// Another opening is in force.
    Fenced(u64),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Fault::Lost;
        };
        // after these the server hangs up, and may have committed before
        if matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return Fault::Lost;
        }
        match *said.code() {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Fault::Again,
            SqlState::DISK_FULL => Fault::Full,
            ref other => Fault::Said(other.clone()),
        }
    }
}

/// Our sentence for a code (PostgreSQL, appendix A), with what to do.
pub(crate) fn meaning(code: &SqlState) -> String {
    let sentence = match code.code() {
        "28P01" | "28000" => "the user or the password is not accepted",
        "3D000" => "the database does not exist; make it first",
        "42501" => "the user lacks a right; it must own the schema or be allowed to make it",
        "42P01" | "42703" | "3F000" => "the store's tables are not as this program made them",
        "25006" => "this server only reads: it is a copy; give the address of the one that writes",
        "53300" => "the server has too many connections",
        "57P01" | "57P02" | "57P03" => "the server stops or starts",
        _ => "the server answers with an error",
    };
    format!("{sentence} (SQLSTATE {})", code.code())
}

/// Why there is no session, in our words.
pub(crate) fn entry(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return meaning(said.code());
    }
    let inner = error.source();
    let io = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    let tls = io.and_then(|io| io.get_ref()).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, io) {
        (Some(rustls::Error::InvalidCertificate(_)), _) => {
            "the server's certificate is not accepted: it must hang under the root certificate and bear the host's name"
                .into()
        }
        (Some(_), _) => "the server and this program do not agree on TLS".into(),
        (None, Some(io)) => format!("it cannot be reached ({})", io.kind()),
        (None, None) => "no session: TLS, the password or the host's name is not what the server expects".into(),
    }
}
