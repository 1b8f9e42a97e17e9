//! Sums over kommungrupper in a national round, as a national body would have them that asks for more than it may (ADR 23).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use round::document::CollectionRef;
use round::national::document::{Document, NationalClose, NationalPattern, NationalRef, Offer};
use round::national::{Fact, National, check_close, check_pattern};
use round::refusal::{PatternFault, Refusal};
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::figures::CountyMark;
use tables::system::{CellIndex, System};
use tables::unit::{GroupCode, LansKod};

const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];

/// Kommuner 01 to 03 of each county lie in A, 04 and 05 in B; of the counties `in_c` 05 lies in C.
fn text(county: &str, in_c: &[&str]) -> String {
    let units: Vec<String> = (1..=5).map(|at| format!("\"{county}0{at}\"")).collect();
    let code = |county: &str, at: usize| match at {
        1..=3 => "A",
        5 if in_c.contains(&county) => "C",
        _ => "B",
    };
    let group = |wanted: &str| {
        let all = COUNTIES.iter().flat_map(|county| (1..=5).map(move |at| (*county, at)));
        let own = all.filter(|(county, at)| code(county, *at) == wanted);
        let list: Vec<String> = own.map(|(county, at)| format!("\"{county}0{at}\"")).collect();
        if list.is_empty() { String::new() } else { format!("{wanted} = [{}]\n", list.join(", ")) }
    };
    format!(
        r#"
id = "prov"
version = 1
titel = "Prov"
lan = "{county}"
kodbok = "vuxna/1"
perioder = ["2024"]
deltagare = [{}]
deklarera_inom_timmar = 1
lamna_inom_timmar = 1
kontakt = "x"
kalla = "x"
[nationell]
lan = ["03", "07", "08", "10", "21"]
minst_lan = 3
inom_timmar = 2
grupptabell = "T1"
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[nationell.grupper]
{}{}{}
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
"#,
        units.join(", "),
        group("A"),
        group("B"),
        group("C"),
    )
}

fn built(text: &str) -> (Arc<Collection>, Arc<System>) {
    let codebook = Collection::codebook_of(text).unwrap();
    let collection = Collection::from_toml(text, &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    (Arc::new(collection), Arc::new(system))
}

fn code(text: &str) -> GroupCode {
    text.parse().unwrap()
}

/// What a county offers: everything shown.
fn offer(county: &str, in_c: &[&str]) -> Offer {
    let (collection, system) = built(&text(county, in_c));
    let mut groups = BTreeSet::from([code("A"), code("B")]);
    if in_c.contains(&county) {
        groups.insert(code("C"));
    }
    Offer {
        national: NationalRef::of(&collection, &system).unwrap(),
        county: county.parse().unwrap(),
        collection: CollectionRef::of(&collection),
        round: 1,
        pattern: [1; 32],
        marks: vec![CountyMark::Shown; system.cells.len()],
        groups,
    }
}

fn patterned(in_c: &[&str]) -> (National, NationalPattern) {
    let (collection, system) = built(&text("21", in_c));
    let mut machine = National::new(collection, system, PatternKey::new(&[3; 32])).unwrap();
    for county in COUNTIES {
        let facts = machine.offer(offer(county, in_c), (5, 5), 0).unwrap();
        facts.into_iter().for_each(|fact| machine.apply(fact));
    }
    let facts = machine.choose(0).unwrap();
    facts.into_iter().for_each(|fact| machine.apply(fact));
    let pattern = machine.pattern().unwrap().clone();
    (machine, pattern)
}

fn close(pattern: &NationalPattern, roster: &[&str]) -> NationalClose {
    NationalClose {
        pattern: pattern.hash(),
        roster: roster.iter().map(|county| county.parse().unwrap()).collect(),
        open: pattern.open.clone(),
        open_groups: pattern.open_groups.clone(),
    }
}

fn innermost(system: &System) -> Vec<CellIndex> {
    let rows = system.tables[0].rows.iter().filter(|row| row.codes.iter().all(Option::is_some));
    rows.map(|row| row.cell).collect()
}

#[test]
fn innermost_cells_of_groups_are_opened_and_region_and_third_agree() {
    let (machine, pattern) = patterned(&[]);
    let terms = machine.collection.national.as_ref().unwrap();
    let inner = innermost(&machine.system);
    assert_eq!(pattern.open_groups.len(), 2 * inner.len());
    assert!(pattern.open_groups.iter().all(|(_, cell)| inner.contains(cell)));
    for county in COUNTIES {
        check_pattern(&machine.system, terms, &offer(county, &[]), &pattern).unwrap();
    }
    check_close(&machine.system, terms, &pattern, &close(&pattern, &COUNTIES)).unwrap();
}

/// SAFE-3: a group of two counties is their figures' sum, and so is what the others leave of the realm.
#[test]
fn a_group_of_two_counties_and_what_would_give_it_stay_closed() {
    let in_c = ["03", "07"];
    let (machine, pattern) = patterned(&in_c);
    let terms = machine.collection.national.as_ref().unwrap();
    let opened: BTreeSet<&GroupCode> = pattern.open_groups.iter().map(|(group, _)| group).collect();
    assert!(!opened.contains(&code("C")));
    assert_eq!(opened.len(), 1, "A and B together are what C leaves");
    let cell = innermost(&machine.system)[0];
    for group in ["A", "B", "C"] {
        let mut asks = pattern.clone();
        asks.open_groups.extend(["A", "B", group].map(|group| (code(group), cell)));
        let own = offer("21", &in_c);
        let refused = check_pattern(&machine.system, terms, &own, &asks).unwrap_err();
        assert_eq!(refused, Refusal::Pattern(PatternFault::Opens));
        let refused = check_close(&machine.system, terms, &asks, &close(&asks, &COUNTIES)).unwrap_err();
        assert_eq!(refused, Refusal::Pattern(PatternFault::Opens));
    }
}

#[test]
fn a_group_that_three_counties_hide_is_closed_when_one_of_them_does_not_deliver() {
    let in_c = ["03", "07", "08"];
    let (machine, pattern) = patterned(&in_c);
    let terms = machine.collection.national.as_ref().unwrap();
    assert!(pattern.open_groups.iter().any(|(group, _)| *group == code("C")));
    check_close(&machine.system, terms, &pattern, &close(&pattern, &COUNTIES)).unwrap();
    let fewer = close(&pattern, &["03", "07", "10", "21"]);
    let refused = check_close(&machine.system, terms, &pattern, &fewer).unwrap_err();
    assert_eq!(refused, Refusal::Pattern(PatternFault::Opens));
}

#[test]
fn margins_other_groups_and_groups_a_county_does_not_have_are_refused() {
    let (machine, pattern) = patterned(&["03"]);
    let terms = machine.collection.national.as_ref().unwrap();
    let own = offer("21", &["03"]);
    let shape = Err(Refusal::Pattern(PatternFault::Shape));
    let margin = machine.system.tables[0].rows.last().unwrap().cell;
    for sum in [(code("A"), margin), (code("Z"), innermost(&machine.system)[0]), (code("A"), 9_999)] {
        let mut asks = pattern.clone();
        asks.open_groups.insert(sum);
        assert_eq!(check_pattern(&machine.system, terms, &own, &asks).map(|_| ()), shape);
        assert_eq!(check_close(&machine.system, terms, &asks, &close(&asks, &COUNTIES)), shape);
    }
    // 21 has no kommun in C; of 10 it is said that it has one group only
    let place = |county: &str| pattern.place(county.parse().unwrap()).unwrap();
    let mut more = pattern.clone();
    more.groups[place("21")].insert(code("C"));
    assert_eq!(check_pattern(&machine.system, terms, &own, &more).map(|_| ()), shape);
    let mut fewer = pattern.clone();
    fewer.groups[place("21")].remove(&code("B"));
    assert!(check_pattern(&machine.system, terms, &own, &fewer).is_err(), "not what it offered");
    let mut strange = offer("07", &["03"]);
    strange.groups.insert(code("C"));
    let (collection, system) = built(&text("21", &["03"]));
    let empty = National::new(collection, system, PatternKey::new(&[3; 32])).unwrap();
    assert_eq!(empty.offer(strange, (5, 5), 0).unwrap_err(), Refusal::Malformed("groups of kommuner"));
}

#[test]
fn another_list_is_another_round() {
    let of = |in_c: &[&str]| offer("21", in_c).national;
    assert_ne!(of(&[]), of(&["03"]));
    assert_eq!(of(&["03"]), offer("03", &["03"]).national);
}

/// The documents as they were before there were sums of groups, field by field.
mod before {
    use super::*;
    use serde::Serialize;

    #[derive(Serialize)]
    pub struct Offer {
        pub national: NationalRef,
        pub county: LansKod,
        pub collection: CollectionRef,
        pub round: u32,
        pub pattern: [u8; 32],
        pub marks: Vec<CountyMark>,
    }

    #[derive(Serialize)]
    pub struct NationalPattern {
        pub national: NationalRef,
        pub counties: Vec<(LansKod, [u8; 32])>,
        pub withheld: Vec<BTreeSet<CellIndex>>,
        pub open: BTreeSet<CellIndex>,
        pub third_key_id: [u8; 32],
        pub deliver_until: i64,
    }

    #[derive(Serialize)]
    pub struct NationalClose {
        pub pattern: [u8; 32],
        pub roster: Vec<LansKod>,
        pub open: BTreeSet<CellIndex>,
    }
}

/// KEEP-1: what parties of the previous release signed, stored and hashed is read, and means and hashes the same.
#[test]
fn documents_without_groups_keep_the_bytes_they_had_before_there_were_any() {
    let (machine, pattern) = patterned(&[]);
    let mut offer = offer("03", &[]);
    offer.groups.clear();
    let Offer { national, county, collection, round, pattern: own, marks, .. } = offer.clone();
    let old = before::Offer { national, county, collection, round, pattern: own, marks };
    let bytes = postcard::to_allocvec(&old).unwrap();
    assert_eq!((offer.bytes(), Offer::read(&bytes)), (bytes.clone(), Some(offer.clone())));

    let mut plain = pattern.clone();
    plain.groups = vec![BTreeSet::new(); plain.counties.len()];
    plain.open_groups.clear();
    let NationalPattern { national, counties, withheld, open, third_key_id, deliver_until, .. } =
        plain.clone();
    let old = before::NationalPattern { national, counties, withheld, open, third_key_id, deliver_until };
    let bytes = postcard::to_allocvec(&old).unwrap();
    assert_eq!((plain.bytes(), NationalPattern::read(&bytes)), (bytes, Some(plain)));

    let mut closed = close(&pattern, &COUNTIES);
    closed.open_groups.clear();
    let NationalClose { pattern: own, roster, open, .. } = closed.clone();
    let bytes = postcard::to_allocvec(&before::NationalClose { pattern: own, roster, open }).unwrap();
    assert_eq!((closed.bytes(), NationalClose::read(&bytes)), (bytes, Some(closed)));

    // stored facts too: an enclosed document ends where the next field begins
    let fact = Fact::Offered { at: 7, offer: Box::new(offer), kommuner: (5, 6) };
    let stored = postcard::to_allocvec(&fact).unwrap();
    let Fact::Offered { at, offer: read, kommuner } = postcard::from_bytes(&stored).unwrap() else {
        panic!()
    };
    assert_eq!((at, read.groups.len(), kommuner), (7, 0, (5, 6)));
    assert!(machine.pattern().is_some());
}

#[test]
fn documents_with_groups_are_read_and_have_one_form() {
    let (_, pattern) = patterned(&[]);
    let with = offer("03", &[]);
    assert!(!with.groups.is_empty() && !pattern.open_groups.is_empty());
    assert_eq!(Offer::read(&with.bytes()), Some(with.clone()));
    assert_eq!(NationalPattern::read(&pattern.bytes()), Some(pattern.clone()));
    let closed = close(&pattern, &COUNTIES);
    assert_eq!(NationalClose::read(&closed.bytes()), Some(closed));
    // the long form of a document without groups is nobody's
    let NationalRef { id, version, shape } = with.national.clone();
    let marker = NationalRef { id: String::new(), version: 0, shape: [0; 32] };
    let rest = (with.county, &with.collection, with.round, with.pattern, &with.marks);
    let long = (marker, (NationalRef { id, version, shape }, rest), BTreeSet::<GroupCode>::new());
    assert_eq!(Offer::read(&postcard::to_allocvec(&long).unwrap()), None);
    // of as many counties as the pattern has
    let mut short = pattern.clone();
    short.open_groups.clear();
    short.groups.clear();
    assert_eq!(NationalPattern::read(&short.bytes()), Some(short));
}
