//! A county with one kommun (ADR 21), as a region or helper that wants more of it than it chose to show would have it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use std::collections::BTreeSet;

use party::*;
use round::document::{Declaration, PatternDocument, Stage};
use round::ledger::Ledger;
use round::node::{Event, Fact};
use round::refusal::{PatternFault, Refusal};
use round::region;
use tables::count::FineStatus;
use tables::system::Build;

/// The final pattern of an honest region, and a world that it is of.
fn honest() -> (Federation, PatternDocument) {
    let mut federation = Federation::new(World::alone()).until_chosen();
    federation.units().iter().for_each(|unit| federation.answer(unit));
    federation.at_region(region::Event::Finalise).unwrap();
    let document = federation.document();
    (federation, document)
}

fn fault_of(world: &World, document: &PatternDocument) -> PatternFault {
    let (mut node, _) = world.declared_node(SMALL);
    fault(&mut node, shown_bare(document, &unit(SMALL)), &Ledger::default())
}

/// SAFE-3, STAY-2: its county's sum is its own figure.
#[test]
fn nothing_of_a_kommun_that_is_its_county_is_opened_and_what_it_sends_readable_is_its_own_choice() {
    let mut federation = Federation::new(World::alone()).until_submitted();
    federation.close().unwrap();
    let (opened, readable) = federation.open();
    assert!(opened.is_empty());
    let (world, unit) = (&federation.world, unit(SMALL));
    let statuses = world.statuses(&unit);
    let chosen = |cell: &usize| statuses[*cell] != FineStatus::Small;
    assert!(readable[0].keys().copied().eq((0..world.system.cells.len()).filter(chosen)));
    for (cell, value) in &readable[0] {
        assert_eq!(*value, world.system.value(&world.counts[&unit], *cell));
        assert!(!(1..4).contains(value));
    }
    assert!(!readable[0].is_empty(), "a kommun that shows nothing tests nothing");
    let totals = round::shares::totals(&world.system, &federation.document(), &opened, &readable);
    assert_eq!(totals, readable[0]);
}

#[test]
fn an_honest_pattern_is_accepted_and_withholds_more_than_what_is_small() {
    let (mut federation, document) = honest();
    federation.hold();
    federation.show(&unit(SMALL));
    let world = &federation.world;
    let value = |cell: usize| world.system.value(&world.counts[&unit(SMALL)], cell);
    let small: BTreeSet<usize> =
        (0..world.system.cells.len()).filter(|cell| (1..4).contains(&value(*cell))).collect();
    assert!(!small.is_empty() && small.is_subset(&document.withheld[0]));
    assert!(small.len() < document.withheld[0].len(), "a lone small cell follows from its sums");
}

#[test]
fn a_region_that_would_open_a_sum_is_refused_by_node_and_helper() {
    let (federation, document) = honest();
    let shared =
        federation.world.system.cells.iter().position(|cell| matches!(cell.build, Build::Entry { .. }));
    let mut opens = document;
    opens.open.insert(shared.unwrap());
    opens.closed.clear();
    assert_eq!(fault_of(&federation.world, &opens), PatternFault::Opens);
    let handed = federation.world.handed(&opens);
    let held = federation.world.helper(&[]).hold(handed, &federation.world.roots);
    assert_eq!(held, Err(Refusal::Pattern(PatternFault::Opens)));
}

#[test]
fn a_region_that_would_show_more_or_less_than_the_kommun_chose_is_refused() {
    let (federation, document) = honest();
    let mut more = document.clone();
    more.withheld[0].pop_first();
    assert_eq!(fault_of(&federation.world, &more), PatternFault::SmallShown);
    let mut less = document.clone();
    less.withheld[0] = (0..federation.world.system.cells.len()).collect();
    assert_eq!(fault_of(&federation.world, &less), PatternFault::ZeroWithheld);
    let mut shapeless = document;
    shapeless.withheld.clear();
    assert_eq!(fault_of(&federation.world, &shapeless), PatternFault::Shape);
}

#[test]
fn a_region_takes_statuses_of_every_cell_and_no_other_number() {
    let mut federation = Federation::new(World::alone());
    federation.at_region(region::Event::Announce).unwrap();
    let region::Event::Declare { unit, certificate, der, declaration } =
        federation.declare_event(&unit(SMALL))
    else {
        panic!("not a declaration")
    };
    let short = Declaration { statuses: declaration.statuses[1..].to_vec(), ..declaration };
    let event = region::Event::Declare { unit, certificate, der, declaration: short };
    assert_eq!(federation.at_region(event), Err(Refusal::Malformed("number of statuses")));
}

/// A pattern shown twice must be the same: what was readable cannot be taken back.
#[test]
fn another_pattern_in_the_same_round_is_refused() {
    let (federation, document) = honest();
    let (mut node, _) = federation.world.declared_node(SMALL);
    asked(&mut node, &document);
    let shown = |document: &PatternDocument| Event::Pattern(Box::new(shown_bare(document, &unit(SMALL))));
    let facts = node.handle(shown(&document), &Ledger::default()).unwrap();
    assert!(matches!(facts.first(), Some(Fact::Accepted(_))));
    facts.into_iter().for_each(|fact| node.apply(fact));
    let mut other = document;
    assert_eq!(other.stage, Stage::Final);
    other.submit_until += 1;
    let facts = node.handle(shown(&other), &Ledger::default()).unwrap();
    assert!(matches!(facts[..], [Fact::Refused { fault: PatternFault::Another, .. }]));
}
