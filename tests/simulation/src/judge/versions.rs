//! A second version beside the first, against the straight counts of both: which sums were opened again, and what of a kommun is shown.
//!
//! Of an extension: the first as it was, of the same kommuner. Repeats the rules of `suppress::correction` in terms of true counts, which no party has.

use std::collections::BTreeSet;

use round::document::PatternDocument;
use round::region::Region;
use tables::extension::Extension;
use tables::system::{CellIndex, System};
use tables::unit::Unit;

use super::{Books, Failures};
use crate::federation::Federation;

/// One version as it was published.
struct Version<'a> {
    federation: &'a Federation,
    document: &'a PatternDocument,
}

impl Version<'_> {
    fn value(&self, unit: &Unit, cell: CellIndex) -> Option<u64> {
        let kommun = self.document.place(unit).map(|_| self.federation.kommun(unit));
        kommun.map(|kommun| self.federation.system.value(&kommun.counts, cell))
    }

    /// Whether anyone reads the unit's figure; nothing of one that took no part.
    fn shows(&self, system: &System, unit: &Unit, cell: CellIndex) -> bool {
        let withheld = self.document.place(unit).and_then(|place| self.document.withheld.get(place));
        system.cells[cell].per_unit && withheld.is_some_and(|withheld| !withheld.contains(&cell))
    }
}

impl Books<'_> {
    /// A kommun may stay out of a second version when nothing hides what it corrects, or when the first went without it.
    pub(super) fn has_no_reason_to_stay_out(&self, unit: &Unit) -> bool {
        let Some(first) = &self.federation().first else { return true };
        let roster = self
            .world
            .region
            .first()
            .and_then(|desk| desk.look(|region| region.document().map(PatternDocument::units)));
        let same = |other: &Unit| {
            let (then, now) = (first.kommun(other), self.federation().kommun(other));
            let stood = roster.as_ref().is_some_and(|roster| roster.contains(other));
            stood && then.counts.to_stored() == now.counts.to_stored()
        };
        // A stadsdel goes with its kommun.
        let units = self.federation().collection.units.iter();
        units.filter(|other| other.kommun() == unit.kommun()).all(same)
    }

    /// Whether an extension may end by a kommun's name: it was kept from delivering, or its figures are others.
    pub(super) fn may_end(&self, unit: &Unit) -> bool {
        let federation = self.federation();
        let same = || {
            let (first, extension) = federation.first.as_ref().zip(federation.extension.as_ref())?;
            let (then, now) = (first.kommun(unit), federation.kommun(unit));
            let (then, now) = ((&*first.system, &then.counts), (&*federation.system, &now.counts));
            Some(extension.differing(then, now).is_empty())
        };
        let untouched = self.world.plan.untouched(&federation.collection.units).any(|known| known == unit);
        let lies = self.world.plan.lie.as_ref().is_some_and(|lie| lie.is_told_by(unit));
        !untouched || lies || same() != Some(true)
    }

    /// An extension shows and hides of the first version what that did, of the same kommuner, whose figures are the same (SAFE-1,
    /// SAFE-3, TRUE-2).
    fn extended(
        &self,
        first: &Federation,
        extension: &Extension,
        document: &PatternDocument,
        failures: &mut Failures,
    ) {
        let federation = self.federation();
        let before = self.world.region.first().and_then(|desk| desk.look(|r: &Region| r.document().cloned()));
        let Some(before) = before else {
            return failures.push("lost: the pattern of the first version".into());
        };
        if before.units() != document.units() {
            failures.push("promise broken: an extension over other kommuner".into());
        }
        for unit in document.units() {
            let (then, now) = (&first.kommun(&unit).counts, &federation.kommun(&unit).counts);
            if !extension.differing((&first.system, then), (&federation.system, now)).is_empty() {
                failures.push(format!("promise broken: {unit} has other figures in the extension"));
            }
        }
        let known = extension.cells();
        let of_first: BTreeSet<CellIndex> = document.open.intersection(&known).copied().collect();
        let anew = |cell: &CellIndex| extension.sums().contains(cell);
        let open = extension.mapped(&before.open);
        if !open.is_subset(&of_first) || !of_first.difference(&open).all(anew) {
            failures.push("promise broken: of the first version other sums are open".into());
        }
        let withheld: Vec<_> = before.withheld.iter().map(|cells| extension.mapped(cells)).collect();
        if withheld != document.withheld {
            failures.push("promise broken: of the first version other cells are withheld".into());
        }
    }

    /// No sum is opened whose difference from the first version tells of somebody's hidden figure (SAFE-3), and what did not change
    /// is shown or withheld as it was (SAFE-1).
    pub(super) fn versions(&self, document: &PatternDocument, failures: &mut Failures) {
        let federation = self.federation();
        let Some(first) = &federation.first else { return };
        if let Some(extension) = &federation.extension {
            return self.extended(first, extension, document, failures);
        }
        let before = self.world.region.first().and_then(|desk| desk.look(|r: &Region| r.document().cloned()));
        let Some(before) = before else {
            return failures.push("lost: the pattern of the first version".into());
        };
        let old = Version { federation: first, document: &before };
        let new = Version { federation, document };
        let system = &federation.system;
        let named = |cell: CellIndex| &system.cells[cell].label;
        for cell in &document.open {
            if !before.open.contains(cell) {
                failures.push(format!("promise broken: {} was closed and is opened", named(*cell)));
            }
            for unit in &federation.collection.units {
                let readable = (old.value(unit, *cell).is_none() || old.shows(system, unit, *cell))
                    && (new.value(unit, *cell).is_none() || new.shows(system, unit, *cell));
                let same = old.value(unit, *cell) == new.value(unit, *cell);
                if !readable && !same {
                    failures.push(format!(
                        "promise broken: {} is opened twice with another hidden figure of {unit}",
                        named(*cell)
                    ));
                }
            }
        }
        for unit in &document.units() {
            for cell in system.per_unit() {
                let same = old.value(unit, cell) == new.value(unit, cell);
                if same && old.shows(system, unit, cell) != new.shows(system, unit, cell) {
                    failures.push(format!(
                        "promise broken: {} of {unit} is the same and its mark another",
                        named(cell)
                    ));
                }
            }
        }
    }
}
