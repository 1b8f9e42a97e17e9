//! One party of a county's round lies, by design and not by accident; everybody else runs the production machines.
//!
//! The liar is played between the machines: what the region says to nodes or helper is changed where it arrives. So the
//! liar itself need not be a machine that can lie, and a lie is told exactly when somebody reads it.
//!
//! # What is a failure
//!
//! A lie that somebody read and nobody noticed; a sum that the helper opened under a pattern that not every kommun of its roster had
//! accepted; and what is a failure in any schedule: a second opening, a small count that is readable, a kommun twice in a roster.
//! That a lying region gets no publication is none.
//!
//! What cannot be noticed: a kommun that says other counts than it has, with statuses and figures that fit them; a region that sends
//! its kommuner's reports on late or not at all; a region that publishes something else than was certified under its own signature.

use round::document::{PatternDocument, Stage};
use tables::system::{Build, System};
use tables::unit::Unit;

use crate::message::{PartyId, Reply, Request};

/// A lie of a county's round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// The region shows a kommun a pattern in which all that it withholds is to be sent readable.
    ShowsWithheld(Unit),
    /// The region shows everybody a pattern that opens a sum in which nobody hides.
    OpensThin,
    /// The region shows a kommun a roster with an invented kommun, to fill up the others.
    InventsKommun(Unit),
    /// The region shows a kommun a roster without most of the others.
    ShrinksRoster(Unit),
    /// The region shows a kommun another pattern than the helper holds.
    AnotherPattern(Unit),
    /// The region hands the helper a pattern with a certificate that no root made.
    InventsCertificate,
    /// The region hands the helper a pattern that opens a sum in which nobody hides.
    HandsThin,
    /// The region asks the helper to open a roster that lacks a kommun, so that it could subtract.
    ClosesWithout(Unit),
    /// A kommun says zero of a cell that is not, so that its figure would stand where others' zeros do.
    SaysZero(Unit),
}

impl Lie {
    /// Every lie about or by a kommun.
    pub fn all(unit: &Unit) -> Vec<Self> {
        let unit = || unit.clone();
        vec![
            Self::ShowsWithheld(unit()),
            Self::OpensThin,
            Self::InventsKommun(unit()),
            Self::ShrinksRoster(unit()),
            Self::AnotherPattern(unit()),
            Self::InventsCertificate,
            Self::HandsThin,
            Self::ClosesWithout(unit()),
            Self::SaysZero(unit()),
        ]
    }

    /// Changes what a node hears of its region; whether it did.
    pub fn to_node(&self, system: &System, unit: &Unit, reply: &mut Reply) -> bool {
        let Reply::Pattern(Some(shown), _) = reply else { return false };
        let document = &mut shown.document;
        match self {
            Self::ShowsWithheld(victim) if victim == unit => {
                let own = document.place(unit).and_then(|place| document.withheld.get_mut(place));
                own.is_some_and(|withheld| !std::mem::take(withheld).is_empty())
            }
            Self::OpensThin => open_thin(system, document),
            Self::InventsKommun(victim) if victim == unit => invent(document),
            Self::ShrinksRoster(victim) if victim == unit => shrink(document, unit),
            Self::AnotherPattern(victim) if victim == unit && document.stage == Stage::Final => {
                document.submit_until += 1;
                true
            }
            _ => false,
        }
    }

    /// Changes what the helper hears of the region; whether it did.
    pub fn to_helper(&self, system: &System, request: &mut Request) -> bool {
        match (self, request) {
            (Self::InventsCertificate, Request::PutPattern(handed)) => {
                handed.certificates.first_mut().is_some_and(|certificate| {
                    certificate.push(0);
                    true
                })
            }
            (Self::HandsThin, Request::PutPattern(handed)) => open_thin(system, &mut handed.document),
            (Self::ClosesWithout(unit), Request::Close { roster, .. }) => {
                let before = roster.len();
                roster.retain(|other| other != unit);
                roster.len() < before
            }
            _ => false,
        }
    }

    /// Lets a lying region take an answer to the pattern it showed for one to its own.
    pub fn to_region(&self, own: Option<[u8; 32]>, request: &mut Request) {
        if let (Some(own), Request::Answer { pattern, .. }) = (own, request) {
            *pattern = own;
        }
    }

    /// Whether this kommun lies about its statuses.
    pub fn is_told_by(&self, unit: &Unit) -> bool {
        matches!(self, Self::SaysZero(liar) if liar == unit)
    }

    /// Whether a reply shows that whoever gave it noticed.
    pub fn is_noticed_in(&self, by: &PartyId, request: &Request, reply: &Reply) -> bool {
        // A report that is sealed for another pattern than the helper's does not open there.
        match (by, request, reply) {
            (PartyId::Helper, _, Reply::Refused(_)) => true,
            (PartyId::Helper, Request::Verify { unit, .. }, Reply::Verified(None)) => self.is_shown_to(unit),
            _ => false,
        }
    }

    /// Whether this kommun is shown another pattern than the helper holds: its report must not count.
    pub fn is_shown_to(&self, unit: &Unit) -> bool {
        match self {
            Self::ShowsWithheld(victim)
            | Self::InventsKommun(victim)
            | Self::ShrinksRoster(victim)
            | Self::AnotherPattern(victim) => victim == unit,
            Self::OpensThin => true,
            _ => false,
        }
    }
}

/// Lets a sum be opened that is the sum of readable cells, or of cells that few withhold.
fn open_thin(system: &System, document: &mut PatternDocument) -> bool {
    let hides = |cell: usize| document.withheld.iter().filter(|own| own.contains(&cell)).count();
    let is_shared = |cell: &usize| matches!(system.cells[*cell].build, Build::UnitAtoms(_));
    let thin = (0..system.cells.len())
        .filter(is_shared)
        .find(|cell| system.cells[*cell].per_unit && hides(*cell) == 0 && !document.open.contains(cell));
    thin.is_some_and(|cell| {
        document.closed.remove(&cell);
        document.open.insert(cell)
    })
}

/// Puts a kommun that was not invited into the roster, with nothing withheld.
fn invent(document: &mut PatternDocument) -> bool {
    let Some(first) = document.roster.first().cloned() else { return false };
    let county = first.unit.county();
    let units = document.units();
    let free = (1..100).filter_map(|at| format!("{county}{at:02}").parse::<Unit>().ok());
    let Some(stranger) = free.into_iter().find(|unit| !units.contains(unit)) else { return false };
    let place = units.partition_point(|unit| *unit < stranger);
    document.roster.insert(place, round::document::RosterEntry { unit: stranger, certificate: [7; 32] });
    document.withheld.insert(place, std::collections::BTreeSet::new());
    true
}

/// Leaves a kommun with three others.
fn shrink(document: &mut PatternDocument, unit: &Unit) -> bool {
    let Some(own) = document.place(unit) else { return false };
    let mut kept: Vec<usize> = (0..document.roster.len()).filter(|place| *place != own).take(3).collect();
    kept.push(own);
    kept.sort_unstable();
    document.roster = kept.iter().map(|place| document.roster[*place].clone()).collect();
    document.withheld = kept.iter().map(|place| document.withheld[*place].clone()).collect();
    true
}
