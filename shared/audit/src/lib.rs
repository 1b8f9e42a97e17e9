//! The adversary's arithmetic; the only maker of a `Release`.
//!
//! A separate piece of code that shares nothing with the suppressor but the cell types of `tables`: it sees what an
//! adversary sees and says what could be computed from it.

mod budget;
pub mod interval;
mod program;
mod propagate;
mod rows;
pub mod view;

pub use budget::Budget;
