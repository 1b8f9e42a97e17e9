//! Ten files as ten kommuner would export them, each in its own dialect.
//!
//! What it does not do: it reads nothing back (the crate's `tests/` do, apart from this code), and invents no
//! values: a dialect only spells what the rows hold. Invariants: the same rows give the same bytes, workbooks
//! included; every label is either a text of the codebook after folding of case, accents, spaces and soft
//! hyphens, or is in `<kommunkod>.codes.toml`, or is a mark standing for a missing value.

mod code_map;
mod container;
mod labels;
mod sheet;
mod specs;
mod ten;

use std::path::{Path, PathBuf};

use crate::county::{County, KommunRows};
use container::Container;
use specs::Dialect;

/// Why a file could not be written. No variant carries a cell.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write {file}")]
    Io {
        /// File name, without its folder.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// No dialect is defined for the kommun.
    #[error("kommun {kommunkod} has no dialect")]
    NoDialect {
        /// Kommunkod.
        kommunkod: &'static str,
    },
    /// A text has characters the file's character set lacks.
    #[error("{kommunkod}: a text does not fit the character set of the file")]
    Unencodable {
        /// Kommunkod.
        kommunkod: &'static str,
    },
    /// The CSV writer failed.
    #[error("{kommunkod}: cannot form CSV")]
    Csv {
        /// Kommunkod.
        kommunkod: &'static str,
    },
    /// The workbook writer failed.
    #[error("{kommunkod}: cannot form a workbook")]
    Workbook {
        /// Kommunkod.
        kommunkod: &'static str,
    },
    /// The code map could not be formed.
    #[error("{kommunkod}: cannot form the code map")]
    CodeMap {
        /// Kommunkod.
        kommunkod: &'static str,
    },
}

/// One file in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// File name, without a folder.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for RenderedFile {
    /// Shows the name and size, never the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderedFile").field("name", &self.name).field("bytes", &self.bytes.len()).finish()
    }
}

/// A kommun's extract and, where its labels or columns need one, its code map.
///
/// # Errors
/// Every variant of [`WriteError`] but `Io`.
pub fn render(rows: &KommunRows) -> Result<Vec<RenderedFile>, WriteError> {
    let kommunkod = rows.kommunkod;
    let dialect = Dialect::of(kommunkod).ok_or(WriteError::NoDialect { kommunkod })?;
    let mut files = vec![extract(rows, dialect, kommunkod)?];
    if let Some(map) = code_map::code_map(dialect)? {
        files.push(RenderedFile { name: format!("{kommunkod}.codes.toml"), bytes: map.into_bytes() });
    }
    Ok(files)
}

fn extract(rows: &KommunRows, dialect: &Dialect, name: &str) -> Result<RenderedFile, WriteError> {
    let sheet = sheet::sheet_of(rows, dialect);
    let (ending, bytes) = match &dialect.container {
        Container::Xlsx(layout) => ("xlsx", container::workbook(rows.kommunkod, &sheet, *layout)?),
        Container::Csv(layout) => ("csv", container::text_file(rows.kommunkod, &sheet, layout)?),
    };
    Ok(RenderedFile { name: format!("{name}.{ending}"), bytes })
}

/// The extract of a kommun that has no dialect of its own, named `name`: the `turn`-th of the dialects that need no code
/// map.
///
/// # Errors
/// Every variant of [`WriteError`] but `Io`.
pub(crate) fn render_plainly(rows: &KommunRows, name: &str, turn: usize) -> Result<RenderedFile, WriteError> {
    let mut plain = Vec::new();
    for kommun in crate::county::KOMMUNER {
        if let Some(dialect) = Dialect::of(kommun.kod)
            && code_map::code_map(dialect)?.is_none()
        {
            plain.push(dialect);
        }
    }
    let kommunkod = rows.kommunkod;
    let dialect = plain.get(turn % plain.len().max(1)).ok_or(WriteError::NoDialect { kommunkod })?;
    extract(rows, dialect, name)
}

/// Writes all files of the county into an existing folder and returns their paths, by kommunkod.
///
/// # Errors
/// [`WriteError`]; files written before the fault stay.
pub fn write_files(county: &County, dir: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut paths = Vec::new();
    for kommun in county.kommuner() {
        for file in render(kommun)? {
            let path = dir.join(&file.name);
            std::fs::write(&path, &file.bytes)
                .map_err(|source| WriteError::Io { file: file.name, source })?;
            paths.push(path);
        }
    }
    Ok(paths)
}
