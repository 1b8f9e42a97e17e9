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
    let read = Read::new(config, &arguments.collection, arguments.unit.as_ref(), &|book| {
        asked(config, (&arguments.files, &arguments.sources), book)
    })?;
    let view = read.view();
    if let Some(out) = &arguments.out {
        write(out, &view)?;
    }
    view.lines().iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// The tables of a collection over the configured extract, for a screen of the operator's own.
///
/// # Errors
/// As [`run`].
pub(crate) fn shown(config: &Config, collection: &Path) -> anyhow::Result<Shown> {
    let read = Read::new(Some(config), collection, None, &|book| asked(Some(config), (&[], &[]), book))?;
    Ok(read.view().shown())
}

/// A collection and what the extract counts in it.
struct Read {
    collection: Collection,
    book: Codebook,
    system: System,
    counts: Counts,
    unit: Unit,
    min_count: MinCount,
}

impl Read {
    fn new(
        config: Option<&Config>,
        path: &Path,
        unit: Option<&Unit>,
        asked: &dyn Fn(&Codebook) -> anyhow::Result<super::Asked>,
    ) -> anyhow::Result<Self> {
        let file = |source| PreviewError::File { path: path.to_owned(), source };
        let document = |source| PreviewError::Collection { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(file)?;
        let book = Collection::codebook_of(&text).map_err(document)?;
        let collection = Collection::from_toml(&text, &book).map_err(document)?;
        let system = System::new(&collection, &book)
            .map_err(|source| PreviewError::System { path: path.to_owned(), source })?;
        let unit = unit.or_else(|| config.map(|config| &config.unit)).cloned();
        let unit = unit.ok_or(PreviewError::NoUnit)?;
        if !collection.units.contains(&unit) {
            return Err(PreviewError::NotInvited(unit).into());
        }
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let (counts, _) = super::count(&asked(&book)?, &system, &book, today)?;
        let min_count =
            config.map_or(collection.min_count, |config| config.min_count.max(collection.min_count));
        Ok(Self { collection, book, system, counts, unit, min_count })
    }

    fn view(&self) -> View<'_> {
        let Self { collection, book, system, counts, unit, min_count } = self;
        let chosen = match system.alone {
            true => county_stage::alone::choice(system, counts, *min_count),
            false => Vec::new(),
        };
        View { collection, book, system, counts, unit, min_count: *min_count, chosen }
    }
}

/// What would leave, in texts.
pub(crate) struct Shown {
    /// Title of the collection.
    pub(crate) title: String,
    /// Its id.
    pub(crate) id: String,
    /// Its tables.
    pub(crate) tables: Vec<ShownTable>,
    /// Rows with a figure.
    pub(crate) rows: usize,
    /// Rows without.
    pub(crate) withheld: usize,
    /// Counts under it are withheld.
    pub(crate) min_count: u32,
    /// Cells of which a status leaves.
    pub(crate) statuses: usize,
    /// Numbers of which shares leave.
    pub(crate) entries: usize,
}

/// One table.
pub(crate) struct ShownTable {
    /// Its id.
    pub(crate) id: String,
    /// Its title.
    pub(crate) title: String,
    /// Whether it leaves as secret shares alone: then it has no rows.
    pub(crate) only_shares: bool,
    /// Above the columns of names.
    pub(crate) heads: Vec<String>,
    /// Its rows.
    pub(crate) rows: Vec<ShownRow>,
}

/// One row.
pub(crate) struct ShownRow {
    /// Categories and period.
    pub(crate) names: Vec<String>,
    /// The figure, unless it is withheld.
    pub(crate) value: Option<u64>,
}

fn write(out: &Path, view: &View<'_>) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for (at, table) in view.collection.tables.iter().enumerate() {
        if !view.is_only_shared(table) {
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
    /// What a kommun that stands alone declares of each cell; else nothing.
    chosen: Vec<FineStatus>,
}

impl View<'_> {
    /// Whether a table leaves as secret shares alone.
    fn is_only_shared(&self, table: &Table) -> bool {
        table.scope == Scope::Total && !self.system.alone
    }

    /// A count as it would leave: nothing for a small one, nor for what a kommun that stands alone withholds for its sake.
    fn shown_value(&self, cell: usize) -> Option<u64> {
        let count = self.system.value(self.counts, cell);
        let status = match self.chosen.get(cell) {
            Some(chosen) => *chosen,
            None => self.min_count.status(count),
        };
        (status != FineStatus::Small).then_some(count)
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
            let shown = self.shown_value(row.cell).and_then(|count| i64::try_from(count).ok());
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

    fn shown(&self) -> Shown {
        let tables: Vec<ShownTable> = (0..self.collection.tables.len()).map(|at| self.table(at)).collect();
        let values = || tables.iter().flat_map(|table| &table.rows).map(|row| row.value);
        Shown {
            title: self.collection.title.clone(),
            id: self.collection.id.clone(),
            rows: values().flatten().count(),
            withheld: values().filter(Option::is_none).count(),
            min_count: self.min_count.get(),
            statuses: self.system.declared(),
            entries: self.system.blocks.iter().map(|block| block.length).sum(),
            tables,
        }
    }

    fn table(&self, at: usize) -> ShownTable {
        let table = &self.collection.tables[at];
        let only_shares = self.is_only_shared(table);
        let name = |(dimension, category): (usize, &Option<usize>)| match category {
            Some(category) => table.dimensions[dimension].categories[*category].text.clone(),
            None => "Totalt".to_owned(),
        };
        let row = |row: &tables::system::Row| {
            let mut names: Vec<String> = row.codes.iter().enumerate().map(name).collect();
            names.push(table.periods[row.period].to_string());
            ShownRow { names, value: self.shown_value(row.cell) }
        };
        let rows = self.system.tables[at].rows.iter().filter(|_| !only_shares).map(row);
        // Of others bortfall leaves as shares alone.
        let bortfall = self.system.tables[at]
            .bortfall
            .iter()
            .enumerate()
            .filter(|_| self.system.alone && !table.dimensions.is_empty());
        let bortfall = bortfall.map(|(period, cell)| {
            let mut names = vec![String::new(); table.dimensions.len()];
            names[0] = "Bortfall".into();
            names.push(table.periods[period].to_string());
            ShownRow { names, value: self.shown_value(*cell) }
        });
        let rows = rows.chain(bortfall).collect();
        let heads = table.dimensions.iter().map(|dimension| dimension.text.clone());
        let heads = heads.chain(["Period".to_owned()]).collect();
        ShownTable { id: table.id.clone(), title: table.title.clone(), only_shares, heads, rows }
    }

    fn lines(&self) -> Vec<String> {
        let all = self.shown();
        let mut lines =
            vec![format!("{} ({}), {}: det här skulle lämna kommunen.", all.title, all.id, self.unit)];
        for table in &all.tables {
            let head = format!("\n{} {}", table.id, table.title);
            if table.only_shares {
                lines.push(format!("{head}: bara som hemliga andelar; regionen ser summan över kommunerna."));
                continue;
            }
            lines.push(head);
            for ShownRow { names, value } in &table.rows {
                let value = value.map_or("x".to_owned(), |count| count.to_string());
                lines.push(format!("  {}: {value}", names.join(", ")));
            }
        }
        let Shown { rows, withheld, min_count, statuses, entries, .. } = all;
        lines.push(format!(
            "\n{rows} rader visas och {withheld} undertrycks (x: antal under {min_count}). Samordnaren kan behöva undertrycka fler, aldrig färre."
        ));
        lines.push(
            "Varning: utan samordnarens mönster går ett ensamt x att räkna ut ur sin summa. Visa inte det här för andra."
                .into(),
        );
        lines.push(format!(
            "Dessutom lämnar, utan värden: för {statuses} celler om de är noll, små eller minst {min_count}; och två hemliga andelar av {entries} tal, var för sig bara slump."
        ));
        lines
    }
}
