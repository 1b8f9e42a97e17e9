//! The table `[lager]` of the configuration: which store, and where the database is.

use std::path::PathBuf;

use daemon::config::FieldError;
use postgresql_store::{Place, PlaceProblem};
use serde::Deserialize;

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// A directory of its own, `lager` under the data directory.
    #[default]
    Sled,
    /// A database.
    Postgresql(Place),
}

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStore {
    slag: String,
    adress: Option<String>,
    databas: Option<String>,
    anvandare: Option<String>,
    losenord_fil: Option<PathBuf>,
    rotcertifikat: Option<PathBuf>,
    schema: Option<String>,
    overtag_sekunder: Option<u64>,
}

impl TryFrom<RawStore> for Kind {
    type Error = FieldError;

    fn try_from(raw: RawStore) -> Result<Self, FieldError> {
        match raw.slag.as_str() {
            "sled" => sled(&raw),
            "postgresql" => postgresql(raw),
            _ => Err(FieldError::new("lager.slag", "\"sled\" or \"postgresql\"")),
        }
    }
}

/// Keys of a database beside `sled` are a mistake in one of the two.
fn sled(raw: &RawStore) -> Result<Kind, FieldError> {
    let keys = [
        ("adress", raw.adress.is_some()),
        ("databas", raw.databas.is_some()),
        ("anvandare", raw.anvandare.is_some()),
        ("losenord_fil", raw.losenord_fil.is_some()),
        ("rotcertifikat", raw.rotcertifikat.is_some()),
        ("schema", raw.schema.is_some()),
        ("overtag_sekunder", raw.overtag_sekunder.is_some()),
    ];
    match keys.iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => {
            Err(FieldError::new(format!("lager.{key}"), "slag = \"postgresql\" beside it, or no such key"))
        }
        None => Ok(Kind::Sled),
    }
}

fn postgresql(raw: RawStore) -> Result<Kind, FieldError> {
    let word = |key: &str, value: Option<String>, expected: &str| {
        let value = value.filter(|value| !value.trim().is_empty() && !value.contains('\0'));
        value.ok_or_else(|| FieldError::new(format!("lager.{key}"), expected))
    };
    let fault = |key: &'static str| {
        move |problem: PlaceProblem| FieldError::new(format!("lager.{key}"), problem.to_string())
    };
    let address = word("adress", raw.adress, "host:port of the database, or the folder of its socket")?;
    let database = word("databas", raw.databas, "the name of the database")?;
    let user = word("anvandare", raw.anvandare, "the name of the account")?;
    let place = Place::new(&address, &database, &user).map_err(fault("adress"))?;
    let place = place.password(raw.losenord_fil);
    let mut place = place.root(raw.rotcertifikat).map_err(fault("rotcertifikat"))?;
    if let Some(schema) = raw.schema {
        place = place.schema(&schema).map_err(fault("schema"))?;
    }
    if let Some(seconds) = raw.overtag_sekunder {
        place = place.takeover(seconds).map_err(fault("overtag_sekunder"))?;
    }
    Ok(Kind::Postgresql(place))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    const HEAD: &str = "niva = \"region\"\nlan = \"21\"\nkatalog = \"/k\"\nlyssna = \"a:1\"\ninskrivning = \"a:2\"\n\
                        nationell = \"n:1\"\npublicering = \"/p\"\n[lager]\n";

    fn refused(lines: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("region.toml");
        std::fs::write(&file, format!("{HEAD}{lines}")).unwrap();
        let error = Config::read(Path::new(&file)).map(drop).unwrap_err().to_string();
        error.split_once(": ").map(|(_, rest)| rest.to_owned()).unwrap()
    }

    #[test]
    fn each_error_names_the_key_and_what_was_expected() {
        let base =
            "slag = \"postgresql\"\nadress = \"db.example:5432\"\ndatabas = \"d\"\nanvandare = \"u\"\n";
        assert_eq!(refused("slag = \"mysql\""), "lager.slag: expected \"sled\" or \"postgresql\"");
        assert!(refused("slag = \"sled\"\nadress = \"x:1\"").starts_with("lager.adress: expected slag"));
        assert!(refused("slag = \"postgresql\"").starts_with("lager.adress: expected host:port"));
        assert!(refused(&base.replace(":5432", "")).starts_with("lager.adress: expected host:port"));
        assert!(refused(&base.replace("\"d\"", "\"\"")).starts_with("lager.databas: expected the name"));
        assert!(refused(base).starts_with("lager.rotcertifikat: expected a file with the root certificate"));
        let near = base.replace("db.example", "127.0.0.1");
        assert!(refused(&format!("{near}schema = \"A\"")).starts_with("lager.schema: expected 1 to 63"));
        assert_eq!(
            refused(&format!("{near}overtag_sekunder = 1")),
            "lager.overtag_sekunder: expected 2 to 300 seconds"
        );
        assert!(refused(&format!("{near}losenord = \"KANARIE\"")).contains("unknown field `losenord`"));
    }
}
