//! What a node remembers over all collections: openings by cell (the ledger), and the days it has counted for.
//!
//! Judges no pattern (`round::ledger`). Invariants (SAFE-3, KEEP-1): a line is durable before the report it belongs to is sent, and of a day
//! this node makes reports for one collection and its second version, whatever a region says of the others.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use daemon::facts::{FactError, FactLog};
use daemon::store::Store;
use round::ledger::{Ledger, Line};
use round::node::Fact;
use round::refusal::Refusal;
use serde::{Deserialize, Serialize};
use tables::collection::Collection;
use tables::system::System;

use super::case::{CELLS, case_prefix};

/// One line of the node's ledger as it is stored.
#[derive(Serialize, Deserialize)]
pub struct LedgerEntry {
    definition: [u8; 32],
    line: Line,
}

/// The days of a collection that this node has taken part in.
#[derive(Clone, Serialize, Deserialize)]
struct Covered {
    case: [u8; 32],
    days: (jiff::civil::Date, jiff::civil::Date),
}

/// The node's ledger over all collections.
pub struct LedgerBook {
    log: FactLog<LedgerEntry>,
    ledger: Mutex<Ledger>,
    covered_log: FactLog<Covered>,
    covered: Mutex<Vec<Covered>>,
    store: Arc<dyn Store>,
}

/// How far this node came in a collection.
struct Had {
    has_declared: bool,
    has_reported: bool,
    /// What its cells were, where that was stored.
    cells: Option<Vec<u8>>,
}

impl Had {
    fn of(store: &Arc<dyn Store>, case: &[u8; 32]) -> anyhow::Result<Self> {
        let (log, facts) = FactLog::<Fact>::open(store.clone(), case_prefix(case))?;
        let cells = match log.read(CELLS) {
            Ok(cells) => Some(cells),
            Err(FactError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let has = |found: fn(&Fact) -> bool| facts.iter().any(found);
        let has_declared = has(|fact| matches!(fact, Fact::Declared(_)));
        Ok(Self { has_declared, has_reported: has(|fact| matches!(fact, Fact::Reported { .. })), cells })
    }

    fn is_nothing_yet(&self) -> bool {
        !self.has_declared && !self.has_reported
    }
}

impl LedgerBook {
    /// Opens the ledger of a store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Arc<dyn Store>) -> anyhow::Result<Self> {
        let (log, entries) = FactLog::<LedgerEntry>::open(store.clone(), "node/ledger")?;
        let mut ledger = Ledger::default();
        entries.into_iter().for_each(|entry| ledger.enter(entry.definition, entry.line));
        let (covered_log, covered) = FactLog::open(store.clone(), "node/covered")?;
        Ok(Self { log, ledger: Mutex::new(ledger), covered_log, covered: Mutex::new(covered), store })
    }

    /// Writes down that this node counts for a collection. A second one over a common day is refused: what both show of the same
    /// records can be subtracted (ADR 10). It may take the place of one that this node made no report for, if it asks for the very same
    /// cells: then what is declared again tells nothing new, and nothing was ever delivered.
    ///
    /// # Errors
    /// When it is refused, or the store cannot be read or written.
    pub fn cover(&self, collection: &Collection, system: &System) -> anyhow::Result<()> {
        let days = collection.days().context("a collection without periods")?;
        let cells = collection.cells(system);
        for known in self.others(collection)? {
            let had = Had::of(&self.store, &known.case)?;
            if !had.is_nothing_yet() && (had.has_reported || had.cells.as_deref() != Some(cells.as_slice())) {
                bail!(
                    "{} counts records of days that this node has delivered under another collection; it takes no part. One whose \
                     round failed before this node delivered may be announced again with the same tables, periods and threshold",
                    collection.id
                );
            }
        }
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        if covered.iter().any(|known| known.case == collection.hash) {
            return Ok(());
        }
        let entry = Covered { case: collection.hash, days };
        self.covered_log.append(std::slice::from_ref(&entry), Vec::new())?;
        covered.push(entry);
        Ok(())
    }

    /// Asked before a report is made: the one whose place it took may have come to life again since.
    ///
    /// # Errors
    /// When this node has made a report for another collection over a common day, or the store cannot be read.
    pub fn delivers_nothing_else(&self, collection: &Collection) -> anyhow::Result<()> {
        for known in self.others(collection)? {
            if Had::of(&self.store, &known.case)?.has_reported {
                bail!(
                    "{}: this node has made a report of the same days for another collection",
                    collection.id
                );
            }
        }
        Ok(())
    }

    /// Collections over a common day that this node has counted for, save the one that is corrected: a second version is judged
    /// together with the first.
    fn others(&self, collection: &Collection) -> anyhow::Result<Vec<Covered>> {
        let days = collection.days().context("a collection without periods")?;
        let corrected = collection.corrects.map(|corrects| corrects.collection);
        let covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        let other = |known: &&Covered| {
            let itself = known.case == collection.hash || Some(known.case) == corrected;
            !itself && known.days.0 <= days.1 && days.0 <= known.days.1
        };
        Ok(covered.iter().filter(other).cloned().collect())
    }

    /// Stores lines and enters them; `corrects` is the collection they correct.
    ///
    /// # Errors
    /// When they cannot be stored; nothing is entered then.
    pub fn enter(&self, lines: Vec<([u8; 32], Line)>, corrects: Option<[u8; 32]>) -> anyhow::Result<()> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.iter().all(|(definition, line)| ledger.allows(definition, line, corrects)) {
            return Err(Refusal::Ledger.into());
        }
        let entry = |(definition, line): &([u8; 32], Line)| LedgerEntry {
            definition: *definition,
            line: line.clone(),
        };
        let entries: Vec<LedgerEntry> = lines.iter().map(entry).collect();
        self.log.append(&entries, Vec::new())?;
        lines.into_iter().for_each(|(definition, line)| ledger.enter(definition, line));
        Ok(())
    }

    /// Lines of what was opened without this node take the place of those it wrote down of the same case, durably
    /// ([`round::node::Node::lines_of_first`]).
    ///
    /// # Errors
    /// When they cannot be stored; nothing is entered then.
    pub fn replace(&self, lines: Vec<([u8; 32], Line)>) -> anyhow::Result<()> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let news = |(definition, line): &([u8; 32], Line)| !ledger.holds(definition, line);
        let lines: Vec<_> = lines.into_iter().filter(news).collect();
        let entry = |(definition, line): &([u8; 32], Line)| LedgerEntry {
            definition: *definition,
            line: line.clone(),
        };
        let entries: Vec<LedgerEntry> = lines.iter().map(entry).collect();
        if !entries.is_empty() {
            self.log.append(&entries, Vec::new())?;
        }
        lines.into_iter().for_each(|(definition, line)| ledger.enter(definition, line));
        Ok(())
    }

    /// Looks at the ledger.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use daemon::store::MemoryDisk;
    use round::document::{CollectionRef, Declaration, Tier};
    use tables::codebook::Codebook;

    use super::*;

    struct Asked {
        collection: Collection,
        system: System,
    }

    fn asked(version: u32, period: &str, dimension: &str) -> Asked {
        let text = format!(
            "id = \"prov\"\nversion = {version}\ntitel = \"Prov\"\nlan = \"21\"\nkodbok = \"vuxna/1\"\nperioder = [\"{period}\"]\n\
             deltagare = [\"2101\", \"2104\"]\ndeklarera_inom_timmar = 1\nlamna_inom_timmar = 1\nkontakt = \"x\"\nkalla = \"x\"\n\
             [[tabell]]\nid = \"T1\"\ntitel = \"x\"\nmatt = \"aktualiseringar\"\nomfattning = \"kommun\"\n\
             dimensioner = [\"{dimension}\"]\n"
        );
        let book = Codebook::vuxna().unwrap();
        let collection = Collection::from_toml(&text, &book).unwrap();
        let system = System::new(&collection, &book).unwrap();
        Asked { collection, system }
    }

    struct Node {
        disk: MemoryDisk,
    }

    impl Node {
        fn new() -> Self {
            Self { disk: MemoryDisk::new() }
        }

        /// The book as it is after a restart.
        fn book(&self) -> LedgerBook {
            LedgerBook::open(Arc::new(self.disk.open())).unwrap()
        }

        fn covers(&self, asked: &Asked) -> Result<(), String> {
            self.book().cover(&asked.collection, &asked.system).map_err(|error| error.to_string())
        }

        fn reports(&self, asked: &Asked) -> bool {
            self.book().delivers_nothing_else(&asked.collection).is_ok()
        }

        fn note(&self, asked: &Asked, fact: Fact) {
            let store: Arc<dyn Store> = Arc::new(self.disk.open());
            let (log, _) = FactLog::<Fact>::open(store, case_prefix(&asked.collection.hash)).unwrap();
            let cells = asked.collection.cells(&asked.system).to_vec();
            log.append(&[fact], vec![(CELLS.into(), cells)]).unwrap();
        }

        fn declared(&self, asked: &Asked) {
            let collection = CollectionRef::of(&asked.collection);
            let declaration = Declaration { collection, tier: Tier::Region, statuses: Vec::new() };
            self.note(asked, Fact::Declared(declaration));
        }
    }

    #[test]
    fn a_round_that_failed_before_this_node_delivered_may_be_announced_again_with_the_same_cells() {
        let (node, first, again) = (Node::new(), asked(1, "2024", "kon"), asked(2, "2024", "kon"));
        node.covers(&first).unwrap();
        node.declared(&first);
        node.covers(&again).unwrap();
        assert!(node.reports(&again));
    }

    #[test]
    fn safe_3_other_cells_of_the_same_days_are_not_counted_once_anything_was_declared() {
        let (node, first, other) =
            (Node::new(), asked(1, "2024", "kon"), asked(2, "2024", "aktualiseringstyp"));
        node.covers(&first).unwrap();
        node.covers(&other).expect("nothing has left the node yet");
        node.declared(&first);
        let refused = node.covers(&other).unwrap_err();
        assert!(refused.contains("same tables") && refused.contains("prov"), "{refused}");
        node.covers(&asked(3, "2023", "aktualiseringstyp")).expect("other days");
    }

    #[test]
    fn safe_3_after_a_report_no_other_collection_over_the_days_is_counted_or_reported() {
        let (node, first, again) = (Node::new(), asked(1, "2024", "kon"), asked(2, "2024", "kon"));
        node.covers(&first).unwrap();
        node.declared(&first);
        node.covers(&again).unwrap();
        node.declared(&again);
        node.note(&again, Fact::Reported { round: 1, content: [1; 32] });
        assert!(!node.reports(&first), "the one whose place it took does not come to life again");
        assert!(node.reports(&again), "its own report may be made again for another round");
        assert!(node.covers(&asked(3, "2024", "kon")).is_err());
    }
}
