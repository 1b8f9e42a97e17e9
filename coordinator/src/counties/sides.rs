//! One side of what a national round opens: sums of shares over counties, of all kommuner and of each group of them.
//!
//! The groups' sums are kept apart only where the collection has a list of groups (ADR 23); the whole is their sum then. What
//! leaves are opened shares of a close's list, in its order: sums of the realm first, then those of groups.

use std::collections::BTreeMap;

use round::national::Sums;
use round::national::document::NationalClose;
use sharing::aggregate::AggregateShare;
use sharing::opening::{NoNoise, OpenedShare, open};
use sharing::output::Side;
use sharing::params::VectorParameters;
use tables::system::System;
use tables::unit::GroupCode;

use super::desk::combinations;
use crate::helper::desk::DeskError;

/// A county's share, or a sum of such.
pub struct Sides {
    /// Over all kommuner.
    pub whole: AggregateShare,
    /// By group.
    pub groups: BTreeMap<GroupCode, AggregateShare>,
}

fn shape<E>(_: E) -> DeskError {
    DeskError::Share("its shape")
}

impl Sides {
    /// The sum of nothing.
    pub fn new(parameters: &VectorParameters, side: Side) -> Self {
        Self { whole: AggregateShare::new(parameters, side), groups: BTreeMap::new() }
    }

    /// A county's by group: the whole is their sum.
    ///
    /// # Errors
    /// [`DeskError::Share`] when they do not have one shape.
    pub fn of_groups(
        parameters: &VectorParameters,
        side: Side,
        groups: BTreeMap<GroupCode, AggregateShare>,
    ) -> Result<Self, DeskError> {
        let mut whole = AggregateShare::new(parameters, side);
        groups.values().try_for_each(|share| whole.merge(share)).map_err(shape)?;
        Ok(Self { whole, groups })
    }

    /// Adds a county's.
    ///
    /// # Errors
    /// [`DeskError::Share`].
    pub fn add(&mut self, county: Self) -> Result<(), DeskError> {
        self.whole.merge(&county.whole).map_err(shape)?;
        for (group, share) in county.groups {
            match self.groups.entry(group) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(share);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().merge(&share).map_err(shape)?;
                }
            }
        }
        Ok(())
    }

    /// Opened shares of what a close lists.
    ///
    /// # Errors
    /// [`DeskError::Share`] when it lists what is not there.
    pub fn opened(&self, system: &System, close: &NationalClose) -> Result<Vec<OpenedShare>, DeskError> {
        let outside = || DeskError::Share("combinations outside the shape");
        let listed = combinations(system, &close.open).ok_or_else(outside)?;
        let mut opened = self.whole.combine_all(&listed, &mut NoNoise).map_err(|_| outside())?;
        for (group, cell) in &close.open_groups {
            let share = self.groups.get(group).ok_or_else(outside)?;
            let listed = combinations(system, [cell]).ok_or_else(outside)?;
            opened.extend(share.combine_all(&listed, &mut NoNoise).map_err(|_| outside())?);
        }
        Ok(opened)
    }
}

/// Why two sides make no sums.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSums {
    /// Other sums than were asked for.
    #[error("the other side's shares are not those of the close")]
    Shape,
    /// Together they are not in the range of counts.
    #[error("the sums of the two sides are no counts")]
    NoCount,
}

/// The sums of a close: own opened shares and those of the third coordinator, both in the close's order.
///
/// # Errors
/// [`NoSums`].
pub fn added(close: &NationalClose, own: &[OpenedShare], theirs: &[Vec<u8>]) -> Result<Sums, NoSums> {
    let listed = close.open.len() + close.open_groups.len();
    if theirs.len() != own.len() || listed != own.len() {
        return Err(NoSums::Shape);
    }
    let sum = |(own, theirs): (&OpenedShare, &Vec<u8>)| {
        let theirs = OpenedShare::decode(theirs).map_err(|_| NoSums::Shape)?;
        open(&theirs, own).map_err(|_| NoSums::NoCount)
    };
    let mut values = own.iter().zip(theirs).map(sum).collect::<Result<Vec<u64>, _>>()?.into_iter();
    let realm = close.open.iter().copied().zip(values.by_ref()).collect();
    Ok(Sums { realm, groups: close.open_groups.iter().cloned().zip(values).collect() })
}
