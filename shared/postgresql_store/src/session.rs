//! One opening: a connection that writes under the fence, one that reads, and a lease kept alive.
//!
//! What it does not do: it does not connect again. A lost connection ends the opening; the daemon ends with it and whoever
//! keeps it running starts it again, so there is one way to recover and it is the one after a crash.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Mutex as Held, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::store::{Batch, StoreError};
use futures_util::TryStreamExt as _;
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Connection, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::{Fault, entry, meaning};
use crate::place::Place;
use crate::schema::{DURABILITY, LAYOUT, SESSION, STEPS, SYNCHRONOUS, Statements};

/// Longest wait for an answer; after it nothing is known.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How often a batch is tried whose transaction another one undid.
const TRIES: u32 = 5;

/// Pause before another look whether there is room for the next entry.
const PAUSE: Duration = Duration::from_millis(2);

/// An entry of a reading, its end, or why it broke off.
pub(crate) type Shown = Result<Option<(String, Vec<u8>)>, StoreError>;

/// Whether the opening still takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    Halted,
    Superseded(u64),
}

struct Writer {
    client: Client,
    lock: Statement,
    put: Statement,
    delete: Statement,
    count: Statement,
    renew: Statement,
}

/// An opening.
pub(crate) struct Session {
    place: Place,
    statements: Statements,
    fence: u64,
    writer: Mutex<Writer>,
    reader: Client,
    state: Held<State>,
}

/// A connection with the settings a store needs.
async fn connect(place: &Place) -> Result<Client, StoreError> {
    let config = place.config()?;
    let refused = |error: tokio_postgres::Error| place.broken(entry(&error));
    let client = if config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
        drive(connection);
        client
    } else {
        let tls = MakeRustlsConnect::new(place.tls()?);
        let (client, connection) = config.connect(tls).await.map_err(refused)?;
        drive(connection);
        client
    };
    let said = |fault: tokio_postgres::Error| told(place, &Fault::from(fault));
    client.batch_execute(SESSION).await.map_err(said)?;
    let row = client.query_one(DURABILITY, &[]).await.map_err(said)?;
    let setting = |at: usize| row.try_get::<_, Option<String>>(at).ok().flatten().unwrap_or_default();
    // an engine that has no such setting says nothing; that it is durable is then its own promise
    if setting(0) == "off" {
        return Err(place.broken("fsync is off: a power cut would lose what was acknowledged; set it on"));
    }
    if setting(2) == "on" {
        return Err(place.broken(meaning(&SqlState::READ_ONLY_SQL_TRANSACTION)));
    }
    if !matches!(setting(1).as_str(), "" | "on" | "remote_apply") {
        client.batch_execute(SYNCHRONOUS).await.map_err(said)?;
    }
    Ok(client)
}

/// A connection's end is seen by its client, whose calls then fail.
fn drive<S, T>(connection: Connection<S, T>)
where
    Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(connection);
}

/// An error before the opening is one: nothing is halted.
fn told(place: &Place, fault: &Fault) -> StoreError {
    match fault {
        Fault::Full => StoreError::Full { path: place.label() },
        Fault::Said(code) => place.broken(meaning(code)),
        Fault::Again => place.broken("another transaction is in the way; try again"),
        Fault::Lost | Fault::Fenced(_) => place.broken("the connection broke"),
    }
}

/// Makes the tables where there are none. Two may try at once: then one of them tries again.
async fn make_tables(client: &Client, place: &Place, statements: &Statements) -> Result<i32, StoreError> {
    let mut tries = TRIES;
    loop {
        match tables(client, place, statements).await.map_err(Fault::from) {
            Ok(layout) => return Ok(layout),
            Err(Fault::Said(code)) if tries > 0 && is_race(&code) => tries -= 1,
            Err(Fault::Again) if tries > 0 => tries -= 1,
            Err(fault) => return Err(told(place, &fault)),
        }
        // a failed statement may have left the transaction of a multi-statement query open
        client.batch_execute("ROLLBACK").await.map_err(|error| told(place, &error.into()))?;
    }
}

fn is_race(code: &SqlState) -> bool {
    [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_OBJECT,
    ]
    .contains(code)
}

async fn tables(
    client: &Client,
    place: &Place,
    statements: &Statements,
) -> Result<i32, tokio_postgres::Error> {
    let layout = |row: Row| row.try_get(0);
    match client.query_opt(&statements.layout, &[]).await {
        Ok(Some(row)) => return layout(row),
        Ok(None) => {}
        Err(error)
            if error.code().is_some_and(|code| {
                [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME].contains(code)
            }) => {}
        Err(error) => return Err(error),
    }
    // who may not make schemas may still use one that was made for it
    if client.query_opt(&statements.schema_exists, &[&place.schema]).await?.is_none() {
        client.batch_execute(&statements.make_schema).await?;
    }
    client.batch_execute(&statements.make_tables).await?;
    layout(client.query_one(&statements.layout, &[]).await?)
}

impl Session {
    /// Opens the store, if nobody holds it.
    pub(crate) async fn open(place: Place) -> Result<Self, StoreError> {
        let statements = Statements::new(&place.schema, place.takeover);
        let client = connect(&place).await?;
        let layout = make_tables(&client, &place, &statements).await?;
        if layout > LAYOUT {
            let found = u32::try_from(layout).unwrap_or_default();
            return Err(StoreError::Version { path: place.label(), found, known: LAYOUT.unsigned_abs() });
        }
        let said = |error: tokio_postgres::Error| told(&place, &error.into());
        let Some(row) = client.query_opt(&statements.take, &[]).await.map_err(said)? else {
            return Err(StoreError::Locked { path: place.label() });
        };
        let fence: i64 = row.try_get(0).map_err(said)?;
        migrate(&client, &place, &statements, (layout, fence), &STEPS).await?;
        let prepare = async |sql: &str| client.prepare(sql).await.map_err(said);
        let (lock, put) = (prepare(&statements.lock).await?, prepare(&statements.put).await?);
        let (delete, count) = (prepare(&statements.delete).await?, prepare(&statements.count).await?);
        let renew = prepare(&statements.renew).await?;
        let reader = connect(&place).await?;
        let fence = u64::try_from(fence).map_err(|_| place.broken("the fence is no count"))?;
        let writer = Mutex::new(Writer { client, lock, put, delete, count, renew });
        Ok(Self { place, statements, fence, writer, reader, state: Held::new(State::Works) })
    }

    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is done after an unknown outcome, nor after another opening.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match *self.state() {
            State::Works => Ok(()),
            State::Halted => Err(StoreError::Halted { path: self.place.label() }),
            State::Superseded(current) => Err(StoreError::Fenced { expected: self.fence, current }),
        }
    }

    pub(crate) fn halt(&self) {
        let mut state = self.state();
        if *state == State::Works {
            *state = State::Halted;
        }
    }

    /// What a fault means for the opening, and for the caller.
    fn after(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Full => {}
            Fault::Fenced(current) => {
                *self.state() = State::Superseded(current);
                return StoreError::Fenced { expected: self.fence, current };
            }
            Fault::Again | Fault::Said(_) | Fault::Lost => self.halt(),
        }
        told(&self.place, &fault)
    }

    fn faulty(&self, error: tokio_postgres::Error) -> StoreError {
        self.after(error.into())
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.reader.query_opt(&self.statements.get, &[&key.as_bytes()]).await;
        let row = row.map_err(|error| self.faulty(error))?;
        row.map(|row| row.try_get(0)).transpose().map_err(|error| self.faulty(error))
    }

    pub(crate) async fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = self.range(&self.statements.scan, prefix).await?;
        rows.iter().map(|row| Ok((self.key(row)?, self.value(row)?))).collect()
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.range(&self.statements.keys, prefix).await?;
        rows.iter().map(|row| self.key(row)).collect()
    }

    async fn range(&self, sql: &str, prefix: &str) -> Result<Vec<Row>, StoreError> {
        // keys are UTF-8, in which no byte is 255: what begins with the prefix, and nothing else, lies between
        let end = [prefix.as_bytes(), &[0xff]].concat();
        let rows = self.reader.query(sql, &[&prefix.as_bytes(), &end]).await;
        rows.map_err(|error| self.faulty(error))
    }

    fn key(&self, row: &Row) -> Result<String, StoreError> {
        let bytes: Vec<u8> = row.try_get(0).map_err(|error| self.faulty(error))?;
        String::from_utf8(bytes).map_err(|_| self.place.broken("a key is not text"))
    }

    fn value(&self, row: &Row) -> Result<Vec<u8>, StoreError> {
        row.try_get(1).map_err(|error| self.faulty(error))
    }

    /// Every entry, from a connection of its own: one statement sees one instant, and neither writer nor readers wait.
    pub(crate) async fn each(&self, to: &SyncSender<Shown>) -> Result<(), StoreError> {
        let client = connect(&self.place).await?;
        let said = |error: tokio_postgres::Error| told(&self.place, &error.into());
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let rows = client.query_raw(&self.statements.all, none).await.map_err(said)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(said)? {
            if !hand(to, Ok(Some((self.key(&row)?, self.value(&row)?)))).await {
                break;
            }
        }
        Ok(())
    }

    /// KEEP-1: whole or not at all, and only under the own fence.
    pub(crate) async fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let writer = self.writer.lock().await;
        // another commit may have failed while this one waited
        self.check()?;
        let mut tries = TRIES;
        loop {
            match self.attempt(&writer, batch).await {
                Ok(()) => return Ok(()),
                Err(Fault::Again) if tries > 0 => tries -= 1,
                Err(fault) => return Err(self.after(fault)),
            }
        }
    }

    async fn attempt(&self, writer: &Writer, batch: &Batch) -> Result<(), Fault> {
        let written = self.write(writer, batch).await;
        match written {
            Ok(()) => match writer.client.batch_execute("COMMIT").await.map_err(Fault::from) {
                // only of these is it certain that nothing stayed
                Err(fault) if fault != Fault::Again && fault != Fault::Full => Err(Fault::Lost),
                done => done,
            },
            Err(Fault::Lost) => Err(Fault::Lost),
            Err(fault) => {
                writer.client.batch_execute("ROLLBACK").await.map_err(|_| Fault::Lost)?;
                Err(fault)
            }
        }
    }

    async fn write(&self, writer: &Writer, batch: &Batch) -> Result<(), Fault> {
        let client = &writer.client;
        client.batch_execute("BEGIN").await?;
        // the lock holds off whoever wants to take over until this transaction has ended
        let row = client.query_one(&writer.lock, &[]).await?;
        let current = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
        if current != self.fence {
            return Err(Fault::Fenced(current));
        }
        for (key, value) in batch.changes() {
            match value {
                Some(value) => client.execute(&writer.put, &[&key.as_bytes(), &value]).await?,
                None => client.execute(&writer.delete, &[&key.as_bytes()]).await?,
            };
        }
        client.execute(&writer.count, &[]).await?;
        Ok(())
    }

    /// Holds on to the lease until the opening ends.
    pub(crate) async fn keep_lease(&self) {
        while self.check().is_ok() {
            tokio::time::sleep(self.place.takeover / 4).await;
            match tokio::time::timeout(PATIENCE, self.renew()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the store is no longer this process's"),
                Err(_) => {
                    self.halt();
                    tracing::error!(store = %self.place.label().display(), "the database does not answer");
                }
            }
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let writer = self.writer.lock().await;
        self.check()?;
        let mine = i64::try_from(self.fence).unwrap_or_default();
        let renewed = writer.client.execute(&writer.renew, &[&mine]).await;
        match renewed.map_err(Fault::from) {
            Ok(1) => Ok(()),
            Ok(_) => {
                let row = writer.client.query_one(&writer.lock, &[]).await;
                let current = row.and_then(|row| row.try_get::<_, i64>(0));
                let current = current.map_err(|error| self.faulty(error))?;
                Err(self.after(Fault::Fenced(u64::try_from(current).unwrap_or_default())))
            }
            // in the way of nobody: the next time is soon
            Err(Fault::Again) => Ok(()),
            Err(fault) => Err(self.after(fault)),
        }
    }

    /// Lets a standby take over at once. Best effort: the lease ends by itself.
    pub(crate) async fn give_back(&self) {
        let writer = self.writer.lock().await;
        if self.check().is_ok() {
            self.halt();
            let mine = i64::try_from(self.fence).unwrap_or_default();
            let _ = writer.client.execute(&self.statements.give_back, &[&mine]).await;
        }
    }
}

/// Hands something over without blocking the store's thread; `false` when nobody looks any more.
pub(crate) async fn hand(to: &SyncSender<Shown>, mut what: Shown) -> bool {
    loop {
        match to.try_send(what) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => what = back,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Brings older tables up step by step, in one transaction that takes the fence's row.
async fn migrate(
    client: &Client,
    place: &Place,
    statements: &Statements,
    (layout, fence): (i32, i64),
    steps: &[&str],
) -> Result<(), StoreError> {
    let newest = i32::try_from(steps.len() + 1).map_err(|_| place.broken("more steps than versions"))?;
    if layout == newest {
        return Ok(());
    }
    let said = |error: tokio_postgres::Error| told(place, &error.into());
    client.batch_execute("BEGIN").await.map_err(said)?;
    let from = usize::try_from(layout - 1).map_err(|_| place.broken("the layout is no version"))?;
    for step in steps.iter().skip(from) {
        client.batch_execute(&step.replace("{s}", &place.schema)).await.map_err(said)?;
    }
    let set = client.execute(&statements.set_layout, &[&newest, &fence]).await.map_err(said)?;
    if set != 1 {
        return Err(StoreError::Locked { path: place.label() });
    }
    client.batch_execute("COMMIT").await.map_err(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// KEEP-1: older tables come up whole, or stay as they were.
    #[test]
    fn tables_come_up_step_by_step_or_not_at_all() {
        let Some(cluster) = postgres::Cluster::start_with(&[]) else { return };
        let socket = format!("{}:{}", cluster.socket().display(), cluster.port());
        let place = Place::new(&socket, "postgres", postgres::USER).unwrap().takeover(2).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = Session::open(place.clone()).await.unwrap();
            session.commit(&Batch::new().put("a", "1")).await.unwrap();
            let up = async |from: i32, fence: i64, steps: &[&str]| {
                let client = connect(&place).await.unwrap();
                migrate(&client, &place, &session.statements, (from, fence), steps).await
            };
            let layout = async || session.reader.query_one(&session.statements.layout, &[]).await.unwrap();
            let (add, fill) =
                ("ALTER TABLE {s}.entry ADD COLUMN made integer", "UPDATE {s}.entry SET made = 7");
            assert!(up(1, 1, &[add, "UPDATE {s}.nowhere SET made = 7"]).await.is_err());
            assert_eq!(layout().await.get::<_, i32>(0), 1);
            assert!(up(1, 9, &[add, fill]).await.is_err(), "another one has taken over");
            up(1, 1, &[add, fill]).await.unwrap();
            assert_eq!(layout().await.get::<_, i32>(0), 3);
            let row = session.reader.query_one("SELECT made FROM samman.entry", &[]).await.unwrap();
            assert_eq!(row.get::<_, i32>(0), 7);
            // From the middle: only what is missing is done.
            up(2, 1, &["this is not SQL", "UPDATE {s}.entry SET made = 8"]).await.unwrap();
            let row = session.reader.query_one("SELECT made FROM samman.entry", &[]).await.unwrap();
            assert_eq!(row.get::<_, i32>(0), 8);
        });
    }
}
