//! `<kommunkod>.codes.toml`: where a kommun's columns and labels are not the codebook's.
//!
//! What it does not do: it lists nothing a reader finds by itself (default headers, texts of the codebook),
//! and never a mark. Invariant: made from the same words as the file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::WriteError;
use super::labels::words_of;
use super::specs::{Dialect, Field};

/// Version of the format.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct CodeMap<'a> {
    version: u32,
    kommun: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kolumner: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    prefix: BTreeMap<&'static str, &'static [&'static str]>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    koder: BTreeMap<&'static str, BTreeMap<String, &'static str>>,
}

/// The text of the code map; `None` when the kommun needs none.
pub(crate) fn code_map(dialect: &Dialect) -> Result<Option<String>, WriteError> {
    let map = CodeMap {
        version: VERSION,
        kommun: dialect.kommunkod,
        kolumner: columns(dialect),
        prefix: dialect.prefixes.iter().map(|(variable, list)| (variable.id(), *list)).collect(),
        koder: labels(dialect),
    };
    if map.kolumner.is_empty() && map.prefix.is_empty() && map.koder.is_empty() {
        return Ok(None);
    }
    let text = toml::to_string(&map).map_err(|_| WriteError::CodeMap { kommunkod: dialect.kommunkod })?;
    Ok(Some(text))
}

fn columns(dialect: &Dialect) -> BTreeMap<&'static str, &'static str> {
    let pairs = dialect.columns.iter().flat_map(|(header, fields)| fields.iter().map(move |f| (*f, *header)));
    pairs
        .filter(|(field, header)| *header != field.default_header())
        .filter_map(|(field, header)| field.id().map(|id| (id, header)))
        .collect()
}

fn labels(dialect: &Dialect) -> BTreeMap<&'static str, BTreeMap<String, &'static str>> {
    let mut maps = BTreeMap::new();
    let fields = dialect.columns.iter().flat_map(|(_, fields)| fields.iter());
    for variable in fields.filter_map(|f| if let Field::Coded(v) = f { Some(*v) } else { None }) {
        let mut own = BTreeMap::new();
        for (code, text) in variable.codes() {
            let words = words_of(dialect, variable, code).into_iter().filter(|word| word != text);
            own.extend(words.map(|word| (word, code)));
        }
        if !own.is_empty() {
            maps.insert(variable.id(), own);
        }
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kommun_with_default_columns_and_texts_needs_no_map() {
        assert_eq!(code_map(Dialect::of("2180").unwrap()).unwrap(), None);
    }

    #[test]
    fn two_variables_may_name_one_column_and_only_foreign_labels_are_listed() {
        let text = code_map(Dialect::of("2181").unwrap()).unwrap().unwrap();
        let map: toml::Table = text.parse().unwrap();
        assert_eq!(map["kolumner"]["anmalare"].as_str(), Some("Vem"));
        assert_eq!(map["kolumner"]["sokande"].as_str(), Some("Vem"));
        let typ = map["koder"]["aktualiseringstyp"].as_table().unwrap();
        assert_eq!(typ["Vux anm"].as_str(), Some("anmalan"));
        assert!(!typ.contains_key("Anmälan"));
    }

    #[test]
    fn no_label_means_two_codes() {
        for kommun in crate::county::KOMMUNER {
            let dialect = Dialect::of(kommun.kod).unwrap();
            for (variable, map) in labels(dialect) {
                let listed: usize = map.len();
                let words: usize = dialect
                    .words
                    .iter()
                    .filter(|(v, _, _)| v.id() == variable)
                    .map(|(v, code, words)| {
                        words.iter().filter(|w| v.codes().iter().all(|(c, t)| c != code || t != *w)).count()
                    })
                    .sum();
                assert!(dialect.numbered || listed == words, "{} {variable}", kommun.kod);
            }
        }
    }
}
