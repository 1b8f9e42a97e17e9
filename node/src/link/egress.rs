//! The only code of the node that can put bytes on a connection.
//!
//! Every message is a [`Cleared`] value, is written to the journal with its bytes, and only then sent. Replies are
//! returned as they came; whoever reads them checks signatures.
//!
//! **Architecture invariant**: no other file of this crate names a channel, a stub or a socket (a test of the house
//! rules reads the sources).

use std::sync::Arc;

use daemon::door::{ConnectError, PeerRefused, Target, connect, connect_lazy, explain};
use daemon::identity::Identity;
use daemon::invite::InviteFile;
use daemon::tls::{ClientTls, Credentials};
use jiff::Timestamp;
use prost::Message;
use proto::v1;
use proto::v1::enrolment_client::EnrolmentClient;
use proto::v1::region_client::RegionClient;
use sharing::chunk::chunks;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::cleared::{Cleared, StoredReport};
use super::journal::{Journal, JournalError};

/// Largest reply: a pattern over many units with the unit's witnesses.
const MAX_REPLY: usize = 64 << 20;

/// Why a message got no answer.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// It could not be written down; it was not sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The region refused it for good.
    #[error("the region refuses: {0}")]
    Refused(String),
    /// It did not get through; it may later.
    #[error(transparent)]
    Away(#[from] PeerRefused),
    /// The connection could not be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Longer than a report can be.
    #[error("the report is too long to send")]
    TooLong,
}

impl EgressError {
    /// Whether trying the same again can help.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::TooLong)
    }
}

/// The door out.
pub struct Egress {
    journal: Arc<Journal>,
    to: Identity,
    stub: RegionClient<Channel>,
    tls: Arc<ClientTls>,
}

impl Egress {
    /// A door to the region; the connection is made with the first message.
    ///
    /// # Errors
    /// [`EgressError`].
    pub fn new(
        journal: Arc<Journal>,
        address: String,
        proxy: Option<String>,
        to: Identity,
        tls: Arc<ClientTls>,
    ) -> Result<Self, EgressError> {
        let target = Target { address, proxy, expected: to.clone() };
        let channel = connect_lazy(target, tls.clone())
            .map_err(|error| explain(&error, tls.own().as_ref(), Timestamp::now()))?;
        let stub = RegionClient::new(channel).max_decoding_message_size(MAX_REPLY);
        Ok(Self { journal, to, stub, tls })
    }

    /// The own renewed certificate, shown from the next connection.
    pub fn replace_credentials(&self, renewed: Arc<Credentials>) {
        self.tls.replace_credentials(renewed);
    }

    fn note(&self, method: &str, message: &impl Message) -> Result<(), EgressError> {
        self.note_bytes(method, message.encode_to_vec())
    }

    fn note_bytes(&self, method: &str, bytes: Vec<u8>) -> Result<(), EgressError> {
        let at = Timestamp::now().as_second();
        Ok(self.journal.append(at, &self.to.uri(), method, bytes)?)
    }

    fn failed(&self, status: &Status) -> EgressError {
        match status.code() {
            Code::FailedPrecondition | Code::PermissionDenied | Code::InvalidArgument | Code::NotFound => {
                EgressError::Refused(status.message().to_owned())
            }
            _ => explain(status, self.tls.own().as_ref(), Timestamp::now()).into(),
        }
    }

    /// Which collections invite this unit.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn collections(
        &self,
        message: Cleared<v1::ListCollectionsRequest>,
    ) -> Result<v1::ListCollectionsReply, EgressError> {
        let message = message.release();
        self.note("ListCollections", &message)?;
        let reply = self.stub.clone().list_collections(message).await;
        reply.map(tonic::Response::into_inner).map_err(|status| self.failed(&status))
    }

    /// Phase 2.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn declare(&self, message: Cleared<v1::DeclareRequest>) -> Result<(), EgressError> {
        let message = message.release();
        self.note("Declare", &message)?;
        self.stub.clone().declare(message).await.map(drop).map_err(|status| self.failed(&status))
    }

    /// Phase 3; waits at the region for news.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn pattern(
        &self,
        message: Cleared<v1::GetPatternRequest>,
    ) -> Result<v1::GetPatternReply, EgressError> {
        let message = message.release();
        self.note("GetPattern", &message)?;
        let reply = self.stub.clone().get_pattern(message).await;
        reply.map(tonic::Response::into_inner).map_err(|status| self.failed(&status))
    }

    /// Phase 3b.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn answer(&self, message: Cleared<v1::AnswerRequest>) -> Result<(), EgressError> {
        let message = message.release();
        self.note("Answer", &message)?;
        self.stub.clone().answer(message).await.map(drop).map_err(|status| self.failed(&status))
    }

    /// Phase 4: the stored report in pieces.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn submit(&self, report: Cleared<StoredReport>) -> Result<(), EgressError> {
        let report = report.release();
        let heading = v1::ReportHeading {
            collection: Some(wire::collection_message(&report.collection)),
            round: report.round,
            pattern: report.pattern.to_vec(),
            signature: report.signature,
        };
        let pieces = chunks(&report.bytes).map_err(|_| EgressError::TooLong)?;
        let messages: Vec<v1::ReportChunk> = pieces
            .map(|piece| v1::ReportChunk {
                heading: (piece.index == 0).then(|| heading.clone()),
                index: piece.index,
                count: piece.count,
                bytes: piece.bytes.to_vec(),
            })
            .collect();
        let written: Vec<u8> = messages.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
        self.note_bytes("Submit", written)?;
        let sent = self.stub.clone().submit(tokio_stream::iter(messages)).await;
        sent.map(drop).map_err(|status| self.failed(&status))
    }

    /// Where a round stands.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn progress(
        &self,
        message: Cleared<v1::GetProgressRequest>,
    ) -> Result<v1::GetProgressReply, EgressError> {
        let message = message.release();
        self.note("GetProgress", &message)?;
        let reply = self.stub.clone().get_progress(message).await;
        reply.map(tonic::Response::into_inner).map_err(|status| self.failed(&status))
    }

    /// The newest revocation list.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn revocations(&self, message: Cleared<v1::RevocationsQuery>) -> Result<Vec<u8>, EgressError> {
        let message = message.release();
        self.note("Revocations", &message)?;
        let reply = self.stub.clone().revocations(message).await;
        reply.map(|reply| reply.into_inner().revocation_list).map_err(|status| self.failed(&status))
    }

    /// A renewed certificate.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn renew(&self, message: Cleared<v1::RenewQuery>) -> Result<Vec<u8>, EgressError> {
        let message = message.release();
        self.note("Renew", &message)?;
        let reply = self.stub.clone().renew(message).await;
        reply.map(|reply| reply.into_inner().certificate).map_err(|status| self.failed(&status))
    }
}

/// Phase 0: redeems an invite at the enrolment port.
///
/// # Errors
/// [`EgressError`].
pub async fn enrol(
    journal: &Journal,
    invite: &InviteFile,
    proxy: Option<String>,
    message: Cleared<v1::EnrolRequest>,
) -> Result<v1::EnrolReply, EgressError> {
    let message = message.release();
    journal.append(Timestamp::now().as_second(), &invite.server.uri(), "Enrol", message.encode_to_vec())?;
    let tls = Arc::new(ClientTls::enrolment(invite.root_sha256));
    let address = invite.enrolment_address.clone();
    let target = Target { address, proxy, expected: invite.server.clone() };
    let refused = |error: &(dyn std::error::Error + 'static)| explain(error, None, Timestamp::now());
    let channel = connect(target, tls).await.map_err(|error| refused(&error))?;
    match EnrolmentClient::new(channel).enrol(message).await {
        Ok(reply) => Ok(reply.into_inner()),
        Err(status) if status.code() == Code::PermissionDenied => {
            Err(EgressError::Refused(status.message().to_owned()))
        }
        Err(status) => Err(refused(&status).into()),
    }
}
