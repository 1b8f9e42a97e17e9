//! The words of the region's machine: what it knows for good, what reaches it, what it should do.
//!
//! No rule stands here. Facts hold statuses, opened sums and published cells, never a withheld value of a kommun.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use suppress::correction::Joint;
use tables::count::FineStatus;
use tables::figures::Pattern;
use tables::system::CellIndex;
use tables::unit::Unit;

use crate::document::{Declaration, PatternDocument};

/// What a region knows for good of one collection.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The collection was announced at this second.
    Announced {
        /// Unix time.
        at: i64,
    },
    /// A unit declared.
    Declared {
        /// The unit, from its certificate.
        unit: Unit,
        /// Names the certificate's key.
        certificate: [u8; 32],
        /// The certificate, for the helper.
        der: Vec<u8>,
        /// The statuses.
        statuses: Vec<FineStatus>,
    },
    /// A preliminary or final pattern was chosen.
    Chosen {
        /// The document.
        document: Box<PatternDocument>,
        /// The pattern with all witnesses.
        pattern: Box<Pattern>,
        /// The round's verify key.
        verify_key: [u8; 32],
    },
    /// A unit answered the preliminary pattern.
    Answered {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// Lines of unit atoms that are too thin.
        lines: Vec<Vec<u32>>,
    },
    /// The helper holds the final pattern.
    HelperHolds {
        /// The round.
        round: u32,
    },
    /// A report was stored, not yet verified.
    Stored {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// Its content hash.
        content: [u8; 32],
    },
    /// Both sides verified the report; the region's share is stored beside this fact.
    Verified {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
    },
    /// The report does not count.
    Rejected {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
    },
    /// The helper opened the listed sums and released the keys.
    Opened {
        /// The round.
        round: u32,
        /// Unix time: the publication bears this day.
        at: i64,
        /// Opened sums, offsets added.
        sums: BTreeMap<CellIndex, u64>,
        /// Readable cells per unit in roster order.
        readable: Vec<BTreeMap<CellIndex, u64>>,
    },
    /// A release was written.
    Published {
        /// SHA-256 of its manifest.
        manifest: [u8; 32],
    },
    /// The round ended without a publication.
    Failed(Failure),
    /// A national pattern was agreed to: from now on the county publishes under it and no other, whatever happens.
    Agreed {
        /// The pattern's bytes.
        pattern: Vec<u8>,
        /// The third coordinator's public key.
        third: [u8; 32],
    },
    /// Before a unit declares for a second version: its cells whose figure is another than in the first.
    Changed {
        /// The unit.
        unit: Unit,
        /// The cells.
        changed: BTreeSet<CellIndex>,
    },
    /// [`Fact::Chosen`] of a second version.
    ChosenAgain {
        /// The document.
        document: Box<PatternDocument>,
        /// The pattern with what of its evidence speaks of this version alone.
        pattern: Box<Pattern>,
        /// Evidence over both versions, per unit of the roster.
        joints: Vec<Vec<Joint>>,
        /// The round's verify key.
        verify_key: [u8; 32],
    },
}

/// Why a round ended without a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// Too few kommuner delivered.
    #[error("{kommuner} kommuner delivered; the collection asks for at least {least}")]
    RosterTooSmall {
        /// How many there were.
        kommuner: usize,
        /// How many there must be.
        least: usize,
    },
    /// The audit did not certify.
    #[error("the audit found something; nothing was written")]
    Audit,
    /// The helper refused to open.
    #[error("the helper refused: {0}")]
    Helper(String),
    /// A kommun's readable cells contradict what it declared.
    #[error("{0} delivered figures that contradict its own statuses")]
    Unit(Unit),
    /// No pattern protects the cells.
    #[error("no pattern could be chosen: {0}")]
    Pattern(String),
    /// An extension lacks somebody of the version it extends, or somebody has other figures now.
    #[error(
        "an extension needs every kommun of the version it extends, with the same figures; missing: {}; others now, or not known: {}",
        listed(missing),
        listed(changed)
    )]
    Extension {
        /// Who did not declare or deliver.
        missing: Vec<Unit>,
        /// Whose figures are others, or who has lost what it sent.
        changed: Vec<Unit>,
    },
}

fn listed(units: &[Unit]) -> String {
    match units {
        [] => "nobody".into(),
        units => units.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// What reaches a region. Units and certificates come from the connection, never from a message (DOOR-1).
#[derive(Clone)]
pub enum Event {
    /// The operator starts the collection.
    Announce,
    /// A node declares.
    Declare {
        /// From the certificate.
        unit: Unit,
        /// Names its key.
        certificate: [u8; 32],
        /// The certificate.
        der: Vec<u8>,
        /// The message.
        declaration: Declaration,
    },
    /// A node that submitted to the version that is corrected says which cells' figures are others now.
    Change {
        /// From the certificate.
        unit: Unit,
        /// The cells.
        changed: BTreeSet<CellIndex>,
    },
    /// It is time to choose the pattern: a fresh verify key and the helper's key id.
    Choose {
        /// Fresh and random.
        verify_key: [u8; 32],
        /// Id of the helper's HPKE key.
        helper_key_id: [u8; 32],
    },
    /// A node answers the preliminary pattern.
    Answer {
        /// From the certificate.
        unit: Unit,
        /// The pattern it answers.
        pattern: [u8; 32],
        /// The lines.
        lines: Vec<Vec<u32>>,
    },
    /// It is time for the final pattern.
    Finalise,
    /// The helper took the pattern.
    HelperHolds(u32),
    /// A node's report arrived whole.
    Submit {
        /// From the certificate.
        unit: Unit,
        /// Names its key.
        certificate: [u8; 32],
        /// The round it was made for.
        round: u32,
        /// Its content hash.
        content: [u8; 32],
    },
    /// The exchange with the helper ended.
    Checked {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// Whether it counts.
        accepted: bool,
    },
    /// The deadline passed: go on without those who are missing.
    DropMissing,
    /// The helper opened.
    Opened {
        /// The round.
        round: u32,
        /// Opened sums, offsets added.
        sums: BTreeMap<CellIndex, u64>,
        /// Readable cells per unit in roster order.
        readable: Vec<BTreeMap<CellIndex, u64>>,
    },
    /// The county agreed to a national pattern and is about to deliver under it.
    Agreed {
        /// The pattern's bytes.
        pattern: Vec<u8>,
        /// The third coordinator's public key.
        third: [u8; 32],
    },
    /// The release was written.
    Published([u8; 32]),
    /// The round cannot go on.
    Fail(Failure),
}

/// What a region should do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// Choose the (preliminary) pattern.
    Choose,
    /// Choose the final pattern.
    Finalise,
    /// Hand the final pattern to the helper.
    HandPattern,
    /// Verify a report with the helper.
    Check(Unit),
    /// Go on without those who are missing.
    DropMissing,
    /// Ask the helper to open.
    Close,
    /// Audit and publish.
    Certify,
}

/// Where a round stands, for screens and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not announced.
    Waiting,
    /// Phase 2.
    Declare,
    /// Phases 3 and 3b.
    Pattern,
    /// Phase 4.
    Submit,
    /// Phase 5.
    Close,
    /// Phase 6.
    Certify,
    /// Phase 7, over.
    Published,
    /// Over without a publication.
    Failed,
}

impl Phase {
    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Published | Self::Failed)
    }
}
