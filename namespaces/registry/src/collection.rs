//! Collections: the records of one kind, and the one way in which records are written.
//!
//! Owns the rule that nothing is appended without what was read before: each write of a [`Transaction`] names a
//! record as it was [`Seen`], and the append happens only if that is still so, whichever node was faster. So no
//! node can undo what another one did, and none has to be alone. Never keeps a record in memory.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Result;
use crate::error::RegistryError;
use wasmyard_stores::{Change, Entry, Health, Precondition, Revision, Store, StoreError, Write};

/// How often a change is tried when others are faster.
pub(super) const ATTEMPTS: u32 = 24;
/// From this attempt on a loser steps aside for a moment.
const PATIENT: u32 = 3;
/// How many records are read or written at a time.
pub(super) const PAGE: usize = 128;

/// All records of one kind: JSON values under keys with one prefix.
#[derive(Debug)]
pub(super) struct Collection<T> {
    prefix: &'static str,
    record: PhantomData<fn() -> T>,
}

impl<T> Collection<T> {
    pub(super) const fn at(prefix: &'static str) -> Collection<T> {
        Collection { prefix, record: PhantomData }
    }

    pub(super) fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// The key of the record with this id.
    pub(super) fn key(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }
}

/// The state of one key as it was read: a record, or that there is none.
#[derive(Debug)]
pub(super) struct Seen<T> {
    key: String,
    prefix: &'static str,
    found: Option<(Revision, Bytes)>,
    record: PhantomData<fn() -> T>,
}

impl<T> Seen<T> {
    fn new(of: &Collection<T>, key: String, entry: Option<Entry>) -> Seen<T> {
        let found = entry.map(|entry| (entry.revision, entry.value));
        Seen { key, prefix: of.prefix, found, record: PhantomData }
    }

    /// The state after this process wrote the key, for whoever goes on from there. The record is not known.
    pub(super) fn written(&self, revision: Revision) -> Seen<T> {
        let found = Some((revision, Bytes::new()));
        Seen { key: self.key.clone(), prefix: self.prefix, found, record: PhantomData }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The key without the collection's prefix.
    pub(super) fn id(&self) -> &str {
        self.key.get(self.prefix.len()..).unwrap_or_default()
    }

    pub(super) fn exists(&self) -> bool {
        self.found.is_some()
    }

    /// The append that wrote the record.
    pub(super) fn revision(&self) -> Option<Revision> {
        self.found.as_ref().map(|(revision, _)| *revision)
    }

    /// Whether the record is not newer than a revision.
    pub(super) fn is_from(&self, revision: Revision) -> bool {
        self.revision().is_some_and(|written| written <= revision)
    }

    /// What is expected of the key by whoever writes on the ground of this.
    fn precondition(&self) -> Precondition {
        Precondition::as_read(self.key.clone(), self.revision())
    }
}

impl<T: DeserializeOwned> Seen<T> {
    /// The record; none when there is none.
    ///
    /// # Errors
    /// [`RegistryError::Record`] when it is damaged. Such a record can be replaced and deleted all the same.
    pub(super) fn record(&self) -> Result<Option<T>> {
        let Some((_, bytes)) = &self.found else { return Ok(None) };
        match serde_json::from_slice(bytes) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(RegistryError::Record { key: self.key.clone(), source }),
        }
    }

    /// The record, if it is there and whole. One that is damaged is told and passed over: others must not
    /// suffer from it.
    pub(super) fn whole(&self) -> Option<T> {
        self.record().unwrap_or_else(|error| {
            tracing::error!(%error, cause = ?std::error::Error::source(&error), "a record is damaged and passed over");
            None
        })
    }
}

/// What is going to be written together, and what must be true for it.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    preconditions: Vec<Precondition>,
    /// The keys of these: there may be ten thousand.
    expected: HashSet<String>,
    writes: Vec<Write>,
    /// Whether it makes room, or is a step on the way: then it is made on a full disk, too.
    to_free: bool,
}

impl Transaction {
    /// Asks that a record is still as it was seen.
    pub(super) fn expect<T>(&mut self, seen: &Seen<T>) {
        if !self.expected.contains(&seen.key) {
            self.expected.insert(seen.key.clone());
            self.preconditions.push(seen.precondition());
        }
    }

    /// Asks that a record which this transaction does not read is still the one that a revision wrote.
    pub(super) fn expect_unchanged<T>(&mut self, of: &Collection<T>, id: &str, revision: Revision) {
        self.expected.insert(of.key(id));
        self.preconditions.push(Precondition::unchanged(of.key(id), revision));
    }

    /// Writes a record in place of what was seen.
    pub(super) fn put<T: Serialize>(&mut self, seen: &Seen<T>, record: &T) -> Result<()> {
        self.expect(seen);
        self.writes.push(write(seen.key.clone(), record)?);
        Ok(())
    }

    /// Takes away what was seen.
    pub(super) fn delete<T>(&mut self, seen: &Seen<T>) {
        self.expect(seen);
        self.to_free = true;
        self.writes.push(Write::delete(seen.key.clone()));
    }

    /// Writes a record that belongs to another one: whoever writes it changes its owner as well, so that what
    /// is expected of the owner is enough.
    pub(super) fn put_with<O, T: Serialize>(
        &mut self,
        owner: &Seen<O>,
        of: &Collection<T>,
        id: &str,
        record: &T,
    ) -> Result<()> {
        self.expect(owner);
        self.writes.push(write(of.key(id), record)?);
        Ok(())
    }

    /// Takes away a record that belongs to another one.
    pub(super) fn delete_with<O, T>(&mut self, owner: &Seen<O>, of: &Collection<T>, id: &str) {
        self.expect(owner);
        self.writes.push(Write::delete(of.key(id)));
    }

    /// Says that the transaction is a step on the way to more room.
    pub(super) fn make_room(&mut self) {
        self.to_free = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Adds what another one says.
    pub(super) fn join(&mut self, other: &Transaction) {
        for precondition in &other.preconditions {
            if !self.preconditions.contains(precondition) {
                self.expected.insert(precondition.key.clone());
                self.preconditions.push(precondition.clone());
            }
        }
        self.writes.extend(other.writes.iter().cloned());
        self.to_free |= other.to_free;
    }
}

fn write<T: Serialize>(key: String, record: &T) -> Result<Write> {
    match serde_json::to_vec(record) {
        Ok(json) => Ok(Write::put(key, json)),
        Err(source) => Err(RegistryError::Record { key, source }),
    }
}

/// The store as the registry sees it: records are read, and transactions are made.
#[derive(Clone)]
pub(super) struct Log {
    store: Arc<dyn Store>,
}

impl Log {
    pub(super) fn new(store: Arc<dyn Store>) -> Log {
        Log { store }
    }

    /// The state of the record with an id.
    pub(super) async fn read<T>(&self, of: &Collection<T>, id: &str) -> Result<Seen<T>> {
        let key = of.key(id);
        let entry = self.store.get(&key).await?;
        Ok(Seen::new(of, key, entry))
    }

    /// The records with these ids, in their order; those that there are not are left out.
    pub(super) async fn read_many<T>(&self, of: &Collection<T>, ids: &[String]) -> Result<Vec<Seen<T>>> {
        let keys: Vec<String> = ids.iter().map(|id| of.key(id)).collect();
        let entries = self.store.get_many(&keys).await?;
        Ok(entries.into_iter().map(|entry| Seen::new(of, entry.key.clone(), Some(entry))).collect())
    }

    /// Records whose ids start with `within` and come after `after`, in their order; `limit` at most.
    pub(super) async fn page<T>(
        &self,
        of: &Collection<T>,
        within: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Seen<T>>> {
        let after = after.map(|id| of.key(id));
        let entries = self.store.scan(&of.key(within), after.as_deref(), limit).await?;
        Ok(entries.into_iter().map(|entry| Seen::new(of, entry.key.clone(), Some(entry))).collect())
    }

    /// All records from the end: those that come before `before`, the last one first; `limit` at most.
    pub(super) async fn page_back<T>(
        &self,
        of: &Collection<T>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Seen<T>>> {
        let before = before.map(|id| of.key(id));
        let entries = self.store.scan_back(of.prefix(), before.as_deref(), limit).await?;
        Ok(entries.into_iter().map(|entry| Seen::new(of, entry.key.clone(), Some(entry))).collect())
    }

    /// The ids alone of what [`Log::page`] returns: a million of them are read without their records.
    pub(super) async fn ids<T>(
        &self,
        of: &Collection<T>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let after = after.map(|id| of.key(id));
        let keys = self.store.keys(of.prefix(), after.as_deref(), limit).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(of.prefix())).map(str::to_owned).collect())
    }

    /// All records whose ids start with `within`.
    pub(super) async fn all<T>(&self, of: &Collection<T>, within: &str) -> Result<Vec<Seen<T>>> {
        let mut all: Vec<Seen<T>> = Vec::new();
        loop {
            let page = self.page(of, within, all.last().map(Seen::id), PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// How many records have ids that start with `within`.
    pub(super) async fn count<T>(&self, of: &Collection<T>, within: &str) -> Result<u64> {
        Ok(self.store.count(&of.key(within)).await?)
    }

    /// Commits a page of a removal, which several may make at once. Whether it was taken: otherwise another node removes the
    /// same, or a change that had begun got through, and the page is to be read again.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] after [`ATTEMPTS`] in a row; [`RegistryError::Store`].
    pub(super) async fn commit_page(&self, transaction: &Transaction, attempt: &mut u32) -> Result<bool> {
        match self.commit(transaction).await {
            Ok(_) => {
                *attempt = 0;
                Ok(true)
            }
            Err(RegistryError::Conflict(_)) if *attempt < ATTEMPTS => {
                step_aside(*attempt).await;
                *attempt += 1;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Commits what was decided, and has it decided again when others were faster. Nothing decided is nothing done.
    pub(super) async fn retried<F>(&self, what: &str, decide: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<Transaction>>,
    {
        for attempt in 0..ATTEMPTS {
            let transaction = decide().await?;
            if transaction.is_empty() {
                return Ok(());
            }
            match self.commit(&transaction).await {
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                done => return done.map(drop),
            }
        }
        Err(RegistryError::Conflict(what.to_owned()))
    }

    /// Makes all writes of a transaction or none, durably when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] with the key that is not as it was seen: read again, decide anew.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<Revision> {
        let Transaction { preconditions, writes, to_free, .. } = transaction;
        if preconditions.is_empty() {
            return Err(StoreError::Misuse { rule: "a transaction must say what it read" }.into());
        }
        Ok(if *to_free {
            self.store.append_to_free(preconditions, writes).await?
        } else {
            self.store.append(preconditions, writes).await?
        })
    }

    /// Whether there is room for changes.
    pub(super) fn has_room(&self) -> Result<()> {
        match self.store.health() {
            Health::Good => Ok(()),
            Health::NoSpace => Err(StoreError::NoSpace { source: "the disk is full".into() }.into()),
        }
    }

    pub(super) fn health(&self) -> Health {
        self.store.health()
    }

    pub(super) async fn close(&self) {
        self.store.close().await;
    }

    /// The newest revision.
    pub(super) async fn revision(&self) -> Result<Revision> {
        Ok(self.store.revision().await?)
    }

    /// The changes after a revision.
    pub(super) async fn changes_since(
        &self,
        revision: Revision,
        limit: usize,
    ) -> std::result::Result<Vec<Change>, StoreError> {
        self.store.changes_since(revision, limit).await
    }

    pub(super) async fn compact(&self, keep_from: Revision) -> std::result::Result<(), StoreError> {
        self.store.compact(keep_from).await
    }

    pub(super) fn watch(&self) -> tokio::sync::watch::Receiver<Revision> {
        self.store.watch()
    }

    /// The store below, for tests that play another node or a crash.
    #[cfg(test)]
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

/// What whoever lost a race does before the next attempt: at first nothing, then waits for a moment that
/// differs from loser to loser.
pub(super) async fn step_aside(attempt: u32) {
    if attempt < PATIENT {
        return;
    }
    // Without a random number all wait equally long, which is worse and not wrong.
    let random = getrandom::u32().unwrap_or(u32::MAX) >> 24;
    let most = 1_u64 << attempt.saturating_sub(PATIENT).min(5);
    tokio::time::sleep(Duration::from_micros(most * 1_000 * u64::from(random) / 256)).await;
}
