//! What the node does of a round: one `case` a collection, and the loop that keeps certificates and lists current.

pub mod book;
pub mod case;
pub mod chain;
pub mod correction;
pub mod report;
pub mod service;
