//! One signal that everything listens to: stop taking work, finish what is acknowledged, leave.
//!
//! What it does not do: it does not wait for anybody; each task waits for its own work. Computations (an audit takes minutes) listen to
//! nothing: [`leave`] does not wait for them, and they are done again after the next start, as after a crash (KEEP-1).
//!
//! Invariants: once triggered it stays triggered; a listener that comes late sees it at once; if every trigger
//! is gone the listeners stop too, rather than run unattended.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

/// The side that says stop.
#[derive(Debug, Clone)]
pub struct Trigger(watch::Sender<bool>);

/// The side that listens. Clone one per task.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A connected pair.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Says stop, for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits for ctrl-c or, on Unix, SIGTERM, then says stop.
    ///
    /// # Errors
    /// Where the operating system lets no handler be installed.
    pub async fn stop_on_signal(self) -> io::Result<()> {
        signal().await?;
        tracing::info!("stop signal received");
        self.stop();
        Ok(())
    }
}

impl Shutdown {
    /// Returns when stop has been said.
    pub async fn wait(&mut self) {
        // An error means that every trigger is gone: stop as well.
        let _gone_or_stopped = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Whether stop has been said.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }
}

/// What a computation that is nearly done gets before the process ends without it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Ends a runtime whose daemon has stopped, with computations that still run left behind after `patience`.
pub fn leave(runtime: tokio::runtime::Runtime, patience: Duration) {
    runtime.shutdown_timeout(patience);
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_listener_sees_the_stop_at_once() {
        let (trigger, shutdown) = channel();
        let mut late = shutdown.clone();
        assert!(!late.is_stopping());
        trigger.stop();
        late.wait().await;
        assert!(late.is_stopping());
    }

    #[test]
    fn a_computation_that_never_ends_does_not_keep_the_process() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (ended, is_over) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            tokio::task::spawn_blocking(move || is_over.recv().is_ok());
        });
        leave(runtime, Duration::from_millis(10));
        ended.send(()).expect("it runs on: nobody waited for it");
    }

    #[tokio::test]
    async fn listeners_stop_when_nobody_is_left_to_stop_them() {
        let (trigger, mut shutdown) = channel();
        drop(trigger);
        shutdown.wait().await;
    }
}
