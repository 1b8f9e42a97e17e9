//! What those demand who open sums, and who agree to a pattern. Both judge for themselves: nobody's word is taken for what a
//! list of sums hides.

use std::collections::BTreeSet;

use suppress::counties::hiding::Hiding;
use tables::collection::National as Terms;
use tables::figures::CountyMark;
use tables::system::{CellIndex, System};

use super::document::{Document, GroupSums, NationalClose, NationalPattern, Offer};
use super::groups;
use crate::refusal::{PatternFault, Refusal};

/// What whoever opens demands of a close: a roster of the pattern's counties, no smaller than the collection's, and of each
/// sum that it was named, is shared, and hides at least [`suppress::counties::LEAST_HIDDEN`] counties of the roster (SAFE-3).
///
/// # Errors
/// [`Refusal`].
pub fn check_close(
    system: &System,
    terms: &Terms,
    pattern: &NationalPattern,
    close: &NationalClose,
) -> Result<(), Refusal> {
    if close.pattern != pattern.hash() {
        return Err(Refusal::OtherBinding("pattern"));
    }
    let ascending = close.roster.windows(2).all(|pair| pair[0] < pair[1]);
    let places: Option<BTreeSet<usize>> = close.roster.iter().map(|county| pattern.place(*county)).collect();
    let places = places.filter(|_| ascending).ok_or(Refusal::NotInRoster)?;
    if places.len() < terms.least_counties || !is_of_invited(terms, pattern) {
        return Err(Refusal::OtherBinding("roster"));
    }
    if !close.open.is_subset(&pattern.open) || !close.open_groups.is_subset(&pattern.open_groups) {
        return Err(Refusal::Pattern(PatternFault::Opens));
    }
    check_open((system, terms), pattern, &places, (&close.open, &close.open_groups))
}

/// Whether a pattern's counties are invited ones, each once, each with what it withholds: counties that nobody approved hide nobody.
fn is_of_invited(terms: &Terms, pattern: &NationalPattern) -> bool {
    let ascending = pattern.counties.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let invited = pattern.counties.iter().all(|(county, _)| terms.counties.contains(county));
    ascending && invited && pattern.withheld.len() == pattern.counties.len()
}

/// That every sum is shared, and that each, and each combination of them, of groups too, hides at least [`suppress::counties::LEAST_HIDDEN`] counties
/// of the roster: what follows from the totals a county shows does not hide it.
fn check_open(
    (system, terms): (&System, &Terms),
    pattern: &NationalPattern,
    places: &BTreeSet<usize>,
    (open, open_groups): (&BTreeSet<CellIndex>, &GroupSums),
) -> Result<(), Refusal> {
    let is_cell = |cell: &CellIndex| *cell < system.cells.len();
    let withheld = pattern.withheld.iter().flatten();
    if pattern.opens_what_is_not_shared(system) || !withheld.into_iter().all(is_cell) {
        return Err(Refusal::Pattern(PatternFault::Shape));
    }
    let mut left = open.clone();
    let hiding = Hiding::new(system, &pattern.withheld, &[]);
    if !hiding.narrow(places, &mut left).is_empty() {
        return Err(Refusal::Pattern(PatternFault::Opens));
    }
    groups::check(&hiding, (system, terms), pattern, places, (open, open_groups))
}

/// What a region demands of a pattern before it publishes under it: that it is of its own offer and seals to the third
/// coordinator its collection names, withholds all it withholds itself and none of its zeros, and opens no sum, nor combination of
/// sums, that hides fewer than [`suppress::counties::LEAST_HIDDEN`] counties.
///
/// # Errors
/// [`Refusal`].
pub fn check_pattern(
    system: &System,
    terms: &Terms,
    offer: &Offer,
    pattern: &NationalPattern,
) -> Result<usize, Refusal> {
    if pattern.third_key_id != terms.third_key {
        return Err(Refusal::OtherBinding("third coordinator's key"));
    }
    if pattern.national != offer.national {
        return Err(Refusal::OtherBinding("national round"));
    }
    let place = pattern.place(offer.county).ok_or(Refusal::NotInRoster)?;
    if pattern.counties[place].1 != offer.hash() {
        return Err(Refusal::OtherBinding("offer"));
    }
    if !is_of_invited(terms, pattern) {
        return Err(Refusal::OtherBinding("roster"));
    }
    let fits = |(cell, mark): (usize, &CountyMark)| match mark {
        CountyMark::Zero => !pattern.withheld[place].contains(&cell),
        CountyMark::Withheld | CountyMark::Small => pattern.withheld[place].contains(&cell),
        // Bortfall is withheld by nobody but a kommun that stands alone, and so never for another county's sake.
        CountyMark::Shown | CountyMark::Ample => {
            system.cells[cell].is_count || !pattern.withheld[place].contains(&cell)
        }
    };
    if !offer.marks.iter().enumerate().all(fits) {
        return Err(Refusal::Pattern(PatternFault::Shape));
    }
    let all = (0..pattern.counties.len()).collect();
    check_open((system, terms), pattern, &all, (&pattern.open, &pattern.open_groups))?;
    if pattern.groups.get(place) != Some(&offer.groups) {
        return Err(Refusal::Pattern(PatternFault::Shape));
    }
    Ok(place)
}
