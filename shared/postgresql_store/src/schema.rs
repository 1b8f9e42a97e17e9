//! Two tables in a schema of the store's own, and every statement that is sent.
//!
//! `entry` holds keys and values, both as bytes: so order and prefixes are those of bytes, whatever the database's collation.
//! `opening` has one row: the layout's version, the fence, the number of commits, and until when the holder's lease lasts, by
//! the server's clock.
//!
//! What it does not do: it changes no table of a newer layout; the first thing read is its version.
//!
//! Only what the SQL standard has is used, and of PostgreSQL's own `bytea`, `ON CONFLICT`, `RETURNING`, `clock_timestamp()`
//! and `current_setting`: no lock, trigger, function, extension, sequence or notification of its own.

use std::time::Duration;

/// The version of the tables made here.
pub(crate) const LAYOUT: i32 = 1;
/// What leads from an older layout to the next: the first from 1 to 2. `{s}` stands for the schema.
pub(crate) const STEPS: [&str; LAYOUT as usize - 1] = [];

/// The statements of one store.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    pub(crate) schema_exists: String,
    pub(crate) make_schema: String,
    pub(crate) make_tables: String,
    pub(crate) layout: String,
    pub(crate) set_layout: String,
    pub(crate) take: String,
    pub(crate) renew: String,
    pub(crate) give_back: String,
    pub(crate) lock: String,
    pub(crate) count: String,
    pub(crate) put: String,
    pub(crate) delete: String,
    pub(crate) get: String,
    pub(crate) scan: String,
    pub(crate) keys: String,
    pub(crate) all: String,
}

/// Settings of a session. No time limit of the server's: it would also end the wait for a synchronous copy, and then COMMIT
/// succeeds with a warning. A holder that died in a transaction must not hold the fence's row for ever.
pub(crate) const SESSION: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '60s'";
/// What a store's promise hangs on.
pub(crate) const DURABILITY: &str = "SELECT current_setting('fsync', true), \
     current_setting('synchronous_commit', true), current_setting('transaction_read_only', true)";
/// Where the server or the account is set to acknowledge before the log is on disk.
pub(crate) const SYNCHRONOUS: &str = "SET synchronous_commit = on";

impl Statements {
    /// The statements for a schema, whose name was checked, and a lease.
    pub(crate) fn new(s: &str, lease: Duration) -> Self {
        let until = format!("lease_until = clock_timestamp() + interval '{} seconds'", lease.as_secs());
        Self {
            schema_exists: "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1".into(),
            make_schema: format!("CREATE SCHEMA IF NOT EXISTS {s}"),
            make_tables: format!(
                "CREATE TABLE IF NOT EXISTS {s}.opening (one smallint PRIMARY KEY CHECK (one = 1), \
                 layout integer NOT NULL, fence bigint NOT NULL, commits bigint NOT NULL, \
                 lease_until timestamp with time zone NOT NULL); \
                 CREATE TABLE IF NOT EXISTS {s}.entry (key bytea PRIMARY KEY, value bytea NOT NULL); \
                 INSERT INTO {s}.opening (one, layout, fence, commits, lease_until) \
                 VALUES (1, {LAYOUT}, 0, 0, TIMESTAMP WITH TIME ZONE '2000-01-01 00:00:00+00') ON CONFLICT DO NOTHING"
            ),
            layout: format!("SELECT layout FROM {s}.opening WHERE one = 1"),
            set_layout: format!("UPDATE {s}.opening SET layout = $1 WHERE one = 1 AND fence = $2"),
            take: format!(
                "UPDATE {s}.opening SET fence = fence + 1, {until} \
                 WHERE one = 1 AND lease_until < clock_timestamp() RETURNING fence"
            ),
            renew: format!("UPDATE {s}.opening SET {until} WHERE one = 1 AND fence = $1"),
            give_back: format!(
                "UPDATE {s}.opening SET lease_until = TIMESTAMP WITH TIME ZONE '2000-01-01 00:00:00+00' \
                 WHERE one = 1 AND fence = $1"
            ),
            lock: format!("SELECT fence FROM {s}.opening WHERE one = 1 FOR UPDATE"),
            count: format!("UPDATE {s}.opening SET commits = commits + 1, {until} WHERE one = 1"),
            put: format!(
                "INSERT INTO {s}.entry (key, value) VALUES ($1, $2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ),
            delete: format!("DELETE FROM {s}.entry WHERE key = $1"),
            get: format!("SELECT value FROM {s}.entry WHERE key = $1"),
            scan: format!("SELECT key, value FROM {s}.entry WHERE key >= $1 AND key < $2 ORDER BY key"),
            keys: format!("SELECT key FROM {s}.entry WHERE key >= $1 AND key < $2 ORDER BY key"),
            all: format!("SELECT key, value FROM {s}.entry ORDER BY key"),
        }
    }
}
