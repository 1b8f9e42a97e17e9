//! Puts tables that were read into one system: dimensions by name, groups, filters, rules.
//!
//! Several files are linked tables over the same records: a dimension has the same codes in each file that breaks it down.
//! A file in which a column has one code only, where other files have more or lack the column, is a *filter*: it counts the
//! records with that code. Two files that give one cell different counts are refused. Areas written `2180-03` are sub-units of
//! `2180` and one unit with them (SAFE-2).
//!
//! Invariant: the order of files, rows and groups changes nothing. Errors name files, rows, dimensions and codes, no count.

use std::collections::{BTreeMap, BTreeSet};

use suppress::table::{Dimension, Presence, Rule, Shape, System, SystemError, Table as SystemTable};

use crate::input::{ALL_AREAS, TOT, Table};
use crate::lists::{Groups, Published, RuleRow, Wish};

/// The area's column.
const AREA: &str = "omrade";

/// Tables that cannot be put together. Names dimensions and codes, no count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Different periods or measures.
    #[error("{file}: another {what} than {first}; expected linked tables of one period and one measure")]
    Differs {
        /// The later file.
        file: String,
        /// The first file.
        first: String,
        /// `tid` or `matt`.
        what: &'static str,
    },
    /// A dimension with other codes than in another file.
    #[error(
        "{file}: dimension {dimension} lacks {code}, which other files have; expected the same codes, or one alone as a filter"
    )]
    Codes {
        /// The file.
        file: String,
        /// The dimension.
        dimension: String,
        /// A code.
        code: String,
    },
    /// A row of a list that speaks of what no table has.
    #[error("{file}, row {row}: {what}")]
    Row {
        /// The list.
        file: String,
        /// The row.
        row: usize,
        /// What is wrong and what was expected.
        what: String,
    },
    /// Two tables over different records.
    #[error(
        "{file}: {key} adds up to another count than in a file before it; expected tables over the same records"
    )]
    Conflict {
        /// The later file.
        file: String,
        /// Codes of the cell.
        key: String,
    },
    /// More than the engine takes.
    #[error("{0}")]
    Limit(SystemError),
}

/// Where the cells of one file stand in the system.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The file's columns: the dimension's number.
    pub columns: Vec<usize>,
    /// Codes printed per dimension of the system.
    pub codes: Vec<Vec<u16>>,
}

/// A system, and the names of everything in it.
#[derive(Debug, Clone)]
pub struct Linked {
    /// What is protected.
    pub system: System,
    /// The names.
    pub plan: Plan,
}

/// The names of a system's dimensions and codes, and where its files stand in it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The period.
    pub tid: String,
    /// The measure.
    pub matt: String,
    /// Dimensions, the area first.
    pub dimensions: Vec<String>,
    /// Names of finest codes and groups; a group that is only a difference has none.
    pub names: Vec<Vec<Option<String>>>,
    /// One per file.
    pub sheets: Vec<Sheet>,
}

/// A file's name and its table.
pub type Read = (String, Table);

/// Puts files together. `groups` and `rules` come with the name of the file they were read from.
///
/// # Errors
/// [`LinkError`].
pub fn link(
    files: &[Read],
    groups: (&str, &Groups),
    rules: (&str, &[RuleRow]),
    published: &[Published],
) -> Result<Linked, LinkError> {
    let dimensions = dimensions(files)?;
    for ((dimension, _), parts) in groups.1 {
        if !dimensions.contains(dimension) {
            let row = parts.first().map_or(1, |(_, row)| *row);
            let what =
                format!("no table has a dimension {dimension}; expected one of {}", dimensions.join(", "));
            return Err(LinkError::Row { file: groups.0.into(), row, what });
        }
    }
    let mut made = Vec::new();
    for name in &dimensions {
        made.push(axis(name, files, groups)?);
    }
    let sheets: Vec<Sheet> = files
        .iter()
        .map(|(_, table)| Sheet {
            columns: table
                .dimensions
                .iter()
                .filter_map(|name| dimensions.iter().position(|known| known == name))
                .collect(),
            codes: dimensions.iter().zip(&made).map(|(name, axis)| axis.printed(name, table)).collect(),
        })
        .collect();
    let tables: Vec<SystemTable> =
        files.iter().zip(&sheets).map(|((_, table), sheet)| counts(table, sheet, &made)).collect();
    let units = units(&made[0].names);
    let shapes = made.iter().map(|axis| axis.shape.clone()).collect();
    let before: Vec<u16> = made.iter().map(|axis| axis.shape.total()).collect();
    let names: Vec<Vec<Option<String>>> = made.into_iter().map(|axis| axis.names).collect();
    let system = System::link(shapes, &units, &tables).map_err(|error| match error {
        SystemError::Conflict { table, codes } => {
            let key = codes.iter().zip(&names).enumerate();
            let key: Vec<&str> = key.map(|(at, (code, names))| name_of(at, names, *code)).collect();
            LinkError::Conflict { file: files[table].0.clone(), key: key.join(",") }
        }
        other => LinkError::Limit(other),
    })?;
    let (tid, matt) = (files[0].1.tid.clone(), files[0].1.matt.clone());
    let mut linked = Linked { system, plan: Plan { tid, matt, dimensions, names, sheets } };
    // Groups that are only differences moved the totals.
    for (at, total) in before.into_iter().enumerate() {
        let moved = linked.system.shape.dimension(at).total();
        linked.plan.names[at].resize(usize::from(moved), None);
        for sheet in &mut linked.plan.sheets {
            sheet.codes[at].iter_mut().filter(|code| **code == total).for_each(|code| *code = moved);
        }
    }
    linked.decide(rules.0, rules.1)?;
    for file in published {
        linked.keep(file)?;
    }
    Ok(linked)
}

/// One file alone, without groups and rules.
///
/// # Errors
/// As [`link`].
pub fn single(file: Read) -> Result<Linked, LinkError> {
    link(&[file], ("", &Groups::new()), ("", &[]), &[])
}

/// The name of a code; totals are `00` for areas and `TOT` else.
pub fn name_of(dimension: usize, names: &[Option<String>], code: u16) -> &str {
    let total = if dimension == 0 { ALL_AREAS } else { TOT };
    names.get(usize::from(code)).and_then(Option::as_deref).unwrap_or(total)
}

/// All dimensions: the area, then as in the only file, or by name.
fn dimensions(files: &[Read]) -> Result<Vec<String>, LinkError> {
    let (first, table) = &files[0];
    for (file, other) in files {
        for (what, same) in [("tid", other.tid == table.tid), ("matt", other.matt == table.matt)] {
            if !same {
                return Err(LinkError::Differs { file: file.clone(), first: first.clone(), what });
            }
        }
    }
    if files.len() == 1 {
        return Ok(table.dimensions.clone());
    }
    let all: BTreeSet<&String> = files.iter().flat_map(|(_, table)| &table.dimensions).collect();
    let rest = all.into_iter().filter(|name| *name != AREA).cloned();
    Ok(std::iter::once(AREA.to_string()).chain(rest).collect())
}

/// One dimension of the system.
struct Axis {
    shape: Dimension,
    names: Vec<Option<String>>,
    /// Whether a file with one code of it only is a filter.
    filters: bool,
}

impl Axis {
    fn code(&self, name: &str) -> Option<u16> {
        self.names.iter().position(|known| known.as_deref() == Some(name)).map(|at| at as u16)
    }

    /// Whether a table's codes are a filter.
    fn filtered(&self, codes: &[String]) -> bool {
        self.filters && codes.len() == 1
    }

    /// The codes that a table prints.
    fn printed(&self, name: &str, table: &Table) -> Vec<u16> {
        let Some(at) = table.dimensions.iter().position(|known| known == name) else {
            return vec![self.shape.total()];
        };
        let own: Vec<u16> = table.codes[at].iter().filter_map(|code| self.code(code)).collect();
        if self.filtered(&table.codes[at]) {
            return own;
        }
        // A group is printed where the table's own codes make it up.
        let held: Vec<Vec<u16>> = own.iter().map(|code| self.shape.leaves_of(*code)).collect();
        let made_up = |group: u16| {
            let leaves = self.shape.leaves_of(group);
            let inside: usize =
                held.iter().filter(|part| part.iter().all(|leaf| leaves.contains(leaf))).map(Vec::len).sum();
            inside == leaves.len()
        };
        let groups = (self.shape.leaves()..self.shape.total()).filter(|group| made_up(*group));
        let mut codes: Vec<u16> = own.iter().copied().chain(groups).chain([self.shape.total()]).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

fn axis(name: &str, files: &[Read], (list, groups): (&str, &Groups)) -> Result<Axis, LinkError> {
    let having: Vec<(&String, &Vec<String>)> = files
        .iter()
        .filter_map(|(file, table)| {
            let at = table.dimensions.iter().position(|known| known == name)?;
            Some((file, &table.codes[at]))
        })
        .collect();
    let groups: BTreeMap<&String, &Vec<(String, usize)>> = groups
        .iter()
        .filter(|((dimension, _), _)| dimension == name)
        .map(|((_, group), parts)| (group, parts))
        .collect();
    let filters = files.len() > 1
        && (having.len() < files.len() || having.iter().any(|(_, codes)| *codes != having[0].1));
    let broken_down = !filters || having.iter().any(|(_, codes)| codes.len() > 1);
    let leaves: BTreeSet<&String> = having
        .iter()
        .flat_map(|(_, codes)| codes.iter())
        .chain(groups.values().flat_map(|parts| parts.iter().map(|(part, _)| part)))
        .filter(|code| !groups.contains_key(code))
        .collect();
    let mut names: Vec<Option<String>> = leaves.iter().map(|name| Some((*name).clone())).collect();
    let known: BTreeSet<&String> = having.iter().flat_map(|(_, codes)| codes.iter()).collect();
    for (part, row) in groups.values().flat_map(|parts| parts.iter()) {
        // A finest code that no file has can only be a slip, unless files have the group itself.
        let coarse =
            groups.iter().any(|(group, parts)| known.contains(group) && parts.iter().any(|(p, _)| p == part));
        if !known.contains(part) && !groups.contains_key(part) && !coarse {
            let what = format!("no table has the code, in {name}; expected a code of a table or a group");
            return Err(LinkError::Row { file: list.into(), row: *row, what });
        }
    }
    if !broken_down {
        // Only filters: whatever else there may be.
        names.push(None);
    }
    let mut shape = Dimension::flat(0, names.len()).map_err(|error| LinkError::Limit(error.into()))?;
    let mut made = BTreeMap::new();
    add_groups(list, name, &groups, &mut shape, &mut names, &mut made)?;
    let axis = Axis { shape, names, filters };
    let whole: Vec<u16> = (0..axis.shape.leaves()).collect();
    for (file, codes) in &having {
        if axis.filtered(codes) {
            continue;
        }
        let own: Vec<u16> = codes.iter().filter_map(|code| axis.code(code)).collect();
        let mut held: Vec<u16> = own.iter().flat_map(|code| axis.shape.leaves_of(*code)).collect();
        held.sort_unstable();
        if held != whole {
            let lacking = whole.iter().find(|leaf| !held.contains(leaf)).copied().unwrap_or(own[0]);
            let (file, dimension) = ((*file).clone(), name.to_string());
            let code = name_of(1, &axis.names, lacking).to_string();
            return Err(LinkError::Codes { file, dimension, code });
        }
    }
    Ok(axis)
}

/// Adds groups, parts first.
fn add_groups(
    list: &str,
    dimension: &str,
    groups: &BTreeMap<&String, &Vec<(String, usize)>>,
    shape: &mut Dimension,
    names: &mut Vec<Option<String>>,
    made: &mut BTreeMap<String, u16>,
) -> Result<(), LinkError> {
    let mut left: Vec<&String> = groups.keys().copied().collect();
    while !left.is_empty() {
        let ready = |group: &&String| {
            groups[*group].iter().all(|(part, _)| !groups.contains_key(part) || made.contains_key(part))
        };
        let Some(at) = left.iter().position(ready) else {
            let row = groups[left[0]].first().map_or(1, |(_, row)| *row);
            let what = "a group that is, through its parts, part of itself; expected a tree".to_string();
            return Err(LinkError::Row { file: list.into(), row, what });
        };
        let group = left.remove(at);
        let code = |part: &String| {
            made.get(part)
                .copied()
                .or_else(|| names.iter().position(|known| known.as_ref() == Some(part)).map(|at| at as u16))
        };
        let parts: Vec<u16> = groups[group].iter().filter_map(|(part, _)| code(part)).collect();
        let row = groups[group].first().map_or(1, |(_, row)| *row);
        let added = shape.add_group(0, &parts).map_err(|_| {
            let what = format!(
                "parts of a group of {dimension} that overlap, or too many groups; expected each code once"
            );
            LinkError::Row { file: list.into(), row, what }
        })?;
        names.push(Some(group.clone()));
        made.insert(group.clone(), added);
    }
    Ok(())
}

/// A table's counts by codes of the system.
fn counts(table: &Table, sheet: &Sheet, axes: &[Axis]) -> SystemTable {
    let codes: Vec<Vec<u16>> = sheet
        .columns
        .iter()
        .zip(&table.codes)
        .map(|(at, names)| names.iter().filter_map(|name| axes[*at].code(name)).collect())
        .collect();
    let mut at: Vec<u16> = axes.iter().map(|axis| axis.shape.total()).collect();
    let mut counts = Vec::with_capacity(table.finest.len());
    for (number, count) in table.finest.iter().enumerate() {
        let mut rest = number;
        for (column, codes) in sheet.columns.iter().zip(&codes).rev() {
            at[*column] = codes[rest % codes.len()];
            rest /= codes.len();
        }
        counts.push((at.clone(), *count));
    }
    SystemTable { codes: sheet.codes.clone(), counts }
}

/// The unit of each finest area: sub-units `2180-03` are `2180`'s.
fn units(names: &[Option<String>]) -> Vec<u16> {
    let mut known: BTreeMap<&str, u16> = BTreeMap::new();
    names
        .iter()
        .map(|name| {
            let name = name.as_deref().unwrap_or_default();
            let digits = |text: &str, count: usize| {
                text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            let sub = name.split_once('-').filter(|(unit, part)| digits(unit, 4) && digits(part, 2));
            let unit = sub.map_or(name, |(unit, _)| unit);
            let next = known.len() as u16;
            *known.entry(unit).or_insert(next)
        })
        .collect()
}

impl Plan {
    /// The number of a dimension.
    pub fn dimension(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|known| known == name)
    }

    /// The names of a cell's codes, as a row has them.
    pub fn key(&self, shape: &Shape, cell: u32) -> String {
        let code = |at: usize| shape.code(cell, at) as u16;
        let names: Vec<&str> =
            (0..self.dimensions.len()).map(|at| name_of(at, &self.names[at], code(at))).collect();
        names.join(",")
    }
}

impl Linked {
    /// A code of a dimension by its name.
    fn code(&self, dimension: usize, name: &str) -> Option<u16> {
        let total = if dimension == 0 { ALL_AREAS } else { TOT };
        if name == total || name == TOT {
            return Some(self.system.shape.dimension(dimension).total());
        }
        let named = |known: &Option<String>| known.as_deref() == Some(name);
        self.plan.names[dimension].iter().position(named).map(|at| at as u16)
    }

    /// Carries out the rules.
    fn decide(&mut self, file: &str, rows: &[RuleRow]) -> Result<(), LinkError> {
        let mut said: BTreeMap<u32, (Wish, usize)> = BTreeMap::new();
        for rule in rows {
            let wrong = |what: String| LinkError::Row { file: file.into(), row: rule.row, what };
            let mut fixed = vec![None; self.plan.dimensions.len()];
            for (name, code) in &rule.codes {
                let at = self.plan.dimension(name);
                let at = at.ok_or_else(|| wrong(format!("no table has a dimension {name}")))?;
                let found = self.code(at, code);
                fixed[at] = Some(found.ok_or_else(|| wrong(format!("no table has that code in {name}")))?);
            }
            let mut some = false;
            for cell in self.printed(&fixed) {
                some = true;
                if let Some(wish) = rule.wish {
                    let before = said.insert(cell, (wish, rule.row));
                    if let Some((_, row)) = before.filter(|(before, _)| *before != wish) {
                        return Err(wrong(format!(
                            "says otherwise of a cell than row {row}; expected one rule a cell"
                        )));
                    }
                    self.system.rules.insert(cell, wish.into());
                }
                if let Some(weight) = rule.weight {
                    let known = self.system.weights.entry(cell).or_default();
                    *known = weight.max(*known);
                }
            }
            if !some {
                return Err(wrong("no table prints such a cell; expected codes, TOT or *".into()));
            }
        }
        Ok(())
    }

    /// Lets stand what was published: shown cells stay shown, withheld ones withheld.
    fn keep(&mut self, published: &Published) -> Result<(), LinkError> {
        for row in &published.rows {
            let wrong = |what: String| LinkError::Row { file: published.file.clone(), row: row.row, what };
            if row.tid != self.plan.tid || row.matt != self.plan.matt {
                return Err(wrong("another period or measure than the tables have".into()));
            }
            let total = |at: usize| self.system.shape.dimension(at).total();
            let mut cell = (0..self.plan.dimensions.len())
                .map(|at| u32::from(total(at)) * self.system.shape.stride(at))
                .sum();
            for (name, code) in published.dimensions.iter().zip(&row.codes) {
                let at = self.plan.dimension(name);
                let at = at.ok_or_else(|| wrong(format!("no table has a dimension {name}")))?;
                let code = self.code(at, code);
                let code = code.ok_or_else(|| wrong(format!("no table has that code in {name}")))?;
                cell = self.system.shape.with_code(cell, at, code);
            }
            let at = cell as usize;
            if self.system.presence[at] != Presence::Printed {
                return Err(wrong("no table prints that cell".into()));
            }
            if row.value.is_some_and(|value| value != self.system.values[at]) {
                return Err(wrong(
                    "another count than the tables have; expected what was published, unchanged".into(),
                ));
            }
            let rule = if row.value.is_some() { Rule::Show } else { Rule::Keep };
            if self.system.rules.insert(cell, rule).is_some_and(|before| before != rule) {
                return Err(wrong("says otherwise of a cell than a rule or another published file".into()));
            }
        }
        Ok(())
    }

    /// Printed cells with some codes.
    fn printed(&self, fixed: &[Option<u16>]) -> BTreeSet<u32> {
        let shape = &self.system.shape;
        let mut found = BTreeSet::new();
        for sheet in &self.plan.sheets {
            let mut cells = vec![0u32];
            for (at, codes) in sheet.codes.iter().enumerate() {
                let fits = |code: &&u16| fixed[at].is_none_or(|fixed| fixed == **code);
                let offsets: Vec<u32> =
                    codes.iter().filter(fits).map(|code| u32::from(*code) * shape.stride(at)).collect();
                cells =
                    cells.iter().flat_map(|cell| offsets.iter().map(move |offset| cell + offset)).collect();
            }
            found.extend(cells);
        }
        found
    }
}

impl From<Wish> for Rule {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::Show => Self::Show,
            Wish::Hide => Self::Hide,
            Wish::Keep => Self::Keep,
        }
    }
}
