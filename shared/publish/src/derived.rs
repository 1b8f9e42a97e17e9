//! Percentages and changes from shown counts, in exact integers.
//!
//! Halves are rounded away from zero. A derived figure is withheld when anything it needs is (`10-tables`,
//! The strict table file), so it tells a reader nothing that the counts beside it do not (TRUE-2).
//!
//! Decides nothing about counts. Invariant: `Debug` shows no figure.

use std::fmt;

use tables::figures::Mark;
use tables::strict::{Status, StrictRow};

/// The largest count that is published: the largest whole number that a workbook holds exactly.
pub const MAX_COUNT: u64 = 1 << 53;

/// A count over [`MAX_COUNT`]. Does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a count over 2^53, which a workbook cannot hold exactly")]
pub struct TooLarge;

/// What stands in a cell of a publication.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// A count, or whole percent.
    Value(i64),
    /// `x`.
    Withheld,
    /// `..`.
    NotDelivered,
    /// `.`.
    CannotOccur,
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figure(_)")
    }
}

impl Figure {
    /// A count as it is marked.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn of_mark(mark: Mark) -> Result<Self, TooLarge> {
        match mark {
            Mark::Withheld => Ok(Self::Withheld),
            Mark::Shown(count) if count > MAX_COUNT => Err(TooLarge),
            Mark::Shown(count) => i64::try_from(count).map(Self::Value).map_err(|_| TooLarge),
        }
    }

    /// What a row of a strict table says; a row that breaks the form, which no written table holds, says `x`.
    pub fn of_row(row: &StrictRow) -> Self {
        match (row.varde, row.status) {
            (Some(value), Status::Value) => Self::Value(value),
            (_, Status::NotDelivered) => Self::NotDelivered,
            (_, Status::CannotOccur) => Self::CannotOccur,
            (_, Status::Withheld) | (None, Status::Value) => Self::Withheld,
        }
    }

    /// The columns `varde` and `status` of the strict form.
    pub fn columns(self) -> (Option<i64>, Status) {
        match self {
            Self::Value(value) => (Some(value), Status::Value),
            Self::Withheld => (None, Status::Withheld),
            Self::NotDelivered => (None, Status::NotDelivered),
            Self::CannotOccur => (None, Status::CannotOccur),
        }
    }
}

/// `part` in percent of `base`: `..` if either is not delivered, else `x` if either is withheld, else `.` if
/// the base is 0.
pub fn percent(part: Figure, base: Figure) -> Figure {
    derive(part, base, |part, base| (part * 100, base))
}

/// The change from `earlier` to `later` in percent of `earlier`, with the same precedence as [`percent`].
pub fn change(earlier: Figure, later: Figure) -> Figure {
    derive(later, earlier, |later, earlier| ((later - earlier) * 100, earlier))
}

fn derive(of: Figure, base: Figure, fraction: impl Fn(i128, i128) -> (i128, i128)) -> Figure {
    let (of, base) = match (of, base) {
        (Figure::NotDelivered, _) | (_, Figure::NotDelivered) => return Figure::NotDelivered,
        (Figure::Withheld, _) | (_, Figure::Withheld) => return Figure::Withheld,
        (Figure::CannotOccur, _) | (_, Figure::CannotOccur | Figure::Value(0)) => return Figure::CannotOccur,
        (Figure::Value(of), Figure::Value(base)) => (i128::from(of), i128::from(base)),
    };
    let (numerator, denominator) = fraction(of, base);
    // counts are at most 2^53, so a hundredfold fits; were it ever not to, no figure is better than a wrong
    // one
    i64::try_from(round(numerator, denominator)).map_or(Figure::CannotOccur, Figure::Value)
}

/// `numerator / denominator` to the nearest whole number, halves away from zero. The denominator is not 0.
fn round(numerator: i128, denominator: i128) -> i128 {
    let half_up = (2 * numerator.abs() + denominator.abs()) / (2 * denominator.abs());
    half_up * numerator.signum() * denominator.signum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const X: Figure = Figure::Withheld;
    const NONE: Figure = Figure::NotDelivered;

    fn v(value: i64) -> Figure {
        Figure::Value(value)
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        // 1/200 = 0.5, 3/200 = 1.5, 5/200 = 2.5 (banker's rounding would give 0, 2, 2)
        for (part, base, expected) in [
            (1, 200, 1),
            (3, 200, 2),
            (5, 200, 3),
            (1, 3, 33),
            (2, 3, 67),
            (1, 8, 13),
            (199, 200, 100),
            (0, 7, 0),
        ] {
            assert_eq!(percent(v(part), v(base)).columns().0, Some(expected), "{part}/{base}");
        }
        for (earlier, later, expected) in [
            (200, 199, -1),
            (200, 197, -2),
            (200, 195, -3),
            (200, 201, 1),
            (8, 7, -13),
            (3, 1, -67),
            (5, 0, -100),
        ] {
            assert_eq!(change(v(earlier), v(later)).columns().0, Some(expected), "{earlier} to {later}");
        }
    }

    #[test]
    fn printed_figures_of_the_county_report_are_reproduced() {
        // FoU Välfärd Gävleborg, tables 3, 4 and 5 of 2024: Sandviken ansökan, ansökan under 25 and by sex
        for (part, base, expected) in
            [(201, 425, 47), (192, 425, 45), (31, 425, 7), (263, 2285, 12), (1340, 2285, 59)]
        {
            assert_eq!(percent(v(part), v(base)).columns().0, Some(expected));
        }
    }

    #[test]
    fn what_needs_a_withheld_figure_is_withheld() {
        for figure in [percent(X, v(9)), percent(v(9), X), percent(X, v(0)), change(X, v(4)), change(v(0), X)]
        {
            assert!(figure == X);
        }
    }

    #[test]
    fn a_base_of_nothing_gives_a_figure_that_cannot_occur() {
        assert!(percent(v(0), v(0)) == Figure::CannotOccur && change(v(0), v(4)) == Figure::CannotOccur);
    }

    #[test]
    fn what_needs_a_figure_that_was_not_delivered_is_not_delivered() {
        assert!(percent(NONE, X) == NONE && change(v(0), NONE) == NONE);
    }

    #[test]
    fn counts_that_a_workbook_would_round_are_refused() {
        assert!(Figure::of_mark(Mark::Shown(MAX_COUNT)).is_ok());
        assert_eq!(Figure::of_mark(Mark::Shown(MAX_COUNT + 1)).unwrap_err(), TooLarge);
        assert_eq!(Figure::of_mark(Mark::Shown(u64::MAX)).unwrap_err(), TooLarge);
    }

    proptest! {
        #[test]
        fn the_rounded_share_is_within_half_a_percent(part in 0..1i64 << 53, base in 1..1i64 << 53) {
            let Figure::Value(rounded) = percent(v(part), v(base)) else {
                return Err(TestCaseError::fail("no value"))
            };
            let twice_error = 2 * (i128::from(rounded) * i128::from(base) - 100 * i128::from(part));
            prop_assert!(twice_error > -i128::from(base) && twice_error <= i128::from(base));
        }

        #[test]
        fn a_change_is_the_share_less_a_hundred(earlier in 1..100_000i64, later in 0..100_000i64) {
            let both = (percent(v(later), v(earlier)), change(v(earlier), v(later)));
            let (Figure::Value(share), Figure::Value(change)) = both
            else { return Err(TestCaseError::fail("no value")) };
            let half_down = later < earlier && (200 * later) % (2 * earlier) == earlier;
            prop_assert_eq!(change, share - 100 - i64::from(half_down));
        }
    }
}
