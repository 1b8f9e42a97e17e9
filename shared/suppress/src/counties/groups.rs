//! Which figures of kommungrupper are shown: those that tell nothing of a county, and nothing small of what a county has in a
//! group.
//!
//! A county's row is the sum of what it has in its groups, a group's row the sum of what it has in counties; nobody prints what a
//! county has in a group. For one cell this is a transport: counties supply, groups take, a county reaches only its own groups.
//! Numbers fit exactly where each set of groups takes no less than those counties supply that reach nothing else (D. Gale,
//! *A theorem on flows in networks*, 1957), so that what a set leaves free (`flow::Flow`) says all there is to say.
//!
//! One table has rows of groups. Its innermost cells are put together into *blocks* until each block is good:
//! - the national figure is shown, and that of each group (or of the rest of them together) is 0 or at least the threshold;
//! - however the counties that withhold share what is left between them, the groups' figures fit: they tell nothing of a county
//!   that the national figure does not tell (also to a county that knows its own);
//! - what a county has in a group, and a group in a part of a block, can be anything under the threshold, or 0 only, or nothing
//!   under it.
//!
//! Shown are the figures that are sums of whole good blocks. Blocks do not overlap and each leaves the rest free, so
//! what holds of each holds of all, and of sums of them. Bounds a kommun draws from its own share of a group's figure are not
//! judged: as in the national sums, it meets at least two other counties there (`hiding`).
//!
//! Sufficient, not necessary: a finer cell may be left out that told nothing.

mod flow;

use std::collections::{BTreeMap, BTreeSet};

use flow::{Flow, Supply};

/// Places of innermost cells of the table.
pub type Parts = BTreeSet<usize>;

/// The table that has rows of groups, with everything that is known and shown of it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What each printed row is the sum of.
    pub rows: Vec<Parts>,
    /// Per printed row the national figure; `None` where it is not shown.
    pub realm: Vec<Option<u64>>,
    /// Per county.
    pub counties: Vec<County>,
    /// Per group and innermost cell the sum; `None` where nobody opened it. Withheld in the print until shown here.
    pub groups: Vec<BTreeMap<usize, u64>>,
}

/// A county's row.
#[derive(Debug, Clone, Default)]
pub struct County {
    /// The groups its kommuner lie in, by place.
    pub groups: BTreeSet<usize>,
    /// Per printed row the figure; `None` where it is withheld.
    pub figures: Vec<Option<u64>>,
}

/// Per group the printed rows that may be shown, with their figures.
pub fn shown(table: &Table, least: u64) -> Vec<BTreeMap<usize, u64>> {
    let good = Judge::new(table, least).blocks();
    let rows = |group: &BTreeMap<usize, u64>| {
        let figure = |(at, parts): (usize, &Parts)| {
            let is_whole = |block: &Parts| block.is_disjoint(parts) || block.is_subset(parts);
            let covered: usize = good.iter().filter(|block| block.is_subset(parts)).map(Parts::len).sum();
            let fits = covered == parts.len() && good.iter().all(is_whole);
            let sum = || parts.iter().map(|part| group.get(part)).sum::<Option<u64>>();
            fits.then(sum).flatten().map(|sum| (at, sum))
        };
        table.rows.iter().enumerate().filter_map(figure).collect()
    };
    table.groups.iter().map(rows).collect()
}

struct Judge<'a> {
    table: &'a Table,
    least: u64,
    /// The printed row of a set of parts.
    row_of: BTreeMap<&'a Parts, usize>,
}

impl<'a> Judge<'a> {
    fn new(table: &'a Table, least: u64) -> Self {
        let row_of = table.rows.iter().enumerate().map(|(at, parts)| (parts, at)).collect();
        Self { table, least, row_of }
    }

    /// Good blocks. A block that is not good is put together with the others of the smallest printed row that reaches beyond it;
    /// one that has no such row is left out.
    fn blocks(&self) -> Vec<Parts> {
        let parts: Parts = self.table.rows.iter().flatten().copied().collect();
        let mut open: Vec<Parts> = parts.into_iter().map(|part| Parts::from([part])).collect();
        let mut good: Vec<Parts> = Vec::new();
        let mut left_out: Vec<Parts> = Vec::new();
        while let Some(block) = open.pop() {
            if self.is_good(&block) {
                good.push(block);
                continue;
            }
            let all: Vec<&Parts> = open.iter().chain(&good).chain(&left_out).collect();
            let Some(wider) = self.wider(&block, &all) else {
                left_out.push(block);
                continue;
            };
            for list in [&mut open, &mut good, &mut left_out] {
                list.retain(|other| !other.is_subset(&wider));
            }
            open.push(wider);
        }
        good
    }

    /// The smallest union of blocks that covers a printed row reaching beyond this one.
    fn wider(&self, block: &Parts, others: &[&Parts]) -> Option<Parts> {
        let joined = |row: &Parts| {
            let touched = others.iter().filter(|other| !other.is_disjoint(row)).copied().flatten();
            block.iter().chain(touched).copied().collect::<Parts>()
        };
        let beyond = |row: &&Parts| !row.is_disjoint(block) && !row.is_subset(block);
        let rows = self.table.rows.iter().filter(beyond);
        rows.map(joined).min_by_key(|wider| (wider.len(), wider.clone()))
    }

    fn is_good(&self, block: &Parts) -> bool {
        self.flow(block).is_some_and(|flow| {
            let inside = |row: &&Parts| row.len() < block.len() && row.is_subset(block);
            let singles: Vec<Parts> = block.iter().map(|part| Parts::from([*part])).collect();
            let mut partial: Vec<&Parts> = self.table.rows.iter().filter(inside).collect();
            partial.extend(singles.iter().filter(|single| single.len() < block.len()));
            let hides = || {
                partial
                    .iter()
                    .all(|parts| flow.hides(parts, self.figure(&self.table.realm, parts), self.least))
            };
            flow.tells_nothing(&partial, self.least) && hides()
        })
    }

    /// The transport of a block; `None` where a figure is missing, small or contradicts another.
    fn flow(&self, block: &Parts) -> Option<Flow> {
        let total = self.figure(&self.table.realm, block)?;
        let mut supplies = Vec::new();
        for (at, county) in self.table.counties.iter().enumerate() {
            let of = |parts: Parts, value| Supply { county: at, groups: county.groups.clone(), parts, value };
            let each: Option<Vec<u64>> =
                block.iter().map(|part| self.innermost(&county.figures, *part)).collect();
            match each {
                Some(values) => {
                    let pairs = block.iter().zip(values);
                    supplies.extend(pairs.map(|(part, value)| of(Parts::from([*part]), Some(value))));
                }
                None => supplies.push(of(block.clone(), self.figure(&county.figures, block))),
            }
        }
        let takes =
            |group: &BTreeMap<usize, u64>| block.iter().map(|part| group.get(part)).sum::<Option<u64>>();
        Flow::new(supplies, &self.table.groups.iter().map(takes).collect::<Vec<_>>(), total, self.least)
    }

    /// The figure of a set of cells: printed, or the sum of printed ones.
    fn figure(&self, figures: &[Option<u64>], parts: &Parts) -> Option<u64> {
        let printed = self.row_of.get(parts).and_then(|row| figures.get(*row).copied().flatten());
        printed.or_else(|| parts.iter().map(|part| self.innermost(figures, *part)).sum())
    }

    fn innermost(&self, figures: &[Option<u64>], part: usize) -> Option<u64> {
        let row = self.row_of.get(&Parts::from([part]))?;
        figures.get(*row).copied().flatten()
    }
}
