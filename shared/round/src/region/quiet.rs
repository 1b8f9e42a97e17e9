//! How facts and events of a region print: what happened and to whom, never a figure, a status, a share or a key.
//!
//! Written by hand because a derived `Debug` would put opened sums, readable cells and verify keys into any log line or
//! panic that prints one (STAY-2, SAFE-3).

use std::fmt;

use super::words::{Event, Fact};

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced { at } => write!(f, "Announced(at {at})"),
            Self::Declared { unit, .. } => write!(f, "Declared({unit})"),
            Self::Changed { unit, .. } => write!(f, "Changed({unit})"),
            Self::Chosen { document, .. } | Self::ChosenAgain { document, .. } => {
                write!(f, "Chosen(round {}, {:?})", document.round, document.stage)
            }
            Self::Answered { round, unit, lines } => {
                write!(f, "Answered(round {round}, {unit}, {})", lines.len())
            }
            Self::HelperHolds { round } => write!(f, "HelperHolds(round {round})"),
            Self::Stored { round, unit, .. } => write!(f, "Stored(round {round}, {unit})"),
            Self::Verified { round, unit } => write!(f, "Verified(round {round}, {unit})"),
            Self::Rejected { round, unit } => write!(f, "Rejected(round {round}, {unit})"),
            Self::Opened { round, sums, .. } => write!(f, "Opened(round {round}, {} sums)", sums.len()),
            Self::Published { .. } => f.write_str("Published"),
            Self::Agreed { .. } => f.write_str("Agreed"),
            Self::Failed(failure) => write!(f, "Failed({failure})"),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announce => f.write_str("Announce"),
            Self::Declare { unit, .. } => write!(f, "Declare({unit})"),
            Self::Change { unit, .. } => write!(f, "Change({unit})"),
            Self::Choose { .. } => f.write_str("Choose"),
            Self::Answer { unit, lines, .. } => write!(f, "Answer({unit}, {})", lines.len()),
            Self::Finalise => f.write_str("Finalise"),
            Self::HelperHolds(round) => write!(f, "HelperHolds(round {round})"),
            Self::Submit { unit, round, .. } => write!(f, "Submit(round {round}, {unit})"),
            Self::Checked { round, unit, accepted } => {
                write!(f, "Checked(round {round}, {unit}, {accepted})")
            }
            Self::DropMissing => f.write_str("DropMissing"),
            Self::Opened { round, sums, .. } => write!(f, "Opened(round {round}, {} sums)", sums.len()),
            Self::Published(_) => f.write_str("Published"),
            Self::Agreed { .. } => f.write_str("Agreed"),
            Self::Fail(failure) => write!(f, "Fail({failure})"),
        }
    }
}
