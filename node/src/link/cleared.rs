//! What may leave a node: the only values [`super::egress`] takes.
//!
//! A [`Cleared`] can be made of a question without content, a declaration (statuses only), an answer (indices only), a
//! stored report (shares, sealed readables) and a certificate request; there is no other constructor, so nothing else
//! can be sent (STAY-1, STAY-2).

use std::collections::BTreeSet;

use proto::v1;
use round::document::{CollectionRef, Declaration};
use tables::system::CellIndex;

/// A message that may leave.
pub struct Cleared<T>(T);

impl<T> Cleared<T> {
    pub(super) fn release(self) -> T {
        self.0
    }
}

/// A stored report: the bytes that were stored, and no others, are sent.
pub struct StoredReport {
    /// The collection.
    pub collection: CollectionRef,
    /// The round.
    pub round: u32,
    /// Hash of the final pattern.
    pub pattern: [u8; 32],
    /// The node's signature over the content hash.
    pub signature: Vec<u8>,
    /// The report.
    pub bytes: Vec<u8>,
}

impl Cleared<v1::ListCollectionsRequest> {
    /// Which collections invite this unit?
    pub fn collections() -> Self {
        Self(v1::ListCollectionsRequest {})
    }
}

impl Cleared<v1::RevocationsQuery> {
    /// The newest revocation list?
    pub fn revocations() -> Self {
        Self(v1::RevocationsQuery {})
    }
}

impl Cleared<v1::DeclareRequest> {
    /// Phase 2; for a second version with which cells changed since the first, by index.
    pub fn declaration(declaration: &Declaration, changed: Option<&BTreeSet<CellIndex>>) -> Self {
        Self(v1::DeclareRequest {
            collection: Some(wire::collection_message(&declaration.collection)),
            statuses: wire::status_bytes(&declaration.statuses),
            changes: changed.map(wire::changes_message),
        })
    }
}

impl Cleared<v1::GetPatternRequest> {
    /// Phase 3; `known` is the hash of the pattern at hand.
    pub fn pattern(collection: &CollectionRef, known: Option<[u8; 32]>) -> Self {
        let collection = Some(wire::collection_message(collection));
        Self(v1::GetPatternRequest { collection, known: known.map(|hash| hash.to_vec()).unwrap_or_default() })
    }
}

impl Cleared<v1::GetProgressRequest> {
    /// Where does the round stand?
    pub fn progress(collection: &CollectionRef) -> Self {
        Self(v1::GetProgressRequest { collection: Some(wire::collection_message(collection)) })
    }
}

impl Cleared<v1::AnswerRequest> {
    /// Phase 3b: which lines are too thin, by index.
    pub fn answer(collection: &CollectionRef, pattern: [u8; 32], lines: &[Vec<u32>]) -> Self {
        Self(v1::AnswerRequest {
            collection: Some(wire::collection_message(collection)),
            pattern: pattern.to_vec(),
            lines: wire::lines_message(lines),
        })
    }
}

impl Cleared<StoredReport> {
    /// Phase 4.
    pub fn report(report: StoredReport) -> Self {
        Self(report)
    }
}

impl Cleared<v1::EnrolRequest> {
    /// Phase 0.
    pub fn enrolment(token: &daemon::invite::Token, certificate_signing_request: Vec<u8>) -> Self {
        let claim = token.claim(&certificate_signing_request).to_bytes().to_vec();
        Self(v1::EnrolRequest { claim, certificate_signing_request })
    }
}

impl Cleared<v1::RenewQuery> {
    /// A renewal.
    pub fn renewal(certificate_signing_request: Vec<u8>) -> Self {
        Self(v1::RenewQuery { certificate_signing_request })
    }
}
