//! A county in one process: seven kommuner (one of them in three stadsdelar), a region and a helper, with real keys,
//! real proofs and made counts. No clock, no network, no disk: every test moves the parties itself.
//!
//! Not a simulation: nothing is delayed or lost here but what a test delays or loses.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "every test file uses its own part; a test may panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::date;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use round::chain::{Certified, Chain};
use round::document::{
    CollectionRef, Declaration, PatternDocument, RosterEntry, Stage, Tier, witness_leaves, witness_root,
};
use round::helper::{self, HandedPattern, HandedReport, Helper};
use round::ledger::Ledger;
use round::merkle;
use round::node::{self, Node, Shown, Submitted};
use round::refusal::{PatternFault, Refusal};
use round::region::{self, Region};
use round::shares;
use sha2::{Digest, Sha256};
use sharing::helper_key::HelperKeyPair;
use sharing::output::OutputShare;
use sharing::params::VectorParameters;
use sharing::report::Report;
use sharing::shard::{Contents, shard};
use sharing::signing::{SigningContext, SigningKey};
use sharing::tag::{TagSecret, tag};
use sharing::verify::{RegionVerifier, VerifyKey};
use suppress::key::PatternKey;
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::figures::Pattern;
use tables::system::{CellIndex, Counts, System};
use tables::unit::Unit;

mod federation;
mod world;

pub use federation::Federation;
pub use world::World;

/// Invited: seven kommuner, 2180 by stadsdel.
pub const UNITS: [&str; 9] =
    ["2101", "2104", "2121", "2132", "2161", "2180-01", "2180-02", "2180-03", "2181"];
/// A kommun with small cells.
pub const SMALL: &str = "2101";
/// A kommun whose year 2023 holds two records: a small margin.
pub const THIN: &str = "2104";
/// A kommun with a zero and nothing small.
pub const ZERO: &str = "2161";
/// A kommun with neither.
pub const PLAIN: &str = "2181";
/// The region's clock when it announces.
pub const START: i64 = 1_760_000_000;

const TYPES: [&str; 5] = ["ansokan", "anmalan", "yttrande", "overflyttning", "forfragan"];
const TABLES: &str = r#"
[[tabell]]
id = "T01"
titel = "Efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["*"] }

[[tabell]]
id = "T03"
titel = "Efter kommun och typ"
matt = "aktualiseringar"
omfattning = "kommun"
dimensioner = ["aktualiseringstyp"]
tider = ["2024"]

[[tabell]]
id = "T05"
titel = "Ansökningar och anmälningar efter kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon"]
filter = { aktualiseringstyp = ["ansokan", "anmalan"] }
tider = ["2024"]

[[tabell]]
id = "T09"
titel = "Ansökningar efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["ansokan"] }

[[tabell]]
id = "T12"
titel = "Anmälningar efter kommun och år"
matt = "aktualiseringar"
omfattning = "kommun"
filter = { aktualiseringstyp = ["anmalan"] }
"#;

const ALONE: &str = r#"
id = "ensam"
version = 1
titel = "Prov"
lan = "21"
min_count = 4
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = ["2101"]
deklarera_inom_timmar = 336
lamna_inom_timmar = 168
kontakt = "Prov"
kalla = "Prov"
[nationell]
lan = ["03", "07", "21"]
inom_timmar = 2
ensam_kommun = true
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[[tabell]]
id = "T05"
titel = "Efter typ och kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon"]
"#;

pub fn unit(code: &str) -> Unit {
    code.parse().unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// What an extension adds: sex and who told, which no table of the first version has.
const NEW_TABLES: &str = r#"
[[tabell]]
id = "N1"
titel = "Efter typ, kön och åldersgrupp"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["aktualiseringstyp", "kon", "aldersgrupp"]
tider = ["2024"]
ny = true

[[tabell]]
id = "N2"
titel = "Efter kön"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon"]
ny = true
"#;

fn collection_text(version: u32, names: Option<(&str, &PatternDocument)>, more: &str) -> String {
    let names = names.map(|(key, first)| {
        let (collection, pattern) = (hex::encode(first.collection.hash), hex::encode(first.hash()));
        format!("{key} = \"{collection}\"\n{key}_monster = \"{pattern}\"\n")
    });
    let names = names.unwrap_or_default();
    format!(
        "id = \"prov\"\nversion = {version}\n{names}titel = \"Prov\"\nlan = \"21\"\nmin_count = 4\nkodbok = \"vuxna/1\"\n\
         perioder = [\"2023\", \"2024\"]\ndeltagare = {UNITS:?}\nminst_kommuner = 5\nminst_procent = 60\n\
         deklarera_inom_timmar = 336\nlamna_inom_timmar = 168\nkontakt = \"Prov\"\nkalla = \"Prov\"\n\n[grupper]\n\
         A1 = [\"2101\", \"2104\", \"2121\"]\nB2 = [\"2132\", \"2161\", \"2180\", \"2181\"]\n{TABLES}{more}"
    )
}

/// Another count: kommun, year, type, by sex.
pub type Change = (&'static str, i16, &'static str, [usize; 2]);

/// Certificates by their bytes, as if they hung under one root.
#[derive(Clone, Default)]
pub struct Roots(pub BTreeMap<Vec<u8>, Certified>);

impl Chain for Roots {
    fn certified(&self, certificate: &[u8]) -> Option<Certified> {
        self.0.get(certificate).cloned()
    }
}

pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

pub fn der(unit: &Unit) -> Vec<u8> {
    format!("certificate of {unit}").into_bytes()
}

/// What an honest region shows a unit.
pub fn shown(document: &PatternDocument, pattern: &Pattern, unit: &Unit) -> Shown {
    let leaves = witness_leaves(pattern, document.roster.len());
    let place = document.place(unit).unwrap_or(0);
    Shown {
        document: document.clone(),
        witnesses: leaves[place].clone(),
        proof: merkle::prove(&leaves, place).unwrap(),
        certificate: fingerprint(&der(unit)),
        thin: Vec::new(),
        earlier: None,
        first: None,
    }
}

/// What is shown of a pattern without witnesses.
pub fn shown_bare(document: &PatternDocument, unit: &Unit) -> Shown {
    let pattern = Pattern { withheld: document.withheld.clone(), ..Pattern::default() };
    shown(document, &pattern, unit)
}

/// Phase 3b of a document's round as if it had passed: a node takes no final pattern before it was asked for requests.
pub fn asked(node: &mut Node, document: &PatternDocument) {
    if document.stage == Stage::Preliminary {
        return;
    }
    let round = document.round;
    let mut before = document.clone();
    before.stage = Stage::Preliminary;
    let lines = Vec::new();
    node.apply(node::Fact::Accepted(Box::new(before)));
    node.apply(node::Fact::Answered { round, lines });
    node.apply(node::Fact::AnswerTaken { round });
}

/// Shows a node something; the fault it finds, with everything a refusal must mean.
pub fn fault(node: &mut Node, shown: Shown, ledger: &Ledger) -> PatternFault {
    let round = shown.document.round;
    asked(node, &shown.document);
    let facts = node.handle(node::Event::Pattern(Box::new(shown.clone())), ledger).unwrap();
    let [node::Fact::Refused { round: refused, fault }] = facts[..] else { panic!("not refused: {facts:?}") };
    assert_eq!(refused, round);
    facts.into_iter().for_each(|fact| node.apply(fact));
    assert_submits_nothing(node, round);
    let again = node.handle(node::Event::Pattern(Box::new(shown)), ledger);
    assert_eq!(again, Err(Refusal::Pattern(fault)), "a refusal is for good");
    fault
}

/// A node that refused a round neither makes nor sends a report in it (30-protocol: a refusal is *not submitted*).
pub fn assert_submits_nothing(node: &Node, round: u32) {
    let duty = node.duty();
    assert!(!matches!(duty, node::Duty::MakeReport | node::Duty::SendReport), "{duty:?} after a refusal");
    let report = node.handle(node::Event::Reported { round, content: [1; 32] }, &Ledger::default());
    assert!(report.is_err(), "a report is taken in a refused round");
}
