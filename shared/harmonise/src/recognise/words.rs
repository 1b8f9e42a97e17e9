//! A label as a set of words with one meaning each.
//!
//! Inflection is taken off (Snowball for Swedish), words of the lexicon that mean the same become one, compounds of known
//! words are taken apart, lost accents and single misspelt letters are seen through where only one known word is near. Ages,
//! paragraphs of law and numbering go; words without meaning too. Who (*barn*, *förälder*), towards whom (*mot*, *av*) and
//! whether (*ej*) are kept as words of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use rust_stemmers::{Algorithm, Stemmer};

use crate::label::{fold_accents, same_but_for_accents};

mod tokens;

use tokens::{tokens, without_ages};

/// Words of the trade that mean the same.
const LEXICON: &str = include_str!("lexicon.txt");
/// Shortest word that may be misspelt by a letter, and by two.
const MISSPELT: [usize; 2] = [6, 10];
/// Shortest abbreviation, without a point after it (none: *ensam* is no *ensamkommande*) and with.
const SHORTENED: [usize; 2] = [usize::MAX, 3];
/// Shortest parts of a compound.
const PARTS: (usize, usize) = (4, 4);
/// Digits that no age, paragraph or numbering has.
const MOST_DIGITS: usize = 4;

/// Words that say what somebody has to do with it.
const TOWARDS: [(&str, &str); 4] = [("mot", "mot"), ("av", "av"), ("från", "av"), ("med", "med")];
/// What somebody does to somebody: the first stands for all.
const DOES: [&str; 6] = ["slår", "slog", "misshandlar", "hotar", "sparkar", "knuffar"];

/// Who a label speaks of.
pub const CHILD: &str = "BARN";
pub const PARENT: &str = "FORALDER";
/// What turns a label into its opposite.
pub const NOT: &str = "EJ";

/// The words of one text. STAY-1: no `Debug`, they are a label's.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The meanings.
    pub set: BTreeSet<String>,
    /// Those of them that may be missing.
    pub weak: BTreeSet<String>,
    /// How often it is turned into its opposite.
    pub negations: usize,
    /// Words that were read as others: misspelt.
    pub misspelt: Vec<(String, String)>,
    /// Words that nothing is known of.
    pub unknown: BTreeSet<String>,
    /// Whether it holds what looks like a number of a person or a case.
    pub has_number: bool,
}

/// What a word is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Stop,
    Weak(String),
    Not,
    Child,
    Parent,
    Meaning(String),
}

/// The words that are known: those of the lexicon and those of a variable's texts.
pub struct Vocabulary {
    stemmer: Stemmer,
    words: HashMap<String, Kind>,
    stems: HashMap<String, Kind>,
    /// Without accents → the words and what they are.
    bare: HashMap<String, Vec<(String, Kind)>>,
    /// Known words by length, for misspelt ones.
    by_length: BTreeMap<usize, Vec<String>>,
    /// What was found for words that are none of them: free text repeats its words.
    looked_up: Mutex<HashMap<String, Option<String>>>,
}

/// Most words whose spelling is remembered; the others are looked up anew.
const MOST_LOOKED_UP: usize = 20_000;
/// Longest word that is taken apart or taken for a misspelt one.
const LONGEST_WORD: usize = 40;

impl Vocabulary {
    /// The lexicon with the words of some texts.
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut own = Self {
            stemmer: Stemmer::create(Algorithm::Swedish),
            words: HashMap::new(),
            stems: HashMap::new(),
            bare: HashMap::new(),
            by_length: BTreeMap::new(),
            looked_up: Mutex::default(),
        };
        let mut section = "";
        for line in LEXICON.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            let (head, rest) = line.split_once(" = ").unwrap_or(("", line));
            for word in rest.split_whitespace().chain((!head.is_empty()).then_some(head)) {
                let kind = match section {
                    "[stopp]" => Kind::Stop,
                    "[svagt]" => Kind::Weak(own.stem(word)),
                    "[nej]" => Kind::Not,
                    "[barn]" => Kind::Child,
                    "[foralder]" => Kind::Parent,
                    _ => Kind::Meaning(head.to_owned()),
                };
                own.learn(word, kind);
            }
        }
        let mut fresh = BTreeSet::new();
        for text in texts {
            let words = tokens(text).into_iter().flat_map(|word| {
                word.trim_end_matches('.').split('-').map(str::to_owned).collect::<Vec<_>>()
            });
            fresh.extend(words.filter(|word| word.chars().any(char::is_alphabetic)));
        }
        // longer words may be compounds of shorter ones
        let mut fresh: Vec<String> = fresh.into_iter().collect();
        fresh.sort_by_key(|word| (word.chars().count(), word.clone()));
        for word in fresh {
            if own.plain(&word).is_none() && own.compound(&word).is_none() {
                let kind = Kind::Meaning(own.stem(&word));
                own.learn(&word, kind);
            }
        }
        own
    }

    fn stem(&self, word: &str) -> String {
        self.stemmer.stem(word).into_owned()
    }

    fn learn(&mut self, word: &str, kind: Kind) {
        if self.words.contains_key(word) {
            return; // the first line says it
        }
        let stem = self.stem(word);
        self.bare.entry(fold_accents(word)).or_default().push((word.to_owned(), kind.clone()));
        if !matches!(kind, Kind::Stop | Kind::Not) && stem.chars().count() >= 3 {
            self.bare.entry(fold_accents(&stem)).or_default().push((stem.clone(), kind.clone()));
            self.stems.entry(stem).or_insert_with(|| kind.clone());
        }
        self.by_length.entry(word.chars().count()).or_default().push(word.to_owned());
        self.words.insert(word.to_owned(), kind);
    }

    /// A known word, by itself, by its stem, or without its accents.
    fn plain(&self, word: &str) -> Option<Kind> {
        if let Some(kind) = self.words.get(word) {
            return Some(kind.clone());
        }
        let stem = self.stem(word);
        if let Some(kind) = self.stems.get(&stem).filter(|_| stem.chars().count() >= 3) {
            return Some(kind.clone());
        }
        [word, stem.as_str()].into_iter().find_map(|text| {
            let known = self.bare.get(&fold_accents(text))?.iter();
            let known =
                known.filter(|(spelt, _)| same_but_for_accents(spelt, text) && text.chars().count() >= 3);
            let kinds: Vec<&Kind> = known.map(|(_, kind)| kind).collect();
            let first = *kinds.first()?;
            kinds.iter().all(|kind| *kind == first).then(|| first.clone())
        })
    }

    /// The parts of a compound of two known words, where there is one way only to take it apart.
    fn compound(&self, word: &str) -> Option<Vec<Kind>> {
        let letters: Vec<char> = word.chars().collect();
        let mut found: Option<Vec<Kind>> = None;
        for at in PARTS.0..letters.len().saturating_sub(PARTS.1 - 1) {
            let left: String = letters[..at].iter().collect();
            let right: String = letters[at..].iter().collect();
            let joints = [left.clone(), left.strip_suffix('s').unwrap_or("").to_owned()];
            let left =
                joints.iter().filter(|left| left.chars().count() >= 3).find_map(|left| self.plain(left));
            let (Some(left), Some(right)) = (left, self.plain(&right)) else {
                continue;
            };
            if [&left, &right].iter().any(|kind| matches!(kind, Kind::Stop | Kind::Not)) {
                continue;
            }
            match &found {
                Some(known) if *known != [left.clone(), right.clone()] => return None,
                _ => found = Some(vec![left, right]),
            }
        }
        found
    }

    /// The known word that an abbreviation begins, if all that it begins mean the same.
    fn shortened(&self, word: &str, least: usize) -> Option<String> {
        if word.chars().count() < least || word.chars().any(|c| c.is_ascii_digit()) {
            return None;
        }
        let begins = |known: &&String| {
            known.starts_with(word) || {
                let start: String = known.chars().take(word.chars().count()).collect();
                same_but_for_accents(&start, word)
            }
        };
        let longer = self.by_length.range(word.chars().count() + 1..).flat_map(|(_, words)| words);
        let begun: Vec<&String> = longer.filter(begins).collect();
        let first = *begun.first()?;
        let kind = self.words.get(first);
        begun.iter().all(|known| self.words.get(*known) == kind).then(|| first.clone())
    }

    /// [`Vocabulary::misspelt`], remembered.
    fn spelt(&self, word: &str) -> Option<String> {
        // a panic of another thread leaves whole entries
        if let Some(known) = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).get(word) {
            return known.clone();
        }
        let found = self.misspelt(word);
        let mut looked_up = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_up.len() < MOST_LOOKED_UP {
            looked_up.insert(word.to_owned(), found.clone());
        }
        found
    }

    /// The known word that a misspelt one must be, if only one is near.
    fn misspelt(&self, word: &str) -> Option<String> {
        let length = word.chars().count();
        let most = MISSPELT.iter().filter(|least| **least <= length).count();
        if most == 0 || word.chars().any(|c| c.is_ascii_digit()) {
            return None;
        }
        let near = self.by_length.range(length.saturating_sub(most + 1)..=length + most + 1);
        let mut best: Option<(usize, &String)> = None;
        let mut kinds: HashSet<String> = HashSet::new();
        let mut ranked: Vec<(usize, &String)> = near
            .flat_map(|(_, words)| words)
            .map(|known| (distance(known, word), known))
            .filter(|(distance, _)| *distance <= most + 1)
            .collect();
        ranked.sort();
        for (distance, known) in ranked {
            let kind = format!("{:?}", self.words.get(known));
            match best {
                None => {
                    best = Some((distance, known));
                    kinds.insert(kind);
                }
                // another meaning as near, or nearly: nobody can tell
                Some((least, _)) if distance <= least + usize::from(least > 1) && !kinds.contains(&kind) => {
                    return None;
                }
                Some(_) => {}
            }
        }
        let (distance, known) = best?;
        let same_start = known.chars().next() == word.chars().next();
        (distance <= most && same_start && !matches!(self.words.get(known), Some(Kind::Not)))
            .then(|| known.clone())
    }

    /// Whether a word says whom a label is about.
    pub fn is_who(&self, word: &str) -> bool {
        matches!(self.plain(&word.to_lowercase()), Some(Kind::Child | Kind::Parent))
    }

    /// The words of a text.
    /// `ages`: whether those whom an age is said of are left out with it.
    pub fn read(&self, text: &str, ages: bool) -> Words {
        let mut words = Words::default();
        let all = tokens(text);
        let digits = |word: &String| word.chars().filter(char::is_ascii_digit).count();
        words.has_number = all.iter().any(|word| digits(word) > MOST_DIGITS)
            || all.windows(2).any(|pair| digits(&pair[0]) + digits(&pair[1]) > 2 * MOST_DIGITS);
        let mut towards: Option<&'static str> = None;
        let mut rest: Vec<String> = without_ages(all, ages);
        rest.reverse();
        while let Some(word) = rest.pop() {
            if let Some((one, other)) = word.split_once('-') {
                let joined = word.replace('-', "");
                let parts = if self.plain(joined.trim_end_matches('.')).is_some() {
                    vec![joined]
                } else {
                    vec![one.into(), other.into()]
                };
                rest.extend(parts.into_iter().rev());
                continue;
            }
            let (word, point) = match word.strip_suffix('.') {
                Some(word) => (word.to_owned(), true),
                None => (word, false),
            };
            if towards.is_some() && TOWARDS.iter().any(|(known, _)| *known == word) {
                words.unknown.insert(word.clone()); // `mot eller av`: nobody can tell
            }
            if let Some((_, way)) = TOWARDS.iter().find(|(known, _)| *known == word) {
                towards = Some(way);
                continue;
            }
            if DOES.contains(&word.as_str()) {
                // `barnet slår sin mamma`: who stands before it does it to who stands after
                for who in
                    [CHILD, PARENT].into_iter().filter(|who| words.set.contains(*who)).collect::<Vec<_>>()
                {
                    words.set.remove(who);
                    words.set.insert(format!("av {who}"));
                }
                words.set.insert(DOES[0].into());
                towards = Some("mot");
                continue;
            }
            let kinds = self.kinds(&word, point, &mut words);
            for kind in kinds {
                let who = match kind {
                    Kind::Stop => continue,
                    Kind::Not => {
                        words.negations += usize::from(word != "nej"); // `nej, inleds inte` denies once
                        words.set.insert(NOT.into());
                        continue;
                    }
                    Kind::Weak(stem) => {
                        words.weak.insert(stem.clone());
                        words.set.insert(stem);
                        towards = None;
                        continue;
                    }
                    Kind::Child => CHILD,
                    Kind::Parent => PARENT,
                    Kind::Meaning(meaning) => {
                        // `rån mot jämnårig` is not `rån av jämnårig`
                        let meaning = match towards.take() {
                            Some(way) if way != "med" => format!("{way} {meaning}"),
                            _ => meaning,
                        };
                        words.set.insert(meaning);
                        continue;
                    }
                };
                match towards.take() {
                    Some(way) => words.set.insert(format!("{way} {who}")),
                    None => words.set.insert(who.into()),
                };
            }
        }
        words
    }

    fn kinds(&self, word: &str, point: bool, words: &mut Words) -> Vec<Kind> {
        if let Some(kind) = self.plain(word) {
            return vec![kind];
        }
        if word.chars().count() > LONGEST_WORD {
            words.unknown.insert(word.to_owned());
            return vec![Kind::Meaning(format!("?{word}"))];
        }
        if let Some(parts) = self.compound(word) {
            return parts;
        }
        if let Some(known) = self.shortened(word, SHORTENED[usize::from(point)]).or_else(|| self.spelt(word))
        {
            words.misspelt.push((word.to_owned(), known.clone()));
            return self.words.get(&known).cloned().into_iter().collect();
        }
        words.unknown.insert(word.to_owned());
        vec![Kind::Meaning(format!("?{word}"))]
    }
}

/// Insertions, deletions, changes and swaps of neighbours between two words (Damerau 1964, optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    (0..=a.len()).for_each(|i| rows[i][0] = i);
    (0..=b.len()).for_each(|j| rows[0][j] = j);
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests;
