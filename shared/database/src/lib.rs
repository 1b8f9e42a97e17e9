//! A kommun's own database as a source of rows: one file per source, one query, typed values for `harmonise`.
//!
//! `source` is the file, `select` refuses what is no single SELECT, `trust` has the password and the trust anchors,
//! `rows` runs a session in a thread of its own and hands its rows over a bounded channel; `postgresql` and
//! `sqlserver` are the two engines.
//!
//! **Architecture invariants** (STAY-1): the only thing sent is what a session needs and the text of the configured query; the
//! crate knows nothing of rounds, messages and the region's connection, and only a `node` uses it. No error, `Debug` or
//! log of it holds a value of a row or the password: what a server says in its own words is never passed on, only its
//! code and a place in the query. A result is never held whole.
#![cfg_attr(test, allow(missing_docs, clippy::unwrap_used))]

mod error;
mod postgresql;
mod rows;
mod select;
mod source;
mod sqlserver;
mod trust;

pub use error::{QueryError, ServerFault};
pub use rows::{Columns, Rows};
pub use select::{Engine, QueryProblem, check};
pub use source::{MAX_ROWS, MAX_SECONDS, Source, SourceError, VERSION};
