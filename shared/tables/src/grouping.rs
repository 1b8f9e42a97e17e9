//! The list of kommungrupper: which group each kommun lies in, read from an operator's file.
//!
//! A file `kommunkod,kommungrupp` (or with `;`), one row a kommun, in any order. Every kommun that is expected stands in it
//! once and no other does; there are [`FEWEST`] to [`MOST`] groups, whatever they are called. The whole list stands in each
//! county's collection (`[nationell.grupper]`, ADR 23), so that every kommun approves it and every party can judge by it.
//!
//! Does not know which kommuner there are: whoever reads a file says so.

use std::collections::{BTreeMap, BTreeSet};

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::unit::{GroupCode, KommunKod, LansKod};

/// Fewest groups of a list.
pub const FEWEST: usize = 2;
/// Most groups of a list: what sums over groups tell is judged over all sets of them.
pub const MOST: usize = 12;
/// Longest file in bytes.
const MAX_BYTES: usize = 1 << 20;
const COLUMNS: [&str; 2] = ["kommunkod", "kommungrupp"];

/// Which group each kommun lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping(BTreeMap<GroupCode, BTreeSet<KommunKod>>);

/// A list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupingError {
    /// A row that breaks the form.
    #[error("{file}, row {row}: expected {expected}")]
    Row {
        /// The file.
        file: String,
        /// Its row; the header is row 1.
        row: u64,
        /// What was expected.
        expected: String,
    },
    /// A list that as a whole is none.
    #[error("{file}: {problem}")]
    Whole {
        /// The file, or the key of a document.
        file: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

impl Grouping {
    /// Reads an operator's file that names each kommun of `expected` once.
    ///
    /// # Errors
    /// [`GroupingError`] names file and row, and what was expected.
    pub fn read(file: &str, bytes: &[u8], expected: &BTreeSet<KommunKod>) -> Result<Self, GroupingError> {
        Self::of_rows(file, bytes, Some(expected))
    }

    /// Reads a list that lies beside a publication: of the kommuner that stand in it.
    ///
    /// # Errors
    /// As [`Grouping::read`], whatever kommuner there are.
    pub fn beside(file: &str, bytes: &[u8]) -> Result<Self, GroupingError> {
        Self::of_rows(file, bytes, None)
    }

    fn of_rows(
        file: &str,
        bytes: &[u8],
        expected: Option<&BTreeSet<KommunKod>>,
    ) -> Result<Self, GroupingError> {
        let whole = |problem: &str| GroupingError::Whole { file: file.into(), problem: problem.into() };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.len() > MAX_BYTES {
            return Err(whole("expected a list of kommuner of at most 1 MiB"));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| whole("expected UTF-8 text; save the file as such"))?;
        // The reader skips empty rows, and its row numbers with them.
        if let Some(at) = text.lines().position(|line| line.trim().is_empty()) {
            let (row, expected) = (at as u64 + 1, "no empty row".into());
            return Err(GroupingError::Row { file: file.into(), row, expected });
        }
        let header = text.lines().next().unwrap_or_default();
        let delimiter = if header.contains(';') { b';' } else { b',' };
        let mut reader = ReaderBuilder::new();
        reader.has_headers(false).flexible(true).trim(Trim::All).delimiter(delimiter);
        let mut groups = BTreeMap::<GroupCode, BTreeSet<KommunKod>>::new();
        let mut rows = BTreeMap::<KommunKod, u64>::new();
        for (at, record) in reader.from_reader(text.as_bytes()).records().enumerate() {
            let refuse = |row, expected: String| GroupingError::Row { file: file.into(), row, expected };
            let record = record.map_err(|_| refuse(at as u64 + 1, "a row of two fields".into()))?;
            let row = record.position().map_or(at as u64 + 1, csv::Position::line);
            if at == 0 {
                if record.iter().ne(COLUMNS) {
                    return Err(refuse(row, format!("the columns {},{}", COLUMNS[0], COLUMNS[1])));
                }
                continue;
            }
            let (kommun, group) = fields(&record).map_err(|expected| refuse(row, expected))?;
            if expected.is_some_and(|expected| !expected.contains(&kommun)) {
                let what = format!("a kommun of the list of kommuner, which {kommun} is not");
                return Err(refuse(row, what));
            }
            if let Some(first) = rows.insert(kommun, row) {
                let what = format!("each kommun once; {kommun} stands in row {first} already");
                return Err(refuse(row, what));
            }
            groups.entry(group).or_default().insert(kommun);
        }
        let missing = expected.into_iter().flatten().filter(|kommun| !rows.contains_key(kommun));
        let missing: Vec<String> = missing.map(ToString::to_string).collect();
        if !missing.is_empty() {
            let some = missing.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let problem = format!("expected every kommun once; {} are missing: {some}", missing.len());
            return Err(GroupingError::Whole { file: file.into(), problem });
        }
        Self::new(file, groups)
    }

    /// A list from its groups; `place` names where they stand.
    ///
    /// # Errors
    /// [`GroupingError::Whole`]: too few or too many groups, an empty one, a kommun in two.
    pub fn new(place: &str, groups: BTreeMap<GroupCode, BTreeSet<KommunKod>>) -> Result<Self, GroupingError> {
        let whole = |problem| Err(GroupingError::Whole { file: place.into(), problem });
        if !(FEWEST..=MOST).contains(&groups.len()) {
            return whole(format!("{} groups; expected {FEWEST} to {MOST}", groups.len()));
        }
        let mut seen = BTreeSet::new();
        for (group, kommuner) in &groups {
            if kommuner.is_empty() {
                return whole(format!("group {group} has no kommun; leave it out"));
            }
            if let Some(twice) = kommuner.iter().find(|kommun| !seen.insert(**kommun)) {
                return whole(format!("{twice} lies in two groups; expected one"));
            }
        }
        Ok(Self(groups))
    }

    /// The groups with their kommuner, ascending.
    pub fn groups(&self) -> &BTreeMap<GroupCode, BTreeSet<KommunKod>> {
        &self.0
    }

    /// The codes of the groups, ascending.
    pub fn codes(&self) -> Vec<GroupCode> {
        self.0.keys().cloned().collect()
    }

    /// The group of a kommun.
    pub fn group_of(&self, kommun: KommunKod) -> Option<&GroupCode> {
        self.0.iter().find_map(|(code, kommuner)| kommuner.contains(&kommun).then_some(code))
    }

    /// The groups that have a kommun in a county.
    pub fn in_county(&self, county: LansKod) -> BTreeSet<GroupCode> {
        let is_there =
            |kommuner: &BTreeSet<KommunKod>| kommuner.iter().any(|kommun| kommun.county() == county);
        self.0.iter().filter(|(_, kommuner)| is_there(kommuner)).map(|(code, _)| code.clone()).collect()
    }

    /// The counties that each group has a kommun in.
    pub fn counties(&self) -> BTreeMap<GroupCode, BTreeSet<LansKod>> {
        let of = |kommuner: &BTreeSet<KommunKod>| kommuner.iter().map(|kommun| kommun.county()).collect();
        self.0.iter().map(|(code, kommuner)| (code.clone(), of(kommuner))).collect()
    }

    /// The list as a file, by kommun: equal lists have equal bytes (SAME-1). It lies beside a publication.
    pub fn to_csv(&self) -> String {
        let mut rows = BTreeMap::new();
        for (group, kommuner) in &self.0 {
            rows.extend(kommuner.iter().map(|kommun| (*kommun, group)));
        }
        let row = |(kommun, group): (&KommunKod, &&GroupCode)| format!("{kommun},{group}\n");
        format!("{},{}\n{}", COLUMNS[0], COLUMNS[1], rows.iter().map(row).collect::<String>())
    }

    /// The section of a collection document that states the list.
    pub fn to_toml(&self) -> String {
        let line = |(group, kommuner): (&GroupCode, &BTreeSet<KommunKod>)| {
            let codes: Vec<String> = kommuner.iter().map(|kommun| format!("\"{kommun}\"")).collect();
            format!("{group} = [{}]\n", codes.join(", "))
        };
        format!("[nationell.grupper]\n{}", self.0.iter().map(line).collect::<String>())
    }
}

fn fields(record: &StringRecord) -> Result<(KommunKod, GroupCode), String> {
    let mut fields = record.iter();
    let (Some(kommun), Some(group), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(format!("{} and {}, nothing else", COLUMNS[0], COLUMNS[1]));
    };
    let kommun = kommun.parse().map_err(|_| "a kommunkod (four digits) first".to_owned())?;
    let group = group.parse().map_err(|_| "a group code (1 to 8 letters and digits) second".to_owned())?;
    Ok((kommun, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> BTreeSet<KommunKod> {
        ["2180", "2104", "0180"].iter().map(|code| code.parse().unwrap()).collect()
    }

    fn read(text: &str) -> Result<Grouping, String> {
        Grouping::read("grupper.csv", text.as_bytes(), &expected()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_in_any_order_with_comma_or_semicolon_gives_the_same_bytes() {
        let one = read("kommunkod,kommungrupp\n2180,B3\n0180,A1\n2104,B3\n").unwrap();
        let other = read("\u{feff}kommunkod;kommungrupp\r\n0180; A1\r\n2104;B3\r\n2180;B3\r\n").unwrap();
        assert_eq!(one, other);
        assert_eq!(one.to_csv(), "kommunkod,kommungrupp\n0180,A1\n2104,B3\n2180,B3\n");
        assert_eq!(read(&one.to_csv()).unwrap(), one);
        assert_eq!(Grouping::beside("kommungrupper.csv", one.to_csv().as_bytes()).unwrap(), one);
        assert_eq!(one.counties()[&"A1".parse().unwrap()], BTreeSet::from(["01".parse().unwrap()]));
        assert_eq!(one.group_of("2180".parse().unwrap()).unwrap().to_string(), "B3");
        assert_eq!(one.in_county("21".parse().unwrap()).len(), 1);
        assert_eq!(one.to_toml(), "[nationell.grupper]\nA1 = [\"0180\"]\nB3 = [\"2104\", \"2180\"]\n");
    }

    #[test]
    fn what_is_wrong_is_named_by_file_and_row_with_what_was_expected() {
        let head = "kommunkod,kommungrupp\n";
        for (text, parts) in [
            ("kommun,grupp\n", ["grupper.csv, row 1", "kommunkod,kommungrupp"]),
            ("kommunkod,kommungrupp\n218,B3\n", ["row 2", "four digits"]),
            ("kommunkod,kommungrupp\n2180,\n", ["row 2", "group code"]),
            ("kommunkod,kommungrupp\n2180,B3,x\n", ["row 2", "nothing else"]),
            ("kommunkod,kommungrupp\n9999,B3\n", ["row 2", "9999 is not"]),
            ("kommunkod,kommungrupp\n2180,B3\n2180,A1\n", ["row 3", "2180 stands in row 2"]),
            ("kommunkod,kommungrupp\n2180,B3\n\n2104,A1\n", ["row 3", "no empty row"]),
            ("kommunkod,kommungrupp\n2180,B3\n", ["2 are missing", "0180, 2104"]),
            ("kommunkod,kommungrupp\n2180,B\n2104,B\n0180,B\n", ["1 groups", "2 to 12"]),
        ] {
            assert!(text.starts_with(head) || text.starts_with("kommun,"));
            let error = read(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        assert!(Grouping::read("x", &[0xff], &expected()).unwrap_err().to_string().contains("UTF-8"));
    }
}
