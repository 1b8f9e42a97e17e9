//! Virtual time, the network between coordinators, and their processes. As [`crate::world`], for the upper tier.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use coordinator::counties::third::Answer;
use daemon::store::{FailPoints, MemoryDisk};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tables::unit::LansKod;

use super::federation::Country;
use super::liar::NationalLie;
use super::party::{Ask, Broken, NationalParty, RegionParty, ThirdParty, Told};
use crate::federation::below;
use crate::party::REFUSES;
use crate::plan::HOUR;
use crate::trouble::Trouble;
use crate::world::EPOCH;

/// A question that is not answered for so long is given up.
const PATIENCE: i64 = 300;
/// Counties' own rounds close within this time.
const STARTS: i64 = 4 * HOUR;
/// The longest a party is away: three times the hours of the collection.
const LONGEST_AWAY: i64 = 36 * HOUR;
/// Everything is over by then: faults begin in the first half day, offers and deliveries each have 12 hours.
const PATIENCE_OF_JUDGE: i64 = 12 * HOUR + LONGEST_AWAY + 4 * 18 * HOUR;

/// A coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The national body.
    National,
    /// The third coordinator.
    Third,
    /// A region.
    Region(LansKod),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CountryFault {
    /// The party's `commit`-th durable write fails, or is durable and not reported (`after`); the process ends.
    Crash {
        /// Who.
        who: Who,
        /// Which write, from 1.
        commit: u64,
        /// Whether the write is durable.
        after: bool,
    },
    /// Killed between two events.
    Kill {
        /// Who.
        who: Who,
        /// When.
        at: i64,
    },
    /// The disk is full for a while.
    Full {
        /// Whose.
        who: Who,
        /// From when.
        from: i64,
        /// Until when.
        until: i64,
    },
    /// The clock is wrong from then on.
    Jump {
        /// Whose.
        who: Who,
        /// When.
        at: i64,
        /// By how much.
        seconds: i64,
    },
    /// Nobody reaches it and it reaches nobody.
    Away {
        /// Who.
        who: Who,
        /// From when.
        from: i64,
        /// Until when.
        until: i64,
    },
    /// The region's share is broken.
    Share {
        /// Whose.
        county: LansKod,
        /// How.
        how: Broken,
    },
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryPlan {
    /// Seed of every delay and loss.
    pub seed: u64,
    /// Messages lost, percent.
    pub lost: u64,
    /// Messages delivered twice, percent.
    pub doubled: u64,
    /// Messages so slow that the sender has given up, percent.
    pub slow: u64,
    /// What else goes wrong.
    pub faults: Vec<CountryFault>,
    /// What the national body says that is not so.
    pub lie: Option<NationalLie>,
}

impl CountryPlan {
    /// Only these go wrong.
    pub fn only(seed: u64, faults: Vec<CountryFault>) -> Self {
        Self { seed, lost: 0, doubled: 0, slow: 0, faults, lie: None }
    }

    /// Anything may go wrong.
    pub fn random(country: &Country, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let rng = &mut rng;
        let lost = [0, 5, 20][below(rng, 3) as usize];
        let (doubled, slow) = (below(rng, 25), below(rng, 10));
        let faults = (0..below(rng, 6)).map(|_| fault(country, rng)).collect();
        Self { seed, lost, doubled, slow, faults, lie: None }
    }

    /// The same, and the national body lies.
    pub fn with(self, lie: NationalLie) -> Self {
        Self { lie: Some(lie), ..self }
    }

    /// Whether anything keeps this county from being counted, or may.
    pub fn touches(&self, county: LansKod) -> bool {
        self.lie.is_some_and(|lie| lie.touches(county))
            || self.faults.iter().any(|fault| match fault {
                CountryFault::Away { who: Who::Region(other), .. } => *other == county,
                CountryFault::Away { .. } | CountryFault::Jump { .. } => true,
                CountryFault::Share { county: other, .. } => *other == county,
                _ => false,
            })
    }
}

fn fault(country: &Country, rng: &mut ChaCha20Rng) -> CountryFault {
    let counties: Vec<LansKod> = country.counties.keys().copied().collect();
    let county = counties[below(rng, counties.len() as u64) as usize];
    let who = [Who::National, Who::Third, Who::Region(county), Who::Region(county)][below(rng, 4) as usize];
    let from = below(rng, 12 * HOUR.unsigned_abs()) as i64;
    let some = |rng: &mut ChaCha20Rng, most: i64| below(rng, most.unsigned_abs()) as i64;
    match below(rng, 16) {
        0..7 => CountryFault::Crash {
            who,
            commit: 1 + below(rng, if who == Who::National { 20 } else { 4 }),
            after: below(rng, 2) == 0,
        },
        7..9 => CountryFault::Kill { who, at: from },
        9..11 => CountryFault::Full { who, from, until: from + some(rng, HOUR) },
        11..12 => CountryFault::Jump { who, at: from, seconds: some(rng, 2 * HOUR) - HOUR },
        12..15 => CountryFault::Away { who, from, until: from + some(rng, LONGEST_AWAY) },
        _ => CountryFault::Share { county, how: if below(rng, 4) == 0 { Broken::Sum } else { Broken::Seal } },
    }
}

#[derive(Clone)]
enum What {
    Ask { from: Who, call: u64, ask: Ask },
    Tell { to: Who, call: u64, told: Told },
    Wake(Who),
    Start(Who),
    Begin(CountryFault),
    End(CountryFault),
}

/// A country while a schedule runs.
pub struct World {
    /// Who takes part.
    pub country: Arc<Country>,
    /// What goes wrong.
    pub plan: CountryPlan,
    /// The national body.
    pub national: NationalParty,
    /// The third coordinator.
    pub third: ThirdParty,
    /// The regions.
    pub regions: BTreeMap<LansKod, RegionParty>,
    /// Offers and deliveries that the national body acknowledged.
    pub acknowledged: BTreeSet<(LansKod, &'static str)>,
    /// Failures as they happened.
    pub failures: Vec<String>,
    /// One line an event.
    pub trace: Vec<String>,
    /// How often a lie was read.
    pub lied: usize,
    /// Whether somebody noticed.
    pub noticed: bool,
    now: i64,
    rng: ChaCha20Rng,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    happenings: BTreeMap<u64, What>,
    decided: u64,
    calls: BTreeMap<Who, (u64, i64, Ask)>,
    offsets: BTreeMap<Who, i64>,
    away: BTreeSet<Who>,
    full: BTreeSet<Who>,
    ended: Option<(String, bool)>,
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(country: Arc<Country>, plan: CountryPlan) -> Self {
        let region = |county: &LansKod| (*county, RegionParty::new(country.clone(), *county));
        let mut world = Self {
            national: NationalParty::new(country.clone()),
            third: ThirdParty::new(country.clone()),
            regions: country.counties.keys().map(region).collect(),
            acknowledged: BTreeSet::new(),
            failures: Vec::new(),
            trace: Vec::new(),
            lied: 0,
            noticed: false,
            now: 0,
            rng: ChaCha20Rng::seed_from_u64(plan.seed ^ 0xc0),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            decided: 0,
            calls: BTreeMap::new(),
            offsets: BTreeMap::new(),
            away: BTreeSet::new(),
            full: BTreeSet::new(),
            ended: None,
            country,
            plan,
        };
        world.after(0, What::Start(Who::National));
        world.after(0, What::Start(Who::Third));
        for county in world.regions.keys().copied().collect::<Vec<_>>() {
            let start = world.between(0, STARTS);
            world.after(start, What::Start(Who::Region(county)));
        }
        for fault in world.plan.faults.clone() {
            match &fault {
                CountryFault::Kill { at, .. } | CountryFault::Jump { at, .. } => {
                    world.after(*at, What::Begin(fault));
                }
                CountryFault::Full { from, until, .. } | CountryFault::Away { from, until, .. } => {
                    let (from, until) = (*from, *until);
                    world.after(from, What::Begin(fault.clone()));
                    world.after(until, What::End(fault));
                }
                CountryFault::Share { county, how } => {
                    if let Some(region) = world.regions.get_mut(county) {
                        region.broken = Some(*how);
                    }
                }
                CountryFault::Crash { .. } => {}
            }
        }
        world
    }

    /// Runs until everything is over, something fails, or patience ends.
    pub fn run(&mut self) {
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.now = at;
            if let Some(what) = self.happenings.remove(&number) {
                self.happen(what);
            }
            if self.is_over() || !self.failures.is_empty() {
                return;
            }
            if self.now > PATIENCE_OF_JUDGE {
                let unpublished = self.regions.values().filter(|region| region.published().is_none());
                let unpublished: Vec<String> = unpublished.map(|region| region.county.to_string()).collect();
                let phase = self.national.machine().map(|machine| machine.phase());
                return self.failures.push(format!("stuck: {phase:?}; not published: {unpublished:?}"));
            }
        }
    }

    /// Whether every region published and the national round, if one began, is over; nothing waits on a disk or a restart.
    fn is_over(&self) -> bool {
        let published = self.regions.values().all(|region| region.published().is_some());
        // Without an offer there is no round to wait for.
        let begun = self.acknowledged.iter().any(|(_, what)| *what == "offer");
        let machine = self.national.machine();
        published && (!begun || machine.is_some_and(|machine| machine.phase().is_over()))
    }

    fn after(&mut self, seconds: i64, what: What) {
        self.decided += 1;
        self.queue.push(Reverse((self.now + seconds, self.decided)));
        self.happenings.insert(self.decided, what);
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + below(&mut self.rng, most.abs_diff(least)) as i64
    }

    fn chance(&mut self, percent: u64) -> bool {
        below(&mut self.rng, 100) < percent
    }

    fn clock(&self, who: Who) -> i64 {
        EPOCH + self.now + self.offsets.get(&who).copied().unwrap_or_default()
    }

    fn is_up(&self, who: Who) -> bool {
        match who {
            Who::National => self.national.is_up(),
            Who::Third => self.third.is_up(),
            Who::Region(county) => self.regions.get(&county).is_some_and(RegionParty::is_up),
        }
    }

    fn disk(&self, who: Who) -> Option<&MemoryDisk> {
        match who {
            Who::National => Some(&self.national.disk),
            Who::Third => Some(&self.third.disk),
            Who::Region(county) => self.regions.get(&county).map(|region| &region.disk),
        }
    }

    fn arm(&self, who: Who) {
        let Some(disk) = self.disk(who) else { return };
        let next = |wanted: bool| {
            let planned = self.plan.faults.iter().filter_map(|fault| match fault {
                CountryFault::Crash { who: other, commit, after } if *other == who && *after == wanted => {
                    Some(*commit)
                }
                _ => None,
            });
            planned.filter(|commit| *commit > disk.commits()).min()
        };
        let full_from = self.full.contains(&who).then(|| disk.commits() + 1);
        disk.fail(FailPoints { before_commit: next(false), after_commit: next(true), full_from });
    }

    fn note(&mut self, line: impl std::fmt::Display) {
        let at = self.now;
        self.trace.push(format!("{:>3}:{:02}:{:02} {line}", at / 3600, at / 60 % 60, at % 60));
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Ask { from, call, ask } => self.asked(from, call, ask),
            What::Tell { to, call, told } => self.told(to, call, told),
            What::Wake(who) => {
                let pause = self.between(60, 20 * 60);
                self.after(pause, What::Wake(who));
                self.work(who);
            }
            What::Start(who) => self.start(who),
            What::Begin(fault) => self.begin(&fault),
            What::End(CountryFault::Full { who, .. }) => {
                self.full.remove(&who);
                self.arm(who);
            }
            What::End(CountryFault::Away { who, .. }) => _ = self.away.remove(&who),
            What::End(_) => {}
        }
    }

    fn begin(&mut self, fault: &CountryFault) {
        self.note(format_args!("{fault:?}"));
        match fault {
            CountryFault::Kill { who, .. } if self.is_up(*who) => self.end(*who, false),
            CountryFault::Kill { .. } => {}
            CountryFault::Full { who, .. } => {
                self.full.insert(*who);
                self.arm(*who);
            }
            CountryFault::Jump { who, seconds, .. } => _ = self.offsets.insert(*who, *seconds),
            CountryFault::Away { who, .. } => _ = self.away.insert(*who),
            CountryFault::Crash { .. } | CountryFault::Share { .. } => {}
        }
    }

    fn start(&mut self, who: Who) {
        if self.is_up(who) {
            return;
        }
        self.arm(who);
        let now = self.clock(who);
        let started = match who {
            Who::National => self.national.start(),
            Who::Third => self.third.start(),
            Who::Region(county) => self.regions.get_mut(&county).map_or(Ok(()), |r| r.start(now)),
        };
        self.note(format_args!("{who:?} starts"));
        match started {
            Ok(()) => {
                if let (Who::National, Some((state, at_a_write))) = (who, self.ended.take())
                    && !at_a_write
                    && state != self.national.state()
                {
                    self.failures.push("changed by a restart: the national round is another".into());
                }
                self.after(1, What::Wake(who));
            }
            Err(Trouble::Full) => self.end(who, true),
            Err(trouble) => self.trouble(who, trouble),
        }
    }

    fn end(&mut self, who: Who, at_a_write: bool) {
        self.note(format_args!("{who:?} ends"));
        match who {
            Who::National => {
                self.ended = Some((self.national.state(), at_a_write));
                self.national.stop();
            }
            Who::Third => self.third.stop(),
            Who::Region(county) => _ = self.regions.get_mut(&county).map(RegionParty::stop),
        }
        self.calls.remove(&who);
        let pause = self.between(1, 15 * 60);
        self.after(pause, What::Start(who));
    }

    fn trouble(&mut self, who: Who, trouble: Trouble) {
        match trouble {
            Trouble::Full => self.note(format_args!("{who:?}: the disk is full")),
            Trouble::Crash => self.end(who, true),
            Trouble::Refused(refusal) => self.note(format_args!("{who:?}: {refusal}")),
            // Whoever is lied to and says so is not wrong.
            Trouble::Broken(problem) if self.plan.lie.is_some() && problem.contains(REFUSES) => {
                self.noticed = true;
                self.note(format_args!("{who:?}: {problem}"));
            }
            Trouble::Broken(problem) => self.failures.push(format!("{who:?}: {problem}")),
        }
    }

    fn work(&mut self, who: Who) {
        let waiting = self.calls.get(&who).is_some_and(|(_, at, _)| self.now - at < PATIENCE);
        if waiting || !self.is_up(who) {
            return;
        }
        let now = self.clock(who);
        let due = match who {
            Who::National => self.national.work(now),
            Who::Third => Ok(None),
            Who::Region(county) => self.regions.get_mut(&county).map_or(Ok(None), |r| r.work(now)),
        };
        match due {
            Ok(None) => {}
            Ok(Some(ask)) => {
                let call = self.decided;
                self.calls.insert(who, (call, self.now, ask.clone()));
                self.send(who, What::Ask { from: who, call, ask });
            }
            Err(trouble) => self.trouble(who, trouble),
        }
    }

    fn send(&mut self, from: Who, what: What) {
        if self.chance(self.plan.lost) || self.away.contains(&from) {
            return self.note(format_args!("{from:?}: lost"));
        }
        let times = if self.chance(self.plan.doubled) { 2 } else { 1 };
        for _ in 0..times {
            let slow = self.chance(self.plan.slow);
            let delay = if slow { self.between(PATIENCE, 4 * PATIENCE) } else { self.between(1, 60) };
            self.after(delay, what.clone());
        }
    }

    fn asked(&mut self, from: Who, call: u64, mut ask: Ask) {
        let to = if from == Who::National { Who::Third } else { Who::National };
        if self.away.contains(&from) || self.away.contains(&to) || !self.is_up(to) {
            return;
        }
        let now = self.clock(to);
        match (self.plan.lie, from) {
            (Some(lie), Who::Region(county)) => {
                let truth = self.national.machine().and_then(|machine| machine.pattern().cloned());
                lie.from_region(truth.as_ref(), county, &mut ask);
            }
            (Some(lie), _) => {
                if let Some(other) = lie.to_third(&self.country, &ask) {
                    self.lied += 1;
                    ask = other;
                }
            }
            _ => {}
        }
        let kind = match &ask {
            Ask::Offer(_) => "offer",
            Ask::Pattern => "pattern",
            Ask::Deliver(..) => "delivery",
            Ask::Open(_) => "open",
        };
        let answered = match to {
            Who::Third => self.third.serve(&ask),
            _ => self.national.serve(ask, now),
        };
        match answered {
            Ok(told) => {
                let word = match &told {
                    Told::Done => "done",
                    Told::Pattern(None) => "no pattern yet",
                    Told::Pattern(Some(_)) => "a pattern",
                    Told::Opened(_) => "opened or not",
                    Told::Refused(reason) => reason.as_str(),
                    Told::Unavailable => "unavailable",
                };
                let line = format!("{from:?} → {to:?}: {kind} → {word}");
                self.note(line);
                if let (Who::Region(county), Told::Done) = (from, &told) {
                    self.acknowledged.insert((county, kind));
                }
                self.send(to, What::Tell { to: from, call, told });
                self.work(to);
            }
            Err(trouble) => self.trouble(to, trouble),
        }
    }

    fn told(&mut self, to: Who, call: u64, mut told: Told) {
        if self.away.contains(&to) || !self.is_up(to) {
            return;
        }
        let Some((known, _, ask)) = self.calls.get(&to).cloned() else { return };
        if known != call {
            return;
        }
        self.calls.remove(&to);
        let now = self.clock(to);
        if let (Some(lie), Who::Region(county)) = (self.plan.lie, to) {
            self.lied += usize::from(lie.to_region(&self.country, county, &mut told));
        }
        if let (Some(NationalLie::AnotherPattern(victim)), Told::Opened(answer)) = (self.plan.lie, &told) {
            self.noticed |= matches!(&**answer, Answer::Unusable(counties) if counties.contains(&victim));
        }
        let news = !matches!(told, Told::Unavailable | Told::Pattern(None));
        let taken = match (to, &ask) {
            (Who::National, Ask::Open(asked)) => self.national.hear(asked, &told, now),
            (Who::Region(county), _) => {
                self.regions.get_mut(&county).map_or(Ok(()), |r| r.hear(&ask, told, now))
            }
            _ => Ok(()),
        };
        match taken {
            Ok(()) if news => self.work(to),
            Ok(()) => {}
            Err(trouble) => self.trouble(to, trouble),
        }
    }
}
