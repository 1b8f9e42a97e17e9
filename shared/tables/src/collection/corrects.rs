//! Second versions: what they name of the first, and what must be the same in both.
//!
//! `rattar` and `rattar_monster` name the document and the pattern that were published: a *correction*, in which everything
//! that cells depend on is the same. `kompletterar` and `kompletterar_monster` name them too: an *extension*, which has the
//! tables of the first as they were and after them others marked `ny`, of scope `total` (ADR 25).
//!
//! A published collection has one second version: what a third may show beside two others is not worked out.
//! Does not know what was published, nor what may be shown beside it (`suppress::correction`, `suppress::extension`).

use sha2::{Digest, Sha256};

use super::{Collection, CollectionError, Scope, Table, rule};
use crate::system::System;

/// What a second version corrects or extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrects {
    /// SHA-256 of the collection document.
    pub collection: [u8; 32],
    /// SHA-256 of the pattern it was published under. It stands in what every kommun approves: a region cannot show a node
    /// another first version than the one that was opened.
    pub pattern: [u8; 32],
    /// Whether this is an extension: the first's figures as they were, and further tables.
    pub extends: bool,
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

/// The keys of a document that name a first version.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) rattar: Option<String>,
    pub(super) rattar_monster: Option<String>,
    pub(super) kompletterar: Option<String>,
    pub(super) kompletterar_monster: Option<String>,
}

/// Reads the keys `rattar` and `rattar_monster`, or `kompletterar` and `kompletterar_monster`.
pub(super) fn read(keys: &Keys, version: u32, national: bool) -> Result<Option<Corrects>, CollectionError> {
    let corrects = (keys.rattar.as_deref(), keys.rattar_monster.as_deref());
    let extends = (keys.kompletterar.as_deref(), keys.kompletterar_monster.as_deref());
    let (name, other, given) = match (corrects, extends) {
        (corrects, (None, None)) => ("rattar", "rattar_monster", corrects),
        ((None, None), extends) => ("kompletterar", "kompletterar_monster", extends),
        _ => {
            return rule(
                "rattar, kompletterar",
                "expected one of them: figures are corrected or tables added",
            );
        }
    };
    let (collection, pattern) = match given {
        (None, None) => return Ok(None),
        (Some(collection), Some(pattern)) => (collection, pattern),
        _ => return rule(format!("{name}, {other}"), "expected both or neither"),
    };
    let collection = digits(name, collection, "collection_sha256")?;
    let pattern = digits(other, pattern, "pattern_sha256")?;
    if version < 2 {
        return rule(
            "version",
            format!("expected 2 or more beside {name}: the first version has a lower one"),
        );
    }
    if national {
        let what = "a national collection has no second version yet; leave [nationell] out or";
        return rule(name, format!("{what} {name}"));
    }
    Ok(Some(Corrects { collection, pattern, extends: name == "kompletterar" }))
}

/// Which tables of a document are added by an extension: they stand last, of scope `total`, beside some that are not.
pub(super) fn check_new(corrects: Option<Corrects>, tables: &[Table]) -> Result<(), CollectionError> {
    let is_extension = corrects.is_some_and(|corrects| corrects.extends);
    let Some(first) = tables.iter().position(|table| table.is_new) else {
        return match is_extension {
            true => rule("kompletterar", "expected ny = true of each table that is added, after the others"),
            false => Ok(()),
        };
    };
    if !is_extension {
        return rule(tables[first].id.clone(), "ny = true is expected beside kompletterar only");
    }
    if first == 0 {
        return rule("kompletterar", "expected the tables of the first version before those with ny = true");
    }
    match tables[first..].iter().find(|table| !table.is_new || table.scope != Scope::Total) {
        Some(table) => {
            let what = "expected ny = true and omfattning = \"total\" of every table after the first version's: what kommuner \
                        show of themselves is not added to";
            rule(table.id.clone(), what)
        }
        None => Ok(()),
    }
}

impl Collection {
    /// Names what figures depend on: cells, codebook, threshold. SHA-256; equal in two versions.
    pub fn cells(&self, system: &System) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"samman/v1 figures\0").chain_update(system.fingerprint());
        let hash = hash.chain_update(self.min_count.get().to_be_bytes());
        hash.chain_update(self.codebook.as_bytes()).finalize().into()
    }

    /// What of an extension is the first version's: its tables without those that are new, and nothing that it names.
    /// The hash is that of the whole document.
    #[must_use]
    pub fn first_part(&self) -> Self {
        let mut part = self.clone();
        part.tables.retain(|table| !table.is_new);
        part.corrects = None;
        part
    }

    /// Whether this is an extension.
    pub fn extends(&self) -> bool {
        self.corrects.is_some_and(|corrects| corrects.extends)
    }

    /// Whether this is a second version of `earlier`: named by its hash, and the same in everything that cells depend on.
    /// To a correction kommuner may be invited besides. Of an extension `system` is that of [`Self::first_part`].
    ///
    /// # Errors
    /// [`CollectionError`] names the key that is another.
    pub fn continues(
        &self,
        system: &System,
        earlier: &Self,
        earlier_system: &System,
    ) -> Result<(), CollectionError> {
        let key = if self.extends() { "kompletterar" } else { "rattar" };
        if self.corrects.map(|corrects| corrects.collection) != Some(earlier.hash) || self.id != earlier.id {
            return rule(key, "expected the hash and the id of the version it corrects or extends");
        }
        if earlier.corrects.is_some() || earlier.national.is_some() {
            let what = "expected a first version that has no [nationell]: a collection is corrected or extended once";
            return rule(key, what);
        }
        if self.extends() && self.units != earlier.units {
            return rule("deltagare", "expected those of the version it extends, neither more nor fewer");
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
            return rule(
                "tabell, perioder",
                "expected the tables and periods of the version it corrects or extends",
            );
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
        let own = match second.extends() {
            true => System::new(&second.first_part(), &Codebook::vuxna().unwrap()).unwrap(),
            false => own,
        };
        second.continues(&own, &first, &cells).map_err(|error| error.to_string())
    }

    const EXTENDS: &str = "version = 2\nkompletterar = \"HASH\"\nkompletterar_monster = \"PATTERN\"";

    fn new_table(id: &str, scope: &str, new: bool) -> String {
        let table = TABLE.replace("T1", id).replace("kon", "anmalare").replace("kommun", scope);
        if new { table + "ny = true\n" } else { table }
    }

    #[test]
    fn an_extension_has_the_tables_of_the_first_and_new_ones_after_them() {
        let both = "\"2101\", \"2104\"";
        let tables = TABLE.to_owned() + &new_table("N1", "total", true);
        assert_eq!(after(EXTENDS, both, &tables), Ok(()));
        let (second, _) = read(&text("version = 1", both, TABLE)).unwrap();
        assert!(!second.extends());
    }

    #[test]
    fn each_fault_of_an_extension_names_the_key_and_what_was_expected() {
        let both = "\"2101\", \"2104\"";
        let (new, old) = (new_table("N1", "total", true), new_table("N1", "total", false));
        let with = |more: &str| TABLE.to_owned() + more;
        let corrects = "version = 2\nrattar = \"HASH\"\nrattar_monster = \"PATTERN\"";
        let two = "version = 2\nrattar = \"HASH\"\nkompletterar = \"HASH\"";
        for (head, units, tables, wanted) in [
            (EXTENDS, both, TABLE.to_owned(), "ny = true"),
            (EXTENDS, both, with(&old), "ny = true"),
            (EXTENDS, both, with(&new_table("N1", "kommun", true)), "omfattning"),
            (EXTENDS, both, new.clone() + TABLE, "kompletterar"),
            (EXTENDS, both, with(&(new.clone() + &new_table("N2", "total", false))), "N2"),
            (EXTENDS, "\"2101\", \"2104\", \"2121\"", with(&new), "deltagare"),
            (EXTENDS, "\"2101\"", with(&new), "deltagare"),
            (corrects, both, with(&new), "kompletterar"),
            (two, both, with(&new), "one of them"),
            ("version = 2", both, with(&new), "kompletterar"),
            ("version = 2\nkompletterar = \"HASH\"", both, with(&new), "kompletterar_monster"),
            (EXTENDS, both, TABLE.replace("kon", "aktualiseringstyp") + &new, "tabell"),
        ] {
            let error = after(head, units, &tables).unwrap_err();
            assert!(error.contains(wanted) && error.contains("expected"), "{head}: {error}");
        }
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
        first.corrects = Some(Corrects { collection: [1; 32], pattern: [1; 32], extends: false });
        let pattern = "ab".repeat(32);
        let head =
            format!("version = 2\nrattar = \"{}\"\nrattar_monster = \"{pattern}\"", hex::encode(first.hash));
        let (second, own) = read(&text(&head, "\"2101\"", TABLE)).unwrap();
        assert!(second.continues(&own, &first, &cells).is_err());
    }
}
