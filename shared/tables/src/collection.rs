//! A collection (*insamling*): the one document that says what is counted, by whom and until when.
//!
//! A collection is TOML with Swedish keys, written by the regional FoU unit. It is data: nodes run no code they are
//! sent. Parsing checks everything that can be wrong in it against the codebook, so that later stages need not.
//! Its identity is the SHA-256 of its bytes; an approval names that hash.
//!
//! Does not check signatures (`sharing`), nor whether an operator approved it (`round`).

mod corrects;
mod document;
mod several;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::codebook::{CodeIndex, Codebook, Resolved, TOT, VariableIndex};
use crate::count::MinCount;
use crate::grouping::Grouping;
use crate::period::Period;
use crate::unit::{GroupCode, KommunKod, LansKod, Unit};
pub use corrects::Corrects;
use document::RawCollection;

/// Most tables of one collection.
pub const MAX_TABLES: usize = 100;
/// Most dimensions of one table, time not counted.
pub const MAX_DIMENSIONS: usize = 6;
/// Most units invited to one collection.
pub const MAX_UNITS: usize = 1_000;
/// Longest collection document in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The least minimum roster: with fewer kommuner a county total says too much about each.
pub const LEAST_ROSTER: u32 = 5;
/// The fewest counties of a national round, and that a sum opened there hides.
pub const LEAST_COUNTIES: u32 = 3;

/// A collection document that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// Too long to be one.
    #[error("collection: {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not TOML, a key that does not exist, or a value of the wrong kind.
    #[error("collection: {0}")]
    Form(#[from] toml::de::Error),
    /// TOML of the right form that breaks a rule.
    #[error("collection, {place}: {problem}")]
    Rule {
        /// Table and key.
        place: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

fn rule<T>(place: impl Into<String>, problem: impl Into<String>) -> Result<T, CollectionError> {
    Err(CollectionError::Rule { place: place.into(), problem: problem.into() })
}

/// Where a table is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Per unit, and as a total over units.
    Kommun,
    /// Only the total over units.
    Total,
}

/// What a table counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Events: rows.
    Aktualiseringar,
}

/// How a table counts a record whose field lists several codes of a variable (several reasons of one event).
///
/// By the first two each record is counted once, so that a table adds up to its events (ADR 18); by the third it does not (ADR 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Several {
    /// Under the first code of the field.
    First,
    /// Under a category of its own, [`crate::codebook::SEVERAL`]; the others hold records with one code.
    Combination,
    /// Under each of its codes, once under each category: the total is the number of records and less than the sum.
    Each,
}

/// Percentages of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percent {
    /// `procent_rad` or `procent_kolumn`.
    #[serde(rename = "matt")]
    pub measure: PercentMeasure,
    /// The dimensions that the base totals.
    #[serde(rename = "over")]
    pub over: Vec<String>,
}

/// The two percentages of the strict form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PercentMeasure {
    /// Share of the row.
    #[serde(rename = "procent_rad")]
    Row,
    /// Share of the column.
    #[serde(rename = "procent_kolumn")]
    Column,
}

impl PercentMeasure {
    /// The word of the `matt` column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Row => "procent_rad",
            Self::Column => "procent_kolumn",
        }
    }
}

/// Changes of a table: from earlier periods to one period, in percent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The later period.
    #[serde(rename = "till")]
    pub to: Period,
    /// The earlier ones.
    #[serde(rename = "fran")]
    pub from: Vec<Period>,
}

/// A table, resolved against the codebook.
#[derive(Debug, Clone)]
pub struct Table {
    /// `T01`.
    pub id: String,
    /// Swedish title.
    pub title: String,
    /// What is counted.
    pub measure: Measure,
    /// Where it is published.
    pub scope: Scope,
    /// Dimensions in order; categories outside the filter are gone.
    pub dimensions: Vec<Resolved>,
    /// The rules that the document states of dimensions whose fields may list several codes; [`Several::First`] where none.
    pub several: BTreeMap<VariableIndex, Several>,
    /// Codes a record must have to be in the table at all.
    pub filter: BTreeMap<VariableIndex, BTreeSet<CodeIndex>>,
    /// Variables that must be known besides dimensions; records that lack one are the table's bortfall.
    pub known: BTreeSet<VariableIndex>,
    /// Which combinations of dimensions are totalled: bit `i` set means dimension `i` is `TOT`. Always holds 0.
    pub margins: BTreeSet<u32>,
    /// Periods shown.
    pub periods: Vec<Period>,
    /// Percentages, if any.
    pub percent: Option<Percent>,
    /// Bit mask of the dimensions the percentage's base totals.
    pub percent_over: u32,
    /// Changes, if any.
    pub change: Option<Change>,
    /// Swedish footnotes.
    pub footnotes: Vec<String>,
    /// Whether an extension adds it to what was published before.
    pub is_new: bool,
}

impl Table {
    /// The place among the dimensions of the variable whose every code is counted, if there is one. There is at most one.
    pub fn each(&self) -> Option<usize> {
        let is_each = |dimension: &Resolved| self.several.get(&dimension.variable) == Some(&Several::Each);
        self.dimensions.iter().position(is_each)
    }

    /// The constant columns of the strict form: filter variables that are no dimension, with their code or `TOT`.
    pub fn constant_columns(&self, codebook: &Codebook) -> Vec<(String, String)> {
        let is_dimension = |variable| self.dimensions.iter().any(|dimension| dimension.variable == variable);
        let constant = |(variable, codes): (&VariableIndex, &BTreeSet<CodeIndex>)| {
            let variable = &codebook.variables[*variable];
            let code = match codes.first() {
                Some(code) if codes.len() == 1 => variable.codes[usize::from(*code)].code.clone(),
                _ => TOT.into(),
            };
            (variable.id.clone(), code)
        };
        self.filter.iter().filter(|(variable, _)| !is_dimension(**variable)).map(constant).collect()
    }
}

/// What a collection says of the national round that its county's sums go to. It stands in the document that every
/// kommun approves: nobody's figures travel further than was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct National {
    /// The counties invited, the own one among them.
    pub counties: BTreeSet<LansKod>,
    /// Fewest counties of a national total.
    pub least_counties: usize,
    /// Hours the national body waits for counties, and again for what they deliver.
    pub hours: u32,
    /// Who answers questions about the national tables.
    pub contact: String,
    /// Id of the third coordinator's HPKE key, to which counties seal their sums. It stands in what every kommun approves, so
    /// that the national body, which certifies everybody, cannot name itself.
    pub third_key: [u8; 32],
    /// The county has one kommun, which chooses itself what is shown of its figures (ADR 21). Differs between counties.
    pub alone: bool,
    /// Sums over kommungrupper, if there are any (ADR 23).
    pub groups: Option<NationalGroups>,
}

/// Sums over kommungrupper in a national round: the country's list, and the table that has rows for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NationalGroups {
    /// Which group each kommun of the country lies in.
    pub grouping: Grouping,
    /// The place of the one table that has rows of groups: that what they tell of counties can be settled exactly.
    pub table: usize,
}

/// A checked collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// ASCII id, also the name of the publication's folder.
    pub id: String,
    /// Version, from 1.
    pub version: u32,
    /// Swedish title.
    pub title: String,
    /// The county whose FoU unit runs it.
    pub county: LansKod,
    /// Publish from this count.
    pub min_count: MinCount,
    /// Units invited, ascending.
    pub units: Vec<Unit>,
    /// Groups of kommuner that aggregates are kept for; a kommun lies in at most one. In a national round with a list of
    /// kommungrupper those of the list, as far as they are invited.
    pub groups: BTreeMap<GroupCode, BTreeSet<KommunKod>>,
    /// Fewest kommuner of a roster.
    pub least_kommuner: u32,
    /// Least share of the invited kommuner in a roster, percent.
    pub least_percent: u8,
    /// Hours from announcement to the end of phase 2.
    pub declare_hours: u32,
    /// Hours from the pattern to the end of phase 4.
    pub submit_hours: u32,
    /// Who answers questions.
    pub contact: String,
    /// Source line of the publication.
    pub source: String,
    /// Swedish notes on the whole.
    pub footnotes: Vec<String>,
    /// `id/version` of the codebook.
    pub codebook: String,
    /// The national round the county takes part in, if any.
    pub national: Option<National>,
    /// What this one is the second version of, if it is one.
    pub corrects: Option<Corrects>,
    /// The tables.
    pub tables: Vec<Table>,
    /// SHA-256 of the document's bytes.
    pub hash: [u8; 32],
}

impl Collection {
    /// Reads and checks a collection document.
    ///
    /// # Errors
    /// [`CollectionError`] names table and key, and what was expected.
    pub fn from_toml(text: &str, codebook: &Codebook) -> Result<Self, CollectionError> {
        if text.len() > MAX_BYTES {
            return Err(CollectionError::TooLong(text.len()));
        }
        let raw: RawCollection = toml::from_str(text)?;
        let hash = Sha256::digest(text.as_bytes()).into();
        raw.check(codebook, hash)
    }

    /// The codebook that a collection document asks for, of the built-in ones.
    ///
    /// # Errors
    /// [`CollectionError`] when it is no document, or asks for another.
    pub fn codebook_of(text: &str) -> Result<Codebook, CollectionError> {
        #[derive(Deserialize)]
        struct Head {
            kodbok: String,
        }
        if text.len() > MAX_BYTES {
            return Err(CollectionError::TooLong(text.len()));
        }
        let head: Head = toml::from_str(text)?;
        let found = Codebook::built_in(&head.kodbok).ok().flatten();
        found.map_or_else(|| rule("kodbok", "expected vuxna/1 or barn/1"), Ok)
    }

    /// How many kommuner (not units) are invited.
    pub fn kommuner(&self) -> usize {
        self.units.iter().map(Unit::kommun).collect::<BTreeSet<_>>().len()
    }

    /// First and last day that any table counts.
    pub fn days(&self) -> Option<(Date, Date)> {
        let periods = || self.tables.iter().flat_map(|table| &table.periods);
        Some((periods().map(|period| period.first()).min()?, periods().map(|period| period.last()).max()?))
    }

    /// Whether two collections count records of a common day. What one shows of them can be subtracted from what the other
    /// shows, whatever their tables are called.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.days(), other.days()) {
            (Some(one), Some(two)) => one.0 <= two.1 && two.0 <= one.1,
            _ => false,
        }
    }

    /// The group of a kommun, if the collection has groups.
    pub fn group_of(&self, kommun: KommunKod) -> Option<&GroupCode> {
        self.groups.iter().find_map(|(code, kommuner)| kommuner.contains(&kommun).then_some(code))
    }

    /// Whether the county has one kommun, and so takes part in the national round only (ADR 21): no sum of its own is ever
    /// opened, and its county rows are what the kommun itself chose to show.
    pub fn is_alone(&self) -> bool {
        self.national.as_ref().is_some_and(|national| national.alone)
    }

    /// The fewest kommuner a roster may have: the number, or the share of those invited, whichever is more.
    pub fn minimum_roster(&self) -> usize {
        let share = (self.kommuner() * usize::from(self.least_percent)).div_ceil(100);
        share.max(self.least_kommuner as usize)
    }
}
