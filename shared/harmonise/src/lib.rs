//! Personnummer, label maps and the reading of rows.
pub mod codes;
pub mod label;
pub mod personnummer;
