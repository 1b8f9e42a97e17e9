//! The adversaries of one report: a kommun that sends nonsense, a peer that replays or alters, a curious
//! region.

use crate::fixture::{Party, binding, every_other_binding, helper_keys, parameters, rng};
use crate::params::VectorParameters;
use crate::report::{HelperPart, Report};
use crate::shard::{Contents, Shares, assemble, shard};
use crate::verify::{HelperVerifier, RegionVerifier, RejectReason, VerifyKey};
use prio::codec::Encode;
use prio::field::{Field128, FieldElement};
use prio::flp::gadgets::{Mul, ParallelSum};
use prio::flp::types::SumVec;
use prio::flp::{Flp, FlpError, Gadget, Type};
use prio::vdaf::Client;
use prio::vdaf::prio3::{Prio3, optimal_chunk_length};
use prio::vdaf::xof::XofTurboShake128;
use proptest::prelude::*;
use zeroize::Zeroizing;

type Honest = SumVec<Field128, ParallelSum<Field128, Mul>>;

/// A client that proves in all honesty, but about bits that are no bits. Same circuit, same shapes: only the
/// proof tells.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cheat(Honest);

impl Flp for Cheat {
    type Field = Field128;

    fn gadget(&self) -> Vec<Box<dyn Gadget<Field128>>> {
        self.0.gadget()
    }
    fn num_gadgets(&self) -> usize {
        self.0.num_gadgets()
    }
    fn valid(
        &self,
        gadgets: &mut Vec<Box<dyn Gadget<Field128>>>,
        input: &[Field128],
        joint_rand: &[Field128],
        num_shares: usize,
    ) -> Result<Vec<Field128>, FlpError> {
        self.0.valid(gadgets, input, joint_rand, num_shares)
    }
    fn input_len(&self) -> usize {
        self.0.input_len()
    }
    fn proof_len(&self) -> usize {
        self.0.proof_len()
    }
    fn verifier_len(&self) -> usize {
        self.0.verifier_len()
    }
    fn joint_rand_len(&self) -> usize {
        self.0.joint_rand_len()
    }
    fn eval_output_len(&self) -> usize {
        self.0.eval_output_len()
    }
    fn prove_rand_len(&self) -> usize {
        self.0.prove_rand_len()
    }
}

impl Type for Cheat {
    /// The field elements to put where the bits belong.
    type Measurement = Vec<u128>;
    type AggregateResult = Vec<u128>;

    fn encode_measurement(&self, measurement: &Vec<u128>) -> Result<Vec<Field128>, FlpError> {
        Ok(measurement.iter().map(|element| Field128::from(*element)).collect())
    }
    fn truncate(&self, input: Vec<Field128>) -> Result<Vec<Field128>, FlpError> {
        self.0.truncate(input)
    }
    fn decode_result(&self, data: &[Field128], reports: usize) -> Result<Vec<u128>, FlpError> {
        self.0.decode_result(data, reports)
    }
    fn output_len(&self) -> usize {
        self.0.output_len()
    }
}

/// A report of one entry whose "bits" are `bits`, sealed, hashed and proved as the protocol wants.
fn report_of_bits(party: &Party, bits: [u128; 32]) -> Report {
    let circuit = Honest::new(u128::from(u32::MAX), 1, optimal_chunk_length(32)).unwrap();
    let cheat: Prio3<Cheat, XofTurboShake128, 32> = Prio3::new(2, 1, 3, Cheat(circuit)).unwrap();
    let hash = party.binding.hash(&party.parameters);
    let nonce = [5; 16];
    let block_nonce = crate::binding::block_nonce(&nonce, 0);
    let (public, inputs) = cheat.shard(&hash.0, &bits.to_vec(), &block_nonce).unwrap();
    let shares = Shares {
        public: public.get_encoded().unwrap(),
        region: inputs[0].get_encoded().unwrap(),
        helper: Zeroizing::new(inputs[1].get_encoded().unwrap()),
    };
    let contents = Contents { measurements: &[], readable: b"", tags: b"" };
    assemble(hash, nonce, shares, contents, party.helper.public(), &mut rng(1)).unwrap()
}

#[test]
fn a_cheating_client_that_proves_true_bits_is_accepted() {
    // The control of the tests below: the cheat's machinery itself is not what is refused.
    let party = Party::new(&[1]);
    let mut bits = [0; 32];
    bits[0] = 1;
    bits[31] = 1;
    let (region, helper, _) = party.accept(&report_of_bits(&party, bits)).unwrap();
    assert_eq!(u128::from(region.blocks()[0][0] + helper.blocks()[0][0]), (1 << 31) + 1);
}

#[test]
fn an_entry_out_of_range_is_rejected_by_its_proof() {
    let party = Party::new(&[1]);
    let minus_one = u128::from(Field128::zero() - Field128::one());
    for (place, element) in [(0, 2), (31, 2), (0, minus_one), (7, 1 << 100)] {
        let mut bits = [0; 32];
        bits[place] = element;
        let rejected = party.accept(&report_of_bits(&party, bits)).unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::ProofFailed, "{element} at {place}");
    }
    // Two wrongs that sum to a right: 2 in bit 0 and -1 in bit 1 make the entry 0.
    let mut bits = [0; 32];
    (bits[0], bits[1]) = (2, minus_one);
    assert!(party.accept(&report_of_bits(&party, bits)).is_err());
}

#[test]
fn a_node_that_alters_its_shares_before_sealing_is_rejected() {
    let party = Party::new(&[1]);
    let honest = report_of_bits(&party, [0; 32]);
    let accepted = party.helper.open(
        crate::helper_key::SealPurpose::HelperPart,
        honest.binding,
        &honest.commitments().aad(),
        &honest.sealed_helper,
    );
    let helper_shares = accepted.unwrap()[..crate::params::HELPER_SHARE_BYTES].to_vec();
    // Every commitment is made anew, so only proof and joint randomness can tell.
    for byte in [0, 16 * 31, honest.region_shares.len() - 40, honest.region_shares.len() - 1] {
        let mut region = honest.region_shares.clone();
        region[byte] ^= 1;
        let shares = Shares {
            public: honest.public_shares.clone(),
            region,
            helper: Zeroizing::new(helper_shares.clone()),
        };
        let contents = Contents { measurements: &[], readable: b"", tags: b"" };
        let forged =
            assemble(honest.binding, honest.nonce, shares, contents, party.helper.public(), &mut rng(1))
                .unwrap();
        assert_eq!(party.accept(&forged).unwrap_err().reason(), RejectReason::ProofFailed, "byte {byte}");
    }
}

#[test]
fn blocks_of_equal_length_cannot_be_exchanged() {
    let party = Party::new(&[1, 1]);
    let mut report = party.report(&[vec![1], vec![2]]);
    let half = report.region_shares.len() / 2;
    report.region_shares.rotate_left(half);
    report.public_shares.rotate_left(crate::params::PUBLIC_SHARE_BYTES);
    assert_eq!(party.accept(&report).unwrap_err().reason(), RejectReason::SealBroken);
}

/// The report as it is; the report relabelled by whoever passes it on; and a region that relabels for the
/// helper alone.
#[test]
fn a_report_replayed_under_any_other_binding_is_rejected() {
    let party = Party::new(&[2]);
    let report = party.report(&[vec![1, 2]]);
    let key = VerifyKey::from_bytes([9; 32]);
    assert!(party.accept(&report).is_ok());
    for (field, other) in every_other_binding() {
        let region = RegionVerifier::new(party.parameters.clone(), &other, key.clone());
        let helper = HelperVerifier::new(party.parameters.clone(), &other, key.clone(), helper_keys());
        assert_eq!(region.begin(&report).unwrap_err().reason(), RejectReason::WrongBinding, "{field}");
        let (_, message) = party.region().begin(&report).unwrap();
        let rejected = helper.respond(&report.helper_part(), &message).unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::WrongBinding, "{field}");

        let mut relabelled = report.clone();
        relabelled.binding = other.hash(&party.parameters);
        let (_, message) = region.begin(&relabelled).unwrap();
        let rejected = helper.respond(&relabelled.helper_part(), &message).unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::SealBroken, "{field}");
    }
}

#[test]
fn a_report_under_another_helper_key_is_rejected() {
    let party = Party::new(&[1]);
    let report = party.report(&[vec![1]]);
    let (_, message) = party.region().begin(&report).unwrap();
    let stranger = crate::helper_key::HelperKeyPair::generate(&mut rng(77));
    let key = VerifyKey::from_bytes([9; 32]);
    let helper = HelperVerifier::new(party.parameters.clone(), &binding(), key, stranger);
    let rejected = helper.respond(&report.helper_part(), &message).unwrap_err();
    assert_eq!(rejected.reason(), RejectReason::SealBroken);
}

#[test]
fn a_seal_or_readable_cells_moved_to_another_report_are_rejected() {
    let party = Party::new(&[1]);
    let (one, two) = (party.report(&[vec![1]]), party.report(&[vec![1]]));
    let mut mixed = one.clone();
    mixed.sealed_helper = two.sealed_helper.clone();
    assert_eq!(party.accept(&mixed).unwrap_err().reason(), RejectReason::SealBroken);
    let contents = Contents { measurements: &[vec![1]], readable: b"other cells", tags: b"" };
    let key = party.helper.public();
    let other = shard(&party.parameters, &party.binding, one.nonce, contents, key, &mut rng(7)).unwrap();
    let mut mixed = one;
    mixed.sealed_readable = other.sealed_readable;
    assert_eq!(party.accept(&mixed).unwrap_err().reason(), RejectReason::SealBroken);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_flipped_bit_of_a_report_is_rejected(bit in any::<prop::sample::Index>()) {
        let party = Party::new(&[1, 2]);
        let mut bytes = party.report(&[vec![1], vec![2, 3]]).encode(&party.parameters);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(report) = Report::decode(&party.parameters, &bytes) {
            prop_assert!(party.accept(&report).is_err());
        }
    }

    #[test]
    fn any_flipped_bit_of_the_helpers_part_is_rejected(bit in any::<prop::sample::Index>()) {
        let party = Party::new(&[1, 2]);
        let report = party.report(&[vec![1], vec![2, 3]]);
        let (_, message) = party.region().begin(&report).unwrap();
        let mut bytes = report.helper_part().encode(&party.parameters);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(part) = HelperPart::decode(&party.parameters, &bytes) {
            prop_assert!(party.helper().respond(&part, &message).is_err());
        }
    }
}

/// Pearson's statistic of `bytes` against the uniform distribution over 256 values.
fn chi_square(bytes: &[u8]) -> f64 {
    let mut counts = [0u64; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = bytes.len() as f64 / 256.0;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// Upper quantile of chi-square with 255 degrees of freedom at alpha = 1e-6 (Wilson and Hilferty's
/// approximation).
const CRITICAL: f64 = 377.3;

/// STAY-2. Alpha is 1e-6 for each of the four statistics: an honest build fails once in 250,000 runs. The
/// randomness is prio's own and cannot be seeded.
#[test]
fn the_regions_share_alone_looks_uniform_whatever_it_shares() {
    let party = Party::new(&[64]);
    for entry in [0, 1, 3, u32::MAX] {
        let mut bytes = Vec::new();
        for _ in 0..4 {
            bytes.extend_from_slice(&party.report(&[vec![entry; 64]]).region_shares);
        }
        let statistic = chi_square(&bytes);
        assert!(statistic < CRITICAL, "entry {entry}: {statistic}");
    }
    // The control: what is shared is far from uniform, and so would be a share that is not masked.
    let circuit = Honest::new(u128::from(u32::MAX), 64, optimal_chunk_length(64 * 32)).unwrap();
    let plain = circuit.encode_measurement(&vec![u128::from(u32::MAX); 64]).unwrap();
    let plain: Vec<u8> = plain.into_iter().flat_map(<[u8; 16]>::from).collect();
    assert!(chi_square(&plain) > 1_000.0 * CRITICAL);
}

/// STAY-2: in each bit position of the region's output share, a one is as likely for entry 0 as for entry 3.
/// 128 two-sided tests of a binomial share of 512 at |z| < 6.1, alpha about 1e-9 each, 1.4e-7 together.
#[test]
fn the_regions_output_share_does_not_depend_on_the_entry() {
    let party = Party::new(&[512]);
    let ones = |entry: u32| {
        let (share, _, _) = party.accept(&party.report(&[vec![entry; 512]])).unwrap();
        let mut ones = [0i32; 128];
        for element in share.blocks()[0].iter().map(|element| u128::from(*element)) {
            ones.iter_mut().enumerate().for_each(|(bit, count)| *count += i32::from(element >> bit & 1 == 1));
        }
        ones
    };
    let (of_zero, of_three) = (ones(0), ones(3));
    let deviation = (2.0 * 512.0 * 0.25f64).sqrt();
    for (bit, (zero, three)) in of_zero.iter().zip(of_three).enumerate() {
        let z = f64::from(zero - three) / deviation;
        assert!(z.abs() < 6.1, "bit {bit}: z = {z}");
    }
}

/// A report made by the first release must verify in every later one: nodes are upgraded one by one, and a
/// report may lie stored over an upgrade of `prio` or `hpke`. The vector is frozen; it is made anew only with
/// a new protocol version.
#[test]
fn a_report_of_the_first_release_still_verifies() {
    let parameters: VectorParameters = parameters(&[1, 2]);
    let bytes = hex::decode(include_str!("../vectors/report-v1.hex").replace('\n', "")).unwrap();
    let report = Report::decode(&parameters, &bytes).unwrap();
    let (region, helper, accepted) = Party::new(&[1, 2]).accept(&report).unwrap();
    let sums: Vec<_> = region
        .blocks()
        .iter()
        .flatten()
        .zip(helper.blocks().iter().flatten())
        .map(|(a, b)| u128::from(*a + *b))
        .collect();
    assert_eq!(sums, [1, 2, u128::from(u32::MAX)]);
    assert_eq!(report.open_readable(&accepted.readable_key).unwrap().as_slice(), crate::fixture::READABLE);
}

/// What the frozen vector is made of has not grown or shrunk; a new protocol version's vector is this report in hex.
#[test]
fn a_report_made_now_is_as_long_as_the_one_of_the_first_release() {
    let party = Party::new(&[1, 2]);
    let now = party.report(&[vec![1], vec![2, u32::MAX]]).encode(&party.parameters);
    let first = include_str!("../vectors/report-v1.hex").replace('\n', "");
    assert_eq!(now.len() * 2, first.len());
}
