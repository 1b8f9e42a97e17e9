//! `node preview`: the tables of a collection as they would leave the kommun, and how much leaves besides.
//!
//! Counts the extract over the collection's cells and withholds the small ones, as the node does before a round. The
//! coordinator's pattern may withhold more, never less: what is shown here is not protected against subtraction, is the
//! kommun's own, and says so (STAY-2 is the round's). Nothing is sent.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use tables::codebook::Codebook;
use tables::collection::{Collection, CollectionError, Scope, Table};
use tables::count::{FineStatus, MinCount};
use tables::strict::{Status, StrictError, StrictRow, StrictTable};
use tables::system::{Counts, System, SystemError, TableRows};
use tables::unit::{Omrade, Unit};

use super::check::asked;
use crate::config::Config;

/// What is to be shown.
#[derive(Debug, Clone, clap::Args)]
pub struct PreviewArguments {
    /// Insamlingens dokument.
    pub collection: PathBuf,
    /// Filer i stället för dem i konfigurationen.
    pub files: Vec<PathBuf>,
    /// Källfil: en fråga till en databas, i stället för det i konfigurationen.
    #[arg(long = "source", visible_alias = "kalla")]
    pub sources: Vec<PathBuf>,
    /// Enhet, när ingen konfiguration anges.
    #[arg(long)]
    pub unit: Option<Unit>,
    /// Skriv tabellerna som strikta filer i en katalog som inte finns.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// A collection that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The document.
    #[error("{}: {source}", .path.display())]
    Collection {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CollectionError,
    },
    /// Its cells.
    #[error("{}: {source}", .path.display())]
    System {
        /// Which.
        path: PathBuf,
        /// Why.
        source: SystemError,
    },
    /// The file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No unit.
    #[error("ange --unit (en kommunkod som insamlingen bjuder in) eller --config FIL")]
    NoUnit,
    /// Not invited.
    #[error("insamlingen bjuder inte in {0}")]
    NotInvited(Unit),
    /// Our own table breaks the strict form.
    #[error(transparent)]
    Strict(#[from] StrictError),
}

/// Runs the command.
///
/// # Errors
/// What cannot be read, by file, row and column.
pub fn run(config: Option<&Config>, arguments: &PreviewArguments) -> anyhow::Result<()> {
    let path = &arguments.collection;
    let file = |source| PreviewError::File { path: path.clone(), source };
    let document = |source| PreviewError::Collection { path: path.clone(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    let book = Collection::codebook_of(&text).map_err(document)?;
    let collection = Collection::from_toml(&text, &book).map_err(document)?;
    let system = System::new(&collection, &book)
        .map_err(|source| PreviewError::System { path: path.clone(), source })?;
    let unit = arguments.unit.clone().or_else(|| config.map(|config| config.unit.clone()));
    let unit = unit.ok_or(PreviewError::NoUnit)?;
    if !collection.units.contains(&unit) {
        return Err(PreviewError::NotInvited(unit).into());
    }
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let asked = asked(config, (&arguments.files, &arguments.sources), &book)?;
    let (counts, _) = super::count(&asked, &system, &book, today)?;
    let own = config.map_or(collection.min_count, |config| config.min_count.max(collection.min_count));
    let view = View {
        collection: &collection,
        book: &book,
        system: &system,
        counts: &counts,
        unit: &unit,
        min_count: own,
    };
    if let Some(out) = &arguments.out {
        write(out, &view)?;
    }
    view.lines().iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn write(out: &Path, view: &View<'_>) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for (at, table) in view.collection.tables.iter().enumerate() {
        if table.scope == Scope::Kommun {
            let name = format!("{}.csv", table.id);
            files.push((name.clone(), view.strict(at).to_csv(&name).map_err(PreviewError::Strict)?));
        }
    }
    if out.try_exists().with_context(|| out.display().to_string())? {
        bail!("{}: finns redan; ange en katalog som inte finns", out.display());
    }
    // beside its place and renamed: whole or not at all
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = std::fs::create_dir(&partial).and_then(|()| {
        files.iter().try_for_each(|(name, text)| std::fs::write(partial.join(name), text))?;
        std::fs::rename(&partial, out)
    });
    if let Err(error) = written {
        // the first error says more
        let _ = std::fs::remove_dir_all(&partial);
        return Err(error).with_context(|| out.display().to_string());
    }
    println!("Tabellerna står i {}.", out.display());
    Ok(())
}

struct View<'a> {
    collection: &'a Collection,
    book: &'a Codebook,
    system: &'a System,
    counts: &'a Counts,
    unit: &'a Unit,
    min_count: MinCount,
}

impl View<'_> {
    /// A count as it would leave: nothing for a small one.
    fn shown(&self, cell: usize) -> Option<u64> {
        let count = self.system.value(self.counts, cell);
        (self.min_count.status(count) != FineStatus::Small).then_some(count)
    }

    /// The kommun's rows of a table in the strict form.
    fn strict(&self, at: usize) -> StrictTable {
        let (table, rows): (&Table, &TableRows) = (&self.collection.tables[at], &self.system.tables[at]);
        let constants = table.constant_columns(self.book);
        let code = |dimension: usize, category: Option<usize>| match category {
            Some(category) => table.dimensions[dimension].categories[category].code.clone(),
            None => tables::codebook::TOT.to_owned(),
        };
        let made = rows.rows.iter().map(|row| {
            let own = row.codes.iter().enumerate().map(|(dimension, category)| code(dimension, *category));
            let shown = self.shown(row.cell).and_then(|count| i64::try_from(count).ok());
            StrictRow {
                omrade: Omrade::Unit(self.unit.clone()),
                codes: own.chain(constants.iter().map(|(_, code)| code.clone())).collect(),
                tid: table.periods[row.period],
                matt: "aktualiseringar".into(),
                varde: shown,
                status: if shown.is_some() { Status::Value } else { Status::Withheld },
            }
        });
        let names = table.dimensions.iter().map(|dimension| dimension.id.clone());
        let dimensions = names.chain(constants.iter().map(|(id, _)| id.clone())).collect();
        StrictTable { dimensions, rows: made.collect() }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} ({}), {}: det här skulle lämna kommunen.",
            self.collection.title, self.collection.id, self.unit
        )];
        let (mut shown, mut withheld) = (0usize, 0usize);
        for (at, table) in self.collection.tables.iter().enumerate() {
            if table.scope == Scope::Total {
                lines.push(format!(
                    "\n{} {}: bara som hemliga andelar; regionen ser summan över kommunerna.",
                    table.id, table.title
                ));
                continue;
            }
            lines.push(format!("\n{} {}", table.id, table.title));
            for row in &self.system.tables[at].rows {
                let names: Vec<&str> = row
                    .codes
                    .iter()
                    .enumerate()
                    .map(|(dimension, category)| match category {
                        Some(category) => table.dimensions[dimension].categories[*category].text.as_str(),
                        None => "Totalt",
                    })
                    .collect();
                let value = match self.shown(row.cell) {
                    Some(count) => {
                        shown += 1;
                        count.to_string()
                    }
                    None => {
                        withheld += 1;
                        "x".into()
                    }
                };
                lines.push(format!("  {}, {}: {value}", names.join(", "), table.periods[row.period]));
            }
        }
        let entries: usize = self.system.blocks.iter().map(|block| block.length).sum();
        lines.push(format!(
            "\n{shown} rader visas och {withheld} undertrycks (x: antal under {}). Samordnaren kan behöva undertrycka fler, aldrig färre.",
            self.min_count.get()
        ));
        lines.push(
            "Varning: utan samordnarens mönster går ett ensamt x att räkna ut ur sin summa. Visa inte det här för andra."
                .into(),
        );
        lines.push(format!(
            "Dessutom lämnar, utan värden: för {} celler om de är noll, små eller minst {}; och två hemliga andelar av {entries} tal, var för sig bara slump.",
            self.system.unit_atoms, self.min_count.get()
        ));
        lines
    }
}
