//! Personnummer, label maps and the reading of rows.
//!
//! Takes an extract of a kommun's system, as bytes, to rows of codes of a shared codebook. Opens no path, sends
//! nothing, logs nothing, has no clock and no source of randomness of its own but the hash keys of `std`.
//!
//! STAY-1 begins here: a personnummer, an unknown label or free text can enter this crate and cannot leave it but by
//! [`intake::UnmappedLabels::for_operator`] and [`intake::UnmappedLabels::write_review`]. No error, `Debug` or
//! `Display` of the crate shows the content of a cell; `intake`'s tests mark every cell and look.
#![cfg_attr(test, allow(missing_docs))]

pub mod codes;
pub mod intake;
pub mod label;
pub mod personnummer;
pub mod recognise;

pub use codes::{CodesError, KommunCodes};
pub use intake::{
    Coded, Harmonised, IntakeError, IntakeReport, Mapping, Part, QueryColumns, Reading, Seen, Sheets, Sink,
    Source, UnmappedLabels, Value, read,
};
pub use personnummer::{PersonKey, Personnummer, RunSecret, UtanGiltigtNummer};
