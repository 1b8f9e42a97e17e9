//! A coordinator's configuration file: Swedish keys, checked before a port is bound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use daemon::config::{ConfigError, FieldError};
use serde::Deserialize;
use tables::unit::{KommunKod, LansKod};

use crate::storage::{Kind, RawStore};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    niva: String,
    lan: Option<String>,
    katalog: PathBuf,
    lyssna: String,
    inskrivning: String,
    nationell: Option<String>,
    publicering: Option<PathBuf>,
    tredje: Option<String>,
    tredje_lan: Option<LansKod>,
    #[serde(default)]
    fler_kommuner: BTreeSet<KommunKod>,
    sparrlista_sekunder: Option<u64>,
    lager: Option<RawStore>,
}

/// What national rounds need.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// `host:port` of the third coordinator.
    pub third: String,
    /// Its county.
    pub third_county: LansKod,
    /// Where publications go.
    pub publications: PathBuf,
}

/// A tier and what only it needs.
#[derive(Debug, Clone)]
pub enum Tier {
    /// Root, issuer, helper; national rounds when there is a third coordinator.
    National {
        /// National rounds, if they are run.
        rounds: Option<Rounds>,
    },
    /// The other coordinator of national rounds.
    Third {
        /// The county whose body runs it.
        county: LansKod,
        /// `host:port` of the national body.
        national: String,
    },
    /// Rounds of a county.
    Region {
        /// The county.
        county: LansKod,
        /// `host:port` of the national body.
        national: String,
        /// Where publications go.
        publications: PathBuf,
    },
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tier.
    pub tier: Tier,
    /// Everything durable; with a database, keys and certificates.
    pub data: PathBuf,
    /// Which store.
    pub store: Kind,
    /// `host:port` of the ordinary door.
    pub listen: String,
    /// `host:port` of the enrolment door.
    pub enrolment: String,
    /// Kommuner that the issuer knows beside SCB's; the national body's only.
    pub more_kommuner: BTreeSet<KommunKod>,
    /// How often the revocation list is asked for, seconds.
    pub revocation_seconds: u64,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, key and what was expected.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        daemon::config::read::<RawConfig, Self>(file)
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = FieldError;

    fn try_from(raw: RawConfig) -> Result<Self, FieldError> {
        let tier = match raw.niva.as_str() {
            "nationell" => Tier::National { rounds: rounds(&raw)? },
            "region" => Tier::Region {
                county: county(&raw)?,
                national: national(&raw)?,
                publications: publications(&raw)?,
            },
            "tredje" => Tier::Third { county: county(&raw)?, national: national(&raw)? },
            _ => return Err(FieldError::new("niva", "\"region\", \"nationell\" or \"tredje\"")),
        };
        for (key, address) in [("lyssna", &raw.lyssna), ("inskrivning", &raw.inskrivning)] {
            if !address.contains(':') {
                return Err(FieldError::new(key, "host:port"));
            }
        }
        let revocation_seconds = raw.sparrlista_sekunder.unwrap_or(60);
        if !(1..=86_400).contains(&revocation_seconds) {
            return Err(FieldError::new("sparrlista_sekunder", "1 to 86400 seconds"));
        }
        if !raw.fler_kommuner.is_empty() && !matches!(tier, Tier::National { .. }) {
            return Err(FieldError::new(
                "fler_kommuner",
                "no such key: the national body certifies kommuner",
            ));
        }
        let store = raw.lager.map(Kind::try_from).transpose()?.unwrap_or_default();
        Ok(Self {
            tier,
            store,
            data: raw.katalog,
            listen: raw.lyssna,
            enrolment: raw.inskrivning,
            more_kommuner: raw.fler_kommuner,
            revocation_seconds,
        })
    }
}

fn county(raw: &RawConfig) -> Result<LansKod, FieldError> {
    let county = raw.lan.as_ref().and_then(|county| county.parse().ok());
    county.ok_or_else(|| FieldError::new("lan", "a länskod such as \"21\""))
}

fn national(raw: &RawConfig) -> Result<String, FieldError> {
    raw.nationell.clone().ok_or_else(|| FieldError::new("nationell", "host:port of the national body"))
}

fn publications(raw: &RawConfig) -> Result<PathBuf, FieldError> {
    raw.publicering.clone().ok_or_else(|| FieldError::new("publicering", "the folder publications go to"))
}

fn rounds(raw: &RawConfig) -> Result<Option<Rounds>, FieldError> {
    match (&raw.tredje, raw.tredje_lan) {
        (None, None) => Ok(None),
        (Some(third), Some(third_county)) => {
            let publications = publications(raw)?;
            Ok(Some(Rounds { third: third.clone(), third_county, publications }))
        }
        _ => Err(FieldError::new(
            "tredje, tredje_lan",
            "both, or none: address and länskod of the third coordinator",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("samordnare.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(&file)
    }

    const DOORS: &str = "katalog = \"x\"\nlyssna = \"h:1\"\ninskrivning = \"h:2\"\n";

    #[test]
    fn only_the_national_body_knows_kommuner_beside_the_listed_ones() {
        let national = read(&format!("niva = \"nationell\"\nfler_kommuner = [\"9901\"]\n{DOORS}")).unwrap();
        assert_eq!(national.more_kommuner, BTreeSet::from(["9901".parse().unwrap()]));
        let region = "niva = \"region\"\nlan = \"99\"\nnationell = \"h:3\"\npublicering = \"y\"\n";
        assert!(read(&format!("{region}{DOORS}")).unwrap().more_kommuner.is_empty());
        let refused = read(&format!("{region}fler_kommuner = [\"9901\"]\n{DOORS}")).unwrap_err().to_string();
        assert!(refused.contains("fler_kommuner"), "{refused}");
    }
}
