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

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Given, Variable};
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::recognise::{AUTO, Recogniser, Suggestion, is_free_text, spelt_alike};

/// Abbreviations that systems put before labels to say *children and young people*.
pub const COMMON_PREFIXES: [&str; 5] = ["B/U", "B&U", "BoU", "Barn/ungdom", "BoF"];

/// Between several reasons in one field, in the order they are tried.
const SEPARATORS: [&str; 15] =
    ["\n", "|", "¦", ";", ",", "–", "—", " - ", "+", "•", "/", " och ", " samt ", " o ", "&"];

/// What does nothing but separate.
const LISTING: [char; 7] = ['\n', '|', '¦', ';', '+', '•', '–'];

/// Words that turn a label into its opposite; no prefix may hold one.
const NEGATIONS: [&str; 9] = ["ej", "inte", "icke", "ingen", "inget", "inga", "utan", "avslag", "nej"];

/// Spaces of every kind become one space, soft hyphens and zero-width characters go, ends are trimmed.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in composed(text).chars() {
        match c {
            '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {}
            c if c.is_whitespace() || c.is_control() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// NFC; most texts are, and are told so much faster than made so.
fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfc().collect()),
    }
}

/// [`clean`], lower case, without punctuation at the ends. Accents are kept.
pub fn fold_case(text: &str) -> String {
    let lower = clean(text).to_lowercase();
    composed(&lower).trim_matches(is_edge).to_string()
}

/// [`fold_case`] without accents: `ANSÖKAN` and `Ansokan` meet, and so do `å` and `ä`; see `same_but_for_accents`.
pub fn fold_accents(text: &str) -> String {
    let cased = fold_case(text);
    if cased.is_ascii() {
        return cased;
    }
    let bare: String = cased.nfd().filter(|c| !is_combining_mark(*c)).collect();
    bare.trim_matches(is_edge).to_string()
}

fn is_edge(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | ',' | ';' | ':' | '-' | '–' | '—' | '*' | '"' | '\'' | '”' | '“' | '’')
}

/// Whether two case-folded texts differ only where one of them has lost an accent: `o` for `ö`, never `å` for `ä`.
pub(crate) fn same_but_for_accents(one: &str, other: &str) -> bool {
    let bare = |c: char| std::iter::once(c).nfd().next() == Some(c);
    let same = |(a, b): (char, char)| {
        a == b || ((bare(a) || bare(b)) && std::iter::once(a).nfd().next() == std::iter::once(b).nfd().next())
    };
    one.chars().count() == other.chars().count() && one.chars().zip(other.chars()).all(same)
}

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

    /// The parts of a list whose words taken together would be one code: *kriminalitet + barn som brottsoffer* is two. A list is
    /// believed if what separates it does nothing else, if each part has several words, if no part has that code, or if one part
    /// has all the words.
    fn outweighed(&self, label: &str, whole: &Codes) -> Option<Vec<Codes>> {
        let list = self.list(label, &SEPARATORS).filter(|_| self.variable.several)?;
        if list.len() < 2 || list.iter().all(|codes| codes == whole) {
            return None;
        }
        let label =
            [" och ", " samt ", " o "].iter().fold(even(label), |label, word| label.replace(word, ","));
        let mut parts = label.split([',', '/', '&', '-']);
        let says_itself = parts.clone().all(|part| part.split_whitespace().nth(1).is_some());
        // `kriminalitet, utsatt för brott`: the words of one part are those of both, and the other would be lost
        let hides_another = |words: &Recogniser| parts.any(|part| words.says_all(&label, part));
        let is_list = label.contains(LISTING)
            || says_itself
            || !list.contains(whole)
            || self.words.as_ref().is_some_and(hides_another);
        is_list.then_some(list)
    }

    /// Whether a label is a list that says a thing and its opposite: *utredning inleds / inleds ej*.
    fn contradicts_itself(&self, label: &str) -> bool {
        let Some(words) = self.words.as_ref().filter(|_| !is_free_text(label)) else { return false };
        let label = &even(label);
        SEPARATORS.iter().chain(&[" eller "]).any(|separator| {
            let parts: Vec<&str> =
                label.split(separator).filter(|part| !fold_case(part).is_empty()).collect();
            let (denied, said): (Vec<&str>, Vec<&str>) = parts.into_iter().partition(|part| negates(part));
            denied.iter().any(|no| said.iter().any(|yes| words.are_opposites(yes, no)))
        })
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

    /// The parts of a list, if every part is a label, and all of them or none are denied: *inleds / inleds ej* says
    /// nothing.
    fn list(&self, label: &str, separators: &[&str]) -> Option<Vec<Codes>> {
        let numbered: String;
        let mut label = label;
        if separators.len() == SEPARATORS.len() {
            numbered = without_numbering(&even(label)); // `1) … 2) …`
            label = &numbered;
        }
        let (&separator, finer) = separators.split_first()?;
        if !label.contains(separator) {
            return self.list(label, finer);
        }
        let parts: Vec<&str> = label.split(separator).filter(|part| !fold_case(part).is_empty()).collect();
        if parts.iter().any(|part| negates(part)) && !parts.iter().all(|part| negates(part)) {
            return None;
        }
        let who = self.whom_at_the_end(label);
        if parts.iter().any(|part| self.speaks_of_parent(part)) && self.leaves_open_whose(&parts) {
            return None;
        }
        let mut all = Vec::new();
        for part in parts {
            let mut codes = self.whole(part);
            if let (true, Some(who)) = (codes.is_empty(), &who) {
                codes = self.whole(&format!("{part} {who}"));
            }
            match codes {
                codes if codes.is_empty() => all.extend(self.list(part, finer)?),
                codes => all.push(codes),
            }
        }
        (!all.is_empty()).then_some(all)
    }

    fn speaks_of_parent(&self, part: &str) -> bool {
        self.words.as_ref().is_some_and(|words| words.speaks_of_parent(part))
    }

    /// Whether a part that does not say of whom it speaks would be another code if it were the parent's: beside what is the parent's,
    /// *förälders missbruk + brott*, nobody knows whose it is. Where the list has the parent's too, *förälders kriminalitet,
    /// kriminalitet*, it is not that.
    fn leaves_open_whose(&self, parts: &[&str]) -> bool {
        let Some(words) = &self.words else { return false };
        let says_whom =
            |part: &str| part.split(|c: char| !c.is_alphanumeric()).any(|word| words.is_who(word));
        let codes: Vec<Codes> = parts.iter().map(|part| self.whole(part)).collect();
        parts.iter().zip(&codes).any(|(part, own)| {
            if own.is_empty() || says_whom(part) || self.speaks_of_parent(part) {
                return false;
            }
            let theirs = self.whole(&format!("{part} förälder"));
            !theirs.is_empty() && theirs != *own && !codes.contains(&theirs)
        })
    }

    /// Whom a list is about, said once at its end: *missbruk och psykisk ohälsa hos förälder*.
    fn whom_at_the_end(&self, label: &str) -> Option<String> {
        let words = self.words.as_ref()?;
        let last = label.split(|c: char| !c.is_alphanumeric()).rfind(|word| !word.is_empty())?;
        words.is_who(last).then(|| last.to_owned())
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

/// Lower case, and spaces that break: what separates is written in these.
fn even(label: &str) -> String {
    label.to_lowercase().replace('\u{a0}', " ").replace('\u{ad}', "")
}

/// What follows a unit's name and a mark after it: *missbruk* of *barn/ungdom: missbruk*.
fn without_unit<'t>(label: &'t str, unit: &str) -> Option<&'t str> {
    let rest = label.strip_prefix(unit)?.trim_start().strip_prefix([':', '-', '–'])?;
    Some(rest.trim_start()).filter(|rest| !rest.is_empty())
}

/// `1) våld 2) skolk` as `; våld ; skolk`.
fn without_numbering(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in label.chars() {
        match c {
            ')' if out.ends_with(|last: char| last.is_ascii_digit()) && !out.contains('(') => {
                out.truncate(out.trim_end_matches(|last: char| last.is_ascii_digit()).len());
                out.push(';');
            }
            c => out.push(c),
        }
    }
    out
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
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use tables::codebook::Codebook;

    use super::*;

    const DAY: Date = date(2024, 1, 31);

    fn variable(codes: &str) -> Variable {
        let head = "id='x'\nversion=1\n[[variabel]]\nid='v'\ntext='V'\n";
        Codebook::from_toml(&format!("{head}{codes}")).unwrap().variables.remove(0)
    }

    fn code(code: &str, text: &str, more: &str) -> String {
        format!("[[variabel.kod]]\nkod='{code}'\ntext='{text}'\n{more}\n")
    }

    fn meant<'v>(matcher: &Matcher<'v>, label: &str) -> Option<&'v str> {
        match matcher.meaning(label, DAY) {
            Meaning::Code(given) => Some(matcher.variable().codes[usize::from(given.code)].code.as_str()),
            _ => None,
        }
    }

    #[test]
    fn spellings_of_one_label_meet() {
        let book = Codebook::vuxna().unwrap();
        let own = ["Vuxen - ".to_string(), "IFO: ".to_string()];
        let matcher = Matcher::new(&book.variables[2], &own);
        for label in [
            "Ansökan",
            "ansökan",
            "ANSÖKAN",
            "Ansokan",
            "ansokan",
            " Ansökan\u{a0}",
            "An\u{ad}sökan",
            "Anso\u{308}kan",
            "Ansökan.",
            "B/U Ansökan",
            "b&u ansökan",
            "BoU – Ansökan",
            "Barn/ungdom: ansökan",
            "BoF Ansökan",
            "Vuxen - Ansökan",
            "vuxen ansökan",
            "IFO: Ansökan",
            "IFO:ansokan",
        ] {
            assert_eq!(meant(&matcher, label), Some("ansokan"), "{label}");
        }
        for label in ["Ansökan 0-17", "Ansökann", "01 ANSÖKAN (barn 0-12 år)"] {
            assert_eq!(meant(&matcher, label), Some("ansokan"), "{label}");
        }
        assert_eq!(meant(&matcher, "B anmälan"), Some("anmalan"));
        for label in [
            "IFOansökan",
            "ej ansökan",
            "Ansökan?",
            "B/U",
            "Ansökan Anna",
            "Ansökan 20120315-2384",
            "Anmälan/ansökan ej",
        ] {
            assert_eq!(matcher.meaning(label, DAY), Meaning::Unmapped, "{label}");
        }
        for label in ["", " ", "\u{a0}\u{ad}", "-", "–"] {
            assert_eq!(matcher.meaning(label, DAY), Meaning::Empty, "{label}");
        }
    }

    #[test]
    fn a_negation_and_its_opposite_never_meet() {
        let codes = code("inleds", "Utredning inleds", "") + &code("inleds_ej", "Utredning inleds ej", "");
        let variable = variable(&codes);
        let matcher = Matcher::new(&variable, &[]);
        assert_eq!(meant(&matcher, "UTREDNING INLEDS"), Some("inleds"));
        assert_eq!(meant(&matcher, "utredning inleds ej."), Some("inleds_ej"));
        for label in
            ["utredning inleds inte", "utredning inleds, ej", "utredning inleds (ej)", "ej utredning inleds"]
        {
            assert_eq!(meant(&matcher, label), Some("inleds_ej"), "{label}");
        }
        for label in
            ["utredning inleds / inleds ej", "utredning inleds eller inleds ej", "inte utredning inleds ej"]
        {
            assert_eq!(meant(&matcher, label), None, "{label}");
        }
        assert!(negates("Ej ") && negates("ansökan, INTE -") && !negates("Vuxen - ") && !negates("Ejder"));
    }

    #[test]
    fn a_fold_that_fits_two_codes_fits_none_and_an_exact_text_still_fits() {
        let variable =
            variable(&(code("far", "Far", "") + &code("faar", "Får", "") + &code("faer", "Fär", "")));
        let matcher = Matcher::new(&variable, &[]);
        assert_eq!(meant(&matcher, "FÅR"), Some("faar"));
        assert_eq!(meant(&matcher, "fär"), Some("faer"));
        assert_eq!(meant(&matcher, "far"), Some("far"));
        let without = self::variable(&(code("a1", "Får", "") + &code("a2", "Fär", "")));
        let matcher = Matcher::new(&without, &[]);
        assert_eq!(matcher.meaning("far", DAY), Meaning::Unmapped);
        let one = self::variable(&code("faar", "Får", ""));
        assert_eq!(Matcher::new(&one, &[]).meaning("Fär", DAY), Meaning::Unmapped);
        assert_eq!(meant(&Matcher::new(&one, &[]), "Far"), Some("faar"));
    }

    #[test]
    fn of_codes_that_share_a_label_the_date_decides() {
        let old = code("gammal", "Vården", "galler_till='2023-12-31'");
        let variable = variable(&(old.clone() + &code("ny", "Vården", "galler_fran='2024-01-01'")));
        let matcher = Matcher::new(&variable, &[]);
        let on = |day| matcher.meaning("vården", day);
        assert_eq!(on(date(2023, 12, 31)), Meaning::Code(0.into()));
        assert_eq!(on(date(2024, 1, 1)), Meaning::Code(1.into()));
        let only_old = self::variable(&old);
        assert_eq!(Matcher::new(&only_old, &[]).meaning("vården", DAY), Meaning::OutsideValidity);
    }

    #[test]
    fn several_reasons_in_one_field_give_all_when_all_are_known() {
        let book = Codebook::vuxna().unwrap();
        let reasons = book.variables.iter().find(|variable| variable.id == "orsak_ansokan").unwrap();
        let matcher = Matcher::new(reasons, &[]);
        let first = |label| matcher.meaning(label, DAY);
        let index = |text: &str| (0..).zip(&reasons.codes).find(|(_, code)| code.text == text).unwrap().0;
        let with = |texts: &[&str]| {
            let listed = ["Missbruk och beroende"].iter().chain(texts).map(|text| index(text));
            Meaning::Code(Given::listed(listed).unwrap())
        };
        for (label, others) in [
            ("Missbruk och beroende, Våldsutövare", vec!["Våldsutövare"]),
            ("missbruk och beroende;våldsutövare", vec!["Våldsutövare"]),
            ("Missbruk och beroende – Våldsutövare", vec!["Våldsutövare"]),
            (
                "Missbruk och beroende; Våldsutövare, Våld i nära relationer",
                vec!["Våld i nära relationer", "Våldsutövare"],
            ),
            ("Missbruk och beroende; Behov av stöd, övriga vuxna", vec!["Behov av stöd, övriga vuxna"]),
            ("Missbruk och beroende;", vec![]),
            ("Missbruk och beroende, missbruk och beroende", vec![]),
        ] {
            assert_eq!(first(label), with(&others), "{label}");
        }
        assert_eq!(first("Missbruk och beroende, okänt"), Meaning::Unmapped);
        // a comma inside a text of the codebook does not split it
        assert_eq!(first("Behov av stöd, övriga vuxna"), Meaning::Code(4.into()));
    }

    #[test]
    fn a_list_with_a_code_that_may_not_be_used_on_the_day_is_no_list_without_it() {
        let variable = variable(&(code("a", "Våld", "") + &code("b", "Skolk", "galler_till='2023-12-31'")));
        let matcher = Matcher::new(&variable, &[]);
        assert_eq!(
            matcher.meaning("våld; skolk", date(2023, 12, 31)),
            Meaning::Code(Given::listed([0, 1]).unwrap())
        );
        for label in ["våld; skolk", "skolk; våld"] {
            assert_eq!(matcher.meaning(label, DAY), Meaning::OutsideValidity, "{label}");
        }
    }

    #[test]
    fn own_labels_come_last_and_cannot_contradict_the_codebook() {
        let book = Codebook::vuxna().unwrap();
        let mut matcher = Matcher::new(&book.variables[2], &[]);
        assert_eq!(meant(&matcher, "Vux anm"), None);
        assert!(matcher.learn("Vux anm", 1));
        assert_eq!(meant(&matcher, "VUX ANM"), Some("anmalan"));
        assert!(!matcher.learn("ansökan", 1));
        assert!(!matcher.learn("B/U Ansökan", 1));
        assert!(!matcher.learn("vux anm", 0));
        assert_eq!(meant(&matcher, "Ansökan"), Some("ansokan"));
    }

    #[test]
    fn suggestions_resemble_and_are_not_applied() {
        let book = Codebook::vuxna().unwrap();
        let matcher = Matcher::new(&book.variables[2], &[]);
        let first = |label| matcher.suggestions(label).first().map(|one| (one.code, one.score >= AUTO));
        assert_eq!(first("Anmälan barn 0-12 år"), Some((1, true)));
        assert_eq!(first("Anmälan Kalle"), Some((1, false)), "an unknown word may be a name");
        assert!(matcher.suggestions("zzzz").is_empty());
        assert_eq!(meant(&matcher, "Anmälan barn 0-12 år"), Some("anmalan"));
        assert_eq!(meant(&matcher, "Anmälan Kalle"), None);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,30}") {
            prop_assert_eq!(clean(&clean(&text)), clean(&text));
            prop_assert_eq!(fold_case(&fold_case(&text)), fold_case(&text));
            prop_assert_eq!(fold_accents(&fold_accents(&text)), fold_accents(&text));
        }

        #[test]
        fn any_label_has_a_meaning_and_only_known_words_have_a_code(label in "[a-zåäö ,;–/]{0,20}") {
            let book = Codebook::vuxna().unwrap();
            let matcher = Matcher::new(&book.variables[2], &[]);
            let words = ["ans", "anm", "yttr", "verf", "frfr", "frfragan", "begar", "begär", "forfr", "förfr"];
            if meant(&matcher, &label).is_some() {
                prop_assert!(words.iter().any(|word| label.contains(word)), "{}", label);
            }
        }
    }
}
