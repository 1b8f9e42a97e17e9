//! The audit of national tables: whether national rows tell anything about county rows that those do not tell alone.
//!
//! Counties published under control of their own. A reader has their rows first ([`Asked::counties`]) and then the
//! national rows beside them ([`Asked::tables`]); both are attacked as any strict files are. A withheld county total of which
//! some, not all, values under the threshold, or one value only, are possible with the national rows is a finding; so is a
//! withheld national sum that could be computed, or that may be small and of which a value under the threshold is ruled out that
//! counties' own rows leave possible: before the national rows counties tell nothing of each other, so that a sum can be whatever its
//! parts can add up to. What is not settled within the budget, before and
//! after, is a finding while the column's national figure is shown.
//!
//! Knows no true value but shown ones: it needs none. The only maker of a [`CountyRelease`].

mod groups;

pub use groups::GroupRows;

use std::collections::{BTreeSet, HashMap};

use crate::budget::Budget;
use crate::published::attack::{self, Attack, Outcome, attack};
use crate::published::strict::{self, StrictOptions};
use crate::published::{Publication, PublishedError};

/// A strict file: its path in the publication and its bytes.
pub type File = (String, Vec<u8>);

/// What is audited.
pub struct Asked<'a> {
    /// The files as they would be published: counties and the realm.
    pub tables: &'a [File],
    /// The same files with the rows of counties only.
    pub counties: &'a [File],
    /// The area of national rows, `00`.
    pub realm: &'a str,
    /// Counts under it are small.
    pub min_count: u64,
    /// Work limits.
    pub budget: Budget,
}

/// National tables that may be published.
#[derive(Clone)]
pub struct CountyRelease {
    files: Vec<File>,
    withheld: usize,
}

impl CountyRelease {
    /// The strict files.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// How many withheld figures were audited.
    pub fn withheld(&self) -> usize {
        self.withheld
    }
}

impl std::fmt::Debug for CountyRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CountyRelease({} files)", self.files.len())
    }
}

/// A withheld figure that the national rows give away, or narrow. Places only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exposed {
    /// The file.
    pub file: String,
    /// Column heading: codes, period, measure ([`strict::heading`]).
    pub column: String,
    /// The area.
    pub area: String,
}

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Figures that are exposed.
    #[error("{} withheld figures could be computed or narrowed", .0.len())]
    Exposed(Vec<Exposed>),
    /// The tables contradict themselves: what counties show does not add up.
    #[error("the tables contradict themselves ({0} sums)")]
    Contradiction(usize),
    /// The files are no strict tables.
    #[error(transparent)]
    Files(#[from] PublishedError),
    /// Rows of groups of kommuner that do not belong beside what was certified: which and what.
    #[error("rows of kommungrupper: {0}")]
    Groups(String),
}

/// Audits national tables.
///
/// # Errors
/// [`Refused`].
pub fn certify(asked: &Asked<'_>) -> Result<CountyRelease, Refused> {
    let before = outcomes(asked, asked.counties)?;
    let publication = read(asked.tables)?;
    let found = run(asked, &publication);
    if !found.contradictions.is_empty() {
        return Err(Refused::Contradiction(found.contradictions.len()));
    }
    let columns = columns(&publication, asked.realm);
    let mut exposed = Vec::new();
    for finding in &found.findings {
        let cell = &publication.cells[finding.cell];
        // Bortfall is no small cell (ADR 5).
        if strict::is_missing(&cell.column) {
            continue;
        }
        let key = (cell.table.clone(), cell.column.clone(), cell.row.clone());
        let after = Possible::of(&finding.outcome, asked.min_count);
        let Some(column) = columns.get(&(cell.table.clone(), cell.column.clone())) else { continue };
        let is_exposed = if cell.row == asked.realm {
            let parts: Option<Vec<&Possible>> = column.withheld.iter().map(|key| before.get(key)).collect();
            let parts = parts.unwrap_or_default();
            let was_known = !parts.is_empty() && parts.iter().all(|part| part.is_known);
            (after.is_known && !was_known) || after.rules_out(&column.sums(&parts, asked.min_count))
        } else {
            let unsettled = |before: &Possible| before.is_open && after.is_open && column.is_shown;
            before.get(&key).is_none_or(|before| after.tells_more_than(before) || unsettled(before))
        };
        if is_exposed {
            exposed.push(Exposed { file: key.0, column: key.1, area: key.2 });
        }
    }
    if exposed.is_empty() {
        Ok(CountyRelease { files: asked.tables.to_vec(), withheld: found.findings.len() })
    } else {
        Err(Refused::Exposed(exposed))
    }
}

fn read(files: &[File]) -> Result<Publication, PublishedError> {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    // Small differences between files are the counties' own findings and were theirs to mend.
    let options = StrictOptions { min_count: 0, ..StrictOptions::default() };
    strict::read(&files, &options)
}

fn run(asked: &Asked<'_>, publication: &Publication) -> Attack {
    let question =
        attack::Asked { budget: asked.budget, min_count: asked.min_count, ..attack::Asked::default() };
    attack(publication, question, &|| false)
}

type Key = (String, String, String);

fn outcomes(asked: &Asked<'_>, files: &[File]) -> Result<HashMap<Key, Possible>, PublishedError> {
    let publication = read(files)?;
    let found = run(asked, &publication);
    let outcome = |finding: &attack::Finding| {
        let cell = &publication.cells[finding.cell];
        let key = (cell.table.clone(), cell.column.clone(), cell.row.clone());
        (key, Possible::of(&finding.outcome, asked.min_count))
    };
    Ok(found.findings.iter().map(outcome).collect())
}

/// What is possible of a withheld figure under the threshold.
struct Possible {
    /// One value only.
    is_known: bool,
    /// Values of `1..min_count` that can be; all when it was not settled.
    small: Vec<u64>,
    /// Not settled within the budget.
    is_open: bool,
}

impl Possible {
    fn of(outcome: &Outcome, min_count: u64) -> Self {
        let (lower, upper, holes, is_open) = match outcome {
            Outcome::Interval { lower, upper, holes } | Outcome::Shown { lower, upper, holes } => {
                (*lower, *upper, holes.as_slice(), false)
            }
            Outcome::NotCertified { lower, upper } => (*lower, *upper, &[][..], true),
            Outcome::Contradiction => (1, None, &[][..], true),
        };
        let can = |value: &u64| {
            *value >= lower && upper.is_none_or(|upper| *value <= upper) && !holes.contains(value)
        };
        let small = (1..min_count).filter(can).collect();
        Self { is_known: outcome.recovered().is_some(), small, is_open }
    }

    /// Where no value under the threshold is left the figure is not small, and nothing small is told.
    fn tells_more_than(&self, before: &Self) -> bool {
        let ruled_out =
            !self.small.is_empty() && before.small.iter().any(|value| !self.small.contains(value));
        (self.is_known && !before.is_known) || ruled_out || (self.is_open && !before.is_open)
    }

    /// Of a sum that may be small: whether it cannot have one of these values.
    fn rules_out(&self, values: &BTreeSet<u64>) -> bool {
        !self.small.is_empty() && values.iter().any(|value| !self.small.contains(value))
    }
}

/// What is printed in one column of a file.
#[derive(Default)]
struct Column {
    /// Whether the realm's figure is shown.
    is_shown: bool,
    /// What counties show, together.
    shown: u64,
    /// The places of those that withhold theirs.
    withheld: Vec<Key>,
}

impl Column {
    /// The values under the threshold that the withheld parts can add up to with what is shown, each for itself.
    fn sums(&self, parts: &[&Possible], min_count: u64) -> BTreeSet<u64> {
        let start: BTreeSet<u64> = Some(self.shown).filter(|shown| *shown < min_count).into_iter().collect();
        let add = |sums: BTreeSet<u64>, part: &&Possible| {
            let all = sums.iter().flat_map(|sum| part.small.iter().map(move |value| sum + value));
            all.filter(|sum| *sum < min_count).collect()
        };
        parts.iter().fold(start, add)
    }
}

/// Columns by file and heading.
fn columns(publication: &Publication, realm: &str) -> HashMap<(String, String), Column> {
    let mut columns = HashMap::<_, Column>::new();
    for cell in &publication.cells {
        let column = columns.entry((cell.table.clone(), cell.column.clone())).or_default();
        if cell.row == realm {
            column.is_shown = cell.withheld().is_none();
        } else if cell.withheld().is_some() {
            column.withheld.push((cell.table.clone(), cell.column.clone(), cell.row.clone()));
        } else {
            column.shown = column.shown.saturating_add(cell.shown().unwrap_or_default());
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three counties and the realm, one dimension.
    fn files(rows: &[(&str, [&str; 3])], realm: bool) -> Vec<File> {
        let mut text = String::from("omrade,kon,tid,matt,varde,status\n");
        for (area, values) in rows.iter().filter(|(area, _)| realm || *area != "00") {
            for (code, value) in ["kvinna", "man", "TOT"].iter().zip(values) {
                let (value, status) = if *value == "x" { ("", "x") } else { (*value, "") };
                text.push_str(&format!("{area},{code},2024,aktualiseringar,{value},{status}\n"));
            }
        }
        vec![("csv/T1.csv".into(), text.into_bytes())]
    }

    fn verdict(rows: &[(&str, [&str; 3])]) -> Result<CountyRelease, Refused> {
        certify(&Asked {
            tables: &files(rows, true),
            counties: &files(rows, false),
            realm: "00",
            min_count: 4,
            budget: Budget::default(),
        })
    }

    #[test]
    fn a_national_total_beside_one_withheld_county_is_found() {
        let rows = [
            ("01", ["x", "x", "40"]),
            ("03", ["20", "30", "50"]),
            ("04", ["10", "11", "21"]),
            ("00", ["32", "79", "111"]),
        ];
        let Err(Refused::Exposed(found)) = verdict(&rows) else { panic!("it was released") };
        let places: Vec<(&str, &str)> =
            found.iter().map(|exposed| (exposed.area.as_str(), exposed.column.as_str())).collect();
        assert_eq!(places, [("01", "kon=kvinna 2024"), ("01", "kon=man 2024")]);
    }

    #[test]
    fn three_counties_that_withhold_the_same_hide_each_other() {
        let rows = [
            ("01", ["x", "x", "40"]),
            ("03", ["x", "x", "50"]),
            ("04", ["x", "x", "21"]),
            ("00", ["32", "79", "111"]),
        ];
        verdict(&rows).unwrap();
    }

    #[test]
    fn a_national_total_that_leaves_small_counties_one_value_is_found() {
        let rows = [
            ("01", ["x", "x", "40"]),
            ("03", ["x", "x", "50"]),
            ("04", ["x", "x", "21"]),
            ("00", ["3", "108", "111"]),
        ];
        assert!(matches!(verdict(&rows), Err(Refused::Exposed(found)) if found.len() == 6));
    }

    #[test]
    fn what_a_county_gave_away_itself_is_not_the_national_tables_finding() {
        let rows = [
            ("01", ["x", "30", "40"]),
            ("03", ["20", "30", "50"]),
            ("04", ["10", "11", "21"]),
            ("00", ["x", "71", "111"]),
        ];
        // 01's own rows give its figure and with it the realm's: withholding more here would hide nothing
        verdict(&rows).unwrap();
    }

    #[test]
    fn sums_that_do_not_add_up_are_a_contradiction() {
        let rows = [("01", ["1", "39", "40"]), ("03", ["20", "30", "50"]), ("00", ["22", "69", "91"])];
        assert!(matches!(verdict(&rows), Err(Refused::Contradiction(_))));
    }

    #[test]
    fn a_withheld_sum_may_have_every_small_value_that_its_parts_can_make() {
        let possible = |small: &[u64]| Possible { is_known: false, small: small.to_vec(), is_open: false };
        let column = |shown: u64| Column { shown, ..Column::default() };
        let any = possible(&[1, 2, 3]);
        assert_eq!(column(0).sums(&[&any], 4), [1, 2, 3].into());
        assert_eq!(column(0).sums(&[&any, &any], 4), [2, 3].into(), "two parts are two at least");
        assert_eq!(
            column(0).sums(&[&any, &possible(&[2, 3])], 4),
            [3].into(),
            "a county's own rows rule out its 1"
        );
        assert!(
            column(0).sums(&[&any, &possible(&[])], 4).is_empty(),
            "a part that is not small for certain"
        );
        assert!(column(5).sums(&[&any], 4).is_empty());
        assert!(!possible(&[2, 3]).rules_out(&[2, 3].into()));
        assert!(possible(&[2, 3]).rules_out(&[1, 2, 3].into()), "1 was ruled out by something else");
        assert!(possible(&[2]).rules_out(&[2, 3].into()), "an upper end under the threshold");
        assert!(!possible(&[]).rules_out(&[1, 2, 3].into()), "not small for certain");
    }

    /// What the realm's figure cannot be follows from one county's own rows: nothing the national body could withhold.
    #[test]
    fn a_sum_that_counties_own_rows_narrow_is_not_the_national_tables_finding() {
        let rows = [
            ("01", ["x", "x", "5"]),
            ("03", ["x", "x", "2"]),
            ("04", ["0", "0", "0"]),
            ("00", ["x", "x", "7"]),
        ];
        // 03 has 1 and 1: whoever reads it alone knows, and that each sum of two is two at least
        verdict(&rows).unwrap();
    }

    #[test]
    fn what_was_not_settled_before_and_after_is_found_while_the_national_figure_is_shown() {
        let rows = [
            ("01", ["x", "x", "40"]),
            ("03", ["x", "x", "50"]),
            ("04", ["x", "x", "21"]),
            ("00", ["32", "79", "111"]),
        ];
        let asked = |rows: &[(&str, [&str; 3])]| {
            certify(&Asked {
                tables: &files(rows, true),
                counties: &files(rows, false),
                realm: "00",
                min_count: 4,
                budget: Budget {
                    propagation: 0,
                    branches: 0,
                    last_branches: 0,
                    questions: 0,
                    ..Budget::default()
                },
            })
        };
        assert!(
            matches!(asked(&rows), Err(Refused::Exposed(found)) if found.iter().all(|exposed| exposed.area != "00"))
        );
    }
}
