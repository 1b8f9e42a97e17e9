//! Personnummer and samordningsnummer: reading, birth date, age and juridiskt kön.
//!
//! Does not know whether a number was ever issued, and offers no pseudonym: nothing made from a number can be
//! stored or sent (STAY-1). The form is that of *folkbokföringslagen (1991:481) 18 §* and, for
//! samordningsnummer, 18 a § with Skatteverket's rules for an uncertain birth date (month `00`, day `60`).
//!
//! Invariants of a [`Personnummer`]: twelve digits whose last ten pass the Luhn check; a known birth date exists in
//! the calendar and is not after the reference date. The type has no `Display` and no `Serialize`, its `Debug`
//! prints no digit, and its memory is wiped on drop.

use std::fmt;

use jiff::civil::Date;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Why a cell holds no valid number. The row still counts as an event (*utan giltigt nummer*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UtanGiltigtNummer {
    /// The cell is empty.
    Missing,
    /// A reservnummer: letters among the last four, `000` as birth number, or the century `99`.
    ReserveNumber,
    /// Right form and date, wrong check digit.
    BadChecksum,
    /// A day the calendar does not have, or one after the reference date.
    BadDate,
    /// A spreadsheet rounded the number (`1,98E+11`).
    DigitsLost,
    /// Not the form of a number at all.
    Form,
}

impl UtanGiltigtNummer {
    /// Every reason, in the order of reports.
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::ReserveNumber, Self::BadChecksum, Self::BadDate, Self::DigitsLost, Self::Form];

    /// The reason in Swedish, for an operator.
    pub fn text(self) -> &'static str {
        match self {
            Self::Missing => "saknas",
            Self::ReserveNumber => "reservnummer",
            Self::BadChecksum => "kontrollsiffran stämmer inte",
            Self::BadDate => "datumet finns inte eller ligger i framtiden",
            Self::DigitsLost => "siffror har gått förlorade i kalkylprogrammet",
            Self::Form => "har inte formen av ett personnummer",
        }
    }
}

/// Juridiskt kön, the ninth of the ten digits: odd for men, even for women (folkbokföringslagen 18 §).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kon {
    /// Even.
    Kvinna,
    /// Odd.
    Man,
}

impl Kon {
    /// The code of the codebook variable `kon`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Kvinna => "kvinna",
            Self::Man => "man",
        }
    }
}

/// A valid personnummer or samordningsnummer (STAY-1: see the module).
#[derive(PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Personnummer {
    digits: Digits,
}

/// At most twelve digits, four bits each, the last ones lowest: one word is moved and wiped faster than twelve.
#[derive(Clone, Copy, Default, PartialEq, Eq, Zeroize)]
struct Digits(u64);

impl Digits {
    /// Of twelve.
    const COUNT: usize = 12;

    fn push(&mut self, digit: u8) {
        self.0 = self.0 << 4 | u64::from(digit & 15);
    }

    /// Of twelve digits the one at a place.
    fn at(self, place: usize) -> u8 {
        (self.0 >> (4 * (Self::COUNT - 1 - place)) & 15) as u8
    }

    /// Of twelve digits the number of two.
    fn two(self, place: usize) -> u8 {
        self.at(place) * 10 + self.at(place + 1)
    }

    /// Luhn over the last ten digits, the last being the check digit: the digits of twice the first, the third … are added
    /// to the others.
    fn pass_luhn(self) -> bool {
        const EACH: u64 = 0x01_01_01_01_01;
        let (single, double) = (self.0 & (15 * EACH), (self.0 >> 4) & (15 * EACH));
        // twice a digit over 4 has two digits, of which the sum is 9 less
        let over = (double + 3 * EACH) >> 3 & EACH;
        let sums = single + 2 * double - 9 * over;
        // at most five times 18
        (sums.wrapping_mul(EACH) >> 32 & 0xff).is_multiple_of(10)
    }
}

impl fmt::Debug for Personnummer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personnummer(..)")
    }
}

impl Personnummer {
    /// Reads a text cell. `reference` is the day the extract was made: it decides the century of ten digits, and
    /// no one is born after it.
    ///
    /// # Errors
    /// The reason the cell is *utan giltigt nummer*.
    pub fn parse(text: &str, reference: Date) -> Result<Self, UtanGiltigtNummer> {
        if let Some(outcome) = Self::usual(text.as_bytes(), reference) {
            return outcome;
        }
        let mut written = Written::read(text)?;
        let outcome = written.resolve(reference);
        written.zeroize();
        outcome
    }

    /// Reads ten or twelve digits, with or without the sign before the last four; nothing for what is written otherwise.
    pub(crate) fn usual(bytes: &[u8], reference: Date) -> Option<Result<Self, UtanGiltigtNummer>> {
        let (head, last, sign) = match bytes.len() {
            10 | 12 => (bytes, &[][..], Sign::None),
            11 | 13 => {
                let (head, last) = bytes.split_at(bytes.len() - 5);
                match last.split_first()? {
                    (b'-', last) => (head, last, Sign::Minus),
                    (b'+', last) => (head, last, Sign::Plus),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let mut written = Written { digits: Digits::default(), len: head.len() + last.len(), sign };
        let mut is_usual = true;
        for byte in head.iter().chain(last) {
            is_usual &= byte.is_ascii_digit();
            written.digits.push(byte.wrapping_sub(b'0'));
        }
        let outcome = is_usual.then(|| written.resolve(reference));
        written.zeroize();
        outcome
    }

    /// Reads a numeric cell, whose leading zeros a spreadsheet has dropped.
    ///
    /// # Errors
    /// As [`Personnummer::parse`]; a number that ends in five zeros has been rounded.
    pub fn from_number(number: f64, reference: Date) -> Result<Self, UtanGiltigtNummer> {
        if !(number.fract() == 0.0 && (1.0..1e12).contains(&number)) {
            return Err(UtanGiltigtNummer::Form);
        }
        if number >= 1e9 && number % 1e5 == 0.0 {
            return Err(UtanGiltigtNummer::DigitsLost);
        }
        // exact: an integer below 2^53
        let mut text = format!("{number:.0}");
        let outcome = Self::parse(&text, reference);
        text.zeroize();
        outcome
    }

    /// The birth date, unless the number says that its month or day is unknown.
    pub fn birth_date(&self) -> Option<Date> {
        let (year, month, day) = self.birth();
        Date::new(year, month, day).ok()
    }

    /// Year, month and day of birth as they are written; an unknown month or day is 0.
    fn birth(&self) -> (i16, i8, i8) {
        let day = self.digits.two(6);
        let day = if day >= SAMORDNING { day - SAMORDNING } else { day };
        // two digits each
        (self.year(), self.digits.two(4) as i8, day as i8)
    }

    /// Whole years on a date; nothing if the birth date is partly unknown or later than `date`.
    ///
    /// Someone born on 29 February has their day on 28 February of a common year (*lag (1930:173) om beräkning av
    /// lagstadgad tid*: where the month has no such day, its last day counts).
    pub fn age_at(&self, date: Date) -> Option<u8> {
        let (year, month, day) = self.birth();
        // a valid number has a day of the calendar, or one that is partly unknown
        if month == 0 || day == 0 || (date.year(), date.month(), date.day()) < (year, month, day) {
            return None;
        }
        let common = || !date.in_leap_year();
        let day = if month == 2 && day == 29 && common() { 28 } else { day };
        let had_birthday = (date.month(), date.day()) >= (month, day);
        u8::try_from(date.year() - year - i16::from(!had_birthday)).ok()
    }

    /// Juridiskt kön.
    pub fn kon(&self) -> Kon {
        if self.digits.at(10).is_multiple_of(2) { Kon::Kvinna } else { Kon::Man }
    }

    /// Whether the number is a samordningsnummer.
    pub fn is_samordningsnummer(&self) -> bool {
        self.digits.two(6) >= SAMORDNING
    }

    fn year(&self) -> i16 {
        i16::from(self.digits.two(0)) * 100 + i16::from(self.digits.two(2))
    }

    fn check(digits: Digits, reference: Date) -> Result<Self, UtanGiltigtNummer> {
        let number = Self { digits };
        if digits.two(0) == 99 || (digits.two(8), digits.at(10)) == (0, 0) {
            return Err(UtanGiltigtNummer::ReserveNumber);
        }
        let partly_unknown = || {
            let (month, day) = (digits.two(4), digits.two(6));
            let unknown = month == 0 || day == SAMORDNING;
            day >= SAMORDNING && unknown && month <= 12 && day <= SAMORDNING + 31
        };
        let year = number.year();
        let exists = match number.birth_date() {
            Some(birth) => birth <= reference,
            None => partly_unknown() && year <= reference.year(),
        };
        if !exists || year < OLDEST_YEAR {
            return Err(UtanGiltigtNummer::BadDate);
        }
        if digits.pass_luhn() { Ok(number) } else { Err(UtanGiltigtNummer::BadChecksum) }
    }
}

/// What is added to the day of a samordningsnummer.
const SAMORDNING: u8 = 60;
/// Nobody in an extract was born earlier.
const OLDEST_YEAR: i16 = 1850;

/// The sign before the last four.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    None,
    Minus,
    Plus,
}

/// A number as it was written: the digits without the sign.
struct Written {
    digits: Digits,
    len: usize,
    sign: Sign,
}

impl Written {
    fn read(text: &str) -> Result<Self, UtanGiltigtNummer> {
        use UtanGiltigtNummer::{DigitsLost, Form, Missing, ReserveNumber};
        let text =
            text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '\u{ad}' | '\u{feff}'));
        let text = text.strip_suffix(".0").or_else(|| text.strip_suffix(",0")).unwrap_or(text);
        if text.is_empty() {
            return Err(Missing);
        }
        if is_scientific(text) {
            return Err(DigitsLost);
        }
        let mut read = Self { digits: Digits::default(), len: 0, sign: Sign::None };
        let mut letters = false;
        for c in text.chars() {
            match c {
                '0'..='9' | 'A'..='Z' | 'a'..='z' => {
                    if read.len == Digits::COUNT {
                        return Err(Form);
                    }
                    // a letter holds its place; the number is refused below
                    read.digits.push(c.to_digit(10).and_then(|d| u8::try_from(d).ok()).unwrap_or(0));
                    if !c.is_ascii_digit() && read.len < 6 {
                        return Err(Form);
                    }
                    letters |= !c.is_ascii_digit();
                    read.len += 1;
                }
                _ if read.sign == Sign::None && (read.len == 6 || read.len == 8) => read.sign = sign_of(c)?,
                _ => return Err(Form),
            }
        }
        match (letters, read.len) {
            (true, 10 | 12) => Err(ReserveNumber),
            (false, _) => Ok(read),
            _ => Err(Form),
        }
    }

    fn resolve(&self, reference: Date) -> Result<Personnummer, UtanGiltigtNummer> {
        match (self.len, self.sign) {
            (12, _) => Personnummer::check(self.digits, reference),
            (10, sign) => Personnummer::check(with_century(self.digits, sign, reference)?, reference),
            // births of 2000 to 2009 whose leading zeros a spreadsheet dropped: taken only if all else is right
            (7..=9, Sign::None) => {
                let padded = with_century(self.digits, Sign::None, reference)?;
                Personnummer::check(padded, reference).map_err(|_| UtanGiltigtNummer::Form)
            }
            _ => Err(UtanGiltigtNummer::Form),
        }
    }

    fn zeroize(&mut self) {
        self.digits.zeroize();
    }
}

/// `1,98E+11`, `1.98e11`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let fraction = mantissa.bytes().filter(|b| matches!(b, b',' | b'.')).count();
    let digits = mantissa.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.'));
    let short = (1..=2).contains(&exponent.len()) && exponent.bytes().all(|b| b.is_ascii_digit());
    digits && fraction <= 1 && !mantissa.is_empty() && mantissa.len() - fraction <= 11 && short
}

fn sign_of(c: char) -> Result<Sign, UtanGiltigtNummer> {
    match c {
        '+' => Ok(Sign::Plus),
        '-' | '\u{2010}'..='\u{2014}' | '\u{2212}' => Ok(Sign::Minus),
        c if c.is_whitespace() => Ok(Sign::None),
        _ => Err(UtanGiltigtNummer::Form),
    }
}

/// Ten digits to twelve. `-` becomes `+` in the calendar year the person turns 100 (folkbokföringslagen 18 §), so
/// the sign and the year of `reference` give the century. Without a sign the latest century is meant that has the
/// day behind it.
fn with_century(ten: Digits, sign: Sign, reference: Date) -> Result<Digits, UtanGiltigtNummer> {
    let of_century = i16::from(ten.two(2));
    let now = reference.year();
    // the latest year of the two digits that is not after `now`
    let this_century = now - now % 100 + of_century;
    let mut year = if this_century > now { this_century - 100 } else { this_century };
    let later_this_year = year == now && {
        let day = ten.two(6) % SAMORDNING;
        (i32::from(ten.two(4)), i32::from(day)) > (i32::from(reference.month()), i32::from(reference.day()))
    };
    if sign == Sign::Plus || (sign == Sign::None && later_this_year) {
        year -= 100;
    }
    let mut digits = Digits::default();
    let century = u8::try_from(year / 100).map_err(|_| UtanGiltigtNummer::BadDate)?;
    digits.push(century / 10);
    digits.push(century % 10);
    Ok(Digits(digits.0 << 40 | ten.0))
}

/// The secret of one run, under which persons are told apart in memory.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RunSecret([u8; 32]);

impl RunSecret {
    /// Takes 32 fresh random bytes; they must never be stored, or keys of two runs become comparable.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }
}

impl fmt::Debug for RunSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunSecret(..)")
    }
}

/// Tells persons of one run apart, for counting distinct ones in memory; equal only under the same [`RunSecret`].
///
/// STAY-1: derived from a personnummer, so it has no `Serialize`, no `Display` and an empty `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonKey([u8; 16]);

impl PersonKey {
    /// SHA-256 of secret and number, both of fixed length, cut to 128 bits.
    pub fn new(number: &Personnummer, secret: &RunSecret) -> Self {
        let hash =
            Sha256::new().chain_update(secret.0).chain_update(number.digits.0.to_be_bytes()).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = date(2024, 6, 30);

    fn read(text: &str) -> Result<Personnummer, UtanGiltigtNummer> {
        Personnummer::parse(text, TODAY)
    }

    fn birth(text: &str) -> Date {
        read(text).unwrap().birth_date().unwrap()
    }

    /// Check digit by the textbook, independent of `luhn`: weights 2, 1, 2 … over nine digits.
    fn with_check(nine: &str) -> String {
        let sum: u32 = nine
            .chars()
            .map(|c| c.to_digit(10).unwrap())
            .zip([2, 1].into_iter().cycle())
            .map(|(digit, weight)| (digit * weight).to_string())
            .flat_map(|product| product.chars().map(|c| c.to_digit(10).unwrap()).collect::<Vec<_>>())
            .sum();
        format!("{nine}{}", (10 - sum % 10) % 10)
    }

    #[test]
    fn a_number_computed_by_hand_is_read_in_every_form() {
        // 8·2=16→7, 0, 0, 1, 0, 1, 2·2=4, 3, 8·2=16→7: 23, so 7
        for form in [
            "800101-2387",
            "8001012387",
            "198001012387",
            "19800101-2387",
            " 19800101 2387\u{a0}",
            "800101–2387",
            "198001012387.0",
            "'198001012387",
        ] {
            let number = read(form).unwrap();
            assert_eq!(number.birth_date(), Some(date(1980, 1, 1)), "{form}");
            assert_eq!(number.kon(), Kon::Kvinna);
            assert!(!number.is_samordningsnummer());
        }
        // 9 instead of 8 at the end: 9·2=18→9, sum 25, so 5
        assert_eq!(read("800101-2395").unwrap().kon(), Kon::Man);
    }

    #[test]
    fn the_sign_changes_in_the_calendar_year_the_person_turns_a_hundred() {
        let number = with_check("240930238");
        let (minus, plus) =
            (format!("{}-{}", &number[..6], &number[6..]), format!("{}+{}", &number[..6], &number[6..]));
        let on = |text: &str, day| Personnummer::parse(text, day).map(|n| n.birth_date().unwrap().year());
        // born 30 September 1924
        assert_eq!(on(&minus, date(2023, 12, 31)), Ok(1924));
        assert_eq!(on(&plus, date(2024, 1, 1)), Ok(1924));
        assert_eq!(on(&minus, date(2024, 6, 30)), Err(UtanGiltigtNummer::BadDate));
        assert_eq!(on(&minus, date(2024, 9, 30)), Ok(2024));
        // without a sign: the latest century with the day behind it
        assert_eq!(on(&number, date(2024, 6, 30)), Ok(1924));
        assert_eq!(on(&number, date(2024, 9, 30)), Ok(2024));
    }

    #[test]
    fn leap_days_are_right_in_the_calendar_and_in_ages() {
        let born = read(&format!("20{}", with_check("000229239"))).unwrap();
        assert_eq!(born.birth_date(), Some(date(2000, 2, 29)));
        assert_eq!(born.age_at(date(2001, 2, 27)), Some(0));
        assert_eq!(born.age_at(date(2001, 2, 28)), Some(1));
        assert_eq!(born.age_at(date(2004, 2, 28)), Some(3));
        assert_eq!(born.age_at(date(2004, 2, 29)), Some(4));
        assert_eq!(read(&format!("19{}", with_check("000229239"))), Err(UtanGiltigtNummer::BadDate));
        assert_eq!(read(&with_check("010229239")), Err(UtanGiltigtNummer::BadDate));
    }

    #[test]
    fn ages_change_on_the_birthday_and_do_not_exist_before_birth() {
        let born = read(&with_check("000601238")).unwrap();
        assert_eq!(born.age_at(date(2024, 5, 31)), Some(23));
        assert_eq!(born.age_at(date(2024, 6, 1)), Some(24));
        assert_eq!(born.age_at(date(2000, 5, 31)), None);
    }

    #[test]
    fn samordningsnummer_are_valid_also_with_an_unknown_month_or_day() {
        let number = read(&with_check("800161238")).unwrap();
        assert!(number.is_samordningsnummer());
        assert_eq!(number.birth_date(), Some(date(1980, 1, 1)));
        for unknown in ["800060238", "800360238", "800075238"] {
            let number = read(&with_check(unknown)).unwrap();
            assert_eq!((number.birth_date(), number.age_at(TODAY)), (None, None), "{unknown}");
            assert_eq!(number.kon(), Kon::Kvinna);
        }
        for wrong in ["800001238", "800100238", "801360238", "800192238", "800231238", "800291238"] {
            assert_eq!(read(&with_check(wrong)), Err(UtanGiltigtNummer::BadDate), "{wrong}");
        }
    }

    #[test]
    fn each_reason_for_no_valid_number_is_told_apart() {
        use UtanGiltigtNummer::*;
        for (text, reason) in [
            ("", Missing),
            ("  \u{a0}", Missing),
            ("19800101-TF01", ReserveNumber),
            ("800101R238", ReserveNumber),
            ("19800101-0000", ReserveNumber),
            ("991980010123", ReserveNumber),
            ("800101-2388", BadChecksum),
            ("801301-2387", BadDate),
            ("20991231-2387", BadDate),
            ("1,98E+11", DigitsLost),
            ("1.98001E+11", DigitsLost),
            ("2E+11", DigitsLost),
            ("19800101", Form),
            ("800101--2387", Form),
            ("800101-238", Form),
            ("1980010123871", Form),
            ("okänd", Form),
            ("AB0101-2387", Form),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn leading_zeros_lost_in_a_spreadsheet_come_back_only_if_the_number_is_then_valid() {
        // births of 2005, January 2000 and October 2000: 9, 7 and 8 digits remain
        for (nine, day) in [
            ("050101238", date(2005, 1, 1)),
            ("000101239", date(2000, 1, 1)),
            ("001031239", date(2000, 10, 31)),
        ] {
            let number: f64 = with_check(nine).parse().unwrap();
            assert_eq!(Personnummer::from_number(number, TODAY).unwrap().birth_date(), Some(day));
            assert_eq!(birth(&number.to_string()), day);
            let wrong = Personnummer::from_number(number + 1.0, TODAY);
            assert_eq!(wrong, Err(UtanGiltigtNummer::Form));
        }
        let rounded = Personnummer::from_number(198_001_000_000.0, TODAY);
        assert_eq!(rounded, Err(UtanGiltigtNummer::DigitsLost));
        for nonsense in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Personnummer::from_number(nonsense, TODAY), Err(UtanGiltigtNummer::Form));
        }
    }

    #[test]
    fn stay_1_debug_prints_no_digit_of_a_number_or_a_key() {
        let number = read("198001012387").unwrap();
        let secret = RunSecret::new([7; 32]);
        let printed = format!("{number:?} {:?} {secret:?}", PersonKey::new(&number, &secret));
        assert_eq!(printed, "Personnummer(..) PersonKey(..) RunSecret(..)");
    }

    #[test]
    fn keys_tell_persons_apart_within_a_run_and_not_between_runs() {
        let (one, other) = (read("198001012387").unwrap(), read("198001012395").unwrap());
        let (run, next) = (RunSecret::new([1; 32]), RunSecret::new([2; 32]));
        assert_eq!(PersonKey::new(&one, &run), PersonKey::new(&read("800101-2387").unwrap(), &run));
        assert_ne!(PersonKey::new(&one, &run), PersonKey::new(&other, &run));
        assert_ne!(PersonKey::new(&one, &run), PersonKey::new(&one, &next));
    }

    proptest! {
        #[test]
        fn the_usual_forms_are_read_as_all_others_are(text in "[0-9]{6,8}[-+x ]?[0-9x]{4}") {
            let mut written = Written::read(&text);
            let slow = written.as_mut().map_err(|reason| *reason).and_then(|written| written.resolve(TODAY));
            if let Some(usual) = Personnummer::usual(text.as_bytes(), TODAY) {
                prop_assert!(usual == slow);
            }
        }

        #[test]
        fn twelve_digits_and_ten_with_the_right_sign_round_trip(
            year in 1920i16..=2023, month in 1i8..=12, day in 1i8..=31, serial in 1u16..=999, coordination: bool,
        ) {
            prop_assume!(Date::new(year, month, day).is_ok());
            let born = date(year, month, day);
            let shown = day + if coordination { 60 } else { 0 };
            let ten = with_check(&format!("{:02}{month:02}{shown:02}{serial:03}", year % 100));
            let twelve = Personnummer::parse(&format!("{}{ten}", year / 100), TODAY).unwrap();
            prop_assert_eq!(twelve.birth_date(), Some(born));
            let sign = if TODAY.year() - year >= 100 { '+' } else { '-' };
            let short = Personnummer::parse(&format!("{}{sign}{}", &ten[..6], &ten[6..]), TODAY).unwrap();
            prop_assert_eq!(&short, &twelve);
            prop_assert_eq!(short.kon() == Kon::Man, serial % 2 == 1);
            prop_assert_eq!(short.is_samordningsnummer(), coordination);
        }

        #[test]
        fn one_wrong_digit_or_two_swapped_neighbours_never_read_as_the_same_person(
            at in 0usize..10, change in 1u8..10,
        ) {
            let right = with_check("800101238");
            let mut wrong = right.clone().into_bytes();
            wrong[at] = b'0' + (wrong[at] - b'0' + change) % 10;
            prop_assert!(read(std::str::from_utf8(&wrong).unwrap()).is_err());
        }

        #[test]
        fn no_text_and_no_number_panics(text in ".{0,20}", number: f64) {
            let _ = Personnummer::parse(&text, TODAY);
            let _ = Personnummer::from_number(number, TODAY);
        }
    }
}
