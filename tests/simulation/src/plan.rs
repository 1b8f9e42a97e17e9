//! What goes wrong in one schedule.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tables::unit::Unit;

use crate::federation::{Federation, below};
use crate::liar::Lie;
use crate::message::PartyId;

/// Seconds of an hour.
pub const HOUR: i64 = 3600;
/// Faults begin within this time; a quiet round is over soon after.
pub const BUSY: i64 = 5 * HOUR;

/// One thing that goes wrong. Times are seconds since the announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The party's `commit`-th durable write fails and leaves nothing, or is durable and yet not reported (`after`);
    /// the process ends and starts again from its disk.
    Crash {
        /// Who.
        party: PartyId,
        /// Which write, from 1.
        commit: u64,
        /// Whether the write is durable.
        after: bool,
    },
    /// The process is killed between two events.
    Kill {
        /// Who.
        party: PartyId,
        /// When.
        at: i64,
    },
    /// The disk is full for a while.
    Full {
        /// Whose.
        party: PartyId,
        /// From when.
        from: i64,
        /// Until when.
        until: i64,
    },
    /// The clock jumps.
    Jump {
        /// Whose.
        party: PartyId,
        /// When.
        at: i64,
        /// By how much, either way.
        seconds: i64,
    },
    /// Nobody reaches the node and it reaches nobody.
    Away {
        /// Who.
        unit: Unit,
        /// From when.
        from: i64,
        /// Until when.
        until: i64,
    },
    /// A byte of the node's report is changed: by the node, which signs the changed report, or once, on its way.
    Tampered {
        /// Whose.
        unit: Unit,
        /// Which byte, in thousandths of the report's length.
        place: usize,
        /// Whether the node does it.
        by_node: bool,
    },
    /// The first reply to a kind of request is lost.
    LostReply {
        /// Who waits for it.
        to: PartyId,
        /// The request's name.
        request: &'static str,
    },
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Seed of every delay and loss.
    pub seed: u64,
    /// Messages lost, percent.
    pub lost: u64,
    /// Messages delivered twice, percent.
    pub doubled: u64,
    /// Messages so slow that the sender has given up waiting, percent.
    pub slow: u64,
    /// What else goes wrong.
    pub faults: Vec<Fault>,
    /// What one party says that is not so.
    pub lie: Option<Lie>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn quiet(seed: u64) -> Self {
        Self { seed, lost: 0, doubled: 0, slow: 0, faults: Vec::new(), lie: None }
    }

    /// Only these go wrong.
    pub fn only(seed: u64, faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::quiet(seed) }
    }

    /// Anything may go wrong.
    pub fn random(federation: &Federation, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let rng = &mut rng;
        let lost = [0, 5, 20][below(rng, 3) as usize];
        let (doubled, slow) = (below(rng, 25), below(rng, 10));
        let faults = (0..below(rng, 7)).map(|_| fault(federation, rng)).collect();
        Self { seed, lost, doubled, slow, faults, lie: None }
    }

    /// The same, and one party lies.
    pub fn with(self, lie: Lie) -> Self {
        Self { lie: Some(lie), ..self }
    }

    /// Units that the schedule does not keep from delivering: each must be in the final roster.
    pub fn untouched<'a>(&'a self, units: &'a [Unit]) -> impl Iterator<Item = &'a Unit> {
        let touched = |unit: &Unit| {
            self.faults.iter().any(|fault| match fault {
                Fault::Away { unit: other, .. } | Fault::Tampered { unit: other, .. } => other == unit,
                _ => false,
            })
        };
        units.iter().filter(move |unit| !touched(unit))
    }

    /// Whether the unit changes its own report.
    pub fn lies(&self, unit: &Unit) -> bool {
        let lies =
            |fault: &Fault| matches!(fault, Fault::Tampered { unit: u, by_node: true, .. } if u == unit);
        self.faults.iter().any(lies)
    }
}

fn any_unit(federation: &Federation, rng: &mut ChaCha20Rng) -> Unit {
    let units = &federation.collection.units;
    units[below(rng, units.len() as u64) as usize].clone()
}

/// Region and helper as often as all nodes together.
fn any_party(federation: &Federation, rng: &mut ChaCha20Rng) -> PartyId {
    match below(rng, 4) {
        0 => PartyId::Region,
        1 => PartyId::Helper,
        _ => PartyId::Node(any_unit(federation, rng)),
    }
}

fn time(rng: &mut ChaCha20Rng, bound: i64) -> i64 {
    below(rng, bound.unsigned_abs()) as i64
}

fn fault(federation: &Federation, rng: &mut ChaCha20Rng) -> Fault {
    let party = any_party(federation, rng);
    let from = time(rng, BUSY);
    match below(rng, 16) {
        0..6 => {
            // No party writes much more often than this in a quiet round; see tests/failpoints.rs.
            let writes = match party {
                PartyId::Region => 40,
                _ => 12,
            };
            Fault::Crash { party, commit: 1 + below(rng, writes), after: below(rng, 2) == 0 }
        }
        6..8 => Fault::Kill { party, at: from },
        8..11 => Fault::Full { party, from, until: from + time(rng, HOUR) },
        11..13 => Fault::Jump { party, at: from, seconds: time(rng, 2 * HOUR) - HOUR },
        13..15 => Fault::Away { unit: any_unit(federation, rng), from, until: from + time(rng, 16 * HOUR) },
        _ => Fault::Tampered {
            unit: any_unit(federation, rng),
            place: below(rng, 1000) as usize,
            by_node: below(rng, 2) == 0,
        },
    }
}
