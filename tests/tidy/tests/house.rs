//! The house rules that a machine can keep.

#![allow(clippy::unwrap_used)] // a test that fails here should

use std::collections::BTreeSet;
use std::path::Path;

use tidy::{files, is_test, top, without_tests};

/// Most lines of code of one file, tests not counted.
const MOST_LINES: usize = 600;
/// Most lines of a `main.rs`.
const MOST_MAIN: usize = 60;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn dependencies(manifest: &str, section: &str) -> BTreeSet<String> {
    let table: toml::Table = read(&top().join(manifest)).parse().unwrap();
    table.get(section).and_then(|d| d.as_table()).map(|d| d.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn no_file_is_longer_than_the_house_allows() {
    for path in files(&top(), "rs").unwrap().iter().filter(|path| !is_test(path)) {
        let lines = without_tests(&read(path));
        let most = if path.ends_with("main.rs") { MOST_MAIN } else { MOST_LINES };
        assert!(lines <= most, "{}: {lines} lines; at most {most}", path.display());
    }
}

#[test]
fn every_source_file_says_first_what_it_is() {
    for path in files(&top(), "rs").unwrap().iter().filter(|path| !is_test(path)) {
        assert!(read(path).trim_start().starts_with("//!"), "{} has no module documentation", path.display());
    }
}

#[test]
fn forbidden_dependencies_stay_out() {
    let forbidden = [
        ("shared/audit/Cargo.toml", &["suppress"][..]),
        ("shared/suppress/Cargo.toml", &["audit"]),
        ("node/Cargo.toml", &["coordinator", "audit", "publish", "county", "tokio-postgres", "tiberius"]),
        // a node's records and a coordinator's database never meet
        ("node/Cargo.toml", &["postgresql_store"]),
        ("shared/daemon/Cargo.toml", &["postgresql_store", "tokio-postgres"]),
        ("coordinator/Cargo.toml", &["node", "harmonise", "county", "database"]),
        // STAY-1: what a database answers meets nothing that could send it on
        ("shared/database/Cargo.toml", &["daemon", "node", "proto", "round", "tonic", "tracing", "wire"]),
    ];
    for (manifest, names) in forbidden {
        let has = dependencies(manifest, "dependencies");
        for name in names {
            assert!(!has.contains(*name), "{manifest} must not depend on {name}");
        }
    }
}

#[test]
fn core_crates_know_no_network_no_clock_and_no_randomness() {
    for name in ["tables", "harmonise", "suppress", "audit", "county_stage", "sharing", "round", "publish"] {
        let has = dependencies(&format!("shared/{name}/Cargo.toml"), "dependencies");
        for foreign in ["tokio", "tonic", "daemon", "proto", "wire", "sled", "getrandom", "rand"] {
            assert!(!has.contains(foreign), "shared/{name} must not depend on {foreign}");
        }
        for path in files(&top().join("shared").join(name).join("src"), "rs").unwrap() {
            if is_test(&path) {
                continue;
            }
            let source = read(&path);
            let code: String = source.lines().take(without_tests(&source)).collect::<Vec<_>>().join("\n");
            for word in ["SystemTime::now", "Timestamp::now", "Instant::now", "std::net::"] {
                assert!(!code.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn only_egress_can_put_bytes_on_a_connection() {
    // STAY-1: one door out of the node.
    for path in files(&top().join("node/src"), "rs").unwrap() {
        if path.ends_with("link/egress.rs") {
            continue;
        }
        let source = read(&path);
        for word in [
            "Channel",
            "TcpStream",
            "RegionClient",
            "EnrolmentClient",
            "door::connect",
            "UdpSocket",
            "tonic::",
        ] {
            assert!(!source.contains(word), "{} names {word}; only link/egress.rs may", path.display());
        }
    }
}

#[test]
fn what_may_leave_is_made_in_one_file() {
    // STAY-1, STAY-2: the field of Cleared is private, and no other file of the node builds messages to send.
    let cleared = read(&top().join("node/src/link/cleared.rs"));
    assert!(cleared.contains("pub struct Cleared<T>(T);"), "Cleared must keep its field private");
    for path in files(&top().join("node/src"), "rs").unwrap() {
        if path.ends_with("link/egress.rs") || path.ends_with("link/cleared.rs") {
            continue;
        }
        assert!(!read(&path).contains("v1::"), "{} builds wire messages", path.display());
    }
}

#[test]
fn only_the_audit_makes_a_release() {
    // SAFE-1: Release has private fields and one constructor inside audit.
    let release = read(&top().join("shared/audit/src/release.rs"));
    assert!(release.contains("pub(crate) fn new("), "Release::new must be private to audit");
    for path in files(&top(), "rs").unwrap() {
        let inside = path.components().any(|part| part.as_os_str() == "audit");
        assert!(inside || is_test(&path) || !read(&path).contains("Release::new("), "{}", path.display());
    }
}

#[test]
fn every_promise_stands_where_it_is_kept_and_where_it_is_attacked() {
    let invariants = read(&top().join("shared/docs/invariants.md"));
    let mut sources = String::new();
    let mut tests = String::new();
    for path in files(&top(), "rs").unwrap() {
        let source = read(&path);
        let code = without_tests(&source);
        let (before, after): (Vec<_>, Vec<_>) = source.lines().enumerate().partition(|(at, _)| *at < code);
        let text = |lines: Vec<(usize, &str)>| {
            lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
        };
        if is_test(&path) {
            tests.push_str(&source);
        } else {
            sources.push_str(&text(before));
            tests.push_str(&text(after));
        }
    }
    for id in PROMISES {
        assert!(invariants.contains(id), "shared/docs/invariants.md does not name {id}");
        assert!(sources.contains(id), "{id} stands in no source file");
        assert!(tests.contains(id), "{id} stands in no test");
    }
}

const PROMISES: [&str; 11] = [
    "STAY-1", "STAY-2", "SAFE-1", "SAFE-2", "SAFE-3", "TRUE-1", "TRUE-2", "TRUE-3", "KEEP-1", "DOOR-1",
    "SAME-1",
];

#[test]
fn every_crate_of_the_workspace_keeps_the_lints() {
    let table: toml::Table = read(&top().join("Cargo.toml")).parse().unwrap();
    for member in table["workspace"]["members"].as_array().unwrap() {
        let manifest: toml::Table =
            read(&top().join(member.as_str().unwrap()).join("Cargo.toml")).parse().unwrap();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{member}");
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = read(&top().join("Cargo.toml"));
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in section.lines().filter(|line| line.contains(" = ") && !line.contains("path = ")) {
        assert!(line.contains(" # ") || line.trim_start().starts_with('#'), "no reason: {line}");
    }
}

#[test]
fn the_sample_configurations_can_be_read() {
    let folder = top().join("deploy/config");
    node::config::Config::read(&folder.join("node.toml")).unwrap();
    database::Source::read(&folder.join("kalla.toml")).unwrap();
    coordinator::config::Config::read(&folder.join("region.toml")).unwrap();
    coordinator::config::Config::read(&folder.join("region-postgresql.toml")).unwrap();
    coordinator::config::Config::read(&folder.join("nationell.toml")).unwrap();
    coordinator::config::Config::read(&folder.join("tredje.toml")).unwrap();
}
