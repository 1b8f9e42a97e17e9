//! Writes a protected table as a strict file with all of its margins, and the report beside it.
//!
//! The total over areas has the area code `00`, other totals the code `TOT`. One mark, `x`, for everything withheld:
//! readers never learn whether it was primary or secondary. The report has numbers of cells, no cell's value; but its shares
//! speak of withheld counts, so it stays with whoever holds the table and is never published.

use std::fmt::Write;

use serde_json::{Value, json};
use suppress::table::{Options, Presence, Protected, Range};

use crate::link::{Plan, name_of};

/// The text of a file: of the tables of a plan the one with this number.
pub fn write(plan: &Plan, number: usize, protected: &Protected) -> String {
    let (shape, sheet) = (&protected.system.shape, &plan.sheets[number]);
    let columns: Vec<&str> = sheet.columns.iter().map(|at| plan.dimensions[*at].as_str()).collect();
    let mut text = columns.join(",");
    text.push_str(",tid,matt,varde,status\n");
    // Dimensions that the table lacks stand at their totals.
    let total = |at: usize| u32::from(shape.dimension(at).total()) * shape.stride(at);
    let lacking = (0..plan.dimensions.len()).filter(|at| !sheet.columns.contains(at));
    let mut rows: Vec<(u32, String)> = vec![(lacking.map(total).sum(), String::new())];
    for at in &sheet.columns {
        let codes = sheet.codes[*at]
            .iter()
            .map(|code| (u32::from(*code) * shape.stride(*at), name_of(*at, &plan.names[*at], *code)));
        let codes: Vec<(u32, &str)> = codes.collect();
        let longer = |(cell, row): (u32, String)| {
            codes
                .iter()
                .map(move |(offset, name)| (cell + offset, format!("{row}{name},")))
                .collect::<Vec<_>>()
        };
        rows = rows.into_iter().flat_map(longer).collect();
    }
    for (cell, row) in rows {
        let at = cell as usize;
        let (value, mark) = if protected.marks[at].withheld() {
            (String::new(), "x")
        } else {
            (protected.system.values[at].to_string(), "")
        };
        // infallible: writing to a String
        let _ = writeln!(text, "{row}{},{},{value},{mark}", plan.tid, plan.matt);
    }
    text
}

/// Per margin level, the finest first: cells, cells withheld, and the share of all counts of the level that readers no
/// longer see.
pub fn loss(protected: &Protected) -> Vec<(usize, usize, f64)> {
    let shape = &protected.system.shape;
    let mut levels = vec![(0, 0, 0i64, 0i64); shape.dimensions() + 1];
    for cell in 0..shape.len() {
        let (level, at) = (&mut levels[shape.totals(cell)], cell as usize);
        if protected.system.presence[at] != Presence::Printed {
            continue;
        }
        let (count, hidden) = (i64::from(protected.system.values[at]), protected.marks[at].withheld());
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
        "range": match options.range {
            Range::Full => "full".to_string(),
            Range::Exact => "exact".to_string(),
            Range::Values { low, high } => format!("{low}..{high}"),
        },
        "safe_1": options.range == Range::Full,
        "safe_2": options.insider,
        "zeros_protected": options.zeros,
        "singleton": options.singleton,
        "cells": summary.cells,
        "unprinted_differences": summary.differences,
        "small": summary.small,
        "secondary": summary.secondary,
        "secondary_finest": summary.secondary_finest,
        "secondary_margins": summary.secondary - summary.secondary_finest,
        "grand_total_withheld": summary.grand_total,
        "witnesses": protected.witnesses.len(),
        "unattainable": summary.unattainable,
        "sole_contributor": summary.sole,
        "zeros_withheld_for_groups": summary.alone,
        "work": summary.work,
        "levels": levels,
        "seconds": seconds.0,
        "seconds_proof": seconds.1,
    })
}
