//! The command `coordinator`: run, enrol, invite, revoke, announce, status, grupper, sammanlagg, lager.
//!
//! Exit codes: 0 done, 1 refused, 2 usage, 4 bad input, 5 our fault.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use daemon::door::{Target, connect};
use daemon::enrolment::{accept, request};
use daemon::invite::InviteFile;
use daemon::tls::ClientTls;
use daemon::wallet::Wallet;
use jiff::Timestamp;
use proto::v1;
use proto::v1::enrolment_client::EnrolmentClient;
use publish::combine::Named;
use tables::grouping::Grouping;
use tables::period::Period;

use crate::admin::{self, Question, Reply};
use crate::config::{Config, Tier};
use crate::{combine, national, region, storage, third};

#[derive(Parser)]
#[command(name = "coordinator", about = "Samman: samordnare (region, nationell eller tredje)", version)]
struct Arguments {
    /// Konfigurationsfil.
    #[arg(long)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kör tjänsten.
    Run,
    /// Skriv in samordnaren med en inbjudan.
    Enrol {
        /// Inbjudningsfil.
        #[arg(long)]
        invite: PathBuf,
    },
    /// Skapa en inbjudan (nationell).
    Invite {
        /// Vem: urn:samman:node:2180, urn:samman:region:21.
        identity: String,
        /// Vem som svarar på adresserna: urn:samman:region:21, urn:samman:national:00.
        #[arg(long)]
        server: String,
        /// Adress till tjänsten, värd:port.
        #[arg(long)]
        address: String,
        /// Adress till inskrivningen, värd:port.
        #[arg(long)]
        enrolment_address: String,
        /// Fil att skriva inbjudan till.
        #[arg(long)]
        out: PathBuf,
    },
    /// Återkalla alla certifikat för en part (nationell).
    Revoke {
        /// Vem: urn:samman:node:2180.
        identity: String,
    },
    /// Starta en insamling från en fil (region).
    Announce {
        /// Insamlingens fil (TOML).
        file: PathBuf,
    },
    /// Visa hur insamlingarna ligger till.
    Status,
    /// Visa den tredje samordnarens nyckel, som nationella insamlingar bär i `tredje_nyckel` (tredje).
    Key,
    /// Läs listan över kommungrupper (CSV: kommunkod,kommungrupp) och skriv ut avsnittet för nationella insamlingar.
    Grupper {
        /// Listan: varje kommun i landet en gång.
        file: PathBuf,
    },
    /// Lägg ihop publicerade delar (halvår, kvartal, månader) till ett år. Tjänsten får köra.
    Sammanlagg {
        /// Delarnas insamlingsdokument (TOML), den senaste versionen av varje.
        #[arg(required = true)]
        dokument: Vec<PathBuf>,
        /// Vad delarna fyller: 2024, 2024H1.
        #[arg(long)]
        period: Period,
        /// Namn på den sammanlagda publikationens mapp: a–z, 0–9 och -.
        #[arg(long)]
        id: String,
        /// Titel på svenska.
        #[arg(long)]
        titel: String,
        /// Version: 2 när en del har rättats sedan version 1.
        #[arg(long, default_value_t = 1)]
        version: u32,
    },
    /// Lagret: säkerhetskopia, flytt till en annan sort, återställning.
    Lager {
        #[command(subcommand)]
        command: StoreCommand,
    },
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Skriv hela lagret till en ny fil, också medan tjänsten kör. Filen innehåller nycklar.
    Export {
        /// Fil som inte finns.
        file: PathBuf,
    },
    /// Läs en sådan fil till ett tomt lager; tjänsten ska inte köra.
    Import {
        /// Fil skriven av `lager export`.
        file: PathBuf,
    },
    /// Säg att databasen är återställd till en äldre tidpunkt med databasens egna verktyg.
    Restored,
    /// Svara för att ingenting har öppnats efter den tidpunkt lagret är återställt till. Läs handboken först.
    Confirm,
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(5);
        }
    };
    let done = runtime.block_on(dispatch(arguments));
    daemon::shutdown::leave(runtime, daemon::shutdown::PATIENCE);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::read(&arguments.config)?;
    daemon::config::private_directory(&config.data).context(format!("{}", config.data.display()))?;
    match arguments.command {
        Command::Run => run(config).await,
        Command::Enrol { invite } => enrol(&config, &invite).await,
        Command::Invite { identity, server, address, enrolment_address, out } => {
            let question = Question::Invite { identity, server, address, enrolment_address };
            match admin::ask(&config.data, &question).await? {
                Reply::Invite(text) => {
                    daemon::config::write_private(&out, &text).context(format!("{}", out.display()))
                }
                other => refused(other),
            }
        }
        Command::Revoke { identity } => done(admin::ask(&config.data, &Question::Revoke { identity }).await?),
        Command::Announce { file } => {
            let collection = std::fs::read_to_string(&file).context(format!("{}", file.display()))?;
            done(admin::ask(&config.data, &Question::Announce { collection }).await?)
        }
        Command::Key => match admin::ask(&config.data, &Question::Key).await? {
            Reply::Key(id) => {
                println!("{id}");
                Ok(())
            }
            other => refused(other),
        },
        Command::Grupper { file } => {
            let bytes = std::fs::read(&file).context(format!("{}", file.display()))?;
            let kommuner = publish::names::kommuner().into_keys().collect();
            print!("{}", Grouping::read(&file.display().to_string(), &bytes, &kommuner)?.to_toml());
            Ok(())
        }
        Command::Sammanlagg { dokument, period, id, titel, version } => {
            let named = Named { id, version, title: titel, period };
            let folder = combine::combine(&config, &dokument, &named, Timestamp::now())?;
            println!("{}", folder.display());
            Ok(())
        }
        Command::Lager { command } => match command {
            StoreCommand::Export { file } => storage::export(&config, &file).await,
            StoreCommand::Import { file } => storage::import(&config, &file),
            StoreCommand::Restored => storage::set_restored(&config, true),
            StoreCommand::Confirm => storage::set_restored(&config, false),
        },
        Command::Status => match admin::ask(&config.data, &Question::Status).await? {
            Reply::Status(collections) => {
                for c in collections {
                    let (declared, verified) = (c.declared.len(), c.verified.len());
                    println!(
                        "{} {} omgång {}: {declared} deklarerat, {verified} lämnat",
                        c.collection, c.phase, c.round
                    );
                }
                Ok(())
            }
            other => refused(other),
        },
    }
}

fn done(reply: Reply) -> anyhow::Result<()> {
    match reply {
        Reply::Done => Ok(()),
        other => refused(other),
    }
}

fn refused(reply: Reply) -> anyhow::Result<()> {
    match reply {
        Reply::Refused(reason) => bail!("{reason}"),
        _ => bail!("the coordinator answered something else"),
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    daemon::telemetry::init("info")?;
    let (trigger, stop) = daemon::shutdown::channel();
    tokio::spawn(trigger.stop_on_signal());
    match config.tier.clone() {
        Tier::National { rounds } => national::run(config, rounds, stop).await,
        Tier::Third { county, national } => third::run(config, county, national, stop).await,
        Tier::Region { county, national, publications } => {
            region::run(config, county, national, publications, stop).await
        }
    }
}

/// Redeems an invite: own key made on the spot, certificate fetched, checked and stored.
async fn enrol(config: &Config, invite: &std::path::Path) -> anyhow::Result<()> {
    let invite = InviteFile::read(invite)?;
    let wallet = Wallet::new(config.data.join("identitet"));
    let tls = Arc::new(ClientTls::enrolment(invite.root_sha256));
    let address = invite.enrolment_address.clone();
    let channel = connect(Target { address, proxy: None, expected: invite.server.clone() }, tls).await?;
    let key = wallet.key()?;
    let csr = request(&key)?;
    let claim = invite.token.claim(&csr).to_bytes().to_vec();
    let message = v1::EnrolRequest { claim, certificate_signing_request: csr };
    let reply = EnrolmentClient::new(channel)
        .enrol(message)
        .await
        .map_err(|status| anyhow::anyhow!("{}", status.message()))?
        .into_inner();
    accept(&invite, key, &reply.certificate, &reply.root, Timestamp::now())?;
    wallet.store(&reply.certificate, &reply.root, &reply.revocation_list)?;
    println!("{} är inskriven.", invite.identity);
    Ok(())
}
