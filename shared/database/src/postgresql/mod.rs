//! PostgreSQL: one transaction that may only read, one prepared query, its rows as they come.

mod value;

use std::error::Error as _;
use std::io;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{ErrorPosition, SqlState};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{Client, Config, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{QueryError, ServerFault};
use crate::rows::{Link, More};
use crate::source::{Source, Tls};
use crate::trust::{Password, client_config, handshake};
use value::{Kind, Raw};

pub(crate) async fn run(source: &Source, link: &mut Link) -> Result<(), QueryError> {
    let mut config = Config::new();
    config.user(&source.user).dbname(&source.database).application_name("samman");
    if let Some(password) = Password::of(source)? {
        config.password(password.0.as_bytes());
    }
    let refused = |problem: io::Error| QueryError::Connect {
        host: source.host.clone(),
        port: source.port,
        problem: problem.kind(),
    };
    if source.is_socket() {
        config.ssl_mode(SslMode::Disable);
        let socket = socket(&format!("{}/.s.PGSQL.{}", source.host, source.port)).await.map_err(refused)?;
        return converse(source, link, &config, socket, NoTls).await;
    }
    // before anything is connected to: a file that cannot be read is no reason to knock
    let tls = match source.tls {
        Tls::Required => Some(client_config(source, rustls::DEFAULT_VERSIONS)?),
        Tls::Off => None,
    };
    let stream = TcpStream::connect((source.host.as_str(), source.port)).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    let Some(tls) = tls else {
        config.ssl_mode(SslMode::Disable);
        return converse(source, link, &config, stream, NoTls).await;
    };
    config.ssl_mode(SslMode::Require);
    let mut make = MakeRustlsConnect::new(tls);
    let connector = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, &source.host);
    let connector = connector.map_err(|error| handshake(&io::Error::other(error)))?;
    converse(source, link, &config, stream, connector).await
}

#[cfg(unix)]
async fn socket(path: &str) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path).await
}

#[cfg(not(unix))]
async fn socket(_: &str) -> io::Result<TcpStream> {
    Err(io::ErrorKind::Unsupported.into())
}

async fn converse<S, T>(
    source: &Source,
    link: &mut Link,
    config: &Config,
    stream: S,
    tls: T,
) -> Result<(), QueryError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) =
        config.connect_raw(stream, tls).await.map_err(|error| entry(source, &error))?;
    // its end is seen by the client, whose calls then fail
    tokio::spawn(connection);
    query(source, link, &client).await
}

async fn query(source: &Source, link: &mut Link, client: &Client) -> Result<(), QueryError> {
    let fault = |error: Error, rows| fault(source, &error, rows);
    // the lexer that judged the query read plain strings as these settings have them
    let begin = format!(
        "SET standard_conforming_strings = on; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 0; \
         START TRANSACTION READ ONLY",
        source.time_limit.as_millis()
    );
    client.batch_execute(&begin).await.map_err(|error| fault(error, 0))?;
    let statement: Statement = client.prepare(&source.query).await.map_err(|error| fault(error, 0))?;
    if !statement.params().is_empty() {
        return Err(QueryError::Result { problem: "en fråga har inga parametrar ($1)" });
    }
    if statement.columns().is_empty() {
        return Err(QueryError::Result { problem: "frågan ger inga kolumner" });
    }
    let names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let Some(wanted) = link.columns(names).await else { return Ok(()) };
    let kinds = kinds(&statement, &wanted)?;
    let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
    let rows = client.query_raw(&statement, none).await.map_err(|error| fault(error, 0))?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(|error| fault(error, link.rows))? {
        let values = kinds.iter().enumerate().map(|(at, kind)| {
            let Some(kind) = kind else { return Ok(harmonise::Value::Null) };
            let damaged =
                || QueryError::Lost { rows: link.rows, problem: "ett värde har inte den form typen säger" };
            let raw: Raw<'_> = row.try_get(at).map_err(|_| damaged())?;
            raw.read(*kind).ok_or_else(damaged)
        });
        let values = values.collect::<Result<Vec<_>, QueryError>>()?;
        if link.row(values)? == More::Nobody {
            return Ok(());
        }
    }
    Ok(())
}

/// How the wanted columns are read.
fn kinds(statement: &Statement, wanted: &[bool]) -> Result<Vec<Option<Kind>>, QueryError> {
    let columns = statement.columns().iter().zip(wanted);
    let kind = |(column, wanted): (&tokio_postgres::Column, &bool)| {
        if !wanted {
            return Ok(None);
        }
        Kind::of(column.type_()).map(Some).map_err(|hint| QueryError::Type {
            column: column.name().to_owned(),
            sql_type: column.type_().name().to_owned(),
            hint,
        })
    };
    columns.map(kind).collect()
}

/// Why there is no session. The error's own text is never shown.
fn entry(source: &Source, error: &Error) -> QueryError {
    if let Some(said) = error.as_db_error() {
        let fault =
            ServerFault { meaning: meaning(said.code()), code: said.code().code().into(), line: None };
        return QueryError::Login { user: source.user.clone(), fault };
    }
    let told = error.to_string();
    let inner = error.source();
    if let Some(io) = inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
        if told.starts_with("error performing TLS handshake") {
            return handshake(io);
        }
        let (host, port) = (source.host.clone(), source.port);
        return QueryError::Connect { host, port, problem: io.kind() };
    }
    if told.starts_with("error performing TLS handshake") {
        return QueryError::Tls { problem: "servern erbjuder ingen TLS".into() };
    }
    let meaning = match &source.password {
        None => "servern kräver ett lösenord; ange losenord_fil",
        Some(_) => "servern och noden är inte överens om hur lösenordet visas",
    };
    let fault = ServerFault { meaning, code: "klienten".into(), line: None };
    QueryError::Login { user: source.user.clone(), fault }
}

/// Why a query ended. The error's own text is never shown.
fn fault(source: &Source, error: &Error, rows: u64) -> QueryError {
    let Some(said) = error.as_db_error() else {
        return QueryError::Lost { rows, problem: "servern lade på" };
    };
    if *said.code() == SqlState::QUERY_CANCELED {
        return QueryError::TimeLimit { seconds: source.time_limit.as_secs(), rows };
    }
    let line = match said.position() {
        Some(ErrorPosition::Original(character)) => {
            let before = source.query.chars().take((*character as usize).saturating_sub(1));
            Some(1 + before.filter(|sign| *sign == '\n').count())
        }
        _ => None,
    };
    let fault = ServerFault { meaning: meaning(said.code()), code: said.code().code().into(), line };
    QueryError::Refused { fault }
}

/// What an operator can do something with (PostgreSQL, appendix A).
fn meaning(code: &SqlState) -> &'static str {
    match code.code() {
        "28P01" | "28000" => "användaren eller lösenordet godtas inte",
        "3D000" => "databasen finns inte",
        "42501" => "användaren saknar rättighet",
        "42P01" => "tabellen finns inte",
        "42703" => "kolumnen finns inte",
        "42883" => "funktionen eller jämförelsen finns inte",
        "42601" => "frågan kan inte tolkas",
        "25006" => "frågan ändrar något; den får bara läsa",
        "53300" => "servern har för många förbindelser",
        "57P01" | "57P02" | "57P03" => "servern stängs eller startar",
        other => match other.get(..2) {
            Some("22") => "ett värde i databasen kan inte räknas om som frågan ber om",
            Some("42") => "frågan passar inte databasen",
            Some("53") => "servern har inte minne eller plats nog",
            Some("40" | "55") => "tabellen är upptagen; försök igen",
            _ => "servern svarar med ett fel",
        },
    }
}
