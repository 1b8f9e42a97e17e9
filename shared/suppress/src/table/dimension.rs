//! One dimension of a table: its finest codes, groups of them, and the total.
//!
//! Codes are numbers: the finest ones `0..leaves`, groups after them, the total last. A group is any set of finest codes,
//! so several hierarchies may stand beside each other (kommuner by county and by kommungrupp). Knows no cell.

use super::shape::ShapeError;

/// Most groups that one finest code is in, those of differences included.
pub const MAX_DEPTH: usize = 24;
/// Most codes of a dimension, groups included.
pub const MAX_CODES: usize = u16::MAX as usize - 1;

/// A total and the codes that add up to it, each finest code in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// A group or the total.
    pub total: u16,
    /// Codes, sorted.
    pub parts: Vec<u16>,
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    leaves: u16,
    /// Finest codes per group, sorted.
    groups: Vec<Vec<u16>>,
    relations: Vec<Relation>,
    /// Per finest code the groups it is in, sorted.
    containing: Vec<Vec<u16>>,
}

/// The codes that a movement between two finest codes changes, and how.
#[derive(Debug, Clone, Copy)]
pub struct Factor {
    len: usize,
    entries: [(u16, i8); 2 * MAX_DEPTH + 2],
}

impl Factor {
    /// Codes and signs; first the code that the movement starts from.
    pub fn entries(&self) -> &[(u16, i8)] {
        &self.entries[..self.len]
    }

    fn push(&mut self, code: u16, sign: i8) {
        self.entries[self.len] = (code, sign);
        self.len += 1;
    }
}

impl Dimension {
    /// A dimension of so many finest codes and a total.
    ///
    /// # Errors
    /// [`ShapeError`] when there are none or too many; `at` is the dimension's number in it.
    pub fn flat(at: usize, leaves: usize) -> Result<Self, ShapeError> {
        if leaves == 0 {
            return Err(ShapeError::Empty { dimension: at });
        }
        if leaves > MAX_CODES {
            return Err(ShapeError::TooLarge);
        }
        let all = (0..leaves as u16).collect();
        Ok(Self {
            leaves: leaves as u16,
            groups: Vec::new(),
            relations: vec![Relation { total: leaves as u16, parts: all }],
            containing: vec![Vec::new(); leaves],
        })
    }

    /// The same with groups; each is given by its parts, which are finest codes or groups given before.
    ///
    /// # Errors
    /// [`ShapeError`] when parts are unknown or overlap, or there are too many.
    pub fn grouped(at: usize, leaves: usize, groups: &[Vec<u16>]) -> Result<Self, ShapeError> {
        let mut made = Self::flat(at, leaves)?;
        for parts in groups {
            made.add_group(at, parts)?;
        }
        Ok(made)
    }

    /// Adds a group and says its code. The total's code moves up by one.
    ///
    /// # Errors
    /// As [`Dimension::grouped`].
    pub fn add_group(&mut self, at: usize, parts: &[u16]) -> Result<u16, ShapeError> {
        let code = self.total();
        let wrong = ShapeError::Group { dimension: at, group: self.groups.len() };
        if usize::from(code) + 1 > MAX_CODES {
            return Err(ShapeError::TooLarge);
        }
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        let mut leaves = Vec::new();
        for part in &parts {
            if *part >= code {
                return Err(wrong);
            }
            leaves.extend(self.leaves_of(*part));
        }
        let count = leaves.len();
        leaves.sort_unstable();
        leaves.dedup();
        if leaves.is_empty() || leaves.len() != count {
            return Err(wrong);
        }
        for leaf in &leaves {
            let list = &mut self.containing[usize::from(*leaf)];
            if list.len() >= MAX_DEPTH {
                return Err(ShapeError::Depth { dimension: at });
            }
            list.push(code);
        }
        self.relations.iter_mut().filter(|known| known.total == code).for_each(|known| known.total += 1);
        self.groups.push(leaves);
        self.relations.push(Relation { total: code, parts });
        Ok(code)
    }

    /// Says that some codes add up to another one, if they do and if that was not known.
    pub fn add_relation(&mut self, total: u16, parts: &[u16]) {
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        let mut leaves: Vec<u16> = parts.iter().flat_map(|part| self.leaves_of(*part)).collect();
        leaves.sort_unstable();
        let relation = Relation { total, parts };
        let known = self.relations.contains(&relation) || relation.parts == [total];
        if !known && leaves == self.leaves_of(total) {
            self.relations.push(relation);
        }
    }

    /// Finest codes.
    pub fn leaves(&self) -> u16 {
        self.leaves
    }

    /// The total's code; also the number of finest codes and groups.
    pub fn total(&self) -> u16 {
        self.leaves + self.groups.len() as u16
    }

    /// Whether there are no groups.
    pub fn is_flat(&self) -> bool {
        self.groups.is_empty()
    }

    /// The finest codes of a code, sorted.
    pub fn leaves_of(&self, code: u16) -> Vec<u16> {
        match code {
            leaf if leaf < self.leaves => vec![leaf],
            group if group < self.total() => self.groups[usize::from(group - self.leaves)].clone(),
            _ => (0..self.leaves).collect(),
        }
    }

    /// The code with just these finest codes, if there is one.
    pub fn code_of(&self, leaves: &[u16]) -> Option<u16> {
        (0..=self.total()).find(|code| self.leaves_of(*code) == leaves)
    }

    /// What adds up to what. The first is the total and all finest codes.
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    fn contains(&self, code: u16, leaf: u16) -> bool {
        code == leaf || self.containing[usize::from(leaf)].contains(&code)
    }

    /// What moving a record from one finest code to another (or, to the total: out of the table) changes: `+1` for codes
    /// that hold the first and not the second, `−1` the other way round, `+1` for all with the first when it moves out.
    pub fn factor(&self, leaf: u16, other: u16) -> Factor {
        let mut made = Factor { len: 0, entries: [(0, 0); 2 * MAX_DEPTH + 2] };
        made.push(leaf, 1);
        let out = other == self.total();
        if self.groups.is_empty() {
            made.push(other, if out { 1 } else { -1 });
            return made;
        }
        for group in &self.containing[usize::from(leaf)] {
            if out || !self.contains(*group, other) {
                made.push(*group, 1);
            }
        }
        if out {
            made.push(other, 1);
            return made;
        }
        made.push(other, -1);
        for group in &self.containing[usize::from(other)] {
            if !self.contains(*group, leaf) {
                made.push(*group, -1);
            }
        }
        made
    }

    /// The movements that add one to a code: from which finest code, and to which other one or to the total.
    pub fn movements(&self, code: u16) -> impl Iterator<Item = (u16, u16)> + '_ {
        let total = self.total();
        let inside: Vec<u16> = if code == total { (0..self.leaves).collect() } else { self.leaves_of(code) };
        let outside = move |leaf: u16| code != total && leaf != code && !self.contains(code, leaf);
        inside.into_iter().flat_map(move |leaf| {
            let others = (0..self.leaves).filter(move |other| outside(*other));
            others.chain([total]).map(move |other| (leaf, other))
        })
    }
}
