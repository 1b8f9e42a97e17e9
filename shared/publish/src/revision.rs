//! Which figures of a second version were others in the first: marked `r` in the workbook, listed in `rattningar.csv`.
//!
//! The strict tables stay as they are: a value there has no status. Decides no mark; says nothing of a figure that is
//! withheld now. Rows stand in the order of the tables (SAME-1).

use std::collections::BTreeSet;

use tables::collection::Collection;
use tables::period::Period;
use tables::strict::{StrictRow, StrictTable};
use tables::unit::Omrade;

/// Its path in the folder.
pub const FILE: &str = "rattningar.csv";

/// What names a figure in a table.
type Key = (Omrade, Vec<String>, Period, String);

/// The revised figures of every table.
#[derive(Debug, Clone)]
pub struct Revisions {
    /// The number of the version that is corrected.
    pub version: u32,
    keys: Vec<BTreeSet<Key>>,
}

fn key(row: &StrictRow) -> Key {
    (row.omrade.clone(), row.codes.clone(), row.tid, row.matt.clone())
}

impl Revisions {
    /// Compares two versions of the same tables; `version` is the first one's number.
    pub fn of(version: u32, first: &[StrictTable], second: &[StrictTable]) -> Self {
        let of = |(first, second): (&StrictTable, &StrictTable)| {
            let before: BTreeSet<_> = first.rows.iter().map(|row| (key(row), row.varde)).collect();
            let shown = second.rows.iter().filter(|row| row.varde.is_some());
            shown.filter(|row| !before.contains(&(key(row), row.varde))).map(key).collect()
        };
        Self { version, keys: first.iter().zip(second).map(of).collect() }
    }

    /// Whether a row of a table was another.
    pub fn contains(&self, table: usize, row: &StrictRow) -> bool {
        self.keys.get(table).is_some_and(|keys| keys.contains(&key(row)))
    }

    /// `tabell,omrade,koder,tid,matt`: what was another, without any figure.
    pub fn csv(&self, collection: &Collection, tables: &[StrictTable]) -> Vec<u8> {
        let mut text = String::from("tabell,omrade,koder,tid,matt\n");
        for (at, (spec, table)) in collection.tables.iter().zip(tables).enumerate() {
            for row in table.rows.iter().filter(|row| self.contains(at, row)) {
                let codes = row.codes.join(" ");
                text.push_str(&format!("{},{},{codes},{},{}\n", spec.id, row.omrade, row.tid, row.matt));
            }
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str) -> StrictTable {
        StrictTable::from_csv("T1.csv", format!("omrade,kon,tid,matt,varde,status\n{rows}").as_bytes())
            .unwrap()
    }

    #[test]
    fn what_is_another_figure_or_newly_shown_is_revised_and_what_is_withheld_is_not() {
        let first = table(
            "2101,1,2024,aktualiseringar,5,\n2101,2,2024,aktualiseringar,,x\n2101,TOT,2024,aktualiseringar,9,\n\
             21,1,2024,aktualiseringar,5,\n21,2,2024,aktualiseringar,8,\n21,TOT,2024,aktualiseringar,9,\n",
        );
        let second = table(
            "2101,1,2024,aktualiseringar,6,\n2101,2,2024,aktualiseringar,4,\n2101,TOT,2024,aktualiseringar,10,\n\
             21,1,2024,aktualiseringar,5,\n21,2,2024,aktualiseringar,,x\n21,TOT,2024,aktualiseringar,9,\n",
        );
        let (first, second) = ([first], [second]);
        let revisions = Revisions::of(1, &first, &second);
        let marked: Vec<bool> = second[0].rows.iter().map(|row| revisions.contains(0, row)).collect();
        let expected: Vec<bool> = second[0].rows.iter().map(|row| row.omrade.to_string() == "2101").collect();
        assert_eq!(marked, expected);
        assert!(!revisions.contains(1, &second[0].rows[0]), "of another table nothing is known");
    }
}
