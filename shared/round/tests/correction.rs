//! A second version: a kommun corrects, another comes late, and what was published before stays beside it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use std::collections::BTreeSet;

use party::{Change, Federation, PLAIN, SMALL, START, World, fault, unit};
use round::node;
use round::refusal::{PatternFault, Refusal};
use round::region::{Event, Phase};
use tables::system::CellIndex;

fn published() -> Federation {
    let mut first = Federation::new(World::new()).until_submitted();
    first.publish();
    first
}

/// The first version without one kommun.
fn published_without(late: &str) -> Federation {
    let mut first = Federation::new(World::new());
    first.at_region(Event::Announce).unwrap();
    let units: Vec<_> = first.units().into_iter().filter(|known| *known != unit(late)).collect();
    units.iter().for_each(|unit| first.declare(unit));
    first.now += 336 * 3600;
    first.choose();
    first.finalise();
    first.submit_all();
    first.publish();
    first
}

fn sum_of_all(federation: &Federation, cell: CellIndex) -> u64 {
    let (world, document) = (&federation.world, federation.document());
    document.units().iter().map(|unit| world.system.value(&world.counts[unit], cell)).sum()
}

/// TRUE-1, SAFE-3: every sum that is opened again is right, and its difference is what shown figures say.
fn assert_right(federation: &Federation) {
    let first = federation.first.as_ref().unwrap();
    let (sums, readable) = federation.open();
    let (document, before) = (federation.document(), first.document());
    assert!(!sums.is_empty(), "sums in which nothing hidden changed are opened again");
    for (cell, sum) in &sums {
        assert_eq!(*sum, sum_of_all(federation, *cell), "cell {cell}");
        assert!(before.open.contains(cell));
        let mut difference = 0i64;
        for (place, unit) in document.units().iter().enumerate() {
            let now = federation.world.system.value(&federation.world.counts[unit], *cell) as i64;
            let then = before.place(unit).map(|_| first.world.system.value(&first.world.counts[unit], *cell));
            let then = then.unwrap_or(0) as i64;
            let shown = readable[place].contains_key(cell)
                && before.place(unit).is_none_or(|place| !before.withheld[place].contains(cell));
            assert!(shown || now == then, "{unit} changed, hidden, in an opened sum");
            difference += now - then;
        }
        let (_, old) = first.region.known().unwrap().sums.iter().find(|(known, _)| *known == cell).unwrap();
        assert_eq!(*sum as i64 - *old as i64, difference);
    }
}

const PLAIN_CHANGE: Change = (PLAIN, 2024, "ansokan", [30, 30]);

#[test]
fn a_kommun_that_corrects_shown_figures_is_published_again_with_every_sum() {
    let mut second = Federation::second(published(), &[PLAIN_CHANGE]).until_submitted();
    assert_eq!(second.document().roster.len(), second.units().len());
    assert_right(&second);
    let cell = second.world.cell("T03", &["ansokan"], "2024");
    let place = second.document().place(&unit(PLAIN)).unwrap();
    let (_, readable) = second.open();
    assert_eq!(readable[place].get(&cell), Some(&60), "the corrected figure is shown");
    second.publish();
    assert_eq!(second.region.phase(), Phase::Published);
}

#[test]
fn safe_3_a_hidden_figure_that_changed_keeps_its_sum_closed() {
    let first = published();
    let mut second = Federation::second(first, &[(SMALL, 2024, "yttrande", [2, 1])]).until_submitted();
    let cell = second.world.cell("T03", &["yttrande"], "2024");
    let before = second.first.as_ref().unwrap().document();
    assert!(before.open.contains(&cell), "else there is nothing to keep closed");
    assert!(second.document().closed.contains(&cell));
    assert_right(&second);
    second.publish();
}

#[test]
fn a_late_kommun_is_in_the_second_version_and_its_hidden_figures_in_no_sum() {
    let first = published_without(SMALL);
    assert!(first.document().place(&unit(SMALL)).is_none());
    let mut second = Federation::second(first, &[]).until_submitted();
    let document = second.document();
    let place = document.place(&unit(SMALL)).unwrap();
    assert!(!document.withheld[place].is_empty());
    assert!(document.open.is_disjoint(&document.withheld[place]));
    assert_right(&second);
    second.publish();
}

#[test]
fn true_3_a_kommun_that_cannot_say_what_changed_takes_no_part() {
    let mut second = Federation::second(published(), &[PLAIN_CHANGE]);
    second.at_region(Event::Announce).unwrap();
    for unit in second.units() {
        if unit == party::unit(PLAIN) {
            // Its store was lost: it declares and says nothing of the first version.
            second.at_region(second.declare_event(&unit)).unwrap();
        } else {
            second.declare(&unit);
        }
    }
    second.choose();
    assert!(second.document().place(&unit(PLAIN)).is_none());
}

/// Attack: the region leaves out a change, so that a sum seems to be opened in which nothing hidden changed.
#[test]
fn safe_3_a_region_that_forgets_a_change_is_refused_by_the_node_and_by_the_helper() {
    let mut second = Federation::second(published(), &[(SMALL, 2024, "yttrande", [2, 1])]);
    second.at_region(Event::Announce).unwrap();
    for unit in second.units() {
        let honest = unit != party::unit(SMALL);
        if honest {
            second.declare(&unit);
            continue;
        }
        let hash = second.world.collection.hash;
        second.at_node(&unit, node::Event::Approve(hash)).unwrap();
        second.at_node(&unit, node::Event::Counted(second.world.statuses(&unit))).unwrap();
        let changed = BTreeSet::new();
        second.at_region(Event::Change { unit: unit.clone(), changed }).unwrap();
        second.at_region(second.declare_event(&unit)).unwrap();
        second.at_node(&unit, node::Event::DeclarationTaken).unwrap();
    }
    second.choose();
    let small = unit(SMALL);
    assert!(second.document().open.contains(&second.world.cell("T03", &["yttrande"], "2024")));
    let shown = second.shown(&small);
    let member = second.members.get_mut(&small).unwrap();
    assert_eq!(fault(&mut member.node, shown, &member.ledger.clone()), PatternFault::Ledger);

    // A node that would not look: the tags tell the helper.
    let mut careless = Federation::second(published(), &[(SMALL, 2024, "yttrande", [2, 1])]);
    careless.at_region(Event::Announce).unwrap();
    for unit in careless.units() {
        careless.at_node(&unit, node::Event::Approve(careless.world.collection.hash)).unwrap();
        careless.at_node(&unit, node::Event::Counted(careless.world.statuses(&unit))).unwrap();
        careless.at_region(Event::Change { unit: unit.clone(), changed: BTreeSet::new() }).unwrap();
        careless.at_region(careless.declare_event(&unit)).unwrap();
        careless.at_node(&unit, node::Event::DeclarationTaken).unwrap();
    }
    careless.choose();
    careless.finalise_unseen();
    assert_eq!(careless.close(), Err(Refusal::Ledger));
}

/// Attack: a pattern that opens a sum the first version kept closed.
#[test]
fn safe_3_a_helper_holds_no_second_pattern_that_opens_more_than_the_first() {
    let second = Federation::second(published(), &[PLAIN_CHANGE]).until_chosen();
    let first = second.first.as_ref().unwrap();
    let mut document = second.document();
    let closed = *first.document().closed.first().unwrap();
    assert_eq!(second.helper.follows(&document, first.helper.closed(), None), Ok(()));
    document.open.insert(closed);
    let refused = second.helper.follows(&document, first.helper.closed(), None);
    assert_eq!(refused, Err(Refusal::Pattern(PatternFault::Opens)));
    let refused = second.helper.follows(&second.document(), None, None);
    assert!(matches!(refused, Err(Refusal::OtherBinding(_))), "not the version it corrects");
}

/// Attack: the region shows a node another first version than the one it submitted to.
#[test]
fn safe_1_a_node_judges_by_its_own_store_what_it_submitted_before() {
    let mut second = Federation::second(published(), &[PLAIN_CHANGE]).until_chosen();
    let small = unit(SMALL);
    for wrong in 0..6 {
        let mut shown = second.shown(&small);
        let earlier = shown.earlier.as_mut().unwrap();
        match wrong {
            0 => shown.earlier = None,
            1 => earlier.document.withheld[0].clear(),
            // a first version that was never opened, none, and one that leaves this kommun out
            2 => shown.first.as_mut().unwrap().submit_until += 1,
            3 => shown.first = None,
            4 => _ = shown.first.as_mut().unwrap().roster.remove(0),
            _ => shown.witnesses = second.region.leaves()[3].clone(),
        }
        let member = second.members.get_mut(&small).unwrap();
        let mut node = member.node.clone();
        fault(&mut node, shown, &member.ledger.clone());
    }
    second.answer(&small);
}

/// KEEP-1: a region that starts again goes on with the same pattern and the same evidence.
#[test]
fn a_region_restored_from_its_facts_shows_the_same_second_version() {
    let second = Federation::second(published(), &[PLAIN_CHANGE]).until_final();
    let first = second.first.as_ref().unwrap();
    let mut again = second.world.region().correcting(first.region.published().unwrap());
    second.region_facts.iter().for_each(|fact| again.apply(fact.clone()));
    assert_eq!(again.document(), second.region.document());
    assert_eq!(again.leaves(), second.region.leaves());
    assert_eq!(again.changed(&unit(PLAIN)), second.region.changed(&unit(PLAIN)));
}

#[test]
fn changes_are_taken_once_before_the_declaration_and_only_for_a_second_version() {
    let mut second = Federation::second(published(), &[PLAIN_CHANGE]);
    second.at_region(Event::Announce).unwrap();
    let plain = unit(PLAIN);
    let change =
        |cells: &[CellIndex]| Event::Change { unit: plain.clone(), changed: cells.iter().copied().collect() };
    second.at_region(change(&[0])).unwrap();
    second.at_region(change(&[0])).unwrap();
    assert_eq!(second.at_region(change(&[0, 1])), Err(Refusal::Second));
    let beyond = Event::Change { unit: unit(SMALL), changed: BTreeSet::from([100_000]) };
    assert!(matches!(second.at_region(beyond), Err(Refusal::Malformed(_))));
    second.at_region(second.declare_event(&unit(SMALL))).unwrap();
    let after = Event::Change { unit: unit(SMALL), changed: BTreeSet::new() };
    assert_eq!(second.at_region(after), Err(Refusal::Second), "it declared as one that does not know");
    let first = Federation::new(World::new());
    let refused = first.region.handle(change(&[0]), START);
    assert!(matches!(refused, Err(Refusal::OtherBinding(_))));
}
