//! What the page says, and what an answer on it changes.

use std::path::Path;

use anyhow::{Context, bail};
use askama::Template;
use harmonise::UnmappedLabels;
use jiff::Timestamp;
use serde::Deserialize;
use tables::codebook::Codebook;

use super::Page;
use crate::intake::preview::{self, Shown};
use crate::intake::{check, review};

/// Most labels of each kind on the page; the rest come when these are answered.
const MOST_LABELS: usize = 100;

/// A label to decide on.
struct Label {
    variable: String,
    text: String,
    label: String,
    rows: u64,
    /// Code, text, and whether it is proposed.
    codes: Vec<(String, String, bool)>,
    /// Its code today, which others follow: no single code may take their place.
    several: Option<String>,
}

#[derive(Template)]
#[template(path = "sida.html")]
struct PageView<'a> {
    unit: String,
    by: &'a str,
    lines: Vec<String>,
    verdict: String,
    is_good: bool,
    shown: Option<Shown>,
    unmapped: Vec<Label>,
    recognised: Vec<Label>,
    /// How many more there are of each.
    more: (usize, usize),
    codes_file: Option<String>,
}

#[derive(Template)]
#[template(path = "fel.html")]
struct FaultView<'a> {
    text: &'a str,
}

/// One choice: a label of a variable and its code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    variabel: String,
    etikett: String,
    kod: String,
}

/// A page that says what is wrong.
pub(super) fn fault(text: &str) -> String {
    FaultView { text }.render().unwrap_or_else(|_| "Fel".into())
}

/// The whole page, read anew.
pub(super) fn page(page: &Page) -> anyhow::Result<String> {
    let Page { config, collection, by } = page;
    let book = check::book(Some(config), None)?;
    let asked = check::asked(Some(config), (&[], &[]), &book)?;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let look = check::look(&asked, &book, today, None)?;
    let shown = collection.as_deref().map(|path| preview::shown(config, path)).transpose()?;
    let (unmapped, recognised) = labels(&look.labels, &book);
    let more =
        (look.labels.len() - unmapped.len(), look.labels.recognised_for_operator().len() - recognised.len());
    let view = PageView {
        unit: config.unit.to_string(),
        by,
        verdict: look.verdict(),
        is_good: look.is_good(),
        lines: look.lines,
        shown,
        unmapped,
        recognised,
        more,
        codes_file: config.codes.as_ref().map(|path| path.display().to_string()),
    };
    view.render().context("sidan")
}

/// The labels without a code, and those that only their words gave one.
fn labels(found: &UnmappedLabels, book: &Codebook) -> (Vec<Label>, Vec<Label>) {
    let of = |variable: &str, label: &str, rows: u64, proposed: &[String], several: bool| {
        let variable = book.variables.iter().find(|own| own.id == variable)?;
        let is_proposed = |code: &str| proposed.iter().any(|own| own == code);
        let mut codes: Vec<(String, String, bool)> = variable
            .codes
            .iter()
            .map(|code| (code.code.clone(), code.text.clone(), is_proposed(&code.code)))
            .collect();
        codes.sort_by_key(|(code, ..)| proposed.iter().position(|own| own == code).unwrap_or(proposed.len()));
        let (variable, text) = (variable.id.clone(), variable.text.clone());
        let several = codes.first().filter(|_| several).map(|(_, text, _)| text.clone());
        Some(Label { variable, text, label: label.to_owned(), rows, codes, several })
    };
    let unmapped = found.for_operator().iter().take(MOST_LABELS);
    let recognised = found.recognised_for_operator().iter().take(MOST_LABELS);
    (
        unmapped
            .filter_map(|own| of(own.variables.first()?, &own.label, own.count, &own.suggestions, false))
            .collect(),
        recognised
            .filter_map(|own| {
                of(&own.variable, &own.label, own.count, std::slice::from_ref(&own.code), own.several)
            })
            .collect(),
    )
}

/// Writes a choice into the codes file, if the label stands in the extract and the code in the codebook.
pub(super) fn accept(page: &Page, answer: &Answer) -> anyhow::Result<()> {
    let Page { config, by, .. } = page;
    let Answer { variabel, etikett, kod } = answer;
    let path: &Path = review::codes_file(config)?;
    let book = check::book(Some(config), None)?;
    let variable = book.variables.iter().find(|own| own.id == *variabel);
    if variable.and_then(|own| own.code_index(kod)).is_none() {
        bail!("Välj en av koderna i listan.");
    }
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let asked = check::asked(Some(config), (&[], &[]), &book)?;
    let labels = check::look(&asked, &book, today, None)?.labels;
    let is_unmapped = |own: &harmonise::intake::UnmappedLabel| {
        own.label == *etikett && own.variables.first().is_some_and(|id| id == variabel)
    };
    let is_recognised = |own: &harmonise::intake::RecognisedLabel| {
        own.label == *etikett && own.variable == *variabel && !own.several
    };
    let stands = labels.for_operator().iter().any(is_unmapped)
        || labels.recognised_for_operator().iter().any(is_recognised);
    if !stands {
        bail!("Etiketten står inte längre bland dem att gå igenom. Läs sidan på nytt.");
    }
    let answers = review::Answers::from([(variabel.clone(), vec![(etikett.clone(), kod.clone())])]);
    review::save(path, &answers, (by, today), &book)
}
