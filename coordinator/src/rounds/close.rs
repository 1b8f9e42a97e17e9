//! Phase 5 at the region: the helper's opened shares and the region's own become totals; readable cells are unsealed.
//!
//! The region adds up its stored shares of exactly the roster's reports, keeps the aggregate (per group of kommuner and
//! whole) for the national round, and opens only the pattern's list (SAFE-3). A kommun whose readable cells contradict
//! its own statuses ends the round by name: its shares are in sums that can be opened only once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use round::alone;
use round::document::PatternDocument;
use round::helper::opening_digest;
use round::region::{Event, Failure};
use round::shares::{self, Readable};
use sharing::aggregate::AggregateShare;
use sharing::opening::{NoNoise, OpenedShare, open};
use sharing::output::{OutputShare, Side};
use sharing::report::{ReadableKey, Report};
use tables::count::{FineStatus, MinCount};
use tables::system::{CellIndex, System};
use tables::unit::Unit;

use super::desk::{Desk, DeskError, aggregate_key, report_key, share_key};
use super::service::Announced;
use crate::helper::client::{HelperClient, HelperError};

/// Why a round could not be closed now.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The machine or the store.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What lies beside facts.
    #[error(transparent)]
    Fact(#[from] daemon::facts::FactError),
    /// The helper.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// Own stored shares do not fit the pattern: a fault of this program or a damaged store.
    #[error("the stored shares do not fit the pattern: {0}")]
    Shares(&'static str),
    /// The two sides' shares do not give sums.
    #[error("the helper's opened shares do not fit: {0}")]
    Opening(&'static str),
}

/// Closes the current round.
///
/// # Errors
/// [`CloseError`]; nothing is stored then, and closing again gives the same.
pub async fn close(announced: &Announced, helper: &HelperClient) -> Result<(), CloseError> {
    let desk = &announced.desk;
    let document = desk.look(|region| region.document().cloned()).ok_or(CloseError::Shares("no pattern"))?;
    let closed = match helper.close(&document).await {
        Ok(closed) => closed,
        Err(HelperError::Refused(reason)) => return fail(desk, Failure::Helper(reason)),
        Err(error) => return Err(error.into()),
    };
    helper.check_countersignature(&closed, &opening_digest(&document, &closed.shares))?;
    let announced_desk = desk.clone();
    let work = move || take_opening(&announced_desk, &document, &closed.opening(), now());
    tokio::task::spawn_blocking(work).await.map_err(|_| CloseError::Shares("the work ended early"))?
}

/// What a helper opened.
pub struct Opening<'a> {
    /// Opened shares in the pattern's order.
    pub shares: &'a [Vec<u8>],
    /// Keys of the readable cells in roster order.
    pub readable_keys: &'a [[u8; 32]],
}

/// Turns an opening into totals and readable cells, and stores them with the region's aggregate shares.
///
/// # Errors
/// [`CloseError`]; nothing is stored then.
pub fn take_opening(
    desk: &Desk,
    document: &PatternDocument,
    opening: &Opening<'_>,
    now: i64,
) -> Result<(), CloseError> {
    let aggregates = aggregate(desk, document)?;
    let sums = open_sums(desk, document, &aggregates.whole, opening)?;
    let event = match unseal(desk, document, opening)? {
        Ok(readable) => Event::Opened { round: document.round, sums, readable },
        Err(unit) => {
            tracing::error!(%unit, "readable cells contradict the unit's statuses");
            Event::Fail(Failure::Unit(unit))
        }
    };
    Ok(desk.take(event, now, aggregates.beside)?)
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn fail(desk: &Desk, failure: Failure) -> Result<(), CloseError> {
    tracing::error!(%failure, "the round ends without a publication");
    Ok(desk.take(Event::Fail(failure), now(), Vec::new())?)
}

struct Aggregates {
    whole: AggregateShare,
    beside: Vec<(String, Vec<u8>)>,
}

/// The region's sums over the roster and over each group of kommuner in it.
fn aggregate(desk: &Desk, document: &PatternDocument) -> Result<Aggregates, CloseError> {
    let parameters = desk.parameters();
    let mut whole = AggregateShare::new(parameters, Side::Region);
    let mut groups = BTreeMap::<String, AggregateShare>::new();
    for entry in &document.roster {
        let bytes = desk.read(&share_key(document.round, &entry.unit))?;
        let share =
            OutputShare::decode(parameters, &bytes).map_err(|_| CloseError::Shares("an unreadable share"))?;
        let misfit = |_| CloseError::Shares("a share of another shape");
        whole.add(&share).map_err(misfit)?;
        let group = desk.look(|region| region.collection().group_of(entry.unit.kommun()).cloned());
        if let Some(group) = group {
            let sum = groups
                .entry(group.to_string())
                .or_insert_with(|| AggregateShare::new(parameters, Side::Region));
            sum.add(&share).map_err(misfit)?;
        }
    }
    let mut beside = vec![(aggregate_key(document.round, "alla"), whole.encode(parameters))];
    let group = |(group, sum): (String, AggregateShare)| {
        (aggregate_key(document.round, &format!("G:{group}")), sum.encode(parameters))
    };
    beside.extend(groups.into_iter().map(group));
    Ok(Aggregates { whole, beside })
}

fn open_sums(
    desk: &Desk,
    document: &PatternDocument,
    aggregate: &AggregateShare,
    closed: &Opening<'_>,
) -> Result<BTreeMap<CellIndex, u64>, CloseError> {
    let (system, collection, statuses) =
        desk.look(|region| (region.system().clone(), region.collection().clone(), region.statuses()));
    let combinations =
        shares::combinations(&system, document).ok_or(CloseError::Shares("a sum of no entry"))?;
    if closed.shares.len() != combinations.len() {
        return Err(CloseError::Opening("their number"));
    }
    let own = aggregate
        .combine_all(&combinations, &mut NoNoise)
        .map_err(|_| CloseError::Shares("combinations outside the shape"))?;
    let roster = document.units();
    let mut sums = BTreeMap::new();
    for ((cell, own), theirs) in document.open.iter().zip(&own).zip(closed.shares) {
        let theirs = OpenedShare::decode(theirs).map_err(|_| CloseError::Opening("their form"))?;
        let shared = open(own, &theirs).map_err(|_| CloseError::Opening("their sum"))?;
        sums.insert(*cell, shared + shares::offset(&system, *cell, &statuses, &roster, collection.min_count));
    }
    Ok(sums)
}

type Unsealed = Result<Vec<BTreeMap<CellIndex, u64>>, Unit>;

/// The readable cells of every unit, or the unit whose cells are not what it declared.
fn unseal(desk: &Desk, document: &PatternDocument, closed: &Opening<'_>) -> Result<Unsealed, CloseError> {
    let (system, statuses, threshold) =
        desk.look(|region| (region.system().clone(), region.statuses(), region.collection().min_count));
    if closed.readable_keys.len() != document.roster.len() {
        return Err(CloseError::Opening("the number of keys"));
    }
    let mut all = Vec::with_capacity(document.roster.len());
    for (place, (entry, key)) in document.roster.iter().zip(closed.readable_keys).enumerate() {
        let bytes = desk.read(&report_key(document.round, &entry.unit))?;
        let report = Report::decode(desk.parameters(), &bytes)
            .map_err(|_| CloseError::Shares("an unreadable report"))?;
        let cells = report
            .open_readable(&ReadableKey::from_bytes(*key))
            .ok()
            .and_then(|bytes| Readable::decode(&bytes, &system, document, place));
        let declared = statuses.get(&entry.unit).map(Vec::as_slice).unwrap_or_default();
        let agree = |cells: &BTreeMap<CellIndex, u64>| match system.alone {
            true => alone::agrees(cells, declared, threshold),
            false => agrees(&system, cells, declared, threshold),
        };
        match cells.filter(agree) {
            Some(cells) => all.push(cells),
            None => return Ok(Err(entry.unit.clone())),
        }
    }
    Ok(Ok(all))
}

/// Whether readable cells fit what was declared: zero exactly where all statuses are, at least what the statuses
/// together say, and no larger than shares can be.
fn agrees(
    system: &System,
    cells: &BTreeMap<CellIndex, u64>,
    statuses: &[FineStatus],
    threshold: MinCount,
) -> bool {
    cells.iter().all(|(cell, value)| {
        let atoms = system.cells[*cell].unit_atoms.as_deref().unwrap_or_default();
        let least = |atom: &u32| statuses.get(*atom as usize).map_or(0, |s| u64::from(s.least(threshold)));
        let least: u64 = atoms.iter().map(least).sum();
        (least == 0) == (*value == 0) && least <= *value && *value <= u64::from(u32::MAX)
    })
}
