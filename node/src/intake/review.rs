//! `node review`: the labels that fit no code, one at a time in the terminal, and the answers into the kommun's codes file.
//!
//! Each label is shown with how many rows have it and the codes it resembles; the operator answers with a number, a code,
//! or nothing to leave it. What is accepted is appended to the codes file with who and when, after the
//! whole new file was read and checked; the old one is left as it was until then. Labels are shown on the operator's own
//! screen and nowhere else (STAY-1).

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use harmonise::KommunCodes;
use harmonise::intake::UnmappedLabel;
use jiff::Timestamp;
use jiff::civil::Date;
use tables::codebook::Codebook;
use tables::unit::Unit;

use super::check::{asked, book};
use crate::config::Config;

/// How the review is done.
#[derive(Debug, Clone, clap::Args)]
pub struct ReviewArguments {
    /// Vem som går igenom; står i kodfilen.
    #[arg(long)]
    pub by: String,
    /// Kodbok: en fil, eller barn eller vuxna.
    #[arg(long)]
    pub codebook: Option<PathBuf>,
}

/// Runs the command over the terminal.
///
/// # Errors
/// What cannot be read or written.
pub fn run(config: &Config, arguments: &ReviewArguments) -> anyhow::Result<()> {
    let path = codes_file(config)?;
    if arguments.by.trim().is_empty() || arguments.by.chars().any(char::is_control) {
        bail!("--by: väntade ett namn");
    }
    let book = book(Some(config), arguments.codebook.as_ref())?;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    begin(path, &config.unit)?;
    let mut parts = asked(Some(config), (&[], &[]), &book)?.read(&book, today, &mut |_, _| {})?;
    let labels = super::labels(&mut parts);
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let answers = ask(labels.for_operator(), &book, &mut stdin.lock(), &mut stdout.lock())?;
    if answers.is_empty() {
        println!("Inget ändrades.");
        return Ok(());
    }
    let count: usize = answers.values().map(Vec::len).sum();
    save(path, &answers, (&arguments.by, today), &book)?;
    println!("{count} etiketter står nu i {}.", path.display());
    Ok(())
}

/// Where answers are written.
///
/// # Errors
/// When the configuration names no codes file.
pub(crate) fn codes_file(config: &Config) -> anyhow::Result<&Path> {
    let unit = &config.unit;
    config.codes.as_deref().with_context(|| {
        format!(
            "ange kodfilen först: koder = \"{unit}.codes.toml\" under [uttag] (filen behöver inte finnas)"
        )
    })
}

/// A codes file to begin with, where there is none.
pub(crate) fn begin(path: &Path, unit: &Unit) -> anyhow::Result<()> {
    if path.try_exists().with_context(|| path.display().to_string())? {
        return Ok(());
    }
    let text = format!("version = 1\nkommun = \"{}\"\n", unit.kommun());
    replace(path, &text)
}

/// Accepted labels by variable, each with its code.
pub(crate) type Answers = BTreeMap<String, Vec<(String, String)>>;

/// Asks about each label until there are no more or the input ends.
fn ask(
    labels: &[UnmappedLabel],
    book: &Codebook,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<Answers> {
    let mut answers = Answers::new();
    for (at, label) in labels.iter().enumerate() {
        let Some(variable) =
            label.variables.first().and_then(|id| book.variables.iter().find(|own| own.id == *id))
        else {
            continue;
        };
        writeln!(
            out,
            "\n{} av {}. {}: ”{}” ({} rader)",
            at + 1,
            labels.len(),
            variable.text,
            label.label,
            label.count
        )?;
        for (number, code) in (1..).zip(&label.suggestions) {
            let text =
                variable.codes.iter().find(|own| own.code == *code).map_or("", |own| own.text.as_str());
            writeln!(out, "  {number} {text} ({code})")?;
        }
        loop {
            write!(out, "Nummer, kod, ? för alla koder, Enter för att lämna, q för att sluta: ")?;
            out.flush()?;
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 || line.trim() == "q" {
                return Ok(answers);
            }
            let answer = line.trim();
            if answer.is_empty() {
                break;
            }
            if answer == "?" {
                variable.codes.iter().try_for_each(|code| writeln!(out, "  {} {}", code.code, code.text))?;
                continue;
            }
            let numbered =
                answer.parse::<usize>().ok().and_then(|number| label.suggestions.get(number.checked_sub(1)?));
            let code = numbered.map_or(answer, String::as_str);
            if variable.code_index(code).is_none() {
                writeln!(out, "Det är varken ett av numren eller en kod.")?;
                continue;
            }
            answers.entry(variable.id.clone()).or_default().push((label.label.clone(), code.to_owned()));
            break;
        }
    }
    Ok(answers)
}

/// Writes the answers into the codes file: checked whole, then renamed into place.
pub(crate) fn save(
    path: &Path,
    answers: &Answers,
    (by, on): (&str, Date),
    book: &Codebook,
) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = with_answers(&text, answers, by, on);
    KommunCodes::from_toml(&text, book).with_context(|| format!("{}, som den skulle bli", path.display()))?;
    replace(path, &text)
}

/// The file's lines with the answers under the heads of their variables.
fn with_answers(text: &str, answers: &Answers, by: &str, on: Date) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (variable, labels) in answers {
        let head = format!("[koder.{variable}]");
        let at = match lines.iter().position(|line| line.trim() == head) {
            Some(at) => at + 1,
            None => {
                lines.extend([String::new(), head]);
                lines.len()
            }
        };
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let own = labels.iter().map(|(label, code)| format!("{} = \"{code}\"  # {on}, {by}", quoted(label)));
        lines.splice(at..at, own.collect::<Vec<_>>());
    }
    lines.join("\n") + "\n"
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    super::map::write_whole(path, text.as_bytes()).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<UnmappedLabel> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("u.csv");
        std::fs::write(&file, text).unwrap();
        let book = Codebook::barn().unwrap();
        let day = jiff::civil::date(2025, 1, 1);
        let mut parts = asked(None, (&[file], &[]), &book).unwrap().read(&book, day, &mut |_, _| {}).unwrap();
        super::super::labels(&mut parts)
            .for_operator()
            .iter()
            .map(|label| UnmappedLabel {
                variables: label.variables.clone(),
                label: label.label.clone(),
                count: label.count,
                suggestions: label.suggestions.clone(),
            })
            .collect()
    }

    #[test]
    fn answers_become_lines_of_the_codes_file_with_who_and_when() {
        let labels =
            labels("Datum;Aktualiseringsorsak\n2024-01-01;Missbruk\n2024-01-02;Missbruk\n2024-01-03;Zq\n");
        let book = Codebook::barn().unwrap();
        let mut out = Vec::new();
        let answers = ask(&labels, &book, &mut "0\nsknark\n?\n1\nannat\n".as_bytes(), &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("”Missbruk” (2 rader)") && said.contains("varken ett av numren"), "{said}");
        let text = with_answers(
            "version = 1\nkommun = \"2180\"\n\n[koder.orsak]\n\"Q\" = \"skola\"\n",
            &answers,
            "Eva Ek",
            jiff::civil::date(2025, 2, 3),
        );
        assert!(text.contains("\"Zq\" = \"annat\"  # 2025-02-03, Eva Ek\n"), "{text}");
        let codes = KommunCodes::from_toml(&text, &book).unwrap();
        assert_eq!(codes.unit().to_string(), "2180");
        assert_eq!(text.matches("[koder.orsak]").count(), 1);
    }

    #[test]
    fn the_end_of_input_keeps_what_was_answered() {
        let labels = labels("Datum;Aktualiseringsorsak\n2024-01-01;Missbruk\n2024-01-03;Zq\n");
        let answers =
            ask(&labels, &Codebook::barn().unwrap(), &mut "1\n".as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(answers.values().map(Vec::len).sum::<usize>(), 1);
    }
}
