//! Opens the kommun's extract, files or the answer of a database, has it harmonised and counts it. Content never passes this module's border but as
//! counts per atom; what a person must look at goes to a review file in the kommun (STAY-1).

pub mod check;
pub mod map;
pub mod preview;
pub mod review;
mod source;

use std::fs::File;
use std::io::{BufReader, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use database::{QueryError, Source as Database, SourceError};
use harmonise::intake::Dialect;
use harmonise::{
    IntakeError, IntakeReport, KommunCodes, Reading, Seen, Sheets, Sink, Source, UnmappedLabels,
};
use jiff::civil::Date;
use tables::codebook::{Codebook, Given};
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
    /// A source file.
    #[error("{path}: {source}")]
    Source {
        /// Which.
        path: PathBuf,
        /// Why.
        source: SourceError,
    },
    /// The database it names, or what that was asked.
    #[error("{path}: {source}")]
    Query {
        /// Which source.
        path: PathBuf,
        /// Why.
        source: QueryError,
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

/// What is read, and with what.
pub struct Asked {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The sources; there is one, or a file.
    pub sources: Vec<PathBuf>,
    /// The kommun's own names and labels.
    pub codes: KommunCodes,
    /// Which sheets of workbooks.
    pub sheets: Sheets,
}

impl Asked {
    /// What the configuration says.
    ///
    /// # Errors
    /// [`ReadError`] names the file of codes.
    pub fn configured(config: &Config, codebook: &Codebook) -> Result<Self, ReadError> {
        let (files, sources) = (config.extracts.clone(), config.sources.clone());
        Ok(Self { files, sources, codes: codes(config, codebook)?, sheets: config.sheets })
    }

    /// What the configuration says, without the kommun's own names and labels: for who is told that they are missing.
    pub(crate) fn without_codes(config: &Config, codebook: &Codebook) -> Self {
        let (files, sources) = (config.extracts.clone(), config.sources.clone());
        let codes = KommunCodes::none(config.unit.clone(), codebook);
        Self { files, sources, codes, sheets: config.sheets }
    }

    /// The way everything is read.
    fn reading<'a>(&'a self, codebook: &'a Codebook, today: Date) -> Reading<'a> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Reading { codebook, codes: &self.codes, extracted_on: today, sheets: self.sheets, threads }
    }

    /// Reads all files and sources as of a day, passing each row to `sink`: one part for each table in them.
    ///
    /// # Errors
    /// [`ReadError`] names the file and, for content, row and column; never a cell.
    pub fn read(
        &self,
        codebook: &Codebook,
        today: Date,
        sink: &mut Sink<'_>,
    ) -> Result<Vec<Part>, ReadError> {
        let (mut parts, mut seen) = (Vec::new(), Seen::default());
        let reading = self.reading(codebook, today);
        for path in &self.files {
            let open = |source| ReadError::File { path: path.clone(), source };
            let file = File::open(path).map_err(open)?;
            if file.metadata().map_err(open)?.is_dir() {
                return Err(open(std::io::ErrorKind::IsADirectory.into()));
            }
            let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
            let source = Source { reader: BufReader::new(file), extension };
            let read = reading.read(source, &mut seen, sink);
            let read = read.map_err(|source| ReadError::Content { path: path.clone(), source })?;
            let of_file = |part: harmonise::Part| Part {
                path: path.clone(),
                report: part.report,
                labels: part.unmapped,
            };
            parts.extend(read.into_iter().map(of_file));
        }
        for path in &self.sources {
            let database = database(path)?;
            let fault = |source| of_query(path, source);
            let asked = database.ask().map_err(fault)?;
            let columns = reading.columns_of(asked.names(), database.mapping());
            let columns = columns.map_err(|source| ReadError::Content { path: path.clone(), source })?;
            let rows = asked.rows(columns.wanted());
            let part = reading.read_rows(columns, rows, &mut seen, sink).map_err(fault)?;
            parts.push(Part { path: path.clone(), report: part.report, labels: part.unmapped });
        }
        Ok(parts)
    }
}

fn database(path: &Path) -> Result<Database, ReadError> {
    Database::read(path).map_err(|source| ReadError::Source { path: path.to_owned(), source })
}

/// What is wrong with the rows is told as it is of a file's.
fn of_query(path: &Path, source: QueryError) -> ReadError {
    match source {
        QueryError::Intake(source) => ReadError::Content { path: path.to_owned(), source },
        source => ReadError::Query { path: path.to_owned(), source },
    }
}

/// One table that was read.
pub struct Part {
    /// Its file, or that of its source.
    pub path: PathBuf,
    /// What was found, without content.
    pub report: IntakeReport,
    /// Labels that a person should look at.
    pub labels: UnmappedLabels,
}

/// The labels of all parts that a person should look at.
pub fn labels(parts: &mut [Part]) -> UnmappedLabels {
    let mut all = UnmappedLabels::default();
    parts.iter_mut().for_each(|part| all.add(std::mem::take(&mut part.labels)));
    all
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

/// Reads all files and sources and counts their rows over a collection's atoms; no row is kept.
///
/// # Errors
/// As [`Asked::read`].
pub fn count(
    asked: &Asked,
    system: &System,
    codebook: &Codebook,
    today: Date,
) -> Result<(Counts, Vec<Part>), ReadError> {
    let mut counts = system.empty_counts();
    let mut take = |date: Date, codes: &[Option<Given>]| system.count(&mut counts, date, codes);
    let parts = asked.read(codebook, today, &mut take)?;
    Ok((counts, parts))
}

/// Writes what was found to the operator's summary file.
///
/// # Errors
/// The file's.
pub fn write_summary(path: &Path, parts: &[Part], codebook: &Codebook) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for line in parts.iter().flat_map(|part| describe(part, codebook)) {
        writeln!(file, "{line}")?;
    }
    file.sync_all()
}

/// Writes the labels that fit no code to the operator's review file, the only place they may stand.
///
/// # Errors
/// The file's.
pub fn write_review(path: &Path, labels: &UnmappedLabels) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    labels.write_review(&mut file)?;
    file.sync_all()
}

/// How a file was understood, and why.
fn dialect(report: &IntakeReport) -> String {
    let header = report.header_row;
    let above = match header {
        0 | 1 => String::new(),
        2 => " (rad 1 står över tabellen)".into(),
        _ => format!(" (rad 1–{} står över tabellen)", header - 1),
    };
    let how = match report.dialect {
        Dialect::Query { columns } => return format!("fråga som ger {columns} kolumner"),
        Dialect::Workbook { sheet } => format!("arbetsbok, blad {sheet}"),
        Dialect::Text { encoding, separator } => {
            let why = match encoding {
                "UTF-8" => "alla tecken är giltig UTF-8",
                "windows-1252" => "tecknen är inte UTF-8; så sparar Excel i Windows",
                _ => "filen börjar med det märke som säger det",
            };
            let separator = match separator {
                '\t' => "tabb".to_owned(),
                other => format!("”{other}”"),
            };
            format!("text i {encoding} ({why}), fält åtskilda av {separator} (flest kända rubriker)")
        }
    };
    format!("{how}; rubrikrad {header}{above}")
}

/// What was found, in Swedish, for the operator's screen: counts and row numbers, no content.
pub fn describe(part: &Part, codebook: &Codebook) -> Vec<String> {
    let report = &part.report;
    let mut lines = vec![format!("{}: {}", part.path.display(), dialect(report))];
    for (header, like) in report.unused.iter().take(MOST_LISTED) {
        let is_query = matches!(report.dialect, Dialect::Query { .. });
        lines.push(match like {
            Some(id) if is_query => format!(
                "Kolumnen {header} läses inte; är den {id}? Skriv då \"{header}\" = \"{id}\" under [kolumner] i källfilen."
            ),
            Some(id) => format!("Kolumnen {header} läses inte; är den {id}? Skriv då {id} = \"{header}\" under [kolumner] i kodfilen."),
            None => format!("Kolumnen {header} läses inte."),
        });
    }
    lines.push(format!("Lästa rader: {}", report.read));
    if report.refused.total > 0 {
        lines.push(format!("Avvisade rader: {}", report.refused.total));
        for refusal in report.refused.first.iter().take(MOST_LISTED) {
            lines.push(format!("  rad {}, {}: {}", refusal.row, refusal.column, refusal.reason.text()));
        }
        if report.refused.total > MOST_LISTED as u64 {
            lines.push(format!("  … och {} till", report.refused.total - MOST_LISTED as u64));
        }
    }
    let without = report.without_number.values().sum::<u64>();
    lines.push(format!("Överhoppade rader (summor, källor): {}", report.skipped.total));
    if report.has_personnummer {
        lines.push(format!("Utan giltigt personnummer: {without}"));
    }
    let repeated = report.repeated;
    if repeated.identical + repeated.different > 0 {
        lines.push(format!(
            "Aktualiseringsnummer som redan stått: {} med samma innehåll, {} med annat (raderna räknas ändå)",
            repeated.identical, repeated.different
        ));
    }
    for (variable, found) in codebook.variables.iter().zip(&report.variables) {
        let text = &variable.text;
        if found.columns.is_empty() && found.mapped == 0 {
            lines.push(format!("{text}: ingen kolumn"));
            continue;
        }
        let (mapped, missing, unmapped) = (found.mapped, found.missing, found.unmapped);
        let mut line = format!("{text}: {mapped} med kod, {missing} tomma, {unmapped} med okänd etikett");
        for (number, what) in [
            (found.recognised, "tolkade av sina ord"),
            (found.outside_validity, "med en kod som inte gäller den dagen"),
            (
                found.several,
                "med flera koder i fältet (insamlingens regel säger hur de räknas; annars den första)",
            ),
            (found.disagreements, "där två källor säger olika (personnumret gäller)"),
        ] {
            if number > 0 {
                line.push_str(&format!("; {number} {what}"));
            }
        }
        lines.push(line);
    }
    lines
}

/// Most refused rows that are listed on the screen.
const MOST_LISTED: usize = 20;
