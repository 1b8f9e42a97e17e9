//! Region and helper check one report together, in one round trip (draft-irtf-cfrg-vdaf-18, section 5.2 and
//! 5.7.1).
//!
//! Region [`begins`](RegionVerifier::begin), helper [`responds`](HelperVerifier::respond), region
//! [`finishes`](RegionVerifier::finish). Both then hold an [`OutputShare`] of a report whose every entry is a
//! `u32` (TRUE-1): a kommun that sends nonsense is refused and poisons nothing.
//!
//! It does not check the node's signature or certificate (the caller does, over the content hash), nor
//! whether a report was seen before. **What the caller must keep to:** the helper stores its answer durably
//! before it sends it and answers any further request for the same unit and round with the stored answer
//! only. Answering changed messages about one report again and again would let a curious region guess at the
//! helper's share. The verify key is known to region and helper only, one per round: a node that knew it
//! could forge proofs.
//!
//! Every step is deterministic: after a crash, the region begins again from the stored report. Robustness
//! holds against nodes; neither side protects the *result* against the other, privacy holds against either.

use crate::binding::{Binding, BindingHash, block_nonce};
use crate::bytes::{DecodeError, Reader};
use crate::helper_key::{HelperKeyPair, SealPurpose};
use crate::output::{OutputShare, Side};
use crate::params::{BlockScheme, HELPER_SHARE_BYTES, PUBLIC_SHARE_BYTES, SEED_BYTES, VectorParameters};
use crate::readable::ReadableKey;
use crate::report::{ContentHash, HelperPart, HelperSecret, Report};
use prio::codec::{Encode, ParameterizedDecode};
use prio::field::Field128;
use prio::vdaf::prio3::{
    Prio3InputShare, Prio3PublicShare, Prio3VerifierMessage, Prio3VerifierShare, Prio3VerifyState,
};
use prio::vdaf::{Aggregator, VerifyTransition};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

const REGION_MAGIC: &[u8; 8] = b"SAMMANv1";
const HELPER_MAGIC: &[u8; 8] = b"SAMMANa1";

type State = Prio3VerifyState<Field128, SEED_BYTES>;
type VerifierShare = Prio3VerifierShare<Field128, SEED_BYTES>;

/// The key from which the proof's queries are drawn. Shared by region and helper, fresh per round, unknown to
/// nodes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct VerifyKey([u8; 32]);

impl VerifyKey {
    /// From agreed bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh key. One side makes it and tells the other, before the first report of the round.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for the other side and the stores of both.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyKey(..)")
    }
}

/// Why a report does not count. All that anyone is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// Bytes that are no such message, or shares that are no field elements.
    Malformed,
    /// Made for another collection, round, tier, unit, certificate, key, roster or pattern, or about another
    /// report.
    WrongBinding,
    /// The helper's seal does not open over what came with it.
    SealBroken,
    /// An entry out of range, an altered share, or a false message of the other side.
    ProofFailed,
    /// Another draft, bit width or number of blocks.
    UnsupportedParameters,
}

/// A refusal: a value, since refusing is an ordinary outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rejected(RejectReason);

impl Rejected {
    /// The reason.
    pub fn reason(self) -> RejectReason {
        self.0
    }
}

impl From<RejectReason> for Rejected {
    fn from(reason: RejectReason) -> Self {
        Self(reason)
    }
}

impl From<DecodeError> for Rejected {
    fn from(error: DecodeError) -> Self {
        Self(match error {
            DecodeError::UnsupportedParameters => RejectReason::UnsupportedParameters,
            _ => RejectReason::Malformed,
        })
    }
}

/// What both sides need to know of a round and a unit.
#[derive(Debug, Clone)]
struct Common {
    parameters: VectorParameters,
    binding: BindingHash,
    key: VerifyKey,
}

impl Common {
    /// Runs `verify_init` of every block.
    fn init(
        &self,
        side: Side,
        nonce: &[u8; 16],
        public_shares: &[u8],
        input_shares: &[u8],
    ) -> Result<(Vec<State>, Vec<VerifierShare>), Rejected> {
        let (mut public, mut inputs) = (Reader::new(public_shares), Reader::new(input_shares));
        let mut states = Vec::with_capacity(self.parameters.blocks().len());
        let mut shares = Vec::with_capacity(self.parameters.blocks().len());
        for (block, scheme) in self.parameters.schemes().iter().enumerate() {
            let size = match side {
                Side::Region => scheme.region_share_bytes,
                Side::Helper => HELPER_SHARE_BYTES,
            };
            let (public, input) = (public.take(PUBLIC_SHARE_BYTES)?, inputs.take(size)?);
            let (state, share) =
                self.init_block(scheme, side, &block_nonce(nonce, block), (public, input))?;
            states.push(state);
            shares.push(share);
        }
        public.finish()?;
        inputs.finish()?;
        Ok((states, shares))
    }

    fn init_block(
        &self,
        scheme: &BlockScheme,
        side: Side,
        nonce: &[u8; 16],
        (public, input): (&[u8], &[u8]),
    ) -> Result<(State, VerifierShare), Rejected> {
        let malformed = |_| RejectReason::Malformed;
        let public = Prio3PublicShare::get_decoded_with_param(&scheme.vdaf, public).map_err(malformed)?;
        let decoding = (&scheme.vdaf, side.aggregator());
        let input = Prio3InputShare::get_decoded_with_param(&decoding, input).map_err(malformed)?;
        scheme
            .vdaf
            .verify_init(&self.key.0, &self.binding.0, side.aggregator(), &(), nonce, &public, &input)
            .map_err(|_| RejectReason::ProofFailed.into())
    }

    /// Runs the last step of one block.
    fn finish_block(
        &self,
        scheme: &BlockScheme,
        state: State,
        message: Prio3VerifierMessage<SEED_BYTES>,
    ) -> Result<Vec<Field128>, Rejected> {
        match scheme.vdaf.verify_next(&self.binding.0, state, message) {
            Ok(VerifyTransition::Finish(share)) => Ok(share.as_ref().to_vec()),
            // Prio3 has one round; a second would be another protocol.
            Ok(VerifyTransition::Continue(..)) | Err(_) => Err(RejectReason::ProofFailed.into()),
        }
    }

    fn put_header(&self, magic: &[u8; 8], report: ContentHash) -> Vec<u8> {
        let mut out = Vec::new();
        self.parameters.put_header(magic, &mut out);
        out.extend_from_slice(&report.0);
        out
    }

    fn read_header(
        &self,
        magic: &[u8; 8],
        report: ContentHash,
        reader: &mut Reader<'_>,
    ) -> Result<(), Rejected> {
        self.parameters.read_header(magic, reader)?;
        if reader.array()? == report.0 { Ok(()) } else { Err(RejectReason::WrongBinding.into()) }
    }
}

/// The region's side.
#[derive(Debug, Clone)]
pub struct RegionVerifier(Common);

/// What the region remembers between its two steps. Never leaves it; can be computed again from the report.
pub struct RegionState {
    report: ContentHash,
    states: Vec<State>,
}

impl std::fmt::Debug for RegionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegionState").field("report", &self.report).finish_non_exhaustive()
    }
}

impl RegionVerifier {
    /// A verifier of the report that `binding` describes.
    pub fn new(parameters: VectorParameters, binding: &Binding, key: VerifyKey) -> Self {
        let binding = binding.hash(&parameters);
        Self(Common { parameters, binding, key })
    }

    /// Begins; the bytes go to the helper with [`Report::helper_part`].
    ///
    /// # Errors
    /// [`Rejected`]: the report does not count.
    pub fn begin(&self, report: &Report) -> Result<(RegionState, Vec<u8>), Rejected> {
        if report.binding != self.0.binding {
            return Err(RejectReason::WrongBinding.into());
        }
        let (states, shares) =
            self.0.init(Side::Region, &report.nonce, &report.public_shares, &report.region_shares)?;
        let content = report.content_hash();
        let mut message = self.0.put_header(REGION_MAGIC, content);
        for share in shares {
            share.encode(&mut message).map_err(|_| RejectReason::Malformed)?;
        }
        Ok((RegionState { report: content, states }, message))
    }

    /// Finishes with the helper's answer.
    ///
    /// # Errors
    /// [`Rejected`]: the report does not count.
    pub fn finish(&self, state: RegionState, helper_message: &[u8]) -> Result<OutputShare, Rejected> {
        let mut reader = Reader::new(helper_message);
        self.0.read_header(HELPER_MAGIC, state.report, &mut reader)?;
        let mut blocks = Vec::with_capacity(state.states.len());
        for (scheme, state) in self.0.parameters.schemes().iter().zip(state.states) {
            let message = Prio3VerifierMessage::get_decoded_with_param(&state, reader.take(SEED_BYTES)?)
                .map_err(|_| RejectReason::Malformed)?;
            blocks.push(self.0.finish_block(scheme, state, message)?);
        }
        reader.finish()?;
        Ok(OutputShare::new(Side::Region, state.report, blocks))
    }
}

/// What the helper has of an accepted report. Store it before the answer is sent.
pub struct HelperAccepted {
    /// The helper's share.
    pub output_share: OutputShare,
    /// The key of the readable cells: released at close, or never.
    pub readable_key: ReadableKey,
    /// The ledger tags.
    pub tags: Vec<u8>,
}

impl std::fmt::Debug for HelperAccepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelperAccepted").field("report", &self.output_share.report()).finish_non_exhaustive()
    }
}

/// The helper's side.
#[derive(Debug, Clone)]
pub struct HelperVerifier {
    common: Common,
    keys: HelperKeyPair,
}

impl HelperVerifier {
    /// A verifier of the report that `binding` describes, as the *helper* knows the round: the pattern and
    /// roster hashes in it must be of what the helper itself holds.
    pub fn new(parameters: VectorParameters, binding: &Binding, key: VerifyKey, keys: HelperKeyPair) -> Self {
        let binding = binding.hash(&parameters);
        Self { common: Common { parameters, binding, key }, keys }
    }

    /// Checks the report against the region's message; the bytes are the answer to the region.
    ///
    /// # Errors
    /// [`Rejected`]: the report does not count.
    pub fn respond(
        &self,
        part: &HelperPart,
        region_message: &[u8],
    ) -> Result<(HelperAccepted, Vec<u8>), Rejected> {
        if part.binding != self.common.binding {
            return Err(RejectReason::WrongBinding.into());
        }
        let content = part.content_hash();
        let mut reader = Reader::new(region_message);
        self.common.read_header(REGION_MAGIC, content, &mut reader)?;
        let secret = self.unseal(part)?;
        let (states, shares) =
            self.common.init(Side::Helper, &part.nonce, &part.public_shares, &secret.shares)?;
        let mut answer = self.common.put_header(HELPER_MAGIC, content);
        let mut blocks = Vec::with_capacity(states.len());
        for ((scheme, state), share) in self.common.parameters.schemes().iter().zip(states).zip(shares) {
            let theirs = reader.take(scheme.verifier_share_bytes)?;
            let message = combine(scheme, self.common.binding, &state, theirs, share)?;
            message.encode(&mut answer).map_err(|_| RejectReason::Malformed)?;
            blocks.push(self.common.finish_block(scheme, state, message)?);
        }
        reader.finish()?;
        let output_share = OutputShare::new(Side::Helper, content, blocks);
        Ok((HelperAccepted { output_share, readable_key: secret.readable_key, tags: secret.tags }, answer))
    }

    fn unseal(&self, part: &HelperPart) -> Result<HelperSecret, Rejected> {
        let aad = part.commitments().aad();
        let plaintext = self
            .keys
            .open(SealPurpose::HelperPart, part.binding, &aad, &part.sealed)
            .map_err(|_| RejectReason::SealBroken)?;
        Ok(HelperSecret::decode(&self.common.parameters, &plaintext)?)
    }
}

/// Both sides' verifier shares of one block together: here an entry out of range is found.
fn combine(
    scheme: &BlockScheme,
    binding: BindingHash,
    state: &State,
    theirs: &[u8],
    ours: VerifierShare,
) -> Result<Prio3VerifierMessage<SEED_BYTES>, Rejected> {
    let theirs = VerifierShare::get_decoded_with_param(state, theirs).map_err(|_| RejectReason::Malformed)?;
    scheme
        .vdaf
        .verifier_shares_to_message(&binding.0, &(), [theirs, ours])
        .map_err(|_| RejectReason::ProofFailed.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Party;
    use proptest::prelude::*;

    #[test]
    fn both_sides_accept_an_honest_report_and_the_shares_add_up_to_it() {
        let party = Party::new(&[3, 1]);
        let entries = [vec![0, 5, u32::MAX], vec![17]];
        let (region, helper, accepted) = party.accept(&party.report(&entries)).unwrap();
        for ((ours, theirs), entries) in region.blocks().iter().zip(helper.blocks()).zip(&entries) {
            let sums: Vec<u128> = ours.iter().zip(theirs).map(|(a, b)| u128::from(*a + *b)).collect();
            assert_eq!(sums, entries.iter().map(|entry| u128::from(*entry)).collect::<Vec<_>>());
        }
        assert_eq!(accepted.tags, crate::fixture::TAGS);
        assert_eq!(region.report(), helper.report());
    }

    #[test]
    fn beginning_and_responding_again_gives_the_same_messages() {
        let party = Party::new(&[2]);
        let report = party.report(&[vec![1, 2]]);
        let (_, first) = party.region().begin(&report).unwrap();
        let (_, second) = party.region().begin(&report).unwrap();
        assert_eq!(first, second);
        let respond = || party.helper().respond(&report.helper_part(), &first).unwrap().1;
        assert_eq!(respond(), respond());
    }

    #[test]
    fn another_verify_key_on_one_side_fails() {
        let party = Party::new(&[2]);
        let report = party.report(&[vec![1, 2]]);
        let other =
            RegionVerifier::new(party.parameters.clone(), &party.binding, VerifyKey::from_bytes([1; 32]));
        let (_, message) = other.begin(&report).unwrap();
        let rejected = party.helper().respond(&report.helper_part(), &message).unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::ProofFailed);
    }

    #[test]
    fn messages_about_another_report_are_refused() {
        let party = Party::new(&[1]);
        let (one, two) = (party.report(&[vec![1]]), party.report(&[vec![1]]));
        let (state, message) = party.region().begin(&one).unwrap();
        let (_, other_message) = party.region().begin(&two).unwrap();
        let rejected = party.helper().respond(&one.helper_part(), &other_message).unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::WrongBinding);
        let (_, other_answer) = party.helper().respond(&two.helper_part(), &other_message).unwrap();
        assert_eq!(
            party.region().finish(state, &other_answer).unwrap_err().reason(),
            RejectReason::WrongBinding
        );
        assert!(party.helper().respond(&one.helper_part(), &message).is_ok());
    }

    #[test]
    fn longer_and_shorter_messages_are_malformed() {
        let party = Party::new(&[1]);
        let report = party.report(&[vec![1]]);
        let (_, message) = party.region().begin(&report).unwrap();
        let (_, answer) = party.helper().respond(&report.helper_part(), &message).unwrap();
        let longer = |bytes: &[u8]| [bytes, &[0]].concat();
        for bytes in [longer(&message), message[..message.len() - 1].to_vec()] {
            let rejected = party.helper().respond(&report.helper_part(), &bytes).unwrap_err();
            assert_eq!(rejected.reason(), RejectReason::Malformed);
        }
        for bytes in [longer(&answer), answer[..answer.len() - 1].to_vec()] {
            let (state, _) = party.region().begin(&report).unwrap();
            let rejected = party.region().finish(state, &bytes).unwrap_err();
            assert_eq!(rejected.reason(), RejectReason::Malformed);
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let party = Party::new(&[1]);
        let report = party.report(&[vec![1]]);
        let (state, message) = party.region().begin(&report).unwrap();
        let (accepted, _) = party.helper().respond(&report.helper_part(), &message).unwrap();
        let shown = format!("{state:?} {accepted:?} {:?}", VerifyKey::from_bytes([200; 32]));
        assert!(!shown.contains("200, 200"));
        assert!(shown.len() < 1_000, "only the content hash may be shown: {shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_flipped_bit_of_the_regions_message_is_rejected(bit in any::<prop::sample::Index>()) {
            let party = Party::new(&[1, 2]);
            let report = party.report(&[vec![1], vec![2, 3]]);
            let (_, mut message) = party.region().begin(&report).unwrap();
            flip(&mut message, bit);
            prop_assert!(party.helper().respond(&report.helper_part(), &message).is_err());
        }

        #[test]
        fn any_flipped_bit_of_the_helpers_message_is_rejected(bit in any::<prop::sample::Index>()) {
            let party = Party::new(&[1, 2]);
            let report = party.report(&[vec![1], vec![2, 3]]);
            let (state, message) = party.region().begin(&report).unwrap();
            let (_, mut answer) = party.helper().respond(&report.helper_part(), &message).unwrap();
            flip(&mut answer, bit);
            prop_assert!(party.region().finish(state, &answer).is_err());
        }

        #[test]
        fn arbitrary_messages_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let party = Party::new(&[1]);
            let report = party.report(&[vec![1]]);
            let (state, message) = party.region().begin(&report).unwrap();
            // Past the header, so that the proof's own decoding is reached.
            let mut forged = message[..crate::params::HEADER_BYTES + 32].to_vec();
            forged.extend_from_slice(&bytes);
            prop_assert!(party.helper().respond(&report.helper_part(), &forged).is_err());
            prop_assert!(party.helper().respond(&report.helper_part(), &bytes).is_err());
            prop_assert!(party.region().finish(state, &bytes).is_err());
        }
    }

    fn flip(bytes: &mut [u8], bit: prop::sample::Index) {
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}
