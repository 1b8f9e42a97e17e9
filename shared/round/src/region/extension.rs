//! The region's part of an extension: everybody of the first version again, with the same figures, and further sums beside them.
//!
//! Chooses nothing itself (`suppress::extension`). A kommun that is missing or has other figures ends the round by name: what was
//! published covers it, and sums without it would tell it by subtraction (ADR 25).

use std::sync::Arc;

use suppress::extension::choose;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::unit::Unit;

use super::{Fact, Failure, Frame, Published, Region};
use crate::document::witness_root;

impl Region {
    /// The region of an extension. `earlier` is numbered as in the version it extends.
    ///
    /// # Errors
    /// Gives the region back unchanged when `earlier` is not of that version.
    pub fn extending(mut self, earlier: &Published, extension: Arc<Extension>) -> Result<Self, Box<Self>> {
        let statuses: Option<Vec<_>> = earlier.statuses.iter().map(|own| extension.statuses(own)).collect();
        let Some(statuses) = statuses else { return Err(Box::new(self)) };
        let pattern = extension.pattern(&earlier.pattern);
        self.earlier = Some(Arc::new(Published { units: earlier.units.clone(), statuses, pattern }));
        self.extension = Some(extension);
        Ok(self)
    }

    pub(super) fn chosen_beside(
        &self,
        earlier: &Published,
        extension: &Extension,
        roster: &[Unit],
        frame: Frame,
    ) -> Fact {
        let missing: Vec<Unit> =
            earlier.units.iter().filter(|unit| !roster.contains(unit)).cloned().collect();
        let is_other = |(unit, then): &(&Unit, &Vec<FineStatus>)| {
            // Who does not say that nothing changed has lost what it sent, and cannot know.
            let unchanged = self.changes.get(*unit).is_some_and(std::collections::BTreeSet::is_empty);
            !unchanged || self.declared.get(*unit).is_none_or(|declared| declared.statuses != **then)
        };
        let units = earlier.units.iter().zip(&earlier.statuses);
        let here = units.filter(|(unit, _)| !missing.contains(unit));
        let changed: Vec<Unit> = here.filter(is_other).map(|(unit, _)| unit.clone()).collect();
        if !missing.is_empty() || !changed.is_empty() {
            return Fact::Failed(Failure::Extension { missing, changed });
        }
        let pattern = choose(&self.system, &earlier.units, &earlier.statuses, &earlier.pattern, extension);
        let root = witness_root(&pattern, earlier.units.len());
        let document = self.framed(&earlier.units, &pattern, root, frame);
        let (document, pattern) = (Box::new(document), Box::new(pattern));
        Fact::Chosen { document, pattern, verify_key: frame.verify_key }
    }
}
