//! All parties of one collection, moved by a test step by step through a round.
//!
//! Delays and loses nothing by itself.

use super::world::secret;
use super::*;

/// One kommun's node with what it stores.
pub struct Member {
    pub node: Node,
    pub facts: Vec<node::Fact>,
    pub ledger: Ledger,
    pub reports: BTreeMap<u32, Report>,
}

/// All parties of one collection.
pub struct Federation {
    pub world: World,
    /// The round of the version that is corrected or extended.
    pub first: Option<Box<Federation>>,
    pub extension: Option<Arc<Extension>>,
    pub now: i64,
    pub region: Region,
    pub region_facts: Vec<region::Fact>,
    pub members: BTreeMap<Unit, Member>,
    pub helper: Helper,
    pub helper_facts: Vec<helper::Fact>,
    pub helper_ledger: Ledger,
    pub region_shares: BTreeMap<(u32, Unit), OutputShare>,
    pub helper_shares: BTreeMap<(u32, Unit), OutputShare>,
}

impl Federation {
    pub fn new(world: World) -> Self {
        let member = |unit: &Unit| Member {
            node: Node::new(world.collection.clone(), world.system.clone(), unit.clone()),
            facts: Vec::new(),
            ledger: Ledger::default(),
            reports: BTreeMap::new(),
        };
        let members = world.collection.units.iter().map(|unit| (unit.clone(), member(unit))).collect();
        Self {
            now: START,
            region: world.region(),
            region_facts: Vec::new(),
            members,
            helper: world.helper(&[]),
            helper_facts: Vec::new(),
            helper_ledger: Ledger::default(),
            region_shares: BTreeMap::new(),
            helper_shares: BTreeMap::new(),
            first: None,
            extension: None,
            world,
        }
    }

    /// The second version of a round that was published: the same parties, with their ledgers.
    pub fn second(first: Self, changes: &[Change]) -> Self {
        let mut this = Self::new(World::correcting(&first.document(), changes));
        let (one, two) = (&first.world, &this.world);
        two.collection.continues(&two.system, &one.collection, &one.system).unwrap();
        this.region = this.world.region().correcting(first.region.published().unwrap());
        this.after(first)
    }

    /// The extension of a round that was published: the same parties, with their ledgers.
    pub fn extended(first: Self, changes: &[Change]) -> Self {
        let mut this = Self::new(World::extending(&first.document(), changes));
        let (one, two) = (&first.world, &this.world);
        let part = System::new(&two.collection.first_part(), &Codebook::vuxna().unwrap()).unwrap();
        two.collection.continues(&part, &one.collection, &one.system).unwrap();
        let extension = Arc::new(Extension::new(&one.system, &two.system).unwrap());
        let published = first.region.published().unwrap();
        this.region = this.world.region().extending(&published, extension.clone()).ok().unwrap();
        this.extension = Some(extension);
        this.after(first)
    }

    fn after(mut self, first: Self) -> Self {
        let this = &mut self;
        for (unit, member) in &mut this.members {
            member.ledger = first.members[unit].ledger.clone();
        }
        this.helper_ledger = first.helper_ledger.clone();
        this.first = Some(Box::new(first));
        self
    }

    /// What a node has of the first version, against its counts now.
    pub fn earlier(&self, unit: &Unit) -> Option<Box<Submitted>> {
        let first = self.first.as_ref()?;
        let node = &first.members[unit].node;
        let (then, now) = (&first.world.counts[unit], &self.world.counts[unit]);
        let extension = self.extension.clone();
        let changed = match &extension {
            None => self.world.system.differing(then, now),
            Some(extension) => extension.differing((&first.world.system, then), (&self.world.system, now)),
        };
        let (document, statuses) =
            (node.submitted(&first.document().hash())?.clone(), node.declaration()?.statuses.clone());
        Some(Box::new(Submitted { document, statuses, changed, extension }))
    }

    /// From the helper's closing to a publication.
    pub fn publish(&mut self) {
        self.close().unwrap();
        let (sums, readable) = self.open();
        let round = self.document().round;
        self.at_region(region::Event::Opened { round, sums, readable }).unwrap();
        self.at_region(region::Event::Published([3; 32])).unwrap();
    }

    pub fn units(&self) -> Vec<Unit> {
        self.world.collection.units.clone()
    }

    pub fn document(&self) -> PatternDocument {
        self.region.document().unwrap().clone()
    }

    pub fn at_region(&mut self, event: region::Event) -> Result<(), Refusal> {
        for fact in self.region.handle(event, self.now)? {
            self.region.apply(fact.clone());
            self.region_facts.push(fact);
        }
        Ok(())
    }

    pub fn at_node(&mut self, unit: &Unit, event: node::Event) -> Result<(), Refusal> {
        let member = self.members.get_mut(unit).unwrap();
        for fact in member.node.handle(event, &member.ledger)? {
            member.node.apply(fact.clone());
            member.facts.push(fact);
        }
        Ok(())
    }

    fn at_helper(&mut self, facts: Vec<helper::Fact>) {
        for fact in facts {
            self.helper.apply(fact.clone());
            self.helper_facts.push(fact);
        }
    }

    pub fn declare_event(&self, unit: &Unit) -> region::Event {
        let der = der(unit);
        let declaration = self.world.declaration(unit);
        region::Event::Declare { unit: unit.clone(), certificate: fingerprint(&der), der, declaration }
    }

    pub fn declare(&mut self, unit: &Unit) {
        let hash = self.world.collection.hash;
        self.at_node(unit, node::Event::Approve(hash)).unwrap();
        self.at_node(unit, node::Event::Counted(self.world.statuses(unit))).unwrap();
        if let Some(earlier) = self.earlier(unit) {
            let event = region::Event::Change { unit: unit.clone(), changed: earlier.changed };
            self.at_region(event).unwrap();
        }
        self.at_region(self.declare_event(unit)).unwrap();
        self.at_node(unit, node::Event::DeclarationTaken).unwrap();
    }

    pub fn choose(&mut self) {
        let helper_key_id = self.world.helper_keys.public().id();
        self.at_region(region::Event::Choose { verify_key: [9; 32], helper_key_id }).unwrap();
    }

    /// What the region shows the unit now, with the node's own thin lines.
    pub fn shown(&self, unit: &Unit) -> Shown {
        let document = self.document();
        let values = self.world.system.unit_values(&self.world.counts[unit]);
        let own = &document.withheld[document.place(unit).unwrap()];
        let thin =
            suppress::request::lines(&self.world.system, self.world.collection.min_count, own, &values);
        let (leaves, place) = (self.region.leaves(), document.place(unit).unwrap());
        Shown {
            witnesses: leaves[place].clone(),
            proof: merkle::prove(&leaves, place).unwrap(),
            certificate: fingerprint(&der(unit)),
            thin,
            earlier: self.earlier(unit),
            first: self.first.as_ref().map(|first| Box::new(first.document())),

            document,
        }
    }

    pub fn show(&mut self, unit: &Unit) {
        let shown = self.shown(unit);
        self.at_node(unit, node::Event::Pattern(Box::new(shown))).unwrap();
        let fault = self.members[unit].node.fault();
        assert_eq!(fault, None, "{unit} refuses an honest pattern");
    }

    pub fn answer(&mut self, unit: &Unit) {
        self.show(unit);
        let (round, lines) = self.members[unit].node.answer().unwrap();
        let lines = lines.to_vec();
        let pattern = self.document().hash();
        self.at_region(region::Event::Answer { unit: unit.clone(), pattern, lines }).unwrap();
        self.at_node(unit, node::Event::AnswerTaken(round)).unwrap();
    }

    pub fn hold(&mut self) {
        let document = self.document();
        let handed = HandedPattern {
            verify_key: self.region.verify_key().unwrap(),
            certificates: self.region.certificates(),
            document,
        };
        let earlier = self.first.as_ref().and_then(|first| first.helper.closed());
        self.helper.follows(&handed.document, earlier, self.extension.as_deref()).unwrap();
        let facts = self.helper.hold(handed, &self.world.roots).unwrap();
        self.at_helper(facts);
        let round = self.document().round;
        self.at_region(region::Event::HelperHolds(round)).unwrap();
    }

    /// The node makes its report and the region stores it.
    pub fn submit(&mut self, unit: &Unit) {
        self.show(unit);
        let document = self.document();
        assert_eq!(self.members[unit].node.duty(), node::Duty::MakeReport);
        let report = self.world.report(&document, unit, u64::from(document.round) + 40);
        let content = report.content_hash().0;
        let round = document.round;
        let tags = document.open.iter().map(|cell| {
            let value = self.world.system.value(&self.world.counts[unit], *cell);
            (*cell, tag(&secret(unit), &self.world.system.cells[*cell].definition, value).0)
        });
        let tags = tags.collect();
        let member = self.members.get_mut(unit).unwrap();
        let lines = member.node.lines(&document, Some(&tags));
        lines.into_iter().for_each(|(definition, line)| member.ledger.enter(definition, line));
        member.reports.insert(round, report);
        self.at_node(unit, node::Event::Reported { round, content }).unwrap();
        self.at_region(self.submit_event(unit, round, content)).unwrap();
        self.at_node(unit, node::Event::ReportTaken(round)).unwrap();
    }

    pub fn submit_event(&self, unit: &Unit, round: u32, content: [u8; 32]) -> region::Event {
        region::Event::Submit { unit: unit.clone(), certificate: fingerprint(&der(unit)), round, content }
    }

    /// Region and helper verify a stored report together.
    pub fn check(&mut self, unit: &Unit) {
        let document = self.document();
        let (round, key) = (document.round, self.region.verify_key().unwrap());
        let report = self.members[unit].reports[&round].clone();
        let (state, _) = self.world.verifier(&document, unit, key).begin(&report).unwrap();
        let handed = self.world.pass_on(&document, unit, &report, key);
        let verified = self.helper.verify(&handed).unwrap();
        let share = self.world.verifier(&document, unit, key).finish(state, &verified.answer).unwrap();
        self.region_shares.insert((round, unit.clone()), share);
        if let Some(share) = verified.share {
            self.helper_shares.insert((round, unit.clone()), share.output_share);
        }
        self.at_helper(verified.facts);
        let unit = unit.clone();
        self.at_region(region::Event::Checked { round, unit, accepted: true }).unwrap();
    }

    /// Closes at the helper.
    pub fn close(&mut self) -> Result<(), Refusal> {
        let document = self.document();
        let round::helper::Closing { facts, lines } =
            self.helper.close(document.round, &document.hash(), &document.units(), &self.helper_ledger)?;
        lines.into_iter().for_each(|(definition, line)| self.helper_ledger.enter(definition, line));
        self.at_helper(facts);
        Ok(())
    }

    pub fn until_declared(mut self) -> Self {
        self.at_region(region::Event::Announce).unwrap();
        self.units().iter().for_each(|unit| self.declare(unit));
        self
    }

    pub fn until_chosen(self) -> Self {
        let mut this = self.until_declared();
        this.choose();
        this
    }

    pub fn until_final(self) -> Self {
        let mut this = self.until_chosen();
        this.finalise();
        this
    }

    /// Everyone in the roster answers; the final pattern is chosen and held.
    pub fn finalise(&mut self) {
        self.document().units().iter().for_each(|unit| self.answer(unit));
        self.at_region(region::Event::Finalise).unwrap();
        self.hold();
    }

    pub fn until_submitted(self) -> Self {
        let mut this = self.until_final();
        this.submit_all();
        this
    }

    /// The same with nodes that look at nothing, up to their verified reports.
    pub fn finalise_unseen(&mut self) {
        for unit in self.document().units() {
            let pattern = self.document().hash();
            self.at_region(region::Event::Answer { unit, pattern, lines: Vec::new() }).unwrap();
        }
        self.at_region(region::Event::Finalise).unwrap();
        self.hold();
        let document = self.document();
        for unit in document.units() {
            let report = self.world.report(&document, &unit, 40);
            let content = report.content_hash().0;
            self.members.get_mut(&unit).unwrap().reports.insert(document.round, report);
            self.at_region(self.submit_event(&unit, document.round, content)).unwrap();
            self.check(&unit);
        }
    }

    pub fn submit_all(&mut self) {
        for unit in self.document().units() {
            self.submit(&unit);
            self.check(&unit);
        }
    }

    /// Both sides' sums of the pattern's list, offsets added, and what is readable of each unit.
    pub fn open(&self) -> (BTreeMap<CellIndex, u64>, Vec<BTreeMap<CellIndex, u64>>) {
        use sharing::aggregate::AggregateShare;
        use sharing::opening::{NoNoise, open};
        use sharing::output::Side;
        let (document, world) = (self.document(), &self.world);
        let combinations = shares::combinations(&world.system, &document).unwrap();
        let sum = |side, shares: &BTreeMap<(u32, Unit), OutputShare>| {
            let mut sum = AggregateShare::new(&world.parameters, side);
            let mine = shares.iter().filter(|((round, _), _)| *round == document.round);
            mine.for_each(|(_, share)| sum.add(share).unwrap());
            sum.combine_all(&combinations, &mut NoNoise).unwrap()
        };
        let (ours, theirs) = (sum(Side::Region, &self.region_shares), sum(Side::Helper, &self.helper_shares));
        let (roster, statuses) = (document.units(), self.region.statuses());
        let opened = document.open.iter().zip(ours.iter().zip(&theirs)).map(|(cell, (ours, theirs))| {
            let offset = shares::offset(&world.system, *cell, &statuses, &roster, world.collection.min_count);
            (*cell, open(ours, theirs).unwrap() + offset)
        });
        let opened = opened.collect();
        let keys: BTreeMap<Unit, [u8; 32]> = self
            .helper
            .accepted(document.round)
            .map(|(unit, report)| (unit.clone(), report.readable_key))
            .collect();
        let unseal = |(place, unit): (usize, &Unit)| {
            let key = sharing::report::ReadableKey::from_bytes(keys[unit]);
            let bytes = self.members[unit].reports[&document.round].open_readable(&key).unwrap();
            shares::Readable::decode(&bytes, &world.system, &document, place).unwrap()
        };
        (opened, roster.iter().enumerate().map(unseal).collect())
    }
}
