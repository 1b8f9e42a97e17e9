//! A national round as its adversaries would have it: regions that offer what is not theirs, a national body that opens too
//! much, counties that come twice or too late.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use round::chain::Signed;
use round::document::CollectionRef;
use round::national::document::{Document, NationalClose, NationalPattern, NationalRef, Offer, Rows};
use round::national::{Duty, Fact, National, Phase, check_close, check_pattern};
use round::refusal::Refusal;
use suppress::key::PatternKey;
use tables::collection::Collection;
use tables::figures::CountyMark;
use tables::system::{CellIndex, System};

const COUNTIES: [&str; 5] = ["03", "07", "08", "10", "21"];
const HOUR: i64 = 3600;

fn text(county: &str, kommuner: usize) -> String {
    let units: Vec<String> = (0..kommuner).map(|at| format!("\"{county}{:02}\"", at + 1)).collect();
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
kontakt = "{county}"
kalla = "x"
[nationell]
lan = ["03", "07", "08", "10", "21"]
minst_lan = 3
inom_timmar = 2
tredje_nyckel = "0707070707070707070707070707070707070707070707070707070707070707"
[[tabell]]
id = "T1"
titel = "x"
matt = "aktualiseringar"
omfattning = "total"
dimensioner = ["kon", "aldersgrupp"]
"#,
        units.join(", ")
    )
}

fn built(text: &str) -> (Arc<Collection>, Arc<System>) {
    let codebook = Collection::codebook_of(text).unwrap();
    let collection = Collection::from_toml(text, &codebook).unwrap();
    let system = System::new(&collection, &codebook).unwrap();
    (Arc::new(collection), Arc::new(system))
}

fn machine() -> National {
    let (collection, system) = built(&text("21", 5));
    National::new(collection, system, PatternKey::new(&[3; 32])).unwrap()
}

/// The four inner cells.
fn square(system: &System) -> Vec<CellIndex> {
    let inner = system.tables[0].rows.iter().filter(|row| row.codes.iter().all(Option::is_some));
    inner.map(|row| row.cell).collect()
}

/// What a county offers: everything shown but, for those of `small`, the inner cells.
fn offer(county: &str, small: &[&str]) -> Offer {
    let (collection, system) = built(&text(county, 5));
    let mut marks = vec![CountyMark::Shown; system.cells.len()];
    if small.contains(&county) {
        square(&system).into_iter().for_each(|cell| marks[cell] = CountyMark::Small);
    }
    Offer {
        national: NationalRef::of(&collection, &system).unwrap(),
        county: county.parse().unwrap(),
        collection: CollectionRef::of(&collection),
        round: 1,
        pattern: [1; 32],
        marks,
        groups: BTreeSet::new(),
    }
}

fn take(machine: &mut National, facts: Vec<Fact>) {
    facts.into_iter().for_each(|fact| machine.apply(fact));
}

fn offered(counties: &[&str], small: &[&str]) -> National {
    let mut machine = machine();
    for county in counties {
        let facts = machine.offer(offer(county, small), (5, 5), 0).unwrap();
        take(&mut machine, facts);
    }
    machine
}

fn patterned(small: &[&str]) -> (National, NationalPattern) {
    let mut machine = offered(&COUNTIES, small);
    let facts = machine.choose(0).unwrap();
    take(&mut machine, facts);
    let pattern = machine.pattern().unwrap().clone();
    (machine, pattern)
}

fn rows(machine: &National, pattern: &NationalPattern, county: &str) -> Rows {
    let county = county.parse().unwrap();
    let value = |cell: CellIndex| {
        let row = machine.system.tables[0].rows.iter().find(|row| row.cell == cell);
        // nine records of each kind, none with a value missing
        row.map_or(0, |row| 9 << row.codes.iter().filter(|code| code.is_none()).count())
    };
    let values = pattern.shown(&machine.system, pattern.place(county).unwrap()).map(value).collect();
    Rows { pattern: pattern.hash(), county, values }
}

fn share() -> Signed {
    Signed { bytes: vec![1], signature: vec![2], certificate: vec![3] }
}

#[test]
fn counties_with_the_same_tables_are_in_one_round_whatever_else_their_documents_say() {
    let of = |text: &str| {
        let (collection, system) = built(text);
        NationalRef::of(&collection, &system).unwrap()
    };
    let one = of(&text("21", 5));
    assert_eq!(one, of(&text("03", 9)));
    assert_ne!(one, of(&text("21", 5).replace("\"kon\", \"aldersgrupp\"", "\"kon\"")));
    let kommuner = text("21", 5).replace("\"total\"", "\"kommun\"");
    let codebook = Collection::codebook_of(&kommuner).unwrap();
    let refused = Collection::from_toml(&kommuner, &codebook).unwrap_err().to_string();
    assert!(refused.contains("T1") && refused.contains("total"), "{refused}");
    assert_ne!(one, of(&text("21", 5).replace("minst_lan = 3", "minst_lan = 4")));
    assert_ne!(one, of(&text("21", 5).replace("tredje_nyckel = \"07", "tredje_nyckel = \"08")));
    assert_ne!(one, of(&text("21", 5).replace("kalla = \"x\"", "kalla = \"y\"")));
    assert_ne!(one, of(&text("21", 5).replace("kodbok", "min_count = 5\nkodbok")));
}

#[test]
fn a_county_offers_once_and_only_where_it_is_invited() {
    let machine = offered(&["03"], &[]);
    assert!(
        machine.offer(offer("03", &[]), (5, 5), 1).unwrap().is_empty(),
        "the same again is no second one"
    );
    assert_eq!(machine.offer(offer("03", &["03"]), (5, 5), 1).unwrap_err(), Refusal::Second);
    let mut stranger = offer("07", &[]);
    stranger.county = "14".parse().unwrap();
    assert_eq!(machine.offer(stranger, (5, 5), 1).unwrap_err(), Refusal::NotInRoster);
    let mut bortfall = offer("07", &[]);
    let cell = machine.system.cells.iter().position(|cell| !cell.is_count).unwrap();
    bortfall.marks[cell] = CountyMark::Small;
    assert_eq!(machine.offer(bortfall, (5, 5), 1).unwrap_err(), Refusal::Malformed("bortfall withheld"));
    let mut short = offer("07", &[]);
    short.marks.pop();
    assert_eq!(machine.offer(short, (5, 5), 1).unwrap_err(), Refusal::Malformed("number of marks"));
}

/// SAFE-3: counties that no kommun approved, or one county twice, would hide nobody.
#[test]
fn a_pattern_over_counties_that_are_not_invited_or_stand_twice_is_refused_by_region_and_third() {
    let (machine, pattern) = patterned(&["03"]);
    let terms = machine.collection.national.as_ref().unwrap();
    let own = offer("03", &["03"]);
    check_pattern(&machine.system, terms, &own, &pattern).unwrap();
    let everything: BTreeSet<CellIndex> = square(&machine.system).into_iter().collect();
    for code in ["14", "21"] {
        let mut stuffed = pattern.clone();
        stuffed.counties.push((code.parse().unwrap(), [5; 32]));
        stuffed.withheld.push(everything.clone());
        let refused = check_pattern(&machine.system, terms, &own, &stuffed);
        assert_eq!(refused, Err(Refusal::OtherBinding("roster")), "{code}");
        let close = NationalClose {
            pattern: stuffed.hash(),
            roster: pattern.roster(),
            open: BTreeSet::new(),
            open_groups: BTreeSet::new(),
        };
        let refused = check_close(&machine.system, terms, &stuffed, &close);
        assert_eq!(refused, Err(Refusal::OtherBinding("roster")), "{code}");
    }
}

/// A county with one kommun keeps a small bortfall (ADR 21); the realm's must not give it back.
#[test]
fn the_bortfall_that_a_kommun_which_is_its_county_keeps_is_not_told_by_the_realms() {
    let mut machine = offered(&["03", "07", "08", "10"], &[]);
    let mut alone = offer("21", &[]);
    let cell = machine.system.cells.iter().position(|cell| !cell.is_count).unwrap();
    alone.marks[cell] = CountyMark::Small;
    let facts = machine.offer(alone.clone(), (1, 1), 0).unwrap();
    take(&mut machine, facts);
    let facts = machine.choose(0).unwrap();
    take(&mut machine, facts);
    let pattern = machine.pattern().unwrap().clone();
    assert!(!pattern.open.contains(&cell), "it hides one county");
    let others = |county: &str| pattern.place(county.parse().unwrap()).unwrap();
    assert!(
        ["03", "07", "08", "10"].iter().all(|county| !pattern.withheld[others(county)].contains(&cell)),
        "nobody withholds bortfall for another's sake"
    );
    let terms = machine.collection.national.as_ref().unwrap();
    check_pattern(&machine.system, terms, &alone, &pattern).unwrap();
    let mut asks = pattern.clone();
    asks.withheld[others("03")].insert(cell);
    assert!(check_pattern(&machine.system, terms, &offer("03", &[]), &asks).is_err());
    for county in COUNTIES {
        let facts = machine.deliver(rows(&machine, machine.pattern().unwrap(), county), share()).unwrap();
        take(&mut machine, facts);
    }
    let facts = machine.close(0).unwrap();
    take(&mut machine, facts);
    assert!(!machine.closed().unwrap().open.contains(&cell));
    let facts = machine.opened(Default::default(), 0).unwrap();
    take(&mut machine, facts);
    assert!(!machine.totals().contains_key(&cell));
}

#[test]
fn nobody_waits_for_a_county_that_does_not_offer_and_too_few_end_the_round() {
    let mut machine = offered(&["03", "07", "08", "10"], &[]);
    assert_eq!(machine.duties(2 * HOUR - 1), None);
    assert_eq!(machine.duties(2 * HOUR), Some(Duty::Choose));
    let facts = machine.choose(2 * HOUR).unwrap();
    take(&mut machine, facts);
    assert_eq!(machine.pattern().unwrap().counties.len(), 4);
    assert_eq!(
        machine.offer(offer("21", &[]), (5, 5), 2 * HOUR).unwrap_err(),
        Refusal::Phase("not taking offers")
    );
    let mut few = offered(&["03", "07"], &[]);
    let facts = few.choose(2 * HOUR).unwrap();
    take(&mut few, facts);
    assert_eq!(few.phase(), Phase::Failed);
}

#[test]
fn a_county_that_does_not_deliver_is_missing_and_the_sums_it_helped_to_hide_stay_closed() {
    let (mut machine, pattern) = patterned(&["03"]);
    let cell = square(&machine.system)[0];
    assert!(pattern.open.contains(&cell));
    let hiding: Vec<&str> = COUNTIES
        .into_iter()
        .filter(|county| pattern.withheld[pattern.place(county.parse().unwrap()).unwrap()].contains(&cell))
        .collect();
    assert_eq!(hiding.len(), 3);
    for county in COUNTIES.iter().filter(|county| **county != hiding[1]) {
        let facts = machine.deliver(rows(&machine, &pattern, county), share()).unwrap();
        take(&mut machine, facts);
    }
    assert_eq!(machine.duties(2 * HOUR - 1), None);
    let facts = machine.close(2 * HOUR).unwrap();
    take(&mut machine, facts);
    assert!(!machine.closed().unwrap().open.contains(&cell));
    assert_eq!(machine.missing(), [hiding[1].parse().unwrap()]);
    let late = rows(&machine, &pattern, hiding[1]);
    assert_eq!(machine.deliver(late, share()).unwrap_err(), Refusal::Phase("not taking deliveries"));
}

#[test]
fn a_county_delivers_once_what_it_agreed_to_show() {
    let (mut machine, pattern) = patterned(&["03"]);
    let own = rows(&machine, &pattern, "03");
    let facts = machine.deliver(own.clone(), share()).unwrap();
    take(&mut machine, facts);
    assert!(machine.deliver(own.clone(), share()).unwrap().is_empty());
    let other = Rows { values: own.values.iter().map(|value| value * 2).collect(), ..own.clone() };
    assert_eq!(machine.deliver(other, share()).unwrap_err(), Refusal::Second);
    let more = Rows { values: vec![9; own.values.len() + 1], county: "07".parse().unwrap(), ..own.clone() };
    assert!(machine.deliver(more, share()).is_err());
    let elsewhere = Rows { pattern: [0; 32], county: "07".parse().unwrap(), ..own };
    assert_eq!(machine.deliver(elsewhere, share()).unwrap_err(), Refusal::OtherBinding("pattern"));
}

/// SAFE-3 of counties: a national body that asks for more than the rules allow gets nothing.
#[test]
fn whoever_opens_refuses_sums_that_hide_fewer_than_three_counties() {
    let (machine, pattern) = patterned(&["03"]);
    let terms = machine.collection.national.clone().unwrap();
    let cell = square(&machine.system)[0];
    let close = |roster: &[&str], open: &[CellIndex]| NationalClose {
        pattern: pattern.hash(),
        roster: roster.iter().map(|county| county.parse().unwrap()).collect(),
        open: open.iter().copied().collect(),
        open_groups: BTreeSet::new(),
    };
    let check = |pattern: &NationalPattern, close: &NationalClose| {
        check_close(&machine.system, &terms, pattern, close)
    };
    check(&pattern, &close(&COUNTIES, &[cell])).unwrap();
    // the roster without one that hides it
    let hiding =
        |county: &&&str| pattern.withheld[pattern.place(county.parse().unwrap()).unwrap()].contains(&cell);
    let gone = COUNTIES.iter().find(hiding).unwrap();
    let rest: Vec<&str> = COUNTIES.iter().filter(|county| *county != gone).copied().collect();
    assert!(check(&pattern, &close(&rest, &[cell])).is_err());
    // a sum nobody withholds a part of: it is added up, not opened
    let margin = machine.system.tables[0].rows.last().unwrap().cell;
    assert!(check(&pattern, &close(&COUNTIES, &[margin])).is_err());
    // two counties, twice the same, and one that is not there
    assert!(check(&pattern, &close(&["03", "07"], &[])).is_err());
    assert!(check(&pattern, &close(&["03", "03", "07"], &[])).is_err());
    assert!(check(&pattern, &close(&["03", "07", "14"], &[])).is_err());
    // a pattern that says more is open than it withholds for
    let mut wide = pattern.clone();
    wide.open.insert(margin);
    let asked = NationalClose { pattern: wide.hash(), ..close(&COUNTIES, &[margin]) };
    assert!(check(&wide, &asked).is_err());
}

#[test]
fn a_region_publishes_under_no_pattern_that_shows_what_it_withholds_or_is_of_another_offer() {
    let (machine, pattern) = patterned(&["03"]);
    let system = &machine.system;
    let own = offer("03", &["03"]);
    let terms = machine.collection.national.clone().unwrap();
    let check_pattern = |system: &System, offer: &Offer, pattern: &NationalPattern| {
        check_pattern(system, &terms, offer, pattern)
    };
    let place = check_pattern(system, &own, &pattern).unwrap();
    let sealed_elsewhere = NationalPattern { third_key_id: [8; 32], ..pattern.clone() };
    assert_eq!(
        check_pattern(system, &own, &sealed_elsewhere).unwrap_err(),
        Refusal::OtherBinding("third coordinator's key")
    );
    let mut shows = pattern.clone();
    shows.withheld[place] = BTreeSet::new();
    assert!(check_pattern(system, &own, &shows).is_err());
    let mut opens = pattern.clone();
    opens.open.insert(system.tables[0].rows.last().unwrap().cell);
    assert!(check_pattern(system, &own, &opens).is_err());
    assert!(check_pattern(system, &offer("03", &[]), &pattern).is_err(), "another offer");
    let mut zero = offer("03", &["03"]);
    zero.marks[square(system)[0]] = CountyMark::Zero;
    assert!(check_pattern(system, &zero, &pattern).is_err());
}

/// SAFE-3 of counties: a mark that the rest of its line takes back hides nobody, and the difference of two opened sums is opened too.
#[test]
fn whoever_opens_and_every_region_count_what_follows_from_shown_totals_as_shown() {
    let (machine, pattern) = patterned(&["03"]);
    let (system, inner) = (&machine.system, square(&machine.system));
    let terms = machine.collection.national.clone().unwrap();
    let own = offer("03", &["03"]);
    let refused = |pattern: &NationalPattern| {
        let close = NationalClose {
            pattern: pattern.hash(),
            roster: pattern.roster(),
            open: pattern.open.clone(),
            open_groups: BTreeSet::new(),
        };
        assert!(check_close(system, &terms, pattern, &close).is_err());
        assert!(check_pattern(system, &terms, &own, pattern).is_err());
    };
    // two counties withhold one cell and show the rest of its line
    let mut taken_back = pattern.clone();
    let all: BTreeSet<CellIndex> = inner.iter().copied().collect();
    for (at, withheld) in taken_back.withheld.iter_mut().enumerate().skip(1) {
        *withheld = if at < 3 { BTreeSet::from([inner[0]]) } else { BTreeSet::new() };
    }
    taken_back.open = BTreeSet::from([inner[0]]);
    refused(&taken_back);
    // each of the two sums hides all five; together they are a line's total, which only one county withholds
    let mut thin = pattern.clone();
    thin.withheld = vec![all; 5];
    thin.withheld[4] = system.tables[0].rows.iter().map(|row| row.cell).collect();
    let first_line = system.tables[0].rows.iter().filter(|row| row.codes[0] == Some(0));
    thin.open = first_line.map(|row| row.cell).filter(|cell| inner.contains(cell)).collect();
    let close = NationalClose {
        pattern: thin.hash(),
        roster: thin.roster(),
        open: thin.open.clone(),
        open_groups: BTreeSet::new(),
    };
    check_close(system, &terms, &thin, &close).unwrap_err();
    let one = BTreeSet::from([inner[0]]);
    let alone = NationalPattern { open: one.clone(), ..thin };
    let close = NationalClose {
        pattern: alone.hash(),
        roster: alone.roster(),
        open: one,
        open_groups: BTreeSet::new(),
    };
    check_close(system, &terms, &alone, &close).unwrap();
}

#[test]
fn figures_of_a_county_that_do_not_agree_are_refused_and_do_not_end_the_round() {
    let (mut machine, pattern) = patterned(&[]);
    let own = rows(&machine, &pattern, "07");
    let first = |values: &mut Vec<u64>, value: u64| values[0] = value;
    let mut wrong_sum = own.clone();
    first(&mut wrong_sum.values, 10);
    assert_eq!(
        machine.deliver(wrong_sum, share()).unwrap_err(),
        Refusal::Malformed("figures that do not add up")
    );
    let mut small = own.clone();
    first(&mut small.values, 3);
    assert_eq!(
        machine.deliver(small, share()).unwrap_err(),
        Refusal::Malformed("a figure that is not what the county offered")
    );
    let facts = machine.deliver(own, share()).unwrap();
    take(&mut machine, facts);
    assert_eq!(machine.deliveries().count(), 1);
}

/// SAFE-3: three small totals hide in each other only as far as their sum lets them. Without the counters it stays closed.
#[test]
fn small_totals_of_three_counties_are_not_opened_when_their_counters_are_away() {
    let (mut machine, pattern) = patterned(&["03", "07", "08"]);
    let cell = square(&machine.system)[0];
    assert!(pattern.open.contains(&cell));
    for county in ["03", "07", "08"] {
        let facts = machine.deliver(rows(&machine, &pattern, county), share()).unwrap();
        take(&mut machine, facts);
    }
    let facts = machine.close(2 * HOUR).unwrap();
    take(&mut machine, facts);
    assert!(machine.closed().unwrap().open.is_empty());
}

/// One county's broken share costs that county, not the round.
#[test]
fn a_county_whose_share_cannot_be_used_is_left_out_and_the_round_is_closed_again() {
    let (mut machine, pattern) = patterned(&["03"]);
    for county in COUNTIES {
        let facts = machine.deliver(rows(&machine, &pattern, county), share()).unwrap();
        take(&mut machine, facts);
    }
    let facts = machine.close(0).unwrap();
    take(&mut machine, facts);
    let whole = machine.closed().unwrap().clone();
    let of = |counties: &[&str]| counties.iter().map(|county| county.parse().unwrap()).collect();
    assert_eq!(machine.unusable(&of(&["14"])).unwrap_err(), Refusal::NotInRoster);
    let facts = machine.unusable(&of(&["21"])).unwrap();
    take(&mut machine, facts);
    assert_eq!(machine.duties(0), Some(Duty::Close));
    let facts = machine.close(0).unwrap();
    take(&mut machine, facts);
    let again = machine.closed().unwrap();
    assert_eq!(again.roster, whole.roster[..4]);
    assert!(again.open.is_subset(&whole.open));
    assert_eq!(machine.missing(), of(&["21"]).into_iter().collect::<Vec<_>>());
    let facts = machine.unusable(&of(&["03", "07"])).unwrap();
    take(&mut machine, facts);
    let facts = machine.close(0).unwrap();
    take(&mut machine, facts);
    assert_eq!(machine.phase(), Phase::Failed, "two are too few");
}

#[test]
fn a_third_coordinator_that_stays_away_ends_the_round_in_the_end() {
    let (mut machine, pattern) = patterned(&[]);
    for county in COUNTIES {
        let facts = machine.deliver(rows(&machine, &pattern, county), share()).unwrap();
        take(&mut machine, facts);
    }
    let facts = machine.close(0).unwrap();
    take(&mut machine, facts);
    assert_eq!(machine.duties(2 * HOUR - 1), Some(Duty::Open));
    assert!(machine.give_up(2 * HOUR - 1).is_err());
    let facts = machine.give_up(2 * HOUR).unwrap();
    take(&mut machine, facts);
    assert!(machine.failure().unwrap().contains("third"));
}

#[test]
fn documents_have_one_spelling_and_debug_shows_no_figure() {
    let (machine, pattern) = patterned(&["03"]);
    let bytes = pattern.bytes();
    assert_eq!(NationalPattern::read(&bytes), Some(pattern.clone()));
    assert_eq!(NationalPattern::read(&[bytes.clone(), vec![0]].concat()), None);
    assert_eq!(NationalPattern::read(&bytes[1..]), None);
    let rows = Rows { values: vec![4711], ..rows(&machine, &pattern, "03") };
    assert!(
        !format!("{rows:?} {:?}", Fact::Delivered { rows: rows.clone(), share: share() }).contains("4711")
    );
}
