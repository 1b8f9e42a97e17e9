//! Writes an attack down: the list of withheld cells, and a summary in Swedish.
//!
//! The list is `table;column;row;mark;lower;upper;recovered`: tables, then columns, then rows as they first occur.
//! For cells of large blocks the ends are those that bounds alone give: the value lies between them, and more of them may
//! be ruled out above the threshold.
//! `recovered` is `true` or `false`; `not_certified` where the budget did not settle it (the ends are then the
//! widest they can be) and `contradiction` where the relations contradict the marks (no ends). An `upper` that has no
//! end is empty. Withheld cells of no relation are not listed unless the publication says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::attack::{Abort, Attack, Finding, Outcome, Verdict};
use super::explain::{self, Claim, Explainer, with_own};
use super::protection::{ByInsider, Protection, kommun, least};
use super::truth::Truth;
use super::{Cell, CellIndex, Figure, Publication};

/// Most computable cells that are explained; the others are listed.
const MOST_EXPLAINED: usize = 200;
/// Most cells of any other list of the summary.
const MOST_LISTED: usize = 50;

/// The list of withheld cells, UTF-8 without byte order mark, LF.
///
/// # Errors
/// When the text cannot be assembled, which is our fault and never the input's.
pub fn list(publication: &Publication, attack: &Attack) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    writer.write_record(["table", "column", "row", "mark", "lower", "upper", "recovered"])?;
    for finding in &attack.findings {
        let cell = &publication.cells[finding.cell];
        let mark = cell.withheld().map_or("", |(mark, _)| mark);
        let end = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let (lower, upper, recovered) = match &finding.outcome {
            Outcome::Interval { lower, upper, .. } => {
                let recovered = if finding.outcome.recovered().is_some() { "true" } else { "false" };
                (lower.to_string(), end(*upper), recovered)
            }
            Outcome::Shown { lower, upper, .. } => (lower.to_string(), end(*upper), "false"),
            Outcome::NotCertified { lower, upper } => (lower.to_string(), end(*upper), "not_certified"),
            Outcome::Contradiction => (String::new(), String::new(), "contradiction"),
        };
        writer.write_record([&cell.table, &cell.column, &cell.row, mark, &lower, &upper, recovered])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::other(error).into())
}

/// Which narrowed cells the summary lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrowed {
    /// Those that are narrower than their mark says.
    ByMark,
    /// Those with values under a threshold that cannot be.
    Below(u64),
    /// None: [`protection`] says it of the small cells.
    Unlisted,
}

/// The summary. `abort` may end the search for explanations.
pub fn summary(publication: &Publication, attack: &Attack, listed: Narrowed, abort: Abort<'_>) -> String {
    let explainer = Explainer::reader(publication, abort);
    let mut text = String::new();
    // infallible: writing to a String
    let _ = writeln!(text, "{}", counts(publication, attack));
    computable(publication, attack, &explainer, &mut text);
    contradictions(publication, attack, &mut text);
    let open = |finding: &&Finding| matches!(finding.outcome, Outcome::NotCertified { .. });
    let open: Vec<String> =
        attack.findings.iter().filter(open).map(|finding| place(publication, finding.cell)).collect();
    section(&mut text, "Kunde inte avgöras inom arbetsgränsen (räknas inte som säkra)", &open);
    match listed {
        Narrowed::Unlisted => {}
        Narrowed::Below(min_count) => {
            let title = format!("Värden under {min_count} som går att utesluta");
            section(&mut text, &title, &narrowed_below(publication, attack, &explainer, min_count));
        }
        Narrowed::ByMark => section(
            &mut text,
            "Går inte att räkna ut, men är snävare än märket säger",
            &narrowed(publication, attack, &explainer),
        ),
    }
    section(
        &mut text,
        "Undertryckta celler som inte kan granskas, för inget samband nämner dem",
        &unrelated(publication, attack),
    );
    section(&mut text, "Kunde inte användas i granskningen", &publication.unused);
    section(&mut text, "Antaganden", &publication.notes);
    text.push_str(match attack.verdict() {
        Verdict::Nothing => "\nSlutsats: ingen granskad cell går att räkna ut.\n",
        Verdict::Computable => "\nSlutsats: INTE SÄKER. Undertryckta celler går att räkna ut.\n",
        Verdict::NotCertified => {
            "\nSlutsats: INTE AVGJORT. Inget gick att räkna ut, men allt kunde inte granskas.\n"
        }
    });
    text
}

/// Whether the small cells are protected, for whoever has the counts. `abort` may end the search for explanations.
pub fn protection(
    publication: &Publication,
    (attack, found): (&Attack, &Protection),
    truth: &Truth,
    min_count: u64,
    abort: Abort<'_>,
) -> String {
    let places = |cells: &[CellIndex]| cells.iter().map(|cell| place(publication, *cell)).collect::<Vec<_>>();
    let mut text = String::new();
    // infallible: writing to a String
    let _ = writeln!(text, "\nSmå celler (1 till {}): {} undertryckta.", min_count - 1, found.small);
    section(&mut text, "Små celler som visas", &places(&found.shown));
    section(&mut text, "Små celler som går att räkna ut", &places(&found.computable));
    let explainer = Explainer::reader(publication, abort);
    let at: BTreeMap<CellIndex, &Finding> =
        attack.findings.iter().map(|finding| (finding.cell, finding)).collect();
    let least = least(publication);
    let narrowed = found.narrowed.iter().enumerate().map(|(number, cell)| {
        let from = least[*cell].max(1);
        let claim = at.get(cell).filter(|_| number < MOST_LISTED);
        let claim =
            claim.and_then(|finding| Claim::narrowed(*cell, &finding.outcome, from, Some(min_count - 1)));
        let why = claim.map(|claim| explainer.claim(&claim));
        with_reason(place(publication, *cell), why)
    });
    section(&mut text, "Små celler där värden går att utesluta (SAFE-1)", &narrowed.collect::<Vec<_>>());
    let by = by_insiders(publication, &found.by_insiders, truth, abort);
    section(&mut text, "Små celler som en annan kommun kan räkna ut (SAFE-2)", &by);
    section(&mut text, "Små celler som inte kunde avgöras", &places(&found.open));
    let asked = if found.asks_insiders { "SAFE-1 och SAFE-2" } else { "SAFE-1" };
    text.push_str(&match (found.is_unbroken(), found.holds()) {
        (_, true) => format!("\nSlutsats för de små cellerna: {asked} håller.\n"),
        (true, false) => format!("\nSlutsats för de små cellerna: {asked} INTE AVGJORT.\n"),
        (false, _) => format!("\nSlutsats för de små cellerna: {asked} HÅLLER INTE.\n"),
    });
    text
}

/// Each with how its kommun computes it; whoever has the counts may see them in the words.
fn by_insiders(
    publication: &Publication,
    found: &[ByInsider],
    truth: &Truth,
    abort: Abort<'_>,
) -> Vec<String> {
    let line = |one: &ByInsider| format!("{}, av {}", place(publication, one.cell), one.kommun);
    let mut lines: Vec<String> = found.iter().map(line).collect();
    let explained = found.len().min(MOST_LISTED);
    let kommuner: std::collections::BTreeSet<&str> =
        found[..explained].iter().map(|one| one.kommun.as_str()).collect();
    for code in kommuner {
        let own = publication
            .cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.withheld().is_some() && kommun(cell).as_deref() == Some(code));
        let seen = with_own(publication, own.map(|(at, _)| (at, truth.of_cell(at))));
        let explainer = Explainer::insider(&seen, abort);
        for (one, line) in found[..explained].iter().zip(&mut lines).filter(|(one, _)| one.kommun == code) {
            let why = explainer.claim(&Claim::computed(one.cell, truth.of_cell(one.cell)));
            *line = with_reason(std::mem::take(line), Some(why));
        }
    }
    lines
}

fn with_reason(line: String, why: Option<String>) -> String {
    match why {
        Some(why) => format!("{line}\n    {why}"),
        None => line,
    }
}

fn counts(publication: &Publication, attack: &Attack) -> String {
    let shown = publication.cells.iter().filter(|cell| cell.shown().is_some()).count();
    let is_withheld = |cell: &&Cell| matches!(cell.figure, Figure::Withheld { .. });
    let withheld = publication.cells.iter().filter(is_withheld).count() - publication.crossed.len();
    let crossed = match publication.crossed.len() {
        0 => String::new(),
        n => format!(
            "\n{n} antal för län i kommungrupper trycks inte; granskat är om något av dem är litet och går att räkna ut."
        ),
    };
    let tables: std::collections::BTreeSet<&str> =
        publication.cells.iter().map(|cell| cell.table.as_str()).collect();
    let recovered = attack.findings.iter().filter(|finding| finding.outcome.recovered().is_some()).count();
    let unprinted =
        attack.findings.iter().filter(|finding| publication.crossed.contains(&finding.cell)).count();
    let contradicted = attack
        .findings
        .iter()
        .filter(|finding| {
            finding.outcome == Outcome::Contradiction && !publication.crossed.contains(&finding.cell)
        })
        .count();
    let is_large = |finding: &&Finding| {
        matches!(finding.outcome, Outcome::Shown { .. }) && !publication.crossed.contains(&finding.cell)
    };
    let large = attack.findings.iter().filter(is_large).count();
    let large = match large {
        0 => String::new(),
        n => format!(
            "\nför {n} av dem är ändarna inte beräknade (stora block): prövat är vilka värden under minsta antal de kan ha, inte hur stora de kan vara."
        ),
    };
    format!(
        "Granskning av {} tabeller: {shown} visade antal, {withheld} undertryckta celler, {} samband.\n\
         {} undertryckta celler granskade: {recovered} går att räkna ut. {} block säger emot sig självt ({contradicted} celler).{large}{crossed}",
        tables.len(),
        publication.relations.len(),
        attack.findings.len() - unprinted - contradicted,
        attack.contradictions.len(),
    )
}

fn computable(publication: &Publication, attack: &Attack, explainer: &Explainer<'_>, text: &mut String) {
    let found: Vec<(&Finding, u64)> =
        attack.findings.iter().filter_map(|finding| Some((finding, finding.outcome.recovered()?))).collect();
    let lines: Vec<String> = found
        .iter()
        .take(MOST_EXPLAINED)
        .map(|(finding, value)| {
            let name = marked(publication, finding.cell);
            format!("{name} är {value}.\n    {}", explainer.claim(&Claim::computed(finding.cell, *value)))
        })
        .collect();
    section(text, "Går att räkna ut", &lines);
    if found.len() > lines.len() {
        // infallible: writing to a String
        let _ = writeln!(text, "  … och {} till, se listan", found.len() - lines.len());
    }
}

fn contradictions(publication: &Publication, attack: &Attack, text: &mut String) {
    let lines: Vec<String> = attack
        .contradictions
        .iter()
        .map(|found| {
            let cells = match found.cells.len() {
                0 => String::new(),
                1 => "\n    Blockets undertryckta cell granskas inte.".to_owned(),
                n => format!("\n    Blockets {n} undertryckta celler granskas inte."),
            };
            format!("{}{cells}", explain::contradiction(publication, found))
        })
        .collect();
    section(text, "Samband som säger emot märkenas betydelse eller varandra", &lines);
}

fn narrowed(publication: &Publication, attack: &Attack, explainer: &Explainer<'_>) -> Vec<String> {
    let found = attack.findings.iter().filter(|finding| finding.outcome.recovered().is_none());
    let claims = found.filter_map(|finding| {
        let (_, meaning) = publication.cells[finding.cell].withheld()?;
        let claim = Claim::narrowed(finding.cell, &finding.outcome, meaning.lower, meaning.upper)?;
        matches!(finding.outcome, Outcome::Interval { .. }).then_some((finding, claim))
    });
    explained(publication, claims, explainer)
}

/// Cells of which some value from their least to under `min_count` can be had and another cannot.
fn narrowed_below(
    publication: &Publication,
    attack: &Attack,
    explainer: &Explainer<'_>,
    min_count: u64,
) -> Vec<String> {
    let least = least(publication);
    let found = attack.findings.iter().filter(|finding| finding.outcome.recovered().is_none());
    let claims = found.filter_map(|finding| {
        let from = least[finding.cell].max(1);
        let excluded = finding.outcome.excluded(from, min_count)?;
        let claim = Claim::narrowed(finding.cell, &finding.outcome, from, Some(min_count - 1))?;
        (!excluded.is_empty()).then_some((finding, claim))
    });
    explained(publication, claims, explainer)
}

/// Cells, what they can be, and for those that are listed why no more.
fn explained<'f>(
    publication: &Publication,
    claims: impl Iterator<Item = (&'f Finding, Claim)>,
    explainer: &Explainer<'_>,
) -> Vec<String> {
    let line = |(number, (finding, claim)): (usize, (&Finding, Claim))| {
        let values = match &finding.outcome {
            Outcome::Interval { lower, upper, holes } => values(*lower, *upper, holes),
            Outcome::Shown { lower, holes, .. } => values(*lower, None, holes),
            Outcome::NotCertified { .. } | Outcome::Contradiction => String::new(),
        };
        let why = (number < MOST_LISTED).then(|| explainer.claim(&claim));
        with_reason(format!("{}: {values}", marked(publication, finding.cell)), why)
    };
    claims.enumerate().map(line).collect()
}

fn values(lower: u64, upper: Option<u64>, holes: &[u64]) -> String {
    let range = match upper {
        Some(upper) => format!("{lower}–{upper}"),
        None => format!("minst {lower}"),
    };
    let holes: Vec<String> = holes.iter().map(u64::to_string).collect();
    if holes.is_empty() { range } else { format!("{range} utom {}", holes.join(", ")) }
}

/// Unrelated cells, counted by table and column.
fn unrelated(publication: &Publication, attack: &Attack) -> Vec<String> {
    let mut columns: BTreeMap<(u32, u32), (&Cell, usize)> = BTreeMap::new();
    for cell in attack.unrelated.iter().map(|cell| &publication.cells[*cell]) {
        columns.entry((cell.order.0, cell.order.1)).or_insert((cell, 0)).1 += 1;
    }
    columns.values().map(|(cell, n)| format!("tabell {}, {}: {n} celler", cell.table, cell.column)).collect()
}

fn place(publication: &Publication, cell: CellIndex) -> String {
    let cell = &publication.cells[cell];
    format!("tabell {}, {}, {}", cell.table, cell.column, cell.row)
}

fn marked(publication: &Publication, cell: CellIndex) -> String {
    let mark = publication.cells[cell].withheld().map_or("", |(mark, _)| mark);
    format!("{} ({mark})", place(publication, cell))
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let most = if title == "Går att räkna ut" { MOST_EXPLAINED } else { MOST_LISTED };
    // infallible: writing to a String
    let _ = writeln!(text, "\n{title}:");
    for line in lines.iter().take(most) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > most {
        let _ = writeln!(text, "  … och {} till", lines.len() - most);
    }
}
