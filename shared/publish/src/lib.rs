//! What readers hold: strict table files, a workbook, a report for machines and a manifest of all of them.
//!
//! Everything is made from the strict tables, and those from marks that somebody else decided: this crate
//! withholds nothing and opens nothing, it only spreads `x` to what is derived from a withheld figure. It
//! knows no clock: the date of a publication is an argument, and equal arguments give equal bytes (SAME-1).
//! Only [`folder`] touches the disk. Signing is done elsewhere, over the manifest.

pub mod about;
pub mod combine;
pub mod derived;
pub mod folder;
pub mod layout;
pub mod names;
pub mod publication;
pub mod report;
mod revision;
mod sheets;
mod styles;
pub mod table;
pub mod text;
pub mod workbook;

pub use folder::{Signature, WriteError, write};
pub use publication::{Publication, PublishError};
