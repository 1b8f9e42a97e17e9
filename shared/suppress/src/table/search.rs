//! The search for one witness: the cheapest product at a cell, or a chain of products.
//!
//! Depth first over the dimensions: each choice of the other code doubles the corners; a partial product that
//! costs as much as the best found is left. A corner costs its price when it is published still, nothing when it
//! is withheld; it is impossible when it is zero, or when it would fall below 1. A *chain* cancels one costly or
//! impossible corner of a product by a product at that corner: in two dimensions these are the longer cycles.

use super::Mark;
use super::board::{Board, GRAND, UNIT};
use super::knowers::Knowers;
use super::shape::MAX_DIMENSIONS;
use super::witness::{Product, Step};

/// Those whose cells must not change.
pub type Avoid = Vec<u32>;

/// A witness wanted.
#[derive(Debug, Clone)]
pub struct Query {
    /// The cell to move.
    pub cell: u32,
    /// Up or down.
    pub sign: i8,
    /// How far.
    pub amount: i32,
    /// Units and persons that take no part.
    pub avoid: Avoid,
}

/// Bounds of a search.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Only what costs less.
    pub price: u64,
    /// Products that may cancel a corner of another.
    pub chain: usize,
    /// Corner checks after which the best so far is taken. Not binding while nothing is found and `price` is
    /// [`u64::MAX`].
    pub work: u64,
}

/// A corner and the direction in which it changes.
type Corner = (u32, i8);

struct Dive<'q> {
    query: &'q Query,
    limits: Limits,
    start: u64,
    /// Dimensions, fewest codes first.
    order: Vec<usize>,
    /// The finest cell of the product in the making, and the other codes.
    start_cell: u32,
    other: [u16; MAX_DIMENSIONS],
    corners: Vec<Corner>,
    /// Choices per level, kept to be used again.
    choices: Vec<Vec<Choice>>,
    best: u64,
    found: Option<Vec<Step>>,
    chain: bool,
}

/// A movement chosen in a dimension: what it costs so far, whether a corner waits to be cancelled, the finest code it starts
/// from and the other one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Choice {
    cost: u64,
    defect: Option<Corner>,
    leaf: u16,
    other: u16,
}

impl Board {
    /// The cheapest witness of a query that keeps within the limits, with its price.
    pub fn find(&mut self, query: &Query, limits: Limits) -> Option<(u64, Vec<Step>)> {
        let mut order: Vec<usize> = (0..self.shape.dimensions()).collect();
        order.sort_by_key(|at| self.shape.total_code(*at));
        let mut dive = Dive {
            query,
            limits,
            start: self.work,
            choices: vec![Vec::new(); order.len()],
            order,
            start_cell: query.cell,
            other: [0; MAX_DIMENSIONS],
            corners: vec![(query.cell, query.sign)],
            best: limits.price,
            found: None,
            chain: false,
        };
        self.dive(&mut dive, 0, 0, None);
        if limits.chain > 0 && (dive.found.is_none() || dive.best >= UNIT) {
            dive.chain = true;
            dive.start = self.work;
            self.dive(&mut dive, 0, 0, None);
        }
        let best = dive.best;
        dive.found.map(|steps| (best, steps))
    }

    fn dive(&mut self, dive: &mut Dive<'_>, level: usize, cost: u64, defect: Option<Corner>) {
        if level == dive.order.len() {
            return self.leaf(dive, cost, defect);
        }
        if self.exhausted(dive) {
            return;
        }
        let dimension = dive.order[level];
        let mut choices = std::mem::take(&mut dive.choices[level]);
        choices.clear();
        self.choices(dive, dimension, Choice { cost, defect, leaf: 0, other: 0 }, &mut choices);
        choices
            .sort_unstable_by_key(|choice| (choice.cost, choice.defect.is_some(), choice.leaf, choice.other));
        let (corners, start) = (dive.corners.len(), dive.start_cell);
        let own = self.shape.code(dive.query.cell, dimension) as u16;
        for choice in &choices {
            if choice.cost >= dive.best || self.exhausted(dive) {
                break;
            }
            let factor = self.shape.dimension(dimension).factor(choice.leaf, choice.other);
            for (code, sign) in factor.entries().iter().filter(|(code, _)| *code != own) {
                let offset = self.offset(own, *code, dimension);
                for at in 0..corners {
                    let (cell, direction) = dive.corners[at];
                    dive.corners.push((cell.wrapping_add(offset), direction * sign));
                }
            }
            dive.start_cell = start.wrapping_add(self.offset(own, choice.leaf, dimension));
            dive.other[dimension] = choice.other;
            self.dive(dive, level + 1, choice.cost, choice.defect);
            dive.corners.truncate(corners);
        }
        dive.start_cell = start;
        dive.choices[level] = choices;
    }

    fn exhausted(&self, dive: &Dive<'_>) -> bool {
        // The grand total is not for want of patience.
        (dive.best < GRAND * UNIT || dive.limits.price != u64::MAX)
            && self.work - dive.start > dive.limits.work
    }

    /// Every code of a dimension with which the product stays possible and cheap enough.
    fn choices(&mut self, dive: &Dive<'_>, dimension: usize, so_far: Choice, choices: &mut Vec<Choice>) {
        let own = self.shape.code(dive.query.cell, dimension) as u16;
        let (avoid, mut work) = (&dive.query.avoid, 0);
        for (leaf, other) in self.shape.dimension(dimension).movements(own) {
            let avoided = dimension == 0
                && [leaf, other]
                    .iter()
                    .any(|code| *code != own && Knowers::unit_in(&self.shape, u32::from(*code), avoid));
            if avoided {
                continue;
            }
            let factor = self.shape.dimension(dimension).factor(leaf, other);
            let mut choice = Choice { leaf, other, ..so_far };
            let fits = factor.entries().iter().filter(|(code, _)| *code != own).all(|(code, flip)| {
                let offset = self.shape.dimension_offset(own, *code, dimension);
                dive.corners.iter().all(|(cell, sign)| {
                    let corner = (cell.wrapping_add(offset), sign * flip);
                    work += 1;
                    match self.corner_price(corner, dive.query) {
                        Some(0) => {}
                        // The corner to be cancelled; the cell in the making itself never is.
                        _ if dive.chain && choice.defect.is_none() && !self.frozen.contains(&corner.0) => {
                            choice.defect = Some(corner);
                        }
                        Some(price) => choice.cost += price,
                        None => return false,
                    }
                    choice.cost < dive.best
                })
            });
            if fits {
                choices.push(choice);
            }
        }
        self.work += work;
    }

    fn offset(&self, own: u16, code: u16, dimension: usize) -> u32 {
        self.shape.dimension_offset(own, code, dimension)
    }

    /// What a corner costs; `None` when it cannot move that way.
    fn corner_price(&self, (cell, sign): Corner, query: &Query) -> Option<u64> {
        let at = cell as usize;
        let mark = self.marks[at];
        if mark == Mark::Absent {
            return Some(0);
        }
        if sign < 0 && self.room(at) < query.amount
            || self.frozen.contains(&cell)
            || self.knowers.known_to(cell, &query.avoid)
        {
            return None;
        }
        match mark {
            Mark::Zero | Mark::Fixed => None,
            Mark::Primary | Mark::Secondary | Mark::Unprinted | Mark::Absent => Some(0),
            Mark::Published => Some(self.noisy_price(cell)),
        }
    }

    /// What withholding a cell costs, disturbed when a seed is set.
    pub fn noisy_price(&self, cell: u32) -> u64 {
        self.cost[cell as usize] + self.noise.map_or(0, |seed| noise(seed, cell))
    }

    fn leaf(&mut self, dive: &mut Dive<'_>, cost: u64, defect: Option<Corner>) {
        let step = Step::Product(Product {
            cell: dive.start_cell,
            amount: dive.query.amount * i32::from(dive.query.sign),
            other: dive.other,
        });
        let Some((cell, sign)) = defect else {
            dive.best = cost;
            dive.found = Some(vec![step]);
            return;
        };
        let query = Query { cell, sign: -sign, amount: dive.query.amount, avoid: dive.query.avoid.clone() };
        let limits = Limits { price: dive.best - cost, chain: dive.limits.chain - 1, work: dive.limits.work };
        self.apply(&step, 1);
        self.frozen.push(dive.query.cell);
        let rest = self.find(&query, limits);
        self.frozen.pop();
        self.apply(&step, -1);
        if let Some((price, mut steps)) = rest {
            dive.best = cost + price;
            steps.insert(0, step);
            dive.found = Some(steps);
        }
    }

    /// Carries a step out (`1`) or takes it back (`-1`) on the counts that searches look at.
    pub fn apply(&mut self, step: &Step, times: i32) {
        let y = &mut self.y;
        step.visit(&self.shape, |cell, amount| y[cell as usize] += times * amount);
    }
}

/// A disturbance of up to a third of a cell's price, the same for a seed and a cell.
fn noise(seed: u64, cell: u32) -> u64 {
    mix(seed ^ u64::from(cell).wrapping_mul(0x9e37_79b9_7f4a_7c15)) % (UNIT / 3)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
