//! `sdc protect`: read, protect, prove, write.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use suppress::table::proof::{self, Unproven};
use suppress::table::{self, ProtectError};

use crate::arguments::ProtectArguments;
use crate::input::{self, InputError};
use crate::link::{LinkError, Linked, link};
use crate::lists;
use crate::output;
use crate::secret::{self, KeyError};
use crate::watch::{Watch, write_all_whole};

/// Why there is no protected table.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file is not such a table.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A file that cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// File.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("{file}: {error}")]
    Write {
        /// File.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// An option outside what is supported.
    #[error(transparent)]
    Option(#[from] tables::count::MinCountError),
    /// A key file that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A protection that could not be proved safe; nothing was written.
    #[error("unsafe, nothing written: {0}")]
    Unsafe(#[from] Unproven),
    /// Tables, groups or rules that do not go together.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Rules that leave no protection.
    #[error("{key}: {error}")]
    Rules {
        /// The first cell of which that is so.
        key: String,
        /// Why.
        error: ProtectError,
    },
    /// A dimension that no table has.
    #[error("--group {dimension}: no table has that dimension; expected one of {known}")]
    Group {
        /// As given.
        dimension: String,
        /// Those there are.
        known: String,
    },
    /// Files of one name, or a file where a folder was expected.
    #[error("{out}: {expected}")]
    Out {
        /// As given.
        out: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Fault {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Unsafe(_) | Self::Rules { .. } => 1,
            Self::Option(_) | Self::Group { .. } | Self::Out { .. } => 2,
            Self::Input(_) | Self::Link(_) | Self::Read { .. } | Self::Key(_) => 4,
            Self::Write { .. } => 5,
        }
    }
}

/// Protects a file; gives a line that says what was done.
///
/// # Errors
/// [`Fault`]; then no output file was written.
pub fn protect(arguments: &ProtectArguments) -> Result<String, Fault> {
    protect_watched(arguments, Watch::start(arguments.time_limit))
}

/// The same under a watch that has begun.
///
/// # Errors
/// As [`protect`].
pub fn protect_watched(arguments: &ProtectArguments, watch: Watch) -> Result<String, Fault> {
    let started = Instant::now();
    let mut options = arguments.options()?;
    options.secret = arguments.key.as_deref().map(secret::read).transpose()?;
    let linked = read(arguments)?;
    let Linked { system, plan } = linked;
    for dimension in &arguments.groups {
        let known = plan.dimensions.join(", ");
        let found = plan.dimension(dimension);
        options.groups.push(found.ok_or_else(|| Fault::Group { dimension: dimension.clone(), known })?);
    }
    let outputs = outputs(arguments)?;
    watch.phase("skyddar");
    let shape = system.shape.clone();
    let protected = table::protect(system, &options).map_err(|error| {
        let cell = match error {
            ProtectError::Rule { cell } | ProtectError::Unprotectable { first: cell, .. } => cell,
            ProtectError::Areas => return Fault::Rules { key: "--insider".into(), error },
        };
        Fault::Rules { key: plan.key(&shape, cell), error }
    })?;
    let protected_in = started.elapsed();
    watch.phase("kontrollerar");
    proof::check(&protected, &options)?;
    watch.end();
    let seconds = (protected_in.as_secs_f64(), (started.elapsed() - protected_in).as_secs_f64());
    let mut texts: Vec<(&Path, String)> = Vec::new();
    for (number, path) in outputs.iter().enumerate() {
        texts.push((path, output::write(&plan, number, &protected)));
    }
    if let Some(path) = &arguments.report {
        texts.push((path, format!("{:#}\n", output::report(&options, &protected, seconds))));
    }
    put(&texts)?;
    let summary = &protected.summary;
    Ok(format!(
        "cells {} small {} secondary {} witnesses {}",
        summary.cells,
        summary.small,
        summary.secondary,
        protected.witnesses.len()
    ))
}

/// Reads everything that was named.
fn read(arguments: &ProtectArguments) -> Result<Linked, Fault> {
    let mut files = Vec::new();
    for path in &arguments.inputs {
        let (file, bytes) = bytes(path)?;
        let table = input::read(&file, &bytes)?;
        files.push((file, table));
    }
    let list = |path: &Option<PathBuf>| path.as_ref().map(|path| bytes(path)).transpose();
    let (groups, rules) = (list(&arguments.hierarchy)?, list(&arguments.rules)?);
    let (groups_file, groups) = match groups {
        Some((file, bytes)) => (file.clone(), lists::groups(&file, &bytes)?),
        None => Default::default(),
    };
    let (rules_file, rules) = match rules {
        Some((file, bytes)) => (file.clone(), lists::rules(&file, &bytes)?),
        None => Default::default(),
    };
    let mut published = Vec::new();
    for path in &arguments.published {
        let (file, bytes) = bytes(path)?;
        published.push(lists::published(&file, &bytes)?);
    }
    Ok(link(&files, (&groups_file, &groups), (&rules_file, &rules), &published)?)
}

fn bytes(path: &Path) -> Result<(String, Vec<u8>), Fault> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Fault::Read { file: file.clone(), error })?;
    Ok((file, bytes))
}

/// Where each table goes: nowhere where something stands that was read, and no two to one place.
fn outputs(arguments: &ProtectArguments) -> Result<Vec<PathBuf>, Fault> {
    let wrong = |out: &Path, expected| Fault::Out { out: out.display().to_string(), expected };
    let several = arguments.inputs.len() > 1;
    if several && !arguments.out.is_dir() {
        return Err(wrong(&arguments.out, "expected a folder that exists, for several tables"));
    }
    let paths: Vec<PathBuf> = if arguments.out.is_dir() {
        let names = arguments.inputs.iter().map(|input| input.file_name().unwrap_or_default());
        names.map(|name| arguments.out.join(name)).collect()
    } else {
        vec![arguments.out.clone()]
    };
    let lists = arguments.hierarchy.iter().chain(&arguments.rules).chain(&arguments.published);
    let own: Vec<PathBuf> =
        arguments.inputs.iter().chain(lists).filter_map(|input| input.canonicalize().ok()).collect();
    let mut distinct = BTreeSet::new();
    for path in paths.iter().chain(&arguments.report) {
        if path.canonicalize().is_ok_and(|path| own.contains(&path)) {
            return Err(wrong(path, "expected another place than that of a file that is read"));
        }
        if !distinct.insert(path) {
            return Err(wrong(path, "expected a place of its own for every table and the report"));
        }
    }
    Ok(paths)
}

/// Writes all files beside their places, then renames them.
fn put(texts: &[(&Path, String)]) -> Result<(), Fault> {
    let fault = |path: &Path, error| Fault::Write { file: path.display().to_string(), error };
    let all: Vec<(&Path, &[u8])> = texts.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    write_all_whole(&all).map_err(|(at, error)| fault(texts[at].0, error))
}
