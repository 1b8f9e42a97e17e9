//! Opens the kommun's extract, has it harmonised and counts it. Content never passes this module's border but as
//! counts per atom; what a person must look at goes to a review file in the kommun (STAY-1).

pub mod map;

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use harmonise::{Harmonised, IntakeError, IntakeReport, KommunCodes, Source};
use jiff::civil::Date;
use tables::codebook::Codebook;
use tables::system::{Counts, System};
use tables::unit::Unit;

use crate::config::Config;

/// An extract that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The code map.
    #[error("{path}: {source}")]
    Codes {
        /// Which.
        path: PathBuf,
        /// Why.
        source: harmonise::CodesError,
    },
    /// The code map is another kommun's.
    #[error("{path}: kommun = \"{found}\"; this node is {expected}")]
    OtherUnit {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: Unit,
        /// Who we are.
        expected: Unit,
    },
    /// The content.
    #[error("{path}: {source}")]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: IntakeError,
    },
    /// Rows that were refused one by one: raised by `node check` only, a round counts without them and says so.
    #[error("{path}: {rows} rader avvisades")]
    Rows {
        /// Which.
        path: PathBuf,
        /// How many.
        rows: u64,
    },
}

/// Reads the configured extract as of a day.
///
/// # Errors
/// [`ReadError`] names the file and, for content, row and column; never a cell.
pub fn read(config: &Config, codebook: &Codebook, today: Date) -> Result<Harmonised, ReadError> {
    let codes = codes(config, codebook)?;
    let path = config.extract.clone();
    let open = |source| ReadError::File { path: path.clone(), source };
    let file = File::open(&path).map_err(open)?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
    let source = Source { reader: BufReader::new(file), extension };
    harmonise::read(source, codebook, &codes, today).map_err(|source| ReadError::Content { path, source })
}

fn codes(config: &Config, codebook: &Codebook) -> Result<KommunCodes, ReadError> {
    let Some(path) = &config.codes else {
        return Ok(KommunCodes::none(config.unit.clone(), codebook));
    };
    let text =
        std::fs::read_to_string(path).map_err(|source| ReadError::File { path: path.clone(), source })?;
    let codes = KommunCodes::from_toml(&text, codebook)
        .map_err(|source| ReadError::Codes { path: path.clone(), source })?;
    if codes.unit().kommun() != config.unit.kommun() {
        let (found, expected) = (codes.unit().clone(), config.unit.clone());
        return Err(ReadError::OtherUnit { path: path.clone(), found, expected });
    }
    Ok(codes)
}

/// Counts harmonised rows over a collection's atoms.
pub fn count(system: &System, harmonised: &Harmonised) -> Counts {
    let mut counts = system.empty_counts();
    for row in &harmonised.rows {
        system.count(&mut counts, row.date, &row.codes);
    }
    counts
}

/// Writes what was found to the operator's summary file.
///
/// # Errors
/// The file's.
pub fn write_summary(path: &Path, report: &IntakeReport, codebook: &Codebook) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for line in describe(report, codebook) {
        writeln!(file, "{line}")?;
    }
    file.sync_all()
}

/// Writes the labels that fit no code to the operator's review file, the only place they may stand.
///
/// # Errors
/// The file's.
pub fn write_review(path: &Path, harmonised: &Harmonised) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    harmonised.unmapped.write_review(&mut file)?;
    file.sync_all()
}

/// What was found, in Swedish, for the operator's screen: counts and row numbers, no content.
pub fn describe(report: &IntakeReport, codebook: &Codebook) -> Vec<String> {
    let mut lines = vec![format!("Lästa rader: {}", report.read)];
    if report.refused.total > 0 {
        lines.push(format!("Avvisade rader: {}", report.refused.total));
        for refusal in &report.refused.first {
            lines.push(format!("  rad {}, {}: {}", refusal.row, refusal.column, refusal.reason.text()));
        }
    }
    let (skipped, without) = (report.skipped.total, report.without_number.values().sum::<u64>());
    lines.push(format!("Överhoppade rader (summor, källor): {skipped}"));
    lines.push(format!("Utan giltigt personnummer: {without}"));
    for (variable, found) in codebook.variables.iter().zip(&report.variables) {
        let text = &variable.text;
        let (mapped, missing, unmapped) = (found.mapped, found.missing, found.unmapped);
        lines.push(format!("{text}: {mapped} med kod, {missing} tomma, {unmapped} med okänd etikett"));
    }
    lines
}
