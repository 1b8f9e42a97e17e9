//! A year added together from the publications of its parts: halves, quarters or months that fill it.
//!
//! Nothing is opened and nothing is known here that readers of the parts do not know: a figure of the year is the sum of the
//! parts' figures where every part shows it, and withheld where one withholds it. So nothing can follow from the year that
//! does not follow from its parts (SAFE-1), and no audit has to find more to withhold. What it costs: a figure that is small in one part is
//! missing in the year, however large it is there (ADR 24).
//!
//! Only whole agreement is added: the same tables, codebook, threshold and kommuner. Knows no disk and no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};
use tables::codebook::{Codebook, TOT};
use tables::collection::{Collection, Several};
use tables::figures::{Figures, Mark};
use tables::period::Period;
use tables::strict::{Status, StrictTable};
use tables::system::{CellIndex, System, SystemError};
use tables::unit::{Omrade, Unit};

use crate::table::{BORTFALL, count_word};

/// One published part.
pub struct Part {
    /// Its document.
    pub collection: Collection,
    /// Its strict tables, in the collection's order.
    pub tables: Vec<StrictTable>,
    /// Units that took part, ascending.
    pub roster: Vec<Unit>,
}

/// What the year is called.
#[derive(Debug, Clone)]
pub struct Named {
    /// Names its folder.
    pub id: String,
    /// From 1; a part that is corrected gives another version of the year.
    pub version: u32,
    /// Swedish title.
    pub title: String,
    /// What the parts fill.
    pub period: Period,
}

/// Parts that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum CombineError {
    /// Not two parts.
    #[error("expected two publications or more that fill {0}")]
    Few(Period),
    /// A name that no collection has.
    #[error("{key}: expected {expected}")]
    Name {
        /// The option.
        key: &'static str,
        /// What it should be.
        expected: String,
    },
    /// A table over other periods than one.
    #[error(
        "{collection}, {table}: expected one period, the same in every table; a year is added from parts that have one"
    )]
    Periods {
        /// Which part.
        collection: String,
        /// Which table.
        table: String,
    },
    /// Gaps, or the same days twice.
    #[error("{found} do not fill {period}: expected each day once")]
    Days {
        /// What is there.
        found: String,
        /// What is to be filled.
        period: Period,
    },
    /// A part that is of another kind than the first.
    #[error("{collection}: {what} is another than in {first}; only parts of one kind can be added")]
    Differs {
        /// Which part.
        collection: String,
        /// The part it is compared with.
        first: String,
        /// Key of the document.
        what: &'static str,
    },
    /// Kommuner that are not in every part.
    #[error(
        "{units}: not in every part; a total over other kommuner in one part than in the other is no total of the year"
    )]
    Roster {
        /// Them.
        units: String,
    },
    /// A kind of collection that is not added.
    #[error("{collection}: {what}")]
    Kind {
        /// Which part.
        collection: String,
        /// What it has.
        what: &'static str,
    },
    /// A figure that a part must have and has not.
    #[error("{collection}, {table}: no figure for {key}; the folder is not what was published")]
    Missing {
        /// Which part.
        collection: String,
        /// Which table.
        table: String,
        /// Area and codes.
        key: String,
    },
    /// Two tables of a part say two things about the same records.
    #[error(
        "{collection}, {table}: a figure is another here than in a table before it; the folder is not what was published"
    )]
    Contradiction {
        /// Which part.
        collection: String,
        /// Which table.
        table: String,
    },
    /// The year's cells.
    #[error(transparent)]
    System(#[from] SystemError),
}

/// The year: what a publication is made from.
pub struct Year {
    /// As if it had been asked for.
    pub collection: Collection,
    /// Its cells.
    pub system: System,
    /// What is shown of them.
    pub figures: Figures,
}

/// Adds parts together.
///
/// # Errors
/// [`CombineError`] names the part and what is another in it.
pub fn year(parts: &[Part], named: &Named, codebook: &Codebook) -> Result<Year, CombineError> {
    let [first, rest @ ..] = parts else { return Err(CombineError::Few(named.period)) };
    if rest.is_empty() {
        return Err(CombineError::Few(named.period));
    }
    check_name(named)?;
    check_days(parts, named.period)?;
    parts.iter().try_for_each(check_kind)?;
    rest.iter().try_for_each(|part| check_alike(first, part))?;
    check_roster(parts)?;
    let collection = collection(parts, first, named);
    let system = System::new(&collection, codebook)?;
    let figures = figures(parts, &collection, &system, codebook)?;
    Ok(Year { collection, system, figures })
}

fn check_name(named: &Named) -> Result<(), CombineError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if named.id.is_empty() || named.id.len() > 64 || !named.id.bytes().all(fits) {
        return Err(CombineError::Name { key: "id", expected: "1 to 64 of a–z, 0–9 and -".into() });
    }
    match named.version {
        0 => Err(CombineError::Name { key: "version", expected: "1 or more".into() }),
        _ => Ok(()),
    }
}

/// The period of a part: all its tables have one and the same.
fn period_of(part: &Part) -> Result<Period, CombineError> {
    let first = part.collection.tables.first().and_then(|table| table.periods.first()).copied();
    let other = part.collection.tables.iter().find(|table| table.periods.as_slice() != first.as_slice());
    match (first, other) {
        (Some(period), None) => Ok(period),
        (_, other) => Err(CombineError::Periods {
            collection: part.collection.id.clone(),
            table: other.map_or_else(String::new, |table| table.id.clone()),
        }),
    }
}

fn check_days(parts: &[Part], period: Period) -> Result<(), CombineError> {
    let mut periods: Vec<Period> = parts.iter().map(period_of).collect::<Result<_, _>>()?;
    periods.sort();
    let ends = periods.first().map(|part| part.first()) == Some(period.first())
        && periods.last().map(|part| part.last()) == Some(period.last());
    let follows = |pair: &[Period]| pair[0].last().tomorrow().ok() == Some(pair[1].first());
    if ends && periods.windows(2).all(follows) {
        return Ok(());
    }
    let found = periods.iter().map(Period::to_string).collect::<Vec<_>>().join(", ");
    Err(CombineError::Days { found, period })
}

fn check_kind(part: &Part) -> Result<(), CombineError> {
    let refused = |what| Err(CombineError::Kind { collection: part.collection.id.clone(), what });
    if part.collection.national.is_some() {
        return refused("a part of a national round is not added: the realm's tables were made beside it");
    }
    let each = |table: &tables::collection::Table| table.several.values().any(|rule| *rule == Several::Each);
    if part.collection.tables.iter().any(each) {
        return refused(
            "flera = \"varje\" is not added yet: events with several reasons have no sum of their own",
        );
    }
    if part.collection.tables.iter().any(|table| table.change.is_some()) {
        return refused("forandring compares periods, and a year that is added has one");
    }
    Ok(())
}

fn check_alike(first: &Part, part: &Part) -> Result<(), CombineError> {
    let (one, two) = (&first.collection, &part.collection);
    let alike = |a: &tables::collection::Table, b: &tables::collection::Table| {
        let dimensions = |table: &tables::collection::Table| -> Vec<(String, Vec<String>)> {
            let codes =
                |d: &tables::codebook::Resolved| d.categories.iter().map(|c| c.code.clone()).collect();
            table.dimensions.iter().map(|dimension| (dimension.id.clone(), codes(dimension))).collect()
        };
        (&a.id, a.scope, &a.filter, &a.known, &a.margins, &a.several)
            == (&b.id, b.scope, &b.filter, &b.known, &b.margins, &b.several)
            && dimensions(a) == dimensions(b)
    };
    let same_tables =
        one.tables.len() == two.tables.len() && one.tables.iter().zip(&two.tables).all(|(a, b)| alike(a, b));
    let what = if one.county != two.county {
        "lan"
    } else if one.codebook != two.codebook {
        "kodbok"
    } else if one.min_count != two.min_count {
        "min_count"
    } else if !same_tables {
        "tabell"
    } else {
        return Ok(());
    };
    Err(CombineError::Differs { collection: two.id.clone(), first: one.id.clone(), what })
}

fn check_roster(parts: &[Part]) -> Result<(), CombineError> {
    let all: BTreeSet<&Unit> = parts.iter().flat_map(|part| &part.roster).collect();
    let missing = all.into_iter().filter(|unit| parts.iter().any(|part| !part.roster.contains(unit)));
    let missing: Vec<String> = missing.map(Unit::to_string).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(CombineError::Roster { units: missing.join(", ") }),
    }
}

fn collection(parts: &[Part], first: &Part, named: &Named) -> Collection {
    let mut collection = first.collection.clone();
    let mut hash = Sha256::new().chain_update(b"samman/v1 added together\0");
    let mut hashes: Vec<[u8; 32]> = parts.iter().map(|part| part.collection.hash).collect();
    hashes.sort_unstable();
    for part in hashes {
        hash = hash.chain_update(part);
    }
    collection.id.clone_from(&named.id);
    collection.version = named.version;
    collection.title.clone_from(&named.title);
    collection.corrects = None;
    collection.units.retain(|unit| parts.iter().all(|part| part.collection.units.contains(unit)));
    for table in &mut collection.tables {
        table.periods = vec![named.period];
        table.is_new = false;
    }
    let from: Vec<String> = parts.iter().map(|part| version_of(&part.collection)).collect();
    collection.footnotes.push(format!(
        "Uppgifterna är summor av publicerade uppgifter ({}). Det som undertryckts i någon av dem är undertryckt här.",
        from.join(", ")
    ));
    collection.hash = hash.finalize().into();
    collection
}

fn version_of(collection: &Collection) -> String {
    format!("{} version {}", collection.id, collection.version)
}

/// What a part prints: count or bortfall by table, area and codes.
type Printed = Vec<HashMap<(String, Vec<String>, bool), Option<u64>>>;

fn printed(part: &Part) -> Printed {
    let of = |(spec, table): (&tables::collection::Table, &StrictTable)| {
        let counts = count_word(spec.measure);
        let rows = table.rows.iter().filter(|row| row.matt == counts || row.matt == BORTFALL);
        let rows = rows.filter(|row| row.status != Status::NotDelivered);
        rows.map(|row| {
            let value = row.varde.and_then(|value| u64::try_from(value).ok());
            ((row.omrade.to_string(), row.codes.clone(), row.matt == BORTFALL), value)
        })
        .collect()
    };
    part.collection.tables.iter().zip(&part.tables).map(of).collect()
}

fn figures(
    parts: &[Part],
    collection: &Collection,
    system: &System,
    codebook: &Codebook,
) -> Result<Figures, CombineError> {
    let all: Vec<Printed> = parts.iter().map(printed).collect();
    let units = parts.first().map(|part| part.roster.clone()).unwrap_or_default();
    let adder = Adder { parts, all: &all, collection, system, codebook };
    let mut per_unit = Vec::with_capacity(units.len());
    for unit in &units {
        let mut marks = adder.marks(&Omrade::Unit(unit.clone()))?;
        marks.retain(|cell, _| system.cells[*cell].per_unit);
        per_unit.push(marks);
    }
    let totals = adder.marks(&Omrade::County(collection.county))?;
    Ok(Figures { units, per_unit, totals })
}

struct Adder<'a> {
    parts: &'a [Part],
    all: &'a [Printed],
    collection: &'a Collection,
    system: &'a System,
    codebook: &'a Codebook,
}

impl Adder<'_> {
    /// The marks of one area: of every cell that a table prints of it.
    fn marks(&self, area: &Omrade) -> Result<BTreeMap<CellIndex, Mark>, CombineError> {
        let is_unit = matches!(area, Omrade::Unit(_));
        let mut marks = BTreeMap::new();
        for (at, (spec, rows)) in self.collection.tables.iter().zip(&self.system.tables).enumerate() {
            if is_unit && spec.scope == tables::collection::Scope::Total {
                continue;
            }
            let constants = spec.constant_columns(self.codebook);
            let codes = |codes: &[Option<usize>]| -> Vec<String> {
                let own = spec.dimensions.iter().zip(codes);
                let own = own.map(|(dimension, code)| {
                    code.map_or(TOT.to_owned(), |code| dimension.categories[code].code.clone())
                });
                own.chain(constants.iter().map(|(_, code)| code.clone())).collect()
            };
            for row in &rows.rows {
                self.add(&mut marks, (at, row.cell), (area, codes(&row.codes), false))?;
            }
            let margin = codes(&vec![None; spec.dimensions.len()]);
            for cell in rows.bortfall.iter().filter(|_| !is_unit) {
                self.add(&mut marks, (at, *cell), (area, margin.clone(), true))?;
            }
        }
        Ok(marks)
    }

    fn add(
        &self,
        marks: &mut BTreeMap<CellIndex, Mark>,
        (at, cell): (usize, CellIndex),
        (area, codes, is_bortfall): (&Omrade, Vec<String>, bool),
    ) -> Result<(), CombineError> {
        let key = (area.to_string(), codes, is_bortfall);
        let table = || self.collection.tables[at].id.clone();
        let mut sum = Some(0u64);
        for (part, printed) in self.parts.iter().zip(self.all) {
            let collection = || part.collection.id.clone();
            let Some(value) = printed.get(at).and_then(|rows| rows.get(&key)) else {
                let key = format!("{} {}", key.0, key.1.join(" "));
                return Err(CombineError::Missing { collection: collection(), table: table(), key });
            };
            sum = sum.zip(*value).and_then(|(sum, value)| sum.checked_add(value));
        }
        let mark = sum.map_or(Mark::Withheld, Mark::Shown);
        match marks.insert(cell, mark) {
            Some(known) if known != mark => {
                Err(CombineError::Contradiction { collection: self.collection.id.clone(), table: table() })
            }
            _ => Ok(()),
        }
    }
}
