//! Processes of the demo: starting the own executable as a party, and ending it.
//!
//! A party ends when its standard input ends, so none outlives the demo whatever happens to it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a party may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs as a party: `node …` or `coordinator …`.
pub fn become_party(arguments: &[OsString]) -> ExitCode {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = kill_process(rustix::process::getpid(), Signal::TERM);
    });
    match arguments.first().and_then(|word| word.to_str()) {
        Some("node") => node::app::main(arguments.iter().cloned()),
        Some("coordinator") => coordinator::app::main(arguments.iter().cloned()),
        _ => {
            eprintln!("demo party: node eller coordinator");
            ExitCode::from(2)
        }
    }
}

/// A running party.
pub struct Party {
    /// Its name.
    pub name: String,
    child: Child,
    log: PathBuf,
    arguments: Vec<String>,
}

/// Starts a party whose output goes to `logs/<name>.log`.
///
/// # Errors
/// When the executable or the log cannot be opened.
pub fn start(name: &str, logs: &Path, arguments: &[&str]) -> anyhow::Result<Party> {
    let log = logs.join(format!("{name}.log"));
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let child = spawn(name, &log, &arguments)?;
    Ok(Party { name: name.into(), child, log, arguments })
}

fn spawn(name: &str, log: &Path, arguments: &[String]) -> anyhow::Result<Child> {
    let file = File::options().create(true).append(true).open(log).context(format!("{}", log.display()))?;
    Command::new(std::env::current_exe()?)
        .arg("party")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context(format!("starta {name}"))
}

/// Runs a party to its end.
///
/// # Errors
/// When it does not end with 0; its log says why.
pub fn complete(name: &str, logs: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut party = start(name, logs, arguments)?;
    // `wait` would close the input, which is the sign to end.
    let input = party.child.stdin.take();
    let status = party.child.wait()?;
    drop(input);
    if !status.success() {
        bail!("{name} avslutades med {status}; se {}", party.log.display());
    }
    Ok(())
}

impl Party {
    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// When it has ended: nobody asked it to.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} avslutades med {status}; se {}", self.name, self.log.display()),
        }
    }

    /// Starts it again if it has ended, as a service manager would.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn revive(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            self.child = spawn(&self.name, &self.log, &self.arguments)?;
            println!("{} startades om", self.name);
        }
        Ok(())
    }

    /// Asks it to end, and waits for that; ends it hard after some patience.
    pub fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
