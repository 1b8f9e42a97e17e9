//! What a helper answers regions. The county is the certificate's, never the message's (DOOR-1).

use std::sync::Arc;

use daemon::door::authenticate;
use daemon::gate::Gate;
use daemon::identity::Role;
use jiff::Timestamp;
use proto::v1;
use round::chain::Signed;
use round::document::PatternDocument;
use round::helper::{HandedPattern, HandedReport};
use round::refusal::Refusal;
use sharing::chunk::Reassembler;
use sharing::report::{HelperPart, Report};
use sharing::signing::SigningContext;
use tonic::{Request, Response, Status, Streaming};

use super::desk::{Desk, DeskError};
use crate::chain::GateChain;
use crate::signer::Signer;

/// Largest body of a verification: a helper's part and the region's message are both far under a whole report.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// The helper's service.
pub struct HelperService {
    /// What it keeps.
    pub desk: Arc<Desk>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// The helper's signature.
    pub signer: Arc<Signer>,
    /// The helper's signed HPKE key.
    pub key: Signed,
}

impl HelperService {
    fn county<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let peer = authenticate(request, &self.gate, &[Role::Region], Timestamp::now())?;
        Ok(peer.identity.unit().to_owned())
    }

    fn chain(&self) -> GateChain {
        GateChain::new(self.gate.clone(), Timestamp::now())
    }
}

fn malformed(error: wire::Unreadable) -> Status {
    Status::invalid_argument(error.to_string())
}

fn status_of(error: DeskError) -> Status {
    tracing::warn!(%error, "a region's request was not done");
    match error {
        DeskError::Refused(refusal) => Status::failed_precondition(refusal.to_string()),
        DeskError::Collection(problem) => Status::invalid_argument(problem),
        DeskError::Store(_) => Status::unavailable("the helper cannot store it now"),
        DeskError::Restored => {
            Status::unavailable("the helper's store is a restored one: its operator must answer for it")
        }
        DeskError::Share(_) => Status::internal("the helper's stored shares cannot be used"),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Status::internal("the work ended early"))?.map_err(status_of)
}

#[tonic::async_trait]
impl v1::helper_server::Helper for HelperService {
    async fn get_key(
        &self,
        request: Request<v1::GetKeyRequest>,
    ) -> Result<Response<v1::GetKeyReply>, Status> {
        self.county(&request)?;
        Ok(Response::new(v1::GetKeyReply { key: Some(wire::signed_message(&self.key)) }))
    }

    async fn put_collection(
        &self,
        request: Request<v1::PutCollectionRequest>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let county = self.county(&request)?;
        let signed = wire::signed("collection", request.into_inner().collection).map_err(malformed)?;
        let refused = |refusal: Refusal| Status::permission_denied(refusal.to_string());
        let bytes = signed
            .open(&self.chain(), SigningContext::Collection, "region", &county)
            .map_err(refused)?
            .to_vec();
        let text = String::from_utf8(bytes).map_err(|_| Status::invalid_argument("a collection is UTF-8"))?;
        let desk = self.desk.clone();
        blocking(move || desk.put_collection(&text, &county)).await?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn put_pattern(
        &self,
        request: Request<v1::PutPatternRequest>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let county = self.county(&request)?;
        let message = request.into_inner();
        let signed = wire::signed("pattern", message.pattern).map_err(malformed)?;
        let chain = self.chain();
        let refused = |refusal: Refusal| Status::permission_denied(refusal.to_string());
        let bytes = signed.open(&chain, SigningContext::Pattern, "region", &county).map_err(refused)?;
        let document = PatternDocument::decode(bytes)
            .ok_or_else(|| Status::invalid_argument("the pattern cannot be read"))?;
        let verify_key = wire::array("verify_key", &message.verify_key).map_err(malformed)?;
        let handed = HandedPattern { document, verify_key, certificates: message.certificates };
        let desk = self.desk.clone();
        blocking(move || desk.hold(handed, &county, &chain)).await?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn verify(
        &self,
        request: Request<Streaming<v1::VerifyChunk>>,
    ) -> Result<Response<v1::VerifyReply>, Status> {
        let county = self.county(&request)?;
        let mut stream = request.into_inner();
        let first = stream.message().await?.ok_or_else(|| Status::invalid_argument("an empty report"))?;
        let heading = wire::present("heading", first.heading.clone()).map_err(malformed)?;
        let reference = wire::collection_ref(heading.collection).map_err(malformed)?;
        let unit = heading.unit.parse().map_err(|_| Status::invalid_argument("no unit"))?;
        let signature = wire::array("signature", &heading.signature).map_err(malformed)?;
        let mut reassembler = Reassembler::new(MAX_BODY);
        let mut next = Some(first);
        while let Some(message) = next {
            let taken = reassembler.accept(wire::verify_chunk(&message));
            taken.map_err(|error| Status::invalid_argument(error.to_string()))?;
            next = stream.message().await?;
        }
        let body = reassembler.finish().map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (round, split) = (heading.round, heading.part_bytes as usize);
        let read = move |helper: &round::helper::Helper| {
            let limit = Report::max_bytes(helper.parameters());
            let (part, message) = body
                .split_at_checked(split)
                .filter(|(part, _)| part.len() <= limit)
                .ok_or(Refusal::Malformed("length of the helper's part"))?;
            let part = HelperPart::decode(helper.parameters(), part)
                .map_err(|_| Refusal::Malformed("the helper's part"))?;
            Ok(HandedReport { round, unit, part, message: message.to_vec(), signature })
        };
        let desk = self.desk.clone();
        let chain = self.chain();
        let work = move || match desk.verify(&reference, &county, &chain, read) {
            Err(DeskError::Refused(Refusal::Report | Refusal::Signature(_) | Refusal::Malformed(_))) => {
                Ok(None)
            }
            other => other.map(Some),
        };
        let answer = blocking(work).await?;
        let accepted = answer.is_some();
        Ok(Response::new(v1::VerifyReply { accepted, answer: answer.unwrap_or_default() }))
    }

    async fn close(&self, request: Request<v1::CloseRequest>) -> Result<Response<v1::CloseReply>, Status> {
        let county = self.county(&request)?;
        let message = request.into_inner();
        let reference = wire::collection_ref(message.collection).map_err(malformed)?;
        let pattern = wire::array("pattern", &message.pattern).map_err(malformed)?;
        let units = message.roster.iter().map(|unit| unit.parse()).collect::<Result<Vec<_>, _>>();
        let roster = units.map_err(|_| Status::invalid_argument("the roster names no unit"))?;
        let desk = self.desk.clone();
        let round = message.round;
        let opening = blocking(move || desk.close(&reference, &county, round, &pattern, &roster)).await?;
        let countersignature = self.signer.sign(SigningContext::Opening, opening.digest.to_vec());
        Ok(Response::new(v1::CloseReply {
            shares: opening.shares,
            readable_keys: opening.readable_keys.iter().map(|key| key.to_vec()).collect(),
            countersignature: Some(wire::signed_message(&countersignature)),
        }))
    }
}
