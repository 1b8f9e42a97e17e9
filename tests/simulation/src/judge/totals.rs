//! The end of a published round, against the straight counts: shares, sums, readable cells, figures, aggregates.

use coordinator::rounds::desk::{aggregate_key, share_key};
use round::document::PatternDocument;
use round::region::Known;
use round::shares;
use sharing::aggregate::AggregateShare;
use sharing::opening::{NoNoise, open};
use sharing::output::OutputShare;
use tables::figures::Figures;
use tables::unit::Unit;

use super::{Books, Failures, contains, copy};

impl Books<'_> {
    /// Both sides added up shares of exactly one report of each kommun of the roster, the same one.
    pub(super) fn shares(&self, round: u32, roster: &[Unit], failures: &mut Failures) {
        let parameters = &self.federation().parameters;
        let report =
            |bytes: Vec<u8>| OutputShare::decode(parameters, &bytes).ok().map(|share| share.report());
        for unit in roster {
            let key = share_key(round, unit);
            let region = self.region_log.read(&key).ok().and_then(report);
            let helper = self.helper_log.read(&key).ok().and_then(report);
            if region.is_none() || region != helper {
                failures.push(format!("twice, or not at all: the two sides' shares of {unit}"));
            }
        }
    }

    /// Every total the region knows is the straight sum over the roster (TRUE-1).
    pub(super) fn sums(&self, document: &PatternDocument, known: &Known, failures: &mut Failures) {
        let system = &self.federation().system;
        let roster = document.units();
        for (cell, total) in shares::totals(system, document, &known.sums, &known.readable) {
            if total != self.federation().truth(cell, &roster) {
                failures.push(format!("wrong: total of {}", system.cells[cell].label));
            }
        }
    }

    /// Readable cells are true, and none is small by the kommun's own threshold (STAY-2); the helper holds none.
    pub(super) fn readable(&self, document: &PatternDocument, known: &Known, failures: &mut Failures) {
        let federation = self.federation();
        let helper = copy(self.world.helper.disk()).scan("").unwrap_or_default();
        for (place, (unit, cells)) in document.units().iter().zip(&known.readable).enumerate() {
            let kommun = federation.kommun(unit);
            for (cell, value) in cells {
                let label = &federation.system.cells[*cell].label;
                if *value != federation.system.value(&kommun.counts, *cell) {
                    failures.push(format!("wrong: {label} of {unit}"));
                }
                if (1..u64::from(kommun.own_min_count.get())).contains(value) {
                    failures.push(format!("promise broken: {label} of {unit} is small and readable"));
                }
            }
            let sent = shares::readable(&federation.system, &kommun.counts, document, place).encode();
            // Few bytes could stand anywhere by chance.
            if sent.len() >= 8 && helper.iter().any(|(_, value)| contains(value, &sent)) {
                failures.push(format!("promise broken: the helper holds readable cells of {unit}"));
            }
        }
    }

    /// Nothing readable is small by the kommun's own threshold (STAY-2), whoever lies.
    pub(super) fn small(&self, document: &PatternDocument, known: &Known, failures: &mut Failures) {
        for (unit, cells) in document.units().iter().zip(&known.readable) {
            let own = u64::from(self.federation().kommun(unit).own_min_count.get());
            if cells.values().any(|value| (1..own).contains(value)) {
                failures.push(format!("promise broken: a small cell of {unit} is readable"));
            }
        }
    }

    /// Every certified figure is true (TRUE-1).
    pub(super) fn figures(&self, figures: &Figures, roster: &[Unit], failures: &mut Failures) {
        let federation = self.federation();
        if figures.units != roster {
            failures.push("wrong: the publication's roster".into());
        }
        for (cell, mark) in &figures.totals {
            if mark.shown().is_some_and(|shown| shown != federation.truth(*cell, roster)) {
                failures.push(format!("wrong: published total of {}", federation.system.cells[*cell].label));
            }
        }
        for (unit, cells) in figures.units.iter().zip(&figures.per_unit) {
            for (cell, mark) in cells {
                if mark.shown().is_some_and(|shown| shown != federation.truth(*cell, [unit])) {
                    let label = &federation.system.cells[*cell].label;
                    failures.push(format!("wrong: published {label} of {unit}"));
                }
            }
        }
    }
    /// The aggregate shares that both sides keep for the national round give the straight sums, over the roster and
    /// over each group of kommuner in it (KEEP-1, TRUE-1).
    pub(super) fn aggregates(&self, document: &PatternDocument, failures: &mut Failures) {
        let federation = self.federation();
        let roster = document.units();
        let mut groups = vec![("alla".to_owned(), roster.clone())];
        for (group, kommuner) in &federation.collection.groups {
            let units = roster.iter().filter(|unit| kommuner.contains(&unit.kommun())).cloned().collect();
            groups.push((format!("G:{group}"), units));
        }
        for (group, units) in groups.into_iter().filter(|(_, units)| !units.is_empty()) {
            if self.kept(document, &group, &units) != Some(true) {
                failures.push(format!("wrong, or lost: the aggregate shares of {group}"));
            }
        }
    }

    fn kept(&self, document: &PatternDocument, group: &str, units: &[Unit]) -> Option<bool> {
        let federation = self.federation();
        let (system, parameters) = (&federation.system, &federation.parameters);
        let key = aggregate_key(document.round, group);
        let region = AggregateShare::decode(parameters, &self.region_log.read(&key).ok()?).ok()?;
        let helper = AggregateShare::decode(parameters, &self.helper_log.read(&key).ok()?).ok()?;
        let combinations = shares::combinations(system, document)?;
        let own = region.combine_all(&combinations, &mut NoNoise).ok()?;
        let theirs = helper.combine_all(&combinations, &mut NoNoise).ok()?;
        let statuses = self.world.region.desk()?.look(|region| region.statuses());
        let threshold = federation.collection.min_count;
        let mut all = true;
        for ((cell, own), theirs) in document.open.iter().zip(&own).zip(&theirs) {
            let sum = open(own, theirs).ok()? + shares::offset(system, *cell, &statuses, units, threshold);
            all &= sum == federation.truth(*cell, units);
        }
        Some(all)
    }
}
