//! What the national body answers regions in a national round. The county is the certificate's (DOOR-1).

use std::sync::Arc;

use daemon::door::authenticate;
use daemon::gate::Gate;
use daemon::identity::Role;
use jiff::Timestamp;
use proto::v1;
use round::chain::Signed;
use round::national::document::{Document, Offer, Rows, SealedShare};
use round::refusal::Refusal;
use sharing::signing::SigningContext;
use tables::unit::LansKod;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::engine::Third;
use crate::chain::GateChain;
use crate::helper::desk::DeskError;
use crate::signer::Signer;

/// The service.
pub struct CountiesService {
    /// The rounds.
    pub desk: Arc<Desk>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// Signs patterns.
    pub signer: Arc<Signer>,
    /// The third coordinator, once it was met.
    pub third: Arc<Third>,
}

/// Runs work beside the runtime's threads.
///
/// # Errors
/// The status of a [`DeskError`].
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Status::internal("the work ended early"))?.map_err(status_of)
}

fn status_of(error: DeskError) -> Status {
    tracing::warn!(%error, "a request of a national round was not done");
    match error {
        DeskError::Refused(refusal) => Status::failed_precondition(refusal.to_string()),
        DeskError::Collection(problem) => Status::invalid_argument(problem),
        DeskError::Store(_) => Status::unavailable("it cannot be stored now"),
        DeskError::Restored => {
            Status::unavailable("the store is a restored one: its operator must answer for it")
        }
        DeskError::Share(_) => Status::internal("stored shares cannot be used"),
    }
}

fn malformed(error: wire::Unreadable) -> Status {
    Status::invalid_argument(error.to_string())
}

impl CountiesService {
    fn county<T>(&self, request: &Request<T>) -> Result<LansKod, Status> {
        let peer = authenticate(request, &self.gate, &[Role::Region], Timestamp::now())?;
        peer.identity.unit().parse().map_err(|_| Status::permission_denied("no county"))
    }

    fn opened<'a>(
        &self,
        signed: &'a Signed,
        context: SigningContext,
        county: LansKod,
    ) -> Result<&'a [u8], Status> {
        let chain = GateChain::new(self.gate.clone(), Timestamp::now());
        let refused = |refusal: Refusal| Status::permission_denied(refusal.to_string());
        signed.open(&chain, context, "region", &county.to_string()).map_err(refused)
    }
}

#[tonic::async_trait]
impl v1::counties_server::Counties for CountiesService {
    async fn offer(
        &self,
        request: Request<v1::CountyOffer>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let county = self.county(&request)?;
        let signed = wire::signed("offer", request.into_inner().offer).map_err(malformed)?;
        let bytes = self.opened(&signed, SigningContext::CountyOffer, county)?;
        let offer = Offer::read(bytes).filter(|offer| offer.county == county);
        let offer = offer.ok_or_else(|| Status::invalid_argument("the offer cannot be read"))?;
        let desk = self.desk.clone();
        let now = Timestamp::now().as_second();
        blocking(move || desk.offer(offer, now)).await?;
        Ok(Response::new(v1::Acknowledgement {}))
    }

    async fn get_pattern(
        &self,
        request: Request<v1::NationalPatternRequest>,
    ) -> Result<Response<v1::NationalPatternReply>, Status> {
        self.county(&request)?;
        let reference = wire::national_ref(request.into_inner().national).map_err(malformed)?;
        let (machine, _) =
            self.desk.look(&reference).ok_or_else(|| Status::not_found("no such national round"))?;
        if machine.phase() == round::national::Phase::Failed {
            return Err(Status::failed_precondition("the national round ended without a publication"));
        }
        let Some(pattern) = machine.pattern() else {
            return Ok(Response::new(v1::NationalPatternReply::default()));
        };
        let third = self.third.key().ok_or_else(|| Status::unavailable("the third coordinator is away"))?;
        let signed = self.signer.sign(SigningContext::NationalPattern, pattern.bytes());
        Ok(Response::new(v1::NationalPatternReply {
            pattern: Some(wire::signed_message(&signed)),
            third_key: Some(wire::signed_message(&third)),
        }))
    }

    async fn deliver(
        &self,
        request: Request<v1::CountyDelivery>,
    ) -> Result<Response<v1::Acknowledgement>, Status> {
        let county = self.county(&request)?;
        let message = request.into_inner();
        let reference = wire::national_ref(message.national).map_err(malformed)?;
        let rows = wire::signed("rows", message.rows).map_err(malformed)?;
        let share = wire::signed("share", message.share).map_err(malformed)?;
        let rows = Rows::read(self.opened(&rows, SigningContext::CountyRows, county)?);
        let sealed = SealedShare::read(self.opened(&share, SigningContext::CountyShare, county)?);
        let (Some(rows), Some(sealed)) = (rows, sealed) else {
            return Err(Status::invalid_argument("the delivery cannot be read"));
        };
        if rows.county != county || sealed.county != county || sealed.pattern != rows.pattern {
            return Err(Status::invalid_argument("the delivery is of something else"));
        }
        let desk = self.desk.clone();
        blocking(move || desk.deliver(&reference, rows, share)).await?;
        Ok(Response::new(v1::Acknowledgement {}))
    }
}
