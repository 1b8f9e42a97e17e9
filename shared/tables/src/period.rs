//! Periods of a table: a year, half-year, quarter or month of the Gregorian calendar.
//!
//! Written `2024`, `2024H1`, `2024K3` (kvartal), `2024M07`. Periods of one collection may overlap; the atoms of a
//! [`crate::system::System`] are cut by all of them.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A text that names no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no period (2024, 2024H1, 2024K3 or 2024M07, years 1900 to 2200)")]
pub struct PeriodError(String);

/// A period by its first and last day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    first: Date,
    months: u8,
}

impl Period {
    /// First day.
    pub fn first(self) -> Date {
        self.first
    }

    /// Last day.
    pub fn last(self) -> Date {
        // infallible: years are limited to 1900–2200, far inside the calendar's range
        self.first.saturating_add(i32::from(self.months).months()).saturating_sub(1.day())
    }

    /// The ways the period is cut into equal shorter ones, longest first: a year into halves, quarters and months.
    pub fn parts(self) -> Vec<Vec<Self>> {
        let lengths = [6u8, 3, 1].into_iter().filter(|months| *months < self.months);
        let cut = |months: u8| {
            // infallible: years are limited to 1900–2200
            let start = |at: u8| self.first.saturating_add(i32::from(at * months).months());
            (0..self.months / months).map(|at| Self { first: start(at), months }).collect()
        };
        lengths.map(cut).collect()
    }

    /// Whether the day lies in the period.
    pub fn contains(self, date: Date) -> bool {
        self.first <= date && date <= self.last()
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        parse(text).ok_or_else(|| PeriodError(text.chars().take(12).collect()))
    }
}

fn parse(text: &str) -> Option<Period> {
    if !text.is_ascii() || text.len() < 4 {
        return None;
    }
    let (year, rest) = text.split_at(4);
    if !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let year: i16 = year.parse().ok()?;
    let months: u8 = match rest.as_bytes().first() {
        None => 12,
        Some(b'H') if rest.len() == 2 => 6,
        Some(b'K') if rest.len() == 2 => 3,
        Some(b'M') if rest.len() == 3 => 1,
        Some(_) => return None,
    };
    let number: u8 = if rest.is_empty() { 1 } else { rest[1..].parse().ok()? };
    if !(1900..=2200).contains(&year) || number == 0 || number > 12 / months {
        return None;
    }
    let first = Date::new(year, i8::try_from((number - 1) * months + 1).ok()?, 1).ok()?;
    Some(Period { first, months })
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.first.year(), self.first.month() as u8);
        match self.months {
            12 => write!(f, "{year:04}"),
            6 => write!(f, "{year:04}H{}", month / 6 + 1),
            3 => write!(f, "{year:04}K{}", month / 3 + 1),
            _ => write!(f, "{year:04}M{month:02}"),
        }
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_period_is_cut_into_equal_shorter_ones() {
        let parts = |text: &str| -> Vec<Vec<String>> {
            let period: Period = text.parse().unwrap();
            let names = |cut: Vec<Period>| cut.iter().map(Period::to_string).collect();
            period.parts().into_iter().map(names).collect()
        };
        assert_eq!(parts("2024")[0], ["2024H1", "2024H2"]);
        assert_eq!(parts("2024")[1], ["2024K1", "2024K2", "2024K3", "2024K4"]);
        assert_eq!(parts("2024H2")[1][5], "2024M12");
        assert_eq!(parts("2024K3"), [["2024M07", "2024M08", "2024M09"]]);
        assert!(parts("2024M07").is_empty());
    }

    #[test]
    fn periods_have_the_days_their_names_say() {
        for (text, first, last) in [
            ("2024", date(2024, 1, 1), date(2024, 12, 31)),
            ("2024H2", date(2024, 7, 1), date(2024, 12, 31)),
            ("2023K1", date(2023, 1, 1), date(2023, 3, 31)),
            ("2024M02", date(2024, 2, 1), date(2024, 2, 29)),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.first(), period.last(), period.to_string()), (first, last, text.into()));
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in ["", "24", "2024H3", "2024K5", "2024M13", "2024M00", "2024-01", "1800", "2024h1", "åååå"]
        {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
