//! The upper tier under seeded schedules: six regions, a national body and a third coordinator.
//!
//! The national desk, the third coordinator's desk, the machine of the round, the pattern over counties, the audit and the
//! store layer are the production ones; shares are added and opened as in production. What is simulated beside time, network
//! and disks: the counties' own rounds (their figures are made, and halved into two shares that are not secret) and
//! the region's part, whose production form is asynchronous (`coordinator::counties::client`); it decides the same
//! with the same checks.
//!
//! # What is a failure, and what is not
//!
//! As in the crate's own text, and: a region that agreed to a pattern and publishes anything else; a sum that hides fewer
//! than three of the counties that are counted, judged from what they *published*; a county that was neither away nor sent
//! a broken share and is not counted, when the national body, the third and it itself were never away for long. It is
//! no failure that a round ends without a publication because too few counties are left, because the third
//! coordinator stayed away or because two sides make no counts: it must say so, and every region publishes all the same.

pub mod federation;
pub mod judge;
pub mod liar;
pub mod party;
pub mod world;

pub use federation::Country;
pub use judge::{Ending, judge};
pub use liar::NationalLie;
pub use world::{CountryPlan, World};

/// Plays one schedule to its end and judges it.
///
/// # Errors
/// Every failure, in words.
pub fn play(country: &std::sync::Arc<Country>, plan: &CountryPlan) -> Result<Ending, Vec<String>> {
    let mut world = World::new(country.clone(), plan.clone());
    world.run();
    judge(&mut world)
}
