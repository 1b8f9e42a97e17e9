//! `sdc protect`: read, protect, prove, write.

use std::path::Path;
use std::time::Instant;

use suppress::table;
use suppress::table::proof::{self, Unproven};

use crate::arguments::ProtectArguments;
use crate::input::{self, InputError};
use crate::output;
use crate::watch::{Watch, write_whole};

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
    /// A protection that could not be proved safe; nothing was written.
    #[error("unsafe, nothing written: {0}")]
    Unsafe(#[from] Unproven),
    /// A table that the reader let through and the engine did not.
    #[error("{0}")]
    Shape(#[from] table::ShapeError),
}

impl Fault {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Unsafe(_) => 1,
            Self::Option(_) => 2,
            Self::Input(_) | Self::Read { .. } => 4,
            Self::Write { .. } | Self::Shape(_) => 5,
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
    let options = arguments.options()?;
    let file = arguments.input.display().to_string();
    let bytes = std::fs::read(&arguments.input).map_err(|error| Fault::Read { file: file.clone(), error })?;
    let table = input::read(&file, &bytes)?;
    watch.phase("skyddar");
    let protected = table::protect(table.shape.clone(), &table.finest, &options)?;
    let protected_in = started.elapsed();
    watch.phase("kontrollerar");
    proof::check(&protected, &options)?;
    watch.end();
    let seconds = (protected_in.as_secs_f64(), (started.elapsed() - protected_in).as_secs_f64());
    if let Some(path) = &arguments.report {
        put(path, &format!("{:#}\n", output::report(&options, &protected, seconds)))?;
    }
    put(&arguments.out, &output::write(&table, &protected))?;
    let summary = &protected.summary;
    Ok(format!(
        "cells {} small {} secondary {} witnesses {}",
        summary.cells,
        summary.small,
        summary.secondary,
        protected.witnesses.len()
    ))
}

fn put(path: &Path, text: &str) -> Result<(), Fault> {
    write_whole(path, text.as_bytes())
        .map_err(|error| Fault::Write { file: path.display().to_string(), error })
}
