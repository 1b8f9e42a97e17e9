//! Threads that take jobs as they are free, and what they made of them in the order of the jobs.
//!
//! Knows nothing of files. Whoever gives the jobs is one of the threads: while it would wait for a result it takes a job too, so that there
//! are never more threads than were asked for, and none waits for another's share of a processor. Each has its own state, so
//! results may not depend on which has which job. Jobs wait in a queue: whoever gives asks [`Crew::is_full`] first, or it grows.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

/// Jobs for each thread that are not taken back yet.
const AHEAD: usize = 6;

type Todo<J> = Arc<Mutex<Receiver<(usize, J)>>>;

/// Threads at work on `J`s, which they make `D`s of.
pub(crate) struct Crew<J, D, W> {
    own: Option<W>,
    give: Sender<(usize, J)>,
    todo: Todo<J>,
    take: Receiver<Option<(usize, D)>>,
    /// Done before those given earlier.
    early: BTreeMap<usize, D>,
    given: usize,
    taken: usize,
    most: usize,
}

/// Says that a thread has panicked: whoever waits for its result would wait for ever.
struct Alarm<'d, D>(&'d Sender<Option<(usize, D)>>);

impl<D> Drop for Alarm<'_, D> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(None); // nobody waits any more
        }
    }
}

impl<J: Send, D: Send, W: FnMut(J) -> D + Send> Crew<J, D, W> {
    /// Starts a thread for each of `works` but the first, which is that of the thread that calls; they end when the crew is dropped.
    pub(crate) fn start<'scope>(scope: &'scope Scope<'scope, '_>, works: impl IntoIterator<Item = W>) -> Self
    where
        J: 'scope,
        D: 'scope,
        W: 'scope,
    {
        let ((give, todo), (done, take)) = (channel::<(usize, J)>(), channel());
        let todo: Todo<J> = Arc::new(Mutex::new(todo));
        let mut works = works.into_iter();
        let own = works.next();
        let mut members = 1;
        for mut work in works {
            let (todo, done) = (todo.clone(), done.clone());
            scope.spawn(move || {
                let alarm = Alarm(&done);
                // one waits for a job, the others for its place
                let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((number, job)) = next() {
                    if alarm.0.send(Some((number, work(job)))).is_err() {
                        return; // nobody wants it any more
                    }
                }
            });
            members += 1;
        }
        Self { own, give, todo, take, early: BTreeMap::new(), given: 0, taken: 0, most: members * AHEAD }
    }

    /// Whether a result should be taken before another job is given.
    pub(crate) fn is_full(&self) -> bool {
        self.given - self.taken >= self.most
    }

    /// Gives a job to the thread that is free first.
    ///
    /// # Errors
    /// All threads have ended.
    pub(crate) fn give(&mut self, job: J) -> io::Result<()> {
        self.give.send((self.given, job)).map_err(|_| gone())?;
        self.given += 1;
        Ok(())
    }

    /// The result of the oldest job whose result was not taken; nothing if there is none. Works until it is there.
    ///
    /// # Errors
    /// A thread has ended.
    pub(crate) fn take(&mut self) -> Option<io::Result<D>> {
        if self.taken == self.given {
            return None;
        }
        loop {
            if let Some(done) = self.early.remove(&self.taken) {
                self.taken += 1;
                return Some(Ok(done));
            }
            let done = match self.take.try_recv() {
                Err(TryRecvError::Empty) => match (self.job(), &mut self.own) {
                    (Some((number, job)), Some(work)) => Ok(Some((number, work(job)))),
                    _ => self.take.recv(),
                },
                done => done.map_err(|_| RecvError),
            };
            let Ok(Some((number, done))) = done else { return Some(Err(gone())) };
            self.early.insert(number, done);
        }
    }

    /// A job that nobody has taken yet. Where another holds the queue it is taking or awaiting one.
    fn job(&self) -> Option<(usize, J)> {
        self.todo.try_lock().ok()?.try_recv().ok()
    }
}

/// A thread that is gone has panicked, which the scope passes on.
fn gone() -> io::Error {
    io::Error::other("a thread that reads has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(work: fn(u32) -> u32) -> io::Result<Vec<u32>> {
        thread::scope(|scope| {
            let mut crew = Crew::start(scope, [work; 3]);
            let mut results = Vec::new();
            for job in 0..100 {
                if crew.is_full() {
                    results.extend(crew.take().transpose()?);
                }
                crew.give(job)?;
            }
            while let Some(result) = crew.take() {
                results.push(result?);
            }
            Ok(results)
        })
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs_and_every_job_has_one() {
        let doubled = results(|job| job * 2).unwrap();
        assert_eq!(doubled, (0..100).map(|job| job * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_of_one_thread_ends_the_waiting_and_is_passed_on() {
        let outcome =
            std::panic::catch_unwind(|| results(|job| if job == 50 { panic!("made") } else { job }));
        assert!(outcome.is_err());
    }
}
