//! What parties say to each other, as domain values: wire encoding, TLS and gRPC are tested where they live.

use std::collections::BTreeSet;

use round::document::{Declaration, PatternDocument};
use round::helper::HandedPattern;
use round::merkle::Proof;
use round::region::Phase;
use tables::system::CellIndex;
use tables::unit::Unit;

/// A party.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartyId {
    /// Who announces.
    Operator,
    /// The region.
    Region,
    /// The helper.
    Helper,
    /// A kommun.
    Node(Unit),
}

impl std::fmt::Display for PartyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Region => f.write_str("region"),
            Self::Helper => f.write_str("helper"),
            Self::Node(unit) => write!(f, "node {unit}"),
        }
    }
}

/// A question. Who asks is known from the connection, never from the message (DOOR-1).
#[derive(Clone)]
pub enum Request {
    /// Operator to region: start the collection.
    Announce,
    /// Node to region: which collections invite me?
    Collections,
    /// Node to region, phase 2; for a second version beside what changed.
    Declare(Declaration, Option<BTreeSet<CellIndex>>),
    /// Node to region, phase 3: the pattern, if it is another than this.
    Pattern {
        /// Hash of the pattern the node has.
        known: Option<[u8; 32]>,
    },
    /// Node to region, phase 3b.
    Answer {
        /// The round it answers.
        round: u32,
        /// The pattern it answers.
        pattern: [u8; 32],
        /// Thin lines.
        lines: Vec<Vec<u32>>,
    },
    /// Node to region, phase 4.
    Submit {
        /// The round.
        round: u32,
        /// The report.
        bytes: Vec<u8>,
        /// The node's signature over its content hash.
        signature: Vec<u8>,
    },
    /// Region to helper.
    PutCollection,
    /// Region to helper.
    PutPattern(Box<HandedPattern>),
    /// Region to helper.
    Verify {
        /// The round.
        round: u32,
        /// The unit.
        unit: Unit,
        /// The helper's part of the report.
        part: Vec<u8>,
        /// The region's verification message.
        message: Vec<u8>,
        /// The node's signature.
        signature: Vec<u8>,
    },
    /// Region to helper, phase 5.
    Close {
        /// The round.
        round: u32,
        /// The pattern.
        pattern: [u8; 32],
        /// The final roster.
        roster: Vec<Unit>,
    },
}

impl Request {
    /// For traces. Never content.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Announce => "Announce",
            Self::Collections => "Collections",
            Self::Declare(..) => "Declare",
            Self::Pattern { .. } => "Pattern",
            Self::Answer { .. } => "Answer",
            Self::Submit { .. } => "Submit",
            Self::PutCollection => "PutCollection",
            Self::PutPattern(_) => "PutPattern",
            Self::Verify { .. } => "Verify",
            Self::Close { .. } => "Close",
        }
    }
}

/// A pattern as a node is shown it.
#[derive(Clone)]
pub struct ShownPattern {
    /// The document.
    pub document: PatternDocument,
    /// The node's own witnesses.
    pub witnesses: Vec<u8>,
    /// Their place in the tree.
    pub proof: Proof,
    /// Of a second version: the pattern that the first was published under.
    pub first: Option<PatternDocument>,
}

/// What the helper opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Opened shares in the pattern's order.
    pub shares: Vec<Vec<u8>>,
    /// Keys of the readable cells in roster order.
    pub readable_keys: Vec<[u8; 32]>,
    /// What is countersigned.
    pub digest: [u8; 32],
}

/// An answer.
#[derive(Clone)]
pub enum Reply {
    /// Taken, durably.
    Done,
    /// Whether there is a collection.
    Collections(bool),
    /// A pattern if it is news, and where the round stands.
    Pattern(Option<Box<ShownPattern>>, Phase),
    /// The helper's answer; `None` when the report does not count.
    Verified(Option<Vec<u8>>),
    /// Opened sums.
    Opened(Opened),
    /// No, for good.
    Refused(String),
    /// Not now.
    Unavailable,
}

impl Reply {
    /// For traces. Never content.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Collections(_) => "Collections",
            Self::Pattern(None, _) => "no news",
            Self::Pattern(Some(_), _) => "a pattern",
            Self::Verified(Some(_)) => "accepted",
            Self::Verified(None) => "rejected",
            Self::Opened(_) => "opened",
            Self::Refused(_) => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}
