//! `sdc audit`: what anybody can compute from tables that are already published.
//!
//! `sdc audit DIR` reads `tabell-*.csv` and `relations.csv` of a folder; `sdc audit --strict FILE…` reads strict
//! table files. The list of withheld cells goes to `--out` and the summary to standard output; without `--out` the
//! list goes to standard output and the summary to standard error. Ends with 0 nothing can be computed, 1 something
//! can (with `--truth` also: a small cell is not protected), 2 usage, 3 not certified, 4 bad input, 5 our fault.
//!
//! Reads files and writes texts; all arithmetic is [`audit::published`]. Errors name file, row and column, never
//! what stands in a cell.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use audit::Budget;
use audit::published::adversary::{Adversary, seen_by};
use audit::published::attack::{Asked, Verdict, attack};
use audit::published::protection::{InsidersAsked, Protection, protection};
use audit::published::report::Narrowed;
use audit::published::strict::{Group, StrictOptions};
use audit::published::truth::{Placed, Truth, TruthError};
use audit::published::{
    MAX_BYTES, MAX_FILES, MarkMeaning, Marks, Publication, PublishedError, read, report, strict,
};
use tables::grouping::{Grouping, GroupingError};

use crate::watch::{Watch, write_whole};

/// A person waits for this audit once: what nothing else settles is searched longer, a second or so each.
const LAST_BRANCHES: u64 = 25_000;
/// The relations of a folder.
const RELATIONS: &str = "relations.csv";

/// What is to be audited.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArguments {
    /// Mapp med tabell-*.csv och relations.csv
    #[arg(value_name = "DIR", required_unless_present = "strict", conflicts_with = "strict")]
    pub folder: Option<PathBuf>,
    /// Vad ett märke betyder, t.ex. '*=1..3' eller '**=4..' (som är förvalen); får anges flera gånger
    #[arg(long = "mark", value_name = "MÄRKE=MIN..MAX", conflicts_with = "strict")]
    pub marks: Vec<MarkMeaning>,
    /// Strikta tabellfiler, granskade tillsammans
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub strict: Vec<PathBuf>,
    /// Minsta antal som visas: vilka värden under det går att utesluta?
    #[arg(long, default_value_t = 4, value_name = "ANTAL", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub min_count: u64,
    /// Dimension vars kategorier överlappar, så att TOT inte är deras summa; får anges flera gånger
    #[arg(long, requires = "strict", value_name = "DIMENSION")]
    pub non_additive: Vec<String>,
    /// Grupper av koder i filerna: `dimension,grupp,del`, en rad per del
    #[arg(long, requires = "strict", value_name = "FIL")]
    pub hierarchy: Option<PathBuf>,
    /// Vilken kommungrupp varje kommun hör till (`kommungrupper.csv` bredvid en nationell publicering): då granskas också vad ett
    /// län kan ha i en grupp
    #[arg(long, requires = "strict", conflicts_with = "truth", value_name = "FIL")]
    pub kommungrupper: Option<PathBuf>,
    /// De egna talen, finaste cellerna som till `sdc protect`, en fil till varje strikt fil och i samma ordning
    #[arg(long, num_args = 1.., requires = "strict", value_name = "FIL")]
    pub truth: Vec<PathBuf>,
    /// Fråga också vad varje kommun, som har sina egna tal, kan räkna ut om de andras
    #[arg(long, requires = "truth")]
    pub insider: bool,
    /// Vem som räknar: läsaren, den som kan skilja märkena på små celler från de andras, eller samordnaren
    #[arg(long, value_enum, default_value = "lasare", requires = "truth")]
    pub adversary: AdversaryArgument,
    /// Räkna ut ändarna också för celler i stora block (över 1 000 undertryckta celler); det tar lång tid
    #[arg(long)]
    pub ends: bool,
    /// Listan över undertryckta celler
    #[arg(long, value_name = "OUT.csv")]
    pub out: Option<PathBuf>,
    /// Arbetsgräns: frågor om vad celler kan vara. Det som inte hinns med är inte avgjort
    #[arg(long, default_value_t = 200_000, value_name = "ANTAL")]
    pub questions: u64,
    /// Tidsgräns: det som inte hinns med är inte avgjort (slutkod 3)
    #[arg(long, value_name = "SEKUNDER", value_parser = clap::value_parser!(u64).range(1..))]
    pub time_limit: Option<u64>,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AdversaryArgument {
    /// ser det som är publicerat
    Lasare,
    /// vet också vilka undertryckta celler som är små
    Marken,
    /// vet också vilka av enheternas finaste celler som är små, och alla summor över enheter
    Samordnare,
}

impl From<AdversaryArgument> for Adversary {
    fn from(argument: AdversaryArgument) -> Self {
        match argument {
            AdversaryArgument::Lasare => Self::Reader,
            AdversaryArgument::Marken => Self::Marks,
            AdversaryArgument::Samordnare => Self::Coordinator,
        }
    }
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditFault {
    /// A file or folder that cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than is read.
    #[error("{}: more than {most} {what}", .path.display())]
    Limit {
        /// Which.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        most: usize,
    },
    /// A file that is not of the form.
    #[error(transparent)]
    Input(#[from] PublishedError),
    /// A list of groups, or counts, not of the form.
    #[error(transparent)]
    Groups(#[from] crate::input::InputError),
    /// A list of kommungrupper that is not of the form.
    #[error(transparent)]
    Kommungrupper(#[from] GroupingError),
    /// Counts that are not those of the tables.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// Two strict files of one name, whose counts could not be told apart.
    #[error("--truth: two strict files are called {name}; expected each name once")]
    Names {
        /// The name.
        name: String,
    },
    /// Not one file of counts for each strict file.
    #[error("--truth: {found} files; expected {expected}, one for each strict file, in the same order")]
    Pairs {
        /// Files of counts.
        found: usize,
        /// Strict files.
        expected: usize,
    },
    /// The answer cannot be written.
    #[error("cannot write the answer: {0}")]
    Write(#[from] std::io::Error),
    /// The answer cannot be assembled.
    #[error("cannot assemble the list: {0}")]
    List(#[from] csv::Error),
}

impl AuditFault {
    /// What the command ends with: 4 bad input, 5 our fault.
    pub fn code(&self) -> u8 {
        match self {
            Self::Read { .. }
            | Self::Limit { .. }
            | Self::Input(_)
            | Self::Groups(_)
            | Self::Kommungrupper(_) => 4,
            Self::Truth(_) | Self::Pairs { .. } | Self::Names { .. } => 4,
            Self::Write(_) | Self::List(_) => 5,
        }
    }
}

/// Runs the command and says how it ended.
pub fn run(arguments: &AuditArguments) -> ExitCode {
    match audited(arguments) {
        Ok(Verdict::Nothing) => ExitCode::SUCCESS,
        Ok(Verdict::Computable) => ExitCode::from(1),
        Ok(Verdict::NotCertified) => ExitCode::from(3),
        Err(fault) => {
            eprintln!("sdc: {fault}");
            ExitCode::from(fault.code())
        }
    }
}

fn audited(arguments: &AuditArguments) -> Result<Verdict, AuditFault> {
    let (publication, listed) = match &arguments.folder {
        Some(folder) => (from_folder(folder, &arguments.marks)?, Narrowed::ByMark),
        None if arguments.truth.is_empty() => (from_strict(arguments)?, Narrowed::Below(arguments.min_count)),
        None => (from_strict(arguments)?, Narrowed::Unlisted),
    };
    let budget = Budget { questions: arguments.questions, last_branches: LAST_BRANCHES, ..Budget::default() };
    let truth = truth(arguments, &publication)?;
    let printed = publication;
    let publication = match &truth {
        Some(truth) => seen_by(arguments.adversary.into(), &printed, truth, arguments.min_count),
        None => printed.clone(),
    };
    let watch = Watch::start(None);
    let withheld = publication.cells.iter().filter(|cell| cell.withheld().is_some()).count();
    let done = watch.counted("granskar", withheld);
    let asked = Asked {
        budget,
        min_count: arguments.min_count,
        truth: truth.as_ref(),
        ends: arguments.ends,
        only_small: false,
        done: Some(done.as_ref()),
    };
    let started = Instant::now();
    let over = || arguments.time_limit.is_some_and(|limit| started.elapsed().as_secs() >= limit);
    let found = attack(&publication, asked, &over);
    let protection = truth.as_ref().map(|truth| {
        let small = |at: &usize| {
            publication.cells[*at].withheld().is_some() && truth.of_cell(*at) < arguments.min_count
        };
        let small = (0..publication.cells.len()).filter(small).count();
        let done = watch.counted("granskar de små cellerna", small);
        let insiders = InsidersAsked { budget, done: Some(done.as_ref()), abort: &over };
        let insiders = arguments.insider.then_some(insiders);
        protection((&publication, &printed), &found, truth, arguments.min_count, insiders)
    });
    watch.phase("förklarar");
    let list = report::list(&publication, &found)?;
    let mut summary = report::summary(&publication, &found, listed, &over);
    if let (Some(protection), Some(truth)) = (&protection, &truth) {
        let found = (&found, protection);
        summary.push_str(&report::protection(&publication, found, truth, arguments.min_count, &over));
    }
    watch.end();
    write(&list, &summary, arguments.out.as_deref())?;
    Ok(verdict(found.verdict(), protection.as_ref()))
}

/// The small cells count as what can be computed does.
fn verdict(found: Verdict, protection: Option<&Protection>) -> Verdict {
    match protection {
        Some(protection) if !protection.is_unbroken() => Verdict::Computable,
        Some(protection) if !protection.holds() && found == Verdict::Nothing => Verdict::NotCertified,
        _ => found,
    }
}

fn write(list: &str, summary: &str, out: Option<&Path>) -> Result<(), AuditFault> {
    match out {
        Some(path) => {
            write_whole(path, list.as_bytes())?;
            std::io::stdout().write_all(summary.as_bytes())?;
        }
        None => {
            std::io::stdout().write_all(list.as_bytes())?;
            std::io::stderr().write_all(summary.as_bytes())?;
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file's name, for errors and reports, and its bytes.
type Content = (String, Vec<u8>);

fn load(path: &Path) -> Result<Content, AuditFault> {
    let fault = |source| AuditFault::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(fault)?.len();
    if size > MAX_BYTES as u64 {
        return Err(AuditFault::Limit { path: path.to_owned(), what: "bytes", most: MAX_BYTES });
    }
    Ok((file_name(path), std::fs::read(path).map_err(fault)?))
}

fn borrowed(contents: &[Content]) -> Vec<read::File<'_>> {
    contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

fn from_folder(folder: &Path, marks: &[MarkMeaning]) -> Result<Publication, AuditFault> {
    let fault = |source| AuditFault::Read { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("tabell-") && name.ends_with(".csv") {
            names.push(name);
        }
    }
    if names.len() > MAX_FILES {
        return Err(AuditFault::Limit { path: folder.to_owned(), what: "table files", most: MAX_FILES });
    }
    names.sort_by_cached_key(|name| natural(name));
    let tables = names.iter().map(|name| load(&folder.join(name))).collect::<Result<Vec<_>, _>>()?;
    let relations = load(&folder.join(RELATIONS))?;
    let relations = (relations.0.as_str(), relations.1.as_slice());
    Ok(read::read(&borrowed(&tables), relations, &Marks::with(marks))?)
}

fn from_strict(arguments: &AuditArguments) -> Result<Publication, AuditFault> {
    let files = arguments.strict.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
    let groups = match &arguments.hierarchy {
        Some(path) => {
            let (name, bytes) = load(path)?;
            crate::lists::groups(&name, &bytes)?
        }
        None => crate::lists::Groups::new(),
    };
    let groups = groups.into_iter().map(|((dimension, name), parts)| {
        let parts = parts.into_iter().map(|(part, _)| part).collect();
        Group { dimension, name, parts }
    });
    let members = match &arguments.kommungrupper {
        Some(path) => {
            let (name, bytes) = load(path)?;
            Grouping::beside(&name, &bytes)?.counties()
        }
        None => BTreeMap::new(),
    };
    let options = StrictOptions {
        members,
        not_sums: arguments.non_additive.clone(),
        groups: groups.collect(),
        min_count: arguments.min_count,
    };
    Ok(strict::read(&borrowed(&files), &options)?)
}

/// The withheld counts, where they are given.
fn truth(arguments: &AuditArguments, publication: &Publication) -> Result<Option<Truth>, AuditFault> {
    let (found, expected) = (arguments.truth.len(), arguments.strict.len());
    match found {
        0 => return Ok(None),
        _ if found != expected => return Err(AuditFault::Pairs { found, expected }),
        _ => {}
    }
    let mut names = std::collections::BTreeSet::new();
    if let Some(path) = arguments.strict.iter().find(|path| !names.insert(file_name(path))) {
        return Err(AuditFault::Names { name: file_name(path) });
    }
    let mut counts: Vec<Placed> = Vec::new();
    for (path, published) in arguments.truth.iter().zip(&arguments.strict) {
        let ((file, bytes), name) = (load(path)?, file_name(published));
        let table = crate::input::read(&file, &bytes)?;
        counts.extend(table.cells().map(|(codes, count)| {
            let column = strict::heading(&table.dimensions[1..], &codes[1..], &table.tid, &table.matt);
            ((name.clone(), codes[0].clone(), column), count)
        }));
    }
    Ok(Some(Truth::of(publication, counts.into_iter())?))
}

/// Digits as numbers, so that table 10 comes after table 9; the text itself decides between equals.
fn natural(name: &str) -> (Vec<(String, u64)>, String) {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[text..text + digits].parse().unwrap_or(u64::MAX); // too long for a number: last
        parts.push((rest[..text].to_owned(), number));
        rest = &rest[text + digits..];
    }
    (parts, name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_numbers() {
        let mut names = ["tabell-10-1.csv", "tabell-9-15.csv", "tabell-9-2.csv", "tabell-3-13.csv"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["tabell-3-13.csv", "tabell-9-2.csv", "tabell-9-15.csv", "tabell-10-1.csv"]);
    }
}
