//! Units, codebooks, cells, relations, collections and the strict table file.
//!
//! The vocabulary that every other crate shares. It knows no network, no disk, no clock and no randomness, and it
//! holds no rule about what may be shown: that is `suppress` and `audit`.

pub mod automaton;
pub mod codebook;
pub mod collection;
pub mod count;
pub mod differences;
pub mod extension;
pub mod figures;
pub mod grouping;
pub mod period;
pub mod strict;
pub mod system;
pub mod unit;
