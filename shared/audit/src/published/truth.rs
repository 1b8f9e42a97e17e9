//! The withheld counts themselves, for whoever has them and audits what is to be published.
//!
//! Counts of finest cells are given; margins follow from the relations. What is shown must agree with them, and so
//! must every relation: counts that do not are refused, so that no question is answered beside another table.
//! `Debug` and errors show places only (STAY-1).

use std::collections::HashMap;
use std::fmt;

use super::{CellIndex, Kind, Publication, derive};

/// Counts that are not those of the publication.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TruthError {
    /// A cell shows another count.
    #[error("{place}: the published count is another one; expected the counts the table was made of")]
    Differs {
        /// Table, column and row.
        place: String,
    },
    /// A withheld cell has no count and none follows.
    #[error("{place}: no count for this withheld cell; expected a row of the finest cells, zeros included")]
    Missing {
        /// Table, column and row.
        place: String,
    },
    /// A relation that the counts break.
    #[error("{relation}: the counts do not agree with this relation")]
    Relation {
        /// Its name.
        relation: String,
    },
    /// A withheld cell outside what its mark means.
    #[error("{place}: the count is not one that the mark stands for")]
    Mark {
        /// Table, column and row.
        place: String,
    },
}

/// A count and where it stands: table, row and column as in [`super::Cell`].
pub type Placed = ((String, String, String), u64);

/// A count for every cell that has one.
#[derive(Clone)]
pub struct Truth(Vec<Option<u64>>);

impl fmt::Debug for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Truth({} cells)", self.0.len())
    }
}

impl Truth {
    /// Places the counts; places the publication does not have are ignored.
    ///
    /// # Errors
    /// [`TruthError`] names the first cell or relation that does not agree.
    pub fn of(publication: &Publication, counts: impl Iterator<Item = Placed>) -> Result<Self, TruthError> {
        let counts: HashMap<(String, String, String), u64> = counts.collect();
        let mut values = Vec::new();
        for (at, cell) in publication.cells.iter().enumerate() {
            let key = (cell.table.clone(), cell.row.clone(), cell.column.clone());
            let given = counts.get(&key).copied();
            match (cell.shown(), given) {
                (Some(shown), Some(given)) if shown != given => {
                    return Err(TruthError::Differs { place: place(publication, at) });
                }
                (Some(shown), _) => values.push(Some(shown)),
                (None, given) => values.push(given.filter(|_| cell.withheld().is_some())),
            }
        }
        let mut truth = Self(values);
        truth.derive(publication);
        truth.check(publication)?;
        Ok(truth)
    }

    /// The count of a cell; 0 for cells without any.
    pub fn of_cell(&self, cell: CellIndex) -> u64 {
        self.0.get(cell).copied().flatten().unwrap_or(0)
    }

    /// Margins from their parts, until nothing follows.
    fn derive(&mut self, publication: &Publication) {
        let mut left: Vec<usize> = (0..publication.relations.len()).collect();
        loop {
            let before = left.len();
            left.retain(|at| {
                let relation = &publication.relations[*at];
                let terms: Option<Vec<u64>> = relation.terms.iter().map(|term| self.0[*term]).collect();
                match (relation.kind, self.0[relation.total], terms) {
                    (Kind::Sum | Kind::Same, None, Some(terms)) => {
                        self.0[relation.total] = Some(terms.iter().sum());
                        false
                    }
                    (Kind::Same, Some(total), None) => {
                        relation.terms.iter().for_each(|term| self.0[*term] = Some(total));
                        false
                    }
                    (Kind::Sum, Some(total), None) => self.last(&relation.terms, total),
                    (_, Some(_), Some(_)) => false,
                    _ => true,
                }
            });
            if left.len() == before {
                return;
            }
        }
    }

    /// Gives the only part without a count what is left of the total; whether the relation still has something to say.
    fn last(&mut self, terms: &[CellIndex], total: u64) -> bool {
        let known: u64 = terms.iter().filter_map(|term| self.0[*term]).sum();
        let mut missing = terms.iter().filter(|term| self.0[**term].is_none());
        match (missing.next(), missing.next(), total.checked_sub(known)) {
            (Some(term), None, Some(rest)) => {
                self.0[*term] = Some(rest);
                false
            }
            _ => true,
        }
    }

    fn check(&self, publication: &Publication) -> Result<(), TruthError> {
        for (at, cell) in publication.cells.iter().enumerate() {
            let Some((_, meaning)) = cell.withheld() else { continue };
            let Some(value) = self.0[at] else {
                return Err(TruthError::Missing { place: place(publication, at) });
            };
            if value < meaning.lower || meaning.upper.is_some_and(|upper| upper < value) {
                return Err(TruthError::Mark { place: place(publication, at) });
            }
        }
        for relation in &publication.relations {
            let holds = derive::rows(publication, relation).iter().all(|row| {
                let sum: i128 = row
                    .terms
                    .iter()
                    .map(|(cell, factor)| i128::from(self.of_cell(*cell)) * i128::from(*factor))
                    .sum();
                row.lo.is_none_or(|lo| i128::from(lo) <= sum) && row.hi.is_none_or(|hi| sum <= i128::from(hi))
            });
            if !holds {
                return Err(TruthError::Relation { relation: relation.name.clone() });
            }
        }
        Ok(())
    }
}

fn place(publication: &Publication, at: CellIndex) -> String {
    let cell = &publication.cells[at];
    format!("{}, {}, {}", cell.table, cell.column, cell.row)
}
