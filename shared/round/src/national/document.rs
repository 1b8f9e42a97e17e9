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

/// The pattern over counties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
