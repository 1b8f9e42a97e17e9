//! One suite for all stores: what the trait says holds in memory, on disk and in PostgreSQL. Then what only PostgreSQL has:
//! leases, fences, servers that die.
#![allow(clippy::unwrap_used)] // a test that fails here should

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use daemon::store::{
    Batch, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, MemoryDisk, SledStore, Store, StoreError,
};
use postgres::{Cluster, PASSWORD, USER, private};
use postgresql_store::{Place, PostgresStore};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Opens the store of a name; the same name is the same store again.
type Open<'a> = &'a dyn Fn(&str) -> Arc<dyn Store>;

const PATIENCE: Duration = Duration::from_secs(60);

fn place(cluster: &Cluster, schema: &str) -> Place {
    let socket = format!("{}:{}", cluster.socket().display(), cluster.port());
    Place::new(&socket, "postgres", USER).unwrap().schema(schema).unwrap().takeover(2).unwrap()
}

/// Opens a store whose last holder may have died without a word.
fn take_over(place: &Place) -> PostgresStore {
    let began = Instant::now();
    loop {
        match PostgresStore::try_open(place) {
            Err(StoreError::Locked { .. }) if began.elapsed() < PATIENCE => {}
            opened => return opened.unwrap(),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn in_memory(suite: impl Fn(Open<'_>)) {
    let disks = std::cell::RefCell::new(BTreeMap::<String, MemoryDisk>::new());
    suite(&|name| Arc::new(disks.borrow_mut().entry(name.into()).or_default().open()));
}

fn in_sled(suite: impl Fn(Open<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    suite(&|name| Arc::new(SledStore::open(&folder.path().join(name)).unwrap()));
}

fn in_postgresql(suite: impl Fn(Open<'_>)) {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    suite(&|name| Arc::new(PostgresStore::try_open(&place(&cluster, name)).unwrap()));
}

/// What the trait says.
fn conforms(open: Open<'_>) {
    batches_are_whole_and_outlive_the_opening(open);
    keys_are_in_the_order_of_their_bytes(open);
    limits_are_kept_and_refusals_change_nothing(open);
    a_reading_shows_everything_once(open);
    agrees_with_a_map(open);
}

fn batches_are_whole_and_outlive_the_opening(open: Open<'_>) {
    let store = open("whole");
    let first = store.fence();
    store.commit(Batch::new().put("a", "1").put("b", "").put("c", "3")).unwrap();
    store.commit(Batch::new().put("a", "2").delete("c").delete("never")).unwrap();
    store.commit(Batch::new()).unwrap();
    drop(store);
    let store = open("whole");
    assert!(store.fence() > first);
    assert_eq!(store.get("a").unwrap(), Some(b"2".to_vec()));
    assert_eq!(store.get("b").unwrap(), Some(Vec::new()), "an empty value is not an absent one");
    assert_eq!(store.get("c").unwrap(), None);
    let stale = store.commit(Batch::new().put("a", "stale").expect_fence(first)).unwrap_err();
    assert!(matches!(stale, StoreError::Fenced { .. }) && stale.is_refusal());
    store.commit(Batch::new().put("d", "4").expect_fence(store.fence())).unwrap();
    assert_eq!(store.scan("").unwrap().len(), 3);
}

fn keys_are_in_the_order_of_their_bytes(open: Open<'_>) {
    let store = open("ordered");
    let keys = ["\0", "A", "a", "a/", "a/1", "a/10", "a/2", "a0", "aa", "b", "z", "Å", "å", "\u{10ffff}"];
    let mut sorted: Vec<&str> = keys.to_vec();
    sorted.sort_by_key(|key| key.as_bytes());
    for key in keys.iter().rev() {
        store.commit(Batch::new().put(*key, *key)).unwrap();
    }
    assert_eq!(store.keys("").unwrap(), sorted);
    assert_eq!(store.keys("a/").unwrap(), ["a/", "a/1", "a/10", "a/2"]);
    assert_eq!(store.keys("a/1").unwrap(), ["a/1", "a/10"]);
    assert_eq!(store.keys("\u{10ffff}").unwrap(), ["\u{10ffff}"]);
    assert!(store.scan("c").unwrap().is_empty());
}

fn limits_are_kept_and_refusals_change_nothing(open: Open<'_>) {
    let store = open("limits");
    let longest = "k".repeat(MAX_KEY_BYTES);
    let large: Vec<u8> = (0..9_000_000u32).map(|n| (n * 7) as u8).collect();
    store.commit(Batch::new().put(longest.clone(), large.clone())).unwrap();
    for key in ["", &"k".repeat(MAX_KEY_BYTES + 1)] {
        let refused = store.commit(Batch::new().put(key, "").put("beside", "")).unwrap_err();
        assert!(matches!(refused, StoreError::Key { .. }) && refused.is_refusal());
        assert!(matches!(store.get(key), Err(StoreError::Key { .. })));
    }
    let refused = store.commit(Batch::new().put("v", vec![0; MAX_VALUE_BYTES + 1])).unwrap_err();
    assert!(matches!(refused, StoreError::Value { .. }) && refused.is_refusal());
    let many = MAX_BATCH_BYTES / MAX_VALUE_BYTES + 1;
    let full = (0..many).fold(Batch::new(), |batch, n| batch.put(n.to_string(), vec![0; MAX_VALUE_BYTES]));
    assert!(matches!(store.commit(full), Err(StoreError::Batch { .. })));
    assert_eq!(store.keys("").unwrap(), std::slice::from_ref(&longest));
    assert!(store.get(&longest).unwrap().is_some_and(|value| value == large));
}

fn a_reading_shows_everything_once(open: Open<'_>) {
    let store = open("reading");
    let batch = (0..40).fold(Batch::new(), |batch, n| batch.put(format!("n/{n:02}"), vec![n; 1_000]));
    store.commit(batch).unwrap();
    let mut seen = Vec::new();
    let shown = store.each(&mut |key, value| {
        seen.push((key.to_owned(), value.to_vec()));
        Ok(())
    });
    shown.unwrap();
    assert_eq!(seen, store.scan("").unwrap());
    let mut count = 0;
    let ended = store.each(&mut |_, _| {
        count += 1;
        if count == 3 { Err(StoreError::Full { path: "there".into() }) } else { Ok(()) }
    });
    assert!(matches!(ended, Err(StoreError::Full { .. })) && count == 3);
    store.commit(Batch::new().put("after", "a reading that was broken off")).unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Option<Vec<u8>>)>),
    Reopen,
}

fn agrees_with_a_map(open: Open<'_>) {
    let change = (0u8..12, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)));
    let step = prop_oneof![
        5 => proptest::collection::vec(change, 0..5).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ];
    let mut runner = TestRunner::new(ProptestConfig { cases: 8, ..ProptestConfig::default() });
    let number = std::cell::Cell::new(0);
    let run = runner.run(&proptest::collection::vec(step, 1..20), |steps| {
        number.set(number.get() + 1);
        let name = format!("model_{}", number.get());
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut store = Some(open(&name));
        for step in steps {
            match step {
                Step::Reopen => {
                    drop(store.take());
                    store = Some(open(&name));
                }
                Step::Commit(changes) => {
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
                }
            }
            let all: BTreeMap<_, _> = store.as_ref().unwrap().scan("").unwrap().into_iter().collect();
            prop_assert_eq!(&all, &model);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn the_store_in_memory_conforms() {
    in_memory(conforms);
}

#[test]
fn the_store_on_disk_conforms() {
    in_sled(conforms);
}

#[test]
fn the_store_in_postgresql_conforms() {
    in_postgresql(conforms);
}

/// KEEP-1: who was superseded cannot write any more, and hears of it.
#[test]
fn only_one_is_active_and_who_was_superseded_cannot_write() {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let place = place(&cluster, "one");
    let first = Arc::new(PostgresStore::try_open(&place).unwrap());
    first.commit(Batch::new().put("a", "1")).unwrap();
    let refused = PostgresStore::try_open(&place).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    // As if the first one had stood still for longer than its lease.
    cluster.run("UPDATE one.opening SET lease_until = TIMESTAMP WITH TIME ZONE '2000-01-01 00:00:00+00'");
    let second = PostgresStore::try_open(&place).unwrap();
    assert_eq!((first.fence(), second.fence()), (1, 2));
    let refused = first.commit(Batch::new().put("a", "KANARIE")).unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { expected: 1, current: 2 }), "{refused}");
    assert!(matches!(first.get("a"), Err(StoreError::Fenced { .. })));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(matches!(runtime.block_on(daemon::store::halted(first.clone())), StoreError::Fenced { .. }));
    second.commit(Batch::new().put("b", "2")).unwrap();
    drop(first);
    // The superseded one's end gives back nothing that is another's.
    assert!(matches!(PostgresStore::try_open(&place), Err(StoreError::Locked { .. })));
    assert_eq!(second.get("a").unwrap(), Some(b"1".to_vec()));
    drop(second);
    assert_eq!(PostgresStore::try_open(&place).unwrap().fence(), 3, "an orderly end needs no waiting");
}

#[test]
fn of_many_that_start_at_once_on_an_empty_database_one_is_active() {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let place = place(&cluster, "race");
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| PostgresStore::try_open(&place))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (active, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
    let locked = |refused: &Result<_, StoreError>| matches!(refused, Err(StoreError::Locked { .. }));
    assert!(active.len() == 1 && refused.iter().all(locked), "{refused:?}");
    active[0].as_ref().unwrap().commit(Batch::new().put("a", "1")).unwrap();
}

/// A database that is slow to answer holds up who asked, and nobody else.
#[test]
fn who_waits_for_the_database_leaves_the_runtime_to_others() {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let store = Arc::new(PostgresStore::try_open(&place(&cluster, "slow")).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = cluster.socket().to_str().unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host(socket).port(cluster.port()).user(USER).dbname("postgres");
    let blocker = runtime.block_on(async {
        let (blocker, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        blocker.batch_execute("BEGIN; SELECT 1 FROM slow.opening FOR UPDATE").await.unwrap();
        blocker
    });
    let (started, has_started) = mpsc::channel();
    let waiting = store.clone();
    let commit = runtime.spawn(async move {
        started.send(()).unwrap();
        waiting.commit(Batch::new().put("a", "1"))
    });
    has_started.recv().unwrap();
    let (ran, has_run) = mpsc::channel();
    runtime.spawn(async move { ran.send(()) });
    has_run.recv_timeout(PATIENCE).expect("the only thread of the runtime waits for the database");
    assert!(!commit.is_finished());
    runtime.block_on(blocker.batch_execute("ROLLBACK")).unwrap();
    runtime.block_on(commit).unwrap().unwrap();
    assert_eq!(store.get("a").unwrap(), Some(b"1".to_vec()));
}

#[test]
fn the_lease_is_kept_by_a_living_holder_and_by_a_long_transaction() {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let place = place(&cluster, "lease");
    let store = PostgresStore::try_open(&place).unwrap();
    // Longer than the lease: without renewal another one would get in.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert!(matches!(PostgresStore::try_open(&place), Err(StoreError::Locked { .. })));
        std::thread::sleep(Duration::from_millis(200));
    }
    store.commit(Batch::new().put("a", "1")).unwrap();
}

/// A store that would lose what it acknowledged, or that another release made, is not opened; no error shows a word of secrets.
#[test]
fn servers_and_accounts_that_will_not_do_are_refused_with_words() {
    let Some(cluster) = Cluster::start() else { return };
    let refused = |place: &Place| {
        let text = PostgresStore::try_open(place).unwrap_err().to_string();
        assert!(!text.contains(PASSWORD), "{text}");
        text
    };
    assert!(refused(&place(&cluster, "a")).contains("fsync is off"));
    drop(cluster);
    let Some(cluster) = Cluster::start_with(&["synchronous_commit=off"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right"), folder.path().join("wrong"));
    private(&right, PASSWORD);
    private(&wrong, "fel");
    let over_tls = |password: &std::path::Path, root| {
        let address = format!("127.0.0.1:{}", cluster.port());
        let place = Place::new(&address, "postgres", USER).unwrap().schema("tls").unwrap();
        place.password(Some(password.to_owned())).root(Some(root)).unwrap()
    };
    PostgresStore::try_open(&over_tls(&right, cluster.root())).unwrap();
    assert!(refused(&over_tls(&wrong, cluster.root())).contains("not accepted (SQLSTATE 28P01)"));
    assert!(refused(&over_tls(&right, cluster.other_root())).contains("certificate is not accepted"));
    let nowhere = Place::new("127.0.0.1:1", "postgres", USER).unwrap();
    assert!(refused(&nowhere).contains("it cannot be reached"));
    cluster.run("UPDATE tls.opening SET layout = 99");
    let newer = PostgresStore::try_open(&over_tls(&right, cluster.root())).unwrap_err();
    assert!(matches!(newer, StoreError::Version { found: 99, known: 1, .. }), "{newer}");
    cluster.run("ALTER DATABASE postgres SET default_transaction_read_only = on");
    assert!(refused(&place(&cluster, "b")).contains("only reads"));
}

fn number(value: &[u8]) -> u64 {
    String::from_utf8_lossy(value).trim().parse().unwrap()
}

fn batch(n: u64, pad: usize) -> Batch {
    let value = n.to_string().into_bytes();
    let padded = [value.clone(), vec![b' '; pad]].concat();
    let batch = Batch::new().put(format!("a/{n:06}"), value.clone()).put("pad", padded);
    batch.put(format!("b/{n:06}"), value.clone()).put("last", value)
}

/// Every acknowledged batch is there, each whole, and at most one more; the last one found.
fn assert_all_there(store: &dyn Store, acknowledged: u64) -> u64 {
    let found = store.get("last").unwrap().map_or(0, |v| number(&v));
    let right = found == acknowledged || found == acknowledged + 1;
    assert!(right, "acknowledged {acknowledged}, found {found}");
    for part in ["a", "b"] {
        let keys = store.keys(&format!("{part}/")).unwrap();
        let expected: Vec<String> = (1..=found).map(|n| format!("{part}/{n:06}")).collect();
        assert_eq!(keys, expected);
    }
    assert_eq!(store.get("pad").unwrap().map_or(0, |v| number(&v)), found);
    found
}

const ADDRESS: &str = "SAMMAN_TEST_DATABASE";

/// The child: does nothing in an ordinary test run.
#[test]
fn a_child_commits_until_it_is_killed() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let place =
        Place::new(&address, "postgres", USER).unwrap().schema("killed").unwrap().takeover(2).unwrap();
    let store = take_over(&place);
    let mut n = store.get("last").unwrap().map_or(0, |v| number(&v));
    loop {
        n += 1;
        store.commit(batch(n, 20_000)).unwrap();
        // A line of its own: the test harness may have left one open.
        println!("\nack {n}");
    }
}

/// Reads acknowledgements until `enough`, then kills; the last one.
fn acknowledged(mut child: Child, enough: u64) -> u64 {
    let (mut seen, mut last) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(n) = line.unwrap().strip_prefix("ack ") {
            last = n.parse().unwrap();
            seen += 1;
            if seen == enough {
                // Killed while it goes on committing.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    last
}

/// KEEP-1 against SIGKILL of who writes.
#[test]
fn every_acknowledged_batch_survives_sigkill_of_the_writer() {
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let address = format!("{}:{}", cluster.socket().display(), cluster.port());
    for enough in [3, 17, 1, 40] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "a_child_commits_until_it_is_killed", "--nocapture"]).env(ADDRESS, &address);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let last = acknowledged(child, enough);
        assert!(last > 0);
        assert_all_there(&take_over(&place(&cluster, "killed")), last);
    }
}

/// KEEP-1 against a server that is stopped at once in the middle of commits.
#[test]
fn every_acknowledged_batch_survives_a_server_that_dies() {
    let Some(mut cluster) = Cluster::start_with(&[]) else { return };
    let place = place(&cluster, "server");
    let mut found = 0;
    for enough in [1, 9, 30, 5] {
        let store = take_over(&place);
        let (say, said) = mpsc::channel();
        let from = found;
        let writer = std::thread::spawn(move || {
            for n in from + 1.. {
                match store.commit(batch(n, 20_000)) {
                    Ok(()) => say.send(n).unwrap(),
                    Err(error) => return (store, n - 1, error),
                }
            }
            unreachable!("commits go on until the server dies")
        });
        said.iter().nth(enough).unwrap();
        cluster.crash();
        let (store, acknowledged, error) = writer.join().unwrap();
        assert!(!error.is_refusal(), "what became of the batch is not known: {error}");
        assert!(matches!(store.get("last"), Err(StoreError::Halted { .. })));
        assert!(matches!(store.commit(batch(1, 0)), Err(StoreError::Halted { .. })));
        drop(store);
        cluster.start_again();
        found = assert_all_there(&take_over(&place), acknowledged);
    }
}
