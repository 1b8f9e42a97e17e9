//! Values of SQL Server as its driver decodes them.
//!
//! A `datetimeoffset` is read as the day where it was written: it has its own offset. A `money` is a number.

use harmonise::Value;
use jiff::Span;
use jiff::civil::{Date, date};
use tiberius::{ColumnData, ColumnType};

/// Nothing, if the type is read; else what the database calls it.
pub(super) fn check(sql_type: ColumnType) -> Result<(), &'static str> {
    use ColumnType as T;
    match sql_type {
        T::Null | T::Bit | T::Bitn => Ok(()),
        T::Int1 | T::Int2 | T::Int4 | T::Int8 | T::Intn => Ok(()),
        T::Float4 | T::Float8 | T::Floatn | T::Money | T::Money4 | T::Decimaln | T::Numericn => Ok(()),
        T::Datetime | T::Datetime4 | T::Datetimen | T::Daten | T::Datetime2 | T::DatetimeOffsetn => Ok(()),
        T::BigVarChar | T::BigChar | T::NVarchar | T::NChar | T::Text | T::NText => Ok(()),
        T::Guid => Err("uniqueidentifier"),
        T::Timen => Err("time"),
        T::BigVarBin => Err("varbinary"),
        T::BigBinary => Err("binary"),
        T::Image => Err("image"),
        T::Xml => Err("xml"),
        T::Udt => Err("en egen typ"),
        T::SSVariant => Err("sql_variant"),
    }
}

/// Nothing if it is of a type that is not read or outside the calendar.
pub(super) fn read(data: &ColumnData<'_>) -> Option<Value> {
    let value = match data {
        ColumnData::U8(number) => number.map(|number| Value::integer(number.into())),
        ColumnData::I16(number) => number.map(|number| Value::integer(number.into())),
        ColumnData::I32(number) => number.map(|number| Value::integer(number.into())),
        ColumnData::I64(number) => number.map(Value::integer),
        ColumnData::F32(number) => number.map(|number| Value::Number(number.into())),
        ColumnData::F64(number) => number.map(Value::Number),
        ColumnData::Bit(truth) => truth.map(Value::truth),
        ColumnData::String(text) => text.as_ref().map(|text| Value::Text(text.to_string())),
        ColumnData::Numeric(number) => {
            number.map(|number| Value::decimal(&digits(number.value(), number.scale().into())))
        }
        ColumnData::DateTime(moment) => day_of(moment.map(|at| at.days().into()), date(1900, 1, 1))?,
        ColumnData::SmallDateTime(moment) => day_of(moment.map(|at| at.days().into()), date(1900, 1, 1))?,
        ColumnData::Date(day) => day_of(day.map(|day| day.days().into()), date(1, 1, 1))?,
        ColumnData::DateTime2(moment) => day_of(moment.map(|at| at.date().days().into()), date(1, 1, 1))?,
        ColumnData::DateTimeOffset(moment) => {
            let written = moment.map(|at| {
                let time = at.datetime2().time();
                let unit = 10_u64.saturating_pow(time.scale().into());
                let minutes =
                    i64::try_from(time.increments() / unit / 60).unwrap_or(0) + i64::from(at.offset());
                i64::from(at.datetime2().date().days()) + minutes.div_euclid(24 * 60)
            });
            day_of(written, date(1, 1, 1))?
        }
        ColumnData::Guid(_) | ColumnData::Binary(_) | ColumnData::Xml(_) | ColumnData::Time(_) => {
            return None;
        }
    };
    Some(value.unwrap_or(Value::Null))
}

fn day_of(days: Option<i64>, epoch: Date) -> Option<Option<Value>> {
    let Some(days) = days else { return Some(None) };
    let day = epoch.checked_add(Span::new().try_days(days).ok()?).ok()?;
    Some(Some(Value::Day(day)))
}

/// A whole number divided by a power of ten, as digits.
fn digits(value: i128, scale: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = all.split_at(all.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::time::{Date as SqlDate, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

    use super::*;

    fn shown(data: ColumnData<'_>) -> String {
        match read(&data) {
            Some(Value::Null) => "null".into(),
            Some(Value::Text(text)) => format!("text {text}"),
            Some(Value::Number(number)) => format!("number {number}"),
            Some(Value::Day(day)) => format!("day {day}"),
            None => "damaged".into(),
        }
    }

    #[test]
    fn every_type_has_its_value() {
        assert_eq!(shown(ColumnData::U8(Some(7))), "number 7");
        assert_eq!(shown(ColumnData::I16(Some(-7))), "number -7");
        assert_eq!(shown(ColumnData::I32(Some(20_240_131))), "number 20240131");
        assert_eq!(shown(ColumnData::I64(Some(198_001_012_387))), "number 198001012387");
        assert_eq!(shown(ColumnData::F32(Some(34.0))), "number 34");
        assert_eq!(shown(ColumnData::F64(Some(34.5))), "number 34.5");
        assert_eq!(shown(ColumnData::Bit(Some(false))), "text FALSKT");
        assert_eq!(shown(ColumnData::String(Some("Ansökan".into()))), "text Ansökan");
        assert_eq!(shown(ColumnData::Numeric(Some(Numeric::new_with_scale(3_400, 2)))), "number 34");
        assert_eq!(shown(ColumnData::Numeric(Some(Numeric::new_with_scale(-5, 3)))), "text -0.005");
        assert_eq!(digits(i128::from(u64::MAX), 0), "18446744073709551615");
        assert_eq!(shown(ColumnData::Time(None)), "damaged");
    }

    #[test]
    fn null_of_every_type_is_null() {
        for data in [
            ColumnData::U8(None),
            ColumnData::I64(None),
            ColumnData::F64(None),
            ColumnData::Bit(None),
            ColumnData::String(None),
            ColumnData::Numeric(None),
            ColumnData::DateTime(None),
            ColumnData::SmallDateTime(None),
            ColumnData::Date(None),
            ColumnData::DateTime2(None),
            ColumnData::DateTimeOffset(None),
        ] {
            assert_eq!(shown(data), "null");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar_where_they_were_written() {
        // 738,915 days after 0001-01-01
        let day = SqlDate::new(738_915);
        assert_eq!(shown(ColumnData::Date(Some(day))), "day 2024-01-31");
        assert_eq!(shown(ColumnData::DateTime(Some(DateTime::new(45_320, 25_919_999)))), "day 2024-01-31");
        assert_eq!(
            shown(ColumnData::SmallDateTime(Some(SmallDateTime::new(45_320, 1_439)))),
            "day 2024-01-31"
        );
        let at = |hour: u64, scale: u8| {
            DateTime2::new(day, Time::new(hour * 3_600 * 10_u64.pow(scale.into()), scale))
        };
        assert_eq!(shown(ColumnData::DateTime2(Some(at(23, 7)))), "day 2024-01-31");
        let zone =
            |hour, offset| shown(ColumnData::DateTimeOffset(Some(DateTimeOffset::new(at(hour, 3), offset))));
        assert_eq!(
            [zone(22, 60), zone(23, 60), zone(0, -60)],
            ["day 2024-01-31", "day 2024-02-01", "day 2024-01-30"]
        );
        assert_eq!(shown(ColumnData::DateTime(Some(DateTime::new(i32::MAX, 0)))), "damaged");
    }

    #[test]
    fn types_that_are_not_read_are_named_as_the_database_does() {
        assert_eq!(check(ColumnType::NVarchar), Ok(()));
        assert_eq!(check(ColumnType::Datetime2), Ok(()));
        assert_eq!(check(ColumnType::Guid), Err("uniqueidentifier"));
        assert_eq!(check(ColumnType::BigVarBin), Err("varbinary"));
    }
}
