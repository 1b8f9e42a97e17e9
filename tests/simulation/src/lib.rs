//! Whole federations in one process, on virtual time, under seeded schedules of everything that goes wrong.
//!
//! An operator, a region, a helper and eight nodes run the production machines (`round`), desks (`coordinator`), report
//! maker and ledger (`node`) and store layer (`daemon`), with real `prio` proofs, over disks that survive crashes. What
//! is simulated: time, the network and the disks. What is left out, because it is tested where it lives: TLS and
//! certificates, gRPC, wire encoding, reading extracts, writing files.
//!
//! A schedule ([`plan::Plan`]) is made from a seed: messages are delayed, lost, doubled and overtaken; parties crash
//! before or after any durable write, are killed at any time, find their disk full or their clock wrong by up to an
//! hour; a node is away past a deadline; a report is changed on its way or by its own node.
//!
//! # What is a failure, and what is not
//!
//! After every schedule [`judge`] looks at what parties heard and at what their disks hold. A failure is:
//!
//! - **lost**: something acknowledged is not on the disk of who acknowledged it (KEEP-1);
//! - **twice, or not at all**: a kommun stands twice in a roster, is verified twice in a round, or is left out although
//!   it was never away and its report was never changed; the two sides' shares are of different reports (KEEP-1);
//! - **wrong**: a total or readable cell known to the region, a sum that the aggregate shares kept by both sides give,
//!   or a figure that the audit certified, is not the straight sum over the publication's roster (TRUE-1);
//! - **promise broken**: a count of `1..min_count` of a kommun is readable at the region (STAY-2); the helper opened two
//!   rounds, or one round twice differently; a store of region or helper holds a node's tag secret or its stored
//!   counts, or the helper's holds readable cells (SAFE-3);
//! - **stuck**: when faults have ended and everything is delivered, the round does not end, or a node does not learn
//!   that it has;
//! - **changed by a restart**: a machine rebuilt from its disk is not the one that crashed;
//! - **broken**: a party meets an error that is neither a full disk nor a halted store; an honest party refuses another
//!   honest one's pattern, report or close;
//! - **not the same**: two schedules of one federation that end with one roster certify different figures (SAME-1).
//!
//! It is no failure that a round ends without a publication because too few kommuner were left, because a node that
//! changed its own report contradicts itself, or because the audit did not certify the figures of this roster: the
//! round must then say so, and the audit's answer for a roster must be the same in every schedule.
//!
//! A second version ([`Twice`]) is played over the disks that a first one left, with schedules of its own. Beside the above it is a failure there
//! when a sum is opened that the first version did not open, or whose difference tells of a hidden figure (SAFE-3), when a figure that did
//! not change is marked otherwise (SAFE-1), and when a kommun stays out that stood in the first and corrects nothing.
//!
//! Parties that lie on purpose, and what nobody can notice: [`liar`], and [`country::liar`] for the upper tier.

pub mod country;
pub mod federation;
pub mod judge;
pub mod liar;
pub mod message;
pub mod party;
pub mod plan;
pub mod record;
pub mod trouble;
pub mod world;

pub use federation::Federation;
pub use judge::Outcome;
pub use liar::Lie;
pub use plan::Plan;

/// Plays one schedule to its end and judges it.
///
/// # Errors
/// Every failure, in words; with the plan's seed they can be played again.
pub fn play(federation: &std::sync::Arc<Federation>, plan: &Plan) -> Result<Outcome, Vec<String>> {
    let mut world = world::World::new(federation.clone(), plan.clone());
    world.run();
    judge::judge(&world)
}

/// A schedule of a first version, and one of a second over the same disks.
#[derive(Debug, Clone)]
pub struct Twice {
    /// How the first is played.
    pub first: Plan,
    /// How the second is; its seed chooses too what is corrected.
    pub second: Plan,
    /// Whether the second adds tables; else it is a correction.
    pub extends: bool,
}

impl Twice {
    /// Anything may go wrong in both.
    pub fn random(federation: &Federation, seed: u64) -> Self {
        let (first, second) = (Plan::random(federation, seed), Plan::random(federation, seed ^ (1 << 40)));
        Self { first, second, extends: false }
    }

    /// The same with an extension.
    #[must_use]
    pub fn extending(self) -> Self {
        Self { extends: true, ..self }
    }

    /// Plays the first version and, if it is published, the second. What is corrected is decided by `mistakes` alone, so that
    /// equal rosters of both give equal figures.
    ///
    /// # Errors
    /// Every failure of either, in words.
    pub fn play(
        &self,
        federation: &std::sync::Arc<Federation>,
        mistakes: u64,
    ) -> Result<(Outcome, Option<Outcome>), Vec<String>> {
        let mut first = world::World::new(federation.clone(), self.first.clone());
        first.run();
        let outcome = judge::judge(&first)?;
        if outcome.phase != round::region::Phase::Published {
            return Ok((outcome, None));
        }
        let pattern = first.region.desk().and_then(|desk| desk.look(|r| r.document().map(|d| d.hash())));
        let pattern = pattern.ok_or_else(|| vec!["broken: published without a pattern".to_owned()])?;
        let corrected = match self.extends {
            false => Federation::correcting(federation, pattern, mistakes),
            // Every third time somebody's figures are others.
            true => Federation::extending(federation, pattern, Some(mistakes).filter(|seed| seed % 3 == 0)),
        };
        let corrected = corrected.map_err(|error| vec![format!("broken: {error:#}")])?;
        let mut second = world::World::correcting(&first, corrected, self.second.clone());
        second.run();
        let name =
            |failures: Vec<String>| failures.iter().map(|what| format!("second version: {what}")).collect();
        judge::judge(&second).map_err(name).map(|second| (outcome, Some(second)))
    }
}
