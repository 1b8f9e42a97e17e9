//! Who delivers: kommuner, their sub-units, counties, and the `omrade` grammar of strict table files.
//!
//! Does not know which codes exist in Sweden; the issuer of certificates checks codes against its list.
//! Invariants: a [`KommunKod`] is four digits, a [`LansKod`] two; the county of a kommun is its first two digits
//! (SCB, *Regionala indelningar*). Every minimum of the system counts [`KommunKod`]s, never units: three
//! stadsdelar of one kommun are one kommun.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is none of the forms of the `omrade` column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
}

fn refuse<T>(text: &str, expected: &'static str) -> Result<T, UnitError> {
    let text = text.chars().take(20).collect();
    Err(UnitError { text, expected })
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = text.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_digit).then_some(bytes)
}

/// The two digits of a county (*länskod*), `01` to `25` in today's Sweden; `00` is the realm and no county.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LansKod([u8; 2]);

/// The four digits of a kommun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KommunKod([u8; 4]);

impl KommunKod {
    /// The county the kommun lies in: its first two digits.
    pub fn county(self) -> LansKod {
        LansKod([self.0[0], self.0[1]])
    }
}

impl FromStr for LansKod {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match digits::<2>(text) {
            Some(code) if &code != b"00" => Ok(Self(code)),
            _ => refuse(text, "a länskod (two digits, not 00)"),
        }
    }
}

impl FromStr for KommunKod {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match digits::<4>(text) {
            Some(code) if &code[..2] != b"00" => Ok(Self(code)),
            _ => refuse(text, "a kommunkod (four digits)"),
        }
    }
}

/// One deliverer: a whole kommun, or one of its sub-units (a stadsdel) written `2180-03`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit {
    kommun: KommunKod,
    sub: Option<[u8; 2]>,
}

impl Unit {
    /// A whole kommun.
    pub fn whole(kommun: KommunKod) -> Self {
        Self { kommun, sub: None }
    }

    /// The kommun that the unit is or belongs to.
    pub fn kommun(&self) -> KommunKod {
        self.kommun
    }

    /// The county the unit lies in.
    pub fn county(&self) -> LansKod {
        self.kommun.county()
    }
}

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let expected = "a kommunkod, or a kommunkod with a sub-unit as in 2180-03";
        let (kommun, sub) = match text.split_once('-') {
            None => (text, None),
            Some((kommun, sub)) => match digits::<2>(sub) {
                Some(sub) => (kommun, Some(sub)),
                None => return refuse(text, expected),
            },
        };
        match kommun.parse() {
            Ok(kommun) => Ok(Self { kommun, sub }),
            Err(_) => refuse(text, expected),
        }
    }
}

/// A set of kommuner that figures may be aggregated to inside a county, such as SKR's `A1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupCode(String);

impl FromStr for GroupCode {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(Self(text.into())) } else { refuse(text, "a group code (1 to 8 letters and digits)") }
    }
}

/// What a row of a strict table file is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Omrade {
    /// A kommun or a sub-unit.
    Unit(Unit),
    /// A county.
    County(LansKod),
    /// A group of kommuner, `G:A1`.
    Group(GroupCode),
    /// The realm, `00`.
    Riket,
}

impl FromStr for Omrade {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "00" {
            return Ok(Self::Riket);
        }
        if let Some(group) = text.strip_prefix("G:") {
            return group.parse().map(Self::Group);
        }
        if text.len() == 2 {
            return text.parse().map(Self::County);
        }
        text.parse().map(Self::Unit)
    }
}

impl fmt::Display for LansKod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", *digit as char))
    }
}

impl fmt::Display for KommunKod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", *digit as char))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kommun)?;
        match self.sub {
            Some([tens, ones]) => write!(f, "-{}{}", tens as char, ones as char),
            None => Ok(()),
        }
    }
}

impl fmt::Display for GroupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Omrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "{unit}"),
            Self::County(county) => write!(f, "{county}"),
            Self::Group(group) => write!(f, "G:{group}"),
            Self::Riket => f.write_str("00"),
        }
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $kind {
            type Error = UnitError;

            fn try_from(text: String) -> Result<Self, UnitError> {
                text.parse()
            }
        }
    )*};
}
as_text!(LansKod, KommunKod, Unit, GroupCode, Omrade);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_omrade_is_read_and_printed_again() {
        for text in ["2180", "2180-03", "21", "00", "G:A1"] {
            assert_eq!(text.parse::<Omrade>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_omrade_is_refused() {
        for text in ["", "0", "218", "21800", "2180-3", "2180-", "21 80", "G:", "G:A 1", "åäö!", "0080"] {
            assert!(text.parse::<Omrade>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn sub_units_of_one_kommun_are_one_kommun() {
        let (one, two): (Unit, Unit) = ("2180-01".parse().unwrap(), "2180-02".parse().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.kommun(), two.kommun());
        assert_eq!(one.county().to_string(), "21");
    }
}
