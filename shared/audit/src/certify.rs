//! The audit: plays every adversary and makes a [`Release`], or says what gives which cell away.
//!
//! Promises: SAFE-1 (every sensitive place has full range for a reader), SAFE-2 (two values remain for another
//! kommun), TRUE-2 (the publication agrees with itself); SAFE-3 is counted and reported. A place that is not settled
//! within the budget is *not certified*, and nothing is released.
//!
//! Does not choose what to withhold instead: a finding only lists the shown cells that took part.

use std::collections::{BTreeMap, BTreeSet};

use tables::count::{FineStatus, MinCount};
use tables::figures::{Figures, Mark, Pattern, Witness};
use tables::system::{CellIndex, System};
use tables::unit::KommunKod;

use crate::adversary::{Adversary, EarlierIssue, Marks, Origin, Sight, Small};
use crate::budget::Budget;
use crate::consistency;
use crate::explain::{MOST_SOURCES, Names};
use crate::findings::{Broken, Candidate, Detail, Finding, Findings, InputError, Verdict};
use crate::interval::{Engine, Means, Reach};
use crate::release::{AuditReport, Release};
use crate::sensitive::{self, Place, Sensitive};
use crate::transfer::Finer;
use crate::versions::{self, FirstVersion, SecondVersion};
use crate::view::TargetIndex;
use crate::witness::Verifier;

/// Everything an audit looks at.
pub struct CertifyInput<'a> {
    /// The collection's cells.
    pub system: &'a System,
    /// The collection's threshold, not a kommun's own.
    pub min_count: MinCount,
    /// What would be published.
    pub figures: &'a Figures,
    /// Per unit of the roster the status of every unit atom.
    pub statuses: &'a [Vec<FineStatus>],
    /// The pattern, for its witnesses.
    pub pattern: &'a Pattern,
    /// Totals opened to the coordinator.
    pub known_totals: &'a BTreeMap<CellIndex, u64>,
    /// Earlier publications over the same cells.
    pub earlier: &'a [EarlierIssue],
    /// The version that these figures correct, if there is one.
    pub first: Option<FirstVersion<'a>>,
    /// Work limits.
    pub budget: Budget,
    /// Asked between steps; `true` stops the audit as not certified.
    pub abort: &'a dyn Fn() -> bool,
}

/// Audits figures; the only way to a [`Release`].
///
/// # Errors
/// [`Findings`] with every failing place.
pub fn certify(input: &CertifyInput<'_>) -> Result<Release, Findings> {
    check_input(input)?;
    let mut audit = Audit::new(input);
    audit.agreement();
    if audit.findings.is_empty() {
        audit.run();
    }
    let Audit { findings, mut report, .. } = audit;
    report.not_certified = findings.iter().filter(|finding| finding.verdict == Verdict::NotCertified).count();
    let only_unsettled = findings.iter().all(|finding| finding.verdict == Verdict::NotCertified);
    match (findings.is_empty(), only_unsettled) {
        (true, _) => Ok(Release::new(input.figures.clone(), report)),
        (false, true) => Err(Findings::NotCertified(Box::new(Detail { findings, report }))),
        (false, false) => Err(Findings::Unsafe(Box::new(Detail { findings, report }))),
    }
}

fn check_input(input: &CertifyInput<'_>) -> Result<(), InputError> {
    let units = input.figures.units.len();
    let lengths = [("per_unit", input.figures.per_unit.len()), ("statuses", input.statuses.len())];
    if let Some((what, have)) = lengths.into_iter().find(|(_, have)| *have != units) {
        return Err(InputError::Units { what, have, units });
    }
    let cells = input.figures.totals.keys().chain(input.known_totals.keys());
    let all = cells.chain(input.figures.per_unit.iter().flat_map(BTreeMap::keys));
    if let Some(cell) = all.copied().find(|cell| *cell >= input.system.cells.len()) {
        return Err(InputError::NoCell(cell));
    }
    for (unit, statuses) in input.statuses.iter().enumerate() {
        if statuses.len() != input.system.unit_atoms {
            return Err(InputError::Incomplete { unit, what: "statuses" });
        }
        if input.system.per_unit().any(|cell| !input.figures.per_unit[unit].contains_key(&cell)) {
            return Err(InputError::Incomplete { unit, what: "marks" });
        }
    }
    Ok(())
}

/// Valid witnesses by target, with the kommuner they touch.
type Checked<'a> = BTreeMap<(usize, u32), Vec<(&'a Witness, BTreeSet<KommunKod>)>>;

struct Audit<'a> {
    input: &'a CertifyInput<'a>,
    names: Names<'a>,
    findings: Vec<Finding>,
    report: AuditReport,
}

impl<'a> Audit<'a> {
    fn new(input: &'a CertifyInput<'a>) -> Self {
        let names = Names { system: input.system, figures: input.figures, earlier: input.earlier };
        Self { input, names, findings: Vec::new(), report: AuditReport::default() }
    }

    fn reader(&self) -> Adversary<'a> {
        Adversary::reader(self.input.system, self.input.figures, self.input.earlier)
    }

    fn reading(&self, marks: Marks) -> Adversary<'a> {
        match marks {
            Marks::AtLeastOne => self.reader(),
            Marks::MayBeZero => self.reader().doubting(self.input.known_totals),
        }
    }

    /// Whether a total is withheld that nobody opened.
    fn leaves_doubt(&self) -> bool {
        self.input.figures.totals.iter().any(|(cell, mark)| {
            let told = mark.shown().is_some() || self.input.known_totals.contains_key(cell);
            !told && self.input.system.cells[*cell].is_count
        })
    }

    fn coordinator(&self, small: Small) -> Adversary<'a> {
        self.reader().coordinator(self.input.statuses, self.input.min_count, small, self.input.known_totals)
    }

    /// TRUE-2.
    fn agreement(&mut self) {
        for wrong in consistency::disagreements(self.input.system, self.input.figures) {
            let label = self.cell_label(wrong.unit, wrong.cell);
            let explanation = if wrong.parts.is_empty() {
                "den visade totalen är inte summan av enheternas visade värden".to_owned()
            } else {
                "den visade summan är inte summan av sina visade delar".to_owned()
            };
            self.contradiction(label, explanation);
        }
        let reader = self.reader();
        for unit in (0..self.input.figures.units.len()).map(Some).chain([None]) {
            for (issue, cell, value) in reader.earlier_of(unit) {
                let marks =
                    unit.map_or(&self.input.figures.totals, |unit| &self.input.figures.per_unit[unit]);
                let differs = marks.get(&cell).and_then(|mark| mark.shown()).is_some_and(|now| now != value);
                if differs {
                    let name = &self.input.earlier[issue].name;
                    let explanation = format!("visas med ett annat värde i {name}");
                    self.contradiction(self.cell_label(unit, cell), explanation);
                }
            }
        }
    }

    fn cell_label(&self, unit: Option<usize>, cell: CellIndex) -> String {
        let whom = unit.map_or("totalt".to_owned(), |unit| self.input.figures.units[unit].to_string());
        format!("{} {whom}", self.input.system.cells[cell].label)
    }

    fn contradiction(&mut self, label: String, explanation: String) {
        self.findings.push(Finding {
            broken: Broken::True2,
            verdict: Verdict::Contradiction,
            place: None,
            label,
            explanation,
            withhold: Vec::new(),
        });
    }

    fn contradicting(&mut self, origins: &[Origin], sources: &[usize], who: &str) {
        let mut labels: Vec<String> = sources
            .iter()
            .filter_map(|at| match origins[*at] {
                Origin::Unit { unit, cell } | Origin::Earlier { unit: Some(unit), cell, .. } => {
                    Some(self.cell_label(Some(unit), cell))
                }
                Origin::Total { cell } | Origin::Opened { cell } => Some(self.cell_label(None, cell)),
                _ => None,
            })
            .collect();
        labels.truncate(8);
        let text = format!("ingen heltalstabell uppfyller detta ({who})");
        self.contradiction(labels.join(", "), text);
    }

    fn run(&mut self) {
        let Some(verifier) = self.verifier() else { return };
        let units = sensitive::of_units(self.input.system, self.input.statuses, self.input.min_count);
        let totals = self.totals(Marks::AtLeastOne);
        self.report.cells_sensitive = units.len() + totals.len();
        let mut checked = Checked::new();
        for witness in &self.input.pattern.witnesses {
            if let Some(touched) = verifier.check(witness) {
                checked.entry((witness.unit as usize, witness.atom)).or_default().push((witness, touched));
            }
        }
        let proven = |place: &Sensitive, spared: Option<KommunKod>| {
            let Place::Unit { unit, atoms } = &place.place else {
                return false;
            };
            // Witnesses keep each small atom at least 1: values under their number are another question.
            let whole = spared.is_some() || place.floor >= place.small.len() as u64;
            whole
                && place.small.iter().all(|atom| {
                    checked.get(&(*unit, *atom)).into_iter().flatten().any(|(witness, touched)| {
                        Verifier::moves_alone(witness, *unit, atoms)
                            && spared.is_none_or(|spared| !touched.contains(&spared))
                    })
                })
        };
        let (by_witness, rest): (Vec<Sensitive>, Vec<Sensitive>) =
            units.iter().cloned().partition(|place| proven(place, None));
        self.report.certified_by_witness = by_witness.len();
        self.safe_1_as_read(&rest, totals);
        self.report.adversaries.push("reader".into());
        let Verifier { lower, .. } = &verifier;
        let doubting = self.known_to_reader(lower.clone(), Marks::MayBeZero);
        self.safe_2(&doubting, &units, &proven);
        self.report.adversaries.push("insider".into());
        self.both_versions();
        self.safe_3();
    }

    /// What is certain of the table: the coordinator's bounds, never published.
    fn verifier(&mut self) -> Option<Verifier<'a>> {
        let (system, figures) = (self.input.system, self.input.figures);
        let mut sight = match self.coordinator(Small::UnderOwn).sight(&[], self.input.budget) {
            Ok(sight) => sight,
            Err((contradiction, origins)) => {
                self.contradicting(&origins, &contradiction.sources, "siffror mot deklarerade statusar");
                return None;
            }
        };
        let units = figures.units.len();
        let places: Vec<(usize, u32)> =
            (0..units).flat_map(|unit| (0..system.unit_atoms as u32).map(move |atom| (unit, atom))).collect();
        let terms: Vec<_> = places.iter().map(|(unit, atom)| sight.unit_terms(*unit, &[*atom])).collect();
        let targets: Vec<TargetIndex> = terms.into_iter().map(|terms| sight.view.target(terms)).collect();
        let engine = match Engine::new(&sight.view, self.input.budget, self.input.abort) {
            Ok(engine) => engine,
            Err(contradiction) => {
                self.contradicting(
                    &sight.origins,
                    &contradiction.sources,
                    "siffror mot deklarerade statusar",
                );
                return None;
            }
        };
        let mut lower = vec![vec![0; system.unit_atoms]; units];
        for ((unit, atom), target) in places.iter().zip(targets) {
            let least = engine.outer(target).0.and_then(|low| i64::try_from(low).ok());
            lower[*unit][*atom as usize] = least.unwrap_or(0);
        }
        Some(self.known_to_reader(lower, Marks::AtLeastOne))
    }

    fn known_to_reader(&self, lower: Vec<Vec<i64>>, reading: Marks) -> Verifier<'a> {
        let (system, figures) = (self.input.system, self.input.figures);
        let reader = self.reader();
        let with_earlier = |unit: Option<usize>, marks: &BTreeMap<CellIndex, Mark>| {
            let mut shown: BTreeMap<CellIndex, bool> =
                marks.iter().map(|(cell, mark)| (*cell, mark.shown().is_some())).collect();
            reader.earlier_of(unit).into_iter().for_each(|(_, cell, _)| {
                shown.insert(cell, true);
            });
            shown
        };
        let printed = figures.per_unit.iter().enumerate();
        let printed = printed.map(|(unit, marks)| with_earlier(Some(unit), marks)).collect();
        let mut totals = with_earlier(None, &figures.totals);
        let mut marks = figures.totals.clone();
        reader.earlier_of(None).into_iter().for_each(|(_, cell, value)| {
            marks.insert(cell, Mark::Shown(value));
        });
        let finer = Finer::new(system, &marks, self.input.known_totals, reading);
        totals.retain(|cell, _| system.cells[*cell].unit_atoms.is_some());
        let single = |(cell, shown): (&CellIndex, &bool)| match system.cells[*cell].unit_atoms.as_deref() {
            Some([atom]) if *shown => Some(*atom),
            _ => None,
        };
        let transfers = finer.transfers(&totals.iter().filter_map(single).collect());
        let threshold = i64::from(self.input.min_count.get());
        Verifier { system, units: &figures.units, printed, totals, finer, transfers, lower, threshold }
    }

    /// Totals that must not be narrowed, in a reading of the marks.
    fn totals(&self, marks: Marks) -> Vec<Sensitive> {
        let input = self.input;
        let least = input.first.map(|first| first.least(input.system, input.figures)).unwrap_or_default();
        let known = (input.statuses, input.min_count);
        sensitive::of_totals(input.system, input.figures, input.known_totals, &least, known, marks)
    }

    /// SAFE-1 for the places no witness has settled, for one that takes every mark for at least 1 and for one that knows
    /// better. What the first can have the second can: of it only values under the first one's floor are another question.
    fn safe_1_as_read(&mut self, units: &[Sensitive], totals: Vec<Sensitive>) {
        let all: Vec<Sensitive> = units.iter().cloned().chain(totals).collect();
        let doubt = self.leaves_doubt();
        let agrees = self.safe_1(&all, Marks::AtLeastOne, doubt);
        if !doubt {
            return;
        }
        let floors: BTreeMap<&Place, u64> = all.iter().map(|place| (&place.place, place.floor)).collect();
        let settled =
            |place: &Sensitive| agrees && floors.get(&place.place).is_some_and(|floor| *floor <= place.floor);
        let doubted = units.iter().cloned().chain(self.totals(Marks::MayBeZero));
        let again: Vec<Sensitive> =
            doubted.filter(|place| !settled(place) && !self.already_failed(place)).collect();
        self.safe_1(&again, Marks::MayBeZero, false);
    }

    /// Whether any table fits the marks as they are read. If none does and that is `forgiven`, nothing is asked: who reads them so
    /// sees that a total nobody opened is 0.
    fn safe_1(&mut self, places: &[Sensitive], marks: Marks, forgiven: bool) -> bool {
        if places.is_empty() {
            return true;
        }
        let sets = places.iter().filter_map(|place| match &place.place {
            Place::Total { atoms } => Some(atoms.clone()),
            Place::Unit { .. } => None,
        });
        let sets: Vec<Vec<u32>> = sets.collect();
        let mut sight = match self.reading(marks).sight(&sets, self.input.budget) {
            Ok(sight) => sight,
            Err(_) if forgiven => return false,
            Err((contradiction, origins)) => {
                self.contradicting(&origins, &contradiction.sources, "läsaren");
                return false;
            }
        };
        let targets: Vec<TargetIndex> =
            places.iter().map(|place| self.ask(&mut sight, &place.place)).collect();
        let mut engine = match Engine::new(&sight.view, self.input.budget, self.input.abort) {
            Ok(engine) => engine,
            Err(_) if forgiven => return false,
            Err(contradiction) => {
                self.contradicting(&sight.origins, &contradiction.sources, "läsaren");
                return false;
            }
        };
        let mut fits = true;
        for (place, target) in places.iter().zip(targets) {
            fits &= self.full_range(&mut engine, &sight, (place, target), forgiven);
        }
        fits
    }

    fn ask(&self, sight: &mut Sight, place: &Place) -> TargetIndex {
        let terms = match place {
            Place::Unit { unit, atoms } => sight.unit_terms(*unit, atoms),
            Place::Total { atoms } => sight.total_terms(self.input.system, atoms),
        };
        sight.view.target(terms)
    }

    /// `false` when the place can have no value at all and that is forgiven.
    fn full_range(
        &mut self,
        engine: &mut Engine<'_>,
        sight: &Sight,
        (place, target): (&Sensitive, TargetIndex),
        forgiven: bool,
    ) -> bool {
        let (mut worst, mut by_bounds, mut left, mut unsettled) = (Reach::Yes, true, 0, 0);
        for value in place.floor..u64::from(self.input.min_count.get()) {
            let (reach, means) = engine.attainable(target, i128::from(value));
            by_bounds &= means == Means::Propagation;
            match reach {
                Reach::Yes => left += 1,
                Reach::No => worst = Reach::No,
                Reach::Unknown => {
                    unsettled += 1;
                    worst = if worst == Reach::No { worst } else { Reach::Unknown };
                }
            }
        }
        let nothing_small = left + unsettled == 0;
        let verdict = match worst {
            Reach::Yes if by_bounds => {
                self.report.certified_by_propagation += 1;
                return true;
            }
            Reach::Yes => {
                self.report.certified_by_search += 1;
                return true;
            }
            Reach::No if nothing_small && forgiven && self.nothing_else(engine, target) => return false,
            // A total nobody was told of, and no small value fits: anyone sees that it is not small.
            Reach::No if nothing_small && place.may_be_plain && !self.nothing_else(engine, target) => {
                self.report.certified_by_propagation += 1;
                return true;
            }
            Reach::Unknown => Verdict::NotCertified,
            Reach::No if left <= 1 && self.nothing_else(engine, target) => Verdict::Computable,
            Reach::No => Verdict::Narrowed,
        };
        self.unsafe_place(engine, sight, place, target, verdict);
        true
    }

    /// Whether a target can neither be 0 nor reach the threshold.
    fn nothing_else(&self, engine: &mut Engine<'_>, target: TargetIndex) -> bool {
        let threshold = i128::from(self.input.min_count.get());
        engine.within(target, Some(threshold), None).0 == Reach::No
            && engine.within(target, None, Some(0)).0 == Reach::No
    }

    fn unsafe_place(
        &mut self,
        engine: &Engine<'_>,
        sight: &Sight,
        place: &Sensitive,
        target: TargetIndex,
        verdict: Verdict,
    ) {
        let sources = engine.sources(target, MOST_SOURCES);
        let explanation = match verdict {
            Verdict::NotCertified => "kunde inte avgöras inom arbetsgränsen".to_owned(),
            _ => self.names.why(sight, &sight.view.targets[target], &sources),
        };
        self.findings.push(Finding {
            broken: Broken::Safe1,
            verdict,
            place: Some(place.place.clone()),
            label: self.names.place(&place.place),
            explanation,
            withhold: self.candidates(sight, &sources),
        });
    }

    /// Shown figures among the sources that are not 0: zeros are never withheld.
    fn candidates(&self, sight: &Sight, sources: &[usize]) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = sources
            .iter()
            .filter_map(|at| match sight.origins[*at] {
                Origin::Unit { unit, cell } => Some(Candidate { unit: Some(unit), cell }),
                Origin::Total { cell } => Some(Candidate { unit: None, cell }),
                _ => None,
            })
            .filter(|candidate| {
                let figures = self.input.figures;
                let marks = candidate.unit.map_or(&figures.totals, |unit| &figures.per_unit[unit]);
                marks.get(&candidate.cell).and_then(|mark| mark.shown()).is_some_and(|value| value != 0)
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// SAFE-2: against every kommun but the place's own.
    fn safe_2(
        &mut self,
        verifier: &Verifier<'_>,
        places: &[Sensitive],
        proven: &dyn Fn(&Sensitive, Option<KommunKod>) -> bool,
    ) {
        let kommuner: BTreeSet<KommunKod> =
            self.input.figures.units.iter().map(|unit| unit.kommun()).collect();
        let mut searches = 0;
        for place in places {
            let Place::Unit { unit, atoms } = &place.place else {
                continue;
            };
            let failed = self.already_failed(place);
            let mut movements: Vec<BTreeSet<KommunKod>> = Vec::new(); // by the kommuner each touches
            for other in kommuner.iter().filter(|other| **other != self.input.figures.units[*unit].kommun()) {
                self.report.insider_pairs += 1;
                let spared = movements.iter().any(|touched| !touched.contains(other));
                if failed || spared || proven(place, Some(*other)) {
                    continue;
                }
                searches += 1;
                let found = if (self.input.abort)() || searches > self.input.budget.questions {
                    None
                } else {
                    verifier.search(*unit, atoms, *other, self.input.budget.nodes)
                };
                match found {
                    Some(Some(touched)) => movements.push(touched),
                    Some(None) => self.inside(place, *other, Verdict::Computable),
                    None => self.inside(place, *other, Verdict::NotCertified),
                }
            }
        }
    }

    fn inside(&mut self, place: &Sensitive, other: KommunKod, verdict: Verdict) {
        let explanation = match verdict {
            Verdict::NotCertified => "kunde inte avgöras inom arbetsgränsen".to_owned(),
            _ => format!("{other}, som känner sina egna uppgifter, kan i värsta fall räkna ut den"),
        };
        self.findings.push(Finding {
            broken: Broken::Safe2(other),
            verdict,
            place: Some(place.place.clone()),
            label: self.names.place(&place.place),
            explanation,
            withhold: Vec::new(),
        });
    }

    /// A place a reader can narrow needs no second finding for insiders.
    fn already_failed(&self, place: &Sensitive) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.broken == Broken::Safe1 && finding.place.as_ref() == Some(&place.place))
    }

    /// SAFE-1 for a reader of the first version too.
    fn both_versions(&mut self) {
        let Some(first) = self.input.first else { return };
        let second = SecondVersion {
            system: self.input.system,
            min_count: self.input.min_count,
            figures: self.input.figures,
            statuses: self.input.statuses,
            budget: self.input.budget,
            abort: self.input.abort,
        };
        let told = if first.shows_no_finer_sum_anew(second) { versions::told(first, second) } else { None };
        let Some(told) = told else {
            return self.contradiction("båda versionerna".into(), "de kan inte granskas tillsammans".into());
        };
        let names = Names { system: self.input.system, figures: first.figures, earlier: &[] };
        for told in told {
            let names = if told.second { &self.names } else { &names };
            let label = names.place(&told.place);
            self.findings.push(Finding {
                broken: Broken::Safe1,
                verdict: if told.settled { Verdict::Narrowed } else { Verdict::NotCertified },
                place: None,
                label,
                explanation: "kan ringas in av den som läser båda versionerna".into(),
                withhold: told.withhold,
            });
        }
        self.report.adversaries.push("reader of both versions".into());
    }

    /// SAFE-3: counted, never hidden, never a reason to fail.
    fn safe_3(&mut self) {
        self.report.adversaries.push("coordinator".into());
        let small: Vec<(usize, u32)> = self
            .input
            .statuses
            .iter()
            .enumerate()
            .flat_map(|(unit, statuses)| {
                let is_small = |(_, status): &(usize, &FineStatus)| **status == FineStatus::Small;
                statuses.iter().enumerate().filter(is_small).map(move |(atom, _)| (unit, atom as u32))
            })
            .collect();
        // It would guess that nobody raised its threshold, unless the figures say otherwise.
        let sight = self.coordinator(Small::UnderCollections).sight(&[], self.input.budget);
        let guess =
            sight.ok().filter(|sight| Engine::new(&sight.view, self.input.budget, self.input.abort).is_ok());
        let sight = guess.or_else(|| self.coordinator(Small::UnderOwn).sight(&[], self.input.budget).ok());
        let Some(mut sight) = sight else {
            self.report.coordinator_unsettled = small.len();
            return;
        };
        let terms: Vec<_> = small.iter().map(|(unit, atom)| sight.unit_terms(*unit, &[*atom])).collect();
        let targets: Vec<TargetIndex> = terms.into_iter().map(|terms| sight.view.target(terms)).collect();
        let Ok(mut engine) = Engine::new(&sight.view, self.input.budget, self.input.abort) else {
            self.report.coordinator_unsettled = small.len();
            return;
        };
        for target in targets {
            let values = 1..i128::from(self.input.min_count.get());
            let size = usize::try_from(values.end - 1).unwrap_or(usize::MAX);
            let reach: Vec<Reach> = values.map(|value| engine.attainable(target, value).0).collect();
            let yes = reach.iter().filter(|reach| **reach == Reach::Yes).count();
            let no = reach.iter().filter(|reach| **reach == Reach::No).count();
            match (yes, no) {
                (yes, _) if yes == size => {}
                (_, no) if no + 1 == size => self.report.coordinator_computed += 1,
                (yes, no) if yes + no < size => self.report.coordinator_unsettled += 1,
                _ => self.report.coordinator_narrowed += 1,
            }
        }
    }
}
