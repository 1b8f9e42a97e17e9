//! From a kommun's label to codes of one variable.
//!
//! Only whole labels are compared, after cleaning and folding: nothing is applied because it looks similar, so
//! *utredning inleds* never meets *utredning inleds ej*, nor *ansökan* *anmälan*. Similarity is used for the
//! suggestions an operator sees, and nowhere else. A label that could be several codes is no code.
//!
//! Order: exact text, code or synonym; the same ignoring case; ignoring case and accents; without a prefix
//! (`B/U`, `BoU`, the kommun's own …); the kommun's own map. Only if none fits is the label tried as a list of
//! several labels (`;`, `,`, `–`), each of which must fit.
//!
//! Invariant: the result depends on the label, the codebook and the kommun's map alone, never on other rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use tables::codebook::{CodeIndex, Variable};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Abbreviations that systems put before labels to say *children and young people*.
pub const COMMON_PREFIXES: [&str; 5] = ["B/U", "B&U", "BoU", "Barn/ungdom", "BoF"];

/// Between several reasons in one field, in the order they are tried.
const SEPARATORS: [char; 3] = [';', ',', '–'];

/// Words that turn a label into its opposite; no prefix may hold one.
const NEGATIONS: [&str; 9] = ["ej", "inte", "icke", "ingen", "inget", "inga", "utan", "avslag", "nej"];

/// Spaces of every kind become one space, soft hyphens and zero-width characters go, ends are trimmed.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfc() {
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

/// [`clean`], lower case, without punctuation at the ends. Accents are kept.
pub fn fold_case(text: &str) -> String {
    let lower: String = clean(text).to_lowercase().nfc().collect();
    lower.trim_matches(is_edge).to_string()
}

/// [`fold_case`] without accents: `ANSÖKAN` and `Ansokan` meet, and so do `å` and `ä`; see `same_but_for_accents`.
pub fn fold_accents(text: &str) -> String {
    let bare: String = fold_case(text).nfd().filter(|c| !is_combining_mark(*c)).collect();
    bare.trim_matches(is_edge).to_string()
}

fn is_edge(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | ',' | ';' | ':' | '-' | '–' | '—' | '*' | '"' | '\'' | '”' | '“' | '’')
}

/// Whether two case-folded texts differ only where one of them has lost an accent: `o` for `ö`, never `å` for `ä`.
fn same_but_for_accents(one: &str, other: &str) -> bool {
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
    /// One code. `several`: the field lists further codes, and this is the first.
    Code {
        /// Index in the variable.
        code: CodeIndex,
        /// Whether other codes follow.
        several: bool,
    },
    /// Fits only codes that may not be used on the date.
    OutsideValidity,
    /// Fits nothing, or more than one code.
    Unmapped,
}

type Codes = BTreeSet<CodeIndex>;

/// The possible codes of each part of a label; without parts if the label fits nothing.
#[derive(Clone)]
pub(crate) struct Parts(Vec<Codes>);

impl Parts {
    pub(crate) fn is_known(&self) -> bool {
        !self.0.is_empty()
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
        };
        for (index, code) in (0..).zip(&variable.codes) {
            for text in [&code.code, &code.text].into_iter().chain(&code.synonyms) {
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
        let known = self.whole(label);
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
        let whole = self.whole(label);
        let parts =
            if whole.is_empty() { self.list(label, &SEPARATORS).unwrap_or_default() } else { vec![whole] };
        Some(Parts(parts))
    }

    /// The meaning on a date of what [`Matcher::read`] returned.
    pub(crate) fn decide(&self, parts: &Option<Parts>, date: Date) -> Meaning {
        let Some(Parts(parts)) = parts else {
            return Meaning::Empty;
        };
        let Some(first) = parts.first() else {
            return Meaning::Unmapped;
        };
        let first = self.pick(first, date);
        let others = parts.iter().skip(1).any(|part| self.pick(part, date) != first);
        match first {
            Meaning::Code { code, .. } => Meaning::Code { code, several: others },
            other => other,
        }
    }

    /// Of codes that share a label, the one that may be used on the date.
    fn pick(&self, codes: &Codes, date: Date) -> Meaning {
        let valid = |code: &&CodeIndex| {
            self.variable.codes.get(usize::from(**code)).is_some_and(|code| code.valid_on(date))
        };
        let mut valid = codes.iter().filter(valid);
        match (valid.next(), valid.next()) {
            (Some(&code), None) => Meaning::Code { code, several: false },
            (None, _) => Meaning::OutsideValidity,
            _ => Meaning::Unmapped,
        }
    }

    /// Codes of a whole label: the first stage that knows it decides.
    fn whole(&self, label: &str) -> Codes {
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

    /// The parts of a list, if every part is a label.
    fn list(&self, label: &str, separators: &[char]) -> Option<Vec<Codes>> {
        let (&separator, finer) = separators.split_first()?;
        if !label.contains(separator) {
            return self.list(label, finer);
        }
        let mut all = Vec::new();
        for part in label.split(separator).filter(|part| !fold_case(part).is_empty()) {
            match self.whole(part) {
                codes if codes.is_empty() => all.extend(self.list(part, finer)?),
                codes => all.push(codes),
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Up to three codes whose text resembles a label, best first: for an operator's eye only.
    pub fn suggestions(&self, label: &str) -> Vec<&'a str> {
        let label = pairs(&fold_accents(label));
        let likeness = |code: &'a tables::codebook::Code| {
            let texts = std::iter::once(&code.text).chain(&code.synonyms);
            let best = texts.map(|text| overlap(&label, &pairs(&fold_accents(text)))).max()?;
            (best >= 30).then_some((std::cmp::Reverse(best), code.code.as_str()))
        };
        let mut found: Vec<_> = self.variable.codes.iter().filter_map(likeness).collect();
        found.sort();
        found.into_iter().take(3).map(|(_, code)| code).collect()
    }

    /// The variable the matcher is for.
    pub fn variable(&self) -> &'a Variable {
        self.variable
    }
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

/// The neighbouring pairs of characters of a text, sorted.
fn pairs(text: &str) -> Vec<(char, char)> {
    let mut pairs: Vec<_> = text.chars().zip(text.chars().skip(1)).collect();
    pairs.sort_unstable();
    pairs
}

/// Dice's coefficient of two sorted lists, in per cent.
fn overlap(one: &[(char, char)], other: &[(char, char)]) -> usize {
    let (mut i, mut j, mut common) = (0usize, 0usize, 0usize);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    (200 * common).checked_div(one.len() + other.len()).unwrap_or(0)
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
            Meaning::Code { code, .. } => Some(matcher.variable().codes[usize::from(code)].code.as_str()),
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
        for label in ["Ansåkan", "Ansökan 0-17", "IFOansökan", "B anmälan", "ej ansökan", "B/U", "Ansökan?"]
        {
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
        assert_eq!(on(date(2023, 12, 31)), Meaning::Code { code: 0, several: false });
        assert_eq!(on(date(2024, 1, 1)), Meaning::Code { code: 1, several: false });
        let only_old = self::variable(&old);
        assert_eq!(Matcher::new(&only_old, &[]).meaning("vården", DAY), Meaning::OutsideValidity);
    }

    #[test]
    fn several_reasons_in_one_field_give_the_first_when_all_are_known() {
        let book = Codebook::vuxna().unwrap();
        let reasons = book.variables.iter().find(|variable| variable.id == "orsak_ansokan").unwrap();
        let matcher = Matcher::new(reasons, &[]);
        let first = |label| matcher.meaning(label, DAY);
        let misuse = |several| Meaning::Code { code: 0, several };
        for label in [
            "Missbruk och beroende, Våldsutövare",
            "missbruk och beroende;våldsutövare",
            "Missbruk och beroende – Våldsutövare",
            "Missbruk och beroende; Våldsutövare, Våld i nära relationer",
            "Missbruk och beroende; Behov av stöd, övriga vuxna",
        ] {
            assert_eq!(first(label), misuse(true), "{label}");
        }
        assert_eq!(first("Missbruk och beroende;"), misuse(false));
        assert_eq!(first("Missbruk och beroende, missbruk och beroende"), misuse(false));
        assert_eq!(first("Missbruk och beroende, okänt"), Meaning::Unmapped);
        // a comma inside a text of the codebook does not split it
        assert_eq!(first("Behov av stöd, övriga vuxna"), Meaning::Code { code: 4, several: false });
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
        assert_eq!(matcher.suggestions("Anmälan barn 0-12 år").first(), Some(&"anmalan"));
        assert!(matcher.suggestions("zzzz").is_empty());
        assert_eq!(meant(&matcher, "Anmälan barn 0-12 år"), None);
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
