//! The codebook: which variables a record has, which codes they take, and which codes form groups.
//!
//! A codebook is a versioned TOML document shared by every party of a collection; a kommun's own labels are
//! taken to it by the `harmonise` crate. It holds no figures and nothing about a person.
//!
//! Invariants of a [`Codebook`] (checked by [`Codebook::from_toml`]): variable ids and the codes of a variable are
//! unique, ASCII, and never `TOT`; at most [`MAX_CODES`] codes a variable, and [`MAX_LISTED_CODES`] where a field may list
//! several; a level partitions a subset of its
//! variable's codes; age intervals of one variable do not overlap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;

/// Most codes one variable can have.
pub const MAX_CODES: usize = 1_000;
/// Most codes of a variable whose fields may list several: what a field lists is kept as a set of bits.
pub const MAX_LISTED_CODES: usize = u64::BITS as usize;
/// Most variables of a codebook.
pub const MAX_VARIABLES: usize = 64;
/// The code of a margin; no variable may use it.
pub const TOT: &str = "TOT";

/// A codebook that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CodebookError {
    /// Not TOML, or a key that does not exist, or a value of the wrong kind.
    #[error("codebook: {0}")]
    Form(#[from] toml::de::Error),
    /// TOML of the right form that breaks a rule.
    #[error("codebook {codebook}, {place}: {problem}")]
    Rule {
        /// Which codebook.
        codebook: String,
        /// Variable and code.
        place: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// The index of a variable in its codebook.
pub type VariableIndex = usize;
/// The index of a code in its variable.
pub type CodeIndex = u16;

/// What a record says of one variable: its code, or those that its field lists, of which the first is known.
///
/// Of the further codes only the set is kept, a bit each: no rule of counting ([`crate::collection::Several`]) needs their order,
/// a field takes the same few bytes whatever it lists, and a code that stands twice is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Given {
    /// The code, or the first one.
    pub code: CodeIndex,
    /// Whether other codes follow.
    several: bool,
    /// The other codes, a bit each.
    further: u64,
}

impl From<CodeIndex> for Given {
    /// One code and no other.
    fn from(code: CodeIndex) -> Self {
        Self { code, several: false, further: 0 }
    }
}

impl Given {
    /// The codes of a field in their order; `None` when there is none, or one of several is over [`MAX_LISTED_CODES`], which
    /// no variable has that a codebook lets list codes.
    pub fn listed(codes: impl IntoIterator<Item = CodeIndex>) -> Option<Self> {
        let mut codes = codes.into_iter();
        let mut given = Self::from(codes.next()?);
        for code in codes.filter(|code| *code != given.code) {
            given.further |= 1u64.checked_shl(u32::from(code))?;
        }
        given.several = given.further != 0;
        let fits = !given.several || usize::from(given.code) < MAX_LISTED_CODES;
        fits.then_some(given)
    }

    /// Whether the field lists other codes than the first.
    pub fn several(self) -> bool {
        self.several
    }

    /// The codes after the first, as a set of bits by their index.
    pub fn further(self) -> u64 {
        self.further
    }

    /// Whether the code is among those listed.
    pub fn lists(self, code: CodeIndex) -> bool {
        self.code == code || 1u64.checked_shl(u32::from(code)).is_some_and(|bit| self.further & bit != 0)
    }
}

/// Which records a condition on one variable lets through. A record that says nothing of the variable is in none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Allowed {
    /// Codes that may stand alone.
    pub alone: BTreeSet<CodeIndex>,
    /// Codes that may be the first of several.
    pub first: BTreeSet<CodeIndex>,
}

impl Allowed {
    /// Records with one of these codes, alone or as the first.
    pub fn code_or_first(codes: BTreeSet<CodeIndex>) -> Self {
        Self { first: codes.clone(), alone: codes }
    }

    /// Whether a record is let through.
    pub fn holds(&self, given: Given) -> bool {
        if given.several() { self.first.contains(&given.code) } else { self.alone.contains(&given.code) }
    }

    /// Whether everything this lets through is let through by the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.alone.is_subset(&other.alone) && self.first.is_subset(&other.first)
    }

    /// What either lets through.
    pub fn join(&mut self, other: &Self) {
        self.alone.extend(&other.alone);
        self.first.extend(&other.first);
    }
}

/// The shown code of records whose field lists several codes, in tables that count by the combination.
pub const SEVERAL: &str = "flera";

/// One code of a variable.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The code as it stands in strict table files.
    #[serde(rename = "kod")]
    pub code: String,
    /// Swedish text.
    pub text: String,
    /// English text.
    #[serde(default)]
    pub text_en: String,
    /// Other spellings every kommun's labels are tried against.
    #[serde(default, rename = "synonymer")]
    pub synonyms: Vec<String>,
    /// Where the code and its meaning come from: a study, or `egen` where this project has set it.
    #[serde(default, rename = "kalla")]
    pub source: Option<String>,
    /// What it corresponds to in others' lists.
    #[serde(default, rename = "motsvarar")]
    pub corresponds: Vec<String>,
    /// First date the code may be used.
    #[serde(default, rename = "galler_fran")]
    pub valid_from: Option<Date>,
    /// Last date the code may be used.
    #[serde(default, rename = "galler_till")]
    pub valid_to: Option<Date>,
    /// For age variables: youngest age in whole years.
    #[serde(default, rename = "fran")]
    pub age_from: Option<u8>,
    /// For age variables: oldest age in whole years.
    #[serde(default, rename = "till")]
    pub age_to: Option<u8>,
}

/// Most spellings of one code, patterns written out.
pub const MAX_SPELLINGS: usize = 2_000;

impl Code {
    /// The text and every synonym, patterns written out: `[våld|misshandel] mot [barn|ungdom]` is four.
    pub fn spellings(&self) -> Vec<String> {
        let mut all = vec![self.text.clone()];
        self.synonyms.iter().for_each(|pattern| all.extend(written_out(pattern)));
        all
    }

    /// Whether the code may stand on a row of this date.
    pub fn valid_on(&self, date: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date <= to)
    }
}

/// A pattern's texts; brackets that do not close stand for themselves.
fn written_out(pattern: &str) -> Vec<String> {
    let Some((head, (choices, tail))) =
        pattern.split_once('[').and_then(|(head, rest)| Some((head, rest.split_once(']')?)))
    else {
        return vec![pattern.to_owned()];
    };
    let tails = written_out(tail);
    let one = |choice: &str| tails.iter().map(|tail| format!("{head}{choice}{tail}")).collect::<Vec<_>>();
    choices.split('|').flat_map(one).collect()
}

/// How many texts a pattern has, not written out.
fn size_of(pattern: &str) -> usize {
    let choices = pattern.split('[').skip(1).filter_map(|part| part.split_once(']'));
    choices.map(|(choices, _)| choices.split('|').count()).fold(1, usize::saturating_mul)
}

/// One group of a level: its code and the codes it holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Code of the group.
    #[serde(rename = "kod")]
    pub code: String,
    /// Swedish text.
    pub text: String,
    /// The finest codes inside.
    #[serde(rename = "delar")]
    pub parts: Vec<String>,
}

/// A coarser way to show a variable: ages as age groups, reasons as main groups.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The dimension id under which the level appears in tables.
    pub id: String,
    /// Swedish text.
    pub text: String,
    /// The groups, disjoint.
    #[serde(rename = "grupp")]
    pub groups: Vec<Group>,
}

fn yes() -> bool {
    true
}

/// A variable of the codebook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// ASCII id, also the column name in strict table files.
    pub id: String,
    /// Swedish text.
    pub text: String,
    /// English text.
    #[serde(default)]
    pub text_en: String,
    /// Where the variable comes from.
    #[serde(default, rename = "kalla")]
    pub source: Option<String>,
    /// Whether one field may hold several codes (several reasons of one event).
    #[serde(default = "yes", rename = "flera")]
    pub several: bool,
    /// What extracts usually call its column, besides id and text.
    #[serde(default, rename = "rubriker")]
    pub headers: Vec<String>,
    /// Words that say nothing about this variable: labels may hold them.
    #[serde(default, rename = "svaga")]
    pub weak: Vec<String>,
    /// Its codes.
    #[serde(rename = "kod")]
    pub codes: Vec<Code>,
    /// Its levels above the codes.
    #[serde(default, rename = "niva")]
    pub levels: Vec<Level>,
}

impl Variable {
    /// The index of a code.
    pub fn code_index(&self, code: &str) -> Option<CodeIndex> {
        let at = self.codes.iter().position(|known| known.code == code)?;
        CodeIndex::try_from(at).ok()
    }

    /// For an age variable: the code of an age in whole years.
    pub fn code_of_age(&self, age: u8) -> Option<CodeIndex> {
        let holds = |code: &Code| match (code.age_from, code.age_to) {
            (Some(from), Some(to)) => (from..=to).contains(&age),
            (Some(from), None) => from <= age,
            (None, Some(to)) => age <= to,
            (None, None) => false,
        };
        CodeIndex::try_from(self.codes.iter().position(holds)?).ok()
    }

    /// Whether the codes are intervals of ages.
    pub fn is_age(&self) -> bool {
        self.codes.iter().any(|code| code.age_from.is_some() || code.age_to.is_some())
    }
}

/// A checked codebook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codebook {
    /// Id, such as `vuxna`.
    pub id: String,
    /// Version, from 1.
    pub version: u32,
    /// The variables.
    #[serde(rename = "variabel")]
    pub variables: Vec<Variable>,
}

/// A dimension of a table resolved against the codebook: the shown codes and the finest codes inside each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The variable.
    pub variable: VariableIndex,
    /// Column name: the variable's or the level's id.
    pub id: String,
    /// Swedish text of the column.
    pub text: String,
    /// The shown codes with their texts and the finest codes each holds.
    pub categories: Vec<Category>,
}

/// One shown category of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Shown code.
    pub code: String,
    /// Swedish text.
    pub text: String,
    /// The records inside.
    pub allowed: Allowed,
}

impl Codebook {
    /// Reads and checks a codebook.
    ///
    /// # Errors
    /// [`CodebookError`] names the variable and code and what was expected.
    pub fn from_toml(text: &str) -> Result<Self, CodebookError> {
        let book: Self = toml::from_str(text)?;
        book.check()?;
        Ok(book)
    }

    /// Adults: the codes of the Gävleborg report's tables.
    ///
    /// # Errors
    /// Never in a released build: a test reads the built-in text.
    pub fn vuxna() -> Result<Self, CodebookError> {
        Self::from_toml(include_str!("../codebooks/vuxna-1.toml"))
    }

    /// Children and young people: the variables of NUSO's third study.
    ///
    /// # Errors
    /// Never in a released build: a test reads the built-in text.
    pub fn barn() -> Result<Self, CodebookError> {
        Self::from_toml(include_str!("../codebooks/barn-1.toml"))
    }

    /// A built-in codebook by its name, as collections give it.
    ///
    /// # Errors
    /// Never in a released build.
    pub fn built_in(name: &str) -> Result<Option<Self>, CodebookError> {
        let all = [Self::vuxna()?, Self::barn()?];
        Ok(all.into_iter().find(|book| book.name() == name))
    }

    /// `id/version`, as collections name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.id, self.version)
    }

    /// The index of a variable.
    pub fn variable_index(&self, id: &str) -> Option<VariableIndex> {
        self.variables.iter().position(|variable| variable.id == id)
    }

    /// A dimension by the id of a variable or of a level.
    pub fn resolve(&self, id: &str) -> Option<Resolved> {
        self.variables.iter().enumerate().find_map(|(index, variable)| {
            if variable.id == id {
                return Some(Self::finest(index, variable));
            }
            let level = variable.levels.iter().find(|level| level.id == id)?;
            Some(Self::grouped(index, variable, level))
        })
    }

    fn finest(index: VariableIndex, variable: &Variable) -> Resolved {
        let category = |(at, code): (usize, &Code)| Category {
            code: code.code.clone(),
            text: code.text.clone(),
            allowed: Allowed::code_or_first(BTreeSet::from([at as CodeIndex])),
        };
        let categories = variable.codes.iter().enumerate().map(category).collect();
        Resolved { variable: index, id: variable.id.clone(), text: variable.text.clone(), categories }
    }

    fn grouped(index: VariableIndex, variable: &Variable, level: &Level) -> Resolved {
        let category = |group: &Group| {
            let codes = group.parts.iter().filter_map(|part| variable.code_index(part)).collect();
            let (code, text) = (group.code.clone(), group.text.clone());
            Category { code, text, allowed: Allowed::code_or_first(codes) }
        };
        let categories = level.groups.iter().map(category).collect();
        Resolved { variable: index, id: level.id.clone(), text: level.text.clone(), categories }
    }

    fn check(&self) -> Result<(), CodebookError> {
        let fail = |place: &str, problem: String| {
            Err(CodebookError::Rule { codebook: self.name(), place: place.into(), problem })
        };
        if self.variables.len() > MAX_VARIABLES {
            return fail("variables", format!("at most {MAX_VARIABLES} are supported"));
        }
        let mut ids = BTreeSet::new();
        for variable in &self.variables {
            let levels = variable.levels.iter().map(|level| &level.id);
            for id in std::iter::once(&variable.id).chain(levels) {
                if !is_identifier(id) || RESERVED.contains(&id.as_str()) {
                    return fail(id, "ids are a–z, 0–9 and _, and no column of the strict form".into());
                }
                if !ids.insert(id) {
                    return fail(id, "the id is used twice".into());
                }
            }
            if let Err((place, problem)) = check_variable(variable) {
                return fail(&format!("{} {place}", variable.id), problem);
            }
        }
        Ok(())
    }
}

const RESERVED: [&str; 6] = ["omrade", "tid", "matt", "varde", "status", "konfidens"];

fn is_identifier(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_variable(variable: &Variable) -> Result<(), (String, String)> {
    if variable.codes.is_empty() || variable.codes.len() > MAX_CODES {
        return Err((String::new(), format!("a variable has 1 to {MAX_CODES} codes")));
    }
    if variable.several && variable.codes.len() > MAX_LISTED_CODES {
        let problem = format!(
            "{} codes; a variable whose fields may list several has at most {MAX_LISTED_CODES}: set flera = false, or join codes",
            variable.codes.len()
        );
        return Err((String::new(), problem));
    }
    let mut seen = BTreeSet::new();
    for code in &variable.codes {
        if !is_identifier(&code.code) {
            return Err((code.code.clone(), "codes are a–z, 0–9 and _ (TOT is the margin)".into()));
        }
        let spellings = code.synonyms.iter().map(|pattern| size_of(pattern)).fold(1, usize::saturating_add);
        if spellings > MAX_SPELLINGS {
            return Err((
                code.code.clone(),
                format!("at most {MAX_SPELLINGS} spellings, patterns written out"),
            ));
        }
        if !seen.insert(code.code.as_str()) {
            return Err((code.code.clone(), "the code is used twice".into()));
        }
    }
    for age in 0..=u8::MAX {
        let holds = |code: &&Code| {
            (code.age_from.is_some() || code.age_to.is_some())
                && code.age_from.unwrap_or(0) <= age
                && age <= code.age_to.unwrap_or(u8::MAX)
        };
        if variable.codes.iter().filter(holds).count() > 1 {
            return Err((String::new(), format!("age {age} lies in two codes")));
        }
    }
    variable.levels.iter().try_for_each(|level| check_level(variable, level))
}

fn check_level(variable: &Variable, level: &Level) -> Result<(), (String, String)> {
    let mut owner = BTreeMap::new();
    let mut groups = BTreeSet::new();
    for group in &level.groups {
        if !is_identifier(&group.code) || !groups.insert(&group.code) {
            return Err((group.code.clone(), "group codes are a–z, 0–9 and _, each once".into()));
        }
        for part in &group.parts {
            if variable.code_index(part).is_none() {
                return Err((group.code.clone(), format!("{part} is no code of the variable")));
            }
            if owner.insert(part, &group.code).is_some() {
                return Err((group.code.clone(), format!("{part} lies in two groups of the level")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codebook_for_adults_is_sound() {
        let book = Codebook::vuxna().unwrap();
        let groups = book.resolve("aldersgrupp").unwrap();
        let variable = &book.variables[groups.variable];
        assert_eq!(variable.code_of_age(24), variable.code_index("u24"));
        assert_eq!(variable.code_of_age(25), variable.code_index("o25"));
        assert_eq!(book.resolve("anmalare").unwrap().categories.len(), 14);
    }

    #[test]
    fn patterns_of_synonyms_are_written_out() {
        assert_eq!(written_out("a"), ["a"]);
        assert_eq!(written_out("[a|b] c [d|]"), ["a c d", "a c ", "b c d", "b c "]);
        assert_eq!(written_out("a [b"), ["a [b"]);
        assert_eq!((size_of("[a|b] c [d|]"), size_of("a [b")), (4, 1));
    }

    #[test]
    fn the_codebook_for_children_has_what_the_study_counts() {
        let book = Codebook::barn().unwrap();
        let size = |id: &str| book.resolve(id).unwrap().categories.len();
        assert_eq!((size("orsak"), size("atgard"), size("huvudatgard"), size("alder")), (22, 7, 3, 18));
        let groups = book.resolve("aldersgrupp").unwrap();
        let ends = [groups.categories.first(), groups.categories.last()].map(|one| one.unwrap().text.clone());
        assert_eq!(ends, ["0–2 år", "15–17 år"]);
        for level in ["aldersgrupp", "huvudorsak", "huvudatgard"] {
            let level = book.resolve(level).unwrap();
            let parts: usize = level.categories.iter().map(|category| category.allowed.alone.len()).sum();
            assert_eq!(parts, book.variables[level.variable].codes.len(), "every code lies in one group");
        }
        let marked = |variable: &Variable| variable.source.is_some();
        assert!(book.variables.iter().all(marked), "where each variable comes from is said");
        assert_eq!(Codebook::built_in("barn/1").unwrap().unwrap().id, "barn");
        assert!(Codebook::built_in("barn/9").unwrap().is_none());
    }

    #[test]
    fn a_field_that_lists_codes_keeps_the_first_and_the_set_of_the_others() {
        let given = Given::listed([3, 1, 3, 0, 1]).unwrap();
        assert_eq!((given.code, given.several(), given.further()), (3, true, 0b11));
        assert!(given.lists(3) && given.lists(0) && !given.lists(2) && !given.lists(999));
        assert_eq!(Given::listed([999, 999]), Some(999.into()));
        assert_eq!((Given::listed([]), Given::listed([0, 64]), Given::listed([64, 0])), (None, None, None));
    }

    #[test]
    fn more_codes_than_a_field_can_list_are_refused_by_number() {
        let codes: String = (0..65).map(|at| format!("[[variabel.kod]]\nkod='k{at}'\ntext='t'\n")).collect();
        let book = |more: &str| format!("id='x'\nversion=1\n[[variabel]]\nid='a'\ntext='A'\n{more}\n{codes}");
        let error = Codebook::from_toml(&book("")).unwrap_err().to_string();
        assert!(error.contains("65 codes") && error.contains("at most 64"), "{error}");
        assert!(Codebook::from_toml(&book("flera = false")).is_ok());
    }

    #[test]
    fn overlapping_ages_a_code_twice_and_unknown_parts_are_refused_by_name() {
        let head = "id='x'\nversion=1\n[[variabel]]\nid='a'\ntext='A'\n";
        let code = |code: &str, more: &str| format!("[[variabel.kod]]\nkod='{code}'\ntext='t'\n{more}\n");
        for (body, hint) in [
            (code("u", "till=24") + &code("o", "fran=24"), "age 24"),
            (code("u", "") + &code("u", ""), "twice"),
            (code("u", &format!("synonymer=['{}']", "[a|b]".repeat(11))), "at most 2000 spellings"),
            (code("TOT", ""), "margin"),
            (
                code("u", "")
                    + "[[variabel.niva]]\nid='n'\ntext='N'\n[[variabel.niva.grupp]]\nkod='g'\ntext='G'\ndelar=['v']",
                "no code",
            ),
            ("okand=1".to_string(), "unknown field"),
        ] {
            let error = Codebook::from_toml(&format!("{head}{body}")).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
