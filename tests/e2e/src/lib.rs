//! Runs of real processes
