//! A log of facts over a [`Store`]: what a machine knows, in the order it learnt it.
//!
//! Facts are postcard under `<prefix>/fact/<sequence>`; whatever belongs to them (reports, shares) lies beside them
//! under `<prefix>/beside/…` and is committed in the same batch, so there is never one without the other (KEEP-1).
//! It does not interpret facts and never prints one.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{Batch, Store, StoreError};

/// Why facts could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored fact of another version of the program, or damaged.
    #[error("{key} in the store cannot be read; restore the store from a backup made by this version")]
    Unreadable {
        /// Its key.
        key: String,
    },
    /// Something that a fact says is beside it is not.
    #[error("{key} is missing in the store; restore the store from a backup")]
    Missing {
        /// Its key.
        key: String,
    },
}

/// Keys and values that are stored in the batch of the facts they belong to.
pub type Beside = Vec<(String, Vec<u8>)>;

/// The log of one machine.
pub struct FactLog<F> {
    store: Arc<dyn Store>,
    prefix: String,
    next: Mutex<u64>,
    kind: PhantomData<fn(F) -> F>,
}

impl<F: Serialize + DeserializeOwned> FactLog<F> {
    /// Opens the log and reads every fact.
    ///
    /// # Errors
    /// [`FactError`].
    pub fn open(store: Arc<dyn Store>, prefix: impl Into<String>) -> Result<(Self, Vec<F>), FactError> {
        let prefix = prefix.into();
        let stored = store.scan(&format!("{prefix}/fact/"))?;
        let next = Mutex::new(stored.len() as u64);
        let read = |(key, bytes): (String, Vec<u8>)| {
            postcard::from_bytes(&bytes).map_err(|_| FactError::Unreadable { key })
        };
        let facts = stored.into_iter().map(read).collect::<Result<Vec<F>, _>>()?;
        Ok((Self { store, prefix, next, kind: PhantomData }, facts))
    }

    /// Stores facts and what lies beside them, in one durable batch. Facts are never deleted.
    ///
    /// # Errors
    /// [`FactError`]. After a refusal nothing is stored; after another store error the handle halts and the batch may be
    /// found whole at the next opening, which is as if the crash had come after it.
    pub fn append(&self, facts: &[F], beside: Beside) -> Result<(), FactError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::new();
        for (offset, fact) in facts.iter().enumerate() {
            let key = format!("{}/fact/{:016x}", self.prefix, *next + offset as u64);
            let bytes =
                postcard::to_allocvec(fact).map_err(|_| FactError::Unreadable { key: key.clone() })?;
            batch = batch.put(key, bytes);
        }
        for (key, bytes) in beside {
            batch = batch.put(self.key(&key), bytes);
        }
        self.store.commit(batch)?;
        *next += facts.len() as u64;
        Ok(())
    }

    /// Reads what lies beside facts.
    ///
    /// # Errors
    /// [`FactError::Missing`] when it is not there.
    pub fn read(&self, key: &str) -> Result<Vec<u8>, FactError> {
        let key = self.key(key);
        self.store.get(&key)?.ok_or(FactError::Missing { key })
    }

    fn key(&self, key: &str) -> String {
        format!("{}/beside/{key}", self.prefix)
    }
}
