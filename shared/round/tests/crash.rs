//! KEEP-1: a machine is nothing but its stored facts. After every event of a whole round every machine is built again
//! from the facts it stored, as bytes, and must be the same; and asking the same again must change nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use std::collections::BTreeMap;

use party::*;
use proptest::prelude::*;
use round::document::{PatternDocument, Stage};
use round::helper::{self, HandedReport, Helper};
use round::ledger::Ledger;
use round::node::{self, Duty, Node};
use round::region::{self, Region};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tables::unit::Unit;

/// Facts as a store gives them back.
fn stored<T: Serialize + DeserializeOwned + PartialEq>(facts: &[T]) -> Vec<T> {
    let read = |fact: &T| {
        let bytes = postcard::to_allocvec(fact).unwrap();
        let read: T = postcard::from_bytes(&bytes).unwrap();
        assert!(read == *fact, "a fact is not what was stored");
        read
    };
    facts.iter().map(read).collect()
}

// What a machine is, as far as anyone can ask it.

fn of_region(region: &Region) -> String {
    let times = [START - 1, START, START + 336 * 3600, START + 504 * 3600, i64::MAX];
    let duties: Vec<_> = times.iter().map(|now| region.duties(*now)).collect();
    let known = region.known().map(|known| (known.sums.clone(), known.readable.clone()));
    let declared: Vec<&Unit> = region.declared().collect();
    format!(
        "{:?} {duties:?} {declared:?} {:?} {:?} {:?} {:?} {:?} {:?} {known:?} {:?}",
        region.phase(),
        region.statuses(),
        region.document(),
        region.pattern(),
        region.verify_key(),
        region.certificates(),
        region.verified(),
        region.failure(),
    )
}

fn of_helper(helper: &Helper, rounds: u32) -> String {
    let one = |round: u32| {
        let report = |(unit, report): (&Unit, &helper::AcceptedReport)| {
            (unit.clone(), report.content, report.readable_key)
        };
        let accepted: Vec<_> = helper.accepted(round).map(report).collect();
        let closing = helper.document(round).map(|document| {
            let closing = helper.close(round, &document.hash(), &document.units(), &Ledger::default());
            closing.map(|closing| (closing.facts.len(), closing.lines))
        });
        format!("{:?} {accepted:?} {closing:?}", helper.document(round))
    };
    (0..=rounds).map(one).collect()
}

fn of_node(node: &Node) -> String {
    format!("{node:?} {:?} {} {:?}", node.duty(), node.is_submitted(), node.fault())
}

/// Every machine of the federation equals the one restored from its facts.
fn assert_restorable(round: &Federation) {
    let mut region = round.world.region();
    stored(&round.region_facts).into_iter().for_each(|fact| region.apply(fact));
    assert_eq!(of_region(&region), of_region(&round.region));
    let helper = round.world.helper(&stored(&round.helper_facts));
    assert_eq!(of_helper(&helper, 2), of_helper(&round.helper, 2));
    for (unit, member) in &round.members {
        let (collection, system) = (round.world.collection.clone(), round.world.system.clone());
        let node = Node::restore(collection, system, unit.clone(), stored(&member.facts));
        assert_eq!(of_node(&node), of_node(&member.node), "{unit}");
    }
}

/// Restores the region from its facts and lets the round go on with it.
fn crash(round: &mut Federation) {
    assert_restorable(round);
    let mut region = round.world.region();
    stored(&round.region_facts).into_iter().for_each(|fact| region.apply(fact));
    round.region = region;
    round.helper = round.world.helper(&stored(&round.helper_facts));
    for (unit, member) in &mut round.members {
        let (collection, system) = (round.world.collection.clone(), round.world.system.clone());
        member.node = Node::restore(collection, system, unit.clone(), stored(&member.facts));
    }
}

/// An event at the region, a crash, the same event once more: the second changes nothing, whether taken or refused.
fn twice(round: &mut Federation, event: region::Event) {
    round.at_region(event.clone()).unwrap();
    crash(round);
    let before = of_region(&round.region);
    _ = round.at_region(event);
    assert_eq!(of_region(&round.region), before, "the repeated event changed the region");
}

fn node_twice(round: &mut Federation, unit: &Unit, event: node::Event) {
    round.at_node(unit, event.clone()).unwrap();
    crash(round);
    let before = of_node(&round.members[unit].node);
    _ = round.at_node(unit, event);
    assert_eq!(of_node(&round.members[unit].node), before, "the repeated event changed the node of {unit}");
}

#[test]
fn every_event_of_declaring_can_be_followed_by_a_crash_and_repeated() {
    let mut round = Federation::new(World::new());
    twice(&mut round, region::Event::Announce);
    for unit in round.units() {
        let hash = round.world.collection.hash;
        node_twice(&mut round, &unit, node::Event::Approve(hash));
        let statuses = round.world.statuses(&unit);
        node_twice(&mut round, &unit, node::Event::Counted(statuses));
        let event = round.declare_event(&unit);
        twice(&mut round, event);
        node_twice(&mut round, &unit, node::Event::DeclarationTaken);
    }
    assert_eq!(round.region.duties(START), vec![region::Duty::Choose]);
}

#[test]
fn every_event_of_the_pattern_can_be_followed_by_a_crash_and_repeated() {
    let mut round = Federation::new(World::new()).until_declared();
    let helper_key_id = round.world.helper_keys.public().id();
    twice(&mut round, region::Event::Choose { verify_key: [9; 32], helper_key_id });
    let pattern = round.document().hash();
    for unit in round.units() {
        let shown = round.shown(&unit);
        node_twice(&mut round, &unit, node::Event::Pattern(Box::new(shown)));
        let lines = round.members[&unit].node.answer().unwrap().1.to_vec();
        twice(&mut round, region::Event::Answer { unit: unit.clone(), pattern, lines });
        node_twice(&mut round, &unit, node::Event::AnswerTaken(1));
    }
    twice(&mut round, region::Event::Finalise);
    round.hold();
    crash(&mut round);
    twice(&mut round, region::Event::HelperHolds(1));
}

/// The report that was stored is the one that is sent, whatever happens in between.
#[test]
fn every_event_of_submitting_can_be_followed_by_a_crash_and_repeated() {
    let mut round = Federation::new(World::new()).until_final();
    for unit in round.units() {
        let shown = round.shown(&unit);
        node_twice(&mut round, &unit, node::Event::Pattern(Box::new(shown)));
        let document = round.document();
        let report = round.world.report(&document, &unit, 41);
        let content = report.content_hash().0;
        round.members.get_mut(&unit).unwrap().reports.insert(1, report);
        node_twice(&mut round, &unit, node::Event::Reported { round: 1, content });
        assert_eq!(round.members[&unit].node.duty(), Duty::SendReport);
        let event = round.submit_event(&unit, 1, content);
        twice(&mut round, event);
        node_twice(&mut round, &unit, node::Event::ReportTaken(1));
        round.check(&unit);
        crash(&mut round);
        twice(&mut round, region::Event::Checked { round: 1, unit: unit.clone(), accepted: true });
    }
    assert_eq!(round.region.duties(START), vec![region::Duty::Close]);
}

#[test]
fn every_event_of_closing_can_be_followed_by_a_crash_and_repeated() {
    let mut round = Federation::new(World::new()).until_submitted();
    round.close().unwrap();
    crash(&mut round);
    let facts = round.helper_facts.len();
    round.close().unwrap();
    assert_eq!(round.helper_facts.len(), facts, "closing again adds nothing");
    let (sums, readable) = round.open();
    twice(&mut round, region::Event::Opened { round: 1, sums, readable });
    twice(&mut round, region::Event::Published([4; 32]));
}

/// A second round after an absence is restored like the first.
#[test]
fn a_round_that_starts_again_can_crash_anywhere() {
    let mut round = Federation::new(World::new()).until_final();
    for unit in round.units().into_iter().skip(1) {
        round.submit(&unit);
        round.check(&unit);
    }
    round.now = round.document().submit_until;
    twice(&mut round, region::Event::DropMissing);
    assert_eq!(round.document().round, 2);
    round.finalise();
    crash(&mut round);
    round.submit_all();
    crash(&mut round);
    round.close().unwrap();
    assert_restorable(&round);
}

#[test]
fn a_failed_round_stays_failed_after_a_crash() {
    let mut round = Federation::new(World::new()).until_final();
    twice(&mut round, region::Event::Fail(region::Failure::Helper("the ledger".into())));
    assert_eq!(round.region.phase(), region::Phase::Failed);
}

/// KEEP-1: a crash at the helper between verifying and storing costs nothing: asked again it says the same.
#[test]
fn a_helper_that_lost_an_unstored_answer_gives_the_same_one() {
    let round = Federation::new(World::new()).until_final();
    let document = round.document();
    for unit in round.units() {
        let handed: HandedReport = round.world.handed_report(&document, &unit, 5, [9; 32]);
        let before = round.helper.verify(&handed).unwrap();
        let after = round.world.helper(&stored(&round.helper_facts)).verify(&handed).unwrap();
        assert_eq!(before.answer, after.answer);
        assert!(before.facts == after.facts);
    }
}

// Any order of events at a node.

#[derive(Debug, Clone)]
enum Happening {
    Approve(bool),
    Count(bool),
    DeclarationTaken,
    Pattern { round: u32, last: bool, which: u8 },
    AnswerTaken(u32),
    Report { round: u32, content: u8 },
    ReportTaken(u32),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => prop::bool::weighted(0.9).prop_map(Happening::Approve),
        2 => any::<bool>().prop_map(Happening::Count),
        2 => Just(Happening::DeclarationTaken),
        8 => (1..4u32, any::<bool>(), 0..4u8)
            .prop_map(|(round, last, which)| Happening::Pattern { round, last, which }),
        2 => (1..4u32).prop_map(Happening::AnswerTaken),
        4 => (1..4u32, 0..2u8).prop_map(|(round, content)| Happening::Report { round, content }),
        2 => (1..4u32).prop_map(Happening::ReportTaken),
    ]
}

/// Which is 0 or 1: the pattern everyone should see; 2: another right one; 3: a wrong one.
fn pattern(world: &World, round: u32, last: bool, which: u8) -> PatternDocument {
    let mut document = if which == 3 { world.bare(&["2101", PLAIN]) } else { world.bare(&UNITS) };
    document.round = round;
    document.stage = if last { Stage::Final } else { Stage::Preliminary };
    document.submit_until += i64::from(which == 2);
    document
}

fn event(world: &World, happening: &Happening) -> node::Event {
    match *happening {
        Happening::Approve(right) => {
            node::Event::Approve(if right { world.collection.hash } else { [0; 32] })
        }
        Happening::Count(own) => node::Event::Counted(world.statuses(&unit(if own { PLAIN } else { ZERO }))),
        Happening::DeclarationTaken => node::Event::DeclarationTaken,
        Happening::Pattern { round, last, which } => {
            node::Event::Pattern(Box::new(shown_bare(&pattern(world, round, last, which), &unit(PLAIN))))
        }
        Happening::AnswerTaken(round) => node::Event::AnswerTaken(round),
        Happening::Report { round, content } => node::Event::Reported { round, content: [content; 32] },
        Happening::ReportTaken(round) => node::Event::ReportTaken(round),
    }
}

/// What must hold of a node's facts in whatever order things happen.
fn assert_sound(node: &Node, facts: &[node::Fact]) {
    let mut reports = BTreeMap::<u32, [u8; 32]>::new();
    let mut accepted = BTreeMap::<(u32, bool), PatternDocument>::new();
    let mut declared = 0;
    let mut refused = Vec::new();
    for fact in facts {
        match fact {
            node::Fact::Declared(_) => declared += 1,
            node::Fact::Accepted(document) => {
                let key = (document.round, document.stage == Stage::Final);
                assert!(!refused.contains(&document.round), "accepted after a refusal");
                let asked = !key.1 || accepted.contains_key(&(document.round, false));
                assert!(asked, "a final pattern without its requests");
                assert!(accepted.insert(key, (**document).clone()).is_none(), "two patterns of one stage");
                assert!(accepted.keys().all(|known| *known <= key), "back to an older round");
            }
            node::Fact::Reported { round, content } => {
                assert!(accepted.contains_key(&(*round, true)), "reported without a final pattern");
                assert!(!refused.contains(round), "reported after a refusal");
                assert!(reports.insert(*round, *content).is_none(), "two reports in a round");
            }
            node::Fact::Refused { round, .. } => refused.push(*round),
            _ => {}
        }
    }
    assert!(declared <= 1, "two declarations");
    if matches!(node.duty(), Duty::MakeReport | Duty::SendReport | Duty::Answer) {
        let round = node.pattern().unwrap().round;
        assert!(refused.iter().all(|refused| *refused < round), "a duty in a refused round");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// KEEP-1, STAY-2: in any order, with repetitions, a node is its facts; it declares once, reports once a round and
    /// never in one it refused.
    #[test]
    fn a_node_is_its_facts_in_any_order_of_events(happenings in prop::collection::vec(happening(), 1..40)) {
        let world = World::new();
        let ledger = Ledger::default();
        let new = |facts: Vec<node::Fact>| {
            Node::restore(world.collection.clone(), world.system.clone(), unit(PLAIN), facts)
        };
        let (mut live, mut facts) = (new(Vec::new()), Vec::new());
        let start = [Happening::Approve(true), Happening::Count(true), Happening::DeclarationTaken];
        let skip = happenings.len() % 3;
        for happening in start.iter().skip(skip).chain(&happenings) {
            let event = event(&world, happening);
            for fact in live.handle(event.clone(), &ledger).unwrap_or_default() {
                live.apply(fact.clone());
                facts.push(fact);
            }
            let restored = new(stored(&facts));
            prop_assert_eq!(of_node(&restored), of_node(&live));
            let mut again = restored;
            again.handle(event, &ledger).unwrap_or_default().into_iter().for_each(|fact| again.apply(fact));
            prop_assert_eq!(of_node(&again), of_node(&live), "repeating {:?}", happening);
            assert_sound(&live, &facts);
        }
    }
}
