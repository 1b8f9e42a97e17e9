//! Rows of kommungrupper beside certified rows of counties and the realm.
//!
//! Nothing but rows of groups may be new. Of those: a shown count is 0 or at least the threshold, a table's margins add up, groups add up to
//! the realm where all are shown and to no more where not. Then the files are attacked with what each county has in each group as
//! unknown counts (`published::strict::Members`), once with every group's figure withheld and once as they would be published.
//! A value under the threshold that the groups' figures rule out, of a county, of a county in a group or of a withheld group, while others
//! stay possible, is a finding; so is what is not settled within the budget. Which figures are chosen is
//! `suppress::counties::groups`; this shares nothing with it.

use std::collections::{BTreeMap, HashMap};

use tables::strict::{Status, StrictRow, StrictTable, Vocabulary};
use tables::unit::Omrade;

use super::{CountyRelease, Exposed, File, Key, Possible, Refused};
use crate::budget::Budget;
use crate::published::attack::{self, Outcome, attack};
use crate::published::strict::{self, Members, StrictOptions, is_count};

/// Rows of groups that would be published.
pub struct GroupRows<'a> {
    /// The certified files with the rows in them.
    pub files: Vec<File>,
    /// The counties that each group has counted kommuner in.
    pub members: &'a Members,
    /// Counts under it are small.
    pub min_count: u64,
    /// Work limits.
    pub budget: Budget,
}

fn refused<T>(problem: String) -> Result<T, Refused> {
    Err(Refused::Groups(problem))
}

impl CountyRelease {
    /// The release with the same files and rows of groups in them.
    ///
    /// # Errors
    /// [`Refused::Groups`] names the file and what does not fit; [`Refused::Exposed`] what the rows give away.
    pub fn with_groups(&self, rows: GroupRows<'_>) -> Result<Self, Refused> {
        let files = &rows.files;
        if files.len() != self.files.len() {
            return refused("other files than were certified".into());
        }
        let (mut without, mut shows) = (Vec::new(), false);
        for ((name, bytes), (known, certified)) in files.iter().zip(&self.files) {
            if name != known {
                return refused(format!("{name} was not certified"));
            }
            let read = |bytes: &[u8]| {
                let table = StrictTable::read(name, bytes, Vocabulary::Any);
                table.map_err(|error| Refused::Groups(error.to_string()))
            };
            let (mut table, certified) = (read(bytes)?, read(certified)?);
            let is_group = |row: &&StrictRow| matches!(row.omrade, Omrade::Group(_));
            let (groups, others): (Vec<&StrictRow>, Vec<&StrictRow>) = table.rows.iter().partition(is_group);
            if table.dimensions != certified.dimensions || !others.into_iter().eq(&certified.rows) {
                return refused(format!("{name}: rows of counties or of the realm are not those certified"));
            }
            judge(name, &groups, &certified.rows, rows.min_count)?;
            shows |= groups.iter().any(|row| row.varde.is_some());
            withhold(&mut table);
            let text = table.to_csv(name).map_err(|error| Refused::Groups(error.to_string()))?;
            without.push((name.clone(), text.into_bytes()));
        }
        if !shows {
            return Ok(Self { files: rows.files, ..self.clone() });
        }
        let (before, _) = possible(&without, &rows)?;
        let (after, contradictions) = possible(files, &rows)?;
        if contradictions > 0 {
            return Err(Refused::Contradiction(contradictions));
        }
        let is_exposed = |(key, after): &(&Key, &Possible)| {
            let is_told = |before: &Possible| {
                let ruled_out = before.small.iter().any(|value| !after.small.contains(value));
                after.is_open || !after.small.is_empty() && ruled_out
            };
            before.get(*key).is_none_or(is_told)
        };
        let exposed: std::collections::BTreeSet<Exposed> = after
            .iter()
            .filter(is_exposed)
            .map(|((file, column, area), _)| Exposed {
                file: file.clone(),
                column: column.clone(),
                area: area.clone(),
            })
            .collect();
        if exposed.is_empty() {
            Ok(Self { files: rows.files, ..self.clone() })
        } else {
            Err(Refused::Exposed(exposed.into_iter().collect()))
        }
    }
}

/// Every figure of a group becomes a withheld one, unless none was delivered.
fn withhold(table: &mut StrictTable) {
    let groups = table.rows.iter_mut().filter(|row| matches!(row.omrade, Omrade::Group(_)));
    for row in groups.filter(|row| row.varde.is_some() && is_count(&row.matt)) {
        (row.varde, row.status) = (None, Status::Withheld);
    }
}

/// What is possible of every count that is not shown, and how many contradictions there are.
fn possible(files: &[File], rows: &GroupRows<'_>) -> Result<(HashMap<Key, Possible>, usize), Refused> {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let options = StrictOptions { members: rows.members.clone(), ..StrictOptions::default() };
    let publication = strict::read(&files, &options)?;
    let (budget, min_count) = (rows.budget, rows.min_count);
    let asked = attack::Asked { budget, min_count, only_small: true, ..attack::Asked::default() };
    let found = attack(&publication, asked, &|| false);
    let outcome = |finding: &attack::Finding| {
        let cell = &publication.cells[finding.cell];
        let key = (cell.table.clone(), cell.column.clone(), cell.row.clone());
        // Bortfall is no small cell (ADR 5).
        let is_asked = !strict::is_missing(&cell.column) && finding.outcome != Outcome::Contradiction;
        is_asked.then(|| (key, Possible::of(&finding.outcome, rows.min_count)))
    };
    Ok((found.findings.iter().filter_map(outcome).collect(), found.contradictions.len()))
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
        let is_known = row.varde.is_some() || row.status == Status::NotDelivered;
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
