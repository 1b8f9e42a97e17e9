//! KEEP-1 against SIGKILL and a full disk: the test binary starts itself as a child that commits and prints what
//! was acknowledged.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;

const DIRECTORY: &str = "SAMMAN_TEST_STORE";
const BYTES: &str = "SAMMAN_TEST_BYTES";

/// The child: does nothing in an ordinary test run.
#[test]
fn a_child_commits_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let bytes: usize = std::env::var(BYTES).unwrap().parse().unwrap();
    // Small batches: compacted often, so that the kill also meets compaction. Large ones: never, to fill the disk.
    let options = StoreOptions { compact_above: if bytes < 10_000 { 20_000 } else { u64::MAX } };
    let store = SledStore::open_with(Path::new(&directory), options).unwrap();
    let mut n = store.get("last").unwrap().map_or(0, |v| number(&v));
    loop {
        n += 1;
        let value = n.to_string().into_bytes();
        let padded = [value.clone(), vec![b' '; bytes]].concat();
        let batch = Batch::new().put(format!("a/{n:06}"), value.clone()).put("pad", padded);
        if let Err(error) = store.commit(batch.put(format!("b/{n:06}"), value.clone()).put("last", value)) {
            println!("\nrefused {error}");
            return;
        }
        // A line of its own: the test harness may have left one open.
        println!("\nack {n}");
    }
}

fn number(value: &[u8]) -> u64 {
    String::from_utf8_lossy(value).trim().parse().unwrap()
}

fn child(mut command: Command, directory: &Path, bytes: usize) -> Child {
    command
        .args(["--exact", "store::kill_tests::a_child_commits_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(BYTES, bytes.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads acknowledgements until `enough`, or until the child ends; the last one.
fn acknowledged(child: &mut Child, enough: u64) -> u64 {
    let (mut seen, mut last) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        if let Some(n) = line.strip_prefix("ack ") {
            last = n.parse().unwrap();
            seen += 1;
            if seen >= enough {
                // Killed while it goes on committing.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    last
}

/// Every acknowledged batch is there, each whole, and at most one more.
fn assert_all_there(directory: &Path, last: u64) {
    let store = SledStore::open(directory).unwrap();
    let found = store.get("last").unwrap().map_or(0, |v| number(&v));
    assert!(found == last || found == last + 1, "acknowledged {last}, found {found}");
    for part in ["a", "b"] {
        let keys = store.keys(&format!("{part}/")).unwrap();
        let expected: Vec<String> = (1..=found).map(|n| format!("{part}/{n:06}")).collect();
        assert_eq!(keys, expected);
    }
    assert_eq!(store.get("pad").unwrap().map_or(0, |v| number(&v)), found);
}

#[test]
fn every_acknowledged_batch_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut last = 0;
    for enough in [3, 17, 1, 40, 9] {
        let command = Command::new(std::env::current_exe().unwrap());
        last = acknowledged(&mut child(command, directory.path(), 700), enough).max(last);
        assert!(last > 0);
        assert_all_there(directory.path(), last);
        last = number(&SledStore::open(directory.path()).unwrap().get("last").unwrap().unwrap());
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    // A limit on the length of a file, with its signal ignored, fails writes as a full disk does.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 6000; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(std::env::current_exe().unwrap());
    // 3 MB of room, 200 kB a batch: the refusal comes long before the hundredth.
    let last = acknowledged(&mut child(command, directory.path(), 200_000), 100);
    assert!((1..100).contains(&last), "{last}");
    assert_all_there(directory.path(), last);
}
