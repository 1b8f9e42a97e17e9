//! One cell as the file holds it, and the date in it.
//!
//! Does not guess: `31/1/2024` and `1.2.2024` are refused, since day and month cannot be told apart.
//! STAY-1: a [`Cell`] has no `Debug`.

use std::borrow::Cow;

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::label::clean;

/// A cell of any kind of file.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Empty,
    Text(&'a str),
    /// Text of a Windows-1252 file, not empty and not decoded yet: most of it is labels met before.
    Raw(&'a [u8]),
    Number(f64),
    Day(Date),
}

impl Cell<'_> {
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Cell::Empty => true,
            Cell::Text(text) => !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && is_blank(text),
            Cell::Raw(bytes) => !bytes.first().is_some_and(u8::is_ascii_graphic) && is_blank(&decoded(bytes)),
            Cell::Number(_) | Cell::Day(_) => false,
        }
    }

    /// The cell as text; numbers as a spreadsheet shows them.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Cell::Empty => Cow::Borrowed(""),
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Raw(bytes) => decoded(bytes),
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Day(day) => Cow::Owned(day.to_string()),
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == '\u{ad}')
}

/// Every byte is a character in Windows-1252 (WHATWG Encoding, 9.1).
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0
}

/// How a workbook counts days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// Day 1 is 1 January 1900 (and 1900 has a 29 February).
    From1900,
    /// Day 0 is 1 January 1904.
    From1904,
}

/// Serial days are only believed between these, so that no other number passes for a date.
const SERIAL_FROM: Date = date(1990, 1, 1);
const SERIAL_TO: Date = date(2100, 1, 1);
const OLDEST_YEAR: i16 = 1900;

/// The date in a cell: `2024-01-31`, `20240131`, either with a time after it, a date cell, or a serial day.
pub(crate) fn date_of(cell: &Cell<'_>, epoch: Epoch) -> Option<Date> {
    match cell {
        Cell::Empty => None,
        Cell::Day(day) => Some(*day),
        Cell::Number(number) => date_of_number(*number, epoch),
        Cell::Text(text) => usual_date(text.as_bytes()).or_else(|| date_of_text(&clean(text), epoch)),
        Cell::Raw(bytes) => usual_date(bytes).or_else(|| date_of_text(&clean(&decoded(bytes)), epoch)),
    }
}

/// `2024-01-31`, and no other form.
fn usual_date(bytes: &[u8]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let number = |digits: &[&u8]| {
        digits
            .iter()
            .try_fold(0i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(**digit - b'0')))
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let found = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (year >= OLDEST_YEAR).then_some(found)
}

fn date_of_number(number: f64, epoch: Epoch) -> Option<Date> {
    if !(1.0..1e8).contains(&number) {
        return None;
    }
    // below 1e8, so the whole part fits
    let whole = number.trunc() as i32;
    if whole >= 10_000_000 {
        return if number.fract() == 0.0 { date_of_digits(&whole.to_string()) } else { None };
    }
    if whole >= 100_000 {
        return None;
    }
    let start = match epoch {
        Epoch::From1900 => date(1899, 12, 30),
        Epoch::From1904 => date(1904, 1, 1),
    };
    let day = start.checked_add(whole.days()).ok()?;
    (SERIAL_FROM <= day && day < SERIAL_TO).then_some(day)
}

fn date_of_text(text: &str, epoch: Epoch) -> Option<Date> {
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    if !time.is_none_or(is_time) {
        return None;
    }
    let bytes = day.as_bytes();
    match bytes.len() {
        10 if bytes[4] == b'-' && bytes[7] == b'-' => {
            date_of_parts(day.get(..4)?, day.get(5..7)?, day.get(8..)?)
        }
        8 => date_of_digits(day),
        5 if time.is_none() && bytes.iter().all(u8::is_ascii_digit) => {
            date_of_number(day.parse().ok()?, epoch)
        }
        _ => None,
    }
}

/// `20240131`.
fn date_of_digits(day: &str) -> Option<Date> {
    if day.len() != 8 || !day.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    date_of_parts(day.get(..4)?, day.get(4..6)?, day.get(6..)?)
}

fn date_of_parts(year: &str, month: &str, day: &str) -> Option<Date> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if ![year, month, day].into_iter().all(digits) {
        return None;
    }
    let year: i16 = year.parse().ok()?;
    let found = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    (year >= OLDEST_YEAR).then_some(found)
}

/// `00:00`, `13:45:10`, `13:45:10.000`, with or without `Z`.
fn is_time(text: &str) -> bool {
    let text = text.trim().strip_suffix('Z').unwrap_or(text.trim());
    let parts: Vec<&str> = text.split(':').collect();
    let below = |part: &str, limit: f64| {
        part.len() >= 2
            && part.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
            && part.replace(',', ".").parse::<f64>().is_ok_and(|value| value < limit)
    };
    match parts.as_slice() {
        [hour, minute] => below(hour, 24.0) && below(minute, 60.0),
        [hour, minute, second] => below(hour, 24.0) && below(minute, 60.0) && below(second, 61.0),
        _ => false,
    }
}

/// Whole years from a cell: `34`, `34,0`, `34 år`.
pub(crate) fn years_of(cell: &Cell<'_>) -> Option<u8> {
    const OLDEST: u8 = 130;
    let years = match cell {
        Cell::Number(number) if number.fract() == 0.0 && (0.0..=f64::from(OLDEST)).contains(number) => {
            *number as u8
        }
        Cell::Text(_) | Cell::Raw(_) => {
            let text = crate::label::clean(&cell.text()).to_lowercase();
            let text = text.strip_suffix("år").unwrap_or(&text).trim();
            let text = text.strip_suffix(",0").or_else(|| text.strip_suffix(".0")).unwrap_or(text);
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse().ok()? } else { return None }
        }
        _ => return None,
    };
    (years <= OLDEST).then_some(years)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Option<Date> {
        date_of(&Cell::Text(text), Epoch::From1900)
    }

    #[test]
    fn every_documented_form_of_a_date_is_read() {
        let day = Some(date(2024, 1, 31));
        for form in [
            "2024-01-31",
            " 2024-01-31\u{a0}",
            "20240131",
            "2024-01-31 00:00:00",
            "2024-01-31T13:45:10.000Z",
            "2024-01-31 13:45",
            "20240131 13:45",
            "45322",
        ] {
            assert_eq!(text(form), day, "{form}");
        }
        assert_eq!(date_of(&Cell::Number(45322.0), Epoch::From1900), day);
        assert_eq!(date_of(&Cell::Number(45322.56), Epoch::From1900), day);
        assert_eq!(date_of(&Cell::Number(43860.0), Epoch::From1904), day);
        assert_eq!(date_of(&Cell::Number(20_240_131.0), Epoch::From1900), day);
    }

    #[test]
    fn nothing_is_guessed_about_a_date() {
        for form in [
            "",
            "31/1/2024",
            "1.2.2024",
            "2024-1-31",
            "24-01-31",
            "240131",
            "2024-02-30",
            "2023-02-29",
            "20241301",
            "2024-01-31 kl 9",
            "2024-01-31 25:00",
            "2024/01/31",
            "Totalt",
            "0001-01-01",
            "12345",
            "99999",
            "å024-01-1",
        ] {
            assert_eq!(text(form), None, "{form}");
        }
        for number in [0.0, -1.0, 12.0, 99_999.0, 7_713_274.1, 1e9, f64::NAN, f64::INFINITY, 20_240_131.5] {
            assert_eq!(date_of(&Cell::Number(number), Epoch::From1900), None);
        }
    }

    #[test]
    fn ages_are_whole_years_of_a_person() {
        let years = |text: &str| years_of(&Cell::Text(text));
        assert_eq!(
            [years("34"), years("34 år"), years("34,0"), years(" 0 ")],
            [Some(34), Some(34), Some(34), Some(0)]
        );
        assert_eq!([years("34,5"), years("131"), years("999"), years("-1"), years("")], [None; 5]);
        assert_eq!(years_of(&Cell::Number(34.0)), Some(34));
        assert_eq!([34.5, -1.0, 131.0, f64::NAN].map(|n| years_of(&Cell::Number(n))), [None; 4]);
    }

    proptest! {
        #[test]
        fn dates_round_trip_in_every_form(days in 0i32..30_000) {
            let day = date(1990, 1, 1).checked_add(days.days()).unwrap();
            prop_assert_eq!(text(&day.to_string()), Some(day));
            prop_assert_eq!(text(&day.to_string().replace('-', "")), Some(day));
            prop_assert_eq!(date_of(&Cell::Number(f64::from(days + 32874)), Epoch::From1900), Some(day));
        }

        #[test]
        fn no_cell_panics(chars in ".{0,20}", number: f64) {
            for cell in [Cell::Text(&chars), Cell::Number(number)] {
                let _ = (date_of(&cell, Epoch::From1900), date_of(&cell, Epoch::From1904), years_of(&cell));
            }
        }
    }
}
