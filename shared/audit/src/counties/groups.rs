//! Rows of kommungrupper beside certified rows of counties and the realm.
//!
//! Nothing but rows of groups may be new. Of those: a shown count is 0 or at least the threshold, a table's margins add up, groups add up to
//! the realm where all are shown and to no more where not. That they tell nothing of a county is decided with the values that nobody
//! prints (`suppress::counties::groups`), and attacked there by trying everything; it is not judged from the files again.

use std::collections::BTreeMap;

use tables::strict::{StrictRow, StrictTable, Vocabulary};
use tables::unit::Omrade;

use super::{CountyRelease, File, Refused};
use crate::published::strict::is_count;

fn refused<T>(problem: String) -> Result<T, Refused> {
    Err(Refused::Groups(problem))
}

impl CountyRelease {
    /// The release with the same files and rows of groups in them.
    ///
    /// # Errors
    /// [`Refused::Groups`] names the file and what does not fit.
    pub fn with_groups(self, files: Vec<File>, min_count: u64) -> Result<Self, Refused> {
        if files.len() != self.files.len() {
            return refused("other files than were certified".into());
        }
        for ((name, bytes), (known, certified)) in files.iter().zip(&self.files) {
            if name != known {
                return refused(format!("{name} was not certified"));
            }
            let read = |bytes: &[u8]| {
                let table = StrictTable::read(name, bytes, Vocabulary::Any);
                table.map_err(|error| Refused::Groups(error.to_string()))
            };
            let (table, certified) = (read(bytes)?, read(certified)?);
            let is_group = |row: &&StrictRow| matches!(row.omrade, Omrade::Group(_));
            let (groups, others): (Vec<&StrictRow>, Vec<&StrictRow>) = table.rows.iter().partition(is_group);
            if table.dimensions != certified.dimensions || !others.into_iter().eq(&certified.rows) {
                return refused(format!("{name}: rows of counties or of the realm are not those certified"));
            }
            judge(name, &groups, &certified.rows, min_count)?;
        }
        Ok(Self { files, ..self })
    }
}

fn judge(name: &str, groups: &[&StrictRow], certified: &[StrictRow], min_count: u64) -> Result<(), Refused> {
    let place = |row: &StrictRow| (row.codes.clone(), row.tid, row.matt.clone());
    let realm: BTreeMap<_, _> = certified
        .iter()
        .filter(|row| row.omrade == Omrade::Riket)
        .map(|row| (place(row), row.varde))
        .collect();
    let mut sums = BTreeMap::<_, (i64, bool)>::new();
    for row in groups.iter().filter(|row| is_count(&row.matt)) {
        let is_small = row.varde.is_some_and(|value| (1..min_count as i64).contains(&value));
        if is_small || row.varde.is_some_and(i64::is_negative) {
            return refused(format!("{name}: a small count of {} is shown", row.omrade));
        }
        let sum = sums.entry(place(row)).or_insert((0, true));
        // a group that no counted kommun lies in has nothing
        let is_known = row.varde.is_some() || row.status == tables::strict::Status::NotDelivered;
        *sum = (sum.0 + row.varde.unwrap_or_default(), sum.1 && is_known);
    }
    for (place, (sum, is_whole)) in sums {
        let agrees = match realm.get(&place).copied().flatten() {
            Some(whole) if is_whole => sum == whole,
            Some(whole) => sum <= whole,
            None => true,
        };
        if !agrees {
            return refused(format!("{name}: groups do not add up to the realm"));
        }
    }
    Ok(())
}
