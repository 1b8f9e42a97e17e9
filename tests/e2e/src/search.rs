//! Looks for marks in whatever bytes there are (STAY-1): files, journals, the parts of a workbook.
//!
//! Every mark is searched for as UTF-8, Windows-1252 (the same bytes: marks are ASCII) and UTF-16 of both orders, in one
//! pass. Findings name where, never what.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use anyhow::Context;

/// The marks to look for.
pub struct Search {
    marks: AhoCorasick,
    /// How many.
    pub count: usize,
}

impl Search {
    /// Looks for these texts, which must be ASCII.
    ///
    /// # Errors
    /// When they are too many, not ASCII, or none.
    pub fn new(marks: &BTreeSet<String>) -> anyhow::Result<Self> {
        anyhow::ensure!(!marks.is_empty() && marks.iter().all(|mark| mark.is_ascii() && mark.len() >= 8));
        let spellings = marks.iter().flat_map(|mark| {
            let wide = |order: fn(u16) -> [u8; 2]| mark.encode_utf16().flat_map(order).collect::<Vec<u8>>();
            [mark.clone().into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
        });
        Ok(Self { marks: AhoCorasick::new(spellings)?, count: marks.len() })
    }

    /// Whether any mark stands in these bytes.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.marks.is_match(bytes)
    }

    /// Where marks stand: files under `folder` and parts of workbooks among them. `may` names the files that may hold
    /// marks and are not read.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn files(&self, folder: &Path, may: &dyn Fn(&Path) -> bool) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let mut rest = vec![folder.to_path_buf()];
        while let Some(path) = rest.pop() {
            if path.is_dir() {
                rest.extend(
                    path.read_dir()?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?,
                );
            } else if path.is_file() && !may(path.strip_prefix(folder)?) {
                self.file(&path, &mut found).context(format!("{}", path.display()))?;
            }
        }
        Ok(found)
    }

    fn file(&self, path: &Path, found: &mut Found) -> anyhow::Result<()> {
        let bytes = std::fs::read(path)?;
        found.read += 1;
        found.bytes += bytes.len();
        let mut dirty = self.finds(&bytes);
        if bytes.starts_with(b"PK") {
            for part in parts(&bytes)? {
                found.bytes += part.len();
                dirty |= self.finds(&part);
            }
        }
        if dirty {
            found.places.insert(path.to_path_buf());
        }
        Ok(())
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files with marks.
    pub places: BTreeSet<PathBuf>,
    /// Files read.
    pub read: usize,
    /// Bytes read, unpacked ones too.
    pub bytes: usize,
}

/// The unpacked parts of a workbook.
///
/// # Errors
/// When it is none.
pub fn parts(bytes: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut parts = Vec::with_capacity(archive.len());
    for at in 0..archive.len() {
        let mut part = Vec::new();
        archive.by_index(at)?.read_to_end(&mut part)?;
        parts.push(part);
    }
    Ok(parts)
}
