//! Makes the one report of a round: readable cells and shares of all cells, from the same stored counts (TRUE-1).

use std::collections::BTreeMap;

use daemon::pki::Key;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use round::document::PatternDocument;
use round::shares::{ShareError, measurements, readable};
use sharing::helper_key::HelperPublicKey;
use sharing::params::VectorParameters;
use sharing::shard::{Contents, ShardError, shard};
use sharing::signing::SigningContext;
use sharing::tag::{TagSecret, tag};
use tables::count::{FineStatus, MinCount};
use tables::system::{CellIndex, Counts, System};

/// Why no report was made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The counts do not fit.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The cryptography.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// No randomness.
    #[error("no randomness from the operating system")]
    Randomness,
}

/// What a report is made from.
pub struct Making<'a> {
    /// The collection's cells.
    pub system: &'a System,
    /// Its report parameters.
    pub parameters: &'a VectorParameters,
    /// The collection's threshold.
    pub threshold: MinCount,
    /// The final pattern.
    pub document: &'a PatternDocument,
    /// This unit's place in its roster.
    pub place: usize,
    /// The stored counts.
    pub counts: &'a Counts,
    /// The declared statuses.
    pub statuses: &'a [FineStatus],
    /// The helper's key.
    pub helper: &'a HelperPublicKey,
    /// The node's tag secret.
    pub secret: &'a TagSecret,
}

/// A made report, to be stored before it is sent.
pub struct Made {
    /// Encoded report.
    pub bytes: Vec<u8>,
    /// Its content hash.
    pub content: [u8; 32],
    /// The node's signature over the content hash.
    pub signature: Vec<u8>,
    /// The node's tags by cell, for its own ledger.
    pub tags: BTreeMap<CellIndex, [u8; 16]>,
}

impl Making<'_> {
    /// Makes the report. Its shares are random: made twice it is two different reports, so only the stored one counts.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn make(&self, key: &Key) -> Result<Made, ReportError> {
        let tags: BTreeMap<CellIndex, [u8; 16]> = self
            .document
            .open
            .iter()
            .map(|cell| {
                let value = self.system.value(self.counts, *cell);
                (*cell, tag(self.secret, &self.system.cells[*cell].definition, value).0)
            })
            .collect();
        let measurements = measurements(self.system, self.counts, self.statuses, self.threshold)?;
        let readable = readable(self.system, self.counts, self.document, self.place).encode();
        let contents = Contents {
            measurements: &measurements,
            readable: &readable,
            tags: &tags.values().copied().collect::<Vec<_>>().concat(),
        };
        let (mut seed, mut nonce) = ([0; 32], [0; 16]);
        getrandom::fill(&mut seed).map_err(|_| ReportError::Randomness)?;
        getrandom::fill(&mut nonce).map_err(|_| ReportError::Randomness)?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let binding = round::helper::binding(self.document, self.place);
        let report = shard(self.parameters, &binding, nonce, contents, self.helper, &mut rng)?;
        let content = report.content_hash().0;
        let signature = key.sign(&SigningContext::Report.frame(&content)).to_vec();
        Ok(Made { bytes: report.encode(self.parameters), content, signature, tags })
    }
}
