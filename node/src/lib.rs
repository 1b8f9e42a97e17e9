//! The daemon beside a kommun's verksamhetssystem
