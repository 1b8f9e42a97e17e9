//! Values of PostgreSQL in their binary form (PostgreSQL, 55.7 and the send functions of the types).
//!
//! Days count from 2000-01-01. What has no day in the calendar (`infinity`) becomes text, which no date is. A `timestamptz`
//! is not read: it is a moment, and which day that is depends on a time zone that only the query can name.

use std::error::Error;

use harmonise::Value;
use jiff::Span;
use jiff::civil::{Date, date};
use tokio_postgres::types::{FromSql, Kind as TypeKind, Type};

const EPOCH: Date = date(2000, 1, 1);
const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;
const AS_TEXT: &str = "kolumn::text";

/// A type that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Truth,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Day,
    Moment,
}

impl Kind {
    /// How a type is read, or what to write instead.
    pub(super) fn of(sql_type: &Type) -> Result<Self, &'static str> {
        Ok(match *sql_type {
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Self::Text,
            Type::BOOL => Self::Truth,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::DATE => Self::Day,
            Type::TIMESTAMP => Self::Moment,
            Type::TIMESTAMPTZ => return Err("(kolumn AT TIME ZONE 'Europe/Stockholm')::date"),
            _ if matches!(sql_type.kind(), TypeKind::Enum(_)) || sql_type.name() == "citext" => Self::Text,
            _ => return Err(AS_TEXT),
        })
    }
}

/// A value as it came, of any type.
pub(super) struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Raw<'_> {
    /// Nothing if the bytes have not the form of the kind.
    pub(super) fn read(&self, kind: Kind) -> Option<Value> {
        let Some(bytes) = self.0 else { return Some(Value::Null) };
        Some(match kind {
            Kind::Text => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
            Kind::Truth => Value::truth(*bytes.first()? != 0),
            Kind::Int2 => Value::integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Int4 => Value::integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Int8 => Value::integer(i64::from_be_bytes(bytes.try_into().ok()?)),
            Kind::Float4 => Value::Number(f32::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Float8 => Value::Number(f64::from_be_bytes(bytes.try_into().ok()?)),
            Kind::Numeric => Value::decimal(&numeric(bytes)?),
            Kind::Day => day(i32::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Moment => match i64::from_be_bytes(bytes.try_into().ok()?) {
                i64::MAX | i64::MIN => day(i64::MAX),
                microseconds => day(microseconds.div_euclid(MICROSECONDS_OF_A_DAY)),
            },
        })
    }
}

/// A day of the calendar; before or after it there is only text.
fn day(days: i64) -> Value {
    let day = Span::new().try_days(days).ok().and_then(|days| EPOCH.checked_add(days).ok());
    day.map_or_else(|| Value::Text("infinity".into()), Value::Day)
}

/// Most digits of a number that a kommun's records could mean anything by.
const MOST_DIGITS: usize = 1_000;

/// Groups of four digits, their weight, sign and scale, as decimal digits.
fn numeric(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) =
        (usize::from(words.next()?), words.next()?.cast_signed(), words.next()?, usize::from(words.next()?));
    let groups: Vec<u16> = words.collect();
    if groups.len() != count || groups.iter().any(|group| *group > 9_999) {
        return None;
    }
    let mut digits = match sign {
        0x0000 => String::new(),
        0x4000 => String::from("-"),
        0xc000 | 0xd000 | 0xf000 => return Some("NaN".into()),
        _ => return None,
    };
    let before = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if before * 4 > MOST_DIGITS || scale > MOST_DIGITS {
        return Some("NaN".into());
    }
    let group = |place: i32| {
        let at = usize::try_from(i32::from(weight) - place).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let whole: String =
        (0..i32::try_from(before).ok()?).rev().map(|place| format!("{:04}", group(place))).collect();
    let whole = whole.trim_start_matches('0');
    digits.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let places = i32::try_from(scale.div_ceil(4)).ok()?;
        let fraction: String = (1..=places).map(|place| format!("{:04}", group(-place))).collect();
        digits.push('.');
        digits.push_str(fraction.get(..scale)?);
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(kind: Kind, bytes: &[u8]) -> String {
        match Raw(Some(bytes)).read(kind) {
            Some(Value::Null) => "null".into(),
            Some(Value::Text(text)) => format!("text {text}"),
            Some(Value::Number(number)) => format!("number {number}"),
            Some(Value::Day(day)) => format!("day {day}"),
            None => "damaged".into(),
        }
    }

    #[test]
    fn every_kind_is_read_and_broken_bytes_are_nothing() {
        assert_eq!(shown(Kind::Text, "Ansökan".as_bytes()), "text Ansökan");
        assert_eq!(shown(Kind::Text, b"\xff"), "damaged");
        assert_eq!([shown(Kind::Truth, &[1]), shown(Kind::Truth, &[])], ["text SANT", "damaged"]);
        assert_eq!(shown(Kind::Int2, &(-3i16).to_be_bytes()), "number -3");
        assert_eq!(shown(Kind::Int4, &[0, 1]), "damaged");
        assert_eq!(shown(Kind::Int8, &198_001_012_387i64.to_be_bytes()), "number 198001012387");
        assert_eq!(shown(Kind::Float8, &34.5f64.to_be_bytes()), "number 34.5");
        assert_eq!(shown(Kind::Float4, &34f32.to_be_bytes()), "number 34");
        assert!(matches!(Raw(None).read(Kind::Day), Some(Value::Null)));
    }

    #[test]
    fn days_and_moments_are_days_of_the_calendar() {
        assert_eq!(shown(Kind::Day, &0i32.to_be_bytes()), "day 2000-01-01");
        assert_eq!(shown(Kind::Day, &(-1i32).to_be_bytes()), "day 1999-12-31");
        assert_eq!(shown(Kind::Day, &i32::MAX.to_be_bytes()), "text infinity");
        assert_eq!(shown(Kind::Moment, &(-1i64).to_be_bytes()), "day 1999-12-31");
        assert_eq!(shown(Kind::Moment, &(MICROSECONDS_OF_A_DAY - 1).to_be_bytes()), "day 2000-01-01");
        assert_eq!(shown(Kind::Moment, &i64::MAX.to_be_bytes()), "text infinity");
        assert_eq!(shown(Kind::Moment, &i64::MIN.to_be_bytes()), "text infinity");
    }

    fn groups(weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Vec<u8> {
        let count = u16::try_from(groups.len()).unwrap();
        let head = [count, weight.cast_unsigned(), sign, scale];
        head.iter().chain(groups).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn decimals_are_their_digits() {
        let read =
            |weight, sign, scale, of: &[u16]| numeric(&groups(weight, sign, scale, of)).unwrap_or_default();
        assert_eq!(read(0, 0, 0, &[]), "0");
        assert_eq!(read(0, 0, 2, &[34]), "34.00");
        assert_eq!(read(2, 0, 0, &[1980, 101, 2387]), "198001012387");
        assert_eq!(read(1, 0x4000, 3, &[1, 2, 3400]), "-10002.340");
        assert_eq!(read(1, 0, 0, &[5]), "50000");
        assert_eq!(read(-1, 0, 4, &[12]), "0.0012");
        assert_eq!(read(-2, 0, 6, &[1200]), "0.000012");
        assert_eq!(read(0, 0xc000, 0, &[]), "NaN");
        assert_eq!(read(i16::MAX, 0, 0, &[1]), "NaN");
        assert_eq!(read(0, 1, 0, &[]), "");
        assert_eq!(numeric(&groups(0, 0, 0, &[10_000])), None);
        assert_eq!(numeric(&[0, 3, 0, 0]), None);
    }

    #[test]
    fn types_that_are_not_read_say_what_to_write() {
        assert_eq!(Kind::of(&Type::VARCHAR), Ok(Kind::Text));
        assert_eq!(Kind::of(&Type::TIMESTAMP), Ok(Kind::Moment));
        assert_eq!(Kind::of(&Type::TIMESTAMPTZ), Err("(kolumn AT TIME ZONE 'Europe/Stockholm')::date"));
        for sql_type in [Type::BYTEA, Type::JSONB, Type::UUID, Type::INTERVAL, Type::TEXT_ARRAY, Type::XML] {
            assert_eq!(Kind::of(&sql_type), Err(AS_TEXT));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for kind in [Kind::Text, Kind::Truth, Kind::Int8, Kind::Numeric, Kind::Day, Kind::Moment] {
                let _ = Raw(Some(&bytes)).read(kind);
            }
        }
    }
}
