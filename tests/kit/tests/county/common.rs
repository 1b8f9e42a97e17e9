//! The county of a seed, made and released once for all tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use county::ExpectedCell;
use kit::{COUNT, Key, Made, Released, made_county, released};
use suppress::key::PatternKey;

/// Seeds every test of figures runs over.
pub const SEEDS: [u64; 3] = [2024, 1, 7];
/// Omrade of the county.
pub const COUNTY: &str = "21";
/// Small: `1..4`.
pub const SMALL: std::ops::Range<i64> = 1..4;

pub fn key() -> PatternKey {
    PatternKey::new(&[5; 32])
}

pub struct Case {
    pub made: Made,
    pub released: Released,
}

pub fn case(seed: u64) -> &'static Case {
    static CASES: Mutex<BTreeMap<u64, &'static Case>> = Mutex::new(BTreeMap::new());
    let mut cases = CASES.lock().unwrap_or_else(PoisonError::into_inner);
    cases.entry(seed).or_insert_with(|| {
        let made = made_county(seed).unwrap();
        let released = released(&made, &key()).unwrap();
        Box::leak(Box::new(Case { made, released }))
    })
}

pub fn key_of(cell: &ExpectedCell) -> Key {
    Key::new(cell.table, cell.omrade, &cell.codes, &cell.tid.to_string(), COUNT)
}

/// The report's count under the reading of a cell of T01, T03, T09 or T12.
pub fn truth(table: &str, omrade: &str, code: &str, tid: u16) -> i64 {
    let cells = county::expected_cells();
    let is = |cell: &&ExpectedCell| {
        (cell.table, cell.omrade, cell.tid) == (table, omrade, tid)
            && cell.codes.iter().any(|(_, own)| *own == code)
    };
    cells.iter().find(is).unwrap().value.into()
}
