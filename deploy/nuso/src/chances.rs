//! How often the study's events are of each kind.
//!
//! What it does not do: these are no measured figures, but for what the study's report prints: where an inquiry is opened in 81 of 100
//! events (unaccompanied children), 72 (violence against the child), 35 (a parent's harmful use), 24 (economic hardship), and that
//! ages 15–17 have nearly four times the events of ages 0–2.

use county::dice::Dice;

use crate::lexicon::{Code, Field, Words};

/// Types, of a thousand.
const TYPES: [(&str, u32); 7] = [
    ("anmalan", 800),
    ("ansokan", 90),
    ("annat_satt", 40),
    ("yttrande", 40),
    ("overflyttning", 10),
    ("forfragan", 10),
    ("ovrigt", 10),
];

/// Reasons: weight, and in how many of a hundred events an inquiry is opened.
const REASONS: [(&str, u32, u32); 22] = [
    ("annat", 60, 25),
    ("bevittnat_vald", 80, 55),
    ("brott_barn", 90, 35),
    ("brott_foralder", 20, 35),
    ("ekonomi_boende", 30, 24),
    ("ensamkommande", 12, 81),
    ("funktion_barn", 25, 35),
    ("heder", 15, 70),
    ("missbruk_barn", 60, 40),
    ("missbruk_foralder", 80, 35),
    ("normbrytande", 55, 40),
    ("omsorgssvikt", 90, 45),
    ("psykisk_ohalsa_barn", 65, 30),
    ("psykisk_ohalsa_foralder", 45, 35),
    ("relation", 60, 40),
    ("sexuella_overgrepp", 25, 55),
    ("sjukdom_foralder", 12, 35),
    ("skola", 75, 35),
    ("utsatt_for_brott", 35, 30),
    ("vald_av_barn", 30, 45),
    ("vald_mot_barn", 110, 72),
    ("vardnadskonflikt", 45, 30),
];

/// Decisions where no inquiry is opened, of a hundred.
const OTHERWISE: [(&str, u32); 6] = [
    ("pafors_utredning", 20),
    ("inleds_ej", 50),
    ("inleds_ej_insats", 10),
    ("pafors_arende", 8),
    ("overlamnas", 6),
    ("annan_atgard", 6),
];

/// Where the reason is not known.
const USUAL_SHARE: u32 = 42;
const OPENED: &str = "utredning_inleds";

/// Ages 0 to 17.
const AGES: [u32; 18] = [28, 15, 17, 22, 25, 28, 34, 38, 40, 42, 44, 48, 55, 66, 76, 82, 83, 73];

/// What is drawn from: weights in the order of the words' codes.
pub(crate) struct Chances {
    types: Vec<u32>,
    reasons: Vec<u32>,
    opened: Vec<u32>,
    otherwise: Vec<u32>,
    open: Code,
}

fn weights(codes: &[String], of: impl Fn(&str) -> u32) -> Vec<u32> {
    codes.iter().map(|code| of(code)).collect()
}

fn listed(list: &[(&str, u32)], code: &str) -> u32 {
    list.iter().find(|(id, _)| *id == code).map_or(0, |(_, weight)| *weight)
}

impl Chances {
    /// Chances of the codes of three variables, in [`Field::ALL`]'s order.
    pub(crate) fn new(words: &[Words; 3]) -> Self {
        let [types, reasons, decisions] = words.each_ref().map(|words| &words.codes);
        let reason = |code: &str| REASONS.iter().find(|(id, ..)| *id == code);
        Self {
            types: weights(types, |code| listed(&TYPES, code)),
            reasons: weights(reasons, |code| reason(code).map_or(0, |(_, weight, _)| *weight)),
            opened: weights(reasons, |code| reason(code).map_or(0, |(.., share)| *share)),
            otherwise: weights(decisions, |code| listed(&OTHERWISE, code)),
            open: decisions.iter().position(|code| code == OPENED).unwrap_or_default(),
        }
    }

    /// A code of the field; a decision by the reason.
    pub(crate) fn draw(&self, field: Field, reason: Option<Code>, dice: &mut Dice) -> Code {
        match field {
            Field::Typ => of(&self.types, dice),
            Field::Orsak => of(&self.reasons, dice),
            Field::Atgard => {
                let share = reason.map_or(USUAL_SHARE, |reason| self.opened[reason]);
                if dice.below(100) < share { self.open } else { of(&self.otherwise, dice) }
            }
        }
    }

    /// An age in years.
    pub(crate) fn age(dice: &mut Dice) -> u8 {
        u8::try_from(of(&AGES, dice)).unwrap_or_default()
    }
}

/// A place in a list, by weight.
fn of(weights: &[u32], dice: &mut Dice) -> usize {
    let mut draw = dice.below(weights.iter().sum());
    for (at, weight) in weights.iter().enumerate() {
        match draw.checked_sub(*weight) {
            Some(rest) => draw = rest,
            None => return at,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::words;

    #[test]
    fn every_code_can_be_drawn() {
        let words = Field::ALL.map(words);
        let chances = Chances::new(&words);
        assert!(chances.types.iter().chain(&chances.reasons).all(|weight| *weight > 0));
        let never = chances.otherwise.iter().filter(|weight| **weight == 0).count();
        assert_eq!((never, words[2].codes[chances.open].as_str()), (1, OPENED));
    }

    #[test]
    fn the_oldest_have_nearly_four_times_the_events_of_the_youngest() {
        assert_eq!(AGES[15..].iter().sum::<u32>() * 10 / AGES[..3].iter().sum::<u32>(), 39);
    }
}
