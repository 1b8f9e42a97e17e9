//! What the rows of one year must sum to: figures where the report prints them, seeded shares of a printed
//! year where not.
//!
//! What it does not do: it makes no rows. Invariants: every margin of a year sums to the printed number of
//! that year's aktualiseringar of its kind; the last entry of a list of codes is the missing value. For
//! 2020–2022 only aktualiseringstyp and kommun are printed, so there everything else is free and follows
//! 2023.

use crate::codes::{Aktualiseringstyp, Anmalare, Beslut, Code, Kon, OrsakAnmalan, OrsakAnsokan};
use crate::county::KOMMUNER;
use crate::dice::Dice;
use crate::figures::{COUNTY, Reading, TOT};
use crate::fit::{FitError, apportion, two_way};

/// Beslut is missing in so many anmälningar of 2024 with orsak Övrigt. Free: T14 shows 65 more rows of Övrigt
/// than T10, so 65 + 4 rows of other types carry it (`READING.md`: 65 or more).
const MISSING_BESLUT_OVRIGT: u32 = 4;
/// Rows without aktualiseringstyp: kommunkod, year, number (T01 less T03).
const UNKNOWN_TYP: [(&str, u16, u32); 2] = [("2101", 2024, 2), ("2182", 2024, 4)];
/// How far the shares of an unprinted year stray from those of the year they follow.
const DRIFT: f64 = 0.15;

/// The types printed together as the rest of T01 in the years before 2024.
pub(crate) const OTHER_TYPES: [Aktualiseringstyp; 3] =
    [Aktualiseringstyp::Yttrande, Aktualiseringstyp::Overflyttning, Aktualiseringstyp::Forfragan];

/// Margins of a year's anmälningar.
#[derive(Debug, Clone)]
pub(crate) struct AnmalanMargins {
    /// Orsak (and missing) by kön.
    pub(crate) orsak_kon: Vec<Vec<u32>>,
    /// Anmälare (and missing) where orsak is missbruk.
    pub(crate) anmalare_missbruk: Vec<u32>,
    /// Anmälare (and missing) where it is not.
    pub(crate) anmalare_andra: Vec<u32>,
    /// Orsak (and missing) by beslut (and missing).
    pub(crate) beslut: Vec<Vec<u32>>,
    pub(crate) alder: Vec<u32>,
    pub(crate) kommun: Vec<u32>,
}

/// Margins of a year's ansökningar.
#[derive(Debug, Clone)]
pub(crate) struct AnsokanMargins {
    /// Orsak (and missing) by kön.
    pub(crate) orsak_kon: Vec<Vec<u32>>,
    /// Den enskilde, missing.
    pub(crate) sokande: Vec<u32>,
    pub(crate) alder: Vec<u32>,
    pub(crate) kommun: Vec<u32>,
}

/// Margins of a year's other rows.
#[derive(Debug, Clone)]
pub(crate) struct OtherMargins {
    /// Kommun by [`OTHER_TYPES`] and, last, rows of unknown type.
    pub(crate) kommun_typ: Vec<Vec<u32>>,
    /// Rows that carry orsak Övrigt, by beslut.
    pub(crate) ovrigt_beslut: Vec<u32>,
}

/// Everything the rows of one year must sum to.
#[derive(Debug, Clone)]
pub(crate) struct YearMargins {
    pub(crate) anmalan: AnmalanMargins,
    pub(crate) ansokan: AnsokanMargins,
    pub(crate) other: OtherMargins,
}

/// One year of the reading.
struct Year<'a> {
    reading: &'a Reading,
    year: u16,
}

fn total(counts: &[u32]) -> u32 {
    counts.iter().sum()
}

impl YearMargins {
    /// # Errors
    /// [`FitError`] when the figures have no solution.
    pub(crate) fn of(reading: &Reading, year: u16, dice: &mut Dice) -> Result<Self, FitError> {
        let this = Year { reading, year };
        Ok(Self { anmalan: this.anmalan(dice)?, ansokan: this.ansokan(dice)?, other: this.other(dice)? })
    }
}

impl Year<'_> {
    fn county(&self, table: &'static str, codes: &[&'static str]) -> Result<u32, FitError> {
        Ok(self.reading.count((table, COUNTY, self.year), codes)?)
    }

    fn kommuner(&self, table: &'static str, code: &'static str) -> Result<Vec<u32>, FitError> {
        let counts = KOMMUNER.iter().map(|k| self.reading.count((table, k.kod, self.year), &[code]));
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// The last printed year this one's free variables follow.
    fn model(&self) -> Self {
        Self { reading: self.reading, year: self.year.max(2023) }
    }

    fn less(&self, whole: u32, part: u32) -> Result<u32, FitError> {
        whole.checked_sub(part).ok_or(FitError::PartExceedsWhole { year: self.year })
    }

    /// `counts` scaled to `total`, drifting when the year differs from the one the counts are of.
    fn follow(
        &self,
        counts: &[u32],
        total: u32,
        printed: u16,
        dice: &mut Dice,
    ) -> Result<Vec<u32>, FitError> {
        let drift = if self.year == printed { 0.0 } else { DRIFT };
        let weights: Vec<f64> = counts.iter().map(|&n| f64::from(n) * dice.factor(drift)).collect();
        apportion(total, &weights)
    }

    /// Orsak by kön of a printed year, with the missing as last line: known in 2024 (T05), in 2023 only their
    /// sum.
    fn printed_orsak_kon<C: Code>(
        &self,
        table: &'static str,
        typ: &'static str,
    ) -> Result<Vec<Vec<u32>>, FitError> {
        let mut lines = Vec::new();
        for orsak in C::ALL {
            let line = Kon::ALL.iter().map(|kon| self.county(table, &[typ, orsak.id(), kon.id()]));
            lines.push(line.collect::<Result<Vec<_>, _>>()?);
        }
        let known: Vec<u32> = (0..Kon::ALL.len()).map(|k| lines.iter().map(|l| l[k]).sum()).collect();
        let missing = if self.year == 2024 {
            let of = |kon: &Kon| self.less(self.county("T05", &[typ, kon.id()])?, known[kon.index()]);
            Kon::ALL.iter().map(of).collect::<Result<_, _>>()?
        } else {
            let weights: Vec<f64> = known.iter().map(|&n| f64::from(n)).collect();
            apportion(self.less(self.county("T02", &[typ])?, total(&known))?, &weights)?
        };
        lines.push(missing);
        Ok(lines)
    }

    fn orsak_kon<C: Code>(
        &self,
        table: &'static str,
        typ: &'static str,
        dice: &mut Dice,
    ) -> Result<Vec<Vec<u32>>, FitError> {
        let model = self.model();
        let lines = model.printed_orsak_kon::<C>(table, typ)?;
        let flat = self.follow(&lines.concat(), self.county("T02", &[typ])?, model.year, dice)?;
        Ok(flat.chunks(Kon::ALL.len()).map(<[u32]>::to_vec).collect())
    }

    /// Age groups: printed for 2024 only (T04).
    fn alder(&self, typ: &'static str, dice: &mut Dice) -> Result<Vec<u32>, FitError> {
        let printed = Year { reading: self.reading, year: 2024 };
        let groups = [printed.county("T04", &[typ, "u24"])?, printed.county("T04", &[typ, "o25"])?];
        self.follow(&groups, self.county("T02", &[typ])?, 2024, dice)
    }

    /// Anmälare of a printed year: `(missbruk, all)`, both with the missing last.
    fn printed_anmalare(&self) -> Result<(Vec<u32>, Vec<u32>), FitError> {
        let (mut missbruk, mut all) = if self.year == 2024 {
            let of = |table, filter: &[&'static str]| {
                Anmalare::ALL.iter().map(|a| self.county(table, &[filter, &[a.id()]].concat())).collect()
            };
            let own: Result<Vec<u32>, FitError> = of("T13", &["anmalan", "missbruk"]);
            let all: Result<Vec<u32>, FitError> = of("T06", &["anmalan"]);
            (own?, all?)
        } else {
            let own = self.reading.missbruk_anmalare_2023()?;
            let all = self.reading.anmalare_2023(&own)?;
            (own, all)
        };
        let kon = |kon: &Kon| self.county("T11", &["anmalan", "missbruk", kon.id()]);
        let with_missbruk = Kon::ALL.iter().map(kon).sum::<Result<u32, _>>()?;
        missbruk.push(self.less(with_missbruk, total(&missbruk))?);
        all.push(self.less(self.county("T02", &["anmalan"])?, total(&all))?);
        Ok((missbruk, all))
    }

    /// Orsak by beslut among the anmälningar of 2024: T14, less the rows of other types in its Övrigt.
    fn beslut_2024(&self) -> Result<Vec<Vec<u32>>, FitError> {
        let mut lines = Vec::new();
        for orsak in OrsakAnmalan::ALL {
            let mut line = Vec::new();
            for beslut in Beslut::ALL {
                line.push(self.county("T14", &[orsak.id(), beslut.id()])?);
            }
            if *orsak == OrsakAnmalan::Ovrigt {
                for (part, other) in line.iter_mut().zip(self.other_ovrigt_2024()?) {
                    *part = self.less(*part, other)?;
                }
            }
            line.push(self.less(self.county("T10", &["anmalan", orsak.id()])?, total(&line))?);
            lines.push(line);
        }
        let known = total(&lines.iter().map(|l| total(l)).collect::<Vec<_>>());
        let sums: Vec<f64> =
            (0..=Beslut::ALL.len()).map(|b| lines.iter().map(|l| f64::from(l[b])).sum()).collect();
        lines.push(apportion(self.less(self.county("T02", &["anmalan"])?, known)?, &sums)?);
        Ok(lines)
    }

    /// Rows of 2024 of other types with orsak Övrigt, by beslut.
    fn other_ovrigt_2024(&self) -> Result<Vec<u32>, FitError> {
        let all: Vec<u32> =
            Beslut::ALL.iter().map(|b| self.county("T14", &["ovrigt", b.id()])).collect::<Result<_, _>>()?;
        let of_anmalan = self.less(self.county("T10", &["anmalan", "ovrigt"])?, MISSING_BESLUT_OVRIGT)?;
        let weights: Vec<f64> = all.iter().map(|&n| f64::from(n)).collect();
        apportion(self.less(total(&all), of_anmalan)?, &weights)
    }

    fn anmalan(&self, dice: &mut Dice) -> Result<AnmalanMargins, FitError> {
        let model = self.model();
        let orsak_kon = self.orsak_kon::<OrsakAnmalan>("T11", "anmalan", dice)?;
        let (missbruk, all) = model.printed_anmalare()?;
        let andra: Vec<u32> =
            all.iter().zip(&missbruk).map(|(a, m)| self.less(*a, *m)).collect::<Result<_, _>>()?;
        let with_missbruk = total(&orsak_kon[OrsakAnmalan::Missbruk.index()]);
        let without = self.county("T02", &["anmalan"])? - with_missbruk;
        let mut beslut = Vec::new();
        let printed = Year { reading: self.reading, year: 2024 };
        for (line, orsak) in printed.beslut_2024()?.iter().zip(&orsak_kon) {
            beslut.push(self.follow(line, total(orsak), 2024, dice)?);
        }
        Ok(AnmalanMargins {
            anmalare_missbruk: self.follow(&missbruk, with_missbruk, model.year, dice)?,
            anmalare_andra: self.follow(&andra, without, model.year, dice)?,
            orsak_kon,
            beslut,
            alder: self.alder("anmalan", dice)?,
            kommun: self.kommuner("T12", "anmalan")?,
        })
    }

    fn ansokan(&self, dice: &mut Dice) -> Result<AnsokanMargins, FitError> {
        let model = self.model();
        let enskild = model.county("T07", &["ansokan", "enskild"])?;
        let missing = self.less(model.county("T02", &["ansokan"])?, enskild)?;
        let all = self.county("T02", &["ansokan"])?;
        Ok(AnsokanMargins {
            orsak_kon: self.orsak_kon::<OrsakAnsokan>("T08", "ansokan", dice)?,
            sokande: self.follow(&[enskild, missing], all, model.year, dice)?,
            alder: self.alder("ansokan", dice)?,
            kommun: self.kommuner("T09", "ansokan")?,
        })
    }

    fn other(&self, dice: &mut Dice) -> Result<OtherMargins, FitError> {
        let mut kommun_typ = self.other_types(dice)?;
        for (line, kommun) in kommun_typ.iter_mut().zip(KOMMUNER) {
            let unknown = UNKNOWN_TYP.iter().find(|(kod, year, _)| *kod == kommun.kod && *year == self.year);
            line.push(unknown.map_or(0, |(_, _, n)| *n));
        }
        let printed = Year { reading: self.reading, year: 2024 };
        let ovrigt = printed.other_ovrigt_2024()?;
        let known = |year: &Year<'_>| -> Result<u32, FitError> {
            let counts = OTHER_TYPES.iter().map(|typ| year.county("T02", &[typ.id()]));
            counts.sum::<Result<u32, _>>()
        };
        let scaled = total(&ovrigt) * known(self)? / known(&printed)?.max(1);
        Ok(OtherMargins { kommun_typ, ovrigt_beslut: self.follow(&ovrigt, scaled, 2024, dice)? })
    }

    /// Kommun by [`OTHER_TYPES`]: printed for 2024 (T03); before, only its margins are (T01 − T09 − T12, and
    /// T02).
    fn other_types(&self, dice: &mut Dice) -> Result<Vec<Vec<u32>>, FitError> {
        let mut printed = Vec::new();
        for kommun in KOMMUNER {
            let of = |typ: &Aktualiseringstyp| self.reading.count(("T03", kommun.kod, 2024), &[typ.id()]);
            printed.push(OTHER_TYPES.iter().map(of).collect::<Result<Vec<_>, _>>()?);
        }
        if self.year == 2024 {
            return Ok(printed);
        }
        let (all, ans, anm) =
            (self.kommuner("T01", TOT)?, self.kommuner("T09", "ansokan")?, self.kommuner("T12", "anmalan")?);
        let rest: Vec<u32> = all
            .iter()
            .zip(ans.iter().zip(&anm))
            .map(|(whole, (a, b))| self.less(*whole, a + b))
            .collect::<Result<_, _>>()?;
        let columns: Vec<u32> =
            OTHER_TYPES.iter().map(|typ| self.county("T02", &[typ.id()])).collect::<Result<_, _>>()?;
        // One half added: a kommun without a type in 2024 may have had it before.
        let weights: Vec<Vec<f64>> = printed
            .iter()
            .map(|line| line.iter().map(|&n| (f64::from(n) + 0.5) * dice.factor(2.0 * DRIFT)).collect())
            .collect();
        two_way(&rest, &columns, &weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_margin_of_every_year_sums_to_the_printed_number_of_its_kind() {
        let reading = Reading::new().unwrap();
        for year in crate::county::YEARS {
            let margins = YearMargins::of(&reading, year, &mut Dice::new(9, 9)).unwrap();
            let of = |typ| reading.count(("T02", COUNTY, year), &[typ]).unwrap();
            let anm = &margins.anmalan;
            for sum in [
                total(&anm.orsak_kon.concat()),
                total(&anm.anmalare_missbruk) + total(&anm.anmalare_andra),
                total(&anm.beslut.concat()),
                total(&anm.alder),
                total(&anm.kommun),
            ] {
                assert_eq!(sum, of("anmalan"), "{year}");
            }
            let ans = &margins.ansokan;
            for sum in
                [total(&ans.orsak_kon.concat()), total(&ans.sokande), total(&ans.alder), total(&ans.kommun)]
            {
                assert_eq!(sum, of("ansokan"), "{year}");
            }
        }
    }

    #[test]
    fn the_missing_values_of_the_reading_are_the_last_lines() {
        let reading = Reading::new().unwrap();
        let at = |year| YearMargins::of(&reading, year, &mut Dice::new(9, 9)).unwrap();
        let (last, before) = (at(2024), at(2023));
        assert_eq!(last.ansokan.orsak_kon[5], [8, 3]);
        assert_eq!(last.anmalan.orsak_kon[6], [6, 2]);
        assert_eq!(last.ansokan.sokande[1], 22);
        assert_eq!(before.ansokan.sokande[1], 5);
        assert_eq!(total(&before.ansokan.orsak_kon[5]), 38);
        assert_eq!(total(&before.anmalan.orsak_kon[6]), 2);
        let without: Vec<u32> = last.anmalan.beslut.iter().map(|l| l[2]).collect();
        assert_eq!(without[..6], [12, 23, 2, 3, 0, 4]);
        assert_eq!(total(&last.other.ovrigt_beslut), 69);
    }
}
