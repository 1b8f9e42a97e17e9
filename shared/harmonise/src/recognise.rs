//! What an unknown label most likely means: one code with certainty, or suggestions with a score and a reason.
//!
//! A label and each text of a code become sets of words (`words`). When the sets are the same, whatever order, inflection and
//! spelling, the label has the code (score 1, less for each thing that had to be seen through). When they are not, the code is a
//! suggestion for a person: its score is how much of both is shared, rare words weighing more, and stays under [`AUTO`].
//!
//! Invariants: a label and its negation never share a code; nor do a child's and a parent's; a label with a word that is not
//! understood, with what looks like a personnummer, or that fits two codes, has no code. Knows no date and no file.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use tables::codebook::{CodeIndex, Variable};
use words::{CHILD, NOT, PARENT, Vocabulary, Words};

use crate::label::{COMMON_PREFIXES, clean, fold_accents, negates};

/// Least score of what is applied without asking, in thousandths.
pub const AUTO: u16 = 900;
/// Longest label that is read as words, in characters: what is longer is free text and no label.
pub const MOST_LETTERS: usize = 120;
/// Least score of a suggestion.
const LEAST: u16 = 250;
/// Taken off for a word that may be missing, for whom that goes without saying, for a misspelt word.
const SEEN_THROUGH: [u16; 3] = [30, 30, 40];
/// Most suggestions for a label.
const MOST: usize = 3;

/// A code that a label may mean.
#[derive(Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The code.
    pub code: CodeIndex,
    /// In thousandths; from [`AUTO`] on it is applied.
    pub score: u16,
    /// Why, in Swedish; may hold words of the label, so it is for the operator alone.
    pub reason: String,
}

impl std::fmt::Debug for Suggestion {
    /// No words (STAY-1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Suggestion({})", self.code)
    }
}

/// A text of a code as words.
struct Phrase {
    code: CodeIndex,
    words: Words,
}

/// Reads labels of one variable.
pub struct Recogniser {
    vocabulary: Vocabulary,
    /// Words that say nothing about the variable.
    weak: BTreeSet<String>,
    phrases: Vec<Phrase>,
    /// In how many codes a word stands.
    codes_of: BTreeMap<String, BTreeSet<CodeIndex>>,
}

impl Recogniser {
    /// For the texts and synonyms of a variable. Variables of numbers (ages) are not read as words.
    pub fn new(variable: &Variable) -> Self {
        let all: Vec<(CodeIndex, String)> = (0..)
            .zip(&variable.codes)
            .flat_map(|(index, code)| code.spellings().into_iter().map(move |text| (index, text)))
            .collect();
        let known = all.iter().map(|(_, text)| text.as_str()).chain(variable.weak.iter().map(String::as_str));
        let vocabulary = Vocabulary::new(known);
        let mut weak = BTreeSet::new();
        for word in variable.weak.iter().flat_map(|text| vocabulary.read(text, true).set) {
            weak.extend(["av", "mot", "med"].map(|way| format!("{way} {word}")));
            weak.insert(word);
        }
        let mut phrases: Vec<Phrase> = Vec::new();
        let mut codes_of: BTreeMap<String, BTreeSet<CodeIndex>> = BTreeMap::new();
        for (code, text) in &all {
            let words = vocabulary.read(text, true);
            // whom alone is no reason
            let who = |word: &String| word.ends_with(CHILD) || word.ends_with(PARENT) || word == NOT;
            if variable.several && words.set.iter().all(|word| who(word) || weak.contains(word)) {
                continue;
            }
            if words.set.is_empty() || words.set.iter().all(|word| word.chars().count() < 2) {
                continue;
            }
            for word in &words.set {
                codes_of.entry(word.clone()).or_default().insert(*code);
            }
            phrases.push(Phrase { code: *code, words });
        }
        Self { vocabulary, weak, phrases, codes_of }
    }

    /// The codes whose words are those of the label: one, or several that only a date tells apart. Nothing when it is not
    /// certain.
    pub fn certain(&self, label: &str) -> Option<(BTreeSet<CodeIndex>, Suggestion)> {
        // whoever asks is not certain either
        if label.contains('?') || is_free_text(label) {
            return None;
        }
        self.certain_whole(label).or_else(|| {
            // `våld i nära relation (VINR)`: both say the same
            let (before, rest) = label.split_once('(')?;
            let (inside, after) = rest.split_once(')')?;
            let outside = self.certain_whole(&format!("{before} {after}"))?;
            self.certain_whole(inside).filter(|inside| inside.0 == outside.0).map(|_| outside)
        })
    }

    fn certain_whole(&self, label: &str) -> Option<(BTreeSet<CodeIndex>, Suggestion)> {
        let mut found: Option<(BTreeSet<CodeIndex>, Suggestion)> = None;
        let short = self.without_asides(label);
        let texts = readings(short.as_deref().unwrap_or(label)).into_iter();
        for (text, ages) in texts.flat_map(|text| [(text.clone(), true), (text, false)]) {
            let read = self.read(&text, ages);
            let Some((codes, seen_through)) = self.same(&read) else { continue };
            let Some(&code) = codes.first() else { continue };
            let score = 1_000u16.saturating_sub(seen_through + SEEN_THROUGH[2] * read.misspelt.len() as u16);
            let one = Suggestion { code, score, reason: reason_same(&read, seen_through) };
            match &found {
                Some((known, _)) if *known != codes => return None, // with and without its prefix it means two things
                Some((_, known)) if known.score >= score => {}
                _ => found = Some((codes, one)),
            }
        }
        found.filter(|(_, one)| one.score >= AUTO)
    }

    /// Whether a word says whom a label is about.
    pub fn is_who(&self, word: &str) -> bool {
        self.vocabulary.is_who(word)
    }

    /// Whether a text names a parent, alone or in a compound.
    pub fn speaks_of_parent(&self, text: &str) -> bool {
        !is_free_text(text) && self.read(text, true).set.iter().any(|word| word.ends_with(PARENT))
    }

    /// A label without asides that only deny something else: *anmälan (ej ansökan)*, *missbruk hos barnet, ej förälder*.
    /// What an aside denies must stand in texts of other codes only.
    fn without_asides(&self, label: &str) -> Option<String> {
        let cut = |c: char| matches!(c, '(' | ')' | ',' | ';' | '–' | '—');
        let (mut kept, mut asides): (Vec<&str>, Vec<Words>) = (Vec::new(), Vec::new());
        let folded = clean(label).to_lowercase();
        // `missbruk barn ej förälder`: without a sign between them only whom it is not about is an aside
        let whom = |text: &str| {
            let words = self.read(text, true);
            words.unknown.is_empty()
                && !words.set.is_empty()
                && words.set.iter().all(|word| word == CHILD || word == PARENT)
        };
        let spaced =
            [" ej ", " inte ", " icke "].iter().fold(folded, |text, no| match text.rsplit_once(no) {
                Some((before, after)) if whom(after) => format!("{before},{no}{after}"),
                _ => text,
            });
        for part in spaced.split(cut).flat_map(|part| part.split(" - ")) {
            let first = part.split_whitespace().next().unwrap_or("");
            let rest = part.trim_start().strip_prefix(first).unwrap_or("").trim();
            if !kept.is_empty() && negates(first) && !rest.is_empty() {
                asides.push(self.read(rest, true));
            } else {
                kept.push(part);
            }
        }
        let kept = kept.join(" ");
        let (codes, _) = self.same(&self.read(&kept, true)).filter(|_| !asides.is_empty())?;
        let of_others = |word: &String| {
            let who = word == CHILD || word == PARENT;
            // whatever stands between: `ej närstående` denies `av närstående` too
            let forms = ["", "av ", "mot ", "med "].map(|way| format!("{way}{word}"));
            let of_theirs = |form: &String| self.codes_of.get(form).is_none_or(|of| of.is_disjoint(&codes));
            who || self.codes_of.contains_key(word) && forms.iter().all(of_theirs)
        };
        let else_ = |aside: &Words| {
            aside.unknown.is_empty() && !aside.set.is_empty() && aside.set.iter().all(of_others)
        };
        let certain_other =
            |aside: &Words| self.same(aside).is_some_and(|(other, _)| other.is_disjoint(&codes));
        asides.iter().all(|aside| else_(aside) || certain_other(aside)).then_some(kept)
    }

    /// Whether a part of a label has all its words, so that what else stands there adds none.
    pub fn says_all(&self, label: &str, part: &str) -> bool {
        !is_free_text(label) && self.read(label, true).set == self.read(part, true).set
    }

    /// Whether one text denies what the other says: all words of either but the denial stand in the other.
    pub fn are_opposites(&self, said: &str, denied: &str) -> bool {
        if is_free_text(said) || is_free_text(denied) {
            return false;
        }
        let (said, mut denied) = (self.read(said, true).set, self.read(denied, true).set);
        let says = |words: &BTreeSet<String>| words.iter().any(|word| word != CHILD && word != PARENT);
        denied.remove(NOT)
            && says(&denied)
            && says(&said)
            && (denied.is_subset(&said) || said.is_subset(&denied))
    }

    fn read(&self, text: &str, ages: bool) -> Words {
        let mut read = self.vocabulary.read(text, ages);
        read.weak.extend(read.set.intersection(&self.weak).cloned().collect::<Vec<_>>());
        read
    }

    /// The codes with the same words, and what had to be seen through.
    fn same(&self, read: &Words) -> Option<(BTreeSet<CodeIndex>, u16)> {
        if read.has_number || !read.unknown.is_empty() || read.negations > 1 || read.set.is_empty() {
            return None;
        }
        let without_weak: BTreeSet<String> = read.set.difference(&read.weak).cloned().collect();
        let speaks_of_parent = read.set.contains(PARENT);
        let without_child = |set: &BTreeSet<String>| -> BTreeSet<String> {
            set.iter().filter(|word| *word != CHILD || speaks_of_parent).cloned().collect()
        };
        let [weak, child, _] = SEEN_THROUGH;
        let turns = [
            (read.set.clone(), 0),
            (without_weak.clone(), weak),
            (without_child(&read.set), child),
            (without_child(&without_weak), weak + child),
        ];
        for (set, seen_through) in turns {
            if set.is_empty() {
                continue;
            }
            let fits = |phrase: &&Phrase| {
                let own = &phrase.words;
                own.set == set || seen_through > 0 && !read.weak.is_empty() && strong(own) == set
            };
            let codes: BTreeSet<CodeIndex> =
                self.phrases.iter().filter(fits).map(|phrase| phrase.code).collect();
            if !codes.is_empty() {
                return Some((codes, seen_through));
            }
        }
        None
    }

    /// The codes that a label resembles, best first. The first is certain when [`Recogniser::certain`] has it.
    pub fn suggest(&self, label: &str) -> Vec<Suggestion> {
        if is_free_text(label) {
            return Vec::new();
        }
        let certain = self.certain(label).filter(|(codes, _)| codes.len() == 1).map(|(_, one)| one);
        let mut best: BTreeMap<CodeIndex, Suggestion> = BTreeMap::new();
        for text in readings(label) {
            let read = self.read(&text, true);
            for phrase in self.phrases.iter().filter(|phrase| may_mean(&read, &phrase.words)) {
                let score = self.likeness(&read, &phrase.words);
                if score >= LEAST && best.get(&phrase.code).is_none_or(|known| known.score < score) {
                    let reason = reason_like(&read, &phrase.words);
                    best.insert(phrase.code, Suggestion { code: phrase.code, score, reason });
                }
            }
        }
        if let Some(one) = certain {
            best.insert(one.code, one);
        }
        let mut found: Vec<Suggestion> = best.into_values().collect();
        found.sort_by(|a, b| b.score.cmp(&a.score).then(a.code.cmp(&b.code)));
        found.truncate(MOST);
        found
    }

    /// Twice the weight of the common words over the weight of both (Dice), under [`AUTO`].
    fn likeness(&self, read: &Words, phrase: &Words) -> u16 {
        let weight = |word: &String| match self.codes_of.get(word) {
            Some(codes) => 6 / codes.len().min(6) as u64 + 1,
            None => 2,
        };
        let sum = |words: &mut dyn Iterator<Item = &String>| words.map(weight).sum::<u64>();
        let common = sum(&mut read.set.intersection(&phrase.set));
        let all = sum(&mut read.set.iter()) + sum(&mut phrase.set.iter());
        let score = 2_000 * common / all.max(1);
        u16::try_from(score.saturating_sub(1)).unwrap_or(0).min(AUTO - 1)
    }
}

/// Whether a text is longer than labels are; its time must not be spent on every row.
pub(crate) fn is_free_text(text: &str) -> bool {
    text.len() > MOST_LETTERS && text.chars().count() > MOST_LETTERS
}

/// The words that may not be missing.
fn strong(words: &Words) -> BTreeSet<String> {
    words.set.difference(&words.weak).cloned().collect()
}

/// A label as it stands, and without what a department puts before it.
fn readings(label: &str) -> Vec<String> {
    let folded = clean(label).to_lowercase();
    let mut all = vec![folded.clone()];
    let prefixes = COMMON_PREFIXES.iter().chain(&OTHER_PREFIXES).map(|prefix| prefix.to_lowercase());
    let rest = prefixes.filter_map(|prefix| {
        let rest = folded.strip_prefix(&prefix)?;
        (!rest.starts_with(char::is_alphanumeric))
            .then(|| rest.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned())
    });
    // the longest prefix leaves the shortest rest
    all.extend(rest.filter(|rest| !rest.is_empty()).min_by_key(String::len));
    all
}

/// Departments' prefixes beside the common ones.
const OTHER_PREFIXES: [&str; 8] =
    ["IFO", "B", "BU", "B o U", "Barn o ungdom", "Barn och ungdom", "Barn och familj", "Barn & familj"];

/// Whether a label may be suggested a phrase at all: neither its opposite nor somebody else's.
fn may_mean(read: &Words, phrase: &Words) -> bool {
    let has = |words: &Words, word: &str| words.set.contains(word);
    let whose = |words: &Words| (has(words, CHILD), has(words, PARENT));
    let clash = matches!(
        (whose(read), whose(phrase)),
        ((true, false), (false, true)) | ((false, true), (true, false))
    );
    has(read, NOT) == has(phrase, NOT) && !clash
}

fn reason_same(read: &Words, seen_through: u16) -> String {
    let mut reason = if seen_through == 0 {
        "samma ord".to_owned()
    } else {
        "samma ord så när som på svaga".to_owned()
    };
    for (written, known) in &read.misspelt {
        reason.push_str(&format!("; {written} läst som {known}"));
    }
    reason
}

fn reason_like(read: &Words, phrase: &Words) -> String {
    let list = |words: &mut dyn Iterator<Item = &String>| {
        words.map(|word| word.trim_start_matches('?').to_lowercase()).collect::<Vec<_>>().join(", ")
    };
    let common = list(&mut read.set.intersection(&phrase.set));
    let extra = list(&mut read.set.difference(&phrase.set));
    let missing = list(&mut phrase.set.difference(&read.set));
    let part =
        |head: &str, words: String| if words.is_empty() { String::new() } else { format!("{head} {words}") };
    let parts = [part("gemensamt:", common), part("bara i etiketten:", extra), part("saknas:", missing)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Whether two texts are spelt nearly alike: for suggestions where no word is known.
pub(crate) fn spelt_alike(one: &str, other: &str) -> usize {
    let pairs = |text: &str| {
        let text = fold_accents(text);
        let mut pairs: Vec<(char, char)> = text.chars().zip(text.chars().skip(1)).collect();
        pairs.sort_unstable();
        pairs
    };
    let (one, other) = (pairs(one), pairs(other));
    let (mut i, mut j, mut common) = (0usize, 0usize, 0usize);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    (2_000 * common).checked_div(one.len() + other.len()).unwrap_or(0)
}
