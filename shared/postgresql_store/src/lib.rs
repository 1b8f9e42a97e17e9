//! The coordinator's store in a PostgreSQL database, for a county that wants two replicas and point-in-time restore.
//!
//! What it does not do: it makes no database, no account and no backup; it knows no fact it holds and does not encrypt
//! values. Nodes do not link it.
//!
//! Only one process is *active*: a lease on the server's clock says which, a fence proves it in every commit. Others
//! get [`daemon::store::StoreError::Locked`] from [`PostgresStore::try_open`] and may try again: so a standby waits.
//!
//! Invariants (KEEP-1):
//! - A commit locks the row with the fence, sees its own fence there, writes, and returns `Ok` only after the server has
//!   confirmed COMMIT with `synchronous_commit` on and `fsync` not off.
//! - Where the outcome of a COMMIT is unknown (the connection broke, the server did not answer in time), the store halts.
//! - Who was superseded cannot write, whatever its clock says; the lease only decides how soon somebody tries.
//! - No text of the server's is shown, since such texts quote rows; its code and our sentence are.

mod fault;
mod place;
mod schema;
mod session;
mod store;

pub use place::{Place, PlaceProblem};
pub use store::PostgresStore;
