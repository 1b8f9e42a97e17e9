//! What a region refuses, and that it waits for nobody (30-protocol, *Late and absent*).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use party::*;
use round::document::{Stage, Tier};
use round::helper::HandedReport;
use round::node;
use round::refusal::Refusal;
use round::region::{Duty, Event, Failure, Phase};
use tables::count::FineStatus;
use tables::unit::Unit;

const HOUR: i64 = 3_600;
const DECLARE: i64 = 336 * HOUR;

fn announced() -> Federation {
    let mut round = Federation::new(World::new());
    round.at_region(Event::Announce).unwrap();
    round
}

/// A declaration with something changed.
fn declaring(round: &Federation, code: &str, change: impl FnOnce(&mut Event)) -> Event {
    let mut event = round.declare_event(&unit(code));
    change(&mut event);
    event
}

fn refused(round: &mut Federation, event: Event) -> Refusal {
    let before = round.region_facts.len();
    let refusal = round.at_region(event).unwrap_err();
    assert_eq!(round.region_facts.len(), before);
    refusal
}

fn but(round: &Federation, absent: &[&str]) -> Vec<Unit> {
    round.units().into_iter().filter(|unit| !absent.contains(&unit.to_string().as_str())).collect()
}

fn deadline(round: &Federation) -> i64 {
    round.document().submit_until
}

// Declarations.

#[test]
fn nothing_is_taken_before_the_announcement() {
    let mut round = Federation::new(World::new());
    let event = round.declare_event(&unit(SMALL));
    assert_eq!(refused(&mut round, event), Refusal::Phase("not taking declarations"));
    assert!(round.region.duties(i64::MAX).is_empty());
}

#[test]
fn announcing_again_does_not_move_the_deadline() {
    let mut round = announced();
    round.now += 100 * HOUR;
    round.at_region(Event::Announce).unwrap();
    assert_eq!(round.region.declare_until(), Some(START + DECLARE));
}

/// DOOR-1.
#[test]
fn a_declaration_of_an_uninvited_unit_is_refused() {
    let mut round = announced();
    for stranger in ["2182", "0180", "2180", "2101-01"] {
        let event = declaring(&round, SMALL, |event| {
            let Event::Declare { unit, .. } = event else { unreachable!() };
            *unit = stranger.parse().unwrap();
        });
        assert_eq!(refused(&mut round, event), Refusal::NotInRoster, "{stranger}");
    }
}

#[test]
fn a_declaration_of_another_number_of_statuses_is_refused() {
    let mut round = announced();
    for more in [false, true] {
        let event = declaring(&round, SMALL, |event| {
            let Event::Declare { declaration, .. } = event else { unreachable!() };
            if more { declaration.statuses.push(FineStatus::Zero) } else { _ = declaration.statuses.pop() }
        });
        assert_eq!(refused(&mut round, event), Refusal::Malformed("number of statuses"));
    }
}

#[test]
fn a_declaration_for_another_collection_or_tier_is_refused() {
    let mut round = announced();
    for which in 0..3 {
        let event = declaring(&round, SMALL, |event| {
            let Event::Declare { declaration, .. } = event else { unreachable!() };
            match which {
                0 => declaration.collection.hash[0] ^= 1,
                1 => declaration.collection.version += 1,
                _ => declaration.tier = Tier::National,
            }
        });
        assert_eq!(refused(&mut round, event), Refusal::OtherBinding("collection"));
    }
}

/// STAY-2: a second set of statuses would say more than the first.
#[test]
fn a_second_different_declaration_is_refused_and_the_same_is_no_news() {
    let mut round = announced();
    round.declare(&unit(SMALL));
    let same = round.declare_event(&unit(SMALL));
    let facts = round.region_facts.len();
    round.at_region(same).unwrap();
    assert_eq!(round.region_facts.len(), facts);
    let changed = declaring(&round, SMALL, |event| {
        let Event::Declare { declaration, .. } = event else { unreachable!() };
        declaration.statuses.reverse();
    });
    assert_eq!(refused(&mut round, changed), Refusal::Second);
    let renewed = declaring(&round, SMALL, |event| {
        let Event::Declare { certificate, .. } = event else { unreachable!() };
        certificate[0] ^= 1;
    });
    assert_eq!(refused(&mut round, renewed), Refusal::Second);
}

#[test]
fn a_declaration_at_or_after_the_deadline_is_refused() {
    let mut round = announced();
    round.now = START + DECLARE - 1;
    round.declare(&unit(SMALL));
    round.now += 1;
    let late = round.declare_event(&unit(THIN));
    assert_eq!(refused(&mut round, late), Refusal::Phase("not taking declarations"));
}

#[test]
fn a_declaration_after_the_pattern_was_chosen_is_refused() {
    let mut round = announced();
    but(&round, &[PLAIN]).iter().for_each(|unit| round.declare(unit));
    round.now = START + DECLARE;
    round.choose();
    let late = round.declare_event(&unit(PLAIN));
    assert_eq!(refused(&mut round, late), Refusal::Phase("not taking declarations"));
    assert!(round.document().place(&unit(PLAIN)).is_none(), "a kommun absent at 2 is not in the roster");
}

// Choosing.

#[test]
fn the_pattern_is_chosen_at_the_deadline_or_when_everyone_declared_and_not_before() {
    let mut round = announced();
    but(&round, &[PLAIN]).iter().for_each(|unit| round.declare(unit));
    assert!(round.region.duties(START).is_empty());
    let choose = Event::Choose { verify_key: [9; 32], helper_key_id: [1; 32] };
    assert_eq!(refused(&mut round, choose.clone()), Refusal::Phase("not choosing a pattern"));
    assert_eq!(round.region.duties(START + DECLARE), vec![Duty::Choose]);
    round.declare(&unit(PLAIN));
    assert_eq!(round.region.duties(START), vec![Duty::Choose]);
    round.at_region(choose.clone()).unwrap();
    assert_eq!(refused(&mut round, choose), Refusal::Phase("not choosing a pattern"), "once");
}

/// SAFE-3: too few kommuner end the round, with their number.
#[test]
fn too_few_declarations_end_the_round_with_the_reason() {
    let mut round = announced();
    let few = ["2101", "2104", "2121", "2180-01", "2180-02", "2180-03"];
    few.iter().for_each(|code| round.declare(&unit(code)));
    round.now = START + DECLARE;
    round.choose();
    assert_eq!(round.region.failure(), Some(&Failure::RosterTooSmall { kommuner: 4, least: 5 }));
    assert_eq!(round.region.phase(), Phase::Failed);
    assert!(round.region.duties(i64::MAX).is_empty());
    let text = round.region.failure().unwrap().to_string();
    assert_eq!(text, "4 kommuner delivered; the collection asks for at least 5");
}

#[test]
fn nobody_declaring_ends_the_round_too() {
    let mut round = announced();
    round.now = START + DECLARE;
    round.choose();
    assert_eq!(round.region.failure(), Some(&Failure::RosterTooSmall { kommuner: 0, least: 5 }));
}

// Answers.

fn answer(round: &Federation, code: &str, lines: Vec<Vec<u32>>) -> Event {
    Event::Answer { unit: unit(code), pattern: round.document().hash(), lines }
}

#[test]
fn an_answer_to_another_pattern_is_refused() {
    let mut round = Federation::new(World::new()).until_chosen();
    let event = Event::Answer { unit: unit(SMALL), pattern: [0; 32], lines: Vec::new() };
    assert_eq!(refused(&mut round, event), Refusal::OtherBinding("pattern"));
}

#[test]
fn an_answer_from_outside_the_roster_is_refused() {
    let mut round = announced();
    but(&round, &[PLAIN]).iter().for_each(|unit| round.declare(unit));
    round.now = START + DECLARE;
    round.choose();
    for stranger in [PLAIN, "2182", "0180"] {
        let event = answer(&round, stranger, Vec::new());
        assert_eq!(refused(&mut round, event), Refusal::NotInRoster, "{stranger}");
    }
}

#[test]
fn an_answer_with_cells_that_do_not_exist_is_refused() {
    let mut round = Federation::new(World::new()).until_chosen();
    for lines in [vec![vec![u32::MAX]], vec![vec![0], vec![round.world.system.unit_atoms as u32]]] {
        let event = answer(&round, SMALL, lines);
        assert_eq!(refused(&mut round, event), Refusal::Malformed("lines"));
    }
    let event = answer(&round, SMALL, vec![Vec::new(); round::region::MAX_LINES + 1]);
    assert_eq!(refused(&mut round, event), Refusal::Malformed("lines"));
}

#[test]
fn a_second_different_answer_is_refused_and_the_same_is_no_news() {
    let mut round = Federation::new(World::new()).until_chosen();
    let first = answer(&round, SMALL, vec![vec![0, 1]]);
    round.at_region(first.clone()).unwrap();
    round.at_region(first).unwrap();
    let other = answer(&round, SMALL, Vec::new());
    assert_eq!(refused(&mut round, other), Refusal::Second);
}

#[test]
fn an_answer_to_the_final_pattern_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    let event = answer(&round, SMALL, Vec::new());
    assert_eq!(refused(&mut round, event), Refusal::Phase("past requests"));
}

/// SAFE-1: a kommun that asks for everything, zeros included, makes no pattern that another one must refuse.
#[test]
fn a_kommun_that_asks_for_every_line_breaks_nobodys_pattern() {
    let mut round = Federation::new(World::new()).until_chosen();
    let all: Vec<u32> = (0..round.world.system.unit_atoms as u32).collect();
    let mut lines: Vec<Vec<u32>> = all.iter().map(|atom| vec![*atom]).collect();
    lines.extend([all, Vec::new(), vec![0, 0, 0]]);
    for greedy in [ZERO, SMALL] {
        round.show(&unit(greedy));
        let event = answer(&round, greedy, lines.clone());
        round.at_region(event).unwrap();
    }
    but(&round, &[ZERO, SMALL]).iter().for_each(|unit| round.answer(unit));
    round.at_region(Event::Finalise).unwrap();
    round.hold();
    round.document().units().iter().for_each(|unit| round.show(unit));
}

#[test]
fn the_final_pattern_waits_for_all_answers_and_the_deadline_ends_the_waiting() {
    let mut round = Federation::new(World::new()).until_chosen();
    assert!(round.region.duties(START).is_empty());
    assert_eq!(refused(&mut round, Event::Finalise), Refusal::Phase("not past requests"));
    but(&round, &[PLAIN]).iter().for_each(|unit| round.answer(unit));
    assert_eq!(refused(&mut round, Event::Finalise), Refusal::Phase("not past requests"));
    assert_eq!(refused(&mut round, Event::DropMissing), Refusal::Phase("not past a deadline"));
    round.now = deadline(&round);
    assert_eq!(round.region.duties(round.now), vec![Duty::DropMissing]);
    round.at_region(Event::DropMissing).unwrap();
    let document = round.document();
    assert_eq!((document.round, document.stage), (2, Stage::Preliminary));
    assert!(document.place(&unit(PLAIN)).is_none(), "who did not answer is not waited for");
}

// Reports.

fn submitting(round: &Federation, code: &str, content: u8) -> Event {
    round.submit_event(&unit(code), round.document().round, [content; 32])
}

#[test]
fn a_report_with_another_certificate_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    let mut event = submitting(&round, SMALL, 1);
    let Event::Submit { certificate, .. } = &mut event else { unreachable!() };
    *certificate = fingerprint(&der(&unit(THIN)));
    assert_eq!(refused(&mut round, event), Refusal::NotInRoster);
}

/// DOOR-1.
#[test]
fn a_report_from_outside_the_roster_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    let event = submitting(&round, "2182", 1);
    assert_eq!(refused(&mut round, event), Refusal::NotInRoster);
}

#[test]
fn a_report_of_another_round_or_to_a_preliminary_pattern_is_refused() {
    let mut round = Federation::new(World::new()).until_chosen();
    let early = submitting(&round, SMALL, 1);
    assert_eq!(refused(&mut round, early), Refusal::Phase("not taking reports"));
    round.finalise();
    for number in [0, 2, u32::MAX] {
        let event = round.submit_event(&unit(SMALL), number, [1; 32]);
        assert_eq!(refused(&mut round, event), Refusal::OtherBinding("round"));
    }
}

/// KEEP-1: the region keeps the hash of the first and refuses a second, before and after it is verified.
#[test]
fn a_second_different_report_is_refused_and_the_same_is_no_news() {
    let mut round = Federation::new(World::new()).until_final();
    round.submit(&unit(SMALL));
    let second = submitting(&round, SMALL, 1);
    assert_eq!(refused(&mut round, second.clone()), Refusal::Second);
    round.check(&unit(SMALL));
    assert_eq!(refused(&mut round, second), Refusal::Second);
    let content = round.members[&unit(SMALL)].reports[&1].content_hash().0;
    let facts = round.region_facts.len();
    let same = round.submit_event(&unit(SMALL), 1, content);
    round.at_region(same).unwrap();
    assert_eq!(round.region_facts.len(), facts, "counted once");
}

#[test]
fn a_report_at_or_after_the_deadline_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    round.now = deadline(&round) - 1;
    let in_time = submitting(&round, SMALL, 1);
    round.at_region(in_time).unwrap();
    round.now += 1;
    let late = submitting(&round, THIN, 1);
    assert_eq!(refused(&mut round, late), Refusal::Phase("not taking reports"));
}

#[test]
fn a_report_after_the_round_failed_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    round.at_region(Event::Fail(Failure::Audit)).unwrap();
    let late = submitting(&round, SMALL, 1);
    assert!(matches!(refused(&mut round, late), Refusal::Phase(_)));
}

#[test]
fn a_verdict_on_a_report_that_never_came_is_refused_and_a_verdict_stands() {
    let mut round = Federation::new(World::new()).until_final();
    let verdict = |accepted| Event::Checked { round: 1, unit: unit(SMALL), accepted };
    assert_eq!(refused(&mut round, verdict(true)), Refusal::Phase("without this report"));
    round.submit(&unit(SMALL));
    round.at_region(verdict(false)).unwrap();
    round.at_region(verdict(true)).unwrap();
    assert!(round.region.verified().is_empty(), "a rejected report does not become a good one");
}

// Late and absent.

/// Everyone submits but these, and the deadline passes.
fn without(absent: &[&str]) -> Federation {
    let mut round = Federation::new(World::new()).until_final();
    for unit in but(&round, absent) {
        round.submit(&unit);
        round.check(&unit);
    }
    assert!(round.region.duties(START).is_empty(), "nothing is due while there is time");
    assert_eq!(refused(&mut round, Event::DropMissing), Refusal::Phase("not past a deadline"));
    round.now = deadline(&round);
    assert_eq!(round.region.duties(round.now), vec![Duty::DropMissing]);
    round.at_region(Event::DropMissing).unwrap();
    round
}

/// KEEP-1, TRUE-1: a new number, the rest of the roster, and sums over exactly them.
#[test]
fn a_kommun_that_declared_and_does_not_submit_is_left_out_of_a_new_round() {
    let mut round = without(&[THIN]);
    let document = round.document();
    assert_eq!((document.round, document.stage), (2, Stage::Preliminary));
    assert_eq!(document.units(), but(&round, &[THIN]));
    assert!(round.region.verified().is_empty(), "no report of the first round counts in the second");
    round.finalise();
    round.submit_all();
    assert_eq!(round.region.duties(round.now), vec![Duty::Close]);
    round.close().unwrap();
    let (sums, _) = round.open();
    let counts: Vec<_> = but(&round, &[THIN]).iter().map(|unit| round.world.counts[unit].clone()).collect();
    for (cell, sum) in sums {
        let true_sum: u64 = counts.iter().map(|own| round.world.system.value(own, cell)).sum();
        assert_eq!(sum, true_sum, "cell {cell}");
    }
}

/// STAY-2, KEEP-1: the first round's keys are never released.
#[test]
fn reports_of_the_round_before_are_not_used() {
    let mut round = without(&[THIN]);
    let old = round.members[&unit(SMALL)].reports[&1].clone();
    let content = old.content_hash().0;
    let at_region = round.submit_event(&unit(SMALL), 1, content);
    assert_eq!(refused(&mut round, at_region), Refusal::OtherBinding("round"));
    round.finalise();
    let document = round.document();
    let first = round.helper.document(1).unwrap().clone();
    let mut handed = round.world.pass_on(&first, &unit(SMALL), &old, [9; 32]);
    handed.round = 2;
    let helper = |handed: &HandedReport| round.helper.verify(handed).err();
    assert_eq!(helper(&handed), Some(Refusal::Report));
    let whole = round.helper.close(1, &first.hash(), &first.units(), &round.helper_ledger);
    assert!(whole.is_err(), "the first round is not closed any more");
    let mixed = round.helper.close(1, &first.hash(), &document.units(), &round.helper_ledger);
    assert!(mixed.is_err());
}

/// The verify key belongs to one round (30-protocol; VDAF draft: fresh per batch of reports).
#[test]
fn a_new_round_has_a_verify_key_of_its_own() {
    let round = without(&[THIN]);
    assert_ne!(round.region.verify_key(), Some([9; 32]));
}

/// SAFE-3.
#[test]
fn a_roster_that_would_shrink_under_the_minimum_ends_the_round_with_the_reason() {
    let round = without(&["2101", "2104", "2121"]);
    assert_eq!(round.region.failure(), Some(&Failure::RosterTooSmall { kommuner: 4, least: 5 }));
    assert_eq!(round.region.phase(), Phase::Failed);
    assert!(round.region.duties(i64::MAX).is_empty());
}

#[test]
fn a_roster_that_shrinks_to_the_minimum_goes_on() {
    let round = without(&["2101", "2104"]);
    assert_eq!(round.region.failure(), None);
    assert_eq!(round.document().kommuner().len(), 5);
}

/// A rejected report is a report not submitted; nobody waits for the deadline when all are judged.
#[test]
fn a_kommun_whose_report_is_rejected_is_left_out_at_once() {
    let mut round = Federation::new(World::new()).until_final();
    for unit in but(&round, &[SMALL]) {
        round.submit(&unit);
        round.check(&unit);
    }
    round.submit(&unit(SMALL));
    assert_eq!(round.region.duties(START), vec![Duty::Check(unit(SMALL))]);
    round.at_region(Event::Checked { round: 1, unit: unit(SMALL), accepted: false }).unwrap();
    assert_eq!(round.region.duties(START), vec![Duty::DropMissing]);
    round.at_region(Event::DropMissing).unwrap();
    assert_eq!(round.document().units(), but(&round, &[SMALL]));
}

#[test]
fn a_verdict_or_an_opening_of_the_round_before_is_refused() {
    let mut round = without(&[THIN]);
    let verdict = Event::Checked { round: 1, unit: unit(SMALL), accepted: true };
    assert_eq!(refused(&mut round, verdict), Refusal::OtherBinding("round"));
    let opened = Event::Opened { round: 1, sums: Default::default(), readable: Vec::new() };
    assert_eq!(refused(&mut round, opened), Refusal::OtherBinding("round"));
    assert_eq!(refused(&mut round, Event::HelperHolds(1)), Refusal::OtherBinding("round"));
}

#[test]
fn a_node_left_out_of_the_roster_is_not_shown_a_pattern_it_could_take() {
    let round = without(&[THIN]);
    let shown = shown(&round.document(), round.region.pattern().unwrap(), &unit(THIN));
    let member = &round.members[&unit(THIN)];
    let facts = member.node.handle(node::Event::Pattern(Box::new(shown)), &member.ledger).unwrap();
    assert!(matches!(facts[..], [node::Fact::Refused { round: 2, .. }]));
}

// The end.

/// SAFE-3: nothing is known before everyone is verified.
#[test]
fn opening_before_the_round_is_complete_is_refused() {
    let mut round = Federation::new(World::new()).until_final();
    let opened = Event::Opened { round: 1, sums: Default::default(), readable: Vec::new() };
    assert!(matches!(refused(&mut round, opened), Refusal::Phase(_)));
}

#[test]
fn publishing_before_anything_was_opened_is_refused() {
    for mut round in [announced(), Federation::new(World::new()).until_submitted()] {
        assert!(matches!(refused(&mut round, Event::Published([1; 32])), Refusal::Phase(_)));
        assert!(!round.region.phase().is_over());
    }
}

#[test]
fn a_round_that_is_over_stays_over() {
    let mut published = Federation::new(World::new()).until_submitted();
    published.close().unwrap();
    let (sums, readable) = published.open();
    published.at_region(Event::Opened { round: 1, sums, readable }).unwrap();
    published.at_region(Event::Published([1; 32])).unwrap();
    assert!(matches!(refused(&mut published, Event::Fail(Failure::Audit)), Refusal::Phase(_)));
    assert!(matches!(refused(&mut published, Event::Published([2; 32])), Refusal::Phase(_)));
    published.at_region(Event::Published([1; 32])).unwrap();
    assert_eq!(published.region.phase(), Phase::Published);
}
