//! Says in words which relations give a cell away.
//!
//! First the linear combination of shown figures that equals the cell, if there is one (`T01 − T09 − T12`), found by
//! exact elimination over the relations that bounded it; else the list of those relations. Names cells and units,
//! never a figure that is withheld nor one that is shown.

use std::collections::BTreeMap;

use tables::figures::Figures;
use tables::system::System;

use crate::adversary::{EarlierIssue, Origin, Sight};
use crate::sensitive::Place;
use crate::view::{Terms, VariableIndex, View};

/// Most relations an explanation starts from.
pub(crate) const MOST_SOURCES: usize = 48;
/// Most relations it names.
const MOST_NAMED: usize = 12;

/// Names things for people.
pub(crate) struct Names<'a> {
    pub(crate) system: &'a System,
    pub(crate) figures: &'a Figures,
    pub(crate) earlier: &'a [EarlierIssue],
}

impl Names<'_> {
    /// The name of a place: its cell, or the printed cell it is a rest of.
    pub(crate) fn place(&self, place: &Place) -> String {
        match place {
            Place::Unit { unit, atoms } => {
                let sets = self.system.per_unit().filter_map(|cell| {
                    Some((
                        self.system.cells[cell].unit_atoms.as_deref()?,
                        self.system.cells[cell].label.as_str(),
                    ))
                });
                format!("{} {}", set_name(atoms, sets), self.figures.units[*unit])
            }
            Place::Total { atoms } => {
                let counted = self.system.cells.iter().filter(|cell| cell.is_count);
                let sets = || counted.clone().map(|cell| (cell.atoms.as_slice(), cell.label.as_str()));
                let names = |sides: &[Vec<u32>]| {
                    sides.iter().map(|side| set_name(side, sets())).collect::<Vec<_>>().join(" + ")
                };
                match self.system.signed(atoms) {
                    Some(made) => format!("{} minus {} totalt", names(&made.plus), names(&made.minus)),
                    None => format!("{} totalt", set_name(atoms, sets())),
                }
            }
        }
    }

    fn origin(&self, origin: Origin) -> Option<String> {
        let label = |cell: usize| self.system.cells[cell].label.as_str();
        match origin {
            Origin::Unit { unit, cell } => Some(format!("{} {}", label(cell), self.figures.units[unit])),
            Origin::Total { cell } => Some(format!("{} totalt", label(cell))),
            Origin::Opened { cell } => Some(format!("{} totalt (öppnad för samordnaren)", label(cell))),
            Origin::Earlier { issue, unit, cell } => {
                let whom = unit.map_or("totalt".to_owned(), |unit| self.figures.units[unit].to_string());
                Some(format!("{} {whom} i {}", label(cell), self.earlier[issue].name))
            }
            Origin::Own => Some("kommunens egna uppgifter".into()),
            Origin::Roster | Origin::Refinement | Origin::Each => None,
        }
    }

    /// `följer av A − B − C`, or the relations that bound it.
    pub(crate) fn why(&self, sight: &Sight, target: &Terms, sources: &[usize]) -> String {
        if let Some(combination) = combination(&sight.view, target, sources) {
            return format!("följer av {}", self.signed(sight, &combination));
        }
        let mut named: Vec<String> =
            sources.iter().filter_map(|at| self.origin(sight.origins[*at])).collect();
        named.dedup();
        if named.is_empty() {
            return "utesluts av de publicerade siffrorna tillsammans; ingen enskild relation räcker".into();
        }
        let more = named.len().saturating_sub(MOST_NAMED);
        named.truncate(MOST_NAMED);
        let tail = if more > 0 { format!(" och {more} till") } else { String::new() };
        format!("begränsas av {}{tail}, och av att undertryckta antal är minst 1", named.join(", "))
    }

    fn signed(&self, sight: &Sight, combination: &[(usize, Fraction)]) -> String {
        let mut text = String::new();
        let named =
            combination.iter().filter_map(|(at, factor)| Some((self.origin(sight.origins[*at])?, *factor)));
        let mut parts: Vec<(String, Fraction)> = named.collect();
        parts.sort_by_key(|(_, factor)| factor.over < 0);
        for (at, (name, factor)) in parts.iter().enumerate() {
            let sign = match (at, factor.over < 0) {
                (0, false) => "",
                (0, true) => "−",
                (_, false) => " + ",
                (_, true) => " − ",
            };
            text.push_str(sign);
            match (factor.over.abs(), factor.under) {
                (1, 1) => {}
                (over, 1) => text.push_str(&format!("{over}·")),
                (over, under) => text.push_str(&format!("{over}/{under}·")),
            }
            text.push_str(name);
        }
        text
    }
}

/// The printed cell that is the set, or the smallest that holds it with what it leaves out.
fn set_name<'a>(set: &[u32], printed: impl Iterator<Item = (&'a [u32], &'a str)>) -> String {
    let inside = |small: &[u32], large: &[u32]| small.iter().all(|atom| large.binary_search(atom).is_ok());
    let all: Vec<(&[u32], &str)> = printed.collect();
    if let Some((_, label)) = all.iter().find(|(atoms, _)| *atoms == set) {
        return (*label).into();
    }
    let holder = all.iter().filter(|(atoms, _)| inside(set, atoms)).min_by_key(|(atoms, _)| atoms.len());
    let Some((large, label)) = holder else {
        return "en mängd som ingen tabell visar".into();
    };
    let mut left: Vec<u32> = large.iter().filter(|atom| set.binary_search(atom).is_err()).copied().collect();
    let mut without = Vec::new();
    let mut parts: Vec<_> =
        all.iter().filter(|(atoms, _)| !atoms.is_empty() && inside(atoms, &left)).collect();
    parts.sort_by_key(|(atoms, _)| std::cmp::Reverse(atoms.len()));
    for (atoms, label) in parts {
        if inside(atoms, &left) {
            left.retain(|atom| atoms.binary_search(atom).is_err());
            without.push(*label);
        }
    }
    if without.is_empty() {
        format!("en del av {label}")
    } else {
        format!("{label} utom {}", without.join(", "))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fraction {
    pub(crate) over: i128,
    pub(crate) under: i128,
}

impl Fraction {
    const ZERO: Self = Self { over: 0, under: 1 };

    fn new(over: i128, under: i128) -> Option<Self> {
        let (mut a, mut b) = (over.unsigned_abs(), under.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a.max(1)).ok()? * under.signum();
        (under != 0).then(|| Self { over: over / divisor, under: under / divisor })
    }

    /// `self − factor · other`
    fn minus(self, factor: Self, other: Self) -> Option<Self> {
        let (over, under) = (factor.over.checked_mul(other.over)?, factor.under.checked_mul(other.under)?);
        let left = self.over.checked_mul(under)?.checked_sub(over.checked_mul(self.under)?)?;
        Self::new(left, self.under.checked_mul(under)?)
    }

    fn divided(self, by: Self) -> Option<Self> {
        Self::new(self.over.checked_mul(by.under)?, self.under.checked_mul(by.over)?)
    }
}

type Sparse = BTreeMap<usize, Fraction>;

fn subtract(from: &mut Sparse, factor: Fraction, other: &Sparse) -> Option<()> {
    for (at, value) in other {
        let fresh = from.get(at).copied().unwrap_or(Fraction::ZERO).minus(factor, *value)?;
        if fresh.over == 0 {
            from.remove(at);
        } else {
            from.insert(*at, fresh);
        }
    }
    Some(())
}

/// The combination of equations among the sources that equals the target; `None` if there is none (or numbers grow
/// past `i128`).
pub(crate) fn combination(view: &View, target: &Terms, sources: &[usize]) -> Option<Vec<(usize, Fraction)>> {
    let one = |terms: &Terms| -> Sparse {
        let mut sum: BTreeMap<VariableIndex, i128> = BTreeMap::new();
        terms.iter().for_each(|(at, factor)| *sum.entry(*at).or_default() += i128::from(*factor));
        sum.into_iter()
            .filter(|(_, over)| *over != 0)
            .map(|(at, over)| (at, Fraction { over, under: 1 }))
            .collect()
    };
    let mut basis: Vec<(usize, Sparse, Sparse)> = Vec::new(); // pivot, row, how it is made
    for equation in view.equations.iter().filter(|equation| sources.contains(&equation.source)) {
        let mut row = one(&equation.terms);
        let mut made = Sparse::from([(equation.source, Fraction { over: 1, under: 1 })]);
        reduce(&mut row, &mut made, &basis)?;
        if let Some(pivot) = row.keys().next().copied() {
            basis.push((pivot, row, made));
        }
    }
    let (mut row, mut made) = (one(target), Sparse::new());
    reduce(&mut row, &mut made, &basis)?;
    let negative = |(at, value): (usize, Fraction)| (at, Fraction { over: -value.over, under: value.under });
    row.is_empty().then(|| made.into_iter().map(negative).collect())
}

fn reduce(row: &mut Sparse, made: &mut Sparse, basis: &[(usize, Sparse, Sparse)]) -> Option<()> {
    for (pivot, by, how) in basis {
        if let Some(value) = row.get(pivot).copied() {
            let factor = value.divided(*by.get(pivot)?)?;
            subtract(row, factor, by)?;
            subtract(made, factor, how)?;
        }
    }
    Some(())
}
