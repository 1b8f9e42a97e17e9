//! Writes a protected table as a strict file with all of its margins, and the report beside it.
//!
//! The total over areas has the area code `00`, other totals the code `TOT`. One mark, `x`, for everything withheld:
//! readers never learn whether it was primary or secondary. The report has numbers of cells, no cell's value; but its shares
//! speak of withheld counts, so it stays with whoever holds the table and is never published.

use std::fmt::Write;

use serde_json::{Value, json};
use suppress::table::{Options, Protected};

use crate::input::{ALL_AREAS, TOT, Table};

/// The file's text.
pub fn write(table: &Table, protected: &Protected) -> String {
    let mut text = table.dimensions.join(",");
    text.push_str(",tid,matt,varde,status\n");
    let shape = &protected.shape;
    for cell in 0..shape.len() {
        for (at, codes) in table.codes.iter().enumerate() {
            let total = if at == 0 { ALL_AREAS } else { TOT };
            let code = codes.get(shape.code(cell, at) as usize).map_or(total, String::as_str);
            text.push_str(code);
            text.push(',');
        }
        let at = cell as usize;
        let (value, mark) = if protected.marks[at].withheld() {
            (String::new(), "x")
        } else {
            (protected.values[at].to_string(), "")
        };
        // infallible: writing to a String
        let _ = writeln!(text, "{},{},{value},{mark}", table.tid, table.matt);
    }
    text
}

/// Per margin level, the finest first: cells, cells withheld, and the share of all counts of the level that readers no
/// longer see.
pub fn loss(protected: &Protected) -> Vec<(usize, usize, f64)> {
    let shape = &protected.shape;
    let mut levels = vec![(0, 0, 0i64, 0i64); shape.dimensions() + 1];
    for cell in 0..shape.len() {
        let (level, at) = (&mut levels[shape.totals(cell)], cell as usize);
        let (count, hidden) = (i64::from(protected.values[at]), protected.marks[at].withheld());
        level.0 += 1;
        level.1 += usize::from(hidden);
        level.2 += count;
        level.3 += if hidden { count } else { 0 };
    }
    // Counts are far under 2^53.
    let share = |all: i64, hidden: i64| if all == 0 { 0.0 } else { hidden as f64 / all as f64 };
    levels.into_iter().map(|(cells, withheld, all, hidden)| (cells, withheld, share(all, hidden))).collect()
}

/// The report; `seconds` of protecting and of checking the proof.
pub fn report(options: &Options, protected: &Protected, seconds: (f64, f64)) -> Value {
    let level = |(totals, (cells, withheld, share)): (usize, (usize, usize, f64))| {
        // Rounded to a percent: nobody needs more of the loss. See the module: not for publication.
        json!({ "totals": totals, "cells": cells, "withheld": withheld, "share_of_counts": (share * 100.0).round() / 100.0 })
    };
    let levels: Vec<Value> = loss(protected).into_iter().enumerate().map(level).collect();
    let summary = &protected.summary;
    json!({
        "min_count": options.min_count.get(),
        "safe_1": true,
        "safe_2": options.insider,
        "cells": summary.cells,
        "small": summary.small,
        "secondary": summary.secondary,
        "secondary_finest": summary.secondary_finest,
        "secondary_margins": summary.secondary - summary.secondary_finest,
        "grand_total_withheld": summary.grand_total,
        "witnesses": protected.witnesses.len(),
        "unattainable": summary.unattainable,
        "sole_contributor": summary.sole,
        "work": summary.work,
        "levels": levels,
        "seconds": seconds.0,
        "seconds_proof": seconds.1,
    })
}
