//! KEEP-1 over an upgrade: the stores of the previous release, as files in `previous_release`, opened by this one.
#![allow(clippy::unwrap_used)] // a test that fails here should

use std::path::Path;
use std::sync::Arc;

use coordinator::helper::desk::{ClosedRounds, Desk};
use daemon::facts::FactLog;
use daemon::store::{MemoryStore, SledStore, Store, archive, version};
use round::document::CollectionRef;
use round::region::{Fact, Phase, Region};
use sharing::helper_key::HelperKeyPair;
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::system::System;

type Entries = Vec<(String, Vec<u8>)>;

/// A copy of a party's store, opened and brought up; what it held before.
fn upgraded(party: &str) -> (tempfile::TempDir, Arc<dyn Store>, Entries) {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/previous_release").join(party);
    for file in ["journal", "fence"] {
        std::fs::copy(from.join(file), folder.path().join(file)).unwrap();
    }
    let store = SledStore::open(folder.path()).unwrap();
    let before = store.scan("").unwrap();
    assert!(store.get("lager/version").unwrap().is_none() && before.len() > 10);
    version::bring_up(&store, folder.path()).unwrap();
    assert_eq!(store.get("lager/version").unwrap(), Some(version::VERSION.to_string().into_bytes()));
    (folder, Arc::new(store), before)
}

fn content(store: &dyn Store) -> Entries {
    store.scan("").unwrap().into_iter().filter(|(key, _)| !key.starts_with("lager/")).collect()
}

/// The only collection of a store.
fn collection(store: &dyn Store, prefix: &str) -> (Arc<Collection>, Arc<System>) {
    let [(_, text)] = store.scan(prefix).unwrap().try_into().unwrap();
    let text = String::from_utf8(text).unwrap();
    let codebook = Collection::codebook_of(&text).unwrap();
    let collection = Collection::from_toml(&text, &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    (Arc::new(collection), Arc::new(system))
}

#[test]
fn a_region_s_store_of_the_previous_release_still_tells_its_round() {
    let (_folder, store, before) = upgraded("region");
    assert_eq!(content(store.as_ref()), before, "nothing but the version was added");
    let (collection, system) = collection(store.as_ref(), "region/collection/");
    let prefix = format!("region/case/{}", hex::encode(collection.hash));
    let (_, facts) = FactLog::<Fact>::open(store, prefix).unwrap();
    let mut region = Region::new(collection, system, PatternKey::new(&[0; 32]));
    facts.into_iter().for_each(|fact| region.apply(fact));
    assert_eq!(region.phase(), Phase::Published);
    assert_eq!(region.document().map(|document| document.roster.len()), Some(6));
}

#[test]
fn a_helper_s_store_of_the_previous_release_still_knows_what_it_opened() {
    let (_folder, store, before) = upgraded("nationell");
    assert_eq!(content(store.as_ref()), before, "nothing but the version was added");
    let (collection, _) = collection(store.as_ref(), "helper/collection/");
    let secret: [u8; 32] = store.get("helper/hpke").unwrap().unwrap().try_into().unwrap();
    let desk = Desk::open(store, HelperKeyPair::from_secret_bytes(&secret).unwrap()).unwrap();
    let closed = desk.closed_round(&CollectionRef::of(&collection), "21").unwrap();
    assert_eq!((closed.document.round, closed.document.roster.len()), (1, 6));
}

#[test]
fn a_store_of_the_previous_release_goes_through_a_file_into_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_folder, store, before) = upgraded("nationell");
    let file = folder.path().join("nationell.samman");
    archive::export(store.as_ref(), &file, 1_700_000_000).unwrap();
    let new = MemoryStore::new();
    archive::import(&new, &file).unwrap();
    version::bring_up(&new, Path::new("new")).unwrap();
    assert_eq!(content(&new), before);
    // SAFE-1: what was put back does not know what was opened since.
    assert_eq!(archive::restored(&new).unwrap(), Some(1_700_000_000));
}
