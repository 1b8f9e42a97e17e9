//! Recounts all fourteen tables from the rows and reports every figure that does not come out.
//!
//! What it does not do: it shares no counting with the generator and repairs nothing. Invariant: a row counts
//! in a table when its kommun and year match and every variable of the table is known and inside the filter;
//! `TOT` is the sum of those rows. Percentages are integers, halves away from zero.

use std::collections::HashMap;

use crate::county::{County, Event};
use crate::figures::{COUNTY, FigureError, Measure, PrintedCell, Reading, TOT, TableDef, waived};

/// One figure that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// `T01` … `T14`, or `FIGURES` when the printed tables themselves could not be read.
    pub table: &'static str,
    /// Kommunkod or `21`.
    pub omrade: &'static str,
    /// Variable id and code.
    pub codes: Vec<(&'static str, &'static str)>,
    /// Year.
    pub tid: u16,
    /// What is compared.
    pub measure: Measure,
    /// Under the reading.
    pub expected: i64,
    /// From the rows; `None` when undefined (a percentage of nothing).
    pub found: Option<i64>,
}

/// Events of one omrade and year.
struct Recount<'a> {
    rows: HashMap<(&'static str, u16), Vec<&'a Event>>,
}

/// Every figure of the fourteen tables that the rows do not give: counts under the reading, and percentages
/// and changes that the reading does not waive. Empty for a generated county.
#[must_use]
pub fn verify(county: &County) -> Vec<Deviation> {
    match deviations(county) {
        Ok(list) => list,
        // Not swallowed: unreadable figures are themselves a deviation.
        Err(_) => vec![Deviation {
            table: "FIGURES",
            omrade: COUNTY,
            codes: Vec::new(),
            tid: 0,
            measure: Measure::Count,
            expected: 0,
            found: None,
        }],
    }
}

fn deviations(county: &County) -> Result<Vec<Deviation>, FigureError> {
    let reading = Reading::new()?;
    let recount = Recount::new(county);
    let counts = reading.cells().iter().map(|cell| PrintedCell {
        table: cell.table,
        omrade: cell.omrade,
        codes: cell.codes.clone(),
        tid: cell.tid,
        measure: Measure::Count,
        value: i64::from(cell.value),
    });
    let ratios = crate::figures::expected_ratios()?;
    Ok(counts.chain(ratios).filter_map(|cell| recount.compare(cell)).collect())
}

impl<'a> Recount<'a> {
    fn new(county: &'a County) -> Self {
        let mut rows: HashMap<(&'static str, u16), Vec<&Event>> = HashMap::new();
        for kommun in county.kommuner() {
            for event in &kommun.events {
                rows.entry((kommun.kommunkod, event.year)).or_default().push(event);
                rows.entry((COUNTY, event.year)).or_default().push(event);
            }
        }
        Self { rows }
    }

    fn compare(&self, cell: PrintedCell) -> Option<Deviation> {
        debug_assert!(!(waived(&cell) && cell.measure != Measure::Count), "waived figures are not compared");
        let found = match cell.measure {
            Measure::Count => Some(self.count(&cell, &cell.codes, cell.tid)),
            Measure::Percent => {
                let over = TableDef::by_id(cell.table).and_then(|t| t.percent_over)?;
                let base: Vec<_> = cell
                    .codes
                    .iter()
                    .map(|&(v, code)| (v, if v == over.id() { TOT } else { code }))
                    .collect();
                percent(self.count(&cell, &cell.codes, cell.tid), self.count(&cell, &base, cell.tid))
            }
            Measure::ChangeSince(year) => {
                let before = self.count(&cell, &cell.codes, year);
                percent(self.count(&cell, &cell.codes, cell.tid) - before, before)
            }
        };
        let PrintedCell { table, omrade, codes, tid, measure, value } = cell;
        let differs = found != Some(value);
        differs.then_some(Deviation { table, omrade, codes, tid, measure, expected: value, found })
    }

    fn count(&self, cell: &PrintedCell, codes: &[(&str, &str)], year: u16) -> i64 {
        let filter = TableDef::by_id(cell.table).map_or(&[][..], |t| t.filter);
        let inside = |event: &&&Event| {
            codes.iter().all(|&(variable, code)| {
                let Some(value) = event.code(variable) else {
                    return false;
                };
                let allowed =
                    filter.iter().filter(|(v, _)| v.id() == variable).all(|(_, c)| c.contains(&value));
                allowed && (code == TOT || code == value)
            })
        };
        let rows = self.rows.get(&(cell.omrade, year)).map_or(&[][..], Vec::as_slice);
        i64::try_from(rows.iter().filter(inside).count()).unwrap_or(i64::MAX)
    }
}

/// `100 · part / whole` to an integer, halves away from zero; `None` of nothing.
fn percent(part: i64, whole: i64) -> Option<i64> {
    (whole > 0).then(|| part.signum() * ((200 * part.abs() + whole) / (2 * whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(percent(1, 200), Some(1));
        assert_eq!(percent(-1, 200), Some(-1));
        assert_eq!(percent(1, 201), Some(0));
        assert_eq!(percent(3, 0), None);
    }

    #[test]
    fn a_single_changed_row_is_noticed_in_every_table_that_counts_it() {
        let mut county = County::generate(4).unwrap();
        assert_eq!(verify(&county), []);
        let at = county.kommuner()[0].events.iter().position(|e| e.year == 2024 && e.typ.is_some()).unwrap();
        county.kommuner_mut()[0].events.remove(at);
        let tables: std::collections::BTreeSet<_> = verify(&county).iter().map(|d| d.table).collect();
        assert!(tables.contains("T01") && tables.contains("T02") && tables.contains("T03"), "{tables:?}");
    }
}
