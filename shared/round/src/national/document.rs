//! The documents of a national round: what a county offers, the pattern over counties, what a county delivers, who is in
//! the end counted. Canonical bytes as in [`crate::document`]; no document but [`Rows`] holds a figure, and that one only
//! figures the county publishes.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sharing::binding::BindingHash;
use sharing::helper_key::Sealed;
use tables::collection::Collection;
use tables::figures::CountyMark;
use tables::system::{Build, CellIndex, System};
use tables::unit::{GroupCode, LansKod};

use super::tailed::Tailed;
use crate::document::{CollectionRef, encode};

/// Names a national round: the same id, version, tables and counties in every county's collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NationalRef {
    /// The collections' id.
    pub id: String,
    /// Their version.
    pub version: u32,
    /// SHA-256 over everything that must be the same in all of them.
    pub shape: [u8; 32],
}

impl NationalRef {
    /// The national round a county's collection belongs to, if any.
    pub fn of(collection: &Collection, system: &System) -> Option<Self> {
        let national = collection.national.as_ref()?;
        let mut hash = Sha256::new().chain_update(b"samman/v1 national\0");
        let mut put = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        put(collection.id.as_bytes());
        put(&collection.version.to_be_bytes());
        // Everything a national publication prints of a county's document: it must not depend on who came first (SAME-1).
        for text in [&collection.codebook, &collection.title, &collection.source, &national.contact] {
            put(text.as_bytes());
        }
        put(&(collection.footnotes.len() as u64).to_be_bytes());
        collection.footnotes.iter().for_each(|note| put(note.as_bytes()));
        put(&collection.min_count.get().to_be_bytes());
        put(&(national.least_counties as u64).to_be_bytes());
        put(&national.hours.to_be_bytes());
        put(&national.third_key);
        put(&(national.counties.len() as u64).to_be_bytes());
        national.counties.iter().for_each(|county| put(county.to_string().as_bytes()));
        if let Some(groups) = &national.groups {
            put(b"kommungrupper");
            put(&(groups.table as u64).to_be_bytes());
            put(groups.grouping.to_csv().as_bytes());
        }
        put(&(collection.tables.len() as u64).to_be_bytes());
        for (table, rows) in collection.tables.iter().zip(&system.tables) {
            put(table.id.as_bytes());
            put(table.title.as_bytes());
            put(format!("{:?} {:?}", table.percent, table.change).as_bytes());
            put(&(table.footnotes.len() as u64).to_be_bytes());
            table.footnotes.iter().for_each(|note| put(note.as_bytes()));
            put(format!("{:?}", table.scope).as_bytes());
            put(&(rows.rows.len() as u64).to_be_bytes());
            rows.rows.iter().for_each(|row| put(&system.cells[row.cell].definition));
            put(&(rows.bortfall.len() as u64).to_be_bytes());
            rows.bortfall.iter().for_each(|cell| put(&system.cells[*cell].definition));
        }
        put(&(system.blocks.len() as u64).to_be_bytes());
        system.blocks.iter().for_each(|block| put(&(block.length as u64).to_be_bytes()));
        Some(Self { id: collection.id.clone(), version: collection.version, shape: hash.finalize().into() })
    }
}

/// A sum of a cell over the kommuner of a group.
pub type GroupSum = (GroupCode, CellIndex);
/// Such sums.
pub type GroupSums = BTreeSet<GroupSum>;

/// What a region says of its closed round: which totals it would publish. No value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TailedOffer", into = "TailedOffer")]
pub struct Offer {
    /// The national round.
    pub national: NationalRef,
    /// The county.
    pub county: LansKod,
    /// The county's collection.
    pub collection: CollectionRef,
    /// The county's round.
    pub round: u32,
    /// Its pattern, as the helper holds it.
    pub pattern: [u8; 32],
    /// A mark for every cell.
    pub marks: Vec<CountyMark>,
    /// The groups of kommuner that its roster's kommuner lie in; none where the collection has no list.
    pub groups: BTreeSet<GroupCode>,
}

type TailedOffer =
    Tailed<NationalRef, (LansKod, CollectionRef, u32, [u8; 32], Vec<CountyMark>), BTreeSet<GroupCode>>;

impl From<Offer> for TailedOffer {
    fn from(offer: Offer) -> Self {
        let Offer { national, county, collection, round, pattern, marks, groups } = offer;
        let tail = (!groups.is_empty()).then_some(groups);
        Self { first: national, rest: (county, collection, round, pattern, marks), tail }
    }
}

impl From<TailedOffer> for Offer {
    fn from(tailed: TailedOffer) -> Self {
        let (county, collection, round, pattern, marks) = tailed.rest;
        let groups = tailed.tail.unwrap_or_default();
        Self { national: tailed.first, county, collection, round, pattern, marks, groups }
    }
}

/// The pattern over counties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TailedPattern", into = "TailedPattern")]
pub struct NationalPattern {
    /// The national round.
    pub national: NationalRef,
    /// Counties in ascending order with the hash of what each offered.
    pub counties: Vec<(LansKod, [u8; 32])>,
    /// Per county: totals it withholds, its own choice included.
    pub withheld: Vec<BTreeSet<CellIndex>>,
    /// Sums that are opened when all deliver.
    pub open: BTreeSet<CellIndex>,
    /// Per county: the groups that kommuner of its roster lie in.
    pub groups: Vec<BTreeSet<GroupCode>>,
    /// Sums over groups that are opened when all deliver.
    pub open_groups: GroupSums,
    /// Id of the third coordinator's HPKE key.
    pub third_key_id: [u8; 32],
    /// Deliveries are taken until this second (Unix time).
    pub deliver_until: i64,
}

type TailedPattern = Tailed<
    NationalRef,
    (Vec<(LansKod, [u8; 32])>, Vec<BTreeSet<CellIndex>>, BTreeSet<CellIndex>, [u8; 32], i64),
    (Vec<BTreeSet<GroupCode>>, GroupSums),
>;

impl From<NationalPattern> for TailedPattern {
    fn from(pattern: NationalPattern) -> Self {
        let NationalPattern { national, counties, withheld, open, third_key_id, deliver_until, .. } = pattern;
        let (groups, open_groups) = (pattern.groups, pattern.open_groups);
        let has_groups = groups.iter().any(|groups| !groups.is_empty()) || !open_groups.is_empty();
        // a list of no groups for other than every county is no pattern: it keeps its long form and is refused as one
        let is_plain = !has_groups && groups.len() == counties.len();
        let tail = (!is_plain).then_some((groups, open_groups));
        Self { first: national, rest: (counties, withheld, open, third_key_id, deliver_until), tail }
    }
}

impl From<TailedPattern> for NationalPattern {
    fn from(tailed: TailedPattern) -> Self {
        let (counties, withheld, open, third_key_id, deliver_until) = tailed.rest;
        let none = || (vec![BTreeSet::new(); counties.len()], GroupSums::new());
        let (groups, open_groups) = tailed.tail.unwrap_or_else(none);
        Self {
            national: tailed.first,
            counties,
            withheld,
            open,
            groups,
            open_groups,
            third_key_id,
            deliver_until,
        }
    }
}

/// What a county publishes of its totals under a national pattern, in ascending cell order, withheld ones left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The pattern.
    pub pattern: [u8; 32],
    /// The county.
    pub county: LansKod,
    /// Figures.
    pub values: Vec<u64>,
}

impl std::fmt::Debug for Rows {
    /// Prints no figure.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({}, {} cells)", self.county, self.values.len())
    }
}

/// A county's aggregate share, sealed to the third coordinator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedShare {
    /// The pattern.
    pub pattern: [u8; 32],
    /// The county.
    pub county: LansKod,
    /// HPKE's encapsulated key.
    pub encapsulated: [u8; 32],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for SealedShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedShare({}, {} bytes)", self.county, self.ciphertext.len())
    }
}

impl SealedShare {
    /// As `sharing` takes it.
    pub fn sealed(&self) -> Sealed {
        Sealed { encapsulated: self.encapsulated, ciphertext: self.ciphertext.clone() }
    }
}

/// What a share is sealed for: one county under one pattern.
pub fn share_binding(pattern: &[u8; 32], county: LansKod) -> BindingHash {
    let hash = Sha256::new()
        .chain_update(b"samman/v1 county share binding\0")
        .chain_update(pattern)
        .chain_update(county.to_string());
    BindingHash(hash.finalize().into())
}

/// Who is counted in the end and what is opened of them: never more than the pattern named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TailedClose", into = "TailedClose")]
pub struct NationalClose {
    /// The pattern.
    pub pattern: [u8; 32],
    /// Counties that delivered, ascending.
    pub roster: Vec<LansKod>,
    /// Sums that are opened.
    pub open: BTreeSet<CellIndex>,
    /// Sums over groups that are opened.
    pub open_groups: GroupSums,
}

type TailedClose = Tailed<[u8; 32], (Vec<LansKod>, BTreeSet<CellIndex>), GroupSums>;

impl From<NationalClose> for TailedClose {
    fn from(close: NationalClose) -> Self {
        let NationalClose { pattern, roster, open, open_groups } = close;
        let tail = (!open_groups.is_empty()).then_some(open_groups);
        Self { first: pattern, rest: (roster, open), tail }
    }
}

impl From<TailedClose> for NationalClose {
    fn from(tailed: TailedClose) -> Self {
        let (roster, open) = tailed.rest;
        Self { pattern: tailed.first, roster, open, open_groups: tailed.tail.unwrap_or_default() }
    }
}

/// A county's aggregate share by group of kommuner, as it is sealed: the whole is their sum, and is not sent beside them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupShares(pub BTreeMap<GroupCode, Vec<u8>>);

impl std::fmt::Debug for GroupShares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GroupShares({} groups)", self.0.len())
    }
}

/// Documents with canonical bytes.
pub trait Document: Serialize + DeserializeOwned + Sized {
    /// The canonical bytes.
    fn bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a document; `None` when the bytes are not the canonical ones of any.
    fn read(bytes: &[u8]) -> Option<Self> {
        let document: Self = postcard::from_bytes(bytes).ok()?;
        (document.bytes() == bytes).then_some(document)
    }

    /// SHA-256 of the document.
    fn hash(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"samman/v1 national document\0")
            .chain_update(self.bytes())
            .finalize()
            .into()
    }
}

impl Document for Offer {}
impl Document for NationalPattern {}
impl Document for Rows {}
impl Document for SealedShare {}
impl Document for NationalClose {}
impl Document for GroupShares {}

impl NationalPattern {
    /// The counties in order.
    pub fn roster(&self) -> Vec<LansKod> {
        self.counties.iter().map(|(county, _)| *county).collect()
    }

    /// The sums named that are none: no cell, or a sum of shared ones.
    pub(super) fn opens_what_is_not_shared(&self, system: &System) -> bool {
        let is_shared = |cell: &CellIndex| {
            system.cells.get(*cell).is_some_and(|cell| !matches!(cell.build, Build::Sum(_)))
        };
        !self.open.iter().all(is_shared)
    }

    /// A county's place.
    pub fn place(&self, county: LansKod) -> Option<usize> {
        self.counties.iter().position(|(known, _)| *known == county)
    }

    /// The cells a county shows under the pattern, ascending.
    pub fn shown<'a>(&'a self, system: &'a System, place: usize) -> impl Iterator<Item = CellIndex> + 'a {
        (0..system.cells.len()).filter(move |cell| !self.withheld[place].contains(cell))
    }
}
