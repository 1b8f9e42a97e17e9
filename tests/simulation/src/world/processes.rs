//! Processes: they start from a disk, end at a fault, and are compared with what they were before.

use daemon::store::{FailPoints, MemoryDisk};

use super::{Ended, What, World};
use crate::message::PartyId;
use crate::party::node::NodeParty;
use crate::plan::Fault;
use crate::trouble::Trouble;

impl World {
    /// A party's disk; the operator has none.
    pub fn disk(&self, party: &PartyId) -> Option<&MemoryDisk> {
        match party {
            PartyId::Operator => None,
            PartyId::Region => Some(self.region.disk()),
            PartyId::Helper => Some(self.helper.disk()),
            PartyId::Node(unit) => self.nodes.get(unit).map(NodeParty::disk),
        }
    }

    /// Sets the next points of failure of a party's disk.
    pub(super) fn arm(&self, party: &PartyId) {
        let Some(disk) = self.disk(party) else { return };
        let next = |wanted: bool| {
            let planned = self.plan.faults.iter().filter_map(|fault| match fault {
                Fault::Crash { party: other, commit, after } if other == party && *after == wanted => {
                    Some(*commit)
                }
                _ => None,
            });
            planned.filter(|commit| *commit > disk.commits()).min()
        };
        let full_from = self.full.contains(party).then(|| disk.commits() + 1);
        disk.fail(FailPoints { before_commit: next(false), after_commit: next(true), full_from });
    }

    pub(super) fn is_up(&self, party: &PartyId) -> bool {
        match party {
            PartyId::Operator => true,
            PartyId::Region => self.region.is_up(),
            PartyId::Helper => self.helper.is_up(),
            PartyId::Node(unit) => self.nodes.get(unit).is_some_and(NodeParty::is_up),
        }
    }

    fn state(&self, party: &PartyId) -> String {
        match party {
            PartyId::Operator | PartyId::Helper => String::new(),
            PartyId::Region => self.region.state(),
            PartyId::Node(unit) => self.nodes.get(unit).map_or_else(String::new, NodeParty::state),
        }
    }

    pub(super) fn start(&mut self, party: PartyId) {
        if self.is_up(&party) {
            return;
        }
        self.arm(&party);
        let now = self.clock(&party);
        let started = match &party {
            PartyId::Operator => Ok(()),
            PartyId::Region => self.region.start(now),
            PartyId::Helper => self.helper.start(),
            PartyId::Node(unit) => self.nodes.get_mut(unit).map_or(Ok(()), NodeParty::start),
        };
        self.record.trace(self.now, format_args!("{party} starts"));
        match started {
            Ok(()) => self.compare(&party),
            Err(Trouble::Broken(problem)) => self.fail(&party, &problem),
            Err(_) => return self.end(&party, true),
        }
        self.after(1, What::Wake(party));
    }

    fn compare(&mut self, party: &PartyId) {
        let Some(ended) = self.ended.remove(party) else {
            return;
        };
        if !ended.wrote_unheard && !ended.state.is_empty() && ended.state != self.state(party) {
            self.fail(party, "changed by a restart: the machine is not the one that ended");
        }
    }

    /// The process ends, and starts again a while later. `at_a_write`: a durable write was going on.
    pub(super) fn end(&mut self, party: &PartyId, at_a_write: bool) {
        if !self.is_up(party) {
            return;
        }
        self.record.trace(self.now, format_args!("{party} ends"));
        let commits = self.disk(party).map(MemoryDisk::commits);
        let wrote_unheard = at_a_write
            && self.plan.faults.iter().any(|fault| {
                matches!(fault, Fault::Crash { party: other, commit, after: true }
                    if other == party && Some(*commit) == commits)
            });
        // A process that ended while it started is compared with the one before it.
        let state = self.state(party);
        self.ended.entry(party.clone()).or_insert(Ended { state, wrote_unheard }).wrote_unheard |=
            wrote_unheard;
        match party {
            PartyId::Operator => {}
            PartyId::Region => self.region.stop(),
            PartyId::Helper => self.helper.stop(),
            PartyId::Node(unit) => _ = self.nodes.get_mut(unit).map(NodeParty::stop),
        }
        self.calls.remove(party);
        let pause = self.between(1, 15 * 60);
        self.after(pause, What::Start(party.clone()));
    }

    fn fail(&mut self, party: &PartyId, problem: &str) {
        // Whoever is lied to and says so is not wrong.
        if self.plan.lie.is_some() && problem.contains(crate::party::REFUSES) {
            self.record.noticed = true;
            return self.record.trace(self.now, format_args!("{party}: {problem}"));
        }
        self.record.trace(self.now, format_args!("{party}: {problem}"));
        self.record.failures.push(format!("{party}: {problem}"));
    }

    /// What a party's trouble means.
    pub(super) fn trouble(&mut self, party: &PartyId, trouble: Trouble) {
        match trouble {
            Trouble::Full => self.record.trace(self.now, format_args!("{party}: the disk is full")),
            Trouble::Crash => self.end(party, true),
            // A duty that was due a moment ago and, by another clock, is not now: it is looked at again.
            Trouble::Refused(refusal) => self.record.trace(self.now, format_args!("{party}: {refusal}")),
            Trouble::Broken(problem) => self.fail(party, &problem),
        }
    }
}
