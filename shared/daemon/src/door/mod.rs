//! The door (DOOR-1): TLS streams into tonic, one certificate per connection, judged again at every request;
//! and the client's way to such a door.
//!
//! What it does not do: it knows no service. Handlers call [`authenticate`] first, then [`require_own_unit`].
//!
//! Invariants: a connection that a handler sees has finished its handshake in time; a handler that calls
//! [`authenticate`] never sees a certificate that is revoked, expired, of another root or of a role it did not
//! name; numbers of connections are bounded, in all and per peer.

mod dial;
mod explain;
mod limits;
mod peer;
mod serve;

pub use dial::{ConnectError, Target, connect, connect_lazy, dial};
pub use explain::{PeerRefused, explain};
pub use limits::Limits;
pub use peer::{PeerInfo, authenticate, require_own_unit};
pub use serve::{ServeError, serve};

#[cfg(test)]
mod tests;
