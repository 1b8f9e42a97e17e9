//! Shown percentages of withheld counts, or of withheld bases.
//!
//! A file does not say what its percentages are percentages of. The base is a margin: the same row with `TOT` in
//! some dimensions, the same for the whole file. Those dimensions are found by trying: they are the only ones
//! that fit every percentage whose part and base are both shown. Where several fit, the percentages are not used,
//! and that is said.

use tables::codebook::TOT;
use tables::strict::StrictRow;

use super::{BORTFALL, CellIndex, Publication, Sheet, relate};
use crate::published::Kind;

/// Most dimensions whose subsets are tried.
const MOST_DIMENSIONS: usize = 12;

/// A shown percentage, with its part.
struct Share<'a> {
    row: &'a StrictRow,
    percent: u32,
    part: CellIndex,
}

/// Adds the relations of a file's percentages.
pub(super) fn relations(sheet: &Sheet, publication: &mut Publication) {
    for word in ["procent_rad", "procent_kolumn"] {
        let shares = shares(sheet, word);
        let bases: Vec<u64> = bases(sheet, &shares, publication);
        let tells = |over: u64| {
            shares.iter().any(|share| {
                let cells = [Some(share.part), base(sheet, share, over)];
                cells.into_iter().flatten().any(|cell| publication.cells[cell].withheld().is_some())
            })
        };
        let of_parts = shares.iter().any(|share| publication.cells[share.part].withheld().is_some());
        if !of_parts && !bases.iter().any(|over| tells(*over)) {
            continue;
        }
        let [over] = bases.as_slice() else {
            let text = "visade procenttal av undertryckta antal; det framgår inte vad de är procent av";
            publication.unused.push(format!("{}, {word}: {text}", sheet.name));
            continue;
        };
        for share in &shares {
            let Some(whole) = base(sheet, share, *over) else {
                continue;
            };
            let hidden = |cell: CellIndex| publication.cells[cell].withheld().is_some();
            if hidden(share.part) || hidden(whole) {
                let cell = &publication.cells[share.part];
                let name = format!("{} {} {} {word}", cell.table, cell.row, cell.column);
                relate(publication, name, Kind::Percent(share.percent), share.part, vec![whole]);
            }
        }
    }
}

fn shares<'a>(sheet: &'a Sheet, word: &str) -> Vec<Share<'a>> {
    let measure = sheet.measures.iter().find(|measure| **measure != BORTFALL); // events before persons
    let share = |row: &'a StrictRow| {
        let percent = u32::try_from(row.varde?).ok()?;
        let key = (row.omrade.clone(), row.codes.clone(), row.tid, *measure?);
        let part = *sheet.index.get(&key)?;
        Some(Share { row, percent, part })
    };
    sheet.table.rows.iter().filter(|row| row.matt == word).filter_map(share).collect()
}

/// The base of a share if the dimensions of `over` are totalled.
fn base(sheet: &Sheet, share: &Share, over: u64) -> Option<CellIndex> {
    let measure = sheet.measures.iter().find(|measure| **measure != BORTFALL)?;
    let total = |(at, code): (usize, &String)| {
        if over >> at & 1 == 1 { TOT.to_owned() } else { code.clone() }
    };
    let codes = share.row.codes.iter().enumerate().map(total).collect();
    sheet.index.get(&(share.row.omrade.clone(), codes, share.row.tid, *measure)).copied()
}

/// Sets of dimensions that fit every shown percentage of shown counts. Dimensions that are `TOT` throughout tell
/// nothing and are left out.
fn bases(sheet: &Sheet, shares: &[Share], publication: &Publication) -> Vec<u64> {
    let size = sheet.codes.len();
    if size > MOST_DIMENSIONS {
        return Vec::new();
    }
    let idle = (0..size).filter(|at| sheet.codes[*at].is_empty()).fold(0u64, |mask, at| mask | 1 << at);
    let fits = |over: &u64| {
        shares.iter().all(|share| {
            let Some(whole) = base(sheet, share, *over) else {
                return false;
            };
            let shown = |cell: CellIndex| publication.cells[cell].shown();
            match (shown(share.part), shown(whole)) {
                (_, Some(0)) => false,
                (Some(part), Some(whole)) => u64::from(share.percent) == (200 * part + whole) / (2 * whole),
                _ => true,
            }
        })
    };
    (1..1u64 << size).filter(|over| over & idle == 0).filter(fits).collect()
}
