//! The form of a collection document, and everything in it that can be wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Change, Collection, CollectionError, GroupCode, LEAST_COUNTIES, LEAST_ROSTER, MAX_DIMENSIONS, MAX_TABLES,
    MAX_UNITS, Measure, National, NationalGroups, Percent, Scope, Several, Table, corrects, rule, several,
};
use crate::codebook::{CodeIndex, Codebook, Resolved, VariableIndex};
use crate::count::MinCount;
use crate::grouping::Grouping;
use crate::period::Period;
use crate::unit::{KommunKod, LansKod, Unit};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCollection {
    id: String,
    version: u32,
    titel: String,
    lan: LansKod,
    #[serde(default)]
    min_count: MinCount,
    kodbok: String,
    perioder: Vec<Period>,
    deltagare: Vec<Unit>,
    #[serde(default)]
    grupper: BTreeMap<GroupCode, BTreeSet<KommunKod>>,
    #[serde(default = "least_roster")]
    minst_kommuner: u32,
    #[serde(default = "half")]
    minst_procent: u8,
    deklarera_inom_timmar: u32,
    lamna_inom_timmar: u32,
    kontakt: String,
    kalla: String,
    #[serde(default)]
    fotnoter: Vec<String>,
    nationell: Option<RawNational>,
    rattar: Option<String>,
    rattar_monster: Option<String>,
    kompletterar: Option<String>,
    kompletterar_monster: Option<String>,
    tabell: Vec<RawTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNational {
    lan: BTreeSet<LansKod>,
    #[serde(default = "least_counties")]
    minst_lan: u32,
    inom_timmar: u32,
    #[serde(default = "national_contact")]
    kontakt: String,
    tredje_nyckel: String,
    #[serde(default)]
    ensam_kommun: bool,
    grupptabell: Option<String>,
    #[serde(default)]
    grupper: BTreeMap<GroupCode, Vec<KommunKod>>,
}

fn national_contact() -> String {
    "Den nationella samordnaren".into()
}

fn least_counties() -> u32 {
    LEAST_COUNTIES
}

fn least_roster() -> u32 {
    LEAST_ROSTER
}

fn half() -> u8 {
    50
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    id: String,
    titel: String,
    matt: Measure,
    omfattning: Scope,
    #[serde(default)]
    dimensioner: Vec<String>,
    #[serde(default)]
    filter: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    kanda: Vec<String>,
    #[serde(default)]
    flera: BTreeMap<String, several::Word>,
    #[serde(default)]
    marginaler: RawMargins,
    #[serde(default)]
    tider: Vec<Period>,
    procent: Option<Percent>,
    forandring: Option<Change>,
    #[serde(default)]
    fotnoter: Vec<String>,
    #[serde(default)]
    ny: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMargins {
    Word(MarginWord),
    Listed(Vec<Vec<String>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum MarginWord {
    Alla,
    Inga,
}

impl Default for RawMargins {
    fn default() -> Self {
        Self::Word(MarginWord::Alla)
    }
}

impl RawCollection {
    pub(super) fn check(self, codebook: &Codebook, hash: [u8; 32]) -> Result<Collection, CollectionError> {
        self.check_head(codebook)?;
        let mut units = self.deltagare;
        units.sort();
        check_units(&units, self.lan)?;
        let ids: Vec<&str> = self.tabell.iter().map(|table| table.id.as_str()).collect();
        let national = self.nationell.map(|raw| raw.check(self.lan, &ids)).transpose()?;
        let groups = groups_of(self.grupper, national.as_ref(), &units)?;
        let keys = corrects::Keys {
            rattar: self.rattar,
            rattar_monster: self.rattar_monster,
            kompletterar: self.kompletterar,
            kompletterar_monster: self.kompletterar_monster,
        };
        let corrects = corrects::read(&keys, self.version, national.is_some())?;
        let is_alone = national.as_ref().is_some_and(|national| national.alone);
        check_alone(is_alone, &units)?;
        let mut ids = BTreeSet::new();
        let mut tables = Vec::with_capacity(self.tabell.len());
        for raw in self.tabell {
            let folded = raw.id.to_ascii_lowercase();
            if !ids.insert(folded) {
                return rule(raw.id, "the table id is used twice (case does not tell ids apart)");
            }
            if national.is_some() && raw.omfattning == Scope::Kommun {
                // Anyone can add up kommun rows: a county that shows them all hides nothing in a national sum.
                let id = raw.id;
                return rule(id, "omfattning = \"total\" is expected of every table of a national round");
            }
            tables.push(raw.check(codebook, &self.perioder)?);
        }
        corrects::check_new(corrects, &tables)?;
        several::check_each(&tables, codebook, national.is_some())?;
        let overlapping = |table: &Table| table.several.values().any(|several| *several == Several::Each);
        if let Some(table) = tables.iter().find(|table| corrects.is_some() && overlapping(table)) {
            // What two versions of overlapping parts tell together is not worked out.
            return rule(
                table.id.clone(),
                "flera = \"varje\" has no second version yet: leave the table out, or rattar and kompletterar",
            );
        }
        Ok(Collection {
            id: self.id,
            version: self.version,
            title: self.titel,
            county: self.lan,
            min_count: self.min_count,
            units,
            groups,
            least_kommuner: if is_alone { 1 } else { self.minst_kommuner },
            least_percent: self.minst_procent,
            declare_hours: self.deklarera_inom_timmar,
            submit_hours: self.lamna_inom_timmar,
            contact: self.kontakt,
            source: self.kalla,
            footnotes: self.fotnoter,
            codebook: codebook.name(),
            national,
            corrects,
            tables,
            hash,
        })
    }

    fn check_head(&self, codebook: &Codebook) -> Result<(), CollectionError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(fits) {
            return rule("id", "1 to 64 of a–z, 0–9 and - (it names a folder)");
        }
        if self.version == 0 {
            return rule("version", "versions count from 1");
        }
        if self.kodbok != codebook.name() {
            return rule("kodbok", format!("{} is asked for; {} is at hand", self.kodbok, codebook.name()));
        }
        if self.minst_kommuner < LEAST_ROSTER || self.minst_procent > 100 {
            return rule("minst_kommuner", format!("at least {LEAST_ROSTER} kommuner, at most 100 percent"));
        }
        let year = 24 * 366;
        if !(1..=year).contains(&self.deklarera_inom_timmar) || !(1..=year).contains(&self.lamna_inom_timmar)
        {
            return rule("deklarera_inom_timmar, lamna_inom_timmar", format!("1 to {year} hours"));
        }
        if self.perioder.is_empty() {
            return rule("perioder", "at least one period");
        }
        match self.tabell.len() {
            1..=MAX_TABLES => Ok(()),
            many => rule("tabell", format!("{many} tables; 1 to {MAX_TABLES} are supported")),
        }
    }
}

impl RawNational {
    fn check(self, own: LansKod, tables: &[&str]) -> Result<National, CollectionError> {
        let counties = self.lan.len();
        if !self.lan.contains(&own) {
            return rule("nationell.lan", format!("expected the own county {own} among them"));
        }
        if !(LEAST_COUNTIES..=counties as u32).contains(&self.minst_lan) {
            return rule(
                "nationell.minst_lan",
                format!("{LEAST_COUNTIES} to the {counties} counties of the list"),
            );
        }
        let year = 24 * 366;
        if !(1..=year).contains(&self.inom_timmar) {
            return rule("nationell.inom_timmar", format!("1 to {year} hours"));
        }
        let mut third_key = [0; 32];
        if hex::decode_to_slice(&self.tredje_nyckel, &mut third_key).is_err() {
            let what =
                "expected 64 hexadecimal digits: what `coordinator key` prints at the third coordinator";
            return rule("nationell.tredje_nyckel", what);
        }
        let (least_counties, hours) = (self.minst_lan as usize, self.inom_timmar);
        let (contact, alone) = (self.kontakt, self.ensam_kommun);
        let groups = national_groups(self.grupptabell.as_deref(), self.grupper, tables)?;
        Ok(National { counties: self.lan, least_counties, hours, contact, third_key, alone, groups })
    }
}

/// The list of kommungrupper, with the table that has rows for them: both or neither.
fn national_groups(
    table: Option<&str>,
    groups: BTreeMap<GroupCode, Vec<KommunKod>>,
    tables: &[&str],
) -> Result<Option<NationalGroups>, CollectionError> {
    let place = "nationell.grupptabell";
    let Some(id) = table else {
        let what = "expected beside nationell.grupper: the id of the table that has rows of kommungrupper";
        return if groups.is_empty() { Ok(None) } else { rule(place, what) };
    };
    let Some(table) = tables.iter().position(|known| *known == id) else {
        return rule(place, format!("expected the id of one of the tables; there is no {id}"));
    };
    let mut sets = BTreeMap::new();
    for (group, kommuner) in groups {
        let set: BTreeSet<KommunKod> = kommuner.iter().copied().collect();
        if set.len() != kommuner.len() {
            return rule(format!("nationell.grupper {group}"), "a kommun stands there twice; expected once");
        }
        sets.insert(group, set);
    }
    match Grouping::new("nationell.grupper", sets) {
        Ok(grouping) => Ok(Some(NationalGroups { grouping, table })),
        Err(error) => rule("nationell.grupper", error.to_string()),
    }
}

/// The groups that aggregates are kept for: those of the document, or of the national list as far as they are invited.
fn groups_of(
    own: BTreeMap<GroupCode, BTreeSet<KommunKod>>,
    national: Option<&National>,
    units: &[Unit],
) -> Result<BTreeMap<GroupCode, BTreeSet<KommunKod>>, CollectionError> {
    let Some(list) = national.and_then(|national| national.groups.as_ref()) else {
        check_groups(&own, units)?;
        return Ok(own);
    };
    if !own.is_empty() {
        return rule("grupper", "expected nothing beside nationell.grupper, which says it");
    }
    let mut groups = BTreeMap::<GroupCode, BTreeSet<KommunKod>>::new();
    for kommun in units.iter().map(Unit::kommun) {
        match list.grouping.group_of(kommun) {
            Some(group) => groups.entry(group.clone()).or_default().insert(kommun),
            None => return rule("nationell.grupper", format!("{kommun} is invited and stands in no group")),
        };
    }
    Ok(groups)
}

/// A kommun that stands alone is one unit: sub-units would be added up, and their sum is the kommun's own figure.
fn check_alone(is_alone: bool, units: &[Unit]) -> Result<(), CollectionError> {
    match units {
        [unit] if is_alone && *unit == Unit::whole(unit.kommun()) => Ok(()),
        _ if is_alone => rule(
            "nationell.ensam_kommun",
            "expected one whole kommun in deltagare: the county's only one, which chooses itself what is shown",
        ),
        _ => Ok(()),
    }
}

fn check_units(units: &[Unit], county: LansKod) -> Result<(), CollectionError> {
    if units.is_empty() || units.len() > MAX_UNITS {
        return rule("deltagare", format!("1 to {MAX_UNITS} units"));
    }
    if let Some(pair) = units.windows(2).find(|pair| pair[0] == pair[1]) {
        return rule("deltagare", format!("{} is invited twice", pair[0]));
    }
    if let Some(stranger) = units.iter().find(|unit| unit.county() != county) {
        return rule("deltagare", format!("{stranger} does not lie in county {county}"));
    }
    let whole = |unit: &&Unit| **unit == Unit::whole(unit.kommun());
    let double = units
        .iter()
        .filter(whole)
        .find(|unit| units.iter().filter(|other| other.kommun() == unit.kommun()).count() > 1);
    match double {
        Some(unit) => {
            rule("deltagare", format!("{unit} is invited as a whole and by sub-unit: records twice"))
        }
        None => Ok(()),
    }
}

fn check_groups(
    groups: &BTreeMap<GroupCode, BTreeSet<KommunKod>>,
    units: &[Unit],
) -> Result<(), CollectionError> {
    let invited: BTreeSet<_> = units.iter().map(Unit::kommun).collect();
    let mut seen = BTreeSet::new();
    for (group, kommuner) in groups {
        for kommun in kommuner {
            if !invited.contains(kommun) {
                return rule(format!("grupper {group}"), format!("{kommun} is not invited"));
            }
            if !seen.insert(kommun) {
                return rule(format!("grupper {group}"), format!("{kommun} lies in two groups"));
            }
        }
    }
    if !groups.is_empty() && seen.len() != invited.len() {
        return rule("grupper", "every invited kommun lies in one group, or there are none");
    }
    Ok(())
}

impl RawTable {
    fn check(self, codebook: &Codebook, periods: &[Period]) -> Result<Table, CollectionError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if self.id.is_empty() || self.id.len() > 16 || !self.id.bytes().all(fits) {
            return rule(format!("tabell {}", self.id), "ids are 1 to 16 of a–z, A–Z, 0–9, - and _");
        }
        let filter = resolve_filter(&self.id, &self.filter, codebook)?;
        let mut dimensions = resolve_dimensions(&self.id, &self.dimensioner, &filter, codebook)?;
        let several = several::resolve(&self.id, &self.flera, &filter, &mut dimensions, codebook)?;
        let known = resolve_known(&self.id, &self.kanda, &filter, &dimensions, codebook)?;
        let margins = resolve_margins(&self.id, &self.marginaler, &dimensions)?;
        let periods = if self.tider.is_empty() { periods.to_vec() } else { self.tider };
        check_derived(&self.id, &self.procent, &self.forandring, &periods)?;
        let percent_over = match &self.procent {
            Some(percent) => mask(&self.id, &percent.over, &dimensions)?,
            None => 0,
        };
        if self.procent.is_some() && (percent_over == 0 || !margins.contains(&percent_over)) {
            return rule(format!("{} procent", self.id), "the base must be one of the table's margins");
        }
        let mut footnotes = self.fotnoter;
        footnotes.extend(
            several.iter().map(|(variable, rule)| several::note(&codebook.variables[*variable], *rule)),
        );
        Ok(Table {
            id: self.id,
            title: self.titel,
            measure: self.matt,
            scope: self.omfattning,
            dimensions,
            several,
            filter,
            known,
            margins,
            periods,
            percent: self.procent,
            percent_over,
            change: self.forandring,
            footnotes,
            is_new: self.ny,
        })
    }
}

pub(super) type Filter = BTreeMap<VariableIndex, BTreeSet<CodeIndex>>;

fn resolve_filter(
    table: &str,
    raw: &BTreeMap<String, Vec<String>>,
    codebook: &Codebook,
) -> Result<Filter, CollectionError> {
    let mut filter = Filter::new();
    for (id, codes) in raw {
        let place = format!("{table} filter {id}");
        let Some(index) = codebook.variable_index(id) else {
            return rule(place, format!("no variable of codebook {}", codebook.name()));
        };
        let variable = &codebook.variables[index];
        let mut chosen = BTreeSet::new();
        for code in codes {
            if code == "*" {
                chosen.extend((0..variable.codes.len()).filter_map(|at| CodeIndex::try_from(at).ok()));
            } else if let Some(at) = variable.code_index(code) {
                chosen.insert(at);
            } else {
                return rule(place, format!("{code} is no code of the variable (or * for any known)"));
            }
        }
        if chosen.is_empty() {
            return rule(place, "an empty filter lets nothing through");
        }
        filter.insert(index, chosen);
    }
    Ok(filter)
}

fn resolve_known(
    table: &str,
    ids: &[String],
    filter: &Filter,
    dimensions: &[Resolved],
    codebook: &Codebook,
) -> Result<BTreeSet<VariableIndex>, CollectionError> {
    let one = |id: &String| {
        let place = format!("{table} kanda");
        let Some(variable) = codebook.variable_index(id) else {
            return rule(place, format!("{id} is no variable of codebook {}", codebook.name()));
        };
        let twice = filter.contains_key(&variable) || dimensions.iter().any(|d| d.variable == variable);
        if twice { rule(place, format!("{id} is a dimension or filtered already")) } else { Ok(variable) }
    };
    ids.iter().map(one).collect()
}

fn resolve_dimensions(
    table: &str,
    ids: &[String],
    filter: &Filter,
    codebook: &Codebook,
) -> Result<Vec<Resolved>, CollectionError> {
    if ids.len() > MAX_DIMENSIONS {
        return rule(format!("{table} dimensioner"), format!("at most {MAX_DIMENSIONS}"));
    }
    let mut dimensions = Vec::<Resolved>::new();
    for id in ids {
        let Some(mut dimension) = codebook.resolve(id) else {
            return rule(
                format!("{table} dimensioner"),
                format!("{id} is no variable or level of the codebook"),
            );
        };
        if dimensions.iter().any(|other| other.variable == dimension.variable) {
            return rule(format!("{table} dimensioner"), format!("the variable of {id} is used twice"));
        }
        if let Some(inside) = filter.get(&dimension.variable) {
            dimension.categories.retain(|category| category.allowed.alone.is_subset(inside));
        }
        if dimension.categories.is_empty() {
            return rule(format!("{table} dimensioner"), format!("the filter leaves no category of {id}"));
        }
        dimensions.push(dimension);
    }
    Ok(dimensions)
}

fn mask(table: &str, ids: &[String], dimensions: &[Resolved]) -> Result<u32, CollectionError> {
    ids.iter().try_fold(0, |mask, id| match dimensions.iter().position(|dimension| dimension.id == *id) {
        Some(at) => Ok(mask | 1 << at),
        None => rule(format!("{table} marginaler/procent"), format!("{id} is no dimension of the table")),
    })
}

fn resolve_margins(
    table: &str,
    raw: &RawMargins,
    dimensions: &[Resolved],
) -> Result<BTreeSet<u32>, CollectionError> {
    let mut margins = BTreeSet::from([0]);
    match raw {
        RawMargins::Word(MarginWord::Inga) => {}
        RawMargins::Word(MarginWord::Alla) => margins.extend(0..1u32 << dimensions.len()),
        RawMargins::Listed(lists) => {
            for list in lists {
                margins.insert(mask(table, list, dimensions)?);
            }
        }
    }
    Ok(margins)
}

fn check_derived(
    table: &str,
    percent: &Option<Percent>,
    change: &Option<Change>,
    periods: &[Period],
) -> Result<(), CollectionError> {
    if let Some(twice) = periods.iter().enumerate().find(|(at, period)| periods[..*at].contains(period)) {
        return rule(format!("{table} tider"), format!("{} stands twice", twice.1));
    }
    if percent.as_ref().is_some_and(|percent| percent.over.is_empty()) {
        return rule(format!("{table} procent"), "over names at least one dimension");
    }
    let Some(change) = change else { return Ok(()) };
    let twice = change.from.iter().enumerate().any(|(at, period)| change.from[..at].contains(period));
    if twice || change.from.contains(&change.to) {
        return rule(format!("{table} forandring"), "fran names other periods than till, each once");
    }
    let missing = std::iter::once(&change.to).chain(&change.from).find(|period| !periods.contains(period));
    match missing {
        Some(period) => {
            rule(format!("{table} forandring"), format!("{period} is not one of the table's periods"))
        }
        None => Ok(()),
    }
}
