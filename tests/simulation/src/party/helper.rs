//! The helper: the production desk over a disk that survives crashes, answering as `coordinator::helper::service`.

use std::sync::Arc;

use coordinator::helper::desk::Desk;
use daemon::store::MemoryDisk;
use round::document::CollectionRef;
use round::helper::HandedReport;
use round::refusal::Refusal;
use sharing::report::HelperPart;

use crate::federation::{COUNTY, Federation};
use crate::message::{Opened, Reply, Request};
use crate::trouble::Trouble;

/// The helper.
pub struct HelperParty {
    federation: Arc<Federation>,
    disk: MemoryDisk,
    desk: Option<Desk>,
}

/// Where the facts of the helper lie in its store.
pub fn prefix(federation: &Federation) -> String {
    format!("helper/case/{}", hex::encode(federation.collection.hash))
}

impl HelperParty {
    /// A helper that is not running.
    pub fn new(federation: Arc<Federation>, disk: MemoryDisk) -> Self {
        Self { federation, disk, desk: None }
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
        let keys = self.federation.helper_keys.clone();
        self.desk = Some(Desk::open(Arc::new(self.disk.open()), keys)?);
        Ok(())
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.desk = None;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.desk.is_some()
    }

    /// Answers the region.
    ///
    /// # Errors
    /// [`Trouble::Crash`] and [`Trouble::Broken`]; refusals and full disks are replies.
    pub fn serve(&mut self, request: Request) -> Result<Reply, Trouble> {
        match self.answer(request) {
            Err(Trouble::Refused(refusal)) => Ok(Reply::Refused(refusal.to_string())),
            Err(Trouble::Full) => Ok(Reply::Unavailable),
            other => other,
        }
    }

    fn answer(&self, request: Request) -> Result<Reply, Trouble> {
        let desk = self.desk.as_ref().ok_or(Trouble::Crash)?;
        let reference = CollectionRef::of(&self.federation.collection);
        match request {
            Request::PutCollection => desk.put_collection(&self.federation.document, COUNTY)?,
            Request::PutPattern(handed) => desk.hold(*handed, COUNTY, self.federation.as_ref())?,
            Request::Verify { round, unit, part, message, signature } => {
                let parameters = self.federation.parameters.clone();
                let read = move |_: &round::helper::Helper| {
                    let part = HelperPart::decode(&parameters, &part)
                        .map_err(|_| Refusal::Malformed("the helper's part"))?;
                    let signature =
                        signature.as_slice().try_into().map_err(|_| Refusal::Malformed("signature"))?;
                    Ok(HandedReport { round, unit, part, message, signature })
                };
                let chain = self.federation.as_ref();
                return match desk.verify(&reference, COUNTY, chain, read).map_err(Trouble::from) {
                    Err(Trouble::Refused(
                        Refusal::Report | Refusal::Signature(_) | Refusal::Malformed(_),
                    )) => Ok(Reply::Verified(None)),
                    other => other.map(|answer| Reply::Verified(Some(answer))),
                };
            }
            Request::Close { round, pattern, roster } => {
                let opening = desk.close(&reference, COUNTY, round, &pattern, &roster)?;
                let (shares, readable_keys, digest) = (opening.shares, opening.readable_keys, opening.digest);
                return Ok(Reply::Opened(Opened { shares, readable_keys, digest }));
            }
            _ => return Err(Trouble::Broken("a message that no helper is sent".into())),
        }
        Ok(Reply::Done)
    }
}
