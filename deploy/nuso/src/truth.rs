//! What every published figure of the study must be: a straight count of what its rows mean.
//!
//! What it does not do: it uses neither the definitions that nodes count by nor anything that reads labels; groups of ages and of decisions
//! stand here once more, on purpose. Invariant: an event without a code of any dimension of a table is that table's bortfall.

use std::collections::BTreeMap;

use tables::strict::{Status, StrictTable};

use crate::lexicon::Field;
use crate::rows::Meant;

const TOTAL: &str = "TOT";

/// Counts by area and by the codes of all dimensions that tables have.
pub struct Truth {
    county: String,
    codes: [Vec<String>; 3],
    /// Area of a kommun, and what is known of the event: how many.
    events: BTreeMap<(String, Known), i64>,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    sex: Option<&'static str>,
    age: Option<u8>,
    codes: [Option<usize>; 3],
}

/// What a publication's figures are beside the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Counts and bortfall shown.
    pub shown: usize,
    /// Percentages shown.
    pub percentages: usize,
    /// Of all these, how many are not the true ones.
    pub differ: usize,
    /// Withheld counts.
    pub withheld: usize,
    /// Shown counts of a kommun that are under four and not zero.
    pub small: usize,
}

impl Compared {
    /// Adds another table's.
    pub fn add(&mut self, other: Self) {
        self.shown += other.shown;
        self.percentages += other.percentages;
        self.differ += other.differ;
        self.withheld += other.withheld;
        self.small += other.small;
    }
}

impl Truth {
    pub(crate) fn new<'m>(
        county: &str,
        codes: [Vec<String>; 3],
        meant: impl Iterator<Item = (&'m str, &'m Meant)>,
    ) -> Self {
        let mut events: BTreeMap<(String, Known), i64> = BTreeMap::new();
        for (unit, meant) in meant.filter(|(_, meant)| meant.day.year() == 2023) {
            let known = Known { sex: meant.sex, age: meant.age, codes: meant.codes };
            *events.entry((unit.to_owned(), known)).or_default() += 1;
        }
        Self { county: county.to_owned(), codes, events }
    }

    /// Compares a published table; nothing if it has a dimension the study knows nothing of.
    #[must_use]
    pub fn compare(&self, table: &StrictTable) -> Option<Compared> {
        let counted = self.count(&table.dimensions)?;
        let mut found = Compared::default();
        for row in &table.rows {
            let area = row.omrade.to_string();
            let count = |codes: &[String]| {
                counted.cells.get(&(area.clone(), codes.to_vec())).copied().unwrap_or_default()
            };
            let truth = match row.matt.as_str() {
                "aktualiseringar" => count(&row.codes),
                "bortfall" => counted.bortfall.get(&area).copied().unwrap_or_default(),
                "procent_rad" => {
                    let mut base = row.codes.clone();
                    base.last_mut()?.replace_range(.., TOTAL);
                    percent(count(&row.codes), count(&base))
                }
                _ => return None,
            };
            if row.status != Status::Value {
                found.withheld += usize::from(row.matt == "aktualiseringar");
                continue;
            }
            let is_percent = row.matt == "procent_rad";
            found.percentages += usize::from(is_percent);
            found.shown += usize::from(!is_percent);
            found.differ += usize::from(row.varde != Some(truth));
            let is_count_of_kommun = row.matt == "aktualiseringar" && area != self.county;
            found.small += usize::from(is_count_of_kommun && (1..4).contains(&truth));
        }
        Some(found)
    }

    fn count(&self, dimensions: &[String]) -> Option<Counted> {
        let mut counted = Counted::default();
        for ((unit, known), events) in &self.events {
            let codes: Option<Vec<Option<String>>> =
                dimensions.iter().map(|dimension| self.code(known, dimension)).collect();
            let codes: Option<Vec<String>> = codes?.into_iter().collect();
            for area in [unit, &self.county] {
                let Some(codes) = &codes else {
                    *counted.bortfall.entry(area.clone()).or_default() += events;
                    continue;
                };
                for totalled in 0..1u32 << codes.len() {
                    let is_total = |at: usize| totalled >> at & 1 == 1;
                    let key = codes.iter().enumerate().map(|(at, code)| match is_total(at) {
                        true => TOTAL.to_owned(),
                        false => code.clone(),
                    });
                    *counted.cells.entry((area.clone(), key.collect())).or_default() += events;
                }
            }
        }
        Some(counted)
    }

    /// The event's code in a dimension, if it is known; nothing at all for a dimension that is none of the study's.
    fn code(&self, known: &Known, dimension: &str) -> Option<Option<String>> {
        let of = |field: Field| {
            known.codes[field as usize].and_then(|code| self.codes[field as usize].get(code)).cloned()
        };
        Some(match dimension {
            "kon" => known.sex.map(str::to_owned),
            "aldersgrupp" => known.age.map(|age| {
                let first = age / 3 * 3;
                format!("g{first:02}_{:02}", first + 2)
            }),
            "aktualiseringstyp" => of(Field::Typ),
            "orsak" => of(Field::Orsak),
            "atgard" => of(Field::Atgard),
            "huvudatgard" => of(Field::Atgard).map(|code| {
                match code.as_str() {
                    "utredning_inleds" => "inleds",
                    "inleds_ej" | "inleds_ej_insats" => "inleds_inte",
                    _ => "annan",
                }
                .to_owned()
            }),
            _ => return None,
        })
    }
}

/// Halves away from zero.
fn percent(part: i64, base: i64) -> i64 {
    (200 * part + base).checked_div(2 * base).unwrap_or_default()
}

#[derive(Default)]
struct Counted {
    cells: BTreeMap<(String, Vec<String>), i64>,
    bortfall: BTreeMap<String, i64>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Three girls and a boy of one type, a girl without a type, and one of another year.
    fn truth() -> Truth {
        let event = |year: i16, sex, age, typ| Meant {
            day: date(year, 5, 1),
            sex: Some(sex),
            age: Some(age),
            codes: [typ, None, None],
        };
        let mut all = vec![event(2023, "kvinna", 2, Some(0)); 3];
        all.extend([event(2023, "man", 17, Some(0)), event(2023, "kvinna", 3, None)]);
        all.push(event(2022, "kvinna", 3, Some(0)));
        let codes = [vec!["anmalan".to_owned()], Vec::new(), Vec::new()];
        Truth::new("99", codes, all.iter().map(|meant| ("9901", meant)))
    }

    fn compared(body: &str) -> Compared {
        let text = format!("omrade,aktualiseringstyp,kon,tid,matt,varde,status\n{body}");
        let table = StrictTable::from_csv("B.csv", text.as_bytes()).unwrap();
        truth().compare(&table).unwrap()
    }

    #[test]
    fn events_are_counted_where_everything_is_known_and_are_bortfall_where_not() {
        let right = "99,anmalan,kvinna,2023,aktualiseringar,3,\n99,anmalan,man,2023,aktualiseringar,1,\n\
                     99,anmalan,TOT,2023,aktualiseringar,,x\n99,TOT,TOT,2023,bortfall,1,\n\
                     99,anmalan,man,2023,procent_rad,25,\n";
        let found = compared(right);
        let expected = Compared { shown: 3, percentages: 1, differ: 0, withheld: 1, small: 0 };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_figure_that_is_not_the_true_one_differs_and_a_small_one_of_a_kommun_is_told() {
        let wrong = "99,anmalan,kvinna,2023,aktualiseringar,4,\n99,TOT,TOT,2023,bortfall,0,\n\
                     99,anmalan,man,2023,procent_rad,24,\n9901,anmalan,kvinna,2023,aktualiseringar,3,\n";
        let found = compared(wrong);
        assert_eq!((found.differ, found.small), (3, 1));
    }

    #[test]
    fn a_dimension_that_the_study_does_not_have_is_not_compared() {
        let text = "omrade,anmalare,tid,matt,varde,status\n99,polis,2023,aktualiseringar,1,\n";
        let table = StrictTable::from_csv("B.csv", text.as_bytes()).unwrap();
        assert!(truth().compare(&table).is_none());
    }

    #[test]
    fn percentages_go_away_from_zero_at_halves() {
        assert_eq!([percent(1, 8), percent(1, 40), percent(0, 3), percent(0, 0)], [13, 3, 0, 0]);
    }
}
