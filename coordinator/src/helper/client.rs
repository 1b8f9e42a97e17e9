//! The region's side of its helper: the same words, turned into messages.
//!
//! A refusal of the helper (`failed_precondition`) is final for what was asked; everything else may be tried again.

use std::sync::Arc;

use daemon::gate::Gate;
use jiff::Timestamp;
use proto::v1;
use proto::v1::helper_client::HelperClient as Stub;
use round::chain::Signed;
use round::document::{CollectionRef, PatternDocument};
use sharing::chunk::chunks;
use sharing::helper_key::HelperPublicKey;
use sharing::signing::SigningContext;
use tables::unit::Unit;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::chain::GateChain;
use crate::signer::Signer;

/// Largest answer of a helper: opened shares of a large pattern.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why the helper did not do it.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// Final.
    #[error("the helper refuses: {0}")]
    Refused(String),
    /// May go through later.
    #[error("the helper cannot be asked now: {0}")]
    Away(String),
    /// Its answer cannot be read or verified.
    #[error("the helper's answer is not acceptable: {0}")]
    Answer(&'static str),
}

impl From<Status> for HelperError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::FailedPrecondition | Code::PermissionDenied | Code::InvalidArgument => {
                Self::Refused(status.message().to_owned())
            }
            _ => Self::Away(status.message().to_owned()),
        }
    }
}

/// What a helper answered at close.
pub struct Closed {
    /// Opened shares in the pattern's order.
    pub shares: Vec<Vec<u8>>,
    /// Keys in roster order.
    pub readable_keys: Vec<[u8; 32]>,
    countersignature: Signed,
}

impl Closed {
    /// Without the signature, once that is checked.
    pub fn opening(&self) -> crate::rounds::close::Opening<'_> {
        crate::rounds::close::Opening { shares: &self.shares, readable_keys: &self.readable_keys }
    }
}

/// A region's connection to its helper.
pub struct HelperClient {
    stub: Stub<Channel>,
    signer: Arc<Signer>,
    gate: Arc<Gate>,
    key: Signed,
    key_id: [u8; 32],
}

impl HelperClient {
    /// Asks for the helper's key and checks that the national body signed it.
    ///
    /// # Errors
    /// [`HelperError`].
    pub async fn meet(channel: Channel, signer: Arc<Signer>, gate: Arc<Gate>) -> Result<Self, HelperError> {
        let mut stub = Stub::new(channel).max_decoding_message_size(MAX_ANSWER);
        let reply = stub.get_key(v1::GetKeyRequest {}).await?.into_inner();
        let key = wire::signed("key", reply.key).map_err(|_| HelperError::Answer("key"))?;
        let chain = GateChain::new(gate.clone(), Timestamp::now());
        let bytes = key
            .open(&chain, SigningContext::HelperKey, "national", "00")
            .map_err(|_| HelperError::Answer("the signature of its key"))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| HelperError::Answer("key"))?;
        let public = HelperPublicKey::from_bytes(&bytes).map_err(|_| HelperError::Answer("key"))?;
        let key_id = public.id();
        Ok(Self { stub, signer, gate, key, key_id })
    }

    /// The helper's signed key, for nodes.
    pub fn key(&self) -> &Signed {
        &self.key
    }

    /// Its id.
    pub fn key_id(&self) -> [u8; 32] {
        self.key_id
    }

    /// Hands over a signed collection.
    ///
    /// # Errors
    /// [`HelperError`].
    pub async fn put_collection(&self, collection: &Signed) -> Result<(), HelperError> {
        let collection = Some(wire::signed_message(collection));
        self.stub.clone().put_collection(v1::PutCollectionRequest { collection }).await?;
        Ok(())
    }

    /// Hands over a final pattern.
    ///
    /// # Errors
    /// [`HelperError`].
    pub async fn put_pattern(
        &self,
        document: &PatternDocument,
        verify_key: [u8; 32],
        certificates: Vec<Vec<u8>>,
    ) -> Result<(), HelperError> {
        let pattern = self.signer.sign(SigningContext::Pattern, document.encode());
        let request = v1::PutPatternRequest {
            collection: Some(wire::collection_message(&document.collection)),
            pattern: Some(wire::signed_message(&pattern)),
            verify_key: verify_key.to_vec(),
            certificates,
        };
        self.stub.clone().put_pattern(request).await?;
        Ok(())
    }

    /// The one round trip of verification; `None` when the report does not count.
    ///
    /// # Errors
    /// [`HelperError`].
    pub async fn verify(
        &self,
        reference: &CollectionRef,
        round: u32,
        unit: &Unit,
        signature: Vec<u8>,
        part: Vec<u8>,
        message: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, HelperError> {
        let heading = v1::VerifyHeading {
            collection: Some(wire::collection_message(reference)),
            round,
            unit: unit.to_string(),
            signature,
            part_bytes: u32::try_from(part.len()).map_err(|_| HelperError::Answer("a part over 4 GiB"))?,
        };
        let body = [part, message].concat();
        let pieces = chunks(&body).map_err(|_| HelperError::Answer("a body too large to send"))?;
        let messages: Vec<v1::VerifyChunk> = pieces
            .map(|piece| v1::VerifyChunk {
                heading: (piece.index == 0).then(|| heading.clone()),
                index: piece.index,
                count: piece.count,
                bytes: piece.bytes.to_vec(),
            })
            .collect();
        let reply = self.stub.clone().verify(tokio_stream::iter(messages)).await?.into_inner();
        Ok(reply.accepted.then_some(reply.answer))
    }

    /// Closes a round.
    ///
    /// # Errors
    /// [`HelperError`].
    pub async fn close(&self, document: &PatternDocument) -> Result<Closed, HelperError> {
        let request = v1::CloseRequest {
            collection: Some(wire::collection_message(&document.collection)),
            round: document.round,
            pattern: document.hash().to_vec(),
            roster: document.units().iter().map(ToString::to_string).collect(),
        };
        let reply = self.stub.clone().close(request).await?.into_inner();
        let unreadable = |_| HelperError::Answer("a key or signature");
        let keys = reply.readable_keys.iter().map(|key| wire::array("key", key)).collect::<Result<_, _>>();
        Ok(Closed {
            shares: reply.shares,
            readable_keys: keys.map_err(unreadable)?,
            countersignature: wire::signed("countersignature", reply.countersignature).map_err(unreadable)?,
        })
    }

    /// Whether the helper countersigned exactly this opening.
    ///
    /// # Errors
    /// [`HelperError::Answer`].
    pub fn check_countersignature(&self, closed: &Closed, digest: &[u8; 32]) -> Result<(), HelperError> {
        let chain = GateChain::new(self.gate.clone(), Timestamp::now());
        let signed = closed
            .countersignature
            .open(&chain, SigningContext::Opening, "national", "00")
            .map_err(|_| HelperError::Answer("the countersignature"))?;
        if signed == digest { Ok(()) } else { Err(HelperError::Answer("the countersigned sums")) }
    }
}
