//! The round a region is in: its pattern, the answers, the reports.

use std::collections::BTreeMap;

use suppress::correction::Joint;
use tables::figures::Pattern;
use tables::unit::Unit;

use super::Duty;
use crate::document::{PatternDocument, RosterEntry, joint_leaves, witness_leaves};

/// What a region knows of the round it is in.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) document: PatternDocument,
    pub(super) pattern: Pattern,
    /// Of a second version.
    pub(super) joints: Option<Vec<Vec<Joint>>>,
    pub(super) verify_key: [u8; 32],
    pub(super) answers: BTreeMap<Unit, Vec<Vec<u32>>>,
    pub(super) helper_holds: bool,
    pub(super) reports: BTreeMap<Unit, Stored>,
}

/// A report that was stored, and what both sides said of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) content: [u8; 32],
    pub(super) verdict: Option<bool>,
}

impl Round {
    pub(super) fn new(
        document: PatternDocument,
        pattern: Pattern,
        joints: Option<Vec<Vec<Joint>>>,
        verify_key: [u8; 32],
    ) -> Self {
        let (answers, reports) = (BTreeMap::new(), BTreeMap::new());
        Self { document, pattern, joints, verify_key, answers, helper_holds: false, reports }
    }

    /// Per unit of the roster what it is shown as evidence.
    pub(super) fn leaves(&self) -> Vec<Vec<u8>> {
        match &self.joints {
            Some(joints) => joint_leaves(joints),
            None => witness_leaves(&self.pattern, self.document.roster.len()),
        }
    }

    pub(super) fn judge(&mut self, unit: &Unit, accepted: bool) {
        if let Some(stored) = self.reports.get_mut(unit) {
            stored.verdict = Some(accepted);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        let verified = |entry: &RosterEntry| {
            self.reports.get(&entry.unit).is_some_and(|stored| stored.verdict == Some(true))
        };
        self.helper_holds && self.document.roster.iter().all(verified)
    }

    pub(super) fn pattern_duties(&self, now: i64) -> Option<Duty> {
        if self.answers.len() == self.document.roster.len() {
            Some(Duty::Finalise)
        } else {
            (now >= self.document.submit_until).then_some(Duty::DropMissing)
        }
    }

    pub(super) fn submit_duties(&self, now: i64) -> Vec<Duty> {
        if !self.helper_holds {
            return vec![Duty::HandPattern];
        }
        let waiting = self.reports.iter().filter(|(_, stored)| stored.verdict.is_none());
        let mut duties: Vec<Duty> = waiting.map(|(unit, _)| Duty::Check(unit.clone())).collect();
        let judged = self.reports.values().filter(|stored| stored.verdict.is_some()).count();
        let everyone_judged = judged == self.document.roster.len();
        if duties.is_empty() && (everyone_judged || now >= self.document.submit_until) {
            duties.push(Duty::DropMissing);
        }
        duties
    }
}
