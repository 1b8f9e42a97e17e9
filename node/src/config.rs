//! A node's configuration file: Swedish keys, checked before anything else happens.

use std::path::{Path, PathBuf};

use daemon::config::{ConfigError, FieldError};
use harmonise::Sheets;
use serde::Deserialize;
use tables::count::MinCount;
use tables::unit::Unit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    enhet: String,
    katalog: PathBuf,
    region: String,
    proxy: Option<String>,
    uttag: RawExtract,
    min_count: Option<u32>,
    #[serde(default)]
    godkann: Approval,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExtract {
    fil: Option<PathBuf>,
    #[serde(default)]
    filer: Vec<PathBuf>,
    kalla: Option<PathBuf>,
    #[serde(default)]
    kallor: Vec<PathBuf>,
    koder: Option<PathBuf>,
    #[serde(default)]
    kodbok: Option<String>,
    #[serde(default)]
    blad: RawSheets,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawSheets {
    #[default]
    Ett,
    Alla,
}

/// Most files and sources of one extract.
const MAX_FILES: usize = 100;

/// Who approves collections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// The operator, one by one, with `node approve`.
    #[default]
    Operator,
    /// Standing policy: every collection the region signs.
    Alla,
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The unit.
    pub unit: Unit,
    /// Everything durable.
    pub data: PathBuf,
    /// `host:port` of the region.
    pub region: String,
    /// `host:port` of an HTTP CONNECT proxy.
    pub proxy: Option<String>,
    /// The files of the extract; a file or a source there is.
    pub extracts: Vec<PathBuf>,
    /// Its sources: files that each say what a database is asked.
    pub sources: Vec<PathBuf>,
    /// Which sheets of workbooks are read.
    pub sheets: Sheets,
    /// The codebook that `node check` reads with; a round has its collection's.
    pub codebook: String,
    /// The code map, if there is one.
    pub codes: Option<PathBuf>,
    /// The kommun's own threshold, at least the collection's when lower.
    pub min_count: MinCount,
    /// Who approves.
    pub approval: Approval,
}

impl Config {
    /// Reads a configuration file; relative paths are relative to it.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, key and what was expected.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let mut config = daemon::config::read::<RawConfig, Self>(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let files = config.extracts.iter_mut().chain(&mut config.sources).chain(&mut config.codes);
        for path in files.chain([&mut config.data]) {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// Where identity, store and journal lie.
    pub fn place(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = FieldError;

    fn try_from(raw: RawConfig) -> Result<Self, FieldError> {
        let unit = raw.enhet.parse().map_err(|_| {
            FieldError::new("enhet", "a kommunkod such as \"2180\", or with a sub-unit \"2180-03\"")
        })?;
        if !raw.region.contains(':') {
            return Err(FieldError::new("region", "host:port"));
        }
        let own = raw.min_count.unwrap_or(MinCount::LEAST);
        let min_count = MinCount::new(own).map_err(|_| {
            FieldError::new("min_count", "4 to 100; a kommun may raise the threshold, never lower it")
        })?;
        let extracts: Vec<PathBuf> = raw.uttag.fil.into_iter().chain(raw.uttag.filer).collect();
        let sources: Vec<PathBuf> = raw.uttag.kalla.into_iter().chain(raw.uttag.kallor).collect();
        if !(1..=MAX_FILES).contains(&(extracts.len() + sources.len())) {
            let expected =
                format!("a file, or uttag.filer, uttag.kalla, uttag.kallor: 1 to {MAX_FILES} of them");
            return Err(FieldError::new("uttag.fil", expected));
        }
        Ok(Self {
            unit,
            data: raw.katalog,
            region: raw.region,
            proxy: raw.proxy,
            extracts,
            sources,
            sheets: match raw.uttag.blad {
                RawSheets::Ett => Sheets::One,
                RawSheets::Alla => Sheets::All,
            },
            codebook: raw.uttag.kodbok.unwrap_or_else(|| "vuxna".into()),
            codes: raw.uttag.koder,
            min_count,
            approval: raw.godkann,
        })
    }
}
