//! Shared test fixtures: the made county, read and released in one process.
//!
//! The way of the figures is the product's own, function by function (`county` → files → `harmonise` → `tables` →
//! `suppress` → `round::shares` → `audit` → `publish`), without network, certificates and secret shares: sums are opened
//! by adding. Does not judge what comes out; the tests do.

pub mod corrected;
pub mod extended;
pub mod made;
pub mod published;
pub mod random;
pub mod released;

pub use made::{Made, made_county};
pub use published::{COUNT, Entry, Key, Published};
pub use random::random_county;
pub use released::{Released, released};
