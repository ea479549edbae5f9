//! Which databases there are, as a trait: in a file of this node today, in a store that many nodes share one day.
//!
//! Owns names and who is bound, and nothing of what is in a database. What it has answered for must survive the process
//! and the machine's power.

use async_trait::async_trait;
use wasmyard_model::DatabaseId;

use crate::error::D1Error;

/// A database, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseRecord {
    /// Its identifier, which never changes.
    pub id: DatabaseId,
    /// Its name, which no other has.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
}

/// Knows the databases.
#[async_trait]
pub trait Catalog: Send + Sync + std::fmt::Debug + 'static {
    /// Notes a new database, where there are fewer than `most`.
    ///
    /// # Errors
    /// [`D1Error::NameTaken`], [`D1Error::Quota`] for too many of them, or the store's failure.
    async fn create(&self, record: &DatabaseRecord, most: u64) -> Result<(), D1Error>;

    /// Forgets a database.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], or the store's failure.
    async fn delete(&self, id: &DatabaseId) -> Result<(), D1Error>;

    /// A database by its identifier.
    ///
    /// # Errors
    /// The store's failure.
    async fn database(&self, id: &DatabaseId) -> Result<Option<DatabaseRecord>, D1Error>;

    /// A database by its name.
    ///
    /// # Errors
    /// The store's failure.
    async fn named(&self, name: &str) -> Result<Option<DatabaseRecord>, D1Error>;

    /// Databases whose names come after `after` and have `part` in them, by their names.
    ///
    /// # Errors
    /// The store's failure.
    async fn databases(
        &self,
        after: Option<&str>,
        part: &str,
        limit: usize,
    ) -> Result<Vec<DatabaseRecord>, D1Error>;

    /// How many databases have `part` in their names.
    ///
    /// # Errors
    /// The store's failure.
    async fn count(&self, part: &str) -> Result<u64, D1Error>;

    /// Notes that a script is about to be bound to a database. What is noted may be stale, and is never missing.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], or the store's failure.
    async fn bind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error>;

    /// Scripts that were noted, after `after`.
    ///
    /// # Errors
    /// The store's failure.
    async fn bound(&self, id: &DatabaseId, after: Option<&str>, limit: usize)
    -> Result<Vec<String>, D1Error>;

    /// Forgets that a script was bound.
    ///
    /// # Errors
    /// The store's failure.
    async fn unbind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error>;

    /// Notes every script that was noted under a name that begins with `from`, under the name that begins with `to`, too.
    ///
    /// # Errors
    /// The store's failure.
    async fn rebind(&self, from: &str, to: &str) -> Result<(), D1Error>;

    /// Brings everything to its place, before the process ends.
    async fn close(&self);
}
