//! The third coordinator against a national body that asks for too much, a county that sends another's share, and a crash
//! between two questions.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::counties::desk::{built, combinations, parameters};
use coordinator::counties::third::{Answer, Desk, OpenAsked, SHARE_AAD};
use coordinator::helper::desk::DeskError;
use daemon::store::{MemoryDisk, Store, archive};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::chain::{Certified, Chain, Signed};
use round::document::CollectionRef;
use round::national::document::{
    Document, NationalClose, NationalPattern, NationalRef, Offer, SealedShare, share_binding,
};
use round::refusal::Refusal;
use sharing::aggregate::AggregateShare;
use sharing::helper_key::{HelperKeyPair, SealPurpose};
use sharing::opening::{NoNoise, OpenedShare, open};
use sharing::output::Side;
use sharing::signing::{SigningContext, SigningKey};
use suppress::counties;
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::figures::CountyMark;
use tables::system::{CellIndex, System};

const COUNTIES: [&str; 4] = ["03", "07", "08", "10"];
const TEXT: &str = r#"
id = "prov"
version = 1
titel = "Prov"
lan = "03"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["0301", "0302", "0303", "0304", "0305"]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[nationell]
lan = ["03", "07", "08", "10"]
minst_lan = 3
inom_timmar = 2
tredje_nyckel = "@KEY@"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon"]
"#;

#[derive(Default)]
struct Parties(BTreeMap<Vec<u8>, (Certified, Arc<SigningKey>)>);

impl Parties {
    fn of(parties: &[(&'static str, &str)]) -> Self {
        let mut rng = ChaCha20Rng::from_seed([5; 32]);
        let mut all = Self::default();
        for (role, unit) in parties {
            let key = SigningKey::from_pkcs8(&SigningKey::generate(&mut rng)).unwrap();
            let der = format!("{role} {unit}").into_bytes();
            let certified =
                Certified { role, unit: (*unit).into(), fingerprint: [0; 32], key: key.verifying_key() };
            all.0.insert(der, (certified, Arc::new(key)));
        }
        all
    }

    fn sign(&self, who: &str, context: SigningContext, bytes: Vec<u8>) -> Signed {
        let (_, key) = &self.0[who.as_bytes()];
        let signature = key.sign(context, &bytes).0.to_vec();
        Signed { bytes, signature, certificate: who.as_bytes().to_vec() }
    }
}

impl Chain for Parties {
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        self.0.get(certificate).map(|(certified, _)| certified.clone())
    }
}

/// A national round in which every county but the last withholds both cells of the only table.
struct World {
    parties: Parties,
    collection: Arc<Collection>,
    system: Arc<System>,
    keys: HelperKeyPair,
    pattern: NationalPattern,
    disk: MemoryDisk,
    text: String,
}

impl World {
    fn new() -> Self {
        let keys = HelperKeyPair::derive(&[9; 64]).unwrap();
        let text = TEXT.replace("@KEY@", &hex::encode(keys.public().id()));
        let (collection, system) = built(&text).unwrap();
        let regions = COUNTIES.map(|county| ("region", county));
        let parties = Parties::of(&[&regions[..], &[("national", "00"), ("region", "21")]].concat());
        let national = NationalRef::of(&collection, &system).unwrap();
        let inner = Self::inner(&system);
        let mut marks = vec![vec![CountyMark::Shown; system.cells.len()]; COUNTIES.len()];
        for own in marks.iter_mut().take(3) {
            inner.iter().for_each(|cell| own[*cell] = CountyMark::Withheld);
        }
        let names: Vec<String> = COUNTIES.map(ToOwned::to_owned).to_vec();
        let chosen = counties::choose(&system, &marks, &names, &PatternKey::new(&[1; 32]));
        let offer = |county: &&str| {
            let offer = Offer {
                national: national.clone(),
                county: county.parse().unwrap(),
                collection: CollectionRef::of(&collection),
                round: 1,
                pattern: [0; 32],
                marks: Vec::new(),
                groups: BTreeSet::new(),
            };
            (offer.county, offer.hash())
        };
        let pattern = NationalPattern {
            national: national.clone(),
            counties: COUNTIES.iter().map(offer).collect(),
            withheld: chosen.withheld,
            open: chosen.open,
            groups: vec![BTreeSet::new(); COUNTIES.len()],
            open_groups: BTreeSet::new(),
            third_key_id: keys.public().id(),
            deliver_until: 0,
        };
        Self { parties, collection, system, keys, pattern, disk: MemoryDisk::new(), text }
    }

    fn inner(system: &System) -> Vec<CellIndex> {
        let inner = system.tables[0].rows.iter().filter(|row| row.codes.iter().all(Option::is_some));
        inner.map(|row| row.cell).collect()
    }

    fn desk(&self) -> Desk {
        let store: Arc<dyn Store> = Arc::new(self.disk.open());
        Desk::open(store, self.keys.clone()).unwrap()
    }

    /// One side's sum of a county over one report, every entry `amount`.
    fn share(&self, side: Side, amount: u64) -> AggregateShare {
        let shape = parameters(&self.system).unwrap();
        let mut bytes = AggregateShare::new(&shape, side).encode(&shape);
        let entries: usize = self.system.blocks.iter().map(|block| block.length).sum();
        let reports = bytes.len() - entries * 16 - 40;
        bytes[reports + 7] = 1;
        let mut share = AggregateShare::decode(&shape, &bytes).unwrap();
        for (at, block) in self.system.blocks.iter().enumerate() {
            share.raise(at, &vec![amount; block.length]).unwrap();
        }
        share
    }

    fn sealed(&self, county: &str, signer: &str, amount: u64) -> Signed {
        let shape = parameters(&self.system).unwrap();
        let hash = self.pattern.hash();
        let binding = share_binding(&hash, county.parse().unwrap());
        let plain = self.share(Side::Region, amount).encode(&shape);
        let mut rng = ChaCha20Rng::from_seed([amount as u8; 32]);
        let sealed =
            self.keys.public().seal(SealPurpose::AggregateShare, binding, SHARE_AAD, &plain, &mut rng);
        let sealed = sealed.unwrap();
        let share = SealedShare {
            pattern: hash,
            county: county.parse().unwrap(),
            encapsulated: sealed.encapsulated,
            ciphertext: sealed.ciphertext,
        };
        self.parties.sign(signer, SigningContext::CountyShare, share.bytes())
    }

    fn close(&self, roster: &[&str]) -> NationalClose {
        let places =
            roster.iter().map(|county| self.pattern.place(county.parse().unwrap()).unwrap()).collect();
        let (open, _) = counties::opened(&self.system, &self.pattern.withheld, &[], &places);
        let roster = roster.iter().map(|county| county.parse().unwrap()).collect();
        NationalClose { pattern: self.pattern.hash(), roster, open, open_groups: BTreeSet::new() }
    }

    fn asked(&self, close: &NationalClose) -> OpenAsked {
        let county = |county: &tables::unit::LansKod| {
            let county = county.to_string();
            self.sealed(&county, &format!("region {county}"), 10)
        };
        OpenAsked {
            text: self.text.clone(),
            pattern: self.parties.sign("national 00", SigningContext::NationalPattern, self.pattern.bytes()),
            close: self.parties.sign("national 00", SigningContext::NationalClose, close.bytes()),
            shares: close.roster.iter().map(county).collect(),
        }
    }

    fn refused(&self, asked: &OpenAsked) -> Refusal {
        match self.desk().open_counties(asked, &self.parties) {
            Err(DeskError::Refused(refusal)) => refusal,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it was opened"),
        }
    }
}

#[test]
fn only_sums_over_counties_are_opened_and_the_same_question_gets_the_same_answer_after_a_crash() {
    let world = World::new();
    let close = world.close(&COUNTIES);
    let asked = world.asked(&close);
    let answer = world.desk().open_counties(&asked, &world.parties).unwrap();
    let Answer::Opened { shares, .. } = &answer else { panic!("a share was refused") };
    assert_eq!(shares.len(), World::inner(&world.system).len());
    let mut own = world.share(Side::Helper, 0);
    (1..4).for_each(|_| own.merge(&world.share(Side::Helper, 0)).unwrap());
    let listed = combinations(&world.system, &close.open).unwrap();
    let own = own.combine_all(&listed, &mut NoNoise).unwrap();
    for (theirs, own) in shares.iter().zip(&own) {
        assert_eq!(open(&OpenedShare::decode(theirs).unwrap(), own).unwrap(), 40);
    }
    let again = world.desk().open_counties(&asked, &world.parties).unwrap();
    assert_eq!(again, answer);
    // also when a county's certificate is withdrawn in between: it was counted
    let mut withdrawn = Parties(world.parties.0.clone());
    withdrawn.0.remove(&b"region 07"[..]);
    assert_eq!(world.desk().open_counties(&asked, &withdrawn).unwrap(), answer);
}

/// SAFE-3: the difference of two closes would be one county's sum.
#[test]
fn a_second_close_of_the_round_is_refused_also_after_a_restart() {
    let world = World::new();
    world.desk().open_counties(&world.asked(&world.close(&COUNTIES)), &world.parties).unwrap();
    assert_eq!(world.refused(&world.asked(&world.close(&["03", "07", "08"]))), Refusal::Ledger);
}

/// SAFE-3: a store put back from a backup does not know what was opened since.
#[test]
fn a_restored_third_coordinator_opens_nothing_until_its_operator_has_answered_for_it() {
    let world = World::new();
    let asked = world.asked(&world.close(&COUNTIES));
    archive::mark_restored(&world.disk.open(), 1_700_000_000).unwrap();
    let refused = world.desk().open_counties(&asked, &world.parties);
    assert!(matches!(refused, Err(DeskError::Restored)));
    archive::confirm(&world.disk.open()).unwrap();
    assert!(world.desk().open_counties(&asked, &world.parties).is_ok());
}

#[test]
fn a_sum_that_hides_two_counties_is_refused_whoever_signed_it() {
    let world = World::new();
    let mut close = world.close(&["03", "07", "10"]);
    close.open = World::inner(&world.system).into_iter().collect();
    assert!(matches!(world.refused(&world.asked(&close)), Refusal::Pattern(_)));
    let mut margin = world.close(&COUNTIES);
    margin.open.insert(world.system.tables[0].rows.last().unwrap().cell);
    assert!(matches!(world.refused(&world.asked(&margin)), Refusal::Pattern(_)));
}

#[test]
fn nobody_but_the_national_body_signs_a_pattern_or_a_close() {
    let world = World::new();
    let close = world.close(&COUNTIES);
    let mut asked = world.asked(&close);
    asked.close = world.parties.sign("region 03", SigningContext::NationalClose, close.bytes());
    assert!(matches!(world.refused(&asked), Refusal::Signature(_)));
    let mut asked = world.asked(&close);
    asked.pattern = world.parties.sign("region 03", SigningContext::NationalPattern, world.pattern.bytes());
    assert!(matches!(world.refused(&asked), Refusal::Signature(_)));
    // a pattern's signature is none of a close
    let mut asked = world.asked(&close);
    asked.close = world.parties.sign("national 00", SigningContext::NationalPattern, close.bytes());
    assert!(matches!(world.refused(&asked), Refusal::Signature(_)));
}

/// A share that is not the county's own, under this pattern, is named; nothing is opened for the others, and they are opened
/// without it when they are closed again.
#[test]
fn a_share_counts_only_for_the_county_that_signed_it_under_this_pattern_and_costs_that_county_only() {
    let world = World::new();
    let close = world.close(&COUNTIES);
    let unusable = |asked: &OpenAsked| match world.desk().open_counties(asked, &world.parties).unwrap() {
        Answer::Unusable(counties) => counties.iter().map(ToString::to_string).collect::<Vec<_>>(),
        Answer::Opened { .. } => panic!("it was opened"),
    };
    let mut asked = world.asked(&close);
    asked.shares[1] = world.sealed("07", "region 21", 10);
    assert_eq!(unusable(&asked), ["07"]);
    let mut asked = world.asked(&close);
    asked.shares.swap(0, 1);
    assert_eq!(unusable(&asked), ["03", "07"]);
    let mut asked = world.asked(&close);
    asked.shares[1] = asked.shares[0].clone();
    assert_eq!(unusable(&asked), ["07"], "one county twice");
    let mut other = World::new();
    other.pattern.deliver_until += 1;
    let mut asked = world.asked(&close);
    asked.shares[2] = other.sealed("08", "region 08", 10);
    assert_eq!(unusable(&asked), ["08"], "sealed for another pattern");
    let mut asked = world.asked(&close);
    asked.shares.pop();
    assert!(matches!(world.refused(&asked), Refusal::Malformed(_)));
    // nothing was opened before: without the county the rest is
    let rest = world.close(&["03", "07", "10"]);
    let answer = world.desk().open_counties(&world.asked(&rest), &world.parties).unwrap();
    assert!(matches!(answer, Answer::Opened { .. }));
}

/// The national body certifies everybody, also a third coordinator of its own: the key stands in what kommuner approved.
#[test]
fn a_third_coordinator_that_the_collection_does_not_name_opens_nothing() {
    let world = World::new();
    let own = HelperKeyPair::derive(&[8; 64]).unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryDisk::new().open());
    let desk = Desk::open(store, own.clone()).unwrap();
    let mut named = World::new();
    named.pattern.third_key_id = own.public().id();
    let asked = named.asked(&named.close(&COUNTIES));
    let refused = desk.open_counties(&asked, &world.parties).unwrap_err();
    assert!(matches!(refused, DeskError::Refused(Refusal::OtherBinding("third coordinator's key"))));
}

#[test]
fn tables_of_another_collection_are_not_opened() {
    let world = World::new();
    let mut asked = world.asked(&world.close(&COUNTIES));
    asked.text = world.text.replace("[\"kon\"]", "[\"kon\", \"aldersgrupp\"]");
    assert_eq!(world.refused(&asked), Refusal::OtherBinding("national round"));
    assert_eq!(world.collection.id, "prov");
}
