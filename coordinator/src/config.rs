//! A coordinator's configuration file: Swedish keys, checked before a port is bound.

use std::path::{Path, PathBuf};

use daemon::config::{ConfigError, FieldError};
use serde::Deserialize;
use tables::unit::LansKod;

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
    sparrlista_sekunder: Option<u64>,
}

/// A tier and what only it needs.
#[derive(Debug, Clone)]
pub enum Tier {
    /// Root, issuer, helper.
    National,
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
    /// Everything durable.
    pub data: PathBuf,
    /// `host:port` of the ordinary door.
    pub listen: String,
    /// `host:port` of the enrolment door.
    pub enrolment: String,
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
            "nationell" => Tier::National,
            "region" => Tier::Region {
                county: raw
                    .lan
                    .and_then(|county| county.parse().ok())
                    .ok_or_else(|| FieldError::new("lan", "a länskod such as \"21\""))?,
                national: raw
                    .nationell
                    .ok_or_else(|| FieldError::new("nationell", "host:port of the national body"))?,
                publications: raw
                    .publicering
                    .ok_or_else(|| FieldError::new("publicering", "the folder publications go to"))?,
            },
            _ => return Err(FieldError::new("niva", "\"region\" or \"nationell\"")),
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
        Ok(Self {
            tier,
            data: raw.katalog,
            listen: raw.lyssna,
            enrolment: raw.inskrivning,
            revocation_seconds,
        })
    }
}
