//! Second versions: `rattar` and `rattar_monster` name the document and the pattern that were published, and everything that cells depend on is the same.
//!
//! A published collection is corrected once: what a third version may show beside two others is not worked out.
//! Does not know what was published, nor what may be shown beside it (`suppress::correction`).

use sha2::{Digest, Sha256};

use super::{Collection, CollectionError, rule};
use crate::system::System;

/// What a second version corrects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrects {
    /// SHA-256 of the collection document.
    pub collection: [u8; 32],
    /// SHA-256 of the pattern it was published under. It stands in what every kommun approves: a region cannot show a node
    /// another first version than the one that was opened.
    pub pattern: [u8; 32],
}

fn digits(key: &str, text: &str, whence: &str) -> Result<[u8; 32], CollectionError> {
    let mut hash = [0; 32];
    match hex::decode_to_slice(text, &mut hash) {
        Ok(()) => Ok(hash),
        Err(_) => rule(
            key,
            format!("expected 64 hexadecimal digits: `{whence}` in the manifest of the version it corrects"),
        ),
    }
}

/// Reads the keys `rattar` and `rattar_monster`.
pub(super) fn read(
    (collection, pattern): (Option<&str>, Option<&str>),
    version: u32,
    national: bool,
) -> Result<Option<Corrects>, CollectionError> {
    let (collection, pattern) = match (collection, pattern) {
        (None, None) => return Ok(None),
        (Some(collection), Some(pattern)) => (collection, pattern),
        _ => return rule("rattar, rattar_monster", "expected both or neither"),
    };
    let collection = digits("rattar", collection, "collection_sha256")?;
    let pattern = digits("rattar_monster", pattern, "pattern_sha256")?;
    if version < 2 {
        return rule(
            "version",
            "expected 2 or more beside rattar: the version that is corrected has a lower one",
        );
    }
    if national {
        return rule("rattar", "a national collection is not corrected yet; leave [nationell] out or rattar");
    }
    Ok(Some(Corrects { collection, pattern }))
}

impl Collection {
    /// Names what figures depend on: cells, codebook, threshold. SHA-256; equal in two versions.
    pub fn cells(&self, system: &System) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"samman/v1 figures\0").chain_update(system.fingerprint());
        let hash = hash.chain_update(self.min_count.get().to_be_bytes());
        hash.chain_update(self.codebook.as_bytes()).finalize().into()
    }

    /// Whether this is a second version of `earlier`: named by its hash, and the same in everything that cells depend on.
    /// Kommuner may be invited besides.
    ///
    /// # Errors
    /// [`CollectionError`] names the key that is another.
    pub fn continues(
        &self,
        system: &System,
        earlier: &Self,
        earlier_system: &System,
    ) -> Result<(), CollectionError> {
        if self.corrects.map(|corrects| corrects.collection) != Some(earlier.hash) || self.id != earlier.id {
            return rule("rattar", "expected the hash and the id of the version it corrects");
        }
        if earlier.corrects.is_some() || earlier.national.is_some() {
            let what = "expected a version that corrects none itself and has no [nationell]: a collection is corrected once";
            return rule("rattar", what);
        }
        if self.version <= earlier.version {
            return rule(
                "version",
                format!("expected more than {}, the version it corrects", earlier.version),
            );
        }
        let (county, threshold) = (self.county == earlier.county, self.min_count == earlier.min_count);
        if !(county && threshold && self.codebook == earlier.codebook) {
            return rule("lan, min_count, kodbok", "expected as in the version it corrects");
        }
        if let Some(unit) = earlier.units.iter().find(|unit| self.units.binary_search(unit).is_err()) {
            return rule("deltagare", format!("expected {unit} too, as in the version it corrects"));
        }
        if system.fingerprint() != earlier_system.fingerprint() {
            return rule("tabell, perioder", "expected the tables and periods of the version it corrects");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codebook::Codebook;

    const TABLE: &str = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
        dimensioner = [\"kon\"]\n";

    fn text(head: &str, units: &str, table: &str) -> String {
        format!(
            "id = \"prov\"\n{head}\ntitel = \"Prov\"\nlan = \"21\"\nkodbok = \"vuxna/1\"\nperioder = [\"2024\"]\n\
             deltagare = [{units}]\ndeklarera_inom_timmar = 1\nlamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n{table}"
        )
    }

    fn read(text: &str) -> Result<(Collection, System), String> {
        let book = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(text, &book).map_err(|error| error.to_string())?;
        let system = System::new(&collection, &book).map_err(|error| error.to_string())?;
        Ok((collection, system))
    }

    fn after(head: &str, units: &str, table: &str) -> Result<(), String> {
        let (first, cells) = read(&text("version = 1", "\"2101\", \"2104\"", TABLE)).unwrap();
        let head = head.replace("HASH", &hex::encode(first.hash)).replace("PATTERN", &"ab".repeat(32));
        let (second, own) = read(&text(&head, units, table))?;
        second.continues(&own, &first, &cells).map_err(|error| error.to_string())
    }

    #[test]
    fn a_second_version_has_the_same_tables_and_may_invite_more() {
        let head = "version = 2\nrattar = \"HASH\"\nrattar_monster = \"PATTERN\"";
        assert_eq!(after(head, "\"2101\", \"2104\"", TABLE), Ok(()));
        assert_eq!(after(head, "\"2101\", \"2104\", \"2121\"", TABLE), Ok(()));
    }

    #[test]
    fn each_error_names_the_key_and_what_was_expected() {
        let both = "\"2101\", \"2104\"";
        let right = "version = 2\nrattar = \"HASH\"\nrattar_monster = \"PATTERN\"";
        let other = TABLE.replace("kon", "aktualiseringstyp");
        for (head, units, table, wanted) in [
            ("version = 1\nrattar = \"HASH\"\nrattar_monster = \"PATTERN\"", both, TABLE, "version"),
            ("version = 2\nrattar = \"HAS\"\nrattar_monster = \"PATTERN\"", both, TABLE, "rattar"),
            ("version = 2", both, TABLE, "rattar"),
            ("version = 2\nrattar = \"00HASH\"\nrattar_monster = \"PATTERN\"", both, TABLE, "rattar"),
            ("version = 2\nrattar = \"HASH\"", both, TABLE, "rattar_monster"),
            (right, "\"2101\", \"2121\"", TABLE, "deltagare"),
            (right, both, other.as_str(), "tabell"),
            (
                "min_count = 5\nversion = 2\nrattar = \"HASH\"\nrattar_monster = \"PATTERN\"",
                both,
                TABLE,
                "min_count",
            ),
        ] {
            let error = after(head, units, table).unwrap_err();
            assert!(error.contains(wanted) && error.contains("expected"), "{head}: {error}");
        }
    }

    #[test]
    fn a_second_version_of_overlapping_parts_is_refused() {
        let table = "[[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"total\"\n\
            dimensioner = [\"orsak\"]\nflera = { orsak = \"varje\" }\n";
        let book = Codebook::barn().unwrap();
        let head = |version: &str| text(version, "\"2101\"", table).replace("vuxna/1", "barn/1");
        let first = Collection::from_toml(&head("version = 1"), &book).unwrap();
        let hash = hex::encode(first.hash);
        let second = head(&format!("version = 2\nrattar = \"{hash}\"\nrattar_monster = \"{hash}\""));
        let error = Collection::from_toml(&second, &book).unwrap_err().to_string();
        assert!(error.contains("T1") && error.contains("varje"), "{error}");
    }

    #[test]
    fn a_correction_of_a_correction_is_refused() {
        let (mut first, cells) = read(&text("version = 1", "\"2101\"", TABLE)).unwrap();
        first.corrects = Some(Corrects { collection: [1; 32], pattern: [1; 32] });
        let pattern = "ab".repeat(32);
        let head =
            format!("version = 2\nrattar = \"{}\"\nrattar_monster = \"{pattern}\"", hex::encode(first.hash));
        let (second, own) = read(&text(&head, "\"2101\"", TABLE)).unwrap();
        assert!(second.continues(&own, &first, &cells).is_err());
    }
}
