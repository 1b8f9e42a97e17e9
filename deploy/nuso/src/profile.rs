//! The kommuner of the study: how large each is, which system it has, and how it registers.
//!
//! What it does not do: no row and no label of reasons stands here. Invariant: of any 97 in turn, a fifth gives no reason and 13 give
//! several of one event.

use county::dice::Dice;

use crate::study::MOST_UNITS;

/// Rows of the whole study.
const ROWS: f64 = 220_000.0;
/// Fewest rows of a kommun.
const LEAST_ROWS: u32 = 60;

/// How a text file is written, or that it is a workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// Separator, encoding, whether lines end in CRLF and every field is quoted.
    Text(u8, Charset, bool),
    /// Whether title rows and a total stand around the table.
    Book(bool),
}

/// Character set of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Utf8Bom,
    Windows1252,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Number,
    Nr,
    Date,
    Sex,
    Age,
    Typ,
    Reason,
    Decision,
    Note,
}

/// How a day is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Days {
    Iso,
    Compact,
    Midnight,
    /// A spreadsheet's number of a day.
    Serial,
}

/// How a personnummer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    Twelve,
    TwelveDashed,
    Ten,
    TenDashed,
}

/// A made verksamhetssystem.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) container: Container,
    pub(crate) columns: &'static [(&'static str, Holds)],
    /// Headers that only the kommun's codes file explains, with the field they are.
    pub(crate) own_headers: &'static [(&'static str, &'static str)],
    pub(crate) days: Days,
    pub(crate) numbers: Numbers,
    /// Girl, boy.
    pub(crate) sexes: [&'static str; 2],
    /// Written after an age.
    pub(crate) years: &'static str,
}

/// What stands between reasons of one field, where there can be several.
pub(crate) type Lists = Option<&'static str>;

/// What kommuner put between reasons.
const LISTS: [&str; 6] = [";", ", ", " + ", "; ", " / ", " | "];

/// One kommun.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) unit: String,
    pub(crate) rows: u32,
    pub(crate) system: &'static System,
    pub(crate) gives_reasons: bool,
    pub(crate) lists: Lists,
    /// Ages in groups alone, which no code of the codebook has.
    pub(crate) groups_of_age: bool,
}

use Holds::{Age, Date, Decision, Note, Nr, Number, Reason, Sex, Typ};

const PLAIN: &[(&str, Holds)] = &[
    ("Personnummer", Number),
    ("Aktualiseringsnummer", Nr),
    ("Datum", Date),
    ("Kön", Sex),
    ("Ålder", Age),
    ("Aktualiseringstyp", Typ),
    ("Aktualiseringsorsak", Reason),
    ("Åtgärd", Decision),
    ("Anteckning", Note),
];
const SHORT: &[(&str, Holds)] = &[
    ("Aktnr", Nr),
    ("Inkom datum", Date),
    ("Persnr", Number),
    ("Kön", Sex),
    ("Ålder vid aktualisering", Age),
    ("Typ av aktualisering", Typ),
    ("Orsak till aktualisering", Reason),
    ("Åtgärd/beslut", Decision),
];
const WITHOUT_NUMBER: &[(&str, Holds)] = &[
    ("Ärendenr", Nr),
    ("Aktualiseringsdatum", Date),
    ("Juridiskt kön", Sex),
    ("Ålder (år)", Age),
    ("Ärendetyp", Typ),
    ("Orsak", Reason),
    ("Beslut", Decision),
    ("Anteckning", Note),
];
const OWN: &[(&str, Holds)] = &[
    ("Löpnr", Nr),
    ("Ank.dat", Date),
    ("Pnr", Number),
    ("F/P", Sex),
    ("År", Age),
    ("Slag", Typ),
    ("Skäl", Reason),
    ("Utgång", Decision),
    ("Handl.", Note),
];
const OWN_HEADERS: &[(&str, &str)] = &[
    ("aktualiseringsnummer", "Löpnr"),
    ("datum", "Ank.dat"),
    ("kon", "F/P"),
    ("alder", "År"),
    ("aktualiseringstyp", "Slag"),
    ("orsak", "Skäl"),
    ("atgard", "Utgång"),
];

const fn system(container: Container, columns: &'static [(&'static str, Holds)]) -> System {
    let (own_headers, days, numbers) = (&[] as &[(&str, &str)], Days::Iso, Numbers::TwelveDashed);
    System { container, columns, own_headers, days, numbers, sexes: ["Flicka", "Pojke"], years: "" }
}

static SYSTEMS: [System; 8] = [
    system(Container::Text(b';', Charset::Windows1252, false), PLAIN),
    System {
        days: Days::Midnight,
        numbers: Numbers::Twelve,
        sexes: ["F", "P"],
        years: " år",
        ..system(Container::Text(b';', Charset::Utf8Bom, false), SHORT)
    },
    System {
        days: Days::Compact,
        sexes: ["Kvinna", "Man"],
        ..system(Container::Text(b',', Charset::Utf8, true), WITHOUT_NUMBER)
    },
    System {
        own_headers: OWN_HEADERS,
        numbers: Numbers::Ten,
        sexes: ["f", "p"],
        ..system(Container::Text(b'\t', Charset::Utf8, false), OWN)
    },
    System { days: Days::Serial, sexes: ["K", "M"], ..system(Container::Book(false), SHORT) },
    System {
        numbers: Numbers::TenDashed,
        sexes: ["flicka", "pojke"],
        years: " år",
        ..system(Container::Book(true), PLAIN)
    },
    System { sexes: ["2", "1"], ..system(Container::Text(b';', Charset::Utf8, true), PLAIN) },
    System {
        days: Days::Compact,
        sexes: ["Flickor", "Pojkar"],
        ..system(Container::Text(b';', Charset::Windows1252, true), WITHOUT_NUMBER)
    },
];

/// The kommuner of the study, or the first of them with their share of its rows.
pub(crate) fn profiles(units: usize, seed: u64) -> Vec<Profile> {
    let mut dice = Dice::new(seed, 1);
    let weights: Vec<f64> = (0..units).map(|_| dice.factor(2.0)).collect();
    let rows = ROWS * units as f64 / MOST_UNITS as f64 / weights.iter().sum::<f64>();
    let profile = |(at, weight): (usize, &f64)| Profile {
        unit: format!("{}{:02}", crate::COUNTY, at + 1),
        rows: ((weight * rows).round() as u32).max(LEAST_ROWS),
        system: &SYSTEMS[dice.index(SYSTEMS.len())],
        gives_reasons: at % 5 != 2,
        // 13 of 97, none of them of those that give no reason
        lists: (at % 15 < 2 && at != 76).then(|| LISTS[(at + at / 15) % LISTS.len()]),
        groups_of_age: at % 40 == 13,
    };
    weights.iter().enumerate().map(profile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_has_as_many_kommuner_of_each_kind_as_the_real_one() {
        let all = profiles(MOST_UNITS, 1);
        let rows: u32 = all.iter().map(|profile| profile.rows).sum();
        assert!((219_000..222_000).contains(&rows), "{rows}");
        assert_eq!(all.iter().filter(|profile| !profile.gives_reasons).count(), 19);
        assert_eq!(all.iter().filter(|profile| profile.lists.is_some()).count(), 13);
        assert!(all.iter().all(|profile| profile.lists.is_none() || profile.gives_reasons));
        assert_eq!(all.iter().filter(|profile| profile.groups_of_age).count(), 3);
    }
}
