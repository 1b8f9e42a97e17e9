//! Where certificates come from, as the rest of a coordinator sees it: the own issuer, or the national body's.

use std::sync::Arc;

use daemon::gate::Gate;
use daemon::invite::Claim;
use jiff::Timestamp;
use proto::v1;
use proto::v1::issuer_client::IssuerClient;
use tonic::Status;
use tonic::transport::Channel;

use super::desk::{IssuerDesk, IssuerError};

/// The issuer, here or elsewhere.
pub enum Upstream {
    /// This coordinator is national.
    Own {
        /// The desk.
        desk: Arc<IssuerDesk>,
        /// Its gate.
        gate: Arc<Gate>,
    },
    /// The national body, over mutual TLS.
    National {
        /// The connection.
        channel: Channel,
        /// This region's root certificate.
        root: Vec<u8>,
    },
}

/// What a peer is told: never more than that its invite is not honoured.
fn refused(error: &IssuerError) -> Status {
    tracing::warn!(%error, "no certificate was issued");
    match error {
        IssuerError::Enrolment(daemon::enrolment::EnrolmentError::Invite(invite)) => {
            Status::permission_denied(invite.for_peer())
        }
        IssuerError::Store(_) | IssuerError::Books => Status::unavailable("the issuer cannot store it now"),
        _ => Status::permission_denied("the request is not honoured"),
    }
}

impl Upstream {
    /// Redeems an invite.
    ///
    /// # Errors
    /// A status for the peer.
    pub async fn enrol(&self, request: v1::EnrolRequest) -> Result<v1::EnrolReply, Status> {
        match self {
            Self::National { channel, .. } => {
                Ok(IssuerClient::new(channel.clone()).issue(request).await?.into_inner())
            }
            Self::Own { desk, gate } => {
                let claim = Claim::from_bytes(&request.claim)
                    .map_err(|_| Status::permission_denied("the invite is not honoured"))?;
                let now = Timestamp::now();
                let enrolled = desk.enrol(&claim, &request.certificate_signing_request, now);
                let certificate = enrolled.map_err(|error| refused(&error))?;
                let root = desk.root().certificate_der().to_vec();
                Ok(v1::EnrolReply { certificate, root, revocation_list: gate.crl().der().to_vec() })
            }
        }
    }

    /// Renews a certificate that the door has just admitted.
    ///
    /// # Errors
    /// A status for the peer.
    pub async fn renew(&self, certificate: Vec<u8>, csr: Vec<u8>) -> Result<Vec<u8>, Status> {
        match self {
            Self::National { channel, .. } => {
                let request = v1::RenewRequest { certificate, certificate_signing_request: csr };
                Ok(IssuerClient::new(channel.clone()).renew(request).await?.into_inner().certificate)
            }
            Self::Own { desk, gate } => {
                let renewed = desk.renew(gate, &certificate, &csr, Timestamp::now());
                renewed.map_err(|error| refused(&error))
            }
        }
    }

    /// The newest revocation list.
    ///
    /// # Errors
    /// A status when the national body cannot be asked.
    pub async fn revocations(&self) -> Result<Vec<u8>, Status> {
        match self {
            Self::National { channel, .. } => {
                let reply = IssuerClient::new(channel.clone()).revocations(v1::RevocationsRequest {}).await?;
                Ok(reply.into_inner().revocation_list)
            }
            Self::Own { gate, .. } => Ok(gate.crl().der().to_vec()),
        }
    }
}
