//! Primary and secondary suppression: which figures are withheld so that small cells stay safe.
//!
//! Two modes of one idea, the *witness*: an integer movement of records that changes nothing shown and
//! carries a small cell through its range. [`blind`] chooses the common pattern over units from statuses
//! alone; [`known`] protects totals whose values the coordinator knows. [`check`] verifies a pattern again
//! with none of the code that chose it, and [`request`] is what a node asks for when a line is too tight.
//!
//! Never publishes: only `audit` makes a release, and it shares nothing with this crate but the types of
//! `tables`. Knows no clock, disk, network or randomness. Deterministic. `Debug` and errors print no count.

pub mod blind;
pub mod check;
pub mod correction;
pub mod counties;
pub mod extension;
pub mod key;
pub mod known;
pub mod opened;
pub mod request;
pub mod table;
pub mod totals;

mod grid;
mod lp;
mod moves;
mod path;
mod reach;
mod span;

#[cfg(test)]
mod fixture;
