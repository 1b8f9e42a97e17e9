//! The third coordinator: holds the other side of the counties' sums, opens what a close lists, once.
//!
//! It learns which counties took part, what they withhold, and shares that look random; never a total. What it opens it
//! decides itself ([`round::national::check_close`]): a list of sums that hide too few counties is refused whoever signed
//! it. One close of a national round is opened ever; asking again for the same gives the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use daemon::door::authenticate;
use daemon::facts::{FactError, FactLog};
use daemon::gate::Gate;
use daemon::identity::Role;
use daemon::store::Store;
use jiff::Timestamp;
use proto::v1;
use round::chain::{Chain, Signed};
use round::national::check_close;
use round::national::document::{
    Document, GroupShares, NationalClose, NationalPattern, NationalRef, SealedShare, share_binding,
};
use round::refusal::Refusal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sharing::aggregate::AggregateShare;
use sharing::helper_key::{HelperKeyPair, SealPurpose};
use sharing::output::Side;
use sharing::params::VectorParameters;
use sharing::signing::SigningContext;
use tables::unit::LansKod;
use tonic::{Request, Response, Status};

use super::desk::{built, parameters};
use super::sides::Sides;
use crate::chain::GateChain;
use crate::helper::desk::DeskError;
use crate::signer::Signer;
use crate::storage;

/// Additional data of a sealed share.
pub const SHARE_AAD: &[u8] = b"samman/v1 county share";
/// The same of a share by group of kommuner.
pub const GROUP_SHARES_AAD: &[u8] = b"samman/v1 county share by group";

#[derive(Serialize, Deserialize)]
struct OpenedOnce {
    national: NationalRef,
    close: [u8; 32],
}

/// What the third coordinator keeps: its key, and what it opened.
pub struct Desk {
    keys: HelperKeyPair,
    opened: Mutex<BTreeMap<NationalRef, [u8; 32]>>,
    log: FactLog<OpenedOnce>,
    /// The store may be an old one: what it opened is not known.
    restored: bool,
}

/// What is asked to be opened.
#[derive(Clone)]
pub struct OpenAsked {
    /// A county's collection: the shape of the tables.
    pub text: String,
    /// The signed pattern.
    pub pattern: Signed,
    /// The signed close.
    pub close: Signed,
    /// The sealed shares in roster order.
    pub shares: Vec<Signed>,
}

/// What the third coordinator answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Opened shares, which say nothing without the other side, and what is countersigned.
    Opened {
        /// In the close's order.
        shares: Vec<Vec<u8>>,
        /// [`opening_digest`].
        digest: [u8; 32],
    },
    /// Counties whose share cannot be used; nothing was opened.
    Unusable(BTreeSet<LansKod>),
}

impl Desk {
    /// Opens the desk on a store.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn open(store: Arc<dyn Store>, keys: HelperKeyPair) -> Result<Self, DeskError> {
        let restored = !storage::may_open(store.as_ref()).map_err(FactError::from)?;
        let (log, facts) = FactLog::<OpenedOnce>::open(store, "third/opened")?;
        let opened = facts.into_iter().map(|fact| (fact.national, fact.close)).collect();
        Ok(Self { keys, opened: Mutex::new(opened), log, restored })
    }

    /// The opened shares of a close in its order; or, when the shares of some counties cannot be used, which: then nothing is
    /// opened and nothing is written down, and the national body closes again without them.
    ///
    /// # Errors
    /// [`DeskError::Refused`]: final; nothing is opened.
    pub fn open_counties(&self, asked: &OpenAsked, chain: &dyn Chain) -> Result<Answer, DeskError> {
        if self.restored {
            return Err(DeskError::Restored);
        }
        let (collection, system) = built(&asked.text)?;
        let bytes = asked.pattern.open(chain, SigningContext::NationalPattern, "national", "00")?;
        let pattern = NationalPattern::read(bytes).ok_or(Refusal::Malformed("pattern"))?;
        let bytes = asked.close.open(chain, SigningContext::NationalClose, "national", "00")?;
        let close = NationalClose::read(bytes).ok_or(Refusal::Malformed("close"))?;
        let terms = collection.national.as_ref().ok_or(Refusal::OtherBinding("national round"))?;
        if NationalRef::of(&collection, &system).as_ref() != Some(&pattern.national) {
            return Err(Refusal::OtherBinding("national round").into());
        }
        let own = self.keys.public().id();
        if pattern.third_key_id != own || terms.third_key != own {
            return Err(Refusal::OtherBinding("third coordinator's key").into());
        }
        check_close(&system, terms, &pattern, &close)?;
        // What was opened is said again as it was, whatever certificates have become since.
        if let Some(shares) = self.said(&pattern.national, close.hash())? {
            let digest = opening_digest(&close, &shares);
            return Ok(Answer::Opened { shares, digest });
        }
        let shape = parameters(&system)?;
        let mut sum = Sides::new(&shape, Side::Region);
        if asked.shares.len() != close.roster.len() {
            return Err(Refusal::Malformed("number of shares").into());
        }
        let mut unusable = BTreeSet::new();
        for (county, share) in close.roster.iter().zip(&asked.shares) {
            match self.unseal(&shape, &pattern, *county, share, chain) {
                Ok(own) => sum.add(own)?,
                Err(refusal) => {
                    tracing::warn!(%county, %refusal, "a county's share cannot be used");
                    unusable.insert(*county);
                }
            }
        }
        if !unusable.is_empty() {
            return Ok(Answer::Unusable(unusable));
        }
        let opened = sum.opened(&system, &close)?;
        let shares: Vec<Vec<u8>> = opened.iter().map(|share| share.encode()).collect();
        let shares = self.only_once(&pattern.national, close.hash(), shares)?;
        let digest = opening_digest(&close, &shares);
        Ok(Answer::Opened { shares, digest })
    }

    fn unseal(
        &self,
        shape: &VectorParameters,
        pattern: &NationalPattern,
        county: LansKod,
        share: &Signed,
        chain: &dyn Chain,
    ) -> Result<Sides, Refusal> {
        let bytes = share.open(chain, SigningContext::CountyShare, "region", &county.to_string())?;
        let sealed = SealedShare::read(bytes).ok_or(Refusal::Malformed("share"))?;
        let hash = pattern.hash();
        if sealed.pattern != hash || sealed.county != county {
            return Err(Refusal::OtherBinding("pattern"));
        }
        let binding = share_binding(&hash, county);
        let groups = pattern.place(county).and_then(|place| pattern.groups.get(place));
        let groups = groups.ok_or(Refusal::NotInRoster)?;
        let purpose = if groups.is_empty() { SHARE_AAD } else { GROUP_SHARES_AAD };
        let plain = self.keys.open(SealPurpose::AggregateShare, binding, purpose, &sealed.sealed());
        let plain = plain.map_err(|_| Refusal::Report)?;
        let read = |bytes: &[u8]| {
            let own = AggregateShare::decode(shape, bytes).map_err(|_| Refusal::Report)?;
            if own.side() == Side::Region { Ok(own) } else { Err(Refusal::Report) }
        };
        if groups.is_empty() {
            return Ok(Sides { whole: read(&plain)?, groups: BTreeMap::new() });
        }
        let shares = GroupShares::read(&plain).ok_or(Refusal::Report)?;
        // What the county itself signed is what it has: a pattern that says other groups of it hides with nobody's.
        if !shares.0.keys().eq(groups) {
            return Err(Refusal::Report);
        }
        let shares = shares.0.into_iter().map(|(group, bytes)| Ok((group, read(&bytes)?)));
        let shares = shares.collect::<Result<_, Refusal>>()?;
        Sides::of_groups(shape, Side::Region, shares).map_err(|_| Refusal::Report)
    }

    /// What was said of this close before.
    fn said(&self, national: &NationalRef, close: [u8; 32]) -> Result<Option<Vec<Vec<u8>>>, DeskError> {
        let known =
            self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(national).copied();
        match known {
            None => Ok(None),
            Some(known) if known != close => Err(Refusal::Ledger.into()),
            Some(_) => {
                let bytes = self.log.read(&hex::encode(close))?;
                let shares = postcard::from_bytes(&bytes).map_err(|_| DeskError::Share("what was opened"))?;
                Ok(Some(shares))
            }
        }
    }

    /// Written down, with what is said, before anything is said: an entry whose answer nobody heard is harmless.
    fn only_once(
        &self,
        national: &NationalRef,
        close: [u8; 32],
        shares: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, DeskError> {
        let mut opened = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if opened.contains_key(national) {
            drop(opened);
            return self.said(national, close)?.ok_or(DeskError::Share("what was opened"));
        }
        let bytes = postcard::to_allocvec(&shares).map_err(|_| DeskError::Share("their form"))?;
        let fact = OpenedOnce { national: national.clone(), close };
        self.log.append(&[fact], vec![(hex::encode(close), bytes)])?;
        opened.insert(national.clone(), close);
        Ok(shares)
    }
}

/// What the third coordinator countersigns: close and opened shares.
pub fn opening_digest(close: &NationalClose, shares: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(b"samman/v1 counties opened\0").chain_update(close.hash());
    for share in shares {
        hash = hash.chain_update((share.len() as u64).to_be_bytes()).chain_update(share);
    }
    hash.finalize().into()
}

/// The third coordinator's service.
pub struct ThirdService {
    /// What it keeps.
    pub desk: Arc<Desk>,
    /// Certificates and revocations.
    pub gate: Arc<Gate>,
    /// Its signature.
    pub signer: Arc<Signer>,
    /// Its signed HPKE key.
    pub key: Signed,
}

impl ThirdService {
    fn national<T>(&self, request: &Request<T>) -> Result<GateChain, Status> {
        let now = Timestamp::now();
        authenticate(request, &self.gate, &[Role::National], now)?;
        Ok(GateChain::new(self.gate.clone(), now))
    }
}

#[tonic::async_trait]
impl v1::third_server::Third for ThirdService {
    async fn get_key(
        &self,
        request: Request<v1::ThirdKeyRequest>,
    ) -> Result<Response<v1::ThirdKeyReply>, Status> {
        self.national(&request)?;
        Ok(Response::new(v1::ThirdKeyReply { key: Some(wire::signed_message(&self.key)) }))
    }

    async fn open(
        &self,
        request: Request<v1::OpenCountiesRequest>,
    ) -> Result<Response<v1::OpenCountiesReply>, Status> {
        let chain = self.national(&request)?;
        let message = request.into_inner();
        let malformed = |error: wire::Unreadable| Status::invalid_argument(error.to_string());
        let shares = message.shares.into_iter().map(|share| wire::signed("share", Some(share)));
        let asked = OpenAsked {
            text: message.collection,
            pattern: wire::signed("pattern", message.pattern).map_err(malformed)?,
            close: wire::signed("close", message.close).map_err(malformed)?,
            shares: shares.collect::<Result<_, _>>().map_err(malformed)?,
        };
        let desk = self.desk.clone();
        let answer = super::service::blocking(move || desk.open_counties(&asked, &chain)).await?;
        let (shares, digest) = match answer {
            Answer::Opened { shares, digest } => (shares, digest),
            Answer::Unusable(counties) => {
                let unusable = counties.iter().map(ToString::to_string).collect();
                return Ok(Response::new(v1::OpenCountiesReply { unusable, ..Default::default() }));
            }
        };
        let countersignature = self.signer.sign(SigningContext::Opening, digest.to_vec());
        let countersignature = Some(wire::signed_message(&countersignature));
        Ok(Response::new(v1::OpenCountiesReply { shares, countersignature, unusable: Vec::new() }))
    }
}
