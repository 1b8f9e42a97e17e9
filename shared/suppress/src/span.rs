//! Which sums follow from which others: linear spans over the rationals, computed modulo the prime 2^61 − 1.
//!
//! A reader can add and subtract what is shown; a set of records whose indicator lies in the span of shown
//! sets is as good as printed. Coefficients in such systems are small, so that a dependency modulo the prime
//! which is none over the rationals (or the reverse) would need a determinant divisible by 2^61 − 1. Sparse
//! elimination.

use std::collections::BTreeMap;

pub(crate) const P: u64 = (1 << 61) - 1;

pub(crate) fn mul(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(P)) as u64
}

fn inverse(a: u64) -> u64 {
    let (mut base, mut exponent, mut result) = (a, P - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul(result, base);
        }
        base = mul(base, base);
        exponent >>= 1;
    }
    result
}

/// Coordinates to residues, without zeros.
pub(crate) type Sparse = BTreeMap<u32, u64>;

fn subtract(from: &mut Sparse, factor: u64, row: &Sparse) {
    for (at, value) in row {
        let entry = from.entry(*at).or_default();
        *entry = (*entry + P - mul(factor, *value)) % P;
        if *entry == 0 {
            from.remove(at);
        }
    }
}

/// An echelon basis of sets, each with the combination of inserted ones that it is.
#[derive(Debug, Default, Clone)]
pub struct Span {
    rows: BTreeMap<u32, (Sparse, Sparse)>,
}

impl Span {
    /// Adds a set under a name.
    pub fn insert(&mut self, name: u32, set: impl IntoIterator<Item = u32>) {
        self.insert_vector(name, set.into_iter().map(|at| (at, 1)).collect());
    }

    /// Adds a vector under a name.
    pub(crate) fn insert_vector(&mut self, name: u32, vector: Sparse) {
        let (mut rest, mut combination) = self.reduce(vector);
        let Some((pivot, lead)) = rest.first_key_value().map(|(pivot, lead)| (*pivot, *lead)) else {
            return;
        };
        let scale = inverse(lead);
        for value in combination.values_mut() {
            *value = mul((P - *value) % P, scale);
        }
        rest.values_mut().for_each(|value| *value = mul(*value, scale));
        subtract(&mut combination, P - scale, &Sparse::from([(name, 1)]));
        self.rows.insert(pivot, (rest, combination));
    }

    /// The coefficients, by name, of inserted sets that make up a set; `None` when it does not follow from
    /// them.
    pub fn express(&self, set: impl IntoIterator<Item = u32>) -> Option<BTreeMap<u32, u64>> {
        self.express_vector(set.into_iter().map(|at| (at, 1)).collect())
    }

    /// The coefficients of inserted vectors that make up a vector.
    pub(crate) fn express_vector(&self, vector: Sparse) -> Option<BTreeMap<u32, u64>> {
        let (rest, combination) = self.reduce(vector);
        rest.is_empty().then_some(combination)
    }

    /// What is left of a vector after everything inserted is taken out: a unique rest, equal for equal vectors.
    pub(crate) fn rest(&self, vector: Sparse) -> Sparse {
        self.reduce(vector).0
    }

    /// Number of independent vectors inserted.
    pub(crate) fn rank(&self) -> usize {
        self.rows.len()
    }

    /// A vector of `width` coordinates that is orthogonal to everything inserted and not to `other`; `None` if `other`
    /// follows from what was inserted.
    pub(crate) fn orthogonal(&self, other: &Sparse, width: u32) -> Option<Sparse> {
        let (rest, _) = self.reduce(other.clone());
        let free = *rest.keys().next()?;
        // Back substitution: the free coordinate is 1, pivots follow from their rows, from the last to the first.
        let mut solution = Sparse::from([(free, 1)]);
        for (pivot, (row, _)) in self.rows.range(..width).rev() {
            let sum = row.range(pivot + 1..).fold(0, |sum, (at, factor)| {
                (sum + mul(*factor, solution.get(at).copied().unwrap_or(0))) % P
            });
            if sum != 0 {
                solution.insert(*pivot, P - sum);
            }
        }
        Some(solution)
    }

    /// What is left of a set, and the combination that was taken away.
    fn reduce(&self, mut rest: Sparse) -> (Sparse, Sparse) {
        let mut taken = Sparse::new();
        let mut from = 0;
        while let Some((at, factor)) = rest.range(from..).next().map(|(at, factor)| (*at, *factor)) {
            if let Some((row, combination)) = self.rows.get(&at) {
                subtract(&mut rest, factor, row);
                subtract(&mut taken, P - factor, combination);
            }
            from = at + 1;
        }
        (rest, taken)
    }
}

/// The value of a combination, when it is a whole number under the prime.
pub fn value_of(combination: &BTreeMap<u32, u64>, value: impl Fn(u32) -> u64) -> u64 {
    combination.iter().fold(0, |sum, (name, factor)| (sum + mul(*factor, value(*name) % P)) % P)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_follows_from_the_whole_and_its_parts_with_its_value() {
        let mut span = Span::default();
        span.insert(0, [0, 1, 2]);
        span.insert(1, [0]);
        assert!(span.express([1]).is_none());
        span.insert(2, [1]);
        let values = [10u64, 3, 4];
        let rest = span.express([2]).unwrap();
        assert_eq!(value_of(&rest, |name| values[name as usize]), 3);
    }

    #[test]
    fn half_a_sum_of_overlapping_pairs_is_found() {
        let mut span = Span::default();
        for (name, pair) in [[0, 1], [1, 2], [0, 2]].into_iter().enumerate() {
            span.insert(name as u32, pair);
        }
        let values = [5u64, 7, 6];
        let first = span.express([0]).unwrap();
        assert_eq!(value_of(&first, |name| values[name as usize]), 2);
    }
}
