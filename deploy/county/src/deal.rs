//! Deals values to rows: so many of each value, spread over groups of rows in proportion to weights.
//!
//! What it does not do: it knows no variable. Invariant: exactly `counts[v]` rows get `values[v]`, and every
//! row of every group gets one value.

use crate::dice::Dice;
use crate::fit::{FitError, two_way};

/// Values and how many rows get each.
pub(crate) struct Hand<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) counts: &'a [u32],
}

/// Which value each row gets, as `(row, value)`. `groups` hold row numbers; `weight(group, value)` is how
/// much more often than proportionally a group gets a value (1 everywhere: independent).
///
/// # Errors
/// [`FitError::MarginsDiffer`] when there are not as many values as rows; [`FitError::Weights`].
pub(crate) fn deal<T: Copy>(
    groups: &[Vec<usize>],
    hand: &Hand<'_, T>,
    mut weight: impl FnMut(usize, usize) -> f64,
    dice: &mut Dice,
) -> Result<Vec<(usize, T)>, FitError> {
    // Rows of one county: far below 2^32.
    let sizes: Vec<u32> = groups.iter().map(|g| u32::try_from(g.len()).unwrap_or(u32::MAX)).collect();
    let weights: Vec<Vec<f64>> =
        (0..groups.len()).map(|g| (0..hand.values.len()).map(|v| weight(g, v)).collect()).collect();
    let table = two_way(&sizes, hand.counts, &weights)?;
    let mut dealt = Vec::new();
    for (group, line) in groups.iter().zip(table) {
        let mut rows = group.clone();
        dice.shuffle(&mut rows);
        let values = line.iter().zip(hand.values).flat_map(|(&n, &v)| std::iter::repeat_n(v, n as usize));
        dealt.extend(rows.into_iter().zip(values));
    }
    Ok(dealt)
}

/// Row numbers by group; rows without a group are left out.
pub(crate) fn grouped<R>(
    rows: &[R],
    groups: usize,
    group_of: impl Fn(&R) -> Option<usize>,
) -> Vec<Vec<usize>> {
    let mut lists = vec![Vec::new(); groups];
    for (at, row) in rows.iter().enumerate() {
        if let Some(list) = group_of(row).and_then(|g| lists.get_mut(g)) {
            list.push(at);
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_gets_one_value_and_every_value_its_number_of_rows() {
        let groups = grouped(&(0..100u32).collect::<Vec<_>>(), 3, |n| Some(*n as usize % 3));
        let hand = Hand { values: &['a', 'b'], counts: &[30, 70] };
        let dealt =
            deal(&groups, &hand, |g, v| if g == v { 5.0 } else { 1.0 }, &mut Dice::new(1, 1)).unwrap();
        assert_eq!(dealt.iter().filter(|(_, v)| *v == 'a').count(), 30);
        let rows: std::collections::BTreeSet<_> = dealt.iter().map(|(r, _)| *r).collect();
        assert_eq!(rows.len(), 100);
        let in_first = dealt.iter().filter(|(r, v)| r % 3 == 0 && *v == 'a').count();
        assert!(in_first > 15, "the weight draws 'a' to the first group: {in_first}");
    }
}
