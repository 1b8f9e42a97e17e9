//! The events of a kommun: what each means, and what is written of it.
//!
//! What it does not do: no file format stands here. Invariants: the meaning is drawn first; [`Meant`] says nothing of a row that a
//! reader must refuse, and nothing of a field whose label nobody can read.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, ToSpan};

use county::dice::Dice;
use county::{Kon, TestNumber};

use crate::chances::Chances;
use crate::lexicon::{Code, Field};
use crate::pool::Vocabulary;
use crate::profile::Profile;

/// First day of the study's year.
const FIRST: Date = date(2023, 1, 1);
/// Of a thousand rows so many …
const OUTSIDE: u32 = 12;
const BROKEN: u32 = 3;
const REPEATED: u32 = 3;
const EMPTY: u32 = 15;
const SENSELESS: u32 = 25;
const SEX_UNKNOWN: u32 = 4;
/// … and of a hundred in a kommun that lists reasons.
const LISTED: u32 = 35;
/// How many lists of reasons a kommun that writes lists has in use.
const LISTS: usize = 108;

/// What a row means to whoever wrote it: the truth. Without `Debug`: it is about somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Meant {
    /// Day of the event.
    pub day: Date,
    /// `kvinna` or `man`, if it is known.
    pub sex: Option<&'static str>,
    /// Whole years on the day, if they are known.
    pub age: Option<u8>,
    /// Type, first reason, decision; by [`Field::ALL`].
    pub codes: [Option<Code>; 3],
}

/// Who a row is about.
#[derive(Clone)]
pub(crate) enum Person {
    Test(TestNumber),
    Reserve(String),
    None,
}

/// What is wrong with a row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NoDate,
    DateForm,
    Future,
}

/// A row as it is written.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) nr: String,
    pub(crate) person: Person,
    pub(crate) day: Date,
    pub(crate) fault: Option<Fault>,
    /// Girl 0, boy 1.
    pub(crate) sex: Option<usize>,
    pub(crate) age: u8,
    pub(crate) labels: [String; 3],
}

/// The rows of a kommun and their meanings; a row that must be refused has none.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) meant: Vec<Meant>,
    /// The lists of reasons in use: the text, and what it lists.
    pub(crate) lists: Vec<(String, Vec<Code>)>,
}

/// Draws one kommun.
pub(crate) struct Writer<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) vocabularies: [&'a Vocabulary; 3],
    pub(crate) chances: &'a Chances,
    pub(crate) dice: Dice,
    /// How often each code was written, so that every spelling is used.
    turns: [Vec<usize>; 3],
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        profile: &'a Profile,
        vocabularies: [&'a Vocabulary; 3],
        chances: &'a Chances,
        dice: Dice,
    ) -> Self {
        let turns = vocabularies.map(|own| vec![0; own.by_code.len() + 1]);
        Self { profile, vocabularies, chances, dice, turns }
    }

    pub(crate) fn write(mut self) -> Rows {
        let lists = self.lists();
        let mut all = Rows { rows: Vec::new(), meant: Vec::new(), lists };
        let days = self.days();
        for (serial, day) in days.into_iter().enumerate() {
            let (row, meant) = self.row(serial, day, &all.lists);
            let again = self.dice.below(1_000) < REPEATED;
            if row.fault.is_none() {
                all.meant.push(meant.clone());
                // the same event exported twice is read twice: the program says so and drops nothing
                all.meant.extend(again.then_some(meant));
            }
            all.rows.extend(again.then(|| row.clone()));
            all.rows.push(row);
        }
        all
    }

    /// Days of the year in order, and some before and after it.
    fn days(&mut self) -> Vec<Date> {
        let dice = &mut self.dice;
        let mut day = || {
            let outside = dice.below(1_000) < OUTSIDE;
            let (first, most) = match (outside, dice.below(2)) {
                (false, _) => (FIRST, 365),
                (true, 0) => (date(2022, 12, 1), 31),
                (true, _) => (date(2024, 1, 1), 31),
            };
            first.saturating_add(SignedDuration::from_hours(24 * i64::from(dice.below(most))))
        };
        let mut days: Vec<Date> = (0..self.profile.rows).map(|_| day()).collect();
        days.sort();
        days
    }

    fn row(&mut self, serial: usize, day: Date, lists: &[(String, Vec<Code>)]) -> (Row, Meant) {
        let (sex, age) = (self.dice.index(2), Chances::age(&mut self.dice));
        let person = self.person(sex, age, day);
        let has_number = matches!(person, Person::Test(_));
        let sex_is_written = self.dice.below(1_000) >= SEX_UNKNOWN;
        let (reason, reason_label) = self.reason(lists);
        let (typ, typ_label) = self.label(Field::Typ, None);
        let (decision, decision_label) = self.label(Field::Atgard, reason);
        let fault = (self.dice.below(1_000) < BROKEN)
            .then(|| [Fault::NoDate, Fault::DateForm, Fault::Future][self.dice.index(3)]);
        let meant = Meant {
            day,
            sex: (sex_is_written || has_number).then_some(["kvinna", "man"][sex]),
            age: (!self.profile.groups_of_age || has_number).then_some(age),
            codes: [typ, reason, decision],
        };
        let row = Row {
            nr: format!("{}-{:05}", day.year(), serial + 1),
            person,
            day,
            fault,
            sex: sex_is_written.then_some(sex),
            age,
            labels: [typ_label, reason_label, decision_label],
        };
        (row, meant)
    }

    /// Somebody of that age; only births to 2013 have numbers of the test series.
    fn person(&mut self, sex: usize, age: u8, day: Date) -> Person {
        if !self.profile.system.columns.iter().any(|(_, holds)| *holds == crate::profile::Holds::Number) {
            return Person::None;
        }
        // a day of the year before the birthday of that age, leap days left out
        let turned = day.saturating_sub(i32::from(age).years());
        let mut birth = turned.saturating_sub(i32::try_from(self.dice.below(360)).unwrap_or_default().days());
        if (birth.month(), birth.day()) == (2, 29) {
            birth = birth.saturating_sub(1.day());
        }
        let number = TestNumber::of(birth, [Kon::Kvinna, Kon::Man][sex]);
        match (number, self.dice.below(20)) {
            (Some(number), 1..) => Person::Test(number),
            (_, 0) => Person::None,
            _ => Person::Reserve(format!("{}-TF{:02}", birth.strftime("%Y%m%d"), self.dice.below(100))),
        }
    }

    fn reason(&mut self, lists: &[(String, Vec<Code>)]) -> (Option<Code>, String) {
        if !self.profile.gives_reasons {
            return (None, String::new());
        }
        if !lists.is_empty() && self.dice.below(100) < LISTED {
            let (text, codes) = &lists[self.dice.index(lists.len())];
            return (codes.first().copied(), text.clone());
        }
        self.label(Field::Orsak, None)
    }

    /// A code and one of its labels; nothing, or what nobody can read, in some rows.
    fn label(&mut self, field: Field, reason: Option<Code>) -> (Option<Code>, String) {
        let at = field as usize;
        let own = self.vocabularies[at];
        let draw = self.dice.below(1_000);
        if draw < EMPTY && field != Field::Typ {
            return (None, String::new());
        }
        if draw < SENSELESS && !own.senseless.is_empty() {
            return (None, self.next(at, own.by_code.len(), &own.senseless));
        }
        let code = self.chances.draw(field, reason, &mut self.dice);
        (Some(code), self.next(at, code, &own.by_code[code]))
    }

    /// The labels of a code in turn.
    fn next(&mut self, field: usize, code: usize, labels: &[String]) -> String {
        let turn = &mut self.turns[field][code];
        *turn += 1;
        labels.get((*turn - 1) % labels.len().max(1)).cloned().unwrap_or_default()
    }

    /// Lists of two to four reasons in the kommun's own words.
    fn lists(&mut self) -> Vec<(String, Vec<Code>)> {
        let Some(between) = self.profile.lists else { return Vec::new() };
        let own = self.vocabularies[Field::Orsak as usize];
        let mut lists: Vec<(String, Vec<Code>)> = Vec::new();
        // small vocabularies may not have so many
        for _ in 0..LISTS * 40 {
            let mut codes: Vec<Code> = Vec::new();
            let mut texts: Vec<&str> = Vec::new();
            for _ in 0..2 + self.dice.index(3) {
                let code = self.chances.draw(Field::Orsak, None, &mut self.dice);
                let fitting: Vec<&String> =
                    own.by_code[code].iter().filter(|label| crate::style::fits_a_list(label)).collect();
                if let (false, true) = (fitting.is_empty(), !codes.contains(&code)) {
                    texts.push(fitting[self.dice.index(fitting.len())]);
                    codes.push(code);
                }
            }
            let text = texts.join(between);
            if codes.len() > 1 && lists.len() < LISTS && lists.iter().all(|(known, _)| *known != text) {
                lists.push((text, codes));
            }
        }
        lists
    }
}
