//! The round's state machines
