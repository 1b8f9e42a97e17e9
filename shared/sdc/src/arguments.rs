//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use suppress::table::{Effort, Options};
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
    /// Tabellen: `omrade,<dimensioner>,tid,matt,varde[,status]`
    #[arg(value_name = "IN.csv")]
    pub input: PathBuf,
    /// Minsta antal som visas
    #[arg(long, default_value_t = MinCount::LEAST, value_parser = min_count, value_name = "ANTAL")]
    pub min_count: u32,
    /// Den skyddade tabellen
    #[arg(long, value_name = "OUT.csv")]
    pub out: PathBuf,
    /// Skydda också mot den som känner en egen enhets alla tal
    #[arg(long)]
    pub insider: bool,
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
    /// The engine's options.
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
        })
    }
}

fn min_count(text: &str) -> Result<u32, String> {
    let value: u32 = text.parse().map_err(|_| "expected a whole number".to_string())?;
    MinCount::new(value).map(MinCount::get).map_err(|error| error.to_string())
}
