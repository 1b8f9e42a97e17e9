//! An exact search over integer tables: bounds are narrowed until nothing changes, then one variable is tried value by
//! value. Knows nothing of cells, suppression or audits.

/// Whole numbers within bounds under linear equations.
#[derive(Clone, Default)]
pub struct Problem {
    bounds: Vec<(i64, i64)>,
    equations: Vec<(Vec<(usize, i64)>, i64)>,
}

/// Most tables tried before the search admits that it does not know.
const MOST: usize = 2_000_000;

impl Problem {
    pub fn variable(&mut self, low: i64, high: i64) -> usize {
        self.bounds.push((low, high));
        self.bounds.len() - 1
    }

    /// Σ coefficient · variable = constant.
    pub fn equation(&mut self, terms: Vec<(usize, i64)>, constant: i64) {
        self.equations.push((terms, constant));
    }

    /// Adds what an adversary knows besides, or tries.
    pub fn fix(&mut self, variable: usize, value: i64) {
        let (low, high) = self.bounds[variable];
        self.bounds[variable] = (low.max(value), high.min(value));
    }

    /// Whether some table fits.
    pub fn is_possible(&self) -> bool {
        let mut left = MOST;
        self.search(self.bounds.clone(), &mut left)
    }

    /// Whether some table fits with a variable at a value.
    pub fn can_be(&self, variable: usize, value: i64) -> bool {
        let mut problem = self.clone();
        problem.fix(variable, value);
        problem.is_possible()
    }

    fn search(&self, mut bounds: Vec<(i64, i64)>, left: &mut usize) -> bool {
        assert!(*left > 0, "undecided: more tables than the search tries");
        *left -= 1;
        if !self.narrow(&mut bounds) {
            return false;
        }
        let free = (0..bounds.len()).filter(|at| bounds[*at].0 < bounds[*at].1);
        let Some(at) = free.min_by_key(|at| bounds[*at].1 - bounds[*at].0) else {
            return true;
        };
        let (low, high) = bounds[at];
        (low..=high).any(|value| {
            let mut tried = bounds.clone();
            tried[at] = (value, value);
            self.search(tried, left)
        })
    }

    fn narrow(&self, bounds: &mut [(i64, i64)]) -> bool {
        let mut again = true;
        while std::mem::take(&mut again) {
            for (terms, constant) in &self.equations {
                let span = |(at, by): &(usize, i64)| {
                    let (low, high) = bounds[*at];
                    if *by > 0 { (by * low, by * high) } else { (by * high, by * low) }
                };
                let (least, most) =
                    terms.iter().map(span).fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
                if *constant < least || *constant > most {
                    return false;
                }
                let own: Vec<(i64, i64)> = terms.iter().map(span).collect();
                for ((at, by), (low, high)) in terms.iter().zip(own) {
                    // what the others leave for this term
                    let (least, most) = (constant - (most - high), constant - (least - low));
                    let (least, most) = if *by > 0 { (least, most) } else { (-most, -least) };
                    let size = by.abs();
                    let fresh = (-(-least).div_euclid(size), most.div_euclid(size));
                    let (old_low, old_high) = bounds[*at];
                    let next = (old_low.max(fresh.0), old_high.min(fresh.1));
                    if next.0 > next.1 {
                        return false;
                    }
                    again |= next != (old_low, old_high);
                    bounds[*at] = next;
                }
            }
        }
        true
    }
}

#[test]
fn the_search_finds_exactly_what_trying_everything_finds() {
    for (one, two, three) in [(7, 5, 3), (2, 2, 2), (9, 1, 4), (3, 6, 5)] {
        // a + b = one, b + 2c = two + three, a − c ≤ … : three variables of 0..=9, two equations
        let mut problem = Problem::default();
        let [a, b, c] = [0; 3].map(|_| problem.variable(0, 9));
        problem.equation(vec![(a, 1), (b, 1)], one);
        problem.equation(vec![(b, 1), (c, -2)], two - three);
        for value in 0..=9 {
            let fits = |b: i64, c: i64| value + b == one && b - 2 * c == two - three;
            let tried = (0..=9).any(|b| (0..=9).any(|c| fits(b, c)));
            assert_eq!(problem.can_be(a, value), tried, "a = {value}");
        }
    }
}
