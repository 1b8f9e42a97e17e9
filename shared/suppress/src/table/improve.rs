//! The search for fewer secondary cells: give some up, repair at disturbed prices, prune, keep what is no worse.
//!
//! Bounded by corner checks, linear models and pivots, not by time; random numbers come from a counter. A small table is
//! searched from two starts in two threads, each the same every time, so the same table gives the same answer.

use super::board::Board;
use super::construct::prune;
use super::pool::{Pool, Share};
use super::search::{Limits, mix};
use super::target::{INSIDER, SLOTS};
use super::{Effort, Mark};

/// Turns of choosing from a pool and pruning, and candidates looked at in each.
const FAST_TURNS: usize = 12;
/// Linear models after which no further turn is taken.
const FAST_MODELS: u64 = 90;
/// Corner checks before which it is not ended for that.
const FAST_WORK: u64 = 10_000_000;
const FAST_SHARE: Share = Share { sets: 300, models: 60 };
const HIGH_TURNS: usize = 30;
const HIGH_SHARE: Share = Share { sets: 2_000, models: 300 };
/// Pivots of a search that asks, from each start.
const FAST_PIVOTS: u64 = 110_000;
const HIGH_PIVOTS: u64 = 3_000_000;
/// Entries of a tableau over which there are fewer pivots.
const PIVOT_ENTRIES: u64 = 90_000;
/// Of so many parts one is spent against readers alone, before insiders are thought of.
const READERS_PART: u64 = 16;
/// Where the random numbers start.
const SEEDS: [u64; 2] = [4, 1];
/// Corner checks of the short search.
const FAST: u64 = 15_000_000;
/// Corner checks of the long search.
const HIGH: u64 = 600_000_000;
/// Most secondary cells with which a search is made.
const MOST_SECONDARY: usize = 500;
/// Corner checks of one repair.
const REPAIR: u64 = 5_000;

/// Random numbers from a counter.
pub struct Dice(u64);

impl Dice {
    /// The next.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next under a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    /// Puts a list in a random order (Fisher & Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// Spends the work of an effort on withholding less.
pub fn improve(board: &mut Board, effort: Effort) {
    let budget = match effort {
        Effort::Fast => FAST,
        Effort::High => HIGH,
    };
    let mut dice = Dice(board.secret.map_or(1, |secret| secret.of(!1)));
    if let Some(mut pool) = Pool::new(board) {
        choose(board, &mut pool, effort, &mut dice);
        return;
    }
    prune(board, board.chain());
    board.journal.clear();
    // An attempt looks at every secondary cell; with too many it costs more than it gains.
    let few = board.secondary.len() <= MOST_SECONDARY;
    let start = board.work;
    while few && !board.secondary.is_empty() && board.work - start < budget {
        let before = board.objective;
        board.round = dice.roll();
        if !attempt(board, &mut dice) || board.objective > before {
            board.undo(0);
        }
        board.journal.clear();
        // Attempts that cost next to nothing must not go on for ever.
        board.work += 100;
    }
}

/// Chooses from a pool and prunes, in turns, until the turns or the linear models are spent.
fn choose(board: &mut Board, pool: &mut Pool, effort: Effort, dice: &mut Dice) {
    let (turns, models, share) = match effort {
        Effort::Fast => (FAST_TURNS, FAST_MODELS, FAST_SHARE),
        Effort::High => (HIGH_TURNS, u64::MAX, HIGH_SHARE),
    };
    let insider = (0..board.targets.len()).any(|target| board.guarded(target));
    let start = board.work;
    if pool.asks() {
        let marks = board.marks.clone();
        *pool = from_both(board, pool, effort, insider);
        pool.write(board, &marks);
        prune(board, 0);
        board.journal.clear();
        return;
    }
    for turn in 0..turns {
        let marks = board.marks.clone();
        if insider && turn == 0 {
            pool.search_in_two(board, dice, &|pool, board, dice| pool.search(board, share, dice));
        } else {
            pool.search(board, share, dice);
        }
        pool.write(board, &marks);
        prune(board, board.chain());
        board.journal.clear();
        pool.read(board);
        // Models of a tiny table are cheap: then there may be more.
        if pool.models() >= models && board.work - start >= FAST_WORK {
            break;
        }
    }
}

/// Searches from two starts of the random numbers, at the same time, and takes the better end; of equals the first.
fn from_both(board: &Board, pool: &Pool, effort: Effort, insider: bool) -> Pool {
    let pivots = match effort {
        Effort::Fast => FAST_PIVOTS,
        Effort::High => HIGH_PIVOTS,
    };
    // A pivot goes over every entry.
    let pivots = pivots * PIVOT_ENTRIES / pool.entries().max(PIVOT_ENTRIES);
    let one = |seed: u64| {
        let seed = board.secret.map_or(seed, |secret| secret.of(!seed)); // no cell has so large a number
        let (mut board, mut pool, mut dice) = (board.clone(), pool.clone(), Dice(seed));
        let first = if insider { pivots / READERS_PART } else { 0 };
        if insider {
            pool.search_in_two(&mut board, &mut dice, &|pool, board, dice| {
                pool.search_asking(board, first, dice);
            });
        }
        pool.search_asking(&mut board, pivots - first, &mut dice);
        pool
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| one(SEEDS[1]));
        (one(SEEDS[0]), other.join())
    });
    match second {
        Ok(second) if second.price() < first.price() => second,
        _ => first,
    }
}

/// Gives up one secondary cell for good and some near it for now, and repairs. `false` when that failed.
fn attempt(board: &mut Board, dice: &mut Dice) -> bool {
    let first = board.secondary[dice.below(board.secondary.len())];
    let mut slots = board.users[first as usize].clone();
    for _ in 0..dice.below(4) {
        let near = near(board, dice, first);
        slots.extend_from_slice(&board.users[near as usize]);
    }
    let mut targets: Vec<usize> = slots.iter().map(|slot| *slot as usize / SLOTS).collect();
    targets.sort_unstable();
    targets.dedup();
    if slots.iter().any(|slot| board.is_pinned_slot(*slot)) {
        return false;
    }
    for slot in &slots {
        board.clear(*slot);
    }
    board.marks[first as usize] = Mark::Zero;
    board.noise = Some(dice.roll());
    dice.shuffle(&mut targets);
    let done = repair(board, &targets);
    board.noise = None;
    board.marks[first as usize] = Mark::Published;
    if done {
        prune(board, board.chain());
    }
    done
}

fn repair(board: &mut Board, targets: &[usize]) -> bool {
    let limits = Limits { price: u64::MAX - 1, chain: 0, work: REPAIR };
    let all = |board: &mut Board, kind: usize| {
        targets.iter().all(|target| board.fill((target * SLOTS + kind) as u32, limits))
    };
    let done = (0..INSIDER).all(|kind| all(board, kind));
    let guards = targets.iter().flat_map(|target| (target * SLOTS + INSIDER..(target + 1) * SLOTS).rev());
    guards.for_each(|slot| {
        if board.idle(slot as u32) {
            board.clear(slot as u32);
        }
    });
    done && all(board, INSIDER)
}

/// A secondary cell that shares as many codes as a few draws find.
fn near(board: &Board, dice: &mut Dice, cell: u32) -> u32 {
    let shared = |other: u32| {
        (0..board.shape.dimensions())
            .filter(|at| board.shape.code(cell, *at) == board.shape.code(other, *at))
            .count()
    };
    let mut best = (0, cell);
    for _ in 0..1 + dice.below(4) {
        let other = board.secondary[dice.below(board.secondary.len())];
        best = best.max((shared(other), other));
    }
    best.1
}
