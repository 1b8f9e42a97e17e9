//! What a node knows of the first version when it is asked for a second: from its own store, not from the region.
//!
//! Judges nothing (`suppress::correction::own` does). A node that does not have its counts of the first version any more
//! takes no part: it could not say what changed.

use std::sync::Arc;

use anyhow::{Context, ensure};
use daemon::facts::FactLog;
use daemon::store::Store;
use round::document::PatternDocument;
use round::node::{Fact, Node, Submitted};
use tables::codebook::Codebook;
use tables::collection::Collection;
use tables::count::FineStatus;
use tables::extension::Extension;
use tables::system::{Counts, System};
use tables::unit::Unit;

use super::case::{CELLS, COUNTS, case_prefix};

/// A first version that this node made a report for.
pub struct First {
    document: PatternDocument,
    statuses: Vec<FineStatus>,
    counts: Counts,
    extended: Option<Extended>,
}

/// How the version that is extended numbered its cells, and how they are numbered now.
struct Extended {
    system: System,
    extension: Arc<Extension>,
}

impl Extended {
    fn of(collection: &Collection, system: &System, codebook: &Codebook) -> anyhow::Result<Self> {
        let first = System::new(&collection.first_part(), codebook)?;
        let extension = Arc::new(Extension::new(&first, system).context("kompletterar")?);
        Ok(Self { system: first, extension })
    }
}

impl First {
    /// What this node submitted under the pattern that a collection corrects or extends; `None` when it corrects none, or this node made no
    /// report under it. Read anew each time: the first version may have ended since.
    ///
    /// # Errors
    /// When the store cannot be read, or has the report and not the counts.
    pub fn of(
        store: &Arc<dyn Store>,
        (collection, codebook): (&Arc<Collection>, &Codebook),
        system: &Arc<System>,
        unit: &Unit,
    ) -> anyhow::Result<Option<Self>> {
        let Some(corrects) = collection.corrects else { return Ok(None) };
        let (log, facts) = FactLog::<Fact>::open(store.clone(), case_prefix(&corrects.collection))?;
        let node = Node::restore(collection.clone(), system.clone(), unit.clone(), facts);
        let (Some(document), Some(declaration)) = (node.submitted(&corrects.pattern), node.declaration())
        else {
            return Ok(None);
        };
        let extended = match corrects.extends {
            true => Some(Extended::of(collection, system, codebook)?),
            false => None,
        };
        let first = extended.as_ref().map_or(&**system, |extended| &extended.system);
        // The region says that the cells and the threshold are the same; this node looks.
        let cells =
            log.read(CELLS).context("what the cells of the first version were is not in the store")?;
        ensure!(
            cells == collection.cells(first),
            "the second version has other tables or another threshold than the first; this node takes no part in it"
        );
        let stored = log.read(COUNTS).context("the counts of the first version are not in the store")?;
        let stored = postcard::from_bytes(&stored).context("stored counts of the first version")?;
        let counts =
            Counts::from_stored(first, stored).context("the stored counts are of another collection")?;
        let (document, statuses) = (document.clone(), declaration.statuses.clone());
        Ok(Some(Self { document, statuses, counts, extended }))
    }

    /// What was submitted, and what is another now.
    pub fn beside(self, system: &System, counts: &Counts) -> Submitted {
        let (document, statuses) = (self.document, self.statuses);
        match self.extended {
            None => {
                let changed = system.differing(&self.counts, counts);
                Submitted { document, statuses, changed, extension: None }
            }
            Some(Extended { system: first, extension }) => {
                let changed = extension.differing((&first, &self.counts), (system, counts));
                Submitted { document, statuses, changed, extension: Some(extension) }
            }
        }
    }
}
