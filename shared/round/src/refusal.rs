//! What the machines refuse, as values: a refusal is an answer, not an error.
//!
//! A refusal that leaves a party carries a [`Refusal`] and nothing else, no figure and no label. A node that refuses a
//! pattern tells its region one uniform code ([`Refusal::Pattern`]); the reason stays in its own log
//! ([`PatternFault`]).

use serde::{Deserialize, Serialize};

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The phase of the event is over, or not reached.
    #[error("not now: the round is {0}")]
    Phase(&'static str),
    /// The event names another collection, version, round, tier or pattern.
    #[error("the message answers something else: {0}")]
    OtherBinding(&'static str),
    /// The unit takes no part, or the certificate is not the one of the roster.
    #[error("the unit is not in the roster with this certificate")]
    NotInRoster,
    /// A second, different message where only one is taken.
    #[error("a different message was already accepted")]
    Second,
    /// Wrong number of entries, unreadable bytes.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A signature or certificate does not verify.
    #[error("{0} does not verify")]
    Signature(&'static str),
    /// The pattern does not do what a pattern must; the uniform code of a node.
    #[error("the pattern is refused")]
    Pattern(PatternFault),
    /// The ledger forbids opening: too few kommuner differ from an earlier opening.
    #[error("an earlier opening differs in too few kommuner")]
    Ledger,
    /// A report whose proof or seal fails.
    #[error("the report is rejected")]
    Report,
}

/// What is wrong with a pattern. For the log of the party that found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PatternFault {
    /// Fewer kommuner than the collection's minimum roster.
    #[error("the roster is smaller than the collection allows")]
    RosterTooSmall,
    /// A unit that the collection did not invite, one unit twice, or the own unit missing.
    #[error("the roster holds units it must not, or lacks this one")]
    RosterUnits,
    /// The lists do not have the shape of the collection.
    #[error("the pattern does not have the collection's shape")]
    Shape,
    /// A small cell would be readable.
    #[error("a small cell is not withheld")]
    SmallShown,
    /// A zero would be withheld.
    #[error("a zero is withheld")]
    ZeroWithheld,
    /// A small cell lacks witnesses through two other kommuner.
    #[error("a small cell lacks its witnesses")]
    Witness,
    /// The witnesses are not the ones the pattern commits to.
    #[error("the witnesses do not belong to the pattern")]
    Proof,
    /// A sum to be opened hides fewer than three kommuner, or is not one of the collection's cells.
    #[error("a sum to be opened hides too few kommuner")]
    Opens,
    /// The pattern differs from one already accepted in this round.
    #[error("another pattern was shown for the round")]
    Another,
    /// The own ledger forbids it.
    #[error("an earlier opening differs in too few kommuner")]
    Ledger,
}
