//! What a kommun's system does to a label: case, lost accents, numbers, the name of a unit, ages.
//!
//! What it does not do: it changes no meaning; a test has every label in every style read.

/// A way of writing labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// As it is.
    Plain,
    /// `SKOLFRÅNVARO`
    Upper,
    /// `skolfranvaro`
    Bare,
    /// `B/U Skolfrånvaro`
    Unit,
    /// `07 Skolfrånvaro`
    Numbered,
    /// `BoU - Skolfrånvaro`
    Dashed,
    /// `Skolfrånvaro 0-17 år`
    Aged,
    /// With spaces that do not break, and one too many at the end.
    Spaced,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Upper,
        Self::Bare,
        Self::Unit,
        Self::Numbered,
        Self::Dashed,
        Self::Aged,
        Self::Spaced,
    ];

    /// The label in this style; `number` is what the system calls its code.
    #[must_use]
    pub fn write(self, label: &str, number: usize) -> String {
        match self {
            Self::Plain => label.to_owned(),
            Self::Upper => label.to_uppercase(),
            Self::Bare => label.to_lowercase().replace(['å', 'ä'], "a").replace('ö', "o"),
            Self::Unit => format!("B/U {label}"),
            Self::Numbered => format!("{number:02} {label}"),
            Self::Dashed => format!("BoU - {label}"),
            Self::Aged => format!("{label} 0-17 år"),
            Self::Spaced => format!("{} ", label.replace(' ', "\u{a0}")),
        }
    }
}

/// Whether a label is plain words that a system could put something before or after; others are written as they are.
#[must_use]
pub fn is_plain(label: &str) -> bool {
    let begins_with_unit = ["BoU", "BoF", "IFO", "Barn"].iter().any(|unit| label.starts_with(unit));
    !begins_with_unit && label.chars().all(|c| c.is_alphabetic() || c == ' ')
}

/// Whether a label can stand in a list without its list becoming another: nothing in it separates or denies.
#[must_use]
pub fn fits_a_list(label: &str) -> bool {
    let apart = ["och", "o", "samt", "eller", "ej", "inte", "icke", "ingen", "utan"];
    is_plain(label) && !label.to_lowercase().split(' ').any(|word| apart.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_writes_a_label_otherwise() {
        let written: std::collections::BTreeSet<String> =
            Style::ALL.iter().map(|style| style.write("Ogiltig frånvaro", 3)).collect();
        assert_eq!(written.len(), Style::ALL.len());
    }

    #[test]
    fn lists_hold_nothing_that_separates_or_denies() {
        assert!(fits_a_list("Ogiltig skolfrånvaro"));
        for label in ["Ej missbruk", "Vårdnad, boende", "Råd och stöd", "07 Skolk", "BoU Skolk"] {
            assert!(!fits_a_list(label), "{label}");
        }
    }
}
