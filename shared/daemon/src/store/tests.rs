//! KEEP-1 attacked on a real disk: cut journals, destroyed trees, second openers, stale fences, and a model.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn put(n: u32) -> Batch {
    Batch::new().put(format!("n/{n:04}"), n.to_string()).put("last", n.to_string())
}

fn filled(dir: &Path, batches: u32) {
    let store = SledStore::open(dir).unwrap();
    for n in 1..=batches {
        store.commit(put(n)).unwrap();
    }
}

fn assert_filled(dir: &Path, batches: u32) {
    let store = SledStore::open(dir).unwrap();
    assert_eq!(store.keys("n/").unwrap().len(), batches as usize);
    let last = store.get("last").unwrap().map(|v| String::from_utf8(v).unwrap());
    assert_eq!(last, Some(batches.to_string()));
    store.commit(Batch::new().put("after", "recovery")).unwrap();
}

#[test]
fn what_was_committed_is_there_after_reopening_and_the_fence_has_grown() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.fence(), 2);
    assert_eq!(store.get("n/0003").unwrap(), Some(b"3".to_vec()));
    assert_eq!(store.get("n/0006").unwrap(), None);
    let scanned: Vec<String> = store.scan("n/").unwrap().into_iter().map(|(k, _)| k).collect();
    assert_eq!(scanned, ["n/0001", "n/0002", "n/0003", "n/0004", "n/0005"]);
}

#[test]
fn a_second_opener_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let first = SledStore::open(dir.path()).unwrap();
    let refused = SledStore::open(dir.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }));
    assert!(refused.to_string().contains("another process"));
    first.commit(put(1)).unwrap();
    drop(first);
    assert!(SledStore::open(dir.path()).is_ok());
}

#[test]
fn a_batch_with_a_stale_fence_is_refused_and_so_is_a_superseded_handle() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    let store = SledStore::open(dir.path()).unwrap();
    let stale = store.commit(put(2).expect_fence(1)).unwrap_err();
    assert!(matches!(stale, StoreError::Fenced { expected: 1, current: 2 }) && stale.is_refusal());
    store.commit(put(2).expect_fence(2)).unwrap();
    // As if another process had opened the directory over a lock that the file system lost.
    fs::write(dir.path().join("fence"), "3\n").unwrap();
    assert!(matches!(store.commit(put(3)), Err(StoreError::Fenced { expected: 2, current: 3 })));
    assert_eq!(store.get("n/0003").unwrap(), None);
}

#[test]
fn a_torn_journal_tail_is_cut_off_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let journal = dir.path().join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    let tail = bytes[bytes.len() - 90..].to_vec();
    bytes.extend_from_slice(&[0; 30]);
    fs::write(&journal, &bytes).unwrap();
    assert_filled(dir.path(), 5);
    // Also when the last acknowledged record itself is damaged: the tree has it.
    let mut bytes = fs::read(&journal).unwrap();
    let cut = bytes.len() - tail.len() / 2;
    bytes.truncate(cut);
    fs::write(&journal, &bytes).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.get("after").unwrap(), Some(b"recovery".to_vec()));
}

#[test]
fn a_destroyed_tree_is_rebuilt_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 7);
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    assert_filled(dir.path(), 7);
}

#[test]
fn a_damaged_tree_is_set_aside_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 7);
    let db = dir.path().join("tree/db");
    let mut bytes = fs::read(&db).unwrap();
    bytes.iter_mut().for_each(|b| *b ^= 0x5a);
    fs::write(&db, bytes).unwrap();
    assert_filled(dir.path(), 7);
}

#[test]
fn an_older_tree_catches_up_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let old = tempfile::tempdir().unwrap();
    copy(&dir.path().join("tree"), &old.path().join("tree"));
    {
        let store = SledStore::open(dir.path()).unwrap();
        (4..=6).for_each(|n| store.commit(put(n)).unwrap());
    }
    wait_released(dir.path());
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    copy(&old.path().join("tree"), &dir.path().join("tree"));
    assert_filled(dir.path(), 6);
}

#[test]
fn a_tree_that_lost_an_entry_is_noticed_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 4);
    {
        let db = sled_open(&dir.path().join("tree"));
        db.remove([&[1][..], b"n/0002"].concat()).unwrap();
        db.flush().unwrap();
    }
    assert_filled(dir.path(), 4);
    assert!(dir.path().join("tree.broken-2").exists());
}

#[test]
fn a_damaged_journal_is_written_anew_from_a_whole_tree() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 4);
    let journal = dir.path().join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[40] ^= 1;
    fs::write(&journal, bytes).unwrap();
    assert_filled(dir.path(), 4);
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(store.get("after").unwrap(), Some(b"recovery".to_vec()));
}

#[test]
fn where_nothing_is_whole_the_error_says_restore_and_nothing_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 4);
    let journal = dir.path().join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[40] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    let error = SledStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("restore"), "{error}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    fs::remove_file(&journal).unwrap();
    let error = SledStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "an emptied store is not a new one: {error}");
}

#[test]
fn a_long_journal_is_compacted_and_the_tree_can_still_be_rebuilt_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { compact_above: 4096 };
    let store = SledStore::open_with(dir.path(), options).unwrap();
    for n in 1..=200 {
        store.commit(Batch::new().put("same", vec![n as u8; 100]).put("last", n.to_string())).unwrap();
    }
    assert!(fs::metadata(dir.path().join("journal")).unwrap().len() < 6000);
    drop(store);
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    let store = SledStore::open_with(dir.path(), options).unwrap();
    assert_eq!(store.get("same").unwrap(), Some(vec![200; 100]));
    assert_eq!(store.keys("").unwrap(), ["last", "same"]);
}

#[test]
fn a_journal_that_cannot_be_compacted_goes_on_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    // A directory where the new journal should be written.
    fs::create_dir(dir.path().join("journal.new.d")).unwrap();
    let store = SledStore::open_with(dir.path(), StoreOptions { compact_above: 100 }).unwrap();
    fs::rename(dir.path().join("journal.new.d"), dir.path().join("journal.new")).unwrap();
    (1..=20).for_each(|n| store.commit(put(n)).unwrap());
    drop(store);
    fs::remove_dir(dir.path().join("journal.new")).unwrap();
    assert_filled(dir.path(), 20);
}

#[test]
fn a_half_built_tree_is_never_taken_for_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 6);
    let other = tempfile::tempdir().unwrap();
    filled(other.path(), 2);
    wait_released(other.path());
    // As a crash in the middle of rebuilding leaves it.
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    copy(&other.path().join("tree"), &dir.path().join("tree.rebuilding"));
    assert_filled(dir.path(), 6);
    assert!(!dir.path().join("tree.rebuilding").exists());
}

#[test]
fn a_compacted_store_that_was_emptied_reopens_and_rebuilds_as_empty() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { compact_above: 10 };
    let store = SledStore::open_with(dir.path(), options).unwrap();
    store.commit(Batch::new().put("a", "1")).unwrap();
    store.commit(Batch::new().delete("a")).unwrap();
    drop(store);
    fs::remove_dir_all(dir.path().join("tree")).unwrap();
    for _ in 0..2 {
        let store = SledStore::open_with(dir.path(), options).unwrap();
        assert!(store.keys("").unwrap().is_empty());
    }
}

#[test]
fn large_values_survive_and_too_large_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7) as u8).collect();
    {
        let store = SledStore::open(dir.path()).unwrap();
        store.commit(Batch::new().put("large", large.clone())).unwrap();
        let refused = store.commit(Batch::new().put("huge", vec![0; MAX_VALUE_BYTES + 1])).unwrap_err();
        assert!(matches!(refused, StoreError::Value { .. }) && refused.to_string().contains("67108864"));
        let key = "k".repeat(MAX_KEY_BYTES + 1);
        assert!(matches!(store.commit(Batch::new().put(key, "")), Err(StoreError::Key { bytes: 513 })));
        assert!(matches!(store.commit(Batch::new().put("", "")), Err(StoreError::Key { bytes: 0 })));
    }
    let store = SledStore::open(dir.path()).unwrap();
    assert!(store.get("large").unwrap().is_some_and(|value| value == large));
}

#[test]
fn debug_texts_show_no_value() {
    let batch = Batch::new().put("round/1", "hemligt").delete("x");
    assert_eq!(format!("{batch:?}"), r#"{"round/1": Some(7), "x": None}"#);
}

fn sled_open(path: &Path) -> sled::Db {
    for _ in 0..100 {
        if let Ok(db) = sled::open(path) {
            return db;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("sled stays locked");
}

/// sled lets go of its files a moment after it is dropped.
fn wait_released(dir: &Path) {
    drop(sled_open(&dir.join("tree")));
    std::thread::sleep(std::time::Duration::from_millis(100));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What can happen to a store in the model test.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Option<Vec<u8>>)>),
    Reopen,
    LoseTree,
    TearTail(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0u8..12, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)));
    prop_oneof![
        6 => proptest::collection::vec(change, 0..5).prop_map(Step::Commit),
        2 => Just(Step::Reopen),
        1 => Just(Step::LoseTree),
        1 => (1u8..100).prop_map(Step::TearTail),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map_through_crashes_and_reopenings(
        steps in proptest::collection::vec(step(), 1..20)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { compact_above: 600 };
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut store = Some(SledStore::open_with(dir.path(), options).unwrap());
        for step in steps {
            if let Step::Commit(changes) = step {
                let mut batch = Batch::new();
                for (key, value) in changes {
                    let key = format!("{}/{key}", key % 3);
                    batch = match &value {
                        Some(value) => batch.put(key.clone(), value.clone()),
                        None => batch.delete(key.clone()),
                    };
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
                store.as_ref().unwrap().commit(batch).unwrap();
            } else {
                drop(store.take());
                match step {
                    Step::LoseTree => fs::remove_dir_all(dir.path().join("tree")).unwrap(),
                    Step::TearTail(bytes) => {
                        let mut tail = fs::OpenOptions::new().append(true).open(dir.path().join("journal")).unwrap();
                        std::io::Write::write_all(&mut tail, &vec![0; bytes.into()]).unwrap();
                    }
                    _ => {}
                }
                store = Some(SledStore::open_with(dir.path(), options).unwrap());
            }
            let store = store.as_ref().unwrap();
            let all: BTreeMap<String, Vec<u8>> = store.scan("").unwrap().into_iter().collect();
            prop_assert_eq!(&all, &model);
            let some: Vec<String> = model.keys().filter(|k| k.starts_with("1/")).cloned().collect();
            prop_assert_eq!(store.keys("1/").unwrap(), some);
        }
    }
}

/// KEEP-1: a daemon that cannot store must not go on as if it could.
#[tokio::test]
async fn a_daemon_hears_that_its_store_has_halted() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let early = tokio::time::timeout(std::time::Duration::ZERO, crate::store::halted(store.clone())).await;
    assert!(early.is_err(), "nothing has happened yet");
    store.disk().fail(FailPoints { before_commit: Some(1), ..FailPoints::default() });
    assert!(store.commit(Batch::new().put("a", b"1".to_vec())).is_err());
    assert!(matches!(crate::store::halted(store).await, StoreError::Halted { .. }));
}
