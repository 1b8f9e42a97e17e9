//! What a helper refuses (30-protocol, *The helper verifies*): a region is not trusted to say who the nodes are, what
//! the reports were made for, or which roster is closed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod party;

use party::*;
use round::document::{PatternDocument, Stage, Tier};
use round::helper::{Fact, HandedPattern, HandedReport, Helper};
use round::ledger::Ledger;
use round::refusal::{PatternFault, Refusal};
use sharing::helper_key::HelperKeyPair;
use sharing::report::HelperPart;
use sharing::signing::SigningContext;
use tables::unit::Unit;

const KEY: [u8; 32] = [9; 32];

/// A helper that holds a bare pattern over everyone.
fn holding(world: &World, document: &PatternDocument) -> (Helper, Vec<Fact>) {
    let facts = world.helper(&[]).hold(world.handed(document), &world.roots).unwrap();
    (world.helper(&facts), facts)
}

fn hold(world: &World, document: &PatternDocument) -> Result<Vec<Fact>, Refusal> {
    world.helper(&[]).hold(world.handed(document), &world.roots)
}

fn apply(helper: &mut Helper, facts: Vec<Fact>) {
    facts.into_iter().for_each(|fact| helper.apply(fact));
}

fn verify_all(world: &World, helper: &mut Helper, document: &PatternDocument) {
    for unit in document.units() {
        let handed = world.handed_report(document, &unit, 5, KEY);
        let facts = helper.verify(&handed).unwrap().facts;
        apply(helper, facts);
    }
}

fn close(helper: &Helper, document: &PatternDocument) -> Result<Vec<Fact>, Refusal> {
    helper
        .close(document.round, &document.hash(), &document.units(), &Ledger::default())
        .map(|closing| closing.facts)
}

/// The error of a verification; its success has no `Debug`.
fn refused(helper: &Helper, handed: &HandedReport) -> Refusal {
    match helper.verify(handed) {
        Ok(_) => panic!("the report was accepted"),
        Err(refusal) => refusal,
    }
}

// The pattern.

#[test]
fn a_bare_pattern_over_everyone_is_held() {
    let world = World::new();
    assert_eq!(hold(&world, &world.bare(&UNITS)).unwrap().len(), 1);
}

#[test]
fn a_preliminary_pattern_is_not_held() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    document.stage = Stage::Preliminary;
    assert_eq!(hold(&world, &document), Err(Refusal::Phase("still asking for requests")));
}

#[test]
fn a_pattern_of_another_collection_or_tier_is_not_held() {
    let world = World::new();
    let changes: [fn(&mut PatternDocument); 3] = [
        |document| document.collection.hash[0] ^= 1,
        |document| document.collection.version += 1,
        |document| document.tier = Tier::National,
    ];
    for change in changes {
        let mut document = world.bare(&UNITS);
        change(&mut document);
        assert_eq!(hold(&world, &document), Err(Refusal::OtherBinding("collection")));
    }
}

#[test]
fn a_pattern_that_names_another_helper_key_is_not_held() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    document.helper_key_id = HelperKeyPair::derive(&[43; 32]).unwrap().public().id();
    assert_eq!(hold(&world, &document), Err(Refusal::OtherBinding("helper key")));
}

/// SAFE-3.
#[test]
fn a_roster_under_the_minimum_is_not_held() {
    let world = World::new();
    let small = Err(Refusal::Pattern(PatternFault::RosterTooSmall));
    assert_eq!(hold(&world, &world.bare(&["2101", "2104", "2121", "2132"])), small);
    let stadsdelar = world.bare(&["2101", "2104", "2121", "2180-01", "2180-02", "2180-03"]);
    assert_eq!(hold(&world, &stadsdelar), small, "three stadsdelar are one kommun");
}

#[test]
fn a_roster_with_a_unit_twice_or_out_of_order_is_not_held() {
    let world = World::new();
    let units = Err(Refusal::Pattern(PatternFault::RosterUnits));
    let twice = world.bare(&["2101", "2101", "2104", "2121", "2132", "2161"]);
    assert_eq!(hold(&world, &twice), units);
    let disordered = world.bare(&["2104", "2101", "2121", "2132", "2161"]);
    assert_eq!(hold(&world, &disordered), units);
}

#[test]
fn an_uninvited_unit_is_not_held() {
    let world = World::new();
    let document = world.bare(&["2101", "2104", "2121", "2132", "2161", "2182"]);
    assert_eq!(hold(&world, &document), Err(Refusal::Pattern(PatternFault::RosterUnits)));
}

/// DOOR-1: even a collection that invites it does not bring another county's kommun in.
#[test]
fn a_unit_of_another_county_is_not_held() {
    let mut world = World::new();
    let mut collection = (*world.collection).clone();
    collection.units.insert(0, unit("0180"));
    world.collection = collection.into();
    let document = world.bare(&["0180", "2101", "2104", "2121", "2132", "2161"]);
    assert_eq!(hold(&world, &document), Err(Refusal::Pattern(PatternFault::RosterUnits)));
}

#[test]
fn a_list_of_certificates_of_another_length_is_not_held() {
    let world = World::new();
    for change in [-1, 1] {
        let mut handed = world.handed(&world.bare(&UNITS));
        if change < 0 {
            _ = handed.certificates.pop()
        } else {
            handed.certificates.push(der(&unit("2101")))
        }
        let held = world.helper(&[]).hold(handed, &world.roots);
        assert_eq!(held, Err(Refusal::Pattern(PatternFault::RosterUnits)));
    }
}

// Invented nodes: the surrounding of one real kommun with made ones, to subtract them (DOOR-1, SAFE-3).

const INVENTED: Result<Vec<Fact>, Refusal> = Err(Refusal::Signature("a node's certificate"));

fn hold_with(change: impl FnOnce(&mut HandedPattern, &mut Roots)) -> Result<Vec<Fact>, Refusal> {
    let world = World::new();
    let (mut handed, mut roots) = (world.handed(&world.bare(&UNITS)), world.roots.clone());
    change(&mut handed, &mut roots);
    world.helper(&[]).hold(handed, &roots)
}

/// DOOR-1.
#[test]
fn a_node_whose_certificate_does_not_hang_under_the_root_is_not_held() {
    let held = hold_with(|handed, _| {
        handed.certificates[3] = b"minted by the region".to_vec();
        handed.document.roster[3].certificate = fingerprint(b"minted by the region");
    });
    assert_eq!(held, INVENTED);
}

/// DOOR-1: withdrawn, it is as if it had never been.
#[test]
fn a_node_whose_certificate_was_withdrawn_is_not_held() {
    assert_eq!(hold_with(|_, roots| _ = roots.0.remove(&der(&unit("2121")))), INVENTED);
}

/// DOOR-1.
#[test]
fn a_certificate_of_another_role_does_not_make_a_node() {
    for role in ["region", "national", "third", ""] {
        let held = hold_with(|_, roots| roots.0.get_mut(&der(&unit("2121"))).unwrap().role = role);
        assert_eq!(held, INVENTED, "{role}");
    }
}

/// DOOR-1.
#[test]
fn another_units_certificate_does_not_make_a_node() {
    let held = hold_with(|handed, _| {
        handed.certificates[0] = der(&unit("2104"));
        handed.document.roster[0].certificate = fingerprint(&der(&unit("2104")));
    });
    assert_eq!(held, INVENTED);
    let of_whole =
        hold_with(|_, roots| roots.0.get_mut(&der(&unit("2180-01"))).unwrap().unit = "2180".into());
    assert_eq!(of_whole, INVENTED, "the kommun is not its stadsdel");
}

/// DOOR-1.
#[test]
fn a_certificate_that_is_not_the_one_in_the_roster_does_not_make_a_node() {
    assert_eq!(hold_with(|handed, _| handed.document.roster[2].certificate[5] ^= 1), INVENTED);
    let swapped = hold_with(|handed, _| handed.certificates.swap(0, 1));
    assert_eq!(swapped, INVENTED);
}

/// DOOR-1: one party that answers for two kommuner.
#[test]
fn one_key_for_two_units_is_not_held() {
    let held = hold_with(|_, roots| {
        let key = roots.0[&der(&unit("2101"))].key;
        roots.0.get_mut(&der(&unit("2104"))).unwrap().key = key;
    });
    assert_eq!(held, Err(Refusal::Signature("one key for two units")));
}

// The sums.

const OPENS: Result<Vec<Fact>, Refusal> = Err(Refusal::Pattern(PatternFault::Opens));

/// SAFE-3.
#[test]
fn a_sum_that_hides_two_kommuner_is_not_held_and_one_that_hides_three_is() {
    let world = World::new();
    assert_eq!(hold(&world, &world.hiding(&UNITS, &["2101", "2104"]).0), OPENS);
    assert_eq!(hold(&world, &world.hiding(&UNITS, &[]).0), OPENS);
    assert!(hold(&world, &world.hiding(&UNITS, &["2101", "2104", "2121"]).0).is_ok());
}

/// SAFE-3: sums are judged together, because anyone can add them.
#[test]
fn sums_that_hide_enough_one_by_one_and_add_up_to_one_kommuns_are_not_held() {
    let world = World::new();
    let mut document = world.adding_up_to_one();
    assert_eq!(hold(&world, &document), OPENS);
    document.open.pop_last();
    assert!(hold(&world, &document).is_ok());
}

/// SAFE-3.
#[test]
fn a_sum_that_hides_three_stadsdelar_of_one_kommun_is_not_held() {
    let world = World::new();
    let stadsdelar = ["2180-01", "2180-02", "2180-03"];
    assert_eq!(hold(&world, &world.hiding(&UNITS, &stadsdelar).0), OPENS);
    let and_one = ["2104", "2180-01", "2180-02", "2180-03"];
    assert_eq!(hold(&world, &world.hiding(&UNITS, &and_one).0), OPENS);
}

/// SAFE-3: the mark alone hides nobody.
#[test]
fn a_sum_whose_parts_follow_from_their_rows_is_not_held() {
    let world = World::new();
    let cell = world.cell("T03", &["ansokan"], "2024");
    let mut document = world.bare(&UNITS);
    document.withheld.iter_mut().for_each(|withheld| _ = withheld.insert(cell));
    document.open.insert(cell);
    assert_eq!(hold(&world, &document), OPENS);
}

#[test]
fn a_sum_both_open_and_closed_or_of_no_cell_is_not_held() {
    let world = World::new();
    let (mut both, cell) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    both.closed.insert(cell);
    assert_eq!(hold(&world, &both), OPENS);
    for outside in [world.system.cells.len(), usize::MAX] {
        let mut document = world.bare(&UNITS);
        document.open.insert(outside);
        assert_eq!(hold(&world, &document), OPENS);
    }
}

#[test]
fn lists_of_another_length_than_the_roster_are_refused_without_a_panic() {
    let world = World::new();
    let shape = Err(Refusal::Pattern(PatternFault::Shape));
    let (document, _) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    let mut short = document.clone();
    short.withheld.pop();
    assert_eq!(hold(&world, &short), shape);
    let mut none = document.clone();
    none.withheld.clear();
    assert_eq!(hold(&world, &none), shape);
    let mut long = document;
    long.withheld.push(Default::default());
    assert_eq!(hold(&world, &long), shape);
}

#[test]
fn withheld_cells_outside_the_collection_hide_nobody_and_do_not_panic() {
    let world = World::new();
    let mut document = world.bare(&UNITS);
    let cell = world.cell("T03", &["ansokan"], "2024");
    document.withheld.iter_mut().for_each(|withheld| withheld.extend([world.system.cells.len(), usize::MAX]));
    document.open.insert(cell);
    assert_eq!(hold(&world, &document), OPENS);
}

// One pattern a round, one round at a time.

#[test]
fn the_same_pattern_again_is_no_news_and_another_one_is_refused() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    assert_eq!(helper.hold(world.handed(&document), &world.roots), Ok(Vec::new()));
    let mut other = document.clone();
    other.submit_until += 1;
    assert_eq!(helper.hold(world.handed(&other), &world.roots), Err(Refusal::Second));
    let other_key = HandedPattern { verify_key: [10; 32], ..world.handed(&document) };
    assert_eq!(helper.hold(other_key, &world.roots), Err(Refusal::Second));
}

#[test]
fn an_older_round_after_a_newer_one_is_refused() {
    let world = World::new();
    let mut newer = world.bare(&UNITS);
    newer.round = 2;
    let (helper, _) = holding(&world, &newer);
    let older = helper.hold(world.handed(&world.bare(&UNITS)), &world.roots);
    assert_eq!(older, Err(Refusal::Phase("further on")));
}

// Reports.

/// The attack that the pattern hash in the seal is for: nodes saw one pattern, the helper another.
#[test]
fn reports_sealed_for_another_pattern_are_rejected() {
    let world = World::new();
    let (shown_to_nodes, _) = world.hiding(&UNITS, &UNITS);
    let (shown_to_helper, _) = world.hiding(&UNITS, &["2101", "2104", "2121"]);
    let (helper, _) = holding(&world, &shown_to_helper);
    for unit in shown_to_nodes.units() {
        let handed = world.handed_report(&shown_to_nodes, &unit, 5, KEY);
        assert_eq!(refused(&helper, &handed), Refusal::Report, "{unit}");
    }
    assert!(close(&helper, &shown_to_helper).is_err(), "and so nothing is opened");
}

#[test]
fn reports_sealed_for_another_roster_are_rejected() {
    let world = World::new();
    let smaller = world.bare(&["2101", "2104", "2121", "2132", PLAIN]);
    let (helper, _) = holding(&world, &smaller);
    let handed = world.handed_report(&world.bare(&UNITS), &unit("2101"), 5, KEY);
    assert_eq!(refused(&helper, &handed), Refusal::Report);
}

#[test]
fn a_report_replayed_from_another_round_is_rejected() {
    let world = World::new();
    let first = world.bare(&UNITS);
    let mut second = first.clone();
    second.round = 2;
    let (helper, _) = holding(&world, &second);
    let mut handed = world.handed_report(&first, &unit("2101"), 5, KEY);
    assert_eq!(refused(&helper, &handed), Refusal::Phase("without this pattern"));
    handed.round = 2;
    assert_eq!(refused(&helper, &handed), Refusal::Report);
}

/// DOOR-1: a node acts as its own unit only.
#[test]
fn a_report_passed_off_as_another_units_is_rejected() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let mut handed = world.handed_report(&document, &unit("2101"), 5, KEY);
    handed.unit = unit("2104");
    assert_eq!(refused(&helper, &handed), Refusal::Signature("the report's signature"));
    let content = handed.part.content_hash().0;
    handed.signature = world.keys[&unit("2104")].sign(SigningContext::Report, &content).0;
    assert_eq!(refused(&helper, &handed), Refusal::Report, "signed by that unit, yet made for another");
}

/// DOOR-1.
#[test]
fn a_report_of_a_unit_outside_the_roster_is_rejected() {
    let world = World::new();
    let everyone = world.bare(&UNITS);
    let smaller = world.bare(&["2101", "2104", "2121", "2132", PLAIN]);
    let (helper, _) = holding(&world, &smaller);
    let handed = world.handed_report(&everyone, &unit("2161"), 5, KEY);
    assert_eq!(refused(&helper, &handed), Refusal::NotInRoster);
}

/// STAY-2: asked again and again with other messages, the answers would tell of the report (one preparation a report, as in
/// the VDAF draft). Also after a crash.
#[test]
fn a_rejected_report_is_never_judged_again_and_no_other_takes_its_place() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (mut helper, mut stored) = holding(&world, &document);
    let good = world.handed_report(&document, &unit("2101"), 5, KEY);
    let part = HelperPart::decode(&world.parameters, &good.part.encode(&world.parameters)).unwrap();
    let (mut message, signature) = (good.message.clone(), good.signature);
    message[3] ^= 1;
    let bad = HandedReport { round: 1, unit: unit("2101"), part, message, signature };
    assert_eq!(refused(&helper, &bad), Refusal::Report);
    let facts = helper.rejection(&bad);
    assert_eq!(facts.len(), 1);
    stored.extend(facts.clone());
    apply(&mut helper, facts);
    for helper in [&helper, &world.helper(&stored)] {
        assert_eq!(refused(helper, &good), Refusal::Report, "the very report, with the right message");
        assert!(helper.rejection(&good).is_empty());
        let other = world.handed_report(&document, &unit("2101"), 6, KEY);
        assert_eq!(refused(helper, &other), Refusal::Second);
        assert!(close(helper, &document).is_err());
    }
}

/// DOOR-1: a certificate is judged again at every report.
#[test]
fn a_unit_whose_certificate_was_revoked_after_the_pattern_stands_no_more() {
    let mut world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let unit = unit("2101");
    assert!(helper.stands(1, &unit, &world.roots).is_ok());
    world.roots.0.remove(&der(&unit));
    assert_eq!(helper.stands(1, &unit, &world.roots), Err(Refusal::Signature("a node's certificate")));
}

/// DOOR-1: the region can make reports, but not sign them.
#[test]
fn a_report_that_the_region_made_is_rejected() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let forged = world.handed_report(&document, &unit("2101"), 5, KEY);
    let content = forged.part.content_hash().0;
    let signature = Refusal::Signature("the report's signature");
    let others = world.keys[&unit("2104")].sign(SigningContext::Report, &content).0;
    let other_context = world.keys[&unit("2101")].sign(SigningContext::Pattern, &content).0;
    let mut flipped = forged.signature;
    flipped[63] ^= 1;
    for wrong in [others, other_context, flipped, [0; 64]] {
        let handed = world.handed_report(&document, &unit("2101"), 5, KEY);
        assert_eq!(refused(&helper, &HandedReport { signature: wrong, ..handed }), signature);
    }
}

/// TRUE-1: whatever is changed on the way, the report does not count.
#[test]
fn every_changed_byte_of_a_part_is_rejected() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let bytes = world.handed_report(&document, &unit("2101"), 5, KEY).part.encode(&world.parameters);
    let mut decoded = 0;
    for at in (0..bytes.len()).step_by(7) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        let Ok(part) = HelperPart::decode(&world.parameters, &wrong) else {
            continue;
        };
        decoded += 1;
        let handed = world.handed_report(&document, &unit("2101"), 5, KEY);
        assert!(helper.verify(&HandedReport { part, ..handed }).is_err(), "byte {at}");
    }
    assert!(decoded > 20, "only {decoded} changed parts could be read");
}

#[test]
fn a_changed_or_missing_message_of_the_region_is_rejected() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let length = world.handed_report(&document, &unit("2101"), 5, KEY).message.len();
    for at in (0..length).step_by(11) {
        let mut handed = world.handed_report(&document, &unit("2101"), 5, KEY);
        handed.message[at] ^= 1;
        assert_eq!(refused(&helper, &handed), Refusal::Report, "byte {at}");
    }
    let mut empty = world.handed_report(&document, &unit("2101"), 5, KEY);
    empty.message.clear();
    assert_eq!(refused(&helper, &empty), Refusal::Report);
}

#[test]
fn a_report_verified_with_another_key_is_rejected() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, _) = holding(&world, &document);
    let handed = world.handed_report(&document, &unit("2101"), 5, [10; 32]);
    assert_eq!(refused(&helper, &handed), Refusal::Report);
}

/// Counts of which one entry is not what it was declared as do not share: the proof sees a number under zero.
#[test]
fn a_report_with_too_few_tags_is_rejected() {
    let world = World::new();
    let (document, _) = world.hiding(&UNITS, &UNITS);
    let mut untagged = document.clone();
    untagged.open.clear();
    let (helper, _) = holding(&world, &document);
    let handed = world.handed_report(&untagged, &unit("2101"), 5, KEY);
    assert_eq!(refused(&helper, &handed), Refusal::Report);
}

/// STAY-2, KEEP-1: two sharings of one unit must never both count.
#[test]
fn a_second_different_report_of_a_unit_is_refused() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &document);
    let first = world.handed_report(&document, &unit("2101"), 5, KEY);
    let facts = helper.verify(&first).unwrap().facts;
    apply(&mut helper, facts);
    let second = world.handed_report(&document, &unit("2101"), 6, KEY);
    assert_eq!(refused(&helper, &second), Refusal::Second);
}

// Asking again.

/// KEEP-1: a repeated question gets the stored answer and adds nothing, also with another message, also restored.
#[test]
fn a_repeated_report_gets_the_same_answer_byte_for_byte() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, mut facts) = holding(&world, &document);
    let handed = world.handed_report(&document, &unit("2101"), 5, KEY);
    let first = helper.verify(&handed).unwrap();
    let unstored = helper.verify(&handed).unwrap();
    assert_eq!(unstored.answer, first.answer, "also when the first was lost before it was stored");
    assert_eq!(unstored.facts, first.facts);
    facts.extend(first.facts);
    let restored = world.helper(&facts);
    let mut again = handed;
    for _ in 0..2 {
        let repeated = restored.verify(&again).unwrap();
        assert_eq!(repeated.answer, first.answer);
        assert!(repeated.facts.is_empty() && repeated.share.is_none());
        again.message = vec![0; 3];
    }
}

#[test]
fn closing_again_adds_nothing() {
    let world = World::new();
    let document = world.hiding(&UNITS, &UNITS).0;
    let (mut helper, _) = holding(&world, &document);
    verify_all(&world, &mut helper, &document);
    let facts = close(&helper, &document).unwrap();
    assert_eq!(facts.len(), 1);
    apply(&mut helper, facts);
    let again = helper.close(1, &document.hash(), &document.units(), &Ledger::default()).unwrap();
    assert!(again.facts.is_empty() && again.lines.is_empty());
}

// Closing.

/// SAFE-3: the roster of the sums is the roster of the pattern.
#[test]
fn a_roster_that_shrinks_grows_or_turns_at_close_is_refused() {
    let world = World::new();
    let document = world.hiding(&UNITS, &UNITS).0;
    let (mut helper, _) = holding(&world, &document);
    verify_all(&world, &mut helper, &document);
    let whole = document.units();
    let mut turned = whole.clone();
    turned.swap(0, 1);
    let mut more = whole.clone();
    more.push(unit("2182"));
    let rosters: [Vec<Unit>; 5] = [whole[1..].to_vec(), whole[..8].to_vec(), Vec::new(), turned, more];
    for roster in rosters {
        let closed = helper.close(1, &document.hash(), &roster, &Ledger::default());
        assert!(matches!(closed, Err(Refusal::OtherBinding(_))), "{roster:?}");
    }
    assert!(close(&helper, &document).is_ok(), "the whole one may be closed");
}

#[test]
fn closing_under_another_pattern_or_round_is_refused() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &document);
    verify_all(&world, &mut helper, &document);
    let ledger = Ledger::default();
    let units = document.units();
    let pattern = helper.close(1, &[0; 32], &units, &ledger).unwrap_err();
    assert_eq!(pattern, Refusal::OtherBinding("pattern"));
    let round = helper.close(2, &document.hash(), &units, &ledger).unwrap_err();
    assert_eq!(round, Refusal::Phase("without this pattern"));
}

/// SAFE-3: with one report missing the sums over the others would be one kommun short of a later roster.
#[test]
fn closing_before_every_report_is_verified_is_refused() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &document);
    let missing = Err(Refusal::Phase("not complete: reports are missing"));
    for unit in document.units() {
        assert_eq!(close(&helper, &document), missing, "before {unit}");
        let facts = helper.verify(&world.handed_report(&document, &unit, 5, KEY)).unwrap().facts;
        apply(&mut helper, facts);
    }
    assert!(close(&helper, &document).is_ok());
}

/// SAFE-3: one roster of a collection version is opened, once.
#[test]
fn after_closing_no_other_round_is_held_verified_or_closed() {
    let world = World::new();
    let first = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &first);
    verify_all(&world, &mut helper, &first);
    let facts = close(&helper, &first).unwrap();
    apply(&mut helper, facts);
    let mut second = world.bare(&["2101", "2104", "2121", "2132", PLAIN]);
    second.round = 2;
    let held = helper.hold(world.handed(&second), &world.roots);
    assert_eq!(held, Err(Refusal::Phase("closed: one roster is opened, once")));
    assert!(close(&helper, &second).is_err());
}

/// SAFE-3: two complete rounds differ in one kommun; only the newer can be opened, and then the older never.
#[test]
fn of_two_complete_rounds_only_the_newest_is_opened() {
    let world = World::new();
    let first = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &first);
    verify_all(&world, &mut helper, &first);
    let mut second = world.bare(&UNITS[1..]);
    second.round = 2;
    let facts = helper.hold(world.handed(&second), &world.roots).unwrap();
    apply(&mut helper, facts);
    assert_eq!(close(&helper, &first), Err(Refusal::Phase("further on")));
    verify_all(&world, &mut helper, &second);
    let facts = close(&helper, &second).unwrap();
    apply(&mut helper, facts);
    assert_eq!(close(&helper, &first), Err(Refusal::Phase("closed: one roster is opened, once")));
}

#[test]
fn a_report_that_comes_after_the_closing_is_refused() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (mut helper, _) = holding(&world, &document);
    apply(&mut helper, vec![Fact::Closed { round: 1 }]);
    let late = world.handed_report(&document, &unit("2101"), 5, KEY);
    assert_eq!(refused(&helper, &late), Refusal::Phase("closed"));
}

// The ledger, over two versions of a collection.

/// Opens a column over `first`, then asks for it over `second`, where `changed` have other figures.
fn opened_again(first: &[&str], second: &[&str], changed: &[&str]) -> Result<Vec<Fact>, Refusal> {
    let (world, mut later) = (World::version(1), World::version(2));
    let mut ledger = Ledger::default();
    let document = world.hiding(first, first).0;
    let (mut helper, _) = holding(&world, &document);
    verify_all(&world, &mut helper, &document);
    let lines = helper.close(1, &document.hash(), &document.units(), &ledger).unwrap().lines;
    assert_eq!(lines.len(), 1, "one line is opened");
    lines.into_iter().for_each(|(definition, line)| ledger.enter(definition, line));
    for code in changed {
        // A plain kommun's figures, shifted: every cell changes and keeps its status.
        let own = later.counts.get_mut(&unit(code)).unwrap();
        let more = own.to_stored().iter().map(|count| if *count > 3 { count + 1 } else { *count }).collect();
        *own = tables::system::Counts::from_stored(&later.system, more).unwrap();
    }
    let document = later.hiding(second, second).0;
    let (mut helper, _) = holding(&later, &document);
    verify_all(&later, &mut helper, &document);
    helper.close(1, &document.hash(), &document.units(), &ledger).map(|closing| closing.facts)
}

const SIX: [&str; 6] = ["2101", "2104", "2121", "2132", "2161", PLAIN];

/// SAFE-2, SAFE-3.
#[test]
fn a_second_version_with_one_kommun_more_or_less_is_not_opened() {
    assert_eq!(opened_again(&SIX, &SIX[1..], &[]), Err(Refusal::Ledger));
    assert_eq!(opened_again(&SIX[1..], &SIX, &[]), Err(Refusal::Ledger));
}

/// SAFE-2: a late kommun that delivers by stadsdel is still one kommun.
#[test]
fn a_second_version_with_three_stadsdelar_more_is_not_opened() {
    assert_eq!(
        opened_again(&["2101", "2104", "2121", "2132", "2161", PLAIN], &UNITS, &[]),
        Err(Refusal::Ledger)
    );
}

/// SAFE-2: a correction in one or two kommuner is their difference.
#[test]
fn a_second_version_in_which_one_or_two_kommuner_changed_is_not_opened() {
    assert_eq!(opened_again(&SIX, &SIX, &["2161"]), Err(Refusal::Ledger));
    assert_eq!(opened_again(&SIX, &SIX, &["2161", PLAIN]), Err(Refusal::Ledger));
}

#[test]
fn a_second_version_in_which_three_kommuner_changed_is_opened() {
    assert_eq!(opened_again(&SIX, &SIX, &["2161", "2132", PLAIN]).map(|facts| facts.len()), Ok(1));
}

#[test]
fn a_second_version_with_the_same_figures_is_opened() {
    assert_eq!(opened_again(&SIX, &SIX, &[]).map(|facts| facts.len()), Ok(1));
}

/// The tags belong to lines: changes elsewhere in a kommun do not count, and one late kommun does not hide in them.
#[test]
fn one_kommun_that_left_and_one_that_changed_are_two() {
    assert_eq!(opened_again(&SIX, &SIX[1..], &["2161"]), Err(Refusal::Ledger));
    assert!(opened_again(&SIX, &SIX[1..], &["2161", "2132"]).is_ok(), "three in all");
}

/// STAY-1: what is stored prints no key.
#[test]
fn no_fact_prints_a_key() {
    let world = World::new();
    let document = world.bare(&UNITS);
    let (helper, mut facts) = holding(&world, &document);
    facts.extend(helper.verify(&world.handed_report(&document, &unit("2101"), 5, KEY)).unwrap().facts);
    let text = format!("{facts:?}");
    assert_eq!(text, "[Holds(round 1), Accepted(round 1, 2101)]");
}
