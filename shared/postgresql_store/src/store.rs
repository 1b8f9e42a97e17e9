//! The synchronous store over the asynchronous session: a runtime of its own, with one thread.
//!
//! Callers wait on an ordinary channel while that thread works: so a call blocks its thread as sled's fsync does, never needs
//! the caller's runtime to go on, and cannot deadlock with it. A runtime that is shared could: all of its threads may wait here.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use daemon::store::{Batch, Store, StoreError, Visit, check_key};
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::place::Place;
use crate::session::{PATIENCE, Session, hand};

/// Entries read ahead of who looks at them.
const AHEAD: usize = 2;
/// How long giving back the lease may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// A store in a PostgreSQL database; see the crate for what holds.
pub struct PostgresStore {
    session: Arc<Session>,
    runtime: Option<Runtime>,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({}, fence {})", self.session.place().label().display(), self.session.fence())
    }
}

impl PostgresStore {
    /// Opens the store unless another process holds it; makes its tables where there are none. Blocks while it connects.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: another process is active, try again later. [`StoreError::Version`]: made by a later release.
    /// [`StoreError::Database`], [`StoreError::Io`]: what is configured cannot be used, with what to do.
    pub fn try_open(place: &Place) -> Result<Self, StoreError> {
        let builder =
            || Builder::new_multi_thread().worker_threads(1).thread_name("lager").enable_all().build();
        let runtime = builder().map_err(|source| StoreError::Io { path: place.label(), source })?;
        let late = place.broken("the database does not answer");
        let opening = Session::open(place.clone());
        let opened =
            wait(&runtime, async move { tokio::time::timeout(PATIENCE, opening).await.unwrap_or(Err(late)) });
        let session = match opened.unwrap_or_else(|| Err(place.broken("opening it ended early"))) {
            Ok(session) => Arc::new(session),
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let kept = session.clone();
        runtime.spawn(async move { kept.keep_lease().await });
        Ok(Self { session, runtime: Some(runtime) })
    }

    fn halted(&self) -> StoreError {
        StoreError::Halted { path: self.session.place().label() }
    }

    /// Does work on the store's thread and waits for it; without an answer in time nothing is known, and the store halts.
    fn call<T, F>(&self, work: impl FnOnce(Arc<Session>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.session.check()?;
        let runtime = self.runtime.as_ref().ok_or_else(|| self.halted())?;
        let (session, work) = (self.session.clone(), work(self.session.clone()));
        let answer = wait(runtime, async move {
            tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
                session.halt();
                Err(session.place().broken("the database did not answer in time; what it did is not known"))
            })
        });
        answer.unwrap_or_else(|| {
            self.session.halt();
            Err(self.halted())
        })
    }
}

/// The outcome of work on a runtime; `None` when the runtime ended under it.
fn wait<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    runtime.spawn(async move { answer.send(work.await) });
    beside(|| answered.recv().ok())
}

/// Waits; on a thread of a runtime others take over its tasks meanwhile, also when the database is slow to answer.
fn beside<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

impl Store for PostgresStore {
    fn fence(&self) -> u64 {
        self.session.fence()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        let key = key.to_owned();
        self.call(|session| async move { session.get(&key).await })
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let prefix = prefix.to_owned();
        self.call(|session| async move { session.scan(&prefix).await })
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let prefix = prefix.to_owned();
        self.call(|session| async move { session.keys(&prefix).await })
    }

    /// Nobody waits meanwhile: the server keeps the instant.
    fn each(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.session.check()?;
        let runtime = self.runtime.as_ref().ok_or_else(|| self.halted())?;
        let (send, entries) = sync_channel(AHEAD);
        let session = self.session.clone();
        runtime.spawn(async move {
            let shown = session.each(&send).await;
            hand(&send, shown.map(|()| None)).await
        });
        loop {
            match beside(|| entries.recv_timeout(PATIENCE)) {
                Ok(Ok(Some((key, value)))) => visit(&key, &value)?,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(self
                        .session
                        .place()
                        .broken("the database stopped in the middle of a reading"));
                }
            }
        }
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        self.session.check()?;
        batch.check_fence(self.session.fence())?;
        if batch.is_empty() {
            return Ok(());
        }
        self.call(|session| async move { session.commit(&batch).await })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let session = self.session.clone();
        let _ = wait(&runtime, async move { tokio::time::timeout(FAREWELL, session.give_back()).await });
        runtime.shutdown_background();
    }
}
