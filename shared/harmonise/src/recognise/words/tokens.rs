//! A label as lower-case words, without what says nothing: law that is cited, departments, numbering, ages.
//!
//! Knows no meaning of a word.

use super::MOST_DIGITS;
use crate::label::clean;

/// Laws: said after a paragraph or *enligt* they are no content.
const LAWS: [&str; 8] = ["sol", "lvu", "lul", "lss", "fb", "osl", "fl", "lob"];

/// Turns of phrase that mean nothing word by word.
const PHRASES: [&[&str]; 19] = [
    &["utan", "dröjsmål"],
    &["fr", "o", "m"],
    &["far", "illa"],
    &["fara", "illa"],
    &["p", "g", "a"],
    &["m", "m"],
    &["på", "grund", "av"],
    // departments
    &["b", "u"],
    &["b", "o", "u"],
    &["b", "och", "u"],
    &["bou"],
    &["bof"],
    &["bu"],
    &["ifo"],
    &["barn", "o", "familj"],
    &["barn", "och", "familj"],
    &["barn", "och", "ungdomsenheten"],
    &["barnenheten"],
    &["ungdomsenheten"],
];

/// Lower-case words; what stands between them is left out, but for the sign of a paragraph and the point of an
/// abbreviation. Departments and turns of phrase go, and so does what law is cited.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut lower = clean(text).to_lowercase();
    for old in ["skadligt bruk", "skadliga bruk", "skadl. bruk", "skadl bruk"] {
        lower = lower.replace(old, "missbruk");
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut chars = lower.chars().chain([' ']).peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        let next = chars.peek().copied();
        if c == '-'
            && !word.is_empty()
            && next.is_some_and(char::is_alphabetic)
            && word.chars().all(char::is_alphabetic)
        {
            word.push('-'); // `norm-brytande` may be one word
            continue;
        }
        if c == '.' && word.chars().count() > 2 {
            word.push('.');
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c == '§' {
            words.push(c.to_string());
        }
    }
    for phrase in PHRASES {
        let same = |found: &[String]| {
            found.iter().zip(phrase).all(|(one, other)| one.trim_end_matches('.') == *other)
        };
        while let Some(at) = words.windows(phrase.len()).position(same) {
            words.drain(at..at + phrase.len());
        }
    }
    // `barn till missbrukare` is about the parent
    for at in 1..words.len() {
        if matches!(words[at].as_str(), "till" | "vars") && words[at - 1] == "barn" {
            (words[at - 1], words[at]) = ("förälder".into(), "till".into());
        }
    }
    let bare = |at: usize| words[at].trim_end_matches('.');
    let cites = |at: usize| {
        let word = bare(at);
        matches!(word, "enl" | "enligt" | "§" | "kap" | "jml" | "st")
            || word.chars().all(|c| c.is_ascii_digit())
    };
    let beside = |at: usize| at > 0 && cites(at - 1) || at + 1 < words.len() && cites(at + 1);
    // `14:1 c SoL`: the letter of a paragraph is beside its number, the law beside the letter
    let letter = |at: usize| words[at].chars().count() == 1 && words[at] != "§" && beside(at);
    let law = |at: usize| {
        LAWS.contains(&bare(at))
            && (beside(at) || at > 0 && letter(at - 1) || at + 1 < words.len() && letter(at + 1))
    };
    let drop = |at: usize| law(at) || letter(at) && !cites(at) || is_own_code(bare(at));
    let keep: Vec<bool> = (0..words.len()).map(|at| !drop(at)).collect();
    words.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(word, _)| word).collect()
}

/// `bu07`, `ifo12`: a department's own numbering. One letter before the digits may be a diagnosis, and is none.
fn is_own_code(word: &str) -> bool {
    let letters = word.chars().take_while(|c| c.is_alphabetic()).count();
    let digits = word.chars().skip(letters).count();
    (2..=4).contains(&letters)
        && (2..=3).contains(&digits)
        && word.chars().skip(letters).all(|c| c.is_ascii_digit())
}

/// `14`, `14.`, `1c`.
fn is_numbering(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) && word.len() - digits.len() <= 1
}

/// Ages, paragraphs and numbering left out, with whom an age is said of.
pub(super) fn without_ages(words: Vec<String>, with_whom: bool) -> Vec<String> {
    let is_number = |word: &str| is_numbering(word) && word.chars().count() <= MOST_DIGITS;
    let is_age = |word: &str| {
        matches!(word.trim_end_matches('.'), "år" | "ar" | "åringar" | "åring" | "års" | "årig" | "åriga")
    };
    let who = |word: &str| {
        with_whom && matches!(word, "barn" | "ungdom" | "unga" | "ungdomar" | "och" | "o" | "i" | "åldern")
    };
    let mut kept: Vec<String> = Vec::new();
    let mut after_age = false;
    let numbers: Vec<bool> = words.iter().map(|word| is_number(word)).collect();
    for (at, word) in words.into_iter().enumerate() {
        let is_range = numbers[at] && (numbers.get(at + 1) == Some(&true) || at > 0 && numbers[at - 1]);
        let paragraph = |word: &String| matches!(word.as_str(), "kap" | "§" | "sol" | "st");
        if numbers[at] {
            // said of children: `barn och unga 0-20`; not of law: `14 kap 1 §`
            if is_range && !kept.last().is_some_and(paragraph) {
                while kept.last().is_some_and(|last| who(last)) {
                    kept.pop();
                }
                after_age = true;
            }
            continue;
        }
        if is_age(&word) {
            after_age = true;
            continue;
        }
        if after_age && who(&word) {
            continue;
        }
        after_age = false;
        kept.push(word);
    }
    kept
}
