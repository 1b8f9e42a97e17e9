//! The node's answer to whether a certificate hangs under the root: its gate, asked at one instant.

use std::sync::Arc;

use daemon::gate::Gate;
use daemon::identity::Role;
use jiff::Timestamp;
use round::chain::{Certified, Chain};
use sharing::signing::VerifyingKey;

/// A gate at an instant.
pub struct GateChain {
    gate: Arc<Gate>,
    now: Timestamp,
}

impl GateChain {
    /// The gate as it judges at `now`.
    pub fn new(gate: Arc<Gate>, now: Timestamp) -> Self {
        Self { gate, now }
    }
}

impl Chain for GateChain {
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        let peer = self.gate.admit_der(certificate, &[Role::Region, Role::National], self.now).ok()?;
        Some(Certified {
            role: peer.identity.role().word(),
            unit: peer.identity.unit().to_owned(),
            fingerprint: peer.key_id(),
            key: VerifyingKey(peer.public_key),
        })
    }
}
