//! `node check`: everything there is to say of an extract before a round uses it. Nothing is sent.
//!
//! Rows read and refused, how the files were understood, labels that fit no code, repeated numbers, dates outside the
//! period, disagreements between columns and personnummer, and how each variable is distributed beside the period before: a
//! code that had many rows and has none now is a coding break until somebody says otherwise. The screen is the operator's
//! own; no line of it goes to a log.
//!
//! Ends with 0 usable, 1 usable only by who knows better (a coding break, a variable mostly without codes), 4 not usable.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use harmonise::{KommunCodes, UnmappedLabels};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use tables::codebook::{CodeIndex, Codebook, Given};
use tables::period::Period;
use tables::unit::Unit;

use super::map::codebook;
use super::{Asked, Part, ReadError, source};
use crate::config::Config;

/// Rows of a code in the period before from which none now is a break.
const MANY: u64 = 10;
/// Least share of a variable's written labels that has a code, percent.
const LEAST_MAPPED: u64 = 90;

/// What is to be checked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CheckArguments {
    /// Filer i stället för dem i konfigurationen.
    pub files: Vec<PathBuf>,
    /// Källfil: en fråga till en databas, i stället för det i konfigurationen.
    #[arg(long = "source", visible_alias = "kalla")]
    pub sources: Vec<PathBuf>,
    /// Skriv förslagen om frågans kolumner i källfilen.
    #[arg(long, visible_alias = "skriv")]
    pub write: bool,
    /// Kodbok: en fil, eller barn eller vuxna.
    #[arg(long)]
    pub codebook: Option<PathBuf>,
    /// Period, t.ex. 2024 eller 2024H1; annars året för det senaste datumet.
    #[arg(long)]
    pub period: Option<Period>,
}

/// Nothing to read.
#[derive(Debug, thiserror::Error)]
#[error("ange en fil att läsa, eller --config FIL, eller --source KÄLLFIL")]
pub struct NoFile;

/// What the command line and the configuration together ask for.
pub(crate) fn asked(
    config: Option<&Config>,
    (files, sources): (&[PathBuf], &[PathBuf]),
    book: &Codebook,
) -> anyhow::Result<Asked> {
    let is_named = !files.is_empty() || !sources.is_empty();
    let asked = match config {
        Some(config) => Asked::configured(config, book)?,
        None if !is_named => return Err(NoFile.into()),
        None => {
            // any kommun: without a codes file its number is never looked at
            let unit: Unit = "0180".parse().context("kommunkod")?;
            let codes = KommunCodes::none(unit, book);
            Asked { files: Vec::new(), sources: Vec::new(), codes, sheets: harmonise::Sheets::default() }
        }
    };
    Ok(of_named(asked, (files, sources)))
}

/// With the files and sources that the command line names, if it names any.
fn of_named(mut asked: Asked, (files, sources): (&[PathBuf], &[PathBuf])) -> Asked {
    if !files.is_empty() || !sources.is_empty() {
        (asked.files, asked.sources) = (files.to_vec(), sources.to_vec());
    }
    asked
}

/// The configured codes file, if it is not there.
fn missing_codes(config: Option<&Config>) -> Option<PathBuf> {
    let path = config?.codes.as_ref()?;
    path.try_exists().is_ok_and(|there| !there).then(|| path.clone())
}

/// The codebook that is asked for, else the configuration's.
pub(crate) fn book(config: Option<&Config>, named: Option<&PathBuf>) -> anyhow::Result<Codebook> {
    let own = config.map_or_else(|| PathBuf::from("vuxna"), |config| PathBuf::from(&config.codebook));
    Ok(codebook(named.unwrap_or(&own))?)
}

/// Runs the command.
///
/// # Errors
/// What cannot be read, by file, row and column.
pub fn run(config: Option<&Config>, arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let book = book(config, arguments.codebook.as_ref())?;
    let missing = missing_codes(config);
    let named = (&arguments.files[..], &arguments.sources[..]);
    let asked = match (config, &missing) {
        (Some(config), Some(_)) => of_named(Asked::without_codes(config, &book), named),
        _ => asked(config, named, &book)?,
    };
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    println!("Kodbok: {}", book.name());
    if let Some(path) = &missing {
        println!(
            "! Kodfilen {} finns inte: läser utan kommunens egna rubriker och etiketter. Skapa den med node review, eller ta bort \
             koder under [uttag]; en omgång räknar inte förrän det är gjort.",
            path.display()
        );
    }
    for path in &asked.sources {
        let lines = source::columns(path, asked.reading(&book, today), arguments.write)?;
        lines.iter().for_each(|line| println!("{line}"));
    }
    let look = look(&asked, &book, today, arguments.period)?;
    look.lines.iter().for_each(|line| println!("{line}"));
    let Look { labels, refused, .. } = &look;
    if !labels.is_empty() || !labels.recognised_for_operator().is_empty() {
        match config {
            Some(config) => {
                let path = config.place("granska.toml");
                super::write_review(&path, labels).context("granska.toml")?;
                println!(
                    "Etiketter som inte kunde tolkas, eller bara av sina ord, står i {} (lämnar inte kommunen).",
                    path.display()
                );
            }
            None => println!(
                "{} olika etiketter kunde inte tolkas, {} bara av sina ord; med --config skrivs de till en fil.",
                labels.len(),
                labels.recognised_for_operator().len()
            ),
        }
    }
    if let Some((path, rows)) = refused {
        return Err(ReadError::Rows { path: path.clone(), rows: *rows }.into());
    }
    println!("Slutsats: {}", look.verdict());
    Ok(match (look.read, look.is_good()) {
        (0, _) => ExitCode::from(4),
        (_, true) => ExitCode::SUCCESS,
        (_, false) => ExitCode::from(1),
    })
}

/// What there is to say of an extract, for a screen of the operator's own.
pub(crate) struct Look {
    /// Counts, row numbers and headers; remarkable lines begin with `!`.
    pub(crate) lines: Vec<String>,
    /// Labels to look through.
    pub(crate) labels: UnmappedLabels,
    /// Rows read.
    read: u64,
    /// The first file with refused rows, and how many there are in all files.
    refused: Option<(PathBuf, u64)>,
    has_remarks: bool,
}

impl Look {
    /// Whether a round may use it as it is.
    pub(crate) fn is_good(&self) -> bool {
        self.read > 0 && self.refused.is_none() && !self.has_remarks
    }

    /// The conclusion, in words.
    pub(crate) fn verdict(&self) -> String {
        match (&self.refused, self.read, self.has_remarks) {
            (Some((_, rows)), ..) => format!("{rows} rader avvisades; rätta dem eller räkna utan dem."),
            (None, 0, _) => "inte användbart, inga aktualiseringar.".into(),
            (None, _, false) => "användbart.".into(),
            (None, _, true) => "se det som är märkt med ! innan uttaget används.".into(),
        }
    }
}

/// Reads an extract and says what there is to say of it.
///
/// # Errors
/// As [`Asked::read`].
pub(crate) fn look(
    asked: &Asked,
    book: &Codebook,
    today: Date,
    period: Option<Period>,
) -> Result<Look, ReadError> {
    let mut months = Months::default();
    let mut parts = asked.read(book, today, &mut |date, codes| months.take(date, codes))?;
    let found = Findings::of(&parts, &months, book, period);
    let mut lines: Vec<String> = parts.iter().flat_map(|part| super::describe(part, book)).collect();
    lines.extend(found.lines(book));
    let refused: u64 = parts.iter().map(|part| part.report.refused.total).sum();
    let first = parts.iter().find(|part| part.report.refused.total > 0);
    Ok(Look {
        lines,
        read: parts.iter().map(|part| part.report.read).sum(),
        refused: first.map(|part| (part.path.clone(), refused)),
        has_remarks: !found.is_good(),
        labels: super::labels(&mut parts),
    })
}

/// Rows per month, and per month, variable and code: all that is kept of them.
#[derive(Default)]
struct Months(BTreeMap<(i16, i8), Counted>);

#[derive(Default)]
struct Counted {
    rows: u64,
    codes: HashMap<(usize, CodeIndex), u64>,
}

impl Months {
    fn take(&mut self, date: Date, codes: &[Option<Given>]) {
        let counted = self.0.entry((date.year(), date.month())).or_default();
        counted.rows += 1;
        for (at, code) in codes.iter().enumerate() {
            if let Some(code) = code {
                *counted.codes.entry((at, code.code)).or_default() += 1;
            }
        }
    }
}

/// How the rows are distributed, and what is remarkable.
struct Findings {
    period: Option<(Period, Period)>,
    outside: u64,
    /// Per variable and code the rows of the period and of the one before.
    rows: Vec<BTreeMap<CodeIndex, (u64, u64)>>,
    /// Rows of the two periods.
    all: (u64, u64),
    /// Variables of ages: children grow older, nobody codes them.
    ages: Vec<usize>,
    /// Variables of whose labels too few have a code: index and percent.
    few: Vec<(usize, u64)>,
}

impl Findings {
    fn of(parts: &[Part], months: &Months, book: &Codebook, asked: Option<Period>) -> Self {
        let latest = months.0.keys().next_back();
        let period = asked.or_else(|| format!("{:04}", latest?.0).parse().ok());
        let period = period.and_then(|period| Some((period, before(period)?)));
        let mut found = Self {
            period,
            outside: 0,
            rows: vec![BTreeMap::new(); book.variables.len()],
            all: (0, 0),
            ages: (0..book.variables.len()).filter(|at| book.variables[*at].is_age()).collect(),
            few: Vec::new(),
        };
        for ((year, month), counted) in &months.0 {
            let (Some((now, earlier)), Ok(day)) = (period, Date::new(*year, *month, 1)) else { break };
            let (is_now, was) = (now.contains(day), earlier.contains(day));
            found.outside += if is_now { 0 } else { counted.rows };
            found.all.0 += if is_now { counted.rows } else { 0 };
            found.all.1 += if was { counted.rows } else { 0 };
            for ((at, code), rows) in counted.codes.iter().filter(|_| is_now || was) {
                let Some(codes) = found.rows.get_mut(*at) else { continue };
                let entry = codes.entry(*code).or_default();
                entry.0 += if is_now { *rows } else { 0 };
                entry.1 += if was { *rows } else { 0 };
            }
        }
        for at in 0..book.variables.len() {
            let of = |number: fn(&harmonise::intake::VariableReport) -> u64| -> u64 {
                parts.iter().filter_map(|part| part.report.variables.get(at)).map(number).sum()
            };
            let (mapped, unmapped) = (of(|found| found.mapped), of(|found| found.unmapped));
            if unmapped > 0 && 100 * mapped < LEAST_MAPPED * (mapped + unmapped) {
                found.few.push((at, 100 * mapped / (mapped + unmapped)));
            }
        }
        found
    }

    /// Codes with many rows before and none now, where there are rows now.
    fn breaks(&self) -> Vec<(usize, CodeIndex)> {
        let all = self.rows.iter().enumerate().filter(|(at, _)| !self.ages.contains(at));
        let broken = |(at, codes): (usize, &BTreeMap<CodeIndex, (u64, u64)>)| {
            let zero = codes.iter().filter(|(_, (now, before))| *now == 0 && *before >= MANY);
            zero.map(|(code, _)| (at, *code)).collect::<Vec<_>>()
        };
        if self.all.0 == 0 { Vec::new() } else { all.flat_map(broken).collect() }
    }

    fn is_good(&self) -> bool {
        self.few.is_empty() && self.breaks().is_empty()
    }

    fn lines(&self, book: &Codebook) -> Vec<String> {
        let mut lines = Vec::new();
        let Some((now, before)) = self.period else { return lines };
        lines.push(format!(
            "Period {now}: {} rader, {before}: {} rader; {} rader utanför {now}.",
            self.all.0, self.all.1, self.outside
        ));
        for (at, variable) in book.variables.iter().enumerate() {
            if self.rows[at].is_empty() {
                continue;
            }
            lines.push(format!("{} ({now}, {before}):", variable.text));
            for (code, (rows, earlier)) in &self.rows[at] {
                let text = variable.codes.get(usize::from(*code)).map_or("", |code| code.text.as_str());
                lines.push(format!("  {text}: {rows}, {earlier}"));
            }
        }
        for (at, code) in self.breaks() {
            let variable = &book.variables[at];
            let text = variable.codes.get(usize::from(code)).map_or("", |code| code.text.as_str());
            lines.push(format!(
                "! {}: inga rader med {text} i {now}, men många i {before}. Har kodningen ändrats?",
                variable.text
            ));
        }
        for (at, percent) in &self.few {
            let text = &book.variables[*at].text;
            lines.push(format!(
                "! {text}: bara {percent} procent av etiketterna har en kod (minst {LEAST_MAPPED} väntas)."
            ));
        }
        lines
    }
}

/// The period of the same length that ends the day before.
fn before(period: Period) -> Option<Period> {
    let last = period.first().checked_sub(1.day()).ok()?;
    let months = period.last().month() - period.first().month() + 1;
    let (year, month) = (last.year(), last.month());
    let text = match months {
        12 => format!("{year:04}"),
        6 => format!("{year:04}H{}", month / 6),
        3 => format!("{year:04}K{}", month / 3),
        _ => format!("{year:04}M{month:02}"),
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_before_has_the_same_length() {
        for (period, expected) in [
            ("2024", "2023"),
            ("2024H1", "2023H2"),
            ("2024H2", "2024H1"),
            ("2024K1", "2023K4"),
            ("2024M03", "2024M02"),
        ] {
            assert_eq!(before(period.parse().unwrap()).unwrap().to_string(), expected);
        }
    }

    fn findings(rows: &[(&str, &str, usize)]) -> Vec<String> {
        let mut text = "Datum;Aktualiseringstyp\n".to_owned();
        for (date, label, times) in rows {
            text.push_str(&format!("{date};{label}\n").repeat(*times));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("u.csv");
        std::fs::write(&file, text).unwrap();
        let book = Codebook::barn().unwrap();
        let asked = asked(None, (&[file], &[]), &book).unwrap();
        let mut months = Months::default();
        let day = jiff::civil::date(2025, 3, 1);
        let parts = asked.read(&book, day, &mut |date, codes| months.take(date, codes)).unwrap();
        let found = Findings::of(&parts, &months, &book, None);
        found
            .lines(&book)
            .into_iter()
            .filter(|line| line.starts_with('!') || line.starts_with("Period"))
            .collect()
    }

    #[test]
    fn a_code_that_had_many_rows_and_has_none_is_a_break() {
        let lines = findings(&[
            ("2023-05-01", "Anmälan", 12),
            ("2023-05-01", "Ansökan", 9),
            ("2024-05-01", "Yttrande", 3),
        ]);
        assert_eq!(lines[0], "Period 2024: 3 rader, 2023: 21 rader; 21 rader utanför 2024.");
        assert_eq!(lines.len(), 2, "nine rows are not many: {lines:?}");
        assert!(lines[1].contains("inga rader med Anmälan i 2024"));
        assert_eq!(findings(&[("2023-05-01", "Anmälan", 12), ("2024-05-01", "Anmälan", 1)]).len(), 1);
    }

    #[test]
    fn labels_that_mostly_fit_no_code_are_marked() {
        let lines = findings(&[("2024-05-01", "Anmälan", 8), ("2024-05-01", "qqq", 2)]);
        assert!(lines[1].contains("bara 80 procent"), "{lines:?}");
    }
}
