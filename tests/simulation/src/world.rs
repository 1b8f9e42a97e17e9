//! Virtual time, the network between parties, and their processes.
//!
//! One queue of things that will happen, by time and then by the order in which they were decided; so a plan and a
//! federation decide everything. Each party has at most one question out, as a production party has one call out per
//! collection; a reply to an older question is not heard. Whoever gets no answer asks again when it next looks at
//! what is due: nothing else is retried.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use daemon::store::MemoryDisk;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::region::Phase;
use sharing::report::Report;
use sharing::signing::SigningContext;
use tables::unit::Unit;

use crate::federation::{Federation, below};
use crate::message::{PartyId, Reply, Request};
use crate::party::helper::HelperParty;
use crate::party::node::NodeParty;
use crate::party::region::RegionParty;
use crate::plan::{BUSY, Fault, HOUR, Plan};
use crate::record::Record;

mod processes;

/// Unix time of the start.
pub const EPOCH: i64 = 1_750_000_000;
/// From the first version to the second.
const MONTHS: i64 = 120 * 24 * HOUR;
/// A question that is not answered for so long is given up.
const PATIENCE: i64 = 300;
/// A round that is not over by then is stuck: declaring, and the most rounds seven kommuner can need.
const PATIENCE_OF_JUDGE: i64 = BUSY + 16 * HOUR + 6 * HOUR + 3 * 13 * HOUR;
/// Nodes start within this time.
const STARTS: i64 = 3 * HOUR;

#[derive(Clone)]
enum Body {
    Request(Request),
    Reply(Reply),
}

enum What {
    Deliver { from: PartyId, to: PartyId, call: u64, body: Body },
    Wake(PartyId),
    Start(PartyId),
    Begin(Fault),
    End(Fault),
}

struct Call {
    number: u64,
    at: i64,
    request: Request,
}

/// What is remembered of a process that ended, to compare with the one that starts.
struct Ended {
    state: String,
    /// A write was durable that the process never heard of: the new state is rightly another.
    wrote_unheard: bool,
}

/// A federation while a schedule runs.
pub struct World {
    /// Who takes part.
    pub federation: Arc<Federation>,
    /// What goes wrong.
    pub plan: Plan,
    /// What was seen.
    pub record: Record,
    /// The region.
    pub region: RegionParty,
    /// The helper.
    pub helper: HelperParty,
    /// The nodes.
    pub nodes: BTreeMap<Unit, NodeParty>,
    begins: i64,
    now: i64,
    rng: ChaCha20Rng,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    happenings: BTreeMap<u64, What>,
    decided: u64,
    calls: BTreeMap<PartyId, Call>,
    ended: BTreeMap<PartyId, Ended>,
    offsets: BTreeMap<PartyId, i64>,
    away: BTreeSet<Unit>,
    full: BTreeSet<PartyId>,
    spent: BTreeSet<usize>,
    announced: bool,
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(federation: Arc<Federation>, plan: Plan) -> Self {
        Self::on(federation, plan, EPOCH, |_| MemoryDisk::new())
    }

    /// The world months later: the same disks, and a federation that corrects what was published or asks again for what failed.
    pub fn correcting(first: &Self, federation: Arc<Federation>, plan: Plan) -> Self {
        Self::on(federation, plan, EPOCH + MONTHS, |party| {
            first.disk(party).map_or_else(MemoryDisk::new, |disk| MemoryDisk::from_image(disk.image()))
        })
    }

    fn on(
        federation: Arc<Federation>,
        plan: Plan,
        begins: i64,
        disk: impl Fn(&PartyId) -> MemoryDisk,
    ) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(plan.seed ^ 0x5eed);
        let nodes = federation.collection.units.iter();
        let lies = |unit: &Unit| plan.lie.as_ref().is_some_and(|lie| lie.is_told_by(unit));
        let nodes = nodes.map(|unit| {
            let disk = disk(&PartyId::Node(unit.clone()));
            (unit.clone(), NodeParty::new(federation.clone(), unit.clone(), disk, lies(unit)))
        });
        let mut world = Self {
            region: RegionParty::new(federation.clone(), disk(&PartyId::Region), rng.clone()),
            helper: HelperParty::new(federation.clone(), disk(&PartyId::Helper)),
            nodes: nodes.collect(),
            record: Record::default(),
            begins,
            now: 0,
            rng,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            decided: 0,
            calls: BTreeMap::new(),
            ended: BTreeMap::new(),
            offsets: BTreeMap::new(),
            away: BTreeSet::new(),
            full: BTreeSet::new(),
            spent: BTreeSet::new(),
            announced: false,
            federation,
            plan,
        };
        world.set_the_stage();
        world
    }

    fn set_the_stage(&mut self) {
        for party in [PartyId::Region, PartyId::Helper] {
            self.after(0, What::Start(party));
        }
        self.after(1, What::Wake(PartyId::Operator));
        for unit in self.federation.collection.units.clone() {
            let start = below(&mut self.rng, STARTS.unsigned_abs()) as i64;
            self.after(start, What::Start(PartyId::Node(unit)));
        }
        for fault in self.plan.faults.clone() {
            match &fault {
                Fault::Kill { at, .. } | Fault::Jump { at, .. } => self.after(*at, What::Begin(fault)),
                Fault::Full { from, until, .. } | Fault::Away { from, until, .. } => {
                    let (from, until) = (*from, *until);
                    self.after(from, What::Begin(fault.clone()));
                    self.after(until, What::End(fault));
                }
                Fault::Crash { .. } | Fault::Tampered { .. } | Fault::LostReply { .. } => {}
            }
        }
    }

    /// Runs until the round is over for everybody, something fails, or patience ends.
    pub fn run(&mut self) {
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.now = at;
            if let Some(what) = self.happenings.remove(&number) {
                self.happen(what);
            }
            if self.is_over() || !self.record.failures.is_empty() {
                return;
            }
            // Whoever lies can always keep a round from ending.
            if self.now > PATIENCE_OF_JUDGE && self.plan.lie.is_some() {
                return;
            }
            if self.now > PATIENCE_OF_JUDGE {
                let waiting =
                    self.nodes.iter().filter(|(_, node)| !node.is_over()).map(|(unit, _)| unit.to_string());
                let waiting: Vec<String> = waiting.collect();
                let stuck =
                    format!("stuck: the region is at {:?}; still waiting: {waiting:?}", self.region.phase());
                return self.record.failures.push(stuck);
            }
        }
    }

    /// Whether the region is done and every node knows it.
    pub fn is_over(&self) -> bool {
        self.region.phase().is_over() && self.nodes.values().all(NodeParty::is_over)
    }

    /// Where the region stands.
    pub fn phase(&self) -> Phase {
        self.region.phase()
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

    fn clock(&self, party: &PartyId) -> i64 {
        self.begins + self.now + self.offsets.get(party).copied().unwrap_or_default()
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deliver { from, to, call, body } => self.deliver(from, to, call, body),
            What::Wake(party) => {
                let pause = self.between(60, 20 * 60);
                self.after(pause, What::Wake(party.clone()));
                self.work(&party);
            }
            What::Start(party) => self.start(party),
            What::Begin(fault) => self.begin(fault),
            What::End(Fault::Full { party, .. }) => {
                self.full.remove(&party);
                self.arm(&party);
            }
            What::End(Fault::Away { unit, .. }) => _ = self.away.remove(&unit),
            What::End(_) => {}
        }
    }

    fn begin(&mut self, fault: Fault) {
        self.record.trace(self.now, format_args!("{fault:?}"));
        match fault {
            Fault::Kill { party, .. } => self.end(&party, false),
            Fault::Full { party, .. } => {
                self.full.insert(party.clone());
                self.arm(&party);
            }
            Fault::Jump { party, seconds, .. } => _ = self.offsets.insert(party, seconds),
            Fault::Away { unit, .. } => _ = self.away.insert(unit),
            Fault::Crash { .. } | Fault::Tampered { .. } | Fault::LostReply { .. } => {}
        }
    }

    fn work(&mut self, party: &PartyId) {
        let waiting = self.calls.get(party).is_some_and(|call| self.now - call.at < PATIENCE);
        if waiting || !self.is_up(party) {
            return;
        }
        let now = self.clock(party);
        let due = match party {
            PartyId::Operator => Ok((!self.announced).then_some(Request::Announce)),
            PartyId::Region => self.region.work(now),
            PartyId::Helper => Ok(None),
            PartyId::Node(unit) => self.nodes.get_mut(unit).map_or(Ok(None), NodeParty::work),
        };
        match due {
            Ok(None) => {}
            Ok(Some(request)) => self.ask(party, request),
            Err(trouble) => self.trouble(party, trouble),
        }
    }

    fn ask(&mut self, from: &PartyId, request: Request) {
        let to = if *from == PartyId::Region { PartyId::Helper } else { PartyId::Region };
        let number = self.decided;
        self.calls.insert(from.clone(), Call { number, at: self.now, request: request.clone() });
        let request = self.tampered(from, request);
        self.send(from.clone(), to, number, Body::Request(request));
    }

    fn send(&mut self, from: PartyId, to: PartyId, call: u64, body: Body) {
        if self.chance(self.plan.lost) {
            return self.record.trace(self.now, format_args!("{from} → {to}: lost"));
        }
        let times = if self.chance(self.plan.doubled) { 2 } else { 1 };
        for _ in 0..times {
            let slow = self.chance(self.plan.slow);
            let delay = if slow { self.between(PATIENCE, 4 * PATIENCE) } else { self.between(1, 60) };
            let (from, to, body) = (from.clone(), to.clone(), body.clone());
            self.after(delay, What::Deliver { from, to, call, body });
        }
    }

    fn is_reachable(&self, party: &PartyId) -> bool {
        let away = matches!(party, PartyId::Node(unit) if self.away.contains(unit));
        self.is_up(party) && !away
    }

    fn deliver(&mut self, from: PartyId, to: PartyId, call: u64, body: Body) {
        let away = matches!(&from, PartyId::Node(unit) if self.away.contains(unit));
        if away || !self.is_reachable(&to) {
            return;
        }
        match body {
            Body::Request(request) => self.serve(from, to, call, request),
            Body::Reply(reply) => self.hear(to, call, reply),
        }
    }

    fn serve(&mut self, from: PartyId, to: PartyId, call: u64, mut request: Request) {
        let now = self.clock(&to);
        if let (PartyId::Helper, Some(lie)) = (&to, &self.plan.lie) {
            self.record.told += usize::from(lie.to_helper(&self.federation.system, &mut request));
        }
        if let (PartyId::Region, Some(lie)) = (&to, &self.plan.lie) {
            let own = self.region.desk();
            let own = own.and_then(|desk| desk.look(|region| region.document().map(|known| known.hash())));
            lie.to_region(own, &mut request);
        }
        let answered = match &to {
            PartyId::Region => self.region.serve(&from, request.clone(), now),
            PartyId::Helper => self.helper.serve(request.clone()),
            _ => return,
        };
        match answered {
            Ok(reply) => {
                self.record
                    .trace(self.now, format_args!("{from} → {to}: {} → {}", request.name(), reply.name()));
                self.record.acknowledge(&from, &request, &reply);
                let lie = self.plan.lie.as_ref();
                self.record.noticed |= lie.is_some_and(|lie| lie.is_noticed_in(&to, &request, &reply));
                if !self.loses_reply(&from, &request) {
                    self.send(to.clone(), from, call, Body::Reply(reply));
                }
                self.work(&to);
            }
            Err(trouble) => self.trouble(&to, trouble),
        }
    }

    fn hear(&mut self, party: PartyId, call: u64, mut reply: Reply) {
        let Some(asked) = self.calls.remove(&party) else {
            return;
        };
        if asked.number != call {
            self.calls.insert(party, asked);
            return;
        }
        let now = self.clock(&party);
        if let (PartyId::Node(unit), Some(lie)) = (&party, &self.plan.lie) {
            self.record.told += usize::from(lie.to_node(&self.federation.system, unit, &mut reply));
        }
        let taken = match &party {
            PartyId::Operator => {
                self.announced |= matches!(reply, Reply::Done);
                Ok(())
            }
            PartyId::Region => self.region.take_reply(reply.clone(), now),
            PartyId::Helper => Ok(()),
            PartyId::Node(unit) => {
                self.nodes.get_mut(unit).map_or(Ok(()), |node| node.take_reply(&asked.request, reply.clone()))
            }
        };
        // Without news a party looks again when it next wakes, as after a pause.
        let news = !matches!(reply, Reply::Refused(_) | Reply::Unavailable | Reply::Pattern(None, _));
        match taken {
            Ok(()) if news => self.work(&party),
            Ok(()) => {}
            Err(trouble) => self.trouble(&party, trouble),
        }
    }

    /// Whether the plan loses this reply; each such fault once.
    fn loses_reply(&mut self, to: &PartyId, request: &Request) -> bool {
        let found = self.plan.faults.iter().enumerate().position(|(at, fault)| {
            let this =
                matches!(fault, Fault::LostReply { to: t, request: r } if t == to && *r == request.name());
            this && !self.spent.contains(&at)
        });
        found.is_some_and(|at| self.spent.insert(at))
    }

    /// The request as the plan lets it leave: a report may be changed.
    fn tampered(&mut self, from: &PartyId, request: Request) -> Request {
        let (PartyId::Node(unit), Request::Submit { round, mut bytes, mut signature }) =
            (from, request.clone())
        else {
            return request;
        };
        for (at, fault) in self.plan.faults.iter().enumerate() {
            let Fault::Tampered { unit: other, place, by_node } = fault else {
                continue;
            };
            if other != unit || (!by_node && !self.spent.insert(at)) {
                continue;
            }
            let place = bytes.len() * place / 1000;
            bytes[place] ^= 1;
            if let (true, Ok(report)) = (by_node, Report::decode(&self.federation.parameters, &bytes)) {
                let signed = SigningContext::Report.frame(&report.content_hash().0);
                signature = self.federation.kommun(unit).key.sign(&signed).to_vec();
            }
        }
        Request::Submit { round, bytes, signature }
    }
}
