//! The parties. Each is a disk that survives and a process that does not; each runs the production machine, desk and
//! store layer. Restarting is always: forget the process, read the disk.

pub mod helper;
pub mod node;
pub mod region;

/// Stands in the words of a party that refuses what an honest one would not have said.
pub const REFUSES: &str = "refuses";
