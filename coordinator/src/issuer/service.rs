//! The enrolment port of every coordinator, and the issuer's service for regions.

use std::sync::Arc;

use daemon::door::authenticate;
use daemon::gate::Gate;
use daemon::identity::Role;
use daemon::pki::PeerCertificate;
use jiff::Timestamp;
use proto::v1;
use tonic::{Request, Response, Status};

use super::upstream::Upstream;

/// Answers strangers who hold an invite, and nothing else (DOOR-1).
pub struct EnrolmentService(pub Arc<Upstream>);

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolReply>, Status> {
        Ok(Response::new(self.0.enrol(request.into_inner()).await?))
    }
}

/// What the national body answers regions about certificates.
pub struct IssuerService {
    /// The own issuer.
    pub upstream: Arc<Upstream>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
}

impl IssuerService {
    fn region<T>(&self, request: &Request<T>) -> Result<Arc<PeerCertificate>, Status> {
        authenticate(request, &self.gate, &[Role::Region, Role::Third], Timestamp::now())
    }
}

#[tonic::async_trait]
impl v1::issuer_server::Issuer for IssuerService {
    async fn issue(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolReply>, Status> {
        let region = self.region(&request)?;
        let reply = self.upstream.enrol(request.into_inner()).await?;
        tracing::info!(region = %region.identity, "an enrolment was passed on");
        Ok(Response::new(reply))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::EnrolReply>, Status> {
        let region = self.region(&request)?;
        let message = request.into_inner();
        // A region passes on its own renewal and those of nodes in its county, nobody else's.
        let old = PeerCertificate::parse(&message.certificate)
            .map_err(|_| Status::invalid_argument("the certificate cannot be read"))?;
        let own = old.identity == region.identity;
        let in_county = old.identity.role() == Role::Node && old.identity.county() == region.identity.unit();
        if !own && !in_county {
            return Err(Status::permission_denied("a region renews for its own county"));
        }
        let certificate =
            self.upstream.renew(message.certificate, message.certificate_signing_request).await?;
        let (root, revocation_list) = (self.gate.root_der().to_vec(), self.gate.crl().der().to_vec());
        Ok(Response::new(v1::EnrolReply { certificate, root, revocation_list }))
    }

    async fn revocations(
        &self,
        request: Request<v1::RevocationsRequest>,
    ) -> Result<Response<v1::RevocationsReply>, Status> {
        self.region(&request)?;
        let revocation_list = self.upstream.revocations().await?;
        Ok(Response::new(v1::RevocationsReply { revocation_list }))
    }
}
