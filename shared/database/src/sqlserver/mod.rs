//! SQL Server: one batch in a transaction that is never committed, its rows as they come.
//!
//! The session says `ApplicationIntent=ReadOnly`, which sends it to a readable copy where there is one and stops
//! nothing by itself: that the account may only read is the operator's to see to. The connection is dropped with its
//! transaction open, so the server rolls back whatever a function of the query may have done.
//!
//! Not run against a real server by any test here: the encoding of values, and the whole conversation against a server
//! of our own (`tests/sqlserver.rs`), are.

mod prelogin;
mod value;

use futures_util::TryStreamExt;
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem, ResultMetadata};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::error::{QueryError, ServerFault};
use crate::rows::{Link, More};
use crate::source::{Source, Tls};
use crate::trust::{Password, client_config};

pub(crate) async fn run(source: &Source, link: &mut Link) -> Result<(), QueryError> {
    let password = Password::of(source)?;
    let Some(password) = password else {
        let meaning = "SQL Server kräver ett lösenord; ange losenord_fil (Windows-inloggning läses inte)";
        let fault = ServerFault { meaning, code: "klienten".into(), line: None };
        return Err(QueryError::Login { user: source.user.clone(), fault });
    };
    let (mut host, mut port) = (source.host.clone(), source.port);
    // a listener of an availability group may point to a readable copy, once
    for is_last in [false, true] {
        match enter(source, &password, &host, port, link).await {
            Err(Left::Elsewhere { host: other, port: at }) if !is_last => (host, port) = (other, at),
            Err(Left::Elsewhere { .. }) => {
                return Err(QueryError::Lost { rows: 0, problem: "servern hänvisar i en ring" });
            }
            Err(Left::Failed(error)) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(())
}

/// Why a server was left.
enum Left {
    /// It points to another.
    Elsewhere {
        host: String,
        port: u16,
    },
    Failed(QueryError),
}

impl From<QueryError> for Left {
    fn from(error: QueryError) -> Self {
        Self::Failed(error)
    }
}

async fn enter(
    source: &Source,
    password: &Password,
    host: &str,
    port: u16,
    link: &mut Link,
) -> Result<(), Left> {
    let mut config = Config::new();
    config.host(host);
    config.port(port);
    config.database(&source.database);
    config.application_name("samman");
    config.authentication(AuthMethod::sql_server(&source.user, password.0.as_str()));
    config.readonly(true);
    // what is under it encrypts, or nothing does: it shall not ask for it
    config.encryption(EncryptionLevel::NotSupported);
    // the source's own limit is over everything
    config.handshake_timeout(None);
    let tls = match source.tls {
        // TDS 7 carries the handshake in packets, and TLS 1.3 would go on sending after it
        Tls::Required => Some(client_config(source, &[&rustls::version::TLS12])?),
        Tls::Off => None,
    };
    let refused = |problem: std::io::Error| QueryError::Connect {
        host: host.to_owned(),
        port,
        problem: problem.kind(),
    };
    let stream = TcpStream::connect((host, port)).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    match tls {
        Some(tls) => {
            let stream = prelogin::encrypt(stream, host, tls).await?;
            converse(source, link, config, stream.compat_write()).await
        }
        None => converse(source, link, config, stream.compat_write()).await,
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send>(
    source: &Source,
    link: &mut Link,
    config: Config,
    stream: Compat<S>,
) -> Result<(), Left> {
    let mut client = match Client::connect(config, stream).await {
        Ok(client) => client,
        Err(Error::Routing { host, port }) => return Err(Left::Elsewhere { host, port }),
        Err(Error::Server(said)) => {
            let fault =
                ServerFault { meaning: meaning(said.code()), code: said.code().to_string(), line: None };
            return Err(QueryError::Login { user: source.user.clone(), fault }.into());
        }
        Err(_) => {
            return Err(QueryError::Lost { rows: 0, problem: "servern svarar inte som SQL Server" }.into());
        }
    };
    query(source, link, &mut client).await.map_err(Left::Failed)
}

async fn query<S: AsyncRead + AsyncWrite + Unpin + Send>(
    source: &Source,
    link: &mut Link,
    client: &mut Client<Compat<S>>,
) -> Result<(), QueryError> {
    begin(client).await.map_err(|error| fault(&error, 0))?;
    let mut items = client.simple_query(source.query.as_str()).await.map_err(|error| fault(&error, 0))?;
    let mut kinds: Option<Vec<bool>> = None;
    while let Some(item) = items.try_next().await.map_err(|error| fault(&error, link.rows))? {
        match (item, &kinds) {
            (QueryItem::Metadata(columns), None) => match begin_rows(link, &columns).await? {
                Some(wanted) => kinds = Some(wanted),
                None => return Ok(()),
            },
            (QueryItem::Metadata(_), Some(_)) | (QueryItem::Row(_), None) => {
                return Err(QueryError::Result { problem: "frågan ger mer än en tabell" });
            }
            (QueryItem::Row(row), Some(wanted)) => {
                let damaged = || QueryError::Lost {
                    rows: link.rows,
                    problem: "ett värde har inte den form typen säger",
                };
                let cells = row.cells().zip(wanted);
                let values = cells.map(|((_, data), wanted)| {
                    if *wanted { value::read(data).ok_or_else(damaged) } else { Ok(harmonise::Value::Null) }
                });
                let values = values.collect::<Result<Vec<_>, _>>()?;
                if link.row(values)? == More::Nobody {
                    return Ok(());
                }
            }
        }
    }
    match kinds {
        Some(_) => Ok(()),
        None => Err(QueryError::Result { problem: "frågan ger inga kolumner" }),
    }
}

async fn begin<S: AsyncRead + AsyncWrite + Unpin + Send>(
    client: &mut Client<Compat<S>>,
) -> Result<(), Error> {
    let text = "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; BEGIN TRANSACTION";
    client.simple_query(text).await?.into_results().await.map(|_| ())
}

/// Which columns are wanted, if any rows are; each of a type that is read.
async fn begin_rows(link: &mut Link, columns: &ResultMetadata) -> Result<Option<Vec<bool>>, QueryError> {
    let columns = columns.columns();
    let names = columns.iter().map(|column| column.name().to_owned()).collect();
    let Some(wanted) = link.columns(names).await else { return Ok(None) };
    for (column, _) in columns.iter().zip(&wanted).filter(|(_, wanted)| **wanted) {
        value::check(column.column_type()).map_err(|sql_type| QueryError::Type {
            column: column.name().to_owned(),
            sql_type: sql_type.to_owned(),
            hint: "CAST(kolumn AS nvarchar(100))",
        })?;
    }
    Ok(Some(wanted))
}

/// Why a query ended. The error's own text is never shown.
fn fault(error: &Error, rows: u64) -> QueryError {
    match error {
        Error::Server(said) => {
            let line = usize::try_from(said.line()).ok().filter(|line| *line > 0);
            let fault = ServerFault { meaning: meaning(said.code()), code: said.code().to_string(), line };
            QueryError::Refused { fault }
        }
        Error::Io { .. } => QueryError::Lost { rows, problem: "servern lade på" },
        _ => QueryError::Lost { rows, problem: "det som kom var inte i ordning" },
    }
}

/// What an operator can do something with (`sys.messages`).
fn meaning(code: u32) -> &'static str {
    match code {
        18456 | 18452 | 18470 | 18487 | 18488 => "användaren eller lösenordet godtas inte",
        4060 | 911 => "databasen finns inte eller får inte öppnas",
        229 | 230 | 916 => "användaren saknar rättighet",
        208 => "tabellen finns inte",
        207 | 4104 => "kolumnen finns inte",
        102 | 156 | 319 => "frågan kan inte tolkas",
        3906 | 3908 => "frågan ändrar något; den får bara läsa",
        1205 | 1222 => "tabellen är upptagen; försök igen",
        220 | 235 | 241 | 242 | 245 | 295 | 8114 | 8115 | 8134 => {
            "ett värde i databasen kan inte räknas om som frågan ber om"
        }
        _ => "servern svarar med ett fel",
    }
}
