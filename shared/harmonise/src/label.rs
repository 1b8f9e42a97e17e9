//! From a kommun's label to codes of one variable.
//!
//! Only whole labels are compared, after cleaning and folding, or as sets of words ([`crate::recognise`]), so
//! *utredning inleds* never meets *utredning inleds ej*, nor *ansökan* *anmälan*. Similarity is used for the
//! suggestions an operator sees, and nowhere else. A label that could be several codes is no code.
//!
//! Order: exact text, code or synonym; the same ignoring case; ignoring case and accents; without a prefix
//! (`B/U`, `BoU`, the kommun's own …); the kommun's own map; the same words in any order, inflection and spelling. Only if
//! none fits is the label tried as a list of several labels (`;`, `,`, `–` …), each of which must fit, where the variable
//! may have several.
//!
//! Invariant: the result depends on the label, the codebook and the kommun's map alone, never on other rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Given, Variable};

use crate::recognise::{AUTO, Recogniser, Suggestion, is_free_text, spelt_alike};

mod list;
mod spelling;

use list::SEPARATORS;
use spelling::is_edge;
pub(crate) use spelling::same_but_for_accents;
pub use spelling::{clean, fold_accents, fold_case};

/// Abbreviations that systems put before labels to say *children and young people*.
pub const COMMON_PREFIXES: [&str; 5] = ["B/U", "B&U", "BoU", "Barn/ungdom", "BoF"];

/// Words that turn a label into its opposite; no prefix may hold one.
const NEGATIONS: [&str; 9] = ["ej", "inte", "icke", "ingen", "inget", "inga", "utan", "avslag", "nej"];

/// Whether a prefix holds a negation, and so would turn labels into their opposite when stripped.
pub(crate) fn negates(prefix: &str) -> bool {
    fold_case(prefix).split(|c: char| !c.is_alphanumeric()).any(|word| NEGATIONS.contains(&word))
}

/// What a label means on a row of a given date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing is written.
    Empty,
    /// The code, or the codes that the field lists.
    Code(Given),
    /// Fits only codes that may not be used on the date.
    OutsideValidity,
    /// Fits nothing, or more than one code.
    Unmapped,
}

type Codes = BTreeSet<CodeIndex>;

/// The possible codes of each part of a label; without parts if the label fits nothing.
#[derive(Clone)]
pub(crate) struct Parts {
    codes: Vec<Codes>,
    /// Whether only its words say so: neither the codebook nor the kommun's map have the label.
    pub(crate) is_recognised: bool,
}

/// What a label most likely means.
#[derive(Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The code, or those of a list in its order; none when nothing resembles the label.
    pub codes: Vec<CodeIndex>,
    /// How certain, in thousandths.
    pub score: u16,
    /// Why, in Swedish; may hold words of the label, so it is for the operator alone.
    pub reason: String,
}

impl Mapping {
    /// Whether it is applied without asking.
    pub fn is_certain(&self) -> bool {
        self.score >= AUTO
    }
}

impl std::fmt::Debug for Mapping {
    /// No words (STAY-1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapping({:?}, {})", self.codes, self.score)
    }
}

/// The labels one variable understands.
pub struct Matcher<'a> {
    variable: &'a Variable,
    exact: HashMap<String, Codes>,
    cased: HashMap<String, Codes>,
    /// Accent-folded text → the case-folded texts behind it.
    bare: HashMap<String, BTreeMap<String, Codes>>,
    /// Case-folded, longest first.
    prefixes: Vec<String>,
    own: HashMap<String, CodeIndex>,
    /// Not for ages: they are numbers.
    words: Option<Recogniser>,
}

impl<'a> Matcher<'a> {
    /// A matcher of the codebook's texts, codes and synonyms, with the kommun's prefixes and no own labels yet.
    pub fn new(variable: &'a Variable, own_prefixes: &[String]) -> Self {
        let mut matcher = Self {
            variable,
            exact: HashMap::new(),
            cased: HashMap::new(),
            bare: HashMap::new(),
            prefixes: prefixes(own_prefixes),
            own: HashMap::new(),
            words: (!variable.is_age()).then(|| Recogniser::new(variable)),
        };
        for (index, code) in (0..).zip(&variable.codes) {
            for text in &[vec![code.code.clone()], code.spellings()].concat() {
                let cased = fold_case(text);
                matcher.exact.entry(clean(text)).or_default().insert(index);
                let spellings = matcher.bare.entry(fold_accents(text)).or_default();
                spellings.entry(cased.clone()).or_default().insert(index);
                matcher.cased.entry(cased).or_default().insert(index);
            }
        }
        matcher
    }

    /// Adds a label of the kommun. Refused (false) if the label already means something else.
    pub(crate) fn learn(&mut self, label: &str, code: CodeIndex) -> bool {
        // what the words say is outweighed by who knows the system
        let known = self.said(label);
        let agrees = known.is_empty() || known.contains(&code);
        if agrees {
            self.own.insert(fold_case(label), code);
        }
        agrees
    }

    /// What a label means on a date.
    pub fn meaning(&self, label: &str, date: Date) -> Meaning {
        self.decide(&self.read(label), date)
    }

    /// The codes of a label's parts, whatever the date; nothing for an empty label.
    pub(crate) fn read(&self, label: &str) -> Option<Parts> {
        if fold_case(label).is_empty() {
            return None;
        }
        let said = self.said(label);
        let is_recognised = said.is_empty();
        let whole = if is_recognised { self.whole(label) } else { said };
        let codes = match whole.is_empty() {
            false if is_recognised => self.outweighed(label, &whole).unwrap_or_else(|| vec![whole]),
            false => vec![whole],
            true => {
                let list = self.list(label, &SEPARATORS).unwrap_or_default();
                let is_one = list.iter().all(|codes| Some(codes) == list.first());
                if self.variable.several || is_one { list } else { Vec::new() }
            }
        };
        Some(Parts { is_recognised: is_recognised && !codes.is_empty(), codes })
    }

    /// The meaning on a date of what [`Matcher::read`] returned.
    pub(crate) fn decide(&self, parts: &Option<Parts>, date: Date) -> Meaning {
        let Some(Parts { codes: parts, .. }) = parts else {
            return Meaning::Empty;
        };
        if let [one] = parts.as_slice() {
            return self.pick(one, date).map_or_else(|meaning| meaning, |code| Meaning::Code(code.into()));
        }
        let mut picked = Vec::with_capacity(parts.len());
        for part in parts {
            match self.pick(part, date) {
                Ok(code) => picked.push(code),
                // a list is known when all of it is: a code left out would be a reason dropped silently (TRUE-3)
                Err(meaning) => return meaning,
            }
        }
        Given::listed(picked).map_or(Meaning::Unmapped, Meaning::Code)
    }

    /// Whether the codes of all parts may be used on every date.
    pub(crate) fn is_dateless(&self, parts: &Option<Parts>) -> bool {
        let dateless = |code: &CodeIndex| {
            let code = self.variable.codes.get(usize::from(*code));
            code.is_some_and(|code| code.valid_from.is_none() && code.valid_to.is_none())
        };
        parts.as_ref().is_none_or(|parts| parts.codes.iter().flatten().all(dateless))
    }

    /// Of codes that share a label, the one that may be used on the date.
    fn pick(&self, codes: &Codes, date: Date) -> Result<CodeIndex, Meaning> {
        let valid = |code: &&CodeIndex| {
            self.variable.codes.get(usize::from(**code)).is_some_and(|code| code.valid_on(date))
        };
        let mut valid = codes.iter().filter(valid);
        match (valid.next(), valid.next()) {
            (Some(&code), None) => Ok(code),
            (None, _) => Err(Meaning::OutsideValidity),
            _ => Err(Meaning::Unmapped),
        }
    }

    /// Codes of a whole label: the first stage that knows it decides, and last its words.
    fn whole(&self, label: &str) -> Codes {
        let said = self.said(label);
        if !said.is_empty() {
            return said;
        }
        let words = self.words.as_ref().and_then(|words| words.certain(label));
        let holds = |codes: &Codes| !self.contradicts_itself(label) && self.holds_without_unit(label, codes);
        words.map(|(codes, _)| codes).filter(holds).unwrap_or_default()
    }

    /// Whether a label that begins with the name of a unit says the same without it: of *Barn/ungdom: missbruk* nobody knows
    /// whose it is.
    fn holds_without_unit(&self, label: &str, codes: &Codes) -> bool {
        let cased = fold_case(label);
        let units = self.prefixes.iter().filter_map(|prefix| without_unit(&cased, prefix));
        let mut said = units.map(|rest| match self.in_codebook(rest) {
            codes if codes.is_empty() => {
                let words = self.words.as_ref().and_then(|words| words.certain(rest));
                words.map(|(codes, _)| codes).unwrap_or_default()
            }
            codes => codes,
        });
        said.all(|rest| rest == *codes)
    }

    /// Codes that the codebook or the kommun's map give a whole label.
    fn said(&self, label: &str) -> Codes {
        let found = self.in_codebook(label);
        if !found.is_empty() {
            return found;
        }
        let cased = fold_case(label);
        let stripped = self.prefixes.iter().filter_map(|prefix| strip(&cased, prefix));
        let stripped = stripped.map(|rest| self.in_codebook(rest)).find(|codes| !codes.is_empty());
        stripped.or_else(|| self.own.get(&cased).map(|&code| Codes::from([code]))).unwrap_or_default()
    }

    fn in_codebook(&self, label: &str) -> Codes {
        if let Some(codes) = self.exact.get(&clean(label)) {
            return codes.clone();
        }
        let cased = fold_case(label);
        if let Some(codes) = self.cased.get(&cased) {
            return codes.clone();
        }
        let spellings = self.bare.get(&fold_accents(label)).into_iter().flatten();
        let same = spellings.filter(|(spelling, _)| same_but_for_accents(spelling, &cased));
        let codes: Vec<&Codes> = same.map(|(_, codes)| codes).collect();
        codes.into_iter().flatten().copied().collect()
    }

    /// What a label means whatever the date, with how certain that is: for lists of labels that somebody looks through.
    pub fn map(&self, label: &str) -> Mapping {
        let several = |parts: &Parts| parts.codes.len() > 1;
        let listed = self.read(label).filter(several).and_then(|parts| {
            parts
                .codes
                .iter()
                .map(|codes| codes.first().copied().filter(|_| codes.len() == 1))
                .collect::<Option<Vec<_>>>()
        });
        if let Some(mut codes) = listed {
            let mut seen = BTreeSet::new();
            codes.retain(|code| seen.insert(*code));
            return Mapping { codes, score: AUTO, reason: "flera i ett fält".into() };
        }
        match self.suggestions(label).into_iter().next() {
            Some(Suggestion { code, score, reason }) => Mapping { codes: vec![code], score, reason },
            None => Mapping { codes: Vec::new(), score: 0, reason: "inget liknar".into() },
        }
    }

    /// Up to three codes whose text resembles a label, best first: for an operator's eye only. The first is certain from
    /// [`crate::recognise::AUTO`] on.
    pub fn suggestions(&self, label: &str) -> Vec<Suggestion> {
        let said = self.said(label);
        if let (Some(&code), 1) = (said.first(), said.len()) {
            return vec![Suggestion { code, score: 1_000, reason: "samma text".into() }];
        }
        let mut found = self.words.as_ref().map(|words| words.suggest(label)).unwrap_or_default();
        let of_first = |found: &[Suggestion]| found.first().map(|one| Codes::from([one.code]));
        let holds = of_first(&found).is_none_or(|codes| self.holds_without_unit(label, &codes));
        if self.contradicts_itself(label) || !holds {
            found.iter_mut().for_each(|one| one.score = one.score.min(AUTO - 1));
        }
        // a text of many letters is spelt like every code a little, and takes long to compare
        if !found.is_empty() || is_free_text(label) {
            return found;
        }
        let likeness = |(index, code): (CodeIndex, &'a tables::codebook::Code)| {
            let best = code.spellings().iter().map(|text| spelt_alike(label, text)).max()?;
            // half: letters say less than words
            let score = u16::try_from(best / 2).ok()?;
            (best >= 300).then(|| Suggestion { code: index, score, reason: "liknande stavning".into() })
        };
        let mut found: Vec<Suggestion> = (0..).zip(&self.variable.codes).filter_map(likeness).collect();
        found.sort_by(|a, b| b.score.cmp(&a.score).then(a.code.cmp(&b.code)));
        found.truncate(3);
        found
    }

    /// The variable the matcher is for.
    pub fn variable(&self) -> &'a Variable {
        self.variable
    }
}

/// What follows a unit's name and a mark after it: *missbruk* of *barn/ungdom: missbruk*.
fn without_unit<'t>(label: &'t str, unit: &str) -> Option<&'t str> {
    let rest = label.strip_prefix(unit)?.trim_start().strip_prefix([':', '-', '–'])?;
    Some(rest.trim_start()).filter(|rest| !rest.is_empty())
}

fn prefixes(own: &[String]) -> Vec<String> {
    let common = COMMON_PREFIXES.iter().map(|prefix| fold_case(prefix));
    let mut all: Vec<String> = common.chain(own.iter().map(|prefix| fold_case(prefix))).collect();
    all.retain(|prefix| !prefix.is_empty());
    all.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
    all.dedup();
    all
}

/// What follows a prefix, if the prefix ends where a word ends. Both are case-folded.
fn strip<'t>(label: &'t str, prefix: &str) -> Option<&'t str> {
    let rest = label.strip_prefix(prefix)?;
    if rest.starts_with(char::is_alphanumeric) {
        return None;
    }
    let rest = rest.trim_start_matches(|c: char| is_edge(c) || c == '/');
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests;
