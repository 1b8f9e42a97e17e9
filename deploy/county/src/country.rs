//! Extracts for kommuner of other counties, drawn from the made county's: demonstrations of many counties.
//!
//! A kommun takes one of the ten as its pattern: its rows of the last year are drawn from that one's with replacement, half
//! to one and a half times as many, with persons of its own. Kommuner of the made county keep the rows that give the
//! printed figures. No report prints what comes out for the others, so nothing is verified about them but that each
//! row is one the generator made. The same seed gives the same files.

use std::path::Path;

use crate::county::{County, KOMMUNER, KommunRows, YEARS};
use crate::dialect::{WriteError, render, render_plainly};
use crate::dice::Dice;
use crate::fit::FitError;
use crate::persons::Registry;

/// Fewest rows of a kommun.
const LEAST_ROWS: u32 = 40;

/// Extracts that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CountryError {
    /// Rows.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Files.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The rows of each kommunkod: what the extracts are written from.
///
/// # Errors
/// [`FitError`].
pub fn country_rows(kommunkoder: &[String], seed: u64) -> Result<Vec<(String, KommunRows)>, FitError> {
    let county = County::generate(seed)?;
    let rows = |kod: &String| {
        let own = county.kommuner().iter().find(|kommun| kommun.kommunkod == kod);
        let rows = own.map_or_else(|| drawn(&county, seed, number(kod)), |own| Ok(own.clone()));
        Ok((kod.clone(), rows?))
    };
    kommunkoder.iter().map(rows).collect()
}

/// Writes an extract for each kommunkod into an existing folder.
///
/// # Errors
/// [`CountryError`]; files written before the fault stay.
pub fn write_country(kommunkoder: &[String], seed: u64, dir: &Path) -> Result<(), CountryError> {
    for (kod, rows) in country_rows(kommunkoder, seed)? {
        let files = match KOMMUNER.iter().any(|kommun| kommun.kod == kod) {
            true => render(&rows)?,
            false => vec![render_plainly(&rows, &kod, number(&kod) as usize)?],
        };
        for file in files {
            let path = dir.join(&file.name);
            let io = |source| WriteError::Io { file: file.name.clone(), source };
            std::fs::write(&path, &file.bytes).map_err(io)?;
        }
    }
    Ok(())
}

/// A kommunkod is four digits.
fn number(kod: &str) -> u64 {
    kod.parse().unwrap_or_default()
}

fn drawn(county: &County, seed: u64, number: u64) -> Result<KommunRows, FitError> {
    let mut dice = Dice::new(seed, 10_000 + number);
    let mut registry = Registry::new(Dice::new(seed, 20_000 + number));
    let pattern = &county.kommuner()[dice.below(KOMMUNER.len() as u32) as usize];
    let last = *YEARS.end();
    let pool: Vec<_> = pattern.events.iter().filter(|event| event.year == last).collect();
    let rows = (pool.len() as u32 * (50 + dice.below(101)) / 100).max(LEAST_ROWS);
    let mut events: Vec<_> =
        (0..rows).map(|_| pool[dice.below(pool.len() as u32) as usize].clone()).collect();
    events.sort_by_key(|event| event.date);
    registry.enter_kommun();
    for (serial, event) in events.iter_mut().enumerate() {
        let (person, alder) = registry.person_for(event.date, event.kon, event.aldersgrupp)?;
        event.person = person;
        event.alder = alder;
        event.nr = format!("{last}-{:05}", serial + 1);
    }
    Ok(KommunRows { kommunkod: pattern.kommunkod, namn: pattern.namn, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_files_and_another_kommun_other_rows() {
        let codes = ["1060".to_owned(), "0760".to_owned()];
        let written = |seed| {
            let dir = std::env::temp_dir().join(format!("samman-land-{}-{seed}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(&dir).unwrap();
            write_country(&codes, seed, &dir).unwrap();
            let mut files: Vec<_> = dir
                .read_dir()
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap()))
                .collect();
            files.sort();
            std::fs::remove_dir_all(&dir).unwrap();
            files
        };
        let (one, same, other) = (written(7), written(7), written(8));
        assert_eq!(one, same);
        assert_eq!(one.len(), 2);
        assert_ne!(one[0].1, one[1].1);
        assert_ne!(one, other);
    }
}
