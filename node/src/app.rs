//! The command `node`: enrol, check, approve, run, log.
//!
//! Exit codes: 0 done, 1 refused or unsafe, 2 usage, 4 bad input, 5 our fault.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use daemon::enrolment::{accept, request};
use daemon::invite::InviteFile;
use daemon::wallet::Wallet;
use jiff::Timestamp;
use tables::codebook::Codebook;

use crate::config::Config;
use crate::intake::{self, ReadError};
use crate::link::cleared::Cleared;
use crate::link::egress;
use crate::link::journal::{self, Journal, JournalError};
use crate::work::case::approvals;
use crate::work::service;

#[derive(Parser)]
#[command(name = "node", about = "Samman: kommunens nod", version)]
struct Arguments {
    /// Konfigurationsfil.
    #[arg(long)]
    config: PathBuf,
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
    /// Läs uttaget och berätta vad som är fel; ingenting skickas.
    Check,
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
    match runtime.block_on(dispatch(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let input = error.is::<ReadError>() || error.is::<daemon::config::ConfigError>();
    if input { 4 } else { 1 }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::read(&arguments.config)?;
    daemon::config::private_directory(&config.data).context(format!("{}", config.data.display()))?;
    match arguments.command {
        Command::Enrol { invite } => enrol(&config, &invite).await,
        Command::Check => check(&config),
        Command::Approve { hash } => approve(&config, &hash),
        Command::Run => {
            daemon::telemetry::init("info")?;
            let (trigger, stop) = daemon::shutdown::channel();
            tokio::spawn(trigger.stop_on_signal());
            service::run(config, stop).await
        }
        Command::Log { verify } => log(&config, verify),
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

fn check(config: &Config) -> anyhow::Result<()> {
    let codebook = Codebook::vuxna()?;
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let harmonised = intake::read(config, &codebook, today)?;
    intake::describe(&harmonised.report, &codebook).iter().for_each(|line| println!("{line}"));
    if !harmonised.unmapped.is_empty() {
        let path = config.place("granska.toml");
        std::fs::create_dir_all(&config.data)?;
        intake::write_review(&path, &harmonised).context("granska.toml")?;
        println!("Etiketter som inte kunde tolkas står i {} (lämnar inte kommunen).", path.display());
    }
    match harmonised.report.refused.total {
        0 => Ok(()),
        rows => Err(ReadError::Rows { path: config.extract.clone(), rows }.into()),
    }
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
