//! The type that can be published, and the report that goes with it.
//!
//! Architecture invariant: a [`Release`] has private fields and one constructor, private to this crate and called by
//! [`crate::certify()`] alone. Code that publishes takes a `Release`; so nothing unaudited can be published.

use serde::Serialize;
use tables::figures::Figures;

/// What was audited and how. Counts only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Who was played.
    pub adversaries: Vec<String>,
    /// Places that must be protected (SAFE-1).
    pub cells_sensitive: usize,
    /// Of those, certified by verified witnesses.
    pub certified_by_witness: usize,
    /// Certified by bounds and points already found.
    pub certified_by_propagation: usize,
    /// Certified by an exact search or a verified integer program.
    pub certified_by_search: usize,
    /// Places that could not be settled within the budget.
    pub not_certified: usize,
    /// Pairs of a small unit cell and another kommun that were played (SAFE-2).
    pub insider_pairs: usize,
    /// Small unit cells of which the coordinator can exclude some value, and not all but one (SAFE-3).
    pub coordinator_narrowed: usize,
    /// Small unit cells the coordinator can compute (SAFE-3).
    pub coordinator_computed: usize,
    /// Small unit cells whose range for the coordinator was not settled within the budget: count them as narrowed.
    pub coordinator_unsettled: usize,
}

/// Figures that have passed the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    figures: Figures,
    report: AuditReport,
}

impl Release {
    pub(crate) fn new(figures: Figures, report: AuditReport) -> Self {
        Self { figures, report }
    }

    /// What is published.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// How it was audited.
    pub fn report(&self) -> &AuditReport {
        &self.report
    }
}
