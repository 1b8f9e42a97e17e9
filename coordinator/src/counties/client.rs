//! A region's part in a national round: offer, take the pattern, deliver; all before the county publishes.
//!
//! The county publishes whatever happens: when the national body is away for longer than the collection grants, or the
//! round cannot be taken part in, it publishes alone and is missing from the national totals (`30-protocol`, Late and absent).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use daemon::gate::Gate;
use jiff::Timestamp;
use proto::v1;
use proto::v1::counties_client::CountiesClient as Stub;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::document::CollectionRef;
use round::national::check_pattern;
use round::national::document::{
    Document, GroupShares, NationalPattern, NationalRef, Offer, Rows, SealedShare, share_binding,
};
use round::national::groups::of_roster;
use round::region::Event;
use round::shares;
use sharing::aggregate::AggregateShare;
use sharing::helper_key::{HelperPublicKey, SealPurpose};
use sharing::output::Side;
use sharing::signing::SigningContext;
use tables::figures::{CountyMark, Mark};
use tables::system::CellIndex;
use tables::unit::{GroupCode, Unit};
use tonic::Code;
use tonic::transport::Channel;

use super::sides::Sides;
use super::third::{GROUP_SHARES_AAD, SHARE_AAD};
use crate::chain::GateChain;
use crate::release::{self, Certified, ReleaseError};
use crate::rounds::desk::{Desk, aggregate_key};
use crate::signer::Signer;

/// First and longest pause between two questions whether there is a pattern.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// Seconds of grace after the national body's own deadlines.
pub const GRACE: i64 = 6 * 3600;

/// Why a county takes no part now.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Publishing at all is not possible now.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The national round goes on without the county; it publishes alone.
    #[error("{0}")]
    Without(String),
}

fn without(reason: impl std::fmt::Display) -> PartError {
    PartError::Without(reason.to_string())
}

/// A region's connection to the national body.
pub struct CountiesClient {
    stub: Stub<Channel>,
    signer: Arc<Signer>,
    gate: Arc<Gate>,
}

impl CountiesClient {
    /// Over a channel to the national body.
    pub fn new(channel: Channel, signer: Arc<Signer>, gate: Arc<Gate>) -> Self {
        Self { stub: Stub::new(channel), signer, gate }
    }

    /// Takes part if the collection says so: the totals to be withheld beside the county's own choice. Empty when there is no
    /// national round, or when it goes on without the county.
    ///
    /// # Errors
    /// [`ReleaseError`] when the county itself cannot publish.
    pub async fn take_part(&self, desk: &Arc<Desk>) -> Result<BTreeSet<CellIndex>, ReleaseError> {
        let (system, collection) = desk.look(|region| (region.system().clone(), region.collection().clone()));
        let (Some(reference), Some(terms)) = (NationalRef::of(&collection, &system), &collection.national)
        else {
            return Ok(BTreeSet::new());
        };
        match self.part(desk, reference, i64::from(terms.hours) * 3600).await {
            Ok(extra) => Ok(extra),
            Err(PartError::Release(error)) => Err(error),
            // What was agreed to stands: rather no publication yet than one that shows what others count on.
            Err(PartError::Without(reason)) if desk.look(|region| region.agreed().is_some()) => {
                tracing::error!(%reason, "the national pattern that was agreed to cannot be kept");
                Err(ReleaseError::State("a way to keep the national pattern it agreed to"))
            }
            Err(PartError::Without(reason)) => {
                tracing::error!(%reason, "the national round goes on without this county; it publishes alone");
                Ok(BTreeSet::new())
            }
        }
    }

    async fn part(
        &self,
        desk: &Arc<Desk>,
        reference: NationalRef,
        patience: i64,
    ) -> Result<BTreeSet<CellIndex>, PartError> {
        let own = certified(desk, BTreeSet::new()).await?;
        let until = own.opened_at + patience + GRACE;
        let offer = offer(desk, reference, &own)?;
        let agreed = desk.look(|region| region.agreed().cloned());
        let is_agreed = agreed.is_some();
        let (pattern, third) = match agreed {
            Some((pattern, third)) => stored(&pattern, &third)?,
            None => self.negotiate(&offer, until, patience + GRACE).await?,
        };
        let (system, terms) =
            desk.look(|region| (region.system().clone(), region.collection().national.clone()));
        let terms = terms.ok_or(ReleaseError::State("terms of a national round"))?;
        let place = pattern.place(offer.county).ok_or_else(|| without("the pattern lacks the county"))?;
        if !is_agreed {
            check_pattern(&system, &terms, &offer, &pattern).map_err(without)?;
        }
        let agreed = &pattern.withheld[place];
        let is_own = |cell: &&CellIndex| offer.marks.get(**cell).is_some_and(|mark| mark.is_withheld());
        let extra: BTreeSet<CellIndex> = agreed.iter().filter(|cell| !is_own(cell)).copied().collect();
        let release = match certified(desk, extra.clone()).await {
            Err(ReleaseError::Findings(found)) if !is_agreed => return Err(without(found)),
            other => other?,
        };
        let totals = &release.release.figures().totals;
        let shown = |cell: CellIndex| totals.get(&cell).and_then(|mark| mark.shown());
        let values: Option<Vec<u64>> = pattern.shown(&system, place).map(shown).collect();
        let Some(values) = values else {
            let reason = "the county must withhold more than was agreed";
            return if is_agreed { Ok(extra) } else { Err(without(reason)) };
        };
        // From here on others may count on it: no restart and no refusal may undo what was agreed to be withheld.
        let event = Event::Agreed { pattern: pattern.bytes(), third: third.to_bytes() };
        let stored = desk.take(event, Timestamp::now().as_second(), Vec::new());
        stored.map_err(|_| {
            PartError::Release(ReleaseError::State("a stored agreement to the national pattern"))
        })?;
        tracing::info!(county = %offer.county, "agreed to the pattern over counties");
        let rows = Rows { pattern: pattern.hash(), county: offer.county, values };
        let share = seal(desk, &pattern, &offer, &third)?;
        let sign = |context, bytes| Some(wire::signed_message(&self.signer.sign(context, bytes)));
        let delivery = v1::CountyDelivery {
            national: Some(wire::national_message(&offer.national)),
            rows: sign(SigningContext::CountyRows, rows.bytes()),
            share: sign(SigningContext::CountyShare, share.bytes()),
        };
        let delivered = self
            .until(until.max(pattern.deliver_until + GRACE), || {
                let (mut stub, delivery) = (self.stub.clone(), delivery.clone());
                async move { stub.deliver(delivery).await.map(|_| Some(())) }
            })
            .await;
        if let Err(error) = delivered {
            // What was agreed to be withheld stays withheld: others may have delivered counting on it.
            tracing::error!(%error, "the county's figures were not taken; it is missing from the national totals");
        }
        Ok(extra)
    }

    /// Offers, and waits for the pattern. The national body's patience begins with the first offer it has, which may be
    /// this one, however long it was on its way: the region's own begins anew when its offer is taken.
    async fn negotiate(
        &self,
        offer: &Offer,
        until: i64,
        patience: i64,
    ) -> Result<(NationalPattern, HelperPublicKey), PartError> {
        let signed = wire::signed_message(&self.signer.sign(SigningContext::CountyOffer, offer.bytes()));
        self.until(until, || {
            let (mut stub, offer) = (self.stub.clone(), Some(signed.clone()));
            async move { stub.offer(v1::CountyOffer { offer }).await.map(|_| Some(())) }
        })
        .await?;
        let until = until.max(Timestamp::now().as_second() + patience);
        let (pattern, third) = self
            .until(until, || {
                let (mut stub, national) = (self.stub.clone(), Some(wire::national_message(&offer.national)));
                async move {
                    let reply = stub.get_pattern(v1::NationalPatternRequest { national }).await?.into_inner();
                    Ok(reply.pattern.zip(reply.third_key))
                }
            })
            .await?;
        self.verified(pattern, third)
    }

    /// Asks again and again until there is an answer, a final refusal, or `until` is over.
    async fn until<T, F>(&self, until: i64, ask: impl Fn() -> F) -> Result<T, PartError>
    where
        F: Future<Output = Result<Option<T>, tonic::Status>>,
    {
        let mut pause = PAUSES.0;
        loop {
            match ask().await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(status) => match status.code() {
                    Code::FailedPrecondition
                    | Code::PermissionDenied
                    | Code::InvalidArgument
                    | Code::Unimplemented
                    | Code::NotFound => return Err(without(status.message())),
                    _ => tracing::warn!(error = %status.message(), "the national body cannot be asked now"),
                },
            }
            if Timestamp::now().as_second() >= until {
                return Err(without("the national body did not answer in time"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn verified(
        &self,
        pattern: v1::Signed,
        third: v1::Signed,
    ) -> Result<(NationalPattern, HelperPublicKey), PartError> {
        let chain = GateChain::new(self.gate.clone(), Timestamp::now());
        let signed = wire::signed("pattern", Some(pattern)).map_err(without)?;
        let bytes =
            signed.open(&chain, SigningContext::NationalPattern, "national", "00").map_err(without)?;
        let pattern =
            NationalPattern::read(bytes).ok_or_else(|| without("the national pattern cannot be read"))?;
        let signed = wire::signed("third_key", Some(third)).map_err(without)?;
        let unit = round::chain::Chain::certified(&chain, &signed.certificate).map(|holder| holder.unit);
        let key = unit.and_then(|unit| super::engine::third_key(&signed, &unit, &self.gate));
        let key = key.filter(|key| key.id() == pattern.third_key_id);
        Ok((pattern, key.ok_or_else(|| without("the third coordinator's key does not verify"))?))
    }
}

/// What the county agreed to before.
fn stored(pattern: &[u8], third: &[u8; 32]) -> Result<(NationalPattern, HelperPublicKey), PartError> {
    let unreadable = || PartError::Release(ReleaseError::State("a readable national pattern"));
    let pattern = NationalPattern::read(pattern).ok_or_else(unreadable)?;
    Ok((pattern, HelperPublicKey::from_bytes(third).map_err(|_| unreadable())?))
}

async fn certified(desk: &Arc<Desk>, extra: BTreeSet<CellIndex>) -> Result<Certified, ReleaseError> {
    let desk = desk.clone();
    let done = tokio::task::spawn_blocking(move || release::certified(&desk, None, &extra)).await;
    done.map_err(|_| ReleaseError::State("the end of a computation"))?
}

fn offer(desk: &Desk, national: NationalRef, own: &Certified) -> Result<Offer, PartError> {
    let totals = &own.release.figures().totals;
    desk.look(|region| {
        let document = region.document().ok_or(ReleaseError::State("a pattern"))?;
        let least = u64::from(region.collection().min_count.get());
        let mark = |cell: CellIndex| match totals.get(&cell) {
            Some(Mark::Shown(value)) => CountyMark::of_shown(*value, least),
            Some(Mark::Withheld) | None => match own.totals.get(&cell) {
                Some(value) if *value >= least => CountyMark::Withheld,
                _ => CountyMark::Small,
            },
        };
        Ok(Offer {
            national,
            county: region.collection().county,
            collection: CollectionRef::of(region.collection()),
            round: document.round,
            pattern: document.hash(),
            marks: (0..region.system().cells.len()).map(mark).collect(),
            groups: of_roster(region.collection(), &document.units()),
        })
    })
}

/// The county's sum over its roster, with what statuses took off put back, sealed to the third coordinator; by group of kommuner
/// where the collection has a list of them.
fn seal(
    desk: &Desk,
    pattern: &NationalPattern,
    offer: &Offer,
    third: &HelperPublicKey,
) -> Result<SealedShare, PartError> {
    let shape = desk.parameters();
    let whole = stored_share(desk, offer.round, "alla")?;
    let (plain, purpose) = if offer.groups.is_empty() {
        (raised(desk, whole, None)?.encode(shape), SHARE_AAD)
    } else {
        let mut shares = BTreeMap::new();
        for group in &offer.groups {
            shares.insert(group.clone(), stored_share(desk, offer.round, &format!("G:{group}"))?);
        }
        let sides = Sides::of_groups(shape, Side::Region, shares);
        let sides = sides.ok().filter(|sides| sides.whole == whole);
        let sides = sides.ok_or(ReleaseError::State("sums over groups that make the county's"))?;
        let encoded = |(group, share): (GroupCode, AggregateShare)| {
            let raised = raised(desk, share, Some(&group))?;
            Ok((group, raised.encode(shape)))
        };
        let shares = sides.groups.into_iter().map(encoded).collect::<Result<_, PartError>>()?;
        (GroupShares(shares).bytes(), GROUP_SHARES_AAD)
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| ReleaseError::State("randomness from the operating system"))?;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let hash = pattern.hash();
    let binding = share_binding(&hash, offer.county);
    let sealed = third.seal(SealPurpose::AggregateShare, binding, purpose, &plain, &mut rng);
    let sealed = sealed.map_err(without)?;
    Ok(SealedShare {
        pattern: hash,
        county: offer.county,
        encapsulated: sealed.encapsulated,
        ciphertext: sealed.ciphertext,
    })
}

fn stored_share(desk: &Desk, round: u32, of: &str) -> Result<AggregateShare, PartError> {
    let bytes = desk.read(&aggregate_key(round, of)).map_err(ReleaseError::from)?;
    let share = AggregateShare::decode(desk.parameters(), &bytes);
    share.map_err(|_| PartError::Release(ReleaseError::State("a readable aggregate share")))
}

/// A share with what the statuses of its kommuner took off put back: of the whole roster, or of those in a group.
fn raised(
    desk: &Desk,
    mut share: AggregateShare,
    group: Option<&GroupCode>,
) -> Result<AggregateShare, PartError> {
    let offsets = desk.look(|region| {
        let collection = region.collection();
        let is_in = |unit: &Unit| group.is_none() || collection.group_of(unit.kommun()) == group;
        let roster = region.document().map(|document| document.units()).unwrap_or_default();
        let roster: Vec<Unit> = roster.into_iter().filter(is_in).collect();
        let has = region.system().blocks.first().is_some_and(|block| block.table.is_none());
        has.then(|| shares::offsets(region.system(), &region.statuses(), &roster, collection.min_count))
    });
    if let Some(offsets) = offsets {
        let misfit = |_| PartError::Release(ReleaseError::State("a share of its own shape"));
        share.raise(0, &offsets).map_err(misfit)?;
    }
    Ok(share)
}
