//! The command `node`: enrol, check, preview, map, review, page, approve, run, log.
//!
//! Exit codes: 0 done, 1 refused or unsafe, 2 usage, 4 bad input, 5 our fault.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use daemon::enrolment::{accept, request};
use daemon::invite::InviteFile;
use daemon::wallet::Wallet;
use jiff::Timestamp;

use crate::config::Config;
use crate::intake::ReadError;
use crate::intake::check::{self, CheckArguments, NoFile};
use crate::intake::map::{self, MapError};
use crate::intake::preview::{self, PreviewArguments, PreviewError};
use crate::intake::review::{self, ReviewArguments};
use crate::link::cleared::Cleared;
use crate::link::egress;
use crate::link::journal::{self, Journal, JournalError};
use crate::page::{self, PageArguments};
use crate::work::case::approvals;
use crate::work::service;

#[derive(Parser)]
#[command(name = "node", about = "Samman: kommunens nod", version)]
struct Arguments {
    /// Konfigurationsfil. Behövs inte för map, och inte för check och preview av angivna filer.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Skriv in noden med en inbjudan: egen nyckel skapas här, certifikatet hämtas.
    Enrol {
        /// Inbjudningsfil.
        #[arg(long)]
        invite: PathBuf,
    },
    /// Läs uttaget och berätta allt om det; ingenting skickas.
    Check(CheckArguments),
    /// Visa tabellerna som de skulle lämna kommunen.
    Preview(PreviewArguments),
    /// Vad en lista med etiketter skulle bli: variabel;etikett in, kod;text;score;auto;reason läggs till.
    Map {
        /// Listan.
        labels: PathBuf,
        /// Kodbok: en fil, eller barn eller vuxna.
        #[arg(long)]
        codebook: PathBuf,
        /// Listan med koder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Gå igenom etiketterna som inte kunde tolkas, en i taget, och spara svaren i kommunens kodfil.
    Review(ReviewArguments),
    /// Visa på en sida på den här maskinen vad som skulle lämna kommunen, och gå igenom etiketter där.
    Page(PageArguments),
    /// Godkänn en insamling genom dess kontrollsumma.
    Approve {
        /// SHA-256 av insamlingens dokument, 64 hexadecimala tecken.
        hash: String,
    },
    /// Kör tjänsten.
    Run,
    /// Visa allt som har lämnat kommunen.
    Log {
        /// Kontrollera att inget i journalen har ändrats eller tagits bort.
        #[arg(long)]
        verify: bool,
    },
}

/// Runs the command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    daemon::telemetry::quiet_panics();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(5);
        }
    };
    let done = runtime.block_on(dispatch(arguments));
    daemon::shutdown::leave(runtime, daemon::shutdown::PATIENCE);
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let config = error.is::<daemon::config::ConfigError>();
    let input = error.is::<ReadError>() || error.is::<MapError>() || error.is::<PreviewError>() || config;
    match (input, error.is::<NoConfig>() || error.is::<NoFile>()) {
        (true, _) => 4,
        (_, true) => 2,
        _ => 1,
    }
}

/// A command that needs the configuration, called without.
#[derive(Debug, thiserror::Error)]
#[error("--config FIL behövs för det kommandot")]
struct NoConfig;

async fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = || {
        let config = Config::read(arguments.config.as_deref().ok_or(NoConfig)?)?;
        daemon::config::private_directory(&config.data).context(format!("{}", config.data.display()))?;
        anyhow::Ok(config)
    };
    let done = |()| ExitCode::SUCCESS;
    // a configuration is only asked for where no file is given
    let given = || arguments.config.as_ref().map(|_| config()).transpose();
    match &arguments.command {
        Command::Enrol { invite } => enrol(&config()?, invite).await.map(done),
        Command::Check(asked) => check::run(given()?.as_ref(), asked),
        Command::Preview(asked) => preview::run(given()?.as_ref(), asked).map(done),
        Command::Review(asked) => review::run(&config()?, asked).map(done),
        Command::Page(asked) => {
            let (trigger, stop) = daemon::shutdown::channel();
            let config = config()?;
            tokio::spawn(trigger.stop_on_signal());
            page::run(config, asked.clone(), stop).await.map(done)
        }
        Command::Map { labels, codebook, out } => map(labels, codebook, out).map(done),
        Command::Approve { hash } => approve(&config()?, hash).map(done),
        Command::Run => {
            let config = config()?;
            daemon::telemetry::init("info")?;
            let (trigger, stop) = daemon::shutdown::channel();
            tokio::spawn(trigger.stop_on_signal());
            service::run(config, stop).await.map(done)
        }
        Command::Log { verify } => log(&config()?, *verify).map(done),
    }
}

async fn enrol(config: &Config, invite: &std::path::Path) -> anyhow::Result<()> {
    let invite = InviteFile::read(invite)?;
    if invite.identity.unit() != config.unit.to_string() {
        bail!("inbjudan gäller {}, men enhet = \"{}\"", invite.identity, config.unit);
    }
    let wallet = Wallet::new(config.place("identitet"));
    let journal = Journal::open(&config.place("journal"))?;
    let key = wallet.key()?;
    let message = Cleared::enrolment(&invite.token, request(&key)?);
    let reply = egress::enrol(&journal, &invite, config.proxy.clone(), message).await?;
    accept(&invite, key, &reply.certificate, &reply.root, Timestamp::now())?;
    wallet.store(&reply.certificate, &reply.root, &reply.revocation_list)?;
    println!("{} är inskriven.", invite.identity);
    Ok(())
}

fn map(labels: &Path, codebook: &Path, out: &Path) -> anyhow::Result<()> {
    let book = map::codebook(codebook)?;
    let found = map::run(labels, &book, out)?;
    let rest = found.labels - found.certain - found.suggested;
    println!(
        "{} etiketter: {} får en kod, {} har bara förslag, {rest} liknar inget.",
        found.labels, found.certain, found.suggested
    );
    Ok(())
}

fn approve(config: &Config, hash: &str) -> anyhow::Result<()> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        bail!("en kontrollsumma är 64 hexadecimala tecken");
    }
    let folder = approvals(config);
    std::fs::create_dir_all(&folder)?;
    std::fs::File::create(folder.join(hash.to_ascii_lowercase()))?.sync_all()?;
    println!("Insamlingen är godkänd.");
    Ok(())
}

fn log(config: &Config, verify: bool) -> anyhow::Result<()> {
    let reading = match journal::read(&config.place("journal")) {
        Ok(reading) => reading,
        Err(error @ (JournalError::Changed { .. } | JournalError::Cut { .. })) => {
            bail!("journalen är inte som den skrevs: {error}")
        }
        Err(error) => return Err(error.into()),
    };
    if verify {
        println!("Journalen är hel: {} meddelanden.", reading.entries.len());
        return Ok(());
    }
    for entry in &reading.entries {
        let at = Timestamp::from_second(entry.at)?;
        println!("{:>6}  {at}  {}  {}  {} byte", entry.number, entry.to, entry.method, entry.body.len());
    }
    Ok(())
}
