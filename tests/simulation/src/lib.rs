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
