//! The region's part of a second version: who changed what, and a pattern chosen beside the published one.
//!
//! Chooses nothing itself (`suppress::correction`). A kommun whose correction nothing can hide takes no part, like one
//! that is absent; so does one that stood in the first version and cannot say what changed.

use std::collections::{BTreeMap, BTreeSet};

use suppress::blind::Request;
use suppress::correction::{After, Before, Corrected, CorrectionError, choose};
use tables::count::FineStatus;
use tables::figures::Pattern;
use tables::system::CellIndex;
use tables::unit::Unit;

use super::{Fact, Failure, Region};
use crate::document::{Stage, joint_leaves};
use crate::merkle;
use crate::refusal::Refusal;

/// The version that is corrected, as the region published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its roster.
    pub units: Vec<Unit>,
    /// Statuses in that order.
    pub statuses: Vec<Vec<FineStatus>>,
    /// Its pattern with all witnesses.
    pub pattern: Pattern,
}

/// What a pattern document holds besides the pattern.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) round: u32,
    pub(super) stage: Stage,
    pub(super) verify_key: [u8; 32],
    pub(super) helper_key_id: [u8; 32],
    pub(super) now: i64,
}

impl Region {
    /// The region of a second version.
    #[must_use]
    pub fn correcting(mut self, earlier: Published) -> Self {
        self.earlier = Some(std::sync::Arc::new(earlier));
        self
    }

    /// What a second version corrects.
    pub fn published(&self) -> Option<Published> {
        let document = self.document()?;
        self.published?;
        let statuses =
            document.roster.iter().map(|entry| Some(self.declared.get(&entry.unit)?.statuses.clone()));
        let statuses: Option<_> = statuses.collect();
        Some(Published { units: document.units(), statuses: statuses?, pattern: self.pattern()?.clone() })
    }

    /// The cells whose figure a unit of the current roster changed; all of a unit that was not in the first version.
    pub fn changed(&self, unit: &Unit) -> BTreeSet<CellIndex> {
        let was_in = self.earlier.as_ref().is_some_and(|earlier| earlier.units.binary_search(unit).is_ok());
        match self.changes.get(unit) {
            Some(changed) if was_in => changed.clone(),
            _ => (0..self.system.cells.len()).collect(),
        }
    }

    pub(super) fn change(
        &self,
        unit: Unit,
        changed: BTreeSet<CellIndex>,
        now: i64,
    ) -> Result<Vec<Fact>, Refusal> {
        if self.earlier.is_none() {
            return Err(Refusal::OtherBinding("a first version has no changes"));
        }
        if self.collection.units.binary_search(&unit).is_err() {
            return Err(Refusal::NotInRoster);
        }
        if changed.last().is_some_and(|cell| *cell >= self.system.cells.len()) {
            return Err(Refusal::Malformed("a changed cell that the collection does not have"));
        }
        match self.changes.get(&unit) {
            Some(known) if *known == changed => return Ok(Vec::new()),
            Some(_) => return Err(Refusal::Second),
            None if self.declared.contains_key(&unit) => return Err(Refusal::Second),
            None => {}
        }
        if self.takes_declarations(now) {
            Ok(vec![Fact::Changed { unit, changed }])
        } else {
            Err(Refusal::Phase("not taking declarations"))
        }
    }

    pub(super) fn chosen_again(
        &self,
        earlier: &Published,
        roster: &[Unit],
        requests: &[Request],
        frame: Frame,
    ) -> Fact {
        let mut keep = BTreeMap::<&Unit, BTreeSet<u32>>::new();
        for request in requests {
            if let Some(unit) = roster.get(request.unit as usize) {
                keep.entry(unit).or_default().extend(request.atoms.iter().copied());
            }
        }
        // One that was in the first version and does not say what changed would have to count as changed everywhere, and
        // what did not change would then seem to be hidden twice.
        let knows =
            |unit: &&Unit| earlier.units.binary_search(unit).is_err() || self.changes.contains_key(*unit);
        let mut units: Vec<Unit> = roster.iter().filter(knows).cloned().collect();
        loop {
            let kommuner = units.iter().map(Unit::kommun).collect::<BTreeSet<_>>().len();
            let least = self.collection.minimum_roster();
            if kommuner < least {
                return Fact::Failed(Failure::RosterTooSmall { kommuner, least });
            }
            let statuses: Vec<Vec<FineStatus>> =
                units.iter().filter_map(|unit| self.declared.get(unit)).map(|d| d.statuses.clone()).collect();
            let changed: Vec<_> = units.iter().map(|unit| self.changed(unit)).collect();
            let kept: Vec<_> = units.iter().map(|unit| keep.get(unit).cloned().unwrap_or_default()).collect();
            let before =
                Before { units: &earlier.units, statuses: &earlier.statuses, pattern: &earlier.pattern };
            let after = After { units: &units, statuses: &statuses, changed: &changed, keep: &kept };
            match choose(&self.system, before, after, &self.key) {
                Ok(corrected) => return self.document_of(&units, corrected, frame),
                // A stadsdel goes with its kommun: half a kommun is no delivery.
                Err(CorrectionError::Unprotected { units: without }) => {
                    let before = units.len();
                    let kommuner: BTreeSet<_> = without.iter().map(Unit::kommun).collect();
                    units.retain(|unit| !kommuner.contains(&unit.kommun()));
                    if units.len() == before {
                        return Fact::Failed(Failure::Pattern("nobody is to blame".into()));
                    }
                }
                Err(error) => return Fact::Failed(Failure::Pattern(error.to_string())),
            }
        }
    }

    fn document_of(&self, units: &[Unit], corrected: Corrected, frame: Frame) -> Fact {
        let Corrected { pattern, joints } = corrected;
        let document = self.framed(units, &pattern, merkle::root(&joint_leaves(&joints)), frame);
        let (document, pattern) = (Box::new(document), Box::new(pattern));
        Fact::ChosenAgain { document, pattern, joints, verify_key: frame.verify_key }
    }
}
