//! What a region answers its nodes. The unit is the certificate's, never the message's (DOOR-1).
//!
//! A refusal becomes a gRPC status with the refusal's sentence and nothing else; reports are reassembled under the
//! collection's own size limit and stored before they are acknowledged (KEEP-1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daemon::door::authenticate;
use daemon::gate::Gate;
use daemon::identity::Role;
use daemon::pki::PeerCertificate;
use jiff::Timestamp;
use proto::v1;
use round::chain::Signed;
use round::document::{CollectionRef, Declaration, Tier};
use round::refusal::Refusal;
use round::region::{Event, Region};
use sharing::chunk::Reassembler;
use sharing::report::Report;
use sharing::signing::{Signature, SigningContext, VerifyingKey};
use tables::extension::Extension;
use tables::unit::Unit;
use tonic::{Request, Response, Status, Streaming};

use super::desk::{Desk, DeskError, report_key, signature_key};
use crate::issuer::upstream::Upstream;
use crate::signer::Signer;

/// How long a question for a pattern may wait for news before it is answered with what there is.
const LONG_POLL: Duration = Duration::from_secs(20);

/// A collection as it is announced.
pub struct Announced {
    /// The desk.
    pub desk: Arc<Desk>,
    /// The signed document.
    pub collection: Signed,
    /// The helper's signed key.
    pub helper_key: Signed,
    /// The version that it corrects or extends.
    pub first: Option<Arc<Announced>>,
    /// How the cells of the version that it extends are numbered in it.
    pub extension: Option<Arc<Extension>>,
}

/// The region's service.
pub struct RegionService {
    /// Collections by reference; more may be announced while it runs.
    pub collections: Arc<std::sync::RwLock<BTreeMap<CollectionRef, Arc<Announced>>>>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// The region's signing key.
    pub signer: Arc<Signer>,
    /// The issuer, for renewals.
    pub upstream: Arc<Upstream>,
    /// Units whose report is being received: one at a time each, so that memory is bounded by the roster.
    pub in_flight: Arc<Mutex<BTreeSet<Unit>>>,
}

/// One report being received.
struct InFlight {
    units: Arc<Mutex<BTreeSet<Unit>>>,
    unit: Unit,
}

impl InFlight {
    fn enter(units: &Arc<Mutex<BTreeSet<Unit>>>, unit: &Unit) -> Result<Self, Status> {
        if !units.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.clone()) {
            return Err(Status::resource_exhausted("a report of this unit is being received already"));
        }
        Ok(Self { units: units.clone(), unit: unit.clone() })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.units.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.unit);
    }
}

struct Asking {
    unit: Unit,
    peer: Arc<PeerCertificate>,
}

impl RegionService {
    fn asking<T>(&self, request: &Request<T>) -> Result<Asking, Status> {
        let peer = authenticate(request, &self.gate, &[Role::Node], Timestamp::now())?;
        let unit = peer.identity.unit().parse().map_err(|_| Status::permission_denied("no unit"))?;
        Ok(Asking { unit, peer })
    }

    fn find(&self, message: Option<v1::CollectionRef>) -> Result<Arc<Announced>, Status> {
        let reference = wire::collection_ref(message).map_err(malformed)?;
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        collections.get(&reference).cloned().ok_or_else(|| Status::not_found("no such collection"))
    }

    async fn pattern_for(&self, announced: &Announced, unit: &Unit) -> v1::GetPatternReply {
        let none = v1::GetPatternReply::default();
        let found = announced.desk.look(|region| own_pattern(region, unit));
        let Some((bytes, witnesses, proof)) = found else {
            return none;
        };
        let pattern = self.signer.sign(sharing::signing::SigningContext::Pattern, bytes);
        let pattern = Some(wire::signed_message(&pattern));
        let first = announced.first.as_ref().and_then(|first| {
            first.desk.look(|region| region.document().map(round::document::PatternDocument::encode))
        });
        let (first, proof) = (first.unwrap_or_default(), wire::proof_message(&proof));
        v1::GetPatternReply { pattern, witnesses, proof, first }
    }
}

/// The current pattern as a unit of its roster is shown it: document, the unit's own witnesses, their proof.
pub fn own_pattern(region: &Region, unit: &Unit) -> Option<(Vec<u8>, Vec<u8>, round::merkle::Proof)> {
    let document = region.document()?;
    let place = document.place(unit)?;
    let leaves = region.leaves();
    let proof = round::merkle::prove(&leaves, place)?;
    Some((document.encode(), leaves[place].clone(), proof))
}

fn malformed(error: wire::Unreadable) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The status of a desk's answer.
pub fn status_of(error: DeskError) -> Status {
    match error {
        DeskError::Refused(Refusal::Phase(phase)) => {
            Status::failed_precondition(Refusal::Phase(phase).to_string())
        }
        DeskError::Refused(refusal @ (Refusal::NotInRoster | Refusal::Second)) => {
            Status::permission_denied(refusal.to_string())
        }
        DeskError::Refused(refusal) => Status::invalid_argument(refusal.to_string()),
        DeskError::Store(error) => {
            tracing::error!(%error, "an event could not be stored");
            Status::unavailable("the region cannot store it now")
        }
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[tonic::async_trait]
impl v1::region_server::Region for RegionService {
    async fn list_collections(
        &self,
        request: Request<v1::ListCollectionsRequest>,
    ) -> Result<Response<v1::ListCollectionsReply>, Status> {
        let asking = self.asking(&request)?;
        let collections = self.collections.read().unwrap_or_else(PoisonError::into_inner);
        let invited = collections.values().filter(|announced| {
            announced.desk.look(|region| region.collection().units.contains(&asking.unit))
        });
        let collections = invited
            .map(|announced| v1::Announced {
                collection: Some(wire::signed_message(&announced.collection)),
                helper_key: Some(wire::signed_message(&announced.helper_key)),
            })
            .collect();
        Ok(Response::new(v1::ListCollectionsReply { collections }))
    }

    async fn declare(
        &self,
        request: Request<v1::DeclareRequest>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let asking = self.asking(&request)?;
        let message = request.into_inner();
        let statuses = wire::statuses(&message.statuses).map_err(malformed)?;
        let collection = wire::collection_ref(message.collection.clone()).map_err(malformed)?;
        let announced = self.find(message.collection)?;
        // Before the declaration: one that stands without its changes would be taken for a kommun that does not know them.
        if let Some(changes) = message.changes {
            let changed = wire::changes(changes).map_err(malformed)?;
            let event = Event::Change { unit: asking.unit.clone(), changed };
            announced.desk.take(event, now(), Vec::new()).map_err(status_of)?;
        }
        let event = Event::Declare {
            unit: asking.unit,
            certificate: asking.peer.key_id(),
            der: asking.peer.der.clone(),
            declaration: Declaration { collection, tier: Tier::Region, statuses },
        };
        announced.desk.take(event, now(), Vec::new()).map_err(status_of)?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn get_pattern(
        &self,
        request: Request<v1::GetPatternRequest>,
    ) -> Result<Response<v1::GetPatternReply>, Status> {
        let asking = self.asking(&request)?;
        let message = request.into_inner();
        let announced = self.find(message.collection)?;
        let known = message.known;
        let mut changes = announced.desk.changes();
        let deadline = tokio::time::Instant::now() + LONG_POLL;
        loop {
            changes.borrow_and_update();
            let reply = self.pattern_for(&announced, &asking.unit).await;
            let hash =
                announced.desk.look(|region| region.document().map(|document| document.hash().to_vec()));
            let news = reply.pattern.is_some() && hash.is_some_and(|hash| hash != known);
            let over = announced.desk.phase().is_over();
            if news || over || tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                return Ok(Response::new(reply));
            }
            // The certificate is judged again: it may have been revoked while the question waited (DOOR-1).
            let again = self.gate.admit(&asking.peer, &[Role::Node], Timestamp::now());
            again.map_err(|refusal| Status::unauthenticated(refusal.to_string()))?;
        }
    }

    async fn answer(
        &self,
        request: Request<v1::AnswerRequest>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let asking = self.asking(&request)?;
        let message = request.into_inner();
        let announced = self.find(message.collection)?;
        let pattern = wire::array("pattern", &message.pattern).map_err(malformed)?;
        let event = Event::Answer { unit: asking.unit, pattern, lines: wire::lines(message.lines) };
        announced.desk.take(event, now(), Vec::new()).map_err(status_of)?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn submit(
        &self,
        request: Request<Streaming<v1::ReportChunk>>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let asking = self.asking(&request)?;
        let mut stream = request.into_inner();
        let first = stream.message().await?.ok_or_else(|| Status::invalid_argument("an empty report"))?;
        let heading = wire::present("heading", first.heading.clone()).map_err(malformed)?;
        let announced = self.find(heading.collection.clone())?;
        let parameters = announced.desk.parameters().clone();
        let expected = announced.desk.look(|region| {
            region.document().is_some_and(|document| {
                document.round == heading.round && document.place(&asking.unit).is_some()
            })
        });
        if !expected {
            return Err(Status::failed_precondition("no report of this unit is expected in this round"));
        }
        let _alone = InFlight::enter(&self.in_flight, &asking.unit)?;
        let mut reassembler = Reassembler::new(Report::max_bytes(&parameters));
        let mut next = Some(first);
        while let Some(message) = next {
            let taken = reassembler.accept(wire::chunk(&message));
            taken.map_err(|error| Status::invalid_argument(error.to_string()))?;
            self.gate
                .admit(&asking.peer, &[Role::Node], Timestamp::now())
                .map_err(|refusal| Status::unauthenticated(refusal.to_string()))?;
            next = stream.message().await?;
        }
        let bytes = reassembler.finish().map_err(|error| Status::invalid_argument(error.to_string()))?;
        let report =
            Report::decode(&parameters, &bytes).map_err(|_| Status::invalid_argument("no report"))?;
        let signature: [u8; 64] = wire::array("signature", &heading.signature).map_err(malformed)?;
        let content = report.content_hash().0;
        let key = VerifyingKey(asking.peer.public_key);
        key.verify(SigningContext::Report, &content, &Signature(signature))
            .map_err(|_| Status::invalid_argument("the report is not signed by its node"))?;
        let (round, unit) = (heading.round, asking.unit);
        let beside =
            vec![(report_key(round, &unit), bytes), (signature_key(round, &unit), signature.to_vec())];
        let event = Event::Submit { unit, certificate: asking.peer.key_id(), round, content };
        let desk = announced.desk.clone();
        let stored = tokio::task::spawn_blocking(move || desk.take(event, now(), beside)).await;
        stored.map_err(|_| Status::internal("storing ended early"))?.map_err(status_of)?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn get_progress(
        &self,
        request: Request<v1::GetProgressRequest>,
    ) -> Result<Response<v1::GetProgressReply>, Status> {
        let _ = self.asking(&request)?;
        let announced = self.find(request.into_inner().collection)?;
        Ok(Response::new(announced.desk.look(progress)))
    }

    async fn revocations(
        &self,
        request: Request<v1::RevocationsQuery>,
    ) -> Result<Response<v1::RevocationsAnswer>, Status> {
        let _ = self.asking(&request)?;
        let revocation_list = self.gate.crl().der().to_vec();
        Ok(Response::new(v1::RevocationsAnswer { revocation_list }))
    }

    async fn renew(&self, request: Request<v1::RenewQuery>) -> Result<Response<v1::RenewAnswer>, Status> {
        let asking = self.asking(&request)?;
        let csr = request.into_inner().certificate_signing_request;
        let certificate = self.upstream.renew(asking.peer.der.clone(), csr).await?;
        Ok(Response::new(v1::RenewAnswer { certificate }))
    }
}

/// Where a round stands, in the words of the protocol.
pub fn progress(region: &Region) -> v1::GetProgressReply {
    let text = |unit: &Unit| unit.to_string();
    v1::GetProgressReply {
        phase: format!("{:?}", region.phase()).to_lowercase(),
        round: region.document().map(|document| document.round).unwrap_or_default(),
        declared: region.declared().map(text).collect(),
        verified: region.verified().into_iter().map(text).collect(),
        failure: region.failure().map(ToString::to_string).unwrap_or_default(),
    }
}
