//! A field that lists several labels, each of which must fit.
//!
//! Tells a list from one label whose words are those of two, and from one that denies what it says. Gives no part a code that nobody could:
//! where it is left open whose a part is, the list has none.

use super::spelling::fold_case;
use super::{Codes, Matcher, negates};
use crate::recognise::{Recogniser, is_free_text};

/// Between several reasons in one field, in the order they are tried.
pub(super) const SEPARATORS: [&str; 15] =
    ["\n", "|", "¦", ";", ",", "–", "—", " - ", "+", "•", "/", " och ", " samt ", " o ", "&"];

/// What does nothing but separate.
const LISTING: [char; 7] = ['\n', '|', '¦', ';', '+', '•', '–'];

impl Matcher<'_> {
    /// The parts of a list whose words taken together would be one code: *kriminalitet + barn som brottsoffer* is two. A list is
    /// believed if what separates it does nothing else, if each part has several words, if no part has that code, or if one part
    /// has all the words.
    pub(super) fn outweighed(&self, label: &str, whole: &Codes) -> Option<Vec<Codes>> {
        let list = self.list(label, &SEPARATORS).filter(|_| self.variable.several)?;
        if list.len() < 2 || list.iter().all(|codes| codes == whole) {
            return None;
        }
        let label =
            [" och ", " samt ", " o "].iter().fold(even(label), |label, word| label.replace(word, ","));
        let mut parts = label.split([',', '/', '&', '-']);
        let says_itself = parts.clone().all(|part| part.split_whitespace().nth(1).is_some());
        // `kriminalitet, utsatt för brott`: the words of one part are those of both, and the other would be lost
        let hides_another = |words: &Recogniser| parts.any(|part| words.says_all(&label, part));
        let is_list = label.contains(LISTING)
            || says_itself
            || !list.contains(whole)
            || self.words.as_ref().is_some_and(hides_another);
        is_list.then_some(list)
    }

    /// Whether a label is a list that says a thing and its opposite: *utredning inleds / inleds ej*.
    pub(super) fn contradicts_itself(&self, label: &str) -> bool {
        let Some(words) = self.words.as_ref().filter(|_| !is_free_text(label)) else { return false };
        let label = &even(label);
        SEPARATORS.iter().chain(&[" eller "]).any(|separator| {
            let parts: Vec<&str> =
                label.split(separator).filter(|part| !fold_case(part).is_empty()).collect();
            let (denied, said): (Vec<&str>, Vec<&str>) = parts.into_iter().partition(|part| negates(part));
            denied.iter().any(|no| said.iter().any(|yes| words.are_opposites(yes, no)))
        })
    }

    /// The parts of a list, if every part is a label, and all of them or none are denied: *inleds / inleds ej* says
    /// nothing.
    pub(super) fn list(&self, label: &str, separators: &[&str]) -> Option<Vec<Codes>> {
        let numbered: String;
        let mut label = label;
        if separators.len() == SEPARATORS.len() {
            numbered = without_numbering(&even(label)); // `1) … 2) …`
            label = &numbered;
        }
        let (&separator, finer) = separators.split_first()?;
        if !label.contains(separator) {
            return self.list(label, finer);
        }
        let parts: Vec<&str> = label.split(separator).filter(|part| !fold_case(part).is_empty()).collect();
        if parts.iter().any(|part| negates(part)) && !parts.iter().all(|part| negates(part)) {
            return None;
        }
        let who = self.whom_at_the_end(label);
        if parts.iter().any(|part| self.speaks_of_parent(part)) && self.leaves_open_whose(&parts) {
            return None;
        }
        let mut all = Vec::new();
        for part in parts {
            let mut codes = self.whole(part);
            if let (true, Some(who)) = (codes.is_empty(), &who) {
                codes = self.whole(&format!("{part} {who}"));
            }
            match codes {
                codes if codes.is_empty() => all.extend(self.list(part, finer)?),
                codes => all.push(codes),
            }
        }
        (!all.is_empty()).then_some(all)
    }

    fn speaks_of_parent(&self, part: &str) -> bool {
        self.words.as_ref().is_some_and(|words| words.speaks_of_parent(part))
    }

    /// Whether a part that does not say of whom it speaks would be another code if it were the parent's: beside what is the parent's,
    /// *förälders missbruk + brott*, nobody knows whose it is. Where the list has the parent's too, *förälders kriminalitet,
    /// kriminalitet*, it is not that.
    fn leaves_open_whose(&self, parts: &[&str]) -> bool {
        let Some(words) = &self.words else { return false };
        let says_whom =
            |part: &str| part.split(|c: char| !c.is_alphanumeric()).any(|word| words.is_who(word));
        let codes: Vec<Codes> = parts.iter().map(|part| self.whole(part)).collect();
        parts.iter().zip(&codes).any(|(part, own)| {
            if own.is_empty() || says_whom(part) || self.speaks_of_parent(part) {
                return false;
            }
            let theirs = self.whole(&format!("{part} förälder"));
            !theirs.is_empty() && theirs != *own && !codes.contains(&theirs)
        })
    }

    /// Whom a list is about, said once at its end: *missbruk och psykisk ohälsa hos förälder*.
    fn whom_at_the_end(&self, label: &str) -> Option<String> {
        let words = self.words.as_ref()?;
        let last = label.split(|c: char| !c.is_alphanumeric()).rfind(|word| !word.is_empty())?;
        words.is_who(last).then(|| last.to_owned())
    }
}

/// Lower case, and spaces that break: what separates is written in these.
fn even(label: &str) -> String {
    label.to_lowercase().replace('\u{a0}', " ").replace('\u{ad}', "")
}

/// `1) våld 2) skolk` as `; våld ; skolk`.
fn without_numbering(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in label.chars() {
        match c {
            ')' if out.ends_with(|last: char| last.is_ascii_digit()) && !out.contains('(') => {
                out.truncate(out.trim_end_matches(|last: char| last.is_ascii_digit()).len());
                out.push(';');
            }
            c => out.push(c),
        }
    }
    out
}
