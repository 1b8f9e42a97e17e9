//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use suppress::table::{Effort, Options, Range};
use tables::count::MinCount;

/// Röjandekontroll för tabeller.
#[derive(Debug, Clone, Parser)]
#[command(name = "sdc", version, about = "Röjandekontroll för tabeller")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Skyddar en tabell: läser finaste cellerna, skriver tabellen med alla marginaler
    Protect(ProtectArguments),
    /// Granskar publicerade tabeller: vilka undertryckta celler går att räkna ut?
    Audit(crate::audit_command::AuditArguments),
}

/// How a table is to be protected.
#[derive(Debug, Clone, clap::Args)]
pub struct ProtectArguments {
    /// Tabellen: `omrade,<dimensioner>,tid,matt,varde[,status]`; flera filer är länkade tabeller över samma poster
    #[arg(value_name = "IN.csv", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Minsta antal som visas
    #[arg(long, default_value_t = MinCount::LEAST, value_parser = min_count, value_name = "ANTAL")]
    pub min_count: u32,
    /// Den skyddade tabellen; till flera filer en mapp, som får filer med samma namn
    #[arg(long, value_name = "OUT.csv")]
    pub out: PathBuf,
    /// Grupper av koder: `dimension,grupp,del`, en rad per del
    #[arg(long, value_name = "FIL")]
    pub hierarchy: Option<PathBuf>,
    /// Celler som avgjorts i förväg, och vad celler kostar: dimensioner, `regel` (visa, dolj, behall) och `vikt`
    #[arg(long, value_name = "FIL")]
    pub rules: Option<PathBuf>,
    /// Redan publicerad tabell som inte får ändras; får anges flera gånger
    #[arg(long, value_name = "FIL")]
    pub published: Vec<PathBuf>,
    /// Vad små celler måste kunna vara: `full` (1 till minsta antal), `exact` (minst två värden) eller `MIN..MAX`
    #[arg(long, default_value = "full", value_parser = range, value_name = "SPANN")]
    pub range: Range,
    /// Dölj och skydda också nollor
    #[arg(long)]
    pub zeros: bool,
    /// Skydda också mot den som är ensam i en cell
    #[arg(long)]
    pub singleton: bool,
    /// Dimension där en rad inte får visa att alla faller i samma kategori; får anges flera gånger
    #[arg(long = "group", value_name = "DIMENSION")]
    pub groups: Vec<String>,
    /// Skydda också mot den som känner en egen enhets alla tal
    #[arg(long)]
    pub insider: bool,
    /// Nyckelfil som avgör mellan likvärdiga val, så att ingen annan kan göra om valet; skapas om den saknas
    #[arg(long, value_name = "FIL")]
    pub key: Option<PathBuf>,
    /// Hur länge det söks efter färre undertryckta celler
    #[arg(long, value_enum, default_value = "fast")]
    pub effort: EffortArgument,
    /// Avbryt efter så många sekunder, utan att skriva något (slutkod 3)
    #[arg(long, value_name = "SEKUNDER", value_parser = clap::value_parser!(u64).range(1..))]
    pub time_limit: Option<u64>,
    /// Rapport i JSON: antal celler, förlust per marginalnivå. För den som har talen, inte för publicering
    #[arg(long, value_name = "REPORT.json")]
    pub report: Option<PathBuf>,
}

/// How long to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EffortArgument {
    /// kort
    Fast,
    /// lång
    High,
}

impl ProtectArguments {
    /// The engine's options, but for the groups' dimensions, which have numbers only when tables are read.
    ///
    /// # Errors
    /// When `min_count` is outside what is supported.
    pub fn options(&self) -> Result<Options, tables::count::MinCountError> {
        Ok(Options {
            min_count: MinCount::new(self.min_count)?,
            insider: self.insider,
            effort: match self.effort {
                EffortArgument::Fast => Effort::Fast,
                EffortArgument::High => Effort::High,
            },
            range: self.range,
            zeros: self.zeros,
            singleton: self.singleton,
            groups: Vec::new(),
            secret: None,
        })
    }
}

fn min_count(text: &str) -> Result<u32, String> {
    let value: u32 = text.parse().map_err(|_| "expected a whole number".to_string())?;
    MinCount::new(value).map(MinCount::get).map_err(|error| error.to_string())
}

fn range(text: &str) -> Result<Range, String> {
    match text {
        "full" => return Ok(Range::Full),
        "exact" => return Ok(Range::Exact),
        _ => {}
    }
    let ends = text.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match ends {
        Some((low, high)) if low < high && high <= MOST_RANGE => Ok(Range::Values { low, high }),
        _ => Err(format!(
            "expected full, exact, or MIN..MAX with MIN less than MAX and MAX at most {MOST_RANGE}"
        )),
    }
}

/// Largest value that a small cell may be asked to be able to take.
const MOST_RANGE: u16 = 1_000;
