//! Attacks on protected tables.
