//! Why a query gave no rows, or not all of them. Texts are Swedish: the person who can mend it reads them.
//!
//! STAY-1: a server's own messages quote rows (*invalid input syntax for type integer: "…"*), so none is passed on: its
//! code is, with a sentence of ours, and the place in the query where the server tells one. No variant can hold a
//! password or a value.

use std::io;
use std::path::PathBuf;

use harmonise::IntakeError;

/// A query that cannot be read to its end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The file of the password.
    #[error("losenord_fil: {}: {problem}", file.display())]
    Password {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The trust anchors.
    #[error("rot: {problem}")]
    Root {
        /// Which file, if it is one, and what is wrong with it.
        problem: String,
    },
    /// Nobody answers.
    #[error("vard: {host}:{port} kan inte nås ({})", reason(*.problem))]
    Connect {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// What the operating system says.
        problem: io::ErrorKind,
    },
    /// Somebody answers who is not known to be the server, or does not encrypt.
    #[error("tls: {problem}")]
    Tls {
        /// What is wrong.
        problem: String,
    },
    /// The server does not let us in.
    #[error("anvandare, losenord_fil, databas: servern släpper inte in {user}: {fault}")]
    Login {
        /// Who.
        user: String,
        /// What the server says.
        fault: ServerFault,
    },
    /// The server refuses the query.
    #[error("fraga: {fault}")]
    Refused {
        /// What the server says.
        fault: ServerFault,
    },
    /// The query gives no table, or more than one, or asks for values.
    #[error("fraga: {problem}")]
    Result {
        /// What is wrong.
        problem: &'static str,
    },
    /// A column of a type that is not read.
    #[error("kolumn {column}: typen {sql_type} läses inte; skriv om kolumnen i frågan, till exempel {hint}")]
    Type {
        /// Name of the column.
        column: String,
        /// The database's name of its type.
        sql_type: String,
        /// What to write instead.
        hint: &'static str,
    },
    /// The time is up.
    #[error("tidsgrans_sekunder: frågan var inte färdig efter {seconds} sekunder; {rows} rader var lästa")]
    TimeLimit {
        /// The limit.
        seconds: u64,
        /// How many rows had come.
        rows: u64,
    },
    /// Too many rows.
    #[error("radgrans: frågan ger fler än {rows} rader")]
    RowLimit {
        /// The limit.
        rows: u64,
    },
    /// The connection ended, or what came was not in order.
    #[error("förbindelsen bröts efter {rows} rader ({problem})")]
    Lost {
        /// How many rows had come.
        rows: u64,
        /// In what way.
        problem: &'static str,
    },
    /// The rows themselves.
    #[error("{0}")]
    Intake(#[from] IntakeError),
}

/// What a server says, without its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{meaning} ({code})", place(*line))]
pub struct ServerFault {
    /// What the code means.
    pub meaning: &'static str,
    /// SQLSTATE, or the number of an error of SQL Server.
    pub code: String,
    /// Line of the query, from 1, where the server tells it.
    pub line: Option<usize>,
}

fn place(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("frågans rad {line}: "))
}

/// What an operator can do something with.
fn reason(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "ingen svarar på porten",
        io::ErrorKind::NotFound => "namnet eller socketen finns inte",
        io::ErrorKind::TimedOut => "inget svar i tid",
        io::ErrorKind::PermissionDenied => "åtkomst nekad",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "ingen väg dit",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "den andra sidan lade på",
        _ => "namnet kan inte slås upp eller nätverket svarar inte",
    }
}
