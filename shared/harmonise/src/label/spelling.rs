//! One label spelt in several ways: spaces, case, accents, punctuation at the ends.
//!
//! Knows no word. Cleaning and folding never bring two letters together that differ in more than an accent.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

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

pub(super) fn is_edge(c: char) -> bool {
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
