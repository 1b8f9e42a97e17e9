//! The one consistent reading (`figures/READING.md`): the printed counts with their contradictions resolved.
//!
//! What it does not do: it decides nothing that the rows must also satisfy but the tables do not print; that
//! is `margins`. Invariants: every override names the printed value it replaces and is applied exactly once
//! (a stale one is an error); T13 for 2024 lies within T06 and sums to the known anmälare among T10's
//! missbruk.

use std::collections::HashMap;

use super::{COUNTY, FigureError, Measure, PrintedCell, TOT, TableDef, printed};
use crate::codes::{Anmalare, Code};
use crate::fit::apportion_within;

/// Anmälare is missing in this many anmälningar a year (T06 3423 of 3433 in 2024; for 2023, printed only as
/// percent, the same number is chosen).
pub(crate) const MISSING_ANMALARE: u32 = 10;
/// So many of them concern missbruk: chosen in proportion (2345 of 3433), the print does not say.
pub(crate) const MISSING_ANMALARE_MISSBRUK: u32 = 7;

/// One count a publication of the made county must show, were nothing withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedCell {
    /// `T01` … `T14`.
    pub table: &'static str,
    /// Kommunkod, or `21` for the county.
    pub omrade: &'static str,
    /// Variable id and code; `TOT` counts every known value inside the table's filter. The table's filter
    /// variables come first with their one code, then its dimensions.
    pub codes: Vec<(&'static str, &'static str)>,
    /// Year.
    pub tid: u16,
    /// Count of aktualiseringar.
    pub value: u32,
}

/// A printed count that is read as another.
struct Override {
    table: &'static str,
    omrade: &'static str,
    codes: &'static [&'static str],
    tid: u16,
    printed: i64,
    read: u32,
}

const fn read(
    (table, omrade, tid): (&'static str, &'static str, u16),
    codes: &'static [&'static str],
    printed: i64,
    read: u32,
) -> Override {
    Override { table, omrade, codes, tid, printed, read }
}

/// Printed counts the reading replaces, one line of `READING.md` after the other.
const OVERRIDES: &[Override] = &[
    read(("T03", "2101", 2024), &["forfragan"], 2, 44),
    read(("T03", "2101", 2024), &[TOT], 122, 164),
    read(("T01", "2101", 2024), &[TOT], 166, 164),
    read(("T01", "2182", 2024), &[TOT], 723, 719),
    read(("T01", COUNTY, 2024), &[TOT], 6336, 6330),
    read(("T02", COUNTY, 2022), &["forfragan"], 196, 186),
    read(("T02", COUNTY, 2022), &[TOT], 6568, 6558),
    read(("T08", COUNTY, 2024), &["ansokan", TOT, "man"], 1333, 1332),
    read(("T08", COUNTY, 2024), &["ansokan", TOT, "kvinna"], 943, 942),
    read(("T14", COUNTY, 2024), &[TOT, "ej_inleda"], 2269, 2268),
    read(("T14", COUNTY, 2024), &[TOT, TOT], 3451, 3450),
];

/// A printed percentage that does not follow from the counts under the reading.
#[derive(Debug)]
pub struct WaivedCell {
    /// Table id.
    pub table: &'static str,
    /// Kommunkod or `21`.
    pub omrade: &'static str,
    /// Codes without variable ids; empty for every cell of the table, omrade and year.
    pub codes: &'static [&'static str],
    /// Year.
    pub tid: u16,
}

const fn waive(
    table: &'static str,
    omrade: &'static str,
    tid: u16,
    codes: &'static [&'static str],
) -> WaivedCell {
    WaivedCell { table, omrade, codes, tid }
}

/// `ERRATA.md` section 2, and the percentages of overridden counts.
const WAIVED: &[WaivedCell] = &[
    waive("T01", "2101", 2024, &[]), // became −9 and −5
    waive("T02", COUNTY, 2024, &[TOT]),
    waive("T02", COUNTY, 2024, &["overflyttning"]), // a change from 0 is undefined
    waive("T03", "2101", 2024, &[]),
    waive("T08", COUNTY, 2023, &["ansokan", "stod_ovriga", "kvinna"]),
    waive("T11", COUNTY, 2023, &["anmalan", "nedbrytande", "man"]),
    waive("T11", COUNTY, 2023, &["anmalan", "vald_nara", "man"]),
    waive("T11", COUNTY, 2023, &["anmalan", "vald_nara", "kvinna"]),
    waive("T11", COUNTY, 2023, &["anmalan", "heder", "kvinna"]),
    waive("T13", COUNTY, 2024, &[]),
    waive("T14", COUNTY, 2024, &[TOT, "inleda"]),
    waive("T14", COUNTY, 2024, &[TOT, "ej_inleda"]),
];

fn plain(codes: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    codes.iter().map(|(_, code)| *code).collect()
}

/// Whether the reading waives this printed percentage.
#[must_use]
pub fn waived(cell: &PrintedCell) -> bool {
    let same = |w: &&WaivedCell| w.table == cell.table && w.omrade == cell.omrade && w.tid == cell.tid;
    WAIVED.iter().filter(same).any(|w| w.codes.is_empty() || w.codes == plain(&cell.codes))
}

type Key = (&'static str, &'static str, Vec<&'static str>, u16);

/// The counts under the reading, with the percentages printed beside them.
#[derive(Debug)]
pub struct Reading {
    cells: Vec<ExpectedCell>,
    index: HashMap<Key, usize>,
    ratios: Vec<PrintedCell>,
}

impl Reading {
    /// Reads the print and resolves its contradictions.
    ///
    /// # Errors
    /// [`FigureError`]: a fault of the embedded files.
    pub fn new() -> Result<Self, FigureError> {
        let (counts, ratios): (Vec<_>, Vec<_>) =
            printed()?.into_iter().partition(|cell| cell.measure == Measure::Count);
        let mut reading = Self { cells: Vec::new(), index: HashMap::new(), ratios };
        let mut overridden = 0;
        for cell in counts {
            let (value, replaced) = read_count(&cell)?;
            overridden += usize::from(replaced);
            reading.push(ExpectedCell {
                table: cell.table,
                omrade: cell.omrade,
                codes: cell.codes,
                tid: cell.tid,
                value,
            });
        }
        if overridden != OVERRIDES.len() {
            return Err(FigureError::NoIntegers { table: "OVERRIDES" });
        }
        reading.own_counts_of_t13()?;
        Ok(reading)
    }

    fn push(&mut self, cell: ExpectedCell) {
        self.index.insert((cell.table, cell.omrade, plain(&cell.codes), cell.tid), self.cells.len());
        self.cells.push(cell);
    }

    /// The count of one cell; `codes` in the table's order, filter codes included.
    ///
    /// # Errors
    /// [`FigureError::Absent`] when the table does not print such a count.
    pub fn count(
        &self,
        (table, omrade, tid): (&'static str, &'static str, u16),
        codes: &[&'static str],
    ) -> Result<u32, FigureError> {
        let at = self.index.get(&(table, omrade, codes.to_vec(), tid));
        at.map(|&i| self.cells[i].value).ok_or(FigureError::Absent { table, year: tid })
    }

    /// The printed percentage of a county cell.
    ///
    /// # Errors
    /// [`FigureError::Absent`] when the table does not print one.
    pub fn percent(&self, table: &'static str, tid: u16, codes: &[&'static str]) -> Result<u32, FigureError> {
        let cell = self.ratios.iter().find(|c| {
            c.table == table && c.tid == tid && c.measure == Measure::Percent && plain(&c.codes) == codes
        });
        cell.and_then(|c| u32::try_from(c.value).ok()).ok_or(FigureError::Absent { table, year: tid })
    }

    /// The expected counts, in table order.
    #[must_use]
    pub fn cells(&self) -> &[ExpectedCell] {
        &self.cells
    }

    /// T13 2023 in counts: any integers that round to the printed percentages, here the ones nearest to them.
    ///
    /// # Errors
    /// [`FigureError`] when there are none.
    pub fn missbruk_anmalare_2023(&self) -> Result<Vec<u32>, FigureError> {
        let missbruk = self.count(("T11", COUNTY, 2023), &["anmalan", "missbruk", "man"])?
            + self.count(("T11", COUNTY, 2023), &["anmalan", "missbruk", "kvinna"])?;
        let total = missbruk - MISSING_ANMALARE_MISSBRUK;
        self.counts_behind_percent("T13", &["anmalan", "missbruk"], total, &vec![0; Anmalare::ALL.len()])
    }

    /// T06 2023 in counts, none below `at_least`.
    ///
    /// # Errors
    /// [`FigureError`] when there are no integers that round to the printed percentages.
    pub fn anmalare_2023(&self, at_least: &[u32]) -> Result<Vec<u32>, FigureError> {
        let total = self.count(("T02", COUNTY, 2023), &["anmalan"])? - MISSING_ANMALARE;
        self.counts_behind_percent("T06", &["anmalan"], total, at_least)
    }

    fn counts_behind_percent(
        &self,
        table: &'static str,
        filter: &[&'static str],
        total: u32,
        at_least: &[u32],
    ) -> Result<Vec<u32>, FigureError> {
        let (mut weights, mut bounds) = (Vec::new(), Vec::new());
        for (anmalare, &least) in Anmalare::ALL.iter().zip(at_least) {
            let codes = [filter, &[anmalare.id()]].concat();
            let percent = self.percent(table, 2023, &codes)?;
            // A printed 0 is most likely a few, not none.
            weights.push(if percent == 0 { 0.25 } else { f64::from(percent) });
            let (low, high) = rounds_to(percent, total);
            bounds.push((low.max(least), high));
        }
        apportion_within(total, &weights, &bounds).map_err(|_| FigureError::NoIntegers { table })
    }

    /// T13 2024 (`READING.md`): own counts by T13's 2023 shares, within T06 2024.
    fn own_counts_of_t13(&mut self) -> Result<(), FigureError> {
        let total = self.count(("T10", COUNTY, 2024), &["anmalan", "missbruk"])? - MISSING_ANMALARE_MISSBRUK;
        let shares: Vec<f64> = self.missbruk_anmalare_2023()?.into_iter().map(f64::from).collect();
        let mut bounds = Vec::new();
        for anmalare in Anmalare::ALL {
            bounds.push((0, self.count(("T06", COUNTY, 2024), &["anmalan", anmalare.id()])?));
        }
        let own = apportion_within(total, &shares, &bounds)
            .map_err(|_| FigureError::NoIntegers { table: "T13" })?;
        for cell in self.cells.iter_mut().filter(|c| c.table == "T13") {
            let code = cell.codes.last().map(|(_, code)| *code);
            cell.value = match Anmalare::ALL.iter().find(|a| Some(a.id()) == code) {
                Some(anmalare) => own[anmalare.index()],
                None => total,
            };
        }
        Ok(())
    }
}

/// The smallest and largest count that print as `percent` of `total`, halves away from zero.
fn rounds_to(percent: u32, total: u32) -> (u32, u32) {
    // percent − ½ ≤ 100·n / total < percent + ½, in integers.
    let low = (2 * percent).saturating_sub(1) * total;
    let high = (2 * percent + 1) * total;
    (low.div_ceil(200), high.div_ceil(200) - 1)
}

fn read_count(cell: &PrintedCell) -> Result<(u32, bool), FigureError> {
    let entry = OVERRIDES.iter().find(|o| {
        o.table == cell.table && o.omrade == cell.omrade && o.tid == cell.tid && o.codes == plain(&cell.codes)
    });
    match entry {
        Some(o) if o.printed == cell.value => Ok((o.read, true)),
        Some(_) => Err(FigureError::NoIntegers { table: cell.table }),
        None => {
            let value = u32::try_from(cell.value)
                .map_err(|_| FigureError::BadNumber { table: cell.table, row: 0 })?;
            Ok((value, false))
        }
    }
}

/// Every count the tables print (2020–2024), under the reading.
///
/// # Panics
/// Never: the figures are embedded and a test reads them.
#[must_use]
pub fn expected_cells() -> Vec<ExpectedCell> {
    // infallible: the files are embedded at build time and read by this crate's tests.
    Reading::new().expect("embedded figures").cells
}

/// Every printed percentage and change that follows from the counts under the reading (the rest are
/// [`waived`]).
///
/// # Errors
/// [`FigureError`]: a fault of the embedded files.
pub fn expected_ratios() -> Result<Vec<PrintedCell>, FigureError> {
    Ok(Reading::new()?.ratios.into_iter().filter(|cell| !waived(cell)).collect())
}

impl ExpectedCell {
    /// The codes of the table's dimensions, without those of its filter.
    #[must_use]
    pub fn dimensions(&self) -> &[(&'static str, &'static str)] {
        let filters = self.definition().map_or(0, |table| table.constants.len());
        self.codes.get(filters..).unwrap_or_default()
    }

    /// The definition of the cell's table.
    #[must_use]
    pub fn definition(&self) -> Option<&'static TableDef> {
        TableDef::by_id(self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::county::KOMMUNER;

    fn county(reading: &Reading, table: &'static str, year: u16, codes: &[&'static str]) -> u32 {
        reading.count((table, COUNTY, year), codes).unwrap()
    }

    #[test]
    fn under_the_reading_every_kommun_total_is_the_sum_of_its_types_in_2024() {
        let reading = Reading::new().unwrap();
        for kod in KOMMUNER.iter().map(|k| k.kod).chain([COUNTY]) {
            let types = ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan"];
            let parts: u32 = types.iter().map(|t| reading.count(("T03", kod, 2024), &[t]).unwrap()).sum();
            assert_eq!(parts, reading.count(("T03", kod, 2024), &[TOT]).unwrap(), "{kod}");
            assert_eq!(parts, reading.count(("T01", kod, 2024), &[TOT]).unwrap(), "{kod}");
        }
    }

    #[test]
    fn the_kommuner_sum_to_the_county_in_every_year() {
        let reading = Reading::new().unwrap();
        for (table, code) in [("T01", TOT), ("T09", "ansokan"), ("T12", "anmalan")] {
            for year in 2020..=2024 {
                let parts: u32 =
                    KOMMUNER.iter().map(|k| reading.count((table, k.kod, year), &[code]).unwrap()).sum();
                assert_eq!(parts, county(&reading, table, year, &[code]), "{table} {year}");
                assert_eq!(parts, county(&reading, "T02", year, &[code]), "{table} {year}");
            }
        }
    }

    #[test]
    fn t13_has_own_counts_within_t06_and_by_the_shares_of_2023() {
        let reading = Reading::new().unwrap();
        for anmalare in Anmalare::ALL {
            let own = county(&reading, "T13", 2024, &["anmalan", "missbruk", anmalare.id()]);
            assert!(own <= county(&reading, "T06", 2024, &["anmalan", anmalare.id()]));
        }
        assert_eq!(county(&reading, "T13", 2024, &["anmalan", "missbruk", TOT]), 2345 - 7);
        let anhorig = county(&reading, "T13", 2024, &["anmalan", "missbruk", "anhorig"]);
        assert!((700..760).contains(&anhorig), "{anhorig}");
    }

    #[test]
    fn a_percentage_bounds_its_count_exactly() {
        for total in [1u32, 7, 199, 200, 2472, 3419] {
            for count in 0..=total {
                let percent = (200 * count + total) / (2 * total);
                let (low, high) = rounds_to(percent, total);
                assert!(low <= count && count <= high, "{count} of {total}");
                assert!(low == 0 || (200 * (low - 1) + total) / (2 * total) < percent);
            }
        }
    }

    #[test]
    fn the_percentages_of_2023_have_integers_and_t13_lies_within_t06() {
        let reading = Reading::new().unwrap();
        let missbruk = reading.missbruk_anmalare_2023().unwrap();
        let all = reading.anmalare_2023(&missbruk).unwrap();
        assert!(missbruk.iter().zip(&all).all(|(part, whole)| part <= whole));
        assert_eq!((missbruk.iter().sum::<u32>(), all.iter().sum::<u32>()), (2472, 3419));
    }

    #[test]
    fn the_dimensions_of_a_cell_leave_out_the_filter() {
        let cell = expected_cells().into_iter().find(|c| c.table == "T13").unwrap();
        assert_eq!(cell.codes[..2], [("aktualiseringstyp", "anmalan"), ("orsak_anmalan", "missbruk")]);
        assert_eq!(cell.dimensions(), [("anmalare", "anhorig")]);
    }

    #[test]
    fn the_errata_are_waived_and_nothing_else_of_their_tables() {
        let waived = printed().unwrap().iter().filter(|c| c.measure != Measure::Count && waived(c)).count();
        // T01 2, T02 2 + 2, T03 6, T08 1, T11 4, T13 15, T14 2
        assert_eq!(waived, 34);
    }
}
