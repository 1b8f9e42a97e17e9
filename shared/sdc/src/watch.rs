//! What a person sees of long work, and the wall clock's only right: to end it.
//!
//! A thread beside the work says on standard error, when that is a terminal, how long it has gone on; when the time limit
//! is over it ends the process. It never changes what the work finds (SAME-1). Nothing half-written stays behind: files
//! are written beside their place and renamed, after [`Watch::end`].

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the process ends with when the time is over.
pub const OUT_OF_TIME: i32 = 3;
/// How often the clock is read.
const TICK: Duration = Duration::from_millis(200);

/// A watch over one command.
pub struct Watch {
    over: Arc<AtomicBool>,
    phase: Arc<Mutex<&'static str>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Starts watching; `limit` in seconds.
    pub fn start(limit: Option<u64>) -> Self {
        let (over, phase) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new("läser")));
        let (told, shown) = (over.clone(), phase.clone());
        let thread = std::thread::spawn(move || follow(limit, &told, &shown));
        Self { over, phase, thread: Some(thread) }
    }

    /// What is being done now.
    pub fn phase(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
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

fn follow(limit: Option<u64>, over: &AtomicBool, phase: &Mutex<&'static str>) {
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
            let phase = *phase.lock().unwrap_or_else(PoisonError::into_inner);
            eprint!("\r\u{1b}[Ksdc: {phase}, {seconds} s");
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
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut file = std::fs::File::create(&partial)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&partial, path)).inspect_err(|_| {
        // The first error says more than that the remains could not be removed.
        let _ = std::fs::remove_file(&partial);
    })
}
