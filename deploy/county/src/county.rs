//! The county, its kommuner and their rows.
//!
//! What it does not do: `County` cannot be built but by [`County::generate`]. Invariants: kommuner are in the
//! order of [`KOMMUNER`], rows in the order of their dates; `aktualiseringsnummer` are unique within a
//! kommun; `aldersgrupp` follows from `alder`, and `alder` from the personnummer where there is one.

use jiff::civil::Date;

use crate::codes::{
    Aktualiseringstyp, Aldersgrupp, Anmalare, Beslut, Code, Kon, OrsakAnmalan, OrsakAnsokan, Sokande,
    Variable,
};
use crate::dice::Dice;
use crate::figures::Reading;
use crate::fit::FitError;
use crate::margins::YearMargins;
use crate::persons::{PersonRef, Registry};
use crate::rows::{Slot, slots_of};

/// The years the tables show.
pub const YEARS: std::ops::RangeInclusive<u16> = 2020..=2024;

/// A kommun of Gävleborg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kommun {
    /// Kommunkod (SCB).
    pub kod: &'static str,
    /// Name as the report prints it.
    pub namn: &'static str,
}

/// The ten kommuner, by kommunkod.
pub const KOMMUNER: [Kommun; 10] = [
    Kommun { kod: "2101", namn: "Ockelbo" },
    Kommun { kod: "2104", namn: "Hofors" },
    Kommun { kod: "2121", namn: "Ovanåker" },
    Kommun { kod: "2132", namn: "Nordanstig" },
    Kommun { kod: "2161", namn: "Ljusdal" },
    Kommun { kod: "2180", namn: "Gävle" },
    Kommun { kod: "2181", namn: "Sandviken" },
    Kommun { kod: "2182", namn: "Söderhamn" },
    Kommun { kod: "2183", namn: "Bollnäs" },
    Kommun { kod: "2184", namn: "Hudiksvall" },
];

/// One aktualisering. `None` is a value that is missing or does not apply.
#[derive(Debug, Clone)]
pub struct Event {
    /// Kommunkod.
    pub kommun: &'static str,
    /// Year of `date`.
    pub year: u16,
    /// Date of the aktualisering.
    pub date: Date,
    /// Who it is about.
    pub person: PersonRef,
    /// Aktualiseringsnummer, unique within the kommun.
    pub nr: String,
    /// Kind.
    pub typ: Option<Aktualiseringstyp>,
    /// Who reports.
    pub anmalare: Option<Anmalare>,
    /// Who applies.
    pub sokande: Option<Sokande>,
    /// Why somebody applies.
    pub orsak_ansokan: Option<OrsakAnsokan>,
    /// Why somebody is reported.
    pub orsak_anmalan: Option<OrsakAnmalan>,
    /// Decision.
    pub beslut: Option<Beslut>,
    /// Juridiskt kön.
    pub kon: Kon,
    /// Age group at `date`.
    pub aldersgrupp: Aldersgrupp,
    /// Age in whole years at `date`, 18–48.
    pub alder: u8,
}

impl Event {
    /// The id of the row's code of a variable.
    #[must_use]
    pub fn value(&self, variable: Variable) -> Option<&'static str> {
        match variable {
            Variable::Aktualiseringstyp => self.typ.map(Code::id),
            Variable::Anmalare => self.anmalare.map(Code::id),
            Variable::Sokande => self.sokande.map(Code::id),
            Variable::OrsakAnsokan => self.orsak_ansokan.map(Code::id),
            Variable::OrsakAnmalan => self.orsak_anmalan.map(Code::id),
            Variable::Beslut => self.beslut.map(Code::id),
            Variable::Kon => Some(self.kon.id()),
            Variable::Aldersgrupp => Some(self.aldersgrupp.id()),
        }
    }

    /// As [`Event::value`], by variable id; `None` also for an id that is no variable.
    #[must_use]
    pub fn code(&self, variable: &str) -> Option<&'static str> {
        const ALL: [Variable; 8] = [
            Variable::Aktualiseringstyp,
            Variable::Anmalare,
            Variable::Sokande,
            Variable::OrsakAnsokan,
            Variable::OrsakAnmalan,
            Variable::Beslut,
            Variable::Kon,
            Variable::Aldersgrupp,
        ];
        ALL.into_iter().find(|v| v.id() == variable).and_then(|v| self.value(v))
    }
}

/// The rows of one kommun.
#[derive(Debug, Clone)]
pub struct KommunRows {
    /// Kommunkod.
    pub kommunkod: &'static str,
    /// Name.
    pub namn: &'static str,
    /// Rows of all five years, by date.
    pub events: Vec<Event>,
}

/// The made county.
#[derive(Debug, Clone)]
pub struct County {
    kommuner: Vec<KommunRows>,
}

impl County {
    /// Makes the rows for a seed: about 31 500, of 2020–2024.
    ///
    /// # Errors
    /// [`FitError`] when no rows fit the figures; with the embedded figures only a seed that exhausts the
    /// test personnummer could cause it.
    pub fn generate(seed: u64) -> Result<Self, FitError> {
        let reading = Reading::new()?;
        let mut slots: Vec<Vec<(Date, Slot)>> = vec![Vec::new(); KOMMUNER.len()];
        for year in YEARS {
            let mut dice = Dice::new(seed, u64::from(year));
            let margins = YearMargins::of(&reading, year, &mut dice)?;
            for slot in slots_of(&margins, &mut dice)? {
                slots[slot.kommun].push((any_day(year, &mut dice), slot));
            }
        }
        let mut registry = Registry::new(Dice::new(seed, 1));
        let mut kommuner = Vec::with_capacity(KOMMUNER.len());
        for (kommun, mut rows) in KOMMUNER.iter().zip(slots) {
            rows.sort_by_key(|(date, _)| *date);
            registry.enter_kommun();
            kommuner.push(KommunRows {
                kommunkod: kommun.kod,
                namn: kommun.namn,
                events: events_of(kommun, &rows, &mut registry)?,
            });
        }
        Ok(Self { kommuner })
    }

    /// The ten kommuner, by kommunkod.
    #[must_use]
    pub fn kommuner(&self) -> &[KommunRows] {
        &self.kommuner
    }

    #[cfg(test)]
    pub(crate) fn kommuner_mut(&mut self) -> &mut [KommunRows] {
        &mut self.kommuner
    }
}

fn any_day(year: u16, dice: &mut Dice) -> Date {
    // infallible: the years are 2020–2024.
    let first = Date::constant(i16::try_from(year).unwrap_or(i16::MAX), 1, 1);
    let day = dice.below(u32::from(first.days_in_year().unsigned_abs()));
    first.saturating_add(jiff::SignedDuration::from_hours(24 * i64::from(day)))
}

fn events_of(
    kommun: &Kommun,
    rows: &[(Date, Slot)],
    registry: &mut Registry,
) -> Result<Vec<Event>, FitError> {
    let mut events = Vec::with_capacity(rows.len());
    for (serial, (date, slot)) in rows.iter().enumerate() {
        let (person, alder) = registry.person_for(*date, slot.kon, slot.aldersgrupp)?;
        let year = date.year().unsigned_abs();
        events.push(Event {
            kommun: kommun.kod,
            year,
            date: *date,
            person,
            nr: format!("{year}-{:05}", serial + 1),
            typ: slot.typ,
            anmalare: slot.anmalare,
            sokande: slot.sokande,
            orsak_ansokan: slot.orsak_ansokan,
            orsak_anmalan: slot.orsak_anmalan,
            beslut: slot.beslut,
            kon: slot.kon,
            aldersgrupp: slot.aldersgrupp,
            alder,
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::verify;
    use std::collections::{HashMap, HashSet};

    fn rows(county: &County, kod: &str, year: u16) -> Vec<Event> {
        let kommun = county.kommuner().iter().find(|k| k.kommunkod == kod).unwrap();
        kommun.events.iter().filter(|e| e.year == year).cloned().collect()
    }

    #[test]
    fn every_printed_figure_comes_out_of_the_rows_for_three_seeds() {
        for seed in [0, 2024, u64::MAX] {
            assert_eq!(verify(&County::generate(seed).unwrap()), [], "seed {seed}");
        }
    }

    #[test]
    fn the_small_cells_of_the_reading_are_there() {
        let county = County::generate(1).unwrap();
        let typ =
            |kod: &str, year, typ| rows(&county, kod, year).iter().filter(|e| e.typ == Some(typ)).count();
        assert_eq!(typ("2181", 2024, Aktualiseringstyp::Forfragan), 1);
        assert_eq!(typ("2101", 2024, Aktualiseringstyp::Yttrande), 2);
        let rest = |year| {
            let direct = [Some(Aktualiseringstyp::Ansokan), Some(Aktualiseringstyp::Anmalan), None];
            rows(&county, "2132", year).iter().filter(|e| !direct.contains(&e.typ)).count()
        };
        assert_eq!((rest(2022), rest(2023)), (1, 3));
        let unknown = |kod: &str| rows(&county, kod, 2024).iter().filter(|e| e.typ.is_none()).count();
        assert_eq!((unknown("2101"), unknown("2182"), unknown("2180")), (2, 4, 0));
    }

    #[test]
    fn another_seed_gives_other_rows() {
        let first = County::generate(1).unwrap();
        let second = County::generate(2).unwrap();
        let same =
            format!("{:?}", first.kommuner()[0].events) == format!("{:?}", second.kommuner()[0].events);
        assert!(!same);
    }

    #[test]
    fn a_personnummer_is_valid_of_one_kommun_one_sex_and_agrees_with_the_age_group() {
        let county = County::generate(3).unwrap();
        let mut home: HashMap<String, &str> = HashMap::new();
        for event in county.kommuner().iter().flat_map(|k| &k.events) {
            assert!((18..=48).contains(&event.alder));
            let young = if event.alder <= 24 { Aldersgrupp::U24 } else { Aldersgrupp::O25 };
            assert_eq!(event.aldersgrupp, young);
            let PersonRef::Test(number) = &event.person else {
                continue;
            };
            let twelve = number.twelve();
            assert!(luhn_holds(&twelve[2..]));
            let (birth, serial) = (&twelve[..8], &twelve[8..11]);
            assert_eq!(serial, if event.kon == Kon::Man { "239" } else { "238" });
            let year: i16 = birth[..4].parse().unwrap();
            assert!((1976..=2013).contains(&year));
            let date = event.date.strftime("%m%d").to_string();
            let had_birthday = date.as_str() >= &birth[4..];
            assert_eq!(i16::from(event.alder), event.date.year() - year - i16::from(!had_birthday));
            assert_eq!(*home.entry(twelve).or_insert(event.kommun), event.kommun);
        }
    }

    /// Luhn over ten digits, written apart from the generator's.
    fn luhn_holds(ten: &str) -> bool {
        let digits = ten.bytes().map(|b| u32::from(b - b'0'));
        let sum: u32 =
            digits.enumerate().map(|(i, d)| if i % 2 == 0 { d * 2 / 10 + d * 2 % 10 } else { d }).sum();
        ten.len() == 10 && sum.is_multiple_of(10)
    }

    #[test]
    fn a_person_comes_back_about_as_often_as_people_do_and_a_few_rows_have_no_number() {
        let county = County::generate(5).unwrap();
        let year: Vec<_> =
            county.kommuner().iter().flat_map(|k| &k.events).filter(|e| e.year == 2024).collect();
        let numbered: Vec<String> = year
            .iter()
            .filter_map(|e| if let PersonRef::Test(n) = &e.person { Some(n.twelve()) } else { None })
            .collect();
        let persons: HashSet<_> = numbered.iter().collect();
        let mean = numbered.len() as f64 / persons.len() as f64;
        assert!((1.4..1.8).contains(&mean), "{mean}");
        let most = persons.iter().map(|p| numbered.iter().filter(|n| n == p).count()).max();
        assert!(most.is_some_and(|n| n <= 40), "nobody is in the figures every week: {most:?}");
        let share = 1.0 - numbered.len() as f64 / year.len() as f64;
        assert!((0.01..0.06).contains(&share), "{share}");
        assert!(year.iter().any(|e| matches!(e.person, PersonRef::Reserve(_))));
        assert!(year.iter().any(|e| matches!(e.person, PersonRef::None)));
    }

    #[test]
    fn an_aktualiseringsnummer_is_unique_within_its_kommun_and_dates_are_of_their_year() {
        for kommun in County::generate(6).unwrap().kommuner() {
            let numbers: HashSet<_> = kommun.events.iter().map(|e| &e.nr).collect();
            assert_eq!(numbers.len(), kommun.events.len());
            assert!(kommun.events.iter().all(|e| e.date.year().unsigned_abs() == e.year));
            assert!(kommun.events.is_sorted_by_key(|e| e.date));
        }
    }
}
