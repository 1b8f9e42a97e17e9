//! The made county: seeded person-level rows (*aktualiseringar*) for the ten kommuner of Gävleborg, from
//! which the figures of a printed report (aktualiseringar vuxna 2024) come out again when they are counted.
//!
//! What it does not do: it holds no real person. The report prints counts; every row here is drawn so that
//! the counts agree, and every personnummer is of the public test series (births 1976–2013, serial 238 or
//! 239). It counts nothing for publication and knows nothing of suppression: `expected_cells` is the truth
//! other tests compare a publication with.
//!
//! Invariants: the same seed gives the same rows and the same files, byte for byte. [`verify`], which shares
//! no counting code with the generator, finds no deviation. A personnummer belongs to one kommun. No error
//! carries a label, a personnummer or a cell value of a row.
//!
//! Way through the code: [`figures`] (what is printed, and the one consistent reading of it) → `margins`
//! (what every year must sum to) → `rows` (slots dealt to those margins by [`fit`]) → `persons` → [`County`]
//! → [`dialect`] (ten files as ten kommuner would export them). [`write_country`] makes extracts for kommuner anywhere
//! else, drawn from these; no report prints their figures.

mod canary;
mod codes;
mod country;
mod county;
mod deal;
pub mod dialect;
pub mod dice;
pub mod figures;
pub mod fit;
mod margins;
mod persons;
mod rows;
mod verify;

pub use canary::{canaries, personnummer};
pub use codes::{
    Aktualiseringstyp, Aldersgrupp, Anmalare, Beslut, Code, Kon, OrsakAnmalan, OrsakAnsokan, Sokande,
    Variable,
};
pub use country::{CountryError, country_rows, write_country};
pub use county::{County, Event, KOMMUNER, Kommun, KommunRows, YEARS};
pub use dialect::{WriteError, write_files};
pub use figures::{ExpectedCell, FigureError, Measure, expected_cells};
pub use fit::FitError;
pub use persons::{PersonRef, TestNumber};
pub use verify::{Deviation, verify};
