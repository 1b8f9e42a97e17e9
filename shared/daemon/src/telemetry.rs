//! Structured logs on standard error, filtered by `SAMMAN_LOG`.
//!
//! What it does not do: it sends nothing anywhere, and colours nothing that is not a terminal.
//!
//! Invariants: callers log ids, counts and reasons, never a cell value, label, share, key or token (STAY-1);
//! the libraries below us that print what they carry (h2, hyper, rustls, sled) are kept at `warn` whatever the
//! filter asks for, since their debug lines hold message bytes.

use std::io::IsTerminal as _;

use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// The environment variable with the filter, for example `info,daemon=debug`.
pub const FILTER_VARIABLE: &str = "SAMMAN_LOG";

/// Libraries whose debug output contains message bytes.
const QUIET: [&str; 5] = ["h2=warn", "hyper=warn", "rustls=warn", "sled=warn", "tonic=warn"];

/// Why logging could not start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("{FILTER_VARIABLE}: expected levels as in `info,daemon=debug`: {0}")]
    Filter(String),
    /// Something else already logs in this process.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the process, with `default_filter` where [`FILTER_VARIABLE`] is unset.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(default_filter: &str) -> Result<(), TelemetryError> {
    let wanted = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| default_filter.to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(filter(&wanted)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|_| TelemetryError::Twice)
}

fn filter(wanted: &str) -> Result<EnvFilter, TelemetryError> {
    let bad = |reason: &dyn std::fmt::Display| TelemetryError::Filter(reason.to_string());
    let mut filter = EnvFilter::try_new(wanted).map_err(|e| bad(&e))?;
    for quiet in QUIET {
        filter = filter.add_directive(quiet.parse().map_err(|e| bad(&e))?);
    }
    Ok(filter)
}

/// From now on a panic prints its place and nothing else: the message of a foreign crate can quote what it was reading
/// (STAY-1).
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => eprintln!("fault of this program at {}:{}", place.file(), place.line()),
        None => eprintln!("fault of this program"),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_print_messages_stay_quiet_whatever_is_asked() {
        let text = filter("trace").unwrap().to_string();
        assert!(QUIET.iter().all(|quiet| text.contains(quiet)), "{text}");
        let text = filter("h2=trace").unwrap().to_string();
        assert!(text.contains("h2=warn") && !text.contains("h2=trace"), "{text}");
    }

    #[test]
    fn a_filter_that_is_none_is_an_error() {
        assert!(matches!(filter("daemon=loudly"), Err(TelemetryError::Filter(_))));
    }
}
