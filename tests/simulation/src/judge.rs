//! Whether a schedule kept every promise. See the crate's documentation for what counts as a failure.
//!
//! The judge trusts no machine: it reads copies of the disks and compares with what was acknowledged and with the
//! straight counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::rounds::desk::report_key;
use daemon::facts::FactLog;
use daemon::store::{MemoryDisk, Store};
use round::helper::Fact as HelperFact;
use round::node::Fact as NodeFact;
use round::region::{Fact, Failure, Phase};
use tables::figures::Figures;
use tables::unit::Unit;

use crate::federation::Federation;
use crate::liar::Lie;
use crate::message::PartyId;
use crate::party::{helper, region};
use crate::record::Acknowledged;
use crate::world::World;

mod totals;
mod versions;

/// How a schedule ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Where the region stands.
    pub phase: Phase,
    /// The final roster.
    pub roster: Vec<Unit>,
    /// What was certified; nothing when the round failed.
    pub figures: Option<Figures>,
    /// What the audit found when it did not certify.
    pub findings: Option<String>,
    /// Why there is no publication.
    pub failure: Option<Failure>,
    /// Events played.
    pub events: usize,
    /// Durable writes by party.
    pub writes: BTreeMap<PartyId, u64>,
}

impl Outcome {
    /// What the release path made of the roster; nothing when the round never came so far. The same in every
    /// schedule of one federation that ends with this roster (SAME-1).
    pub fn released(&self) -> Option<(&Option<Figures>, &Option<String>)> {
        (self.figures.is_some() || self.findings.is_some()).then_some((&self.figures, &self.findings))
    }
}

/// What region and helper hold for good.
struct Books<'a> {
    world: &'a World,
    region: Vec<Fact>,
    region_log: FactLog<Fact>,
    helper: Vec<HelperFact>,
    helper_log: FactLog<HelperFact>,
}

type Failures = Vec<String>;

/// Judges a world in which somebody lied; how often the lie was read. See [`crate::liar`].
///
/// # Errors
/// Every failure, in words.
pub fn judge_lie(world: &World) -> Result<usize, Failures> {
    let mut failures = world.record.failures.clone();
    let mut is_noticed = world.record.noticed;
    match Books::open(world) {
        Err(error) => failures.push(format!("broken: a disk cannot be read: {error}")),
        Ok(books) => {
            books.acknowledged(&mut failures);
            books.rosters(&mut failures);
            books.canaries(&mut failures);
            books.accepted(&mut failures);
            // The region's own machine is an honest one: what was sealed for another pattern it rejects before the helper can.
            let is_shown = |unit: &Unit| world.plan.lie.as_ref().is_some_and(|lie| lie.is_shown_to(unit));
            let of_shown = |fact: &&Fact| match fact {
                Fact::Stored { unit, .. } | Fact::Rejected { unit, .. } => is_shown(unit),
                _ => false,
            };
            let mut seen = books.region.iter().filter(of_shown).peekable();
            // A pattern that only the helper can know to be another is noticed when a report under it comes.
            is_noticed |= matches!(world.plan.lie, Some(Lie::AnotherPattern(_))) && seen.peek().is_none();
            is_noticed |= seen.any(|fact| matches!(fact, Fact::Rejected { .. }));
            let known = world.region.desk().and_then(|desk| {
                desk.look(|region| Some((region.document().cloned()?, region.known().cloned()?)))
            });
            if let Some((document, known)) = known {
                books.small(&document, &known, &mut failures);
            }
        }
    }
    let by_name = world.region.desk().and_then(|desk| desk.look(|region| region.failure().cloned()));
    let lie = world.plan.lie.as_ref();
    let is_named =
        matches!(&by_name, Some(Failure::Unit(unit)) if lie.is_some_and(|lie| lie.is_told_by(unit)));
    let by_node = matches!(lie, Some(Lie::SaysZero(_)));
    let is_published = world.region.phase() == Phase::Published;
    if by_node && is_published && !is_named {
        failures.push("not noticed: a kommun's figure stands where it said zero".into());
    }
    if !by_node && world.record.told > 0 && !is_noticed {
        failures.push(format!("not noticed: {lie:?}"));
    }
    let told = if by_node { usize::from(is_named) } else { world.record.told };
    if failures.is_empty() { Ok(told) } else { Err(failures) }
}

/// Judges a world whose schedule has been played.
///
/// # Errors
/// Every failure, in words.
pub fn judge(world: &World) -> Result<Outcome, Failures> {
    let mut failures = world.record.failures.clone();
    match Books::open(world) {
        Err(error) => failures.push(format!("broken: a disk cannot be read: {error}")),
        Ok(books) => {
            books.acknowledged(&mut failures);
            books.rosters(&mut failures);
            books.canaries(&mut failures);
            // A schedule that failed on its way has no end to look at.
            if world.record.failures.is_empty() {
                books.ending(&mut failures);
            }
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    let roster =
        world.region.desk().and_then(|desk| desk.look(|region| region.document().map(|d| d.units())));
    let nodes = world.nodes.iter().map(|(unit, node)| (PartyId::Node(unit.clone()), node.disk()));
    let disks = nodes.chain([(PartyId::Region, world.region.disk()), (PartyId::Helper, world.helper.disk())]);
    Ok(Outcome {
        phase: world.phase(),
        roster: roster.unwrap_or_default(),
        figures: world.region.figures().filter(|_| world.phase() == Phase::Published).cloned(),
        findings: world.region.findings().filter(|_| world.phase() == Phase::Failed).map(str::to_owned),
        failure: world.region.desk().and_then(|desk| desk.look(|region| region.failure().cloned())),
        events: world.record.trace.len(),
        writes: disks.map(|(party, disk)| (party, disk.commits())).collect(),
    })
}

fn copy(disk: &MemoryDisk) -> Arc<dyn Store> {
    Arc::new(MemoryDisk::from_image(disk.image()).open())
}

impl<'a> Books<'a> {
    fn open(world: &'a World) -> Result<Self, daemon::facts::FactError> {
        let (region_log, region) =
            FactLog::open(copy(world.region.disk()), region::prefix(&world.federation))?;
        let (helper_log, helper) =
            FactLog::open(copy(world.helper.disk()), helper::prefix(&world.federation))?;
        Ok(Self { world, region, region_log, helper, helper_log })
    }

    fn federation(&self) -> &Federation {
        &self.world.federation
    }

    /// Nothing acknowledged is lost (KEEP-1), and the helper opens one round, one way.
    fn acknowledged(&self, failures: &mut Failures) {
        let mut opened = None;
        for seen in &self.world.record.acknowledged {
            if !self.holds(seen) {
                failures.push(format!("lost: {}", name(seen)));
            }
            if let Acknowledged::Opened(round, opening) = seen {
                let first = opened.get_or_insert((round, opening));
                if *first != (round, opening) {
                    failures
                        .push(format!("promise broken: rounds {} and {round} opened, or one twice", first.0));
                }
            }
        }
    }

    fn holds(&self, seen: &Acknowledged) -> bool {
        let region = |found: &dyn Fn(&Fact) -> bool| self.region.iter().any(found);
        let helper = |found: &dyn Fn(&HelperFact) -> bool| self.helper.iter().any(found);
        match seen {
            Acknowledged::Declaration(unit, declaration) => region(
                &|fact| matches!(fact, Fact::Declared { unit: u, statuses, .. } if u == unit && *statuses == declaration.statuses),
            ),
            Acknowledged::Answer(unit, round, lines) => region(
                &|fact| matches!(fact, Fact::Answered { round: r, unit: u, lines: l } if (r, u, l) == (round, unit, lines)),
            ),
            Acknowledged::Report(unit, round, bytes) => {
                region(
                    &|fact| matches!(fact, Fact::Stored { round: r, unit: u, .. } if (r, u) == (round, unit)),
                ) && self.region_log.read(&report_key(*round, unit)).is_ok_and(|stored| stored == *bytes)
            }
            Acknowledged::Pattern(round) => {
                helper(&|fact| matches!(fact, HelperFact::Holds { document, .. } if document.round == *round))
            }
            Acknowledged::Verified(unit, round) => helper(
                &|fact| matches!(fact, HelperFact::Accepted { round: r, unit: u, .. } if (r, u) == (round, unit)),
            ),
            Acknowledged::Opened(round, _) => {
                helper(&|fact| matches!(fact, HelperFact::Closed { round: r } if r == round))
            }
        }
    }

    /// What the helper opened every kommun of its roster had accepted, to the letter (SAFE-3).
    fn accepted(&self, failures: &mut Failures) {
        let closed = self.helper.iter().find_map(|fact| match fact {
            HelperFact::Closed { round } => Some(*round),
            _ => None,
        });
        let held = self.helper.iter().find_map(|fact| match fact {
            HelperFact::Holds { document, .. } if Some(document.round) == closed => Some(document),
            _ => None,
        });
        for unit in held.iter().flat_map(|document| document.units()) {
            let prefix = crate::party::node::prefix(self.federation());
            let facts = FactLog::<NodeFact>::open(copy(self.world.nodes[&unit].disk()), prefix);
            let has = |fact: &NodeFact| matches!(fact, NodeFact::Accepted(known) if Some(known) == held);
            if !facts.is_ok_and(|(_, facts)| facts.iter().any(has)) {
                failures.push(format!("promise broken: opened under a pattern that {unit} did not accept"));
            }
        }
    }

    /// No kommun stands twice in a roster or is verified twice in a round; the helper closes once.
    fn rosters(&self, failures: &mut Failures) {
        let mut verified = BTreeSet::new();
        for fact in &self.region {
            match fact {
                Fact::Chosen { document, .. } => {
                    let units: BTreeSet<Unit> = document.units().into_iter().collect();
                    if units.len() != document.roster.len() {
                        failures.push(format!("twice: a kommun in the roster of round {}", document.round));
                    }
                }
                Fact::Verified { round, unit } if !verified.insert((*round, unit.clone())) => {
                    failures.push(format!("twice: {unit} verified in round {round}"));
                }
                _ => {}
            }
        }
        let closed = self.helper.iter().filter(|fact| matches!(fact, HelperFact::Closed { .. }));
        if closed.count() > 1 {
            failures.push("promise broken: the helper closed twice".into());
        }
    }

    /// Neither coordinator stores a node's secret or its counts (STAY-1, SAFE-3).
    fn canaries(&self, failures: &mut Failures) {
        for (party, disk) in [("region", self.world.region.disk()), ("helper", self.world.helper.disk())] {
            let Ok(entries) = copy(disk).scan("") else {
                failures.push(format!("broken: the {party}'s disk cannot be read"));
                continue;
            };
            for (unit, kommun) in &self.federation().kommuner {
                let counts = postcard::to_allocvec(kommun.counts.to_stored()).unwrap_or_default();
                let held = |canary: &[u8]| entries.iter().any(|(_, value)| contains(value, canary));
                if held(&kommun.secret) || held(&counts) {
                    failures.push(format!(
                        "promise broken: the {party}'s store holds a secret or counts of {unit}"
                    ));
                }
            }
        }
    }

    fn ending(&self, failures: &mut Failures) {
        let Some(desk) = self.world.region.desk() else {
            return failures.push("stuck: nothing was announced".into());
        };
        let document = desk.look(|region| region.document().cloned());
        let known = desk.look(|region| region.known().cloned());
        match (desk.phase(), desk.look(|region| region.failure().cloned())) {
            (Phase::Published, _) => {}
            (_, Some(failure)) => return self.failed(&failure, failures),
            (phase, _) => return failures.push(format!("stuck: the region is at {phase:?}")),
        }
        let (Some(document), Some(known)) = (document, known) else {
            return failures.push("broken: published without pattern or sums".into());
        };
        let roster = document.units();
        for unit in self.world.plan.untouched(&self.federation().collection.units) {
            if !roster.contains(unit) && self.has_no_reason_to_stay_out(unit) {
                failures.push(format!(
                    "not at all: {unit} was never kept from delivering and is not in the roster"
                ));
            }
        }
        self.shares(document.round, &roster, failures);
        self.sums(&document, &known, failures);
        self.readable(&document, &known, failures);
        self.aggregates(&document, failures);
        self.versions(&document, failures);
        match self.world.region.figures() {
            Some(figures) => self.figures(figures, &roster, failures),
            // The region crashed between certifying and storing that, and certified again: then it has them.
            None => failures.push("broken: published without figures".into()),
        }
    }

    /// A round without a publication: only for a reason the plan gives.
    fn failed(&self, failure: &Failure, failures: &mut Failures) {
        let collection = &self.federation().collection;
        let left: BTreeSet<_> = self.world.plan.untouched(&collection.units).map(Unit::kommun).collect();
        let expected = match failure {
            Failure::RosterTooSmall { .. } => {
                left.len() < collection.minimum_roster() || self.federation().first.is_some()
            }
            Failure::Unit(unit) => self.world.plan.lies(unit),
            // The release path's answer for this roster: compared between schedules, counted by the tests.
            Failure::Audit => true,
            Failure::Extension { missing, changed } => {
                missing.iter().chain(changed).all(|unit| self.may_end(unit))
            }
            Failure::Helper(_) | Failure::Pattern(_) => false,
        };
        if !expected {
            failures.push(format!("failed without need: {failure}"));
        }
    }
}

fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    !sought.is_empty() && bytes.windows(sought.len()).any(|window| window == sought)
}

fn name(seen: &Acknowledged) -> String {
    match seen {
        Acknowledged::Declaration(unit, _) => format!("the declaration of {unit}"),
        Acknowledged::Answer(unit, round, _) => format!("the answer of {unit} in round {round}"),
        Acknowledged::Report(unit, round, _) => format!("the report of {unit} in round {round}"),
        Acknowledged::Pattern(round) => format!("the pattern of round {round} at the helper"),
        Acknowledged::Verified(unit, round) => format!("the helper's share of {unit} in round {round}"),
        Acknowledged::Opened(round, _) => format!("the opening of round {round}"),
    }
}
