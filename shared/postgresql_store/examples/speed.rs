//! How long commits and a reading of everything take, in sled and in PostgreSQL on this machine:
//! `cargo run --release -p postgresql_store --example speed`. The figures stand in ADR 17.
#![allow(clippy::unwrap_used)] // an example for who builds this

use std::time::{Duration, Instant};

use daemon::store::{Batch, SledStore, Store};
use postgres::{Cluster, USER};
use postgresql_store::{Place, PostgresStore};

/// Commits and bytes of each: facts, reports, the largest shares.
const SIZES: [(u32, usize); 3] = [(300, 1_000), (100, 200_000), (10, 13_000_000)];

fn milliseconds(time: Duration, parts: u32) -> f64 {
    time.as_secs_f64() * 1_000.0 / f64::from(parts)
}

fn measure(name: &str, store: &dyn Store) {
    for (count, bytes) in SIZES {
        let began = Instant::now();
        for n in 0..count {
            // Of no use to a compression.
            let value: Vec<u8> = (0..bytes).map(|at| ((at * 2_654_435_761) >> 7) as u8 ^ n as u8).collect();
            store.commit(Batch::new().put(format!("{bytes}/{n}"), value).put("fact", n.to_string())).unwrap();
        }
        println!(
            "{name}: {count} commits of {bytes} bytes, {:.1} ms each",
            milliseconds(began.elapsed(), count)
        );
    }
    let (began, mut bytes) = (Instant::now(), 0);
    let shown = store.each(&mut |_, value| {
        bytes += value.len();
        Ok(())
    });
    shown.unwrap();
    println!("{name}: all {} MB read in {:.0} ms", bytes / 1_000_000, milliseconds(began.elapsed(), 1));
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    measure("sled", &SledStore::open(folder.path()).unwrap());
    let Some(cluster) = Cluster::start_with(&[]) else { return };
    let socket = format!("{}:{}", cluster.socket().display(), cluster.port());
    let place = Place::new(&socket, "postgres", USER).unwrap();
    measure("PostgreSQL", &PostgresStore::try_open(&place).unwrap());
}
