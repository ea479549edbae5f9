//! The narrow door to durable state: a log of changes with a revision.
//!
//! Owns the trait that every store implements and the types that pass through it. Keys are texts shaped
//! like paths, values are opaque bytes. Nothing here or above it may lean on one engine: whatever passes
//! `contract` can take its place. Never interprets a value.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

pub use blob::{BlobError, Blobs};
pub use fault::Cause;
pub use memory::MemoryStore;
pub use sealing::{Seal, SealingStore};
pub use sqlite::{SqliteOptions, SqliteStore};

pub mod blob;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod fault;
pub mod memory;
pub mod sealing;
pub mod sqlite;

/// Counts the appends of a store: 0 is the empty store, and each append is one more.
pub type Revision = u64;

/// Longest key in bytes.
pub const MAX_KEY_BYTES: usize = 1_024;

/// A value with its key and the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The append that wrote it.
    pub revision: Revision,
}

/// One key of one append, as the log of changes has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The append.
    pub revision: Revision,
    /// The key.
    pub key: String,
    /// Whether the append deleted it.
    pub deleted: bool,
}

/// What must be true of a key for an append to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// The key.
    pub key: String,
    /// What is expected of it.
    pub expected: Expected,
}

/// The state that a precondition expects of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is no value.
    Absent,
    /// The value was written by exactly this append.
    Revision(Revision),
}

impl Precondition {
    /// There must be no value under the key.
    #[must_use]
    pub fn absent(key: impl Into<String>) -> Precondition {
        Precondition { key: key.into(), expected: Expected::Absent }
    }

    /// The value must still be the one that this append wrote.
    #[must_use]
    pub fn unchanged(key: impl Into<String>, revision: Revision) -> Precondition {
        Precondition { key: key.into(), expected: Expected::Revision(revision) }
    }

    /// The state of the key must still be the one that was read.
    #[must_use]
    pub fn as_read(key: impl Into<String>, read: Option<Revision>) -> Precondition {
        let expected = read.map_or(Expected::Absent, Expected::Revision);
        Precondition { key: key.into(), expected }
    }
}

/// One write of an append. An append names each key at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets the value of a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Bytes,
    },
    /// Takes a key away. Where there is none, this does nothing, and shows in the log all the same.
    Delete {
        /// The key.
        key: String,
    },
}

impl Write {
    /// Sets the value of a key.
    #[must_use]
    pub fn put(key: impl Into<String>, value: impl Into<Bytes>) -> Write {
        Write::Put { key: key.into(), value: value.into() }
    }

    /// Takes a key away.
    #[must_use]
    pub fn delete(key: impl Into<String>) -> Write {
        Write::Delete { key: key.into() }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A precondition did not hold; nothing was written. Read again and decide anew.
    #[error("the state of key {key} is not the expected one")]
    Conflict {
        /// The first key that was not as expected.
        key: String,
    },
    /// The log no longer reaches back that far. Read the current state instead.
    #[error("changes since revision {asked} are gone, the log starts after {oldest}")]
    Compacted {
        /// The revision that was asked for.
        asked: Revision,
        /// The oldest revision that can be asked for.
        oldest: Revision,
    },
    /// Values are sealed with another key than the one that is given.
    #[error(
        "the secrets of the registry are sealed with another key than installation.key: restore the one that they were sealed with"
    )]
    OtherKey,
    /// The caller broke a rule of the trait.
    #[error("the store was called wrongly: {rule}")]
    Misuse {
        /// The rule.
        rule: &'static str,
    },
    /// Another process has the data directory open.
    #[error("the data directory {path} is in use by another process")]
    Locked {
        /// The directory.
        path: String,
    },
    /// The files are of a version that this program does not know, or are no store at all.
    #[error("{path} has format {found}, this program reads format {expected}")]
    Format {
        /// The file.
        path: String,
        /// What it says it is.
        found: String,
        /// What this program reads.
        expected: String,
    },
    /// The files are not what was written.
    #[error("{path} is damaged: {found}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        found: String,
    },
    /// There is no room for the change. What makes room is still done.
    #[error("there is no room on the disk for the registry's changes")]
    NoSpace {
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine below failed.
    #[error("the store failed to {action}: {source}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// What an operator can do something about.
        cause: Cause,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Wraps an engine's error.
    pub fn engine(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        let source = source.into();
        let cause = Cause::in_chain(source.as_ref());
        StoreError::Engine { action, cause, source }
    }
}

/// What a store can do at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// All of it.
    #[default]
    Good,
    /// It reads, and makes changes that make room, and no others.
    NoSpace,
}

/// A store of current values with a log of the changes that led to them.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The newest revision.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// Makes all writes or none, as one new revision, if each precondition holds. Durable when it returns:
    /// neither the end of the process nor loss of power undoes it. Every read that starts afterwards sees it.
    ///
    /// Appends whose keys (of preconditions and writes) do not meet never conflict.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the first precondition that does not hold; [`StoreError::Misuse`] for an
    /// append without writes, with a key twice, or with a key that is empty or too long.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop an append that was handed over: it may still happen, whole.
    async fn append(&self, preconditions: &[Precondition], writes: &[Write]) -> Result<Revision, StoreError>;

    /// Like [`Store::append`], for a change that makes room: it may use what is kept back for such changes.
    ///
    /// # Errors
    /// As [`Store::append`].
    async fn append_to_free(
        &self,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> Result<Revision, StoreError> {
        self.append(preconditions, writes).await
    }

    /// The current value of a key.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// The current values of many keys, in the order of the keys; those that have none are left out. Each is
    /// as it was at some moment during the call, not all at the same one.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.get(key).await?);
        }
        Ok(found)
    }

    /// Current values whose keys start with `prefix` and come after `after`, in bytewise order of the keys,
    /// `limit` at most. One page is read at one revision; the next page may be read at a later one.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// The same from the end: those that come before `before`, the last one first.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The keys alone of what [`Store::scan`] returns. A store that keeps values apart reads none of them.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.scan(prefix, after, limit).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// How many keys start with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn count(&self, prefix: &str) -> Result<u64, StoreError>;

    /// The changes after a revision, oldest first, about `limit` of them. The changes of one revision
    /// are never torn apart, so that the last one's revision is the one to go on from.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when the log no longer reaches back that far.
    async fn changes_since(&self, revision: Revision, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// Follows the newest revision. A notification comes after the append is durable and readable.
    fn watch(&self) -> watch::Receiver<Revision>;

    /// Forgets the changes before `keep_from`; current values stay. Afterwards changes can be asked for
    /// from `keep_from - 1` on.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the engine fails.
    async fn compact(&self, keep_from: Revision) -> Result<(), StoreError>;

    /// What it can do at the moment.
    fn health(&self) -> Health {
        Health::Good
    }

    /// Brings everything to its place before the process ends. Afterwards nothing can be asked.
    async fn close(&self) {}
}

/// Checks the rules of [`Store::append`] that do not depend on the engine.
///
/// # Errors
/// [`StoreError::Misuse`] with the rule that is broken.
pub fn check_append(preconditions: &[Precondition], writes: &[Write]) -> Result<(), StoreError> {
    let misuse = |rule| Err(StoreError::Misuse { rule });
    if writes.is_empty() {
        return misuse("an append must have a write");
    }
    let keys = preconditions.iter().map(|precondition| precondition.key.as_str());
    if keys.chain(writes.iter().map(Write::key)).any(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
        return misuse("a key must have 1 to 1024 bytes");
    }
    let mut written: Vec<&str> = writes.iter().map(Write::key).collect();
    written.sort_unstable();
    if written.windows(2).any(|pair| pair.first() == pair.last()) {
        return misuse("an append may write a key only once");
    }
    Ok(())
}
