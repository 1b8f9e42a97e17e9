//! What an aggregator computes for a round of many units, against the floor of the `prio` crate alone.
//!
//! `cargo run -p sharing --release --example scale -- 5000 10 100 290` plays rounds of 10, 100 and 290 units of 5,000 cells.
//! For each unit the region decodes the report, verifies with the helper and adds its share; the floor is what `prio`
//! computes for the same proof: two `verify_init`, the message, two `verify_next`. CPU time of this thread, report by report in turn,
//! so that both see the same machine. What it leaves out: transport, store, audit.

use std::hint::black_box;

use prio::vdaf::prio3::{Prio3SumVec, optimal_chunk_length};
use prio::vdaf::{Aggregator, Client};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sharing::aggregate::AggregateShare;
use sharing::binding::{Binding, Tier};
use sharing::helper_key::HelperKeyPair;
use sharing::opening::{Combination, NoNoise, open};
use sharing::output::Side;
use sharing::params::VectorParameters;
use sharing::report::{HelperPart, Report};
use sharing::shard::{Contents, shard};
use sharing::verify::{HelperVerifier, RegionVerifier, VerifyKey};

type Failure = Box<dyn std::error::Error>;
/// Bits of an entry, as `sharing::params` has them.
const BITS: usize = 32;

/// Nanoseconds that this thread was on a processor.
fn processor_time() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}

fn timed<T>(total: &mut u64, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let before = processor_time()?;
    let done = work()?;
    *total += processor_time()? - before;
    Ok(done)
}

fn binding(unit: usize, helper: &HelperKeyPair) -> Binding {
    Binding {
        collection_id: "skala".into(),
        collection_version: 1,
        collection_hash: [1; 32],
        round: 1,
        tier: Tier::Region,
        unit: format!("{unit:04}"),
        certificate: [2; 32],
        helper_key_id: helper.public().id(),
        roster_hash: [3; 32],
        pattern_hash: [4; 32],
    }
}

/// One unit's proof as the `prio` crate alone checks it; nanoseconds of each side.
fn floor(entries: &[u32], nonce: &[u8; 16]) -> Result<(u64, u64), Failure> {
    let length = entries.len();
    let vdaf = Prio3SumVec::new_sum_vec(2, u32::MAX.into(), length, optimal_chunk_length(length * BITS))?;
    let entries: Vec<u128> = entries.iter().map(|entry| u128::from(*entry)).collect();
    let (public, inputs) = vdaf.shard(b"floor", &entries, nonce)?;
    let [one, two] = inputs.as_slice() else { return Err("two shares were expected".into()) };
    let (mut region, mut helper) = (0, 0);
    let init = |side, input| Ok(vdaf.verify_init(&[7; 32], b"floor", side, &(), nonce, &public, input)?);
    let (first, ours) = timed(&mut region, || init(0, one))?;
    let (second, theirs) = timed(&mut helper, || init(1, two))?;
    let message =
        timed(&mut helper, || Ok(vdaf.verifier_shares_to_message(b"floor", &(), [ours, theirs])?))?;
    let other = message.clone();
    timed(&mut region, || Ok(black_box(vdaf.verify_next(b"floor", first, message)?)))?;
    timed(&mut helper, || Ok(black_box(vdaf.verify_next(b"floor", second, other)?)))?;
    Ok((region, helper))
}

fn play(cells: u32, units: usize) -> Result<(), Failure> {
    let parameters = VectorParameters::from_lengths(&[cells])?;
    let helper_keys = HelperKeyPair::derive(&[42; 32])?;
    let key = VerifyKey::from_bytes([7; 32]);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut region, mut helper, mut least_region, mut least_helper, mut node) = (0, 0, 0, 0, 0);
    let mut sums =
        (AggregateShare::new(&parameters, Side::Region), AggregateShare::new(&parameters, Side::Helper));
    let (mut bytes, mut straight) = (0, 0);
    for unit in 0..units {
        let entries: Vec<u32> = (0..cells).map(|cell| (cell + unit as u32) % 50).collect();
        straight += u64::from(entries[0]);
        let binding = binding(unit, &helper_keys);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&(unit as u64).to_be_bytes());
        let contents = Contents {
            measurements: std::slice::from_ref(&entries),
            readable: b"readable cells",
            tags: b"tags",
        };
        let sent = timed(&mut node, || {
            Ok(shard(&parameters, &binding, nonce, contents, helper_keys.public(), &mut rng)?
                .encode(&parameters))
        })?;
        bytes = sent.len();
        let verifier = RegionVerifier::new(parameters.clone(), &binding, key.clone());
        let (state, message, part) = timed(&mut region, || {
            let report = Report::decode(&parameters, &sent).map_err(|_| "a report")?;
            let (state, message) = verifier.begin(&report).map_err(|_| "begin")?;
            Ok((state, message, report.helper_part().encode(&parameters)))
        })?;
        let answer = timed(&mut helper, || {
            let part = HelperPart::decode(&parameters, &part).map_err(|_| "a part")?;
            let own = HelperVerifier::new(parameters.clone(), &binding, key.clone(), helper_keys.clone());
            let (accepted, answer) = own.respond(&part, &message).map_err(|_| "respond")?;
            sums.1.add(&accepted.output_share)?;
            Ok(answer)
        })?;
        timed(&mut region, || {
            let share = verifier.finish(state, &answer).map_err(|_| "finish")?;
            Ok(sums.0.add(&share)?)
        })?;
        let (one, two) = floor(&entries, &nonce)?;
        least_region += one;
        least_helper += two;
    }
    let first = [Combination::new(0, vec![0])?];
    let (ours, theirs) =
        (sums.0.combine_all(&first, &mut NoNoise)?, sums.1.combine_all(&first, &mut NoNoise)?);
    if open(&ours[0], &theirs[0])? != straight {
        return Err("the sum is not the straight one".into());
    }
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    println!(
        "{units} units × {cells} cells: region {:.2} s ({:.2} × {:.2}), helper {:.2} s ({:.2} × {:.2}), a node {:.2} s, {bytes} bytes",
        seconds(region),
        region as f64 / least_region as f64,
        seconds(least_region),
        seconds(helper),
        helper as f64 / least_helper as f64,
        seconds(least_helper),
        seconds(node) / units as f64,
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let numbers: Result<Vec<usize>, _> = std::env::args().skip(1).map(|word| word.parse()).collect();
    let (cells, units) = match numbers?.as_slice() {
        [] => (5000, vec![10, 100, 290]),
        [cells, units @ ..] => (*cells, units.to_vec()),
    };
    units.into_iter().try_for_each(|units| play(u32::try_from(cells)?, units))
}
