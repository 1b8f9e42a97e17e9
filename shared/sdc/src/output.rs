//! Writes a protected table as a strict file with all of its margins, and the report beside it.
//!
//! The total over areas has the area code `00`, other totals the code `TOT`. One mark, `x`, for everything withheld:
//! readers never learn whether it was primary or secondary. The report has numbers of cells, no cell's value.

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

/// The report.
pub fn report(options: &Options, protected: &Protected) -> Value {
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
    })
}
