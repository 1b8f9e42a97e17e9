//! Files of stores attacked: cut and bent anywhere, imported halfway, into the wrong store; and moved between stores.

use std::fs;
use std::path::PathBuf;

use super::archive::{ArchiveError, confirm, export, import, restored, verify};
use super::version::bring_up;
use super::*;

fn filled() -> MemoryStore {
    let store = MemoryStore::new();
    for n in 0..30u8 {
        let value = vec![n; usize::from(n) * 7];
        store.commit(Batch::new().put(format!("n/{n:02}"), value).put("å", "KANARIE")).unwrap();
    }
    store
}

fn exported(store: &dyn Store) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lager.samman");
    let summary = export(store, &file, 1_800_000_000).unwrap();
    assert_eq!((summary.entries, summary.bytes), (31, fs::metadata(&file).unwrap().len()));
    (folder, file)
}

fn content(store: &dyn Store) -> Vec<(String, Vec<u8>)> {
    store.scan("").unwrap().into_iter().filter(|(key, _)| !key.starts_with("lager/")).collect()
}

#[test]
fn a_store_goes_through_a_file_into_another_kind_of_store_unchanged() {
    let store = filled();
    let (folder, file) = exported(&store);
    let disk = SledStore::open(&folder.path().join("sled")).unwrap();
    let summary = import(&disk, &file).unwrap();
    assert_eq!((summary.made, summary.entries), (1_800_000_000, 31));
    assert_eq!(content(&disk), content(&store));
    // It may be old, and says so until a person has answered for it.
    assert_eq!(restored(&disk).unwrap(), Some(1_800_000_000));
    bring_up(&disk, folder.path()).unwrap();
    confirm(&disk).unwrap();
    assert_eq!(restored(&disk).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn a_file_is_its_owner_s_alone_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, file) = exported(&filled());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    assert!(matches!(export(&MemoryStore::new(), &file, 0), Err(ArchiveError::File { .. })));
    assert_eq!(fs::read(&file).unwrap(), before);
    let nowhere = folder.path().join("finns/inte");
    assert!(export(&filled(), &nowhere, 0).unwrap_err().to_string().contains("finns"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-written stays");
    // what lies where it is written first, open to all, is not written into
    let (other, left_over) = (folder.path().join("other"), folder.path().join("other.partial"));
    fs::write(&left_over, "x").unwrap();
    fs::set_permissions(&left_over, fs::Permissions::from_mode(0o644)).unwrap();
    export(&filled(), &other, 0).unwrap();
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o600);
}

/// KEEP-1: a damaged backup is noticed before anything of it is believed.
#[test]
fn a_file_cut_or_bent_anywhere_is_refused_and_nothing_is_imported() {
    let (_folder, file) = exported(&filled());
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        let store = MemoryStore::new();
        let error = import(&store, &file).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. }), "{what}: {error}");
        assert!(!error.to_string().contains("KANARIE"));
        assert!(store.keys("").unwrap().is_empty(), "{what}");
    };
    for cut in (0..whole.len()).step_by(61).chain([whole.len() - 1]) {
        refused(&whole[..cut], &format!("cut at {cut}"));
    }
    for place in 0..whole.len() {
        let mut bent = whole.clone();
        bent[place] ^= 0x10;
        refused(&bent, &format!("byte {place}"));
    }
    refused(&[&whole[..], &[0]].concat(), "one byte more");
    fs::write(&file, &whole).unwrap();
    assert_eq!(verify(&file).unwrap().entries, 31);
}

#[test]
fn a_store_that_holds_something_is_not_imported_into() {
    let (_folder, file) = exported(&filled());
    let store = MemoryStore::new();
    store.commit(Batch::new().put("mine", "1")).unwrap();
    assert!(matches!(import(&store, &file), Err(ArchiveError::NotEmpty { entries: 1 })));
    assert_eq!(store.keys("").unwrap(), ["mine"]);
}

#[test]
fn an_import_that_broke_off_opens_nowhere_and_can_be_made_again() {
    let source = MemoryStore::new();
    for n in 0..4u8 {
        source.commit(Batch::new().put(format!("large/{n}"), vec![n; 5_000_000])).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lager.samman");
    export(&source, &file, 7).unwrap();
    // Two batches of two, the mark before, the last batch after them.
    for commit in 1..=4 {
        let disk = MemoryDisk::new();
        disk.fail(FailPoints { before_commit: Some(commit), ..FailPoints::default() });
        assert!(import(&disk.open(), &file).is_err());
        let store = disk.open();
        if commit > 1 {
            let error = bring_up(&store, folder.path()).unwrap_err().to_string();
            assert!(error.contains("import"), "{error}");
        }
        import(&store, &file).unwrap();
        assert_eq!(content(&store), content(&source));
        bring_up(&store, folder.path()).unwrap();
    }
}
