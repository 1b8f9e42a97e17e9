//! The operator's way in: a Unix socket in the data directory, one JSON line a question, one a reply.
//!
//! Only who can read the directory can ask; nothing here is reachable from a network. Invites are answered as text to
//! be written to a file by the command, not logged.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// Longest question or reply in bytes.
const MAX_LINE: u64 = 4 << 20;

/// What an operator can ask of a running coordinator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// An invite for an identity such as `urn:samman:node:2180`, to be redeemed at these addresses.
    Invite {
        /// Whom the certificate will name.
        identity: String,
        /// Who answers there.
        server: String,
        /// The ordinary door.
        address: String,
        /// The enrolment door.
        enrolment_address: String,
    },
    /// Withdraw every certificate of an identity.
    Revoke {
        /// Whose.
        identity: String,
    },
    /// Announce a collection, given as text.
    Announce {
        /// TOML.
        collection: String,
    },
    /// Where the rounds stand.
    Status,
    /// The id of the key that counties seal to: a third coordinator's.
    Key,
    /// Write everything stored to a new file.
    Export {
        /// Absolute path.
        file: PathBuf,
    },
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// An invite file's text.
    Invite(String),
    /// Done.
    Done,
    /// The file is written.
    Exported {
        /// Entries in it.
        entries: u64,
        /// Its length.
        bytes: u64,
    },
    /// One line per collection.
    Status(Vec<CollectionStatus>),
    /// A key's id, 64 hexadecimal digits.
    Key(String),
    /// Not done, with the reason.
    Refused(String),
}

/// Where one collection stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CollectionStatus {
    /// `id/version`.
    pub collection: String,
    /// Phase in the words of the protocol.
    pub phase: String,
    /// Round number.
    pub round: u32,
    /// Units that declared.
    pub declared: Vec<String>,
    /// Units whose report is verified.
    pub verified: Vec<String>,
    /// Withheld cells of units, and of totals that stay closed, as labels.
    pub withheld: Vec<String>,
    /// Why there is no publication.
    pub failure: Option<String>,
}

/// Why a running coordinator could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No coordinator runs on this data directory.
    #[error("no coordinator answers at {path}; is it running? ({source})")]
    Away {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something other than a reply.
    #[error("the coordinator's reply cannot be read")]
    Reply,
}

/// The socket of a data directory.
pub fn socket(data: &Path) -> PathBuf {
    data.join("admin.sock")
}

/// Asks the coordinator that runs on a data directory.
///
/// # Errors
/// [`AdminError`].
pub async fn ask(data: &Path, question: &Question) -> Result<Reply, AdminError> {
    let path = socket(data);
    let away = |source| AdminError::Away { path: path.clone(), source };
    let mut stream = UnixStream::connect(&path).await.map_err(away)?;
    let mut line = serde_json::to_vec(question).map_err(|_| AdminError::Reply)?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(away)?;
    let mut reply = Vec::new();
    BufReader::new(stream).take(MAX_LINE).read_until(b'\n', &mut reply).await.map_err(away)?;
    serde_json::from_slice(&reply).map_err(|_| AdminError::Reply)
}

/// Answers questions until the listener ends.
pub async fn serve<F>(listener: UnixListener, answer: impl Fn(Question) -> F + Clone + Send + 'static)
where
    F: Future<Output = Reply> + Send,
{
    while let Ok((stream, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(stream, answer).await {
                tracing::debug!(%error, "an operator's question broke off");
            }
        });
    }
}

async fn converse<F>(stream: UnixStream, answer: impl Fn(Question) -> F) -> std::io::Result<()>
where
    F: Future<Output = Reply>,
{
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(read).take(MAX_LINE).read_until(b'\n', &mut line).await?;
    let reply = match serde_json::from_slice(&line) {
        Ok(question) => answer(question).await,
        Err(_) => Reply::Refused("the question cannot be read".into()),
    };
    let mut bytes = serde_json::to_vec(&reply)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await
}
