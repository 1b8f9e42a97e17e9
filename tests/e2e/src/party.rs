//! One party as a process: started, killed without warning, frozen, thawed.
//!
//! Invariant: no process outlives its [`Party`]; it ends when its standard input ends, even if the test is killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A running party.
pub struct Party {
    name: String,
    child: Child,
    /// Open as long as the party shall live.
    _input: Option<ChildStdin>,
    log: PathBuf,
    frozen: bool,
}

fn command(exe: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(exe);
    command.arg("party").args(arguments).stdin(Stdio::piped());
    command
}

/// Runs a party's command to its end.
///
/// # Errors
/// When it cannot be started.
pub fn run(exe: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut child = command(exe, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // `wait_with_output` would close the input, which is the sign to end.
    let input = child.stdin.take();
    let output = child.wait_with_output()?;
    drop(input);
    Ok(output)
}

impl Party {
    /// Starts a party; what it says is appended to `log`.
    ///
    /// # Errors
    /// When the executable or the log cannot be opened.
    pub fn start(exe: &Path, name: &str, log: PathBuf, arguments: &[&str]) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(&log)?;
        let spawned = command(exe, arguments).stdout(file.try_clone()?).stderr(file).spawn();
        let mut child = spawned.context(format!("start {name}"))?;
        let input = child.stdin.take();
        Ok(Self { name: name.into(), child, _input: input, log, frozen: false })
    }

    fn pid(&self) -> anyhow::Result<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")
    }

    /// Fails if the party has ended: nobody asked it to.
    ///
    /// # Errors
    /// With what its log ends with.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>().join(" | ");
        bail!("{} ended with {status}: {last}", self.name)
    }

    /// Stops it where it is (SIGSTOP) and waits until it stands.
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        let pid = self.pid()?;
        kill_process(pid, Signal::STOP)?;
        // WUNTRACED: returns when the child has stopped, which the signal alone does not promise.
        let found = waitpid(Some(pid), WaitOptions::UNTRACED)?;
        if !found.is_some_and(|(_, status)| status.stopped()) {
            bail!("{} ended instead of stopping", self.name);
        }
        self.frozen = true;
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.frozen = false;
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Ends it at once (SIGKILL), frozen or not, and waits until it is gone.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.check()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself; what it ended with.
    ///
    /// # Errors
    /// When it does not.
    pub fn ended(mut self) -> anyhow::Result<std::process::ExitStatus> {
        let child = &mut self.child;
        crate::wait::until("a party ends by itself", || Ok(child.try_wait()?))
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// When it had ended before, or ends with anything but 0.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.check()?;
        kill_process(self.pid()?, Signal::TERM)?;
        let child = &mut self.child;
        let status = crate::wait::until("a party ends when asked to", || Ok(child.try_wait()?))?;
        if !status.success() {
            bail!("{} ended with {status}", self.name);
        }
        Ok(())
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        // It may be gone already; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
