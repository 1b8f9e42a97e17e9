//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Longest wait for anything. A machine that is busy with other work is slow, not wrong.
pub const LIMIT: Duration = Duration::from_secs(180);
/// Pause between looks.
pub const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is something to return.
///
/// # Errors
/// When `look` fails, or nothing came within [`LIMIT`]: then with `what`.
pub fn until<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > LIMIT {
            anyhow::bail!("not within {} s: {what}", LIMIT.as_secs());
        }
        std::thread::sleep(LOOK);
    }
}
