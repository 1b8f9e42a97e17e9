//! One session: in a thread of its own, its rows over a bounded channel.
//!
//! Whoever reads rows is synchronous and may stand inside an asynchronous runtime or outside one; the engines are
//! asynchronous. Between them lie at most [`BATCHES`] batches of [`BATCH`] rows: a reader that is slow makes the
//! session wait, and the session the server. The time limit runs from the first connection to the last row.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::vec;

use harmonise::Value;
use tokio::sync::oneshot;

use crate::error::QueryError;
use crate::select::Engine;
use crate::source::Source;
use crate::{postgresql, sqlserver};

/// Batches that wait for the reader.
const BATCHES: usize = 4;
/// Rows of a batch.
const BATCH: usize = 256;

enum Message {
    Columns(Vec<String>),
    Rows(Vec<Vec<Value>>),
    Failed(QueryError),
    Done,
}

/// A query whose columns are known; its rows have not been asked for yet.
pub struct Columns {
    names: Vec<String>,
    go: oneshot::Sender<Vec<bool>>,
    messages: Receiver<Message>,
}

impl Source {
    /// Connects and asks what columns the query gives.
    ///
    /// # Errors
    /// [`QueryError`] naming the key of the source that has to be looked at.
    pub fn ask(&self) -> Result<Columns, QueryError> {
        let (to, messages) = sync_channel(BATCHES);
        let (go, gone) = oneshot::channel();
        let source = self.clone();
        let spawned = thread::Builder::new().name("kalla".into()).spawn(move || session(&source, to, gone));
        spawned.map_err(|_| QueryError::Lost { rows: 0, problem: "ingen tråd" })?;
        match messages.recv() {
            Ok(Message::Columns(names)) => Ok(Columns { names, go, messages }),
            Ok(Message::Failed(error)) => Err(error),
            _ => Err(QueryError::Lost { rows: 0, problem: "sessionen avbröts" }),
        }
    }
}

impl Columns {
    /// The names of the columns, as the query gives them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The rows, with the values of the wanted columns; the others are [`Value::Null`] and their types do not matter.
    pub fn rows(self, wanted: Vec<bool>) -> Rows {
        // a session that has ended has said why
        let _ = self.go.send(wanted);
        Rows { messages: self.messages, batch: Vec::new().into_iter(), taken: 0, ended: false }
    }
}

/// The rows of a query, in its order; ends after the first error.
pub struct Rows {
    messages: Receiver<Message>,
    batch: vec::IntoIter<Vec<Value>>,
    taken: u64,
    ended: bool,
}

impl Iterator for Rows {
    type Item = Result<Vec<Value>, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.batch.next() {
                self.taken += 1;
                return Some(Ok(row));
            }
            if self.ended {
                return None;
            }
            match self.messages.recv() {
                Ok(Message::Rows(rows)) => self.batch = rows.into_iter(),
                Ok(Message::Done) => self.ended = true,
                outcome => {
                    self.ended = true;
                    let lost = QueryError::Lost { rows: self.taken, problem: "sessionen avbröts" };
                    return Some(Err(match outcome {
                        Ok(Message::Failed(error)) => error,
                        _ => lost,
                    }));
                }
            }
        }
    }
}

/// The session's end of the channel.
pub(crate) struct Link {
    to: SyncSender<Message>,
    go: Option<oneshot::Receiver<Vec<bool>>>,
    batch: Vec<Vec<Value>>,
    row_limit: u64,
    pub(crate) rows: u64,
}

/// Whether the reader wants more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Wanted,
    Nobody,
}

impl Link {
    /// Tells the columns, and waits for which of them are wanted; nothing if no rows are.
    pub(crate) async fn columns(&mut self, names: Vec<String>) -> Option<Vec<bool>> {
        self.to.send(Message::Columns(names)).ok()?;
        self.go.take()?.await.ok()
    }

    /// One more row.
    pub(crate) fn row(&mut self, values: Vec<Value>) -> Result<More, QueryError> {
        if self.rows >= self.row_limit {
            return Err(QueryError::RowLimit { rows: self.row_limit });
        }
        self.rows += 1;
        self.batch.push(values);
        Ok(if self.batch.len() < BATCH { More::Wanted } else { self.flush() })
    }

    fn flush(&mut self) -> More {
        let rows = std::mem::take(&mut self.batch);
        match self.to.send(Message::Rows(rows)) {
            Ok(()) => More::Wanted,
            Err(_) => More::Nobody,
        }
    }
}

fn session(source: &Source, to: SyncSender<Message>, go: oneshot::Receiver<Vec<bool>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return, // the reader sees that the session ended
    };
    let mut link = Link { to, go: Some(go), batch: Vec::new(), row_limit: source.row_limit, rows: 0 };
    let outcome = runtime.block_on(async {
        let run = async {
            match source.engine {
                Engine::PostgreSql => postgresql::run(source, &mut link).await,
                Engine::SqlServer => sqlserver::run(source, &mut link).await,
            }
        };
        tokio::time::timeout(source.time_limit, run).await
    });
    let seconds = source.time_limit.as_secs();
    // rows that came before an error are not read: nobody counts half an extract
    let last = match outcome.unwrap_or(Err(QueryError::TimeLimit { seconds, rows: link.rows })) {
        Ok(()) => {
            link.flush();
            Message::Done
        }
        Err(error) => Message::Failed(error),
    };
    // a reader that has gone wants no more
    let _ = link.to.send(last);
    // a look-up of a name can outlive its session
    runtime.shutdown_background();
}
