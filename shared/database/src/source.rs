//! A source file: where a database is, who asks, what is asked, and which column is what.
//!
//! Read whole and checked before anything is connected to; errors name line, key and what was expected. The password
//! is never in it, only the name of a file of its own: so nothing of a source is secret, and its `Debug` may be shown.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harmonise::Mapping;
use serde::Deserialize;
use toml::Spanned;

use crate::select::{self, Engine, QueryProblem};

/// The version of the file's form.
pub const VERSION: u32 = 1;
/// Longest time limit, in seconds.
pub const MAX_SECONDS: u64 = 7_200;
/// Most rows a source may allow: what `harmonise` reads of anything.
pub const MAX_ROWS: u64 = harmonise::intake::MAX_ROWS;
/// Longest source file, in bytes.
const MAX_BYTES: u64 = 256 << 10;
const USUAL_SECONDS: u64 = 600;
const USUAL_ROWS: u64 = 1_000_000;

/// A source file that cannot be used. Shown to the operator who wrote it, hence in Swedish.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] io::Error),
    /// Not TOML, an unknown key, a missing key, or a value of another kind.
    #[error("rad {line}: {problem}")]
    Form {
        /// Line, from 1.
        line: usize,
        /// The key and what was expected.
        problem: String,
    },
    /// A version this program does not know.
    #[error("rad {line}, version: filen har version {found}, den här noden läser {VERSION}{}", newer(*found))]
    Version {
        /// Line, from 1.
        line: usize,
        /// What the file says.
        found: i64,
    },
    /// A value outside what makes sense.
    #[error("rad {line}, {key}: väntade {expected}")]
    Value {
        /// Line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What would do.
        expected: String,
    },
    /// The query is no single SELECT.
    #[error("rad {line}, fraga: {problem}")]
    Query {
        /// Line, from 1.
        line: usize,
        /// Why.
        problem: QueryProblem,
    },
}

fn newer(found: i64) -> &'static str {
    if found > i64::from(VERSION) { "; filen är skriven för en nyare nod, uppgradera noden" } else { "" }
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Required,
    Off,
}

/// A checked source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub(crate) engine: Engine,
    /// A name, an address, or the folder of a PostgreSQL socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<PathBuf>,
    pub(crate) root: Option<PathBuf>,
    pub(crate) tls: Tls,
    pub(crate) query: String,
    pub(crate) time_limit: Duration,
    pub(crate) row_limit: u64,
    mapping: Option<Mapping>,
}

#[derive(Deserialize)]
struct Versioned {
    version: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version")]
    _version: i64,
    slag: Spanned<String>,
    vard: Spanned<String>,
    port: Option<Spanned<u16>>,
    databas: Spanned<String>,
    anvandare: Spanned<String>,
    losenord_fil: Option<PathBuf>,
    rot: Option<PathBuf>,
    tls: Option<Spanned<String>>,
    tidsgrans_sekunder: Option<Spanned<u64>>,
    radgrans: Option<Spanned<u64>>,
    fraga: Spanned<String>,
    kolumner: Option<std::collections::BTreeMap<String, Spanned<Variables>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Variables {
    One(String),
    Several(Vec<String>),
}

impl Source {
    /// Reads a source file; relative paths are relative to it.
    ///
    /// # Errors
    /// [`SourceError`] naming line and key.
    pub fn read(file: &Path) -> Result<Self, SourceError> {
        if fs::metadata(file)?.len() > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "källfilen är längre än 256 KiB").into());
        }
        let mut source = Self::from_toml(&fs::read_to_string(file)?)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in [&mut source.password, &mut source.root].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(source)
    }

    /// The same for text already read.
    ///
    /// # Errors
    /// [`SourceError`] naming line and key.
    pub fn from_toml(text: &str) -> Result<Self, SourceError> {
        // before the keys: a newer form may have other ones
        let version = toml::from_str::<Versioned>(text).map_err(|error| form(text, &error))?.version;
        if *version.get_ref() != i64::from(VERSION) {
            let line = line_of(text, version.span().start);
            return Err(SourceError::Version { line, found: *version.get_ref() });
        }
        let raw: Raw = toml::from_str(text).map_err(|error| form(text, &error))?;
        Checking { text }.check(raw)
    }

    /// Which column is what, where the file says it.
    pub fn mapping(&self) -> Option<&Mapping> {
        self.mapping.as_ref()
    }

    /// The kind of database, as a person calls it.
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::PostgreSql => "PostgreSQL",
            Engine::SqlServer => "SQL Server",
        }
    }

    /// Whether the host is the folder of a socket of this machine.
    pub(crate) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

fn form(text: &str, error: &toml::de::Error) -> SourceError {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    let message = error.message();
    let problem = match message {
        // who writes it there has perhaps written the word itself behind it: nothing of the line is shown
        _ if message.starts_with("unknown field `losenord`") => {
            "lösenordet står aldrig i källfilen; ange losenord_fil, en fil som bara ägaren kan läsa"
                .to_owned()
        }
        // the message of a value of the wrong kind quotes the value
        _ if message.starts_with("invalid ") => {
            let expected =
                message.split_once(", expected ").map_or("ett annat slags värde", |(_, kind)| kind);
            format!("värdet är av fel slag; väntade {expected}")
        }
        other => other.to_owned(),
    };
    SourceError::Form { line, problem }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

struct Checking<'t> {
    text: &'t str,
}

impl Checking<'_> {
    fn fault<T>(&self, at: &Spanned<T>, key: &str, expected: impl Into<String>) -> SourceError {
        let line = line_of(self.text, at.span().start);
        SourceError::Value { line, key: key.into(), expected: expected.into() }
    }

    fn check(&self, raw: Raw) -> Result<Source, SourceError> {
        let engine = match raw.slag.get_ref().as_str() {
            "postgresql" => Engine::PostgreSql,
            "sqlserver" => Engine::SqlServer,
            _ => return Err(self.fault(&raw.slag, "slag", "\"postgresql\" eller \"sqlserver\"")),
        };
        let host = self.word(&raw.vard, "vard", "en värd: namn eller adress")?;
        if host.starts_with('/') && engine == Engine::SqlServer {
            return Err(self.fault(&raw.vard, "vard", "en värd: namn eller adress"));
        }
        let usual = if engine == Engine::PostgreSql { 5_432 } else { 1_433 };
        let port = raw.port.as_ref().map_or(usual, |port| *port.get_ref());
        let tls = self.tls(raw.tls.as_ref(), &host)?;
        let query = raw.fraga.get_ref().clone();
        let line = line_of(self.text, raw.fraga.span().start);
        select::check(&query, engine).map_err(|problem| SourceError::Query { line, problem })?;
        let seconds =
            self.between(raw.tidsgrans_sekunder.as_ref(), "tidsgrans_sekunder", USUAL_SECONDS, MAX_SECONDS)?;
        Ok(Source {
            engine,
            host,
            port,
            database: self.word(&raw.databas, "databas", "databasens namn")?,
            user: self.word(&raw.anvandare, "anvandare", "en användare som bara får läsa")?,
            password: raw.losenord_fil,
            root: raw.rot,
            tls,
            query,
            time_limit: Duration::from_secs(seconds),
            row_limit: self.between(raw.radgrans.as_ref(), "radgrans", USUAL_ROWS, MAX_ROWS)?,
            mapping: raw.kolumner.map(|columns| self.mapping(columns)).transpose()?,
        })
    }

    fn word(&self, given: &Spanned<String>, key: &str, expected: &str) -> Result<String, SourceError> {
        let text = given.get_ref();
        let is_word = !text.trim().is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
        if is_word { Ok(text.clone()) } else { Err(self.fault(given, key, expected)) }
    }

    fn between(
        &self,
        given: Option<&Spanned<u64>>,
        key: &str,
        usual: u64,
        most: u64,
    ) -> Result<u64, SourceError> {
        match given {
            None => Ok(usual),
            Some(given) if (1..=most).contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => Err(self.fault(given, key, format!("1 till {most}"))),
        }
    }

    fn tls(&self, given: Option<&Spanned<String>>, host: &str) -> Result<Tls, SourceError> {
        let Some(given) = given else {
            // a socket of this machine has no TLS
            return Ok(if host.starts_with('/') { Tls::Off } else { Tls::Required });
        };
        match given.get_ref().as_str() {
            "krav" if host.starts_with('/') => Err(self.fault(given, "tls", "ingenting: en socket har ingen TLS")),
            "krav" => Ok(Tls::Required),
            "av" if is_this_machine(host) => Ok(Tls::Off),
            "klartext" => Ok(Tls::Off),
            _ => Err(self.fault(
                given,
                "tls",
                "\"krav\", \"av\" (bara när vard är den här datorn) eller \"klartext\" (lösenord och rader kan läsas på vägen)",
            )),
        }
    }

    fn mapping(
        &self,
        columns: std::collections::BTreeMap<String, Spanned<Variables>>,
    ) -> Result<Mapping, SourceError> {
        let one = |(column, variables): (String, Spanned<Variables>)| {
            let ids = match variables.get_ref() {
                Variables::One(id) => vec![id.clone()],
                Variables::Several(ids) => ids.clone(),
            };
            let is_good = |id: &String| !id.trim().is_empty();
            if ids.is_empty() || !ids.iter().all(is_good) {
                let expected =
                    "en variabel som datum eller personnummer, eller - för en kolumn som inte läses";
                return Err(self.fault(&variables, &format!("kolumner.{column}"), expected));
            }
            Ok((column, ids))
        };
        columns.into_iter().map(one).collect()
    }
}

/// The folder of a socket, or an address that never leaves the machine. A name other than `localhost` may.
fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<core::net::IpAddr>();
    host.starts_with('/') || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str =
        "version = 1\nslag = \"postgresql\"\nvard = \"db.example\"\ndatabas = \"vks\"\nanvandare = \"las\"\n";

    fn with(lines: &str) -> Result<Source, SourceError> {
        let query = if lines.contains("fraga") { "" } else { "fraga = 'SELECT 1'\n" };
        Source::from_toml(&format!("{HEAD}{query}{lines}"))
    }

    fn refused(lines: &str) -> String {
        with(lines).unwrap_err().to_string()
    }

    #[test]
    fn a_source_has_safe_values_where_nothing_is_said() {
        let source = with("").unwrap();
        assert_eq!((source.port, source.tls, source.row_limit), (5_432, Tls::Required, 1_000_000));
        assert_eq!((source.time_limit.as_secs(), source.mapping()), (600, None));
        let socket = Source::from_toml(&format!("{HEAD}fraga = 'SELECT 1'").replace("db.example", "/run/pg"));
        assert_eq!(socket.unwrap().tls, Tls::Off);
        let server = format!("{HEAD}fraga = 'SELECT 1'").replace("postgresql", "sqlserver");
        assert_eq!(Source::from_toml(&server).unwrap().port, 1_433);
    }

    #[test]
    fn each_error_names_line_and_key() {
        let named = |lines: &str, expected: &str| assert_eq!(refused(lines), expected);
        named("port = 'x'", "rad 7: värdet är av fel slag; väntade u16");
        named("radgrans = 0", "rad 7, radgrans: väntade 1 till 5000000");
        named("tidsgrans_sekunder = 7201", "rad 7, tidsgrans_sekunder: väntade 1 till 7200");
        named("fraga = 'DROP TABLE x'", "rad 6, fraga: en fråga börjar med SELECT eller WITH");
        named(
            "losenord = 'KANARIE'",
            "rad 7: lösenordet står aldrig i källfilen; ange losenord_fil, en fil som bara ägaren kan läsa",
        );
        named(
            "[kolumner]\na = ['']",
            "rad 8, kolumner.a: väntade en variabel som datum eller personnummer, eller - för en kolumn som inte läses",
        );
        assert!(refused("snark = 1").starts_with("rad 7: unknown field `snark`, expected one of"));
        let other = |from: &str, to: &str| {
            let text = format!("{HEAD}fraga = 'SELECT 1'").replace(from, to);
            Source::from_toml(&text).unwrap_err().to_string()
        };
        assert_eq!(other("postgresql", "oracle"), "rad 2, slag: väntade \"postgresql\" eller \"sqlserver\"");
        assert_eq!(other("\"las\"", "\"\""), "rad 5, anvandare: väntade en användare som bara får läsa");
        assert!(other("databas = \"vks\"", "").contains("missing field `databas`"));
    }

    #[test]
    fn a_newer_file_is_told_from_a_wrong_one() {
        let newer = Source::from_toml("version = 2\nfragor = []").unwrap_err().to_string();
        assert_eq!(
            newer,
            "rad 1, version: filen har version 2, den här noden läser 1; filen är skriven för en nyare nod, uppgradera noden"
        );
        let older = Source::from_toml("version = 0").unwrap_err().to_string();
        assert_eq!(older, "rad 1, version: filen har version 0, den här noden läser 1");
    }

    #[test]
    fn encryption_is_only_off_where_that_is_said_or_nothing_leaves_the_machine() {
        assert!(refused("tls = 'av'").starts_with("rad 7, tls: väntade \"krav\""));
        assert_eq!(with("tls = 'klartext'").unwrap().tls, Tls::Off);
        for host in ["localhost", "127.0.0.1", "::1"] {
            let text = format!("{HEAD}tls = 'av'\nfraga = 'SELECT 1'").replace("db.example", host);
            assert_eq!(Source::from_toml(&text).unwrap().tls, Tls::Off, "{host}");
        }
        let spoofed =
            format!("{HEAD}tls = 'av'\nfraga = 'SELECT 1'").replace("db.example", "localhost.example");
        assert!(Source::from_toml(&spoofed).is_err());
    }

    #[test]
    fn a_column_may_be_two_variables_or_none() {
        let source =
            with("[kolumner]\nPNR = 'personnummer'\n'Part' = ['anmalare', 'sokande']\nx = '-'").unwrap();
        let mapping = source.mapping().unwrap();
        assert_eq!(mapping["PNR"], ["personnummer"]);
        assert_eq!(mapping["Part"], ["anmalare", "sokande"]);
        assert_eq!(mapping["x"], [harmonise::intake::NOT_READ]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~åäö\n]{0,200}") {
            let _ = (Source::from_toml(&text), with(&text));
        }
    }
}
