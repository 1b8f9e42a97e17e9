//! What a person sees of long work, and the wall clock's only right: to end it.
//!
//! A thread beside the work says on standard error, when that is a terminal, how long it has gone on, with a bar where the
//! work can be counted; when the time limit is over it ends the process. It never changes what the work finds (SAME-1). Nothing half-written stays behind: files
//! are written beside their place and renamed, after [`Watch::end`].

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
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

/// Where the bytes of a file go.
enum Place {
    /// A file, or nothing yet: written beside and renamed; a link goes on pointing where it points.
    File { partial: PathBuf, path: PathBuf },
    /// A device or a pipe: written straight into. Renaming would put a file in its place, for every program that
    /// uses it (`/dev/null`, when root runs this).
    Stream(PathBuf),
}

impl Place {
    fn of(path: &Path) -> std::io::Result<Self> {
        let path = match std::fs::metadata(path) {
            Ok(at) if at.is_dir() => return Err(std::io::ErrorKind::IsADirectory.into()),
            Ok(at) if !at.is_file() => return Ok(Self::Stream(path.to_owned())),
            Ok(_) => path.canonicalize()?,
            Err(_) => path.to_owned(), // what is wrong with it, writing tells
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        Ok(Self::File { partial: partial.into(), path })
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let Self::File { partial, .. } = self else { return Ok(()) };
        let mut file = std::fs::File::create(partial)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn finish(&self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::File { partial, path } => std::fs::rename(partial, path),
            Self::Stream(path) => std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes),
        }
    }

    fn clear(&self) {
        if let Self::File { partial, .. } = self {
            // The first error says more than that remains could not be removed; renamed files leave none.
            let _ = std::fs::remove_file(partial);
        }
    }
}

/// Writes files beside their places; when all are there renames them. Nothing stays of those not renamed.
///
/// # Errors
/// The number of the file, and why.
pub fn write_all_whole(files: &[(&Path, &[u8])]) -> Result<(), (usize, std::io::Error)> {
    let number = |at: usize| move |error| (at, error);
    let places = files.iter().enumerate().map(|(at, (path, _))| Place::of(path).map_err(number(at)));
    let places: Vec<Place> = places.collect::<Result<_, _>>()?;
    let all = || places.iter().zip(files).enumerate();
    let written = all().try_for_each(|(at, (place, (_, bytes)))| place.write(bytes).map_err(number(at)));
    let finished = written.and_then(|()| {
        all().try_for_each(|(at, (place, (_, bytes)))| place.finish(bytes).map_err(number(at)))
    });
    finished.inspect_err(|_| places.iter().for_each(Place::clear))
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

    #[test]
    fn a_device_is_written_into_and_stays_a_device_and_a_link_stays_a_link() {
        use std::os::unix::fs::FileTypeExt;
        let dir = tempfile::tempdir().unwrap();
        let null = Path::new("/dev/null");
        let (link, file) = (dir.path().join("link"), dir.path().join("file"));
        std::fs::write(&file, b"before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_all_whole(&[(null, b"lost"), (&link, b"kept")]).unwrap();
        assert!(std::fs::metadata(null).unwrap().file_type().is_char_device());
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing beside them stays");
    }
}
