//! The documents of a round: what a collection reference, a roster and a pattern are, and their hashes.
//!
//! Encoded with postcard, whose encoding of these types is canonical (integers as varints, maps and sets in order), so
//! equal documents have equal bytes and hashes (SAME-1). Holds no count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use suppress::correction::Joint;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::figures::{Pattern, Witness};
use tables::system::CellIndex;
use tables::unit::{KommunKod, Unit};

use crate::merkle;

/// Names a collection by content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CollectionRef {
    /// Id.
    pub id: String,
    /// Version.
    pub version: u32,
    /// SHA-256 of the document.
    pub hash: [u8; 32],
}

impl CollectionRef {
    /// The reference of a collection.
    pub fn of(collection: &Collection) -> Self {
        Self { id: collection.id.clone(), version: collection.version, hash: collection.hash }
    }
}

/// Which tier a round belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Kommuner to their region.
    Region,
    /// Counties to the national body.
    National,
}

impl From<Tier> for sharing::binding::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Region => Self::Region,
            Tier::National => Self::National,
        }
    }
}

/// Phase 2: a kommun's statuses, no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The collection it answers.
    pub collection: CollectionRef,
    /// The tier.
    pub tier: Tier,
    /// One status per unit atom.
    pub statuses: Vec<FineStatus>,
}

/// One line of a roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// The unit.
    pub unit: Unit,
    /// Names the key of the certificate it declared with.
    pub certificate: [u8; 32],
}

/// Whether nodes may still ask for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Phase 3: nodes answer with the lines that are too thin, or with none.
    Preliminary,
    /// Phase 3b is over: nodes submit under this one.
    Final,
}

/// Phase 3: the pattern as it is signed and shown to everyone in the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternDocument {
    /// The collection.
    pub collection: CollectionRef,
    /// Number of the round, from 1; a roster that shrank has a new number.
    pub round: u32,
    /// The tier.
    pub tier: Tier,
    /// Preliminary or final.
    pub stage: Stage,
    /// Units in ascending order.
    pub roster: Vec<RosterEntry>,
    /// Per unit of the roster: printed cells withheld.
    pub withheld: Vec<BTreeSet<CellIndex>>,
    /// Totals that may be opened: 0/1 sums of whole cells over the whole roster, nothing else can be named.
    pub open: BTreeSet<CellIndex>,
    /// Totals that stay closed.
    pub closed: BTreeSet<CellIndex>,
    /// Merkle root over the units' witnesses.
    pub witness_root: [u8; 32],
    /// Id of the helper's HPKE key.
    pub helper_key_id: [u8; 32],
    /// Reports are taken until this second (Unix time).
    pub submit_until: i64,
}

impl PatternDocument {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a document.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let document: Self = postcard::from_bytes(bytes).ok()?;
        (document.encode() == bytes).then_some(document)
    }

    /// SHA-256 of the document.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"samman/v1 pattern\0").chain_update(self.encode()).finalize().into()
    }

    /// SHA-256 of the roster.
    pub fn roster_hash(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"samman/v1 roster\0").chain_update(encode(&self.roster)).finalize().into()
    }

    /// The units in order.
    pub fn units(&self) -> Vec<Unit> {
        self.roster.iter().map(|entry| entry.unit.clone()).collect()
    }

    /// The distinct kommuner.
    pub fn kommuner(&self) -> BTreeSet<KommunKod> {
        self.roster.iter().map(|entry| entry.unit.kommun()).collect()
    }

    /// A unit's place in the roster.
    pub fn place(&self, unit: &Unit) -> Option<usize> {
        self.roster.iter().position(|entry| entry.unit == *unit)
    }

    /// The pattern without its witnesses, as `suppress` takes it.
    pub fn pattern(&self, witnesses: Vec<Witness>) -> Pattern {
        Pattern {
            withheld: self.withheld.clone(),
            open: self.open.clone(),
            closed: self.closed.clone(),
            witnesses,
        }
    }
}

/// The witnesses of each unit in canonical bytes: the leaves of the tree.
pub fn witness_leaves(pattern: &Pattern, units: usize) -> Vec<Vec<u8>> {
    let own = |unit: usize| {
        let own: Vec<&Witness> = pattern.witnesses.iter().filter(|w| w.unit as usize == unit).collect();
        encode(&own)
    };
    (0..units).map(own).collect()
}

/// The same of a second version.
pub fn joint_leaves(joints: &[Vec<Joint>]) -> Vec<Vec<u8>> {
    joints.iter().map(encode).collect()
}

/// The root that a document commits to.
pub fn witness_root(pattern: &Pattern, units: usize) -> [u8; 32] {
    merkle::root(&witness_leaves(pattern, units))
}

/// Postcard of a type whose encoding cannot fail: no maps with unknown length, no foreign serialisers.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // infallible: every type of this crate has a known length and an allocating target has no size limit
    postcard::to_allocvec(value).unwrap_or_default()
}
