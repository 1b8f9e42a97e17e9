//! The labels that kommuner write, and what each means.
//!
//! What it does not do: it knows no codebook and no program that reads labels; a code is what the label's writer said. Labels
//! of several reasons are left out: lists are put together from single ones, so that what they mean is known.
//!
//! Invariants: a label stands once in a variable; one without a code is one of which nobody can honestly say what it means.

use std::collections::{BTreeMap, BTreeSet};

/// Where the labels were written down; the part that is never looked at is not among them.
const PARTS: [&str; 5] = [
    include_str!("../../../shared/harmonise/testdata/etiketter-barn-a.csv"),
    include_str!("../../../shared/harmonise/testdata/etiketter-barn-b.csv"),
    include_str!("../../../shared/harmonise/testdata/etiketter-barn-c.csv"),
    include_str!("../../../shared/harmonise/testdata/etiketter-barn-d.csv"),
    include_str!("../../../shared/harmonise/testdata/etiketter-barn-f.csv"),
];

/// What is written of an event besides who and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Aktualiseringstyp.
    Typ,
    /// Aktualiseringsorsak.
    Orsak,
    /// Åtgärd.
    Atgard,
}

impl Field {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Typ, Self::Orsak, Self::Atgard];

    /// The variable of the codebook.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Typ => "aktualiseringstyp",
            Self::Orsak => "orsak",
            Self::Atgard => "atgard",
        }
    }
}

/// A code of a variable, by its place in [`Words::codes`].
pub type Code = usize;

/// The labels of one variable.
#[derive(Debug, Clone)]
pub struct Words {
    /// The codes that labels have, ascending.
    pub codes: Vec<String>,
    /// Labels with their code; those that most people wrote first.
    pub labels: Vec<(String, Option<Code>)>,
}

/// Reads the labels of a variable.
#[must_use]
pub fn words(field: Field) -> Words {
    let mut seen: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for part in PARTS {
        let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(part.as_bytes());
        for row in reader.records().filter_map(Result::ok).filter(|row| row.get(0) == Some(field.id())) {
            let (label, code) = (row.get(1).unwrap_or_default(), row.get(2).unwrap_or_default());
            if !code.contains(',') {
                seen.entry(label.to_owned()).or_insert_with(|| (0, code.to_owned())).0 += 1;
            }
        }
    }
    let codes: BTreeSet<String> =
        seen.values().map(|(_, code)| code.clone()).filter(|code| !code.is_empty()).collect();
    let codes: Vec<String> = codes.into_iter().collect();
    let mut labels: Vec<(usize, String, Option<Code>)> = seen
        .into_iter()
        .map(|(label, (times, code))| (times, label, codes.iter().position(|known| *known == code)))
        .collect();
    labels.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    Words { codes, labels: labels.into_iter().map(|(_, label, code)| (label, code)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_labels_and_some_labels_have_none() {
        for (field, codes) in Field::ALL.into_iter().zip([7, 22, 7]) {
            let words = words(field);
            assert_eq!(words.codes.len(), codes, "{}", field.id());
            for code in 0..codes {
                assert!(words.labels.iter().filter(|(_, of)| *of == Some(code)).count() >= 10);
            }
            assert!(words.labels.iter().any(|(_, code)| code.is_none()));
        }
    }
}
