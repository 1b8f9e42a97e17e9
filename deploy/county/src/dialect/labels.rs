//! Spells a code as one kommun would.
//!
//! What it does not do: it draws nothing; which of several spellings is used follows from the row's number.
//! Invariant: [`words_of`] is the only list of spellings, used both for the file and for its code map.

use super::specs::Dialect;
use crate::codes::Variable;

/// Everything a dialect may write for a code, before prefix and noise.
pub(crate) fn words_of(dialect: &Dialect, variable: Variable, code: &'static str) -> Vec<String> {
    let codes = variable.codes();
    if dialect.numbered {
        let at = codes.iter().position(|(id, _)| *id == code);
        return at.map(|i| (i + 1).to_string()).into_iter().collect();
    }
    let own = dialect.words.iter().find(|(v, c, _)| *v == variable && *c == code);
    match own {
        Some((_, _, words)) => words.iter().map(|w| (*w).to_owned()).collect(),
        None => codes.iter().filter(|(id, _)| *id == code).map(|(_, text)| (*text).to_owned()).collect(),
    }
}

/// The label of a code in a row.
pub(crate) fn label(dialect: &Dialect, variable: Variable, code: &'static str, row: usize) -> String {
    let words = words_of(dialect, variable, code);
    // A stride prime to the number of words keeps variables of one row out of step.
    let word = words.get((row * 7 + variable as usize) % words.len().max(1)).cloned().unwrap_or_default();
    let noisy = dialect.noisy && variable != Variable::Kon;
    let word = if noisy { with_noise(&word, row) } else { word };
    let prefixes = dialect.prefixes.iter().find(|(v, _)| *v == variable).map_or(&[][..], |(_, p)| *p);
    let prefix = (row % (prefixes.len() + 1)).checked_sub(1).and_then(|i| prefixes.get(i)).copied();
    format!("{}{word}", prefix.unwrap_or_default())
}

/// Case, NBSP (with a space at the end) or a soft hyphen after the third letter; every fifth label is left
/// alone.
fn with_noise(word: &str, row: usize) -> String {
    match (row / 3) % 5 {
        0 => word.to_uppercase(),
        1 => word.to_lowercase(),
        2 => format!("{} ", word.replace(' ', "\u{a0}")),
        3 => word.chars().take(3).chain(['\u{ad}']).chain(word.chars().skip(3)).collect(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefixed_and_noisy_label_still_holds_its_text() {
        let dialect = Dialect::of("2121").unwrap();
        let all: Vec<String> =
            (0..30).map(|row| label(dialect, Variable::Aktualiseringstyp, "anmalan", row)).collect();
        for expected in ["Anmälan", "Vuxen - ANMÄLAN", "IFO: anmälan", "Anm\u{ad}älan"] {
            assert!(all.iter().any(|l| l == expected), "{expected}: {all:?}");
        }
    }

    #[test]
    fn a_numbered_dialect_writes_the_position_of_the_code() {
        let dialect = Dialect::of("2132").unwrap();
        assert_eq!(label(dialect, Variable::Anmalare, "polisen", 5), "7");
        assert_eq!(label(dialect, Variable::Kon, "kvinna", 5), "2");
    }
}
