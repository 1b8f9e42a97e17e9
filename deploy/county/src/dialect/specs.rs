//! What a dialect consists of.
//!
//! What it does not do: no kommun and no row stands here; the ten dialects are in `ten`. Invariant: field ids
//! and default headers are those of the code map's format.

use super::container::Container;
use crate::codes::Variable;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Personnummer,
    Nr,
    Datum,
    Alder,
    Coded(Variable),
    /// Free text; never read.
    Anteckning,
}

use Field::{Alder, Anteckning, Coded, Datum, Nr, Personnummer};
use Variable::{Aktualiseringstyp as Typ, Anmalare, Beslut, Kon, OrsakAnmalan, OrsakAnsokan, Sokande};

impl Field {
    /// Name in the code map; free text has none.
    pub(crate) fn id(self) -> Option<&'static str> {
        match self {
            Personnummer => Some("personnummer"),
            Nr => Some("aktualiseringsnummer"),
            Datum => Some("datum"),
            Alder => Some("alder"),
            Coded(variable) => Some(variable.id()),
            Anteckning => None,
        }
    }

    /// The header a reader recognises without a code map.
    pub(crate) fn default_header(self) -> &'static str {
        match self {
            Personnummer => "Personnummer",
            Nr => "Aktualiseringsnummer",
            Datum => "Datum",
            Alder => "Ålder",
            Anteckning => "Anteckning",
            Coded(Kon) => "Kön",
            Coded(Typ) => "Aktualiseringstyp",
            Coded(Anmalare) => "Anmälare",
            Coded(Sokande) => "Sökande",
            Coded(OrsakAnsokan) => "Orsak ansökan",
            Coded(OrsakAnmalan) => "Orsak anmälan",
            Coded(Beslut) => "Beslut",
            Coded(Variable::Aldersgrupp) => "Åldersgrupp",
        }
    }
}

/// How a personnummer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberStyle {
    TwelveDashed,
    Twelve,
    TenDashed,
    Ten,
    /// Ten digits as a spreadsheet number: leading zeros are lost.
    TenNumeric,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateStyle {
    /// `2024-01-31`
    Iso,
    /// `20240131`
    Compact,
    /// `2024-01-31 00:00:00`
    Midnight,
    /// Days since 1899-12-30, without a date format.
    Serial,
    /// A spreadsheet date.
    Cell,
}

/// A header and what stands under it; the first field with a value is shown.
pub(crate) type Column = (&'static str, &'static [Field]);
/// A variable, a code, and the labels used for it in turn.
pub(crate) type Words = (Variable, &'static str, &'static [&'static str]);

/// One kommun's way of writing its extract.
pub(crate) struct Dialect {
    pub(crate) kommunkod: &'static str,
    pub(crate) container: Container,
    pub(crate) columns: &'static [Column],
    pub(crate) number: NumberStyle,
    pub(crate) date: DateStyle,
    /// Put before some labels.
    pub(crate) prefixes: &'static [(Variable, &'static [&'static str])],
    /// Labels that are not the codebook's texts; every text is its own word where none is given.
    pub(crate) words: &'static [Words],
    /// Case, NBSP and soft-hyphen noise in labels.
    pub(crate) noisy: bool,
    /// Codes as bare numbers from 1, in the codebook's order.
    pub(crate) numbered: bool,
}
