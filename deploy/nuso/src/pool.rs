//! How many spellings the study has, and which kommun has which.
//!
//! What it does not do: it writes no row. Invariants: every spelling of a pool is dealt to a kommun; every kommun has a spelling of
//! every code; a spelling has one meaning.

use std::collections::{BTreeMap, BTreeSet};

use county::dice::Dice;

use crate::lexicon::{Code, Words};
use crate::style::{Style, is_plain};

/// A label, and its code if anybody can say it.
pub(crate) type Spelling = (String, Option<Code>);

/// The labels one kommun writes, by code; those nobody can read at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vocabulary {
    pub(crate) by_code: Vec<Vec<String>>,
    pub(crate) senseless: Vec<String>,
}

/// `most` spellings of a variable: as they were written down first, in systems' styles when that is not enough.
pub(crate) fn pool(words: &Words, most: usize, senseless: usize, dice: &mut Dice) -> Vec<Spelling> {
    let mut of: BTreeMap<Option<Code>, Vec<String>> = BTreeMap::new();
    let mut seen: BTreeSet<String> = words.labels.iter().map(|(label, _)| label.clone()).collect();
    for (label, code) in &words.labels {
        of.entry(*code).or_default().push(label.clone());
    }
    let mut styled: Vec<Spelling> = Vec::new();
    for (label, code) in words.labels.iter().filter(|(label, code)| code.is_some() && is_plain(label)) {
        let number = code.unwrap_or_default() + 1;
        let written = Style::ALL.iter().map(|style| style.write(label, number));
        styled.extend(written.filter(|written| seen.insert(written.clone())).map(|written| (written, *code)));
    }
    dice.shuffle(&mut styled);
    for (label, code) in styled {
        of.entry(code).or_default().push(label);
    }
    let mut chosen: Vec<Spelling> = Vec::new();
    chosen.extend(of.remove(&None).into_iter().flatten().take(senseless).map(|label| (label, None)));
    // in turn, so that every code has its share of them
    let mut turns: Vec<_> = of.into_iter().map(|(code, labels)| (code, labels.into_iter())).collect();
    while chosen.len() < most {
        let before = chosen.len();
        for (code, labels) in &mut turns {
            chosen.extend(labels.next().map(|label| (label, *code)));
        }
        if chosen.len() == before {
            break;
        }
    }
    chosen.truncate(most.max(words.codes.len() + senseless));
    chosen
}

/// Deals a pool to `kommuner` kommuner.
pub(crate) fn deal(pool: &[Spelling], codes: usize, kommuner: usize, dice: &mut Dice) -> Vec<Vocabulary> {
    let empty = Vocabulary { by_code: vec![Vec::new(); codes], senseless: Vec::new() };
    let mut dealt = vec![empty; kommuner];
    let mut order: Vec<usize> = (0..kommuner).collect();
    dice.shuffle(&mut order);
    for (turn, (label, code)) in pool.iter().enumerate() {
        if let Some(own) = order.get(turn % kommuner.max(1)).and_then(|at| dealt.get_mut(*at)) {
            match code {
                Some(code) => own.by_code[*code].push(label.clone()),
                None => own.senseless.push(label.clone()),
            }
        }
    }
    for (code, usual) in by_code(pool, codes).into_iter().enumerate() {
        for own in dealt.iter_mut().filter(|own| own.by_code[code].is_empty()) {
            // the first half are the words that most people choose
            let at = dice.index(usual.len().div_ceil(2));
            own.by_code[code].extend(usual.get(at).cloned());
        }
    }
    dealt
}

fn by_code(pool: &[Spelling], codes: usize) -> Vec<Vec<String>> {
    let mut of = vec![Vec::new(); codes];
    for (label, code) in pool {
        if let Some(code) = code {
            of[*code].push(label.clone());
        }
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::{Field, words};

    #[test]
    fn a_pool_has_as_many_spellings_as_asked_for_and_all_are_dealt() {
        let words = words(Field::Orsak);
        let mut dice = Dice::new(1, 1);
        let pool = pool(&words, 1_300, 60, &mut dice);
        let distinct: BTreeSet<&String> = pool.iter().map(|(label, _)| label).collect();
        assert_eq!((pool.len(), distinct.len()), (1_300, 1_300));
        let dealt = deal(&pool, words.codes.len(), 78, &mut dice);
        let all: BTreeSet<&String> =
            dealt.iter().flat_map(|own| own.by_code.iter().flatten().chain(&own.senseless)).collect();
        assert_eq!(all, distinct);
        assert!(dealt.iter().all(|own| own.by_code.iter().all(|labels| !labels.is_empty())));
    }
}
