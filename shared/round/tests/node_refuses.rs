//! What a node refuses (30-protocol, *A node verifies before it submits*). One attack a test; a refused pattern must
//! leave the node with nothing to submit in that round, which [`party::fault`] asserts each time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use std::collections::BTreeSet;

use party::*;
use round::document::{PatternDocument, Stage, Tier, witness_root};
use round::ledger::Ledger;
use round::merkle::Proof;
use round::node::{Duty, Event, Fact, Node, Shown};
use round::refusal::{PatternFault, Refusal};
use tables::figures::{Pattern, Witness};
use tables::unit::Unit;

fn plain(world: &World) -> Node {
    world.declared_node(PLAIN).0
}

/// The fault a unit without small cells finds in a pattern without witnesses.
fn fault_of(world: &World, document: &PatternDocument) -> PatternFault {
    fault(&mut plain(world), shown_bare(document, &unit(PLAIN)), &Ledger::default())
}

fn accept(node: &mut Node, shown: Shown, ledger: &Ledger) {
    asked(node, &shown.document);
    let facts = node.handle(Event::Pattern(Box::new(shown)), ledger).unwrap();
    assert!(matches!(facts.first(), Some(Fact::Accepted(_))), "not accepted: {facts:?}");
    facts.into_iter().for_each(|fact| node.apply(fact));
}

fn look(node: &Node, document: &PatternDocument) -> Result<Vec<Fact>, Refusal> {
    node.handle(Event::Pattern(Box::new(shown_bare(document, node.unit()))), &Ledger::default())
}

#[test]
fn a_bare_pattern_over_everyone_is_accepted_by_a_kommun_without_small_cells() {
    let world = World::new();
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&world.bare(&UNITS), &unit(PLAIN)), &Ledger::default());
    assert_eq!(node.duty(), Duty::MakeReport);
}

/// SAFE-3: a region that skips the requests would learn more of thin lines than they allow.
#[test]
fn a_final_pattern_is_not_taken_before_the_node_was_asked_for_requests() {
    let world = World::new();
    let mut node = plain(&world);
    let early = Err(Refusal::Phase("not asked for requests yet"));
    assert_eq!(look(&node, &world.bare(&UNITS)), early);
    assert_eq!(node.duty(), Duty::AskPattern);
    accept(&mut node, shown_bare(&world.bare(&UNITS), &unit(PLAIN)), &Ledger::default());
    let mut second = world.bare(&UNITS);
    second.round = 2;
    assert_eq!(look(&node, &second), early, "the requests of one round are not those of the next");
}

// The roster.

/// SAFE-3: the minimum roster.
#[test]
fn a_roster_smaller_than_the_minimum_is_refused() {
    let world = World::new();
    assert_eq!(fault_of(&world, &world.bare(&["2101", "2104", "2121", PLAIN])), PatternFault::RosterTooSmall);
}

/// SAFE-3: kommuner are counted, not units.
#[test]
fn a_roster_filled_up_with_stadsdelar_of_one_kommun_is_refused() {
    let world = World::new();
    let document = world.bare(&["2101", "2104", "2180-01", "2180-02", "2180-03", PLAIN]);
    assert_eq!(fault_of(&world, &document), PatternFault::RosterTooSmall);
}

/// DOOR-1: who is counted is what the collection says, not what the region says.
#[test]
fn a_roster_with_an_uninvited_unit_is_refused() {
    let world = World::new();
    for stranger in ["2182", "0180", "2101-01", "2180"] {
        let mut units = vec![stranger];
        units.extend(UNITS);
        units.sort_unstable();
        assert_eq!(fault_of(&world, &world.bare(&units)), PatternFault::RosterUnits, "{stranger}");
    }
}

#[test]
fn a_roster_with_one_unit_twice_is_refused() {
    let world = World::new();
    let document = world.bare(&["2101", "2101", "2104", "2121", "2132", "2161", PLAIN]);
    assert_eq!(fault_of(&world, &document), PatternFault::RosterUnits);
    let own_twice = world.bare(&["2101", "2104", "2121", "2132", "2161", PLAIN, PLAIN]);
    assert_eq!(fault_of(&world, &own_twice), PatternFault::RosterUnits);
}

#[test]
fn a_roster_out_of_order_is_refused() {
    let world = World::new();
    let document = world.bare(&["2104", "2101", "2121", "2132", "2161", PLAIN]);
    assert_eq!(fault_of(&world, &document), PatternFault::RosterUnits);
}

#[test]
fn a_roster_without_the_node_itself_is_refused() {
    let world = World::new();
    assert_eq!(fault_of(&world, &world.bare(&UNITS[..8])), PatternFault::RosterUnits);
}

/// DOOR-1.
#[test]
fn a_roster_that_names_another_certificate_for_the_node_is_refused() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    document.roster[8].certificate[0] ^= 1;
    assert_eq!(fault_of(&world, &document), PatternFault::RosterUnits);
    let mut shown = shown_bare(&world.bare(&UNITS), &unit(PLAIN));
    shown.certificate = fingerprint(b"a renewed certificate");
    assert_eq!(fault(&mut plain(&world), shown, &Ledger::default()), PatternFault::RosterUnits);
}

// The binding.

#[test]
fn a_pattern_of_another_collection_version_or_tier_is_not_looked_at() {
    let world = World::new();
    let changes: [fn(&mut PatternDocument); 4] = [
        |document| document.collection.hash[31] ^= 1,
        |document| document.collection.version += 1,
        |document| document.collection.id.push('x'),
        |document| document.tier = Tier::National,
    ];
    for change in changes {
        let mut document = world.bare(&UNITS);
        change(&mut document);
        let node = plain(&world);
        assert_eq!(look(&node, &document), Err(Refusal::OtherBinding("collection")));
        assert_eq!(node.duty(), Duty::AskPattern);
    }
}

#[test]
fn approving_another_hash_approves_nothing() {
    let world = World::new();
    let node = Node::new(world.collection.clone(), world.system.clone(), unit(PLAIN));
    let mut hash = world.collection.hash;
    hash[0] ^= 1;
    let refused = node.handle(Event::Approve(hash), &Ledger::default());
    assert_eq!(refused, Err(Refusal::OtherBinding("collection hash")));
    let counted = node.handle(Event::Counted(world.statuses(&unit(PLAIN))), &Ledger::default());
    assert_eq!(counted, Err(Refusal::Phase("not approved")), "nothing is counted without an approval");
    assert_eq!(node.duty(), Duty::AwaitApproval);
}

/// STAY-2: statuses of two counts together say more than one.
#[test]
fn a_second_count_is_not_declared() {
    let world = World::new();
    let again = plain(&world).handle(Event::Counted(world.statuses(&unit(SMALL))), &Ledger::default());
    assert_eq!(again, Err(Refusal::Second));
}

#[test]
fn a_node_that_has_declared_nothing_accepts_no_pattern() {
    let world = World::new();
    let mut node = Node::new(world.collection.clone(), world.system.clone(), unit(PLAIN));
    let shown = shown_bare(&world.bare(&UNITS), &unit(PLAIN));
    assert_eq!(fault(&mut node, shown, &Ledger::default()), PatternFault::Shape);
}

// One pattern a round.

fn two_patterns(stage: Stage) -> (World, PatternDocument, PatternDocument) {
    let world = World::new();
    let mut one = world.bare(&UNITS);
    one.stage = stage;
    let mut other = one.clone();
    other.submit_until += 1;
    (world, one, other)
}

/// KEEP-1, STAY-2: two reports of one round would be two sharings of one vector.
#[test]
fn a_second_final_pattern_for_a_round_is_refused_and_the_first_is_not_answered_either() {
    let (world, one, other) = two_patterns(Stage::Final);
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&one, &unit(PLAIN)), &Ledger::default());
    let found = fault(&mut node, shown_bare(&other, &unit(PLAIN)), &Ledger::default());
    assert_eq!(found, PatternFault::Another);
    assert!(look(&node, &one).is_err(), "the first one is over too");
}

#[test]
fn a_second_preliminary_pattern_for_a_round_is_refused() {
    let (world, one, other) = two_patterns(Stage::Preliminary);
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&one, &unit(PLAIN)), &Ledger::default());
    let found = fault(&mut node, shown_bare(&other, &unit(PLAIN)), &Ledger::default());
    assert_eq!(found, PatternFault::Another);
    assert_ne!(node.duty(), Duty::Answer, "a refused round is not answered");
    let mut last = one;
    last.stage = Stage::Final;
    assert!(look(&node, &last).is_err(), "nor is its final pattern taken");
}

#[test]
fn another_pattern_after_the_report_was_stored_keeps_the_report_from_being_sent() {
    let (world, one, other) = two_patterns(Stage::Final);
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&one, &unit(PLAIN)), &Ledger::default());
    node.apply(Fact::Reported { round: 1, content: [1; 32] });
    assert_eq!(node.duty(), Duty::SendReport);
    fault(&mut node, shown_bare(&other, &unit(PLAIN)), &Ledger::default());
}

#[test]
fn the_same_pattern_shown_again_is_no_news() {
    let (world, one, _) = two_patterns(Stage::Final);
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&one, &unit(PLAIN)), &Ledger::default());
    assert_eq!(look(&node, &one), Ok(Vec::new()));
    assert_eq!(node.duty(), Duty::MakeReport);
}

#[test]
fn a_new_round_with_a_right_pattern_is_taken_up_after_a_refusal() {
    let world = World::new();
    let mut node = plain(&world);
    let small = world.bare(&["2101", PLAIN]);
    fault(&mut node, shown_bare(&small, &unit(PLAIN)), &Ledger::default());
    let mut next = world.bare(&UNITS);
    next.round = 2;
    accept(&mut node, shown_bare(&next, &unit(PLAIN)), &Ledger::default());
    assert_eq!(node.duty(), Duty::MakeReport);
    assert_eq!(node.pattern().unwrap().round, 2);
    assert!(look(&node, &world.bare(&UNITS)).is_err(), "the refused round stays refused");
}

#[test]
fn a_refused_newer_round_leaves_an_older_one_without_a_report() {
    let world = World::new();
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&world.bare(&UNITS), &unit(PLAIN)), &Ledger::default());
    let mut newer = world.bare(&["2101", PLAIN]);
    newer.round = 2;
    fault(&mut node, shown_bare(&newer, &unit(PLAIN)), &Ledger::default());
    assert_submits_nothing(&node, 2);
    assert_eq!(look(&node, &world.bare(&UNITS)), Err(Refusal::Phase("further on")));
    let mut third = world.bare(&UNITS);
    third.round = 3;
    accept(&mut node, shown_bare(&third, &unit(PLAIN)), &Ledger::default());
    assert_eq!(node.duty(), Duty::MakeReport);
}

#[test]
fn an_older_round_after_a_newer_one_is_refused() {
    let world = World::new();
    let mut node = plain(&world);
    let mut newer = world.bare(&UNITS);
    newer.round = 2;
    accept(&mut node, shown_bare(&newer, &unit(PLAIN)), &Ledger::default());
    assert_eq!(look(&node, &world.bare(&UNITS)), Err(Refusal::Phase("further on")));
    let mut back = newer.clone();
    back.stage = Stage::Preliminary;
    assert_eq!(look(&node, &back), Ok(Vec::new()), "the known requests are no news");
    assert_eq!(node.duty(), Duty::MakeReport);
    back.submit_until += 1;
    let found = fault(&mut node, shown_bare(&back, &unit(PLAIN)), &Ledger::default());
    assert_eq!(found, PatternFault::Another, "nor back to other requests");
}

/// KEEP-1: the stored report is the only one ever sent.
#[test]
fn a_different_report_in_the_same_round_is_refused() {
    let world = World::new();
    let mut node = plain(&world);
    let report = |content| Event::Reported { round: 1, content };
    let early = node.handle(report([1; 32]), &Ledger::default());
    assert_eq!(early, Err(Refusal::Phase("without an accepted pattern")));
    accept(&mut node, shown_bare(&world.bare(&UNITS), &unit(PLAIN)), &Ledger::default());
    for fact in node.handle(report([1; 32]), &Ledger::default()).unwrap() {
        node.apply(fact);
    }
    assert_eq!(node.handle(report([2; 32]), &Ledger::default()), Err(Refusal::Second));
    assert!(node.handle(report([1; 32]), &Ledger::default()).is_ok(), "the same one is no second");
}

/// KEEP-1.
#[test]
fn a_report_stored_again_after_it_was_taken_is_not_sent_again() {
    let world = World::new();
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&world.bare(&UNITS), &unit(PLAIN)), &Ledger::default());
    let report = Event::Reported { round: 1, content: [1; 32] };
    for event in [report.clone(), Event::ReportTaken(1), report] {
        for fact in node.handle(event, &Ledger::default()).unwrap() {
            node.apply(fact);
        }
    }
    assert!(node.is_submitted());
    assert_eq!(node.duty(), Duty::AskPattern);
}

#[test]
fn a_preliminary_pattern_is_answered_and_not_submitted_under() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    document.stage = Stage::Preliminary;
    let mut node = plain(&world);
    accept(&mut node, shown_bare(&document, &unit(PLAIN)), &Ledger::default());
    assert_eq!(node.duty(), Duty::Answer);
    let report = node.handle(Event::Reported { round: 1, content: [1; 32] }, &Ledger::default());
    assert!(report.is_err());
}

// The sums.

/// SAFE-3.
#[test]
fn a_sum_that_hides_two_kommuner_is_refused_and_one_that_hides_three_is_not() {
    let world = World::new();
    let (two, _) = world.hiding(&UNITS, &["2101", "2104"]);
    assert_eq!(fault_of(&world, &two), PatternFault::Opens);
    let (three, _) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    accept(&mut plain(&world), shown_bare(&three, &unit(PLAIN)), &Ledger::default());
}

/// SAFE-3: sums are judged together, because anyone can add them.
#[test]
fn sums_that_hide_enough_one_by_one_and_add_up_to_one_kommuns_are_refused() {
    let world = World::new();
    let mut document = world.adding_up_to_one();
    assert_eq!(fault_of(&world, &document), PatternFault::Opens);
    document.open.pop_last();
    accept(&mut plain(&world), shown_bare(&document, &unit(PLAIN)), &Ledger::default());
}

/// SAFE-3: stadsdelar count as their kommun.
#[test]
fn a_sum_that_hides_three_stadsdelar_of_one_kommun_is_refused() {
    let world = World::new();
    let stadsdelar = ["2180-01", "2180-02", "2180-03"];
    assert_eq!(fault_of(&world, &world.hiding(&UNITS, &stadsdelar).0), PatternFault::Opens);
    let with_one = ["2101", "2180-01", "2180-02", "2180-03"];
    assert_eq!(fault_of(&world, &world.hiding(&UNITS, &with_one).0), PatternFault::Opens);
}

/// SAFE-3: what a row gives back is not hidden, whatever the mark says.
#[test]
fn a_sum_whose_parts_are_withheld_but_follow_from_their_rows_is_refused() {
    let world = World::new();
    let cell = world.cell("T03", &["ansokan"], "2024");
    let mut document = world.bare(&UNITS);
    document.withheld.iter_mut().for_each(|withheld| _ = withheld.insert(cell));
    document.open.insert(cell);
    assert_eq!(fault_of(&world, &document), PatternFault::Opens);
}

#[test]
fn a_cell_outside_the_collection_is_refused_without_a_panic() {
    let world = World::new();
    for outside in [world.system.cells.len(), usize::MAX] {
        let mut opened = world.bare(&UNITS);
        opened.open.insert(outside);
        assert_eq!(fault_of(&world, &opened), PatternFault::Opens);
        let mut withheld = world.bare(&UNITS);
        withheld.withheld[0].insert(outside);
        assert_eq!(fault_of(&world, &withheld), PatternFault::Shape);
    }
}

#[test]
fn withholding_a_cell_that_no_unit_prints_is_refused() {
    let world = World::new();
    let total = world.cell("T05", &["ansokan", "man"], "2024");
    let mut document = world.bare(&UNITS);
    document.withheld[0].insert(total);
    assert_eq!(fault_of(&world, &document), PatternFault::Shape);
}

#[test]
fn lists_of_another_length_than_the_roster_are_refused_without_a_panic() {
    let world = World::new();
    let (document, _) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    let mut short = document.clone();
    short.withheld.pop();
    assert_eq!(fault_of(&world, &short), PatternFault::Shape);
    let mut none = document.clone();
    none.withheld.clear();
    assert_eq!(fault_of(&world, &none), PatternFault::Shape);
    let mut long = document;
    long.withheld.push(BTreeSet::new());
    assert_eq!(fault_of(&world, &long), PatternFault::Shape);
}

#[test]
fn a_sum_both_open_and_closed_is_refused() {
    let world = World::new();
    let (mut document, cell) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    document.closed.insert(cell);
    assert_eq!(fault_of(&world, &document), PatternFault::Opens);
}

/// SAFE-3: the sum of a column whose parts everyone shows is added up, never opened.
#[test]
fn a_sum_that_hides_nobody_is_refused() {
    let world = World::new();
    assert_eq!(fault_of(&world, &world.hiding(&UNITS, &[]).0), PatternFault::Opens);
}

#[test]
fn a_cell_of_total_scope_may_be_opened_over_the_whole_roster() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    document.open.insert(world.cell("T05", &["ansokan", "man"], "2024"));
    accept(&mut plain(&world), shown_bare(&document, &unit(PLAIN)), &Ledger::default());
}

// Own cells and witnesses, against the pattern that an honest region chose.

struct Honest {
    world: World,
    document: PatternDocument,
    pattern: Pattern,
}

/// The final pattern of an honest round, with every sum closed so that each test has one fault only.
fn honest() -> Honest {
    let round = Federation::new(World::new()).until_final();
    let (mut document, mut pattern) = (round.document(), round.region.pattern().unwrap().clone());
    document.closed.extend(std::mem::take(&mut document.open));
    pattern.closed = document.closed.clone();
    pattern.open.clear();
    Honest { document, pattern, world: round.world }
}

impl Honest {
    fn place(&self, code: &str) -> usize {
        self.document.place(&unit(code)).unwrap()
    }

    fn recommit(&mut self) {
        self.document.witness_root = witness_root(&self.pattern, self.document.roster.len());
    }

    fn fault(&self, code: &str) -> PatternFault {
        self.fault_of(code, shown(&self.document, &self.pattern, &unit(code)))
    }

    fn fault_of(&self, code: &str, shown: Shown) -> PatternFault {
        fault(&mut self.world.declared_node(code).0, shown, &Ledger::default())
    }

    fn own(&mut self, code: &str) -> impl Iterator<Item = &mut Witness> {
        let place = self.place(code) as u32;
        self.pattern.witnesses.iter_mut().filter(move |witness| witness.unit == place)
    }

    fn kommuner(&self, witness: &Witness) -> BTreeSet<String> {
        let units = self.document.units();
        let kommun = |step: &(u32, u32, i32)| units[step.0 as usize].kommun().to_string();
        witness.steps.iter().map(kommun).filter(|kommun| *kommun != SMALL).collect()
    }
}

#[test]
fn every_node_accepts_the_honest_pattern() {
    let honest = honest();
    for unit in honest.document.units() {
        let mut node = honest.world.declared_node(&unit.to_string()).0;
        accept(&mut node, shown(&honest.document, &honest.pattern, &unit), &Ledger::default());
    }
}

/// STAY-2, SAFE-1.
#[test]
fn a_small_cell_that_would_be_readable_is_refused() {
    let mut honest = honest();
    let (place, cell) = (honest.place(SMALL), honest.world.cell("T03", &["yttrande"], "2024"));
    assert!(honest.document.withheld[place].remove(&cell));
    assert_eq!(honest.fault(SMALL), PatternFault::SmallShown);
}

/// STAY-2: a margin of small parts is small too; it is the same cell in T01 and T09.
#[test]
fn a_small_margin_that_would_be_readable_is_refused() {
    let mut honest = honest();
    let (place, margin) = (honest.place(THIN), honest.world.cell("T01", &[], "2023"));
    assert_eq!(honest.world.system.value(&honest.world.counts[&unit(THIN)], margin), 2);
    assert!(honest.document.withheld[place].remove(&margin));
    assert_eq!(honest.fault(THIN), PatternFault::SmallShown);
}

/// SAFE-1: an x means one or more.
#[test]
fn a_zero_that_would_be_withheld_is_refused() {
    let mut honest = honest();
    let (place, zero) = (honest.place(ZERO), honest.world.cell("T03", &["yttrande"], "2024"));
    honest.document.withheld[place].insert(zero);
    assert_eq!(honest.fault(ZERO), PatternFault::ZeroWithheld);
}

/// SAFE-1, SAFE-2.
#[test]
fn a_small_cell_without_witnesses_is_refused() {
    let mut honest = honest();
    let place = honest.place(SMALL) as u32;
    honest.pattern.witnesses.retain(|witness| witness.unit != place);
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

/// SAFE-2: one witness is one insider away from none.
#[test]
fn a_small_cell_with_one_witness_is_refused() {
    let mut honest = honest();
    let (place, mut seen) = (honest.place(SMALL) as u32, BTreeSet::new());
    honest.pattern.witnesses.retain(|witness| witness.unit != place || seen.insert(witness.atom));
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

/// SAFE-2: that kommun knows its own corners and so the small cell.
#[test]
fn witnesses_that_all_run_through_one_kommun_are_refused() {
    let mut honest = honest();
    let all: Vec<Witness> = honest.own(SMALL).map(|witness| witness.clone()).collect();
    let first = all.iter().find(|witness| honest.kommuner(witness).len() == 1).unwrap().clone();
    for witness in honest.own(SMALL).filter(|witness| witness.atom == first.atom) {
        *witness = first.clone();
    }
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

#[test]
fn a_witness_that_moves_nothing_or_too_much_is_refused_without_a_panic() {
    for change in [0, 2, -1, i32::MAX, i32::MIN] {
        let mut honest = honest();
        let atom = honest.own(SMALL).next().unwrap().atom;
        let place = honest.place(SMALL) as u32;
        let first = honest.own(SMALL).next().unwrap();
        first.steps.iter_mut().find(|step| (step.0, step.1) == (place, atom)).unwrap().2 = change;
        honest.recommit();
        assert_eq!(honest.fault(SMALL), PatternFault::Witness, "a change of {change}");
    }
}

#[test]
fn a_corner_of_the_least_integer_is_refused_without_a_panic() {
    let mut honest = honest();
    let witness = honest.own(SMALL).next().unwrap();
    let own = (witness.unit, witness.atom);
    witness.steps.iter_mut().find(|step| (step.0, step.1) != own).unwrap().2 = i32::MIN;
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

#[test]
fn a_witness_outside_the_roster_or_the_collection_is_refused_without_a_panic() {
    for step in [(99, 0, 1), (0, 9_999, 1), (u32::MAX, u32::MAX, 1)] {
        let mut honest = honest();
        honest.own(SMALL).next().unwrap().steps.push(step);
        honest.recommit();
        assert_eq!(honest.fault(SMALL), PatternFault::Shape);
    }
}

#[test]
fn a_witness_that_names_another_units_cell_as_the_own_one_is_refused() {
    let mut honest = honest();
    let other = honest.pattern.witnesses.iter().find(|witness| witness.unit != 0).unwrap().clone();
    let forged = postcard::to_allocvec(&vec![other]).unwrap();
    let leaves: Vec<Vec<u8>> = UNITS.iter().map(|_| forged.clone()).collect();
    honest.document.witness_root = round::merkle::root(&leaves);
    let place = honest.place(SMALL);
    let proof = round::merkle::prove(&leaves, place).unwrap();
    let shown = Shown { witnesses: forged, proof, ..shown(&honest.document, &honest.pattern, &unit(SMALL)) };
    assert_eq!(honest.fault_of(SMALL, shown), PatternFault::Shape);
}

/// SAFE-1: an own corner that is small or zero cannot move.
#[test]
fn a_witness_with_an_own_corner_that_is_not_plain_is_refused() {
    let mut honest = honest();
    let statuses = honest.world.statuses(&unit(SMALL));
    let place = honest.place(SMALL) as u32;
    let atom = honest.own(SMALL).next().unwrap().atom;
    let weak = |at: &usize| statuses[*at] != tables::count::FineStatus::Plain && *at != atom as usize;
    let weak = (0..statuses.len()).find(weak).unwrap() as u32;
    honest.own(SMALL).next().unwrap().steps.push((place, weak, 1));
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

/// SAFE-1: a movement that a reader would see in another kommun's row protects nothing.
#[test]
fn a_witness_that_changes_a_shown_figure_of_another_unit_is_refused() {
    let mut honest = honest();
    let place = honest.place(SMALL) as u32;
    let steps: Vec<_> = honest.own(SMALL).flat_map(|witness| witness.steps.clone()).collect();
    let (other, atom, _) = steps.into_iter().find(|step| step.0 != place).unwrap();
    let holds = |cell: &usize| honest.world.system.cells[*cell].unit_atoms == Some(vec![atom]);
    let cells: Vec<usize> = honest.document.withheld[other as usize].iter().copied().filter(holds).collect();
    assert!(!cells.is_empty(), "the corner is a printed cell");
    for cell in cells {
        honest.document.withheld[other as usize].remove(&cell);
    }
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

/// SAFE-1: nor one that a reader would see in a county total.
#[test]
fn a_witness_that_changes_a_total_that_is_not_closed_is_refused() {
    let mut honest = honest();
    let place = honest.place(SMALL) as u32;
    let atom = honest.own(SMALL).next().unwrap().atom;
    let mut lone = honest.own(SMALL).next().unwrap().clone();
    lone.steps.retain(|step| (step.0, step.1) == (place, atom));
    *honest.own(SMALL).next().unwrap() = lone;
    honest.document.closed.clear();
    honest.pattern.closed.clear();
    honest.recommit();
    assert_eq!(honest.fault(SMALL), PatternFault::Witness);
}

// The commitment to the witnesses.

#[test]
fn witnesses_that_are_not_under_the_root_are_refused() {
    let mut honest = honest();
    honest.document.witness_root[0] ^= 1;
    assert_eq!(honest.fault(SMALL), PatternFault::Proof);
}

#[test]
fn every_changed_byte_of_the_witnesses_is_refused() {
    let honest = honest();
    let right = shown(&honest.document, &honest.pattern, &unit(SMALL));
    for at in 0..right.witnesses.len() {
        let mut wrong = right.clone();
        wrong.witnesses[at] ^= 1;
        assert_eq!(honest.fault_of(SMALL, wrong), PatternFault::Proof, "byte {at}");
    }
}

#[test]
fn another_units_witnesses_with_their_own_proof_are_refused() {
    let honest = honest();
    let right = shown(&honest.document, &honest.pattern, &unit(SMALL));
    let other = shown(&honest.document, &honest.pattern, &unit(THIN));
    let swapped = Shown { witnesses: other.witnesses, proof: other.proof, ..right.clone() };
    assert_eq!(honest.fault_of(SMALL, swapped), PatternFault::Proof);
    let other_proof = Shown { proof: shown(&honest.document, &honest.pattern, &unit(THIN)).proof, ..right };
    assert_eq!(honest.fault_of(SMALL, other_proof), PatternFault::Proof);
}

#[test]
fn a_proof_of_another_length_is_refused() {
    let honest = honest();
    let right = shown(&honest.document, &honest.pattern, &unit(SMALL));
    let none = Shown { proof: Proof { siblings: Vec::new() }, ..right.clone() };
    assert_eq!(honest.fault_of(SMALL, none), PatternFault::Proof);
    let mut long = right;
    long.proof.siblings.push(Some([0; 32]));
    long.proof.siblings.push(None);
    assert_eq!(honest.fault_of(SMALL, long), PatternFault::Proof);
}

#[test]
fn nonsense_that_the_root_commits_to_is_refused() {
    let mut honest = honest();
    let nonsense = vec![255; 40];
    let leaves = vec![nonsense.clone(); UNITS.len()];
    honest.document.witness_root = round::merkle::root(&leaves);
    let proof = round::merkle::prove(&leaves, honest.place(SMALL)).unwrap();
    let shown =
        Shown { witnesses: nonsense, proof, ..shown(&honest.document, &honest.pattern, &unit(SMALL)) };
    assert_eq!(honest.fault_of(SMALL, shown), PatternFault::Proof);
}

// The ledger.

const FIRST: [&str; 6] = ["2101", "2104", "2121", "2132", "2161", PLAIN];

/// A later version of the collection opens the same cell over another roster.
fn after_opening(next: &[&str]) -> Result<(), PatternFault> {
    let (first, second) = (World::version(1), World::version(2));
    let mut ledger = Ledger::default();
    let (opened, _) = first.hiding(&FIRST, &FIRST);
    let mut node = plain(&first);
    accept(&mut node, shown_bare(&opened, &unit(PLAIN)), &ledger);
    for (definition, line) in node.lines(&opened, None) {
        ledger.enter(definition, line);
    }
    let (again, _) = second.hiding(next, next);
    let mut node = plain(&second);
    let shown = shown_bare(&again, &unit(PLAIN));
    asked(&mut node, &again);
    match &node.handle(Event::Pattern(Box::new(shown.clone())), &ledger).unwrap()[..] {
        [Fact::Refused { .. }] => Err(fault(&mut node, shown, &ledger)),
        facts => {
            assert!(matches!(facts, [Fact::Accepted(_)]));
            Ok(())
        }
    }
}

/// SAFE-2, SAFE-3: the difference of the two openings is one kommun.
#[test]
fn a_later_collection_that_opens_a_line_with_one_kommun_more_or_less_is_refused() {
    assert_eq!(after_opening(&["2101", "2104", "2121", "2132", PLAIN]), Err(PatternFault::Ledger));
    let more = ["2101", "2104", "2121", "2132", "2161", "2180-01", "2180-02", "2180-03", PLAIN];
    assert_eq!(after_opening(&more), Err(PatternFault::Ledger), "three stadsdelar are one kommun");
}

#[test]
fn a_later_collection_that_opens_a_line_with_two_kommuner_exchanged_is_refused() {
    let exchanged = ["2101", "2104", "2121", "2132", "2180-01", PLAIN];
    assert_eq!(after_opening(&exchanged), Err(PatternFault::Ledger));
}

#[test]
fn a_later_collection_over_the_same_kommuner_is_allowed() {
    assert_eq!(after_opening(&FIRST), Ok(()));
}

#[test]
fn a_later_collection_that_differs_in_three_kommuner_is_allowed() {
    let (first, second) = (World::version(1), World::version(2));
    let one = ["2101", "2104", "2121", "2132", PLAIN];
    let other = ["2104", "2121", "2161", "2180-01", PLAIN];
    let mut ledger = Ledger::default();
    let (opened, _) = first.hiding(&one, &one);
    for (definition, line) in plain(&first).lines(&opened, None) {
        ledger.enter(definition, line);
    }
    let (again, _) = second.hiding(&other, &other);
    accept(&mut plain(&second), shown_bare(&again, &unit(PLAIN)), &ledger);
}

/// A line is named by its cell, so a bare pattern that opens another cell meets no entry.
#[test]
fn the_ledger_forbids_only_the_cell_that_was_opened() {
    let (first, second) = (World::version(1), World::version(2));
    let mut ledger = Ledger::default();
    for (definition, line) in plain(&first).lines(&first.hiding(&FIRST, &FIRST).0, None) {
        ledger.enter(definition, line);
    }
    let mut other = second.bare(&FIRST[..5].iter().copied().chain([PLAIN]).collect::<Vec<_>>()[1..]);
    other.open.insert(second.cell("T05", &["ansokan", "man"], "2024"));
    accept(&mut plain(&second), shown_bare(&other, &unit(PLAIN)), &ledger);
}

/// Every unit of the fixture is who the other tests say it is.
#[test]
fn the_fixture_has_small_cells_a_zero_and_a_kommun_without_either() {
    use tables::count::FineStatus::{Plain, Small, Zero};
    let world = World::new();
    let has = |code: &str, status| world.statuses(&code.parse::<Unit>().unwrap()).contains(&status);
    assert!(has(SMALL, Small) && has(THIN, Small) && has(THIN, Zero) && has(ZERO, Zero));
    assert!(!has(ZERO, Small) && !has(PLAIN, Small) && !has(PLAIN, Zero) && has(PLAIN, Plain));
}
