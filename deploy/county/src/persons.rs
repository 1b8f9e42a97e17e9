//! Persons behind the rows: test personnummer (Skatteverket's public rule), reservnummer, or nothing.
//!
//! What it does not do: no number here can be a living person's: births 1976–2013 with serial 238 (kvinna) or
//! 239 (man) are reserved for tests. Invariants: a number is used in one kommun only; a person keeps kön and
//! birth; at every row the person is 18–48 and in the row's age group. `Debug` prints no number (STAY-1 is
//! attacked with these rows).

use std::collections::HashSet;
use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::codes::{Aldersgrupp, Kon};
use crate::dice::Dice;
use crate::fit::FitError;

/// First birth of the test series.
const FIRST_BIRTH: Date = Date::constant(1976, 1, 1);
/// Last birth of the test series.
const LAST_BIRTH: Date = Date::constant(2013, 12, 31);
/// Of a hundred rows so many have no valid personnummer.
const WITHOUT_NUMBER_PERCENT: u32 = 3;
/// Of a hundred rows so many are of a person seen earlier the same year (1 / (1 − 0.40) ≈ 1.67 rows per
/// person and year).
const SAME_YEAR_PERCENT: u32 = 40;
/// … and so many of a person seen an earlier year.
const EARLIER_PERCENT: u32 = 27;
/// Random tries before a search in order.
const TRIES: u32 = 24;

/// A test personnummer: a birth and a kön give exactly one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TestNumber {
    birth: Date,
    kon: Kon,
}

impl fmt::Debug for TestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestNumber(..)")
    }
}

impl TestNumber {
    /// The number of a birth; none when the test series has none: births 1976–2013.
    #[must_use]
    pub fn of(birth: Date, kon: Kon) -> Option<Self> {
        (FIRST_BIRTH..=LAST_BIRTH).contains(&birth).then_some(Self { birth, kon })
    }

    /// `ÅÅMMDDNNNC`.
    #[must_use]
    pub fn ten(&self) -> String {
        let serial = if self.kon == Kon::Man { "239" } else { "238" };
        let nine = format!("{}{serial}", self.birth.strftime("%y%m%d"));
        let check = luhn_check_digit(&nine);
        format!("{nine}{check}")
    }

    /// `ÅÅÅÅMMDDNNNC`.
    #[must_use]
    pub fn twelve(&self) -> String {
        format!("{:02}{}", self.birth.year() / 100, self.ten())
    }

    /// `ÅÅÅÅMMDD-NNNC`.
    #[must_use]
    pub fn twelve_dashed(&self) -> String {
        let twelve = self.twelve();
        format!("{}-{}", &twelve[..8], &twelve[8..])
    }

    /// `ÅÅMMDD-NNNC`: nobody here turns 100 before 2076.
    #[must_use]
    pub fn ten_dashed(&self) -> String {
        self.twelve_dashed().split_off(2)
    }

    /// Date of birth.
    #[must_use]
    pub fn birth(&self) -> Date {
        self.birth
    }
}

/// The check digit that makes ten digits satisfy Luhn (ISO/IEC 7812-1 annex B).
fn luhn_check_digit(nine: &str) -> u32 {
    let weighted = nine.bytes().enumerate().map(|(i, digit)| {
        let product = u32::from(digit - b'0') * if i % 2 == 0 { 2 } else { 1 };
        product / 10 + product % 10
    });
    (10 - weighted.sum::<u32>() % 10) % 10
}

/// Who a row is about.
#[derive(Clone, PartialEq, Eq)]
pub enum PersonRef {
    /// A valid (test) personnummer.
    Test(TestNumber),
    /// A reservnummer such as `19800101-TF12`.
    Reserve(String),
    /// No number at all.
    None,
}

impl fmt::Debug for PersonRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test(_) => "Test(..)",
            Self::Reserve(_) => "Reserve(..)",
            Self::None => "None",
        })
    }
}

/// Age in whole years at `date`.
fn age_at(birth: Date, date: Date) -> i16 {
    let had_birthday = (date.month(), date.day()) >= (birth.month(), birth.day());
    date.year() - birth.year() - i16::from(!had_birthday)
}

/// Whether somebody born then is in the age group, beyond doubt: on 28 February of a common year the age of a
/// person born on a leap day depends on who counts, so such a pair is not used.
fn fits(birth: Date, date: Date, group: Aldersgrupp) -> bool {
    let doubtful = (birth.month(), birth.day()) == (2, 29) && (date.month(), date.day()) == (2, 28);
    let (youngest, oldest) = ages(group);
    !doubtful && birth >= FIRST_BIRTH && (youngest..=oldest).contains(&age_at(birth, date))
}

/// Ages of a group, both ends included. Clients here are adults; the test series ends the ages at 48 in 2024.
fn ages(group: Aldersgrupp) -> (i16, i16) {
    match group {
        Aldersgrupp::U24 => (18, 24),
        Aldersgrupp::O25 => (25, 48),
    }
}

/// Somebody already known in the present kommun.
#[derive(Clone, Copy)]
struct Known {
    number: TestNumber,
    last_year: i16,
}

/// Gives rows their persons; rows of a kommun come in order of date.
pub(crate) struct Registry {
    dice: Dice,
    taken: HashSet<TestNumber>,
    /// By kön: persons of the present kommun in order of their latest year.
    known: [Vec<Known>; 2],
}

impl Registry {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { dice, taken: HashSet::new(), known: [Vec::new(), Vec::new()] }
    }

    /// Forgets the persons of the previous kommun; their numbers stay taken.
    pub(crate) fn enter_kommun(&mut self) {
        self.known = [Vec::new(), Vec::new()];
    }

    /// The person of a row and the age at its date.
    ///
    /// # Errors
    /// [`FitError::NoBirthLeft`] when every fitting number of the test series is taken.
    pub(crate) fn person_for(
        &mut self,
        date: Date,
        kon: Kon,
        group: Aldersgrupp,
    ) -> Result<(PersonRef, u8), FitError> {
        let draw = self.dice.below(100);
        if draw < WITHOUT_NUMBER_PERCENT {
            return self.without_number(date, group);
        }
        let number = match self.known_person(draw - WITHOUT_NUMBER_PERCENT, date, kon, group) {
            Some(number) => number,
            None => self.new_person(date, kon, group)?,
        };
        Ok((PersonRef::Test(number), years(age_at(number.birth, date))))
    }

    fn without_number(&mut self, date: Date, group: Aldersgrupp) -> Result<(PersonRef, u8), FitError> {
        let mut birth = self.random_birth(date, group);
        while !fits(birth, date, group) {
            birth = self.random_birth(date, group);
        }
        let alder = years(age_at(birth, date));
        let person = if self.dice.below(2) == 0 {
            PersonRef::Reserve(format!("{}-TF{:02}", birth.strftime("%Y%m%d"), self.dice.below(100)))
        } else {
            PersonRef::None
        };
        Ok((person, alder))
    }

    /// Somebody seen before who fits, when the draw says so and somebody does.
    fn known_person(&mut self, draw: u32, date: Date, kon: Kon, group: Aldersgrupp) -> Option<TestNumber> {
        let same_year = draw < SAME_YEAR_PERCENT;
        if draw >= SAME_YEAR_PERCENT + EARLIER_PERCENT {
            return None;
        }
        let known = &mut self.known[kon as usize];
        for _ in 0..TRIES {
            // Ordered by latest year, so this year's persons are at the end.
            let split = known.partition_point(|k| k.last_year < date.year());
            let (first, count) = if same_year { (split, known.len() - split) } else { (0, split) };
            if count == 0 {
                return None;
            }
            let at = first + self.dice.index(count);
            if fits(known[at].number.birth, date, group) {
                let mut person = known.remove(at);
                person.last_year = date.year();
                known.push(person);
                return Some(person.number);
            }
        }
        None
    }

    fn new_person(&mut self, date: Date, kon: Kon, group: Aldersgrupp) -> Result<TestNumber, FitError> {
        let free = |taken: &HashSet<TestNumber>, birth| {
            let number = TestNumber { birth, kon };
            (fits(birth, date, group) && !taken.contains(&number)).then_some(number)
        };
        let mut found = None;
        for _ in 0..TRIES {
            let birth = self.random_birth(date, group);
            found = found.or_else(|| free(&self.taken, birth));
        }
        let number = match found {
            Some(number) => number,
            None => FIRST_BIRTH
                .series(jiff::Span::new().days(1))
                .take_while(|birth| *birth < date)
                .find_map(|birth| free(&self.taken, birth))
                .ok_or(FitError::NoBirthLeft { year: date.year().unsigned_abs() })?,
        };
        self.taken.insert(number);
        self.known[kon as usize].push(Known { number, last_year: date.year() });
        Ok(number)
    }

    /// A day in the years in which somebody of the group can be born; the ends may miss by a year, see
    /// [`fits`].
    fn random_birth(&mut self, date: Date, group: Aldersgrupp) -> Date {
        let (youngest, oldest) = ages(group);
        let first = (date.year() - oldest - 1).max(FIRST_BIRTH.year());
        let last = date.year() - youngest;
        let days = u32::from((last - first + 1).unsigned_abs()) * 366;
        let day = self.dice.below(days);
        Date::constant(first, 1, 1).saturating_add(SignedDuration::from_hours(24 * i64::from(day)))
    }
}

/// An age as the row carries it. infallible: ages are 18–48.
fn years(age: i16) -> u8 {
    u8::try_from(age).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_that_of_known_numbers() {
        // Skatteverket's own example 640823-323C has C = 4 (SKV 704); 811218-987C has C = 6.
        assert_eq!(luhn_check_digit("640823323"), 4);
        assert_eq!(luhn_check_digit("811218987"), 6);
    }

    #[test]
    fn all_four_spellings_are_of_one_number() {
        let number = TestNumber { birth: Date::constant(2001, 2, 3), kon: Kon::Kvinna };
        let ten = number.ten();
        assert_eq!(&ten[..9], "010203238");
        assert_eq!(number.twelve(), format!("20{ten}"));
        assert_eq!(number.twelve_dashed(), format!("20010203-{}", &ten[6..]));
        assert_eq!(number.ten_dashed(), format!("010203-{}", &ten[6..]));
    }

    #[test]
    fn debug_shows_no_number() {
        let number = TestNumber { birth: Date::constant(1990, 5, 6), kon: Kon::Man };
        let shown = format!("{:?} {:?}", PersonRef::Test(number), PersonRef::Reserve("19800101-TF12".into()));
        assert!(!shown.bytes().any(|b| b.is_ascii_digit()), "{shown}");
    }

    #[test]
    fn the_age_changes_on_the_birthday_and_a_leap_day_is_left_in_no_doubt() {
        let birth = Date::constant(1999, 6, 15);
        assert_eq!(age_at(birth, Date::constant(2024, 6, 14)), 24);
        assert_eq!(age_at(birth, Date::constant(2024, 6, 15)), 25);
        assert!(fits(birth, Date::constant(2024, 6, 14), Aldersgrupp::U24));
        assert!(fits(birth, Date::constant(2024, 6, 15), Aldersgrupp::O25));
        let leap = Date::constant(1996, 2, 29);
        assert!(!fits(leap, Date::constant(2021, 2, 28), Aldersgrupp::U24));
        assert!(!fits(leap, Date::constant(2021, 2, 28), Aldersgrupp::O25));
    }
}
