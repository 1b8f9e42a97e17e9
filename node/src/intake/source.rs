//! The columns of a source's query: what each is or may be, on the operator's screen and, if asked for, in the file.
//!
//! Only names of columns are asked for here, no row. What is certain (a usual name, the codes file's) is written as a
//! line; what only resembles something, or is one of two, is written as a comment for a person to decide. The file
//! is checked whole as it would become, and then replaced whole.

use std::collections::BTreeMap;
use std::path::Path;

use database::Source as Database;
use harmonise::Reading;
use harmonise::intake::{NOT_READ, Reason, Suggestion};

use super::{ReadError, database, map, of_query};

/// What there is to say of a query's columns; nothing where the file maps every one of them.
///
/// # Errors
/// [`ReadError`] names the source.
pub(super) fn columns(path: &Path, reading: Reading<'_>, write: bool) -> Result<Vec<String>, ReadError> {
    let source = database(path)?;
    let asked = source.ask().map_err(|source| of_query(path, source))?;
    let found = reading.suggestions(asked.names(), source.mapping());
    let found = found.map_err(|source| ReadError::Content { path: path.to_owned(), source })?;
    drop(asked);
    if found.iter().all(|one| one.reason == Some(Reason::Mapped)) {
        return Ok(Vec::new());
    }
    let mut lines = vec![format!("{}: frågans kolumner ({})", path.display(), source.engine())];
    lines.extend(found.iter().map(|one| format!("  {}: {}", one.column, described(one))));
    if write {
        save(path, &found)?;
        lines.push(format!("Förslagen står nu under [kolumner] i {}; se igenom dem.", path.display()));
    } else {
        lines.push(
            "Förslagen skrivs i källfilen med --write; utan [kolumner] läses det som har vanliga namn."
                .into(),
        );
    }
    Ok(lines)
}

fn described(one: &Suggestion) -> String {
    let variables = one.variables.join(", ");
    match one.reason {
        Some(Reason::Mapped) if variables == NOT_READ => "läses inte (står i källfilen)".into(),
        Some(Reason::Mapped) => format!("{variables} (står i källfilen)"),
        Some(Reason::Named) => format!("{variables} (vanligt namn, eller kodfilens)"),
        Some(Reason::Alike) => {
            format!("{variables}? (namnet liknar; läses inte förrän det står i källfilen)")
        }
        None => "läses inte (inget liknar)".into(),
    }
}

fn save(path: &Path, found: &[Suggestion]) -> Result<(), ReadError> {
    let file = |source| ReadError::File { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    let text = with_columns(&text, found);
    Database::from_toml(&text).map_err(|source| ReadError::Source { path: path.to_owned(), source })?;
    map::write_whole(path, text.as_bytes()).map_err(file)
}

/// The file's lines with the new ones under their head.
fn with_columns(text: &str, found: &[Suggestion]) -> String {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    for variable in found.iter().flat_map(|one| &one.variables) {
        *times.entry(variable).or_default() += 1;
    }
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let line = |one: &Suggestion| {
        let ids: Vec<String> = one.variables.iter().map(|id| quoted(id)).collect();
        let ids = match ids.as_slice() {
            [] => quoted(NOT_READ),
            [id] => id.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let entry = format!("{} = {ids}", quoted(&one.column));
        let is_one_of_two = one.variables.iter().any(|id| times.get(id).is_some_and(|times| *times > 1));
        match one.reason {
            Some(Reason::Mapped) => None,
            Some(Reason::Named) if !is_one_of_two => Some(entry),
            Some(Reason::Named) => {
                Some(format!("# {entry}  # flera kolumner kan vara det: ta bort # framför en"))
            }
            Some(Reason::Alike) => Some(format!("# {entry}  # liknar: ta bort # om det stämmer")),
            None => Some(format!("# {entry}  # inget liknar: skriv en variabel, eller låt den vara")),
        }
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = match lines.iter().position(|line| line.trim() == "[kolumner]") {
        Some(at) => at + 1,
        None => {
            lines.extend([String::new(), "[kolumner]".into()]);
            lines.len()
        }
    };
    lines.splice(at..at, found.iter().filter_map(line).collect::<Vec<_>>());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(column: &str, variables: &[&str], reason: Option<Reason>) -> Suggestion {
        let variables = variables.iter().map(|id| (*id).to_owned()).collect();
        Suggestion { column: column.into(), variables, reason }
    }

    #[test]
    fn what_is_certain_becomes_a_line_and_the_rest_a_comment() {
        let found = [
            one("pnr", &["personnummer"], Some(Reason::Named)),
            one("d1", &["datum"], Some(Reason::Named)),
            one("d\"2", &["datum"], Some(Reason::Named)),
            one("part", &["anmalare", "sokande"], Some(Reason::Named)),
            one("ors", &["orsak"], Some(Reason::Alike)),
            one("x", &[], None),
            one("nr", &["aktualiseringsnummer"], Some(Reason::Mapped)),
        ];
        let text = with_columns("version = 1\n\n[kolumner] \nnr = \"aktualiseringsnummer\"", &found);
        let expected = "version = 1\n\n[kolumner] \n\"pnr\" = \"personnummer\"\n\
            # \"d1\" = \"datum\"  # flera kolumner kan vara det: ta bort # framför en\n\
            # 'd\"2' = \"datum\"  # flera kolumner kan vara det: ta bort # framför en\n\
            \"part\" = [\"anmalare\", \"sokande\"]\n\
            # \"ors\" = \"orsak\"  # liknar: ta bort # om det stämmer\n\
            # \"x\" = \"-\"  # inget liknar: skriv en variabel, eller låt den vara\n\
            nr = \"aktualiseringsnummer\"\n";
        assert_eq!(text, expected);
        assert!(with_columns("version = 1", &found).starts_with("version = 1\n\n[kolumner]\n\"pnr\""));
    }
}
