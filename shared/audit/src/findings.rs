//! What an audit says when it does not release.
//!
//! Names places, relations and shown cells; never a value that is withheld.

use tables::system::CellIndex;
use tables::unit::KommunKod;

use crate::release::AuditReport;
use crate::sensitive::Place;

/// Input that does not fit together: a bug or a message that should have been refused earlier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not one entry per unit of the roster.
    #[error("{what}: {have} entries for {units} units")]
    Units {
        /// Which list.
        what: &'static str,
        /// Its length.
        have: usize,
        /// Roster.
        units: usize,
    },
    /// A unit without one status per unit atom, or a mark for each printed cell.
    #[error("unit {unit} of the roster: {what} incomplete")]
    Incomplete {
        /// Index in the roster.
        unit: usize,
        /// Which list.
        what: &'static str,
    },
    /// A cell index outside the system.
    #[error("cell {0} is not in the collection")]
    NoCell(CellIndex),
}

/// Which promise a finding breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A reader can exclude a value.
    Safe1,
    /// This other kommun can compute it.
    Safe2(KommunKod),
    /// Figures contradict each other.
    True2,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One value is left.
    Computable,
    /// Some value of the range is excluded.
    Narrowed,
    /// Not settled within the budget.
    NotCertified,
    /// The figures contradict each other.
    Contradiction,
}

/// A shown cell that could be withheld too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Index in the roster, `None` for the total.
    pub unit: Option<usize>,
    /// The cell.
    pub cell: CellIndex,
}

/// One failing place. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which promise.
    pub broken: Broken,
    /// How.
    pub verdict: Verdict,
    /// Which place; `None` when it is a relation.
    pub place: Option<Place>,
    /// The place for people, `T03 aktualiseringstyp=yttrande 2024 2101`.
    pub label: String,
    /// What gives it away, in Swedish.
    pub explanation: String,
    /// Shown cells that take part: withholding one more of them could help.
    pub withhold: Vec<Candidate>,
}

/// All failing places and the report so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// In order of the roster, totals last.
    pub findings: Vec<Finding>,
    /// Counts.
    pub report: AuditReport,
}

/// Why there is no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Findings {
    /// Something can be computed, narrowed or contradicts itself.
    #[error("the publication is unsafe or contradicts itself in {n} places", n = .0.findings.len())]
    Unsafe(Box<Detail>),
    /// Nothing unsafe was found, but not everything could be settled within the budget.
    #[error("{n} places could not be certified within the budget", n = .0.findings.len())]
    NotCertified(Box<Detail>),
    /// The input does not fit together.
    #[error(transparent)]
    Input(#[from] InputError),
}

impl Findings {
    /// The failing places; none for bad input.
    pub fn list(&self) -> &[Finding] {
        match self {
            Self::Unsafe(detail) | Self::NotCertified(detail) => &detail.findings,
            Self::Input(_) => &[],
        }
    }
}
