//! An extension: tables added to what was published, whose figures everybody has as they were.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use std::collections::BTreeSet;

use party::{Change, Federation, PLAIN, SMALL, THIN, World, fault, unit};
use round::helper::Helper;
use round::ledger::Ledger;
use round::refusal::{PatternFault, Refusal};
use round::region::{Event, Failure, Phase};
use tables::system::{Build, CellIndex};

fn published() -> Federation {
    let mut first = Federation::new(World::new()).until_submitted();
    first.publish();
    first
}

/// A record more in a shown figure.
const PLAIN_CHANGE: Change = (PLAIN, 2024, "ansokan", [30, 30]);

fn new_cells(extended: &Federation) -> BTreeSet<CellIndex> {
    let known = extended.extension.as_ref().unwrap().cells();
    (0..extended.world.system.cells.len()).filter(|cell| !known.contains(cell)).collect()
}

#[test]
fn true_1_new_sums_and_old_ones_are_right_and_nothing_of_the_first_version_is_another() {
    let mut extended = Federation::extended(published(), &[]).until_submitted();
    let (document, (sums, readable)) = (extended.document(), extended.open());
    let (world, first) = (&extended.world, extended.first.as_ref().unwrap());
    let added = new_cells(&extended);
    assert!(sums.keys().filter(|cell| added.contains(cell)).count() > 10, "new sums are opened");
    for (cell, sum) in &sums {
        let straight: u64 =
            document.units().iter().map(|u| world.system.value(&world.counts[u], *cell)).sum();
        assert_eq!(*sum, straight, "cell {cell}");
    }
    let extension = extended.extension.as_ref().unwrap();
    let known = first.region.known().unwrap();
    for (cell, sum) in &known.sums {
        assert_eq!(sums.get(&extension.cell(*cell).unwrap()), Some(sum), "as it was opened before");
    }
    for (then, now) in known.readable.iter().zip(&readable) {
        let then: Vec<_> =
            then.iter().map(|(cell, value)| (extension.cell(*cell).unwrap(), *value)).collect();
        assert_eq!(then.into_iter().collect::<std::collections::BTreeMap<_, _>>(), *now);
    }
    extended.publish();
    assert_eq!(extended.region.phase(), Phase::Published);
}

/// SAFE-3: who has other figures now would be told by what was opened before.
#[test]
fn safe_3_a_kommun_with_other_figures_ends_the_round_by_name() {
    let mut extended = Federation::extended(published(), &[PLAIN_CHANGE]).until_declared();
    extended.choose();
    let expected = Failure::Extension { missing: Vec::new(), changed: vec![unit(PLAIN)] };
    assert_eq!(extended.region.failure(), Some(&expected));
    assert!(expected.to_string().contains(PLAIN) && expected.to_string().contains("nobody"));
}

#[test]
fn a_kommun_that_is_missing_ends_the_round_by_name() {
    let mut extended = Federation::extended(published(), &[]);
    extended.at_region(Event::Announce).unwrap();
    let units: Vec<_> = extended.units().into_iter().filter(|known| *known != unit(THIN)).collect();
    units.iter().for_each(|unit| extended.declare(unit));
    extended.now += 336 * 3600;
    extended.choose();
    let expected = Failure::Extension { missing: vec![unit(THIN)], changed: Vec::new() };
    assert_eq!(extended.region.failure(), Some(&expected));
}

#[test]
fn true_3_a_kommun_that_cannot_say_what_changed_ends_the_round_by_name() {
    let mut extended = Federation::extended(published(), &[]);
    extended.at_region(Event::Announce).unwrap();
    for each in extended.units() {
        match each == unit(SMALL) {
            true => extended.at_region(extended.declare_event(&each)).unwrap(),
            false => extended.declare(&each),
        }
    }
    extended.choose();
    let expected = Failure::Extension { missing: Vec::new(), changed: vec![unit(SMALL)] };
    assert_eq!(extended.region.failure(), Some(&expected));
}

#[test]
fn a_kommun_that_does_not_deliver_ends_the_round_by_name() {
    let mut extended = Federation::extended(published(), &[]).until_final();
    for each in extended.units().into_iter().filter(|known| *known != unit(PLAIN)) {
        extended.submit(&each);
        extended.check(&each);
    }
    extended.now += 168 * 3600 + 1;
    extended.at_region(Event::DropMissing).unwrap();
    let expected = Failure::Extension { missing: vec![unit(PLAIN)], changed: Vec::new() };
    assert_eq!(extended.region.failure(), Some(&expected));
}

/// SAFE-3, attack: a region that forgets a change is refused by the node, and where nodes look at nothing by the helper's ledger.
#[test]
fn safe_3_a_region_that_forgets_a_change_is_refused_by_the_node_and_by_the_helper() {
    let forgetful = || {
        let mut extended = Federation::extended(published(), &[PLAIN_CHANGE]);
        extended.at_region(Event::Announce).unwrap();
        for each in extended.units() {
            if each != unit(PLAIN) {
                extended.declare(&each);
                continue;
            }
            let hash = extended.world.collection.hash;
            let statuses = extended.world.statuses(&each);
            extended.at_node(&each, round::node::Event::Approve(hash)).unwrap();
            extended.at_node(&each, round::node::Event::Counted(statuses)).unwrap();
            let changed = BTreeSet::new();
            extended.at_region(Event::Change { unit: each.clone(), changed }).unwrap();
            extended.at_region(extended.declare_event(&each)).unwrap();
            extended.at_node(&each, round::node::Event::DeclarationTaken).unwrap();
        }
        extended.choose();
        extended
    };
    let mut extended = forgetful();
    let shown = extended.shown(&unit(PLAIN));
    let member = extended.members.get_mut(&unit(PLAIN)).unwrap();
    let ledger = member.ledger.clone();
    assert_eq!(fault(&mut member.node, shown, &ledger), PatternFault::Ledger);
    let mut extended = forgetful();
    extended.finalise_unseen();
    let opened = extended.first.as_ref().unwrap().document();
    let cell = extended.extension.as_ref().unwrap();
    let is_open = |known: &CellIndex| extended.document().open.contains(&cell.cell(*known).unwrap());
    assert!(opened.open.iter().all(is_open));
    let differs = opened.open.iter().any(|known| {
        let (then, now) = (&extended.first.as_ref().unwrap().world, &extended.world);
        let before = then.system.value(&then.counts[&unit(PLAIN)], *known);
        before != now.system.value(&now.counts[&unit(PLAIN)], cell.cell(*known).unwrap())
    });
    assert!(differs, "else the ledger has nothing to see");
    assert_eq!(extended.close(), Err(Refusal::Ledger));
}

/// SAFE-1, SAFE-3, attack: patterns that show or hide of the first version what that did not.
#[test]
fn safe_3_a_pattern_that_shows_another_first_version_is_refused_by_node_and_helper() {
    let extended = Federation::extended(published(), &[]).until_chosen();
    let (honest, pattern) = (extended.document(), extended.region.pattern().unwrap().clone());
    let first = extended.first.as_ref().unwrap();
    let extension = extended.extension.as_deref();
    let helper: &Helper = &extended.helper;
    assert_eq!(helper.follows(&honest, first.helper.closed(), extension), Ok(()));
    assert!(helper.follows(&honest, first.helper.closed(), None).is_err(), "without knowing which is which");
    assert!(helper.follows(&honest, None, extension).is_err(), "of a first version that is not closed here");
    let known = extension.unwrap();
    let opened = known.mapped(&first.document().open);
    let mut others = Vec::new();
    let mut without = honest.clone();
    without.open.remove(opened.first().unwrap());
    others.push(without);
    let mut less = honest.clone();
    less.roster.pop();
    less.withheld.pop();
    others.push(less);
    let mut hiding = honest.clone();
    let place = hiding.place(&unit(SMALL)).unwrap();
    let shown = extended.world.system.per_unit().find(|cell| !hiding.withheld[place].contains(cell)).unwrap();
    hiding.withheld[place].insert(shown);
    others.push(hiding);
    for other in others {
        assert!(helper.follows(&other, first.helper.closed(), extension).is_err());
        let mut shown = party::shown(&other, &pattern, &unit(SMALL));
        shown.earlier = extended.earlier(&unit(SMALL));
        shown.first = Some(Box::new(first.document()));
        let mut node = extended.members[&unit(SMALL)].node.clone();
        fault(&mut node, shown, &Ledger::default());
    }
}

#[test]
fn no_new_sum_is_opened_that_a_closed_one_would_follow_from() {
    let extended = Federation::extended(published(), &[]).until_chosen();
    let (document, system) = (extended.document(), &extended.world.system);
    let closed: BTreeSet<CellIndex> =
        extended.extension.as_ref().unwrap().mapped(&extended.first.as_ref().unwrap().document().closed);
    assert!(closed.is_subset(&document.closed));
    for cell in new_cells(&extended).intersection(&document.open) {
        assert!(!matches!(system.cells[*cell].build, Build::Sum(_)));
    }
}
