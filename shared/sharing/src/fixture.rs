//! One node, one region and one helper for tests.

use crate::binding::{Binding, Tier};
use crate::helper_key::HelperKeyPair;
use crate::output::OutputShare;
use crate::params::VectorParameters;
use crate::report::Report;
use crate::shard::{Contents, shard};
use crate::verify::{HelperAccepted, HelperVerifier, RegionVerifier, Rejected, VerifyKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) const READABLE: &[u8] = b"readable cells";
pub(crate) const TAGS: &[u8] = b"sixteen byte tag";

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn parameters(lengths: &[u32]) -> VectorParameters {
    VectorParameters::from_lengths(lengths).unwrap()
}

pub(crate) fn helper_keys() -> HelperKeyPair {
    HelperKeyPair::derive(&[42; 32]).unwrap()
}

pub(crate) fn binding() -> Binding {
    Binding {
        collection_id: "orosanmalan".into(),
        collection_version: 1,
        collection_hash: [1; 32],
        round: 1,
        tier: Tier::Region,
        unit: "2180".into(),
        certificate: [2; 32],
        helper_key_id: helper_keys().public().id(),
        roster_hash: [3; 32],
        pattern_hash: [4; 32],
    }
}

/// The fixture's binding with one field changed, one by one.
pub(crate) fn every_other_binding() -> Vec<(&'static str, Binding)> {
    let changed = |change: fn(&mut Binding)| {
        let mut other = binding();
        change(&mut other);
        other
    };
    vec![
        ("collection_id", changed(|b| b.collection_id.push('x'))),
        ("collection_version", changed(|b| b.collection_version += 1)),
        ("collection_hash", changed(|b| b.collection_hash[31] ^= 1)),
        ("round", changed(|b| b.round += 1)),
        ("tier", changed(|b| b.tier = Tier::National)),
        ("unit", changed(|b| b.unit = "2181".into())),
        ("certificate", changed(|b| b.certificate[0] ^= 1)),
        ("helper_key_id", changed(|b| b.helper_key_id[0] ^= 1)),
        ("roster_hash", changed(|b| b.roster_hash[0] ^= 1)),
        ("pattern_hash", changed(|b| b.pattern_hash[31] ^= 128)),
    ]
}

/// Everyone who takes part in one report.
pub(crate) struct Party {
    pub(crate) parameters: VectorParameters,
    pub(crate) binding: Binding,
    pub(crate) helper: HelperKeyPair,
}

impl Party {
    pub(crate) fn new(lengths: &[u32]) -> Self {
        Self { parameters: parameters(lengths), binding: binding(), helper: helper_keys() }
    }

    pub(crate) fn report(&self, measurements: &[Vec<u32>]) -> Report {
        let contents = Contents { measurements, readable: READABLE, tags: TAGS };
        let key = self.helper.public();
        shard(&self.parameters, &self.binding, [5; 16], contents, key, &mut rng(6)).unwrap()
    }

    pub(crate) fn region(&self) -> RegionVerifier {
        RegionVerifier::new(self.parameters.clone(), &self.binding, VerifyKey::from_bytes([9; 32]))
    }

    pub(crate) fn helper(&self) -> HelperVerifier {
        let key = VerifyKey::from_bytes([9; 32]);
        HelperVerifier::new(self.parameters.clone(), &self.binding, key, self.helper.clone())
    }

    /// The whole verification: the region's share, the helper's share, what the helper accepted.
    pub(crate) fn accept(
        &self,
        report: &Report,
    ) -> Result<(OutputShare, OutputShare, HelperAccepted), Rejected> {
        let region = self.region();
        let (state, message) = region.begin(report)?;
        let (accepted, answer) = self.helper().respond(&report.helper_part(), &message)?;
        let ours = region.finish(state, &answer)?;
        Ok((ours, accepted.output_share.clone(), accepted))
    }
}
