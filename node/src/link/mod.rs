//! The node's one door out.
//!
//! `cleared` says what may leave, `journal` writes down what leaves before it does, `egress` is the only code that
//! holds a connection. STAY-1 and STAY-2 are kept by these three together.

pub mod cleared;
pub mod egress;
pub mod journal;
