//! Does what a national round says is due, again and again; and asks the third coordinator.
//!
//! Duties are computed from stored facts: what a crash interrupted is due again, and each is idempotent at the other end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use daemon::gate::Gate;
use jiff::Timestamp;
use proto::v1;
use proto::v1::third_client::ThirdClient;
use round::chain::Signed;
use round::national::document::{Document, NationalRef};
use round::national::{Duty, Fact, National};
use round::refusal::Refusal;
use sharing::helper_key::HelperPublicKey;
use sharing::signing::SigningContext;
use tables::unit::LansKod;
use tonic::transport::Channel;

use super::desk::Desk;
use super::release::{self, NationalReleaseError};
use super::sides::{NoSums, added};
use super::third::opening_digest;
use crate::chain::GateChain;
use crate::helper::desk::DeskError;
use crate::signer::Signer;

/// How often deadlines are looked at when nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// First and longest pause after a failed duty.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// Longest that the third coordinator may take for an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(600);
/// Largest answer of the third coordinator: opened shares of a large pattern.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why a duty could not be done now.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The desk.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The third coordinator cannot be asked, or refuses.
    #[error("the third coordinator: {0}")]
    Third(String),
    /// It refuses for good.
    #[error("the third coordinator refuses: {0}")]
    Refused(String),
    /// Its answer does not fit.
    #[error("the third coordinator's answer is not acceptable: {0}")]
    Answer(&'static str),
    /// Publishing.
    #[error(transparent)]
    Release(#[from] NationalReleaseError),
    /// The work ended early.
    #[error("the work ended early")]
    Ended,
}

/// The connection to the third coordinator.
pub struct Third {
    stub: ThirdClient<Channel>,
    /// Its `urn:samman:third:<unit>`.
    unit: String,
    gate: Arc<Gate>,
    key: RwLock<Option<Signed>>,
}

impl Third {
    /// A third coordinator that is not met yet.
    pub fn new(channel: Channel, unit: String, gate: Arc<Gate>) -> Self {
        let stub = ThirdClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        Self { stub, unit, gate, key: RwLock::default() }
    }

    /// Its signed key, once it was met and while its certificate is valid.
    pub fn key(&self) -> Option<Signed> {
        let known = self.key.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|key| third_key(key, &self.unit, &self.gate).is_some())
    }

    /// Meets it if that was not done, or not under a certificate that is still valid: its key's id.
    async fn meet(&self) -> Result<[u8; 32], DutyError> {
        if self.key().is_none() {
            let mut stub = self.stub.clone();
            let reply = in_time(stub.get_key(v1::ThirdKeyRequest {})).await?;
            let key = wire::signed("key", reply.key).map_err(|_| DutyError::Answer("key"))?;
            third_key(&key, &self.unit, &self.gate).ok_or(DutyError::Answer("the signature of its key"))?;
            *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
        }
        let key = self.key().ok_or(DutyError::Ended)?;
        let public = third_key(&key, &self.unit, &self.gate).ok_or(DutyError::Answer("key"))?;
        Ok(public.id())
    }
}

/// An answer, if it comes in time: a third coordinator that hangs must not hold up other rounds.
async fn in_time<T>(
    asked: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, DutyError> {
    let answer = tokio::time::timeout(LONGEST_ANSWER, asked).await;
    let answer = answer.map_err(|_| DutyError::Third("it does not answer".into()))?;
    answer.map(tonic::Response::into_inner).map_err(away)
}

fn away(status: tonic::Status) -> DutyError {
    match status.code() {
        tonic::Code::FailedPrecondition => DutyError::Refused(status.message().to_owned()),
        _ => DutyError::Third(status.message().to_owned()),
    }
}

/// The public key of the third coordinator `unit`, if it signed it.
pub fn third_key(key: &Signed, unit: &str, gate: &Arc<Gate>) -> Option<HelperPublicKey> {
    let chain = GateChain::new(gate.clone(), Timestamp::now());
    let bytes = key.open(&chain, SigningContext::HelperKey, "third", unit).ok()?;
    HelperPublicKey::from_bytes(bytes.try_into().ok()?).ok()
}

/// The engine of all national rounds.
pub struct Engine {
    /// The rounds.
    pub desk: Arc<Desk>,
    /// The other side.
    pub third: Arc<Third>,
    /// Signs patterns, closes and manifests.
    pub signer: Arc<Signer>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// Publications go to `<folder>/national/<collection>/v<version>`.
    pub folder: PathBuf,
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

impl Engine {
    /// Runs until `stop` says so.
    pub async fn run(self: Arc<Self>, mut stop: daemon::shutdown::Shutdown) {
        let mut changes = self.desk.changes();
        let mut pause = PAUSES.0;
        loop {
            changes.borrow_and_update();
            let mut wait = TICK;
            // After a restart regions need the key, whatever the round's phase.
            if self.third.key().is_none()
                && !self.desk.is_empty()
                && let Err(error) = self.third.meet().await
            {
                tracing::warn!(%error, "the third coordinator cannot be met yet");
            }
            for (reference, duty) in self.desk.duties(now()) {
                tracing::debug!(?duty, round = %reference.id, "due");
                match self.perform(&reference, duty).await {
                    Ok(()) => (wait, pause) = (Duration::ZERO, PAUSES.0),
                    Err(error) => {
                        tracing::warn!(%error, round = %reference.id, "a duty could not be done; it will be tried again");
                        pause = (pause * 2).min(PAUSES.1);
                        wait = pause;
                    }
                }
            }
            tokio::select! {
                () = stop.wait() => return,
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn perform(self: &Arc<Self>, reference: &NationalRef, duty: Duty) -> Result<(), DutyError> {
        match duty {
            Duty::Choose => {
                // Away it holds nobody up: the key stands in the collection.
                let key = self.third.meet().await.ok();
                let (machine, _) = self.machine(reference)?;
                let terms = machine.collection.national.as_ref();
                if terms.zip(key).is_some_and(|(terms, key)| terms.third_key != key) {
                    return self.fail(
                        reference,
                        "the collections name another key than that of the third coordinator".into(),
                    );
                }
                Ok(self.desk.event(reference, |machine| machine.choose(now()))?)
            }
            Duty::GiveUp => Ok(self.desk.event(reference, |machine| machine.give_up(now()))?),
            Duty::Close => Ok(self.desk.event(reference, |machine| machine.close(now()))?),
            Duty::Open => self.open(reference).await,
            Duty::Certify => {
                let (engine, reference) = (self.clone(), reference.clone());
                let work = move || engine.certify(&reference);
                tokio::task::spawn_blocking(work).await.map_err(|_| DutyError::Ended)?
            }
        }
    }

    fn machine(&self, reference: &NationalRef) -> Result<(National, String), DutyError> {
        let known =
            self.desk.look(reference).ok_or(DeskError::Refused(Refusal::OtherBinding("national round")));
        Ok(known?)
    }

    async fn open(&self, reference: &NationalRef) -> Result<(), DutyError> {
        let (machine, text) = self.machine(reference)?;
        let no = |what| DutyError::Desk(DeskError::Refused(Refusal::Phase(what)));
        let pattern = machine.pattern().ok_or(no("without a pattern"))?;
        let close = machine.closed().ok_or(no("not closed"))?.clone();
        let own = self.desk.own_side(&machine)?.opened(&machine.system, &close)?;
        let sign = |context, bytes| Some(wire::signed_message(&self.signer.sign(context, bytes)));
        let request = v1::OpenCountiesRequest {
            collection: text,
            pattern: sign(SigningContext::NationalPattern, pattern.bytes()),
            close: sign(SigningContext::NationalClose, close.bytes()),
            shares: machine
                .deliveries()
                .filter(|(county, _, _)| close.roster.contains(county))
                .map(|(_, _, share)| wire::signed_message(share))
                .collect(),
        };
        let mut stub = self.third.stub.clone();
        let reply = match in_time(stub.open(request)).await {
            Ok(reply) => reply,
            Err(DutyError::Refused(reason)) => {
                return self.fail(reference, format!("the third coordinator refuses: {reason}"));
            }
            Err(error) => return Err(error),
        };
        if !reply.unusable.is_empty() {
            let counties = reply.unusable.iter().map(|county| county.parse::<LansKod>());
            let counties = counties.collect::<Result<BTreeSet<_>, _>>();
            let counties = counties.map_err(|_| DutyError::Answer("the counties it cannot use"))?;
            tracing::error!(?counties, "their shares cannot be used; the round is closed again without them");
            return Ok(self.desk.event(reference, |machine| machine.unusable(&counties))?);
        }
        let signed = wire::signed("countersignature", reply.countersignature);
        let signed = signed.map_err(|_| DutyError::Answer("the countersignature"))?;
        let chain = GateChain::new(self.gate.clone(), Timestamp::now());
        let digest = signed.open(&chain, SigningContext::Opening, "third", &self.third.unit);
        if digest.ok() != Some(&opening_digest(&close, &reply.shares)[..]) {
            return Err(DutyError::Answer("the countersigned sums"));
        }
        let sums = match added(&close, &own, &reply.shares) {
            Ok(sums) => sums,
            // Asking again gives the same: somebody's share is not of what the county's kommuner sent.
            Err(problem @ NoSums::NoCount) => return self.fail(reference, problem.to_string()),
            Err(NoSums::Shape) => return Err(DutyError::Answer("the number or form of its shares")),
        };
        Ok(self.desk.event(reference, |machine| machine.opened(sums, now()))?)
    }

    /// Ends a round: what is wrong does not become right by trying again.
    fn fail(&self, reference: &NationalRef, reason: String) -> Result<(), DutyError> {
        tracing::error!(%reason, "the national round ends without a publication");
        Ok(self.desk.event(reference, |_| Ok(vec![Fact::Failed(reason)]))?)
    }

    fn certify(&self, reference: &NationalRef) -> Result<(), DutyError> {
        let (machine, _) = self.machine(reference)?;
        let fact = match release::release(&machine, &self.folder, &self.signer) {
            Ok(manifest) => Fact::Published(manifest),
            Err(NationalReleaseError::Findings(count)) => {
                tracing::error!(
                    count,
                    "the audit of the national tables did not certify; nothing is written"
                );
                Fact::Failed("the audit did not certify".into())
            }
            Err(error @ NationalReleaseError::Tables(_)) => {
                tracing::error!(%error, "what counties delivered does not add up; nothing is written");
                Fact::Failed(error.to_string())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(self.desk.event(reference, |_| Ok(vec![fact]))?)
    }
}
