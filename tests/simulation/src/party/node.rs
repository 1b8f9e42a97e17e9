//! A node: the production machine, ledger and report maker over a disk that survives crashes.
//!
//! The steps are those of `node::work::case::Case`, with a virtual network in the place of its egress.

use std::sync::Arc;

use daemon::facts::FactLog;
use daemon::store::{MemoryDisk, Store};
use node::work::book::LedgerBook;
use node::work::case::{CELLS, COUNTS};
use node::work::correction::First;
use node::work::report::Making;
use round::document::CollectionRef;
use round::node::{Duty, Event, Fact, Node, Shown, Submitted};
use round::refusal::Refusal;
use tables::count::FineStatus;
use tables::system::Counts;
use tables::unit::Unit;

use crate::federation::{Federation, Kommun};
use crate::message::{Reply, Request, ShownPattern};
use crate::trouble::Trouble;

/// Where the facts of a node lie in its store.
pub fn prefix(federation: &Federation) -> String {
    format!("node/case/{}", hex::encode(federation.collection.hash))
}

/// Where a node's report lies beside its facts.
pub fn report_key(round: u32) -> String {
    format!("report/{round}")
}

fn signature_key(round: u32) -> String {
    format!("signature/{round}")
}

/// What a crash takes with it.
struct Process {
    /// Whether the region was heard to announce the collection.
    invited: bool,
    /// The region refused the duty's message: ask for the pattern instead.
    refused: bool,
    /// The round is over, for all the node knows.
    over: bool,
    store: Arc<dyn Store>,
    machine: Node,
    log: FactLog<Fact>,
    ledger: LedgerBook,
}

/// A node.
pub struct NodeParty {
    federation: Arc<Federation>,
    unit: Unit,
    lies: bool,
    disk: MemoryDisk,
    process: Option<Process>,
}

impl NodeParty {
    /// A node that is not running.
    /// `lies`: it declares zero where it counts most.
    pub fn new(federation: Arc<Federation>, unit: Unit, disk: MemoryDisk, lies: bool) -> Self {
        Self { federation, unit, lies, disk, process: None }
    }

    /// Its disk.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// Starts from what the disk holds.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn start(&mut self) -> Result<(), Trouble> {
        let store: Arc<dyn Store> = Arc::new(self.disk.open());
        let (log, facts) = FactLog::open(store.clone(), prefix(&self.federation))?;
        let (collection, system) = (self.federation.collection.clone(), self.federation.system.clone());
        let machine = Node::restore(collection, system, self.unit.clone(), facts);
        let ledger = LedgerBook::open(store.clone())?;
        let (invited, refused, over) = (false, false, false);
        self.process = Some(Process { invited, refused, over, store, machine, log, ledger });
        Ok(())
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Whether the node knows that the round is over.
    pub fn is_over(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.over)
    }

    /// What the machine knows, to compare before and after a restart.
    pub fn state(&self) -> String {
        self.process.as_ref().map_or_else(String::new, |process| format!("{:?}", process.machine))
    }

    fn kommun(&self) -> &Kommun {
        self.federation.kommun(&self.unit)
    }

    fn process(&mut self) -> Result<&mut Process, Trouble> {
        self.process.as_mut().ok_or(Trouble::Crash)
    }

    fn take(&mut self, event: Event, beside: Vec<(String, Vec<u8>)>) -> Result<(), Trouble> {
        let process = self.process()?;
        let facts = process.ledger.look(|ledger| process.machine.handle(event, ledger))?;
        if facts.is_empty() {
            return Ok(());
        }
        process.log.append(&facts, beside)?;
        facts.into_iter().for_each(|fact| process.machine.apply(fact));
        Ok(())
    }

    /// Does what is due until something must be asked.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn work(&mut self) -> Result<Option<Request>, Trouble> {
        loop {
            let process = self.process()?;
            if process.over {
                return Ok(None);
            }
            if !process.invited {
                return Ok(Some(Request::Collections));
            }
            let duty = process.machine.duty();
            let instead = duty.when_refused().filter(|_| process.refused);
            match instead.unwrap_or(duty) {
                Duty::AwaitApproval => {
                    self.take(Event::Approve(self.federation.collection.hash), Vec::new())?
                }
                Duty::Count => self.count()?,
                Duty::Declare => {
                    let declaration = process.machine.declaration().cloned();
                    let changed = self.beside()?.map(|submitted| submitted.changed);
                    return Ok(declaration.map(|declaration| Request::Declare(declaration, changed)));
                }
                Duty::AskPattern => {
                    let known = process.machine.pattern().map(|document| document.hash());
                    return Ok(Some(Request::Pattern { known }));
                }
                Duty::Answer => return Ok(answer(&process.machine)),
                Duty::MakeReport => self.make_report()?,
                Duty::SendReport => return self.send_report().map(Some),
            }
        }
    }

    fn count(&mut self) -> Result<(), Trouble> {
        let federation = self.federation.clone();
        self.process()?.ledger.cover(&federation.collection, &federation.system)?;
        let kommun = self.kommun();
        let system = &self.federation.system;
        let mut statuses = round::shares::statuses(system, &kommun.counts, kommun.own_min_count);
        if self.lies {
            let values = system.unit_values(&kommun.counts);
            let most = (0..values.len()).max_by_key(|atom| values[*atom]);
            most.into_iter().for_each(|atom| statuses[atom] = FineStatus::Zero);
        }
        let stored = postcard::to_allocvec(kommun.counts.to_stored()).map_err(broken)?;
        let cells = self.federation.collection.cells(system).to_vec();
        self.take(Event::Counted(statuses), vec![(COUNTS.into(), stored), (CELLS.into(), cells)])
    }

    /// What this node submitted to the version that is corrected, as `node` finds it in its own store.
    fn beside(&mut self) -> Result<Option<Submitted>, Trouble> {
        let counts = self.counts()?;
        let (federation, store) = (self.federation.clone(), self.process()?.store.clone());
        let asked = (&federation.collection, &federation.codebook);
        let first = First::of(&store, asked, &federation.system, &self.unit).map_err(broken)?;
        Ok(first.map(|first| first.beside(&federation.system, &counts)))
    }

    fn counts(&mut self) -> Result<Counts, Trouble> {
        let bytes = self.process()?.log.read(COUNTS)?;
        let stored: Vec<u32> = postcard::from_bytes(&bytes).map_err(broken)?;
        let counts = Counts::from_stored(&self.federation.system, stored);
        counts.ok_or_else(|| Trouble::Broken("stored counts of another collection".into()))
    }

    fn make_report(&mut self) -> Result<(), Trouble> {
        let counts = self.counts()?;
        let federation = self.federation.clone();
        let kommun = federation.kommun(&self.unit);
        let machine = &self.process()?.machine;
        let missing = || Trouble::Broken("a report is due without pattern or declaration".into());
        let document = machine.pattern().cloned().ok_or_else(missing)?;
        let statuses =
            machine.declaration().map(|declaration| declaration.statuses.clone()).ok_or_else(missing)?;
        let making = Making {
            system: &federation.system,
            parameters: &federation.parameters,
            threshold: federation.collection.min_count,
            document: &document,
            place: document.place(&self.unit).ok_or_else(missing)?,
            counts: &counts,
            statuses: &statuses,
            helper: federation.helper_keys.public(),
            secret: &federation.tag_secret(&self.unit),
        };
        self.process()?.ledger.delivers_nothing_else(&federation.collection)?;
        let made = making.make(&kommun.key).map_err(broken)?;
        let corrects = federation.collection.corrects.map(|corrects| corrects.collection);
        let process = self.process()?;
        let lines = process.machine.lines(&document, Some(&made.tags));
        process.ledger.enter(lines, corrects)?;
        let round = document.round;
        let beside = vec![(report_key(round), made.bytes), (signature_key(round), made.signature)];
        self.take(Event::Reported { round, content: made.content }, beside)
    }

    fn send_report(&mut self) -> Result<Request, Trouble> {
        let process = self.process()?;
        let round = process.machine.pattern().map(|document| document.round).unwrap_or_default();
        let (bytes, signature) =
            (process.log.read(&report_key(round))?, process.log.read(&signature_key(round))?);
        Ok(Request::Submit { round, bytes, signature })
    }

    /// Takes the region's reply to a request.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn take_reply(&mut self, request: &Request, reply: Reply) -> Result<(), Trouble> {
        let refused = matches!(reply, Reply::Refused(_));
        self.process()?.refused = refused;
        match (request, reply) {
            (Request::Collections, Reply::Collections(announced)) => self.process()?.invited = announced,
            (Request::Declare(..), Reply::Done) => self.take(Event::DeclarationTaken, Vec::new())?,
            (Request::Answer { round, .. }, Reply::Done) => {
                self.take(Event::AnswerTaken(*round), Vec::new())?
            }
            (Request::Submit { round, .. }, Reply::Done) => {
                self.take(Event::ReportTaken(*round), Vec::new())?
            }
            (Request::Pattern { .. }, Reply::Pattern(Some(shown), _)) => self.see(*shown)?,
            (Request::Pattern { .. }, Reply::Pattern(None, phase)) => self.process()?.over = phase.is_over(),
            _ => {}
        }
        Ok(())
    }

    fn see(&mut self, shown: ShownPattern) -> Result<(), Trouble> {
        let counts = self.counts()?;
        let federation = self.federation.clone();
        let ShownPattern { document, witnesses, proof, first } = shown;
        if let Some(first) = &first {
            let process = self.process()?;
            let lines = process.machine.lines_of_first(first);
            lines.map_or(Ok(()), |lines| process.ledger.replace(lines))?;
        }
        let (earlier, first) = (self.beside()?.map(Box::new), first.map(Box::new));
        let own = document.place(&self.unit).and_then(|place| document.withheld.get(place));
        let thin = own.map_or_else(Vec::new, |withheld| {
            let values = federation.system.unit_values(&counts);
            suppress::request::lines(&federation.system, federation.collection.min_count, withheld, &values)
        });
        let certificate = Federation::fingerprint(&self.kommun().certificate);
        let shown = Shown { document, witnesses, proof, certificate, thin, earlier, first };
        match self.take(Event::Pattern(Box::new(shown)), Vec::new()) {
            // A pattern that was overtaken on its way.
            Err(Trouble::Refused(Refusal::Phase("further on"))) => Ok(()),
            other => other,
        }?;
        match self.process()?.machine.fault() {
            Some(fault) => {
                Err(Trouble::Broken(format!("a node refuses an honest region's pattern: {fault}")))
            }
            None => Ok(()),
        }
    }

    /// The collection every message of a node is about.
    pub fn reference(&self) -> CollectionRef {
        CollectionRef::of(&self.federation.collection)
    }
}

fn answer(machine: &Node) -> Option<Request> {
    let (round, lines) = machine.answer()?;
    Some(Request::Answer { round, pattern: machine.pattern()?.hash(), lines: lines.to_vec() })
}

fn broken(error: impl std::fmt::Display) -> Trouble {
    Trouble::Broken(error.to_string())
}
