//! A made study of children and young people: extracts of 97 kommuner that differ as much as those of a real one did.
//!
//! NUSO's third study read some 220,000 aktualiseringar of 97 kommuner and stadsdelar: 76 spellings of the type, some 1,300 of
//! the reason in some 2,500 combinations, 197 of the decision; a fifth of the kommuner could not give the reason, and 13 gave more than
//! one of an event. This crate makes extracts of that variety, and knows of each row what was meant.
//!
//! What it does not do: it holds no real person and no figure of a real kommun; the kommuner, `9901` and on, are nobody's. The labels are those of
//! `shared/harmonise/testdata`, written by people who had seen neither codebook nor program; the words of these parts were looked at since, so
//! that the share read without asking is no measurement of labels nobody has seen (harmonise's README has that).
//!
//! Invariants: the same seed gives the same files, byte for byte. What a row means is decided before it is spelt, and
//! [`Truth`] counts meanings alone: it reads no file and no label. Only [`review`] reads with the program that is tested.
//!
//! Way through the code: [`lexicon`] (labels and what they mean) → `pool` (how many of them, dealt to kommuner) → `profile` (a
//! kommun's system) → `rows` (events) → `sheet`, `files` (how its system writes them) → [`review`] (what its operator answers).

mod chances;
mod files;
pub mod lexicon;
mod pool;
mod profile;
pub mod review;
mod rows;
mod sheet;
mod study;
pub mod style;
mod truth;

pub use files::WriteError;
pub use rows::Meant;
pub use study::{COLLECTION_ID, COUNTY, Kommun, MOST_UNITS, Study, Variety};
pub use truth::{Compared, Truth};
