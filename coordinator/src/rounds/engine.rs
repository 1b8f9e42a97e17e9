//! Does what a collection's machine says is due, again and again until the round is over.
//!
//! Duties are computed from stored facts, so a duty that a crash interrupted is simply due again; each is idempotent at
//! the other end. A duty that fails is logged and tried again after a pause that grows to `LONGEST_PAUSE`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use round::region::{Duty, Event, Failure};
use sharing::report::Report;
use sharing::verify::{RegionVerifier, VerifyKey};
use tables::unit::Unit;

use super::close;
use super::desk::{Desk, DeskError, report_key, share_key, signature_key};
use crate::counties::client::CountiesClient;
use crate::helper::client::{HelperClient, HelperError};
use crate::release::{self, Before, ReleaseError, Releaser};
use crate::rounds::service::Announced;

/// First pause after a failed duty.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause after failed duties.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often deadlines are looked at when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// Why a duty could not be done now.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The machine or the store.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What lies beside facts.
    #[error(transparent)]
    Fact(#[from] daemon::facts::FactError),
    /// The helper could not be reached or refused.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
    /// Closing.
    #[error(transparent)]
    Close(#[from] close::CloseError),
    /// Releasing.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The region's own state contradicts itself.
    #[error("the round's state lacks {0}")]
    State(&'static str),
}

/// The engine of one collection.
pub struct Engine {
    /// The collection.
    pub announced: Arc<Announced>,
    /// The helper.
    pub helper: Arc<HelperClient>,
    /// Audits and writes.
    pub releaser: Arc<Releaser>,
    /// The national body, for collections that are part of a national round.
    pub counties: Arc<CountiesClient>,
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

impl Engine {
    /// Runs until the round is over or `stop` says so.
    pub async fn run(self, mut stop: daemon::shutdown::Shutdown) {
        let mut changes = self.announced.desk.changes();
        let mut pause = FIRST_PAUSE;
        while !self.announced.desk.phase().is_over() {
            changes.borrow_and_update();
            let wait = match self.work().await {
                Ok(true) => continue,
                Ok(false) => {
                    pause = FIRST_PAUSE;
                    TICK
                }
                Err(error) => {
                    tracing::warn!(%error, "a duty could not be done; it will be tried again");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            tokio::select! {
                () = stop.wait() => return,
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that is due; whether anything was.
    async fn work(&self) -> Result<bool, DutyError> {
        let duties = self.announced.desk.duties(now());
        let any = !duties.is_empty();
        let mut failed = Ok(any);
        for duty in duties {
            tracing::debug!(?duty, "due");
            // One duty that cannot be done must not hold up the others.
            if let Err(error) = self.perform(duty).await {
                failed = Err(error);
            }
        }
        failed
    }

    async fn perform(&self, duty: Duty) -> Result<(), DutyError> {
        let desk = &self.announced.desk;
        match duty {
            Duty::Choose => {
                let mut verify_key = [0; 32];
                getrandom::fill(&mut verify_key).map_err(|_| DutyError::Randomness)?;
                let helper_key_id = self.helper.key_id();
                self.compute(Event::Choose { verify_key, helper_key_id }).await
            }
            Duty::Finalise => self.compute(Event::Finalise).await,
            Duty::DropMissing => self.compute(Event::DropMissing).await,
            Duty::HandPattern => {
                let round = self.hand_pattern().await?;
                Ok(desk.take(Event::HelperHolds(round), now(), Vec::new())?)
            }
            Duty::Check(unit) => self.check(unit).await,
            Duty::Close => close::close(&self.announced, &self.helper).await.map_err(DutyError::from),
            Duty::Certify => self.certify().await,
        }
    }

    /// Events whose handling computes a pattern run beside the runtime's own threads.
    async fn compute(&self, event: Event) -> Result<(), DutyError> {
        let desk = self.announced.desk.clone();
        let taken = tokio::task::spawn_blocking(move || desk.take(event, now(), Vec::new())).await;
        Ok(taken.map_err(|_| DutyError::State("the end of a computation"))??)
    }

    async fn hand_pattern(&self) -> Result<u32, DutyError> {
        let (document, verify_key, certificates) = self.announced.desk.look(|region| {
            let document = region.document().cloned();
            (document, region.verify_key(), region.certificates())
        });
        let document = document.ok_or(DutyError::State("a pattern"))?;
        let verify_key = verify_key.ok_or(DutyError::State("a verify key"))?;
        self.helper.put_collection(&self.announced.collection).await?;
        self.helper.put_pattern(&document, verify_key, certificates).await?;
        Ok(document.round)
    }

    async fn check(&self, unit: Unit) -> Result<(), DutyError> {
        let desk = &self.announced.desk;
        let (document, verify_key) = desk.look(|region| (region.document().cloned(), region.verify_key()));
        let document = document.ok_or(DutyError::State("a pattern"))?;
        let key = VerifyKey::from_bytes(verify_key.ok_or(DutyError::State("a verify key"))?);
        let round = document.round;
        let place = document.place(&unit).ok_or(DutyError::State("the unit"))?;
        let bytes = desk.read(&report_key(round, &unit))?;
        let signature = desk.read(&signature_key(round, &unit))?;
        let binding = round::helper::binding(&document, place);
        let verifier = RegionVerifier::new(desk.parameters().clone(), &binding, key);
        let verdict = self.exchange(desk, &verifier, &unit, round, &bytes, signature).await?;
        let (accepted, beside) = match verdict {
            Some(share) => (true, vec![(share_key(round, &unit), share)]),
            None => (false, Vec::new()),
        };
        if !accepted {
            tracing::warn!(%unit, "a report was rejected");
        }
        Ok(desk.take(Event::Checked { round, unit, accepted }, now(), beside)?)
    }

    /// The one round trip of verification; the region's encoded share, or nothing if the report does not count.
    async fn exchange(
        &self,
        desk: &Desk,
        verifier: &RegionVerifier,
        unit: &Unit,
        round: u32,
        bytes: &[u8],
        signature: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, DutyError> {
        let Ok(report) = Report::decode(desk.parameters(), bytes) else {
            return Ok(None);
        };
        let Ok((state, message)) = verifier.begin(&report) else {
            return Ok(None);
        };
        let part = report.helper_part().encode(desk.parameters());
        let reference = desk.look(|region| round::document::CollectionRef::of(region.collection()));
        let answer = match self.helper.verify(&reference, round, unit, signature, part, message).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(None),
            Err(HelperError::Refused(reason)) => {
                tracing::warn!(%unit, %reason, "the helper refuses a report");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(verifier.finish(state, &answer).ok().map(|share| share.encode(desk.parameters())))
    }

    async fn certify(&self) -> Result<(), DutyError> {
        let released = match self.counties.take_part(&self.announced.desk).await {
            Ok(extra) => {
                let (announced, releaser) = (self.announced.clone(), self.releaser.clone());
                let work = move || {
                    let extension = announced.extension.as_deref();
                    let first = announced.first.as_ref().map(|first| Before { desk: &first.desk, extension });
                    release::release(&announced.desk, first, &releaser, &extra)
                };
                let done = tokio::task::spawn_blocking(work).await;
                done.map_err(|_| DutyError::State("the end of a computation"))?
            }
            Err(error) => Err(error),
        };
        let (event, beside) = match released {
            Ok(written) => (Event::Published(written.manifest), vec![written.marks]),
            Err(ReleaseError::Findings(text)) => {
                tracing::error!(findings = %text, "the audit did not certify; nothing is written");
                (Event::Fail(Failure::Audit), Vec::new())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(self.announced.desk.take(event, now(), beside)?)
    }
}
