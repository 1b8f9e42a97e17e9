//! The national body of a country lies; regions and third coordinator run the production checks.
//!
//! As in [`crate::liar`]: what it says is changed where it arrives, and a lie that is read and noticed by nobody is a failure,
//! as is a sum opened that hides fewer than three counties as they published.
//!
//! What cannot be noticed (ADR 16): that it chooses three small counties to hide in each other; that it issues certificates in
//! the name of an invited county that takes no part: it is the root.

use std::collections::BTreeSet;

use round::national::document::{Document, NationalClose, NationalPattern};
use sharing::signing::SigningContext;
use tables::system::Build;
use tables::unit::LansKod;

use super::federation::Country;
use super::party::{Ask, Told};

/// A lie of the national body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NationalLie {
    /// It shows a region another pattern than it shows the third coordinator, and takes what the region delivers under it.
    AnotherPattern(LansKod),
    /// It shows a region a pattern in which the region must show what it withholds.
    ShowsWithheld(LansKod),
    /// It shows a region a pattern in which a county that nobody invited hides what the others show.
    InventsCounty(LansKod),
    /// It shows every region a pattern that opens a sum that no county hides.
    OpensThin,
    /// It asks the third coordinator to open that sum.
    ClosesThin,
    /// It asks the third coordinator to open sums over two counties.
    ClosesFew,
}

impl NationalLie {
    /// Every lie to or about a county.
    pub fn all(county: LansKod) -> [Self; 6] {
        [
            Self::AnotherPattern(county),
            Self::ShowsWithheld(county),
            Self::InventsCounty(county),
            Self::OpensThin,
            Self::ClosesThin,
            Self::ClosesFew,
        ]
    }

    /// Whom it keeps from being counted.
    pub fn touches(self, county: LansKod) -> bool {
        match self {
            Self::AnotherPattern(other) | Self::ShowsWithheld(other) | Self::InventsCounty(other) => {
                other == county
            }
            _ => true,
        }
    }

    /// Changes what a region hears; whether it did.
    pub fn to_region(self, country: &Country, county: LansKod, told: &mut Told) -> bool {
        let Told::Pattern(Some(pattern)) = told else { return false };
        match self {
            Self::AnotherPattern(victim) if victim == county => pattern.deliver_until += 1,
            Self::ShowsWithheld(victim) if victim == county => {
                let own = &country.counties[&county].withheld;
                let place = pattern.place(county).and_then(|place| pattern.withheld.get_mut(place));
                return match (place, own.first()) {
                    (Some(withheld), Some(cell)) => withheld.remove(cell),
                    _ => false,
                };
            }
            Self::InventsCounty(victim) if victim == county => {
                let Ok(invented) = "25".parse() else { return false };
                pattern.counties.push((invented, [0; 32]));
                let all = pattern.withheld.iter().flatten().copied().collect();
                pattern.withheld.push(all);
            }
            Self::OpensThin => return open_thin(country, pattern),
            _ => return false,
        }
        true
    }

    /// Changes what a region is believed to have sent: a liar takes what it needs.
    pub fn from_region(self, truth: Option<&NationalPattern>, county: LansKod, ask: &mut Ask) {
        if let (Self::AnotherPattern(victim), Some(truth), Ask::Deliver(rows, _)) = (self, truth, ask)
            && victim == county
        {
            rows.pattern = truth.hash();
        }
    }

    /// Changes what the third coordinator is asked; whether it did.
    pub fn to_third(self, country: &Country, ask: &Ask) -> Option<Ask> {
        let Ask::Open(asked) = ask else { return None };
        let mut asked = (**asked).clone();
        let pattern = NationalPattern::read(&asked.pattern.bytes)?;
        let mut close = NationalClose::read(&asked.close.bytes)?;
        match self {
            Self::ClosesThin => {
                let mut thin = pattern.clone();
                if !open_thin(country, &mut thin) {
                    return None;
                }
                close.open.extend(thin.open);
            }
            Self::ClosesFew => {
                close.roster.truncate(2);
                asked.shares.truncate(2);
            }
            _ => return None,
        }
        asked.close = country.sign("national 00", SigningContext::NationalClose, close.bytes());
        Some(Ask::Open(std::sync::Arc::new(asked)))
    }
}

/// Opens a shared sum that fewer than two counties withhold.
fn open_thin(country: &Country, pattern: &mut NationalPattern) -> bool {
    let hides = |cell: &usize| pattern.withheld.iter().filter(|own| own.contains(cell)).count();
    let is_shared = |cell: &usize| !matches!(country.system.cells[*cell].build, Build::Sum(_));
    let open: BTreeSet<usize> =
        (0..country.system.cells.len()).filter(is_shared).filter(|cell| hides(cell) < 2).take(1).collect();
    let before = pattern.open.len();
    pattern.open.extend(open);
    pattern.open.len() > before
}
