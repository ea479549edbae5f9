//! Where keys and values are kept, as a trait: embedded today, a server that many nodes share one day.
//!
//! A store keeps what it is given and counts it; the rules were checked before. What it has answered for must survive
//! the process and the machine's power. It must never let anything of one namespace be seen through another.

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_model::KvNamespaceId;

use crate::entry::{Found, Key, Listed};
use crate::error::KvError;
use crate::limits::KvLimits;

/// A namespace of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvNamespace {
    /// Its identifier, which never changes.
    pub id: KvNamespaceId,
    /// Its title, which no other has.
    pub title: String,
}

/// How much is in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvUsage {
    /// Keys, those that expired and were not swept yet included.
    pub keys: u64,
    /// Bytes of keys, metadata and values.
    pub bytes: u64,
}

/// One value to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Under which key.
    pub key: Key,
    /// The value.
    pub value: Bytes,
    /// Metadata as JSON text.
    pub metadata: Option<String>,
    /// When it goes, in seconds since 1970.
    pub expires: Option<u64>,
}

/// One change of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a value, in place of any that was there.
    Put(Put),
    /// Deletes a value, if it is there.
    Delete(Key),
}

/// Keeps keys and values.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes a namespace.
    ///
    /// # Errors
    /// [`KvError::TitleTaken`], [`KvError::Quota`] for too many of them, or the store's failure.
    async fn create(&self, namespace: &KvNamespace, limits: &KvLimits) -> Result<(), KvError>;

    /// Gives a namespace another title.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], [`KvError::TitleTaken`], or the store's failure.
    async fn rename(&self, namespace: &KvNamespace) -> Result<(), KvError>;

    /// Deletes a namespace with all that is in it.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    async fn delete(&self, id: &KvNamespaceId) -> Result<(), KvError>;

    /// A namespace by its identifier.
    ///
    /// # Errors
    /// The store's failure.
    async fn namespace(&self, id: &KvNamespaceId) -> Result<Option<KvNamespace>, KvError>;

    /// A namespace by its title.
    ///
    /// # Errors
    /// The store's failure.
    async fn titled(&self, title: &str) -> Result<Option<KvNamespace>, KvError>;

    /// How much is in a namespace.
    ///
    /// # Errors
    /// The store's failure.
    async fn usage(&self, id: &KvNamespaceId) -> Result<Option<KvUsage>, KvError>;

    /// Namespaces whose titles come after `after`, by their titles.
    ///
    /// # Errors
    /// The store's failure.
    async fn namespaces(&self, after: Option<&str>, limit: usize) -> Result<Vec<KvNamespace>, KvError>;

    /// How many namespaces there are.
    ///
    /// # Errors
    /// The store's failure.
    async fn count(&self) -> Result<u64, KvError>;

    /// A value that is there at `now`, if it has `room` bytes at most.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], [`KvError::NoRoom`], or the store's failure.
    async fn get(&self, id: &KvNamespaceId, key: &Key, now: u64, room: u64)
    -> Result<Option<Found>, KvError>;

    /// Makes all of these changes, or none. They are durable when this returns.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], [`KvError::Quota`], [`KvError::Full`], or the store's failure.
    async fn write(&self, id: &KvNamespaceId, writes: Vec<Write>, limits: &KvLimits) -> Result<(), KvError>;

    /// Adds to the number that the value of a key is at `now`, as one change, and says what it is then. Durable when this
    /// returns.
    ///
    /// # Errors
    /// As [`Store::write`], and [`KvError::Invalid`] where there is no number, or none that the sum fits.
    async fn increment(
        &self,
        id: &KvNamespaceId,
        key: &Key,
        delta: u64,
        now: u64,
        limits: &KvLimits,
    ) -> Result<u64, KvError>;

    /// Keys that are there at `now`, begin with `prefix` and come after `after`, in the order of their bytes.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    async fn list(
        &self,
        id: &KvNamespaceId,
        prefix: &str,
        after: Option<&str>,
        now: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, KvError>;

    /// Notes that a script is about to be bound to a namespace. What is noted may be stale, and is never missing.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    async fn bind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError>;

    /// Scripts that were noted, after `after`.
    ///
    /// # Errors
    /// The store's failure.
    async fn bound(
        &self,
        id: &KvNamespaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError>;

    /// Forgets that a script was bound.
    ///
    /// # Errors
    /// The store's failure.
    async fn unbind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError>;

    /// Notes every script that was noted under a name that begins with `from`, under the name that begins with `to`, too.
    ///
    /// # Errors
    /// The store's failure.
    async fn rebind(&self, from: &str, to: &str) -> Result<(), KvError>;

    /// Removes some of what has expired by `now`, and of what belonged to deleted namespaces. Says how many; none is
    /// left when that is zero.
    ///
    /// # Errors
    /// The store's failure.
    async fn sweep(&self, now: u64) -> Result<u64, KvError>;

    /// Brings everything to its place, before the process ends.
    async fn close(&self);
}
