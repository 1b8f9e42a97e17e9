//! The study: kommuner with their rows, the files of them, and its collection.
//!
//! What it does not do: it starts no party and reads no publication. Invariant: everything follows from the number of kommuner and
//! the seed.

use std::collections::BTreeSet;
use std::path::Path;

use county::dice::Dice;

use crate::chances::Chances;
use crate::files::WriteError;
use crate::lexicon::{Code, Field, Words, words};
use crate::pool::{deal, pool};
use crate::profile::{Profile, profiles};
use crate::review::{Review, review};
use crate::rows::{Meant, Person, Rows, Writer};
use crate::sheet::note;
use crate::truth::Truth;

/// The made county of the study's kommuner: no county of Sweden has the code.
pub const COUNTY: &str = "99";
/// How many kommuner the whole study has.
pub const MOST_UNITS: usize = 97;
/// Id of its collection.
pub const COLLECTION_ID: &str = "aktualiseringar-barn-2023";
/// The collection, without the kommuner.
const COLLECTION: &str = include_str!("../aktualiseringar-barn-2023.toml");
/// Spellings of type, reason and decision dealt to the whole study, and how many of them mean nothing. Some few fall to a kommun whose
/// rows are too few to use them.
const SPELLINGS: [(usize, usize); 3] = [(76, 5), (1_304, 60), (198, 8)];

/// One kommun of the study.
pub struct Kommun {
    profile: Profile,
    rows: Rows,
}

/// The study in memory.
pub struct Study {
    words: [Words; 3],
    kommuner: Vec<Kommun>,
}

/// How many different things stand in the extracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variety {
    /// Rows.
    pub rows: usize,
    /// Spellings of the type.
    pub types: usize,
    /// Spellings of single reasons.
    pub reasons: usize,
    /// Whatever stands in a field of reasons: single ones and lists.
    pub combinations: usize,
    /// Spellings of the decision.
    pub decisions: usize,
    /// Rows of kommuner that give reasons.
    pub rows_with_reasons: usize,
}

impl Study {
    /// Makes a study of the first `units` kommuner.
    #[must_use]
    pub fn generate(units: usize, seed: u64) -> Self {
        let words = Field::ALL.map(words);
        let chances = Chances::new(&words);
        let profiles = profiles(units.min(MOST_UNITS), seed);
        let dealt = Field::ALL.map(|field| {
            let (own, mut dice) = (&words[field as usize], Dice::new(seed, 10 + field as u64));
            let (most, senseless) = SPELLINGS[field as usize];
            // a smaller study has fewer of everything, but all codes
            let share = |all: usize| (all * profiles.len()).div_ceil(MOST_UNITS);
            let pool = pool(own, share(most), share(senseless), &mut dice);
            let writers: Vec<bool> =
                profiles.iter().map(|profile| field != Field::Orsak || profile.gives_reasons).collect();
            let mut dealt =
                deal(&pool, own.codes.len(), writers.iter().filter(|is| **is).count(), &mut dice).into_iter();
            writers
                .into_iter()
                .map(|is| if is { dealt.next() } else { None }.unwrap_or_default())
                .collect::<Vec<_>>()
        });
        let mut kommuner = Vec::with_capacity(profiles.len());
        for (at, profile) in profiles.into_iter().enumerate() {
            let own = dealt.each_ref().map(|dealt| &dealt[at]);
            let rows = Writer::new(&profile, own, &chances, Dice::new(seed, 1_000 + at as u64)).write();
            kommuner.push(Kommun { profile, rows });
        }
        Self { words, kommuner }
    }

    /// Its kommuner.
    #[must_use]
    pub fn kommuner(&self) -> &[Kommun] {
        &self.kommuner
    }

    /// The collection document, with the kommuner that take part.
    #[must_use]
    pub fn collection(&self) -> String {
        let units: Vec<String> = self.kommuner.iter().map(|one| format!("\"{}\"", one.unit())).collect();
        COLLECTION.replace("deltagare = []", &format!("deltagare = [{}]", units.join(", ")))
    }

    /// What the rows mean, counted.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let all = self.kommuner.iter().flat_map(|one| one.rows.meant.iter().map(|meant| (one.unit(), meant)));
        Truth::new(COUNTY, self.words.each_ref().map(|words| words.codes.clone()), all)
    }

    /// Writes extracts into an existing folder, and beside each the codes file that its kommun's operator makes of what the reader
    /// asks.
    ///
    /// # Errors
    /// [`WriteError`]; files written before the fault stay.
    pub fn write(&self, folder: &Path) -> Result<Vec<Review>, WriteError> {
        self.kommuner.iter().map(|one| one.write(&self.words, folder)).collect()
    }

    /// How many different spellings there are.
    #[must_use]
    pub fn variety(&self) -> Variety {
        let rows = || self.kommuner.iter().flat_map(|one| &one.rows.rows);
        let lists: BTreeSet<&str> = self.lists().map(|(_, text, _)| text).collect();
        let of = |field: Field| -> BTreeSet<&str> {
            let labels = rows().map(|row| row.labels[field as usize].as_str());
            labels.filter(|label| !label.is_empty()).collect()
        };
        let reasons = of(Field::Orsak);
        let gives = self.kommuner.iter().filter(|one| one.profile.gives_reasons);
        Variety {
            rows: rows().count(),
            types: of(Field::Typ).len(),
            reasons: reasons.difference(&lists).count(),
            combinations: reasons.len(),
            decisions: of(Field::Atgard).len(),
            rows_with_reasons: gives.map(|one| one.rows.rows.len()).sum(),
        }
    }

    /// Every list of reasons in use: kommun, text, codes in its order.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
        let codes = &self.words[Field::Orsak as usize].codes;
        self.kommuner.iter().flat_map(move |one| {
            let names = move |of: &[Code]| of.iter().map(|code| codes[*code].as_str()).collect();
            one.rows.lists.iter().map(move |(text, of)| (one.unit(), text.as_str(), names(of)))
        })
    }
}

impl Kommun {
    /// Its code.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.profile.unit
    }

    /// What its rows mean, in their order; a row that cannot be read means nothing.
    #[must_use]
    pub fn meant(&self) -> &[Meant] {
        &self.rows.meant
    }

    /// Every personnummer and reservnummer of its rows in every spelling, and its free texts and labels without meaning: what must
    /// never leave it.
    #[must_use]
    pub fn marks(&self) -> BTreeSet<String> {
        let mut marks = BTreeSet::new();
        let has_notes =
            self.profile.system.columns.iter().any(|(_, holds)| *holds == crate::profile::Holds::Note);
        for (at, row) in self.rows.rows.iter().enumerate() {
            match &row.person {
                Person::Test(number) => {
                    marks.extend([number.twelve(), number.twelve_dashed(), number.ten(), number.ten_dashed()])
                }
                Person::Reserve(number) => _ = marks.insert(number.clone()),
                Person::None => {}
            }
            if has_notes && at.is_multiple_of(crate::sheet::NOTE_EVERY) {
                marks.insert(note(self.unit(), at));
            }
        }
        marks
    }

    fn write(&self, words: &[Words; 3], folder: &Path) -> Result<Review, WriteError> {
        let path = crate::files::write(&self.profile, &self.rows.rows, folder)?;
        let codes = folder.join(format!("{}.codes.toml", self.unit()));
        let (found, text) = review(&self.profile, &path, &self.answers(words))?;
        let file = || format!("{}.codes.toml", self.unit());
        std::fs::write(codes, text).map_err(|source| WriteError::Io { file: file(), source })?;
        Ok(found)
    }

    /// What the kommun's operator says of each label when asked; of lists the first reason, which is what is counted.
    fn answers(&self, words: &[Words; 3]) -> crate::review::Answers {
        let mut answers = crate::review::Answers::new();
        for (row, meant) in self.rows.rows.iter().filter(|row| row.fault.is_none()).zip(&self.rows.meant) {
            for field in Field::ALL {
                if let Some(code) = meant.codes[field as usize] {
                    let label = harmonise::label::clean(&row.labels[field as usize]);
                    let code = words[field as usize].codes[code].clone();
                    answers.entry(field.id()).or_default().insert(label, code);
                }
            }
        }
        answers
    }
}
