//! What a person sees of long work, and the wall clock's only right: to end it.
//!
//! A thread beside the work says on standard error, when that is a terminal, how long it has gone on, with a bar where the
//! work can be counted; when the time limit is over it ends the process. It never changes what the work finds (SAME-1). Nothing half-written stays behind: files
//! are written beside their place and renamed, after [`Watch::end`].

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the process ends with when the time is over.
pub const OUT_OF_TIME: i32 = 3;
/// How often the clock is read.
const TICK: Duration = Duration::from_millis(200);

/// Width of the bar, in characters.
const BAR: usize = 24;

/// What is being done, and how much of it.
#[derive(Clone)]
struct Phase {
    name: &'static str,
    /// Pieces done and pieces in all, where they can be counted.
    pieces: Option<(Arc<AtomicUsize>, usize)>,
}

impl Phase {
    fn line(&self, seconds: u64) -> String {
        let Some((done, all)) = &self.pieces else { return format!("sdc: {}, {seconds} s", self.name) };
        let (done, all) = (done.load(Ordering::Relaxed).min(*all), (*all).max(1));
        let full = done * BAR / all;
        format!(
            "sdc: {} [{}{}] {done} av {all}, {seconds} s",
            self.name,
            "#".repeat(full),
            "-".repeat(BAR - full)
        )
    }
}

/// A watch over one command.
pub struct Watch {
    over: Arc<AtomicBool>,
    phase: Arc<Mutex<Phase>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Starts watching; `limit` in seconds.
    pub fn start(limit: Option<u64>) -> Self {
        let (over, phase) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Phase { name: "läser", pieces: None })));
        let (told, shown) = (over.clone(), phase.clone());
        let thread = std::thread::spawn(move || follow(limit, &told, &shown));
        Self { over, phase, thread: Some(thread) }
    }

    /// What is being done now.
    pub fn phase(&self, name: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Phase { name, pieces: None };
    }

    /// What is being done now, in pieces; whoever does them counts up.
    pub fn counted(&self, name: &'static str, all: usize) -> Arc<AtomicUsize> {
        let done = Arc::new(AtomicUsize::new(0));
        let pieces = Some((done.clone(), all));
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Phase { name, pieces };
        done
    }

    /// The work is done: the time limit no longer holds.
    pub fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A watch that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

fn follow(limit: Option<u64>, over: &AtomicBool, phase: &Mutex<Phase>) {
    let (start, terminal) = (Instant::now(), std::io::stderr().is_terminal());
    let mut said = 0;
    while !over.load(Ordering::SeqCst) {
        let seconds = start.elapsed().as_secs();
        if let Some(limit) = limit.filter(|limit| start.elapsed() >= Duration::from_secs(*limit)) {
            eprintln!("sdc: tidsgränsen {limit} s är nådd; inget har skrivits. Höj --time-limit.");
            std::process::exit(OUT_OF_TIME);
        }
        if terminal && seconds > said {
            said = seconds;
            let line = phase.lock().unwrap_or_else(PoisonError::into_inner).line(seconds);
            eprint!("\r\u{1b}[K{line}");
        }
        std::thread::sleep(TICK);
    }
    if said > 0 {
        eprint!("\r\u{1b}[K");
    }
}

/// Writes a file beside its place and renames it: after a crash it is there whole or not at all.
///
/// # Errors
/// As writing and renaming.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_all_whole(&[(path, bytes)]).map_err(|(_, error)| error)
}

/// Writes files beside their places; when all are there renames them. Nothing stays of those not renamed.
///
/// # Errors
/// The number of the file, and why.
pub fn write_all_whole(files: &[(&Path, &[u8])]) -> Result<(), (usize, std::io::Error)> {
    let partial = |path: &Path| {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        std::path::PathBuf::from(partial)
    };
    let written = files.iter().enumerate().try_for_each(|(at, (path, bytes))| {
        let write = || {
            if path.is_dir() {
                return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
            }
            let mut file = std::fs::File::create(partial(path))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| (at, error))
    });
    let renamed = written.and_then(|()| {
        let rename = |(at, (path, _)): (usize, &(&Path, &[u8]))| {
            std::fs::rename(partial(path), path).map_err(|error| (at, error))
        };
        files.iter().enumerate().try_for_each(rename)
    });
    renamed.inspect_err(|_| {
        // The first error says more than that remains could not be removed; renamed files leave none.
        files.iter().for_each(|(path, _)| {
            let _ = std::fs::remove_file(partial(path));
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_much_is_done() {
        let watch = Watch::start(None);
        let done = watch.counted("granskar", 48);
        done.store(12, Ordering::Relaxed);
        let line = watch.phase.lock().unwrap().line(3);
        assert_eq!(line, "sdc: granskar [######------------------] 12 av 48, 3 s");
        done.store(60, Ordering::Relaxed);
        assert!(watch.phase.lock().unwrap().line(3).contains("########] 48 av 48"));
        watch.end();
    }
}
